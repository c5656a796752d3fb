/*
 * Rights, and domains made by another domain: the real domain life, hypercalls,
 * stage 2 and frames on the model machine; devices and the boot-time builder
 * are stand-ins. Domain 1 is the controller, 2 and 3 are guests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../hyp/core/control/control-internal.h"
#include <bulkhead/seal.h>
#include <fake.h>
#include <hyp/checker.h>
#include <hyp/config.h>
#include <hyp/console.h>
#include <hyp/cpu.h>
#include <hyp/gic.h>
#include <hyp/grant.h>
#include <hyp/hypercall.h>
#include <hyp/irq.h>
#include <hyp/log.h>
#include <hyp/vgic.h>
#include <hyp/vtimer.h>
#include <hyp/vuart.h>
#include <hyp/xen.h>
#include <stdio.h>
#include <string.h>
#include <xen/dm_op.h>
#include <xen/memory.h>

#define BASE 0x40000ull /* gfn of a guest's memory ... */
#define FRAMES 64u
#define SCRATCH (BASE + FRAMES - 1)
#define COUNT 3
#define MADE 4 /* the first number that a domain gets at run time */

static struct domain_config configs[COUNT];
static struct frame_stats at_start;
static unsigned restarts, lines;
static bool nothing_there; /* where vgic_mmio() is asked */
static uint32_t level_of;

/* --- Stand-ins --- */

struct gic_host gic_host = {.version = 3, .intid_count = 256};

int config_all(const struct domain_config **out)
{
    *out = configs;
    return COUNT;
}
void dlog(struct domain *d, const char *format, ...)
{
    lines++;
}
void domain_quiet_devices(struct domain *x)
{
}
int domain_build(struct domain *d)
{
    mfn_t m;
    for (unsigned i = 0; i < FRAMES; i++) {
        assert_int_equal(frame_alloc_domain(d, 0, &m), 0);
        assert_int_equal(p2m_map(d, gfn(BASE + i), m, 1, P2M_RAM), 0);
    }
    return xen_domain_start(d);
}
int console_domain_create(struct domain *d)
{
    return 0;
}
void console_domain_destroy(struct domain *d)
{
}
size_t console_domain_output(struct domain *d, const uint8_t *bytes, size_t count)
{
    return count;
}
void irq_release_all(struct domain *d)
{
}
int vgic_domain_init(struct domain *d, const struct vgic_config *v)
{
    d->vgic.version = v->version;
    return 0;
}
void vgic_domain_reset(struct domain *d)
{
}
void vgic_domain_destroy(struct domain *d)
{
}
enum vgic_outcome vgic_mmio(struct vcpu *v, struct mmio_access *a)
{
    return nothing_there ? VGIC_NOT_MINE : VGIC_DONE;
}
void vgic_set_level(struct vcpu *v, uint32_t intid, bool high)
{
    level_of = high ? intid : 0;
}
void vgic_inject(struct vcpu *v, uint32_t intid)
{
}
bool vgic_has_pending(struct vcpu *v)
{
    return false;
}
void vtimer_vcpu_init(struct vcpu *v)
{
}
void vtimer_vcpu_destroy(struct vcpu *v)
{
}

void vtimer_vcpu_reset(struct vcpu *v)
{
}
bool vuart_output(struct domain *d, uint8_t byte)
{
    return true;
}
void arch_vcpu_destroy(struct vcpu *v)
{
}
void arch_vcpu_snapshot(const struct vcpu *v, struct crash_record *to)
{
}
unsigned checker_run(void)
{
    return 0;
}
void sched_times(struct vcpu *v, uint64_t now_ticks, struct sched_times *out)
{
    *out = (struct sched_times){.state = SCHED_RUNNING, .since_ticks = now_ticks};
}

/* --- The world --- */

/* The worker of `id` goes on until it has nothing to do. */
static void work(domid_t id)
{
    for (unsigned i = 0; i < 10000; i++) {
        struct domain *d = domain_get(id);
        if (d == NULL) {
            return;
        }
        bool idle = d->job == JOB_NONE;
        domain_put(d);
        if (idle) {
            return;
        }
        d->worker.cpu = NULL;
        d->worker.fire(&d->worker, arch_counter_ticks());
        assert_int_equal(fake_locks_held(), 0);
    }
    fail_msg("domain %u's worker does not come to an end", id);
}

/* `rights` as in the tree: strings, one after the other. */
static void begin_with(const char *rights, size_t length)
{
    fake_boot(2, 64ull << 20);
    cpu_count = 2;
    assert_int_equal(domains_init(), 0);
    frame_stats(&at_start);
    restarts = lines = 0;
    for (unsigned i = 0; i < COUNT; i++) {
        struct domain *d;
        configs[i] = (struct domain_config){.id = (domid_t)(i + 1),
                                            .memory_bytes = FRAMES << FRAME_SHIFT,
                                            .max_memory_bytes = (FRAMES + 8) << FRAME_SHIFT,
                                            .hyp_memory_bytes = 300ul << FRAME_SHIFT,
                                            .vcpu_count = 1,
                                            .bootargs = "",
                                            .on_reboot = POLICY_RESTART,
                                            .rights = i == 0 ? rights : NULL,
                                            .rights_len = i == 0 ? length : 0};
        snprintf(configs[i].name, sizeof(configs[i].name), "%s",
                 (const char *[]){"ctl", "home", "work"}[i]);
        assert_int_equal(domain_create(&configs[i], &d), 0);
        assert_int_equal(domain_start(d), 0);
        d->vcpu[0]->sched.home = cpus[0];
    }
}
#define BEGIN(rights) begin_with(rights, sizeof(rights))

static void end(void)
{
    struct frame_stats now;
    for (struct domain *d = domain_next(NULL); d != NULL; d = domain_next(d)) {
        assert_true(domain_destroy(d) <= 0);
    }
    for (domid_t id = 0; id < 64; id++) {
        work(id);
    }
    assert_null(domain_next(NULL));
    frame_stats(&now);
    assert_int_equal(now.free, at_start.free);
    assert_int_equal(now.hyp, at_start.hyp);
}

static struct domain *of(domid_t id)
{
    struct domain *d = domain_get(id);
    assert_non_null(d);
    domain_put(d);
    return d;
}

static void *ram(domid_t id, uint64_t at)
{
    mpa_t where;
    assert_true(fake_guest_translate(of(id), gfn_gpa(gfn(at)), false, &where));
    return fake_ram(where);
}

/* Domain `id` makes a call with a structure in its scratch page, again as often as it must. */
static int64_t call(domid_t id, uint64_t number, uint64_t cmd, void *argument, size_t size,
                    bool first)
{
    struct vcpu *v = of(id)->vcpu[0];
    uint64_t *x = v->arch.x;
    memcpy(ram(id, SCRATCH), argument, size);
    x[16] = number;
    x[0] = first ? SCRATCH << FRAME_SHIFT : cmd;
    x[1] = first ? 0 : SCRATCH << FRAME_SHIFT;
    x[2] = 1;
    for (unsigned turn = 0;; turn++, restarts++) {
        assert_true(turn < 10000);
        v->arch.pc = 4;
        hypercall(v);
        assert_int_equal(fake_locks_held(), 0);
        if (v->arch.pc == 4) {
            break;
        }
        for (domid_t d = 2; d < 64; d++) { /* timers run between two attempts */
            struct domain *other = domain_get(d);
            if (other != NULL) {
                bool last = other->job == JOB_RELEASE;
                domain_put(other);
                if (last) {
                    work(d);
                }
            }
        }
    }
    memcpy(argument, ram(id, SCRATCH), size);
    return (int64_t)x[0];
}

static int64_t domctl_of(uint32_t cmd, domid_t target, struct xen_domctl *op)
{
    op->cmd = cmd;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op->domain = target;
    return call(1, __HYPERVISOR_domctl, 0, op, sizeof(*op), true);
}

static int64_t sysctl_of(uint32_t cmd, struct xen_sysctl *op)
{
    op->cmd = cmd;
    op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    return call(1, __HYPERVISOR_sysctl, 0, op, sizeof(*op), true);
}

#define MEMORY(op, s) call(1, __HYPERVISOR_memory_op, XENMEM_##op, s, sizeof(*(s)), false)

/* A frame of `from` put at `at` of the controller: its error, 0 if it is there. */
static int64_t map_foreign(domid_t from, uint64_t index, uint64_t at)
{
    struct {
        struct xen_add_to_physmap_batch op;
        uint64_t index, at;
        int32_t error;
    } a = {.op = {.domid = DOMID_SELF,
                  .space = XENMAPSPACE_gmfn_foreign,
                  .size = 1,
                  .u.foreign_domid = from,
                  .idxs = (SCRATCH << FRAME_SHIFT) + offsetof(typeof(a), index),
                  .gpfns = (SCRATCH << FRAME_SHIFT) + offsetof(typeof(a), at),
                  .errs = (SCRATCH << FRAME_SHIFT) + offsetof(typeof(a), error)},
           .index = index,
           .at = at};
    int64_t result =
        call(1, __HYPERVISOR_memory_op, XENMEM_add_to_physmap_batch, &a, sizeof(a), false);
    return result != 0 ? result : a.error;
}

static int64_t unmap(uint64_t at)
{
    struct xen_remove_from_physmap op = {.domid = DOMID_SELF, .gpfn = at};
    return MEMORY(remove_from_physmap, &op);
}

/* A domain of `frames` frames at BASE, with registers, as the tools make it; not yet let go. */
static domid_t make(unsigned frames)
{
    struct xen_domctl op = {.u.createdomain = {.flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap,
                                               .max_vcpus = 2,
                                               .max_evtchn_port = 1023,
                                               .max_grant_frames = -1,
                                               .max_maptrack_frames = -1}};
    assert_int_equal(domctl_of(XEN_DOMCTL_createdomain, 0xffff, &op), 0);
    domid_t id = op.domain;
    assert_int_equal(op.u.createdomain.arch.gic_version, XEN_DOMCTL_CONFIG_GIC_V3);
    op = (struct xen_domctl){.u.max_mem = {frames * 4}};
    assert_int_equal(domctl_of(XEN_DOMCTL_max_mem, id, &op), 0);
    op = (struct xen_domctl){.u.paging_mempool = {64 << FRAME_SHIFT}};
    assert_int_equal(domctl_of(XEN_DOMCTL_set_paging_mempool_size, id, &op), 0);
    struct {
        struct xen_memory_reservation r;
        uint64_t at;
    } m = {.r = {.extent_start = (SCRATCH << FRAME_SHIFT) + sizeof(m.r),
                 .nr_extents = 1,
                 .domid = id}};
    for (unsigned i = 0; i < frames; i++) {
        m.at = BASE + i;
        assert_int_equal(
            call(1, __HYPERVISOR_memory_op, XENMEM_populate_physmap, &m, sizeof(m), false), 1);
    }
    struct {
        struct xen_domctl op;
        struct vcpu_guest_context context;
    } c = {.op.u.vcpucontext.ctxt = (SCRATCH << FRAME_SHIFT) + offsetof(typeof(c), context),
           .context = {.flags = VGCF_online, .user_regs = {.pc64 = BASE << FRAME_SHIFT, .x0 = 77}}};
    c.op.cmd = XEN_DOMCTL_setvcpucontext;
    c.op.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    c.op.domain = id;
    assert_int_equal(call(1, __HYPERVISOR_domctl, 0, &c, sizeof(c), true), 0);
    return id;
}

static int64_t simple(uint32_t cmd, domid_t id)
{
    struct xen_domctl op = {.cmd = 0};
    return domctl_of(cmd, id, &op);
}

/* --- The matrix --- */

/* Structures with which an operation succeeds, or fails for another reason than rights. */
static const struct {
    uint32_t cmd;
    uint32_t rights; /* of these, one must be held over the target */
} domctls[] = {
    {XEN_DOMCTL_pausedomain, RIGHT_BIT(RIGHT_CONTROL)},
    {XEN_DOMCTL_unpausedomain, RIGHT_BIT(RIGHT_CONTROL)},
    {XEN_DOMCTL_setvcpuaffinity, RIGHT_BIT(RIGHT_CONTROL)},
    {XEN_DOMCTL_max_mem, RIGHT_BIT(RIGHT_CONTROL)},
    {XEN_DOMCTL_max_vcpus, RIGHT_BIT(RIGHT_CONTROL)},
    {XEN_DOMCTL_scheduler_op, RIGHT_BIT(RIGHT_CONTROL)},
    {XEN_DOMCTL_setdomainhandle, RIGHT_BIT(RIGHT_CONTROL)},
    {XEN_DOMCTL_settimeoffset, RIGHT_BIT(RIGHT_CONTROL)},
    {XEN_DOMCTL_setnodeaffinity, RIGHT_BIT(RIGHT_CONTROL)},
    {XEN_DOMCTL_set_paging_mempool_size, RIGHT_BIT(RIGHT_CONTROL)},
    {XEN_DOMCTL_getvcpucontext, RIGHTS_LOOK},
    {XEN_DOMCTL_getvcpuinfo, RIGHTS_LOOK},
    {XEN_DOMCTL_getvcpuaffinity, RIGHTS_LOOK},
    {XEN_DOMCTL_get_address_size, RIGHTS_LOOK},
    {XEN_DOMCTL_getnodeaffinity, RIGHTS_LOOK},
    {XEN_DOMCTL_get_paging_mempool_size, RIGHTS_LOOK},
    {XEN_DOMCTL_setvcpucontext, 0}, /* of what others made, nobody */
    {XEN_DOMCTL_set_address_size, 0},
    {XEN_DOMCTL_cacheflush, 0},
    {XEN_DOMCTL_vuart_op, 0},
};

static const struct {
    uint32_t cmd, rights;
} sysctls[] = {
    {XEN_SYSCTL_physinfo, RIGHTS_HOST},
    {XEN_SYSCTL_sched_id, RIGHTS_HOST},
    {XEN_SYSCTL_getdomaininfolist, RIGHTS_HOST},
    {XEN_SYSCTL_getcpuinfo, RIGHTS_HOST},
    {XEN_SYSCTL_availheap, RIGHTS_HOST},
    {XEN_SYSCTL_cputopoinfo, RIGHTS_HOST},
    {XEN_SYSCTL_numainfo, RIGHTS_HOST},
    {XEN_SYSCTL_cpupool_op, RIGHTS_HOST},
    {XEN_SYSCTL_scheduler_op, RIGHTS_HOST},
    {XEN_SYSCTL_readconsole, RIGHT_BIT(RIGHT_CONSOLE)},
    {XEN_SYSCTL_debug_keys, RIGHT_BIT(RIGHT_CONSOLE)},
};

/* The holder of one right, over `home` where it is over somebody, tries everything with everybody. */
static void try_everything(const char *words, size_t length)
{
    begin_with(words, length);
    size_t n = strchr(words, ' ') != NULL ? (size_t)(strchr(words, ' ') - words) : strlen(words);
    uint32_t held = length == 0 ? 0 : RIGHT_BIT(rights_named(words, n));
    for (domid_t target = 2; target <= 3; target++) {
        uint32_t over = target == 2 ? held : held & ~RIGHTS_LOOK;
        for (unsigned i = 0; i < ARRAY_LEN(domctls); i++) {
            struct xen_domctl op = {.cmd = 0};
            int64_t result = domctl_of(domctls[i].cmd, target, &op);
            assert_int_equal(result == -XEN_EPERM, (over & domctls[i].rights) == 0);
        }
        int64_t mapped = map_foreign(target, BASE, 0x90000);
        assert_int_equal(mapped, (over & RIGHT_BIT(RIGHT_INSPECT)) != 0 ? 0 : -XEN_EPERM);
        assert_int_equal(mapped == 0 ? unmap(0x90000) : 0, 0);
        struct xen_hvm_param p = {.domid = target, .index = HVM_PARAM_STORE_PFN};
        assert_int_equal(call(1, __HYPERVISOR_hvm_op, HVMOP_set_param, &p, sizeof(p), false) ==
                             -XEN_EPERM,
                         (over & RIGHT_BIT(RIGHT_CONTROL)) == 0);
        struct evtchn_alloc_unbound e = {.dom = target, .remote_dom = 1};
        assert_int_equal(call(1, __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, &e,
                              sizeof(e), false) == -XEN_EPERM,
                         (over & RIGHT_BIT(RIGHT_CONTROL)) == 0);
        struct xen_memory_reservation r = {.domid = target, .nr_extents = 1};
        assert_int_equal(MEMORY(decrease_reservation, &r), 0); /* none done, whoever asks */
        struct xen_mem_acquire_resource a = {.domid = target, .type = XENMEM_resource_grant_table};
        assert_int_equal(MEMORY(acquire_resource, &a), -XEN_EPERM);
        assert_int_equal(frame_owned_count(target), FRAMES);
    }
    for (unsigned i = 0; i < ARRAY_LEN(sysctls); i++) {
        struct xen_sysctl op = {.cmd = 0};
        if (sysctls[i].cmd == XEN_SYSCTL_cpupool_op) {
            op.u.cpupool_op.op = XEN_SYSCTL_CPUPOOL_OP_INFO;
        }
        int64_t result = sysctl_of(sysctls[i].cmd, &op);
        assert_int_equal(result == -XEN_EPERM, (held & sysctls[i].rights) == 0);
    }
    struct xen_sysctl pools = {.u.cpupool_op = {.op = XEN_SYSCTL_CPUPOOL_OP_DESTROY}};
    assert_int_equal(sysctl_of(XEN_SYSCTL_cpupool_op, &pools) == -XEN_EPERM,
                     (held & RIGHT_BIT(RIGHT_SCHEDULE)) == 0);
    struct xen_domctl op = {.u.createdomain = {.max_vcpus = 0}};
    assert_int_equal(domctl_of(XEN_DOMCTL_createdomain, 0, &op),
                     (held & RIGHT_BIT(RIGHT_BUILD)) != 0 ? -XEN_EINVAL : -XEN_EPERM);
    assert_int_equal(simple(XEN_DOMCTL_destroydomain, 3), -XEN_EPERM);
    assert_int_equal(simple(XEN_DOMCTL_destroydomain, 2),
                     (held & RIGHT_BIT(RIGHT_CONTROL)) != 0 ? 0 : -XEN_EPERM);
    end();
}

static void test_matrix(void **state)
{
    try_everything("", 0);
#define TRY(words) try_everything(words, sizeof(words))
    TRY("control home");
    TRY("inspect home");
    TRY("build");
    TRY("store");
    TRY("console");
    TRY("schedule");
    TRY("shutdown-host");
}

/* The list has the caller and whom it is over. */
static void test_list(void **state)
{
    BEGIN("control home");
    struct {
        struct xen_sysctl op;
        struct xen_domctl_getdomaininfo info[4];
    } l = {.op.u.getdomaininfolist = {
               .max_domains = 4, .buffer = (SCRATCH << FRAME_SHIFT) + offsetof(typeof(l), info)}};
    l.op.cmd = XEN_SYSCTL_getdomaininfolist;
    l.op.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    assert_int_equal(call(1, __HYPERVISOR_sysctl, 0, &l, sizeof(l), true), 0);
    assert_int_equal(l.op.u.getdomaininfolist.num_domains, 2);
    assert_int_equal(l.info[0].domain, 1);
    assert_int_equal(l.info[1].domain, 2);
    assert_int_equal(l.info[1].tot_pages, FRAMES);
    end();
}

static void test_drop(void **state)
{
    char words[64];
    BEGIN("control *\0inspect home work\0build");
    assert_int_equal(simple(XEN_DOMCTL_pausedomain, 3), 0);
    rights_drop(of(1), RIGHT_CONTROL, of(2)); /* everybody but one is not a right */
    assert_int_equal(simple(XEN_DOMCTL_pausedomain, 2), 0);
    rights_drop(of(1), RIGHT_CONTROL, NULL);
    assert_int_equal(simple(XEN_DOMCTL_unpausedomain, 3), -XEN_EPERM);
    rights_drop(of(1), RIGHT_INSPECT, of(2));
    assert_true(rights_describe(of(1), 0, words, sizeof(words)));
    assert_string_equal(words, "inspect work");
    assert_int_equal(map_foreign(2, BASE, 0x90000), -XEN_EPERM);
    unsigned before = lines;
    assert_int_equal(simple(XEN_DOMCTL_getvcpuinfo, 2), -XEN_EPERM);
    assert_int_equal(lines, before + 1);
    end();
}

static int64_t drop(const char *words)
{
    struct bulkhead_drop_right op;
    memset(&op, 0, sizeof(op));
    memcpy(op.words, words, strnlen(words, sizeof(op.words)));
    return call(1, BULKHEAD_HYPERCALL, BULKHEAD_OP_drop_right, &op, sizeof(op), false);
}

/* The same by the domain itself. */
static void test_drop_by_call(void **state)
{
    char words[64];
    BEGIN("control *\0inspect home work\0build\0irq 40");
    assert_int_equal(drop(""), -XEN_EINVAL);
    assert_int_equal(drop("contro"), -XEN_EINVAL);
    assert_int_equal(drop("build home"), -XEN_EINVAL); /* is over nobody */
    assert_int_equal(drop("inspect nobody"), -XEN_ESRCH);
    assert_int_equal(drop("inspect home work"), -XEN_ESRCH); /* one at a time */
    memset(words, 'x', sizeof(words));
    assert_int_equal(drop(words), -XEN_EINVAL); /* does not end */
    assert_int_equal(drop("control home"), -XEN_EINVAL);
    assert_int_equal(simple(XEN_DOMCTL_pausedomain, 2), 0);
    assert_int_equal(drop("inspect work"), 0);
    assert_int_equal(map_foreign(3, BASE, 0x90000), -XEN_EPERM);
    assert_int_equal(map_foreign(2, BASE, 0x90000), 0);
    assert_int_equal(drop("inspect work"), 0); /* what it has not */
    assert_int_equal(drop("inspect home"), 0);
    assert_int_equal(drop("control"), 0);
    assert_int_equal(drop("irq"), 0);
    assert_int_equal(simple(XEN_DOMCTL_unpausedomain, 2), -XEN_EPERM);
    assert_true(rights_describe(of(1), 0, words, sizeof(words)));
    assert_string_equal(words, "build");
    assert_int_equal(drop("build"), 0);
    assert_false(rights_describe(of(1), 0, words, sizeof(words)));
    /* For this life: what its next one has is configured. */
    assert_int_equal(domain_reboot(of(1)), 0);
    work(1);
    assert_true(rights_allow(of(1), RIGHT_CONTROL, of(2)));
    end();
}

/* --- The wall clock of one domain --- */

static void test_time_offset(void **state)
{
    BEGIN("control home");
    struct xen_domctl op = {.u.settimeoffset.time_offset_seconds = -3600};
    xen_set_wall_clock(1700000000, 0);
    struct shared_info *two = of(2)->xen->shared, *three = of(3)->xen->shared;
    uint32_t before = two->wc_sec, version = two->wc_version;
    assert_int_equal(domctl_of(XEN_DOMCTL_settimeoffset, 3, &op), -XEN_EPERM);
    assert_int_equal(domctl_of(XEN_DOMCTL_settimeoffset, 2, &op), 0);
    assert_int_equal(two->wc_sec, before - 3600);
    assert_true(two->wc_version != version && two->wc_version % 2 == 0);
    assert_int_equal(three->wc_sec, before);
    xen_set_wall_clock(1700000100, 0); /* it stays behind */
    assert_int_equal(two->wc_sec, before - 3500);
    assert_int_equal(three->wc_sec, before + 100);
    end();
}

/* --- Life of what the tools make --- */

static void test_make_and_run(void **state)
{
    BEGIN("build");
    domid_t id = make(8);
    assert_int_equal(id, MADE);
    assert_int_equal(of(id)->state, DOMAIN_CREATED);
    assert_int_equal(frame_owned_count(id), 8);
    assert_int_equal(map_foreign(id, BASE + 1, 0x90000), 0);
    memcpy(ram(1, 0x90000), "written", 8);
    assert_string_equal(ram(id, BASE + 1), "written");
    assert_int_equal(unmap(0x90000), 0);
    struct xen_domctl flush = {.u.cacheflush = {BASE, 100}};
    assert_int_equal(domctl_of(XEN_DOMCTL_cacheflush, id, &flush), 0);

    assert_int_equal(simple(XEN_DOMCTL_unpausedomain, id), 0);
    assert_int_equal(of(id)->state, DOMAIN_RUNNING);
    assert_int_equal(of(id)->vcpu[0]->arch.x[0], 77);
    /* From now on its memory is its own; the builder still rules it. */
    assert_int_equal(map_foreign(id, BASE + 1, 0x90000), -XEN_EPERM);
    assert_int_equal(simple(XEN_DOMCTL_setvcpucontext, id), -XEN_EPERM);
    struct {
        struct xen_memory_reservation r;
        uint64_t at;
    } m = {
        .r = {.extent_start = (SCRATCH << FRAME_SHIFT) + sizeof(m.r), .nr_extents = 1, .domid = id},
        .at = BASE};
    assert_int_equal(
        call(1, __HYPERVISOR_memory_op, XENMEM_decrease_reservation, &m, sizeof(m), false), 0);
    assert_int_equal(frame_owned_count(id), 8);
    assert_int_equal(simple(XEN_DOMCTL_pausedomain, id), 0);
    assert_int_equal(simple(XEN_DOMCTL_pausedomain, id), 0);
    assert_int_equal(simple(XEN_DOMCTL_unpausedomain, id), 0);
    assert_int_equal(simple(XEN_DOMCTL_unpausedomain, id), 0);
    assert_int_equal(simple(XEN_DOMCTL_unpausedomain, id), -XEN_EINVAL);
    /* It goes down, and waits for the tools. */
    domain_shutdown(of(id), SHUTDOWN_reboot);
    work(id);
    assert_int_equal(of(id)->state, DOMAIN_DOWN);
    restarts = 0;
    assert_int_equal(simple(XEN_DOMCTL_destroydomain, id), 0);
    assert_true(restarts > 1);
    assert_null(domain_get(id));
    assert_int_equal(simple(XEN_DOMCTL_destroydomain, id), -XEN_ESRCH);
    end();
}

/* Numbers are not used again at once; a number may be asked for. */
static void test_numbers(void **state)
{
    BEGIN("build");
    domid_t first = make(1), second = make(1);
    assert_int_equal(second, first + 1);
    assert_int_equal(simple(XEN_DOMCTL_destroydomain, first), 0);
    assert_int_equal(make(1), second + 1);
    struct xen_domctl op = {
        .u.createdomain = {.flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap, .max_vcpus = 1}};
    assert_int_equal(domctl_of(XEN_DOMCTL_createdomain, 2, &op), -XEN_EEXIST);
    assert_int_equal(domctl_of(XEN_DOMCTL_createdomain, 40, &op), 0);
    assert_int_equal(op.domain, 40);
    end();
}

/* What is half built dies with the builder's run; what runs does not, and is its builder's afterwards. */
static void test_builder_reboots(void **state)
{
    BEGIN("build");
    domid_t running = make(4), half = make(4);
    assert_int_equal(simple(XEN_DOMCTL_unpausedomain, running), 0);
    domain_shutdown(of(1), SHUTDOWN_crash);
    configs[0].on_crash = POLICY_RESTART;
    of(1)->on_crash = POLICY_RESTART;
    work(1);
    work(half);
    assert_int_equal(of(1)->state, DOMAIN_RUNNING);
    assert_null(domain_get(half));
    assert_int_equal(of(running)->state, DOMAIN_RUNNING);
    assert_int_equal(simple(XEN_DOMCTL_pausedomain, running), 0);
    /* A builder that is gone for good leaves orphans. */
    assert_int_equal(domain_destroy(of(1)), 0);
    work(1);
    assert_int_equal(of(running)->builder, DOMID_INVALID);
    end();
}

/* Mapped grant frames and memory outlive their domain, until they are let go. */
static void test_mappings_outlive(void **state)
{
    BEGIN("build");
    domid_t id = make(4);
    struct {
        struct xen_mem_acquire_resource op;
        uint64_t at;
    } a = {.op = {.domid = id,
                  .type = XENMEM_resource_grant_table,
                  .nr_frames = 1,
                  .frame_list = (SCRATCH << FRAME_SHIFT) + sizeof(a.op)},
           .at = 0x90000};
    assert_int_equal(call(1, __HYPERVISOR_memory_op, XENMEM_acquire_resource, &a, sizeof(a), false),
                     0);
    ((struct grant_entry_v1 *)ram(1, 0x90000))[1] =
        (struct grant_entry_v1){GTF_permit_access, 1, BASE};
    assert_int_equal(map_foreign(id, BASE, 0x90001), 0);
    assert_int_equal(simple(XEN_DOMCTL_destroydomain, id), 0);
    memset(ram(1, 0x90000), 0xab, FRAME_SIZE);
    memset(ram(1, 0x90001), 0xab, FRAME_SIZE);
    assert_int_equal(unmap(0x90000), 0);
    assert_int_equal(unmap(0x90001), 0);
    end();
}

/* The store shares the ring page that a guest was told of, and no other; to look needs `inspect`. */
static void test_rings_and_inspection(void **state)
{
    BEGIN("store\0inspect work");
    struct xen_domain *x = of(2)->xen;
    x->param[HVM_PARAM_STORE_PFN] = BASE + 3;
    assert_int_equal(map_foreign(2, BASE + 3, 0x90000), 0);
    assert_int_equal(map_foreign(2, BASE + 4, 0x90001), -XEN_EPERM);
    assert_int_equal(map_foreign(3, BASE + 4, 0x90001), 0);
    assert_true(p2m_allows(of(1), gpa(0x90000000), true, false));
    assert_true(p2m_allows(of(1), gpa(0x90001000), false, false));
    assert_false(p2m_allows(of(1), gpa(0x90001000), true, false));
    end();
}

/* --- Device models --- */

#define DEVICE 0x2000000ull

static int64_t dm(domid_t target, uint32_t cmd, struct xen_dm_op *op)
{
    struct vcpu *v = of(1)->vcpu[0];
    struct {
        struct xen_dm_op_buf b;
        struct xen_dm_op op;
    } *a = ram(1, SCRATCH);
    op->op = cmd;
    a->b = (struct xen_dm_op_buf){(SCRATCH << FRAME_SHIFT) + sizeof(a->b), sizeof(a->op)};
    a->op = *op;
    v->arch.x[16] = __HYPERVISOR_dm_op;
    v->arch.x[0] = target;
    v->arch.x[1] = 1;
    v->arch.x[2] = SCRATCH << FRAME_SHIFT;
    hypercall(v);
    assert_int_equal(fake_locks_held(), 0);
    *op = ((typeof(a))ram(1, SCRATCH))->op;
    return (int64_t)v->arch.x[0];
}
#define DM(target, name, ...) \
    dm(target, XEN_DMOP_##name, &(struct xen_dm_op){.u.name = {__VA_ARGS__}})

struct slot { /* struct ioreq */
    uint64_t addr, data;
    uint32_t count, size, port;
    uint16_t pad;
    uint8_t state, type;
};

/* A server over `home` for one device, its page at 0x90000; returns the emulator's port. */
static evtchn_port_t serve(void)
{
    struct {
        struct xen_mem_acquire_resource op;
        uint64_t at;
    } a = {.op = {.domid = 2,
                  .type = XENMEM_resource_ioreq_server,
                  .frame = 1,
                  .nr_frames = 1,
                  .frame_list = (SCRATCH << FRAME_SHIFT) + sizeof(a.op)},
           .at = 0x90000};
    nothing_there = true;
    assert_int_equal(DM(2, create_ioreq_server, 0), 0);
    assert_int_equal(DM(2, map_io_range_to_ioreq_server, 0, 0, 1, DEVICE, DEVICE + 0x1ff), 0);
    assert_int_equal(call(1, __HYPERVISOR_memory_op, XENMEM_acquire_resource, &a, sizeof(a), false),
                     0);
    assert_int_equal(DM(2, set_ioreq_server_state, 0, 1), 0);
    struct slot *s = ram(1, 0x90000);
    struct evtchn_bind_interdomain b = {.remote_dom = 2, .remote_port = s->port};
    assert_int_equal(
        call(1, __HYPERVISOR_event_channel_op, EVTCHNOP_bind_interdomain, &b, sizeof(b), false), 0);
    memcpy(&b, ram(1, SCRATCH), sizeof(b));
    return b.local_port;
}

static int64_t event(domid_t id, uint32_t cmd, evtchn_port_t port)
{
    struct evtchn_send e = {port};
    return call(id, __HYPERVISOR_event_channel_op, cmd, &e, sizeof(e), false);
}

static enum mmio_outcome load(uint64_t at, uint8_t size)
{
    struct mmio_access a = {.at = gpa(at), .size = size};
    enum mmio_outcome outcome = domain_mmio(of(2)->vcpu[0], &a);
    return outcome == MMIO_ABSENT ? ioreq_mmio(of(2)->vcpu[0], &a) : outcome; /* as a trap does */
}

/* A request goes out, its answer comes back; what the server writes besides is not believed. */
static void test_device_model(void **state)
{
    uint64_t value;
    BEGIN("emulate home");
    evtchn_port_t port = serve();
    struct vcpu *v = of(2)->vcpu[0];
    struct slot *s = ram(1, 0x90000);
    evtchn_port_t theirs = s->port;
    assert_true(event(2, EVTCHNOP_close, theirs) == -XEN_EINVAL &&
                event(2, EVTCHNOP_send, theirs) == -XEN_EINVAL);
    assert_int_equal(load(DEVICE + 0x200, 4), MMIO_ABSENT);
    assert_int_equal(load(DEVICE + 0x1fe, 4), MMIO_ABSENT);
    assert_int_equal(load(DEVICE + 4, 4), MMIO_WAIT);
    assert_true(evtchn_is_pending(of(1), port));
    assert_true(s->addr == DEVICE + 4 && s->size == 4 && s->count == 1 && s->type == 1);
    assert_int_equal(s->state, 1 << 5 | STATE_IOREQ_READY);
    for (unsigned i = 0; i < 16; i++) { /* no state but one is an answer */
        s->state = (uint8_t)i;
        s->addr = s->size = 0;
        s->port = 99;
        s->data = 0x1234567890;
        assert_int_equal(event(1, EVTCHNOP_send, port), 0);
        assert_int_equal(v->work & WORK_IO, i < STATE_IORESP_READY ? 0 : WORK_IO);
    }
    assert_true(ioreq_finish(v, &value) && value == 0x34567890);
    assert_false(ioreq_finish(v, &value));
    unsigned unpaused = fake_calls.sched_unpause;
    s->state = STATE_IORESP_READY; /* to a question nobody asked */
    assert_int_equal(event(1, EVTCHNOP_send, port), 0);
    assert_true(!ioreq_finish(v, &value) && fake_calls.sched_unpause == unpaused);
    nothing_there = false;
    end();
}

/* A server that goes, in every way: who waits repeats his access, and finds nothing. */
static void test_device_model_goes(void **state)
{
    uint64_t value;
    for (unsigned way = 0; way < 4; way++) {
        BEGIN("emulate home");
        serve();
        struct vcpu *v = of(2)->vcpu[0];
        unsigned unpaused = fake_calls.sched_unpause;
        assert_int_equal(load(DEVICE, 8), MMIO_WAIT);
        if (way == 0) {
            assert_int_equal(DM(2, set_ioreq_server_state, 0, 0), 0);
        } else if (way == 1) {
            assert_int_equal(DM(2, destroy_ioreq_server, 0), 0);
            assert_int_equal(DM(2, destroy_ioreq_server, 0), -XEN_ENOENT);
            ((struct slot *)ram(1, 0x90000))->state = 3; /* its page outlives it, for him */
        } else if (way == 2) {
            assert_int_equal(domain_destroy(of(1)), 0);
            work(1);
        } else {
            assert_int_equal(domain_destroy(of(2)), 0);
            work(2);
        }
        if (way < 3) {
            assert_int_equal(fake_calls.sched_unpause, unpaused + 1);
            assert_true(!ioreq_finish(v, &value) && load(DEVICE, 8) == MMIO_ABSENT);
        }
        nothing_there = false;
        end();
    }
}

static void test_device_model_errors(void **state)
{
    BEGIN("emulate home");
    serve();
    of(2)->vgic.nr_spis = 32;
    assert_int_equal(DM(3, create_ioreq_server, 0), -XEN_EPERM);
    assert_int_equal(DM(1, create_ioreq_server, 0), -XEN_EPERM);
    assert_int_equal(DM(9, create_ioreq_server, 0), -XEN_ESRCH);
    assert_int_equal(DM(2, create_ioreq_server, 3), -XEN_EINVAL);
    assert_int_equal(DM(2, map_io_range_to_ioreq_server, 0, 0, 1, DEVICE + 8, DEVICE + 9),
                     -XEN_EEXIST);
    assert_int_equal(DM(2, map_io_range_to_ioreq_server, 0, 0, 0, 0, 9), -XEN_EINVAL);
    assert_int_equal(DM(2, map_io_range_to_ioreq_server, 0, 0, 1, 9, 8), -XEN_EINVAL);
    assert_int_equal(DM(2, map_io_range_to_ioreq_server, 7, 0, 1, 0, 9), -XEN_ENOENT);
    assert_int_equal(DM(2, unmap_io_range_from_ioreq_server, 0, 0, 1, 0, 9), -XEN_ENOENT);
    assert_int_equal(DM(2, get_ioreq_server_info, 0, 0), -XEN_EOPNOTSUPP);
    assert_int_equal(DM(2, get_ioreq_server_info, 0, XEN_DMOP_no_gfns), 0);
    for (unsigned i = 1; i < IOREQ_SERVERS; i++) {
        assert_int_equal(DM(2, create_ioreq_server, HVM_IOREQSRV_BUFIOREQ_ATOMIC), 0);
    }
    assert_int_equal(DM(2, create_ioreq_server, 0), -XEN_ENOSPC);
    struct xen_dm_op op = {.u.nr_vcpus.vcpus = 0};
    assert_true(dm(2, XEN_DMOP_nr_vcpus, &op) == 0 && op.u.nr_vcpus.vcpus == 1);
    assert_int_equal(dm(2, 11, &op), -XEN_EOPNOTSUPP);
    assert_int_equal(DM(2, set_irq_level, 33, 1), 0);
    assert_int_equal(level_of, 33);
    assert_int_equal(DM(2, set_irq_level, 31, 1), -XEN_EINVAL);
    assert_int_equal(DM(2, set_irq_level, 64, 1), -XEN_EINVAL);
    assert_int_equal(DM(2, set_irq_level, 33, 2), -XEN_EINVAL);
    /* Its memory, as a device reaches it; nobody else's. */
    assert_int_equal(map_foreign(2, BASE, 0x90002), 0);
    assert_true(p2m_allows(of(1), gpa(0x90002000), true, false));
    assert_int_equal(map_foreign(3, BASE, 0x90003), -XEN_EPERM);
    nothing_there = false;
    end();
}

/* --- A serial line that the console daemon has the other end of --- */

enum { PL011_DR = 0, PL011_FR = 0x18, FR_RXFE = 16, FR_TXFF = 32 };

static uint64_t line(domid_t id, uint32_t reg, bool write, uint64_t value)
{
    struct mmio_access a = {.at = gpa(0x22000000 + reg), .size = 4, .write = write, .value = value};
    assert_int_equal(domain_mmio(of(id)->vcpu[0], &a), MMIO_DONE);
    assert_int_equal(fake_locks_held(), 0);
    return a.value;
}

static void test_serial_line(void **state)
{
    BEGIN("build\0console");
    domid_t id = make(4);
    struct xen_domctl op = {.u.vuart_op = {.gfn = BASE + 2, .console_domid = 1}};
    assert_int_equal(domctl_of(XEN_DOMCTL_vuart_op, id, &op),
                     -XEN_EINVAL); /* no interrupt for it */
    of(id)->vgic.nr_spis = 32;
    op.u.vuart_op.type = 1;
    assert_int_equal(domctl_of(XEN_DOMCTL_vuart_op, id, &op), -XEN_EOPNOTSUPP);
    op.u.vuart_op.type = 0;
    op.u.vuart_op.cmd = 1;
    assert_int_equal(domctl_of(XEN_DOMCTL_vuart_op, id, &op), -XEN_EINVAL);
    op.u.vuart_op.cmd = 0;
    op.u.vuart_op.gfn = BASE + 40; /* is no memory */
    assert_true(domctl_of(XEN_DOMCTL_vuart_op, id, &op) < 0);
    assert_false(of(id)->vuart.present);
    op.u.vuart_op.gfn = BASE + 2;
    assert_int_equal(domctl_of(XEN_DOMCTL_vuart_op, id, &op), 0);
    struct evtchn_bind_interdomain b = {.remote_dom = id, .remote_port = op.u.vuart_op.evtchn};
    assert_int_equal(domctl_of(XEN_DOMCTL_vuart_op, id, &op), -XEN_EINVAL); /* once */
    assert_int_equal(simple(XEN_DOMCTL_unpausedomain, id), 0);
    assert_int_equal(domctl_of(XEN_DOMCTL_vuart_op, id, &op), -XEN_EPERM);
    /* The daemon: maps the ring and no other page, binds the port. */
    assert_int_equal(map_foreign(id, BASE + 1, 0x90001), -XEN_EPERM);
    assert_int_equal(map_foreign(id, BASE + 2, 0x90000), 0);
    assert_int_equal(
        call(1, __HYPERVISOR_event_channel_op, EVTCHNOP_bind_interdomain, &b, sizeof(b), false), 0);
    struct xencons_interface *ring = ram(1, 0x90000);
    line(id, PL011_DR, true, 'x');
    assert_true(ring->out_prod == 1 && ring->out[0] == 'x');
    assert_true(evtchn_is_pending(of(1), b.local_port));
    /* Full: the characters wait in the FIFO, and what does not fit there is lost, as on hardware. */
    unsigned sent = 1;
    for (; (line(id, PL011_FR, false, 0) & FR_TXFF) == 0; sent++) {
        line(id, PL011_DR, true, 'a' + sent % 26);
    }
    assert_int_equal(sent, sizeof(ring->out) + VUART_FIFO);
    ring->out_cons = ring->out_prod;
    assert_int_equal(event(1, EVTCHNOP_send, b.local_port), 0);
    assert_int_equal(ring->out_prod, sent);
    assert_int_equal(ring->out[(sent - 1) % sizeof(ring->out)], 'a' + (sent - 1) % 26);
    /* Typed: more than the FIFO has. The rest follows as the guest reads. */
    for (unsigned i = 0; i < 100; i++) {
        ring->in[i] = (char)i;
    }
    ring->in_prod = 100;
    assert_int_equal(event(1, EVTCHNOP_send, b.local_port), 0);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(line(id, PL011_FR, false, 0) & FR_RXFE, 0);
        assert_int_equal(line(id, PL011_DR, false, 0), i);
    }
    assert_true((line(id, PL011_FR, false, 0) & FR_RXFE) != 0 && ring->in_cons == 100);
    /* A page full of nonsense: the line is garbled, and that is all. */
    memset(ring, 0xa5, sizeof(*ring));
    for (unsigned i = 0; i < 100; i++) {
        line(id, PL011_DR, i % 2 == 0, 'z');
        (void)event(1, EVTCHNOP_send, b.local_port);
    }
    assert_int_equal(simple(XEN_DOMCTL_destroydomain, id), 0);
    memset(ring, 0, sizeof(*ring)); /* the page is the daemon's until it lets go */
    assert_true(event(1, EVTCHNOP_send, b.local_port) <= 0);
    assert_int_equal(unmap(0x90000), 0);
    end();
}

/* A domain whose addresses are the machine's gets back what it gave up, and dies whole. */
static void test_direct_map_keeps(void **state)
{
    BEGIN("build");
    struct domain *d = of(2);
    mfn_t m;
    configs[1].direct_map = true;
    assert_int_equal(frame_alloc_domain(d, 0, &m), 0);
    assert_int_equal(p2m_map(d, gfn(m.v), m, 1, P2M_RAM), 0);
    struct {
        struct xen_memory_reservation r;
        uint64_t at;
    } a = {.r = {.extent_start = (SCRATCH << FRAME_SHIFT) + sizeof(a.r),
                 .nr_extents = 1,
                 .domid = DOMID_SELF},
           .at = m.v};
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(
            call(2, __HYPERVISOR_memory_op, XENMEM_decrease_reservation, &a, sizeof(a), false), 1);
        assert_int_equal(frame_owned_count(2), FRAMES + 1);
        assert_int_equal(
            call(2, __HYPERVISOR_memory_op, XENMEM_populate_physmap, &a, sizeof(a), false), 1);
    }
    struct p2m_entry e;
    assert_true(p2m_lookup(d, gfn(m.v), &e));
    assert_int_equal(e.mfn.v, m.v);
    a.at = m.v + 1; /* was never its own */
    assert_int_equal(call(2, __HYPERVISOR_memory_op, XENMEM_populate_physmap, &a, sizeof(a), false),
                     0);
    a.at = m.v;
    assert_int_equal(
        call(2, __HYPERVISOR_memory_op, XENMEM_decrease_reservation, &a, sizeof(a), false), 1);
    end();
}

static void test_versions(void **state)
{
    BEGIN("build");
    struct xen_domctl op = {.cmd = 99, .interface_version = 0x14};
    assert_int_equal(call(1, __HYPERVISOR_domctl, 0, &op, sizeof(op), true), -XEN_EACCES);
    struct xen_sysctl s = {.cmd = 99, .interface_version = 0x16};
    assert_int_equal(call(1, __HYPERVISOR_sysctl, 0, &s, sizeof(s), true), -XEN_EACCES);
    assert_int_equal(simple(99, 2), -XEN_ENOSYS);
    assert_int_equal(simple(XEN_DOMCTL_pausedomain, 33), -XEN_ESRCH);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matrix),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_drop),
        cmocka_unit_test(test_drop_by_call),
        cmocka_unit_test(test_time_offset),
        cmocka_unit_test(test_make_and_run),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_builder_reboots),
        cmocka_unit_test(test_mappings_outlive),
        cmocka_unit_test(test_rings_and_inspection),
        cmocka_unit_test(test_direct_map_keeps),
        cmocka_unit_test(test_serial_line),
        cmocka_unit_test(test_device_model),
        cmocka_unit_test(test_device_model_goes),
        cmocka_unit_test(test_device_model_errors),
        cmocka_unit_test(test_versions),
    };
    return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}

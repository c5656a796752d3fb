/* The model machine and its three domains: see control-world.h. */
#include "control-world.h"

#include "foreign-batch.h"

#include <hyp/checker.h>
#include <hyp/console.h>
#include <hyp/cpu.h>
#include <hyp/gic.h>
#include <hyp/hypercall.h>
#include <hyp/irq.h>
#include <hyp/log.h>
#include <hyp/vgic.h>
#include <hyp/vtimer.h>
#include <hyp/vuart.h>
#include <stdio.h>

#define COUNT 3

struct domain_config configs[COUNT];
unsigned restarts, lines;
bool nothing_there;
uint32_t level_of;
static struct frame_stats at_start;

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
void sched_times(struct vcpu *v, uint64_t now_ticks, struct sched_times *out)
{
    *out = (struct sched_times){.state = SCHED_RUNNING, .since_ticks = now_ticks};
}

/* --- The world --- */

void work(domid_t id)
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

void begin_with(const char *rights, size_t length)
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

void end(void)
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

struct domain *of(domid_t id)
{
    struct domain *d = domain_get(id);
    assert_non_null(d);
    domain_put(d);
    return d;
}

void *ram(domid_t id, uint64_t at)
{
    mpa_t where;
    assert_true(fake_guest_translate(of(id), gpa(at << FRAME_SHIFT), false, &where));
    return fake_ram(where);
}

int64_t call(domid_t id, uint64_t number, uint64_t cmd, void *argument, size_t size, bool first)
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

int64_t domctl_of(uint32_t cmd, domid_t target, struct xen_domctl *op)
{
    op->cmd = cmd;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op->domain = target;
    return call(1, __HYPERVISOR_domctl, 0, op, sizeof(*op), true);
}

int64_t sysctl_of(uint32_t cmd, struct xen_sysctl *op)
{
    op->cmd = cmd;
    op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    return call(1, __HYPERVISOR_sysctl, 0, op, sizeof(*op), true);
}

int64_t map_foreign(domid_t from, uint64_t index, uint64_t at)
{
    struct foreign_batch a = foreign_batch(SCRATCH << FRAME_SHIFT, from, index, at);
    int64_t result =
        call(1, __HYPERVISOR_memory_op, XENMEM_add_to_physmap_batch, &a, sizeof(a), false);
    return result != 0 ? result : a.error;
}

int64_t unmap(uint64_t at)
{
    struct xen_remove_from_physmap op = {.domid = DOMID_SELF, .gpfn = at};
    return MEMORY(remove_from_physmap, &op);
}

domid_t make(unsigned frames)
{
    struct xen_domctl op = {.u.createdomain = {.flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap,
                                               .max_vcpus = 2,
                                               .max_evtchn_port = 1023,
                                               .max_grant_frames = -1,
                                               .max_maptrack_frames = -1}};
    assert_int_equal(domctl_of(XEN_DOMCTL_createdomain, 0xffff, &op), 0);
    domid_t id = op.domain;
    assert_int_equal(op.u.createdomain.arch.gic_version, XEN_DOMCTL_CONFIG_GIC_V3);
    assert_int_equal(of(id)->vcpu_count, 1);
    op = (struct xen_domctl){.u.max_vcpus.max = 2};
    assert_int_equal(domctl_of(XEN_DOMCTL_max_vcpus, id, &op), 0);
    assert_int_equal(of(id)->vcpu_count, 2);
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

int64_t simple(uint32_t cmd, domid_t id)
{
    struct xen_domctl op = {.cmd = 0};
    return domctl_of(cmd, id, &op);
}

int64_t event(domid_t id, uint32_t cmd, evtchn_port_t port)
{
    struct evtchn_send e = {port};
    return call(id, __HYPERVISOR_event_channel_op, cmd, &e, sizeof(e), false);
}

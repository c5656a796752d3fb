/*
 * What the tools ask for, operation by operation: each once as it is meant (good_*), and with every
 * argument that it must refuse (bad_*). test-control.c has the rights and the life of whole domains.
 *
 * Domain 1 holds every right; 2 is its own making and half built; 3 runs and is nobody's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../hyp/core/control/control-internal.h"
#include "../../hyp/core/config/passthrough-internal.h"
#include "xen-world.h"
#include <hyp/config.h>
#include <hyp/cpu.h>
#include <hyp/gic.h>
#include <hyp/irq.h>
#include <hyp/log.h>
#include <stdio.h>

enum { TOOLS = 1, HALF = 2, OTHER = 3 };
#define AT (WORLD_SCRATCH << FRAME_SHIFT)   /* the structure is here ... */
#define MORE (AT + 2048)                    /* ... what it points to here ... */
#define NOWHERE (WORLD_HOLE << FRAME_SHIFT) /* ... or where nothing is */
#define LAST (AT + FRAME_SIZE - 4)          /* the page ends within it, and a hole follows */
#define HANDLES ((uint8_t *)guest(TOOLS, WORLD_SCRATCH) + 2048)

static const char every_right[] = "control *\0inspect *\0build\0store *\0console *\0schedule\0"
                                  "shutdown-host\0irq 40";
static struct domain_config with_rights, half_built;
static int next_error, pause_error, cpu_of_no_use;
static unsigned irqs, irqs_back, flushed;
static const char *const log_lines[] = {"first", "second", "third"};

/* --- Neighbours --- */

const struct tree *config_host_tree(void)
{
    return NULL;
}
bool passthrough_is_ours(uint64_t start, uint64_t size)
{
    return start == 0x9000000;
}
int irq_assign(uint32_t intid, bool edge, struct domain *d, uint32_t virq)
{
    irqs++;
    return next_error;
}
int irq_release(uint32_t intid, struct domain *d)
{
    irqs_back++;
    return next_error;
}
int sched_set_affinity(struct vcpu *v, uint64_t cpu_mask)
{
    if (next_error == 0) {
        v->sched.asked = v->sched.affinity = cpu_mask;
    }
    return next_error;
}
int sched_follow_pool(struct vcpu *v)
{
    return next_error;
}
int sched_set(struct domain *d, const struct sched_params *p)
{
    d->vcpu[0]->sched.params = *p;
    return next_error;
}
int sched_pause_sync(struct vcpu *v)
{
    sched_pause(v);
    return pause_error;
}
void sched_cpu_info(struct cpu *c, uint64_t now_ticks, struct sched_cpu_info *out)
{
    *out = (struct sched_cpu_info){.domain = c->id == 0 ? 1 : DOMID_INVALID,
                                   .busy_ticks = c->id == 0 ? 100 : ~0ull,
                                   .dedicated = cpu_of_no_use == (int)c->id};
}
int arch_vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *from, bool aarch32)
{
    v->arch.pc = from->user_regs.pc64;
    return next_error;
}
bool log_read(uint64_t *at, char *buf, size_t size)
{
    if (*at >= ARRAY_LEN(log_lines)) {
        return false;
    }
    snprintf(buf, size, "%s", log_lines[*at]);
    ++*at;
    return true;
}
int domain_make(const struct domain_config *like, domid_t wanted, struct domain *builder,
                struct domain **out)
{
    if (next_error != 0) {
        return next_error;
    }
    assert_int_equal(like->nr_spis % 32, 0);
    *out = world[HALF];
    world[HALF]->refs++;
    return 0;
}

/* --- Calls --- */

static int begin(void **state)
{
    world_begin(3);
    next_error = pause_error = 0;
    cpu_of_no_use = -1;
    irqs = flushed = 0;
    with_rights = (struct domain_config){
        .enhanced = true, .rights = every_right, .rights_len = sizeof(every_right)};
    half_built = (struct domain_config){
        .enhanced = true, .made = true, .hyp_memory_bytes = 80ul << FRAME_SHIFT};
    world[TOOLS]->config = &with_rights;
    assert_int_equal(rights_grant(world[TOOLS]), 0);
    world[TOOLS]->state = world[OTHER]->state = DOMAIN_RUNNING;
    world[HALF]->config = &half_built;
    world[HALF]->builder = TOOLS;
    world[HALF]->state = DOMAIN_CREATED;
    world[HALF]->vgic.version = 3;
    world[HALF]->vgic.nr_spis = 64;
    return 0;
}

static int end(void **state)
{
    world_end();
    return 0;
}

static int64_t at_address(unsigned caller, uint64_t number, void *op, size_t size, uint64_t at)
{
    memcpy(guest(caller, WORLD_SCRATCH), op, size);
    int64_t result = call(caller, number, at, 0, 0);
    memcpy(op, guest(caller, WORLD_SCRATCH), size);
    return result;
}

static int64_t domctl_of(uint32_t cmd, domid_t target, struct xen_domctl *op)
{
    op->cmd = cmd;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op->domain = target;
    return at_address(TOOLS, __HYPERVISOR_domctl, op, sizeof(*op), AT);
}

static int64_t sysctl_of(uint32_t cmd, struct xen_sysctl *op)
{
    op->cmd = cmd;
    op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    return at_address(TOOLS, __HYPERVISOR_sysctl, op, sizeof(*op), AT);
}

#define DOMCTL_OF(op, target, field, ...)                   \
    ({                                                      \
        struct xen_domctl op_ = {.u.field = {__VA_ARGS__}}; \
        domctl_of(XEN_DOMCTL_##op, target, &op_);           \
    })
#define SYSCTL_OF(op, field, ...)                           \
    ({                                                      \
        struct xen_sysctl op_ = {.u.field = {__VA_ARGS__}}; \
        sysctl_of(XEN_SYSCTL_##op, &op_);                   \
    })
#define BITS(at, count)                    \
    {                                      \
        .bitmap = (at), .nr_bits = (count) \
    }

/* --- The dispatchers --- */

static void bad_structures(void **state)
{
    struct xen_domctl op = {.cmd = XEN_DOMCTL_max_mem, .interface_version = 1};
    struct xen_sysctl s = {.cmd = XEN_SYSCTL_physinfo, .interface_version = 1};
    struct {
        uint32_t cmd, version;
        struct xenpf_settime64 time;
    } p = {.cmd = XENPF_settime64, .version = 1};
    assert_int_equal(call(TOOLS, __HYPERVISOR_domctl, NOWHERE, 0, 0), -XEN_EFAULT);
    assert_int_equal(call(TOOLS, __HYPERVISOR_domctl, LAST, 0, 0), -XEN_EFAULT);
    assert_int_equal(call(TOOLS, __HYPERVISOR_domctl, ~0ull, 0, 0), -XEN_EFAULT);
    assert_int_equal(call(TOOLS, __HYPERVISOR_sysctl, NOWHERE, 0, 0), -XEN_EFAULT);
    assert_int_equal(call(TOOLS, __HYPERVISOR_platform_op, NOWHERE, 0, 0), -XEN_EFAULT);
    assert_int_equal(at_address(TOOLS, __HYPERVISOR_domctl, &op, sizeof(op), AT), -XEN_EACCES);
    assert_int_equal(at_address(TOOLS, __HYPERVISOR_sysctl, &s, sizeof(s), AT), -XEN_EACCES);
    assert_int_equal(at_address(TOOLS, __HYPERVISOR_platform_op, &p, sizeof(p), AT), -XEN_EACCES);
    op = (struct xen_domctl){.cmd = 0};
    static const uint32_t none[] = {0, 1 << 7, 200, 255};
    for (unsigned i = 0; i < ARRAY_LEN(none); i++) {
        assert_int_equal(domctl_of(none[i], OTHER, &op), -XEN_ENOSYS);
        assert_int_equal(sysctl_of(none[i], &s), -XEN_ENOSYS);
    }
    assert_int_equal(domctl_of(XEN_DOMCTL_pausedomain, 77, &op), -XEN_ESRCH);
    assert_int_equal(domctl_of(XEN_DOMCTL_pausedomain, DOMID_SELF, &op), -XEN_EINVAL);
    assert_int_equal(domctl_of(XEN_DOMCTL_destroydomain, TOOLS, &op), -XEN_EINVAL);
    assert_int_equal(domctl_of(XEN_DOMCTL_destroydomain, 77, &op), -XEN_ESRCH);
    /* In the middle of a destruction that somebody else ended: done. */
    op.cmd = XEN_DOMCTL_destroydomain | 1u << CONTROL_CMD_BITS;
    op.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    assert_int_equal(at_address(TOOLS, __HYPERVISOR_domctl, &op, sizeof(op), AT), 0);
    /* Without any right: whatever it is. */
    op.cmd = 200;
    assert_int_equal(at_address(OTHER, __HYPERVISOR_domctl, &op, sizeof(op), AT), -XEN_EPERM);
    s.cmd = 200;
    assert_int_equal(at_address(OTHER, __HYPERVISOR_sysctl, &s, sizeof(s), AT), -XEN_EPERM);
    assert_int_equal(call(OTHER, __HYPERVISOR_hypfs_op, 0, 0, 0), -XEN_EPERM);
    assert_int_equal(call(TOOLS, __HYPERVISOR_hypfs_op, 0, 0, 0), -XEN_ENOSYS);
    p.version = XENPF_INTERFACE_VERSION;
    assert_int_equal(at_address(OTHER, __HYPERVISOR_platform_op, &p, sizeof(p), AT), -XEN_EPERM);
    assert_int_equal(at_address(TOOLS, __HYPERVISOR_platform_op, &p, sizeof(p), AT), 0);
    p.time.nsecs = 1000000000;
    assert_int_equal(at_address(TOOLS, __HYPERVISOR_platform_op, &p, sizeof(p), AT), -XEN_EINVAL);
    p.time = (struct xenpf_settime64){.mbz = 1};
    assert_int_equal(at_address(TOOLS, __HYPERVISOR_platform_op, &p, sizeof(p), AT), -XEN_EINVAL);
    p.cmd = 1;
    assert_int_equal(at_address(TOOLS, __HYPERVISOR_platform_op, &p, sizeof(p), AT), -XEN_ENOSYS);
}

/* --- What is told --- */

static uint32_t flags_of(domid_t id)
{
    struct xen_domctl op = {.cmd = 0};
    assert_int_equal(domctl_of(XEN_DOMCTL_getdomaininfo, id, &op), 0);
    assert_int_equal(op.domain, id);
    assert_int_equal(op.u.getdomaininfo.max_vcpu_id, 1);
    return op.u.getdomaininfo.flags & ~(XEN_DOMINF_hvm_guest | XEN_DOMINF_hap);
}

static void good_describe(void **state)
{
    struct domain *d = world[OTHER];
    static const struct {
        enum sched_state vcpu[2];
        uint32_t flags, online;
    } seen[] = {{{SCHED_OFFLINE, SCHED_OFFLINE}, XEN_DOMINF_blocked, 0},
                {{SCHED_RUNNING, SCHED_BLOCKED}, XEN_DOMINF_running, 2},
                {{SCHED_BLOCKED, SCHED_OFFLINE}, XEN_DOMINF_blocked, 1},
                {{SCHED_RUNNABLE, SCHED_BLOCKED}, 0, 2}};
    d->vcpu[1]->sched.awake = 0;
    for (unsigned i = 0; i < ARRAY_LEN(seen); i++) {
        d->vcpu[0]->sched.state = seen[i].vcpu[0];
        d->vcpu[1]->sched.state = seen[i].vcpu[1];
        assert_int_equal(flags_of(OTHER), seen[i].flags);
        for (uint32_t v = 0; v < 2; v++) {
            struct xen_domctl op = {.u.getvcpuinfo.vcpu = v};
            assert_int_equal(domctl_of(XEN_DOMCTL_getvcpuinfo, OTHER, &op), 0);
            assert_int_equal(op.u.getvcpuinfo.online, seen[i].vcpu[v] != SCHED_OFFLINE);
            assert_int_equal(op.u.getvcpuinfo.blocked, seen[i].vcpu[v] == SCHED_BLOCKED);
            assert_int_equal(op.u.getvcpuinfo.running, seen[i].vcpu[v] == SCHED_RUNNING);
        }
    }
    d->pauses = 1;
    assert_int_equal(flags_of(OTHER), XEN_DOMINF_paused);
    d->vcpu[0]->sched.state = d->vcpu[1]->sched.state =
        SCHED_BLOCKED; /* by the pause: not asleep */
    d->vcpu[0]->sched.awake = 1;
    assert_int_equal(flags_of(OTHER), XEN_DOMINF_paused);
    d->vcpu[0]->sched.awake = 0;
    assert_int_equal(flags_of(OTHER), XEN_DOMINF_paused | XEN_DOMINF_blocked);
    d->vcpu[0]->sched.state = SCHED_RUNNABLE;
    d->pauses = 0;
    d->paused_by_console = true;
    assert_int_equal(flags_of(OTHER), XEN_DOMINF_paused);
    d->paused_by_console = false;
    d->state = DOMAIN_DOWN;
    d->reason = SHUTDOWN_crash;
    assert_int_equal(flags_of(OTHER),
                     XEN_DOMINF_shutdown | SHUTDOWN_crash << XEN_DOMINF_shutdownshift);
    d->state = DOMAIN_DYING;
    assert_int_equal(flags_of(OTHER), XEN_DOMINF_dying);
    assert_true((flags_of(HALF) & XEN_DOMINF_paused) != 0);
    struct xen_domctl op = {.cmd = 0}; /* the next one, and none */
    assert_int_equal(domctl_of(XEN_DOMCTL_getdomaininfo, 0, &op), 0);
    assert_int_equal(op.domain, 1);
    assert_int_equal(domctl_of(XEN_DOMCTL_getdomaininfo, 4, &op), -XEN_ESRCH);
    assert_int_equal(DOMCTL_OF(getvcpuinfo, OTHER, getvcpuinfo, .vcpu = 2), -XEN_ESRCH);
    assert_int_equal(DOMCTL_OF(getvcpuinfo, OTHER, getvcpuinfo, .vcpu = ~0u), -XEN_ESRCH);
}

static void good_list(void **state)
{
    struct xen_domctl_getdomaininfo *info = (void *)HANDLES;
    struct xen_sysctl op = {.u.getdomaininfolist = {.max_domains = 2, .buffer = MORE}};
    assert_int_equal(sysctl_of(XEN_SYSCTL_getdomaininfolist, &op), 0);
    assert_int_equal(op.u.getdomaininfolist.num_domains, 2);
    assert_int_equal(info[1].domain, 2);
    for (unsigned i = 0; i < 30; i++) { /* more than one step has */
        assert_non_null(fake_domain((domid_t)(100 + i), "more", 1));
    }
    unsigned before = world_restarts;
    op = (struct xen_sysctl){
        .u.getdomaininfolist = {.first_domain = 3, .max_domains = 12, .buffer = MORE}};
    assert_int_equal(sysctl_of(XEN_SYSCTL_getdomaininfolist, &op), 0);
    assert_int_equal(op.u.getdomaininfolist.num_domains, 12);
    rights_drop(world[TOOLS], RIGHT_CONTROL, NULL);
    rights_drop(world[TOOLS], RIGHT_INSPECT, NULL); /* itself and what it builds, of all */
    op.u.getdomaininfolist =
        (struct xen_sysctl_getdomaininfolist){.max_domains = 12, .buffer = MORE};
    assert_int_equal(sysctl_of(XEN_SYSCTL_getdomaininfolist, &op), 0);
    assert_int_equal(op.u.getdomaininfolist.num_domains, 2);
    assert_true(world_restarts > before);
    assert_int_equal(
        SYSCTL_OF(getdomaininfolist, getdomaininfolist, .max_domains = 2, .buffer = NOWHERE),
        -XEN_EFAULT);
    for (unsigned i = 0; i < 30; i++) {
        struct domain *d = domain_get((domid_t)(100 + i));
        domain_put(d);
        fake_domain_free(d);
    }
}

static void good_machine(void **state)
{
    struct xen_sysctl op = {.cmd = 0};
    struct frame_stats f;
    frame_stats(&f);
    assert_int_equal(sysctl_of(XEN_SYSCTL_physinfo, &op), 0);
    assert_int_equal(op.u.physinfo.nr_cpus, 2);
    assert_int_equal(op.u.physinfo.free_pages, f.free);
    assert_int_equal(sysctl_of(XEN_SYSCTL_sched_id, &op), 0);
    assert_int_equal(op.u.sched_id.sched_id, XEN_SCHEDULER_CREDIT2);
    assert_int_equal(sysctl_of(XEN_SYSCTL_availheap, &op), 0);
    assert_int_equal(op.u.availheap.avail_bytes, f.free << FRAME_SHIFT);
    for (uint32_t most = 0; most < 4; most++) {
        op.u.getcpuinfo = (struct xen_sysctl_getcpuinfo){.max_cpus = most, .info = MORE};
        assert_int_equal(sysctl_of(XEN_SYSCTL_getcpuinfo, &op), 0);
        assert_int_equal(op.u.getcpuinfo.nr_cpus, most < 2 ? most : 2);
        op.u.cputopoinfo = (struct xen_sysctl_cputopoinfo){.num_cpus = most, .cputopo = MORE};
        assert_int_equal(sysctl_of(XEN_SYSCTL_cputopoinfo, &op), 0);
        assert_int_equal(op.u.cputopoinfo.num_cpus, 2);
    }
    op.u.cputopoinfo = (struct xen_sysctl_cputopoinfo){.cputopo = 0};
    assert_int_equal(sysctl_of(XEN_SYSCTL_cputopoinfo, &op), 0);
    assert_int_equal(op.u.cputopoinfo.num_cpus, 2);
    op.u.numainfo =
        (struct xen_sysctl_numainfo){.num_nodes = 1, .meminfo = MORE, .distance = MORE + 64};
    assert_int_equal(sysctl_of(XEN_SYSCTL_numainfo, &op), 0);
    assert_int_equal(((struct xen_sysctl_meminfo *)HANDLES)->memsize, f.total << FRAME_SHIFT);
    assert_int_equal(*(uint32_t *)(HANDLES + 64), 20);
    assert_int_equal(SYSCTL_OF(numainfo, numainfo, .num_nodes = 0, .meminfo = NOWHERE), 0);
    assert_int_equal(SYSCTL_OF(numainfo, numainfo, .num_nodes = 1), 0);
    assert_int_equal(SYSCTL_OF(numainfo, numainfo, .num_nodes = 1, .meminfo = NOWHERE),
                     -XEN_EFAULT);
    assert_int_equal(SYSCTL_OF(numainfo, numainfo, .num_nodes = 1, .distance = NOWHERE),
                     -XEN_EFAULT);
    assert_int_equal(SYSCTL_OF(getcpuinfo, getcpuinfo, .max_cpus = 2, .info = NOWHERE),
                     -XEN_EFAULT);
    assert_int_equal(SYSCTL_OF(cputopoinfo, cputopoinfo, .num_cpus = 2, .cputopo = NOWHERE),
                     -XEN_EFAULT);
}

static void good_log_and_keys(void **state)
{
    struct xen_sysctl op = {.u.readconsole = {.count = 13, .buffer = MORE}};
    assert_int_equal(sysctl_of(XEN_SYSCTL_readconsole, &op), 0);
    assert_int_equal(op.u.readconsole.count, 13); /* whole lines */
    assert_memory_equal(HANDLES, "first\nsecond\n", 13);
    op.u.readconsole.incremental = 1;
    op.u.readconsole.count = 100000;
    assert_int_equal(sysctl_of(XEN_SYSCTL_readconsole, &op), 0);
    assert_memory_equal(HANDLES, "third\n", 6);
    assert_int_equal(op.u.readconsole.index, 3);
    assert_int_equal(SYSCTL_OF(readconsole, readconsole, .count = 13, .buffer = NOWHERE),
                     -XEN_EFAULT);
    memcpy(HANDLES, "hmr\nx", 5);
    assert_int_equal(SYSCTL_OF(debug_keys, debug_keys, .keys = MORE, .nr_keys = 5), 0);
    static const char *const said[] = {"debug keys: h this line", "KiB free",
                                       "CPU 1: domain -1",        "CPU 0: domain 1",
                                       "debug key '?'",           "debug key 'x'"};
    for (unsigned i = 0; i < ARRAY_LEN(said); i++) {
        assert_non_null(strstr(fake_calls.log, said[i]));
    }
    assert_int_equal(SYSCTL_OF(debug_keys, debug_keys, .keys = NOWHERE, .nr_keys = 5), -XEN_EFAULT);
    memset(HANDLES, 'h', 1000);
    assert_int_equal(SYSCTL_OF(debug_keys, debug_keys, .keys = MORE, .nr_keys = ~0u), 0);
}

/* --- vCPUs --- */

static void good_affinity(void **state)
{
    uint64_t *map = (uint64_t *)HANDLES;
    struct vcpu *v = world[OTHER]->vcpu[1];
    map[0] = 2;
    map[8] = 3;
    assert_int_equal(DOMCTL_OF(setvcpuaffinity, OTHER, vcpuaffinity, .vcpu = 1,
                               .flags = XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT,
                               .cpumap_hard = BITS(MORE, 64), .cpumap_soft = BITS(MORE + 64, 64)),
                     0);
    assert_int_equal(v->sched.affinity, 2);
    assert_int_equal(v->soft_affinity, 3);
    assert_int_equal(map[8], 2); /* what it has effect on */
    memset(map, 0xff, 256);
    assert_int_equal(DOMCTL_OF(getvcpuaffinity, OTHER, vcpuaffinity, .vcpu = 1,
                               .flags = XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT,
                               .cpumap_hard = BITS(MORE, 1), .cpumap_soft = BITS(MORE + 64, 600)),
                     0);
    assert_int_equal(map[0] & 0xff, 0); /* one bit: the second CPU does not fit */
    assert_int_equal(map[8], 3);
    assert_int_equal(map[16], 0); /* and zeros as far as it was asked for: 75 bytes */
    assert_int_equal(map[17] >> 24 & 0xff, 0xff);
    map[0] = ~0ull;
    assert_int_equal(DOMCTL_OF(setvcpuaffinity, OTHER, vcpuaffinity, .vcpu = 1,
                               .flags = XEN_VCPUAFFINITY_SOFT, .cpumap_soft = BITS(MORE, 3)),
                     0);
    assert_int_equal(v->soft_affinity, 7);
    map[0] = 1;
    assert_int_equal(DOMCTL_OF(setnodeaffinity, OTHER, nodeaffinity, .nodemap = BITS(MORE, 64)), 0);
    assert_int_equal(DOMCTL_OF(getnodeaffinity, OTHER, nodeaffinity, .nodemap = BITS(MORE, 64)), 0);
    assert_int_equal(map[0], 1);
}

static void bad_affinity(void **state)
{
    static const struct xen_domctl_vcpuaffinity bad[] = {
        {.vcpu = 0},
        {.vcpu = 0, .flags = XEN_VCPUAFFINITY_FORCE},
        {.vcpu = 2, .flags = XEN_VCPUAFFINITY_HARD, .cpumap_hard = BITS(MORE, 64)},
        {.vcpu = 0, .flags = XEN_VCPUAFFINITY_HARD, .cpumap_hard = BITS(NOWHERE, 64)},
        {.vcpu = 0, .flags = XEN_VCPUAFFINITY_SOFT, .cpumap_soft = BITS(NOWHERE, 64)},
        {.vcpu = 0, .flags = XEN_VCPUAFFINITY_HARD, .cpumap_hard = BITS(LAST, 64)},
    };
    static const int64_t errors[] = {-XEN_EINVAL, -XEN_EINVAL, -XEN_EINVAL,
                                     -XEN_EFAULT, -XEN_EFAULT, -XEN_EFAULT};
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        struct xen_domctl op = {.u.vcpuaffinity = bad[i]};
        assert_int_equal(domctl_of(XEN_DOMCTL_setvcpuaffinity, OTHER, &op), errors[i]);
        op.u.vcpuaffinity = bad[i];
        assert_int_equal(domctl_of(XEN_DOMCTL_getvcpuaffinity, OTHER, &op), errors[i]);
    }
    next_error = -XEN_EBUSY;
    assert_int_equal(DOMCTL_OF(setvcpuaffinity, OTHER, vcpuaffinity, .flags = XEN_VCPUAFFINITY_HARD,
                               .cpumap_hard = BITS(MORE, 64)),
                     -XEN_EBUSY);
    *(uint64_t *)HANDLES = 2;
    assert_int_equal(DOMCTL_OF(setnodeaffinity, OTHER, nodeaffinity, .nodemap = BITS(MORE, 64)),
                     -XEN_EINVAL);
    assert_int_equal(DOMCTL_OF(setnodeaffinity, OTHER, nodeaffinity, .nodemap = BITS(NOWHERE, 64)),
                     -XEN_EFAULT);
    assert_int_equal(DOMCTL_OF(getnodeaffinity, OTHER, nodeaffinity, .nodemap = BITS(NOWHERE, 64)),
                     -XEN_EFAULT);
    /* A bitmap that goes on beyond the page, and one of nothing. */
    assert_int_equal(DOMCTL_OF(getnodeaffinity, OTHER, nodeaffinity, .nodemap = BITS(MORE, 100000)),
                     -XEN_EFAULT);
    assert_int_equal(DOMCTL_OF(getnodeaffinity, OTHER, nodeaffinity, .nodemap = BITS(MORE, 0)), 0);
}

static void good_scheduler(void **state)
{
    struct xen_domctl op = {.u.scheduler_op = {.sched_id = XEN_SCHEDULER_CREDIT2,
                                               .cmd = XEN_DOMCTL_SCHEDOP_putinfo,
                                               .u.credit2 = {.weight = 300, .cap = 50}}};
    struct sched_params *p = &world[OTHER]->vcpu[0]->sched.params;
    p->class = SCHED_SHARE;
    assert_int_equal(domctl_of(XEN_DOMCTL_scheduler_op, OTHER, &op), 0);
    assert_int_equal(p->weight, 300);
    op.u.scheduler_op.u.credit2.weight = 0;
    op.u.scheduler_op.u.credit2.cap = UINT16_MAX; /* both as they are */
    assert_int_equal(domctl_of(XEN_DOMCTL_scheduler_op, OTHER, &op), 0);
    op.u.scheduler_op.cmd = XEN_DOMCTL_SCHEDOP_getinfo;
    assert_int_equal(domctl_of(XEN_DOMCTL_scheduler_op, OTHER, &op), 0);
    assert_int_equal(op.u.scheduler_op.u.credit2.weight, 300);
    assert_int_equal(op.u.scheduler_op.u.credit2.cap, 50);
    op.u.scheduler_op.cmd = XEN_DOMCTL_SCHEDOP_putvcpuinfo;
    assert_int_equal(domctl_of(XEN_DOMCTL_scheduler_op, OTHER, &op), -XEN_EINVAL);
    op.u.scheduler_op.cmd = XEN_DOMCTL_SCHEDOP_putinfo;
    next_error = -XEN_ERANGE;
    assert_int_equal(domctl_of(XEN_DOMCTL_scheduler_op, OTHER, &op), -XEN_ERANGE);
    p->class = SCHED_SHARE + 1;
    assert_int_equal(domctl_of(XEN_DOMCTL_scheduler_op, OTHER, &op), -XEN_EINVAL);
    op.u.scheduler_op.sched_id = XEN_SCHEDULER_CREDIT;
    assert_int_equal(domctl_of(XEN_DOMCTL_scheduler_op, OTHER, &op), -XEN_EINVAL);
}

static void good_registers(void **state)
{
    struct vcpu_guest_context *c = (void *)HANDLES;
    memset(c, 0, sizeof(*c));
    c->user_regs.pc64 = 0x40000000;
    c->flags = VGCF_online;
    assert_int_equal(DOMCTL_OF(setvcpucontext, HALF, vcpucontext, .vcpu = 1, .ctxt = MORE), 0);
    assert_int_equal(world[HALF]->vcpu[1]->arch.pc, 0x40000000);
    assert_true(world[HALF]->vcpu[1]->sched.online);
    memset(c, 0xff, sizeof(*c));
    assert_int_equal(DOMCTL_OF(getvcpucontext, HALF, vcpucontext, .vcpu = 1, .ctxt = MORE), 0);
    assert_int_equal(c->user_regs.pc64, 0x40000000);
    assert_int_equal(c->flags, VGCF_online);
    assert_int_equal(DOMCTL_OF(setvcpucontext, HALF, vcpucontext, .vcpu = 1, .ctxt = 0), 0);
    assert_false(world[HALF]->vcpu[1]->sched.online);
    assert_int_equal(DOMCTL_OF(getvcpucontext, HALF, vcpucontext, .vcpu = 1, .ctxt = MORE), 0);
    assert_int_equal(c->flags, 0);
    assert_int_equal(DOMCTL_OF(max_vcpus, HALF, max_vcpus, .max = 2), 0);
    assert_int_equal(DOMCTL_OF(max_vcpus, HALF, max_vcpus, .max = 3), -XEN_EINVAL);
}

static void bad_registers(void **state)
{
    assert_int_equal(DOMCTL_OF(setvcpucontext, HALF, vcpucontext, .vcpu = 2, .ctxt = MORE),
                     -XEN_ESRCH);
    assert_int_equal(DOMCTL_OF(setvcpucontext, HALF, vcpucontext, .ctxt = NOWHERE), -XEN_EFAULT);
    assert_int_equal(DOMCTL_OF(setvcpucontext, OTHER, vcpucontext, .ctxt = MORE), -XEN_EPERM);
    assert_int_equal(DOMCTL_OF(getvcpucontext, HALF, vcpucontext, .vcpu = 2, .ctxt = MORE),
                     -XEN_ESRCH);
    assert_int_equal(DOMCTL_OF(getvcpucontext, HALF, vcpucontext, .ctxt = NOWHERE), -XEN_EFAULT);
    assert_int_equal(DOMCTL_OF(getvcpucontext, TOOLS, vcpucontext, .ctxt = MORE), -XEN_EINVAL);
    next_error = -XEN_EINVAL;
    assert_int_equal(DOMCTL_OF(setvcpucontext, HALF, vcpucontext, .ctxt = MORE), -XEN_EINVAL);
    assert_false(world[HALF]->vcpu[0]->sched.online);
    pause_error = -XEN_EBUSY;
    assert_int_equal(DOMCTL_OF(getvcpucontext, HALF, vcpucontext, .ctxt = MORE), -XEN_EBUSY);
    world[HALF]->state = DOMAIN_RUNNING; /* it has run: no more */
    assert_int_equal(DOMCTL_OF(setvcpucontext, HALF, vcpucontext, .ctxt = MORE), -XEN_EPERM);
}

/* --- Life and memory --- */

#define CREATE(...)                                                              \
    ({                                                                           \
        struct xen_domctl op_ = {                                                \
            .u.createdomain = {.flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap, \
                               .max_vcpus = 2,                                   \
                               .arch.gic_version = XEN_DOMCTL_CONFIG_GIC_V3,     \
                               __VA_ARGS__}};                                    \
        domctl_of(XEN_DOMCTL_createdomain, 0xffff, &op_);                        \
    })

static void good_create(void **state)
{
    assert_int_equal(CREATE(.max_evtchn_port = 10, .handle = {7}), 0);
    assert_int_equal(world[HALF]->evtchn->port_limit, 11);
    assert_int_equal(world[HALF]->handle[0], 7);
    assert_int_equal(CREATE(.max_evtchn_port = 5000, .max_grant_frames = -1), 0);
    assert_int_equal(world[HALF]->evtchn->port_limit, 11);
    assert_int_equal(CREATE(.arch.nr_spis = 1), 0);
    world[HALF]->vgic.version = 2; /* its CPU interface is the machine's */
    world[HALF]->vgic.cpu_base = gpa(0x3002000);
    gic_host.vcpu.base = mpa(0x8040000);
    assert_int_equal(CREATE(.max_grant_frames = 1), 0);
    struct p2m_entry e;
    assert_true(p2m_lookup(world[HALF], gfn(0x3002), &e));
    assert_true(e.type == P2M_MMIO && e.mfn.v == 0x8040);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
static void bad_create(void **state)
{
    assert_int_equal(CREATE(.flags = 0), -XEN_EINVAL);
    assert_int_equal(CREATE(.flags = ~0u), -XEN_EINVAL);
    assert_int_equal(CREATE(.iommu_opts = 1), -XEN_EINVAL);
    assert_int_equal(CREATE(.vmtrace_size = 1), -XEN_EINVAL);
    assert_int_equal(CREATE(.arch.tee_type = 1), -XEN_EINVAL);
    assert_int_equal(CREATE(.arch.gic_version = XEN_DOMCTL_CONFIG_GIC_V2), -XEN_EINVAL);
    assert_int_equal(CREATE(.arch.nr_spis = 961), -XEN_EINVAL);
    assert_int_equal(CREATE(.max_vcpus = 0), -XEN_EINVAL);
    assert_int_equal(CREATE(.max_vcpus = MAX_VCPUS + 1), -XEN_EINVAL);
    assert_int_equal(CREATE(.max_grant_frames = GRANT_FRAMES_MAX + 1), -XEN_EINVAL);
    gic_host.version = 2;
    assert_int_equal(CREATE(.max_vcpus = 9, .arch.gic_version = XEN_DOMCTL_CONFIG_GIC_V2),
                     -XEN_EINVAL);
    gic_host.version = 3;
    assert_int_equal(CREATE(.cpupool_id = 31), -XEN_ENOENT); /* and what was made is ended */
    assert_non_null(strstr(fake_calls.log, "could not be removed"));
    next_error = -XEN_ENOMEM;
    assert_int_equal(CREATE(.cpupool_id = 0), -XEN_ENOMEM);
}
#pragma GCC diagnostic pop

static void good_memory(void **state)
{
    struct domain *d = world[HALF];
    struct xen_domctl op;
    assert_int_equal(DOMCTL_OF(max_mem, HALF, max_mem, .max_memkb = 400), 0);
    assert_int_equal(d->max_frames, 100);
    assert_int_equal(DOMCTL_OF(set_paging_mempool_size, HALF, paging_mempool, .size = 40 << 12), 0);
    assert_int_equal(d->hyp_frames_max, 120);
    assert_int_equal(domctl_of(XEN_DOMCTL_get_paging_mempool_size, HALF, &op), 0);
    assert_int_equal(op.u.paging_mempool.size, 40 << 12);
    d->hyp_frames_max = 10;
    assert_int_equal(domctl_of(XEN_DOMCTL_get_paging_mempool_size, HALF, &op), 0);
    assert_int_equal(op.u.paging_mempool.size, 0);
    uint64_t before = fake_cleaned_bytes;
    unsigned turns = world_restarts;
    assert_int_equal(
        DOMCTL_OF(cacheflush, HALF, cacheflush, .start_pfn = WORLD_BASE - 100, .nr_pfns = 300), 0);
    assert_int_equal(fake_cleaned_bytes - before, WORLD_FRAMES << FRAME_SHIFT);
    assert_int_equal(world_restarts - turns, 4);
    for (uint32_t size = 32; size <= 64; size += 32) {
        assert_int_equal(DOMCTL_OF(set_address_size, HALF, address_size, .size = size),
                         size == 64 || arch_has_aarch32() ? 0 : -XEN_EINVAL);
        fake_aarch32 = true;
        assert_int_equal(DOMCTL_OF(set_address_size, HALF, address_size, .size = size), 0);
        assert_int_equal(domctl_of(XEN_DOMCTL_get_address_size, HALF, &op), 0);
        assert_int_equal(op.u.address_size.size, size);
    }
    assert_int_equal(DOMCTL_OF(setdomainhandle, OTHER, setdomainhandle, .handle = {1, 2}), 0);
    assert_int_equal(world[OTHER]->handle[1], 2);
}

static void bad_memory(void **state)
{
    assert_int_equal(DOMCTL_OF(set_paging_mempool_size, HALF, paging_mempool, .size = 4095),
                     -XEN_EINVAL);
    assert_int_equal(DOMCTL_OF(set_paging_mempool_size, OTHER, paging_mempool, .size = 4096),
                     -XEN_EINVAL); /* as configured */
    world[HALF]->hyp_frames += 1000;
    assert_int_equal(DOMCTL_OF(set_paging_mempool_size, HALF, paging_mempool, .size = 4096),
                     -XEN_ENOMEM);
    world[HALF]->hyp_frames -= 1000;
    assert_int_equal(DOMCTL_OF(cacheflush, HALF, cacheflush, .nr_pfns = (1 << 18) + 1),
                     -XEN_EINVAL);
    assert_int_equal(DOMCTL_OF(cacheflush, HALF, cacheflush, .start_pfn = ~0ull, .nr_pfns = 2),
                     -XEN_EINVAL);
    assert_int_equal(DOMCTL_OF(set_address_size, HALF, address_size, .size = 16), -XEN_EINVAL);
    half_built.made = false;
    assert_int_equal(DOMCTL_OF(set_address_size, HALF, address_size, .size = 64), -XEN_EPERM);
}

/* --- Devices --- */

static void good_device(void **state)
{
    struct p2m_entry e;
    assert_int_equal(rights_set_iomem(world[TOOLS], mfn(0xa000), 16, true), 0);
    assert_int_equal(DOMCTL_OF(iomem_permission, HALF, iomem_permission, 0xa003, 2, 1), 0);
    assert_true(rights_iomem(world[HALF], mfn(0xa003), 2));
    assert_false(rights_iomem(world[HALF], mfn(0xa003), 3));
    assert_int_equal(DOMCTL_OF(memory_mapping, HALF, memory_mapping, 0x1000, 0xa003, 2, 1), 0);
    assert_true(p2m_lookup(world[HALF], gfn(0x1001), &e) && e.mfn.v == 0xa004);
    assert_non_null(strstr(fake_calls.log, "No IOMMU confines it"));
    assert_int_equal(DOMCTL_OF(memory_mapping, HALF, memory_mapping, 0x1000, 0xa003, 2, 0), 0);
    assert_false(p2m_lookup(world[HALF], gfn(0x1000), &e) && e.type == P2M_MMIO);
    assert_int_equal(DOMCTL_OF(irq_permission, HALF, irq_permission, 40, 1), 0);
    assert_true(rights_irq(world[HALF], 40));
    assert_int_equal(DOMCTL_OF(bind_pt_irq, HALF, bind_pt_irq, .machine_irq = 40,
                               .irq_type = PT_IRQ_TYPE_SPI, .u.spi.spi = 40),
                     0);
    assert_int_equal(irqs, 1);
    irqs_back = 0;
    for (unsigned i = 0; i < 2; i++) { /* half built, and while it runs */
        assert_int_equal(DOMCTL_OF(unbind_pt_irq, HALF, bind_pt_irq, .machine_irq = 40,
                                   .irq_type = PT_IRQ_TYPE_SPI, .u.spi.spi = 40),
                         0);
        world[HALF]->state = i == 0 ? DOMAIN_RUNNING : DOMAIN_CREATED;
    }
    assert_int_equal(irqs_back, 2);
    assert_int_equal(DOMCTL_OF(irq_permission, HALF, irq_permission, 40, 0), 0);
    assert_int_equal(DOMCTL_OF(iomem_permission, HALF, iomem_permission, 0xa004, 1, 0), 0);
    assert_false(rights_irq(world[HALF], 40) || rights_iomem(world[HALF], mfn(0xa003), 1));
    assert_int_equal(DOMCTL_OF(irq_permission, OTHER, irq_permission, 40, 0), 0); /* had none */
    assert_int_equal(DOMCTL_OF(iomem_permission, OTHER, iomem_permission, 0xa004, 1, 0), 0);
}

static void bad_device(void **state)
{
    assert_int_equal(rights_set_iomem(world[TOOLS], mfn(0xa000), 160, true), 0);
    assert_int_equal(rights_set_iomem(world[TOOLS], mfn(0x40000), 1, true),
                     0); /* RAM, if he could */
    assert_int_equal(DOMCTL_OF(irq_permission, HALF, irq_permission, 41, 1), -XEN_EPERM);
    assert_int_equal(DOMCTL_OF(irq_permission, HALF, irq_permission, ~0u, 1), -XEN_EPERM);
    assert_int_equal(DOMCTL_OF(iomem_permission, HALF, iomem_permission, 0xa000, 0, 1),
                     -XEN_EINVAL);
    assert_int_equal(DOMCTL_OF(iomem_permission, HALF, iomem_permission, 2, ~0ull, 1), -XEN_EINVAL);
    assert_int_equal(DOMCTL_OF(iomem_permission, HALF, iomem_permission, 0x9fff, 2, 1), -XEN_EPERM);
    assert_int_equal(DOMCTL_OF(memory_mapping, HALF, memory_mapping, 0x1000, 0xa003, 0, 1),
                     -XEN_EINVAL);
    assert_int_equal(DOMCTL_OF(memory_mapping, HALF, memory_mapping, 0x1000, 0xa003, 65, 1),
                     -XEN_E2BIG);
    assert_int_equal(DOMCTL_OF(memory_mapping, HALF, memory_mapping, 0x1000, 0xb003, 1, 1),
                     -XEN_EPERM);
    assert_int_equal(DOMCTL_OF(memory_mapping, HALF, memory_mapping, 0x1000, 0x40000, 1, 1),
                     -XEN_EPERM);
    assert_true(DOMCTL_OF(memory_mapping, HALF, memory_mapping, ~0ull, 0xa003, 1, 1) < 0);
    /* Not what is there: nothing, RAM, another page. */
    assert_int_equal(DOMCTL_OF(memory_mapping, HALF, memory_mapping, 0x1000, 0xa003, 1, 0),
                     -XEN_EINVAL);
    assert_int_equal(DOMCTL_OF(memory_mapping, HALF, memory_mapping, WORLD_BASE, 0xa003, 1, 0),
                     -XEN_EINVAL);
    assert_int_equal(DOMCTL_OF(memory_mapping, HALF, memory_mapping, 0x1000, 0xa003, 1, 1), 0);
    assert_int_equal(DOMCTL_OF(memory_mapping, HALF, memory_mapping, 0x1000, 0xa004, 1, 0),
                     -XEN_EINVAL);
#define BIND(irq, type, to)                                                             \
    DOMCTL_OF(bind_pt_irq, HALF, bind_pt_irq, .machine_irq = (irq), .irq_type = (type), \
              .u.spi.spi = (to))
    assert_int_equal(BIND(40, 1, 40), -XEN_EINVAL);
    assert_int_equal(BIND(40, PT_IRQ_TYPE_SPI, 41), -XEN_EINVAL);
    assert_int_equal(BIND(41, PT_IRQ_TYPE_SPI, 41), -XEN_EPERM);
    next_error = -XEN_EBUSY;
    assert_int_equal(BIND(40, PT_IRQ_TYPE_SPI, 40), -XEN_EBUSY);
#define UNBIND(irq, type, to)                                                             \
    DOMCTL_OF(unbind_pt_irq, HALF, bind_pt_irq, .machine_irq = (irq), .irq_type = (type), \
              .u.spi.spi = (to))
    irqs_back = 0;
    assert_int_equal(UNBIND(40, 1, 40), -XEN_EINVAL);
    assert_int_equal(UNBIND(40, PT_IRQ_TYPE_SPI, 41), -XEN_EINVAL);
    assert_int_equal(UNBIND(41, PT_IRQ_TYPE_SPI, 41), -XEN_EPERM);
    world[HALF]->state = DOMAIN_DYING; /* its end has them */
    assert_int_equal(UNBIND(40, PT_IRQ_TYPE_SPI, 40), -XEN_ENOENT);
    assert_int_equal(irqs_back, 0);
    world[HALF]->state = DOMAIN_CREATED;
    next_error = -XEN_ENOENT;
    assert_int_equal(UNBIND(40, PT_IRQ_TYPE_SPI, 40), -XEN_ENOENT);
    next_error = -XEN_EBUSY;
    for (unsigned i = 0; i < 100; i++) { /* as many ranges as there is room for */
        int64_t error = DOMCTL_OF(iomem_permission, OTHER, iomem_permission, 0xa000 + i, 1, 1);
        assert_true(error == 0 || (i > 7 && error == -XEN_ENOSPC));
    }
    static const uint32_t iommu[] = {XEN_DOMCTL_assign_device, XEN_DOMCTL_test_assign_device,
                                     XEN_DOMCTL_deassign_device};
    struct xen_domctl op = {.cmd = 0};
    for (unsigned i = 0; i < ARRAY_LEN(iommu); i++) {
        assert_int_equal(domctl_of(iommu[i], HALF, &op), -XEN_EOPNOTSUPP);
    }
    next_error = 0;
    world[HALF]->state = DOMAIN_RUNNING;
    assert_int_equal(BIND(40, PT_IRQ_TYPE_SPI, 40), -XEN_EPERM);
    assert_int_equal(DOMCTL_OF(memory_mapping, HALF, memory_mapping, 0x1001, 0xa003, 1, 1),
                     -XEN_EPERM);
}

/* --- CPU pools --- */

static int64_t pool(uint32_t what, uint32_t id, uint32_t cpu, domid_t domain,
                    struct xen_sysctl *out)
{
    struct xen_sysctl op = {.u.cpupool_op = {.op = what,
                                             .cpupool_id = id,
                                             .sched_id = XEN_SCHEDULER_CREDIT2,
                                             .cpu = cpu,
                                             .domid = domain,
                                             .cpumap = BITS(MORE, 64)}};
    int64_t error = sysctl_of(XEN_SYSCTL_cpupool_op, &op);
    if (out != NULL) {
        *out = op;
    }
    return error;
}
#define POOL(what, id, cpu, domain) pool(XEN_SYSCTL_CPUPOOL_OP_##what, id, cpu, domain, NULL)
#define ANY XEN_SYSCTL_CPUPOOL_PAR_ANY

static void good_pools(void **state)
{
    struct xen_sysctl op;
    uint64_t *map = (uint64_t *)HANDLES;
    assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_CREATE, ANY, 0, 0, &op), 0);
    assert_int_equal(op.u.cpupool_op.cpupool_id, 1);
    assert_int_equal(POOL(CREATE, 5, 0, 0), 0);
    assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_INFO, 2, 0, 0, &op), 0);
    assert_int_equal(op.u.cpupool_op.cpupool_id, 5);
    assert_int_equal(map[0], 0);
    assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_INFO, ANY, 0, 0, &op), 0);
    assert_int_equal(op.u.cpupool_op.n_dom, 3);
    assert_int_equal(map[0], 3);
    assert_int_equal(POOL(RMCPU, 0, 1, 0), 0);
    assert_int_equal(POOL(FREEINFO, 0, 0, 0), 0);
    assert_int_equal(map[0], 2);
    for (unsigned i = 0; i < 20; i++) { /* P3: in steps */
        assert_non_null(fake_domain((domid_t)(100 + i), "more", 1));
    }
    unsigned before = world_restarts;
    assert_int_equal(POOL(ADDCPU, 1, ANY, 0), 0);
    assert_true(world_restarts > before + 1);
    for (unsigned i = 0; i < 20; i++) {
        struct domain *d = domain_get((domid_t)(100 + i));
        domain_put(d);
        fake_domain_free(d);
    }
    assert_int_equal(POOL(MOVEDOMAIN, 1, 0, OTHER), 0);
    assert_int_equal(world[OTHER]->sched.cpupool, 1);
    assert_int_equal(POOL(MOVEDOMAIN, 1, 0, DOMID_SELF), 0);
    assert_int_equal(world[TOOLS]->sched.cpupool, 1);
    assert_int_equal(POOL(DESTROY, 1, 0, 0), -XEN_EBUSY);
    assert_int_equal(POOL(RMCPU, 1, 1, 0), -XEN_EBUSY); /* P2 */
    assert_int_equal(POOL(MOVEDOMAIN, 0, 0, OTHER), 0);
    assert_int_equal(POOL(MOVEDOMAIN, 0, 0, TOOLS), 0);
    assert_int_equal(POOL(RMCPU, 1, ANY, 0), 0);
    assert_int_equal(POOL(DESTROY, 1, 0, 0), 0);
    assert_int_equal(POOL(DESTROY, 5, 0, 0), 0);
    assert_int_equal(POOL(ADDCPU, 0, 1, 0), 0);
}

static void bad_pools(void **state)
{
    unsigned made = 0;
    while (POOL(CREATE, ANY, 0, 0) == 0) {
        made++;
    }
    assert_int_equal(made, SCHED_POOLS - 1);
    assert_int_equal(POOL(CREATE, ANY, 0, 0), -XEN_ENOMEM);
    assert_int_equal(POOL(CREATE, SCHED_POOLS, 0, 0), -XEN_EINVAL);
    assert_int_equal(POOL(CREATE, 3, 0, 0), -XEN_EEXIST);
    for (uint32_t i = 2; i < SCHED_POOLS; i++) {
        assert_int_equal(POOL(DESTROY, i, 0, 0), 0);
    }
    struct xen_sysctl op = {.u.cpupool_op = {.op = XEN_SYSCTL_CPUPOOL_OP_CREATE,
                                             .cpupool_id = ANY,
                                             .sched_id = XEN_SCHEDULER_RTDS}};
    assert_int_equal(sysctl_of(XEN_SYSCTL_cpupool_op, &op), -XEN_EINVAL);
    assert_int_equal(POOL(DESTROY, 0, 0, 0), -XEN_EBUSY);
    assert_int_equal(POOL(DESTROY, 2, 0, 0), -XEN_ENOENT);
    assert_int_equal(POOL(DESTROY, ~0u, 0, 0), -XEN_ENOENT);
    assert_int_equal(POOL(INFO, 2, 0, 0), -XEN_ENOENT);
    assert_int_equal(POOL(INFO, 99, 0, 0), -XEN_ENOENT);
    assert_int_equal(pool(99, 0, 0, 0, NULL), -XEN_ENOSYS);
    assert_int_equal(POOL(ADDCPU, 1, ANY, 0), -XEN_EBUSY); /* none is free */
    assert_int_equal(POOL(ADDCPU, 1, 64, 0), -XEN_EBUSY);
    assert_int_equal(POOL(RMCPU, 0, 64, 0), -XEN_EINVAL);
    assert_int_equal(POOL(RMCPU, 1, ANY, 0), -XEN_EINVAL);
    cpu_of_no_use = 1;
    assert_int_equal(POOL(RMCPU, 0, 1, 0), -XEN_EBUSY);
    cpu_of_no_use = -1;
    cpus[1]->sched.rt_reserved = 1;
    assert_int_equal(POOL(RMCPU, 0, 1, 0), -XEN_EBUSY);
    cpus[1]->sched.rt_reserved = 0;
    assert_int_equal(POOL(MOVEDOMAIN, 1, 0, OTHER), -XEN_EINVAL); /* it has no CPU */
    assert_int_equal(POOL(MOVEDOMAIN, 0, 0, 77), -XEN_ESRCH);
    next_error = -XEN_EBUSY;
    assert_int_equal(POOL(MOVEDOMAIN, 0, 0, OTHER), -XEN_EBUSY);
    assert_int_equal(POOL(RMCPU, 0, 1, 0), -XEN_EBUSY); /* who has a reservation stays */
    next_error = 0;
    assert_int_equal(POOL(ADDCPU, 0, 1, 0), 0);
    assert_int_equal(POOL(DESTROY, 1, 0, 0), 0);
    rights_drop(world[TOOLS], RIGHT_SCHEDULE, NULL);
    assert_int_equal(POOL(CREATE, ANY, 0, 0), -XEN_EPERM);
}

static void good_ratelimit(void **state)
{
    struct xen_sysctl op = {
        .u.scheduler_op = {.sched_id = XEN_SCHEDULER_CREDIT2, .cmd = XEN_SYSCTL_SCHEDOP_getinfo}};
    assert_int_equal(sysctl_of(XEN_SYSCTL_scheduler_op, &op), 0);
    assert_int_equal(op.u.scheduler_op.u.sched_credit2.ratelimit_us, 200);
    op.u.scheduler_op.cmd = XEN_SYSCTL_SCHEDOP_putinfo;
    assert_int_equal(sysctl_of(XEN_SYSCTL_scheduler_op, &op), 0);
    op.u.scheduler_op.u.sched_credit2.ratelimit_us = 1000;
    assert_int_equal(sysctl_of(XEN_SYSCTL_scheduler_op, &op), -XEN_EOPNOTSUPP);
    op.u.scheduler_op.cmd = 9;
    assert_int_equal(sysctl_of(XEN_SYSCTL_scheduler_op, &op), -XEN_EINVAL);
    op.u.scheduler_op.sched_id = XEN_SCHEDULER_CREDIT;
    assert_int_equal(sysctl_of(XEN_SYSCTL_scheduler_op, &op), -XEN_EINVAL);
    op.u.scheduler_op.cpupool_id = 3;
    assert_int_equal(sysctl_of(XEN_SYSCTL_scheduler_op, &op), -XEN_ESRCH);
    op.u.scheduler_op.cpupool_id = 99;
    assert_int_equal(sysctl_of(XEN_SYSCTL_scheduler_op, &op), -XEN_ESRCH);
    rights_drop(world[TOOLS], RIGHT_SCHEDULE, NULL);
    op.u.scheduler_op = (struct xen_sysctl_scheduler_op){.sched_id = XEN_SCHEDULER_CREDIT2};
    assert_int_equal(sysctl_of(XEN_SYSCTL_scheduler_op, &op), -XEN_EPERM);
}

/* --- Resources: grant frames of who is half built --- */

static int64_t acquire(struct xen_mem_acquire_resource op)
{
    return MEMORY(TOOLS, acquire_resource, &op);
}
#define ACQUIRE(...)                           \
    acquire((struct xen_mem_acquire_resource){ \
        .domid = HALF, .type = XENMEM_resource_grant_table, __VA_ARGS__})

static void good_acquire(void **state)
{
    *(uint64_t *)HANDLES = 0x90000;
    assert_int_equal(ACQUIRE(.nr_frames = 1, .frame_list = MORE), 0);
    assert_true(p2m_allows(world[TOOLS], gpa(0x90000000), true, false));
    struct xen_mem_acquire_resource op = {.domid = HALF, .type = XENMEM_resource_grant_table};
    assert_int_equal(MEMORY(TOOLS, acquire_resource, &op), 0);
    assert_int_equal(op.nr_frames, GRANT_FRAMES_MAX);
    op.nr_frames = 3;
    assert_int_equal(MEMORY(TOOLS, acquire_resource, &op), 0);
    assert_int_equal(op.nr_frames, 3);
    struct xen_remove_from_physmap r = {.domid = DOMID_SELF, .gpfn = 0x90000};
    assert_int_equal(MEMORY(TOOLS, remove_from_physmap, &r), 0);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
static void bad_acquire(void **state)
{
    assert_int_equal(call(TOOLS, __HYPERVISOR_memory_op, XENMEM_acquire_resource, NOWHERE, 0),
                     -XEN_EFAULT);
    assert_int_equal(ACQUIRE(.pad = 1), -XEN_EINVAL);
    assert_int_equal(ACQUIRE(.domid = DOMID_SELF), -XEN_EPERM);
    assert_int_equal(ACQUIRE(.domid = TOOLS), -XEN_EPERM);
    assert_int_equal(ACQUIRE(.domid = OTHER), -XEN_EPERM);
    assert_int_equal(ACQUIRE(.domid = 77), -XEN_ESRCH);
    assert_int_equal(ACQUIRE(.type = 7), -XEN_EOPNOTSUPP);
    assert_int_equal(ACQUIRE(.id = 7), -XEN_EOPNOTSUPP);
    assert_int_equal(ACQUIRE(.nr_frames = 17, .frame_list = MORE), -XEN_E2BIG);
    assert_int_equal(ACQUIRE(.nr_frames = 1, .frame = ~0ull, .frame_list = MORE), -XEN_E2BIG);
    assert_int_equal(ACQUIRE(.nr_frames = 1, .frame_list = NOWHERE), -XEN_EFAULT);
    *(uint64_t *)HANDLES = ~0ull >> FRAME_SHIFT; /* to where nothing can be */
    assert_true(ACQUIRE(.nr_frames = 1, .frame_list = MORE) < 0);
    assert_true(ACQUIRE(.nr_frames = 1, .id = XENMEM_resource_grant_table_id_status,
                        .frame_list = MORE) < 0); /* version 1 has none */
}
#pragma GCC diagnostic pop

/* L2: whose memory one may map. */
static int64_t foreign(domid_t from, uint64_t index)
{
    struct {
        struct xen_add_to_physmap_batch op;
        uint64_t index, at;
        int32_t error;
    } a = {.op = {.domid = DOMID_SELF,
                  .space = XENMAPSPACE_gmfn_foreign,
                  .size = 1,
                  .u.foreign_domid = from,
                  .idxs = AT + offsetof(typeof(a), index),
                  .gpfns = AT + offsetof(typeof(a), at),
                  .errs = AT + offsetof(typeof(a), error)},
           .index = index,
           .at = 0x90000};
    int64_t result = MEMORY(TOOLS, add_to_physmap_batch, &a);
    if (result == 0 && a.error == 0) {
        struct xen_remove_from_physmap r = {.domid = DOMID_SELF, .gpfn = 0x90000};
        assert_int_equal(MEMORY(TOOLS, remove_from_physmap, &r), 0);
    }
    return result != 0 ? result : a.error;
}

static void good_foreign(void **state)
{
    assert_int_equal(foreign(HALF, WORLD_BASE), 0);
    assert_int_equal(foreign(OTHER, WORLD_BASE), 0); /* to look */
    rights_drop(world[TOOLS], RIGHT_INSPECT, NULL);
    world[OTHER]->xen->param[HVM_PARAM_STORE_PFN] = WORLD_BASE + 1;
    world[OTHER]->xen->param[HVM_PARAM_CONSOLE_PFN] = WORLD_BASE + 2;
    assert_int_equal(foreign(OTHER, WORLD_BASE + 1), 0);
    assert_int_equal(foreign(OTHER, WORLD_BASE + 2), 0);
}

static void bad_foreign(void **state)
{
    assert_int_equal(foreign(DOMID_SELF, WORLD_BASE), -XEN_EINVAL);
    assert_int_equal(foreign(TOOLS, WORLD_BASE), -XEN_EINVAL);
    assert_int_equal(foreign(77, WORLD_BASE), -XEN_ESRCH);
    assert_int_equal(foreign(HALF, WORLD_HOLE), -XEN_EINVAL);
    assert_int_equal(foreign(OTHER, WORLD_HOLE), -XEN_EINVAL);
    rights_drop(world[TOOLS], RIGHT_INSPECT, NULL);
    assert_int_equal(foreign(OTHER, WORLD_BASE), -XEN_EPERM);
    world[OTHER]->xen->param[HVM_PARAM_STORE_PFN] =
        WORLD_HOLE; /* what the guest says is there is not */
    assert_int_equal(foreign(OTHER, WORLD_HOLE), -XEN_EINVAL);
    rights_drop(world[TOOLS], RIGHT_STORE, NULL);
    assert_int_equal(foreign(OTHER, WORLD_HOLE), -XEN_EPERM);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(bad_structures), STORY(good_describe),     STORY(good_list),
        STORY(good_machine),   STORY(good_log_and_keys), STORY(good_affinity),
        STORY(bad_affinity),   STORY(good_scheduler),    STORY(good_registers),
        STORY(bad_registers),  STORY(good_create),       STORY(bad_create),
        STORY(good_memory),    STORY(bad_memory),        STORY(good_device),
        STORY(bad_device),     STORY(good_pools),        STORY(bad_pools),
        STORY(good_ratelimit), STORY(good_acquire),      STORY(bad_acquire),
        STORY(good_foreign),   STORY(bad_foreign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The tools' calls on domains: what is told, vCPUs, life, memory. */
#include "tools-world.h"

#include "foreign-batch.h"

#include <hyp/cpu.h>

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
    p.time.secs = 1700000000;
    assert_int_equal(at_address(OTHER, __HYPERVISOR_platform_op, &p, sizeof(p), AT), -XEN_EPERM);
    assert_int_equal(at_address(TOOLS, __HYPERVISOR_platform_op, &p, sizeof(p), AT), 0);
    p.time.secs = 12; /* since power-on */
    assert_int_equal(at_address(TOOLS, __HYPERVISOR_platform_op, &p, sizeof(p), AT), -XEN_EINVAL);
    p.time.secs = 1700000000;
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
    assert_int_equal(rights_drop(world[TOOLS], "control"), 0);
    assert_int_equal(rights_drop(world[TOOLS], "inspect"),
                     0); /* itself and what it builds, of all */
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
    static const char *const said[] = {"debug key 'h': h this line",
                                       "KiB free",
                                       "CPU 1: domain -1",
                                       "CPU 0: domain 1",
                                       "debug key '?'",
                                       "debug key 'x'"};
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
    struct foreign_batch a = foreign_batch(AT, from, index, 0x90000);
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
    assert_int_equal(rights_drop(world[TOOLS], "inspect"), 0);
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
    assert_int_equal(rights_drop(world[TOOLS], "inspect"), 0);
    assert_int_equal(foreign(OTHER, WORLD_BASE), -XEN_EPERM);
    world[OTHER]->xen->param[HVM_PARAM_STORE_PFN] =
        WORLD_HOLE; /* what the guest says is there is not */
    assert_int_equal(foreign(OTHER, WORLD_HOLE), -XEN_EINVAL);
    assert_int_equal(rights_drop(world[TOOLS], "store"), 0);
    assert_int_equal(foreign(OTHER, WORLD_HOLE), -XEN_EPERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(bad_structures),    STORY(good_describe), STORY(good_list),    STORY(good_machine),
        STORY(good_log_and_keys), STORY(good_affinity), STORY(bad_affinity), STORY(good_scheduler),
        STORY(good_registers),    STORY(bad_registers), STORY(good_create),  STORY(bad_create),
        STORY(good_memory),       STORY(bad_memory),    STORY(good_acquire), STORY(bad_acquire),
        STORY(good_foreign),      STORY(bad_foreign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Who may order what of whom, and the life of domains that another domain makes. */
#include "control-world.h"

#include <bulkhead/seal.h>
#include <hyp/grant.h>

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
    uint32_t held = length == 0 ? 0 : RIGHT_BIT(rights_named(words));
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

/* What it holds, one right after the other. */
static const char *all_rights(const struct domain *d)
{
    static char all[256];
    char words[64];
    all[0] = 0;
    for (unsigned r = 0; r < RIGHT_COUNT; r++) {
        if (rights_describe(d, (enum right)r, words, sizeof(words))) {
            strcat(strcat(all, " "), words);
        }
    }
    return all;
}

static void test_drop(void **state)
{
    char words[64];
    BEGIN("control *\0inspect home work\0build");
    assert_int_equal(simple(XEN_DOMCTL_pausedomain, 3), 0);
    assert_int_equal(rights_drop(of(1), "control home"),
                     -XEN_EINVAL); /* everybody but one is not a right */
    assert_int_equal(simple(XEN_DOMCTL_pausedomain, 2), 0);
    assert_int_equal(rights_drop(of(1), "control"), 0);
    assert_int_equal(simple(XEN_DOMCTL_unpausedomain, 3), -XEN_EPERM);
    assert_int_equal(rights_drop(of(1), "inspect home"), 0);
    assert_true(rights_describe(of(1), RIGHT_INSPECT, words, sizeof(words)));
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
    assert_string_equal(all_rights(of(1)), " build");
    assert_int_equal(drop("build"), 0);
    assert_string_equal(all_rights(of(1)), "");
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

/* As many vCPUs as there can be, a few a step; each is paused as its domain is. */
static void test_many_vcpus(void **state)
{
    BEGIN("build");
    struct xen_domctl op = {.u.createdomain = {.flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap,
                                               .max_vcpus = MAX_VCPUS}};
    assert_int_equal(domctl_of(XEN_DOMCTL_createdomain, 0xffff, &op), 0);
    domid_t id = op.domain;
    op = (struct xen_domctl){.u.max_vcpus.max = MAX_VCPUS - 1};
    assert_int_equal(domctl_of(XEN_DOMCTL_max_vcpus, id, &op), -XEN_EINVAL);
    restarts = 0;
    op.u.max_vcpus.max = MAX_VCPUS;
    assert_int_equal(domctl_of(XEN_DOMCTL_max_vcpus, id, &op), 0);
    assert_int_equal(restarts, (MAX_VCPUS - 2) / 8);
    assert_int_equal(of(id)->vcpu_count, MAX_VCPUS);
    for (uint32_t i = 0; i < MAX_VCPUS; i++) {
        assert_int_equal(of(id)->vcpu[i]->id, i);
        assert_ptr_equal(of(id)->vcpu[i]->evtchn->vcpu, of(id)->vcpu[i]);
        assert_non_null(of(id)->vcpu[i]->evtchn->poll_timer.fire);
        assert_int_equal(of(id)->vcpu[i]->sched.pause_count, 1);
    }
    assert_int_equal(domctl_of(XEN_DOMCTL_max_vcpus, id, &op), 0); /* again: nothing to do */
    assert_int_equal(simple(XEN_DOMCTL_unpausedomain, id), 0);
    assert_int_equal(of(id)->vcpu[MAX_VCPUS - 1]->sched.pause_count, 0);
    /* One that runs with fewer keeps those. */
    op = (struct xen_domctl){
        .u.createdomain = {.flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap, .max_vcpus = 3}};
    assert_int_equal(domctl_of(XEN_DOMCTL_createdomain, 0xffff, &op), 0);
    id = op.domain;
    assert_int_equal(simple(XEN_DOMCTL_unpausedomain, id), 0);
    op = (struct xen_domctl){.u.max_vcpus.max = 3};
    assert_int_equal(domctl_of(XEN_DOMCTL_max_vcpus, id, &op), -XEN_EINVAL);
    assert_int_equal(of(id)->vcpu_count, 1);
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

/* Mapped grant frames, shared info and memory outlive their domain, until they are let go. */
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
    struct xen_add_to_physmap shared = {
        .domid = id, .space = XENMAPSPACE_shared_info, .gpfn = BASE + FRAMES};
    assert_int_equal(MEMORY(add_to_physmap, &shared), 0);
    assert_int_equal(map_foreign(id, BASE + FRAMES, 0x90002), 0);
    assert_int_equal(simple(XEN_DOMCTL_destroydomain, id), 0);
    for (uint64_t at = 0x90000; at <= 0x90002; at++) {
        struct p2m_entry e;
        struct frame_info f;
        memset(ram(1, at), 0xab, FRAME_SIZE);
        assert_true(p2m_lookup(of(1), gfn(at), &e));
        assert_true(frame_info(e.mfn, &f));
        assert_int_not_equal(f.state, FRAME_FREE);
        assert_int_equal(unmap(at), 0);
    }
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
        cmocka_unit_test(test_many_vcpus),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_builder_reboots),
        cmocka_unit_test(test_mappings_outlive),
        cmocka_unit_test(test_rings_and_inspection),
        cmocka_unit_test(test_direct_map_keeps),
        cmocka_unit_test(test_versions),
    };
    return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}

/*
 * Every hypercall whose structure is nowhere, ends in a hole, or lies where it may be read but not
 * written; arrays longer than one step; and each that allocates, with its domain's allowance used up
 * frame by frame. Nothing may be lost by any of it (world_end() counts).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "xen-world.h"
#include <xen/hvm.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#define NOWHERE (WORLD_HOLE << FRAME_SHIFT)
#define READ_ONLY 0x90000ull    /* gfn in domain 1: a page of domain 2, granted for reading ... */
#define SOURCE (WORLD_BASE + 3) /* ... which is this one of its own */

static int begin(void **state)
{
    world_begin(3);
    return 0;
}

static int end(void **state)
{
    world_end();
    return 0;
}

static void grant_read_only(void)
{
    struct grant_entry_v1 *e = world[2]->grant->table->frame[GRANT_SHARED][0];
    e[20] = (struct grant_entry_v1){GTF_permit_access | GTF_readonly, 1, SOURCE};
    struct gnttab_map_grant_ref op = {.host_addr = READ_ONLY << FRAME_SHIFT,
                                      .flags = GNTMAP_host_map | GNTMAP_readonly,
                                      .ref = 20,
                                      .dom = 2};
    assert_int_equal(GRANT(1, map_grant_ref, &op), 0);
    assert_int_equal(op.status, GNTST_okay);
}

/* Calls that succeed with these bytes in their structure, and write something back. */
union words {
    struct gnttab_query_size size;
    struct gnttab_get_version version;
    struct gnttab_setup_table table;
    struct gnttab_get_status_frames status;
    struct gnttab_set_version set;
    struct gnttab_swap_grant_ref swap;
    struct evtchn_alloc_unbound unbound;
    struct evtchn_bind_virq virq;
    struct evtchn_bind_ipi ipi;
    struct evtchn_status port;
    struct evtchn_init_control control;
    struct xen_hvm_param param;
    uint64_t word[8];
};

static const struct {
    uint64_t number, cmd;
    union words in;
} writers[] = {
    {__HYPERVISOR_grant_table_op, GNTTABOP_query_size, {.size.dom = DOMID_SELF}},
    {__HYPERVISOR_grant_table_op, GNTTABOP_get_version, {.version.dom = DOMID_SELF}},
    {__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, {.table.dom = DOMID_SELF}},
    {__HYPERVISOR_grant_table_op, GNTTABOP_get_status_frames, {.status.dom = DOMID_SELF}},
    {__HYPERVISOR_grant_table_op, GNTTABOP_set_version, {.set.version = 1}},
    {__HYPERVISOR_grant_table_op, GNTTABOP_swap_grant_ref, {.swap = {8, 9, 0}}},
    {__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, {.unbound = {DOMID_SELF, 2, 0}}},
    {__HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, {.virq = {.virq = VIRQ_DEBUG}}},
    {__HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, {.ipi = {.vcpu = 1}}},
    {__HYPERVISOR_event_channel_op, EVTCHNOP_status, {.port = {.dom = DOMID_SELF, .port = 1}}},
    {__HYPERVISOR_event_channel_op,
     EVTCHNOP_init_control,
     {.control = {.control_gfn = WORLD_BASE + 5}}},
    {__HYPERVISOR_hvm_op,
     HVMOP_get_param,
     {.param = {.domid = DOMID_SELF, .index = HVM_PARAM_STORE_PFN}}},
    {__HYPERVISOR_xen_version, XENVER_extraversion, {.word = {0}}},
    {__HYPERVISOR_xen_version, XENVER_compile_info, {.word = {0}}},
    {__HYPERVISOR_xen_version, XENVER_capabilities, {.word = {0}}},
    {__HYPERVISOR_xen_version, XENVER_changeset, {.word = {0}}},
    {__HYPERVISOR_xen_version, XENVER_platform_parameters, {.word = {0}}},
    {__HYPERVISOR_xen_version, XENVER_get_features, {.word = {0}}},
};

static int64_t at(uint64_t number, uint64_t cmd, uint64_t address)
{
    return number == __HYPERVISOR_grant_table_op ? call(1, number, cmd, address, 1)
                                                 : call(1, number, cmd, address, 0);
}

static void bad_read_only(void **state)
{
    grant_read_only();
    for (unsigned i = 0; i < ARRAY_LEN(writers); i++) {
        uint64_t number = writers[i].number, cmd = writers[i].cmd;
        union words kept;
        memset(guest(2, SOURCE), 0, FRAME_SIZE);
        memcpy(guest(2, SOURCE), &writers[i].in, sizeof(writers[i].in));
        int64_t result = at(number, cmd, READ_ONLY << FRAME_SHIFT);
        if (result != -XEN_EFAULT) {
            fail_msg("call %lu, command %lu answers %ld", number, cmd, result);
        }
        memcpy(&kept, guest(2, SOURCE), sizeof(kept));
        assert_memory_equal(&kept, &writers[i].in, sizeof(kept));
        /* It is not the call that is bad: but for what has happened all the same. */
        bool once = number == __HYPERVISOR_event_channel_op &&
                    (cmd == EVTCHNOP_init_control || cmd == EVTCHNOP_bind_virq);
        kept = writers[i].in;
        result =
            call_with(1, number, cmd, &kept, sizeof(kept), number == __HYPERVISOR_grant_table_op);
        if (result < 0 && !once) {
            fail_msg("call %lu, command %lu answers %ld", number, cmd, result);
        }
    }
}

/* All families, all commands that there might be: nothing is there, or not all of it. */
static void bad_nowhere(void **state)
{
    static const uint64_t families[] = {
        __HYPERVISOR_memory_op,        __HYPERVISOR_xen_version, __HYPERVISOR_console_io,
        __HYPERVISOR_grant_table_op,   __HYPERVISOR_vm_assist,   __HYPERVISOR_vcpu_op,
        __HYPERVISOR_event_channel_op, __HYPERVISOR_hvm_op,      __HYPERVISOR_physdev_op};
    for (unsigned f = 0; f < ARRAY_LEN(families); f++) {
        for (uint64_t cmd = 0; cmd < 48; cmd++) {
            bool reset = families[f] == __HYPERVISOR_event_channel_op && cmd == EVTCHNOP_reset;
            static const uint64_t addresses[] = {NOWHERE, ((WORLD_SCRATCH + 1) << FRAME_SHIFT) - 1,
                                                 ~0ull, 0};
            for (unsigned a = 0; a < ARRAY_LEN(addresses) && !reset; a++) {
                uint64_t count = families[f] == __HYPERVISOR_vcpu_op ? addresses[a] : 1;
                (void)call(1, families[f], cmd, addresses[a], count);
            }
        }
    }
    for (unsigned i = 0; i < ARRAY_LEN(writers); i++) {
        assert_int_equal(at(writers[i].number, writers[i].cmd, NOWHERE), -XEN_EFAULT);
    }
    assert_int_equal(call(1, __HYPERVISOR_multicall, NOWHERE, 1, 0), -XEN_EFAULT);
    assert_int_equal(call(1, __HYPERVISOR_multicall, NOWHERE, 0, 0), 0);
}

/* Arrays of the grant table's operations, in steps; those that take one structure take one. */
static void good_arrays(void **state)
{
    static const struct {
        uint32_t cmd, size;
        bool one;
    } ops[] = {{GNTTABOP_query_size, sizeof(struct gnttab_query_size), true},
               {GNTTABOP_get_version, sizeof(struct gnttab_get_version), true},
               {GNTTABOP_setup_table, sizeof(struct gnttab_setup_table), true},
               {GNTTABOP_get_status_frames, sizeof(struct gnttab_get_status_frames), true},
               {GNTTABOP_set_version, sizeof(struct gnttab_set_version), true},
               {GNTTABOP_swap_grant_ref, sizeof(struct gnttab_swap_grant_ref), false},
               {GNTTABOP_transfer, sizeof(struct gnttab_transfer), false},
               {GNTTABOP_unmap_and_replace, sizeof(struct gnttab_unmap_and_replace), false}};
    uint64_t page = WORLD_SCRATCH << FRAME_SHIFT, number = __HYPERVISOR_grant_table_op;
    for (unsigned i = 0; i < ARRAY_LEN(ops); i++) {
        uint32_t fit = (uint32_t)FRAME_SIZE / ops[i].size;
        uint64_t cmd = ops[i].cmd;
        memset(guest(1, WORLD_SCRATCH), 0, FRAME_SIZE);
        unsigned before = world_restarts;
        assert_int_equal(call(1, number, cmd, page, fit), ops[i].one ? -XEN_EINVAL : 0);
        assert_int_equal(world_restarts - before, ops[i].one ? 0 : (fit - 1) / 12);
        assert_int_equal(call(1, number, cmd, page, fit + 1),
                         ops[i].one ? -XEN_EINVAL : -XEN_EFAULT);
        assert_int_equal(call(1, number, cmd, NOWHERE, 0), ops[i].one ? -XEN_EINVAL : 0);
        assert_int_equal(call(1, number, cmd, NOWHERE, 1), -XEN_EFAULT);
        assert_int_equal(call(1, number, cmd, page, 0x80000000), -XEN_EINVAL);
    }
}

/* Lists that an operation is told of besides its structure. */
static void bad_lists(void **state)
{
    struct gnttab_setup_table t = {.dom = DOMID_SELF, .nr_frames = 2, .frame_list = NOWHERE};
    assert_int_equal(GRANT(1, setup_table, &t), -XEN_EFAULT);
    t = (struct gnttab_setup_table){.dom = 2, .nr_frames = 2};
    assert_int_equal(GRANT(1, setup_table, &t), 0);
    assert_int_equal(t.status, GNTST_permission_denied);
    t = (struct gnttab_setup_table){.dom = DOMID_SELF, .nr_frames = ~0u};
    assert_int_equal(GRANT(1, setup_table, &t), 0);
    assert_true(t.status < 0);
    struct gnttab_set_version two = {2};
    assert_int_equal(GRANT(1, set_version, &two), 0);
    struct gnttab_get_status_frames s = {.dom = DOMID_SELF, .nr_frames = 1, .frame_list = NOWHERE};
    assert_int_equal(GRANT(1, get_status_frames, &s), -XEN_EFAULT);
    s = (struct gnttab_get_status_frames){.dom = DOMID_SELF, .nr_frames = ~0u};
    assert_int_equal(GRANT(1, get_status_frames, &s), 0);
    assert_true(s.status < 0);
    s = (struct gnttab_get_status_frames){.dom = 2, .nr_frames = 1};
    assert_int_equal(GRANT(1, get_status_frames, &s), 0);
    assert_true(s.status < 0);
    struct gnttab_swap_grant_ref w = {.ref_a = ~0u, .ref_b = 1};
    assert_int_equal(GRANT(1, swap_grant_ref, &w), 0);
    assert_int_equal(w.status, GNTST_bad_gntref);
}

/* --- Allowances --- */

static int64_t fill_ports(void)
{
    struct evtchn_alloc_unbound op = {DOMID_SELF, 2, 0};
    int64_t error = 0;
    for (unsigned i = 0; i < 300 && error == 0; i++) {
        error = EVENT(1, alloc_unbound, &op);
    }
    return error;
}
static int64_t switch_to_fifo(void)
{
    struct evtchn_init_control op = {.control_gfn = WORLD_BASE + 5};
    return EVENT(1, init_control, &op);
}
static int64_t grow_table(void)
{
    struct gnttab_setup_table op = {
        .dom = DOMID_SELF, .nr_frames = 20, .frame_list = (WORLD_SCRATCH << FRAME_SHIFT) + 1024};
    int64_t error = GRANT(1, setup_table, &op);
    return error != 0 ? error : op.status == GNTST_okay ? 0 : -XEN_ENOMEM;
}
static int64_t second_version(void)
{
    struct gnttab_set_version op = {2};
    return GRANT(1, set_version, &op);
}
static int64_t map_one(void)
{
    struct grant_entry_v1 *e = world[2]->grant->table->frame[GRANT_SHARED][0];
    e[30] = (struct grant_entry_v1){GTF_permit_access, 1, WORLD_BASE + 4};
    struct gnttab_map_grant_ref op = {
        .host_addr = 0x1000000000, .flags = GNTMAP_host_map, .ref = 30, .dom = 2};
    int64_t error = GRANT(1, map_grant_ref, &op);
    return error != 0 ? error : op.status == GNTST_okay ? 0 : -XEN_ENOMEM;
}
static int64_t populate(void)
{
    struct {
        struct xen_memory_reservation r;
        uint64_t where;
    } m = {.r = {.extent_start = (WORLD_SCRATCH << FRAME_SHIFT) + sizeof(m.r),
                 .nr_extents = 1,
                 .domid = DOMID_SELF},
           .where = 0x2000000};
    return MEMORY(1, populate_physmap, &m) == 1 ? 0 : -XEN_ENOMEM;
}

/* Refused until it can be had, and then had; what a refusal leaves is a domain that can ask again. */
static void bad_allowance(void **state)
{
    static int64_t (*const takers[])(void) = {grow_table,     second_version, fill_ports,
                                              switch_to_fifo, map_one,        populate};
    struct domain *d = world[1];
    for (unsigned i = 0; i < ARRAY_LEN(takers); i++) {
        uint64_t had = d->hyp_frames_max, refused = 0;
        for (uint64_t n = 0;; n++) {
            assert_true(n < 64);
            d->hyp_frames_max = d->hyp_frames + n;
            int64_t error = takers[i]();
            if (error == 0) {
                break;
            }
            assert_true(error < 0);
            refused++;
        }
        assert_true(refused > 0);
        d->hyp_frames_max = had;
    }
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {STORY(bad_read_only), STORY(bad_nowhere), STORY(good_arrays),
                                       STORY(bad_lists), STORY(bad_allowance)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Grants one by one: answers, limits, versions, batches, and ends in every order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../hyp/spec/xen-spec.h"
#include "xen-world.h"
#include <string.h>

static int setup(void **state)
{
    world_begin(3);
    return 0;
}
static int teardown(void **state)
{
    for (unsigned id = 1; id <= 3; id++) {
        if (world[id] != NULL) {
            assert_null(spec_grant_wrong(world[id]));
        }
    }
    world_end();
    return 0;
}

static struct grant_entry_v1 *entry(unsigned id, uint32_t ref)
{
    return &((struct grant_entry_v1 *)world[id]
                 ->grant->table->frame[GRANT_SHARED][ref / 512])[ref % 512];
}

static void permit(unsigned id, uint32_t ref, domid_t to, uint64_t frame, uint16_t flags)
{
    *entry(id, ref) = (struct grant_entry_v1){GTF_permit_access | flags, to, (uint32_t)frame};
}

static int map(unsigned id, domid_t from, uint32_t ref, uint64_t at, uint32_t flags,
               grant_handle_t *handle)
{
    struct gnttab_map_grant_ref m = {
        .host_addr = at << FRAME_SHIFT, .flags = flags, .ref = ref, .dom = from};
    assert_int_equal(GRANT(id, map_grant_ref, &m), 0);
    *handle = m.handle;
    return m.status;
}

static int unmap(unsigned id, uint64_t at, grant_handle_t handle)
{
    struct gnttab_unmap_grant_ref u = {.host_addr = at << FRAME_SHIFT, .handle = handle};
    assert_int_equal(GRANT(id, unmap_grant_ref, &u), 0);
    return u.status;
}

static void a_mapping_shows_the_page(void **state)
{
    grant_handle_t h;
    permit(1, 8, 2, WORLD_BASE + 3, 0);
    strcpy(guest(1, WORLD_BASE + 3), "secret");
    assert_int_equal(map(2, 1, 8, WORLD_HOLE, GNTMAP_host_map, &h), GNTST_okay);
    assert_string_equal(guest(2, WORLD_HOLE), "secret");
    assert_int_equal(entry(1, 8)->flags, GTF_permit_access | GTF_reading | GTF_writing);
    assert_int_equal(unmap(2, WORLD_HOLE + 1, h), GNTST_general_error);
    assert_int_equal(unmap(2, WORLD_HOLE, h), GNTST_okay);
    assert_int_equal(unmap(2, WORLD_HOLE, h), GNTST_bad_handle);
    assert_int_equal(entry(1, 8)->flags, GTF_permit_access);
}

static void wrong_mappings_are_refused(void **state)
{
    grant_handle_t h;
    permit(1, 8, 2, WORLD_BASE, GTF_readonly);
    permit(1, 9, 3, WORLD_BASE, 0);
    permit(1, 10, 2, WORLD_HOLE, 0);
    uint32_t host = GNTMAP_host_map, ro = GNTMAP_host_map | GNTMAP_readonly;
    assert_int_equal(map(2, 7, 8, WORLD_HOLE, host, &h), GNTST_bad_domain);
    assert_int_equal(map(2, 1, 512 * 64, WORLD_HOLE, host, &h), GNTST_bad_gntref);
    assert_int_equal(map(2, 1, 9, WORLD_HOLE, host, &h), GNTST_general_error);
    assert_int_equal(map(2, 1, 8, WORLD_HOLE, host, &h), GNTST_general_error);
    assert_int_equal(map(2, 1, 10, WORLD_HOLE, host, &h), GNTST_bad_page);
    assert_int_equal(map(2, 1, 11, WORLD_HOLE, host, &h), GNTST_general_error);
    assert_int_equal(map(2, 1, 8, WORLD_HOLE, 0, &h), GNTST_bad_gntref);
    assert_int_equal(map(2, 1, 8, WORLD_HOLE, ro | GNTMAP_device_map, &h), GNTST_general_error);
    assert_int_equal(map(2, 1, 8, 1ull << 50, ro, &h), GNTST_general_error);
    assert_int_equal(entry(1, 8)->flags, GTF_permit_access | GTF_readonly);
    assert_int_equal(map(2, 1, 8, WORLD_HOLE, ro, &h), GNTST_okay);
    mpa_t at;
    assert_false(fake_guest_translate(world[2], gpa(WORLD_HOLE << FRAME_SHIFT), true, &at));
    assert_int_equal(unmap(2, WORLD_HOLE, h), GNTST_okay);
    /* Not what is mapped by a grant: grants are for a domain's own memory. */
    permit(1, 12, 2, WORLD_BASE + 5, 0);
    assert_int_equal(map(2, 1, 12, WORLD_HOLE, host, &h), GNTST_okay);
    permit(2, 8, 3, WORLD_HOLE, 0);
    grant_handle_t h2;
    assert_int_equal(map(3, 2, 8, WORLD_HOLE, host, &h2), GNTST_bad_page);
    assert_int_equal(unmap(2, WORLD_HOLE, h), GNTST_okay);
}

static void memory_calls_cannot_touch_a_mapping(void **state)
{
    grant_handle_t h;
    permit(1, 8, 2, WORLD_BASE, 0);
    assert_int_equal(map(2, 1, 8, WORLD_HOLE, GNTMAP_host_map, &h), GNTST_okay);
    struct xen_remove_from_physmap r = {DOMID_SELF, WORLD_HOLE};
    assert_int_equal(MEMORY(2, remove_from_physmap, &r), -XEN_EINVAL);
    struct xen_add_to_physmap a = {
        .domid = DOMID_SELF, .space = XENMAPSPACE_shared_info, .gpfn = WORLD_HOLE};
    assert_int_equal(MEMORY(2, add_to_physmap, &a), -XEN_EACCES);
    assert_null(spec_grant_wrong(world[2]));
}

static void a_batch_is_flushed_once(void **state)
{
    struct gnttab_map_grant_ref m[32];
    struct gnttab_unmap_grant_ref u[32];
    memset(m, 0, sizeof(m));
    memset(u, 0, sizeof(u));
    for (unsigned i = 0; i < 32; i++) {
        permit(1, 8 + i, 2, WORLD_BASE + i, 0);
        m[i] = (struct gnttab_map_grant_ref){.host_addr = (WORLD_HOLE + i * 7) << FRAME_SHIFT,
                                             .flags = GNTMAP_host_map,
                                             .ref = 8 + i,
                                             .dom = 1};
    }
    uint64_t number = __HYPERVISOR_grant_table_op;
    assert_int_equal(call_with(2, number, GNTTABOP_map_grant_ref, m, sizeof(m), 32), 0);
    for (unsigned i = 0; i < 32; i++) {
        assert_int_equal(m[i].status, GNTST_okay);
        u[i] = (struct gnttab_unmap_grant_ref){.host_addr = m[i].host_addr, .handle = m[i].handle};
    }
    unsigned before = fake_flush_count;
    assert_int_equal(call_with(2, number, GNTTABOP_unmap_grant_ref, u, sizeof(u), 32), 0);
    assert_true(fake_flush_count <= before + 2);
    assert_int_equal(u[31].status, GNTST_okay);
    fake_tlb_check(world[2]);
}

static int copy(unsigned id, struct gnttab_copy *c)
{
    assert_int_equal(GRANT(id, copy, c), 0);
    return c->status;
}

static void copies_go_both_ways(void **state)
{
    permit(1, 8, 2, WORLD_BASE + 1, 0);
    strcpy(guest(1, WORLD_BASE + 1), "from one");
    struct gnttab_copy c = {
        .source = {.u = {.ref = 8}, .domid = 1, .offset = 0},
        .dest = {.u = {.gmfn = WORLD_BASE + 2}, .domid = DOMID_SELF, .offset = 100},
        .len = 9,
        .flags = GNTCOPY_source_gref};
    assert_int_equal(copy(2, &c), GNTST_okay);
    assert_string_equal((char *)guest(2, WORLD_BASE + 2) + 100, "from one");
    strcpy(guest(2, WORLD_BASE + 4), "from two");
    c = (struct gnttab_copy){.source = {.u = {.gmfn = WORLD_BASE + 4}, .domid = DOMID_SELF},
                             .dest = {.u = {.ref = 8}, .domid = 1, .offset = 4000},
                             .len = 9,
                             .flags = GNTCOPY_dest_gref};
    assert_int_equal(copy(2, &c), GNTST_okay);
    assert_string_equal((char *)guest(1, WORLD_BASE + 1) + 4000, "from two");
    assert_int_equal(entry(1, 8)->flags, GTF_permit_access);
    c.len = 97;
    assert_int_equal(copy(2, &c), GNTST_bad_copy_arg);
    entry(1, 8)->flags |= GTF_readonly;
    c.len = 9;
    assert_int_equal(copy(2, &c), GNTST_general_error);
    c.source.domid = 1;
    assert_int_equal(copy(2, &c), GNTST_permission_denied); /* by frame number: one's own only */
    assert_int_equal(copy(3, &c), GNTST_permission_denied);
    c.source.domid = 9;
    assert_int_equal(copy(2, &c), GNTST_bad_domain);
}

/* Within one frame too, wherever the two are: what was there before arrives. */
static void copies_may_overlap(void **state)
{
    static const uint16_t places[][3] = {{1, 0, 4095},   {0, 1, 4095},  {5, 1000, 3001},
                                         {1000, 5, 513}, {8, 16, 4000}, {100, 3, 90}};
    uint8_t before[FRAME_SIZE], *page = guest(1, WORLD_BASE);
    for (unsigned i = 0; i < ARRAY_LEN(places); i++) {
        uint16_t from = places[i][0], to = places[i][1], length = places[i][2];
        for (unsigned at = 0; at < FRAME_SIZE; at++) {
            page[at] = before[at] = (uint8_t)(at * 7 + at / 256);
        }
        memmove(before + to, before + from, length);
        struct gnttab_copy c = {
            .source = {.u = {.gmfn = WORLD_BASE}, .domid = DOMID_SELF, .offset = from},
            .dest = {.u = {.gmfn = WORLD_BASE}, .domid = DOMID_SELF, .offset = to},
            .len = length};
        assert_int_equal(copy(1, &c), GNTST_okay);
        assert_memory_equal(page, before, FRAME_SIZE);
    }
}

static void version_2_works_too(void **state)
{
    struct gnttab_set_version sv = {2};
    struct gnttab_get_version gv = {.dom = DOMID_SELF};
    permit(1, 1, 3, WORLD_BASE, 0);
    assert_int_equal(GRANT(1, set_version, &sv), 0);
    assert_int_equal(GRANT(1, get_version, &gv), 0);
    assert_int_equal(gv.version, 2);
    union grant_entry_v2 *e = world[1]->grant->table->frame[GRANT_SHARED][0];
    grant_status_t *status = world[1]->grant->table->frame[GRANT_STATUS][0];
    assert_int_equal(e[1].hdr.domid, 3); /* reserved entries survive */
    assert_int_equal(e[1].full_page.frame, WORLD_BASE);
    e[8].full_page.frame = WORLD_BASE + 1;
    e[8].hdr = (struct grant_entry_header){GTF_permit_access, 2};
    e[9].sub_page.frame = WORLD_BASE + 1;
    e[9].sub_page.page_off = 16;
    e[9].sub_page.length = 8;
    e[9].hdr = (struct grant_entry_header){GTF_permit_access | GTF_sub_page, 2};
    grant_handle_t h;
    assert_int_equal(map(2, 1, 8, WORLD_HOLE, GNTMAP_host_map, &h), GNTST_okay);
    assert_int_equal(status[8], GTF_reading | GTF_writing);
    assert_int_equal(e[8].hdr.flags, GTF_permit_access);
    sv.version = 1;
    assert_int_equal(GRANT(1, set_version, &sv), -XEN_EBUSY);
    assert_int_equal(unmap(2, WORLD_HOLE, h), GNTST_okay);
    assert_int_equal(status[8], 0);
    assert_int_equal(map(2, 1, 9, WORLD_HOLE, GNTMAP_host_map, &h), GNTST_general_error);
    struct gnttab_copy c = {.source = {.u = {.ref = 9}, .domid = 1, .offset = 16},
                            .dest = {.u = {.gmfn = WORLD_BASE + 2}, .domid = DOMID_SELF},
                            .len = 8,
                            .flags = GNTCOPY_source_gref};
    assert_int_equal(copy(2, &c), GNTST_okay);
    c.len = 9;
    assert_int_equal(copy(2, &c), GNTST_general_error);
    e[10].transitive.trans_domid = 3;
    e[10].transitive.gref = 8;
    e[10].hdr = (struct grant_entry_header){GTF_transitive, 2};
    c.source.u.ref = 10;
    assert_int_equal(copy(2, &c), GNTST_general_error); /* as Xen told gnttab=no-transitive */
    assert_int_equal(map(2, 1, 10, WORLD_HOLE, GNTMAP_host_map, &h), GNTST_general_error);
    assert_int_equal(GRANT(1, set_version, &sv), 0);
    assert_int_equal(entry(1, 1)->domid, 3);
    sv.version = 3;
    assert_int_equal(GRANT(1, set_version, &sv), -XEN_EINVAL);
}

static void tables_are_asked_and_grow(void **state)
{
    struct gnttab_query_size q = {.dom = DOMID_SELF};
    struct {
        struct gnttab_setup_table s;
        uint64_t list[64];
    } a = {.s = {.dom = DOMID_SELF, .nr_frames = 64}};
    assert_int_equal(GRANT(1, query_size, &q), 0);
    assert_int_equal(q.nr_frames, 1);
    assert_int_equal(q.max_nr_frames, 64);
    a.s.frame_list = (WORLD_SCRATCH << FRAME_SHIFT) + offsetof(__typeof__(a), list);
    assert_int_equal(GRANT(1, setup_table, &a), 0);
    assert_int_equal(a.s.status, GNTST_okay);
    a.s.nr_frames = 65;
    assert_int_equal(GRANT(1, setup_table, &a), 0);
    assert_int_equal(a.s.status, GNTST_general_error);
    permit(1, 512 * 63 + 511, 2, WORLD_BASE, 0);
    grant_handle_t h;
    assert_int_equal(map(2, 1, 512 * 63 + 511, WORLD_HOLE, GNTMAP_host_map, &h), GNTST_okay);
    struct gnttab_swap_grant_ref s = {512 * 63 + 511, 20, 0};
    assert_int_equal(GRANT(1, swap_grant_ref, &s), 0);
    assert_int_equal(s.status, GNTST_eagain);
    assert_int_equal(unmap(2, WORLD_HOLE, h), GNTST_okay);
    assert_int_equal(GRANT(1, swap_grant_ref, &s), 0);
    assert_int_equal(s.status, GNTST_okay);
    assert_int_equal(entry(1, 20)->domid, 2);
    struct gnttab_transfer t = {0};
    assert_int_equal(GRANT(1, transfer, &t), 0);
    assert_int_equal(t.status, GNTST_general_error);
    assert_int_equal(GRANT(1, dump_table, &t), -XEN_ENOSYS);
}

static void cache_flush_is_for_ones_own(void **state)
{
    struct gnttab_cache_flush f = {.op = 0};
    assert_int_equal(GRANT(1, cache_flush, &f), 0); /* how Linux asks if it is there */
    mpa_t at;
    assert_true(fake_guest_translate(world[1], gpa(WORLD_BASE << FRAME_SHIFT), false, &at));
    f = (struct gnttab_cache_flush){
        .a = {at.v}, .offset = 8, .length = 100, .op = GNTTAB_CACHE_CLEAN};
    assert_int_equal(GRANT(1, cache_flush, &f), 0);
    assert_int_equal(GRANT(2, cache_flush, &f), -XEN_EPERM);
    permit(1, 8, 2, WORLD_BASE, 0);
    grant_handle_t h;
    assert_int_equal(map(2, 1, 8, WORLD_HOLE, GNTMAP_host_map, &h), GNTST_okay);
    assert_int_equal(GRANT(2, cache_flush, &f), 0);
    f.length = 4090;
    assert_int_equal(GRANT(2, cache_flush, &f), -XEN_EINVAL);
}

static void ends_in_every_order_leave_nothing(void **state)
{
    static const unsigned orders[6][3] = {{1, 2, 3}, {1, 3, 2}, {2, 1, 3},
                                          {2, 3, 1}, {3, 1, 2}, {3, 2, 1}};
    for (unsigned o = 0; o < 6; o++) {
        if (o > 0) {
            world_begin(3);
        }
        for (unsigned from = 1; from <= 3; from++) {
            for (unsigned to = 1; to <= 3; to++) {
                grant_handle_t h;
                permit(from, 8 + to, (domid_t)to, WORLD_BASE + to, 0);
                assert_int_equal(
                    map(to, (domid_t)from, 8 + to, WORLD_HOLE + from, GNTMAP_host_map, &h),
                    GNTST_okay);
                assert_int_equal(map(to, (domid_t)from, 8 + to, WORLD_HOLE + 8 + from,
                                     GNTMAP_host_map | GNTMAP_readonly, &h),
                                 GNTST_okay);
            }
        }
        for (unsigned i = 0; i < 3; i++) {
            world_kill(orders[o][i]);
        }
        world_end();
    }
    world_begin(1);
}

/* A domain that starts again leaves its old table to those who map it, and has a new one. */
static void a_restart_does_not_wait_for_others(void **state)
{
    grant_handle_t h;
    permit(1, 8, 2, WORLD_BASE, 0);
    assert_int_equal(map(2, 1, 8, WORLD_HOLE, GNTMAP_host_map, &h), GNTST_okay);
    strcpy(guest(2, WORLD_HOLE), "still here");
    struct domain *d = world[1];
    world_empty(d);
    world_stop_calls(d);
    assert_int_equal(xen_domain_start(d), 0);
    assert_string_equal(guest(2, WORLD_HOLE), "still here");
    assert_int_equal(entry(1, 8)->flags, 0);
    assert_int_equal(unmap(2, WORLD_HOLE, h), GNTST_okay);
    assert_int_equal(d->refs, 1);
}

/*
 * The largest table there can be, used all over, and as many mappings: its end takes many calls, and
 * none of them gives back more than a few pages. What is still mapped keeps its active entries only.
 */
static void an_end_is_made_in_small_steps(void **state)
{
    static grant_handle_t h[64 * 4];
    struct domain *d = world[1];
    struct frame_stats s;
    mfn_t m;
    d->hyp_frames_max += 400;
    assert_int_equal(grant_frame(d, GRANT_FRAMES_MAX - 1, false, &m), 0);
    for (uint32_t i = 0; i < ARRAY_LEN(h); i++) {
        permit(1, i * 128 + 8, 2, WORLD_BASE + i % 32, 0);
        assert_int_equal(map(2, 1, i * 128 + 8, WORLD_HOLE + i, GNTMAP_host_map, &h[i]), 0);
    }
    for (uint32_t i = 1; i < ARRAY_LEN(h); i++) {
        assert_int_equal(unmap(2, WORLD_HOLE + i, h[i]), GNTST_okay);
    }
    world_empty(d);
    frame_stats(&s);
    uint64_t free = s.free, most = 0;
    unsigned calls = 1;
    for (int error = -XEN_ERESTART; error != 0; calls++) {
        error = xen_domain_stop(d);
        frame_stats(&s);
        most = s.free - free > most ? s.free - free : most;
        free = s.free;
    }
    assert_in_range(calls, (64 + 256) / 16, 64);
    assert_in_range(most, 1, 16);
    assert_int_equal(d->refs, 2); /* its table's */
    uint64_t kept = d->hyp_frames;
    assert_int_equal(unmap(2, WORLD_HOLE, h[0]), GNTST_okay);
    assert_int_equal(kept - d->hyp_frames,
                     2); /* one page of active entries, and the table's record */
    assert_int_equal(d->refs, 1);
    /* He who mapped them: as many handles as there were mappings at once, some a call. */
    for (calls = 0; xen_domain_stop(world[2]) == -XEN_ERESTART; calls++) {
        assert_true(calls < 100);
    }
}

/* Memory for the n-th allocation is not there: refused, and nothing is lost. */
static void running_out_of_memory_is_an_answer(void **state)
{
    for (unsigned room = 0; room < 6; room++) {
        grant_handle_t h;
        permit(1, 8, 2, WORLD_BASE, 0);
        world[2]->hyp_frames_max = world[2]->hyp_frames + room;
        int status = map(2, 1, 8, WORLD_HOLE + room * (1ull << 18), GNTMAP_host_map, &h);
        assert_true(status == GNTST_okay || status == GNTST_no_device_space ||
                    status == GNTST_general_error);
        if (status == GNTST_okay) {
            assert_int_equal(unmap(2, WORLD_HOLE + room * (1ull << 18), h), GNTST_okay);
        }
        assert_int_equal(entry(1, 8)->flags, GTF_permit_access);
        assert_null(spec_grant_wrong(world[2]));
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_mapping_shows_the_page),
        T(wrong_mappings_are_refused),
        T(memory_calls_cannot_touch_a_mapping),
        T(a_batch_is_flushed_once),
        T(copies_go_both_ways),
        T(copies_may_overlap),
        T(version_2_works_too),
        T(tables_are_asked_and_grow),
        T(cache_flush_is_for_ones_own),
        T(ends_in_every_order_leave_nothing),
        T(a_restart_does_not_wait_for_others),
        T(an_end_is_made_in_small_steps),
        T(running_out_of_memory_is_an_answer),
    };
    return cmocka_run_group_tests_name("xen-grant", tests, NULL, NULL);
}

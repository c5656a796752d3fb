/* Stage 2: blocks, splitting, merging, invalidation, teardown, guest copies; on the model's TLB. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arch/stage2.h>
#include <fake.h>
#include <hyp/frame.h>
#include <hyp/p2m.h>
#include <stdlib.h>
#include <string.h>
#include <xen/errno.h>

#define MIB (1ull << 20)
#define GIB (1ull << 30)
#define M2 512ull       /* 2 MiB in frames */
#define G1 (1ull << 18) /* 1 GiB in frames */

#define FAILS(call) FAKE_EXPECT_ASSERT(assert_int_equal(call, 0))

#define ALL_TYPES ((1u << P2M_TYPE_COUNT) - 1)

static struct domain *d;
static struct frame_stats at_start;

static int setup(void **state)
{
    fake_boot(2, 4 * GIB);
    frame_stats(&at_start);
    d = fake_domain(1, "guest", 1);
    return p2m_init(d);
}

static int teardown(void **state)
{
    struct frame_stats now;
    int error;
    while ((error = p2m_teardown(d)) == -XEN_ERESTART) {
    }
    assert_int_equal(error, 0);
    fake_tlb_check(d);
    p2m_destroy(d);
    frame_stats(&now);
    assert_int_equal(d->hyp_frames, 0);
    assert_int_equal(now.free, at_start.free);
    assert_int_equal(frame_owned_count(1), 0);
    for (unsigned t = 0; t < P2M_TYPE_COUNT; t++) {
        assert_int_equal(d->p2m.mapped_frames[t], 0);
    }
    assert_int_equal(fake_locks_held(), 0);
    assert_int_equal(p2m_teardown(d), 0); /* again: nothing to do */
    p2m_destroy(d);
    return 0;
}

static mfn_t memory(unsigned order)
{
    mfn_t m;
    assert_int_equal(frame_alloc_domain(d, order, &m), 0);
    return m;
}

/* Device frames need no owner: any number will do, outside the arena where nothing is
 * dereferenced. */
static const mfn_t device = {0x9000000 >> 12};

static void map(uint64_t g, mfn_t m, uint64_t count, enum p2m_type t)
{
    assert_int_equal(p2m_map(d, gfn(g), m, count, t), 0);
    fake_tlb_check(d);
}

static void unmap(uint64_t g, uint64_t count)
{
    assert_int_equal(p2m_unmap(d, gfn(g), count), 0);
    fake_tlb_check(d);
}

static struct p2m_entry look(uint64_t g)
{
    struct p2m_entry e = {MFN_NONE, P2M_INVALID, 99};
    p2m_lookup(d, gfn(g), &e);
    return e;
}

static void assert_maps(uint64_t g, mfn_t m, enum p2m_type t, unsigned order)
{
    struct p2m_entry e = look(g);
    mpa_t at;
    assert_int_equal(e.type, t);
    assert_int_equal(e.mfn.v, m.v);
    assert_int_equal(e.order, order);
    assert_true(fake_guest_translate(d, gpa(g << 12 | 8), false, &at));
    assert_int_equal(at.v, m.v << 12 | 8);
}

static void test_largest_blocks(void **state)
{
    mfn_t m = memory(18);
    uint64_t tables = d->p2m.table_frames;
    map(G1, m, G1, P2M_RAM);
    assert_maps(G1, m, P2M_RAM, 18);
    assert_maps(G1 + 77777, mfn(m.v + 77777), P2M_RAM, 18);
    assert_int_equal(d->p2m.table_frames, tables);
    assert_int_equal(look(G1 - 1).type, P2M_INVALID);
    assert_int_equal(look(2 * G1).type, P2M_INVALID);
    map(3 * G1 + M2, device, 3 * M2 + 5, P2M_MMIO);
    assert_maps(3 * G1 + M2, device, P2M_MMIO, 9);
    assert_maps(3 * G1 + 4 * M2 + 4, mfn(device.v + 3 * M2 + 4), P2M_MMIO, 0);
    assert_int_equal(d->p2m.table_frames, tables + 2);
    assert_int_equal(d->p2m.mapped_frames[P2M_MMIO], 3 * M2 + 5);
    assert_int_equal(d->p2m.max_gfn.v, 3 * G1 + 4 * M2 + 5);
    assert_int_equal(fake_flush_count, 0); /* from invalid to valid needs none */
}

static void test_misaligned_uses_pages(void **state)
{
    map(M2, mfn(device.v + 1), M2, P2M_MMIO);
    assert_maps(M2 + 3, mfn(device.v + 4), P2M_MMIO, 0);
    unmap(M2, M2);
}

static void test_arguments(void **state)
{
    uint64_t limit = 1ull << (arch_s2_address_bits() - 12);
    assert_int_equal(p2m_map(d, gfn(limit), device, 1, P2M_MMIO), -XEN_EINVAL);
    assert_int_equal(p2m_map(d, gfn(limit - 1), device, 2, P2M_MMIO), -XEN_EINVAL);
    assert_int_equal(p2m_map(d, gfn(~0ull), device, 2, P2M_MMIO), -XEN_EINVAL);
    assert_int_equal(p2m_map(d, gfn(1), device, 0, P2M_MMIO), -XEN_EINVAL);
    assert_int_equal(p2m_map(d, gfn(1), device, ~0ull, P2M_MMIO), -XEN_EINVAL);
    assert_int_equal(p2m_map(d, gfn(1), device, 1, P2M_INVALID), -XEN_EINVAL);
    assert_int_equal(p2m_map(d, gfn(1), device, 1, P2M_TYPE_COUNT), -XEN_EINVAL);
    assert_int_equal(p2m_unmap(d, gfn(limit), 1), -XEN_EINVAL);
    assert_int_equal(p2m_set_type(d, gfn(limit), 1, P2M_RAM), -XEN_EINVAL);
    assert_int_equal(p2m_set_type(d, gfn(1), 1, P2M_MMIO), -XEN_EINVAL);
    struct p2m_entry e;
    assert_false(p2m_lookup(d, gfn(limit), &e));
    assert_false(p2m_lookup(d, gfn(~0ull), &e));
    map(limit - 1, device, 1, P2M_MMIO);
    assert_int_equal(p2m_map(d, gfn(limit - 2), device, 2, P2M_MMIO), -XEN_EEXIST);
    assert_int_equal(look(limit - 2).type, P2M_INVALID);
    unmap(limit - 1, 1);
}

static void test_unmap_splits_and_prunes(void **state)
{
    uint64_t tables = d->p2m.table_frames;
    mfn_t m = mfn(G1);
    map(0, m, G1, P2M_MMIO);
    unsigned flushes = fake_flush_count;
    unmap(1000, 1);
    assert_int_equal(fake_flush_count, flushes + 3); /* two splits and the unmapping */
    assert_int_equal(d->p2m.table_frames, tables + 2);
    assert_maps(999, mfn(m.v + 999), P2M_MMIO, 0);
    assert_int_equal(look(1000).type, P2M_INVALID);
    assert_maps(1001, mfn(m.v + 1001), P2M_MMIO, 0);
    assert_maps(512 * 100, mfn(m.v + 512 * 100), P2M_MMIO, 9);
    flushes = fake_flush_count;
    unmap(0, G1); /* holes are skipped */
    assert_int_equal(fake_flush_count, flushes + 1);
    assert_int_equal(d->p2m.table_frames, tables);
    assert_int_equal(d->p2m.mapped_frames[P2M_MMIO], 0);
    unmap(0, G1);
    assert_int_equal(fake_flush_count, flushes + 1);
}

static void test_unmap_across_blocks(void **state)
{
    map(0, mfn(0), 4 * M2, P2M_MMIO);
    unmap(M2 - 3, M2 + 6);
    for (uint64_t g = 0; g < 4 * M2; g++) {
        assert_int_equal(look(g).type, g < M2 - 3 || g >= 2 * M2 + 3 ? P2M_MMIO : P2M_INVALID);
    }
    unmap(0, 4 * M2);
}

static void test_merge_when_a_table_fills_up(void **state)
{
    mfn_t m = memory(10);
    map(M2, m, 1024, P2M_RAM);
    unmap(M2 + 5, 1);
    assert_maps(M2 + 6, mfn(m.v + 6), P2M_RAM, 0);
    map(M2 + 5, mfn(m.v + 5), 1, P2M_RAM);
    assert_maps(M2 + 5, mfn(m.v + 5), P2M_RAM, 9);
    unmap(M2 + 511, 1);
    mfn_t other = memory(0);
    map(M2 + 511, other, 1, P2M_RAM); /* not the right frame */
    assert_maps(M2 + 511, other, P2M_RAM, 0);
    frame_put(mfn(m.v + 511));
}

/* Taking a grant back must not need memory: R2 in grant-map.c rests on it. */
static void test_grants_never_merge(void **state)
{
    struct p2m_entry e;
    for (uint64_t i = 0; i < M2; i++) {
        map(M2 + i, mfn(M2 + i), 1, P2M_GRANT_RW);
    }
    assert_maps(M2 + 5, mfn(M2 + 5), P2M_GRANT_RW, 0);
    d->hyp_frames_max = d->hyp_frames;
    for (uint64_t i = 0; i < M2; i++) {
        assert_int_equal(p2m_take(d, gfn(M2 + i), P2M_TYPES_RAM, &e), -XEN_EACCES);
        assert_int_equal(p2m_take(d, gfn(M2 + i), P2M_TYPES_GRANT, &e), 0);
    }
    p2m_flush(d);
    d->hyp_frames_max = ~0ull;
}

static void test_merge_to_a_gigabyte(void **state)
{
    map(0, mfn(G1), G1, P2M_MMIO);
    unmap(4711, 2);
    assert_maps(4710, mfn(G1 + 4710), P2M_MMIO, 0);
    map(4711, mfn(G1 + 4711), 2, P2M_MMIO);
    assert_maps(4711, mfn(G1 + 4711), P2M_MMIO, 18);
    unmap(0, G1);
}

static void test_rights(void **state)
{
    mfn_t m = memory(9);
    mpa_t at;
    map(M2, m, M2, P2M_RAM);
    assert_int_equal(p2m_set_type(d, gfn(M2 + 10), 5, P2M_RAM_RO), 0);
    fake_tlb_check(d);
    assert_maps(M2 + 10, mfn(m.v + 10), P2M_RAM_RO, 0);
    assert_maps(M2 + 9, mfn(m.v + 9), P2M_RAM, 0);
    assert_false(fake_guest_translate(d, gpa((M2 + 10) << 12), true, &at));
    assert_true(p2m_allows(d, gpa((M2 + 10) << 12), false, true));
    assert_false(p2m_allows(d, gpa((M2 + 10) << 12), true, false));
    assert_int_equal(d->p2m.mapped_frames[P2M_RAM_RO], 5);
    assert_int_equal(p2m_set_type(d, gfn(M2), M2, P2M_RAM_XN), 0);
    assert_maps(M2 + 10, mfn(m.v + 10), P2M_RAM_XN, 9); /* one block again */
    assert_false(p2m_allows(d, gpa(M2 << 12), false, true));
    assert_true(p2m_allows(d, gpa(M2 << 12), true, false));
    assert_int_equal(p2m_set_type(d, gfn(0), 2 * M2, P2M_RAM), 0); /* holes are skipped */
    fake_tlb_check(d);
    map(0, device, 1, P2M_MMIO);
    assert_int_equal(p2m_set_type(d, gfn(0), 2 * M2, P2M_RAM_RO), -XEN_EINVAL);
    assert_maps(M2, m, P2M_RAM, 9);
    unmap(0, 1);
    assert_false(p2m_allows(d, gpa(0), false, false));
}

static void test_batch_takes_one_invalidation(void **state)
{
    struct p2m_entry e;
    mfn_t m = memory(5);
    map(100, m, 32, P2M_RAM);
    fake_flush_count = 0;
    for (uint64_t i = 0; i < 32; i++) {
        assert_int_equal(p2m_take(d, gfn(100 + i), ~0u, &e), 0);
        assert_int_equal(e.mfn.v, m.v + i);
        assert_int_equal(e.type, P2M_RAM);
    }
    assert_int_equal(p2m_take(d, gfn(100), ~0u, &e), -XEN_ENOENT);
    assert_int_equal(fake_flush_count, 0);
    assert_true(fake_tlb_reaches(d, m, 32));
    p2m_flush(d);
    p2m_flush(d);
    assert_int_equal(fake_flush_count, 1);
    assert_false(fake_tlb_reaches(d, m, 32));
    fake_tlb_check(d);
    frame_release(m, 5, 1);
}

/* Another CPU maps where an invalidation is still owed. */
static void test_map_pays_what_is_owed(void **state)
{
    struct p2m_entry e;
    map(100, device, 4, P2M_MMIO);
    fake_flush_count = 0;
    for (uint64_t g = 100; g < 104; g++) {
        assert_int_equal(p2m_take(d, gfn(g), ~0u, &e), 0);
    }
    /* The same table, which was emptied and is still there. */
    assert_int_equal(p2m_map(d, gfn(400), device, 1, P2M_MMIO_C), 0);
    assert_int_equal(fake_flush_count, 0);
    map(102, device, 1, P2M_MMIO_C);
    assert_int_equal(fake_flush_count, 1);
    p2m_flush(d);
    assert_int_equal(fake_flush_count, 1);
    unmap(102, 299);
}

/* P5: one empty table may stay, until another page goes, a block comes, or memory is short. */
static void test_an_idle_table_goes_in_time(void **state)
{
    struct p2m_entry e;
    uint64_t tables = d->p2m.table_frames;
    map(100, device, 1, P2M_MMIO);
    map(G1, device, 1, P2M_MMIO);
    assert_int_equal(p2m_take(d, gfn(100), ~0u, &e), 0);
    assert_int_equal(d->p2m.table_frames, tables + 4);
    assert_int_equal(p2m_take(d, gfn(G1), ~0u, &e), 0);
    assert_int_equal(d->p2m.table_frames, tables + 2);
    p2m_flush(d);
    fake_tlb_check(d);
    map(G1, device, M2, P2M_MMIO); /* where the empty table was: a block all the same */
    assert_maps(G1 + 5, mfn(device.v + 5), P2M_MMIO, 9);
    assert_int_equal(d->p2m.table_frames, tables + 1);
    map(2 * G1, device, 1, P2M_MMIO);
    assert_int_equal(p2m_take(d, gfn(2 * G1), ~0u, &e), 0);
    d->hyp_frames_max = d->hyp_frames;
    map(3 * G1, device, 1, P2M_MMIO); /* its pages serve again */
    d->hyp_frames_max = ~0ull;
    fake_tlb_check(d);
    unmap(0, 4 * G1);
    assert_int_equal(d->p2m.table_frames, tables);
}

static void test_take_splits_blocks(void **state)
{
    struct p2m_entry e;
    mfn_t m = memory(9);
    map(M2, m, M2, P2M_RAM);
    assert_int_equal(p2m_take(d, gfn(M2 + 7), ~0u, &e), 0);
    assert_int_equal(e.mfn.v, m.v + 7);
    assert_int_equal(e.order, 0);
    p2m_flush(d);
    fake_tlb_check(d);
    frame_put(e.mfn);
    assert_int_equal(frame_owned_count(1), 511);
}

static void test_lent_memory_cannot_be_given_up(void **state)
{
    struct p2m_entry e;
    mfn_t m = memory(9), held;
    map(M2, m, M2, P2M_RAM);
    assert_int_equal(p2m_get_frame(d, gfn(M2 + 3), true, &held), 0);
    assert_int_equal(held.v, m.v + 3);
    assert_int_equal(p2m_take(d, gfn(M2 + 3), ~0u, &e), -XEN_EBUSY);
    assert_int_equal(p2m_take(d, gfn(M2 + 4), ~0u, &e), 0);
    p2m_flush(d);
    frame_put(e.mfn);
    frame_put(held);
    assert_int_equal(p2m_take(d, gfn(M2 + 3), ~0u, &e), 0);
    p2m_flush(d);
    frame_put(e.mfn);
    assert_int_equal(frame_owned_count(1), 510);
}

static void test_get_frame(void **state)
{
    mfn_t m = memory(0), got = MFN_NONE;
    map(10, m, 1, P2M_RAM_RO);
    map(20, device, 1, P2M_MMIO);
    assert_int_equal(p2m_get_frame(d, gfn(10), true, &got), -XEN_EFAULT);
    assert_int_equal(p2m_get_frame(d, gfn(11), false, &got), -XEN_EFAULT);
    assert_int_equal(p2m_get_frame(d, gfn(20), false, &got), -XEN_EFAULT);
    assert_int_equal(p2m_get_frame(d, gfn(~0ull), false, &got), -XEN_EFAULT);
    assert_int_equal(got.v, MFN_NONE.v);
    assert_int_equal(p2m_get_frame(d, gfn(10), false, &got), 0);
    frame_put(got);
    unmap(20, 1);
}

/* The allowance runs out at every possible step: nothing is mapped, nothing lost. */
static void test_out_of_table_pages(void **state)
{
    uint64_t base = d->hyp_frames;
    for (uint64_t extra = 0; extra < 4; extra++) {
        d->hyp_frames_max = base + extra;
        assert_int_equal(p2m_map(d, gfn(G1 - 700), mfn(5), 1400, P2M_MMIO), -XEN_ENOMEM);
        fake_tlb_check(d);
        for (uint64_t g = G1 - 700; g < G1 + 700; g++) {
            assert_int_equal(look(g).type, P2M_INVALID);
        }
        assert_int_equal(d->p2m.mapped_frames[P2M_MMIO], 0);
        assert_int_equal(d->p2m.table_frames, base);
    }
    d->hyp_frames_max = ~0ull;
    map(G1 - 700, mfn(5), 1400, P2M_MMIO);
    unmap(G1 - 700, 1400);
    map(0, mfn(0), G1, P2M_MMIO);
    d->hyp_frames_max = d->hyp_frames;
    struct p2m_entry e;
    assert_int_equal(p2m_unmap(d, gfn(5), 1), -XEN_ENOMEM);
    assert_int_equal(p2m_take(d, gfn(5), ~0u, &e), -XEN_ENOMEM);
    d->hyp_frames_max++;
    assert_int_equal(p2m_unmap(d, gfn(5), 1), -XEN_ENOMEM);
    fake_tlb_check(d);
    assert_maps(5, mfn(5), P2M_MMIO, 9); /* split, but mapped as before */
    assert_maps(G1 - 1, mfn(G1 - 1), P2M_MMIO, 9);
    d->hyp_frames_max = ~0ull;
    unmap(0, 5 * G1);
}

static void test_set_type_out_of_table_pages(void **state)
{
    mfn_t m = memory(9);
    map(M2, m, M2, P2M_RAM);
    d->hyp_frames_max = d->hyp_frames;
    assert_int_equal(p2m_set_type(d, gfn(M2 + 1), 1, P2M_RAM_RO), -XEN_ENOMEM);
    assert_maps(M2 + 1, mfn(m.v + 1), P2M_RAM, 9);
    d->hyp_frames_max = ~0ull;
}

static void test_no_root(void **state)
{
    struct domain *e = fake_domain(3, "small", 1);
    struct p2m_entry entry;
    e->hyp_frames_max = 1;
    assert_int_equal(p2m_init(e), -XEN_ENOMEM);
    assert_int_equal(p2m_map(e, gfn(0), device, 1, P2M_MMIO), -XEN_EINVAL);
    assert_int_equal(p2m_unmap(e, gfn(0), 1), -XEN_EINVAL);
    assert_int_equal(p2m_take(e, gfn(0), ALL_TYPES, &entry), -XEN_ENOENT);
    assert_int_equal(p2m_set_type(e, gfn(0), 1, P2M_RAM), -XEN_EINVAL);
    assert_false(p2m_lookup(e, gfn(0), &entry));
    assert_int_equal(p2m_teardown(e), 0);
    p2m_destroy(e);
    assert_int_equal(e->hyp_frames, 0);
}

/* A lookup says how large a block is, and how large a hole. */
static void test_orders(void **state)
{
    struct p2m_entry e;
    map(5, device, 2, P2M_MMIO);
    map(G1 + M2, mfn(0), M2, P2M_MMIO);
    map(2 * G1, mfn(0), G1, P2M_MMIO);
    assert_int_equal(look(5).order, 0);
    assert_int_equal(look(G1 + M2 + 7).order, 9);
    assert_int_equal(look(2 * G1 + 999).order, 18);
    assert_false(p2m_lookup(d, gfn(7), &e));
    assert_int_equal(e.order, 0);
    assert_false(p2m_lookup(d, gfn(M2 + 7), &e));
    assert_int_equal(e.order, 9);
    assert_false(p2m_lookup(d, gfn(3 * G1), &e));
    assert_int_equal(e.order, 18);
    unmap(0, 4 * G1);
}

static void test_teardown_is_bounded(void **state)
{
    unsigned calls = 0;
    mfn_t m = memory(14);
    map(0x40000, m, 1 << 14, P2M_RAM);
    for (uint64_t i = 0; i < 1 << 14; i += 512) { /* every block split */
        unmap(0x40000 + i + 3, 1);
        frame_put(mfn(m.v + i + 3));
    }
    struct domain *other = fake_domain(2, "other", 1);
    mfn_t foreign;
    assert_int_equal(frame_alloc_domain(other, 0, &foreign), 0);
    assert_true(frame_get(foreign, 2));
    map(7, foreign, 1, P2M_FOREIGN);
    map(8, device, 1, P2M_MMIO);
    void *page = frame_alloc_hyp(d, 0);
    frame_share(page);
    map(9, va_to_mfn(page), 1, P2M_SHARED);
    unmap(9, 1);
    frame_unshare(page);
    frame_free_hyp(d, page, 0);
    while (p2m_teardown(d) == -XEN_ERESTART) {
        calls++;
        fake_tlb_check(d);
    }
    assert_true(calls >= 32);
    struct frame_info i;
    assert_true(frame_info(foreign, &i));
    assert_int_equal(i.refs, 1);
    frame_put(foreign);
}

static void test_teardown_of_gigabytes(void **state)
{
    mfn_t m = memory(18);
    map(G1, m, G1, P2M_RAM);
    map(9 * G1, mfn(G1 * 60), G1, P2M_MMIO); /* no RAM */
}

/* What took a call to one leaf was in one piece: 512 records of a split 2 MiB, 262,144 of a GiB. */
static void test_teardown_of_split_leaves(void **state)
{
    mfn_t m = memory(18);
    map(G1, m, G1, P2M_RAM);
    for (uint64_t i = 5; i < G1; i += 1024) { /* every other 2 MiB is recorded frame by frame */
        assert_true(frame_get(mfn(m.v + i), 1));
    }
    uint64_t owned = frame_owned_count(1), calls = 0;
    assert_int_equal(look(G1).order, 18);
    for (; p2m_teardown(d) == -XEN_ERESTART; calls++) {
        assert_in_range(owned - frame_owned_count(1), 0, 512 + 128);
        owned = frame_owned_count(1);
    }
    assert_true(calls >= 256 * 512 / 128);
    for (uint64_t i = 5; i < G1; i += 1024) {
        frame_put(mfn(m.v + i)); /* nobody's since its owner is gone */
    }
}

static void test_life_after_teardown(void **state)
{
    mpa_t root = d->p2m.root;
    map(G1 - 1, device, 2, P2M_MMIO);
    assert_true(FAKE_EXPECT_ASSERT(p2m_destroy(d))); /* not empty */
    for (unsigned life = 0; life < 3; life++) {
        while (p2m_teardown(d) == -XEN_ERESTART) {
        }
        assert_int_equal(d->hyp_frames, 1u << arch_s2_root_order());
        assert_int_equal(d->p2m.root.v, root.v);
        assert_int_equal(look(G1).type, P2M_INVALID);
        map(G1 - 1, memory(0), 1, P2M_RAM);
    }
}

static void test_teardown_with_a_grant_is_caught(void **state)
{
    map(1, device, 1, P2M_GRANT_RW);
    assert_true(FAILS(p2m_teardown(d)));
    setup(state);
}

/* Frames outlive their domain while others hold them. */
static void test_lent_memory_outlives_the_domain(void **state)
{
    struct frame_info i;
    mfn_t m = memory(9), held;
    memset(mfn_to_va(m), 1, FRAME_SIZE);
    map(M2, m, M2, P2M_RAM);
    assert_int_equal(p2m_get_frame(d, gfn(M2), false, &held), 0);
    while (p2m_teardown(d) == -XEN_ERESTART) {
    }
    assert_int_equal(frame_owned_count(1), 0);
    assert_true(frame_info(held, &i));
    assert_int_equal(i.state, FRAME_OWNED);
    assert_int_equal(((uint8_t *)mfn_to_va(held))[9], 1);
    frame_put(held);
}

/* bad_*: the model and P1, P4 are worth something only if it shows when they are broken. */

static void bad_forgotten_flush_on_unmap(void **state)
{
    map(5, device, 2, P2M_MMIO);
    fake_flush_broken = true;
    assert_int_equal(p2m_unmap(d, gfn(5), 1), 0);
    assert_true(FAKE_EXPECT_ASSERT(fake_tlb_check(d)));
    assert_true(FAILS(p2m_map(d, gfn(5), mfn(99), 1, P2M_MMIO)));
    setup(state);
}

static void bad_forgotten_flush_on_split(void **state)
{
    map(M2, mfn(0), M2, P2M_MMIO);
    fake_flush_broken = true;
    assert_true(FAILS(p2m_unmap(d, gfn(M2 + 5), 1)));
    setup(state);
}

static void bad_frame_reused_while_mapped(void **state)
{
    mfn_t m = memory(0);
    map(5, m, 1, P2M_RAM);
    assert_true(FAKE_EXPECT_ASSERT(frame_put(m))); /* before it is unmapped: breaks P4 */
    setup(state);
}

/* Guest copies. */

static void test_copies(void **state)
{
    static uint8_t in[3 * 4096], out[3 * 4096];
    mfn_t a = memory(0), b = memory(0), big = memory(9);
    for (unsigned i = 0; i < sizeof(in); i++) {
        in[i] = (uint8_t)(i * 7 + i / 256);
    }
    map(M2 * 4 - 2, a, 1, P2M_RAM);
    map(M2 * 4 - 1, b, 1, P2M_RAM_XN);
    map(M2 * 4, big, M2, P2M_RAM);
    uint64_t at = (M2 * 4 - 2) * 4096 + 100;
    assert_int_equal(guest_write(d, gpa(at), in, sizeof(in)), 0);
    assert_int_equal(guest_read(d, out, gpa(at), sizeof(in)), 0);
    assert_memory_equal(in, out, sizeof(in));
    assert_memory_equal((uint8_t *)mfn_to_va(a) + 100, in, 4096 - 100);
    assert_memory_equal(mfn_to_va(b), in + 4096 - 100, 4096);
    assert_memory_equal(mfn_to_va(big), in + 2 * 4096 - 100, 4096);
    assert_int_equal(guest_zero(d, gpa(at + 10), 5000), 0);
    memset(in + 10, 0, 5000);
    assert_int_equal(guest_read(d, out, gpa(at), sizeof(in)), 0);
    assert_memory_equal(in, out, sizeof(in));
    for (unsigned size = 0; size < 17; size++) {
        memset(out, 0xee, sizeof(out));
        assert_int_equal(guest_read(d, out, gpa(at + 4096 * 2), size), 0);
        assert_memory_equal(out, in + 4096 * 2, size);
        assert_int_equal(out[size], 0xee);
        assert_int_equal(guest_write(d, gpa(at + 4096 * 2), in, size), 0);
        assert_int_equal(guest_write(d, gpa(at + 4096 * 2), in + 4096 * 2, size), 0);
    }
    assert_int_equal(fake_locks_held(), 0);
}

static void test_copies_refused(void **state)
{
    uint64_t word = 0x55;
    mfn_t m = memory(1);
    map(10, m, 1, P2M_RAM_RO);
    map(11, mfn(m.v + 1), 1, P2M_RAM);
    map(20, device, 1, P2M_MMIO);
    assert_int_equal(guest_write(d, gpa(10 << 12), &word, 8), -XEN_EFAULT);
    assert_int_equal(guest_zero(d, gpa(10 << 12), 8), -XEN_EFAULT);
    assert_int_equal(guest_read(d, &word, gpa(20 << 12), 8), -XEN_EFAULT);
    assert_int_equal(guest_write(d, gpa(20 << 12), &word, 8), -XEN_EFAULT);
    assert_int_equal(guest_read(d, &word, gpa(30 << 12), 8), -XEN_EFAULT);
    assert_int_equal(guest_read(d, &word, gpa((12 << 12) - 4), 8),
                     -XEN_EFAULT); /* second half missing */
    assert_int_equal(guest_read(d, &word, gpa(~0ull - 3), 8), -XEN_EFAULT);
    assert_int_equal(guest_read(d, &word, gpa(1ull << 63), 8), -XEN_EFAULT);
    assert_int_equal(guest_read(d, &word, gpa(10 << 12), 8), 0);
    assert_int_equal(word, 0);
    unmap(20, 1);
}

/* Random maps, unmaps and rights against a plain array. */
static void test_random_against_an_array(void **state)
{
    enum { SPAN = 3 * 512 + 100 };
    static struct {
        uint64_t m;
        enum p2m_type t;
    } model[SPAN];
    mfn_t m = memory(11);
    uint64_t base = G1 - 512;
    memset(model, 0, sizeof(model));
    srand(11);
    for (unsigned step = 0; step < 3000; step++) {
        uint64_t at = (uint64_t)(rand() % SPAN),
                 count = 1 + (uint64_t)(rand() % (rand() % 4 ? 30 : 1100));
        count = at + count > SPAN ? SPAN - at : count;
        uint64_t to = rand() % 3 == 0 ? (uint64_t)(rand() % 400) : at; /* mostly aligned alike */
        enum p2m_type t = (enum p2m_type)(P2M_RAM + rand() % 3);
        bool free_range = true;
        for (uint64_t i = at; i < at + count; i++) {
            free_range = free_range && model[i].t == P2M_INVALID;
        }
        switch (rand() % 4) {
        case 0:
        case 1:
            assert_int_equal(p2m_map(d, gfn(base + at), mfn(m.v + to), count, t),
                             free_range ? 0 : -XEN_EEXIST);
            for (uint64_t i = 0; free_range && i < count; i++) {
                model[at + i].m = m.v + to + i;
                model[at + i].t = t;
            }
            break;
        case 2:
            assert_int_equal(p2m_unmap(d, gfn(base + at), count), 0);
            for (uint64_t i = 0; i < count; i++) {
                model[at + i].t = P2M_INVALID;
            }
            break;
        case 3:
            assert_int_equal(p2m_set_type(d, gfn(base + at), count, t), 0);
            for (uint64_t i = 0; i < count; i++) {
                model[at + i].t = model[at + i].t != P2M_INVALID ? t : P2M_INVALID;
            }
            break;
        }
        fake_tlb_check(d);
        for (uint64_t i = 0; i < SPAN; i += step % 16 == 0 ? 1 : 13) {
            struct p2m_entry e = look(base + i);
            assert_int_equal(e.type, model[i].t);
            if (e.type != P2M_INVALID) {
                assert_int_equal(e.mfn.v, model[i].m);
            }
        }
    }
    unmap(base, SPAN);
    assert_int_equal(d->p2m.table_frames, 1ull << arch_s2_root_order()); /* P5 */
    frame_release(m, 11, 1);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_largest_blocks),
        TEST(test_misaligned_uses_pages),
        TEST(test_arguments),
        TEST(test_unmap_splits_and_prunes),
        TEST(test_unmap_across_blocks),
        TEST(test_merge_when_a_table_fills_up),
        TEST(test_grants_never_merge),
        TEST(test_merge_to_a_gigabyte),
        TEST(test_rights),
        TEST(test_batch_takes_one_invalidation),
        TEST(test_map_pays_what_is_owed),
        TEST(test_an_idle_table_goes_in_time),
        TEST(test_take_splits_blocks),
        TEST(test_lent_memory_cannot_be_given_up),
        TEST(test_get_frame),
        TEST(test_out_of_table_pages),
        TEST(test_set_type_out_of_table_pages),
        TEST(test_no_root),
        TEST(test_orders),
        TEST(test_teardown_is_bounded),
        TEST(test_teardown_of_gigabytes),
        TEST(test_teardown_of_split_leaves),
        TEST(test_life_after_teardown),
        TEST(test_teardown_with_a_grant_is_caught),
        TEST(test_lent_memory_outlives_the_domain),
        TEST(bad_forgotten_flush_on_unmap),
        TEST(bad_forgotten_flush_on_split),
        TEST(bad_frame_reused_while_mapped),
        TEST(test_copies),
        TEST(test_copies_refused),
        TEST(test_random_against_an_array),
    };
    int failed = cmocka_run_group_tests_name("stage 2", tests, NULL, NULL);
    fake_boot(1, 0);
    return failed;
}

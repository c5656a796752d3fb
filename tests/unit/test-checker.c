/* The checker: silent on what is right, one line for each thing that is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../hyp/core/mem/frame-internal.h"
#include "../../hyp/core/mem/p2m-internal.h"
#include <fake.h>
#include <hyp/checker.h>
#include <stdlib.h>
#include <string.h>
#include <xen/errno.h>

#define M2 512ull

static struct domain *a, *b;
static mfn_t ram_a, ram_b;

static mfn_t memory(struct domain *d, unsigned order)
{
    mfn_t m;
    assert_int_equal(frame_alloc_domain(d, order, &m), 0);
    return m;
}

static void map(struct domain *d, uint64_t g, mfn_t m, uint64_t count, enum p2m_type t)
{
    assert_int_equal(p2m_map(d, gfn(g), m, count, t), 0);
}

/* Two domains with some of everything, all in order. */
static int setup(void **state)
{
    fake_boot(1, 64ull << 20);
    a = fake_domain(1, "a", 1);
    b = fake_domain(2, "b", 1);
    assert_int_equal(p2m_init(a) | p2m_init(b), 0);
    ram_a = memory(a, 10);
    ram_b = memory(b, 3);
    map(a, 1024, ram_a, 1024, P2M_RAM);
    map(b, 77, ram_b, 8, P2M_RAM);
    map(b, 1ull << 18, mfn(0x9000), M2, P2M_MMIO);
    void *page = frame_alloc_hyp(b, 0);
    frame_share(page);
    map(b, 10, va_to_mfn(page), 1, P2M_SHARED);
    assert_true(frame_get(mfn(ram_a.v + 5), 1));
    map(b, 11, mfn(ram_a.v + 5), 1, P2M_GRANT_RW);
    assert_int_equal(p2m_unmap(a, gfn(1030), 1), 0);
    assert_int_equal(checker_run(), 0);
    assert_int_equal(checker_frames(), 0);
    assert_string_equal(fake_calls.log, "");
    fake_tlb_forget(
        NULL); /* the checker itself may get a page that a test frees while it is mapped */
    return 0;
}

static void expect(const char *what)
{
    fake_calls.log[0] = 0;
    assert_int_equal(checker_run(), 1);
    if (strstr(fake_calls.log, what) == NULL) {
        fail_msg("expected \"%s\", the checker says: %s", what, fake_calls.log);
    }
}

static void expect_frames(const char *what)
{
    fake_calls.log[0] = 0;
    assert_true(checker_frames() >= 1);
    if (strstr(fake_calls.log, what) == NULL) {
        fail_msg("expected \"%s\", the checker says: %s", what, fake_calls.log);
    }
}

static void good_everything_in_order(void **state)
{
    /* setup() says it */
}

static void good_half_torn_down(void **state)
{
    frame_put(mfn(ram_a.v + 5));
    assert_int_equal(p2m_unmap(b, gfn(11), 1), 0);
    mfn_t more = memory(a, 12);
    map(a, 1 << 16, more, 1 << 12, P2M_RAM);
    for (uint64_t i = 0; i < 1 << 12; i += M2) {
        assert_int_equal(p2m_set_type(a, gfn((1 << 16) + i), 1, P2M_RAM_RO), 0);
        assert_true(frame_get(mfn(more.v + i), 1));
        frame_put(mfn(more.v + i));
    }
    while (p2m_teardown(a) == -XEN_ERESTART) {
        assert_int_equal(checker_run(), 0);
    }
    assert_int_equal(checker_run(), 0);
    assert_int_equal(checker_frames(), 0);
}

static void good_without_memory_for_its_map(void **state)
{
    mfn_t m;
    while (frame_alloc_domain(a, 0, &m) == 0) {
    }
    assert_int_equal(checker_run(), 0);
    assert_non_null(strstr(fake_calls.log, "no memory"));
}

static void bad_frame_of_another_domain(void **state)
{
    map(b, 100, mfn(ram_a.v + 6), 1, P2M_RAM);
    fake_calls.log[0] = 0;
    assert_int_equal(checker_run(), 1);
    assert_non_null(strstr(fake_calls.log, "b: RAM entry, frame not its own"));
}

static void bad_freed_frame_still_mapped(void **state)
{
    frame_put(mfn(ram_b.v + 2));
    expect("b: RAM entry, frame not its own");
}

static void bad_frame_mapped_twice(void **state)
{
    map(a, 5000, mfn(ram_a.v + 700), 1, P2M_RAM);
    expect("a: frame is mapped twice");
}

static void bad_grant_without_reference(void **state)
{
    frame_put(mfn(ram_a.v + 5));
    expect("b: grant or foreign entry, frame not held for it");
}

static void good_grant_of_the_dead(void **state)
{
    assert_int_equal(p2m_unmap(a, gfn(1024), 1024), 0);
    int no_limit = 1 << 20;
    assert_int_equal(frame_release_some(ram_a, 1024, 1, &no_limit), 1024);
    assert_int_equal(checker_run(), 0);
    assert_int_equal(checker_frames(), 0);
}

static void bad_unshared_page(void **state)
{
    struct p2m_entry e;
    assert_true(p2m_lookup(b, gfn(10), &e));
    frame_unshare(mfn_to_va(e.mfn));
    expect("b: shared entry, page not shared with it");
}

static void bad_device_that_is_ram(void **state)
{
    map(b, 3 << 18, mfn(ram_a.v), 1, P2M_MMIO);
    expect("b: device entry, but RAM in use");
}

static s2_pte_t *slot(struct domain *d, uint64_t g)
{
    struct p2m_path path;
    p2m_descend(&d->p2m, gfn(g), &path);
    return path.slot[path.level];
}

static void bad_untyped_entry(void **state)
{
    *slot(b, 77) = arch_s2_leaf(ram_b, P2M_TYPE_COUNT, 3);
    fake_calls.log[0] = 0;
    assert_int_equal(checker_run(), 2);
    assert_non_null(strstr(fake_calls.log, "entry of no type"));
    assert_non_null(strstr(fake_calls.log, "p2m miscounts"));
}

static void bad_lost_entry(void **state)
{
    *slot(b, 77) = 0;
    fake_calls.log[0] = 0;
    assert_int_equal(checker_run(), 2);
    assert_non_null(strstr(fake_calls.log, "miscounts its entries"));
    assert_non_null(strstr(fake_calls.log, "p2m miscounts"));
}

static void bad_table_page_of_another(void **state)
{
    s2_pte_t *root_a = arch_ram_va(a->p2m.root.v), *root_b = arch_ram_va(b->p2m.root.v);
    root_b[5] = root_a[0];
    fake_calls.log[0] = 0;
    assert_true(checker_run() > 2);
    assert_non_null(strstr(fake_calls.log, "table page is not the hypervisor's"));
}

static void bad_table_page_used_twice(void **state)
{
    s2_pte_t *root_b = arch_ram_va(b->p2m.root.v);
    root_b[5] = root_b[1];
    fake_calls.log[0] = 0;
    assert_true(checker_run() >= 1);
    assert_non_null(strstr(fake_calls.log, "table page is used twice"));
}

static void good_many_lines_are_cut_short(void **state)
{
    frame_release(ram_b, 3, 2);
    assert_int_equal(p2m_set_type(a, gfn(1024), 1024, P2M_RAM_RO), 0);
    assert_int_equal(checker_run(), 8);
    for (uint32_t i = 0; i < 1024; i++) {
        if (i != 5) {
            frame_put(mfn(ram_a.v + i));
        }
    }
    fake_calls.log[0] = 0;
    assert_true(checker_run() > 1000);
    unsigned lines = 0;
    for (const char *p = fake_calls.log; *p != 0; p++) {
        lines += *p == '\n';
    }
    assert_int_equal(lines, 10);
}

/* K7: break the allocator's own state, each thing once. */

static uint32_t any_free(unsigned order)
{
    assert_int_not_equal(frame_pool.head[order], NIL);
    return frame_pool.head[order];
}

static unsigned small_order(void)
{
    unsigned order = 0;
    while (frame_pool.head[order] == NIL) {
        order++;
    }
    assert_true(order < CHUNK_ORDER);
    return order;
}

static void bad_list_with_a_used_block(void **state)
{
    unsigned order = small_order();
    record_of(any_free(order))->w.state = FRAME_HYP;
    expect_frames("no free block of its order");
}

static void bad_links(void **state)
{
    unsigned order = small_order();
    record_of(any_free(order))->prev = 3;
    expect_frames("a list is broken");
}

static void bad_first(void **state)
{
    unsigned order = FRAME_ORDER_MAX;
    while (frame_pool.head[order] == NIL) {
        order--;
    }
    chunk_of(any_free(order))->f.prev = 3;
    expect_frames("a list is broken");
}

static void bad_counts(void **state)
{
    frame_pool.free++;
    expect_frames("free frames are miscounted");
    frame_pool.free--;
    frame_pool.hyp++;
    expect_frames("the hypervisor's frames are miscounted");
    frame_pool.hyp--;
    frame_pool.total++;
    expect_frames("frames are lost");
    frame_pool.total--;
    frame_pool.owned[9] = 1 << 20;
    expect_frames("frames are lost");
    frame_pool.owned[9] = 0;
    assert_int_equal(checker_frames(), 0);
}

static void bad_owned_without_reference(void **state)
{
    uint32_t i;
    assert_true(frame_index(ram_b, &i));
    record_of(i)->w.refs = 0;
    expect_frames("wrong number of references");
}

static void bad_unmerged_buddies(void **state)
{
    uint32_t i;
    mfn_t m = memory(a, 1);
    assert_true(frame_index(m, &i));
    /* Free both halves behind the allocator's back. */
    for (uint32_t n = i; n < i + 2; n++) {
        struct frame *f = record_of(n);
        f->w = (union frame_word){.state = FRAME_FREE, .order = 0};
        f->next = frame_pool.head[0];
        f->prev = NIL;
        if (f->next != NIL) {
            record_of(f->next)->prev = n;
        }
        frame_pool.head[0] = n;
    }
    expect_frames("two buddies are free");
}

static void bad_whole_chunk_with_references(void **state)
{
    uint32_t i;
    mfn_t m = memory(a, 9);
    assert_true(frame_index(m, &i));
    chunk_of(i)->f.w.refs = 2;
    expect_frames("wrong number of references");
}

static void bad_heads(void **state)
{
    uint32_t before = frame_pool.head[3];
    frame_pool.head[3] = (frame_pool.chunk_count << CHUNK_ORDER) + 8; /* beyond the end */
    expect_frames("no free block of its order");
    uint32_t i;
    assert_true(frame_index(memory(a, 9), &i));
    frame_pool.head[3] = i; /* of a whole chunk */
    expect_frames("no free block of its order");
    frame_pool.head[3] = before;
    assert_int_equal(checker_frames(), 0);
}

/* A machine with a hole in its RAM, memory kept for its place, blocks of a gigabyte, a domain
 * without tables. */
static void good_odd_machine(void **state)
{
    const struct frame_range ram[] = {{mpa(FAKE_RAM_BASE), mpa(FAKE_RAM_BASE + (9ull << 20))},
                                      {mpa(FAKE_RAM_BASE + (20ull << 20)), mpa(fake_ram_end())}};
    struct domain *c = fake_domain(3, "c", 1), *e = fake_domain(4, "e", 1);
    a->p2m = b->p2m = (struct p2m){.root = mpa(0)};
    const struct frame_range kept = {mpa(FAKE_RAM_BASE + (2ull << 20)),
                                     mpa(FAKE_RAM_BASE + (4ull << 20) + FRAME_SIZE)};
    assert_int_equal(frame_init(ram, 2, &kept, 1), 0);
    assert_int_equal(p2m_init(c), 0);
    assert_int_equal(p2m_init(e), 0);
    assert_int_equal(frame_fix_range(kept.start, kept.end), 0);
    map(c, 3ull << 18, mfn(1ull << 30), 1ull << 18, P2M_MMIO_C);
    mfn_t foreign = memory(e, 0);
    assert_true(frame_get(foreign, 4));
    map(c, 4, foreign, 1, P2M_FOREIGN);
    map(e, 9, mfn(FAKE_RAM_BASE >> FRAME_SHIFT), 1, P2M_RAM); /* free, not its own */
    assert_int_equal(checker_run(), 1);
    assert_int_equal(p2m_unmap(e, gfn(9), 1), 0);
    assert_int_equal(checker_run(), 0);
    assert_int_equal(checker_frames(), 0);
}

#define TEST(t) cmocka_unit_test_setup(t, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(good_everything_in_order),
        TEST(good_half_torn_down),
        TEST(good_without_memory_for_its_map),
        TEST(bad_frame_of_another_domain),
        TEST(bad_freed_frame_still_mapped),
        TEST(bad_frame_mapped_twice),
        TEST(bad_grant_without_reference),
        TEST(good_grant_of_the_dead),
        TEST(bad_unshared_page),
        TEST(bad_device_that_is_ram),
        TEST(bad_untyped_entry),
        TEST(bad_lost_entry),
        TEST(bad_table_page_of_another),
        TEST(bad_table_page_used_twice),
        TEST(good_many_lines_are_cut_short),
        TEST(bad_list_with_a_used_block),
        TEST(bad_links),
        TEST(bad_first),
        TEST(bad_counts),
        TEST(bad_owned_without_reference),
        TEST(bad_unmerged_buddies),
        TEST(bad_whole_chunk_with_references),
        TEST(bad_heads),
        TEST(good_odd_machine),
    };
    int failed = cmocka_run_group_tests_name("the checker", tests, NULL, NULL);
    fake_boot(1, 0);
    return failed;
}

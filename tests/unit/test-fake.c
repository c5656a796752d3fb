/* The model machine itself: each of its alarms must ring once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arch/stage2.h>
#include <fake.h>
#include <hyp/assert.h>
#include <hyp/frame.h>
#include <hyp/log.h>
#include <string.h>

#define RAM (64ull << 20)

static struct domain *d;
static s2_pte_t *root, *l2, *l3;

static mfn_t page(unsigned n)
{
    return mfn((FAKE_RAM_BASE >> FRAME_SHIFT) + n);
}

/* A domain whose tables are written by hand: root at page 0 to 3, level 2 at 4, level 3 at 5. */
static int setup(void **state)
{
    fake_boot(2, RAM);
    d = fake_domain(1, "one", 1);
    d->p2m.root = mpa(FAKE_RAM_BASE);
    root = mfn_to_va(page(0));
    l2 = mfn_to_va(page(4));
    l3 = mfn_to_va(page(5));
    arch_s2_write(d, &l3[7], arch_s2_leaf(page(9), P2M_RAM, 3));
    arch_s2_write(d, &l2[1], arch_s2_table(page(5)));
    arch_s2_write(d, &root[3], arch_s2_table(page(4)));
    arch_s2_publish();
    return 0;
}

static const uint64_t mapped_gfn = (3ull << 18) + (1 << 9) + 7;

static void test_translate(void **state)
{
    mpa_t m;
    assert_true(fake_guest_translate(d, gpa((mapped_gfn << 12) + 5), true, &m));
    assert_int_equal(m.v, mfn_mpa(page(9)).v + 5);
    assert_false(fake_guest_translate(d, gpa((mapped_gfn + 1) << 12), false, &m));
    assert_false(fake_guest_translate(d, gpa(1ull << 50), false, &m));
    fake_tlb_check(d);
}

static void test_replacing_without_break_is_caught(void **state)
{
    assert_true(FAKE_EXPECT_ASSERT(arch_s2_write(d, &l3[7], arch_s2_leaf(page(10), P2M_RAM, 3))));
}

static void test_break_without_invalidation_is_caught(void **state)
{
    arch_s2_write(d, &l3[7], 0);
    assert_int_equal(fake_tlb_stale(d), 1);
    assert_true(FAKE_EXPECT_ASSERT(fake_tlb_check(d)));
    assert_true(FAKE_EXPECT_ASSERT(arch_s2_write(d, &l3[7], arch_s2_leaf(page(10), P2M_RAM, 3))));
}

static void test_break_invalidate_make_passes(void **state)
{
    arch_s2_write(d, &l3[7], 0);
    arch_s2_flush(d, gfn(mapped_gfn), 1, false);
    fake_tlb_check(d);
    arch_s2_write(d, &l3[7], arch_s2_leaf(page(10), P2M_RAM, 3));
    assert_true(FAKE_EXPECT_ASSERT(fake_tlb_check(d))); /* not published */
    arch_s2_publish();
    fake_tlb_check(d);
}

static void test_rights_in_place_need_an_invalidation(void **state)
{
    arch_s2_write(d, &l3[7], arch_s2_leaf(page(9), P2M_RAM_RO, 3));
    assert_int_equal(fake_tlb_stale(d), 1);
    arch_s2_flush(d, gfn(mapped_gfn), 1, false);
    fake_tlb_check(d);
}

static void test_table_walk_caches_are_remembered(void **state)
{
    arch_s2_write(d, &root[3], 0);
    arch_s2_flush(d, gfn(mapped_gfn), 1, false); /* leaves only: the walk still finds its way */
    assert_true(fake_tlb_reaches(d, page(9), 1));
    assert_true(fake_tlb_reaches(d, page(5), 1));
    assert_true(FAKE_EXPECT_ASSERT(arch_zero_pages(l2, FRAME_SIZE)));
    arch_s2_flush(d, gfn(3ull << 18), 1 << 18, true);
    fake_tlb_check(d);
    assert_false(fake_tlb_reaches(NULL, page(4), 100));
    arch_zero_pages(l2, FRAME_SIZE);
}

static void test_page_zeroed_while_mapped_is_caught(void **state)
{
    assert_true(FAKE_EXPECT_ASSERT(arch_zero_pages(mfn_to_va(page(9)), FRAME_SIZE)));
    arch_zero_pages(mfn_to_va(page(8)), FRAME_SIZE);
}

static void test_broken_flush_is_noticed(void **state)
{
    fake_flush_broken = true;
    arch_s2_write(d, &l3[7], 0);
    arch_s2_flush(d, gfn(0), 512, true);
    assert_int_equal(fake_tlb_stale(d), 1);
}

static void test_misplaced_leaf_is_caught(void **state)
{
    assert_true(FAKE_EXPECT_ASSERT(arch_s2_write(d, &l2[2], arch_s2_leaf(page(1), P2M_RAM, 2))));
    assert_true(FAKE_EXPECT_ASSERT(arch_s2_write(d, &l2[3], arch_s2_leaf(page(1), P2M_RAM, 3))));
    assert_true(FAKE_EXPECT_ASSERT(arch_s2_write(d, &l2[4], arch_s2_table(page(5)))));
}

static void test_lock_ranks(void **state)
{
    lock_t low = LOCK_INIT(RANK_P2M), high = LOCK_INIT(RANK_FRAME);
    lock(&low);
    lock(&high);
    unlock(&high);
    assert_int_equal(fake_locks_held(), 1);
    unlock(&low);
    lock(&high);
    assert_true(FAKE_EXPECT_ASSERT(lock(&low)));
    lock(&high);
    assert_true(FAKE_EXPECT_ASSERT(lock(&high)));
    assert_true(FAKE_EXPECT_ASSERT(unlock(&high)));
    assert_false(lock_is_held(&high));
}

static void test_list_registers(void **state)
{
    fake_run_on(1);
    assert_int_equal(arch_lr_empty_mask(), 0xf);
    arch_lr_write(2, 1ull << 62 | 27);
    assert_int_equal(arch_lr_empty_mask(), 0xb);
    arch_ich_hcr_write(1 | 1 << 1);
    assert_int_equal(arch_ich_misr_read(), 1 << 1);
    fake_run_on(0);
    assert_int_equal(arch_lr_empty_mask(), 0xf);
    assert_true(FAKE_EXPECT_ASSERT(arch_lr_write(FAKE_LR_COUNT_DEFAULT, 0)));
}

static void test_records_calls(void **state)
{
    vcpu_notify(d->vcpu[0], WORK_EVENT);
    log_warn("%d things", 3);
    assert_int_equal(fake_calls.notify_bits, WORK_EVENT);
    assert_string_equal(fake_calls.log, "warning: 3 things\n");
    assert_ptr_equal(domain_get(1), d);
    assert_int_equal(d->refs, 2);
    assert_null(domain_next(d));
    assert_null(domain_get_by_name("two"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_translate, setup),
        cmocka_unit_test_setup(test_replacing_without_break_is_caught, setup),
        cmocka_unit_test_setup(test_break_without_invalidation_is_caught, setup),
        cmocka_unit_test_setup(test_break_invalidate_make_passes, setup),
        cmocka_unit_test_setup(test_rights_in_place_need_an_invalidation, setup),
        cmocka_unit_test_setup(test_table_walk_caches_are_remembered, setup),
        cmocka_unit_test_setup(test_page_zeroed_while_mapped_is_caught, setup),
        cmocka_unit_test_setup(test_broken_flush_is_noticed, setup),
        cmocka_unit_test_setup(test_misplaced_leaf_is_caught, setup),
        cmocka_unit_test_setup(test_lock_ranks, setup),
        cmocka_unit_test_setup(test_list_registers, setup),
        cmocka_unit_test_setup(test_records_calls, setup),
    };
    int failed = cmocka_run_group_tests_name("the model machine", tests, NULL, NULL);
    fake_boot(1, 0);
    return failed;
}

/* Frames: allocation, ownership, references, scrubbing, and what is left afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fake.h>
#include <hyp/frame.h>
#include <stdlib.h>
#include <string.h>
#include <xen/errno.h>

#define MIB (1ull << 20)
#define GIB (1ull << 30)

static struct domain *a, *b;
static struct frame_stats at_start;

static int boot(uint64_t ram)
{
    fake_boot(2, ram);
    a = fake_domain(1, "a", 1);
    b = fake_domain(2, "b", 1);
    frame_stats(&at_start);
    return 0;
}
static int setup(void **state)
{
    return boot(64 * MIB);
}
static int setup_big(void **state)
{
    return boot(4 * GIB);
}

/* Everything that was free is free again, and nobody is charged. */
static int nothing_leaked(void **state)
{
    struct frame_stats now;
    frame_stats(&now);
    assert_int_equal(now.free, at_start.free);
    assert_int_equal(now.hyp, at_start.hyp);
    assert_int_equal(now.owned, 0);
    assert_int_equal(frame_owned_count(1), 0);
    assert_int_equal(frame_owned_count(2), 0);
    assert_int_equal(fake_locks_held(), 0);
    return 0;
}

static mfn_t take(struct domain *d, unsigned order)
{
    mfn_t m = MFN_NONE;
    assert_int_equal(frame_alloc_domain(d, order, &m), 0);
    return m;
}

/* As tear-down does it, in as many steps as it takes; returns them. */
static unsigned give_up(mfn_t m, unsigned order, domid_t owner)
{
    unsigned steps = 0;
    for (uint64_t done = 0; done < 1ull << order; steps++) {
        int budget = 64;
        uint64_t zeroed = fake_zeroed_bytes;
        done += frame_release_some(mfn(m.v + done), (1ull << order) - done, owner, &budget);
        assert_true(fake_zeroed_bytes - zeroed <= 2 * 64 * FRAME_SIZE);
    }
    return steps;
}

static struct frame_info info(mfn_t m)
{
    struct frame_info i;
    assert_true(frame_info(m, &i));
    return i;
}

static void test_boot_costs_nothing(void **state)
{
    /* 4 GiB: 48 KiB of chunk records zeroed, none of the 16 MiB of frame records. */
    assert_true(fake_zeroed_bytes <= 64 * 1024);
    assert_int_equal(at_start.total, at_start.free);
    assert_int_equal((at_start.total << FRAME_SHIFT) + at_start.table_bytes, 4 * GIB);
    assert_true(at_start.table_bytes <= 17 * MIB);
    mfn_t m = take(a, 15); /* 128 MiB */
    assert_true(fake_zeroed_bytes <= 64 * 1024);
    frame_release(m, 15, 1);
}

static void test_alloc_marks_owner(void **state)
{
    mfn_t m = take(a, 0);
    assert_int_equal(info(m).state, FRAME_OWNED);
    assert_int_equal(info(m).owner, 1);
    assert_int_equal(info(m).refs, 1);
    assert_int_equal(frame_owned_count(1), 1);
    frame_put(m);
    assert_int_equal(info(m).state, FRAME_FREE);
}

static void test_references_keep_a_frame(void **state)
{
    mfn_t m = take(a, 0);
    assert_false(frame_get(m, 2));
    assert_true(frame_get(m, 1));
    frame_put(m);
    assert_int_equal(info(m).state, FRAME_OWNED);
    frame_put(m);
    assert_int_equal(info(m).state, FRAME_FREE);
    assert_false(frame_get(m, 1));
    assert_true(FAKE_EXPECT_ASSERT(frame_put(m)));
}

static void test_whole_chunk_splits_on_reference(void **state)
{
    mfn_t m = take(a, 10);
    mfn_t one = mfn(m.v + 700);
    assert_true(frame_get(one, 1));
    assert_int_equal(info(one).refs, 2);
    assert_int_equal(info(mfn(one.v + 1)).refs, 1);
    assert_int_equal(info(m).refs, 1);
    assert_true(FAKE_EXPECT_ASSERT(frame_release(one, 0, 1))); /* somebody has seen it */
    fake_locks_forget();
    give_up(m, 10, 1);
    assert_int_equal(frame_owned_count(1), 0);
    assert_int_equal(info(one).state, FRAME_OWNED); /* held by the other reference, nobody's */
    assert_int_equal(info(one).owner, DOMID_INVALID);
    assert_false(frame_get(one, 1));
    frame_put(one);
    assert_int_equal(info(one).state, FRAME_FREE);
}

static void test_put_within_whole_chunk(void **state)
{
    mfn_t m = take(a, 9);
    frame_put(mfn(m.v + 5));
    assert_int_equal(frame_owned_count(1), 511);
    assert_int_equal(info(mfn(m.v + 5)).state, FRAME_FREE);
    assert_true(FAKE_EXPECT_ASSERT(give_up(mfn(m.v + 5), 0, 1))); /* not its own any more */
    for (unsigned i = 5; i < 512; i++) {
        if (i != 5) {
            frame_put(mfn(m.v + i));
        }
    }
}

static void assert_clean(mfn_t m, uint64_t count)
{
    for (uint64_t i = 0; i < count << FRAME_SHIFT; i++) {
        assert_int_equal(((uint8_t *)mfn_to_va(m))[i], 0);
    }
}

static void test_scrub_before_it_is_free(void **state)
{
    mfn_t m = take(a, 0);
    memset(mfn_to_va(m), 0x5a, FRAME_SIZE);
    assert_true(frame_get(m, 1));
    uint64_t cleaned = fake_cleaned_bytes;
    frame_put(m);
    assert_int_equal(fake_cleaned_bytes, cleaned);
    frame_put(m);
    assert_int_equal(fake_cleaned_bytes, cleaned + FRAME_SIZE);
    assert_clean(m, 1);
    void *page = frame_alloc_hyp(a, 2);
    memset(page, 0x5a, FRAME_SIZE << 2);
    frame_free_hyp(a, page, 2);
    assert_clean(va_to_mfn(page), 4);
}

static void test_what_nobody_had_is_not_scrubbed(void **state)
{
    uint64_t zeroed = fake_zeroed_bytes;
    mfn_t m = take(a, 12);
    frame_release(m, 12, 1);
    assert_int_equal(fake_zeroed_bytes, zeroed);
}

static void test_big_block_is_scrubbed_in_steps(void **state)
{
    mfn_t m = take(a, 13); /* 32 MiB of 64: the largest block */
    memset(mfn_to_va(m), 0xff, FRAME_SIZE << 13);
    assert_int_equal(give_up(m, 13, 1), 64); /* half a MiB each */
    assert_clean(m, 1u << 13);
    assert_int_equal(frame_owned_count(1), 0);
}

static mfn_t dying;
static unsigned calls;

static void refer_meanwhile(void)
{
    if (calls++ == 2) {
        assert_true(frame_get(mfn(dying.v + 3), 1));
    }
}

/* Somebody who takes a reference to a frame that was scrubbed already, and writes there, leaves nothing. */
static void test_reference_while_it_is_scrubbed(void **state)
{
    dying = take(a, 9);
    memset(mfn_to_va(dying), 0xff, FRAME_SIZE << 9);
    fake_scrubbing = refer_meanwhile;
    calls = 0;
    give_up(dying, 9, 1);
    fake_scrubbing = NULL;
    mfn_t held = mfn(dying.v + 3);
    assert_int_equal(info(held).owner, DOMID_INVALID);
    memset(mfn_to_va(held), 0xff, FRAME_SIZE);
    frame_put(held);
    assert_clean(dying, 1u << 9);
    /* What was scrubbed then does not count in the next life. */
    assert_int_equal(frame_alloc_domain(a, 13, &dying), 0);
    memset(mfn_to_va(dying), 0xff, FRAME_SIZE << 13);
    give_up(dying, 13, 1);
    assert_clean(dying, 1u << 13);
}

static void test_limits(void **state)
{
    mfn_t m;
    a->max_frames = 10;
    assert_int_equal(frame_alloc_domain(a, 4, &m), -XEN_E2BIG);
    assert_int_equal(frame_alloc_domain_at(a, mpa_mfn(mpa(FAKE_RAM_BASE)), 11), -XEN_E2BIG);
    assert_int_equal(frame_owned_count(1), 0);
    a->max_frames = ~0ull;
    assert_int_equal(frame_alloc_domain(a, 16, &m), -XEN_ENOMEM);
    assert_int_equal(frame_alloc_domain(a, 40, &m), -XEN_ENOMEM);
    a->hyp_frames_max = 3;
    void *p = frame_alloc_hyp(a, 1);
    assert_non_null(p);
    assert_int_equal(a->hyp_frames, 2);
    assert_null(frame_alloc_hyp(a, 1));
    assert_int_equal(a->hyp_frames, 2);
    frame_free_hyp(a, p, 1);
    assert_int_equal(a->hyp_frames, 0);
    a->hyp_frames_max = ~0ull;
    assert_null(frame_alloc_hyp(a, 10));
    assert_int_equal(a->hyp_frames, 0);
}

static void test_hyp_frames(void **state)
{
    uint64_t *p = frame_alloc_hyp(a, 0);
    mfn_t m = va_to_mfn(p);
    assert_int_equal(p[7], 0);
    assert_int_equal(info(m).state, FRAME_HYP);
    assert_int_equal(info(m).owner, 1);
    assert_false(frame_get(m, 1));
    assert_int_equal(frame_words(p)[0], 0);
    frame_words(p)[1] = 77;
    frame_share(p);
    assert_int_equal(info(m).state, FRAME_SHARED);
    assert_true(FAKE_EXPECT_ASSERT(frame_free_hyp(a, p, 0)));
    assert_true(FAKE_EXPECT_ASSERT(frame_share(p)));
    frame_unshare(p);
    assert_true(FAKE_EXPECT_ASSERT(frame_unshare(p)));
    assert_true(FAKE_EXPECT_ASSERT(frame_free_hyp(b, p, 0)));
    p[7] = 1;
    frame_free_hyp(a, p, 0);
    void *chunk = frame_alloc_hyp(NULL, 9);
    assert_non_null(chunk);
    assert_int_equal(info(va_to_mfn(chunk)).owner, DOMID_XEN);
    frame_free_hyp(NULL, chunk, 9);
    chunk = frame_alloc_hyp(NULL, 9);
    frame_free_hyp(NULL, chunk, 9);
    p = frame_alloc_hyp(NULL, 0);
    assert_true(FAKE_EXPECT_ASSERT(frame_share(p)));
    frame_free_hyp(NULL, p, 0);
}

static void test_exhaustion(void **state)
{
    static mfn_t all[32768];
    unsigned n = 0;
    while (frame_alloc_domain(a, 0, &all[n]) == 0) {
        n++;
    }
    assert_int_equal(n, at_start.free);
    assert_null(frame_alloc_hyp(NULL, 0));
    assert_null(frame_alloc_hyp(a, 0));
    for (unsigned i = 0; i < n; i += 2) {
        frame_put(all[i]);
    }
    for (unsigned i = 1; i < n; i += 2) {
        frame_put(all[i]);
    }
    mfn_t m = take(a, 13); /* everything merged again */
    frame_release(m, 13, 1);
}

/* RAM of which [start, start + count) frames are reserved at boot, like static memory. */
static mfn_t boot_reserving(uint64_t start, uint64_t count)
{
    const struct frame_range ram = {mpa(FAKE_RAM_BASE), mpa(fake_ram_end())};
    const mfn_t at = {(FAKE_RAM_BASE >> FRAME_SHIFT) + start};
    const struct frame_range reserved = {mfn_mpa(at), mfn_mpa(mfn(at.v + count))};
    assert_int_equal(frame_init(&ram, 1, &reserved, 1), 0);
    assert_int_equal(info(at).state, FRAME_NONE);
    assert_int_equal(frame_fix_range(reserved.start, reserved.end), 0);
    assert_int_equal(frame_fix_range(reserved.start, reserved.end), -XEN_EBUSY);
    frame_stats(&at_start);
    return at;
}

static void test_fixed_place(void **state)
{
    mfn_t at = boot_reserving(4096 + 300, 1000);
    assert_int_equal(info(at).state, FRAME_FIXED);
    assert_int_equal(info(mfn(at.v + 999)).state, FRAME_FIXED);
    assert_int_equal(info(mfn(at.v + 1000)).state, FRAME_FREE);
    mfn_t m;
    uint64_t others = 0;
    while (frame_alloc_domain(b, 0, &m) == 0) { /* nobody gets a fixed one by chance */
        assert_false(m.v >= at.v && m.v < at.v + 1000);
        others++;
    }
    assert_int_equal(others, at_start.free - 1000);
    assert_int_equal(frame_alloc_domain_at(a, mfn(at.v - 1), 5), -XEN_EBUSY);
    assert_int_equal(frame_alloc_domain_at(a, at, 1000), 0);
    assert_int_equal(frame_owned_count(1), 1000);
    assert_int_equal(frame_alloc_domain_at(a, at, 1000), -XEN_EBUSY);
    for (unsigned i = 0; i < 1000; i++) {
        *(uint64_t *)mfn_to_va(mfn(at.v + i)) = 1;
        assert_int_equal(info(mfn(at.v + i)).state, FRAME_OWNED);
        frame_put(mfn(at.v + i));
    }
    assert_int_equal(info(at).state, FRAME_FIXED);
    assert_clean(at, 1000);
    assert_int_equal(frame_alloc_domain_at(b, at, 1000), 0);
    frame_release(at, 3, 2);
    assert_int_equal(info(at).state, FRAME_FIXED);
    for (mfn_t f = mpa_mfn(mpa(FAKE_RAM_BASE)); f.v < fake_ram_end() >> FRAME_SHIFT; f.v++) {
        if (info(f).state == FRAME_OWNED) {
            frame_put(f);
        }
    }
}

static void test_fixed_chunks(void **state)
{
    mfn_t at = boot_reserving(4096, 1024);
    assert_int_equal(frame_alloc_domain_at(a, at, 1024), 0);
    assert_true(frame_get(mfn(at.v + 3), 1));
    frame_put(mfn(at.v + 3));
    give_up(at, 10, 1); /* one chunk split, one whole */
    assert_int_equal(info(at).state, FRAME_FIXED);
    assert_int_equal(info(mfn(at.v + 1023)).state, FRAME_FIXED);
    assert_int_equal(frame_alloc_domain_at(a, mfn(at.v + 600), 2), 0); /* opens the whole one */
    frame_release(mfn(at.v + 600), 1, 1);
    assert_int_equal(frame_alloc_domain_at(a, at, 1024), 0);
    frame_release(at, 10, 1);
}

static void ask_for_it(void)
{
    assert_int_equal(frame_alloc_domain_at(b, dying, 1024), -XEN_ERESTART);
    calls++;
}

/* A domain is built again while another CPU scrubs the last page that was lent: it has to wait, not to fail. */
static void test_fixed_while_scrubbed(void **state)
{
    dying = boot_reserving(4096, 1024);
    assert_int_equal(frame_alloc_domain_at(a, dying, 1024), 0);
    assert_true(frame_get(mfn(dying.v + 3), 1));
    give_up(dying, 10, 1);
    assert_int_equal(frame_alloc_domain_at(b, dying, 1024), -XEN_EBUSY);
    fake_scrubbing = ask_for_it;
    calls = 0;
    frame_put(mfn(dying.v + 3));
    fake_scrubbing = NULL;
    assert_int_equal(calls, 1);
    assert_int_equal(frame_alloc_domain_at(b, dying, 1024), 0);
    frame_release(dying, 10, 2);
}

static void test_at_other_memory(void **state)
{
    mfn_t at = mfn((FAKE_RAM_BASE >> FRAME_SHIFT) + 512 + 7);
    assert_int_equal(frame_alloc_domain_at(a, at, 1), -XEN_EBUSY); /* free, but not kept for it */
    assert_int_equal(frame_fix_range(mfn_mpa(at), mfn_mpa(mfn(at.v + 1))), -XEN_EBUSY);
    assert_int_equal(frame_alloc_domain_at(a, mfn(3), 1), -XEN_EBUSY);
    assert_int_equal(frame_alloc_domain_at(a, at, 0), -XEN_EBUSY);
    assert_int_equal(frame_alloc_domain_at(a, mfn(~0ull - 3), 8), -XEN_EBUSY);
    assert_int_equal(frame_alloc_domain_at(a, at, 1ull << 40), -XEN_EBUSY);
}

static void test_unknown_frames(void **state)
{
    struct frame_info i;
    assert_false(frame_info(mfn(0), &i));
    assert_false(frame_info(mfn(~0ull), &i));
    assert_false(frame_info(mfn(fake_ram_end() >> FRAME_SHIFT), &i));
    assert_false(frame_get(mfn(0), 1));
    assert_true(FAKE_EXPECT_ASSERT(frame_put(mfn(0))));
    assert_true(FAKE_EXPECT_ASSERT(frame_release(mfn(0), 0, 1)));
    assert_false(frame_get(mpa_mfn(mpa(FAKE_RAM_BASE)), 1)); /* free */
    frame_stats(&at_start);
    assert_int_equal(frame_owned_count(DOMID_XEN), 0);
}

/* Random work on two domains; at the end all comes back and merges. */
static void test_random(void **state)
{
    static struct {
        mfn_t m;
        unsigned order;
    } have[256];
    unsigned n = 0;
    srand(7);
    for (unsigned step = 0; step < 20000; step++) {
        if (n < ARRAY_LEN(have) && rand() % 2 == 0) {
            have[n].order = (unsigned)(rand() % 12);
            int error = frame_alloc_domain(a, have[n].order, &have[n].m);
            if (error == 0) {
                assert_int_equal(have[n].m.v & ((1u << have[n].order) - 1), 0);
                for (unsigned i = 0; i < n; i++) {
                    assert_true(have[i].m.v + (1u << have[i].order) <= have[n].m.v ||
                                have[n].m.v + (1u << have[n].order) <= have[i].m.v);
                }
                n++;
            }
        } else if (n > 0) {
            unsigned i = (unsigned)rand() % n;
            mfn_t one = mfn(have[i].m.v + (unsigned)rand() % (1u << have[i].order));
            bool held = rand() % 4 == 0 && frame_get(one, 1);
            give_up(have[i].m, have[i].order, 1);
            if (held) {
                frame_put(one);
            }
            have[i] = have[--n];
        }
    }
    while (n > 0) {
        n--;
        frame_release(have[n].m, have[n].order, 1);
    }
    mfn_t m = take(a, 13);
    frame_release(m, 13, 1);
}

/* Boot memory maps. */

static void test_maps(void **state)
{
    const uint64_t base = FAKE_RAM_BASE;
    const struct frame_range ram[] = {
        {mpa(base), mpa(base + 8 * MIB)},
        {mpa(base + 32 * MIB + 0x123), mpa(base + 64 * MIB)},
        {mpa(base + 20 * MIB), mpa(base + 20 * MIB)},
    };
    const struct frame_range reserved[] = {
        {mpa(base + 40 * MIB + 5), mpa(base + 40 * MIB + 6)}, /* one byte costs its frame */
        {mpa(base + MIB), mpa(base + 2 * MIB)},
        {mpa(base + 2 * MIB - 1), mpa(base + 3 * MIB + 1)}, /* overlaps the one before */
        {mpa(0), mpa(base + 4096)},                         /* covers the start */
        {mpa(base + 63 * MIB), mpa(base + 70 * MIB)},       /* and the end */
        {mpa(base + 50 * MIB), mpa(base + 50 * MIB)},       /* empty */
    };
    assert_int_equal(frame_init(ram, ARRAY_LEN(ram), reserved, ARRAY_LEN(reserved)), 0);
    struct frame_stats s;
    frame_stats(&s);
    uint64_t expected = 8 * 256 - 1 - 512 - 1; /* first bank */
    expected += 32 * 256 - 1 - 1 - 256;        /* second */
    assert_int_equal(s.total, expected - (s.table_bytes >> FRAME_SHIFT));
    assert_int_equal(info(mfn((base + MIB) >> FRAME_SHIFT)).state, FRAME_NONE);
    assert_int_equal(info(mfn((base + 4096) >> FRAME_SHIFT)).state, FRAME_FREE);
    assert_int_equal(info(mfn(base >> FRAME_SHIFT)).state, FRAME_NONE);
    struct frame_info i;
    assert_false(frame_info(mfn((base + 10 * MIB) >> FRAME_SHIFT), &i)); /* a hole has no records */
    assert_int_equal(frame_alloc_domain_at(a, mfn((base + 6 * MIB) >> FRAME_SHIFT), 16384),
                     -XEN_EBUSY);

    /* Boot code is given back after use. */
    frame_add_range(mpa(base + MIB + 1), mpa(base + 3 * MIB));
    assert_int_equal(info(mfn((base + MIB) >> FRAME_SHIFT)).state, FRAME_NONE);
    assert_int_equal(info(mfn((base + 2 * MIB) >> FRAME_SHIFT)).state, FRAME_FREE);
    assert_true(FAKE_EXPECT_ASSERT(frame_add_range(mpa(base + 2 * MIB), mpa(base + 3 * MIB))));
    assert_true(FAKE_EXPECT_ASSERT(frame_add_range(mpa(base + 10 * MIB), mpa(base + 11 * MIB))));
    frame_stats(&at_start);
}

static void test_whole_chunks_given_back(void **state)
{
    const uint64_t base = FAKE_RAM_BASE;
    const struct frame_range ram = {mpa(base), mpa(base + 64 * MIB)};
    const struct frame_range module = {mpa(base + 16 * MIB), mpa(base + 24 * MIB)};
    assert_int_equal(frame_init(&ram, 1, &module, 1), 0);
    frame_add_range(module.start, module.end);
    assert_true(FAKE_EXPECT_ASSERT(frame_add_range(module.start, module.end)));
    frame_stats(&at_start);
    assert_int_equal(at_start.total, at_start.free);
}

static void test_bad_maps(void **state)
{
    const struct frame_range none = {mpa(FAKE_RAM_BASE + 1), mpa(FAKE_RAM_BASE + 4096)};
    const struct frame_range small = {mpa(FAKE_RAM_BASE), mpa(FAKE_RAM_BASE + 8192)};
    assert_int_equal(frame_init(NULL, 0, NULL, 0), -XEN_EINVAL);
    assert_int_equal(frame_init(&none, 1, NULL, 0), -XEN_EINVAL);
    assert_int_equal(frame_init(&small, 1, NULL, 0), -XEN_ENOMEM);
    assert_int_equal(frame_init(&small, 1, &small, 1), -XEN_ENOMEM);
    boot(64 * MIB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_boot_costs_nothing, setup_big, nothing_leaked),
        cmocka_unit_test_setup_teardown(test_alloc_marks_owner, setup, nothing_leaked),
        cmocka_unit_test_setup_teardown(test_references_keep_a_frame, setup, nothing_leaked),
        cmocka_unit_test_setup_teardown(test_whole_chunk_splits_on_reference, setup,
                                        nothing_leaked),
        cmocka_unit_test_setup(test_put_within_whole_chunk, setup),
        cmocka_unit_test_setup_teardown(test_scrub_before_it_is_free, setup, nothing_leaked),
        cmocka_unit_test_setup_teardown(test_what_nobody_had_is_not_scrubbed, setup,
                                        nothing_leaked),
        cmocka_unit_test_setup_teardown(test_big_block_is_scrubbed_in_steps, setup, nothing_leaked),
        cmocka_unit_test_setup_teardown(test_reference_while_it_is_scrubbed, setup, nothing_leaked),
        cmocka_unit_test_setup_teardown(test_limits, setup, nothing_leaked),
        cmocka_unit_test_setup_teardown(test_hyp_frames, setup, nothing_leaked),
        cmocka_unit_test_setup_teardown(test_exhaustion, setup, nothing_leaked),
        cmocka_unit_test_setup_teardown(test_fixed_place, setup, nothing_leaked),
        cmocka_unit_test_setup_teardown(test_fixed_chunks, setup, nothing_leaked),
        cmocka_unit_test_setup_teardown(test_fixed_while_scrubbed, setup, nothing_leaked),
        cmocka_unit_test_setup_teardown(test_at_other_memory, setup, nothing_leaked),
        cmocka_unit_test_setup_teardown(test_unknown_frames, setup, nothing_leaked),
        cmocka_unit_test_setup_teardown(test_random, setup, nothing_leaked),
        cmocka_unit_test_setup_teardown(test_maps, setup, nothing_leaked),
        cmocka_unit_test_setup_teardown(test_whole_chunks_given_back, setup, nothing_leaked),
        cmocka_unit_test_setup_teardown(test_bad_maps, setup, nothing_leaked),
    };
    int failed = cmocka_run_group_tests_name("frames", tests, NULL, NULL);
    fake_boot(1, 0);
    return failed;
}

/* The specification of memory must refuse: each of its rules broken once, by a result or a
 * state that is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../hyp/spec/memory.h"
#include <fake.h>
#include <string.h>
#include <xen/errno.h>

static struct spec_window w;
static struct spec_memory pre, post;

/*
 * Frames 0, 1 OWNED by a (0 held twice), 2 HYP of a, 3 FIXED, 4 OWNED by b and fixed, 5 to 7 FREE,
 * 8 and 9 NONE.
 * a maps gfn 0 -> 0 RAM, 1 -> 1 RAM_RO, 2 -> 4 FOREIGN.
 */
static int setup(void **state)
{
    fake_boot(1, 0);
    w = (struct spec_window){.first_frame = mfn(0x40000), .frame_count = 10, .gfn_count = 4};
    w.domain[0] = fake_domain(1, "a", 1);
    w.domain[1] = fake_domain(2, "b", 1);
    w.domain[0]->max_frames = 4;
    memset(&pre, 0, sizeof(pre));
    pre.frame[0] = (struct spec_frame){FRAME_OWNED, 1, 2, false, 0xaa};
    pre.frame[1] = (struct spec_frame){FRAME_OWNED, 1, 1, false, 0};
    pre.frame[2] = (struct spec_frame){FRAME_HYP, 1, 1, false, 0};
    pre.frame[3] = (struct spec_frame){.state = FRAME_FIXED, .fixed = true};
    pre.frame[4] = (struct spec_frame){FRAME_OWNED, 2, 2, true, 0};
    for (unsigned i = 5; i < 8; i++) {
        pre.frame[i].state = FRAME_FREE;
    }
    pre.map[0][0] = (struct spec_entry){P2M_RAM, 0};
    pre.map[0][1] = (struct spec_entry){P2M_RAM_RO, 1};
    pre.map[0][2] = (struct spec_entry){P2M_FOREIGN, 4};
    post = pre;
    return 0;
}

static void allowed(struct spec_call c)
{
    const char *broken = spec_memory_step(&w, &pre, &c, &post);
    if (broken != NULL) {
        fail_msg("refused: %s", broken);
    }
}

static void refused(struct spec_call c, const char *why)
{
    const char *broken = spec_memory_step(&w, &pre, &c, &post);
    if (broken == NULL || strstr(broken, why) == NULL) {
        fail_msg("expected \"%s\", the specification says: %s", why, broken ? broken : "fine");
    }
}

#define CALL(...) ((struct spec_call){__VA_ARGS__})

static void test_allocation(void **state)
{
    refused(CALL(.op = SPEC_ALLOC, .frame = 0), "not free");
    refused(CALL(.op = SPEC_ALLOC, .frame = 3), "not free");
    refused(CALL(.op = SPEC_ALLOC, .frame = 5, .order = 1), "not aligned");
    refused(CALL(.op = SPEC_ALLOC, .order = 2, .frame = 4), "above the limit");
    refused(CALL(.op = SPEC_ALLOC, .result = -XEN_E2BIG), "below the limit");
    allowed(CALL(.op = SPEC_ALLOC, .order = 2, .result = -XEN_E2BIG));
    refused(CALL(.op = SPEC_ALLOC, .order = 1, .result = -XEN_ENOMEM), "though there was");
    allowed(CALL(.op = SPEC_ALLOC, .domain = 1, .order = 2, .result = -XEN_ENOMEM));
    refused(CALL(.op = SPEC_ALLOC, .frame = 5), "another state"); /* nothing changed */
}

static void test_allocation_leaves_a_clean_frame(void **state)
{
    post.frame[5] = (struct spec_frame){FRAME_OWNED, 1, 1, false, 0};
    allowed(CALL(.op = SPEC_ALLOC, .frame = 5));
    post.frame[5].mark = 7;
    refused(CALL(.op = SPEC_ALLOC, .frame = 5), "holds what it must not hold");
    post.frame[5].mark = 0;
    post.frame[5].owner = 2;
    refused(CALL(.op = SPEC_ALLOC, .frame = 5), "another owner");
    post.frame[5].owner = 1;
    post.frame[5].refs = 2;
    refused(CALL(.op = SPEC_ALLOC, .frame = 5), "another number of references");
    post.frame[5].refs = 1;
    post.frame[6].state = FRAME_NONE;
    refused(CALL(.op = SPEC_ALLOC, .frame = 5), "another state"); /* of a bystander */
}

static void test_places(void **state)
{
    refused(CALL(.op = SPEC_ALLOC_AT, .frame = 3, .count = 1, .result = -XEN_EBUSY), "was free");
    allowed(CALL(.op = SPEC_ALLOC_AT, .frame = 4, .count = 2, .result = -XEN_EBUSY));
    refused(CALL(.op = SPEC_ALLOC_AT, .frame = 3, .count = 1, .result = -XEN_E2BIG),
            "below the limit");
    refused(CALL(.op = SPEC_ALLOC_AT, .frame = 5, .count = 3), "above the limit");
    refused(CALL(.op = SPEC_ALLOC_AT, .frame = 5, .count = 1), "not kept for its place");
    refused(CALL(.op = SPEC_ALLOC_AT, .domain = 1, .frame = 9, .count = 2), "outside the window");
    refused(CALL(.op = SPEC_FIX, .frame = 8, .count = 2, .result = -XEN_EBUSY), "refused to keep");
    refused(CALL(.op = SPEC_FIX, .frame = 5, .count = 2), "not reserved");
    refused(CALL(.op = SPEC_FIX, .frame = 8, .count = 2), "another state");
    post.frame[3] = (struct spec_frame){FRAME_OWNED, 1, 1, true, 0};
    allowed(CALL(.op = SPEC_ALLOC_AT, .frame = 3, .count = 1));
}

static void test_references(void **state)
{
    refused(CALL(.op = SPEC_GET, .frame = 1, .result = 0), "refused the owner's");
    refused(CALL(.op = SPEC_GET, .frame = 4, .result = 1), "not the owner's");
    allowed(CALL(.op = SPEC_GET, .frame = 4, .result = 0));
    refused(CALL(.op = SPEC_PUT, .frame = 1), "another state");
    post.frame[0].refs = 1;
    allowed(CALL(.op = SPEC_PUT, .frame = 0));
    post.frame[0].owner = DOMID_INVALID;
    allowed(CALL(.op = SPEC_RELEASE, .frame = 0));
    pre.frame[4].refs = 1;
    post = pre;
    post.frame[4] = (struct spec_frame){.state = FRAME_FIXED, .fixed = true};
    allowed(CALL(.op = SPEC_RELEASE, .frame = 4, .domain = 1));
}

static void test_hypervisor_frames(void **state)
{
    refused(CALL(.op = SPEC_HYP_ALLOC, .frame = 1), "not free");
    refused(CALL(.op = SPEC_HYP_ALLOC, .result = -XEN_ENOMEM), "though there was");
    refused(CALL(.op = SPEC_HYP_FREE, .frame = 2), "another state");
    refused(CALL(.op = SPEC_SHARE, .frame = 2), "another state");
    allowed(CALL(.op = SPEC_UNSHARE, .frame = 2));
    post.frame[5] = (struct spec_frame){FRAME_HYP, 1, 1, false, 0};
    allowed(CALL(.op = SPEC_HYP_ALLOC, .frame = 5));
}

static void test_mapping(void **state)
{
    refused(CALL(.op = SPEC_MAP, .gfn = 3, .count = 1, .result = -XEN_EEXIST),
            "refused a free range");
    refused(CALL(.op = SPEC_MAP, .gfn = 2, .count = 2), "over what was mapped");
    refused(CALL(.op = SPEC_MAP, .gfn = 3, .count = 1, .result = -XEN_EINVAL), "without a reason");
    refused(CALL(.op = SPEC_MAP, .gfn = 3, .count = 1, .type = P2M_RAM),
            "mapped to what it must not be");
    refused(CALL(.op = SPEC_UNMAP, .count = 1, .result = -XEN_EEXIST), "without a reason");
    refused(CALL(.op = SPEC_UNMAP, .count = 1), "mapped to what it must not be");
    allowed(CALL(.op = SPEC_UNMAP, .count = 1, .result = -XEN_ENOMEM));
    allowed(CALL(.op = SPEC_MAP, .gfn = 3, .count = 1, .result = -XEN_ENOMEM));
    post.map[1][0] = (struct spec_entry){P2M_RAM, 0}; /* another domain's map */
    refused(CALL(.op = SPEC_UNMAP, .count = 1, .result = -XEN_ENOMEM),
            "mapped to what it must not be");
}

static void test_taking(void **state)
{
    refused(CALL(.op = SPEC_TAKE, .gfn = 3, .result = 0), "not there");
    refused(CALL(.op = SPEC_TAKE, .gfn = 0, .frame = 0), "others hold");
    allowed(CALL(.op = SPEC_TAKE, .gfn = 0, .result = -XEN_EBUSY));
    allowed(CALL(.op = SPEC_TAKE, .gfn = 3, .result = -XEN_ENOENT));
    allowed(CALL(.op = SPEC_TAKE, .gfn = 1, .result = -XEN_ENOMEM));
    refused(CALL(.op = SPEC_TAKE, .gfn = 1, .frame = 5), "did not take");
    refused(CALL(.op = SPEC_TAKE, .gfn = 1, .frame = 1), "mapped to what it must not be");
    refused(CALL(.op = SPEC_GET_FRAME, .gfn = 1, .writable = true, .frame = 1),
            "not the domain's to give");
    refused(CALL(.op = SPEC_GET_FRAME, .gfn = 2, .frame = 4), "not the domain's to give");
    refused(CALL(.op = SPEC_GET_FRAME, .gfn = 1, .result = -XEN_EFAULT), "refused a frame");
    allowed(CALL(.op = SPEC_GET_FRAME, .gfn = 3, .result = -XEN_EFAULT));
    post.frame[1].refs = 2;
    allowed(CALL(.op = SPEC_GET_FRAME, .gfn = 1, .frame = 1));
}

static void test_rights(void **state)
{
    refused(CALL(.op = SPEC_SET_TYPE, .gfn = 1, .count = 2, .type = P2M_RAM), "not RAM");
    refused(CALL(.op = SPEC_SET_TYPE, .count = 2, .type = P2M_RAM, .result = -XEN_EINVAL),
            "without a reason");
    allowed(CALL(.op = SPEC_SET_TYPE, .count = 2, .type = P2M_RAM, .result = -XEN_ENOMEM));
    refused(CALL(.op = SPEC_SET_TYPE, .count = 2, .type = P2M_RAM),
            "mapped to what it must not be");
    post.map[0][1].type = P2M_RAM;
    allowed(CALL(.op = SPEC_SET_TYPE, .count = 2, .type = P2M_RAM));
}

static void test_teardown(void **state)
{
    memset(post.map[0], 0, sizeof(post.map[0]));
    refused(CALL(.op = SPEC_TEARDOWN), "another");
    post.frame[0] = (struct spec_frame){FRAME_OWNED, DOMID_INVALID, 1, false, 0xaa}; /* lent */
    post.frame[1] = (struct spec_frame){.state = FRAME_FREE};
    post.frame[4].refs = 1;
    allowed(CALL(.op = SPEC_TEARDOWN));
}

/* The abstraction of a real machine. */
static void test_looking(void **state)
{
    static struct spec_memory seen;
    mfn_t m;
    fake_boot(1, 16ull << 20);
    struct domain *d = fake_domain(1, "a", 1);
    assert_int_equal(p2m_init(d), 0);
    assert_int_equal(frame_alloc_domain(d, 1, &m), 0);
    *(uint64_t *)mfn_to_va(m) = 0x77;
    struct spec_window window = {
        .first_frame = m, .frame_count = 4, .first_gfn = gfn(7), .gfn_count = 4, .domain = {d}};
    assert_int_equal(p2m_map(d, gfn(6), m, 2, P2M_RAM), 0);
    assert_int_equal(p2m_map(d, gfn(9), mfn(5), 1, P2M_MMIO), 0);
    assert_int_equal(p2m_map(d, gfn(60), mfn(5), 1, P2M_MMIO), 0);
    spec_memory_look(&window, &seen);
    assert_int_equal(seen.frame[0].state, FRAME_OWNED);
    assert_int_equal(seen.frame[0].mark, 0x77);
    assert_int_equal(seen.map[0][0].type, P2M_RAM);
    assert_int_equal(seen.map[0][0].frame, 1);
    assert_int_equal(seen.map[0][1].type, P2M_INVALID);
    assert_int_equal(seen.map[0][2].frame, SPEC_NO_FRAME);
    window.first_frame = mfn(3);
    spec_memory_look(&window, &seen);
    assert_int_equal(seen.frame[0].state, FRAME_NONE);
}

#define TEST(t) cmocka_unit_test_setup(t, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_allocation),
        TEST(test_allocation_leaves_a_clean_frame),
        TEST(test_places),
        TEST(test_references),
        TEST(test_hypervisor_frames),
        TEST(test_mapping),
        TEST(test_taking),
        TEST(test_rights),
        TEST(test_teardown),
        TEST(test_looking),
    };
    int failed = cmocka_run_group_tests_name("the specification of memory", tests, NULL, NULL);
    fake_boot(1, 0);
    return failed;
}

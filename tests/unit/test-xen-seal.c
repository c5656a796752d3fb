/* The seal as a guest calls it: what it fixes, what it refuses, and that a refusal changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "xen-world.h"
#include <string.h>

#define TEXT WORLD_BASE
#define TEXT_COUNT 10u
#define RODATA (WORLD_BASE + TEXT_COUNT)
#define RODATA_COUNT 3u
#define DATA (RODATA + RODATA_COUNT)

static int setup(void **state)
{
    world_begin(2);
    world[1]->vcpu_count = 1; /* the world's domains have two */
    return 0;
}
static int teardown(void **state)
{
    world[1]->vcpu_count = 2;
    world_end();
    return 0;
}

static struct bulkhead_seal good(void)
{
    return (struct bulkhead_seal){BULKHEAD_SEAL_VERSION, 0, TEXT, TEXT_COUNT, RODATA, RODATA_COUNT};
}

static int64_t seal(struct bulkhead_seal r)
{
    uint64_t at = WORLD_SCRATCH << FRAME_SHIFT;
    struct p2m_entry e;
    assert_true(p2m_lookup(world[1], gfn(WORLD_SCRATCH), &e));
    memcpy(guest(1, WORLD_SCRATCH), &r, sizeof(r));
    return call(1, BULKHEAD_HYPERCALL, BULKHEAD_OP_seal, at, 0);
}

static enum p2m_type type_at(uint64_t g)
{
    struct p2m_entry e = {.type = P2M_INVALID};
    p2m_lookup(world[1], gfn(g), &e);
    return e.type;
}

static void assert_as_built(void)
{
    assert_int_equal(world[1]->p2m.seal.state, SEAL_OPEN);
    for (uint64_t g = WORLD_BASE; g < WORLD_BASE + WORLD_FRAMES; g++) {
        assert_int_equal(type_at(g), P2M_RAM);
    }
    assert_false(world[1]->vcpu[0]->arch.translation_fixed);
}

static void the_memory_has_its_rights(void **state)
{
    assert_int_equal(seal(good()), 0);
    for (uint64_t g = WORLD_BASE; g < WORLD_BASE + WORLD_FRAMES; g++) {
        assert_int_equal(type_at(g), g < RODATA ? P2M_RAM_RO : g < DATA ? P2M_RAM_R : P2M_RAM_XN);
    }
    assert_false(p2m_allows(world[1], gpa(TEXT << FRAME_SHIFT), true, false));
    assert_true(p2m_allows(world[1], gpa(TEXT << FRAME_SHIFT), false, true));
    assert_false(p2m_allows(world[1], gpa(RODATA << FRAME_SHIFT), false, true));
    assert_false(p2m_allows(world[1], gpa(RODATA << FRAME_SHIFT), true, false));
    assert_false(p2m_allows(world[1], gpa(DATA << FRAME_SHIFT), false, true));
    assert_true(world[1]->vcpu[0]->arch.translation_fixed);
    assert_int_equal(seal(good()), -XEN_EPERM);
}

static void nothing_can_be_mapped_or_given_up(void **state)
{
    uint64_t frame = WORLD_HOLE;
    struct xen_memory_reservation r = {.nr_extents = 1, .domid = DOMID_SELF};
    struct xen_add_to_physmap add = {
        .domid = DOMID_SELF, .space = XENMAPSPACE_grant_table, .gpfn = WORLD_HOLE};
    r.extent_start = (WORLD_SCRATCH << FRAME_SHIFT) + 2048;
    assert_int_equal(seal(good()), 0);
    memcpy((char *)guest(1, WORLD_SCRATCH) + 2048, &frame, sizeof(frame));
    assert_int_equal(MEMORY(1, populate_physmap, &r), 0); /* none done */
    assert_int_equal(type_at(WORLD_HOLE), P2M_INVALID);
    assert_int_equal(MEMORY(1, add_to_physmap, &add), -XEN_EPERM);
    add.gpfn = TEXT;
    assert_true(MEMORY(1, add_to_physmap, &add) < 0);
    frame = TEXT;
    memcpy((char *)guest(1, WORLD_SCRATCH) + 2048, &frame, sizeof(frame));
    assert_int_equal(MEMORY(1, decrease_reservation, &r), 0);
    assert_int_equal(type_at(TEXT), P2M_RAM_RO);
    assert_int_equal(p2m_set_type(world[1], gfn(DATA), 1, P2M_RAM), -XEN_EPERM);
    assert_int_equal(p2m_unmap(world[1], gfn(DATA), 1), -XEN_EPERM);
}

/* Grants still come, and are never executable; into text nobody gets to write. */
static void grants_go_on(void **state)
{
    mfn_t m, other;
    struct p2m_entry e;
    assert_int_equal(seal(good()), 0);
    assert_int_equal(p2m_get_frame(world[1], gfn(TEXT), true, &m), -XEN_EFAULT);
    assert_int_equal(p2m_get_frame(world[1], gfn(RODATA), true, &m), -XEN_EFAULT);
    assert_int_equal(p2m_get_frame(world[1], gfn(TEXT), false, &m), 0);
    frame_put(m);
    assert_int_equal(p2m_get_frame(world[2], gfn(DATA), true, &other), 0);
    assert_int_equal(p2m_map(world[1], gfn(WORLD_HOLE), other, 1, P2M_RAM), -XEN_EPERM);
    assert_int_equal(p2m_map(world[1], gfn(WORLD_HOLE), other, 1, P2M_GRANT_RW), 0);
    assert_false(p2m_allows(world[1], gpa(WORLD_HOLE << FRAME_SHIFT), false, true));
    assert_int_equal(p2m_take(world[1], gfn(DATA), P2M_TYPES_RAM | P2M_TYPES_GRANT, &e),
                     -XEN_EPERM);
    assert_int_equal(p2m_take(world[1], gfn(WORLD_HOLE), P2M_TYPES_GRANT, &e), 0);
    p2m_flush(world[1]);
    frame_put(other);
    uint64_t word = 1;
    assert_int_equal(guest_write(world[1], gpa(TEXT << FRAME_SHIFT), &word, 8), -XEN_EFAULT);
    /* A hypercall that answers into text: the hypervisor does not write there either. */
    assert_int_equal(
        call(1, __HYPERVISOR_xen_version, 1 /* extraversion */, TEXT << FRAME_SHIFT, 0),
        -XEN_EFAULT);
}

static void bad_requests_change_nothing(void **state)
{
    struct bulkhead_seal r;
#define REFUSED(error, ...)           \
    r = good();                       \
    __VA_ARGS__;                      \
    assert_int_equal(seal(r), error); \
    assert_as_built()
    REFUSED(-XEN_EINVAL, r.version = 2);
    REFUSED(-XEN_EINVAL, r.flags = 1);
    REFUSED(-XEN_EINVAL, r.text_count = 0);
    REFUSED(-XEN_EINVAL, r.text_count = ~0ull);
    REFUSED(-XEN_EINVAL, r.text_frame = ~0ull);
    REFUSED(-XEN_EINVAL, r.rodata_frame = ~0ull - 1);
    REFUSED(-XEN_EINVAL, r.rodata_count = 1ull << 63);
    REFUSED(-XEN_EINVAL, r.text_frame = WORLD_HOLE);
    REFUSED(-XEN_EINVAL, r.text_frame = WORLD_BASE - 1);
    REFUSED(-XEN_EINVAL, r.rodata_count = WORLD_FRAMES); /* runs past the end, text done already */
    REFUSED(-XEN_EINVAL, r.rodata_frame = TEXT + 5);     /* overlap */
    REFUSED(-XEN_EINVAL, r.rodata_frame = TEXT - 1);
#undef REFUSED
    assert_int_equal(call(1, BULKHEAD_HYPERCALL, 0, 0, 0), -XEN_ENOSYS);
    assert_int_equal(call(1, BULKHEAD_HYPERCALL, 99, 0, 0), -XEN_ENOSYS);
    assert_int_equal(call(1, BULKHEAD_HYPERCALL, BULKHEAD_OP_seal, WORLD_HOLE << FRAME_SHIFT, 0),
                     -XEN_EFAULT);
    assert_int_equal(call(2, BULKHEAD_HYPERCALL, BULKHEAD_OP_seal, WORLD_SCRATCH << FRAME_SHIFT, 0),
                     -XEN_EINVAL);
    assert_int_equal(call_with(2, BULKHEAD_HYPERCALL, BULKHEAD_OP_seal,
                               &(struct bulkhead_seal){1, 0, TEXT, 1, 0, 0},
                               sizeof(struct bulkhead_seal), 0),
                     -XEN_EOPNOTSUPP);
    assert_int_equal(seal(good()), 0);
}

/* Whoever holds a page of code could write it. */
static void lent_pages_cannot_be_code(void **state)
{
    static const uint64_t lent[] = {TEXT, TEXT + TEXT_COUNT - 1, RODATA, DATA - 1};
    for (unsigned i = 0; i < ARRAY_LEN(lent); i++) {
        mfn_t m;
        assert_int_equal(p2m_get_frame(world[1], gfn(lent[i]), true, &m), 0);
        assert_int_equal(seal(good()), -XEN_EBUSY);
        assert_as_built();
        frame_put(m);
    }
    assert_int_equal(seal(good()), 0);
}

/* It is made again as often as it takes, and the domain can change nothing in between. */
static void a_long_seal_is_bounded(void **state)
{
    struct bulkhead_seal r = good();
    mfn_t m;
    unsigned steps = 1;
    world[1]->max_frames += 400;
    for (unsigned i = 0; i < 400; i++) { /* single pages, apart */
        assert_int_equal(frame_alloc_domain(world[1], 0, &m), 0);
        assert_int_equal(p2m_map(world[1], gfn(WORLD_HOLE + 2 * i), m, 1, P2M_RAM), 0);
    }
    while (seal_step(world[1], &r) == -XEN_ERESTART) {
        r.text_frame = WORLD_HOLE; /* what it was asked first counts */
        assert_int_equal(p2m_map(world[1], gfn(WORLD_HOLE - 9), m, 1, P2M_RAM), -XEN_EPERM);
        steps++;
    }
    assert_true(steps >= 8);
    assert_int_equal(type_at(TEXT), P2M_RAM_RO);
    for (unsigned i = 0; i < 400; i++) {
        assert_int_equal(type_at(WORLD_HOLE + 2 * i), P2M_RAM_XN);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        TEST(the_memory_has_its_rights),
        TEST(nothing_can_be_mapped_or_given_up),
        TEST(grants_go_on),
        TEST(bad_requests_change_nothing),
        TEST(lent_pages_cannot_be_code),
        TEST(a_long_seal_is_bounded),
    };
    return cmocka_run_group_tests_name("seal", tests, NULL, NULL);
}

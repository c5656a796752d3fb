/* A guest's firmware calls: every function, every error, and what must not work (Q1 of psci.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fake.h>
#include <hyp/psci.h>

#define FN(n) (0x84000000u + (n))
#define WIDE 0x40000000u
enum { NOT_SUPPORTED = -1, INVALID = -2, DENIED = -3, ALREADY_ON = -4, INVALID_ADDRESS = -9 };
enum { RAM = 0x40000000, HOLE = 0x50000000 };

static struct domain *guest;
static unsigned resets;
static bool pending;

/* What it asks of its neighbours. */
uint64_t arch_vcpu_mpidr(uint32_t id)
{
    return (1ull << 31) | (id & 15) | (uint64_t)(id >> 4) << 8;
}

bool p2m_lookup(struct domain *d, gfn_t g, struct p2m_entry *out)
{
    out->type = g.v == HOLE >> FRAME_SHIFT ? P2M_MMIO : P2M_RAM;
    return g.v >= RAM >> FRAME_SHIFT;
}

void vgic_vcpu_reset(struct vcpu *v)
{
    assert_int_equal(v->sched.online, false); /* Q1 */
    resets++;
}

void vtimer_vcpu_destroy(struct vcpu *v)
{
}

void vtimer_vcpu_reset(struct vcpu *v)
{
}

bool vgic_has_pending(struct vcpu *v)
{
    return pending;
}

static int begin(void **state)
{
    fake_boot(2, 1 << 20);
    guest = fake_domain(1, "guest", 18); /* affinity levels 0 and 1 */
    guest->state = DOMAIN_RUNNING;
    guest->p2m.seal.state = SEAL_OPEN;
    guest->vcpu[0]->sched.online = true;
    resets = 0;
    pending = false;
    return 0;
}

static int end(void **state)
{
    assert_int_equal(fake_locks_held(), 0);
    fake_domain_free_all();
    return 0;
}

static int32_t ask(uint32_t fn, uint64_t a, uint64_t b, uint64_t c)
{
    struct vcpu *v = guest->vcpu[0];
    v->arch.x[0] = 0xdead00000000ull | fn; /* the upper half is nobody's */
    v->arch.x[1] = a;
    v->arch.x[2] = b;
    v->arch.x[3] = c;
    smccc_call(v);
    assert_int_equal(v->arch.x[1], a);
    return (int32_t)v->arch.x[0];
}

static void test_versions(void **state)
{
    assert_int_equal(ask(FN(0), 0, 0, 0), 0x10001);
    assert_int_equal(ask(0x80000000u, 0, 0, 0), 0x10002);
    assert_int_equal(ask(FN(6), 0, 0, 0), 2);
    for (uint32_t n = 0; n < 0x20; n++) {
        bool narrow = n == 0 || n == 2 || n == 6 || n == 8 || n == 9 || n == 10;
        bool both = n == 1 || n == 3 || n == 4 || n == 14 || n == 18;
        assert_int_equal(ask(FN(10), FN(n), 0, 0), narrow || both ? 0 : NOT_SUPPORTED);
        assert_int_equal(ask(FN(10), FN(n) | WIDE, 0, 0), both ? 0 : NOT_SUPPORTED);
    }
    assert_int_equal(ask(FN(10), 0x80000000u, 0, 0), 0);
    assert_int_equal(ask(0x80000001u, 0x80008000u, 0, 0), 0);
    assert_int_equal(ask(0x80000001u, 0x80003fffu, 0, 0), 0);
    assert_int_equal(ask(0x80000001u, 0x80000000u, 0, 0), 0);
    assert_int_equal(ask(0x80000001u, 0x80000001u, 0, 0), 0);
    assert_int_equal(ask(0x80000001u, 0x80007fffu, 0, 0), 1);
    assert_int_equal(ask(0x80000001u, 0x12345678u, 0, 0), NOT_SUPPORTED);
    assert_int_equal(ask(0x80008000u, 0, 0, 0), 0);
    assert_int_equal(ask(0x80007fffu, 0, 0, 0), 0);
    assert_int_equal(ask(0x80003fffu, 0, 0, 0), 0);
    assert_int_equal(ask(0xc600ff01u, 0, 0, 0), NOT_SUPPORTED);
    assert_int_equal(ask(FN(0x11), 0, 0, 0), NOT_SUPPORTED);
}

static void test_cpu_on(void **state)
{
    uint32_t on = FN(3) | WIDE;
    assert_int_equal(ask(on, 0, RAM, 0), ALREADY_ON);
    assert_int_equal(ask(on, 18, RAM, 0), INVALID);
    assert_int_equal(ask(on, 1ull << 32, RAM, 0), INVALID);
    assert_int_equal(ask(on, 1, HOLE, 0), INVALID_ADDRESS);
    assert_int_equal(ask(on, 1, 0, 0), INVALID_ADDRESS);
    assert_int_equal(resets, 0);
    assert_int_equal(ask(on, 0x101, RAM + 64, 0x1234567812345678), 0);
    assert_int_equal(guest->vcpu[17]->arch.pc, RAM + 64);
    assert_int_equal(guest->vcpu[17]->arch.x[0], 0x1234567812345678);
    assert_int_equal(resets, 1);
    /* The 32-bit call sees the lower halves only. */
    assert_int_equal(ask(FN(3), 0xffffffff00000002ull, 0xf00000000ull | RAM, ~0ull), 0);
    assert_int_equal(guest->vcpu[2]->arch.pc, RAM);
    assert_int_equal(guest->vcpu[2]->arch.x[0], 0xffffffff);
    guest->p2m.seal.state = SEAL_OPEN + 1;
    assert_int_equal(ask(on, 3, RAM, 0), INVALID_ADDRESS);
    guest->p2m.seal.state = SEAL_OPEN;
    guest->state = DOMAIN_CREATED;
    assert_int_equal(ask(on, 3, RAM, 0), DENIED);
}

static void test_affinity_info(void **state)
{
    uint32_t info = FN(4) | WIDE;
    assert_int_equal(ask(info, 0, 0, 0), 0);
    assert_int_equal(ask(info, 1, 0, 0), 1);
    assert_int_equal(ask(info, 0, 1, 0), 0);     /* any of cluster 0 */
    assert_int_equal(ask(info, 0x100, 1, 0), 1); /* none of cluster 1 */
    assert_int_equal(ask(info, 0, 2, 0), 0);
    assert_int_equal(ask(info, 0, 3, 0), 0);
    assert_int_equal(ask(info, 0x700, 1, 0), INVALID);
    assert_int_equal(ask(info, 0, 4, 0), INVALID);
    assert_int_equal(ask(info, 1ull << 31, 0, 0), INVALID);
}

static void test_sleep(void **state)
{
    assert_int_equal(ask(FN(1), 0x00020000, 0, 0), INVALID); /* reserved bits */
    assert_int_equal(ask(FN(1), 0, 0, 0), 0);
    assert_int_equal(fake_calls.sched_block, 1);
    pending = true;
    assert_int_equal(ask(FN(1) | WIDE, 0x10000, RAM, 0), 0);
    assert_int_equal(fake_calls.sched_block, 1); /* nothing to wait for */
    assert_int_equal(ask(FN(14) | WIDE, 0, 0, 0), INVALID_ADDRESS);
    guest->vcpu[5]->sched.online = true;
    assert_int_equal(ask(FN(14) | WIDE, RAM, 0, 0), DENIED);
    guest->vcpu[5]->sched.online = false;
    assert_int_equal(ask(FN(14) | WIDE, RAM, 77, 0), 0);
    assert_int_equal(fake_calls.notify_bits, WORK_SUSPEND);
    assert_int_equal(guest->vcpu[0]->resume_entry.v, RAM);
    assert_int_equal(guest->vcpu[0]->resume_context, 77);
}

static void test_ends(void **state)
{
    (void)ask(FN(2), 0, 0, 0);
    assert_int_equal(fake_calls.notify_bits, WORK_OFFLINE);
    (void)ask(FN(8), 0, 0, 0);
    assert_int_equal(fake_calls.reason, SHUTDOWN_poweroff);
    (void)ask(FN(9), 0, 0, 0);
    assert_int_equal(fake_calls.reason, SHUTDOWN_reboot);
    assert_int_equal(fake_calls.domain_shutdown, 2);
    assert_int_equal(ask(FN(18), 0x80000000u, 0, 0), NOT_SUPPORTED);
    assert_int_equal(ask(FN(18), 1, 0, 0), INVALID);
    assert_int_equal(fake_calls.domain_shutdown, 2);
    (void)ask(FN(18) | WIDE, 0, 0, 0);
    assert_int_equal(fake_calls.domain_shutdown, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_versions, begin, end),
        cmocka_unit_test_setup_teardown(test_cpu_on, begin, end),
        cmocka_unit_test_setup_teardown(test_affinity_info, begin, end),
        cmocka_unit_test_setup_teardown(test_sleep, begin, end),
        cmocka_unit_test_setup_teardown(test_ends, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Software timers (T1..T4) and the lock's ranks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fake.h>
#include <hyp/lock.h>
#include <hyp/timer.h>

static struct timer timers[8];
static unsigned fired[8], fired_total;
static bool set_again;

static void fire(struct timer *t, uint64_t now)
{
    fired[t - timers]++;
    fired_total++;
    if (set_again) {
        timer_set(t, now); /* the past: at once, but not in this interrupt */
    }
}

static int fresh(void **state)
{
    fake_boot(2, 0);
    memset(fired, 0, sizeof(fired));
    fired_total = 0;
    set_again = false;
    for (unsigned i = 0; i < 2; i++) {
        timer_cpu_init(&cpus[i]->timers);
    }
    for (unsigned i = 0; i < ARRAY_LEN(timers); i++) {
        timer_init(&timers[i], fire);
    }
    fake_run_on(0);
    return 0;
}

static void test_order(void **state)
{
    timer_set(&timers[0], 3000);
    timer_set(&timers[1], 2000);
    timer_set(&timers[2], 4000);
    assert_int_equal(fake_hw[0].timer_deadline_ticks, 2000);
    timer_set(&timers[1], 5000); /* moved: T2 */
    assert_int_equal(fake_hw[0].timer_deadline_ticks, 3000);
    timer_interrupt(cpus[0], 3500);
    assert_int_equal(fired[0], 1);
    assert_int_equal(fired_total, 1);
    assert_int_equal(fake_hw[0].timer_deadline_ticks, 4000);
    timer_cancel(&timers[2]);
    timer_cancel(&timers[2]);
    assert_int_equal(fake_hw[0].timer_deadline_ticks, 5000);
    timer_interrupt(cpus[0], 6000);
    assert_int_equal(fired[1], 1);
    assert_int_equal(fired[2], 0);
    assert_true(fake_hw[0].timer_deadline_ticks == TICKS_NEVER);
}

/* Setting it moves a timer to the CPU that sets it. */
static void test_move(void **state)
{
    timer_set(&timers[0], 2000);
    fake_run_on(1);
    timer_set(&timers[0], 3000);
    assert_ptr_equal(timers[0].cpu, cpus[1]);
    assert_int_equal(fake_hw[1].timer_deadline_ticks, 3000);
    fake_run_on(0);
    timer_interrupt(cpus[0], 9000); /* its comparator fires once for nothing */
    assert_int_equal(fired_total, 0);
    timer_cancel(&timers[0]);
    fake_run_on(1);
    timer_interrupt(cpus[1], 9000);
    assert_int_equal(fired_total, 0);
}

/* One interrupt is bounded by the number of timers, whatever callbacks do. */
static void test_bounded(void **state)
{
    set_again = true;
    for (unsigned i = 0; i < ARRAY_LEN(timers); i++) {
        timer_set(&timers[i], 2000);
    }
    timer_interrupt(cpus[0], 2000);
    assert_int_equal(fired_total, ARRAY_LEN(timers));
    assert_int_equal(fake_hw[0].timer_deadline_ticks, 2000);
}

/* Retired in its own callback after it has set itself again, or by another CPU: it is over. */
static void retire(struct timer *t, uint64_t now)
{
    fired_total++;
    timer_set(t, now + 1);
    timer_retire(t);
}

static void test_retire(void **state)
{
    timer_init(&timers[0], retire);
    timer_set(&timers[0], 2000);
    timer_interrupt(cpus[0], 2000);
    assert_int_equal(fired_total, 1);
    assert_null(timers[0].cpu);
    assert_null(cpus[0]->timers.firing);
    assert_true(fake_hw[0].timer_deadline_ticks == TICKS_NEVER);
    timer_set(&timers[1], 3000);
    fake_run_on(1);
    timer_retire(&timers[1]);
    assert_int_equal(cpus[0]->timers.count, 0);
    fake_run_on(0);
    timer_interrupt(cpus[0], 9000);
    assert_int_equal(fired_total, 1);
}

static void test_conversion(void **state)
{
    assert_int_equal(ns_to_ticks(1000000000), FAKE_HZ);
    assert_int_equal(ticks_to_ns(FAKE_HZ), 1000000000);
    assert_int_equal(ns_to_ticks(1), 1); /* never zero for something */
    assert_int_equal(ns_to_ticks(0), 0);
    assert_true(ticks_to_ns(~0ull) == TICKS_NEVER);
    for (uint64_t s = 1; s < 1ull << 40; s = s * 3 + 1) {
        assert_true(ns_to_ticks(s * 16) == s);
    }
}

static void test_ranks(void **state)
{
    lock_t low = LOCK_INIT(RANK_DOMAIN), high = LOCK_INIT(RANK_TIMER),
           same[2] = {LOCK_INIT(RANK_SCHED), LOCK_INIT(RANK_SCHED)};

    lock(&low);
    lock(&high);
    unlock(&low); /* in any order */
    unlock(&high);
    assert_false(lock_is_held(&low));
    assert_false(lock_is_held(&high));
    lock_both(&same[1], &same[0]);
    assert_true(lock_is_held(&same[0]) && lock_is_held(&same[1]));
    unlock_both(&same[0], &same[1]);
    lock_both(&same[0], &same[0]);
    unlock_both(&same[0], &same[0]);
    assert_int_equal(cpus[0]->lock_depth, 0);
    for (unsigned i = 0; i < 200000; i++) { /* tickets wrap */
        lock(&low);
        unlock(&low);
    }
    assert_false(lock_is_held(&low));
    lock(&high);
    assert_true(FAKE_EXPECT_ASSERT(lock(&low))); /* falling rank */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_order, fresh),      cmocka_unit_test_setup(test_move, fresh),
        cmocka_unit_test_setup(test_bounded, fresh),    cmocka_unit_test_setup(test_retire, fresh),
        cmocka_unit_test_setup(test_conversion, fresh), cmocka_unit_test_setup(test_ranks, fresh),
    };
    return cmocka_run_group_tests_name("timer", tests, NULL, NULL);
}

/* The timers that a guest has: its own virtual one, also in WFI and off its CPU, and the emulated physical one. */
#include "vgic-model.h"

#include <hyp/cpu.h>
#include <hyp/vtimer.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void good_virtual_timer(void **state)
{
    struct vcpu *v;

    model_start(3, 32);
    v = model_vcpu(0);
    model_timer_set(v, 1, 0);
    assert_int_equal(model_next(0), 27);
    assert_true(model_timer_phys(0));
    model_timer_set(v, 0, 0);
    model_eoi(v, 27);
    assert_false(model_timer_phys(0)); /* re-armed by the end of it */
    assert_int_equal(model_next(0), MODEL_SPURIOUS);
    model_timer_set(v, 1, 0);
    model_settle();
    model_timer_set(v, 3, 0);             /* masked before it was taken */
    model_write(v, SGIF(0, 0x280), 4, 0); /* anything that looks */
    assert_int_equal(model_read(v, SGIF(0, 0x200), 4), 0);
    assert_false(model_timer_phys(0));
    assert_int_equal(model_next(0), MODEL_SPURIOUS);
    model_timer_set(v, 1, 0);
    assert_int_equal(model_next(0), 27); /* and it can fire again */
}

static void good_virtual_timer_in_wfi(void **state)
{
    struct vcpu *v;

    model_start(3, 32);
    v = model_vcpu(0);
    model_timer_set(v, 1, 0);
    model_settle();
    model_timer_set(v, 0, 0);
    assert_false(model_wfi(v)); /* out of date: folded ... */
    model_settle();
    assert_true(model_wfi(v)); /* ... and gone */
    assert_false(model_timer_phys(0));
}

static void good_virtual_timer_off_the_cpu(void **state)
{
    struct vcpu *v;
    uint64_t now;

    model_start(3, 32);
    v = model_vcpu(0);
    now = fake_counter_ticks - model_domain->vtimer_offset_ticks;
    model_timer_set(v, 1, now + 500);
    model_switch(0, model_vcpu(2));
    assert_int_equal(fake_vtimer_ctl, 0);
    fake_advance(499);
    model_settle();
    assert_int_equal(v->work & WORK_TIMER, 0);
    fake_advance(1);
    model_settle();
    assert_int_equal(v->work & WORK_TIMER, WORK_TIMER); /* that is what wakes it */
    model_switch(0, v);
    assert_true(model_timer_phys(0)); /* as if it had fired here: no second exit */
    assert_int_equal(model_next(0), 27);
    model_switch(1, v); /* in the middle of its handler, to another CPU */
    model_settle();
    assert_false(model_timer_phys(0));
    assert_true(model_timer_phys(1));
    model_timer_set(v, 0, 0);
    model_eoi(v, 27);
    assert_false(model_timer_phys(1));
    model_timer_set(v, 1, ~0ull); /* never */
    model_switch(1, NULL);
    model_on(1);
    vtimer_vcpu_reset(v);
    assert_false(vtimer_line(v));
}

static void good_stray_timer_interrupt(void **state)
{
    model_start(3, 32);
    model_switch(0, NULL);
    fake_irq_active[27] = 1;
    vtimer_interrupt(cpus[0]);
    assert_int_equal(fake_irq_active[27], 0);
}

static void good_physical_timer(void **state)
{
    struct vcpu *v;

    model_start(3, 32);
    v = model_vcpu(0);
    model_on(0);
    assert_int_equal(vtimer_ptimer_read(v, PTIMER_COUNT), fake_counter_ticks);
    vtimer_ptimer_write(v, PTIMER_TVAL, 100);
    assert_int_equal(vtimer_ptimer_read(v, PTIMER_CVAL), fake_counter_ticks + 100);
    assert_int_equal(vtimer_ptimer_read(v, PTIMER_TVAL), 100);
    vtimer_ptimer_write(v, PTIMER_CTL, 1);
    vtimer_ptimer_write(v, PTIMER_COUNT, 5);
    assert_int_equal(vtimer_ptimer_read(v, PTIMER_CTL), 1);
    model_advance(100);
    assert_int_equal(vtimer_ptimer_read(v, PTIMER_CTL), 5);
    assert_int_equal(vtimer_ptimer_read(v, PTIMER_TVAL), 0);
    assert_int_equal(model_next(0), 30);
    vtimer_ptimer_write(v, PTIMER_CTL, 3);
    model_settle();
    model_eoi(v, 30);
    assert_int_equal(model_next(0), MODEL_SPURIOUS);
    vtimer_ptimer_write(v, PTIMER_TVAL, 0xffffffff); /* minus one */
    vtimer_ptimer_write(v, PTIMER_CTL, 1);
    assert_int_equal(vtimer_ptimer_read(v, PTIMER_TVAL), 0xffffffff);
    assert_int_equal(model_next(0), 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_virtual_timer),
        cmocka_unit_test(good_virtual_timer_in_wfi),
        cmocka_unit_test(good_virtual_timer_off_the_cpu),
        cmocka_unit_test(good_stray_timer_interrupt),
        cmocka_unit_test(good_physical_timer),
    };
    return cmocka_run_group_tests_name("vtimer", tests, NULL, NULL);
}

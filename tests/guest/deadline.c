/*
 * A real-time guest: it sleeps until its timer comes, works for a moment, sleeps again, and says how late
 * the handler ran. Under -icount shift=0 a nanosecond is an instruction, so lateness is what the hypervisor
 * and the guests beside it made it wait, the same on every run. Bootargs: rounds=N (1000), us=PERIOD (1000).
 *
 * Right: whatever the guests beside it do, no wake-up is later than the hypervisor's longest stay at EL2
 * and one switch; the runner judges it. Wrong: a slice of another guest's, a lost timer.
 */
#include "kit.h"

static volatile u64 late_by;
static volatile u32 fired;

static void on_timer(u32 intid)
{
    if (intid == machine.timer_irq[2]) {
        late_by = ticks() - read_sysreg(cntv_cval_el0);
        write_sysreg(cntv_ctl_el0, 2);
        isb();
        fired++;
    }
}

/* A tenth of the period: what a control loop computes. */
static void control_loop(u64 period)
{
    u64 end = ticks() + period / 10;
    while (ticks() < end) {
        barrier();
    }
}

static u64 in_ns(u64 spent_ticks)
{
    return spent_ticks * 1000000000 / tick_rate();
}

void guest_main(void)
{
    u64 rounds = bootarg_u64("rounds", 1000), period = us_to_ticks(bootarg_u64("us", 1000));
    u64 worst = 0, sum = 0, missed = 0;
    irq_hook = on_timer;
    gic_enable(machine.timer_irq[2]);
    u64 next = ticks() + period;
    for (u64 round = 0; round < rounds; round++) {
        write_sysreg(cntv_cval_el0, next);
        write_sysreg(cntv_ctl_el0, 1);
        isb();
        while (fired == round) { /* asleep with interrupts masked, so that none comes just before */
            wfi();
            irq_on();
            irq_off();
        }
        worst = late_by > worst ? late_by : worst;
        sum += late_by;
        control_loop(period);
        for (next += period; next < ticks(); next += period) {
            missed++;
        }
    }
    say("late by %lu ns at most, %lu on average", in_ns(worst), in_ns(sum / rounds));
    is(missed, 0, "no period was missed");
}

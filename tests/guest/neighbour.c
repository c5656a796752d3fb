/*
 * A neighbour who minds its own business: counts work in slices of virtual
 * time and says which share of a CPU it got. Under -icount shift=0 an iteration
 * of the loop is two instructions and a tick 16, so the share needs no
 * calibration. Bootargs: slices=N (20), us=LENGTH of a slice (20000).
 *
 * Right: the share of any 10 slices in a row is what its weight promises, the
 * timer interrupt comes within 2 ms of its time although another guest storms,
 * and memory written before is intact after. The runner judges the share, which
 * depends on how many CPUs there are. Wrong: a stop, a slice of next to nothing.
 */
#include "kit.h"

#define WINDOW 10

static volatile u32 fired;
static volatile u64 lateness, worst_lateness;

static void on_timer(u32 intid)
{
    if (intid == machine.timer_irq[2]) {
        lateness = ticks() - read_sysreg(cntv_cval_el0);
        if (lateness > worst_lateness) {
            worst_lateness = lateness;
        }
        fired++;
        write_sysreg(cntv_cval_el0, ticks() + us_to_ticks(1000));
        isb();
    }
}

/* 1000 times two instructions. */
static void work(void)
{
    u64 n = 1000;
    __asm__ volatile("1: subs %0, %0, #1\n\tb.ne 1b" : "+r"(n)::"cc");
}

void guest_main(void)
{
    u64 slices = bootarg_u64("slices", 20), length = us_to_ticks(bootarg_u64("us", 20000));
    u64 *memory = heap_pages(256), seed = 42;
    for (u32 i = 0; i < 256 * 512; i++) {
        memory[i] = kit_random(&seed);
    }
    irq_hook = on_timer;
    gic_enable(machine.timer_irq[2]);
    write_sysreg(cntv_cval_el0, ticks() + us_to_ticks(1000));
    write_sysreg(cntv_ctl_el0, 1);
    irq_on();
    u64 total = 0, start = ticks(), smallest = ~0ul, recent[WINDOW] = {0}, sum = 0, window = ~0ul;
    for (u64 slice = 0; slice < slices; slice++) {
        u64 end = start + (slice + 1) * length, done = 0;
        while (ticks() < end) {
            work();
            done++;
        }
        total += done;
        sum += done - recent[slice % WINDOW];
        recent[slice % WINDOW] = done;
        if (slice + 1 >= WINDOW && sum < window) {
            window = sum;
        }
        smallest = done < smallest ? done : smallest;
        heartbeat();
    }
    u64 elapsed = ticks() - start;
    write_sysreg(cntv_ctl_el0, 2);
    /* 2000 instructions are 125 ticks of 16; in thousandths of a CPU. */
    say("share %lu window %lu smallest %lu late %lu", total * 125 * 1000 / elapsed,
        window * 125 * 1000 / length / WINDOW, smallest * 125 * 1000 / length,
        worst_lateness * 1000000 / tick_rate());
    ok(fired > 0, "the timer fired");
    bool same = true;
    seed = 42;
    for (u32 i = 0; i < 256 * 512; i++) {
        same = same && memory[i] == kit_random(&seed);
    }
    ok(same, "memory is as it was left");
}

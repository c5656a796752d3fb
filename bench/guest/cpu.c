/* Starting a vCPU, and switching between two on one CPU. */
#include "bench.h"

void rows_cpu(void)
{
    u64 total = 0;
    u32 runs = 0;
    if (machine.cpu_count < 2) {
        absent("psci-cpu-on", -1);
        return;
    }
    mark_begin();
    for (; runs < 100; runs++) {
        u32 want = bench_taken + 1;
        u64 start = ticks();
        if (psci_call(PSCI_CPU_ON, machine.mpidr[1], (u64)bench_cpu_on_entry, 0) ||
            !wait_taken(want)) {
            break;
        }
        total += bench_first_tick - start;
        if (!cpu_wait_off(1)) {
            break;
        }
    }
    mark_end();
    if (runs < 100) {
        absent("psci-cpu-on", -1);
    } else {
        report("psci-cpu-on", runs, total);
    }
}

/* Both vCPUs yield; `turns` counts how often the turn changed, whatever the yields were. */
static volatile u32 turn_of, turns, over;

static void take_turns(u32 me, u32 limit)
{
    while (!over) {
        if (turn_of != me) {
            turn_of = me;
            if (++turns >= limit) {
                over = 1;
            }
        }
        hypercall(HYPERCALL_sched_op, SCHEDOP_yield, 0, 0, 0);
    }
}

static void second_yields(void *arg)
{
    take_turns(1, 4000);
}

void rows_switch(void)
{
    if (hypercall(HYPERCALL_sched_op, SCHEDOP_yield, 0, 0, 0) ||
        cpu_start(1, second_yields, NULL)) {
        absent("vcpu-switch", -1);
        return;
    }
    for (u64 end = ticks() + tick_rate() / 10; turn_of != 1 && ticks() < end;) {
        hypercall(HYPERCALL_sched_op, SCHEDOP_yield, 0, 0, 0);
    }
    u32 first = turns;
    mark_begin();
    u64 start = ticks();
    take_turns(0, 4000);
    u64 end = ticks();
    mark_end();
    report("vcpu-switch", turns - first, end - start);
}

/*
 * The bench guest: every row of docs/numbers-to-beat.md that a guest can
 * measure by itself. Entered with the MMU off and left so, as the figures for
 * stock Xen were taken. Bootarg `rows=` chooses: 0 all, 1 the switch between two
 * vCPUs on one CPU, 2 and 3 the two sides of events between domains.
 */
#include "bench.h"

const unsigned guest_flags = GUEST_MMU_OFF;
volatile u32 bench_taken;
u64 bench_kit_vectors;
u64 bench_pong_sgir;
u64 bench_shared, bench_info0, bench_info1;
struct evtchn_port bench_pong_port;
volatile u64 bench_first_tick;

void mark_begin(void)
{
    __asm__ volatile("hint #120" ::: "memory");
}

void mark_end(void)
{
    __asm__ volatile("hint #121" ::: "memory");
}

void report(const char *key, u32 count, u64 elapsed)
{
    say("row %s %u %lu", key, count, elapsed);
}

void absent(const char *key, s64 code)
{
    say("absent %s %ld", key, code);
}

void measure(const char *key, u32 count, s64 (*op)(u32 count))
{
    s64 result = op(4);
    if (result) {
        absent(key, result);
        return;
    }
    mark_begin();
    u64 start = ticks();
    result = op(count);
    u64 end = ticks();
    mark_end();
    report(key, count, end - start);
    if (result) {
        note("%s ended with %ld", key, result);
    }
}

void use_vectors(const void *table)
{
    irq_off();
    write_sysreg(vbar_el1, (u64)table);
    isb();
}

bool wait_taken(u32 wanted)
{
    for (u64 end = 0; (s32)(bench_taken - wanted) < 0;) {
        if (!end) {
            end = ticks() + tick_rate();
        } else if (ticks() > end) {
            return false;
        }
        relax();
    }
    return true;
}

void guest_main(void)
{
    bench_kit_vectors = read_sysreg(vbar_el1);
    switch (bootarg_u64("rows", 0)) {
    case 1:
        rows_switch();
        break;
    case 2:
    case 3:
        rows_far();
        break;
    default:
        rows_trap();
        rows_interrupt();
        rows_event();
        rows_memory();
        rows_grant();
        rows_cpu();
    }
    ok(true, "all rows measured");
}

/* SGIs, the virtual timer, WFI. */
#include "bench.h"

static u64 sgir(unsigned cpu, u32 intid)
{
    u64 a = machine.mpidr[cpu];
    return (a >> 32 & 0xff) << 48 | (a >> 16 & 0xff) << 32 | (u64)intid << 24 |
           (a >> 8 & 0xff) << 16 | 1ul << (a & 15);
}

static s64 op_sgi_self(u32 count)
{
    u64 value = sgir(0, 1);
    irq_on();
    while (count--) {
        u32 want = bench_taken + 1;
        write_sysreg(ICC_SGI1R, value);
        isb();
        if (bench_taken != want && !wait_taken(want)) {
            return -1;
        }
    }
    irq_off();
    return 0;
}

static s64 op_sgi_16(u32 count)
{
    u64 value = sgir(0, 0);
    while (count--) {
        u32 want = bench_taken + 16;
        irq_off();
        for (u64 i = 0; i < 16; i++) {
            write_sysreg(ICC_SGI1R, value | i << 24);
        }
        irq_on();
        if (bench_taken != want && !wait_taken(want)) {
            return -1;
        }
    }
    irq_off();
    return 0;
}

static volatile u32 stop_second;

static void second_spins(void *arg)
{
    use_vectors(arg);
    for (u32 i = 0; i < 16; i++) {
        gic_enable(i);
    }
    if (machine.event_irq) {
        gic_enable(machine.event_irq);
    }
    irq_on();
    stop_second = 1;
    while (stop_second != 2) {
        relax();
    }
}

static s64 op_sgi_ping(u32 count)
{
    u64 value = sgir(1, 3);
    irq_on();
    while (count--) {
        u32 want = bench_taken + 1;
        write_sysreg(ICC_SGI1R, value);
        isb();
        if (!wait_taken(want)) {
            return -1;
        }
    }
    irq_off();
    return 0;
}

static void row_sgi_ping(void)
{
    bench_pong_sgir = sgir(0, 2);
    stop_second = 0;
    if (machine.cpu_count < 2 || cpu_start(1, second_spins, bench_vectors_pong)) {
        absent("sgi-ping-pong", -1);
        return;
    }
    wait_change(&stop_second, 0, 1000000);
    measure("sgi-ping-pong", 2000, op_sgi_ping);
    stop_second = 2;
    cpu_wait_off(1);
}

static s64 op_timer(u32 count)
{
    irq_on();
    while (count--) {
        u32 want = bench_taken + 1;
        write_sysreg(cntv_tval_el0, 0);
        write_sysreg(cntv_ctl_el0, 1);
        isb();
        if (bench_taken != want && !wait_taken(want)) {
            return -1;
        }
    }
    irq_off();
    return 0;
}

/* Sleeps of `us`, one after the other; the sum of what each was late is the figure. */
static void row_wfi(const char *key, u64 us, u32 count)
{
    u64 late = 0;
    irq_off();
    for (u32 i = 0; i < count; i++) {
        u64 due = ticks() + us_to_ticks(us);
        write_sysreg(cntv_cval_el0, due);
        write_sysreg(cntv_ctl_el0, 1);
        isb();
        if (i == 4) {
            mark_begin();
            late = 0;
        }
        wfi();
        u64 now = ticks();
        while (now < due) { /* woken early: allowed, go on */
            wfi();
            now = ticks();
        }
        late += now - due;
        write_sysreg(cntv_ctl_el0, 0);
        isb();
        irq_on(); /* let the handler take it, if it is still pending */
        isb();
        irq_off();
    }
    mark_end();
    report(key, count - 4, late);
}

void rows_interrupt(void)
{
    for (u32 i = 0; i < 16; i++) {
        gic_enable(i);
    }
    gic_enable(machine.timer_irq[2]);
    use_vectors(bench_vectors_ack);
    measure("sgi-self", 10000, op_sgi_self);
    measure("sgi-16-pending", 500, op_sgi_16);
    row_sgi_ping();
    use_vectors(bench_vectors_timer);
    measure("timer-now", 10000, op_timer);
    row_wfi("wfi-1ms", 1000, 104);
    row_wfi("wfi-20us", 20, 504);
}

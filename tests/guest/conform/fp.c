/*
 * FP and SIMD registers across vCPU switches: two vCPUs (more than the CPUs
 * there are) each keep their own patterns in all 32 registers, FPCR and FPSR,
 * and in registers of debug and the PMU, yield and compare. Run with one host CPU.
 *
 * Right: every register is what was put there. Wrong: a neighbour's value, which
 * is also a leak.
 */
#include "kit.h"
#include "xen.h"

static volatile u32 rounds[2], bad[2], bad_debug[2], finish;

/* A list of calls that the formatter takes for an expression. */
/* clang-format off */
#define FOR_ALL(X)                                                                                 \
    X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16)    \
    X(17) X(18) X(19) X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31)
/* clang-format on */

static void fill(u64 pattern)
{
#define SET(n)                                                                  \
    __asm__ volatile(".arch_extension simd\n\tmov v" #n ".d[0], %0\n\tmov v" #n \
                     ".d[1], %1" ::"r"(pattern + n),                            \
                     "r"(~pattern - n));
    FOR_ALL(SET)
}

static u32 differ(u64 pattern)
{
    u32 wrong = 0;
#define TEST(n)                                                                                   \
    {                                                                                             \
        u64 low, high;                                                                            \
        __asm__ volatile("mov %0, v" #n ".d[0]\n\tmov %1, v" #n ".d[1]" : "=r"(low), "=r"(high)); \
        wrong += low != pattern + n || high != ~pattern - n;                                      \
    }
    FOR_ALL(TEST)
    return wrong;
}

/* An event counter and the choice of it, a breakpoint and a watchpoint, with the PMU switched on. */
static void fill_debug(u64 pattern, u32 me)
{
    write_sysreg(pmcr_el0, 1);
    write_sysreg(pmselr_el0, me);
    isb();
    write_sysreg(pmxevcntr_el0, (u32)pattern);
    write_sysreg(dbgbvr1_el1, pattern & 0xfffffffffffcul);
    write_sysreg(dbgwvr1_el1, ~pattern & 0xfffffffffffcul);
    isb();
}

static u32 differ_debug(u64 pattern, u32 me)
{
    return (read_sysreg(pmselr_el0) != me) + (read_sysreg(pmxevcntr_el0) != (u32)pattern) +
           (read_sysreg(dbgbvr1_el1) != (pattern & 0xfffffffffffcul)) +
           (read_sysreg(dbgwvr1_el1) != (~pattern & 0xfffffffffffcul));
}

static void give_way(void)
{
    if (machine.xen) {
        hypercall(HYPERCALL_sched_op, SCHEDOP_yield, 0, 0, 0);
    }
    relax();
    delay_us(20);
}

static void keep(void *arg)
{
    u32 me = cpu_id();
    u64 seed = 77 + me;
    for (u32 i = 0; i < 200 || !finish; i++) {
        u64 pattern = kit_random(&seed);
        fill(pattern);
        write_sysreg(fpcr, (u64)(me ? 1 : 2) << 22); /* rounding modes */
        write_sysreg(fpsr, me ? 0x1f : 0x08000000);
        fill_debug(pattern, me);
        give_way();
        bad[me] += differ(pattern);
        bad[me] += (read_sysreg(fpcr) >> 22 & 3) != (me ? 1u : 2u);
        bad[me] += read_sysreg(fpsr) != (me ? 0x1f : 0x08000000u);
        bad_debug[me] += differ_debug(pattern, me);
        rounds[me]++;
        if (me == 0 && i >= 200 && rounds[1] >= 50) {
            finish = 1;
        }
        if (i > 20000) {
            break;
        }
    }
}

void guest_main(void)
{
    if (machine.cpu_count < 2 || cpu_start(1, keep, NULL)) {
        ok(false, "two vCPUs are needed");
        return;
    }
    keep(NULL);
    finish = 1;
    ok(cpu_wait_off(1), "the second vCPU came to its end");
    ok(rounds[0] >= 200 && rounds[1] >= 50, "both took turns");
    is(bad[0], 0, "the first vCPU's registers are its own");
    is(bad[1], 0, "so are the second's");
    is(bad_debug[0] + bad_debug[1], 0, "and those of debug and the PMU");
}

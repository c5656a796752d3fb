/*
 * Self-hosted debug and the PMU, from inside: hardware breakpoint, watchpoint,
 * single step, software breakpoint, the cycle counter.
 *
 * Right: each fires with its class and address, as on the bare board. Wrong: a
 * trap to the hypervisor that never comes back, or an UNDEFINED access.
 */
#include "kit.h"

static volatile u32 hits, steps;
static volatile u64 at, address, esr_class;
static u64 watched[2] __attribute__((aligned(64)));

static bool on_sync(struct frame *frame)
{
    u64 ec = ESR_EC(frame->esr);
    esr_class = ec;
    at = frame->elr;
    address = frame->far;
    hits++;
    switch (ec) {
    case EC_BREAKPOINT_SAME:
        write_sysreg(dbgbcr0_el1, 0);
        break;
    case EC_WATCHPOINT_SAME:
        write_sysreg(dbgwcr0_el1, 0);
        break;
    case EC_STEP_SAME:
        if (++steps >= 3) {
            write_sysreg(mdscr_el1, read_sysreg(mdscr_el1) & ~1ul);
            frame->spsr &= ~(1ul << 21);
        } else {
            frame->spsr |= 1ul << 21;
        }
        break;
    case EC_BRK64:
        frame->elr += 4;
        break;
    default:
        return false;
    }
    isb();
    return true;
}

static __attribute__((noinline)) void target(void)
{
    __asm__ volatile("nop");
}

static void breakpoint(void)
{
    hits = 0;
    write_sysreg(dbgbvr0_el1, (u64)target);
    /* BAS all, PMC 01 (EL1), HMC 0, SSC 0, E. */
    write_sysreg(dbgbcr0_el1, 0xf << 5 | 1 << 1 | 1);
    isb();
    target();
    ok(hits == 1 && esr_class == EC_BREAKPOINT_SAME && at == (u64)target,
       "hardware breakpoint at EL1");
    is(read_sysreg(dbgbvr0_el1), (u64)target, "DBGBVR reads back");
}

static void watchpoint(void)
{
    hits = 0;
    write_sysreg(dbgwvr0_el1, (u64)watched);
    /* BAS all eight, LSC both, PAC 01 (EL1), E. */
    write_sysreg(dbgwcr0_el1, 0xff << 5 | 3 << 3 | 1 << 1 | 1);
    isb();
    mmio_write64((u64)watched, 5);
    ok(hits == 1 && esr_class == EC_WATCHPOINT_SAME && address == (u64)watched,
       "hardware watchpoint on a store");
    is(watched[0], 5, "the store happened once it was off");
    mmio_write64((u64)(watched + 1), 6);
    is(hits, 1, "the word beside it is not watched");
}

/* From the eret below on, with SS set in the SPSR, one instruction each. */
static void step(void)
{
    hits = steps = 0;
    write_sysreg(mdscr_el1, read_sysreg(mdscr_el1) | 1);
    isb();
    u64 spsr = (read_sysreg(daif) & ~(1ul << 9)) | 5 | 1ul << 21;
    __asm__ volatile("adr x9, 1f\n\tmsr elr_el1, x9\n\tmsr spsr_el1, %0\n\tisb\n\teret\n"
                     "1:\tnop\n\tnop\n\tnop\n\tnop\n\tnop" ::"r"(spsr)
                     : "x9", "memory");
    write_sysreg(mdscr_el1, read_sysreg(mdscr_el1) & ~1ul);
    isb();
    is(steps, 3, "single step, three instructions");
    is(esr_class, EC_STEP_SAME, "with the class of a step");
}

static void pmu(void *arg)
{
    write_sysreg(pmcr_el0, 1 | 1 << 2 | 1 << 6); /* enable, reset cycles, 64 bits */
    write_sysreg(pmccfiltr_el0, 0);
    write_sysreg(pmcntenset_el0, 1ul << 31);
    isb();
    u64 before = read_sysreg(pmccntr_el0);
    for (u32 i = 0; i < 10000; i++) {
        __asm__ volatile("nop");
    }
    isb();
    u64 after = read_sysreg(pmccntr_el0);
    ok(after > before, "the cycle counter counts");
    write_sysreg(pmcntenclr_el0, 1ul << 31);
    isb();
    before = read_sysreg(pmccntr_el0);
    target();
    is(read_sysreg(pmccntr_el0), before, "and stops when told");
    write_sysreg(pmovsclr_el0, ~0u);
    write_sysreg(pmintenclr_el1, ~0u);
    write_sysreg(pmcr_el0, 0);
}

void guest_main(void)
{
    sync_hook = on_sync;
    write_sysreg(oslar_el1, 0);
    write_sysreg(mdscr_el1, 1 << 15); /* MDE */
    isb();
    __asm__ volatile("msr daifclr, #8"); /* debug exceptions */
    __asm__ volatile("brk #7");
    ok(hits == 1 && esr_class == EC_BRK64, "software breakpoint");
    write_sysreg(mdscr_el1, 1 << 15 | 1 << 13); /* KDE: at EL1 too */
    isb();
    is(read_sysreg(mdscr_el1) & (1 << 15 | 1 << 13), 1 << 15 | 1 << 13, "MDSCR reads back");
    breakpoint();
    watchpoint();
    step();
    write_sysreg(mdscr_el1, 0);
    sync_hook = NULL;
    struct fault fault = expect_fault(pmu, NULL);
    if (fault.taken) {
        u64 named = read_sysreg(id_aa64dfr0_el1) >> 8 & 15;
        ok(named == 0 || named == 15, "no PMU, and none is named");
    }
}

/*
 * Self-hosted debug and the performance monitor belong to whichever vCPU uses
 * them, and are moved only then, both together.
 *
 * G1  while a vCPU's debug and PMU registers are not in the machine, its
 *     accesses trap, MDSCR_EL1 is 0, no counter is enabled, and so nothing fires.
 * G2  a vCPU with breakpoints armed or counters running gets them loaded with
 *     the rest of it; any other gets them at its first access.
 * G3  leaving, they are written back and disarmed.
 *
 * The memory they need comes from the domain's allowance at the first use; if
 * there is none, the registers read as zero.
 * Source: DDI 0487I.a D2, D12 (PMUv3), D17.3.18 (MDCR_EL2).
 */
#include "arm64.h"

#include <hyp/frame.h>

#define MDSCR_ARMED ((1ul << 15) | (1ul << 13) | 1ul) /* MDE, KDE, SS */
#define PMCR_E 1ul

static unsigned break_count, watch_count, counter_count; /* [const] after boot */
static bool pmu_present;                                 /* [const] */
/* [const] MDCR_EL2 of a vCPU that has them not in the machine, and of one that has; with HPMN. */
static uint64_t mdcr_trapping, mdcr_given;

/* No counter counts or interrupts, and EL0 sees none. */
static void pmu_disarm(void)
{
    sysreg_write(pmcr_el0, 0);
    sysreg_write(pmcntenclr_el0, ~0u);
    sysreg_write(pmintenclr_el1, ~0u);
    sysreg_write(pmovsclr_el0, ~0u);
    sysreg_write(pmuserenr_el0, 0);
}

void debug_init_cpu(void)
{
    uint64_t dfr0 = sysreg_read(id_aa64dfr0_el1);
    unsigned pmu = (dfr0 >> 8) & 0xf;

    break_count = ((dfr0 >> 12) & 0xf) + 1;
    watch_count = ((dfr0 >> 20) & 0xf) + 1;
    pmu_present = pmu && pmu != 0xf;
    counter_count = pmu_present ? (sysreg_read(pmcr_el0) >> 11) & 0x1f : 0;
    /* The OS lock always traps: it is emulated. Trace and statistical profiling: nobody has them. */
    mdcr_given = counter_count | MDCR_TDRA | MDCR_TDOSA | MDCR_TPMS | MDCR_TTRF;
    mdcr_trapping = mdcr_given | MDCR_TDA | MDCR_TPM | MDCR_TPMCR;
    mdcr_given |= pmu_present ? 0 : MDCR_TPM | MDCR_TPMCR;
    sysreg_write(oslar_el1, 0);
    sysreg_write(mdscr_el1, 0);
    sysreg_write(mdcr_el2, mdcr_trapping);
    if (pmu_present) {
        pmu_disarm();
    }
}

/*
 * The registers and their fields, in the order of loading: what arms others comes after them. MOVE is SAVE or
 * LOAD. A numbered family has a name for each; the compiler has no other way to them.
 */
#define SAVE(field, name) g->field = sysreg_read(name);
#define LOAD(field, name) sysreg_write(name, g->field);

#define BREAK(MOVE, n)                \
    if (n < break_count) {            \
        MOVE(bvr[n], dbgbvr##n##_el1) \
        MOVE(bcr[n], dbgbcr##n##_el1) \
    }
#define WATCH(MOVE, n)                \
    if (n < watch_count) {            \
        MOVE(wvr[n], dbgwvr##n##_el1) \
        MOVE(wcr[n], dbgwcr##n##_el1) \
    }
/* clang-format off */
#define EACH_16(X, MOVE)                                                                        \
    X(MOVE, 0) X(MOVE, 1) X(MOVE, 2) X(MOVE, 3) X(MOVE, 4) X(MOVE, 5) X(MOVE, 6) X(MOVE, 7)      \
    X(MOVE, 8) X(MOVE, 9) X(MOVE, 10) X(MOVE, 11) X(MOVE, 12) X(MOVE, 13) X(MOVE, 14) X(MOVE, 15)
#define DEBUG_REGISTERS(MOVE)   \
    EACH_16(BREAK, MOVE)        \
    EACH_16(WATCH, MOVE)        \
    MOVE(mdccint, mdccint_el1)  \
    MOVE(mdscr, mdscr_el1)
#define PMU_REGISTERS(MOVE)         \
    MOVE(ccntr, pmccntr_el0)        \
    MOVE(ccfilt, pmccfiltr_el0)     \
    MOVE(selr, pmselr_el0)          \
    MOVE(ovs, pmovsset_el0)         \
    MOVE(cnten, pmcntenset_el0)     \
    MOVE(inten, pmintenset_el1)     \
    MOVE(userenr, pmuserenr_el0)
/* One event counter: after PMSELR is saved, before it is loaded. */
#define COUNTER(MOVE, n)                \
    sysreg_write(pmselr_el0, n);        \
    isb();                              \
    MOVE(cntr[n], pmxevcntr_el0)        \
    MOVE(type[n], pmxevtyper_el0)
/* clang-format on */

static void save(struct arch_debug *g)
{
    DEBUG_REGISTERS(SAVE)
    sysreg_write(mdscr_el1, 0);
    if (!pmu_present) {
        return;
    }
    SAVE(cr, pmcr_el0)
    sysreg_write(pmcr_el0, g->cr & ~PMCR_E);
    isb();
    PMU_REGISTERS(SAVE)
    for (unsigned n = 0; n < counter_count; n++) {
        COUNTER(SAVE, n)
    }
    pmu_disarm();
}

/* The machine's registers are the vCPU's from now on. */
static void give(struct arch_vcpu *a)
{
    const struct arch_debug *g = a->debug;

    DEBUG_REGISTERS(LOAD)
    if (pmu_present) {
        for (unsigned n = 0; n < counter_count; n++) {
            COUNTER(LOAD, n)
        }
        PMU_REGISTERS(LOAD)
        LOAD(cr, pmcr_el0)
    }
    a->debug_loaded = true;
    sysreg_write(mdcr_el2, mdcr_given);
    isb();
}

/* The vCPU's first access since it was loaded. True: try the instruction again. */
bool debug_take(struct vcpu *v)
{
    struct arch_vcpu *a = &v->arch;

    static_assert(sizeof(struct arch_debug) <= FRAME_SIZE, "one page");
    if (!a->debug) {
        a->debug = frame_alloc_hyp(v->domain, 0);
    }
    if (a->debug_loaded || !a->debug) {
        return false;
    }
    give(a);
    return true;
}

void debug_unload(struct vcpu *v)
{
    if (v->arch.debug_loaded) {
        save(v->arch.debug);
        v->arch.debug_loaded = false;
    }
}

bool arch_pmu_line(void)
{
    return pmu_present && (sysreg_read(pmovsset_el0) & sysreg_read(pmintenset_el1)) != 0;
}

/* On the way in, after the vCPU's other state. */
void debug_load(struct vcpu *v)
{
    const struct arch_debug *g = v->arch.debug;

    if (unlikely(g && ((g->mdscr & MDSCR_ARMED) || (g->cr & PMCR_E)))) {
        give(&v->arch);
    } else {
        sysreg_write(mdcr_el2, mdcr_trapping);
    }
}

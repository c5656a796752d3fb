/*
 * Self-hosted debug and the performance monitor belong to whichever vCPU uses
 * them, and are moved only then.
 *
 * G1  while a vCPU's debug (PMU) registers are not in the machine, its accesses
 *     trap, MDSCR_EL1 is 0 (no counter is enabled) and so nothing fires.
 * G2  a vCPU with breakpoints armed or counters running gets them loaded with
 *     the rest of it; any other gets them at its first access.
 * G3  leaving, they are written back and disarmed.
 *
 * The memory they need comes from the domain's allowance at the first use; if
 * there is none, the registers read as zero.
 * Source: DDI 0487I.a D2, D12 (PMUv3), D17.3.18 (MDCR_EL2).
 */
#include "arm64.h"

#include <hyp/arch.h>
#include <hyp/frame.h>

#define MDSCR_ARMED ((1ul << 15) | (1ul << 13) | 1ul) /* MDE, KDE, SS */
#define PMCR_E 1ul
#define MDCR_TRAP_DEBUG (MDCR_TDA | MDCR_TDRA | MDCR_TDOSA)
#define MDCR_TRAP_PMU (MDCR_TPM | MDCR_TPMCR)

static unsigned break_count, watch_count, counter_count; /* [const] after boot */
static bool pmu_present;                                 /* [const] */
static uint64_t mdcr_trapping; /* [const] of a vCPU that has neither in the machine; HPMN */

static uint64_t mdcr_of(const struct arch_vcpu *a)
{
    /* The OS lock registers always trap: they are emulated. */
    return (mdcr_trapping &
            ~((a->debug_loaded ? MDCR_TDA : 0) | (a->pmu_loaded ? MDCR_TRAP_PMU : 0))) |
           extension_traps.mdcr;
}

void debug_init_cpu(void)
{
    uint64_t dfr0 = sysreg_read(id_aa64dfr0_el1);
    unsigned pmu = (dfr0 >> 8) & 0xf;

    break_count = ((dfr0 >> 12) & 0xf) + 1;
    watch_count = ((dfr0 >> 20) & 0xf) + 1;
    pmu_present = pmu && pmu != 0xf;
    counter_count = pmu_present ? (sysreg_read(pmcr_el0) >> 11) & 0x1f : 0;
    mdcr_trapping = counter_count | MDCR_TRAP_DEBUG | MDCR_TRAP_PMU | MDCR_TTRF;
    sysreg_write(oslar_el1, 0);
    sysreg_write(mdscr_el1, 0);
    sysreg_write(mdcr_el2, mdcr_trapping);
    if (pmu_present) {
        sysreg_write(pmcr_el0, 0);
        sysreg_write(pmintenclr_el1, ~0u);
        sysreg_write(pmuserenr_el0, 0);
    }
}

/* Register n of a numbered family; the compiler has no other way to name them. */
#define EACH_16(X) \
    X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)

#define SAVE_BREAK(n)                             \
    if (n < break_count) {                        \
        g->bvr[n] = sysreg_read(dbgbvr##n##_el1); \
        g->bcr[n] = sysreg_read(dbgbcr##n##_el1); \
    }
#define SAVE_WATCH(n)                             \
    if (n < watch_count) {                        \
        g->wvr[n] = sysreg_read(dbgwvr##n##_el1); \
        g->wcr[n] = sysreg_read(dbgwcr##n##_el1); \
    }
#define LOAD_BREAK(n)                             \
    if (n < break_count) {                        \
        sysreg_write(dbgbvr##n##_el1, g->bvr[n]); \
        sysreg_write(dbgbcr##n##_el1, g->bcr[n]); \
    }
#define LOAD_WATCH(n)                             \
    if (n < watch_count) {                        \
        sysreg_write(dbgwvr##n##_el1, g->wvr[n]); \
        sysreg_write(dbgwcr##n##_el1, g->wcr[n]); \
    }

static void debug_registers_save(struct arch_debug *g)
{
    EACH_16(SAVE_BREAK)
    EACH_16(SAVE_WATCH)
    g->mdscr = sysreg_read(mdscr_el1);
    g->mdccint = sysreg_read(mdccint_el1);
    sysreg_write(mdscr_el1, 0);
}

static void debug_registers_load(const struct arch_debug *g)
{
    EACH_16(LOAD_BREAK)
    EACH_16(LOAD_WATCH)
    sysreg_write(mdccint_el1, g->mdccint);
    sysreg_write(mdscr_el1, g->mdscr);
}

static void pmu_save(struct arch_pmu *p)
{
    p->cr = sysreg_read(pmcr_el0);
    sysreg_write(pmcr_el0, p->cr & ~PMCR_E);
    isb();
    p->selr = sysreg_read(pmselr_el0);
    for (unsigned n = 0; n < counter_count; n++) {
        sysreg_write(pmselr_el0, n);
        isb();
        p->cntr[n] = sysreg_read(pmxevcntr_el0);
        p->type[n] = sysreg_read(pmxevtyper_el0);
    }
    p->ccntr = sysreg_read(pmccntr_el0);
    p->ccfilt = sysreg_read(pmccfiltr_el0);
    p->cnten = sysreg_read(pmcntenset_el0);
    p->inten = sysreg_read(pmintenset_el1);
    p->ovs = sysreg_read(pmovsset_el0);
    p->userenr = sysreg_read(pmuserenr_el0);
    sysreg_write(pmcntenclr_el0, ~0u);
    sysreg_write(pmintenclr_el1, ~0u);
    sysreg_write(pmovsclr_el0, ~0u);
    sysreg_write(pmuserenr_el0, 0);
}

static void pmu_load(const struct arch_pmu *p)
{
    for (unsigned n = 0; n < counter_count; n++) {
        sysreg_write(pmselr_el0, n);
        isb();
        sysreg_write(pmxevcntr_el0, p->cntr[n]);
        sysreg_write(pmxevtyper_el0, p->type[n]);
    }
    sysreg_write(pmccntr_el0, p->ccntr);
    sysreg_write(pmccfiltr_el0, p->ccfilt);
    sysreg_write(pmselr_el0, p->selr);
    sysreg_write(pmovsset_el0, p->ovs);
    sysreg_write(pmcntenset_el0, p->cnten);
    sysreg_write(pmintenset_el1, p->inten);
    sysreg_write(pmuserenr_el0, p->userenr);
    sysreg_write(pmcr_el0, p->cr);
}

/* One page holds both. */
static bool allocate(struct vcpu *v)
{
    static_assert(sizeof(struct arch_debug) + sizeof(struct arch_pmu) <= FRAME_SIZE, "one page");

    if (!v->arch.debug) {
        struct arch_debug *page = frame_alloc_hyp(v->domain, 0);
        v->arch.debug = page;
        v->arch.pmu = page ? (struct arch_pmu *)(page + 1) : NULL;
    }
    return v->arch.debug;
}

/* The vCPU's first access since it was loaded. True: try the instruction again. */
bool debug_take(struct vcpu *v)
{
    if (v->arch.debug_loaded || !allocate(v)) {
        return false;
    }
    debug_registers_load(v->arch.debug);
    v->arch.debug_loaded = true;
    sysreg_write(mdcr_el2, mdcr_of(&v->arch));
    isb();
    return true;
}

bool pmu_take(struct vcpu *v)
{
    if (!pmu_present || v->arch.pmu_loaded || !allocate(v)) {
        return false;
    }
    pmu_load(v->arch.pmu);
    v->arch.pmu_loaded = true;
    sysreg_write(mdcr_el2, mdcr_of(&v->arch));
    isb();
    return true;
}

void debug_unload(struct vcpu *v)
{
    if (v->arch.debug_loaded) {
        debug_registers_save(v->arch.debug);
    }
    if (v->arch.pmu_loaded) {
        pmu_save(v->arch.pmu);
    }
}

bool arch_pmu_line(void)
{
    return pmu_present && (sysreg_read(pmovsset_el0) & sysreg_read(pmintenset_el1)) != 0;
}

/* On the way in, after the vCPU's other state. */
void debug_load(struct vcpu *v)
{
    struct arch_vcpu *a = &v->arch;

    if (likely(!a->debug)) { /* it never used them */
        sysreg_write(mdcr_el2, mdcr_trapping | extension_traps.mdcr);
        return;
    }
    a->debug_loaded = a->debug && (a->debug->mdscr & MDSCR_ARMED);
    a->pmu_loaded = a->debug && (a->pmu->cr & PMCR_E);
    if (a->debug_loaded) {
        debug_registers_load(a->debug);
    }
    if (a->pmu_loaded) {
        pmu_load(a->pmu);
    }
    sysreg_write(mdcr_el2, mdcr_of(a));
}

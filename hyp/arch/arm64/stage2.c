/*
 * Stage 2 on this machine: its geometry, and how TLB entries die.
 *
 * A flush works on the VMID in VTTBR_EL2, so flushing another domain than the
 * loaded one borrows the register. Interrupts are masked and nothing of EL2
 * is translated by it, so nobody sees the loan.
 *
 * Source: DDI 0487I.a D8.14 (TLB maintenance), D17.2.157 (VTCR_EL2).
 */
#include "arm64.h"

#include <arch/stage2.h>
#include <hyp/arch.h>

static unsigned pa_range(void)
{
    return sysreg_read(id_aa64mmfr0_el1) & 0xf;
}

/* 40 bits, or 36 or 32 where the machine has no more. DDI 0487I.a, ID_AA64MMFR0_EL1.PARange */
unsigned arch_s2_address_bits(void)
{
    unsigned range = pa_range();

    return range >= 2 ? 40 : range == 1 ? 36 : 32;
}

/* Level 1 holds 39 bits in one table; 40 need two, concatenated. */
unsigned arch_s2_root_order(void)
{
    return arch_s2_address_bits() > 39 ? 1 : 0;
}

/* VTCR_EL2: walks start at level 1, cached write-back, inner shareable; VMIDs as wide as there are. */
uint64_t arch_vtcr(void)
{
    uint64_t vs = ((sysreg_read(id_aa64mmfr1_el1) >> 4) & 0xf) == 2;

    return (1ull << 31)                                        /* RES1 */
           | vs << 19                                          /* VS: 16-bit VMID */
           | (uint64_t)(pa_range() < 5 ? pa_range() : 5) << 16 /* PS */
           | 3ull << 12                                        /* SH0 inner */
           | 1ull << 10 | 1ull << 8                            /* ORGN0, IRGN0 write-back */
           | 1ull << 6                                         /* SL0: level 1 */
           | (64 - arch_s2_address_bits());                    /* T0SZ */
}

static uint64_t borrow(struct domain *d)
{
    uint64_t before = sysreg_read(vttbr_el2);

    if (before != arch_vttbr(d)) {
        sysreg_write(vttbr_el2, arch_vttbr(d));
        isb();
    }
    return before;
}

static void give_back(struct domain *d, uint64_t before)
{
    if (before != arch_vttbr(d)) {
        sysreg_write(vttbr_el2, before);
        isb();
    }
}

/* No VMID was ever loaded: no TLB knows the domain. */
static bool unknown_to_tlbs(const struct domain *d)
{
    return __atomic_load_n(&d->arch.vmid, __ATOMIC_RELAXED) == 0;
}

/*
 * One invalidation of all the domain's entries, whatever the range. Combined entries of both stages are
 * found by VMID only, so those go with a single page as well (DDI 0487I.a D8.14.5); what a narrower one
 * would spare, entries of stage 2 alone, is not worth a second invalidation and its barrier.
 */
void arch_s2_flush(struct domain *d, gfn_t at, uint64_t count, bool tables_too)
{
    dsb(ish); /* entries before invalidation, and before the VMID is read: vmid_load() */
    if (unknown_to_tlbs(d)) {
        return;
    }
    uint64_t before = borrow(d);
    __asm__ volatile("tlbi vmalls12e1is" : : : "memory");
    dsb(ish);
    isb();
    give_back(d, before);
}

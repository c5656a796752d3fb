/*
 * Stage 2 on this machine: its geometry, VMIDs, and how TLB entries die.
 *
 * VMIDs are the tags that keep the TLB entries of domains apart. There may be
 * more domains than VMIDs (256 on ARMv8.0). A domain holds one for a
 * generation; when the numbers run out a new generation starts with all TLBs
 * flushed, and every domain gets a new number when it is next loaded. A CPU
 * that runs a domain of the old generation keeps running it: its number is
 * reserved into the new one.
 *
 * X1  two domains never have the same VMID in one generation, and a VMID that
 *     some CPU still uses is not given to anybody else.
 *
 * A flush works on the VMID in VTTBR_EL2, so flushing another domain than the
 * loaded one borrows the register. Interrupts are masked and nothing of EL2
 * is translated by it, so nobody sees the loan.
 *
 * Source: DDI 0487I.a D8.13.2 (VMID), D8.14 (TLB maintenance), D17.2.156 and
 * D17.2.157 (VTTBR_EL2, VTCR_EL2).
 */
#include "arm64.h"

#include <arch/stage2.h>

static lock_t vmid_lock = LOCK_INIT(RANK_VMID);
static uint64_t generation = 1;     /* [vmid_lock], read unlocked on the fast path */
static uint32_t next_vmid = 1;      /* [vmid_lock] 0 is never given */
static uint64_t active[MAX_CPUS];   /* [atomic] the generation | VMID that each CPU runs, 0 none */
static uint64_t reserved[MAX_CPUS]; /* [vmid_lock] VMIDs kept across the last rollover */

#define VMID_SHIFT 48
#define VMID_MASK 0xfffful
#define GENERATION_SHIFT 16

static unsigned pa_range(void)
{
    return sysreg_read(id_aa64mmfr0_el1) & 0xf;
}

static bool has_wide_vmids(void)
{
    return ((sysreg_read(id_aa64mmfr1_el1) >> 4) & 0xf) == 2;
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

/* Walks start at level 1, cached write-back, inner shareable; VMIDs as wide as there are. No domain yet. */
void stage2_init_cpu(void)
{
    uint64_t vtcr = (1ull << 31)                                        /* RES1 */
                    | (uint64_t)has_wide_vmids() << 19                  /* VS: 16-bit VMID */
                    | (uint64_t)(pa_range() < 5 ? pa_range() : 5) << 16 /* PS */
                    | 3ull << 12                                        /* SH0 inner */
                    | 1ull << 10 | 1ull << 8         /* ORGN0, IRGN0 write-back */
                    | 1ull << 6                      /* SL0: level 1 */
                    | (64 - arch_s2_address_bits()); /* T0SZ */

    sysreg_write(vtcr_el2, vtcr);
    sysreg_write(vttbr_el2, 0);
}

static bool is_reserved(uint64_t number)
{
    for (uint32_t i = 0; i < cpu_count; i++) {
        if ((reserved[i] & VMID_MASK) == number) {
            return true;
        }
    }
    return false;
}

/* If `d` was running when the last generation ended, its number is still its own. */
static bool renew_reserved(struct domain *d, uint64_t renewed)
{
    bool hit = false;

    for (uint32_t i = 0; i < cpu_count; i++) {
        if (reserved[i] && reserved[i] == d->arch.vmid) {
            reserved[i] = renewed;
            hit = true;
        }
    }
    return hit;
}

static void roll_over(void)
{
    __atomic_store_n(&generation, generation + 1, __ATOMIC_RELAXED);
    for (uint32_t i = 0; i < cpu_count; i++) {
        uint64_t a = __atomic_exchange_n(&active[i], 0, __ATOMIC_RELAXED);
        if (a) {
            reserved[i] = a;
        }
    }
    next_vmid = 1;
    dsb(ishst);
    __asm__ volatile("tlbi alle1is");
    dsb(ish);
    isb();
}

/* Find a number of this generation for `d`. */
static uint64_t vmid_new(struct domain *d) REQUIRES(&vmid_lock)
{
    uint64_t number = d->arch.vmid & VMID_MASK;

    if (renew_reserved(d, generation << GENERATION_SHIFT | number)) {
        return generation << GENERATION_SHIFT | number;
    }
    do {
        if (next_vmid == 1u << (has_wide_vmids() ? 16 : 8)) {
            roll_over();
        }
        number = next_vmid++;
    } while (is_reserved(number));
    return generation << GENERATION_SHIFT | number;
}

static uint64_t vttbr_of(const struct domain *d)
{
    return d->p2m.root.v | (d->arch.vmid & VMID_MASK) << VMID_SHIFT;
}

static void set_vttbr(uint64_t vttbr)
{
    sysreg_write(vttbr_el2, vttbr);
    isb();
}

/* Make this CPU translate for `d`. */
void stage2_load(struct domain *d)
{
    uint64_t *mine = &active[this_cpu()->id];
    uint64_t vmid = __atomic_load_n(&d->arch.vmid, __ATOMIC_RELAXED);

    /* Nothing to do after another vCPU of the domain; else, unless a rollover took our slot meanwhile, one
     * exchange is all. */
    uint64_t seen = __atomic_load_n(mine, __ATOMIC_RELAXED);
    if (!(seen && vmid >> GENERATION_SHIFT == __atomic_load_n(&generation, __ATOMIC_RELAXED) &&
          (seen == vmid || __atomic_compare_exchange_n(mine, &seen, vmid, false, __ATOMIC_SEQ_CST,
                                                       __ATOMIC_RELAXED)))) {
        lock(&vmid_lock);
        if (d->arch.vmid >> GENERATION_SHIFT != generation) {
            d->arch.vmid = vmid_new(d);
        }
        __atomic_store_n(mine, d->arch.vmid, __ATOMIC_RELAXED);
        unlock(&vmid_lock);
        /* The new number before our walks: arch_s2_flush() writes an entry, then reads the number. */
        dsb(ish);
    }
    set_vttbr(vttbr_of(d));
}

/*
 * One invalidation of all the domain's entries, whatever the range. Combined entries of both stages are
 * found by VMID only, so those go with a single page as well (DDI 0487I.a D8.14.5); what a narrower one
 * would spare, entries of stage 2 alone, is not worth a second invalidation and its barrier.
 */
void arch_s2_flush(struct domain *d, gfn_t at, uint64_t count, bool tables_too)
{
    dsb(ish); /* entries before invalidation, and before the VMID is read: stage2_load() */
    if (__atomic_load_n(&d->arch.vmid, __ATOMIC_RELAXED) == 0) {
        return; /* never loaded: no TLB knows the domain */
    }
    uint64_t before = sysreg_read(vttbr_el2);
    bool other = before != vttbr_of(d);
    if (other) {
        set_vttbr(vttbr_of(d));
    }
    __asm__ volatile("tlbi vmalls12e1is" : : : "memory");
    dsb(ish);
    isb();
    if (other) {
        set_vttbr(before);
    }
}

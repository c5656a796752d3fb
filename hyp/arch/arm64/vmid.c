/*
 * VMIDs: the tags that keep the TLB entries of domains apart.
 *
 * There may be more domains than VMIDs (256 on ARMv8.0). A domain holds one
 * for a generation; when the numbers run out a new generation starts with all
 * TLBs flushed, and every domain gets a new number when it is next loaded. A
 * CPU that runs a domain of the old generation keeps running it: its number
 * is reserved into the new one.
 *
 * X1  two domains never have the same VMID in one generation, and a VMID that
 *     some CPU still uses is not given to anybody else.
 *
 * Source: DDI 0487I.a D8.13.2 (VMID), D17.2.156 (VTTBR_EL2).
 */
#include "arm64.h"

#include <hyp/arch.h>

static lock_t vmid_lock = LOCK_INIT(RANK_VMID);
static uint64_t generation = 1;     /* [vmid_lock], read unlocked on the fast path */
static uint32_t vmid_count;         /* [const] */
static uint32_t next_vmid = 1;      /* [vmid_lock] 0 is never given */
static uint64_t active[MAX_CPUS];   /* [atomic] the generation | VMID that each CPU runs, 0 none */
static uint64_t reserved[MAX_CPUS]; /* [vmid_lock] VMIDs kept across the last rollover */

#define VMID_SHIFT 48
#define GENERATION_SHIFT 16

__init void vmid_init(void)
{
    bool wide = ((sysreg_read(id_aa64mmfr1_el1) >> 4) & 0xf) == 2;

    vmid_count = wide ? 65536 : 256;
}

static bool is_reserved(uint64_t number)
{
    for (uint32_t i = 0; i < cpu_count; i++) {
        if (reserved[i] && (reserved[i] & 0xffff) == number) {
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
    uint64_t renewed = generation << GENERATION_SHIFT | (d->arch.vmid & 0xffff);

    if (renew_reserved(d, renewed)) {
        return renewed;
    }
    for (;;) {
        if (next_vmid == vmid_count) {
            roll_over();
        }
        uint64_t candidate = next_vmid++;
        if (!is_reserved(candidate)) {
            return generation << GENERATION_SHIFT | candidate;
        }
    }
}

uint64_t arch_vttbr(struct domain *d)
{
    return d->p2m.root.v | (d->arch.vmid & 0xffff) << VMID_SHIFT;
}

/* Make this CPU translate for `d`. */
void vmid_load(struct domain *d)
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
    sysreg_write(vttbr_el2, arch_vttbr(d));
    isb();
}

/*
 * Stage-2 translation table entries. Contract: hyp/arch.h.
 *
 * 4 KiB granule, 40-bit guest addresses (fewer if the machine has fewer): the
 * root is two concatenated level-1 tables. The p2m type is kept in bits 55-58,
 * which the hardware ignores. Source: DDI 0487I.a D8.3.2 (descriptors), D8.4.2
 * (stage-2 permissions), D8.5.5 (memory attributes).
 */
#ifndef ARCH_STAGE2_H
#define ARCH_STAGE2_H

#include <arch/sysreg.h>
#include <hyp/p2m.h>
#include <hyp/types.h>

typedef uint64_t s2_pte_t;

#define S2_VALID (1ull << 0)
#define S2_TABLE (1ull << 1)         /* level 1, 2: a table. Level 3: a page */
#define S2_ATTR_DEVICE (0x1ull << 2) /* Device-nGnRE */
#define S2_ATTR_NORMAL (0xfull << 2) /* write-back, as the guest's stage 1 likes */
#define S2_READ (1ull << 6)
#define S2_WRITE (1ull << 7)
#define S2_SH_INNER (3ull << 8)
#define S2_SH_OUTER (2ull << 8)
#define S2_AF (1ull << 10)
#define S2_XN (1ull << 54)
#define S2_TYPE_SHIFT 55
#define S2_ADDRESS 0x0000fffffffff000ull

#define S2_NORMAL (S2_VALID | S2_AF | S2_ATTR_NORMAL | S2_SH_INNER | S2_READ)

unsigned arch_s2_root_order(void);
unsigned arch_s2_address_bits(void);

/* What p2m_rights() says, and how memory is. */
static inline s2_pte_t s2_attributes(unsigned type)
{
    static const s2_pte_t of[P2M_TYPE_COUNT] = {
        [P2M_RAM] = S2_NORMAL | S2_WRITE,
        [P2M_RAM_RO] = S2_NORMAL,
        [P2M_RAM_XN] = S2_NORMAL | S2_WRITE | S2_XN,
        [P2M_RAM_R] = S2_NORMAL | S2_XN,
        [P2M_MMIO] = S2_VALID | S2_AF | S2_ATTR_DEVICE | S2_SH_OUTER | S2_READ | S2_WRITE | S2_XN,
        [P2M_MMIO_C] = S2_NORMAL | S2_WRITE | S2_XN,
        [P2M_GRANT_RW] = S2_NORMAL | S2_WRITE | S2_XN,
        [P2M_GRANT_RO] = S2_NORMAL | S2_XN,
        [P2M_FOREIGN] = S2_NORMAL | S2_WRITE | S2_XN,
        [P2M_FOREIGN_RO] = S2_NORMAL | S2_XN,
        [P2M_SHARED] = S2_NORMAL | S2_WRITE | S2_XN,
    };
    return of[type];
}

static inline s2_pte_t arch_s2_leaf(mfn_t m, unsigned p2m_type, unsigned level)
{
    return m.v << FRAME_SHIFT | s2_attributes(p2m_type) | (uint64_t)p2m_type << S2_TYPE_SHIFT |
           (level == 3 ? S2_TABLE : 0);
}
static inline s2_pte_t arch_s2_table(mfn_t m)
{
    return m.v << FRAME_SHIFT | S2_VALID | S2_TABLE;
}
static inline bool arch_s2_valid(s2_pte_t e)
{
    return e & S2_VALID;
}
static inline bool arch_s2_is_table(s2_pte_t e, unsigned level)
{
    return level < 3 && (e & (S2_VALID | S2_TABLE)) == (S2_VALID | S2_TABLE);
}
static inline mfn_t arch_s2_mfn(s2_pte_t e)
{
    return mfn((e & S2_ADDRESS) >> FRAME_SHIFT);
}
static inline unsigned arch_s2_type(s2_pte_t e)
{
    return (e >> S2_TYPE_SHIFT) & 0xf;
}
/* Release: the contents of a new table before the entry that leads to it. */
static inline void arch_s2_write(struct domain *d, s2_pte_t *slot, s2_pte_t e)
{
    __atomic_store_n(slot, e, __ATOMIC_RELEASE);
}
/* Walkers of all CPUs see entries that became valid. */
static inline void arch_s2_publish(void)
{
    dsb(ishst);
}

#endif

/*
 * Stage-2 entries of the model machine, unlike those of any real one:
 *
 *   63   60   57 56   52  48        43                4    0
 *   [kind ]...[level].[type ]...    [frame number     ][zero]     kind: 5 leaf, 10 table
 */
#ifndef ARCH_STAGE2_H
#define ARCH_STAGE2_H

#include <hyp/types.h>

struct domain;
typedef uint64_t s2_pte_t;

#define FAKE_S2_LEAF 5ull
#define FAKE_S2_TABLE 10ull
#define FAKE_S2_ROOT_ORDER 2u /* 4 * 512 entries of 1 GiB */

static inline unsigned arch_s2_root_order(void)
{
    return FAKE_S2_ROOT_ORDER;
}
static inline unsigned arch_s2_address_bits(void)
{
    return 39 + FAKE_S2_ROOT_ORDER;
}
static inline s2_pte_t arch_s2_leaf(mfn_t m, unsigned p2m_type, unsigned level)
{
    return FAKE_S2_LEAF << 60 | (uint64_t)level << 56 | (uint64_t)p2m_type << 48 | m.v << 4;
}
static inline s2_pte_t arch_s2_table(mfn_t m)
{
    return FAKE_S2_TABLE << 60 | m.v << 4;
}
static inline bool arch_s2_valid(s2_pte_t e)
{
    return e >> 60 != 0;
}
static inline bool arch_s2_is_table(s2_pte_t e, unsigned level)
{
    return e >> 60 == FAKE_S2_TABLE;
}
static inline mfn_t arch_s2_mfn(s2_pte_t e)
{
    return mfn((e & ((1ull << 44) - 1)) >> 4);
}
static inline unsigned arch_s2_type(s2_pte_t e)
{
    return (unsigned)(e >> 48) & 0x1f;
}

void arch_s2_write(struct domain *d, s2_pte_t *slot, s2_pte_t e);
void arch_s2_publish(void);

#endif

/* What p2m.c and p2m-teardown.c share with the guest copies and the checker. */
#ifndef HYP_P2M_INTERNAL_H
#define HYP_P2M_INTERNAL_H

#include "frame-internal.h"
#include <arch/stage2.h>
#include <hyp/domain.h>
#include <hyp/frame.h>
#include <hyp/p2m.h>

#define P2M_LEVELS 3
#define P2M_ENTRIES 512u

/* A block of this level is 2^order frames. */
static inline unsigned level_order(unsigned level)
{
    return 9 * (P2M_LEVELS - level);
}

static inline uint64_t level_frames(unsigned level)
{
    return 1ull << level_order(level);
}

static inline s2_pte_t *table_at(s2_pte_t e)
{
    return mfn_to_va(arch_s2_mfn(e));
}

/* The slots passed on the way down: slot[level] ends it, holding a leaf or nothing. */
struct p2m_path {
    s2_pte_t *slot[P2M_LEVELS + 1];
    unsigned level;
};

/* `g` is below p->gfn_limit. Level by level and not as a loop: every path of p2m goes through
 * here. */
static inline void p2m_descend(const struct p2m *p, gfn_t g, struct p2m_path *path)
{
    s2_pte_t *table = arch_ram_va(p->root.v);
    path->level = 1;
    path->slot[1] = &table[g.v >> level_order(1)];
    if (!arch_s2_is_table(*path->slot[1], 1)) {
        return;
    }
    path->level = 2;
    path->slot[2] = &table_at(*path->slot[1])[(g.v >> level_order(2)) & (P2M_ENTRIES - 1)];
    if (!arch_s2_is_table(*path->slot[2], 2)) {
        return;
    }
    path->level = 3;
    path->slot[3] = &table_at(*path->slot[2])[g.v & (P2M_ENTRIES - 1)];
}

/* The slot of the page at `g`, below p->gfn_limit, in a table that is there; else NULL. */
static inline s2_pte_t *p2m_page_slot(const struct p2m *p, gfn_t g)
{
    s2_pte_t e = ((s2_pte_t *)arch_ram_va(p->root.v))[g.v >> level_order(1)];
    if (!arch_s2_is_table(e, 1)) {
        return NULL;
    }
    e = table_at(e)[(g.v >> level_order(2)) & (P2M_ENTRIES - 1)];
    return arch_s2_is_table(e, 2) ? &table_at(e)[g.v & (P2M_ENTRIES - 1)] : NULL;
}

/* The domain's own memory at `g`, which may be written if it must be. For who holds the lock. */
static inline bool p2m_ram_at(const struct p2m *p, gfn_t g, bool writable, mfn_t *out)
{
    struct p2m_path path;
    if (unlikely(g.v >= p->gfn_limit)) {
        return false;
    }
    p2m_descend(p, g, &path);
    s2_pte_t e = *path.slot[path.level];
    uint32_t good = 1u << P2M_RAM | 1u << P2M_RAM_XN | (writable ? 0 : 1u << P2M_RAM_RO);
    *out = mfn(arch_s2_mfn(e).v + (g.v & (level_frames(path.level) - 1)));
    return arch_s2_valid(e) && (good >> arch_s2_type(e) & 1) != 0;
}

/* p2m_lookup() for who holds the lock. */
bool p2m_lookup_locked(struct domain *d, gfn_t g, struct p2m_entry *out);
/* Do the invalidation owed and free what waited for it. */
void p2m_flush_locked(struct domain *d) REQUIRES(&d->p2m.lock);

#endif

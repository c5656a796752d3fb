/*
 * The birth and death of a domain's stage-2 tables.
 *
 * Death goes one root entry (1 GiB) at a time: the entry is taken out of the
 * root, the TLB invalidated for all of it, and only then are the frames and
 * tables below it given back (P4), a bounded number in each call.
 */
#include <hyp/p2m.h>

#include "p2m-internal.h"
#include <hyp/assert.h>
#include <xen/errno.h>

/* Records and entries that one call goes through: below 50,000 instructions, of which a frame takes 650. */
#define TEARDOWN_STEPS 68

int p2m_init(struct domain *d)
{
    CHECK(d->p2m.root.v == 0);
    d->p2m = (struct p2m){.lock = LOCK_INIT(RANK_P2M)};
    void *root = frame_alloc_hyp(d, arch_s2_root_order());
    if (root == NULL) {
        return -XEN_ENOMEM;
    }
    d->p2m.root = mfn_mpa(va_to_mfn(root));
    d->p2m.gfn_limit = 1ull << (arch_s2_address_bits() - FRAME_SHIFT);
    d->p2m.table_frames = 1ull << arch_s2_root_order();
    return 0;
}

/* Give back frames of a leaf that nothing leads to any more; how many, says when the steps are used up. */
static uint64_t leaf_free(struct domain *d, enum p2m_type t, mfn_t m, uint64_t count, int *steps)
{
    uint64_t done = 0;
    CHECK(t != P2M_GRANT_RW && t != P2M_GRANT_RO);
    if (p2m_is_ram(t)) {
        done = frame_release_some(m, count, d->id, steps);
    } else if (p2m_is_foreign(t)) {
        for (; *steps > 0 && done < count; done++, --*steps) {
            frame_put(mfn(m.v + done));
        }
    } else {
        done = count;
        --*steps;
    }
    return done;
}

/* Take the root entry at the cursor out of the tree; it may be empty. */
static void take_out(struct domain *d) REQUIRES(&d->p2m.lock)
{
    struct p2m *p = &d->p2m;
    s2_pte_t *slot = (s2_pte_t *)arch_ram_va(p->root.v) + (p->dying_at.v >> level_order(1));
    p->dying = *slot;
    if (arch_s2_valid(p->dying)) {
        arch_s2_write(d, slot, 0);
        arch_s2_flush(d, p->dying_at, level_frames(1), true);
    }
}

/* Empty the entry at the cursor, which is below p->dying, as far as `*steps` allow; and free the
 * tables that end with it. */
static void empty_one(struct domain *d, int *steps) REQUIRES(&d->p2m.lock)
{
    struct p2m *p = &d->p2m;
    s2_pte_t *table[P2M_LEVELS], e = p->dying;
    uint64_t g = p->dying_at.v;
    unsigned level = 1;
    for (; arch_s2_is_table(e, level); level++) {
        table[level] = table_at(e);
        e = table[level][(g >> level_order(level + 1)) & (P2M_ENTRIES - 1)];
    }
    uint64_t into = g & (level_frames(level) - 1), count = level_frames(level) - into;
    if (arch_s2_valid(e)) {
        enum p2m_type t = (enum p2m_type)arch_s2_type(e);
        count = leaf_free(d, t, mfn(arch_s2_mfn(e).v + into), count, steps);
        p->mapped_frames[t] -= count;
    } else {
        *steps -= (g >> level_order(level)) % 8 == 0;
    }
    if (count == 0) {
        return;
    }
    g += count;
    for (; level > 1 && (g & (level_frames(level - 1) - 1)) == 0; level--, --*steps) {
        frame_free_hyp(d, table[level - 1], 0);
        p->table_frames--;
    }
    p->dying = (g & (level_frames(1) - 1)) == 0 ? 0 : p->dying;
    p->dying_at = gfn(g);
}

int p2m_teardown(struct domain *d)
{
    struct p2m *p = &d->p2m;
    int steps = TEARDOWN_STEPS;
    if (p->root.v == 0) {
        return 0;
    }
    lock(&d->p2m.lock);
    p2m_flush_locked(d);
    while (steps > 0 && (p->dying != 0 || p->dying_at.v < p->max_gfn.v)) {
        if (p->dying == 0) {
            take_out(d);
        }
        empty_one(d, &steps);
    }
    bool done = p->dying == 0 && p->dying_at.v >= p->max_gfn.v;
    if (done) {
        p->dying_at = p->max_gfn = gfn(0);
        p->seal = (struct p2m_seal){.state = SEAL_OPEN};
        CHECK(p->table_frames == 1ull << arch_s2_root_order());
    }
    unlock(&d->p2m.lock);
    return done ? 0 : -XEN_ERESTART;
}

void p2m_destroy(struct domain *d)
{
    struct p2m *p = &d->p2m;
    if (p->root.v == 0) {
        return;
    }
    CHECK(p->max_gfn.v == 0 && p->dying == 0);
    frame_free_hyp(d, arch_ram_va(p->root.v), arch_s2_root_order());
    p->root = mpa(0);
    p->gfn_limit = p->table_frames = 0;
}

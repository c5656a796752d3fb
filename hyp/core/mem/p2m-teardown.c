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

/* Records and entries that one call goes through: below 50,000 instructions, of which a frame takes 520. */
#define TEARDOWN_STEPS 80

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

/* Give back what a leaf held; nothing leads there any more. False: the steps are used up first. */
static bool leaf_free(struct domain *d, s2_pte_t e, unsigned level, int *steps)
    REQUIRES(&d->p2m.lock)
{
    struct p2m *p = &d->p2m;
    enum p2m_type t = (enum p2m_type)arch_s2_type(e);
    mfn_t m = mfn(arch_s2_mfn(e).v + p->dying_frame);
    uint64_t left = level_frames(level) - p->dying_frame, done = 0;
    CHECK(t != P2M_GRANT_RW && t != P2M_GRANT_RO);
    if (p2m_is_ram(t)) {
        done = frame_release_some(m, left, d->id, steps);
    } else if (p2m_is_foreign(t)) {
        for (; *steps > 0 && done < left; done++, --*steps) {
            frame_put(mfn(m.v + done));
        }
    } else {
        done = left;
        --*steps;
    }
    p->dying_frame = done < left ? p->dying_frame + (uint32_t)done : 0;
    p->mapped_frames[t] -= done;
    return done == left;
}

static void table_free(struct domain *d, s2_pte_t e) REQUIRES(&d->p2m.lock)
{
    frame_free_hyp(d, table_at(e), 0);
    d->p2m.table_frames--;
}

/* The same below a table of the lowest level. */
static bool empty_last(struct domain *d, s2_pte_t e, int *steps) REQUIRES(&d->p2m.lock)
{
    struct p2m *p = &d->p2m;
    const s2_pte_t *table = table_at(e);
    for (; p->dying_entry < P2M_ENTRIES; p->dying_entry++) {
        s2_pte_t leaf = table[p->dying_entry];
        if (*steps <= 0 || (arch_s2_valid(leaf) && !leaf_free(d, leaf, P2M_LEVELS, steps))) {
            return false;
        }
        *steps -= p->dying_entry % 8 == 0;
    }
    p->dying_entry = 0;
    table_free(d, e);
    return true;
}

/* Take the next root entry out. False: the root is empty, or `*steps` are used up. */
static bool next_dying(struct domain *d, int *steps) REQUIRES(&d->p2m.lock)
{
    struct p2m *p = &d->p2m;
    s2_pte_t *root = arch_ram_va(p->root.v);
    uint64_t count = (p->max_gfn.v + level_frames(1) - 1) >> level_order(1);
    while (*steps > 0 && p->root_slot < count && !arch_s2_valid(root[p->root_slot])) {
        *steps -= p->root_slot++ % 16 == 0;
    }
    if (*steps <= 0 || p->root_slot >= count) {
        return false;
    }
    p->dying = root[p->root_slot];
    p->dying_slot = 0;
    arch_s2_write(d, &root[p->root_slot], 0);
    arch_s2_flush(d, gfn((uint64_t)p->root_slot << level_order(1)), level_frames(1), true);
    return true;
}

/* Go on below p->dying until `*steps` are used up. */
static void empty_dying(struct domain *d, int *steps) REQUIRES(&d->p2m.lock)
{
    struct p2m *p = &d->p2m;
    if (!arch_s2_is_table(p->dying, 1)) {
        p->dying = leaf_free(d, p->dying, 1, steps) ? 0 : p->dying;
        return;
    }
    const s2_pte_t *table = table_at(p->dying);
    for (; p->dying_slot < P2M_ENTRIES; p->dying_slot++, --*steps) {
        s2_pte_t e = table[p->dying_slot];
        if (*steps <= 0 ||
            (arch_s2_is_table(e, 2) ? !empty_last(d, e, steps)
                                    : arch_s2_valid(e) && !leaf_free(d, e, 2, steps))) {
            return;
        }
    }
    table_free(d, p->dying);
    p->dying = 0;
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
    while (steps > 0 && (p->dying != 0 || next_dying(d, &steps))) {
        empty_dying(d, &steps);
    }
    bool done = steps > 0;
    if (done) {
        p->root_slot = 0;
        p->max_gfn = gfn(0);
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

/*
 * Stage-2 tables: map, unmap, change rights. Invariants P1 to P5 are in hyp/p2m.h.
 *
 * How many entries of a table page are valid is in frame_words()[0] of its
 * frame record; [1] is where merge() last saw that it is no block, and links
 * the pages of `retired`. A table is never empty, so a free range has no table
 * in the way of a block; the one that P5 excepts goes before anything larger
 * than a page is mapped.
 *
 * An unmap leaves an invalidation owed: the range, and the tables that it
 * emptied. Nobody maps into such a range, and no page of it is used again,
 * before p2m_flush_locked() paid.
 */
#include <hyp/p2m.h>

#include "p2m-internal.h"
#include <hyp/assert.h>
#include <xen/errno.h>

/* Without a root there is no range at all. */
static bool range_ok(const struct p2m *p, gfn_t at, uint64_t count)
{
    return count - 1 < p->gfn_limit && at.v <= p->gfn_limit - count;
}

/* First gfn after the block of this level that holds g. */
static uint64_t next_block(uint64_t g, unsigned level)
{
    return (g | (level_frames(level) - 1)) + 1;
}

static uint32_t *words_of_table(const s2_pte_t *slot)
{
    return words_of((const void *)((uintptr_t)slot & ~FRAME_MASK));
}

/* Change a slot between valid and not, and count that in its table. The root is not counted. */
static void set_slot(struct domain *d, s2_pte_t *slot, unsigned level, s2_pte_t e)
    REQUIRES(&d->p2m.lock)
{
    if (level > 1) {
        words_of_table(slot)[0] += arch_s2_valid(e) ? 1u : ~0u;
    }
    arch_s2_write(d, slot, e);
}

/* Table pages. */

/* An empty table from the domain's allowance, or NULL. */
static s2_pte_t *table_alloc(struct domain *d) REQUIRES(&d->p2m.lock)
{
    s2_pte_t *page = frame_alloc_hyp(d, 0);
    d->p2m.table_frames += page != NULL;
    return page;
}

static void owe(struct p2m *p, uint64_t start, uint64_t end, bool tables_too)
{
    bool first = p->stale_start.v == p->stale_end.v;
    p->stale_start = gfn(first || start < p->stale_start.v ? start : p->stale_start.v);
    p->stale_end = gfn(first || end > p->stale_end.v ? end : p->stale_end.v);
    p->stale_tables |= tables_too;
}

void p2m_flush_locked(struct domain *d)
{
    struct p2m *p = &d->p2m;
    if (p->stale_start.v == p->stale_end.v) {
        return;
    }
    arch_s2_flush(d, p->stale_start, p->stale_end.v - p->stale_start.v, p->stale_tables);
    p->stale_start = p->stale_end = gfn(0);
    p->stale_tables = false;
    while (p->retired != NULL) {
        void *page = p->retired;
        uint32_t next = words_of(page)[1];
        p->retired = next != 0 ? mfn_to_va(mfn(next)) : NULL;
        words_of(page)[1] = 0;
        frame_free_hyp(d, page, 0);
    }
}

/* A table without entries, and so all zero, is out of the tree but not out of the TLBs. */
static void table_retire(struct p2m *p, void *page)
{
    p->table_frames--;
    words_of(page)[1] = p->retired != NULL ? (uint32_t)va_to_mfn(p->retired).v : 0;
    p->retired = page;
}

/* The slot at path->level has been cleared: take tables along that have no entry left. */
static void prune(struct domain *d, struct p2m_path *path, uint64_t g) REQUIRES(&d->p2m.lock)
{
    while (path->level > 1 && words_of_table(path->slot[path->level])[0] == 0) {
        void *page = table_at(*path->slot[path->level - 1]);
        path->level--;
        set_slot(d, path->slot[path->level], path->level, 0);
        uint64_t start = g & ~(level_frames(path->level) - 1);
        owe(&d->p2m, start, start + level_frames(path->level), true);
        table_retire(&d->p2m, page);
    }
}

/* P5's exception goes, if it still is one. */
static void prune_idle(struct domain *d) REQUIRES(&d->p2m.lock)
{
    struct p2m_path path;
    p2m_descend(&d->p2m, d->p2m.idle, &path);
    prune(d, &path, d->p2m.idle.v);
}

/* The same and at once. True if that gave pages back to the allowance. */
static bool free_idle(struct domain *d) REQUIRES(&d->p2m.lock)
{
    prune_idle(d);
    bool any = d->p2m.retired != NULL;
    if (any) {
        p2m_flush_locked(d);
    }
    return any;
}

/* Replace the block that ends the path by a table of 512 smaller ones and go down to `g` in it. */
static int split(struct domain *d, struct p2m_path *path, gfn_t g) REQUIRES(&d->p2m.lock)
{
    s2_pte_t *slot = path->slot[path->level], old = *slot;
    unsigned level = path->level + 1;
    s2_pte_t *table = table_alloc(d);
    if (table == NULL && free_idle(d)) { /* the tables of this path have an entry, and stay */
        table = table_alloc(d);
    }
    if (table == NULL) {
        return -XEN_ENOMEM;
    }
    for (uint64_t i = 0; i < P2M_ENTRIES; i++) {
        mfn_t m = mfn(arch_s2_mfn(old).v + (i << level_order(level)));
        table[i] = arch_s2_leaf(m, arch_s2_type(old), level);
    }
    words_of(table)[0] = P2M_ENTRIES;
    uint64_t start = g.v & ~(level_frames(path->level) - 1);
    arch_s2_write(d, slot, 0); /* P1; the table keeps its count */
    arch_s2_flush(d, gfn(start), level_frames(path->level), false);
    arch_s2_write(d, slot, arch_s2_table(va_to_mfn(table)));
    arch_s2_publish();
    path->level = level;
    path->slot[level] = &table[(g.v >> level_order(level)) & (P2M_ENTRIES - 1)];
    return 0;
}

/* Make `g` the first of a block, if it is inside one. */
static int split_before(struct domain *d, uint64_t g) REQUIRES(&d->p2m.lock)
{
    struct p2m_path path;
    if (g >= d->p2m.gfn_limit) {
        return 0;
    }
    p2m_descend(&d->p2m, gfn(g), &path);
    while (arch_s2_valid(*path.slot[path.level]) && (g & (level_frames(path.level) - 1)) != 0) {
        int error = split(d, &path, gfn(g));
        if (error != 0) {
            return error;
        }
    }
    return 0;
}

static int split_edges(struct domain *d, uint64_t start, uint64_t end) REQUIRES(&d->p2m.lock)
{
    int error = split_before(d, start);
    return error != 0 ? error : split_before(d, end);
}

/* Is entry `i` what it would be if the table, that begins with `first`, were one block? */
static bool in_block(const s2_pte_t *table, s2_pte_t first, unsigned level, unsigned i)
{
    mfn_t m = mfn(arch_s2_mfn(first).v + ((uint64_t)i << level_order(level + 1)));
    return table[i] == arch_s2_leaf(m, arch_s2_type(first), level + 1);
}

/*
 * Is the full table at `slot` 512 parts of one block? Grants, foreign and shared pages come and
 * go singly: they stay pages, so that taking one needs no table and cannot fail. Mostly the
 * answer is no, by the entry that changed or by the one that was wrong last time.
 */
static bool is_one_block(s2_pte_t *slot, unsigned level, unsigned changed)
{
    const s2_pte_t *table = table_at(*slot);
    s2_pte_t first = table[0];
    enum p2m_type t = (enum p2m_type)arch_s2_type(first);
    uint32_t *words = words_of(table);
    if (words[0] != P2M_ENTRIES || arch_s2_is_table(first, level + 1) ||
        !(p2m_is_ram(t) || p2m_is_mmio(t)) ||
        (arch_s2_mfn(first).v & (level_frames(level) - 1)) != 0 ||
        !in_block(table, first, level, changed) || !in_block(table, first, level, words[1])) {
        return false;
    }
    for (unsigned i = 1; i < P2M_ENTRIES; i++) {
        if (!in_block(table, first, level, i)) {
            words[1] = i;
            return false;
        }
    }
    return true;
}

/* If the smallest table that holds `g`, or then the next one up, is all one block, make it one. */
static void merge(struct domain *d, gfn_t g) REQUIRES(&d->p2m.lock)
{
    struct p2m_path path;
    p2m_descend(&d->p2m, g, &path);
    while (path.level > 1) {
        unsigned changed = (g.v >> level_order(path.level)) & (P2M_ENTRIES - 1);
        if (!is_one_block(path.slot[path.level - 1], path.level - 1, changed)) {
            return;
        }
        s2_pte_t *slot = path.slot[--path.level];
        s2_pte_t *table = table_at(*slot);
        s2_pte_t first = table[0];
        arch_s2_write(d, slot, 0);
        arch_s2_flush(d, gfn(g.v & ~(level_frames(path.level) - 1)), level_frames(path.level),
                      true);
        arch_s2_write(d, slot, arch_s2_leaf(arch_s2_mfn(first), arch_s2_type(first), path.level));
        frame_free_hyp(d, table, 0);
        d->p2m.table_frames--;
    }
}

/* Mapping. */

/* Is nothing mapped in [start, end) but these types? */
static bool only(const struct p2m *p, uint64_t start, uint64_t end, uint32_t types)
{
    struct p2m_path path;
    for (uint64_t g = start; g < end; g = next_block(g, path.level)) {
        p2m_descend(p, gfn(g), &path);
        s2_pte_t e = *path.slot[path.level];
        if (arch_s2_valid(e) && (types >> arch_s2_type(e) & 1) == 0) {
            return false;
        }
    }
    return true;
}

/* P2. */
static unsigned block_level(uint64_t g, uint64_t m, uint64_t count)
{
    unsigned level = 1;
    while (level < P2M_LEVELS &&
           (((g | m) & (level_frames(level) - 1)) != 0 || count < level_frames(level))) {
        level++;
    }
    return level;
}

/* Make tables down to `level`. */
static int grow(struct domain *d, struct p2m_path *path, gfn_t g, unsigned level)
    REQUIRES(&d->p2m.lock)
{
    while (path->level < level) {
        s2_pte_t *table = table_alloc(d);
        if (table == NULL) {
            prune(d, path, g.v);
            return -XEN_ENOMEM;
        }
        set_slot(d, path->slot[path->level], path->level, arch_s2_table(va_to_mfn(table)));
        path->level++;
        path->slot[path->level] = &table[(g.v >> level_order(path->level)) & (P2M_ENTRIES - 1)];
    }
    return 0;
}

/* Map one block of `level`. */
static int map_block(struct domain *d, gfn_t g, mfn_t m, unsigned level, enum p2m_type t)
    REQUIRES(&d->p2m.lock)
{
    struct p2m_path path;
    p2m_descend(&d->p2m, g, &path);
    if (arch_s2_valid(*path.slot[path.level])) {
        return -XEN_EEXIST;
    }
    int error = grow(d, &path, g, level);
    if (error == 0) {
        CHECK(path.level == level); /* P5 */
        set_slot(d, path.slot[level], level, arch_s2_leaf(m, t, level));
        d->p2m.mapped_frames[t] += level_frames(level);
    }
    return error;
}

/* Clear the leaf that ends the path. */
static void clear_leaf(struct domain *d, struct p2m_path *path, uint64_t g) REQUIRES(&d->p2m.lock)
{
    s2_pte_t *slot = path->slot[path->level];
    uint64_t start = g & ~(level_frames(path->level) - 1);
    d->p2m.mapped_frames[arch_s2_type(*slot)] -= level_frames(path->level);
    set_slot(d, slot, path->level, 0);
    owe(&d->p2m, start, start + level_frames(path->level), false);
}

/* Clear every leaf in [start, end), whose edges are split. */
static void clear_range(struct domain *d, uint64_t start, uint64_t end) REQUIRES(&d->p2m.lock)
{
    struct p2m_path path;
    for (uint64_t g = start, next; g < end; g = next) {
        p2m_descend(&d->p2m, gfn(g), &path);
        next = next_block(g, path.level);
        if (arch_s2_valid(*path.slot[path.level])) {
            clear_leaf(d, &path, g);
            prune(d, &path, g);
        }
    }
}

static __attribute__((noinline)) int map_range(struct domain *d, uint64_t g, uint64_t m,
                                               uint64_t count, enum p2m_type t)
    REQUIRES(&d->p2m.lock)
{
    struct p2m *p = &d->p2m;
    uint64_t start = g, end = g + count;
    if (count > 1) { /* a page is looked at when it is mapped, and no table is in its way */
        (void)free_idle(d);
        if (!only(p, start, end, 0)) {
            return -XEN_EEXIST;
        }
    }
    if (start < p->stale_end.v && end > p->stale_start.v) {
        p2m_flush_locked(d); /* P1: the break was somebody else's */
    }
    while (g < end) {
        unsigned level = block_level(g, m, end - g);
        int error = map_block(d, gfn(g), mfn(m), level, t);
        if (unlikely(error != 0)) {
            clear_range(d, start, g);
            p2m_flush_locked(d);
            return error;
        }
        g += level_frames(level);
        m += level_frames(level);
    }
    merge(d, gfn(start)); /* only the ragged ends can fill up a table */
    if (count > 1) {
        merge(d, gfn(end - 1));
    }
    arch_s2_publish();
    return 0;
}

/* A page into a table that is there and does not fill up: what map_range() does, in one walk. */
static inline bool map_quick(struct domain *d, gfn_t at, mfn_t to, enum p2m_type t)
    REQUIRES(&d->p2m.lock)
{
    struct p2m *p = &d->p2m;
    if (at.v - p->stale_start.v < p->stale_end.v - p->stale_start.v) {
        return false;
    }
    s2_pte_t *slot = p2m_page_slot(p, at);
    if (slot == NULL || arch_s2_valid(*slot)) {
        return false;
    }
    uint32_t *words = words_of_table(slot);
    if (words[0] == P2M_ENTRIES - 1) {
        return false;
    }
    words[0]++;
    p->mapped_frames[t]++;
    arch_s2_write(d, slot, arch_s2_leaf(to, t, P2M_LEVELS));
    arch_s2_publish();
    return true;
}

int p2m_map(struct domain *d, gfn_t at, mfn_t to, uint64_t count, enum p2m_type t)
{
    struct p2m *p = &d->p2m;
    if (!range_ok(p, at, count) || t == P2M_INVALID || t >= P2M_TYPE_COUNT) {
        return -XEN_EINVAL;
    }
    if (unlikely(p->seal.state != SEAL_OPEN) && (P2M_TYPES_GRANT >> t & 1) == 0) {
        return -XEN_EPERM;
    }
    lock(&d->p2m.lock);
    int error = count == 1 && map_quick(d, at, to, t) ? 0 : map_range(d, at.v, to.v, count, t);
    if (unlikely(error == -XEN_ENOMEM && free_idle(d))) {
        error = map_range(d, at.v, to.v, count, t);
    }
    if (error == 0 && at.v + count > p->max_gfn.v) {
        p->max_gfn = gfn(at.v + count);
    }
    unlock(&d->p2m.lock);
    return error;
}

/* Unmapping. */

int p2m_unmap(struct domain *d, gfn_t at, uint64_t count)
{
    struct p2m *p = &d->p2m;
    if (!range_ok(p, at, count)) {
        return -XEN_EINVAL;
    }
    if (p->seal.state != SEAL_OPEN) {
        return -XEN_EPERM;
    }
    lock(&d->p2m.lock);
    prune_idle(d);
    int error = split_edges(d, at.v, at.v + count);
    if (error == 0) {
        clear_range(d, at.v, at.v + count);
        p2m_flush_locked(d);
    }
    unlock(&d->p2m.lock);
    return error;
}

/* May the caller take the frame at `offset` of the block, or page, that `e` maps? */
static inline int may_take(s2_pte_t e, uint64_t offset, uint32_t types)
{
    enum p2m_type t = (enum p2m_type)arch_s2_type(e);
    if (!arch_s2_valid(e)) {
        return -XEN_ENOENT;
    }
    if ((types >> t & 1) == 0) {
        return -XEN_EACCES;
    }
    /* Nobody new can find the frame: that takes this lock. */
    return p2m_is_ram(t) && frame_is_shared(mfn(arch_s2_mfn(e).v + offset)) ? -XEN_EBUSY : 0;
}

/* The slot of one frame out of a block, split down to pages, if the caller may take it. */
static __attribute__((noinline)) int split_off(struct domain *d, gfn_t g, uint32_t types,
                                               s2_pte_t **slot) REQUIRES(&d->p2m.lock)
{
    struct p2m_path path;
    p2m_descend(&d->p2m, g, &path);
    int error = may_take(*path.slot[path.level], g.v & (level_frames(path.level) - 1), types);
    while (error == 0 && path.level < P2M_LEVELS) {
        error = split(d, &path, g);
    }
    *slot = path.slot[path.level];
    return error;
}

int p2m_take(struct domain *d, gfn_t g, uint32_t types, struct p2m_entry *out)
{
    struct p2m *p = &d->p2m;
    if (g.v >= p->gfn_limit) {
        return -XEN_ENOENT;
    }
    if (unlikely(p->seal.state != SEAL_OPEN) && (types & ~P2M_TYPES_GRANT) != 0) {
        return -XEN_EPERM;
    }
    lock(&d->p2m.lock);
    s2_pte_t *slot = p2m_page_slot(p, g);
    int error = likely(slot != NULL) ? may_take(*slot, 0, types) : split_off(d, g, types, &slot);
    if (error == 0) {
        s2_pte_t e = *slot;
        uint32_t *words = words_of_table(slot);
        *out = (struct p2m_entry){arch_s2_mfn(e), (enum p2m_type)arch_s2_type(e), 0};
        p->mapped_frames[out->type]--;
        arch_s2_write(d, slot, 0);
        owe(p, g.v, g.v + 1, false);
        if (--words[0] == 0 && g.v >> level_order(2) != p->idle.v >> level_order(2)) {
            prune_idle(d);
            p->idle = g;
        }
    }
    unlock(&d->p2m.lock);
    return error;
}

void p2m_flush(struct domain *d)
{
    lock(&d->p2m.lock);
    p2m_flush_locked(d);
    unlock(&d->p2m.lock);
}

/* Looking up. */

bool p2m_lookup_locked(struct domain *d, gfn_t g, struct p2m_entry *out)
{
    struct p2m_path path;
    if (g.v >= d->p2m.gfn_limit) {
        return false;
    }
    p2m_descend(&d->p2m, g, &path);
    s2_pte_t e = *path.slot[path.level];
    out->order = level_order(path.level);
    if (!arch_s2_valid(e)) {
        return false;
    }
    out->mfn = mfn(arch_s2_mfn(e).v + (g.v & (level_frames(path.level) - 1)));
    out->type = (enum p2m_type)arch_s2_type(e);
    return true;
}

bool p2m_lookup(struct domain *d, gfn_t g, struct p2m_entry *out)
{
    lock(&d->p2m.lock);
    bool found = p2m_lookup_locked(d, g, out);
    unlock(&d->p2m.lock);
    return found;
}

bool p2m_allows(struct domain *d, gpa_t at, bool write, bool fetch)
{
    struct p2m_entry e;
    unsigned asked = (write ? P2M_W : P2M_R) | (fetch ? P2M_X : 0);
    return p2m_lookup(d, gpa_gfn(at), &e) && (p2m_rights(e.type) & asked) == asked;
}

int p2m_get_frame(struct domain *d, gfn_t g, bool writable, mfn_t *out)
{
    mfn_t m;
    lock(&d->p2m.lock);
    bool ok = p2m_ram_at(&d->p2m, g, writable, &m) && frame_get(m, d->id);
    unlock(&d->p2m.lock);
    if (!ok) {
        return -XEN_EFAULT;
    }
    *out = m;
    return 0;
}

/* Rights. */

/* In place: P1 allows it for rights. */
static void set_rights(struct domain *d, uint64_t start, uint64_t end, enum p2m_type t)
    REQUIRES(&d->p2m.lock)
{
    struct p2m_path path;
    for (uint64_t g = start, next; g < end; g = next) {
        p2m_descend(&d->p2m, gfn(g), &path);
        next = next_block(g, path.level);
        s2_pte_t *slot = path.slot[path.level], old = *slot;
        if (arch_s2_valid(old) && arch_s2_type(old) != t) {
            d->p2m.mapped_frames[arch_s2_type(old)] -= level_frames(path.level);
            d->p2m.mapped_frames[t] += level_frames(path.level);
            arch_s2_write(d, slot, arch_s2_leaf(arch_s2_mfn(old), t, path.level));
            owe(&d->p2m, g, next, false);
        }
    }
    p2m_flush_locked(d);
    for (uint64_t g = start, next; g < end; g = next) { /* whole again? */
        p2m_descend(&d->p2m, gfn(g), &path);
        next = next_block(g, path.level > 1 ? path.level - 1 : 1);
        merge(d, gfn(g));
    }
    arch_s2_publish();
}

int p2m_set_type(struct domain *d, gfn_t at, uint64_t count, enum p2m_type t)
{
    struct p2m *p = &d->p2m;
    if (!range_ok(p, at, count) || !p2m_is_ram(t)) {
        return -XEN_EINVAL;
    }
    if (p->seal.state == SEALED) {
        return -XEN_EPERM;
    }
    lock(&d->p2m.lock);
    int error = only(p, at.v, at.v + count, P2M_TYPES_RAM) ? 0 : -XEN_EINVAL;
    if (error == 0) {
        error = split_edges(d, at.v, at.v + count);
    }
    if (error == 0) {
        set_rights(d, at.v, at.v + count, t);
    }
    unlock(&d->p2m.lock);
    return error;
}

/*
 * Stage-2 tables: map, unmap, change rights. Invariants P1 to P5 are in hyp/p2m.h.
 *
 * How many entries of a table page are valid is in frame_words()[0] of its
 * frame record; [1] links the pages of `spare` and `retired`. A table is never
 * empty (P5), so a free range has no table in the way of a block.
 *
 * An unmap leaves an invalidation owed: the range, and the tables that it
 * emptied. Nobody maps into such a range, and no page of it is used again,
 * before p2m_flush_locked() paid.
 */
#include <hyp/p2m.h>

#include "p2m-internal.h"
#include <hyp/assert.h>
#include <xen/errno.h>

static bool range_ok(gfn_t at, uint64_t count)
{
    return count != 0 && count <= p2m_gfn_limit() && at.v <= p2m_gfn_limit() - count;
}

/* First gfn after the block of this level that holds g. */
static uint64_t next_block(uint64_t g, unsigned level)
{
    return (g | (level_frames(level) - 1)) + 1;
}

static uint32_t *words_of_table(const s2_pte_t *slot)
{
    return frame_words((const void *)((uintptr_t)slot & ~FRAME_MASK));
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

static void list_push(void **list, void *page)
{
    frame_words(page)[1] = *list != NULL ? (uint32_t)va_to_mfn(*list).v : 0;
    *list = page;
}

static void *list_pop(void **list)
{
    void *page = *list;
    if (page != NULL) {
        uint32_t next = frame_words(page)[1];
        *list = next != 0 ? mfn_to_va(mfn(next)) : NULL;
    }
    return page;
}

/* An empty table from the domain's allowance, or NULL. */
static s2_pte_t *table_alloc(struct domain *d) REQUIRES(&d->p2m.lock)
{
    struct p2m *p = &d->p2m;
    s2_pte_t *page = list_pop(&p->spare);
    if (page != NULL) {
        p->spare_count--;
    } else {
        page = frame_alloc_hyp(d, 0);
    }
    p->table_frames += page != NULL;
    return page;
}

static void owe(struct p2m *p, uint64_t start, uint64_t end, bool tables_too)
{
    if (p->stale_start.v == p->stale_end.v) {
        p->stale_start = gfn(start);
        p->stale_end = gfn(end);
    }
    p->stale_start = gfn(start < p->stale_start.v ? start : p->stale_start.v);
    p->stale_end = gfn(end > p->stale_end.v ? end : p->stale_end.v);
    p->stale_tables = p->stale_tables || tables_too;
}

void p2m_flush_locked(struct domain *d)
{
    struct p2m *p = &d->p2m;
    void *page;
    if (p->stale_start.v == p->stale_end.v) {
        return;
    }
    arch_s2_flush(d, p->stale_start, p->stale_end.v - p->stale_start.v, p->stale_tables);
    p->stale_start = p->stale_end = gfn(0);
    p->stale_tables = false;
    while ((page = list_pop(&p->retired)) != NULL) {
        if (p->spare_count < P2M_SPARES) { /* all its entries were unmapped: it is zero */
            list_push(&p->spare, page);
            p->spare_count++;
        } else {
            frame_free_hyp(d, page, 0);
        }
    }
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
        list_push(&d->p2m.retired, page);
        d->p2m.table_frames--;
    }
}

/* Replace the block that ends the path by a table of 512 smaller ones and go down to `g` in it. */
static int split(struct domain *d, struct p2m_path *path, gfn_t g) REQUIRES(&d->p2m.lock)
{
    s2_pte_t *slot = path->slot[path->level], old = *slot;
    unsigned level = path->level + 1;
    s2_pte_t *table = table_alloc(d);
    if (table == NULL) {
        return -XEN_ENOMEM;
    }
    for (uint64_t i = 0; i < P2M_ENTRIES; i++) {
        mfn_t m = mfn(arch_s2_mfn(old).v + (i << level_order(level)));
        table[i] = arch_s2_leaf(m, arch_s2_type(old), level);
    }
    frame_words(table)[0] = P2M_ENTRIES;
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
    if (g >= p2m_gfn_limit()) {
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
static bool in_block(const s2_pte_t *table, s2_pte_t first, unsigned level, uint64_t i)
{
    mfn_t m = mfn(arch_s2_mfn(first).v + (i << level_order(level + 1)));
    return table[i] == arch_s2_leaf(m, arch_s2_type(first), level + 1);
}

/*
 * Is the full table at `slot` 512 parts of one block? Grants, foreign and shared pages come and go singly:
 * they stay pages, so that taking one needs no table and cannot fail.
 */
static bool is_one_block(s2_pte_t *slot, unsigned level)
{
    const s2_pte_t *table = table_at(*slot);
    s2_pte_t first = table[0];
    enum p2m_type t = (enum p2m_type)arch_s2_type(first);
    if (frame_words(table)[0] != P2M_ENTRIES || arch_s2_is_table(first, level + 1) ||
        !(p2m_is_ram(t) || p2m_is_mmio(t)) || (arch_s2_mfn(first).v & (level_frames(level) - 1)) != 0) {
        return false;
    }
    /* Where it differed last time it most likely still does: a page that comes and goes costs one look. */
    uint32_t *hint = &frame_words(table)[1];
    if (!in_block(table, first, level, *hint & (P2M_ENTRIES - 1))) {
        return false;
    }
    for (uint64_t i = 1; i < P2M_ENTRIES; i++) {
        if (!in_block(table, first, level, i)) {
            *hint = (uint32_t)i;
            return false;
        }
    }
    return true;
}

/* A quick no, which a frame from anywhere nearly always gets: does it lie where its table's block would have it? */
static bool fits_beside(const struct p2m_path *path)
{
    const s2_pte_t *slot = path->slot[path->level];
    uint64_t index = ((uintptr_t)slot / sizeof(*slot)) & (P2M_ENTRIES - 1);
    uint64_t frames = level_frames(path->level), m = arch_s2_mfn(*slot).v;
    return m / frames % P2M_ENTRIES == index && arch_s2_valid(slot[index != 0 ? -1 : 1]);
}

/* If the smallest table that holds `g`, or then the next one up, is all one block, make it one. */
static void merge(struct domain *d, gfn_t g) REQUIRES(&d->p2m.lock)
{
    struct p2m_path path;
    p2m_descend(&d->p2m, g, &path);
    while (path.level > 1 && fits_beside(&path) && is_one_block(path.slot[path.level - 1], path.level - 1)) {
        s2_pte_t *slot = path.slot[--path.level];
        s2_pte_t *table = table_at(*slot);
        s2_pte_t first = table[0];
        arch_s2_write(d, slot, 0);
        arch_s2_flush(d, gfn(g.v & ~(level_frames(path.level) - 1)), level_frames(path.level), true);
        arch_s2_write(d, slot,
                      arch_s2_leaf(arch_s2_mfn(first), arch_s2_type(first), path.level));
        frame_free_hyp(d, table, 0);
        d->p2m.table_frames--;
    }
}

/* Mapping. */

static bool range_empty(const struct p2m *p, uint64_t start, uint64_t end)
{
    struct p2m_path path;
    for (uint64_t g = start; g < end; g = next_block(g, path.level)) {
        p2m_descend(p, gfn(g), &path);
        if (arch_s2_valid(*path.slot[path.level])) {
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

/* Map one block of `level` at a free place. */
static int map_block(struct domain *d, gfn_t g, mfn_t m, unsigned level, enum p2m_type t)
    REQUIRES(&d->p2m.lock)
{
    struct p2m_path path;
    p2m_descend(&d->p2m, g, &path);
    while (path.level < level) {
        s2_pte_t *table = table_alloc(d);
        if (table == NULL) {
            prune(d, &path, g.v);
            return -XEN_ENOMEM;
        }
        set_slot(d, path.slot[path.level], path.level, arch_s2_table(va_to_mfn(table)));
        path.level++;
        path.slot[path.level] = &table[(g.v >> level_order(path.level)) & (P2M_ENTRIES - 1)];
    }
    CHECK(path.level == level); /* P5 */
    set_slot(d, path.slot[level], level, arch_s2_leaf(m, t, level));
    d->p2m.mapped_frames[t] += level_frames(level);
    return 0;
}

/* Clear every leaf in [start, end), whose edges are split. */
static void clear_range(struct domain *d, uint64_t start, uint64_t end) REQUIRES(&d->p2m.lock)
{
    struct p2m_path path;
    for (uint64_t g = start, next; g < end; g = next) {
        p2m_descend(&d->p2m, gfn(g), &path);
        next = next_block(g, path.level);
        s2_pte_t old = *path.slot[path.level];
        if (arch_s2_valid(old)) {
            d->p2m.mapped_frames[arch_s2_type(old)] -= level_frames(path.level);
            set_slot(d, path.slot[path.level], path.level, 0);
            owe(&d->p2m, g, next, false);
            prune(d, &path, g);
        }
    }
}

static int map_range(struct domain *d, uint64_t g, uint64_t m, uint64_t count, enum p2m_type t)
    REQUIRES(&d->p2m.lock)
{
    uint64_t start = g, end = g + count;
    while (g < end) {
        unsigned level = block_level(g, m, end - g);
        int error = map_block(d, gfn(g), mfn(m), level, t);
        if (error != 0) {
            clear_range(d, start, g);
            p2m_flush_locked(d);
            return error;
        }
        g += level_frames(level);
        m += level_frames(level);
    }
    if (!p2m_is_lent(t)) { /* other domains' frames come and go one by one: no block is worth making */
        merge(d, gfn(start)); /* the ragged ends may have filled up a table */
        if (end - 1 != start) {
            merge(d, gfn(end - 1));
        }
    }
    arch_s2_publish();
    return 0;
}

int p2m_map(struct domain *d, gfn_t at, mfn_t to, uint64_t count, enum p2m_type t)
{
    struct p2m *p = &d->p2m;
    if (!range_ok(at, count) || t == P2M_INVALID || t >= P2M_TYPE_COUNT) {
        return -XEN_EINVAL;
    }
    uint64_t end = at.v + count;
    lock(&p->lock);
    int error = p->root.v == 0 ? -XEN_EINVAL : 0;
    if (error == 0 && !range_empty(p, at.v, end)) {
        error = -XEN_EEXIST;
    }
    if (error == 0) {
        if (at.v < p->stale_end.v && end > p->stale_start.v) {
            p2m_flush_locked(d); /* P1: the break was somebody else's */
        }
        error = map_range(d, at.v, to.v, count, t);
    }
    if (error == 0 && end > p->max_gfn.v) {
        p->max_gfn = gfn(end);
    }
    unlock(&p->lock);
    return error;
}

/* Unmapping. */

int p2m_unmap(struct domain *d, gfn_t at, uint64_t count)
{
    struct p2m *p = &d->p2m;
    if (!range_ok(at, count)) {
        return -XEN_EINVAL;
    }
    lock(&p->lock);
    int error = p->root.v == 0 ? 0 : split_edges(d, at.v, at.v + count);
    if (error == 0 && p->root.v != 0) {
        clear_range(d, at.v, at.v + count);
        p2m_flush_locked(d);
    }
    unlock(&p->lock);
    return error;
}

int p2m_take(struct domain *d, gfn_t g, uint32_t types, struct p2m_entry *out)
{
    struct p2m *p = &d->p2m;
    struct p2m_entry e;
    lock(&p->lock);
    int error = p2m_lookup_locked(d, g, &e) ? 0 : -XEN_ENOENT;
    if (error == 0 && (types >> e.type & 1) == 0) {
        error = -XEN_EACCES;
    }
    if (error == 0 && p2m_is_ram(e.type) && frame_is_shared(e.mfn)) {
        error = -XEN_EBUSY; /* nobody new can find the frame: that takes this lock */
    }
    if (error == 0 && e.order != 0) {
        error = split_edges(d, g.v, g.v + 1);
    }
    if (error == 0) {
        clear_range(d, g.v, g.v + 1);
        e.order = 0;
        *out = e;
    }
    unlock(&p->lock);
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
    if (g.v >= p2m_gfn_limit() || d->p2m.root.v == 0) {
        return false;
    }
    p2m_descend(&d->p2m, g, &path);
    s2_pte_t e = *path.slot[path.level];
    if (!arch_s2_valid(e)) {
        return false;
    }
    out->mfn = mfn(arch_s2_mfn(e).v + (g.v & (level_frames(path.level) - 1)));
    out->type = (enum p2m_type)arch_s2_type(e);
    out->order = level_order(path.level);
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
    struct p2m_entry e;
    lock(&d->p2m.lock);
    bool ok = p2m_lookup_locked(d, g, &e) && p2m_is_ram(e.type) &&
              (!writable || (p2m_rights(e.type) & P2M_W) != 0) && frame_get(e.mfn, d->id);
    unlock(&d->p2m.lock);
    if (!ok) {
        return -XEN_EFAULT;
    }
    *out = e.mfn;
    return 0;
}

void p2m_walk(struct domain *d, gfn_t from, bool (*fn)(void *arg, gfn_t g, const struct p2m_entry *e),
              void *arg)
{
    struct p2m_path path;
    bool more = true;
    lock(&d->p2m.lock);
    uint64_t end = d->p2m.root.v != 0 ? d->p2m.max_gfn.v : 0;
    for (uint64_t g = from.v; more && g < end; g = next_block(g, path.level)) {
        p2m_descend(&d->p2m, gfn(g), &path);
        s2_pte_t e = *path.slot[path.level];
        if (arch_s2_valid(e)) {
            struct p2m_entry entry = {arch_s2_mfn(e), (enum p2m_type)arch_s2_type(e),
                                      level_order(path.level)};
            more = fn(arg, gfn(g & ~(level_frames(path.level) - 1)), &entry);
        }
    }
    unlock(&d->p2m.lock);
}

/* Rights. */

static bool only_ram(const struct p2m *p, uint64_t start, uint64_t end)
{
    struct p2m_path path;
    for (uint64_t g = start; g < end; g = next_block(g, path.level)) {
        p2m_descend(p, gfn(g), &path);
        s2_pte_t e = *path.slot[path.level];
        if (arch_s2_valid(e) && !p2m_is_ram((enum p2m_type)arch_s2_type(e))) {
            return false;
        }
    }
    return true;
}

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
    if (!range_ok(at, count) || !p2m_is_ram(t)) {
        return -XEN_EINVAL;
    }
    lock(&p->lock);
    int error = p->root.v != 0 && only_ram(p, at.v, at.v + count) ? 0 : -XEN_EINVAL;
    if (error == 0) {
        error = split_edges(d, at.v, at.v + count);
    }
    if (error == 0) {
        set_rights(d, at.v, at.v + count, t);
    }
    unlock(&p->lock);
    return error;
}

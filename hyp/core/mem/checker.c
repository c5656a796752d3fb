/* Stage-2 tables against frame records: K1 to K6 of hyp/checker.h. */
#include <hyp/checker.h>

#include "frame-internal.h"
#include "p2m-internal.h"
#include <hyp/log.h>

#define TOLD_MAX 10

struct check {
    struct domain *d;
    uint8_t *seen; /* a bit per frame mapped as RAM or used as a table; NULL: no memory */
    unsigned seen_order;
    unsigned bad, empty;
    uint64_t tables, mapped[P2M_TYPE_COUNT];
};

static void complain(struct check *c, const char *what, uint64_t g, mfn_t m)
{
    if (c->bad++ < TOLD_MAX) {
        log_warn("checker: %s: %s (gfn %#llx, mfn %#llx)", c->d->name, what, (unsigned long long)g,
                 (unsigned long long)m.v);
    }
}

/* Note that a frame is in use here; true if it was in use elsewhere already. */
static bool seen_twice(struct check *c, mfn_t m)
{
    uint32_t i;
    if (c->seen == NULL || !frame_index(m, &i)) {
        return false;
    }
    uint8_t bit = (uint8_t)(1u << (i & 7));
    bool twice = (c->seen[i >> 3] & bit) != 0;
    c->seen[i >> 3] |= bit;
    return twice;
}

static void check_table_page(struct check *c, const s2_pte_t *table, uint64_t g)
{
    struct frame_info info;
    mfn_t m = va_to_mfn(table);
    unsigned valid = 0;
    c->tables++;
    if (!frame_info(m, &info) || info.state != FRAME_HYP || info.owner != c->d->id) {
        complain(c, "table page is not the hypervisor's, charged to it", g, m);
        return;
    }
    if (seen_twice(c, m)) {
        complain(c, "table page is used twice", g, m);
    }
    for (unsigned i = 0; i < P2M_ENTRIES; i++) {
        valid += arch_s2_valid(table[i]);
    }
    c->empty += valid == 0; /* P5 allows one */
    if (c->empty > 1 || valid != frame_words(table)[0]) {
        complain(c, "table page is empty or miscounts its entries", g, m);
    }
}

/* What is wrong with a frame under an entry of this type, or NULL. */
static const char *frame_fault(const struct check *c, mfn_t m, enum p2m_type t)
{
    struct frame_info info = {.state = FRAME_NONE};
    bool known = frame_info(m, &info);
    if (p2m_is_ram(t)) {
        return info.state == FRAME_OWNED && info.owner == c->d->id ? NULL
                                                                   : "RAM entry, frame not its own";
    }
    if (t == P2M_SHARED) {
        return info.state == FRAME_SHARED && info.owner == c->d->id
                   ? NULL
                   : "shared entry, page not shared with it";
    }
    if (p2m_is_mmio(t)) {
        return known && info.state != FRAME_NONE ? "device entry, but RAM in use" : NULL;
    }
    bool referred = info.refs >= (info.owner == DOMID_INVALID ? 1u : 2u);
    bool lent = info.state == FRAME_OWNED || (info.state == FRAME_SHARED && p2m_is_foreign(t));
    return lent && referred ? NULL : "grant or foreign entry, frame not held for it";
}

/* A chunk that is OWNED whole answers for its 512 frames at once. */
static bool chunk_is_own(const struct check *c, mfn_t m, enum p2m_type t)
{
    uint32_t i;
    if (!p2m_is_ram(t) || !frame_index(m, &i) || (i & (CHUNK_FRAMES - 1)) != 0) {
        return false;
    }
    union frame_word w = word_load(&chunk_of(i)->f);
    return w.state == FRAME_OWNED && w.owner == c->d->id;
}

static void check_leaf(struct check *c, s2_pte_t e, unsigned level, uint64_t g)
{
    enum p2m_type t = (enum p2m_type)arch_s2_type(e);
    if (t == P2M_INVALID || t >= P2M_TYPE_COUNT) {
        complain(c, "entry of no type", g, arch_s2_mfn(e));
        return;
    }
    c->mapped[t] += level_frames(level);
    bool whole = false;
    for (uint64_t i = 0; i < level_frames(level); i++) {
        mfn_t m = mfn(arch_s2_mfn(e).v + i);
        if (i % CHUNK_FRAMES == 0) {
            whole = level < P2M_LEVELS && chunk_is_own(c, m, t);
        }
        const char *fault = whole ? NULL : frame_fault(c, m, t);
        if (fault != NULL) {
            complain(c, fault, g + i, m);
        }
        if (p2m_is_ram(t) && seen_twice(c, m)) {
            complain(c, "frame is mapped twice", g + i, m);
        }
    }
}

static void check_entries(struct check *c, const s2_pte_t *table, unsigned level, uint64_t g)
{
    for (unsigned i = 0; i < P2M_ENTRIES; i++, g += level_frames(level)) {
        if (arch_s2_valid(table[i]) && !arch_s2_is_table(table[i], level)) {
            check_leaf(c, table[i], level, g);
        }
    }
}

/* The three levels, one loop each: no recursion. */
static void check_middle(struct check *c, const s2_pte_t *table, uint64_t g)
{
    check_table_page(c, table, g);
    check_entries(c, table, 2, g);
    for (unsigned i = 0; i < P2M_ENTRIES; i++) {
        if (arch_s2_is_table(table[i], 2)) {
            uint64_t at = g + i * level_frames(2);
            check_table_page(c, table_at(table[i]), at);
            check_entries(c, table_at(table[i]), 3, at);
        }
    }
}

static void check_domain(struct check *c)
{
    struct p2m *p = &c->d->p2m;
    lock(&p->lock);
    const s2_pte_t *root = p->root.v != 0 ? arch_ram_va(p->root.v) : NULL;
    uint32_t pages = root != NULL ? 1u << arch_s2_root_order() : 0;
    c->tables = pages;
    for (uint32_t page = 0; page < pages; page++) {
        check_entries(c, &root[page * P2M_ENTRIES], 1, page * P2M_ENTRIES * level_frames(1));
    }
    for (uint32_t i = 0; i < pages * P2M_ENTRIES; i++) {
        if (arch_s2_is_table(root[i], 1)) {
            check_middle(c, table_at(root[i]), i * level_frames(1));
        }
    }
    bool counts = c->tables == p->table_frames;
    for (unsigned t = 0; t < P2M_TYPE_COUNT; t++) {
        counts = counts && c->mapped[t] == p->mapped_frames[t];
        c->mapped[t] = 0;
    }
    if (!counts && p->dying == 0) { /* half torn down: not countable */
        complain(c, "p2m miscounts its tables or frames", 0, MFN_NONE);
    }
    unlock(&p->lock);
}

unsigned checker_run(void)
{
    struct check c = {.seen_order = 0};
    while ((FRAME_SIZE << c.seen_order) * 8 < (uint64_t)frame_pool.chunk_count * CHUNK_FRAMES) {
        c.seen_order++;
    }
    c.seen = frame_alloc_hyp(NULL, c.seen_order);
    if (c.seen == NULL) {
        log_warn("checker: no memory to look for frames that are mapped twice");
    }
    while ((c.d = domain_next(c.d)) != NULL) {
        check_domain(&c);
    }
    if (c.seen != NULL) {
        frame_free_hyp(NULL, c.seen, c.seen_order);
    }
    return c.bad;
}

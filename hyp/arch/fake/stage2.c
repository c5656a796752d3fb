/*
 * Model machine: TLB and walk caches of stage 2, at their most retentive.
 *
 * Each table page that a walk can reach has a shadow: for every slot the value
 * that a TLB or walk cache may hold. It is filled the moment the entry can be
 * walked to, and emptied only by an invalidation that covers it. A slot is
 * stale when its cached value is not (or no longer) what a walk would find.
 */
#include <arch/stage2.h>
#include <fake.h>
#include <hyp/assert.h>
#include <hyp/p2m.h>
#include <stdlib.h>

#define SLOTS 512

struct shadow {
    struct shadow *next, *parent;
    struct domain *d;
    s2_pte_t *page;
    unsigned parent_slot;
    unsigned level;
    uint64_t base; /* gfn of slot 0 */
    s2_pte_t cached[SLOTS];
    bool rights_changed[SLOTS]; /* in place; the old rights may still be cached */
};

extern uint8_t *fake_arena;

static struct shadow *shadows;
static unsigned unpublished;
unsigned fake_flush_count, fake_publish_count;
bool fake_flush_broken;

static unsigned level_shift(unsigned level)
{
    return 9 * (3 - level);
}

static struct shadow *shadow_find(const void *page)
{
    for (struct shadow *s = shadows; s != NULL; s = s->next) {
        if (s->page == page) {
            return s;
        }
    }
    return NULL;
}

static struct shadow *shadow_create(struct domain *d, s2_pte_t *page, unsigned level, uint64_t base)
{
    struct shadow *s = calloc(1, sizeof(*s));
    CHECK(s != NULL);
    s->d = d;
    s->page = page;
    s->level = level;
    s->base = base;
    s->next = shadows;
    shadows = s;
    return s;
}

/* The shadow of a page that walks reach, or NULL if it is a table under construction. */
static struct shadow *shadow_of_slot(struct domain *d, s2_pte_t *slot)
{
    s2_pte_t *page = (s2_pte_t *)((uintptr_t)slot & ~FRAME_MASK);
    struct shadow *s = shadow_find(page);
    if (s == NULL && d->p2m.root.v != 0) {
        uint64_t at = FAKE_RAM_BASE + (uint64_t)((uint8_t *)page - fake_arena);
        uint64_t offset = at - d->p2m.root.v;
        if (offset < FRAME_SIZE << FAKE_S2_ROOT_ORDER) {
            s = shadow_create(d, page, 1, (offset >> FRAME_SHIFT) * SLOTS << level_shift(1));
        }
    }
    return s;
}

static void check_leaf(s2_pte_t e, unsigned level)
{
    CHECK(((e >> 56) & 3) == level);
    CHECK((arch_s2_mfn(e).v & ((1ull << level_shift(level)) - 1)) == 0);
    CHECK(arch_s2_type(e) != P2M_INVALID && arch_s2_type(e) < P2M_TYPE_COUNT);
}

/* A table page has become reachable: everything in it may be cached. */
static void link_table(struct shadow *parent, unsigned slot)
{
    s2_pte_t *page = fake_ram(mfn_mpa(arch_s2_mfn(parent->cached[slot])));
    CHECK(parent->level < 3);
    CHECK(shadow_find(page) ==
          NULL); /* else this page already is, or still is, a table somewhere */
    struct shadow *s = shadow_create(parent->d, page, parent->level + 1,
                                     parent->base + ((uint64_t)slot << level_shift(parent->level)));
    s->parent = parent;
    s->parent_slot = slot;
    for (unsigned i = 0; i < SLOTS; i++) {
        if (!arch_s2_valid(page[i])) {
            continue;
        }
        s->cached[i] = page[i];
        if (arch_s2_is_table(page[i], s->level)) {
            link_table(s, i);
        } else {
            check_leaf(page[i], s->level);
        }
    }
}

static bool is_ram(unsigned type)
{
    return p2m_is_ram((enum p2m_type)type);
}

/* DDI 0487I.a D8.14.1 asks no break when only the rights change. */
static bool only_rights_change(s2_pte_t a, s2_pte_t b)
{
    return a >> 60 == FAKE_S2_LEAF && b >> 60 == FAKE_S2_LEAF &&
           arch_s2_mfn(a).v == arch_s2_mfn(b).v && is_ram(arch_s2_type(a)) &&
           is_ram(arch_s2_type(b));
}

void arch_s2_write(struct domain *d, s2_pte_t *slot, s2_pte_t e)
{
    struct shadow *s = shadow_of_slot(d, slot);
    s2_pte_t old = *slot;
    *slot = e;
    if (s == NULL) {
        return;
    }
    CHECK(s->d == d);
    unsigned i = (unsigned)(slot - s->page);
    if (arch_s2_valid(e) && e != s->cached[i]) {
        if (arch_s2_valid(s->cached[i])) {
            /* Replaced without break and invalidation. */
            CHECK(arch_s2_valid(old) && only_rights_change(old, e));
            s->rights_changed[i] = true;
        }
        s->cached[i] = e;
        if (arch_s2_is_table(e, s->level)) {
            link_table(s, i);
        } else {
            check_leaf(e, s->level);
        }
    }
    unpublished++;
}

void arch_s2_publish(void)
{
    fake_publish_count++;
    unpublished = 0;
}

static bool linked(const struct shadow *s)
{
    for (; s->parent != NULL; s = s->parent) {
        s2_pte_t up = s->parent->page[s->parent_slot];
        if (!arch_s2_is_table(up, s->parent->level) ||
            fake_ram(mfn_mpa(arch_s2_mfn(up))) != (void *)s->page) {
            return false;
        }
    }
    return true;
}

static bool slot_stale(const struct shadow *s, unsigned i, bool s_linked)
{
    return arch_s2_valid(s->cached[i]) &&
           (!s_linked || s->cached[i] != s->page[i] || s->rights_changed[i]);
}

static bool covers(const struct shadow *s, unsigned i, uint64_t start, uint64_t end)
{
    uint64_t first = s->base + ((uint64_t)i << level_shift(s->level));
    return first < end && first + (1ull << level_shift(s->level)) > start;
}

/* After this invalidation, can a walk still come through `s`, be it by cached table entries? */
static bool walkable_after(const struct shadow *s, uint64_t start, uint64_t end, bool tables_too)
{
    for (; s->parent != NULL; s = s->parent) {
        bool found = s->parent->page[s->parent_slot] == s->parent->cached[s->parent_slot];
        bool dropped = tables_too && covers(s->parent, s->parent_slot, start, end);
        if (!arch_s2_valid(s->parent->cached[s->parent_slot]) || (!found && dropped)) {
            return false;
        }
    }
    return true;
}

static void flush_shadow(struct shadow *s, uint64_t start, uint64_t end, bool tables_too)
{
    bool walkable = walkable_after(s, start, end, tables_too);
    for (unsigned i = 0; i < SLOTS; i++) {
        s2_pte_t c = s->cached[i];
        if (!arch_s2_valid(c) || !covers(s, i, start, end) ||
            (arch_s2_is_table(c, s->level) && !tables_too)) {
            continue;
        }
        s->cached[i] = walkable && arch_s2_valid(s->page[i]) ? s->page[i] : 0;
        s->rights_changed[i] = false;
    }
}

/* Shadows that nothing leads to and that hold nothing are gone; that of a root comes back when it is used. */
static void sweep(struct domain *d)
{
    struct shadow **at = &shadows;
    while (*at != NULL) {
        struct shadow *s = *at;
        bool empty = s->d == d && (s->parent == NULL || s->parent->cached[s->parent_slot] == 0);
        for (unsigned i = 0; empty && i < SLOTS; i++) {
            empty = s->cached[i] == 0;
        }
        if (!empty) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        free(s);
        at = &shadows; /* children before parents: start over */
    }
}

void arch_s2_flush(struct domain *d, gfn_t at, uint64_t count, bool tables_too)
{
    fake_flush_count++;
    unpublished = 0; /* an invalidation begins with the barrier that publishes */
    if (fake_flush_broken) {
        return;
    }
    for (unsigned level = 3; level >= 1; level--) {
        for (struct shadow *s = shadows; s != NULL; s = s->next) {
            if (s->d == d && s->level == level) {
                flush_shadow(s, at.v, at.v + count, tables_too);
            }
        }
    }
    sweep(d);
}

unsigned fake_tlb_stale(struct domain *d)
{
    unsigned count = 0;
    for (const struct shadow *s = shadows; s != NULL; s = s->next) {
        bool s_linked = linked(s);
        for (unsigned i = 0; s->d == d && i < SLOTS; i++) {
            count += slot_stale(s, i, s_linked);
        }
    }
    return count;
}

void fake_tlb_check(struct domain *d)
{
    CHECK(fake_tlb_stale(d) == 0);
    CHECK(unpublished == 0);
}

static bool shadow_reaches(const struct shadow *s, uint64_t first, uint64_t count)
{
    uint64_t page = (FAKE_RAM_BASE + (uint64_t)((uint8_t *)s->page - fake_arena)) >> FRAME_SHIFT;
    if (page - first < count && s->parent != NULL) {
        return true;
    }
    for (unsigned i = 0; i < SLOTS; i++) {
        s2_pte_t c = s->cached[i];
        uint64_t m = arch_s2_mfn(c).v;
        if (c != 0 && !arch_s2_is_table(c, s->level) && m < first + count &&
            m + (1ull << level_shift(s->level)) > first) {
            return true;
        }
    }
    return false;
}

bool fake_tlb_reaches(struct domain *d, mfn_t m, uint64_t count)
{
    for (const struct shadow *s = shadows; s != NULL; s = s->next) {
        if ((d == NULL || s->d == d) && shadow_reaches(s, m.v, count)) {
            return true;
        }
    }
    return false;
}

void fake_tlb_forget(struct domain *d)
{
    struct shadow **at = &shadows;
    while (*at != NULL) {
        struct shadow *s = *at;
        if (d != NULL && s->d != d) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        free(s);
    }
    if (d == NULL) {
        unpublished = fake_flush_count = fake_publish_count = 0;
        fake_flush_broken = false;
    }
}

bool fake_guest_translate(struct domain *d, gpa_t at, bool write, mpa_t *out)
{
    if (at.v >> arch_s2_address_bits() != 0) {
        return false;
    }
    s2_pte_t *table = fake_ram(d->p2m.root);
    for (unsigned level = 1; level <= 3; level++) {
        uint64_t block = FRAME_SIZE << level_shift(level);
        uint64_t i = at.v / block;
        s2_pte_t e = table[level == 1 ? i : i % SLOTS];
        if (!arch_s2_valid(e)) {
            return false;
        }
        if (arch_s2_is_table(e, level)) {
            table = fake_ram(mfn_mpa(arch_s2_mfn(e)));
            continue;
        }
        *out = mpa(mfn_mpa(arch_s2_mfn(e)).v + at.v % block);
        return !write || (p2m_rights((enum p2m_type)arch_s2_type(e)) & P2M_W) != 0;
    }
    return false;
}

/* The model has no stage 1: a guest's virtual addresses are its physical ones. */
bool arch_guest_va_to_mpa(struct vcpu *v, uint64_t va, bool write, mpa_t *out)
{
    return fake_guest_translate(v->domain, gpa(va), write, out);
}

/*
 * Who owns each frame: the edges of the state machine in hyp/frame.h.
 *
 * A reference to an OWNED frame is one compare-and-swap on its word, which
 * fails for any other state or owner: so a frame on its way to the allocator
 * cannot be caught. A chunk that is OWNED as a whole is split into frame
 * records first, the first time anybody refers to one of its frames.
 */
#include <hyp/frame.h>

#include "frame-internal.h"
#include <hyp/assert.h>
#include <hyp/domain.h>
#include <xen/errno.h>

#define pool frame_pool

/* Frames that one call scrubs at most, to stay below 50,000 instructions. */
#define SCRUB_AT_ONCE 128u

static bool swap(struct frame *f, union frame_word *expected, union frame_word w)
{
    return __atomic_compare_exchange_n(&f->w.bits, &expected->bits, w.bits, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

uint64_t frame_owned_count(domid_t id)
{
    return id < MAX_DOMAINS ? __atomic_load_n(&pool.owned[id], __ATOMIC_RELAXED) : 0;
}

static void count_owned(domid_t id, int64_t change)
{
    if (id < MAX_DOMAINS) {
        __atomic_fetch_add(&pool.owned[id], (uint32_t)change, __ATOMIC_RELAXED);
    }
}

/* Count before allocating, so that two CPUs cannot pass the limit together. */
static bool reserve_owned(struct domain *d, uint64_t count)
{
    CHECK(d->id < MAX_DOMAINS);
    uint64_t before = __atomic_fetch_add(&pool.owned[d->id], (uint32_t)count, __ATOMIC_RELAXED);
    if (before + count <= d->max_frames) {
        return true;
    }
    count_owned(d->id, -(int64_t)count);
    return false;
}

/* Scrubbing. Cleaned to memory too: a guest that runs with its caches off looks there (DDI
 * 0487I.a D8.5.4). */

static void scrub(uint32_t index, uint64_t count)
{
    arch_scrub_pages(mfn_to_va(index_mfn(index)), count << FRAME_SHIFT);
}

/* Go on scrubbing a piece that we hold, at most *budget frames of it. */
static void scrub_piece(uint32_t index, unsigned order, union frame_word *w, uint32_t *budget)
{
    uint32_t todo = (1u << order) - w->refs;
    todo = todo < *budget ? todo : *budget;
    scrub(index + w->refs, todo);
    *budget -= todo;
    w->refs += todo;
    if (w->refs == 1u << order) {
        w->refs = 0;
        w->dirty = false;
    }
}

/* The same for the chunks of a block that we hold. False: budget spent before all was clean. */
static bool scrub_block(uint32_t index, unsigned order)
{
    uint32_t budget = SCRUB_AT_ONCE;
    uint64_t cleaned = 0;
    bool clean = true;
    for (uint32_t i = 0; clean && i < 1u << order; i += CHUNK_FRAMES) {
        struct frame *f = &chunk_of(index + i)->f;
        if (f->w.dirty) {
            scrub_piece(index + i, CHUNK_ORDER, &f->w, &budget);
            clean = !f->w.dirty;
            cleaned += clean ? CHUNK_FRAMES : 0;
        }
    }
    lock(&pool.lock);
    pool.dirty -= cleaned;
    unlock(&pool.lock);
    return clean;
}

/* Allocation. */

/* Write one word for each record of a block that we hold (I3). */
static void mark(uint32_t index, unsigned order, union frame_word w)
{
    uint32_t step = order >= CHUNK_ORDER ? CHUNK_FRAMES : 1;
    for (uint32_t i = 0; i < 1u << order; i += step) {
        struct frame *f = node_of(index + i, order);
        f->next = f->prev = 0;
        word_store(f, w);
    }
}

/* A block off the lists. Whoever adds up the pool sees it as free or as whose it becomes: what
 * turns into the hypervisor's is counted under the same lock. */
static bool take_block(unsigned order, bool hyp, uint32_t *index, bool *dirty)
{
    lock(&pool.lock);
    bool found = block_alloc(order, index, dirty);
    if (found && hyp) {
        pool.hyp += 1ull << order;
        pool.dirty -= order == CHUNK_ORDER && *dirty ? CHUNK_FRAMES : 0;
    }
    unlock(&pool.lock);
    return found;
}

/* Frames for a guest off the lists and clean. 0, -XEN_ENOMEM or -XEN_ERESTART. */
static int take_clean(unsigned order, uint32_t *index)
{
    bool dirty;
    if (!take_block(order, false, index, &dirty)) {
        return -XEN_ENOMEM;
    }
    if (order < CHUNK_ORDER) {
        if (dirty) {
            scrub(*index, 1u << order);
        }
        return 0;
    }
    if (!scrub_block(*index, order)) {
        lock(&pool.lock);
        block_give_back(*index, order);
        unlock(&pool.lock);
        return -XEN_ERESTART;
    }
    return 0;
}

int frame_alloc_domain(struct domain *d, unsigned order, mfn_t *out)
{
    uint32_t index;
    if (order > FRAME_ORDER_MAX) {
        return -XEN_ENOMEM;
    }
    if (!reserve_owned(d, 1ull << order)) {
        return -XEN_E2BIG;
    }
    int error = take_clean(order, &index);
    if (error != 0) {
        count_owned(d->id, -(int64_t)(1ull << order));
        return error;
    }
    mark(index, order, (union frame_word){.refs = 1, .owner = d->id, .state = FRAME_OWNED});
    *out = index_mfn(index);
    return 0;
}

/* Allocation at a place: in pieces, which are chunks that are not split, and else single frames. */

static unsigned piece_order(uint32_t index, uint64_t count)
{
    bool chunk = (index & (CHUNK_FRAMES - 1)) == 0 && count >= CHUNK_FRAMES &&
                 word_load(&chunk_of(index)->f).state != FRAME_SPLIT;
    return chunk ? CHUNK_ORDER : 0;
}

/*
 * Is all of it FREE (or FIXED)? *dirty is the first unit that has to be scrubbed, if one has. A piece
 * that is nothing, but FIXED in between, is in the hands of who scrubs it or gives it back: ask again.
 */
static int range_check(uint32_t start, uint32_t end, bool fixed_too, struct scrub_unit *dirty)
    REQUIRES(&pool.lock)
{
    unsigned order;
    dirty->dirty = false;
    for (uint32_t i = start; i < end; i += 1u << order) {
        struct scrub_unit unit;
        order = piece_order(i, end - i);
        enum frame_state state = piece_state(i, order, &unit);
        if (state != FRAME_FREE && (state != FRAME_FIXED || !fixed_too)) {
            return fixed_too && piece_on_its_way(i, order) ? -XEN_ERESTART : -XEN_EBUSY;
        }
        if (unit.dirty && !dirty->dirty) {
            *dirty = unit;
        }
    }
    return 0;
}

static bool range_index(mfn_t at, uint64_t count, uint32_t *start)
{
    uint32_t last;
    if (count == 0 || count > 1ull << FRAME_ORDER_MAX || at.v + count < at.v) {
        return false;
    }
    if (!frame_index(at, start) || !frame_index(mfn(at.v + count - 1), &last)) {
        return false;
    }
    for (uint32_t i = *start; i < last; i += CHUNK_FRAMES) {
        if (chunk_of(i)->slot == NIL) {
            return false;
        }
    }
    return true;
}

int frame_fix_range(mpa_t start, mpa_t end)
{
    uint64_t first = (start.v + FRAME_MASK) >> FRAME_SHIFT, stop = end.v >> FRAME_SHIFT;
    while (first < stop) {
        uint32_t index;
        struct scrub_unit dirty;
        unsigned order;
        uint64_t count = stop - first;
        count = count < 1ull << FRAME_ORDER_MAX ? count : 1ull << FRAME_ORDER_MAX;
        if (!range_index(mfn(first), count, &index)) {
            return -XEN_EBUSY;
        }
        uint32_t last = index + (uint32_t)count;
        lock(&pool.lock);
        int error = range_check(index, last, false, &dirty);
        for (uint32_t i = index; error == 0 && i < last; i += 1u << order) {
            order = piece_order(i, last - i);
            union frame_word w = piece_take(i, order);
            w.fixed = true;
            piece_give(i, order, w);
        }
        unlock(&pool.lock);
        if (error != 0) {
            return error;
        }
        first += count;
    }
    return 0;
}

/* Scrub one piece where it is. Called with the lock, which is dropped meanwhile. */
static void scrub_in_place(uint32_t index, unsigned order, uint32_t *budget) REQUIRES(&pool.lock)
{
    union frame_word w = piece_take(index, order);
    pool.scrubbing += 1ull << order;
    unlock(&pool.lock);
    scrub_piece(index, order, &w, budget);
    lock(&pool.lock);
    pool.scrubbing -= 1ull << order;
    piece_give(index, order, w);
}

/* All of [start, end) off the lists and clean. 0, -XEN_EBUSY, -XEN_ERESTART. */
static int take_range(uint32_t start, uint32_t end) REQUIRES(&pool.lock)
{
    struct scrub_unit dirty;
    uint32_t budget = SCRUB_AT_ONCE;
    unsigned order;
    int error;
    while ((error = range_check(start, end, true, &dirty)) == 0 && dirty.dirty) {
        if (budget == 0) {
            return -XEN_ERESTART;
        }
        scrub_in_place(dirty.index, dirty.order, &budget);
    }
    if (error != 0) {
        return error;
    }
    for (uint32_t i = start; i < end; i += 1u << order) {
        order = piece_order(i, end - i);
        (void)piece_take(i, order);
    }
    return 0;
}

int frame_alloc_domain_at(struct domain *d, mfn_t at, uint64_t count)
{
    uint32_t start;
    unsigned order;
    if (!range_index(at, count, &start)) {
        return -XEN_EBUSY;
    }
    if (!reserve_owned(d, count)) {
        return -XEN_E2BIG;
    }
    uint32_t end = start + (uint32_t)count;
    lock(&pool.lock);
    int error = take_range(start, end);
    unlock(&pool.lock);
    if (error != 0) {
        count_owned(d->id, -(int64_t)count);
        return error;
    }
    for (uint32_t i = start; i < end; i += 1u << order) {
        order = piece_order(i, end - i);
        union frame_word w = {.refs = 1, .owner = d->id, .state = FRAME_OWNED};
        w.fixed = node_of(i, order)->w.fixed;
        mark(i, order, w);
    }
    return 0;
}

/* References. */

/* A chunk OWNED as a whole becomes 512 frames OWNED alike. */
static void split_owned(uint32_t index)
{
    struct chunk *c = chunk_of(index);
    lock(&pool.lock);
    union frame_word w = c->f.w;
    if (w.state == FRAME_OWNED) {
        struct frame *f = record_of(index & ~(CHUNK_FRAMES - 1));
        for (uint32_t i = 0; i < CHUNK_FRAMES; i++) {
            f[i] = (struct frame){.w = w};
        }
        word_store(&c->f, (union frame_word){.state = FRAME_SPLIT});
    }
    unlock(&pool.lock);
}

/* The frame's own record, or NULL while its chunk is whole and not OWNED. */
static inline struct frame *own_record(mfn_t m, uint32_t *index)
{
    uint64_t i = m.v - pool.base;
    *index = (uint32_t)i;
    if (unlikely(i >> CHUNK_ORDER >= pool.chunk_count)) {
        return NULL;
    }
    const struct chunk *c = &pool.chunks[i >> CHUNK_ORDER];
    uint8_t state = word_load(&c->f).state;
    if (unlikely(state == FRAME_OWNED)) {
        split_owned(*index);
        state = word_load(&c->f).state;
    }
    return likely(state == FRAME_SPLIT) ? record_in(c->slot, *index) : NULL; /* which has RAM */
}

/* A word of an OWNED frame: its references are the lower half, so taking one is adding one. */
#define OWNED_MASK 0x00ffffff00000000ull
#define OWNED_BY(owner) ((uint64_t)FRAME_OWNED << 48 | (uint64_t)(owner) << 32)

bool frame_get(mfn_t m, domid_t owner)
{
    uint32_t index;
    struct frame *f = own_record(m, &index);
    if (f == NULL) {
        return false;
    }
    uint64_t w = __atomic_load_n(&f->w.bits, __ATOMIC_ACQUIRE);
    do {
        if ((w & OWNED_MASK) != OWNED_BY(owner) || (uint32_t)w == ~0u) {
            return false;
        }
    } while (!__atomic_compare_exchange_n(&f->w.bits, &w, w + 1, true, __ATOMIC_ACQ_REL,
                                          __ATOMIC_ACQUIRE));
    return true;
}

bool frame_get_shared(mfn_t m, domid_t owner)
{
    uint32_t index;
    struct frame *f = own_record(m, &index);
    union frame_word w, more;
    if (f == NULL) {
        return false;
    }
    w = word_load(f);
    do {
        if (w.state != FRAME_SHARED || w.owner != owner) {
            return false;
        }
        more = w;
        more.refs++;
    } while (!swap(f, &w, more));
    return true;
}

bool frame_is_shared(mfn_t m)
{
    uint32_t index;
    if (!frame_index(m, &index) || word_load(&chunk_of(index)->f).state != FRAME_SPLIT) {
        return false;
    }
    union frame_word w = word_load(record_of(index));
    return w.state == FRAME_OWNED && w.refs > 1;
}

/* A hypervisor's page that nobody refers to any more. */
static void hyp_gone(uint32_t index, unsigned order)
{
    mark(index, order, (union frame_word){.bits = 0});
    lock(&pool.lock);
    block_free(index, order, true, 0);
    pool.hyp -= 1ull << order;
    unlock(&pool.lock);
}

/* Drop a reference. `disown`: it is the owner's, and if others hold the frame it is nobody's
 * from now on. */
static __attribute__((noinline)) void drop(struct frame *f, uint32_t index, domid_t owner,
                                           bool disown)
{
    union frame_word w = word_load(f), less;
    do {
        CHECK((w.state == FRAME_OWNED || w.state == FRAME_SHARED) && w.refs != 0);
        CHECK(!disown || w.owner == owner);
        less = w;
        less.refs--;
        less.state = less.refs != 0 ? w.state : FRAME_NONE;
        less.owner = disown ? DOMID_INVALID : w.owner;
    } while (!swap(f, &w, less));
    if (w.state == FRAME_SHARED) {
        if (less.refs == 0) {
            hyp_gone(index, 0);
        }
        return;
    }
    if (disown || less.refs == 0) {
        count_owned(w.owner, -1);
    }
    if (less.refs == 0) { /* ours now, I3 */
        lock(&pool.lock);
        piece_give(index, 0, (union frame_word){.fixed = w.fixed, .dirty = true});
        unlock(&pool.lock);
    }
}

void frame_put(mfn_t m)
{
    uint32_t index;
    struct frame *f = own_record(m, &index);
    CHECK(f != NULL);
    uint64_t w = __atomic_load_n(&f->w.bits, __ATOMIC_ACQUIRE);
    /* Not the last one of an OWNED frame, nearly always. */
    if ((uint8_t)(w >> 48) != FRAME_OWNED || (uint32_t)w <= 1 ||
        !__atomic_compare_exchange_n(&f->w.bits, &w, w - 1, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE)) {
        drop(f, index, 0, false);
    }
}

/* A chunk or a block of them at once, if all of them still are whole. */
static bool release_block(uint32_t index, unsigned order, domid_t owner)
{
    bool whole = true;
    lock(&pool.lock);
    for (uint32_t i = 0; whole && i < 1u << order; i += CHUNK_FRAMES) {
        union frame_word w = chunk_of(index + i)->f.w;
        whole = w.state == FRAME_OWNED && (!w.fixed || order == CHUNK_ORDER);
        CHECK(!whole || (w.owner == owner && w.refs == 1));
    }
    if (whole) {
        union frame_word w = {.fixed = chunk_of(index)->f.w.fixed, .dirty = true};
        mark(index, order, w);
        if (order == CHUNK_ORDER) {
            piece_give(index, order, w);
        } else {
            block_free(index, order, true, 0);
        }
    }
    unlock(&pool.lock);
    if (whole) {
        count_owned(owner, -(int64_t)(1ull << order));
    }
    return whole;
}

uint64_t frame_release_some(mfn_t m, uint64_t count, domid_t owner, int *budget)
{
    uint64_t done = 0;
    uint32_t start, index;
    CHECK(count <= 1ull << FRAME_ORDER_MAX && frame_index(m, &start));
    while (*budget > 0 && done < count) {
        index = start + (uint32_t)done;
        unsigned order = order_at(index, count - done, FRAME_ORDER_MAX);
        bool whole = order >= CHUNK_ORDER && release_block(index, order, owner);
        if (!whole && order > CHUNK_ORDER) {
            order = CHUNK_ORDER;
            whole = release_block(index, order, owner);
        }
        if (!whole) {
            struct frame *f = own_record(index_mfn(index), &index);
            CHECK(f != NULL);
            drop(f, index, owner, true);
            order = 0;
        }
        done += 1ull << order;
        *budget -= 1 + (int)(1u << order >> (CHUNK_ORDER + 5)); /* 32 chunks cost as a frame does */
    }
    return done;
}

void frame_release(mfn_t m, unsigned order, domid_t owner)
{
    int no_limit = INT32_MAX;
    (void)!frame_release_some(m, 1ull << order, owner, &no_limit);
}

/* Frames that are their owner's and mapped nowhere. */

void frame_park(struct domain *d, mfn_t m)
{
    uint32_t index;
    struct frame *f = own_record(m, &index);
    lock(&pool.lock);
    CHECK(f != NULL && f->w.state == FRAME_OWNED && f->w.owner == d->id && !f->w.parked);
    f->w.parked = true;
    f->prev = 0;
    f->next = d->parked;
    if (f->next != 0) {
        record_of(f->next - 1)->prev = index + 1;
    }
    d->parked = index + 1;
    unlock(&pool.lock);
}

static void unpark(struct domain *d, struct frame *f) REQUIRES(&pool.lock)
{
    *(f->prev != 0 ? &record_of(f->prev - 1)->next : &d->parked) = f->next;
    if (f->next != 0) {
        record_of(f->next - 1)->prev = f->prev;
    }
    f->next = f->prev = 0;
    f->w.parked = false;
}

bool frame_unpark(struct domain *d, mfn_t m)
{
    uint32_t index;
    struct frame *f = own_record(m, &index);
    if (f == NULL) {
        return false;
    }
    lock(&pool.lock);
    bool ours = f->w.state == FRAME_OWNED && f->w.owner == d->id && f->w.parked;
    if (ours) {
        unpark(d, f);
    }
    unlock(&pool.lock);
    return ours;
}

int frame_release_parked(struct domain *d)
{
    for (unsigned budget = 64; d->parked != 0; budget--) {
        uint32_t index = d->parked - 1;
        if (budget == 0) {
            return -XEN_ERESTART;
        }
        lock(&pool.lock);
        unpark(d, record_of(index));
        unlock(&pool.lock);
        drop(record_of(index), index, d->id, true);
    }
    return 0;
}

/* The hypervisor's own frames. */

void *frame_alloc_hyp(struct domain *d, unsigned order)
{
    uint64_t count = 1ull << order;
    uint32_t index;
    bool dirty;
    if (d != NULL) {
        uint64_t before = __atomic_fetch_add(&d->hyp_frames, count, __ATOMIC_RELAXED);
        if (before + count > d->hyp_frames_max) {
            __atomic_fetch_sub(&d->hyp_frames, count, __ATOMIC_RELAXED);
            return NULL;
        }
    }
    if (order > CHUNK_ORDER || !take_block(order, true, &index, &dirty)) {
        if (d != NULL) {
            __atomic_fetch_sub(&d->hyp_frames, count, __ATOMIC_RELAXED);
        }
        return NULL;
    }
    void *va = mfn_to_va(index_mfn(index));
    arch_zero_pages(va, count << FRAME_SHIFT);
    union frame_word w = {.refs = 1, .owner = d != NULL ? d->id : DOMID_XEN, .state = FRAME_HYP};
    mark(index, order, w);
    return va;
}

/* The record of a hypervisor's frame or chunk, checked to be one. */
static struct frame *hyp_record(const void *va, unsigned order, uint32_t *index)
{
    CHECK(frame_index(va_to_mfn(va), index));
    struct frame *f = node_of(*index, order);
    CHECK(order == CHUNK_ORDER || chunk_of(*index)->f.w.state == FRAME_SPLIT);
    CHECK(f->w.state == FRAME_HYP || f->w.state == FRAME_SHARED);
    return f;
}

void frame_free_hyp(struct domain *d, void *va, unsigned order)
{
    uint32_t index;
    struct frame *f = hyp_record(va, order, &index);
    CHECK(f->w.state == FRAME_HYP && f->w.owner == (d != NULL ? d->id : DOMID_XEN));
    hyp_gone(index, order);
    if (d != NULL) {
        __atomic_fetch_sub(&d->hyp_frames, 1ull << order, __ATOMIC_RELAXED);
    }
}

void frame_free_shared(struct domain *d, void *va)
{
    uint32_t index;
    struct frame *f = hyp_record(va, 0, &index);
    CHECK(f->w.state == FRAME_SHARED);
    drop(f, index, d->id, true);
    __atomic_fetch_sub(&d->hyp_frames, 1, __ATOMIC_RELAXED);
}

void frame_share(void *va)
{
    uint32_t index;
    struct frame *f = hyp_record(va, 0, &index);
    CHECK(f->w.state == FRAME_HYP && f->w.owner != DOMID_XEN);
    f->w.state = FRAME_SHARED;
}

void frame_unshare(void *va)
{
    uint32_t index;
    struct frame *f = hyp_record(va, 0, &index);
    CHECK(f->w.state == FRAME_SHARED);
    f->w.state = FRAME_HYP;
}

uint32_t *frame_words(const void *va)
{
    uint32_t index;
    return &hyp_record(va, 0, &index)->next;
}

/* Looking, and idle work. */

bool frame_is_ram(mfn_t m)
{
    uint32_t index;
    return frame_index(m, &index);
}

bool frame_info(mfn_t m, struct frame_info *out)
{
    uint32_t index;
    if (!frame_index(m, &index)) {
        return false;
    }
    lock(&pool.lock);
    bool split = chunk_of(index)->f.w.state == FRAME_SPLIT;
    union frame_word w = node_of(index, split ? 0 : CHUNK_ORDER)->w;
    struct scrub_unit unit = {.dirty = false};
    if (w.state == FRAME_NONE || w.state == FRAME_FREE || w.state == FRAME_FIXED) {
        w.state = (uint8_t)piece_state(index, 0, &unit);
        w.refs = 0;
    }
    unlock(&pool.lock);
    bool fixed = w.state == FRAME_FIXED || (w.state == FRAME_OWNED && w.fixed);
    *out = (struct frame_info){w.state, w.owner, w.refs, unit.dirty, fixed};
    return true;
}

void frame_stats(struct frame_stats *out)
{
    lock(&pool.lock);
    out->total = pool.total;
    out->free = pool.free + pool.scrubbing;
    out->dirty = pool.dirty + pool.scrubbing;
    out->last = index_mfn((pool.chunk_count << CHUNK_ORDER) - 1);
    out->table = mpa(arch_ram_mpa(pool.chunks));
    out->table_bytes = pool.table_bytes;
    out->hyp = pool.hyp;
    unlock(&pool.lock);
    out->owned = out->total - out->free - out->hyp;
}

/* The block at the cursor: its order if it is free, whole and to be scrubbed, else how far to
 * move on. */
static bool scrub_candidate(uint32_t index, unsigned *order) REQUIRES(&pool.lock)
{
    const struct chunk *c = chunk_of(index);
    struct scrub_unit unit;
    *order = CHUNK_ORDER;
    if (c->slot == NIL) {
        return false;
    }
    if (c->f.w.state == FRAME_SPLIT) {
        union frame_word w = record_of(index)->w;
        *order = w.state == FRAME_FREE ? w.order : 0;
        return (w.state == FRAME_FREE || w.state == FRAME_FIXED) && w.dirty;
    }
    return c->f.w.dirty && piece_state(index, CHUNK_ORDER, &unit) != FRAME_NONE;
}

bool frame_scrub_some(unsigned order)
{
    /* A step is 30 instructions, for all of which an interrupt waits. */
    uint32_t steps = 256, budget = 1u << order, all = pool.chunk_count << CHUNK_ORDER;
    unsigned block_order;
    if (__atomic_load_n(&pool.dirty, __ATOMIC_RELAXED) == 0) {
        return false;
    }
    lock(&pool.lock);
    for (; steps > 0 && budget > 0; steps--) {
        uint32_t at = pool.scrub_cursor;
        if (chunk_of(at)->f.w.state != FRAME_SPLIT) {
            at &= ~(CHUNK_FRAMES - 1);
        }
        if (scrub_candidate(at, &block_order)) {
            scrub_in_place(at, block_order, &budget);
            continue; /* unfinished, or merged with others: look here again */
        }
        at = (at | ((1u << block_order) - 1)) + 1;
        pool.scrub_cursor = at < all ? at : 0;
    }
    bool more = pool.dirty != 0;
    unlock(&pool.lock);
    return more;
}

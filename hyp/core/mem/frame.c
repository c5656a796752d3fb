/*
 * Who owns each frame: the edges of the state machine in hyp/frame.h, and the
 * buddy allocator. Invariants in frame-internal.h.
 *
 * A reference to an OWNED frame is one compare-and-swap on its word, which
 * fails for any other state or owner: so a frame on its way to the allocator
 * cannot be caught. A chunk that is OWNED as a whole is split into frame
 * records first, the first time anybody refers to one of its frames.
 *
 * What is on the lists is clean (F3): whoever frees a frame scrubs it first, so
 * that no allocation has to wait for it.
 */
#include <hyp/frame.h>

#include "frame-internal.h"
#include <hyp/assert.h>
#include <hyp/domain.h>
#include <xen/errno.h>

struct frame_pool frame_pool = {.lock = LOCK_INIT(RANK_FRAME)};

#define pool frame_pool

/* Frames of a whole chunk that are scrubbed for one unit of the budget of frame_release_some(). */
#define SCRUB_PER_STEP 2u

/* The lists of free blocks. */

static void list_add(uint32_t index, unsigned order) REQUIRES(&pool.lock)
{
    struct frame *f = node_of(index, order);
    f->w = (union frame_word){.state = FRAME_FREE, .order = order & 31};
    f->next = pool.head[order];
    f->prev = NIL;
    if (f->next != NIL) {
        node_of(f->next, order)->prev = index;
    }
    pool.head[order] = index;
    pool.free += 1ull << order;
}

static void list_take(uint32_t index, unsigned order) REQUIRES(&pool.lock)
{
    struct frame *f = node_of(index, order);
    *(f->prev == NIL ? &pool.head[order] : &node_of(f->prev, order)->next) = f->next;
    if (f->next != NIL) {
        node_of(f->next, order)->prev = f->prev;
    }
    f->w.bits = 0;
    pool.free -= 1ull << order;
}

static bool heads_free(uint32_t index, unsigned order) REQUIRES(&pool.lock)
{
    if (index >> CHUNK_ORDER >= pool.chunk_count) {
        return false;
    }
    union frame_word w = node_of(index, order)->w;
    return w.state == FRAME_FREE && w.order == order;
}

void block_free(uint32_t index, unsigned order)
{
    for (; order < FRAME_ORDER_MAX && heads_free(index ^ (1u << order), order); order++) {
        list_take(index ^ (1u << order), order);
        index &= ~(1u << order);
        if (order + 1 == CHUNK_ORDER) {
            chunk_of(index)->f.w.bits = 0; /* whole again */
        }
    }
    list_add(index, order);
}

static bool block_alloc(unsigned order, uint32_t *index) REQUIRES(&pool.lock)
{
    unsigned k = order;
    while (k <= FRAME_ORDER_MAX && pool.head[k] == NIL) {
        k++;
    }
    if (k > FRAME_ORDER_MAX) {
        return false;
    }
    *index = pool.head[k];
    list_take(*index, k);
    while (k > order) {
        if (k == CHUNK_ORDER) {
            chunk_split(*index);
        }
        k--;
        list_add(*index + (1u << k), k);
    }
    return true;
}

bool frame_is_taken(uint32_t index)
{
    unsigned k = chunk_of(index)->f.w.state == FRAME_SPLIT ? 0 : CHUNK_ORDER;
    while (k <= FRAME_ORDER_MAX && !heads_free(index & ~((1u << k) - 1), k)) {
        k++;
    }
    return k > FRAME_ORDER_MAX;
}

void chunk_split(uint32_t index)
{
    struct chunk *c = chunk_of(index);
    struct frame *f = record_of(index & ~(CHUNK_FRAMES - 1));
    for (uint32_t i = 0; i < CHUNK_FRAMES; i++) {
        f[i] = (struct frame){.w = c->f.w};
    }
    word_store(&c->f, (union frame_word){.state = FRAME_SPLIT});
}

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

/* Cleaned to memory too: a guest that runs with its caches off looks there (DDI 0487I.a D8.5.4). */
static void scrub(uint32_t index, uint64_t count)
{
    arch_scrub_pages(mfn_to_va(index_mfn(index)), count << FRAME_SHIFT);
}

/* Counting what is whose. */

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

/* Allocation. */

/* A block off the lists. Whoever adds up the pool sees it as free or as whose it becomes: what
 * turns into the hypervisor's is counted under the same lock. */
static bool take_block(unsigned order, bool hyp, uint32_t *index)
{
    lock(&pool.lock);
    bool found = block_alloc(order, index);
    pool.hyp += found && hyp ? 1ull << order : 0;
    unlock(&pool.lock);
    return found;
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
    if (!take_block(order, false, &index)) {
        count_owned(d->id, -(int64_t)(1ull << order));
        return -XEN_ENOMEM;
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

/* The record that speaks for a frame: its own, or its chunk's while that is whole. */
static struct frame *speaker(uint32_t index)
{
    struct frame *f = &chunk_of(index)->f;
    return f->w.state == FRAME_SPLIT ? record_of(index) : f;
}

static bool range_index(mfn_t at, uint64_t count, uint32_t *start)
{
    uint32_t last;
    if (count == 0 || at.v + count < at.v) {
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

/*
 * Turn [start, start + count) from one state to another, all of it or nothing: -XEN_EBUSY. A frame
 * that is nothing, but FIXED in between, is in the hands of who scrubs it: -XEN_ERESTART.
 */
static int convert(uint32_t start, uint64_t count, enum frame_state from, union frame_word to)
    REQUIRES(&pool.lock)
{
    uint32_t end = start + (uint32_t)count;
    unsigned order;
    for (uint32_t i = start; i < end; i += 1u << order) {
        union frame_word w = speaker(i)->w;
        order = piece_order(i, end - i);
        if (w.state != from || (from == FRAME_NONE && !frame_is_taken(i))) {
            return w.state == FRAME_NONE && w.fixed ? -XEN_ERESTART : -XEN_EBUSY;
        }
    }
    for (uint32_t i = start; i < end; i += 1u << order) {
        order = piece_order(i, end - i);
        if (order == 0 && chunk_of(i)->f.w.state != FRAME_SPLIT) {
            chunk_split(i);
        }
        mark(i, order, to);
    }
    return 0;
}

int frame_fix_range(mpa_t start, mpa_t end)
{
    uint64_t first = (start.v + FRAME_MASK) >> FRAME_SHIFT, count = (end.v >> FRAME_SHIFT) - first;
    uint32_t index;
    if (!range_index(mfn(first), count, &index)) {
        return -XEN_EBUSY;
    }
    lock(&pool.lock);
    int error =
        convert(index, count, FRAME_NONE, (union frame_word){.state = FRAME_FIXED, .fixed = true});
    if (error == 0) {
        pool.total += count;
        pool.free += count;
    }
    unlock(&pool.lock);
    return error;
}

int frame_alloc_domain_at(struct domain *d, mfn_t at, uint64_t count)
{
    uint32_t start;
    if (!range_index(at, count, &start)) {
        return -XEN_EBUSY;
    }
    if (!reserve_owned(d, count)) {
        return -XEN_E2BIG;
    }
    lock(&pool.lock);
    int error =
        convert(start, count, FRAME_FIXED,
                (union frame_word){.refs = 1, .owner = d->id, .state = FRAME_OWNED, .fixed = true});
    pool.free -= error == 0 ? count : 0;
    unlock(&pool.lock);
    if (error != 0) {
        count_owned(d->id, -(int64_t)count);
    }
    return error;
}

/* A piece, clean or as it was when it was allocated, goes back to where it came from. */
static void give_back(uint32_t index, unsigned order, bool fixed) REQUIRES(&pool.lock)
{
    enum frame_state state = fixed ? FRAME_FIXED : FRAME_NONE;
    word_store(node_of(index, order), (union frame_word){.state = (uint8_t)state, .fixed = fixed});
    if (fixed) {
        pool.free += 1ull << order;
    } else {
        block_free(index, order);
    }
}

void frame_release(mfn_t m, unsigned order, domid_t owner)
{
    uint32_t i;
    unsigned piece;
    CHECK(frame_index(m, &i));
    lock(&pool.lock);
    for (uint32_t end = i + (1u << order); i < end; i += 1u << piece) {
        piece = piece_order(i, end - i);
        union frame_word w = node_of(i, piece)->w;
        CHECK(w.state == FRAME_OWNED && w.owner == owner && w.refs == 1);
        give_back(i, piece, w.fixed);
    }
    unlock(&pool.lock);
    count_owned(owner, -(int64_t)(1ull << order));
}

/* References. */

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
        lock(&pool.lock);
        if (c->f.w.state == FRAME_OWNED) {
            chunk_split(*index);
        }
        unlock(&pool.lock);
        state = word_load(&c->f).state;
    }
    return likely(state == FRAME_SPLIT) ? record_in(c->slot, *index) : NULL; /* which has RAM */
}

/* A word's references are the lower half, so taking one is adding one. */
#define STATE_AND_OWNER 0x00ffffff00000000ull

static inline bool get(mfn_t m, enum frame_state state, domid_t owner)
{
    uint64_t wanted = (uint64_t)state << 48 | (uint64_t)owner << 32;
    uint32_t index;
    struct frame *f = own_record(m, &index);
    if (f == NULL) {
        return false;
    }
    uint64_t w = __atomic_load_n(&f->w.bits, __ATOMIC_ACQUIRE);
    do {
        if ((w & STATE_AND_OWNER) != wanted || (uint32_t)w == ~0u) {
            return false;
        }
    } while (!__atomic_compare_exchange_n(&f->w.bits, &w, w + 1, true, __ATOMIC_ACQ_REL,
                                          __ATOMIC_ACQUIRE));
    return true;
}

bool frame_get(mfn_t m, domid_t owner)
{
    return get(m, FRAME_OWNED, owner);
}

bool frame_get_shared(mfn_t m, domid_t owner)
{
    return get(m, FRAME_SHARED, owner);
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
    scrub(index, 1ull << order);
    lock(&pool.lock);
    block_free(index, order);
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
    } while (!__atomic_compare_exchange_n(&f->w.bits, &w.bits, less.bits, false, __ATOMIC_ACQ_REL,
                                          __ATOMIC_ACQUIRE));
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
        scrub(index, 1);
        lock(&pool.lock);
        give_back(index, 0, w.fixed);
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

/*
 * Scrub more of a chunk that is OWNED whole and mapped nowhere any more; when all of it is clean, give
 * it back: true. Should somebody refer to a frame of it meanwhile, it is split, and not scrubbed as a
 * whole but frame by frame when each of them goes.
 */
static bool release_chunk(uint32_t index, domid_t owner, int *budget)
{
    struct frame *f = &chunk_of(index)->f;
    uint32_t left = CHUNK_FRAMES - f->next, now = (uint32_t)*budget * SCRUB_PER_STEP;
    now = now < left ? now : left;
    scrub(index + f->next, now);
    f->next += now;
    *budget -= (int)((now + SCRUB_PER_STEP - 1) / SCRUB_PER_STEP);
    if (f->next < CHUNK_FRAMES) {
        return false;
    }
    lock(&pool.lock);
    bool whole = f->w.state == FRAME_OWNED;
    if (whole) {
        CHECK(f->w.owner == owner && f->w.refs == 1);
        give_back(index, CHUNK_ORDER, f->w.fixed);
    }
    unlock(&pool.lock);
    if (whole) {
        count_owned(owner, -(int64_t)CHUNK_FRAMES);
    }
    return whole;
}

uint64_t frame_release_some(mfn_t m, uint64_t count, domid_t owner, int *budget)
{
    uint64_t done = 0;
    uint32_t start, index;
    CHECK(frame_index(m, &start));
    while (*budget > 0 && done < count) {
        index = start + (uint32_t)done;
        if (piece_order(index, count - done) == CHUNK_ORDER) {
            done += release_chunk(index, owner, budget) ? CHUNK_FRAMES : 0;
            continue;
        }
        struct frame *f = own_record(index_mfn(index), &index);
        CHECK(f != NULL);
        drop(f, index, owner, true);
        done++;
        --*budget;
    }
    return done;
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

/* F5. */
static bool charge(struct domain *d, uint64_t count)
{
    if (d == NULL) {
        return true;
    }
    uint64_t before = __atomic_fetch_add(&d->hyp_frames, count, __ATOMIC_RELAXED);
    if (before + count <= d->hyp_frames_max) {
        return true;
    }
    __atomic_fetch_sub(&d->hyp_frames, count, __ATOMIC_RELAXED);
    return false;
}

static void discharge(struct domain *d, uint64_t count)
{
    if (d != NULL) {
        __atomic_fetch_sub(&d->hyp_frames, count, __ATOMIC_RELAXED);
    }
}

void *frame_alloc_hyp(struct domain *d, unsigned order)
{
    uint64_t count = 1ull << order;
    uint32_t index;
    if (order > CHUNK_ORDER || !charge(d, count)) {
        return NULL;
    }
    if (!take_block(order, true, &index)) {
        discharge(d, count);
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
    discharge(d, 1ull << order);
}

void frame_free_shared(struct domain *d, void *va)
{
    uint32_t index;
    struct frame *f = hyp_record(va, 0, &index);
    CHECK(f->w.state == FRAME_SHARED);
    drop(f, index, d->id, true);
    discharge(d, 1);
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

/* Looking. */

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
    union frame_word w = speaker(index)->w;
    if (w.state == FRAME_NONE && !frame_is_taken(index)) {
        w.state = FRAME_FREE;
    }
    unlock(&pool.lock);
    *out = (struct frame_info){(enum frame_state)w.state, w.owner, w.refs, w.fixed};
    return true;
}

void frame_stats(struct frame_stats *out)
{
    lock(&pool.lock);
    out->total = pool.total;
    out->free = pool.free;
    out->last = index_mfn((pool.chunk_count << CHUNK_ORDER) - 1);
    out->table = mpa(arch_ram_mpa(pool.chunks));
    out->table_bytes = pool.table_bytes;
    out->hyp = pool.hyp;
    unlock(&pool.lock);
    out->owned = out->total - out->free - out->hyp;
}

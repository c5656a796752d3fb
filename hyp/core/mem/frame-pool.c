/* The buddy allocator: blocks, and pieces at a given place. Invariants in frame-internal.h. */
#include "frame-internal.h"

#include <hyp/assert.h>

struct frame_pool frame_pool = {.lock = LOCK_INIT(RANK_FRAME)};

#define pool frame_pool

/* Head a block whose record already says dirty or not, and put it on its list. */
static void list_add(uint32_t index, unsigned order, bool last) REQUIRES(&pool.lock)
{
    struct frame *f = node_of(index, order);
    f->w.state = FRAME_FREE;
    f->w.order = order & 31;
    f->next = last ? NIL : pool.head[order];
    f->prev = last ? pool.tail[order] : NIL;
    *(f->prev == NIL ? &pool.head[order] : &node_of(f->prev, order)->next) = index;
    *(f->next == NIL ? &pool.tail[order] : &node_of(f->next, order)->prev) = index;
    pool.free += 1ull << order;
}

static void list_take(uint32_t index, unsigned order) REQUIRES(&pool.lock)
{
    struct frame *f = node_of(index, order);
    *(f->prev == NIL ? &pool.head[order] : &node_of(f->prev, order)->next) = f->next;
    *(f->next == NIL ? &pool.tail[order] : &node_of(f->next, order)->prev) = f->prev;
    f->w.state = FRAME_NONE;
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

/* Merge a block of chunks with its free buddies and list it. */
static void chunks_free(uint32_t index, unsigned order, bool first) REQUIRES(&pool.lock)
{
    for (; order < FRAME_ORDER_MAX && heads_free(index ^ (1u << order), order); order++) {
        list_take(index ^ (1u << order), order);
        index &= ~(1u << order);
    }
    list_add(index, order, !first && chunk_of(index)->f.w.dirty);
}

void block_free(uint32_t index, unsigned order, bool dirty, uint32_t scrubbed)
{
    pool.dirty += dirty ? 1ull << order : 0;
    for (; order < CHUNK_ORDER; order++) {
        uint32_t buddy = index ^ (1u << order);
        struct frame *f = record_of(index);
        f->w = (union frame_word){.refs = scrubbed, .dirty = dirty};
        if (!heads_free(buddy, order)) {
            list_add(index, order, dirty);
            return;
        }
        list_take(buddy, order);
        bool other = record_of(buddy)->w.dirty;
        if (other != dirty) { /* one dirty half makes a dirty whole */
            pool.dirty += 1ull << order;
            dirty = true;
        }
        scrubbed = 0;
        f->w.bits = record_of(buddy)->w.bits = 0;
        index &= ~(1u << order);
    }
    if (order == CHUNK_ORDER) {
        chunk_of(index)->f.w = (union frame_word){.refs = scrubbed, .dirty = dirty};
    }
    chunks_free(index, order, false);
}

void block_give_back(uint32_t index, unsigned order)
{
    chunks_free(index, order, true);
}

void chunk_open(uint32_t index)
{
    arch_zero_pages(record_of(index & ~(CHUNK_FRAMES - 1)), CHUNK_FRAMES * sizeof(struct frame));
    word_store(&chunk_of(index)->f, (union frame_word){.state = FRAME_SPLIT});
}

/* Cut (want, order) out of the block (index, from), which is off its list, and list the rest. */
static bool block_cut(uint32_t index, unsigned from, uint32_t want, unsigned order)
    REQUIRES(&pool.lock)
{
    bool dirty = node_of(index, from)->w.dirty;
    while (from > order) {
        if (from == CHUNK_ORDER) {
            dirty = chunk_of(index)->f.w.dirty;
            chunk_open(index);
        }
        from--;
        uint32_t half = 1u << from;
        uint32_t other = (want & half) != 0 ? index : index + half;
        index += want & half;
        if (from < CHUNK_ORDER) {
            record_of(other)->w = (union frame_word){.dirty = dirty};
        }
        list_add(other, from, node_of(other, from)->w.dirty);
    }
    return dirty;
}

bool block_alloc(unsigned order, uint32_t *index, bool *dirty)
{
    for (unsigned k = order; k <= FRAME_ORDER_MAX; k++) {
        if (pool.head[k] == NIL) {
            continue;
        }
        *index = pool.head[k];
        list_take(*index, k);
        *dirty = block_cut(*index, k, *index, order);
        if (order < CHUNK_ORDER && *dirty) {
            pool.dirty -= 1ull << order;
        }
        return true;
    }
    return false;
}

/* The free block that holds all of (index, order). */
static bool block_find(uint32_t index, unsigned order, uint32_t *head, unsigned *head_order)
    REQUIRES(&pool.lock)
{
    bool split = chunk_of(index)->f.w.state == FRAME_SPLIT;
    for (unsigned k = order; k <= FRAME_ORDER_MAX; k++) {
        *head = index & ~((1u << k) - 1);
        if ((k >= CHUNK_ORDER || split) && heads_free(*head, k)) {
            *head_order = k;
            return true;
        }
    }
    return false;
}

/* The record that speaks for a frame or chunk: its own, or its chunk's while that is whole. */
static struct frame *speaker(uint32_t index, unsigned order)
{
    struct frame *f = &chunk_of(index)->f;
    return order < CHUNK_ORDER && f->w.state == FRAME_SPLIT ? record_of(index) : f;
}

enum frame_state piece_state(uint32_t index, unsigned order, struct scrub_unit *unit)
{
    uint32_t head;
    unsigned head_order;
    struct frame *f = speaker(index, order);
    if (f->w.state == FRAME_FIXED) {
        *unit = (struct scrub_unit){index, order, f->w.dirty};
        return FRAME_FIXED;
    }
    if (!block_find(index, order, &head, &head_order)) {
        *unit = (struct scrub_unit){index, order, false};
        return FRAME_NONE;
    }
    unit->index = head_order < CHUNK_ORDER ? head : index & ~(CHUNK_FRAMES - 1);
    unit->order = head_order < CHUNK_ORDER ? head_order : CHUNK_ORDER;
    unit->dirty = node_of(unit->index, unit->order)->w.dirty;
    return FRAME_FREE;
}

bool piece_on_its_way(uint32_t index, unsigned order)
{
    union frame_word w = speaker(index, order)->w;
    return w.state == FRAME_NONE && w.fixed;
}

/* A whole FIXED chunk falls into FIXED frames. */
static void fixed_open(uint32_t index) REQUIRES(&pool.lock)
{
    union frame_word w = chunk_of(index)->f.w;
    w.refs = 0;
    chunk_open(index);
    for (uint32_t i = 0; i < CHUNK_FRAMES; i++) {
        record_of((index & ~(CHUNK_FRAMES - 1)) + i)->w = w;
    }
}

union frame_word piece_take(uint32_t index, unsigned order)
{
    uint32_t head;
    unsigned head_order;
    union frame_word w = {.fixed = speaker(index, order)->w.state == FRAME_FIXED};
    if (w.fixed) {
        if (order < CHUNK_ORDER && chunk_of(index)->f.w.state == FRAME_FIXED) {
            fixed_open(index);
        }
        w = node_of(index, order)->w;
        pool.free -= 1ull << order;
    } else {
        CHECK(block_find(index, order, &head, &head_order));
        list_take(head, head_order);
        w.dirty = block_cut(head, head_order, index, order);
        if (order == CHUNK_ORDER) {
            w = chunk_of(index)->f.w;
        } else if (head_order == order) {
            w.refs = record_of(index)->w.refs;
        }
    }
    pool.dirty -= w.dirty ? 1ull << order : 0;
    w.state = FRAME_NONE;
    node_of(index, order)->w = w;
    return w;
}

void piece_give(uint32_t index, unsigned order, union frame_word w)
{
    if (!w.fixed) {
        block_free(index, order, w.dirty, w.refs);
        return;
    }
    w.state = FRAME_FIXED;
    node_of(index, order)->w = w;
    pool.free += 1ull << order;
    pool.dirty += w.dirty ? 1ull << order : 0;
}

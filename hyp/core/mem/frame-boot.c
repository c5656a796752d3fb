/* Taking over the machine's RAM: where the records live, and what is free. */
#include <hyp/frame.h>

#include "frame-internal.h"
#include <hyp/assert.h>
#include <xen/errno.h>

#define pool frame_pool

struct memory_map {
    const struct frame_range *ram, *reserved;
    unsigned ram_count, reserved_count;
};

static uint64_t frame_floor(uint64_t at)
{
    return at & ~FRAME_MASK;
}

static uint64_t frame_ceil(uint64_t at)
{
    return (at + FRAME_MASK) & ~FRAME_MASK;
}

/* The reserved range that covers `at`, or NULL. */
static const struct frame_range *covering(const struct memory_map *m, uint64_t at)
{
    for (unsigned i = 0; i < m->reserved_count; i++) {
        const struct frame_range *r = &m->reserved[i];
        if (r->end.v > r->start.v && frame_floor(r->start.v) <= at && r->end.v > at) {
            return r;
        }
    }
    return NULL;
}

/*
 * The next gap of `ram` from *at on that touches nothing reserved, in whole frames: [*at, *end).
 * Each round passes a reserved range, so there are at most reserved_count of them.
 */
static bool next_gap(const struct memory_map *m, const struct frame_range *ram, uint64_t *at,
                     uint64_t *end)
{
    const struct frame_range *r;
    *at = frame_ceil(*at);
    while ((r = covering(m, *at)) != NULL) {
        *at = frame_ceil(r->end.v);
    }
    *end = frame_floor(ram->end.v);
    for (unsigned i = 0; i < m->reserved_count; i++) {
        r = &m->reserved[i];
        if (r->end.v > r->start.v && r->start.v >= *at && frame_floor(r->start.v) < *end) {
            *end = frame_floor(r->start.v);
        }
    }
    return *at < *end;
}

/* Lowest and highest frame of RAM; false if there is none. */
static bool extent(const struct memory_map *m, uint64_t *first, uint64_t *last)
{
    *first = ~0ull;
    *last = 0;
    for (unsigned i = 0; i < m->ram_count; i++) {
        uint64_t start = frame_ceil(m->ram[i].start.v) >> FRAME_SHIFT;
        uint64_t end = m->ram[i].end.v >> FRAME_SHIFT;
        if (start < end) {
            *first = start < *first ? start : *first;
            *last = end > *last ? end : *last;
        }
    }
    return *first < *last;
}

static struct frame_range largest_gap(const struct memory_map *m)
{
    struct frame_range best = {mpa(0), mpa(0)};
    for (unsigned i = 0; i < m->ram_count; i++) {
        uint64_t end, at = m->ram[i].start.v;
        for (; next_gap(m, &m->ram[i], &at, &end); at = end) {
            if (end - at > best.end.v - best.start.v) {
                best = (struct frame_range){mpa(at), mpa(end)};
            }
        }
    }
    return best;
}

/* Number the chunks that have RAM. With no table yet only count them: an upper bound, if
 * ranges meet in a chunk. */
static uint32_t number_chunks(const struct memory_map *m, struct chunk *chunks)
{
    uint32_t slots = 0;
    for (unsigned i = 0; i < m->ram_count; i++) {
        uint64_t start = m->ram[i].start.v >> FRAME_SHIFT, end = m->ram[i].end.v >> FRAME_SHIFT;
        if (start >= end) {
            continue;
        }
        uint64_t last = (end - 1 - pool.base) >> CHUNK_ORDER;
        for (uint64_t c = (start - pool.base) >> CHUNK_ORDER; c <= last; c++) {
            if (chunks == NULL) {
                slots++;
            } else if (chunks[c].slot == NIL) {
                chunks[c].slot = slots++;
            }
        }
    }
    return slots;
}

/* Records at the end of the largest gap; returns what they take up, empty if it is too small. */
static struct frame_range place_records(const struct memory_map *m)
{
    uint64_t chunk_bytes =
        frame_ceil(pool.chunk_count * sizeof(struct chunk) + MAX_DOMAINS * sizeof(*pool.owned));
    uint64_t bytes =
        chunk_bytes + (uint64_t)number_chunks(m, NULL) * CHUNK_FRAMES * sizeof(struct frame);
    struct frame_range gap = largest_gap(m);
    if (gap.end.v - gap.start.v < bytes) {
        return (struct frame_range){mpa(0), mpa(0)};
    }
    gap.start = mpa(gap.end.v - bytes);
    pool.chunks = arch_ram_va(gap.start.v);
    pool.owned = (uint32_t *)&pool.chunks[pool.chunk_count];
    pool.records = arch_ram_va(gap.start.v + chunk_bytes);
    pool.table_bytes = bytes;
    arch_zero_pages(pool.chunks, chunk_bytes);
    for (uint32_t c = 0; c < pool.chunk_count; c++) {
        pool.chunks[c].slot = NIL;
    }
    number_chunks(m, pool.chunks);
    return gap;
}

int frame_init(const struct frame_range *ram, unsigned ram_count,
               const struct frame_range *reserved, unsigned reserved_count)
{
    struct memory_map m = {ram, reserved, ram_count, reserved_count};
    uint64_t first, last;
    if (!extent(&m, &first, &last)) {
        return -XEN_EINVAL;
    }
    for (unsigned k = 0; k <= FRAME_ORDER_MAX; k++) {
        pool.head[k] = NIL;
    }
    pool.base = first & ~((1ull << FRAME_ORDER_MAX) - 1);
    pool.chunk_count = (uint32_t)((last - pool.base + CHUNK_FRAMES - 1) >> CHUNK_ORDER);
    pool.total = pool.free = pool.hyp = 0;
    struct frame_range records = place_records(&m);
    if (records.end.v == 0) {
        return -XEN_ENOMEM;
    }
    for (unsigned i = 0; i < ram_count; i++) {
        uint64_t end, at = ram[i].start.v;
        for (; next_gap(&m, &ram[i], &at, &end); at = end) {
            if (at <= records.start.v && end >= records.end.v) { /* records end the gap */
                frame_add_range(mpa(at), records.start);
            } else {
                frame_add_range(mpa(at), mpa(end));
            }
        }
    }
    return 0;
}

/* The largest order at which both an index and a count allow a block. */
static unsigned order_at(uint32_t index, uint64_t count)
{
    unsigned order = 0;
    while (order < FRAME_ORDER_MAX && (index & (1u << order)) == 0 && count >> (order + 1) != 0) {
        order++;
    }
    return order;
}

/* NONE -> FREE for one block. */
static void add_block(uint32_t index, unsigned order) REQUIRES(&pool.lock)
{
    CHECK(chunk_of(index)->slot != NIL);
    if (order < CHUNK_ORDER && chunk_of(index)->f.w.state == FRAME_NONE) {
        chunk_split(index);
    }
    CHECK(node_of(index, order)->w.state == FRAME_NONE && frame_is_taken(index));
    block_free(index, order);
}

void frame_add_range(mpa_t start, mpa_t end)
{
    uint64_t at = frame_ceil(start.v) >> FRAME_SHIFT, stop = end.v >> FRAME_SHIFT;
    lock(&pool.lock);
    while (at < stop) {
        uint32_t index = (uint32_t)(at - pool.base);
        unsigned order = order_at(index, stop - at);
        add_block(index, order);
        pool.total += 1ull << order;
        at += 1ull << order;
    }
    unlock(&pool.lock);
}

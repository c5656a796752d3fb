/*
 * Frame records and the buddy allocator over them: shared by frame-pool.c
 * (the allocator), frame.c (who owns what), frame-boot.c and the checker.
 *
 * Records come in two sizes of unit. A *chunk* is 2 MiB. While all its frames
 * share one fate (all free, or all owned by one domain with one reference each)
 * the chunk's own record says so and the 512 frame records below it are not
 * used, not even initialised: that is why a guest's memory costs one write per
 * 2 MiB to allocate, and a machine's memory nothing to take over. A chunk is
 * *split* when its frames part ways, and whole again when all are free.
 *
 * A free block of order 9 and above is headed by the record of its first
 * chunk, a smaller one by that of its first frame. Records of a free block's
 * other units are not FREE; only `dirty` and its progress count in every chunk.
 *
 * I1  a block on list k is 2^k frames, aligned to its size, all free, headed by
 *     a FREE record of order k; its buddy is not such a block.
 * I2  a frame record means something only while its chunk is FRAME_SPLIT.
 * I3  frames that are off the lists and not OWNED belong to whoever took them
 *     off, who may write their records without the lock.
 */
#ifndef HYP_FRAME_INTERNAL_H
#define HYP_FRAME_INTERNAL_H

#include <hyp/frame.h>
#include <hyp/lock.h>

#define CHUNK_ORDER 9u
#define CHUNK_FRAMES (1u << CHUNK_ORDER)
#define NIL (~0u)

#define FRAME_SPLIT 7 /* state of chunks only: the frame records are valid */

/* One word, so that a reference is taken by one compare-and-swap that also sees owner and state. */
union frame_word {
    struct {
        uint32_t refs;      /* OWNED: F2. Dirty: frames of it that are scrubbed already */
        uint16_t owner;     /* domid_t */
        uint8_t state;      /* enum frame_state or FRAME_SPLIT */
        uint8_t order : 5;  /* FREE: of the block it heads */
        uint8_t dirty : 1;  /* to be scrubbed before a guest gets it */
        uint8_t fixed : 1;  /* goes back to FIXED, not FREE */
        uint8_t parked : 1; /* OWNED, mapped nowhere: on its owner's list (frame_park()) */
    };
    uint64_t bits;
};

struct frame {
    union frame_word w;  /* [atomic] when OWNED, else [lock] or its holder's (I3) */
    uint32_t next, prev; /* FREE: [lock] neighbours on the list, as index of their first frame.
                            HYP: the owner's, frame_words(). Parked: on its owner's list,
                            index + 1, 0 at the ends */
};

struct chunk {
    struct frame f;
    uint32_t slot; /* [const] which 512 of the frame records are its own; NIL: no RAM here */
    uint32_t spare;
};

struct frame_pool {
    lock_t lock;
    uint64_t base;               /* [const] mfn of index 0, 1 GiB-aligned */
    uint32_t chunk_count;        /* [const] */
    struct chunk *chunks;        /* [const] chunk_count */
    struct frame *records;       /* [const] 512 for each chunk with RAM */
    uint64_t total, table_bytes; /* [lock] frames; [const] */
    uint64_t free, dirty;        /* [lock] frames FREE and FIXED; of these, to be scrubbed */
    uint64_t hyp;                /* [lock] frames HYP and SHARED */
    uint64_t scrubbing;          /* [lock] frames that are being scrubbed, on no list; also free */
    uint32_t scrub_cursor;       /* [lock] index where frame_scrub_some() goes on */
    uint32_t *owned;             /* [const] MAX_DOMAINS, [atomic]: OWNED frames by owner */
    uint32_t head[FRAME_ORDER_MAX + 1], tail[FRAME_ORDER_MAX + 1]; /* [lock] clean ones first */
};

extern struct frame_pool frame_pool;

static inline struct chunk *chunk_of(uint32_t index)
{
    return &frame_pool.chunks[index >> CHUNK_ORDER];
}

static inline struct frame *record_in(uint32_t slot, uint32_t index)
{
    return &frame_pool.records[(uint64_t)slot << CHUNK_ORDER | (index & (CHUNK_FRAMES - 1))];
}

static inline struct frame *record_of(uint32_t index)
{
    return record_in(chunk_of(index)->slot, index);
}

/* The record that speaks for a block of this order. */
static inline struct frame *node_of(uint32_t index, unsigned order)
{
    return order >= CHUNK_ORDER ? &chunk_of(index)->f : record_of(index);
}

static inline mfn_t index_mfn(uint32_t index)
{
    return mfn(frame_pool.base + index);
}

static inline union frame_word word_load(const struct frame *f)
{
    return (union frame_word){.bits = __atomic_load_n(&f->w.bits, __ATOMIC_ACQUIRE)};
}

static inline void word_store(struct frame *f, union frame_word w)
{
    __atomic_store_n(&f->w.bits, w.bits, __ATOMIC_RELEASE);
}

/* frame_words() without its checks, for the hot paths of p2m. */
static inline uint32_t *words_of(const void *va)
{
    return &record_of((uint32_t)(va_to_mfn(va).v - frame_pool.base))->next;
}

/* The largest order at which both an index and a count allow a block. */
static inline unsigned order_at(uint32_t index, uint64_t count, unsigned limit)
{
    unsigned order = 0;
    while (order < limit && (index & (1u << order)) == 0 && count >> (order + 1) != 0) {
        order++;
    }
    return order;
}

/* False if `m` is no RAM that we know. */
static inline bool frame_index(mfn_t m, uint32_t *index)
{
    uint64_t i = m.v - frame_pool.base;
    *index = (uint32_t)i;
    return i >> CHUNK_ORDER < frame_pool.chunk_count &&
           frame_pool.chunks[i >> CHUNK_ORDER].slot != NIL;
}

/* Open a chunk: its frame records mean something from now on, all FRAME_NONE. */
void chunk_open(uint32_t index);

/* Free a block whose frames are off the lists; above a chunk only whole and as its chunks say.
 * `scrubbed`: frames of it that are clean already although it is dirty. */
void block_free(uint32_t index, unsigned order, bool dirty, uint32_t scrubbed)
    REQUIRES(&frame_pool.lock);
/* Put a block above a chunk back that was taken as it is; first in line. */
void block_give_back(uint32_t index, unsigned order) REQUIRES(&frame_pool.lock);
/* Take 2^order free frames off the lists. Below a chunk *dirty says if they have to be scrubbed. */
bool block_alloc(unsigned order, uint32_t *index, bool *dirty) REQUIRES(&frame_pool.lock);
/* What has to be scrubbed in one go for a piece to be clean: a half of a block would be dirty
 * again as soon as it merges with the other. */
struct scrub_unit {
    uint32_t index;
    unsigned order;
    bool dirty;
};
/* Is all of (index, order), at most a chunk, free (FRAME_FREE), FRAME_FIXED, or neither
 * (FRAME_NONE)? */
enum frame_state piece_state(uint32_t index, unsigned order, struct scrub_unit *unit)
    REQUIRES(&frame_pool.lock);
/* Take such a piece, which is one of the two; returns its word: `dirty`, `refs` scrubbed so
 * far, `fixed`. */
union frame_word piece_take(uint32_t index, unsigned order) REQUIRES(&frame_pool.lock);
/* Is it neither, but a FIXED one that somebody has just taken to scrub it, or is giving back? */
bool piece_on_its_way(uint32_t index, unsigned order) REQUIRES(&frame_pool.lock);
/* Give it back. */
void piece_give(uint32_t index, unsigned order, union frame_word w) REQUIRES(&frame_pool.lock);

#endif

/*
 * Frame records: shared by frame.c (the allocator, and who owns what),
 * frame-boot.c, p2m and the checker.
 *
 * Records come in two sizes of unit. A *chunk* is 2 MiB. While all its frames
 * share one fate (all free, or all owned by one domain with one reference each)
 * the chunk's own record says so and the 512 frame records below it are not
 * used, not even initialised: that is why a guest's memory costs one write per
 * 2 MiB to allocate, and a machine's memory nothing to take over. A chunk is
 * *split* when its frames part ways, and whole again when all are free.
 *
 * A free block of order 9 and above is headed by the record of its first
 * chunk, a smaller one by that of its first frame. The records of a free
 * block's other units are FRAME_NONE.
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
        uint32_t refs;      /* OWNED, SHARED: F2 */
        uint16_t owner;     /* domid_t */
        uint8_t state;      /* enum frame_state or FRAME_SPLIT */
        uint8_t order : 5;  /* FREE: of the block it heads */
        uint8_t fixed : 1;  /* goes back to FIXED, not FREE */
        uint8_t parked : 1; /* OWNED, mapped nowhere: on its owner's list (frame_park()) */
    };
    uint64_t bits;
};

struct frame {
    union frame_word w;  /* [atomic] when OWNED, else [lock] or its holder's (I3) */
    uint32_t next, prev; /* FREE: [lock] neighbours on the list, as index of their first frame.
                            HYP: the owner's, frame_words(). Parked: on its owner's list,
                            index + 1, 0 at the ends. OWNED chunk of a dying domain: `next`
                            counts the frames of it that are scrubbed already */
};

struct chunk {
    struct frame f;
    uint32_t slot; /* [const] which 512 of the frame records are its own; NIL: no RAM here */
    uint32_t spare;
};

struct frame_pool {
    lock_t lock;
    uint64_t base;                      /* [const] mfn of index 0, 1 GiB-aligned */
    uint32_t chunk_count;               /* [const] */
    struct chunk *chunks;               /* [const] chunk_count */
    struct frame *records;              /* [const] 512 for each chunk with RAM */
    uint64_t total, table_bytes;        /* [lock] frames; [const] */
    uint64_t free;                      /* [lock] frames FREE and FIXED */
    uint64_t hyp;                       /* [lock] frames HYP and SHARED */
    uint32_t *owned;                    /* [const] MAX_DOMAINS, [atomic]: OWNED frames by owner */
    uint32_t head[FRAME_ORDER_MAX + 1]; /* [lock] of the lists of blocks */
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

/* False if `m` is no RAM that we know. */
static inline bool frame_index(mfn_t m, uint32_t *index)
{
    uint64_t i = m.v - frame_pool.base;
    *index = (uint32_t)i;
    return i >> CHUNK_ORDER < frame_pool.chunk_count &&
           frame_pool.chunks[i >> CHUNK_ORDER].slot != NIL;
}

/* A whole chunk becomes 512 frames that are what it was. */
void chunk_split(uint32_t index) REQUIRES(&frame_pool.lock);
/* Free a block that is on no list and FRAME_NONE. */
void block_free(uint32_t index, unsigned order) REQUIRES(&frame_pool.lock);
/* Is there no free block that this frame or whole chunk is part of? */
bool frame_is_taken(uint32_t index) REQUIRES(&frame_pool.lock);

#endif

/* The frame allocator against itself: K7 of hyp/checker.h. */
#include <hyp/checker.h>

#include "frame-internal.h"
#include <hyp/log.h>

#define pool frame_pool

struct tally {
    unsigned bad;
    uint64_t listed, fixed, owned, hyp;
};

static void complain(struct tally *t, const char *what, uint64_t index)
{
    if (t->bad++ < 10) {
        log_warn("checker: frames: %s (frame %#llx)", what,
                 (unsigned long long)(pool.base + index));
    }
}

static bool is_head(uint32_t index, unsigned order)
{
    if (index >> CHUNK_ORDER >= pool.chunk_count || chunk_of(index)->slot == NIL) {
        return false;
    }
    if (order < CHUNK_ORDER && chunk_of(index)->f.w.state != FRAME_SPLIT) {
        return false;
    }
    union frame_word w = node_of(index, order)->w;
    return w.state == FRAME_FREE && w.order == order;
}

/* I1, and that the lists are lists. */
static void check_list(struct tally *t, unsigned order)
{
    uint32_t before = NIL;
    for (uint32_t i = pool.head[order]; i != NIL; i = node_of(i, order)->next) {
        if (!is_head(i, order) || (i & ((1u << order) - 1)) != 0) {
            complain(t, "what is on a list is no free block of its order", i);
            return; /* its links mean nothing */
        }
        if (node_of(i, order)->prev != before) {
            complain(t, "a list is broken", i);
            return;
        }
        if (order < FRAME_ORDER_MAX && is_head(i ^ (1u << order), order)) {
            complain(t, "two buddies are free and not one block", i);
        }
        t->listed += 1ull << order;
        before = i;
    }
}

/* Count what one record stands for. */
static void count(struct tally *t, union frame_word w, uint64_t frames, uint32_t index)
{
    switch (w.state) {
    case FRAME_OWNED:
        t->owned += frames;
        if (w.refs == 0 || (frames > 1 && w.refs != 1)) {
            complain(t, "owned with a wrong number of references", index);
        }
        break;
    case FRAME_HYP:
    case FRAME_SHARED:
        t->hyp += frames;
        break;
    case FRAME_FIXED:
        t->fixed += frames;
        break;
    default:
        break;
    }
}

static void check_records(struct tally *t)
{
    for (uint32_t i = 0; i < pool.chunk_count << CHUNK_ORDER; i += CHUNK_FRAMES) {
        const struct chunk *c = chunk_of(i);
        if (c->slot == NIL) {
            continue;
        }
        if (c->f.w.state != FRAME_SPLIT) {
            count(t, c->f.w, CHUNK_FRAMES, i);
            continue;
        }
        for (uint32_t n = 0; n < CHUNK_FRAMES; n++) {
            count(t, record_of(i + n)->w, 1, i + n);
        }
    }
}

unsigned checker_frames(void)
{
    struct tally t = {.bad = 0};
    uint64_t owned = 0;
    lock(&pool.lock);
    for (unsigned order = 0; order <= FRAME_ORDER_MAX; order++) {
        check_list(&t, order);
    }
    check_records(&t);
    for (unsigned id = 0; id < MAX_DOMAINS; id++) {
        owned += pool.owned[id];
    }
    if (t.listed + t.fixed != pool.free) {
        complain(&t, "free frames are miscounted", 0);
    }
    if (t.hyp != pool.hyp) {
        complain(&t, "the hypervisor's frames are miscounted", 0);
    }
    if (t.owned < owned || t.owned + t.hyp + pool.free != pool.total) {
        complain(&t, "frames are lost, or counted twice", 0);
    }
    unlock(&pool.lock);
    return t.bad;
}

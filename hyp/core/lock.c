/*
 * Ticket locks; hyp/lock.h and docs/locking.md.
 *
 * One word: the next ticket to draw in the upper half, the one served in the
 * lower. Drawing is one atomic addition; releasing is a plain store with
 * release semantics to the lower half, which nobody but the holder writes.
 * Waiters watch that half (arch_wait_change()), so the store itself wakes them
 * and the release need not know whether there are any.
 */
#include <hyp/lock.h>

#include <hyp/arch.h>
#include <hyp/assert.h>
#include <hyp/cpu.h>

#define TICKET (1u << 16)

#ifdef CONFIG_DEBUG
static void rank_push(const lock_t *l, bool same_allowed)
{
    struct cpu *c = this_cpu();

    if (!c) {
        return; /* before this CPU has its structure there is one CPU */
    }
    if (c->lock_depth) {
        uint32_t top = c->lock_rank[c->lock_depth - 1];
        CHECK(same_allowed ? l->rank >= top : l->rank > top);
    }
    CHECK(c->lock_depth < ARRAY_LEN(c->lock_rank));
    c->lock_rank[c->lock_depth++] = (uint8_t)l->rank;
}

static void rank_pop(const lock_t *l)
{
    struct cpu *c = this_cpu();

    if (!c) {
        return;
    }
    for (uint32_t i = c->lock_depth; i-- > 0;) {
        if (c->lock_rank[i] == l->rank) {
            for (c->lock_depth--; i < c->lock_depth; i++) {
                c->lock_rank[i] = c->lock_rank[i + 1];
            }
            return;
        }
    }
    CHECK(!"a lock is released that this CPU does not hold");
}
#else
static inline void rank_push(const lock_t *l, bool same_allowed)
{
}
static inline void rank_pop(const lock_t *l)
{
}
#endif

static inline void take(lock_t *l)
{
    uint32_t word = __atomic_fetch_add(&l->tickets, TICKET, __ATOMIC_ACQUIRE);

    /* Both halves alike: it is free. Said this way it is one instruction and a branch. */
    if (unlikely((word ^ (word >> 16 | word << 16)) != 0)) {
        uint16_t mine = (uint16_t)(word >> 16);
        for (uint16_t now = (uint16_t)word; now != mine;) {
            now = arch_wait_change(&l->served, now);
        }
    }
}

void lock(lock_t *l) NO_LOCK_ANALYSIS("this is the lock")
{
    rank_push(l, false);
    take(l);
}

void unlock(lock_t *l) NO_LOCK_ANALYSIS("this is the lock")
{
    rank_pop(l);
    __atomic_store_n(&l->served, (uint16_t)(l->served + 1), __ATOMIC_RELEASE);
}

void lock_both(lock_t *a, lock_t *b) NO_LOCK_ANALYSIS("this is the lock")
{
    lock_t *first = a < b ? a : b;
    lock_t *second = a < b ? b : a;

    lock(first);
    if (first != second) {
        rank_push(second, true);
        take(second);
    }
}

void unlock_both(lock_t *a, lock_t *b) NO_LOCK_ANALYSIS("this is the lock")
{
    unlock(a);
    if (a != b) {
        unlock(b);
    }
}

bool lock_is_held(const lock_t *l)
{
    uint32_t word = __atomic_load_n(&l->tickets, __ATOMIC_RELAXED);
    return word >> 16 != (uint16_t)word;
}

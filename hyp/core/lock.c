/*
 * Ticket locks; hyp/lock.h and docs/locking.md.
 *
 * One word: the next ticket to draw in the upper half, the one served in the
 * lower. Drawing and releasing are single atomic additions, so the release
 * learns from the same instruction whether anybody waits and only then pays
 * for the event that ends their WFE. The event cannot be missed: a waiter that
 * drew its ticket before the release is seen by it, and one that drew it
 * after has the new `served` in the word it got.
 */
#include <hyp/lock.h>

#include <hyp/arch.h>
#include <hyp/assert.h>
#include <hyp/cpu.h>

#define TICKET (1u << 16)
#define SERVED 0xffffu

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
    uint32_t mine = word >> 16;

    while (unlikely((word & SERVED) != mine)) {
        arch_relax();
        word = __atomic_load_n(&l->tickets, __ATOMIC_ACQUIRE);
    }
}

void lock(lock_t *l) NO_LOCK_ANALYSIS("this is the lock")
{
    rank_push(l, false);
    take(l);
}

void unlock(lock_t *l) NO_LOCK_ANALYSIS("this is the lock")
{
    /* `served` changes only in the holder's hands; its carry must not reach the upper half. */
    uint32_t served = l->tickets & SERVED;
    uint32_t step = served == SERVED ? 1u - TICKET : 1u;

    rank_pop(l);
    uint32_t word = __atomic_add_fetch(&l->tickets, step, __ATOMIC_RELEASE);
    if (unlikely(word >> 16 != (word & SERVED))) {
        arch_wake_spinners();
    }
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
    return word >> 16 != (word & SERVED);
}

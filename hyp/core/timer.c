/* Software timers; invariants T1..T4 in hyp/timer.h. */
#include <hyp/timer.h>

#include <hyp/arch.h>
#include <hyp/cpu.h>

#define NS_PER_SECOND 1000000000ull

void timer_cpu_init(struct timer_cpu *c)
{
    lock_init(&c->lock, RANK_TIMER);
    list_init(&c->list);
    c->count = 0;
}

void timer_init(struct timer *t, void (*fire)(struct timer *t, uint64_t now_ticks))
{
    *t = (struct timer){.deadline_ticks = TICKS_NEVER, .fire = fire};
    list_init(&t->link);
}

static struct timer *first_of(struct timer_cpu *c)
{
    return list_empty(&c->list) ? NULL : list_entry(c->list.next, struct timer, link);
}

/* T2. The comparator is the CPU's own: only it can program it. */
static void program_locked(struct cpu *c)
{
    struct timer *first = first_of(&c->timers);

    if (c == this_cpu()) {
        arch_timer_program(first ? first->deadline_ticks : TICKS_NEVER);
    }
}

static void insert_locked(struct cpu *c, struct timer *t, uint64_t deadline_ticks)
{
    struct timer *at;

    list_for_each (at, &c->timers.list, link) {
        if (at->deadline_ticks > deadline_ticks) {
            break;
        }
    }
    t->deadline_ticks = deadline_ticks;
    list_insert(&at->link, &t->link);
    c->timers.count++;
}

static void remove_locked(struct cpu *c, struct timer *t)
{
    list_remove(&t->link);
    c->timers.count--;
    __atomic_store_n(&t->cpu, NULL, __ATOMIC_RELAXED);
}

/*
 * Lock the CPU on whose list `t` is; NULL if it is on none. It may move while
 * we wait for the lock: look again under it.
 */
static struct cpu *lock_home(struct timer *t) NO_LOCK_ANALYSIS("a timer moves between lists")
{
    for (;;) {
        struct cpu *c = __atomic_load_n(&t->cpu, __ATOMIC_RELAXED);
        if (!c) {
            return NULL;
        }
        lock(&c->timers.lock);
        if (t->cpu == c) {
            return c;
        }
        unlock(&c->timers.lock);
    }
}

/* A timer on no list belongs to whoever makes it his: two CPUs may set it at the same time. */
static bool claim_locked(struct cpu *here, struct timer *t)
{
    struct cpu *nobody = NULL;

    return __atomic_compare_exchange_n(&t->cpu, &nobody, here, false, __ATOMIC_RELAXED,
                                       __ATOMIC_RELAXED);
}

void timer_set(struct timer *t, uint64_t deadline_ticks)
    NO_LOCK_ANALYSIS("a timer moves between lists")
{
    struct cpu *here = this_cpu();
    bool was_first = false;

    for (;;) {
        struct cpu *home = lock_home(t);
        if (home) {
            was_first = home == here && first_of(&home->timers) == t;
            remove_locked(home, t);
        }
        if (home != here) {
            if (home) {
                unlock(&home->timers.lock); /* its comparator may fire once for nothing */
            }
            lock(&here->timers.lock);
        }
        if (claim_locked(here, t)) {
            break;
        }
        unlock(&here->timers.lock);
    }
    insert_locked(here, t, deadline_ticks);
    if (was_first || first_of(&here->timers) == t) {
        program_locked(here);
    }
    unlock(&here->timers.lock);
}

void timer_cancel(struct timer *t) NO_LOCK_ANALYSIS("a timer moves between lists")
{
    struct cpu *home = lock_home(t);

    if (home) {
        bool was_first = first_of(&home->timers) == t;
        remove_locked(home, t);
        if (was_first) {
            program_locked(home);
        }
        unlock(&home->timers.lock);
    }
}

void timer_retire(struct timer *t)
{
    timer_cancel(t);
    for (uint32_t i = 0; i < cpu_count; i++) {
        while (cpus[i] != this_cpu() &&
               __atomic_load_n(&cpus[i]->timers.firing, __ATOMIC_ACQUIRE) == t) {
            arch_relax();
        }
    }
    timer_cancel(t); /* its callback may have set it again */
}

void timer_interrupt(struct cpu *c, uint64_t now_ticks)
{
    lock(&c->timers.lock);
    /* A callback may set its timer to the past again: that one waits for the next interrupt. */
    for (uint32_t budget = c->timers.count; budget; budget--) {
        struct timer *t = first_of(&c->timers);
        if (!t || t->deadline_ticks > now_ticks) {
            break;
        }
        bool slow = t->slow; /* its callback may end it */
        __atomic_store_n(&c->timers.firing, t, __ATOMIC_RELAXED);
        remove_locked(c, t);
        unlock(&c->timers.lock);
        t->fire(t, now_ticks);
        __atomic_store_n(&c->timers.firing, NULL, __ATOMIC_RELEASE);
        lock(&c->timers.lock);
        if (slow) {
            break; /* the others have their own interrupt, after whoever else waits for one */
        }
    }
    program_locked(c);
    unlock(&c->timers.lock);
}

/* value * to / from without overflow in between; saturates; non-zero stays non-zero. */
static uint64_t scale(uint64_t value, uint64_t to, uint64_t from)
{
    uint64_t whole, part = (value % from) * to / from;

    if (__builtin_mul_overflow(value / from, to, &whole) ||
        __builtin_add_overflow(whole, part, &whole)) {
        return TICKS_NEVER;
    }
    return whole || !value ? whole : 1;
}

uint64_t ns_to_ticks(uint64_t ns)
{
    return scale(ns, arch_counter_hz(), NS_PER_SECOND);
}

uint64_t ticks_to_ns(uint64_t ticks)
{
    return scale(ticks, NS_PER_SECOND, arch_counter_hz());
}

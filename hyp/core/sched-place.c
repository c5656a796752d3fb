/*
 * Scheduler: which CPU a vCPU waits on, and how it gets from one to another.
 *
 * A vCPU's home changes only while both homes are locked, it does not run and
 * its registers are in memory (v->cpu is NULL). Whoever wants to move one that
 * is still loaded leaves SAVED_MOVE with it and asks for the save; the context
 * switch then calls sched_saved(), which finishes the move.
 */
#include "sched-internal.h"

#include <hyp/assert.h>
#include <xen/errno.h>

#define PLACE_TRIES 4 /* then the current home will do */
#define STEAL_TRIES 4 /* CPUs that an idle one looks at */
#define STEAL_LOOK 8  /* vCPUs that it looks at on each */

struct cpu *sched_lock_home(struct vcpu *v) NO_LOCK_ANALYSIS("the home of a vCPU moves")
{
    for (;;) {
        struct cpu *c = __atomic_load_n(&v->sched.home, __ATOMIC_RELAXED);
        lock(&c->sched.lock);
        if (v->sched.home == c) {
            return c;
        }
        unlock(&c->sched.lock);
    }
}

void sched_set_home(struct vcpu *v, struct cpu *from, struct cpu *to)
{
    ASSERT(!is_queued(v) && !loaded_on(v));
    list_remove(&v->sched.assigned);
    from->sched.assigned_count--;
    list_insert(&to->sched.assigned, &v->sched.assigned);
    to->sched.assigned_count++;
    /* What it is ahead or behind is relative to those it competes with. */
    v->sched.vtime += sched_vtime(&to->sched) - sched_vtime(&from->sched);
    v->sched.roams = 0;
    __atomic_store_n(&v->sched.home, to, __ATOMIC_RELAXED);
}

/* The allowed CPU with the least to do. Read without locks: a hint. NULL if none is allowed. */
static struct cpu *least_loaded(uint64_t mask, struct cpu *home)
{
    struct cpu *best = home && (mask & sched_bit(home)) ? home : NULL;

    for (; mask; mask &= mask - 1) {
        struct cpu *c = cpus[__builtin_ctzll(mask)];
        if (!best || c->sched.load_weight < best->sched.load_weight ||
            (c->sched.load_weight == best->sched.load_weight && best != home &&
             c->sched.assigned_count < best->sched.assigned_count)) {
            best = c;
        }
    }
    return best;
}

struct cpu *sched_fairer_cpu(const struct vcpu *v)
{
    const struct cpu *home = v->sched.home;
    struct cpu *best = least_loaded(allowed_mask(v) & ~sched_bit(home), NULL);
    uint32_t own = is_queued(v) ? share_weight(v) : 0;

    return best && best->sched.load_weight + own <= home->sched.load_weight ? best : NULL;
}

/*
 * Where should `v` wait? Home if that is idle, for its caches; else an idle
 * CPU; else home, unless others wait there already. NULL: nowhere allowed.
 */
static struct cpu *select_cpu(const struct vcpu *v, struct cpu *home)
{
    uint64_t allowed = allowed_mask(v);
    bool home_allowed = allowed & sched_bit(home);

    bool home_free = !home->sched.running && !home->sched.queued_count;

    if (home_allowed && (home_free || allowed == sched_bit(home))) {
        return home;
    }
    uint64_t idle = allowed & mask_read(&sched_idle_mask);
    if (idle) {
        uint64_t after = idle & ~(sched_bit(home) - 1); /* the next one: spreads them */
        return cpus[__builtin_ctzll(after ? after : idle)];
    }
    if (unlikely(v->sched.roams)) {
        struct cpu *fairer = sched_fairer_cpu(v);
        return fairer ? fairer : home;
    }
    if (home_allowed && !home->sched.queued_count) {
        return home;
    }
    return least_loaded(allowed, home);
}

/* With the lock of `c`: `v` has just been queued there; must `c` choose again? */
static bool wants_cpu(struct cpu *c, struct vcpu *v, uint64_t now)
{
    struct sched_cpu *s = &c->sched;
    const struct vcpu *r = s->running;

    if (!r) {
        return true;
    }
    if (is_realtime(v)) {
        return !is_realtime(r) || v->sched.period_end < r->sched.period_end;
    }
    if (is_realtime(r)) {
        return false;
    }
    uint64_t end = sched_slice_end(s, r, now);
    int64_t behind = (int64_t)(r->sched.vtime - v->sched.vtime); /* place() has charged it */
    if (behind > (int64_t)sched_tuning.granularity) {
        end = r->sched.state_since + sched_tuning.guard;
        if (now >= end) {
            return true;
        }
    }
    if (end < s->slice_end) {
        s->slice_end = end;
    }
    if (s->slice_end >= s->armed_ticks) {
        return false;
    }
    if (c != this_cpu()) {
        return true; /* only it can set its timer */
    }
    sched_arm(c);
    return false;
}

/* With the lock of `c`, v's home. True: kick `c` when no lock is held. */
static bool place(struct cpu *c, struct vcpu *v, uint64_t now)
{
    if (unlikely(v->sched.budgeted)) {
        budget_wake(v, now);
        if (!budget_refill(v, now)) {
            sched_throttle(c, v, now);
            return sched_poke(c); /* sets its timer */
        }
    }
    sched_charge(&c->sched, now); /* it may have run alone, and without a word, for long */
    sched_catch_up(c, v);
    sched_enqueue(c, v, now);
    return wants_cpu(c, v, now) && sched_poke(c);
}

/* Is there still something to do for one that was blocked? */
static bool should_place(const struct vcpu *v)
{
    return is_eligible(v) && (v->sched.state == SCHED_BLOCKED || v->sched.state == SCHED_OFFLINE);
}

void sched_make_runnable(struct vcpu *v, struct cpu *home)
    NO_LOCK_ANALYSIS("the home of a vCPU moves")
{
    for (unsigned tries = 0; should_place(v); tries++) {
        uint64_t now = arch_counter_ticks();
        bool settle = tries >= PLACE_TRIES && is_allowed(v, home);
        struct cpu *target = settle ? home : select_cpu(v, home);
        bool loaded = loaded_on(v) != NULL;

        if (!target || (loaded && !is_allowed(v, home))) {
            /* Nowhere to go, or only after the save: in transit. */
            sched_set_state(v, SCHED_RUNNABLE, now);
            __atomic_fetch_or(&v->sched.on_saved, SAVED_MOVE, __ATOMIC_SEQ_CST);
            unlock(&home->sched.lock);
            if (target) {
                cpu_kick(home, IPI_SAVE);
            }
            return;
        }
        if (loaded) {
            target = home; /* S2 */
        }
        if (target != home) {
            unlock(&home->sched.lock);
            lock_both(&home->sched.lock, &target->sched.lock);
            if (v->sched.home != home || !should_place(v) || loaded_on(v)) {
                unlock_both(&home->sched.lock, &target->sched.lock);
                home = sched_lock_home(v);
                continue;
            }
            sched_set_home(v, home, target);
            unlock(&home->sched.lock);
        }
        bool kick = place(target, v, now);
        unlock(&target->sched.lock);
        if (kick) {
            cpu_kick(target, IPI_RESCHED);
        }
        return;
    }
    unlock(&home->sched.lock);
}

void sched_wake(struct vcpu *v) NO_LOCK_ANALYSIS("the home of a vCPU moves")
{
    struct cpu *home = sched_lock_home(v);

    /*
     * It may be about to block for want of just this. `awake` last: sched_block() clears it and then
     * looks at wake_pending; what it does not see there, sched_choose() sees in `awake`.
     */
    if (__atomic_load_n(&v->sched.awake, __ATOMIC_SEQ_CST) && v->sched.state == SCHED_RUNNING) {
        __atomic_store_n(&v->sched.wake_pending, 1, __ATOMIC_SEQ_CST);
    }
    __atomic_store_n(&v->sched.awake, 1, __ATOMIC_SEQ_CST);
    sched_make_runnable(v, home);
}

/* Something took away v's right to run. With its home's lock, which is dropped. */
static void stop_and_unlock(struct vcpu *v, struct cpu *home)
    NO_LOCK_ANALYSIS("the home of a vCPU moves")
{
    bool kick = false;

    if (v->sched.state == SCHED_RUNNING) {
        kick = sched_poke(home);
    } else {
        if (is_queued(v)) {
            sched_dequeue(home, v);
            budget_give_back(v);
        }
        sched_set_state(v, v->sched.online ? SCHED_BLOCKED : SCHED_OFFLINE, arch_counter_ticks());
    }
    unlock(&home->sched.lock);
    if (kick) {
        cpu_kick(home, IPI_RESCHED);
    }
}

void sched_pause(struct vcpu *v) NO_LOCK_ANALYSIS("the home of a vCPU moves")
{
    struct cpu *home = sched_lock_home(v);

    v->sched.pause_count++;
    stop_and_unlock(v, home);
}

void sched_unpause(struct vcpu *v) NO_LOCK_ANALYSIS("the home of a vCPU moves")
{
    struct cpu *home = sched_lock_home(v);

    ASSERT(v->sched.pause_count);
    v->sched.pause_count--;
    sched_make_runnable(v, home);
}

void sched_set_online(struct vcpu *v, bool online) NO_LOCK_ANALYSIS("the home of a vCPU moves")
{
    struct cpu *home = sched_lock_home(v);

    v->sched.online = online;
    __atomic_store_n(&v->sched.awake, online, __ATOMIC_SEQ_CST);
    if (!online) {
        stop_and_unlock(v, home);
        return;
    }
    if (v->sched.state == SCHED_OFFLINE) {
        sched_set_state(v, SCHED_BLOCKED, arch_counter_ticks());
    }
    sched_make_runnable(v, home);
}

bool sched_is_off(struct vcpu *v)
{
    if (__atomic_load_n(&v->sched.state, __ATOMIC_SEQ_CST) == SCHED_RUNNING) {
        return false;
    }
    struct cpu *c = loaded_on(v);
    if (c) {
        cpu_kick(c, IPI_SAVE);
    }
    return !c;
}

int sched_pause_sync(struct vcpu *v)
{
    struct cpu *c = this_cpu();

    __atomic_fetch_or(&v->sched.on_saved, SAVED_WAKE, __ATOMIC_SEQ_CST);
    sched_pause(v);
    while (!sched_is_off(v)) {
        bool ours_is_wanted =
            c->current && __atomic_load_n(&c->current->sched.pause_count, __ATOMIC_RELAXED);
        if (loaded_on(v) == c || ours_is_wanted) {
            sched_unpause(v);
            return -XEN_ERESTART;
        }
        arch_relax();
    }
    __atomic_fetch_and(&v->sched.on_saved, ~(uint32_t)SAVED_WAKE, __ATOMIC_SEQ_CST);
    return 0;
}

/* With home's lock, which is dropped: it sleeps; only its home may be wrong. */
static void rehome_sleeper(struct vcpu *v, struct cpu *home)
    NO_LOCK_ANALYSIS("the home of a vCPU moves")
{
    struct cpu *target = is_allowed(v, home) ? home : select_cpu(v, home);

    unlock(&home->sched.lock);
    if (!target || target == home) {
        return;
    }
    lock_both(&home->sched.lock, &target->sched.lock);
    if (v->sched.home == home && !loaded_on(v) &&
        (v->sched.state == SCHED_BLOCKED || v->sched.state == SCHED_OFFLINE)) {
        sched_set_home(v, home, target);
    }
    unlock_both(&home->sched.lock, &target->sched.lock);
}

/* Its registers are in memory: put it where it should be. */
static void relocate(struct vcpu *v) NO_LOCK_ANALYSIS("the home of a vCPU moves")
{
    struct cpu *home = sched_lock_home(v);

    switch (v->sched.state) {
    case SCHED_RUNNING:
        unlock(&home->sched.lock);
        return;
    case SCHED_RUNNABLE:
        if (is_queued(v)) {
            sched_dequeue(home, v);
        }
        sched_set_state(v, SCHED_BLOCKED, arch_counter_ticks());
        sched_make_runnable(v, home);
        return;
    default:
        rehome_sleeper(v, home);
        return;
    }
}

void sched_saved(struct vcpu *v)
{
    /* v->cpu = NULL before reading on_saved; sched_move() writes on_saved before reading v->cpu. */
    arch_mb();
    if (likely(!on_saved(v))) {
        return;
    }
    uint32_t todo = __atomic_exchange_n(&v->sched.on_saved, 0, __ATOMIC_SEQ_CST);
    if (todo & SAVED_WAKE) {
        arch_wake_spinners();
    }
    if (todo & SAVED_MOVE) {
        relocate(v);
    }
}

void sched_move(struct vcpu *v) NO_LOCK_ANALYSIS("the home of a vCPU moves")
{
    struct cpu *home = sched_lock_home(v);
    bool running = v->sched.state == SCHED_RUNNING, kick = false;

    __atomic_fetch_or(&v->sched.on_saved, SAVED_MOVE, __ATOMIC_SEQ_CST);
    if (running) {
        kick = sched_poke(home);
    }
    bool loaded = running || loaded_on(v);
    if (!loaded) {
        __atomic_fetch_and(&v->sched.on_saved, ~(uint32_t)SAVED_MOVE, __ATOMIC_SEQ_CST);
    } else if (is_queued(v)) {
        sched_dequeue(home, v); /* in transit: it must not run here again (S5) */
    }
    unlock(&home->sched.lock);
    if (!loaded) {
        relocate(v);
    } else if (kick) {
        cpu_kick(home, IPI_RESCHED);
    } else if (!running) {
        cpu_kick(home, IPI_SAVE);
    }
}

static struct vcpu *find_stealable(const struct cpu *from, const struct cpu *to)
{
    struct vcpu *v;
    unsigned looked = 0;

    list_for_each (v, &from->sched.queue, sched.link) {
        if (looked++ == STEAL_LOOK) {
            break;
        }
        if (!loaded_on(v) && is_allowed(v, to)) {
            return v;
        }
    }
    return NULL;
}

/* `c`, whose lock is held and for a time dropped, has nothing to run: take a waiting vCPU from
 * another. */
bool sched_steal(struct cpu *c, uint64_t now) NO_LOCK_ANALYSIS("the home of a vCPU moves")
{
    uint64_t from = mask_read(&sched_waiting_mask) & ~sched_bit(c);

    for (unsigned tries = 0; from && tries < STEAL_TRIES; tries++) {
        uint64_t after = from & ~(sched_bit(c) - 1);
        struct cpu *victim = cpus[__builtin_ctzll(after ? after : from)];
        from &= ~sched_bit(victim);
        unlock(&c->sched.lock);
        lock_both(&c->sched.lock, &victim->sched.lock);
        struct vcpu *v = find_stealable(victim, c);
        if (v) {
            sched_dequeue(victim, v);
            sched_set_home(v, victim, c);
            sched_enqueue(c, v, now);
        }
        unlock(&victim->sched.lock);
        if (v || c->sched.queued_count) {
            return true;
        }
    }
    return c->sched.queued_count != 0;
}

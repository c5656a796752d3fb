/*
 * Scheduler: one CPU's queues and the choice among them. Placement on CPUs is
 * in sched-place.c, budgets in sched-budget.c, parameters in sched-config.c;
 * docs/scheduling.md explains the whole.
 *
 * A vCPU's states and who performs the edges:
 *
 *   OFFLINE <--> BLOCKED --enqueue--> RUNNABLE --put_on--> RUNNING
 *                   ^                  |    ^                 |
 *                   +-----dequeue------+    +----put_off------+--put_off--> BLOCKED, OFFLINE
 *
 * RUNNABLE is on `queue` or `rt_queue`, on `throttled` (waiting for budget),
 * or for a moment on none: its registers must be saved before it can move.
 */
#include "sched-internal.h"

#include <hyp/assert.h>

struct sched_tuning sched_tuning;
uint64_t sched_online_mask, sched_idle_mask, sched_waiting_mask, sched_dedicated_mask;
lock_t sched_config_lock = LOCK_INIT(RANK_SCHED_CONFIG);

#define LOOKAHEAD 4 /* waiting vCPUs that are looked at, for a sibling or for an idle CPU */

static void on_timer(struct timer *t, uint64_t now);

void sched_cpu_init(struct cpu *c)
{
    struct sched_cpu *s = &c->sched;
    uint64_t ms = arch_counter_hz() / 1000;

    sched_tuning = (struct sched_tuning){
        .latency = 8 * ms,
        .slice_min = ms,
        .granularity = ms / 2,
        .guard = ms / 5,
        .bonus = 4 * ms,
        .cap_period = 10 * ms,
        .cap_portion = ms,
        .roam = 32 * ms,
    };
    lock_init(&s->lock, RANK_SCHED);
    list_init(&s->queue);
    list_init(&s->rt_queue);
    list_init(&s->throttled);
    list_init(&s->assigned);
    s->armed_ticks = s->slice_end = TICKS_NEVER;
    timer_init(&s->timer, on_timer);
}

void sched_cpu_online(struct cpu *c)
{
    mask_set(&sched_online_mask, sched_bit(c));
}

void cpu_kick(struct cpu *c, uint32_t ipi_bits)
{
    uint32_t before = __atomic_fetch_or(&c->ipi, ipi_bits, __ATOMIC_SEQ_CST);

    if ((before & ipi_bits) != ipi_bits) { /* else a kick with these is on its way */
        arch_cpu_kick(c);
    }
}

bool sched_poke(struct cpu *c)
{
    struct vcpu *running = c->sched.running;

    __atomic_store_n(&c->sched.resched, 1, __ATOMIC_RELAXED);
    if (running) {
        __atomic_fetch_or(&running->work, WORK_RESCHED, __ATOMIC_RELEASE);
    }
    return c != this_cpu();
}

void sched_set_state(struct vcpu *v, enum sched_state state, uint64_t now)
{
    struct sched_vcpu *s = &v->sched;

    s->state_ticks[s->state] += now - s->state_since;
    s->state_since = now;
    s->state = state;
}

static struct vcpu *head_of(const struct list *l)
{
    return list_empty(l) ? NULL : list_entry(l->next, struct vcpu, sched.link);
}

static struct vcpu *first_waiting(const struct sched_cpu *s)
{
    return list_empty(&s->rt_queue) ? head_of(&s->queue) : head_of(&s->rt_queue);
}

static void insert_by_period_end(struct list *head, struct vcpu *v)
{
    struct vcpu *at;

    list_for_each (at, head, sched.link) {
        if (at->sched.period_end > v->sched.period_end) {
            break;
        }
    }
    list_insert(&at->sched.link, &v->sched.link);
}

/* From the tail, where one that has just run belongs; behind its equals. */
static void insert_by_vtime(struct list *head, struct vcpu *v)
{
    struct list *at = head;

    while (at->prev != head &&
           (int64_t)(list_entry(at->prev, struct vcpu, sched.link)->sched.vtime - v->sched.vtime) >
               0) {
        at = at->prev;
    }
    list_insert(at, &v->sched.link);
}

/* On the list where it waits; what the CPU counts is the caller's. */
static inline void link(struct sched_cpu *s, struct vcpu *v)
{
    if (unlikely(is_realtime(v))) {
        insert_by_period_end(&s->rt_queue, v);
    } else {
        insert_by_vtime(&s->queue, v);
    }
}

void sched_enqueue(struct cpu *c, struct vcpu *v, uint64_t now)
{
    struct sched_cpu *s = &c->sched;

    ASSERT(!is_queued(v) && s->running != v && v->sched.home == c);
    if (v->sched.state != SCHED_RUNNABLE) {
        sched_set_state(v, SCHED_RUNNABLE, now);
    }
    link(s, v);
    s->load_weight += share_weight(v);
    s->queued_count++;
    if (!list_empty(&s->queue)) {
        mask_set(&sched_waiting_mask, sched_bit(c));
    }
    /* It has something to do now, though it may not know yet. */
    mask_clear(&sched_idle_mask, sched_bit(c));
}

void sched_dequeue(struct cpu *c, struct vcpu *v)
{
    struct sched_cpu *s = &c->sched;

    list_remove(&v->sched.link);
    if (v->sched.throttled) {
        v->sched.throttled = 0;
        return;
    }
    s->load_weight -= share_weight(v);
    s->queued_count--;
    if (list_empty(&s->queue)) {
        mask_clear(&sched_waiting_mask, sched_bit(c));
    }
}

void sched_throttle(struct cpu *c, struct vcpu *v, uint64_t now)
{
    if (v->sched.state != SCHED_RUNNABLE) {
        sched_set_state(v, SCHED_RUNNABLE, now);
    }
    v->sched.throttled = 1;
    insert_by_period_end(&c->sched.throttled, v);
}

/* After a time in which it did not compete: a little ahead of the others, however long that was. */
void sched_catch_up(struct cpu *c, struct vcpu *v)
{
    uint64_t earliest = sched_vtime(&c->sched) - vtime_of(v, sched_tuning.bonus);

    if ((int64_t)(v->sched.vtime - earliest) < 0) {
        v->sched.vtime = earliest;
    }
}

static void release_throttled(struct cpu *c, uint64_t now)
{
    struct vcpu *v;

    /* Each round either releases one or puts it behind `now`. */
    while ((v = head_of(&c->sched.throttled)) && v->sched.period_end <= now) {
        sched_dequeue(c, v);
        if (budget_left(v, now)) {
            sched_catch_up(c, v);
            sched_enqueue(c, v, now);
        } else {
            sched_throttle(c, v, now);
        }
    }
}

uint64_t sched_vtime(struct sched_cpu *s)
{
    const struct vcpu *first = head_of(&s->queue), *r = s->running;

    if (r && !is_realtime(r) && (!first || (int64_t)(r->sched.vtime - first->sched.vtime) < 0)) {
        first = r;
    }
    if (first && (int64_t)(first->sched.vtime - s->min_vtime) > 0) {
        s->min_vtime = first->sched.vtime;
    }
    return s->min_vtime;
}

void sched_charge(struct sched_cpu *s, uint64_t now)
{
    struct vcpu *r = s->running;

    if (r) {
        uint64_t spent = now - s->since_ticks;
        s->since_ticks = now;
        s->busy_ticks += spent;
        r->sched.vtime += vtime_of(r, spent);
        r->sched.budget_left -= (int64_t)spent;
    }
}

uint64_t sched_slice_end(const struct sched_cpu *s, const struct vcpu *v, uint64_t now)
{
    if (!s->queued_count || is_realtime(v)) {
        return TICKS_NEVER; /* nobody waits, or nobody whose turn it is before the budget ends */
    }
    uint64_t slice = sched_tuning.latency * share_weight(v) / (s->load_weight | 1);
    return now + (slice > sched_tuning.slice_min ? slice : sched_tuning.slice_min);
}

/* When `r`, which runs on a budget, has used it up. */
static uint64_t budget_end(const struct sched_cpu *s, const struct vcpu *r)
{
    uint64_t end = s->since_ticks + (r->sched.budget_left > 0 ? (uint64_t)r->sched.budget_left : 0);

    return is_realtime(r) && r->sched.period_end < end ? r->sched.period_end : end;
}

/* S4: program this CPU's timer for the next thing that ends by itself. */
void sched_arm(struct cpu *c)
{
    struct sched_cpu *s = &c->sched;
    const struct vcpu *throttled = head_of(&s->throttled);
    uint64_t at = TICKS_NEVER;

    if (s->running) {
        at = s->slice_end;
        if (unlikely(s->running->sched.budgeted)) {
            uint64_t end = budget_end(s, s->running);
            at = end < at ? end : at;
        }
    }
    if (unlikely(throttled != NULL) && throttled->sched.period_end < at) {
        at = throttled->sched.period_end;
    }
    /* Later than armed: left alone. Moving it at each switch costs more than one early interrupt. */
    if (at < s->armed_ticks) {
        s->armed_ticks = at;
        timer_set(&s->timer, at);
    }
}

static void on_timer(struct timer *t, uint64_t now)
{
    struct sched_cpu *s = container_of(t, struct sched_cpu, timer);
    struct cpu *c = container_of(s, struct cpu, sched);

    lock(&s->lock);
    const struct vcpu *r = s->running, *first = first_waiting(s);
    bool due = first || !list_empty(&s->throttled) || (r && r->sched.budgeted);
    bool kick = due && sched_poke(c); /* this CPU: never a kick */
    s->armed_ticks = TICKS_NEVER;
    unlock(&s->lock);
    ASSERT(!kick);
}

/* Does `w`, the first that waits, take the CPU from `r`, which could go on? */
static bool preempts(struct sched_cpu *s, const struct vcpu *w, const struct vcpu *r, uint64_t now)
{
    if (is_realtime(w)) {
        return !is_realtime(r) || w->sched.period_end < r->sched.period_end;
    }
    if (is_realtime(r)) {
        return false;
    }
    int64_t behind = (int64_t)(r->sched.vtime - w->sched.vtime);
    if (now >= s->slice_end) {
        return behind > 0;
    }
    if (behind <= (int64_t)sched_tuning.granularity) {
        return false;
    }
    uint64_t guard_end = r->sched.state_since + sched_tuning.guard;
    if (now < guard_end) {
        s->slice_end = guard_end < s->slice_end ? guard_end : s->slice_end;
        return false;
    }
    return true;
}

/* True if `r`, which has run until now and could go on, keeps the CPU. */
static bool keeps_cpu(struct sched_cpu *s, struct vcpu *r, uint64_t now)
{
    if (!s->queued_count) {
        s->yielding = 0;
        s->slice_end = TICKS_NEVER;
        return true;
    }
    if (s->yielding || preempts(s, first_waiting(s), r, now)) {
        return false;
    }
    if (now >= s->slice_end || s->slice_end == TICKS_NEVER) {
        s->slice_end = sched_slice_end(s, r, now);
    }
    return true;
}

/*
 * A yield: go behind the first that waits. If a vCPU of the same domain waits
 * near it, that one first: it may hold the lock that was spun for.
 */
static struct vcpu *yield_to(struct sched_cpu *s, struct vcpu *r)
{
    struct vcpu *first = first_waiting(s), *w;
    unsigned looked = 0;

    if (is_realtime(first)) {
        return first;
    }
    if ((int64_t)(first->sched.vtime - r->sched.vtime) > 0) {
        r->sched.vtime = first->sched.vtime;
    }
    if (first->domain == r->domain) {
        return first;
    }
    list_for_each (w, &s->queue, sched.link) {
        if (looked++ == LOOKAHEAD ||
            (int64_t)(w->sched.vtime - first->sched.vtime) > (int64_t)sched_tuning.latency) {
            break;
        }
        if (w->domain == r->domain) {
            return w;
        }
    }
    return first;
}

/* What becomes of the vCPU that has run until now. */
enum fate { SLEEPS, LEAVES, BROKE, WAITS };

static inline enum fate fate_of(struct vcpu *r, uint64_t now)
{
    if (!is_eligible(r)) {
        return SLEEPS;
    }
    if (unlikely((on_saved(r) & SAVED_MOVE) != 0)) {
        return LEAVES;
    }
    return budget_left(r, now) ? WAITS : BROKE;
}

static void put_off(struct cpu *c, struct vcpu *r, enum fate fate, uint64_t now)
{
    struct sched_cpu *s = &c->sched;

    if (likely(fate == WAITS)) {
        s->running = NULL;
        sched_set_state(r, SCHED_RUNNABLE, now);
        link(s, r);
        s->queued_count++; /* its weight goes on to count */
        uint64_t idle = mask_read(&sched_idle_mask);
        if (unlikely(now >= s->roam_ticks)) {
            /* Not in step with other CPUs, nor with slices: else always the same would move. */
            s->roam_ticks = now + (sched_tuning.roam * ((now * 0x9e3779b97f4a7c15) >> 56) >> 7);
            r->sched.roams = sched_fairer_cpu(r) != NULL;
        }
        if (unlikely(idle != 0 || r->sched.roams) && !r->sched.reserved &&
            (r->sched.roams || (idle & allowed_mask(r)))) {
            __atomic_fetch_or(&r->sched.on_saved, SAVED_MOVE, __ATOMIC_SEQ_CST);
        }
        return;
    }
    (void)sched_vtime(s); /* where the others go on from when it has left */
    s->running = NULL;
    s->load_weight -= share_weight(r);
    if (fate == SLEEPS) {
        budget_give_back(r);
        sched_set_state(r, r->sched.online ? SCHED_BLOCKED : SCHED_OFFLINE, now);
    } else if (fate == LEAVES) {
        sched_set_state(r, SCHED_RUNNABLE, now); /* in transit: sched_saved() places it */
    } else {
        sched_throttle(c, r, now);
    }
}

/* `v` has left its queue. */
static void put_on(struct sched_cpu *s, struct vcpu *v, uint64_t now)
{
    s->running = v;
    s->since_ticks = now;
    s->slice_end = sched_slice_end(s, v, now);
    s->switch_count++;
    if (unlikely(on_saved(v) & SAVED_MOVE)) {
        __atomic_fetch_and(&v->sched.on_saved, ~(uint32_t)SAVED_MOVE, __ATOMIC_SEQ_CST);
        v->sched.roams = 0;
    }
    sched_set_state(v, SCHED_RUNNING, now);
}

/*
 * The lock is held. The next one leaves its queue before the last one joins it: who takes turns with
 * one other meets an empty list. Whether anybody waits is told to others once, by sched_choose().
 */
static struct vcpu *choose_locked(struct cpu *c, uint64_t now)
{
    struct sched_cpu *s = &c->sched;
    struct vcpu *r = s->running, *next = NULL;
    enum fate fate = SLEEPS;

    sched_charge(s, now);
    if (unlikely(!list_empty(&s->throttled))) {
        release_throttled(c, now);
    }
    if (r) {
        fate = fate_of(r, now);
        if (fate == WAITS && keeps_cpu(s, r, now)) {
            return r;
        }
    }
    if (s->queued_count) {
        next = r && s->yielding ? yield_to(s, r) : first_waiting(s);
        list_remove(&next->sched.link);
        s->queued_count--;
    }
    s->yielding = 0;
    if (r) {
        put_off(c, r, fate, now);
    }
    if (next) {
        put_on(s, next, now);
    }
    return next;
}

/* Somebody waits here although a CPU that it may use is idle: let it come and take it. */
static void offer(struct cpu *c)
{
    uint64_t idle = mask_read(&sched_idle_mask) & ~sched_bit(c);
    unsigned looked = 0;
    struct vcpu *v;

    if (!idle) {
        return;
    }
    list_for_each (v, &c->sched.queue, sched.link) {
        uint64_t takers = idle & allowed_mask(v);
        if (looked++ == LOOKAHEAD) {
            return;
        }
        if (takers && !on_saved(v)) { /* else it goes by itself when its registers are saved */
            /* All of them: one alone may get work of its own just now, and then nobody came. */
            for (; takers; takers &= takers - 1) {
                cpu_kick(cpus[__builtin_ctzll(takers)], IPI_RESCHED);
            }
            return;
        }
    }
}

struct vcpu *sched_choose(struct cpu *c, uint64_t now_ticks)
    NO_LOCK_ANALYSIS("the home of a vCPU moves")
{
    struct sched_cpu *s = &c->sched;

    lock(&s->lock);
    const struct vcpu *before = s->running;
    __atomic_store_n(&s->resched, 0, __ATOMIC_RELAXED);
    struct vcpu *next = choose_locked(c, now_ticks);
    if (!next) {
        /* First tell wakers that we are idle, then look for work: so that one of us sees the other.
         */
        mask_set(&sched_idle_mask, sched_bit(c));
        if ((mask_read(&sched_waiting_mask) & ~sched_bit(c)) && sched_steal(c, now_ticks)) {
            next = choose_locked(c, now_ticks);
        }
    }
    if (list_empty(&s->queue)) {
        mask_clear(&sched_waiting_mask, sched_bit(c));
    } else {
        mask_set(&sched_waiting_mask, sched_bit(c));
        offer(c);
    }
    if (!next && before && on_saved(before)) {
        cpu_kick(c, IPI_SAVE); /* somebody waits for its registers and no other vCPU evicts them */
    }
    sched_arm(c);
    unlock(&s->lock);
    return next;
}

bool sched_block(struct vcpu *v)
{
    /*
     * Store awake, then read work; a waker sets work, then reads awake. Both
     * sequentially consistent, so that at least one sees the other.
     */
    __atomic_store_n(&v->sched.awake, 0, __ATOMIC_SEQ_CST);
    uint32_t work = __atomic_load_n(&v->work, __ATOMIC_SEQ_CST);
    uint32_t woken = __atomic_exchange_n(&v->sched.wake_pending, 0, __ATOMIC_SEQ_CST);
    if ((work & ~(uint32_t)WORK_RESCHED) || woken) {
        __atomic_store_n(&v->sched.awake, 1, __ATOMIC_SEQ_CST);
        return false;
    }
    __atomic_fetch_or(&v->work, WORK_RESCHED, __ATOMIC_RELAXED);
    return true;
}

bool sched_contended(const struct cpu *c)
{
    return __atomic_load_n(&c->sched.queued_count, __ATOMIC_RELAXED) != 0;
}

bool sched_yield(struct vcpu *v)
{
    struct cpu *c = this_cpu();

    if (!sched_contended(c) || is_realtime(v)) {
        return false;
    }
    c->sched.yielding = 1;
    __atomic_fetch_or(&v->work, WORK_RESCHED, __ATOMIC_RELAXED);
    return true;
}

void sched_times(struct vcpu *v, uint64_t now_ticks, struct sched_times *out)
    NO_LOCK_ANALYSIS("the home of a vCPU moves")
{
    struct cpu *home = sched_lock_home(v);
    uint64_t since = v->sched.state_since;

    out->state = v->sched.state;
    out->since_ticks = since;
    for (unsigned i = 0; i < SCHED_STATE_COUNT; i++) {
        out->ticks[i] = v->sched.state_ticks[i];
    }
    unlock(&home->sched.lock);
    out->ticks[out->state] += now_ticks > since ? now_ticks - since : 0;
}

uint64_t sched_runtime_ticks(const struct vcpu *v, uint64_t now_ticks)
{
    struct sched_times t;

    sched_times((struct vcpu *)(uintptr_t)v, now_ticks, &t);
    return t.ticks[SCHED_RUNNING];
}

void sched_cpu_info(struct cpu *c, uint64_t now_ticks, struct sched_cpu_info *out)
{
    struct sched_cpu *s = &c->sched;

    lock(&s->lock);
    const struct vcpu *r = s->running;
    *out = (struct sched_cpu_info){
        .domain = r ? r->domain->id : DOMID_INVALID,
        .vcpu = r ? r->id : 0,
        .dedicated = mask_read(&sched_dedicated_mask) & sched_bit(c),
        .waiting = s->queued_count,
        .assigned = s->assigned_count,
        .busy_ticks =
            s->busy_ticks + (r && now_ticks > s->since_ticks ? now_ticks - s->since_ticks : 0),
        .switch_count = s->switch_count,
    };
    unlock(&s->lock);
}

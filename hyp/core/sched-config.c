/*
 * Scheduler: parameters, affinity and reservations; vCPUs that come and go.
 *
 * A reservation ties a vCPU to one CPU (v->sched.reserved): a dedicated vCPU
 * has that CPU for itself, a real-time vCPU a bandwidth of it. All of them are
 * booked under sched_config_lock, so that promises never add up to more than
 * a CPU can keep.
 */
#include "sched-internal.h"

#include <hyp/assert.h>
#include <xen/errno.h>

#define RT_ONE (1u << 20) /* all of a CPU */
#define RT_LIMIT (RT_ONE * SCHED_REALTIME_PERCENT / 100)
#define NO_CPU 0xffu

static uint64_t bandwidth(const struct sched_params *p)
{
    return (p->budget_ticks * RT_ONE + p->period_ticks - 1) / p->period_ticks;
}

static void book(struct cpu *c, const struct sched_params *p)
{
    if (p->class == SCHED_REALTIME) {
        c->sched.rt_reserved += bandwidth(p);
    } else {
        mask_set(&sched_dedicated_mask, sched_bit(c));
    }
}

static void unbook(struct cpu *c, const struct sched_params *p)
{
    if (p->class == SCHED_REALTIME) {
        c->sched.rt_reserved -= bandwidth(p);
    } else {
        mask_clear(&sched_dedicated_mask, sched_bit(c));
        cpu_kick(c, IPI_RESCHED); /* it may take what waits elsewhere */
    }
}

/* Were `c` dedicated to a vCPU of `d`, would every other vCPU still have a CPU? */
static bool can_vacate(const struct cpu *c, const struct domain *d)
{
    uint64_t others =
        mask_read(&sched_online_mask) & ~mask_read(&sched_dedicated_mask) & ~sched_bit(c);
    bool can = true;

    for (uint32_t i = 0; i < cpu_count; i++) {
        struct sched_cpu *s = &cpus[i]->sched;
        struct vcpu *v;
        lock(&s->lock);
        list_for_each (v, &s->assigned, sched.assigned) {
            can = can && (v->domain == d || v->sched.reserved || (v->sched.affinity & others));
        }
        unlock(&s->lock);
    }
    return can;
}

static bool has_room(struct cpu *c, const struct domain *d, const struct sched_params *p)
{
    if (mask_read(&sched_dedicated_mask) & sched_bit(c)) {
        return false;
    }
    if (p->class == SCHED_REALTIME) {
        return c->sched.rt_reserved + bandwidth(p) <= RT_LIMIT;
    }
    return !c->sched.rt_reserved && can_vacate(c, d);
}

/* The CPU in `mask` with room for one vCPU of `d` and the least promised so far; NULL: none. */
static struct cpu *find_room(const struct vcpu *v, uint64_t mask, const struct sched_params *p)
{
    struct cpu *best = NULL;

    for (mask &= mask_read(&sched_online_mask); mask; mask &= mask - 1) {
        struct cpu *c = cpus[__builtin_ctzll(mask)];
        if (has_room(c, v->domain, p) &&
            (!best || c->sched.rt_reserved < best->sched.rt_reserved)) {
            best = c;
        }
    }
    return best;
}

/* Everybody who may not be here any more goes. Bounded by who is here. */
static void vacate(struct cpu *c) NO_LOCK_ANALYSIS("the home of a vCPU moves")
{
    for (uint32_t left = c->sched.assigned_count; left; left--) {
        struct vcpu *v, *found = NULL;
        lock(&c->sched.lock);
        list_for_each (v, &c->sched.assigned, sched.assigned) {
            if (!is_allowed(v, c) && !(on_saved(v) & SAVED_MOVE)) {
                found = v;
                break;
            }
        }
        unlock(&c->sched.lock);
        if (!found) {
            return;
        }
        sched_move(found);
    }
}

/* It may not be here any more, or waits here although it may now use an idle CPU. */
static bool should_move(const struct vcpu *v, const struct cpu *home)
{
    return !is_allowed(v, home) ||
           (is_queued(v) && (mask_read(&sched_idle_mask) & allowed_mask(v)));
}

static void apply(struct vcpu *v, const struct sched_params *p, struct cpu *reserved)
    NO_LOCK_ANALYSIS("the home of a vCPU moves")
{
    struct cpu *home = sched_lock_home(v);
    struct sched_vcpu *s = &v->sched;
    uint64_t now = arch_counter_ticks();
    bool running = s->state == SCHED_RUNNING, queued = is_queued(v), kick = false;

    if (queued) {
        sched_dequeue(home, v);
    }
    budget_give_back(v);
    if (running) {
        home->sched.load_weight -= share_weight(v);
    }
    s->params = *p;
    s->params.weight = p->weight ? p->weight : SCHED_WEIGHT_DEFAULT;
    s->vtime_rate = (SCHED_WEIGHT_DEFAULT << 16) / s->params.weight;
    s->load = is_realtime(v) ? 0 : s->params.weight;
    s->budgeted = is_realtime(v) || is_capped(v);
    s->reserved = reserved;
    s->budget_left = 0;
    s->period_end = 0;
    s->vtime = sched_vtime(&home->sched);
    if (running) {
        home->sched.load_weight += share_weight(v);
        kick = sched_poke(home);
    } else if (queued) {
        if (budget_left(v, now)) {
            sched_enqueue(home, v, now);
        } else {
            sched_throttle(home, v, now);
        }
        kick = sched_poke(home);
    }
    bool move = should_move(v, home);
    unlock(&home->sched.lock);
    if (kick) {
        cpu_kick(home, IPI_RESCHED);
    }
    if (move) {
        sched_move(v);
    }
}

static int check_params(const struct sched_params *p)
{
    if (p->weight > SCHED_WEIGHT_MAX || (p->class == SCHED_SHARE && !p->weight)) {
        return -XEN_EINVAL;
    }
    if (p->class == SCHED_REALTIME && (!p->budget_ticks || p->budget_ticks > p->period_ticks ||
                                       p->period_ticks > SCHED_PERIOD_MAX_TICKS)) {
        return -XEN_EINVAL;
    }
    return 0;
}

/* With the config lock: the CPU of each vCPU in to[], booked; or an error and nothing booked. */
static int reserve_all(struct domain *d, const struct sched_params *p, uint8_t *to)
{
    for (unsigned i = 0; i < d->vcpu_count; i++) {
        const struct vcpu *v = d->vcpu[i];
        struct cpu *c = NULL;

        to[i] = NO_CPU;
        if (p->class == SCHED_SHARE) {
            if (!(v->sched.affinity & mask_read(&sched_online_mask) &
                  ~mask_read(&sched_dedicated_mask))) {
                return -XEN_EBUSY;
            }
            continue;
        }
        c = find_room(v, v->sched.affinity, p);
        if (!c) {
            while (i-- > 0) {
                unbook(cpus[to[i]], p);
            }
            return -XEN_ENOSPC;
        }
        book(c, p);
        to[i] = (uint8_t)c->id;
    }
    return 0;
}

int sched_set(struct domain *d, const struct sched_params *p)
{
    uint8_t to[MAX_VCPUS];
    int err = check_params(p);

    if (err) {
        return err;
    }
    lock(&sched_config_lock);
    if (!d->sched.lock.rank) {
        lock_init(&d->sched.lock, RANK_SCHED_CAP);
    }
    for (unsigned i = 0; i < d->vcpu_count; i++) {
        struct sched_vcpu *s = &d->vcpu[i]->sched;
        if (s->reserved) {
            unbook(s->reserved, &s->params);
        }
    }
    err = reserve_all(d, p, to);
    for (unsigned i = 0; i < d->vcpu_count; i++) {
        struct sched_vcpu *s = &d->vcpu[i]->sched;
        if (!err) {
            apply(d->vcpu[i], p, to[i] == NO_CPU ? NULL : cpus[to[i]]);
        } else if (s->reserved) {
            book(s->reserved, &s->params);
        }
    }
    for (unsigned i = 0; !err && p->class == SCHED_DEDICATED && i < d->vcpu_count; i++) {
        vacate(cpus[to[i]]);
    }
    unlock(&sched_config_lock);
    return err;
}

/* With the config lock: keep a reservation although its CPU is not in `mask`. */
static int move_reservation(struct vcpu *v, uint64_t mask)
{
    struct sched_vcpu *s = &v->sched;

    unbook(s->reserved, &s->params);
    struct cpu *c = find_room(v, mask, &s->params);
    book(c ? c : s->reserved, &s->params);
    if (!c) {
        return -XEN_EBUSY;
    }
    s->reserved = c;
    if (s->params.class == SCHED_DEDICATED) {
        vacate(c);
    }
    return 0;
}

uint64_t sched_pool_cpus[SCHED_POOLS] = {[0] = ~0ull};

static uint64_t pool_of(const struct vcpu *v)
{
    uint32_t pool = __atomic_load_n(&v->domain->sched.cpupool, __ATOMIC_RELAXED);
    return mask_read(&sched_pool_cpus[pool]);
}

/* Restrict `v` to `cpu_mask`, because it was asked to run on `asked`. */
static int restrict_to(struct vcpu *v, uint64_t cpu_mask, uint64_t asked)
    NO_LOCK_ANALYSIS("the home of a vCPU moves")
{
    uint64_t online = cpu_mask & mask_read(&sched_online_mask);
    int err = 0;

    if (!online) {
        return -XEN_EINVAL;
    }
    lock(&sched_config_lock);
    if (v->sched.reserved && !(cpu_mask & sched_bit(v->sched.reserved))) {
        err = move_reservation(v, cpu_mask);
    } else if (!v->sched.reserved && !(online & ~mask_read(&sched_dedicated_mask))) {
        err = -XEN_EBUSY;
    }
    if (!err) {
        struct cpu *home = sched_lock_home(v);
        v->sched.affinity = cpu_mask;
        v->sched.asked = asked;
        bool move = should_move(v, home);
        unlock(&home->sched.lock);
        if (move) {
            sched_move(v);
        }
    }
    unlock(&sched_config_lock);
    return err;
}

int sched_set_affinity(struct vcpu *v, uint64_t cpu_mask)
{
    return restrict_to(v, cpu_mask & pool_of(v), cpu_mask);
}

int sched_follow_pool(struct vcpu *v)
{
    uint64_t pool = pool_of(v), asked = v->sched.asked;
    bool none = (pool & asked & mask_read(&sched_online_mask)) == 0;
    return restrict_to(v, none ? pool : pool & asked, none ? ~0ull : asked);
}

static struct cpu *least_assigned(uint64_t mask)
{
    struct cpu *best = cpus[0];

    for (bool first = true; mask; mask &= mask - 1) {
        struct cpu *c = cpus[__builtin_ctzll(mask)];
        if (first || c->sched.assigned_count < best->sched.assigned_count) {
            best = c;
            first = false;
        }
    }
    return best;
}

void sched_vcpu_init(struct vcpu *v)
{
    struct sched_vcpu *s = &v->sched;
    uint64_t can = mask_read(&sched_online_mask) & ~mask_read(&sched_dedicated_mask);
    struct cpu *home = least_assigned((can & pool_of(v)) != 0 ? can & pool_of(v) : can);

    list_init(&s->link);
    s->params = (struct sched_params){.class = SCHED_SHARE, .weight = SCHED_WEIGHT_DEFAULT};
    s->vtime_rate = 1u << 16;
    s->load = SCHED_WEIGHT_DEFAULT;
    s->affinity = pool_of(v);
    s->asked = ~0ull;
    s->state = SCHED_OFFLINE;
    s->state_since = arch_counter_ticks();
    lock(&home->sched.lock);
    s->vtime = sched_vtime(&home->sched);
    list_insert(&home->sched.assigned, &s->assigned);
    home->sched.assigned_count++;
    s->home = home;
    unlock(&home->sched.lock);
}

void sched_vcpu_destroy(struct vcpu *v) NO_LOCK_ANALYSIS("the home of a vCPU moves")
{
    lock(&sched_config_lock);
    if (v->sched.reserved) {
        unbook(v->sched.reserved, &v->sched.params);
    }
    struct cpu *home = sched_lock_home(v);
    CHECK(v->sched.state != SCHED_RUNNING && !is_queued(v) && !loaded_on(v));
    list_remove(&v->sched.assigned);
    home->sched.assigned_count--;
    unlock(&home->sched.lock);
    unlock(&sched_config_lock);
}

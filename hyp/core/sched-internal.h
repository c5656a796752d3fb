/* Shared by hyp/core/sched*.c only: see docs/scheduling.md for the whole picture. */
#ifndef SCHED_INTERNAL_H
#define SCHED_INTERNAL_H

#include <hyp/arch.h>
#include <hyp/cpu.h>
#include <hyp/domain.h>
#include <hyp/sched.h>

/* In ticks; set at boot from the counter's frequency. */
struct sched_tuning {
    uint64_t latency; /* every waiting share vCPU runs once in this time, if slice_min allows */
    uint64_t slice_min;
    uint64_t granularity; /* a woken vCPU preempts only if that far behind in virtual time */
    uint64_t
        guard; /* ... and only one that has run for this long: bounds what wake-ups cost others */
    uint64_t bonus; /* run time by which a sleeper may come back ahead of the others */
    uint64_t cap_period;
    uint64_t cap_portion; /* what a vCPU draws from its domain's capped budget at a time */
    uint64_t roam;        /* on average: a CPU where more compete than elsewhere sends one there */
};
extern struct sched_tuning sched_tuning; /* [const] after boot */

/* One bit per CPU. */
extern uint64_t sched_online_mask; /* [atomic] takes vCPUs */
extern uint64_t sched_idle_mask; /* [atomic] runs nothing: a hint, checked under that CPU's lock */
extern uint64_t sched_waiting_mask;   /* [atomic] share vCPUs wait there: a hint for idle CPUs */
extern uint64_t sched_dedicated_mask; /* [config lock, atomic to read] reserved for one vCPU each */

extern lock_t sched_config_lock;

/* Bits of sched_vcpu.on_saved. */
enum {
    SAVED_MOVE = 1u << 0, /* find it another CPU */
    SAVED_WAKE = 1u << 1, /* somebody spins until it is off */
};

static inline uint64_t sched_bit(const struct cpu *c)
{
    return 1ull << c->id;
}
static inline uint64_t mask_read(const uint64_t *mask)
{
    return __atomic_load_n(mask, __ATOMIC_RELAXED);
}
static inline void mask_set(uint64_t *mask, uint64_t bit)
{
    if (!(mask_read(mask) & bit)) {
        __atomic_fetch_or(mask, bit, __ATOMIC_SEQ_CST);
    }
}
static inline void mask_clear(uint64_t *mask, uint64_t bit)
{
    if (mask_read(mask) & bit) {
        __atomic_fetch_and(mask, ~bit, __ATOMIC_SEQ_CST);
    }
}

static inline bool is_realtime(const struct vcpu *v)
{
    return v->sched.params.class == SCHED_REALTIME;
}
static inline bool is_capped(const struct vcpu *v)
{
    return v->sched.params.class == SCHED_SHARE && v->sched.params.cap_percent;
}
static inline uint32_t share_weight(const struct vcpu *v)
{
    return v->sched.load;
}
/* Signed: a clock read before the lock was there may be older than what was charged meanwhile. */
static inline uint64_t vtime_of(const struct vcpu *v, uint64_t ticks)
{
    return (uint64_t)((int64_t)(ticks * v->sched.vtime_rate) >> 16);
}
/* May it run at all, were a CPU free? `awake` is set under home's lock, cleared by its own CPU only. */
static inline bool is_eligible(const struct vcpu *v)
{
    return v->sched.online && !v->sched.pause_count &&
           __atomic_load_n(&v->sched.awake, __ATOMIC_RELAXED);
}
static inline bool is_queued(const struct vcpu *v)
{
    return !list_empty(&v->sched.link);
}
/* Registers still in some CPU. */
static inline struct cpu *loaded_on(const struct vcpu *v)
{
    return __atomic_load_n(&v->cpu, __ATOMIC_SEQ_CST);
}
/* SAVED_MOVE is set under home's lock; sched_saved() says why it need not hold that. */
static inline uint32_t on_saved(const struct vcpu *v)
{
    return __atomic_load_n(&v->sched.on_saved, __ATOMIC_RELAXED);
}
static inline uint64_t allowed_mask(const struct vcpu *v)
{
    return v->sched.reserved ? sched_bit(v->sched.reserved)
                             : v->sched.affinity & mask_read(&sched_online_mask) &
                                   ~mask_read(&sched_dedicated_mask);
}
static inline bool is_allowed(const struct vcpu *v, const struct cpu *c)
{
    return (allowed_mask(v) & sched_bit(c)) != 0;
}

/* sched.c: one CPU's queues. The lock of `c`, which is v's home, is held. */
void sched_set_state(struct vcpu *v, enum sched_state state, uint64_t now);
void sched_enqueue(struct cpu *c, struct vcpu *v, uint64_t now);
void sched_dequeue(struct cpu *c, struct vcpu *v);
void sched_throttle(struct cpu *c, struct vcpu *v, uint64_t now);
void sched_catch_up(struct cpu *c, struct vcpu *v);
void sched_arm(struct cpu *c);
/* Account `now - since_ticks` to who runs there, if anybody. */
void sched_charge(struct sched_cpu *s, uint64_t now);
/* Virtual time of the CPU: that of the least advanced vCPU which competes, and never back. */
uint64_t sched_vtime(struct sched_cpu *s);
/* Make `c` choose again; true: the caller kicks it with IPI_RESCHED once it holds no lock. */
must_check bool sched_poke(struct cpu *c);
/* When who runs there shall give way to those that wait. */
uint64_t sched_slice_end(const struct sched_cpu *s, const struct vcpu *v, uint64_t now);
void sched_set_home(struct vcpu *v, struct cpu *from, struct cpu *to); /* both locks held */

/* sched-budget.c */
bool budget_refill(struct vcpu *v, uint64_t now); /* when a period is over; false: none is left */
static inline bool budget_left(struct vcpu *v, uint64_t now)
{
    return likely(!v->sched.budgeted) || budget_refill(v, now);
}
void budget_wake(struct vcpu *v, uint64_t now); /* before it is queued after a sleep */
void budget_give_back(struct vcpu *v);          /* it sleeps: the rest is for its siblings */

/* sched-place.c */
struct cpu *sched_lock_home(struct vcpu *v) NO_LOCK_ANALYSIS("the home of a vCPU moves");
/* With v's home locked; unlocks it. */
void sched_make_runnable(struct vcpu *v, struct cpu *home)
    NO_LOCK_ANALYSIS("the home of a vCPU moves");
/* Bring `v` to a CPU it may use, now or when its registers are saved. */
void sched_move(struct vcpu *v);
/* Another CPU where no more would compete with `v` than at its home, whose lock is held; or NULL. */
struct cpu *sched_fairer_cpu(const struct vcpu *v);
bool sched_steal(struct cpu *c, uint64_t now) NO_LOCK_ANALYSIS("the home of a vCPU moves");

#endif

/*
 * Scheduler: which vCPU a CPU runs next, and until when. No periodic tick.
 *
 * Classes, in the order in which a CPU prefers them:
 *   dedicated  the vCPU has its CPU for itself: the scheduler is not in the path
 *   realtime   budget per period, earliest deadline first, within its budget only
 *   share      proportional share by weight, with a latency bound; an optional cap
 *
 * Every vCPU that is not blocked, paused or off is on exactly one CPU: either
 * it is that CPU's `current` or it is on its run queue.
 *
 * S1  a vCPU is on at most one run queue, and then it is runnable, not running.
 * S2  a vCPU whose context is loaded on a CPU (v->cpu) has that CPU as home: it
 *     is woken there, and moves only once its registers are saved.
 * S3  weights hold over any second a set of vCPUs competes: within 3 %.
 * S4  a timer is set only when somebody waits, or a budget or cap ends. One left
 *     over from such a moment may fire once (docs/scheduling.md).
 * S5  a vCPU never runs on a CPU outside its affinity, which lies within its domain's CPU pool.
 */
#ifndef HYP_SCHED_H
#define HYP_SCHED_H

#include <hyp/list.h>
#include <hyp/lock.h>
#include <hyp/timer.h>
#include <hyp/types.h>

struct cpu;
struct domain;
struct vcpu;

enum sched_class { SCHED_DEDICATED, SCHED_REALTIME, SCHED_SHARE };

#define SCHED_WEIGHT_DEFAULT 256u
#define SCHED_WEIGHT_MAX 65535u

struct sched_params {
    enum sched_class class;
    uint32_t weight; /* share: 1..65535 */
    uint32_t
        cap_percent; /* share: 0 none, 100 one CPU per domain's vCPU set, as xl sched-credit2 */
    uint64_t budget_ticks; /* realtime */
    uint64_t period_ticks;
};

/* Limits of the real-time class; sched_set() refuses what is beyond. */
#define SCHED_REALTIME_PERCENT \
    95u /* of a CPU; the rest is for the share class and the hypervisor */
#define SCHED_PERIOD_MAX_TICKS (1ull << 31)

/* Entry points; called with no scheduler lock held unless they say so. */
void sched_cpu_init(struct cpu *c);
/* `c` takes vCPUs from now on (c->online is set by the caller). */
void sched_cpu_online(struct cpu *c);
/*
 * Give every vCPU of `d` the parameters, or none of them. Returns 0 or
 *   -XEN_EINVAL  zero weight, budget above period, period too long, ...
 *   -XEN_ENOSPC  real-time: no CPU has that much left to promise;
 *                dedicated: no CPU can be freed for each vCPU
 *   -XEN_EBUSY   all CPUs that a vCPU may use are dedicated to others
 */
must_check int sched_set(struct domain *d, const struct sched_params *p);
/* A vCPU comes into being (offline) and goes; choose and remember its home CPU. */
void sched_vcpu_init(struct vcpu *v);
/* The vCPU must be off its CPU (sched_is_off) and offline. */
void sched_vcpu_destroy(struct vcpu *v);
/* Restrict to the CPUs in `cpu_mask` (bit n = CPU n). -XEN_EINVAL if none of them is online,
 * -XEN_EBUSY if they are all dedicated or cannot keep a reservation. Moves it if need be. */
must_check int sched_set_affinity(struct vcpu *v, uint64_t cpu_mask);

/*
 * CPU pools: sets of CPUs, each CPU in at most one; a domain belongs to one of
 * them. All start in pool 0. An empty mask is a pool without CPUs.
 */
#define SCHED_POOLS 16u
extern uint64_t sched_pool_cpus[SCHED_POOLS]; /* [atomic] written by sysctl.c */
/*
 * After the domain's pool or that pool's CPUs changed: what the vCPU was
 * restricted to, as far as the pool has it; all of the pool if that is nothing.
 * Errors of sched_set_affinity().
 */
must_check int sched_follow_pool(struct vcpu *v);

/* Something for `v` arrived (interrupt, event, timer): make it runnable if it is blocked. Any CPU. */
void sched_wake(struct vcpu *v);
/*
 * The current vCPU has nothing to do until sched_wake(). Blocks only if v->work
 * is empty (WORK_RESCHED aside): so whoever sets a work bit before it calls
 * sched_wake() cannot be missed. True if it will block.
 */
bool sched_block(struct vcpu *v);
/* The current vCPU lets others of its CPU go first; a no-op if nobody waits. True if somebody waited.
 * A preempted vCPU of the same domain goes before others: it may hold the lock that is spun for. */
bool sched_yield(struct vcpu *v);
/* True if anybody waits for this CPU: decides if WFE is trapped. */
bool sched_contended(const struct cpu *c);
/* Nestable. A paused vCPU does not run; it may still be on its CPU for a moment: sched_is_off(). */
void sched_pause(struct vcpu *v);
void sched_unpause(struct vcpu *v);
/* Off its CPU: not running and its registers written back, so that they can be read and changed. If not, that is asked for. */
bool sched_is_off(struct vcpu *v);
/*
 * Pause and wait until it is off; never on oneself. -XEN_ERESTART: nothing has
 * changed, because this CPU's own vCPU is to be paused by somebody who may be
 * waiting for it: go back to the guest and try again.
 */
must_check int sched_pause_sync(struct vcpu *v);
/* PSCI on/off: an offline vCPU is not runnable whatever arrives. */
void sched_set_online(struct vcpu *v, bool online);
/* From the context switch: the registers of `v` are in memory and v->cpu is NULL. */
void sched_saved(struct vcpu *v);

/*
 * Choose who runs on `c` from now on, account the time since the last call to
 * the previous one, and set the slice timer if S4 asks for one. Called on `c`
 * only. NULL: idle. The caller switches contexts.
 */
struct vcpu *sched_choose(struct cpu *c, uint64_t now_ticks);

enum sched_state { SCHED_OFFLINE, SCHED_BLOCKED, SCHED_RUNNABLE, SCHED_RUNNING, SCHED_STATE_COUNT };

struct sched_times {
    enum sched_state state;
    uint64_t since_ticks;              /* when it came into that state */
    uint64_t ticks[SCHED_STATE_COUNT]; /* spent in each, the present stretch included */
};
/* What `v` is doing and has done so far. A paused vCPU counts as blocked. */
void sched_times(struct vcpu *v, uint64_t now_ticks, struct sched_times *out);
struct sched_cpu_info {
    domid_t domain; /* whose vCPU runs, DOMID_INVALID: idle */
    uint32_t vcpu;
    bool dedicated;
    uint32_t waiting, assigned; /* vCPUs */
    uint64_t busy_ticks;        /* some vCPU was running */
    uint64_t switch_count;
};
/* What CPU `c` is doing. For the console. */
void sched_cpu_info(struct cpu *c, uint64_t now_ticks, struct sched_cpu_info *out);
/* Time `v` has run so far, the running stretch included. */
uint64_t sched_runtime_ticks(const struct vcpu *v, uint64_t now_ticks);

/*
 * Scheduler state inside struct cpu, vcpu and domain. Only hyp/core/sched*.c
 * looks inside; they are here because they are embedded.
 */
struct sched_cpu {
    lock_t lock;
    struct list queue;       /* [lock] runnable share vCPUs by virtual time */
    struct list rt_queue;    /* [lock] runnable real-time vCPUs by deadline */
    struct list throttled;   /* [lock] out of budget, by period_end */
    struct list assigned;    /* [lock] all vCPUs whose home this is */
    struct vcpu *running;    /* [lock] what sched_choose returned last */
    uint64_t since_ticks;    /* [lock] until when `running` has been charged */
    uint64_t slice_end;      /* [lock] TICKS_NEVER: nobody waits */
    uint64_t min_vtime;      /* [lock] virtual time that a newcomer starts at */
    uint64_t load_weight;    /* [lock] sum of weights queued and running */
    uint64_t rt_reserved;    /* [config lock] promised to real-time vCPUs, 2^20 is all of it */
    uint64_t roam_ticks;     /* [lock] until then nobody is sent to where fewer compete */
    uint64_t armed_ticks;    /* [cpu] when `timer` fires, TICKS_NEVER if not set */
    struct timer timer;      /* ends slices, budgets and throttling */
    uint32_t queued_count;   /* [lock] on queue or rt_queue */
    uint32_t assigned_count; /* [lock] vCPUs whose home this is */
    uint32_t yielding;       /* [cpu] the running vCPU wants others to go first */
    uint32_t resched;        /* [atomic] set when sched_choose should run again on this CPU */
    uint64_t busy_ticks;     /* [lock] */
    uint64_t switch_count;   /* [lock] times that another vCPU was put on */
};

struct sched_vcpu {
    struct list link;       /* [home lock] on queue, rt_queue or throttled */
    struct list assigned;   /* [home lock] on home's list */
    struct cpu *home;       /* [home lock] CPU whose lock guards this vCPU */
    struct cpu *reserved;   /* [home lock] the CPU a reservation ties it to, or NULL */
    enum sched_state state; /* [home lock] */
    uint32_t pause_count;   /* [home lock] */
    uint32_t online;        /* [home lock] */
    uint32_t awake;         /* [atomic] cleared by sched_block, set by sched_wake */
    uint32_t wake_pending;  /* [atomic] a wake came while it was still running */
    uint32_t on_saved;      /* [atomic] what sched_saved() has to do */
    uint32_t throttled;     /* [home lock] out of budget until period_end */
    uint32_t roams; /* [home lock] it goes where no more compete, once its registers are saved */
    uint32_t vtime_rate; /* [home lock] virtual time per tick, 16 fraction bits */
    uint32_t load;       /* [home lock] its weight among those that compete; realtime: 0 */
    uint32_t budgeted;   /* [home lock] realtime or capped: runs only while it has budget */
    uint64_t affinity;   /* [home lock] bit n: may run on CPU n: of `asked`, what the pool has */
    uint64_t asked;      /* [config lock] what sched_set_affinity() was told */
    struct sched_params params;              /* [home lock] */
    uint64_t vtime;                          /* [home lock] weighted run time */
    uint64_t state_since;                    /* [home lock] */
    uint64_t state_ticks[SCHED_STATE_COUNT]; /* [home lock] completed stretches */
    int64_t budget_left; /* [home lock] realtime or cap: ticks left in this period */
    uint64_t period_end; /* [home lock] realtime or cap */
};

/* The cap is one budget for all vCPUs of a domain, from which they draw in small portions. */
struct sched_domain {
    lock_t lock;
    uint32_t cpupool;    /* [atomic] below SCHED_POOLS */
    int64_t pool_ticks;  /* [lock] left in this period; negative: debt */
    uint64_t period_end; /* [lock] */
};

#endif

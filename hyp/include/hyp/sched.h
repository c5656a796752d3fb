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
 * S2  a vCPU whose context is loaded on a CPU is woken on that CPU only.
 * S3  weights hold over any second a set of vCPUs competes: within 3 %.
 * S4  a slice timer is set only while somebody waits, or a budget or cap ends.
 * S5  a vCPU never runs on a CPU outside its affinity.
 */
#ifndef HYP_SCHED_H
#define HYP_SCHED_H

#include <hyp/list.h>
#include <hyp/lock.h>
#include <hyp/types.h>

struct cpu;
struct domain;
struct vcpu;

enum sched_class { SCHED_DEDICATED, SCHED_REALTIME, SCHED_SHARE };

#define SCHED_WEIGHT_DEFAULT 256u
#define SCHED_WEIGHT_MAX 65535u

struct sched_params {
    enum sched_class class;
    uint32_t weight;      /* share: 1..65535 */
    uint32_t cap_percent; /* share: 0 none, 100 one CPU per domain's vCPU set, as xl sched-credit2 */
    uint64_t budget_ticks; /* realtime */
    uint64_t period_ticks;
};

/* Entry points; called with no scheduler lock held unless they say so. */
void sched_cpu_init(struct cpu *c);
/* Give every vCPU of `d` the parameters. Returns 0 or -XEN_EINVAL (zero weight, budget above period, ...). */
must_check int sched_set(struct domain *d, const struct sched_params *p);
/* A vCPU comes into being (offline) and goes; choose and remember its home CPU. */
void sched_vcpu_init(struct vcpu *v);
void sched_vcpu_destroy(struct vcpu *v);
/* Restrict to the CPUs in `cpu_mask` (bit n = CPU n). -XEN_EINVAL if none of them is online. Moves it if need be. */
must_check int sched_set_affinity(struct vcpu *v, uint64_t cpu_mask);

/* Something for `v` arrived (interrupt, event, timer): make it runnable if it is blocked. Any CPU. */
void sched_wake(struct vcpu *v);
/* The current vCPU has nothing to do until sched_wake(). The caller has re-checked for pending work. */
void sched_block(struct vcpu *v);
/* The current vCPU lets others of its CPU go first; a no-op if nobody waits. True if somebody waited. */
bool sched_yield(struct vcpu *v);
/* True if anybody waits for this CPU: decides if WFE is trapped. */
bool sched_contended(const struct cpu *c);
/* Nestable. A paused vCPU does not run; pause_sync waits until it is off its CPU (never call it on oneself). */
void sched_pause(struct vcpu *v);
void sched_pause_sync(struct vcpu *v);
void sched_unpause(struct vcpu *v);
/* PSCI on/off: an offline vCPU is not runnable whatever arrives. */
void sched_set_online(struct vcpu *v, bool online);

/*
 * Choose who runs on `c` from now on, account the time since the last call to
 * the previous one, and set the slice timer if S4 asks for one. Called on `c`
 * only. NULL: idle. The caller switches contexts.
 */
struct vcpu *sched_choose(struct cpu *c, uint64_t now_ticks);

/* Time `v` has run so far, the running stretch included. */
uint64_t sched_runtime_ticks(const struct vcpu *v, uint64_t now_ticks);

/*
 * Scheduler state inside struct cpu and struct vcpu. Only hyp/core/sched*.c
 * looks inside; they are here because they are embedded.
 */
struct sched_cpu {
    lock_t lock;
    struct list queue;         /* [lock] runnable share vCPUs by virtual time */
    struct list rt_queue;      /* [lock] runnable real-time vCPUs by deadline */
    struct vcpu *running;      /* [lock] what sched_choose returned last */
    uint64_t since_ticks;      /* [lock] when `running` was put on */
    uint64_t min_vtime;        /* [lock] virtual time that a newcomer starts at */
    uint64_t load_weight;      /* [lock] sum of weights queued and running */
    uint32_t queued_count;     /* [lock] */
    uint32_t assigned_count;   /* [lock] vCPUs whose home this is */
    uint32_t dedicated;        /* [lock] 1 if reserved for one dedicated vCPU */
    uint32_t resched;          /* [atomic] set when sched_choose should run again on this CPU */
};

enum sched_state { SCHED_OFFLINE, SCHED_BLOCKED, SCHED_RUNNABLE, SCHED_RUNNING };

struct sched_vcpu {
    struct list link;         /* [home lock] on queue or rt_queue */
    struct cpu *home;         /* [home lock] CPU whose lock guards this vCPU */
    enum sched_state state;   /* [home lock] */
    uint32_t pause_count;     /* [home lock] */
    uint32_t online;          /* [home lock] */
    uint32_t wake_pending;    /* [atomic] a wake came while it was still running */
    uint64_t affinity;        /* [home lock] bit n: may run on CPU n */
    struct sched_params params; /* [home lock] */
    uint64_t vtime;           /* [home lock] weighted run time */
    uint64_t runtime_ticks;   /* [home lock] completed stretches */
    uint64_t budget_left;     /* [home lock] realtime or cap: ticks left in this period */
    uint64_t period_end;      /* [home lock] realtime or cap */
    uint64_t runnable_since;  /* [home lock] for the statistics of waiting */
    uint64_t wait_ticks;      /* [home lock] time spent runnable but not running */
    uint32_t throttled;       /* [home lock] out of budget until period_end */
};

#endif

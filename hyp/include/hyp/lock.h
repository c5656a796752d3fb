/*
 * Ticket spin locks with ranks.
 *
 * Interrupts are always masked at EL2, so there is one kind of lock and no
 * irq-saving variant. Waiters sleep in WFE. docs/locking.md is the only place
 * that orders locks; enum lock_rank is that table in C, and debug builds check
 * that every CPU takes locks in rising rank. Two locks of one rank: lower
 * address first, through lock_both().
 */
#ifndef HYP_LOCK_H
#define HYP_LOCK_H

#include <hyp/types.h>

enum lock_rank {
    RANK_CPUPOOL = 1, /* which CPU pools there are */
    RANK_DOMLIST,     /* the table of domains */
    RANK_DOMAIN,      /* one domain's life cycle */
    RANK_XEN_CONSOLE, /* the hypervisor's end of one PV console; below it the console takes its own */
    RANK_IOREQ,       /* one domain's device models, and accesses that wait for them */
    RANK_EVTCHN,      /* one domain's event channel table */
    RANK_GRANT,       /* one domain's grant table */
    RANK_P2M,         /* one domain's stage-2 tables */
    RANK_EVTCHN_FIFO,  /* one domain's FIFO event queues */
    RANK_VDEV,         /* an emulated device, e.g. a vUART */
    RANK_VGIC_DIST,    /* one domain's distributor */
    RANK_VGIC_CPU,     /* one vCPU's interrupt state */
    RANK_IRQ,          /* physical interrupt descriptors */
    RANK_SCHED_CONFIG, /* who has which CPU reserved */
    RANK_SCHED,        /* one CPU's run queue */
    RANK_SCHED_CAP,    /* one domain's capped budget */
    RANK_TIMER,        /* one CPU's timers */
    RANK_VMID,         /* VMID numbers and generations */
    RANK_FRAME,        /* the frame allocator */
    RANK_RANDOM,       /* the generator of seeds */
    RANK_LOG,          /* the ring of lines */
    RANK_CONSOLE,      /* screen, keyboard and serial line */
};

#if defined(__clang__)
#define TSA(x) __attribute__((x))
#else
#define TSA(x)
#endif
#define LOCKABLE TSA(capability("lock"))
#define REQUIRES(...) TSA(requires_capability(__VA_ARGS__))
#define ACQUIRES(...) TSA(acquire_capability(__VA_ARGS__))
#define RELEASES(...) TSA(release_capability(__VA_ARGS__))
/* For functions whose locks the analysis cannot name; with the reason. */
#define NO_LOCK_ANALYSIS(why) TSA(no_thread_safety_analysis)

typedef struct LOCKABLE lock {
    union {
        uint32_t tickets; /* [atomic] next in the upper half, now served in the lower */
        uint16_t served;  /* [atomic] the lower half: only the holder writes it */
    };
    uint32_t rank; /* [const] enum lock_rank */
} lock_t;
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "lock_t.served is the lower half");

#define LOCK_INIT(r)              \
    {                             \
        .tickets = 0, .rank = (r) \
    }

static inline void lock_init(lock_t *l, enum lock_rank rank)
{
    l->tickets = 0;
    l->rank = rank;
}

void lock(lock_t *l) ACQUIRES(l);
void unlock(lock_t *l) RELEASES(l);

/* Take two locks of one rank, or one lock once if both are the same. */
void lock_both(lock_t *a, lock_t *b) ACQUIRES(a, b);
void unlock_both(lock_t *a, lock_t *b) RELEASES(a, b);

/* True if anybody holds it: for assertions only. */
bool lock_is_held(const lock_t *l);

#endif

/*
 * Executable specification of a domain's life: which orders are taken in which
 * state, and what may come of them (the picture is in hyp/domain.h).
 *
 * L1  memory is taken away only while no vCPU is on a CPU (D2), and a domain
 *     that is gone has none.
 * L2  in RUNNING a vCPU is paused once for the console's order, once if domctl
 *     has paused the domain, however often, and else not at all; in every other
 *     state it does not run.
 * L3  what a policy says happens: DESTROY ends in gone, RESTART in RUNNING with
 *     one more restart (or in gone, if it cannot be built), PRESERVE stays.
 *     To an order from outside to reboot, no policy is asked: it is RESTART.
 * L4  an order that is refused changes nothing.
 * L5  a domain that was made at run time runs with the unpause that makes its
 *     count zero for the first time, and not before.
 * L6  one that is on its way up or down takes one order, its end, and then does
 *     not come back.
 */
#ifndef HYP_SPEC_LIFE_H
#define HYP_SPEC_LIFE_H

#include <hyp/domain.h>

enum life_event {
    LIFE_START,    /* domain_start() */
    LIFE_SHUTDOWN, /* domain_shutdown(reason), by the guest */
    LIFE_PAUSE,
    LIFE_UNPAUSE,
    LIFE_REBOOT,
    LIFE_DESTROY,
    LIFE_HOLD,   /* domain_pause_counted() */
    LIFE_LET_GO, /* domain_unpause_counted() */
    LIFE_WORK,   /* one step of its worker */
    LIFE_EVENT_COUNT
};

/* What of a domain the specification sees. */
struct spec_life {
    bool gone;
    enum domain_state state;
    enum shutdown_reason reason; /* in DOWN */
    enum domain_policy policy;   /* what the reason asks for */
    bool working;                /* the worker has something to do */
    bool paused;                 /* by somebody's order */
    bool made;                   /* at run time */
    uint32_t held;               /* pauses that domctl counts */
    bool on_cpu;                 /* a vCPU is still on a CPU */
    bool online;                 /* one of its vCPUs */
    uint32_t pause_count;        /* of its vCPUs, which agree */
    uint32_t restarts;
    uint64_t memory; /* frames it owns */
};

/* abstract(): `d` NULL for a domain that cannot be found any more. */
void spec_life_look(const struct domain *d, struct spec_life *out);

/* NULL if `event`, answered with `result`, may take `pre` to `post`, else which rule it breaks. */
const char *spec_life_step(const struct spec_life *pre, enum life_event event,
                           enum shutdown_reason reason, int result, const struct spec_life *post);

#endif

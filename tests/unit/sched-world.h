/*
 * The scheduler in virtual time on the model machine: CPUs that run guests
 * which compute and sleep, driven event by event. What arch/arm64 does around
 * sched_choose() - the exit path, the idle loop, saving registers, IPIs - is
 * played here in a few lines, so that S1 to S5 can be checked after each step.
 */
#ifndef SCHED_WORLD_H
#define SCHED_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../hyp/core/sched-internal.h"
#include <fake.h>
#include <xen/errno.h>

#define MS (FAKE_HZ / 1000)
#define US (FAKE_HZ / 1000000)
#define SECOND FAKE_HZ
#define GUESTS_MAX 64

/* A guest computes for `run` ticks, then sleeps for `sleep`; run NEVER: a hog. */
struct guest {
    struct vcpu *v;
    uint64_t run, sleep;
    uint64_t burst_left; /* ticks of computing until it sleeps */
    uint64_t wake_at;    /* while asleep */
    uint64_t woken_at;   /* waiting for its first tick since; NEVER: it had it */
    uint64_t worst_latency;
    uint64_t overlooked_since; /* waits although a CPU idles, 0: not so */
    bool asleep;
};

extern struct guest guests[GUESTS_MAX];
extern unsigned guest_count;
extern uint64_t seed; /* of any() */

/* A number below `below`. */
uint64_t any(uint64_t below);
/* A machine of so many CPUs, and no guest. */
void machine(unsigned cpu_total);
/* A domain; guest() says what its vCPUs do. */
struct domain *domain(unsigned vcpus);
struct guest *guest(struct vcpu *v, uint64_t run, uint64_t sleep);
void set_share(struct domain *d, uint32_t weight, uint32_t cap);
/* A domain of one vCPU that behaves so; not yet online. */
struct guest *simple(uint32_t weight, uint64_t run, uint64_t sleep);
/* Every CPU does what it was asked for; the invariants hold. */
void settle(void);
void wake(struct guest *g);
/* So much time passes, event by event. */
void run_for(uint64_t ticks);
void online(struct guest *g);
/* Ticks that it has run. */
uint64_t runtime(const struct guest *g);
/* Within `permille` of what is expected. */
void assert_near(uint64_t is, uint64_t expected, uint64_t permille);
/* Hogs of these weights on one CPU get their shares. */
void check_shares(const uint32_t *weights, unsigned count);

#endif

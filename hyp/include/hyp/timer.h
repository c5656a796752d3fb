/*
 * Software timers: one ordered list per CPU over one hardware comparator.
 *
 * A timer fires on the CPU it was last set on, from that CPU's timer
 * interrupt, with no lock held and the timer already off the list. It may be
 * set again from its own callback.
 *
 * T1  list is ordered by deadline, earliest first.
 * T2  the comparator is programmed to the earliest deadline, or off: an empty
 *     list costs no interrupt.
 * T3  timer_cancel() on the timer's own CPU guarantees that it does not fire
 *     afterwards; from another CPU it may be firing right now, and setting
 *     itself again. Whoever frees the owner calls timer_retire() first.
 * T4  Two CPUs may set one timer at the same time: it is on one list, with
 *     the deadline of one of them.
 */
#ifndef HYP_TIMER_H
#define HYP_TIMER_H

#include <hyp/list.h>
#include <hyp/lock.h>

struct cpu;

struct timer {
    struct list link;                                  /* [cpu->timers.lock] */
    struct cpu *cpu;                                   /* [cpu->timers.lock] NULL: not set */
    uint64_t deadline_ticks;                           /* [cpu->timers.lock] */
    void (*fire)(struct timer *t, uint64_t now_ticks); /* [const] */
    bool slow; /* [const] a callback is a step of something long: at most one in an interrupt */
};

struct timer_cpu {
    lock_t lock;
    struct list list;     /* [lock] T1 */
    uint32_t count;       /* [lock] timers on it */
    struct timer *firing; /* whose callback this CPU is in; set under lock */
};

void timer_cpu_init(struct timer_cpu *c);
void timer_init(struct timer *t, void (*fire)(struct timer *t, uint64_t now_ticks));

/* Set or move `t` to fire on this CPU at `deadline_ticks` (absolute; the past means at once). */
void timer_set(struct timer *t, uint64_t deadline_ticks);
void timer_cancel(struct timer *t);

/*
 * The end of `t`: on return it is not set, and no other CPU is in its callback. From here on nobody
 * sets it. The caller holds no lock that the callback takes; it may be the callback itself.
 */
void timer_retire(struct timer *t);

/* Fire what is due on this CPU and reprogram the comparator. Bounded by the number of timers set. */
void timer_interrupt(struct cpu *c, uint64_t now_ticks);

/* Tick conversions; saturating, never zero for a non-zero argument. */
uint64_t ns_to_ticks(uint64_t ns);
uint64_t ticks_to_ns(uint64_t ticks);

#endif

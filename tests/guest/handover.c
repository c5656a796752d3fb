/*
 * Two vCPUs that hand a word to and fro on one CPU and yield while they wait, beside a guest that
 * computes without end (neighbour.c). By SCHEDOP_yield: QEMU takes no trap at WFE, which has the
 * same effect on a machine.
 *
 * Right: who spins gives its CPU to the sibling it waits for, so the neighbour has its share in few
 * long pieces between many turns: 8 in these 200 ms. Wrong: 27, which is what there are when the
 * CPU goes to the first that waits.
 */
#include "kit.h"
#include "xen.h"

#define MS 200

static volatile u32 owner, turns;
static volatile u64 end, last, gaps, longest;

static void take_turns(u32 me)
{
    while (ticks() < end) {
        if (owner == me) {
            u64 now = ticks(), gap = now - last;
            gaps += turns != 0 && gap > us_to_ticks(500);
            longest = turns != 0 && gap > longest ? gap : longest;
            last = now;
            turns++;
            owner = !me;
        } else {
            hypercall(HYPERCALL_sched_op, SCHEDOP_yield, 0, 0, 0);
        }
    }
}

static void second(void *arg)
{
    (void)arg;
    take_turns(1);
}

void guest_main(void)
{
    u64 start = ticks() + us_to_ticks(20000); /* by then the neighbour is at work */
    end = start + us_to_ticks(MS * 1000);
    owner = 2;
    if (!ok(cpu_start(1, second, NULL) == 0, "two vCPUs")) {
        return;
    }
    while (ticks() < start) {
        relax();
    }
    owner = 0;
    take_turns(0);
    note("%u turns in %u ms, %lu times interrupted, by at most %lu us", turns, MS, gaps,
         longest * 1000000 / tick_rate());
    ok(turns > 50000, "a turn costs two switches");
    ok(gaps <= bootarg_u64("gaps", 15), "who spins gives way to whom it waits for");
    ok(cpu_wait_off(1), "the other vCPU ends");
}

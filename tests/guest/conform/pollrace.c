/*
 * SCHEDOP_poll raced with what ends it: vCPU 0 polls for its own port, masked,
 * so that nothing but the poll can be woken by it; vCPU 1 sends after a delay
 * that sweeps over the whole call. Run without -icount, on CPUs that are truly
 * parallel.
 *
 * Right: each poll ends because of its event. Wrong: one ends by its time-out,
 * ten seconds away: the vCPU slept although its event was pending.
 */
#include "kit.h"
#include "xen.h"

#define TIMEOUT_S 10
#define DELAYS 3001 /* a prime number of loops: from before the call to long after it sleeps */

struct sched_poll {
    const u32 *ports;
    u32 nr_ports;
    u64 timeout; /* ns, absolute */
};

static u8 shared[KIT_PAGE] __attribute__((aligned(4096)));
static volatile u64 round_begun; /* 0: the end */
static u32 port;

static void spin(u64 loops)
{
    while (loops--) {
        barrier();
    }
}

static void notify(void *arg)
{
    struct evtchn_port send = {port};
    (void)arg;
    for (u64 seen = 1, now; (now = round_begun) != 0;) {
        if (now == seen) {
            relax();
            continue;
        }
        seen = now;
        spin(now * 7 % DELAYS);
        hypercall(HYPERCALL_event_channel_op, EVTCHNOP_send, (u64)&send, 0, 0);
    }
}

static bool is_pending(void)
{
    const u64 *words = (const u64 *)&shared[SHARED_PENDING];
    return (__atomic_load_n(&words[port / 64], __ATOMIC_SEQ_CST) >> port % 64 & 1) != 0;
}

/* One event awaited, as a driver of a sealed guest does; false: it came too late. */
static bool one(u64 number)
{
    u64 *words = (u64 *)&shared[SHARED_PENDING];
    u64 end = ticks() + TIMEOUT_S * tick_rate();
    struct sched_poll poll = {&port, 1, end / tick_rate() * 1000000000ull};
    __atomic_store_n(&round_begun, number, __ATOMIC_SEQ_CST);
    while (!is_pending()) {
        hypercall(HYPERCALL_sched_op, SCHEDOP_poll, (u64)&poll, 0, 0);
        if (ticks() >= end - tick_rate()) {
            return false;
        }
    }
    __atomic_fetch_and(&words[port / 64], ~(1ull << port % 64), __ATOMIC_SEQ_CST);
    return true;
}

void guest_main(void)
{
    u64 rounds = bootarg_u64("rounds", 50000), number = 2;
    struct xen_add_to_physmap add = {DOMID_SELF, 0, XENMAPSPACE_shared_info, 0, (u64)shared >> 12};
    struct evtchn_bind_ipi ipi = {0, 0};
    is((u64)hypercall(HYPERCALL_memory_op, XENMEM_add_to_physmap, (u64)&add, 0, 0), 0,
       "the shared page is there");
    is((u64)hypercall(HYPERCALL_event_channel_op, EVTCHNOP_bind_ipi, (u64)&ipi, 0, 0), 0,
       "a port of its own");
    port = ipi.port;
    memset(&shared[SHARED_PENDING + 512], 0xff, 512); /* all masked */
    round_begun = 1;
    if (!ok(machine.cpu_count == 2 && cpu_start(1, notify, NULL) == 0, "two vCPUs")) {
        return;
    }
    u64 end = ticks() + us_to_ticks(bootarg_u64("ms", 3000) * 1000);
    bool good = true;
    while (good && number < 2 + rounds && ticks() < end) {
        good = one(number++);
    }
    round_begun = 0;
    note("%lu polls, the last with a delay of %lu loops", number - 2, (number - 1) * 7 % DELAYS);
    ok(number > 100 || !good, "they did race");
    ok(good, "no poll slept while its event was pending");
    ok(cpu_wait_off(1), "the other vCPU ends");
}

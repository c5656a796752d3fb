/*
 * lwIP's clocks, instead of its own list of timers, which ticks up to ten times a second for ever. A
 * clock here wakes the domain only while it has something to count: a server that nobody asks
 * anything does nothing at all. While the domain is awake all of them tick.
 *
 * The ARP table's clock makes entries older, so the ticks it missed are made up for, before a frame
 * uses the table. The others have nothing to count when they are not busy.
 */
#include "net/timers.h"

#include "libos/time.h"
#include "lwip/dhcp.h"
#include "lwip/etharp.h"
#include "lwip/ip4_frag.h"
#include "lwip/ip6_frag.h"
#include "lwip/mld6.h"
#include "lwip/nd6.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/timeouts.h"

#define NS_PER_MS 1000000UL
#define ARP_TICKS_MAX 300                  /* ARP_MAXAGE: older is gone */
#define ASKING_NS (8 * NS_PER_SECOND)      /* ARP_MAXPENDING ticks after the last question */
#define REASSEMBLY_NS (17 * NS_PER_SECOND) /* IP_REASS_MAXAGE ticks after the last fragment */

static uint64_t asking_until_ns, reassembly_until_ns;
static uint64_t arp_due_ns;
static uint64_t first_due_ns; /* of the clocks below */

static bool tcp_busy(uint64_t now_ns)
{
    return tcp_active_pcbs != NULL || tcp_tw_pcbs != NULL;
}

static bool reassembly_busy(uint64_t now_ns)
{
    return now_ns < reassembly_until_ns;
}

static const struct dhcp *lease(void)
{
    return netif_default == NULL ? NULL : netif_dhcp_data(netif_default);
}

static bool dhcp_waits(uint64_t now_ns)
{
    return lease() != NULL && lease()->request_timeout != 0;
}

static bool dhcp_has_lease(uint64_t now_ns)
{
    return lease() != NULL;
}

#if LWIP_IPV6
static bool always(uint64_t now_ns)
{
    return true;
}

static bool mld6_busy(uint64_t now_ns)
{
    const struct mld_group *group = netif_default == NULL ? NULL : netif_mld6_data(netif_default);
    while (group != NULL && group->timer == 0) {
        group = group->next;
    }
    return group != NULL;
}
#endif

static const struct clock {
    void (*tick)(void);
    bool (*busy)(uint64_t now_ns);
} clocks[] = {
    {tcp_tmr, tcp_busy},         {ip_reass_tmr, reassembly_busy},
    {dhcp_fine_tmr, dhcp_waits}, {dhcp_coarse_tmr, dhcp_has_lease},
#if LWIP_IPV6
    {nd6_tmr, always},           {ip6_reass_tmr, always},
    {mld6_tmr, mld6_busy},
#endif
};
static const uint16_t interval_ms[] = {
    TCP_TMR_INTERVAL, IP_TMR_INTERVAL,        DHCP_FINE_TIMER_MSECS, DHCP_COARSE_TIMER_MSECS,
#if LWIP_IPV6
    ND6_TMR_INTERVAL, IP6_REASS_TMR_INTERVAL, MLD6_TMR_INTERVAL,
#endif
};
_Static_assert(ARRAY_COUNT(interval_ms) == ARRAY_COUNT(clocks), "one each");
static uint64_t due_ns[ARRAY_COUNT(clocks)]; /* whether busy or not */

void sys_timeouts_init(void)
{
    arp_due_ns = time_monotonic_ns() + NS_PER_SECOND;
}

/* A connection: its first tick is a whole interval away. */
void tcp_timer_needed(void)
{
    uint64_t now = time_monotonic_ns();
    if (due_ns[0] <= now) {
        due_ns[0] = now + TCP_TMR_INTERVAL * NS_PER_MS;
        first_due_ns = MIN(first_due_ns, due_ns[0]);
    }
}

void timers_age(uint64_t now_ns)
{
    if (now_ns >= arp_due_ns) {
        uint64_t ticks = (now_ns - arp_due_ns) / NS_PER_SECOND + 1;
        arp_due_ns += ticks * NS_PER_SECOND;
        for (ticks = MIN(ticks, (uint64_t)ARP_TICKS_MAX); ticks > 0; ticks--) {
            etharp_tmr();
        }
    }
}

bool timers_run(uint64_t now_ns)
{
    bool any = false;
    if (now_ns < first_due_ns) {
        return false;
    }
    first_due_ns = TIME_NEVER;
    for (unsigned int i = 0; i < ARRAY_COUNT(clocks); i++) {
        uint64_t interval_ns = interval_ms[i] * NS_PER_MS;
        if (now_ns >= due_ns[i]) {
            if (clocks[i].busy(now_ns)) {
                clocks[i].tick();
                any = true;
            }
            /* In step with the time, but no tick twice because one came late. */
            due_ns[i] += interval_ns;
            due_ns[i] = due_ns[i] > now_ns ? due_ns[i] : now_ns + interval_ns;
        }
        first_due_ns = MIN(first_due_ns, due_ns[i]);
    }
    return any;
}

uint64_t timers_next_ns(void)
{
    uint64_t now = time_monotonic_ns();
    uint64_t next = now < asking_until_ns ? arp_due_ns : TIME_NEVER;
    for (unsigned int i = 0; i < ARRAY_COUNT(clocks); i++) {
        if (due_ns[i] < next && clocks[i].busy(now)) {
            next = due_ns[i];
        }
    }
    return next;
}

void timers_note_fragment(void)
{
    reassembly_until_ns = time_monotonic_ns() + REASSEMBLY_NS;
}

void timers_note_question(void)
{
    asking_until_ns = time_monotonic_ns() + ASKING_NS;
}

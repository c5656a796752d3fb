#include "net/resolver.h"

#include <string.h>

#include "libos/config.h"
#include "libos/thread.h"
#include "libos/time.h"
#include "lwip/dhcp.h"
#include "lwip/netif.h"

#define LEASE_WAIT_NS (10 * NS_PER_SECOND) /* two rounds of the C library's five seconds */

static ip4_addr_t offered[LWIP_DHCP_MAX_DNS_SERVERS]; /* by DHCP; all zero: none */

/* lwIP's DHCP client reports them by this name (dhcp.c, with LWIP_DNS). */
void dns_setserver(u8_t index, const ip_addr_t *server);
void dns_setserver(u8_t index, const ip_addr_t *server)
{
    if (index < ARRAY_COUNT(offered) && server != NULL && IP_IS_V4(server)) {
        offered[index] = *ip_2_ip4(server);
    }
}

void resolver_check(void)
{
    const char *given = config_value("dns");
    ip_addr_t ip;
    if (given != NULL && given[0] != '\0' && !ipaddr_aton(given, &ip)) {
        libos_panic("network: dns=%s is not an address", given);
    }
}

static void wait_for_lease(void)
{
    uint64_t deadline = time_monotonic_ns() + LEASE_WAIT_NS;
    while (!dhcp_supplied_address(netif_default) && time_monotonic_ns() < deadline) {
        thread_wait_event(deadline);
    }
}

size_t resolver_text(char text[RESOLVER_TEXT_MAX])
{
    static bool said;
    const char *given = config_value("dns");
    size_t used = 0;
    if (given != NULL && given[0] != '\0') {
        return libos_format(text, RESOLVER_TEXT_MAX, "nameserver %s\n", given);
    }
    if (strcmp(config_value("ip"), "dhcp") == 0) {
        wait_for_lease();
    }
    for (size_t i = 0; i < ARRAY_COUNT(offered); i++) {
        const u8_t *a = (const u8_t *)&offered[i];
        if (!ip4_addr_isany_val(offered[i])) {
            used += libos_format(text + used, RESOLVER_TEXT_MAX - used, "nameserver %d.%d.%d.%d\n",
                                 a[0], a[1], a[2], a[3]);
        }
    }
    if (used == 0 && !said) {
        said = true;
        libos_log("network: no name server known: DHCP offers none, and there is no dns=ADDRESS");
    }
    return used;
}

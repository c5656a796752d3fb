/* lwIP on our device: frames in and out, time, addresses. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "libos/config.h"
#include "libos/devices.h"
#include "libos/heap.h"
#include "libos/netdev.h"
#include "libos/platform.h"
#include "libos/random.h"
#include "libos/time.h"
#include "lwip/dhcp.h"
#include "lwip/etharp.h"
#include "lwip/ethip6.h"
#include "lwip/init.h"
#include "lwip/netif.h"
#include "lwip/prot/ip.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/prot/tcp.h"
#include "netif/ethernet.h"
#include "net/lwip/hooks.h"
#include "net/socket.h"
#include "net/timers.h"

const bool net_has_ipv6 = LWIP_IPV6;

static struct netif netif;
static struct netdev *device;
static bool announced;
static bool refused; /* the device had no room for a segment that a connection still has */
static uint16_t
    uncut; /* the packet on its way down is to be cut by the device into so many bytes each */

u32_t sys_now(void);
u32_t sys_now(void)
{
    return (u32_t)(time_monotonic_ns() / 1000000);
}

void *libos_calloc(size_t count, size_t size)
{
    size_t bytes;
    return __builtin_mul_overflow(count, size, &bytes) ? NULL : heap_zalloc(bytes);
}

/* Internet checksum (RFC 1071) by 64-bit words; the sum is folded, not inverted, as lwIP wants. */
uint16_t net_checksum(const void *data, int size)
{
    typedef uint64_t unaligned64 __attribute__((may_alias, aligned(1)));
    typedef uint32_t unaligned32 __attribute__((may_alias, aligned(1)));
    typedef uint16_t unaligned16 __attribute__((may_alias, aligned(1)));
    const unsigned char *at = data;
    uint64_t sum = 0;
    for (; size >= 32; size -= 32, at += 32) {
        const unaligned64 *words = (const unaligned64 *)at;
        for (int i = 0; i < 4; i++) {
            uint64_t word = words[i];
            sum += word;
            sum += sum < word; /* end-around carry */
        }
    }
    for (; size >= 4; size -= 4, at += 4) {
        uint64_t word = *(const unaligned32 *)at;
        sum += word;
        sum += sum < word;
    }
    if (size >= 2) {
        uint64_t word = *(const unaligned16 *)at;
        sum += word;
        sum += sum < word;
        at += 2;
        size -= 2;
    }
    if (size == 1) {
        sum += *at;
        sum += sum < *at;
    }
    sum = (sum >> 32) + (sum & 0xffffffff);
    sum = (sum >> 32) + (sum & 0xffffffff);
    sum = (sum >> 16) + (sum & 0xffff);
    sum = (sum >> 16) + (sum & 0xffff);
    return (uint16_t)sum;
}

/* RFC 6528: a clock of 4 us plus a keyed hash of the connection. */
u32_t net_initial_sequence(const ip_addr_t *local_ip, u16_t local_port, const ip_addr_t *remote_ip,
                           u16_t remote_port)
{
    static uint64_t secret[2];
    if (secret[0] == 0) {
        random_bytes(secret, sizeof(secret));
    }
    uint64_t hash = secret[0] ^ ((uint64_t)local_port << 16 | remote_port);
    const u8_t *bytes[2] = {(const u8_t *)local_ip, (const u8_t *)remote_ip};
    for (int i = 0; i < 2; i++) {
        for (int b = 0; b < 16; b++) {
            hash = (hash ^ bytes[i][b]) * 0x9e3779b97f4a7c15ULL;
            hash ^= hash >> 29 ^ secret[1];
        }
    }
    return (u32_t)hash + (u32_t)(time_monotonic_ns() / 4000);
}

/* Ethernet header, then IPv4 or IPv6 without options or extensions, then TCP or UDP: where its
 * checksum field is, or 0. Only for frames we have built ourselves. */
static unsigned int checksum_place(const uint8_t *frame, size_t size)
{
    unsigned int start = 0;
    uint8_t protocol = 0;
    if (size < 54) {
        return 0;
    }
    if (frame[12] == 0x08 && frame[13] == 0x00 && frame[14] == 0x45) {
        start = 34;
        protocol = frame[23];
        if ((frame[20] & 0x3f) | frame[21]) {
            return 0; /* a fragment */
        }
    } else if (frame[12] == 0x86 && frame[13] == 0xdd) {
        start = 54;
        protocol = frame[20];
    }
    return start == 0 ? 0 : protocol == 6 ? start + 16 : protocol == 17 ? start + 6 : 0;
}

/* Put the sum of the pseudo-header where the device will finish it. */
static void begin_checksum(uint8_t *frame, unsigned int place, size_t size)
{
    bool v4 = frame[12] == 0x08;
    unsigned int transport = v4 ? 34 : 54;
    uint32_t sum = net_checksum(frame + (v4 ? 26 : 22), v4 ? 8 : 32);
    sum += __builtin_bswap16((uint16_t)(size - transport));
    sum += __builtin_bswap16(v4 ? frame[23] : frame[20]);
    sum = (sum >> 16) + (sum & 0xffff);
    sum = (sum >> 16) + (sum & 0xffff);
    memcpy(frame + place, &(uint16_t){(uint16_t)sum}, 2);
}

/* "Who has": of an address that is not our own, which would be an announcement. */
static bool is_question(const uint8_t *frame, size_t size)
{
    return size >= 42 && frame[12] == 0x08 && frame[13] == 0x06 && frame[21] == 1 &&
           memcmp(frame + 28, frame + 38, 4) != 0;
}

static bool is_fragment(const uint8_t *frame, size_t size)
{
    return size >= 34 && ((frame[20] & 0x3f) | frame[21]) != 0 && frame[12] == 0x08 &&
           frame[13] == 0x00;
}

static err_t send_frame(struct netif *unused, struct pbuf *chain)
{
    /* As many as lwIP queues for a connection, and headers; not on the small stack of a thread. */
    static struct net_piece pieces[NET_PIECES_MAX];
    _Static_assert(NET_PIECES_MAX >= TCP_SND_QUEUELEN + 2, "a segment has all pieces of the queue");
    unsigned int count = 0;
    bool partial = false;
    uint16_t segment = chain->tot_len > NET_FRAME_MAX ? uncut : 0;
    for (struct pbuf *p = chain; p != NULL; p = p->next) {
        if (p->len != 0) {
            if (count == NET_PIECES_MAX) {
                return ERR_BUF;
            }
            pieces[count++] = (struct net_piece){p->payload, p->len};
        }
    }
    if (is_question(chain->payload, chain->len)) {
        timers_note_question();
    }
    if (device->checksum_offload && chain->len >= 54) {
        unsigned int place = checksum_place(chain->payload, chain->tot_len);
        if (place != 0 && place + 2U <= chain->len) {
            begin_checksum(chain->payload, place, chain->tot_len);
            partial = true;
        }
    }
    if (segment != 0 && !partial) {
        return ERR_IF;
    }
    int error = device->transmit(device, pieces, count, chain->tot_len, partial, segment);
    refused |= error == -EAGAIN;
    return error == 0 ? ERR_OK : error == -EAGAIN ? ERR_MEM : ERR_IF;
}

bool net_cuts(void)
{
    return device->cuts != NULL && device->cuts(device);
}

/*
 * A segment larger than a frame is about to leave. IP would make fragments of it by the device's
 * limit, which is lifted for this packet. If the back end has come back as one that does not cut,
 * fragments they are, and the checksum must be made before them.
 */
void net_begin_uncut(const struct tcp_pcb *pcb)
{
    if (net_cuts()) {
        netif.mtu = UINT16_MAX;
        uncut = pcb->mss > TCP_MSS ? pcb->mss / NET_SEGMENTS : pcb->mss;
    } else {
        NETIF_SET_CHECKSUM_CTRL(&netif, NETIF_CHECKSUM_ENABLE_ALL); /* until the next frame comes */
    }
}

static err_t output_ip4(struct netif *n, struct pbuf *packet, const ip4_addr_t *to)
{
    n->mtu = device->mtu;
    err_t error = etharp_output(n, packet, to);
    uncut = 0;
    return error;
}

/*
 * The device has room again. lwIP would try each connection at its next tick of 500 ms, those heard
 * of last first: with more connections than room some would never have their turn. So: now, and
 * those that have been silent longest first.
 */
static void send_refused(void)
{
    struct tcp_pcb *first[64]; /* a round; who is not in it is in the next, `refused` again */
    unsigned int found = 0;
    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb != NULL; pcb = pcb->next) {
        if (pcb->unsent != NULL) {
            first[found++ % ARRAY_COUNT(first)] = pcb;
        }
    }
    unsigned int left = MIN(found, (unsigned int)ARRAY_COUNT(first));
    refused = found > left;
    while (left-- > 0) {
        (void)tcp_output(first[--found % ARRAY_COUNT(first)]);
    }
}

void net_receive(const void *frame, size_t size, bool verified)
{
    struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)size, PBUF_RAM);
    if (p == NULL) {
        return; /* out of memory: as good as lost on the wire */
    }
    copy_bulk(p->payload, frame, size);
    if (is_fragment(frame, size)) {
        timers_note_fragment();
    }
    u16_t made = device->checksum_offload ? NETIF_CHECKSUM_ENABLE_ALL &
                                                ~(NETIF_CHECKSUM_GEN_TCP | NETIF_CHECKSUM_GEN_UDP)
                                          : NETIF_CHECKSUM_ENABLE_ALL;
    NETIF_SET_CHECKSUM_CTRL(
        &netif, verified ? made & ~(NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP) : made);
    if (netif.input(p, &netif) != ERR_OK) {
        pbuf_free(p);
    }
}

/* What was sent to ourselves. */
static void poll_loops(void)
{
    struct netif *n;
    NETIF_FOREACH(n)
    {
        if (n->loop_first != NULL) {
            netif_poll(n);
        }
    }
}

static bool poll_network(void)
{
    uint64_t now = time_monotonic_ns();
    timers_age(now);
    bool happened = device->poll(device);
    poll_loops();
    if (refused && happened) {
        send_refused();
    }
    happened |= timers_run(now);
    device->flush(device);
    return happened;
}

static struct poller poller = {poll_network, timers_next_ns, NULL};

void net_flush(void)
{
    poll_loops();
    if (device != NULL) {
        device->flush(device);
    }
}

static err_t setup_netif(struct netif *n)
{
    n->name[0] = 'e';
    n->name[1] = 'n';
    n->mtu = device->mtu;
    n->hwaddr_len = 6;
    memcpy(n->hwaddr, device->mac, 6);
    n->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_IGMP |
               NETIF_FLAG_MLD6;
    n->output = output_ip4;
#if LWIP_IPV6
    n->output_ip6 = ethip6_output;
#endif
    n->linkoutput = send_frame;
    n->hostname = config_name;
    if (device->checksum_offload) {
        NETIF_SET_CHECKSUM_CTRL(n, NETIF_CHECKSUM_ENABLE_ALL &
                                       ~(NETIF_CHECKSUM_GEN_TCP | NETIF_CHECKSUM_GEN_UDP));
    }
    return ERR_OK;
}

static void say_address(struct netif *n)
{
    if (!announced && !ip4_addr_isany_val(*netif_ip4_addr(n))) {
        announced = true;
        const u8_t *a = (const u8_t *)netif_ip4_addr(n);
        const u8_t *g = (const u8_t *)netif_ip4_gw(n);
        libos_log("network: address %d.%d.%d.%d, gateway %d.%d.%d.%d", a[0], a[1], a[2], a[3], g[0],
                  g[1], g[2], g[3]);
    }
}

static bool parse_ip4(const char *text, size_t length, ip4_addr_t *ip)
{
    char copy[16];
    if (length >= sizeof(copy)) {
        return false;
    }
    memcpy(copy, text, length);
    copy[length] = '\0';
    return ip4addr_aton(copy, ip);
}

/* ADDRESS/BITS with a gateway beside it. Panics on nonsense: it would be silence. */
static void configure_static(const char *text)
{
    ip4_addr_t ip, mask, gateway = {0};
    size_t length = strcspn(text, "/");
    unsigned int bits = 0;
    if (text[length] == '/') {
        for (const char *digit = text + length + 1; *digit >= '0' && *digit <= '9'; digit++) {
            bits = bits * 10 + (unsigned int)(*digit - '0');
        }
    }
    if (!parse_ip4(text, length, &ip) || bits == 0 || bits > 32) {
        libos_panic("network: ip=%s is neither dhcp nor ADDRESS/BITS", text);
    }
    mask.addr = __builtin_bswap32((uint32_t)(0xffffffffUL << (32 - bits)));
    const char *value = config_value("gateway");
    if (value[0] != '\0' && !parse_ip4(value, strlen(value), &gateway)) {
        libos_panic("network: gateway=%s is not an address", value);
    }
    netif_set_addr(&netif, &ip, &mask, &gateway);
}

#if LWIP_IPV6
/* ip6=ADDRESS/64 beside the link-local one and what a router announces. */
static void configure_static6(const char *text)
{
    char copy[40];
    ip6_addr_t ip;
    size_t length = strcspn(text, "/");
    if (length < sizeof(copy)) {
        memcpy(copy, text, length);
        copy[length] = '\0';
    }
    if (length >= sizeof(copy) || strcmp(text + length, "/64") != 0 || !ip6addr_aton(copy, &ip)) {
        libos_panic("network: ip6=%s is not ADDRESS/64", text);
    }
    netif_ip6_addr_set(&netif, 1, &ip);
    netif_ip6_addr_set_state(&netif, 1, IP6_ADDR_PREFERRED);
}
#endif

void net_start(void)
{
    device = netdev_open();
    if (device == NULL) {
        libos_panic("the program needs a network device and this domain has none");
    }
    lwip_init();
    if (netif_add(&netif, NULL, NULL, NULL, NULL, setup_netif, ethernet_input) == NULL) {
        libos_panic("network: no memory");
    }
    netif_set_status_callback(&netif, say_address);
#if LWIP_IPV6
    netif_create_ip6_linklocal_address(&netif, 1);
    netif.ip6_autoconfig_enabled = 1;
    const char *ip6 = config_value("ip6");
    if (ip6 != NULL && ip6[0] != '\0') {
        configure_static6(ip6);
    }
#endif
    netif_set_default(&netif);
    netif_set_link_up(&netif);
    netif_set_up(&netif);
    poller_add(&poller);
    const char *ip = config_value("ip");
    if (strcmp(ip, "dhcp") == 0) {
        if (dhcp_start(&netif) != ERR_OK) {
            libos_panic("network: cannot start DHCP");
        }
    } else {
        configure_static(ip);
    }
    net_flush();
}

void net_say_listening(uint16_t port)
{
    libos_log("listening on port %u, %lu us after the first instruction, %lu us of them on a CPU",
              port, platform_uptime_us(), platform_cpu_ns() / 1000);
}

void net_say_answered(void)
{
    static bool said;
    if (!said) {
        said = true;
        libos_log("first answer after %lu us on a CPU", platform_cpu_ns() / 1000);
    }
}

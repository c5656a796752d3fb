/*
 * Network front end (public/io/netif.h): one queue, copies on both sides.
 *
 * Buffers are granted once, when we connect, and used again and again: frames are copied in and
 * out. A copy of 1500 bytes is cheaper than a grant and its revocation, and what the back
 * end writes later cannot change what the stack has already checked.
 *
 *   DOWN --connect--> UP --rule broken by the peer--> BROKEN (for ever, said in the log)
 *                      \--back end closes--> DOWN --back end waits again--> UP
 */
#include <errno.h>
#include <string.h>

#include "libos/heap.h"
#include "libos/netdev.h"
#include "libos/page.h"
#include "libos/xen.h"
#include "ring/ring.h"
#include "xen/xenbus.h"

struct tx_request { /* struct netif_tx_request */
    uint32_t grant;
    uint16_t offset;
    uint16_t flags;
    uint16_t id;
    uint16_t size;
};
struct tx_response {
    uint16_t id;
    int16_t status;
};
struct rx_request {
    uint16_t id;
    uint16_t pad;
    uint32_t grant;
};
struct rx_response {
    uint16_t id;
    uint16_t offset;
    uint16_t flags;
    int16_t status; /* bytes, or negative */
};

struct extra_info { /* struct netif_extra_info, for segmentation */
    uint8_t type;
    uint8_t flags;
    uint16_t segment;
    uint8_t protocol;
    uint8_t pad;
    uint16_t features;
};
enum { EXTRA_gso = 1, GSO_tcpv4 = 1, RSP_null = 1 };

enum { TXF_csum_blank = 1, TXF_data_validated = 2, TXF_more_data = 4, TXF_extra_info = 8 };
enum { RXF_data_validated = 1, RXF_csum_blank = 2, RXF_more_data = 4, RXF_extra_info = 8 };

#define BUFFERS_MAX RING_IDS_MAX /* each way, in a domain that has the memory */
#define BUFFERS_MIN 32           /* in one of a MiB or two */
#define TX_SIZE (PAGE_SIZE / 2)  /* of a transmit buffer; a receive buffer is a page: */
#define RX_BUFFERS_FIRST 2       /* the back end writes at offset 0 */
#define RX_BATCH 64
#define TX_BUFFERS_MAX \
    ((NET_UNCUT_MAX + TX_SIZE - 1) / TX_SIZE) /* of one frame; a back end takes 18 */

enum link_state { LINK_DOWN, LINK_UP, LINK_BROKEN };

static struct xenbus_device bus;
static enum link_state state;
static struct ring tx, rx;
static char *tx_page, *rx_page;
static struct buffer { /* a page, granted when it is first used and for ever */
    char *page;
    uint32_t grant;
} tx_buffer[BUFFERS_MAX / 2], rx_buffer[BUFFERS_MAX];
static unsigned int buffers;   /* each way: a sixteenth of the memory at most */
static unsigned int rx_wanted; /* receive buffers to be with the back end */
static uint32_t ring_grant[2];
static struct ring_ids tx_ids, rx_ids;
static uint32_t port;
static bool tx_pending;                           /* put but not pushed */
static enum { GSO_UNKNOWN, GSO_NO, GSO_YES } gso; /* does the back end cut frames into segments? */

static void break_link(const char *rule)
{
    if (state != LINK_BROKEN) {
        libos_log("network: the back end broke a rule (%s); the device is off", rule);
        state = LINK_BROKEN;
    }
}

static bool buffer_ready(struct buffer *buffer, bool read_only)
{
    if (buffer->page == NULL) {
        char *page = page_alloc(1);
        long reference = page == NULL ? -ENOMEM : grant_access(bus.backend_id, page, read_only);
        if (reference < 0) {
            if (page != NULL) {
                page_free(page, 1);
            }
            return false;
        }
        *buffer = (struct buffer){page, (uint32_t)reference};
    }
    return true;
}

static void post_receive_buffers(void)
{
    bool posted = false;
    while (rx.produced - rx.consumed < rx_wanted) {
        uint16_t id = ring_ids_take(&rx_ids);
        if (id == RING_ID_NONE) {
            break;
        }
        if (!buffer_ready(&rx_buffer[id], false)) {
            ring_ids_release(&rx_ids, id);
            rx_wanted = rx.produced - rx.consumed; /* as many as there is memory for */
            break;
        }
        struct rx_request request = {id, 0, rx_buffer[id].grant};
        posted |= ring_front_put(&rx, &request, sizeof(request));
    }
    if (posted && ring_front_push(&rx)) {
        evtchn_notify(port);
    }
}

/* Free the buffers of frames that the back end has sent. */
static bool reap_transmitted(void)
{
    struct tx_response response;
    int got;
    bool any = false;
    while ((got = ring_front_take(&tx, &response, sizeof(response))) > 0) {
        any = true;
        if (response.status == RSP_null) {
            continue; /* the slot that said how to cut: no buffer */
        }
        if (!ring_ids_release(&tx_ids, response.id)) {
            break_link("completion of a frame never sent");
            return true;
        }
    }
    if (got < 0) {
        break_link(tx.broken);
    }
    return any;
}

/* Without room the back end is to tell us of the next slot that it is done with; else it never does. */
static bool has_room(unsigned int slots)
{
    bool room;
    do {
        room = tx.produced - tx.consumed + slots <= tx_ids.count;
    } while (!room && state == LINK_UP && (reap_transmitted() || ring_front_arm(&tx)));
    return room && state == LINK_UP;
}

/* An empty buffer for each request; none if there is no memory for one. */
static bool take_buffers(struct tx_request *requests, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++) {
        uint16_t id = ring_ids_take(&tx_ids);
        requests[i] = (struct tx_request){.offset = (uint16_t)(id % 2 * TX_SIZE), .id = id};
        if (id == RING_ID_NONE || !buffer_ready(&tx_buffer[id / 2], true)) {
            for (i += id != RING_ID_NONE; i > 0; i--) {
                ring_ids_release(&tx_ids, requests[i - 1].id);
            }
            return false;
        }
        requests[i].grant = tx_buffer[id / 2].grant;
    }
    return true;
}

/* Copy the pieces, one behind the other, into the requests' buffers. */
static void fill(struct tx_request *request, const struct net_piece *pieces, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++) {
        const char *data = pieces[i].data;
        for (size_t left = pieces[i].size, part; left > 0; left -= part, data += part) {
            request += request->size == TX_SIZE;
            part = MIN(left, TX_SIZE - request->size);
            copy_bulk(tx_buffer[request->id / 2].page + request->offset + request->size, data,
                      part);
            request->size = (uint16_t)(request->size + part);
        }
    }
}

/* Asked when it first matters: no wait at the start, and none for those who send little. */
static bool cuts(struct netdev *device)
{
    if (gso == GSO_UNKNOWN && state == LINK_UP) {
        gso = store_read_number(bus.backend, "feature-gso-tcpv4", 0) == 1 &&
                      store_read_number(bus.backend, "feature-sg", 0) == 1
                  ? GSO_YES
                  : GSO_NO;
    }
    return gso == GSO_YES;
}

static int transmit(struct netdev *device, const struct net_piece *pieces, unsigned int count,
                    size_t size, bool partial, uint16_t segment)
{
    struct tx_request requests[TX_BUFFERS_MAX];
    unsigned int used = (unsigned int)((size + TX_SIZE - 1) / TX_SIZE);
    if (state != LINK_UP || size == 0 || size > (segment != 0 ? NET_UNCUT_MAX : NET_FRAME_MAX)) {
        return -EIO;
    }
    if (!has_room(used + (segment != 0)) || !take_buffers(requests, used)) {
        return -EAGAIN;
    }
    fill(requests, pieces, count);
    requests[0].size = (uint16_t)size; /* the first has the size of all */
    requests[0].flags = (uint16_t)((partial ? TXF_csum_blank | TXF_data_validated : 0) |
                                   (segment != 0 ? TXF_extra_info : 0));
    for (unsigned int i = 0; i < used; i++) {
        requests[i].flags |= i + 1 < used ? TXF_more_data : 0;
        (void)ring_front_put(&tx, &requests[i], sizeof(requests[i]));
        if (i == 0 && segment != 0) {
            struct extra_info cut = {EXTRA_gso, 0, segment, GSO_tcpv4, 0, 0};
            (void)ring_front_put(&tx, &cut, sizeof(cut));
        }
    }
    tx_pending = true;
    return 0;
}

static void flush(struct netdev *device)
{
    if (state == LINK_UP && tx_pending) { /* rarely: every call of a socket asks */
        tx_pending = false;
        if (ring_front_push(&tx)) {
            evtchn_notify(port);
        }
    }
}

/* One received slot. Frames over several slots or with extra records were never offered. */
static void receive_slot(const struct rx_response *response)
{
    if (!ring_ids_release(&rx_ids, response->id)) {
        break_link("a frame in a buffer it did not have");
        return;
    }
    if (response->flags & (RXF_more_data | RXF_extra_info)) {
        break_link("a frame in pieces, which we did not offer to take");
        return;
    }
    if (response->status <= 0) {
        return; /* the back end could not deliver it */
    }
    if (response->offset > PAGE_SIZE || (size_t)response->status > PAGE_SIZE - response->offset ||
        response->status > NET_FRAME_MAX) {
        break_link("a frame larger than its buffer");
        return;
    }
    net_receive(rx_buffer[response->id].page + response->offset, (size_t)response->status,
                response->flags & (RXF_data_validated | RXF_csum_blank));
}

static bool receive_all(void)
{
    struct rx_response response;
    bool any = false;
    int got = 0;
    uint32_t before = rx.consumed;
    do {
        /* So many per round, so that a flood cannot keep the program from running. */
        for (unsigned int i = 0; i < RX_BATCH && state == LINK_UP; i++) {
            got = ring_front_take(&rx, &response, sizeof(response));
            if (got <= 0) {
                break;
            }
            any = true;
            receive_slot(&response);
        }
        if (got < 0) {
            break_link(rx.broken);
        }
        if (state == LINK_UP && any) {
            if (2 * (rx.consumed - before) >= rx_wanted) { /* half of them at once: not enough */
                rx_wanted = MIN(2 * rx_wanted + 1, buffers);
            }
            post_receive_buffers();
        }
    } while (state == LINK_UP && got == 0 && ring_front_arm(&rx));
    return any;
}

/* What is not named here the back end takes for absent: no frames in pieces, no segments joined. */
static bool publish(void)
{
    const struct xenbus_value values[] = {
        {"tx-ring-ref", ring_grant[0]}, {"rx-ring-ref", ring_grant[1]},
        {"event-channel", port},        {"request-rx-copy", 1},
        {"feature-rx-notify", 1},       {"feature-ipv6-csum-offload", 1}, /* the last */
    };
    return xenbus_publish(&bus, values, ARRAY_COUNT(values) - (net_has_ipv6 ? 0 : 1),
                          XENBUS_CONNECTED);
}

/* Fresh rings on the same pages and grants; the back end maps them when it sees us connected.
 * Frames may be put at once: it looks at both rings when it has attached. */
static bool connect(void)
{
    ring_front_init(&tx, tx_page, sizeof(struct tx_request));
    ring_front_init(&rx, rx_page, sizeof(struct rx_request));
    ring_ids_init(&tx_ids, (uint16_t)MIN(buffers, tx.size)); /* of slots, too */
    ring_ids_init(&rx_ids, (uint16_t)buffers);
    tx_pending = false;
    gso = GSO_UNKNOWN;
    /* Frames in the ring before the back end attaches: it then starts with buffers. */
    state = LINK_UP;
    rx_wanted = RX_BUFFERS_FIRST;
    post_receive_buffers();
    return publish();
}

static void follow_backend(void)
{
    if (state == LINK_BROKEN) {
        return;
    }
    enum xenbus_news news = xenbus_follow(&bus, state == LINK_UP);
    if (news == XENBUS_GONE) {
        libos_log("network: the back end has gone away; waiting for it");
        state = LINK_DOWN;
    } else if (news == XENBUS_OFFERED && connect()) {
        libos_log("network: connected again");
    }
}

static bool poll_device(struct netdev *device)
{
    bool any = false;
    if (store_watch_fired("vif")) {
        follow_backend();
        any = true;
    }
    if (state == LINK_UP) {
        any |= receive_all();
        any |= reap_transmitted();
    }
    return any;
}

static bool parse_mac(const char *text, uint8_t mac[6])
{
    unsigned int value = 0;
    unsigned int digits = 0;
    for (int i = 0; *text != '\0' && i < 6; text++) {
        char c = *text;
        unsigned int digit = c >= '0' && c <= '9'   ? (unsigned int)(c - '0')
                             : c >= 'a' && c <= 'f' ? (unsigned int)(c - 'a' + 10)
                             : c >= 'A' && c <= 'F' ? (unsigned int)(c - 'A' + 10)
                                                    : 16;
        if (c == ':' && digits == 2) {
            digits = 0;
            value = 0;
            i++;
        } else if (digit < 16 && digits < 2) {
            value = value * 16 + digit;
            mac[i] = (uint8_t)value;
            digits++;
        } else {
            return false;
        }
    }
    return true;
}

static bool allocate(void)
{
    buffers =
        (unsigned int)MIN(MAX(page_usage().total / 16, (size_t)BUFFERS_MIN), (size_t)BUFFERS_MAX);
    tx_page = page_alloc_dirty(1); /* ring_front_init() clears them */
    rx_page = page_alloc_dirty(1);
    if (tx_page == NULL || rx_page == NULL) {
        return false;
    }
    ring_grant[0] = (uint32_t)grant_access(bus.backend_id, tx_page, false);
    ring_grant[1] = (uint32_t)grant_access(bus.backend_id, rx_page, false);
    long allocated = evtchn_alloc(bus.backend_id);
    port = (uint32_t)allocated;
    return allocated > 0;
}

static struct netdev netfront = {
    .mtu = 1500,
    .checksum_offload = true,
    .transmit = transmit,
    .cuts = cuts,
    .poll = poll_device,
    .flush = flush,
};

struct netdev *netdev_open(void)
{
    char *mac;
    if (!xenbus_find(&bus, "vif", "0", "mac", &mac)) {
        libos_log("network: no device/vif in the store");
        return NULL;
    }
    if (mac == NULL || !parse_mac(mac, netfront.mac)) {
        libos_log("network: %s/mac is not a MAC address", bus.path);
        return NULL;
    }
    heap_free(mac);
    if (!allocate()) {
        libos_log("network: no memory or grants for the rings");
        return NULL;
    }
    return xenbus_wait(&bus, XENBUS_INIT_WAIT) && connect() ? &netfront : NULL;
}

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
#include "net/join.h"
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
#define TX_MAX \
    (BUFFERS_MAX * 2 / 3) /* slots say how joined frames are cut: one for two buffers at most */
#define HELD_MAX 12       /* buffers of one frame; a back end takes 18 */

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
static bool tx_pending;                  /* put but not pushed */
static struct tx_request held[HELD_MAX]; /* the last frame, which others may still join */
static unsigned int held_count;
static struct join join;
static enum { GSO_UNKNOWN, GSO_NO, GSO_YES } gso; /* does the back end cut joined frames? */

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

/* Without a free one the back end is to tell us of the next that it is done with; else it never does. */
static uint16_t take_transmit_id(void)
{
    uint16_t id = ring_ids_take(&tx_ids);
    while (id == RING_ID_NONE && state == LINK_UP && (reap_transmitted() || ring_front_arm(&tx))) {
        id = ring_ids_take(&tx_ids);
    }
    return id;
}

/* A new buffer at the end of the held frame; false if there is none now. */
static bool hold_buffer(void)
{
    uint16_t id = take_transmit_id();
    struct buffer *buffer = &tx_buffer[id / 2];
    if (id == RING_ID_NONE || !buffer_ready(buffer, true)) {
        if (id != RING_ID_NONE) {
            ring_ids_release(&tx_ids, id);
        }
        return false;
    }
    held[held_count++] = (struct tx_request){
        .grant = buffer->grant, .offset = (uint16_t)(id % 2 * TX_SIZE), .id = id};
    return true;
}

static char *held_end(void)
{
    const struct tx_request *last = &held[held_count - 1];
    return tx_buffer[last->id / 2].page + last->offset + last->size;
}

static void append(const char *data, size_t size)
{
    while (size > 0) {
        struct tx_request *last = &held[held_count - 1];
        size_t part = MIN(size, TX_SIZE - last->size);
        if (part == 0) { /* the rest goes to the buffer that was made ready behind it */
            held_count++;
            continue;
        }
        memcpy(held_end(), data, part);
        last->size = (uint16_t)(last->size + part);
        data += part;
        size -= part;
    }
}

/* The frame is whole: its requests into the ring. The first has the size of all. */
static void release_held(void)
{
    struct extra_info cut = {EXTRA_gso, 0, join.segment, GSO_tcpv4, 0, 0};
    bool joined = join.head != NULL && join.size > JOIN_HEADERS + join.segment;
    for (unsigned int i = 0; i < held_count; i++) {
        struct tx_request request = held[i];
        request.flags |= i + 1 < held_count ? TXF_more_data : 0;
        if (i == 0 && joined) {
            request.flags |= TXF_extra_info;
            request.size = (uint16_t)join.size;
        }
        (void)ring_front_put(&tx, &request, sizeof(request));
        if (i == 0 && joined) {
            (void)ring_front_put(&tx, &cut, sizeof(cut));
        }
    }
    tx_pending |= held_count != 0;
    held_count = 0;
    join.head = NULL;
}

/* Asked when it first matters: no wait at the start, and none for those who send little. */
static bool back_end_cuts(void)
{
    if (gso == GSO_UNKNOWN) {
        gso = store_read_number(bus.backend, "feature-gso-tcpv4", 0) == 1 &&
                      store_read_number(bus.backend, "feature-sg", 0) == 1
                  ? GSO_YES
                  : GSO_NO;
    }
    return gso == GSO_YES;
}

/* Room for the payload of one more segment, in what is left of the last buffer and perhaps another. */
static bool room_to_join(size_t payload)
{
    if (TX_SIZE - held[held_count - 1].size >= payload) {
        return true;
    }
    bool ready = held_count < HELD_MAX && hold_buffer();
    held_count -= ready; /* behind the last, for append() to find */
    return ready;
}

static int transmit(struct netdev *device, const struct net_piece *pieces, unsigned int count,
                    size_t size, bool partial)
{
    if (state != LINK_UP || size > NET_FRAME_MAX) {
        return -EIO;
    }
    size_t skip = 0;
    const uint8_t *frame = pieces[0].data;
    if (held_count != 0 && partial && pieces[0].size >= JOIN_HEADERS &&
        join_follows(&join, frame, size) && back_end_cuts() && room_to_join(size - JOIN_HEADERS)) {
        skip = JOIN_HEADERS;
    } else {
        release_held();
        if (!hold_buffer()) {
            return -EAGAIN;
        }
        held[0].flags = partial ? TXF_csum_blank | TXF_data_validated : 0;
    }
    for (unsigned int i = 0; i < count; i++) {
        size_t from = i == 0 ? skip : 0;
        append((const char *)pieces[i].data + from, pieces[i].size - from);
    }
    if (skip != 0) {
        join_add(&join, frame, size);
    } else if (partial) {
        join_begin(&join, (uint8_t *)tx_buffer[held[0].id / 2].page + held[0].offset, size);
    }
    return 0;
}

static void flush(struct netdev *device)
{
    if (state != LINK_UP) {
        return;
    }
    release_held();
    if (tx_pending) {
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
    ring_ids_init(&tx_ids, (uint16_t)MIN(buffers, (unsigned int)TX_MAX));
    ring_ids_init(&rx_ids, (uint16_t)buffers);
    held_count = 0;
    join.head = NULL;
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

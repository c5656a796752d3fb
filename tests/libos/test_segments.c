/*
 * What our TCP/IP hands to the device, with a client made of bytes and a clock of our own: large
 * segments for a device that cuts, one frame for what writev() gives in pieces, fragments with a
 * whole checksum when the device stops cutting, frames of one segment after a loss. TAP.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "host.h"
#include "libos/config.h"
#include "libos/devices.h"
#include "libos/netdev.h"
#include "libos/platform.h"
#include "libos/random.h"
#include "libos/thread.h"
#include "libos/time.h"
#include "lwip/ip_addr.h"
#include "net/socket.h"

enum { MSS = 1000, PORT = 80, ROUNDS = 20 };
enum { SYN = 2, ACK = 16 };

static unsigned int passed, failed;

static void check(bool good, const char *what)
{
    printf("%s %u - %s\n", good ? "ok" : "not ok", passed + failed + 1, what);
    *(good ? &passed : &failed) += 1;
}

/* --- what the stack stands on --- */

static uint64_t now_ns = NS_PER_SECOND;
static struct poller *network;

uint64_t time_monotonic_ns(void)
{
    return now_ns;
}

uint32_t random_u32(void)
{
    return (uint32_t)rand();
}

void random_bytes(void *to, size_t size)
{
    memset(to, 7, size);
}

void copy_bulk(void *restrict to, const void *restrict from, size_t size)
{
    memcpy(to, from, size);
}

bool platform_is_constant(const void *data, size_t size)
{
    return false;
}

uint64_t platform_uptime_us(void)
{
    return 0;
}

uint64_t platform_cpu_ns(void)
{
    return 0;
}

const char config_name[] = "segments";

const char *config_value(const char *name)
{
    return strcmp(name, "ip") == 0 ? "10.0.0.2/24" : "";
}

void poller_add(struct poller *poller)
{
    network = poller;
}

void thread_wait_event(uint64_t deadline_ns)
{
    libos_panic("nobody is to wait here");
}

int file_install(struct file *file, int from, bool close_on_exec)
{
    return -EMFILE;
}

struct file *file_get(int fd)
{
    return NULL;
}

void file_put(struct file *file)
{
}

/* --- the device --- */

static struct sent {
    uint8_t frame[NET_UNCUT_MAX];
    size_t size;
    bool partial;
    uint16_t segment;
} sent[64];
static unsigned int sent_count, asked;
static bool device_cuts = true;

static int transmit(struct netdev *device, const struct net_piece *pieces, unsigned int count,
                    size_t size, bool partial, uint16_t segment)
{
    if (((const uint8_t *)pieces[0].data)[13] == 6) {
        return 0; /* ARP: who asks has learnt from the question */
    }
    struct sent *to = &sent[sent_count++ % ARRAY_COUNT(sent)];
    *to = (struct sent){.size = 0, .partial = partial, .segment = segment};
    if (size > (segment == 0 ? NET_FRAME_MAX : NET_UNCUT_MAX)) {
        libos_panic("a frame of %zu bytes", size);
    }
    for (unsigned int i = 0; i < count; i++) {
        memcpy(to->frame + to->size, pieces[i].data, pieces[i].size);
        to->size += pieces[i].size;
    }
    return 0;
}

static bool cuts(struct netdev *device)
{
    asked++;
    return device_cuts;
}

static bool nothing(struct netdev *device)
{
    return false;
}

static void flush(struct netdev *device)
{
}

static struct netdev device = {.mac = {2, 0, 0, 0, 0, 2},
                               .mtu = 1500,
                               .checksum_offload = true,
                               .transmit = transmit,
                               .cuts = cuts,
                               .poll = nothing,
                               .flush = flush};

struct netdev *netdev_open(void)
{
    return &device;
}

/* --- the client --- */

static uint32_t client_sequence = 1000, server_next; /* the stream until there has been taken */
static uint16_t client_port = 4000, client_window = 60000;

static void put(uint8_t *at, uint32_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--, value >>= 8) {
        at[i] = (uint8_t)value;
    }
}

static uint32_t get(const uint8_t *at, int bytes)
{
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++) {
        value = value << 8 | at[i];
    }
    return value;
}

static uint16_t sum(const uint8_t *data, size_t size, uint32_t from)
{
    for (size_t i = 0; i < size; i++) {
        from += (uint32_t)data[i] << (i % 2 == 0 ? 8 : 0);
    }
    while (from >> 16) {
        from = (from & 0xffff) + (from >> 16);
    }
    return (uint16_t)from;
}

static const uint8_t to_server[14] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0};
static const uint8_t addresses[8] = {10, 0, 0, 1, 10, 0, 0, 2};

static void ask_for_neighbour(void)
{
    uint8_t frame[42];
    memcpy(frame, to_server, 12);
    memset(frame, 0xff, 6);
    memcpy(frame + 12, (const uint8_t[]){8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1}, 16);
    memcpy(frame + 28, addresses, 4);
    memset(frame + 32, 0, 6);
    memcpy(frame + 38, addresses + 4, 4);
    net_receive(frame, sizeof(frame), true);
}

static void say(uint8_t flags)
{
    uint8_t frame[58] = {0};
    size_t options = flags & SYN ? 4 : 0;
    memcpy(frame, to_server, 14);
    frame[14] = 0x45;
    put(frame + 16, (uint32_t)(40 + options), 2);
    frame[22] = 64;
    frame[23] = 6;
    memcpy(frame + 26, addresses, 8);
    put(frame + 24, (uint16_t)~sum(frame + 14, 20, 0), 2);
    put(frame + 34, client_port, 2);
    put(frame + 36, PORT, 2);
    put(frame + 38, client_sequence, 4);
    put(frame + 42, server_next, 4);
    frame[46] = (uint8_t)((5 + options / 4) << 4);
    frame[47] = flags;
    put(frame + 48, client_window, 2);
    put(frame + 54, 0x02040000 | MSS, 4);
    net_receive(frame, 54 + options, true);
    client_sequence += flags & SYN ? 1 : 0;
}

static uint8_t byte_at(uint32_t place)
{
    return (uint8_t)(place * 31 >> 3);
}

/* Take the frames sent since then, all of them data in order; how many, 0 if something is wrong with one. */
static unsigned int take(size_t largest, uint16_t segment)
{
    unsigned int good = 0;
    for (unsigned int i = 0; i < sent_count; i++) {
        const struct sent *s = &sent[i];
        uint16_t begun = sum(s->frame + 26, 8, (uint32_t)(6 + s->size - 34));
        bool right = s->size > 54 && s->size <= 54 + largest && s->partial &&
                     get(s->frame + 50, 2) == begun && get(s->frame + 38, 4) == server_next &&
                     get(s->frame + 16, 2) == s->size - 14 &&
                     s->segment == (s->size > NET_FRAME_MAX ? segment : 0);
        for (size_t at = 54; right && at < s->size; at++, server_next++) {
            right = s->frame[at] == byte_at(server_next);
        }
        if (!right) {
            printf("# frame of %zu bytes, segment %u\n", s->size, s->segment);
            return 0;
        }
        good++;
    }
    sent_count = 0;
    return good;
}

/* The fragments sent since then as one packet: its size, 0 if they are not one with a good checksum. */
static size_t reassemble(uint8_t *packet, size_t limit)
{
    size_t size = 0;
    for (unsigned int i = 0; i < sent_count; i++) {
        const struct sent *s = &sent[i];
        size_t part = get(s->frame + 16, 2) - 20;
        if (s->partial || s->segment != 0 || (get(s->frame + 20, 2) & 0x1fff) * 8 != size ||
            ((s->frame[20] & 0x20) != 0) != (i + 1 < sent_count) || size + part > limit) {
            printf("# fragment %u of %u\n", i, sent_count);
            return 0;
        }
        memcpy(packet + size, s->frame + 34, part);
        size += part;
    }
    bool good =
        size > 20 && sum(packet, size, sum(sent[0].frame + 26, 8, (uint32_t)(6 + size))) == 0xffff;
    sent_count = 0;
    return good ? size : 0;
}

static void pass_seconds(int seconds)
{
    for (int i = 0; i < 4 * seconds; i++) {
        now_ns += NS_PER_SECOND / 4;
        network->poll();
    }
}

static struct socket *listen_here(void)
{
    struct socket *listener = socket_new(AF_INET, SOCK_STREAM, &tcp_ops);
    ip_addr_t any = *IP4_ADDR_ANY;
    if (tcp_socket_open(listener) != 0 || tcp_socket_bind(listener, &any, PORT) != 0 ||
        tcp_socket_listen(listener, 5) != 0) {
        libos_panic("no listener");
    }
    ask_for_neighbour();
    return listener;
}

static struct socket *connect_client(struct socket *listener)
{
    client_port++;
    sent_count = 0;
    say(SYN);
    if (sent_count != 1 || sent[0].frame[47] != (SYN | ACK)) {
        libos_panic("SYN is not answered");
    }
    server_next = get(sent[0].frame + 38, 4) + 1;
    say(ACK);
    sent_count = 0;
    struct socket *socket = tcp_socket_accept(listener);
    if (socket == NULL) {
        libos_panic("no connection to accept");
    }
    socket->file.flags |= O_NONBLOCK;
    return socket;
}

static int one_lost_of; /* so many segments; 0: none */

static bool lost(void)
{
    return one_lost_of != 0 && rand() % one_lost_of == 0;
}

static void say_perhaps(void)
{
    if (!lost()) {
        say(ACK);
    }
}

/* What was sent, cut where the device would, over a line that loses. Every second segment is acknowledged
 * over the same, and at once what comes out of order. */
static bool take_some(unsigned int *losses)
{
    static struct sent frames[ARRAY_COUNT(sent)];
    unsigned int count = sent_count, unacknowledged = 0;
    memcpy(frames, sent, sizeof(frames));
    sent_count = 0;
    for (unsigned int i = 0; i < count; i++) {
        const struct sent *s = &frames[i];
        size_t segment = s->segment != 0 ? s->segment : s->size - 54;
        for (size_t at = 54; at < s->size; at += segment) {
            uint32_t place = get(s->frame + 38, 4) + (uint32_t)(at - 54);
            size_t size = MIN(segment, s->size - at);
            if (lost()) {
                ++*losses;
                continue;
            }
            size_t old = server_next - place; /* huge if there is a gap: kept by nobody */
            bool next = old < size;
            for (; old < size; old++, server_next++) {
                if (s->frame[at + old] != byte_at(server_next)) {
                    return false;
                }
            }
            if (!next || ++unacknowledged == 2) {
                unacknowledged = 0;
                say_perhaps();
            }
        }
    }
    if (unacknowledged != 0) {
        say_perhaps();
    }
    return true;
}

/* Send so many bytes of the stream and take them; the seconds it took, 1000 if they did not arrive. */
static unsigned int pass_stream(struct socket *socket, size_t size, unsigned int *losses)
{
    static uint8_t stream[400000];
    uint32_t start = server_next;
    size_t queued = 0;
    uint64_t began = now_ns;
    for (size_t i = 0; i < size; i++) {
        stream[i] = byte_at(start + (uint32_t)i);
    }
    while (server_next != start + size && now_ns - began < 1000 * NS_PER_SECOND) {
        ssize_t done = tcp_socket_send(socket, stream + queued, size - queued, 0);
        queued += done > 0 ? (size_t)done : 0;
        if (sent_count == 0) {
            pass_seconds(1);
            ask_for_neighbour(); /* or the stack forgets it */
        }
        if (!take_some(losses)) {
            break;
        }
    }
    return server_next == start + size ? (unsigned int)((now_ns - began) / NS_PER_SECOND) : 1000;
}

/* 400,000 bytes, of which every fiftieth segment is lost. */
static void lossy_line(struct socket *listener)
{
    unsigned int losses = 0, seconds;
    char what[100];
    one_lost_of = 50;
    seconds = pass_stream(connect_client(listener), 400000, &losses);
    snprintf(what, sizeof(what), "%u segments lost: every byte in order, in %u s", losses, seconds);
    check(seconds < 1000 && losses > 0, what);
    one_lost_of = 0;
}

/* A client whose window becomes smaller than a large segment, for good. */
static void small_window(struct socket *listener)
{
    unsigned int losses = 0, before, after;
    struct socket *socket = connect_client(listener);
    before = pass_stream(socket, 100000, &losses);
    client_window = 2500;
    after = pass_stream(socket, 100000, &losses);
    printf("# %u s, then %u s\n", before, after);
    check(before == 0 && after < 60, "a window that becomes small: every byte in order");
    client_window = 60000;
}

int main(void)
{
    static uint8_t data[40000], packet[65536];
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("1..%d\n", 11 + ROUNDS);
    net_start();
    struct socket *listener = listen_here();
    struct socket *socket = connect_client(listener);
    uint32_t start = server_next;
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = byte_at(start + (uint32_t)i);
    }

    check(tcp_socket_send(socket, data, 500, 0) == 500 && take(500, 0) == 1 && asked == 0,
          "a small answer is a frame, and the device is not asked");
    say(ACK);

    struct iovec pieces[3] = {{data + 500, 300}, {data + 800, 9200}, {data + 10000, 0}};
    check(socket_writev(&socket->file, pieces, 3) == 9500 && asked > 0, "three pieces are taken");
    check(take(9500, MSS) == 1 && server_next == start + 10000,
          "they leave as one frame, to be cut");
    say(ACK);

    check(tcp_socket_send(socket, data + 10000, 25000, 0) == 25000,
          "more than the window is taken");
    bool good = true;
    for (int round = 0; good && round < 10 && server_next != start + 35000; round++) {
        good = take(NET_SEGMENTS * MSS, MSS) != 0;
        say(ACK);
    }
    check(good && server_next == start + 35000,
          "it comes as large segments, as they are acknowledged");
    sent_count = 0;

    check(tcp_socket_send(socket, data + 35000, 3000, MSG_MORE) == 3000 && sent_count == 0,
          "MSG_MORE waits");
    pass_seconds(1);
    check(sent_count == 1 && sent[0].size == 3054, "but not for ever");
    sent_count = 0; /* lost, and the back end comes back as one that does not cut */
    device_cuts = false;
    for (int i = 0; i < 20 && sent_count == 0; i++) {
        pass_seconds(1);
    }
    size_t size = reassemble(packet, sizeof(packet));
    good = size == 3020 && get(packet + 4, 4) == server_next;
    for (size_t at = 20; good && at < size; at++, server_next++) {
        good = packet[at] == byte_at(server_next);
    }
    check(good, "sent again as fragments with a whole checksum");
    say(ACK);
    sent_count = 0;

    device_cuts = true;
    check(tcp_socket_send(socket, data + 38000, 2000, 0) == 2000, "taken after a loss");
    say(ACK);
    check(take(MSS, 0) == 2, "and sent in frames of one segment, small window or not");
    small_window(listener);
    for (int round = 0; round < ROUNDS; round++) {
        lossy_line(listener);
    }
    return failed != 0;
}

/*
 * The ring library and the network and block front ends against a peer that lies.
 *
 * One body, three engines: libFuzzer (LLVMFuzzerTestOneInput), a seeded generator (main, with
 * the number of messages), both under sanitizers. The bytes are the peer: each step either
 * scribbles over the shared page, moves an index, behaves, or lets our side act.
 *
 * What must hold: nothing outside the page and the buffers is touched (the sanitizers see to
 * that: pages are separate heap blocks), our indices never pass what we allow, a broken ring stays
 * broken, ids are released once.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libos/blkdev.h"
#include "libos/netdev.h"
#include "libos/platform.h"
#include "libos/thread.h"
#include "libos/xen.h"
#include "libos/page.h"
#include "ring/ring.h"
#include "xen/xenbus.h"

static unsigned long messages;

#define MUST(condition)                                                     \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                        \
        }                                                                   \
    } while (0)

struct input {
    const uint8_t *data;
    size_t size;
};

static uint32_t next(struct input *in, size_t bytes)
{
    uint32_t value = 0;
    while (bytes-- > 0 && in->size > 0) {
        value = value << 8 | *in->data++;
        in->size--;
    }
    return value;
}

/* --- the library alone, both ends --- */

static void scribble(struct input *in, uint8_t *page)
{
    uint32_t at = next(in, 2) % RING_PAGE_SIZE;
    uint32_t count = next(in, 1) % 64;
    for (uint32_t i = 0; i < count && at + i < RING_PAGE_SIZE; i++) {
        page[at + i] = (uint8_t)next(in, 1);
    }
}

static void move_index(struct input *in, struct ring_shared *shared)
{
    uint32_t *index[] = {&shared->request_produced, &shared->request_event,
                         &shared->response_produced, &shared->response_event};
    uint32_t which = next(in, 1);
    uint32_t by = next(in, which & 4 ? 4 : 1);
    *index[which & 3] += which & 8 ? by : (uint32_t)(int8_t)by;
}

static void front_step(struct input *in, struct ring *ring, struct ring_ids *ids)
{
    uint8_t entry[RING_ENTRY_MAX];
    memset(entry, 0x5a, sizeof(entry));
    uint32_t outstanding = ring->produced - ring->consumed;
    MUST(outstanding <= ring->size);
    switch (next(in, 1) % 4) {
    case 0: {
        uint16_t id = ring_ids_take(ids);
        if (id != RING_ID_NONE && !ring_front_put(ring, entry, ring->entry_size)) {
            MUST(ring->broken != NULL || outstanding == ring->size);
            MUST(ring_ids_release(ids, id));
        }
        break;
    }
    case 1:
        (void)ring_front_push(ring);
        break;
    case 2:
        if (ring_front_take(ring, entry, ring->entry_size) == 1) {
            uint64_t id = entry[0] | (uint64_t)entry[1] << 8;
            if (ring_ids_release(ids, id)) {
                MUST(!ring_ids_release(ids, id));
            }
        }
        break;
    default:
        (void)ring_front_arm(ring);
    }
    if (ring->broken != NULL) {
        MUST(ring_front_take(ring, entry, 4) == -1 && !ring_front_put(ring, entry, 4));
    }
}

static void back_step(struct input *in, struct ring *ring)
{
    uint8_t entry[RING_ENTRY_MAX] = {0};
    MUST(ring->consumed - ring->produced <= ring->size);
    switch (next(in, 1) % 4) {
    case 0:
        (void)ring_back_take(ring, entry, ring->entry_size);
        break;
    case 1:
        (void)ring_back_put(ring, entry, 4);
        break;
    case 2:
        (void)ring_back_push(ring);
        break;
    default:
        (void)ring_back_arm(ring);
    }
    if (ring->broken != NULL) {
        MUST(ring_back_take(ring, entry, 4) == -1 && !ring_back_put(ring, entry, 4));
    }
}

static void fuzz_library(struct input *in)
{
    static const uint32_t sizes[] = {4, 8, 12, 112};
    uint8_t *page = malloc(RING_PAGE_SIZE);
    uint32_t entry_size = sizes[next(in, 1) & 3];
    struct ring front, back;
    struct ring_ids ids;
    ring_front_init(&front, page, entry_size);
    ring_ids_init(&ids, (uint16_t)MIN(ring_entries(entry_size), (uint32_t)RING_IDS_MAX));
    if (next(in, 1) & 1) {
        scribble(in, page);
    }
    (void)ring_back_init(&back, page, entry_size);
    while (in->size > 0) {
        messages++;
        switch (next(in, 1) % 8) {
        case 0:
            scribble(in, page);
            break;
        case 1:
            move_index(in, (struct ring_shared *)page);
            break;
        case 2:
        case 3:
        case 4:
            front_step(in, &front, &ids);
            break;
        default:
            back_step(in, &back);
        }
    }
    free(page);
}

/* --- the network front end over a model of the store, grants and events --- */

#define GRANTS 64
static uint8_t *granted[GRANTS];
static unsigned int grant_count;
static struct netdev *device;
static unsigned long frames;

long grant_access(uint16_t domain, const void *page, bool read_only)
{
    if (grant_count == GRANTS) {
        return -28;
    }
    granted[grant_count] = (uint8_t *)(uintptr_t)page;
    return (long)grant_count++;
}

bool grant_end(uint32_t reference)
{
    return true;
}

/* Each page its own heap block, so that a step past its end is seen. */
void *page_alloc(size_t count)
{
    void *pages = aligned_alloc(4096, count * 4096);
    memset(pages, 0, count * 4096);
    return pages;
}

void *page_alloc_dirty(size_t count)
{
    return page_alloc(count);
}

struct page_usage page_usage(void)
{
    return (struct page_usage){.total = 256};
}

void page_free(void *pages, size_t count)
{
    free(pages);
}

long evtchn_alloc(uint16_t domain)
{
    return 5;
}

void evtchn_notify(uint32_t port)
{
}

void libos_log(const char *format, ...)
{
}

size_t libos_format(char *text, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, size, format, arguments);
    va_end(arguments);
    return (size_t)length;
}

void copy_bulk(void *restrict to, const void *restrict from, size_t size)
{
    memcpy(to, from, size);
}

void heap_free(void *memory)
{
    free(memory);
}

long store_read_number(const char *path, const char *name, long otherwise)
{
    return 1; /* it cuts frames into segments */
}

static bool watch_fires;
static enum xenbus_news news;

bool store_watch_fired(const char *token)
{
    bool fires = watch_fires;
    watch_fires = false;
    return fires;
}

const bool net_has_ipv6 = true;

bool xenbus_find(struct xenbus_device *found, const char *kind, const char *guess,
                 const char *extra, char **value)
{
    *value = strdup("00:16:3e:01:02:03");
    return true;
}

enum xenbus_news xenbus_follow(struct xenbus_device *d, bool up)
{
    enum xenbus_news now = news;
    d->state = XENBUS_CONNECTED;
    news = XENBUS_NO_NEWS;
    return now == XENBUS_GONE && !up ? XENBUS_NO_NEWS : now;
}

bool xenbus_wait(struct xenbus_device *d, enum xenbus_state state)
{
    return true;
}

bool xenbus_switch(const struct xenbus_device *d, enum xenbus_state state)
{
    return true;
}

bool xenbus_publish(const struct xenbus_device *d, const struct xenbus_value *values,
                    unsigned int count, enum xenbus_state state)
{
    return true;
}

void net_receive(const void *frame, size_t size, bool verified)
{
    static volatile unsigned int sum;
    MUST(size > 0 && size <= NET_FRAME_MAX);
    for (size_t i = 0; i < size; i++) {
        sum += ((const uint8_t *)frame)[i];
    }
    frames++;
}

/* Grants 0 and 1 are the rings' (netfront.c allocates them first). */
static void lie(struct input *in)
{
    struct ring_shared *shared = (struct ring_shared *)granted[next(in, 1) & 1];
    uint32_t kind = next(in, 1) % 8;
    if (kind == 0) {
        scribble(in, (uint8_t *)shared);
    } else if (kind == 1) {
        move_index(in, shared);
    } else { /* nearly honest: the next response, with fields of the input's choice */
        bool is_tx = (uint8_t *)shared == granted[0];
        uint32_t size = is_tx ? 12 : 8;
        uint8_t *slot = (uint8_t *)shared + RING_HEADER_SIZE +
                        shared->response_produced % ring_entries(size) * size;
        uint16_t fields[4] = {(uint16_t)next(in, 1), 0, 0, 0};
        if (fields[0] >= 40) { /* mostly the id of the request that lies there */
            memcpy(&fields[0], slot + (is_tx ? 8 : 0), sizeof(fields[0]));
        }
        if (is_tx) {
            memcpy(slot, fields, 4);
        } else {
            fields[1] = kind == 2 ? (uint16_t)next(in, 2) : 0;
            fields[2] = kind == 3 ? (uint16_t)next(in, 1) : 0;
            fields[3] = kind == 4 ? (uint16_t)next(in, 2) : (uint16_t)(next(in, 1) * 6);
            memcpy(slot, fields, 8);
        }
        shared->response_produced++;
    }
}

static void fuzz_netfront(struct input *in)
{
    static uint8_t frame[NET_UNCUT_MAX + 1];
    grant_count = 0;
    device = netdev_open();
    MUST(device != NULL);
    while (in->size > 0) {
        messages++;
        switch (next(in, 1) % 4) {
        case 0:
        case 1:
            lie(in);
            break;
        case 2: {
            uint32_t kind = next(in, 1);
            struct net_piece piece = {frame,
                                      kind & 7 ? NET_FRAME_MAX : next(in, 2) % (sizeof(frame) + 1)};
            int error = device->transmit(device, &piece, 1, piece.size, kind & 8,
                                         kind & 32 && device->cuts(device) ? 1460 : 0);
            MUST(error != 0 || piece.size <= NET_FRAME_MAX || kind & 32);
            if (kind & 16) {
                device->flush(device);
            }
            break;
        }
        default:
            (void)device->poll(device);
        }
    }
    for (unsigned int i = 0; i < 2; i++) { /* the rings; the front end keeps its buffers */
        free(granted[i]);
    }
}

/* --- an honest back end, as strict as Linux's: frames small and large arrive as one stream --- */

struct slot { /* struct netif_tx_request */
    uint32_t grant;
    uint16_t offset, flags, id, size;
};

static const uint8_t *slot_data(const struct slot *slot, size_t size)
{
    MUST(slot->grant < grant_count && slot->offset + size <= 4096);
    return granted[slot->grant] + slot->offset;
}

/* One frame out of its slots; its size, or 0. *cut: the segment size, if it is to be cut. */
static size_t take_frame(struct ring *back, uint8_t *frame, uint16_t *cut)
{
    struct slot slots[18], extra = {0};
    struct slot answer = {0};
    unsigned int count = 0;
    size_t at, rest = 0;
    if (ring_back_take(back, &slots[count++], sizeof(slots[0])) != 1) {
        return 0;
    }
    *cut = 0;
    if (slots[0].flags & 8) {
        uint8_t bytes[sizeof(extra)];
        MUST(ring_back_take(back, bytes, sizeof(bytes)) == 1 && bytes[0] == 1 && bytes[1] == 0);
        memcpy(cut, bytes + 2, sizeof(*cut));
    }
    while (slots[count - 1].flags & 4) {
        MUST(count < 18 && ring_back_take(back, &slots[count], sizeof(slots[0])) == 1);
        rest += slots[count++].size;
    }
    MUST(slots[0].size >= rest + 14);
    at = slots[0].size - rest;
    memcpy(frame, slot_data(&slots[0], at), at);
    for (unsigned int i = 1; i < count; i++) {
        memcpy(frame + at, slot_data(&slots[i], slots[i].size), slots[i].size);
        at += slots[i].size;
    }
    for (unsigned int i = 0; i < count; i++) { /* struct netif_tx_response: id, status */
        uint16_t response[2] = {slots[i].id, 0};
        memcpy(&answer, response, sizeof(response));
        MUST(ring_back_put(back, &answer, sizeof(answer)));
        if (i == 0 && *cut != 0) {
            uint16_t null[2] = {0x101, 1};
            memcpy(&answer, null, sizeof(null));
            MUST(ring_back_put(back, &answer, sizeof(answer)));
        }
    }
    (void)ring_back_push(back);
    return at;
}

/* Frames of a stream with bursts and pauses; its bytes must come out in order. */
static unsigned long honest_netfront(void)
{
    static uint8_t frame[NET_UNCUT_MAX];
    static uint8_t whole[65536];
    uint32_t sent = 0, seen = 0;
    unsigned long cut_frames = 0;
    struct ring back;
    uint16_t cut;
    size_t size;
    grant_count = 0;
    device = netdev_open();
    MUST(device != NULL && ring_back_init(&back, granted[0], 12));
    for (int burst = 0; burst < 20000; burst++) {
        for (int n = rand() % 30; n > 0; n--) {
            bool large = rand() % 2 == 0;
            size_t payload = rand() % 4 == 0 ? (size_t)rand() % 1460 + 1 : 1460;
            payload += large ? (size_t)(rand() % (NET_SEGMENTS - 1) + 1) * 1460 : 0;
            for (size_t i = 0; i < payload; i++) {
                frame[54 + i] = (uint8_t)((sent + i) * 31 >> 3);
            }
            frame[38] = (uint8_t)(sent >> 24), frame[39] = (uint8_t)(sent >> 16);
            frame[40] = (uint8_t)(sent >> 8), frame[41] = (uint8_t)sent;
            struct net_piece pieces[2] = {{frame, 54 + payload / 3},
                                          {frame + 54 + payload / 3, payload - payload / 3}};
            if (device->transmit(device, pieces, 2, 54 + payload, true, large ? 1460 : 0) != 0) {
                break;
            }
            sent += (uint32_t)payload;
        }
        device->flush(device);
        while ((size = take_frame(&back, whole, &cut)) != 0) {
            MUST(cut == 0 ? size <= NET_FRAME_MAX : size > 54U + cut);
            MUST((uint32_t)(whole[38] << 24 | whole[39] << 16 | whole[40] << 8 | whole[41]) ==
                 seen);
            for (size_t i = 54; i < size; i++, seen++) {
                MUST(whole[i] == (uint8_t)(seen * 31 >> 3));
            }
            cut_frames += cut != 0;
        }
        (void)device->poll(device);
        MUST(seen == sent);
    }
    for (unsigned int i = 0; i < 2; i++) {
        free(granted[i]);
    }
    return cut_frames;
}

/* --- the block front end: whoever waits for it meets the peer --- */

static struct input *liar;
static struct poller *disk;
static unsigned long answers;

void poller_add(struct poller *poller)
{
    disk = poller;
}

bool store_burst(struct store_request *requests, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++) {
        requests[i].answer = strdup(i == 0 ? "65536" : i == 1 ? "512" : i == 3 ? "1" : "0");
    }
    return true;
}

long store_number(char *text, long otherwise)
{
    long number = text == NULL ? otherwise : strtol(text, NULL, 10);
    free(text);
    return number;
}

bool thread_wait_key(uintptr_t key, uint64_t deadline_ns)
{
    MUST(!"nobody else has the device");
    return false;
}

int thread_wake(uintptr_t key, int count)
{
    return 0;
}

/* The lies of one wait. When the input is at its end, the ring breaks for good: waiting must end. */
void thread_wait_event(uint64_t deadline_ns)
{
    struct ring_shared *shared = (struct ring_shared *)granted[0];
    messages++;
    uint32_t kind = next(liar, 1) % 16;
    if (liar->size == 0) {
        watch_fires = true;
        news = XENBUS_OFFERED;
        (void)disk->poll();
        watch_fires = true;
        news = XENBUS_NO_NEWS; /* connected: up at the latest now */
        (void)disk->poll();
        shared->response_produced += 1000;
    } else if (kind == 0) {
        scribble(liar, granted[0]);
    } else if (kind == 1) {
        move_index(liar, shared);
    } else if (kind < 4) {
        watch_fires = true;
        news = (enum xenbus_news)(next(liar, 1) % 3);
    } else { /* an answer: the request's own id and operation, or others */
        uint8_t *slot = granted[0] + RING_HEADER_SIZE + shared->response_produced % 32 * 112;
        uint64_t id;
        memcpy(&id, slot + 8, sizeof(id));
        uint8_t response[16] = {0};
        id += kind == 4 ? next(liar, 2) : 0;
        memcpy(response, &id, sizeof(id));
        response[8] = (uint8_t)(slot[0] + (kind == 5 ? next(liar, 1) : 0));
        response[10] = (uint8_t)(kind == 6 ? next(liar, 1) : 0);
        memcpy(slot, response, sizeof(response));
        shared->response_produced++;
        answers++;
    }
    (void)disk->poll();
}

static void fuzz_blkfront(struct input *in)
{
    liar = in;
    grant_count = 0;
    struct blkdev *device = blkdev_open();
    MUST(device != NULL);
    while (in->size > 0) {
        size_t sectors = next(in, 1) % 100 + 1;
        char *data = calloc(sectors, SECTOR_SIZE); /* its own heap block: a step past it is seen */
        uint64_t at = next(in, 3);
        uint32_t kind = next(in, 1) % 4;
        int error = kind == 0   ? device->flush()
                    : kind == 1 ? device->write(at, data, sectors)
                                : device->read(at, data, sectors);
        MUST(error == 0 || error == -5 || (error == -22 && at + sectors > device->sectors));
        free(data);
    }
    free(granted[0]);
    free(granted[1]); /* all its buffers are one block */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    switch (next(&in, 1) % 4) {
    case 0:
        fuzz_netfront(&in);
        break;
    case 1:
        fuzz_blkfront(&in);
        break;
    default:
        fuzz_library(&in);
    }
    return 0;
}

#ifndef LIBFUZZER
static uint64_t state;

static uint64_t generate(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

int main(int argc, char **argv)
{
    unsigned long wanted = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;
    unsigned long runs = 0;
    state = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    puts("1..4");
    unsigned long cut_frames = honest_netfront(); /* first: its buffers are granted now, once */
    for (; messages < wanted; runs++) {
        uint8_t data[1024];
        size_t size = generate() % sizeof(data);
        for (size_t i = 0; i < size; i++) {
            data[i] = (uint8_t)generate();
        }
        LLVMFuzzerTestOneInput(data, size);
    }
    printf("ok 1 - %lu messages in %lu runs from a lying peer: no rule broken on our side\n",
           messages, runs);
    /* A check that has never fired is not a check: the frames must really have been delivered. */
    printf("%s 2 - %lu frames of the peer were delivered\n",
           frames > wanted / 2000 ? "ok" : "not ok", frames);
    printf("%s 3 - %lu of the peer's answers were looked at\n",
           answers > wanted / 1000 ? "ok" : "not ok", answers);
    printf("%s 4 - an honest back end got every byte in order, %lu frames to be cut\n",
           cut_frames > 10000 ? "ok" : "not ok", cut_frames);
    return cut_frames > 10000 && frames > wanted / 2000 && answers > wanted / 1000 ? 0 : 1;
}
#endif

/*
 * Store client (public/io/xs_wire.h): bursts of requests over the shared page, so that what is
 * known beforehand costs one event and one wait. Watch events that arrive between are remembered
 * by token.
 */
#include <errno.h>
#include <string.h>

#include "libos/heap.h"
#include "libos/mmu.h"
#include "libos/platform.h"
#include "libos/time.h"
#include "libos/xen.h"

#define RING_SIZE 1024
#define PAYLOAD_MAX 4096
#define STORE_TIMEOUT_NS (180 * NS_PER_SECOND) /* a store that boots or restarts is waited for */
#define WATCHES_MAX 8
#define TOKEN_SIZE 16

struct store_page { /* struct xenstore_domain_interface */
    char req[RING_SIZE];
    char rsp[RING_SIZE];
    uint32_t req_cons, req_prod;
    uint32_t rsp_cons, rsp_prod;
    uint32_t server_features;
    uint32_t connection; /* XENSTORE_CONNECTED is 0 */
};

struct message { /* struct xsd_sockmsg */
    uint32_t type;
    uint32_t request;
    uint32_t transaction;
    uint32_t size;
};

enum { XS_WATCH_EVENT = 15, XS_ERROR = 16 };

static volatile struct store_page *page;
static uint32_t port;
static uint32_t last_request;
static struct {
    char token[TOKEN_SIZE];
    bool fired;
} watches[WATCHES_MAX];
static unsigned int fired_count; /* asked at every turn of the event loop */

bool store_present(void)
{
    if (page == NULL) {
        uint64_t frame = hvm_param(HVM_PARAM_STORE_PFN);
        port = (uint32_t)hvm_param(HVM_PARAM_STORE_EVTCHN);
        if (frame == 0 || port == 0) {
            return false;
        }
        page = mmu_map_frame(frame);
        evtchn_watch(port);
    }
    return true;
}

static void barrier(void)
{
    __asm__ volatile("dmb ish" ::: "memory");
}

/* Wait for the store to move; false when it has been silent too long. It says four times for each
 * request that it has: what is done for each of them is as little as can be. */
static bool wait_store(uint64_t deadline)
{
    return evtchn_wait(port, deadline) || time_monotonic_ns() < deadline;
}

/* Before the store knows us it clears the page: what we wrote there would be lost. */
static bool wait_connected(uint64_t deadline)
{
    while (page->connection != 0) {
        if (!wait_store(deadline)) {
            return false;
        }
    }
    return true;
}

static uint32_t ring_room(void)
{
    uint32_t used = page->req_prod - page->req_cons;
    return used > RING_SIZE ? 0 : RING_SIZE - used;
}

/* Put bytes at *index, which the store does not see yet; callers have made sure that there is room. */
static void put_bytes(uint32_t *index, const void *from, size_t size)
{
    uint32_t at = *index % RING_SIZE;
    size_t part = MIN(size, (size_t)RING_SIZE - at);
    memcpy((char *)page->req + at, from, part);
    if (part < size) {
        memcpy((char *)page->req, (const char *)from + part, size - part);
    }
    *index += (uint32_t)size;
}

static bool receive_bytes(void *to, size_t size, uint64_t deadline)
{
    char *bytes = to;
    while (size > 0) {
        uint32_t cons = page->rsp_cons;
        uint32_t available = page->rsp_prod - cons;
        if (available == 0 || available > RING_SIZE) {
            if (!wait_store(deadline)) {
                return false;
            }
            continue;
        }
        barrier(); /* index before bytes */
        uint32_t at = cons % RING_SIZE;
        size_t part = MIN(MIN(size, available), (size_t)RING_SIZE - at);
        memcpy(bytes, (const char *)page->rsp + at, part);
        bytes += part;
        size -= part;
        barrier(); /* bytes read before the room is given back */
        page->rsp_cons = cons + (uint32_t)part;
        if (available >= RING_SIZE / 2) {
            evtchn_notify(port); /* the store may be waiting for room */
        }
    }
    return true;
}

/* Payload: path, token, both terminated. */
static void note_watch(const char *payload, size_t size)
{
    size_t path = strnlen(payload, size) + 1;
    for (int i = 0; path < size && i < WATCHES_MAX; i++) {
        if (watches[i].token[0] != '\0' && strcmp(watches[i].token, payload + path) == 0) {
            fired_count += !watches[i].fired;
            watches[i].fired = true;
        }
    }
}

/* Read one whole message; a heap block with a terminator added, or NULL. */
static char *receive_message(struct message *header, uint64_t deadline)
{
    if (!receive_bytes(header, sizeof(*header), deadline) || header->size > PAYLOAD_MAX) {
        return NULL;
    }
    char *payload = heap_alloc(header->size + 1);
    if (payload == NULL || !receive_bytes(payload, header->size, deadline)) {
        heap_free(payload);
        return NULL;
    }
    payload[header->size] = '\0';
    return payload;
}

/* False if it does not fit now. */
static bool send_request(struct store_request *r)
{
    struct message header = {r->kind, last_request + 1, 0, 0};
    size_t path = strlen(r->path) + 1;
    size_t name = r->name == NULL ? 0 : strlen(r->name) + 1;
    header.size = (uint32_t)(path + name + r->value_size);
    if (sizeof(header) + header.size > ring_room()) {
        return false;
    }
    last_request++;
    uint32_t index = page->req_prod;
    put_bytes(&index, &header, sizeof(header));
    put_bytes(&index, r->path, path - (name != 0));
    if (name != 0) {
        put_bytes(&index, "/", 1);
        put_bytes(&index, r->name, name);
    }
    put_bytes(&index, r->value, r->value_size);
    barrier(); /* bytes before index */
    page->req_prod = index;
    r->done = false;
    return true;
}

/* Answers come in the order of the requests; `first` is the number of requests[0]. */
static bool collect(struct store_request *requests, unsigned int count, uint32_t first,
                    uint64_t deadline)
{
    unsigned int left = count;
    struct message header;
    while (left > 0) {
        char *payload = receive_message(&header, deadline);
        if (payload == NULL) {
            return false;
        }
        uint32_t which = header.request - first;
        if (header.type == XS_WATCH_EVENT) {
            note_watch(payload, header.size);
        } else if (which < count && !requests[which].done) {
            struct store_request *r = &requests[which];
            left--;
            r->done = true;
            r->failed = header.type == XS_ERROR;
            if (!r->failed && (r->kind == STORE_READ || r->kind == STORE_LIST)) {
                r->answer = payload;
                r->answer_size = header.size;
                payload = NULL;
            }
        }
        heap_free(payload);
    }
    return true;
}

bool store_burst(struct store_request *requests, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++) {
        requests[i].answer = NULL;
        requests[i].failed = true;
    }
    uint64_t deadline = time_monotonic_ns() + STORE_TIMEOUT_NS;
    if (!store_present() || !wait_connected(deadline)) {
        return false;
    }
    while (count > 0) {
        /* As many as fit whole: then the store's answers can always be waited for without sending. */
        uint32_t first = last_request + 1;
        unsigned int sent = 0;
        while (sent < count && send_request(&requests[sent])) {
            sent++;
        }
        evtchn_notify(port);
        if (sent == 0 ? !wait_store(deadline) : !collect(requests, sent, first, deadline)) {
            libos_log("store: no answer from it for %lu s",
                      (unsigned long)(STORE_TIMEOUT_NS / NS_PER_SECOND));
            return false;
        }
        requests += sent;
        count -= sent;
    }
    return true;
}

char *store_read(const char *path, const char *name)
{
    struct store_request request = {.kind = STORE_READ, .path = path, .name = name};
    (void)store_burst(&request, 1);
    return request.answer;
}

long store_number(char *text, long otherwise)
{
    long value = 0;
    const char *digit = text;
    while (text != NULL && *digit >= '0' && *digit <= '9' && value < 1L << 50) {
        value = value * 10 + (*digit++ - '0');
    }
    bool valid = digit != text && *digit == '\0';
    heap_free(text);
    return valid ? value : otherwise;
}

long store_read_number(const char *path, const char *name, long otherwise)
{
    return store_number(store_read(path, name), otherwise);
}

bool store_watch_begin(struct store_request *request, const char *path, const char *name,
                       const char *token)
{
    int slot = 0;
    while (slot < WATCHES_MAX && watches[slot].token[0] != '\0' &&
           strcmp(watches[slot].token, token) != 0) {
        slot++;
    }
    if (slot == WATCHES_MAX || strlen(token) >= TOKEN_SIZE) {
        return false;
    }
    strcpy(watches[slot].token, token);
    *request = (struct store_request){.kind = STORE_WATCH,
                                      .path = path,
                                      .name = name,
                                      .value = token,
                                      .value_size = strlen(token) + 1};
    return true;
}

static bool take_fired(const char *token)
{
    for (int i = 0; fired_count != 0 && i < WATCHES_MAX; i++) {
        if (watches[i].fired && strcmp(watches[i].token, token) == 0) {
            watches[i].fired = false;
            fired_count--;
            return true;
        }
    }
    return false;
}

void store_watch_seen(const char *token)
{
    (void)take_fired(token);
}

bool store_watch_fired(const char *token)
{
    /* Between requests the only traffic is watch events. */
    while (page != NULL && page->rsp_prod != page->rsp_cons) {
        struct message header;
        char *payload = receive_message(&header, time_monotonic_ns() + NS_PER_SECOND);
        if (payload == NULL) {
            break;
        }
        if (header.type == XS_WATCH_EVENT) {
            note_watch(payload, header.size);
        }
        heap_free(payload);
    }
    return take_fired(token);
}

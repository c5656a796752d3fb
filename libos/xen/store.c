/*
 * Store client (public/io/xs_wire.h): one request at a time over the shared page. Watch events
 * that arrive between are remembered by token.
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

enum {
    XS_DIRECTORY = 1,
    XS_READ = 2,
    XS_WATCH = 4,
    XS_WRITE = 11,
    XS_WATCH_EVENT = 15,
    XS_ERROR = 16
};

static volatile struct store_page *page;
static uint32_t port;
static uint32_t last_request;
static struct {
    char token[TOKEN_SIZE];
    bool fired;
} watches[WATCHES_MAX];

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

/* Wait for the store to move; false when it has been silent too long. */
static bool wait_store(uint64_t deadline)
{
    if (time_monotonic_ns() >= deadline) {
        return false;
    }
    platform_sleep(deadline);
    return true;
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

static bool send_bytes(const void *from, size_t size, uint64_t deadline)
{
    const char *bytes = from;
    while (size > 0) {
        uint32_t prod = page->req_prod;
        uint32_t used = prod - page->req_cons;
        if (used >= RING_SIZE) {
            evtchn_notify(port);
            if (!wait_store(deadline)) {
                return false;
            }
            continue;
        }
        barrier(); /* the consumer's index before we overwrite what it has read */
        for (; used < RING_SIZE && size > 0; used++, size--) {
            page->req[prod++ % RING_SIZE] = *bytes++;
        }
        barrier(); /* bytes before index */
        page->req_prod = prod;
    }
    return true;
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
        for (; available > 0 && size > 0; available--, size--) {
            *bytes++ = page->rsp[cons++ % RING_SIZE];
        }
        barrier(); /* bytes read before the room is given back */
        page->rsp_cons = cons;
        evtchn_notify(port);
    }
    return true;
}

/* Payload: path, token, both terminated. */
static void note_watch(const char *payload, size_t size)
{
    size_t path = strnlen(payload, size) + 1;
    for (int i = 0; path < size && i < WATCHES_MAX; i++) {
        if (watches[i].token[0] != '\0' && strcmp(watches[i].token, payload + path) == 0) {
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

/* One request and its answer. Returns the payload (heap) and its size, or NULL. */
static char *ask(uint32_t type, uint32_t transaction, const char *first, const char *second,
                 size_t second_size, size_t *size)
{
    if (!store_present()) {
        return NULL;
    }
    uint64_t deadline = time_monotonic_ns() + STORE_TIMEOUT_NS;
    size_t first_size = strlen(first) + 1;
    struct message header = {type, ++last_request, transaction,
                             (uint32_t)(first_size + second_size)};
    if (!wait_connected(deadline) || !send_bytes(&header, sizeof(header), deadline) ||
        !send_bytes(first, first_size, deadline) || !send_bytes(second, second_size, deadline)) {
        libos_log("store: no answer from it for %lu s",
                  (unsigned long)(STORE_TIMEOUT_NS / NS_PER_SECOND));
        return NULL;
    }
    evtchn_notify(port);
    char *payload;
    while ((payload = receive_message(&header, deadline)) != NULL) {
        if (header.type == XS_WATCH_EVENT) {
            note_watch(payload, header.size);
        } else if (header.request == last_request) {
            if (header.type != XS_ERROR) {
                *size = header.size;
                return payload;
            }
            heap_free(payload);
            return NULL;
        }
        heap_free(payload);
    }
    return NULL;
}

char *store_read(const char *path, uint32_t transaction)
{
    size_t size;
    return ask(XS_READ, transaction, path, NULL, 0, &size);
}

char *store_list(const char *path, size_t *size)
{
    return ask(XS_DIRECTORY, 0, path, NULL, 0, size);
}

int store_write(const char *path, const char *value, uint32_t transaction)
{
    size_t size;
    char *answer = ask(XS_WRITE, transaction, path, value, strlen(value), &size);
    heap_free(answer);
    return answer == NULL ? -EIO : 0;
}

int store_printf(const char *path, const char *format, ...)
{
    char value[64];
    va_list arguments;
    va_start(arguments, format);
    libos_vformat(value, sizeof(value), format, arguments);
    va_end(arguments);
    return store_write(path, value, 0);
}

long store_read_number(const char *path, const char *name, long otherwise)
{
    char full[160];
    libos_format(full, sizeof(full), "%s/%s", path, name);
    char *text = store_read(full, 0);
    if (text == NULL) {
        return otherwise;
    }
    long value = 0;
    const char *digit = text;
    while (*digit >= '0' && *digit <= '9' && value < 1L << 50) {
        value = value * 10 + (*digit++ - '0');
    }
    bool valid = digit != text && *digit == '\0';
    heap_free(text);
    return valid ? value : otherwise;
}

int store_watch(const char *path, const char *token)
{
    int slot = 0;
    while (slot < WATCHES_MAX && watches[slot].token[0] != '\0' &&
           strcmp(watches[slot].token, token) != 0) {
        slot++;
    }
    if (slot == WATCHES_MAX || strlen(token) >= TOKEN_SIZE) {
        return -ENOSPC;
    }
    strcpy(watches[slot].token, token);
    size_t size;
    char *answer = ask(XS_WATCH, 0, path, token, strlen(token) + 1, &size);
    heap_free(answer);
    return answer == NULL ? -EIO : 0;
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
    for (int i = 0; i < WATCHES_MAX; i++) {
        if (strcmp(watches[i].token, token) == 0 && watches[i].fired) {
            watches[i].fired = false;
            return true;
        }
    }
    return false;
}

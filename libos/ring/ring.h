/*
 * Shared rings (public/io/ring.h), both ends, written for a peer that lies.
 *
 * Pure C over one page: no hypercalls, no waiting, no logging. Rules kept here:
 *   - every index of the peer is read once per look and checked against ours:
 *     0 <= produced - consumed <= what we allow outstanding;
 *   - entries are copied out of the page before anybody looks at them;
 *   - after a broken rule the ring is `broken` for ever: nothing is read or written any more.
 * The caller matches a response's id to an outstanding request with ring_ids.
 *
 *   front: put* -> push (publish, notify?) ... take* -> arm (again if it says so)
 *   back:  take* -> arm ... put* -> push
 */
#ifndef LIBOS_RING_H
#define LIBOS_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RING_PAGE_SIZE 4096
#define RING_HEADER_SIZE 64
#define RING_ENTRY_MAX 112 /* bytes; the block ring's */

/* struct sring header (public/io/ring.h); the entries follow at RING_HEADER_SIZE. */
struct ring_shared {
    uint32_t request_produced;
    uint32_t request_event;
    uint32_t response_produced;
    uint32_t response_event;
    uint8_t reserved[RING_HEADER_SIZE - 16];
};

struct ring {
    struct ring_shared *shared;
    uint32_t entry_size;
    uint32_t size;      /* entries, a power of two */
    uint32_t produced;  /* ours: requests at the front, responses at the back */
    uint32_t consumed;  /* of the peer's */
    const char *broken; /* the rule the peer broke, or NULL */
};

/** Entries a page holds: the largest power of two that fits. */
uint32_t ring_entries(uint32_t entry_size);

/** Front: clear the page and begin. */
void ring_front_init(struct ring *ring, void *page, uint32_t entry_size);

/**
 * Back: attach to a page that a front has prepared, or, after a restart, that a predecessor
 * was serving: what it answered is in the page; what it took and did not answer is served again.
 * Returns false (and the ring broken) if the indices make no sense.
 */
bool ring_back_init(struct ring *ring, void *page, uint32_t entry_size);

/** Front: requests that may still be put. */
uint32_t ring_front_room(const struct ring *ring);

/** Front: copy one request into the ring, not yet visible. False if full or broken. */
bool ring_front_put(struct ring *ring, const void *request, uint32_t size);

/** Front: copy the next response out. 1 if there was one, 0 if not, -1 if the ring is broken. */
int ring_front_take(struct ring *ring, void *response, uint32_t size);

/** Back: copy the next request out. 1, 0 or -1 as above. */
int ring_back_take(struct ring *ring, void *request, uint32_t size);

/** Back: copy one response into the ring. False if there is no request it could answer. */
bool ring_back_put(struct ring *ring, const void *response, uint32_t size);

/** Publish what was put; true if the peer asked to be notified. */
bool ring_front_push(struct ring *ring);
bool ring_back_push(struct ring *ring);

/** Ask to be notified of the next entry; true if one is there already (take again). */
bool ring_front_arm(struct ring *ring);
bool ring_back_arm(struct ring *ring);

/* --- ids of outstanding requests --- */

#define RING_IDS_MAX 256

struct ring_ids {
    uint16_t next[RING_IDS_MAX]; /* free list; RING_ID_BUSY marks an outstanding one */
    uint16_t first;              /* of those given back */
    uint16_t never_used;         /* and all behind it */
    uint16_t count;
};

#define RING_ID_NONE 0xffff
#define RING_ID_BUSY 0xfffe

void ring_ids_init(struct ring_ids *ids, uint16_t count);

/** A free id, now outstanding, or RING_ID_NONE. */
uint16_t ring_ids_take(struct ring_ids *ids);

/** The peer says `id` is done: false if it was not outstanding (a lie, or an echo). */
bool ring_ids_release(struct ring_ids *ids, uint64_t id);

#endif

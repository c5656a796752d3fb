#include "ring/ring.h"

#include <string.h>

static uint32_t load(const uint32_t *index)
{
    /* Acquire: the peer's entries, written before its index, are seen after it. */
    return __atomic_load_n(index, __ATOMIC_ACQUIRE);
}

static void store(uint32_t *index, uint32_t value)
{
    /* Release: our entries are visible before the index that announces them. */
    __atomic_store_n(index, value, __ATOMIC_RELEASE);
}

static void fence(void)
{
    /* Orders our store of an event or produced index before the load of the peer's: each
     * side announces, then looks, so one of the two sees the other. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static char *entry(const struct ring *ring, uint32_t index)
{
    return (char *)ring->shared + RING_HEADER_SIZE +
           (size_t)(index & (ring->size - 1)) * ring->entry_size;
}

uint32_t ring_entries(uint32_t entry_size)
{
    uint32_t fit = (RING_PAGE_SIZE - RING_HEADER_SIZE) / entry_size;
    uint32_t size = 1;
    while (size * 2 <= fit) {
        size *= 2;
    }
    return size;
}

static void init(struct ring *ring, void *page, uint32_t entry_size)
{
    *ring = (struct ring){page, entry_size, ring_entries(entry_size), 0, 0, NULL};
}

void ring_front_init(struct ring *ring, void *page, uint32_t entry_size)
{
    init(ring, page, entry_size);
    memset(page, 0, RING_PAGE_SIZE);
    ring->shared->request_event = 1;
    ring->shared->response_event = 1;
}

bool ring_back_init(struct ring *ring, void *page, uint32_t entry_size)
{
    init(ring, page, entry_size);
    uint32_t answered = load(&ring->shared->response_produced);
    uint32_t asked = load(&ring->shared->request_produced);
    if (asked - answered > ring->size) {
        ring->broken = "more requests than the ring holds";
        return false;
    }
    ring->produced = answered;
    ring->consumed = answered;
    return true;
}

uint32_t ring_front_room(const struct ring *ring)
{
    return ring->broken != NULL ? 0 : ring->size - (ring->produced - ring->consumed);
}

bool ring_front_put(struct ring *ring, const void *request, uint32_t size)
{
    if (ring_front_room(ring) == 0 || size > ring->entry_size) {
        return false;
    }
    memcpy(entry(ring, ring->produced), request, size);
    ring->produced++;
    return true;
}

/* Copy entry `consumed` out if the peer's index says it is there and may be there. */
static int take(struct ring *ring, const uint32_t *index, uint32_t limit, void *to, uint32_t size,
                const char *rule)
{
    if (ring->broken != NULL || size > ring->entry_size) {
        return -1;
    }
    uint32_t available = load(index) - ring->consumed;
    if (available == 0) {
        return 0;
    }
    if (available > limit) {
        ring->broken = rule;
        return -1;
    }
    memcpy(to, entry(ring, ring->consumed), size);
    ring->consumed++;
    return 1;
}

int ring_front_take(struct ring *ring, void *response, uint32_t size)
{
    return take(ring, &ring->shared->response_produced, ring->produced - ring->consumed, response,
                size, "responses to requests never made");
}

int ring_back_take(struct ring *ring, void *request, uint32_t size)
{
    /* Taken but unanswered requests still occupy their slots. */
    return take(ring, &ring->shared->request_produced,
                ring->size - (ring->consumed - ring->produced), request, size,
                "more requests than the ring holds");
}

bool ring_back_put(struct ring *ring, const void *response, uint32_t size)
{
    if (ring->broken != NULL || size > ring->entry_size || ring->produced == ring->consumed) {
        return false;
    }
    memcpy(entry(ring, ring->produced), response, size);
    ring->produced++;
    return true;
}

/* True if the peer's event index lies in what is published now: it wants to know. */
static bool push(struct ring *ring, uint32_t *index, const uint32_t *event)
{
    if (ring->broken != NULL) {
        return false;
    }
    uint32_t old = load(index); /* ours; the peer may scribble, which costs only a wake-up */
    store(index, ring->produced);
    fence();
    return ring->produced - load(event) < ring->produced - old;
}

bool ring_front_push(struct ring *ring)
{
    return push(ring, &ring->shared->request_produced, &ring->shared->request_event);
}

bool ring_back_push(struct ring *ring)
{
    return push(ring, &ring->shared->response_produced, &ring->shared->response_event);
}

static bool arm(struct ring *ring, uint32_t *event, const uint32_t *index)
{
    if (ring->broken != NULL) {
        return false;
    }
    store(event, ring->consumed + 1);
    fence();
    return load(index) != ring->consumed;
}

bool ring_front_arm(struct ring *ring)
{
    return arm(ring, &ring->shared->response_event, &ring->shared->response_produced);
}

bool ring_back_arm(struct ring *ring)
{
    return arm(ring, &ring->shared->request_event, &ring->shared->request_produced);
}

void ring_ids_init(struct ring_ids *ids, uint16_t count)
{
    ids->count = count < RING_IDS_MAX ? count : RING_IDS_MAX;
    ids->first = RING_ID_NONE;
    ids->never_used = 0;
}

uint16_t ring_ids_take(struct ring_ids *ids)
{
    uint16_t id = ids->first;
    if (id != RING_ID_NONE) {
        ids->first = ids->next[id];
    } else if (ids->never_used < ids->count) {
        id = ids->never_used++;
    } else {
        return RING_ID_NONE;
    }
    ids->next[id] = RING_ID_BUSY;
    return id;
}

bool ring_ids_release(struct ring_ids *ids, uint64_t id)
{
    if (id >= ids->never_used || ids->next[id] != RING_ID_BUSY) {
        return false;
    }
    ids->next[id] = ids->first;
    ids->first = (uint16_t)id;
    return true;
}

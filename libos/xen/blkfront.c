/*
 * Block front end (public/io/blkif.h): one request at a time through buffers granted once.
 *
 *   DOWN --back end waits--> JOINING --it is connected--> UP --it closes--> DOWN
 *                                                          \--rule broken by it--> BROKEN
 *
 * A request that the back end answers with an error is an I/O error of the caller; an answer
 * that breaks the protocol switches the device off. The request in flight survives the back
 * end: one that was detached and comes again gets it put again in a fresh ring; the successor of
 * one that was killed finds it in the ring, unanswered. Every operation here may be repeated.
 * The program waits meanwhile, for ever if need be, and the log says so.
 */
#include <errno.h>
#include <string.h>

#include "libos/blkdev.h"
#include "libos/heap.h"
#include "libos/page.h"
#include "libos/platform.h"
#include "libos/thread.h"
#include "libos/xen.h"
#include "ring/ring.h"
#include "xen/xenbus.h"

#define SEGMENTS_MAX 11 /* BLKIF_MAX_SEGMENTS_PER_REQUEST */
#define PAGE_SECTORS (PAGE_SIZE / SECTOR_SIZE)

struct blk_segment {
    uint32_t grant;
    uint8_t first;
    uint8_t last;
    uint16_t pad;
};

struct blk_request { /* struct blkif_request, native layout of a 64-bit guest */
    uint8_t operation;
    uint8_t segment_count;
    uint16_t handle;
    uint32_t pad;
    uint64_t id;
    uint64_t sector;
    struct blk_segment segments[SEGMENTS_MAX];
};
_Static_assert(sizeof(struct blk_request) == 112, "public/io/blkif.h");

struct blk_response {
    uint64_t id;
    uint8_t operation;
    uint8_t pad;
    int16_t status;
    uint32_t pad2;
};

enum { BLK_READ = 0, BLK_WRITE = 1, BLK_FLUSH = 3 };

static struct xenbus_device bus;
static struct ring ring;
static char *ring_page;
static char *buffers;
static uint32_t grants[SEGMENTS_MAX];
static uint32_t ring_grant;
static uint32_t port;
static uint16_t handle;
static bool can_flush;
static enum { DISK_DOWN, DISK_JOINING, DISK_UP, DISK_BROKEN } state;
static unsigned int life; /* connections so far: a request of an earlier one is put again */
static bool busy;         /* a request of some thread is under way */
static bool waiting;      /* ... and its thread waits for poll_device() */
static struct blkdev blkfront;

static bool offer_ring(void);
static bool read_geometry(void);

static void follow_backend(void)
{
    enum xenbus_news news = xenbus_follow(&bus, state == DISK_UP);
    if (news == XENBUS_GONE) {
        libos_log("disk: the back end has gone away; waiting for it");
        state = DISK_DOWN;
    } else if (news == XENBUS_OFFERED && offer_ring()) {
        state = DISK_JOINING;
    } else if (state == DISK_JOINING && bus.state == XENBUS_CONNECTED && read_geometry()) {
        xenbus_switch(&bus, XENBUS_CONNECTED);
        state = DISK_UP;
        life++;
        libos_log("disk: connected again");
    }
}

/* A thread that waits for an event is looked at only when a poller has seen one. */
static bool poll_device(void)
{
    if (life == 0) {
        return false; /* connect() waits for these events itself */
    }
    bool moved = store_watch_fired("vbd");
    if (moved && state != DISK_BROKEN) {
        follow_backend();
    }
    return moved || (waiting && state == DISK_UP && ring_front_arm(&ring));
}

static struct poller poller = {.poll = poll_device};

static int fail(const char *rule)
{
    libos_log("disk: the back end broke a rule (%s); the device is off", rule);
    state = DISK_BROKEN;
    return -EIO;
}

static void wait_device(void)
{
    waiting = true;
    if (!poll_device()) {
        thread_wait_event(TIME_NEVER);
    }
    waiting = false;
}

/* 0 or -EIO; 1: asked of a back end that is no more. */
static int await_response(const struct blk_request *request)
{
    struct blk_response response;
    unsigned int asked = life;
    int got;
    while ((got = ring_front_take(&ring, &response, sizeof(response))) == 0) {
        wait_device();
        if (life != asked) {
            return 1;
        }
    }
    if (got < 0) {
        return fail(ring.broken);
    }
    if (response.id != request->id || response.operation != request->operation) {
        return fail("an answer to another request");
    }
    return response.status == 0 ? 0 : -EIO;
}

static int submit(struct blk_request *request)
{
    static uint64_t last_id;
    int error;
    do {
        while (state == DISK_DOWN || state == DISK_JOINING) {
            wait_device();
        }
        if (state == DISK_BROKEN) {
            return -EIO;
        }
        request->id = ++last_id;
        request->handle = handle;
        if (!ring_front_put(&ring, request, sizeof(*request))) {
            return fail("no room for one request");
        }
        if (ring_front_push(&ring)) {
            evtchn_notify(port);
        }
        error = await_response(request);
    } while (error == 1);
    return error;
}

static void lock(void)
{
    while (busy) {
        thread_wait_key((uintptr_t)&busy, TIME_NEVER);
    }
    busy = true;
}

static void unlock(void)
{
    busy = false;
    thread_wake((uintptr_t)&busy, 1);
}

/* Up to 44 KiB in one request. */
static int transfer_some(uint64_t sector, char *data, size_t count, bool writing)
{
    struct blk_request request = {.operation = writing ? BLK_WRITE : BLK_READ, .sector = sector};
    size_t bytes = count * SECTOR_SIZE;
    for (size_t at = 0; at < bytes; at += PAGE_SIZE) {
        size_t part = MIN(bytes - at, PAGE_SIZE);
        request.segments[request.segment_count] = (struct blk_segment){
            grants[request.segment_count], 0, (uint8_t)(part / SECTOR_SIZE - 1), 0};
        request.segment_count++;
    }
    if (writing) {
        copy_bulk(buffers, data, bytes);
    }
    int error = submit(&request);
    if (error == 0 && !writing) {
        copy_bulk(data, buffers, bytes);
    } else if (error != 0) {
        libos_log("disk: %s of %lu sectors at %lu failed", writing ? "write" : "read", count,
                  sector);
    }
    return error;
}

static int transfer(uint64_t sector, char *data, size_t count, bool writing)
{
    if (sector > blkfront.sectors || count > blkfront.sectors - sector) {
        return -EINVAL;
    }
    lock();
    int error = 0;
    while (count > 0 && error == 0) {
        size_t part = MIN(count, (size_t)SEGMENTS_MAX * PAGE_SECTORS);
        error = transfer_some(sector, data, part, writing);
        sector += part;
        data += part * SECTOR_SIZE;
        count -= part;
    }
    unlock();
    return error;
}

static int read_sectors(uint64_t sector, void *to, size_t count)
{
    return transfer(sector, to, count, false);
}

static int write_sectors(uint64_t sector, const void *from, size_t count)
{
    return transfer(sector, (char *)(uintptr_t)from, count, true);
}

static int flush(void)
{
    if (!can_flush) {
        return 0;
    }
    struct blk_request request = {.operation = BLK_FLUSH};
    lock();
    int error = submit(&request);
    unlock();
    if (error != 0) {
        libos_log("disk: flush failed");
    }
    return error;
}

static bool read_geometry(void)
{
    static const char *const names[] = {"sectors", "sector-size", "info", "feature-flush-cache"};
    struct store_request asked[ARRAY_COUNT(names)];
    for (unsigned int i = 0; i < ARRAY_COUNT(names); i++) {
        asked[i] =
            (struct store_request){.kind = STORE_READ, .path = bus.backend, .name = names[i]};
    }
    (void)store_burst(asked, ARRAY_COUNT(names));
    long sectors = store_number(asked[0].answer, -1);
    long size = store_number(asked[1].answer, SECTOR_SIZE);
    long info = store_number(asked[2].answer, 0);
    can_flush = store_number(asked[3].answer, 0) == 1;
    if (sectors <= 0 || size < SECTOR_SIZE) {
        libos_log("disk: %s names no size", bus.backend);
        return false;
    }
    blkfront.sectors = (uint64_t)sectors; /* in units of 512 bytes, whatever sector-size says */
    blkfront.read_only = info & 4;        /* VDISK_READONLY */
    if (!can_flush) {
        libos_log("disk: the back end cannot flush; a power cut may lose what was written");
    }
    return true;
}

static bool offer_ring(void)
{
    ring_front_init(&ring, ring_page, sizeof(struct blk_request));
    /* No `protocol`: absent, it is the native one. */
    const struct xenbus_value values[] = {
        {"ring-ref", ring_grant}, {"event-channel", port}, {"feature-persistent", 0}};
    return xenbus_publish(&bus, values, ARRAY_COUNT(values), XENBUS_INITIALISED);
}

static bool connect(void)
{
    if (!xenbus_wait(&bus, XENBUS_INIT_WAIT) || !offer_ring() ||
        !xenbus_wait(&bus, XENBUS_CONNECTED) || !read_geometry()) {
        return false;
    }
    xenbus_switch(&bus, XENBUS_CONNECTED);
    state = DISK_UP;
    life = 1;
    return true;
}

static bool allocate(void)
{
    ring_page = page_alloc_dirty(1); /* ring_front_init() clears it */
    buffers = page_alloc(SEGMENTS_MAX);
    if (ring_page == NULL || buffers == NULL) {
        return false;
    }
    long reference = grant_access(bus.backend_id, ring_page, false);
    ring_grant = (uint32_t)reference;
    for (int i = 0; i < SEGMENTS_MAX && reference >= 0; i++) {
        reference = grant_access(bus.backend_id, buffers + i * PAGE_SIZE, false);
        grants[i] = (uint32_t)reference;
    }
    long allocated = evtchn_alloc(bus.backend_id);
    port = (uint32_t)allocated;
    return reference >= 0 && allocated > 0;
}

static struct blkdev blkfront = {
    .read = read_sectors,
    .write = write_sectors,
    .flush = flush,
};

struct blkdev *blkdev_open(void)
{
    char *number;
    if (!xenbus_find(&bus, "vbd", "", "virtual-device", &number)) {
        libos_log("disk: no device/vbd in the store");
        return NULL;
    }
    handle = (uint16_t)store_number(number, 0);
    poller_add(&poller);
    if (!allocate()) {
        libos_log("disk: no memory or grants");
        return NULL;
    }
    return connect() ? &blkfront : NULL;
}

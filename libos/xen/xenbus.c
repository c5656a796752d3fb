#include "xen/xenbus.h"

#include <errno.h>
#include <string.h>

#include "libos/heap.h"
#include "libos/platform.h"
#include "libos/time.h"
#include "libos/xen.h"

#define DEVICE_WAIT_NS (5 * NS_PER_SECOND)    /* tool stacks write nodes before they start us */
#define BACKEND_WAIT_NS (180 * NS_PER_SECOND) /* hotplug scripts on a slow machine */

/* The name of the first entry below device/KIND, into the device's path. */
static bool find_node(struct xenbus_device *device, const char *kind)
{
    struct store_request list = {.kind = STORE_LIST, .path = "device", .name = kind};
    bool found = store_burst(&list, 1) && list.answer != NULL && list.answer[0] != '\0';
    if (found) {
        libos_format(device->path, sizeof(device->path), "device/%s/%s", kind, list.answer);
    }
    heap_free(list.answer);
    return found;
}

static enum xenbus_state state_of(char *text)
{
    long state = store_number(text, XENBUS_UNKNOWN);
    return state > XENBUS_CLOSED ? XENBUS_UNKNOWN : (enum xenbus_state)state;
}

/* Where the back end is, whose it is and how it does; later changes of its state are events. */
static bool find_backend(struct xenbus_device *device, const char *extra, char **value)
{
    struct store_request ours[] = {
        {.kind = STORE_READ, .path = device->path, .name = "backend"},
        {.kind = STORE_READ, .path = device->path, .name = "backend-id"},
        {.kind = STORE_READ, .path = device->path, .name = extra},
    };
    (void)store_burst(ours, 3);
    heap_free(*value); /* of the place that was guessed */
    *value = ours[2].answer;
    const char *backend = ours[0].answer;
    long id = store_number(ours[1].answer, -1);
    bool usable =
        backend != NULL && strlen(backend) < sizeof(device->backend) && id >= 0 && id < DOMID_SELF;
    if (usable) {
        strcpy(device->backend, backend);
        device->backend_id = (uint16_t)id;
    }
    heap_free(ours[0].answer);
    return usable;
}

bool xenbus_find(struct xenbus_device *device, const char *kind, const char *guess,
                 const char *extra, char **value)
{
    *value = NULL;
    if (!store_present()) {
        return false;
    }
    /* The first question waits for the store itself. */
    libos_format(device->path, sizeof(device->path), "device/%s/%s", kind, guess);
    bool found = guess[0] != '\0' && find_backend(device, extra, value);
    uint64_t deadline = time_monotonic_ns() + DEVICE_WAIT_NS;
    while (!found && !(find_node(device, kind) && (found = find_backend(device, extra, value)))) {
        if (time_monotonic_ns() >= deadline) {
            return false;
        }
        platform_sleep(MIN(deadline, time_monotonic_ns() + NS_PER_SECOND / 4));
    }
    struct store_request theirs[2] = {
        [1] = {.kind = STORE_READ, .path = device->backend, .name = "state"}};
    device->token = kind;
    if (!store_watch_begin(&theirs[0], device->backend, "state", kind)) {
        return false;
    }
    bool asked = store_burst(theirs, 2);
    device->state = state_of(theirs[1].answer);
    store_watch_seen(kind); /* a watch begins with an event, and the state was read after it */
    return asked && !theirs[0].failed;
}

static void read_state(struct xenbus_device *device)
{
    device->state = state_of(store_read(device->backend, "state"));
}

enum xenbus_news xenbus_follow(struct xenbus_device *device, bool up)
{
    read_state(device);
    enum xenbus_state now = device->state;
    device->killed = now == XENBUS_UNKNOWN || (device->killed && now != XENBUS_CONNECTED);
    bool closing = up && now >= XENBUS_CLOSING;
    if (closing) {
        xenbus_switch(device, XENBUS_CLOSED);
    } else if (up && !(device->killed && now == XENBUS_INIT_WAIT &&
                       state_of(store_read(device->path, "state")) != XENBUS_CONNECTED)) {
        return XENBUS_NO_NEWS;
    }
    if (now == XENBUS_CLOSED && store_read_number(device->backend, "online", 0) == 1) {
        xenbus_switch(device, XENBUS_INITIALISING); /* it waits for us */
    }
    return now == XENBUS_INIT_WAIT ? XENBUS_OFFERED : closing ? XENBUS_GONE : XENBUS_NO_NEWS;
}

bool xenbus_wait(struct xenbus_device *device, enum xenbus_state state)
{
    uint64_t deadline = time_monotonic_ns() + BACKEND_WAIT_NS;
    while (device->state < state || device->state > XENBUS_CONNECTED) {
        if (time_monotonic_ns() >= deadline) {
            libos_log("%s: back end %s is in state %d, waited for %d in vain", device->path,
                      device->backend, (int)device->state, (int)state);
            return false;
        }
        /* Other events come too; to look once in a while costs nothing and is never wrong. */
        uint64_t look = MIN(deadline, time_monotonic_ns() + NS_PER_SECOND);
        while (!store_watch_fired(device->token) && time_monotonic_ns() < look) {
            platform_sleep(look);
        }
        read_state(device);
    }
    return true;
}

/* The digits of a number, before `end`. */
static char *decimal(char *end, uint32_t value)
{
    do {
        *--end = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    return end;
}

bool xenbus_publish(const struct xenbus_device *device, const struct xenbus_value *values,
                    unsigned int count, enum xenbus_state state)
{
    struct store_request requests[XENBUS_VALUES_MAX + 1];
    char text[XENBUS_VALUES_MAX + 1][10];
    CHECK(count <= XENBUS_VALUES_MAX);
    for (unsigned int i = 0; i <= count; i++) {
        char *end = text[i] + sizeof(text[i]);
        char *digits = decimal(end, i < count ? values[i].value : (uint32_t)state);
        requests[i] = (struct store_request){.kind = STORE_WRITE,
                                             .path = device->path,
                                             .name = i < count ? values[i].name : "state",
                                             .value = digits,
                                             .value_size = (size_t)(end - digits)};
    }
    bool good = store_burst(requests, count + 1);
    for (unsigned int i = 0; i <= count; i++) {
        good = good && !requests[i].failed;
    }
    return good;
}

bool xenbus_switch(const struct xenbus_device *device, enum xenbus_state state)
{
    return xenbus_publish(device, NULL, 0, state);
}

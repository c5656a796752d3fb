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
    char directory[32];
    size_t size;
    libos_format(directory, sizeof(directory), "device/%s", kind);
    char *names = store_list(directory, &size);
    bool found = names != NULL && size > 0 && names[0] != '\0';
    if (found) {
        libos_format(device->path, sizeof(device->path), "%s/%s", directory, names);
    }
    heap_free(names);
    return found;
}

bool xenbus_find(struct xenbus_device *device, const char *kind)
{
    if (!store_present()) {
        return false;
    }
    bool found = find_node(device, kind); /* the first question waits for the store itself */
    uint64_t deadline = time_monotonic_ns() + DEVICE_WAIT_NS;
    for (; !found; found = find_node(device, kind)) {
        if (time_monotonic_ns() >= deadline) {
            return false;
        }
        platform_sleep(MIN(deadline, time_monotonic_ns() + NS_PER_SECOND / 4));
    }
    char path[XENBUS_PATH_SIZE + 16];
    libos_format(path, sizeof(path), "%s/backend", device->path);
    char *backend = store_read(path, 0);
    long id = store_read_number(device->path, "backend-id", -1);
    bool usable =
        backend != NULL && strlen(backend) < sizeof(device->backend) && id >= 0 && id < DOMID_SELF;
    if (usable) {
        strcpy(device->backend, backend);
        device->backend_id = (uint16_t)id;
        device->token = kind;
        libos_format(path, sizeof(path), "%s/state", device->backend);
        usable = store_watch(path, kind) == 0;
    }
    heap_free(backend);
    return usable;
}

enum xenbus_state xenbus_backend_state(const struct xenbus_device *device)
{
    long state = store_read_number(device->backend, "state", XENBUS_UNKNOWN);
    return state > XENBUS_CLOSED ? XENBUS_UNKNOWN : (enum xenbus_state)state;
}

bool xenbus_wait(struct xenbus_device *device, enum xenbus_state state)
{
    uint64_t deadline = time_monotonic_ns() + BACKEND_WAIT_NS;
    for (;;) {
        enum xenbus_state now = xenbus_backend_state(device);
        if (now >= state && now <= XENBUS_CONNECTED) {
            return true;
        }
        if (time_monotonic_ns() >= deadline) {
            libos_log("%s: back end %s is in state %d, waited for %d in vain", device->path,
                      device->backend, (int)now, (int)state);
            return false;
        }
        while (!store_watch_fired(device->token) && time_monotonic_ns() < deadline) {
            platform_sleep(MIN(deadline, time_monotonic_ns() + NS_PER_SECOND));
        }
    }
}

int xenbus_switch(const struct xenbus_device *device, enum xenbus_state state)
{
    return xenbus_write(device, "state", (unsigned long)state);
}

int xenbus_write(const struct xenbus_device *device, const char *name, unsigned long value)
{
    char path[XENBUS_PATH_SIZE + 40];
    libos_format(path, sizeof(path), "%s/%s", device->path, name);
    return store_printf(path, "%lu", value);
}

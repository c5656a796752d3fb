/* Finding a device in the store and shaking hands with its back end (public/io/xenbus.h). */
#ifndef LIBOS_XEN_XENBUS_H
#define LIBOS_XEN_XENBUS_H

#include "libos/base.h"

#define XENBUS_PATH_SIZE 96

enum xenbus_state {
    XENBUS_UNKNOWN,
    XENBUS_INITIALISING,
    XENBUS_INIT_WAIT,
    XENBUS_INITIALISED,
    XENBUS_CONNECTED,
    XENBUS_CLOSING,
    XENBUS_CLOSED
};

struct xenbus_device {
    char path[XENBUS_PATH_SIZE];    /* ours: device/vif/0 */
    char backend[XENBUS_PATH_SIZE]; /* the other end's */
    uint16_t backend_id;
    const char *token; /* of the watch on its state */
};

/** The first device of a kind ("vif", "vbd"); waits a while for it to appear. False if there is none. */
bool xenbus_find(struct xenbus_device *device, const char *kind);

enum xenbus_state xenbus_backend_state(const struct xenbus_device *device);

/** Wait until the back end is in `state` or later; false if it goes away or never gets there. */
bool xenbus_wait(struct xenbus_device *device, enum xenbus_state state);

int xenbus_switch(const struct xenbus_device *device, enum xenbus_state state);

/** Write a number below our path. */
int xenbus_write(const struct xenbus_device *device, const char *name, unsigned long value);

#endif

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
    const char *token;       /* of the watch on its state */
    enum xenbus_state state; /* the back end's, when last read */
    bool killed;             /* it had none, and is not connected yet */
};

/**
 * The first device of a kind ("vif", "vbd"); waits a while for it to appear. False if there is
 * none. @guess: the number it nearly always has, which saves asking for the list, or "".
 * @extra: one more node of ours to read; *value is heap memory, or NULL if it is absent.
 */
bool xenbus_find(struct xenbus_device *device, const char *kind, const char *guess,
                 const char *extra, char **value);

/* What has become of the other end. */
enum xenbus_news {
    XENBUS_NO_NEWS,
    XENBUS_GONE,   /* it closes, or was killed and the tool stack begins us anew */
    XENBUS_OFFERED /* it waits for our rings */
};

/**
 * Look at the back end's state after an event, and do a front end's part of coming to an end and to a
 * new beginning; `up`: we are connected. A back end that was killed leaves no node behind; its
 * successor finds ours, attaches to our rings where the dead one stopped, and that is no news.
 */
enum xenbus_news xenbus_follow(struct xenbus_device *device, bool up);

/**
 * Wait until the back end is in `state` or later, beginning with what was read last; false,
 * and a line in the log, if it goes away or never gets there.
 */
bool xenbus_wait(struct xenbus_device *device, enum xenbus_state state);

/* A number to be written below our path. */
struct xenbus_value {
    const char *name;
    uint32_t value;
};
#define XENBUS_VALUES_MAX 8

/** Write all values, then our state, in one burst; false if the store refused one. */
bool xenbus_publish(const struct xenbus_device *device, const struct xenbus_value *values,
                    unsigned int count, enum xenbus_state state);

/** Our state alone. */
bool xenbus_switch(const struct xenbus_device *device, enum xenbus_state state);

#endif

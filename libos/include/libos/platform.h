/*
 * What the library OS asks of the world below it. Two implementations:
 * libos/xen (a Xen or Bulkhead domain) and libos/tap (a Linux process).
 */
#ifndef LIBOS_PLATFORM_H
#define LIBOS_PLATFORM_H

#include "libos/base.h"

/** First thing after the page tables: console, events, clock offset. */
void platform_init(void);

/** Write to the console; may drop nothing, may wait. */
void platform_console_write(const char *text, size_t size);

/** Read what was typed: bytes, or 0 if none. */
size_t platform_console_read(char *text, size_t size);

/** Sleep until an event is pending or the deadline passes; may return early. */
void platform_sleep(uint64_t deadline_ns);

/** Stop the domain or process. status 0 is an orderly end; others are reported as a crash. */
void platform_exit(int status) __attribute__((noreturn));

/** Nanoseconds since 1970 of monotonic zero, or 0. */
uint64_t platform_wall_offset_ns(void);

/** True if [data, data + size) can never change: read-only in the image. */
bool platform_is_constant(const void *data, size_t size);

/** Microseconds since our first instruction. */
uint64_t platform_uptime_us(void);

/** Nanoseconds that we, and the hypervisor for us, have used of a CPU: instructions under QEMU's -icount. */
uint64_t platform_cpu_ns(void);

/*
 * A poller is a device with something to look at when the program waits.
 * `poll` does the work that is there and returns whether anything happened;
 * `deadline_ns` (optional) is when it next wants to be called.
 */
struct poller {
    bool (*poll)(void);
    uint64_t (*deadline_ns)(void);
    struct poller *next;
};
void poller_add(struct poller *poller);

/** Call every poller once; true if anything happened. */
bool pollers_run(void);
uint64_t pollers_deadline_ns(void);

#endif

/* The platform contract on top of Linux: clock, waiting on the TAP device, memory, messages. */
#include "libos/platform.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "libos/heap.h"
#include "libos/random.h"
#include "libos/thread.h"
#include "libos/time.h"
#include "tap/tap.h"

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

uint64_t time_monotonic_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t platform_wall_offset_ns(void)
{
    return clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC);
}

uint64_t platform_uptime_us(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID) / 1000;
}

uint64_t platform_cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

bool platform_is_constant(const void *data, size_t size)
{
    return false;
}

void platform_console_write(const char *text, size_t size)
{
    while (size > 0) {
        long done = syscall(SYS_write, 2, text, size);
        if (done <= 0) {
            return;
        }
        text += done;
        size -= (size_t)done;
    }
}

void platform_exit(int status)
{
    exit(status);
}

void random_bytes(void *to, size_t size)
{
    while (size > 0) {
        ssize_t got = getrandom(to, MIN(size, (size_t)256), 0);
        if (got > 0) {
            to = (char *)to + got;
            size -= (size_t)got;
        }
    }
}

uint32_t random_u32(void)
{
    uint32_t value;
    random_bytes(&value, sizeof(value));
    return value;
}

void *heap_alloc(size_t size)
{
    return malloc(size);
}

void *heap_zalloc(size_t size)
{
    return calloc(1, size);
}

void heap_free(void *memory)
{
    free(memory);
}

/* Caller holds the lock; it is given away while the host waits for us. */
void thread_wait_next_event(uint64_t deadline_ns)
{
    thread_wait_event(deadline_ns);
}

void thread_wait_event(uint64_t deadline_ns)
{
    if (pollers_run()) {
        return;
    }
    uint64_t deadline = MIN(deadline_ns, pollers_deadline_ns());
    uint64_t now = time_monotonic_ns();
    uint64_t wait = deadline <= now ? 0 : deadline - now;
    /* Host descriptors beside ours are looked at in turns: ten milliseconds are short enough. */
    wait = MIN(wait, (uint64_t)(tap_has_host_files() ? 10000000 : 1000000000));
    struct timespec timeout = {(time_t)(wait / NS_PER_SECOND), (long)(wait % NS_PER_SECOND)};
    struct pollfd tap = {tap_descriptor(), POLLIN, 0};
    tap_unlock();
    syscall(SYS_ppoll, &tap, 1UL, &timeout, NULL, 0UL);
    tap_lock();
    pollers_run();
}

void thread_event(void)
{
}

void copy_bulk(void *restrict to, const void *restrict from, size_t size)
{
    memcpy(to, from, size);
}

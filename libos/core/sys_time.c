#include <errno.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "libos/platform.h"
#include "libos/syscall.h"
#include "libos/thread.h"
#include "libos/time.h"

static long clock_now(int clock, uint64_t *ns)
{
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
        *ns = platform_wall_offset_ns() + time_monotonic_ns();
        return 0;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
    case CLOCK_PROCESS_CPUTIME_ID:
    case CLOCK_THREAD_CPUTIME_ID:
        *ns = time_monotonic_ns();
        return 0;
    default:
        return -EINVAL;
    }
}

static void put_timespec(struct timespec *to, uint64_t ns)
{
    to->tv_sec = (time_t)(ns / NS_PER_SECOND);
    to->tv_nsec = (long)(ns % NS_PER_SECOND);
}

SYSCALL(clock_gettime)
{
    uint64_t ns;
    long error = clock_now(ARG_INT(0), &ns);
    if (error == 0) {
        put_timespec(ARG_POINTER(1, struct timespec), ns);
    }
    return error;
}

SYSCALL(clock_getres)
{
    uint64_t ns;
    long error = clock_now(ARG_INT(0), &ns);
    if (error == 0 && f->x[1] != 0) {
        put_timespec(ARG_POINTER(1, struct timespec), 1);
    }
    return error;
}

SYSCALL(gettimeofday)
{
    struct timeval *to = ARG_POINTER(0, struct timeval);
    uint64_t ns = platform_wall_offset_ns() + time_monotonic_ns();
    to->tv_sec = (time_t)(ns / NS_PER_SECOND);
    to->tv_usec = (suseconds_t)(ns % NS_PER_SECOND / 1000);
    return 0;
}

static long sleep_until(uint64_t deadline)
{
    while (time_monotonic_ns() < deadline) {
        thread_wait_event(deadline);
    }
    return 0;
}

static long timespec_ns(const struct timespec *from, uint64_t *ns)
{
    if (from->tv_sec < 0 || (uint64_t)from->tv_nsec >= NS_PER_SECOND) {
        return -EINVAL;
    }
    *ns = (uint64_t)from->tv_sec * NS_PER_SECOND + (uint64_t)from->tv_nsec;
    return 0;
}

SYSCALL(nanosleep)
{
    uint64_t ns;
    long error = timespec_ns(ARG_POINTER(0, struct timespec), &ns);
    return error != 0 ? error : sleep_until(time_monotonic_ns() + ns);
}

SYSCALL(clock_nanosleep)
{
    uint64_t ns;
    long error = timespec_ns(ARG_POINTER(2, struct timespec), &ns);
    if (error != 0) {
        return error;
    }
    if (!(ARG_INT(1) & TIMER_ABSTIME)) {
        return sleep_until(time_monotonic_ns() + ns);
    }
    uint64_t offset = ARG_INT(0) == CLOCK_REALTIME ? platform_wall_offset_ns() : 0;
    return sleep_until(ns > offset ? ns - offset : 0);
}

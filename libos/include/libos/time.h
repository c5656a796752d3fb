/* Clocks. Monotonic time is the architecture's virtual counter; wall time comes from Xen. */
#ifndef LIBOS_TIME_H
#define LIBOS_TIME_H

#include "libos/base.h"

#define NS_PER_SECOND 1000000000ULL

void time_init(void);

/** Nanoseconds since the counter's zero, never goes back. */
uint64_t time_monotonic_ns(void);

/** Nanoseconds since 1970, 0 if the hypervisor does not know the time of day. */
uint64_t time_wall_ns(void);

#endif

/* The virtual counter, readable at EL1 without a trap. */
#ifndef LIBOS_ARCH_COUNTER_H
#define LIBOS_ARCH_COUNTER_H

#include <stdint.h>

static inline uint64_t counter_read(void)
{
    uint64_t value;
    /* ISB: the read must not be speculated before what the caller did earlier. */
    __asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(value)::"memory");
    return value;
}

static inline uint64_t counter_hz(void)
{
    uint64_t value;
    __asm__("mrs %0, cntfrq_el0" : "=r"(value));
    return value;
}

#endif

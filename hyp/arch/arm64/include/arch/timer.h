/*
 * The virtual timer's registers. Included through <hyp/arch.h> by pure code.
 * CTL bits as in CNTV_CTL_EL0: ENABLE, IMASK, ISTATUS.
 */
#ifndef ARCH_TIMER_H
#define ARCH_TIMER_H

#include <stdint.h>

static inline uint32_t arch_vtimer_ctl(void)
{
    uint64_t v;
    __asm__ volatile("mrs %0, cntv_ctl_el0" : "=r"(v));
    return (uint32_t)v;
}

static inline uint64_t arch_vtimer_cval(void)
{
    uint64_t v;
    __asm__ volatile("mrs %0, cntv_cval_el0" : "=r"(v));
    return v;
}

/* Off: its interrupt line is low when this returns. */
static inline void arch_vtimer_stop(void)
{
    __asm__ volatile("msr cntv_ctl_el0, xzr\n\tisb" ::: "memory");
}

/* CTL last, so that the comparator never meets another guest's offset or deadline while enabled. */
static inline void arch_vtimer_start(uint64_t offset_ticks, uint32_t ctl, uint64_t cval)
{
    __asm__ volatile(
        "msr cntvoff_el2, %0\n\tmsr cntv_cval_el0, %1\n\tisb\n\tmsr cntv_ctl_el0, %2" ::"r"(
            offset_ticks),
        "r"(cval), "r"((uint64_t)ctl)
        : "memory");
}

#endif

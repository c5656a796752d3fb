/* The model machine's virtual timer: three variables and fake_counter_ticks. */
#ifndef ARCH_TIMER_H
#define ARCH_TIMER_H

#include <stdint.h>

extern uint32_t fake_vtimer_ctl; /* ENABLE and IMASK */
extern uint64_t fake_vtimer_cval, fake_vtimer_offset;

static inline uint32_t arch_vtimer_ctl(void)
{
    uint32_t met = fake_counter_ticks - fake_vtimer_offset >= fake_vtimer_cval ? 4u : 0u;
    return fake_vtimer_ctl | ((fake_vtimer_ctl & 1u) != 0 ? met : 0u);
}
static inline uint64_t arch_vtimer_cval(void)
{
    return fake_vtimer_cval;
}
static inline void arch_vtimer_stop(void)
{
    fake_vtimer_ctl = 0;
}
static inline void arch_vtimer_start(uint64_t offset_ticks, uint32_t ctl, uint64_t cval)
{
    fake_vtimer_offset = offset_ticks;
    fake_vtimer_cval = cval;
    fake_vtimer_ctl = ctl & 3u;
}

#endif

/*
 * The counter and this CPU's comparator: the EL2 physical timer, PPI 26.
 * Source: DDI 0487I.a D11.2; interrupt numbers: SBSA, DEN 0029.
 */
#include "arm64.h"

#include <hyp/arch.h>

/* CNTFRQ_EL0, as firmware has set it. */
uint64_t arch_counter_hz(void)
{
    return sysreg_read(cntfrq_el0);
}

void arch_timer_program(uint64_t deadline_ticks)
{
    if (deadline_ticks == TICKS_NEVER) {
        sysreg_write(cnthp_ctl_el2, 0);
    } else {
        sysreg_write(cnthp_cval_el2, deadline_ticks);
        sysreg_write(cnthp_ctl_el2, 1);
    }
    isb();
}

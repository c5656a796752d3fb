/*
 * The end: one of our own invariants does not hold. Say which, stop every CPU.
 */
#include <hyp/assert.h>

#include <hyp/arch.h>
#include <hyp/console.h>
#include <hyp/cpu.h>
#include <hyp/gic.h>
#include <hyp/log.h>

void assert_failed(const char *what, const char *file, int line)
{
    static uint32_t stopping;

    /* The first CPU to fail speaks; another, or the same one again, only parks. */
    if (!__atomic_exchange_n(&stopping, 1, __ATOMIC_ACQ_REL)) {
        console_panic();
        log_warn("Bulkhead stopped on CPU %u: %s does not hold (%s:%d).", this_cpu()->id, what,
                 file, line);
        log_warn("This is a bug in Bulkhead, never a guest's doing alone: please report the lines "
                 "above.");
        gic_broadcast_stop();
    }
    arch_park();
}

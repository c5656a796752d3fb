/*
 * SErrors that the machine raises (tests/system/serror.py makes it, by QEMU's debugger port).
 *
 * Right: the guest that ran when it came takes it as an SError of its own, once, when it does not
 * mask them, and otherwise when it stops to; its registers and its calls are what they were. Wrong:
 * none comes, one comes twice, or a register is lost.
 */
#include "kit.h"
#include "xen.h"

#define EC_SERROR 0x2f
#define ISR_A (1u << 8)

static volatile u32 taken;
static u64 syndrome;

static void on_serror(struct frame *frame)
{
    taken++;
    syndrome = frame->esr;
}

/* Calls, until there is one: taken, or pending. False: none came in a minute, or a call went wrong. */
static bool call_until(u32 count)
{
    for (u64 end = ticks() + 60 * tick_rate(); ticks() < end;) {
        if (hypercall(HYPERCALL_xen_version, XENVER_version, 0, 0, 0) != 0x40011) {
            return false;
        }
        if (taken == count || (read_sysreg(isr_el1) & ISR_A) != 0) {
            return true;
        }
    }
    return false;
}

void guest_main(void)
{
    serror_hook = on_serror;
    __asm__ volatile("msr daifclr, #4" ::: "memory");
    say("calls, SErrors unmasked");
    ok(call_until(1), "one comes, and the calls beside it are right");
    is(taken, 1, "it is taken at once");
    is(ESR_EC(syndrome), EC_SERROR, "as an SError");
    __asm__ volatile("msr daifset, #4" ::: "memory");
    say("calls, SErrors masked");
    ok(call_until(2), "another comes");
    is(taken, 1, "while it is masked it waits");
    __asm__ volatile("msr daifclr, #4\n\tisb" ::: "memory");
    is(taken, 2, "unmasked it is taken");
    for (unsigned i = 0; i < 1000; i++) {
        hypercall(HYPERCALL_sched_op, SCHEDOP_yield, 0, 0, 0);
    }
    is(taken, 2, "and never again");
}

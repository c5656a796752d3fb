/*
 * Dies and is born again, for ever: each life looks for traces of the last
 * one, or of anybody else's, in its memory, leaves its own, and asks for a
 * restart. Right: every life says "clean". Wrong: one finds a trace (memory
 * was not scrubbed), dies otherwise, or the machine runs out of something.
 * tests/guest/restarts.py counts the lives and what the hypervisor has left.
 * Bootargs: sleep=MS: instead of dying, sleep with the virtual timer that far ahead.
 */
#include "kit.h"

#define TRACE 0x7ace0f1fe7ace0f1ull
#define TRACE_AT 64       /* bytes into each page */
#define FROM (16ul << 20) /* image, stack and tree are below or skipped */
#define TREE_MAX (64ul << 10)
#define PSCI_SYSTEM_RESET_ 0x84000009u

static bool in_use(u64 page)
{
    u64 tree = (u64)machine.fdt & ~(KIT_PAGE - 1);
    return page >= tree && page < tree + TREE_MAX;
}

static void sleep_with_timer(u64 ms)
{
    write_sysreg(cntv_cval_el0, ticks() + us_to_ticks(ms * 1000));
    write_sysreg(cntv_ctl_el0, 1);
    say("sleeps for %llu ms", (unsigned long long)ms);
    for (;;) {
        wfi();
    }
}

void guest_main(void)
{
    u64 sleep_ms = bootarg_u64("sleep", 0);
    u64 end = machine.ram_base + machine.ram_size, found = 0, pages = 0;

    for (u64 page = machine.ram_base; page < end; page += KIT_PAGE) {
        found += *(volatile u64 *)(page + TRACE_AT) == TRACE;
    }
    for (u64 page = machine.ram_base + FROM; page < end; page += KIT_PAGE) {
        if (!in_use(page)) {
            *(volatile u64 *)(page + TRACE_AT) = TRACE;
            pages++;
        }
    }
    if (found) {
        say("TRACES of another life in %llu pages", (unsigned long long)found);
        guest_die("memory was not scrubbed");
    }
    say("clean; %llu pages marked", (unsigned long long)pages);
    if (sleep_ms) {
        sleep_with_timer(sleep_ms);
    }
    psci_call(PSCI_SYSTEM_RESET_, 0, 0, 0);
    guest_die("SYSTEM_RESET returned");
}

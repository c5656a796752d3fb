/*
 * Ends as it is told, by one key: c says that it crashed, w forgets to feed its watchdog, r asks for a
 * restart, o for power-off; a says that it lives. tests/system/console.py presses the keys and looks what
 * the hypervisor makes of it. Right: nothing is ever said after c, w, r or o but by a new life.
 */
#include "kit.h"
#include "xen.h"

#define SCHEDOP_watchdog 6
#define SHUTDOWN_crash 3u
#define UARTDR 0x00
#define UARTFR 0x18
#define UARTIMSC 0x38
#define FR_RXFE (1u << 4)
#define IM_RX ((1u << 4) | (1u << 6))

static u8 key(void)
{
    while (mmio_read32(machine.uart + UARTFR) & FR_RXFE) {
        wfi();
    }
    return (u8)mmio_read32(machine.uart + UARTDR);
}

/* With a mark in x20 that the crash record must show. */
static void crash(void)
{
    u32 reason = SHUTDOWN_crash;

    __asm__ volatile("mov x20, %0\n\tmov x16, %1\n\tmov x0, %2\n\tmov x1, %3\n\thvc #0xea1"
                     :
                     : "r"(0x5eed5eed5eedull), "i"(HYPERCALL_sched_op), "i"(SCHEDOP_shutdown),
                       "r"(&reason)
                     : "x0", "x1", "x16", "x20", "memory");
}

void guest_main(void)
{
    struct {
        u32 id, timeout_s;
    } watchdog = {0, 1};

    irq_off();
    gic_enable(machine.uart_irq);
    mmio_write32(machine.uart + UARTIMSC, IM_RX);
    say("lives");
    for (;;) {
        switch (key()) {
        case 'a':
            say("is alive");
            break;
        case 'c':
            crash();
            break;
        case 'w':
            hypercall(HYPERCALL_sched_op, SCHEDOP_watchdog, (u64)&watchdog, 0, 0);
            say("does not feed");
            break;
        case 'r':
            psci_call(PSCI_SYSTEM_RESET, 0, 0, 0);
            break;
        case 'o':
            psci_call(PSCI_SYSTEM_OFF, 0, 0, 0);
            break;
        default:
            break;
        }
    }
}

/*
 * A small system that lives and answers: sleeps until a key comes, then says "alive" with the
 * number of keys so far. What a machine full of small domains is filled with.
 *
 * Right: one line per key. Wrong: silence, or another guest's key.
 */
#include "kit.h"

#define DR 0x00
#define FR 0x18
#define IMSC 0x38
#define ICR 0x44
#define RX_BITS 0x50 /* a character, or some and then a pause */
#define FR_EMPTY 0x10

static volatile u32 keys;

static void on_irq(u32 intid)
{
    if (intid != machine.uart_irq) {
        return;
    }
    while (!(mmio_read32(machine.uart + FR) & FR_EMPTY)) {
        (void)mmio_read32(machine.uart + DR);
        keys++;
    }
    mmio_write32(machine.uart + ICR, RX_BITS);
}

void guest_main(void)
{
    irq_hook = on_irq;
    gic_edge(machine.uart_irq, false);
    gic_enable(machine.uart_irq);
    mmio_write32(machine.uart + IMSC, RX_BITS);
    say("ready");
    for (u32 told = 0;;) {
        irq_on();
        irq_off();
        if (keys != told) {
            told = keys;
            say("alive %u", told);
        } else {
            wfi(); /* wakes for a pending interrupt although they are masked */
        }
    }
}

/*
 * The PL011 in full (DDI 0183): ids, every register, FIFO levels and
 * interrupts, as U-Boot's and Linux's drivers use it.
 *
 * Right: the same transcript as QEMU's PL011. On a board whose tree says
 * "arm,sbsa-uart" only the SBSA subset is asked.
 */
#include "kit.h"

#define DR 0x000
#define RSR 0x004
#define FR 0x018
#define IBRD 0x024
#define FBRD 0x028
#define LCRH 0x02c
#define CR 0x030
#define IFLS 0x034
#define IMSC 0x038
#define RIS 0x03c
#define MIS 0x040
#define ICR 0x044
#define DMACR 0x048
#define TX_BIT 0x20u

static volatile u32 taken;

static u32 get(u32 offset)
{
    return mmio_read32(machine.uart + offset);
}

static void put(u32 offset, u32 value)
{
    mmio_write32(machine.uart + offset, value);
}

static void on_irq(u32 intid)
{
    if (intid == machine.uart_irq) {
        taken++;
        put(IMSC, 0);
    }
}

static void drain(void)
{
    while (get(FR) & 8) {
        relax();
    }
}

/* Results are gathered first: printing uses the device that is being tested. */
static void registers(void)
{
    static const struct {
        u32 offset, value, want;
        const char *name;
    } cases[] = {{IBRD, 0x1234, 0x1234, "IBRD"},
                 {FBRD, 0x2a, 0x2a, "FBRD"},
                 {LCRH, 0x70, 0x70, "LCR_H"},
                 {IFLS, 0x09, 0x09, "IFLS"},
                 {IMSC, 0x7d0, 0x7d0, "IMSC"},
                 {IMSC, 0, 0, "IMSC, cleared"},
                 {IFLS, 0x12, 0x12, "IFLS, as after reset"}};
    for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
        if (machine.uart_sbsa && cases[i].offset != IMSC) {
            continue;
        }
        drain();
        put(cases[i].offset, cases[i].value);
        u32 got = get(cases[i].offset);
        is(got, cases[i].want, "%s reads back", cases[i].name);
    }
}

static void ids(void)
{
    static const u8 want[] = {0x11, 0x10, 0xff, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
    for (u32 i = 0; i < ARRAY_SIZE(want); i++) {
        u32 got = get(0xfe0 + i * 4);
        if (i == 2) { /* revision: any */
            is(got & 15, 4, "peripheral id 2: designer");
        } else {
            is(got, want[i], "id byte %u", i);
        }
    }
}

static void interrupts(void)
{
    irq_hook = on_irq;
    gic_edge(machine.uart_irq, false);
    gic_enable(machine.uart_irq);
    drain();
    put(ICR, 0x7ff);
    u32 raw_clear = get(RIS) & TX_BIT;
    put(IMSC, TX_BIT);
    put(DR, '#');
    drain();
    u32 raw = get(RIS) & TX_BIT, masked = get(MIS) & TX_BIT;
    irq_on();
    wait_change(&taken, 0, 10000);
    irq_off();
    u32 took = taken;
    put(DR, '\r');
    put(DR, '\n');
    drain();
    is(raw_clear, 0, "ICR clears the transmit interrupt");
    is(raw, TX_BIT, "sending sets it again");
    is(masked, TX_BIT, "MIS shows it unmasked");
    is(took, 1, "and it is taken");
    is(get(MIS), 0, "masked by the handler, MIS is clear");
    is(gic_is_pending(machine.uart_irq), 0, "and its level is low");
}

void guest_main(void)
{
    if (!machine.uart) {
        ok(false, "there is a PL011");
        return;
    }
    u32 flags = get(FR);
    ok(!(flags & 0x20) && (flags & 0x10), "transmit has room, receive is empty");
    is(get(RSR), 0, "no receive errors");
    ids();
    if (!machine.uart_sbsa) {
        u32 cr = get(CR);
        ok(cr & 0x100, "enabled for sending");
        put(DMACR, 0);
        is(get(DMACR), 0, "DMACR");
    }
    registers();
    interrupts();
    if (!machine.uart_sbsa) { /* U-Boot: off, divisors, format, on */
        drain();
        put(CR, 0);
        put(IBRD, 13);
        put(FBRD, 2);
        put(LCRH, 0x70);
        put(CR, 0x301);
        is(get(CR), 0x301, "set up as U-Boot does");
        put(RSR, 0xff);
        is(get(RSR), 0, "writing clears receive errors");
    }
    say("a line after all that");
    ok(true, "still prints");
}

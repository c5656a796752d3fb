/*
 * PL011 serial line; see hyp/uart.h. Register names and bits: ARM DDI 0183G,
 * section 3.3. The firmware has set the speed, which we keep.
 *
 * U1  only set_mask() changes the interrupt mask; its callers hold the
 *     console's lock. uart_read() has one caller at a time.
 * U2  the transmit interrupt marks the FIFO draining past its trigger level.
 *     It is unmasked only when the FIFO was found full, so it cannot be missed.
 */
#include <hyp/uart.h>

#include <hyp/arch.h>
#include <hyp/irq.h>
#include <hyp/pl011.h>
#include <hyp/tree.h>
#include <lib/string.h>
#include <lib/text.h>
#include <xen/errno.h>

/* Where there is no line: its transmitter takes all, its receiver has nothing. */
static uint32_t nowhere[ICR / 4 + 1] = {[FR / 4] = FR_RXFE};

static struct {
    volatile char *regs; /* [const] after uart_probe */
    mpa_t base;
    uint64_t size;  /* 0: no line */
    uint32_t intid; /* 0: none, input does not work */
    bool edge;
    uint32_t imsc; /* what the register holds */
    void (*event)(void);
} uart = {.regs = (volatile char *)nowhere};

static uint32_t reg_read(unsigned at)
{
    return arch_mmio_read32(uart.regs + at);
}

static void reg_write(unsigned at, uint32_t v)
{
    arch_mmio_write32(uart.regs + at, v);
}

static bool is_pl011(const struct tree *t, tree_node n)
{
    struct tree_value compatible = tree_get(t, n, "compatible");

    return tree_lists(compatible, "arm,pl011") || tree_lists(compatible, "arm,sbsa-uart");
}

/* stdout-path is a path or an alias, perhaps followed by `:options`. */
static tree_node stdout_node(const struct tree *t)
{
    tree_node chosen = tree_find(t, "/chosen", SIZE_MAX);
    struct tree_value path = tree_get(t, chosen, "stdout-path");
    size_t n = 0;

    while (n < path.size && path.data[n] != ':') {
        n++;
    }
    return tree_find(t, (const char *)path.data, n);
}

static tree_node find_node(const struct tree *t)
{
    tree_node n = stdout_node(t);

    if (!is_pl011(t, n)) {
        n = tree_root(t);
        while (n.at && !(is_pl011(t, n) && tree_enabled(t, n))) {
            n = tree_next(t, n, NULL);
        }
    }
    return n;
}

int uart_probe(const struct tree *t)
{
    tree_node n = find_node(t);
    mpa_t base;
    uint64_t size;

    if (tree_reg(t, n, 0, &base, &size) != 0) {
        return -XEN_ENODEV;
    }
    volatile char *regs = arch_map_mmio(base, size);
    if (!regs) {
        return -XEN_ENODEV;
    }
    uart.regs = regs;
    uart.base = base;
    uart.size = size;
    uart.imsc = 0;
    if (tree_irq(t, n, 0, &uart.intid, &uart.edge) != 0) {
        uart.intid = 0;
    }
    reg_write(IMSC, 0);
    if (!tree_lists(tree_get(t, n, "compatible"), "arm,sbsa-uart")) {
        reg_write(LCR_H, LCR_H_FEN | LCR_H_8BIT);
        reg_write(CR, reg_read(CR) | CR_UARTEN | CR_TXE | CR_RXE);
    }
    return 0;
}

/*
 * Reading the FIFO ends the receive interrupts. Clearing them by hand could
 * lose one: with bytes left above the trigger level none comes again.
 */
static void on_interrupt(void)
{
    reg_write(ICR, INT_ALL & ~(INT_RX | INT_RT));
    uart.event();
}

/* Of the interrupts `which`, let these come. */
static void set_mask(uint32_t which, uint32_t let)
{
    uint32_t imsc = (uart.imsc & ~which) | let;

    if (imsc != uart.imsc) {
        uart.imsc = imsc;
        reg_write(IMSC, imsc);
    }
}

void uart_listen(bool on)
{
    set_mask(INT_RX | INT_RT, on ? INT_RX | INT_RT : 0);
}

int uart_start(void (*event)(void))
{
    if (!uart.intid) {
        return -XEN_ENODEV;
    }
    uart.event = event;
    int error = irq_request(uart.intid, uart.edge, on_interrupt);
    if (!error) {
        reg_write(ICR, INT_ALL);
        uart_listen(true);
    }
    return error;
}

bool uart_try(char c)
{
    if (reg_read(FR) & FR_TXFF) {
        return false;
    }
    reg_write(DR, (unsigned char)c);
    return true;
}

size_t uart_write(const char *bytes, size_t count)
{
    size_t taken = 0;

    while (taken < count && !(reg_read(FR) & FR_TXFF)) {
        reg_write(DR, (unsigned char)bytes[taken++]);
    }
    set_mask(INT_TX, taken < count ? INT_TX : 0);
    return taken;
}

int uart_read(void)
{
    return reg_read(FR) & FR_RXFE ? -1 : (int)(reg_read(DR) & 0xff);
}

void uart_putc(char c)
{
    /* A line that takes nothing for 2 ms, twenty times what a byte takes at 115200 Bd, is broken. */
    uint64_t end = arch_counter_ticks() + arch_counter_hz() / 500;

    while ((reg_read(FR) & FR_TXFF) && arch_counter_ticks() < end) {
    }
    reg_write(DR, (unsigned char)c);
}

bool uart_place(mpa_t *base, uint32_t *intid)
{
    *base = uart.base;
    *intid = uart.intid;
    return uart.size != 0;
}

bool uart_overlaps(mpa_t base, uint64_t size_bytes)
{
    return base.v < uart.base.v + uart.size && uart.base.v < base.v + size_bytes;
}

/*
 * PL011 serial line; see hyp/uart.h. Register names and bits: ARM DDI 0183G,
 * section 3.3. The firmware has set the speed, which we keep.
 *
 * U1  only uart_write() changes the interrupt mask, and its callers hold the
 *     console's lock, as do those of uart_read().
 * U2  the transmit interrupt marks the FIFO draining past its trigger level.
 *     It is unmasked only when the FIFO was found full, so it cannot be missed.
 */
#include <hyp/uart.h>

#include <hyp/arch.h>
#include <hyp/devtree.h>
#include <hyp/irq.h>
#include <hyp/log.h>
#include <lib/string.h>
#include <lib/text.h>
#include <libfdt.h>
#include <xen/errno.h>

enum {
    DR = 0x00,
    FR = 0x18,
    LCR_H = 0x2c,
    CR = 0x30,
    IMSC = 0x38,
    ICR = 0x44,
};
enum {
    FR_RXFE = 1u << 4,
    FR_TXFF = 1u << 5,
    LCR_H_FEN_8BIT = 0x70,
    CR_UARTEN_TXE_RXE = 0x301,
    INT_RX = 1u << 4,
    INT_TX = 1u << 5,
    INT_RT = 1u << 6, /* bytes wait below the trigger level */
    INT_ALL = 0x7ff,
};

static struct {
    volatile char *regs; /* [const] after uart_probe; NULL: no line */
    mpa_t base;
    uint64_t size;
    uint32_t intid; /* 0: none, input does not work */
    bool edge;
    bool started;
    uint32_t imsc; /* what the register holds */
    void (*event)(void);
    char path[64];
} uart;

static uint32_t reg_read(unsigned at)
{
    return arch_mmio_read32(uart.regs + at);
}

static void reg_write(unsigned at, uint32_t v)
{
    arch_mmio_write32(uart.regs + at, v);
}

static bool is_pl011(const void *fdt, int node)
{
    return node >= 0 && (fdt_node_check_compatible(fdt, node, "arm,pl011") == 0 ||
                         fdt_node_check_compatible(fdt, node, "arm,sbsa-uart") == 0);
}

/*
 * stdout-path is a path or an alias, perhaps followed by `:options`. The alias is looked up here:
 * libfdt follows aliases of aliases by recursion, for ever if one names itself.
 */
static int stdout_node(const void *fdt)
{
    int length, chosen = fdt_path_offset(fdt, "/chosen");
    const char *path = chosen < 0 ? NULL : fdt_getprop(fdt, chosen, "stdout-path", &length);

    if (!path || length < 1) {
        return -1;
    }
    const char *colon = memchr(path, ':', (size_t)length);
    size_t n = colon ? (size_t)(colon - path) : strnlen(path, (size_t)length);
    if (*path != '/') {
        path = fdt_getprop_namelen(fdt, fdt_path_offset(fdt, "/aliases"), path, (int)n, &length);
        n = path != NULL ? strnlen(path, (size_t)length) : 0;
    }
    return n != 0 && *path == '/' ? fdt_path_offset_namelen(fdt, path, (int)n) : -1;
}

static int find_node(const void *fdt)
{
    int node = stdout_node(fdt);

    if (is_pl011(fdt, node)) {
        return node;
    }
    for (node = fdt_next_node(fdt, -1, NULL); node >= 0; node = fdt_next_node(fdt, node, NULL)) {
        if (is_pl011(fdt, node) && devtree_enabled(fdt, node)) {
            return node;
        }
    }
    return -1;
}

int uart_probe(const void *fdt)
{
    int node = find_node(fdt);

    if (node < 0 || devtree_reg(fdt, node, 0, &uart.base, &uart.size) != 0) {
        return -XEN_ENODEV;
    }
    if (devtree_irq(fdt, node, 0, &uart.intid, &uart.edge) != 0) {
        uart.intid = 0;
    }
    if (fdt_get_path(fdt, node, uart.path, sizeof(uart.path)) != 0) {
        uart.path[0] = 0;
    }
    uart.regs = arch_map_mmio(uart.base, uart.size);
    if (!uart.regs) {
        return -XEN_ENODEV;
    }
    reg_write(IMSC, 0);
    if (fdt_node_check_compatible(fdt, node, "arm,sbsa-uart") != 0) {
        reg_write(LCR_H, LCR_H_FEN_8BIT);
        reg_write(CR, reg_read(CR) | CR_UARTEN_TXE_RXE);
    }
    return 0;
}

/*
 * Reading the FIFO ends the receive interrupts. Clearing them by hand could
 * lose one: with bytes left above the trigger level none comes again.
 */
static void on_interrupt(void *arg)
{
    reg_write(ICR, INT_ALL & ~(INT_RX | INT_RT));
    uart.event();
}

int uart_start(void (*event)(void))
{
    if (!uart.regs || !uart.intid) {
        return -XEN_ENODEV;
    }
    uart.event = event;
    int err = irq_request(uart.intid, uart.edge, on_interrupt, NULL);
    if (err) {
        return err;
    }
    reg_write(ICR, INT_ALL);
    uart.imsc = INT_RX | INT_RT;
    reg_write(IMSC, uart.imsc);
    uart.started = true;
    return 0;
}

size_t uart_write(const char *bytes, size_t count)
{
    size_t taken = 0;

    if (!uart.regs) {
        return count;
    }
    while (taken < count && !(reg_read(FR) & FR_TXFF)) {
        reg_write(DR, (unsigned char)bytes[taken++]);
    }
    uint32_t imsc = INT_RX | INT_RT | (taken < count ? INT_TX : 0);
    if (uart.started && imsc != uart.imsc) {
        uart.imsc = imsc;
        reg_write(IMSC, imsc);
    }
    return taken;
}

bool uart_try(char c)
{
    if (!uart.regs || (reg_read(FR) & FR_TXFF)) {
        return !uart.regs;
    }
    reg_write(DR, (unsigned char)c);
    return true;
}

int uart_read(void)
{
    if (!uart.regs || (reg_read(FR) & FR_RXFE)) {
        return -1;
    }
    return (int)(reg_read(DR) & 0xff);
}

void uart_putc(char c)
{
    if (!uart.regs) {
        return;
    }
    /* A line that is not ready after 2 ms, twenty times what a byte takes at 115200 Bd, is broken.
     */
    uint64_t end = arch_counter_ticks() + arch_counter_hz() / 500;
    while ((reg_read(FR) & FR_TXFF) && arch_counter_ticks() < end) {
    }
    reg_write(DR, (unsigned char)c);
}

const char *uart_path(void)
{
    return uart.path;
}

bool uart_overlaps(mpa_t base, uint64_t size_bytes)
{
    return uart.regs && base.v < uart.base.v + uart.size && uart.base.v < base.v + size_bytes;
}

/* The board's serial line against a register file: found or not, full, empty, broken (U1, U2 of pl011.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "host-tree.h"
#include <fake.h>
#include <hyp/irq.h>
#include <hyp/uart.h>
#include <xen/errno.h>

enum { DR = 0x00, FR = 0x18, LCR_H = 0x2c, CR = 0x30, IMSC = 0x38, ICR = 0x44 };
enum { RXFE = 1u << 4, TXFF = 1u << 5, RX = 0x50, TX = 1u << 5, BASE = 0x9000000 };

static uint32_t regs[0x400];
static void (*handler)(void);
static unsigned events;
static int irq_error;

int irq_request(uint32_t intid, bool edge, void (*h)(void))
{
    assert_int_equal(intid, 33);
    handler = h;
    return irq_error;
}

static void event(void)
{
    events++;
}

static uint32_t reg(unsigned at)
{
    return regs[at / 4];
}

/* Probe a tree with this in its root; 0 or the error. */
static int probe(const char *text)
{
    static const char frame[] = "/dts-v1/; / { #address-cells = <2>; #size-cells = <2>; "
                                "interrupt-parent = <1>; intc: gic { phandle = <1>; "
                                "#interrupt-cells = <3>; interrupt-controller; }; BODY };";
    size_t size;
    struct tree t;
    void *fdt = host_tree_compile_with(frame, "BODY", text, &size);
    fake_boot(1, 1 << 20);
    fake_mmio_add(mpa(BASE), 0x1000, regs);
    for (unsigned i = 0; i < ARRAY_LEN(regs); i++) {
        regs[i] = 0;
    }
    events = 0;
    assert_int_equal(tree_open(&t, fdt, size), TREE_GOOD);
    int error = uart_probe(&t);
    free(fdt);
    return error;
}

#define PL011(more)                                                  \
    "uart@9000000 { compatible = \"arm,pl011\", \"arm,primecell\"; " \
    "reg = <0 0x9000000 0 0x1000>; interrupts = <0 1 4>; " more " };"

/* First of all: the state of the driver is for ever. */
static void test_none(void **state)
{
    assert_int_equal(probe(""), -XEN_ENODEV);
    assert_int_equal(uart_start(event), -XEN_ENODEV);
    assert_int_equal(uart_write("abc", 3), 3); /* goes nowhere, and nobody waits */
    assert_true(uart_try('a'));
    assert_int_equal(uart_read(), -1);
    uart_putc('a');
    uart_listen(true);
    assert_false(uart_overlaps(mpa(BASE), 0x1000));
    assert_int_equal(probe(PL011("status = \"disabled\";")), -XEN_ENODEV);
}

static void test_found(void **state)
{
    mpa_t base;
    uint32_t intid;
    assert_int_equal(probe(PL011("")), 0);
    assert_int_equal(reg(LCR_H), 0x70);
    assert_int_equal(reg(CR), 0x301);
    assert_true(uart_place(&base, &intid));
    assert_int_equal(base.v, BASE);
    assert_int_equal(intid, 33);
    assert_true(uart_overlaps(mpa(BASE + 0xfff), 1));
    assert_false(uart_overlaps(mpa(BASE + 0x1000), 1));
    /* Named by path with options, by an alias, by nonsense: the first one then. */
    assert_int_equal(probe(PL011("") "chosen { stdout-path = \"/uart@9000000:115200n8\"; };"), 0);
    assert_int_equal(probe(PL011("") "aliases { s0 = \"/uart@9000000\"; }; "
                                     "chosen { stdout-path = \"s0\"; };"),
                     0);
    assert_int_equal(probe(PL011("") "aliases { a = \"a\"; }; chosen { stdout-path = \"a\"; };"),
                     0);
    /* The SBSA's has no speed and is on already. */
    assert_int_equal(probe("uart@9000000 { compatible = \"arm,sbsa-uart\"; "
                           "reg = <0 0x9000000 0 0x1000>; interrupts = <0 1 4>; };"),
                     0);
    assert_int_equal(reg(CR), 0);
}

static void test_output(void **state)
{
    assert_int_equal(probe(PL011("")), 0);
    assert_int_equal(uart_write("ab", 2), 2);
    assert_int_equal(reg(DR), 'b');
    irq_error = -XEN_EBUSY;
    assert_int_equal(uart_start(event), -XEN_EBUSY);
    irq_error = 0;
    assert_int_equal(uart_start(event), 0);
    assert_int_equal(reg(IMSC), RX);
    uart_listen(false);
    assert_int_equal(reg(IMSC), 0);
    uart_listen(true);
    assert_int_equal(reg(IMSC), RX);
    regs[FR / 4] = TXFF; /* full: told when there is room, U2 */
    assert_int_equal(uart_write("c", 1), 0);
    assert_int_equal(reg(IMSC), RX | TX);
    assert_false(uart_try('c'));
    assert_int_equal(reg(DR), 'b');
    regs[FR / 4] = 0;
    handler();
    assert_int_equal(events, 1);
    assert_int_equal(reg(ICR) & RX, 0); /* reading ends those */
    assert_int_equal(uart_write("c", 1), 1);
    assert_int_equal(reg(IMSC), RX);
    assert_true(uart_try('d'));
    assert_int_equal(reg(DR), 'd');
    uart_putc('e');
    assert_int_equal(reg(DR), 'e');
}

static void test_input(void **state)
{
    assert_int_equal(probe(PL011("")), 0);
    regs[FR / 4] = RXFE;
    assert_int_equal(uart_read(), -1);
    regs[FR / 4] = 0;
    regs[DR / 4] = 0xf00 | 'k'; /* with error bits */
    assert_int_equal(uart_read(), 'k');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none),
        cmocka_unit_test(test_found),
        cmocka_unit_test(test_output),
        cmocka_unit_test(test_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

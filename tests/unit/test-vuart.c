/* The emulated PL011, driven as its drivers drive it: Linux by interrupts, U-Boot by polling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fake.h>
#include <hyp/vgic.h>
#include <hyp/vuart.h>
#include <stdlib.h>
#include <string.h>

#define BASE 0x22000000ull
#define SPI 32

enum {
    DR = 0,
    RSR = 4,
    FR = 0x18,
    LCR_H = 0x2c,
    CR = 0x30,
    IFLS = 0x34,
    IMSC = 0x38,
    RIS = 0x3c,
    MIS = 0x40,
    ICR = 0x44
};
enum { RXFE = 16, TXFF = 32, RXFF = 64, TXFE = 128, BUSY = 8 };
enum { RX = 16, TX = 32, RT = 64, BE = 1 << 9, OE = 1 << 10 };
enum { ON = 0x301, LBE = 1 << 7 };

static struct domain *d;
static char sent[4096];
static size_t sent_count, room; /* what the console takes before it refuses */
static bool level;
static unsigned level_changes;

bool vuart_output(struct domain *who, uint8_t byte)
{
    assert_ptr_equal(who, d);
    if (sent_count >= room) {
        return false;
    }
    sent[sent_count++] = (char)byte;
    return true;
}

void vgic_set_level(struct vcpu *v, uint32_t intid, bool high)
{
    assert_ptr_equal(v, d->vcpu[0]);
    assert_int_equal(intid, SPI);
    level = high;
    level_changes++;
}

static uint64_t access_(bool write, uint32_t at, uint8_t size, uint64_t value)
{
    struct mmio_access a = {.at = gpa(BASE + at), .value = value, .size = size, .write = write};

    assert_true(vuart_owns(&d->vuart, a.at));
    vuart_access(d, &a);
    assert_int_equal(fake_locks_held(), 0);
    assert_int_equal(level, (d->vuart.ris & d->vuart.imsc) != 0);                    /* V2 */
    assert_true(d->vuart.rx.count <= VUART_FIFO && d->vuart.tx.count <= VUART_FIFO); /* V1 */
    return a.value;
}

static uint64_t rd(uint32_t at)
{
    return access_(false, at, 4, ~0ull);
}

static void wr(uint32_t at, uint64_t value)
{
    (void)access_(true, at, 4, value);
}

static int setup(void **state)
{
    fake_boot(1, 0);
    d = fake_domain(1, "guest", 1);
    level = false;
    level_changes = 0;
    sent_count = 0;
    room = sizeof(sent);
    vuart_init(d, gpa(BASE), SPI);
    return 0;
}

static void test_identification(void **state)
{
    static const uint8_t id[] = {0x11, 0x10, 0x34, 0, 0x0d, 0xf0, 0x05, 0xb1};

    for (unsigned i = 0; i < sizeof(id); i++) {
        assert_int_equal(rd(0xfe0 + 4 * i), id[i]);
        assert_int_equal(access_(false, 0xfe0 + 4 * i, 1, 0), id[i]);
    }
}

static void test_ready_at_reset(void **state)
{
    /* The SBSA driver never switches the line on. */
    assert_int_equal(rd(FR) & (RXFE | TXFE | TXFF | BUSY), RXFE | TXFE);
    wr(DR, 'x');
    assert_int_equal(sent_count, 1);
    assert_int_equal(sent[0], 'x');
}

static void test_all_widths(void **state)
{
    (void)access_(true, DR, 1, 'a');
    (void)access_(true, DR, 2, 'b');
    (void)access_(true, DR, 4, 'c');
    (void)access_(true, DR, 8, 'd');
    (void)access_(true, DR + 1, 1, 'e'); /* not the data byte */
    assert_memory_equal(sent, "abcd", 4);
    assert_int_equal(sent_count, 4);
    assert_int_equal(access_(false, CR, 2, 0), ON);
    assert_int_equal(access_(false, CR, 8, 0), ON);
    assert_int_equal(access_(false, CR + 1, 1, 0), ON >> 8);
    assert_int_equal(access_(false, CR, 1, 0), ON & 0xff);
    assert_int_equal(access_(false, FR, 1, 0), rd(FR) & 0xff);
}

static void test_registers_keep_what_is_implemented(void **state)
{
    static const struct {
        uint32_t at, mask;
    } registers[] = {{0x20, 0xff}, {0x24, 0xffff}, {0x28, 0x3f},  {LCR_H, 0xff},
                     {CR, 0xff87}, {IFLS, 0x3f},   {IMSC, 0x7ff}, {0x48, 7}};

    for (unsigned i = 0; i < ARRAY_LEN(registers); i++) {
        wr(registers[i].at, 0xffffffff);
        assert_int_equal(rd(registers[i].at), registers[i].mask);
        wr(registers[i].at, 0);
        assert_int_equal(rd(registers[i].at), 0);
    }
    for (uint32_t at = 0x4c; at < 0xfe0; at += 4) {
        wr(at, ~0u);
        assert_int_equal(rd(at), 0);
    }
}

static void test_receive_fifo(void **state)
{
    wr(IMSC, RX | RT);
    for (unsigned i = 0; i < VUART_FIFO; i++) {
        assert_int_equal((rd(RIS) & RX) != 0, i >= 16); /* trigger: half */
        assert_true(vuart_receive(d, (uint8_t)('A' + i)));
        assert_true(level);
    }
    assert_true(rd(FR) & RXFF);
    assert_false(vuart_receive(d, '!'));
    for (unsigned i = 0; i < VUART_FIFO; i++) {
        assert_int_equal(rd(DR), 'A' + i);
    }
    assert_true(rd(FR) & RXFE);
    assert_false(level);
    assert_int_equal(rd(RIS) & (RX | RT), 0);
    assert_int_equal(rd(DR), 0);
}

static void test_receive_timeout_below_trigger(void **state)
{
    wr(IMSC, RT);
    assert_true(vuart_receive(d, 'q'));
    assert_int_equal(rd(MIS), RT);
    wr(ICR, RT);
    assert_false(level);
    assert_int_equal(rd(DR), 'q');
    assert_int_equal(rd(RIS), 0);
}

static void test_one_byte_without_fifo(void **state)
{
    wr(LCR_H, 0x60);
    assert_true(vuart_receive(d, '1'));
    assert_int_equal(rd(RIS) & (RX | RT), RX);
    assert_int_equal(rd(FR) & (RXFF | RXFE), RXFF);
    assert_false(vuart_receive(d, '2'));
    assert_int_equal(rd(DR), '1');
    room = 0;
    wr(DR, 'x');
    assert_int_equal(rd(FR) & (TXFF | TXFE | BUSY), TXFF | BUSY);
    wr(DR, 'y'); /* lost, as on hardware */
    room = 10;
    vuart_output_ready(d);
    assert_int_equal(sent_count, 1);
    assert_int_equal(rd(FR) & (TXFF | TXFE | BUSY), TXFE);
}

static void test_transmit_waits_for_the_console(void **state)
{
    room = 3;
    wr(IFLS, 2); /* told at half */
    wr(IMSC, TX);
    for (unsigned i = 0; i < 3 + VUART_FIFO; i++) {
        assert_false(rd(FR) & TXFF);
        wr(DR, 'a' + i);
    }
    assert_true(rd(FR) & TXFF);
    assert_false(level); /* above the trigger */
    wr(DR, '!');
    room = 3 + 15;
    vuart_output_ready(d);
    assert_int_equal(d->vuart.tx.count, 17);
    assert_true(d->vuart.ris == 0 || level);
    room = sizeof(sent);
    vuart_output_ready(d);
    assert_true(level);
    assert_int_equal(sent_count, 3 + VUART_FIFO);
    for (unsigned i = 0; i < sent_count; i++) {
        assert_int_equal((uint8_t)sent[i], (uint8_t)('a' + i));
    }
}

static void test_linux_driver_transmits_by_interrupt(void **state)
{
    wr(IMSC, TX);
    wr(DR, 'x');
    assert_true(level); /* room: more, please */
    wr(ICR, TX);
    assert_false(level);
    wr(DR, 'y');
    assert_true(level);
    wr(IMSC, 0);
    assert_false(level);
}

static void test_off_is_off(void **state)
{
    wr(CR, 0);
    assert_false(vuart_receive(d, 'x'));
    wr(DR, 'y');
    assert_int_equal(sent_count, 0);
    wr(CR, ON);
    assert_int_equal(sent_count, 1);
    wr(CR, 0x201); /* transmitter only off */
    wr(DR, 'z');
    assert_int_equal(sent_count, 1);
    assert_true(vuart_receive(d, 'x'));
}

static void test_loopback(void **state)
{
    wr(CR, ON | LBE);
    wr(DR, 'L');
    assert_int_equal(sent_count, 0);
    assert_int_equal(rd(DR), 'L');
    assert_false(vuart_receive(d, 'x'));
    wr(LCR_H, 0x71);
    assert_true(rd(RIS) & BE);
    assert_int_equal(rd(DR), 1 << 10);
    assert_int_equal(rd(RSR), 4);
    wr(RSR, 0);
    assert_int_equal(rd(RSR), 0);
    for (unsigned i = 0; i < VUART_FIFO + 1; i++) {
        wr(DR, i);
    }
    assert_true(rd(RIS) & OE);
    assert_int_equal(rd(RSR) & 8, 8);
    wr(ICR, 0x7ff);
    wr(CR, ON | LBE | 1 << 11 | 1 << 10 | 1 << 12 | 1 << 13); /* RTS, DTR, Out1, Out2 */
    assert_int_equal(rd(FR) & 0x107, 0x107);
    wr(CR, ON | LBE);
    assert_int_equal(rd(FR) & 0x107, 0);
    assert_int_equal(rd(RIS) & 15, 15);
}

static void test_break(void **state)
{
    wr(IMSC, BE);
    assert_true(vuart_receive(d, VUART_BREAK));
    assert_true(level);
    assert_int_equal(rd(DR), 1 << 10);
    wr(ICR, BE);
    assert_false(level);
}

static void test_reset(void **state)
{
    assert_true(vuart_receive(d, 'x'));
    wr(IMSC, RT);
    assert_true(level);
    vuart_reset(d);
    assert_false(level);
    assert_int_equal(rd(CR), ON);
    assert_true(rd(FR) & RXFE);
    memset(&d->vuart, 0, sizeof(d->vuart));
    vuart_reset(d); /* a domain without a line */
    assert_false(vuart_receive(d, 'x'));
    vuart_output_ready(d);
}

/* Anything a guest and a console may do, in any order: the asserts in access_() hold, nothing is lost or made up. */
static void test_random_use(void **state)
{
    srand(20260);
    for (unsigned i = 0; i < 200000; i++) {
        unsigned what = (unsigned)rand() % 16;
        uint32_t at = (uint32_t)rand() % 0x50;
        static const uint8_t sizes[] = {1, 2, 4, 8};
        uint8_t size = sizes[(unsigned)rand() % 4];
        if (what < 8) {
            (void)access_((what & 1) != 0, at & ~(size - 1u), size, (uint64_t)rand());
        } else if (what < 12) {
            (void)!vuart_receive(d, (uint8_t)rand());
        } else if (what == 12) {
            room = (unsigned)rand() % 2 != 0 ? sizeof(sent) : 0;
            vuart_output_ready(d);
        } else if (what == 13) {
            (void)!vuart_receive(d, VUART_BREAK);
        } else if (what == 14 && i % 64 == 0) {
            vuart_reset(d);
        }
        sent_count = 0;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_identification, setup),
        cmocka_unit_test_setup(test_ready_at_reset, setup),
        cmocka_unit_test_setup(test_all_widths, setup),
        cmocka_unit_test_setup(test_registers_keep_what_is_implemented, setup),
        cmocka_unit_test_setup(test_receive_fifo, setup),
        cmocka_unit_test_setup(test_receive_timeout_below_trigger, setup),
        cmocka_unit_test_setup(test_one_byte_without_fifo, setup),
        cmocka_unit_test_setup(test_transmit_waits_for_the_console, setup),
        cmocka_unit_test_setup(test_linux_driver_transmits_by_interrupt, setup),
        cmocka_unit_test_setup(test_off_is_off, setup),
        cmocka_unit_test_setup(test_loopback, setup),
        cmocka_unit_test_setup(test_break, setup),
        cmocka_unit_test_setup(test_reset, setup),
        cmocka_unit_test_setup(test_random_use, setup),
    };

    return cmocka_run_group_tests_name("vuart", tests, NULL, NULL);
}

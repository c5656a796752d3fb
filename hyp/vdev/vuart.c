/*
 * The emulated PL011; hyp/vuart.h.
 *
 * Time on the line is not emulated: a character is sent the moment it is
 * written if the console has room, and a receive timeout has passed the moment
 * anybody looks. So the transmit FIFO holds only what the console refused.
 *
 * Source: DDI 0183G, chapter 3 (registers), 2.8 (interrupts).
 */
#include <hyp/vuart.h>

#include <hyp/domain.h>
#include <hyp/vgic.h>

/* clang-format off */
enum { /* register offsets */
    DR = VUART_DR, RSR = 0x04, FR = VUART_FR, ILPR = 0x20, IBRD = 0x24, FBRD = 0x28, LCR_H = 0x2c, CR = 0x30,
    IFLS = 0x34, IMSC = 0x38, RIS = 0x3c, MIS = 0x40, ICR = 0x44, DMACR = 0x48, ID = 0xfe0,
};
enum {
    FR_CTS = 1, FR_DSR = 2, FR_DCD = 4, FR_BUSY = 8, FR_RXFE = 16, FR_TXFF = 32, FR_RXFF = 64,
    FR_TXFE = 128, FR_RI = 256,
};
enum {
    CR_UARTEN = 1, CR_LBE = 1 << 7, CR_TXE = 1 << 8, CR_RXE = 1 << 9, CR_DTR = 1 << 10,
    CR_RTS = 1 << 11, CR_OUT1 = 1 << 12, CR_OUT2 = 1 << 13, CR_MASK = 0xff87,
};
enum { LCR_BRK = 1, LCR_FEN = 16, LCR_MASK = 0xff };
enum { DR_BREAK = 1 << 10, RSR_OVERRUN = 8, RSR_MASK = 15 };
enum {
    INT_RI = 1, INT_CTS = 2, INT_DCD = 4, INT_DSR = 8, INT_RX = 16, INT_TX = 32, INT_RT = 64,
    INT_BREAK = 1 << 9, INT_OVERRUN = 1 << 10, INT_MASK = 0x7ff,
};
/* clang-format on */

/* Identification of revision r1p5, the first with 32 entries. */
static const uint8_t id[] = {0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

static unsigned depth(const struct vuart *u)
{
    return (u->lcr_h & LCR_FEN) != 0 ? VUART_FIFO : 1;
}

/* Entries at which a FIFO's interrupt triggers; selector 0-4 is 1/8, 1/4, 1/2, 3/4, 7/8. */
static unsigned trigger(unsigned selector)
{
    static const uint8_t level[8] = {4, 8, 16, 24, 28, 28, 28, 28};

    return level[selector & 7];
}

static bool rx_on(const struct vuart *u)
{
    return (u->cr & (CR_UARTEN | CR_RXE)) == (CR_UARTEN | CR_RXE);
}

static bool tx_on(const struct vuart *u)
{
    return (u->cr & (CR_UARTEN | CR_TXE)) == (CR_UARTEN | CR_TXE);
}

/* V2: tell the vGIC if the interrupt's level has changed. V4. */
static void update_line(struct domain *d)
{
    struct vuart *u = &d->vuart;
    bool line = (u->ris & u->imsc) != 0;
    bool straight =
        tx_on(u) && (u->cr & CR_LBE) == 0 && u->tx_count == 0 && (u->ris & INT_TX) != 0 && !u->far;

    __atomic_store_n(&u->straight, straight, __ATOMIC_RELAXED);
    if (line != u->line) {
        u->line = line;
        vgic_set_level(d->vcpu[0], u->spi, line);
    }
}

/* Modem lines: a peer that is always there, or our own outputs looped back. */
static unsigned modem(const struct vuart *u)
{
    if ((u->cr & CR_LBE) == 0) {
        return FR_CTS | FR_DSR | FR_DCD;
    }
    return ((u->cr & CR_RTS) != 0 ? FR_CTS : 0) | ((u->cr & CR_DTR) != 0 ? FR_DSR : 0) |
           ((u->cr & CR_OUT1) != 0 ? FR_DCD : 0) | ((u->cr & CR_OUT2) != 0 ? FR_RI : 0);
}

/* V3: to be called after whatever changes a FIFO, its depth or the modem lines. */
static void update_flags(struct vuart *u)
{
    unsigned tx = u->tx_count, rx = u->rx_count;

    __atomic_store_n(&u->flags,
                     (uint16_t)(modem(u) | (rx == 0 ? FR_RXFE : 0) |
                                (rx >= depth(u) ? FR_RXFF : 0) | (tx == 0 ? FR_TXFE : FR_BUSY) |
                                (tx >= depth(u) ? FR_TXFF : 0)),
                     __ATOMIC_RELAXED);
}

static void judge_rx(struct vuart *u)
{
    bool fifo = (u->lcr_h & LCR_FEN) != 0;
    bool full_enough = u->rx_count >= (fifo ? trigger(u->ifls >> 3) : 1);
    unsigned pending = (full_enough ? INT_RX : 0) | (fifo && u->rx_count != 0 ? INT_RT : 0);

    u->ris = (uint16_t)((u->ris & ~(INT_RX | INT_RT)) | pending);
    update_flags(u);
}

static bool rx_push(struct vuart *u, unsigned entry)
{
    if (u->rx_count >= depth(u)) {
        return false;
    }
    u->rx[(u->rx_first + u->rx_count) % VUART_FIFO] = (uint16_t)entry;
    u->rx_count++;
    if ((entry & DR_BREAK) != 0) {
        u->ris |= INT_BREAK;
    }
    judge_rx(u);
    return true;
}

/* The guest's own output comes back: nobody waits for room, so what does not fit is an overrun. */
static void loop_back(struct vuart *u, unsigned entry)
{
    if (rx_on(u) && !rx_push(u, entry)) {
        u->rsr |= RSR_OVERRUN;
        u->ris |= INT_OVERRUN;
    }
}

static bool send(struct domain *d, uint8_t byte)
{
    if ((d->vuart.cr & CR_LBE) != 0) {
        loop_back(&d->vuart, byte);
        return true;
    }
    return d->vuart.far ? vuart_ring_put(d, byte) : vuart_output(d, byte);
}

/* Room in the transmit FIFO is told when it falls to its trigger level. */
static void judge_tx(struct vuart *u)
{
    if (u->tx_count <= ((u->lcr_h & LCR_FEN) != 0 ? trigger(u->ifls) : 0)) {
        u->ris |= INT_TX;
    } else {
        u->ris &= (uint16_t)~INT_TX;
    }
    update_flags(u);
}

/* Send what waits, as far as there is room. At most VUART_FIFO characters. */
static void drain(struct domain *d)
{
    struct vuart *u = &d->vuart;
    bool sent = false;

    while (u->tx_count != 0 && tx_on(u) && send(d, u->tx[u->tx_first])) {
        u->tx_first = (uint8_t)((u->tx_first + 1) % VUART_FIFO);
        u->tx_count--;
        sent = true;
    }
    if (sent) {
        judge_tx(u);
    }
}

static void write_data(struct domain *d, uint8_t byte)
{
    struct vuart *u = &d->vuart;

    if (u->tx_count == 0 && tx_on(u) && send(d, byte)) {
        u->ris |= INT_TX;
        return;
    }
    if (u->tx_count < depth(u)) { /* else lost, as on hardware: the guest did not look at TXFF */
        u->tx[(u->tx_first + u->tx_count) % VUART_FIFO] = byte;
        u->tx_count++;
        judge_tx(u);
    }
}

static uint16_t read_data(struct vuart *u)
{
    if (u->rx_count == 0) {
        return 0;
    }
    uint16_t entry = u->rx[u->rx_first];
    u->rx_first = (uint8_t)((u->rx_first + 1) % VUART_FIFO);
    u->rx_count--;
    u->rsr = (uint16_t)((u->rsr & RSR_OVERRUN) | (entry >> 8 & RSR_MASK));
    judge_rx(u);
    return entry;
}

static void write_cr(struct domain *d, uint16_t value)
{
    struct vuart *u = &d->vuart;
    unsigned before = modem(u);

    u->cr = value & CR_MASK;
    unsigned changed = before ^ modem(u);
    u->ris |=
        (uint16_t)(((changed & FR_CTS) != 0 ? INT_CTS : 0) |
                   ((changed & FR_DSR) != 0 ? INT_DSR : 0) |
                   ((changed & FR_DCD) != 0 ? INT_DCD : 0) | ((changed & FR_RI) != 0 ? INT_RI : 0));
    update_flags(u);
    drain(d);
}

static void write_lcr_h(struct domain *d, uint16_t value)
{
    struct vuart *u = &d->vuart;
    bool break_begins = (value & LCR_BRK) != 0 && (u->lcr_h & LCR_BRK) == 0;

    u->lcr_h = value & LCR_MASK;
    if (break_begins && (u->cr & CR_LBE) != 0) {
        loop_back(u, DR_BREAK);
    }
    judge_rx(u);
}

/* Registers that keep what is written, and their implemented bits. */
#define PLAIN(register, field, bits) [(register) / 4] = {offsetof(struct vuart, field), bits}
static const struct {
    uint16_t field, bits;
} plain[] = {
    PLAIN(RSR, rsr, 0),        PLAIN(FR, flags, 0),     PLAIN(ILPR, ilpr, 0xff),
    PLAIN(IBRD, ibrd, 0xffff), PLAIN(FBRD, fbrd, 0x3f), PLAIN(LCR_H, lcr_h, LCR_MASK),
    PLAIN(CR, cr, CR_MASK),    PLAIN(IFLS, ifls, 0x3f), PLAIN(IMSC, imsc, INT_MASK),
    PLAIN(RIS, ris, 0),        PLAIN(DMACR, dmacr, 7),
};

static uint16_t *field_of(struct vuart *u, uint32_t at)
{
    return at / 4 < ARRAY_LEN(plain) && plain[at / 4].field != 0
               ? (uint16_t *)((char *)u + plain[at / 4].field)
               : NULL;
}

static uint16_t read_register(struct vuart *u, uint32_t at)
{
    const uint16_t *field = field_of(u, at);

    if (field != NULL) {
        return *field;
    }
    return at == DR    ? read_data(u)
           : at == MIS ? u->ris & u->imsc
           : at >= ID  ? id[(at - ID) / 4]
                       : 0;
}

static void write_register(struct domain *d, uint32_t at, uint16_t value)
{
    struct vuart *u = &d->vuart;
    uint16_t *field = field_of(u, at);

    if (at == DR) {
        write_data(d, (uint8_t)value);
    } else if (at == CR) {
        write_cr(d, value);
    } else if (at == LCR_H) {
        write_lcr_h(d, value);
    } else if (at == ICR) {
        u->ris &= (uint16_t)~value;
    } else if (at == RSR) { /* as ECR: any write clears */
        u->rsr = 0;
    } else if (field != NULL && plain[at / 4].bits != 0) {
        *field = value & plain[at / 4].bits;
        if (at == IFLS) {
            judge_rx(u);
        }
    }
}

void vuart_access(struct domain *d, struct mmio_access *a)
{
    struct vuart *u = &d->vuart;
    uint32_t offset = (uint32_t)(a->at.v - u->base.v), at = offset & ~3u, lane = offset & 3;

    lock(&u->lock);
    if (!a->write) {
        a->value = (uint64_t)read_register(u, at) >> 8 * lane;
    } else if (lane == 0) { /* other bytes of a register cannot be written alone */
        write_register(d, at, (uint16_t)a->value);
    }
    update_line(d);
    unlock(&u->lock);
    if (unlikely(u->far)) {
        vuart_ring_moved(d);
    }
    if (a->size == 1) {
        a->value &= 0xff;
    }
}

bool vuart_receive(struct domain *d, uint8_t byte)
{
    struct vuart *u = &d->vuart;
    bool taken = false;

    if (!u->present) {
        return false;
    }
    lock(&u->lock);
    if (rx_on(u) && (u->cr & CR_LBE) == 0) {
        taken = rx_push(u, byte);
        update_line(d);
    }
    unlock(&u->lock);
    return taken;
}

void vuart_receive_break(struct domain *d)
{
    struct vuart *u = &d->vuart;

    if (!u->present) {
        return;
    }
    lock(&u->lock);
    if (rx_on(u) && (u->cr & CR_LBE) == 0) {
        (void)rx_push(u, DR_BREAK);
        update_line(d);
    }
    unlock(&u->lock);
}

void vuart_output_ready(struct domain *d)
{
    struct vuart *u = &d->vuart;

    if (!u->present) {
        return;
    }
    lock(&u->lock);
    drain(d);
    update_line(d);
    unlock(&u->lock);
}

/* As firmware leaves it: on, 115,200 bits per second from a clock of 24 MHz, 8 bits, FIFOs on. */
static void power_on(struct vuart *u)
{
    u->cr = CR_UARTEN | CR_TXE | CR_RXE;
    u->lcr_h = 0x70;
    u->ibrd = 13;
    u->fbrd = 1;
    u->ifls = 0x12;
    u->ris = u->imsc = u->ilpr = u->dmacr = u->rsr = 0;
    u->rx_first = u->rx_count = u->tx_first = u->tx_count = 0;
    update_flags(u);
}

void vuart_init(struct domain *d, gpa_t base, uint32_t spi)
{
    struct vuart *u = &d->vuart;

    *u = (struct vuart){.base = base, .spi = spi, .line = false};
    lock_init(&u->lock, RANK_VDEV);
    power_on(u);
    u->present = true;
}

void vuart_reset(struct domain *d)
{
    struct vuart *u = &d->vuart;

    if (!u->present) {
        return;
    }
    lock(&u->lock);
    power_on(u);
    update_line(d);
    unlock(&u->lock);
}

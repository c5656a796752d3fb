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
#include <hyp/pl011.h>
#include <hyp/vgic.h>
#include <lib/string.h>

/* Identification of revision r1p5, the first with 32 entries. */
static const uint8_t id[] = {0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

/* Bits that keep what is written. */
static const uint16_t writable[VUART_REGISTERS] = {
    [ILPR / 4] = 0xff, [IBRD / 4] = 0xffff, [FBRD / 4] = 0x3f,    [LCR_H / 4] = 0xff,
    [CR / 4] = 0xff87, [IFLS / 4] = 0x3f,   [IMSC / 4] = INT_ALL, [DMACR / 4] = 7,
};

/* Modem lines: our output, the input it is looped back to, the interrupt when that changes. */
static const struct {
    uint16_t output, input, interrupt;
} modem_lines[] = {{CR_RTS, FR_CTS, INT_CTS},
                   {CR_DTR, FR_DSR, INT_DSR},
                   {CR_OUT1, FR_DCD, INT_DCD},
                   {CR_OUT2, FR_RI, INT_RI}};

static bool fifo_on(const struct vuart *u)
{
    return (u->lcr_h & LCR_H_FEN) != 0;
}

static unsigned depth(const struct vuart *u)
{
    return fifo_on(u) ? VUART_FIFO : 1;
}

/* Entries at which a FIFO's interrupt triggers; selector 0-4 is 1/8, 1/4, 1/2, 3/4, 7/8. */
static unsigned trigger(unsigned selector)
{
    static const uint8_t level[8] = {4, 8, 16, 24, 28, 28, 28, 28};

    return level[selector & 7];
}

static bool fifo_put(struct vuart *u, struct vuart_fifo *f, unsigned entry)
{
    if (f->count >= depth(u)) {
        return false;
    }
    f->entry[(f->first + f->count) % VUART_FIFO] = (uint16_t)entry;
    f->count++;
    return true;
}

static uint16_t fifo_take(struct vuart_fifo *f)
{
    uint16_t entry = f->entry[f->first];

    f->first = (uint8_t)((f->first + 1) % VUART_FIFO);
    f->count--;
    return entry;
}

static bool is_on(const struct vuart *u, unsigned direction)
{
    return (u->cr & CR_UARTEN) != 0 && (u->cr & direction) != 0;
}

static bool looped(const struct vuart *u)
{
    return (u->cr & CR_LBE) != 0;
}

/* Modem inputs: a peer that is always there, or our own outputs looped back. */
static unsigned modem(const struct vuart *u)
{
    unsigned inputs = 0;

    if (!looped(u)) {
        return FR_CTS | FR_DSR | FR_DCD;
    }
    for (unsigned i = 0; i < ARRAY_LEN(modem_lines); i++) {
        inputs |= (u->cr & modem_lines[i].output) != 0 ? modem_lines[i].input : 0;
    }
    return inputs;
}

/* What follows from the rest (V2, V3, V4); the vGIC is told if the interrupt's level has changed. */
static void update(struct domain *d)
{
    struct vuart *u = &d->vuart;
    unsigned tx = u->tx.count, rx = u->rx.count;
    unsigned flags = modem(u) | (rx == 0 ? FR_RXFE : 0) | (rx >= depth(u) ? FR_RXFF : 0) |
                     (tx == 0 ? FR_TXFE : FR_BUSY) | (tx >= depth(u) ? FR_TXFF : 0);

    u->mis = u->ris & u->imsc;
    __atomic_store_n(&u->fr, (uint16_t)flags, __ATOMIC_RELAXED);
    __atomic_store_n(&u->straight,
                     is_on(u, CR_TXE) && !looped(u) && tx == 0 && (u->ris & INT_TX) != 0 && !u->far,
                     __ATOMIC_RELAXED);
    if (u->line != (u->mis != 0)) {
        u->line = !u->line;
        vgic_set_level(d->vcpu[0], u->spi, u->line);
    }
}

static void judge_rx(struct vuart *u)
{
    bool full_enough = u->rx.count >= (fifo_on(u) ? trigger(u->ifls >> 3) : 1);
    unsigned pending = (full_enough ? INT_RX : 0) | (fifo_on(u) && u->rx.count ? INT_RT : 0);

    u->ris = (uint16_t)((u->ris & ~(INT_RX | INT_RT)) | pending);
}

/* Room in the transmit FIFO is told when it falls to its trigger level. */
static void judge_tx(struct vuart *u)
{
    bool room = u->tx.count <= (fifo_on(u) ? trigger(u->ifls) : 0);

    u->ris = (uint16_t)((u->ris & ~INT_TX) | (room ? INT_TX : 0));
}

/* A character or DR_BREAK arrives. False: no room, or nobody listens. */
static bool arrive(struct vuart *u, unsigned entry)
{
    if (!is_on(u, CR_RXE) || !fifo_put(u, &u->rx, entry)) {
        return false;
    }
    u->ris |= (entry & DR_BREAK) != 0 ? INT_BREAK : 0;
    judge_rx(u);
    return true;
}

/* The guest's own output comes back: nobody waits for room, so what does not fit is an overrun. */
static void loop_back(struct vuart *u, unsigned entry)
{
    if (!arrive(u, entry) && is_on(u, CR_RXE)) {
        u->rsr |= RSR_OVERRUN;
        u->ris |= INT_OVERRUN;
    }
}

static bool send(struct domain *d, uint8_t byte)
{
    if (!is_on(&d->vuart, CR_TXE)) {
        return false;
    }
    if (looped(&d->vuart)) {
        loop_back(&d->vuart, byte);
        return true;
    }
    return d->vuart.far ? vuart_ring_put(d, byte) : vuart_output(d, byte);
}

/* Send what waits, as far as there is room. At most VUART_FIFO characters. */
static void drain(struct domain *d)
{
    struct vuart *u = &d->vuart;

    while (u->tx.count != 0 && send(d, (uint8_t)u->tx.entry[u->tx.first])) {
        (void)fifo_take(&u->tx);
        judge_tx(u);
    }
}

static void write_data(struct domain *d, uint8_t byte)
{
    struct vuart *u = &d->vuart;

    if (u->tx.count == 0 && send(d, byte)) {
        u->ris |= INT_TX;
    } else if (fifo_put(u, &u->tx, byte)) { /* else lost, as on hardware: TXFF was not looked at */
        judge_tx(u);
    }
}

static uint16_t read_data(struct vuart *u)
{
    if (u->rx.count == 0) {
        return 0;
    }
    uint16_t entry = fifo_take(&u->rx);
    u->rsr = (uint16_t)((u->rsr & RSR_OVERRUN) | (entry >> 8 & RSR_MASK));
    judge_rx(u);
    return entry;
}

static void modem_changed(struct vuart *u, unsigned before)
{
    unsigned changed = before ^ modem(u);

    for (unsigned i = 0; i < ARRAY_LEN(modem_lines); i++) {
        u->ris |= (changed & modem_lines[i].input) != 0 ? modem_lines[i].interrupt : 0;
    }
}

static uint16_t read_register(struct vuart *u, uint32_t at)
{
    return at == DR                   ? read_data(u)
           : at / 4 < VUART_REGISTERS ? u->reg[at / 4]
           : at >= ID                 ? id[(at - ID) / 4]
                                      : 0;
}

static void write_register(struct domain *d, uint32_t at, uint16_t value)
{
    struct vuart *u = &d->vuart;
    unsigned inputs = modem(u);
    bool breaks = (u->lcr_h & LCR_H_BRK) != 0;

    if (at / 4 < VUART_REGISTERS && writable[at / 4] != 0) {
        u->reg[at / 4] = value & writable[at / 4];
    }
    switch (at) {
    case DR:
        write_data(d, (uint8_t)value);
        break;
    case RSR: /* as ECR: any write clears */
        u->rsr = 0;
        break;
    case LCR_H:
        if (looped(u) && !breaks && (u->lcr_h & LCR_H_BRK) != 0) {
            loop_back(u, DR_BREAK);
        }
        judge_rx(u);
        break;
    case CR:
        modem_changed(u, inputs);
        drain(d);
        break;
    case IFLS:
        judge_rx(u);
        break;
    case ICR:
        u->ris &= (uint16_t)~value;
        break;
    default:
        break;
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
    update(d);
    unlock(&u->lock);
    if (unlikely(u->far)) {
        vuart_ring_moved(d);
    }
    if (a->size == 1) {
        a->value &= 0xff;
    }
}

bool vuart_receive(struct domain *d, uint16_t entry)
{
    struct vuart *u = &d->vuart;

    if (!u->present) {
        return false;
    }
    lock(&u->lock);
    bool taken = !looped(u) && arrive(u, entry);
    update(d);
    unlock(&u->lock);
    return taken;
}

void vuart_output_ready(struct domain *d)
{
    struct vuart *u = &d->vuart;

    if (!u->present) {
        return;
    }
    lock(&u->lock);
    drain(d);
    update(d);
    unlock(&u->lock);
}

void vuart_init(struct domain *d, gpa_t base, uint32_t spi)
{
    struct vuart *u = &d->vuart;

    *u = (struct vuart){.present = true, .base = base, .spi = spi};
    lock_init(&u->lock, RANK_VDEV);
    vuart_reset(d);
}

/* As firmware leaves it: on, 115,200 bits per second from a clock of 24 MHz, 8 bits, FIFOs on. */
void vuart_reset(struct domain *d)
{
    struct vuart *u = &d->vuart;

    if (!u->present) {
        return;
    }
    lock(&u->lock);
    memset(u->reg, 0, sizeof(u->reg));
    u->rx.count = u->tx.count = 0;
    u->ibrd = 13;
    u->fbrd = 1;
    u->lcr_h = LCR_H_8BIT | LCR_H_FEN;
    u->cr = CR_UARTEN | CR_TXE | CR_RXE;
    u->ifls = 0x12;
    update(d);
    unlock(&u->lock);
}

/*
 * A domain's serial line: a complete Arm PL011 (DDI 0183G), which serves the
 * SBSA generic UART's driver as well, because the line is switched on at reset
 * as firmware would leave it.
 *
 * Characters the guest sends go to vuart_output(), which the console supplies.
 * When the console has no room they wait in the transmit FIFO, and the guest
 * sees FIFO full: a guest that floods its line waits for itself only.
 *
 * V1  rx.count and tx.count never pass 32, or 1 while LCR_H.FEN is 0.
 * V2  `line` is what the vGIC was told last, and equals (ris & imsc) != 0
 *     whenever the lock is free.
 * V3  `fr` follows from the other fields whenever the lock is free.
 * V4  `straight`, whenever the lock is free: a character written to DR goes to
 *     vuart_output() and changes nothing here, so the lock is not needed for it.
 */
#ifndef HYP_VUART_H
#define HYP_VUART_H

#include <hyp/lock.h>
#include <hyp/mmio.h>
#include <hyp/types.h>

struct domain;

#define VUART_FIFO 32
#define VUART_REGISTERS 19 /* from UARTDR to UARTDMACR, of 4 bytes each */
#define VUART_SIZE 0x1000ul
#define VUART_DR 0x00u
#define VUART_FR 0x18u
#define VUART_BREAK (1u << 10)

struct vuart_fifo {
    uint8_t first, count;
    uint16_t entry[VUART_FIFO]; /* character, and its errors in bits 8-11 */
};

struct vuart {
    lock_t lock;   /* RANK_VDEV */
    bool present;  /* [const] the domain has one */
    bool line;     /* [lock] level of the interrupt */
    bool far;      /* [const] another domain has the other end: vuart_ring_put() */
    bool straight; /* [atomic] written with the lock, read without; V4 */
    gpa_t base;    /* [const] where its registers are */
    uint32_t spi;  /* [const] interrupt number as the vGIC counts, 32.. */
    union {        /* [lock] as a guest reads them; `fr` is read without the lock, too */
        uint16_t reg[VUART_REGISTERS];
        struct {
            uint16_t dr, rsr, none_at_8[4], fr, none_at_1c, ilpr, ibrd, fbrd, lcr_h, cr, ifls;
            uint16_t imsc, ris, mis, icr, dmacr;
        };
    };
    struct vuart_fifo rx; /* [lock] */
    struct vuart_fifo tx; /* [lock] what the console had no room for */
};

/* Give `d` a serial line at `base` with interrupt `spi`. Before the domain runs. */
void vuart_init(struct domain *d, gpa_t base, uint32_t spi);
/* Back to the state of power-on: registers at reset, FIFOs empty, interrupt low. */
void vuart_reset(struct domain *d);

/* True if `at` is one of its registers. */
static inline bool vuart_owns(const struct vuart *u, gpa_t at)
{
    return u->present && at.v - u->base.v < VUART_SIZE;
}
/* Carry out an access to its registers by a vCPU of `d`. Apart: what serves the vGIC is not to carry it. */
__attribute__((noinline)) void vuart_access(struct domain *d, struct mmio_access *a);

/*
 * For the guest: a character, or VUART_BREAK (Linux: the next character is a SysRq command). False if
 * there is no room, or no line: keep it, or drop it and say so.
 */
must_check bool vuart_receive(struct domain *d, uint16_t entry);

/*
 * Supplied by the console: take one character the guest sent. False: no room
 * now, and vuart_output_ready() will be called when there is. Called with or
 * without the vuart's lock (RANK_VDEV); must not call back into the vuart.
 */
must_check bool vuart_output(struct domain *d, uint8_t byte);
/* The console has room again: send what waits. Called with no lock held above RANK_VDEV's rank. */
void vuart_output_ready(struct domain *d);

/*
 * The same where another domain has the other end (core/control/vuart-ring.c). Called with the vuart's
 * lock; after it is dropped, vuart_ring_moved() tells that domain, and fetches what it has sent.
 */
must_check bool vuart_ring_put(struct domain *d, uint8_t byte);
void vuart_ring_moved(struct domain *d);

/*
 * The way without the lock for what printing a character takes: reading FR and writing DR, in
 * halfwords or words. False: it is another access, or not that simple now; vuart_access() it.
 */
static inline bool vuart_quick(struct domain *d, struct vuart *u, uint64_t offset, bool write,
                               uint64_t *reg)
{
    if (!write && offset == VUART_FR) {
        *reg = __atomic_load_n(&u->fr, __ATOMIC_RELAXED);
        return true;
    }
    return write && offset == VUART_DR && __atomic_load_n(&u->straight, __ATOMIC_RELAXED) &&
           vuart_output(d, (uint8_t)*reg);
}

#endif

/*
 * The serial line: one PL011 (or the SBSA subset of it), found in the board's
 * tree. Output works from the first moment on, without interrupts; input
 * comes by interrupt once uart_start() was called.
 *
 * Source: ARM DDI 0183G (PL011), chapter 3; SBSA (ARM DEN 0029) appendix B.
 */
#ifndef HYP_UART_H
#define HYP_UART_H

#include <hyp/types.h>

struct tree;

/*
 * Find the line: /chosen/stdout-path if that names a PL011, else the first
 * one in the tree that is not disabled. -XEN_ENODEV if there is none; then
 * output goes nowhere and everything else still works.
 */
must_check int uart_probe(const struct tree *t);

/*
 * After the interrupt controller is up: `event` is called from the line's
 * interrupt when bytes have come, or there is room again after uart_write()
 * took less than it was given.
 */
must_check int uart_start(void (*event)(void));

/*
 * Whether bytes that have come raise the interrupt. They do so until they are
 * read: an `event` that cannot read them now must not leave it raised.
 */
void uart_listen(bool on);

/* Give it up to `count` bytes; returns how many it took. Never waits: an interrupt says that there is room. */
size_t uart_write(const char *bytes, size_t count);
/* Give it one byte, if uart_write() took all that it was given. False: no room now; uart_write() it. */
must_check bool uart_try(char c);
/* The next byte received, or -1. */
int uart_read(void);

/* Wait until the line takes one byte (at most about a millisecond per byte): boot's first lines and the last words. */
void uart_putc(char c);

/* Where its registers are and its interrupt, 0: none. False: there is no line. */
must_check bool uart_place(mpa_t *base, uint32_t *intid);
/* True if [base, base + size) is the line's registers. */
bool uart_overlaps(mpa_t base, uint64_t size_bytes);

#endif

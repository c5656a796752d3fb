/*
 * Registers of Arm's PL011, for the driver of the board's and the emulation of
 * the guests'. Source: DDI 0183G, chapter 3, with its names.
 */
#ifndef HYP_PL011_H
#define HYP_PL011_H

/* clang-format off */
enum { /* register offsets */
    DR = 0x00, RSR = 0x04, FR = 0x18, ILPR = 0x20, IBRD = 0x24, FBRD = 0x28, LCR_H = 0x2c, CR = 0x30,
    IFLS = 0x34, IMSC = 0x38, RIS = 0x3c, MIS = 0x40, ICR = 0x44, DMACR = 0x48, ID = 0xfe0,
};
enum { DR_BREAK = 1 << 10, RSR_OVERRUN = 8, RSR_MASK = 15 };
enum {
    FR_CTS = 1, FR_DSR = 2, FR_DCD = 4, FR_BUSY = 8, FR_RXFE = 16, FR_TXFF = 32, FR_RXFF = 64,
    FR_TXFE = 128, FR_RI = 256,
};
enum { LCR_H_BRK = 1, LCR_H_FEN = 16, LCR_H_8BIT = 0x60 };
enum {
    CR_UARTEN = 1, CR_LBE = 1 << 7, CR_TXE = 1 << 8, CR_RXE = 1 << 9, CR_DTR = 1 << 10,
    CR_RTS = 1 << 11, CR_OUT1 = 1 << 12, CR_OUT2 = 1 << 13,
};
enum {
    INT_RI = 1, INT_CTS = 2, INT_DCD = 4, INT_DSR = 8, INT_RX = 16, INT_TX = 32,
    INT_RT = 64, /* bytes wait below the trigger level */
    INT_BREAK = 1 << 9, INT_OVERRUN = 1 << 10, INT_ALL = 0x7ff,
};
/* clang-format on */

#endif

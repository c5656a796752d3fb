/*
 * What the boot code learned before the page tables existed, kept for the rest.
 *
 * Written once by boot_early() (MMU off), read-only afterwards.
 */
#ifndef LIBOS_BOOT_H
#define LIBOS_BOOT_H

#include "libos/base.h"

#define BOOT_ARGS_MAX 512
#define BOOT_SEED_MAX 64

struct boot_info {
    uint64_t ram_base; /* first bank, bytes, page aligned */
    uint64_t ram_end;
    uint64_t image_pa;   /* where the loader put us */
    uint64_t image_va;   /* where we chose to run */
    uint64_t direct_pa;  /* first byte of the direct map */
    uint64_t direct_va;  /* its virtual address */
    uint64_t direct_end; /* physical end of the direct map */
    uint64_t tables_pa;  /* root translation table */
    uint64_t free_pa;    /* first page nobody uses yet */
    uint64_t uart_pa;    /* PL011-compatible UART from the device tree, 0 if none */
    uint64_t uart_va;
    uint64_t window_va;   /* 2 MiB of addresses for frames outside RAM; the UART's is the first */
    uint32_t seed_size;   /* bytes of /chosen/rng-seed and kaslr-seed gathered */
    uint64_t first_count; /* CNTVCT at the first instruction */
    uint8_t seed[BOOT_SEED_MAX] __attribute__((aligned(8)));
    char args[BOOT_ARGS_MAX]; /* /chosen/bootargs, terminated */
};

extern struct boot_info boot;

#endif

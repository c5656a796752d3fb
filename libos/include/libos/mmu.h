/*
 * Translation tables: one tree in TTBR0, 39 bits, 4 KiB granule, W^X enforced by SCTLR_EL1.WXN.
 *
 *   VA (1 GiB slots 64..511, chosen at random)        physical
 *   image slot:   text RX | rodata R | data+bss RW    where the loader put it
 *   direct slot:  everything after the image, RW      the rest of RAM, never the image
 *   window slot:  UART, console and store pages        outside RAM
 *   all else      unmapped (page zero included)
 *
 * Text has exactly one mapping, read-only: no address writes it. No page is ever mapped writable
 * and executable, and nothing becomes executable after boot.
 */
#ifndef LIBOS_MMU_H
#define LIBOS_MMU_H

#include "libos/base.h"

enum mmu_access { MMU_NONE, MMU_READ, MMU_WRITE };

/**
 * Change the access of pages in the direct map: [va, va + size), page aligned.
 * Splits 2 MiB blocks; the table for that comes from the page allocator.
 * Returns 0, -EINVAL outside the direct map, -ENOMEM (then nothing has changed).
 */
int mmu_protect(uintptr_t va, size_t size, enum mmu_access access) must_check;

/** Physical address behind a pointer of ours (image or direct map); panics on any other. */
uint64_t mmu_physical(const volatile void *pointer);

/**
 * Map a frame outside our RAM (console and store pages, a UART) in the window, writable,
 * never executable. For ever; panics after MMU_WINDOW_FRAMES of them.
 */
void *mmu_map_frame(uint64_t frame);

static inline uint64_t mmu_frame(const volatile void *pointer)
{
    return mmu_physical(pointer) >> PAGE_SHIFT;
}

#endif

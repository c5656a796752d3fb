/* Descriptor bits (DDI 0487 D8.3) and boundaries of the image (image.lds). */
#ifndef LIBOS_ARCH_TABLES_H
#define LIBOS_ARCH_TABLES_H

#include "libos/base.h"

#define BLOCK_SIZE (1UL << 21)
#define DIRECT_MAP_MAX (8UL << 30)

#define PTE_VALID 1UL
#define PTE_BLOCK 1UL
#define PTE_TABLE 3UL
#define PTE_PAGE 3UL
#define PTE_ADDRESS 0x0000fffffffff000UL
#define PTE_RO (1UL << 7)
#define PTE_NORMAL (3UL << 8 | 1UL << 10)        /* attribute 0, inner shareable, AF */
#define PTE_IO (1UL << 2 | 2UL << 8 | 1UL << 10) /* attribute 1, outer shareable, AF */
#define PTE_PXN (1UL << 53)
#define PTE_UXN (1UL << 54)

#define PTE_TEXT (PTE_NORMAL | PTE_RO | PTE_UXN)
#define PTE_RODATA (PTE_NORMAL | PTE_RO | PTE_UXN | PTE_PXN)
#define PTE_DATA (PTE_NORMAL | PTE_UXN | PTE_PXN)
#define PTE_DEVICE (PTE_IO | PTE_UXN | PTE_PXN)

#define SCTLR_M (1UL << 0)
#define SCTLR_C (1UL << 2)
#define SCTLR_SA (1UL << 3)
#define SCTLR_I (1UL << 12)
#define SCTLR_WXN (1UL << 19)

extern char image_start[] __asm__("_start");
extern char text_end[], rodata_end[], bss_start[], crash_stack_top[], kept_start[], image_end[];

#endif

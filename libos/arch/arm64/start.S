/*
 * Entry point: arm64 Linux boot protocol (Documentation/arm64/booting.rst).
 *
 * In:  EL1, MMU and data cache off, x0 = physical address of the device tree.
 * Out: running at the chosen virtual address, in libos_main(), on the main stack.
 *
 * The image is position independent; until the tables are on, nothing here or in
 * boot.c may use an address from a relocated table.
 */
#include "arch/arm64/frame.h"

        .section .head, "ax"
        .global _start
_start:
        b       1f                      /* code0, code1 */
        nop
        .quad   0                       /* text_offset: 2 MiB aligned base */
        .quad   0                       /* image_size: written by the image tool */
        .quad   0xa                     /* flags: little endian, 4 KiB pages, anywhere */
        .quad   0, 0, 0
        .ascii  "ARM\x64"
        .long   0
        .global image_build_id
image_build_id:
        .quad   0, 0                    /* first 16 bytes of the SHA-256 of the image, by the tool */

1:      mrs     x2, cntvct_el0
        msr     spsel, #1
        adrp    x9, image_end           /* borrowed: the page allocator gets it later */
        add     x9, x9, #BOOT_SCRATCH_SIZE
        mov     sp, x9
        mov     x29, xzr
        mov     x30, xzr
        mov     x1, x0
        adrp    x0, _start
        bl      boot_early              /* x0 = root table, x1 = image va - pa */
        mov     x21, x1
        bl      cache_invalidate_written
        adrp    x9, mmu_registers
        add     x9, x9, :lo12:mmu_registers
        ldp     x2, x3, [x9]            /* MAIR, TCR */
        ldr     x4, [x9, #16]           /* SCTLR */
        msr     mair_el1, x2
        msr     tcr_el1, x3
        msr     ttbr0_el1, x0
        msr     ttbr1_el1, xzr
        mov     x5, #(3 << 20)          /* CPACR_EL1.FPEN: FP/SIMD for the application */
        msr     cpacr_el1, x5
        isb
        tlbi    vmalle1
        ic      iallu
        dsb     nsh
        isb
        msr     sctlr_el1, x4
        isb
        adr     x6, 2f
        add     x6, x6, x21
        br      x6                      /* from the identity block to the chosen address */
2:      adrp    x7, vectors
        add     x7, x7, :lo12:vectors
        msr     vbar_el1, x7
        adrp    x9, crash_stack_top
        mov     sp, x9                  /* SP_EL1: only faults use it */
        bl      boot_leave_identity     /* returns top of the main stack */
        msr     spsel, #0
        mov     sp, x0
        mov     x29, xzr
        bl      libos_main
        brk     #0

/* Drop stale cache lines over what was written with the caches off and is still wanted: data,
 * `boot` and the tables up to boot.free_pa. Nothing is written to text and rodata (the image tool
 * refuses relocations there), and the boot stack has no more readers. Clobbers x9-x13. With stage
 * 2 on, DC IVAC acts as DC CIVAC, so a neighbour's dirty line is not lost (DDI 0487, DC IVAC). */
cache_invalidate_written:
        adrp    x9, rodata_end
        adrp    x10, bss_start
        add     x10, x10, :lo12:bss_start
        adrp    x13, boot
        add     x13, x13, :lo12:boot
        mrs     x11, ctr_el0
        ubfx    x11, x11, #16, #4
        mov     x12, #4
        lsl     x12, x12, x11
3:      dc      ivac, x9
        add     x9, x9, x12
        cmp     x9, x10
        b.lo    3b
        ldr     x10, [x13, #BOOT_FREE_PA]
        neg     x11, x12
        and     x9, x13, x11
4:      dc      ivac, x9                /* a few lines too many at the end are nobody's yet */
        add     x9, x9, x12
        dc      ivac, x9
        add     x9, x9, x12
        dc      ivac, x9
        add     x9, x9, x12
        dc      ivac, x9
        add     x9, x9, x12
        cmp     x9, x10
        b.lo    4b
        dsb     sy
        ret

        .section .bss.crash_stack, "aw", %nobits
        .balign 4096
        .space  4096
        .global crash_stack_top
crash_stack_top:

        .section .kept, "aw", %nobits
        .balign 16
        .global boot
boot:
        .space  BOOT_INFO_SIZE

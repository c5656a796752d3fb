/*
 * From the loader to C: the boot CPU with its MMU off, secondaries from PSCI.
 *
 * Until the MMU is on, code runs at whatever address the image was loaded, so
 * everything here is PC-relative and the C it calls (boot_tables) too.
 * Source of the header: Linux Documentation/arm64/booting.rst, section 4.
 */
#include <arch/layout.h>
#include <arch/sysreg.h>
#include "asm-offsets.h"

    .section .head, "ax"
    .globl image_head
image_head:
    b       boot_entry
    .long   0
    .quad   0                           /* text_offset: none needed */
    .quad   image_size                  /* memory taken from here on */
    .quad   0xa                         /* little endian, 4 KiB pages, anywhere in memory */
    .quad   0, 0, 0
    .ascii  "ARM\x64"
    .long   0

    .section .init.text, "ax"

/* In: x0 device tree (machine address). MMU off, EL2. Boot CPU only. */
boot_entry:
    msr     daifset, #0xf
    mov     x20, x0
    mrs     x1, CurrentEL
    cmp     x1, #(2 << 2)
    b.ne    not_el2

    /* Nothing of ours is in the caches: the MMU was off. Zero the bss in memory. */
    adrp    x1, bss_start
    add     x1, x1, :lo12:bss_start
    adrp    x2, image_end
1:  stp     xzr, xzr, [x1], #16
    cmp     x1, x2
    b.lo    1b

    adrp    x1, boot_stack_end
    mov     sp, x1
    bl      boot_tables                 /* x0 = machine address of the root table, until enable_mmu */

    /* What was written with the caches off must not be hidden by stale lines. */
    adrp    x1, data_start
    adrp    x2, image_end
    mrs     x3, ctr_el0
    ubfx    x3, x3, #16, #4             /* log2 words of the smallest data line */
    mov     x4, #4
    lsl     x3, x4, x3
2:  dc      ivac, x1
    add     x1, x1, x3
    cmp     x1, x2
    b.lo    2b
    dsb     sy

    ldr     x30, =boot_high
    b       enable_mmu

boot_high:
    ldr     x1, =boot_stack_end
    mov     sp, x1
    mov     x0, x20
    mov     x29, xzr
    ldr     x30, =not_el2
    b       boot_main

/* Entered below EL2: there is no console to say so. The host tool checks the board's options first. */
not_el2:
    wfi
    b       not_el2

/* In: x0 struct cpu (our address), from PSCI CPU_ON. MMU off. The tables are those of the boot CPU. */
    .globl secondary_entry
secondary_entry:
    msr     daifset, #0xf
    mov     x20, x0
    adrp    x0, root_table
    ldr     x30, =secondary_high
    b       enable_mmu
secondary_high:
    msr     tpidr_el2, x20
    ldr     x1, [x20, #CPU_STACK_TOP]
    mov     sp, x1
    mov     x29, xzr
    ldr     x30, =not_el2
    b       secondary_main

/*
 * In: x0 root table, x30 where to go on (our address, mapped).
 * Clobbers x1-x3. The caller is identity-mapped read-only and executable.
 */
enable_mmu:
    ldr     x1, =0xff04                 /* attribute 0: device nGnRE; 1: normal write-back */
    msr     mair_el2, x1
    mrs     x2, id_aa64mmfr0_el1
    and     x2, x2, #0xf                /* PARange */
    mov     x3, #5
    cmp     x2, x3
    csel    x2, x2, x3, ls              /* 48 bits is all a 4 KiB granule gives without LPA2 */
    ldr     x1, =0x80803510             /* RES1, TG0 4 KiB, SH0 inner, WB WA, T0SZ 16 */
    orr     x1, x1, x2, lsl #16
    msr     tcr_el2, x1
    msr     ttbr0_el2, x0
    ldr     x1, =vectors
    msr     vbar_el2, x1
    isb
    tlbi    alle2
    ic      iallu
    dsb     nsh
    isb
    ldr     x1, =(SCTLR_EL2_RES1 | SCTLR_M | SCTLR_C | SCTLR_I | SCTLR_SA | SCTLR_WXN)
    msr     sctlr_el2, x1
    isb
    ret
    .ltorg

/* Until enter_guests() has a stack with a guard page; from then on el2_unexpected's. */
    .section .bss..page, "aw", %nobits
    .balign 4096
boot_stack:
    .space  8192
    .globl boot_stack_end
boot_stack_end:

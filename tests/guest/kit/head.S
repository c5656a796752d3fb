/*
 * Entry, vectors and the few calls that C cannot make.
 *
 * Image header: Linux's Documentation/arm64/booting.rst. Linked at 0 as a
 * position-independent executable; relocates itself before the first C.
 */
    .section .head, "ax"
    .globl  _head
_head:
    b       start
    .long   0
    .quad   0                       // text offset
    .quad   _end - _head            // size in memory, bss included
    .quad   0xa                     // little endian, 4 KiB pages, anywhere
    .quad   0, 0, 0
    .ascii  "ARM\x64"
    .long   0

    .text
// In: x0 = device tree, MMU off, EL1. Clobbers everything.
start:
    mov     x19, x0
    msr     daifset, #0xf
    ldr     x0, =0x30d00800         // SCTLR_EL1: RES1 bits only
    msr     sctlr_el1, x0
    isb
    adrp    x2, _head               // linked at 0: this is the displacement
    add     x2, x2, :lo12:_head
    adrp    x0, __rela_start
    add     x0, x0, :lo12:__rela_start
    adrp    x1, __rela_end
    add     x1, x1, :lo12:__rela_end
1:  cmp     x0, x1
    b.hs    2f
    ldp     x3, x4, [x0], #16
    ldr     x5, [x0], #8
    cmp     w4, #1027               // R_AARCH64_RELATIVE
    b.ne    1b
    add     x5, x5, x2
    str     x5, [x3, x2]
    b       1b
2:  adrp    x0, __bss_start
    add     x0, x0, :lo12:__bss_start
    adrp    x1, _end
    add     x1, x1, :lo12:_end
3:  cmp     x0, x1
    b.hs    4f
    stp     xzr, xzr, [x0], #16
    b       3b
4:  adrp    x20, kit_cpus
    add     x20, x20, :lo12:kit_cpus
    bl      cpu_setup
    mov     x0, x19
    bl      kit_start
    b       .

// In: x20 = struct kit_cpu. Sets stack, vectors, FP access, TPIDR_EL1.
cpu_setup:
    msr     spsel, #1
    ldr     x0, [x20]
    mov     sp, x0
    cbnz    x0, 1f
    // The boot CPU comes before anybody filled its record in.
    adrp    x0, kit_boot_stack_end
    add     x0, x0, :lo12:kit_boot_stack_end
    mov     sp, x0
1:  msr     tpidr_el1, x20
    adrp    x0, vectors
    add     x0, x0, :lo12:vectors
    msr     vbar_el1, x0
    mov     x0, #(3 << 20)
    msr     cpacr_el1, x0
    isb
    ret

// In: x0 = struct kit_cpu (PSCI context id).
    .globl  secondary_entry
secondary_entry:
    mov     x20, x0
    msr     daifset, #0xf
    ldr     x0, =0x30d00800
    msr     sctlr_el1, x0
    isb
    bl      cpu_setup
    mov     x0, x20
    bl      kit_secondary
    b       .

    .macro  vector kind
    .balign 128
    sub     sp, sp, #288
    stp     x0, x1, [sp]
    mov     x0, #\kind
    b       exception_entry
    .endm

    .balign 2048
vectors:
    vector  0; vector 1; vector 2; vector 3         // SP_EL0
    vector  4; vector 5; vector 6; vector 7         // SP_ELx: sync irq fiq serror
    vector  8; vector 9; vector 10; vector 11       // lower, AArch64
    vector  12; vector 13; vector 14; vector 15     // lower, AArch32

// Stack: struct frame (kit.h). x0, x1 saved already; x0 = kind.
exception_entry:
    stp     x2, x3, [sp, #16]
    stp     x4, x5, [sp, #32]
    stp     x6, x7, [sp, #48]
    stp     x8, x9, [sp, #64]
    stp     x10, x11, [sp, #80]
    stp     x12, x13, [sp, #96]
    stp     x14, x15, [sp, #112]
    stp     x16, x17, [sp, #128]
    stp     x18, x19, [sp, #144]
    stp     x20, x21, [sp, #160]
    stp     x22, x23, [sp, #176]
    stp     x24, x25, [sp, #192]
    stp     x26, x27, [sp, #208]
    stp     x28, x29, [sp, #224]
    add     x1, sp, #288
    stp     x30, x1, [sp, #240]
    mrs     x2, elr_el1
    mrs     x3, spsr_el1
    stp     x2, x3, [sp, #256]
    mrs     x2, esr_el1
    mrs     x3, far_el1
    stp     x2, x3, [sp, #272]
    mov     x1, sp
    bl      kit_exception
    ldp     x2, x3, [sp, #256]
    msr     elr_el1, x2
    msr     spsr_el1, x3
    ldp     x2, x3, [sp, #16]
    ldp     x4, x5, [sp, #32]
    ldp     x6, x7, [sp, #48]
    ldp     x8, x9, [sp, #64]
    ldp     x10, x11, [sp, #80]
    ldp     x12, x13, [sp, #96]
    ldp     x14, x15, [sp, #112]
    ldp     x16, x17, [sp, #128]
    ldp     x18, x19, [sp, #144]
    ldp     x20, x21, [sp, #160]
    ldp     x22, x23, [sp, #176]
    ldp     x24, x25, [sp, #192]
    ldp     x26, x27, [sp, #208]
    ldp     x28, x29, [sp, #224]
    ldr     x30, [sp, #240]
    ldp     x0, x1, [sp]
    add     sp, sp, #288
    eret

// int fault_call(fn, arg, u64 buffer[13]): 0 if fn returned, 1 if it faulted.
    .globl  fault_call
fault_call:
    stp     x19, x20, [x2]
    stp     x21, x22, [x2, #16]
    stp     x23, x24, [x2, #32]
    stp     x25, x26, [x2, #48]
    stp     x27, x28, [x2, #64]
    stp     x29, x30, [x2, #80]
    mov     x9, sp
    str     x9, [x2, #96]
    mov     x9, x0
    mov     x0, x1
    mov     x19, x2
    blr     x9
    mov     x2, x19
    mov     x0, #0
    b       1f
    .globl  fault_landing
fault_landing:                      // x2 = buffer, put there by kit_exception
    mov     x0, #1
1:  ldp     x19, x20, [x2]
    ldp     x21, x22, [x2, #16]
    ldp     x23, x24, [x2, #32]
    ldp     x25, x26, [x2, #48]
    ldp     x27, x28, [x2, #64]
    ldp     x29, x30, [x2, #80]
    ldr     x9, [x2, #96]
    mov     sp, x9
    ret

// s64 hypercall(number, a0, a1, a2, a3): Xen's arch-arm.h, number in x16.
    .globl  hypercall
    .globl  hypercall5
hypercall:
hypercall5:
    mov     x16, x0
    mov     x0, x1
    mov     x1, x2
    mov     x2, x3
    mov     x3, x4
    mov     x4, x5
    hvc     #0xea1
    ret

// u64 hvc_raw(struct smccc_result *out, fn, a1, a2, a3), likewise smc_raw.
    .macro  smccc name, call
    .globl  \name
\name:
    stp     x0, x30, [sp, #-16]!
    mov     x0, x1
    mov     x1, x2
    mov     x2, x3
    mov     x3, x4
    mov     x4, xzr
    mov     x5, xzr
    mov     x6, xzr
    \call   #0
    ldp     x9, x30, [sp], #16
    stp     x0, x1, [x9]
    stp     x2, x3, [x9, #16]
    ret
    .endm
    smccc   hvc_raw, hvc
    smccc   smc_raw, smc

    .section .bss
    .balign 16
    .space  16384
kit_boot_stack_end:

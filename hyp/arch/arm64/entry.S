/*
 * Vectors: from a trap to C and back. No policy here.
 *
 * While a guest runs, SP_EL2 = its struct vcpu, whose first member is x[31],
 * and TPIDR_EL2 = this CPU's struct cpu. On a trap:
 *
 *   every class   x0-x18, x30 are stored in the vcpu; SP becomes the CPU's stack
 *   HVC, IRQ      x19-x29 stay where they are: C preserves them
 *   MSR, MRS and  likewise, unless the instruction names one of x19-x29:
 *   data aborts   then they are stored, and loaded again if it was a read
 *   all others    x19-x29 are stored too, since a handler may need any register
 *
 * On the way out v->work is tested once; if set, x19-x29 are stored and
 * exit_work() decides which vCPU goes on. ELR, SPSR and the whole EL1 context
 * stay in the machine unless it chooses another one. docs/trap-path.md walks
 * through it.
 */
#include <arch/sysreg.h>
#include "asm-offsets.h"

    .macro save_volatile    /* x0, x1 are already stored */
    stp     x2, x3, [sp, #16]
    stp     x4, x5, [sp, #32]
    stp     x6, x7, [sp, #48]
    stp     x8, x9, [sp, #64]
    stp     x10, x11, [sp, #80]
    stp     x12, x13, [sp, #96]
    stp     x14, x15, [sp, #112]
    stp     x16, x17, [sp, #128]
    str     x18, [sp, #144]
    str     x30, [sp, #240]
    .endm

    .macro save_callee base
    stp     x19, x20, [\base, #152]
    stp     x21, x22, [\base, #168]
    stp     x23, x24, [\base, #184]
    stp     x25, x26, [\base, #200]
    stp     x27, x28, [\base, #216]
    str     x29, [\base, #232]
    .endm

    .macro restore_callee base
    ldp     x19, x20, [\base, #152]
    ldp     x21, x22, [\base, #168]
    ldp     x23, x24, [\base, #184]
    ldp     x25, x26, [\base, #200]
    ldp     x27, x28, [\base, #216]
    ldr     x29, [\base, #232]
    .endm

    /* Out: x2 = struct cpu, SP = its stack. */
    .macro to_stack
    mrs     x2, tpidr_el2
    ldr     x3, [x2, #CPU_STACK_TOP]
    mov     sp, x3
    .endm

    /* The register that the syndrome in w1 names at bit `lsb` is one of x19-x29: go to `to`. */
    .macro if_callee lsb, to
    ubfx    w2, w1, #\lsb, #5
    sub     w2, w2, #19
    cmp     w2, #10
    b.ls    \to
    .endm

    /* Each at its architectural place; .org fails if the one before is too long. */
    .macro slot name, offset
    .org    vectors + \offset
\name:
    .endm

    .section .vectors, "ax"
    .balign 0x800
    .globl vectors
vectors:
slot el2_sp0_sync, 0x000
    b       el2_unexpected
slot el2_sp0_irq, 0x080
    b       el2_unexpected
slot el2_sp0_fiq, 0x100
    b       el2_unexpected
slot el2_sp0_serror, 0x180
    b       el2_unexpected
slot el2_sync, 0x200
    b       el2_unexpected
slot el2_irq, 0x280
    b       el2_unexpected
slot el2_fiq, 0x300
    b       el2_unexpected
slot el2_serror, 0x380
    b       el2_unexpected

slot guest64_sync, 0x400
    stp     x0, x1, [sp]
    mrs     x1, esr_el2
    mov     w0, #0x5a000000             /* HVC #0 from AArch64 */
    cmp     w1, w0
    b.eq    hvc0_fast
    lsr     w0, w1, #ESR_EC_SHIFT
    cmp     w0, #EC_HVC64
    b.eq    guest_hvc
    cmp     w0, #EC_DABT_LOW
    b.eq    guest_data_abort
    cmp     w0, #EC_SYS64
    b.eq    guest_sysreg
    b       guest_sync
slot guest64_irq, 0x480
    stp     x0, x1, [sp]
    b       guest_irq
slot guest64_fiq, 0x500
    stp     x0, x1, [sp]
    b       guest_irq
slot guest64_serror, 0x580
    stp     x0, x1, [sp]
    b       guest_serror
slot guest32_sync, 0x600
    stp     x0, x1, [sp]
    mrs     x1, hcr_el2
    tbz     x1, #0, spsr32_back         /* stage 2 is off: our own visit, no guest */
    mrs     x1, esr_el2
    b       guest_sync
slot guest32_irq, 0x680
    stp     x0, x1, [sp]
    b       guest_irq
slot guest32_fiq, 0x700
    stp     x0, x1, [sp]
    b       guest_irq
slot guest32_serror, 0x780
    stp     x0, x1, [sp]
    b       guest_serror
    .org    vectors + 0x800

/*
 * SMCCC_ARCH_WORKAROUND_1, _2 and _3 are called by Linux on each kernel entry
 * of an affected CPU: the trap itself has already done what they ask.
 * Source: Arm DEN 0028, sections 7.5.3 to 7.5.6.
 */
hvc0_fast:
    ldr     x0, [sp]                    /* function number */
    mov     w1, #0x8000
    movk    w1, #0x8000, lsl #16        /* WORKAROUND_1 */
    sub     w1, w1, w0
    cbz     w1, 1f
    cmp     w1, #1                      /* 0x80007fff: WORKAROUND_2 */
    b.eq    1f
    mov     w0, #0x4001
    cmp     w1, w0                      /* 0x80003fff: WORKAROUND_3 */
    b.eq    1f
    mrs     x1, esr_el2
    b       guest_hvc
1:  ldr     x1, [sp, #8]
    mov     x0, xzr
    eret
    dsb     nsh
    isb

/* In: x1 = ESR_EL2; SP = vcpu. */
guest_hvc:
    save_volatile
    mov     x0, sp
    to_stack
    bl      trap_hvc                    /* (vcpu, esr) */
    b       trap_return

guest_irq:
    save_volatile
    to_stack
    mov     x0, x2
    bl      irq_interrupt               /* (cpu) */
    b       trap_return

guest_serror:
    mrs     x1, esr_el2
    save_volatile
    mov     x0, sp
    to_stack
    bl      trap_serror                 /* (vcpu, esr) */
    b       trap_return

/* A value that only goes in needs them in the vcpu; one that comes out needs them loaded again. */
guest_data_abort:
    save_volatile
    if_callee 16, 2f
1:  mov     x0, sp
    to_stack
    bl      trap_data_abort             /* (vcpu, esr) */
    b       trap_return
2:  tbz     w1, #6, sync_any            /* WnR: a load */
    save_callee sp
    b       1b

guest_sysreg:
    save_volatile
    if_callee 5, 2f
1:  mov     x0, sp
    to_stack
    bl      trap_sysreg                 /* (vcpu, esr) */
    b       trap_return
2:  tbnz    w1, #0, sync_any            /* MRS */
    save_callee sp
    b       1b

guest_sync:
    save_volatile
sync_any:
    save_callee sp
    mov     x0, sp
    to_stack
    mov     x19, x0
    bl      trap_sync                   /* (vcpu, esr) */
    mov     x0, x19
    restore_callee x0
    b       trap_return

/* In: nothing but TPIDR_EL2; x19-x29 are the guest's. */
trap_return:
    mrs     x0, tpidr_el2
    ldr     x0, [x0, #CPU_CURRENT]
    ldr     w1, [x0, #VCPU_WORK]
    cbnz    w1, return_with_work
resume:                                 /* x0 = vcpu */
    mov     sp, x0
    ldp     x2, x3, [sp, #16]
    ldp     x4, x5, [sp, #32]
    ldp     x6, x7, [sp, #48]
    ldp     x8, x9, [sp, #64]
    ldp     x10, x11, [sp, #80]
    ldp     x12, x13, [sp, #96]
    ldp     x14, x15, [sp, #112]
    ldp     x16, x17, [sp, #128]
    ldr     x18, [sp, #144]
    ldr     x30, [sp, #240]
    ldp     x0, x1, [sp]
    eret
    dsb     nsh                         /* no speculation past the ERET */
    isb

return_with_work:
    save_callee x0
    bl      exit_work                   /* (vcpu) -> vcpu to go on with */
1:  restore_callee x0
    b       resume

/* In: TPIDR_EL2. A CPU enters its life: SP at the top of its own stack, no guest yet. Does not return. */
    .globl enter_guests
enter_guests:
    mrs     x1, tpidr_el2
    ldr     x1, [x1, #CPU_STACK_TOP]
    mov     sp, x1
    mov     x29, xzr
    mov     x0, xzr
    bl      exit_work
    b       1b

/* In: x0 function, x1 top of the stack it gets. Does not return. */
    .globl call_on_stack
call_on_stack:
    mov     sp, x1
    mov     x29, xzr
    mov     x30, xzr
    br      x0

/*
 * One visit to AArch32 at EL1 for spsr32.c. No guest: stage 1 and 2 are off, interrupts masked.
 *
 * In: w0 new SPSR of the mode in SPSR_EL2; ELR_EL2 = spsr32_code. Out: w0 the old one. Stack: 112 bytes.
 */
    .globl spsr32_visit
spsr32_visit:
    stp     x19, x20, [sp, #-112]!      /* AArch32 halves every register */
    stp     x21, x22, [sp, #16]
    stp     x23, x24, [sp, #32]
    stp     x25, x26, [sp, #48]
    stp     x27, x28, [sp, #64]
    stp     x29, x30, [sp, #80]
    sub     sp, sp, #16                 /* the vector guest32_sync stores x0, x1 here */
    eret

/* From guest32_sync, whose own test finds stage 2 off. */
spsr32_back:
    ldr     w0, [sp, #8]
    add     sp, sp, #16
    ldp     x21, x22, [sp, #16]
    ldp     x23, x24, [sp, #32]
    ldp     x25, x26, [sp, #48]
    ldp     x27, x28, [sp, #64]
    ldp     x29, x30, [sp, #80]
    ldp     x19, x20, [sp], #112
    ret

    .globl spsr32_code
spsr32_code:                            /* A32 */
    .inst   0xe14f1000                  /* mrs r1, spsr */
    .inst   0xe16ff000                  /* msr spsr_fsxc, r0 */
    .inst   0xe1400070                  /* hvc #0 */

/*
 * An exception at EL2 is a bug of ours. The stack may be what broke (guard
 * page), so the dump runs where the boot CPU began: the record is on that stack.
 */
el2_unexpected:
    msr     tpidr_el0, x0               /* two registers to work with; the guest that owned */
    msr     tpidrro_el0, x1             /* them does not run again: this CPU is lost */
    adrp    x0, boot_stack_end
    mov     x1, sp
    mov     sp, x0
    sub     sp, sp, #272
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
    stp     x30, x1, [sp, #240]
    mrs     x0, tpidr_el0
    mrs     x1, tpidrro_el0
    stp     x0, x1, [sp]
    mov     x0, sp
    b       el2_exception               /* (registers x0-x30, sp): does not return */

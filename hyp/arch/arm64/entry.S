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

    /* `pair` and `one` are stp and str to store, ldp and ldr to load; \base points at x[0]. x0, x1 not. */
    .macro volatile_registers pair, one, base
    \pair   x2, x3, [\base, #16]
    \pair   x4, x5, [\base, #32]
    \pair   x6, x7, [\base, #48]
    \pair   x8, x9, [\base, #64]
    \pair   x10, x11, [\base, #80]
    \pair   x12, x13, [\base, #96]
    \pair   x14, x15, [\base, #112]
    \pair   x16, x17, [\base, #128]
    \one    x18, [\base, #144]
    \one    x30, [\base, #240]
    .endm

    .macro callee_registers pair, one, base
    \pair   x19, x20, [\base, #152]
    \pair   x21, x22, [\base, #168]
    \pair   x23, x24, [\base, #184]
    \pair   x25, x26, [\base, #200]
    \pair   x27, x28, [\base, #216]
    \one    x29, [\base, #232]
    .endm

    /* Out: x2 = struct cpu, SP = its stack. */
    .macro to_stack
    mrs     x2, tpidr_el2
    ldr     x3, [x2, #CPU_STACK_TOP]
    mov     sp, x3
    .endm

    /* In: x1 = ESR_EL2; SP = vcpu. Call function(vcpu, esr), with x19-x29 as they are, and go back. */
    .macro handle function
    mov     x0, sp
    to_stack
    bl      \function
    b       trap_return
    .endm

    /*
     * The same for an instruction that moves the register whose number the syndrome has at bit `lsb`. If it
     * is one of x19-x29: a value that goes in needs them in the vcpu; where one comes out, which is if
     * `comes_out` (tbz or tbnz) holds of bit `direction`, they must be loaded again too.
     */
    .macro handle_move function, lsb, comes_out, direction
    volatile_registers stp, str, sp
    ubfx    w2, w1, #\lsb, #5
    sub     w2, w2, #19
    cmp     w2, #10
    b.ls    2f
1:  handle  \function
2:  \comes_out w1, #\direction, sync_any
    callee_registers stp, str, sp
    b       1b
    .endm

    /* Each at its architectural place; .org fails if the one before is too long. */
    .macro slot name, offset
    .org    vectors + \offset
\name:
    .endm

    .macro unexpected name, offset
    slot    \name, \offset
    b       el2_unexpected
    .endm

    .macro guest name, offset, to
    slot    \name, \offset
    stp     x0, x1, [sp]
    b       \to
    .endm

    .section .vectors, "ax"
    .balign 0x800
    .globl vectors
vectors:
    unexpected el2_sp0_sync, 0x000
    unexpected el2_sp0_irq, 0x080
    unexpected el2_sp0_fiq, 0x100
    unexpected el2_sp0_serror, 0x180
    unexpected el2_sync, 0x200
    unexpected el2_irq, 0x280
    unexpected el2_fiq, 0x300
    unexpected el2_serror, 0x380

    slot    guest64_sync, 0x400
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
    guest   guest64_irq, 0x480, guest_irq
    guest   guest64_fiq, 0x500, guest_irq
    guest   guest64_serror, 0x580, guest_serror
    slot    guest32_sync, 0x600
    stp     x0, x1, [sp]
    mrs     x1, hcr_el2
    tbz     x1, #0, spsr32_back         /* stage 2 is off: our own visit, no guest */
    mrs     x1, esr_el2
    b       guest_sync
    guest   guest32_irq, 0x680, guest_irq
    guest   guest32_fiq, 0x700, guest_irq
    guest   guest32_serror, 0x780, guest_serror
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
    volatile_registers stp, str, sp
    handle  trap_hvc

guest_irq:
    volatile_registers stp, str, sp
    to_stack
    mov     x0, x2
    bl      irq_interrupt               /* (cpu) */
    b       trap_return

guest_serror:
    mrs     x1, esr_el2
    volatile_registers stp, str, sp
    handle  trap_serror

guest_data_abort:
    handle_move trap_data_abort, 16, tbz, 6     /* WnR clear: a load */

guest_sysreg:
    handle_move trap_sysreg, 5, tbnz, 0         /* MRS */

guest_sync:
    volatile_registers stp, str, sp
sync_any:
    callee_registers stp, str, sp
    mov     x0, sp
    to_stack
    mov     x19, x0
    bl      trap_sync                   /* (vcpu, esr) */
    mov     x0, x19
    callee_registers ldp, ldr, x0
    b       trap_return

/* In: nothing but TPIDR_EL2; x19-x29 are the guest's. */
trap_return:
    mrs     x0, tpidr_el2
    ldr     x0, [x0, #CPU_CURRENT]
    ldr     w1, [x0, #VCPU_WORK]
    cbnz    w1, return_with_work
resume:                                 /* x0 = vcpu */
    mov     sp, x0
    volatile_registers ldp, ldr, sp
    ldp     x0, x1, [sp]
    eret
    dsb     nsh                         /* no speculation past the ERET */
    isb

return_with_work:
    callee_registers stp, str, x0
    bl      exit_work                   /* (vcpu) -> vcpu to go on with */
1:  callee_registers ldp, ldr, x0
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

/*
 * One visit to AArch32 at EL1 for spsr32.c. No guest: stage 1 and 2 are off, interrupts masked.
 *
 * In: w0 new SPSR of the mode in SPSR_EL2; ELR_EL2 = spsr32_code. Out: w0 the old one. Stack: 256 bytes,
 * used as x[] of a vcpu, where the vector guest32_sync stores x0 and x1. AArch32 halves every register.
 */
    .globl spsr32_visit
spsr32_visit:
    sub     sp, sp, #256
    callee_registers stp, str, sp
    str     x30, [sp, #240]
    eret

/* From guest32_sync, whose own test finds stage 2 off. */
spsr32_back:
    callee_registers ldp, ldr, sp
    ldr     x30, [sp, #240]
    ldr     w0, [sp, #8]
    add     sp, sp, #256
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
    sub     sp, sp, #256
    volatile_registers stp, str, sp
    callee_registers stp, str, sp
    str     x1, [sp, #248]
    mrs     x0, tpidr_el0
    mrs     x1, tpidrro_el0
    stp     x0, x1, [sp]
    mov     x0, sp
    b       el2_exception               /* (registers x0-x30, sp): does not return */

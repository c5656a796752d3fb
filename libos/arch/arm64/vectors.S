/*
 * Exception vectors. The application runs at EL1 on SP_EL0; a system call (SVC) comes back
 * to the same stack like a function call, everything else is a fault, reported on SP_EL1.
 */
#include "frame.h"

        .macro  fault_slot number
        .balign 0x80
        sub     sp, sp, #CRASH_SIZE
        stp     x0, x1, [sp]
        mov     x0, #\number
        b       fault_common
        .endm

        .section .text.vectors, "ax"
        .balign 2048
        .global vectors
vectors:
/* 0: synchronous, current EL, SP_EL0 */
        stp     x0, x1, [sp, #-16]!
        mrs     x0, esr_el1
        lsr     x0, x0, #26
        cmp     x0, #0x15               /* EC: SVC from AArch64 */
        b.eq    syscall_entry
        ldp     x0, x1, [sp], #16
        sub     sp, sp, #CRASH_SIZE
        stp     x0, x1, [sp]
        mov     x0, #0
        b       fault_common
        fault_slot 1                    /* IRQ, FIQ, SError: never unmasked */
        fault_slot 2
        fault_slot 3
        fault_slot 4                    /* current EL, SP_EL1: a fault inside a fault */
        fault_slot 5
        fault_slot 6
        fault_slot 7
        fault_slot 8                    /* lower EL: we have none */
        fault_slot 9
        fault_slot 10
        fault_slot 11
        fault_slot 12
        fault_slot 13
        fault_slot 14
/* 15, and what all faults have in common: together they fit a slot. */
        .balign 0x80
        sub     sp, sp, #CRASH_SIZE
        stp     x0, x1, [sp]
        mov     x0, #15
/* In: x0 vector slot; x0, x1 in the frame at sp. Never returns. */
fault_common:
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
        str     x30, [sp, #240]
        mrs     x1, sp_el0
        str     x1, [sp, #CRASH_SP]
        mrs     x1, elr_el1
        mrs     x2, spsr_el1
        stp     x1, x2, [sp, #CRASH_ELR]
        mrs     x1, esr_el1
        mrs     x2, far_el1
        stp     x1, x2, [sp, #CRASH_ELR + 16]
        str     x0, [sp, #CRASH_ELR + 32]
        mov     x0, sp
        bl      fault_report
        b       .
        .balign 0x80

/* In: x8 number, x0-x5 arguments; x0, x1 saved on SP_EL1. Out: x0 result, all else kept. */
syscall_entry:
        ldp     x0, x1, [sp], #16
        msr     spsel, #0
        sub     sp, sp, #FRAME_SIZE
        stp     x0, x1, [sp, #0]
        stp     x2, x3, [sp, #16]
        stp     x4, x5, [sp, #32]
        stp     x6, x7, [sp, #48]
        stp     x8, x9, [sp, #64]
        stp     x10, x11, [sp, #80]
        stp     x12, x13, [sp, #96]
        stp     x14, x15, [sp, #112]
        stp     x16, x17, [sp, #128]
        str     x18, [sp, #144]
        stp     x29, x30, [sp, #FRAME_X29]
        mrs     x9, elr_el1
        mrs     x10, spsr_el1
        stp     x9, x10, [sp, #FRAME_ELR]
        mov     x30, x9                 /* so that a backtrace leads to the caller */
        mov     x6, x8
        mov     x7, sp
        bl      libos_syscall
        str     x0, [sp, #0]
        .global syscall_return
syscall_return:
        ldp     x9, x10, [sp, #FRAME_ELR]
        msr     elr_el1, x9
        msr     spsr_el1, x10
        ldp     x0, x1, [sp, #0]
        ldp     x2, x3, [sp, #16]
        ldp     x4, x5, [sp, #32]
        ldp     x6, x7, [sp, #48]
        ldp     x8, x9, [sp, #64]
        ldp     x10, x11, [sp, #80]
        ldp     x12, x13, [sp, #96]
        ldp     x14, x15, [sp, #112]
        ldp     x16, x17, [sp, #128]
        ldr     x18, [sp, #144]
        ldp     x29, x30, [sp, #FRAME_X29]
        add     sp, sp, #FRAME_SIZE
        eret

/* In: x0 struct context to save, x1 to load. */
        .section .text.context_switch, "ax"
        .global context_switch
context_switch:
        stp     x19, x20, [x0, #0]
        stp     x21, x22, [x0, #16]
        stp     x23, x24, [x0, #32]
        stp     x25, x26, [x0, #48]
        stp     x27, x28, [x0, #64]
        stp     x29, x30, [x0, #80]
        mov     x9, sp
        mrs     x10, tpidr_el0
        stp     x9, x10, [x0, #CONTEXT_SP]
        mrs     x9, fpcr
        mrs     x10, fpsr
        stp     x9, x10, [x0, #CONTEXT_SP + 16]
        add     x9, x0, #CONTEXT_V
        stp     q0, q1, [x9], #32
        stp     q2, q3, [x9], #32
        stp     q4, q5, [x9], #32
        stp     q6, q7, [x9], #32
        stp     q8, q9, [x9], #32
        stp     q10, q11, [x9], #32
        stp     q12, q13, [x9], #32
        stp     q14, q15, [x9], #32
        stp     q16, q17, [x9], #32
        stp     q18, q19, [x9], #32
        stp     q20, q21, [x9], #32
        stp     q22, q23, [x9], #32
        stp     q24, q25, [x9], #32
        stp     q26, q27, [x9], #32
        stp     q28, q29, [x9], #32
        stp     q30, q31, [x9], #32
        add     x9, x1, #CONTEXT_V
        ldp     q0, q1, [x9], #32
        ldp     q2, q3, [x9], #32
        ldp     q4, q5, [x9], #32
        ldp     q6, q7, [x9], #32
        ldp     q8, q9, [x9], #32
        ldp     q10, q11, [x9], #32
        ldp     q12, q13, [x9], #32
        ldp     q14, q15, [x9], #32
        ldp     q16, q17, [x9], #32
        ldp     q18, q19, [x9], #32
        ldp     q20, q21, [x9], #32
        ldp     q22, q23, [x9], #32
        ldp     q24, q25, [x9], #32
        ldp     q26, q27, [x9], #32
        ldp     q28, q29, [x9], #32
        ldp     q30, q31, [x9], #32
        ldp     x9, x10, [x1, #CONTEXT_SP + 16]
        msr     fpcr, x9
        msr     fpsr, x10
        ldp     x9, x10, [x1, #CONTEXT_SP]
        mov     sp, x9
        msr     tpidr_el0, x10
        ldp     x19, x20, [x1, #0]
        ldp     x21, x22, [x1, #16]
        ldp     x23, x24, [x1, #32]
        ldp     x25, x26, [x1, #48]
        ldp     x27, x28, [x1, #64]
        ldp     x29, x30, [x1, #80]
        ret

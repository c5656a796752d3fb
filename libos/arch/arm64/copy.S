/*
 * copy_bulk(x0 to, x1 from, x2 size): 128 bytes a round through vector registers, which are twice
 * as wide as the others. An application may have values in them over a system call: they are kept.
 */
        .section .text.copy_bulk, "ax"
        .global copy_bulk
copy_bulk:
        cmp     x2, #512
        b.lo    libos_memcpy
        stp     q0, q1, [sp, #-64]!
        stp     q2, q3, [sp, #32]
        lsr     x3, x2, #7
        and     x2, x2, #127
1:      ldp     q0, q1, [x1], #32
        ldp     q2, q3, [x1], #32
        stp     q0, q1, [x0], #32
        stp     q2, q3, [x0], #32
        ldp     q0, q1, [x1], #32
        ldp     q2, q3, [x1], #32
        subs    x3, x3, #1
        stp     q0, q1, [x0], #32
        stp     q2, q3, [x0], #32
        b.ne    1b
        ldp     q2, q3, [sp, #32]
        ldp     q0, q1, [sp], #64
        b       libos_memcpy

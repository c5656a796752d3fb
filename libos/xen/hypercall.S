/* Xen's calling convention on arm64: HVC #0xEA1, number in x16, arguments and result in x0.. */
        .section .text.hypercall, "ax"
        .global hypercall
/* In: x0 number, x1-x3 arguments. Out: x0. Clobbers x0-x4, x16. */
hypercall:
        mov     x16, x0
        mov     x0, x1
        mov     x1, x2
        mov     x2, x3
        hvc     #0xEA1
        ret

// mark begin | mark end: brackets what is measured, for bench/plugin/count.c. Linux's arm64 system calls.
// In: [sp] argc, [sp + 16] argv[1]. Uses x0-x1, x8, no stack of its own.
    .globl  _start
_start:
    ldr     x0, [sp, #16]
    ldrb    w1, [x0]
    cmp     w1, #'b'
    b.ne    1f
    hint    #120
    b       2f
1:  hint    #121
2:  mov     x0, xzr
    mov     x8, #93                 // exit
    svc     #0

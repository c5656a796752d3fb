/*
 * Interrupt handlers as lean as a guest can make them, one vector table each:
 * what is measured is the hypervisor. All but the IRQ slot go to the kit.
 *
 * In: the kit's vectors in bench_kit_vectors. Each handler counts in
 * bench_taken (32 bits), which is what loops wait for.
 */
    .macro  forward
    .balign 128
    // The kit's table has the same shape: jump to the same slot there.
    stp     x0, x1, [sp, #-16]!
    adr     x0, 1f
    adrp    x1, bench_kit_vectors
    ldr     x1, [x1, :lo12:bench_kit_vectors]
1:  and     x0, x0, #0x780
    add     x1, x1, x0
    msr     tpidrro_el0, x1
    ldp     x0, x1, [sp], #16
    stp     x30, xzr, [sp, #-16]!
    mrs     x30, tpidrro_el0
    // x30 is lost for the kit's report; it only ever reports and dies here.
    br      x30
    .endm

    .macro  counted
    adrp    x1, bench_taken
    ldr     w0, [x1, :lo12:bench_taken]
    add     w0, w0, #1
    str     w0, [x1, :lo12:bench_taken]
    .endm

    .macro  table name
    .balign 2048
    .globl  \name
\name:
    forward; forward; forward; forward
    forward
    .balign 128
    b       \name\()_irq
    forward; forward; forward; forward; forward; forward; forward; forward; forward; forward
    .balign 128
    .endm

    .text
    table   bench_vectors_ack       // acknowledge, count, complete
    table   bench_vectors_timer     // and turn the virtual timer off
    table   bench_vectors_event     // and take the event as Linux does
    table   bench_vectors_pong      // and answer with SGI 2 to the boot CPU
    table   bench_vectors_epong     // take the event, answer with a send
    table   bench_vectors_far       // take the event, answer, on another domain

bench_vectors_ack_irq:
    stp     x0, x1, [sp, #-16]!
    mrs     x0, S3_0_C12_C12_0
    msr     S3_0_C12_C12_1, x0
    counted
    ldp     x0, x1, [sp], #16
    eret

bench_vectors_timer_irq:
    stp     x0, x1, [sp, #-16]!
    mrs     x0, S3_0_C12_C12_0
    msr     cntv_ctl_el0, xzr
    isb
    msr     S3_0_C12_C12_1, x0
    counted
    ldp     x0, x1, [sp], #16
    eret

    // Clear the upcall flag and the selector, then the port's pending word.
    // bench_shared: shared_info; vcpu_info 0 is its first structure.
    .macro  take_event word, info
    adrp    x1, \info
    ldr     x1, [x1, :lo12:\info]
    strb    wzr, [x1]
    str     xzr, [x1, #8]
    adrp    x1, bench_shared
    ldr     x1, [x1, :lo12:bench_shared]
    str     xzr, [x1, #48]
    .endm

bench_vectors_event_irq:
    stp     x0, x1, [sp, #-16]!
    mrs     x0, S3_0_C12_C12_0
    take_event 0, bench_info0
    dsb     sy
    msr     S3_0_C12_C12_1, x0
    counted
    ldp     x0, x1, [sp], #16
    eret

bench_vectors_pong_irq:
    stp     x0, x1, [sp, #-16]!
    mrs     x0, S3_0_C12_C12_0
    msr     S3_0_C12_C12_1, x0
    adrp    x1, bench_pong_sgir
    ldr     x0, [x1, :lo12:bench_pong_sgir]
    msr     S3_0_C12_C11_5, x0
    ldp     x0, x1, [sp], #16
    eret

    .macro  answer info
    stp     x0, x1, [sp, #-16]!
    stp     x2, x16, [sp, #-16]!
    mrs     x2, S3_0_C12_C12_0
    take_event 0, \info
    dsb     sy
    msr     S3_0_C12_C12_1, x2
    mov     x16, #32                // event_channel_op
    mov     x0, #4                  // EVTCHNOP_send
    adrp    x1, bench_pong_port
    add     x1, x1, :lo12:bench_pong_port
    hvc     #0xea1
    ldp     x2, x16, [sp], #16
    ldp     x0, x1, [sp], #16
    eret
    .endm

bench_vectors_epong_irq:
    answer  bench_info1
bench_vectors_far_irq:
    answer  bench_info0

// First instruction of the CPU_ON row: note the time, count, turn off.
    .globl  bench_cpu_on_entry
bench_cpu_on_entry:
    mrs     x9, cntvct_el0
    adrp    x1, bench_first_tick
    str     x9, [x1, :lo12:bench_first_tick]
    counted
    movz    x0, #0x8400, lsl #16    // PSCI CPU_OFF
    movk    x0, #0x0002
    hvc     #0
    b       .

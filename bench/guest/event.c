/* Event channels, yield, and events between domains. */
#include "bench.h"

static struct evtchn_port send_port, second_port;
static struct evtchn_alloc_unbound unbound;
static struct evtchn_bind_interdomain bound;

static s64 event_op(u64 op, void *arg)
{
    return hypercall(HYPERCALL_event_channel_op, op, (u64)arg, 0, 0);
}

static void mask(u32 port, bool on)
{
    volatile u64 *word = (volatile u64 *)(bench_shared + SHARED_MASK + port / 64 * 8);
    *word = on ? *word | 1ul << port % 64 : *word & ~(1ul << port % 64);
    dsb();
}

/* Shared info at its own page, the upcall PPI on. */
bool event_setup(void)
{
    struct xen_add_to_physmap add = {DOMID_SELF, 0, XENMAPSPACE_shared_info, 0, 0};
    bench_shared = (u64)heap_pages(1);
    add.gpfn = bench_shared >> 12;
    s64 result = hypercall(HYPERCALL_memory_op, XENMEM_add_to_physmap, (u64)&add, 0, 0);
    if (result) {
        note("shared_info: %ld", result);
        return false;
    }
    bench_info0 = bench_shared;
    for (u32 i = 0; i < 64; i++) {
        *(volatile u64 *)(bench_shared + SHARED_MASK + i * 8) = ~0ul;
    }
    if (machine.event_irq) {
        gic_enable(machine.event_irq);
    }
    return true;
}

/* Two ports bound to each other: a send on `bound` sets `unbound` pending. */
static s64 bind_self(void)
{
    unbound.dom = unbound.remote_dom = DOMID_SELF;
    s64 result = event_op(EVTCHNOP_alloc_unbound, &unbound);
    bound.remote_dom = DOMID_SELF;
    bound.remote_port = unbound.port;
    return result ? result : event_op(EVTCHNOP_bind_interdomain, &bound);
}

static s64 op_send(u32 count)
{
    s64 result = 0;
    while (count--) {
        result = event_op(EVTCHNOP_send, &send_port);
    }
    return result;
}

static s64 op_self(u32 count)
{
    irq_on();
    while (count--) {
        u32 want = bench_taken + 1;
        s64 result = event_op(EVTCHNOP_send, &send_port);
        if (result) {
            return result;
        }
        if (bench_taken != want && !wait_taken(want)) {
            return -1;
        }
    }
    irq_off();
    return 0;
}

static s64 op_alloc_bind_close(u32 count)
{
    s64 result = 0;
    while (count-- && !result) {
        result = event_op(EVTCHNOP_alloc_unbound, &unbound);
        bound.remote_dom = DOMID_SELF;
        bound.remote_port = unbound.port;
        result = result ? result : event_op(EVTCHNOP_bind_interdomain, &bound);
        struct evtchn_port close = {bound.local_port};
        result = result ? result : event_op(EVTCHNOP_close, &close);
        close.port = unbound.port;
        result = result ? result : event_op(EVTCHNOP_close, &close);
    }
    return result;
}

static s64 op_yield(u32 count)
{
    s64 result = 0;
    while (count--) {
        result = hypercall(HYPERCALL_sched_op, SCHEDOP_yield, 0, 0, 0);
    }
    return result;
}

static volatile u32 second_state;

static void second_events(void *arg)
{
    use_vectors(bench_vectors_epong);
    gic_enable(machine.event_irq);
    irq_on();
    second_state = 1;
    while (second_state != 2) {
        relax();
    }
}

static s64 op_ping(u32 count)
{
    irq_on();
    while (count--) {
        u32 want = bench_taken + 1;
        s64 result = event_op(EVTCHNOP_send, &second_port);
        if (result) {
            return result;
        }
        if (!wait_taken(want)) {
            return -1;
        }
    }
    irq_off();
    return 0;
}

/* vCPU 1 has its vcpu_info in a page of its own: shared_info holds only vCPU 0's on Arm. */
static s64 second_info(void)
{
    struct {
        u64 mfn;
        u32 offset, rsvd;
    } info = {0, 0, 0};
    bench_info1 = (u64)heap_pages(1);
    info.mfn = bench_info1 >> 12;
    s64 result = hypercall(HYPERCALL_vcpu_op, VCPUOP_register_vcpu_info, 1, (u64)&info, 0);
    /* Xen marks everything pending on registration; without an upcall, the vCPU being off. */
    *(volatile u64 *)(bench_info1 + VCPU_INFO_PENDING) = 0;
    *(volatile u64 *)(bench_info1 + VCPU_INFO_SEL) = 0;
    dsb();
    return result;
}

static void row_ping(void)
{
    struct evtchn_bind_ipi to_second = {1, 0};
    s64 result = machine.cpu_count < 2 || !machine.event_irq ? -1 : second_info();
    result = result ? result : event_op(EVTCHNOP_bind_ipi, &to_second);
    if (result) {
        absent("event-ping-pong", result);
        return;
    }
    second_port.port = to_second.port;
    mask(second_port.port, false);
    bench_pong_port = send_port;
    second_state = 0;
    if (cpu_start(1, second_events, NULL)) {
        absent("event-ping-pong", -2);
        return;
    }
    wait_change(&second_state, 0, 1000000);
    measure("event-ping-pong", 2000, op_ping);
    second_state = 2;
    cpu_wait_off(1);
}

void rows_event(void)
{
    static const char *const keys[] = {"event-send-masked", "event-self", "event-ping-pong",
                                       "event-alloc-bind-close"};
    s64 result = event_setup() ? bind_self() : -1;
    if (result) {
        for (u32 i = 0; i < ARRAY_SIZE(keys); i++) {
            absent(keys[i], result);
        }
    } else {
        send_port.port = bound.local_port;
        use_vectors(bench_vectors_event);
        measure("event-send-masked", 10000, op_send);
        *(volatile u64 *)(bench_shared + SHARED_PENDING) = 0;
        mask(unbound.port, false);
        if (machine.event_irq) {
            measure("event-self", 10000, op_self);
        } else {
            absent("event-self", -1);
        }
        row_ping();
        measure("event-alloc-bind-close", 2000, op_alloc_bind_close);
    }
    measure("sched-yield", 10000, op_yield);
}

/*
 * Two domains, rows=2 the one that measures, rows=3 the one that answers. The
 * answering side offers port 1st of its table to domain 1; the other binds.
 */
static s64 far_bind(bool asks)
{
    if (!asks) {
        unbound.dom = DOMID_SELF;
        unbound.remote_dom = (u16)bootarg_u64("peer", 1);
        s64 result = event_op(EVTCHNOP_alloc_unbound, &unbound);
        bench_pong_port.port = unbound.port;
        mask(unbound.port, false);
        return result;
    }
    s64 result = -1;
    bound.remote_dom = (u16)bootarg_u64("peer", 2);
    for (u32 tries = 0; tries < 200 && result; tries++) {
        for (bound.remote_port = 1; bound.remote_port < 8 && result; bound.remote_port++) {
            result = event_op(EVTCHNOP_bind_interdomain, &bound);
        }
        if (result) { /* the other domain is not there yet, and may need this CPU */
            hypercall(HYPERCALL_sched_op, SCHEDOP_yield, 0, 0, 0);
            delay_us(1000);
        }
    }
    second_port.port = bound.local_port;
    *(volatile u64 *)(bench_shared + SHARED_PENDING) = 0; /* binding sets it pending */
    mask(second_port.port, false);
    return result;
}

/* As op_ping, but asleep until the answer comes: the other domain needs this CPU. */
static s64 op_ping_asleep(u32 count)
{
    irq_off();
    while (count--) {
        u32 want = bench_taken + 1;
        s64 result = event_op(EVTCHNOP_send, &second_port);
        if (result) {
            return result;
        }
        while (bench_taken != want) {
            wfi();
            irq_on();
            isb();
            irq_off();
        }
    }
    return 0;
}

void rows_far(void)
{
    bool asks = bootarg_u64("rows", 0) == 2;
    s64 result = event_setup() ? far_bind(asks) : -1;
    if (result) {
        absent("event-far", result);
        return;
    }
    use_vectors(asks ? bench_vectors_event : bench_vectors_far);
    if (asks) {
        if (bootarg_u64("same", 0)) {
            measure("event-far-same-cpu", 500, op_ping_asleep);
        } else {
            measure("event-far-other-cpu", 500, op_ping);
        }
        return;
    }
    irq_on();
    for (;;) { /* same CPU: sleep until an event; other CPU: spin as the SGI row does */
        if (bootarg_u64("same", 0)) {
            wfi();
        } else {
            relax();
        }
    }
}

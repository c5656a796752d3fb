/*
 * Wants all the memory there is: populate until it fails, in orders large and
 * small, event channels until none is left, grants mapped on top of each other,
 * frames given back and asked for again.
 *
 * Right: refusals at this domain's own limits; other domains get what they
 * ask for; afterwards everything can be given back. Wrong: the hypervisor runs
 * dry, or a refused call leaves something behind.
 */
#include "common.inc"
#include "xen.h"

static u64 frames[64];

static s64 memory_op(u64 op, u64 first, u32 count, u32 order)
{
    for (u32 i = 0; i < count; i++) {
        frames[i] = first + ((u64)i << order);
    }
    struct xen_memory_reservation r = {(u64)frames, count, order, 0, DOMID_SELF};
    return hypercall(HYPERCALL_memory_op, op, (u64)&r, 0, 0);
}

static u64 eat(u64 first, u32 order)
{
    u64 got = 0;
    for (u32 i = 0; i < 2000; i++) {
        s64 n = memory_op(XENMEM_populate_physmap, first + ((u64)i * 32 << order), 32, order);
        if (n <= 0) {
            break;
        }
        got += (u64)n;
        if (n < 32) {
            break;
        }
    }
    return got;
}

void guest_main(void)
{
    hostile_catch();
    u64 beyond = (machine.ram_base + machine.ram_size + (1ul << 30)) >> 12;
    u64 extra = 0, ports = 0;
    for (u64 round = 0; hostile_more(round, 5); round++) {
        for (u32 order = 0; order < 20; order += 3) {
            extra += eat(beyond, order);
            if (round == 0 || bootarg_u64("verbose", 0)) {
                note("order %u: %lu extents beyond our memory so far", order, extra);
            }
        }
        for (u32 i = 0; i < 64; i++) { /* give own frames back and take them again */
            u64 own = ((machine.ram_base + machine.ram_size / 2) >> 12) + i * 64;
            memory_op(XENMEM_decrease_reservation, own, 64, 0);
        }
        for (u32 i = 0; i < 64; i++) {
            u64 own = ((machine.ram_base + machine.ram_size / 2) >> 12) + i * 64;
            memory_op(XENMEM_populate_physmap, own, 64, 0);
        }
        if (bootarg_u64("verbose", 0)) {
            note("gave back and took again");
        }
        struct evtchn_alloc_unbound unbound = {DOMID_SELF, DOMID_SELF, 0};
        u32 last = 0;
        while (ports < 200000 && hypercall(HYPERCALL_event_channel_op, EVTCHNOP_alloc_unbound,
                                           (u64)&unbound, 0, 0) == 0) {
            last = unbound.port;
            ports++;
        }
        for (struct evtchn_port close = {1}; close.port <= last; close.port++) {
            hypercall(HYPERCALL_event_channel_op, EVTCHNOP_close, (u64)&close, 0, 0);
        }
        for (u64 i = 0; i < 4096; i++) { /* a table for each far corner of the address space */
            if (i == machine.ram_base >> 30) {
                continue; /* our own image */
            }
            struct xen_add_to_physmap add = {DOMID_SELF, 0, XENMAPSPACE_shared_info, 0, i << 18};
            hypercall(HYPERCALL_memory_op, XENMEM_add_to_physmap, (u64)&add, 0, 0);
        }
        heartbeat();
    }
    note("%lu extents beyond our memory, %lu ports", extra, ports);
    volatile u64 *mine = (volatile u64 *)(machine.ram_base + machine.ram_size / 2);
    *mine = 0x1234;
    ok(*mine == 0x1234 || !machine.xen, "memory given back and taken again works");
    ok(true, "survived");
}

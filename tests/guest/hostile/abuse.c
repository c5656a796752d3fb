/*
 * Grants and event channels, abused: the neighbour's grants, ports and memory asked for again and
 * again; entries of the own table changed while they are mapped; the same reference mapped many
 * times, unmapped by wrong handles; ports bound to strangers, closed twice, sent to at random; the
 * table's version changed in between; masks and pending words scribbled over.
 *
 * Right: nothing of the neighbour's is ever had, every error is a known one, and afterwards what
 * was mapped can be unmapped. Wrong: a success with the neighbour's number, a frame that stays.
 */
#include "common.inc"
#include "xen.h"

#define NEIGHBOUR 2u
#define MAP_AT 0x38100000ul
#define SLOTS 8u

static volatile struct grant_entry_v1 *grants;
static volatile u64 *shared;
static u64 target, stolen, odd, mapped_count, unmapped_count;
static u32 handle_of[SLOTS];
static bool is_mapped[SLOTS];

static s64 grant_op(u32 op, void *argument)
{
    return hypercall(HYPERCALL_grant_table_op, op, (u64)argument, 1, 0);
}

static s64 event_op(u32 op, void *argument)
{
    s64 result = hypercall(HYPERCALL_event_channel_op, op, (u64)argument, 0, 0);
    odd += result > 0 || result < -133;
    return result;
}

/* Half of them lawful, so that there is something to abuse. */
static void scribble(u64 r)
{
    volatile struct grant_entry_v1 *entry = &grants[8 + (r & 7)];
    bool good = r >> 60 & 1;
    entry->flags = good ? GTF_permit_access : (u16)(r >> 8 & 0x1f);
    entry->domid = (u16)(!good && (r >> 16 & 1) ? NEIGHBOUR : bootarg_u64("domid", 1));
    entry->frame = (u32)(good || (r >> 17 & 1) ? target >> 12 : r >> 20);
}

static void map_own(u64 r, u32 slot)
{
    struct gnttab_map_grant_ref map = {.host_addr = MAP_AT + slot * KIT_PAGE,
                                       .flags = GNTMAP_host_map | (r & 4),
                                       .ref = r & 3 ? 8 + (r >> 8 & 7) : (u32)(r >> 8),
                                       .dom = (u16)bootarg_u64("domid", 1)};
    if (!is_mapped[slot] && grant_op(GNTTABOP_map_grant_ref, &map) == 0 && map.status == 0) {
        is_mapped[slot] = true;
        handle_of[slot] = map.handle;
        mapped_count++;
    }
}

static void unmap(u32 slot, u32 handle)
{
    struct gnttab_unmap_grant_ref op = {.host_addr = MAP_AT + slot * KIT_PAGE, .handle = handle};
    if (grant_op(GNTTABOP_unmap_grant_ref, &op) == 0 && op.status == 0) {
        odd += !is_mapped[slot] || handle_of[slot] != handle;
        is_mapped[slot] = false;
        unmapped_count++;
    }
}

/* None of these may ever work: the neighbour has granted nothing and bound no port to us. */
static void steal(u64 r)
{
    struct gnttab_map_grant_ref map = {
        .host_addr = MAP_AT + 64 * KIT_PAGE, .flags = GNTMAP_host_map, .ref = (u32)(r >> 8 & 31)};
    map.dom = NEIGHBOUR;
    stolen += grant_op(GNTTABOP_map_grant_ref, &map) == 0 && map.status == 0;
    struct gnttab_copy copy = {.source = {r >> 8 & 31, NEIGHBOUR, 0},
                               .dest = {target >> 12, DOMID_SELF, 0},
                               .len = 8,
                               .flags = r & 1 ? GNTCOPY_source_gref : 0};
    stolen += grant_op(GNTTABOP_copy, &copy) == 0 && copy.status == 0;
    struct evtchn_bind_interdomain bind = {NEIGHBOUR, (u32)(r >> 8 & 31), 0};
    stolen += event_op(EVTCHNOP_bind_interdomain, &bind) == 0;
    struct evtchn_alloc_unbound alloc = {NEIGHBOUR, DOMID_SELF, 0};
    stolen += event_op(EVTCHNOP_alloc_unbound, &alloc) == 0;
    struct xen_memory_reservation memory = {(u64)&target, 1, 0, 0, NEIGHBOUR};
    stolen += hypercall(HYPERCALL_memory_op, XENMEM_decrease_reservation, (u64)&memory, 0, 0) > 0;
}

static void events(u64 r)
{
    struct evtchn_port port = {(u32)(r >> 8 & 0xff)};
    struct evtchn_alloc_unbound alloc = {DOMID_SELF, (u16)(r & 1 ? NEIGHBOUR : DOMID_SELF), 0};
    struct evtchn_bind_interdomain bind = {DOMID_SELF, (u32)(r >> 16 & 0xff), 0};
    struct evtchn_bind_virq virq = {(u32)(r >> 24 & 31), (u32)(r >> 32 & 3), 0};
    (void)event_op(EVTCHNOP_alloc_unbound, &alloc);
    (void)event_op(EVTCHNOP_bind_interdomain, &bind);
    (void)event_op(EVTCHNOP_bind_virq, &virq);
    for (u32 i = 0; i < 4; i++) {
        port.port = (u32)(r >> (8 * i) & 0xff);
        (void)event_op(EVTCHNOP_send, &port);
        (void)event_op(EVTCHNOP_unmask, &port);
        (void)event_op(r >> 40 & 1 ? EVTCHNOP_close : EVTCHNOP_status, &port);
    }
    shared[(r >> 48 & 1 ? SHARED_MASK : SHARED_PENDING) / 8 + (r >> 49 & 3)] = r;
}

void guest_main(void)
{
    u64 seed = hostile_seed();
    hostile_catch();
    grants = heap_pages(1);
    shared = heap_pages(1);
    target = (u64)heap_pages(1);
    struct xen_add_to_physmap table = {DOMID_SELF, 0, XENMAPSPACE_grant_table, 0,
                                       (u64)grants >> 12};
    struct xen_add_to_physmap info = {DOMID_SELF, 0, XENMAPSPACE_shared_info, 0, (u64)shared >> 12};
    ok(hypercall(HYPERCALL_memory_op, XENMEM_add_to_physmap, (u64)&table, 0, 0) == 0 &&
           hypercall(HYPERCALL_memory_op, XENMEM_add_to_physmap, (u64)&info, 0, 0) == 0,
       "grant table and shared page are there");
    for (u64 round = 0; hostile_more(round, 5); round++) {
        for (u32 i = 0; i < 500; i++) {
            u64 r = kit_random(&seed);
            u32 slot = (u32)(r >> 4 & (SLOTS - 1));
            scribble(kit_random(&seed));
            map_own(r, slot);
            unmap(slot, r >> 60 ? handle_of[slot] : (u32)(r >> 32));
            steal(r);
            events(kit_random(&seed));
            u32 version = 1 + (u32)(r >> 33 & 1) * (r >> 34 & 3);
            if ((r >> 50 & 63) == 0) {
                (void)grant_op(GNTTABOP_set_version, &version);
                version = 1;
                (void)grant_op(GNTTABOP_set_version, &version);
            }
        }
        heartbeat();
    }
    for (u32 slot = 0; slot < SLOTS; slot++) {
        if (is_mapped[slot]) {
            unmap(slot, handle_of[slot]);
        }
        odd += is_mapped[slot];
    }
    note("%lu mapped, %lu unmapped", mapped_count, unmapped_count);
    ok(mapped_count > 50, "own grants were mapped in between");
    is(mapped_count - unmapped_count, 0, "what was mapped could be unmapped");
    is(stolen, 0, "nothing of the neighbour's was had");
    is(odd, 0, "every result is one that the header knows");
    hostile_report();
}

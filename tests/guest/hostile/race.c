/*
 * Hypercalls raced on the same argument page: one vCPU calls, the other changes
 * the arguments, the grant entries and the event masks under the call, as fast
 * as it can (double fetch). Needs two vCPUs; run on two CPUs for the real race.
 *
 * Right: every call ends with an error or a success that its own snapshot
 * justifies; grants that were mapped can be unmapped. Wrong: a stop, a status no
 * header knows, a frame that stays mapped.
 */
#include "common.inc"
#include "xen.h"

static volatile u64 *page;
static volatile struct grant_entry_v1 *grants;
static volatile u32 stop, scribbles;
static u64 odd, calls_made;

static void scribble(void *arg)
{
    u64 seed = hostile_seed() ^ 0x5555;
    while (!stop) {
        u64 r = kit_random(&seed);
        switch (r & 3) {
        case 0:
            page[r >> 8 & 63] = r >> 16 & 0xffff;
            break;
        case 1:
            page[r >> 8 & 63] = ((u64)page >> 12) + (r >> 16 & 3);
            break;
        case 2:
            grants[8 + (r >> 8 & 7)].flags = (u16)(r >> 16 & 7);
            grants[8 + (r >> 8 & 7)].frame = (u32)(((u64)page >> 12) + (r >> 20 & 7));
            break;
        default:
            page[r >> 8 & 63] = r;
        }
        if ((++scribbles & 63) == 0) {
            relax();
        }
    }
}

static void one(u64 *seed, u16 self)
{
    u64 r = kit_random(seed);
    s64 result = 0;
    calls_made++;
    switch (r & 3) {
    case 0: {
        volatile struct gnttab_map_grant_ref *map = (volatile void *)page;
        map->host_addr = 0x38100000 + (r >> 8 & 7) * KIT_PAGE;
        map->flags = GNTMAP_host_map;
        map->ref = 8 + (r >> 12 & 7);
        map->dom = self;
        result = hypercall(HYPERCALL_grant_table_op, GNTTABOP_map_grant_ref, (u64)page, 1, 0);
        break;
    }
    case 1:
        for (u32 handle = 0; handle < 16; handle++) {
            static struct gnttab_unmap_grant_ref unmap;
            unmap.handle = handle;
            unmap.host_addr = 0x38100000 + (r >> 8 & 7) * KIT_PAGE;
            hypercall(HYPERCALL_grant_table_op, GNTTABOP_unmap_grant_ref, (u64)&unmap, 1, 0);
        }
        break;
    case 2: {
        volatile struct gnttab_copy *copy = (volatile void *)page;
        copy->source.ref_or_gmfn = 8 + (r >> 8 & 7);
        copy->source.domid = self;
        copy->dest.ref_or_gmfn = ((u64)page >> 12) + 1;
        copy->dest.domid = DOMID_SELF;
        copy->len = r >> 16 & 4095;
        copy->flags = GNTCOPY_source_gref;
        result = hypercall(HYPERCALL_grant_table_op, GNTTABOP_copy, (u64)page, 1, 0);
        break;
    }
    default:
        result = hypercall(HYPERCALL_event_channel_op,
                           r >> 8 & 1 ? EVTCHNOP_alloc_unbound : EVTCHNOP_close, (u64)page, 0, 0);
    }
    odd += result > 0 || result < -133; /* errno.h ends there */
}

void guest_main(void)
{
    u64 seed = hostile_seed();
    u16 self = (u16)bootarg_u64("domid", 1);
    hostile_catch();
    page = heap_pages(8);
    grants = heap_pages(1);
    struct xen_add_to_physmap add = {DOMID_SELF, 0, XENMAPSPACE_grant_table, 0, (u64)grants >> 12};
    s64 mapped = hypercall(HYPERCALL_memory_op, XENMEM_add_to_physmap, (u64)&add, 0, 0);
    ok(mapped == 0 || !machine.xen, "the grant table is there");
    if (machine.cpu_count < 2 || cpu_start(1, scribble, NULL)) {
        ok(false, "two vCPUs are needed");
        return;
    }
    for (u64 i = 0; hostile_more(i, 20); i++) {
        for (u32 j = 0; j < 200; j++) {
            one(&seed, self);
        }
        if (i % 10 == 0) {
            heartbeat();
        }
    }
    stop = 1;
    ok(cpu_wait_off(1), "the other vCPU ends");
    note("%lu calls, %u scribbles", calls_made, scribbles);
    ok(scribbles > 1000, "they did race");
    is(odd, 0, "every result is one that the header knows");
    hostile_report();
}

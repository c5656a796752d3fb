/* Frames added, removed, given back and taken; grants. */
#include "bench.h"

static u64 hole; /* a guest frame number where nothing is */

static s64 memory_op(u64 op, void *arg)
{
    return hypercall(HYPERCALL_memory_op, op, (u64)arg, 0, 0);
}

static s64 op_add_remove(u32 count)
{
    struct xen_add_to_physmap add = {DOMID_SELF, 0, XENMAPSPACE_grant_table, 0, hole};
    struct xen_remove_from_physmap remove = {DOMID_SELF, hole};
    s64 result = 0;
    while (count-- && !result) {
        result = memory_op(XENMEM_add_to_physmap, &add);
        result = result ? result : memory_op(XENMEM_remove_from_physmap, &remove);
    }
    return result;
}

static s64 op_balloon(u32 count)
{
    static u64 frame;
    frame = frame ? frame : (u64)heap_pages(1) >> 12;
    struct xen_memory_reservation r = {(u64)&frame, 1, 0, 0, DOMID_SELF};
    while (count--) {
        if (memory_op(XENMEM_decrease_reservation, &r) != 1 ||
            memory_op(XENMEM_populate_physmap, &r) != 1) {
            return -1;
        }
    }
    return 0;
}

void rows_memory(void)
{
    hole = (machine.grant_base ? machine.grant_base : 0x38000000) / KIT_PAGE + 64;
    measure("physmap-add-remove", 2000, op_add_remove);
    measure("decrease-populate", 2000, op_balloon);
}

#define BATCH 32
static struct gnttab_map_grant_ref map[BATCH];
static struct gnttab_unmap_grant_ref unmap[BATCH];
static struct gnttab_copy copy;
static volatile struct grant_entry_v1 *table;
static u64 own_page;
static u16 self; /* our domain's number: a grant cannot be mapped from DOMID_SELF */

static s64 grant_op(u64 op, void *arg, u64 count)
{
    return hypercall(HYPERCALL_grant_table_op, op, (u64)arg, count, 0);
}

/* Map and unmap references 8 ... of our own, `batch` in one call. */
static s64 map_unmap(u32 count, u32 batch)
{
    while (count--) {
        for (u32 i = 0; i < batch; i++) {
            map[i].host_addr = (hole + 64 + i) * KIT_PAGE;
            map[i].flags = GNTMAP_host_map;
            map[i].ref = 8 + i;
            map[i].dom = self;
        }
        s64 result = grant_op(GNTTABOP_map_grant_ref, map, batch);
        if (result || map[batch - 1].status) {
            return result ? result : map[batch - 1].status;
        }
        for (u32 i = 0; i < batch; i++) {
            unmap[i].host_addr = map[i].host_addr;
            unmap[i].dev_bus_addr = 0;
            unmap[i].handle = map[i].handle;
        }
        result = grant_op(GNTTABOP_unmap_grant_ref, unmap, batch);
        if (result || unmap[batch - 1].status) {
            return result ? result : unmap[batch - 1].status;
        }
    }
    return 0;
}

static s64 op_map_1(u32 count)
{
    return map_unmap(count, 1);
}

static s64 op_map_32(u32 count)
{
    return map_unmap(count, BATCH);
}

static s64 copies(u32 count, u16 size)
{
    copy.source.ref_or_gmfn = 8;
    copy.source.domid = DOMID_SELF;
    copy.dest.ref_or_gmfn = own_page >> 12;
    copy.dest.domid = DOMID_SELF;
    copy.len = size;
    copy.flags = GNTCOPY_source_gref;
    while (count--) {
        s64 result = grant_op(GNTTABOP_copy, &copy, 1);
        if (result || copy.status) {
            return result ? result : copy.status;
        }
    }
    return 0;
}

static s64 op_copy_64(u32 count)
{
    return copies(count, 64);
}

static s64 op_copy_4096(u32 count)
{
    return copies(count, 4096);
}

#define COPIES 64

/* As a network back end does for a chain of buffers: no two places are aligned to each other. */
static s64 op_copy_unaligned(u32 count)
{
    static struct gnttab_copy *op;
    op = op ? op : heap_pages(1);
    for (u32 i = 0; i < COPIES; i++) {
        op[i].source.ref_or_gmfn = 8 + i % BATCH;
        op[i].source.domid = DOMID_SELF;
        op[i].source.offset = 1;
        op[i].dest.ref_or_gmfn = own_page >> 12;
        op[i].dest.domid = DOMID_SELF;
        op[i].len = KIT_PAGE - 1;
        op[i].flags = GNTCOPY_source_gref;
    }
    while (count--) {
        s64 result = grant_op(GNTTABOP_copy, op, COPIES);
        if (result || op[COPIES - 1].status) {
            return result ? result : op[COPIES - 1].status;
        }
    }
    return 0;
}

void rows_grant(void)
{
    u64 grants = (u64)heap_pages(1);
    struct xen_add_to_physmap add = {DOMID_SELF, 0, XENMAPSPACE_grant_table, 0, grants >> 12};
    s64 result = memory_op(XENMEM_add_to_physmap, &add);
    self = (u16)bootarg_u64("domid", 1);
    table = (volatile struct grant_entry_v1 *)grants;
    own_page = (u64)heap_pages(1);
    for (u32 i = 8; i < 8 + BATCH && !result; i++) {
        table[i].domid = self;
        table[i].frame = (u32)((u64)heap_pages(1) >> 12);
        dsb();
        table[i].flags = GTF_permit_access;
    }
    dsb();
    if (result) {
        note("grant table: %ld", result);
    }
    measure("grant-map-unmap", 2000, op_map_1);
    measure("grant-map-unmap-32", 100, op_map_32);
    measure("grant-copy-64", 2000, op_copy_64);
    measure("grant-copy-4096", 2000, op_copy_4096);
    measure("grant-copy-unaligned", 50, op_copy_unaligned);
}

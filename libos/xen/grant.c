/* Grant table, version 1: one frame of 512 entries, laid over a page of our own. */
#include <errno.h>

#include "libos/mmu.h"
#include "libos/page.h"
#include "libos/xen.h"

struct grant_entry { /* struct grant_entry_v1 */
    uint16_t flags;
    uint16_t domid;
    uint32_t frame;
};

enum { GTF_permit_access = 1, GTF_readonly = 1 << 2, GTF_reading = 1 << 3, GTF_writing = 1 << 4 };

#define GRANT_COUNT 512
#define GRANT_FIRST 8 /* 0..7 are reserved (GNTTAB_NR_RESERVED_ENTRIES): console, store */

static volatile struct grant_entry *table;
static uint16_t free_next[GRANT_COUNT];
static uint16_t free_first;               /* of those given back; 0 is the end */
static uint16_t never_used = GRANT_FIRST; /* and all behind it */

static void table_map(void)
{
    struct {
        uint16_t domid, size;
        uint32_t space;
        uint64_t index, gpfn;
    } map = {DOMID_SELF, 0, 1 /* XENMAPSPACE_grant_table */, 0, 0};
    void *page = page_alloc_dirty(1); /* Xen lays its own over it */
    CHECK(page != NULL);
    map.gpfn = mmu_frame(page);
    long error =
        hypercall(HYPERCALL_memory_op, 7 /* XENMEM_add_to_physmap */, (unsigned long)&map, 0);
    if (error != 0) {
        libos_panic("no grant table (error %ld)", error);
    }
    table = page;
}

long grant_access(uint16_t domain, const void *page, bool read_only)
{
    if (table == NULL) {
        table_map();
    }
    unsigned int reference = free_first;
    if (reference != 0) {
        free_first = free_next[reference];
    } else if (never_used < GRANT_COUNT) {
        reference = never_used++;
    } else {
        return -ENOSPC;
    }
    table[reference].domid = domain;
    table[reference].frame = (uint32_t)mmu_frame(page);
    /* The flags make the entry valid: last, for the hypervisor that reads it. */
    __asm__ volatile("dmb ish" ::: "memory");
    table[reference].flags = (uint16_t)(GTF_permit_access | (read_only ? GTF_readonly : 0));
    return reference;
}

bool grant_end(uint32_t reference)
{
    CHECK(reference >= GRANT_FIRST && reference < GRANT_COUNT);
    volatile struct grant_entry *entry = &table[reference];
    uint16_t flags = entry->flags;
    do {
        if (flags & (GTF_reading | GTF_writing)) {
            return false;
        }
        /* The hypervisor sets reading and writing with the same kind of exchange. */
    } while (!__atomic_compare_exchange_n(&entry->flags, &flags, 0, false, __ATOMIC_SEQ_CST,
                                          __ATOMIC_SEQ_CST));
    free_next[reference] = free_first;
    free_first = (uint16_t)reference;
    return true;
}

/*
 * Memory of a domain. Source: Xen 4.17 public/memory.h.
 *
 * The command word is `op | start_extent << 6`: a long operation counts what
 * it has done there and is made again.
 */
#ifndef ABI_XEN_MEMORY_H
#define ABI_XEN_MEMORY_H

#include <xen/xen.h>

#define XENMEM_increase_reservation 0
#define XENMEM_decrease_reservation 1
#define XENMEM_maximum_ram_page 2
#define XENMEM_current_reservation 3
#define XENMEM_maximum_reservation 4
#define XENMEM_populate_physmap 6
#define XENMEM_add_to_physmap 7
#define XENMEM_exchange 11
#define XENMEM_maximum_gpfn 14
#define XENMEM_remove_from_physmap 15
#define XENMEM_get_sharing_freed_pages 18
#define XENMEM_get_sharing_shared_pages 19
#define XENMEM_add_to_physmap_batch 23
#define XENMEM_claim_pages 24
#define XENMEM_get_vnumainfo 26
#define XENMEM_acquire_resource 28

struct xen_memory_reservation {
    xen_handle_t extent_start; /* xen_pfn_t[nr_extents] */
    xen_ulong_t nr_extents;
    unsigned int extent_order;
    unsigned int mem_flags;
    domid_t domid;
};

#define XENMAPSPACE_shared_info 0
#define XENMAPSPACE_grant_table 1
#define XENMAPSPACE_gmfn 2
#define XENMAPSPACE_gmfn_range 3
#define XENMAPSPACE_gmfn_foreign 4
#define XENMAPSPACE_dev_mmio 5
#define XENMAPIDX_grant_table_status 0x80000000

struct xen_add_to_physmap {
    domid_t domid;
    uint16_t size;
    unsigned int space;
    xen_ulong_t idx;
    xen_pfn_t gpfn;
};
struct xen_add_to_physmap_batch {
    domid_t domid;
    uint16_t space;
    uint16_t size;
    union {
        domid_t foreign_domid;
        uint16_t res0;
    } u;
    xen_handle_t idxs;  /* xen_ulong_t[size] */
    xen_handle_t gpfns; /* xen_pfn_t[size] */
    xen_handle_t errs;  /* out: int[size] */
};
struct xen_remove_from_physmap {
    domid_t domid;
    xen_pfn_t gpfn;
};

#define XENMEM_resource_ioreq_server 0
#define XENMEM_resource_grant_table 1
#define XENMEM_resource_grant_table_id_status 1
struct xen_mem_acquire_resource {
    domid_t domid;
    uint16_t type;
    uint32_t id;
    uint32_t nr_frames; /* in; out if frame_list is null */
    uint32_t pad;
    uint64_t frame;
    xen_handle_t frame_list; /* in: gfns of the caller to put the frames at */
};

#endif

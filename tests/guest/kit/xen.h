/*
 * Numbers of Xen 4.17's public interface that the guests use, as facts from
 * Debian's libxen-dev (xen/xen.h, version.h, event_channel.h, grant_table.h,
 * memory.h, sched.h, vcpu.h, hvm/params.h, arch-arm.h). Kept apart from
 * abi/xen on purpose; see kit.h.
 */
#ifndef KIT_XEN_H
#define KIT_XEN_H

#include "kit.h"

#define HYPERCALL_memory_op 12
#define HYPERCALL_multicall 13
#define HYPERCALL_xen_version 17
#define HYPERCALL_console_io 18
#define HYPERCALL_grant_table_op 20
#define HYPERCALL_vm_assist 21
#define HYPERCALL_vcpu_op 24
#define HYPERCALL_xsm_op 27
#define HYPERCALL_sched_op 29
#define HYPERCALL_event_channel_op 32
#define HYPERCALL_physdev_op 33
#define HYPERCALL_hvm_op 34
#define HYPERCALL_sysctl 35
#define HYPERCALL_domctl 36
#define HYPERCALL_argo_op 39
#define HYPERCALL_dm_op 41
#define HYPERCALL_hypfs_op 42

#define DOMID_SELF 0x7ff0u
#define XEN_ENOSYS 38

#define XENVER_version 0
#define CONSOLEIO_write 0
#define CONSOLEIO_read 1

#define EVTCHNOP_bind_interdomain 0
#define EVTCHNOP_bind_virq 1
#define EVTCHNOP_close 3
#define EVTCHNOP_send 4
#define EVTCHNOP_status 5
#define EVTCHNOP_alloc_unbound 6
#define EVTCHNOP_bind_ipi 7
#define EVTCHNOP_bind_vcpu 8
#define EVTCHNOP_unmask 9

struct evtchn_alloc_unbound {
    u16 dom, remote_dom;
    u32 port;
};
struct evtchn_bind_interdomain {
    u16 remote_dom;
    u32 remote_port, local_port;
};
struct evtchn_bind_ipi {
    u32 vcpu, port;
};
struct evtchn_bind_virq {
    u32 virq, vcpu, port;
};
struct evtchn_port {
    u32 port;
};

#define SCHEDOP_yield 0
#define SCHEDOP_block 1
#define SCHEDOP_shutdown 2
#define SCHEDOP_poll 3

#define VCPUOP_register_runstate_memory_area 5
#define VCPUOP_register_vcpu_info 10

#define HVMOP_set_param 0
#define HVMOP_get_param 1
#define HVM_PARAM_CALLBACK_IRQ 0

#define XENMEM_increase_reservation 0
#define XENMEM_decrease_reservation 1
#define XENMEM_populate_physmap 6
#define XENMEM_add_to_physmap 7
#define XENMEM_remove_from_physmap 15
#define XENMAPSPACE_shared_info 0
#define XENMAPSPACE_grant_table 1

struct xen_memory_reservation {
    u64 extent_start; /* guest pointer to frame numbers */
    u64 nr_extents;
    u32 extent_order, mem_flags;
    u16 domid;
};
struct xen_add_to_physmap {
    u16 domid, size;
    u32 space;
    u64 idx, gpfn;
};
struct xen_remove_from_physmap {
    u16 domid;
    u64 gpfn;
};

#define GNTTABOP_map_grant_ref 0
#define GNTTABOP_unmap_grant_ref 1
#define GNTTABOP_setup_table 2
#define GNTTABOP_copy 5
#define GNTTABOP_query_size 6
#define GNTTABOP_set_version 8
#define GTF_invalid 0
#define GTF_permit_access 1
#define GTF_accept_transfer 2
#define GTF_transitive 3
#define GTF_readonly (1u << 2)
#define GTF_reading (1u << 3)
#define GTF_writing (1u << 4)
#define GTF_sub_page (1u << 8)
#define GNTMAP_host_map 2
#define GNTMAP_readonly 4
#define GNTCOPY_source_gref 1
#define GNTCOPY_dest_gref 2

struct grant_entry_v1 {
    u16 flags, domid;
    u32 frame;
};
struct gnttab_map_grant_ref {
    u64 host_addr;
    u32 flags, ref;
    u16 dom;
    int16_t status;
    u32 handle;
    u64 dev_bus_addr;
};
struct gnttab_unmap_grant_ref {
    u64 host_addr, dev_bus_addr;
    u32 handle;
    int16_t status;
};
struct gnttab_copy_ptr {
    u64 ref_or_gmfn;
    u16 domid, offset;
};
struct gnttab_copy {
    struct gnttab_copy_ptr source, dest;
    u16 len, flags;
    int16_t status;
};

/* struct shared_info on arm64, as byte offsets; vcpu_info 0 comes first and is 48 bytes. */
#define VCPU_INFO_PENDING 0
#define VCPU_INFO_SEL 8
#define SHARED_PENDING 48
#define SHARED_MASK 560
#endif

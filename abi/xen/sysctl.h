/*
 * Control of the machine, and the clock of it.
 * Source: Xen 4.17 public/sysctl.h, public/platform.h.
 */
#ifndef ABI_XEN_SYSCTL_H
#define ABI_XEN_SYSCTL_H

#include <xen/domctl.h>

#define XEN_SYSCTL_INTERFACE_VERSION 0x15

#define XEN_SYSCTL_readconsole 1
#define XEN_SYSCTL_physinfo 3
#define XEN_SYSCTL_sched_id 4
#define XEN_SYSCTL_getdomaininfolist 6
#define XEN_SYSCTL_debug_keys 7
#define XEN_SYSCTL_getcpuinfo 8
#define XEN_SYSCTL_availheap 9
#define XEN_SYSCTL_cputopoinfo 16
#define XEN_SYSCTL_numainfo 17
#define XEN_SYSCTL_cpupool_op 18
#define XEN_SYSCTL_scheduler_op 19

struct xen_sysctl_readconsole {
    uint8_t clear, incremental;
    uint8_t pad0, pad1;
    uint32_t index; /* in with `incremental`, and out */
    xen_handle_t buffer;
    uint32_t count; /* in: its size; out: bytes written */
};

#define XEN_SYSCTL_PHYSCAP_hvm (1u << 0)
#define XEN_SYSCTL_PHYSCAP_hap (1u << 3)
#define XEN_SYSCTL_PHYSCAP_gnttab_v1 (1u << 8)
#define XEN_SYSCTL_PHYSCAP_gnttab_v2 (1u << 9)
struct xen_sysctl_physinfo {
    uint32_t threads_per_core, cores_per_socket, nr_cpus, max_cpu_id, nr_nodes, max_node_id;
    uint32_t cpu_khz;
    uint32_t capabilities, arch_capabilities;
    uint32_t pad;
    uint64_t total_pages, free_pages, scrub_pages, outstanding_pages;
    uint64_t max_mfn;
    uint32_t hw_cap[8];
};
struct xen_sysctl_getdomaininfolist {
    domid_t first_domain;
    uint32_t max_domains;
    xen_handle_t buffer; /* struct xen_domctl_getdomaininfo[max_domains] */
    uint32_t num_domains;
};
struct xen_sysctl_debug_keys {
    xen_handle_t keys;
    uint32_t nr_keys;
};
struct xen_sysctl_getcpuinfo {
    uint32_t max_cpus;
    xen_handle_t info; /* uint64_t[max_cpus]: ns idle */
    uint32_t nr_cpus;
};
struct xen_sysctl_availheap {
    uint32_t min_bitwidth, max_bitwidth;
    int32_t node;
    uint64_t avail_bytes;
};
struct xen_sysctl_cputopo {
    uint32_t core, socket, node;
};
struct xen_sysctl_cputopoinfo {
    uint32_t num_cpus;
    xen_handle_t cputopo;
};
struct xen_sysctl_meminfo {
    uint64_t memsize, memfree; /* bytes */
};
struct xen_sysctl_numainfo {
    uint32_t num_nodes;
    xen_handle_t meminfo, distance;
};
#define XEN_SYSCTL_CPUPOOL_OP_CREATE 1
#define XEN_SYSCTL_CPUPOOL_OP_DESTROY 2
#define XEN_SYSCTL_CPUPOOL_OP_INFO 3
#define XEN_SYSCTL_CPUPOOL_OP_ADDCPU 4
#define XEN_SYSCTL_CPUPOOL_OP_RMCPU 5
#define XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN 6
#define XEN_SYSCTL_CPUPOOL_OP_FREEINFO 7
#define XEN_SYSCTL_CPUPOOL_PAR_ANY 0xFFFFFFFF
struct xen_sysctl_cpupool_op {
    uint32_t op, cpupool_id, sched_id, domid, cpu, n_dom;
    struct xenctl_bitmap cpumap;
};
#define XEN_SYSCTL_SCHEDOP_putinfo 0
#define XEN_SYSCTL_SCHEDOP_getinfo 1
struct xen_sysctl_scheduler_op {
    uint32_t cpupool_id, sched_id, cmd;
    union {
        struct { /* not here, these two: the union's alignment and size */
            xen_handle_t schedule;
        } sched_arinc653;
        struct {
            uint32_t tslice_ms, ratelimit_us, vcpu_migr_delay_us;
        } sched_credit;
        struct {
            uint32_t ratelimit_us;
        } sched_credit2;
    } u;
};

struct xen_sysctl {
    uint32_t cmd;
    uint32_t interface_version;
    union {
        struct xen_sysctl_readconsole readconsole;
        struct xen_sysctl_physinfo physinfo;
        struct {
            uint32_t sched_id;
        } sched_id;
        struct xen_sysctl_getdomaininfolist getdomaininfolist;
        struct xen_sysctl_debug_keys debug_keys;
        struct xen_sysctl_getcpuinfo getcpuinfo;
        struct xen_sysctl_availheap availheap;
        struct xen_sysctl_cputopoinfo cputopoinfo;
        struct xen_sysctl_numainfo numainfo;
        struct xen_sysctl_cpupool_op cpupool_op;
        struct xen_sysctl_scheduler_op scheduler_op;
        uint8_t pad[128];
    } u;
};

#define XENPF_INTERFACE_VERSION 0x03000001
#define XENPF_settime64 62

struct xenpf_settime64 {
    uint64_t secs;
    uint32_t nsecs;
    uint32_t mbz;
    uint64_t system_time; /* ns, when that was the time */
};

#endif

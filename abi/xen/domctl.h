/*
 * Control of domains: one structure, one interface number for all of it.
 * Source: Xen 4.17 public/domctl.h, public/arch-arm.h (domain configuration,
 * registers of a vCPU).
 */
#ifndef ABI_XEN_DOMCTL_H
#define ABI_XEN_DOMCTL_H

#include <xen/xen.h>

#define XEN_DOMCTL_INTERFACE_VERSION 0x15

#define XEN_DOMCTL_createdomain 1
#define XEN_DOMCTL_destroydomain 2
#define XEN_DOMCTL_pausedomain 3
#define XEN_DOMCTL_unpausedomain 4
#define XEN_DOMCTL_getdomaininfo 5
#define XEN_DOMCTL_setvcpuaffinity 9
#define XEN_DOMCTL_max_mem 11
#define XEN_DOMCTL_setvcpucontext 12
#define XEN_DOMCTL_getvcpucontext 13
#define XEN_DOMCTL_getvcpuinfo 14
#define XEN_DOMCTL_max_vcpus 15
#define XEN_DOMCTL_scheduler_op 16
#define XEN_DOMCTL_setdomainhandle 17
#define XEN_DOMCTL_irq_permission 19
#define XEN_DOMCTL_iomem_permission 20
#define XEN_DOMCTL_settimeoffset 24
#define XEN_DOMCTL_getvcpuaffinity 25
#define XEN_DOMCTL_set_address_size 35
#define XEN_DOMCTL_get_address_size 36
#define XEN_DOMCTL_assign_device 37
#define XEN_DOMCTL_bind_pt_irq 38
#define XEN_DOMCTL_memory_mapping 39
#define XEN_DOMCTL_test_assign_device 45
#define XEN_DOMCTL_deassign_device 47
#define XEN_DOMCTL_unbind_pt_irq 48
#define XEN_DOMCTL_setnodeaffinity 68
#define XEN_DOMCTL_getnodeaffinity 69
#define XEN_DOMCTL_cacheflush 71
#define XEN_DOMCTL_vuart_op 81
#define XEN_DOMCTL_get_paging_mempool_size 85
#define XEN_DOMCTL_set_paging_mempool_size 86

struct xenctl_bitmap {
    xen_handle_t bitmap; /* bytes, bit n of byte n / 8 first */
    uint32_t nr_bits;
};

#define XEN_DOMCTL_CONFIG_GIC_NATIVE 0
#define XEN_DOMCTL_CONFIG_GIC_V2 1
#define XEN_DOMCTL_CONFIG_GIC_V3 2
#define XEN_DOMCTL_CONFIG_TEE_NONE 0

struct xen_arch_domainconfig {
    uint8_t gic_version; /* in, and out: which it got */
    uint16_t tee_type;
    uint32_t nr_spis;
    uint32_t clock_frequency; /* out: of the timer's node, 0: it says none */
};

#define XEN_DOMCTL_CDF_hvm (1U << 0)
#define XEN_DOMCTL_CDF_hap (1U << 1)
#define XEN_DOMCTL_CDF_oos_off (1U << 3)

struct xen_domctl_createdomain {
    uint32_t ssidref;
    uint8_t handle[16]; /* the tools' own name for it */
    uint32_t flags;     /* XEN_DOMCTL_CDF_* */
    uint32_t iommu_opts;
    uint32_t max_vcpus, max_evtchn_port;
    int32_t max_grant_frames, max_maptrack_frames; /* negative: the default */
    uint32_t grant_opts;                           /* low 4 bits: highest version */
    uint32_t vmtrace_size;
    uint32_t cpupool_id;
    struct xen_arch_domainconfig arch;
};

#define XEN_DOMINF_dying (1U << 0)
#define XEN_DOMINF_hvm_guest (1U << 1)
#define XEN_DOMINF_shutdown (1U << 2)
#define XEN_DOMINF_paused (1U << 3)
#define XEN_DOMINF_blocked (1U << 4)
#define XEN_DOMINF_running (1U << 5)
#define XEN_DOMINF_hap (1U << 8)
#define XEN_DOMINF_shutdownshift 16

struct xen_domctl_getdomaininfo {
    domid_t domain; /* which one was found */
    uint16_t pad1;
    uint32_t flags; /* XEN_DOMINF_*, and the reason of a shutdown */
    uint64_t tot_pages, max_pages, outstanding_pages, shr_pages, paged_pages;
    uint64_t shared_info_frame;
    uint64_t cpu_time; /* ns */
    uint32_t nr_online_vcpus, max_vcpu_id;
    uint32_t ssidref;
    uint8_t handle[16];
    uint32_t cpupool;
    uint8_t gpaddr_bits;
    uint8_t pad2[7];
    struct xen_arch_domainconfig arch_config;
};

struct xen_domctl_vcpucontext {
    uint32_t vcpu;
    xen_handle_t ctxt; /* struct vcpu_guest_context */
};
struct xen_domctl_getvcpuinfo {
    uint32_t vcpu;
    uint8_t online, blocked, running;
    uint64_t cpu_time; /* ns */
    uint32_t cpu;
};
#define XEN_VCPUAFFINITY_HARD (1U << 0)
#define XEN_VCPUAFFINITY_SOFT (1U << 1)
struct xen_domctl_vcpuaffinity {
    uint32_t vcpu;
    uint32_t flags;
    struct xenctl_bitmap cpumap_hard, cpumap_soft;
};

#define XEN_SCHEDULER_CREDIT2 6
#define XEN_DOMCTL_SCHEDOP_putinfo 0
#define XEN_DOMCTL_SCHEDOP_getinfo 1
struct xen_domctl_scheduler_op {
    uint32_t sched_id, cmd;
    union {
        struct {
            uint16_t weight, cap;
        } credit2;
        struct {
            xen_handle_t vcpus;
            uint32_t nr_vcpus, padding;
        } v; /* the largest: nothing of ours */
    } u;
};
struct xen_domctl_irq_permission {
    uint32_t pirq;
    uint8_t allow_access;
    uint8_t pad[3];
};
struct xen_domctl_iomem_permission {
    uint64_t first_mfn, nr_mfns;
    uint8_t allow_access;
};
#define PT_IRQ_TYPE_SPI 4
struct xen_domctl_bind_pt_irq {
    uint32_t machine_irq, irq_type;
    union {
        struct {
            uint16_t spi;
        } spi;
        struct {
            uint8_t gvec;
            uint32_t gflags;
            uint64_t gtable;
        } msi; /* the largest: nothing on Arm */
    } u;
};
#define DPCI_REMOVE_MAPPING 0
struct xen_domctl_memory_mapping {
    uint64_t first_gfn, first_mfn, nr_mfns;
    uint32_t add_mapping;
    uint32_t padding;
};
struct xen_domctl_cacheflush {
    xen_pfn_t start_pfn, nr_pfns;
};
#define XEN_DOMCTL_VUART_OP_INIT 0
#define XEN_DOMCTL_VUART_TYPE_VPL011 0
struct xen_domctl_vuart_op {
    uint32_t cmd, type;
    uint64_t gfn; /* of the ring */
    domid_t console_domid;
    uint8_t pad[2];
    uint32_t evtchn; /* out */
};

struct xen_domctl {
    uint32_t cmd;
    uint32_t interface_version;
    domid_t domain;
    uint16_t _pad[3];
    union {
        struct xen_domctl_createdomain createdomain;
        struct xen_domctl_getdomaininfo getdomaininfo;
        struct {
            struct xenctl_bitmap nodemap;
        } nodeaffinity;
        struct xen_domctl_vcpuaffinity vcpuaffinity;
        struct {
            uint64_t max_memkb;
        } max_mem;
        struct xen_domctl_vcpucontext vcpucontext;
        struct xen_domctl_getvcpuinfo getvcpuinfo;
        struct {
            uint32_t max;
        } max_vcpus;
        struct xen_domctl_scheduler_op scheduler_op;
        struct {
            uint8_t handle[16];
        } setdomainhandle;
        struct xen_domctl_irq_permission irq_permission;
        struct xen_domctl_iomem_permission iomem_permission;
        struct {
            int64_t time_offset_seconds;
        } settimeoffset;
        struct {
            uint32_t size; /* 32 or 64 */
        } address_size;
        struct xen_domctl_bind_pt_irq bind_pt_irq;
        struct xen_domctl_memory_mapping memory_mapping;
        struct xen_domctl_cacheflush cacheflush;
        struct {
            uint64_t size; /* bytes */
        } paging_mempool;
        struct xen_domctl_vuart_op vuart_op;
        uint8_t pad[128];
    } u;
};

/* Registers of a vCPU that is not running. AArch32 names are not stated here. */
struct vcpu_guest_core_regs {
    uint64_t x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15, x16, x17, x18,
        x19, x20, x21, x22, x23, x24, x25, x26, x27, x28, x29, x30;
    uint64_t pc64;
    uint64_t cpsr;
    uint64_t spsr_el1;
    uint32_t spsr_fiq, spsr_irq, spsr_und, spsr_abt;
    uint64_t sp_el0, sp_el1, elr_el1;
};
#define VGCF_online (1 << 0)
struct vcpu_guest_context {
    uint32_t flags; /* VGCF_* */
    struct vcpu_guest_core_regs user_regs;
    uint64_t sctlr, ttbcr, ttbr0, ttbr1;
};

#endif

/*
 * The control interface, as far as a domain without rights meets it: one
 * number covers all operations of each family and is looked at first.
 *
 * Source: Xen 4.17 public/domctl.h, public/sysctl.h, public/platform.h.
 */
#ifndef ABI_XEN_CONTROL_H
#define ABI_XEN_CONTROL_H

#include <xen/xen.h>

#define XEN_DOMCTL_INTERFACE_VERSION 0x15
#define XEN_DOMCTL_getdomaininfo 5

#define XEN_DOMINF_dying (1u << 0)
#define XEN_DOMINF_hvm_guest (1u << 1)
#define XEN_DOMINF_shutdown (1u << 2)
#define XEN_DOMINF_paused (1u << 3)
#define XEN_DOMINF_running (1u << 5)
#define XEN_DOMINF_hap (1u << 8)
#define XEN_DOMINF_shutdownshift 16

struct xen_arch_domainconfig {
    uint8_t gic_version;
    uint16_t tee_type;
    uint32_t nr_spis;
    uint32_t clock_frequency;
};

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

/* The head of every domctl, and the one operation that we have so far. */
struct xen_domctl {
    uint32_t cmd;
    uint32_t interface_version;
    domid_t domain;
    union {
        struct xen_domctl_getdomaininfo getdomaininfo;
        uint8_t pad[128];
    } u;
};
#define XEN_SYSCTL_INTERFACE_VERSION 0x15
#define XENPF_INTERFACE_VERSION 0x03000001
#define XENPF_settime64 62

#endif

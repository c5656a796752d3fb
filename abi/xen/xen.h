/*
 * Xen's public interface as far as we speak it: numbers and words that all
 * other headers of this folder build on. tests/conform/abi.py compiles every
 * constant, size and offset here against Debian's libxen-dev.
 *
 * A guest handle (Xen's XEN_GUEST_HANDLE) is a guest virtual address in 64
 * bits, on arm64 and on 32-bit Arm alike; here it is xen_handle_t.
 *
 * Source: Xen 4.17 public/xen.h, public/arch-arm.h.
 */
#ifndef ABI_XEN_XEN_H
#define ABI_XEN_XEN_H

#include <stdint.h>

typedef uint16_t domid_t;
typedef uint64_t xen_ulong_t;
typedef uint64_t xen_pfn_t;
typedef uint64_t xen_handle_t;

/* The immediate of HVC that marks a hypercall; number in x16 (r12), arguments x0..x4, result x0. */
#define XEN_HYPERCALL_TAG 0xea1

#define __HYPERVISOR_sched_op_compat 6
#define __HYPERVISOR_platform_op 7
#define __HYPERVISOR_memory_op 12
#define __HYPERVISOR_multicall 13
#define __HYPERVISOR_xen_version 17
#define __HYPERVISOR_console_io 18
#define __HYPERVISOR_grant_table_op 20
#define __HYPERVISOR_vm_assist 21
#define __HYPERVISOR_vcpu_op 24
#define __HYPERVISOR_sched_op 29
#define __HYPERVISOR_event_channel_op 32
#define __HYPERVISOR_physdev_op 33
#define __HYPERVISOR_hvm_op 34
#define __HYPERVISOR_sysctl 35
#define __HYPERVISOR_domctl 36
#define __HYPERVISOR_dm_op 41
#define __HYPERVISOR_hypfs_op 42

/* Domain numbers with a meaning of their own. */
#define DOMID_FIRST_RESERVED 0x7ff0u
#define DOMID_SELF ((domid_t)0x7ff0u)
#define DOMID_XEN ((domid_t)0x7ff2u)
#define DOMID_INVALID ((domid_t)0x7ff4u)

/* Virtual interrupts: sources of events that the hypervisor has. */
#define VIRQ_TIMER 0    /* per vCPU: its singleshot or periodic timer */
#define VIRQ_DEBUG 1    /* per vCPU: a person asked for a dump */
#define VIRQ_CONSOLE 2  /* input for console_io */
#define VIRQ_DOM_EXC 3  /* some domain went down or died */
#define VIRQ_XENOPROF 7 /* per vCPU */
#define VIRQ_XENPMU 13  /* per vCPU */
#define NR_VIRQS 24

#define CONSOLEIO_write 0
#define CONSOLEIO_read 1

#define VMASST_CMD_enable 0
#define VMASST_CMD_disable 1
#define VMASST_TYPE_runstate_update_flag 5

#define XEN_LEGACY_MAX_VCPUS 1

struct multicall_entry {
    xen_ulong_t op, result;
    xen_ulong_t args[6];
};

/* Written by guest and hypervisor at once: bytes and words in it change by atomic operations only. */
struct vcpu_info {
    uint8_t evtchn_upcall_pending;
    uint8_t pad0;
    xen_ulong_t evtchn_pending_sel;
    uint64_t time[4]; /* for x86 */
};

struct shared_info {
    struct vcpu_info vcpu_info[XEN_LEGACY_MAX_VCPUS];
    xen_ulong_t evtchn_pending[64];
    xen_ulong_t evtchn_mask[64];
    uint32_t wc_version; /* odd while the three below change */
    uint32_t wc_sec;     /* wall clock at system time 0 */
    uint32_t wc_nsec;
    uint32_t wc_sec_hi;
};

#endif

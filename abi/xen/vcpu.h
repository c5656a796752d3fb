/*
 * Operations on a vCPU. Source: Xen 4.17 public/vcpu.h.
 */
#ifndef ABI_XEN_VCPU_H
#define ABI_XEN_VCPU_H

#include <xen/xen.h>

#define VCPUOP_up 1
#define VCPUOP_register_runstate_memory_area 5
#define VCPUOP_set_singleshot_timer 8
#define VCPUOP_stop_singleshot_timer 9
#define VCPUOP_register_vcpu_info 10

#define RUNSTATE_running 0
#define RUNSTATE_runnable 1
#define RUNSTATE_blocked 2
#define RUNSTATE_offline 3
#define XEN_RUNSTATE_UPDATE (1ull << 63)

struct vcpu_runstate_info {
    int state;
    uint64_t
        state_entry_time; /* ns; top bit set while the hypervisor writes, if asked for by vm_assist */
    uint64_t time[4];     /* ns spent in each state */
};
struct vcpu_register_runstate_memory_area {
    union {
        uint64_t p; /* guest virtual address */
    } addr;
};
#define VCPU_SSHOTTMR_future (1u << 0)
struct vcpu_set_singleshot_timer {
    uint64_t timeout_abs_ns;
    uint32_t flags;
};
struct vcpu_register_vcpu_info {
    uint64_t mfn; /* of the guest: a gfn */
    uint32_t offset;
    uint32_t rsvd;
};

#endif

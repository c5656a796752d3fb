/* struct shared_info for Arm (public/xen.h, public/arch-arm.h): one vcpu_info, two-level events. */
#ifndef LIBOS_XEN_SHARED_INFO_H
#define LIBOS_XEN_SHARED_INFO_H

#include <assert.h>

#include "libos/base.h"

struct shared_info {
    uint8_t vcpu_info[48];
    uint64_t evtchn_pending[64];
    uint64_t evtchn_mask[64];
    uint32_t wc_version;
    uint32_t wc_sec;
    uint32_t wc_nsec;
    uint32_t wc_sec_hi;
};
static_assert(offsetof(struct shared_info, evtchn_mask) == 560, "public/xen.h shared_info");
static_assert(sizeof(struct shared_info) == 1088, "public/xen.h shared_info");

extern volatile struct shared_info *shared_info;

/** Map the shared page (event channels, wall clock). Called once by platform_init(). */
void shared_info_map(void);

#endif

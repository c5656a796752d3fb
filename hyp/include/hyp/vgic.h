/* Placeholder until hyp/vdev/vgic lands on this branch. */
#ifndef HYP_VGIC_H
#define HYP_VGIC_H

#include <hyp/lock.h>
#include <hyp/types.h>

struct domain;
struct vcpu;

struct vgic {
    lock_t lock;
};
struct vgic_cpu {
    lock_t lock;
};

#endif

/*
 * A guest's own virtual addresses: what a hypercall's pointers are.
 *
 * The current vCPU's stage 1 and stage 2 translate, with the rights that EL1
 * has. The copy is made under the domain's p2m lock, so that the frame found
 * cannot leave the domain meanwhile; no reference is taken. Only RAM is ever
 * touched: an address that leads to a device is a fault.
 *
 * Source: public/xen.h, XEN_GUEST_HANDLE; Arm: handles are virtual addresses.
 */
#ifndef HYP_GUEST_VA_H
#define HYP_GUEST_VA_H

#include <hyp/types.h>

struct vcpu;

/* Copy `size_bytes` from or to the current vCPU's address `va`. 0, or -XEN_EFAULT: then part may have been copied. */
must_check int guest_va_read(struct vcpu *v, void *to, uint64_t va, size_t size_bytes);
must_check int guest_va_write(struct vcpu *v, uint64_t va, const void *from, size_t size_bytes);

/* One word, quickly: the argument of EVTCHNOP_send. */
must_check int guest_va_read32(struct vcpu *v, uint32_t *to, uint64_t va);

/* Where `va` leads, one page at most, with a reference to the domain's own frame: frame_put() it. -XEN_EFAULT. */
must_check int guest_va_hold(struct vcpu *v, uint64_t va, mpa_t *out);

#endif

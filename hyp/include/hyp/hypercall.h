/*
 * Hypercalls: from the number in a register to the operation.
 *
 * The trap code has saved the argument registers in v->arch. Handlers return
 * 0, a positive result, or a negative errno. -XEN_ERESTART means: made some
 * progress, noted it in the arguments, and is to be made again; the guest
 * executes the same instruction once more and may take interrupts before.
 *
 * H1  no handler runs for more than 50,000 instructions.
 * H2  a guest's memory is read once per call and then only the copy is used.
 * H3  a number that nobody handles answers -XEN_ENOSYS.
 *
 * What the architecture supplies as inlines in <arch/vcpu.h>:
 *   uint64_t arch_hypercall_number(const struct arch_vcpu *a);
 *   uint64_t *arch_hypercall_args(struct arch_vcpu *a);      five words, the first is the result register
 *   void arch_hypercall_again(struct arch_vcpu *a);          the guest will execute the instruction again
 * and linked (in arch.h's terms):
 *   bool arch_guest_va_to_mpa(struct vcpu *v, uint64_t va, bool write, mpa_t *out);
 *
 * Source: public/xen.h, __HYPERVISOR_*; public/arch-arm.h for the convention.
 */
#ifndef HYP_HYPERCALL_H
#define HYP_HYPERCALL_H

#include <hyp/types.h>

struct vcpu;

/* Serve the hypercall that `v`, which is current, has made. */
void hypercall(struct vcpu *v);

/* One hypercall by number, for multicall: `arg` is updated if -XEN_ERESTART is returned. */
int64_t hypercall_call(struct vcpu *v, uint64_t number, uint64_t *arg);

#endif

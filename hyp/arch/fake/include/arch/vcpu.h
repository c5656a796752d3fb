/* The model machine's vCPU and domain state. */
#ifndef ARCH_VCPU_H
#define ARCH_VCPU_H

#include <stdbool.h>
#include <stdint.h>

struct arch_vcpu {
    uint64_t x[31];
    uint64_t pc;
    bool translation_fixed;
    bool aarch32;
};
static inline uint64_t arch_hypercall_number(const struct arch_vcpu *a)
{
    return a->x[16];
}
static inline uint64_t *arch_hypercall_args(struct arch_vcpu *a)
{
    return a->x;
}
static inline void arch_hypercall_again(struct arch_vcpu *a)
{
    a->pc -= 4;
}

struct arch_domain {
    uint64_t unused;
};

#endif

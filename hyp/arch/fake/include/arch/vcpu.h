/* The model machine's vCPU and domain state. */
#ifndef ARCH_VCPU_H
#define ARCH_VCPU_H

#include <stdint.h>

struct arch_vcpu {
    uint64_t x[31];
    uint64_t pc;
};
struct arch_domain {
    uint64_t unused;
};

#endif

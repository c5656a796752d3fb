/* What the files of the kit share among themselves. */
#ifndef KIT_INTERNAL_H
#define KIT_INTERNAL_H

#include "kit.h"

#define STACK_BYTES 16384

struct kit_cpu {
    u64 stack_end; /* head.S reads this first field */
    unsigned id;
    bool skipping;
    u64 *landing; /* expect_fault in progress: where to restore from */
    void (*fn)(void *);
    void *arg;
};
extern struct kit_cpu kit_cpus[KIT_CPUS];

static inline struct kit_cpu *this_cpu(void)
{
    return (struct kit_cpu *)read_sysreg(tpidr_el1);
}

int fault_call(void (*fn)(void *), void *arg, u64 *buffer);
void fault_landing(void);
void kit_start(const void *fdt);
void kit_secondary(struct kit_cpu *cpu);
void kit_exception(unsigned kind, struct frame *frame);
void mmu_enable_here(void);
void hvc_raw(struct smccc_result *out, u64 function, u64 a1, u64 a2, u64 a3);
void smc_raw(struct smccc_result *out, u64 function, u64 a1, u64 a2, u64 a3);
extern const char _head[];
extern const char _end[];

#endif

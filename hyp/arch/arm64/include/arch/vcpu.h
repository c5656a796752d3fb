/*
 * What a vCPU is on arm64.
 *
 * While a vCPU is loaded (cpu->loaded), its EL1 registers, x19-x29, ELR and
 * SPSR are in the machine and their fields here are stale; x0-x18 and x30 are
 * stored here by the vectors on every trap. SP_EL2 points at x[0] while the
 * guest runs, so this struct comes first in struct vcpu.
 */
#ifndef ARCH_VCPU_H
#define ARCH_VCPU_H

#include <arch/sysreg.h>
#include <stdbool.h>
#include <stdint.h>

struct arch_fp {
    uint64_t q[64];
    uint64_t fpsr, fpcr;
    uint64_t fpexc32; /* AArch32 guests only */
};

/* Self-hosted debug and performance monitor: allocated on first use only. */
struct arch_debug {
    uint64_t bvr[16], bcr[16], wvr[16], wcr[16];
    uint64_t mdscr, mdccint;
    uint64_t cntr[31], type[31], ccntr, ccfilt;
    uint64_t cr, cnten, inten, ovs, userenr, selr;
};

struct arch_vcpu {
    uint64_t x[31];
    uint64_t elr, spsr;
    uint64_t hcr;    /* trap configuration of this vCPU */
    uint64_t vmpidr; /* [const] */
    uint64_t sp_el0, sp_el1, elr_el1, spsr_el1;
    uint64_t sctlr, cpacr, ttbr0, ttbr1, tcr, mair, amair, vbar, contextidr;
    uint64_t esr, far, afsr0, afsr1, par;
    uint64_t tpidr_el0, tpidrro_el0, tpidr_el1;
    uint64_t cntkctl, csselr;
    uint64_t spsr_abt, spsr_und, spsr_irq, spsr_fiq, dacr32, ifsr32; /* AArch32 guests only */
    struct arch_debug *debug;                                        /* NULL: never used */
    bool aarch32;                                                    /* EL1 is AArch32 */
    bool debug_loaded; /* [cpu] the machine's debug and PMU registers are this vCPU's */
    bool fp_loaded;    /* [cpu] so are its FP registers; else they trap */
    struct arch_fp fp __attribute__((aligned(16)));
};

struct arch_domain {
    uint64_t
        vmid; /* [vmid lock] generation << 16 | VMID; 0 never had one. hyp/arch/arm64/stage2.c */
};

/*
 * Xen's calling convention: HVC #0xea1, number in x16, arguments and result
 * from x0 on; from AArch32 number in r12, from r0 on. Source: public/arch-arm.h, "Hypercall calling convention".
 */
static inline uint64_t arch_hypercall_number(const struct arch_vcpu *a)
{
    return a->x[16];
}
static inline uint64_t *arch_hypercall_args(struct arch_vcpu *a)
{
    return a->x;
}
/* The vCPU is loaded here: its PC is in ELR_EL2, behind the HVC. */
static inline void arch_hypercall_again(struct arch_vcpu *a)
{
    sysreg_write(elr_el2, sysreg_read(elr_el2) - 4);
}

#endif

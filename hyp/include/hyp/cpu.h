/*
 * A physical CPU, and what it is doing.
 *
 * `this_cpu()` (hyp/arch.h) finds it in one instruction. Fields marked [cpu]
 * are touched by the owner CPU only; others name their lock.
 */
#ifndef HYP_CPU_H
#define HYP_CPU_H

#include <hyp/list.h>
#include <hyp/lock.h>
#include <hyp/sched.h>
#include <hyp/timer.h>
#include <hyp/types.h>

struct vcpu;

/* Reasons to interrupt another CPU. They are bits of cpu.ipi. */
enum cpu_ipi {
    IPI_RESCHED = 1u << 0, /* look at the run queue and at the current vCPU's work word */
    IPI_STOP = 1u << 1,    /* the machine stops: park */
    IPI_SAVE = 1u << 2,    /* write the loaded but blocked vCPU back to memory */
};

struct cpu {
    uint32_t id;           /* [const] dense, 0 is the boot CPU */
    uint32_t save_request; /* [cpu] IPI_SAVE came: write `loaded` back unless it runs */
    uint32_t ipi;          /* [atomic] enum cpu_ipi bits, set by others, cleared by the owner */
    struct vcpu *current;  /* [cpu] vCPU that runs, NULL when idle */
    struct vcpu *loaded;   /* [cpu] vCPU whose EL1 context is in the registers, maybe blocked */
    void *stack_top;       /* [const] */
    uint64_t arch_id;      /* [const] MPIDR affinity bits on Arm */
    uint64_t ipi_value;    /* [const] what the interrupt controller's driver sends it an IPI with */
    struct sched_cpu sched;  /* hyp/sched.h */
    struct timer_cpu timers; /* hyp/timer.h */
    uint64_t irq_count;      /* [cpu] physical interrupts taken */
    uint64_t spurious_count; /* [cpu] of these, spurious ones */
    uint32_t lock_depth;     /* [cpu] debug: locks held */
    uint32_t online;         /* [atomic] 1 once it takes work */
    uint8_t lock_rank[12];   /* [cpu] debug: ranks of the locks held */
};

extern struct cpu *cpus[MAX_CPUS]; /* [const] after boot; NULL from cpu_count on */
extern uint32_t cpu_count;         /* [const] after boot */

/* Ask `c` to look at its work; the bits are merged. Safe from any context. */
void cpu_kick(struct cpu *c, uint32_t ipi_bits);

#endif

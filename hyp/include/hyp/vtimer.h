/*
 * A guest's timers.
 *
 * The virtual timer (CNTV_*) belongs to the guest while its vCPU is loaded: no
 * access traps, and its physical interrupt reaches the guest through a list
 * register that is linked to it. Off the CPU a software timer stands in.
 *
 * The physical timer (CNTP_*) is emulated: accesses trap, a software timer
 * keeps the time, and the line (INTID 30) follows CTL, CVAL and the counter.
 *
 * Both counters show what hardware would: CNTPCT is the machine's, CNTVCT is
 * that minus domain.vtimer_offset_ticks.
 *
 * Source: DDI 0487I.a D11.2, chapter D11 "The Generic Timer".
 */
#ifndef HYP_VTIMER_H
#define HYP_VTIMER_H

#include <hyp/types.h>

struct cpu;
struct timer;
struct vcpu;

enum { TIMER_CTL_ENABLE = 1u << 0, TIMER_CTL_IMASK = 1u << 1, TIMER_CTL_ISTATUS = 1u << 2 };

/* Part of struct vcpu (`timer_regs`); vcpu.vtimer and vcpu.ptimer are the software timers. */
struct vtimer_regs {
    uint64_t v_cval; /* [cpu] while not loaded */
    uint64_t p_cval; /* [cpu] */
    uint32_t v_ctl;  /* [cpu] while not loaded */
    uint32_t p_ctl;  /* [cpu] ENABLE and IMASK */
    bool loaded;     /* [cpu] CNTV_* hold the virtual timer */
};

void vtimer_vcpu_init(struct vcpu *v);  /* once: software timers */
void vtimer_vcpu_reset(struct vcpu *v); /* both timers off, software timers cancelled; not loaded */
void vtimer_vcpu_destroy(struct vcpu *v); /* neither fires any more; before `v` is freed */

/* Physical interrupt of the virtual timer, acknowledged and its priority dropped. */
void vtimer_interrupt(struct cpu *c);

/* WORK_TIMER of the current vCPU: a software timer fired; bring the lines up to date. */
void vtimer_work(struct vcpu *v);

/* `v` leaves this CPU, or comes to it (CNTVOFF_EL2 is written too). After vgic_save(),
 * vgic_restore(). */
void vtimer_save(struct vcpu *v);
void vtimer_restore(struct vcpu *v);

/* Level of the virtual timer's output now; `v` is loaded here, or nowhere. */
bool vtimer_line(const struct vcpu *v);

/* Trapped CNTP_CTL, CNTP_CVAL, CNTP_TVAL and CNTPCT of `v`, which is current. Any value; writes to
 * COUNT are ignored. */
enum vtimer_reg { PTIMER_CTL, PTIMER_CVAL, PTIMER_TVAL, PTIMER_COUNT };
uint64_t vtimer_ptimer_read(struct vcpu *v, enum vtimer_reg reg);
void vtimer_ptimer_write(struct vcpu *v, enum vtimer_reg reg, uint64_t value);

#endif

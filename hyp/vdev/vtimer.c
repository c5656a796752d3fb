/*
 * A guest's timers; see hyp/vtimer.h.
 *
 * Virtual timer. Its output is a level, but a guest that turns it off or moves
 * CVAL does not trap, so what was already loaded into a list register can be
 * out of date. The rule: the level is looked at again whenever list registers
 * are folded (every register access that concerns them, every switch), when
 * the guest waits in WFI, and when the timer is about to be loaded after a
 * switch. Between two of those a guest that turned its timer off with
 * interrupts masked may take one interrupt that finds ISTATUS clear. Hardware
 * permits that as well, for as long as the change takes to reach the
 * controller (IHI 0069H 4.1.2); no hot path pays for more.
 *
 * T1  CNTV_CTL_EL0.ENABLE is clear while no vCPU is loaded: the physical
 *     interrupt always belongs to cpu->loaded.
 * T2  software timers only say "look again" (WORK_TIMER): they fire on any
 *     CPU, the state is its vCPU's alone.
 */
#include <hyp/vtimer.h>

#include <hyp/arch.h>
#include <hyp/cpu.h>
#include <hyp/domain.h>
#include <hyp/gic.h>

static void vtimer_expired(struct timer *t, uint64_t now_ticks)
{
    vcpu_notify(container_of(t, struct vcpu, vtimer), WORK_TIMER);
}

static void ptimer_expired(struct timer *t, uint64_t now_ticks)
{
    vcpu_notify(container_of(t, struct vcpu, ptimer), WORK_TIMER);
}

void vtimer_vcpu_init(struct vcpu *v)
{
    timer_init(&v->vtimer, vtimer_expired);
    timer_init(&v->ptimer, ptimer_expired);
}

void vtimer_vcpu_reset(struct vcpu *v)
{
    timer_cancel(&v->vtimer);
    timer_cancel(&v->ptimer);
    v->timer_regs = (struct vtimer_regs){0};
}

void vtimer_vcpu_destroy(struct vcpu *v)
{
    timer_retire(&v->vtimer);
    timer_retire(&v->ptimer);
}

/* Level of a timer's output: enabled, not masked, condition met. */
static inline bool output(uint32_t ctl, uint64_t cval, uint64_t offset)
{
    return (ctl & (TIMER_CTL_ENABLE | TIMER_CTL_IMASK)) == TIMER_CTL_ENABLE &&
           arch_counter_ticks() - offset >= cval;
}

bool vtimer_line(const struct vcpu *v)
{
    const struct vtimer_regs *r = &v->timer_regs;

    if (r->loaded) {
        const uint32_t on = TIMER_CTL_ENABLE | TIMER_CTL_ISTATUS;
        return (arch_vtimer_ctl() & (on | TIMER_CTL_IMASK)) == on;
    }
    return output(r->v_ctl, r->v_cval, v->domain->vtimer_offset_ticks);
}

void vtimer_interrupt(struct cpu *c)
{
    if (!c->loaded) {
        arch_vtimer_stop(); /* T1 says never; a stuck line must not hold the CPU */
        gic_deactivate(GIC_PPI_VIRT_TIMER);
        return;
    }
    vgic_linked_fired(c->loaded, VIRQ_VTIMER);
}

/* The moment a timer asserts, as the counter has it; one that never does within the counter's range
 * never does. */
static uint64_t deadline_of(uint64_t cval, uint64_t offset)
{
    return cval > TICKS_NEVER - 1 - offset ? TICKS_NEVER - 1 : cval + offset;
}

void vtimer_save(struct vcpu *v)
{
    struct vtimer_regs *r = &v->timer_regs;

    r->v_ctl = arch_vtimer_ctl() & (TIMER_CTL_ENABLE | TIMER_CTL_IMASK);
    r->v_cval = arch_vtimer_cval();
    r->loaded = false;
    if (r->v_ctl != 0) {
        arch_vtimer_stop();
    }
    if (r->v_ctl == TIMER_CTL_ENABLE) {
        timer_set(&v->vtimer, deadline_of(r->v_cval, v->domain->vtimer_offset_ticks));
    }
}

void vtimer_restore(struct vcpu *v)
{
    struct vtimer_regs *r = &v->timer_regs;

    if (r->v_ctl == TIMER_CTL_ENABLE) {
        timer_cancel(&v->vtimer);
    }
    arch_vtimer_start(v->domain->vtimer_offset_ticks, r->v_ctl, r->v_cval);
    r->loaded = true;
}

/* Line and software timer of the emulated timer, from its registers and the time. */
static void ptimer_update(struct vcpu *v)
{
    struct vtimer_regs *r = &v->timer_regs;
    bool high = output(r->p_ctl, r->p_cval, 0);

    vgic_set_level(v, VIRQ_PTIMER, high);
    if (r->p_ctl == TIMER_CTL_ENABLE && !high) {
        timer_set(&v->ptimer, deadline_of(r->p_cval, 0));
    } else {
        timer_cancel(&v->ptimer);
    }
}

void vtimer_work(struct vcpu *v)
{
    if (v->timer_regs.p_ctl != 0) {
        ptimer_update(v);
    }
}

uint64_t vtimer_ptimer_read(struct vcpu *v, enum vtimer_reg reg)
{
    const struct vtimer_regs *r = &v->timer_regs;
    uint64_t now = arch_counter_ticks();

    switch (reg) {
    case PTIMER_CTL:
        return r->p_ctl |
               ((r->p_ctl & TIMER_CTL_ENABLE) != 0 && now >= r->p_cval ? TIMER_CTL_ISTATUS : 0);
    case PTIMER_CVAL:
        return r->p_cval;
    case PTIMER_TVAL:
        return (uint32_t)(r->p_cval - now);
    case PTIMER_COUNT:
        break;
    }
    return now;
}

void vtimer_ptimer_write(struct vcpu *v, enum vtimer_reg reg, uint64_t value)
{
    struct vtimer_regs *r = &v->timer_regs;

    switch (reg) {
    case PTIMER_CTL:
        r->p_ctl = value & (TIMER_CTL_ENABLE | TIMER_CTL_IMASK);
        break;
    case PTIMER_CVAL:
        r->p_cval = value;
        break;
    case PTIMER_TVAL: /* signed, 32 bits: DDI 0487I.a D11.2.4 */
        r->p_cval = arch_counter_ticks() + (uint64_t)(int64_t)(int32_t)(uint32_t)value;
        break;
    case PTIMER_COUNT:
        return;
    }
    ptimer_update(v);
}

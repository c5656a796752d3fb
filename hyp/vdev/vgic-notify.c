/*
 * Who has to look again, and whether a vCPU has anything to wake for: what the
 * other files of the virtual interrupt controller do to list registers they
 * cannot reach themselves.
 */
#include <hyp/arch.h>
#include <hyp/cpu.h>

#include "vgic-internal.h"

bool vgic_is_here(const struct vcpu *v)
{
    return this_cpu()->current == v;
}

void vgic_notify(struct vcpu *v)
{
    if (vgic_is_here(v)) {
        __atomic_fetch_or(&v->work, WORK_VGIC, __ATOMIC_RELAXED);
    } else {
        vcpu_notify_other(v, WORK_VGIC);
    }
}

/*
 * `refold` is set before `folding`, and cleared before it: a request is never lost, and whoever
 * finds its bit of `folding` cleared knows that the list registers were read after the request. The
 * kick reaches a CPU on which the vCPU is loaded but blocked or paused, too (vgic_serve()).
 */
void vgic_request_fold(struct vcpu *v)
{
    __atomic_store_n(&v->vgic.refold, 1, __ATOMIC_RELAXED);
    if (vgic_is_here(v) || !v->vgic.loaded) {
        vgic_notify(v);
        return;
    }
    __atomic_fetch_or(&v->domain->vgic.folding, 1ull << v->id, __ATOMIC_RELEASE);
    vcpu_notify_other(v, WORK_VGIC);
    struct cpu *c = __atomic_load_n(&v->cpu, __ATOMIC_RELAXED);
    if (c) {
        cpu_kick(c, IPI_RESCHED);
    }
}

void vgic_update_spis(struct domain *d, unsigned word, uint32_t mask)
{
    struct vgic_spi_bank *s = &d->vgic.spi[word];
    uint32_t resident = s->bank.resident & mask;
    uint32_t fresh = bank_deliverable(&d->vgic, &s->bank) & mask;

    while (resident != 0) {
        vgic_request_fold(d->vcpu[s->holder[bit_take(&resident)]]);
    }
    while (fresh != 0) {
        uint8_t target = s->target[bit_take(&fresh)];
        if (target < d->vcpu_count) {
            struct vcpu *t = d->vcpu[target];
            __atomic_fetch_or(&t->vgic.spi_words, 1u << word, __ATOMIC_RELAXED);
            vgic_notify(t);
        }
    }
}

/* Linked, physically active, and not in our hands any more: end it, or it never fires again. */
void vgic_settle(struct vgic_bank *b, const uint16_t *pintid)
{
    uint32_t m = b->phys == 0 ? 0 : b->phys & ~(b->latch | b->line | b->active | b->resident);

    b->phys &= ~m;
    while (m != 0) {
        unsigned i = bit_take(&m);
        arch_irq_set_active(pintid ? pintid[i] : i, false);
    }
}

/* The virtual timer's interrupt in a list register, not taken, but its condition gone: have it
 * folded. */
static bool stale_timer(struct vcpu *v, uint32_t intid)
{
    if (intid != VIRQ_VTIMER || vtimer_line(v)) {
        return false;
    }
    __atomic_store_n(&v->vgic.refold, 1, __ATOMIC_RELAXED);
    __atomic_fetch_or(&v->work, WORK_VGIC, __ATOMIC_RELAXED);
    return true;
}

/*
 * What is in list registers is as urgent as anything outside (G2), and what came since has set
 * WORK_VGIC. PSTATE is not looked at: WFI wakes regardless. The binary point is not either, so at
 * worst a WFI returns early.
 */
bool vgic_has_pending(struct vcpu *v)
{
    struct vgic_cpu *c = &v->vgic;
    struct vgic_vif vif;

    if ((__atomic_load_n(&v->work, __ATOMIC_RELAXED) & WORK_VGIC) != 0) {
        return true;
    }
    uint32_t used = c->lr_used;
    if (used == 0 || (used &= ~(uint32_t)arch_lr_empty_mask()) == 0) {
        return false;
    }
    arch_vif_save(&vif);
    unsigned limit = vif.vmcr >> 24, running = arch_vif_running_priority(&vif);
    limit = running < limit ? running : limit;
    while (used != 0) {
        unsigned n = bit_take(&used);
        uint64_t lr = arch_lr_read(n);
        bool enabled = ((lr & LR_GROUP1) != 0 ? vif.vmcr & 2 : vif.vmcr & 1) != 0;
        if ((lr & (LR_PENDING | LR_ACTIVE)) == LR_PENDING && enabled &&
            (lr >> LR_PRIORITY_SHIFT & 0xff) < limit && !stale_timer(v, c->lr_intid[n])) {
            return true;
        }
    }
    return false;
}

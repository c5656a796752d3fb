/* What the files of the virtual interrupt controller share. */
#ifndef HYP_VDEV_VGIC_INTERNAL_H
#define HYP_VDEV_VGIC_INTERNAL_H

#include <hyp/domain.h>
#include <hyp/vgic.h>

#define VTIMER_BIT (1u << VIRQ_VTIMER)
#define PMU_BIT (1u << VIRQ_PMU)
#define SGI_BITS 0xffffu

/* GICD_CTLR, one security state (v3) or none (v2). */
enum { DIST_GROUP0 = 1u << 0, DIST_GROUP1 = 1u << 1 };

/* ICH_LR<n>_EL2 (IHI 0069H 12.4.7). */
#define LR_VINTID_MASK 0x3ffull
#define LR_SOURCE_SHIFT 10 /* v2 guests: sender of an SGI */
#define LR_PINTID_SHIFT 32
#define LR_EOI (1ull << 41)
#define LR_PRIORITY_SHIFT 48
#define LR_GROUP1 (1ull << 60)
#define LR_HW (1ull << 61)
#define LR_PENDING (1ull << 62)
#define LR_ACTIVE (1ull << 63)

/* ICH_HCR_EL2 (IHI 0069H 12.4.4). */
enum { HCR_EN = 1u << 0, HCR_LRENPIE = 1u << 2, HCR_NPIE = 1u << 3, HCR_EOICOUNT_SHIFT = 27 };

enum { MISR_NP = 1u << 3 }; /* ICH_MISR_EL2 */

/* Pending, wherever that state is; for residents as of the last fold. */
static inline uint32_t bank_pending(const struct vgic_bank *b)
{
    return b->latch | (b->line & ~b->edge) | (b->resident & b->lr_pending);
}

static inline uint32_t bank_active(const struct vgic_bank *b)
{
    return b->active | (b->resident & b->lr_active);
}

static inline uint32_t group_mask(uint32_t ctlr, const struct vgic_bank *b)
{
    return ((ctlr & DIST_GROUP0) != 0 ? ~b->group : 0) | ((ctlr & DIST_GROUP1) != 0 ? b->group : 0);
}

/* What could go into a list register as pending: a quick no for the common case first. */
static inline uint32_t bank_deliverable(const struct vgic *g, const struct vgic_bank *b)
{
    uint32_t m = (b->latch | (b->line & ~b->edge)) & b->enabled & ~b->active & ~b->resident;

    return m == 0 ? 0 : m & group_mask(__atomic_load_n(&g->ctlr, __ATOMIC_RELAXED), b);
}

/* An edge-configured input latches its rising edge; a level one just follows. True if anything
 * changed. */
static inline bool vgic_line_set(struct vgic_bank *b, uint32_t bit, bool high)
{
    if (((b->line & bit) != 0) == high) {
        return false;
    }
    b->line ^= bit;
    b->latch |= high ? b->edge & bit : 0;
    return true;
}

/* Lowest bit's number; take it out. */
static inline unsigned bit_take(uint32_t *mask)
{
    unsigned i = (unsigned)__builtin_ctz(*mask);

    *mask &= *mask - 1;
    return i;
}

/* v has work for its next entry. Cheap if that is us. */
void vgic_notify(struct vcpu *v);
/* State of something resident on, or active on, `v` changed in memory: it shall fold and refill.
 * Its lock or the distributor's is held. */
void vgic_request_fold(struct vcpu *v);
/* After any change to `mask` of a private bank, its vCPU's lock held, or of an SPI bank, the
 * distributor's lock held. */
void vgic_update_private(struct vcpu *v, uint32_t mask);
void vgic_update_spis(struct domain *d, unsigned word, uint32_t mask);
/* The same for one that only became pending: no list register has to be folded for that, usually. */
void vgic_added_private(struct vcpu *v, unsigned intid);
/* G4 for linked interrupts whose state a register write removed. `pintid`: of SPIs; NULL: private
 * ones of the vCPU loaded here. */
void vgic_settle(struct vgic_bank *b, const uint16_t *pintid);
/* Fold this CPU's list registers into `v`, which is loaded here; they are empty until the
 * vgic_flush() that this asks for. */
void vgic_sync(struct vcpu *v);

/* GICv2's software-generated interrupts and targets. */
void vgic_v2_send_sgi(struct vcpu *v, uint32_t value);

/* Is `v` the vCPU that this CPU runs? */
bool vgic_is_here(const struct vcpu *v);

#endif

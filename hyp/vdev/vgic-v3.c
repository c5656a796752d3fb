/*
 * GICv3 registers that GICv2 has not, or has otherwise: one security state
 * (GICD_CTLR.DS), affinity routing always on, no LPIs, no 1-of-N delivery.
 * Source: IHI 0069H 12.9 (GICD), 12.11 (GICR).
 */
#include <hyp/arch.h>

#include "vgic-internal.h"

enum {
    GICD_CTLR = 0x0000,
    GICD_TYPER = 0x0004,
    GICD_IIDR = 0x0008,
    GICD_IROUTER = 0x6000,
    GICD_IROUTER_END = 0x8000,
    GICR_CTLR = 0x0000,
    GICR_IIDR = 0x0004,
    GICR_TYPER = 0x0008,
    GICR_TYPER_HIGH = 0x000c,
    GICR_WAKER = 0x0014,
    SGI_FRAME = 0x10000,
    ID_REGISTERS = 0xffd0,

    CTLR_ARE = 1u << 4,
    CTLR_DS = 1u << 6,
    TYPER_NO_1_OF_N = 1u << 25,
    TYPER_ID_BITS_10 = 9u << 19,
    IIDR = 0x4200043b, /* Arm's code, product 0x42: none of Arm's, so that no erratum of theirs is
                          assumed */
    WAKER_SLEEP = 1u << 1,
    WAKER_CHILDREN = 1u << 2,
    REDIST_RWP = 1u << 3,
};

/* PIDR4..7, PIDR0..3, CIDR0..3 from 0xffd0: architecture revision 3 in PIDR2. */
static uint32_t id_register(uint32_t offset)
{
    static const uint8_t id[12] = {0x44, 0, 0, 0, 0x92, 0xb4, 0x3b, 0, 0x0d, 0xf0, 0x05, 0xb1};

    return id[(offset - ID_REGISTERS) / 4];
}

/* Affinity to vCPU number; nobody if there is none such: the interrupt stays pending, as in
 * hardware. */
static uint8_t route_target(const struct domain *d, uint32_t affinity)
{
    uint32_t id = (affinity & 0xff) + (affinity >> 8 & 0xff) * 16;

    return affinity <= 0xffff && (affinity & 0xff) < 16 && id < d->vcpu_count ? (uint8_t)id
                                                                              : VGIC_NOBODY;
}

/* Both halves, or one; Aff3 and Interrupt_Routing_Mode are RAZ/WI (TYPER.A3V, No1N). */
static void access_route(struct vcpu *v, struct mmio_access *a, uint32_t offset)
{
    struct domain *d = v->domain;
    unsigned intid = (offset - GICD_IROUTER) / 8, i = intid % 32, word = intid / 32 - 1;
    uint32_t valid = intid - VGIC_PRIVATE < d->vgic.nr_spis ? 0xffffff : 0;

    if (valid == 0 || offset % 8 != 0 || a->size < 4) {
        a->value = 0;
        return;
    }
    struct vgic_spi_bank *s = &d->vgic.spi[word];
    lock(&d->vgic.lock);
    if (a->write) {
        s->route[i] = (uint32_t)a->value & valid;
        s->target[i] = route_target(d, s->route[i]);
        vgic_update_spis(d, word, 1u << i);
    } else {
        a->value = s->route[i];
    }
    unlock(&d->vgic.lock);
}

static void dist_control(struct vcpu *v, struct mmio_access *a)
{
    if (a->write) {
        vgic_ctlr_write(v, (uint32_t)a->value & (DIST_GROUP0 | DIST_GROUP1));
    } else {
        a->value = vgic_ctlr_read(v->domain) | CTLR_ARE | CTLR_DS;
    }
}

static uint32_t dist_read_only(const struct vgic *g, uint32_t offset)
{
    if (offset == GICD_TYPER) {
        return TYPER_NO_1_OF_N | TYPER_ID_BITS_10 | g->bank_count;
    }
    if (offset == GICD_IIDR) {
        return IIDR;
    }
    return offset >= ID_REGISTERS ? id_register(offset) : 0;
}

enum vgic_outcome vgic_v3_dist(struct vcpu *v, struct mmio_access *a, uint32_t offset)
{
    if (offset >= 0x080 && offset < 0xd00) {
        return vgic_common(v, NULL, a, offset);
    }
    if (offset >= GICD_IROUTER && offset < GICD_IROUTER_END) {
        access_route(v, a, offset);
    } else if (a->size != 4) {
        a->value = 0;
    } else if (offset == GICD_CTLR) {
        dist_control(v, a);
    } else {
        a->value = dist_read_only(&v->domain->vgic, offset);
    }
    return VGIC_DONE;
}

static uint64_t redist_typer(const struct vcpu *t)
{
    uint64_t last = t->id == t->domain->vcpu_count - 1u;

    return (uint64_t)vgic_affinity(t->id) << 32 | (uint64_t)t->id << 8 | last << 4;
}

/* ProcessorSleep is kept and ChildrenAsleep follows at once; delivery goes on, as it may. */
static void access_waker(struct vcpu *t, struct mmio_access *a)
{
    if (a->write) {
        t->vgic.asleep = (a->value & WAKER_SLEEP) != 0;
    } else {
        a->value = t->vgic.asleep ? WAKER_SLEEP | WAKER_CHILDREN : 0;
    }
}

static uint64_t redist_read(const struct vcpu *t, uint32_t offset)
{
    uint64_t folding = __atomic_load_n(&t->domain->vgic.folding, __ATOMIC_ACQUIRE);

    switch (offset) {
    case GICR_CTLR:
        return (folding >> t->id & 1) != 0 ? REDIST_RWP : 0;
    case GICR_IIDR:
        return IIDR;
    case GICR_TYPER:
        return redist_typer(t);
    case GICR_TYPER_HIGH:
        return redist_typer(t) >> 32;
    default:
        return offset >= ID_REGISTERS ? id_register(offset) : 0;
    }
}

enum vgic_outcome vgic_v3_redist(struct vcpu *v, struct mmio_access *a, uint64_t offset)
{
    struct vcpu *t = v->domain->vcpu[offset / VGIC_REDIST_SIZE];
    uint32_t at = offset % VGIC_REDIST_SIZE;

    if (at >= SGI_FRAME + 0x080 && at < SGI_FRAME + 0xd00) {
        return vgic_common(v, t, a, at - SGI_FRAME);
    }
    if (a->size != 4 && !(a->size == 8 && at == GICR_TYPER)) {
        a->value = 0;
    } else if (at == GICR_WAKER) {
        access_waker(t, a);
    } else if (!a->write) {
        uint64_t value = at < SGI_FRAME ? redist_read(t, at) : 0;
        a->value = a->size == 4 ? (uint32_t)value : value;
    }
    return VGIC_DONE;
}

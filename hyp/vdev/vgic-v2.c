/*
 * GICv2 registers that GICv3 has not, or has otherwise. Without Security
 * Extensions and without groups, as a guest in Non-secure state sees a
 * GIC-400. An SGI is pending once per sending CPU (vgic_cpu.sgi_from).
 * Source: IHI 0048B.b 4.3.
 */
#include <hyp/arch.h>

#include "vgic-internal.h"

enum {
    GICD_CTLR = 0x000,
    GICD_TYPER = 0x004,
    GICD_IIDR = 0x008,
    GICD_ITARGETSR = 0x800,
    GICD_ICFGR = 0xc00,
    GICD_SGIR = 0xf00,
    GICD_CPENDSGIR = 0xf10,
    GICD_SPENDSGIR = 0xf20,
    GICD_SPENDSGIR_END = 0xf30,
    ID_REGISTERS = 0xfd0,

    IIDR = 0x4200043b, /* as vgic-v3.c */
};

/* PIDR4..7, PIDR0..3, CIDR0..3 from 0xfd0: architecture revision 2 in PIDR2. */
static uint32_t id_register(uint32_t offset)
{
    static const uint8_t id[12] = {0x04, 0, 0, 0, 0x90, 0xb4, 0x2b, 0, 0x0d, 0xf0, 0x05, 0xb1};

    return id[(offset - ID_REGISTERS) / 4];
}

static void target_write(struct domain *d, uint32_t spi, uint8_t mask)
{
    struct vgic_spi_bank *s = &d->vgic.spi[spi / 32];

    mask &= (uint8_t)((1u << d->vcpu_count) - 1);
    s->route[spi % 32] = mask;
    s->target[spi % 32] =
        mask != 0 ? (uint8_t)__builtin_ctz(mask) : VGIC_NOBODY; /* 1 of N: the first */
    vgic_update_spis(d, spi / 32, 1u << spi % 32);
}

/* Bytes or words. Private interrupts read as the reader's own bit. */
static void access_targets(struct vcpu *v, struct mmio_access *a, uint32_t offset)
{
    struct domain *d = v->domain;
    uint32_t first = offset - GICD_ITARGETSR, read = 0;

    if (a->size > 4) {
        a->value = 0;
        return;
    }
    lock(&d->vgic.lock);
    for (unsigned i = 0; i < a->size; i++) {
        uint32_t spi = first + i - VGIC_PRIVATE;
        if (first + i < VGIC_PRIVATE) {
            read |= 1u << v->id << i * 8;
        } else if (spi < d->vgic.nr_spis) {
            if (a->write) {
                target_write(d, spi, (uint8_t)(a->value >> i * 8));
            }
            read |= d->vgic.spi[spi / 32].route[spi % 32] << i * 8;
        }
    }
    unlock(&d->vgic.lock);
    if (!a->write) {
        a->value = read;
    }
}

/* GICD_CPENDSGIR and GICD_SPENDSGIR: one byte of senders per SGI, the accessing CPU's. Bytes or
 * words. */
static void access_sgi_pending(struct vcpu *v, struct mmio_access *a, uint32_t offset)
{
    struct vgic_cpu *c = &v->vgic;
    bool set = offset >= GICD_SPENDSGIR;
    unsigned first = offset % 16;
    uint32_t read = 0, changed = 0;

    if (a->size > 4) {
        a->value = 0;
        return;
    }
    if ((c->priv.resident & SGI_BITS) != 0) {
        vgic_sync(v);
    }
    lock(&c->lock);
    for (unsigned i = 0; i < a->size; i++) {
        uint8_t bits = (uint8_t)(a->value >> i * 8) & (uint8_t)((1u << v->domain->vcpu_count) - 1);
        uint8_t *from = &c->sgi_from[first + i];
        if (a->write) {
            *from = set ? *from | bits : *from & (uint8_t)~bits;
            changed |= 1u << (first + i);
            c->priv.latch =
                (c->priv.latch & ~(1u << (first + i))) | (*from != 0 ? 1u << (first + i) : 0);
        }
        read |= (uint32_t)*from << i * 8;
    }
    vgic_update_private(v, changed);
    unlock(&c->lock);
    if (!a->write) {
        a->value = read;
    }
}

static void access_control(struct vcpu *v, struct mmio_access *a, uint32_t offset)
{
    const struct domain *d = v->domain;

    if (a->write && offset == GICD_CTLR) {
        vgic_ctlr_write(v, (uint32_t)a->value & DIST_GROUP0);
    } else if (a->write && offset == GICD_SGIR) {
        vgic_v2_send_sgi(v, (uint32_t)a->value);
    } else if (offset == GICD_CTLR) {
        a->value = vgic_ctlr_read(v->domain) & DIST_GROUP0;
    } else if (offset == GICD_TYPER) {
        a->value = d->vgic.bank_count | (d->vcpu_count - 1u) << 5;
    } else if (offset == GICD_IIDR) {
        a->value = IIDR;
    } else {
        a->value = offset >= ID_REGISTERS ? id_register(offset) : 0;
    }
}

enum vgic_outcome vgic_v2_dist(struct vcpu *v, struct mmio_access *a, uint32_t offset)
{
    if (offset >= GICD_ITARGETSR && offset < GICD_ICFGR) {
        access_targets(v, a, offset);
        return VGIC_DONE;
    }
    if (offset >= 0x080 && offset < 0xd00) {
        return vgic_common(v, v, a, offset);
    }
    if (offset >= GICD_CPENDSGIR && offset < GICD_SPENDSGIR_END) {
        access_sgi_pending(v, a, offset);
    } else if (a->size != 4) {
        a->value = 0;
    } else {
        access_control(v, a, offset);
    }
    return VGIC_DONE;
}

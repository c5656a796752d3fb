/*
 * Where virtual interrupts come from: inputs of devices and of the hypervisor,
 * and software-generated ones. All end in bits of a bank under its lock.
 */
#include <hyp/arch.h>
#include <hyp/assert.h>
#include <xen/errno.h>

#include "vgic-internal.h"

static struct vgic_spi_bank *spi_bank(struct domain *d, uint32_t intid)
{
    uint32_t spi = intid - VGIC_PRIVATE; /* wraps for private ones, which are not SPIs */

    return spi < d->vgic.nr_spis ? &d->vgic.spi[spi / 32] : NULL;
}

void vgic_inject(struct vcpu *v, uint32_t intid)
{
    struct domain *d = v->domain;
    uint32_t bit = 1u << intid % 32;

    if (intid < VGIC_PRIVATE) {
        lock(&v->vgic.lock);
        v->vgic.priv.latch |= bit;
        vgic_added_private(v, intid);
        unlock(&v->vgic.lock);
        return;
    }
    struct vgic_spi_bank *s = spi_bank(d, intid);
    if (s) {
        lock(&d->vgic.lock);
        s->bank.latch |= bit;
        s->bank.phys |= s->bank.hw & bit;
        vgic_update_spis(d, intid / 32 - 1, bit);
        unlock(&d->vgic.lock);
    }
}

void vgic_set_level(struct vcpu *v, uint32_t intid, bool high)
{
    struct domain *d = v->domain;
    struct vgic_spi_bank *s = spi_bank(d, intid);
    uint32_t bit = 1u << intid % 32;

    if (intid < VGIC_PRIVATE) {
        lock(&v->vgic.lock);
        if (vgic_line_set(&v->vgic.priv, bit, high)) {
            vgic_update_private(v, bit);
        }
        unlock(&v->vgic.lock);
    } else if (s) {
        lock(&d->vgic.lock);
        if (vgic_line_set(&s->bank, bit, high)) {
            vgic_update_spis(d, intid / 32 - 1, bit);
        }
        unlock(&d->vgic.lock);
    }
}

uint8_t vgic_spi_target(struct domain *d, uint32_t intid)
{
    struct vgic_spi_bank *s = spi_bank(d, intid);

    return s ? s->target[intid % 32] : VGIC_NOBODY;
}

int vgic_link_spi(struct domain *d, uint32_t intid, uint16_t physical)
{
    struct vgic_spi_bank *s = spi_bank(d, intid);

    if (!s) {
        return -XEN_EINVAL;
    }
    lock(&d->vgic.lock);
    s->bank.hw |= 1u << intid % 32;
    s->pintid[intid % 32] = physical;
    unlock(&d->vgic.lock);
    return 0;
}

void vgic_unlink_spi(struct domain *d, uint32_t intid)
{
    struct vgic_spi_bank *s = spi_bank(d, intid);
    uint32_t bit = 1u << intid % 32;

    if (!s) {
        return;
    }
    lock(&d->vgic.lock);
    ASSERT((s->bank.resident & bit) == 0);
    s->bank.latch &= ~(s->bank.phys & bit);
    s->bank.active &= ~(s->bank.phys & bit);
    vgic_settle(&s->bank, s->pintid);
    s->bank.hw &= ~bit;
    unlock(&d->vgic.lock);
}

/* IHI 0069H 12.11.19: with one security state, Group 1 registers reach both groups, others only
 * group 0. */
static __attribute__((noinline)) void sgi_send(struct vcpu *t, unsigned sgi, bool group1)
{
    uint32_t bit = 1u << sgi;
    struct vgic_cpu *c = &t->vgic;

    lock(&c->lock);
    if (group1 || (c->priv.group & bit) == 0) {
        c->priv.latch |= bit;
        vgic_added_private(t, sgi);
    }
    unlock(&c->lock);
}

/* Aff3 and Aff2 are zero and Aff0 is below 16 (vgic_affinity), so RS is zero, too. IRM has the others ignored. */
#define SGI_NOBODY (0xffull << 48 | 15ull << 44 | 0xffull << 32)
#define SGI_IRM (1ull << 40)

/* To all but the sender, or to some of a cluster. */
static void sgi_send_many(struct vcpu *v, uint64_t value, bool group1)
{
    struct domain *d = v->domain;
    uint64_t all = ~0ull >> (64 - d->vcpu_count), first = (value >> 16 & 0xff) * 16;
    uint64_t targets = (value & SGI_IRM) != 0 ? all & ~(1ull << v->id)
                       : first < 64           ? (value & 0xffff) << first & all
                                              : 0;

    for (; targets != 0; targets &= targets - 1) {
        sgi_send(d->vcpu[__builtin_ctzll(targets)], value >> 24 & 15, group1);
    }
}

void vgic_send_sgi(struct vcpu *v, enum vgic_sgi_reg reg, uint64_t value)
{
    const struct domain *d = v->domain;
    uint32_t list = value & 0xffff;

    if (unlikely(d->vgic.version != 3)) {
        return;
    }
    if (unlikely((value & SGI_IRM) != 0 || (list & (list - 1)) != 0)) {
        if ((value & SGI_IRM) != 0 || (value & SGI_NOBODY) == 0) {
            sgi_send_many(v, value, reg == VGIC_SGI1R);
        }
        return;
    }
    if (list != 0 && (value & SGI_NOBODY) == 0) { /* one target: most are */
        uint32_t id = (uint32_t)(value >> 16 & 0xff) * 16 + (uint32_t)__builtin_ctz(list);
        if (id < d->vcpu_count) {
            sgi_send(d->vcpu[id], value >> 24 & 15, reg == VGIC_SGI1R);
        }
    }
}

static void v2_sgi_send(struct vcpu *from, struct vcpu *t, unsigned sgi)
{
    struct vgic_cpu *c = &t->vgic;

    lock(&c->lock);
    c->sgi_from[sgi] |= (uint8_t)(1u << from->id);
    c->priv.latch |= 1u << sgi;
    vgic_added_private(t, sgi);
    unlock(&c->lock);
}

/* GICD_SGIR, IHI 0048B.b 4.3.15. */
void vgic_v2_send_sgi(struct vcpu *v, uint32_t value)
{
    struct domain *d = v->domain;
    uint32_t all = (1u << d->vcpu_count) - 1, self = 1u << v->id, filter = value >> 24 & 3;
    uint32_t targets = filter == 0   ? value >> 16 & all
                       : filter == 1 ? all & ~self
                       : filter == 2 ? self
                                     : 0; /* reserved */

    while (targets != 0) {
        v2_sgi_send(v, d->vcpu[bit_take(&targets)], value & 15);
    }
}

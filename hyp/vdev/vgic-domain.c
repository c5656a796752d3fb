/* Virtual interrupt controllers come into being, are reset and go. */
#include <hyp/arch.h>
#include <hyp/frame.h>
#include <lib/string.h>
#include <xen/errno.h>

#include "vgic-internal.h"

enum { V2_DIST_SIZE = 0x1000, V3_DIST_SIZE = 0x10000, V2_VCPUS_MAX = 8 };

static unsigned spi_order(unsigned bank_count)
{
    return frame_order(bank_count * sizeof(struct vgic_spi_bank));
}

/*
 * State at power-on. Group 1 in a GICv3, as firmware leaves it; GICv2 guests have no groups. SPIs
 * go to vCPU 0, which is what their registers' reset value says (v3) or what one CPU would read
 * (v2).
 */
static void bank_reset(struct vgic_bank *b, unsigned version)
{
    uint32_t valid = b->valid, hw = b->hw;

    memset(b, 0, sizeof(*b));
    b->valid = valid;
    b->hw = hw;
    b->group = version == 3 ? valid : 0;
}

static void vcpu_reset(struct vcpu *v)
{
    struct vgic_cpu *c = &v->vgic;

    c->spi_words = 0;
    c->refold = 0;
    c->overflow = 0;
    c->asleep = v->domain->vgic.version == 3;
    c->wait_at = 0;
    memset(c->sgi_from, 0, sizeof(c->sgi_from));
    memset(&c->vif, 0, sizeof(c->vif));
    c->priv.valid = ~0u;
    c->priv.hw = VTIMER_BIT | PMU_BIT;
    bank_reset(&c->priv, v->domain->vgic.version);
    c->priv.edge = SGI_BITS;
    c->priv.enabled = v->domain->vgic.version == 2 ? SGI_BITS : 0; /* as a GIC-400 has it */
}

static void spis_reset(struct vgic *g)
{
    for (unsigned w = 0; w < g->bank_count; w++) {
        struct vgic_spi_bank *s = &g->spi[w];
        uint32_t left = g->nr_spis - w * 32;
        s->bank.valid = left >= 32 ? ~0u : (1u << left) - 1;
        bank_reset(&s->bank, g->version);
        for (unsigned i = 0; i < 32; i++) {
            s->route[i] = g->version == 2 ? 1 : 0;
            s->target[i] = 0;
            s->holder[i] = 0;
        }
    }
}

int vgic_domain_init(struct domain *d, const struct vgic_config *c)
{
    struct vgic *g = &d->vgic;

    if ((c->version != 2 && c->version != 3) || c->nr_spis > VGIC_SPI_MAX ||
        (c->version == 2 && d->vcpu_max > V2_VCPUS_MAX)) {
        return -XEN_EINVAL;
    }
    unsigned banks = (c->nr_spis + 31) / 32;
    struct vgic_spi_bank *spi = banks == 0 ? NULL : frame_alloc_hyp(d, spi_order(banks));
    if (banks != 0 && !spi) {
        return -XEN_ENOMEM;
    }
    *g = (struct vgic){
        .lock = LOCK_INIT(RANK_VGIC_DIST),
        .version = (uint8_t)c->version,
        .bank_count = (uint8_t)banks,
        .nr_spis = (uint16_t)c->nr_spis,
        .dist_base = c->dist,
        .redist_base = c->redist,
        .cpu_base = c->cpu,
        .dist_size = c->version == 3 ? V3_DIST_SIZE : V2_DIST_SIZE,
        .spi = spi,
    };
    for (unsigned i = 0; i < d->vcpu_count; i++) {
        vgic_vcpu_init(d->vcpu[i]);
    }
    spis_reset(g);
    return 0;
}

void vgic_vcpu_init(struct vcpu *v)
{
    memset(&v->vgic, 0, sizeof(v->vgic));
    lock_init(&v->vgic.lock, RANK_VGIC_CPU);
    vcpu_reset(v);
}

void vgic_domain_reset(struct domain *d)
{
    struct vgic *g = &d->vgic;

    lock(&g->lock);
    for (unsigned w = 0; w < g->bank_count; w++) {
        g->spi[w].bank.latch = g->spi[w].bank.active = 0;
        vgic_settle_spis(d, w);
    }
    spis_reset(g);
    g->ctlr = 0;
    g->folding = 0;
    unlock(&g->lock);
    for (unsigned i = 0; i < d->vcpu_count; i++) {
        vcpu_reset(d->vcpu[i]);
    }
}

void vgic_domain_destroy(struct domain *d)
{
    struct vgic *g = &d->vgic;

    if (g->spi) {
        frame_free_hyp(d, g->spi, spi_order(g->bank_count));
        g->spi = NULL;
    }
    g->bank_count = 0;
    g->nr_spis = 0;
}

void vgic_vcpu_reset(struct vcpu *v)
{
    struct vgic *g = &v->domain->vgic;
    uint32_t words = 0;

    lock(&g->lock);
    lock(&v->vgic.lock);
    vcpu_reset(v);
    for (unsigned w = 0; w < g->bank_count;
         w++) { /* what waits for it, or is active on it, is not lost */
        struct vgic_bank *b = &g->spi[w].bank;
        words |= (bank_pending(b) | bank_active(b)) != 0 ? 1u << w : 0;
    }
    v->vgic.spi_words = words;
    unlock(&v->vgic.lock);
    unlock(&g->lock);
}

bool vgic_info(struct vcpu *v, uint32_t intid, struct vgic_info *out)
{
    struct vgic *g = &v->domain->vgic;
    unsigned i = intid % 32, word = intid / 32 - 1;

    if (intid >= VGIC_PRIVATE && intid - VGIC_PRIVATE >= g->nr_spis) {
        return false;
    }
    const struct vgic_bank *b = intid < VGIC_PRIVATE ? &v->vgic.priv : &g->spi[word].bank;
    *out = (struct vgic_info){
        .enabled = b->enabled >> i & 1,
        .pending = bank_pending(b) >> i & 1,
        .active = bank_active(b) >> i & 1,
        .edge = b->edge >> i & 1,
        .group1 = b->group >> i & 1,
        .hw = b->hw >> i & 1,
        .priority = b->priority[i],
        .target = intid < VGIC_PRIVATE ? (uint8_t)v->id : g->spi[word].target[i],
    };
    return true;
}

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
 * State at power-on. Group 1 in a GICv3, as firmware leaves it; GICv2 guests have no groups, and SGIs
 * enabled as a GIC-400 has them. SPIs go to vCPU 0, which is what their registers' reset value says
 * (v3) or what one CPU would read (v2).
 */
static void vcpu_reset(struct vcpu *v)
{
    struct vgic_cpu *c = &v->vgic;
    bool v3 = v->domain->vgic.version == 3;

    c->spi_words = 0;
    c->refold = 0;
    c->overflow = 0;
    c->asleep = v3;
    c->wait_at = 0;
    memset(c->sgi_from, 0, sizeof(c->sgi_from));
    memset(&c->vif, 0, sizeof(c->vif));
    c->priv = (struct vgic_bank){.valid = ~0u,
                                 .hw = VTIMER_BIT | PMU_BIT,
                                 .edge = SGI_BITS,
                                 .group = v3 ? ~0u : 0,
                                 .enabled = v3 ? 0 : SGI_BITS};
}

static void spis_reset(struct vgic *g)
{
    for (unsigned w = 0; w < g->bank_count; w++) {
        struct vgic_spi_bank *s = &g->spi[w];
        uint32_t left = g->nr_spis - w * 32, valid = left >= 32 ? ~0u : (1u << left) - 1;
        s->bank = (struct vgic_bank){
            .valid = valid, .hw = s->bank.hw, .group = g->version == 3 ? valid : 0};
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
    lock_init(&v->vgic.lock, RANK_VGIC_CPU);
    vcpu_reset(v);
}

void vgic_domain_reset(struct domain *d)
{
    struct vgic *g = &d->vgic;

    lock(&g->lock);
    for (unsigned w = 0; w < g->bank_count; w++) {
        g->spi[w].bank.latch = g->spi[w].bank.active = 0;
        vgic_settle(&g->spi[w].bank, g->spi[w].pintid);
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

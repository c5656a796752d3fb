/*
 * The host's interrupt controller: which one it is, and who drives it.
 *
 * The choice is one predictable branch per call rather than a table of
 * pointers: there are two, and the hot calls are an instruction or two long.
 */
#include "gic-internal.h"

#include <hyp/cpu.h>
#include <hyp/log.h>
#include <hyp/tree.h>
#include <hyp/vgic.h>
#include <xen/errno.h>

struct gic_host gic_host;

#define IS_V3 likely(gic_host.version == 3)

static int region_read(const struct tree *t, tree_node n, unsigned index, uint64_t least_bytes,
                       struct gic_region *out)
{
    int error = tree_reg(t, n, index, &out->base, &out->size);

    if (error || out->size < least_bytes) {
        log_warn("The interrupt controller in the board's tree has no usable `reg` entry %u.",
                 index);
        return -XEN_ENODEV;
    }
    return 0;
}

/* Binding arm,gic-v3: GICD, then GICR regions, then the optional legacy GICC, GICH and GICV. */
static __init int probe_v3(const struct tree *t, tree_node n)
{
    struct tree_value stride = tree_get(t, n, "redistributor-stride");

    gic_host.redist_stride = 0;
    (void)!tree_u64(stride, &gic_host.redist_stride);
    if (gic_host.redist_stride % VGIC_REDIST_SIZE != 0) {
        gic_host.redist_stride = 0;
    }
    gic_host.redist_count = tree_number(t, n, "#redistributor-regions", 1);
    if (gic_host.redist_count == 0 || gic_host.redist_count > GIC_REDIST_REGIONS) {
        log_warn("The interrupt controller has %u redistributor regions; 1 to %u can be driven.",
                 gic_host.redist_count, (unsigned)GIC_REDIST_REGIONS);
        return -XEN_ENODEV;
    }
    int error = region_read(t, n, 0, 0x10000, &gic_host.dist);
    for (unsigned i = 0; !error && i < gic_host.redist_count; i++) {
        error = region_read(t, n, 1 + i, VGIC_REDIST_SIZE, &gic_host.redist[i]);
    }
    gic_host.version = 3;
    return error;
}

/* Binding arm,gic: GICD, GICC, GICH, GICV. */
static __init int probe_v2(const struct tree *t, tree_node n)
{
    struct gic_region *part[] = {&gic_host.dist, &gic_host.cpu, &gic_host.vctrl, &gic_host.vcpu};
    static const uint32_t least[] = {0x1000, 0x2000, 0x200, 0x2000};
    int error = 0;

    for (unsigned i = 0; !error && i < ARRAY_LEN(part); i++) {
        error = region_read(t, n, i, least[i], part[i]);
    }
    gic_host.version = 2;
    return error;
}

static const struct {
    const char *compatible;
    int (*probe)(const struct tree *t, tree_node n);
} known[] = {
    {"arm,gic-v3", probe_v3},
    {"arm,gic-400", probe_v2},
    {"arm,cortex-a15-gic", probe_v2},
    {"arm,cortex-a7-gic", probe_v2},
};

__init int gic_probe(const struct tree *t)
{
    for (unsigned i = 0; i < ARRAY_LEN(known); i++) {
        tree_node n = tree_compatible(t, tree_root(t), known[i].compatible);
        if (!n.at) {
            continue;
        }
        bool edge;
        if (tree_irq(t, n, 0, &gic_host.maintenance_intid, &edge) != 0 ||
            gic_host.maintenance_intid >= GIC_SPI_FIRST) {
            gic_host.maintenance_intid = GIC_PPI_MAINTENANCE;
        }
        return known[i].probe(t, n);
    }
    log_warn("The board's tree has no GICv3 or GICv2 interrupt controller.");
    return -XEN_ENODEV;
}

void gic_bank_reset(volatile char *bank, unsigned first_intid)
{
    unsigned word = first_intid / 32 * 4;

    arch_mmio_write32(bank + GICD_ICENABLER + word, ~0u);
    arch_mmio_write32(bank + GICD_ICPENDR + word, ~0u);
    arch_mmio_write32(bank + GICD_ICACTIVER + word, ~0u);
    /*
     * Ignored in the Non-secure view, where bit 0 of the control registers enables group 1. A GICv2
     * without the Security Extensions has both groups, and there the same bit enables group 0.
     */
    arch_mmio_write32(bank + GICD_IGROUPR + word, IS_V3 ? ~0u : 0);
    for (unsigned i = 0; i < 32; i += 4) {
        arch_mmio_write32(bank + GICD_IPRIORITYR + first_intid + i, GIC_PRIORITY_ALL);
    }
}

__init void gic_init(void)
{
    if (IS_V3) {
        gicv3_init();
    } else {
        gicv2_init();
    }
    log_line("Interrupt controller: GICv%u with %u interrupts.", gic_host.version,
             gic_host.intid_count);
}

int gic_init_cpu(struct cpu *c)
{
    int error = IS_V3 ? gicv3_init_cpu(c) : gicv2_init_cpu(c);

    if (!error) {
        gic_set_enabled(GIC_SGI_IPI, true);
        gic_set_enabled(GIC_SGI_STOP, true);
        gic_set_enabled(gic_host.maintenance_intid, true);
        gic_set_enabled(GIC_PPI_HYP_TIMER, true);
        gic_set_enabled(GIC_PPI_VIRT_TIMER, true);
        gic_set_enabled(GIC_PPI_PMU, true);
    }
    return error;
}

uint32_t gic_ack(void)
{
    return IS_V3 ? gicv3_ack() : gicv2_ack();
}

void gic_eoi(uint32_t intid)
{
    if (IS_V3) {
        gicv3_eoi(intid);
    } else {
        gicv2_eoi(intid);
    }
}

void gic_end(uint32_t intid)
{
    if (IS_V3) {
        gicv3_eoi(intid);
        gicv3_deactivate(intid);
    } else {
        gicv2_eoi(intid);
        gicv2_deactivate(intid);
    }
}

void gic_deactivate(uint32_t intid)
{
    if (IS_V3) {
        gicv3_deactivate(intid);
    } else {
        gicv2_deactivate(intid);
    }
}

void gic_set_enabled(uint32_t intid, bool enabled)
{
    if (IS_V3) {
        gicv3_set_enabled(intid, enabled);
    } else {
        gicv2_set_enabled(intid, enabled);
    }
}

void gic_set_config(uint32_t intid, bool edge, struct cpu *target)
{
    if (IS_V3) {
        gicv3_set_config(intid, edge);
    } else {
        gicv2_set_config(intid, edge);
    }
    if (intid >= GIC_SPI_FIRST) {
        gic_set_target(intid, target);
    }
}

void gic_set_target(uint32_t spi, struct cpu *target)
{
    if (IS_V3) {
        gicv3_set_target(spi, target);
    } else {
        gicv2_set_target(spi, target);
    }
}

void gic_broadcast_stop(void)
{
    if (IS_V3) {
        gicv3_broadcast_stop();
    } else {
        gicv2_broadcast_stop();
    }
}

/* The hypervisor's contract for pure code (hyp/arch.h) is the same driver under other names. */

unsigned arch_lr_count(void)
{
    return IS_V3 ? gicv3_lr_count() : gicv2_lr_count();
}

uint64_t arch_lr_read(unsigned n)
{
    return IS_V3 ? gicv3_lr_read(n) : gicv2_lr_read(n);
}

void arch_lr_write(unsigned n, uint64_t lr)
{
    if (IS_V3) {
        gicv3_lr_write(n, lr);
    } else {
        gicv2_lr_write(n, lr);
    }
}

uint64_t arch_lr_empty_mask(void)
{
    return IS_V3 ? gicv3_lr_empty_mask() : gicv2_lr_empty_mask();
}

void arch_ich_hcr_write(uint64_t hcr)
{
    if (IS_V3) {
        gicv3_hcr_write(hcr);
    } else {
        gicv2_hcr_write(hcr);
    }
}

uint64_t arch_ich_hcr_read(void)
{
    return IS_V3 ? gicv3_hcr_read() : gicv2_hcr_read();
}

uint64_t arch_ich_misr_read(void)
{
    return IS_V3 ? gicv3_misr_read() : gicv2_misr_read();
}

void arch_vif_save(struct vgic_vif *to)
{
    if (IS_V3) {
        gicv3_vif_save(to);
    } else {
        gicv2_vif_save(to);
    }
}

void arch_vif_load(const struct vgic_vif *from)
{
    if (IS_V3) {
        gicv3_vif_load(from);
    } else {
        gicv2_vif_load(from);
    }
}

unsigned arch_vif_running_priority(void)
{
    return IS_V3 ? gicv3_running_priority() : gicv2_running_priority();
}

void arch_irq_set_active(uint32_t intid, bool active)
{
    if (IS_V3) {
        gicv3_set_active(intid, active);
    } else {
        gicv2_set_active(intid, active);
    }
}

void arch_cpu_kick(struct cpu *c)
{
    if (IS_V3) {
        gicv3_send_ipi(c);
    } else {
        gicv2_send_ipi(c);
    }
}

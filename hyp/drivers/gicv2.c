/*
 * GICv2 with virtualisation extensions (GIC-400); see hyp/gic.h.
 *
 * The guest's CPU interface is the board's GICV page, mapped into its stage 2;
 * list registers are 32 bits wide in GICH and are converted from and to the
 * GICv3 encoding here, so that nothing above knows the difference.
 *
 * V2-1  an SGI must be ended with the sender's number that came with its
 *       acknowledgement: sgi_sender[] keeps it per CPU and SGI until then.
 *
 * Source: IHI 0048B.b; GICC 4.4, GICH 5.3.
 */
#include "gic-internal.h"

#include <hyp/assert.h>
#include <hyp/cpu.h>
#include <hyp/vgic.h>
#include <xen/errno.h>

enum {
    GICC_CTLR = 0x00,
    GICC_PMR = 0x04,
    GICC_BPR = 0x08,
    GICC_IAR = 0x0c,
    GICC_EOIR = 0x10,
    GICC_DIR = 0x1000,
    GICC_CTLR_ENABLE = 1u << 0,
    GICC_CTLR_EOIMODE_NS = 1u << 9,
    GICH_HCR = 0x00,
    GICH_VTR = 0x04,
    GICH_VMCR = 0x08,
    GICH_MISR = 0x10,
    GICH_ELRSR0 = 0x30,
    GICH_ELRSR1 = 0x34,
    GICH_APR = 0xf0,
    GICH_LR0 = 0x100,
};

static volatile char *dist, *gicc, *gich;
static unsigned lr_count;     /* [const] after boot */
#define CPUS 8                /* IHI 0048B.b 1.1: a GICv2 has no more interfaces */
static uint8_t cpu_bit[CPUS]; /* this CPU's bit in GICD_ITARGETSR: not always 1 << id */
static uint8_t sgi_sender[CPUS][GIC_SGI_COUNT]; /* V2-1 */

__init void gicv2_init(void)
{
    dist = arch_map_mmio(gic_host.dist.base, gic_host.dist.size);
    gicc = arch_map_mmio(gic_host.cpu.base, gic_host.cpu.size);
    gich = arch_map_mmio(gic_host.vctrl.base, gic_host.vctrl.size);
    CHECK(dist && gicc && gich);
    arch_mmio_write32(dist + GICD_CTLR, 0);
    uint32_t lines = (arch_mmio_read32(dist + GICD_TYPER) & 31) + 1;
    gic_host.intid_count = lines == 32 ? GIC_INTID_MAX : lines * 32;
    for (uint32_t intid = GIC_SPI_FIRST; intid < gic_host.intid_count; intid += 32) {
        gic_bank_reset(dist, intid);
    }
    arch_mmio_write32(dist + GICD_CTLR, 1);
}

int gicv2_init_cpu(struct cpu *c)
{
    if (c->id >= CPUS) {
        return -XEN_ENODEV;
    }
    uint32_t targets =
        arch_mmio_read32(dist + GICD_ITARGETSR); /* banked: reads as this CPU's own bit */

    targets |= targets >> 16;
    cpu_bit[c->id] = (uint8_t)(targets | targets >> 8);
    if (cpu_bit[c->id] == 0) {
        cpu_bit[c->id] = 1; /* uniprocessor implementations read zero */
    }
    gic_bank_reset(dist, 0);
    lr_count = (arch_mmio_read32(gich + GICH_VTR) & 63) + 1;
    if (lr_count > VGIC_LR_MAX) {
        lr_count = VGIC_LR_MAX;
    }
    arch_mmio_write32(gich + GICH_HCR, 0);
    for (unsigned n = 0; n < lr_count; n++) {
        arch_mmio_write32(gich + GICH_LR0 + 4 * n, 0);
    }
    gicv2_vif_load(&(struct vgic_vif){0});
    arch_mmio_write32(gicc + GICC_PMR, 0xff);
    arch_mmio_write32(gicc + GICC_BPR, 0);
    arch_mmio_write32(gicc + GICC_CTLR, GICC_CTLR_ENABLE | GICC_CTLR_EOIMODE_NS);
    return 0;
}

uint32_t gicv2_ack(void)
{
    uint32_t iar = arch_mmio_read32(gicc + GICC_IAR), intid = iar & 0x3ff;

    if (intid < GIC_SGI_COUNT) {
        sgi_sender[this_cpu()->id][intid] = (uint8_t)(iar >> 10 & 7);
    }
    return intid;
}

static uint32_t with_sender(uint32_t intid)
{
    return intid < GIC_SGI_COUNT ? intid | (uint32_t)sgi_sender[this_cpu()->id][intid] << 10
                                 : intid;
}

void gicv2_eoi(uint32_t intid)
{
    arch_mmio_write32(gicc + GICC_EOIR, with_sender(intid));
}

void gicv2_deactivate(uint32_t intid)
{
    arch_mmio_write32(gicc + GICC_DIR, with_sender(intid));
}

void gicv2_set_enabled(uint32_t intid, bool enabled)
{
    gic_bit_write(dist, enabled ? GICD_ISENABLER : GICD_ICENABLER, intid);
}

void gicv2_set_active(uint32_t intid, bool active)
{
    gic_bit_write(dist, active ? GICD_ISACTIVER : GICD_ICACTIVER, intid);
}

void gicv2_set_config(uint32_t intid, bool edge)
{
    gic_config_write(dist, intid, edge);
}

void gicv2_set_target(uint32_t spi, struct cpu *target)
{
    arch_mmio_write8(dist + GICD_ITARGETSR + spi, cpu_bit[target->id]);
}

void gicv2_send_ipi(struct cpu *target)
{
    arch_wmb(); /* our stores, before the interrupt that announces them */
    arch_mmio_write32(dist + GICD_SGIR, (uint32_t)cpu_bit[target->id] << 16 | GIC_SGI_IPI);
}

void gicv2_broadcast_stop(void)
{
    arch_wmb();
    arch_mmio_write32(dist + GICD_SGIR, 1u << 24 | GIC_SGI_STOP); /* all but this one */
}

unsigned gicv2_lr_count(void)
{
    return lr_count;
}

/*
 *             GICH_LR<n>                 ICH_LR<n>_EL2
 *   virtual   9:0 (SGI sender 12:10)     31:0
 *   physical  19:10, if HW               44:32
 *   EOI       19, if not HW              41
 *   priority  27:23 (upper 5 bits)       55:48
 *   group     30                         60
 *   HW        31                         61
 *   state     29:28                      63:62
 */
#define ICH_LR_EOI (1ull << 41)
#define ICH_LR_GROUP1 (1ull << 60)
#define ICH_LR_HW (1ull << 61)

static uint64_t lr_from_v2(uint32_t v2)
{
    uint64_t lr = (uint64_t)(v2 >> 23 & 31) << 51 | (uint64_t)(v2 >> 28 & 3) << 62 |
                  (uint64_t)(v2 >> 30 & 1) << 60;

    if (v2 >> 31 != 0) {
        return lr | ICH_LR_HW | (v2 & 0x3ff) | (uint64_t)(v2 >> 10 & 0x3ff) << 32;
    }
    return lr | (v2 & 0x1fff) | ((v2 >> 19 & 1) != 0 ? ICH_LR_EOI : 0);
}

static uint32_t lr_to_v2(uint64_t lr)
{
    uint32_t v2 = (uint32_t)(lr >> 51 & 31) << 23 | (uint32_t)(lr >> 62 & 3) << 28 |
                  (uint32_t)(lr >> 60 & 1) << 30;

    if ((lr & ICH_LR_HW) != 0) {
        return v2 | 1u << 31 | (uint32_t)(lr & 0x3ff) | (uint32_t)(lr >> 32 & 0x3ff) << 10;
    }
    return v2 | (uint32_t)(lr & 0x1fff) | ((lr & ICH_LR_EOI) != 0 ? 1u << 19 : 0);
}

uint64_t gicv2_lr_read(unsigned n)
{
    return lr_from_v2(arch_mmio_read32(gich + GICH_LR0 + 4 * n));
}

void gicv2_lr_write(unsigned n, uint64_t lr)
{
    arch_mmio_write32(gich + GICH_LR0 + 4 * n, lr_to_v2(lr));
}

uint64_t gicv2_lr_empty_mask(void)
{
    return arch_mmio_read32(gich + GICH_ELRSR0) & 0xffff; /* VGIC_LR_MAX are used at most */
}

/* GICH_HCR, GICH_MISR and GICH_VMCR have the layout of their ICH_ successors' lower halves. */
void gicv2_hcr_write(uint64_t hcr)
{
    arch_mmio_write32(gich + GICH_HCR, (uint32_t)hcr);
}

uint64_t gicv2_hcr_read(void)
{
    return arch_mmio_read32(gich + GICH_HCR);
}

uint64_t gicv2_misr_read(void)
{
    return arch_mmio_read32(gich + GICH_MISR);
}

/* One register of active priorities for both groups. */
void gicv2_vif_save(struct vgic_vif *to)
{
    to->vmcr = arch_mmio_read32(gich + GICH_VMCR);
    to->ap0[0] = arch_mmio_read32(gich + GICH_APR);
}

void gicv2_vif_load(const struct vgic_vif *from)
{
    arch_mmio_write32(gich + GICH_VMCR, from->vmcr);
    arch_mmio_write32(gich + GICH_APR, from->ap0[0]);
}

/* 32 preemption levels, the most urgent in bit 0. */
unsigned gicv2_running_priority(void)
{
    uint32_t active = arch_mmio_read32(gich + GICH_APR);

    return active != 0 ? (unsigned)__builtin_ctz(active) * 8 : 0x100;
}

/* What gic.c and the two drivers share. Offsets that GICv2 and GICv3 distributors have in common.
 */
#ifndef HYP_DRIVERS_GIC_INTERNAL_H
#define HYP_DRIVERS_GIC_INTERNAL_H

#include <hyp/arch.h>
#include <hyp/gic.h>

struct vgic_vif;

/* Distributor, and the SGI frame of a GICv3 redistributor (IHI 0069H 12.9, IHI 0048B.b 4.3). */
enum {
    GICD_CTLR = 0x000,
    GICD_TYPER = 0x004,
    GICD_IGROUPR = 0x080,
    GICD_ISENABLER = 0x100,
    GICD_ICENABLER = 0x180,
    GICD_ICPENDR = 0x280,
    GICD_ISACTIVER = 0x300,
    GICD_ICACTIVER = 0x380,
    GICD_IPRIORITYR = 0x400,
    GICD_ITARGETSR = 0x800, /* v2 */
    GICD_ICFGR = 0xc00,
    GICD_SGIR = 0xf00,     /* v2 */
    GICD_IROUTER = 0x6000, /* v3 */
};

/* All of ours have one priority: nothing at EL2 preempts anything. It is valid in every security
 * view. */
#define GIC_PRIORITY_ALL 0xa0a0a0a0u

static inline void gic_bit_write(volatile char *bank, unsigned reg, uint32_t intid)
{
    arch_mmio_write32(bank + reg + intid / 32 * 4, 1u << intid % 32);
}

/* Two bits per interrupt; the upper one says edge. The interrupt is disabled; a pending edge of before is dropped. */
static inline void gic_config_write(volatile char *bank, uint32_t intid, bool edge)
{
    volatile char *at = bank + GICD_ICFGR + intid / 16 * 4;
    uint32_t bit = 2u << intid % 16 * 2, old = arch_mmio_read32(at);

    arch_mmio_write32(at, edge ? old | bit : old & ~bit);
    gic_bit_write(bank, GICD_ICPENDR, intid);
}

/* 32 interrupts to a known state: disabled, not pending, not active, group 1, our priority. */
void gic_bank_reset(volatile char *bank, unsigned first_intid);

void gicv3_init(void);
must_check int gicv3_init_cpu(struct cpu *c);
uint32_t gicv3_ack(void);
void gicv3_eoi(uint32_t intid);
void gicv3_deactivate(uint32_t intid);
void gicv3_set_enabled(uint32_t intid, bool enabled);
void gicv3_set_active(uint32_t intid, bool active);
void gicv3_set_config(uint32_t intid, bool edge);
void gicv3_set_target(uint32_t spi, struct cpu *target);
void gicv3_send_ipi(struct cpu *target);
void gicv3_broadcast_stop(void);
unsigned gicv3_lr_count(void);
uint64_t gicv3_lr_read(unsigned n);
void gicv3_lr_write(unsigned n, uint64_t lr);
uint64_t gicv3_lr_empty_mask(void);
void gicv3_hcr_write(uint64_t hcr);
uint64_t gicv3_hcr_read(void);
uint64_t gicv3_misr_read(void);
void gicv3_vif_save(struct vgic_vif *to);
void gicv3_vif_load(const struct vgic_vif *from);
unsigned gicv3_running_priority(void);

void gicv2_init(void);
must_check int gicv2_init_cpu(struct cpu *c);
uint32_t gicv2_ack(void);
void gicv2_eoi(uint32_t intid);
void gicv2_deactivate(uint32_t intid);
void gicv2_set_enabled(uint32_t intid, bool enabled);
void gicv2_set_active(uint32_t intid, bool active);
void gicv2_set_config(uint32_t intid, bool edge);
void gicv2_set_target(uint32_t spi, struct cpu *target);
void gicv2_send_ipi(struct cpu *target);
void gicv2_broadcast_stop(void);
unsigned gicv2_lr_count(void);
uint64_t gicv2_lr_read(unsigned n);
void gicv2_lr_write(unsigned n, uint64_t lr);
uint64_t gicv2_lr_empty_mask(void);
void gicv2_hcr_write(uint64_t hcr);
uint64_t gicv2_hcr_read(void);
uint64_t gicv2_misr_read(void);
void gicv2_vif_save(struct vgic_vif *to);
void gicv2_vif_load(const struct vgic_vif *from);
unsigned gicv2_running_priority(void);

#endif

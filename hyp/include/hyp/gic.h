/*
 * The host's interrupt controller: what every driver of one supplies.
 *
 * Priority drop and deactivation are split (EOImode 1): gic_ack() and
 * gic_eoi() bracket the handling of each interrupt; gic_deactivate() ends
 * those the hypervisor keeps, and the guest's own deactivation, through a
 * list register with the HW bit, ends those a guest has.
 *
 * Sources: GIC architecture IHI 0069H, GICv2 IHI 0048B.b.
 */
#ifndef HYP_GIC_H
#define HYP_GIC_H

#include <hyp/types.h>

struct cpu;
struct tree;

enum { GIC_SPURIOUS = 1023, GIC_SGI_COUNT = 16, GIC_SPI_FIRST = 32, GIC_INTID_MAX = 1020 };

/* Private interrupts every Arm server and QEMU's board wire the same way (DEN0029, Base System Architecture, PPI table). */
enum { GIC_PPI_PMU = 23, GIC_PPI_MAINTENANCE = 25, GIC_PPI_HYP_TIMER, GIC_PPI_VIRT_TIMER };

/* SGIs of ours: cpu.ipi says why; the machine stops. */
enum { GIC_SGI_IPI = 0, GIC_SGI_STOP = 1 };

#define GIC_REDIST_REGIONS 8

struct gic_region {
    mpa_t base;
    uint64_t size;
};

/* What the board has, found in its device tree. */
struct gic_host {
    unsigned version; /* 2 or 3 */
    struct gic_region dist;
    struct gic_region redist[GIC_REDIST_REGIONS]; /* v3 */
    unsigned redist_count;
    uint64_t redist_stride;  /* v3: 0 is the architecture's */
    struct gic_region cpu;   /* v2: GICC */
    struct gic_region vctrl; /* v2: GICH */
    struct gic_region vcpu;  /* v2: GICV, mapped into guests */
    uint32_t maintenance_intid;
    uint32_t intid_count; /* from GICD_TYPER */
};

extern struct gic_host gic_host; /* [const] after boot */

/* Read the board's tree; one plain line and -XEN_ENODEV if there is no controller that we drive. */
must_check int gic_probe(const struct tree *t);
void gic_init(void); /* distributor: once, on the boot CPU */
must_check int gic_init_cpu(
    struct cpu *c);     /* on each CPU, its redistributor or banked part; virtual interface on */
uint32_t gic_ack(void); /* GIC_SPURIOUS if none */
void gic_eoi(uint32_t intid); /* priority drop */
void gic_deactivate(uint32_t intid);
void gic_end(uint32_t intid);                       /* both */
void gic_set_enabled(uint32_t intid, bool enabled); /* PPI: this CPU's */
void gic_set_active(uint32_t intid, bool active);   /* PPI: this CPU's */
/* Of an interrupt that is disabled: trigger, and which CPU takes an SPI; what was pending before is forgotten. */
void gic_set_config(uint32_t intid, bool edge, struct cpu *target);
void gic_set_target(uint32_t spi, struct cpu *target);
void gic_send_ipi(struct cpu *target);
void gic_broadcast_stop(void);

#endif

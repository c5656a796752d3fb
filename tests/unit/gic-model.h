/*
 * A GICv2 or a GICv3 as its registers behave: what the drivers of hyp/drivers are tested against.
 *
 * Sources: IHI 0048B.b chapter 4, IHI 0069H chapter 12. One priority, as the drivers use it: while an
 * interrupt is acknowledged and not dropped, no other is signalled. What a driver must not do (end an
 * interrupt that is not the one handled, deactivate an SGI without its sender, touch an interrupt or a
 * register that there is not) is counted in `complaints`, and what it was is in `complaint`.
 */
#ifndef TESTS_GIC_MODEL_H
#define TESTS_GIC_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#define GIC_MODEL_CPUS 4
#define GIC_MODEL_DIST 0x8000000ull
#define GIC_MODEL_GICC 0x8010000ull
#define GIC_MODEL_GICH 0x8030000ull
#define GIC_MODEL_REDIST 0x80a0000ull

struct gic_line {
    bool enabled, pending, active, edge, group1;
    bool level; /* the device's wire */
    uint8_t priority, targets, senders;
    uint64_t route;
};

struct gic_model {
    unsigned version,
        lines; /* `lines`: what GICD_TYPER says, a multiple of 32; 1020 of the last are real */
    struct gic_line private[GIC_MODEL_CPUS][32], spi[1024];
    uint32_t dist_ctlr, cpu_ctlr[GIC_MODEL_CPUS], pmr[GIC_MODEL_CPUS], waker[GIC_MODEL_CPUS];
    uint32_t running[GIC_MODEL_CPUS]; /* as acknowledged; 1023: nothing */
    uint64_t lr[GIC_MODEL_CPUS][16], ich_hcr[GIC_MODEL_CPUS], misr, vmcr, ap0[4], ap1[4];
    unsigned lr_count, preemption_bits;
    /* How it is broken. */
    bool asleep_for_ever, busy_for_ever;
    unsigned busy_reads; /* RWP stays for as many reads after each write */
    /* Where the redistributors are. */
    unsigned stride, redist_cpus, last_cpu;
    bool vlpis, target_reads_zero;
    unsigned complaints;
    char complaint[80];
};

extern struct gic_model gic_model;

/* A machine with GIC_MODEL_CPUS CPUs and this controller; fills gic_host. Reset values are garbage where
 * the architecture leaves them unknown. */
void gic_model_boot(unsigned version, unsigned lines);
/* A device pulls its wire, or an edge arrives. */
void gic_model_wire(uint32_t intid, bool level);
/* The IRQ input of the CPU whose turn it is. */
bool gic_model_irq(void);
struct gic_line *gic_model_line(unsigned cpu, uint32_t intid);

#endif

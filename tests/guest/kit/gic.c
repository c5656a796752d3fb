/*
 * GICv3 (IHI 0069) with system registers and GICv2 (IHI 0048), one interface.
 * All interrupts are group 1 on GICv3 and whatever the hypervisor gives on
 * GICv2, where a guest sees only one security state.
 */
#include "kit-internal.h"

#define GICR_WAKER 0x14
#define GICR_SGI_FRAME 0x10000
#define GICR_STRIDE 0x20000
#define GICC_CTLR 0x00
#define GICC_PMR 0x04
#define GICC_IAR 0x0c
#define GICC_EOIR 0x10
#define GICC_DIR 0x1000

static u64 redistributor(void)
{
    u64 mpidr = read_sysreg(mpidr_el1);
    u32 affinity = (u32)((mpidr >> 32 & 0xff) << 24 | (mpidr & 0xffffff));
    for (u64 at = machine.gicr; at < machine.gicr + machine.gicr_size; at += GICR_STRIDE) {
        u64 typer = mmio_read64(at + 8);
        if (typer >> 32 == affinity) {
            return at;
        }
        if (typer & 1 << 4) { /* last */
            break;
        }
    }
    guest_die("no redistributor for this vCPU");
}

static u64 gicr_of[KIT_CPUS];

u64 gic_reg(u32 intid, u32 offset, unsigned bits)
{
    u64 base = machine.gic == 3 && intid < 32 ? gicr_of[cpu_id()] + GICR_SGI_FRAME : machine.gicd;
    return base + offset + (u64)(intid * bits / 32) * 4;
}

static void wait_dist(void)
{
    while (machine.gic == 3 && mmio_read32(machine.gicd + GICD_CTLR) & 1u << 31) {
        relax();
    }
}

void gic_init_dist(void)
{
    u32 lines = ((mmio_read32(machine.gicd + GICD_TYPER) & 31) + 1) * 32;
    if (machine.gic == 3) {
        mmio_write32(machine.gicd + GICD_CTLR, 0);
        wait_dist();
        for (u32 i = 32; i < lines; i += 32) {
            mmio_write32(machine.gicd + GICD_IGROUPR + i / 8, ~0u);
        }
        mmio_write32(machine.gicd + GICD_CTLR, 0x12); /* ARE, group 1 */
        wait_dist();
        u64 mpidr = machine.mpidr[0] & 0xff00fffffful;
        for (u32 i = 32; i < lines; i++) {
            mmio_write64(machine.gicd + GICD_IROUTER + i * 8ul, mpidr);
        }
    } else {
        for (u32 i = 32; i < lines; i += 4) {
            mmio_write32(machine.gicd + GICD_ITARGETSR + i, 0x01010101);
        }
        mmio_write32(machine.gicd + GICD_CTLR, 1);
    }
}

void gic_init_cpu(void)
{
    if (machine.gic == 3) {
        u64 base = gicr_of[cpu_id()] = redistributor();
        mmio_write32(base + GICR_WAKER, mmio_read32(base + GICR_WAKER) & ~2u);
        while (mmio_read32(base + GICR_WAKER) & 4) {
            relax();
        }
        mmio_write32(base + GICR_SGI_FRAME + GICD_IGROUPR, ~0u);
        write_sysreg(ICC_SRE, read_sysreg(ICC_SRE) | 1);
        isb();
        write_sysreg(ICC_CTLR, 0);
        write_sysreg(ICC_BPR1, 0);
        write_sysreg(ICC_IGRPEN1, 1);
    } else {
        mmio_write32(machine.gicc + GICC_CTLR, 1);
    }
    for (u32 i = 0; i < 32; i++) {
        gic_priority(i, 0xa0);
    }
    gic_pmr(0xf0);
}

static void set_bit(u32 intid, u32 offset)
{
    mmio_write32(gic_reg(intid, offset, 1), 1u << intid % 32);
}

static bool get_bit(u32 intid, u32 offset)
{
    return mmio_read32(gic_reg(intid, offset, 1)) >> intid % 32 & 1;
}

void gic_enable(u32 intid)
{
    set_bit(intid, GICD_ISENABLER);
}

void gic_disable(u32 intid)
{
    set_bit(intid, GICD_ICENABLER);
    if (machine.gic == 3) { /* until the write is seen: GICR_CTLR.RWP, GICD_CTLR.RWP */
        while (intid < 32 && mmio_read32(gicr_of[cpu_id()]) & 8) {
            relax();
        }
        wait_dist();
    }
}

static u64 priority_address(u32 intid)
{
    return (intid < 32 ? gic_reg(0, GICD_IPRIORITYR, 8) : machine.gicd + GICD_IPRIORITYR) + intid;
}

void gic_priority(u32 intid, u8 priority)
{
    mmio_write8(priority_address(intid), priority);
}

u8 gic_priority_of(u32 intid)
{
    return mmio_read8(priority_address(intid));
}

void gic_edge(u32 intid, bool edge)
{
    u64 reg = gic_reg(intid, GICD_ICFGR, 2);
    u32 bit = 2u << intid % 16 * 2;
    u32 value = mmio_read32(reg);
    mmio_write32(reg, edge ? value | bit : value & ~bit);
}

void gic_pend(u32 intid)
{
    set_bit(intid, GICD_ISPENDR);
}

void gic_unpend(u32 intid)
{
    set_bit(intid, GICD_ICPENDR);
}

bool gic_is_pending(u32 intid)
{
    return get_bit(intid, GICD_ISPENDR);
}

bool gic_is_active(u32 intid)
{
    return get_bit(intid, GICD_ISACTIVER);
}

void gic_set_active(u32 intid, bool active)
{
    set_bit(intid, active ? GICD_ISACTIVER : GICD_ICACTIVER);
}

u32 gic_ack(void)
{
    u32 intid;
    if (machine.gic == 3) {
        intid = (u32)read_sysreg(ICC_IAR1);
        dsb();
    } else {
        intid = mmio_read32(machine.gicc + GICC_IAR);
    }
    return intid;
}

void gic_eoi(u32 intid)
{
    if (machine.gic == 3) {
        write_sysreg(ICC_EOIR1, intid);
        isb();
    } else {
        mmio_write32(machine.gicc + GICC_EOIR, intid);
    }
}

void gic_dir(u32 intid)
{
    if (machine.gic == 3) {
        write_sysreg(ICC_DIR, intid);
        isb();
    } else {
        mmio_write32(machine.gicc + GICC_DIR, intid);
    }
}

void gic_eoi_mode(bool split)
{
    if (machine.gic == 3) {
        write_sysreg(ICC_CTLR, split ? 2 : 0);
        isb();
    } else {
        mmio_write32(machine.gicc + GICC_CTLR, split ? 0x201 : 1);
    }
}

void gic_pmr(u8 mask)
{
    if (machine.gic == 3) {
        write_sysreg(ICC_PMR, mask);
        isb();
    } else {
        mmio_write32(machine.gicc + GICC_PMR, mask);
    }
}

void gic_sgi(u32 cpu_mask, u32 intid)
{
    dsb();
    if (machine.gic == 2) {
        mmio_write32(machine.gicd + GICD_SGIR, cpu_mask << 16 | intid);
        return;
    }
    for (unsigned cpu = 0; cpu < machine.cpu_count; cpu++) {
        if (cpu_mask >> cpu & 1) {
            u64 a = machine.mpidr[cpu];
            write_sysreg(ICC_SGI1R, (a >> 32 & 0xff) << 48 | (a >> 16 & 0xff) << 32 |
                                        (u64)intid << 24 | (a >> 8 & 0xff) << 16 | 1ul << (a & 15));
        }
    }
    isb();
}

void gic_sgi_others(u32 intid)
{
    dsb();
    if (machine.gic == 2) {
        mmio_write32(machine.gicd + GICD_SGIR, 1u << 24 | intid);
    } else {
        write_sysreg(ICC_SGI1R, 1ul << 40 | (u64)intid << 24);
        isb();
    }
}

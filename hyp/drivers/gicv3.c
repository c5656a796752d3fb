/*
 * GICv3 and GICv4 (without LPIs); see hyp/gic.h.
 *
 * We run Non-secure, or in a machine with one security state (GICD_CTLR.DS):
 * group 1 interrupts only, affinity routing on, system-register interface,
 * EOImode 1. The bits written are right in both views.
 *
 * V3-1  a redistributor's frame is mapped and found by affinity before its CPU
 *       takes interrupts; frame[] is written by that CPU only.
 * V3-2  nothing here takes a lock: set/clear registers need none, and the
 *       read-modify-write of ICFGR is called for interrupts that one owner has.
 *
 * Source: IHI 0069H; register numbers 12.2 (ICC), 12.4 (ICH).
 */
#include "gic-internal.h"

#include <arch/sysreg.h>
#include <hyp/assert.h>
#include <hyp/cpu.h>
#include <hyp/log.h>
#include <hyp/vgic.h>
#include <xen/errno.h>

enum {
    GICD_CTLR_G1 = 1u << 0,  /* EnableGrp1 (Non-secure view), EnableGrp0 (DS) */
    GICD_CTLR_G1A = 1u << 1, /* EnableGrp1A (Non-secure view), EnableGrp1 (DS) */
    GICD_CTLR_ARE = 1u << 4,
    GICD_CTLR_RWP = 1u << 31,
    GICR_CTLR = 0x0000,
    GICR_TYPER = 0x0008,
    GICR_WAKER = 0x0014,
    GICR_SGI_FRAME = 0x10000,
    GICR_CTLR_RWP = 1u << 3,
    GICR_TYPER_VLPIS = 1u << 1,
    GICR_TYPER_LAST = 1u << 4,
    GICR_WAKER_SLEEP = 1u << 1,
    GICR_WAKER_CHILDREN = 1u << 2,
    ICC_CTLR_EOIMODE = 1u << 1,
};

static volatile char *dist;
static volatile char *redist[GIC_REDIST_REGIONS];
static volatile char *frame[MAX_CPUS]; /* this CPU's redistributor */
static unsigned lr_count, ap_count;    /* [const] after boot; the same on all CPUs */

/* Wait for a bit to clear; the bound is generous and only keeps broken hardware from hanging us. */
static bool wait_clear(volatile char *at, uint32_t bit)
{
    for (unsigned i = 0; i < 1000000; i++) {
        if ((arch_mmio_read32(at) & bit) == 0) {
            return true;
        }
        yield(); /* not WFE: no event comes from a device */
    }
    return false;
}

__init void gicv3_init(void)
{
    dist = arch_map_mmio(gic_host.dist.base, gic_host.dist.size);
    for (unsigned i = 0; i < gic_host.redist_count; i++) {
        redist[i] = arch_map_mmio(gic_host.redist[i].base, gic_host.redist[i].size);
        CHECK(redist[i]);
    }
    CHECK(dist);
    arch_mmio_write32(dist + GICD_CTLR, 0);
    (void)wait_clear(dist + GICD_CTLR, GICD_CTLR_RWP);
    uint32_t lines = (arch_mmio_read32(dist + GICD_TYPER) & 31) + 1;
    gic_host.intid_count = lines == 32 ? GIC_INTID_MAX : lines * 32;
    for (uint32_t intid = GIC_SPI_FIRST; intid < gic_host.intid_count; intid += 32) {
        gic_bank_reset(dist, intid);
    }
    (void)wait_clear(dist + GICD_CTLR, GICD_CTLR_RWP);
    arch_mmio_write32(dist + GICD_CTLR, GICD_CTLR_ARE | GICD_CTLR_G1A | GICD_CTLR_G1);
}

/* GICR_TYPER.Affinity_Value is Aff3..Aff0, dense; MPIDR_EL1 has Aff3 apart. */
static uint32_t affinity_dense(uint64_t mpidr)
{
    return (uint32_t)((mpidr & 0xffffff) | (mpidr >> 32 & 0xff) << 24);
}

static volatile char *frame_find(uint64_t mpidr)
{
    for (unsigned i = 0; i < gic_host.redist_count; i++) {
        uint64_t at = 0, stride;
        uint64_t typer = 0;
        for (; at + VGIC_REDIST_SIZE <= gic_host.redist[i].size && (typer & GICR_TYPER_LAST) == 0;
             at += stride) {
            typer = arch_mmio_read64(redist[i] + at + GICR_TYPER);
            if (typer >> 32 == affinity_dense(mpidr)) {
                return redist[i] + at;
            }
            stride = gic_host.redist_stride            ? gic_host.redist_stride
                     : (typer & GICR_TYPER_VLPIS) != 0 ? 2 * VGIC_REDIST_SIZE
                                                       : VGIC_REDIST_SIZE;
        }
    }
    return NULL;
}

static void interface_init(void)
{
    uint64_t sre = sysreg_read(icc_sre_el2);
    sysreg_write(icc_sre_el2, sre | 0x9); /* SRE; Enable: EL1 may use its own */
    isb();
    sysreg_write(icc_sre_el1, 1);
    isb();
    uint64_t vtr = sysreg_read(ich_vtr_el2);
    lr_count = (unsigned)(vtr & 31) + 1;
    unsigned preemption_bits = (unsigned)(vtr >> 26 & 7) + 1;
    ap_count = preemption_bits >= 7 ? 4 : preemption_bits == 6 ? 2 : 1;
    sysreg_write(ich_hcr_el2, 0);
    for (unsigned n = 0; n < lr_count; n++) {
        gicv3_lr_write(n, 0);
    }
    gicv3_vif_load(&(struct vgic_vif){0});
    sysreg_write(icc_pmr_el1, 0xff);
    sysreg_write(icc_bpr1_el1, 0);
    uint64_t ctlr = sysreg_read(icc_ctlr_el1);
    sysreg_write(icc_ctlr_el1, ctlr | ICC_CTLR_EOIMODE);
    sysreg_write(icc_igrpen1_el1, 1);
    isb();
}

/* ICC_SGI1R_EL1 for one CPU by its affinity (IHI 0069H 12.2.23). */
static uint64_t sgi_value(uint64_t id)
{
    uint64_t range = (id & 0xf0) >> 4; /* RS: which 16 of Aff0 */

    return 1ull << (id & 0xf) | (id >> 8 & 0xff) << 16 | (uint64_t)GIC_SGI_IPI << 24 |
           (id >> 16 & 0xff) << 32 | range << 44 | (id >> 32 & 0xff) << 48;
}

int gicv3_init_cpu(struct cpu *c)
{
    volatile char *f = frame_find(c->arch_id);

    if (!f) {
        log_warn("CPU %u (affinity %#llx) has no redistributor in the board's tree.", c->id,
                 (unsigned long long)c->arch_id);
        return -XEN_ENODEV;
    }
    arch_mmio_write32(f + GICR_WAKER,
                      arch_mmio_read32(f + GICR_WAKER) & ~(uint32_t)GICR_WAKER_SLEEP);
    if (!wait_clear(f + GICR_WAKER, GICR_WAKER_CHILDREN)) {
        log_warn("The redistributor of CPU %u does not wake up.", c->id);
        return -XEN_ENODEV;
    }
    gic_bank_reset(f + GICR_SGI_FRAME, 0);
    (void)wait_clear(f + GICR_CTLR, GICR_CTLR_RWP);
    frame[c->id] = f;
    c->ipi_value = sgi_value(c->arch_id);
    interface_init();
    return 0;
}

uint32_t gicv3_ack(void)
{
    return (uint32_t)sysreg_read(icc_iar1_el1) & 0xffffff;
}

/* The ISBs order the write before the next acknowledge, and before what the guest's registers get.
 */
void gicv3_eoi(uint32_t intid)
{
    sysreg_write(icc_eoir1_el1, intid);
    isb();
}

void gicv3_deactivate(uint32_t intid)
{
    sysreg_write(icc_dir_el1, intid);
    isb();
}

/* Where an interrupt's bits are: this CPU's SGI frame, or the distributor. */
static volatile char *bank_of(uint32_t intid)
{
    return intid < GIC_SPI_FIRST ? frame[this_cpu()->id] + GICR_SGI_FRAME : dist;
}

void gicv3_set_enabled(uint32_t intid, bool enabled)
{
    gic_bit_write(bank_of(intid), enabled ? GICD_ISENABLER : GICD_ICENABLER, intid);
    if (intid < GIC_SPI_FIRST) {
        (void)wait_clear(frame[this_cpu()->id] + GICR_CTLR, GICR_CTLR_RWP);
    } else {
        (void)wait_clear(dist + GICD_CTLR, GICD_CTLR_RWP);
    }
}

void gicv3_set_active(uint32_t intid, bool active)
{
    gic_bit_write(bank_of(intid), active ? GICD_ISACTIVER : GICD_ICACTIVER, intid);
}

void gicv3_set_config(uint32_t intid, bool edge)
{
    gic_config_write(bank_of(intid), intid, edge);
}

void gicv3_set_target(uint32_t spi, struct cpu *target)
{
    arch_mmio_write64(dist + GICD_IROUTER + 8ul * spi, target->arch_id & 0xff00ffffffull);
}

void gicv3_send_ipi(struct cpu *target)
{
    dsb(ishst); /* our stores, before the interrupt that announces them */
    sysreg_write(icc_sgi1r_el1, target->ipi_value);
    isb();
}

void gicv3_broadcast_stop(void)
{
    dsb(ishst);
    sysreg_write(icc_sgi1r_el1,
                 1ull << 40 | (uint64_t)GIC_SGI_STOP << 24); /* IRM: all but this one */
    isb();
}

unsigned gicv3_lr_count(void)
{
    return lr_count;
}

/* clang-format off */
#define EACH_LR(_)                                                                                 \
    _(0) _(1) _(2) _(3) _(4) _(5) _(6) _(7) _(8) _(9) _(10) _(11) _(12) _(13) _(14) _(15)
/* clang-format on */

uint64_t gicv3_lr_read(unsigned n)
{
#define READ(n) \
    case n:     \
        return sysreg_read(ich_lr##n##_el2);
    switch (n) {
        EACH_LR(READ)
    }
    return 0;
}

void gicv3_lr_write(unsigned n, uint64_t lr)
{
#define WRITE(n)                           \
    case n:                                \
        sysreg_write(ich_lr##n##_el2, lr); \
        break;
    if (likely(n == 0)) { /* most of the time there is one interrupt at a time */
        sysreg_write(ich_lr0_el2, lr);
        return;
    }
    switch (n) {
        EACH_LR(WRITE)
    }
}

uint64_t gicv3_lr_empty_mask(void)
{
    return sysreg_read(ich_elrsr_el2) & 0xffff;
}

/* The return to the guest is the synchronisation that a write before it needs. */
void gicv3_hcr_write(uint64_t hcr)
{
    sysreg_write(ich_hcr_el2, hcr);
}

uint64_t gicv3_hcr_read(void)
{
    return sysreg_read(ich_hcr_el2);
}

uint64_t gicv3_misr_read(void)
{
    return sysreg_read(ich_misr_el2);
}

void gicv3_vif_save(struct vgic_vif *to)
{
    isb(); /* the guest's last accesses are before us anyway; our own writes of LRs must be too */
    to->vmcr = (uint32_t)sysreg_read(ich_vmcr_el2);
    to->ap0[0] = (uint32_t)sysreg_read(ich_ap0r0_el2);
    to->ap1[0] = (uint32_t)sysreg_read(ich_ap1r0_el2);
    if (ap_count > 1) {
        to->ap0[1] = (uint32_t)sysreg_read(ich_ap0r1_el2);
        to->ap1[1] = (uint32_t)sysreg_read(ich_ap1r1_el2);
    }
    if (ap_count > 2) {
        to->ap0[2] = (uint32_t)sysreg_read(ich_ap0r2_el2);
        to->ap1[2] = (uint32_t)sysreg_read(ich_ap1r2_el2);
        to->ap0[3] = (uint32_t)sysreg_read(ich_ap0r3_el2);
        to->ap1[3] = (uint32_t)sysreg_read(ich_ap1r3_el2);
    }
}

void gicv3_vif_load(const struct vgic_vif *from)
{
    sysreg_write(ich_vmcr_el2, from->vmcr);
    sysreg_write(ich_ap0r0_el2, from->ap0[0]);
    sysreg_write(ich_ap1r0_el2, from->ap1[0]);
    if (ap_count > 1) {
        sysreg_write(ich_ap0r1_el2, from->ap0[1]);
        sysreg_write(ich_ap1r1_el2, from->ap1[1]);
    }
    if (ap_count > 2) {
        sysreg_write(ich_ap0r2_el2, from->ap0[2]);
        sysreg_write(ich_ap1r2_el2, from->ap1[2]);
        sysreg_write(ich_ap0r3_el2, from->ap0[3]);
        sysreg_write(ich_ap1r3_el2, from->ap1[3]);
    }
}

/* One bit per preemption level, the most urgent lowest; ap_count words of 32 share the 256 priorities. */
unsigned gicv3_running_priority(void)
{
    struct vgic_vif vif;

    gicv3_vif_save(&vif);
    for (unsigned i = 0; i < ap_count; i++) {
        uint32_t active = vif.ap0[i] | vif.ap1[i];
        if (active != 0) {
            return (i * 32 + (unsigned)__builtin_ctz(active)) * (8 / ap_count);
        }
    }
    return 0x100;
}

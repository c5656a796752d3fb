/*
 * The host's interrupt controller: a GICv3 or GICv4 (without LPIs), or a GICv2
 * with virtualisation extensions (GIC-400). See hyp/gic.h.
 *
 * A function knows both versions: their distributors are the same but for
 * where private interrupts are and how an SPI is routed, and of the two CPU
 * interfaces one is in system registers and the other in GICC and GICH. The
 * choice is one predictable branch rather than a table of pointers: the hot
 * calls are an instruction or two long.
 *
 * We run Non-secure, or in a machine with one security state (GICD_CTLR.DS):
 * on version 3 group 1 interrupts only, affinity routing on, EOImode 1. The
 * bits written are right in both views. List registers of version 2 are
 * converted from and to the encoding of version 3 here, so that nothing above
 * knows the difference; its guests have the board's GICV page as their CPU
 * interface, mapped into their stage 2.
 *
 * V2-1  an SGI must be ended with the sender's number that came with its
 *       acknowledgement: sgi_iar[] keeps it until then. Nothing preempts, so
 *       there is one at a time on each CPU.
 * V3-1  a redistributor is mapped and found by affinity before its CPU takes
 *       interrupts; own[] is written by that CPU only.
 * V3-2  nothing here takes a lock: set/clear registers need none, and the
 *       read-modify-write of ICFGR is called for interrupts that one owner has.
 *
 * Sources: IHI 0069H, register numbers 12.2 (ICC), 12.4 (ICH), 12.9 (GICD);
 * IHI 0048B.b 4.3 (GICD), 4.4 (GICC), 5.3 (GICH).
 */
#include <hyp/gic.h>

#include <arch/sysreg.h>
#include <hyp/arch.h>
#include <hyp/assert.h>
#include <hyp/cpu.h>
#include <hyp/log.h>
#include <hyp/tree.h>
#include <hyp/vgic.h>
#include <xen/errno.h>

/* Distributor, and the SGI frame of a version 3 redistributor. */
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
    GICD_SGIR = 0xf00,       /* v2 */
    GICD_IROUTER = 0x6000,   /* v3 */
    GICD_CTLR_G1 = 1u << 0,  /* EnableGrp1 (Non-secure view), EnableGrp0 (DS, v2) */
    GICD_CTLR_G1A = 1u << 1, /* v3: EnableGrp1A (Non-secure view), EnableGrp1 (DS) */
    GICD_CTLR_ARE = 1u << 4,
    GICD_CTLR_RWP = 1u << 31,
};

/* Version 3: redistributor and CPU interface. */
enum {
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

/* Version 2: CPU interface and virtual interface control. */
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
    GICH_APR = 0xf0,
    GICH_LR0 = 0x100,
    V2_CPUS = 8, /* IHI 0048B.b 1.1: there are no more interfaces */
};

/* All of ours have one priority: nothing at EL2 preempts anything. It is valid in every security
 * view. */
#define PRIORITY_ALL 0xa0a0a0a0u
#define IS_V3 likely(gic_host.version == 3)

struct gic_host gic_host;

static volatile char *dist, *gicc, *gich;
static volatile char *redist[GIC_REDIST_REGIONS];
static volatile char *own[MAX_CPUS]; /* v3: each CPU's redistributor */
static uint32_t sgi_iar[V2_CPUS];    /* V2-1 */
/* [const] after boot; the same on all CPUs. Words of active priorities: version 2 has one. */
static unsigned lr_count, ap_count;

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

    if (!tree_u64(stride, &gic_host.redist_stride) ||
        gic_host.redist_stride % VGIC_REDIST_SIZE != 0) {
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

/* The distributor, and private interrupts, which are in it or in the redistributor. */

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

/* Version 3 says when what was written of an interrupt has reached it. */
static void wait_written(uint32_t intid)
{
    if (IS_V3 && intid < GIC_SPI_FIRST) {
        (void)wait_clear(own[this_cpu()->id] + GICR_CTLR, GICR_CTLR_RWP);
    } else if (IS_V3) {
        (void)wait_clear(dist + GICD_CTLR, GICD_CTLR_RWP);
    }
}

/* Where an interrupt's bits are: this CPU's SGI frame, or the distributor. */
static volatile char *bank_of(uint32_t intid)
{
    return IS_V3 && intid < GIC_SPI_FIRST ? own[this_cpu()->id] + GICR_SGI_FRAME : dist;
}

static void bit_write(unsigned reg, uint32_t intid)
{
    arch_mmio_write32(bank_of(intid) + reg + intid / 32 * 4, 1u << intid % 32);
}

/* 32 interrupts to a known state: disabled, not pending, not active, group 1, our priority. */
static void bank_reset(uint32_t first)
{
    volatile char *bank = bank_of(first) + first / 32 * 4;

    arch_mmio_write32(bank + GICD_ICENABLER, ~0u);
    arch_mmio_write32(bank + GICD_ICPENDR, ~0u);
    arch_mmio_write32(bank + GICD_ICACTIVER, ~0u);
    /*
     * Ignored in the Non-secure view, where bit 0 of the control registers enables group 1. A GICv2
     * without the Security Extensions has both groups, and there the same bit enables group 0.
     */
    arch_mmio_write32(bank + GICD_IGROUPR, IS_V3 ? ~0u : 0);
    for (unsigned i = 0; i < 32; i += 4) {
        arch_mmio_write32(bank_of(first) + GICD_IPRIORITYR + first + i, PRIORITY_ALL);
    }
}

static __init volatile char *map(const struct gic_region *r)
{
    volatile char *at = arch_map_mmio(r->base, r->size);

    CHECK(at);
    return at;
}

__init void gic_init(void)
{
    dist = map(&gic_host.dist);
    for (unsigned i = 0; IS_V3 && i < gic_host.redist_count; i++) {
        redist[i] = map(&gic_host.redist[i]);
    }
    if (!IS_V3) {
        gicc = map(&gic_host.cpu);
        gich = map(&gic_host.vctrl);
    }
    arch_mmio_write32(dist + GICD_CTLR, 0);
    wait_written(GIC_SPI_FIRST);
    uint32_t lines = (arch_mmio_read32(dist + GICD_TYPER) & 31) + 1;
    gic_host.intid_count = lines == 32 ? GIC_INTID_MAX : lines * 32;
    for (uint32_t intid = GIC_SPI_FIRST; intid < gic_host.intid_count; intid += 32) {
        bank_reset(intid);
    }
    wait_written(GIC_SPI_FIRST);
    arch_mmio_write32(dist + GICD_CTLR,
                      IS_V3 ? GICD_CTLR_ARE | GICD_CTLR_G1A | GICD_CTLR_G1 : GICD_CTLR_G1);
    log_line("Interrupt controller: GICv%u with %u interrupts.", gic_host.version,
             gic_host.intid_count);
}

void gic_set_enabled(uint32_t intid, bool enabled)
{
    bit_write(enabled ? GICD_ISENABLER : GICD_ICENABLER, intid);
    wait_written(intid);
}

void arch_irq_set_active(uint32_t intid, bool active)
{
    bit_write(active ? GICD_ISACTIVER : GICD_ICACTIVER, intid);
}

/* Two bits per interrupt; the upper one says edge. */
void gic_set_config(uint32_t intid, bool edge, struct cpu *target)
{
    volatile char *at = bank_of(intid) + GICD_ICFGR + intid / 16 * 4;
    uint32_t bit = 2u << intid % 16 * 2, old = arch_mmio_read32(at);

    arch_mmio_write32(at, edge ? old | bit : old & ~bit);
    bit_write(GICD_ICPENDR, intid);
    if (intid >= GIC_SPI_FIRST) {
        gic_set_target(intid, target);
    }
}

/* What an IPI is sent with holds a version 2 CPU's bit where GICD_SGIR has the list of targets. */
void gic_set_target(uint32_t spi, struct cpu *target)
{
    if (IS_V3) {
        arch_mmio_write64(dist + GICD_IROUTER + 8ul * spi, target->arch_id & 0xff00ffffffull);
    } else {
        arch_mmio_write8(dist + GICD_ITARGETSR + spi, (uint8_t)(target->ipi_value >> 16));
    }
}

/* A CPU and its interface. */

/* GICR_TYPER.Affinity_Value is Aff3..Aff0, dense; MPIDR_EL1 has Aff3 apart. */
static uint32_t affinity_dense(uint64_t mpidr)
{
    return (uint32_t)((mpidr & 0xffffff) | (mpidr >> 32 & 0xff) << 24);
}

static volatile char *redist_find(uint64_t mpidr)
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

static int redist_wake(struct cpu *c)
{
    volatile char *r = redist_find(c->arch_id);

    if (!r) {
        log_warn("CPU %u (affinity %#llx) has no redistributor in the board's tree.", c->id,
                 (unsigned long long)c->arch_id);
        return -XEN_ENODEV;
    }
    arch_mmio_write32(r + GICR_WAKER,
                      arch_mmio_read32(r + GICR_WAKER) & ~(uint32_t)GICR_WAKER_SLEEP);
    if (!wait_clear(r + GICR_WAKER, GICR_WAKER_CHILDREN)) {
        log_warn("The redistributor of CPU %u does not wake up.", c->id);
        return -XEN_ENODEV;
    }
    own[c->id] = r;
    return 0;
}

/* ICC_SGI1R_EL1 for one CPU by its affinity (IHI 0069H 12.2.23). */
static uint64_t sgi_v3(uint64_t id)
{
    uint64_t range = (id & 0xf0) >> 4; /* RS: which 16 of Aff0 */

    return 1ull << (id & 0xf) | (id >> 8 & 0xff) << 16 | (uint64_t)GIC_SGI_IPI << 24 |
           (id >> 16 & 0xff) << 32 | range << 44 | (id >> 32 & 0xff) << 48;
}

/* GICD_SGIR for this CPU: its bit is not always 1 << id, but what GICD_ITARGETSR of its own
 * interrupts reads as; zero in uniprocessor implementations. */
static uint32_t sgi_v2(void)
{
    uint32_t targets = arch_mmio_read32(dist + GICD_ITARGETSR);

    targets |= targets >> 16;
    targets = (targets | targets >> 8) & 0xff;
    return (targets != 0 ? targets : 1) << 16 | GIC_SGI_IPI;
}

static void interface_init_v3(void)
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
    sysreg_write(icc_pmr_el1, 0xff);
    sysreg_write(icc_bpr1_el1, 0);
    uint64_t ctlr = sysreg_read(icc_ctlr_el1);
    sysreg_write(icc_ctlr_el1, ctlr | ICC_CTLR_EOIMODE);
    sysreg_write(icc_igrpen1_el1, 1);
    isb();
}

static void interface_init_v2(void)
{
    lr_count = (arch_mmio_read32(gich + GICH_VTR) & 63) + 1;
    lr_count = lr_count < VGIC_LR_MAX ? lr_count : VGIC_LR_MAX;
    ap_count = 1;
    arch_mmio_write32(gicc + GICC_PMR, 0xff);
    arch_mmio_write32(gicc + GICC_BPR, 0);
    arch_mmio_write32(gicc + GICC_CTLR, GICC_CTLR_ENABLE | GICC_CTLR_EOIMODE_NS);
}

int gic_init_cpu(struct cpu *c)
{
    int error = IS_V3 ? redist_wake(c) : c->id < V2_CPUS ? 0 : -XEN_ENODEV;

    if (error) {
        return error;
    }
    bank_reset(0);
    wait_written(0);
    if (IS_V3) {
        c->ipi_value = sgi_v3(c->arch_id);
        interface_init_v3();
    } else {
        c->ipi_value = sgi_v2();
        interface_init_v2();
    }
    arch_ich_hcr_write(0);
    for (unsigned n = 0; n < lr_count; n++) {
        arch_lr_write(n, 0);
    }
    arch_vif_load(&(struct vgic_vif){0});
    const uint32_t ours[] = {GIC_SGI_IPI,       GIC_SGI_STOP,       gic_host.maintenance_intid,
                             GIC_PPI_HYP_TIMER, GIC_PPI_VIRT_TIMER, GIC_PPI_PMU};
    for (unsigned i = 0; i < ARRAY_LEN(ours); i++) {
        gic_set_enabled(ours[i], true);
    }
    return 0;
}

uint32_t gic_ack(void)
{
    if (IS_V3) {
        return (uint32_t)sysreg_read(icc_iar1_el1) & 0xffffff;
    }
    uint32_t iar = arch_mmio_read32(gicc + GICC_IAR), intid = iar & 0x3ff;

    if (intid < GIC_SGI_COUNT) {
        sgi_iar[this_cpu()->id] = iar;
    }
    return intid;
}

static uint32_t with_sender(uint32_t intid)
{
    return intid < GIC_SGI_COUNT ? sgi_iar[this_cpu()->id] : intid;
}

/* The ISBs order the write before the next acknowledge, and before what the guest's registers get.
 */
void gic_eoi(uint32_t intid)
{
    if (IS_V3) {
        sysreg_write(icc_eoir1_el1, intid);
        isb();
    } else {
        arch_mmio_write32(gicc + GICC_EOIR, with_sender(intid));
    }
}

void gic_deactivate(uint32_t intid)
{
    if (IS_V3) {
        sysreg_write(icc_dir_el1, intid);
        isb();
    } else {
        arch_mmio_write32(gicc + GICC_DIR, with_sender(intid));
    }
}

/* Both, with one choice: each IPI comes here. */
void gic_end(uint32_t intid)
{
    if (IS_V3) {
        sysreg_write(icc_eoir1_el1, intid);
        isb();
        sysreg_write(icc_dir_el1, intid);
        isb();
    } else {
        gic_eoi(intid);
        gic_deactivate(intid);
    }
}

static void sgi_send(uint64_t value)
{
    dsb(ishst); /* our stores, before the interrupt that announces them */
    if (IS_V3) {
        sysreg_write(icc_sgi1r_el1, value);
        isb();
    } else {
        arch_mmio_write32(dist + GICD_SGIR, (uint32_t)value);
    }
}

void arch_cpu_kick(struct cpu *c)
{
    sgi_send(c->ipi_value);
}

/* To all but this one: IRM, or the list's filter. */
void gic_broadcast_stop(void)
{
    sgi_send(IS_V3 ? 1ull << 40 | (uint64_t)GIC_SGI_STOP << 24 : 1u << 24 | GIC_SGI_STOP);
}

/*
 * The virtual interface.
 *
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

unsigned arch_lr_count(void)
{
    return lr_count;
}

/* clang-format off */
#define EACH_LR(_)                                                                                 \
    _(0) _(1) _(2) _(3) _(4) _(5) _(6) _(7) _(8) _(9) _(10) _(11) _(12) _(13) _(14) _(15)
/* clang-format on */

uint64_t arch_lr_read(unsigned n)
{
#define READ(n) \
    case n:     \
        return sysreg_read(ich_lr##n##_el2);
    if (!IS_V3) {
        return lr_from_v2(arch_mmio_read32(gich + GICH_LR0 + 4 * n));
    }
    switch (n) {
        EACH_LR(READ)
    }
    return 0;
}

void arch_lr_write(unsigned n, uint64_t lr)
{
#define WRITE(n)                           \
    case n:                                \
        sysreg_write(ich_lr##n##_el2, lr); \
        break;
    if (!IS_V3) {
        arch_mmio_write32(gich + GICH_LR0 + 4 * n, lr_to_v2(lr));
    } else if (likely(n == 0)) { /* most of the time there is one interrupt at a time */
        sysreg_write(ich_lr0_el2, lr);
    } else {
        switch (n) {
            EACH_LR(WRITE)
        }
    }
}

/* VGIC_LR_MAX are used at most. */
uint64_t arch_lr_empty_mask(void)
{
    return (IS_V3 ? sysreg_read(ich_elrsr_el2) : arch_mmio_read32(gich + GICH_ELRSR0)) & 0xffff;
}

/* GICH_HCR, GICH_MISR and GICH_VMCR have the layout of their ICH_ successors' lower halves. The
 * return to the guest is the synchronisation that a write of the system register needs. */
void arch_ich_hcr_write(uint64_t hcr)
{
    if (IS_V3) {
        sysreg_write(ich_hcr_el2, hcr);
    } else {
        arch_mmio_write32(gich + GICH_HCR, (uint32_t)hcr);
    }
}

uint64_t arch_ich_hcr_read(void)
{
    return IS_V3 ? sysreg_read(ich_hcr_el2) : arch_mmio_read32(gich + GICH_HCR);
}

uint64_t arch_ich_misr_read(void)
{
    return IS_V3 ? sysreg_read(ich_misr_el2) : arch_mmio_read32(gich + GICH_MISR);
}

/* Version 2 has one register of active priorities for both groups. */
void arch_vif_save(struct vgic_vif *to)
{
    if (!IS_V3) {
        *to = (struct vgic_vif){.vmcr = arch_mmio_read32(gich + GICH_VMCR),
                                .ap0 = {arch_mmio_read32(gich + GICH_APR)}};
        return;
    }
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

void arch_vif_load(const struct vgic_vif *from)
{
    if (!IS_V3) {
        arch_mmio_write32(gich + GICH_VMCR, from->vmcr);
        arch_mmio_write32(gich + GICH_APR, from->ap0[0]);
        return;
    }
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
unsigned arch_vif_running_priority(const struct vgic_vif *vif)
{
    for (unsigned i = 0; i < ap_count; i++) {
        uint32_t active = vif->ap0[i] | vif->ap1[i];
        if (active != 0) {
            return (i * 32 + (unsigned)__builtin_ctz(active)) * (8 / ap_count);
        }
    }
    return 0x100;
}

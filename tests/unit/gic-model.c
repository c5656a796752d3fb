#include "gic-model.h"

#include <arch/sysreg.h>
#include <fake.h>
#include <hyp/cpu.h>
#include <hyp/gic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NONE = 1023, GICV2_EOIMODE = 1u << 9, V3_EOIMODE = 1u << 1 };

struct gic_model gic_model;
#define M (&gic_model)

/* Only their addresses matter. */
static char dist_space[0x10000], gicc_space[0x2000], gich_space[0x200], redist_space[0x100000];
static unsigned busy;

__attribute__((format(printf, 1, 2))) static void complain(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(M->complaint, sizeof(M->complaint), format, args);
    va_end(args);
    M->complaints++;
}

static unsigned here(void)
{
    return this_cpu()->id;
}

struct gic_line *gic_model_line(unsigned cpu, uint32_t intid)
{
    return intid < 32 ? &M->private[cpu][intid] : &M->spi[intid];
}

/* The bit that GICD_ITARGETSR has for a CPU: not 1 << id. */
static uint8_t bit_of(unsigned cpu)
{
    return M->target_reads_zero ? 1 : (uint8_t)(2u << cpu);
}

static bool comes_here(unsigned cpu, uint32_t intid)
{
    const struct gic_line *l = gic_model_line(cpu, intid);

    if (intid < 32) {
        return true;
    }
    return M->version == 3 ? l->route == (cpus[cpu]->arch_id & 0xff00ffffff)
                           : (l->targets & bit_of(cpu)) != 0;
}

/* The lowest that is signalled; NONE. */
static uint32_t candidate(unsigned cpu)
{
    if (M->running[cpu] != NONE || (M->dist_ctlr & 1) == 0 || (M->cpu_ctlr[cpu] & 1) == 0) {
        return NONE;
    }
    for (uint32_t intid = 0; intid < M->lines && intid < GIC_INTID_MAX; intid++) {
        const struct gic_line *l = gic_model_line(cpu, intid);
        bool pending = l->pending || l->senders != 0 || (!l->edge && l->level);
        if (l->enabled && pending && !l->active && l->priority < M->pmr[cpu] &&
            l->group1 == (M->version == 3) && comes_here(cpu, intid)) {
            return intid;
        }
    }
    return NONE;
}

bool gic_model_irq(void)
{
    return candidate(here()) != NONE;
}

void gic_model_wire(uint32_t intid, bool level)
{
    struct gic_line *l = gic_model_line(here(), intid);

    l->pending |= l->edge && level && !l->level;
    l->level = level;
}

/* The CPU interface: acknowledge, drop, deactivate. */

static uint32_t acknowledge(void)
{
    uint32_t intid = candidate(here());
    struct gic_line *l;

    if (intid == NONE) {
        return NONE;
    }
    l = gic_model_line(here(), intid);
    l->active = true;
    l->pending = false;
    M->running[here()] = intid;
    if (M->version == 2 && intid < GIC_SGI_COUNT) {
        unsigned sender = (unsigned)__builtin_ctz(l->senders);
        l->senders &= (uint8_t)(l->senders - 1);
        M->running[here()] |= sender << 10;
    }
    return M->running[here()];
}

static void drop(uint32_t value)
{
    if (value != M->running[here()]) {
        complain("end of %#x, %#x is handled", value, M->running[here()]);
    }
    M->running[here()] = NONE;
    if ((M->cpu_ctlr[here()] & (M->version == 3 ? V3_EOIMODE : GICV2_EOIMODE)) == 0) {
        complain("priority drop deactivates");
    }
}

static uint32_t sgi_in_service[GIC_MODEL_CPUS][GIC_SGI_COUNT];

static void deactivate(uint32_t value)
{
    uint32_t intid = value & 0x3ff;
    struct gic_line *l = gic_model_line(here(), intid);

    if (intid >= M->lines || !l->active ||
        (M->version == 2 && intid < GIC_SGI_COUNT && value != sgi_in_service[here()][intid])) {
        complain("deactivation of %#x", value);
        return;
    }
    l->active = false;
}

/* Banks of bits, bytes and pairs: GICD_*, and a redistributor's SGI frame. */

static void bits_write(struct gic_line *l, unsigned reg, bool on)
{
    switch (reg) {
    case 0x080:
        l->group1 = on;
        break;
    case 0x100:
        l->enabled |= on;
        break;
    case 0x180:
        l->enabled &= !on;
        break;
    case 0x280:
        l->pending &= !on;
        l->senders = on ? 0 : l->senders;
        break;
    case 0x300:
        l->active |= on;
        break;
    case 0x380:
        l->active &= !on;
        break;
    default:
        complain("write of a bit register at %#x", reg);
    }
}

static uint32_t bank(unsigned cpu, unsigned at, unsigned bytes, bool write, uint32_t v)
{
    uint32_t out = 0;
    unsigned first = at < 0x400 ? (at & 0x7f) * 8 : at < 0xc00 ? at & 0x3ff : (at & 0xff) * 4;
    unsigned count = at < 0x400 ? 32 : at < 0xc00 ? bytes : 16;

    if (first + count > M->lines || (at < 0x400 && !write)) {
        complain("%s at %#x", write ? "write" : "read", at);
        return 0;
    }
    for (unsigned i = 0; i < count; i++) {
        struct gic_line *l = gic_model_line(cpu, first + i);
        if (first + i >= GIC_INTID_MAX) {
            continue; /* reserved: RAZ/WI */
        }
        if (at < 0x400) {
            bits_write(l, at & 0x780, (v >> i & 1) != 0);
        } else if (at < 0x800) {
            l->priority = write ? (uint8_t)(v >> 8 * i) : l->priority;
            out |= (uint32_t)l->priority << 8 * i;
        } else if (at < 0xc00) {
            l->targets = write ? (uint8_t)(v >> 8 * i) : l->targets;
            out |= (uint32_t)(first + i >= 32        ? l->targets
                              : M->target_reads_zero ? 0
                                                     : bit_of(here()))
                   << 8 * i;
        } else {
            if (write && l->enabled && l->edge != ((v >> 2 * i & 2) != 0)) {
                complain("trigger of %u, which is enabled", first + i);
            }
            l->edge = write ? (v >> 2 * i & 2) != 0 : l->edge;
            out |= l->edge ? 2u << 2 * i : 0;
        }
    }
    return out;
}

/* RWP: a write takes effect some reads later, or never. */
static uint32_t rwp(uint32_t bit)
{
    if (M->busy_for_ever) {
        return bit;
    }
    return busy != 0 && busy-- != 0 ? bit : 0;
}

static void sgi(unsigned to, unsigned intid, unsigned from)
{
    if (M->version == 2) {
        M->private[to][intid].senders |= (uint8_t)(1u << from);
    } else {
        M->private[to][intid].pending = true;
    }
}

static uint64_t dist_access(unsigned at, unsigned bytes, bool write, uint64_t v)
{
    if (at == 0x000) {
        M->dist_ctlr = write ? (uint32_t)v : M->dist_ctlr;
        return M->dist_ctlr | (M->version == 3 ? rwp(1u << 31) : 0);
    }
    if (at == 0x004 && !write) {
        return 0xffffffe0u | (M->lines / 32 - 1);
    }
    if (at == 0xf00 && write && M->version == 2) {
        for (unsigned cpu = 0; cpu < GIC_MODEL_CPUS; cpu++) {
            if ((v >> 24 & 3) == 1 ? cpu != here() : (v >> 16 & bit_of(cpu)) != 0) {
                sgi(cpu, v & 15, here());
            }
        }
        return 0;
    }
    if (at >= 0x6000 && M->version == 3 && bytes == 8 && (at - 0x6000) / 8 < M->lines) {
        M->spi[(at - 0x6000) / 8].route = v;
        return v;
    }
    if (at < 0x080 || at >= 0xd00 || (M->version == 3 && at % 0x80 == 0 && at < 0x400) ||
        (M->version == 3 && at >= 0x800 && at < 0xc00)) {
        complain("distributor at %#x", at); /* affinity routing: 0 to 31 are the redistributors' */
        return 0;
    }
    return bank(here(), at, bytes, write, (uint32_t)v);
}

static uint64_t redist_access(unsigned at, unsigned bytes, bool write, uint64_t v)
{
    unsigned cpu = at / M->stride, reg = at % M->stride;

    if (cpu >= M->redist_cpus) {
        complain("redistributor of no CPU at %#x", at);
        return 1u << 4;
    }
    if (reg == 0x0008 && bytes == 8 && !write) {
        uint64_t id = cpus[cpu]->arch_id;
        return ((id & 0xffffff) | (id >> 32 & 0xff) << 24) << 32 | (M->vlpis ? 2 : 0) |
               (cpu == M->last_cpu ? 1u << 4 : 0);
    }
    if (reg == 0x0014 && bytes == 4) {
        M->waker[cpu] = write ? (uint32_t)v & 2 : M->waker[cpu];
        return M->waker[cpu] | (M->waker[cpu] != 0 || M->asleep_for_ever || rwp(4) != 0 ? 4 : 0);
    }
    if (reg == 0x0000) {
        return rwp(1u << 3);
    }
    if (reg >= 0x10080 && reg < 0x10d00 && (reg < 0x10400 || reg >= 0x10c00 || reg < 0x10420)) {
        if (cpu != here()) {
            complain("another CPU's redistributor at %#x", reg); /* V3-1 */
        }
        return bank(cpu, reg - 0x10000, bytes, write, (uint32_t)v);
    }
    complain("redistributor at %#x", reg);
    return 0;
}

static uint64_t gicc_access(unsigned at, bool write, uint64_t v)
{
    static uint32_t other;

    switch (at) {
    case 0x00:
        M->cpu_ctlr[here()] = (uint32_t)v;
        break;
    case 0x04:
        M->pmr[here()] = (uint32_t)v;
        break;
    case 0x08:
        other = (uint32_t)v;
        break;
    case 0x0c: {
        uint32_t iar = acknowledge();
        if ((iar & 0x3ff) < GIC_SGI_COUNT) {
            sgi_in_service[here()][iar & 0x3ff] = iar;
        }
        return iar;
    }
    case 0x10:
        drop((uint32_t)v);
        break;
    case 0x1000:
        deactivate((uint32_t)v);
        break;
    default:
        complain("CPU interface at %#x", at);
    }
    if (!write) {
        complain("read of the CPU interface at %#x", at);
    }
    return other;
}

static uint64_t gich_access(unsigned at, bool write, uint64_t v)
{
    uint64_t *lr =
        at >= 0x100 && (at - 0x100) / 4 < M->lr_count ? &M->lr[here()][(at - 0x100) / 4] : NULL;
    uint64_t empty = 0, *reg = at == 0x00   ? &M->ich_hcr[here()]
                               : at == 0x08 ? &M->vmcr
                               : at == 0x10 ? &M->misr
                               : at == 0xf0 ? &M->ap0[0]
                                            : lr;

    if (reg != NULL) {
        *reg = write ? v : *reg;
        return *reg;
    }
    for (unsigned n = 0; n < M->lr_count; n++) {
        empty |= (uint64_t)((M->lr[here()][n] >> 28 & 3) == 0) << n;
    }
    if (write || (at != 0x04 && at != 0x30)) {
        complain("virtual interface control at %#x", at);
    }
    return at == 0x30 ? empty : 0x90000000u | (M->lr_count - 1);
}

static uint64_t access(volatile void *where, unsigned bytes, bool write, uint64_t v)
{
    const char *at = (const char *)where;

    if (write) {
        busy = M->busy_reads;
    }
    if (at >= dist_space && at < dist_space + sizeof(dist_space)) {
        return dist_access((unsigned)(at - dist_space), bytes, write, v);
    }
    if (at >= gicc_space && at < gicc_space + sizeof(gicc_space)) {
        return gicc_access((unsigned)(at - gicc_space), write, v);
    }
    if (at >= gich_space && at < gich_space + sizeof(gich_space)) {
        return gich_access((unsigned)(at - gich_space), write, v);
    }
    if (at >= redist_space && at < redist_space + sizeof(redist_space)) {
        return redist_access((unsigned)(at - redist_space), bytes, write, v);
    }
    abort();
}

/* ICC_SGI1R_EL1 (IHI 0069H 12.2.26). */
static void sgi1r(uint64_t v)
{
    for (unsigned cpu = 0; cpu < GIC_MODEL_CPUS; cpu++) {
        uint64_t id = cpus[cpu]->arch_id;
        bool one = (v >> 48 & 0xff) == (id >> 32 & 0xff) && (v >> 32 & 0xff) == (id >> 16 & 0xff) &&
                   (v >> 16 & 0xff) == (id >> 8 & 0xff) && (v >> 44 & 15) == (id & 0xf0) >> 4 &&
                   (v >> (id & 15) & 1) != 0;
        if ((v >> 40 & 1) != 0 ? cpu != here() : one) {
            sgi(cpu, v >> 24 & 15, here());
        }
    }
}

/* Where a register is kept that only keeps what was written; NULL: it does more, or there is none. */
static uint64_t *plain(const char *name)
{
    static uint64_t other;
    unsigned n;

    if (sscanf(name, "ich_lr%u_el2", &n) == 1 && n < M->lr_count) {
        return &M->lr[here()][n];
    }
    if (sscanf(name, "ich_ap0r%u_el2", &n) == 1 && n < 4) {
        return &M->ap0[n];
    }
    if (sscanf(name, "ich_ap1r%u_el2", &n) == 1 && n < 4) {
        return &M->ap1[n];
    }
    static const char *const others[] = {"icc_sre_el2", "icc_sre_el1", "icc_bpr1_el1"};
    for (unsigned i = 0; i < ARRAY_LEN(others); i++) {
        if (strcmp(name, others[i]) == 0) {
            return &other;
        }
    }
    return strcmp(name, "ich_hcr_el2") == 0    ? &M->ich_hcr[here()]
           : strcmp(name, "ich_misr_el2") == 0 ? &M->misr
           : strcmp(name, "ich_vmcr_el2") == 0 ? &M->vmcr
                                               : NULL;
}

uint64_t fake_sysreg(const char *name, bool write, uint64_t v)
{
    uint64_t *at = plain(name), empty = 0;

    if (at != NULL) {
        *at = write ? v : *at;
        return *at;
    }
    for (unsigned n = 0; n < M->lr_count; n++) {
        empty |= (uint64_t)(M->lr[here()][n] >> 62 == 0) << n;
    }
    if (strcmp(name, "icc_iar1_el1") == 0 && !write) {
        return acknowledge();
    } else if (strcmp(name, "icc_eoir1_el1") == 0 && write) {
        drop((uint32_t)v);
    } else if (strcmp(name, "icc_dir_el1") == 0 && write) {
        deactivate((uint32_t)v);
    } else if (strcmp(name, "icc_sgi1r_el1") == 0 && write) {
        sgi1r(v);
    } else if (strcmp(name, "icc_pmr_el1") == 0 && write) {
        M->pmr[here()] = (uint32_t)v;
    } else if (strcmp(name, "icc_ctlr_el1") == 0) {
        M->cpu_ctlr[here()] =
            write ? (M->cpu_ctlr[here()] & ~2u) | ((uint32_t)v & 2) : M->cpu_ctlr[here()];
        return M->cpu_ctlr[here()];
    } else if (strcmp(name, "icc_igrpen1_el1") == 0 && write) {
        M->cpu_ctlr[here()] = (M->cpu_ctlr[here()] & ~1u) | ((uint32_t)v & 1);
    } else if (strcmp(name, "ich_vtr_el2") == 0 && !write) {
        return (uint64_t)(M->preemption_bits - 1) << 26 | (M->lr_count - 1);
    } else if (strcmp(name, "ich_elrsr_el2") == 0 && !write) {
        return empty;
    } else {
        complain("system register %s", name);
    }
    return 0;
}

void gic_model_boot(unsigned version, unsigned lines)
{
    /* Affinities as boards have them: clusters, more than 16 in one, Aff3. */
    static const uint64_t affinity[GIC_MODEL_CPUS] = {0x0, 0x103, 0x1f, 0x200010002};

    fake_boot(GIC_MODEL_CPUS, 1 << 20);
    *M = (struct gic_model){.version = version,
                            .lines = lines,
                            .lr_count = 4,
                            .preemption_bits = 5,
                            .busy_reads = 3,
                            .stride = 0x20000,
                            .redist_cpus = GIC_MODEL_CPUS,
                            .last_cpu = GIC_MODEL_CPUS - 1};
    for (unsigned cpu = 0; cpu < GIC_MODEL_CPUS; cpu++) {
        cpus[cpu]->arch_id = affinity[cpu];
        M->running[cpu] = NONE;
        M->waker[cpu] = 2;
        for (unsigned n = 0; n < 16; n++) {
            M->lr[cpu][n] = ~0ull;
        }
        for (unsigned i = 0; i < 32; i++) {
            M->private[cpu][i] = (struct gic_line){
                .enabled = true, .active = true, .pending = true, .group1 = version == 2};
        }
    }
    for (unsigned i = 32; i < 1024; i++) {
        M->spi[i] = M->private[0][0];
    }
    fake_mmio_add(mpa(GIC_MODEL_DIST), sizeof(dist_space), dist_space);
    fake_mmio_add(mpa(GIC_MODEL_GICC), sizeof(gicc_space), gicc_space);
    fake_mmio_add(mpa(GIC_MODEL_GICH), sizeof(gich_space), gich_space);
    fake_mmio_add(mpa(GIC_MODEL_REDIST), sizeof(redist_space), redist_space);
    fake_mmio_model = access;
    gic_host = (struct gic_host){.version = version,
                                 .dist = {mpa(GIC_MODEL_DIST), sizeof(dist_space)},
                                 .redist = {{mpa(GIC_MODEL_REDIST), sizeof(redist_space)}},
                                 .redist_count = 1,
                                 .cpu = {mpa(GIC_MODEL_GICC), sizeof(gicc_space)},
                                 .vctrl = {mpa(GIC_MODEL_GICH), sizeof(gich_space)},
                                 .vcpu = {mpa(GIC_MODEL_GICC + 0x10000), 0x2000},
                                 .maintenance_intid = 25};
}

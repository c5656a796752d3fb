/*
 * Model machine: list registers, ICH registers and virtual timer of each CPU, as plain memory. A test
 * that links the drivers of hyp/drivers has theirs instead.
 */
#include <fake.h>
#include <hyp/assert.h>
#include <hyp/vgic.h>

#define WEAK __attribute__((weak))

unsigned fake_lr_count = FAKE_LR_COUNT_DEFAULT;

/* Fields of ICH_LR<n>_EL2 (IHI 0069H 12.4.7). */
#define LR_STATE(lr) ((lr) >> 62)
#define LR_PENDING 1u
#define LR_HW (1ull << 61)
#define LR_EOI_MAINT (1ull << 41)

/* ICH_HCR_EL2 and the ICH_MISR_EL2 bits they enable (IHI 0069H 12.4.4, 12.4.8). */
enum {
    HCR_EN = 1u << 0,
    HCR_UIE = 1u << 1,
    HCR_LRENPIE = 1u << 2,
    HCR_NPIE = 1u << 3,
    MISR_EOI = 1u << 0,
    MISR_U = 1u << 1,
    MISR_LRENP = 1u << 2,
    MISR_NP = 1u << 3,
};

uint32_t fake_vtimer_ctl;
uint64_t fake_vtimer_cval, fake_vtimer_offset;

static struct fake_hw *here(void)
{
    return &fake_hw[this_cpu()->id];
}

WEAK unsigned arch_lr_count(void)
{
    return fake_lr_count;
}

WEAK uint64_t arch_lr_read(unsigned n)
{
    CHECK(n < fake_lr_count);
    here()->lr_reads++;
    return here()->lr[n];
}

WEAK void arch_lr_write(unsigned n, uint64_t lr)
{
    CHECK(n < fake_lr_count);
    here()->lr_writes++;
    here()->lr[n] = lr;
}

WEAK uint64_t arch_lr_empty_mask(void)
{
    uint64_t mask = 0;
    for (unsigned n = 0; n < fake_lr_count; n++) {
        uint64_t lr = here()->lr[n];
        if (LR_STATE(lr) == 0 && ((lr & LR_HW) != 0 || (lr & LR_EOI_MAINT) == 0)) {
            mask |= 1ull << n;
        }
    }
    return mask;
}

WEAK void arch_ich_hcr_write(uint64_t hcr)
{
    here()->ich_hcr = hcr;
}

WEAK uint64_t arch_ich_hcr_read(void)
{
    return here()->ich_hcr;
}

WEAK uint64_t arch_ich_misr_read(void)
{
    uint64_t hcr = here()->ich_hcr, misr = here()->ich_misr_extra;
    unsigned used = 0, pending = 0;
    for (unsigned n = 0; n < fake_lr_count; n++) {
        uint64_t lr = here()->lr[n];
        used += LR_STATE(lr) != 0;
        pending += LR_STATE(lr) == LR_PENDING;
        if (LR_STATE(lr) == 0 && (lr & LR_HW) == 0 && (lr & LR_EOI_MAINT) != 0) {
            misr |= MISR_EOI;
        }
    }
    if ((hcr & HCR_UIE) != 0 && used <= 1) {
        misr |= MISR_U;
    }
    if ((hcr & HCR_LRENPIE) != 0 && (hcr >> 27) != 0) {
        misr |= MISR_LRENP;
    }
    if ((hcr & HCR_NPIE) != 0 && pending == 0) {
        misr |= MISR_NP;
    }
    return (hcr & HCR_EN) != 0 ? misr : 0;
}

bool arch_pmu_line(void)
{
    return fake_pmu_line;
}

WEAK void arch_irq_set_active(uint32_t intid, bool active)
{
    CHECK(intid < ARRAY_LEN(fake_irq_active));
    fake_irq_active[intid] = active;
}

static struct vgic_vif vif[MAX_CPUS];

WEAK void arch_vif_save(struct vgic_vif *to)
{
    *to = vif[this_cpu()->id];
}

WEAK void arch_vif_load(const struct vgic_vif *from)
{
    vif[this_cpu()->id] = *from;
}

WEAK unsigned arch_vif_running_priority(const struct vgic_vif *f)
{
    uint32_t active = f->ap0[0] | f->ap1[0];

    return active != 0 ? (unsigned)__builtin_ctz(active) * 8 : 0x100;
}

struct vgic_vif *fake_vif(unsigned cpu)
{
    return &vif[cpu];
}

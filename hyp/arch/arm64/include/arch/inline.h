/* The inlines of hyp/arch.h for arm64. */
#ifndef ARCH_INLINE_H
#define ARCH_INLINE_H

#include <arch/layout.h>
#include <arch/sysreg.h>
#include <stdint.h>

struct cpu;

/* TPIDR_EL2 holds the CPU's record from the first C instruction on. */
static inline struct cpu *this_cpu(void)
{
    struct cpu *c;
    __asm__("mrs %0, tpidr_el2" : "=r"(c));
    return c;
}

/* The ISB keeps the read from being done early: DDI 0487I.a D11.2.2. */
static inline uint64_t arch_counter_ticks(void)
{
    isb();
    return sysreg_read(cntpct_el0);
}

static inline void arch_relax(void)
{
    __asm__ volatile("wfe" : : : "memory");
}
/* The load that sets this CPU's exclusive monitor makes the store to *at the event that ends the
 * WFE: no SEV is needed. DDI 0487I.a D1.6.1, "WFE wake-up events". */
static inline uint16_t arch_wait_change(const uint16_t *at, uint16_t seen)
{
    uint32_t now;

    __asm__ volatile("ldaxrh %w0, [%1]\n\t"
                     "cmp %w0, %w2\n\t"
                     "b.ne 1f\n\t"
                     "wfe\n"
                     "1:"
                     : "=&r"(now)
                     : "r"(at), "r"(seen)
                     : "memory", "cc");
    return (uint16_t)now;
}
static inline void arch_wake_spinners(void)
{
    __asm__ volatile("dsb ishst\n\tsev" : : : "memory");
}
static inline void arch_mb(void)
{
    dmb(ish);
}
static inline void arch_wmb(void)
{
    dmb(ishst);
}

/* Device registers: one access of that width, which a hypervisor above us could emulate (no writeback). */
#define ARCH_MMIO(bits, suffix, width)                                                      \
    static inline uint##bits##_t arch_mmio_read##bits(const volatile void *at)              \
    {                                                                                       \
        uint64_t v;                                                                         \
        __asm__ volatile("ldr" suffix " %" width "0, [%1]" : "=r"(v) : "r"(at) : "memory"); \
        return (uint##bits##_t)v;                                                           \
    }                                                                                       \
    static inline void arch_mmio_write##bits(volatile void *at, uint##bits##_t v)           \
    {                                                                                       \
        __asm__ volatile("str" suffix " %" width "0, [%1]" : : "r"(v), "r"(at) : "memory"); \
    }
ARCH_MMIO(8, "b", "w")
ARCH_MMIO(32, "", "w")
ARCH_MMIO(64, "", "x")

/* The direct map: hyp/arch/arm64/mmu.c. */
static inline void *arch_ram_va(uint64_t mpa)
{
    return (void *)(DIRECTMAP_VA + mpa);
}
static inline uint64_t arch_ram_mpa(const void *va)
{
    return (uint64_t)va - DIRECTMAP_VA;
}

/* The virtual timer's registers. CTL bits as in CNTV_CTL_EL0: ENABLE, IMASK, ISTATUS. */
static inline uint32_t arch_vtimer_ctl(void)
{
    return (uint32_t)sysreg_read(cntv_ctl_el0);
}
static inline uint64_t arch_vtimer_cval(void)
{
    return sysreg_read(cntv_cval_el0);
}
/* Off: its interrupt line is low when this returns. */
static inline void arch_vtimer_stop(void)
{
    sysreg_write(cntv_ctl_el0, 0);
    isb();
}
/* CTL last, so that the comparator never meets another guest's offset or deadline while enabled. */
static inline void arch_vtimer_start(uint64_t offset_ticks, uint32_t ctl, uint64_t cval)
{
    sysreg_write(cntvoff_el2, offset_ticks);
    sysreg_write(cntv_cval_el0, cval);
    isb();
    sysreg_write(cntv_ctl_el0, ctl);
}

#endif

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
static inline void arch_rmb(void)
{
    dmb(ishld);
}
static inline void arch_wmb(void)
{
    dmb(ishst);
}

static inline uint8_t arch_mmio_read8(const volatile void *at)
{
    uint32_t v;
    __asm__ volatile("ldrb %w0, [%1]" : "=r"(v) : "r"(at) : "memory");
    return (uint8_t)v;
}
static inline uint32_t arch_mmio_read32(const volatile void *at)
{
    uint32_t v;
    __asm__ volatile("ldr %w0, [%1]" : "=r"(v) : "r"(at) : "memory");
    return v;
}
static inline uint64_t arch_mmio_read64(const volatile void *at)
{
    uint64_t v;
    __asm__ volatile("ldr %x0, [%1]" : "=r"(v) : "r"(at) : "memory");
    return v;
}
static inline void arch_mmio_write8(volatile void *at, uint8_t v)
{
    __asm__ volatile("strb %w0, [%1]" : : "r"(v), "r"(at) : "memory");
}
static inline void arch_mmio_write32(volatile void *at, uint32_t v)
{
    __asm__ volatile("str %w0, [%1]" : : "r"(v), "r"(at) : "memory");
}
static inline void arch_mmio_write64(volatile void *at, uint64_t v)
{
    __asm__ volatile("str %x0, [%1]" : : "r"(v), "r"(at) : "memory");
}

/* The direct map: hyp/arch/arm64/mmu.c. */
static inline void *arch_ram_va(uint64_t mpa)
{
    return (void *)(DIRECTMAP_VA + mpa);
}
static inline uint64_t arch_ram_mpa(const void *va)
{
    return (uint64_t)va - DIRECTMAP_VA;
}

#endif

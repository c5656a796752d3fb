/* Inlines of the model machine: one thread of the host plays every CPU in turn. */
#ifndef ARCH_INLINE_H
#define ARCH_INLINE_H

#include <stdint.h>

struct cpu;
extern struct cpu *fake_cpu;        /* the CPU whose turn it is */
extern uint64_t fake_counter_ticks; /* time, advanced by the test */

static inline struct cpu *this_cpu(void)
{
    return fake_cpu;
}
static inline uint64_t arch_counter_ticks(void)
{
    return fake_counter_ticks;
}
static inline void arch_relax(void)
{
}
static inline uint16_t arch_wait_change(const uint16_t *at, uint16_t seen)
{
    return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}
static inline void arch_wake_spinners(void)
{
}
static inline uint8_t arch_mmio_read8(const volatile void *at)
{
    return *(const volatile uint8_t *)at;
}
static inline uint32_t arch_mmio_read32(const volatile void *at)
{
    return *(const volatile uint32_t *)at;
}
static inline uint64_t arch_mmio_read64(const volatile void *at)
{
    return *(const volatile uint64_t *)at;
}
static inline void arch_mmio_write8(volatile void *at, uint8_t v)
{
    *(volatile uint8_t *)at = v;
}
static inline void arch_mmio_write32(volatile void *at, uint32_t v)
{
    *(volatile uint32_t *)at = v;
}
static inline void arch_mmio_write64(volatile void *at, uint64_t v)
{
    *(volatile uint64_t *)at = v;
}
extern uint8_t *fake_arena; /* RAM from machine address FAKE_RAM_BASE on */
static inline void *arch_ram_va(uint64_t mpa)
{
    return fake_arena + (mpa - 0x40000000ull);
}
static inline uint64_t arch_ram_mpa(const void *va)
{
    return (uint64_t)((const uint8_t *)va - fake_arena) + 0x40000000ull;
}
static inline void arch_mb(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
static inline void arch_rmb(void)
{
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
}
static inline void arch_wmb(void)
{
    __atomic_thread_fence(__ATOMIC_RELEASE);
}

#endif

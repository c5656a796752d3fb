/* Inlines of the model machine: one thread of the host plays every CPU in turn. */
#ifndef ARCH_INLINE_H
#define ARCH_INLINE_H

#include <stdbool.h>
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
/* Device registers are plain memory, or what a test's device model says (fake_mmio_model). */
extern uint64_t (*fake_mmio_model)(volatile void *at, unsigned bytes, bool write, uint64_t v);
#define FAKE_MMIO(bits)                                                                          \
    static inline uint##bits##_t arch_mmio_read##bits(const volatile void *at)                   \
    {                                                                                            \
        return fake_mmio_model ? (uint##bits##_t)fake_mmio_model((void *)at, bits / 8, false, 0) \
                               : *(const volatile uint##bits##_t *)at;                           \
    }                                                                                            \
    static inline void arch_mmio_write##bits(volatile void *at, uint##bits##_t v)                \
    {                                                                                            \
        if (fake_mmio_model) {                                                                   \
            fake_mmio_model(at, bits / 8, true, v);                                              \
        } else {                                                                                 \
            *(volatile uint##bits##_t *)at = v;                                                  \
        }                                                                                        \
    }
FAKE_MMIO(8)
FAKE_MMIO(32)
FAKE_MMIO(64)
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
static inline void arch_wmb(void)
{
    __atomic_thread_fence(__ATOMIC_RELEASE);
}

/* The virtual timer: three variables and fake_counter_ticks. */
extern uint32_t fake_vtimer_ctl; /* ENABLE and IMASK */
extern uint64_t fake_vtimer_cval, fake_vtimer_offset;

static inline uint32_t arch_vtimer_ctl(void)
{
    uint32_t met = fake_counter_ticks - fake_vtimer_offset >= fake_vtimer_cval ? 4u : 0u;
    return fake_vtimer_ctl | ((fake_vtimer_ctl & 1u) != 0 ? met : 0u);
}
static inline uint64_t arch_vtimer_cval(void)
{
    return fake_vtimer_cval;
}
static inline void arch_vtimer_stop(void)
{
    fake_vtimer_ctl = 0;
}
static inline void arch_vtimer_start(uint64_t offset_ticks, uint32_t ctl, uint64_t cval)
{
    fake_vtimer_offset = offset_ticks;
    fake_vtimer_cval = cval;
    fake_vtimer_ctl = ctl & 3u;
}

#endif

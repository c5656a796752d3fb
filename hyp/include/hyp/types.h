/*
 * The words everything in the hypervisor is written in.
 *
 * Addresses and frame numbers are one-word structs: they cost nothing in code
 * and cannot be swapped by accident. gpa/gfn: guest physical; mpa/mfn:
 * machine. Frames are 4 KiB. Time inside the hypervisor is counted in ticks
 * of the architecture's counter (`_ticks`); nanoseconds exist only where a
 * configuration or an ABI speaks them (`_ns`).
 */
#ifndef HYP_TYPES_H
#define HYP_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xen/xen.h> /* domid_t, DOMID_SELF ... */

#define FRAME_SHIFT 12
#define FRAME_SIZE (1ul << FRAME_SHIFT)
#define FRAME_MASK (FRAME_SIZE - 1)

/* gpa_t with gpa() that makes one, and so on. */
#define ADDRESS_TYPE(name)                  \
    typedef struct {                        \
        uint64_t v;                         \
    } name##_t;                             \
    static inline name##_t name(uint64_t v) \
    {                                       \
        return (name##_t){v};               \
    }
ADDRESS_TYPE(gpa)
ADDRESS_TYPE(mpa)
ADDRESS_TYPE(gfn)
ADDRESS_TYPE(mfn)

static inline gfn_t gpa_gfn(gpa_t a)
{
    return gfn(a.v >> FRAME_SHIFT);
}
static inline mfn_t mpa_mfn(mpa_t a)
{
    return mfn(a.v >> FRAME_SHIFT);
}
static inline mpa_t mfn_mpa(mfn_t f)
{
    return mpa(f.v << FRAME_SHIFT);
}

#define MFN_NONE ((mfn_t){~0ull})

#define static_assert _Static_assert
#define must_check __attribute__((warn_unused_result))
#define noreturn_fn __attribute__((noreturn))
#define printf_like(f, a) __attribute__((format(printf, f, a)))
#define cold __attribute__((__cold__, __noinline__))
/* What only the boot CPU uses before guests run; its memory is given back then. */
#define __init __attribute__((section(".init.text"), __cold__))
#define __initdata __attribute__((section(".init.data")))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
/* Variables that are written before they are read, where zeroing them too would be half the cost of a call. */
#if defined(__GNUC__) && !defined(__clang__)
#define NOT_ZEROED __attribute__((uninitialized))
#else
#define NOT_ZEROED
#endif
/* In a loop of a round or two: the two pointers walk as they are, no other indices are set up for them. */
#define WALK(a, b) __asm__("" : "+r"(a), "+r"(b))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

#define MAX_CPUS 64        /* physical CPUs the hypervisor drives */
#define MAX_VCPUS 64       /* vCPUs of one domain */
#define MAX_DOMAINS 1536   /* domain numbers in use at once */
#define DOMAIN_NAME_LEN 32 /* with its terminating zero */

/* Time with no end: a deadline that never comes. */
#define TICKS_NEVER (~0ull)

#endif

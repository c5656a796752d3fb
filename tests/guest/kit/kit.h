/*
 * The guest kit: what a test program needs to live alone at EL1.
 *
 * A guest is one .c file with `void guest_main(void)` and, at its top, what
 * right and wrong look like. The kit gives it a console, TAP output, an
 * interrupt controller (GICv3 or GICv2, whatever the device tree says), the
 * timers, secondary vCPUs by PSCI, caught exceptions and Xen hypercalls. The
 * same image runs on Bulkhead, on stock Xen and on bare hardware at EL1: the
 * last is the oracle for "as hardware does".
 *
 * Nothing here is shared with the hypervisor on purpose. A mistake in a shared
 * constant would be made by both sides of the test.
 */
#ifndef KIT_KIT_H
#define KIT_KIT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define KIT_CPUS 8
#define KIT_PAGE 4096ul

/* --- System registers and barriers --- */
#define KIT_STR_(x) #x
#define KIT_STR(x) KIT_STR_(x)
#define read_sysreg(name)                                                    \
    ({                                                                       \
        u64 value_;                                                          \
        __asm__ volatile("mrs %0, " KIT_STR(name) : "=r"(value_)::"memory"); \
        value_;                                                              \
    })
#define write_sysreg(name, value) \
    __asm__ volatile("msr " KIT_STR(name) ", %x0" ::"rZ"((u64)(value)) : "memory")
#define isb() __asm__ volatile("isb" ::: "memory")
#define dsb() __asm__ volatile("dsb sy" ::: "memory")
#define barrier() __asm__ volatile("" ::: "memory")
#define wfi() __asm__ volatile("dsb sy\n\twfi" ::: "memory")
/* A polite spin: under -icount QEMU 7.2 only gives another CPU its turn at YIELD, WFE or WFI. */
#define relax() __asm__ volatile("yield" ::: "memory")
#define irq_on() __asm__ volatile("msr daifclr, #2" ::: "memory")
#define irq_off() __asm__ volatile("msr daifset, #2" ::: "memory")

static inline u32 mmio_read32(u64 address)
{
    u32 value;
    __asm__ volatile("ldr %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static inline void mmio_write32(u64 address, u32 value)
{
    __asm__ volatile("str %w0, [%1]" ::"rZ"(value), "r"(address) : "memory");
}

static inline u64 mmio_read64(u64 address)
{
    u64 value;
    __asm__ volatile("ldr %0, [%1]" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static inline void mmio_write64(u64 address, u64 value)
{
    __asm__ volatile("str %x0, [%1]" ::"rZ"(value), "r"(address) : "memory");
}

static inline u8 mmio_read8(u64 address)
{
    u8 value;
    __asm__ volatile("ldrb %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
    return value;
}

static inline void mmio_write8(u64 address, u8 value)
{
    __asm__ volatile("strb %w0, [%1]" ::"rZ"(value), "r"(address) : "memory");
}

/* --- The guest's side of the contract --- */
void guest_main(void);
extern const unsigned guest_flags; /* GUEST_*; 0 unless the guest defines it */
#define GUEST_MMU_OFF 1u           /* leave the MMU and caches off */
#define GUEST_NO_GIC 2u            /* do not touch the interrupt controller before guest_main */

/* --- What the device tree says (start.c) --- */
struct machine {
    const void *fdt;
    bool xen;      /* /hypervisor says xen,xen, or Xen's hypercall answers */
    bool psci_hvc; /* conduit: hvc, else smc */
    unsigned cpu_count;
    u64 mpidr[KIT_CPUS];
    u64 ram_base, ram_size; /* first bank */
    u64 ram2_base, ram2_size;
    u64 uart; /* 0: none */
    u32 uart_irq;
    bool uart_sbsa;
    unsigned gic; /* 2 or 3 */
    u64 gicd, gicr, gicc;
    u64 gicr_size;
    u32 timer_irq[4]; /* secure, non-secure physical, virtual, hypervisor; 0: absent */
    u32 event_irq;    /* Xen's event channel PPI, 0: none told */
    u64 grant_base, grant_size;
    char bootargs[128];
};
extern struct machine machine;

/* --- Output (print.c, tap.c) --- */
/* %d %u %x %s %c %p with l/ll, width and zero padding; returns characters written. */
int kit_vformat(char *buffer, size_t size, const char *format, va_list args);
int kit_format(char *buffer, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* One whole line, "NAME: " before it and a newline after it. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "NAME: # ...": a remark, ignored by comparisons of transcripts. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A TAP result. The text must not depend on the machine. Returns `good`. */
bool ok(bool good, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* ok(got == want), with both values as a remark when they differ. */
bool is(u64 got, u64 want, const char *format, ...) __attribute__((format(printf, 3, 4)));
void skip(const char *why, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A sign of life; the runner counts these and measures the time between them. */
void heartbeat(void);
/* Print the plan and power off; never returns. */
_Noreturn void guest_end(void);
_Noreturn void guest_die(const char *why);
void console_put(char c);
extern bool console_hypercall; /* write by console_io instead of the PL011 */
bool str_equal(const char *a, const char *b);
bool str_starts(const char *text, const char *start);
/* Seeded xorshift64*; the same sequence everywhere. */
u64 kit_random(u64 *state);
/* A number from the command line: "name=123" or "name=0x7b"; `otherwise` if absent. */
u64 bootarg_u64(const char *name, u64 otherwise);

/* --- Device tree (fdt.c). Nodes are offsets into the structure block; negative: none. --- */
int fdt_find_path(const void *fdt, const char *path);
int fdt_find_compatible(const void *fdt, int after, const char *compatible);
int fdt_first_child(const void *fdt, int node);
int fdt_next_sibling(const void *fdt, int node);
const char *fdt_node_name(const void *fdt, int node);
const void *fdt_prop(const void *fdt, int node, const char *name, u32 *length);
u32 fdt_prop_u32(const void *fdt, int node, const char *name, unsigned index, u32 otherwise);
/* `cells` 32-bit big-endian cells at `cell`, as one number. */
u64 fdt_cells(const void *prop, unsigned cell, unsigned cells);
bool fdt_is_compatible(const void *fdt, int node, const char *compatible);
/* Head, totalsize and structure make sense from end to end. */
bool fdt_check(const void *fdt);

/* --- Exceptions (head.S, exception.c) --- */
struct frame {
    u64 x[31];
    u64 sp;
    u64 elr, spsr, esr, far;
};
struct fault {
    bool taken;
    u64 esr, far, elr, spsr;
};
#define ESR_EC(esr) (((esr) >> 26) & 0x3f)
#define EC_UNKNOWN 0x00
#define EC_FP 0x07
#define EC_ILLEGAL 0x0e
#define EC_SVC64 0x15
#define EC_HVC64 0x16
#define EC_SMC64 0x17
#define EC_SYSREG 0x18
#define EC_IABT_SAME 0x21
#define EC_PC_ALIGN 0x22
#define EC_DABT_SAME 0x25
#define EC_SP_ALIGN 0x26
#define EC_BREAKPOINT_SAME 0x31
#define EC_STEP_SAME 0x33
#define EC_WATCHPOINT_SAME 0x35
#define EC_BRK64 0x3c
/* Run fn(arg); a synchronous exception ends it and is returned. */
struct fault expect_fault(void (*fn)(void *), void *arg);
/* While on, a synchronous exception is recorded in `last_fault` and the instruction skipped. */
void skip_faults(bool on);
extern struct fault last_fault[KIT_CPUS];
extern u64 fault_count[KIT_CPUS];
/* Sees a synchronous exception first; returning true means handled (frame may be changed). */
extern bool (*sync_hook)(struct frame *frame);
/* Called for an acknowledged interrupt, before its end of interrupt. */
extern void (*irq_hook)(u32 intid);
/* If set, called instead: nothing is acknowledged for it. */
extern void (*irq_raw_hook)(struct frame *frame);
extern void (*serror_hook)(struct frame *frame);

/* --- CPUs (smp.c) --- */
unsigned cpu_id(void);
u64 psci_call(u64 function, u64 a1, u64 a2, u64 a3);
struct smccc_result {
    u64 x[4];
};
struct smccc_result smccc_hvc(u64 function, u64 a1, u64 a2, u64 a3);
struct smccc_result smccc_smc(u64 function, u64 a1, u64 a2, u64 a3);
/* Start fn(arg) on vCPU `cpu`; returns PSCI's answer. fn returning turns the vCPU off. */
s64 cpu_start(unsigned cpu, void (*fn)(void *), void *arg);
/* Wait until AFFINITY_INFO says off; false after about a second. */
bool cpu_wait_off(unsigned cpu);
void secondary_entry(void); /* for tests that call CPU_ON themselves; context = struct kit_cpu */
#define PSCI_VERSION 0x84000000u
#define PSCI_CPU_SUSPEND 0xc4000001u
#define PSCI_CPU_OFF 0x84000002u
#define PSCI_CPU_ON 0xc4000003u
#define PSCI_CPU_ON32 0x84000003u
#define PSCI_AFFINITY_INFO 0xc4000004u
#define PSCI_MIGRATE_INFO_TYPE 0x84000006u
#define PSCI_SYSTEM_OFF 0x84000008u
#define PSCI_SYSTEM_RESET 0x84000009u
#define PSCI_FEATURES 0x8400000au
#define PSCI_SYSTEM_SUSPEND 0xc400000eu
#define SMCCC_VERSION 0x80000000u
#define SMCCC_ARCH_FEATURES 0x80000001u
#define SMCCC_WORKAROUND_1 0x80008000u

/* --- Interrupt controller (gic.c) --- */
void gic_init_dist(void);
void gic_init_cpu(void);
/* Address of register `offset` + the word for `intid` with `bits` bits per interrupt: the
 * redistributor of the calling CPU for SGIs and PPIs on GICv3, else the distributor. */
u64 gic_reg(u32 intid, u32 offset, unsigned bits);
void gic_enable(u32 intid);
void gic_disable(u32 intid);
void gic_priority(u32 intid, u8 priority);
u8 gic_priority_of(u32 intid);
void gic_edge(u32 intid, bool edge);
void gic_pend(u32 intid);
void gic_unpend(u32 intid);
bool gic_is_pending(u32 intid);
bool gic_is_active(u32 intid);
void gic_set_active(u32 intid, bool active);
u32 gic_ack(void);
void gic_eoi(u32 intid);
void gic_dir(u32 intid);
void gic_eoi_mode(bool split);
void gic_pmr(u8 mask);
void gic_sgi(u32 cpu_mask, u32 intid); /* bit n: vCPU n */
void gic_sgi_others(u32 intid);
#define GIC_SPURIOUS 1023u
#define GICD_CTLR 0x000
#define GICD_TYPER 0x004
#define GICD_IGROUPR 0x080
#define GICD_ISENABLER 0x100
#define GICD_ICENABLER 0x180
#define GICD_ISPENDR 0x200
#define GICD_ICPENDR 0x280
#define GICD_ISACTIVER 0x300
#define GICD_ICACTIVER 0x380
#define GICD_IPRIORITYR 0x400
#define GICD_ITARGETSR 0x800
#define GICD_ICFGR 0xc00
#define GICD_SGIR 0xf00
#define GICD_IROUTER 0x6000
#define ICC_IAR1 S3_0_C12_C12_0
#define ICC_EOIR1 S3_0_C12_C12_1
#define ICC_HPPIR1 S3_0_C12_C12_2
#define ICC_BPR1 S3_0_C12_C12_3
#define ICC_CTLR S3_0_C12_C12_4
#define ICC_SRE S3_0_C12_C12_5
#define ICC_IGRPEN1 S3_0_C12_C12_7
#define ICC_DIR S3_0_C12_C11_1
#define ICC_SGI1R S3_0_C12_C11_5
#define ICC_RPR S3_0_C12_C11_3
#define ICC_PMR S3_0_C4_C6_0
#define ICC_AP1R0 S3_0_C12_C9_0

/* --- Time --- */
static inline u64 ticks(void)
{
    isb();
    return read_sysreg(cntvct_el0);
}
u64 tick_rate(void); /* per second */
u64 us_to_ticks(u64 us);
void delay_us(u64 us); /* spins politely */
/* Spin until *word != value or the time is over; true if it changed. */
bool wait_change(volatile u32 *word, u32 value, u64 timeout_us);

/* --- Memory (mmu.c) --- */
void mmu_on(void); /* identity map, caches on; called by the kit unless GUEST_MMU_OFF */
void mmu_off(void);
extern u64 mmu_l1[512];
/* First byte after the image, page aligned: the guest's own from here to the end of RAM. */
u64 heap_start(void);
void *heap_pages(unsigned count);
void sync_code(void *start, size_t size); /* after writing instructions */

/* --- Xen (xen.h has the numbers) --- */
s64 hypercall(u64 number, u64 a0, u64 a1, u64 a2, u64 a3);
s64 hypercall5(u64 number, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4);

void *memset(void *to, int value, size_t size);
void *memcpy(void *to, const void *from, size_t size);
int memcmp(const void *a, const void *b, size_t size);

#endif

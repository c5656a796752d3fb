/*
 * The model machine, as tests see it: turn its time, look at what the code
 * under test did to it, and make it fail.
 *
 * One thread of the host plays every CPU in turn (fake_run_on). Everything is
 * plain memory; fake_boot() makes a fresh machine. Symbols of hypervisor
 * components that a test does not link have weak defaults here
 * (defaults.c) that record the call in `fake_calls`.
 */
#ifndef ARCH_FAKE_H
#define ARCH_FAKE_H

#include <hyp/arch.h>
#include <hyp/cpu.h>
#include <hyp/domain.h>
#include <setjmp.h>

#define FAKE_RAM_BASE 0x40000000ull /* machine address of the arena */
#define FAKE_HZ 62500000ull
#define FAKE_LR_COUNT_DEFAULT 4u
#define FAKE_LRS 16

/* A machine with `cpu_count` CPUs, CPU 0 having its turn, time 1000 and `ram_bytes` of RAM (0:
 * none). RAM is given to the frame allocator if that is linked. Everything recorded before is
 * forgotten. */
void fake_boot(unsigned cpu_count, uint64_t ram_bytes);
/* Give CPU `id` its turn; returns it. */
struct cpu *fake_run_on(unsigned id);
/* Let time pass. */
void fake_advance(uint64_t ticks);

/* RAM. The arena is reserved, not committed: gigabytes cost nothing until touched. */
void *fake_ram(mpa_t at); /* aborts outside the arena */
uint64_t fake_ram_bytes(void);
uint64_t fake_ram_end(void);   /* machine address */
void fake_zero_watch(bool on); /* count zeroing only: contents stay (for timing big machines) */
extern void (*fake_scrubbing)(
    void);                         /* called while pages are scrubbed: what another CPU does then */
extern uint64_t fake_zeroed_bytes; /* by arch_zero_pages() */

/* Device registers: arch_map_mmio(at) returns `registers`: plain memory, unless a test sets
 * fake_mmio_model (arch/inline.h), which then plays them all. */
void fake_mmio_add(mpa_t at, uint64_t size_bytes, void *registers);

/* EL1 runs AArch32 code. */
extern bool fake_aarch32;

/* What a CPU's hardware holds. */
struct fake_hw {
    uint64_t timer_deadline_ticks; /* TICKS_NEVER: off */
    uint32_t timer_programs;       /* how often the comparator was written */
    uint32_t kicks;                /* arch_cpu_kick() received */
    uint64_t lr[FAKE_LRS];         /* ICH_LR<n>_EL2 */
    uint64_t ich_hcr;
    uint64_t ich_misr_extra; /* or-ed into what is computed from lr[] and ich_hcr */
    uint32_t lr_writes, lr_reads;
};
extern struct fake_hw fake_hw[MAX_CPUS];
extern unsigned fake_lr_count;
struct vgic_vif;
struct vgic_vif *fake_vif(unsigned cpu); /* what arch_vif_load() left there */

/* Physical interrupts: what arch_irq_set_*() left. */
extern uint8_t fake_irq_active[1024], fake_irq_enabled[1024];
extern bool fake_pmu_line; /* what arch_pmu_line() says */

/* Caches: bytes cleaned and synchronised since boot. */
extern uint64_t fake_cleaned_bytes, fake_synced_bytes;

/* Calls that weak defaults record. */
struct fake_calls {
    unsigned vcpu_notify, sched_wake, sched_block, sched_yield, sched_pause, sched_unpause,
        cpu_kick;
    unsigned domain_shutdown, timer_set, timer_cancel;
    uint32_t notify_bits;        /* or of all vcpu_notify() arguments */
    struct vcpu *notified;       /* the last one */
    enum shutdown_reason reason; /* the last one */
    char log[4096];              /* text of log_line, log_warn, dlog: newest last */
};
extern struct fake_calls fake_calls;

/* A zeroed domain in the table that the weak domain_get() looks into; vCPUs allocated, on CPU
 * n modulo count. */
struct domain *fake_domain(domid_t id, const char *name, unsigned vcpu_count);
void fake_domain_free(struct domain *d);
void fake_domain_free_all(void);

/* Flat guest memory for tests without p2m: the weak guest_read/write find gpa x at arena
 * address x. */

/*
 * FAKE_EXPECT_ASSERT(statement): true if it runs into a failing CHECK or ASSERT; what failed is in
 * fake_assert_what. Locks taken inside are forgotten.
 */
extern jmp_buf *fake_assert_jump;
extern char fake_assert_what[256];
#define FAKE_EXPECT_ASSERT(statement)      \
    ({                                     \
        jmp_buf fake_jump_;                \
        volatile bool fake_failed_ = true; \
        fake_assert_what[0] = 0;           \
        fake_assert_jump = &fake_jump_;    \
        if (setjmp(fake_jump_) == 0) {     \
            statement;                     \
            fake_failed_ = false;          \
        }                                  \
        fake_assert_jump = NULL;           \
        fake_locks_forget();               \
        fake_failed_;                      \
    })

/* Locks, if hyp/core/lock.c is not linked: held ones of all CPUs. */
unsigned fake_locks_held(void);
void fake_locks_forget(void);

/*
 * Stage 2 as hardware remembers it (stage2.c). The model is pessimistic: an entry is in the TLB
 * from the moment it can be walked to until an invalidation covers it. These break a running test
 * through assert_failed():
 *   - a valid entry replaced by another one without break and invalidation
 *     (rights alone may change in place, then an invalidation must follow);
 *   - a page zeroed or reused while a TLB or walk cache still leads to it.
 * fake_tlb_check(d) is for the end of an operation: nothing stale, nothing unpublished.
 */
void fake_tlb_check(struct domain *d);
unsigned fake_tlb_stale(struct domain *d); /* entries that an invalidation is owed for */
/* A TLB entry or walk cache of d (NULL: of any) holds one of [m, m+count). */
bool fake_tlb_reaches(struct domain *d, mfn_t m, uint64_t count);
void fake_tlb_forget(struct domain *d); /* before a test throws its tables away */
extern unsigned fake_flush_count, fake_publish_count;
extern bool fake_flush_broken; /* test hook: invalidations do nothing */

/* What a guest access would do now: walk the tables. False: stage-2 fault. */
bool fake_guest_translate(struct domain *d, gpa_t at, bool write, mpa_t *out);

#endif

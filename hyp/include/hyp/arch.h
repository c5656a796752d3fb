/*
 * What each architecture supplies, and all that pure code may know of the
 * machine. arch/X/include/arch/inline.h holds the inlines that must cost
 * nothing (this_cpu, counter, barriers); the rest is linked. arch/fake is a
 * model machine for the host that implements all of it.
 */
#ifndef HYP_ARCH_H
#define HYP_ARCH_H

#include <hyp/types.h>

struct cpu;
struct domain;
struct p2m;
struct vcpu;
struct vgic_vif;

#include <arch/inline.h>
/*
 * static inline struct cpu *this_cpu(void);
 * static inline uint64_t arch_counter_ticks(void);       monotonic, same on all CPUs
 * static inline void arch_relax(void);                   inside spin loops: WFE or YIELD
 * static inline uint16_t arch_wait_change(const uint16_t *at, uint16_t seen);  *at (acquire), after a wait if it is `seen`
 * static inline void arch_wake_spinners(void);           SEV after the store that ends a wait
 * static inline uint32_t arch_mmio_read32(const volatile void *at), and 8, 64; arch_mmio_write32(at, v), and 8, 64
 * static inline void *arch_ram_va(uint64_t mpa), uint64_t arch_ram_mpa(const void *va);  the direct map of all RAM
 * static inline void arch_mb(void), arch_wmb(void);   between CPUs, inner shareable
 * static inline uint32_t arch_vtimer_ctl(void), uint64_t arch_vtimer_cval(void), void arch_vtimer_stop(void),
 * void arch_vtimer_start(offset_ticks, ctl, cval);                the virtual timer's registers
 */

/* Time. */
uint64_t arch_counter_hz(void);
void arch_timer_program(uint64_t deadline_ticks); /* this CPU's comparator; TICKS_NEVER: off */

/* Map device registers into the hypervisor, at boot; never unmapped. NULL if out of space. */
void *arch_map_mmio(mpa_t at, uint64_t size_bytes);
/* A readable mapping of boot modules and the board's tree, which are RAM; valid for ever. */
const void *arch_map_ram(mpa_t at, uint64_t size_bytes);

/* A number from the CPU's own generator; false if it has none, or none just now. */
bool arch_random(uint64_t *out);

/* True if EL1 of this machine runs AArch32 code. */
bool arch_has_aarch32(void);
/*
 * Set the first state of an offline vCPU: all registers at their reset values, MMU and caches off,
 * interrupts masked, at `pc` with `args[0..2]` in x0..x2 (r0..r2 in AArch32).
 */
void arch_vcpu_set_entry(struct vcpu *v, gpa_t pc, const uint64_t args[3], bool aarch32);

/* Machine memory the hypervisor's image occupies, [*start, *end). */
void arch_image_range(mpa_t *start, mpa_t *end);

/* Send the IPI interrupt to another CPU; the bits are already in c->ipi. */
void arch_cpu_kick(struct cpu *c);
/* The machine stops: this CPU masks everything and sleeps for ever. */
noreturn_fn void arch_park(void);

/*
 * Stage 2. Three levels of 512 entries below a concatenated root; level 1: 1 GiB, 2: 2 MiB, 3: 4 KiB.
 * The encoding is inlines in <arch/stage2.h>, which p2m.c and the checker include:
 *
 * typedef uint64_t s2_pte_t;                              0 is an invalid entry: a zeroed page is an empty table
 * unsigned arch_s2_root_order(void);                      frames of the root, as an order
 * unsigned arch_s2_address_bits(void);                    guest physical address size
 * s2_pte_t arch_s2_leaf(mfn_t m, unsigned p2m_type, unsigned level);
 * s2_pte_t arch_s2_table(mfn_t m);
 * bool arch_s2_valid(s2_pte_t e);
 * bool arch_s2_is_table(s2_pte_t e, unsigned level);      level of the table that holds e
 * mfn_t arch_s2_mfn(s2_pte_t e);
 * unsigned arch_s2_type(s2_pte_t e);                      enum p2m_type, kept in software bits
 * void arch_s2_write(struct domain *d, s2_pte_t *slot, s2_pte_t e);
 *     One single-copy atomic store with release semantics: what was written to a new table before is
 *     seen by walkers that come through it.
 * void arch_s2_publish(void);
 *     After the last write that made entries valid: walkers of all CPUs see them (DSB ISHST).
 */
/* Invalidate [at, at+count) of this domain on all CPUs, leaf entries or also tables; begins with what
 * arch_s2_publish() does and returns when done. Cheap if the domain's VMID was never loaded. */
void arch_s2_flush(struct domain *d, gfn_t at, uint64_t count, bool tables_too);

/* memcpy() between places in RAM that are not aligned to each other, which lib/string.c does by bytes. */
void arch_copy_unaligned(void *restrict to, const void *restrict from, size_t size);
/* Zero whole pages of RAM (DC ZVA); the caller owns them and no stage 2 leads to them. */
void arch_zero_pages(void *va, uint64_t size_bytes);
/* The same, and clean it to memory, where somebody with his caches off would look. */
void arch_scrub_pages(void *va, uint64_t size_bytes);

/* Caches: make what we wrote visible to a guest that runs with its caches off; and then to its instruction fetch. */
void arch_clean_to_poc(const void *va, size_t size_bytes);
void arch_sync_icache(const void *va, size_t size_bytes);

/* Interrupt controller's virtual interface of this CPU, in the GICv3 encoding of ICH_LR<n>_EL2. */
unsigned arch_lr_count(void);
uint64_t arch_lr_read(unsigned n);
void arch_lr_write(unsigned n, uint64_t lr);
uint64_t arch_lr_empty_mask(void); /* ICH_ELRSR_EL2 */
/* ICH_HCR_EL2 encoding: En, UIE, LRENPIE, NPIE, EOIcount ... */
void arch_ich_hcr_write(uint64_t hcr);
uint64_t arch_ich_hcr_read(void);
uint64_t arch_ich_misr_read(void);
/* VMCR and active priorities of the virtual CPU interface, from and to the registers. */
void arch_vif_save(struct vgic_vif *to);
void arch_vif_load(const struct vgic_vif *from);
/* Of what the guest was handling when `vif` was saved; 0x100: nothing. */
unsigned arch_vif_running_priority(const struct vgic_vif *vif);

/* Does the loaded vCPU's PMU want its overflow interrupt? */
bool arch_pmu_line(void);

/* Physical interrupts that belong to a guest. */
void arch_irq_set_active(uint32_t intid, bool active);

/* vCPU registers. MPIDR_EL1 of vCPU n. */
uint64_t arch_vcpu_mpidr(uint32_t vcpu_id);
/* The current vCPU, an AArch64 one, cannot change its translation registers until it is reset. */
void arch_vcpu_fix_translation(struct vcpu *v);
/* Free what it holds besides the vCPU's page; it is loaded nowhere and never will be. */
void arch_vcpu_destroy(struct vcpu *v);
/* The machine address behind a virtual address of the current vCPU; false if an access would fault. */
bool arch_guest_va_to_mpa(struct vcpu *v, uint64_t va, bool write, mpa_t *out);
/* Registers as domctl has them, of a vCPU that no CPU has loaded. Set: all, from reset; -XEN_EINVAL: a
 * mode that is no guest's, or not of its width. */
struct vcpu_guest_context;
void arch_vcpu_get_context(const struct vcpu *v, struct vcpu_guest_context *to);
must_check int arch_vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *from,
                                     bool aarch32);
/* The registers as they are now, for a crash record; `v` may be loaded here or nowhere. */
struct crash_record;
void arch_vcpu_snapshot(const struct vcpu *v, struct crash_record *to);

/* Switch the machine off, or start it anew. */
noreturn_fn void arch_power(bool reset);

#endif

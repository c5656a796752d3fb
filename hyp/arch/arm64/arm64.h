/* Private to hyp/arch/arm64: what its files share. */
#ifndef ARM64_H
#define ARM64_H

#include <xen/errno.h>
#include <arch/layout.h>
#include <arch/sysreg.h>
#include <hyp/cpu.h>
#include <hyp/domain.h>

/* Set by the linker script. */
extern char image_start[], text_start[], text_end[], rodata_start[], rodata_end[];
extern char init_text_start[], init_text_end[], init_data_start[], init_data_end[];
extern char data_start[], bss_start[], bss_end[], image_end[];

/* mmu.c */
extern uint64_t image_pa; /* [const] where the loader put image_start */
extern uint64_t root_table[];
uint64_t boot_tables(uint64_t base);
int mmu_map_ram(uint64_t start, uint64_t end);
void mmu_frames_ready(void);
void *mmu_map_stack(uint32_t cpu_id);
void mmu_drop_boot(void);
uint64_t hva_pa(const void *va);

/* head.S, entry.S */
extern char secondary_entry[];
noreturn_fn void enter_guests(void);

/* boot.c, smp.c */
noreturn_fn void boot_main(uint64_t fdt_pa);
noreturn_fn void secondary_main(void);
struct tree;
struct cpu *cpu_create(uint32_t id, uint64_t mpidr);
void cpu_init_el2(void);
uint32_t smp_start(const struct tree *t);
int64_t host_psci(uint64_t fn, uint64_t a, uint64_t b, uint64_t c);
int host_psci_probe(const struct tree *t);

/* vcpu.c */
void vcpu_load(struct vcpu *v);
void vcpu_unload(struct vcpu *v);
void vcpu_fp_take(struct vcpu *v);
void vcpu_set_hcr(struct vcpu *v, uint64_t hcr);
void vcpu_see_serror(struct vcpu *v);

/* vmid.c */
void vmid_init(void);
void vmid_load(struct domain *d);
uint64_t arch_vttbr(struct domain *d); /* root and VMID */

/* stage2.c */
uint64_t arch_vtcr(void);

/* debug.c: self-hosted debug and PMU, given to a guest on first use */
void debug_init_cpu(void);
bool debug_take(struct vcpu *v);
bool pmu_take(struct vcpu *v);
void debug_unload(struct vcpu *v);
void debug_load(struct vcpu *v);

/* trap.c */
struct vcpu *exit_work(struct vcpu *v);
void trap_hvc(struct vcpu *v, uint64_t esr);
void trap_data_abort(struct vcpu *v, uint64_t esr);
void trap_sysreg(struct vcpu *v, uint64_t esr);
void trap_sync(struct vcpu *v, uint64_t esr);
void trap_serror(struct vcpu *v, uint64_t esr);
noreturn_fn void el2_exception(const unsigned long long *regs);

/* spsr32.c: the current AArch32 mode's SPSR, where the machine hides it */
void spsr32_init(void);
void spsr32_expose(uint64_t mode);
void spsr32_enter(uint64_t mode);

/* sysreg.c: true if done, false if the guest gets an undefined instruction */
bool sysreg_trap(struct vcpu *v, uint64_t esr);
bool cp15_trap(struct vcpu *v, uint64_t esr, bool wide);
bool cp10_trap(struct vcpu *v, uint64_t esr);
void sysreg_init(void);
/* Traps for what this CPU has, guests are not shown, and nobody switches; OR into HCR_EL2, CPTR_EL2, MDCR_EL2. */
struct extension_traps {
    uint64_t hcr, cptr, mdcr;
};
extern struct extension_traps extension_traps; /* [const] after sysreg_init() */

/* inject.c */
void inject_undefined(struct vcpu *v);
void inject_abort(struct vcpu *v, bool instruction, uint64_t far);
void inject_serror(struct vcpu *v);
bool condition_holds(uint64_t esr);
void skip_instruction(uint64_t esr);

#endif

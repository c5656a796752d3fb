/* Private to hyp/arch/arm64: what its files share. */
#ifndef ARM64_H
#define ARM64_H

#include <hyp/arch.h>
#include <hyp/cpu.h>
#include <hyp/domain.h>
#include <xen/errno.h>

/* Set by the linker script: text, and where what follows it begins, each on a page of its own. */
extern char image_start[], rodata_start[], init_text_start[], init_data_start[], data_start[];
extern char image_end[];

/* mmu.c */
extern uint64_t image_pa; /* [const] where the loader put image_start */
extern uint64_t root_table[];
uint64_t boot_tables(void);
bool mmu_map_ram(uint64_t start, uint64_t end);
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
void smp_start(const struct tree *t);

/* vcpu.c */
void vcpu_load(struct vcpu *v);
void vcpu_unload(struct vcpu *v);
void vcpu_fp_take(struct vcpu *v);
void vcpu_set_hcr(struct vcpu *v, uint64_t hcr);
void vcpu_see_serror(struct vcpu *v);

/* stage2.c */
void stage2_init_cpu(void);
void stage2_load(struct domain *d);

/* debug.c: self-hosted debug and PMU, given to a guest on first use */
void debug_init_cpu(void);
bool debug_take(struct vcpu *v);
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
void spsr32_exchange(uint64_t mode);

/* sysreg.c: true if done, false if the guest gets an undefined instruction */
bool sysreg_trap(struct vcpu *v, uint64_t esr);
bool coprocessor_trap(struct vcpu *v, uint64_t esr);
void sysreg_init(void);

/* inject.c */
cold void inject_undefined(struct vcpu *v);
cold void inject_abort(struct vcpu *v, bool instruction, uint64_t far);
void inject_serror(struct vcpu *v);
bool condition_holds(uint64_t esr);
void skip_instruction(uint64_t esr);

#endif

/*
 * Moving vCPUs on and off a CPU.
 *
 * V1  cpu->loaded is the vCPU whose EL1 registers the CPU holds, and that
 *     vCPU's `cpu` points back. They change together, on that CPU only.
 * V2  a vCPU is loaded only while it is nowhere else: unloading comes first,
 *     and the scheduler wakes a loaded vCPU on its own CPU only (S2).
 * V3  FP registers trap until a vCPU's first use of them since it was loaded,
 *     which loads its own; leaving, they are written back if they were loaded.
 *     EL2 itself never uses them (-mgeneral-regs-only).
 */
#include "arm64.h"

#include <hyp/frame.h>
#include <hyp/vtimer.h>
#include <lib/string.h>

/* `op` is stp or ldp; %0 points at arch_fp.q. */
#define FP_PAIRS(op)                                                                             \
    ".arch_extension fp\n\t.arch_extension simd\n\t" op " q0, q1, [%0, #0]\n\t" op               \
    " q2, q3, [%0, #32]\n\t" op " q4, q5, [%0, #64]\n\t" op " q6, q7, [%0, #96]\n\t" op          \
    " q8, q9, [%0, #128]\n\t" op " q10, q11, [%0, #160]\n\t" op " q12, q13, [%0, #192]\n\t" op   \
    " q14, q15, [%0, #224]\n\t" op " q16, q17, [%0, #256]\n\t" op " q18, q19, [%0, #288]\n\t" op \
    " q20, q21, [%0, #320]\n\t" op " q22, q23, [%0, #352]\n\t" op " q24, q25, [%0, #384]\n\t" op \
    " q26, q27, [%0, #416]\n\t" op " q28, q29, [%0, #448]\n\t" op " q30, q31, [%0, #480]"

#define CPTR_GUEST (CPTR_RES1 | CPTR_TTA | CPTR_TZ | CPTR_TAM)

/* The guest's first FP instruction since it was loaded. */
void vcpu_fp_take(struct vcpu *v)
{
    struct arch_fp *fp = &v->arch.fp;

    sysreg_write(cptr_el2, CPTR_GUEST);
    isb();
    __asm__ volatile(FP_PAIRS("ldp") : : "r"(fp->q) : "memory");
    sysreg_write(fpsr, fp->fpsr);
    sysreg_write(fpcr, fp->fpcr);
    if (v->arch.aarch32) {
        sysreg_write(fpexc32_el2, fp->fpexc32);
    }
    v->arch.fp_loaded = true;
}

static void fp_unload(struct vcpu *v)
{
    struct arch_fp *fp = &v->arch.fp;

    if (v->arch.fp_loaded) {
        __asm__ volatile(FP_PAIRS("stp") : : "r"(fp->q) : "memory");
        fp->fpsr = sysreg_read(fpsr);
        fp->fpcr = sysreg_read(fpcr);
        if (v->arch.aarch32) {
            fp->fpexc32 = sysreg_read(fpexc32_el2);
        }
        v->arch.fp_loaded = false;
    }
}

/* Field and register, two by two as they lie in struct arch_vcpu: a pair is one LDP or STP. */
#define EL1_PAIRS(P)                                  \
    P(elr, elr_el2, spsr, spsr_el2)                   \
    P(sp_el0, sp_el0, sp_el1, sp_el1)                 \
    P(elr_el1, elr_el1, spsr_el1, spsr_el1)           \
    P(sctlr, sctlr_el1, cpacr, cpacr_el1)             \
    P(ttbr0, ttbr0_el1, ttbr1, ttbr1_el1)             \
    P(tcr, tcr_el1, mair, mair_el1)                   \
    P(amair, amair_el1, vbar, vbar_el1)               \
    P(contextidr, contextidr_el1, esr, esr_el1)       \
    P(far, far_el1, afsr0, afsr0_el1)                 \
    P(afsr1, afsr1_el1, par, par_el1)                 \
    P(tpidr_el0, tpidr_el0, tpidrro_el0, tpidrro_el0) \
    P(tpidr_el1, tpidr_el1, cntkctl, cntkctl_el1)
/* AArch32 guests only. */
#define AARCH32_PAIRS(P)                      \
    P(spsr_abt, spsr_abt, spsr_und, spsr_und) \
    P(spsr_irq, spsr_irq, spsr_fiq, spsr_fiq) \
    P(dacr32, dacr32_el2, ifsr32, ifsr32_el2)

#define SAVE(one, one_el, two, two_el)                                      \
    {                                                                       \
        uint64_t first = sysreg_read(one_el), second = sysreg_read(two_el); \
        a->one = first;                                                     \
        a->two = second;                                                    \
    }
#define RESTORE(one, one_el, two, two_el)         \
    {                                             \
        uint64_t first = a->one, second = a->two; \
        sysreg_write(one_el, first);              \
        sysreg_write(two_el, second);             \
    }

static void el1_save(struct arch_vcpu *a)
{
    if (a->aarch32) {
        spsr32_exchange(sysreg_read(spsr_el2));
    }
    EL1_PAIRS(SAVE)
    a->csselr = sysreg_read(csselr_el1);
    if (a->aarch32) {
        AARCH32_PAIRS(SAVE)
    }
}

static void el1_restore(const struct arch_vcpu *a)
{
    EL1_PAIRS(RESTORE)
    RESTORE(hcr, hcr_el2, vmpidr, vmpidr_el2)
    sysreg_write(csselr_el1, a->csselr);
    if (a->aarch32) {
        AARCH32_PAIRS(RESTORE)
        spsr32_exchange(a->spsr);
    }
}

/* Write the loaded vCPU back; afterwards any CPU may load it. */
void vcpu_unload(struct vcpu *v)
{
    struct cpu *c = this_cpu();

    vcpu_see_serror(v);
    vgic_save(v);
    vtimer_save(v);
    debug_unload(v);
    fp_unload(v);
    el1_save(&v->arch);
    c->loaded = NULL;
    __atomic_store_n(&v->cpu, NULL, __ATOMIC_RELEASE);
    sched_saved(v);
}

/* Bring `v` onto this CPU, instead of what is loaded. */
void vcpu_load(struct vcpu *v)
{
    struct cpu *c = this_cpu();

    if (c->loaded == v) {
        return;
    }
    if (c->loaded) {
        vcpu_unload(c->loaded);
    }
    el1_restore(&v->arch);
    sysreg_write(cptr_el2, CPTR_GUEST | CPTR_TFP);
    stage2_load(v->domain);
    debug_load(v);
    vgic_restore(v);
    vtimer_restore(v);
    c->loaded = v;
    __atomic_store_n(&v->cpu, c, __ATOMIC_RELEASE);
}

void vcpu_set_hcr(struct vcpu *v, uint64_t hcr)
{
    if (v->arch.hcr != hcr) {
        v->arch.hcr = hcr;
        sysreg_write(hcr_el2, hcr);
    }
}

/* The guest has taken its virtual SError when the machine has cleared VSE: it must not come back. */
void vcpu_see_serror(struct vcpu *v)
{
    if (unlikely(v->arch.hcr & HCR_VSE)) {
        v->arch.hcr &= sysreg_read(hcr_el2) | ~HCR_VSE;
    }
}

/* Writes to SCTLR, TCR, TTBRn, MAIR and their like are undefined from now on. DDI 0487I.a, HCR_EL2.TVM */
void arch_vcpu_fix_translation(struct vcpu *v)
{
    vcpu_see_serror(v);
    vcpu_set_hcr(v, v->arch.hcr | HCR_TVM);
}

#define HCR_GUEST                                                                                \
    (HCR_VM | HCR_SWIO | HCR_PTW | HCR_FMO | HCR_IMO | HCR_AMO | HCR_FB | HCR_BSU_IS | HCR_TWI | \
     HCR_TID3 | HCR_TSC | HCR_TIDCP | HCR_TACR | HCR_TLOR | HCR_TERR)

/* Affinity as Xen gives it: 16 vCPUs per cluster. Source: Xen public arch-arm.h, vcpuid_to_vaffinity. */
uint64_t arch_vcpu_mpidr(uint32_t vcpu_id)
{
    return (1ul << 31) | (vcpu_id & 0xf) | ((uint64_t)(vcpu_id >> 4) << 8);
}

/*
 * Reset: the state a CPU has when PSCI turns it on (DEN 0022, 6.4.2): EL1, MMU
 * and caches off, interrupts masked, x0 as given. An odd address asks for T32.
 */
void arch_vcpu_set_entry(struct vcpu *v, gpa_t pc, const uint64_t args[3], bool aarch32)
{
    struct arch_vcpu *a = &v->arch;
    struct arch_debug *debug = a->debug;

    memset(a, 0, sizeof(*a));
    a->debug = debug;
    if (debug) {
        memset(debug, 0, sizeof(*debug));
    }
    a->aarch32 = aarch32;
    a->vmpidr = arch_vcpu_mpidr(v->id);
    a->elr = pc.v & ~(uint64_t)(aarch32 ? 1 : 0);
    a->x[0] = args[0];
    a->x[1] = args[1];
    a->x[2] = args[2];
    a->hcr = HCR_GUEST | (aarch32 ? 0 : HCR_RW);
    a->spsr = SPSR_F | SPSR_I | SPSR_A |
              (aarch32 ? SPSR_SVC32 | (pc.v & 1 ? SPSR_T32 : 0) : SPSR_EL1h | SPSR_D);
    a->sctlr = aarch32 ? SCTLR_EL1_AARCH32_RESET : SCTLR_EL1_RESET;
    a->elr_el1 = a->elr;
}

void arch_vcpu_snapshot(const struct vcpu *v, struct crash_record *to)
{
    bool here = this_cpu()->loaded == v;

    for (unsigned i = 0; i < 31; i++) {
        to->x[i] = v->arch.x[i]; /* x19-x29 are as of the last trap that stored them */
    }
    to->pc = here ? sysreg_read(elr_el2) : v->arch.elr;
    to->pstate = here ? sysreg_read(spsr_el2) : v->arch.spsr;
    to->esr = here ? sysreg_read(esr_el1) : v->arch.esr;
    to->far = here ? sysreg_read(far_el1) : v->arch.far;
}

/* What the CPU keeps for a vCPU besides its page. It is loaded nowhere. */
void arch_vcpu_destroy(struct vcpu *v)
{
    if (v->arch.debug) {
        frame_free_hyp(v->domain, v->arch.debug, 0);
        v->arch.debug = NULL;
    }
}

bool arch_has_aarch32(void)
{
    return (sysreg_read(id_aa64pfr0_el1) >> 4 & 0xf) == 2;
}

bool arch_random(uint64_t *out)
{
    uint64_t value, nzcv;

    if ((sysreg_read(id_aa64isar0_el1) >> 60) == 0) {
        return false;
    }
    /* RNDR, S3_3_C2_C4_0: Z set if there was no entropy just now. DDI 0487I.a D17.2.106 */
    __asm__ volatile("mrs %0, s3_3_c2_c4_0\n\tmrs %1, nzcv" : "=r"(value), "=r"(nzcv) : : "cc");
    if (nzcv & (1ul << 30)) {
        return false;
    }
    *out = value;
    return true;
}

bool arch_guest_va_to_mpa(struct vcpu *v, uint64_t va, bool write, mpa_t *out)
{
    return write ? TRANSLATE(s12e1w, va, &out->v) : TRANSLATE(s12e1r, va, &out->v);
}

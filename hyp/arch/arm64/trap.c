/*
 * What a guest's trap means, and the one way back.
 *
 * Each class has one handler that returns an outcome; trap_sync() applies it.
 * The program counter moves there and nowhere else (HVC needs no step: its
 * return address is the next instruction). A guest can cause every class in
 * the table; those that cannot happen with our trap settings are answered as
 * if the instruction did not exist.
 */
#include "arm64.h"

#include <hyp/assert.h>
#include <hyp/frame.h>
#include <hyp/hypercall.h>
#include <hyp/xen.h>
#include <hyp/irq.h>
#include <hyp/log.h>
#include <hyp/mmio.h>
#include <hyp/psci.h>

enum outcome {
    TRAP_DONE,      /* go on at ELR as it is */
    TRAP_SKIP,      /* the instruction was carried out for the guest */
    TRAP_UNDEFINED, /* inject an undefined instruction */
    TRAP_ABORT,     /* inject an external abort at FAR_EL2 */
};

/*
 * FAR_EL2 and HPFAR_EL2 give the guest physical address of a stage-2 fault. After one of permission HPFAR_EL2 is
 * not valid (D17.2.63), unless a walk made it (S1PTW): ask the guest's own stage 1.
 */
static inline bool fault_address(uint64_t esr, gpa_t *out)
{
    if (unlikely((esr & 0xbc) == 0x0c)) {
        return TRANSLATE(s1e1r, sysreg_read(far_el2), &out->v);
    }
    *out = gpa((sysreg_read(hpfar_el2) & 0x00000ffffffffff0ul) << 8 |
               (sysreg_read(far_el2) & FRAME_MASK));
    return true;
}

static cold uint64_t sign_extend(uint64_t value, unsigned size_log2)
{
    unsigned shift = 64 - (8u << size_log2);

    return (uint64_t)((int64_t)(value << shift) >> shift);
}

/* The value that an access has read, into its register. */
static inline void finish_read(struct vcpu *v, uint64_t esr, uint64_t value)
{
    unsigned reg = (esr >> 16) & 31;

    if ((esr & (1u << 6)) || reg == 31) {
        return;
    }
    if (unlikely(esr & (1u << 21))) { /* SSE */
        value = sign_extend(value, (esr >> 22) & 3);
    }
    v->arch.x[reg] = esr & (1u << 15) ? value : (uint32_t)value; /* SF */
}

/*
 * Was it only that another CPU changes the tables right now? An entry that is split or merged is broken for
 * a moment (hyp/p2m.h, P1); by the time we have its lock it is whole again, and the access may be repeated.
 */
static bool passing_fault(struct vcpu *v, uint64_t esr)
{
    bool fetch = esr >> ESR_EC_SHIFT == EC_IABT_LOW, walk = esr & (1u << 7); /* S1PTW */
    bool by_stage_2 = (esr & 0x34) == 0x04; /* translation, permission */
    gpa_t at;

    return by_stage_2 && fault_address(esr, &at) &&
           p2m_allows(v->domain, at, !fetch && !walk && (esr & (1u << 6)), fetch && !walk);
}

/*
 * No device of ours: a device model's, perhaps. Apart, and told values only, so that an access to one
 * of ours pays nothing for it.
 */
static cold enum outcome unanswered(struct vcpu *v, uint64_t esr, gpa_t at, uint64_t value,
                                    enum mmio_outcome outcome)
{
    struct mmio_access a = {.at = at,
                            .value = value,
                            .size = (uint8_t)(1u << ((esr >> 22) & 3)),
                            .write = esr & (1u << 6)};

    v->io_syndrome = esr;
    outcome = outcome == MMIO_ABSENT ? ioreq_mmio(v, &a) : outcome;
    return outcome == MMIO_ABSENT ? TRAP_ABORT : TRAP_DONE;
}

/*
 * Source: DDI 0487I.a D17.2.37, ISS encoding for an exception from a data abort. What has no decoded
 * access (ISV), is a table walk of the guest's own (S1PTW) or no fault of translation or rights
 * (DFSC: external aborts, alignment) goes to the guest.
 */
static inline enum outcome data_abort(struct vcpu *v, uint64_t esr)
{
    struct mmio_access a NOT_ZEROED;
    unsigned reg = (esr >> 16) & 31, shift = (esr >> 22) & 3;

    if ((esr & (1u << 24 | 1u << 7 | 0x30)) != 1u << 24 || !fault_address(esr, &a.at) ||
        (a.at.v & ((1u << shift) - 1)) != 0) {
        return TRAP_ABORT;
    }
    a.size = (uint8_t)(1u << shift);
    a.write = esr & (1u << 6);
    a.value = a.write && reg != 31 ? v->arch.x[reg] & ~0ull >> (64 - (8u << shift)) : 0;
    enum mmio_outcome outcome = domain_mmio(v, &a);
    if (unlikely(outcome != MMIO_DONE)) {
        return unanswered(v, esr, a.at, a.value, outcome);
    }
    finish_read(v, esr, a.value);
    return TRAP_SKIP;
}

/* A guest that prints makes two plain accesses for each character; data_abort() does them as well. */
static inline bool prints(struct vcpu *v, uint64_t esr)
{
    struct vuart *u = &v->domain->vuart;
    unsigned reg = (esr >> 16) & 31;
    gpa_t at = gpa((sysreg_read(hpfar_el2) & 0x00000ffffffffff0ul) << 8);

    /* A translation fault of a halfword or word that is neither sign-extended nor of XZR. */
    return likely(at.v == u->base.v && u->present && reg != 31) &&
           likely((esr & (1u << 24 | 1u << 21 | 1u << 7 | 0x3c)) == (1u << 24 | 0x04)) &&
           likely(((esr >> 22) ^ (esr >> 23)) & 1) &&
           vuart_quick(v->domain, u, sysreg_read(far_el2) & FRAME_MASK, esr & (1u << 6),
                       &v->arch.x[reg]);
}

static enum outcome wait_for(struct vcpu *v, uint64_t esr)
{
    if (esr & 1) { /* WFE: somebody else may be what it waits for */
        sched_yield(v);
        return TRAP_SKIP;
    }
    /* The guest goes on after the WFI when it wakes; skip first, since blocking changes nothing here. */
    if (!vgic_has_pending(v)) {
        sched_block(v);
    }
    return TRAP_SKIP;
}

static cold void inject(struct vcpu *v, uint64_t esr, enum outcome outcome)
{
    if (outcome == TRAP_UNDEFINED) {
        inject_undefined(v);
    } else if (!passing_fault(v, esr)) {
        inject_abort(v, esr >> ESR_EC_SHIFT == EC_IABT_LOW, sysreg_read(far_el2));
    }
}

/*
 * Over the instruction. `special` says which bits of the PSTATE ask for more than moving the PC by four:
 * a step that is pending; and, where the code may be AArch32, its IT state and length.
 */
static inline void skip(uint64_t esr, uint64_t special)
{
    if (unlikely(sysreg_read(spsr_el2) & special)) {
        skip_instruction(esr);
    } else {
        sysreg_write(elr_el2, sysreg_read(elr_el2) + 4);
    }
}

static inline void finish(struct vcpu *v, uint64_t esr, enum outcome outcome)
{
    if (likely(outcome == TRAP_SKIP)) {
        skip(esr, SPSR_SS | SPSR_AARCH32);
    } else if (outcome != TRAP_DONE) {
        inject(v, esr, outcome);
    }
}

/* The access that v waited with has been answered. All its registers are in v->arch.x. */
static cold void finish_io(struct vcpu *v)
{
    finish_read(v, v->io_syndrome, v->io.value);
    skip(v->io_syndrome, SPSR_SS | SPSR_AARCH32);
}

/* Apart, so that printing does not save the registers that this needs. */
static __attribute__((noinline)) void any_data_abort(struct vcpu *v, uint64_t esr)
{
    finish(v, esr, data_abort(v, esr));
}

/* The two classes that must be quick, and have no condition. x19-x29 may be in the machine: then they are
 * not what the instruction reads or writes. */
void trap_data_abort(struct vcpu *v, uint64_t esr)
{
    if (likely(prints(v, esr))) {
        skip(esr, SPSR_SS);
    } else {
        any_data_abort(v, esr);
    }
}

void trap_sysreg(struct vcpu *v, uint64_t esr)
{
    if (likely(sysreg_trap(v, esr))) {
        skip(esr, SPSR_SS);
    } else {
        inject_undefined(v);
    }
}

/*
 * Xen's structures are the same for AArch32: its public headers have 64 bits wherever one would have had
 * 32. Number in r12; x16 is LR_irq then. The
 * upper halves of registers are UNKNOWN: DDI 0487I.a D1.3.5.
 */
static cold void hypercall32(struct vcpu *v)
{
    uint64_t *x = v->arch.x, lr_irq = x[16];

    for (unsigned i = 0; i < 5; i++) {
        x[i] = (uint32_t)x[i];
    }
    x[16] = (uint32_t)x[12];
    hypercall(v);
    x[16] = lr_irq;
}

static enum outcome decode(struct vcpu *v, uint64_t esr)
{
    switch (esr >> ESR_EC_SHIFT) {
    case EC_SYS64:
        trap_sysreg(v, esr);
        return TRAP_DONE;
    case EC_DABT_LOW: /* maybe of AArch32 code */
        any_data_abort(v, esr);
        return TRAP_DONE;
    case EC_WFX:
        return wait_for(v, esr);
    case EC_FP:
        vcpu_fp_take(v);
        return TRAP_DONE;
    case EC_SMC64:
    case EC_SMC32:
        if (esr & 0xffff) {
            return TRAP_UNDEFINED;
        }
        smccc_call(v);
        return TRAP_SKIP; /* the preferred return address of a trapped SMC is the SMC itself */
    case EC_HVC32:
        if ((esr & 0xffff) == XEN_HYPERCALL_TAG) {
            hypercall32(v);
        } else {
            trap_hvc(v, esr);
        }
        return TRAP_DONE;
    case EC_CP15_32:
    case EC_CP15_64:
    case EC_CP10_ID:
        return coprocessor_trap(v, esr) ? TRAP_SKIP : TRAP_UNDEFINED;
    case EC_CP14_32:
    case EC_CP14_64:
    case EC_CP14_LDC:
        /* Debug and trace of AArch32: the registers read as zero, writes vanish. */
        if ((esr & 1) && ((esr >> 5) & 31) != 31) {
            v->arch.x[(esr >> 5) & 31] = 0;
        }
        return TRAP_SKIP;
    case EC_IABT_LOW:
        return TRAP_ABORT;
    default:
        return TRAP_UNDEFINED;
    }
}

/* All registers are in v->arch.x. */
void trap_sync(struct vcpu *v, uint64_t esr)
{
    finish(v, esr, condition_holds(esr) ? decode(v, esr) : TRAP_SKIP);
}

/* x0-x18 are in v->arch.x; x19-x29 are in the machine. */
void trap_hvc(struct vcpu *v, uint64_t esr)
{
    uint64_t immediate = esr & 0xffff;

    if (likely(immediate == XEN_HYPERCALL_TAG)) {
        hypercall(v);
    } else if (immediate == 0) {
        smccc_call(v);
    } else {
        sysreg_write(elr_el2, sysreg_read(elr_el2) - 4);
        inject_undefined(v);
    }
}

void trap_serror(struct vcpu *v, uint64_t esr)
{
    dlog(v->domain, "SError from the machine, syndrome %#llx: passed on to the guest",
         (unsigned long long)esr);
    inject_serror(v);
}

/* WFE is trapped only while somebody waits for this CPU: then spinning is a waste. */
static void update_traps(struct cpu *c, struct vcpu *v)
{
    vcpu_see_serror(v);
    uint64_t hcr = v->arch.hcr & ~(HCR_TWE | HCR_TWI);

    hcr |= sched_contended(c) ? HCR_TWE : 0;
    hcr |= v->sched.params.class == SCHED_DEDICATED ? 0 : HCR_TWI;
    vcpu_set_hcr(v, hcr);
}

/* Nobody runs: scrub or sleep; and if others want this CPU's blocked vCPU, write it back. */
static void idle(struct cpu *c)
{
    if (c->save_request) {
        c->save_request = 0;
        if (c->loaded) {
            vcpu_unload(c->loaded);
        }
    }
    if (!frame_scrub_some(4)) {
        dsb(sy);
        __asm__ volatile("wfi" : : : "memory");
    }
    irq_interrupt(c);
}

/* The vCPU asked to be off, or to start anew: its registers are stored by now (Q1 in psci.c). */
static uint32_t leave(struct cpu *c, struct vcpu *v, uint32_t work)
{
    if (!(work & (WORK_OFFLINE | WORK_SUSPEND))) {
        return work;
    }
    if (c->loaded == v) {
        vcpu_unload(v);
    }
    if (work & WORK_OFFLINE) {
        sched_set_online(v, false);
    } else {
        arch_vcpu_set_entry(v, v->resume_entry, (uint64_t[3]){v->resume_context}, v->arch.aarch32);
        vcpu_load(v);
        if (!vgic_has_pending(v)) {
            sched_block(v);
        }
    }
    return work | WORK_RESCHED;
}

/*
 * The slow way out of a trap: choose who runs, carry out what is due for it.
 * Returns the vCPU to resume, loaded, with c->current pointing at it. Interrupts
 * stay masked; what arrives after the last look interrupts the guest at once.
 */
struct vcpu *exit_work(struct vcpu *v)
{
    struct cpu *c = this_cpu();

    for (;;) {
        uint32_t work = v ? __atomic_exchange_n(&v->work, 0, __ATOMIC_ACQUIRE) : WORK_RESCHED;

        work = v ? leave(c, v, work) : work;
        if ((work & WORK_RESCHED) || __atomic_load_n(&c->sched.resched, __ATOMIC_RELAXED)) {
            struct vcpu *next = sched_choose(c, arch_counter_ticks());
            bool begins = next != v; /* maybe with its registers still loaded */

            if (begins && v) { /* what is due for it waits for its next turn */
                __atomic_fetch_or(&v->work, work & ~WORK_RESCHED, __ATOMIC_RELAXED);
            }
            c->current = v = next;
            if (!v) {
                idle(c);
                continue;
            }
            if (begins) {
                work = __atomic_exchange_n(&v->work, 0, __ATOMIC_ACQUIRE) & ~WORK_RESCHED;
            }
            vcpu_load(v);
            if (begins) {
                xen_runstate_update(v);
            }
            /* current and v->cpu before the last look at v->work: vcpu_notify() does it the other way round. */
            __atomic_thread_fence(__ATOMIC_SEQ_CST);
            update_traps(c, v);
        }
        if (unlikely(work & WORK_IO)) {
            finish_io(v);
        }
        if (work & WORK_TIMER) {
            vtimer_work(v);
        }
        /* Last: what comes before may change interrupt lines. */
        if ((work | __atomic_load_n(&v->work, __ATOMIC_RELAXED)) & WORK_VGIC) {
            __atomic_fetch_and(&v->work, ~(uint32_t)WORK_VGIC, __ATOMIC_ACQUIRE);
            vgic_flush(v);
        }
        if (!__atomic_load_n(&v->work, __ATOMIC_ACQUIRE)) {
            return v;
        }
    }
}

noreturn_fn void el2_exception(const unsigned long long *regs)
{
    unsigned long long esr = sysreg_read(esr_el2), elr = sysreg_read(elr_el2);
    unsigned long long far = sysreg_read(far_el2), spsr = sysreg_read(spsr_el2);

    log_warn("Bulkhead stopped: unexpected exception at EL2 on CPU %u.", this_cpu()->id);
    log_warn("  ESR %#018llx (class %#llx) ELR %#018llx FAR %#018llx SPSR %#llx", esr,
             esr >> ESR_EC_SHIFT, elr, far, spsr);
    for (unsigned i = 0; i < 32; i += 4) { /* "x31" is SP */
        log_warn("  x%-2u %016llx  x%-2u %016llx  x%-2u %016llx  x%-2u %016llx", i, regs[i], i + 1,
                 regs[i + 1], i + 2, regs[i + 2], i + 3, regs[i + 3]);
    }
    assert_failed("exception at EL2", "vectors", 0);
}

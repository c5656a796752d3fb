/*
 * A vCPU's registers as the control interface has them.
 *
 * Source: public/arch-arm.h, vcpu_guest_context. What arrives is the word of a
 * domain: the mode it asks for is one that a guest can be in, or -XEN_EINVAL,
 * and no other bit of SPSR_EL2 than flags and masks is taken.
 */
#include "arm64.h"

#include <lib/string.h>
#include <xen/domctl.h>

#define SPSR_KEEP64 0xf00003c0ull /* NZCV, DAIF */
#define SPSR_KEEP32 0xfe0fffe0ull /* NZCVQ, IT, GE, E, A, I, F, T */

/* Which modes there are. DDI 0487I.a C5.2.19 SPSR_EL2, M[4:0] and M[3:0]. */
static bool mode_is_guests(uint64_t mode, bool aarch32)
{
    uint32_t modes64 = 1u << 0x0 | 1u << 0x4 | 1u << 0x5; /* EL0t, EL1t, EL1h */
    uint32_t modes32 = 1u << 0x10 | 1u << 0x11 | 1u << 0x12 | 1u << 0x13 | 1u << 0x17 | 1u << 0x1b |
                       1u << 0x1f; /* USR, FIQ, IRQ, SVC, ABT, UND, SYS */
    return ((aarch32 ? modes32 : modes64) >> mode & 1) != 0;
}

/* Registers that have one name on both sides. */
#define CORE_REGISTERS(MOVE) \
    MOVE(spsr_el1)           \
    MOVE(spsr_fiq)           \
    MOVE(spsr_irq) MOVE(spsr_und) MOVE(spsr_abt) MOVE(sp_el0) MOVE(sp_el1) MOVE(elr_el1)
#define SET(name) a->name = r->name;
#define GET(name) r->name = (__typeof__(r->name))a->name;

int arch_vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *from, bool aarch32)
{
    const struct vcpu_guest_core_regs *r = &from->user_regs;
    struct arch_vcpu *a = &v->arch;

    if (!mode_is_guests(r->cpsr & SPSR_MODE_MASK, aarch32)) {
        return -XEN_EINVAL;
    }
    arch_vcpu_set_entry(v, gpa(r->pc64), (uint64_t[3]){r->x0, r->x1, r->x2}, aarch32);
    memcpy(a->x, &r->x0, sizeof(a->x));
    a->elr = r->pc64;
    a->spsr = r->cpsr & (SPSR_MODE_MASK | (aarch32 ? SPSR_KEEP32 : SPSR_KEEP64));
    CORE_REGISTERS(SET)
    a->sctlr |= from->sctlr;
    a->tcr = from->ttbcr;
    a->ttbr0 = from->ttbr0;
    a->ttbr1 = from->ttbr1;
    return 0;
}

void arch_vcpu_get_context(const struct vcpu *v, struct vcpu_guest_context *to)
{
    const struct arch_vcpu *a = &v->arch;
    struct vcpu_guest_core_regs *r = &to->user_regs;

    *to = (struct vcpu_guest_context){
        .sctlr = a->sctlr, .ttbcr = a->tcr, .ttbr0 = a->ttbr0, .ttbr1 = a->ttbr1};
    memcpy(&r->x0, a->x, sizeof(a->x));
    r->pc64 = a->elr;
    r->cpsr = a->spsr;
    CORE_REGISTERS(GET)
}

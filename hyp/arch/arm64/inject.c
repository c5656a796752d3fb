/*
 * Exceptions delivered to a guest as hardware would deliver them.
 *
 * Only the loaded vCPU, in a trap: ELR_EL2 and SPSR_EL2 are its PC and PSTATE.
 * Source: DDI 0487I.a D1.3.3 (AArch64 exception entry), G1.12.4 (AArch32).
 */
#include "arm64.h"

/* Enter the guest's EL1 vector for synchronous exceptions, with `esr` in ESR_EL1. */
static void enter_el1(uint64_t esr)
{
    uint64_t spsr = sysreg_read(spsr_el2), mode = spsr & SPSR_MODE_MASK;
    uint64_t vector = mode == SPSR_EL1h       ? 0x200
                      : mode == SPSR_EL1t     ? 0x000
                      : (spsr & SPSR_AARCH32) ? 0x600
                                              : 0x400;
    /* PAN is set on entry unless SCTLR_EL1.SPAN; a CPU without PAN has bit 23 RES1. */
    uint64_t pan = sysreg_read(sctlr_el1) & (1ul << 23) ? spsr & SPSR_PAN : SPSR_PAN;

    sysreg_write(esr_el1, esr);
    sysreg_write(elr_el1, sysreg_read(elr_el2));
    sysreg_write(spsr_el1, spsr);
    sysreg_write(elr_el2, sysreg_read(vbar_el1) + vector);
    sysreg_write(spsr_el2, SPSR_EL1h | SPSR_D | SPSR_A | SPSR_I | SPSR_F | pan);
}

/* Enter an AArch32 guest's mode, SPSR_ABT32 or SPSR_UND32, at its vector. */
static void enter_aarch32(struct vcpu *v, uint64_t mode, uint32_t vector, uint32_t link_offset)
{
    uint64_t spsr = sysreg_read(spsr_el2), sctlr = sysreg_read(sctlr_el1);
    uint64_t base = sctlr & (1u << 13) ? 0xffff0000u : (uint32_t)sysreg_read(vbar_el1);
    uint64_t link = (uint32_t)(sysreg_read(elr_el2) + link_offset);
    uint64_t pstate =
        mode | SPSR_I | (spsr & ~(SPSR_MODE_MASK | SPSR_T32 | SPSR_E32 | SPSR_IT_MASK));

    pstate |= sctlr & (1u << 30) ? SPSR_T32 : 0; /* TE */
    pstate |= sctlr & (1u << 25) ? SPSR_E32 : 0; /* EE */
    spsr32_exchange(spsr);
    /* Banked registers as AArch64 sees them: DDI 0487I.a D1.6.4. */
    if (mode == SPSR_ABT32) {
        pstate |= SPSR_A;
        v->arch.x[20] = link;
        sysreg_write(spsr_abt, spsr);
    } else {
        v->arch.x[22] = link;
        sysreg_write(spsr_und, spsr);
    }
    spsr32_exchange(mode);
    sysreg_write(elr_el2, base + vector);
    sysreg_write(spsr_el2, pstate);
}

void inject_undefined(struct vcpu *v)
{
    if (v->arch.aarch32) {
        enter_aarch32(v, SPSR_UND32, 4, sysreg_read(spsr_el2) & SPSR_T32 ? 2 : 4);
    } else {
        enter_el1((uint64_t)EC_UNKNOWN << ESR_EC_SHIFT | (sysreg_read(esr_el2) & ESR_IL));
    }
}

static void inject_abort32(struct vcpu *v, bool instruction, uint64_t wnr, uint64_t far)
{
    bool lpae = sysreg_read(tcr_el1) & (1ul << 31);
    uint32_t fsr = lpae ? (1u << 9) | 0x10 : 0x08; /* synchronous external abort */
    uint64_t fars = sysreg_read(far_el1);          /* IFAR above DFAR */

    if (instruction) {
        sysreg_write(ifsr32_el2, fsr);
        sysreg_write(far_el1, (uint32_t)fars | far << 32);
        enter_aarch32(v, SPSR_ABT32, 0xc, 4);
    } else {
        sysreg_write(esr_el1, fsr | wnr << 5); /* DFSR */
        sysreg_write(far_el1, (fars & ~0xffffffffull) | (uint32_t)far);
        enter_aarch32(v, SPSR_ABT32, 0x10, 8);
    }
}

/* A synchronous external abort at `far`: nothing answers at that address. */
void inject_abort(struct vcpu *v, bool instruction, uint64_t far)
{
    uint64_t esr = sysreg_read(esr_el2), wnr = instruction ? 0 : esr & (1ul << 6);
    /* From EL1 itself the class is the next one. */
    uint64_t ec = (instruction ? EC_IABT_LOW : EC_DABT_LOW) + (sysreg_read(spsr_el2) & 0xf ? 1 : 0);

    if (v->arch.aarch32) {
        inject_abort32(v, instruction, wnr, far);
        return;
    }
    sysreg_write(far_el1, far);
    enter_el1(ec << ESR_EC_SHIFT | (esr & ESR_IL) | wnr | 0x10);
}

/* A pending virtual SError: taken when the guest unmasks A. */
void inject_serror(struct vcpu *v)
{
    vcpu_see_serror(v);
    vcpu_set_hcr(v, v->arch.hcr | HCR_VSE);
}

/* Condition codes by flags NZCV: bit f of the entry is set if the condition holds. F1.3.1 */
static const uint16_t condition_table[16] = {
    0xf0f0, 0x0f0f, 0xcccc, 0x3333, 0xff00, 0x00ff, 0xaaaa, 0x5555,
    0x0c0c, 0xf3f3, 0xaa55, 0x55aa, 0x0a05, 0xf5fa, 0xffff, 0xffff,
};

/* The IT state of T32 code: condition and mask of what follows; 0 outside of a block. */
static unsigned it_state(uint64_t spsr)
{
    return ((spsr >> 8) & 0xfc) | ((spsr >> 25) & 3);
}

/* A trapped AArch32 instruction whose condition fails is a no-op. */
bool condition_holds(uint64_t esr)
{
    uint64_t spsr = sysreg_read(spsr_el2);
    unsigned condition = (esr >> 20) & 0xf;

    if (!(spsr & SPSR_AARCH32) || (esr >> ESR_EC_SHIFT) >= EC_SVC64) {
        return true;
    }
    if (!(esr & (1u << 24))) { /* CV clear: T32; the IT state tells */
        condition = it_state(spsr) ? it_state(spsr) >> 4 : 14;
    }
    return (condition_table[condition] >> (spsr >> 28)) & 1;
}

/* Step over the trapped instruction, the T32 IT state and a pending single step with it. */
void skip_instruction(uint64_t esr)
{
    uint64_t spsr = sysreg_read(spsr_el2);

    sysreg_write(elr_el2, sysreg_read(elr_el2) + (esr & ESR_IL ? 4 : 2));
    if ((spsr & SPSR_AARCH32) && (spsr & SPSR_IT_MASK)) {
        unsigned it = it_state(spsr);
        it = (it & 7) == 0 ? 0 : (it & 0xe0) | ((it << 1) & 0x1f);
        spsr = (spsr & ~SPSR_IT_MASK) | ((uint64_t)(it & 0xfc) << 8) | ((uint64_t)(it & 3) << 25);
    }
    sysreg_write(spsr_el2, spsr & ~SPSR_SS);
}

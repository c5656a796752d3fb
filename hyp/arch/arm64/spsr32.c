/*
 * The SPSR of the current AArch32 mode, on machines that keep it to themselves.
 *
 * A CPU shows EL2 the SPSR of every AArch32 mode of EL1: SPSR_EL1 (Supervisor),
 * SPSR_abt, _und, _irq, _fiq (DDI 0487I.a D1.6.4). QEMU (7.2, and 9.0 by its
 * sources) shows a stale value for the mode that the guest is in: its AArch32 code uses
 * `env->spsr`, which only a change of mode *within AArch32* copies to and from
 * `banked_spsr[]` (target/arm/helper.c, switch_mode()), while the registers of
 * EL2 are `banked_spsr[]`; neither arm_cpu_do_interrupt_aarch64() nor
 * HELPER(exception_return) copies, though QEMU's own glue to KVM does. A vCPU
 * that is switched between its exception entry and the instruction that reads
 * SPSR would go on with another one's.
 *
 * So where the machine is like that, we go and fetch it: one visit to AArch32 at
 * EL1, in the guest's mode, exchanges the hidden register with one of ours. The
 * machine is asked once, at boot; on others nothing of this runs.
 *
 * What makes the visit safe although stage 2 is off: only three instructions of
 * ours run; interrupts are masked (HCR_EL2 routes nothing, so PSTATE masks it),
 * and so are the guest's breakpoints (MDSCR_EL1). VMID 0 is no domain's.
 */
#include "arm64.h"

#include <hyp/arch.h>

enum { MODE32_FIQ = 0x11, MODE32_IRQ, MODE32_SVC, MODE32_ABT = 0x17, MODE32_UND = 0x1b };

/* entry.S */
uint32_t spsr32_visit(uint32_t value);
extern char spsr32_code[];

static bool hidden; /* [const] after spsr32_init() */

static uint32_t swap(uint64_t mode, uint32_t value)
{
    uint64_t hcr = sysreg_read(hcr_el2), vttbr = sysreg_read(vttbr_el2);
    uint64_t sctlr = sysreg_read(sctlr_el1), mdscr = sysreg_read(mdscr_el1);
    uint64_t elr = sysreg_read(elr_el2), spsr = sysreg_read(spsr_el2);

    sysreg_write(hcr_el2, 0);
    sysreg_write(vttbr_el2, 0);
    sysreg_write(sctlr_el1, SCTLR_EL1_AARCH32_RESET);
    sysreg_write(mdscr_el1, 0);
    sysreg_write(elr_el2, hva_pa(spsr32_code));
    sysreg_write(spsr_el2, mode | SPSR_AARCH32 | SPSR_A | SPSR_I | SPSR_F);
    isb();
    value = spsr32_visit(value);
    sysreg_write(elr_el2, elr);
    sysreg_write(spsr_el2, spsr);
    sysreg_write(mdscr_el1, mdscr);
    sysreg_write(sctlr_el1, sctlr);
    sysreg_write(vttbr_el2, vttbr);
    sysreg_write(hcr_el2, hcr);
    isb();
    return value;
}

void __init spsr32_init(void)
{
    if (!arch_has_aarch32() || hva_pa(spsr32_code) >> 32) {
        return;
    }
    for (uint32_t value = MODE32_IRQ; value <= MODE32_SVC; value++) {
        sysreg_write(spsr_irq, value);
        hidden |= swap(MODE32_IRQ, value) != value;
    }
}

/* The guest in `mode` is left: from now on EL2's registers tell the truth. */
void spsr32_expose(uint64_t mode)
{
    if (!hidden) {
        return;
    }
    switch (mode & SPSR_MODE_MASK) {
    case MODE32_FIQ:
        sysreg_write(spsr_fiq, swap(MODE32_FIQ, 0));
        break;
    case MODE32_IRQ:
        sysreg_write(spsr_irq, swap(MODE32_IRQ, 0));
        break;
    case MODE32_SVC:
        sysreg_write(spsr_el1, swap(MODE32_SVC, 0));
        break;
    case MODE32_ABT:
        sysreg_write(spsr_abt, swap(MODE32_ABT, 0));
        break;
    case MODE32_UND:
        sysreg_write(spsr_und, swap(MODE32_UND, 0));
        break;
    default:
        break; /* User and System have none */
    }
}

/* A guest will go on in `mode`, whose SPSR is in EL2's register. */
void spsr32_enter(uint64_t mode)
{
    if (!hidden) {
        return;
    }
    switch (mode & SPSR_MODE_MASK) {
    case MODE32_FIQ:
        swap(MODE32_FIQ, (uint32_t)sysreg_read(spsr_fiq));
        break;
    case MODE32_IRQ:
        swap(MODE32_IRQ, (uint32_t)sysreg_read(spsr_irq));
        break;
    case MODE32_SVC:
        swap(MODE32_SVC, (uint32_t)sysreg_read(spsr_el1));
        break;
    case MODE32_ABT:
        swap(MODE32_ABT, (uint32_t)sysreg_read(spsr_abt));
        break;
    case MODE32_UND:
        swap(MODE32_UND, (uint32_t)sysreg_read(spsr_und));
        break;
    default:
        break;
    }
}

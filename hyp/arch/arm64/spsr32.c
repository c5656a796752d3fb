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

/* entry.S */
uint32_t spsr32_visit(uint32_t value);
extern char spsr32_code[];

static bool hidden; /* [const] after spsr32_init() */

static uint64_t swap(uint64_t mode, uint64_t value)
{
    uint64_t hcr = sysreg_read(hcr_el2), vttbr = sysreg_read(vttbr_el2);
    uint64_t sctlr = sysreg_read(sctlr_el1), mdscr = sysreg_read(mdscr_el1);
    uint64_t elr = sysreg_read(elr_el2), spsr = sysreg_read(spsr_el2);

    sysreg_write(hcr_el2, 0);
    sysreg_write(vttbr_el2, 0);
    sysreg_write(sctlr_el1, SCTLR_EL1_AARCH32_RESET);
    sysreg_write(mdscr_el1, 0);
    sysreg_write(elr_el2, hva_pa(spsr32_code));
    sysreg_write(spsr_el2, (mode & SPSR_MODE_MASK) | SPSR_A | SPSR_I | SPSR_F);
    isb();
    value = spsr32_visit((uint32_t)value);
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
    for (uint64_t value = SPSR_IRQ32; value <= SPSR_SVC32; value++) {
        sysreg_write(spsr_irq, value);
        hidden |= swap(SPSR_IRQ32, value) != value;
    }
}

/*
 * The SPSR of `mode` changes places with EL2's register of it: told to EL2 when a guest in that mode is left, given
 * to the mode when one goes on in it. What is in the other place then is nobody's.
 */
void spsr32_exchange(uint64_t mode)
{
    if (!hidden) {
        return;
    }
    switch (mode & SPSR_MODE_MASK) {
    case SPSR_FIQ32:
        sysreg_write(spsr_fiq, swap(mode, sysreg_read(spsr_fiq)));
        break;
    case SPSR_IRQ32:
        sysreg_write(spsr_irq, swap(mode, sysreg_read(spsr_irq)));
        break;
    case SPSR_SVC32:
        sysreg_write(spsr_el1, swap(mode, sysreg_read(spsr_el1)));
        break;
    case SPSR_ABT32:
        sysreg_write(spsr_abt, swap(mode, sysreg_read(spsr_abt)));
        break;
    case SPSR_UND32:
        sysreg_write(spsr_und, swap(mode, sysreg_read(spsr_und)));
        break;
    default: /* User and System have none */
        break;
    }
}

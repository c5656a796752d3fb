/*
 * Trapped system registers: what a guest may know of the CPU, and the few
 * registers that are emulated. Everything not listed is undefined, as on a CPU
 * without that extension.
 *
 * ID registers are read once at boot and filtered to what is really given to
 * guests: a field is visible only if its instructions and registers work
 * inside (docs/guest-view.md). Source: DDI 0487I.a D17.2 for each register.
 */
#include "arm64.h"

#include <hyp/arch.h>
#include <hyp/gic.h>
#include <hyp/vtimer.h>

/* A trapped access, as ISS of class 0x18 encodes it with the direction and Rt left out. */
#define REG(op0, op1, crn, crm, op2) \
    ((op0) << 20 | (op2) << 17 | (op1) << 14 | (crn) << 10 | (crm) << 1)
#define REG_MASK 0x3ffc1eu

/* op0 3, op1 0, CRn 0: CRm 0-7 by op2 0-7. Filtered host values. [const] after boot */
static uint64_t id_value[8][8];

#define ID_READ(crm, op2, reg, visible) id_value[crm][op2] = sysreg_read(reg) & (visible)

struct extension_traps extension_traps;

/*
 * Registers of extensions that are hidden in the ID registers would still work, and carry one
 * guest's state to the next: limited ordering regions, error records, activity monitors, statistical
 * profiling. Bits of extensions that a CPU does not have are RES0 and stay 0.
 */
static void find_extension_traps(void)
{
    uint64_t pfr0 = sysreg_read(id_aa64pfr0_el1), dfr0 = sysreg_read(id_aa64dfr0_el1);
    uint64_t mmfr1 = sysreg_read(id_aa64mmfr1_el1);

    extension_traps.hcr =
        ((mmfr1 >> 16 & 0xf) != 0 ? HCR_TLOR : 0) | ((pfr0 >> 28 & 0xf) != 0 ? HCR_TERR : 0);
    extension_traps.cptr = (pfr0 >> 44 & 0xf) != 0 ? CPTR_TAM : 0;
    extension_traps.mdcr = (dfr0 >> 32 & 0xf) != 0 ? MDCR_TPMS : 0;
}

__init void sysreg_init(void)
{
    uint64_t range = sysreg_read(id_aa64mmfr0_el1) & 0xf;
    uint64_t pmu = (sysreg_read(id_aa64dfr0_el1) >> 8) & 0xf;

    find_extension_traps();
    /* AArch32: all but security, virtualization, trace and RAS. */
    ID_READ(1, 0, id_pfr0_el1, 0x00000000000ffffful);
    ID_READ(1, 1, id_pfr1_el1, 0x00000000000f0f0ful);
    ID_READ(1, 2, id_dfr0_el1, 0x0000000000000f0ful); /* self-hosted debug; no trace, no PMU */
    ID_READ(1, 4, id_mmfr0_el1, 0xfffffffful);
    ID_READ(1, 5, id_mmfr1_el1, 0xfffffffful);
    ID_READ(1, 6, id_mmfr2_el1, 0xfffffffful);
    ID_READ(1, 7, id_mmfr3_el1, 0xfffffffful);
    ID_READ(2, 0, id_isar0_el1, 0xfffffffful);
    ID_READ(2, 1, id_isar1_el1, 0xfffffffful);
    ID_READ(2, 2, id_isar2_el1, 0xfffffffful);
    ID_READ(2, 3, id_isar3_el1, 0xfffffffful);
    ID_READ(2, 4, id_isar4_el1, 0xffffffful);
    ID_READ(2, 5, id_isar5_el1, 0xfffffffful);
    ID_READ(2, 6, s3_0_c0_c2_6, 0xfffff0fful); /* ID_MMFR4: no LSMAOE games */
    ID_READ(3, 0, mvfr0_el1, 0xfffffffful);
    ID_READ(3, 1, mvfr1_el1, 0xfffffffful);
    ID_READ(3, 2, mvfr2_el1, 0xfffffffful);

    /* PFR0: EL0 EL1 FP AdvSIMD DIT CSV2 CSV3. No EL2, EL3, RAS, SVE, AMU, MPAM, RME. */
    ID_READ(4, 0, id_aa64pfr0_el1, 0xff0f000000ff00fful);
    id_value[4][0] |= gic_host.version == 3 ? 1ul << 24 : 0;
    id_value[1][1] |= gic_host.version == 3 ? 1ul << 28 : 0;
    ID_READ(4, 1, id_aa64pfr1_el1, 0xfful); /* BT SSBS; no MTE, SME */
    /* DFR0: debug and PMUv3 up to 3.1, no trace, no SPE. */
    ID_READ(5, 0, id_aa64dfr0_el1, 0x0000000ff0f0f00ful);
    if (pmu && pmu != 0xf) {
        id_value[5][0] |= (pmu > 4 ? 4 : pmu) << 8;
    }
    /* ISAR0 whole but transactions; ISAR1 without pointer authentication, XS and 64-byte stores. */
    ID_READ(6, 0, id_aa64isar0_el1, 0xfffffffff0fffffful);
    ID_READ(6, 1, id_aa64isar1_el1, 0x00ffffff00fff00ful);
    ID_READ(6, 2, s3_0_c0_c6_2, 0x00000000f0f000f0ul);
    /* MMFR0: our own address size; no FGT, no ECV, no stage-2 granules. */
    ID_READ(7, 0, id_aa64mmfr0_el1, 0x0000f000fffffff0ul);
    id_value[7][0] |= range < 2 ? range : 2; /* 40 bits of guest physical address at most */
    ID_READ(7, 1, id_aa64mmfr1_el1, 0x000000f00ff0f00ful);
    ID_READ(7, 2, s3_0_c0_c7_2, 0xf0ff00fff0ff0ffful);
}

static void write_back(struct vcpu *v, uint64_t esr, uint64_t value)
{
    unsigned rt = (esr >> 5) & 31;

    if (rt != 31) {
        v->arch.x[rt] = value;
    }
}

static uint64_t source(const struct vcpu *v, uint64_t esr)
{
    unsigned rt = (esr >> 5) & 31;

    return rt == 31 ? 0 : v->arch.x[rt];
}

/* CNTP_*: op0 3, op1 3, CRn 14, CRm 2. */
static bool physical_timer(struct vcpu *v, uint64_t esr, enum vtimer_reg reg)
{
    if (esr & 1) {
        write_back(v, esr, vtimer_ptimer_read(v, reg));
    } else {
        vtimer_ptimer_write(v, reg, source(v, esr));
    }
    return true;
}

static bool send_sgi(struct vcpu *v, uint64_t esr, enum vgic_sgi_reg reg)
{
    if ((esr & 1) || gic_host.version != 3) {
        return false;
    }
    vgic_send_sgi(v, reg, source(v, esr));
    return true;
}

/* Reads as zero, ignores writes. */
static bool raz_wi(struct vcpu *v, uint64_t esr)
{
    if (esr & 1) {
        write_back(v, esr, 0);
    }
    return true;
}

/*
 * Debug registers, op0 2. The OS lock is ours and open: a guest's lock would
 * reach across guests. The first access to a breakpoint or watchpoint gives
 * the vCPU the machine's; then the instruction is tried again, untrapped.
 */
static bool debug_register(struct vcpu *v, uint64_t esr, bool *again)
{
    switch (esr & REG_MASK) {
    case REG(2, 0, 1, 0, 4): /* OSLAR_EL1 */
        return !(esr & 1);
    case REG(2, 0, 1, 1, 4): /* OSLSR_EL1: implemented, unlocked */
        write_back(v, esr, 8);
        return esr & 1;
    case REG(2, 0, 1, 3, 4): /* OSDLR_EL1 */
    case REG(2, 0, 1, 0, 0): /* MDRAR_EL1 */
    case REG(2, 3, 0, 1, 0): /* MDCCSR_EL0 */
    case REG(2, 3, 0, 5, 0): /* DBGDTR */
    case REG(2, 3, 0, 4, 0):
    case REG(2, 0, 0, 0, 2): /* OSDTRRX, OSDTRTX */
    case REG(2, 0, 0, 3, 2):
        return raz_wi(v, esr);
    default:
        break;
    }
    if ((esr & REG(3, 7, 15, 0, 0)) == REG(2, 1, 0, 0, 0)) {
        return false; /* trace: op1 1 */
    }
    *again = debug_take(v);
    return *again || raz_wi(v, esr);
}

static bool is_pmu(uint64_t esr)
{
    unsigned reg = esr & REG_MASK;
    unsigned crn_crm = reg & REG(0, 0, 15, 15, 0);

    switch (reg & REG(3, 7, 0, 0, 0)) {
    case REG(3, 3, 0, 0, 0): /* PMCR_EL0 ... PMUSERENR_EL0, PMEVCNTR, PMEVTYPER, PMCCFILTR */
        return crn_crm == REG(0, 0, 9, 12, 0) || crn_crm == REG(0, 0, 9, 13, 0) ||
               crn_crm == REG(0, 0, 9, 14, 0) ||
               ((reg & REG(0, 0, 15, 8, 0)) == REG(0, 0, 14, 8, 0));
    case REG(3, 0, 0, 0, 0): /* PMINTENSET_EL1, PMINTENCLR_EL1 */
        return crn_crm == REG(0, 0, 9, 14, 0);
    default:
        return false;
    }
}

/* A trapped MSR or MRS. True: done, or to be tried again with *again. */
static bool sysreg_access(struct vcpu *v, uint64_t esr, bool *again)
{
    unsigned reg = esr & REG_MASK;

    if ((reg & REG(3, 7, 15, 8, 0)) == REG(3, 0, 0, 0, 0)) {
        if (!(esr & 1)) {
            return false;
        }
        write_back(v, esr, id_value[(esr >> 1) & 7][(esr >> 17) & 7]);
        return true;
    }
    switch (reg) {
    case REG(3, 0, 12, 11, 5): /* write-only, all three */
        return send_sgi(v, esr, VGIC_SGI1R);
    case REG(3, 0, 12, 11, 6):
        return send_sgi(v, esr, VGIC_ASGI1R);
    case REG(3, 0, 12, 11, 7):
        return send_sgi(v, esr, VGIC_SGI0R);
    case REG(3, 3, 14, 2, 0):
        return physical_timer(v, esr, PTIMER_TVAL);
    case REG(3, 3, 14, 2, 1):
        return physical_timer(v, esr, PTIMER_CTL);
    case REG(3, 3, 14, 2, 2):
        return physical_timer(v, esr, PTIMER_CVAL);
    case REG(3, 0, 1, 0, 1): /* ACTLR_EL1 */
        return raz_wi(v, esr);
    default:
        break;
    }
    if ((reg & REG(3, 0, 0, 0, 0)) == REG(2, 0, 0, 0, 0)) {
        return debug_register(v, esr, again);
    }
    if (is_pmu(esr)) {
        *again = pmu_take(v);
        return *again || raz_wi(v, esr);
    }
    return false;
}

/* True: carried out, step over it. An access that was given to the guest is tried again as it is. */
bool sysreg_trap(struct vcpu *v, uint64_t esr)
{
    bool again = false;
    bool done = sysreg_access(v, esr, &again);

    if (again) {
        sysreg_write(elr_el2, sysreg_read(elr_el2) - 4); /* the caller steps forward again */
    }
    return done;
}

/*
 * AArch32 VMRS of MVFR0-MVFR2, trapped by HCR_EL2.TID3. ISS as below: CRn is the register, 7 to 5.
 * Their values are those of the AArch64 registers, ID group CRm 3.
 */
bool cp10_trap(struct vcpu *v, uint64_t esr)
{
    unsigned reg = (esr >> 10) & 0xf;

    if (!(esr & 1) || reg < 5 || reg > 7) {
        return false;
    }
    write_back(v, esr, (uint32_t)id_value[3][7 - reg]);
    return true;
}

/*
 * AArch32: MCR, MRC (wide false) and MCRR, MRRC of coprocessor 15. What traps
 * are the ID registers, the physical timer, ACTLR and the PMU.
 * ISS: opc2 [19:17] opc1 [16:14] CRn [13:10] Rt [9:5] CRm [4:1] direction [0];
 * for the wide ones opc1 [19:16] Rt2 [14:10] Rt [9:5] CRm [4:1].
 */
bool cp15_trap(struct vcpu *v, uint64_t esr, bool wide)
{
    if (wide) {
        unsigned rt = (esr >> 5) & 31, rt2 = (esr >> 10) & 31;

        if (rt == 31 || rt2 == 31) {
            return false; /* the PC is no operand of these: F6.1.137, UNPREDICTABLE */
        }
        if (((esr >> 1) & 0xf) == 14 && ((esr >> 16) & 0xf) == 2) { /* CNTP_CVAL */
            if (esr & 1) {
                uint64_t value = vtimer_ptimer_read(v, PTIMER_CVAL);
                v->arch.x[rt] = (uint32_t)value;
                v->arch.x[rt2] = value >> 32;
            } else {
                vtimer_ptimer_write(v, PTIMER_CVAL, (uint32_t)v->arch.x[rt] | v->arch.x[rt2] << 32);
            }
            return true;
        }
        if (((esr >> 1) & 0xf) == 12 &&
            !(esr & 1)) { /* ICC_SGI1R, ICC_ASGI1R, ICC_SGI0R: opc1 0-2 */
            unsigned reg = (esr >> 16) & 0xf;

            if (gic_host.version != 3 || reg > 2) {
                return false;
            }
            vgic_send_sgi(v, VGIC_SGI1R + reg, (uint32_t)v->arch.x[rt] | v->arch.x[rt2] << 32);
            return true;
        }
        return false;
    }
    switch (esr & REG(0, 7, 15, 15, 7)) {
    case REG(0, 0, 14, 2, 0):
        return physical_timer(v, esr, PTIMER_TVAL);
    case REG(0, 0, 14, 2, 1):
        return physical_timer(v, esr, PTIMER_CTL);
    case REG(0, 0, 1, 0, 1): /* ACTLR */
    case REG(0, 0, 1, 0, 3): /* ACTLR2 */
        return raz_wi(v, esr);
    default:
        break;
    }
    if ((esr & REG(0, 7, 15, 8, 0)) == 0 && ((esr >> 1) & 7) < 4) { /* ID registers: c0, c1-c3 */
        if (esr & 1) {
            write_back(v, esr, (uint32_t)id_value[(esr >> 1) & 7][(esr >> 17) & 7]);
        }
        return esr & 1;
    }
    if (((esr >> 10) & 0xf) == 9 || ((esr >> 10) & 0xf) == 14) { /* PMU: said absent in ID_DFR0 */
        return raz_wi(v, esr);
    }
    return false;
}

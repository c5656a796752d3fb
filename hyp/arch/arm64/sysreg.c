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

#include <hyp/gic.h>
#include <hyp/vtimer.h>

/* A trapped access, as ISS of class 0x18 encodes it with the direction and Rt left out. */
#define REG(op0, op1, crn, crm, op2) \
    ((op0) << 20 | (op2) << 17 | (op1) << 14 | (crn) << 10 | (crm) << 1)
#define REG_MASK 0x3ffc1eu
#define ICC_SGI1R REG(3, 0, 12, 11, 5)
#define CNTP_TVAL REG(3, 3, 14, 2, 0)
#define CNTP_CTL REG(3, 3, 14, 2, 1)
#define CNTP_CVAL REG(3, 3, 14, 2, 2)
#define RAZ_WI REG(3, 0, 1, 0, 1) /* ACTLR_EL1: reads as zero, ignores writes */

#define ALL32 0xfffffffful

/* op0 3, op1 0, CRn 0: by CRm and op2. Filtered host values. [const] after boot */
static uint64_t id_value[8][8];

/* What guests see of them. Where the architecture has no register (yet), nothing. */
static uint64_t id_visible[8][8] __initdata = {
    /* ID_PFR0, PFR1, DFR0, -, MMFR0-3: all but security, virtualization, trace, RAS and PMU */
    [1] = {0xfffff, 0xf0f0f, 0xf0f, 0, ALL32, ALL32, ALL32, ALL32},
    /* ID_ISAR0-5, MMFR4: no LSMAOE games */
    [2] = {ALL32, ALL32, ALL32, ALL32, 0xfffffff, ALL32, 0xfffff0ff},
    /* MVFR0-2 */
    [3] = {ALL32, ALL32, ALL32},
    /* ID_AA64PFR0: EL0 EL1 FP AdvSIMD DIT CSV2 CSV3. No EL2, EL3, RAS, SVE, AMU, MPAM, RME. PFR1: BT SSBS; no MTE, SME */
    [4] = {0xff0f000000ff00ff, 0xff},
    /* ID_AA64DFR0: debug; the PMU comes below; no trace, no SPE */
    [5] = {0x0000000ff0f0f00f},
    /* ID_AA64ISAR0 whole but transactions; ISAR1 without pointer authentication, XS and 64-byte stores; ISAR2 */
    [6] = {0xfffffffff0ffffff, 0x00ffffff00fff00f, 0x00000000f0f000f0},
    /* ID_AA64MMFR0: our own address size; no FGT, no ECV, no stage-2 granules. MMFR1, MMFR2 */
    [7] = {0x0000f000fffffff0, 0x000000f00ff0f00f, 0xf0ff00fff0ff0fff},
};

#define ID_READ(crm, op2) \
    id_value[crm][op2] = sysreg_read(s3_0_c0_c##crm##_##op2) & id_visible[crm][op2];
/* clang-format off */
#define ID_READ_ROW(crm)                                                        \
    ID_READ(crm, 0) ID_READ(crm, 1) ID_READ(crm, 2) ID_READ(crm, 3)             \
    ID_READ(crm, 4) ID_READ(crm, 5) ID_READ(crm, 6) ID_READ(crm, 7)

__init void sysreg_init(void)
{
    uint64_t range = sysreg_read(id_aa64mmfr0_el1) & 0xf;
    uint64_t pmu = (sysreg_read(id_aa64dfr0_el1) >> 8) & 0xf;

    ID_READ_ROW(1) ID_READ_ROW(2) ID_READ_ROW(3) ID_READ_ROW(4)
    ID_READ_ROW(5) ID_READ_ROW(6) ID_READ_ROW(7)
    if (gic_host.version == 3) {
        id_value[4][0] |= 1ul << 24;
        id_value[1][1] |= 1ul << 28;
    }
    if (pmu && pmu != 0xf) {
        id_value[5][0] |= (pmu > 4 ? 4 : pmu) << 8; /* PMUv3 up to 3.1 */
    }
    id_value[7][0] |= range < 2 ? range : 2; /* 40 bits of guest physical address at most */
}
/* clang-format on */

/*
 * PMCR_EL0 to PMINTEN*_EL1: CRn 9, CRm 12-14; PMEVCNTR, PMEVTYPER, PMCCFILTR: CRn 14, CRm 8-15. And debug but for
 * trace, which is op1 1.
 */
static bool is_debug_or_pmu(unsigned reg)
{
    unsigned crn = (reg >> 10) & 0xf, crm = (reg >> 1) & 0xf;

    if ((reg & REG(3, 0, 0, 0, 0)) == REG(2, 0, 0, 0, 0)) {
        return (reg & REG(0, 7, 0, 0, 0)) != REG(0, 1, 0, 0, 0);
    }
    return (crn == 9 && crm >= 12 && crm <= 14) || (crn == 14 && crm >= 8);
}

/* How a trapped access ended, and what was read. */
struct access {
    bool done; /* or the instruction is undefined */
    uint64_t value;
};

static inline struct access undefined_unless(bool defined, uint64_t value)
{
    return (struct access){.done = defined, .value = value};
}

static struct access ptimer(struct vcpu *v, enum vtimer_reg reg, bool read, uint64_t value)
{
    if (read) {
        value = vtimer_ptimer_read(v, reg);
    } else {
        vtimer_ptimer_write(v, reg, value);
    }
    return undefined_unless(true, value);
}

static inline struct access send_sgi(struct vcpu *v, enum vgic_sgi_reg reg, bool read,
                                     uint64_t value)
{
    bool defined = !read && gic_host.version == 3;

    if (defined) {
        vgic_send_sgi(v, reg, value);
    }
    return undefined_unless(defined, 0);
}

/*
 * Registers of debug and the PMU are the machine's own, given to the vCPU at its first access; then the instruction
 * is tried again, untrapped (the caller steps forward). What still traps after that reads as zero and ignores writes.
 */
static struct access give_debug(struct vcpu *v, unsigned reg)
{
    bool defined = is_debug_or_pmu(reg);

    if (defined && debug_take(v)) {
        sysreg_write(elr_el2, sysreg_read(elr_el2) - 4);
    }
    return undefined_unless(defined, 0);
}

/* A trapped access to a register; `value` is what is written. */
static struct access sysreg_access(struct vcpu *v, unsigned reg, bool read, uint64_t value)
{
    if ((reg & REG(3, 7, 15, 8, 0)) == REG(3, 0, 0, 0, 0)) {
        return undefined_unless(read, id_value[(reg >> 1) & 7][(reg >> 17) & 7]);
    }
    switch (reg) {
    case ICC_SGI1R:
        return send_sgi(v, VGIC_SGI1R, read, value);
    case REG(3, 0, 12, 11, 6):
        return send_sgi(v, VGIC_ASGI1R, read, value);
    case REG(3, 0, 12, 11, 7):
        return send_sgi(v, VGIC_SGI0R, read, value);
    case CNTP_TVAL:
        return ptimer(v, PTIMER_TVAL, read, value);
    case CNTP_CTL:
        return ptimer(v, PTIMER_CTL, read, value);
    case CNTP_CVAL:
        return ptimer(v, PTIMER_CVAL, read, value);
    /* The OS lock is ours and open: a guest's lock would reach across guests. */
    case REG(2, 0, 1, 0, 4): /* OSLAR_EL1 */
        return undefined_unless(!read, 0);
    case REG(2, 0, 1, 1, 4): /* OSLSR_EL1: implemented, unlocked */
        return undefined_unless(read, 8);
    case RAZ_WI:             /* ACTLR_EL1 */
    case REG(2, 0, 1, 3, 4): /* OSDLR_EL1 */
    case REG(2, 0, 1, 0, 0): /* MDRAR_EL1 */
    case REG(2, 3, 0, 1, 0): /* MDCCSR_EL0 */
    case REG(2, 3, 0, 5, 0): /* DBGDTR */
    case REG(2, 3, 0, 4, 0):
    case REG(2, 0, 0, 0, 2): /* OSDTRRX, OSDTRTX */
    case REG(2, 0, 0, 3, 2):
        return undefined_unless(true, 0);
    default:
        return give_debug(v, reg);
    }
}

static cold bool any_sysreg(struct vcpu *v, uint64_t esr)
{
    unsigned rt = (esr >> 5) & 31;
    bool read = esr & 1;
    struct access a = sysreg_access(v, esr & REG_MASK, read, read || rt == 31 ? 0 : v->arch.x[rt]);

    if (a.done && read && rt != 31) {
        v->arch.x[rt] = a.value;
    }
    return a.done;
}

/* MSR or MRS. True: carried out, step over it. What guests do often is apart from the rest. */
bool sysreg_trap(struct vcpu *v, uint64_t esr)
{
    unsigned reg = esr & REG_MASK, rt = (esr >> 5) & 31;

    if (unlikely(rt == 31)) {
        return any_sysreg(v, esr);
    }
    if ((esr & (REG(3, 7, 15, 8, 0) | 1)) == (REG(3, 0, 0, 0, 0) | 1)) {
        v->arch.x[rt] = id_value[(reg >> 1) & 7][(reg >> 17) & 7];
        return true;
    }
    if ((esr & (REG_MASK | 1)) == ICC_SGI1R && gic_host.version == 3) {
        vgic_send_sgi(v, VGIC_SGI1R, v->arch.x[rt]);
        return true;
    }
    return any_sysreg(v, esr);
}

/*
 * The AArch64 register that is the same as the one an AArch32 instruction names; 0: none. ISS of MCR and MRC:
 * opc2 [19:17] opc1 [16:14] CRn [13:10] Rt [9:5] CRm [4:1] direction [0]; of MCRR and MRRC: opc1 [19:16]
 * Rt2 [14:10] Rt [9:5] CRm [4:1]; of VMRS: CRn is 7 to 5 for MVFR0 to MVFR2.
 */
static unsigned coprocessor_register(uint64_t esr)
{
    unsigned reg = esr & REG(0, 7, 15, 15, 7), crn = (esr >> 10) & 0xf, crm = (esr >> 1) & 0xf;

    if (esr >> ESR_EC_SHIFT == EC_CP10_ID) {
        return crn >= 5 && crn <= 7 ? REG(3, 0, 0, 3, 7 - crn) : 0;
    }
    if (esr >> ESR_EC_SHIFT == EC_CP15_64) {
        unsigned opc1 = (esr >> 16) & 0xf;
        if (crm == 12 && opc1 <= 2) { /* ICC_SGI1R, ICC_ASGI1R, ICC_SGI0R */
            return REG(3, 0, 12, 11, 5 + opc1);
        }
        return crm == 14 && opc1 == 2 ? CNTP_CVAL : 0;
    }
    if ((reg & REG(0, 7, 15, 12, 0)) == 0) { /* ID registers: c0, c1-c3 */
        return reg | REG(3, 0, 0, 0, 0);
    }
    if ((reg & ~REG(0, 0, 0, 0, 1)) == REG(0, 0, 14, 2, 0)) { /* CNTP_TVAL, CNTP_CTL */
        return reg | REG(3, 3, 0, 0, 0);
    }
    /* ACTLR, ACTLR2; the PMU, said absent in ID_DFR0 */
    bool quiet = (reg & ~REG(0, 0, 0, 0, 2)) == REG(0, 0, 1, 0, 1) || crn == 9 || crn == 14;
    return quiet ? RAZ_WI : 0;
}

/* The same for AArch32: MCR, MRC, MCRR and MRRC of coprocessor 15, VMRS of an ID register. */
bool coprocessor_trap(struct vcpu *v, uint64_t esr)
{
    unsigned rt = (esr >> 5) & 31, rt2 = (esr >> 10) & 31;
    bool read = esr & 1, wide = esr >> ESR_EC_SHIFT == EC_CP15_64;
    uint64_t *x = v->arch.x;

    if (wide && (rt == 31 || rt2 == 31)) {
        return false; /* the PC is no operand of these: F6.1.137, UNPREDICTABLE */
    }
    uint64_t value = (rt == 31 ? 0 : (uint32_t)x[rt]) | (wide ? x[rt2] << 32 : 0);
    struct access a = sysreg_access(v, coprocessor_register(esr), read, value);
    if (a.done && read && rt != 31) {
        x[rt] = (uint32_t)a.value;
    }
    if (a.done && read && wide) {
        x[rt2] = a.value >> 32;
    }
    return a.done;
}

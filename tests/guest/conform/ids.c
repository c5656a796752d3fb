/*
 * ID registers: they read, agree on all CPUs, and name nothing that a guest
 * then cannot use. What is named is tried.
 *
 * Right: all ok; the transcript may differ from the bare board only in what the
 * hypervisor hides, which "# hidden" lines tell.
 */
#include "kit.h"

static void fp(void *arg)
{
    __asm__ volatile(".arch_extension fp\n\tfmov d0, xzr\n\t.arch_extension nofp");
}

static void crc(void *arg)
{
    __asm__ volatile(".inst 0x1ac04000" ::: "x0"); /* crc32b w0, w0, w0 */
}

static void sve(void *arg)
{
    write_sysreg(cpacr_el1, read_sysreg(cpacr_el1) | 3u << 16); /* ZEN; no such bits without SVE */
    isb();
    __asm__ volatile(".inst 0x04bf5000" ::: "x0"); /* rdvl x0, #0 */
}

static void pauth(void *arg)
{
    (void)read_sysreg(S3_0_C2_C1_0); /* APIAKeyLo_EL1 */
}

static void pmu(void *arg)
{
    (void)read_sysreg(pmcr_el0);
}

static void lor(void *arg)
{
    (void)read_sysreg(S3_0_C10_C4_7); /* LORID_EL1 */
}

static void mte(void *arg)
{
    (void)read_sysreg(S3_0_C1_C0_6); /* GCR_EL1 */
}

static void ras(void *arg)
{
    (void)read_sysreg(S3_0_C5_C3_0); /* ERRIDR_EL1 */
}

static void gic(void *arg)
{
    (void)read_sysreg(ICC_SRE);
}

/* A field of an ID register, and an instruction that exists if it is not `none`. */
static void agrees(const char *name, u64 field, u64 none, void (*use)(void *))
{
    struct fault fault = expect_fault(use, NULL);
    ok(field == none ? true : !fault.taken, "%s: usable if it is named", name);
    ok(field != none || fault.taken, "%s: undefined if it is not", name);
}

static u64 bits(u64 value, unsigned low)
{
    return value >> low & 15;
}

static volatile u64 other[4];
static volatile u32 other_done;

static void read_other(void *arg)
{
    other[0] = read_sysreg(id_aa64pfr0_el1);
    other[1] = read_sysreg(id_aa64isar0_el1);
    other[2] = read_sysreg(id_aa64mmfr0_el1);
    other[3] = read_sysreg(midr_el1);
    other_done = 1;
}

void guest_main(void)
{
    u64 pfr0 = read_sysreg(id_aa64pfr0_el1), isar0 = read_sysreg(id_aa64isar0_el1);
    u64 isar1 = read_sysreg(id_aa64isar1_el1), mmfr0 = read_sysreg(id_aa64mmfr0_el1);
    u64 mmfr1 = read_sysreg(id_aa64mmfr1_el1), dfr0 = read_sysreg(id_aa64dfr0_el1);
    u64 pfr1 = read_sysreg(id_aa64pfr1_el1);
    note("pfr0 %lx pfr1 %lx isar0 %lx isar1 %lx mmfr0 %lx mmfr1 %lx dfr0 %lx", pfr0, pfr1, isar0,
         isar1, mmfr0, mmfr1, dfr0);
    ok(bits(pfr0, 4) >= 1 && bits(pfr0, 0) >= 1, "EL1 and EL0 are there");
    agrees("floating point", bits(pfr0, 16), 15, fp);
    agrees("CRC32", bits(isar0, 16), 0, crc);
    agrees("SVE", bits(pfr0, 32), 0, sve);
    agrees("pointer authentication", bits(isar1, 4) | bits(isar1, 8), 0, pauth);
    agrees("PMU", bits(dfr0, 8) == 15 ? 0 : bits(dfr0, 8), 0, pmu);
    agrees("limited ordering regions", bits(mmfr1, 16), 0, lor);
    agrees("memory tagging", bits(pfr1, 8) > 1 ? 1 : 0, 0, mte);
    agrees("RAS", bits(pfr0, 28), 0, ras);
    if (machine.gic == 3) {
        agrees("GIC system registers", bits(pfr0, 24), 0, gic);
    }
    ok(bits(dfr0, 0) >= 6, "debug architecture is there");
    /* Implementer 0, software's own, is what QEMU's max says. */
    ok(read_sysreg(midr_el1) != 0, "MIDR names the CPU");
    /* The whole ID space reads, reserved encodings as zero (D17.1.1). */
    bool all = true;
    skip_faults(true);
    u64 faults = fault_count[0];
    (void)read_sysreg(S3_0_C0_C7_7);
    (void)read_sysreg(S3_0_C0_C4_3);
    (void)read_sysreg(S3_0_C0_C5_7);
    (void)read_sysreg(S3_0_C0_C3_3);
    all = fault_count[0] == faults;
    skip_faults(false);
    ok(all, "reserved ID registers read");
    if (machine.cpu_count > 1 && cpu_start(1, read_other, NULL) == 0) {
        wait_change(&other_done, 0, 1000000);
        ok(other[0] == pfr0 && other[1] == isar0 && other[2] == mmfr0 &&
               other[3] == read_sysreg(midr_el1),
           "the second CPU has the same");
    }
}

/*
 * Every class of exception that EL1 can raise, some towards itself, some
 * towards the hypervisor, thousands of times: undefined instructions, SVC, BRK,
 * HVC and SMC with every immediate sampled, FP off, misaligned SP and PC, aborts
 * on instruction and data of every width, illegal return state, WFE and WFI with
 * an interrupt pending, unaligned and exclusive access to emulated devices.
 *
 * Right: an exception to EL1 of the class the architecture names, or an answer.
 * Wrong: silence, or the neighbour notices.
 */
#include "common.inc"

static void one(u32 insn)
{
    hostile_add(insn, 0x1234);
}

static void bad_sp(void *arg)
{
    __asm__ volatile("mov x9, sp\n\tadd sp, sp, #4\n\tldr x10, [sp]\n\tmov sp, x9" ::: "x9", "x10");
}

static void bad_eret(void *arg)
{
    /* To EL1 with M[4] set: AArch32 state, where PSTATE says EL1 is AArch64: an illegal return. */
    __asm__ volatile(
        "adr x9, 1f\n\tmsr elr_el1, x9\n\tmsr spsr_el1, %0\n\tisb\n\teret\n1:" ::"r"((u64)arg)
        : "x9", "memory");
}

static void jump(void *arg)
{
    ((void (*)(void))arg)();
}

static void device_widths(u64 at)
{
    __asm__ volatile(
        "ldrb w9, [%0]\n\tldrh w9, [%0]\n\tldr w9, [%0]\n\tldr x9, [%0]\n\t"
        "ldp w9, w10, [%0]\n\tldp x9, x10, [%0]\n\tldxr w9, [%0]\n\t"
        "stxr w10, w9, [%0]\n\tldar w9, [%0]\n\tldrsb x9, [%0, #1]\n\t"
        "ldr w9, [%0, #2]\n\tldr w9, [%0], #0\n\tprfm pldl1keep, [%0]\n\t"
        "strb wzr, [%0, #0x40]\n\tstrh wzr, [%0, #0x42]\n\tstp xzr, xzr, [%0, #0x50]" ::"r"(at)
        : "x9", "x10", "memory");
}

static void round_of(u64 *seed)
{
    for (u32 i = 0; i < 64; i++) {
        u32 imm = (u32)kit_random(seed) & 0xffff;
        imm = i == 0 ? 0 : i == 1 ? 0xffff : i == 2 ? 0xea1 : imm;
        one(0xd4000002u | imm << 5);              /* hvc */
        one(0xd4000003u | imm << 5);              /* smc */
        one(0xd4000001u | imm << 5);              /* svc */
        one(0xd4200000u | imm << 5);              /* brk */
        one(0xd4400000u | imm << 5);              /* hlt */
        one(0xd4a00001u | imm << 5);              /* dcps1 */
        one(0x00000000u | imm);                   /* udf */
        one((u32)kit_random(seed) & 0x01ffffffu); /* reserved top-level encodings */
    }
    hostile_run();
    write_sysreg(cpacr_el1, 0);
    isb();
    one(0x1e602000u); /* fcmp d0, d0 */
    one(0x4ea01c00u); /* mov v0.16b, v0.16b */
    hostile_run();
    write_sysreg(cpacr_el1, 3 << 20);
    isb();
    one(0x04bf5000u); /* rdvl: SVE */
    one(0xd503245fu); /* bti c */
    one(0xdac103e0u); /* pauth: paciza */
    hostile_run();
    static const u64 nowhere[] = {0x0,          0x10000000,         0x3ffff000,      0x1000000000,
                                  0x7fc0000000, 0xffff000000000000, 0x40000000000000};
    for (u32 i = 0; i < ARRAY_SIZE(nowhere); i++) {
        (void)expect_fault(jump, (void *)nowhere[i]);
        device_widths(nowhere[i]);
    }
    (void)expect_fault(jump, (void *)((u64)guest_main + 2));
    (void)expect_fault(bad_sp, NULL);
    static const u64 states[] = {0x1f3, 0x3d3, 0x3c9, 0x3cd, 0x3c2, 0x3c7, 0x1003c5, 0x3c5};
    for (u32 i = 0; i < ARRAY_SIZE(states); i++) {
        (void)expect_fault(bad_eret, (void *)states[i]);
    }
    device_widths(machine.gicd);
    device_widths(machine.gicd + 0x400);
    device_widths(machine.gicr);
    device_widths(machine.gicr + 0x10400);
    device_widths(machine.uart);
}

void guest_main(void)
{
    u64 seed = hostile_seed();
    hostile_catch();
    mmu_l1[0] &= ~(3ul << 53);
    __asm__ volatile("dsb sy\n\ttlbi vmalle1\n\tdsb sy\n\tisb");
    for (u64 i = 0; hostile_more(i, 30); i++) {
        round_of(&seed);
        if (i % 10 == 0) {
            heartbeat();
        }
    }
    hostile_report();
    ok(hostile_class[EC_UNKNOWN] > 0, "undefined instructions came back to us");
    ok(hostile_class[EC_SVC64] > 0, "so did system calls");
    ok(hostile_class[EC_DABT_SAME] > 0, "so did data aborts");
    ok(true, "survived");
}

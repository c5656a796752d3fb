/*
 * Attempts to enter AArch32: an exception return to every AArch32 mode, to EL0
 * in A32 and T32 with undefined instructions there, to EL2 and EL3 modes.
 *
 * Right: EL0 in AArch32 runs where the CPU has it and faults back here with
 * class 0x00 or SVC32 (0x11); other modes are illegal returns (0x0e). Wrong:
 * anything reaches the hypervisor.
 */
#include "common.inc"

static u32 user_code[16] __attribute__((aligned(64)));
static u64 pages[2][512] __attribute__((aligned(4096)));
static volatile u64 back;

static bool on_sync(struct frame *frame)
{
    u64 ec = ESR_EC(frame->esr);
    hostile_class[ec]++;
    frame->elr = frame->x[20]; /* where try_return wants to go on; x20 is banked in nothing */
    frame->spsr = 0x3c5;
    back++;
    return true;
}

static void try_return(u64 spsr, u64 at)
{
    __asm__ volatile("adr x20, 1f\n\tmov x21, sp\n\tmsr elr_el1, %1\n\tmsr spsr_el1, %0\n\tisb\n\t"
                     "eret\n1:\tmov sp, x21" ::"r"(spsr),
                     "r"(at)
                     : "x20", "x21", "x0", "x1", "x2", "x3", "x4", "x13", "x14", "memory");
}

void guest_main(void)
{
    sync_hook = on_sync;
    /* User-accessible alias of the page with the code at 512 MiB, where AArch32 can reach. */
    pages[0][0] = (u64)pages[1] | 3;
    pages[1][0] = ((u64)user_code & ~0xffful) | 0x4c7 | 0x300;
    mmu_l1[3] = (u64)pages[0] | 3;
    __asm__ volatile("dsb sy\n\ttlbi vmalle1\n\tdsb sy\n\tisb");
    u64 at = 3ul << 30 | ((u64)user_code & 0xfff);
    static const u32 programs[][2] = {{0xef000000, 0xeafffffe}, {0xe7f000f0, 0xeafffffe},
                                      {0xe12fff1e, 0xeafffffe}, {0xee1ecf1e, 0xee000e10},
                                      {0xdf00bf00, 0xe7fee7fe}, {0xe1400070, 0xe1600070}};
    for (u64 round = 0; hostile_more(round, 20); round++) {
        for (u32 p = 0; p < ARRAY_SIZE(programs); p++) {
            for (u32 i = 0; i < 16; i++) {
                user_code[i] = i < 2 ? programs[p][i] : 0xef000000; /* svc at last */
            }
            sync_code(user_code, sizeof(user_code));
            for (u64 mode = 0x10; mode < 0x20; mode++) {
                if (mode == 0x10 && programs[p][1] == 0xeafffffe && p == 2) {
                    continue; /* bx lr: nowhere lawful */
                }
                u64 spsr = 0x1c0 | mode | (p == 4 ? 0x20 : 0);
                if (mode == 0x10 && (read_sysreg(id_aa64pfr0_el1) & 15) != 2) {
                    continue;
                }
                try_return(spsr, at);
            }
        }
        for (u64 mode = 8; mode < 16; mode++) {
            try_return(0x3c0 | mode, (u64)guest_main);
        }
        if (round % 5 == 0) {
            heartbeat();
        }
    }
    hostile_report();
    ok(back > 100, "every attempt came back");
    ok(hostile_class[EC_ILLEGAL] > 0, "returns to other modes are illegal");
}

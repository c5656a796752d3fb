/*
 * Every system-register encoding (op0 0-3, op1, CRn, CRm, op2: 65,536 of them),
 * read and written with zero, ones and its own value, by instructions made at
 * run time. Only what would end this guest's own life lawfully is left out: its
 * vectors, translation registers, stack pointer selection, interrupt masks and
 * exception state, WFI and WFE.
 * On a CPU that has SVE or SME its own CPACR_EL1, zero at reset, traps these to EL1 before anybody
 * else is asked (classes 0x19, 0x1d); later CPUs know more encodings, none of them another class.
 *
 * Right: each either executes or is UNDEFINED here (class 0x00; class 0x18 also,
 * where the architecture traps it to EL1). Wrong: the guest stops, the
 * hypervisor dies, or an instruction does neither.
 */
#include "common.inc"

#define EC_SVE 0x19
#define EC_SME 0x1d

/* op0 op1 crn crm op2 as in bits 20:5 of MSR/MRS. */
static bool spared(u32 op0, u32 op1, u32 crn, u32 crm, u32 op2, bool write)
{
    if (op0 == 0) { /* hints, barriers, MSR immediate */
        return crn == 2 || crn == 4 || (crn == 1 && crm == 0);
    }
    if (op0 == 1) { /* SYS: cache and TLB operations take an address in the register */
        return false;
    }
    if (op0 == 2 || !write) {
        /* External debug: writing OSLAR or MDSCR only enables stepping of ourselves. */
        return op0 == 2 && write && crn == 0 && op2 == 2 && crm == 2;
    }
    if (op1 == 0) {
        return (crn == 1 && crm == 0) || crn == 2 || crn == 4 || (crn == 12 && crm == 0) ||
               (crn == 13 && op2 == 4) || (crn == 10 && crm == 2);
    }
    return op1 == 3 && crn == 4; /* NZCV, DAIF, DSPSR ... */
}

void guest_main(void)
{
    hostile_catch();
    mmu_l1[1] &= ~(3ul << 53);
    static const u64 values[] = {0, ~0ul, 0x5555aaaa5555aaaaul};
    u32 done = 0;
    u64 state = hostile_seed();
    u64 part = bootarg_u64("part", 1); /* one encoding in `part`, chosen at random */
    for (u64 n = 0; hostile_more(n, 1u << 16); n++) {
        u32 encoding = (u32)n & 0xffff;
        u32 op0 = encoding >> 14, op1 = encoding >> 11 & 7, crn = encoding >> 7 & 15;
        u32 crm = encoding >> 3 & 15, op2 = encoding & 7;
        if ((encoding & 0xfff) == 0) {
            heartbeat();
        }
        if (part > 1 && kit_random(&state) % part) {
            continue;
        }
        for (u32 write = 0; write < 2; write++) {
            if (spared(op0, op1, crn, crm, op2, write == 0)) {
                continue;
            }
            /* Bit 21 is L: 1 reads. op0 = 0 has no read form. */
            for (u32 v = 0; v < (write ? 1 : ARRAY_SIZE(values)); v++) {
                /* MSR/MRS/SYS with t = 0. */
                hostile_add(0xd5000000u | encoding << 5 | (write && op0 ? 1u << 21 : 0), values[v]);
                done++;
            }
        }
    }
    hostile_run();
    write_sysreg(mdscr_el1, 0);
    write_sysreg(cntv_ctl_el0, 0);
    write_sysreg(cntp_ctl_el0, 0);
    note("%u instructions", done);
    hostile_report();
    u64 lawful = 0, all = 0;
    for (u32 i = 0; i < 64; i++) {
        all += hostile_class[i];
        lawful += i == EC_UNKNOWN || i == EC_SYSREG || i == EC_FP || i == EC_DABT_SAME ||
                          i == EC_ILLEGAL || i == EC_IABT_SAME || i == EC_SVE || i == EC_SME
                      ? hostile_class[i]
                      : 0;
    }
    is(lawful, all, "only exceptions that hardware gives");
    ok(done > 1000, "swept");
}

/*
 * Games with translation tables: entries changed without break-before-make,
 * tables that point at themselves, at devices, at nothing and beyond the
 * address space, the MMU flipped on and off, ASIDs and TCR changed at random,
 * then floods of cache and TLB maintenance.
 *
 * Right: faults here, and only here. Wrong: another guest's memory changes, its
 * share falls, or broadcast maintenance stops somebody.
 */
#include "common.inc"

static u64 pool[4][512] __attribute__((aligned(4096)));

static void touch(u64 at)
{
    __asm__ volatile("ldr x9, [%0]\n\tstr x9, [%0]\n\tldxr x9, [%0]\n\tstxr w10, x9, [%0]" ::"r"(at)
                     : "x9", "x10", "memory");
}

static u64 wild_entry(u64 *seed)
{
    u64 r = kit_random(seed);
    switch (r & 7) {
    case 0:
        return (u64)pool[r >> 8 & 3] | 3;
    case 1:
        return (u64)mmu_l1 | 3;
    case 2:
        return r | 3;
    case 3:
        return machine.gicd | 3;
    case 4:
        return (r & 0xfffffffff000) | 0x401;
    case 5:
        return (machine.ram_base + (r >> 8) % machine.ram_size) | 0x703;
    case 6:
        return 0;
    default:
        return r;
    }
}

static void self_modifying(u64 *seed)
{
    for (u32 i = 0; i < 64; i++) {
        u64 slot = 256 + (kit_random(seed) & 127);
        mmu_l1[slot] = wild_entry(seed);
        pool[kit_random(seed) & 3][kit_random(seed) & 511] = wild_entry(seed);
        __asm__ volatile("dsb ish\n\tisb");
        touch(slot << 30 | (kit_random(seed) & 0x3ffffff8));
    }
}

static void flood(u64 *seed)
{
    for (u32 i = 0; i < 200; i++) {
        u64 r = kit_random(seed);
        u64 at = machine.ram_base + (r & 0xfffff) * 8;
        __asm__ volatile(
            "tlbi vmalle1is\n\ttlbi vae1is, %0\n\ttlbi aside1is, %0\n\ttlbi vaae1is, %0\n\t"
            "tlbi vale1, %0\n\tdsb ish" ::"r"(r));
        __asm__ volatile(
            "dc civac, %0\n\tdc cvau, %0\n\tic ivau, %0\n\tdc cvac, %0\n\tdc zva, %1\n\t"
            "ic ialluis\n\tdsb sy\n\tisb" ::"r"(at),
            "r"((u64)pool[3]));
        if (i % 8 == 0) { /* by set and way: for no guest to use, and hypervisors may trap it */
            __asm__ volatile("dc cisw, %0\n\tdc csw, %0\n\tdc isw, %0" ::"r"(r & 0xfffffff2));
        }
        __asm__ volatile("at s1e1r, %0\n\tat s1e0w, %0\n\tat s1e1w, %1" ::"r"(r), "r"(at));
    }
}

static void flips(u64 *seed)
{
    u64 tcr = read_sysreg(tcr_el1);
    for (u32 i = 0; i < 8; i++) {
        mmu_off();
        mmu_on();
        write_sysreg(contextidr_el1, kit_random(seed));
        write_sysreg(ttbr1_el1, kit_random(seed));
        write_sysreg(amair_el1, kit_random(seed));
        write_sysreg(tcr_el1, tcr ^ (kit_random(seed) & 0x7f) << 32 ^ 1ul << 36);
        isb();
        write_sysreg(tcr_el1, tcr);
        isb();
        for (u32 j = 256; j < 384; j++) {
            mmu_l1[j] = 0;
        }
    }
}

void guest_main(void)
{
    u64 seed = hostile_seed();
    hostile_catch();
    for (u64 i = 0; hostile_more(i, 30); i++) {
        self_modifying(&seed);
        flood(&seed);
        flips(&seed);
        if (i % 5 == 0) {
            heartbeat();
        }
    }
    hostile_report();
    ok(hostile_class[EC_DABT_SAME] > 0, "wild mappings fault here");
    ok(true, "survived");
}

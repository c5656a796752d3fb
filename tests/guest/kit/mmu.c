/* An identity map in 1 GiB blocks: the first is devices, all others normal write-back memory. */
#include "kit-internal.h"

u64 mmu_l1[512] __attribute__((aligned(4096)));
static u64 heap_next;

#define BLOCK 1ul
#define AF (1ul << 10)
#define INNER_SHAREABLE (3ul << 8)
#define ATTR(n) ((u64)(n) << 2)
#define XN (3ul << 53)

/* T0SZ = 25 (39 bits, start at level 1), 4 KiB granule, write-back walks, 40-bit output. */
#define TCR (25ul | 1ul << 8 | 1ul << 10 | 3ul << 12 | 1ul << 23 | 2ul << 32)

void mmu_enable_here(void)
{
    write_sysreg(mair_el1, 0xff00); /* 0: Device-nGnRnE, 1: normal write-back */
    write_sysreg(tcr_el1, TCR);
    write_sysreg(ttbr0_el1, (u64)mmu_l1);
    dsb();
    isb();
    __asm__ volatile("tlbi vmalle1\n\tic iallu\n\tdsb sy\n\tisb" ::: "memory");
    write_sysreg(sctlr_el1, read_sysreg(sctlr_el1) | 1 << 0 | 1 << 2 | 1 << 12);
    isb();
}

/* Memory was written with the caches off: nothing stale may hide it afterwards. */
static void clean_image(void)
{
    for (u64 at = (u64)_head & ~63ul; at < (u64)_end; at += 64) {
        __asm__ volatile("dc civac, %0" ::"r"(at) : "memory");
    }
    dsb();
}

void mmu_on(void)
{
    mmu_l1[0] = BLOCK | AF | ATTR(0) | XN;
    for (u64 i = 1; i < 512; i++) {
        mmu_l1[i] = i << 30 | BLOCK | AF | INNER_SHAREABLE | ATTR(1);
    }
    clean_image();
    mmu_enable_here();
}

void mmu_off(void)
{
    clean_image();
    write_sysreg(sctlr_el1, read_sysreg(sctlr_el1) & ~(1ul << 0 | 1ul << 2 | 1ul << 12));
    isb();
    clean_image();
}

u64 heap_start(void)
{
    return ((u64)_end + KIT_PAGE - 1) & ~(KIT_PAGE - 1);
}

void *heap_pages(unsigned count)
{
    if (!heap_next) {
        heap_next = heap_start();
    }
    u64 at = heap_next;
    heap_next += count * KIT_PAGE;
    u64 fdt = (u64)machine.fdt;
    if (at <= fdt && fdt < heap_next) {
        at = (fdt + (2ul << 20)) & ~(KIT_PAGE - 1); /* leave the device tree alone */
        heap_next = at + count * KIT_PAGE;
    }
    memset((void *)at, 0, count * KIT_PAGE);
    return (void *)at;
}

void sync_code(void *start, size_t size)
{
    for (u64 at = (u64)start & ~15ul; at < (u64)start + size; at += 16) {
        __asm__ volatile("dc cvau, %0" ::"r"(at) : "memory");
    }
    dsb();
    for (u64 at = (u64)start & ~15ul; at < (u64)start + size; at += 16) {
        __asm__ volatile("ic ivau, %0" ::"r"(at) : "memory");
    }
    dsb();
    isb();
}

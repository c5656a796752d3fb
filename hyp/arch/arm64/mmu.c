/*
 * The hypervisor's own address space: EL2 stage 1, layout in arch/layout.h.
 *
 * M1  nothing is writable and executable; SCTLR_EL2.WXN makes a mistake fault.
 * M2  the image's frames have one mapping, the image's; they join the direct
 *     map only when they are given back.
 * M3  the tables change on the boot CPU only, before guests run, except for
 *     entries that go from invalid to valid (no break-before-make needed).
 *
 * boot_tables() runs with the MMU off at the load address: it may use no
 * pointer that was linked. Source: DDI 0487I.a D8.3 (descriptors).
 */
#include "arm64.h"

#include <hyp/assert.h>
#include <hyp/frame.h>
#include <hyp/log.h>
#include <lib/string.h>

#define ENTRIES 512
#define PTE_VALID (1ul << 0)
#define PTE_TABLE (1ul << 1) /* level 0-2; at level 3 it says page */
#define PTE_ATTR(i) ((uint64_t)(i) << 2)
#define PTE_RES1 (1ul << 6) /* AP[1] */
#define PTE_RO (1ul << 7)
#define PTE_SH_INNER (3ul << 8)
#define PTE_AF (1ul << 10)
#define PTE_XN (1ul << 54)
#define PTE_ADDRESS 0x0000fffffffff000ul

#define PTE_COMMON (PTE_VALID | PTE_RES1 | PTE_AF)
#define PTE_NORMAL (PTE_COMMON | PTE_ATTR(1) | PTE_SH_INNER)
#define MAP_TEXT (PTE_NORMAL | PTE_RO)
#define MAP_RODATA (PTE_NORMAL | PTE_RO | PTE_XN)
#define MAP_DATA (PTE_NORMAL | PTE_XN)
#define MAP_DEVICE (PTE_COMMON | PTE_ATTR(0) | PTE_XN)

#define TABLE __attribute__((aligned(4096), section(".bss..page")))

uint64_t image_pa;
uint64_t root_table[ENTRIES] TABLE;
static uint64_t image_l1[ENTRIES] TABLE, image_l2[ENTRIES] TABLE, image_l3[ENTRIES] TABLE;

/* Needed before there is a frame allocator: for the tree and the direct map itself, usually four. */
#define POOL_TABLES 6
static uint64_t pool[POOL_TABLES][ENTRIES] TABLE;
static unsigned pool_used;
static bool frames_ready;

void arch_image_range(mpa_t *start, mpa_t *end)
{
    *start = mpa(image_pa);
    *end = mpa(image_pa + (uint64_t)(image_end - image_start));
}

static unsigned index_at(uint64_t va, unsigned level)
{
    return (va >> (39 - 9 * level)) & (ENTRIES - 1);
}

/* With the MMU off addresses of symbols are machine addresses: see the head of this file. */
static __init void image_pages(const char *from, const char *to, uint64_t attributes)
{
    for (uint64_t pa = (uint64_t)from; pa < (uint64_t)to; pa += FRAME_SIZE) {
        image_l3[index_at(pa - image_pa, 3)] = pa | attributes | PTE_TABLE;
    }
}

static __init void image_at(uint64_t va)
{
    root_table[index_at(va, 0)] = (uint64_t)image_l1 | PTE_VALID | PTE_TABLE;
    image_l1[index_at(va, 1)] = (uint64_t)image_l2 | PTE_VALID | PTE_TABLE;
    image_l2[index_at(va, 2)] = (uint64_t)image_l3 | PTE_VALID | PTE_TABLE;
}

/* Returns the machine address of the root. MMU and caches are off. */
__init uint64_t boot_tables(void)
{
    image_pa = (uint64_t)image_start;
    image_pages(image_start, rodata_start, MAP_TEXT);
    image_pages(rodata_start, init_text_start, MAP_RODATA);
    image_pages(init_text_start, init_data_start, MAP_TEXT);
    image_pages(init_data_start, image_end, MAP_DATA);
    image_at(IMAGE_VA);
    /* The image is 2 MiB-aligned and smaller: its last table also maps it where it is, which
     * carries the switch. The tables are shared down to it; mmu_drop_boot() parts them. */
    image_at(image_pa);
    return (uint64_t)root_table;
}

static uint64_t *table_va(uint64_t pa)
{
    uint64_t offset = pa - image_pa;
    bool of_image = offset < (uint64_t)(image_end - image_start);

    return of_image ? (uint64_t *)(IMAGE_VA + offset) : arch_ram_va(pa);
}

uint64_t hva_pa(const void *va)
{
    uint64_t v = (uint64_t)va;

    return v >= DIRECTMAP_VA ? v - DIRECTMAP_VA : v - IMAGE_VA + image_pa;
}

static uint64_t *table_alloc(void)
{
    if (frames_ready) {
        return frame_alloc_hyp(NULL, 0);
    }
    return pool_used < POOL_TABLES ? pool[pool_used++] : NULL;
}

/*
 * Map [pa, pa + size) at va with the largest blocks that fit; what is mapped
 * already stays as it is. False: no memory for tables.
 */
static bool map(uint64_t va, uint64_t pa, uint64_t size, uint64_t attributes)
{
    uint64_t done = 0;

    while (done < size) {
        uint64_t *table = root_table;
        unsigned level = 0;
        uint64_t span, v = va + done, p = pa + done;

        for (;; level++) {
            uint64_t *slot = &table[index_at(v, level)];
            span = 1ul << (39 - 9 * level);
            bool fits = level && ((v | p) & (span - 1)) == 0 && size - done >= span;

            if (!(*slot & PTE_VALID) && fits) {
                *slot = p | attributes | (level == 3 ? PTE_TABLE : 0);
                break;
            }
            if (level == 3 || ((*slot & PTE_VALID) && !(*slot & PTE_TABLE))) {
                span -= v & (span - 1);
                break; /* mapped already */
            }
            if (!(*slot & PTE_VALID)) {
                uint64_t *next = table_alloc();
                if (!next) {
                    return false;
                }
                *slot = hva_pa(next) | PTE_VALID | PTE_TABLE;
            }
            table = table_va(*slot & PTE_ADDRESS);
        }
        done += span;
    }
    dsb(ishst);
    isb();
    return true;
}

/* The frames that hold [at, at + size) into the direct map; where `at` is in it, or NULL. */
static void *map_direct(uint64_t at, uint64_t size, uint64_t attributes)
{
    uint64_t start = at & ~FRAME_MASK, end = (at + size + FRAME_MASK) & ~FRAME_MASK;

    if (at + size < at || end > DIRECTMAP_VA) {
        return NULL;
    }
    return map(DIRECTMAP_VA + start, start, end - start, attributes) ? arch_ram_va(at) : NULL;
}

void *arch_map_mmio(mpa_t at, uint64_t size_bytes)
{
    return map_direct(at.v, size_bytes, MAP_DEVICE);
}

const void *arch_map_ram(mpa_t at, uint64_t size_bytes)
{
    return map_direct(at.v, size_bytes, MAP_DATA);
}

/* RAM into the direct map, the image left out (M2). [start, end) in whole frames. False: no memory for tables. */
__init bool mmu_map_ram(uint64_t start, uint64_t end)
{
    mpa_t image, behind;

    arch_image_range(&image, &behind);
    uint64_t first_end = end < image.v ? end : image.v;
    uint64_t second = start > behind.v ? start : behind.v;

    return (start >= first_end || map_direct(start, first_end - start, MAP_DATA)) &&
           (second >= end || map_direct(second, end - second, MAP_DATA));
}

void mmu_frames_ready(void)
{
    frames_ready = true;
}

/* A CPU's stack in its slot; below it nothing is mapped, so an overflow faults. Returns its top or NULL. */
void *mmu_map_stack(uint32_t cpu_id)
{
    uint64_t top = STACKS_VA + (uint64_t)(cpu_id + 1) * STACK_SLOT;

    static_assert(STACK_SIZE == FRAME_SIZE << 2, "stack order");
    void *stack = frame_alloc_hyp(NULL, 2);
    bool mapped = stack && map(top - STACK_SIZE, hva_pa(stack), STACK_SIZE, MAP_DATA);
    return mapped ? (void *)top : NULL;
}

/* The identity map's entry of a table, unless the image's own is the same. */
static void drop_entry(uint64_t *table, unsigned level)
{
    if (index_at(image_pa, level) != index_at(IMAGE_VA, level)) {
        table[index_at(image_pa, level)] = 0;
    }
}

/* After all CPUs are up: the identity map goes, and boot code and data become free memory. */
void mmu_drop_boot(void)
{
    uint64_t start = image_pa + (uint64_t)(init_text_start - image_start);
    uint64_t end = image_pa + (uint64_t)(data_start - image_start);

    for (const char *p = init_text_start; p < data_start; p += FRAME_SIZE) {
        image_l3[index_at((uint64_t)p, 3)] = 0;
    }
    drop_entry(root_table, 0);
    drop_entry(image_l1, 1);
    drop_entry(image_l2, 2);
    dsb(ishst);
    __asm__ volatile("tlbi alle2is");
    dsb(ish);
    isb();
    if (map_direct(start, end - start, MAP_DATA)) {
        frame_add_range(mpa(start), mpa(end), true);
    }
}

/* Bytes of the smallest data cache line. */
static uint64_t line_bytes(void)
{
    return 4ul << ((sysreg_read(ctr_el0) >> 16) & 0xf);
}

void arch_clean_to_poc(const void *va, size_t size_bytes)
{
    uint64_t line = line_bytes();
    uint64_t end = (uint64_t)va + size_bytes, a = (uint64_t)va & ~(line - 1);

    for (; a + 3 * line < end; a += 4 * line) {
        __asm__ volatile("dc civac, %0\n\tdc civac, %1\n\tdc civac, %2\n\tdc civac, %3"
                         :
                         : "r"(a), "r"(a + line), "r"(a + 2 * line), "r"(a + 3 * line)
                         : "memory");
    }
    for (; a < end; a += line) {
        __asm__ volatile("dc civac, %0" : : "r"(a) : "memory");
    }
    dsb(sy);
}

/* What is clean to the point of coherency is so to that of unification, which is before it. */
void arch_sync_icache(const void *va, size_t size_bytes)
{
    __asm__ volatile("ic ialluis");
    dsb(ish);
    isb();
}

/* Zeroing works on cache blocks of 64 bytes here? DDI 0487I.a, DCZID_EL0 */
static bool zva_64(void)
{
    return (sysreg_read(dczid_el0) & 0x1f) == 4;
}

/* Normal memory takes any alignment (Arm ARM, B2.8.2; SCTLR_EL2.A is 0). The rest goes by bytes. */
void arch_copy_unaligned(void *restrict to, const void *restrict from, size_t size)
{
    char *t = to;
    const char *f = from;

    for (; size >= 64; size -= 64) {
        __asm__ volatile("ldp x9, x10, [%1], #16\n\tldp x11, x12, [%1], #16\n\t"
                         "stp x9, x10, [%0], #16\n\tstp x11, x12, [%0], #16\n\t"
                         "ldp x9, x10, [%1], #16\n\tldp x11, x12, [%1], #16\n\t"
                         "stp x9, x10, [%0], #16\n\tstp x11, x12, [%0], #16"
                         : "+&r"(t), "+&r"(f)
                         :
                         : "x9", "x10", "x11", "x12", "memory");
    }
    memcpy(t, f, size);
}

/* Zero whole frames, a cache block at a time where the CPU lets us. */
void arch_zero_pages(void *va, uint64_t size_bytes)
{
    char *p = va, *end = p + size_bytes;

    if (!zva_64()) {
        memset(va, 0, size_bytes);
        return;
    }
    for (; p < end; p += 512) { /* eight blocks at a time */
        __asm__ volatile("dc zva, %0\n\tdc zva, %1\n\tdc zva, %2\n\tdc zva, %3\n\t"
                         "dc zva, %4\n\tdc zva, %5\n\tdc zva, %6\n\tdc zva, %7"
                         :
                         : "r"(p), "r"(p + 64), "r"(p + 128), "r"(p + 192), "r"(p + 256),
                           "r"(p + 320), "r"(p + 384), "r"(p + 448)
                         : "memory");
    }
}

void arch_scrub_pages(void *va, uint64_t size_bytes)
{
    char *p = va, *end = p + size_bytes;

    if (!zva_64() || line_bytes() < 64) { /* cleaning one address per 64 bytes would not do */
        arch_zero_pages(va, size_bytes);
        arch_clean_to_poc(va, size_bytes);
        return;
    }
    for (; p < end; p += 256) {
        __asm__ volatile("dc zva, %0\n\tdc zva, %1\n\tdc zva, %2\n\tdc zva, %3\n\t"
                         "dc civac, %0\n\tdc civac, %1\n\tdc civac, %2\n\tdc civac, %3"
                         :
                         : "r"(p), "r"(p + 64), "r"(p + 128), "r"(p + 192)
                         : "memory");
    }
    dsb(sy);
}

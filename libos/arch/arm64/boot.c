/*
 * Boot with the MMU off: read the device tree, choose addresses, relocate the image to
 * them, build the translation tables. bss is not cleared yet: nothing here may have variables there.
 *
 * Everything here runs at the physical address, before relocation: no tables of pointers,
 * no string constants in arrays of pointers, and no calls outside this file. Memory is
 * Device-nGnRnE, so accesses are aligned (-mstrict-align).
 */
#include "libos/boot.h"
#include "arch/arm64/frame.h"
#include "arch/arm64/tables.h"
#include "core/fdt.h"

/* `boot` is filled in before bss is cleared: start.S keeps it behind what is cleared. */
_Static_assert(sizeof(struct boot_info) == BOOT_INFO_SIZE, "start.S");
_Static_assert(offsetof(struct boot_info, free_pa) == BOOT_FREE_PA, "start.S");

/* MAIR, TCR, SCTLR for start.S. Attribute 0: normal write-back; 1: Device-nGnRE. */
uint64_t mmu_registers[3] __attribute__((section(".data"))) = {
    0x04ff,
    25 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23,
    0x30d00800 | SCTLR_M | SCTLR_C | SCTLR_SA | SCTLR_I | SCTLR_WXN,
};

struct two_words {
    uint64_t root;
    uint64_t offset;
};

static uint64_t mix(uint64_t x)
{
    /* splitmix64's finaliser: spreads a seed, hides nothing by itself. */
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

struct boot_random {
    uint64_t state;
    uint64_t key;
};

static struct boot_random boot_random_init(uint64_t count)
{
    uint64_t sum = 0;
    for (unsigned int i = 0; i < BOOT_SEED_MAX / 8; i++) {
        sum = (sum << 7 | sum >> 57) ^ ((const uint64_t *)boot.seed)[i];
    }
    return (struct boot_random){count, mix(sum + 1)};
}

static uint64_t boot_random(struct boot_random *random)
{
    random->state += 0x9e3779b97f4a7c15ULL;
    return mix(random->state ^ random->key);
}

/* Zero [start, end), both multiples of 16. DC ZVA faults on device memory, which all is here. */
static void clear(uint64_t start, uint64_t end)
{
    while (end - start >= 128) {
        __asm__ volatile("stp xzr, xzr, [%0, #16]\n\tstp xzr, xzr, [%0, #32]\n\t"
                         "stp xzr, xzr, [%0, #48]\n\tstp xzr, xzr, [%0, #64]\n\t"
                         "stp xzr, xzr, [%0, #80]\n\tstp xzr, xzr, [%0, #96]\n\t"
                         "stp xzr, xzr, [%0, #112]\n\tstp xzr, xzr, [%0], #128"
                         : "+r"(start)
                         :
                         : "memory");
    }
    for (; start < end; start += 16) {
        __asm__ volatile("stp xzr, xzr, [%0]" : : "r"(start) : "memory");
    }
}

static uint64_t *table_new(uint64_t *next)
{
    uint64_t *table = (uint64_t *)*next;
    *next += PAGE_SIZE;
    clear((uint64_t)table, *next);
    return table;
}

/* The table below `entry`, made if there is none. */
static uint64_t *table_below(uint64_t *entry, uint64_t *next)
{
    if (!(*entry & PTE_VALID)) {
        *entry = (uint64_t)table_new(next) | PTE_TABLE;
    }
    return (uint64_t *)(*entry & PTE_ADDRESS);
}

static void map_range(uint64_t *root, uint64_t *next, uint64_t va, uint64_t pa, uint64_t size,
                      uint64_t attributes)
{
    while (size > 0) {
        uint64_t *level2 = table_below(&root[va >> 30 & 511], next);
        uint64_t *entry = &level2[va >> 21 & 511];
        uint64_t step = MIN(size, BLOCK_SIZE - (va & (BLOCK_SIZE - 1)));
        if (step == BLOCK_SIZE && !(pa & (BLOCK_SIZE - 1))) {
            *entry = pa | attributes | PTE_BLOCK;
        } else {
            uint64_t *page = &table_below(entry, next)[va >> 12 & 511];
            uint64_t end = (pa + step) | attributes | PTE_PAGE;
            uint64_t next_page = pa | attributes | PTE_PAGE;
            for (; end - next_page >= 4 * PAGE_SIZE; next_page += 4 * PAGE_SIZE, page += 4) {
                page[0] = next_page;
                page[1] = next_page + PAGE_SIZE;
                page[2] = next_page + 2 * PAGE_SIZE;
                page[3] = next_page + 3 * PAGE_SIZE;
            }
            for (; next_page != end; next_page += PAGE_SIZE) {
                *page++ = next_page;
            }
        }
        va += step;
        pa += step;
        size -= step;
    }
}

/* Add `offset` to each word that the image tool listed; the list (RELR) lies where bss will be. */
static void relocate(uint64_t image_pa, uint64_t offset)
{
    const uint64_t *list = (const uint64_t *)bss_start;
    uint64_t count = list[0];
    uint64_t *where = 0;
    for (uint64_t i = 1; i <= count; i++) {
        uint64_t word = list[i];
        if (!(word & 1)) {
            where = (uint64_t *)(image_pa + word);
            *where++ += offset;
            continue;
        }
        for (word >>= 1; word != 0; word &= word - 1) {
            where[__builtin_ctzl(word)] += offset;
        }
        where += 63;
    }
}

static void choose_addresses(uint64_t count)
{
    struct boot_random state = boot_random_init(count);
    uint64_t image_size = (uint64_t)(image_end - image_start);
    uint64_t image_slot = 64 + boot_random(&state) % 192;
    uint64_t room = (1UL << 30) - image_size - BLOCK_SIZE;
    uint64_t offset = boot_random(&state) % room & ~PAGE_MASK;
    boot.image_va = (image_slot << 30) + offset;

    boot.direct_pa = boot.image_pa + image_size;
    boot.direct_end = MIN(boot.ram_end, boot.direct_pa + DIRECT_MAP_MAX);
    uint64_t direct_slot = 256 + boot_random(&state) % 192;
    uint64_t block = boot_random(&state) & 511;
    boot.direct_va = (direct_slot << 30) + block * BLOCK_SIZE + (boot.direct_pa & (BLOCK_SIZE - 1));
    boot.window_va =
        ((480 + boot_random(&state) % 32) << 30) + (boot_random(&state) & 511) * BLOCK_SIZE;
    boot.uart_va = boot.window_va;
}

static uint64_t *build_tables(void)
{
    uint64_t next = boot.direct_pa;
    uint64_t *root = table_new(&next);
    uint64_t va = boot.image_va;
    uint64_t pa = boot.image_pa;
    uint64_t text = (uint64_t)(text_end - image_start);
    uint64_t rodata = (uint64_t)(rodata_end - text_end);
    uint64_t data = (uint64_t)(image_end - rodata_end);
    map_range(root, &next, va, pa, text, PTE_TEXT);
    map_range(root, &next, va + text, pa + text, rodata, PTE_RODATA);
    map_range(root, &next, va + text + rodata, pa + text + rodata, data, PTE_DATA);
    map_range(root, &next, boot.direct_va, boot.direct_pa, boot.direct_end - boot.direct_pa,
              PTE_DATA);
    /* Without a UART this maps nothing of use, but makes the window's tables. */
    map_range(root, &next, boot.window_va, boot.uart_pa, PAGE_SIZE, PTE_DEVICE);
    if (boot.uart_pa == 0) {
        table_below(table_below(&root[boot.window_va >> 30], &next) + (boot.window_va >> 21 & 511),
                    &next)[0] = 0;
    }
    /* The instructions that turn the MMU on must exist at both addresses: one 1 GiB block,
     * read-only, taken away again by boot_leave_identity(). */
    root[pa >> 30 & 511] = (pa & ~((1UL << 30) - 1)) | PTE_TEXT | PTE_BLOCK;
    boot.tables_pa = (uint64_t)root;
    boot.free_pa = next;
    return root;
}

/**
 * All of the above, in order. Called once from start.S.
 *
 * @image_pa  where the loader put the image, page aligned
 * @dtb       physical address of the device tree
 * @count     CNTVCT at the first instruction
 * Returns the root table and the distance from physical to virtual addresses.
 */
struct two_words boot_early(uint64_t image_pa, const void *dtb, uint64_t count);
struct two_words boot_early(uint64_t image_pa, const void *dtb, uint64_t count)
{
    clear((uint64_t)&boot, (uint64_t)(&boot + 1));
    boot.image_pa = image_pa;
    boot.first_count = count;
    fdt_read_boot_info(dtb, &boot);
    choose_addresses(count);
    relocate(image_pa, boot.image_va);
    uint64_t pa_range;
    __asm__("mrs %0, id_aa64mmfr0_el1" : "=r"(pa_range));
    mmu_registers[1] |= MIN(pa_range & 15, 5UL) << 32;
    uint64_t *root = build_tables();
    return (struct two_words){(uint64_t)root, boot.image_va - image_pa};
}

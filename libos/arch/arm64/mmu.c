#include "libos/mmu.h"

#include <errno.h>
#include <string.h>

#include "arch/arm64/tables.h"
#include "libos/boot.h"
#include "libos/page.h"

static uint64_t *direct(uint64_t pa)
{
    return (uint64_t *)(pa - boot.direct_pa + boot.direct_va);
}

static uint64_t *table_of(uint64_t entry)
{
    return direct(entry & PTE_ADDRESS);
}

static void tlb_flush(void)
{
    /* Orders the table writes before the walker's next look, and the flush before our next access. */
    __asm__ volatile("dsb ishst; tlbi vmalle1; dsb ish; isb" ::: "memory");
}

/* Replace a block by a table that maps the same. Break before make: the block is ours
 * alone and never the memory this code or its stack-frame's table page lives in. */
static int split_block(uint64_t *entry)
{
    uint64_t *table = page_alloc_dirty(1);
    if (table == NULL) {
        return -ENOMEM;
    }
    uint64_t block = *entry;
    for (unsigned int i = 0; i < 512; i++) {
        table[i] = block + i * PAGE_SIZE + (PTE_PAGE - PTE_BLOCK);
    }
    uint64_t next = mmu_physical(table) | PTE_TABLE;
    /* The stack may lie inside the block: break and make without touching memory between. */
    __asm__ volatile("dsb ishst\n\t"
                     "str xzr, [%0]\n\t"
                     "dsb ishst\n\t"
                     "tlbi vmalle1\n\t"
                     "dsb ish\n\t"
                     "isb\n\t"
                     "str %1, [%0]\n\t"
                     "dsb ishst\n\t"
                     "isb"
                     :
                     : "r"(entry), "r"(next)
                     : "memory");
    return 0;
}

static uint64_t *entry_level2(uintptr_t va)
{
    uint64_t *root = direct(boot.tables_pa);
    return &table_of(root[va >> 30 & 511])[va >> 21 & 511];
}

static const uint64_t ATTRIBUTES[] = {
    [MMU_NONE] = 0,
    [MMU_READ] = PTE_RODATA | PTE_PAGE,
    [MMU_WRITE] = PTE_DATA | PTE_PAGE,
};

int mmu_protect(uintptr_t va, size_t size, enum mmu_access access)
{
    uintptr_t limit = boot.direct_va + (boot.direct_end - boot.direct_pa);
    if ((va | size) & PAGE_MASK || va < boot.direct_va || va >= limit || size > limit - va) {
        return -EINVAL;
    }
    /* Split first: it can fail, and must then have changed no access. */
    for (uintptr_t at = va; at < va + size; at = (at | (BLOCK_SIZE - 1)) + 1) {
        uint64_t *entry = entry_level2(at);
        if ((*entry & PTE_TABLE) == PTE_BLOCK) {
            int error = split_block(entry);
            if (error != 0) {
                return error;
            }
        }
    }
    for (uintptr_t at = va; at < va + size; at += PAGE_SIZE) {
        uint64_t pa = at - boot.direct_va + boot.direct_pa;
        table_of(*entry_level2(at))[at >> 12 & 511] =
            access == MMU_NONE ? 0 : pa | ATTRIBUTES[access];
    }
    tlb_flush();
    return 0;
}

uint64_t mmu_physical(const volatile void *pointer)
{
    uintptr_t va = (uintptr_t)pointer;
    if (va - boot.direct_va < boot.direct_end - boot.direct_pa) {
        return va - boot.direct_va + boot.direct_pa;
    }
    CHECK(va >= (uintptr_t)image_start && va < (uintptr_t)image_end);
    return va - (uintptr_t)image_start + boot.image_pa;
}

void *mmu_map_frame(uint64_t frame)
{
    static unsigned int used = 1; /* 0 is the UART's */
    CHECK(used < 512);
    table_of(*entry_level2(boot.window_va))[used] = frame << PAGE_SHIFT | PTE_DATA | PTE_PAGE;
    __asm__ volatile("dsb ishst; isb" ::: "memory"); /* was invalid: nothing to invalidate */
    return (void *)(boot.window_va + used++ * PAGE_SIZE);
}

#define MAIN_STACK_GUARD PAGE_SIZE

extern const size_t config_stack_size;

/* Called from start.S right after the jump: the identity block goes, the main stack comes. */
uintptr_t boot_leave_identity(void);
uintptr_t boot_leave_identity(void)
{
    direct(boot.tables_pa)[boot.image_pa >> 30 & 511] = 0;
    tlb_flush();
    /* Here and not in boot.c: with the caches on it is a quarter of the work. The stack we are
     * on begins bss and needs no clearing. */
    memset(crash_stack_top, 0, (size_t)(kept_start - crash_stack_top));
    page_init();
    char *stack = page_alloc_dirty((MAIN_STACK_GUARD + config_stack_size) >> PAGE_SHIFT);
    if (stack == NULL || mmu_protect((uintptr_t)stack, MAIN_STACK_GUARD, MMU_NONE) != 0) {
        libos_panic("no memory for a stack of %lu KiB; give the domain more memory",
                    config_stack_size >> 10);
    }
    return (uintptr_t)stack + MAIN_STACK_GUARD + config_stack_size;
}

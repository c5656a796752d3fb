#include "core/fdt.h"

enum { FDT_BEGIN_NODE = 1, FDT_END_NODE = 2, FDT_PROP = 3, FDT_NOP = 4, FDT_END = 9 };

#define FDT_MAGIC 0xd00dfeedU
#define FDT_SIZE_MAX (2U << 20)

/* Where the walk is: the node that encloses the current property. */
struct walk {
    struct boot_info *info;
    int depth;
    bool in_memory;             /* /memory* */
    bool in_chosen;             /* /chosen */
    bool is_uart;               /* compatible says so; set before or after reg is seen */
    unsigned int address_cells; /* of the root */
    unsigned int size_cells;
    uint64_t node_reg; /* first address of the node's reg */
};

static uint32_t be32(const void *at)
{
    return __builtin_bswap32(*(const uint32_t *)at);
}

static uint64_t read_cells(const uint32_t *cells, unsigned int count)
{
    uint64_t value = 0;
    for (unsigned int i = 0; i < count; i++) {
        value = value << 32 | be32(&cells[i]);
    }
    return value;
}

static bool same_text(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

/* Nearly always they differ at once: no call for that. */
static inline __attribute__((always_inline)) bool same(const char *a, const char *b)
{
    return *a == *b && same_text(a, b);
}

static bool begins(const char *text, const char *with)
{
    while (*with != '\0' && *text == *with) {
        text++;
        with++;
    }
    return *with == '\0';
}

/* Does the string list value[size] hold the name of a UART that we can drive? */
static bool is_uart(const char *value, uint32_t size)
{
    if (size == 0 || value[size - 1] != '\0') {
        return false;
    }
    for (const char *end = value + size; value < end; value++) {
        if (same(value, "arm,sbsa-uart") || same(value, "arm,pl011")) {
            return true;
        }
        while (*value != '\0') {
            value++;
        }
    }
    return false;
}

static void chosen_property(struct walk *walk, const char *name, const char *value, uint32_t size)
{
    struct boot_info *info = walk->info;
    if (same(name, "bootargs")) {
        uint32_t length = MIN(size, (uint32_t)BOOT_ARGS_MAX - 1);
        for (uint32_t i = 0; i < length; i++) {
            info->args[i] = value[i];
        }
        info->args[length] = '\0';
    } else if (same(name, "rng-seed") || same(name, "kaslr-seed")) {
        /* By words: values lie aligned to four bytes, and seeds are made of words. */
        uint32_t *seed = (uint32_t *)info->seed;
        for (uint32_t i = 0; i + 4 <= size && info->seed_size < BOOT_SEED_MAX; i += 4) {
            seed[info->seed_size / 4] = *(const uint32_t *)(value + i);
            info->seed_size += 4;
        }
    }
}

static void property(struct walk *walk, const char *name, const char *value, uint32_t size)
{
    if (walk->depth == 1 && size == 4) {
        if (same(name, "#address-cells")) {
            walk->address_cells = be32(value);
        } else if (same(name, "#size-cells")) {
            walk->size_cells = be32(value);
        }
    }
    if (walk->depth != 2) {
        return;
    }
    if (walk->in_chosen) {
        chosen_property(walk, name, value, size);
    } else if (same(name, "compatible")) {
        walk->is_uart = is_uart(value, size);
    } else if (same(name, "reg")) {
        unsigned int cells = walk->address_cells + walk->size_cells;
        if (walk->address_cells > 2 || walk->size_cells > 2 || size < cells * 4) {
            return;
        }
        const uint32_t *reg = (const uint32_t *)value;
        walk->node_reg = read_cells(reg, walk->address_cells);
        if (walk->in_memory && walk->info->ram_end == 0) {
            uint64_t bytes = read_cells(reg + walk->address_cells, walk->size_cells);
            walk->info->ram_base = walk->node_reg;
            walk->info->ram_end = (walk->node_reg + bytes) & ~PAGE_MASK;
        }
    }
}

static void node_begins(struct walk *walk, const char *name)
{
    walk->depth++;
    if (walk->depth == 2) {
        walk->in_memory = begins(name, "memory");
        walk->in_chosen = same(name, "chosen");
        walk->is_uart = false;
        walk->node_reg = 0;
    }
}

static void node_ends(struct walk *walk)
{
    if (walk->depth == 2 && walk->is_uart && walk->info->uart_pa == 0) {
        walk->info->uart_pa = walk->node_reg & ~PAGE_MASK;
    }
    walk->depth--;
}

void fdt_read_boot_info(const void *dtb, struct boot_info *info)
{
    const char *base = dtb;
    if (dtb == NULL || ((uintptr_t)dtb & 3) || be32(base) != FDT_MAGIC ||
        be32(base + 4) > FDT_SIZE_MAX) {
        return;
    }
    const char *end = base + be32(base + 4);
    const char *at = base + be32(base + 8);
    const char *strings = base + be32(base + 12);
    struct walk walk = {.info = info, .address_cells = 2, .size_cells = 2};
    /* Each round consumes at least one word, so the tree's size bounds the loop. */
    while (at + 4 <= end) {
        uint32_t token = be32(at);
        at += 4;
        if (token == FDT_BEGIN_NODE) {
            const char *name = at;
            while (at < end && *at != '\0') {
                at++;
            }
            at = (const char *)(((uintptr_t)at + 4) & ~3UL);
            node_begins(&walk, name);
        } else if (token == FDT_END_NODE) {
            node_ends(&walk);
        } else if (token == FDT_PROP && at + 8 <= end) {
            uint32_t size = be32(at);
            const char *name = strings + be32(at + 4);
            if (size > (uint32_t)(end - at - 8) || name >= end) {
                return;
            }
            property(&walk, name, at + 8, size);
            at += 8 + ((size + 3) & ~3U);
        } else if (token != FDT_NOP) {
            return;
        }
    }
}

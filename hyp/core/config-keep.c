/*
 * What boot must keep out of the allocator; hyp/config.h, config_keep_ranges().
 *
 * The same nodes that config.c reads, but before there is memory: no checks
 * and no words. To keep too much costs memory only; config.c says what is
 * wrong later.
 */
#include "tree-internal.h"

#include <hyp/config.h>
#include <lib/string.h>

struct cells {
    uint32_t address, size;
};

enum { ROOT, CHOSEN, DOMAIN, MODULE, LEVELS }; /* depths of the nodes that matter */

struct keeper {
    void (*keep)(void *arg, mpa_t start, uint64_t size_bytes);
    void *arg;
    struct cells cells[LEVELS]; /* of the children of the node at that depth */
    struct cells static_cells;
    struct tree_value static_mem, reg, compatible;
};

static void note_cell(const struct tree_cursor *c, const char *name, uint32_t *out)
{
    uint32_t v;

    if (strcmp(c->name, name) == 0 && tree_u32(c->value, &v)) {
        *out = v;
    }
}

static void keep_pairs(const struct keeper *k, struct tree_value v, struct cells n)
{
    uint32_t entry = (n.address + n.size) * 4;

    if (n.address == 0 || n.address > 2 || n.size == 0 || n.size > 2) {
        return;
    }
    for (uint32_t at = 0; v.data != NULL && v.size - at >= entry; at += entry) {
        k->keep(k->arg, mpa(tree_cells(v.data + at, n.address)),
                tree_cells(v.data + at + n.address * 4, n.size));
    }
}

static void meet_property(struct keeper *k, const struct tree_cursor *c)
{
    if (c->depth <= DOMAIN) {
        note_cell(c, "#address-cells", &k->cells[c->depth].address);
        note_cell(c, "#size-cells", &k->cells[c->depth].size);
    }
    if (c->depth == DOMAIN) {
        note_cell(c, "#xen,static-mem-address-cells", &k->static_cells.address);
        note_cell(c, "#xen,static-mem-size-cells", &k->static_cells.size);
        if (strcmp(c->name, "xen,static-mem") == 0) {
            k->static_mem = c->value;
        }
    }
    if (c->depth == MODULE && strcmp(c->name, "reg") == 0) {
        k->reg = c->value;
    }
    if (c->depth == MODULE && strcmp(c->name, "compatible") == 0) {
        k->compatible = c->value;
    }
}

static bool is_module(struct tree_value compatible)
{
    static const char *const names[] = {
        "multiboot,module",     "multiboot,kernel", "multiboot,ramdisk", "multiboot,device-tree",
        "xen,multiboot-module", "xen,linux-zimage", "xen,linux-initrd"};

    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        if (tree_lists(compatible, names[i])) {
            return true;
        }
    }
    return false;
}

/* A node begins or ends: its parent's, or its own, properties are complete. */
static void meet_edge(struct keeper *k, const struct tree_cursor *c, bool begins)
{
    if (begins && c->depth == DOMAIN) {
        k->cells[DOMAIN] = k->static_cells = k->cells[CHOSEN];
    }
    if (!begins && c->depth == CHOSEN) {
        keep_pairs(k, k->static_mem, k->static_cells);
        k->static_mem = (struct tree_value){0};
    }
    if (!begins && c->depth == DOMAIN && is_module(k->compatible)) {
        keep_pairs(k, k->reg, k->cells[DOMAIN]);
    }
    if (c->depth == DOMAIN || (begins && c->depth == MODULE)) {
        k->reg = k->compatible = (struct tree_value){0};
    }
}

void config_keep_ranges(const void *host_fdt,
                        void (*keep)(void *arg, mpa_t start, uint64_t size_bytes), void *arg)
{
    struct keeper k = {.keep = keep, .arg = arg, .cells[ROOT] = {2, 1}};
    struct tree_cursor c;

    if (!tree_open(&c, host_fdt, 0)) {
        return;
    }
    for (enum tree_event e = tree_step(&c); e != TREE_END && e != TREE_BROKEN; e = tree_step(&c)) {
        if (e == TREE_PROPERTY) {
            meet_property(&k, &c);
        } else if (e == TREE_NODE && c.depth == CHOSEN) {
            k.cells[CHOSEN] = k.cells[ROOT];
            if (strcmp(c.name, "chosen") != 0 && !tree_skip(&c)) {
                return;
            }
        } else {
            meet_edge(&k, &c, e == TREE_NODE);
        }
    }
}

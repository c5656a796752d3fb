/* What nodes of a board's tree mean to the CPU: addresses, interrupts, memory; hyp/tree.h. */
#include <hyp/tree.h>

#include <lib/string.h>
#include <xen/errno.h>

static bool sane(struct tree_cells c)
{
    return c.address <= 3 && c.size <= 3; /* PCI has three address cells */
}

static struct tree_cells cells_of(const struct tree *t, tree_node n)
{
    struct tree_cells cells = {2, 1}; /* 2.3.5 */

    tree_read_cells(t, n, &cells);
    return cells;
}

/* From an address on the bus `bus` to one on its parent's bus. */
static bool translate(const struct tree *t, tree_node bus, tree_node parent, uint64_t *address)
{
    struct tree_value v = tree_get(t, bus, "ranges");
    struct tree_cells own = cells_of(t, bus), above = cells_of(t, parent);

    if (!v.data || !sane(own) || !sane(above)) {
        return false;
    }
    uint32_t entry = (own.address + above.address + own.size) * 4;
    for (uint32_t left = v.size; entry && left >= entry; left -= entry, v.data += entry) {
        const uint8_t *to = v.data + own.address * 4ul, *size = to + above.address * 4ul;
        uint64_t offset = *address - tree_cells(v.data, own.address);
        if (offset < tree_cells(size, own.size)) {
            *address = tree_cells(to, above.address) + offset;
            return true;
        }
    }
    return v.size == 0; /* empty: the same addresses on both */
}

/* From an address on the bus `bus` to the CPU's, which is above the root. */
static bool to_cpu(const struct tree *t, tree_node bus, uint64_t *address)
{
    for (tree_node up; (up = tree_parent(t, bus)).at; bus = up) {
        if (!translate(t, bus, up, address)) {
            return false;
        }
    }
    return true;
}

/*
 * The `index`-th entry of `v`: cells that do not matter, an address on the bus `bus`, a size.
 */
static int find_range(const struct tree *t, tree_node bus, struct tree_value v, unsigned index,
                      uint32_t skip, struct tree_cells cells, mpa_t *base, uint64_t *size_bytes)
{
    uint64_t entry = (skip + cells.address + cells.size) * 4ul;

    if ((index + 1ull) * entry > v.size) {
        return -XEN_ENOENT;
    }
    const uint8_t *at = v.data + index * entry + skip * 4ul;
    uint64_t address = tree_cells(at, cells.address);
    if (!to_cpu(t, bus, &address)) {
        return -XEN_EINVAL;
    }
    *base = mpa(address);
    *size_bytes = tree_cells(at + cells.address * 4ul, cells.size);
    return 0;
}

int tree_reg(const struct tree *t, tree_node n, unsigned index, mpa_t *base, uint64_t *size_bytes)
{
    struct tree_value reg = tree_get(t, n, "reg");
    tree_node bus = tree_parent(t, n);
    struct tree_cells cells = cells_of(t, bus);

    if (!reg.data) {
        return -XEN_ENOENT;
    }
    return bus.at && sane(cells) && cells.address != 0
               ? find_range(t, bus, reg, index, 0, cells, base, size_bytes)
               : -XEN_EINVAL;
}

int tree_range(const struct tree *t, tree_node n, unsigned index, mpa_t *base, uint64_t *size_bytes)
{
    tree_node bus = tree_parent(t, n);
    struct tree_cells own = cells_of(t, n), above = cells_of(t, bus);

    return sane(own) && sane(above) && above.address != 0
               ? find_range(t, bus, tree_get(t, n, "ranges"), index, own.address,
                            (struct tree_cells){above.address, own.size}, base, size_bytes)
               : -XEN_ENOENT;
}

int tree_irq_cells(const uint8_t *cells, uint32_t *intid, bool *edge)
{
    enum { TYPE_SPI = 0, TYPE_PPI = 1, FLAG_EDGE_RISING = 1, FLAG_EDGE_FALLING = 2 };
    uint32_t type = tree_cell(cells), number = tree_cell(cells + 4);
    if (!(type == TYPE_SPI && number < 988) && !(type == TYPE_PPI && number < 16)) {
        return -XEN_EINVAL;
    }
    *intid = number + (type == TYPE_SPI ? 32 : 16);
    *edge = (tree_cell(cells + 8) & (FLAG_EDGE_RISING | FLAG_EDGE_FALLING)) != 0;
    return 0;
}

int tree_irq(const struct tree *t, tree_node n, unsigned index, uint32_t *intid, bool *edge)
{
    enum { CELLS = 3 };
    struct tree_value v = tree_get(t, n, "interrupts");

    return (index + 1ull) * CELLS * 4 > v.size
               ? -XEN_ENOENT
               : tree_irq_cells(v.data + index * CELLS * 4ul, intid, edge);
}

bool tree_enabled(const struct tree *t, tree_node n)
{
    struct tree_value status = tree_get(t, n, "status");

    return !status.data || tree_lists(status, "okay") || tree_lists(status, "ok");
}

bool tree_ram(const struct tree *t, unsigned index, mpa_t *base, uint64_t *size_bytes)
{
    for (tree_node n = tree_child(t, tree_root(t)); n.at; n = tree_sibling(t, n)) {
        bool memory = tree_lists(tree_get(t, n, "device_type"), "memory");
        for (unsigned i = 0; memory && tree_reg(t, n, i, base, size_bytes) == 0; i++) {
            if (index-- == 0) {
                return true;
            }
        }
    }
    return false;
}

bool tree_reserved(const struct tree *t, unsigned index, mpa_t *base, uint64_t *size_bytes)
{
    enum { TOTAL_SIZE = 4, OFF_RESERVED = 16, ENTRY = 16 };
    uint64_t at = tree_cell(t->fdt + OFF_RESERVED) + (uint64_t)index * ENTRY;

    if (at + ENTRY > tree_cell(t->fdt + TOTAL_SIZE)) {
        return false;
    }
    *base = mpa(tree_cells(t->fdt + at, 2));
    *size_bytes = tree_cells(t->fdt + at + 8, 2);
    return (base->v | *size_bytes) != 0;
}

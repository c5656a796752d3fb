/* Addresses and interrupts of device tree nodes; hyp/devtree.h. */
#include <hyp/devtree.h>

#include <lib/string.h>
#include <libfdt.h>
#include <xen/errno.h>

#define BUS_DEPTH_MAX 16 /* a tree of a board is never deeper */

static uint64_t read_cells(const fdt32_t *cells, int count)
{
    uint64_t v = 0;

    for (int i = 0; i < count; i++) {
        v = v << 32 | fdt32_to_cpu(cells[i]);
    }
    return v;
}

static bool cells_sane(int count)
{
    return count >= 0 && count <= 3; /* PCI has three address cells */
}

/* fdt_parent_offset() in one walk instead of two; negative: none, or nested too deep. */
static int parent_of(const void *fdt, int node)
{
    int at[BUS_DEPTH_MAX + 1], depth = 0;

    for (int n = 0; n >= 0 && n <= node && depth >= 0 && depth <= BUS_DEPTH_MAX;
         n = fdt_next_node(fdt, n, &depth)) {
        at[depth] = n;
        if (n == node) {
            return depth > 0 ? at[depth - 1] : -FDT_ERR_NOTFOUND;
        }
    }
    return -FDT_ERR_BADOFFSET;
}

/* From an address on the bus `node` to one on its parent's bus. */
static bool translate_once(const void *fdt, int node, int parent, uint64_t *address)
{
    int length, child_cells = fdt_address_cells(fdt, node), size_cells = fdt_size_cells(fdt, node);
    int parent_cells = fdt_address_cells(fdt, parent);
    const fdt32_t *r = fdt_getprop(fdt, node, "ranges", &length);

    if (!r || !cells_sane(child_cells) || !cells_sane(size_cells) || !cells_sane(parent_cells)) {
        return false;
    }
    int entry = child_cells + size_cells + parent_cells;
    for (int left = length / 4; entry && left >= entry; left -= entry, r += entry) {
        uint64_t from = read_cells(r, child_cells);
        uint64_t to = read_cells(r + child_cells, parent_cells);
        uint64_t size = read_cells(r + child_cells + parent_cells, size_cells);
        if (*address - from < size) {
            *address += to - from;
            return true;
        }
    }
    return length == 0; /* empty: the same addresses on both */
}

int devtree_reg(const void *fdt, int node, unsigned index, mpa_t *base, uint64_t *size_bytes)
{
    int length, bus = parent_of(fdt, node);
    const fdt32_t *reg = fdt_getprop(fdt, node, "reg", &length);

    if (!reg) {
        return -XEN_ENOENT;
    }
    if (bus < 0) {
        return -XEN_EINVAL;
    }
    int address_cells = fdt_address_cells(fdt, bus), size_cells = fdt_size_cells(fdt, bus);
    if (!cells_sane(address_cells) || !cells_sane(size_cells) || address_cells == 0) {
        return -XEN_EINVAL;
    }
    unsigned entry = (unsigned)(address_cells + size_cells);
    if ((uint64_t)(index + 1ull) * entry * 4 > (uint64_t)length) {
        return -XEN_ENOENT;
    }
    reg += (size_t)index * entry;
    uint64_t address = read_cells(reg, address_cells);
    uint64_t size = read_cells(reg + address_cells, size_cells);
    for (int depth = 0; depth < BUS_DEPTH_MAX; depth++) {
        int parent = parent_of(fdt, bus);
        if (parent < 0) { /* the root: a CPU's address */
            *base = mpa(address);
            *size_bytes = size;
            return 0;
        }
        if (!translate_once(fdt, bus, parent, &address)) {
            return -XEN_EINVAL;
        }
        bus = parent;
    }
    return -XEN_EINVAL;
}

int devtree_irq(const void *fdt, int node, unsigned index, uint32_t *intid, bool *edge)
{
    enum { CELLS = 3, TYPE_SPI = 0, TYPE_PPI = 1, FLAG_EDGE_RISING = 1, FLAG_EDGE_FALLING = 2 };
    int length;
    const fdt32_t *cells = fdt_getprop(fdt, node, "interrupts", &length);

    if (!cells || (uint64_t)(index + 1ull) * CELLS * 4 > (uint64_t)length) {
        return -XEN_ENOENT;
    }
    cells += (size_t)index * CELLS;
    uint32_t type = fdt32_to_cpu(cells[0]), number = fdt32_to_cpu(cells[1]);
    if (!(type == TYPE_SPI && number < 988) && !(type == TYPE_PPI && number < 16)) {
        return -XEN_EINVAL;
    }
    *intid = number + (type == TYPE_SPI ? 32 : 16);
    *edge = (fdt32_to_cpu(cells[2]) & (FLAG_EDGE_RISING | FLAG_EDGE_FALLING)) != 0;
    return 0;
}

bool devtree_enabled(const void *fdt, int node)
{
    const char *status = fdt_getprop(fdt, node, "status", NULL);
    return !status || strcmp(status, "okay") == 0 || strcmp(status, "ok") == 0;
}

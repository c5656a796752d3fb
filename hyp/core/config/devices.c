/* Devices that domains are given; devices-internal.h, D1, D2, B1..B3. */
#include "devices-internal.h"

#include "config-internal.h"

#include <hyp/arch.h>
#include <hyp/frame.h>
#include <hyp/gic.h>
#include <hyp/uart.h>
#include <lib/string.h>
#include <xen/guest-layout.h>

#define PARTIAL_TREE_MAX (1ul << 20) /* bytes it may have */
#define IRQS_MAX 64u                 /* interrupts of one device */
#define REGIONS_MAX 16u              /* of one device */

struct walk {
    const struct domain_config *d;
    struct tree tree;   /* the partial one, or the board's */
    struct board board; /* of a dom0's walk */
    bool (*meet)(void *arg, const struct device_part *p);
    void *arg;
};

static bool overlaps(const struct gic_region *g, uint64_t start, uint64_t size)
{
    return g->size != 0 && start < g->base.v + g->size && g->base.v < start + size;
}

bool device_is_ours(uint64_t start, uint64_t size)
{
    bool ours = overlaps(&gic_host.dist, start, size) || overlaps(&gic_host.cpu, start, size) ||
                overlaps(&gic_host.vctrl, start, size) || overlaps(&gic_host.vcpu, start, size);

    for (unsigned i = 0; i < gic_host.redist_count && i < GIC_REDIST_REGIONS; i++) {
        ours = ours || overlaps(&gic_host.redist[i], start, size);
    }
    return ours || uart_overlaps(mpa(start), size);
}

static bool is_shared(uint32_t intid)
{
    return intid >= GIC_SPI_FIRST && intid < gic_host.intid_count;
}

/* --- Partial trees --- */

static bool check_region(const struct walk *w, const struct device_part *p)
{
    if (((p->host.v | p->guest.v | p->size_bytes) & FRAME_MASK) != 0 || p->size_bytes == 0 ||
        p->size_bytes > 1ull << 40 || p->host.v + p->size_bytes > 1ull << 48 ||
        p->guest.v + p->size_bytes > 1ull << 48) {
        return config_mistake(w->d,
                              "multiboot,device-tree %s: xen,reg maps %#lx bytes at %#lx to %#lx; "
                              "all must be multiples of 4 KiB",
                              p->node, p->size_bytes, p->host.v, p->guest.v);
    }
    return !device_is_ours(p->host.v, p->size_bytes) ||
           config_mistake(w->d,
                          "multiboot,device-tree %s: xen,reg names %#lx, a device of the "
                          "hypervisor's own (interrupt controller, serial line)",
                          p->node, p->host.v);
}

static bool walk_regions(const struct walk *w, tree_node n, struct tree_value reg)
{
    struct tree_cells c = {2, 2};

    tree_read_cells(&w->tree, tree_parent(&w->tree, n), &c);
    uint32_t entry = (2 * c.address + c.size) * 4;
    if (c.address - 1 > 1 || c.size - 1 > 1 || reg.size == 0 || reg.size % entry != 0 ||
        reg.size / entry > REGIONS_MAX) {
        return config_mistake(w->d,
                              "multiboot,device-tree %s: xen,reg must be up to %u of (host "
                              "address, size, guest address) in the parent's cells",
                              tree_name(n), REGIONS_MAX);
    }
    for (const uint8_t *cells = reg.data; cells < reg.data + reg.size; cells += entry) {
        struct device_part p = {
            .node = tree_name(n),
            .host = mpa(tree_cells(cells, c.address)),
            .size_bytes = tree_cells(cells + c.address * 4ul, c.size),
            .guest = gpa(tree_cells(cells + (c.address + c.size) * 4ul, c.address)),
            .virtio = tree_lists(tree_get(&w->tree, n, "compatible"), "virtio,mmio"),
        };
        if (!check_region(w, &p) || !w->meet(w->arg, &p)) {
            return false;
        }
    }
    return true;
}

/* The interrupts of its node in the board's tree. */
static bool walk_path(const struct walk *w, tree_node n, const char *path)
{
    const struct tree *board = config_host_tree();
    tree_node host = path ? tree_find(board, path, SIZE_MAX) : (tree_node){NULL};

    if (!host.at) {
        return config_mistake(
            w->d,
            "multiboot,device-tree %s: xen,path names %.60s, which is not in the board's tree",
            tree_name(n), path != NULL ? path : "nothing");
    }
    uint32_t count = tree_get(board, host, "interrupts").size / 12;
    for (unsigned i = 0; i < count && i < IRQS_MAX; i++) {
        struct device_part p = {.node = tree_name(n)};
        if (tree_irq(board, host, i, &p.intid, &p.edge) != 0 || !is_shared(p.intid)) {
            return config_mistake(w->d,
                                  "multiboot,device-tree %s: interrupt %u of %.60s is not a shared "
                                  "peripheral interrupt of this board",
                                  p.node, i, path);
        }
        if (!w->meet(w->arg, &p)) {
            return false;
        }
    }
    return true;
}

static bool walk_device(const struct walk *w, tree_node n)
{
    struct tree_value reg = tree_get(&w->tree, n, "xen,reg");
    struct tree_value path = tree_get(&w->tree, n, "xen,path");

    if (reg.data == NULL && path.data == NULL) {
        return true; /* a bus, a clock: nothing of the host's */
    }
    if (reg.data == NULL) {
        return config_mistake(
            w->d, "multiboot,device-tree %s: has xen,path but no xen,reg; add what is to be mapped",
            tree_name(n));
    }
    if (tree_get(&w->tree, n, "xen,force-assign-without-iommu").data == NULL) {
        return config_mistake(w->d,
                              "multiboot,device-tree %s: no IOMMU confines this device; if you "
                              "trust the guest with all memory, add xen,force-assign-without-iommu",
                              tree_name(n));
    }
    return walk_regions(w, n, reg) && (path.data == NULL || walk_path(w, n, tree_string(path)));
}

bool devices_open(struct tree *t, const struct domain_config *d)
{
    const struct config_range *module = &d->module[MODULE_TREE];
    const void *fdt = module->size_bytes <= PARTIAL_TREE_MAX
                          ? arch_map_ram(module->start, module->size_bytes)
                          : NULL;

    return fdt != NULL && tree_open(t, fdt, module->size_bytes) == TREE_GOOD;
}

static bool walk_partial(struct walk *w)
{
    int depth = 0;

    if (!devices_open(&w->tree, w->d)) {
        return config_mistake(w->d,
                              "multiboot,device-tree is not a device tree, is damaged or cut off, "
                              "or has more than %lu bytes",
                              PARTIAL_TREE_MAX);
    }
    tree_node n = tree_find(&w->tree, "/passthrough", SIZE_MAX);
    while (n.at && walk_device(w, n)) {
        n = tree_next(&w->tree, n, &depth);
        if (!n.at || depth < 1) {
            return true; /* behind it and all below it */
        }
    }
    return !n.at;
}

/* --- The board's tree, for a dom0 --- */

struct board board_open(void)
{
    const struct tree *t = config_host_tree();
    tree_node n = tree_root(t);
    uint64_t size;
    mpa_t base;

    while (n.at && !(tree_get(t, n, "interrupt-controller").data &&
                     tree_reg(t, n, 0, &base, &size) == 0 && base.v == gic_host.dist.base.v)) {
        n = tree_next(t, n, NULL);
    }
    return (struct board){tree_number(t, n, "phandle", GUEST_PHANDLE_GIC),
                          tree_number(t, n, "#address-cells", 0)};
}

/* Do the node's `interrupts` go to the board's controller? */
static bool goes_to_gic(const struct board *b, tree_node n)
{
    const struct tree *t = config_host_tree();
    struct tree_value v = {NULL, 0};
    uint32_t phandle = b->gic_phandle;

    for (; n.at && !v.data; n = tree_parent(t, n)) {
        v = tree_get(t, n, "interrupt-parent");
    }
    return !v.data || (tree_u32(v, &phandle) && phandle == b->gic_phandle);
}

enum board_node board_node(const struct board *b, tree_node n)
{
    static const char *const made_anew[] = {"chosen", "cpus", "psci", "timer", "hypervisor"};
    const struct tree *t = config_host_tree();
    bool top = tree_parent(t, n).at == tree_root(t).at;
    uint64_t size;
    mpa_t base;
    uint32_t intid;
    bool edge;

    for (unsigned i = 0; top && i < ARRAY_LEN(made_anew); i++) {
        if (strcmp(tree_name(n), made_anew[i]) == 0) {
            return BOARD_HIDDEN;
        }
    }
    if (tree_lists(tree_get(t, n, "device_type"), "memory") ||
        (tree_irq(t, n, 0, &intid, &edge) == 0 && intid < GIC_SPI_FIRST && goes_to_gic(b, n)) ||
        (tree_reg(t, n, 0, &base, &size) == 0 && device_is_ours(base.v, size))) {
        return BOARD_HIDDEN;
    }
    return tree_enabled(t, n) && !tree_get(t, n, "xen,passthrough").data ? BOARD_GIVEN
                                                                         : BOARD_SHOWN;
}

static bool meet_region(const struct walk *w, tree_node n, mpa_t base, uint64_t size)
{
    mpa_t first = mpa(base.v & ~FRAME_MASK);
    struct device_part p = {.node = tree_name(n), .host = first, .guest = gpa(first.v)};

    p.size_bytes = (base.v + size + FRAME_MASK - first.v) & ~FRAME_MASK;
    return size == 0 || p.size_bytes < size || frame_is_ram(mpa_mfn(first)) ||
           frame_is_ram(mpa_mfn(mpa(first.v + p.size_bytes - 1))) ||
           device_is_ours(first.v, p.size_bytes) || w->meet(w->arg, &p);
}

/* One specifier of three cells, for the board's controller. */
static bool meet_irq(const struct walk *w, tree_node n, const uint8_t *cells)
{
    struct device_part p = {.node = tree_name(n)};

    return tree_irq_cells(cells, &p.intid, &p.edge) != 0 || !is_shared(p.intid) ||
           w->meet(w->arg, &p);
}

static tree_node by_phandle(const struct tree *t, uint32_t phandle)
{
    tree_node n = tree_root(t);

    while (n.at && tree_number(t, n, "phandle", ~phandle) != phandle) {
        n = tree_next(t, n, NULL);
    }
    return n;
}

/* Entries of `skip` cells, a controller's phandle, its address (in maps), its specifier. */
static bool walk_entries(const struct walk *w, tree_node n, struct tree_value v, uint32_t skip,
                         bool map)
{
    const uint8_t *at = v.data, *end = v.size != 0 ? at + v.size : at;

    /* `skip` is the tree's: two counts of cells, each of any size. */
    while (at && skip < 16 && at + (skip + 1) * 4ul <= end) {
        uint32_t phandle = tree_cell(at + skip * 4ul);
        tree_node to = by_phandle(&w->tree, phandle);
        uint32_t before = map ? tree_number(&w->tree, to, "#address-cells", 0) : 0;
        uint32_t cells = tree_number(&w->tree, to, "#interrupt-cells", 1);
        if (before > 4 || cells > 8) {
            return true; /* nonsense: no way to find the next one */
        }
        at += (skip + 1 + before) * 4ul;
        if (phandle == w->board.gic_phandle && cells == 3 && at + 12 <= end &&
            !meet_irq(w, n, at)) {
            return false;
        }
        at += cells * 4ul;
    }
    return true;
}

static bool walk_interrupts(const struct walk *w, tree_node n)
{
    struct tree_value plain = tree_get(&w->tree, n, "interrupts");
    struct tree_value extended = tree_get(&w->tree, n, "interrupts-extended");

    if (extended.data) {
        return walk_entries(w, n, extended, 0, false);
    }
    for (uint32_t at = 0; goes_to_gic(&w->board, n) && at + 12 <= plain.size; at += 12) {
        if (!meet_irq(w, n, plain.data + at)) {
            return false;
        }
    }
    return true;
}

static bool is_pci(const struct tree *t, tree_node n)
{
    return tree_lists(tree_get(t, n, "device_type"), "pci");
}

/* Of a PCI host its windows too, and the four lines that its slots share. */
static bool walk_node(const struct walk *w, tree_node n)
{
    const struct tree *t = &w->tree;
    bool pci = is_pci(t, n);
    uint64_t size;
    mpa_t base;

    for (unsigned i = 0; tree_reg(t, n, i, &base, &size) == 0; i++) {
        if (!meet_region(w, n, base, size)) {
            return false;
        }
    }
    for (unsigned i = 0; pci && tree_range(t, n, i, &base, &size) == 0; i++) {
        if (!meet_region(w, n, base, size)) {
            return false;
        }
    }
    return walk_interrupts(w, n) &&
           (!pci || walk_entries(w, n, tree_get(t, n, "interrupt-map"),
                                 tree_number(t, n, "#address-cells", 3) +
                                     tree_number(t, n, "#interrupt-cells", 1),
                                 true));
}

static bool walk_board(struct walk *w)
{
    const struct tree *t = &w->tree;
    int depth = 0;

    w->tree = *config_host_tree();
    w->board = board_open();
    for (tree_node n = tree_child(t, tree_root(t)); n.at;) {
        bool given = board_node(&w->board, n) == BOARD_GIVEN;
        if (given && !walk_node(w, n)) {
            return false;
        }
        /* What is below PCI is found by probing. */
        n = given && !is_pci(t, n) ? tree_next(t, n, &depth) : tree_after(t, n, &depth);
    }
    return true;
}

bool devices_walk(const struct domain_config *d,
                  bool (*meet)(void *arg, const struct device_part *p), void *arg)
{
    struct walk w = {.d = d, .meet = meet, .arg = arg};

    return d->dom0 ? walk_board(&w) : d->module[MODULE_TREE].size_bytes == 0 || walk_partial(&w);
}

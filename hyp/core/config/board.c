/*
 * Which of the board's nodes are given to a dom0; board-internal.h, B1..B3.
 *
 * Sources: Devicetree Specification v0.4, 2.4 (interrupts), 2.3.8 (ranges); Xen
 * 4.17 docs/misc/arm/device-tree/booting.txt and passthrough.txt, for what a
 * dom0 expects to find.
 */
#include "board-internal.h"

#include <hyp/frame.h>
#include <hyp/gic.h>
#include <hyp/uart.h>
#include <lib/string.h>
#include <xen/errno.h>
#include <xen/guest-layout.h>

struct walk {
    const struct board *board;
    const struct tree *t;
    const char *name; /* of the node it is at */
    bool (*meet)(void *arg, const struct passthrough_part *p);
    void *arg;
};

struct board board_open(const struct tree *t)
{
    tree_node n = tree_root(t);
    uint64_t size;
    mpa_t base;

    while (n.at && !(tree_get(t, n, "interrupt-controller").data &&
                     tree_reg(t, n, 0, &base, &size) == 0 && base.v == gic_host.dist.base.v)) {
        n = tree_next(t, n, NULL);
    }
    return (struct board){t, tree_number(t, n, "phandle", GUEST_PHANDLE_GIC),
                          tree_number(t, n, "#address-cells", 0)};
}

/* Do the node's `interrupts` go to the board's controller? */
static bool goes_to_gic(const struct board *b, tree_node n)
{
    struct tree_value v = {NULL, 0};
    uint32_t phandle = b->gic_phandle;

    for (; n.at && !v.data; n = tree_parent(b->tree, n)) {
        v = tree_get(b->tree, n, "interrupt-parent");
    }
    return !v.data || (tree_u32(v, &phandle) && phandle == b->gic_phandle);
}

enum board_node board_node(const struct board *b, tree_node n)
{
    static const char *const made_anew[] = {"chosen", "cpus", "psci", "timer", "hypervisor"};
    const struct tree *t = b->tree;
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
        (tree_reg(t, n, 0, &base, &size) == 0 && passthrough_is_ours(base.v, size))) {
        return BOARD_HIDDEN;
    }
    return tree_enabled(t, n) && !tree_get(t, n, "xen,passthrough").data ? BOARD_GIVEN
                                                                         : BOARD_SHOWN;
}

static bool meet_region(struct walk *w, mpa_t base, uint64_t size)
{
    mpa_t first = mpa(base.v & ~FRAME_MASK);
    struct passthrough_part p = {.node = w->name, .host = first, .guest = gpa(first.v)};

    p.size_bytes = (base.v + size + FRAME_MASK - first.v) & ~FRAME_MASK;
    if (size == 0 || p.size_bytes < size || frame_is_ram(mpa_mfn(first)) ||
        frame_is_ram(mfn(mpa_mfn(mpa(first.v + p.size_bytes)).v - 1)) ||
        passthrough_is_ours(first.v, p.size_bytes)) {
        return true;
    }
    return w->meet(w->arg, &p);
}

/* One specifier of three cells, for the board's controller. */
static bool meet_irq(struct walk *w, const uint8_t *cells)
{
    struct passthrough_part p = {.node = w->name};

    if (tree_irq_cells(cells, &p.intid, &p.edge) != 0 || p.intid < GIC_SPI_FIRST ||
        p.intid >= gic_host.intid_count) {
        return true;
    }
    return w->meet(w->arg, &p);
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
static bool walk_entries(struct walk *w, struct tree_value v, uint32_t skip, bool map)
{
    const uint8_t *at = v.data, *end = v.size != 0 ? at + v.size : at;

    /* `skip` is the tree's: two counts of cells, each of any size. */
    while (at && skip < 16 && at + (skip + 1) * 4ul <= end) {
        uint32_t phandle = tree_cell(at + skip * 4ul);
        tree_node to = by_phandle(w->t, phandle);
        uint32_t before = map ? tree_number(w->t, to, "#address-cells", 0) : 0;
        uint32_t cells = tree_number(w->t, to, "#interrupt-cells", 1);
        if (before > 4 || cells > 8) {
            return true; /* nonsense: no way to find the next one */
        }
        at += (skip + 1 + before) * 4ul;
        if (phandle == w->board->gic_phandle && cells == 3 && at + 12 <= end && !meet_irq(w, at)) {
            return false;
        }
        at += cells * 4ul;
    }
    return true;
}

static bool walk_interrupts(struct walk *w, tree_node n)
{
    struct tree_value plain = tree_get(w->t, n, "interrupts");
    struct tree_value extended = tree_get(w->t, n, "interrupts-extended");

    if (extended.data) {
        return walk_entries(w, extended, 0, false);
    }
    for (uint32_t at = 0; goes_to_gic(w->board, n) && at + 12 <= plain.size; at += 12) {
        if (!meet_irq(w, plain.data + at)) {
            return false;
        }
    }
    return true;
}

static bool is_pci(const struct tree *t, tree_node n)
{
    return tree_lists(tree_get(t, n, "device_type"), "pci");
}

/* A PCI host's windows, and the four lines that its slots share. */
static bool walk_pci(struct walk *w, tree_node n)
{
    uint64_t size;
    mpa_t base;

    for (unsigned i = 0; tree_range(w->t, n, i, &base, &size) == 0; i++) {
        if (!meet_region(w, base, size)) {
            return false;
        }
    }
    return walk_entries(w, tree_get(w->t, n, "interrupt-map"),
                        tree_number(w->t, n, "#address-cells", 3) +
                            tree_number(w->t, n, "#interrupt-cells", 1),
                        true);
}

static bool walk_node(struct walk *w, tree_node n)
{
    uint64_t size;
    mpa_t base;

    w->name = tree_name(n);
    for (unsigned i = 0; tree_reg(w->t, n, i, &base, &size) == 0; i++) {
        if (!meet_region(w, base, size)) {
            return false;
        }
    }
    return walk_interrupts(w, n) && (!is_pci(w->t, n) || walk_pci(w, n));
}

bool board_walk(const struct board *b, bool (*meet)(void *arg, const struct passthrough_part *p),
                void *arg)
{
    const struct tree *t = b->tree;
    struct walk w = {.board = b, .t = t, .meet = meet, .arg = arg};
    tree_node n = tree_child(t, tree_root(t));
    int depth = 1;

    while (n.at) {
        enum board_node kind = board_node(b, n);
        int was = depth;
        if (kind == BOARD_GIVEN && !walk_node(&w, n)) {
            return false;
        }
        bool below =
            kind == BOARD_GIVEN && !is_pci(t, n); /* what is below PCI is found by probing */
        do {
            n = tree_next(t, n, &depth);
        } while (!below && n.at && depth > was);
    }
    return true;
}

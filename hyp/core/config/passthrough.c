/*
 * Partial trees; passthrough-internal.h.
 *
 * D1  a device whose DMA no IOMMU confines is given only on request
 *     (xen,force-assign-without-iommu). There is no IOMMU driver yet: that is
 *     every device.
 * D2  a region is never RAM (config-check.c), and never a device the
 *     hypervisor drives itself.
 */
#include "passthrough-internal.h"

#include <hyp/arch.h>
#include <hyp/gic.h>
#include <hyp/log.h>
#include <hyp/uart.h>
#include <lib/string.h>
#include <stdarg.h>

#define IRQS_MAX 64u    /* interrupts of one device */
#define REGIONS_MAX 16u /* of one device */

struct walk {
    const struct tree *board;
    struct tree tree;
    bool (*meet)(void *arg, const struct passthrough_part *p);
    void *arg;
    char *why;
};

printf_like(2, 3) static bool mistake(struct walk *w, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfmt(w->why, PASSTHROUGH_WORDS, format, args);
    va_end(args);
    return false;
}

static bool overlaps(const struct gic_region *g, uint64_t start, uint64_t size)
{
    return g->size != 0 && start < g->base.v + g->size && g->base.v < start + size;
}

bool passthrough_is_ours(uint64_t start, uint64_t size)
{
    bool ours = overlaps(&gic_host.dist, start, size) || overlaps(&gic_host.cpu, start, size) ||
                overlaps(&gic_host.vctrl, start, size) || overlaps(&gic_host.vcpu, start, size);

    for (unsigned i = 0; i < gic_host.redist_count && i < GIC_REDIST_REGIONS; i++) {
        ours = ours || overlaps(&gic_host.redist[i], start, size);
    }
    return ours || uart_overlaps(mpa(start), size);
}

static bool check_region(struct walk *w, const struct passthrough_part *p)
{
    if (((p->host.v | p->guest.v | p->size_bytes) & FRAME_MASK) != 0 || p->size_bytes == 0 ||
        p->size_bytes > 1ull << 40 || p->host.v + p->size_bytes > 1ull << 48 ||
        p->guest.v + p->size_bytes > 1ull << 48) {
        return mistake(
            w, "%s: xen,reg maps %#lx bytes at %#lx to %#lx; all must be multiples of 4 KiB",
            p->node, p->size_bytes, p->host.v, p->guest.v);
    }
    return !passthrough_is_ours(p->host.v, p->size_bytes) ||
           mistake(w,
                   "%s: xen,reg names %#lx, a device of the hypervisor's own (interrupt "
                   "controller, serial line)",
                   p->node, p->host.v);
}

static bool walk_regions(struct walk *w, tree_node n, struct tree_value reg)
{
    struct tree_cells c = {2, 2};

    tree_read_cells(&w->tree, tree_parent(&w->tree, n), &c);
    uint32_t entry = (2 * c.address + c.size) * 4;
    if (c.address - 1 > 1 || c.size - 1 > 1 || reg.size == 0 || reg.size % entry != 0 ||
        reg.size / entry > REGIONS_MAX) {
        return mistake(w,
                       "%s: xen,reg must be up to %u of (host address, size, guest address) in the "
                       "parent's cells",
                       tree_name(n), REGIONS_MAX);
    }
    for (const uint8_t *cells = reg.data; cells < reg.data + reg.size; cells += entry) {
        struct passthrough_part p = {
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

static bool walk_irqs(struct walk *w, tree_node n, const char *path)
{
    tree_node host = path ? tree_find(w->board, path, SIZE_MAX) : (tree_node){NULL};

    if (!host.at) {
        return mistake(w, "%s: xen,path names %.60s, which is not in the board's tree",
                       tree_name(n), path != NULL ? path : "nothing");
    }
    uint32_t count = tree_get(w->board, host, "interrupts").size / 12;
    for (unsigned i = 0; i < count && i < IRQS_MAX; i++) {
        struct passthrough_part p = {.node = tree_name(n)};
        if (tree_irq(w->board, host, i, &p.intid, &p.edge) != 0 || p.intid < GIC_SPI_FIRST ||
            p.intid >= gic_host.intid_count) {
            return mistake(
                w, "%s: interrupt %u of %.60s is not a shared peripheral interrupt of this board",
                p.node, i, path);
        }
        if (!w->meet(w->arg, &p)) {
            return false;
        }
    }
    return true;
}

static bool walk_device(struct walk *w, tree_node n)
{
    struct tree_value reg = tree_get(&w->tree, n, "xen,reg");
    struct tree_value path = tree_get(&w->tree, n, "xen,path");

    if (reg.data == NULL && path.data == NULL) {
        return true; /* a bus, a clock: nothing of the host's */
    }
    if (reg.data == NULL) {
        return mistake(w, "%s: has xen,path but no xen,reg; add what is to be mapped",
                       tree_name(n));
    }
    if (tree_get(&w->tree, n, "xen,force-assign-without-iommu").data == NULL) {
        return mistake(
            w,
            "%s: no IOMMU confines this device; if you trust the guest with all memory, add "
            "xen,force-assign-without-iommu",
            tree_name(n));
    }
    return walk_regions(w, n, reg) && (path.data == NULL || walk_irqs(w, n, tree_string(path)));
}

bool passthrough_open(struct tree *t, const struct domain_config *d)
{
    const void *fdt = d->tree.size_bytes <= PASSTHROUGH_TREE_MAX
                          ? arch_map_ram(d->tree.start, d->tree.size_bytes)
                          : NULL;

    return fdt != NULL && tree_open(t, fdt, d->tree.size_bytes) == TREE_GOOD;
}

bool passthrough_walk(const struct tree *board, const struct domain_config *d,
                      bool (*meet)(void *arg, const struct passthrough_part *p), void *arg,
                      char *why)
{
    struct walk w = {.board = board, .meet = meet, .arg = arg, .why = why};
    int depth = 0;

    why[0] = 0;
    if (!passthrough_open(&w.tree, d)) {
        return mistake(&w,
                       "is not a device tree, is damaged or cut off, or has more than %lu bytes",
                       PASSTHROUGH_TREE_MAX);
    }
    tree_node n = tree_find(&w.tree, "/passthrough", SIZE_MAX);
    while (n.at && walk_device(&w, n)) {
        n = tree_next(&w.tree, n, &depth);
        if (!n.at || depth < 1) {
            return true; /* behind it and all below it */
        }
    }
    return !n.at;
}

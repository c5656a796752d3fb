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

#include "tree-internal.h"

#include <hyp/arch.h>
#include <hyp/devtree.h>
#include <hyp/gic.h>
#include <hyp/log.h>
#include <hyp/uart.h>
#include <lib/string.h>
#include <libfdt.h>
#include <stdarg.h>

#define IRQS_MAX 64    /* interrupts of one device */
#define REGIONS_MAX 16 /* of one device */

struct device {
    const char *name;
    struct tree_value reg, path;
    bool force;
};

struct walk {
    const void *host_fdt;
    const struct passthrough_visitor *visitor;
    char *why;
    struct {
        uint32_t address, size;
    } cells[TREE_DEPTH_MAX + 1]; /* [depth]: of the children of the node at that depth */
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

static bool is_ours(uint64_t start, uint64_t size)
{
    bool ours = overlaps(&gic_host.dist, start, size) || overlaps(&gic_host.cpu, start, size) ||
                overlaps(&gic_host.vctrl, start, size) || overlaps(&gic_host.vcpu, start, size);

    for (unsigned i = 0; i < gic_host.redist_count && i < GIC_REDIST_REGIONS; i++) {
        ours = ours || overlaps(&gic_host.redist[i], start, size);
    }
    return ours || uart_overlaps(mpa(start), size);
}

static bool check_region(struct walk *w, const struct passthrough_region *m)
{
    if (((m->host.v | m->guest.v | m->size_bytes) & FRAME_MASK) != 0 || m->size_bytes == 0 ||
        m->size_bytes > 1ull << 40 || m->host.v + m->size_bytes > 1ull << 48 ||
        m->guest.v + m->size_bytes > 1ull << 48) {
        return mistake(
            w, "%s: xen,reg maps %#lx bytes at %#lx to %#lx; all must be multiples of 4 KiB",
            m->node, m->size_bytes, m->host.v, m->guest.v);
    }
    if (is_ours(m->host.v, m->size_bytes)) {
        return mistake(w,
                       "%s: xen,reg names %#lx, a device of the hypervisor's own (interrupt "
                       "controller, serial line)",
                       m->node, m->host.v);
    }
    return true;
}

static bool walk_regions(struct walk *w, const struct device *device, int depth)
{
    uint32_t address = w->cells[depth - 1].address, size = w->cells[depth - 1].size;
    uint32_t entry = (2 * address + size) * 4;

    if (address == 0 || address > 2 || size == 0 || size > 2 || device->reg.size == 0 ||
        device->reg.size % entry != 0 || device->reg.size / entry > REGIONS_MAX) {
        return mistake(w,
                       "%s: xen,reg must be up to %d of (host address, size, guest address) in the "
                       "parent's cells",
                       device->name, REGIONS_MAX);
    }
    for (uint32_t at = 0; at < device->reg.size; at += entry) {
        const uint8_t *cells = device->reg.data + at;
        struct passthrough_region m = {
            .node = device->name,
            .host = mpa(tree_cells(cells, address)),
            .size_bytes = tree_cells(cells + address * 4, size),
            .guest = gpa(tree_cells(cells + (address + size) * 4, address)),
        };
        if (!check_region(w, &m) || !w->visitor->region(w->visitor->arg, &m)) {
            return false;
        }
    }
    return true;
}

static bool walk_irqs(struct walk *w, const struct device *device)
{
    const char *path = tree_string(device->path);
    /* No alias: libfdt follows one that names itself for ever. */
    int node = path != NULL && *path == '/' ? fdt_path_offset(w->host_fdt, path) : -FDT_ERR_BADPATH;

    if (node < 0) {
        return mistake(w, "%s: xen,path names %.60s, which is not in the board's tree",
                       device->name, path != NULL ? path : "nothing");
    }
    for (unsigned i = 0; i < IRQS_MAX; i++) {
        struct passthrough_irq irq = {.node = device->name};
        int error = devtree_irq(w->host_fdt, node, i, &irq.intid, &irq.edge);
        if (error != 0 && fdt_getprop(w->host_fdt, node, "interrupts", NULL) == NULL) {
            return true;
        }
        if (error != 0 && i > 0) {
            return true; /* past the last one */
        }
        if (error != 0 || irq.intid < GIC_SPI_FIRST || irq.intid >= gic_host.intid_count) {
            return mistake(
                w, "%s: interrupt %u of %.60s is not a shared peripheral interrupt of this board",
                device->name, i, path);
        }
        if (!w->visitor->irq(w->visitor->arg, &irq)) {
            return false;
        }
    }
    return true;
}

/* All properties of a device's node have been met. */
static bool judge(struct walk *w, const struct device *device, int depth)
{
    if (device->reg.data == NULL && device->path.data == NULL) {
        return true; /* a bus, a clock: nothing of the host's */
    }
    if (device->reg.data == NULL) {
        return mistake(w, "%s: has xen,path but no xen,reg; add what is to be mapped",
                       device->name);
    }
    if (!device->force) {
        return mistake(
            w,
            "%s: no IOMMU confines this device; if you trust the guest with all memory, add "
            "xen,force-assign-without-iommu",
            device->name);
    }
    return walk_regions(w, device, depth) && (device->path.data == NULL || walk_irqs(w, device));
}

static void note(struct walk *w, struct device *device, const struct tree_cursor *c)
{
    uint32_t v;

    if (strcmp(c->name, "xen,reg") == 0) {
        device->reg = c->value;
    } else if (strcmp(c->name, "xen,path") == 0) {
        device->path = c->value;
    } else if (strcmp(c->name, "xen,force-assign-without-iommu") == 0) {
        device->force = true;
    } else if (strcmp(c->name, "#address-cells") == 0 && tree_u32(c->value, &v)) {
        w->cells[c->depth].address = v;
    } else if (strcmp(c->name, "#size-cells") == 0 && tree_u32(c->value, &v)) {
        w->cells[c->depth].size = v;
    }
}

/* Everything below /passthrough; the cursor has just met that node. */
static bool walk_devices(struct walk *w, struct tree_cursor *c)
{
    struct device device = {.name = c->name};
    bool open = true; /* still among the properties of `device` */
    int top = c->depth, depth = c->depth;

    w->cells[top].address = w->cells[top].size = 2;
    while (c->depth >= top) {
        enum tree_event e = tree_step(c);
        if (e == TREE_PROPERTY) {
            note(w, &device, c);
            continue;
        }
        if (open && !judge(w, &device, depth)) {
            return false;
        }
        open = e == TREE_NODE;
        if (e == TREE_NODE) {
            device = (struct device){.name = c->name};
            depth = c->depth;
            w->cells[depth].address = w->cells[depth].size = 2;
        } else if (e != TREE_NODE_END) {
            return mistake(w, "the partial tree is cut off or damaged near %s", device.name);
        }
    }
    return true;
}

bool passthrough_walk(const void *host_fdt, const struct domain_config *d,
                      const struct passthrough_visitor *visitor, char *why)
{
    struct walk w = {.host_fdt = host_fdt, .visitor = visitor, .why = why};
    const void *fdt = d->tree.size_bytes <= PASSTHROUGH_TREE_MAX
                          ? arch_map_ram(d->tree.start, d->tree.size_bytes)
                          : NULL;
    struct tree_cursor c;

    why[0] = 0;
    if (fdt == NULL || d->tree.size_bytes < sizeof(struct fdt_header) ||
        !tree_open(&c, fdt, d->tree.size_bytes)) {
        return mistake(&w, "is not a device tree, is cut off, or has more than %lu bytes",
                       PASSTHROUGH_TREE_MAX);
    }
    for (;;) {
        enum tree_event e = tree_step(&c);
        if (e == TREE_END) {
            return true;
        }
        if (e == TREE_BROKEN) {
            return mistake(&w, "the partial tree is cut off or damaged");
        }
        if (e == TREE_NODE && c.depth == 1 &&
            !(strcmp(c.name, "passthrough") == 0 ? walk_devices(&w, &c) : tree_skip(&c))) {
            return why[0] != 0 ? false : mistake(&w, "the partial tree is cut off or damaged");
        }
    }
}

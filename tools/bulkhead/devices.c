/*
 * Devices of the board that are handed to a domain: `assign` names their nodes
 * in the board's tree, and the partial tree is made from these nodes.
 *
 * Only what needs nothing but memory and interrupts can be made so. A node that
 * refers to clocks, resets and the like needs a partial tree by hand.
 */
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#include "system.h"

#define PAGE 4096u

/* Xen 4.17, public/device_tree_defs.h: GUEST_PHANDLE_GIC. */
#define GUEST_GIC_PHANDLE 0xfde8

/* The largest partial tree that we make. */
#define DEVICES_BYTES 65536

static const char *const not_copied[] = {
    "reg", "interrupts", "interrupt-parent", "phandle", "linux,phandle", "status", "iommus", NULL,
};

/* Properties that point at other nodes (devicetree bindings of the same names). */
static bool is_reference(const char *name)
{
    static const char *const ends[] = {"clocks",
                                       "resets",
                                       "power-domains",
                                       "phys",
                                       "dmas",
                                       "-supply",
                                       "-gpios",
                                       "-gpio",
                                       "phy-handle",
                                       "pinctrl-0",
                                       "interconnects",
                                       "mboxes",
                                       "iommu-map",
                                       "msi-parent",
                                       "msi-map",
                                       "interrupt-map",
                                       "interrupts-extended",
                                       NULL};
    size_t length = strlen(name);

    for (const char *const *end = ends; *end; end++) {
        size_t tail = strlen(*end);

        if (length >= tail && strcmp(name + length - tail, *end) == 0) {
            return true;
        }
    }
    return false;
}

/* Where a device's registers must not be in a guest: Xen 4.17, public/arch-arm.h. */
static bool in_guest_layout(uint64_t base, uint64_t end)
{
    return (base < 0x04100000 && end > 0x03000000) || end > 0x10000000;
}

/* Pages of a device's first and only register window. Returns false if it has not just one. */
static bool device_pages(const void *tree, int node, struct range *pages)
{
    int parent = fdt_parent_offset(tree, node);
    unsigned address = tree_cells(tree, parent, "#address-cells", 2);
    unsigned size = tree_cells(tree, parent, "#size-cells", 1);
    int length;
    const void *reg = fdt_getprop(tree, node, "reg", &length);
    uint64_t base, bytes;

    if (!reg || length != (int)(4 * (address + size))) {
        return false;
    }
    base = tree_number(&reg, address);
    bytes = tree_number(&reg, size);
    pages->base = base / PAGE * PAGE;
    pages->size = (base + bytes - pages->base + PAGE - 1) / PAGE * PAGE;
    return bytes != 0;
}

/* Does the nearest interrupt-parent name a GIC? */
static bool interrupts_go_to_gic(const void *tree, int node)
{
    for (; node >= 0; node = fdt_parent_offset(tree, node)) {
        int length;
        const fdt32_t *value = fdt_getprop(tree, node, "interrupt-parent", &length);

        if (value && length == 4) {
            int gic = fdt_node_offset_by_phandle(tree, fdt32_to_cpu(*value));

            return gic >= 0 && fdt_getprop(tree, gic, "#interrupt-cells", &length) &&
                   (fdt_node_check_compatible(tree, gic, "arm,gic-v3") == 0 ||
                    fdt_node_check_compatible(tree, gic, "arm,gic-400") == 0 ||
                    fdt_node_check_compatible(tree, gic, "arm,cortex-a15-gic") == 0);
        }
    }
    return false;
}

/* The node of a device's clock number `index`, if it is a clock that nothing drives; else negative. */
static int fixed_clock(const void *tree, int node, int index)
{
    int length, clock;
    const fdt32_t *phandles = fdt_getprop(tree, node, "clocks", &length);

    if (!phandles || index >= length / 4) {
        return -FDT_ERR_NOTFOUND;
    }
    clock = fdt_node_offset_by_phandle(tree, fdt32_to_cpu(phandles[index]));
    return clock >= 0 && fdt_node_check_compatible(tree, clock, "fixed-clock") == 0
               ? clock
               : -FDT_ERR_NOTFOUND;
}

/* Such clocks are copied with the device (bindings/clock/fixed-clock.yaml: no cells behind the phandle). */
static bool has_fixed_clocks(const void *tree, int node)
{
    int length, fixed = 0;
    const void *clocks = fdt_getprop(tree, node, "clocks", &length);

    while (fixed_clock(tree, node, fixed) >= 0) {
        fixed++;
    }
    return clocks && fixed == length / 4;
}

static void check_references(struct system *system, struct place place, const char *path, int node)
{
    const void *tree = system->board.tree;
    int property;

    fdt_for_each_property_offset (property, tree, node) {
        const char *name;

        if (fdt_getprop_by_offset(tree, property, &name, NULL) && is_reference(name) &&
            !(strcmp(name, "clocks") == 0 && has_fixed_clocks(tree, node))) {
            report_error(system->report, place,
                         "assign: %s needs other nodes of the board (%s); "
                         "write a partial tree by hand and name it with device_tree",
                         path, name);
            return;
        }
    }
}

static void check_device(struct system *system, const struct domain *d, const char *path,
                         struct place place)
{
    const void *tree = system->board.tree;
    int node = fdt_path_offset(tree, path);
    struct range pages;

    if (node < 0) {
        report_error(system->report, place,
                     "assign: the board has no node %s; its nodes are "
                     "listed by: dtc -I dtb -O dts BOARD.dtb",
                     path);
        return;
    }
    if (fdt_getprop(tree, node, "interrupt-controller", NULL) ||
        fdt_getprop(tree, node, "msi-controller", NULL)) {
        report_error(system->report, place,
                     "assign: %s is an interrupt controller, which the "
                     "hypervisor keeps for itself",
                     path);
        return;
    }
    if (!device_pages(tree, node, &pages)) {
        report_error(system->report, place,
                     "assign: %s has not exactly one register window; write "
                     "a partial tree by hand and name it with device_tree",
                     path);
        return;
    }
    if (fdt_getprop(tree, node, "interrupts", NULL) && !interrupts_go_to_gic(tree, node)) {
        report_error(system->report, place,
                     "assign: the interrupts of %s do not go to the GIC; "
                     "such a device cannot be given to a domain",
                     path);
    }
    if (!d->direct_map && in_guest_layout(pages.base, pages.base + pages.size)) {
        report_error(system->report, place,
                     "assign: the address of %s, 0x%llx, is taken in the "
                     "guest's memory map; add direct_map = 1",
                     path, (unsigned long long)pages.base);
    }
    check_references(system, place, path, node);
    if (!d->direct_map && !fdt_getprop(tree, node, "iommus", NULL)) {
        report_warning(system->report, place,
                       "assign: no IOMMU translates what %s reads and "
                       "writes; a device that moves data itself needs direct_map = 1",
                       path);
    }
}

/* Registers are given by the page: two domains cannot have devices of one page. */
static void check_neighbours(struct system *system, unsigned index, const char *path,
                             struct place place)
{
    const void *tree = system->board.tree;
    int node = fdt_path_offset(tree, path);
    struct range mine, theirs;

    if (node < 0 || !device_pages(tree, node, &mine)) {
        return;
    }
    for (unsigned j = 0; j < index; j++) {
        const struct domain *other = &system->domains[j];

        for (unsigned k = 0; k < other->assign.count; k++) {
            int their_node = fdt_path_offset(tree, other->assign.items[k]);

            if (their_node >= 0 && device_pages(tree, their_node, &theirs) &&
                mine.base < theirs.base + theirs.size && theirs.base < mine.base + mine.size) {
                report_error(system->report, place,
                             "assign: %s shares a page of registers with %s "
                             "of domain %s (%s:%u); give both to one domain",
                             path, other->assign.items[k], other->name, other->file,
                             other->assign.lines[k]);
                return;
            }
        }
    }
}

int devices_check(struct system *system)
{
    unsigned before = system->report->errors;

    for (unsigned i = 0; i < system->count; i++) {
        const struct domain *d = &system->domains[i];

        for (unsigned k = 0; k < d->assign.count; k++) {
            struct place place = domain_place(d, d->assign.lines[k]);

            check_device(system, d, d->assign.items[k], place);
            check_neighbours(system, i, d->assign.items[k], place);
        }
        for (unsigned k = 0; k < d->passthrough_paths.count; k++) {
            if (fdt_path_offset(system->board.tree, d->passthrough_paths.items[k]) < 0) {
                report_error(system->report, domain_place(d, d->passthrough_paths.lines[k]),
                             "dtdev: the board has no node %s", d->passthrough_paths.items[k]);
            }
        }
        if (d->assign.count && d->device_tree.path) {
            report_error(system->report, domain_place(d, d->device_tree.line),
                         "device_tree and assign exclude each other; describe all devices in the "
                         "partial tree, and name them with dtdev");
        }
    }
    return system->report->errors == before ? 0 : -1;
}

static bool is_copied(const char *name)
{
    for (const char *const *skipped = not_copied; *skipped; skipped++) {
        if (strcmp(name, *skipped) == 0) {
            return false;
        }
    }
    return true;
}

/* Everything the device's driver reads, and what the hypervisor reads. */
static int write_device(void *out, const void *tree, const char *path)
{
    int node = fdt_path_offset(tree, path);
    struct range pages = {0, 0};
    int length, property, bad = 0;
    const void *data;
    fdt64_t window[3];

    (void)device_pages(tree, node, &pages);
    bad |= fdt_begin_node(out, fdt_get_name(tree, node, NULL));
    fdt_for_each_property_offset (property, tree, node) {
        const char *name;

        data = fdt_getprop_by_offset(tree, property, &name, &length);
        if (data && is_copied(name)) {
            bad |= fdt_property(out, name, data, length);
        }
    }
    data = fdt_getprop(tree, node, "interrupts", &length);
    if (data) {
        bad |= fdt_property(out, "interrupts", data, length);
        bad |= fdt_property_u32(out, "interrupt-parent", GUEST_GIC_PHANDLE);
    }
    data = fdt_getprop(tree, node, "reg", &length);
    {
        int parent = fdt_parent_offset(tree, node);
        unsigned address = tree_cells(tree, parent, "#address-cells", 2);
        unsigned size = tree_cells(tree, parent, "#size-cells", 1);
        fdt64_t reg[2];

        reg[0] = cpu_to_fdt64(tree_number(&data, address));
        reg[1] = cpu_to_fdt64(tree_number(&data, size));
        bad |= fdt_property(out, "reg", reg, sizeof(reg));
    }
    window[0] = window[2] = cpu_to_fdt64(pages.base);
    window[1] = cpu_to_fdt64(pages.size);
    bad |= fdt_property(out, "xen,reg", window, sizeof(window));
    bad |= fdt_property_string(out, "xen,path", path);
    if (!fdt_getprop(tree, node, "iommus", &length)) {
        bad |= fdt_property(out, "xen,force-assign-without-iommu", NULL, 0);
    }
    bad |= fdt_end_node(out);
    return bad;
}

/* Is this clock number `index` of device `number`, or of one before it? */
static bool is_written(const void *tree, const struct domain *domain, unsigned number, int index,
                       int clock)
{
    for (unsigned i = 0; i <= number; i++) {
        int node = fdt_path_offset(tree, domain->assign.items[i]), other;

        for (int k = 0; (i < number || k < index) && (other = fixed_clock(tree, node, k)) >= 0;
             k++) {
            if (other == clock) {
                return true;
            }
        }
    }
    return false;
}

/* The fixed clocks of device `number` of a domain that none before it has, as they are. */
static int write_clocks(void *out, const void *tree, const struct domain *domain, unsigned number)
{
    int node = fdt_path_offset(tree, domain->assign.items[number]);
    int property, length, clock, bad = 0;

    for (int i = 0; (clock = fixed_clock(tree, node, i)) >= 0; i++) {
        if (is_written(tree, domain, number, i, clock)) {
            continue;
        }
        bad |= fdt_begin_node(out, fdt_get_name(tree, clock, NULL));
        fdt_for_each_property_offset (property, tree, clock) {
            const char *name;
            const void *data = fdt_getprop_by_offset(tree, property, &name, &length);

            if (data) {
                bad |= fdt_property(out, name, data, length);
            }
        }
        bad |= fdt_end_node(out);
    }
    return bad;
}

void *devices_tree(struct system *system, const struct domain *domain, size_t *size)
{
    void *out = must_allocate(DEVICES_BYTES);
    int bad = 0;

    bad |= fdt_create(out, DEVICES_BYTES);
    bad |= fdt_finish_reservemap(out);
    bad |= fdt_begin_node(out, "");
    bad |= fdt_property_u32(out, "#address-cells", 2);
    bad |= fdt_property_u32(out, "#size-cells", 2);
    bad |= fdt_begin_node(out, "passthrough");
    bad |= fdt_property_string(out, "compatible", "simple-bus");
    bad |= fdt_property_u32(out, "#address-cells", 2);
    bad |= fdt_property_u32(out, "#size-cells", 2);
    bad |= fdt_property(out, "ranges", NULL, 0);
    for (unsigned i = 0; i < domain->assign.count && !bad; i++) {
        bad |= write_clocks(out, system->board.tree, domain, i);
        bad |= write_device(out, system->board.tree, domain->assign.items[i]);
    }
    bad |= fdt_end_node(out);
    bad |= fdt_end_node(out);
    bad |= fdt_finish(out);
    if (bad) {
        report_error(system->report, domain_place(domain, 0),
                     "its devices make a tree larger than "
                     "%d bytes; assign fewer",
                     DEVICES_BYTES);
        free(out);
        return NULL;
    }
    *size = fdt_totalsize(out);
    return out;
}

/*
 * The walk through the board's tree; hyp/config.h, config-internal.h.
 *
 * C1  nothing in the tree is trusted; a mistake costs the domain that made it
 *     its start, never another domain.
 * C2  numbers of domains are their place among all domain nodes, good or bad,
 *     so that a mistake in one does not renumber the others.
 */
#include "config-internal.h"

#include <hyp/frame.h>
#include <hyp/gic.h>
#include <hyp/log.h>
#include <lib/string.h>
#include <stdarg.h>

static const struct tree *board;        /* [const] once read */
static const struct domain_config *all; /* [const] once read */
static int all_count;

/* What the nodes below a domain's are; the first that fits. */
static const struct {
    const char *compatible;
    enum module_kind kind;
} module_words[] = {
    [MODULE_KERNEL] = {"multiboot,kernel", MODULE_KERNEL},
    [MODULE_RAMDISK] = {"multiboot,ramdisk", MODULE_RAMDISK},
    [MODULE_TREE] = {"multiboot,device-tree", MODULE_TREE},
    {"xen,linux-zimage", MODULE_KERNEL},
    {"xen,linux-initrd", MODULE_RAMDISK},
    {"xen,xsm-policy", MODULE_NONE},
    {"multiboot,module", MODULE_UNSAID},
    {"xen,multiboot-module", MODULE_UNSAID},
    {"xen,evtchn-v1", MODULE_FOREIGN},
    {"xen,domain-shared-memory-v1", MODULE_FOREIGN},
};

const struct tree *config_host_tree(void)
{
    return board;
}

int config_all(const struct domain_config **out)
{
    *out = all;
    return all_count;
}

bool config_mistake(const struct domain_config *d, const char *format, ...)
{
    char words[192];
    va_list args;

    va_start(args, format);
    vfmt(words, sizeof(words), format, args);
    va_end(args);
    log_warn("%s: %s. This domain is not started.", d->node, words);
    return false;
}

const char *config_module_name(enum module_kind kind)
{
    return module_words[kind].compatible;
}

enum module_kind config_module_kind(struct tree_value compatible)
{
    for (unsigned i = 0; i < ARRAY_LEN(module_words); i++) {
        if (tree_lists(compatible, module_words[i].compatible)) {
            return module_words[i].kind;
        }
    }
    return MODULE_NONE;
}

struct tree_cells config_static_cells(const struct tree *t, tree_node n, struct tree_cells cells)
{
    return (struct tree_cells){tree_number(t, n, "#xen,static-mem-address-cells", cells.address),
                               tree_number(t, n, "#xen,static-mem-size-cells", cells.size)};
}

bool config_check_cells(const struct domain_config *d, struct tree_cells c)
{
    bool address = c.address - 1 > 1;

    return (!address && c.size - 1 <= 1) ||
           config_mistake(d, "%s must be 1 or 2; here or above it is %u",
                          address ? "#address-cells" : "#size-cells", address ? c.address : c.size);
}

/* The cells that /chosen, which is `chosen`, has or inherits. */
static struct tree_cells chosen_cells(const struct tree *t, tree_node chosen)
{
    struct tree_cells cells = {2, 1}; /* Devicetree Specification v0.4, 2.3.5 */

    tree_read_cells(t, tree_root(t), &cells);
    tree_read_cells(t, chosen, &cells);
    return cells;
}

/* Where a module is, told by its reg in those cells. */
static bool read_place(const struct reader *r, struct domain_config *d, tree_node n,
                       struct tree_cells cells, struct config_range *out)
{
    struct tree_value reg = tree_get(r->tree, n, "reg");
    uint64_t start, size;

    if (!config_check_cells(d, cells)) {
        return false;
    }
    if (reg.size != (cells.address + cells.size) * 4 || !tree_pair(reg, cells, 0, &start, &size)) {
        return config_mistake(d,
                              "%s needs a reg of %u address and %u size cells; files that "
                              "xen,uefi-binary names are not loaded",
                              tree_name(n), cells.address, cells.size);
    }
    if (size == 0 || start + size < start) {
        return config_mistake(d, "%s has a reg of %#lx bytes at %#lx; give the module's size",
                              tree_name(n), size, start);
    }
    if (out->size_bytes != 0) {
        return config_mistake(d, "%s is the second module of its kind; a domain has one",
                              tree_name(n));
    }
    *out = (struct config_range){mpa(start), size};
    return true;
}

static bool read_module(const struct reader *r, struct domain_config *d, tree_node n,
                        struct tree_cells cells)
{
    struct tree_value bootargs = tree_get(r->tree, n, "bootargs");
    enum module_kind kind = config_module_kind(tree_get(r->tree, n, "compatible"));

    if (d->dom0 && kind == MODULE_UNSAID) { /* the kernel first, then its ramdisk */
        kind = d->module[MODULE_KERNEL].size_bytes == 0 ? MODULE_KERNEL : MODULE_RAMDISK;
    }
    if (kind == MODULE_NONE || (d->dom0 && kind > MODULE_RAMDISK)) {
        return true;
    }
    if (kind == MODULE_UNSAID) {
        return config_mistake(
            d,
            "%s does not say what it is; add \"multiboot,kernel\", \"multiboot,ramdisk\" or "
            "\"multiboot,device-tree\" to its compatible",
            tree_name(n));
    }
    if (kind == MODULE_FOREIGN) {
        return config_mistake(d,
                              "%s is a static event channel or static shared memory, which "
                              "Bulkhead has not; remove the node",
                              tree_name(n));
    }
    if (kind == MODULE_KERNEL && bootargs.data != NULL) {
        d->bootargs = tree_string(bootargs);
        if (d->bootargs == NULL) {
            return config_mistake(d, "%s has bootargs that are not one string", tree_name(n));
        }
    }
    return read_place(r, d, n, cells, &d->module[kind]);
}

/* Those below `n`, of which one must be a kernel. */
static bool read_modules(const struct reader *r, struct domain_config *d, tree_node n)
{
    struct tree_cells cells = r->cells;

    tree_read_cells(r->tree, n, &cells);
    for (tree_node m = tree_child(r->tree, n); m.at; m = tree_sibling(r->tree, m)) {
        if (!read_module(r, d, m, cells)) {
            return false;
        }
    }
    return d->module[MODULE_KERNEL].size_bytes != 0 ||
           config_mistake(
               d,
               "compatible finds no child node with \"multiboot,kernel\"; add the kernel's module");
}

/* A xen,domain node; or /chosen itself, for a dom0. */
static void read_domain(struct reader *r, tree_node n, bool dom0)
{
    struct domain_config *d = &r->domain[r->domain_count];

    *d = (struct domain_config){.id = (domid_t)(dom0 ? 0 : ++r->seen),
                                .dom0 = dom0,
                                .vgic.version = gic_host.version,
                                .bootargs = "",
                                .sched = {.class = SCHED_SHARE, .weight = SCHED_WEIGHT_DEFAULT}};
    fmt(d->node, sizeof(d->node), "/chosen%s%s", dom0 ? "" : "/", dom0 ? "" : tree_name(n));
    r->domain_count +=
        (dom0 ? config_read_dom0(r, d, n) : config_read_domain(r, d, n)) && read_modules(r, d, n);
}

/* Is there a kernel directly below /chosen? */
static bool is_classic(const struct tree *t, tree_node chosen)
{
    for (tree_node n = tree_child(t, chosen); n.at; n = tree_sibling(t, n)) {
        enum module_kind kind = config_module_kind(tree_get(t, n, "compatible"));
        if (kind <= MODULE_RAMDISK || kind == MODULE_UNSAID) {
            return true;
        }
    }
    return false;
}

static void read_chosen(struct reader *r, tree_node chosen)
{
    if (is_classic(r->tree, chosen)) {
        read_domain(r, chosen, true);
    }
    for (tree_node n = tree_child(r->tree, chosen); n.at; n = tree_sibling(r->tree, n)) {
        if (!tree_lists(tree_get(r->tree, n, "compatible"), "xen,domain")) {
            continue;
        }
        if (r->domain_count == MAX_DOMAINS) {
            log_warn("/chosen/%s: a tree may have %d domains; this one and those after it are "
                     "not started.",
                     tree_name(n), MAX_DOMAINS);
            return;
        }
        read_domain(r, n, false);
    }
}

/* Keep the good ones for ever, in no more memory than they need. */
static void keep_all(struct reader *r)
{
    unsigned count = 0;

    for (unsigned i = 0; i < r->domain_count; i++) {
        if (r->domain[i].name[0] != 0) {
            r->domain[count++] = r->domain[i];
        }
    }
    size_t size = count * sizeof(r->domain[0]);
    struct domain_config *kept = count ? frame_alloc_hyp(NULL, frame_order(size)) : NULL;
    if (kept != NULL) {
        memcpy(kept, r->domain, size);
    }
    all = kept;
    all_count = kept != NULL ? (int)count : 0;
}

int config_parse(const struct tree *t, const struct domain_config **out)
{
    unsigned order = frame_order(sizeof(struct reader));
    struct reader *r = frame_alloc_hyp(NULL, order);
    tree_node chosen = tree_find(t, "/chosen", SIZE_MAX);

    board = t;
    all_count = 0;
    if (r == NULL) {
        log_warn("The board's tree: not enough memory to read it; no domain is started.");
        return 0;
    }
    r->tree = t;
    r->cells = chosen_cells(t, chosen);
    for (unsigned i = 0;
         i < CONFIG_RAM_RANGES && tree_ram(t, i, &r->ram[i].start, &r->ram[i].size_bytes); i++) {
        r->ram_count = i + 1;
    }
    read_chosen(r, chosen);
    config_check_all(r);
    keep_all(r);
    frame_free_hyp(NULL, r, order);
    return config_all(out);
}

/*
 * What boot must keep out of the allocator: the same nodes, but before there
 * is memory: no checks and no words. To keep too much costs memory only.
 */

static void keep_pairs(void (*keep)(mpa_t start, uint64_t size_bytes), struct tree_value v,
                       struct tree_cells cells)
{
    uint64_t start, size;

    for (unsigned i = 0; tree_pair(v, cells, i, &start, &size); i++) {
        keep(mpa(start), size);
    }
}

void config_keep_ranges(const struct tree *t, void (*keep)(mpa_t start, uint64_t size_bytes))
{
    tree_node n = tree_find(t, "/chosen", SIZE_MAX);
    struct tree_cells cells[3] = {chosen_cells(t, n)}; /* for reg at that depth below it */
    int depth = 0;

    while ((n = tree_next(t, n, &depth)).at && depth > 0) {
        if (depth > 2) {
            continue;
        }
        if (config_module_kind(tree_get(t, n, "compatible")) != MODULE_NONE) {
            keep_pairs(keep, tree_get(t, n, "reg"), cells[depth - 1]);
        }
        keep_pairs(keep, tree_get(t, n, "xen,static-mem"), config_static_cells(t, n, cells[0]));
        cells[depth] = cells[depth - 1];
        tree_read_cells(t, n, &cells[depth]);
    }
}

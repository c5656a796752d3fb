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
#include <hyp/log.h>
#include <lib/string.h>
#include <stdarg.h>

static const struct tree *board;        /* [const] once read */
static const struct domain_config *all; /* [const] once read */
static int all_count;

const struct tree *config_host_tree(void)
{
    return board;
}

int config_all(const struct domain_config **out)
{
    *out = all;
    return all_count;
}

void config_vgic(const struct domain_config *c, struct vgic_config *out)
{
    *out = (struct vgic_config){.version = c->gic_version,
                                .nr_spis = c->nr_spis,
                                .dist = c->places.dist,
                                .redist = c->places.redist,
                                .cpu = c->places.cpu};
}

bool config_mistake(struct reader *r, const struct domain_config *d, const char *property,
                    const char *format, ...)
{
    char words[160];
    va_list args;

    if (!r->bad) {
        va_start(args, format);
        vfmt(words, sizeof(words), format, args);
        va_end(args);
        log_warn("%s: %s %s. This domain is not started.", d->node, property, words);
    }
    r->bad = true;
    return false;
}

bool config_is_kernel(struct tree_value compatible)
{
    return tree_lists(compatible, "multiboot,kernel") || tree_lists(compatible, "xen,linux-zimage");
}

bool config_is_ramdisk(struct tree_value compatible)
{
    return tree_lists(compatible, "multiboot,ramdisk") ||
           tree_lists(compatible, "xen,linux-initrd");
}

bool config_is_module(struct tree_value compatible)
{
    return config_is_kernel(compatible) || config_is_ramdisk(compatible) ||
           tree_lists(compatible, "multiboot,device-tree") ||
           tree_lists(compatible, "multiboot,module") ||
           tree_lists(compatible, "xen,multiboot-module");
}

bool config_is_dom0(struct tree_value compatible)
{
    return config_is_module(compatible) && !tree_lists(compatible, "multiboot,device-tree") &&
           !tree_lists(compatible, "xen,xsm-policy") && !tree_lists(compatible, "xen,domain");
}

struct tree_cells config_static_cells(const struct tree *t, tree_node n, struct tree_cells cells)
{
    return (struct tree_cells){tree_number(t, n, "#xen,static-mem-address-cells", cells.address),
                               tree_number(t, n, "#xen,static-mem-size-cells", cells.size)};
}

/* The cells that /chosen, which is `chosen`, has or inherits. */
static struct tree_cells chosen_cells(const struct tree *t, tree_node chosen)
{
    struct tree_cells cells = {2, 1}; /* Devicetree Specification v0.4, 2.3.5 */

    tree_read_cells(t, tree_root(t), &cells);
    tree_read_cells(t, chosen, &cells);
    return cells;
}

static void read_domain(struct reader *r, tree_node n)
{
    struct domain_config *d = &r->domain[r->domain_count];
    struct tree_cells cells = r->cells;

    memset(d, 0, sizeof(*d));
    r->bad = false;
    fmt(d->node, sizeof(d->node), "/chosen/%s", tree_name(n));
    d->id = (domid_t)++r->seen;
    config_read_domain(r, d, n);
    tree_read_cells(r->tree, n, &cells);
    for (tree_node m = tree_child(r->tree, n); m.at; m = tree_sibling(r->tree, m)) {
        config_read_module(r, d, m, cells);
    }
    if (d->kernel.size_bytes == 0) {
        config_mistake(r, d, "compatible",
                       "finds no child node with \"multiboot,kernel\"; add the kernel's module");
    }
    r->domain_count += !r->bad;
}

/* Is there a kernel directly below /chosen? */
static bool is_classic(const struct tree *t, tree_node chosen)
{
    for (tree_node n = tree_child(t, chosen); n.at; n = tree_sibling(t, n)) {
        if (config_is_dom0(tree_get(t, n, "compatible"))) {
            return true;
        }
    }
    return false;
}

static void read_chosen(struct reader *r, tree_node chosen)
{
    if (is_classic(r->tree, chosen)) {
        (void)config_read_dom0(r, chosen);
    }
    for (tree_node n = tree_child(r->tree, chosen); n.at; n = tree_sibling(r->tree, n)) {
        struct tree_value compatible = tree_get(r->tree, n, "compatible");
        if (tree_lists(compatible, "xen,domain") && r->domain_count == CONFIG_DOMAINS) {
            log_warn("/chosen/%s: a tree may have %d domains; this one and those after it are "
                     "not started.",
                     tree_name(n), CONFIG_DOMAINS);
            return;
        } else if (tree_lists(compatible, "xen,domain")) {
            read_domain(r, n);
        }
    }
}

/* Keep `count` configurations for ever, in no more memory than they need. */
static void keep_all(const struct domain_config *list, unsigned count)
{
    struct domain_config *kept =
        count ? frame_alloc_hyp(NULL, frame_order(count * sizeof(*list))) : NULL;

    if (kept != NULL) {
        memcpy(kept, list, count * sizeof(*list));
    }
    all = kept;
    all_count = kept != NULL ? (int)count : 0;
}

static void parse(struct reader *r)
{
    tree_node chosen = tree_find(r->tree, "/chosen", SIZE_MAX);
    mpa_t start;

    while (r->ram_count < CONFIG_RAM_RANGES &&
           tree_ram(r->tree, r->ram_count, &start, &r->ram[r->ram_count].size_bytes)) {
        r->ram[r->ram_count++].start = start;
    }
    r->cells = chosen_cells(r->tree, chosen);
    read_chosen(r, chosen);
    config_check_all(r);
    keep_all(r->domain, r->domain_count);
}

/* A domain without a mistake takes more of a tree: its node with compatible, cpus and memory. */
#define DOMAIN_TOKENS 64

int config_parse(const struct tree *t, const struct domain_config **out)
{
    unsigned order = frame_order(sizeof(struct reader));
    uint64_t most = (uint64_t)(t->end - t->root) / DOMAIN_TOKENS;
    unsigned room = 1 + (unsigned)(most < CONFIG_DOMAINS ? most : CONFIG_DOMAINS);
    unsigned list_order = frame_order(sizeof(struct domain_config) * room);
    struct reader *r = frame_alloc_hyp(NULL, order);
    struct domain_config *list = frame_alloc_hyp(NULL, list_order);

    board = t;
    if (r != NULL && list != NULL) {
        r->tree = t;
        r->domain = list;
        parse(r);
    } else {
        log_warn("The board's tree: not enough memory to read it; no domain is started.");
    }
    if (list != NULL) {
        frame_free_hyp(NULL, list, list_order);
    }
    if (r != NULL) {
        frame_free_hyp(NULL, r, order);
    }
    return config_all(out);
}

/*
 * What boot must keep out of the allocator: the same nodes, but before there
 * is memory: no checks and no words. To keep too much costs memory only.
 */

struct keeper {
    void (*keep)(void *arg, mpa_t start, uint64_t size_bytes);
    void *arg;
};

static void keep_pairs(const struct keeper *k, struct tree_value v, struct tree_cells cells)
{
    uint64_t start, size;

    for (unsigned i = 0; tree_pair(v, cells, i, &start, &size); i++) {
        k->keep(k->arg, mpa(start), size);
    }
}

/* If `n` is a module: its place. */
static void keep_module(const struct keeper *k, const struct tree *t, tree_node n,
                        struct tree_cells cells)
{
    if (config_is_module(tree_get(t, n, "compatible"))) {
        keep_pairs(k, tree_get(t, n, "reg"), cells);
    }
}

void config_keep_ranges(const struct tree *t,
                        void (*keep)(void *arg, mpa_t start, uint64_t size_bytes), void *arg)
{
    struct keeper k = {keep, arg};
    tree_node chosen = tree_find(t, "/chosen", SIZE_MAX);
    struct tree_cells cells = chosen_cells(t, chosen);

    for (tree_node n = tree_child(t, chosen); n.at; n = tree_sibling(t, n)) {
        struct tree_cells own = cells;
        tree_read_cells(t, n, &own);
        keep_module(&k, t, n, cells);
        for (tree_node m = tree_child(t, n); m.at; m = tree_sibling(t, m)) {
            keep_module(&k, t, m, own);
        }
        keep_pairs(&k, tree_get(t, n, "xen,static-mem"), config_static_cells(t, n, cells));
    }
}

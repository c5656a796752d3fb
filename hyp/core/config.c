/*
 * The walk through the host's tree; hyp/config.h, config-internal.h.
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
#include <libfdt.h>
#include <stdarg.h>

#define PROPERTY_NAME(id, name) [P_##id] = name,
const char *const property_names[P_COUNT] = {PROPERTIES(PROPERTY_NAME)};

static const void *host_tree; /* [const] once read */

const void *config_host_tree(void)
{
    return host_tree;
}

void config_vgic(const struct domain_config *c, struct vgic_config *out)
{
    *out = (struct vgic_config){.version = c->gic_version,
                                .nr_spis = c->nr_spis,
                                .dist = c->places.dist,
                                .redist = c->places.redist,
                                .cpu = c->places.cpu};
}

/* Written by tools for themselves; nothing to say about them. */
static const char *const silent[] = {"phandle", "linux,phandle", "ranges", "name"};

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

static bool is_domain(struct tree_value compatible)
{
    return tree_lists(compatible, "xen,domain");
}

static bool is_kernel(struct tree_value compatible)
{
    return tree_lists(compatible, "multiboot,kernel") || tree_lists(compatible, "xen,linux-zimage");
}

/* Keep a property for when the node ends, or judge one that we do not know. */
static void gather(struct reader *r, const char *name, struct tree_value v, const char **unknown)
{
    for (unsigned i = 0; i < P_COUNT; i++) {
        if (strcmp(name, property_names[i]) == 0) {
            r->value[i] = v;
            return;
        }
    }
    for (unsigned i = 0; i < ARRAY_LEN(silent); i++) {
        if (strcmp(name, silent[i]) == 0) {
            return;
        }
    }
    if (*unknown == NULL || strncmp(name, "bulkhead,", 9) == 0 || strncmp(name, "xen,", 4) == 0) {
        *unknown = name;
    }
}

static void judge_unknown(struct reader *r, const struct domain_config *d, const char *name)
{
    if (strncmp(name, "bulkhead,", 9) == 0 || strncmp(name, "xen,", 4) == 0) {
        config_mistake(r, d, name,
                       "is not a property that domains have; docs/configuration.md lists them");
    } else {
        log_line("%s: %s is not a property that domains have; ignored.", d->node, name);
    }
}

/* A child of a domain. False: the tree is broken. */
static bool read_child(struct reader *r, struct domain_config *d, struct tree_cursor *c)
{
    struct child child = {.node = c->name};

    for (;;) {
        switch (tree_step(c)) {
        case TREE_PROPERTY:
            if (strcmp(c->name, "compatible") == 0) {
                child.compatible = c->value;
            } else if (strcmp(c->name, "reg") == 0) {
                child.reg = c->value;
            } else if (strcmp(c->name, "bootargs") == 0) {
                child.bootargs = c->value;
            }
            break;
        case TREE_NODE:
            if (!tree_skip(c)) {
                return false;
            }
            break;
        case TREE_NODE_END:
            if (!r->bad) {
                config_read_child(r, d, &child);
            }
            return true;
        case TREE_END:
        case TREE_BROKEN:
            return false;
        }
    }
}

static void fresh_domain(struct reader *r, struct domain_config *d, const char *node)
{
    memset(d, 0, sizeof(*d));
    memset(r->value, 0, sizeof(r->value));
    r->bad = false;
    r->cells[2] = r->cells[1];
    fmt(d->node, sizeof(d->node), "/chosen/%s", node);
}

/* A child of /chosen turned out to be no domain. */
static void judge_stranger(const struct domain_config *d, struct tree_value compatible)
{
    if (is_kernel(compatible)) {
        log_warn(
            "%s: compatible says this is the kernel of a dom0, which Bulkhead does not start; put "
            "it into a node compatible with \"xen,domain\".",
            d->node);
    }
}

/* All properties of the node have been met. True: it is a domain. */
static bool decide(struct reader *r, struct domain_config *d, const char *unknown)
{
    if (!is_domain(r->value[P_COMPATIBLE])) {
        judge_stranger(d, r->value[P_COMPATIBLE]);
        return false;
    }
    d->id = (domid_t)++r->seen;
    config_read_domain(r, d);
    if (unknown != NULL) {
        judge_unknown(r, d, unknown);
    }
    return true;
}

/*
 * A child of /chosen. Its properties come before its children in a flattened tree, so all that the
 * modules need is known when the first one is met. False: the tree is broken.
 */
static bool read_domain(struct reader *r, struct tree_cursor *c)
{
    struct domain_config *d = &r->domain[r->domain_count];
    const char *unknown = NULL;

    fresh_domain(r, d, c->name);
    enum tree_event e = tree_step(c);
    for (; e == TREE_PROPERTY; e = tree_step(c)) {
        gather(r, c->name, c->value, &unknown);
    }
    if (e == TREE_END || e == TREE_BROKEN) {
        return false;
    }
    bool domain = decide(r, d, unknown);
    for (; e != TREE_NODE_END; e = tree_step(c)) {
        if (e == TREE_END || e == TREE_BROKEN ||
            (e == TREE_NODE && !(domain ? read_child(r, d, c) : tree_skip(c)))) {
            return false;
        }
    }
    if (domain && d->kernel.size_bytes == 0) {
        config_mistake(r, d, "compatible",
                       "finds no child node with \"multiboot,kernel\"; add the kernel's module");
    }
    r->domain_count += domain && !r->bad;
    return true;
}

/* Properties of a node that say how wide addresses below it are. */
static void note_cells(struct cells *cells, const struct tree_cursor *c)
{
    uint32_t v;

    if (strcmp(c->name, "#address-cells") == 0 && tree_u32(c->value, &v)) {
        cells->address = v;
    } else if (strcmp(c->name, "#size-cells") == 0 && tree_u32(c->value, &v)) {
        cells->size = v;
    }
}

static bool read_chosen(struct reader *r, struct tree_cursor *c)
{
    r->cells[1] = r->cells[0];
    for (;;) {
        switch (tree_step(c)) {
        case TREE_PROPERTY:
            note_cells(&r->cells[1], c);
            break;
        case TREE_NODE:
            if (r->domain_count == CONFIG_DOMAINS) {
                log_warn("/chosen/%s: a tree may have %d domains; this one and those after it are "
                         "not started.",
                         c->name, CONFIG_DOMAINS);
                return false;
            }
            if (!read_domain(r, c)) {
                return false;
            }
            break;
        case TREE_NODE_END:
            return true;
        case TREE_END:
        case TREE_BROKEN:
            return false;
        }
    }
}

/* A node that may be memory: remember its ranges, for checking that modules are in RAM. */
static bool read_memory(struct reader *r, struct tree_cursor *c)
{
    struct tree_value type = {0}, reg = {0};
    int depth = c->depth;

    for (enum tree_event e = tree_step(c); e != TREE_NODE_END || c->depth >= depth;
         e = tree_step(c)) {
        if (e == TREE_END || e == TREE_BROKEN) {
            return false;
        }
        if (e == TREE_PROPERTY && c->depth == depth && strcmp(c->name, "device_type") == 0) {
            type = c->value;
        } else if (e == TREE_PROPERTY && c->depth == depth && strcmp(c->name, "reg") == 0) {
            reg = c->value;
        }
    }
    uint32_t entry = (r->cells[0].address + r->cells[0].size) * 4;
    if (!tree_lists(type, "memory") || r->cells[0].address > 2 || r->cells[0].size > 2 ||
        entry == 0) {
        return true;
    }
    for (uint32_t at = 0; at + entry <= reg.size && r->ram_count < CONFIG_RAM_RANGES; at += entry) {
        r->ram[r->ram_count].start = tree_cells(reg.data + at, r->cells[0].address);
        r->ram[r->ram_count++].size =
            tree_cells(reg.data + at + r->cells[0].address * 4, r->cells[0].size);
    }
    return true;
}

/* The root and its children. False: the tree is broken at some point; what came before counts. */
static bool read_root(struct reader *r, struct tree_cursor *c)
{
    for (;;) {
        switch (tree_step(c)) {
        case TREE_PROPERTY:
            note_cells(&r->cells[0], c);
            break;
        case TREE_NODE:
            if (c->depth == 0) {
                break;
            }
            if (!(strcmp(c->name, "chosen") == 0       ? read_chosen(r, c)
                  : strncmp(c->name, "memory", 6) == 0 ? read_memory(r, c)
                                                       : tree_skip(c))) {
                return false;
            }
            break;
        case TREE_NODE_END:
            break;
        case TREE_END:
            return true;
        case TREE_BROKEN:
            return false;
        }
    }
}

static unsigned order_of(size_t size_bytes)
{
    unsigned order = 0;

    while (FRAME_SIZE << order < size_bytes) {
        order++;
    }
    return order;
}

/* Keep `count` configurations for ever, in no more memory than they need. */
static const struct domain_config *keep(const struct domain_config *list, unsigned count)
{
    struct domain_config *kept = frame_alloc_hyp(NULL, order_of(count * sizeof(*list)));

    if (kept != NULL) {
        memcpy(kept, list, count * sizeof(*list));
    }
    return kept;
}

static void parse(struct reader *r, const void *host_fdt)
{
    struct tree_cursor c;

    r->fdt = host_fdt;
    r->cells[0] = (struct cells){2, 1}; /* Devicetree Specification v0.4, 2.3.5 */
    if (!tree_open(&c, host_fdt, 0)) {
        log_warn("The board's tree: it is not a device tree (magic, version or size is wrong); no "
                 "domain "
                 "is started.");
        return;
    }
    if (!read_root(r, &c)) {
        log_warn(
            "The board's tree: it is cut off, damaged or nested deeper than %d levels near %s; "
            "domains from there on are not started.",
            TREE_DEPTH_MAX, c.name ? c.name : "its start");
    }
    config_check_all(r);
}

static const struct domain_config *all;
static int all_count;

int config_all(const struct domain_config **out)
{
    *out = all;
    return all_count;
}

int config_parse(const void *host_fdt, const struct domain_config **out)
{
    unsigned order = order_of(sizeof(struct reader));
    unsigned list_order = order_of(sizeof(struct domain_config) * (CONFIG_DOMAINS + 1));
    struct reader *r = frame_alloc_hyp(NULL, order);
    struct domain_config *list = frame_alloc_hyp(NULL, list_order);
    int count = 0;

    *out = NULL;
    host_tree = host_fdt;
    if (r != NULL && list != NULL) {
        r->domain = list;
        parse(r, host_fdt);
        *out = r->domain_count != 0 ? keep(list, r->domain_count) : NULL;
        count = *out != NULL ? (int)r->domain_count : 0;
    } else {
        log_warn("The board's tree: not enough memory to read it; no domain is started.");
    }
    if (list != NULL) {
        frame_free_hyp(NULL, list, list_order);
    }
    if (r != NULL) {
        frame_free_hyp(NULL, r, order);
    }
    all = *out;
    all_count = count;
    return count;
}

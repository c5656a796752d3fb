/* Copying a partial tree; guest-tree-copy.h. */
#include "guest-tree-copy.h"

#include "tree-internal.h"

#include <hyp/arch.h>
#include <lib/string.h>
#include <libfdt.h>
#include <xen/guest-layout.h>

static bool is_phandle(const char *name)
{
    return strcmp(name, "phandle") == 0 || strcmp(name, "linux,phandle") == 0;
}

static bool defined_there(const struct tree_writer *w, uint32_t phandle)
{
    for (unsigned i = 0; i < w->phandle_count; i++) {
        if (w->phandle[i] == phandle) {
            return true;
        }
    }
    return false;
}

static void note_phandle(struct tree_writer *w, uint32_t v, bool gic)
{
    if (gic) {
        w->gic_phandle = v;
    } else if (!defined_there(w, v)) {
        if (w->phandle_count == TREE_PHANDLES) {
            tree_note(w, -FDT_ERR_NOPHANDLES);
            return;
        }
        w->phandle[w->phandle_count++] = v;
    }
}

void tree_copy_open(struct tree_writer *w, const struct domain_config *c)
{
    struct tree_cursor cursor;
    bool gic = false;
    uint32_t v;

    w->gic_phandle = GUEST_PHANDLE_GIC;
    if (c->tree.size_bytes != 0) {
        w->partial = arch_map_ram(c->tree.start, c->tree.size_bytes);
        w->partial_bytes = c->tree.size_bytes;
        tree_note(w, w->partial != NULL && tree_open(&cursor, w->partial, w->partial_bytes)
                         ? 0
                         : -FDT_ERR_BADMAGIC);
    }
    for (enum tree_event e = TREE_NODE; w->partial != NULL && w->error == 0 && e != TREE_END;) {
        e = tree_step(&cursor);
        if (e == TREE_NODE && cursor.depth <= 1) {
            gic = cursor.depth == 1 && strcmp(cursor.name, "gic") == 0;
        } else if (e == TREE_PROPERTY && is_phandle(cursor.name) && tree_u32(cursor.value, &v)) {
            note_phandle(w, v, gic);
        } else if (e == TREE_BROKEN) {
            tree_note(w, -FDT_ERR_BADSTRUCTURE);
        }
    }
    /* Two nodes with one phandle would send interrupts anywhere. */
    tree_note(w, defined_there(w, w->gic_phandle) ? -FDT_ERR_BADPHANDLE : 0);
    w->clock_phandle = GUEST_PHANDLE_GIC + 1;
    while (defined_there(w, w->clock_phandle) || w->clock_phandle == w->gic_phandle) {
        w->clock_phandle++; /* at most TREE_PHANDLES + 1 times */
    }
}

static void copy_property(struct tree_writer *w, const struct tree_cursor *c)
{
    static const char *const ours[] = {"xen,reg", "xen,path", "xen,force-assign-without-iommu"};
    struct tree_value v = c->value;
    uint32_t parent;

    for (unsigned i = 0; i < ARRAY_LEN(ours); i++) {
        if (strcmp(c->name, ours[i]) == 0) {
            return;
        }
    }
    if (strcmp(c->name, "interrupt-parent") == 0 && tree_u32(v, &parent) &&
        !defined_there(w, parent)) {
        tree_note(w, fdt_property_u32(w->fdt, c->name, w->gic_phandle));
        return;
    }
    tree_note(w, fdt_property(w->fdt, c->name, v.data, (int)v.size));
}

/* The cursor is at a node: copy it with all below. */
static void copy_node(struct tree_writer *w, struct tree_cursor *c)
{
    int top = c->depth;

    tree_note(w, fdt_begin_node(w->fdt, c->name));
    while (w->error == 0 && c->depth >= top) {
        switch (tree_step(c)) {
        case TREE_NODE:
            tree_note(w, fdt_begin_node(w->fdt, c->name));
            break;
        case TREE_PROPERTY:
            copy_property(w, c);
            break;
        case TREE_NODE_END:
            tree_note(w, fdt_end_node(w->fdt));
            break;
        case TREE_END:
        case TREE_BROKEN:
            tree_note(w, -FDT_ERR_BADSTRUCTURE);
        }
    }
}

void tree_copy_aliases(struct tree_writer *w)
{
    struct tree_cursor c;
    bool inside = false;

    if (w->partial == NULL || w->error != 0 || !tree_open(&c, w->partial, w->partial_bytes)) {
        return;
    }
    for (enum tree_event e = tree_step(&c); e != TREE_END && e != TREE_BROKEN; e = tree_step(&c)) {
        if (e == TREE_NODE && c.depth <= 1) {
            inside = c.depth == 1 && strcmp(c.name, "aliases") == 0;
        } else if (e == TREE_PROPERTY && inside && c.depth == 1 && strcmp(c.name, "serial0") != 0) {
            copy_property(w, &c);
        }
    }
}

void tree_copy_devices(struct tree_writer *w)
{
    struct tree_cursor c;

    if (w->partial == NULL || w->error != 0 || !tree_open(&c, w->partial, w->partial_bytes)) {
        return;
    }
    for (enum tree_event e = tree_step(&c); e != TREE_END && e != TREE_BROKEN && w->error == 0;
         e = tree_step(&c)) {
        if (e == TREE_NODE && c.depth == 1 &&
            (strcmp(c.name, "passthrough") == 0 || strcmp(c.name, "reserved-memory") == 0)) {
            copy_node(w, &c);
        }
    }
}

/* One pass over a flattened device tree; tree-internal.h. Source: Devicetree Specification v0.4, 5.
 */
#include "tree-internal.h"

#include <lib/string.h>
#include <libfdt.h>

bool tree_open(struct tree_cursor *c, const void *fdt, uint64_t size_bytes)
{
    if (fdt_check_header(fdt) != 0 || (size_bytes != 0 && fdt_totalsize(fdt) > size_bytes)) {
        return false;
    }
    *c = (struct tree_cursor){.fdt = fdt, .next = 0, .depth = -1};
    return true;
}

static enum tree_event broken(struct tree_cursor *c)
{
    c->next = -1;
    return TREE_BROKEN;
}

static enum tree_event enter_node(struct tree_cursor *c, int at)
{
    c->name = fdt_get_name(c->fdt, at, NULL);
    if (c->name == NULL || ++c->depth >= TREE_DEPTH_MAX) {
        return broken(c);
    }
    return TREE_NODE;
}

static enum tree_event meet_property(struct tree_cursor *c, int at)
{
    int size;
    const void *data = fdt_getprop_by_offset(c->fdt, at, &c->name, &size);

    if (data == NULL || c->name == NULL || size < 0 || c->depth < 0) {
        return broken(c);
    }
    c->value = (struct tree_value){data, (uint32_t)size};
    return TREE_PROPERTY;
}

enum tree_event tree_step(struct tree_cursor *c)
{
    while (c->next >= 0) {
        int at = c->next;
        uint32_t tag = fdt_next_tag(c->fdt, at, &c->next);

        if (c->next < 0) {
            return broken(c);
        }
        switch (tag) {
        case FDT_BEGIN_NODE:
            return enter_node(c, at);
        case FDT_PROP:
            return meet_property(c, at);
        case FDT_END_NODE:
            if (c->depth < 0) {
                return broken(c);
            }
            c->depth--;
            return TREE_NODE_END;
        case FDT_NOP:
            break;
        default: /* FDT_END */
            c->next = -1;
            return c->depth < 0 ? TREE_END : TREE_BROKEN;
        }
    }
    return TREE_BROKEN;
}

bool tree_skip(struct tree_cursor *c)
{
    int depth = c->depth - 1;

    while (c->depth > depth) {
        enum tree_event e = tree_step(c);
        if (e == TREE_END || e == TREE_BROKEN) {
            return false;
        }
    }
    return true;
}

uint32_t tree_cell(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

uint64_t tree_cells(const uint8_t *at, unsigned count)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < count; i++) {
        v = v << 32 | tree_cell(at + 4ul * i);
    }
    return v;
}

bool tree_u32(struct tree_value v, uint32_t *out)
{
    if (v.data == NULL || v.size != 4) {
        return false;
    }
    *out = tree_cell(v.data);
    return true;
}

bool tree_u64(struct tree_value v, uint64_t *out)
{
    if (v.data == NULL || (v.size != 4 && v.size != 8)) {
        return false;
    }
    *out = tree_cells(v.data, v.size / 4);
    return true;
}

const char *tree_string(struct tree_value v)
{
    const char *s = (const char *)v.data;

    return s != NULL && v.size > 0 && strnlen(s, v.size) == v.size - 1 ? s : NULL;
}

bool tree_lists(struct tree_value v, const char *s)
{
    size_t want = strlen(s) + 1;
    uint32_t at = 0;

    while (v.data != NULL && at < v.size) {
        size_t left = v.size - at, length = strnlen((const char *)v.data + at, left);
        if (length == left) {
            return false; /* not terminated */
        }
        if (length + 1 == want && memcmp(v.data + at, s, want) == 0) {
            return true;
        }
        at += (uint32_t)length + 1;
    }
    return false;
}

/* One pass over a flattened device tree; tree-internal.h. Source: Devicetree Specification v0.4, 5. */
#include "tree-internal.h"

#include <lib/string.h>
#include <libfdt.h>

#define VERSION_MIN 17 /* the first that tells the size of its structure block */

bool tree_open(struct tree_cursor *c, const void *fdt, uint64_t size_bytes)
{
    if (fdt_check_header(fdt) != 0 || fdt_version(fdt) < VERSION_MIN ||
        (size_bytes != 0 && fdt_totalsize(fdt) > size_bytes)) {
        return false;
    }
    const uint8_t *base = fdt;
    *c = (struct tree_cursor){
        .at = base + fdt_off_dt_struct(fdt),
        .left = fdt_size_dt_struct(fdt),
        .strings = (const char *)base + fdt_off_dt_strings(fdt),
        .strings_size = fdt_size_dt_strings(fdt),
        .depth = -1,
    };
    return true;
}

static enum tree_event broken(struct tree_cursor *c)
{
    c->left = 0;
    return TREE_BROKEN;
}

/* Go `size` bytes on, and to the next cell. False: the structure block ends before. */
static bool advance(struct tree_cursor *c, uint64_t size)
{
    size = (size + 3) & ~3ul;
    if (size > c->left) {
        return false;
    }
    c->at += size;
    c->left -= (uint32_t)size;
    return true;
}

static enum tree_event enter_node(struct tree_cursor *c)
{
    const char *name = (const char *)c->at;
    size_t length = strnlen(name, c->left);

    if (length == c->left || !advance(c, length + 1) || ++c->depth >= TREE_DEPTH_MAX) {
        return broken(c);
    }
    c->name = name;
    return TREE_NODE;
}

static enum tree_event meet_property(struct tree_cursor *c)
{
    const uint8_t *head = c->at;

    if (!advance(c, 8) || c->depth < 0) {
        return broken(c);
    }
    uint32_t size = tree_cell(head), name = tree_cell(head + 4);
    c->value = (struct tree_value){c->at, size};
    if (!advance(c, size) || name >= c->strings_size ||
        strnlen(c->strings + name, c->strings_size - name) == c->strings_size - name) {
        return broken(c);
    }
    c->name = c->strings + name;
    return TREE_PROPERTY;
}

enum tree_event tree_step(struct tree_cursor *c)
{
    while (c->left >= 4) {
        uint32_t token = tree_cell(c->at);
        (void)advance(c, 4);
        switch (token) {
        case FDT_BEGIN_NODE:
            return enter_node(c);
        case FDT_PROP:
            return meet_property(c);
        case FDT_END_NODE:
            if (c->depth < 0) {
                return broken(c);
            }
            c->depth--;
            return TREE_NODE_END;
        case FDT_NOP:
            break;
        case FDT_END:
            c->left = 0;
            return c->depth < 0 ? TREE_END : TREE_BROKEN;
        default:
            return broken(c);
        }
    }
    return broken(c);
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

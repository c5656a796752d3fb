/*
 * A small reader of flattened device trees (Devicetree Specification v0.3,
 * chapter 5). Nodes are byte offsets of their FDT_BEGIN_NODE token.
 */
#include "kit.h"

#define FDT_MAGIC 0xd00dfeedu
#define FDT_BEGIN_NODE 1u
#define FDT_END_NODE 2u
#define FDT_PROP 3u
#define FDT_NOP 4u
#define FDT_END 9u

static u32 be32(const void *at)
{
    const u8 *p = at;
    return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
}

static const u8 *structure(const void *fdt)
{
    return (const u8 *)fdt + be32((const u8 *)fdt + 8);
}

static u32 token(const void *fdt, int at)
{
    return be32(structure(fdt) + at);
}

static u32 text_length(const char *text)
{
    u32 n = 0;
    while (text[n]) {
        n++;
    }
    return n;
}

/* Offset of the token after the one at `at`. */
static int step(const void *fdt, int at)
{
    switch (token(fdt, at)) {
    case FDT_BEGIN_NODE:
        return at + 4 + (int)((text_length((const char *)structure(fdt) + at + 4) + 4) & ~3u);
    case FDT_PROP:
        return at + 12 + (int)((token(fdt, at + 4) + 3) & ~3u);
    default:
        return at + 4;
    }
}

u64 fdt_cells(const void *prop, unsigned cell, unsigned cells)
{
    u64 value = 0;
    for (unsigned i = 0; i < cells; i++) {
        value = value << 32 | be32((const u8 *)prop + 4 * (cell + i));
    }
    return value;
}

const char *fdt_node_name(const void *fdt, int node)
{
    return (const char *)structure(fdt) + node + 4;
}

int fdt_first_child(const void *fdt, int node)
{
    for (int at = step(fdt, node);; at = step(fdt, at)) {
        u32 t = token(fdt, at);
        if (t == FDT_BEGIN_NODE) {
            return at;
        }
        if (t != FDT_PROP && t != FDT_NOP) {
            return -1;
        }
    }
}

int fdt_next_sibling(const void *fdt, int node)
{
    int depth = 0;
    for (int at = node;; at = step(fdt, at)) {
        u32 t = token(fdt, at);
        if (t == FDT_BEGIN_NODE) {
            if (depth == 0 && at != node) {
                return at;
            }
            depth++;
        } else if (t == FDT_END_NODE) {
            if (--depth < 0) {
                return -1;
            }
        } else if (t == FDT_END) {
            return -1;
        }
    }
}

const void *fdt_prop(const void *fdt, int node, const char *name, u32 *length)
{
    const char *strings = (const char *)fdt + be32((const u8 *)fdt + 12);
    if (node < 0) {
        return NULL;
    }
    for (int at = step(fdt, node);; at = step(fdt, at)) {
        u32 t = token(fdt, at);
        if (t == FDT_PROP && str_equal(strings + token(fdt, at + 8), name)) {
            if (length) {
                *length = token(fdt, at + 4);
            }
            return structure(fdt) + at + 12;
        }
        if (t != FDT_PROP && t != FDT_NOP) {
            return NULL;
        }
    }
}

u32 fdt_prop_u32(const void *fdt, int node, const char *name, unsigned index, u32 otherwise)
{
    u32 length;
    const void *prop = fdt_prop(fdt, node, name, &length);
    return prop && length >= 4 * (index + 1) ? (u32)fdt_cells(prop, index, 1) : otherwise;
}

bool fdt_is_compatible(const void *fdt, int node, const char *compatible)
{
    u32 length;
    const char *list = fdt_prop(fdt, node, "compatible", &length);
    for (const char *p = list; p && p < list + length; p += text_length(p) + 1) {
        if (str_equal(p, compatible)) {
            return true;
        }
    }
    return false;
}

int fdt_find_compatible(const void *fdt, int after, const char *compatible)
{
    for (int at = after < 0 ? 0 : step(fdt, after);; at = step(fdt, at)) {
        u32 t = token(fdt, at);
        if (t == FDT_END) {
            return -1;
        }
        if (t == FDT_BEGIN_NODE && fdt_is_compatible(fdt, at, compatible)) {
            return at;
        }
    }
}

static bool name_matches(const char *name, const char *part, u32 length)
{
    for (u32 i = 0; i < length; i++) {
        if (name[i] != part[i]) {
            return false;
        }
    }
    return name[length] == 0 || name[length] == '@';
}

/* Without a unit address in a part of the path, the first node of that name. */
int fdt_find_path(const void *fdt, const char *path)
{
    int node = 0;
    while (*path == '/') {
        u32 length = 0;
        for (path++; path[length] && path[length] != '/'; length++) {
        }
        if (length == 0) {
            break;
        }
        for (node = fdt_first_child(fdt, node); node >= 0; node = fdt_next_sibling(fdt, node)) {
            if (name_matches(fdt_node_name(fdt, node), path, length)) {
                break;
            }
        }
        if (node < 0) {
            return -1;
        }
        path += length;
    }
    return node;
}

bool fdt_check(const void *fdt)
{
    const u8 *head = fdt;
    if (be32(head) != FDT_MAGIC || ((u64)fdt & 7)) {
        return false;
    }
    u32 total = be32(head + 4), start = be32(head + 8), size = be32(head + 36);
    if (start + size > total || token(fdt, 0) != FDT_BEGIN_NODE) {
        return false;
    }
    int depth = 0;
    for (int at = 0; (u32)at < size; at = step(fdt, at)) {
        u32 t = token(fdt, at);
        depth += (t == FDT_BEGIN_NODE) - (t == FDT_END_NODE);
        if (t == FDT_END) {
            return depth == 0;
        }
        if (t == 0 || t > FDT_END || depth < 1) {
            return t == FDT_END_NODE && depth == 0 && token(fdt, at + 4) == FDT_END;
        }
    }
    return false;
}

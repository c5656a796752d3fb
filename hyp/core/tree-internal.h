/*
 * Reading a flattened device tree in one pass, and its values with their types
 * checked. The tree may be hostile: nothing here trusts a length, an offset, a
 * terminating zero or the nesting.
 *
 * libfdt finds a node by walking the tree from its start, at some hundred
 * instructions a token. The cursor meets everything once, in order.
 */
#ifndef HYP_CORE_TREE_INTERNAL_H
#define HYP_CORE_TREE_INTERNAL_H

#include <hyp/types.h>

#define TREE_DEPTH_MAX 16 /* levels a tree may have; boards have seven */

enum tree_event {
    TREE_NODE,     /* `name`: of the node, with unit address; depth is its own (root: 0) */
    TREE_PROPERTY, /* `name`, `value`; depth is its node's */
    TREE_NODE_END, /* depth is again that of the parent */
    TREE_END,      /* nothing follows */
    TREE_BROKEN,   /* truncated, cyclic or malformed from here on; nothing follows */
};

struct tree_value {
    const uint8_t *data; /* NULL: there is no such property */
    uint32_t size;
};

struct tree_cursor {
    const uint8_t *at; /* the next token */
    uint32_t left;     /* bytes of the structure block from there */
    int depth;
    const char *strings;
    uint32_t strings_size;
    const char *name;
    struct tree_value value;
};

/* False if the header is not that of a tree within `size_bytes` (0: as large as it says). */
must_check bool tree_open(struct tree_cursor *c, const void *fdt, uint64_t size_bytes);
enum tree_event tree_step(struct tree_cursor *c);
/* After TREE_NODE: go past that node and all below it. False: TREE_BROKEN or TREE_END inside. */
must_check bool tree_skip(struct tree_cursor *c);

/* Values. They return false and leave *out alone if the type does not fit. */
uint32_t tree_cell(const uint8_t *at);                  /* big-endian, any alignment */
uint64_t tree_cells(const uint8_t *at, unsigned count); /* the lower 64 bits of `count` cells */
must_check bool tree_u32(struct tree_value v, uint32_t *out);
must_check bool tree_u64(struct tree_value v, uint64_t *out); /* one cell or two */
/* The string, NULL if it is not exactly one terminated string. */
const char *tree_string(struct tree_value v);
/* True if the list of strings has `s`. */
bool tree_lists(struct tree_value v, const char *s);

#endif

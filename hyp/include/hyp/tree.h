/*
 * Reading flattened device trees: the board's, and the partial ones of guests.
 *
 * A tree may be hostile. tree_open() looks at every token once and trusts no
 * length, offset, terminating zero or nesting; what it has passed, the rest
 * relies on, so that walking costs little and cannot fail. Nobody writes a tree
 * after it was opened.
 *
 * Source: Devicetree Specification v0.4, sections 2.3.5 to 2.3.8, 2.4 and 5;
 * GIC interrupt cells: binding arm,gic-v3.
 */
#ifndef HYP_TREE_H
#define HYP_TREE_H

#include <hyp/types.h>

#define TREE_MAGIC 0xd00dfeedu
#define TREE_DEPTH_MAX 16 /* levels a tree may have; boards have seven */

struct tree {
    const uint8_t *fdt;
    const uint8_t *root, *end; /* of the tokens that are good */
    const char *strings;
    const char *near; /* of a damaged tree: the node after which it is */
};

enum tree_state {
    TREE_GOOD,
    TREE_DAMAGED, /* cut off, cyclic or malformed; what is complete before that can be read */
    TREE_NONE     /* the header is not that of a tree within its size */
};
/* `size_bytes`: of the memory it is in; 0: as large as it says. */
must_check enum tree_state tree_open(struct tree *t, const void *fdt, uint64_t size_bytes);
/* Bytes that a tree says it has; 0: what is there (40 bytes can be read) is no tree. */
uint64_t tree_size(const void *fdt);

/* A node; `at` is NULL if there is none. All functions take that, and find nothing there. */
typedef struct {
    const uint8_t *at;
} tree_node;

tree_node tree_root(const struct tree *t);
tree_node tree_child(const struct tree *t, tree_node n);   /* the first */
tree_node tree_sibling(const struct tree *t, tree_node n); /* the next of the same parent */
tree_node tree_parent(const struct tree *t, tree_node n);
/* The next in the order of the tree, parents first; *depth (may be NULL) follows. */
tree_node tree_next(const struct tree *t, tree_node n, int *depth);
/* The next that is not below `n`. */
tree_node tree_after(const struct tree *t, tree_node n, int *depth);
/* The node of `path`, which ends at `length` or a zero: "/a/b", or an alias as its first part. */
tree_node tree_find(const struct tree *t, const char *path, size_t length);
/* The first from `n` on, in the order of the tree, that is compatible with `what`. */
tree_node tree_compatible(const struct tree *t, tree_node n, const char *what);
const char *tree_name(tree_node n); /* with unit address */

struct tree_value {
    const uint8_t *data; /* NULL: there is no such property */
    uint32_t size;       /* 0 then, too */
};
struct tree_property {
    const char *name;
    struct tree_value value;
    const uint8_t *next;
};
/* Properties in order: begin with a zeroed `p`. False: no more. */
must_check bool tree_property(const struct tree *t, tree_node n, struct tree_property *p);
struct tree_value tree_get(const struct tree *t, tree_node n, const char *name);

/* Values. They return false and leave *out alone if the type does not fit. */
uint32_t tree_cell(const uint8_t *at);                  /* big-endian, any alignment */
uint64_t tree_cells(const uint8_t *at, unsigned count); /* the lower 64 bits of `count` cells */
must_check bool tree_u32(struct tree_value v, uint32_t *out);
must_check bool tree_u64(struct tree_value v, uint64_t *out); /* one cell or two */
uint32_t tree_number(const struct tree *t, tree_node n, const char *name, uint32_t otherwise);
/* The string, NULL if it is not exactly one terminated string. */
const char *tree_string(struct tree_value v);
/* True if the list of strings has `s`. */
bool tree_lists(struct tree_value v, const char *s);

/* Cells of addresses and sizes in the children of a node. */
struct tree_cells {
    uint32_t address, size;
};
/* Those that `n` has override *cells. */
void tree_read_cells(const struct tree *t, tree_node n, struct tree_cells *cells);
/* The `index`-th pair of address and size in `v`. False: there is none, or not 1 or 2 cells each. */
must_check bool tree_pair(struct tree_value v, struct tree_cells cells, unsigned index,
                          uint64_t *address, uint64_t *size);

/*
 * What nodes mean on a board (tree-board.c).
 *
 * The `index`-th entry of the node's `reg`, translated through the `ranges` of
 * all buses above it. -XEN_ENOENT: no such entry; -XEN_EINVAL: malformed, or
 * not reachable by the CPU.
 */
must_check int tree_reg(const struct tree *t, tree_node n, unsigned index, mpa_t *base,
                        uint64_t *size_bytes);
/* The `index`-th entry of `interrupts` as a GIC INTID and its trigger. Errors as above. */
must_check int tree_irq(const struct tree *t, tree_node n, unsigned index, uint32_t *intid,
                        bool *edge);
/* Of three cells, wherever they are. -XEN_EINVAL. */
must_check int tree_irq_cells(const uint8_t *cells, uint32_t *intid, bool *edge);
/* Where the CPU finds the `index`-th window of a bus, by its `ranges`. Errors as tree_reg(). */
must_check int tree_range(const struct tree *t, tree_node n, unsigned index, mpa_t *base,
                          uint64_t *size_bytes);
/* False if `status` says anything but okay. */
bool tree_enabled(const struct tree *t, tree_node n);
/* The `index`-th range of the board's RAM. False: it has no more. */
must_check bool tree_ram(const struct tree *t, unsigned index, mpa_t *base, uint64_t *size_bytes);
/* The `index`-th range that the tree's header reserves. */
must_check bool tree_reserved(const struct tree *t, unsigned index, mpa_t *base,
                              uint64_t *size_bytes);

#endif

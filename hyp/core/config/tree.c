/* Flattened device trees: nodes, properties and values; hyp/tree.h. */
#include <hyp/tree.h>

#include <lib/string.h>

enum { BEGIN_NODE = 1, END_NODE = 2, PROPERTY = 3, NOP = 4, END = 9 };

#define HEADER_SIZE 40u
#define VERSION_MIN 17 /* the first that tells the size of its structure block */

/* Cells of the header. */
enum {
    TOTAL_SIZE = 1,
    OFF_STRUCT,
    OFF_STRINGS,
    OFF_RESERVED,
    VERSION,
    COMPATIBLE_VERSION,
    SIZE_STRINGS = 8,
    SIZE_STRUCT
};

uint32_t tree_cell(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint32_t header(const struct tree *t, unsigned cell)
{
    return tree_cell(t->fdt + 4ul * cell);
}

uint64_t tree_size(const void *fdt)
{
    const uint8_t *cells = fdt;

    return tree_cell(cells) == TREE_MAGIC ? tree_cell(cells + 4ul * TOTAL_SIZE) : 0;
}

static uint64_t aligned(uint64_t size)
{
    return (size + 3) & ~3ul;
}

/* Bytes of the token at `at`, which was checked. */
static uint64_t token_size(const uint8_t *at)
{
    switch (tree_cell(at)) {
    case BEGIN_NODE:
        return aligned(4 + strlen((const char *)at + 4) + 1);
    case PROPERTY:
        return aligned(12ul + tree_cell(at + 4));
    default:
        return 4;
    }
}

/* Bytes of the token at `at`, of which `left` can be read; 0: it is damaged. */
static uint64_t check_token(const uint8_t *at, uint64_t left, uint32_t strings_size, int *depth)
{
    uint32_t token = left >= 4 ? tree_cell(at) : 0;
    uint64_t size;

    if (token == BEGIN_NODE) {
        size = strnlen((const char *)at + 4, left - 4) + 5;
        (*depth)++;
    } else if (token == PROPERTY && left >= 12 && tree_cell(at + 8) < strings_size && *depth >= 0) {
        size = 12ul + tree_cell(at + 4);
    } else if (token == END_NODE && *depth >= 0) {
        size = 4;
        (*depth)--;
    } else {
        size = token == NOP ? 4 : 0;
    }
    return aligned(size) <= left && *depth < TREE_DEPTH_MAX ? aligned(size) : 0;
}

/*
 * The end of the good tokens is where the tree ends, or, if it is damaged,
 * behind the last node of the second level that is complete: a child of
 * /chosen is there as a whole or not at all.
 */
static enum tree_state check_tokens(struct tree *t, uint64_t left, uint32_t strings_size)
{
    const uint8_t *at = t->root;
    int depth = -1;

    for (;;) {
        if (depth <= 1) {
            t->end = at;
        }
        if (left >= 4 && tree_cell(at) == END && depth < 0) {
            return TREE_GOOD;
        }
        uint64_t size = check_token(at, left, strings_size, &depth);
        if (size == 0) {
            return TREE_DAMAGED;
        }
        if (tree_cell(at) == BEGIN_NODE) {
            t->near = tree_name((tree_node){at});
        }
        at += size;
        left -= size;
    }
}

enum tree_state tree_open(struct tree *t, const void *fdt, uint64_t size_bytes)
{
    *t = (struct tree){.fdt = fdt};
    if (size_bytes != 0 && size_bytes < HEADER_SIZE) {
        return TREE_NONE;
    }
    uint64_t total = tree_size(fdt), tokens = header(t, OFF_STRUCT), left = header(t, SIZE_STRUCT);
    uint64_t strings = header(t, OFF_STRINGS), strings_size = header(t, SIZE_STRINGS);
    if (total < HEADER_SIZE || (size_bytes != 0 && total > size_bytes) ||
        header(t, VERSION) < VERSION_MIN || header(t, COMPATIBLE_VERSION) > VERSION_MIN ||
        tokens + left > total || strings + strings_size > total ||
        header(t, OFF_RESERVED) >= total) {
        return TREE_NONE;
    }
    t->root = t->end = t->fdt + tokens;
    t->strings = (const char *)t->fdt + strings;
    t->near = "its start";
    while (strings_size != 0 && t->strings[strings_size - 1] != 0) {
        strings_size--; /* so that every name has an end */
    }
    return check_tokens(t, left, (uint32_t)strings_size);
}

/* The token at `at`; END where nothing good follows. */
static uint32_t token_at(const struct tree *t, const uint8_t *at)
{
    return at < t->end ? tree_cell(at) : END;
}

static const uint8_t *skip_nops(const struct tree *t, const uint8_t *at)
{
    while (token_at(t, at) == NOP) {
        at += 4;
    }
    return at;
}

/* Behind the name and properties of `n`. */
static const uint8_t *behind_properties(const struct tree *t, tree_node n)
{
    const uint8_t *at = n.at;

    do {
        at = skip_nops(t, at + token_size(at));
    } while (token_at(t, at) == PROPERTY);
    return at;
}

tree_node tree_root(const struct tree *t)
{
    const uint8_t *at = skip_nops(t, t->root);

    return (tree_node){token_at(t, at) == BEGIN_NODE ? at : NULL};
}

tree_node tree_next(const struct tree *t, tree_node n, int *depth)
{
    int change = 1;

    if (!n.at) {
        return n;
    }
    const uint8_t *at = behind_properties(t, n);
    for (; token_at(t, at) != BEGIN_NODE; at += token_size(at)) {
        if (token_at(t, at) == END) {
            return (tree_node){NULL};
        }
        change -= token_at(t, at) == END_NODE;
    }
    if (depth) {
        *depth += change;
    }
    return (tree_node){at};
}

tree_node tree_child(const struct tree *t, tree_node n)
{
    int depth = 0;
    tree_node next = tree_next(t, n, &depth);

    return depth == 1 ? next : (tree_node){NULL};
}

tree_node tree_after(const struct tree *t, tree_node n, int *depth)
{
    int was = *depth;

    do {
        n = tree_next(t, n, depth);
    } while (n.at && *depth > was);
    return n;
}

tree_node tree_sibling(const struct tree *t, tree_node n)
{
    int depth = 0;

    n = tree_after(t, n, &depth);
    return depth == 0 ? n : (tree_node){NULL};
}

tree_node tree_parent(const struct tree *t, tree_node n)
{
    tree_node way[TREE_DEPTH_MAX];
    int depth = 0;

    for (tree_node at = tree_root(t); at.at; at = tree_next(t, at, &depth)) {
        if (at.at == n.at) {
            return depth > 0 ? way[depth - 1] : (tree_node){NULL};
        }
        way[depth] = at;
    }
    return (tree_node){NULL};
}

const char *tree_name(tree_node n)
{
    return (const char *)n.at + 4;
}

/* True if `name` is `part`, which has `length` characters; its unit address may be left out there. */
static bool is_named(const char *name, const char *part, size_t length)
{
    return strncmp(name, part, length) == 0 && (name[length] == 0 || name[length] == '@');
}

static tree_node find_path(const struct tree *t, const char *path, size_t length)
{
    tree_node n = tree_root(t);

    for (size_t at = 0, part; at < length && n.at; at += part) {
        for (part = 0, at++; at + part < length && path[at + part] != '/'; part++) {
        }
        n = part ? tree_child(t, n) : n; /* else a slash at the end */
        while (part && n.at && !is_named(tree_name(n), path + at, part)) {
            n = tree_sibling(t, n);
        }
    }
    return n;
}

tree_node tree_find(const struct tree *t, const char *path, size_t length)
{
    tree_node aliases = find_path(t, "/aliases", 8);
    struct tree_property p = {0};

    length = length != 0 ? strnlen(path, length) : 0;
    if (length != 0 && *path == '/') {
        return find_path(t, path, length);
    }
    while (tree_property(t, aliases, &p)) {
        const char *to = tree_string(p.value);
        if (strlen(p.name) == length && memcmp(p.name, path, length) == 0 && to && *to == '/') {
            return find_path(t, to, strlen(to));
        }
    }
    return (tree_node){NULL};
}

tree_node tree_compatible(const struct tree *t, tree_node n, const char *what)
{
    while (n.at && !tree_lists(tree_get(t, n, "compatible"), what)) {
        n = tree_next(t, n, NULL);
    }
    return n;
}

bool tree_property(const struct tree *t, tree_node n, struct tree_property *p)
{
    if (!n.at) {
        return false;
    }
    const uint8_t *at = skip_nops(t, p->next ? p->next : n.at + token_size(n.at));
    if (token_at(t, at) != PROPERTY) {
        return false;
    }
    p->name = t->strings + tree_cell(at + 8);
    p->value = (struct tree_value){at + 12, tree_cell(at + 4)};
    p->next = at + token_size(at);
    return true;
}

struct tree_value tree_get(const struct tree *t, tree_node n, const char *name)
{
    struct tree_property p = {0};

    while (tree_property(t, n, &p)) {
        if (strcmp(p.name, name) == 0) {
            return p.value;
        }
    }
    return (struct tree_value){0};
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
    if (v.size != 4) {
        return false;
    }
    *out = tree_cell(v.data);
    return true;
}

bool tree_u64(struct tree_value v, uint64_t *out)
{
    if (v.size != 4 && v.size != 8) {
        return false;
    }
    *out = tree_cells(v.data, v.size / 4);
    return true;
}

uint32_t tree_number(const struct tree *t, tree_node n, const char *name, uint32_t otherwise)
{
    (void)!tree_u32(tree_get(t, n, name), &otherwise);
    return otherwise;
}

const char *tree_string(struct tree_value v)
{
    const char *s = (const char *)v.data;

    return v.size > 0 && strnlen(s, v.size) == v.size - 1 ? s : NULL;
}

bool tree_lists(struct tree_value v, const char *s)
{
    size_t want = strlen(s) + 1;

    for (size_t at = 0, n; at < v.size; at += n) {
        n = strnlen((const char *)v.data + at, v.size - at) + 1;
        if (n == want && n <= v.size - at && memcmp(v.data + at, s, want) == 0) {
            return true;
        }
    }
    return false;
}

void tree_read_cells(const struct tree *t, tree_node n, struct tree_cells *cells)
{
    cells->address = tree_number(t, n, "#address-cells", cells->address);
    cells->size = tree_number(t, n, "#size-cells", cells->size);
}

bool tree_pair(struct tree_value v, struct tree_cells cells, unsigned index, uint64_t *address,
               uint64_t *size)
{
    uint64_t entry = (cells.address + cells.size) * 4;

    if (cells.address - 1 > 1 || cells.size - 1 > 1 || (index + 1ull) * entry > v.size) {
        return false;
    }
    *address = tree_cells(v.data + index * entry, cells.address);
    *size = tree_cells(v.data + index * entry + cells.address * 4ul, cells.size);
    return true;
}

/*
 * A whole system: board, hypervisor, domains, and where each file is loaded.
 *
 * Life: system_load() reads and checks every domain file, system_check() looks
 * across them and at the board, system_layout() places modules and static
 * memory, system_tree() writes it all down as the hypervisor reads it.
 */
#ifndef TOOLS_BULKHEAD_SYSTEM_H
#define TOOLS_BULKHEAD_SYSTEM_H

#include "board.h"
#include "domain.h"

/* What the hypervisor itself may take, left free by the sums below. */
#define HYPERVISOR_BYTES (UINT64_C(40) << 20)

/* image_offset: QEMU always loads an arm64 Image there; U-Boot has its script there. */
#define IMAGE_AT_QEMU (UINT64_C(2) << 20)
#define IMAGE_AT_UBOOT (UINT64_C(32) << 20)

/* A file (or bytes of our own making) and the host memory it is loaded to. */
struct module {
    char *path;      /* on this machine */
    char *file_name; /* its name in what `build` writes */
    void *bytes;     /* made by us, to be written to `path`; NULL: a file of the user */
    size_t length;   /* of `bytes` */
    struct range where;
};

enum module_role {
    ROLE_KERNEL,
    ROLE_RAMDISK,
    ROLE_DEVICE_TREE,
    ROLE_COUNT,
};

/* Modules of one domain: indices into system.modules, -1 for none. */
struct roles {
    int module[ROLE_COUNT];
};

struct system {
    struct report *report;
    struct board board;
    struct source hypervisor; /* path NULL: only a tree is wanted */
    const char *bootargs;     /* the hypervisor's command line */
    struct domain *domains;
    unsigned count;
    struct roles *roles; /* one per domain */
    struct module *modules;
    unsigned module_count;
    uint64_t image_offset; /* from the begin of RAM to the hypervisor's image */
    uint64_t image_base;   /* where the loader puts the hypervisor */
    uint64_t tree_base;    /* and the tree */
};

/* Each returns 0, or -1 after reporting every mistake it found. */
int system_load(struct system *system, char *const *files, unsigned count);
int system_check(struct system *system);
int system_layout(struct system *system);

/* The tree for the hypervisor, to be freed; NULL after reporting. */
void *system_tree(struct system *system, size_t *size);

/* The partial tree of a domain's `assign`ed devices, to be freed; NULL after reporting. */
void *devices_tree(struct system *system, const struct domain *domain, size_t *size);

/* Check dtdev and assign of all domains against the board. */
int devices_check(struct system *system);

/* The summary that `check` prints: board, domains, rights, memory. */
void system_print(const struct system *system, FILE *out);

/* One line per module: address, size, what it is. */
void system_print_layout(const struct system *system, FILE *out);

void system_free(struct system *system);

#endif

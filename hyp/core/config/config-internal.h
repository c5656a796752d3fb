/*
 * Private to hyp/core/config/config*.c: what is known while the tree is read.
 *
 * A domain's node is turned into a configuration by itself first (config.c,
 * config-domain.c, config-sched.c); what needs the other domains and the
 * board's memory is judged after all were read (config-check.c).
 */
#ifndef HYP_CORE_CONFIG_INTERNAL_H
#define HYP_CORE_CONFIG_INTERNAL_H

#include <hyp/config.h>
#include <hyp/tree.h>

#define CONFIG_DOMAINS 1536 /* domains one tree may have */
#define CONFIG_CLAIMS 4096  /* modules, static memory and devices of all of them */
#define CONFIG_RAM_RANGES 32

enum claim_kind {
    CLAIM_ALONE,
    CLAIM_MODULE, /* others may claim exactly the same bytes */
    CLAIM_DEVICE, /* the same domain may claim it again: two devices on one page */
};

/* Machine memory that somebody needs for himself. */
struct claim {
    uint64_t start, size;
    const char *property; /* what claims it */
    domid_t owner;
    enum claim_kind kind;
};

struct reader {
    const struct tree *tree;
    struct domain_config *domain; /* room for all that the tree may have, and one more */
    unsigned domain_count;        /* that are good so far */
    unsigned seen;                /* domain nodes met */
    bool store_seen;              /* a domain has number 0 */
    bool bad;                     /* the one that is being read has a mistake, said already */
    struct tree_cells cells;      /* of /chosen */
    uint64_t dedicated;           /* CPUs that belong to dedicated domains */
    struct config_range ram[CONFIG_RAM_RANGES];
    unsigned ram_count;
    struct claim claim[CONFIG_CLAIMS];
    unsigned claim_count;
};

/*
 * Say what is wrong with domain `d`: one line with node, property, cause and cure. The domain is
 * left out. Returns false, for the caller to return. Only the first mistake of a domain is said.
 */
bool config_mistake(struct reader *r, const struct domain_config *d, const char *property,
                    const char *format, ...) printf_like(4, 5);

/* The properties of a domain's node; and a node below it, whose reg has the cells of `cells`. */
void config_read_domain(struct reader *r, struct domain_config *d, tree_node n);
void config_read_module(struct reader *r, struct domain_config *d, tree_node n,
                        struct tree_cells cells);
/* Where a module is, told by its reg in those cells. */
bool config_read_place(struct reader *r, struct domain_config *d, tree_node n,
                       struct tree_cells cells, struct module *out);
/* Xen's classic form: /chosen has a kernel of its own. config-dom0.c */
bool config_read_dom0(struct reader *r, tree_node chosen);
/* Scheduling and CPUs: by themselves; and against the other domains. config-sched.c */
bool config_read_sched(struct reader *r, struct domain_config *d, tree_node n);
bool config_check_cpus(struct reader *r, struct domain_config *d);
/* Judge what needs all domains and the board, in the order of the tree. config-check.c */
void config_check_all(struct reader *r);

/* Cells of xen,static-mem: /chosen's (Xen 4.17), or the domain's own (Xen 4.16). */
struct tree_cells config_static_cells(const struct tree *t, tree_node n, struct tree_cells cells);
/* Is a node with that `compatible` a module of this kind? Also by the name that Xen 4.4 had for it. */
bool config_is_kernel(struct tree_value compatible);
bool config_is_ramdisk(struct tree_value compatible);
bool config_is_module(struct tree_value compatible); /* of any kind */
/* One directly below /chosen that a dom0 is made of: its kernel, its ramdisk, or either. */
bool config_is_dom0(struct tree_value compatible);

#endif

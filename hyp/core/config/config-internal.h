/*
 * Private to hyp/core/config/config*.c: what is known while the tree is read.
 *
 * A domain's node is turned into a configuration by itself first (config.c,
 * config-domain.c, config-dom0.c, config-sched.c); what needs the other domains
 * and the board's memory is judged after all were read (config-check.c).
 *
 * Reading and judging stop at a domain's first mistake: whoever finds it says
 * it by config_mistake() and returns false, as does everybody above.
 */
#ifndef HYP_CORE_CONFIG_INTERNAL_H
#define HYP_CORE_CONFIG_INTERNAL_H

#include <hyp/config.h>
#include <hyp/tree.h>

#define CONFIG_CLAIMS 4096 /* modules, static memory and devices of all domains */
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
    struct tree_cells cells; /* of /chosen */
    unsigned seen;           /* domain nodes met */
    bool store_seen;         /* a domain has number 0 */
    uint64_t dedicated;      /* CPUs that belong to dedicated domains */
    struct config_range ram[CONFIG_RAM_RANGES];
    unsigned ram_count;
    struct claim claim[CONFIG_CLAIMS];
    unsigned claim_count;
    unsigned domain_count; /* that have no mistake so far, or no name: config-check.c */
    struct domain_config domain[MAX_DOMAINS];
};

/*
 * Say what is wrong with domain `d`: one line with its node, the property, cause and cure; the last
 * three in `format`. The domain is left out. Returns false, for the caller to return.
 */
bool config_mistake(const struct domain_config *d, const char *format, ...) printf_like(2, 3);

/* What a node with that `compatible` is to the domain above it; also by the names that Xen 4.4 had. */
enum module_kind config_module_kind(struct tree_value compatible);
/* As MODULE_KERNEL and its kin are called in the tree. */
const char *config_module_name(enum module_kind kind);
/* Cells of xen,static-mem: /chosen's (Xen 4.17), or the domain's own (Xen 4.16). */
struct tree_cells config_static_cells(const struct tree *t, tree_node n, struct tree_cells cells);
/* 1 or 2 each? */
bool config_check_cells(const struct domain_config *d, struct tree_cells cells);

/* The properties of a domain's node. */
bool config_read_domain(struct reader *r, struct domain_config *d, tree_node n);
/* Xen's classic form: /chosen has a kernel of its own. */
bool config_read_dom0(struct reader *r, struct domain_config *d, tree_node chosen);
/* Scheduling and CPUs: by themselves; and against the other domains. */
bool config_read_sched(struct reader *r, struct domain_config *d, tree_node n);
bool config_check_cpus(const struct reader *r, struct domain_config *d);
/* Judge what needs all domains and the board, in the order of the tree. Who fails loses his name. */
void config_check_all(struct reader *r);

#endif

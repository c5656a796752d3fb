/*
 * Private to hyp/core/config*.c: what is known while the tree is read.
 *
 * The tree is walked once. A domain's node is gathered into a table of values,
 * then turned into a configuration when the node ends (config.c,
 * config-domain.c, config-sched.c); what needs the other domains and the
 * board's memory is judged after the walk (config-check.c).
 */
#ifndef HYP_CORE_CONFIG_INTERNAL_H
#define HYP_CORE_CONFIG_INTERNAL_H

#include "tree-internal.h"

#include <hyp/config.h>

#define CONFIG_DOMAINS 1536 /* domains one tree may have */
#define CONFIG_CLAIMS 4096  /* modules, static memory and devices of all of them */
#define CONFIG_RAM_RANGES 32

/* Properties of a domain's node: enum property, and property_names[] in config.c. */
/* clang-format off */
#define PROPERTIES(P) \
    P(COMPATIBLE, "compatible") P(ADDRESS_CELLS, "#address-cells") \
    P(SIZE_CELLS, "#size-cells") P(MEMORY, "memory") P(CPUS, "cpus") \
    P(VPL011, "vpl011") P(NR_SPIS, "nr_spis") P(ENHANCED, "xen,enhanced") \
    P(DIRECT_MAP, "direct-map") P(STATIC_MEM, "xen,static-mem") \
    P(STATIC_ADDRESS_CELLS, "#xen,static-mem-address-cells") \
    P(STATIC_SIZE_CELLS, "#xen,static-mem-size-cells") \
    P(P2M_MEM, "xen,domain-p2m-mem-mb") P(BOOTARGS, "bootargs") \
    P(NAME, "bulkhead,name") P(MAX_MEMORY, "bulkhead,max-memory") \
    P(WEIGHT, "bulkhead,weight") P(CAP, "bulkhead,cap") P(PIN, "bulkhead,pin") \
    P(DEDICATED, "bulkhead,dedicated") P(BUDGET, "bulkhead,budget-us") \
    P(PERIOD, "bulkhead,period-us") P(ON_POWEROFF, "bulkhead,on-poweroff") \
    P(ON_REBOOT, "bulkhead,on-reboot") P(ON_CRASH, "bulkhead,on-crash") \
    P(RIGHTS, "bulkhead,rights") P(GIC_VERSION, "bulkhead,gic-version")
/* clang-format on */
#define PROPERTY_ENUM(id, name) P_##id,
enum property { PROPERTIES(PROPERTY_ENUM) P_COUNT };

struct cells {
    uint32_t address, size;
};

/* Machine memory that somebody needs for himself. */
struct claim {
    uint64_t start, size;
    const char *property; /* what claims it */
    domid_t owner;
    bool shareable; /* others may claim exactly the same bytes: a module */
};

struct reader {
    const void *fdt;
    struct domain_config *domain;     /* CONFIG_DOMAINS of them */
    unsigned domain_count;            /* that are good so far */
    unsigned seen;                    /* domain nodes met */
    bool store_seen;                  /* a domain has number 0 */
    struct cells cells[3];            /* of the root, of /chosen, of the domain */
    struct tree_value value[P_COUNT]; /* of the domain that is being read */
    bool bad;                         /* it has a mistake, said already */
    uint64_t dedicated;               /* CPUs that belong to dedicated domains */
    struct {
        uint64_t start, size;
    } ram[CONFIG_RAM_RANGES];
    unsigned ram_count;
    struct claim claim[CONFIG_CLAIMS];
    unsigned claim_count;
};

extern const char *const property_names[P_COUNT];

/*
 * Say what is wrong with domain `d`: one line with node, property, cause and cure. The domain is
 * left out. Returns false, for the caller to return. Only the first mistake of a domain is said.
 */
bool config_mistake(struct reader *r, const struct domain_config *d, const char *property,
                    const char *format, ...) printf_like(4, 5);

/* Turn the gathered values into `d`; a mistake is said and sets r->bad. config-domain.c */
void config_read_domain(struct reader *r, struct domain_config *d);
/* A child node of a domain, called `node`. config-domain.c */
struct child {
    const char *node;
    struct tree_value compatible, reg, bootargs;
};
void config_read_child(struct reader *r, struct domain_config *d, const struct child *child);
/* Scheduling and CPUs: from the values; and against the other domains, after the walk.
 * config-sched.c */
bool config_read_sched(struct reader *r, struct domain_config *d);
bool config_check_cpus(struct reader *r, struct domain_config *d);
/* After the walk: judge what needs all domains and the board, in the order of the tree.
 * config-check.c */
void config_check_all(struct reader *r);

#endif

/*
 * What a domain is to be: read once from the device tree, kept unchanged for
 * the life of the machine, so that a guest can be rebuilt from it at any time.
 *
 * Source of the binding: Xen 4.17 docs/misc/arm/device-tree/booting.txt and
 * passthrough.txt; properties of ours begin with `bulkhead,` and are defined
 * in docs/configuration.md.
 */
#ifndef HYP_CONFIG_H
#define HYP_CONFIG_H

#include <hyp/domain.h>
#include <hyp/sched.h>
#include <hyp/types.h>

struct module {
    mpa_t start; /* may be unaligned */
    uint64_t size_bytes; /* 0: absent */
};

struct config_range { /* direct-map or static memory */
    mpa_t start;
    gpa_t at;
    uint64_t size_bytes;
};

#define CONFIG_STATIC_RANGES 8

struct domain_config {
    char name[DOMAIN_NAME_LEN];
    char node[64];             /* path in the tree, for messages */
    domid_t id;
    uint64_t memory_bytes;
    uint64_t max_memory_bytes;
    uint32_t vcpu_count;
    uint32_t nr_spis;
    bool vuart;
    bool enhanced;             /* Xen interface told to the guest */
    bool enhanced_no_xenstore;
    bool direct_map;
    bool aarch32;              /* found in the kernel image */
    struct module kernel, ramdisk, tree;
    const char *bootargs;      /* points into the host tree, never NULL */
    struct config_range static_range[CONFIG_STATIC_RANGES];
    unsigned static_range_count;
    struct sched_params sched;
    uint64_t affinity[MAX_VCPUS]; /* 0: any CPU */
    enum domain_policy on_crash, on_reboot, on_poweroff;
    const char *rights;        /* string list in the host tree */
    size_t rights_len;
};

/*
 * Read every xen,domain node of the host tree. Mistakes are said in one line
 * that names node and property; that domain is left out. Returns the number of
 * good configurations; *out points to that many, allocated for ever.
 */
int config_parse(const void *host_fdt, const struct domain_config **out);

/*
 * Give `d` (CREATED, empty) the memory, images, tree, devices and first
 * register state that its configuration asks for. On error says one line;
 * what was given is taken back by the caller through the usual tear-down.
 */
must_check int domain_build(struct domain *d);

#endif

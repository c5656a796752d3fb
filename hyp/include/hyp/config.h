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

struct tree;

struct config_range {
    mpa_t start;
    uint64_t size_bytes;
};

/* The boot modules of a domain; and, while the tree is read, what else a node below it may be. */
enum module_kind {
    MODULE_KERNEL,
    MODULE_RAMDISK,
    MODULE_TREE,
    MODULE_KINDS,
    MODULE_UNSAID = MODULE_KINDS, /* a module, but it does not say of what kind */
    MODULE_FOREIGN,               /* what Xen has and we have not */
    MODULE_NONE
};

#define CONFIG_STATIC_RANGES 8

/* What a kernel module's header asks for; found once, when the tree is read. */
struct image {
    uint64_t load_offset; /* arm64: text_offset. 32-bit: its fixed address, or 0 */
    uint64_t file_bytes;  /* what is copied */
    uint64_t total_bytes; /* with its bss: nothing else may be put there */
};

/* Where the guest finds what it is given besides memory and its interrupt controller. */
struct guest_places {
    gpa_t uart;
    uint32_t uart_spi;
    gpa_t grants; /* where its tree says that grant tables may be mapped, and how much there */
    uint64_t grants_size;
};

struct domain_config {
    char name[DOMAIN_NAME_LEN];
    char node[64];             /* path in the tree, for messages */
    domid_t id;                /* 1, 2, ... in the order of the tree */
    uint64_t memory_bytes;     /* whole frames */
    uint64_t max_memory_bytes; /* at least memory_bytes */
    uint64_t hyp_memory_bytes; /* xen,domain-p2m-mem-mb; 0: not given */
    uint32_t vcpu_count;
    struct vgic_config vgic; /* nr_spis is a multiple of 32 */
    bool vuart;
    bool enhanced; /* Xen interface told to the guest */
    bool enhanced_no_xenstore;
    bool direct_map;
    bool dom0;    /* Xen's classic form: has every device, and the machine ends with it */
    bool aarch32; /* found in the kernel image */
    struct guest_places places;
    struct config_range module[MODULE_KINDS]; /* may be unaligned; size 0: absent */
    struct image image;
    const char *bootargs; /* points into the host tree, never NULL */
    struct config_range static_range[CONFIG_STATIC_RANGES]; /* direct_map: guest addresses too */
    unsigned static_range_count;
    struct sched_params sched;
    uint64_t affinity[MAX_VCPUS]; /* bit n: CPU n; 0: any CPU */
    enum domain_policy on_crash, on_reboot, on_poweroff;
    bool made;          /* at run time: this is a page of its own, freed with the domain */
    const char *rights; /* string list in the host tree, NULL if none */
    size_t rights_len;
};

/*
 * Call `keep` for every range of RAM that the allocator must not give away: boot modules of domains
 * and static memory. Needs no allocator; walks the tree once. Ranges come in the order of the tree
 * and may overlap or be nonsense, as the tree may; config_parse() says so later.
 */
void config_keep_ranges(const struct tree *t, void (*keep)(mpa_t start, uint64_t size_bytes));

/*
 * Read every xen,domain node of the host tree. Mistakes are said in one line
 * that names node and property; that domain is left out. Returns the number of
 * good configurations; *out points to that many, allocated for ever.
 */
int config_parse(const struct tree *t, const struct domain_config **out);

/* What config_parse() found: the domains that can be started. */
int config_all(const struct domain_config **out);

/*
 * Choose where the guest finds its emulated devices, c->vgic and c->places: Xen's places; with
 * direct_map the board's, so that they never meet the guest's RAM.
 */
void config_place(struct domain_config *c);

/* The tree config_parse() read. */
const struct tree *config_host_tree(void);

/*
 * Give `d` (CREATED, empty: no memory owned, p2m_init() done, vCPUs added and offline, vGIC ready)
 * the memory, images, tree, devices and first register state that its configuration asks for.
 * -XEN_ERESTART after a bounded amount of work until it is done: call again. vCPU 0 is left offline,
 * to be set online by the caller. Called again for every reboot of the guest. On error says one line;
 * what was given is taken back by the caller through the usual tear-down.
 */
must_check int domain_build(struct domain *d);

/*
 * Reset the virtio devices that the configuration gives `d`, whose vCPUs are off their CPUs: what they
 * were told to read and write is about to be somebody else's memory, and no IOMMU keeps them from it.
 * Devices of other kinds go on (docs/caveats.md).
 */
void domain_quiet_devices(struct domain *d);

#endif

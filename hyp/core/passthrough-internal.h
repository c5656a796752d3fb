/*
 * Devices handed to a guest by a partial tree: reading it, and saying what is
 * wrong with it. Who wants to know what is in it walks it with a visitor: the
 * configuration to check, the builder to map.
 *
 * Source of the binding: Xen 4.17 docs/misc/arm/passthrough.txt and
 * passthrough-noiommu.txt.
 */
#ifndef HYP_CORE_PASSTHROUGH_INTERNAL_H
#define HYP_CORE_PASSTHROUGH_INTERNAL_H

#include <hyp/config.h>

#define PASSTHROUGH_WORDS 160
#define PASSTHROUGH_TREE_MAX (1ul << 20) /* bytes a partial tree may have */

struct passthrough_region {
    const char *node; /* name of the device's node in the partial tree */
    mpa_t host;
    gpa_t guest;
    uint64_t size_bytes;
};

struct passthrough_irq {
    const char *node;
    uint32_t intid; /* the same for host and guest */
    bool edge;
};

/* Each returns false to stop the walk. */
struct passthrough_visitor {
    void *arg;
    bool (*region)(void *arg, const struct passthrough_region *m);
    bool (*irq)(void *arg, const struct passthrough_irq *i);
};

/*
 * Meet every region and interrupt of the devices in d->tree, checked: regions are whole frames of
 * devices that are not the hypervisor's own, interrupts are SPIs. False: a visitor stopped (`why`
 * is then empty), or a mistake, said in `why` of PASSTHROUGH_WORDS bytes.
 */
must_check bool passthrough_walk(const void *host_fdt, const struct domain_config *d,
                                 const struct passthrough_visitor *visitor, char *why);

#endif

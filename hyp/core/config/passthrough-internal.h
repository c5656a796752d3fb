/*
 * Devices handed to a guest by a partial tree: reading it, and saying what is
 * wrong with it. Who wants to know what is in it walks it: the configuration
 * to check, the builder to map.
 *
 * Source of the binding: Xen 4.17 docs/misc/arm/passthrough.txt and
 * passthrough-noiommu.txt.
 */
#ifndef HYP_CORE_PASSTHROUGH_INTERNAL_H
#define HYP_CORE_PASSTHROUGH_INTERNAL_H

#include <hyp/config.h>
#include <hyp/tree.h>

#define PASSTHROUGH_WORDS 160
#define PASSTHROUGH_TREE_MAX (1ul << 20) /* bytes a partial tree may have */

/* A region, or an interrupt of a device. */
struct passthrough_part {
    const char *node; /* name of the device's node in the partial tree */
    uint32_t intid;   /* 0: a region; else an interrupt, the same for host and guest */
    bool edge;
    mpa_t host;
    gpa_t guest;
    uint64_t size_bytes;
    bool virtio; /* a region of "virtio,mmio" */
};

/* Are there registers of the hypervisor's own devices (interrupt controller, serial line)? */
must_check bool passthrough_is_ours(uint64_t start, uint64_t size);
/* Open the partial tree of `d`. False: it is none, damaged, or too large. */
must_check bool passthrough_open(struct tree *t, const struct domain_config *d);

/*
 * Meet every region and interrupt of the devices in d->tree, checked: regions are whole frames of
 * devices that are not the hypervisor's own, interrupts are SPIs. False: `meet` has stopped the walk
 * by returning false (`why` is then empty), or a mistake, said in `why` of PASSTHROUGH_WORDS bytes.
 */
must_check bool passthrough_walk(const struct tree *board, const struct domain_config *d,
                                 bool (*meet)(void *arg, const struct passthrough_part *p),
                                 void *arg, char *why);

#endif

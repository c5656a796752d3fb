/*
 * The devices of a domain: those that its partial tree hands to it, or, for a
 * dom0 in Xen's classic form (config-dom0.c), all of the board's. Who wants to
 * know them walks them: the configuration to check, the builder to map.
 *
 * D1  a device whose DMA no IOMMU confines is given only on request
 *     (xen,force-assign-without-iommu). There is no IOMMU driver yet: that is
 *     every device.
 * D2  a region is never RAM (config-check.c), and never a device the
 *     hypervisor drives itself.
 *
 * Of the board's nodes, for a dom0:
 *
 * B1  what the hypervisor drives itself, and what belongs to CPUs (nodes with a
 *     private interrupt: timer, PMU), is hidden with all below it.
 * B2  what is switched off, or kept for others (xen,passthrough), is shown
 *     as switched off, and neither mapped nor routed.
 * B3  all else is given at its own address, with its own interrupts. RAM, and
 *     pages that hold a register of the hypervisor's, are never among it.
 *
 * Sources: Xen 4.17 docs/misc/arm/passthrough.txt, passthrough-noiommu.txt and
 * device-tree/booting.txt (what a dom0 expects to find); Devicetree
 * Specification v0.4, 2.4 (interrupts), 2.3.8 (ranges).
 */
#ifndef HYP_CORE_DEVICES_INTERNAL_H
#define HYP_CORE_DEVICES_INTERNAL_H

#include <hyp/config.h>
#include <hyp/tree.h>

/* A region, or an interrupt of a device. */
struct device_part {
    const char *node; /* name of the device's node */
    uint32_t intid;   /* 0: a region; else an interrupt, the same for host and guest */
    bool edge;
    mpa_t host;
    gpa_t guest;
    uint64_t size_bytes;
    bool virtio; /* a region of "virtio,mmio" in a partial tree */
};

/* Are there registers of the hypervisor's own devices (interrupt controller, serial line)? */
must_check bool device_is_ours(uint64_t start, uint64_t size);
/* Open the partial tree of `d`. False: it is none, damaged, or too large. */
must_check bool devices_open(struct tree *t, const struct domain_config *d);

/*
 * Meet every region (whole frames) and shared peripheral interrupt of the domain's devices. Of a
 * dom0's, what cannot be given is left out; the same may be met twice, as devices share pages and
 * lines; of PCI hosts the windows and what interrupt-map names are met too. False: `meet` stopped it
 * by returning false, or the partial tree has a mistake, which was said.
 */
must_check bool devices_walk(const struct domain_config *d,
                             bool (*meet)(void *arg, const struct device_part *p), void *arg);

/* The interrupt controller that the hypervisor drives, in the board's tree. */
struct board {
    uint32_t gic_phandle, gic_address_cells;
};
struct board board_open(void);

enum board_node { BOARD_HIDDEN, BOARD_SHOWN, BOARD_GIVEN };
enum board_node board_node(const struct board *b, tree_node n);

#endif

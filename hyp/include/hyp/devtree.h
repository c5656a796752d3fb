/*
 * Addresses and interrupts of nodes in the board's device tree, on top of
 * libfdt. Source: Devicetree Specification v0.4, sections 2.3.5 to 2.3.8 and
 * 2.4; GIC interrupt cells: binding arm,gic-v3.
 */
#ifndef HYP_DEVTREE_H
#define HYP_DEVTREE_H

#include <hyp/types.h>

/*
 * The `index`-th entry of the node's `reg`, translated through the `ranges` of
 * all buses above it. -XEN_ENOENT: no such entry; -XEN_EINVAL: malformed, or
 * not reachable by the CPU.
 */
must_check int devtree_reg(const void *fdt, int node, unsigned index, mpa_t *base,
                           uint64_t *size_bytes);

/* The `index`-th entry of `interrupts` as a GIC INTID and its trigger. Errors as above. */
must_check int devtree_irq(const void *fdt, int node, unsigned index, uint32_t *intid, bool *edge);

/* False if `status` says anything but okay. */
bool devtree_enabled(const void *fdt, int node);

#endif

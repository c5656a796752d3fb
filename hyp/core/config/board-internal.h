/*
 * The board's own devices, for the one domain that is given all of them: a
 * dom0 in Xen's classic form (config-dom0.c).
 *
 * B1  what the hypervisor drives itself, and what belongs to CPUs (nodes with a
 *     private interrupt: timer, PMU), is hidden with all below it.
 * B2  what is switched off, or kept for others (xen,passthrough), is shown
 *     as switched off, and neither mapped nor routed.
 * B3  all else is given at its own address, with its own interrupts. RAM, and
 *     pages that hold a register of the hypervisor's, are never among it.
 */
#ifndef HYP_CORE_BOARD_INTERNAL_H
#define HYP_CORE_BOARD_INTERNAL_H

#include "passthrough-internal.h"

struct board {
    const struct tree *tree;
    uint32_t gic_phandle,
        gic_address_cells; /* of the interrupt controller that the hypervisor drives */
};
struct board board_open(const struct tree *t);

enum board_node { BOARD_HIDDEN, BOARD_SHOWN, BOARD_GIVEN };
enum board_node board_node(const struct board *b, tree_node n);
/*
 * Meet every region (whole frames) and shared interrupt of the nodes that are
 * given; of PCI hosts also their windows and what interrupt-map names. The same
 * may be met twice: devices share pages and lines. False: `meet` stopped it.
 */
must_check bool board_walk(const struct board *b,
                           bool (*meet)(void *arg, const struct passthrough_part *p), void *arg);

#endif

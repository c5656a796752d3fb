/* The device tree a guest is given; docs/guest-view.md shows one. */
#ifndef HYP_CORE_GUEST_TREE_INTERNAL_H
#define HYP_CORE_GUEST_TREE_INTERNAL_H

#include <hyp/domain.h>
#include <hyp/config.h>

#define GUEST_BANKS 32 /* of RAM; more than two only with direct_map */

struct guest_bank {
    gpa_t start;
    uint64_t size_bytes;
};

struct guest_memory {
    struct guest_bank bank[GUEST_BANKS]; /* ascending */
    unsigned count;
};

/* Bytes that are enough for the tree of `d`. */
size_t guest_tree_room(const struct domain_config *c);

/*
 * Write the tree into `to`: what `d` is made of now (vGIC, vuart), its configuration, this memory,
 * and the ramdisk at `ramdisk` if the configuration has one. Fresh seeds each time. Returns its
 * size or -XEN_E2BIG, -XEN_EINVAL (a partial tree that turned bad).
 */
must_check int guest_tree_write(void *to, size_t room, const struct domain *d,
                                const struct guest_memory *m, gpa_t ramdisk);

#endif

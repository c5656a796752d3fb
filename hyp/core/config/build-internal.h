/*
 * What a domain is built of: the kernel's image and where it goes (image.c), and the device tree that
 * the guest is given (guest-tree.c; docs/guest-view.md shows one).
 */
#ifndef HYP_CORE_BUILD_INTERNAL_H
#define HYP_CORE_BUILD_INTERNAL_H

#include <hyp/config.h>
#include <hyp/domain.h>

/*
 * Look at the kernel module of `c`, and set what it is: c->image, c->aarch32. NULL, or what it is
 * instead, and the cure.
 */
must_check const char *image_probe(struct domain_config *c);

/* Where kernel, tree and ramdisk go. */
struct image_layout {
    uint64_t kernel, tree, ramdisk; /* guest physical addresses */
};

/*
 * Place them in the first bank [start, start + size_bytes) of a guest's RAM, as Xen 4.17 does: the
 * kernel where its header wants it, tree and ramdisk 128 MiB above the start, or at the end of a
 * smaller bank. False: the bank is too small.
 */
must_check bool image_place(const struct domain_config *c, uint64_t start, uint64_t size_bytes,
                            uint64_t tree_bytes, struct image_layout *out);

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

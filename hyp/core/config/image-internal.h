/* Kernel images: what a module holds, and where a guest's memory its parts go. */
#ifndef HYP_CORE_IMAGE_INTERNAL_H
#define HYP_CORE_IMAGE_INTERNAL_H

#include <hyp/config.h>

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

#endif

/* Kernel images: what a module holds, and where a guest's memory its parts go. */
#ifndef HYP_CORE_IMAGE_INTERNAL_H
#define HYP_CORE_IMAGE_INTERNAL_H

#include <hyp/config.h>

#define IMAGE_HEADER_SIZE 64u

/*
 * Read the first IMAGE_HEADER_SIZE bytes (fewer if the module is shorter) of a kernel module of
 * `size_bytes`. True: *out and *aarch32 are set. False: *why says what it is instead, and the cure.
 */
must_check bool image_probe(const void *header, uint64_t size_bytes, struct image *out,
                            bool *aarch32, const char **why);

/* Where kernel, tree and ramdisk go. */
struct image_layout {
    uint64_t kernel, tree, ramdisk; /* guest physical addresses */
};

/*
 * Place them in the first bank [start, start + size_bytes) of a guest's RAM, as Xen 4.17 does: the
 * kernel where its header wants it, tree and ramdisk 128 MiB above the start, or at the end of a
 * smaller bank. False: the bank is too small.
 */
must_check bool image_place(const struct image *image, uint64_t start, uint64_t size_bytes,
                            uint64_t tree_bytes, uint64_t ramdisk_bytes, struct image_layout *out);

#endif

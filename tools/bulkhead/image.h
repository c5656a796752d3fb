/* What kind of file a kernel, a hypervisor or a module is, told by its first bytes. */
#ifndef TOOLS_BULKHEAD_IMAGE_H
#define TOOLS_BULKHEAD_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "report.h"

enum image_kind {
    IMAGE_ARM64,  /* Linux arm64 Image: Documentation/arm64/booting.rst */
    IMAGE_ZIMAGE, /* Linux arm zImage: Documentation/arm/booting.rst */
    IMAGE_DTB,    /* flattened device tree */
    IMAGE_GZIP,
    IMAGE_XZ,
    IMAGE_ZSTD,
    IMAGE_EFI,   /* EFI program that is no arm64 Image (zboot) */
    IMAGE_UBOOT, /* U-Boot's legacy wrapper */
    IMAGE_ELF,
    IMAGE_OTHER,
};

struct image {
    enum image_kind kind;
    uint64_t file_size;   /* bytes in the file */
    uint64_t memory_size; /* bytes it occupies when it runs: file and what follows (.bss) */
};

/* Name the kind of the first `length` bytes of a file of `file_size` bytes. Pure. */
struct image image_classify(const uint8_t *bytes, size_t length, uint64_t file_size);

/* Open and classify. Returns 0, or -1 after reporting that `what` cannot be read. */
int image_read(struct report *report, struct place place, const char *what, const char *path,
               struct image *image);

/* One sentence of what to do about a file that is no kernel; NULL if it is one. */
const char *image_cure(enum image_kind kind);

#endif

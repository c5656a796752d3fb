/*
 * Kernel images; image-internal.h.
 *
 * Sources: Linux Documentation/arm64/booting.rst (Image), Documentation/arm/booting.rst (zImage),
 * UEFI PE header of EFI zboot: Linux drivers/firmware/efi/libstub/zboot-header.S, as facts.
 * Placement: what guests of Xen 4.17 are used to.
 */
#include "image-internal.h"

#include <lib/string.h>

#define MIB (1024ul * 1024)
#define ALIGN \
    (2 * MIB) /* of a kernel, by its boot protocol; of tree and ramdisk, for big mappings */
#define MODULES_AT (128 * MIB) /* out of the way of a 32-bit kernel's decompressor */

/* Offsets in an arm64 Image. */
#define ARM64_TEXT_OFFSET 8
#define ARM64_IMAGE_SIZE 16
#define ARM64_MAGIC 56
#define ARM64_TEXT_OFFSET_OLD 0x80000 /* before Linux 3.17, which left image_size 0 */

/* Offsets in an arm zImage. */
#define ZIMAGE_MAGIC 0x24
#define ZIMAGE_START 0x28
#define ZIMAGE_END 0x2c
#define ZIMAGE_HEADER_SIZE 0x30

static uint64_t little(const uint8_t *at, unsigned bytes)
{
    uint64_t v = 0;

    for (unsigned i = bytes; i > 0; i--) {
        v = v << 8 | at[i - 1];
    }
    return v;
}

/* What people hand over by mistake, by its first bytes. */
static const struct {
    uint8_t at, size;
    char bytes[8];
    const char *words;
} strangers[] = {
    {4, 4, "zimg",
     "is an EFI zboot kernel; take the Image out of it first (bulkhead does when it builds)"},
    {0, 2, "\x1f\x8b", "is compressed with gzip; decompress it first (gunzip)"},
    {0, 6,
     "\xfd"
     "7zXZ",
     "is compressed with xz; decompress it first (unxz)"},
    {0, 4, "\x28\xb5\x2f\xfd", "is compressed with zstd; decompress it first (unzstd)"},
    {0, 4, "\x04\x22\x4d\x18", "is compressed with lz4; decompress it first (unlz4)"},
    {0, 4,
     "\x7f"
     "ELF",
     "is an ELF file; give the flat Image (objcopy -O binary)"},
    {0, 4, "\x27\x05\x19\x56", "is a U-Boot uImage; give the Image inside it (dumpimage)"},
    {0, 4, "\xd0\x0d\xfe\xed", "is a device tree; the kernel's module has the wrong address"},
    {0, 5, "07070", "is a cpio archive; kernel and ramdisk are swapped"},
    {0, 8, "\0\0\0\0\0\0\0\0", "begins with zeros; was it loaded to that address?"},
};

static const char *name_stranger(const uint8_t *header, uint64_t size_bytes)
{
    for (size_t i = 0; i < ARRAY_LEN(strangers); i++) {
        uint8_t at = strangers[i].at, size = strangers[i].size;
        if (size_bytes >= (uint64_t)at + size &&
            memcmp(header + at, strangers[i].bytes, size) == 0) {
            return strangers[i].words;
        }
    }
    return "is neither an arm64 Image nor an arm zImage";
}

static bool probe_arm64(const uint8_t *header, uint64_t size_bytes, struct image *out,
                        const char **why)
{
    uint64_t text_offset = little(header + ARM64_TEXT_OFFSET, 8);
    uint64_t image_size = little(header + ARM64_IMAGE_SIZE, 8);

    *out = (struct image){IMAGE_ARM64, text_offset, size_bytes, image_size};
    if (image_size == 0) {
        out->load_offset = ARM64_TEXT_OFFSET_OLD;
        out->total_bytes = size_bytes;
    } else if (size_bytes > image_size) {
        out->file_bytes = image_size; /* the module was declared larger than the file */
    }
    if (out->load_offset >= ALIGN || out->total_bytes > 1024 * MIB) {
        *why = "has a damaged Image header (text_offset or image_size)";
        return false;
    }
    return true;
}

static bool probe_zimage(const uint8_t *header, uint64_t size_bytes, struct image *out,
                         const char **why)
{
    uint32_t start = (uint32_t)little(header + ZIMAGE_START, 4);
    uint32_t end = (uint32_t)little(header + ZIMAGE_END, 4);

    if (end <= start || end - start > size_bytes) {
        *why = "is cut off: its zImage header says it is longer than the module";
        return false;
    }
    /* The whole module is copied: a tree may be appended to the kernel. */
    *out = (struct image){IMAGE_ZIMAGE, start, size_bytes, size_bytes};
    return true;
}

bool image_probe(const void *header, uint64_t size_bytes, struct image *out, bool *aarch32,
                 const char **why)
{
    const uint8_t *h = header;

    if (size_bytes >= IMAGE_HEADER_SIZE && memcmp(h + ARM64_MAGIC, "ARM\x64", 4) == 0) {
        *aarch32 = false;
        return probe_arm64(h, size_bytes, out, why);
    }
    if (size_bytes >= ZIMAGE_HEADER_SIZE && memcmp(h + ZIMAGE_MAGIC, "\x18\x28\x6f\x01", 4) == 0) {
        *aarch32 = true;
        return probe_zimage(h, size_bytes, out, why);
    }
    *why = name_stranger(h, size_bytes);
    return false;
}

static uint64_t round_up(uint64_t v)
{
    return (v + ALIGN - 1) & ~(ALIGN - 1);
}

static uint64_t pages_up(uint64_t v)
{
    return (v + FRAME_MASK) & ~(uint64_t)FRAME_MASK;
}

/* All arguments are below 2^48, so that no sum here overflows. */
bool image_place(const struct image *image, uint64_t start, uint64_t size_bytes,
                 uint64_t tree_bytes, uint64_t ramdisk_bytes, struct image_layout *out)
{
    uint64_t end = start + size_bytes, low = start + MODULES_AT;
    uint64_t modules = round_up(tree_bytes) + round_up(ramdisk_bytes);
    uint64_t packed = pages_up(tree_bytes) + pages_up(ramdisk_bytes);
    bool loose = true;
    uint64_t kernel = round_up(start) + image->load_offset;

    if (image->format == IMAGE_ZIMAGE && image->load_offset != 0) {
        kernel = image->load_offset;
    } else if (image->format == IMAGE_ZIMAGE) {
        uint64_t top = end < low ? end : low;
        kernel = top < image->total_bytes ? 0 : (top - image->total_bytes) & ~(ALIGN - 1);
    }
    uint64_t kernel_end = kernel + image->total_bytes;
    if (kernel < start || kernel_end > end) {
        return false;
    }
    uint64_t at;
    if (low + modules <= end && kernel_end <= low) {
        at = low;
    } else if (modules <= end - start && ((end - modules) & ~(ALIGN - 1)) >= kernel_end) {
        at = (end - modules) & ~(ALIGN - 1);
    } else if (modules <= kernel - start) {
        at = (kernel - modules) & ~(ALIGN - 1);
    } else if (packed <= end - kernel_end &&
               ((end - packed) & ~(uint64_t)FRAME_MASK) >= kernel_end) {
        at = (end - packed) & ~(uint64_t)FRAME_MASK; /* a unikernel of 1 MiB: to the page */
        loose = false;
    } else {
        return false;
    }
    *out = (struct image_layout){kernel, at,
                                 at + (loose ? round_up(tree_bytes) : pages_up(tree_bytes))};
    return at >= start;
}

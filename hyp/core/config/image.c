/*
 * Kernel images; build-internal.h.
 *
 * Sources: Linux Documentation/arm64/booting.rst (Image), Documentation/arm/booting.rst (zImage),
 * UEFI PE header of EFI zboot: Linux drivers/firmware/efi/libstub/zboot-header.S, as facts.
 * Placement: what guests of Xen 4.17 are used to.
 */
#include "build-internal.h"

#include <hyp/arch.h>
#include <lib/string.h>

#define HEADER_SIZE 64u
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
    {0, 6, "\3757zXZ", "is compressed with xz; decompress it first (unxz)"},
    {0, 4, "\x28\xb5\x2f\xfd", "is compressed with zstd; decompress it first (unzstd)"},
    {0, 4, "\x04\x22\x4d\x18", "is compressed with lz4; decompress it first (unlz4)"},
    {0, 4, "\177ELF", "is an ELF file; give the flat Image (objcopy -O binary)"},
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

static const char *probe_arm64(const uint8_t *header, uint64_t size_bytes, struct image *out)
{
    uint64_t text_offset = little(header + ARM64_TEXT_OFFSET, 8);
    uint64_t image_size = little(header + ARM64_IMAGE_SIZE, 8);

    *out = (struct image){text_offset, size_bytes, image_size};
    if (image_size == 0) {
        out->load_offset = ARM64_TEXT_OFFSET_OLD;
        out->total_bytes = size_bytes;
    } else if (size_bytes > image_size) {
        out->file_bytes = image_size; /* the module was declared larger than the file */
    }
    return out->load_offset < ALIGN && out->total_bytes <= 1024 * MIB
               ? NULL
               : "has a damaged Image header (text_offset or image_size)";
}

static const char *probe_zimage(const uint8_t *header, uint64_t size_bytes, struct image *out)
{
    uint32_t start = (uint32_t)little(header + ZIMAGE_START, 4);
    uint32_t end = (uint32_t)little(header + ZIMAGE_END, 4);

    /* The whole module is copied: a tree may be appended to the kernel. */
    *out = (struct image){start, size_bytes, size_bytes};
    return end > start && end - start <= size_bytes
               ? NULL
               : "is cut off: its zImage header says it is longer than the module";
}

const char *image_probe(struct domain_config *c)
{
    uint64_t size_bytes = c->module[MODULE_KERNEL].size_bytes;
    const uint8_t *h = arch_map_ram(c->module[MODULE_KERNEL].start,
                                    size_bytes < HEADER_SIZE ? size_bytes : HEADER_SIZE);

    if (h == NULL) {
        return "cannot be mapped";
    }
    if (size_bytes >= HEADER_SIZE && memcmp(h + ARM64_MAGIC, "ARM\x64", 4) == 0) {
        return probe_arm64(h, size_bytes, &c->image);
    }
    if (size_bytes >= ZIMAGE_HEADER_SIZE && memcmp(h + ZIMAGE_MAGIC, "\x18\x28\x6f\x01", 4) == 0) {
        c->aarch32 = true;
        return probe_zimage(h, size_bytes, &c->image);
    }
    return name_stranger(h, size_bytes);
}

static uint64_t round_up(uint64_t v, uint64_t align)
{
    return (v + align - 1) & ~(align - 1);
}

/* Where the kernel wants to be in [start, end); a zImage, if it does not say, as high as it may. */
static uint64_t kernel_place(const struct domain_config *c, uint64_t start, uint64_t end)
{
    const struct image *image = &c->image;
    uint64_t top = end < start + MODULES_AT ? end : start + MODULES_AT;

    if (!c->aarch32) {
        return round_up(start, ALIGN) + image->load_offset;
    }
    return image->load_offset != 0            ? image->load_offset
           : top - start < image->total_bytes ? 0
                                              : (top - image->total_bytes) & ~(ALIGN - 1);
}

/*
 * Tree and ramdisk: 128 MiB above the start, at the end, below the kernel; then the same to the
 * page, for a unikernel of 1 MiB. All arguments are below 2^48: a sum does not overflow, and
 * a difference that does is beyond `end`.
 */
bool image_place(const struct domain_config *c, uint64_t start, uint64_t size_bytes,
                 uint64_t tree_bytes, struct image_layout *out)
{
    static const uint64_t aligns[] = {ALIGN, FRAME_SIZE};
    uint64_t end = start + size_bytes, kernel = kernel_place(c, start, end);
    uint64_t kernel_end = kernel + c->image.total_bytes;

    if (kernel < start || kernel_end > end) {
        return false;
    }
    for (unsigned i = 0; i < ARRAY_LEN(aligns); i++) {
        uint64_t ramdisk_bytes = round_up(c->module[MODULE_RAMDISK].size_bytes, aligns[i]);
        uint64_t size = round_up(tree_bytes, aligns[i]) + ramdisk_bytes;
        const uint64_t places[] = {start + MODULES_AT, end - size, kernel - size};
        for (unsigned k = 0; k < ARRAY_LEN(places); k++) {
            uint64_t at = places[k] & ~(aligns[i] - 1);
            if (at >= start && at < end && at + size <= end &&
                (at >= kernel_end || at + size <= kernel)) {
                *out = (struct image_layout){kernel, at, at + size - ramdisk_bytes};
                return true;
            }
        }
    }
    return false;
}

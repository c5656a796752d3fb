#include "image.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define HEADER_BYTES 64

static bool begins(const uint8_t *bytes, size_t length, const void *magic, size_t size)
{
    return length >= size && memcmp(bytes, magic, size) == 0;
}

static uint64_t little_endian(const uint8_t *bytes, unsigned count)
{
    uint64_t value = 0;

    while (count--) {
        value = value << 8 | bytes[count];
    }
    return value;
}

struct image image_classify(const uint8_t *bytes, size_t length, uint64_t file_size)
{
    struct image image = {IMAGE_OTHER, file_size, file_size};

    if (length >= HEADER_BYTES && memcmp(bytes + 56, "ARM\x64", 4) == 0) {
        uint64_t memory = little_endian(bytes + 16, 8); /* image_size */

        image.kind = IMAGE_ARM64;
        image.memory_size = memory > file_size ? memory : file_size;
    } else if (length >= 48 && little_endian(bytes + 36, 4) == 0x016f2818) {
        image.kind = IMAGE_ZIMAGE;
    } else if (begins(bytes, length, "\xd0\x0d\xfe\xed", 4)) {
        image.kind = IMAGE_DTB;
    } else if (begins(bytes, length, "\x1f\x8b", 2)) {
        image.kind = IMAGE_GZIP;
    } else if (begins(bytes, length,
                      "\xfd"
                      "7zXZ",
                      5)) {
        image.kind = IMAGE_XZ;
    } else if (begins(bytes, length, "\x28\xb5\x2f\xfd", 4)) {
        image.kind = IMAGE_ZSTD;
    } else if (begins(bytes, length, "MZ", 2)) {
        image.kind = IMAGE_EFI;
    } else if (begins(bytes, length, "\x27\x05\x19\x56", 4)) {
        image.kind = IMAGE_UBOOT;
    } else if (begins(bytes, length, "\177ELF", 4)) {
        image.kind = IMAGE_ELF;
    }
    return image;
}

int image_read(struct report *report, struct place place, const char *what, const char *path,
               struct image *image)
{
    uint8_t bytes[HEADER_BYTES];
    struct stat status;
    size_t length;
    FILE *stream = fopen(path, "rb");

    if (!stream) {
        report_error(report, place, "%s: cannot read %s: %s", what, path, strerror(errno));
        return -1;
    }
    if (fstat(fileno(stream), &status) != 0 || !S_ISREG(status.st_mode)) {
        report_error(report, place, "%s: %s is not a plain file; name the file to load", what,
                     path);
        fclose(stream);
        return -1;
    }
    length = fread(bytes, 1, sizeof(bytes), stream);
    fclose(stream);
    if (status.st_size == 0) {
        report_error(report, place, "%s: %s is empty; fetch or build it again", what, path);
        return -1;
    }
    *image = image_classify(bytes, length, (uint64_t)status.st_size);
    return 0;
}

const char *image_cure(enum image_kind kind)
{
    switch (kind) {
    case IMAGE_ARM64:
    case IMAGE_ZIMAGE:
        return NULL;
    case IMAGE_GZIP:
        return "is compressed with gzip; decompress it (zcat FILE >Image)";
    case IMAGE_XZ:
        return "is compressed with xz; decompress it (xzcat FILE >Image)";
    case IMAGE_ZSTD:
        return "is compressed with zstd; decompress it (zstdcat FILE >Image)";
    case IMAGE_EFI:
        return "is a compressed EFI program (zboot); take the Image from inside "
               "(tools/debian.py does so for Debian's)";
    case IMAGE_UBOOT:
        return "is wrapped for U-Boot's bootm; use the Image that was wrapped";
    case IMAGE_ELF:
        return "is an ELF file; convert it (aarch64-linux-gnu-objcopy -O binary FILE Image)";
    case IMAGE_DTB:
        return "is a device tree, not a kernel";
    case IMAGE_OTHER:
        break;
    }
    return "is neither an arm64 Image nor an arm zImage; name the kernel itself";
}

/* A writable file system in memory, empty at each start: the disk's (slate.h), on pages instead of a device. */
#include <errno.h>
#include <string.h>

#include "files/slate.h"
#include "libos/devices.h"
#include "libos/page.h"

#define SCRATCH_PAGES 256 /* 1 MiB */
#define SECTORS (SCRATCH_PAGES * PAGE_SIZE / SECTOR_SIZE)

static char *pages;

static int transfer(uint64_t sector, size_t count, void *to, const void *from)
{
    if (sector > SECTORS || count > SECTORS - sector) {
        return -EINVAL;
    }
    char *place = pages + sector * SECTOR_SIZE;
    memcpy(to != NULL ? to : place, to != NULL ? place : from, count * SECTOR_SIZE);
    return 0;
}

static int read_sectors(uint64_t sector, void *to, size_t count)
{
    return transfer(sector, count, to, NULL);
}

static int write_sectors(uint64_t sector, const void *from, size_t count)
{
    return transfer(sector, count, NULL, from);
}

static int flush(void)
{
    return 0;
}

static struct blkdev memory = {
    .sectors = SECTORS, .read = read_sectors, .write = write_sectors, .flush = flush};

void scratch_start(const char *path)
{
    pages = page_alloc(SCRATCH_PAGES);
    struct file_system *fs = pages == NULL ? NULL : slate_mount(&memory, path);
    if (fs == NULL) {
        libos_panic("no memory for the files at %s: the domain needs %u KiB more", path,
                    (unsigned int)(SCRATCH_PAGES * PAGE_SIZE >> 10));
    }
    fs_mount(fs);
}

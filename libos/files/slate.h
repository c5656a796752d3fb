/*
 * Slate: a small file system for one program on one block device.
 *
 * Debian 12 packages no library for this that survives a power cut (its libext2fs keeps no
 * journal), so this one is ours, and as simple as the promise allows:
 *
 *   block 0..8    table A   header, then one record per file      all blocks of 4 KiB
 *   block 9..17   table B   likewise
 *   block 18..    data
 *
 * The whole table (names, sizes, extents of at most SLATE_FILES_MAX files) is in memory. A
 * commit writes it to the older of A and B with a higher sequence number and a CRC, after
 * the data it points to has been flushed, and flushes again. Mounting takes the newer table whose
 * CRC is right: a commit has happened wholly or not at all.
 *
 * Data is written in place, at once (no cache, so no ordering of our own to get wrong); a block
 * freed since the last commit is not given out again before the next, so the committed state
 * always finds its data. fsync() of anything commits everything. What SQLite asks of a disk is
 * exactly this.
 *
 * A file removed while it is open keeps its blocks, without a name, until it is closed or the machine is off.
 *
 * Invariants: no block belongs to two files; `used` covers the live table and the files without a
 * name, `held` the committed table; allocation takes blocks outside both.
 */
#ifndef LIBOS_FILES_SLATE_H
#define LIBOS_FILES_SLATE_H

#include "libos/blkdev.h"
#include "libos/fs.h"

#define SLATE_MAGIC 0x4554414c53484b42ULL /* "BKHSLATE" */
#define SLATE_VERSION 1
#define SLATE_BLOCK 4096
#define SLATE_FILES_MAX 128
#define SLATE_EXTENTS 20
#define SLATE_NAME_SIZE 72
#define SLATE_TABLE_BLOCKS 9
#define SLATE_FIRST_DATA (2 * SLATE_TABLE_BLOCKS)

struct slate_extent {
    uint32_t start; /* block */
    uint32_t count;
};

struct slate_record {
    char name[SLATE_NAME_SIZE]; /* absolute within the file system, terminated; empty: unused */
    uint64_t size;
    uint32_t mode; /* S_IFREG or S_IFDIR */
    uint32_t time; /* seconds since 1970 of the last write */
    uint32_t extent_count;
    uint32_t reserved;
    struct slate_extent extents[SLATE_EXTENTS];
};

struct slate_header {
    uint64_t magic;
    uint32_t version;
    uint32_t crc; /* of header with crc = 0 and the records */
    uint64_t sequence;
    uint32_t blocks; /* of the device */
    uint32_t records;
};

/**
 * Mount `device` at `path`, formatting it if its first blocks are all zero.
 * Returns the file system or NULL; the reason is in the log.
 */
struct file_system *slate_mount(struct blkdev *device, const char *path);

/** Consistency of what is in memory, for tests: NULL, or what is wrong. */
const char *slate_check(void);

#endif

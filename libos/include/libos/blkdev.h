/* A block device as file systems see it. One device per program, one request at a time. */
#ifndef LIBOS_BLKDEV_H
#define LIBOS_BLKDEV_H

#include "libos/base.h"

#define SECTOR_SIZE 512

struct blkdev {
    uint64_t sectors;
    bool read_only;

    /** Transfer whole sectors; waits. 0, -EIO (said in the log), -EINVAL beyond the end. */
    int (*read)(uint64_t sector, void *to, size_t count);
    int (*write)(uint64_t sector, const void *from, size_t count);

    /** Return when everything written so far will survive a power cut. 0 or -EIO. */
    int (*flush)(void);
};

/** Attach the first device; NULL if there is none (said in the log). */
struct blkdev *blkdev_open(void);

#endif

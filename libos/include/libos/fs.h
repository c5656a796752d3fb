/* File systems under one tree of names. Paths reach a file system absolute and normalised. */
#ifndef LIBOS_FS_H
#define LIBOS_FS_H

#include "libos/file.h"

#define PATH_SIZE 256 /* longest name with terminator; longer is -ENAMETOOLONG */

struct file_system {
    const char *mount; /* "/" or "/data": no slash at the end but for the root */
    int (*open)(const char *path, int flags, mode_t mode, struct file **file);
    int (*stat)(const char *path, struct stat *to);
    int (*unlink)(const char *path, bool directory); /* NULL: read-only */
    int (*mkdir)(const char *path, mode_t mode);
    int (*rename)(const char *from, const char *to);
    struct file_system *next;
};

/** Make a file system's names visible below its mount point; the longest match wins. */
void fs_mount(struct file_system *fs);

/** Append one record in the form of getdents64; returns its size, or 0 if there is no room. */
size_t fs_put_entry(void *to, size_t room, uint64_t inode, uint64_t next, uint8_t type,
                    const char *name, size_t length);

#endif

/* System calls on names: find the file system, hand over the rest of the path. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "libos/fs.h"
#include "libos/heap.h"
#include "libos/syscall.h"

static struct file_system *mounts;

void fs_mount(struct file_system *fs)
{
    fs->next = mounts;
    mounts = fs;
}

/*
 * Make `path` absolute and free of ".", ".." and double slashes, in place of symbolic links,
 * which there are none of. The working directory is always the root.
 */
static int normalise(const char *path, char out[PATH_SIZE])
{
    size_t length = 0;
    if (*path == '\0') {
        return -ENOENT;
    }
    while (*path != '\0') {
        path += strspn(path, "/");
        size_t part = strcspn(path, "/");
        if (part == 2 && path[0] == '.' && path[1] == '.') {
            while (length > 0 && out[--length] != '/') {
            }
        } else if (part != 0 && !(part == 1 && path[0] == '.')) {
            if (length + part + 2 > PATH_SIZE) {
                return -ENAMETOOLONG;
            }
            out[length++] = '/';
            memcpy(out + length, path, part);
            length += part;
        }
        path += part;
    }
    if (length == 0) {
        out[length++] = '/';
    }
    out[length] = '\0';
    return 0;
}

/* The file system that holds the normalised path, and the path inside it. */
static struct file_system *find(const char *path, const char **inside)
{
    struct file_system *best = NULL;
    size_t best_length = 0;
    for (struct file_system *fs = mounts; fs != NULL; fs = fs->next) {
        size_t length = fs->mount[1] == '\0' ? 0 : strlen(fs->mount);
        if (strncmp(path, fs->mount, length) == 0 &&
            (path[length] == '/' || path[length] == '\0') &&
            (best == NULL || length > best_length)) {
            best = fs;
            best_length = length;
        }
    }
    *inside = path[best_length] == '\0' ? "/" : path + best_length;
    return best;
}

#define NAMED(argument, buffer, fs, inside)                           \
    char buffer[PATH_SIZE];                                           \
    const char *inside;                                               \
    int error = normalise(ARG_POINTER(argument, const char), buffer); \
    if (error != 0) {                                                 \
        return error;                                                 \
    }                                                                 \
    struct file_system *fs = find(buffer, &inside);                   \
    if (fs == NULL) {                                                 \
        return -ENOENT;                                               \
    }

SYSCALL(openat)
{
    NAMED(1, path, fs, inside)
    struct file *file;
    error = fs->open(inside, ARG_INT(2), (mode_t)ARG_INT(3), &file);
    if (error != 0) {
        return error;
    }
    file->references = 1;
    file->flags = ARG_INT(2) & (O_ACCMODE | O_NONBLOCK | O_APPEND);
    int fd = file_install(file, 0, true);
    if (fd < 0) {
        file_put(file);
    }
    return fd;
}

SYSCALL(newfstatat)
{
    struct stat *to = ARG_POINTER(2, struct stat);
    if (ARG_INT(3) & AT_EMPTY_PATH && *ARG_POINTER(1, const char) == '\0') {
        f->x[1] = f->x[2];
        long sys_fstat(struct syscall_frame * f);
        return sys_fstat(f);
    }
    NAMED(1, path, fs, inside)
    memset(to, 0, sizeof(*to));
    to->st_nlink = 1;
    to->st_blksize = 4096;
    return fs->stat(inside, to);
}

SYSCALL(faccessat)
{
    NAMED(1, path, fs, inside)
    struct stat st;
    error = fs->stat(inside, &st);
    if (error == 0 && ARG_INT(2) & 2 /* W_OK */ && fs->unlink == NULL && !S_ISCHR(st.st_mode)) {
        error = -EROFS;
    }
    return error;
}

SYSCALL(readlinkat)
{
    NAMED(1, path, fs, inside)
    struct stat st;
    error = fs->stat(inside, &st);
    return error == 0 ? -EINVAL : error; /* there are no symbolic links */
}

SYSCALL(unlinkat)
{
    NAMED(1, path, fs, inside)
    return fs->unlink == NULL ? -EROFS : fs->unlink(inside, ARG_INT(2) & AT_REMOVEDIR);
}

SYSCALL(mkdirat)
{
    NAMED(1, path, fs, inside)
    return fs->mkdir == NULL ? -EROFS : fs->mkdir(inside, (mode_t)ARG_INT(2));
}

SYSCALL(renameat2)
{
    NAMED(1, path, fs, inside)
    char to[PATH_SIZE];
    const char *to_inside;
    error = normalise(ARG_POINTER(3, const char), to);
    if (error != 0) {
        return error;
    }
    if (find(to, &to_inside) != fs) {
        return -EXDEV;
    }
    return fs->rename == NULL ? -EROFS : fs->rename(inside, to_inside);
}

size_t fs_put_entry(void *to, size_t room, uint64_t inode, uint64_t next, uint8_t type,
                    const char *name, size_t length)
{
    size_t size = ALIGN_UP(offsetof(struct dirent, d_name) + length + 1, 8);
    struct dirent *entry = to;
    if (size > room) {
        return 0;
    }
    memset(entry, 0, size);
    entry->d_ino = inode;
    entry->d_off = (off_t)next;
    entry->d_reclen = (unsigned short)size;
    entry->d_type = type;
    memcpy(entry->d_name, name, length);
    return size;
}

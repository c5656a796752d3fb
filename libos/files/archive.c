/*
 * The read-only archive sealed into the image (written by tools/app/archive.py), mounted at /,
 * and the few device files programs expect. Lookup is a binary search over sorted paths.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "libos/devices.h"
#include "libos/fs.h"
#include "libos/heap.h"
#include "libos/random.h"

struct entry {
    uint32_t path;
    uint32_t mode;
    uint64_t data;
    uint64_t size;
};

extern const char archive_start[];

#define ARCHIVE_COUNT (*(const uint32_t *)(archive_start + 4))
#define ARCHIVE_INDEX ((const struct entry *)(archive_start + 8))

struct archive_file {
    struct file file;
    const struct entry *entry;
    off_t offset; /* a directory's: index of the next entry */
};

static const char *path_of(const struct entry *entry)
{
    return archive_start + entry->path;
}

static const struct entry *find(const char *path)
{
    uint32_t low = 0;
    uint32_t high = ARCHIVE_COUNT;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        int order = strcmp(path, path_of(&ARCHIVE_INDEX[middle]));
        if (order == 0) {
            return &ARCHIVE_INDEX[middle];
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

static void fill_stat(const struct entry *entry, struct stat *to)
{
    to->st_dev = 1;
    to->st_ino = (ino_t)(entry - ARCHIVE_INDEX) + 1;
    to->st_mode = entry->mode;
    to->st_size = (off_t)entry->size;
    to->st_blksize = 4096;
    to->st_blocks = (blkcnt_t)(entry->size + 511) / 512;
}

static ssize_t archive_pread(struct file *file, void *to, size_t size, off_t at)
{
    const struct entry *entry = ((struct archive_file *)file)->entry;
    if (S_ISDIR(entry->mode)) {
        return -EISDIR;
    }
    if (at < 0) {
        return -EINVAL;
    }
    if ((uint64_t)at >= entry->size) {
        return 0;
    }
    size = MIN(size, entry->size - (size_t)at);
    copy_bulk(to, archive_start + entry->data + at, size);
    return (ssize_t)size;
}

static ssize_t archive_read(struct file *file, void *to, size_t size)
{
    struct archive_file *self = (struct archive_file *)file;
    ssize_t got = archive_pread(file, to, size, self->offset);
    if (got > 0) {
        self->offset += got;
    }
    return got;
}

static off_t archive_seek(struct file *file, off_t offset, int whence)
{
    struct archive_file *self = (struct archive_file *)file;
    off_t base = whence == SEEK_SET   ? 0
                 : whence == SEEK_CUR ? self->offset
                                      : (off_t)self->entry->size;
    if (whence < 0 || whence > 2 || base + offset < 0) {
        return -EINVAL;
    }
    return self->offset = base + offset;
}

static int archive_fstat(struct file *file, struct stat *to)
{
    fill_stat(((struct archive_file *)file)->entry, to);
    return 0;
}

static const void *archive_map(struct file *file, off_t at, size_t size)
{
    const struct entry *entry = ((struct archive_file *)file)->entry;
    if (at < 0 || (uint64_t)at > entry->size || size > entry->size - (uint64_t)at) {
        return NULL;
    }
    return archive_start + entry->data + at;
}

/* The name of entry i if it lies directly in `directory`, else NULL. */
static const char *child_name(const char *directory, const char *path)
{
    size_t length = directory[1] == '\0' ? 0 : strlen(directory);
    if (strncmp(path, directory, length) != 0 || path[length] != '/' || path[length + 1] == '\0' ||
        strchr(path + length + 1, '/') != NULL) {
        return NULL;
    }
    return path + length + 1;
}

static ssize_t archive_list(struct file *file, void *to, size_t size)
{
    struct archive_file *self = (struct archive_file *)file;
    size_t used = 0;
    if (!S_ISDIR(self->entry->mode)) {
        return -ENOTDIR;
    }
    for (; self->offset < (off_t)ARCHIVE_COUNT; self->offset++) {
        const struct entry *entry = &ARCHIVE_INDEX[self->offset];
        const char *name = child_name(path_of(self->entry), path_of(entry));
        if (name == NULL) {
            continue;
        }
        size_t more = fs_put_entry((char *)to + used, size - used, (uint64_t)self->offset + 1,
                                   (uint64_t)self->offset + 1,
                                   S_ISDIR(entry->mode) ? DT_DIR : DT_REG, name, strlen(name));
        if (more == 0) {
            return used == 0 ? -EINVAL : (ssize_t)used;
        }
        used += more;
    }
    return (ssize_t)used;
}

static void archive_close(struct file *file)
{
    heap_free(file);
}

static const struct file_ops archive_ops = {
    .read = archive_read,
    .pread = archive_pread,
    .seek = archive_seek,
    .stat = archive_fstat,
    .list = archive_list,
    .map = archive_map,
    .close = archive_close,
};

static int archive_open(const char *path, int flags, mode_t mode, struct file **file)
{
    const struct entry *entry = find(path);
    if (entry == NULL) {
        return flags & O_CREAT ? -EROFS : -ENOENT;
    }
    if ((flags & O_ACCMODE) != O_RDONLY) {
        return S_ISDIR(entry->mode) ? -EISDIR : -EROFS;
    }
    if (flags & O_DIRECTORY && !S_ISDIR(entry->mode)) {
        return -ENOTDIR;
    }
    struct archive_file *opened = heap_zalloc(sizeof(*opened));
    if (opened == NULL) {
        return -ENOMEM;
    }
    opened->file.ops = &archive_ops;
    opened->entry = entry;
    *file = &opened->file;
    return 0;
}

static int archive_stat(const char *path, struct stat *to)
{
    const struct entry *entry = find(path);
    if (entry == NULL) {
        return -ENOENT;
    }
    fill_stat(entry, to);
    return 0;
}

static struct file_system archive = {
    .mount = "/",
    .open = archive_open,
    .stat = archive_stat,
};

/* --- /dev --- */

static ssize_t null_read(struct file *file, void *to, size_t size)
{
    return 0;
}

static ssize_t null_write(struct file *file, const void *from, size_t size)
{
    return (ssize_t)size;
}

static ssize_t random_read(struct file *file, void *to, size_t size)
{
    random_bytes(to, size);
    return (ssize_t)size;
}

static int device_stat(struct file *file, struct stat *to)
{
    to->st_mode = S_IFCHR | 0666;
    return 0;
}

static const struct file_ops null_ops = {
    .read = null_read, .write = null_write, .stat = device_stat};
static const struct file_ops random_ops = {
    .read = random_read, .write = null_write, .stat = device_stat};

/* One shared file each: they have no position, and are never freed. */
static struct file null_file = {&null_ops, 1, O_RDWR};
static struct file random_file = {&random_ops, 1, O_RDWR};

static struct file *device(const char *path)
{
    if (strcmp(path, "/null") == 0) {
        return &null_file;
    }
    if (strcmp(path, "/urandom") == 0 || strcmp(path, "/random") == 0) {
        return &random_file;
    }
    return NULL;
}

static int device_open(const char *path, int flags, mode_t mode, struct file **file)
{
    struct file *found = device(path);
    if (found == NULL) {
        return -ENOENT;
    }
    *file = found;
    return 0;
}

static int device_path_stat(const char *path, struct stat *to)
{
    if (device(path) == NULL) {
        return -ENOENT;
    }
    return device_stat(NULL, to);
}

static struct file_system devices = {
    .mount = "/dev",
    .open = device_open,
    .stat = device_path_stat,
};

void files_start(void)
{
    fs_mount(&archive);
    fs_mount(&devices);
}

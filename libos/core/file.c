#include "libos/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "libos/heap.h"

static struct file *initial_table[16];
static struct file **table = initial_table;
static size_t table_size = ARRAY_COUNT(initial_table);

struct file *file_get(int fd)
{
    return (unsigned int)fd < table_size ? table[fd] : NULL;
}

static int grow(size_t wanted)
{
    if (wanted > FILE_MAX) {
        return -EMFILE;
    }
    size_t size = MIN((size_t)FILE_MAX, MAX(wanted, table_size * 2));
    struct file **larger = heap_alloc(size * sizeof(*larger));
    if (larger == NULL) {
        return -EMFILE;
    }
    memset(larger, 0, size * sizeof(*larger));
    memcpy(larger, table, table_size * sizeof(*table));
    if (table != initial_table) {
        heap_free(table);
    }
    table = larger;
    table_size = size;
    return 0;
}

int file_install(struct file *file, int from, bool close_on_exec)
{
    size_t fd = (size_t)from;
    while (fd < table_size && table[fd] != NULL) {
        fd++;
    }
    if (fd >= table_size) {
        int error = grow(fd + 1);
        if (error != 0) {
            return error;
        }
    }
    table[fd] = file;
    return (int)fd;
}

int file_install_at(struct file *file, int fd)
{
    if (fd < 0 || fd >= FILE_MAX) {
        return -EBADF;
    }
    if ((size_t)fd >= table_size) {
        int error = grow((size_t)fd + 1);
        if (error != 0) {
            return error;
        }
    }
    if (table[fd] != NULL) {
        file_put(table[fd]);
    }
    table[fd] = file;
    return 0;
}

void file_put(struct file *file)
{
    if (--file->references == 0 && file->ops->close != NULL) {
        file->ops->close(file);
    }
}

int file_close(int fd)
{
    struct file *file = file_get(fd);
    if (file == NULL) {
        return -EBADF;
    }
    table[fd] = NULL;
    file_put(file);
    return 0;
}

ssize_t file_readv(struct file *file, const struct iovec *iov, int count)
{
    ssize_t total = 0;
    if (file->ops->read == NULL) {
        return -EBADF;
    }
    for (int i = 0; i < count; i++) {
        if (iov[i].iov_len == 0) {
            continue;
        }
        ssize_t got = file->ops->read(file, iov[i].iov_base, iov[i].iov_len);
        if (got < 0) {
            return total > 0 ? total : got;
        }
        total += got;
        if ((size_t)got < iov[i].iov_len) {
            break;
        }
    }
    return total;
}

ssize_t file_writev(struct file *file, const struct iovec *iov, int count)
{
    ssize_t total = 0;
    if (file->ops->write == NULL) {
        return -EBADF;
    }
    if (file->ops->writev != NULL) {
        return file->ops->writev(file, iov, count);
    }
    for (int i = 0; i < count; i++) {
        if (iov[i].iov_len == 0) {
            continue;
        }
        ssize_t done = file->ops->write(file, iov[i].iov_base, iov[i].iov_len);
        if (done < 0) {
            return total > 0 ? total : done;
        }
        total += done;
        if ((size_t)done < iov[i].iov_len) {
            break;
        }
    }
    return total;
}

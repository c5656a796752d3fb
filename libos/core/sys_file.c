/* System calls on open files. Linux's semantics; see docs/libos-posix.md for what differs. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>

#include "libos/file.h"
#include "libos/syscall.h"

#define OP_OR(operation, error)               \
    struct file *file = file_get(ARG_INT(0)); \
    if (file == NULL) {                       \
        return -EBADF;                        \
    }                                         \
    if (file->ops->operation == NULL) {       \
        return -(error);                      \
    }

SYSCALL(read)
{
    OP_OR(read, EBADF)
    return file->ops->read(file, ARG_POINTER(1, void), ARG_SIZE(2));
}

SYSCALL(write)
{
    OP_OR(write, EBADF)
    return file->ops->write(file, ARG_POINTER(1, void), ARG_SIZE(2));
}

SYSCALL(readv)
{
    OP_OR(read, EBADF)
    return file_readv(file, ARG_POINTER(1, struct iovec), ARG_INT(2));
}

SYSCALL(writev)
{
    OP_OR(write, EBADF)
    return file_writev(file, ARG_POINTER(1, struct iovec), ARG_INT(2));
}

SYSCALL(pread64)
{
    OP_OR(pread, ESPIPE)
    return file->ops->pread(file, ARG_POINTER(1, void), ARG_SIZE(2), ARG_LONG(3));
}

SYSCALL(pwrite64)
{
    OP_OR(pwrite, ESPIPE)
    return file->ops->pwrite(file, ARG_POINTER(1, void), ARG_SIZE(2), ARG_LONG(3));
}

/* Vectors one after the other; a short transfer ends it, as POSIX allows. */
static long vector_at(struct syscall_frame *f, bool writing)
{
    struct file *file = file_get(ARG_INT(0));
    const struct iovec *iov = ARG_POINTER(1, struct iovec);
    off_t at = ARG_LONG(3);
    ssize_t total = 0;
    if (file == NULL) {
        return -EBADF;
    }
    if (writing ? file->ops->pwrite == NULL : file->ops->pread == NULL) {
        return -ESPIPE;
    }
    for (int i = 0; i < ARG_INT(2); i++) {
        ssize_t done = writing
                           ? file->ops->pwrite(file, iov[i].iov_base, iov[i].iov_len, at + total)
                           : file->ops->pread(file, iov[i].iov_base, iov[i].iov_len, at + total);
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

SYSCALL(preadv)
{
    return vector_at(f, false);
}

SYSCALL(pwritev)
{
    return vector_at(f, true);
}

SYSCALL(lseek)
{
    OP_OR(seek, ESPIPE)
    return file->ops->seek(file, ARG_LONG(1), ARG_INT(2));
}

SYSCALL(close)
{
    return file_close(ARG_INT(0));
}

SYSCALL(fstat)
{
    OP_OR(stat, EBADF)
    struct stat *to = ARG_POINTER(1, struct stat);
    memset(to, 0, sizeof(*to));
    to->st_nlink = 1;
    return file->ops->stat(file, to);
}

static long sync_file(int fd)
{
    struct file *file = file_get(fd);
    if (file == NULL) {
        return -EBADF;
    }
    return file->ops->sync == NULL ? -EINVAL : file->ops->sync(file);
}

SYSCALL(fsync)
{
    return sync_file(ARG_INT(0));
}

SYSCALL(fdatasync)
{
    return sync_file(ARG_INT(0));
}

SYSCALL(ftruncate)
{
    OP_OR(truncate, EINVAL)
    return file->ops->truncate(file, ARG_LONG(1));
}

SYSCALL(getdents64)
{
    OP_OR(list, ENOTDIR)
    return file->ops->list(file, ARG_POINTER(1, void), ARG_SIZE(2));
}

SYSCALL(ioctl)
{
    struct file *file = file_get(ARG_INT(0));
    if (file == NULL) {
        return -EBADF;
    }
    if (ARG_LONG(1) == FIONBIO) {
        file->flags = *ARG_POINTER(2, int) ? file->flags | O_NONBLOCK : file->flags & ~O_NONBLOCK;
        return 0;
    }
    return file->ops->ioctl == NULL ? -ENOTTY
                                    : file->ops->ioctl(file, f->x[1], ARG_POINTER(2, void));
}

static long duplicate(int fd, int from)
{
    struct file *file = file_get(fd);
    if (file == NULL) {
        return -EBADF;
    }
    int copy = file_install(file, from, false);
    if (copy >= 0) {
        file->references++;
    }
    return copy;
}

SYSCALL(dup)
{
    return duplicate(ARG_INT(0), 0);
}

SYSCALL(dup3)
{
    struct file *file = file_get(ARG_INT(0));
    if (file == NULL) {
        return -EBADF;
    }
    if (ARG_INT(0) == ARG_INT(1)) {
        return -EINVAL;
    }
    file->references++;
    int error = file_install_at(file, ARG_INT(1));
    if (error != 0) {
        file->references--;
        return error;
    }
    return ARG_INT(1);
}

SYSCALL(fcntl)
{
    struct file *file = file_get(ARG_INT(0));
    if (file == NULL) {
        return -EBADF;
    }
    switch (ARG_INT(1)) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        return duplicate(ARG_INT(0), ARG_INT(2));
    case F_GETFL:
        return file->flags;
    case F_SETFL:
        file->flags =
            (file->flags & ~(O_NONBLOCK | O_APPEND)) | (ARG_INT(2) & (O_NONBLOCK | O_APPEND));
        return 0;
    case F_GETFD:
    case F_SETFD: /* there is no exec to close anything on */
        return 0;
    case F_GETLK:
        ARG_POINTER(2, struct flock)->l_type = F_UNLCK;
        return 0;
    case F_SETLK:
    case F_SETLKW: /* one process: its own locks never conflict */
        return 0;
    default:
        return -EINVAL;
    }
}

SYSCALL(flock)
{
    return file_get(ARG_INT(0)) == NULL ? -EBADF : 0;
}

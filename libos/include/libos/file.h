/*
 * Open files. A descriptor is an index into one table; an entry points to a struct file,
 * whose operations say what it is. Only creators name an operation table (openat the
 * archive's, socket the network's), so an image holds the kinds of file it can make.
 */
#ifndef LIBOS_FILE_H
#define LIBOS_FILE_H

#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "libos/base.h"

#define FILE_MAX 1024 /* descriptors; the table grows with use */

struct file;

/* A NULL operation fails with the errno Linux gives for that kind of file. */
struct file_ops {
    ssize_t (*read)(struct file *file, void *to, size_t size); /* may wait; -EAGAIN if O_NONBLOCK */
    ssize_t (*write)(struct file *file, const void *from, size_t size);
    ssize_t (*writev)(struct file *file, const struct iovec *iov, int count); /* NULL: by write */
    ssize_t (*pread)(struct file *file, void *to, size_t size, off_t at);
    ssize_t (*pwrite)(struct file *file, const void *from, size_t size, off_t at);
    off_t (*seek)(struct file *file, off_t offset, int whence);
    short (*poll)(struct file *file); /* POLLIN | POLLOUT | POLLHUP | ... that hold now */
    long (*ioctl)(struct file *file, unsigned long request, void *argument);
    int (*stat)(struct file *file, struct stat *to);
    int (*sync)(struct file *file);
    int (*truncate)(struct file *file, off_t size);
    ssize_t (*list)(struct file *file, void *to, size_t size);    /* getdents64 */
    const void *(*map)(struct file *file, off_t at, size_t size); /* content in memory, or NULL */
    void (*close)(struct file *file);                             /* frees `file` */
};

struct file {
    const struct file_ops *ops;
    uint32_t references; /* descriptors that point here */
    int flags;           /* O_ACCMODE, O_NONBLOCK, O_APPEND */
};

/** Give `file` the lowest free descriptor >= from; returns it or -EMFILE. Takes over the reference. */
int file_install(struct file *file, int from, bool close_on_exec) must_check;

/** The open file, or NULL if there is none (the caller returns -EBADF). */
struct file *file_get(int fd);

/** A second descriptor for the same file at exactly `fd`; closes what was there. 0 or -errno. */
int file_install_at(struct file *file, int fd) must_check;

int file_close(int fd);
void file_put(struct file *file);

/** Put the console at descriptors 0, 1 and 2. */
void file_init(void);

ssize_t file_readv(struct file *file, const struct iovec *iov, int count);
ssize_t file_writev(struct file *file, const struct iovec *iov, int count);

#endif

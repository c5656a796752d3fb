/* The console as an open file: descriptors 0, 1 and 2 from the start. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "libos/file.h"
#include "libos/platform.h"
#include "libos/thread.h"

static ssize_t console_read(struct file *file, void *to, size_t size)
{
    for (;;) {
        size_t got = platform_console_read(to, size);
        if (got > 0) {
            return (ssize_t)got;
        }
        if (file->flags & O_NONBLOCK) {
            return -EAGAIN;
        }
        thread_wait_event(TIME_NEVER);
    }
}

static ssize_t console_write(struct file *file, const void *from, size_t size)
{
    platform_console_write(from, size);
    return (ssize_t)size;
}

static int console_stat(struct file *file, struct stat *to)
{
    to->st_mode = S_IFCHR | 0620;
    to->st_blksize = 1024;
    return 0;
}

static short console_poll(struct file *file)
{
    return POLLOUT;
}

static const struct file_ops console_ops = {
    .read = console_read,
    .write = console_write,
    .stat = console_stat,
    .poll = console_poll,
};

static struct file console = {&console_ops, 3, O_RDWR};

void file_init(void)
{
    for (int fd = 0; fd < 3; fd++) {
        if (file_install_at(&console, fd) != 0) {
            libos_panic("cannot open the console");
        }
    }
}

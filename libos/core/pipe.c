/* Pipes and event counters: how one thread wakes another that waits in poll(). */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>

#include "libos/file.h"
#include "libos/heap.h"
#include "libos/syscall.h"
#include "libos/thread.h"

#define PIPE_SIZE 4096

struct pipe {
    char data[PIPE_SIZE];
    size_t start, used;
    bool reader, writer; /* that end is open */
};

struct pipe_end {
    struct file file;
    struct pipe *pipe;
};

static void wake(void *object)
{
    thread_wake((uintptr_t)object, INT_MAX);
    thread_event();
}

static struct pipe *pipe_of(struct file *file)
{
    return ((struct pipe_end *)file)->pipe;
}

static ssize_t pipe_read(struct file *file, void *to, size_t size)
{
    struct pipe *pipe = pipe_of(file);
    while (pipe->used == 0) {
        if (!pipe->writer) {
            return 0;
        }
        if (file->flags & O_NONBLOCK) {
            return -EAGAIN;
        }
        thread_wait_key((uintptr_t)pipe, TIME_NEVER);
    }
    size = MIN(size, pipe->used);
    for (size_t i = 0; i < size; i++) {
        ((char *)to)[i] = pipe->data[(pipe->start + i) % PIPE_SIZE];
    }
    pipe->start = (pipe->start + size) % PIPE_SIZE;
    pipe->used -= size;
    wake(pipe);
    return (ssize_t)size;
}

static ssize_t pipe_write(struct file *file, const void *from, size_t size)
{
    struct pipe *pipe = pipe_of(file);
    size_t done = 0;
    while (done < size) {
        if (!pipe->reader) {
            return -EPIPE;
        }
        if (pipe->used == PIPE_SIZE) {
            if (file->flags & O_NONBLOCK) {
                break;
            }
            thread_wait_key((uintptr_t)pipe, TIME_NEVER);
            continue;
        }
        pipe->data[(pipe->start + pipe->used++) % PIPE_SIZE] = ((const char *)from)[done++];
    }
    wake(pipe);
    return done == 0 && size != 0 ? -EAGAIN : (ssize_t)done;
}

static short pipe_poll_reader(struct file *file)
{
    struct pipe *pipe = pipe_of(file);
    return (short)((pipe->used != 0 ? POLLIN : 0) | (pipe->writer ? 0 : POLLHUP));
}

static short pipe_poll_writer(struct file *file)
{
    struct pipe *pipe = pipe_of(file);
    return (short)((pipe->used < PIPE_SIZE ? POLLOUT : 0) | (pipe->reader ? 0 : POLLERR));
}

static int pipe_stat(struct file *file, struct stat *to)
{
    to->st_mode = S_IFIFO | 0600;
    return 0;
}

static void pipe_put(struct file *file)
{
    struct pipe *pipe = pipe_of(file);
    wake(pipe);
    if (!pipe->reader && !pipe->writer) {
        heap_free(pipe);
    }
    heap_free(file);
}

static void pipe_close_reader(struct file *file)
{
    pipe_of(file)->reader = false;
    pipe_put(file);
}

static void pipe_close_writer(struct file *file)
{
    pipe_of(file)->writer = false;
    pipe_put(file);
}

static const struct file_ops reader_ops = {
    .read = pipe_read, .poll = pipe_poll_reader, .stat = pipe_stat, .close = pipe_close_reader};
static const struct file_ops writer_ops = {
    .write = pipe_write, .poll = pipe_poll_writer, .stat = pipe_stat, .close = pipe_close_writer};

static struct file *new_end(struct pipe *pipe, const struct file_ops *ops, int flags)
{
    struct pipe_end *end = heap_zalloc(sizeof(*end));
    if (end != NULL) {
        end->file = (struct file){ops, 1, flags};
        end->pipe = pipe;
    }
    return end == NULL ? NULL : &end->file;
}

SYSCALL(pipe2)
{
    int *fds = ARG_POINTER(0, int);
    int flags = ARG_INT(1) & O_NONBLOCK;
    struct pipe *pipe = heap_zalloc(sizeof(*pipe));
    struct file *reader = pipe == NULL ? NULL : new_end(pipe, &reader_ops, flags | O_RDONLY);
    struct file *writer = reader == NULL ? NULL : new_end(pipe, &writer_ops, flags | O_WRONLY);
    if (writer == NULL) {
        heap_free(reader);
        heap_free(pipe);
        return -ENOMEM;
    }
    pipe->reader = pipe->writer = true;
    fds[0] = file_install(reader, 0, true);
    fds[1] = fds[0] < 0 ? -EMFILE : file_install(writer, 0, true);
    if (fds[1] >= 0) {
        return 0;
    }
    file_put(writer);
    if (fds[0] >= 0) {
        file_close(fds[0]);
    } else {
        file_put(reader);
    }
    return -EMFILE;
}

struct event {
    struct file file;
    uint64_t count;
    bool semaphore;
};

static ssize_t event_read(struct file *file, void *to, size_t size)
{
    struct event *event = (struct event *)file;
    if (size < 8) {
        return -EINVAL;
    }
    while (event->count == 0) {
        if (file->flags & O_NONBLOCK) {
            return -EAGAIN;
        }
        thread_wait_key((uintptr_t)event, TIME_NEVER);
    }
    uint64_t value = event->semaphore ? 1 : event->count;
    event->count -= value;
    memcpy(to, &value, 8);
    return 8;
}

static ssize_t event_write(struct file *file, const void *from, size_t size)
{
    struct event *event = (struct event *)file;
    uint64_t value;
    if (size < 8) {
        return -EINVAL;
    }
    memcpy(&value, from, 8);
    if (value == UINT64_MAX) {
        return -EINVAL;
    }
    if (event->count + value < value || event->count + value == UINT64_MAX) {
        return -EAGAIN;
    }
    event->count += value;
    wake(event);
    return 8;
}

static short event_poll(struct file *file)
{
    return (short)((((struct event *)file)->count != 0 ? POLLIN : 0) | POLLOUT);
}

static void event_close(struct file *file)
{
    heap_free(file);
}

static const struct file_ops event_ops = {
    .read = event_read, .write = event_write, .poll = event_poll, .close = event_close};

SYSCALL(eventfd2)
{
    struct event *event = heap_zalloc(sizeof(*event));
    if (event == NULL) {
        return -ENOMEM;
    }
    event->file = (struct file){&event_ops, 1, O_RDWR | (ARG_INT(1) & EFD_NONBLOCK)};
    event->count = (uint32_t)f->x[0];
    event->semaphore = ARG_INT(1) & EFD_SEMAPHORE;
    int fd = file_install(&event->file, 0, true);
    if (fd < 0) {
        heap_free(event);
    }
    return fd;
}

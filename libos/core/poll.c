/*
 * Waiting for files: ppoll, pselect6, epoll; pipes and event counters to wake a waiter.
 *
 * Readiness is asked of each file when needed; nothing is queued. With the few hundred
 * descriptors of a unikernel that is cheaper than keeping lists true, except for epoll:
 * sockets there report changes, see epoll_pwait.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <time.h>

#include "libos/file.h"
#include "libos/heap.h"
#include "libos/syscall.h"
#include "libos/thread.h"
#include "libos/time.h"
#include "libos/platform.h"

static short poll_file(struct file *file)
{
    return file->ops->poll == NULL ? POLLIN | POLLOUT : file->ops->poll(file);
}

static int poll_once(struct pollfd *fds, unsigned long count)
{
    int ready = 0;
    for (unsigned long i = 0; i < count; i++) {
        fds[i].revents = 0;
        if (fds[i].fd < 0) {
            continue;
        }
        struct file *file = file_get(fds[i].fd);
        fds[i].revents =
            file == NULL ? POLLNVAL : poll_file(file) & (fds[i].events | POLLERR | POLLHUP);
        ready += fds[i].revents != 0;
    }
    return ready;
}

static uint64_t deadline_after(const struct timespec *timeout)
{
    if (timeout == NULL) {
        return TIME_NEVER;
    }
    if (timeout->tv_sec == 0 && timeout->tv_nsec == 0) {
        return 0;
    }
    return time_monotonic_ns() + (uint64_t)timeout->tv_sec * NS_PER_SECOND +
           (uint64_t)timeout->tv_nsec;
}

static int poll_until_ready(struct pollfd *fds, unsigned long count, uint64_t deadline)
{
    /* Look at the devices first: "now" includes what has arrived, and a program that always finds
     * something ready must not starve the network. */
    bool happened = pollers_run();
    for (;;) {
        int ready = poll_once(fds, count);
        if (ready != 0 || (deadline != TIME_NEVER && time_monotonic_ns() >= deadline)) {
            return ready;
        }
        if (happened) {
            thread_wait_event(deadline);
        } else {
            thread_wait_next_event(deadline);
        }
        happened = true;
    }
}

SYSCALL(ppoll)
{
    return poll_until_ready(ARG_POINTER(0, struct pollfd), f->x[1],
                            deadline_after(ARG_POINTER(2, struct timespec)));
}

static short wanted(int fd, const fd_set *read, const fd_set *write)
{
    return (short)((read != NULL && FD_ISSET(fd, read) ? POLLIN : 0) |
                   (write != NULL && FD_ISSET(fd, write) ? POLLOUT : 0));
}

SYSCALL(pselect6)
{
    int limit = MIN(ARG_INT(0), FD_SETSIZE);
    fd_set *read = ARG_POINTER(1, fd_set);
    fd_set *write = ARG_POINTER(2, fd_set);
    fd_set *except = ARG_POINTER(3, fd_set);
    struct pollfd *fds = heap_alloc(sizeof(*fds) * (size_t)MAX(limit, 1));
    unsigned long count = 0;
    if (fds == NULL) {
        return -ENOMEM;
    }
    for (int fd = 0; fd < limit; fd++) {
        short events = wanted(fd, read, write);
        if (events != 0) {
            fds[count++] = (struct pollfd){fd, events, 0};
        }
    }
    int ready = poll_until_ready(fds, count, deadline_after(ARG_POINTER(4, struct timespec)));
    long result = 0;
    for (unsigned long i = 0; i < count; i++) {
        if (fds[i].revents & POLLNVAL) {
            heap_free(fds);
            return -EBADF;
        }
        if (fds[i].events & POLLIN) {
            if (fds[i].revents & (POLLIN | POLLHUP | POLLERR) && ready) {
                result++;
            } else {
                FD_CLR(fds[i].fd, read);
            }
        }
        if (fds[i].events & POLLOUT) {
            if (fds[i].revents & (POLLOUT | POLLERR) && ready) {
                result++;
            } else {
                FD_CLR(fds[i].fd, write);
            }
        }
    }
    if (except != NULL) {
        memset(except, 0, (size_t)(limit + 7) / 8);
    }
    heap_free(fds);
    return result;
}

/* --- epoll --- */

struct watch {
    struct file *file; /* no reference: a closed file is found out by comparing */
    int fd;
    struct epoll_event event;
    short last; /* readiness when last reported, for EPOLLET */
};

struct epoll {
    struct file file;
    struct watch *watches;
    unsigned int count;
    unsigned int room;
    unsigned int next; /* where the last scan stopped: fairness */
};

static short epoll_poll_now(struct file *file);

static void epoll_close(struct file *file)
{
    heap_free(((struct epoll *)file)->watches);
    heap_free(file);
}

static const struct file_ops epoll_ops = {.poll = epoll_poll_now, .close = epoll_close};

static void forget(struct epoll *epoll, unsigned int index)
{
    epoll->watches[index] = epoll->watches[--epoll->count];
}

/* Events of one watch that hold now; EPOLLET reports only what was not there last time. */
static uint32_t ready_events(struct watch *watch)
{
    short now = poll_file(watch->file);
    uint32_t events = (uint32_t)now & (watch->event.events | EPOLLERR | EPOLLHUP);
    if (watch->event.events & EPOLLET) {
        events &= ~(uint32_t)watch->last;
    }
    return events;
}

static int epoll_collect(struct epoll *epoll, struct epoll_event *out, int room)
{
    int found = 0;
    unsigned int looked = 0;
    while (looked < epoll->count && found < room) {
        unsigned int index = epoll->next >= epoll->count ? 0 : epoll->next;
        struct watch *watch = &epoll->watches[index];
        if (file_get(watch->fd) != watch->file) {
            forget(epoll, index);
            continue;
        }
        uint32_t events = ready_events(watch);
        watch->last = poll_file(watch->file);
        if (events != 0) {
            out[found].events = events;
            out[found++].data = watch->event.data;
            if (watch->event.events & EPOLLONESHOT) {
                watch->event.events = 0;
            }
        }
        epoll->next = index + 1;
        looked++;
    }
    return found;
}

static short epoll_poll_now(struct file *file)
{
    struct epoll *epoll = (struct epoll *)file;
    for (unsigned int i = 0; i < epoll->count; i++) {
        if (ready_events(&epoll->watches[i]) != 0) {
            return POLLIN;
        }
    }
    return 0;
}

SYSCALL(epoll_create1)
{
    struct epoll *epoll = heap_zalloc(sizeof(*epoll));
    if (epoll == NULL) {
        return -ENOMEM;
    }
    epoll->file = (struct file){&epoll_ops, 1, O_RDWR};
    int fd = file_install(&epoll->file, 0, true);
    if (fd < 0) {
        heap_free(epoll);
    }
    return fd;
}

static int add_watch(struct epoll *epoll, struct watch watch)
{
    if (epoll->count == epoll->room) {
        unsigned int room = epoll->room == 0 ? 16 : epoll->room * 2;
        struct watch *larger = heap_alloc(room * sizeof(*larger));
        if (larger == NULL) {
            return -ENOMEM;
        }
        if (epoll->count != 0) {
            memcpy(larger, epoll->watches, epoll->count * sizeof(*larger));
        }
        heap_free(epoll->watches);
        epoll->watches = larger;
        epoll->room = room;
    }
    epoll->watches[epoll->count++] = watch;
    return 0;
}

SYSCALL(epoll_ctl)
{
    struct epoll *epoll = (struct epoll *)file_get(ARG_INT(0));
    struct file *file = file_get(ARG_INT(2));
    const struct epoll_event *event = ARG_POINTER(3, struct epoll_event);
    if (epoll == NULL || file == NULL) {
        return -EBADF;
    }
    if (epoll->file.ops != &epoll_ops || file == &epoll->file) {
        return -EINVAL;
    }
    unsigned int index = 0;
    while (index < epoll->count &&
           (epoll->watches[index].fd != ARG_INT(2) || epoll->watches[index].file != file)) {
        index++;
    }
    bool known = index < epoll->count;
    switch (ARG_INT(1)) {
    case EPOLL_CTL_ADD:
        return known ? -EEXIST : add_watch(epoll, (struct watch){file, ARG_INT(2), *event, 0});
    case EPOLL_CTL_MOD:
        if (known) {
            epoll->watches[index].event = *event;
            epoll->watches[index].last = 0;
        }
        return known ? 0 : -ENOENT;
    case EPOLL_CTL_DEL:
        if (known) {
            forget(epoll, index);
        }
        return known ? 0 : -ENOENT;
    default:
        return -EINVAL;
    }
}

SYSCALL(epoll_pwait)
{
    struct epoll *epoll = (struct epoll *)file_get(ARG_INT(0));
    int timeout_ms = ARG_INT(3);
    if (epoll == NULL) {
        return -EBADF;
    }
    if (epoll->file.ops != &epoll_ops || ARG_INT(2) <= 0) {
        return -EINVAL;
    }
    uint64_t deadline =
        timeout_ms < 0 ? TIME_NEVER : time_monotonic_ns() + (uint64_t)timeout_ms * 1000000;
    pollers_run();
    for (;;) {
        int found = epoll_collect(epoll, ARG_POINTER(1, struct epoll_event), ARG_INT(2));
        if (found != 0 || time_monotonic_ns() >= deadline) {
            return found;
        }
        thread_wait_event(deadline);
    }
}

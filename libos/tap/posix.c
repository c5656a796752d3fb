/*
 * The C library's socket and waiting functions, ours instead: each looks whether a descriptor
 * is ours and calls the same handler that a system call of the unikernel reaches.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "libos/config.h"
#include "libos/devices.h"
#include "libos/file.h"
#include "libos/heap.h"
#include "libos/platform.h"
#include "libos/syscall.h"
#include "tap/tap.h"

#define TABLE_SIZE 4096

static struct file *ours[TABLE_SIZE];
static struct file *proxies[TABLE_SIZE];
static bool has_host_files;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void tap_lock(void)
{
    pthread_mutex_lock(&lock);
}

void tap_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

bool tap_has_host_files(void)
{
    return has_host_files;
}

/* --- descriptors --- */

struct host_file {
    struct file file;
    int fd;
};

static int host_fd(struct file *file)
{
    return ((struct host_file *)file)->fd;
}

static short host_poll(struct file *file)
{
    struct pollfd fd = {host_fd(file), POLLIN | POLLOUT | POLLPRI, 0};
    struct timespec now = {0, 0};
    has_host_files = true;
    return syscall(SYS_ppoll, &fd, 1UL, &now, NULL, 0UL) > 0 ? fd.revents : 0;
}

static ssize_t host_pread(struct file *file, void *to, size_t size, off_t at)
{
    ssize_t got = syscall(SYS_pread64, host_fd(file), to, size, at);
    return got < 0 ? -errno : got;
}

static off_t host_seek(struct file *file, off_t offset, int whence)
{
    off_t at = lseek(host_fd(file), offset, whence);
    return at < 0 ? -errno : at;
}

static int host_stat(struct file *file, struct stat *to)
{
    return fstat(host_fd(file), to) < 0 ? -errno : 0;
}

static const struct file_ops host_ops = {
    .poll = host_poll, .pread = host_pread, .seek = host_seek, .stat = host_stat};

static bool is_ours(int fd)
{
    return fd >= 0 && fd < TABLE_SIZE && ours[fd] != NULL;
}

/* Files of the host appear as proxies, so that poll and epoll can mix both kinds. */
struct file *file_get(int fd)
{
    if (is_ours(fd)) {
        return ours[fd];
    }
    if (fd < 0 || fd >= TABLE_SIZE || syscall(SYS_fcntl, fd, F_GETFD) < 0) {
        return NULL;
    }
    if (proxies[fd] == NULL) {
        struct host_file *proxy = calloc(1, sizeof(*proxy));
        proxy->file = (struct file){&host_ops, 1, 0};
        proxy->fd = fd;
        proxies[fd] = &proxy->file;
    }
    return proxies[fd];
}

int file_install(struct file *file, int from, bool close_on_exec)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd < 0 || fd >= TABLE_SIZE) {
        if (fd >= 0) {
            syscall(SYS_close, fd);
        }
        return -EMFILE;
    }
    ours[fd] = file;
    return fd;
}

void file_put(struct file *file)
{
    if (--file->references == 0 && file->ops->close != NULL) {
        file->ops->close(file);
    }
}

/* --- calling handlers --- */

static long leave(long result)
{
    tap_unlock();
    if (result < 0 && result > -4096) {
        errno = (int)-result;
        return -1;
    }
    return result;
}

#define CALL(name, ...)                                    \
    ({                                                     \
        long sys_##name(struct syscall_frame *frame);      \
        struct syscall_frame frame = {.x = {__VA_ARGS__}}; \
        tap_lock();                                        \
        leave(sys_##name(&frame));                         \
    })
#define A(x) ((uint64_t)(x))
#define P(x) ((uint64_t)(uintptr_t)(x))

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void start(void)
{
    char *given = getenv("LIBOS_NET");
    if (given != NULL) {
        char *word = strdup(given);
        char text[128] = "ip=";
        for (word = strtok(word, ","); word != NULL; word = strtok(NULL, ",")) {
            config_override(strdup(strchr(word, '=') != NULL ? word : strcat(text, word)));
        }
    }
    tap_lock();
    net_start();
    tap_unlock();
}

void tap_start(void)
{
    pthread_once(&once, start);
}

int socket(int domain, int type, int protocol)
{
    if (domain != AF_INET && domain != AF_INET6) {
        return (int)syscall(SYS_socket, domain, type, protocol);
    }
    tap_start();
    return (int)CALL(socket, A(domain), A(type), A(protocol));
}

int bind(int fd, const struct sockaddr *address, socklen_t size)
{
    return is_ours(fd) ? (int)CALL(bind, A(fd), P(address), size)
                       : (int)syscall(SYS_bind, fd, address, size);
}

int listen(int fd, int backlog)
{
    return is_ours(fd) ? (int)CALL(listen, A(fd), A(backlog))
                       : (int)syscall(SYS_listen, fd, backlog);
}

int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    return is_ours(fd) ? (int)CALL(accept4, A(fd), P(address), P(size), A(flags))
                       : (int)syscall(SYS_accept4, fd, address, size, flags);
}

int accept(int fd, struct sockaddr *address, socklen_t *size)
{
    return accept4(fd, address, size, 0);
}

int connect(int fd, const struct sockaddr *address, socklen_t size)
{
    return is_ours(fd) ? (int)CALL(connect, A(fd), P(address), size)
                       : (int)syscall(SYS_connect, fd, address, size);
}

int getsockname(int fd, struct sockaddr *address, socklen_t *size)
{
    return is_ours(fd) ? (int)CALL(getsockname, A(fd), P(address), P(size))
                       : (int)syscall(SYS_getsockname, fd, address, size);
}

int getpeername(int fd, struct sockaddr *address, socklen_t *size)
{
    return is_ours(fd) ? (int)CALL(getpeername, A(fd), P(address), P(size))
                       : (int)syscall(SYS_getpeername, fd, address, size);
}

ssize_t sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *address,
               socklen_t address_size)
{
    return is_ours(fd) ? CALL(sendto, A(fd), P(data), size, A(flags), P(address), address_size)
                       : syscall(SYS_sendto, fd, data, size, flags, address, address_size);
}

ssize_t send(int fd, const void *data, size_t size, int flags)
{
    return sendto(fd, data, size, flags, NULL, 0);
}

ssize_t recvfrom(int fd, void *to, size_t size, int flags, struct sockaddr *address,
                 socklen_t *address_size)
{
    return is_ours(fd) ? CALL(recvfrom, A(fd), P(to), size, A(flags), P(address), P(address_size))
                       : syscall(SYS_recvfrom, fd, to, size, flags, address, address_size);
}

ssize_t recv(int fd, void *to, size_t size, int flags)
{
    return recvfrom(fd, to, size, flags, NULL, NULL);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    return is_ours(fd) ? CALL(sendmsg, A(fd), P(message), A(flags))
                       : syscall(SYS_sendmsg, fd, message, flags);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    return is_ours(fd) ? CALL(recvmsg, A(fd), P(message), A(flags))
                       : syscall(SYS_recvmsg, fd, message, flags);
}

int shutdown(int fd, int how)
{
    return is_ours(fd) ? (int)CALL(shutdown, A(fd), A(how)) : (int)syscall(SYS_shutdown, fd, how);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
    return is_ours(fd) ? (int)CALL(setsockopt, A(fd), A(level), A(name), P(value), size)
                       : (int)syscall(SYS_setsockopt, fd, level, name, value, size);
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
    return is_ours(fd) ? (int)CALL(getsockopt, A(fd), A(level), A(name), P(value), P(size))
                       : (int)syscall(SYS_getsockopt, fd, level, name, value, size);
}

/* --- on any descriptor --- */

ssize_t read(int fd, void *to, size_t size)
{
    if (!is_ours(fd)) {
        return syscall(SYS_read, fd, to, size);
    }
    tap_lock();
    return leave(ours[fd]->ops->read == NULL ? -EBADF : ours[fd]->ops->read(ours[fd], to, size));
}

ssize_t write(int fd, const void *from, size_t size)
{
    if (!is_ours(fd)) {
        return syscall(SYS_write, fd, from, size);
    }
    tap_lock();
    return leave(ours[fd]->ops->write == NULL ? -EBADF
                                              : ours[fd]->ops->write(ours[fd], from, size));
}

ssize_t writev(int fd, const struct iovec *iov, int count)
{
    if (!is_ours(fd)) {
        return syscall(SYS_writev, fd, iov, count);
    }
    tap_lock();
    return leave(ours[fd]->ops->writev == NULL ? -EBADF
                                               : ours[fd]->ops->writev(ours[fd], iov, count));
}

ssize_t readv(int fd, const struct iovec *iov, int count)
{
    return is_ours(fd) ? read(fd, iov[0].iov_base, iov[0].iov_len)
                       : syscall(SYS_readv, fd, iov, count);
}

int close(int fd)
{
    if (is_ours(fd)) {
        tap_lock();
        struct file *file = ours[fd];
        ours[fd] = NULL;
        file_put(file);
        tap_unlock();
    } else if (fd >= 0 && fd < TABLE_SIZE && proxies[fd] != NULL) {
        free(proxies[fd]);
        proxies[fd] = NULL;
    }
    return (int)syscall(SYS_close, fd);
}

static int fcntl_any(int fd, int command, long argument)
{
    if (!is_ours(fd)) {
        return (int)syscall(SYS_fcntl, fd, command, argument);
    }
    switch (command) {
    case F_GETFL:
        return ours[fd]->flags;
    case F_SETFL:
        ours[fd]->flags = (ours[fd]->flags & ~O_NONBLOCK) | ((int)argument & O_NONBLOCK);
        return 0;
    case F_GETFD:
    case F_SETFD:
        return 0;
    default:
        errno = EINVAL;
        return -1;
    }
}

/* Which of two names a program calls is decided by its _FILE_OFFSET_BITS; so below for sendfile. */
#define FCNTL(name)                              \
    int name(int fd, int command, ...)           \
    {                                            \
        va_list arguments;                       \
        va_start(arguments, command);            \
        long argument = va_arg(arguments, long); \
        va_end(arguments);                       \
        return fcntl_any(fd, command, argument); \
    }
FCNTL(fcntl)
FCNTL(fcntl64)

int ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (!is_ours(fd)) {
        return (int)syscall(SYS_ioctl, fd, request, argument);
    }
    tap_lock();
    struct file *file = ours[fd];
    if (request == FIONBIO) {
        file->flags = *(int *)argument ? file->flags | O_NONBLOCK : file->flags & ~O_NONBLOCK;
        return (int)leave(0);
    }
    return (int)leave(file->ops->ioctl == NULL ? -ENOTTY
                                               : file->ops->ioctl(file, request, argument));
}

/* --- waiting: always ours, host descriptors take part as proxies --- */

int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
    return (int)CALL(ppoll, P(fds), count, P(timeout));
}

int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
    return ppoll(fds, count, timeout_ms < 0 ? NULL : &timeout, NULL);
}

int pselect(int limit, fd_set *read_set, fd_set *write_set, fd_set *except,
            const struct timespec *timeout, const sigset_t *mask)
{
    return (int)CALL(pselect6, A(limit), P(read_set), P(write_set), P(except), P(timeout));
}

int select(int limit, fd_set *read_set, fd_set *write_set, fd_set *except, struct timeval *timeout)
{
    struct timespec time = {0, 0};
    if (timeout != NULL) {
        time = (struct timespec){timeout->tv_sec, timeout->tv_usec * 1000};
    }
    return pselect(limit, read_set, write_set, except, timeout == NULL ? NULL : &time, NULL);
}

int epoll_create1(int flags)
{
    return (int)CALL(epoll_create1, A(flags));
}

int epoll_create(int size)
{
    return epoll_create1(0);
}

int epoll_ctl(int fd, int operation, int target, struct epoll_event *event)
{
    return (int)CALL(epoll_ctl, A(fd), A(operation), A(target), P(event));
}

int epoll_pwait(int fd, struct epoll_event *events, int room, int timeout_ms, const sigset_t *mask)
{
    return (int)CALL(epoll_pwait, A(fd), P(events), A(room), A(timeout_ms));
}

int epoll_wait(int fd, struct epoll_event *events, int room, int timeout_ms)
{
    return epoll_pwait(fd, events, room, timeout_ms, NULL);
}

ssize_t sendfile(int out, int in, off_t *offset, size_t size)
{
    return is_ours(out) ? CALL(sendfile, A(out), A(in), P(offset), size)
                        : syscall(SYS_sendfile, out, in, offset, size);
}

ssize_t sendfile64(int out, int in, off_t *offset, size_t size)
{
    return sendfile(out, in, offset, size);
}

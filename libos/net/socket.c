/* Socket system calls; what is particular to TCP and UDP is in tcp.c and udp.c. */
#include "net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/time.h>

#include "libos/heap.h"
#include "libos/syscall.h"
#include "libos/thread.h"
#include "libos/time.h"
#include "lwip/tcp.h"
#include "lwip/udp.h"

int error_of(int lwip_error)
{
    static const uint8_t number[] = {
        [ERR_OK] = 0,
        [-ERR_MEM] = ENOBUFS,
        [-ERR_BUF] = ENOBUFS,
        [-ERR_TIMEOUT] = ETIMEDOUT,
        [-ERR_RTE] = EHOSTUNREACH,
        [-ERR_INPROGRESS] = EINPROGRESS,
        [-ERR_VAL] = EINVAL,
        [-ERR_WOULDBLOCK] = EAGAIN,
        [-ERR_USE] = EADDRINUSE,
        [-ERR_ALREADY] = EALREADY,
        [-ERR_ISCONN] = EISCONN,
        [-ERR_CONN] = ENOTCONN,
        [-ERR_IF] = ENETDOWN,
        [-ERR_ABRT] = ECONNABORTED,
        [-ERR_RST] = ECONNRESET,
        [-ERR_CLSD] = ENOTCONN,
        [-ERR_ARG] = EINVAL,
    };
    int index = -lwip_error;
    return index >= 0 && (size_t)index < sizeof(number) ? number[index] : EIO;
}

struct socket *socket_new(int domain, int type, const struct file_ops *ops)
{
    struct socket *socket = heap_zalloc(sizeof(*socket));
    if (socket != NULL) {
        socket->file = (struct file){ops, 1, O_RDWR};
        socket->domain = domain;
        socket->type = type;
    }
    return socket;
}

struct socket *socket_get(int fd, long *error)
{
    struct file *file = file_get(fd);
    if (file == NULL) {
        *error = -EBADF;
        return NULL;
    }
    if (file->ops != &tcp_ops && file->ops != &udp_ops) {
        *error = -ENOTSOCK;
        return NULL;
    }
    return (struct socket *)file;
}

#if LWIP_IPV6
static int address_parse6(const struct socket *socket, const void *address, socklen_t size,
                          ip_addr_t *ip, uint16_t *port)
{
    if (size < sizeof(struct sockaddr_in6)) {
        return -EINVAL;
    }
    const struct sockaddr_in6 *in6 = address;
    ip6_addr_t ip6;
    memset(&ip6, 0, sizeof(ip6));
    memcpy(ip6.addr, &in6->sin6_addr, 16);
    *port = __builtin_bswap16(in6->sin6_port);
    if (ip6_addr_isipv4mappedipv6(&ip6)) {
        ip_addr_set_ip4_u32(ip, ip6.addr[3]);
        return 0;
    }
    ip_addr_copy_from_ip6(*ip, ip6);
    if (ip6_addr_isany(&ip6) && !socket->v6_only) {
        *ip = *IP_ANY_TYPE; /* both families, as Linux does */
    }
    return 0;
}

static void address_store6(const ip_addr_t *ip, struct sockaddr_in6 *in6)
{
    if (IP_IS_V4_VAL(*ip)) {
        uint32_t mapped[4] = {0, 0, __builtin_bswap32(0xffff), ip_2_ip4(ip)->addr};
        memcpy(&in6->sin6_addr, mapped, 16);
    } else if (!IP_IS_ANY_TYPE_VAL(*ip)) {
        memcpy(&in6->sin6_addr, ip_2_ip6(ip)->addr, 16);
    }
}
#else /* sys_socket() makes no AF_INET6 socket */
static int address_parse6(const struct socket *socket, const void *address, socklen_t size,
                          ip_addr_t *ip, uint16_t *port)
{
    return -EAFNOSUPPORT;
}
static void address_store6(const ip_addr_t *ip, struct sockaddr_in6 *in6)
{
}
#endif

int address_parse(const struct socket *socket, const void *address, socklen_t size, ip_addr_t *ip,
                  uint16_t *port)
{
    const struct sockaddr *generic = address;
    if (size < sizeof(generic->sa_family)) {
        return -EINVAL;
    }
    if (generic->sa_family == AF_INET && size >= sizeof(struct sockaddr_in)) {
        const struct sockaddr_in *in = address;
        ip_addr_set_ip4_u32(ip, in->sin_addr.s_addr);
        *port = __builtin_bswap16(in->sin_port);
        return socket->domain == AF_INET ? 0 : -EAFNOSUPPORT;
    }
    return generic->sa_family == AF_INET6 && socket->domain == AF_INET6
               ? address_parse6(socket, address, size, ip, port)
               : (generic->sa_family == socket->domain ? -EINVAL : -EAFNOSUPPORT);
}

void address_store(const struct socket *socket, const ip_addr_t *ip, uint16_t port, void *address,
                   socklen_t *size)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    const void *from = &in;
    socklen_t length = sizeof(in);
    if (socket->domain == AF_INET) {
        in.sin_port = __builtin_bswap16(port);
        in.sin_addr.s_addr = IP_IS_V4(ip) ? ip_2_ip4(ip)->addr : 0;
    } else {
        in6.sin6_port = __builtin_bswap16(port);
        from = &in6;
        length = sizeof(in6);
        address_store6(ip, &in6);
    }
    memcpy(address, from, MIN(*size, length));
    *size = length;
}

uint64_t socket_deadline(const struct socket *socket)
{
    return socket->receive_timeout_ms == 0
               ? TIME_NEVER
               : time_monotonic_ns() + (uint64_t)socket->receive_timeout_ms * 1000000;
}

int socket_wait(struct socket *socket, int flags, uint64_t deadline_ns)
{
    if (socket->file.flags & O_NONBLOCK || flags & MSG_DONTWAIT ||
        time_monotonic_ns() >= deadline_ns) {
        return -EAGAIN;
    }
    thread_wait_event(deadline_ns);
    return 0;
}

#define SOCKET_OR_RETURN(argument)                                 \
    long error = 0;                                                \
    struct socket *socket = socket_get(ARG_INT(argument), &error); \
    if (socket == NULL) {                                          \
        return error;                                              \
    }

SYSCALL(socket)
{
    int domain = ARG_INT(0);
    int type = ARG_INT(1) & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (domain != AF_INET && !(LWIP_IPV6 && domain == AF_INET6)) {
        return -EAFNOSUPPORT;
    }
    if (type != SOCK_STREAM && type != SOCK_DGRAM) {
        return -EPROTONOSUPPORT;
    }
    struct socket *socket = socket_new(domain, type, type == SOCK_STREAM ? &tcp_ops : &udp_ops);
    if (socket == NULL) {
        return -ENOBUFS;
    }
    int error = type == SOCK_STREAM ? tcp_socket_open(socket) : udp_socket_open(socket);
    if (error != 0) {
        heap_free(socket);
        return error;
    }
    socket->file.flags |= ARG_INT(1) & SOCK_NONBLOCK ? O_NONBLOCK : 0;
    int fd = file_install(&socket->file, 0, true);
    if (fd < 0) {
        file_put(&socket->file);
    }
    return fd;
}

SYSCALL(socketpair)
{
    return -EOPNOTSUPP;
}

SYSCALL(bind)
{
    SOCKET_OR_RETURN(0)
    ip_addr_t ip;
    uint16_t port;
    error = address_parse(socket, ARG_POINTER(1, void), (socklen_t)f->x[2], &ip, &port);
    if (error != 0) {
        return error;
    }
    return socket->type == SOCK_STREAM ? tcp_socket_bind(socket, &ip, port)
                                       : udp_socket_bind(socket, &ip, port);
}

SYSCALL(listen)
{
    SOCKET_OR_RETURN(0)
    if (socket->type != SOCK_STREAM) {
        return -EOPNOTSUPP;
    }
    bool first = socket->state == SOCKET_NEW;
    error = tcp_socket_listen(socket, ARG_INT(1));
    if (error == 0 && first) {
        net_say_listening(socket->tcp->local_port);
    }
    return error;
}

static long accept_one(struct syscall_frame *f, int flags)
{
    SOCKET_OR_RETURN(0)
    if (socket->state != SOCKET_LISTENING) {
        return -EINVAL;
    }
    uint64_t deadline = socket_deadline(socket);
    struct socket *new;
    while ((new = tcp_socket_accept(socket)) == NULL) {
        error = socket_wait(socket, 0, deadline);
        if (error != 0) {
            return error;
        }
    }
    new->file.flags |= flags &SOCK_NONBLOCK ? O_NONBLOCK : 0;
    int fd = file_install(&new->file, 0, true);
    if (fd < 0) {
        file_put(&new->file);
    } else if (f->x[1] != 0) {
        address_store(new, &new->peer, new->peer_port, ARG_POINTER(1, void),
                      ARG_POINTER(2, socklen_t));
    }
    return fd;
}

SYSCALL(accept)
{
    return accept_one(f, 0);
}

SYSCALL(accept4)
{
    return accept_one(f, ARG_INT(3));
}

SYSCALL(connect)
{
    SOCKET_OR_RETURN(0)
    ip_addr_t ip;
    uint16_t port;
    if (socket->type == SOCK_DGRAM && *ARG_POINTER(1, sa_family_t) == AF_UNSPEC) {
        udp_disconnect(socket->udp);
        socket->state = SOCKET_NEW;
        return 0;
    }
    error = address_parse(socket, ARG_POINTER(1, void), (socklen_t)f->x[2], &ip, &port);
    if (error != 0) {
        return error;
    }
    return socket->type == SOCK_STREAM ? tcp_socket_connect(socket, &ip, port)
                                       : udp_socket_connect(socket, &ip, port);
}

SYSCALL(getsockname)
{
    SOCKET_OR_RETURN(0)
    ip_addr_t any = *IP4_ADDR_ANY;
    const ip_addr_t *ip = &any;
    uint16_t port = 0;
    if (socket->type == SOCK_DGRAM) {
        ip = &socket->udp->local_ip;
        port = socket->udp->local_port;
    } else if (socket->tcp != NULL) {
        ip = &socket->tcp->local_ip;
        port = socket->tcp->local_port;
    }
    address_store(socket, ip, port, ARG_POINTER(1, void), ARG_POINTER(2, socklen_t));
    return 0;
}

SYSCALL(getpeername)
{
    SOCKET_OR_RETURN(0)
    if (socket->state != SOCKET_CONNECTED && socket->state != SOCKET_CLOSED) {
        return -ENOTCONN;
    }
    address_store(socket, &socket->peer, socket->peer_port, ARG_POINTER(1, void),
                  ARG_POINTER(2, socklen_t));
    return 0;
}

ssize_t socket_send_vector(struct socket *socket, const struct iovec *iov, int count, int flags,
                           const void *address, socklen_t address_size)
{
    if (socket->type == SOCK_STREAM) {
        ssize_t total = 0;
        for (int i = 0; i < count; i++) {
            int more = i + 1 < count ? MSG_MORE : 0;
            ssize_t done = tcp_socket_send(socket, iov[i].iov_base, iov[i].iov_len, flags | more);
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
    ip_addr_t ip;
    uint16_t port = 0;
    if (address == NULL || address_size == 0) {
        return udp_socket_send(socket, iov, count, NULL, 0);
    }
    int error = address_parse(socket, address, address_size, &ip, &port);
    return error != 0 ? error : udp_socket_send(socket, iov, count, &ip, port);
}

ssize_t socket_writev(struct file *file, const struct iovec *iov, int count)
{
    return socket_send_vector((struct socket *)file, iov, count, 0, NULL, 0);
}

SYSCALL(sendto)
{
    SOCKET_OR_RETURN(0)
    struct iovec iov = {ARG_POINTER(1, void), ARG_SIZE(2)};
    return socket_send_vector(socket, &iov, 1, ARG_INT(3), ARG_POINTER(4, void),
                              (socklen_t)f->x[5]);
}

SYSCALL(sendmsg)
{
    SOCKET_OR_RETURN(0)
    const struct msghdr *message = ARG_POINTER(1, struct msghdr);
    return socket_send_vector(socket, message->msg_iov, (int)message->msg_iovlen, ARG_INT(2),
                              message->msg_name, message->msg_namelen);
}

static long receive_vector(struct socket *socket, const struct iovec *iov, int count, int flags,
                           void *address, socklen_t *address_size, bool *cut)
{
    if (socket->type == SOCK_STREAM) {
        ssize_t total = 0;
        for (int i = 0; i < count; i++) {
            ssize_t got = tcp_socket_receive(socket, iov[i].iov_base, iov[i].iov_len,
                                             i == 0 ? flags : flags | MSG_DONTWAIT);
            if (got < 0) {
                return total > 0 ? total : got;
            }
            total += got;
            if ((size_t)got < iov[i].iov_len) {
                break;
            }
        }
        if (address_size != NULL) {
            *address_size = 0;
        }
        return total;
    }
    ip_addr_t from;
    uint16_t port;
    ssize_t got = udp_socket_receive(socket, iov, count, flags, &from, &port, cut);
    if (got >= 0 && address != NULL) {
        address_store(socket, &from, port, address, address_size);
    }
    return got;
}

SYSCALL(recvfrom)
{
    SOCKET_OR_RETURN(0)
    struct iovec iov = {ARG_POINTER(1, void), ARG_SIZE(2)};
    bool cut = false;
    return receive_vector(socket, &iov, 1, ARG_INT(3), ARG_POINTER(4, void),
                          ARG_POINTER(5, socklen_t), &cut);
}

SYSCALL(recvmsg)
{
    SOCKET_OR_RETURN(0)
    struct msghdr *message = ARG_POINTER(1, struct msghdr);
    bool cut = false;
    long got = receive_vector(socket, message->msg_iov, (int)message->msg_iovlen, ARG_INT(2),
                              message->msg_name,
                              message->msg_name == NULL ? NULL : &message->msg_namelen, &cut);
    message->msg_controllen = 0;
    message->msg_flags = cut ? MSG_TRUNC : 0;
    return got;
}

SYSCALL(shutdown)
{
    SOCKET_OR_RETURN(0)
    return socket->type == SOCK_STREAM ? tcp_socket_shutdown(socket, ARG_INT(1)) : 0;
}

/* Before it is bound only: lwIP keeps the family in the addresses. */
static void set_v6_only(struct socket *socket)
{
#if LWIP_IPV6
    if (socket->state == SOCKET_NEW) {
        uint8_t type = socket->v6_only ? IPADDR_TYPE_V6 : IPADDR_TYPE_ANY;
        bool stream = socket->type == SOCK_STREAM;
        ip_addr_t *local = stream ? &socket->tcp->local_ip : &socket->udp->local_ip;
        ip_addr_t *remote = stream ? &socket->tcp->remote_ip : &socket->udp->remote_ip;
        IP_SET_TYPE(local, type);
        IP_SET_TYPE(remote, type);
    }
#endif
}

SYSCALL(setsockopt)
{
    SOCKET_OR_RETURN(0)
    int level = ARG_INT(1);
    int name = ARG_INT(2);
    const void *value = ARG_POINTER(3, void);
    int number = 0;
    memcpy(&number, value, MIN((size_t)f->x[4], sizeof(number)));
    if (level == SOL_SOCKET && name == SO_RCVTIMEO) {
        const struct timeval *time = value;
        socket->receive_timeout_ms = (uint32_t)(time->tv_sec * 1000 + time->tv_usec / 1000);
    } else if (level == SOL_SOCKET && name == SO_REUSEADDR) {
        socket->reuse = number != 0;
    } else if (level == SOL_SOCKET && name == SO_KEEPALIVE) {
        socket->keep_alive = number != 0;
    } else if (level == IPPROTO_TCP && name == TCP_NODELAY) {
        socket->no_delay = number != 0;
    } else if (level == IPPROTO_IPV6 && name == IPV6_V6ONLY) {
        socket->v6_only = number != 0;
        set_v6_only(socket);
    } else if (level != SOL_SOCKET && level != IPPROTO_TCP && level != IPPROTO_IP &&
               level != IPPROTO_IPV6) {
        return -ENOPROTOOPT;
    }
    if (socket->type == SOCK_STREAM) {
        tcp_socket_apply_options(socket);
    }
    return 0; /* buffer sizes and the like are accepted and have no effect */
}

SYSCALL(getsockopt)
{
    SOCKET_OR_RETURN(0)
    int level = ARG_INT(1);
    int name = ARG_INT(2);
    socklen_t *size = ARG_POINTER(4, socklen_t);
    int number = 0;
    if (level == SOL_SOCKET && name == SO_ERROR) {
        number = socket->error;
        socket->error = 0;
    } else if (level == SOL_SOCKET && name == SO_TYPE) {
        number = socket->type;
    } else if (level == SOL_SOCKET && name == SO_DOMAIN) {
        number = socket->domain;
    } else if (level == SOL_SOCKET && name == SO_ACCEPTCONN) {
        number = socket->state == SOCKET_LISTENING;
    } else if (level == SOL_SOCKET && (name == SO_RCVBUF || name == SO_SNDBUF)) {
        number = name == SO_RCVBUF ? TCP_WND : TCP_SND_BUF;
    } else if (level == SOL_SOCKET && name == SO_REUSEADDR) {
        number = socket->reuse;
    } else if (level == SOL_SOCKET && name == SO_KEEPALIVE) {
        number = socket->keep_alive;
    } else if (level == IPPROTO_TCP && name == TCP_NODELAY) {
        number = socket->no_delay;
    } else if (level == IPPROTO_TCP && name == TCP_MAXSEG) {
        number = TCP_MSS;
    } else if (level == IPPROTO_IPV6 && name == IPV6_V6ONLY) {
        number = socket->v6_only;
    } else {
        return -ENOPROTOOPT;
    }
    memcpy(ARG_POINTER(3, void), &number, MIN(*size, (socklen_t)sizeof(number)));
    *size = sizeof(number);
    return 0;
}

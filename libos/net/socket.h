/*
 * Sockets: our layer between system calls and lwIP's raw API.
 *
 *   TCP:  NEW --connect--> CONNECTING --> CONNECTED --> (peer or we shut down) --> CLOSED
 *          \--listen--> LISTENING
 *
 * lwIP's callbacks run inside pollers (or inside our own calls for the loopback) and only move
 * data and state; waiting is done by the system calls, which look again after each event.
 */
#ifndef LIBOS_NET_SOCKET_H
#define LIBOS_NET_SOCKET_H

#include <sys/socket.h>

#include "libos/file.h"
#include "lwip/ip_addr.h"
#include "lwip/pbuf.h"

struct tcp_pcb;
struct udp_pcb;

enum socket_state {
    SOCKET_NEW,
    SOCKET_LISTENING,
    SOCKET_CONNECTING,
    SOCKET_CONNECTED,
    SOCKET_CLOSED
};

struct datagram {
    struct datagram *next;
    struct pbuf *data;
    ip_addr_t from;
    uint16_t port;
};

struct socket {
    struct file file; /* first: a struct file * is a struct socket * */
    int domain;       /* AF_INET or AF_INET6 */
    int type;         /* SOCK_STREAM or SOCK_DGRAM */
    enum socket_state state;
    int error; /* pending, reported once: positive errno */
    bool end;  /* no more will come */
    bool write_shut;
    bool v6_only;
    bool no_delay;
    bool keep_alive;
    bool reuse;
    uint32_t receive_timeout_ms; /* 0: for ever */
    union {
        struct tcp_pcb *tcp;
        struct udp_pcb *udp;
    };
    struct pbuf *received; /* TCP: bytes not yet read; `offset` of the first are */
    uint16_t offset;
    struct datagram *datagrams; /* UDP: oldest first */
    unsigned int datagram_count;
    struct socket *accepted; /* listener: connections nobody has accepted yet, oldest first */
    struct socket *next;     /* in that list */
    unsigned int accepted_count;
    unsigned int backlog;
    ip_addr_t peer; /* kept after the pcb is gone, for getpeername */
    uint16_t peer_port;
};

/** The socket behind a descriptor, or NULL with *error set to -EBADF or -ENOTSOCK. */
struct socket *socket_get(int fd, long *error);

/** A new socket object without a descriptor; NULL if there is no memory. */
struct socket *socket_new(int domain, int type, const struct file_ops *ops);

/** Between lwIP's addresses and the C library's. parse returns 0 or -errno. */
int address_parse(const struct socket *socket, const void *address, socklen_t size, ip_addr_t *ip,
                  uint16_t *port);
void address_store(const struct socket *socket, const ip_addr_t *ip, uint16_t port, void *address,
                   socklen_t *size);

/** sendmsg() without ancillary data; writev() with no address. Bytes taken, or -errno. */
ssize_t socket_send_vector(struct socket *socket, const struct iovec *iov, int count, int flags,
                           const void *address, socklen_t address_size);
ssize_t socket_writev(struct file *file, const struct iovec *iov, int count);

/** Wait for an event; -EAGAIN if the socket does not wait or has waited long enough. */
int socket_wait(struct socket *socket, int flags, uint64_t deadline_ns);
uint64_t socket_deadline(const struct socket *socket);

/** errno of an lwIP error. */
int error_of(int lwip_error);

/* Operations of each kind: net/tcp.c, net/udp.c. */
extern const struct file_ops tcp_ops, udp_ops;
int tcp_socket_open(struct socket *socket);
int tcp_socket_bind(struct socket *socket, const ip_addr_t *ip, uint16_t port);
int tcp_socket_listen(struct socket *socket, int backlog);
int tcp_socket_connect(struct socket *socket, const ip_addr_t *ip, uint16_t port);
struct socket *tcp_socket_accept(struct socket *listener);
/** Bytes taken, or -errno. With MSG_MORE they wait for the next call, or for lwIP's clock of 500 ms. */
ssize_t tcp_socket_send(struct socket *socket, const void *data, size_t size, int flags);
ssize_t tcp_socket_receive(struct socket *socket, void *to, size_t size, int flags);
int tcp_socket_shutdown(struct socket *socket, int how);
void tcp_socket_apply_options(struct socket *socket);

int udp_socket_open(struct socket *socket);
int udp_socket_bind(struct socket *socket, const ip_addr_t *ip, uint16_t port);
int udp_socket_connect(struct socket *socket, const ip_addr_t *ip, uint16_t port);
ssize_t udp_socket_send(struct socket *socket, const struct iovec *iov, int count,
                        const ip_addr_t *ip, uint16_t port);
ssize_t udp_socket_receive(struct socket *socket, const struct iovec *iov, int count, int flags,
                           ip_addr_t *from, uint16_t *port, bool *cut);

/** Does the device cut frames of NET_UNCUT_MAX bytes into segments? May wait for the store. */
bool net_cuts(void);

/** Make lwIP's begun output go to the device now, not at the next poll. */
void net_flush(void);

/** Lines on the console: the first listener is there; the first bytes went out. */
void net_say_listening(uint16_t port);
void net_say_answered(void);

#endif

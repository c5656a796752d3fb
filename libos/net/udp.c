#include "lwip/udp.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

#include "libos/heap.h"
#include "net/socket.h"

#define QUEUE_MAX 64 /* datagrams waiting on one socket; more are dropped, as UDP may */

static void on_datagram(void *argument, struct udp_pcb *pcb, struct pbuf *data,
                        const ip_addr_t *from, u16_t port)
{
    struct socket *socket = argument;
    struct datagram *datagram =
        socket->datagram_count < QUEUE_MAX ? heap_alloc(sizeof(*datagram)) : NULL;
    if (datagram == NULL) {
        pbuf_free(data);
        return;
    }
    *datagram = (struct datagram){NULL, data, *from, port};
    struct datagram **last = &socket->datagrams;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = datagram;
    socket->datagram_count++;
}

int udp_socket_open(struct socket *socket)
{
    socket->udp = udp_new_ip_type(socket->domain == AF_INET ? IPADDR_TYPE_V4
                                  : socket->v6_only         ? IPADDR_TYPE_V6
                                                            : IPADDR_TYPE_ANY);
    if (socket->udp == NULL) {
        return -ENOBUFS;
    }
    udp_recv(socket->udp, on_datagram, socket);
    return 0;
}

int udp_socket_bind(struct socket *socket, const ip_addr_t *ip, uint16_t port)
{
    if (socket->reuse) {
        ip_set_option(socket->udp, SOF_REUSEADDR);
    }
    return -error_of(udp_bind(socket->udp, ip, port));
}

int udp_socket_connect(struct socket *socket, const ip_addr_t *ip, uint16_t port)
{
    socket->peer = *ip;
    socket->peer_port = port;
    err_t error = udp_connect(socket->udp, ip, port);
    socket->state = error == ERR_OK ? SOCKET_CONNECTED : socket->state;
    return -error_of(error);
}

ssize_t udp_socket_send(struct socket *socket, const struct iovec *iov, int count,
                        const ip_addr_t *ip, uint16_t port)
{
    size_t size = 0;
    for (int i = 0; i < count; i++) {
        size += iov[i].iov_len;
    }
    if (size > 65507) {
        return -EMSGSIZE;
    }
    if (ip == NULL && socket->state != SOCKET_CONNECTED) {
        return -EDESTADDRREQ;
    }
    struct pbuf *data = pbuf_alloc(PBUF_TRANSPORT, (u16_t)size, PBUF_RAM);
    if (data == NULL) {
        return -ENOBUFS;
    }
    size_t at = 0;
    for (int i = 0; i < count; i++) {
        pbuf_take_at(data, iov[i].iov_base, (u16_t)iov[i].iov_len, (u16_t)at);
        at += iov[i].iov_len;
    }
    err_t error =
        ip == NULL ? udp_send(socket->udp, data) : udp_sendto(socket->udp, data, ip, port);
    pbuf_free(data);
    net_flush();
    return error == ERR_OK ? (ssize_t)size : -error_of(error);
}

static void drop_first(struct socket *socket)
{
    struct datagram *first = socket->datagrams;
    socket->datagrams = first->next;
    socket->datagram_count--;
    pbuf_free(first->data);
    heap_free(first);
}

ssize_t udp_socket_receive(struct socket *socket, const struct iovec *iov, int count, int flags,
                           ip_addr_t *from, uint16_t *port, bool *cut)
{
    uint64_t deadline = socket_deadline(socket);
    while (socket->datagrams == NULL) {
        int error = socket_wait(socket, flags, deadline);
        if (error != 0) {
            return error;
        }
    }
    struct datagram *first = socket->datagrams;
    size_t done = 0;
    for (int i = 0; i < count && done < first->data->tot_len; i++) {
        done += pbuf_copy_partial(first->data, iov[i].iov_base, (u16_t)MIN(iov[i].iov_len, 0xffff),
                                  (u16_t)done);
    }
    *from = first->from;
    *port = first->port;
    *cut = done < first->data->tot_len;
    if (!(flags & MSG_PEEK)) {
        drop_first(socket);
    }
    return (ssize_t)done;
}

static short udp_poll_now(struct file *file)
{
    return (short)(POLLOUT | (((struct socket *)file)->datagrams != NULL ? POLLIN : 0));
}

static ssize_t udp_read(struct file *file, void *to, size_t size)
{
    struct iovec iov = {to, size};
    ip_addr_t from;
    uint16_t port;
    bool cut;
    return udp_socket_receive((struct socket *)file, &iov, 1, 0, &from, &port, &cut);
}

static ssize_t udp_write(struct file *file, const void *from, size_t size)
{
    struct iovec iov = {(void *)(uintptr_t)from, size};
    return udp_socket_send((struct socket *)file, &iov, 1, NULL, 0);
}

static void udp_socket_close(struct file *file)
{
    struct socket *socket = (struct socket *)file;
    while (socket->datagrams != NULL) {
        drop_first(socket);
    }
    udp_remove(socket->udp);
    heap_free(socket);
}

static int udp_stat(struct file *file, struct stat *to)
{
    to->st_mode = S_IFSOCK | 0777;
    return 0;
}

const struct file_ops udp_ops = {
    .read = udp_read,
    .write = udp_write,
    .writev = socket_writev,
    .poll = udp_poll_now,
    .stat = udp_stat,
    .close = udp_socket_close,
};

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

#include "libos/heap.h"
#include "libos/netdev.h"
#include "libos/platform.h"
#include "libos/thread.h"
#include "lwip/tcp.h"
#include "net/socket.h"

#define ACCEPT_MAX 255 /* lwIP counts in 8 bits */

static void detach(struct tcp_pcb *pcb)
{
    tcp_arg(pcb, NULL);
    if (pcb->state != LISTEN) {
        tcp_recv(pcb, NULL);
        tcp_err(pcb, NULL);
    }
}

/* Both directions are closed: lwIP sees the connection to its end alone, and frees the pcb
 * without telling us (TIME_WAIT), so we must not keep the pointer. */
static void let_go(struct socket *socket)
{
    detach(socket->tcp);
    socket->tcp = NULL;
    socket->state = SOCKET_CLOSED;
}

static err_t on_receive(void *argument, struct tcp_pcb *pcb, struct pbuf *data, err_t error)
{
    struct socket *socket = argument;
    if (data == NULL) {
        socket->end = true;
        if (socket->write_shut) {
            let_go(socket);
        }
    } else if (socket->received == NULL) {
        socket->received = data;
    } else {
        pbuf_cat(socket->received, data);
    }
    return ERR_OK;
}

static void on_error(void *argument, err_t error)
{
    struct socket *socket = argument;
    socket->tcp = NULL; /* lwIP has freed it */
    socket->end = true;
    socket->error =
        socket->state == SOCKET_CONNECTING && error == ERR_RST ? ECONNREFUSED : error_of(error);
    socket->state = SOCKET_CLOSED;
}

static err_t on_connected(void *argument, struct tcp_pcb *pcb, err_t error)
{
    struct socket *socket = argument;
    socket->state = SOCKET_CONNECTED;
    return ERR_OK;
}

static void attach(struct socket *socket, struct tcp_pcb *pcb)
{
    socket->tcp = pcb;
    tcp_arg(pcb, socket);
    tcp_recv(pcb, on_receive);
    tcp_err(pcb, on_error);
}

static void drop_received(struct socket *socket)
{
    if (socket->received != NULL) {
        pbuf_free(socket->received);
        socket->received = NULL;
    }
}

static void tcp_socket_close(struct file *file)
{
    struct socket *socket = (struct socket *)file;
    for (struct socket *s = socket->accepted; s != NULL;) {
        struct socket *next = s->next;
        tcp_socket_close(&s->file);
        s = next;
    }
    if (socket->tcp != NULL) {
        struct tcp_pcb *pcb = socket->tcp;
        detach(pcb);
        /* Unread data makes lwIP send a reset, as Linux does. No memory for the FIN: reset too. */
        if (tcp_close(pcb) != ERR_OK) {
            tcp_abort(pcb);
        }
    }
    drop_received(socket);
    heap_free(socket);
    net_flush();
}

static err_t on_accept(void *argument, struct tcp_pcb *pcb, err_t error)
{
    struct socket *listener = argument;
    if (pcb == NULL || error != ERR_OK || listener->accepted_count >= listener->backlog) {
        return ERR_MEM; /* lwIP aborts the connection */
    }
    struct socket *socket = socket_new(listener->domain, SOCK_STREAM, &tcp_ops);
    if (socket == NULL) {
        return ERR_MEM;
    }
    socket->state = SOCKET_CONNECTED;
    socket->no_delay = listener->no_delay;
    socket->keep_alive = listener->keep_alive;
    socket->peer = pcb->remote_ip;
    socket->peer_port = pcb->remote_port;
    attach(socket, pcb);
    tcp_socket_apply_options(socket);
    struct socket **last = &listener->accepted;
    while (*last != NULL) {
        last = &(*last)->next;
    }
    *last = socket;
    listener->accepted_count++;
    tcp_backlog_delayed(pcb); /* counted until accept(): if full, SYNs are dropped and come again */
    return ERR_OK;
}

int tcp_socket_open(struct socket *socket)
{
    struct tcp_pcb *pcb = tcp_new_ip_type(socket->domain == AF_INET ? IPADDR_TYPE_V4
                                          : socket->v6_only         ? IPADDR_TYPE_V6
                                                                    : IPADDR_TYPE_ANY);
    if (pcb == NULL) {
        return -ENOBUFS;
    }
    attach(socket, pcb);
    return 0;
}

void tcp_socket_apply_options(struct socket *socket)
{
    if (socket->tcp == NULL || socket->state == SOCKET_LISTENING) {
        return;
    }
    if (socket->no_delay) {
        tcp_nagle_disable(socket->tcp);
    } else {
        tcp_nagle_enable(socket->tcp);
    }
    if (socket->keep_alive) {
        ip_set_option(socket->tcp, SOF_KEEPALIVE);
    } else {
        ip_reset_option(socket->tcp, SOF_KEEPALIVE);
    }
}

int tcp_socket_bind(struct socket *socket, const ip_addr_t *ip, uint16_t port)
{
    if (socket->tcp == NULL || socket->state != SOCKET_NEW) {
        return -EINVAL;
    }
    if (socket->reuse) {
        ip_set_option(socket->tcp, SOF_REUSEADDR);
    }
    return -error_of(tcp_bind(socket->tcp, ip, port));
}

int tcp_socket_listen(struct socket *socket, int backlog)
{
    socket->backlog = (unsigned int)MIN(MAX(backlog, 1), ACCEPT_MAX);
    if (socket->state == SOCKET_LISTENING) {
        return 0;
    }
    if (socket->state != SOCKET_NEW) {
        return -EINVAL;
    }
    struct tcp_pcb *listener = tcp_listen_with_backlog(socket->tcp, (u8_t)socket->backlog);
    if (listener == NULL) {
        return -ENOBUFS;
    }
    socket->tcp = listener;
    socket->state = SOCKET_LISTENING;
    tcp_arg(listener, socket);
    tcp_accept(listener, on_accept);
    return 0;
}

int tcp_socket_connect(struct socket *socket, const ip_addr_t *ip, uint16_t port)
{
    switch (socket->state) {
    case SOCKET_CONNECTING:
        return -EALREADY;
    case SOCKET_CONNECTED:
        return -EISCONN;
    case SOCKET_NEW:
        break;
    default:
        return socket->error != 0 ? -socket->error : -EINVAL;
    }
    socket->state = SOCKET_CONNECTING;
    socket->peer = *ip;
    socket->peer_port = port;
    err_t error = tcp_connect(socket->tcp, ip, port, on_connected);
    if (error != ERR_OK) {
        socket->state = SOCKET_NEW;
        return -error_of(error);
    }
    net_flush();
    if (socket->file.flags & O_NONBLOCK) {
        return -EINPROGRESS;
    }
    while (socket->state == SOCKET_CONNECTING) {
        thread_wait_event(TIME_NEVER);
    }
    int result = -socket->error;
    socket->error = 0;
    return result;
}

struct socket *tcp_socket_accept(struct socket *listener)
{
    struct socket *socket = listener->accepted;
    if (socket != NULL) {
        listener->accepted = socket->next;
        listener->accepted_count--;
        socket->next = NULL;
        if (socket->tcp != NULL) {
            tcp_backlog_accepted(socket->tcp);
        }
    }
    return socket;
}

static int take_error(struct socket *socket)
{
    int error = socket->error;
    socket->error = 0;
    return error;
}

/* Read-only memory of the image never changes: lwIP may refer to it instead of copying. */
static u8_t copy_flag(const void *data, size_t size)
{
    return platform_is_constant(data, size) ? 0 : TCP_WRITE_FLAG_COPY;
}

/*
 * Segments of NET_SEGMENTS frames, where the device cuts them: a tenth of the headers, queues and
 * calls. The window starts with one of them (RFC 6928). After a loss, and for a peer whose window
 * holds less, they are of one frame, so that what may be sent can be that little. They change back
 * when all is acknowledged: lwIP never sends a segment larger than the window after a time-out.
 */
static void choose_segment(struct tcp_pcb *pcb, size_t size)
{
    bool large = pcb->mss > TCP_MSS;
    unsigned int frame = large ? pcb->mss / NET_SEGMENTS : pcb->mss;
    bool lost = pcb->ssthresh < TCP_SND_BUF; /* its value until then */
    bool fits = !lost && pcb->snd_wnd >= frame * NET_SEGMENTS;
    if (!large && size > frame && fits && frame >= TCP_MSS / 4 && IP_IS_V4_VAL(pcb->remote_ip) &&
        !ip_addr_cmp(&pcb->local_ip, &pcb->remote_ip) && net_cuts()) {
        pcb->mss = (u16_t)(frame * NET_SEGMENTS);
        pcb->cwnd = MAX(pcb->cwnd, pcb->mss);
    } else if (large && !fits && pcb->unsent == NULL && pcb->unacked == NULL) {
        pcb->mss = (u16_t)frame;
    }
}

/* As much of data as lwIP takes now; 0 if it is full. */
static size_t queue_some(struct tcp_pcb *pcb, const char *data, size_t size, bool more)
{
    choose_segment(pcb, size);
    size_t part = MIN(size, (size_t)MIN(tcp_sndbuf(pcb), 0xffff));
    u8_t flags = copy_flag(data, size) | (more || part < size ? TCP_WRITE_FLAG_MORE : 0);
    /* A full queue of segments is ERR_MEM: try less, down to one segment. */
    while (part > 0 && tcp_write(pcb, data, (u16_t)part, flags) != ERR_OK) {
        part = part > TCP_MSS ? part / 2 : 0;
    }
    return part;
}

ssize_t tcp_socket_send(struct socket *socket, const void *data, size_t size, int flags)
{
    size_t done = 0;
    while (done < size) {
        if (socket->state == SOCKET_CONNECTING && !(socket->file.flags & O_NONBLOCK)) {
            thread_wait_event(TIME_NEVER);
            continue;
        }
        if (socket->tcp == NULL || socket->state != SOCKET_CONNECTED || socket->write_shut) {
            int error = take_error(socket);
            if (done > 0) {
                break;
            }
            return socket->state == SOCKET_CONNECTING ? -EAGAIN
                   : socket->state == SOCKET_NEW      ? -ENOTCONN
                   : error != 0                       ? -error
                                                      : -EPIPE;
        }
        size_t part =
            queue_some(socket->tcp, (const char *)data + done, size - done, flags & MSG_MORE);
        done += part;
        if (part == 0) {
            tcp_output(socket->tcp);
            net_flush();
            if (socket_wait(socket, flags, TIME_NEVER) != 0) {
                break;
            }
        }
    }
    if (socket->tcp != NULL && socket->state == SOCKET_CONNECTED && !(flags & MSG_MORE)) {
        tcp_output(socket->tcp);
        net_flush();
        net_say_answered();
    }
    return done == 0 && size != 0 ? -EAGAIN : (ssize_t)done;
}

/* Copy out and, unless peeking, free what was read and open the window again. */
static size_t take_received(struct socket *socket, char *to, size_t size, bool peek)
{
    size_t got = MIN(size, (size_t)(socket->received->tot_len - socket->offset));
    pbuf_copy_partial(socket->received, to, (u16_t)MIN(got, 0xffff), socket->offset);
    got = MIN(got, (size_t)0xffff);
    if (peek) {
        return got;
    }
    size_t left = socket->offset + got;
    while (socket->received != NULL && left >= socket->received->len) {
        struct pbuf *first = socket->received;
        left -= first->len;
        socket->received = first->next;
        if (first->next != NULL) {
            pbuf_ref(first->next);
        }
        pbuf_free(first);
    }
    socket->offset = (uint16_t)left;
    if (socket->tcp != NULL) {
        tcp_recved(socket->tcp, (u16_t)got);
    }
    return got;
}

ssize_t tcp_socket_receive(struct socket *socket, void *to, size_t size, int flags)
{
    size_t done = 0;
    uint64_t deadline = socket_deadline(socket);
    if (socket->state == SOCKET_NEW || socket->state == SOCKET_LISTENING) {
        return -ENOTCONN;
    }
    while (size > 0) {
        if (socket->received != NULL) {
            done += take_received(socket, (char *)to + done, size - done, flags & MSG_PEEK);
            if (done == size || !(flags & MSG_WAITALL) || flags & MSG_PEEK) {
                break;
            }
            continue;
        }
        if (done > 0 && !(flags & MSG_WAITALL)) {
            break;
        }
        if (socket->error != 0 && done == 0) {
            return -take_error(socket);
        }
        if (socket->end) {
            break;
        }
        int error = socket_wait(socket, flags, deadline);
        if (error != 0) {
            return done > 0 ? (ssize_t)done : error;
        }
    }
    net_flush();
    return (ssize_t)done;
}

int tcp_socket_shutdown(struct socket *socket, int how)
{
    if (socket->tcp == NULL || socket->state != SOCKET_CONNECTED) {
        return -ENOTCONN;
    }
    if (how == SHUT_RD || how == SHUT_RDWR) {
        socket->end = true;
    }
    if (how == SHUT_WR || how == SHUT_RDWR) {
        socket->write_shut = true;
        /* Only the sending side: what still arrives is acknowledged and thrown away by us. */
        err_t error = tcp_shutdown(socket->tcp, 0, 1);
        if (socket->end && error == ERR_OK) {
            let_go(socket);
        }
        net_flush();
        return -error_of(error);
    }
    return 0;
}

static short tcp_poll_now(struct file *file)
{
    struct socket *socket = (struct socket *)file;
    short events = 0;
    if (socket->state == SOCKET_LISTENING) {
        return socket->accepted != NULL ? POLLIN | POLLRDNORM : 0;
    }
    if (socket->state == SOCKET_NEW) {
        return POLLOUT | POLLHUP;
    }
    if (socket->received != NULL || socket->end) {
        events |= POLLIN | POLLRDNORM;
    }
    if (socket->end) {
        events |= POLLRDHUP;
    }
    if (socket->tcp != NULL && socket->state == SOCKET_CONNECTED && !socket->write_shut &&
        tcp_sndbuf(socket->tcp) > TCP_SNDLOWAT &&
        tcp_sndqueuelen(socket->tcp) < TCP_SNDQUEUELOWAT) {
        events |= POLLOUT | POLLWRNORM;
    }
    if (socket->state == SOCKET_CLOSED || (socket->end && socket->write_shut)) {
        events |= POLLHUP | POLLOUT;
    }
    if (socket->error != 0) {
        events |= POLLERR;
    }
    return events;
}

static ssize_t tcp_read(struct file *file, void *to, size_t size)
{
    return tcp_socket_receive((struct socket *)file, to, size, 0);
}

static ssize_t tcp_write_file(struct file *file, const void *from, size_t size)
{
    return tcp_socket_send((struct socket *)file, from, size, 0);
}

static long tcp_ioctl(struct file *file, unsigned long request, void *argument)
{
    struct socket *socket = (struct socket *)file;
    if (request == 0x541b /* FIONREAD */) {
        *(int *)argument =
            socket->received == NULL ? 0 : socket->received->tot_len - socket->offset;
        return 0;
    }
    return -ENOTTY;
}

static int socket_stat(struct file *file, struct stat *to)
{
    to->st_mode = S_IFSOCK | 0777;
    return 0;
}

const struct file_ops tcp_ops = {
    .read = tcp_read,
    .write = tcp_write_file,
    .writev = socket_writev,
    .poll = tcp_poll_now,
    .ioctl = tcp_ioctl,
    .stat = socket_stat,
    .close = tcp_socket_close,
};

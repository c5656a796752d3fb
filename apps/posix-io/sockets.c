/* Both ends of each connection are ours: the loopback needs no other machine. */
#define _GNU_SOURCE
#include "sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "../posix/check.h"

static struct sockaddr_in here;
static socklen_t size = sizeof(here);

static void errors(void)
{
    struct sockaddr_in far = {.sin_family = AF_INET, .sin_port = htons(1)};
    int pair[2];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    inet_pton(AF_INET, "127.0.0.1", &far.sin_addr);
    check(fd > 2 && socket(4711, SOCK_STREAM, 0) == -1 && errno == EAFNOSUPPORT,
          "socket: of a family unknown");
    check(socketpair(AF_INET, SOCK_STREAM, 0, pair) == -1 && errno == EOPNOTSUPP,
          "socketpair: EOPNOTSUPP");
    check(recv(fd, pair, 1, 0) == -1 && errno == ENOTCONN, "recvfrom: ENOTCONN");
    check(getpeername(fd, (void *)&far, &size) == -1 && errno == ENOTCONN, "getpeername: ENOTCONN");
    check(shutdown(fd, SHUT_WR) == -1 && errno == ENOTCONN, "shutdown: ENOTCONN");
    check(accept(fd, NULL, NULL) == -1 && errno == EINVAL, "accept: without listen is EINVAL");
    check(connect(fd, (void *)&far, sizeof(far)) == -1 && errno == ECONNREFUSED,
          "connect: ECONNREFUSED");
    check(bind(1, (void *)&far, sizeof(far)) == -1 && errno == ENOTSOCK, "bind: ENOTSOCK");
    close(fd);
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    check(listen(fd, 1) == -1 && errno == EOPNOTSUPP, "listen: a datagram socket is EOPNOTSUPP");
    close(fd);
}

static int listener(void)
{
    int on = 1, got = 0;
    socklen_t room = sizeof(got);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    check(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0,
          "setsockopt: SO_REUSEADDR");
    check(setsockopt(fd, 4711, 1, &on, sizeof(on)) == -1 && errno != EBADF,
          "setsockopt: of no level");
    check(getsockopt(fd, SOL_SOCKET, SO_TYPE, &got, &room) == 0 && got == SOCK_STREAM,
          "getsockopt: SO_TYPE");
    here = (struct sockaddr_in){.sin_family = AF_INET};
    inet_pton(AF_INET, "127.0.0.1", &here.sin_addr);
    check(bind(fd, (void *)&here, sizeof(here)) == 0, "bind: to any port");
    check(listen(fd, 8) == 0, "listen: done");
    check(getsockname(fd, (void *)&here, &size) == 0 && here.sin_port != 0,
          "getsockname: the port chosen");
    check(accept(fd, NULL, NULL) == -1 && errno == EAGAIN, "accept: nobody yet is EAGAIN");
    return fd;
}

static void waiting(int server, int client)
{
    struct pollfd polled = {server, POLLIN, 0};
    struct epoll_event event = {EPOLLIN, {.fd = server}}, got[2];
    struct timeval now = {0, 0};
    fd_set readable;
    char byte;
    int set = epoll_create1(0);
    check(set > 2 && epoll_ctl(set, EPOLL_CTL_ADD, server, &event) == 0,
          "epoll_create1, epoll_ctl: a socket watched");
    check(epoll_ctl(set, EPOLL_CTL_ADD, server, &event) == -1 && errno == EEXIST,
          "epoll_ctl: twice is EEXIST");
    check(epoll_wait(set, got, 2, 0) == 0 && poll(&polled, 1, 0) == 0,
          "epoll_pwait, ppoll: nothing yet");
    check(write(client, "x", 1) == 1 && epoll_wait(set, got, 2, -1) == 1 &&
              got[0].data.fd == server,
          "epoll_pwait: something to read");
    check(poll(&polled, 1, -1) == 1 && polled.revents == POLLIN, "ppoll: something to read");
    FD_ZERO(&readable);
    FD_SET(server, &readable);
    FD_SET(client, &readable);
    check(select(FD_SETSIZE - 1 < client + server + 1 ? FD_SETSIZE : client + server + 1, &readable,
                 NULL, NULL, &now) == 1 &&
              FD_ISSET(server, &readable) && !FD_ISSET(client, &readable),
          "pselect6: one of two");
    check(read(server, &byte, 1) == 1 && byte == 'x' && poll(&polled, 1, 20) == 0,
          "ppoll: a deadline passes");
    check(epoll_ctl(set, EPOLL_CTL_DEL, server, NULL) == 0 &&
              epoll_ctl(set, EPOLL_CTL_MOD, server, &event) == -1 && errno == ENOENT,
          "epoll_ctl: taken out, then ENOENT");
    close(set);
}

static void transfer(int server, int client, const char *folder)
{
    char got[64] = {0}, path[256];
    struct iovec out[2] = {{"ab", 2}, {"cd", 2}}, in = {got, 4};
    struct msghdr sent = {.msg_iov = out, .msg_iovlen = 2},
                  receive = {.msg_iov = &in, .msg_iovlen = 1};
    off_t from = 2;
    int waiting_bytes = 0;
    check(sendmsg(client, &sent, 0) == 4 && recvmsg(server, &receive, MSG_WAITALL) == 4 &&
              !memcmp(got, "abcd", 4),
          "sendmsg, recvmsg: two pieces");
    check(send(server, "hello", 5, 0) == 5 && recv(client, got, 5, MSG_PEEK | MSG_WAITALL) == 5 &&
              ioctl(client, FIONREAD, &waiting_bytes) == 0 && waiting_bytes == 5,
          "recvfrom: MSG_PEEK leaves it; ioctl: FIONREAD");
    check(recv(client, got, 64, 0) == 5 && recv(client, got, 1, MSG_DONTWAIT) == -1 &&
              errno == EAGAIN,
          "recvfrom: MSG_DONTWAIT is EAGAIN");
    snprintf(path, sizeof(path), "%s/sent", folder);
    int file = open(path, O_RDWR | O_CREAT, 0644);
    check(write(file, "0123456789", 10) == 10 && sendfile(client, file, &from, 100) == 8 &&
              from == 10 && recv(server, got, 8, MSG_WAITALL) == 8 &&
              memcmp(got, "23456789", 8) == 0,
          "sendfile: from an offset to the end");
    close(file);
    unlink(path);
    check(shutdown(client, SHUT_WR) == 0 && recv(server, got, 1, 0) == 0,
          "shutdown: the other side sees the end");
    check(send(client, "x", 1, MSG_NOSIGNAL) == -1 && errno == EPIPE,
          "sendto: after shutdown is EPIPE");
    check(send(server, "y", 1, 0) == 1 && recv(client, got, 1, 0) == 1,
          "shutdown: the other half goes on");
}

static void streams(const char *folder)
{
    struct sockaddr_in peer = {0};
    int listening = listener(), on = 1, error = 1;
    socklen_t room = sizeof(error);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    check(connect(client, (void *)&here, sizeof(here)) == 0, "connect: to ourselves");
    struct pollfd polled = {listening, POLLIN, 0};
    poll(&polled, 1, 5000);
    size = sizeof(peer);
    int server = accept(listening, (void *)&peer, &size);
    check(server > 2 && peer.sin_family == AF_INET && peer.sin_port != 0,
          "accept: with the peer's address");
    check(getpeername(client, (void *)&peer, &size) == 0 && peer.sin_port == here.sin_port,
          "getpeername: the server");
    check(setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0,
          "setsockopt: TCP_NODELAY");
    check(getsockopt(client, SOL_SOCKET, SO_ERROR, &error, &room) == 0 && error == 0,
          "getsockopt: SO_ERROR is none");
    waiting(server, client);
    transfer(server, client, folder);
    close(client);
    close(server);
    client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    error = connect(client, (void *)&here, sizeof(here));
    check(error == 0 || errno == EINPROGRESS, "connect: without waiting is EINPROGRESS");
    poll(&polled, 1, 5000);
    server = accept4(listening, NULL, NULL, SOCK_NONBLOCK);
    check(server > 2 && read(server, &on, 1) == -1 && errno == EAGAIN, "accept4: SOCK_NONBLOCK");
    close(client);
    close(server);
    close(listening);
}

static void datagrams(void)
{
    struct sockaddr_in from = {0};
    struct timeval soon = {0, 20000};
    char got[8] = {0};
    struct iovec in = {got, 2};
    struct msghdr receive = {.msg_iov = &in, .msg_iovlen = 1};
    int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0);
    here.sin_port = 0;
    size = sizeof(here);
    check(bind(a, (void *)&here, sizeof(here)) == 0 && getsockname(a, (void *)&here, &size) == 0 &&
              here.sin_port != 0,
          "bind: a datagram socket");
    check(sendto(b, "ping", 4, 0, (void *)&here, sizeof(here)) == 4, "sendto: a datagram");
    check(recvfrom(a, got, 8, 0, (void *)&from, &size) == 4 && memcmp(got, "ping", 4) == 0 &&
              from.sin_port != 0,
          "recvfrom: with the sender");
    check(connect(b, (void *)&here, sizeof(here)) == 0 && send(b, "long", 4, 0) == 4,
          "connect: a datagram socket");
    check(recvmsg(a, &receive, 0) == 2 && receive.msg_flags & MSG_TRUNC, "recvmsg: MSG_TRUNC");
    check(setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)) == 0 &&
              recv(a, got, 8, 0) == -1 && errno == EAGAIN,
          "setsockopt: SO_RCVTIMEO ends a wait");
    close(a);
    close(b);
}

void sockets(const char *folder)
{
    errors();
    streams(folder);
    datagrams();
}

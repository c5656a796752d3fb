#include <stddef.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "transport.h"

/* By descriptor: no memory to ask for. */
static struct transport {
    int fd;
} transports[1024];

int transport_init(const char *argument)
{
    return 0;
}

struct transport *transport_open(int fd)
{
    if (fd < 0 || (size_t)fd >= sizeof(transports) / sizeof(transports[0])) {
        return NULL;
    }
    transports[fd].fd = fd;
    return &transports[fd];
}

void transport_close(struct transport *transport)
{
    transport->fd = -1;
}

void transport_finish(struct transport *transport)
{
    shutdown(transport->fd, SHUT_WR);
}

ssize_t transport_receive(struct transport *transport, void *to, size_t size)
{
    return recv(transport->fd, to, size, 0);
}

ssize_t transport_send(struct transport *transport, const void *from, size_t size, int more)
{
    return send(transport->fd, from, size, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
}

ssize_t transport_send_file(struct transport *transport, int file, off_t *offset, size_t size)
{
    return sendfile(transport->fd, file, offset, size);
}

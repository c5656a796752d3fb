#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "transport.h"

struct transport {
    int fd;
};

int transport_init(const char *argument)
{
    return 0;
}

struct transport *transport_open(int fd)
{
    struct transport *transport = malloc(sizeof(*transport));
    if (transport != NULL) {
        transport->fd = fd;
    }
    return transport;
}

void transport_close(struct transport *transport)
{
    free(transport);
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

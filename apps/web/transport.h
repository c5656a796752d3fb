/*
 * What lies between the web server and its sockets: nothing (plain.c) or TLS (tls.c). All calls
 * return like send() and recv(): a count, 0 at the end, -1 with errno (EAGAIN: later).
 */
#ifndef APPS_WEB_TRANSPORT_H
#define APPS_WEB_TRANSPORT_H

#include <sys/types.h>

struct transport;

/** Once, before the first connection; `argument` is the command line's third word. 0 or -1. */
int transport_init(const char *argument);

/** State for a new connection; NULL if there is no memory. */
struct transport *transport_open(int fd);
void transport_close(struct transport *transport);

/** No more will be sent; the client may still send. */
void transport_finish(struct transport *transport);

ssize_t transport_receive(struct transport *transport, void *to, size_t size);
ssize_t transport_send(struct transport *transport, const void *from, size_t size, int more);
ssize_t transport_send_file(struct transport *transport, int file, off_t *offset, size_t size);

#endif

#ifndef APPS_POSIX_IO_SOCKETS_H
#define APPS_POSIX_IO_SOCKETS_H

/** The system calls on sockets, and those that wait for them, over the loopback; a file in `folder` is sent. */
void sockets(const char *folder);

/** The C library's resolver: `name` has this address, says the name server that DHCP told us of. */
void resolve(const char *name, const char *address);

#endif

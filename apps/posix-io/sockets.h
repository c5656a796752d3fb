#ifndef APPS_POSIX_IO_SOCKETS_H
#define APPS_POSIX_IO_SOCKETS_H

/** The system calls on sockets, and those that wait for them, over the loopback; a file in `folder` is sent. */
void sockets(const char *folder);

#endif

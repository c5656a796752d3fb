/* What the parts of the TAP stage share. */
#ifndef LIBOS_TAP_TAP_H
#define LIBOS_TAP_TAP_H

#include <stdbool.h>
#include <stdio.h>

/** The TAP device's descriptor, or -1 before the network is started. */
int tap_descriptor(void);

/** Start TCP/IP if it is not; the caller does not hold the lock. */
void tap_start(void);

/** One lock around everything of ours: the library OS is written for one flow of control. */
void tap_lock(void);
void tap_unlock(void);

/** True if the program polls descriptors of the host's beside ours. */
bool tap_has_host_files(void);

/** /etc/resolv.conf, or another file of the image's by its name there; NULL with errno set. */
FILE *tap_resolver_open(const char *path);

#endif

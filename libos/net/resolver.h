/* /etc/resolv.conf as the C library's resolver reads it, from DHCP or the manifest. */
#ifndef LIBOS_NET_RESOLVER_H
#define LIBOS_NET_RESOLVER_H

#include "libos/base.h"

/** Remember name server `index` (0 or 1), four bytes in network order. */
void resolver_set_server(unsigned int index, const uint8_t address[4]);

/** The file's text; returns its length. */
size_t resolver_text(char *text, size_t size);

#endif

/*
 * Which name servers the C library's resolver is to ask, as it reads them: the text of /etc/resolv.conf.
 *
 * `dns=ADDRESS` in the manifest or the boot arguments comes first; else what DHCP offers. Not in an image
 * unless its program looks names up (tools/app/build.py); without it DHCP is not asked for name servers.
 */
#ifndef LIBOS_NET_RESOLVER_H
#define LIBOS_NET_RESOLVER_H

#include "libos/base.h"

#define RESOLVER_TEXT_MAX 96 /* two servers of IPv4, or one of IPv6 */

/** Panic if dns= is no address: later it would be a silent server. */
void resolver_check(void);

/**
 * Write the text, at most RESOLVER_TEXT_MAX bytes; returns its length. Waits for DHCP's first lease, but
 * not longer than a resolver waits for an answer.
 */
size_t resolver_text(char text[RESOLVER_TEXT_MAX]);

#endif

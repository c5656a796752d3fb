/* lwIP's view of compiler and C library: written for the library OS, not taken from a port. */
#ifndef LIBOS_NET_LWIP_ARCH_CC_H
#define LIBOS_NET_LWIP_ARCH_CC_H

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "libos/base.h"
#include "libos/heap.h"
#include "libos/random.h"

#define LWIP_NO_STDINT_H 0
#define LWIP_NO_INTTYPES_H 0
#define LWIP_ERRNO_INCLUDE <errno.h>
#define LWIP_TIMEVAL_PRIVATE 0
#define BYTE_ORDER __BYTE_ORDER__
#ifndef LITTLE_ENDIAN
#define LITTLE_ENDIAN __ORDER_LITTLE_ENDIAN__
#define BIG_ENDIAN __ORDER_BIG_ENDIAN__
#endif

#define LWIP_PLATFORM_DIAG(arguments) ((void)0)
/* lwIP's self-checks run in the TAP stage, under sanitizers; an image does not carry them. */
#ifdef LIBOS_TAP_STAGE
#define LWIP_PLATFORM_ASSERT(message) libos_panic("lwIP: %s (%s:%d)", message, __FILE__, __LINE__)
#else
#define LWIP_NOASSERT
#define LWIP_PLATFORM_ASSERT(message) __builtin_trap()
#endif
#define LWIP_PLATFORM_HTONS(x) __builtin_bswap16(x)
#define LWIP_PLATFORM_HTONL(x) __builtin_bswap32(x)

void *libos_calloc(size_t count, size_t size);
uint16_t net_checksum(const void *data, int size);

#endif

/* For third-party sources that are built freestanding: what lib/string.c has, by the C library's header name. */
#include <lib/string.h>

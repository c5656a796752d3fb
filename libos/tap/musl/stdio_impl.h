/* The files that the resolver reads are those of the image, not the host's: tap/resolver.c. */
#include <stdio.h>

#include "tap/tap.h"

#define __fopen_rb_ca(path, place, buffer, size) tap_resolver_open(path)
#define __fclose_ca fclose

/* For third-party sources that are built freestanding: the one function libfdt's headers name. */
#ifndef LIBC_STDLIB_H
#define LIBC_STDLIB_H

#include <stddef.h>

#endif

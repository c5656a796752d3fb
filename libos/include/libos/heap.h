/*
 * The library OS's own small allocator, apart from the program's malloc, so that neither can
 * corrupt or starve the other unnoticed: size classes of 32 bytes to a page, each class a
 * free list fed one page at a time; larger requests are whole pages.
 */
#ifndef LIBOS_HEAP_H
#define LIBOS_HEAP_H

#include "libos/base.h"

/** Memory of at least `size` bytes, 16-byte aligned, not cleared; NULL if there is none. */
void *heap_alloc(size_t size);

/** Like heap_alloc(), cleared. */
void *heap_zalloc(size_t size);

/** Give back what heap_alloc() returned; NULL is allowed. */
void heap_free(void *memory);

#endif

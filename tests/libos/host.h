/* What parts of the library OS ask of it, on the host: for the one file of a test that includes this. */
#ifndef TESTS_LIBOS_HOST_H
#define TESTS_LIBOS_HOST_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "libos/base.h"
#include "libos/heap.h"

static bool host_no_memory; /* heap_alloc() fails */

void *heap_alloc(size_t size)
{
    return host_no_memory ? NULL : malloc(size);
}

void *heap_zalloc(size_t size)
{
    return calloc(1, size);
}

void heap_free(void *memory)
{
    free(memory);
}

void libos_log(const char *format, ...)
{
}

void libos_panic(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printf("Bail out! ");
    vprintf(format, arguments);
    printf("\n");
    exit(1);
}

#endif

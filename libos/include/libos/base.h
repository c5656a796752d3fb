/*
 * What every part of the library OS leans on: log, panic, small helpers.
 *
 * Errors: functions return 0 (or a count) or a negative errno in the numbers of
 * musl's <errno.h>, which are Linux/arm64's and so what the C library expects
 * of a system call.
 */
#ifndef LIBOS_BASE_H
#define LIBOS_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE (1UL << PAGE_SHIFT)
#define PAGE_MASK (PAGE_SIZE - 1)

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define ALIGN_UP(x, to) (((x) + ((to)-1)) & ~((typeof(x))(to)-1))

#define must_check __attribute__((warn_unused_result))
#define printf_like(text, first) __attribute__((__format__(__printf__, text, first)))

/* A deadline that never comes; all deadlines are nanoseconds of time_monotonic_ns(). */
#define TIME_NEVER UINT64_MAX

/** One line on the console, "libos: " before it; a subset of printf: %s %c %d %u %x %lx %lu %ld %p. */
void libos_log(const char *format, ...) printf_like(1, 2);

/** Say why, then stop the domain with reason "crash". For our own broken invariants and for
 *  resources without which nothing can go on; never for what a peer or the network sent. */
void libos_panic(const char *format, ...) printf_like(1, 2) __attribute__((noreturn));

/** Format like libos_log() into text[size]; returns the length written, always terminated. */
size_t libos_format(char *text, size_t size, const char *format, ...) printf_like(3, 4);
size_t libos_vformat(char *text, size_t size, const char *format, va_list arguments);

/** memcpy() for what may be large: payload, files, sectors. */
void copy_bulk(void *restrict to, const void *restrict from, size_t size);

#define CHECK(condition)                                                              \
    do {                                                                              \
        if (__builtin_expect(!(condition), 0)) {                                      \
            libos_panic("check failed: %s at %s:%d", #condition, __FILE__, __LINE__); \
        }                                                                             \
    } while (0)

#endif

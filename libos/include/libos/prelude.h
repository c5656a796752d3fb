/*
 * Included before everything (-include) in the library OS's own objects.
 *
 * Hidden visibility: no address goes through a table, so boot code can run before relocation.
 * Some functions of our own: musl's memset and strspn use SIMD registers, which a system call
 * must leave alone (tests/libos/pure.py looks at all that we take from musl).
 */
#ifndef LIBOS_PRELUDE_H
#define LIBOS_PRELUDE_H

#ifndef __ASSEMBLER__
#pragma GCC visibility push(hidden)

typedef __SIZE_TYPE__ libos_size_t;
void *memcpy(void *restrict, const void *restrict, libos_size_t) __asm__("libos_memcpy");
void *memmove(void *, const void *, libos_size_t) __asm__("libos_memmove");
void *memset(void *, int, libos_size_t) __asm__("libos_memset");
int memcmp(const void *, const void *, libos_size_t) __asm__("libos_memcmp");
libos_size_t strspn(const char *, const char *) __asm__("libos_strspn");
libos_size_t strcspn(const char *, const char *) __asm__("libos_strcspn");
#endif

#endif

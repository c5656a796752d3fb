/*
 * memory and string functions for code without a C library.
 *
 * Memory is moved in 64-bit words, many to a round, which the compiler pairs
 * into LDP/STP: no FP registers (a guest's are in them), and no access that
 * is not aligned (the code also runs with alignment checking on). Two areas
 * that are not aligned to each other are copied by bytes: for much data there
 * is arch_copy_unaligned().
 *
 * The compiler must not recognise these loops and replace them by calls to
 * the very functions they implement.
 */
#include <lib/string.h>

#include <stdint.h>

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

typedef uint64_t __attribute__((may_alias)) word;

enum { WORD = sizeof(word), ROUND = 32, FILL = 8 }; /* words to a round of copying, of filling */

static int aligned_alike(const void *a, const void *b)
{
    return (((uintptr_t)a ^ (uintptr_t)b) & (WORD - 1)) == 0;
}

/* Bytes up to the next word, at most `size`. */
static size_t head_bytes(const void *at, size_t size)
{
    size_t head = -(uintptr_t)at & (WORD - 1);
    return head < size ? head : size;
}

/* Loads before stores, so that the compiler pairs them. */
#define MOVE4(at)                                                          \
    do {                                                                   \
        word a = f[at], b = f[(at) + 1], c = f[(at) + 2], d = f[(at) + 3]; \
        t[at] = a, t[(at) + 1] = b, t[(at) + 2] = c, t[(at) + 3] = d;      \
    } while (0)

static void copy_up(unsigned char *to, const unsigned char *from, size_t size)
{
    if (aligned_alike(to, from)) {
        for (size_t head = head_bytes(to, size); head; head--, size--) {
            *to++ = *from++;
        }
        word *t = (word *)(void *)to;
        const word *f = (const word *)(const void *)from;
        for (; size >= ROUND * WORD; size -= ROUND * WORD, t += ROUND, f += ROUND) {
#pragma GCC unroll 8
            for (unsigned i = 0; i < ROUND; i += 4) {
                MOVE4(i);
            }
        }
        for (; size >= 4 * WORD; size -= 4 * WORD, t += 4, f += 4) {
            MOVE4(0);
        }
        for (; size >= WORD; size -= WORD) {
            *t++ = *f++;
        }
        to = (unsigned char *)t;
        from = (const unsigned char *)f;
    }
    while (size--) {
        *to++ = *from++;
    }
}

static void copy_down(unsigned char *to, const unsigned char *from, size_t size)
{
    to += size;
    from += size;
    if (aligned_alike(to, from)) {
        for (; size && ((uintptr_t)to & (WORD - 1)); size--) {
            *--to = *--from;
        }
        word *t = (word *)(void *)to;
        const word *f = (const word *)(const void *)from;
        for (; size >= WORD; size -= WORD) {
            *--t = *--f;
        }
        to = (unsigned char *)t;
        from = (const unsigned char *)f;
    }
    while (size--) {
        *--to = *--from;
    }
}

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    copy_up(to, from, size);
    return to;
}

void *memmove(void *to, const void *from, size_t size)
{
    /* One unsigned comparison: `to` is not inside [from, from + size). */
    if ((uintptr_t)to - (uintptr_t)from >= size) {
        copy_up(to, from, size);
    } else {
        copy_down(to, from, size);
    }
    return to;
}

void *memset(void *at, int byte, size_t size)
{
    unsigned char *to = at;
    word fill = 0x0101010101010101ull * (unsigned char)byte;

    for (size_t head = head_bytes(to, size); head; head--, size--) {
        *to++ = (unsigned char)byte;
    }
    word *t = (word *)(void *)to;
    for (; size >= FILL * WORD; size -= FILL * WORD, t += FILL) {
        t[0] = fill, t[1] = fill, t[2] = fill, t[3] = fill;
        t[4] = fill, t[5] = fill, t[6] = fill, t[7] = fill;
    }
    for (; size >= WORD; size -= WORD) {
        *t++ = fill;
    }
    to = (unsigned char *)t;
    while (size--) {
        *to++ = (unsigned char)byte;
    }
    return at;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const unsigned char *x = a, *y = b;

    for (; size; size--, x++, y++) {
        if (*x != *y) {
            return *x - *y;
        }
    }
    return 0;
}

size_t strlen(const char *s)
{
    const char *end = s;

    while (*end) {
        end++;
    }
    return (size_t)(end - s);
}

size_t strnlen(const char *s, size_t limit)
{
    size_t n = 0;

    while (n < limit && s[n]) {
        n++;
    }
    return n;
}

int strcmp(const char *a, const char *b)
{
    for (; *a && *a == *b; a++, b++) {
    }
    return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t limit)
{
    for (; limit; limit--, a++, b++) {
        if (*a != *b || !*a) {
            return (unsigned char)*a - (unsigned char)*b;
        }
    }
    return 0;
}

char *strchr(const char *s, int c)
{
    for (;; s++) {
        if (*s == (char)c) {
            return (char *)(uintptr_t)s;
        }
        if (!*s) {
            return NULL;
        }
    }
}

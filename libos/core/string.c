/* Memory functions on general registers only; the compiler may not turn them into calls to themselves. */
#include <stdint.h>
#include <string.h>

#define NO_IDIOM __attribute__((optimize("no-tree-loop-distribute-patterns")))

typedef uint64_t word __attribute__((may_alias, aligned(1)));
typedef uint32_t half __attribute__((may_alias, aligned(1)));

NO_IDIOM void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    unsigned char *t = to;
    const unsigned char *f = from;
    if (size >= 16) {
        /* The last 16 bytes apart, overlapping what was copied before them: no loop for a rest. */
        word *last = (word *)(t + size - 16);
        const word *end = (const word *)(f + size - 16);
        if (size > 64) {
            size_t blocks = (size - 1) >> 6;
            size -= blocks << 6;
            /* Two pairs of registers, so that a load need not wait for the store before it. */
            __asm__ volatile("1: ldp x9, x10, [%1], #16\n\tldp x11, x12, [%1], #16\n\t"
                             "stp x9, x10, [%0], #16\n\tstp x11, x12, [%0], #16\n\t"
                             "ldp x9, x10, [%1], #16\n\tldp x11, x12, [%1], #16\n\t"
                             "subs %2, %2, #1\n\t"
                             "stp x9, x10, [%0], #16\n\tstp x11, x12, [%0], #16\n\t"
                             "b.ne 1b"
                             : "+&r"(t), "+&r"(f), "+&r"(blocks)
                             :
                             : "x9", "x10", "x11", "x12", "cc", "memory");
        }
        for (; size > 16; size -= 16, t += 16, f += 16) {
            uint64_t low = ((const word *)f)[0], high = ((const word *)f)[1];
            ((word *)t)[0] = low, ((word *)t)[1] = high;
        }
        uint64_t low = end[0], high = end[1];
        last[0] = low, last[1] = high;
        return to;
    }
    if (size >= 8) {
        uint64_t first = *(const word *)f, last = *(const word *)(f + size - 8);
        *(word *)t = first;
        *(word *)(t + size - 8) = last;
        return to;
    }
    if (size & 4) {
        *(half *)t = *(const half *)f;
        t += 4, f += 4;
    }
    if (size & 2) {
        *t++ = *f++;
        *t++ = *f++;
    }
    if (size & 1) {
        *t = *f;
    }
    return to;
}

NO_IDIOM void *memmove(void *to, const void *from, size_t size)
{
    unsigned char *t = to;
    const unsigned char *f = from;
    if (t == f || size == 0) {
        return to;
    }
    if ((uintptr_t)t - (uintptr_t)f >= size) {
        /* Destination before the source, or apart: forward is safe word by word. */
        for (; size >= 8; size -= 8, t += 8, f += 8) {
            *(word *)t = *(const word *)f;
        }
        while (size-- > 0) {
            *t++ = *f++;
        }
        return to;
    }
    while (size >= 8) {
        size -= 8;
        *(word *)(t + size) = *(const word *)(f + size);
    }
    while (size-- > 0) {
        t[size] = f[size];
    }
    return to;
}

NO_IDIOM void *memset(void *to, int value, size_t size)
{
    unsigned char *t = to;
    uint64_t pattern = (unsigned char)value * 0x0101010101010101ULL;
    if (value == 0 && size >= 256) {
        uint64_t dczid;
        __asm__("mrs %0, dczid_el0" : "=r"(dczid));
        size_t line = 4UL << (dczid & 15);
        while ((uintptr_t)t & (line - 1)) {
            *t++ = 0;
            size--;
        }
        unsigned char *end = t + (dczid & 16 ? 0 : size & ~(4 * line - 1));
        size -= (size_t)(end - t);
        while (t < end) {
            __asm__ volatile("dc zva, %0\n\tadd %0, %0, %1\n\tdc zva, %0\n\tadd %0, %0, %1\n\t"
                             "dc zva, %0\n\tadd %0, %0, %1\n\tdc zva, %0\n\tadd %0, %0, %1"
                             : "+&r"(t)
                             : "r"(line)
                             : "memory");
        }
    }
    for (; size >= 8; size -= 8, t += 8) {
        *(word *)t = pattern;
    }
    while (size-- > 0) {
        *t++ = (unsigned char)value;
    }
    return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const unsigned char *x = a;
    const unsigned char *y = b;
    for (; size >= 8 && *(const word *)x == *(const word *)y; size -= 8) {
        x += 8;
        y += 8;
    }
    for (; size > 0; size--, x++, y++) {
        if (*x != *y) {
            return *x - *y;
        }
    }
    return 0;
}

/* Sets are of one or two characters here: no call for each character of the text. */
static inline int is_in(char c, const char *set)
{
    while (*set != '\0' && *set != c) {
        set++;
    }
    return *set != '\0';
}

size_t strspn(const char *text, const char *accept)
{
    size_t length = 0;
    while (text[length] != '\0' && is_in(text[length], accept)) {
        length++;
    }
    return length;
}

size_t strcspn(const char *text, const char *reject)
{
    size_t length = 0;
    while (text[length] != '\0' && !is_in(text[length], reject)) {
        length++;
    }
    return length;
}

/* Text helpers; see lib/text.h. */
#include <lib/text.h>

#include <lib/string.h>

bool text_copy(char *to, size_t size, const char *from)
{
    size_t n = strnlen(from, size);
    bool fits = n < size;

    if (!fits) {
        n = size - 1;
    }
    memcpy(to, from, n);
    to[n] = 0;
    return fits;
}

size_t text_word(const char *s)
{
    size_t n = 0;

    while (s[n] != 0 && s[n] != ' ') {
        n++;
    }
    return n;
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

bool text_to_u64(const char *s, uint64_t *out)
{
    unsigned base = 10;
    uint64_t v = 0;

    if (s[0] == '0' && (s[1] | 0x20) == 'x') {
        base = 16;
        s += 2;
    }
    if (!*s) {
        return false;
    }
    for (; *s; s++) {
        unsigned digit = (unsigned)digit_value(*s);
        if (digit >= base || __builtin_mul_overflow(v, (uint64_t)base, &v) ||
            __builtin_add_overflow(v, (uint64_t)digit, &v)) {
            return false;
        }
    }
    *out = v;
    return true;
}

/* Text helpers; see lib/text.h. */
#include <lib/text.h>

#include <lib/string.h>

bool text_copy(char *to, size_t size, const char *from)
{
    size_t n = strnlen(from, size);
    bool fits = n < size;

    n -= !fits;
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

bool text_to_u64(const char *s, uint64_t *out)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    bool hex = s[0] == '0' && (s[1] | 0x20) == 'x';
    uint64_t v = 0, base = hex ? 16 : 10;

    s += hex ? 2 : 0;
    if (!*s) {
        return false;
    }
    for (; *s; s++) {
        const char *found = strchr(digits, *s);
        uint64_t digit = found ? (uint64_t)(found - digits) : base;
        digit -= found && digit >= 16 ? 6 : 0; /* a capital */
        if (digit >= base || __builtin_mul_overflow(v, base, &v) ||
            __builtin_add_overflow(v, digit, &v)) {
            return false;
        }
    }
    *out = v;
    return true;
}

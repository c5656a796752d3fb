/* Formatting, the console, and the mem* that the compiler expects. */
#include "kit.h"
#include "xen.h"

bool console_hypercall;

void *memset(void *to, int value, size_t size)
{
    for (u8 *p = to; size--; p++) {
        *(volatile u8 *)p = (u8)value;
    }
    return to;
}

void *memcpy(void *to, const void *from, size_t size)
{
    volatile u8 *t = to;
    for (const u8 *f = from; size--; f++, t++) {
        *t = *f;
    }
    return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const u8 *p = a, *q = b;
    for (; size--; p++, q++) {
        if (*p != *q) {
            return *p - *q;
        }
    }
    return 0;
}

bool str_equal(const char *a, const char *b)
{
    for (; *a && *a == *b; a++, b++) {
    }
    return *a == *b;
}

bool str_starts(const char *text, const char *start)
{
    for (; *start; text++, start++) {
        if (*text != *start) {
            return false;
        }
    }
    return true;
}

struct sink {
    char *at, *end;
    int count;
};

static void put(struct sink *sink, char c)
{
    if (sink->at < sink->end) {
        *sink->at++ = c;
    }
    sink->count++;
}

static void put_number(struct sink *sink, u64 value, unsigned base, int width, char pad, bool minus)
{
    char digits[24];
    int n = 0;
    do {
        digits[n++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    if (minus && pad == '0') {
        put(sink, '-');
    }
    for (int i = n + minus; i < width; i++) {
        put(sink, pad);
    }
    if (minus && pad != '0') {
        put(sink, '-');
    }
    while (n) {
        put(sink, digits[--n]);
    }
}

static void put_string(struct sink *sink, const char *text, int width)
{
    int n = 0;
    for (; text[n]; n++) {
        put(sink, text[n]);
    }
    for (; n < width; n++) {
        put(sink, ' ');
    }
}

/* One conversion, `format` just behind the %; returns what follows it. */
static const char *convert(struct sink *sink, const char *format, va_list *args)
{
    char pad = ' ';
    int width = 0, longs = 0;
    if (*format == '-') {
        format++;
    }
    if (*format == '0') {
        pad = '0';
        format++;
    }
    for (; *format >= '0' && *format <= '9'; format++) {
        width = width * 10 + *format - '0';
    }
    for (; *format == 'l' || *format == 'z'; format++) {
        longs++;
    }
    switch (*format) {
    case 'd': {
        s64 value = longs ? va_arg(*args, s64) : va_arg(*args, int);
        put_number(sink, value < 0 ? -(u64)value : (u64)value, 10, width, pad, value < 0);
        break;
    }
    case 'u':
    case 'x': {
        u64 value = longs ? va_arg(*args, u64) : va_arg(*args, unsigned);
        put_number(sink, value, *format == 'x' ? 16 : 10, width, pad, false);
        break;
    }
    case 'p':
        put_number(sink, (u64)va_arg(*args, void *), 16, width, pad, false);
        break;
    case 's':
        put_string(sink, va_arg(*args, const char *), width);
        break;
    case 'c':
        put(sink, (char)va_arg(*args, int));
        break;
    default:
        put(sink, *format);
    }
    return format + 1;
}

int kit_vformat(char *buffer, size_t size, const char *format, va_list args)
{
    struct sink sink = {buffer, buffer + size - 1, 0};
    va_list copy;
    va_copy(copy, args);
    while (*format) {
        if (*format == '%') {
            format = convert(&sink, format + 1, &copy);
        } else {
            put(&sink, *format++);
        }
    }
    va_end(copy);
    *sink.at = 0;
    return sink.count;
}

int kit_format(char *buffer, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int count = kit_vformat(buffer, size, format, args);
    va_end(args);
    return count;
}

void console_put(char c)
{
    if (console_hypercall || !machine.uart) {
        static char one[2];
        one[0] = c;
        barrier();
        hypercall(HYPERCALL_console_io, CONSOLEIO_write, 1, (u64)one, 0);
        return;
    }
    while (mmio_read32(machine.uart + 0x18) & 0x20) { /* FR.TXFF */
        relax();
    }
    mmio_write32(machine.uart, (u8)c);
}

u64 kit_random(u64 *state)
{
    u64 x = *state ? *state : 0x9e3779b97f4a7c15ull;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * 0x2545f4914f6cdd1dull;
}

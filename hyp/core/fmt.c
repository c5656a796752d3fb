/* printf-like formatting into a buffer; see hyp/log.h for what it knows. */
#include <hyp/log.h>

struct out {
    char *buf;
    size_t size;
    size_t length; /* of the whole text, also of what did not fit */
};

struct spec {
    bool left, zero, alternate;
    int width;
    int precision; /* -1: none; of %s the most characters, of numbers the least digits */
    int longs;     /* 0: int, else long, size_t or long long, which are all 64 bits */
};

static void put(struct out *o, char c)
{
    if (o->length + 1 < o->size) {
        o->buf[o->length] = c;
    }
    o->length++;
}

static void pad(struct out *o, char c, int count)
{
    for (; count > 0; count--) {
        put(o, c);
    }
}

static void put_text(struct out *o, const struct spec *s, const char *text)
{
    int length = 0;

    if (!text) {
        text = "(none)";
    }
    while (text[length] && (s->precision < 0 || length < s->precision)) {
        length++;
    }
    pad(o, ' ', s->left ? 0 : s->width - length);
    for (int i = 0; i < length; i++) {
        put(o, text[i]);
    }
    pad(o, ' ', s->left ? s->width - length : 0);
}

static void put_number(struct out *o, const struct spec *s, uint64_t v, bool negative,
                       unsigned base)
{
    char digits[24];
    int count = 0;
    const char *prefix = negative ? "-" : (s->alternate && base == 16 && v) ? "0x" : "";
    int prefix_length = negative ? 1 : prefix[0] ? 2 : 0;

    do {
        unsigned d = (unsigned)(v % base);
        digits[count++] = (char)(d < 10 ? '0' + d : 'a' + d - 10);
        v /= base;
    } while (v);

    int zeros = s->precision > count ? s->precision - count : 0;
    int fill = s->width - count - zeros - prefix_length;
    if (s->zero && !s->left && s->precision < 0 && fill > 0) {
        zeros += fill;
        fill = 0;
    }
    pad(o, ' ', s->left ? 0 : fill);
    while (*prefix) {
        put(o, *prefix++);
    }
    pad(o, '0', zeros);
    while (count) {
        put(o, digits[--count]);
    }
    pad(o, ' ', s->left ? fill : 0);
}

static const char *parse_count(const char *f, int *out, va_list *args)
{
    if (*f == '*') {
        *out = va_arg(*args, int);
        return f + 1;
    }
    for (*out = 0; *f >= '0' && *f <= '9'; f++) {
        *out = *out * 10 + (*f - '0');
    }
    return f;
}

/* Read flags, width, precision and length; returns the conversion's place. */
static const char *parse_spec(const char *f, struct spec *s, va_list *args)
{
    *s = (struct spec){.precision = -1};
    for (;; f++) {
        if (*f == '-') {
            s->left = true;
        } else if (*f == '0') {
            s->zero = true;
        } else if (*f == '#') {
            s->alternate = true;
        } else {
            break;
        }
    }
    f = parse_count(f, &s->width, args);
    if (s->width < 0) {
        s->left = true;
        s->width = -s->width;
    }
    if (*f == '.') {
        f = parse_count(f + 1, &s->precision, args);
    }
    for (; *f == 'l' || *f == 'z'; f++) {
        s->longs++;
    }
    return f;
}

/* The next argument, as wide as the format says. */
static uint64_t unsigned_argument(const struct spec *s, va_list *args)
{
    return s->longs == 0 ? va_arg(*args, unsigned) : va_arg(*args, uint64_t);
}

static int64_t signed_argument(const struct spec *s, va_list *args)
{
    return s->longs == 0 ? va_arg(*args, int) : va_arg(*args, int64_t);
}

static void convert(struct out *o, char conversion, const struct spec *s, va_list *args)
{
    int64_t v;

    switch (conversion) {
    case 'd':
        v = signed_argument(s, args);
        put_number(o, s, v < 0 ? -(uint64_t)v : (uint64_t)v, v < 0, 10);
        break;
    case 'u':
        put_number(o, s, unsigned_argument(s, args), false, 10);
        break;
    case 'x':
        put_number(o, s, unsigned_argument(s, args), false, 16);
        break;
    case 's':
        put_text(o, s, va_arg(*args, const char *));
        break;
    default: /* shown as it stands, so that the mistake is seen */
        put(o, '%');
        put(o, conversion);
        break;
    }
}

int vfmt(char *buf, size_t size, const char *format, va_list args)
{
    struct out o = {.buf = buf, .size = size};
    va_list copy;

    va_copy(copy, args);
    for (const char *f = format; *f; f++) {
        struct spec s;
        if (*f != '%') {
            put(&o, *f);
            continue;
        }
        f = parse_spec(f + 1, &s, &copy);
        if (*f == '%') {
            put(&o, '%');
        } else if (*f) {
            convert(&o, *f, &s, &copy);
        } else {
            break; /* a lone % at the end */
        }
    }
    va_end(copy);
    if (size) {
        buf[o.length < size ? o.length : size - 1] = 0;
    }
    return (int)o.length;
}

int fmt(char *buf, size_t size, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int length = vfmt(buf, size, format, args);
    va_end(args);
    return length;
}

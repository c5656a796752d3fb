/* printf-like formatting into a buffer; see hyp/log.h for what it knows. */
#include <hyp/log.h>

#include <lib/string.h>

struct out {
    char *buf;
    size_t size;
    size_t length; /* of the whole text, also of what did not fit */
};

struct spec {
    bool left, zero, alternate;
    int width;
    int precision; /* of %s: the most characters; -1: all */
    bool wide;     /* long, size_t or long long, which are all 64 bits; else int */
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

/* `length` characters of `text` in a field of the wanted width; zeros go behind the prefix. */
static void put_field(struct out *o, const struct spec *s, const char *prefix, const char *text,
                      int length)
{
    bool zeros = s->zero && !s->left;
    int fill = s->width - length - (int)strlen(prefix);

    pad(o, ' ', s->left || zeros ? 0 : fill);
    while (*prefix) {
        put(o, *prefix++);
    }
    pad(o, '0', zeros ? fill : 0);
    while (length--) {
        put(o, *text++);
    }
    pad(o, ' ', s->left ? fill : 0);
}

static void put_text(struct out *o, const struct spec *s, const char *text)
{
    int length = 0;

    text = text ? text : "(none)";
    while (text[length] && length != s->precision) {
        length++;
    }
    put_field(o, s, "", text, length);
}

static void put_number(struct out *o, const struct spec *s, const char *prefix, uint64_t v,
                       unsigned base)
{
    char digits[20];
    char *first = digits + sizeof(digits);

    do {
        *--first = "0123456789abcdef"[v % base];
        v /= base;
    } while (v);
    put_field(o, s, prefix, first, (int)(digits + sizeof(digits) - first));
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
    for (; *f == '-' || *f == '0' || *f == '#'; f++) {
        s->left |= *f == '-';
        s->zero |= *f == '0';
        s->alternate |= *f == '#';
    }
    f = parse_count(f, &s->width, args);
    if (*f == '.') {
        f = parse_count(f + 1, &s->precision, args);
    }
    for (; *f == 'l' || *f == 'z'; f++) {
        s->wide = true;
    }
    return f;
}

/* What `%` began at `f`; returns where its last character is. */
static const char *convert(struct out *o, const char *f, va_list *args)
{
    struct spec s;
    int64_t v;

    f = parse_spec(f, &s, args);
    switch (*f) {
    case 'd':
        v = s.wide ? va_arg(*args, int64_t) : va_arg(*args, int);
        put_number(o, &s, v < 0 ? "-" : "", v < 0 ? -(uint64_t)v : (uint64_t)v, 10);
        break;
    case 'u':
    case 'x':
        v = s.wide ? va_arg(*args, int64_t) : va_arg(*args, unsigned);
        put_number(o, &s, s.alternate && v ? "0x" : "", (uint64_t)v, *f == 'x' ? 16 : 10);
        break;
    case 's':
        put_text(o, &s, va_arg(*args, const char *));
        break;
    case '%':
        put(o, '%');
        break;
    default: /* shown as it stands, so that the mistake is seen */
        put(o, '%');
        f--;
        break;
    }
    return f;
}

int vfmt(char *buf, size_t size, const char *format, va_list args)
{
    struct out o = {.buf = buf, .size = size};
    va_list copy;

    va_copy(copy, args);
    for (const char *f = format; *f; f++) {
        if (*f == '%') {
            f = convert(&o, f + 1, &copy);
        } else {
            put(&o, *f);
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

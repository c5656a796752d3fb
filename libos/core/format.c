/* The few printf conversions the library OS's own messages need: no floats, no widths but 0N. */
#include <string.h>

#include "libos/base.h"
#include "libos/platform.h"

struct sink {
    char *text;
    size_t size; /* room, with the terminator */
    size_t used;
};

static void put_text(struct sink *sink, const char *text, size_t length)
{
    size_t part = MIN(length, sink->size == 0 ? 0 : sink->size - 1 - sink->used);
    memcpy(sink->text + sink->used, text, part);
    sink->used += part;
}

static void put(struct sink *sink, char c)
{
    put_text(sink, &c, 1);
}

static void put_number(struct sink *sink, uint64_t value, unsigned int base, unsigned int width)
{
    char digits[24];
    unsigned int count = 0;
    do {
        digits[sizeof(digits) - ++count] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    while (count < MIN(width, sizeof(digits))) {
        digits[sizeof(digits) - ++count] = '0';
    }
    put_text(sink, digits + sizeof(digits) - count, count);
}

static void put_signed(struct sink *sink, int64_t value)
{
    if (value < 0) {
        put(sink, '-');
        value = -value;
    }
    put_number(sink, (uint64_t)value, 10, 0);
}

size_t libos_vformat(char *text, size_t size, const char *format, va_list arguments)
{
    struct sink sink = {text, size, 0};
    for (;; format++) {
        const char *literal = format;
        while (*format != '\0' && *format != '%') {
            format++;
        }
        put_text(&sink, literal, (size_t)(format - literal));
        if (*format == '\0') {
            break;
        }
        unsigned int width = 0;
        bool is_long = false;
        for (format++; *format >= '0' && *format <= '9'; format++) {
            width = width * 10 + (unsigned int)(*format - '0');
        }
        for (; *format == 'l' || *format == 'z'; format++) {
            is_long = true;
        }
        switch (*format) {
        case 'd':
            put_signed(&sink, is_long ? va_arg(arguments, long) : va_arg(arguments, int));
            break;
        case 'u':
        case 'x':
            put_number(&sink,
                       is_long ? va_arg(arguments, unsigned long) : va_arg(arguments, unsigned int),
                       *format == 'x' ? 16 : 10, width);
            break;
        case 'p':
            put_number(&sink, (uintptr_t)va_arg(arguments, void *), 16, 16);
            break;
        case 'c':
            put(&sink, (char)va_arg(arguments, int));
            break;
        case 's': {
            const char *string = va_arg(arguments, const char *);
            put_text(&sink, string, strlen(string));
            break;
        }
        case '\0':
            format--;
            break;
        default:
            put(&sink, *format);
        }
    }
    if (size > 0) {
        text[sink.used] = '\0';
    }
    return sink.used;
}

size_t libos_format(char *text, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t length = libos_vformat(text, size, format, arguments);
    va_end(arguments);
    return length;
}

static void log_line(const char *format, va_list arguments)
{
    char line[200] = "libos: ";
    size_t length = 7 + libos_vformat(line + 7, sizeof(line) - 8, format, arguments);
    line[length++] = '\n';
    platform_console_write(line, length);
}

void libos_log(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    log_line(format, arguments);
    va_end(arguments);
}

void libos_panic(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    log_line(format, arguments);
    va_end(arguments);
    platform_exit(127);
}

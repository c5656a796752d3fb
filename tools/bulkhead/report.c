#include "report.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void put(struct report *report, struct place place, const char *kind, const char *format,
                va_list arguments)
{
    if (place.file && place.line) {
        fprintf(report->out, "%s:%u: %s: ", place.file, place.line, kind);
    } else if (place.file) {
        fprintf(report->out, "%s: %s: ", place.file, kind);
    } else {
        fprintf(report->out, "bulkhead: %s: ", kind);
    }
    vfprintf(report->out, format, arguments);
    fputc('\n', report->out);
}

void report_error(struct report *report, struct place place, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    put(report, place, "error", format, arguments);
    va_end(arguments);
    report->errors++;
}

void report_warning(struct report *report, struct place place, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    put(report, place, "warning", format, arguments);
    va_end(arguments);
    report->warnings++;
}

void *must_resize(void *old, size_t size)
{
    void *memory = realloc(old, size ? size : 1);

    if (!memory) {
        fputs("bulkhead: error: out of memory\n", stderr);
        exit(3);
    }
    return memory;
}

void *must_allocate(size_t size)
{
    return memset(must_resize(NULL, size), 0, size);
}

char *must_print(const char *format, ...)
{
    va_list arguments;
    char *text = NULL;

    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0) {
        text = must_resize(NULL, 0); /* ends the program */
    }
    va_end(arguments);
    return text;
}

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;

    return least < c ? least : c;
}

/* Levenshtein's distance, with one row of the table at a time. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t columns = strlen(b);
    size_t *row = must_allocate((columns + 1) * sizeof(*row));
    size_t distance;

    for (size_t j = 0; j <= columns; j++) {
        row[j] = j;
    }
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= columns; j++) {
            size_t above = row[j];

            row[j] = smallest(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    distance = row[columns];
    free(row);
    return distance;
}

const char *nearest_word(const char *word, const char *const *words)
{
    const char *nearest = NULL;
    size_t limit = strlen(word) / 3 + 1;

    for (; *words; words++) {
        size_t distance = edit_distance(word, *words);

        if (distance < limit || (!nearest && distance == limit)) {
            nearest = *words;
            limit = distance;
        }
    }
    return nearest;
}

/*
 * Telling people what is wrong: one sentence with file and line, what was
 * found, and the cure. Everything that can be checked is checked before the
 * tool gives up, so a file with three mistakes gets three sentences.
 */
#ifndef TOOLS_BULKHEAD_REPORT_H
#define TOOLS_BULKHEAD_REPORT_H

#include <stddef.h>
#include <stdio.h>

struct report {
    FILE *out;         /* where sentences go; stderr outside tests */
    unsigned errors;   /* how many have been reported */
    unsigned warnings; /* likewise */
};

/* Where a mistake is. `line` 0 means the whole file; `file` NULL the command line. */
struct place {
    const char *file;
    unsigned line;
};

void report_error(struct report *report, struct place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void report_warning(struct report *report, struct place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * The word of `words` (ending with NULL) that `word` was probably meant to be,
 * or NULL when none is near: at most a third of its letters differ.
 */
const char *nearest_word(const char *word, const char *const *words);

/* malloc() and friends that end the program when memory is out. */
void *must_allocate(size_t size);
void *must_resize(void *old, size_t size);
char *must_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif

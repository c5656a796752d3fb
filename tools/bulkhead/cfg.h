/*
 * The syntax of xl.cfg(5): `key = value` lines, nothing of their meaning.
 *
 * libxlutil (Debian: libxen-dev) parses the same syntax, but only answers for
 * keys asked by name: a misspelt key would pass in silence, and lines are not
 * told. Hence this parser, which keeps both.
 */
#ifndef TOOLS_BULKHEAD_CFG_H
#define TOOLS_BULKHEAD_CFG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "report.h"

enum cfg_kind {
    CFG_STRING,
    CFG_NUMBER,
    CFG_LIST,
};

struct cfg_value {
    enum cfg_kind kind;
    unsigned line;
    char *string;            /* CFG_STRING: text; CFG_NUMBER: digits as written */
    uint64_t number;         /* CFG_NUMBER */
    struct cfg_value *items; /* CFG_LIST */
    size_t count;            /* CFG_LIST */
};

struct cfg_entry {
    char *key;
    unsigned line;
    struct cfg_value value;
};

struct cfg {
    char *file;
    struct cfg_entry *entries;
    size_t count;
};

/*
 * Parse `length` bytes of `text`; `file` is only for messages. Returns 0, or -1
 * after reporting the first mistake. `cfg` is to be freed in both cases.
 */
int cfg_parse(struct report *report, const char *file, const char *text, size_t length,
              struct cfg *cfg);

/* The same for a file of the host. */
int cfg_read(struct report *report, const char *file, struct cfg *cfg);

void cfg_free(struct cfg *cfg);

#endif

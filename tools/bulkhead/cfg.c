#include "cfg.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* No list needs more, and a hostile file must not exhaust our stack. */
#define MAX_NESTING 8

struct parser {
    struct report *report;
    const char *file;
    const char *next;
    const char *end;
    unsigned line;
    unsigned nesting;
};

static bool parse_value(struct parser *p, struct cfg_value *value);

static int peek(const struct parser *p)
{
    return p->next < p->end ? (unsigned char)*p->next : EOF;
}

static void advance(struct parser *p)
{
    if (*p->next++ == '\n') {
        p->line++;
    }
}

static struct place here(const struct parser *p)
{
    return (struct place){p->file, p->line};
}

/* Blanks and comments; line ends too where the syntax lets a value span lines. */
static void skip_blanks(struct parser *p, bool lines)
{
    for (;;) {
        int c = peek(p);

        if (c == '#') {
            while (peek(p) != EOF && peek(p) != '\n') {
                advance(p);
            }
        } else if (c == ' ' || c == '\t' || c == '\r' || (lines && c == '\n')) {
            advance(p);
        } else {
            return;
        }
    }
}

static const char *describe(int c, char buffer[8])
{
    if (c == EOF) {
        return "the end of the file";
    }
    if (c == '\n') {
        return "the end of the line";
    }
    snprintf(buffer, 8, isprint(c) ? "`%c'" : "\\x%02x", (unsigned)c);
    return buffer;
}

static char *take_word(struct parser *p)
{
    const char *begin = p->next;

    while (isalnum(peek(p)) || peek(p) == '_') {
        advance(p);
    }
    return must_print("%.*s", (int)(p->next - begin), begin);
}

static char unescape(char c)
{
    switch (c) {
    case 'n':
        return '\n';
    case 't':
        return '\t';
    case 'r':
        return '\r';
    default:
        return c; /* \\ \" \' */
    }
}

static bool parse_string(struct parser *p, struct cfg_value *value)
{
    int quote = peek(p);
    size_t length = 0;

    advance(p);
    value->kind = CFG_STRING;
    value->string = must_allocate((size_t)(p->end - p->next) + 1);
    while (peek(p) != quote) {
        if (peek(p) == EOF || peek(p) == '\n') {
            report_error(p->report, here(p), "string without closing %c; close it on this line",
                         quote);
            return false;
        }
        if (peek(p) == '\0') {
            report_error(p->report, here(p), "zero byte in a string; is this a text file?");
            return false;
        }
        if (peek(p) == '\\' && p->next + 1 < p->end && strchr("\\\"'ntr", p->next[1])) {
            advance(p);
            value->string[length++] = unescape(*p->next);
        } else {
            value->string[length++] = *p->next;
        }
        advance(p);
    }
    advance(p);
    value->string = must_resize(value->string, length + 1);
    return true;
}

static bool parse_number(struct parser *p, struct cfg_value *value)
{
    char *end;

    value->kind = CFG_NUMBER;
    value->string = take_word(p);
    errno = 0;
    value->number = strtoull(value->string, &end, 0);
    if (*end || errno) {
        report_error(p->report, here(p),
                     "`%s' is not a number; write it as 512, 0x200 or, as "
                     "text, in quotes",
                     value->string);
        return false;
    }
    return true;
}

static bool parse_list(struct parser *p, struct cfg_value *value)
{
    value->kind = CFG_LIST;
    if (++p->nesting > MAX_NESTING) {
        report_error(p->report, here(p), "lists nested more than %d deep", MAX_NESTING);
        return false;
    }
    advance(p);
    for (;;) {
        char text[8];

        skip_blanks(p, true);
        if (peek(p) == ']') {
            break;
        }
        value->items = must_resize(value->items, (value->count + 1) * sizeof(*value->items));
        memset(&value->items[value->count], 0, sizeof(*value->items));
        if (!parse_value(p, &value->items[value->count++])) {
            return false;
        }
        skip_blanks(p, true);
        if (peek(p) == ',') {
            advance(p);
        } else if (peek(p) != ']') {
            report_error(p->report, here(p),
                         "expected , or ] in the list that begins on line %u, "
                         "found %s",
                         value->line, describe(peek(p), text));
            return false;
        }
    }
    advance(p);
    p->nesting--;
    return true;
}

static bool parse_value(struct parser *p, struct cfg_value *value)
{
    int c = peek(p);
    char text[8];

    value->line = p->line;
    if (c == '"' || c == '\'') {
        return parse_string(p, value);
    }
    if (c == '[') {
        return parse_list(p, value);
    }
    if (isdigit(c)) {
        return parse_number(p, value);
    }
    report_error(p->report, here(p),
                 "expected a value (\"text\", a number or a [list]), found %s%s", describe(c, text),
                 isalpha(c) ? "; text goes in quotes" : "");
    return false;
}

static void value_free(struct cfg_value *value)
{
    for (size_t i = 0; i < value->count; i++) {
        value_free(&value->items[i]);
    }
    free(value->items);
    free(value->string);
}

static struct cfg_entry *find_key(struct cfg *cfg, const char *key, size_t before)
{
    for (size_t i = 0; i < before; i++) {
        if (strcmp(cfg->entries[i].key, key) == 0) {
            return &cfg->entries[i];
        }
    }
    return NULL;
}

/* `key += value`: text is appended to text, items to a list; the newcomer's memory moves over. */
static bool append_value(struct parser *p, struct cfg_entry *old, struct cfg_entry *more)
{
    struct cfg_value *to = &old->value, *from = &more->value;

    if (to->kind != from->kind || to->kind == CFG_NUMBER) {
        report_error(p->report, here(p), "%s: += needs two strings or two lists, see line %u",
                     old->key, old->line);
        return false;
    }
    if (to->kind == CFG_STRING) {
        char *both = must_print("%s%s", to->string, from->string);

        free(to->string);
        to->string = both;
        return true;
    }
    to->items = must_resize(to->items, (to->count + from->count) * sizeof(*to->items));
    if (from->count) {
        memcpy(to->items + to->count, from->items, from->count * sizeof(*to->items));
    }
    to->count += from->count;
    from->count = 0;
    return true;
}

static void drop_last(struct cfg *cfg)
{
    struct cfg_entry *last = &cfg->entries[--cfg->count];

    value_free(&last->value);
    free(last->key);
}

/* One `key = value`, the parser standing on the key. */
static bool parse_entry(struct parser *p, struct cfg *cfg)
{
    struct cfg_entry *entry, *old;
    bool append = false;
    char text[8];

    cfg->entries = must_resize(cfg->entries, (cfg->count + 1) * sizeof(*cfg->entries));
    entry = &cfg->entries[cfg->count++];
    *entry = (struct cfg_entry){.key = take_word(p), .line = p->line};
    skip_blanks(p, false);
    if (peek(p) == '+') {
        append = true;
        advance(p);
    }
    if (peek(p) != '=') {
        report_error(p->report, here(p), "expected `%s = value', found %s after the key",
                     entry->key, describe(peek(p), text));
        return false;
    }
    advance(p);
    skip_blanks(p, false);
    if (!parse_value(p, &entry->value)) {
        return false;
    }
    old = find_key(cfg, entry->key, cfg->count - 1);
    if (!old) {
        return true;
    }
    if (append) {
        bool done = append_value(p, old, entry);

        drop_last(cfg);
        return done;
    }
    report_error(p->report, (struct place){p->file, entry->line},
                 "%s is set a second time; line %u set it first, remove one", entry->key,
                 old->line);
    return false;
}

int cfg_parse(struct report *report, const char *file, const char *text, size_t length,
              struct cfg *cfg)
{
    struct parser p = {report, file, text, text + length, 1, 0};

    *cfg = (struct cfg){.file = must_print("%s", file)};
    for (;;) {
        char found[8];

        skip_blanks(&p, true);
        if (peek(&p) == EOF) {
            return 0;
        }
        if (peek(&p) == ';') {
            advance(&p);
            continue;
        }
        if (!isalpha(peek(&p)) && peek(&p) != '_') {
            report_error(report, here(&p), "expected `key = value', found %s",
                         describe(peek(&p), found));
            return -1;
        }
        if (!parse_entry(&p, cfg)) {
            return -1;
        }
        skip_blanks(&p, false);
        if (peek(&p) != EOF && peek(&p) != '\n' && peek(&p) != ';') {
            report_error(report, here(&p), "expected the end of the line after the value, found %s",
                         describe(peek(&p), found));
            return -1;
        }
    }
}

int cfg_read(struct report *report, const char *file, struct cfg *cfg)
{
    FILE *stream = fopen(file, "rb");
    char *text = NULL;
    size_t length = 0, got;
    int result;

    *cfg = (struct cfg){0};
    if (!stream) {
        report_error(report, (struct place){file, 0}, "cannot be read: %s", strerror(errno));
        return -1;
    }
    do {
        text = must_resize(text, length + 4096);
        got = fread(text + length, 1, 4096, stream);
        length += got;
    } while (got == 4096 && length < (1u << 20));
    fclose(stream);
    if (length >= (1u << 20)) {
        report_error(report, (struct place){file, 0},
                     "is larger than 1 MiB; a domain file is a page of text");
        result = -1;
    } else {
        result = cfg_parse(report, file, text, length, cfg);
    }
    free(text);
    return result;
}

void cfg_free(struct cfg *cfg)
{
    while (cfg->count) {
        drop_last(cfg);
    }
    free(cfg->entries);
    free(cfg->file);
    *cfg = (struct cfg){0};
}

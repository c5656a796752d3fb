#include "domain.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static bool take_cpu(const char **text, unsigned *cpu)
{
    char *end;
    unsigned long value;

    if (!isdigit((unsigned char)**text)) {
        return false;
    }
    value = strtoul(*text, &end, 10);
    *text = end;
    *cpu = value < MAX_HOST_CPUS ? (unsigned)value : MAX_HOST_CPUS;
    return true;
}

/* One item between commas: `all`, `N` or `N-M`. */
static bool take_item(const char **text, uint64_t *map, bool *too_large)
{
    unsigned first, last;

    if (strncmp(*text, "all", 3) == 0) {
        *text += 3;
        *map = UINT64_MAX;
        return true;
    }
    if (!take_cpu(text, &first)) {
        return false;
    }
    last = first;
    if (**text == '-') {
        (*text)++;
        if (!take_cpu(text, &last) || last < first) {
            return false;
        }
    }
    *too_large = *too_large || last >= MAX_HOST_CPUS;
    *map = 0;
    for (unsigned cpu = first; cpu <= last && cpu < MAX_HOST_CPUS; cpu++) {
        *map |= UINT64_C(1) << cpu;
    }
    return true;
}

int cpu_list_parse(struct report *report, struct place place, const char *text, uint64_t *map)
{
    const char *next = text;
    uint64_t result = 0;
    bool too_large = false, good = true;

    while (good) {
        uint64_t item = 0;
        bool without;

        next += strspn(next, " ");
        without = *next == '^';
        next += without;
        good = take_item(&next, &item, &too_large);
        result = without ? result & ~item : result | item;
        next += strspn(next, " ");
        if (*next != ',') {
            break;
        }
        next++;
    }
    if (!good || *next) {
        report_error(report, place,
                     "cpus: `%s' is not a CPU list; write it like \"0-3,^1\" or "
                     "\"all\"",
                     text);
        return -1;
    }
    if (too_large) {
        report_error(report, place, "cpus: `%s' names a CPU above %d, the highest there can be",
                     text, MAX_HOST_CPUS - 1);
        return -1;
    }
    if (!result) {
        report_error(report, place, "cpus: `%s' leaves no CPU; allow at least one", text);
        return -1;
    }
    *map = result;
    return 0;
}

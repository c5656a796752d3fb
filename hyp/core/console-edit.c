/* The line editor of the hypervisor's console: a state machine fed with keys; it prints nothing. */
#include "console-internal.h"

#include <lib/string.h>

enum { CTRL_A = 1, CTRL_B = 2, CTRL_C = 3, CTRL_D = 4, CTRL_E = 5, CTRL_F = 6, BACKSPACE = 8 };
enum { TAB = 9, CTRL_K = 11, CTRL_L = 12, CTRL_N = 14, CTRL_P = 16, CTRL_U = 21, CTRL_W = 23 };
enum { ESC = 27, DELETE = 127 };

void edit_reset(struct editor *e)
{
    e->length = e->at = e->escape = 0;
    e->line[0] = 0;
    e->history_at = e->history_count;
}

static char *history_line(struct editor *e, unsigned n)
{
    return e->history[n % EDIT_HISTORY];
}

void edit_remember(struct editor *e)
{
    if (e->length &&
        (!e->history_count || strcmp(history_line(e, e->history_count - 1), e->line) != 0)) {
        memcpy(history_line(e, e->history_count++), e->line, EDIT_LINE_MAX);
    }
}

static void erase(struct editor *e, unsigned from, unsigned to)
{
    memmove(e->line + from, e->line + to, e->length - to + 1);
    e->length -= to - from;
    e->at = from;
}

static bool insert(struct editor *e, char c)
{
    if (e->length + 1 >= EDIT_LINE_MAX) {
        return false;
    }
    memmove(e->line + e->at + 1, e->line + e->at, e->length - e->at + 1);
    e->line[e->at++] = c;
    e->length++;
    return true;
}

static unsigned word_start(const struct editor *e)
{
    unsigned at = e->at;

    while (at && e->line[at - 1] == ' ') {
        at--;
    }
    while (at && e->line[at - 1] != ' ') {
        at--;
    }
    return at;
}

static bool walk_history(struct editor *e, int step)
{
    unsigned oldest = e->history_count > EDIT_HISTORY ? e->history_count - EDIT_HISTORY : 0;
    unsigned to = e->history_at + (unsigned)step;

    if (step < 0 ? e->history_at == oldest : e->history_at == e->history_count) {
        return false;
    }
    if (e->history_at == e->history_count) {
        memcpy(e->saved, e->line, EDIT_LINE_MAX);
    }
    e->history_at = to;
    memcpy(e->line, to == e->history_count ? e->saved : history_line(e, to), EDIT_LINE_MAX);
    e->length = e->at = (unsigned)strlen(e->line);
    return true;
}

void edit_complete(struct editor *e, unsigned typed, const char *word, bool whole)
{
    erase(e, e->at - typed, e->at);
    while (*word && insert(e, *word)) {
        word++;
    }
    if (whole) {
        (void)insert(e, ' ');
    }
}

static enum edit_result move(struct editor *e, bool possible, unsigned to)
{
    if (possible) {
        e->at = to;
    }
    return possible ? EDIT_REDRAW : EDIT_NOTHING;
}

static enum edit_result cut(struct editor *e, unsigned from, unsigned to)
{
    if (from < to) {
        erase(e, from, to);
    }
    return from < to ? EDIT_REDRAW : EDIT_NOTHING;
}

/* The last character of an escape sequence: cursor keys and their like. */
static enum edit_result escape_key(struct editor *e, char key)
{
    switch (key == '~' ? (char)('0' + e->parameter % 10) : key) {
    case 'A':
        return walk_history(e, -1) ? EDIT_REDRAW : EDIT_NOTHING;
    case 'B':
        return walk_history(e, 1) ? EDIT_REDRAW : EDIT_NOTHING;
    case 'C':
        return move(e, e->at < e->length, e->at + 1);
    case 'D':
        return move(e, e->at > 0, e->at - 1);
    case 'H':
    case '1':
    case '7':
        return move(e, true, 0);
    case 'F':
    case '4':
    case '8':
        return move(e, true, e->length);
    case '3':
        return cut(e, e->at, e->at < e->length ? e->at + 1 : e->at);
    default:
        return EDIT_NOTHING;
    }
}

static enum edit_result in_escape(struct editor *e, char key)
{
    if (e->escape == 1) {
        e->escape = key == '[' || key == 'O' ? 2 : 0;
        e->parameter = 0;
        return EDIT_NOTHING;
    }
    if (key >= '0' && key <= '9') {
        e->parameter = (e->parameter * 10 + (unsigned)(key - '0')) % 1000;
        return EDIT_NOTHING;
    }
    if (key == ';') {
        e->parameter = 0;
        return EDIT_NOTHING;
    }
    e->escape = 0;
    return escape_key(e, key);
}

enum edit_result edit_key(struct editor *e, char key)
{
    if (e->escape) {
        return in_escape(e, key);
    }
    switch (key) {
    case '\r':
    case '\n':
        return EDIT_ENTER;
    case ESC:
        e->escape = 1;
        return EDIT_NOTHING;
    case TAB:
        return EDIT_TAB;
    case CTRL_C:
        return EDIT_CANCEL;
    case CTRL_L:
        return EDIT_CLEAR;
    case CTRL_A:
        return move(e, true, 0);
    case CTRL_E:
        return move(e, true, e->length);
    case CTRL_B:
        return escape_key(e, 'D');
    case CTRL_F:
        return escape_key(e, 'C');
    case CTRL_P:
        return escape_key(e, 'A');
    case CTRL_N:
        return escape_key(e, 'B');
    case CTRL_D:
        return cut(e, e->at, e->at < e->length ? e->at + 1 : e->at);
    case CTRL_K:
        return cut(e, e->at, e->length);
    case CTRL_U:
        return cut(e, 0, e->at);
    case CTRL_W:
        return cut(e, word_start(e), e->at);
    case BACKSPACE:
    case DELETE:
        return cut(e, e->at ? e->at - 1 : 0, e->at);
    default:
        if (key < ' ' || key > '~' || !insert(e, key)) {
            return EDIT_NOTHING;
        }
        return e->at == e->length ? EDIT_ECHO : EDIT_REDRAW;
    }
}

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

static enum edit_result move(struct editor *e, unsigned to)
{
    e->at = to;
    return EDIT_REDRAW;
}

static enum edit_result cut(struct editor *e, unsigned from, unsigned to)
{
    memmove(e->line + from, e->line + to, e->length - to + 1);
    e->length -= to - from;
    return move(e, from);
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

static enum edit_result walk_history(struct editor *e, int step)
{
    unsigned oldest = e->history_count > EDIT_HISTORY ? e->history_count - EDIT_HISTORY : 0;
    unsigned to = e->history_at + (unsigned)step;

    if (step < 0 ? e->history_at == oldest : e->history_at == e->history_count) {
        return EDIT_NOTHING;
    }
    if (e->history_at == e->history_count) {
        memcpy(e->saved, e->line, EDIT_LINE_MAX);
    }
    e->history_at = to;
    memcpy(e->line, to == e->history_count ? e->saved : history_line(e, to), EDIT_LINE_MAX);
    e->length = (unsigned)strlen(e->line);
    return move(e, e->length);
}

void edit_complete(struct editor *e, unsigned typed, const char *word, bool whole)
{
    (void)cut(e, e->at - typed, e->at);
    while (*word && insert(e, *word)) {
        word++;
    }
    if (whole) {
        (void)insert(e, ' ');
    }
}

/* Escape sequences of cursor keys and their like, as the control key that does the same; 0: none. */
static char in_escape(struct editor *e, char key)
{
    static const struct {
        char last, same; /* a digit: the parameter before ~ */
    } keys[] = {{'A', CTRL_P}, {'B', CTRL_N}, {'C', CTRL_F}, {'D', CTRL_B},
                {'H', CTRL_A}, {'1', CTRL_A}, {'7', CTRL_A}, {'F', CTRL_E},
                {'4', CTRL_E}, {'8', CTRL_E}, {'3', CTRL_D}};

    if (e->escape == 1) {
        e->escape = key == '[' || key == 'O' ? 2 : 0;
        e->parameter = 0;
        return 0;
    }
    if ((key >= '0' && key <= '9') || key == ';') {
        e->parameter = key == ';' ? 0 : (e->parameter * 10 + (unsigned)(key - '0')) % 1000;
        return 0;
    }
    e->escape = 0;
    char last = key == '~' ? (char)('0' + e->parameter % 10) : key;
    for (unsigned i = 0; i < ARRAY_LEN(keys); i++) {
        if (keys[i].last == last) {
            return keys[i].same;
        }
    }
    return 0;
}

enum edit_result edit_key(struct editor *e, char key)
{
    unsigned left = e->at ? e->at - 1 : 0, right = e->at < e->length ? e->at + 1 : e->at;

    if (e->escape) {
        key = in_escape(e, key);
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
    case CTRL_P:
        return walk_history(e, -1);
    case CTRL_N:
        return walk_history(e, 1);
    case CTRL_A:
        return move(e, 0);
    case CTRL_E:
        return move(e, e->length);
    case CTRL_B:
        return move(e, left);
    case CTRL_F:
        return move(e, right);
    case CTRL_D:
        return cut(e, e->at, right);
    case CTRL_K:
        return cut(e, e->at, e->length);
    case CTRL_U:
        return cut(e, 0, e->at);
    case CTRL_W:
        return cut(e, word_start(e), e->at);
    case BACKSPACE:
    case DELETE:
        return cut(e, left, e->at);
    default:
        if (key < ' ' || key > '~' || !insert(e, key)) {
            return EDIT_NOTHING;
        }
        return e->at == e->length ? EDIT_ECHO : EDIT_REDRAW;
    }
}

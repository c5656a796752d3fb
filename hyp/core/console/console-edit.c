/*
 * The prompt of the hypervisor's console. Only the worker is here (console.c):
 * no lock. What it draws stays in the console's ring as an unfinished line, so
 * that others' lines can be put above it.
 */
#include "console-internal.h"

#include <lib/string.h>
#include <lib/text.h>

#define HISTORY 8u

enum { CTRL_A = 1, CTRL_B = 2, CTRL_C = 3, CTRL_D = 4, CTRL_E = 5, CTRL_F = 6, BACKSPACE = 8 };
enum { TAB = 9, CTRL_K = 11, CTRL_L = 12, CTRL_N = 14, CTRL_P = 16, CTRL_U = 21, CTRL_W = 23 };
enum { ESC = 27, DELETE = 127 };

static char line[EDIT_LINE_MAX];
static unsigned length, cursor;
static enum { PLAIN, AFTER_ESC, IN_SEQUENCE } escape;
static char digit; /* last one of the escape sequence's parameters, or ; */
static char history[HISTORY + 1][EDIT_LINE_MAX]; /* line n is at n modulo its size */
static unsigned history_count; /* lines ever entered; the one that is typed is the next */
static unsigned shown;         /* which of them is in `line` */

void edit_prompt(void)
{
    say("\rbulkhead> %s\x1b[K", line);
    if (cursor < length) {
        say("\x1b[%uD", length - cursor);
    }
}

static char *history_line(unsigned n)
{
    return history[n % ARRAY_LEN(history)];
}

static void show_history(unsigned n)
{
    if (shown == history_count) {
        memcpy(history_line(shown), line, sizeof(line));
    }
    shown = n;
    memcpy(line, history_line(n), sizeof(line));
    length = cursor = (unsigned)strlen(line);
}

/* An empty line after the last one that was entered. */
static void begin(void)
{
    shown = history_count;
    line[0] = 0;
    length = cursor = 0;
}

static void enter(void)
{
    bool empty = length == 0;

    if (!empty && (!history_count || strcmp(history_line(history_count - 1), line) != 0)) {
        memcpy(history_line(history_count++), line, sizeof(line));
    }
    begin();
    say("\n");
    command_begin(empty ? "" : history_line(history_count - 1));
}

static bool insert(char c)
{
    if (length + 1 >= EDIT_LINE_MAX) {
        return false;
    }
    memmove(line + cursor + 1, line + cursor, length - cursor + 1);
    line[cursor++] = c;
    length++;
    return true;
}

static void cut(unsigned from, unsigned to)
{
    memmove(line + from, line + to, length - to + 1);
    length -= to - from;
    cursor = from;
}

static unsigned word_start(unsigned at)
{
    while (at && line[at - 1] != ' ') {
        at--;
    }
    return at;
}

/* The word before the cursor, and the spaces behind it. */
static void cut_word(void)
{
    unsigned at = cursor;

    while (at && line[at - 1] == ' ') {
        at--;
    }
    cut(word_start(at), cursor);
}

static void complete(void)
{
    char word[EDIT_LINE_MAX], rest[DOMAIN_NAME_LEN + 1];
    unsigned start = word_start(cursor);

    (void)text_copy(word, cursor - start + 1, line + start);
    command_complete(word, start != 0, rest);
    for (const char *c = rest; *c && insert(*c); c++) {
    }
}

/* Escape sequences of cursor keys and their like, as the control key that does the same; 0: none. */
static char in_escape(char key)
{
    static const struct {
        char last, same; /* a digit: the one before ~ */
    } keys[] = {{'A', CTRL_P}, {'B', CTRL_N}, {'C', CTRL_F}, {'D', CTRL_B},
                {'H', CTRL_A}, {'1', CTRL_A}, {'7', CTRL_A}, {'F', CTRL_E},
                {'4', CTRL_E}, {'8', CTRL_E}, {'3', CTRL_D}};

    if (escape == AFTER_ESC) {
        escape = key == '[' || key == 'O' ? IN_SEQUENCE : PLAIN;
        digit = 0;
        return 0;
    }
    if ((key >= '0' && key <= '9') || key == ';') {
        digit = key;
        return 0;
    }
    escape = PLAIN;
    key = key == '~' ? digit : key;
    for (unsigned i = 0; i < ARRAY_LEN(keys); i++) {
        if (keys[i].last == key) {
            return keys[i].same;
        }
    }
    return 0;
}

void edit_key(char key)
{
    unsigned left = cursor ? cursor - 1 : 0, right = cursor < length ? cursor + 1 : cursor;

    if (escape) {
        key = in_escape(key);
    }
    switch (key) {
    case '\r':
    case '\n':
        enter();
        return;
    case ESC:
        escape = AFTER_ESC;
        return;
    case TAB:
        complete();
        break;
    case CTRL_C:
        begin();
        say("^C\n");
        break;
    case CTRL_L:
        say("\x1b[H\x1b[2J");
        break;
    case CTRL_P:
        if (shown > 0 && shown + HISTORY > history_count) {
            show_history(shown - 1);
        }
        break;
    case CTRL_N:
        if (shown < history_count) {
            show_history(shown + 1);
        }
        break;
    case CTRL_A:
        cursor = 0;
        break;
    case CTRL_E:
        cursor = length;
        break;
    case CTRL_B:
        cursor = left;
        break;
    case CTRL_F:
        cursor = right;
        break;
    case CTRL_D:
        cut(cursor, right);
        break;
    case CTRL_K:
        cut(cursor, length);
        break;
    case CTRL_U:
        cut(0, cursor);
        break;
    case CTRL_W:
        cut_word();
        break;
    case BACKSPACE:
    case DELETE:
        cut(left, cursor);
        break;
    default:
        if (key < ' ' || key > '~' || !insert(key)) {
            return;
        }
        if (cursor == length) {
            say("%s", line + cursor - 1);
            return;
        }
    }
    edit_prompt();
}

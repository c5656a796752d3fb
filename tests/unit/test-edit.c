/* The line editor of the hypervisor's console: keys in, a line out, and what a terminal shows meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../hyp/core/console/console-internal.h"

#define PROMPT "bulkhead> "

/* A terminal of one line. */
static char screen_line[400];
static size_t cursor;

static void show(const char *text)
{
    for (; *text; text++) {
        unsigned n, skip;
        if (*text == '\r') {
            cursor = 0;
        } else if (*text == '\n' || strncmp(text, "\x1b[2J", 4) == 0) {
            memset(screen_line, 0, sizeof(screen_line));
            cursor = 0;
            text += *text == '\n' ? 0 : 3;
        } else if (strncmp(text, "\x1b[K", 3) == 0) {
            memset(screen_line + cursor, 0, sizeof(screen_line) - cursor);
            text += 2;
        } else if (strncmp(text, "\x1b[H", 3) == 0) {
            text += 2;
        } else if (sscanf(text, "\x1b[%uD%n", &n, (int *)&skip) == 1) {
            assert_true(n <= cursor);
            cursor -= n;
            text += skip - 1;
        } else {
            assert_true(*text >= ' ' && *text <= '~' && cursor + 1 < sizeof(screen_line));
            screen_line[cursor++] = *text;
        }
    }
}

void say(const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    assert_true((size_t)vsnprintf(text, sizeof(text), format, args) < sizeof(text));
    va_end(args);
    show(text);
}

static char entered[EDIT_LINE_MAX];
static unsigned lines;
static const char *completion;

void command_begin(const char *line)
{
    assert_true(strlen(line) < EDIT_LINE_MAX);
    strcpy(entered, line);
    lines++;
    edit_prompt();
}

void command_complete(const char *word, bool domains, char rest[DOMAIN_NAME_LEN + 1])
{
    assert_null(strchr(word, ' '));
    strcpy(rest, completion);
}

static void keys(const char *text)
{
    for (; *text; text++) {
        edit_key(*text);
        assert_memory_equal(screen_line, PROMPT, sizeof(PROMPT) - 1);
    }
}

static void assert_line(const char *before, const char *behind)
{
    char wanted[400];

    snprintf(wanted, sizeof(wanted), PROMPT "%s%s", before, behind);
    assert_string_equal(screen_line, wanted);
    assert_int_equal(cursor, sizeof(PROMPT) - 1 + strlen(before));
}

static void enter(const char *text)
{
    unsigned so_far = lines;

    keys(text);
    keys("\r");
    assert_int_equal(lines, so_far + 1);
    assert_line("", "");
}

static int fresh(void **state)
{
    completion = "";
    edit_prompt();
    enter("\x03");
    return 0;
}

static void test_typing(void **state)
{
    keys("list");
    assert_line("list", "");
    keys("\x1b[D\x1b[D"); /* left, left */
    assert_line("li", "st");
    keys("X");
    assert_line("liX", "st");
    keys("\x7f\x01"
         "A\x05"
         "Z"); /* backspace, home, end */
    assert_line("AlistZ", "");
    keys("\x1b[H\x1b[3~"); /* home, delete */
    assert_line("", "listZ");
    keys("\x15"); /* Ctrl-U at the start cuts nothing */
    assert_line("", "listZ");
    keys("\x1b[1;5C\x1b[1;5C\x1bOD"); /* with modifiers, and as in application mode */
    assert_line("l", "istZ");
    keys("\x1b[4~ two  words\x17");
    assert_line("listZ two  ", "");
    keys("\x17");
    assert_line("listZ ", "");
    keys("\x0c\x02\x02\x0b"); /* clear; left twice; cut the rest */
    assert_line("list", "");
    keys("\x1b[15~\x1b[Z\x1bq\x1b[9~"); /* nothing of ours */
    assert_line("list", "");
    enter("");
    assert_string_equal(entered, "list");
    keys("garbage\x03");
    assert_line("", "");
}

static void test_history(void **state)
{
    enter("one");
    enter("two");
    enter("two");
    enter("");
    assert_string_equal(entered, "");
    keys("unfinished\x1b[A");
    assert_line("two", "");
    keys("\x1b[A");
    assert_line("one", "");
    keys("X\x1b[B");
    assert_line("two", "");
    keys("\x1b[A");
    assert_line("one", ""); /* looking at it does not change it */
    keys("\x1b[B\x1b[B");
    assert_line("unfinished", "");
    keys("\x1b[B");
    assert_line("unfinished", "");
    keys("\x03");
    for (char c = 'a'; c <= 'z'; c++) {
        enter((char[]){c, 0});
    }
    keys("last\x10\x10\x10\x10\x10\x10\x10\x10");
    assert_line("s", ""); /* eight of them */
    keys("\x10");
    assert_line("s", "");
    keys("\x0e\x0e\x0e\x0e\x0e\x0e\x0e\x0e");
    assert_line("last", "");
    keys("\x10!\r");
    assert_string_equal(entered, "z!");
    keys("\x10\x10");
    assert_line("z", "");
}

static void test_complete(void **state)
{
    completion = "me ";
    keys("pause ho\t");
    assert_line("pause home ", "");
    completion = "";
    keys("x\t");
    assert_line("pause home x", "");
}

/* Any keys at all: the line stays well formed, and what is shown is what is entered. */
static void test_any_keys(void **state)
{
    uint64_t seed = 1;

    completion = "completed";
    for (unsigned i = 0; i < 300000; i++) {
        char typed[400];
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        char key[2] = {(char)(seed >> 40), 0};
        strcpy(typed, screen_line + sizeof(PROMPT) - 1);
        unsigned so_far = lines;
        keys(key);
        assert_true(strlen(screen_line) < sizeof(PROMPT) - 1 + EDIT_LINE_MAX);
        if (lines != so_far) {
            assert_string_equal(entered, typed);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_typing, fresh),
        cmocka_unit_test_setup(test_history, fresh),
        cmocka_unit_test_setup(test_complete, fresh),
        cmocka_unit_test_setup(test_any_keys, fresh),
    };
    return cmocka_run_group_tests_name("edit", tests, NULL, NULL);
}

/* The line editor of the hypervisor's console: keys in, line and cursor out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../hyp/core/console/console-internal.h"

static struct editor e;

static enum edit_result keys(const char *text)
{
    enum edit_result last = EDIT_NOTHING;

    for (; *text; text++) {
        last = edit_key(&e, *text);
        assert_true(e.at <= e.length && e.length < EDIT_LINE_MAX);
        assert_int_equal(strlen(e.line), e.length);
    }
    return last;
}

static void enter(const char *text)
{
    keys(text);
    assert_int_equal(keys("\r"), EDIT_ENTER);
    edit_remember(&e);
    edit_reset(&e);
}

static int fresh(void **state)
{
    memset(&e, 0, sizeof(e));
    edit_reset(&e);
    return 0;
}

static void test_typing(void **state)
{
    assert_int_equal(keys("list"), EDIT_ECHO);
    assert_string_equal(e.line, "list");
    assert_int_equal(keys("\x1b[D\x1b[D"), EDIT_REDRAW); /* left, left */
    assert_int_equal(keys("X"), EDIT_REDRAW);
    assert_string_equal(e.line, "liXst");
    keys("\x7f\x01"
         "A\x05"
         "Z"); /* backspace, home, end */
    assert_string_equal(e.line, "AlistZ");
    keys("\x1b[H\x1b[3~"); /* home, delete */
    assert_string_equal(e.line, "listZ");
    keys("\x15");
    assert_string_equal(e.line, "listZ"); /* Ctrl-U at the start cuts nothing */
    keys("\x05 two words\x17");
    assert_string_equal(e.line, "listZ two ");
    assert_int_equal(keys("\x03"), EDIT_CANCEL);
    assert_int_equal(keys("\t"), EDIT_TAB);
}

static void test_history(void **state)
{
    enter("one");
    enter("two");
    enter("two");
    keys("unfinished\x1b[A");
    assert_string_equal(e.line, "two");
    keys("\x1b[A");
    assert_string_equal(e.line, "one");
    assert_int_equal(keys("\x1b[A"), EDIT_NOTHING);
    keys("\x1b[B\x1b[B");
    assert_string_equal(e.line, "unfinished");
    assert_int_equal(keys("\x1b[B"), EDIT_NOTHING);
    for (unsigned i = 0; i < 3 * EDIT_HISTORY; i++) {
        char name[2] = {(char)('a' + i % 26), 0};
        edit_reset(&e);
        enter(name);
    }
    for (unsigned i = 0; i < EDIT_HISTORY; i++) {
        assert_int_equal(keys("\x1b[A"), EDIT_REDRAW);
    }
    assert_int_equal(keys("\x1b[A"), EDIT_NOTHING);
}

static void test_complete(void **state)
{
    keys("pause ho");
    edit_complete(&e, 2, "home", true);
    assert_string_equal(e.line, "pause home ");
    assert_int_equal(e.at, e.length);
}

/* Any keys at all: the line stays well formed. */
static void test_any_keys(void **state)
{
    uint64_t seed = 1;

    for (unsigned i = 0; i < 300000; i++) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        char key = (char)(seed >> 40);
        enum edit_result r = edit_key(&e, key);
        assert_true(e.at <= e.length && e.length < EDIT_LINE_MAX);
        assert_int_equal(strnlen(e.line, EDIT_LINE_MAX), e.length);
        if (r == EDIT_ENTER) {
            edit_remember(&e);
            edit_reset(&e);
        } else if (r == EDIT_TAB && e.at >= 2) {
            edit_complete(&e, 2, "completed", seed & 1);
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

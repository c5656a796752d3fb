/* What is on the screen, and where keys go: the switch between consoles. */
#include "console-world.h"

#include "../../hyp/core/console/console-internal.h"

#include <stdio.h>

/* Ctrl-T: domains by number, then the hypervisor, then again; keys go where the screen is. */
static void test_switch(void **state)
{
    to_hypervisor();
    type("\x14");
    SHOWN("--- home has keyboard and screen; Ctrl-T: the next ---");
    type("to home\r");
    type("\x14");
    SHOWN("--- work has keyboard and screen; Ctrl-T: the next ---");
    type("to work\r");
    type("\x14");
    SHOWN("--- the hypervisor (type help) has keyboard and screen; Ctrl-T: the next ---");
    SHOWN("bulkhead> ");
    type("uptime\r");
    SHOWN("Up 0 days, 0:00:");
    assert_string_equal(guest[1].got, "to home\r");
    assert_string_equal(guest[2].got, "to work\r");
}

static void test_first_domain_has_the_screen(void **state)
{
    put(home, "boot\r\n");
    SHOWN("--- home has keyboard and screen");
    SHOWN("boot\r\n");
    NOT_SHOWN("(home)");
}

/* Moving to a domain shows its recent whole lines dimmed, its unfinished line as it is. */
static void test_replay(void **state)
{
    char line[64];

    for (unsigned i = 0; i < 100; i++) {
        snprintf(line, sizeof(line), "line %u of the background\r\n", i);
        put(work, line);
    }
    put(work, "login: ");
    wipe();
    type("\x14");
    NOT_SHOWN("line 10 of");
    SHOWN("\x1b[2mline ");
    SHOWN("line 99 of the background\r\n\x1b[22mlogin: ");
    assert_true(terminal_length < 1700);
    wipe();
    put(work, "root");
    assert_string_equal(terminal, "root"); /* not shown before, not marked */
}

/* Of the others each complete line is shown, marked, without controls. */
static void test_marked_lines(void **state)
{
    wipe();
    put(work, "\x1b[31mred\x1b[0m\a and\t8-bit \xc3\xa9\r\n");
    assert_string_equal(terminal, "(work) red and\t8-bit \xc3\xa9\r\n");
    wipe();
    put(work, "10%\r 50%\r100%\r\n"); /* what a terminal would show in the end */
    assert_string_equal(terminal, "(work) 100%\r\n");
    wipe();
    put(work, "\r\n");
    assert_string_equal(terminal, "");
    char wide[500];
    memset(wide, 'w', sizeof(wide) - 3);
    strcpy(wide + sizeof(wide) - 3, "\r\n");
    put(work, wide); /* in pieces of at most 200 */
    assert_int_equal(times_shown("(work) "), 3);
}

/* A line that does not grow for 0.2 to 0.4 s is shown, as it is then; not before. */
static void test_partial_line(void **state)
{
    wipe();
    put(work, "login: ");
    pass(200 * MS);
    NOT_SHOWN("login");
    put(work, "\a");
    pass(200 * MS);
    NOT_SHOWN("login"); /* it has grown meanwhile */
    pass(400 * MS);
    assert_string_equal(terminal, "(work) login: \r\n");
    wipe();
    pass(1000 * MS);
    assert_string_equal(terminal, "");
}

/* What is being typed is drawn again below a line from elsewhere. */
static void test_interjection(void **state)
{
    put(home, "a prompt$ ls");
    wipe();
    put(work, "hello\r\n");
    assert_string_equal(terminal, "\r\x1b[2K(work) hello\r\na prompt$ ls");
    to_hypervisor();
    type("mem");
    wipe();
    put(work, "again\r\n");
    assert_string_equal(terminal, "\r\x1b[2K(work) again\r\n\rbulkhead> \x1b[Kmem");
    wipe();
    log_line("a line of the log");
    SHOWN("] a line of the log\r\n\rbulkhead> \x1b[Kmem");
    type("\x1b[D");
    wipe();
    log_warn("another");
    SHOWN("] warning: another\r\n\rbulkhead> mem\x1b[K\x1b[1D"); /* the cursor too */
}

/* The alternate screen, and `quiet`: nothing from others, and it is not lost. */
static void test_silence(void **state)
{
    put(home, "\x1b[?1049h");
    wipe();
    put(work, "secret\r\n");
    log_line("for later");
    log_line("this too");
    pass(1000 * MS);
    assert_string_equal(terminal, "");
    put(home, "\x1b[?1049l");
    wipe();
    log_line("now");
    SHOWN("Lines of the log not shown: 2; `log` on the hypervisor's console has them.");
    SHOWN("] now");
    to_hypervisor();
    type("quiet on\r");
    SHOWN("Lines of other consoles are held back.");
    wipe();
    put(work, "more\r\n");
    log_line("and one");
    log_line("and another");
    assert_string_equal(terminal, "");
    type("quiet\r");
    SHOWN("held back.");
    type("quiet off\r");
    type("quiet maybe\r");
    SHOWN("shown as they come.");
    SHOWN("Usage: quiet [on|off]");
    type("log\r");
    SHOWN("] for later");
    SHOWN("] kept when the log moves");
    wipe();
    type("\x14\x14");
    SHOWN("secret\r\nmore\r\n");
}

/* Other escape sequences do not hold back anything. */
static void test_escapes_that_do_not_matter(void **state)
{
    put(home, "\x1b[?25l\x1b[1049h\x1b(B\x1b[?1h\x1b[?99999999999h");
    wipe();
    put(work, "seen\r\n");
    SHOWN("(work) seen");
    put(home, "\x1b[?47h");
    wipe();
    put(work, "unseen\r\n");
    NOT_SHOWN("unseen");
}

/* Keys that the guest has no room for yet wait, in order; 1,024 of them. */
static void test_input_waits(void **state)
{
    char many[5000], expected[4097];

    guest[1].room = 3;
    type("abcdef");
    assert_string_equal(guest[1].got, "abc");
    guest[1].room = 100;
    pass(10 * MS);
    assert_string_equal(guest[1].got, "abcdef");
    guest[1] = (struct guest_end){0};
    for (unsigned i = 0; i < sizeof(many) - 1; i++) {
        many[i] = (char)('0' + i % 10);
    }
    many[sizeof(many) - 1] = 0;
    type(many);
    pass(10 * MS);
    guest[1].room = sizeof(guest[1].got);
    pass(100 * MS);
    memcpy(expected, many, 4096);
    expected[4096] = 0;
    assert_string_equal(guest[1].got, expected);
    /* What waits is not handed to the next. */
    guest[1] = (struct guest_end){0};
    type("old\x14new");
    pass(100 * MS);
    assert_string_equal(guest[2].got, "new");
}

static void test_pv_console_input(void **state)
{
    guest[1].pv = true;
    guest[1].room = 2;
    type("xyz");
    assert_string_equal(guest[1].got, "xy");
    guest[1].room = 5;
    pass(10 * MS);
    assert_string_equal(guest[1].got, "xyz");
}

/* A line that does not drain: only the guest that writes waits, and is told when it may go on. */
static void test_slow_line(void **state)
{
    char text[1000];
    size_t taken = 0, n;

    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\n';
    wipe();
    line_room = 0;
    while ((n = console_domain_output(home, (const uint8_t *)text, sizeof(text))) != 0) {
        taken += n;
        assert_true(taken < 16384);
    }
    assert_true(taken >= 6000 && taken <= 8192 - 2048);
    assert_int_equal(console_domain_output(work, (const uint8_t *)"no\n", 3), 2);
    for (unsigned i = 0; i < 200; i++) {
        log_line("line %u", i); /* the rest of the queue is the hypervisor's, and then it is full */
    }
    pass(20 * MS);
    assert_int_equal(guest[1].ready, 0);
    line_room = SIZE_MAX;
    line_event();
    pass(20 * MS);
    assert_true(guest[1].ready > 0 && guest[2].ready > 0);
    SHOWN("] line 0\r\n");
    NOT_SHOWN("] line 199\r\n");
    put(work, "\n");
    SHOWN("(work) no\r\n");
    log_line("at last");
    SHOWN("Lines of the log not shown:");
    SHOWN("] at last\r\n");
}

static unsigned lines_shown(void)
{
    unsigned n = 0;
    for (const char *at = terminal; (at = strstr(at, "(work) ")) != NULL; at++) {
        n++;
    }
    return n;
}

/* A guest that brings a line each millisecond does not push out what the log has of others. */
static void test_flood(void **state)
{
    wipe();
    for (unsigned ms = 0; ms < 100000; ms++) {
        dlog(work, "again");
        pass(MS);
        line_room = SIZE_MAX;
    }
    assert_in_range(lines_shown(), 11, 11 * 7); /* windows of 1, 2, 4 ... 64 s */
    SHOWN("(work) Too many lines: for a while no more.");
    pass(2048000 * MS); /* it was quiet: forgiven */
    for (unsigned i = 0; i < 3; i++) {
        wipe();
        dlog(work, "after a while");
        assert_int_equal(lines_shown(), 1);
        pass(1000 * MS);
    }
    dlog(home, "another is heard");
    SHOWN("(home) another is heard");
}

/* The line's interrupt, on a CPU that cannot take the keys: it must not be raised for ever. */
static void key_on_other_cpu(void)
{
    line_event();
    assert_false(line_listens);
}

static void test_two_cpus(void **state)
{
    meanwhile = key_on_other_cpu;
    type("ab");
    assert_null(meanwhile);
    assert_true(line_listens);
    assert_int_equal(guest[home->id].count, 2);
    assert_memory_equal(guest[home->id].got, "ab", 2);
}

/* The focused domain goes: the screen is the hypervisor's, and says so. */
static void test_domain_goes(void **state)
{
    wipe();
    console_domain_destroy(home);
    SHOWN("--- the hypervisor (type help) has keyboard and screen");
    SHOWN("bulkhead> ");
    put(home, "nobody listens");
    NOT_SHOWN("nobody");
    type("console home\r");
    SHOWN("That domain has no console.");
    assert_int_equal(console_domain_create(home), 0);
    NOT_SHOWN("--- home has"); /* the keyboard does not jump */
    put(home, "back\r\n");
    SHOWN("(home) back");
}

/* What is queued comes first, then every line, without locks. */
static void test_panic(void **state)
{
    wipe();
    line_room = 0;
    put(home, "queued");
    console_panic();
    log_line("the last words");
    SHOWN("queued\r\n");
    SHOWN("] the last words\r\n");
    log_set_sink(screen_log_line, false);
    line_room = SIZE_MAX;
}

/* Any keys and any output at all: no check fails, no lock stays, the line is never overrun. */
static void test_anything(void **state)
{
    uint64_t seed = 42;

    for (unsigned i = 0; i < 20000; i++) {
        char text[24];
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        size_t n = (seed >> 33) % sizeof(text);
        for (size_t j = 0; j < n; j++) {
            seed = seed * 6364136223846793005ull + 1442695040888963407ull;
            text[j] = (char)(seed >> 40);
            if ((seed >> 50) % 4 == 0) {
                text[j] = "\x1b[?\r\n\t 0149hl\x14"[(seed >> 20) % 14];
            }
        }
        if (terminal_length > sizeof(terminal) / 2) {
            wipe();
        }
        line_room = (seed >> 10) % 3 == 0 ? 50 : 5000;
        switch ((seed >> 15) % 4) {
        case 0:
            text[n ? n - 1 : 0] = 0;
            type(text);
            break;
        case 1:
            (void)console_domain_output(home, (const uint8_t *)text, n);
            break;
        case 2:
            (void)console_domain_output(work, (const uint8_t *)text, n);
            break;
        case 3:
            log_line("%.*s", (int)n, text);
            pass((seed >> 20) % (100 * MS));
            guest[1].count = guest[2].count = 0;
            guest[1].room = guest[2].room = (seed >> 12) % 100;
            break;
        }
        assert_int_equal(fake_locks_held(), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_first_domain_has_the_screen, setup_untouched,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_switch, setup, teardown),
        cmocka_unit_test_setup_teardown(test_replay, setup, teardown),
        cmocka_unit_test_setup_teardown(test_marked_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_partial_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_interjection, setup, teardown),
        cmocka_unit_test_setup_teardown(test_silence, setup, teardown),
        cmocka_unit_test_setup_teardown(test_escapes_that_do_not_matter, setup, teardown),
        cmocka_unit_test_setup_teardown(test_input_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pv_console_input, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slow_line, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_cpus, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flood, setup, teardown),
        cmocka_unit_test_setup_teardown(test_domain_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_panic, setup, teardown),
        cmocka_unit_test_setup_teardown(test_anything, setup, teardown),
    };

    return cmocka_run_group_tests_name("console", tests, boot, NULL);
}

/* The commands of the hypervisor's own console: what they answer, and the line that is typed. */
#include "console-world.h"

#include <hyp/rights.h>

#include <stdio.h>

static void test_list(void **state)
{
    to_hypervisor();
    work->state = DOMAIN_DOWN;
    work->reason = SHUTDOWN_crash;
    home->paused_by_console = true;
    type("list\r");
    SHOWN(" ID  NAME             STATE       vCPUs  MEMORY MiB   CPU TIME s  RESTARTS");
    SHOWN("  1  home             paused          2         128");
    SHOWN("  2  work             crashed         2");
    SHOWN("  -  gone             gone        start gone brings it back");
    static const enum domain_state states[] = {DOMAIN_CREATED, DOMAIN_DYING, DOMAIN_DOWN};
    static const char *const words[] = {"starting", "ending", "powered off"};
    for (unsigned i = 0; i < ARRAY_LEN(states); i++) {
        work->state = states[i];
        work->reason = SHUTDOWN_poweroff;
        wipe();
        type("list\r");
        SHOWN(words[i]);
    }
}

static void test_orders(void **state)
{
    to_hypervisor();
    type("pause home\r");
    SHOWN("home is paused; unpause lets it go on.");
    type("unpause home\r");
    SHOWN("home goes on.");
    type("reboot 2\r");
    SHOWN("work is being started again.");
    type("destroy work\r");
    SHOWN("work is being destroyed.");
    type("start gone\r");
    SHOWN("gone starts.");
    assert_int_equal(paused + rebooted + destroyed + launched, 4);
    wipe();
    order_error = -XEN_EINVAL;
    type("pause home\r");
    SHOWN("Not possible while home is running.");
    order_error = -XEN_EBUSY;
    type("reboot home\r");
    SHOWN("Not possible: home is running, or an earlier order is still being carried out.");
    order_error = -XEN_EPERM;
    type("destroy home\r");
    SHOWN("Not possible: error 1.");
    order_error = -XEN_EEXIST;
    type("start home\r");
    SHOWN("home exists already: reboot starts it again.");
    order_error = -XEN_ENOMEM;
    type("start gone\r");
    SHOWN("gone cannot be started: not enough memory (error 12).");
    order_error = -XEN_EINVAL;
    type("start gone\r");
    SHOWN("gone cannot be started: see log (error 22).");
    type("start nobody\r");
    SHOWN("No domain \"nobody\" is configured; list shows them.");
    type("start\r");
    SHOWN("Usage: start NAME");
    type("break work\r");
    SHOWN("Sent. In Linux the next key is the SysRq command: console work, then h shows them.");
    assert_int_equal(guest[2].breaks, 1);
    type("debug work\r");
    SHOWN("Sent to the vCPUs of work that listen.");
    assert_int_equal(debugged, 2);
}

static void test_mistyped(void **state)
{
    to_hypervisor();
    type("frobnicate\r");
    SHOWN("There is no command \"frobnicate\"; help lists them.");
    type("re home\r");
    SHOWN("\"re\" may be reboot or restart: type more of it.");
    type("pause nobody\r");
    SHOWN("There is no domain \"nobody\"; list shows them.");
    type("pause\r");
    SHOWN("Usage: pause NAME");
    type("pause 99999\r");
    SHOWN("There is no domain \"99999\"");
    wipe();
    type("\r  \r");
    NOT_SHOWN("There is no");
    type("  upt  \r"); /* the beginning of a command is enough */
    SHOWN("Up 0 days");
}

static void test_weight(void **state)
{
    to_hypervisor();
    type("weight home 512 150\r");
    SHOWN("home has its new share.");
    assert_int_equal(last_params.class, SCHED_SHARE);
    assert_int_equal(last_params.weight, 512);
    assert_int_equal(last_params.cap_percent, 150);
    type("weight home 0x10\r");
    assert_int_equal(last_params.weight, 16);
    assert_int_equal(last_params.cap_percent, 0);
    static const char *const bad[] = {"weight home\r",       "weight home 0\r",
                                      "weight home 65536\r", "weight home x\r",
                                      "weight home 1 1x\r",  "weight home 1 99999\r"};
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        wipe();
        type(bad[i]);
        SHOWN("Usage: weight NAME N [CAP]: N from 1 to 65535, CAP in percent of one CPU, 0 for "
              "none.");
    }
    assert_int_equal(last_params.weight, 16);
}

static void test_vcpus(void **state)
{
    static const struct sched_params params[] = {
        {.class = SCHED_SHARE, .weight = 256},
        {.class = SCHED_SHARE, .weight = 1, .cap_percent = 50},
        {.class = SCHED_REALTIME, .budget_ticks = 125000, .period_ticks = 625000},
        {.class = SCHED_DEDICATED}};
    static const char *const words[] = {"share, weight 256, cap 0 (none)",
                                        "share, weight 1, cap 50 %", "real time, 2000 of 10000 us",
                                        "has the CPU for itself"};

    to_hypervisor();
    for (unsigned i = 0; i < ARRAY_LEN(params); i++) {
        home->vcpu[1]->sched.params = params[i];
        wipe();
        type("vcpus home\r");
        SHOWN("vCPU  STATE     CPU      RAN ms   WAITED ms  CLASS");
        SHOWN("   1  running     1        1234           0  ");
        SHOWN(words[i]);
    }
}

static void test_crash_and_dump(void **state)
{

    to_hypervisor();
    type("crash\r");
    SHOWN("No domain has crashed.");
    type("crash home\r");
    SHOWN("home has not crashed.");
    crash = (struct crash_record){
        .name = "work", .why = "missed its watchdog", .pc = 0x1234, .vcpu = 1};
    crash.at_ticks = ns_to_ticks(2500 * MS);
    crash.x[30] = 0xdead;
    wipe();
    type("crash\r");
    SHOWN("work missed its watchdog, 2.500 s after power-on");
    SHOWN("    vCPU 1  pc 0000000000001234");
    SHOWN("x30 000000000000dead\r\n");
    wipe();
    type("crash work\r");
    SHOWN("missed its watchdog");
    wipe();
    type("crash home\r");
    SHOWN("home has not crashed.");
    home->vcpu[0]->cpu = cpus[0];
    wipe();
    type("dump home\r");
    SHOWN("  vCPU 0 is in CPU 0: pause home to see its registers");
    SHOWN("    vCPU 1  pc ffff800012345678");
    home->vcpu[0]->cpu = NULL;
}

static void test_machine(void **state)
{
    to_hypervisor();
    configs[1].rights = "control *\0inspect home";
    configs[1].rights_len = sizeof("control *\0inspect home");
    assert_int_equal(rights_grant(work), 0);
    static const char *const lines[] = {"memory\r", "links\r",   "cpus\r",
                                        "irqs\r",   "version\r", "rights\r"};
    for (unsigned i = 0; i < ARRAY_LEN(lines); i++) {
        type(lines[i]);
    }
    SHOWN("1048576 KiB of memory; 524288 free");
    SHOWN("  work");
    SHOWN("      12          2              300                   4000  work");
    SHOWN("CPU  MPIDR     RUNS               BUSY s  WAITING  AT HOME  SWITCHES  INTERRUPTS");
    SHOWN("  0  0         home.1 ");
    SHOWN("  1  1         idle ");
    SHOWN("   72  work, as its 72");
    SHOWN("   33  the hypervisor");
    SHOWN("All others are nobody's.");
    SHOWN("2 CPUs, GICv3");
    SHOWN("  home             none: its own memory, CPUs and devices only");
    SHOWN("  work             control *; inspect home;");
    assert_int_equal(rights_drop(work, "inspect home"), 0);
    assert_int_equal(rights_drop(work, "control"), 0);
    type("rights\r");
    SHOWN("  work             none: its own memory, CPUs and devices only");
    rights_destroy(work);
}

/* All domains are gone. */
static void test_no_domains(void **state)
{
    static const char *const lines[] = {"list\r", "memory\r", "links\r", "rights\r", "top\r"};

    line_room = SIZE_MAX;
    console_ready();
    for (unsigned i = 0; i < ARRAY_LEN(lines); i++) {
        type(lines[i]);
        pass(1000 * MS);
    }
    SHOWN("1048576 KiB of memory");
    SHOWN("Any key ends this.");
    type("q\x14"); /* there is nobody else */
    SHOWN("--- the hypervisor (type help) has keyboard and screen");
    assert_int_equal(times_shown("none: its own memory"), 0);
}

static void test_power(void **state)
{
    to_hypervisor();
    type("poweroff\r");
    SHOWN("That ends all domains at once. If you mean it: poweroff now");
    assert_false(powered);
}

/* `top` goes on until a key. */
static void test_top(void **state)
{
    to_hypervisor();
    type("top\r");
    NOT_SHOWN("bulkhead> \x1b");
    pass(2500 * MS);
    assert_true(times_shown("Any key ends this.") >= 3);
    SHOWN("CPUs, % busy: ");
    SHOWN("   50.0    1  home             running         2         128");
    put(home, "meanwhile\r\n");
    wipe();
    type("q");
    SHOWN("bulkhead> ");
    wipe();
    pass(3000 * MS);
    NOT_SHOWN("Any key");
    type("top\r");
    type("\x14"); /* to home: nothing goes on behind its back */
    wipe();
    pass(3000 * MS);
    NOT_SHOWN("Any key");
}

/* A command waits for room on the line, loses nothing, and Ctrl-C ends it. */
static void test_long_output(void **state)
{
    for (unsigned i = 0; i < 200; i++) {
        log_line("a long line of the log that fills up the queue with more than it can hold, %u",
                 i);
    }
    to_hypervisor();
    line_room = 100;
    type("log\r");
    for (unsigned i = 0; i < 1000; i++) {
        line_room = 100;
        line_event();
        pass(10 * MS);
    }
    SHOWN("can hold, 60\r\n");
    SHOWN("can hold, 199\r\n");
    SHOWN("bulkhead> ");
    assert_int_equal(times_shown("can hold, 150"), 1);
    wipe();
    line_room = 100;
    type("log\r");
    type("\x03");
    line_room = SIZE_MAX;
    line_event();
    pass(100 * MS);
    SHOWN("^C\r\n");
    NOT_SHOWN("can hold, 199\r\n");
    SHOWN("bulkhead> ");
}

static void test_completion(void **state)
{
    to_hypervisor();
    type("vc\t");
    SHOWN("vcpus ");
    type("h\t");
    SHOWN("vcpus home ");
    type("\r");
    SHOWN("RAN ms");
    wipe();
    type("p\t");
    SHOWN("pause  poweroff  ");
    type("\x15zz\t");
    NOT_SHOWN("zz ");
    type("\x15rest\t");
    SHOWN("restart ");
    type("\x15re\t");
    SHOWN("reboot  restart  ");
    type("\x15pause \t");
    SHOWN("home  work  ");
}

static void test_editing(void **state)
{
    to_hypervisor();
    type("uptimX\x7f"
         "e\r");
    SHOWN("Up 0 days");
    wipe();
    type("\x1b[A\r"); /* history */
    SHOWN("Up 0 days");
    type("garbage\x03");
    SHOWN("^C\r\n");
    wipe();
    type("\x0c");
    assert_string_equal(terminal, "\x1b[H\x1b[2J\rbulkhead> \x1b[K");
}

static void test_console_command(void **state)
{
    to_hypervisor();
    type("console work\r");
    SHOWN("--- work has keyboard and screen");
    NOT_SHOWN("bulkhead> \x1b[K\r\n---");
    type("x");
    assert_string_equal(guest[2].got, "x");
}

static void test_help(void **state)
{
    static const char *const names[] = {"list",           "vcpus NAME",
                                        "console NAME",   "pause NAME",
                                        "unpause NAME",   "reboot NAME",
                                        "destroy NAME",   "start NAME",
                                        "break NAME",     "weight NAME N [CAP]",
                                        "crash [NAME]",   "dump NAME",
                                        "rights",         "top",
                                        "cpus",           "memory",
                                        "irqs",           "log",
                                        "quiet [on|off]", "uptime",
                                        "version",        "restart now",
                                        "poweroff now",   "help",
                                        "debug NAME",     "links"};

    to_hypervisor();
    type("help\r");
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        char line[64];
        snprintf(line, sizeof(line), "  %-20s ", names[i]);
        SHOWN(line);
    }
    SHOWN("Ctrl-T moves keyboard and screen to the next console.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_domains),
        cmocka_unit_test_setup_teardown(test_list, setup, teardown),
        cmocka_unit_test_setup_teardown(test_orders, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mistyped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_weight, setup, teardown),
        cmocka_unit_test_setup_teardown(test_vcpus, setup, teardown),
        cmocka_unit_test_setup_teardown(test_crash_and_dump, setup, teardown),
        cmocka_unit_test_setup_teardown(test_machine, setup, teardown),
        cmocka_unit_test_setup_teardown(test_power, setup, teardown),
        cmocka_unit_test_setup_teardown(test_top, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_output, setup, teardown),
        cmocka_unit_test_setup_teardown(test_completion, setup, teardown),
        cmocka_unit_test_setup_teardown(test_editing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_console_command, setup, teardown),
        cmocka_unit_test_setup_teardown(test_help, setup, teardown),
    };

    return cmocka_run_group_tests_name("command", tests, boot, NULL);
}

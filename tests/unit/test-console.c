/*
 * The consoles, seen as a user does: keys go in on the serial line, a screen
 * comes out. The line, the vUARTs and what commands ask about are played here;
 * so is the one timer, which fires as time passes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fake.h>
#include <hyp/config.h>
#include <hyp/console.h>
#include <hyp/evtchn.h>
#include <hyp/frame.h>
#include <hyp/gic.h>
#include <hyp/irq.h>
#include <hyp/log.h>
#include <hyp/uart.h>
#include <hyp/rights.h>
#include <hyp/xen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/errno.h>
#include <xen/xen.h>

#define MS 1000000ull

/* The serial line. */

static char screen[1 << 18]; /* all that came out since wipe() */
static size_t screen_length;
static size_t line_room; /* bytes that the line still takes */
static const char *keys;
static void (*line_event)(void);

size_t uart_write(const char *bytes, size_t count)
{
    size_t n = count < line_room ? count : line_room;

    assert_true(screen_length + n < sizeof(screen));
    memcpy(screen + screen_length, bytes, n);
    screen_length += n;
    screen[screen_length] = 0;
    line_room -= n;
    return n;
}

bool uart_try(char c)
{
    return uart_write(&c, 1) == 1;
}

void uart_putc(char c)
{
    screen[screen_length++] = c;
    screen[screen_length] = 0;
}

int uart_read(void)
{
    return keys != NULL && *keys != 0 ? (unsigned char)*keys++ : -1;
}

int uart_probe(const struct tree *t)
{
    return 0;
}

int uart_start(void (*event)(void))
{
    line_event = event;
    return 0;
}

static void wipe(void)
{
    screen_length = 0;
    screen[0] = 0;
}

static void type(const char *text)
{
    keys = text;
    while (*keys != 0) {
        line_event();
    }
}

/* The timer. */

static struct timer *timer;

void timer_init(struct timer *t, void (*fire)(struct timer *t, uint64_t now_ticks))
{
    timer = t;
    t->deadline_ticks = TICKS_NEVER;
    t->fire = fire;
}

void timer_set(struct timer *t, uint64_t deadline_ticks)
{
    t->deadline_ticks = deadline_ticks;
}

static void pass(uint64_t ns)
{
    uint64_t end = arch_counter_ticks() + ns_to_ticks(ns);

    for (unsigned fired = 0; timer->deadline_ticks <= end; fired++) {
        assert_true(fired < 100000);
        uint64_t due = timer->deadline_ticks, now = arch_counter_ticks();
        fake_advance(due > now ? due - now : 0);
        timer->deadline_ticks = TICKS_NEVER;
        timer->fire(timer, arch_counter_ticks());
        assert_int_equal(fake_locks_held(), 0);
    }
    fake_advance(end - arch_counter_ticks());
}

/* The guests' ends of their serial lines. */

static struct guest_end {
    char got[4200];
    size_t count, room;
    unsigned ready, breaks;
    bool pv; /* it uses its PV console */
} guest[4];

bool vuart_receive(struct domain *d, uint8_t byte)
{
    struct guest_end *g = &guest[d->id];

    if (g->room == 0) {
        return false;
    }
    g->room--;
    g->got[g->count++] = (char)byte;
    return true;
}

void vuart_receive_break(struct domain *d)
{
    guest[d->id].breaks++;
}

void vuart_output_ready(struct domain *d)
{
    guest[d->id].ready++;
}

bool xen_console_used(const struct domain *d)
{
    return guest[d->id].pv;
}

size_t xen_console_input(struct domain *d, const char *text, size_t length)
{
    struct guest_end *g = &guest[d->id];
    size_t n = length < g->room ? length : g->room;

    memcpy(g->got + g->count, text, n);
    g->count += n;
    g->room -= n;
    return n;
}

/* What commands ask about. */

static struct domain_config configs[3];
struct gic_host gic_host = {.version = 3, .intid_count = 200};
static int order_error;
static struct sched_params last_params;
static bool powered, power_reset;
static jmp_buf power_jump;
static unsigned launched, paused, rebooted, destroyed;

static unsigned debugged; /* vCPUs that got VIRQ_DEBUG */

void evtchn_virq(struct vcpu *v, unsigned virq)
{
    debugged += virq == VIRQ_DEBUG;
}

struct xen_links xen_links(struct domain *d)
{
    return (struct xen_links){d->id + 10u, d->id, 300, 4000};
}

int config_all(const struct domain_config **out)
{
    *out = configs;
    return 3;
}

int domain_launch(const struct domain_config *c)
{
    launched++;
    return order_error;
}
int domain_pause(struct domain *d)
{
    paused++;
    d->paused_by_console = order_error == 0;
    return order_error;
}
int domain_unpause(struct domain *d)
{
    d->paused_by_console = false;
    return order_error;
}
int domain_reboot(struct domain *d)
{
    rebooted++;
    return order_error;
}
int domain_destroy(struct domain *d)
{
    destroyed++;
    return order_error;
}
int sched_set(struct domain *d, const struct sched_params *p)
{
    last_params = *p;
    return order_error;
}
void sched_times(struct vcpu *v, uint64_t now_ticks, struct sched_times *out)
{
    *out = (struct sched_times){.state = SCHED_RUNNING};
    out->ticks[SCHED_RUNNING] = ns_to_ticks(1234 * MS);
}
uint64_t sched_runtime_ticks(const struct vcpu *v, uint64_t now_ticks)
{
    return now_ticks / 4; /* two of them: half a CPU */
}
void sched_cpu_info(struct cpu *c, uint64_t now_ticks, struct sched_cpu_info *out)
{
    *out = (struct sched_cpu_info){.domain = c->id == 0 ? 1 : DOMID_INVALID,
                                   .vcpu = 1,
                                   .busy_ticks = now_ticks / 2,
                                   .switch_count = 77};
}
void frame_stats(struct frame_stats *out)
{
    *out = (struct frame_stats){.total = 262144, .free = 131072, .owned = 65536, .hyp = 100};
}
uint64_t frame_owned_count(domid_t id)
{
    return 32768; /* 128 MiB */
}
bool irq_owner(uint32_t intid, struct domain **domain, uint32_t *virq)
{
    static struct domain work = {.name = "work"};

    *domain = intid == 72 ? &work : NULL;
    *virq = 72;
    return intid == 72 || intid == 33;
}
void arch_power(bool reset)
{
    powered = true;
    power_reset = reset;
    fake_locks_forget();
    longjmp(power_jump, 1);
}
static struct crash_record crash;
bool domain_last_crash(unsigned n, struct crash_record *out)
{
    *out = crash;
    return n == 0 && *crash.name;
}

void arch_vcpu_snapshot(const struct vcpu *v, struct crash_record *to)
{
    to->pc = 0xffff800012345678ull;
    to->x[30] = 0xabc;
}

/* The tests. */

static struct domain *home, *work;

static struct domain *new_domain(domid_t id, const char *name)
{
    struct domain *d = fake_domain(id, name, 2);

    d->state = DOMAIN_RUNNING;
    guest[id] = (struct guest_end){.room = sizeof(guest[id].got)};
    snprintf(configs[id - 1].name, sizeof(configs[0].name), "%s", name);
    configs[id - 1].id = id;
    d->config = &configs[id - 1];
    assert_int_equal(console_domain_create(d), 0);
    return d;
}

static void put(struct domain *d, const char *text)
{
    assert_int_equal(console_domain_output(d, (const uint8_t *)text, strlen(text)), strlen(text));
}

/* Ctrl-T until the hypervisor's console has the screen. */
static void to(const char *name)
{
    char line[64];

    snprintf(line, sizeof(line), "--- %s has keyboard and screen", name);
    do {
        wipe();
        type("\x14");
    } while (strstr(screen, line) == NULL);
    wipe();
}

static void to_hypervisor(void)
{
    to("the hypervisor (type help)");
}

static int boot(void **state)
{
    static char ring[16384];

    fake_boot(2, 0);
    log_line("kept when the log moves");
    log_use_ring(ring, sizeof(ring));
    return console_start();
}

static int setup(void **state)
{
    line_room = SIZE_MAX;
    memset(configs, 0, sizeof(configs));
    strcpy(configs[2].name, "gone");
    order_error = 0;
    launched = paused = rebooted = destroyed = 0;
    powered = false;
    home = new_domain(1, "home");
    work = new_domain(2, "work");
    console_ready();
    if (*state == NULL) {
        to("home");
    }
    return 0;
}

static int setup_untouched(void **state)
{
    *state = configs; /* keyboard and screen stay where boot has put them */
    return setup(state);
}

static int teardown(void **state)
{
    line_room = SIZE_MAX;
    to_hypervisor();
    type("\x03");
    type("quiet off\r");
    struct domain *all[] = {home, work};
    for (unsigned i = 0; i < 2; i++) {
        console_domain_destroy(all[i]);
        assert_null(all[i]->console);
        assert_int_equal(all[i]->hyp_frames, 0);
        assert_int_equal(all[i]->refs, 1); /* no command has kept a reference */
    }
    fake_domain_free_all();
    wipe();
    return 0;
}

#define SHOWN(text)                                                                 \
    do {                                                                            \
        if (strstr(screen, text) == NULL) {                                         \
            fail_msg("\"%s\" is not on the screen, which says:\n%s", text, screen); \
        }                                                                           \
    } while (0)
#define NOT_SHOWN(text)                                                         \
    do {                                                                        \
        if (strstr(screen, text) != NULL) {                                     \
            fail_msg("\"%s\" is on the screen, which says:\n%s", text, screen); \
        }                                                                       \
    } while (0)

static unsigned times_shown(const char *text)
{
    unsigned n = 0;

    for (const char *at = screen; (at = strstr(at, text)) != NULL; at++) {
        n++;
    }
    return n;
}

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
    assert_true(screen_length < 1700);
    wipe();
    put(work, "root");
    assert_string_equal(screen, "root"); /* not shown before, not marked */
}

/* Of the others each complete line is shown, marked, without controls. */
static void test_marked_lines(void **state)
{
    wipe();
    put(work, "\x1b[31mred\x1b[0m\a and\t8-bit \xc3\xa9\r\n");
    assert_string_equal(screen, "(work) red and\t8-bit \xc3\xa9\r\n");
    wipe();
    put(work, "10%\r 50%\r100%\r\n"); /* what a terminal would show in the end */
    assert_string_equal(screen, "(work) 100%\r\n");
    wipe();
    put(work, "\r\n");
    assert_string_equal(screen, "");
    char wide[500];
    memset(wide, 'w', sizeof(wide) - 3);
    strcpy(wide + sizeof(wide) - 3, "\r\n");
    put(work, wide); /* in pieces of at most 200 */
    assert_int_equal(times_shown("(work) "), 3);
}

/* A line that stays unfinished is shown after 0.3 s, as it is then; not before. */
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
    assert_string_equal(screen, "(work) login: \r\n");
    wipe();
    pass(1000 * MS);
    assert_string_equal(screen, "");
}

/* What is being typed is drawn again below a line from elsewhere. */
static void test_interjection(void **state)
{
    put(home, "a prompt$ ls");
    wipe();
    put(work, "hello\r\n");
    assert_string_equal(screen, "\r\x1b[2K(work) hello\r\na prompt$ ls");
    to_hypervisor();
    type("mem");
    wipe();
    put(work, "again\r\n");
    assert_string_equal(screen, "\r\x1b[2K(work) again\r\n\rbulkhead> mem\x1b[K");
    wipe();
    log_line("a line of the log");
    SHOWN("] a line of the log\r\n\rbulkhead> mem\x1b[K");
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
    pass(1000 * MS);
    assert_string_equal(screen, "");
    put(home, "\x1b[?1049l");
    wipe();
    log_line("now");
    SHOWN("1 lines of the log were not shown: `log` on the hypervisor's console has them");
    SHOWN("] now");
    to_hypervisor();
    type("quiet on\r");
    SHOWN("Lines of other consoles are held back.");
    wipe();
    put(work, "more\r\n");
    assert_string_equal(screen, "");
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
    SHOWN("lines of the log were not shown");
    SHOWN("] at last\r\n");
}

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
    rights_drop(work, RIGHT_INSPECT, home);
    rights_drop(work, RIGHT_CONTROL, NULL);
    type("rights\r");
    SHOWN("  work             none: its own memory, CPUs and devices only");
    rights_destroy(work);
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
    assert_string_equal(screen, "\x1b[H\x1b[2J\rbulkhead> \x1b[K");
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
    log_panic_mode(NULL);
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
        if (screen_length > sizeof(screen) / 2) {
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
        cmocka_unit_test_setup_teardown(test_domain_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_panic, setup, teardown),
        cmocka_unit_test_setup_teardown(test_anything, setup, teardown),
    };

    return cmocka_run_group_tests_name("console", tests, boot, NULL);
}

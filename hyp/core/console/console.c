/*
 * Who has the keyboard of the serial line, and what happens when: keys, the
 * switch between consoles, the worker, consoles that come and go; hyp/console.h,
 * and docs/console.md for what a user sees. Drawing is in console-screen.c.
 *
 * Locks: screen.lock (RANK_CONSOLE). It is dropped before a vUART, a domain or
 * a command is touched; what must wait for that, or for time, is done by the
 * worker, from the line's interrupt and one software timer.
 */
#include "console-internal.h"

#include <hyp/arch.h>
#include <hyp/cpu.h>
#include <hyp/frame.h>
#include <hyp/log.h>
#include <hyp/uart.h>
#include <hyp/xen.h>
#include <lib/string.h>
#include <lib/text.h>
#include <xen/errno.h>

#define KEY_NEXT 0x14         /* Ctrl-T */
#define INPUT_SIZE FRAME_SIZE /* keys the focused domain had no room for yet; power of two */
#define RETRY_NS 5000000ull   /* what did not fit is offered again */
#define STEPS_PER_EVENT 32    /* lines of a command's output in one go */
#define KEYS_PER_EVENT 64

static struct {
    char *key;           /* [const] INPUT_SIZE of them */
    uint32_t head, tail; /* [screen.lock] */
} input;

static struct timer timer;
static uint64_t armed_ticks = TICKS_NEVER; /* [screen.lock] when `timer` fires */
static uint32_t asked;                     /* [atomic] somebody came while a CPU was at work */
static uint32_t busy; /* [atomic] a CPU is at work: it alone runs commands and takes keys */

/* Let the worker run at that time, or earlier. */
static void work_at(uint64_t ticks)
{
    lock(&screen.lock);
    bool earlier = ticks < armed_ticks;
    armed_ticks = earlier ? ticks : armed_ticks;
    unlock(&screen.lock);
    if (earlier) {
        timer_set(&timer, ticks);
    }
}

static uint64_t retry_ticks(void)
{
    return arch_counter_ticks() + ns_to_ticks(RETRY_NS);
}

size_t console_domain_output(struct domain *d, const uint8_t *bytes, size_t count)
{
    lock(&screen.lock);
    struct console *c = d->console;
    size_t taken = c ? screen_take(c, (const char *)bytes, count) : 0;
    bool refused = c && taken < count;
    if (refused) {
        c->blocked = screen.any_blocked = true;
    }
    screen_drain();
    uint64_t due = screen.sweep_due;
    bool arm = due < armed_ticks;
    unlock(&screen.lock);
    if (arm || refused) {
        work_at(refused ? retry_ticks() : due);
    }
    return c ? taken : count;
}

/* By character, so the usual case is kept short: the focused domain prints, and the line keeps up. */
bool vuart_output(struct domain *d, uint8_t byte)
{
    lock(&screen.lock);
    bool passed = d->console && screen_pass(d->console, (char)byte);
    unlock(&screen.lock);
    return passed || console_domain_output(d, &byte, 1) == 1;
}

/* Switching. */

/* The hypervisor's console is shown: with a prompt, unless a command prints. */
static void maybe_prompt(void)
{
    lock(&screen.lock);
    if (!screen.focus && !screen.prompting && !command_running()) {
        screen_prompt();
        screen_drain();
    }
    unlock(&screen.lock);
}

bool console_focus(domid_t id)
{
    struct domain *d = id == DOMID_XEN ? NULL : domain_get(id);

    command_abort();
    lock(&screen.lock);
    bool found = id == DOMID_XEN || (d && d->console);
    if (found) {
        input.tail = input.head;
        screen_focus(d ? d->console : NULL);
    }
    unlock(&screen.lock);
    if (d) {
        domain_put(d);
    }
    maybe_prompt();
    return found;
}

static int focused_id(void)
{
    lock(&screen.lock);
    int id = screen.focus ? screen.focus->id : -1;
    unlock(&screen.lock);
    return id;
}

/* Ctrl-T: domains by number, then the hypervisor, then again. */
static void focus_next(void)
{
    int now = focused_id();
    domid_t next = DOMID_XEN;
    struct domain *d = NULL;

    while (next == DOMID_XEN && (d = domain_next(d))) {
        next = d->console && (int)d->id > now ? d->id : next;
    }
    if (d) {
        domain_put(d);
    }
    (void)console_focus(next);
}

/* Input. */

/* Tab: complete the word, or list what is possible. */
static void complete(const char *line, unsigned at)
{
    char word[DOMAIN_NAME_LEN];
    unsigned typed;
    bool whole;

    bool found = command_complete(line, at, word, &typed, &whole);
    lock(&screen.lock);
    screen.prompting = false; /* shown again, with what has changed */
    if (found) {
        edit_complete(&screen.editor, typed, word, whole);
    }
    unlock(&screen.lock);
}

static void edit(char key)
{
    struct editor *e = &screen.editor;
    char line[EDIT_LINE_MAX];

    lock(&screen.lock);
    enum edit_result result = edit_key(e, key);
    unsigned at = e->at;
    memcpy(line, e->line, sizeof(line));
    switch (result) {
    case EDIT_ECHO:
        screen_put(&key, 1);
        break;
    case EDIT_CLEAR:
        screen_print("\x1b[H\x1b[2J");
        /* fall through */
    case EDIT_REDRAW:
        screen_prompt();
        break;
    case EDIT_ENTER:
        edit_remember(e);
        /* fall through */
    case EDIT_CANCEL:
        screen_print(result == EDIT_CANCEL ? "^C\r\n" : "\r\n");
        edit_reset(e);
        screen.prompting = false;
        break;
    default:
        break;
    }
    screen_drain();
    unlock(&screen.lock);
    if (result == EDIT_ENTER) {
        command_begin(line);
    } else if (result == EDIT_TAB) {
        complete(line, at);
    }
}

static void key_pressed(char key)
{
    if (key == KEY_NEXT) {
        focus_next();
        return;
    }
    lock(&screen.lock);
    bool ours = !screen.focus;
    if (!ours && input.head - input.tail < INPUT_SIZE) {
        input.key[input.head++ % INPUT_SIZE] = key;
    }
    unlock(&screen.lock);
    if (ours && command_running()) {
        command_key(key);
    } else if (ours) {
        edit(key);
    }
}

static int next_key(void)
{
    lock(&screen.lock);
    int key = uart_read();
    unlock(&screen.lock);
    return key;
}

/* Hand the keys that wait to the focused domain. True: some did not fit. */
static bool deliver_input(void)
{
    int id = focused_id();
    struct domain *d = id < 0 ? NULL : domain_get((domid_t)id);
    bool rest = false;

    /* Only the one CPU that is at work puts keys in and takes them out. */
    while (d && !rest && input.tail != input.head) {
        char key = input.key[input.tail % INPUT_SIZE];
        rest = xen_console_used(d) ? xen_console_input(d, &key, 1) == 0
                                   : !vuart_receive(d, (uint8_t)key);
        input.tail += !rest;
    }
    if (d) {
        domain_put(d);
    }
    return rest;
}

/* All domains: tell those who were refused that there is room, show unfinished lines that are due. */
static void sweep(uint64_t now)
{
    struct domain *d = NULL;

    lock(&screen.lock);
    bool room = screen.any_blocked && screen_room() > 2 * SCREEN_RESERVE;
    bool due = room || now >= screen.sweep_due;
    if (due) {
        screen.sweep_due = TICKS_NEVER;
        screen.any_blocked = screen.any_blocked && !room;
    }
    unlock(&screen.lock);
    while (due && (d = domain_next(d))) {
        lock(&screen.lock);
        struct console *c = d->console;
        bool release = c && c->blocked && room;
        if (c) {
            screen_sweep(c, now);
            c->blocked = c->blocked && !release;
        }
        unlock(&screen.lock);
        if (release) {
            vuart_output_ready(d);
            xen_console_output_ready(d);
        }
    }
}

/* Commands go on while there is room for their output. Returns when to continue. */
static uint64_t run_commands(void)
{
    uint64_t next = command_running() ? 0 : TICKS_NEVER;

    for (unsigned steps = 0; next <= arch_counter_ticks() && steps < STEPS_PER_EVENT; steps++) {
        lock(&screen.lock);
        bool room = screen_room() > SCREEN_RESERVE;
        unlock(&screen.lock);
        if (!room) {
            return retry_ticks();
        }
        next = command_step();
    }
    maybe_prompt();
    return next;
}

/* One round of all that may be due; then the timer for what is not yet. */
static void work_once(void)
{
    unsigned keys = 0;
    int key;

    while (keys++ < KEYS_PER_EVENT && (key = next_key()) >= 0) {
        if (key == KEY_NEXT) {
            deliver_input();            /* what was typed before it is for whom it was typed */
            keys += KEYS_PER_EVENT / 2; /* it shows recent output: as dear as many others */
        }
        key_pressed((char)key);
    }
    bool rest = deliver_input();
    sweep(arch_counter_ticks());
    uint64_t next = keys > KEYS_PER_EVENT ? 0 : run_commands();
    lock(&screen.lock);
    screen_drain();
    uart_listen(true);
    rest = rest || screen.any_blocked;
    next = screen.sweep_due < next ? screen.sweep_due : next;
    unlock(&screen.lock);
    uint64_t retry = retry_ticks();
    next = rest && retry < next ? retry : next;
    if (next != TICKS_NEVER) {
        work_at(next);
    }
}

/* Keys and time may come on two CPUs at once: one works, the other leaves word. */
static void work(void)
{
    __atomic_store_n(&asked, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&asked, __ATOMIC_SEQ_CST) &&
           !__atomic_exchange_n(&busy, 1, __ATOMIC_SEQ_CST)) {
        __atomic_store_n(&asked, 0, __ATOMIC_SEQ_CST);
        work_once();
        __atomic_store_n(&busy, 0, __ATOMIC_SEQ_CST);
    }
}

/*
 * The line's interrupt, for keys or for room. It is raised until the keys are read: if another CPU
 * is at work, this one would take it again and again. The worker lets the next one come.
 */
static void on_line(void)
{
    lock(&screen.lock);
    uart_listen(false);
    unlock(&screen.lock);
    work();
}

static void on_timer(struct timer *t, uint64_t now)
{
    lock(&screen.lock);
    armed_ticks = TICKS_NEVER;
    unlock(&screen.lock);
    work();
}

/* Beginning and end. */

static void show_early(const char *line, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        uart_putc(line[i]);
    }
    uart_putc('\r');
    uart_putc('\n');
}

void console_early_init(const struct tree *t)
{
    if (uart_probe(t) == 0) {
        log_set_sink(show_early, true);
    }
}

int console_start(void)
{
    screen.queue = frame_alloc_hyp(NULL, SCREEN_QUEUE_ORDER);
    input.key = frame_alloc_hyp(NULL, 0);
    if (!screen.queue || !input.key) {
        return -XEN_ENOMEM;
    }
    timer_init(&timer, on_timer);
    edit_reset(&screen.editor);
    log_set_sink(screen_log_line, false);
    if (uart_start(on_line) != 0) {
        log_warn("The serial line has no interrupt: no console input.");
    }
    return 0;
}

void console_ready(void)
{
    lock(&screen.lock);
    bool ours = !screen.ever_focused;
    unlock(&screen.lock);
    if (ours) {
        (void)console_focus(DOMID_XEN);
    }
}

void console_panic(void)
{
    /* What waits in the queue comes first, if nobody is at it. */
    while (!lock_is_held(&screen.lock) && screen.tail != screen.head) {
        uart_putc(screen.queue[screen.tail++ % SCREEN_QUEUE]);
    }
    show_early("", 0);
    log_panic_mode(uart_putc);
}

int console_domain_create(struct domain *d)
{
    static_assert(sizeof(struct console) <= FRAME_SIZE, "C2");
    struct console *c = frame_alloc_hyp(d, 0);

    if (!c) {
        return -XEN_ENOMEM;
    }
    c->id = d->id;
    (void)text_copy(c->name, sizeof(c->name), d->name);
    lock(&screen.lock);
    d->console = c;
    if (!screen.ever_focused) {
        screen_focus(c);
    }
    unlock(&screen.lock);
    return 0;
}

void console_domain_destroy(struct domain *d)
{
    lock(&screen.lock);
    struct console *c = d->console;
    bool focused = c && screen.focus == c;
    d->console = NULL;
    if (focused) {
        screen_focus(NULL);
    }
    unlock(&screen.lock);
    if (c) {
        frame_free_hyp(d, c, 0);
    }
    if (focused) {
        maybe_prompt();
    }
}

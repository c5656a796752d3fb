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
#include <xen/errno.h>

#define KEY_NEXT 0x14         /* Ctrl-T */
#define INPUT_SIZE FRAME_SIZE /* keys the focused domain had no room for yet; power of two */
#define RETRY_NS 5000000ull   /* what did not fit is offered again */
#define STEPS_PER_EVENT 32    /* lines of a command's output in one go */
#define KEYS_PER_EVENT 64

/* [worker] Only the one CPU that is at work puts keys in and takes them out. */
static struct {
    char *key; /* [const] INPUT_SIZE of them */
    uint32_t head, tail;
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
    size_t taken = c ? screen_take(c, (const char *)bytes, count) : count;
    if (taken < count) {
        c->blocked = true;
        screen_sweep_in(RETRY_NS);
    }
    screen_drain();
    uint64_t due = screen.sweep_due;
    bool arm = due < armed_ticks;
    unlock(&screen.lock);
    if (arm) {
        work_at(due);
    }
    return taken;
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

bool console_focus(struct domain *d)
{
    lock(&screen.lock);
    struct console *c = d ? d->console : screen.own;
    if (c) {
        screen_focus(c);
    }
    unlock(&screen.lock);
    if (c) {
        input.tail = input.head;
    }
    if (c && command_running()) {
        command_end();
    }
    return c;
}

/* DOMID_XEN: the hypervisor's console has the keyboard. */
static domid_t focused_id(void)
{
    lock(&screen.lock);
    const struct domain *d = screen.focus ? screen.focus->domain : NULL;
    domid_t id = d ? d->id : DOMID_XEN;
    unlock(&screen.lock);
    return id;
}

/* Ctrl-T: domains by number, then the hypervisor, then again. */
static void focus_next(void)
{
    struct domain *d = domain_get(focused_id());

    do {
        d = domain_next(d);
    } while (d && !console_focus(d));
    if (d) {
        domain_put(d);
    } else {
        (void)console_focus(NULL);
    }
}

/* Input. */

static void key_pressed(char key)
{
    if (key == KEY_NEXT) {
        focus_next();
    } else if (focused_id() == DOMID_XEN && command_running()) {
        command_key(key);
    } else if (focused_id() == DOMID_XEN) {
        edit_key(key);
    } else if (input.head - input.tail < INPUT_SIZE) {
        input.key[input.head++ % INPUT_SIZE] = key;
    }
}

/* Hand the keys that wait to the focused domain. True: some did not fit. */
static bool deliver_input(void)
{
    struct domain *d = domain_get(focused_id());
    bool rest = false;

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

/* One that waited for room goes on first: its unfinished line would come out in pieces. */
static void sweep_domain(struct domain *d)
{
    lock(&screen.lock);
    bool release = d->console && d->console->blocked;
    if (release) {
        d->console->blocked = false;
    }
    unlock(&screen.lock);
    if (release) {
        vuart_output_ready(d);
        xen_console_output_ready(d);
    }
    lock(&screen.lock);
    if (d->console) {
        screen_sweep(d->console);
    }
    unlock(&screen.lock);
}

/* All domains, if it is time and there is room. */
static void sweep(void)
{
    lock(&screen.lock);
    bool room = screen_room() > 2 * SCREEN_RESERVE;
    bool due = arch_counter_ticks() >= screen.sweep_due;
    if (due) {
        screen.sweep_due = room ? TICKS_NEVER : retry_ticks();
    }
    unlock(&screen.lock);
    for (struct domain *d = NULL; due && room && (d = domain_next(d));) {
        sweep_domain(d);
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
        next = room ? command_step() : retry_ticks();
    }
    return next;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* One round of all that may be due; then the timer for what is not yet. */
static void work_once(void)
{
    unsigned keys = 0;
    int key;

    while (keys++ < KEYS_PER_EVENT && (key = uart_read()) >= 0) {
        if (key == KEY_NEXT) {
            deliver_input();            /* what was typed before it is for whom it was typed */
            keys += KEYS_PER_EVENT / 2; /* it shows recent output: as dear as many others */
        }
        key_pressed((char)key);
    }
    uint64_t next = deliver_input() ? retry_ticks() : TICKS_NEVER;
    sweep();
    next = earlier(next, keys > KEYS_PER_EVENT ? 0 : run_commands());
    lock(&screen.lock);
    screen_drain();
    uart_listen(true);
    next = earlier(next, screen.sweep_due);
    unlock(&screen.lock);
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
    char line[256];
    uint64_t at = 0;

    if (uart_probe(t) == 0) {
        while (log_read(&at, line, sizeof(line))) {
            show_early(line, strlen(line));
        }
        log_set_sink(show_early, false);
    }
}

int console_start(void)
{
    screen.queue = frame_alloc_hyp(NULL, SCREEN_QUEUE_ORDER);
    screen.own = frame_alloc_hyp(NULL, 0);
    input.key = frame_alloc_hyp(NULL, 0);
    if (!screen.queue || !screen.own || !input.key) {
        return -XEN_ENOMEM;
    }
    timer_init(&timer, on_timer);
    edit_prompt();
    log_set_sink(screen_log_line, false);
    if (uart_start(on_line) != 0) {
        log_warn("The serial line has no interrupt: no console input.");
    }
    return 0;
}

void console_ready(void)
{
    lock(&screen.lock);
    if (!screen.focus) {
        screen_focus(screen.own);
    }
    unlock(&screen.lock);
}

void console_panic(void)
{
    /* What waits in the queue comes first, if nobody is at it. */
    while (!lock_is_held(&screen.lock) && screen.tail != screen.head) {
        uart_putc(screen.queue[screen.tail++ % SCREEN_QUEUE]);
    }
    show_early("", 0);
    log_set_sink(show_early, true);
}

int console_domain_create(struct domain *d)
{
    static_assert(sizeof(struct console) <= FRAME_SIZE, "C2");
    struct console *c = frame_alloc_hyp(d, 0);

    if (!c) {
        return -XEN_ENOMEM;
    }
    c->domain = d;
    lock(&screen.lock);
    d->console = c;
    if (!screen.focus) {
        screen_focus(c);
    }
    unlock(&screen.lock);
    return 0;
}

void console_domain_destroy(struct domain *d)
{
    lock(&screen.lock);
    struct console *c = d->console;
    d->console = NULL;
    if (c && screen.focus == c) {
        screen_focus(screen.own);
    }
    unlock(&screen.lock);
    if (c) {
        frame_free_hyp(d, c, 0);
    }
}

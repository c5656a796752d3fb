/*
 * The serial line, shared by the consoles of the hypervisor and of all
 * domains; hyp/console.h, and docs/console.md for what a user sees.
 *
 * All output goes into one queue that the line drains by itself. The focused
 * domain's characters go there as they come; of the others each complete line
 * goes there, marked with the domain's name. Each domain's recent output is
 * kept in its ring, from which switching to it paints the screen.
 *
 * Locks: `screen` (RANK_CONSOLE) for everything here. It is dropped before a
 * vUART or a command is called. Work that must wait for that, or for time, is
 * done by one software timer.
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

#define QUEUE_SIZE 8192u        /* power of two */
#define QUEUE_RESERVE 2048u     /* guests leave that to the hypervisor */
#define INPUT_SIZE 1024u        /* keys the focused domain had no room for yet; power of two */
#define LINE_MAX 200u           /* a longer line of a domain in the background is shown in pieces */
#define REPLAY_BYTES 1500u      /* of recent output, shown after a switch */
#define PARTIAL_NS 300000000ull /* a line without an end is shown after that silence: a prompt */
#define RETRY_NS 5000000ull     /* input that did not fit is offered again */
#define PROMPT "bulkhead> "
#define ERASE_LINE "\r\x1b[2K"
#define DIM "\x1b[2m" /* what is shown again */
#define NORMAL "\x1b[22m"
#define STEPS_PER_EVENT 32 /* lines of a command's output in one go */
#define KEYS_PER_EVENT 64

static struct {
    lock_t lock;
    char queue[QUEUE_SIZE];
    uint32_t head, tail;   /* [lock] count all bytes ever put and taken */
    struct console *focus; /* [lock] NULL: the hypervisor's own */
    bool ever_focused;     /* [lock] */
    bool started;          /* [const] after console_start() */
    bool prompting;        /* [lock] the hypervisor's prompt is shown */
    bool quiet;            /* [lock] others keep silent */
    bool any_blocked;      /* [lock] some console's `blocked` is set */
    bool partials;         /* [lock] a domain in the background has an unfinished line */
    uint32_t missed_lines; /* [lock] log lines that did not fit */
    char input[INPUT_SIZE];
    uint32_t input_head, input_tail; /* [lock] */
    uint64_t partial_due;            /* [lock] when `partials` are shown */
    uint64_t armed_ticks;            /* [lock] when `timer` fires, TICKS_NEVER if it is not set */
    struct timer timer;
    uint32_t asked;       /* [atomic] somebody came while a CPU was at work */
    uint32_t busy;        /* [atomic] a CPU is at work: it alone runs commands and takes keys */
    struct editor editor; /* [lock] */
} screen = {.lock = LOCK_INIT(RANK_CONSOLE)};

/* The queue. */

static uint32_t room_locked(void)
{
    return QUEUE_SIZE - (screen.head - screen.tail);
}

static void drain_locked(void)
{
    while (screen.tail != screen.head) {
        uint32_t at = screen.tail % QUEUE_SIZE, count = screen.head - screen.tail;
        if (count > QUEUE_SIZE - at) {
            count = QUEUE_SIZE - at;
        }
        uint32_t taken = (uint32_t)uart_write(screen.queue + at, count);
        screen.tail += taken;
        if (taken < count) {
            return; /* its interrupt goes on */
        }
    }
}

/* The caller has looked for room; what does not fit all the same is cut. */
static void put_locked(const char *bytes, size_t count)
{
    uint32_t room = room_locked(), head = screen.head;

    for (size_t i = 0; i < count && i < room; i++) {
        screen.queue[head++ % QUEUE_SIZE] = bytes[i];
    }
    screen.head = head;
}

static void put_text_locked(const char *text)
{
    put_locked(text, strlen(text));
}

/* What stands on the last line of the screen, to be shown again below something else. */

static void put_ring_locked(const struct console *c, uint64_t from, uint64_t to)
{
    for (; from < to; from++) {
        put_locked(&c->ring[from % CONSOLE_RING], 1);
    }
}

static uint64_t oldest_kept(const struct console *c)
{
    return c->head > CONSOLE_RING ? c->head - CONSOLE_RING : 0;
}

static uint64_t partial_start(const struct console *c)
{
    uint64_t oldest = oldest_kept(c);
    return c->line_start > oldest ? c->line_start : oldest;
}

static void redraw_editor_locked(void)
{
    char back[16];

    put_text_locked("\r" PROMPT);
    put_text_locked(screen.editor.line);
    put_text_locked("\x1b[K");
    if (screen.editor.at < screen.editor.length) {
        fmt(back, sizeof(back), "\x1b[%uD", screen.editor.length - screen.editor.at);
        put_text_locked(back);
    }
}

static uint64_t partial_length(void)
{
    return screen.focus       ? screen.focus->head - partial_start(screen.focus)
           : screen.prompting ? sizeof(PROMPT) + screen.editor.length + 8
                              : 0;
}

static bool others_silent(void)
{
    return screen.quiet || (screen.focus && screen.focus->full_screen);
}

/* A whole line from elsewhere, above what is being typed. False: no room. */
static bool interject_locked(const char *mark, const char *text, size_t length)
{
    uint64_t partial = partial_length();

    if (room_locked() < length + strlen(mark) + partial + 16) {
        return false;
    }
    if (partial) {
        put_text_locked(ERASE_LINE);
    }
    put_text_locked(mark);
    put_locked(text, length);
    put_text_locked("\r\n");
    if (screen.focus && partial) {
        put_ring_locked(screen.focus, partial_start(screen.focus), screen.focus->head);
    } else if (partial) {
        redraw_editor_locked();
    }
    drain_locked();
    return true;
}

/* The log's sink: called with the log's lock. */
static void show_log_line(const char *line, size_t length)
{
    char note[100];

    lock(&screen.lock);
    if (screen.missed_lines && room_locked() > QUEUE_RESERVE) {
        int n =
            fmt(note, sizeof(note),
                "%u lines of the log were not shown: `log` on the hypervisor's console has them",
                screen.missed_lines);
        if (interject_locked("", note, (size_t)n)) {
            screen.missed_lines = 0;
        }
    }
    if (others_silent() || !interject_locked("", line, length)) {
        screen.missed_lines++;
    }
    unlock(&screen.lock);
}

/* Output of domains. */

/*
 * Full-screen programs switch to the alternate screen, ESC [ ? 1049 h (or 47,
 * 1047), and back with l: meanwhile other consoles' lines would spoil it.
 * Source: XTerm control sequences, "DEC private mode set".
 */
static void watch_escapes(struct console *c, char byte)
{
    enum { GROUND, ESCAPE, BRACKET, PRIVATE };

    if (byte == 27) {
        c->escape = ESCAPE;
    } else if (c->escape == ESCAPE && byte == '[') {
        c->escape = BRACKET;
    } else if (c->escape == BRACKET && byte == '?') {
        c->escape = PRIVATE;
        c->parameter = 0;
    } else if (c->escape == PRIVATE && byte >= '0' && byte <= '9') {
        c->parameter = (c->parameter * 10 + (uint32_t)(byte - '0')) % 100000;
    } else {
        if (c->escape == PRIVATE && (byte == 'h' || byte == 'l') &&
            (c->parameter == 1049 || c->parameter == 1047 || c->parameter == 47)) {
            c->full_screen = byte == 'h';
        }
        c->escape = GROUND;
    }
}

static void remember(struct console *c, char byte)
{
    c->ring[c->head++ % CONSOLE_RING] = byte;
    if ((uint8_t)byte >= ' ' && !c->escape) {
        return;
    }
    if (byte == '\n') {
        c->line_start = c->head;
    }
    if (byte == 27 || c->escape) {
        watch_escapes(c, byte);
    }
}

/* What is new in the background, as one marked line without controls. False: no room. */
static bool show_background_locked(struct console *c)
{
    char mark[DOMAIN_NAME_LEN + 4], line[LINE_MAX];
    uint64_t oldest = oldest_kept(c);
    size_t n = 0;
    bool escape = false;

    for (uint64_t at = c->shown > oldest ? c->shown : oldest; at < c->head && n < LINE_MAX; at++) {
        char b = c->ring[at % CONSOLE_RING];
        if (escape) {
            escape = !((b >= 'A' && b <= 'Z') || (b >= 'a' && b <= 'z'));
        } else if (b == 27) {
            escape = true;
        } else if (b == '\r') {
            n = at + 1 < c->head && c->ring[(at + 1) % CONSOLE_RING] != '\n' ? 0 : n;
        } else if (b >= ' ' || b == '\t' || (b & 0x80)) {
            line[n++] = b;
        }
    }
    if (others_silent()) {
        c->held_lines++;
    } else if (n) {
        fmt(mark, sizeof(mark), "(%s) ", c->name);
        if (room_locked() < QUEUE_RESERVE + LINE_MAX || !interject_locked(mark, line, n)) {
            return false;
        }
    }
    c->shown = c->head;
    return true;
}

static bool take_background_locked(struct console *c, char byte)
{
    if (c->head - c->shown >= LINE_MAX && !show_background_locked(c)) {
        return false;
    }
    uint64_t line_start = c->line_start;
    remember(c, byte);
    if (byte != '\n') {
        c->last_ticks = arch_counter_ticks();
        if (!screen.partials) {
            screen.partials = true;
            screen.partial_due = c->last_ticks + ns_to_ticks(PARTIAL_NS);
        }
        return true;
    }
    if (!show_background_locked(c)) {
        c->head--; /* the newline is to come again, when there is room */
        c->line_start = line_start;
        return false;
    }
    return true;
}

static size_t take_focused_locked(struct console *c, const char *bytes, size_t count)
{
    uint32_t room = room_locked() > QUEUE_RESERVE ? room_locked() - QUEUE_RESERVE : 0;

    count = count < room ? count : room;
    for (size_t i = 0; i < count; i++) {
        remember(c, bytes[i]);
    }
    c->shown = c->head;
    put_locked(bytes, count);
    return count;
}

void console_work_in(uint64_t ns)
{
    uint64_t at = arch_counter_ticks() + ns_to_ticks(ns);

    lock(&screen.lock);
    bool earlier = at < screen.armed_ticks && screen.started;
    if (earlier) {
        screen.armed_ticks = at;
    }
    unlock(&screen.lock);
    if (earlier) {
        timer_set(&screen.timer, at);
    }
}

size_t console_domain_output(struct domain *d, const uint8_t *bytes, size_t count)
{
    size_t taken = 0;

    lock(&screen.lock);
    struct console *c = d->console;
    bool had_partials = screen.partials;
    if (c && c == screen.focus) {
        taken = take_focused_locked(c, (const char *)bytes, count);
    }
    while (c && c != screen.focus && taken < count &&
           take_background_locked(c, (char)bytes[taken])) {
        taken++;
    }
    if (c && taken < count) {
        c->blocked = screen.any_blocked = true;
    }
    drain_locked();
    bool arm = (screen.partials && !had_partials) || (c && taken < count);
    unlock(&screen.lock);
    if (arm) {
        console_work_in(taken < count ? RETRY_NS : PARTIAL_NS);
    }
    return c ? taken : count;
}

/* By character, so the usual case is kept short: the focused domain prints, and the line keeps up. */
bool vuart_output(struct domain *d, uint8_t byte)
{
    lock(&screen.lock);
    struct console *c = d->console;
    bool straight = c && c == screen.focus && screen.tail == screen.head && uart_try((char)byte);
    if (straight) {
        remember(c, (char)byte);
        c->shown = c->head;
    }
    unlock(&screen.lock);
    return straight || console_domain_output(d, &byte, 1) == 1;
}

/* Output of the hypervisor's own console. */

static void vsay(const char *format, va_list args, const char *end)
{
    char line[256];
    int n = vfmt(line, sizeof(line), format, args);

    lock(&screen.lock);
    if (!screen.focus) {
        put_locked(line, n < (int)sizeof(line) ? (size_t)n : sizeof(line) - 1);
        put_text_locked(end);
        drain_locked();
    }
    unlock(&screen.lock);
}

void say(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsay(format, args, "\r\n");
    va_end(args);
}

void say_part(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsay(format, args, "");
    va_end(args);
}

bool console_quiet(void)
{
    return screen.quiet;
}

void console_set_quiet(bool quiet)
{
    lock(&screen.lock);
    screen.quiet = quiet;
    unlock(&screen.lock);
}

/* Switching. */

static void prompt_locked(void)
{
    screen.prompting = true;
    redraw_editor_locked();
    drain_locked();
}

/* Recent whole lines, dimmed, and the unfinished one as it was. */
static void replay_locked(struct console *c)
{
    uint64_t oldest = oldest_kept(c);
    uint64_t from = c->head > REPLAY_BYTES ? c->head - REPLAY_BYTES : 0;

    from = from > oldest ? from : oldest;
    if (from) { /* not from the middle of a line */
        while (from < c->head && c->ring[from++ % CONSOLE_RING] != '\n') {
        }
    }
    if (from < c->line_start) {
        put_text_locked(DIM);
        put_ring_locked(c, from, c->line_start);
        put_text_locked(NORMAL);
        from = c->line_start;
    }
    put_ring_locked(c, from, c->head);
}

/* Keyboard and screen to `c`, NULL: the hypervisor. Says so in one line. */
static void focus_locked(struct console *c)
{
    char line[100];

    if (screen.focus) {
        screen.focus->shown = partial_start(screen.focus); /* again with what follows */
    }
    screen.focus = c;
    screen.prompting = false;
    screen.input_tail = screen.input_head;
    if (screen.ever_focused) {
        put_text_locked("\r\n");
    }
    screen.ever_focused = true;
    fmt(line, sizeof(line), "--- %s%s%s has keyboard and screen; Ctrl-T: the next ---\r\n",
        c ? "" : "the hypervisor", c ? c->name : "", c ? "" : " (type help)");
    put_text_locked(line);
    if (c) {
        c->held_lines = 0;
        if (!c->full_screen) {
            replay_locked(c);
        }
        c->shown = c->head;
    }
    drain_locked();
}

/* The hypervisor's console is shown: with a prompt, unless a command prints. */
static void maybe_prompt(void)
{
    lock(&screen.lock);
    if (!screen.focus && !screen.prompting && !command_running()) {
        prompt_locked();
    }
    unlock(&screen.lock);
}

bool console_focus(domid_t id)
{
    struct domain *d = id == DOMID_XEN ? NULL : domain_get(id);
    bool found = id == DOMID_XEN;

    command_abort();
    lock(&screen.lock);
    if (d && d->console) {
        found = true;
    }
    if (found) {
        focus_locked(d ? d->console : NULL);
    }
    unlock(&screen.lock);
    if (d) {
        domain_put(d);
    }
    maybe_prompt();
    return found;
}

/* Ctrl-T: domains by number, then the hypervisor, then again. */
static void focus_next(void)
{
    struct domain *d = NULL;
    domid_t next = DOMID_XEN;

    lock(&screen.lock);
    int now = screen.focus ? screen.focus->id : -1;
    unlock(&screen.lock);
    while ((d = domain_next(d))) {
        if (d->console && (int)d->id > now) {
            next = d->id;
            domain_put(d);
            break;
        }
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

    lock(&screen.lock);
    screen.prompting = false; /* alternatives are printed below */
    unlock(&screen.lock);
    if (command_complete(line, at, word, &typed, &whole)) {
        lock(&screen.lock);
        edit_complete(&screen.editor, typed, word, whole);
        unlock(&screen.lock);
    }
}

static void edit(char key)
{
    char line[EDIT_LINE_MAX];

    lock(&screen.lock);
    enum edit_result result = edit_key(&screen.editor, key);
    unsigned at = screen.editor.at;
    memcpy(line, screen.editor.line, sizeof(line));
    switch (result) {
    case EDIT_ECHO:
        put_locked(&key, 1);
        break;
    case EDIT_REDRAW:
        redraw_editor_locked();
        break;
    case EDIT_CLEAR:
        put_text_locked("\x1b[H\x1b[2J");
        redraw_editor_locked();
        break;
    case EDIT_ENTER:
        edit_remember(&screen.editor);
        /* fall through */
    case EDIT_CANCEL:
        put_text_locked(result == EDIT_CANCEL ? "^C\r\n" : "\r\n");
        edit_reset(&screen.editor);
        screen.prompting = false;
        break;
    default:
        break;
    }
    drain_locked();
    unlock(&screen.lock);
    if (result == EDIT_ENTER) {
        command_begin(line);
    } else if (result == EDIT_TAB) {
        complete(line, at);
    }
}

static void key_pressed(char key)
{
    if (key == CONSOLE_KEY_NEXT) {
        focus_next();
        return;
    }
    lock(&screen.lock);
    bool ours = !screen.focus;
    if (!ours && screen.input_head - screen.input_tail < INPUT_SIZE) {
        screen.input[screen.input_head++ % INPUT_SIZE] = key;
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

static struct domain *focused_domain(void)
{
    lock(&screen.lock);
    int id = screen.focus ? screen.focus->id : -1;
    unlock(&screen.lock);
    return id < 0 ? NULL : domain_get((domid_t)id);
}

/* Hand the keys that wait to the focused domain. True: some did not fit. */
static bool deliver_input(void)
{
    struct domain *d = focused_domain();
    bool rest = false;

    while (d && !rest) {
        lock(&screen.lock);
        bool any = screen.input_tail != screen.input_head;
        char key = screen.input[screen.input_tail % INPUT_SIZE];
        unlock(&screen.lock);
        if (!any) {
            break;
        }
        rest = xen_console_used(d) ? xen_console_input(d, &key, 1) == 0
                                   : !vuart_receive(d, (uint8_t)key);
        lock(&screen.lock);
        if (!rest && screen.input_tail != screen.input_head) {
            screen.input_tail++;
        }
        unlock(&screen.lock);
    }
    if (d) {
        domain_put(d);
    }
    return rest;
}

/* Tell those who were refused that there is room again. */
static void release_blocked(void)
{
    struct domain *d = NULL;

    lock(&screen.lock);
    bool any = screen.any_blocked && room_locked() > 2 * QUEUE_RESERVE;
    if (any) {
        screen.any_blocked = false;
    }
    unlock(&screen.lock);
    while (any && (d = domain_next(d))) {
        lock(&screen.lock);
        bool was = d->console && d->console->blocked;
        if (was) {
            d->console->blocked = false;
        }
        unlock(&screen.lock);
        if (was) {
            vuart_output_ready(d);
            xen_console_output_ready(d);
        }
    }
}

/*
 * An unfinished line is shown when its domain has been silent: one that waits for room, or is
 * still at it, would come out in pieces.
 */
static void show_partial_locked(struct console *c, uint64_t now)
{
    uint64_t due = c->last_ticks + ns_to_ticks(PARTIAL_NS);

    if (c == screen.focus || c->shown >= c->head || others_silent()) {
        return;
    }
    if (!c->blocked && now >= due && show_background_locked(c)) {
        return;
    }
    due = due > now ? due : now + ns_to_ticks(PARTIAL_NS);
    screen.partial_due = screen.partials && screen.partial_due < due ? screen.partial_due : due;
    screen.partials = true;
}

/* Unfinished lines of domains in the background: mostly prompts. */
static void show_partials(void)
{
    uint64_t now = arch_counter_ticks();
    struct domain *d = NULL;

    lock(&screen.lock);
    bool due = screen.partials && now >= screen.partial_due;
    if (due) {
        screen.partials = false;
    }
    unlock(&screen.lock);
    while (due && (d = domain_next(d))) {
        lock(&screen.lock);
        if (d->console) {
            show_partial_locked(d->console, now);
        }
        unlock(&screen.lock);
    }
}

/* Commands go on while there is room for their output. */
static void run_commands(void)
{
    unsigned steps = 0;
    bool more = command_running();

    while (more && steps++ < STEPS_PER_EVENT) {
        lock(&screen.lock);
        bool room = room_locked() > QUEUE_RESERVE;
        unlock(&screen.lock);
        if (!room) {
            console_work_in(RETRY_NS);
            return;
        }
        more = command_step();
    }
    if (more) {
        console_work_in(1);
    }
    maybe_prompt();
}

/* One round of all that may be due; then the timer for what is not yet. */
static void work_once(void)
{
    int key;

    unsigned keys = 0;
    for (; keys < KEYS_PER_EVENT && (key = next_key()) >= 0; keys++) {
        key_pressed((char)key);
    }
    if (keys == KEYS_PER_EVENT) {
        console_work_in(1);
    }
    bool rest = deliver_input();
    release_blocked();
    show_partials();
    run_commands();
    lock(&screen.lock);
    drain_locked();
    rest = rest || screen.any_blocked;
    bool partials = screen.partials;
    unlock(&screen.lock);
    if (rest) {
        console_work_in(RETRY_NS);
    } else if (partials) {
        console_work_in(PARTIAL_NS);
    }
}

/* Keys and time may come on two CPUs at once: one works, the other leaves word. */
static void work(void)
{
    __atomic_store_n(&screen.asked, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&screen.asked, __ATOMIC_SEQ_CST) &&
           !__atomic_exchange_n(&screen.busy, 1, __ATOMIC_SEQ_CST)) {
        __atomic_store_n(&screen.asked, 0, __ATOMIC_SEQ_CST);
        work_once();
        __atomic_store_n(&screen.busy, 0, __ATOMIC_SEQ_CST);
    }
}

static void on_timer(struct timer *t, uint64_t now)
{
    lock(&screen.lock);
    screen.armed_ticks = TICKS_NEVER;
    unlock(&screen.lock);
    work();
}

/* From the line's interrupt: keys, or room. */
static void on_event(void)
{
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

void console_early_init(const void *fdt)
{
    if (uart_probe(fdt) == 0) {
        log_set_sink(show_early, true);
    }
}

void console_start(void)
{
    timer_init(&screen.timer, on_timer);
    screen.armed_ticks = TICKS_NEVER;
    edit_reset(&screen.editor);
    screen.started = true;
    log_set_sink(show_log_line, false);
    if (uart_start(on_event) != 0) {
        log_warn("The serial line has no interrupt: no console input.");
    }
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
    lock_t *held = &screen.lock;

    /* What waits in the queue comes first, if nobody is at it. */
    if (!lock_is_held(held)) {
        while (screen.tail != screen.head) {
            uart_putc(screen.queue[screen.tail++ % QUEUE_SIZE]);
        }
    }
    uart_putc('\r');
    uart_putc('\n');
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
        focus_locked(c);
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
        focus_locked(NULL);
    }
    unlock(&screen.lock);
    if (c) {
        frame_free_hyp(d, c, 0);
    }
    if (focused) {
        maybe_prompt();
    }
}

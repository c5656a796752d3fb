/*
 * Drawing on the screen that all consoles share; docs/console.md says what
 * may appear when.
 *
 * All output goes into one queue that the line drains by itself. The focused
 * domain's characters go there as they come; of the others each complete line
 * goes there, marked with the domain's name, above what is being typed. Each
 * domain's recent output is kept in its ring, from which switching to it
 * paints the screen.
 */
#include "console-internal.h"

#include <hyp/arch.h>
#include <hyp/log.h>
#include <hyp/timer.h>
#include <hyp/uart.h>
#include <lib/string.h>

#define LINE_MAX 200u      /* a longer line of a domain in the background is shown in pieces */
#define REPLAY_BYTES 1500u /* of recent output, shown after a switch */
#define ERASE_LINE "\r\x1b[2K"
#define DIM "\x1b[2m" /* what is shown again */
#define NORMAL "\x1b[22m"

struct screen screen = {.lock = LOCK_INIT(RANK_CONSOLE), .sweep_due = TICKS_NEVER};

uint32_t screen_room(void)
{
    return (uint32_t)SCREEN_QUEUE - (screen.head - screen.tail);
}

void screen_drain(void)
{
    uint32_t taken = 1;

    while (screen.tail != screen.head && taken) {
        uint32_t at = screen.tail % SCREEN_QUEUE, count = screen.head - screen.tail;
        count = count < SCREEN_QUEUE - at ? count : (uint32_t)SCREEN_QUEUE - at;
        taken = (uint32_t)uart_write(screen.queue + at, count);
        screen.tail += taken;
    }
}

static void put(const char *bytes, size_t count)
{
    uint32_t room = screen_room(), head = screen.head;

    for (size_t i = 0; i < count && i < room; i++) {
        screen.queue[head++ % SCREEN_QUEUE] = bytes[i];
    }
    screen.head = head;
}

static void print(const char *text)
{
    put(text, strlen(text));
}

/* Output of consoles. */

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t oldest_kept(const struct console *c)
{
    return c->head > CONSOLE_RING ? c->head - CONSOLE_RING : 0;
}

static uint64_t partial_start(const struct console *c)
{
    return later(c->line_start, oldest_kept(c));
}

static void put_ring(const struct console *c, uint64_t from, uint64_t to)
{
    for (; from < to; from++) {
        put(&c->ring[from % CONSOLE_RING], 1);
    }
}

static bool others_silent(void)
{
    return screen.quiet || (screen.focus && screen.focus->full_screen);
}

/* A whole line from elsewhere, above the focused console's unfinished one. False: no room. */
static bool interject(const char *mark, const char *text, size_t length)
{
    const struct console *c = screen.focus;
    uint64_t from = c ? partial_start(c) : 0, to = c ? c->head : 0;

    if (screen_room() < length + strlen(mark) + (to - from) + 16) {
        return false;
    }
    print(from < to ? ERASE_LINE : "");
    print(mark);
    put(text, length);
    print("\r\n");
    put_ring(c, from, to);
    screen_drain();
    return true;
}

/* Called with the log's lock. */
void screen_log_line(const char *line, size_t length)
{
    char note[100];

    lock(&screen.lock);
    bool silent = others_silent();
    if (screen.missed_lines && !silent && screen_room() > SCREEN_RESERVE) {
        int n = fmt(note, sizeof(note),
                    "Lines of the log not shown: %u; `log` on the hypervisor's console has them.",
                    screen.missed_lines);
        if (interject("", note, (size_t)n)) {
            screen.missed_lines = 0;
        }
    }
    if (silent || !interject("", line, length)) {
        screen.missed_lines++;
    }
    unlock(&screen.lock);
}

/*
 * Full-screen programs switch to the alternate screen, ESC [ ? 1049 h (or 47,
 * 1047), and back with l: meanwhile other consoles' lines would spoil it.
 * Source: XTerm control sequences, "DEC private mode set". Apart, and only for
 * h and l after a digit: printing a character is to stay cheap.
 */
static __attribute__((noinline)) void watch_full_screen(struct console *c, char last)
{
    static const char *const begin[] = {"\x1b[?1049", "\x1b[?1047", "\x1b[?47"};

    for (unsigned i = 0; i < ARRAY_LEN(begin); i++) {
        uint64_t from = c->head - 1 - strlen(begin[i]), n = 0;
        while (begin[i][n] && c->ring[(from + n) % CONSOLE_RING] == begin[i][n]) {
            n++;
        }
        if (!begin[i][n]) {
            c->full_screen = last == 'h';
        }
    }
}

/* What is new in the background, as one marked line without controls. False: no room. */
static bool show_background(struct console *c)
{
    char mark[DOMAIN_NAME_LEN + 4], line[LINE_MAX];
    size_t n = 0;
    bool escape = false;

    for (uint64_t at = later(c->shown, oldest_kept(c)); at < c->head && n < LINE_MAX; at++) {
        char b = c->ring[at % CONSOLE_RING];
        if (escape) {
            escape = !((b >= 'A' && b <= 'Z') || (b >= 'a' && b <= 'z'));
        } else if (b == 27) {
            escape = true;
        } else if (b == '\r') {
            n = at + 1 < c->head ? 0 : n; /* what follows is written over it */
        } else if (b >= ' ' || b == '\t' || (b & 0x80)) {
            line[n++] = b;
        }
    }
    if (n && !others_silent()) {
        fmt(mark, sizeof(mark), "(%s) ", c->domain->name);
        if (screen_room() < SCREEN_RESERVE + LINE_MAX || !interject(mark, line, n)) {
            return false;
        }
    }
    c->shown = c->head;
    return true;
}

static inline bool digit_before(const struct console *c)
{
    char before = c->ring[(c->head - 2) % CONSOLE_RING];

    return before >= '0' && before <= '9';
}

static void remember(struct console *c, char byte)
{
    c->ring[c->head++ % CONSOLE_RING] = byte;
    if (byte == '\n') {
        c->line_start = c->head;
    } else if ((byte == 'h' || byte == 'l') && digit_before(c)) {
        watch_full_screen(c, byte);
    }
}

static bool take_background(struct console *c, char byte)
{
    bool ends = byte == '\n';

    if ((ends || c->head - c->shown >= LINE_MAX) && !show_background(c)) {
        return false;
    }
    remember(c, byte);
    if (ends) {
        c->shown = c->head;
        return true;
    }
    if (screen.sweep_due == TICKS_NEVER) {
        screen_sweep_in(SCREEN_PARTIAL_NS);
    }
    return true;
}

/* What needs no mark: it goes to the screen as it is if `c` has that. */
static void take_plain(struct console *c, const char *bytes, size_t count)
{
    put(bytes, c == screen.focus ? count : 0);
    for (size_t i = 0; i < count; i++) {
        remember(c, bytes[i]);
    }
    c->shown = c->head;
}

size_t screen_take(struct console *c, const char *bytes, size_t count)
{
    uint32_t room = screen_room() > SCREEN_RESERVE ? screen_room() - SCREEN_RESERVE : 0;
    size_t taken = 0;

    if (c == screen.focus) {
        taken = count < room ? count : room;
        take_plain(c, bytes, taken);
    } else {
        while (taken < count && take_background(c, bytes[taken])) {
            taken++;
        }
    }
    return taken;
}

bool screen_pass(struct console *c, char byte)
{
    if (c != screen.focus || screen.tail != screen.head || !uart_try(byte)) {
        return false;
    }
    remember(c, byte);
    c->shown = c->head;
    return true;
}

void screen_sweep_in(uint64_t ns)
{
    uint64_t due = arch_counter_ticks() + ns_to_ticks(ns);

    screen.sweep_due = due < screen.sweep_due ? due : screen.sweep_due;
}

void screen_sweep(struct console *c)
{
    if (c == screen.focus || c->shown >= c->head || (c->swept == c->head && show_background(c))) {
        return;
    }
    c->swept = c->head;
    screen_sweep_in(SCREEN_PARTIAL_NS);
}

void say(const char *format, ...)
{
    char text[256];
    struct console *own = screen.own;
    va_list args;

    va_start(args, format);
    vfmt(text, sizeof(text), format, args);
    va_end(args);
    lock(&screen.lock);
    own->line_start = *text == '\r' ? own->head : own->line_start;
    for (const char *at = text; *at; at++) {
        bool ends = *at == '\n';
        take_plain(own, ends ? "\r\n" : at, ends ? 2 : 1);
    }
    screen_drain();
    unlock(&screen.lock);
}

/* Switching. */

/* Recent whole lines, dimmed, and the unfinished one as it was. Of the hypervisor only that. */
static void replay(const struct console *c)
{
    uint64_t from = c->head > REPLAY_BYTES ? c->head - REPLAY_BYTES : 0;

    while (from && from < c->head && c->ring[(from - 1) % CONSOLE_RING] != '\n') {
        from++; /* not from the middle of a line */
    }
    if (from < c->line_start && c->domain) {
        print(DIM);
        put_ring(c, from, c->line_start);
        print(NORMAL);
    }
    put_ring(c, later(from, c->line_start), c->head);
}

/* Keyboard and screen to `c`. Says so in one line. */
void screen_focus(struct console *c)
{
    char line[100];

    if (screen.focus) {
        screen.focus->shown = partial_start(screen.focus); /* again with what follows */
    }
    fmt(line, sizeof(line), "%s--- %s has keyboard and screen; Ctrl-T: the next ---\r\n",
        screen.focus ? "\r\n" : "", c->domain ? c->domain->name : "the hypervisor (type help)");
    print(line);
    screen.focus = c;
    if (!c->full_screen) {
        replay(c);
    }
    c->shown = c->head;
    screen_drain();
}

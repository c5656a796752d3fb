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
#define PROMPT "bulkhead> "
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
    while (screen.tail != screen.head) {
        uint32_t at = screen.tail % SCREEN_QUEUE, count = screen.head - screen.tail;
        if (count > SCREEN_QUEUE - at) {
            count = (uint32_t)SCREEN_QUEUE - at;
        }
        uint32_t taken = (uint32_t)uart_write(screen.queue + at, count);
        screen.tail += taken;
        if (taken < count) {
            return; /* its interrupt goes on */
        }
    }
}

void screen_put(const char *bytes, size_t count)
{
    uint32_t room = screen_room(), head = screen.head;

    for (size_t i = 0; i < count && i < room; i++) {
        screen.queue[head++ % SCREEN_QUEUE] = bytes[i];
    }
    screen.head = head;
}

void screen_print(const char *text)
{
    screen_put(text, strlen(text));
}

void say(const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    vfmt(text, sizeof(text), format, args);
    va_end(args);
    lock(&screen.lock);
    for (const char *at = text; *at && !screen.focus; at++) {
        screen_put(*at == '\n' ? "\r\n" : at, *at == '\n' ? 2 : 1);
    }
    screen_drain();
    unlock(&screen.lock);
}

/* The last line of the screen: an unfinished one of the focused domain, or the prompt. */

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
        screen_put(&c->ring[from % CONSOLE_RING], 1);
    }
}

void screen_prompt(void)
{
    const struct editor *e = &screen.editor;
    char back[16];

    screen.prompting = true;
    screen_print("\r" PROMPT);
    screen_print(e->line);
    screen_print("\x1b[K");
    if (e->at < e->length) {
        fmt(back, sizeof(back), "\x1b[%uD", e->length - e->at);
        screen_print(back);
    }
}

static uint64_t last_line_length(void)
{
    if (screen.focus) {
        return screen.focus->head - partial_start(screen.focus);
    }
    return screen.prompting ? sizeof(PROMPT) + screen.editor.length + 8 : 0;
}

static bool others_silent(void)
{
    return screen.quiet || (screen.focus && screen.focus->full_screen);
}

/* A whole line from elsewhere, above the last line, which is drawn again. False: no room. */
static bool interject(const char *mark, const char *text, size_t length)
{
    uint64_t last = last_line_length();

    if (screen_room() < length + strlen(mark) + last + 16) {
        return false;
    }
    if (last) {
        screen_print(ERASE_LINE);
    }
    screen_print(mark);
    screen_put(text, length);
    screen_print("\r\n");
    if (last && screen.focus) {
        put_ring(screen.focus, partial_start(screen.focus), screen.focus->head);
    } else if (last) {
        screen_prompt();
    }
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
        fmt(mark, sizeof(mark), "(%s) ", c->name);
        if (screen_room() < SCREEN_RESERVE + LINE_MAX || !interject(mark, line, n)) {
            return false;
        }
    }
    c->shown = c->head;
    return true;
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
    c->last_ticks = arch_counter_ticks();
    if (screen.sweep_due == TICKS_NEVER) {
        screen.sweep_due = c->last_ticks + ns_to_ticks(SCREEN_PARTIAL_NS);
    }
    return true;
}

size_t screen_take(struct console *c, const char *bytes, size_t count)
{
    uint32_t room = screen_room() > SCREEN_RESERVE ? screen_room() - SCREEN_RESERVE : 0;
    size_t taken = 0;

    if (c != screen.focus) {
        while (taken < count && take_background(c, bytes[taken])) {
            taken++;
        }
        return taken;
    }
    count = count < room ? count : room;
    screen_put(bytes, count);
    while (taken < count) {
        remember(c, bytes[taken++]);
    }
    c->shown = c->head;
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

/* One that waits for room, or is still at its line, would come out in pieces: later. */
void screen_sweep(struct console *c, uint64_t now_ticks)
{
    uint64_t silence = ns_to_ticks(SCREEN_PARTIAL_NS), due = c->last_ticks + silence;

    if (c == screen.focus || c->shown >= c->head ||
        (now_ticks >= due && !c->blocked && show_background(c))) {
        return;
    }
    due = due > now_ticks ? due : now_ticks + silence;
    screen.sweep_due = screen.sweep_due < due ? screen.sweep_due : due;
}

/* Switching. */

/* Recent whole lines, dimmed, and the unfinished one as it was. */
static void replay(const struct console *c)
{
    uint64_t from = later(c->head > REPLAY_BYTES ? c->head - REPLAY_BYTES : 0, oldest_kept(c));

    if (from) { /* not from the middle of a line */
        while (from < c->head && c->ring[from++ % CONSOLE_RING] != '\n') {
        }
    }
    if (from < c->line_start) {
        screen_print(DIM);
        put_ring(c, from, c->line_start);
        screen_print(NORMAL);
        from = c->line_start;
    }
    put_ring(c, from, c->head);
}

/* Keyboard and screen to `c`, NULL: the hypervisor. Says so in one line. */
void screen_focus(struct console *c)
{
    char line[100];

    if (screen.focus) {
        screen.focus->shown = partial_start(screen.focus); /* again with what follows */
    }
    screen.focus = c;
    screen.prompting = false;
    fmt(line, sizeof(line), "%s--- %s has keyboard and screen; Ctrl-T: the next ---\r\n",
        screen.ever_focused ? "\r\n" : "", c ? c->name : "the hypervisor (type help)");
    screen.ever_focused = true;
    screen_print(line);
    if (c && !c->full_screen) {
        replay(c);
    }
    if (c) {
        c->shown = c->head;
    }
    screen_drain();
}

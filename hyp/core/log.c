/*
 * The log; see hyp/log.h.
 *
 * A ring of bytes, each line ending in a newline. Positions only grow: byte p
 * is at ring[p % size], [tail, head) is kept, and tail is always the start of
 * a line. So a reader that was overtaken continues at the oldest line.
 */
#include <hyp/log.h>

#include <hyp/arch.h>
#include <hyp/domain.h>
#include <hyp/lock.h>
#include <hyp/timer.h>

#define EARLY_SIZE 1024u /* power of two, as all sizes of the ring */
#define LOG_LINE_MAX 240u
#define DLOG_LINES 10u   /* of one domain in a window, which is a second at first */
#define DLOG_DOUBLED 10u /* windows overrun in a row double the next one, at most so often */

static char early_ring[EARLY_SIZE];
static struct {
    lock_t lock;
    uint64_t head, tail; /* [lock] */
    log_sink_t *sink;    /* [const] after boot, until the machine stops */
    bool last_words;     /* [atomic] it stops: no lock */
    char *ring;          /* [lock] */
    uint32_t size;       /* [lock] of the ring */
} ring_log = {.lock = LOCK_INIT(RANK_LOG), .ring = early_ring, .size = EARLY_SIZE};

/* Byte `position` ever logged. */
static char *ring_at(uint64_t position)
{
    return &ring_log.ring[position & (ring_log.size - 1)];
}

static void append_locked(const char *line, size_t length)
{
    while (ring_log.head + length + 1 - ring_log.tail > ring_log.size) {
        while (*ring_at(ring_log.tail++) != '\n') { /* the oldest line goes */
        }
    }
    for (size_t i = 0; i < length; i++) {
        *ring_at(ring_log.head++) = line[i];
    }
    *ring_at(ring_log.head++) = '\n';
}

static void emit(const char *line, size_t length)
{
    if (__atomic_load_n(&ring_log.last_words, __ATOMIC_RELAXED)) {
        ring_log.sink(line, length);
        return;
    }
    lock(&ring_log.lock);
    append_locked(line, length);
    if (ring_log.sink) {
        ring_log.sink(line, length);
    }
    unlock(&ring_log.lock);
}

/* What a guest's text may bring into a line, a terminal must not obey. */
static void make_printable(char *line, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (line[i] < ' ' || line[i] > '~') {
            line[i] = line[i] == '\t' ? ' ' : '?';
        }
    }
}

static void vlog(const char *mark, const struct domain *d, const char *format, va_list args)
{
    char line[LOG_LINE_MAX];
    uint64_t us = ticks_to_ns(arch_counter_ticks()) / 1000;
    size_t n = (size_t)fmt(line, sizeof(line), "[%5llu.%06llu] %s%s%s%s",
                           (unsigned long long)(us / 1000000), (unsigned long long)(us % 1000000),
                           mark, d ? "(" : "", d ? d->name : "", d ? ") " : "");

    n += (size_t)vfmt(line + n, sizeof(line) - n, format, args);
    if (n >= sizeof(line)) {
        n = sizeof(line) - 1;
    }
    make_printable(line, n);
    emit(line, n);
}

void log_line(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vlog("", NULL, format, args);
    va_end(args);
}

void log_warn(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vlog("warning: ", NULL, format, args);
    va_end(args);
}

/*
 * Lines of this window so far. Who goes on flooding is heard ever less, so that he cannot push out
 * what others have said. Two CPUs that open a window at once may let a few lines more through.
 */
static uint32_t count_line(struct domain *d)
{
    uint64_t now = arch_counter_ticks();
    uint64_t window = __atomic_load_n(&d->log_window_ticks, __ATOMIC_RELAXED);
    uint32_t doubled = __atomic_load_n(&d->log_doubled, __ATOMIC_RELAXED);

    if (window == 0 || now - window >= arch_counter_hz() << doubled) {
        bool overrun = __atomic_exchange_n(&d->log_lines, 0, __ATOMIC_RELAXED) > DLOG_LINES;
        bool calm = window == 0 || now - window >= arch_counter_hz() << (doubled + 1);
        doubled = !overrun || calm ? 0 : doubled + (doubled < DLOG_DOUBLED);
        __atomic_store_n(&d->log_doubled, doubled, __ATOMIC_RELAXED);
        __atomic_store_n(&d->log_window_ticks, now | 1, __ATOMIC_RELAXED);
    }
    return __atomic_add_fetch(&d->log_lines, 1, __ATOMIC_RELAXED);
}

void dlog(struct domain *d, const char *format, ...)
{
    uint32_t count = count_line(d);
    va_list args;

    if (count > DLOG_LINES + 1) {
        return;
    }
    va_start(args, format);
    vlog("", d, count > DLOG_LINES ? "Too many lines: for a while no more." : format, args);
    va_end(args);
}

bool log_read(uint64_t *at, char *buf, size_t size)
{
    size_t n = 0;

    lock(&ring_log.lock);
    *at = *at < ring_log.tail ? ring_log.tail : *at;
    bool more = *at < ring_log.head;
    for (char c; more && (c = *ring_at((*at)++)) != '\n';) {
        if (n + 1 < size) {
            buf[n++] = c;
        }
    }
    unlock(&ring_log.lock);
    buf[n] = 0;
    return more;
}

void log_set_sink(log_sink_t *sink, bool last_words)
{
    ring_log.sink = sink;
    __atomic_store_n(&ring_log.last_words, last_words, __ATOMIC_RELAXED);
}

void log_use_ring(char *ring, uint32_t size)
{
    lock(&ring_log.lock);
    for (uint64_t at = ring_log.tail; at < ring_log.head; at++) {
        ring[at & (size - 1)] = *ring_at(at);
    }
    ring_log.ring = ring;
    ring_log.size = size;
    unlock(&ring_log.lock);
}

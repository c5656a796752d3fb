/*
 * The log: a ring of lines, shown on the hypervisor's console.
 *
 * Whole sentences, one line each. What a guest can cause is rate-limited per
 * domain by dlog(). Formats: %d %u %x %s %%, with l, ll, z, width, `*`, `0`,
 * `-` and `#`, and of %s the precision; no floating point.
 */
#ifndef HYP_LOG_H
#define HYP_LOG_H

#include <hyp/types.h>
#include <stdarg.h>

struct domain;

void log_line(const char *format, ...) printf_like(1, 2); /* information */
void log_warn(const char *format, ...) printf_like(1, 2); /* something a person should look at */
/*
 * On behalf of a domain: prefixed with its name, at most 10 lines in a second. One that goes on having
 * more is heard for ten lines in two seconds, then in four, at last in 17 minutes; silence ends that.
 */
void dlog(struct domain *d, const char *format, ...) printf_like(2, 3);

/*
 * Where each finished line goes besides the ring; called under the log's lock
 * (RANK_LOG), so it must not log. `last_words`: the machine is about to stop:
 * no more locks, which the failing CPU may hold itself, and nothing is kept.
 * The hypervisor's console is the sink; unit tests may leave it out.
 */
typedef void log_sink_t(const char *line, size_t length);
void log_set_sink(log_sink_t *sink, bool last_words);

/* From now on keep lines here, where more fit: `size` bytes, a power of two. Before, 2 KiB are kept. */
void log_use_ring(char *ring, uint32_t size);

/*
 * Read the ring: copies the line after position *at (start with 0; the oldest
 * kept if that is gone) to buf, terminated, and moves *at past it. False at the end.
 */
bool log_read(uint64_t *at, char *buf, size_t size);

/* Format into buf, always terminated; returns the length it would have had. */
int fmt(char *buf, size_t size, const char *format, ...) printf_like(3, 4);
int vfmt(char *buf, size_t size, const char *format, va_list args);

#endif

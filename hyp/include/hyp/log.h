/*
 * The log: a ring of lines, shown on the hypervisor's console.
 *
 * Whole sentences, one line each. What a guest can cause is rate-limited per
 * domain by dlog(). Formats: %d %i %u %x %c %s %p %%, with l, ll, z, width,
 * `0`, `-` and `#`; no floating point.
 */
#ifndef HYP_LOG_H
#define HYP_LOG_H

#include <hyp/types.h>
#include <stdarg.h>

struct domain;

void log_line(const char *format, ...) printf_like(1, 2);  /* information */
void log_warn(const char *format, ...) printf_like(1, 2);  /* something a person should look at */
/* On behalf of a domain: prefixed with its name, at most 10 lines per second and domain. */
void dlog(struct domain *d, const char *format, ...) printf_like(2, 3);

/* Format into buf, always terminated; returns the length it would have had. */
int fmt(char *buf, size_t size, const char *format, ...) printf_like(3, 4);
int vfmt(char *buf, size_t size, const char *format, va_list args);

#endif

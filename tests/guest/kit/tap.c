/* Results: TAP lines, each behind "NAME: " so that a shared console can be taken apart again. */
#include "kit.h"

static unsigned result_count;
static u32 line_lock;
static unsigned beats;

#ifndef GUEST_NAME
#error "build.mk names the guest"
#endif
const char guest_name[] = GUEST_NAME;

static void lock(void)
{
    u32 old;
    do {
        __asm__ volatile("ldaxr %w0, %1" : "=r"(old), "+Q"(line_lock)::"memory");
        if (old) {
            relax();
            continue;
        }
        __asm__ volatile("stxr %w0, %w2, %1" : "=&r"(old), "+Q"(line_lock) : "r"(1) : "memory");
    } while (old);
}

static void unlock(void)
{
    __asm__ volatile("stlr wzr, %0" : "=Q"(line_lock)::"memory");
}

static void say_args(const char *start, const char *format, va_list args)
{
    char line[400];
    int n = kit_format(line, sizeof(line), "%s: %s", guest_name, start);
    kit_vformat(line + n, sizeof(line) - (size_t)n, format, args);
    lock();
    for (const char *p = line; *p; p++) {
        console_put(*p);
    }
    console_put('\r');
    console_put('\n');
    unlock();
}

#define SAY(start, format)             \
    do {                               \
        va_list args;                  \
        va_start(args, format);        \
        say_args(start, format, args); \
        va_end(args);                  \
    } while (0)

void say(const char *format, ...)
{
    SAY("", format);
}

void note(const char *format, ...)
{
    SAY("# ", format);
}

bool ok(bool good, const char *format, ...)
{
    char start[32];
    kit_format(start, sizeof(start), "%s %u - ", good ? "ok" : "not ok", ++result_count);
    SAY(start, format);
    return good;
}

bool is(u64 got, u64 want, const char *format, ...)
{
    char start[32];
    kit_format(start, sizeof(start), "%s %u - ", got == want ? "ok" : "not ok", ++result_count);
    SAY(start, format);
    if (got != want) {
        note("got %lx, want %lx", got, want);
    }
    return got == want;
}

void skip(const char *why, const char *format, ...)
{
    char start[160];
    kit_format(start, sizeof(start), "ok %u # skip %s: ", ++result_count, why);
    SAY(start, format);
}

void heartbeat(void)
{
    say("beat %u %lu", ++beats, ticks());
}

_Noreturn void guest_end(void)
{
    say("1..%u", result_count);
    psci_call(PSCI_SYSTEM_OFF, 0, 0, 0);
    note("SYSTEM_OFF came back");
    for (;;) {
        wfi();
    }
}

_Noreturn void guest_die(const char *why)
{
    say("not ok %u - %s", ++result_count, why);
    guest_end();
}

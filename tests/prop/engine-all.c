/*
 * Runs each property for every combination of the values it asks for: the
 * answers of one run are an odometer that is turned by one for the next. A
 * property must therefore ask the same questions for the same answers.
 */
#include "prop.h"

#include <fake.h>
#include <hyp/assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DEPTH_MAX 256

static struct {
    uint64_t value, lo, hi;
} answer[DEPTH_MAX];
static unsigned depth, asked;
static jmp_buf out;
static char message[512];

enum { RUN_ENDED = 1, RUN_SKIPPED, RUN_FAILED };

uint64_t prop_any(uint64_t lo, uint64_t hi)
{
    if (hi < lo) {
        prop_skip();
    }
    if (asked == DEPTH_MAX) {
        prop_fail(__FILE__, __LINE__, "more than %d questions in one run", DEPTH_MAX);
    }
    if (asked == depth) {
        answer[depth].value = answer[depth].lo = lo;
        answer[depth++].hi = hi;
    }
    if (answer[asked].lo != lo || answer[asked].hi != hi) {
        prop_fail(__FILE__, __LINE__, "the property asks differently when run again");
    }
    return answer[asked++].value;
}

void prop_skip(void)
{
    longjmp(out, RUN_SKIPPED);
}

void prop_fail(const char *file, int line, const char *format, ...)
{
    va_list args;
    int n = snprintf(message, sizeof(message), "%s:%d: ", file, line);
    va_start(args, format);
    vsnprintf(message + n, sizeof(message) - (size_t)n, format, args);
    va_end(args);
    longjmp(out, RUN_FAILED);
}

/* A failing CHECK or ASSERT of the code under test is a broken property. */
void assert_failed(const char *what, const char *file, int line)
{
    prop_fail(file, line, "check failed: %s", what);
}

/* Turn the odometer. False: it has come round. */
static bool next_case(void)
{
    depth = asked;
    while (depth > 0 && answer[depth - 1].value == answer[depth - 1].hi) {
        depth--;
    }
    if (depth == 0) {
        return false;
    }
    answer[depth - 1].value++;
    return true;
}

static int run_once(const struct prop *p)
{
    int how = setjmp(out);
    if (how == 0) {
        asked = 0;
        message[0] = 0;
        p->run();
        return RUN_ENDED;
    }
    return how;
}

static void tell_answers(void)
{
    printf("#   answers:");
    for (unsigned i = 0; i < asked; i++) {
        printf(" %llu", (unsigned long long)answer[i].value);
    }
    printf("\n");
}

/* True if the property holds, or a bad_ one was caught as expected. */
static bool run_all(const struct prop *p, uint64_t *cases, uint64_t *skipped)
{
    *cases = *skipped = 0;
    depth = 0;
    do {
        int how = run_once(p);
        ++*cases;
        *skipped += how == RUN_SKIPPED;
        if (how == RUN_FAILED) {
            bool wanted = p->expect != NULL && strstr(message, p->expect) != NULL;
            if (!wanted) {
                printf("#   %s\n", message);
                tell_answers();
            }
            return wanted;
        }
    } while (next_case());
    if (p->expect != NULL) {
        printf("#   nothing was caught; expected: %s\n", p->expect);
    }
    if (*skipped == *cases) {
        printf("#   every case was dropped: nothing was proved\n");
    }
    return p->expect == NULL && *skipped < *cases;
}

int main(void)
{
    unsigned count = 0, failed = 0;
    while (props[count].name != NULL) {
        count++;
    }
    printf("1..%u\n", count);
    for (unsigned i = 0; i < count; i++) {
        uint64_t cases, skipped;
        clock_t began = clock();
        bool good = run_all(&props[i], &cases, &skipped);
        failed += !good;
        printf("%s %u - %s\n", good ? "ok" : "not ok", i + 1, props[i].name);
        printf("#   %s; %llu cases, %llu dropped, %.1f s\n", props[i].bounds,
               (unsigned long long)cases, (unsigned long long)skipped,
               (double)(clock() - began) / CLOCKS_PER_SEC);
        fflush(stdout);
    }
    fake_boot(1, 0);
    return failed != 0;
}

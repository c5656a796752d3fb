/*
 * The vocabulary of property files: ANY, ASSUME, PROVE.
 *
 * A property is a function that asks for arbitrary values with ANY(lo, hi),
 * drops cases that do not count with ASSUME, and states what must hold with
 * PROVE. Two engines run it:
 *   engine-all.c    tries every combination of answers: exhaustive within the
 *                   bounds that the property states, always run
 *   engine-fuzz.c   takes the answers from libFuzzer's input (make nightly)
 *
 * Properties named bad_* run code with a fault put in on purpose and must be
 * caught; `expect` is a part of what the catch says.
 */
#ifndef PROP_H
#define PROP_H

#include <stdbool.h>
#include <stdint.h>

struct prop {
    const char *name;
    void (*run)(void);
    const char *bounds; /* in words: what "every" means here */
    const char *expect; /* bad_*: part of the message that must come; NULL: must hold */
};

/* Supplied by each property file; ends with a NULL name. */
extern const struct prop props[];

/* Any value of [lo, hi], both included. */
uint64_t prop_any(uint64_t lo, uint64_t hi);
void prop_skip(void) __attribute__((noreturn));
void prop_fail(const char *file, int line, const char *format, ...)
    __attribute__((noreturn, format(printf, 3, 4)));

#define ANY(lo, hi) prop_any(lo, hi)
#define ASSUME(x) ((x) ? (void)0 : prop_skip())
#define PROVE(x) ((x) ? (void)0 : prop_fail(__FILE__, __LINE__, "%s", #x))
/* A rule that says itself what is broken, or NULL. */
#define PROVE_RULE(call)                                  \
    do {                                                  \
        const char *broken_ = (call);                     \
        if (broken_) {                                    \
            prop_fail(__FILE__, __LINE__, "%s", broken_); \
        }                                                 \
    } while (0)

#endif

/*
 * Runs the properties that must hold on libFuzzer's inputs: the first byte
 * chooses the property, the others answer its questions. What is broken
 * aborts, so that libFuzzer keeps the input.
 */
#include "prop.h"

#include <fake.h>
#include <hyp/assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

static const uint8_t *input;
static size_t input_left;
static jmp_buf out;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

uint64_t prop_any(uint64_t lo, uint64_t hi)
{
    uint64_t value = 0, span = hi - lo;
    if (hi < lo) {
        prop_skip();
    }
    for (uint64_t s = span; s != 0 && input_left > 0; s >>= 8) {
        value = value << 8 | *input++;
        input_left--;
    }
    return span == ~0ull ? value : lo + value % (span + 1);
}

void prop_skip(void)
{
    longjmp(out, 1);
}

void prop_fail(const char *file, int line, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "%s:%d: ", file, line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    abort();
}

void assert_failed(const char *what, const char *file, int line)
{
    prop_fail(file, line, "check failed: %s", what);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned good[64], count = 0;
    for (unsigned i = 0; props[i].name != NULL && count < 64; i++) {
        if (props[i].expect == NULL) {
            good[count++] = i;
        }
    }
    if (size == 0 || count == 0) {
        return 0;
    }
    input = data + 1;
    input_left = size - 1;
    if (setjmp(out) == 0) {
        props[good[data[0] % count]].run();
    }
    return 0;
}

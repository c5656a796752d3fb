/* Text helpers that the C library lacks or does badly. */
#ifndef LIB_TEXT_H
#define LIB_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Copy with the terminating zero, cut to fit `size` (at least 1). True if nothing was cut. */
bool text_copy(char *to, size_t size, const char *from);

/* Characters of `s` up to its first space or its end. */
size_t text_word(const char *s);

/*
 * The whole of `s` as a number: decimal, or hexadecimal after 0x. False if it
 * is empty, has anything else in it or does not fit; *out is then unchanged.
 */
bool text_to_u64(const char *s, uint64_t *out);

#endif

/* The ChaCha20 block function (RFC 8439, 2.3), as a building block for random numbers. */
#ifndef LIB_CHACHA20_H
#define LIB_CHACHA20_H

#include <stdint.h>

/* One block of 64 bytes of key stream for a 256-bit key, block `counter` and a zero nonce. */
void chacha20_block(const uint32_t key[8], uint64_t counter, uint32_t out[16]);

#endif

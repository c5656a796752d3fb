/* ChaCha20's block function; lib/chacha20.h. Source: RFC 8439, 2.1 to 2.3. */
#include <lib/chacha20.h>

static inline uint32_t rotate(uint32_t v, unsigned by)
{
    return v << by | v >> (32 - by);
}

static void quarter(uint32_t s[16], unsigned a, unsigned b, unsigned c, unsigned d)
{
    s[a] += s[b];
    s[d] = rotate(s[d] ^ s[a], 16);
    s[c] += s[d];
    s[b] = rotate(s[b] ^ s[c], 12);
    s[a] += s[b];
    s[d] = rotate(s[d] ^ s[a], 8);
    s[c] += s[d];
    s[b] = rotate(s[b] ^ s[c], 7);
}

void chacha20_block(const uint32_t key[8], uint64_t counter, uint32_t out[16])
{
    uint32_t in[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}; /* "expand 32-byte k" */

    for (unsigned i = 0; i < 8; i++) {
        in[4 + i] = key[i];
    }
    in[12] = (uint32_t)counter;
    in[13] = (uint32_t)(counter >> 32);
    for (unsigned i = 0; i < 16; i++) {
        out[i] = in[i];
    }
    for (unsigned round = 0; round < 10; round++) {
#pragma GCC unroll 8
        for (unsigned i = 0; i < 8; i++) { /* four columns, then four diagonals */
            unsigned shift = i / 4;
            quarter(out, i % 4, 4 + (i + shift) % 4, 8 + (i + 2 * shift) % 4,
                    12 + (i + 3 * shift) % 4);
        }
    }
    for (unsigned i = 0; i < 16; i++) {
        out[i] += in[i];
    }
}

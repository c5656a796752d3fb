/* ChaCha20's block function; lib/chacha20.h. Source: RFC 8439, 2.1 to 2.3. */
#include <lib/chacha20.h>

static inline uint32_t rotate(uint32_t v, unsigned by)
{
    return v << by | v >> (32 - by);
}

static inline void quarter(uint32_t s[16], unsigned a, unsigned b, unsigned c, unsigned d)
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
        quarter(out, 0, 4, 8, 12);
        quarter(out, 1, 5, 9, 13);
        quarter(out, 2, 6, 10, 14);
        quarter(out, 3, 7, 11, 15);
        quarter(out, 0, 5, 10, 15);
        quarter(out, 1, 6, 11, 12);
        quarter(out, 2, 7, 8, 13);
        quarter(out, 3, 4, 9, 14);
    }
    for (unsigned i = 0; i < 16; i++) {
        out[i] += in[i];
    }
}

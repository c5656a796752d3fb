#include "libos/random.h"

#include <string.h>

#include "libos/time.h"

#define SEED_MIN 16 /* bytes; fewer do not count as a seed */

static uint32_t key[8];
static uint64_t counter;
static bool seeded;

static uint32_t rotate(uint32_t x, int by)
{
    return x << by | x >> (32 - by);
}

static void quarter(uint32_t *s, int a, int b, int c, int d)
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

/* One ChaCha20 block (RFC 8439, 2.3) of the current key and counter. */
static void block(uint32_t out[16])
{
    uint32_t state[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    memcpy(state + 4, key, sizeof(key));
    state[12] = (uint32_t)counter;
    state[13] = (uint32_t)(counter >> 32);
    counter++;
    memcpy(out, state, sizeof(state));
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 4; i++) {
            quarter(out, i, 4 + i, 8 + i, 12 + i);
        }
        for (int i = 0; i < 4; i++) {
            quarter(out, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4);
        }
    }
    for (int i = 0; i < 16; i++) {
        out[i] += state[i];
    }
}

void random_mix(uint64_t event)
{
    key[event & 7] ^= rotate((uint32_t)event, 5) ^ (uint32_t)(event >> 32);
}

void random_init(const uint8_t *seed, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        ((uint8_t *)key)[i % sizeof(key)] ^= seed[i];
        if (i % sizeof(key) == sizeof(key) - 1) {
            uint32_t out[16];
            block(out);
            memcpy(key, out, sizeof(key));
        }
    }
    random_mix(time_monotonic_ns());
    seeded = seeded || size >= SEED_MIN;
}

void random_bytes(void *to, size_t size)
{
    uint32_t out[16];
    random_mix(time_monotonic_ns());
    /* The first block gives the next key, so that what is handed out cannot be recomputed later. */
    uint32_t next[16];
    block(next);
    while (size > 0) {
        block(out);
        size_t part = MIN(size, sizeof(out));
        memcpy(to, out, part);
        to = (char *)to + part;
        size -= part;
    }
    memcpy(key, next, sizeof(key));
    memset(out, 0, sizeof(out));
}

uint32_t random_u32(void)
{
    uint32_t value;
    random_bytes(&value, sizeof(value));
    return value;
}

bool random_is_seeded(void)
{
    return seeded;
}

#include "libos/random.h"

#include <lib/chacha20.h>
#include <string.h>

#include "libos/time.h"

#define SEED_MIN 16 /* bytes; fewer do not count as a seed */

static uint32_t key[8];
static uint64_t counter;
static bool seeded;

static void block(uint32_t out[16])
{
    chacha20_block(key, counter++, out);
}

void random_mix(uint64_t event)
{
    uint32_t low = (uint32_t)event;
    key[event & 7] ^= (low << 5 | low >> 27) ^ (uint32_t)(event >> 32);
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

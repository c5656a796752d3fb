#include "libos/random.h"

#include <lib/chacha20.h>
#include <string.h>

#include "libos/time.h"

#define SEED_MIN 16 /* bytes; fewer do not count as a seed */

static uint32_t key[8];
static uint64_t counter;
static bool seeded;

/* Of each block one half is the next key, so that what was handed out cannot be recomputed later,
 * and the other waits here to be handed out, each byte once. */
static uint8_t pool[32];
static size_t pool_left;

void random_mix(uint64_t event)
{
    uint32_t low = (uint32_t)event;
    key[event & 7] ^= (low << 5 | low >> 27) ^ (uint32_t)(event >> 32);
}

static void refill(void)
{
    uint32_t out[16];
    random_mix(time_monotonic_ns());
    chacha20_block(key, counter++, out);
    memcpy(key, out, sizeof(key));
    memcpy(pool, out + ARRAY_COUNT(key), sizeof(pool));
    memset(out, 0, sizeof(out));
    pool_left = sizeof(pool);
}

void random_init(const uint8_t *seed, size_t size)
{
    for (size_t at = 0; at == 0 || at < size; at += sizeof(key)) {
        uint32_t words[ARRAY_COUNT(key)] = {0};
        memcpy(words, seed + at, MIN(size - at, sizeof(key)));
        for (size_t i = 0; i < ARRAY_COUNT(key); i++) {
            key[i] ^= words[i];
        }
        refill();
    }
    seeded = seeded || size >= SEED_MIN;
}

void random_bytes(void *to, size_t size)
{
    while (size > 0) {
        if (pool_left == 0) {
            refill();
        }
        size_t part = MIN(size, pool_left);
        uint8_t *from = pool + sizeof(pool) - pool_left;
        memcpy(to, from, part);
        memset(from, 0, part);
        pool_left -= part;
        to = (char *)to + part;
        size -= part;
    }
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

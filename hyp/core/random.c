/*
 * Random numbers; hyp/random.h.
 *
 * R1  the key that made an output is gone before the output is handed over
 *     (the first half of each block is the next key), so that no later leak
 *     of the state tells what a guest was given.
 * R2  what is mixed in goes through the block function together with the old
 *     key: it cannot lower what was there.
 */
#include <hyp/random.h>

#include <hyp/arch.h>
#include <hyp/lock.h>
#include <lib/chacha20.h>
#include <lib/string.h>

static lock_t random_lock = LOCK_INIT(RANK_RANDOM);
static uint32_t key[8];    /* [random_lock] */
static uint64_t mix_count; /* [random_lock] */

/* Next block; its first half becomes the key. `counter` tells mixing from output. */
static void step(uint32_t block[16], uint64_t counter)
{
    chacha20_block(key, counter, block);
    memcpy(key, block, sizeof(key));
}

static void mix_locked(const uint8_t *data, size_t size)
{
    uint32_t block[16];

    while (size > 0) {
        size_t n = size < sizeof(key) ? size : sizeof(key);
        for (size_t i = 0; i < n; i++) {
            ((uint8_t *)key)[i] ^= data[i];
        }
        step(block, ++mix_count << 32 | n);
        data += n;
        size -= n;
    }
}

void random_mix(const void *data, size_t size)
{
    lock(&random_lock);
    mix_locked(data, size);
    unlock(&random_lock);
}

/* What this very moment has to offer: the counter, how long things take, the CPU's generator. */
static void mix_moment_locked(void)
{
    uint64_t moment[8] = {0};

    for (unsigned i = 0; i < 4; i++) {
        moment[i] = arch_counter_ticks();
    }
    for (unsigned i = 4; i < 8; i++) {
        (void)!arch_random(&moment[i]);
    }
    mix_locked((const uint8_t *)moment, sizeof(moment));
}

void random_bytes(void *to, size_t size)
{
    uint8_t *at = to;
    uint32_t block[16];

    lock(&random_lock);
    mix_moment_locked();
    while (size > 0) {
        size_t n = size < sizeof(block) / 2 ? size : sizeof(block) / 2;
        step(block, 0);
        memcpy(at, block + 8, n);
        at += n;
        size -= n;
    }
    memset(block, 0, sizeof(block));
    unlock(&random_lock);
}

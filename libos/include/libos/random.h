/*
 * Random numbers: ChaCha20 keyed from the seeds in the device tree, re-keyed
 * after every request (fast key erasure), counter and arrival times mixed in.
 *
 * Without a seed (stock Xen gives none) the key comes from counters alone: good
 * enough to spread connection ports, not to make keys. random_is_seeded() says which,
 * and the boot log says so in one line. getrandom() works in both cases.
 */
#ifndef LIBOS_RANDOM_H
#define LIBOS_RANDOM_H

#include "libos/base.h"

void random_init(const uint8_t *seed, size_t size);
void random_bytes(void *to, size_t size);
uint32_t random_u32(void);
void random_mix(uint64_t event);
bool random_is_seeded(void);

#endif

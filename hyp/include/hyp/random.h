/*
 * Random numbers for the seeds that guests are given.
 *
 * One ChaCha20 generator (RFC 8439) with fast key erasure, keyed by all that
 * the machine offers: the tree's /chosen/rng-seed, the CPU's own generator
 * (arch_random()) and the jitter of the counter. No two requests ever see the
 * same output, whatever the seeds were: every request moves the key on.
 */
#ifndef HYP_RANDOM_H
#define HYP_RANDOM_H

#include <hyp/types.h>

/* Mix `size` bytes into the state; adds entropy, never takes any away. */
void random_mix(const void *data, size_t size);
/* Fill `to`. Usable from the first moment, as good as what was mixed in by then. */
void random_bytes(void *to, size_t size);

#endif

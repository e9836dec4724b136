#ifndef GRANGE_BASE_RNG_H
#define GRANGE_BASE_RNG_H
/* rng - a seeded generator (SplitMix64: Steele, Lea, Flood, OOPSLA 2014) and permutations of 0..n-1
 * that need no memory. Deterministic: never seeded from a clock here. */

#include <stdint.h>

struct rng {
    uint64_t state;
};

uint64_t rng_next(struct rng *r);
uint64_t rng_below(struct rng *r, uint64_t n); /* 0..n-1, n > 0 */
uint64_t rng_mix(uint64_t x);                  /* one SplitMix64 finalizer: a good 64-bit mixer */

/* perm - position i of a pseudo-random permutation of 0..n-1 drawn from key (a balanced Feistel
 * network over the next power of four, walked until the value is below n: expected fewer than four
 * steps), and its inverse. perm_inverse(perm_at(i)) == i. n in 1..2^62, i < n. */
uint64_t perm_at(uint64_t i, uint64_t n, uint64_t key);
uint64_t perm_inverse(uint64_t v, uint64_t n, uint64_t key);

#endif

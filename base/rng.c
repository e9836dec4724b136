#include "base/rng.h"

#include "base/must.h"

uint64_t rng_mix(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9ULL;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

uint64_t rng_next(struct rng *r)
{
    r->state += 0x9e3779b97f4a7c15ULL;
    return rng_mix(r->state);
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
    must(n > 0);
    uint64_t limit = UINT64_MAX - UINT64_MAX % n; /* no bias: draw again above the last multiple */
    uint64_t x;
    do {
        x = rng_next(r);
    } while (x >= limit);
    return x % n;
}

enum { ROUNDS = 4 };

/* Bits of half a Feistel block: the block is the smallest even number of bits that holds n - 1. */
static unsigned half_bits(uint64_t n)
{
    unsigned bits = 1;

    while (bits < 31 && (1ULL << (2 * bits)) < n)
        bits++;
    return bits;
}

static uint64_t round_of(uint64_t right, uint64_t key, unsigned round, uint64_t mask)
{
    return rng_mix(right + key + (uint64_t)(round + 1) * 0x9e3779b97f4a7c15ULL) & mask;
}

static uint64_t encrypt(uint64_t x, unsigned half, uint64_t key)
{
    uint64_t mask = (1ULL << half) - 1, left = x >> half, right = x & mask;

    for (unsigned r = 0; r < ROUNDS; r++) {
        uint64_t next = left ^ round_of(right, key, r, mask);
        left = right;
        right = next;
    }
    return (left << half) | right;
}

static uint64_t decrypt(uint64_t x, unsigned half, uint64_t key)
{
    uint64_t mask = (1ULL << half) - 1, left = x >> half, right = x & mask;

    for (unsigned r = ROUNDS; r-- > 0;) {
        uint64_t before = right ^ round_of(left, key, r, mask);
        right = left;
        left = before;
    }
    return (left << half) | right;
}

uint64_t perm_at(uint64_t i, uint64_t n, uint64_t key)
{
    unsigned half = half_bits(n);

    must(i < n);
    do {
        i = encrypt(i, half, key);
    } while (i >= n);
    return i;
}

uint64_t perm_inverse(uint64_t v, uint64_t n, uint64_t key)
{
    unsigned half = half_bits(n);

    must(v < n);
    do {
        v = decrypt(v, half, key);
    } while (v >= n);
    return v;
}

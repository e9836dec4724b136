#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash64(const void *data, size_t n, uint64_t seed)
{
    return XXH3_64bits_withSeed(data, n, seed);
}

void hash128(const void *data, size_t n, uint64_t out[2])
{
    XXH128_hash_t h = XXH3_128bits(data, n);

    out[0] = h.low64;
    out[1] = h.high64;
}

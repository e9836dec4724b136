#ifndef GRANGE_BASE_HASH_H
#define GRANGE_BASE_HASH_H
/* hash - XXH3 of bytes, 64 and 128 bits. Not for secrets. The same on every machine. */

#include <stddef.h>
#include <stdint.h>

uint64_t hash64(const void *data, size_t n, uint64_t seed);
void hash128(const void *data, size_t n, uint64_t out[2]);

#endif

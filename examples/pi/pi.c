/* pi SEED N - throws N darts at a square and says what share fell into the circle. The same seed
 * gives the same darts on every machine: SplitMix64, no library generator. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static double next(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: pi SEED N\n");
        return 2;
    }
    uint64_t state = strtoull(argv[1], NULL, 10), n = strtoull(argv[2], NULL, 10), hits = 0;
    for (uint64_t i = 0; i < n; i++) {
        double x = next(&state), y = next(&state);
        hits += x * x + y * y < 1;
    }
    printf("hits %llu\npi %.8f\n", (unsigned long long)hits, 4.0 * (double)hits / (double)n);
    return 0;
}

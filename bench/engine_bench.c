/* engine_bench GRANGE PLUGIN FUNCTION N BYTES ENGINES - calls a second through one worker: a
 * scheduler that only hands out leases and acknowledges results, a worker, and its engines. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/must.h"
#include "tests/unit/engine_help.h"

enum { AHEAD = 4096, BATCH = 512 };

int main(int argc, char **argv)
{
    if (argc != 7) {
        fprintf(stderr, "usage: engine_bench GRANGE PLUGIN FUNCTION N BYTES ENGINES\n");
        return 2;
    }
    uint64_t n = strtoull(argv[4], NULL, 10), given = 0;
    size_t bytes = strtoull(argv[5], NULL, 10);
    char *payload = calloc(1, bytes + 1);
    struct driver *d =
        driver_open(argv[1], (const char *const[]){ "--plugin", argv[2], "-j", argv[6],
                                                    "--log-level", "error", NULL });

    must(d != NULL && payload != NULL);
    d->quiet = true;
    driver_array(d, 1, argv[3], "");
    uint64_t start = clock_mono_us();
    while (d->n_ends < n) {
        for (; given < n && given - d->n_ends <= AHEAD - BATCH; given += BATCH)
            driver_assign(d, 1, 1 + given, n - given < BATCH ? n - given : BATCH, payload, bytes);
        driver_pump(d, 1000);
    }
    double seconds = (double)(clock_mono_us() - start) / 1e6;
    printf("%s calls=%llu bytes=%zu engines=%s seconds=%.3f calls_per_second=%.0f\n", argv[3],
           (unsigned long long)n, bytes, argv[6], seconds, (double)n / seconds);
    size_t expected = strcmp(argv[3], "echo") == 0 ? n * bytes : 0;
    if (d->n_failed || d->bytes != expected) {
        fprintf(stderr, "engine_bench: %zu calls failed, %zu bytes came back\n", d->n_failed,
                d->bytes);
        return 1;
    }
    free(payload);
    return driver_close(d) == 0 ? 0 : 1;
}

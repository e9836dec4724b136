/* wire_bench N BATCH - results a second through the codec: encoded as a worker does, in messages of
 * BATCH, and decoded as a scheduler does, one after the other on one core. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/must.h"
#include "proto/wire.h"

enum { BATCH_MAX = 4096 };

static struct end_row rows[BATCH_MAX];
static struct end_body bodies[BATCH_MAX];
static char values[BATCH_MAX][32];

int main(int argc, char **argv)
{
    uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    uint64_t batch = argc > 2 ? strtoull(argv[2], NULL, 10) : 256;
    struct buf bytes;
    uint64_t total = 0;

    must(batch > 0 && batch <= BATCH_MAX);
    buf_init(&bytes);
    for (uint64_t k = 0; k < batch; k++) {
        snprintf(values[k], sizeof values[k], "[\"%llu\"]", (unsigned long long)k);
        bodies[k] = (struct end_body){ .values = values[k],
                                       .metrics = "{}",
                                       .error_line = "",
                                       .out_file = "",
                                       .err_file = "",
                                       .dir = "" };
        rows[k] = (struct end_row){ .task = { 1 + k },
                                    .lease = lease_make(1, (uint32_t)(1 + k)),
                                    .worker = { 1 },
                                    .state = TASK_DONE,
                                    .reason = END_EXIT,
                                    .attempts = 1,
                                    .counted = true,
                                    .started_ms = 1700000000000,
                                    .ended_ms = 1700000000001,
                                    .wall_us = 1000,
                                    .user_us = 500,
                                    .sys_us = 300,
                                    .body = &bodies[k] };
    }
    struct message out = { .kind = MSG_RESULTS, .results = { .rows = rows, .n = batch } };
    uint64_t start = clock_mono_us();
    for (uint64_t done = 0; done < n; done += batch) {
        struct message in;
        struct fault f;
        buf_clear(&bytes);
        wire_encode(&out, &bytes);
        if (wire_decode(bytes.data, bytes.n, &in, &f)) {
            fprintf(stderr, "wire_bench: %s\n", f.text);
            return 1;
        }
        total += in.results.n;
        message_fini(&in);
    }
    printf("%.0f\n", (double)total * 1e6 / (double)(clock_mono_us() - start));
    buf_fini(&bytes);
    return 0;
}

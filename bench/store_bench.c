/* store_bench DIR N BATCH [OUTPUT] - ends a second that the store makes durable, in transactions of
 * BATCH with synchronous=FULL, each end with values, a metric and OUTPUT bytes of output. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/must.h"
#include "store/store.h"

enum { BATCH_MAX = 4096, OUTPUT_MAX = 65536 };

static struct change changes[BATCH_MAX];
static struct end_body bodies[BATCH_MAX];
static char values[BATCH_MAX][48], metrics[BATCH_MAX][48];
static char output[OUTPUT_MAX];

static void stop_on(enum err e, const struct fault *f)
{
    if (!e)
        return;
    fprintf(stderr, "store_bench: %s\n", f->text);
    exit(1);
}

static void fill(size_t k, uint64_t task, uint32_t output_bytes)
{
    struct end_body *b = &bodies[k];
    struct end_row *row = &changes[k].end;

    snprintf(values[k], sizeof values[k], "[\"%llu\"]", (unsigned long long)task);
    snprintf(metrics[k], sizeof metrics[k], "{\"energy\":%llu.5}", (unsigned long long)task);
    *b = (struct end_body){ .values = values[k],
                            .metrics = metrics[k],
                            .error_line = "",
                            .out_file = "",
                            .err_file = "",
                            .dir = "",
                            .out = output,
                            .out_bytes = output_bytes,
                            .out_total = output_bytes };
    changes[k] = (struct change){ .kind = CHG_END };
    *row = (struct end_row){ .task = { task },
                             .lease = lease_make(1, (uint32_t)task),
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
                             .maxrss_kib = 2000,
                             .body = b };
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: store_bench DIR N BATCH [OUTPUT]\n");
        return 2;
    }
    uint64_t n = strtoull(argv[2], NULL, 10), batch = strtoull(argv[3], NULL, 10);
    uint64_t output_bytes = argc > 4 ? strtoull(argv[4], NULL, 10) : 0;
    must(batch > 0 && batch <= BATCH_MAX && output_bytes <= OUTPUT_MAX);
    memset(output, 'x', sizeof output);

    struct store *st;
    struct fault f;
    stop_on(store_open(argv[1], STORE_SYNC_FULL, &st, &f), &f);
    struct change array = { .kind = CHG_ARRAY };
    array.array = (struct array_row){ .id = { 1 },
                                      .study = { 1 },
                                      .first = { 1 },
                                      .n = n,
                                      .name = "bench",
                                      .spec = "{}",
                                      .spec_bytes = 2 };
    stop_on(store_commit(st, &array, 1, &f), &f);
    uint64_t start = clock_mono_us();
    for (uint64_t i = 0; i < n; i += batch) {
        size_t k = 0;
        for (; k < batch && i + k < n; k++)
            fill(k, 1 + i + k, (uint32_t)output_bytes);
        stop_on(store_commit(st, changes, k, &f), &f);
    }
    printf("%.0f\n", (double)n * 1e6 / (double)(clock_mono_us() - start));
    store_close(st);
    return 0;
}

/* core_bench N [calls|chain|graph|fail|arrays|studies|shapes|rivals] - tasks a second that the core
 * decides: a submit, then a worker that answers every assign with results, in batches as they come,
 * without a wire and without a store. Of points; with a word of calls that are appended a thousand
 * at a time: without edges, in one chain, in a random graph with two edges a call, or in such a
 * graph whose first call fails; or in arrays of ten, of one study, of a thousand, or of 500 shapes
 * for 50 workers, of one study or of two with 500 shapes each. Then the memory that grew with them is printed too, in bytes a call. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/must.h"
#include "base/rng.h"
#include "scheduler/core.h"

enum { CLIENT_PEER = 1, WORKER_PEER = 2, SHAPES = 500, WORKERS = 50, STUDIES = 1000 };

struct work {
    struct core_grant grant;
    peer_id at;
};
struct farm {
    struct core *core;
    const char *shape; /* of calls; NULL: points */
    bool first_failed;
    struct outbox out;
    ms_t now;
    struct work *todo; /* given out and not answered */
    size_t n_todo, cap_todo;
    uint64_t n_ended;
};

static void collect(struct farm *f)
{
    for (size_t i = 0; i < f->out.n_sends; i++) {
        const struct send *s = &f->out.sends[i];
        if (s->kind != SEND_ASSIGN)
            continue;
        if (f->n_todo + s->n > f->cap_todo) {
            f->cap_todo = 2 * (f->n_todo + s->n);
            f->todo = realloc(f->todo, f->cap_todo * sizeof *f->todo);
            must(f->todo != NULL);
        }
        for (size_t k = 0; k < s->n; k++)
            f->todo[f->n_todo++] = (struct work){ f->out.grants[s->grants + k], s->to };
    }
    for (size_t i = 0; i < f->out.n_changes; i++)
        f->n_ended += f->out.changes[i].kind == CHG_END;
    outbox_clear(&f->out);
}

static void step(struct farm *f, struct event ev)
{
    core_step(f->core, f->now, &ev, &f->out);
}

enum { APPEND = 1000 };

/* The edges of the calls from at on; every graph can be run from its first call on. */
static size_t draw_edges(const struct farm *f, struct rng *rng, uint64_t at, struct edge *edges)
{
    size_t n = 0;

    for (uint64_t i = 0; i < APPEND; i++) {
        uint64_t call = at + i;
        if (strcmp(f->shape, "calls") == 0 || !call)
            continue;
        if (strcmp(f->shape, "chain") == 0) {
            edges[n++] = (struct edge){ .call = i, .on = { call } };
            continue;
        }
        bool wide = strcmp(f->shape, "fail") == 0; /* all of them wait for the first one too */
        edges[n++] = (struct edge){ .call = i, .on = { wide ? 1 : 1 + rng_below(rng, call) } };
        edges[n++] = (struct edge){ .call = i, .on = { 1 + rng_below(rng, call) } };
    }
    return n;
}

static void append_all(struct farm *f, uint64_t n)
{
    static struct edge edges[2 * APPEND];
    struct rng rng = { .state = 7 };

    for (uint64_t at = 0; at < n; at += APPEND) {
        size_t n_edges = draw_edges(f, &rng, at, edges);
        step(f, (struct event){ .kind = EV_APPEND,
                                .from = { CLIENT_PEER },
                                .array_id = { 1 },
                                .at = at,
                                .n = APPEND,
                                .edges = edges,
                                .n_edges = n_edges,
                                .close = at + APPEND == n });
        outbox_clear(&f->out);
    }
}

static bool is_shape(const struct farm *f, const char *shape)
{
    return f->shape && strcmp(f->shape, shape) == 0;
}

static bool of_shapes(const struct farm *f)
{
    return is_shape(f, "shapes") || is_shape(f, "rivals");
}

static bool of_tens(const struct farm *f)
{
    return is_shape(f, "arrays") || is_shape(f, "studies") || of_shapes(f);
}

/* The same calls in arrays of ten. */
static void open_many(struct farm *f, uint64_t n)
{
    enum { CALLS = 10 };
    struct array_row array = {
        .study = { 1 }, .kind = ARRAY_CALLS, .name = "bench", .policy = { .needs.cores = 1 }
    };

    for (uint64_t i = 0; i < n / CALLS; i++) {
        array.id.n = (uint32_t)i + 1;
        array.first.n = 1 + i * POINTS_MAX;
        if (is_shape(f, "studies"))
            array.study.n = 1 + (uint32_t)i % STUDIES;
        if (is_shape(f, "rivals"))
            array.study.n = 1 + (uint32_t)(i / SHAPES) % 2;
        if (of_shapes(f)) {
            array.policy.needs.cores = 1 + (uint32_t)i % 3;
            array.policy.needs.memory_mib = 100 + (uint32_t)i % SHAPES;
        }
        step(f, (struct event){
                    .kind = EV_SUBMIT, .from = { CLIENT_PEER }, .array = &array, .is_new = true });
        step(f, (struct event){ .kind = EV_APPEND,
                                .from = { CLIENT_PEER },
                                .array_id = array.id,
                                .n = CALLS,
                                .close = true });
        outbox_clear(&f->out);
    }
}

static void connect_workers(struct farm *f)
{
    bool many = of_shapes(f);
    struct worker_row row = { .host = "bench", .pid = 1, .slots = many ? 4 : 2 };

    row.memory_mib = 1500;
    for (uint32_t i = 0; i < (many ? WORKERS : 1); i++) {
        row.instance = i + 1;
        snprintf(row.name, sizeof row.name, "bench%u", i);
        step(f, (struct event){ .kind = EV_HELLO, .from = { WORKER_PEER + i }, .worker = &row });
    }
}

static void begin(struct farm *f, uint64_t n)
{
    struct core_config cfg;
    struct array_row array = { .id = { 1 },
                               .study = { 1 },
                               .first = { 1 },
                               .kind = f->shape ? ARRAY_CALLS : ARRAY_POINTS,
                               .n = f->shape ? 0 : n,
                               .name = "bench",
                               .policy = { .needs.cores = 1 } };

    core_config_default(&cfg);
    cfg.epoch = 1;
    cfg.next_worker = (worker_id){ 1 };
    cfg.settle_ms = 0;
    f->core = core_new(&cfg);
    f->now = 1000;
    step(f, (struct event){ .kind = EV_RESTORED });
    connect_workers(f);
    if (of_tens(f)) {
        open_many(f, n);
    } else {
        step(f, (struct event){ .kind = EV_SUBMIT,
                                .from = { CLIENT_PEER },
                                .request = 1,
                                .array = &array,
                                .is_new = true });
        if (f->shape)
            append_all(f, n);
    }
    step(f, (struct event){ .kind = EV_TIMEOUT });
    collect(f);
}

static void answer(struct farm *f)
{
    struct work *todo = f->todo;
    size_t n = f->n_todo;

    f->todo = NULL;
    f->n_todo = f->cap_todo = 0;
    f->now += 1;
    for (size_t i = 0; i < n; i++) {
        struct end_row end = { .task = todo[i].grant.task,
                               .lease = todo[i].grant.lease,
                               .reason = END_EXIT,
                               .code = is_shape(f, "fail") && !f->first_failed,
                               .wall_us = 10,
                               .started_ms = f->now,
                               .ended_ms = f->now };
        f->first_failed = true;
        step(f, (struct event){ .kind = EV_RESULT,
                                .from = todo[i].at,
                                .task = end.task,
                                .lease = end.lease,
                                .end = &end });
    }
    free(todo);
    if (core_deadline(f->core) <= f->now)
        step(f, (struct event){ .kind = EV_TIMEOUT });
    collect(f);
}

static double peak_bytes(void)
{
    struct rusage ru;

    getrusage(RUSAGE_SELF, &ru);
    return 1024.0 * (double)ru.ru_maxrss;
}

int main(int argc, char **argv)
{
    uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    struct farm f = { .shape = argc > 2 ? argv[2] : NULL };
    double before = peak_bytes();

    outbox_init(&f.out);
    uint64_t start = clock_mono_us();
    begin(&f, n);
    if (!f.shape)
        start = clock_mono_us();
    while (f.n_ended < n) {
        if (!f.n_todo) {
            ms_t due = core_deadline(f.core);
            must(due != MS_NEVER);
            f.now = due > f.now ? due : f.now;
        }
        answer(&f);
    }
    printf("%.0f", (double)n * 1e6 / (double)(clock_mono_us() - start));
    if (f.shape)
        printf(" %.1f", (peak_bytes() - before) / (double)n);
    puts("");
    core_free(f.core);
    outbox_fini(&f.out);
    free(f.todo);
    return 0;
}

/* dispatch: what it costs to give tasks of many shapes to many workers, counted in looks at whether
 * a task fits a worker. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/needs.h"
#include "scheduler/core.h"

enum { TASKS = 20, SLOTS = 4 };

struct farm {
    struct core *core;
    struct outbox out;
    ms_t now;
    struct core_grant *held; /* granted and not ended, in a ring */
    uint64_t *at;            /* by whom */
    size_t head, n, cap, granted;
    uint64_t wall_us; /* that each takes */
};

static void take_grants(struct farm *f)
{
    for (size_t i = 0; i < f->out.n_sends; i++) {
        const struct send *s = &f->out.sends[i];
        for (size_t k = 0; s->kind == SEND_ASSIGN && k < s->n; k++) {
            size_t to = (f->head + f->n++) % f->cap;
            cr_assert_lt(f->n, f->cap);
            f->held[to] = f->out.grants[s->grants + k];
            f->at[to] = s->to.n;
            f->granted++;
        }
    }
    outbox_clear(&f->out);
}

static void step(struct farm *f, struct event ev)
{
    core_step(f->core, ++f->now, &ev, &f->out);
    core_step(f->core, f->now, &(struct event){ .kind = EV_TIMEOUT }, &f->out);
    take_grants(f);
}

/* Each of `studies` studies has a task of each shape; 0: each shape is a study's own. */
static void start(struct farm *f, uint32_t shapes, uint32_t studies)
{
    struct core_config cfg;

    core_config_default(&cfg);
    cfg.lost_after_ms = cfg.prefetch_ms = 1000000000;
    cfg.prefetch_ms = 0;
    *f = (struct farm){ .core = core_new(&cfg), .now = 1000, .cap = 1 << 16, .wall_us = 1000000 };
    f->held = calloc(f->cap, sizeof *f->held);
    f->at = calloc(f->cap, sizeof *f->at);
    outbox_init(&f->out);
    step(f, (struct event){ .kind = EV_RESTORED });
    for (uint32_t i = 0; i < shapes * (studies ? studies : 1); i++) {
        struct array_row row = { .id = { i + 1 }, .n = TASKS };
        uint32_t shape = i % shapes;
        row.study.n = 1 + (studies ? i / shapes : i);
        if (studies)
            row.kind = ARRAY_CALLS; /* a study has one array of points */
        row.first.n = 1 + (uint64_t)i * (studies ? POINTS_MAX : TASKS);
        row.policy.needs.cores = 1 + shape % 3;
        row.policy.needs.memory_mib = 100 + shape;
        if (shape % 5 == 0)
            needs_add_resource(&row.policy.needs, "gpus", 1);
        step(f, (struct event){ .kind = EV_SUBMIT, .array = &row, .is_new = true });
        if (studies)
            step(f, (struct event){
                        .kind = EV_APPEND, .array_id = row.id, .n = TASKS, .close = true });
    }
}

static void connect_workers(struct farm *f, uint32_t workers)
{
    for (uint32_t i = 0; i < workers; i++) {
        struct worker_row row = { .instance = i + 1, .slots = SLOTS, .memory_mib = 1500 };
        snprintf(row.name, sizeof row.name, "w%u", i);
        if (i % 4 == 0)
            worker_add_resource(&row, "gpus", 2);
        step(f, (struct event){ .kind = EV_HELLO, .from = { i + 1 }, .worker = &row });
    }
}

/* The oldest lease ends first. */
static void run_all(struct farm *f)
{
    while (f->n) {
        struct core_grant g = f->held[f->head];
        struct end_row end = { .task = g.task, .lease = g.lease, .wall_us = f->wall_us };
        uint64_t from = f->at[f->head];
        f->head = (f->head + 1) % f->cap;
        f->n--;
        step(f, (struct event){ .kind = EV_RESULT, .from = { from }, .end = &end });
    }
}

static void finish(struct farm *f)
{
    core_free(f->core);
    outbox_fini(&f->out);
    free(f->held);
    free(f->at);
}

/* Looks for each grant. */
static double looks(uint32_t shapes, uint32_t workers)
{
    struct farm f;

    start(&f, shapes, 0);
    connect_workers(&f, workers);
    run_all(&f);
    cr_assert_eq(f.granted, (size_t)shapes * TASKS);
    double each = (double)core_looks(f.core) / (double)f.granted;
    finish(&f);
    return each;
}

/* A pass goes over the shapes whose turn it would be until one fits where something became free:
 * that is bounded by the shapes, whatever the number of workers. */
Test(dispatch, the_cost_of_a_grant_does_not_grow_with_shapes_times_workers)
{
    double small = looks(500, 10), large = looks(500, 50);

    cr_assert_lt(looks(50, 50), 50);
    cr_assert_lt(large, 500, "%.1f looks a grant", large);
    cr_assert_lt(large, 1.5 * small, "%.1f looks a grant with 50 workers, %.1f with 10", large,
                 small);
}

/* --- whose turn it is --- */

/* Opens arrays of `calls` calls of `studies` studies in turn; everything runs on two slots. Turns
 * that were looked at, for each task that was given out. */
static double turns(uint32_t arrays, uint32_t studies, uint32_t calls)
{
    struct farm f;

    start(&f, 0, 0);
    for (uint32_t i = 0; i < arrays; i++) {
        struct array_row row = { .id = { i + 1 }, .kind = ARRAY_CALLS };
        row.study.n = 1 + i % studies;
        row.first.n = 1 + (uint64_t)i * POINTS_MAX;
        step(&f, (struct event){ .kind = EV_SUBMIT, .array = &row, .is_new = true });
        step(&f,
             (struct event){ .kind = EV_APPEND, .array_id = row.id, .n = calls, .close = true });
    }
    uint64_t before = core_turns(f.core);
    connect_workers(&f, 1);
    run_all(&f);
    cr_assert_eq(f.granted, (size_t)arrays * calls);
    double each = (double)(core_turns(f.core) - before) / (double)f.granted;
    finish(&f);
    return each;
}

Test(dispatch, the_cost_of_a_grant_does_not_grow_with_ready_arrays)
{
    double few = turns(10, 1, 3), many = turns(10000, 1, 3);

    cr_assert_lt(many, few + 5, "%.1f turns a grant among 10,000 arrays, %.1f among 10", many, few);
}

Test(dispatch, the_cost_of_a_grant_does_not_grow_with_studies)
{
    double few = turns(20, 2, 3), many = turns(10000, 1000, 3);

    cr_assert_lt(many, few + 10, "%.1f turns a grant among 1,000 studies, %.1f among 2", many, few);
}

/* Turns that were looked at, for each short task of studies that have the same 500 shapes. */
static double rivals(uint32_t studies)
{
    enum { SHAPES = 500 };
    struct farm f;

    start(&f, SHAPES, studies);
    f.wall_us = 1000;
    uint64_t before = core_turns(f.core);
    connect_workers(&f, 50);
    run_all(&f);
    cr_assert_eq(f.granted, (size_t)SHAPES * studies * TASKS);
    double each = (double)(core_turns(f.core) - before) / (double)f.granted;
    finish(&f);
    return each;
}

/* A grant changes the place of its study, which has a claim for each shape: they are moved when
 * that is worth it, not each time. */
Test(dispatch, many_shapes_of_two_studies_cost_what_those_of_one_do)
{
    double one = rivals(1), two = rivals(2);

    cr_assert_lt(two, 1.5 * one, "%.1f turns a grant of two studies, %.1f of one", two, one);
}

Test(dispatch, one_worker_too_many_is_refused)
{
    struct farm f;
    struct worker_row row = { .instance = WORKERS_MAX + 1, .slots = SLOTS, .name = "late" };
    struct event hello = { .kind = EV_HELLO, .from = { WORKERS_MAX + 1 }, .worker = &row };

    start(&f, 0, 0);
    connect_workers(&f, WORKERS_MAX);
    core_step(f.core, ++f.now, &hello, &f.out);
    cr_assert_eq(f.out.n_sends, 1);
    cr_expect_eq(f.out.sends[0].kind, SEND_REFUSED);
    cr_expect_eq(f.out.sends[0].err, (int)ERR_LIMIT);
    cr_expect_str_eq(f.out.sends[0].text, "too many workers are connected (WORKERS_MAX)");
    outbox_clear(&f.out);
    step(&f, (struct event){ .kind = EV_BYE, .from = { 1 } }); /* and when there is room again */
    core_step(f.core, ++f.now, &hello, &f.out);
    cr_expect_eq(f.out.sends[0].kind, SEND_WELCOME);
    finish(&f);
}

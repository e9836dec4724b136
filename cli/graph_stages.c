/* graph_stages - the stages of a study file, or their points, as a graph. */
#include "cli/graph.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "cli/dot.h"
#include "cli/look.h"

/* ---- one stage ---- */

static enum err add_stage(struct look *l, const char *stage, struct buf *out, struct fault *f)
{
    struct reader_counts c;
    struct buf label = { 0 };
    uint64_t left_out = 0;
    enum err err = reader_counts(l->reader, &l->row, &c, f);
    if (!err)
        err = look_count_left_out(l, &left_out, f);
    if (err)
        return err;
    struct tally t = { .done = c.done,
                       .failed = c.failed + c.quarantined,
                       .running = c.running,
                       .cancelled = c.cancelled,
                       .unmet = c.unmet,
                       .left = c.left > c.running + left_out ? c.left - c.running - left_out : 0 };
    buf_adds(&label, stage);
    tally_lines(&t, &label);
    dot_node(study_name(l->study), buf_text(&label), &t, out);
    buf_fini(&label);
    return ERR_NONE;
}

static void add_stage_edges(const struct study *s, struct buf *out)
{
    static const char *const on[N_AFTER_ON] = { "", "failure", "either" };
    struct buf words = { 0 };

    for (size_t k = 0; k < study_n_after(s); k++) {
        const struct after *a = study_after(s, k);
        buf_clear(&words);
        buf_adds(&words, a->each ? "each" : a->any ? "any" : "");
        if (*on[a->on])
            buf_addf(&words, "%s%s", words.n ? " " : "", on[a->on]);
        dot_edge(a->study, study_name(s), buf_text(&words), out);
    }
    buf_fini(&words);
}

/* ---- its points ---- */

static void point_node(const char *study, uint64_t i, struct buf *out)
{
    buf_clear(out);
    buf_addf(out, "%s/%" PRIu64, study, i);
}

struct running {
    uint8_t *states;
    uint64_t first, n;
};

static void note_running(void *ctx, lease_id lease, task_id task, worker_id worker, ms_t started_ms)
{
    struct running *x = ctx;
    (void)lease, (void)worker, (void)started_ms;
    if (task.n - x->first < x->n && x->states[task.n - x->first] == TASK_READY)
        x->states[task.n - x->first] = TASK_LEASED;
}

static enum err add_points(struct look *l, const char *stage, struct buf *out, struct fault *f)
{
    uint64_t n = study_n_points(l->study);
    uint8_t *states = calloc(n, 1);
    struct buf id = { 0 }, label = { 0 };
    struct point p;

    must(states != NULL);
    point_init(&p);
    struct running running = { states, l->row.array.first.n, n };
    enum err err = reader_states(l->reader, &l->row, states, f);
    if (!err)
        err = reader_running(l->reader, &l->row, note_running, &running, f);
    for (uint64_t i = 0; i < n && !err; i++) {
        bool left_out = false;
        study_point(l->study, i, &p);
        err = look_left_out(l, &p, &left_out, f);
        if (err || left_out)
            continue;
        point_node(study_name(l->study), i, &id);
        buf_clear(&label);
        buf_addf(&label, "%s\n", stage);
        study_point_label(l->study, &p, &label);
        struct tally t = { 0 };
        tally_add(&t, (enum task_state)states[i]);
        dot_node(buf_text(&id), buf_text(&label), &t, out);
    }
    point_fini(&p);
    buf_fini(&id);
    buf_fini(&label);
    free(states);
    return err;
}

static uint64_t points_of(const struct stages *st, const char *study)
{
    for (size_t i = 0; i < st->n; i++)
        if (strcmp(study_name(st->items[i]), study) == 0)
            return study_n_points(st->items[i]);
    return 0;
}

/* Whole stages that wait for each other meet in a point between them, not in n times m edges. */
static void add_point_edges(const struct stages *st, const struct study *s, struct buf *out)
{
    struct buf from = { 0 }, to = { 0 }, gate = { 0 };

    for (size_t k = 0; k < study_n_after(s); k++) {
        const struct after *a = study_after(s, k);
        uint64_t n = points_of(st, a->study), m = study_n_points(s);
        buf_clear(&gate);
        buf_addf(&gate, "%s -> %s", a->study, study_name(s));
        if (!a->each)
            dot_gate(buf_text(&gate), out);
        for (uint64_t i = 0; i < n; i++) {
            point_node(a->study, i, &from);
            point_node(study_name(s), i, &to);
            dot_edge(buf_text(&from), buf_text(a->each ? &to : &gate), NULL, out);
        }
        for (uint64_t i = 0; i < m && !a->each; i++) {
            point_node(study_name(s), i, &to);
            dot_edge(buf_text(&gate), buf_text(&to), NULL, out);
        }
    }
    buf_fini(&from);
    buf_fini(&to);
    buf_fini(&gate);
}

/* ---- all ---- */

static enum err check_size(const struct stages *st, struct fault *f)
{
    uint64_t n = 0;
    for (size_t i = 0; i < st->n; i++)
        n += study_n_points(st->items[i]);
    if (n > GRAPH_POINTS_MAX)
        return fault_set(f, ERR_LIMIT,
                         "%" PRIu64 " points are too many to draw, the limit is %d; leave out "
                         "--points to see the stages",
                         n, GRAPH_POINTS_MAX);
    return ERR_NONE;
}

static enum err draw_stage(const struct graph_args *a, const struct stages *st, size_t i,
                           struct buf *out, struct fault *f)
{
    const struct study *s = st->items[i];
    const char *stage = study_name(s);
    struct look l;

    if (st->staged)
        stage += strlen(st->name) + 1;
    enum err err = look_open(&l, a->look.dir, study_name(s), f);
    if (!err)
        err = a->points ? add_points(&l, stage, out, f) : add_stage(&l, stage, out, f);
    look_close(&l);
    if (a->points)
        add_point_edges(st, s, out);
    else
        add_stage_edges(s, out);
    return err;
}

enum err graph_stages(const struct graph_args *a, const struct stages *st, struct buf *out,
                      struct fault *f)
{
    enum err err = a->points ? check_size(st, f) : ERR_NONE;

    dot_begin(st->staged ? st->name : study_name(st->items[0]), out);
    for (size_t i = 0; i < st->n && !err; i++)
        err = draw_stage(a, st, i, out, f);
    dot_end(out);
    return err;
}

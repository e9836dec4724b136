/* world - what is true of points whatever the farm does: which there are, how long one takes, how
 * often it fails. Functions of the seed. A study has SIM_VARIANTS designs that overlap, as if
 * somebody edited the sweep: design 1 drops the first third and adds as many at the end, design 2
 * adds some. */

#include <string.h>

#include "base/must.h"
#include "tests/sim/sim.h"

enum { HANGS_MS = 40000 };

const struct array_row *world_array(const struct sim *s, array_id id)
{
    for (size_t i = 0; i < s->disk.n_arrays; i++)
        if (s->disk.arrays[i].id.n == id.n)
            return &s->disk.arrays[i];
    for (size_t i = 0; i < s->scheduler.n_fresh; i++)
        if (s->scheduler.fresh[i].id.n == id.n)
            return &s->scheduler.fresh[i];
    return NULL;
}

static const struct array_row *row_of(const struct sim *s, const struct array_row *rows, size_t n,
                                      task_id task)
{
    for (size_t i = 0; i < n; i++) {
        bool calls = rows[i].kind == ARRAY_CALLS;
        uint64_t ids = calls ? s->opt.study[rows[i].study.n - 1].n : rows[i].n;
        if (task.n >= rows[i].first.n && task.n < rows[i].first.n + ids)
            return &rows[i];
    }
    return NULL;
}

const struct array_row *world_array_of(const struct sim *s, task_id task)
{
    const struct array_row *row = row_of(s, s->disk.arrays, s->disk.n_arrays, task);

    return row ? row : row_of(s, s->scheduler.fresh, s->scheduler.n_fresh, task);
}

static uint64_t first_point(const struct sim *s, uint32_t study, uint32_t variant)
{
    return variant == 1 ? s->opt.study[study].n / 3 : 0;
}

uint64_t world_point(const struct sim *s, const struct array_row *row, uint64_t index)
{
    return first_point(s, row->study.n - 1, (uint32_t)row->key[1] - 1) + index;
}

void world_design(const struct sim *s, uint32_t study, uint32_t variant, struct array_row *row)
{
    const struct study_options *st = &s->opt.study[study];

    *row =
        (struct array_row){ .study = { study + 1 }, .n = st->n, .key = { study + 1, variant + 1 } };
    if (variant == 2)
        row->n += 1 + st->n / 4;
    if (st->calls) {
        row->kind = ARRAY_CALLS;
        row->n = 0;
    }
    row->policy = st->policy;
    row->name = "study";
    row->spec = "{}";
    row->spec_bytes = 2;
}

bool world_skips(const struct sim *s, const struct array_row *row, uint64_t index)
{
    return s->opt.study[row->study.n - 1].skips && world_point(s, row, index) % 5 == 4;
}

/* A number that belongs to a point for ever. */
static uint64_t nature(const struct sim *s, const struct array_row *row, task_id task,
                       uint64_t what)
{
    uint64_t point = world_point(s, row, task.n - row->first.n);

    return rng_mix(rng_mix(s->seed ^ rng_mix(row->study.n * 1000003 + point)) + what);
}

static bool hangs(const struct sim *s, const struct array_row *row, task_id task)
{
    return s->opt.tasks_fail && row->policy.timeout_ms && nature(s, row, task, 1) % 25 == 0;
}

ms_t world_duration(const struct sim *s, task_id task)
{
    const struct array_row *row = world_array_of(s, task);
    must(row != NULL);
    const struct study_options *st = &s->opt.study[row->study.n - 1];
    ms_t ms = st->fastest;
    uint64_t decades = 0;

    if (hangs(s, row, task))
        return HANGS_MS;
    for (ms_t m = st->fastest; m < st->slowest; m *= 2)
        decades++;
    ms <<= nature(s, row, task, 2) % (decades ? decades : 1);
    return ms + (ms_t)(nature(s, row, task, 3) % (uint64_t)ms);
}

/* How often a point fails before it succeeds: most never, some a few times, few always. */
static uint32_t draw_fails(const struct sim *s, const struct array_row *row, task_id task)
{
    uint64_t kind = nature(s, row, task, 4) % 20;

    if (!s->opt.tasks_fail || kind < 14)
        return 0;
    return kind < 18 ? 1 + (uint32_t)(nature(s, row, task, 5) % 3) : 1000;
}

void world_outcome(struct sim *s, struct process *p)
{
    static const struct {
        enum end_reason reason;
        int32_t code;
    } ways[] = {
        { END_EXIT, 1 }, { END_EXIT, 2 },    { END_EXIT, 3 },        { END_EXIT, 4 },
        { END_EXIT, 5 }, { END_SIGNAL, 11 }, { END_NOT_STARTED, 2 },
    };
    const struct array_row *row = world_array_of(s, p->task);

    must(row != NULL && p->task.n < SIM_TASKS);
    p->ignores_term = nature(s, row, p->task, 6) % 10 == 0;
    p->reason = END_EXIT;
    p->code = 0;
    p->natural = true;
    if (s->opt.infra && !s->healed && sim_chance(s, 3)) {
        p->reason = END_INFRA;
        p->code = 12;
        p->natural = false;
        return;
    }
    if (!s->fails_drawn[p->task.n]) {
        s->fails_drawn[p->task.n] = true;
        s->fails_left[p->task.n] = draw_fails(s, row, p->task);
    }
    if (!s->fails_left[p->task.n])
        return;
    size_t way = nature(s, row, p->task, 7) % (sizeof ways / sizeof *ways);
    p->reason = ways[way].reason;
    p->code = ways[way].code;
}

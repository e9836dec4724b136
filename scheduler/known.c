/* known - which points of an array need not run: those that --where leaves out, those that have
 * ended, and those whose identity has ended in another array of the study. Looked up once, at
 * submit. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/loop.h"
#include "store/filter.h"
#include "study/ends.h"
#include "study/study.h"

enum {
    DURATIONS_MAX = 100000
}; /* a sample of this size gives the median well within our buckets */

void known_fini(struct known *k)
{
    free(k->states);
    free(k->adopts);
    free(k->durations_us);
    *k = (struct known){ 0 };
}

static uint8_t *states_of(struct known *k, const struct array_row *row)
{
    if (!k->states) {
        k->states = calloc(row->n, 1);
        must(k->states != NULL);
    }
    return k->states;
}

static enum err leave_out(const struct study *spec, const struct array_row *row, struct known *k,
                          struct fault *f)
{
    const char *names[FACTORS_MAX + 1], *values[FACTORS_MAX + 1];
    size_t n = study_n_factors(spec);
    struct filter *fl;
    char rep[16];

    for (size_t j = 0; j < n; j++)
        names[j] = study_factor_name(spec, j);
    names[n] = "rep";
    enum err err = filter_new(study_where(spec), names, n + 1, &fl, f);
    if (err)
        return err;
    uint8_t *states = states_of(k, row);
    struct point p;
    point_init(&p);
    for (uint64_t i = 0; i < row->n && !err; i++) {
        bool keep;
        study_point(spec, i, &p);
        memcpy(values, p.values, n * sizeof *values);
        snprintf(rep, sizeof rep, "%u", p.rep);
        values[n] = rep;
        err = filter_keep(fl, values, &keep, f);
        if (!err && !keep) {
            states[i] = TASK_SKIPPED;
            k->n_skipped++;
        }
    }
    point_fini(&p);
    filter_free(fl);
    return err;
}

/* An array whose points end elsewhere: in the one that comes. */
struct earlier {
    struct ends *ends;
    struct array_row row;
    struct study *spec;
    struct point point;
};

/* Whoever cancelled a point, or left it without what it waits for, said nothing of what it gives.
 */
static void on_end(void *ctx, uint64_t n, task_id task, enum task_state state, worker_id worker)
{
    struct earlier *e = ctx;
    uint64_t id[2];

    (void)n;
    (void)worker;
    if (state == TASK_CANCELLED || state == TASK_UNMET)
        return;
    study_point(e->spec, task.n - e->row.first.n, &e->point);
    study_identity(e->spec, &e->point, id);
    ends_add(e->ends, id, task, (uint8_t)state);
}

/* The points of one other array that ended there themselves. */
static enum err collect(struct scheduler *s, array_id id, const uint64_t template_key[2],
                        struct ends *all, struct known *k, struct fault *f)
{
    struct earlier e = { .ends = all };
    struct buf text = { 0 };
    uint64_t other[2];
    size_t before = all->n;
    bool found;
    enum err err = store_array(s->store, id, &found, &e.row, &text, f);

    if (!err && found)
        err = study_from_json(e.row.spec, e.row.spec_bytes, &e.spec, f);
    buf_fini(&text);
    if (err || !found)
        return err;
    point_init(&e.point);
    task_id last = { e.row.first.n + e.row.n - 1 };
    err = store_end_states(s->store, e.row.first, last, 0, on_end, &e, f);
    study_template_key(e.spec, other);
    if (memcmp(other, template_key, sizeof other) == 0)
        k->template_kept = true;
    else if (all->n > before)
        k->template_changed = true;
    point_fini(&e.point);
    study_free(e.spec);
    return err;
}

static void add_change(struct known *k, const struct change *ch)
{
    if (k->n_adopts == k->cap_adopts) {
        k->cap_adopts = k->cap_adopts ? 2 * k->cap_adopts : 16;
        k->adopts = realloc(k->adopts, k->cap_adopts * sizeof *k->adopts);
        must(k->adopts != NULL);
    }
    k->adopts[k->n_adopts++] = *ch;
}

/* What a point has for an end from now on. */
static void adopt(const struct point_end *e, task_id task, uint8_t *state, struct known *k,
                  struct buf *pairs)
{
    if (*state && !end_succeeded(e->state))
        return;
    if (*state) /* its own end, which was no success, gives way */
        add_change(k, &(struct change){ .kind = CHG_REOPEN, .task = task });
    buf_add(pairs, &(struct adopt){ .task = task, .from = e->task }, sizeof(struct adopt));
    *state = e->state;
}

/* The pairs live in `pairs` until the commit: they are what a million adopted points cost. */
static void adopt_all(const struct study *spec, const struct array_row *row,
                      const struct ends *ends, struct known *k, struct buf *pairs)
{
    uint8_t *states = states_of(k, row);
    const struct point_end *found[ENDS_AT_ONCE];
    uint64_t ids[ENDS_AT_ONCE][2], index[ENDS_AT_ONCE];
    struct point p;

    point_init(&p);
    for (uint64_t i = 0; i < row->n;) {
        size_t n = 0;
        for (; i < row->n && n < ENDS_AT_ONCE; i++) {
            if (end_succeeded(states[i]) || states[i] == TASK_SKIPPED)
                continue;
            study_point(spec, i, &p);
            study_identity(spec, &p, ids[n]);
            index[n++] = i;
        }
        ends_find(ends, ids, n, found);
        for (size_t j = 0; j < n; j++)
            if (found[j])
                adopt(found[j], (task_id){ row->first.n + index[j] }, &states[index[j]], k, pairs);
    }
    point_fini(&p);
    if (pairs->n)
        add_change(k, &(struct change){ .kind = CHG_ADOPT,
                                        .adopts = { (const struct adopt *)pairs->data,
                                                    pairs->n / sizeof(struct adopt) } });
}

static enum err find_elsewhere(struct scheduler *s, const struct study *spec,
                               const struct array_row *row, struct known *k, struct fault *f)
{
    struct buf ids = { 0 };
    struct ends all = { 0 };
    uint64_t template_key[2];
    enum err err = store_other_arrays(s->store, row->study, row->id, &ids, f);

    study_template_key(spec, template_key);
    for (size_t i = 0; !err && i < ids.n / sizeof(array_id); i++) {
        array_id id;
        memcpy(&id, ids.data + i * sizeof id, sizeof id);
        err = collect(s, id, template_key, &all, k, f);
    }
    k->template_changed = k->template_changed && !k->template_kept;
    if (!err && all.n) {
        ends_seal(&all);
        adopt_all(spec, row, &all, k, loop_text(s));
    }
    ends_fini(&all);
    buf_fini(&ids);
    return err;
}

static void on_duration(void *ctx, uint64_t us)
{
    struct known *k = ctx;

    if (k->n_durations == DURATIONS_MAX)
        return;
    if (k->n_durations == k->cap_durations) {
        k->cap_durations = k->cap_durations ? 2 * k->cap_durations : 256;
        k->durations_us = realloc(k->durations_us, k->cap_durations * sizeof *k->durations_us);
        must(k->durations_us != NULL);
    }
    k->durations_us[k->n_durations++] = us;
}

enum err known_find(struct scheduler *s, const struct study *spec, const struct array_row *row,
                    bool is_new, bool adopt_ends, struct known *k, struct fault *f)
{
    enum err err = ERR_NONE;

    if (core_array_loaded(s->core, row->id))
        return ERR_NONE; /* the core knows better than the store */
    if (!is_new)
        err = store_states(s->store, row, states_of(k, row), f);
    if (!err && row->policy.timeout_percent && !is_new)
        err = store_durations(s->store, row, on_duration, k, f);
    if (!err && study_where(spec))
        err = leave_out(spec, row, k, f);
    if (!err && adopt_ends)
        err = find_elsewhere(s, spec, row, k, f);
    return err;
}

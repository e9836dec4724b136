#include "cli/known.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/rng.h"
#include "store/filter.h"
#include "store/reader.h"
#include "study/ends.h"

/* Where ends come from. */
struct source {
    struct ends *ends;
    struct study *spec; /* of the array whose ends come in */
    struct point point;
};

static enum err collect_ends(const struct study *s, const char *dir, struct known_points *k,
                             struct ends *ends, struct fault *f);
static enum err look_at_each(const struct study *s, const struct ends *ends, struct known_points *k,
                             struct fault *f);
static void draw(const struct study *s, struct known_points *k);

static struct rng generator(const struct study *s)
{
    uint64_t key[2];
    study_key(s, key);
    return (struct rng){ key[0] ^ key[1] }; /* the same study shows the same points */
}

static int ascending(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

enum err known_points(const struct study *s, const char *dir, struct known_points *k,
                      struct fault *f)
{
    struct ends ends = { 0 };
    *k = (struct known_points){ .n = study_n_points(s) };
    enum err err = collect_ends(s, dir, k, &ends, f);
    if (!err && (ends.n || study_where(s)))
        err = look_at_each(s, &ends, k, f);
    else if (!err)
        draw(s, k);
    qsort(k->sample, k->n_samples, sizeof *k->sample, ascending);
    ends_fini(&ends);
    return err;
}

/* ---- what the store has ---- */

static enum err on_array(void *ctx, const struct array_row *row, struct fault *f)
{
    struct source *from = ctx;
    study_free(from->spec);
    from->spec = NULL;
    return study_from_json(row->spec, row->spec_bytes, &from->spec, f);
}

static void on_end(void *ctx, const struct array_row *row, uint64_t index, enum task_state state)
{
    struct source *from = ctx;
    uint64_t id[2];
    if ((state != TASK_DONE && state != TASK_FAILED) || index >= study_n_points(from->spec))
        return;
    study_point(from->spec, index, &from->point);
    study_identity(from->spec, &from->point, id);
    ends_add(from->ends, id, (task_id){ row->first.n + index }, (uint8_t)state);
}

static enum err read_study(struct reader *r, const struct reader_study *row, struct known_points *k,
                           struct ends *ends, struct fault *f)
{
    struct reader_counts counts;
    enum err err = reader_counts(r, row, &counts, f);
    if (!err && counts.n_wall) {
        k->mean_us = counts.wall_us_sum / counts.n_wall;
        k->n_mean = counts.n_wall;
    }
    struct source from = { .ends = ends };
    point_init(&from.point);
    if (!err)
        err = reader_known(r, row, on_array, on_end, &from, f);
    point_fini(&from.point);
    study_free(from.spec);
    ends_seal(ends);
    return err;
}

static enum err collect_ends(const struct study *s, const char *dir, struct known_points *k,
                             struct ends *ends, struct fault *f)
{
    struct reader *r = NULL;
    enum err err = reader_open(dir, &r, f);
    if (err == ERR_NOT_FOUND)
        return ERR_NONE;
    if (err)
        return err;
    struct reader_study row = { 0 };
    err = reader_study(r, study_name(s), &row, f);
    if (!err)
        err = read_study(r, &row, k, ends, f);
    reader_study_fini(&row);
    reader_close(r);
    return err == ERR_NOT_FOUND ? ERR_NONE : err;
}

/* ---- the points ---- */

/* Some distinct random indexes, without looking at any point. */
static void draw(const struct study *s, struct known_points *k)
{
    struct rng rng = generator(s);
    for (uint64_t i = 0; i < k->n - 1 && k->n_samples < KNOWN_SAMPLES; i++)
        k->sample[k->n_samples++] = 1 + perm_at(i, k->n - 1, rng.state);
}

/* Reservoir sampling (Vitter, TOMS 11(1), 1985, algorithm R) over the points after the first. */
static void sample(struct known_points *k, uint64_t index, struct rng *rng)
{
    if (k->n == 1)
        k->first = index;
    else if (k->n_samples < KNOWN_SAMPLES)
        k->sample[k->n_samples++] = index;
    else {
        uint64_t at = rng_below(rng, k->n - 1);
        if (at < KNOWN_SAMPLES)
            k->sample[at] = index;
    }
}

static enum err keeps(struct filter *fl, const struct study *s, const struct point *p, bool *keep,
                      struct fault *f)
{
    const char *values[FACTORS_MAX + 1];
    size_t n = study_n_factors(s);
    char rep[16];
    memcpy(values, p->values, n * sizeof *values);
    snprintf(rep, sizeof rep, "%u", p->rep);
    values[n] = rep;
    return filter_keep(fl, values, keep, f);
}

static enum err make_filter(const struct study *s, struct filter **fl, struct fault *f)
{
    *fl = NULL;
    if (!study_where(s))
        return ERR_NONE;
    const char *names[FACTORS_MAX + 1];
    size_t n = study_n_factors(s);
    for (size_t j = 0; j < n; j++)
        names[j] = study_factor_name(s, j);
    names[n] = "rep";
    struct fault why;
    enum err err = filter_new(study_where(s), names, n + 1, fl, &why);
    return err ? fault_set(f, err, "--%s", why.text) : ERR_NONE; /* it begins with "where" */
}

static enum err look_at_each(const struct study *s, const struct ends *ends, struct known_points *k,
                             struct fault *f)
{
    struct filter *fl = NULL;
    enum err err = make_filter(s, &fl, f);
    uint64_t all = k->n;
    struct rng rng = generator(s);
    struct point p;
    point_init(&p);
    k->n = 0;
    for (uint64_t i = 0; i < all && !err; i++) {
        bool keep = true;
        study_point(s, i, &p);
        if (fl)
            err = keeps(fl, s, &p, &keep, f);
        if (err || !keep) {
            k->left_out++;
            continue;
        }
        k->n++;
        sample(k, i, &rng);
        uint64_t id[2];
        study_identity(s, &p, id);
        const struct point_end *end = NULL;
        if (ends->n)
            ends_find(ends, &id, 1, &end);
        k->done += end && end->state == TASK_DONE;
        k->failed += end && end->state == TASK_FAILED;
    }
    point_fini(&p);
    filter_free(fl);
    return err;
}

enum err known_where(const struct study *s, struct fault *f)
{
    if (!study_where(s))
        return ERR_NONE;
    struct filter *fl = NULL;
    enum err err = make_filter(s, &fl, f);
    bool keep = false;
    struct point p;
    point_init(&p);
    for (uint64_t i = 0; i < study_n_points(s) && !keep && !err; i++) {
        study_point(s, i, &p);
        err = keeps(fl, s, &p, &keep, f);
    }
    point_fini(&p);
    filter_free(fl);
    if (err || keep)
        return err;
    return fault_set(f, ERR_USAGE, "0 points: --where '%s' leaves out all of them", study_where(s));
}

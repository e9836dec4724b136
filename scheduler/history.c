/* history - what earlier points of a study took, for those that are to run: from its other arrays
 * too, whatever their command was. */

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "scheduler/loop.h"
#include "scheduler/predict.h"
#include "study/study.h"

enum {
    ARRAYS_LOOKED_AT = 32,   /* of the study: the newest */
    ENDS_LOOKED_AT = 200000, /* of the store: the last ones */
    POINTS_ENOUGH = 20000,   /* more say nothing new */
    WORTH_US = 100000        /* where no point took so long it does not matter which comes first */
};

/* An array of the study. */
struct past {
    uint64_t first, n;
    struct study *spec;
    size_t place[FACTORS_MAX]; /* of the factors of the study to come; SIZE_MAX: not there */
};

struct history {
    struct past pasts[ARRAYS_LOOKED_AT];
    size_t n_pasts, n_factors;
    struct point point;
    struct predict *predict;
    uint64_t known, longest_us;
};

static void note(void *ctx, task_id task, uint64_t us)
{
    struct history *h = ctx;
    const char *values[FACTORS_MAX];
    const struct past *a = h->pasts, *end = a + h->n_pasts;

    while (a < end && (task.n < a->first || task.n >= a->first + a->n))
        a++;
    if (a == end || h->known == POINTS_ENOUGH)
        return;
    h->known++;
    if (us > h->longest_us)
        h->longest_us = us;
    study_point(a->spec, task.n - a->first, &h->point);
    for (size_t j = 0; j < h->n_factors; j++)
        values[j] = a->place[j] == SIZE_MAX ? NULL : h->point.values[a->place[j]];
    predict_add(h->predict, values, us);
}

static void find_factors(struct past *a, const struct study *wanted)
{
    for (size_t j = 0; j < study_n_factors(wanted); j++) {
        a->place[j] = SIZE_MAX;
        for (size_t i = 0; i < study_n_factors(a->spec); i++)
            if (strcmp(study_factor_name(a->spec, i), study_factor_name(wanted, j)) == 0)
                a->place[j] = i;
    }
}

static enum err add_past(struct scheduler *s, array_id id, const struct study *wanted,
                         struct history *h, struct fault *f)
{
    struct array_row row;
    struct buf text = { 0 };
    struct past *a = &h->pasts[h->n_pasts];
    bool found;
    enum err err = store_array(s->store, id, &found, &row, &text, f);

    if (!err && found && row.kind == ARRAY_POINTS)
        err = study_from_json(row.spec, row.spec_bytes, &a->spec, f);
    if (!err && a->spec) {
        a->first = row.first.n;
        a->n = row.n;
        find_factors(a, wanted);
        h->n_pasts++;
    }
    buf_fini(&text);
    return err;
}

/* The array itself, and the others, the newest first. */
static enum err find_pasts(struct scheduler *s, const struct study *spec,
                           const struct array_row *row, struct history *h, struct fault *f)
{
    struct buf ids = { 0 };
    enum err err = store_other_arrays(s->store, row->study, row->id, &ids, f);

    if (!err)
        err = add_past(s, row->id, spec, h, f);
    for (size_t i = ids.n / sizeof(array_id); i-- > 0 && !err && h->n_pasts < ARRAYS_LOOKED_AT;) {
        array_id id;
        memcpy(&id, ids.data + i * sizeof id, sizeof id);
        err = add_past(s, id, spec, h, f);
    }
    buf_fini(&ids);
    return err;
}

enum err history_of(struct scheduler *s, const struct study *spec, const struct array_row *row,
                    struct predict **p, struct fault *f)
{
    struct history *h = calloc(1, sizeof *h);
    bool numeric[FACTORS_MAX];

    must(h != NULL);
    *p = NULL;
    h->n_factors = study_n_factors(spec);
    for (size_t j = 0; j < h->n_factors; j++)
        numeric[j] = study_factor_numeric(spec, j);
    h->predict = predict_new(h->n_factors, numeric);
    point_init(&h->point);
    enum err err = find_pasts(s, spec, row, h, f);
    if (!err && h->n_pasts)
        err = store_took(s->store, ENDS_LOOKED_AT, note, h, f);
    point_fini(&h->point);
    if (!err && h->longest_us >= WORTH_US && predict_fit(h->predict))
        *p = h->predict;
    else
        predict_free(h->predict);
    for (size_t i = 0; i < h->n_pasts; i++)
        study_free(h->pasts[i].spec);
    free(h);
    return err;
}

/* order - the points of a study, those first that take longest, so that no long one is left for the
 * end: those with the largest value of a factor, when who submitted it says so, else by what
 * earlier points took. */

#include <stdlib.h>

#include "base/must.h"
#include "base/rng.h"
#include "scheduler/loop.h"
#include "scheduler/predict.h"
#include "study/study.h"

enum { PREDICTED_MOST = 1000000 }; /* points of an array; larger ones go as they come */

struct ranked {
    double value;
    uint32_t place, index;
};

static int larger_first(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;

    if (x->value != y->value)
        return x->value > y->value ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

/* The ranked ones first, then those that are not to run: states[n] says which; NULL when all are.
 */
static uint32_t *in_order(struct ranked *ranked, uint64_t n_ranked, const uint8_t *states,
                          uint64_t n)
{
    uint32_t *order = calloc(n, sizeof *order);

    must(order != NULL);
    qsort(ranked, n_ranked, sizeof *ranked, larger_first);
    for (uint64_t k = 0; k < n_ranked; k++)
        order[k] = ranked[k].index;
    for (uint64_t i = 0, k = n_ranked; k < n; i++)
        if (states[i])
            order[k++] = (uint32_t)i;
    free(ranked);
    return order;
}

static uint32_t *by_factor(const struct study *spec, size_t factor, uint64_t n)
{
    struct ranked *ranked = calloc(n, sizeof *ranked);
    struct point p;

    must(ranked != NULL);
    point_init(&p);
    for (uint64_t i = 0; i < n; i++) {
        study_point(spec, i, &p);
        ranked[i] = (struct ranked){ strtod(p.values[factor], NULL), (uint32_t)i, (uint32_t)i };
    }
    point_fini(&p);
    return in_order(ranked, n, NULL, n);
}

/* Those that are to run; of equal ones the one that would come first without this. */
static uint32_t *by_history(const struct study *spec, const struct predict *predict,
                            const struct array_row *row, const uint8_t *states, uint64_t n_left)
{
    struct ranked *ranked = calloc(n_left, sizeof *ranked);
    uint64_t key = row->policy.order_seed, k = 0;
    struct point p;

    must(ranked != NULL);
    point_init(&p);
    for (uint64_t i = 0; i < row->n; i++) {
        if (states && states[i])
            continue;
        study_point(spec, i, &p);
        ranked[k++] =
            (struct ranked){ predict_log_us(predict, p.values),
                             (uint32_t)(key ? perm_inverse(i, row->n, key) : i), (uint32_t)i };
    }
    point_fini(&p);
    return in_order(ranked, n_left, states, row->n);
}

enum err order_points(struct scheduler *s, const struct study *spec, const struct array_row *row,
                      const struct known *k, uint32_t **order, struct fault *f)
{
    size_t factor = study_longest_first(spec);
    struct predict *predict;
    uint64_t n_left = 0;

    *order = NULL;
    if (core_array_loaded(s->core, row->id))
        return ERR_NONE;
    if (factor != SIZE_MAX) {
        *order = by_factor(spec, factor, row->n);
        return ERR_NONE;
    }
    for (uint64_t i = 0; i < row->n; i++)
        n_left += !k->states || !k->states[i];
    if (n_left < 2 || row->n > PREDICTED_MOST || study_in_order(spec) || !study_n_factors(spec))
        return ERR_NONE;
    enum err err = history_of(s, spec, row, &predict, f);
    if (predict)
        *order = by_history(spec, predict, row, k->states, n_left);
    predict_free(predict);
    return err;
}

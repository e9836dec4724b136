/* order - the points of a study, those with the largest value of a factor first: they take longest,
 * says who submitted it, so that no long one is left for the end. */

#include <stdlib.h>

#include "base/must.h"
#include "scheduler/loop.h"
#include "study/study.h"

struct ranked {
    double value;
    uint32_t index;
};

static int larger_first(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;

    if (x->value != y->value)
        return x->value > y->value ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

uint32_t *order_longest(const struct study *s, uint64_t n)
{
    size_t factor = study_longest_first(s);
    struct point p;

    if (factor == SIZE_MAX)
        return NULL;
    struct ranked *ranked = calloc(n, sizeof *ranked);
    uint32_t *order = calloc(n, sizeof *order);
    must(ranked != NULL && order != NULL);
    point_init(&p);
    for (uint64_t i = 0; i < n; i++) {
        study_point(s, i, &p);
        ranked[i] = (struct ranked){ strtod(p.values[factor], NULL), (uint32_t)i };
    }
    point_fini(&p);
    qsort(ranked, n, sizeof *ranked, larger_first);
    for (uint64_t i = 0; i < n; i++)
        order[i] = ranked[i].index;
    free(ranked);
    return order;
}

#include "scheduler/predict.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/must.h"

enum { BINS_MAX = 16 };
#define EXPLAINS 0.1

/* Those that have one value. */
struct group {
    char *value;
    uint64_t n;
    double sum; /* of the logarithms */
    double x;   /* of a factor of numbers: the value */
    UT_hash_handle hh;
};

struct bin {
    double x, effect;
};

struct effect {
    bool numeric, counts;
    uint64_t n; /* those that have the factor */
    double sum, squares;
    struct group *groups;     /* hash */
    struct bin bin[BINS_MAX]; /* of numbers, by x */
    size_t n_bins;
    double slope; /* of a straight line through all of them */
};

struct predict {
    size_t n;
    double mean;
    struct effect effect[];
};

struct predict *predict_new(size_t n, const bool *numeric)
{
    struct predict *p = calloc(1, sizeof *p + n * sizeof *p->effect);

    must(p != NULL);
    p->n = n;
    for (size_t j = 0; j < n; j++)
        p->effect[j].numeric = numeric[j];
    return p;
}

void predict_free(struct predict *p)
{
    for (size_t j = 0; p && j < p->n; j++) {
        struct group *g, *next;
        HASH_ITER(hh, p->effect[j].groups, g, next)
        {
            HASH_DELETE(hh, p->effect[j].groups, g);
            free(g->value);
            free(g);
        }
    }
    free(p);
}

static struct group *group_of(struct effect *e, const char *value)
{
    struct group *g;

    HASH_FIND_STR(e->groups, value, g);
    if (g)
        return g;
    g = calloc(1, sizeof *g);
    must(g != NULL);
    g->value = strdup(value);
    must(g->value != NULL);
    HASH_ADD_KEYPTR(hh, e->groups, g->value, strlen(g->value), g);
    return g;
}

void predict_add(struct predict *p, const char *const *values, uint64_t us)
{
    double y = log(us ? (double)us : 1.0);

    for (size_t j = 0; j < p->n; j++) {
        struct effect *e = &p->effect[j];
        if (!values[j])
            continue;
        struct group *g = group_of(e, values[j]);
        g->n++;
        g->sum += y;
        e->n++;
        e->sum += y;
        e->squares += y * y;
    }
}

static int by_number(const void *a, const void *b)
{
    const struct group *const *g = a, *const *h = b;

    return ((*g)->x > (*h)->x) - ((*g)->x < (*h)->x);
}

/* Whether group i goes into the bin of the one before it: as many bins as there may be are to have
 * about as many points each. */
static bool same_bin(const struct effect *e, struct group *const *sorted, size_t i, uint64_t before,
                     uint64_t most)
{
    if (sorted[i]->x == sorted[i - 1]->x)
        return true; /* 1 and 1.0 */
    return HASH_COUNT(e->groups) > most && before * most < e->n * (e->n_bins + 1);
}

/* Returns the sum of squares between the bins. */
static double fit_numbers(struct effect *e)
{
    size_t n = HASH_COUNT(e->groups), i = 0;
    uint64_t most = e->n / 2 < BINS_MAX ? e->n / 2 : BINS_MAX, before = 0;
    struct group **sorted = malloc((n ? n : 1) * sizeof *sorted), *g;
    double between = 0, mean = e->sum / (double)e->n;
    double x_sum = 0, xx = 0, xy = 0;

    must(sorted != NULL);
    for (g = e->groups; g; g = g->hh.next) {
        g->x = strtod(g->value, NULL);
        sorted[i++] = g;
    }
    qsort(sorted, n, sizeof(struct group *), by_number);
    for (i = 0; i < n;) {
        double count = 0, x = 0, y = 0;
        do {
            g = sorted[i++];
            before += g->n;
            count += (double)g->n;
            x += g->x * (double)g->n;
            y += g->sum;
        } while (i < n && same_bin(e, sorted, i, before, most));
        struct bin *b = &e->bin[e->n_bins++];
        *b = (struct bin){ x / count, y / count - mean };
        between += count * b->effect * b->effect;
        x_sum += x;
        xx += x * b->x;
        xy += x * b->effect;
    }
    free(sorted);
    xx -= x_sum * x_sum / (double)e->n;
    e->slope = xx > 0 ? xy / xx : 0; /* least squares; the effects have the mean 0 */
    return between;
}

static double fit_texts(struct effect *e)
{
    double between = 0, mean = e->sum / (double)e->n;

    for (struct group *g = e->groups; g; g = g->hh.next) {
        double effect = g->sum / (double)g->n - mean;
        between += (double)g->n * effect * effect;
    }
    return between;
}

bool predict_fit(struct predict *p)
{
    bool any = false;

    for (size_t j = 0; j < p->n; j++) {
        struct effect *e = &p->effect[j];
        if (e->n < PREDICT_LEAST)
            continue;
        double n = (double)e->n, total = e->squares - e->sum * e->sum / n;
        double between = e->numeric ? fit_numbers(e) : fit_texts(e);
        double k = (double)(e->numeric ? e->n_bins : HASH_COUNT(e->groups));
        if (k < 2 || k >= n || total <= 1e-9 * n)
            continue;
        e->counts = 1 - (total - between) / (n - k) / (total / (n - 1)) >= EXPLAINS;
        any = any || e->counts;
    }
    return any;
}

static double effect_at(const struct effect *e, double x)
{
    const struct bin *first = e->bin, *last = first + e->n_bins - 1, *b = first;

    if (x <= first->x)
        return first->effect + e->slope * (x - first->x);
    if (x >= last->x)
        return last->effect + e->slope * (x - last->x);
    while (x >= b[1].x)
        b++;
    return b->effect + (b[1].effect - b->effect) * (x - b->x) / (b[1].x - b->x);
}

double predict_log_us(const struct predict *p, const char *const *values)
{
    double sum = 0;

    for (size_t j = 0; j < p->n; j++) {
        const struct effect *e = &p->effect[j];
        const struct group *g = NULL;
        if (!e->counts || !values[j])
            continue;
        if (e->numeric) {
            sum += effect_at(e, strtod(values[j], NULL));
            continue;
        }
        HASH_FIND_STR(e->groups, values[j], g);
        sum += g ? g->sum / (double)g->n - e->sum / (double)e->n : 0;
    }
    return isfinite(sum) ? sum : 0;
}

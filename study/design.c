#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/must.h"
#include "base/rng.h"
#include "study/impl.h"
#include "study/suggest.h"
#include "study/text.h"

static const char *const names[N_DESIGNS] = { "grid", "random", "lhs", "sobol" };

static enum err find_design(struct study *s, struct fault *f);
static enum err check_grid(struct study *s, struct fault *f, struct blame *blame);
static enum err check_sampled(struct study *s, struct fault *f, struct blame *blame);
static void prepare_draws(struct study *s);

enum err design_prepare(struct study *s, struct fault *f, struct blame *blame)
{
    uint64_t n;

    *blame = (struct blame){ .word = WORD_DESIGN };
    enum err err = find_design(s, f);
    if (!err)
        err = s->design == DESIGN_GRID ? check_grid(s, f, blame) : check_sampled(s, f, blame);
    if (err)
        return err;
    if (__builtin_mul_overflow(s->n_samples, (uint64_t)s->words.reps, &n) || n > POINTS_MAX) {
        *blame = (struct blame){ .word = s->words.reps > 1 ? WORD_REPS : WORD_FACTORS };
        return fault_set(f, ERR_LIMIT, "%llu points%s are more than the limit of %d",
                         (unsigned long long)s->n_samples,
                         s->words.reps > 1 ? " with their replicates" : "", POINTS_MAX);
    }
    s->n_points = n;
    prepare_draws(s);
    return ERR_NONE;
}

static enum err find_design(struct study *s, struct fault *f)
{
    const char *name = s->words.design ? s->words.design : "grid";

    for (int k = 0; k < N_DESIGNS; k++) {
        if (strcmp(name, names[k]) == 0) {
            s->design = (enum design_kind)k;
            return ERR_NONE;
        }
    }
    const char *nearest = suggest_nearest(name, names, N_DESIGNS);
    return fault_set(
        f, ERR_USAGE, "the design '%s' is unknown%s%s%s; known are grid, random, lhs, sobol",
        CLIP(name), nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

/* The product of the groups, UINT64_MAX when it is larger than that or infinite. */
static uint64_t combinations(const struct study *s)
{
    uint64_t n = 1;

    for (size_t g = 0; g < s->n_groups; g++) {
        if (s->groups[g].n == 0 || __builtin_mul_overflow(n, s->groups[g].n, &n))
            return UINT64_MAX;
    }
    return n;
}

/* The word that a group came from: each word and each list is one group. */
static void blame_group(const struct study *s, size_t g, struct blame *blame)
{
    bool named = g < s->words.n_factors;

    *blame = (struct blame){ .word = named ? WORD_FACTORS : WORD_LISTS,
                             .i = named ? g : g - s->words.n_factors };
}

static enum err check_grid(struct study *s, struct fault *f, struct blame *blame)
{
    if (s->words.n) {
        *blame = (struct blame){ .word = WORD_N };
        return fault_set(f, ERR_USAGE,
                         "n=%llu is for sampled designs, a grid has as many points as its factors "
                         "give; choose the design random, lhs or sobol, or leave n out",
                         (unsigned long long)s->words.n);
    }
    for (size_t g = 0; g < s->n_groups; g++) {
        const struct factor *factor = &s->factors[s->groups[g].first];
        if (!gen_is_span(&factor->gen))
            continue;
        blame_group(s, g, blame);
        return fault_set(f, ERR_USAGE,
                         "factor '%s' is continuous, which a grid cannot visit; give it steps, "
                         "%s=%s(%s,%s,5), or choose the design random, lhs or sobol",
                         factor->name, factor->name, factor->gen.kind == GEN_SPAN ? "lin" : "log",
                         CLIP(factor->gen.first), CLIP(factor->gen.last));
    }
    s->n_samples = combinations(s);
    if (s->n_samples > POINTS_MAX) {
        *blame = (struct blame){ .word = WORD_FACTORS };
        return fault_set(f, ERR_LIMIT,
                         "the factors give more points than the limit of %d; use a sampled design "
                         "(lhs or sobol) with n points",
                         POINTS_MAX);
    }
    uint64_t stride = 1;
    for (size_t g = s->n_groups; g-- > 0; stride *= s->groups[g].n)
        s->groups[g].stride = stride;
    return ERR_NONE;
}

static enum err check_sampled(struct study *s, struct fault *f, struct blame *blame)
{
    const char *name = names[s->design];

    s->n_samples = s->words.n;
    *blame = (struct blame){ .word = WORD_N };
    if (s->n_samples == 0)
        return fault_set(f, ERR_USAGE,
                         "the design %s needs the number of its points: n, for example 100", name);
    if (s->n_samples > combinations(s))
        return fault_set(
            f, ERR_USAGE,
            "the design %s has n=%llu, but the factors have only %llu different points; "
            "use the design grid, and reps to run each several times",
            name, (unsigned long long)s->n_samples, (unsigned long long)combinations(s));
    return ERR_NONE;
}

/* What random and lhs draw from depends on the names of a group, not on its place, so that adding a
 * factor leaves the values of the others as they are. */
static void prepare_draws(struct study *s)
{
    struct buf text = { 0 };

    if (s->design == DESIGN_SOBOL) {
        s->directions = arena_array(&s->arena, s->n_groups, sizeof *s->directions);
        s->shifts = arena_array(&s->arena, s->n_groups, sizeof *s->shifts);
    }
    for (size_t g = 0; g < s->n_groups; g++) {
        struct group *group = &s->groups[g];
        buf_clear(&text);
        for (size_t j = 0; j < group->n_factors; j++)
            buf_addf(&text, "%s,", s->factors[group->first + j].name);
        group->key = hash64(text.data, text.n, s->words.seed);
        if (s->design == DESIGN_SOBOL) {
            sobol_directions(g, s->directions[g]);
            s->shifts[g] = (uint32_t)(rng_mix(rng_mix(s->words.seed) + g + 1) >> 32);
        }
    }
    buf_fini(&text);
}

static double fraction(uint64_t bits)
{
    return (double)(bits >> 11) * 0x1p-53;
}

/* Coordinate of sample k in the dimension of group g: in [0, 1). */
static double share(const struct study *s, size_t g, uint64_t k)
{
    uint64_t key = s->groups[g].key;
    double jitter, u;

    switch (s->design) {
    case DESIGN_SOBOL:
        return (double)(sobol_at(s->directions[g], k) ^ s->shifts[g]) * 0x1p-32;
    case DESIGN_LHS:
        jitter = fraction(rng_mix(~key + (k + 1) * 0x9e3779b97f4a7c15ULL));
        u = ((double)perm_at(k, s->n_samples, key) + jitter) / (double)s->n_samples;
        return u < 1 ? u : 0x1.fffffffffffffp-1; /* the sum may round up to n */
    default:
        return fraction(rng_mix(key + (k + 1) * 0x9e3779b97f4a7c15ULL));
    }
}

static void add_group(const struct study *s, size_t g, uint64_t k, struct buf *out)
{
    const struct group *group = &s->groups[g];
    const struct factor *factors = &s->factors[group->first];
    uint64_t row;

    if (s->design == DESIGN_GRID) {
        row = k / group->stride % group->n;
    } else {
        double u = share(s, g, k);
        if (group->n == 0) {
            gen_add_share(&factors->gen, u, out);
            buf_addc(out, '\0');
            return;
        }
        row = (uint64_t)(u * (double)group->n);
        if (row >= group->n)
            row = group->n - 1; /* more values than a double tells apart */
    }
    for (size_t j = 0; j < group->n_factors; j++) {
        gen_add(&factors[j].gen, row, out);
        buf_addc(out, '\0');
    }
}

void study_point(const struct study *s, uint64_t i, struct point *p)
{
    must(i < s->n_points);
    if (p->n != s->n_factors) {
        p->n = s->n_factors;
        p->values = realloc(p->values, (p->n + 1) * sizeof *p->values);
        must(p->values != NULL);
    }
    p->index = i;
    p->rep = (uint32_t)(i % s->words.reps);
    buf_clear(&p->text);
    for (size_t g = 0; g < s->n_groups; g++)
        add_group(s, g, i / s->words.reps, &p->text);
    const char *value = buf_text(&p->text);
    for (size_t j = 0; j < p->n; j++) {
        p->values[j] = value;
        value += strlen(value) + 1;
    }
}

void point_init(struct point *p)
{
    *p = (struct point){ 0 };
}

void point_fini(struct point *p)
{
    buf_fini(&p->text);
    free(p->values);
    *p = (struct point){ 0 };
}

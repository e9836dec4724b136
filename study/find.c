/* The point that a person means. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "study/impl.h"
#include "study/suggest.h"
#include "study/text.h"

/* struct wish - the values that were asked for. */
struct wish {
    const char *values[FACTORS_MAX]; /* NULL: any */
    bool rep_given;
    uint32_t rep;
    bool as_numbers; /* 290 fits 290.0 */
};

/* struct matches - points that fit. */
struct matches {
    uint64_t n;
    uint64_t index[2]; /* the first two */
};

static enum err find_index(const struct study *s, const char *text, uint64_t *i, struct fault *f);
static enum err parse_wish(const struct study *s, char *text, struct wish *w, struct fault *f);
static void match(const struct study *s, const struct wish *w, struct matches *m);
static enum err say_several(const struct study *s, const struct wish *w, const char *text,
                            const struct matches *m, struct fault *f);

enum err study_find(const struct study *s, const char *text, uint64_t *i, struct fault *f)
{
    struct wish w = { 0 };
    struct matches m = { 0 };

    if (!strchr(text, '='))
        return find_index(s, text, i, f);
    char *copy = strdup(text);
    must(copy != NULL);
    enum err err = parse_wish(s, copy, &w, f);
    if (!err) {
        match(s, &w, &m);
        w.as_numbers = m.n == 0; /* the spelling first: 1 and 1.0 may be two points */
        if (w.as_numbers)
            match(s, &w, &m);
        *i = m.index[0];
        if (m.n == 0)
            err = fault_set(f, ERR_NOT_FOUND, "no point of study '%s' has %s", s->words.name,
                            CLIP(text));
        else if (m.n > 1)
            err = say_several(s, &w, text, &m, f);
    }
    free(copy);
    return err;
}

static enum err find_index(const struct study *s, const char *text, uint64_t *i, struct fault *f)
{
    char *end;

    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end)
        return fault_set(f, ERR_USAGE,
                         "'%s' is no point; give its index, for example 17, or its values, for "
                         "example %s=%s",
                         CLIP(text), s->n_factors ? s->factors[0].name : "rep",
                         s->n_factors && s->factors[0].gen.kind == GEN_LIST
                             ? CLIP(s->factors[0].gen.values[0])
                             : "1");
    if (errno || v >= s->n_points)
        return fault_set(f, ERR_NOT_FOUND,
                         "there is no point %s; study '%s' has the points 0 to %" PRIu64,
                         CLIP(text), s->words.name, s->n_points - 1);
    *i = v;
    return ERR_NONE;
}

/* The factor whose name stands before the = that ends at p[n]; n_factors for `rep`. */
static bool find_name(const struct study *s, const char *name, size_t n, size_t *j)
{
    for (*j = 0; *j < s->n_factors; ++*j) {
        if (strlen(s->factors[*j].name) == n && memcmp(s->factors[*j].name, name, n) == 0)
            return true;
    }
    return n == 3 && memcmp(name, "rep", n) == 0;
}

/* A value ends where a comma and the name of a factor follow: it may have commas itself. */
static char *value_end(const struct study *s, char *p)
{
    size_t unused;

    for (; (p = strchr(p, ',')) != NULL; p++) {
        const char *name = p + 1 + strspn(p + 1, " "), *equals = strchr(name, '=');
        if (equals && find_name(s, name, (size_t)(equals - name), &unused))
            return p;
    }
    return NULL;
}

static enum err say_no_factor(const struct study *s, const char *name, struct fault *f)
{
    const char *names[FACTORS_MAX + 1];
    struct buf known = { 0 };

    for (size_t j = 0; j < s->n_factors; j++) {
        names[j] = s->factors[j].name;
        buf_addf(&known, "%s, ", names[j]);
    }
    names[s->n_factors] = "rep";
    const char *nearest = suggest_nearest(name, names, s->n_factors + 1);
    enum err err = fault_set(f, ERR_USAGE, "study '%s' has no factor '%s'%s%s%s; it has %srep",
                             s->words.name, CLIP(name), nearest ? "; did you mean " : "",
                             nearest ? nearest : "", nearest ? "?" : "", buf_text(&known));
    buf_fini(&known);
    return err;
}

static enum err set_rep(const char *value, struct wish *w, struct fault *f)
{
    char *end;
    unsigned long v = strtoul(value, &end, 10);

    if (*value < '0' || *value > '9' || *end || v > POINTS_MAX)
        return fault_set(f, ERR_USAGE, "rep=%s should be a number, from 0", CLIP(value));
    w->rep_given = true;
    w->rep = (uint32_t)v;
    return ERR_NONE;
}

static enum err parse_wish(const struct study *s, char *text, struct wish *w, struct fault *f)
{
    enum err err = ERR_NONE;

    while (text && !err) {
        char *name = text + strspn(text, " "), *value = strchr(name, '=');
        size_t j;
        must(value != NULL); /* the caller and value_end saw it */
        *value++ = '\0';
        char *end = value_end(s, value);
        if (end)
            *end = '\0';
        text = end ? end + 1 : NULL;
        if (!find_name(s, name, strlen(name), &j))
            return say_no_factor(s, name, f);
        if (j == s->n_factors)
            err = set_rep(value, w, f);
        else if (w->values[j])
            err = fault_set(f, ERR_USAGE, "'%s' is given twice", name);
        else
            w->values[j] = value;
    }
    return err;
}

static bool value_fits(const struct wish *w, size_t j, const char *value)
{
    const char *wished = w->values[j];

    if (!wished || strcmp(wished, value) == 0)
        return true;
    return w->as_numbers && decimal_is_number(wished, strlen(wished)) &&
           decimal_is_number(value, strlen(value)) && strtod(wished, NULL) == strtod(value, NULL);
}

static void matches_add(struct matches *m, uint64_t index)
{
    if (m->n < 2)
        m->index[m->n] = index;
    m->n++;
}

/* Rows of a group that fit, all of them when nothing of it is wished. */
static struct matches match_group(const struct study *s, const struct group *g,
                                  const struct wish *w)
{
    struct matches m = { 0 };
    struct buf value = { 0 };
    bool wished = false;

    for (size_t j = g->first; j < g->first + g->n_factors; j++)
        wished = wished || w->values[j];
    for (uint64_t row = 0; row < (wished ? g->n : 0); row++) {
        bool fits = true;
        for (size_t j = g->first; j < g->first + g->n_factors && fits; j++) {
            buf_clear(&value);
            gen_add(&s->factors[j].gen, row, &value);
            fits = value_fits(w, j, buf_text(&value));
        }
        if (fits)
            matches_add(&m, row);
    }
    buf_fini(&value);
    return wished ? m : (struct matches){ .n = g->n, .index = { 0, 1 } };
}

/* A grid: the fitting points are the product of the fitting rows, so N does not matter. */
static struct matches match_grid(const struct study *s, const struct wish *w)
{
    struct matches all = { .n = 1 };

    for (size_t g = s->n_groups; g-- > 0;) {
        const struct group *group = &s->groups[g];
        struct matches m = match_group(s, group, w);
        if (all.n == 1 && m.n > 1)
            all.index[1] = all.index[0] + m.index[1] * group->stride;
        else
            all.index[1] += m.index[0] * group->stride;
        all.index[0] += m.index[0] * group->stride;
        all.n *= m.n;
    }
    return all;
}

static struct matches match_samples(const struct study *s, const struct wish *w)
{
    struct matches all = { 0 };
    struct point p;

    point_init(&p);
    for (uint64_t k = 0; k < s->n_samples; k++) {
        bool fits = true;
        study_point(s, k * s->words.reps, &p);
        for (size_t j = 0; j < p.n && fits; j++)
            fits = value_fits(w, j, p.values[j]);
        if (fits)
            matches_add(&all, k);
    }
    point_fini(&p);
    return all;
}

static void match(const struct study *s, const struct wish *w, struct matches *m)
{
    uint64_t reps = s->words.reps;

    *m = s->design == DESIGN_GRID ? match_grid(s, w) : match_samples(s, w);
    for (int k = 0; k < 2; k++)
        m->index[k] = m->index[k] * reps + w->rep;
    if (w->rep_given) {
        m->n = w->rep < reps ? m->n : 0;
    } else if (reps > 1) {
        if (m->n == 1)
            m->index[1] = m->index[0] + 1;
        m->n *= reps;
    }
}

static enum err say_several(const struct study *s, const struct wish *w, const char *text,
                            const struct matches *m, struct fault *f)
{
    struct buf labels[2] = { { 0 }, { 0 } }, missing = { 0 };
    struct point p;

    point_init(&p);
    for (int k = 0; k < 2; k++) {
        study_point(s, m->index[k], &p);
        study_point_label(s, &p, &labels[k]);
    }
    for (size_t j = 0; j < s->n_factors; j++) {
        if (!w->values[j])
            buf_addf(&missing, "%s%s", missing.n ? ", " : "", s->factors[j].name);
    }
    if (s->words.reps > 1 && !w->rep_given)
        buf_addf(&missing, "%srep", missing.n ? ", " : "");
    if (missing.n == 0)
        buf_adds(&missing, "the index instead");
    enum err err = fault_set(f, ERR_USAGE,
                             "%" PRIu64 " points have %s, for example %" PRIu64
                             " (%.200s) and %" PRIu64 " (%.200s); give also %s",
                             m->n, CLIP(text), m->index[0], buf_text(&labels[0]), m->index[1],
                             buf_text(&labels[1]), buf_text(&missing));
    buf_fini(&labels[0]);
    buf_fini(&labels[1]);
    buf_fini(&missing);
    point_fini(&p);
    return err;
}

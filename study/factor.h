#ifndef GRANGE_STUDY_FACTOR_H
#define GRANGE_STUDY_FACTOR_H
/* factor - one factor with the generator of its values, and groups of factors that move together.
 *
 *   T=280:320:10            inclusive range, step 1 when not given, also downwards
 *   n=1,2,4                 list; an item may be quoted as in CSV: "a,b"
 *   k=lin(0,1,11)  k=log(1e-3,1e-1,5)     evenly spaced, endpoints included
 *   seed=@file              a value a line
 *   @points.csv             table; its header names factors
 *   (a=1,2,3 + b=x,y,z)     zipped; any of the above inside
 *   T=280..320  k=log:1e-3..1e-1          continuous, for sampled designs
 *
 * Ranges are not expanded. Lists keep the spelling that was given. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "study/arena.h"
#include "study/decimal.h"

enum gen_kind { GEN_LIST, GEN_RANGE, GEN_LIN, GEN_LOG, GEN_SPAN, GEN_LOG_SPAN };

struct gen {
    enum gen_kind kind;
    uint64_t n;                 /* values; 0 for a span */
    bool numeric;               /* every value is a decimal number */
    const char **values;        /* GEN_LIST */
    struct decimal_range range; /* GEN_RANGE */
    double from, to;            /* all but GEN_LIST and GEN_RANGE */
    const char *first, *last;   /* the same as spelled */
};

struct factor {
    const char *name;
    struct gen gen;
    bool used; /* by a placeholder */
};

struct group {
    size_t first, n_factors; /* in the study's factors */
    uint64_t n;              /* values; 0 for a continuous factor */
    uint64_t stride;         /* points of a grid between two values of the group */
    uint64_t key;            /* what a sampled design draws from */
};

struct file_reader;

/* gen_parse - what stands behind `NAME=`; gen_take_values makes a list of given values (copied).
 * Both check the values; `what` says whose they are in messages: "factor 'T'", "list 1". */
enum err gen_parse(struct arena *a, const struct file_reader *reader, const char *what,
                   const char *text, struct gen *g, struct fault *f);
enum err gen_take_values(struct arena *a, const char *what, const char *const *values, uint64_t n,
                         struct gen *g, struct fault *f);

/* gen_add - value i < n; gen_add_share - the value at the share u of a span, 0 <= u < 1. */
void gen_add(const struct gen *g, uint64_t i, struct buf *out);
void gen_add_share(const struct gen *g, double u, struct buf *out);
static inline bool gen_is_span(const struct gen *g)
{
    return g->kind >= GEN_SPAN;
}

/* struct factors - being collected. factors_add parses one word, factors_add_list takes one
 * positional list, named 1, 2, ... in order. Files are read with `read`, which sets *f itself. */
struct file_reader {
    enum err (*read)(void *context, const char *path, const char **data, size_t *n,
                     struct fault *f);
    void *context;
};
struct factors {
    struct arena *arena;
    struct file_reader reader;
    struct factor *factors;
    struct group *groups;
    size_t n_factors, n_groups, n_lists;
};
void factors_init(struct factors *c, struct arena *a, struct file_reader reader);
enum err factors_add(struct factors *c, const char *text, struct fault *f);
enum err factors_add_list(struct factors *c, const char *const *values, struct fault *f);

/* factor_add_item - appends one literal value as an item of a list, quoted when it must be. So
 * "n=" followed by such items with commas between gives exactly these values. A list of a single
 * value that looks like something else (1:3, lin(0,1,2), @x) is quoted too. */
void factor_add_item(struct buf *out, const char *value);

#endif

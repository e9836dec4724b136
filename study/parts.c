/* What others may ask about a study. */
#include "base/must.h"
#include "study/impl.h"

const struct words *study_words(const struct study *s)
{
    return &s->words;
}

const char *study_name(const struct study *s)
{
    return s->words.name;
}

const struct policy *study_policy(const struct study *s)
{
    return &s->policy;
}

const char *study_where(const struct study *s)
{
    return s->words.where;
}

const char *study_function(const struct study *s)
{
    return s->words.function;
}

const char *study_cwd(const struct study *s)
{
    return s->words.cwd;
}

uint64_t study_n_points(const struct study *s)
{
    return s->n_points;
}

size_t study_n_factors(const struct study *s)
{
    return s->n_factors;
}

const char *study_factor_name(const struct study *s, size_t j)
{
    must(j < s->n_factors);
    return s->factors[j].name;
}

size_t study_longest_first(const struct study *s)
{
    return s->longest_first ? s->longest_first - 1 : SIZE_MAX;
}

bool study_in_order(const struct study *s)
{
    return s->words.shuffle < 0;
}

bool study_factor_numeric(const struct study *s, size_t j)
{
    must(j < s->n_factors);
    return s->factors[j].gen.numeric;
}

bool study_factor_used(const struct study *s, size_t j)
{
    must(j < s->n_factors);
    return s->factors[j].used;
}

uint32_t study_reps(const struct study *s)
{
    return s->words.reps;
}

size_t study_n_metrics(const struct study *s)
{
    return s->words.n_metrics;
}

const char *study_metric_name(const struct study *s, size_t k)
{
    must(k < s->words.n_metrics);
    return metric_name(s->metrics[k]);
}

const char *study_metric_text(const struct study *s, size_t k)
{
    must(k < s->words.n_metrics);
    return metric_text(s->metrics[k]);
}

size_t study_n_inputs(const struct study *s)
{
    return s->words.n_inputs;
}

const char *study_input_name(const struct study *s, size_t k)
{
    must(k < s->words.n_inputs);
    return s->inputs[k].name;
}

bool study_needs_dir(const struct study *s)
{
    for (size_t k = 0; k < s->words.n_metrics; k++) {
        if (metric_needs_dir(s->metrics[k]))
            return true;
    }
    return s->words.n_inputs > 0 || s->words.keeps_dirs || (s->uses & TEMPLATE_USES_OUT);
}

bool study_runs_in_dir(const struct study *s)
{
    return s->words.n_inputs > 0;
}

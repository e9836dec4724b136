#include "cli/look.h"

#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/keys.h"
#include "store/filter.h"

static enum err check_only_one(struct look *l, struct fault *f);

static void values_of(void *ctx, uint64_t index, struct buf *json)
{
    const struct look *l = ctx;
    struct point p;

    point_init(&p);
    study_point(l->study, index, &p);
    point_values_json(&p, json);
    point_fini(&p);
}

enum err look_open(struct look *l, const char *dir, const char *name, struct fault *f)
{
    *l = (struct look){ .dir = dir };
    enum err err = reader_open(dir, &l->reader, f);
    if (!err && !name)
        err = check_only_one(l, f);
    if (!err)
        err = reader_study(l->reader, name, &l->row, f);
    if (err || look_of_calls(l))
        return err;
    err = study_from_json(l->row.array.spec, l->row.array.spec_bytes, &l->study, f);
    if (err)
        return err;
    late_metrics(&l->late, l->study, l->dir, l->reader);
    reader_values(l->reader, values_of, l);
    return ERR_NONE;
}

enum err look_calls(struct look *l, const char *dir, const char *name, bool *calls, struct fault *f)
{
    *l = (struct look){ .dir = dir };
    enum err err = reader_open(dir, &l->reader, f);
    if (err)
        return err;
    err = reader_study(l->reader, name, &l->row, f);
    *calls = !err && look_of_calls(l);
    return err == ERR_NOT_FOUND && name ? ERR_NONE : err;
}

void look_close(struct look *l)
{
    filter_free(l->filter);
    study_free(l->study);
    reader_study_fini(&l->row);
    reader_close(l->reader);
    *l = (struct look){ 0 };
}

const struct fault *look_needs_farm(const struct look *l, struct fault *f)
{
    struct buf flag = { 0 };
    cli_dir_flag(l->dir, &flag);
    fault_set(
        f, ERR_STATE,
        "%s is a study of calls, and no farm is up that could run them; start one, which goes "
        "on with it: grange up%s",
        l->row.name, buf_text(&flag));
    buf_fini(&flag);
    return f;
}

enum err look_task(struct look *l, const char *text, task_id *task, struct fault *f)
{
    uint64_t index = 0;
    struct keys keys = { 0 };
    const struct key *key = NULL;
    if (!look_of_calls(l)) {
        enum err err = study_find(l->study, text, &index, f);
        task->n = l->row.array.first.n + index;
        return err;
    }
    enum err err = keys_read(l, &keys, f);
    if (!err)
        err = keys_find(&keys, l->row.name, text, &key, &index, f);
    if (!err)
        task->n = key->first.n + index;
    keys_fini(&keys);
    return err;
}

/* ---- which study ---- */

struct names {
    struct buf all;
    unsigned n, more;
};

static enum err add_name(void *ctx, const struct reader_study *s, struct fault *f)
{
    struct names *names = ctx;
    (void)f;
    names->n++;
    if (names->all.n < NAMES_SHOWN_BYTES)
        buf_addf(&names->all, "%s%s", names->all.n ? ", " : "", s->name);
    else
        names->more++;
    return ERR_NONE;
}

static enum err check_only_one(struct look *l, struct fault *f)
{
    struct names names = { 0 };
    enum err err = reader_studies(l->reader, add_name, &names, f);
    if (names.more)
        buf_addf(&names.all, " and %u more: `grange status` lists them", names.more);
    if (!err && names.n > 1)
        err = fault_set(f, ERR_USAGE, "which study? %s has: %.600s", l->dir, names.all.data);
    buf_fini(&names.all);
    return err;
}

/* ---- points that --where leaves out ---- */

static enum err make_filter(struct look *l, struct fault *f)
{
    const char *names[FACTORS_MAX + 1];
    size_t n = study_n_factors(l->study);
    for (size_t j = 0; j < n; j++)
        names[j] = study_factor_name(l->study, j);
    names[n] = "rep";
    return filter_new(study_where(l->study), names, n + 1, &l->filter, f);
}

enum err look_left_out(struct look *l, const struct point *p, bool *out, struct fault *f)
{
    *out = false;
    if (!study_where(l->study))
        return ERR_NONE;
    enum err err = l->filter ? ERR_NONE : make_filter(l, f);
    const char *values[FACTORS_MAX + 1];
    char rep[16];
    bool keep = true;
    memcpy(values, p->values, p->n * sizeof *values);
    snprintf(rep, sizeof rep, "%u", p->rep);
    values[p->n] = rep;
    if (!err)
        err = filter_keep(l->filter, values, &keep, f);
    *out = !keep;
    return err;
}

enum err look_count_left_out(struct look *l, uint64_t *n, struct fault *f)
{
    *n = 0;
    if (!study_where(l->study))
        return ERR_NONE;
    enum err err = ERR_NONE;
    struct point p;
    point_init(&p);
    for (uint64_t i = 0; i < study_n_points(l->study) && !err; i++) {
        bool out = false;
        study_point(l->study, i, &p);
        err = look_left_out(l, &p, &out, f);
        *n += out;
    }
    point_fini(&p);
    return err;
}

void look_point_dir(const struct look *l, const struct point *p, struct buf *out)
{
    buf_addf(out, "%s/points/%s/", l->dir, study_name(l->study));
    study_point_dirname(l->study, p, out);
}

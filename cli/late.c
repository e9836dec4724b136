#include "cli/late.h"

#include <string.h>

#include "cli/cli.h"
#include "cli/stream.h"

/* Where files of a point are looked for that has no directory: nowhere. */
static const char no_dir[] = "/dev/null";

static void find(void *ctx, const struct end_body *body, struct buf *json)
{
    const struct late_metrics *l = ctx;
    struct stream out = stream_of(body, false), err = stream_of(body, true);
    struct buf out_bytes = { 0 }, err_bytes = { 0 }, dir = { 0 };

    stream_read(&out, l->dir, &out_bytes);
    stream_read(&err, l->dir, &err_bytes);
    if (body->dir && body->dir[0])
        (void)kept_path(body->dir, l->dir, &dir);
    else
        buf_adds(&dir, no_dir);
    struct streams streams = { .out = buf_text(&out_bytes),
                               .err = buf_text(&err_bytes),
                               .out_bytes = out_bytes.n,
                               .err_bytes = err_bytes.n };
    (void)study_metrics(l->study, dir.data, &streams, json);
    buf_fini(&out_bytes);
    buf_fini(&err_bytes);
    buf_fini(&dir);
}

void late_metrics(struct late_metrics *l, const struct study *s, const char *dir, struct reader *r)
{
    size_t n = study_n_metrics(s);

    l->study = s;
    l->dir = dir;
    for (size_t k = 0; k < n; k++)
        l->names[k] = study_metric_name(s, k);
    reader_late(r, l->names, n, n ? find : NULL, l);
}

static void say_changed(const struct study *s, const struct study *old)
{
    for (size_t k = 0; k < study_n_metrics(s); k++)
        for (size_t j = 0; j < study_n_metrics(old); j++)
            if (strcmp(study_metric_name(s, k), study_metric_name(old, j)) == 0 &&
                strcmp(study_metric_text(s, k), study_metric_text(old, j)) != 0)
                cli_say("metric '%s' is written otherwise than before: points that have a value of "
                        "it keep that; give it a new name to have it read again",
                        study_metric_name(s, k));
}

void late_changed(const struct study *s, const char *dir)
{
    struct reader *r = NULL;
    struct reader_study row = { 0 };
    struct study *old = NULL;
    struct fault f;

    if (study_n_metrics(s) == 0 || reader_open(dir, &r, &f) != ERR_NONE)
        return;
    if (reader_study(r, study_name(s), &row, &f) == ERR_NONE &&
        study_from_json(row.array.spec, row.array.spec_bytes, &old, &f) == ERR_NONE)
        say_changed(s, old);
    study_free(old);
    reader_study_fini(&row);
    reader_close(r);
}

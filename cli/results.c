/* results - the verb `grange results`: a row a point that has ended. */
#include "cli/cli.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"
#include "cli/far.h"
#include "cli/look.h"
#include "cli/lookargs.h"
#include "cli/newfile.h"
#include "cli/progress.h"
#include "cli/rows.h"
#include "cli/terminal.h"

enum { OPT_WHERE = 400, OPT_SORT };

struct results_args {
    struct look_args look;
    const char *file, *where, *sort;
    int format; /* enum rows_format, or -1: from the name of the file, else a table */
};

static int format_of(const char *name)
{
    for (int i = 0; i < N_ROWS_FORMATS; i++)
        if (strcmp(rows_format_name((enum rows_format)i), name) == 0)
            return i;
    return -1;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct results_args *a = state->input;
    switch (key) {
    case 'J':
        a->format = ROWS_JSON;
        return 0;
    case 'f':
        a->format = format_of(arg);
        return a->format >= 0 ? 0 : cli_bad("--format: '%s' is none of table, csv, json", arg);
    case 'o':
        a->file = arg;
        return 0;
    case OPT_WHERE:
        a->where = arg;
        return 0;
    case OPT_SORT:
        a->sort = arg;
        return 0;
    default:
        return lookargs_option(key, arg, &a->look);
    }
}

static const struct argp_option options[] = {
    WHERE_ROWS(0),
    { "format", 'f', "table|csv|json", 0,
      "how it is written (default table, with -o by the name of the file)", 0 },
    { "output", 'o', "FILE", 0, "write to FILE, which is replaced once all of it is written", 0 },
    { "where", OPT_WHERE, "EXPR", 0,
      "only rows for which this is true: SQLite's expressions over the columns", 0 },
    { "sort", OPT_SORT, "COLUMN", 0, "in the order of a column; -COLUMN descends (default: point)",
      0 },
    { "json", 'J', 0, 0, "the same as --format json", 0 },
    { 0 }
};

static const struct argp argp = {
    options,
    parse,
    "[STUDY]",
    "A row for each point of the study that has ended: its index, its factors, its metrics, and "
    "how "
    "it ended. Of calls that a program made: key, index, how each ended, and what it gave back "
    "where "
    "that is text. STUDY may be left out when there is only one. Numbers are in the spelling that "
    "they were given or printed in; what is empty (in JSON: null) has no value. On a terminal long "
    "texts "
    "of a table are cut.\n"
    "\v"
    "EXAMPLES\n"
    "  grange results sim\n"
    "  grange results sim --format csv -o sim.csv\n"
    "  grange results sim --where 'T > 290 and energy is not null' --sort -energy\n"
    "  grange results sim --where \"state = 'failed'\"\n"
    "  grange results sim --json | jq '.[].energy'\n",
    0,
    0,
    0
};

/* While rows come. */
struct output {
    const struct results_args *args;
    const struct study *study; /* NULL: of calls */
    FILE *to;
    unsigned fit; /* columns of the terminal, 0: it is none */
    struct rows rows;
    char **names; /* [n], copied: JSON needs them with every row */
    size_t n, state;
    uint64_t *missing; /* [n] rows of points that are done and have no value there */
    bool *metric;      /* [n] */
    uint64_t n_done;
};

static enum err begin(struct output *o, size_t n, const char *const *names)
{
    o->n = n;
    o->names = calloc(n + 1, sizeof *o->names);
    o->missing = calloc(n + 1, sizeof *o->missing);
    o->metric = calloc(n + 1, sizeof *o->metric);
    must(o->names && o->missing && o->metric);
    o->state = n;
    for (size_t i = 0; i < n; i++) {
        o->names[i] = strdup(names[i]);
        must(o->names[i]);
        if (strcmp(names[i] + strspn(names[i], "_"), "state") == 0)
            o->state = i; /* the last such column is ours: factors and metrics come before it */
        for (size_t k = 0; o->study && k < study_n_metrics(o->study); k++)
            if (strcmp(names[i], study_metric_name(o->study, k)) == 0)
                o->metric[i] = true;
    }
    rows_begin(&o->rows, (enum rows_format)o->args->format, o->to, o->fit, n,
               (const char *const *)o->names);
    return ERR_NONE;
}

static enum err on_row(void *ctx, size_t n, const char *const *names, const char *const *cells,
                       const bool *number, struct fault *f)
{
    struct output *o = ctx;
    if (!cells)
        return begin(o, n, names);
    rows_add(&o->rows, cells, number);
    if (ferror(o->to))
        return fault_set(f, errno == ENOSPC ? ERR_DISK_FULL : ERR_IO, "cannot write %s: %s",
                         o->args->file ? o->args->file : "to stdout", strerror(errno));
    bool done = o->state < n && cells[o->state] && strcmp(cells[o->state], "done") == 0;
    o->n_done += done;
    for (size_t i = 0; done && i < n; i++)
        o->missing[i] += o->metric[i] && !cells[i];
    return ERR_NONE;
}

/* ---- what a person should know about the table ---- */

static void note_missing(const struct output *o)
{
    for (size_t i = 0; i < o->n; i++)
        if (o->missing[i])
            cli_say("note: metric '%s' was not found in %" PRIu64 " of %" PRIu64
                    " points that are done",
                    o->names[i], o->missing[i], o->n_done);
}

static enum err note_left(struct look *l, struct fault *f)
{
    struct reader_counts c;
    uint64_t left_out = 0;
    enum err err = reader_counts(l->reader, &l->row, &c, f);
    if (!err && c.left && l->study)
        err = look_count_left_out(l, &left_out, f);
    if (err || c.left <= left_out)
        return err;
    struct buf left = { 0 }, all = { 0 };
    progress_count(c.left - left_out, &left);
    progress_count(c.n - left_out, &all);
    cli_say("note: %s of %s %s have not ended yet", left.data, all.data,
            look_of_calls(l) ? "calls" : "points");
    buf_fini(&left);
    buf_fini(&all);
    return ERR_NONE;
}

static enum err write_rows(struct look *l, struct output *o, struct fault *f)
{
    struct newfile file = { 0 };
    struct fault unused;
    enum err err = o->args->file ? newfile_open(&file, o->args->file, f) : ERR_NONE;
    if (err)
        return err;
    o->to = o->args->file ? file.to : stdout;
    o->fit = o->args->file ? 0 : terminal_width(STDOUT_FILENO);
    err = reader_results(l->reader, &l->row, o->args->where, o->args->sort, on_row, o, f);
    rows_end(&o->rows);
    if (!err && !o->args->file && fflush(stdout) != 0)
        err = fault_set(f, ERR_IO, "cannot write to stdout: %s", strerror(errno));
    enum err closed = newfile_close(&file, !err, err ? &unused : f);
    return err ? err : closed;
}

static void choose_format(struct results_args *a)
{
    const char *dot = a->file ? strrchr(a->file, '.') : NULL;
    if (a->format < 0)
        a->format = dot ? format_of(dot + 1) : ROWS_TABLE;
    if (a->format < 0)
        a->format = ROWS_TABLE;
}

static void add_option(struct buf *out, const char *name, const char *value)
{
    buf_addf(out, "--%s=%s", name, value);
}

static int results_far(const struct results_args *a, const struct where *w)
{
    struct buf texts[3] = { 0 };
    const char *given[3];
    struct client_look what = { .verb = "results",
                                .options = given,
                                .words = &a->look.study,
                                .n_words = a->look.study != NULL };
    struct newfile file = { 0 };
    struct fault f, unused;
    int code = CLI_OK;
    add_option(&texts[0], "format", rows_format_name((enum rows_format)a->format));
    what.n_options = 1;
    if (a->where)
        add_option(&texts[what.n_options++], "where", a->where);
    if (a->sort)
        add_option(&texts[what.n_options++], "sort", a->sort);
    for (size_t i = 0; i < what.n_options; i++)
        given[i] = buf_text(&texts[i]);
    enum err err = a->file ? newfile_open(&file, a->file, &f) : ERR_NONE;
    if (!err && !a->file)
        code = far_print(w, &what);
    else if (!err)
        err = far_look(w, &what, far_page, file.to, &code, &f);
    if (newfile_close(&file, !err && code == CLI_OK, err ? &unused : &f) && !err)
        err = f.code;
    for (size_t i = 0; i < 3; i++)
        buf_fini(&texts[i]);
    return err ? cli_fail(&f) : code;
}

static int results_main(int argc, char **argv)
{
    struct results_args a = { .format = -1 };
    int rc = cli_parse(&verb_results, argc, argv, &a);
    if (rc >= 0)
        return rc;
    const struct where *w;
    rc = where_of(&a.look.at, &w);
    if (rc >= 0)
        return rc;
    a.look.dir = w->dir;
    choose_format(&a);
    if (!w->dir[0])
        return results_far(&a, w);
    struct look l;
    struct fault f;
    struct output o = { .args = &a };
    enum err err = look_open(&l, a.look.dir, a.look.study, &f);
    o.study = l.study;
    if (!err)
        err = write_rows(&l, &o, &f);
    if (!err)
        err = note_left(&l, &f);
    if (!err)
        note_missing(&o);
    for (size_t i = 0; i < o.n; i++)
        free(o.names[i]);
    free(o.names);
    free(o.missing);
    free(o.metric);
    look_close(&l);
    return err ? cli_fail(&f) : CLI_OK;
}

const struct verb verb_results = {
    .name = "results",
    .summary = "the table: factors, metrics and how each point ended",
    .argp = &argp,
    .main = results_main,
};

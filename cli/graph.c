/* graph - the verb `grange graph`: what waits for what, as DOT or SVG, coloured by state. */
#include "cli/cli.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/must.h"
#include "cli/look.h"
#include "cli/progress.h"
#include "cli/stored.h"
#include "cli/where.h"

enum { GRAPH_POINTS_MAX = 2000 }; /* nodes that anybody can still look at; refused */

struct graph_args {
    struct where_args at;
    const char *dir, *study, *out;
    bool points;
};

enum { OPT_POINTS = 400 };

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct graph_args *a = state->input;
    switch (key) {
    case 'o':
        a->out = arg;
        return 0;
    case OPT_POINTS:
        a->points = true;
        return 0;
    case ARGP_KEY_ARG:
        if (a->study)
            return cli_bad("one study at most; '%s' and '%s' were given", a->study, arg);
        a->study = arg;
        return 0;
    default:
        return where_option(key, arg, &a->at);
    }
}

static const struct argp_option options[] = {
    WHERE_ROWS(0),
    { "output", 'o', "FILE", 0, "write there: FILE.svg is a picture (by graphviz's dot), else DOT",
      0 },
    { "points", OPT_POINTS, 0, 0, "a node for each point, not only for each stage", 0 },
    { 0 },
};

static const struct argp argp = {
    options,
    parse,
    "[STUDY]",
    "The stages of a study file and what they wait for, coloured by state: green has succeeded, "
    "red "
    "has failed, blue runs, yellow was cancelled or skipped, white is still to be done. DOT goes "
    "to "
    "stdout or a file; a picture needs the program dot (Debian: graphviz).\n"
    "\v"
    "EXAMPLES\n"
    "  grange graph wing -o wing.svg\n"
    "  grange graph wing --points | dot -Tpdf -o wing.pdf\n",
    0,
    0,
    0
};

/* ---- one stage ---- */

/* Colours that differ for the colour-blind too (Okabe and Ito's set, lightened). */
static const char *colour(uint64_t done, uint64_t failed, uint64_t running, uint64_t skipped,
                          uint64_t left)
{
    if (failed)
        return "#f0a080"; /* vermilion */
    if (running)
        return "#9ecdf0"; /* sky blue */
    if (skipped)
        return "#f5e690";                         /* yellow */
    return left || !done ? "#ffffff" : "#8fd6bd"; /* bluish green */
}

static void add_quoted(const char *text, struct buf *out)
{
    buf_addc(out, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            buf_addc(out, '\\');
        if (*text != '\n')
            buf_addc(out, *text);
        else
            buf_adds(out, "\\n");
    }
    buf_addc(out, '"');
}

static void add_count(uint64_t n, const char *word, struct buf *out)
{
    if (!n)
        return;
    buf_addc(out, '\n');
    progress_count(n, out);
    buf_addf(out, " %s", word);
}

static void add_node(const char *id, const char *label, const char *fill, struct buf *out)
{
    buf_adds(out, "  ");
    add_quoted(id, out);
    buf_adds(out, " [label=");
    add_quoted(label, out);
    buf_addf(out, ", fillcolor=\"%s\"]\n", fill);
}

static enum err add_stage(struct look *l, const char *stage, struct buf *out, struct fault *f)
{
    struct reader_counts c;
    struct buf label = { 0 };
    uint64_t left_out = 0;
    enum err err = reader_counts(l->reader, &l->row, &c, f);
    if (!err)
        err = look_count_left_out(l, &left_out, f);
    if (err)
        return err;
    uint64_t failed = c.failed + c.quarantined, skipped = c.cancelled + c.unmet;
    uint64_t waiting = c.left > c.running + left_out ? c.left - c.running - left_out : 0;
    buf_adds(&label, stage);
    add_count(c.done, "done", &label);
    add_count(failed, "failed", &label);
    add_count(c.running, "running", &label);
    add_count(c.cancelled, "cancelled", &label);
    add_count(c.unmet, "skipped", &label);
    add_count(waiting, "left", &label);
    add_node(study_name(l->study), buf_text(&label),
             colour(c.done, failed, c.running, skipped, waiting), out);
    buf_fini(&label);
    return ERR_NONE;
}

static void add_label(const struct after *a, struct buf *out)
{
    static const char *const on[N_AFTER_ON] = { "", "failure", "either" };
    struct buf words = { 0 };

    buf_adds(&words, a->each ? "each" : a->any ? "any" : "");
    if (*on[a->on])
        buf_addf(&words, "%s%s", words.n ? " " : "", on[a->on]);
    if (words.n) {
        buf_adds(out, " [label=");
        add_quoted(buf_text(&words), out);
        buf_addc(out, ']');
    }
    buf_fini(&words);
}

static void add_stage_edges(const struct study *s, struct buf *out)
{
    for (size_t k = 0; k < study_n_after(s); k++) {
        const struct after *a = study_after(s, k);
        buf_adds(out, "  ");
        add_quoted(a->study, out);
        buf_adds(out, " -> ");
        add_quoted(study_name(s), out);
        add_label(a, out);
        buf_addc(out, '\n');
    }
}

/* ---- its points ---- */

static void point_node(const char *study, uint64_t i, struct buf *out)
{
    buf_clear(out);
    buf_addf(out, "%s/%" PRIu64, study, i);
}

static enum err add_points(struct look *l, const char *stage, struct buf *out, struct fault *f)
{
    uint64_t n = study_n_points(l->study);
    uint8_t *states = calloc(n, 1);
    struct buf id = { 0 }, label = { 0 };
    struct point p;

    must(states != NULL);
    point_init(&p);
    enum err err = reader_states(l->reader, &l->row, states, f);
    for (uint64_t i = 0; i < n && !err; i++) {
        bool left_out = false;
        study_point(l->study, i, &p);
        err = look_left_out(l, &p, &left_out, f);
        if (err || left_out)
            continue;
        point_node(study_name(l->study), i, &id);
        buf_clear(&label);
        buf_addf(&label, "%s\n", stage);
        study_point_label(l->study, &p, &label);
        enum task_state s = (enum task_state)states[i];
        add_node(buf_text(&id), buf_text(&label),
                 colour(s == TASK_DONE, s == TASK_FAILED || s == TASK_QUARANTINED, s == TASK_LEASED,
                        task_state_ended(s) && s != TASK_DONE, !task_state_ended(s)),
                 out);
    }
    point_fini(&p);
    buf_fini(&id);
    buf_fini(&label);
    free(states);
    return err;
}

static void add_edge(const char *from, const char *to, struct buf *out)
{
    buf_adds(out, "  ");
    add_quoted(from, out);
    buf_adds(out, " -> ");
    add_quoted(to, out);
    buf_addc(out, '\n');
}

static uint64_t points_of(const struct stages *st, const char *study)
{
    for (size_t i = 0; i < st->n; i++)
        if (strcmp(study_name(st->items[i]), study) == 0)
            return study_n_points(st->items[i]);
    return 0;
}

/* Whole stages that wait for each other meet in a point between them, not in n times m edges. */
static void add_point_edges(const struct stages *st, const struct study *s, struct buf *out)
{
    struct buf from = { 0 }, to = { 0 }, gate = { 0 };

    for (size_t k = 0; k < study_n_after(s); k++) {
        const struct after *a = study_after(s, k);
        uint64_t n = points_of(st, a->study), m = study_n_points(s);
        buf_clear(&gate);
        buf_addf(&gate, "%s -> %s", a->study, study_name(s));
        if (!a->each) {
            buf_adds(out, "  ");
            add_quoted(buf_text(&gate), out);
            buf_adds(out, " [shape=point]\n");
        }
        for (uint64_t i = 0; i < n; i++) {
            point_node(a->study, i, &from);
            point_node(study_name(s), i, &to);
            add_edge(buf_text(&from), buf_text(a->each ? &to : &gate), out);
        }
        for (uint64_t i = 0; i < m && !a->each; i++) {
            point_node(study_name(s), i, &to);
            add_edge(buf_text(&gate), buf_text(&to), out);
        }
    }
    buf_fini(&from);
    buf_fini(&to);
    buf_fini(&gate);
}

/* ---- all ---- */

static enum err check_size(const struct stages *st, struct fault *f)
{
    uint64_t n = 0;
    for (size_t i = 0; i < st->n; i++)
        n += study_n_points(st->items[i]);
    if (n > GRAPH_POINTS_MAX)
        return fault_set(f, ERR_LIMIT,
                         "%" PRIu64 " points are too many to draw, the limit is %d; leave out "
                         "--points to see the stages",
                         n, GRAPH_POINTS_MAX);
    return ERR_NONE;
}

static enum err draw_stage(const struct graph_args *a, const struct stages *st, size_t i,
                           struct buf *out, struct fault *f)
{
    const struct study *s = st->items[i];
    const char *stage = study_name(s);
    struct look l;

    if (st->staged)
        stage += strlen(st->name) + 1;
    enum err err = look_open(&l, a->dir, study_name(s), f);
    if (!err)
        err = a->points ? add_points(&l, stage, out, f) : add_stage(&l, stage, out, f);
    look_close(&l);
    if (a->points)
        add_point_edges(st, s, out);
    else
        add_stage_edges(s, out);
    return err;
}

static enum err draw(const struct graph_args *a, const struct stages *st, struct buf *out,
                     struct fault *f)
{
    enum err err = a->points ? check_size(st, f) : ERR_NONE;

    buf_adds(out, "digraph ");
    add_quoted(st->staged ? st->name : study_name(st->items[0]), out);
    buf_adds(out, " {\n  rankdir=LR\n  node [shape=box, style=\"filled,rounded\", "
                  "fontname=\"sans-serif\", fontsize=11]\n  edge [fontname=\"sans-serif\", "
                  "fontsize=10]\n");
    for (size_t i = 0; i < st->n && !err; i++)
        err = draw_stage(a, st, i, out, f);
    buf_adds(out, "}\n");
    return err;
}

static enum err write_to(FILE *file, const struct buf *dot, const char *where, struct fault *f)
{
    fwrite(dot->data, 1, dot->n, file);
    if (fflush(file) != 0 || ferror(file))
        return fault_set(f, errno == ENOSPC ? ERR_DISK_FULL : ERR_IO, "cannot write %s: %s", where,
                         strerror(errno));
    return ERR_NONE;
}

static enum err write_svg(const char *path, const struct buf *dot, struct fault *f)
{
    struct buf command = { 0 };

    buf_adds(&command, "command -v dot >/dev/null || exit 127; exec dot -Tsvg -o ");
    buf_add_sh(&command, path);
    FILE *pipe = popen(buf_text(&command), "we");
    buf_fini(&command);
    if (!pipe)
        return fault_set(f, ERR_IO, "cannot start dot: %s", strerror(errno));
    signal(SIGPIPE, SIG_IGN); /* where there is no dot its status tells */
    fwrite(dot->data, 1, dot->n, pipe);
    int status = pclose(pipe);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return fault_set(
            f, ERR_IO,
            "the program dot, which draws, is not here; install graphviz, or write DOT: "
            "grange graph -o %.*s.dot",
            (int)(strlen(path) - strlen(".svg")), path);
    if (status != 0)
        return fault_set(f, ERR_IO, "dot could not draw %s", path);
    return ERR_NONE;
}

static enum err put(const struct graph_args *a, const struct buf *dot, struct fault *f)
{
    size_t n = a->out ? strlen(a->out) : 0;

    if (!a->out)
        return write_to(stdout, dot, "the graph", f);
    if (n > 4 && strcmp(a->out + n - 4, ".svg") == 0)
        return write_svg(a->out, dot, f);
    FILE *file = fopen(a->out, "we");
    if (!file)
        return fault_set(f, ERR_IO, "cannot write '%s': %s", a->out, strerror(errno));
    enum err err = write_to(file, dot, a->out, f);
    if (fclose(file) != 0 && !err)
        err = fault_set(f, ERR_IO, "cannot write '%s': %s", a->out, strerror(errno));
    return err;
}

static int graph_main(int argc, char **argv)
{
    struct graph_args a = { 0 };
    int rc = cli_parse(&verb_graph, argc, argv, &a);
    if (rc >= 0)
        return rc;
    rc = where_dir(&a.at, &a.dir);
    if (rc >= 0)
        return rc;
    struct stages stages;
    struct buf dot = { 0 };
    struct fault f;
    if (stored_studies(a.dir, a.study, &stages, &f))
        return cli_fail(&f);
    enum err err = draw(&a, &stages, &dot, &f);
    if (!err)
        err = put(&a, &dot, &f);
    stages_free(&stages);
    buf_fini(&dot);
    return err ? cli_fail(&f) : CLI_OK;
}

const struct verb verb_graph = {
    .name = "graph",
    .summary = "draw what waits for what, coloured by state",
    .argp = &argp,
    .main = graph_main,
};

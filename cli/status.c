/* status - the verb `grange status`: a line a study. */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"
#include "cli/control.h"
#include "cli/local.h"
#include "cli/look.h"
#include "cli/lookargs.h"
#include "cli/part.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "cli/unfit.h"

static error_t parse(int key, char *arg, struct argp_state *state)
{
    return lookargs_option(key, arg, state->input);
}

static const struct argp_option options[] = { WHERE_ROWS(0), CLI_OPTION_JSON, { 0 } };

static const struct argp argp = {
    options,
    parse,
    "[STUDY]",
    "A line a study: its points, how many are done, failed, running (those that have run for a "
    "second) and left, the time left, and its state: done, failed (all ended, not all succeeded), "
    "skipped (what it waits for failed), "
    "running, or stopped (points are left and nothing runs them, because it was interrupted, put "
    "on hold or halted, or no scheduler is there; grange resume STUDY). The time left is an "
    "estimate from the points that are done.\n"
    "\v"
    "EXAMPLES\n"
    "  grange status\n"
    "  grange status sim --json\n",
    0,
    0,
    0
};

/* What is said of one study. */
struct line {
    char name[NAME_BYTES_MAX + 1];
    struct reader_counts counts; /* n, left and skipped without and with what --where leaves out */
    uint64_t failed;             /* quarantined ones too */
    ms_t left_ms, submitted_ms;  /* left_ms negative: not known */
    const char *state;
    struct needs needs; /* of its points */
};

struct lines {
    const struct look_args *args;
    struct reader *reader;
    bool serves; /* a scheduler has the directory */
    struct line *items;
    size_t n;
    struct grange_farm *farm; /* as its scheduler knows it, once it was asked; NULL */
    bool asked;
};

static const char *ended_state(const struct line *l)
{
    return l->failed             ? "failed"
           : l->counts.cancelled ? "cancelled"
           : l->counts.unmet     ? "skipped"
                                 : "done";
}

static const char *state_of(const struct line *l, const struct reader_study *row, bool serves)
{
    if (l->counts.left == 0 && l->counts.running == 0)
        return ended_state(l);
    return serves && row->active ? "running" : "stopped";
}

/* Mean duration x points left / how many run at a time. */
static ms_t estimate_ms(const struct line *l, const struct policy *policy)
{
    const struct reader_counts *c = &l->counts;
    if (!c->n_wall)
        return -1;
    uint64_t cores = policy->needs.cores ? policy->needs.cores : 1,
             at_once = control_cores() / cores;
    if (c->running)
        at_once = c->running;
    double mean_us = (double)c->wall_us_sum / (double)c->n_wall;
    return (ms_t)(mean_us * (double)(c->left + c->running) / (double)(at_once ? at_once : 1) / 1e3);
}

static enum err count_left_out(struct lines *all, const struct reader_study *row, uint64_t *n,
                               struct fault *f)
{
    struct look l = { .dir = all->args->dir, .reader = all->reader };
    enum err err = study_from_json(row->array.spec, row->array.spec_bytes, &l.study, f);
    if (!err)
        err = look_count_left_out(&l, n, f);
    l.reader = NULL; /* borrowed */
    look_close(&l);
    return err;
}

static enum err add_study(void *ctx, const struct reader_study *row, struct fault *f)
{
    struct lines *all = ctx;
    uint64_t left_out = 0;
    if (all->args->study && strcmp(all->args->study, row->name) != 0)
        return ERR_NONE;
    all->items = realloc(all->items, (all->n + 1) * sizeof *all->items);
    must(all->items);
    struct line *l = &all->items[all->n];
    *l = (struct line){ .submitted_ms = row->submitted_ms };
    snprintf(l->name, sizeof l->name, "%s", row->name);
    enum err err = reader_counts(all->reader, row, &l->counts, f);
    if (!err && l->counts.left && row->array.kind == ARRAY_POINTS)
        err = count_left_out(all, row, &left_out, f);
    if (err)
        return err;
    struct reader_counts *c = &l->counts;
    if (!all->serves)
        c->running = 0; /* rows that a scheduler left behind */
    c->skipped += left_out;
    c->left -= left_out < c->left ? left_out : c->left;
    c->running = c->running < c->left ? c->running : c->left;
    c->left -= c->running;
    c->n -= c->skipped;
    l->failed = c->failed + c->quarantined;
    l->state = state_of(l, row, all->serves);
    l->needs = row->array.policy.needs;
    l->left_ms = c->left + c->running ? estimate_ms(l, &row->array.policy) : 0;
    all->n++;
    return ERR_NONE;
}

/* ---- printing ---- */

static void print_table(const struct lines *all)
{
    static const char *const headings[] = { "study",   "points", "done",      "failed",
                                            "running", "left",   "time left", "state" };
    static const bool number[] = { false, true, true, true, true, true, true, false };
    struct table t;
    struct buf texts[6] = { 0 };
    table_open(&t, stdout, terminal_width(STDOUT_FILENO), 8, headings);
    for (size_t i = 0; i < all->n; i++) {
        const struct line *l = &all->items[i];
        const uint64_t counts[] = { l->counts.n, l->counts.done, l->failed, l->counts.running,
                                    l->counts.left };
        const char *cells[8] = { l->name };
        for (size_t k = 0; k < 5; k++) {
            buf_clear(&texts[k]);
            progress_count(counts[k], &texts[k]);
            if (k == 1)
                part_warned(l->counts.warned, &texts[k]);
            cells[k + 1] = texts[k].data;
        }
        buf_clear(&texts[5]);
        if (l->left_ms > 0)
            progress_duration(l->left_ms, &texts[5]);
        cells[6] = texts[5].n ? texts[5].data : "-";
        cells[7] = l->state;
        table_row(&t, cells, number);
    }
    table_close(&t);
    for (size_t k = 0; k < 6; k++)
        buf_fini(&texts[k]);
}

static void print_json(const struct lines *all)
{
    printf("[");
    for (size_t i = 0; i < all->n; i++) {
        const struct line *l = &all->items[i];
        const struct reader_counts *c = &l->counts;
        printf("%s\n  {\"study\": \"%s\", \"points\": %" PRIu64 ", \"done\": %" PRIu64
               ", \"warned\": %" PRIu64 ", \"failed\": %" PRIu64 ", \"cancelled\": %" PRIu64
               ", \"quarantined\": %" PRIu64 ", \"skipped\": %" PRIu64 ", \"left_out\": %" PRIu64
               ", \"running\": %" PRIu64 ", \"left\": %" PRIu64,
               i ? "," : "", l->name, c->n, c->done, c->warned, c->failed, c->cancelled,
               c->quarantined, c->unmet, c->skipped, c->running, c->left);
        if (l->left_ms < 0)
            printf(", \"time_left_s\": null");
        else
            printf(", \"time_left_s\": %.3f", (double)l->left_ms / 1e3);
        printf(", \"submitted_ms\": %" PRId64 ", \"state\": \"%s\"}", l->submitted_ms, l->state);
    }
    printf(all->n ? "\n]\n" : "]\n");
}

static const struct grange_farm *ask(struct lines *all)
{
    if (!all->asked && !(all->farm = unfit_look(all->args->dir)))
        cli_say("the scheduler of %s does not answer just now; this is what its store says",
                all->args->dir);
    all->asked = true;
    return all->farm;
}

/* Studies that go on but can not: no worker has what their points need. */
static void say_unfit(struct lines *all)
{
    for (size_t i = 0; all->serves && i < all->n; i++) {
        const struct line *l = &all->items[i];
        struct buf why = { 0 };
        if (!l->counts.left || strcmp(l->state, "running") != 0 || !unfit_needs(&l->needs))
            continue;
        if (ask(all) && unfit_why(&l->needs, all->farm, clock_wall_ms(), &why))
            cli_say("%s: no worker that is connected can run its points: %s", l->name, why.data);
        buf_fini(&why);
    }
}

/* In the store a study is active that was interrupted without being able to say so; the scheduler
 * of another `grange run` holds it. */
static void ask_what_is_held(struct lines *all)
{
    for (size_t i = 0; all->serves && i < all->n; i++) {
        struct line *l = &all->items[i];
        if (strcmp(l->state, "running") != 0 || !ask(all))
            continue;
        for (size_t k = 0; k < all->farm->n_studies; k++) {
            const struct grange_farm_study *s = &all->farm->studies[k];
            if (s->state != GRANGE_ACTIVE && strcmp(s->name, l->name) == 0 &&
                part_to_do(&s->counts))
                l->state = "stopped";
        }
    }
}

static enum err look_near(struct lines *all, const char *dir, struct fault *f)
{
    all->serves = local_serves(dir);
    enum err err = reader_open(dir, &all->reader, f);
    if (!err)
        err = reader_studies(all->reader, add_study, all, f);
    if (!err && all->args->study && all->n == 0) { /* for its words */
        struct reader_study row = { 0 };
        err = reader_study(all->reader, all->args->study, &row, f);
        reader_study_fini(&row);
    }
    return err;
}

static int status_main(int argc, char **argv)
{
    struct look_args a = { 0 };
    int rc = cli_parse(&verb_status, argc, argv, &a);
    if (rc < 0)
        rc = lookargs_near(&a, "status", a.json ? "--json" : NULL);
    if (rc >= 0)
        return rc;
    struct lines all = { .args = &a };
    struct fault f;
    enum err err = look_near(&all, a.dir, &f);
    if (!err)
        ask_what_is_held(&all);
    if (!err && a.json)
        print_json(&all);
    else if (!err)
        print_table(&all);
    if (!err)
        say_unfit(&all);
    reader_close(all.reader);
    free(all.farm);
    free(all.items);
    return err ? cli_fail(&f) : CLI_OK;
}

const struct verb verb_status = {
    .name = "status",
    .summary = "a line a study: points, done, failed, running, left, time left",
    .argp = &argp,
    .main = status_main,
};

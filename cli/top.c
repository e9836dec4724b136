/* top - the verb `grange top`: the farm as it works. */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"
#include "cli/farm_view.h"
#include "cli/live.h"
#include "cli/pace.h"
#include "cli/part.h"
#include "cli/points.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "cli/where.h"

enum {
    LOOK_EVERY_MS = 500,
    STUDIES_SHOWN = 32, /* with a rate and their running points; the youngest that work */
    SLOW_SHOWN = 10,
    NEWS_WITHIN_MS = 300, /* of studies just followed, where there is one look only */
};

struct top_args {
    struct where_args at;
    struct where where;
};

/* What is known of a study beyond one look. */
struct shown {
    char name[NAME_BYTES_MAX + 1];
    struct pace pace;
    struct grange_progress news;
    bool followed;
};

struct top {
    const struct top_args *args;
    struct grange *g;
    struct shown studies[STUDIES_SHOWN];
    size_t n;
    struct pace pace; /* of the farm */
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct top_args *a = state->input;
    if (key == ARGP_KEY_ARG)
        return cli_bad("grange top takes no '%s'", arg);
    return where_option(key, arg, &a->at);
}

static const struct argp_option options[] = { WHERE_ROWS(0), { 0 } };

static const struct argp argp = {
    options,
    parse,
    "",
    "The farm as it works, drawn again twice a second: workers and slots, what waits, rates, "
    "studies, "
    "the points that run longest. q or Ctrl-C ends it. Where stdout is no terminal: once.\n"
    "\v"
    "EXAMPLES\n"
    "  grange top\n"
    "  grange top --farm lab\n"
    "  grange top > farm.txt\n",
    0,
    0,
    0
};

/* ---- what is known ---- */

static struct shown *find(struct top *t, const char *name)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->studies[i].name, name) == 0)
            return &t->studies[i];
    return NULL;
}

/* A study that works gets the place of one that does no longer. */
static struct shown *place_for(struct top *t, const struct grange_farm *farm)
{
    if (t->n < STUDIES_SHOWN)
        return &t->studies[t->n++];
    for (size_t i = 0; i < farm->n_studies; i++) {
        struct shown *s = find(t, farm->studies[i].name);
        if (s && farm->studies[i].state == GRANGE_ENDED)
            return s;
    }
    return NULL;
}

static void follow_new(struct top *t, const struct grange_farm *farm)
{
    for (size_t i = 0; i < farm->n_studies; i++) {
        const struct grange_farm_study *study = &farm->studies[i];
        if (study->state == GRANGE_ENDED || find(t, study->name))
            continue;
        struct shown *s = place_for(t, farm);
        if (!s)
            return;
        *s = (struct shown){ 0 };
        snprintf(s->name, sizeof s->name, "%s", study->name);
        pace_init(&s->pace);
        s->followed = grange_follow(t->g, s->name, REQUEST_MS) == GRANGE_OK;
    }
}

static void take_news(struct top *t, ms_t wait_ms)
{
    struct grange_progress p;
    while (grange_next(t->g, wait_ms, &p) == GRANGE_OK) {
        struct shown *s = find(t, p.name);
        if (s)
            s->news = p;
        wait_ms = 0;
    }
}

static void count_pace(struct top *t, const struct grange_farm *farm, ms_t now)
{
    uint64_t ended = 0;
    uint32_t busy = 0, slots = 0;
    for (size_t i = 0; i < farm->n_workers; i++) {
        slots += farm->workers[i].slots;
        busy += farm->workers[i].slots_busy;
        ended += farm->workers[i].n_ended;
    }
    pace_add(&t->pace, now, ended, busy, slots);
    for (size_t i = 0; i < farm->n_studies; i++) {
        struct shown *s = find(t, farm->studies[i].name);
        if (s)
            pace_add(&s->pace, now, part_ended(&farm->studies[i].counts), busy, slots);
    }
}

/* ---- as text ---- */

static void add_rate(double rate, struct buf *b)
{
    if (rate < 0)
        buf_addc(b, '-');
    else
        progress_rate(rate, b);
}

static void add_head(const struct top *t, const struct grange_farm *farm, ms_t now, unsigned width,
                     struct buf *b)
{
    uint32_t slots = 0, busy = 0, queued = 0, up = 0;
    uint64_t waiting = 0, blocked = 0;
    struct buf name = { 0 }, since = { 0 };
    for (size_t i = 0; i < farm->n_workers; i++) {
        up += farm->workers[i].state == GRANGE_WORKER_UP;
        slots += farm->workers[i].slots;
        busy += farm->workers[i].slots_busy;
        queued += farm->workers[i].queued;
    }
    for (size_t i = 0; i < farm->n_studies; i++) {
        waiting += farm->studies[i].counts.ready + farm->studies[i].counts.waiting;
        blocked += farm->studies[i].counts.blocked;
    }
    where_name(&t->args->where, &name);
    buf_adds(&since, ", up for ");
    progress_duration(clock_wall_ms() - farm->since_ms, &since);
    buf_addf(&since, ", %u %s\n", farm->n_clients, farm->n_clients == 1 ? "client" : "clients");
    terminal_cut(buf_text(&name), width > since.n ? width - since.n + 1 : name.n, b);
    buf_adds(b, buf_text(&since));
    buf_fini(&since);
    buf_addf(b, "workers %zu (%u up)   slots %u, %u busy (%.0f%%)   waiting ", farm->n_workers, up,
             slots, busy, slots ? 100.0 * busy / slots : 0.0);
    progress_count(waiting + queued, b);
    if (blocked) {
        buf_adds(b, "   blocked ");
        progress_count(blocked, b);
    }
    buf_adds(b, "   rate ");
    add_rate(pace_rate(&t->pace, now), b);
    buf_adds(b, "/s\n");
    buf_fini(&name);
}

static const char *state_of(const struct grange_farm_study *s)
{
    const struct grange_counts *c = &s->counts;
    if (s->state == GRANGE_ENDED)
        return c->failed + c->quarantined ? "failed"
               : c->cancelled             ? "cancelled"
               : c->unmet                 ? "skipped"
                                          : "done";
    return s->state == GRANGE_HELD ? "held" : s->state == GRANGE_HALTED ? "halted" : "running";
}

static void add_study(struct top *t, const struct grange_farm_study *s, ms_t now, struct table *to)
{
    static const bool number[] = { false, false, true, true, true, true, true, true, true, true };
    const struct grange_counts *c = &s->counts;
    const struct shown *known = find(t, s->name);
    const uint64_t counts[] = { part_points(c), c->done, c->failed + c->quarantined, c->running,
                                c->ready + c->waiting + c->blocked };
    struct buf texts[8] = { 0 };
    const char *cells[10] = { s->name, state_of(s) };
    buf_addf(&texts[0], "%d", s->priority);
    for (size_t i = 0; i < 5; i++)
        progress_count(counts[i], &texts[i + 1]);
    part_warned(c->warned, &texts[2]);
    add_rate(known ? pace_rate(&known->pace, now) : -1, &texts[6]);
    ms_t left_ms = known ? pace_left_ms(&known->pace, now, counts[3] + counts[4]) : -1;
    if (left_ms > 0)
        progress_duration(left_ms, &texts[7]);
    else
        buf_addc(&texts[7], '-');
    for (size_t i = 0; i < 8; i++)
        cells[i + 2] = texts[i].data;
    table_row(to, cells, number);
    for (size_t i = 0; i < 8; i++)
        buf_fini(&texts[i]);
}

/* Those that work first, then those that ended, the youngest first. */
static int by_interest(const void *a, const void *b)
{
    const struct grange_farm_study *x = a, *y = b;
    int ended = (x->state == GRANGE_ENDED) - (y->state == GRANGE_ENDED);
    if (ended)
        return ended;
    if (x->priority != y->priority)
        return x->priority > y->priority ? -1 : 1;
    if (x->submitted_ms != y->submitted_ms)
        return x->submitted_ms > y->submitted_ms ? -1 : 1;
    return strcmp(x->name, y->name);
}

static void add_studies(struct top *t, const struct grange_farm *farm, ms_t now, unsigned width,
                        struct buf *b)
{
    static const char *const headings[] = { "study",  "state",   "prio", "points", "done",
                                            "failed", "running", "left", "rate/s", "time left" };
    char *text = NULL;
    size_t n = 0;
    if (farm->n_studies == 0)
        return;
    struct grange_farm_study *sorted = calloc(farm->n_studies, sizeof *sorted);
    FILE *file = open_memstream(&text, &n);
    must(sorted && file);
    memcpy(sorted, farm->studies, farm->n_studies * sizeof *sorted);
    qsort(sorted, farm->n_studies, sizeof *sorted, by_interest);
    struct table to;
    table_open(&to, file, width, 10, headings);
    for (size_t i = 0; i < farm->n_studies && i < STUDIES_SHOWN; i++)
        add_study(t, &sorted[i], now, &to);
    table_close(&to);
    fclose(file);
    buf_addc(b, '\n');
    buf_add(b, text, n);
    free(text);
    free(sorted);
}

struct slow {
    const char *study;
    struct grange_running point;
};

static int by_elapsed(const void *a, const void *b)
{
    const struct slow *x = a, *y = b;
    return (x->point.elapsed_ms < y->point.elapsed_ms) -
           (x->point.elapsed_ms > y->point.elapsed_ms);
}

static void add_slowest(const struct top *t, unsigned width, struct buf *b)
{
    static struct slow slow[STUDIES_SHOWN * 8];
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++)
        for (size_t k = 0; k < t->studies[i].news.n_running && k < 8; k++)
            slow[n++] = (struct slow){ t->studies[i].name, t->studies[i].news.running[k] };
    qsort(slow, n, sizeof *slow, by_elapsed);
    if (n)
        buf_adds(b, "\nrunning longest\n");
    for (size_t i = 0; i < n && i < SLOW_SHOWN; i++) {
        struct buf rest = { 0 };
        buf_addf(&rest, " point %" PRIu64 " for ", slow[i].point.index);
        progress_duration(slow[i].point.elapsed_ms, &rest);
        if (slow[i].point.share > 0)
            buf_addf(&rest, ", %.0f%% done", 100 * slow[i].point.share);
        buf_adds(b, "  ");
        terminal_cut(slow[i].study, width > rest.n + 2 ? width - rest.n - 2 : NAME_BYTES_MAX, b);
        buf_addf(b, "%s\n", buf_text(&rest));
        buf_fini(&rest);
    }
}

/* ---- looking ---- */

static enum err look(struct top *t, const struct live *live, struct buf *text, struct fault *f)
{
    struct grange_farm *farm = NULL;
    int rc = grange_farm_look(t->g, REQUEST_MS, &farm);
    if (rc)
        return fault_set(f, (enum err)rc, "%s", grange_message(t->g));
    ms_t now = clock_mono_ms();
    follow_new(t, farm);
    take_news(t, t->n && !live->terminal ? NEWS_WITHIN_MS : 0);
    count_pace(t, farm, now);
    buf_clear(text);
    add_head(t, farm, now, live->width, text);
    add_studies(t, farm, now, live->width, text);
    if (farm->n_workers) {
        buf_addc(text, '\n');
        farm_view_workers(farm, clock_wall_ms(), live->width, text);
    }
    add_slowest(t, live->width, text);
    free(farm);
    return ERR_NONE;
}

static enum err show(struct top *t, struct fault *f)
{
    struct live live;
    struct buf text = { 0 };
    enum err err = ERR_NONE;
    live_open(&live);
    do {
        err = look(t, &live, &text, f);
        if (!err)
            live_show(&live, &text);
    } while (!err && live.terminal && live_wait(&live, LOOK_EVERY_MS));
    live_close(&live);
    buf_fini(&text);
    return err;
}

static int top_main(int argc, char **argv)
{
    static struct top_args a; /* large, both */
    static struct top t;
    int rc = cli_parse(&verb_top, argc, argv, &a);
    if (rc >= 0)
        return rc;
    struct fault f;
    t = (struct top){ .args = &a };
    pace_init(&t.pace);
    signals_asked(SIGNALS_LOOKING);
    enum err err = where_open(&a.at, &a.where, &t.g, &f);
    if (!err)
        err = show(&t, &f);
    grange_close(t.g);
    return err ? cli_fail(&f) : CLI_OK;
}

const struct verb verb_top = {
    .name = "top",
    .summary = "the farm as it works: workers, slots, studies, rates, slowest points",
    .argp = &argp,
    .main = top_main,
};

/* wait - the verb `grange wait`: until studies on the farm have ended. */
#include "cli/cli.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"
#include "cli/display.h"
#include "cli/part.h"
#include "cli/points.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "cli/summary.h"
#include "cli/where.h"

enum {
    OPT_TIMEOUT = 400,
    WAITS_MAX = 64,              /* studies at a time: what a connection follows; refused */
    TURN_MS = 1000,              /* heartbeats */
    NEWS_AT_ONCE_MS = 20,        /* and the first of them is due; a descriptor says when it came */
    TIMEOUT_MAX_MS = 2000000000, /* 23 days */
};

struct wait_args {
    struct where_args at;
    struct where where;
    bool json, quiet;
    ms_t timeout_ms; /* negative: none */
    const char *const *names;
    size_t n;
};

struct waited {
    const char *name; /* as it was given */
    bool known, over, said_held;
    struct grange_progress news;
};

struct waiting {
    const struct wait_args *args;
    struct grange *g;
    struct waited *studies;
    int signal_fd;
    ms_t lost_ms; /* since when; 0: the scheduler is there */
    bool interrupted;
    struct display display; /* only on a terminal: what a log needs is said when studies end */
    struct pace pace;       /* of all studies */
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct wait_args *a = state->input;
    switch (key) {
    case OPT_TIMEOUT:
        return cli_duration("--timeout", arg, 0, TIMEOUT_MAX_MS, &a->timeout_ms);
    case 'J':
        a->json = true;
        return 0;
    case 'q':
        a->quiet = true;
        return 0;
    case ARGP_KEY_ARGS:
        a->names = (const char *const *)&state->argv[state->next];
        a->n = (size_t)(state->argc - state->next);
        return a->n <= WAITS_MAX ? 0 : cli_bad("at most %d studies at a time", (int)WAITS_MAX);
    case ARGP_KEY_END:
        return a->n ? 0 : cli_bad("for which study? for example: grange wait sim");
    default:
        return where_option(key, arg, &a->at);
    }
}

static const struct argp_option options[] = {
    { "timeout", OPT_TIMEOUT, "TIME", 0, "not longer: 30s, 10m, 2h; then exit code 4", 0 },
    { "quiet", 'q', 0, 0, "say nothing but errors", 0 },
    CLI_OPTION_JSON,
    WHERE_ROWS(0),
    { 0 },
};

static const struct argp argp = {
    options,
    parse,
    "STUDY...",
    "Waits until all points of the studies have ended. Exit code 0: all succeeded; 1: some failed, "
    "were cancelled or skipped, or are left because the study halted; 3: the farm was shut down, "
    "or "
    "its scheduler went away and did not come back within ten seconds; 4: --timeout was over. It "
    "may be given again at any time. A "
    "study "
    "that is on hold is waited for until somebody releases it.\n"
    "\v"
    "EXAMPLES\n"
    "  grange wait sim\n"
    "  grange wait mesh flow --timeout 10m\n"
    "  grange wait $(grange submit ./sim {T} ::: T=1:1000)\n",
    0,
    0,
    0
};

/* ---- the studies ---- */

static bool is_over(const struct grange_progress *p)
{
    return p->state == GRANGE_ENDED || (p->state == GRANGE_HALTED && p->counts.running == 0);
}

static bool failed(const struct grange_counts *c)
{
    return c->failed + c->cancelled + c->quarantined + c->unmet > 0;
}

static bool succeeded(const struct waited *w)
{
    return w->news.state == GRANGE_ENDED && !failed(&w->news.counts);
}

static void say_counts(struct waiting *x, const struct waited *w)
{
    const struct grange_counts *c = &w->news.counts;
    struct buf b = { 0 };
    buf_addf(&b, "%s: ", w->news.name);
    progress_count(part_points(c), &b);
    buf_adds(&b, part_points(c) == 1 ? " point: " : " points: ");
    progress_count(c->done, &b);
    buf_adds(&b, " done");
    part_warned(c->warned, &b);
    progress_part(c->failed, "failed", &b);
    progress_part(c->cancelled, "cancelled", &b);
    progress_part(c->quarantined, "quarantined (workers were lost, or the exit code says so)", &b);
    progress_part(c->unmet, "skipped (what they wait for did not end as it had to)", &b);
    progress_part(part_to_do(c), w->news.state == GRANGE_HALTED ? "left (it halted)" : "left", &b);
    if (failed(c)) {
        buf_adds(&b, "\n  see: ");
        summary_not_done(&x->args->where, w->news.name, &b);
    }
    display_say(&x->display, buf_text(&b));
    buf_fini(&b);
}

static void print_json(const struct waiting *x)
{
    static const char *const states[] = { "active", "held", "halted", "ended" };
    printf("[");
    for (size_t i = 0; i < x->args->n; i++) {
        const struct waited *w = &x->studies[i];
        const struct grange_counts *c = &w->news.counts;
        struct buf name = { 0 };
        buf_add_json(&name, w->name, strlen(w->name));
        printf("%s\n  {\"study\": %s, \"state\": \"%s\", \"points\": %" PRIu64
               ", \"done\": %" PRIu64 ", \"warned\": %" PRIu64 ", \"failed\": %" PRIu64
               ", \"cancelled\": %" PRIu64 ", \"quarantined\": %" PRIu64 ", \"skipped\": %" PRIu64
               ", \"left\": %" PRIu64 "}",
               i ? "," : "", buf_text(&name), w->known ? states[w->news.state & 3] : "unknown",
               part_points(c), c->done, c->warned, c->failed, c->cancelled, c->quarantined,
               c->unmet, part_to_do(c));
        buf_fini(&name);
    }
    printf("\n]\n");
}

/* ---- waiting ---- */

/* All that are waited for, as one. */
static void count(const struct waiting *x, struct grange_counts *sum)
{
    *sum = (struct grange_counts){ 0 };
    for (size_t i = 0; i < x->args->n; i++)
        part_add(sum, &x->studies[i].news.counts);
}

static void add_slow(const struct waiting *x, const struct waited *w, struct progress_view *v)
{
    for (size_t k = 0; k < w->news.n_running && !w->over; k++) {
        const struct grange_running *r = &w->news.running[k];
        struct progress_slow *slow = progress_slow(v, r->elapsed_ms);
        if (!slow)
            return;
        snprintf(slow->label, sizeof slow->label, "%s%spoint %" PRIu64,
                 x->args->n > 1 ? w->name : "", x->args->n > 1 ? " " : "", r->index);
    }
}

static void show(struct waiting *x, ms_t now)
{
    static struct progress_view v; /* large */
    struct grange_counts sum;
    char all[32];
    if (now < display_due(&x->display))
        return;
    snprintf(all, sizeof all, "%zu studies", x->args->n);
    v = (struct progress_view){ .name = x->args->n == 1 ? x->studies[0].name : all,
                                .slots = x->pace.slots,
                                .busy = x->pace.busy };
    count(x, &sum);
    part_view(&sum, &x->pace, now, &v);
    v.note = x->lost_ms ? "the scheduler is not there" : NULL;
    for (size_t i = 0; i < x->args->n; i++)
        add_slow(x, &x->studies[i], &v);
    display_show(&x->display, &v, now);
}

static void take_one(struct waiting *x, const struct grange_progress *p, ms_t now)
{
    for (size_t i = 0; i < x->args->n; i++) {
        struct waited *w = &x->studies[i];
        if (strcmp(w->name, p->name) != 0)
            continue;
        w->news = *p;
        w->known = true;
        if (p->state == GRANGE_HELD && !w->said_held && !x->args->quiet) {
            char text[2 * NAME_BYTES_MAX + 64];
            w->said_held = true;
            snprintf(text, sizeof text, "%s is on hold; it goes on with: grange release %s",
                     w->name, w->name);
            display_say(&x->display, text);
        }
        if (is_over(p) && !w->over && !x->args->quiet)
            say_counts(x, w);
        w->over = is_over(p);
    }
    struct grange_counts sum;
    count(x, &sum);
    pace_add(&x->pace, now, part_ended(&sum), p->slots_busy, p->slots);
}

static enum err take_news(struct waiting *x, ms_t now, struct fault *f)
{
    for (;;) {
        struct grange_progress p;
        int rc = grange_next(x->g, 0, &p);
        if (rc == GRANGE_ERR_TIMEOUT)
            return ERR_NONE;
        if (rc == GRANGE_ERR_LOST) {
            if (!x->lost_ms && !x->args->quiet && !grange_is_down(x->g))
                display_say(&x->display, "the scheduler went away; waiting for it to come back");
            x->lost_ms = x->lost_ms ? x->lost_ms : now;
            return ERR_NONE;
        }
        if (rc != GRANGE_OK)
            return fault_set(f, (enum err)rc, "%s", grange_message(x->g));
        if (x->lost_ms && !x->args->quiet)
            display_say(&x->display, "the scheduler is back");
        x->lost_ms = 0;
        take_one(x, &p, now);
    }
}

static bool all_over(const struct waiting *x)
{
    bool over = true;
    for (size_t i = 0; i < x->args->n; i++)
        over = over && x->studies[i].over;
    return over;
}

static enum err timed_out(struct waiting *x, struct fault *f)
{
    for (size_t i = 0; i < x->args->n && !x->args->quiet; i++)
        if (x->studies[i].known && !x->studies[i].over)
            say_counts(x, &x->studies[i]);
    return fault_set(f, ERR_TIMEOUT, "not all had ended within the time of --timeout");
}

static enum err follow_all(struct waiting *x, struct fault *f)
{
    for (size_t i = 0; i < x->args->n; i++) {
        int rc = grange_follow(x->g, x->studies[i].name, REQUEST_MS);
        if (rc)
            return fault_set(f, (enum err)rc, "%s", grange_message(x->g));
    }
    return ERR_NONE;
}

/* The time is over only when something has been heard of each: --timeout 0 just looks. */
static bool out_of_time(const struct waiting *x, ms_t now, ms_t until, ms_t begun)
{
    bool known = true;
    for (size_t i = 0; i < x->args->n; i++)
        known = known && x->studies[i].known;
    return now >= until && (known || x->lost_ms || now - begun >= clock_patience_ms(WHERE_LOST_MS));
}

static int sleep_ms(const struct waiting *x, ms_t now, ms_t until)
{
    ms_t drawn = x->pace.n ? display_due(&x->display) : MS_NEVER;
    until = until - now < TURN_MS ? until : now + TURN_MS;
    until = drawn < until ? drawn : until;
    return until > now ? (int)(until - now) : NEWS_AT_ONCE_MS;
}

static enum err wait_all(struct waiting *x, struct fault *f)
{
    ms_t now = clock_mono_ms(), begun = now;
    ms_t until = x->args->timeout_ms < 0 ? MS_NEVER : now + x->args->timeout_ms;
    enum err err = follow_all(x, f);
    x->signal_fd = signals_open();
    display_open(&x->display, x->args->quiet || !isatty(STDERR_FILENO), now);
    pace_init(&x->pace);
    for (; !err && !x->interrupted; now = clock_mono_ms()) {
        err = take_news(x, now, f);
        if (err || all_over(x))
            return err;
        if (out_of_time(x, now, until, begun))
            return timed_out(x, f);
        if (x->lost_ms &&
            (now - x->lost_ms >= clock_patience_ms(WHERE_LOST_MS) || grange_is_down(x->g)))
            return where_lost(&x->args->where, grange_is_down(x->g),
                              "the same command may be given again", f);
        if (x->pace.n) /* something was heard */
            show(x, now);
        struct pollfd fds[] = { { .fd = grange_fd(x->g), .events = POLLIN },
                                { .fd = x->signal_fd, .events = POLLIN } };
        poll(fds, 2, sleep_ms(x, now, until));
        for (int sig; (sig = signals_read(x->signal_fd)) != 0;)
            if (sig == SIGWINCH)
                display_resize(&x->display);
            else
                x->interrupted = x->interrupted || sig != SIGCHLD;
    }
    return err;
}

static int exit_code(const struct waiting *x, enum err err, const struct fault *f)
{
    if (x->interrupted) {
        cli_say(SIGNALS_WAIT_TEXT);
        return CLI_INTERRUPTED;
    }
    if (err) {
        int rc = cli_fail(f);
        return err == ERR_TIMEOUT ? CLI_TIMED_OUT : rc;
    }
    for (size_t i = 0; i < x->args->n; i++)
        if (!succeeded(&x->studies[i]))
            return CLI_SOME_FAILED;
    return CLI_OK;
}

static int wait_main(int argc, char **argv)
{
    static struct wait_args a; /* large */
    a.timeout_ms = -1;
    int rc = cli_parse(&verb_wait, argc, argv, &a);
    if (rc >= 0)
        return rc;
    struct waiting x = { .args = &a, .signal_fd = -1 };
    struct fault f;
    x.studies = calloc(a.n, sizeof *x.studies);
    must(x.studies);
    for (size_t i = 0; i < a.n; i++)
        x.studies[i].name = a.names[i];
    signals_asked(SIGNALS_WAITING);
    enum err err = where_open(&a.at, &a.where, &x.g, &f);
    bool connected = !err;
    if (!err)
        err = wait_all(&x, &f);
    display_close(&x.display);
    grange_close(x.g);
    if (a.json && connected)
        print_json(&x);
    rc = !connected ? cli_fail(&f) : exit_code(&x, err, &f);
    if (x.signal_fd >= 0)
        close(x.signal_fd);
    free(x.studies);
    return rc;
}

const struct verb verb_wait = {
    .name = "wait",
    .summary = "until studies on the farm have ended; its exit code says how",
    .argp = &argp,
    .main = wait_main,
};

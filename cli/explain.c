/* explain - the verb `grange explain`: all that is known of one point. */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/reason.h"
#include "cli/facts.h"
#include "cli/local.h"
#include "cli/lookargs.h"
#include "cli/progress.h"
#include "cli/stream.h"
#include "cli/table.h"
#include "cli/unfit.h"

static error_t parse(int key, char *arg, struct argp_state *state)
{
    return lookargs_option(key, arg, state->input);
}

static const struct argp_option options[] = { WHERE_ROWS(0), CLI_OPTION_JSON, { 0 } };

static const struct argp argp = {
    options,
    parse,
    "STUDY POINT",
    "Says of one point what exactly is run, in which state it is and why, and how each attempt "
    "went: "
    "where, when, how long, how it ended. POINT is an index or factor values; of calls KEY:INDEX, "
    "or "
    "INDEX where the study has one key alone.\n"
    "\v"
    "EXAMPLES\n"
    "  grange explain sim 17\n"
    "  grange explain sim T=290,n=2 --json\n",
    0,
    0,
    0
};

/* ---- as text ---- */

static void add_us(uint64_t us, struct buf *out)
{
    if (us < 1000)
        buf_addf(out, "%" PRIu64 " us", us);
    else
        progress_duration((ms_t)(us / 1000), out);
}

static void add_time(ms_t ms, struct buf *out)
{
    char text[40];
    struct tm tm;
    time_t s = (time_t)(ms / 1000);
    if (ms <= 0 || !localtime_r(&s, &tm) || strftime(text, sizeof text, "%F %T", &tm) == 0)
        return;
    buf_adds(out, text);
}

static void say(const char *what, const char *text)
{
    if (text && text[0])
        printf("%-10s %s\n", what, text);
}

static void say_use(const struct facts *x)
{
    struct buf b = { 0 };
    if (!x->ended || !x->end.started_ms)
        return;
    add_us(x->end.user_us, &b);
    buf_adds(&b, " user, ");
    add_us(x->end.sys_us, &b);
    buf_adds(&b, " system");
    say("cpu", b.data);
    buf_clear(&b);
    buf_addf(&b, "%.1f MiB at most", (double)x->end.maxrss_kib / 1024);
    say("memory", b.data);
    buf_fini(&b);
}

/* How much a stream was, where it is when the store has only its head, and how it ends. */
static void say_stream(const struct facts *x, bool err)
{
    struct stream s = stream_of(&x->body, err);
    struct buf b = { 0 };
    if (!x->ended)
        return;
    progress_count(s.total, &b);
    buf_adds(&b, s.total == 1 ? " byte" : " bytes");
    if (s.file[0]) {
        buf_adds(&b, ", in ");
        (void)kept_path(s.file, x->look->dir, &b);
    }
    if (err && x->last_line.n)
        buf_addf(&b, ", the last line: %s", x->last_line.data);
    say(s.name, b.data);
    buf_fini(&b);
}

static void add_ending(const struct attempt *a, struct buf *out)
{
    reason_words(a->row.reason, a->row.code, out);
    if (a->error_line[0])
        buf_addf(out, ": %s", a->error_line);
    if (!a->result && !a->row.counted)
        buf_adds(out, " (costs no retry)");
}

static void print_attempts(const struct facts *x)
{
    static const char *const headings[] = { "attempt", "worker", "host",
                                            "started", "took",   "how it ended" };
    static const bool number[] = { true, false, false, false, true, false };
    struct table t;
    struct buf nth = { 0 }, started = { 0 }, took = { 0 }, ending = { 0 };
    size_t last = x->n_attempts; /* what never began was given to no worker: it says so above */
    while (last && !x->attempts[last - 1].worker[0] && !x->attempts[last - 1].row.started_ms)
        last--;
    if (!last)
        return;
    printf("\n");
    table_open(&t, stdout, 0, 6, headings);
    for (size_t i = 0; i < last; i++) {
        const struct attempt *a = &x->attempts[i];
        buf_clear(&nth);
        buf_clear(&started);
        buf_clear(&took);
        buf_clear(&ending);
        buf_addf(&nth, "%zu", i + 1);
        add_time(a->row.started_ms, &started);
        if (a->row.started_ms)
            add_us(a->row.wall_us, &took);
        add_ending(a, &ending);
        const char *cells[] = { nth.data,           a->worker,       a->host,
                                buf_text(&started), buf_text(&took), ending.data };
        table_row(&t, cells, number);
    }
    table_close(&t);
    buf_fini(&nth);
    buf_fini(&started);
    buf_fini(&took);
    buf_fini(&ending);
}

static void print_point(const struct facts *x)
{
    const struct study *s = x->look->study;
    char seed[16];
    snprintf(seed, sizeof seed, "%u", x->seed);
    printf("%-10s %s, point %" PRIu64 " of %" PRIu64 "\n", "study", study_name(s), x->point.index,
           study_n_points(s));
    say("values", buf_text(&x->label));
    say("state", buf_text(&x->why));
    say(study_function(s) ? "function" : "command", buf_text(&x->command));
    if (x->restart.n)
        say("restarted", buf_text(&x->restart));
    say("run in", buf_text(&x->cwd));
    if (x->dir.n)
        say("directory", x->dir.data);
    say("seed", seed);
    if (x->ended && study_n_metrics(s))
        say("metrics", x->body.metrics);
}

static void print_call(const struct facts *x)
{
    struct buf bytes = { 0 };
    progress_count(x->payload_bytes, &bytes);
    buf_adds(&bytes, " bytes");
    say("study", x->look->row.name);
    say("call", buf_text(&x->call));
    say("state", buf_text(&x->why));
    say(x->function ? "function" : "command", buf_text(&x->command));
    say("payload", bytes.data);
    say("run in", buf_text(&x->cwd));
    say("waits for", buf_text(&x->after));
    if (x->ended && x->body.error_line)
        say("error", x->body.error_line);
    buf_fini(&bytes);
}

static void print_text(const struct facts *x)
{
    if (x->call.n)
        print_call(x);
    else
        print_point(x);
    say_stream(x, false);
    say_stream(x, true);
    say_use(x);
    print_attempts(x);
}

/* ---- as JSON ---- */

static void add_member(struct buf *b, const char *name, const char *text)
{
    buf_addf(b, ",\n \"%s\": ", name);
    buf_add_json(b, text, strlen(text));
}

static void add_values(const struct facts *x, struct buf *b)
{
    buf_adds(b, ",\n \"values\": {");
    for (size_t j = 0; j < x->point.n; j++) {
        const char *name = study_factor_name(x->look->study, j);
        buf_adds(b, j ? ", " : "");
        buf_add_json(b, name, strlen(name));
        buf_adds(b, ": ");
        buf_add_json(b, x->point.values[j], strlen(x->point.values[j]));
    }
    buf_addf(b, "},\n \"rep\": %u,\n \"seed\": %u", x->point.rep, x->seed);
}

static void add_attempt(const struct attempt *a, struct buf *b)
{
    struct buf reason = { 0 };
    reason_words(a->row.reason, a->row.code, &reason);
    buf_adds(b, "{\"worker\": ");
    buf_add_json(b, a->worker, strlen(a->worker));
    buf_adds(b, ", \"host\": ");
    buf_add_json(b, a->host, strlen(a->host));
    buf_addf(b,
             ", \"started_ms\": %" PRId64 ", \"ended_ms\": %" PRId64 ", \"wall_us\": %" PRIu64
             ", \"reason\": ",
             a->row.started_ms, a->row.ended_ms, a->row.wall_us);
    buf_add_json(b, reason.data, reason.n);
    buf_addf(b,
             ", \"code\": %" PRId32 ", \"counted\": %s, \"result\": %s, \"error\": ", a->row.code,
             a->result || a->row.counted ? "true" : "false", a->result ? "true" : "false");
    buf_add_json(b, a->error_line, strlen(a->error_line));
    buf_addc(b, '}');
    buf_fini(&reason);
}

static void print_json(const struct facts *x)
{
    struct buf b = { 0 };
    buf_adds(&b, "{\"study\": ");
    buf_add_json(&b, x->look->row.name, strlen(x->look->row.name));
    buf_addf(&b, ",\n \"point\": %" PRIu64, x->point.index);
    if (x->call.n) {
        add_member(&b, "call", buf_text(&x->call));
        add_member(&b, "waits_for", buf_text(&x->after));
        buf_addf(&b, ",\n \"payload_bytes\": %" PRIu64, x->payload_bytes);
    } else {
        add_values(x, &b);
    }
    add_member(&b, "state", task_state_name(x->state));
    add_member(&b, "why", buf_text(&x->why));
    add_member(&b, "command", buf_text(&x->command));
    add_member(&b, "restart_command", buf_text(&x->restart));
    add_member(&b, "cwd", buf_text(&x->cwd));
    add_member(&b, "directory", buf_text(&x->dir));
    add_member(&b, "last_stderr_line", buf_text(&x->last_line));
    if (x->ended)
        buf_addf(&b,
                 ",\n \"user_us\": %" PRIu64 ", \"sys_us\": %" PRIu64 ", \"maxrss_kib\": %" PRIu64
                 ",\n \"stdout_bytes\": %" PRIu64 ", \"stderr_bytes\": %" PRIu64
                 ",\n \"metrics\": %s, \"metrics_missing\": %u",
                 x->end.user_us, x->end.sys_us, x->end.maxrss_kib, x->body.out_total,
                 x->body.err_total, x->body.metrics && x->body.metrics[0] ? x->body.metrics : "{}",
                 x->body.metrics_missing);
    if (x->ended) {
        add_member(&b, "stdout_file", x->body.out_file);
        add_member(&b, "stderr_file", x->body.err_file);
    }
    buf_adds(&b, ",\n \"attempts\": [");
    for (size_t i = 0; i < x->n_attempts; i++) {
        buf_adds(&b, i ? ",\n  " : "\n  ");
        add_attempt(&x->attempts[i], &b);
    }
    buf_adds(&b, "]}\n");
    fwrite(b.data, 1, b.n, stdout);
    buf_fini(&b);
}

/* A point that waits for its turn may wait for ever. */
static void say_unfit(struct facts *x)
{
    const struct needs *n = &x->look->row.array.policy.needs;
    struct buf why = { 0 };

    bool waits = x->state == TASK_READY || x->state == TASK_WAITING;
    if (!waits || !x->look->row.active || !unfit_needs(n) || !local_serves(x->look->dir))
        return;
    struct grange_farm *farm = unfit_look(x->look->dir);
    if (farm && unfit_why(n, farm, clock_wall_ms(), &why))
        buf_addf(&x->why, "; no worker that is connected can run it: %s", why.data);
    free(farm);
    buf_fini(&why);
}

static int explain_main(int argc, char **argv)
{
    struct look_args a = { .pointed = "explain" };
    int rc = cli_parse(&verb_explain, argc, argv, &a);
    if (rc < 0)
        rc = lookargs_near(&a, "explain", a.json ? "--json" : NULL);
    if (rc >= 0)
        return rc;
    struct look l;
    struct facts x = { 0 };
    struct fault f;
    enum err err = look_open(&l, a.dir, a.study, &f);
    if (!err)
        err = facts_gather(&x, &l, a.point, &f);
    if (!err)
        say_unfit(&x);
    if (!err && a.json)
        print_json(&x);
    else if (!err)
        print_text(&x);
    facts_fini(&x);
    look_close(&l);
    return err ? cli_fail(&f) : CLI_OK;
}

const struct verb verb_explain = {
    .name = "explain",
    .summary = "a point: its exact command, its state and why, every attempt",
    .argp = &argp,
    .main = explain_main,
};

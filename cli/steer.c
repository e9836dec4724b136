/* steer - the verbs `grange hold`, `release`, `priority` and `drain`: one word to a farm that is
 * up. */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "cli/control.h"
#include "cli/points.h"
#include "cli/signals.h"
#include "cli/where.h"

enum { OPT_NOW = OPT_VERB, OPT_WEIGHT, OPT_MAX_RUNNING };

struct steer_args {
    struct where_args at;
    struct where where;
    const char *verb;   /* for messages */
    const char *name;   /* of the study or the worker */
    const char *number; /* of priority */
    bool wants_number, now;
    int64_t priority, weight, running_max; /* negative weight or running_max: not given */
    ms_t grace_ms;
};

/* ---- words ---- */

static error_t whole_number(const char *what, const char *text, int64_t min, int64_t max,
                            int64_t *n)
{
    char *end = NULL;
    *n = strtoll(text, &end, 10);
    if (!text[0] || *end)
        return cli_bad("%s: '%s' is no whole number", what, text);
    if (*n < min || *n > max)
        return cli_bad("%s: %s is out of bounds; it must be from %lld to %lld", what, text,
                       (long long)min, (long long)max);
    return 0;
}

static error_t parse_end(const struct steer_args *a)
{
    bool drains = strcmp(a->verb, "drain") == 0;
    if (!a->name && drains)
        return cli_bad("which worker? see: grange workers");
    if (!a->name)
        return cli_bad("which study? for example: grange %s sim%s", a->verb,
                       a->wants_number ? " 10" : "");
    if (a->wants_number && !a->number && a->weight < 0 && a->running_max < 0)
        return cli_bad("which priority? for example: grange priority %s 10", a->name);
    return 0;
}

static error_t parse_word(struct steer_args *a, const char *arg)
{
    if (!a->name) {
        a->name = arg;
        return 0;
    }
    if (!a->wants_number || a->number)
        return cli_bad("'%s' is one word too many", arg);
    a->number = arg;
    return whole_number("the priority", arg, -PRIORITY_MAX, PRIORITY_MAX, &a->priority);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct steer_args *a = state->input;
    switch (key) {
    case OPT_NOW:
        a->now = true;
        return 0;
    case OPT_GRACE:
        return cli_duration("--grace", arg, 0, 1000 * GRACE_MAX_S, &a->grace_ms);
    case OPT_WEIGHT:
        return whole_number("--weight", arg, 1, WEIGHT_MAX, &a->weight);
    case OPT_MAX_RUNNING:
        return whole_number("--max-running", arg, 0, POINTS_MAX, &a->running_max);
    case ARGP_KEY_ARG:
        return parse_word(a, arg);
    case ARGP_KEY_END:
        return parse_end(a);
    default:
        return where_option(key, arg, &a->at);
    }
}

static int parse_all(const struct verb *v, int argc, char **argv, struct steer_args *a)
{
    a->verb = v->name;
    a->weight = a->running_max = -1;
    a->grace_ms = -1;
    return cli_parse(v, argc, argv, a);
}

/* ---- doing ---- */

typedef int steer_request(struct grange *g, const struct steer_args *a, uint64_t *n);

static int steer(struct steer_args *a, steer_request *request, uint64_t *n)
{
    struct grange *g = NULL;
    struct fault f;
    enum err err = where_open(&a->at, &a->where, &g, &f);
    if (err)
        return cli_fail(&f);
    signals_asked(SIGNALS_FARM);
    int rc = request(g, a, n);
    if (rc)
        err = fault_set(&f, (enum err)rc, "%s", grange_message(g));
    grange_close(g);
    return err ? cli_fail(&f) : CLI_OK;
}

/* ---- hold ---- */

static int ask_hold(struct grange *g, const struct steer_args *a, uint64_t *n)
{
    return grange_hold(g, a->name, a->now, REQUEST_MS, n);
}

static int hold_main(int argc, char **argv)
{
    static struct steer_args a; /* large */
    uint64_t n = 0;
    int rc = parse_all(&verb_hold, argc, argv, &a);
    if (rc >= 0)
        return rc;
    rc = steer(&a, ask_hold, &n);
    if (rc == CLI_OK && a.now)
        cli_say("%s is on hold; %" PRIu64 " running %s stopped and will run again", a.name, n,
                n == 1 ? "point is" : "points are");
    else if (rc == CLI_OK && n == 0)
        cli_say("%s is on hold; none of its points runs", a.name);
    else if (rc == CLI_OK)
        cli_say("%s is on hold; %" PRIu64 " running %s may finish", a.name, n,
                n == 1 ? "point" : "points");
    return rc;
}

static const struct argp_option hold_options[] = {
    { "now", OPT_NOW, 0, 0, "stop the running points too; they will run again", 0 },
    WHERE_ROWS(0),
    { 0 },
};

static const struct argp hold_argp = {
    hold_options,
    parse,
    "STUDY",
    "No new points of STUDY start on the farm until `grange release`. Running ones finish.\n"
    "\v"
    "EXAMPLES\n"
    "  grange hold sim\n"
    "  grange hold sim --now\n",
    0,
    0,
    0
};

const struct verb verb_hold = {
    .name = "hold",
    .summary = "start no new points of a study on the farm",
    .argp = &hold_argp,
    .main = hold_main,
};

/* ---- release ---- */

static int ask_release(struct grange *g, const struct steer_args *a, uint64_t *n)
{
    (void)n;
    return grange_release(g, a->name, REQUEST_MS);
}

static int release_main(int argc, char **argv)
{
    static struct steer_args a; /* large */
    int rc = parse_all(&verb_release, argc, argv, &a);
    if (rc < 0)
        rc = steer(&a, ask_release, NULL);
    if (rc == CLI_OK && a.name)
        cli_say("%s goes on", a.name);
    return rc;
}

static const struct argp_option where_options[] = { WHERE_ROWS(0), { 0 } };

static const struct argp release_argp = {
    where_options,
    parse,
    "STUDY",
    "A study that was held, or that --halt stopped, goes on.\n"
    "\v"
    "EXAMPLES\n"
    "  grange release sim\n",
    0,
    0,
    0
};

const struct verb verb_release = {
    .name = "release",
    .summary = "let a study go on that is on hold or halted",
    .argp = &release_argp,
    .main = release_main,
};

/* ---- priority ---- */

static int ask_priority(struct grange *g, const struct steer_args *a, uint64_t *n)
{
    (void)n;
    int rc = a->number ? grange_priority(g, a->name, (int32_t)a->priority, REQUEST_MS) : GRANGE_OK;
    if (rc == GRANGE_OK && a->weight >= 0)
        rc = grange_weight(g, a->name, (uint32_t)a->weight, REQUEST_MS);
    if (rc == GRANGE_OK && a->running_max >= 0)
        rc = grange_running_max(g, a->name, (uint32_t)a->running_max, REQUEST_MS);
    return rc;
}

static void say_priority(const struct steer_args *a)
{
    struct buf b = { 0 };
    if (a->number)
        buf_addf(&b, ", priority %" PRId64, a->priority);
    if (a->weight >= 0)
        buf_addf(&b, ", weight %" PRId64, a->weight);
    if (a->running_max == 0)
        buf_adds(&b, ", no limit on how many points run at once");
    else if (a->running_max > 0)
        buf_addf(&b, ", at most %" PRId64 " running at once", a->running_max);
    cli_say("%s: %s", a->name, buf_text(&b) + 2);
    buf_fini(&b);
}

static int priority_main(int argc, char **argv)
{
    static struct steer_args a; /* large */
    a.wants_number = true;
    int rc = parse_all(&verb_priority, argc, argv, &a);
    if (rc >= 0)
        return rc;
    rc = steer(&a, ask_priority, NULL);
    if (rc == CLI_OK)
        say_priority(&a);
    return rc;
}

static const struct argp_option priority_options[] = {
    { "weight", OPT_WEIGHT, "N", 0, "its share among studies of the same priority, 1..1000", 0 },
    { "max-running", OPT_MAX_RUNNING, "N", 0, "so many of its points at once; 0: no limit", 0 },
    WHERE_ROWS(0),
    { 0 },
};

static const struct argp priority_argp = {
    priority_options,
    parse,
    "STUDY [N]",
    "Points of studies with a higher priority start first; those of the same priority share the "
    "slots by weight. Takes effect with the next points that start. A negative priority comes "
    "behind '--'.\n"
    "\v"
    "EXAMPLES\n"
    "  grange priority sim 10\n"
    "  grange priority sim -- -10\n"
    "  grange priority sim --weight 3 --max-running 16\n",
    0,
    0,
    0
};

const struct verb verb_priority = {
    .name = "priority",
    .summary = "which study comes first on the farm, its share, its limit",
    .argp = &priority_argp,
    .main = priority_main,
};

/* ---- drain ---- */

static int ask_drain(struct grange *g, const struct steer_args *a, uint64_t *n)
{
    return grange_drain(g, a->name, a->now ? 0 : a->grace_ms, REQUEST_MS, n);
}

static int drain_main(int argc, char **argv)
{
    static struct steer_args a; /* large */
    uint64_t n = 0;
    int rc = parse_all(&verb_drain, argc, argv, &a);
    if (rc >= 0)
        return rc;
    rc = steer(&a, ask_drain, &n);
    if (rc == CLI_OK)
        cli_say("%s gets nothing new and ends when its running points have%s", a.name,
                a.now             ? " been stopped; they will run elsewhere"
                : a.grace_ms >= 0 ? " ended, or at the end of the grace"
                                  : " ended");
    return rc;
}

static const struct argp_option drain_options[] = {
    { "grace", OPT_GRACE, "TIME", 0, "stop what has not finished by then (default: never)", 0 },
    { "now", OPT_NOW, 0, 0, "stop its running points at once", 0 },
    WHERE_ROWS(0),
    { 0 },
};

static const struct argp drain_argp = {
    drain_options,
    parse,
    "WORKER",
    "A worker, by its name or number (grange workers), gets no new points and ends when the "
    "running "
    "ones have. What waits there goes back at once; what is stopped runs elsewhere, at no cost.\n"
    "\v"
    "EXAMPLES\n"
    "  grange drain node17-w1\n"
    "  grange drain node17-w1 --grace 10m\n",
    0,
    0,
    0
};

const struct verb verb_drain = {
    .name = "drain",
    .summary = "have a worker finish what it runs and end",
    .argp = &drain_argp,
    .main = drain_main,
};

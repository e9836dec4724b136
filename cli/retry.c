/* retry - the verb `grange retry`: points that failed, once more. */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/control.h"
#include "cli/local.h"
#include "cli/look.h"
#include "cli/points.h"
#include "cli/progress.h"
#include "cli/session.h"
#include "cli/signals.h"
#include "cli/stored.h"

enum { OPT_FAILED = OPT_VERB };

struct retry_args {
    struct control control;
    bool failed;
    const char *const *words; /* STUDY [POINT...] */
    size_t n;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct retry_args *a = state->input;
    switch (key) {
    case OPT_FAILED:
        a->failed = true;
        return 0;
    case ARGP_KEY_ARGS:
        a->words = (const char *const *)&state->argv[state->next];
        a->n = (size_t)(state->argc - state->next);
        return 0;
    case ARGP_KEY_END:
        if (a->n == 0)
            return cli_bad("which study? for example: grange retry sim --failed");
        if (a->failed && a->n > 1)
            return cli_bad("either --failed or points, not both");
        return 0;
    default:
        return control_option(key, arg, &a->control);
    }
}

static const struct argp_option options[] = {
    { "failed", OPT_FAILED, 0, 0, "all points that failed (what it does without POINT)", 1 },
    CONTROL_OPTIONS,
    { 0 },
};

static const struct argp argp = {
    options,
    parse,
    "STUDY [POINT...]",
    "Runs points again that failed, were cancelled or were given up. POINT is an index or factor "
    "values, of calls KEY:INDEX; one that is named runs again also when it succeeded. When a "
    "scheduler has the "
    "directory it is told, and this returns at once; otherwise "
    "this goes on as `grange resume` does.\n"
    "\v"
    "EXAMPLES\n"
    "  grange retry sim --failed\n"
    "  grange retry sim 17 T=290,n=2\n",
    0,
    0,
    0
};

static void say_count(uint64_t n, const char *what, const char *study)
{
    struct buf b = { 0 };
    progress_count(n, &b);
    cli_say("%s %s%s of %s will run again", buf_text(&b), what, n == 1 ? "" : "s", study);
    buf_fini(&b);
}

static int tell_scheduler(const struct retry_args *a, const struct points *p, const char *what)
{
    struct buf url = { 0 };
    if (a->control.where.connect[0])
        buf_adds(&url, a->control.where.connect);
    else
        cli_url(a->control.dir, &url);
    signals_early();
    uint64_t touched = 0;
    struct fault f;
    enum err err = points_ask(buf_text(&url), p, &touched, &f);
    buf_fini(&url);
    if (err)
        return cli_fail(&f);
    if (a->control.json)
        printf("{\"retried\": %" PRIu64 "}\n", touched);
    else if (!a->control.quiet && !touched)
        points_say_none(p->study, p->n > 0);
    else if (!a->control.quiet)
        say_count(touched, what, p->study);
    return CLI_OK;
}

static int retry(const struct retry_args *a, const struct study *s)
{
    struct points p = { .retry = true, .study = study_name(s), .n = a->n - 1 };
    uint64_t *index = NULL;
    struct fault f;
    if (points_find(s, a->words + 1, p.n, &index, &f))
        return cli_fail(&f);
    p.index = index;
    int rc;
    if (local_serves(a->control.dir))
        rc = tell_scheduler(a, &p, "point");
    else
        rc = session_run(&(struct session_plan){ .control = &a->control,
                                                 .study = s,
                                                 .resume = true,
                                                 .retry = true,
                                                 .index = index,
                                                 .n_index = p.n });
    free(index);
    return rc;
}

/* Nothing here knows the workers and engines that calls need: a farm runs them. */
static int retry_calls(const struct retry_args *a, struct look *l)
{
    struct points p = { .retry = true, .study = l->row.name, .n = a->n - 1 };
    uint64_t *index = NULL;
    struct fault f;
    if (!local_serves(a->control.dir))
        return cli_fail(look_needs_farm(l, &f));
    if (points_calls(l, a->words + 1, p.n, &p.array, &index, &f))
        return cli_fail(&f);
    p.index = index;
    int rc = tell_scheduler(a, &p, "call");
    free(index);
    return rc;
}

/* A farm elsewhere: what its points are called is not known here. */
static int retry_far(const struct retry_args *a)
{
    struct points p = { .retry = true, .study = a->words[0], .n = a->n - 1 };
    uint64_t *index = NULL;
    struct fault f;
    if (points_find(NULL, a->words + 1, p.n, &index, &f))
        return cli_fail(&f);
    p.index = index;
    int rc = tell_scheduler(a, &p, "point");
    free(index);
    return rc;
}

static int retry_main(int argc, char **argv)
{
    struct retry_args a = { 0 };
    control_init(&a.control);
    int rc = cli_parse(&verb_retry, argc, argv, &a);
    if (rc >= 0)
        return rc;
    struct study *s = NULL;
    struct look l = { 0 };
    bool calls = false;
    struct fault f;
    if (control_find(&a.control, true, &f))
        return cli_fail(&f);
    if (!a.control.dir[0])
        return retry_far(&a);
    if (look_calls(&l, a.control.dir, a.words[0], &calls, &f) ||
        (!calls && stored_study(a.control.dir, a.words[0], &s, &f))) {
        look_close(&l);
        return cli_fail(&f);
    }
    rc = calls ? retry_calls(&a, &l) : retry(&a, s);
    study_free(s);
    look_close(&l);
    return rc;
}

const struct verb verb_retry = {
    .name = "retry",
    .summary = "run points again that failed",
    .argp = &argp,
    .main = retry_main,
};

/* resume - the verb `grange resume`: what is missing of a study that the store knows. */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/control.h"
#include "cli/local.h"
#include "cli/look.h"
#include "cli/part.h"
#include "cli/points.h"
#include "cli/session.h"
#include "cli/signals.h"
#include "cli/stored.h"
#include "client/grange.h"

struct resume_args {
    struct control control;
    const char *name;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct resume_args *a = state->input;
    switch (key) {
    case OPT_RETRY_FAILED:
        a->control.flags |= GRANGE_RETRY_FAILED;
        return 0;
    case ARGP_KEY_ARG:
        if (a->name)
            return cli_bad("one study at a time: '%s' and '%s' were given", a->name, arg);
        a->name = arg;
        return 0;
    default:
        return control_option(key, arg, &a->control);
    }
}

static const struct argp_option options[] = {
    { "retry-failed", OPT_RETRY_FAILED, 0, 0, "run points again that failed before", 1 },
    CONTROL_OPTIONS,
    { 0 },
};

static const struct argp argp = {
    options,
    parse,
    "[STUDY]",
    "Runs the points of STUDY that have not ended, as its last `grange run` asked for. Without "
    "STUDY: the last one.\n"
    "\v"
    "EXAMPLES\n"
    "  grange resume\n"
    "  grange resume sim -j 4\n"
    "  grange resume sim --retry-failed\n",
    0,
    0,
    0
};

/* Calls are run by a farm, by itself; there is nothing for this verb to do. */
static enum err not_resumed(struct look *l, struct fault *f)
{
    if (!local_serves(l->dir))
        return look_needs_farm(l, f)->code;
    return fault_set(f, ERR_USAGE,
                     "%s is a study of calls, which the farm runs by itself; after a hold: grange "
                     "release %s; those that failed: grange retry %s --failed",
                     l->row.name, l->row.name, l->row.name);
}

/* A farm elsewhere goes on with it; nothing is watched from here. */
static int resume_far(const struct resume_args *a)
{
    struct grange *g = NULL;
    struct grange_submitted r;
    struct buf flag = { 0 };
    struct fault f;
    if (!a->name)
        return cli_bad("which study? for example: grange resume sim"), CLI_USAGE;
    signals_early();
    enum err err = where_connect(&a->control.where, &g, &f);
    signals_asked(SIGNALS_FARM);
    int rc = err ? 0 : grange_resume(g, a->name, a->control.flags, REQUEST_MS, &r);
    if (rc)
        err = fault_set(&f, (enum err)rc, "%s", grange_message(g));
    grange_close(g);
    if (err)
        return cli_fail(&f);
    where_flag(&a->control.where, &flag);
    if (a->control.json)
        printf("{\"study\": \"%s\", \"to_run\": %" PRIu64 "}\n", a->name, part_to_do(&r.counts));
    else if (!a->control.quiet)
        cli_say("%s goes on, %" PRIu64 " to run; see: grange wait %s%s", a->name,
                part_to_do(&r.counts), a->name, buf_text(&flag));
    buf_fini(&flag);
    return CLI_OK;
}

static int resume_main(int argc, char **argv)
{
    struct resume_args a = { 0 };
    control_init(&a.control);
    int rc = cli_parse(&verb_resume, argc, argv, &a);
    if (rc >= 0)
        return rc;
    struct stages stages;
    struct look l = { 0 };
    bool calls = false;
    struct fault f;
    enum err err = control_find(&a.control, true, &f);
    if (!err && !a.control.dir[0])
        return resume_far(&a);
    if (!err)
        err = look_calls(&l, a.control.dir, a.name, &calls, &f);
    if (!err && calls)
        err = not_resumed(&l, &f);
    look_close(&l);
    if (!err)
        err = stored_studies(a.control.dir, a.name, &stages, &f);
    if (err)
        return cli_fail(&f);
    struct session_plan plan = { .control = &a.control, .study = stages.items[0], .resume = true };
    if (stages.staged) {
        plan.stages = stages.items;
        plan.n_stages = stages.n;
        plan.stages_name = stages.name;
    }
    rc = session_run(&plan);
    stages_free(&stages);
    return rc;
}

const struct verb verb_resume = {
    .name = "resume",
    .summary = "go on with a study that was interrupted or halted",
    .argp = &argp,
    .main = resume_main,
};

/* cancel - the verb `grange cancel`: points that shall not run any more. */
#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/local.h"
#include "cli/look.h"
#include "cli/points.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "cli/stored.h"
#include "cli/where.h"

struct cancel_args {
    struct where_args at;
    struct where where;
    bool json;
    const char *const *words; /* STUDY [POINT...] */
    size_t n;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct cancel_args *a = state->input;
    switch (key) {
    case 'J':
        a->json = true;
        return 0;
    case ARGP_KEY_ARGS:
        a->words = (const char *const *)&state->argv[state->next];
        a->n = (size_t)(state->argc - state->next);
        return 0;
    case ARGP_KEY_END:
        return a->n ? 0 : cli_bad("which study? for example: grange cancel sim");
    default:
        return where_option(key, arg, &a->at);
    }
}

static const struct argp_option options[] = { WHERE_ROWS(0), CLI_OPTION_JSON, { 0 } };

static const struct argp argp = {
    options,
    parse,
    "STUDY [POINT...]",
    "Points that have not ended never will: those that run are stopped, those that wait are not "
    "started. Without POINT: all of the study. POINT is an index or factor values; of calls "
    "KEY:INDEX. `grange retry` "
    "takes it back.\n"
    "\v"
    "EXAMPLES\n"
    "  grange cancel sim\n"
    "  grange cancel sim 17 T=290,n=2\n",
    0,
    0,
    0
};

/* The request goes to the scheduler of the directory, whoever started it, or to one that lives only
 * as long as this takes; or to that of a farm elsewhere. */
static enum err cancel(const struct cancel_args *a, const struct points *p, uint64_t *touched,
                       struct fault *f)
{
    struct local local;
    signals_early();
    if (a->where.connect[0])
        return points_ask(a->where.connect, p, touched, f);
    local_init(&local, a->where.dir, "full", 1);
    enum err err = local_start(&local, true, f);
    if (!err)
        err = points_ask(buf_text(&local.url), p, touched, f);
    local_stop(&local, true);
    local_fini(&local);
    return err;
}

/* The points or calls that were named; calls by their array. */
static enum err find(const struct cancel_args *a, struct points *p, uint64_t **index,
                     struct fault *f)
{
    struct look l = { 0 };
    struct study *s = NULL;
    bool calls = false;
    const char *dir = a->where.dir;
    enum err err = dir[0] ? look_calls(&l, dir, a->words[0], &calls, f) : ERR_NONE;
    if (!err && calls)
        err = points_calls(&l, a->words + 1, a->n - 1, &p->array, index, f);
    else if (!err && dir[0])
        err = stored_study(dir, a->words[0], &s, f);
    if (!err && !calls)
        err = points_find(s, a->words + 1, a->n - 1, index, f);
    study_free(s);
    look_close(&l);
    return err;
}

static enum err find_and_cancel(struct cancel_args *a, uint64_t *touched, struct fault *f)
{
    uint64_t *index = NULL;
    struct points p = { .study = a->words[0], .n = a->n - 1 };
    enum err err = where_find(&a->at, &a->where, f);
    if (!err)
        err = find(a, &p, &index, f);
    p.index = index;
    if (!err)
        err = cancel(a, &p, touched, f);
    free(index);
    return err;
}

static void say_count(uint64_t n, const char *study)
{
    struct buf b = { 0 };
    if (!n) {
        cli_say("nothing of %s was left to cancel", study);
        return;
    }
    progress_count(n, &b);
    cli_say("%s %s cancelled", buf_text(&b), n == 1 ? "point" : "points");
    buf_fini(&b);
}

static int cancel_main(int argc, char **argv)
{
    static struct cancel_args a; /* large */
    int rc = cli_parse(&verb_cancel, argc, argv, &a);
    if (rc >= 0)
        return rc;
    struct fault f;
    uint64_t touched = 0;
    if (find_and_cancel(&a, &touched, &f))
        return cli_fail(&f);
    if (a.json)
        printf("{\"cancelled\": %" PRIu64 "}\n", touched);
    else
        say_count(touched, a.words[0]);
    return CLI_OK;
}

const struct verb verb_cancel = {
    .name = "cancel",
    .summary = "give up points of a study that have not ended",
    .argp = &argp,
    .main = cancel_main,
};

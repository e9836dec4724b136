/* down - the verb `grange down`: ends a farm; its store stays, and what ran will run again. */
#include "cli/cli.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"
#include "cli/control.h"
#include "cli/local.h"
#include "cli/points.h"
#include "cli/signals.h"
#include "cli/where.h"
#include "farm/keepers.h"
#include "farm/registry.h"

enum { OPT_DRAIN = OPT_VERB, OPT_NOW };
enum {
    GONE_WITHIN_MS = 20000, /* after the farm was told to end at once: TERM, grace, KILL and some */
    KILLED_WITHIN_MS = 5000,
    LOOK_AGAIN_MS = 10,
};

struct down_args {
    struct where_args at;
    struct where where;
    bool drain, now, quiet;
    ms_t grace_ms;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct down_args *a = state->input;
    switch (key) {
    case OPT_DRAIN:
        a->drain = true;
        return 0;
    case OPT_NOW:
        a->now = true;
        return 0;
    case OPT_GRACE:
        return cli_duration("--grace", arg, 0, 1000 * GRACE_MAX_S, &a->grace_ms);
    case 'q':
        a->quiet = true;
        return 0;
    case ARGP_KEY_ARG:
        return cli_bad("grange down takes no '%s'; --farm or --dir says which one", arg);
    case ARGP_KEY_END:
        return a->drain && a->now ? cli_bad("either --drain or --now, not both") : 0;
    default:
        return where_option(key, arg, &a->at);
    }
}

static const struct argp_option options[] = {
    { "drain", OPT_DRAIN, 0, 0, "let all running points finish, however long they take", 0 },
    { "now", OPT_NOW, 0, 0, "stop running points at once", 0 },
    { "grace", OPT_GRACE, "TIME", 0, "that running points get to finish (default 10s)", 0 },
    { "quiet", 'q', 0, 0, "say nothing when all is well", 0 },
    WHERE_ROWS(0),
    { 0 },
};

static const struct argp argp = {
    options,
    parse,
    "",
    "Ends a farm: no new points start, running ones may finish within the grace, the rest is "
    "stopped, at no cost: those points are still to be done when the farm is up again. Returns "
    "when "
    "scheduler and workers are gone.\n"
    "\v"
    "EXAMPLES\n"
    "  grange down\n"
    "  grange down --drain\n"
    "  grange down --now --farm lab\n",
    0,
    0,
    0
};

/* ---- asking the scheduler ---- */

static enum err ask(const struct down_args *a, struct fault *f)
{
    struct grange *g = NULL;
    ms_t grace = a->now ? 0 : a->drain ? -1 : a->grace_ms;
    signals_early();
    enum err err = where_connect(&a->where, &g, f);
    if (err)
        return err;
    signals_asked(SIGNALS_FARM);
    int rc = grange_down(g, grace, REQUEST_MS);
    if (rc)
        err = fault_set(f, (enum err)rc, "%s", grange_message(g));
    grange_close(g);
    return err;
}

/* ---- seeing that it is gone ---- */

static void nap(void)
{
    nanosleep(&(struct timespec){ 0, LOOK_AGAIN_MS * 1000000L }, NULL);
}

static bool is_left(const char *dir)
{
    static struct keeper_entry found[KEEPERS_MAX];
    return farm_held(dir, NULL) || keepers_list(dir, found, KEEPERS_MAX) > 0;
}

static bool gone_within(const char *dir, ms_t timeout_ms)
{
    ms_t until = timeout_ms < 0 ? MS_NEVER : clock_mono_ms() + timeout_ms;
    while (is_left(dir)) {
        if (clock_mono_ms() >= until)
            return false;
        nap();
    }
    return true;
}

static void signal_keepers(const char *dir, int sig)
{
    static struct keeper_entry found[KEEPERS_MAX];
    size_t n = keepers_list(dir, found, KEEPERS_MAX);
    for (size_t i = 0; i < n; i++)
        kill(found[i].pid, sig);
}

/* What does not end by being asked is ended by its keepers, and at last they are killed: their
 * children go with them. */
static enum err make_gone(const struct down_args *a, bool asked, struct fault *f)
{
    const char *dir = a->where.dir;
    ms_t grace = !asked || a->now ? 0 : a->drain ? -1 : a->grace_ms;
    if (asked && gone_within(dir, grace < 0 ? -1 : grace + GONE_WITHIN_MS))
        return ERR_NONE;
    signal_keepers(dir, SIGTERM);
    signal_keepers(dir, SIGHUP);
    if (gone_within(dir, KILLED_WITHIN_MS))
        return ERR_NONE;
    signal_keepers(dir, SIGKILL);
    if (gone_within(dir, KILLED_WITHIN_MS))
        return ERR_NONE;
    long pid = 0;
    farm_held(dir, &pid);
    return fault_set(f, ERR_BUSY, "the scheduler of %s (process %ld) does not end; see its log",
                     dir, pid);
}

static void leave_registry(const char *dir)
{
    struct farm *farms = NULL;
    size_t n = 0;
    struct fault unused;
    char *path = realpath(dir, NULL);
    if (!path || registry_list(&farms, &n, &unused))
        n = 0;
    for (size_t i = 0; i < n; i++)
        if (farms[i].state == FARM_DOWN && strcmp(farms[i].dir, path) == 0)
            (void)registry_remove(farms[i].name, &unused);
    free(farms);
    free(path);
}

static enum err down(struct down_args *a, bool *was_up, struct fault *f)
{
    enum err err = where_find(&a->at, &a->where, f);
    if (err)
        return err;
    const char *dir = a->where.dir;
    pid_t pid = 0;
    if (!a->where.connect[0] && local_holder(dir, &pid) == HOLDER_RUN)
        return fault_set(f, ERR_BUSY,
                         "%s is that of a `grange run` (process %d), which ends it by itself", dir,
                         (int)pid);
    *was_up = a->where.up || is_left(dir);
    if (!*was_up)
        return ERR_NONE;
    err = a->where.up ? ask(a, f) : ERR_NONE;
    if (!dir[0]) /* it is not on this machine: its scheduler has said that it ends */
        return err;
    err = make_gone(a, a->where.up && !err, f);
    if (!err)
        leave_registry(dir);
    return err;
}

static int down_main(int argc, char **argv)
{
    static struct down_args a; /* large */
    a = (struct down_args){ .grace_ms = 1000 * GRACE_DEFAULT_S };
    int rc = cli_parse(&verb_down, argc, argv, &a);
    if (rc >= 0)
        return rc;
    struct fault f;
    bool was_up = false;
    if (down(&a, &was_up, &f))
        return cli_fail(&f);
    struct buf name = { 0 };
    where_name(&a.where, &name);
    if (!a.quiet)
        cli_say("%s %s", buf_text(&name), was_up ? "is down" : "is not up");
    buf_fini(&name);
    return CLI_OK;
}

const struct verb verb_down = {
    .name = "down",
    .summary = "end a farm; what ran will run again when it is up",
    .argp = &argp,
    .main = down_main,
};

/* workers - the verb `grange workers`: the workers of the farm and their engines. */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/farm_view.h"
#include "cli/live.h"
#include "cli/points.h"
#include "cli/signals.h"
#include "cli/terminal.h"
#include "cli/where.h"

enum { OPT_WATCH = 400, LOOK_EVERY_MS = 500 };

struct workers_args {
    struct where_args at;
    struct where where;
    bool json, watch;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct workers_args *a = state->input;
    switch (key) {
    case 'J':
        a->json = true;
        return 0;
    case OPT_WATCH:
        a->watch = true;
        return 0;
    case ARGP_KEY_ARG:
        return cli_bad("grange workers takes no '%s'", arg);
    case ARGP_KEY_END:
        return a->json && a->watch ? cli_bad("either --json or --watch, not both") : 0;
    default:
        return where_option(key, arg, &a->at);
    }
}

static const struct argp_option options[] = {
    { "watch", OPT_WATCH, 0, 0, "go on showing them, until q or Ctrl-C", 0 },
    CLI_OPTION_JSON,
    WHERE_ROWS(0),
    { 0 },
};

static const struct argp argp = {
    options,
    parse,
    "",
    "A line a worker of the farm: its number and name, host, state (up; away: its connection is "
    "lost; draining: it ends soon; quarantined: it gets nothing new, and why), slots, how many are "
    "busy, points that wait there, attempts that ended there, memory, since when it is up, its "
    "resources and labels. Then a line an engine: how often it was started again, and why.\n"
    "\v"
    "EXAMPLES\n"
    "  grange workers\n"
    "  grange workers --watch\n"
    "  grange workers --json\n",
    0,
    0,
    0
};

static enum err look(struct grange *g, const struct workers_args *a, unsigned width,
                     struct buf *text, struct fault *f)
{
    struct grange_farm *farm = NULL;
    int rc = grange_farm_look(g, REQUEST_MS, &farm);
    buf_clear(text);
    if (rc)
        return fault_set(f, (enum err)rc, "%s", grange_message(g));
    if (a->json) {
        farm_view_json(farm, text);
    } else {
        farm_view_workers(farm, clock_wall_ms(), width, text);
        if (farm->n_engines)
            buf_addc(text, '\n');
        farm_view_engines(farm, width, text);
    }
    free(farm);
    return ERR_NONE;
}

/* Where stdout is no terminal only what differs is printed again. */
static enum err watch(struct grange *g, const struct workers_args *a, struct fault *f)
{
    struct live live;
    struct buf text = { 0 }, before = { 0 };
    enum err err = ERR_NONE;
    live_open(&live);
    do {
        err = look(g, a, live.width, &text, f);
        if (err)
            break;
        if (live.terminal || strcmp(buf_text(&text), buf_text(&before)) != 0)
            live_show(&live, &text);
        buf_clear(&before);
        buf_add(&before, text.data, text.n);
    } while (live_wait(&live, LOOK_EVERY_MS));
    live_close(&live);
    buf_fini(&text);
    buf_fini(&before);
    return err;
}

static int workers_main(int argc, char **argv)
{
    static struct workers_args a; /* large */
    int rc = cli_parse(&verb_workers, argc, argv, &a);
    if (rc >= 0)
        return rc;
    struct grange *g = NULL;
    struct fault f;
    struct buf text = { 0 };
    signals_asked(SIGNALS_LOOKING);
    enum err err = where_open(&a.at, &a.where, &g, &f);
    if (!err && a.watch)
        err = watch(g, &a, &f);
    else if (!err)
        err = look(g, &a, terminal_width(STDOUT_FILENO), &text, &f);
    fputs(buf_text(&text), stdout);
    buf_fini(&text);
    grange_close(g);
    return err ? cli_fail(&f) : CLI_OK;
}

const struct verb verb_workers = {
    .name = "workers",
    .summary = "the workers of the farm: slots, busy, state; their engines",
    .argp = &argp,
    .main = workers_main,
};

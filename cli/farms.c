/* farms - the verb `grange farms`: this user's farms, where they are and whether they are up. */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/table.h"
#include "cli/terminal.h"
#include "farm/keepers.h"
#include "farm/registry.h"

struct farms_args {
    bool json;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct farms_args *a = state->input;
    switch (key) {
    case 'J':
        a->json = true;
        return 0;
    case ARGP_KEY_ARG:
        return cli_bad("grange farms takes no '%s'", arg);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = { CLI_OPTION_JSON, { 0 } };

static const struct argp argp = {
    options,
    parse,
    "",
    "A line a farm that this user started with `grange up`: its name, whether it is up, its "
    "directory and host, the workers that `grange up` keeps for it, and since when it is up. One "
    "that is down is started again by `grange up --dir` of its directory.\n"
    "\v"
    "EXAMPLES\n"
    "  grange farms\n"
    "  grange farms --json\n",
    0,
    0,
    0
};

static const char *state_of(const struct farm *farm)
{
    if (farm->kept)
        return "starting";
    return farm->state == FARM_UP ? "up" : farm->state == FARM_DOWN ? "down" : "on another host";
}

static uint32_t workers_of(const struct farm *farm)
{
    static struct keeper_entry found[KEEPERS_MAX];
    uint32_t workers = 0;
    size_t n = farm->state == FARM_UP ? keepers_list(farm->dir, found, KEEPERS_MAX) : 0;
    for (size_t i = 0; i < n; i++)
        workers += found[i].left;
    return workers;
}

static void print_table(const struct farm *farms, size_t n)
{
    static const char *const headings[] = { "farm",     "state", "workers",
                                            "up since", "host",  "directory" };
    static const bool number[] = { false, false, true, false, false, false };
    struct table t;
    table_open(&t, stdout, terminal_width(STDOUT_FILENO), 6, headings);
    for (size_t i = 0; i < n; i++) {
        char workers[16] = "-", since[32] = "-";
        time_t started = (time_t)(farms[i].started_ms / 1000);
        struct tm tm;
        if (farms[i].state == FARM_UP) {
            snprintf(workers, sizeof workers, "%u", workers_of(&farms[i]));
            strftime(since, sizeof since, "%F %T", localtime_r(&started, &tm));
        }
        const char *cells[] = { farms[i].name, state_of(&farms[i]), workers,
                                since,         farms[i].host,       farms[i].dir };
        table_row(&t, cells, number);
    }
    table_close(&t);
}

static void add_member(const char *before, const char *text, struct buf *b)
{
    buf_adds(b, before);
    buf_add_json(b, text, strlen(text));
}

static void print_json(const struct farm *farms, size_t n)
{
    struct buf b;
    buf_init(&b);
    buf_addc(&b, '[');
    for (size_t i = 0; i < n; i++) {
        const struct farm *farm = &farms[i];
        add_member(i ? ",\n  {\"farm\": " : "\n  {\"farm\": ", farm->name, &b);
        add_member(", \"state\": ", state_of(farm), &b);
        add_member(", \"host\": ", farm->host, &b);
        add_member(", \"dir\": ", farm->dir, &b);
        buf_addf(&b, ", \"pid\": %ld, \"workers\": %u, \"started_ms\": %lld}",
                 farm->state == FARM_UP ? farm->pid : 0, workers_of(farm),
                 (long long)farm->started_ms);
    }
    buf_adds(&b, n ? "\n]\n" : "]\n");
    fputs(buf_text(&b), stdout);
    buf_fini(&b);
}

/* An entry whose directory is gone says nothing any more. */
static size_t forget_gone(struct farm *farms, size_t n)
{
    size_t kept = 0;
    struct fault unused;
    for (size_t i = 0; i < n; i++)
        if (farms[i].state == FARM_DOWN && access(farms[i].dir, F_OK) != 0)
            (void)registry_remove(farms[i].name, &unused);
        else
            farms[kept++] = farms[i];
    return kept;
}

static int farms_main(int argc, char **argv)
{
    struct farms_args a = { 0 };
    int rc = cli_parse(&verb_farms, argc, argv, &a);
    if (rc >= 0)
        return rc;
    struct farm *farms = NULL;
    size_t n = 0;
    struct fault f;
    if (registry_list(&farms, &n, &f))
        return cli_fail(&f);
    n = forget_gone(farms, n);
    if (n || a.json)
        (a.json ? print_json : print_table)(farms, n);
    else
        cli_say("no farm of yours is up; start one: grange up");
    free(farms);
    return CLI_OK;
}

const struct verb verb_farms = {
    .name = "farms",
    .summary = "your farms: name, directory, workers, up since",
    .argp = &argp,
    .main = farms_main,
};

/* main - the list of verbs, and `grange`, `grange help`, `grange --version`. */
#include "cli/cli.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "cli/tally.h"
#include "client/grange.h"
#include "engine/host.h"

/* clang-format off */
const struct verb *const cli_verbs[] = { /* a line a group */
    &verb_run, &verb_resume, &verb_retry, &verb_cancel,
    &verb_submit, &verb_wait,
    &verb_status, &verb_results, &verb_log, &verb_explain, &verb_graph,
    &verb_up, &verb_down, &verb_farms, &verb_workers, &verb_top,
    &verb_hold, &verb_release, &verb_priority, &verb_drain,
    &verb_call,
    &verb_worker, &verb_scheduler,
    &verb_completion,
    NULL,
};
/* clang-format on */

static void standard_fds(void);
static int answer(int argc, char **argv);
static int help(int argc, char **argv);
static int unknown_verb(const char *name);
static void overview(FILE *to);

int main(int argc, char **argv)
{
    standard_fds();
    if (argc > 1 && strcmp(argv[1], "engine-host") == 0) /* what a worker starts; not for people */
        return engine_host(argv + 2, (size_t)argc - 2);
    return cli_put_end(answer(argc, argv));
}

static int answer(int argc, char **argv)
{
    if (argc < 2) {
        overview(stdout);
        return CLI_OK;
    }
    const char *name = argv[1];
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        printf("grange %s\n", GRANGE_VERSION);
        return CLI_OK;
    }
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return help(argc - 2, argv + 2);
    if (strcmp(name, "tally") == 0) /* what a scheduler starts for a client elsewhere */
        return tally_main(argc - 2, argv + 2);
    const struct verb *v = cli_verb(name);
    return v ? v->main(argc - 1, argv + 1) : unknown_verb(name);
}

/* standard_fds - 0, 1 and 2 are open from here on, so that no file or pipe becomes one of them.
 * What is printed to a closed stdout still fails. */
static void standard_fds(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)open("/dev/null", fd == 1 ? O_RDONLY : O_RDWR); /* the lowest that is free */
}

const struct verb *cli_verb(const char *name)
{
    for (size_t i = 0; cli_verbs[i]; i++)
        if (strcmp(cli_verbs[i]->name, name) == 0)
            return cli_verbs[i];
    return NULL;
}

static const char exit_codes[] =
    "Exit codes of grange:\n"
    "\n"
    "    0  what was asked for was done; all points of the study succeeded\n"
    "    1  the study ran and some points failed, were cancelled or skipped, or are left because "
    "it\n"
    "       halted\n"
    "    2  wrong usage: nothing was started and nothing was stored\n"
    "    3  an error: the store cannot be used, the disk is full, the directory is in use by\n"
    "       another `grange run`, no scheduler could be had, or that of the farm went away and "
    "did\n"
    "       not come back within ten seconds; stdout cannot be written. What was recorded stays "
    "recorded.\n"
    "    4  --timeout of `grange wait` and `grange call`: the time was over\n"
    "  130  interrupted by Ctrl-C or a signal; what was done is recorded, and the command that\n"
    "       goes on was printed\n"
    "  141  nobody reads stdout any more (`| head`), and all else went well: SIGPIPE, in silence\n"
    "\n"
    "`grange scheduler` ends with 10 when another process has the directory, 11 when its store is\n"
    "damaged, 12 when its store was made by a newer grange, 13 when the disk is full and 14 for\n"
    "other input/output errors. `grange run` says what that means and exits 3.\n"
    "\n"
    "`grange worker` ends with 0 when it was told to end, 1 when this machine could not, 20 when\n"
    "the scheduler does not take it and 21 when there was no scheduler for ten minutes.\n";

static int help(int argc, char **argv)
{
    if (argc == 0 || strcmp(argv[0], "--help") == 0) {
        overview(stdout);
        return CLI_OK;
    }
    if (strcmp(argv[0], "exit-codes") == 0) {
        fputs(exit_codes, stdout);
        return CLI_OK;
    }
    const struct verb *v = cli_verb(argv[0]);
    if (!v)
        return unknown_verb(argv[0]);
    cli_help(v, stdout);
    return CLI_OK;
}

static int unknown_verb(const char *name)
{
    const char *names[32];
    size_t n = 0;
    for (; cli_verbs[n]; n++)
        names[n] = cli_verbs[n]->name;
    names[n++] = "help";
    const char *near = cli_suggest(name, names, n);
    if (near)
        cli_say("there is no '%s'; did you mean 'grange %s'?", name, near);
    else if (name[0] == '-')
        cli_say("grange has no option %s; see 'grange help'", name);
    else
        cli_say("there is no '%s'; see 'grange help' (to run a command: grange run %s ...)", name,
                name);
    return CLI_USAGE;
}

static void overview(FILE *to)
{
    fputs(
        "grange - run many points of a study on all cores, and never lose one\n"
        "\n"
        "    grange run ./sim -T {T} -n {n} ::: T=280:320:10 n=1,2,4    sweep a command\n"
        "    grange run ./sim -T {T} -n {n} ::: T=280:320:10 n=1,2,4    again: only what is "
        "missing\n"
        "    grange results sim --format csv -o sim.csv                 the table\n"
        "    grange up -n 2                                             a farm that stays up, for "
        "all runs\n"
        "\n"
        "Verbs:\n",
        to);
    for (size_t i = 0; cli_verbs[i]; i++)
        fprintf(to, "  %-11s %s\n", cli_verbs[i]->name, cli_verbs[i]->summary);
    fputs("  help        help on a verb: grange help run; also grange help exit-codes\n"
          "\n"
          "Everything is kept in the directory .grange; --dir names another.\n",
          to);
}

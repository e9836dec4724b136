/* daemons - the verbs `grange scheduler` and `grange worker`: the two daemons, in the foreground.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/must.h"
#include "cli/control.h"
#include "cli/offered.h"
#include "scheduler/scheduler.h"
#include "study/study.h"
#include "worker/worker.h"

enum { LISTEN_MAX = 7 }; /* the socket and two listeners each are within LISTENERS_MAX */

enum {
    OPT_LIFELINE = OPT_VERB,
    OPT_READY,
    OPT_OWNER,
    OPT_LOG,
    OPT_LEVEL,
    OPT_CONNECT,
    OPT_LISTEN,
    OPT_FARM,
    OPT_NAME,
    OPT_MEMORY,
    OPT_GRACE_TIME,
    OPT_INNER,
    OPT_PLUGIN,
    OPT_ENGINE,
    OPT_SIZE,
    OPT_LABEL,
    OPT_RESOURCE,
    OPT_END,
};

static error_t one_of(const char *what, const char *arg, const char *const *words, int *to)
{
    for (int i = 0; words[i]; i++) {
        if (strcmp(words[i], arg) != 0)
            continue;
        *to = i;
        return 0;
    }
    struct buf b;
    buf_init(&b);
    for (int i = 0; words[i]; i++)
        buf_addf(&b, "%s%s", i ? ", " : "", words[i]);
    cli_bad("%s: '%s' is not known; it is one of %s", what, arg, buf_text(&b));
    buf_fini(&b);
    return EINVAL;
}

static error_t parse_level(const char *arg, enum log_level *level)
{
    static const char *const words[] = { "quiet", "error", "info", "debug", NULL };
    int i = 0;
    error_t rc = one_of("--log-level", arg, words, &i);
    *level = (enum log_level)i;
    return rc;
}

static error_t parse_fd(const char *what, const char *arg, int *fd)
{
    uint64_t n = 0;
    error_t rc = cli_number(what, arg, 0, 1 << 20, &n);
    *fd = (int)n;
    return rc;
}

#define LOG_OPTIONS                                                                                \
    { "log", OPT_LOG, "FILE", 0, "append the log to FILE (default: stderr)", 0 },                  \
        { "log-level", OPT_LEVEL, "LEVEL", 0, "quiet, error, info (default) or debug", 0 },        \
    {                                                                                              \
        "lifeline-fd", OPT_LIFELINE, "N", 0, "end when this descriptor reaches its end", 0         \
    }

/* ---- scheduler ---- */

/* add_listen - the addresses live as long as the process does. */
static error_t add_listen(struct scheduler_options *o, const char *url)
{
    static const char *listen[LISTEN_MAX];

    if (o->n_listen == LISTEN_MAX)
        return cli_bad("--listen was given more than %d times", (int)LISTEN_MAX);
    listen[o->n_listen++] = url;
    o->listen = listen;
    return cli_listen(url);
}

static error_t parse_scheduler(int key, char *arg, struct argp_state *state)
{
    static const char *const syncs[] = { "full", "normal", "off", NULL }; /* in this order */
    struct scheduler_options *o = state->input;
    switch (key) {
    case 'd':
        o->dir = arg;
        return 0;
    case OPT_OWNER:
        o->owner = arg;
        return 0;
    case OPT_LOG:
        o->log_path = arg;
        return 0;
    case OPT_LEVEL:
        return parse_level(arg, &o->log_level);
    case OPT_LIFELINE:
        return parse_fd("--lifeline-fd", arg, &o->lifeline_fd);
    case OPT_READY:
        return parse_fd("--ready-fd", arg, &o->ready_fd);
    case OPT_SYNC:
        return one_of("--sync", arg, syncs, &o->sync);
    case OPT_LISTEN:
        return add_listen(o, arg);
    case OPT_FARM:
        o->farm = arg;
        return 0;
    case ARGP_KEY_ARG:
        return cli_bad("grange scheduler takes no '%s'", arg);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option scheduler_options[] = {
    CLI_OPTION_DIR,
    { "sync", OPT_SYNC, "full|normal|off", 0,
      "how results are written: full (default) survives a power cut", 0 },
    { "owner", OPT_OWNER, "TEXT", 0, "who started it: \"run PID\"", 0 },
    { "listen", OPT_LISTEN, "URL", 0,
      "tls+tcp://HOST:PORT for workers and clients on other hosts (PORT 0: any; clients at PORT, "
      "workers at PORT+1); may be repeated; tcp:// is open to everybody, ipc://PATH a socket",
      0 },
    { "farm", OPT_FARM, "NAME", 0, "the name that connection files say", 0 },
    { "ready-fd", OPT_READY, "N", 0, "write \"ready\" to this descriptor once it serves", 0 },
    LOG_OPTIONS,
    { 0 },
};

static const struct argp scheduler_argp = {
    scheduler_options,
    parse_scheduler,
    "",
    "The scheduler of a grange directory, in the foreground. `grange run` starts one by itself; "
    "with this one there, it uses it.\n"
    "\v"
    "EXAMPLES\n"
    "  grange scheduler                      in one terminal\n"
    "  grange worker -j 4                    in another\n"
    "  grange run ./sim {T} ::: T=1:100      in a third\n",
    0,
    0,
    0
};

static int scheduler_verb(int argc, char **argv)
{
    struct scheduler_options o = {
        .log_level = LOG_INFO, .lifeline_fd = -1, .ready_fd = -1 /* and sync is full */
    };
    struct fault f;
    int rc = cli_parse(&verb_scheduler, argc, argv, &o);
    if (rc >= 0)
        return rc;
    if (!o.dir && where_own(&f))
        return cli_fail(&f);
    o.dir = o.dir ? o.dir : CLI_DIR_DEFAULT;
    return scheduler_main(&o);
}

const struct verb verb_scheduler = {
    .name = "scheduler",
    .summary = "the scheduler of a directory, in the foreground",
    .argp = &scheduler_argp,
    .main = scheduler_verb,
};

/* ---- worker ---- */

/* Batch systems leave so much between the signal and the end. */
enum { WORKER_GRACE_MS = 30000 };

static error_t parse_slots(const char *arg, uint32_t *slots)
{
    uint64_t n = 0;
    error_t rc = cli_number("-j", arg, 1, SLOTS_MAX, &n);
    *slots = (uint32_t)n;
    return rc;
}

static void free_plugins(struct worker_options *o)
{
    for (size_t i = 0; i < o->n_plugins; i++)
        free(o->plugins[i]);
    free((void *)o->plugins);
}

/* add_plugin - as an absolute path: engines may start elsewhere. */
static error_t add_plugin(const char *arg, struct worker_options *o)
{
    char *path = realpath(arg, NULL);
    char **plugins =
        path ? realloc((void *)o->plugins, (o->n_plugins + 1) * sizeof *plugins) : NULL;

    if (!path || access(path, R_OK) != 0) {
        error_t rc = cli_bad("--plugin: cannot read '%s': %s", arg, strerror(errno));
        free(path);
        return rc;
    }
    must(plugins != NULL);
    plugins[o->n_plugins++] = path;
    o->plugins = plugins;
    return 0;
}

/* Repeated options, as one text with commas. */
static struct buf worker_labels, worker_resources;

static error_t parse_end(const char *arg, ms_t *end_ms)
{
    struct tm tm = { .tm_isdst = -1 };
    ms_t in_ms;

    if (*arg == '@') /* from the supervisor to the worker proper: the very time */
        return cli_duration("--end-time", arg + 1, 1, INT64_MAX / 2, end_ms);
    const char *rest = strptime(arg, "%Y-%m-%dT%H:%M", &tm);
    if (rest && *rest == ':')
        rest = strptime(rest, ":%S", &tm);
    if (rest && (!*rest || strcmp(rest, "Z") == 0)) {
        *end_ms = 1000 * (ms_t)(*rest ? timegm(&tm) : mktime(&tm));
        return *end_ms > clock_wall_ms() ? 0 : cli_bad("--end-time: '%s' is over", arg);
    }
    if (*arg < '0' || *arg > '9' || rest || strchr(arg, '-') || strchr(arg, ':'))
        return cli_bad("--end-time: '%s' should be a time from now such as 2h or 90m, or one such "
                       "as 2026-11-21T18:00 (local) or 2026-11-21T18:00:00Z",
                       arg);
    error_t rc = cli_duration("--end-time", arg, 1, 1000LL * 86400 * 366, &in_ms);
    *end_ms = clock_wall_ms() + in_ms;
    return rc;
}

static error_t parse_worker(int key, char *arg, struct argp_state *state)
{
    struct worker_options *o = state->input;
    error_t rc;
    switch (key) {
    case 'd':
        o->dir = arg;
        return 0;
    case 'j':
        return parse_slots(arg, &o->slots);
    case OPT_CONNECT:
        o->url = arg;
        return 0;
    case OPT_NAME:
        o->name = arg;
        return strlen(arg) <= NAME_BYTES_MAX
                   ? 0
                   : cli_bad("--name: a name has at most %d bytes", (int)NAME_BYTES_MAX);
    case OPT_GRACE_TIME:
        return cli_duration("--grace", arg, 0, 1000 * GRACE_MAX_S, &o->grace_ms);
    case OPT_READY:
        return parse_fd("--ready-fd", arg, &o->ready_fd);
    case OPT_MEMORY:
        return cli_number("--memory-mib", arg, 1, 1 << 30, &o->memory_mib);
    case OPT_SIZE:
        return offered_memory(arg, &o->memory_mib);
    case OPT_LABEL:
        rc = offered_label(&worker_labels, arg);
        o->labels = buf_text(&worker_labels);
        return rc;
    case OPT_RESOURCE:
        rc = offered_resource(&worker_resources, arg);
        o->resources = buf_text(&worker_resources);
        return rc;
    case OPT_END:
        return parse_end(arg, &o->end_ms);
    case OPT_LOG:
        o->log_path = arg;
        return 0;
    case OPT_LEVEL:
        return parse_level(arg, &o->log_level);
    case OPT_LIFELINE:
        return parse_fd("--lifeline-fd", arg, &o->lifeline_fd);
    case OPT_INNER:
        o->inner = true;
        return 0;
    case OPT_PLUGIN:
        return add_plugin(arg, o);
    case OPT_ENGINE:
        o->engine = arg;
        return *arg ? 0 : cli_bad("--engine needs a command");
    case ARGP_KEY_END:
        return o->engine && o->n_plugins
                   ? cli_bad(
                         "--plugin and --engine: the engines of a worker either run plug-ins or "
                         "are the command; start another worker for the other")
                   : 0;
    case ARGP_KEY_ARG:
        return cli_bad("grange worker takes no '%s'", arg);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option worker_options[] = {
    CLI_OPTION_DIR,
    { "connect", OPT_CONNECT, "FILE", 0,
      "where the scheduler is: the worker.json that it wrote, an address or the name of a farm "
      "(default: that of --dir)",
      0 },
    { "slots", 'j', "N", 0, "points at a time (default: the cores of this machine)", 0 },
    { "jobs", 0, 0, OPTION_ALIAS, 0, 0 },
    { "memory", OPT_SIZE, "SIZE", 0,
      "that points may take together: 512M, 8G (default: that of this machine)", 0 },
    { "memory-mib", OPT_MEMORY, "N", OPTION_HIDDEN, "the same in MiB", 0 },
    { "label", OPT_LABEL, "LABEL", 0, "for points that require it: big, arch=arm; repeatable", 0 },
    { "resource", OPT_RESOURCE, "NAME=N", 0, "for points that take of it: gpus=2; repeatable", 0 },
    { "end-time", OPT_END, "TIME", 0,
      "it ends then, 2h from now or 2026-11-21T18:00: nothing starts that takes longer", 0 },
    { "name", OPT_NAME, "NAME", 0,
      "of this worker; the one that replaces it takes the same (default: HOST-PID)", 0 },
    { "grace", OPT_GRACE_TIME, "TIME", 0,
      "that running points get to finish after SIGTERM (default 30s); a second one: none", 0 },
    { "ready-fd", OPT_READY, "N", 0, "write \"ready\" to this descriptor once it may have work",
      0 },
    { "plugin", OPT_PLUGIN, "LIBRARY", 0,
      "run calls of the functions in this plug-in, on one engine a slot; may be repeated", 0 },
    { "engine", OPT_ENGINE, "COMMAND", 0,
      "the same with a program of yours that speaks the engine protocol (docs/engine.md)", 0 },
    { "inner", OPT_INNER, 0, OPTION_HIDDEN, 0, 0 },
    LOG_OPTIONS,
    { 0 },
};

static const struct argp worker_argp = {
    worker_options,
    parse_worker,
    "",
    "A worker, in the foreground: runs the points that a scheduler hands out. `grange run` starts "
    "one by itself.\n"
    "\v"
    "EXAMPLES\n"
    "  grange worker -j 4\n"
    "  grange worker --dir /scratch/study/.grange\n"
    "  grange worker --plugin ./collatz.so              also runs calls of its functions\n"
    "  grange worker --engine 'python3 engine.py'       of functions in another language\n",
    0,
    0,
    0
};

static int worker_verb(int argc, char **argv)
{
    struct worker_options o = {
        .lifeline_fd = -1, .ready_fd = -1, .grace_ms = WORKER_GRACE_MS, .log_level = LOG_INFO
    };
    int rc = cli_parse(&verb_worker, argc, argv, &o);
    if (rc >= 0)
        return rc;
    struct buf url;
    struct fault f;
    buf_init(&url);
    if (!o.url && !o.dir && where_own(&f)) {
        rc = cli_fail(&f);
    } else if (!o.url) {
        o.dir = o.dir ? o.dir : CLI_DIR_DEFAULT;
        cli_url(o.dir, &url);
        o.url = buf_text(&url);
    }
    rc = o.url ? worker_main(&o) : rc;
    buf_fini(&worker_labels);
    buf_fini(&worker_resources);
    free_plugins(&o);
    buf_fini(&url);
    return rc;
}

const struct verb verb_worker = {
    .name = "worker",
    .summary = "a worker, in the foreground",
    .argp = &worker_argp,
    .main = worker_verb,
};

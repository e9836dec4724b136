/* up - the verb `grange up`: a farm in the background, with a keeper (keeper.h) above it. */
#include "cli/cli.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/must.h"
#include "cli/control.h"
#include "cli/keeper.h"
#include "cli/local.h"
#include "cli/offered.h"
#include "cli/where.h"
#include "farm/connection.h"
#include "farm/keepers.h"
#include "farm/registry.h"
#include "farm/secret.h"

enum {
    OPT_LISTEN = OPT_VERB,
    OPT_NAME,
    OPT_PLUGIN,
    OPT_ENGINE,
    OPT_LABEL,
    OPT_MEMORY,
    OPT_RESOURCE,
};
enum { ANOTHER_UP_MS = 5000, LOOK_AGAIN_MS = 10 };

struct up_args {
    struct keeper_options keep;
    const char *dir;
    char name[NAME_BYTES_MAX + 1];
    bool registered; /* this directory is in the list of farms */
    bool name_given, workers_given, slots_given, json, quiet;
    struct buf labels, resources; /* of all of them, to be checked */
};

static error_t parse_u32(const char *what, const char *arg, uint64_t min, uint64_t max,
                         uint32_t *to)
{
    uint64_t n = 0;
    error_t rc = cli_number(what, arg, min, max, &n);
    *to = (uint32_t)n;
    return rc;
}

/* hand_on - an option of the workers. */
static error_t hand_on(struct up_args *a, const char *option, const char *value)
{
    if (a->keep.n_worker_args + 2 > KEEPER_WORKER_ARGS_MAX)
        return cli_bad("%s: at most %d options for workers", option, KEEPER_WORKER_ARGS_MAX / 2);
    a->keep.worker_args[a->keep.n_worker_args++] = option;
    a->keep.worker_args[a->keep.n_worker_args++] = value;
    return 0;
}

/* The keeper is elsewhere: the path as it is for everybody. It lives as long as this process. */
static error_t hand_on_path(struct up_args *a, const char *option, const char *value)
{
    char *path = realpath(value, NULL);
    if (!path)
        return cli_bad("%s: cannot read '%s': %s", option, value, strerror(errno));
    return hand_on(a, option, path);
}

/* The same of a socket; it may not be there yet. */
static const char *from_here(const char *url)
{
    char here[PATH_MAX], *whole = NULL;
    if (strncmp(url, "ipc://", 6) != 0 || url[6] == '/' || !getcwd(here, sizeof here))
        return url;
    must(asprintf(&whole, "ipc://%s/%s", here, url + 6) > 0);
    return whole;
}

static error_t add_listen(struct up_args *a, const char *url)
{
    if (a->keep.n_listen == KEEPER_LISTEN_MAX)
        return cli_bad("--listen was given more than %d times", (int)KEEPER_LISTEN_MAX);
    error_t rc = cli_listen(url);
    a->keep.listen[a->keep.n_listen++] = rc ? url : from_here(url);
    return rc;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct up_args *a = state->input;
    error_t rc;
    switch (key) {
    case 'n':
        a->workers_given = true;
        return parse_u32("-n", arg, 0, KEEPER_WORKERS_MAX, &a->keep.n_workers);
    case 'j':
        a->slots_given = true;
        return parse_u32("-j", arg, 1, SLOTS_MAX, &a->keep.slots);
    case 'd':
        a->dir = arg;
        return arg[0] ? 0 : cli_bad("--dir needs the name of a directory");
    case OPT_LISTEN:
        return add_listen(a, arg);
    case OPT_PLUGIN:
        return hand_on_path(a, "--plugin", arg);
    case OPT_ENGINE:
        return hand_on(a, "--engine", arg);
    case OPT_LABEL:
        rc = offered_label(&a->labels, arg);
        return rc ? rc : hand_on(a, "--label", arg);
    case OPT_MEMORY:
        rc = offered_memory(arg, &(uint64_t){ 0 });
        return rc ? rc : hand_on(a, "--memory", arg);
    case OPT_RESOURCE:
        rc = offered_resource(&a->resources, arg);
        return rc ? rc : hand_on(a, "--resource", arg);
    case OPT_GRACE:
        rc = cli_duration("--grace", arg, 0, 1000 * GRACE_MAX_S, &(ms_t){ 0 });
        return rc ? rc : hand_on(a, "--grace", arg);
    case OPT_NAME:
        a->name_given = true;
        snprintf(a->name, sizeof a->name, "%s", arg);
        struct fault f;
        return registry_name_ok(arg, &f) ? cli_bad("--name: %s", f.text) : 0;
    case 'J':
        a->json = true;
        return 0;
    case 'q':
        a->quiet = true;
        return 0;
    case ARGP_KEY_ARG:
        return cli_bad("grange up takes no '%s'", arg);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    { "workers", 'n', "N", 0, "workers on this machine (default 1; 0: only the scheduler)", 0 },
    { "slots", 'j', "N", 0, "points at a time of each (default: the cores, divided among them)",
      0 },
    { "jobs", 0, 0, OPTION_ALIAS, 0, 0 },
    { "listen", OPT_LISTEN, "URL", 0,
      "where other hosts connect: tls+tcp://ADDRESS:PORT (0: any port); repeatable", 0 },
    { "name", OPT_NAME, "FARM", 0, "its name among your farms (default: default)", 0 },
    CLI_OPTION_DIR,
    { "quiet", 'q', 0, 0, "say nothing when all is well", 0 },
    CLI_OPTION_JSON,
    { 0, 0, 0, 0, "Of the workers (grange help worker):", 10 },
    { "plugin", OPT_PLUGIN, "LIB.so", 0, "functions that their engines can run; repeatable", 10 },
    { "engine", OPT_ENGINE, "COMMAND", 0, "the program that is their engine", 10 },
    { "label", OPT_LABEL, "K=V", 0, "what they are, for --require; repeatable", 10 },
    { "memory", OPT_MEMORY, "SIZE", 0, "that points may take together on one: 8G", 10 },
    { "resource", OPT_RESOURCE, "NAME=N", 0, "what one has beside cores: gpus=2; repeatable", 10 },
    { "grace", OPT_GRACE, "TIME", 0, "that running points get after SIGTERM (30s)", 10 },
    { 0 },
};

static const struct argp argp = {
    options,
    parse,
    "",
    "Starts a scheduler and workers in the background and returns when all of them are ready. They "
    "stay until `grange down`; one that dies is started again. Where the farm is up already, "
    "workers that are missing to N are added.\n"
    "\v"
    "EXAMPLES\n"
    "  grange up                             a worker with all cores\n"
    "  grange up -n 2 -j 4\n"
    "  grange up --listen tls+tcp://0.0.0.0:7777\n",
    0,
    0,
    0
};

/* ---- starting ---- */

/* How many keepers there are; the workers that they keep, and the first number that is free. */
static size_t look_at_keepers(const char *dir, uint32_t *workers, uint32_t *first)
{
    static struct keeper_entry found[KEEPERS_MAX];
    size_t n = keepers_list(dir, found, KEEPERS_MAX);
    *workers = 0;
    *first = 1;
    for (size_t i = 0; i < n; i++) {
        *workers += found[i].left;
        if (found[i].first + found[i].n_numbers > *first)
            *first = found[i].first + found[i].n_numbers;
    }
    return n;
}

/* DIR/farm has the name that the farm in it was up under last: `grange down` takes it from the list
 * of farms, but it stays the name of this directory. */
static FILE *open_name(const char *dir, const char *mode)
{
    struct buf path = { 0 };
    buf_addf(&path, "%s/farm", dir);
    FILE *file = fopen(buf_text(&path), mode);
    buf_fini(&path);
    return file;
}

static void name_before(struct up_args *a)
{
    char name[NAME_BYTES_MAX + 2] = "";
    struct fault unused;
    FILE *file = open_name(a->keep.dir, "re");
    if (!file)
        return;
    if (fgets(name, sizeof name, file)) {
        name[strcspn(name, "\n")] = '\0';
        if (!registry_name_ok(name, &unused))
            snprintf(a->name, sizeof a->name, "%s", name);
    }
    (void)fclose(file);
}

/* Where it cannot be written the next one will be called "default". */
static void keep_name(const struct up_args *a)
{
    FILE *file = open_name(a->keep.dir, "we");
    if (!file)
        return;
    fprintf(file, "%s\n", a->name);
    (void)fclose(file);
}

/* The name that was given, or that this directory has, or "default"; no other farm that is up may
 * have it. */
static enum err choose_name(struct up_args *a, struct fault *f)
{
    struct farm *farms = NULL;
    size_t n = 0;
    if (!a->name_given)
        name_before(a);
    enum err err = registry_list(&farms, &n, f);
    if (err == ERR_NOT_FOUND) /* nowhere to have one: said when this farm should be entered */
        err = ERR_NONE;
    for (size_t i = 0; i < n && !err; i++) {
        bool here = strcmp(farms[i].dir, a->keep.dir) == 0 && farms[i].state != FARM_ELSEWHERE;
        a->registered = a->registered || here;
        if (here && a->name_given && farms[i].state == FARM_UP &&
            strcmp(farms[i].name, a->name) != 0)
            err = fault_set(f, ERR_EXISTS,
                            "the farm in %s is up under the name %s; to have another one: grange "
                            "down, then up with --name",
                            farms[i].dir, farms[i].name);
        if (here && !a->name_given)
            snprintf(a->name, sizeof a->name, "%s", farms[i].name);
    }
    for (size_t i = 0; i < n && !err; i++) {
        bool here = strcmp(farms[i].dir, a->keep.dir) == 0 && farms[i].state != FARM_ELSEWHERE;
        if (here || strcmp(farms[i].name, a->name) != 0 ||
            (farms[i].state == FARM_DOWN && !farms[i].kept))
            continue;
        err = fault_set(f, ERR_EXISTS,
                        "the farm %s is up in %s%s%s; give this one another name: --name NAME",
                        a->name, farms[i].dir, farms[i].state == FARM_ELSEWHERE ? " on " : "",
                        farms[i].state == FARM_ELSEWHERE ? farms[i].host : "");
    }
    free(farms);
    return err;
}

static enum err enter_registry(const struct up_args *a, struct fault *f)
{
    static struct farm farm; /* large */
    farm = (struct farm){ .started_ms = clock_wall_ms() };
    snprintf(farm.name, sizeof farm.name, "%s", a->name);
    snprintf(farm.host, sizeof farm.host, "%s", farm_host());
    snprintf(farm.dir, sizeof farm.dir, "%s", a->keep.dir);
    (void)farm_held(farm.dir, &farm.pid);
    keep_name(a);
    return registry_add(&farm, f);
}

static void share_slots(struct up_args *a)
{
    uint32_t cores = control_cores(), n = a->keep.n_workers ? a->keep.n_workers : 1;
    if (!a->slots_given)
        a->keep.slots = cores > n ? cores / n : 1;
}

/* Where there is a keeper the scheduler is there in a moment: another `grange up` has just begun,
 * or it is being started again. Returns how many keepers there are. */
static size_t await_scheduler(struct up_args *a, enum holder *holder, pid_t *pid, uint32_t *workers)
{
    ms_t until = clock_mono_ms() + ANOTHER_UP_MS;
    for (;;) {
        size_t keepers = look_at_keepers(a->keep.dir, workers, &a->keep.first);
        *holder = local_holder(a->keep.dir, pid);
        if (*holder != HOLDER_NONE || keepers == 0 || clock_mono_ms() >= until)
            return keepers;
        nanosleep(&(struct timespec){ 0, LOOK_AGAIN_MS * 1000000L }, NULL);
    }
}

/* What there is of the farm already: *there says so, and n_workers is what is to be added. */
static enum err look_around(struct up_args *a, bool *there, struct fault *f)
{
    pid_t pid = 0;
    enum holder holder = HOLDER_NONE;
    uint32_t have = 0;
    size_t keepers = await_scheduler(a, &holder, &pid, &have);
    *there = holder == HOLDER_DAEMON;
    if (holder == HOLDER_RUN)
        return fault_set(f, ERR_BUSY,
                         "a `grange run` (process %d) is using %s; wait for it, or use "
                         "another directory with --dir",
                         (int)pid, a->keep.dir);
    if (holder == HOLDER_NONE && keepers)
        return fault_set(f, ERR_BUSY,
                         "the farm in %s has a keeper but no scheduler just now: it is being "
                         "started again, or cannot be; see %s/log, or end it: grange down --dir %s",
                         a->keep.dir, a->keep.dir, a->keep.dir);
    if (*there && local_ending(a->keep.dir))
        return fault_set(f, ERR_BUSY,
                         "the farm in %s is going down, and waits for points that run: up again "
                         "once it is down; grange down --now does not wait",
                         a->keep.dir);
    if (*there && a->keep.n_listen)
        return fault_set(f, ERR_USAGE,
                         "the farm in %s is up already; --listen is for its start: "
                         "grange down, then up again",
                         a->keep.dir);
    if (*there)
        a->keep.n_workers =
            a->workers_given && a->keep.n_workers > have ? a->keep.n_workers - have : 0;
    return ERR_NONE;
}

static void warn_of_plain(const struct up_args *a)
{
    for (size_t i = 0; i < a->keep.n_listen; i++)
        if (strncmp(a->keep.listen[i], "tcp://", 6) == 0)
            cli_say(
                "warning: %s is not encrypted and asks nobody who he is: whoever reaches it can "
                "run commands as you; tls+tcp:// does both",
                a->keep.listen[i]);
}

static enum err start(struct up_args *a, bool *there, struct fault *f)
{
    share_slots(a);
    enum err err = choose_name(a, f);
    if (!err)
        err = look_around(a, there, f);
    if (err || (*there && a->keep.n_workers == 0))
        return err;
    a->keep.scheduler = !*there;
    a->keep.farm = a->name;
    warn_of_plain(a);
    err = keeper_start(&a->keep, clock_patience_ms(SCHEDULER_READY_MS), f);
    pid_t pid = 0;
    if (err == ERR_BUSY && local_holder(a->keep.dir, &pid) == HOLDER_DAEMON) {
        *there = true; /* another `grange up` was quicker */
        a->keep.n_workers = 0;
        err = ERR_NONE;
    }
    return err;
}

/* ---- telling ---- */

static bool listens_far(const struct up_args *a)
{
    for (size_t i = 0; i < a->keep.n_listen; i++)
        if (strncmp(a->keep.listen[i], "ipc://", 6) != 0)
            return true;
    return false;
}

/* Where other hosts connect, and with which file. One of an earlier start is none. */
static bool read_connection(const struct up_args *a, enum connection_role role, char *path,
                            unsigned bytes, struct connection *c)
{
    struct fault unused;
    connection_path(a->keep.dir, role, path, bytes);
    return listens_far(a) && connection_read(path, role, c, &unused) == ERR_NONE;
}

static void print_role(const struct up_args *a, enum connection_role role, const char *who)
{
    char path[PATH_MAX];
    struct connection c;
    if (!read_connection(a, role, path, sizeof path, &c))
        return;
    printf("  %-9s  --connect %s", who, path);
    for (unsigned i = 0; i < c.n_urls; i++)
        printf("%s%s", i ? ", " : "  (", c.urls[i]);
    printf(")\n");
    connection_fini(&c);
}

static void print_text(const struct up_args *a, bool there)
{
    uint32_t n = a->keep.n_workers;
    if (there && n)
        printf("farm %s is up; %u %s added\n", a->name, n, n == 1 ? "worker" : "workers");
    else if (there)
        printf("farm %s is up already\n", a->name);
    else if (n == 0)
        printf("farm %s is up: no workers\n", a->name);
    else
        printf("farm %s is up: %u %s of %u %s\n", a->name, n, n == 1 ? "worker" : "workers",
               a->keep.slots, a->keep.slots == 1 ? "slot" : "slots");
    printf("  directory  %s\n", a->keep.dir);
    printf("  logs       %s/log\n", a->keep.dir);
    print_role(a, CONNECTION_CLIENT, "clients");
    print_role(a, CONNECTION_WORKER, "workers");
}

static void add_urls(const struct up_args *a, struct buf *b)
{
    char path[PATH_MAX];
    struct connection c;
    if (!read_connection(a, CONNECTION_CLIENT, path, sizeof path, &c))
        return;
    buf_adds(b, ", \"urls\": [");
    for (unsigned i = 0; i < c.n_urls; i++) {
        buf_adds(b, i ? ", " : "");
        buf_add_json(b, c.urls[i], strlen(c.urls[i]));
    }
    buf_addc(b, ']');
    connection_fini(&c);
}

static void print_json(const struct up_args *a, bool there)
{
    struct buf b;
    buf_init(&b);
    buf_adds(&b, "{\"farm\": ");
    buf_add_json(&b, a->name, strlen(a->name));
    buf_adds(&b, ", \"dir\": ");
    buf_add_json(&b, a->keep.dir, strlen(a->keep.dir));
    add_urls(a, &b);
    printf("%s, \"was_up\": %s, \"workers_started\": %u, \"slots\": %u}\n", buf_text(&b),
           there ? "true" : "false", a->keep.n_workers, a->keep.slots);
    buf_fini(&b);
}

static int up_main(int argc, char **argv)
{
    static struct up_args a;
    a = (struct up_args){ .name = WHERE_FARM_DEFAULT, .keep = { .n_workers = 1, .sync = "full" } };
    int rc = cli_parse(&verb_up, argc, argv, &a);
    buf_fini(&a.labels);
    buf_fini(&a.resources);
    if (rc >= 0)
        return rc;
    struct fault f;
    bool there = false;
    enum err err = a.dir ? ERR_NONE : where_own(&f);
    a.dir = a.dir ? a.dir : CLI_DIR_DEFAULT;
    err = err ? err : secret_home(a.dir, &f);
    char *dir = err ? NULL : realpath(a.dir, NULL);
    must(err || dir);
    a.keep.dir = dir;
    if (!err)
        err = start(&a, &there, &f);
    if (!err && !(there && a.registered) && enter_registry(&a, &f))
        cli_say("the farm is up, but not in the list of your farms: %s", f.text);
    if (!err && (a.json || !a.quiet))
        (a.json ? print_json : print_text)(&a, there);
    free(dir);
    return err ? cli_fail(&f) : CLI_OK;
}

const struct verb verb_up = {
    .name = "up",
    .summary = "start a farm in the background: a scheduler and workers that stay",
    .argp = &argp,
    .main = up_main,
};

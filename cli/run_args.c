#include "cli/run_args.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/must.h"
#include "cli/known.h"
#include "cli/local.h"
#include "cli/lookup.h"
#include "client/grange.h"

enum {
    OPT_REPS = OPT_VERB,
    OPT_WHERE,
    OPT_DESIGN,
    OPT_SEED,
    OPT_SAVE,
    OPT_TIMEOUT,
    OPT_RETRIES,
    OPT_HALT,
    OPT_SHUFFLE,
    OPT_NO_SHUFFLE,
    OPT_CODE_VERSION,
    OPT_CORES,
    OPT_MEMORY,
    OPT_EXIT,
    OPT_FUNCTION,
    OPT_RESOURCE,
    OPT_REQUIRE,
    OPT_LEAST,
    OPT_PRIORITY,
    OPT_WEIGHT,
    OPT_MAX_RUNNING,
    OPT_BACKOFF,
    OPT_SPECULATE,
    OPT_RESTART,
    OPT_LONGEST,
};

static error_t parse(int key, char *arg, struct argp_state *state);

/* Rows of what is run and submitted. */
#define WHAT_ROWS                                                                                       \
    { 0, 0, 0, 0, "Which points:", 1 },                                                                 \
        { "reps", OPT_REPS, "N", 0, "replicates of each point: {rep} is 0..N-1", 1 },                   \
        { "where", OPT_WHERE, "EXPR", 0, "only points where EXPR holds: --where 'n*T < 1200'", 1 },     \
        { "design",                                                                                     \
          OPT_DESIGN,                                                                                   \
          "grid|random|lhs|sobol",                                                                      \
          0,                                                                                            \
          "how points are taken from the factors (default grid: all combinations)",                     \
          1 },                                                                                          \
        { "n", 'n', "N", 0, "how many points a random, lhs or sobol design has", 1 },                   \
        { "seed", OPT_SEED, "N", 0, "seed of the study: of its design and of each point's {seed}", 1 }, \
        { "retry-failed", OPT_RETRY_FAILED, 0, 0, "run points again that failed before", 1 },           \
        { "fresh", OPT_FRESH, 0, 0, "run all points again", 1 },                                        \
        { 0, 0, 0, 0, "What a point is:", 10 },                                                         \
        { "study", 's', "NAME", 0, "name of the study (default: from the command)", 10 },               \
        { "input",                                                                                      \
          'i',                                                                                          \
          "FILE",                                                                                       \
          0,                                                                                            \
          "a copy with {factors} filled in, in the point's own directory; repeatable",                  \
          10 },                                                                                         \
        { "metric",                                                                                     \
          'm',                                                                                          \
          "NAME=KIND:...",                                                                              \
          0,                                                                                            \
          "a column of the results: regex[@FILE]:RE, json:FILE:PATH, csv:FILE:COL; repeatable",         \
          10 },                                                                                         \
        { "timeout",                                                                                    \
          OPT_TIMEOUT,                                                                                  \
          "TIME",                                                                                       \
          0,                                                                                            \
          "of a point: 30s, 5m, 2h, or 300% of the median, once 5 are done",                            \
          10 },                                                                                         \
        { "retries", OPT_RETRIES, "N", 0, "further attempts at a point that fails (default 0)", 10 },   \
        { "exit",                                                                                       \
          OPT_EXIT,                                                                                     \
          "CODE:ACTION,...",                                                                            \
          0,                                                                                            \
          "what exit codes mean: 75:retry,77:fail,3:ok,4:warn,5:quarantine",                            \
          10 },                                                                                         \
        { "backoff",                                                                                    \
          OPT_BACKOFF,                                                                                  \
          "MIN..MAX",                                                                                   \
          0,                                                                                            \
          "wait before a retry: doubles from MIN to MAX (100ms..1m)",                                   \
          10 },                                                                                         \
        { "restart-command",                                                                            \
          OPT_RESTART,                                                                                  \
          "COMMAND",                                                                                    \
          0,                                                                                            \
          "for sh -c: what second and later attempts at a point run instead",                           \
          10 },                                                                                         \
        { "cores", OPT_CORES, "N", 0, "cores that a point takes (default 1)", 10 },                     \
        { "memory", OPT_MEMORY, "SIZE", 0, "memory that a point takes, and may take: 512M, 2G", 10 },   \
        { "resource",                                                                                   \
          OPT_RESOURCE,                                                                                 \
          "NAME=N",                                                                                     \
          0,                                                                                            \
          "a named resource of the worker that a point takes: gpus=1; repeatable",                      \
          10 },                                                                                         \
        { "require", OPT_REQUIRE, "LABEL", 0, "only on workers with this label; repeatable", 10 },      \
        { "least",                                                                                      \
          OPT_LEAST,                                                                                    \
          "TIME",                                                                                       \
          0,                                                                                            \
          "a point takes at least so long: not started on a worker that ends sooner",                   \
          10 },                                                                                         \
        { "code-version",                                                                               \
          OPT_CODE_VERSION,                                                                             \
          "TEXT",                                                                                       \
          0,                                                                                            \
          "part of a point's identity: a new one makes new points",                                     \
          10 },                                                                                         \
    {                                                                                                   \
        "function", OPT_FUNCTION, "NAME", 0, "a built-in function of the worker, no command", 10        \
    }
#define POLICY_ROWS                                                                                   \
    { "halt",                                                                                         \
      OPT_HALT,                                                                                       \
      "WHEN,fail=N|N%",                                                                               \
      0,                                                                                              \
      "stop at failures: now,fail=1 or soon,fail=5% (soon: running points may finish)",               \
      20 },                                                                                           \
        { "shuffle", OPT_SHUFFLE, 0, 0, "in random order (default above 1,000 points)", 20 },         \
        { "no-shuffle", OPT_NO_SHUFFLE, 0, 0, "in order", 20 },                                       \
        { "priority", OPT_PRIORITY, "N", 0, "before studies of a lower one (default 0)", 20 },        \
        { "longest-first",                                                                            \
          OPT_LONGEST,                                                                                \
          "FACTOR",                                                                                   \
          0,                                                                                          \
          "points with the largest values of FACTOR first, because they take longest",                \
          20 },                                                                                       \
        { "weight", OPT_WEIGHT, "N", 0, "share among studies of the same priority (default 1)", 20 }, \
        { "max-running", OPT_MAX_RUNNING, "N", 0, "at most N points at once", 20 },                   \
    {                                                                                                 \
        "speculate", OPT_SPECULATE, 0, 0,                                                             \
            "at the end, start points that take long a second time; the first result counts", 20      \
    }

static const struct argp_option options[] = {
    WHAT_ROWS,
    CONTROL_OPTIONS,
    POLICY_ROWS,
    { 0, 0, 0, 0, "Looking first:", 30 },
    { "dry-run", 'N', 0, 0, "print how many points, some commands, an estimate; run nothing", 30 },
    { "save", OPT_SAVE, "FILE", 0, "write the study file that means the same", 30 },
    { 0 },
};

/* What is hidden is refused, with a reason. */
static const struct argp_option submit_options[] = {
    WHAT_ROWS,
    { 0, 0, 0, 0, "How it is run:", 20 },
    WHERE_ROWS(20),
    POLICY_ROWS,
    { "quiet", 'q', 0, 0, "only its name, and errors", 20 },
    { "json", 'J', 0, 0, "print its name and counts as JSON on stdout", 20 },
    { "jobs", 'j', "N", OPTION_HIDDEN, 0, 20 },
    { "grace", OPT_GRACE, "SECONDS", OPTION_HIDDEN, 0, 20 },
    { "sync", OPT_SYNC, "full|normal|off", OPTION_HIDDEN, 0, 20 },
    { "dry-run", 'N', 0, OPTION_HIDDEN, 0, 30 },
    { "save", OPT_SAVE, "FILE", OPTION_HIDDEN, 0, 30 },
    { 0 },
};

static const char doc[] =
    "Runs COMMAND once for every combination of the factors, on all cores, and records every "
    "result. The same line again runs only what is missing.\n"
    "\v"
    "FACTORS, after ':::', crossed with each other:\n"
    "  T=280:320:10              a range, both ends included\n"
    "  n=1,2,4                   a list\n"
    "  k=lin(0,1,11)             11 values from 0 to 1;  k=log(1e-3,1e-1,5) likewise\n"
    "  f=@values.txt             a value a line (@-: of stdin);  @points.csv: a table, its header\n"
    "                            names factors\n"
    "  '(a=1,2,3 + b=x,y,z)'     values that belong together\n"
    "  T=280..320 k=log:1e-3..1  continuous, for --design random|lhs|sobol --n N\n"
    "  ::: 1 2 3 ::: a b         plain values, for {} or {1} and {2}\n"
    "\n"
    "In COMMAND and --input files: {T} a factor, {#} the index, {rep} the replicate, {seed} the "
    "point's own seed, {study}, {out} the point's directory, {{ a brace. Arguments are passed as "
    "they are; a single argument with spaces is run by sh -c, values quoted.\n"
    "\n"
    "EXAMPLES\n"
    "  grange run ./sim -T {T} -n {n} ::: T=280:320:10 n=1,2,4\n"
    "  grange run 'awk -f model.awk {} > {out}/table' ::: *.dat\n"
    "  grange run --input deck.cir --metric 'fc=regex:fc *= *([-+.0-9eE]+)' \\\n"
    "             ngspice -b deck.cir ::: R=10,20,50 'C=log(1e-9,1e-6,7)'\n"
    "  grange run --design sobol --n 1000 ./sim {x} {y} ::: x=0..1 y=-1..1\n"
    "  grange run --reps 10 --timeout 300% --retries 2 ./mc --seed {seed} ::: p=0.1:0.9:0.1\n"
    "  grange run --dry-run --save study.yaml ./sim {T} ::: T=1:5\n"
    "  grange run study.yaml\n";

const struct argp run_argp = { options, parse, "COMMAND [ARG...] [::: FACTOR...]...\nSTUDY.yaml",
                               doc,     0,     0,
                               0 };

static const char submit_doc[] =
    "Hands a study to the farm that is up, prints its name and returns at once; the farm runs what "
    "is missing of it. `grange help run` explains factors and placeholders; how many points run at "
    "a time and how results are written is the farm's.\n"
    "\v"
    "EXAMPLES\n"
    "  grange submit ./sim -T {T} -n {n} ::: T=280:320:10 n=1,2,4\n"
    "  grange wait $(grange submit ./sim {T} ::: T=1:1000) --timeout 2h\n"
    "  grange submit --connect client.json study.yaml\n";

const struct argp submit_argp = {
    submit_options, parse, "COMMAND [ARG...] [::: FACTOR...]...\nSTUDY.yaml", submit_doc, 0, 0, 0
};

static error_t parse_repeated(const char *what, char *arg, const char **list, size_t *n)
{
    if (*n == REPEATED_MAX)
        return cli_bad("%s was given more than %d times", what, (int)REPEATED_MAX);
    list[(*n)++] = arg;
    return 0;
}

static error_t parse_u32(const char *what, const char *arg, uint64_t min, uint64_t max,
                         uint32_t *to)
{
    uint64_t n = 0;
    error_t rc = cli_number(what, arg, min, max, &n);
    *to = (uint32_t)n;
    return rc;
}

static error_t parse_rest(struct argp_state *state, struct run_args *a)
{
    const char *const *rest = (const char *const *)&state->argv[state->next - 1];
    size_t n = (size_t)(state->argc - state->next + 1);
    state->next = state->argc;
    struct fault f;
    return sources_split(rest, n, &a->sources, &f) ? cli_bad("%s", f.text) : 0;
}

/* Repeated options as one text with commas, which study/ takes apart. */
static error_t parse_joined(const char *option, struct buf *all, const char *arg, const char **word)
{
    if (!arg[0])
        return cli_bad("%s: an empty value asks for nothing; leave it out", option);
    buf_addf(all, "%s%s", all->n ? "," : "", arg);
    *word = buf_text(all);
    return 0;
}

/* Where a point may run, and whose turn it is. */
static error_t parse_place(int key, char *arg, struct run_args *a)
{
    struct words *w = &a->words;
    switch (key) {
    case OPT_RESOURCE:
        return parse_joined("--resource", &a->resources, arg, &w->resources);
    case OPT_REQUIRE:
        return parse_joined("--require", &a->require, arg, &w->require);
    case OPT_LEAST:
        w->least = arg;
        return 0;
    case OPT_PRIORITY:
        w->priority = arg;
        return 0;
    case OPT_WEIGHT:
        return parse_u32("--weight", arg, 1, WEIGHT_MAX, &w->weight);
    case OPT_MAX_RUNNING:
        return parse_u32("--max-running", arg, 1, POINTS_MAX, &w->max_running);
    case OPT_LONGEST:
        w->longest_first = arg;
        return 0;
    case OPT_BACKOFF:
        w->backoff = arg;
        return 0;
    case OPT_SPECULATE:
        w->speculate = 1;
        return 0;
    case OPT_RESTART:
        w->restart = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* What a point is and which there are: words that study/ checks. */
static error_t parse_words(int key, char *arg, struct argp_state *state, struct run_args *a)
{
    struct words *w = &a->words;
    switch (key) {
    case OPT_REPS:
        return parse_u32("--reps", arg, 1, POINTS_MAX, &w->reps);
    case OPT_WHERE:
        if (w->where)
            return cli_bad("--where was given twice; join the two: --where '(A) and (B)'");
        w->where = arg;
        return 0;
    case OPT_DESIGN:
        w->design = arg;
        return 0;
    case 'n':
        return cli_number("--n", arg, 1, POINTS_MAX, &w->n);
    case OPT_SEED:
        return cli_number("--seed", arg, 0, UINT64_MAX, &w->seed);
    case 's':
        w->name = arg;
        return 0;
    case 'i':
        return parse_repeated("--input", arg, a->inputs, &w->n_inputs);
    case 'm':
        return parse_repeated("--metric", arg, a->metrics, &w->n_metrics);
    case OPT_TIMEOUT:
        w->timeout = arg;
        return 0;
    case OPT_RETRIES:
        return parse_u32("--retries", arg, 0, RETRIES_MAX, &w->retries);
    case OPT_EXIT:
        w->exits = arg;
        return 0;
    case OPT_CORES:
        return parse_u32("--cores", arg, 1, SLOTS_MAX, &w->cores);
    case OPT_MEMORY:
        w->memory = arg;
        return 0;
    case OPT_CODE_VERSION:
        w->code_version = arg;
        return 0;
    case OPT_FUNCTION:
        w->function = arg;
        return 0;
    case OPT_HALT:
        w->halt = arg;
        return 0;
    case OPT_SHUFFLE:
        w->shuffle = 1;
        return 0;
    case OPT_NO_SHUFFLE:
        w->shuffle = -1;
        return 0;
    case ARGP_KEY_ARG:
        return parse_rest(state, a);
    default:
        return parse_place(key, arg, a);
    }
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct run_args *a = state->input;
    switch (key) {
    case OPT_RETRY_FAILED:
        a->control.flags |= GRANGE_RETRY_FAILED;
        return 0;
    case OPT_FRESH:
        a->control.flags |= GRANGE_FRESH;
        return 0;
    case 'N':
        a->dry_run = true;
        return 0;
    case OPT_SAVE:
        a->save = arg;
        return 0;
    default:
        break;
    }
    error_t rc = control_option(key, arg, &a->control);
    return rc == ARGP_ERR_UNKNOWN ? parse_words(key, arg, state, a) : rc;
}

static bool is_study_file(const char *arg)
{
    const char *dot = strrchr(arg, '.');
    return dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0) && access(arg, X_OK) != 0;
}

/* Where options begin again behind the command: after a study file, or after the factors of the
 * last
 * ':::', where nothing else can begin with '-'. argc: nowhere. */
static int options_again(int first, int argc, char **argv)
{
    if (first < argc && is_study_file(argv[first]))
        return first + 1;
    int i = argc;
    while (i > first && strcmp(argv[i - 1], ":::") != 0)
        i--;
    if (i == first || i == argc || !sources_is_factor(argv[i]))
        return argc;
    while (i < argc && (argv[i][0] != '-' || !argv[i][1]))
        i++;
    return i;
}

/* A copy of argv with those options in front of the command. */
static char **options_first(const struct verb *v, int argc, char **argv)
{
    int first = cli_first_argument(v, argc, argv);
    int again = options_again(first, argc, argv);
    char **to = calloc((size_t)argc + 1, sizeof *to);
    must(to);
    int n = 0;
    for (int i = 0; i < first; i++)
        to[n++] = argv[i];
    for (int i = again; i < argc; i++)
        to[n++] = argv[i];
    for (int i = first; i < again; i++)
        to[n++] = argv[i];
    return to;
}

/* An option among plain values would be run as a value: hardly what was meant. */
static int check_values(const struct sources *s)
{
    for (size_t k = 0; k < s->n_lists; k++)
        for (const char *const *v = s->lists[k]; *v; v++)
            if (cli_option(&verb_run, *v))
                return cli_bad(
                    "'%s' is an option of grange run among the values after ':::'; write "
                    "it before the command, or, if it is a value, as a factor: x=%s",
                    *v, *v);
    return 0;
}

static int check(struct run_args *a)
{
    struct words *w = &a->words;
    const struct sources *s = &a->sources;
    if (s->n_command == 1 && is_study_file(s->command[0])) {
        a->file = s->command[0];
        if (access(a->file, R_OK) != 0)
            return cli_bad("cannot read the study file '%s': %s", a->file, strerror(errno));
    } else if (s->n_command == 0 && !w->function) {
        return cli_bad("there is no command to run, for example: "
                       "grange %s ./sim -T {T} ::: T=280:320:10",
                       a->verb);
    } else if (s->n_command > 0 && w->function) {
        return cli_bad("--function %s runs no command, but '%s' was given", w->function,
                       s->command[0]);
    }
    return check_values(s) ? EINVAL : 0;
}

int run_args_parse(const struct verb *v, int argc, char **argv, struct run_args *a)
{
    *a = (struct run_args){ .verb = v->name };
    control_init(&a->control);
    if (!getcwd(a->cwd, sizeof a->cwd)) {
        cli_say("the current directory cannot be named: %s", strerror(errno));
        return CLI_ERROR;
    }
    int first = cli_first_argument(v, argc, argv);
    if (first + 1 < argc && is_study_file(argv[first]) && argv[first + 1][0] != '-') {
        cli_bad("'%s' behind the study file %s: its command and its factors are in the file",
                argv[first + 1], argv[first]);
        return CLI_USAGE;
    }
    a->argv = options_first(v, argc, argv);
    int rc = cli_parse(v, argc, a->argv, a);
    if (rc >= 0)
        return rc;
    if (check(a)) {
        fprintf(stderr, "see: grange help %s\n", v->name);
        return CLI_USAGE;
    }
    struct fault f;
    if (control_find(&a->control, false, &f))
        return cli_fail(&f);
    struct words *w = &a->words;
    w->inputs = a->inputs;
    w->metrics = a->metrics;
    w->cwd = a->cwd;
    w->factors = a->sources.factors;
    w->n_factors = a->sources.n_factors;
    w->lists = a->sources.lists;
    w->n_lists = a->sources.n_lists;
    if (!a->file) {
        w->command = a->sources.command;
        w->n_command = a->sources.n_command;
    }
    return -1;
}

void run_args_fini(struct run_args *a)
{
    sources_fini(&a->sources);
    buf_fini(&a->resources);
    buf_fini(&a->require);
    free(a->argv);
}

/* The workers of a daemon may be on machines that have more. */
static enum err check_memory(const struct run_args *a, const struct study *s, struct fault *f)
{
    struct sysinfo info;
    uint64_t wanted = study_policy(s)->needs.memory_mib;
    if (wanted == 0 || sysinfo(&info) != 0)
        return ERR_NONE;
    uint64_t total = ((uint64_t)info.totalram * info.mem_unit) >> 20;
    if (wanted <= total || a->control.where.up)
        return ERR_NONE;
    return fault_set(f, ERR_USAGE,
                     "each point takes %" PRIu64 " MiB of memory, but this machine has %" PRIu64
                     " MiB: none could ever run",
                     wanted, total);
}

static enum err check_study(const struct run_args *a, const struct study *s, struct fault *f)
{
    enum err err = lookup_command(s, f);
    if (!err)
        err = known_where(s, f);
    if (!err && !a->control.where.up && study_policy(s)->needs.cores > a->control.slots)
        err =
            fault_set(f, ERR_USAGE, "each point takes %u cores, but -j is %u: none could ever run",
                      study_policy(s)->needs.cores, a->control.slots);
    return err ? err : check_memory(a, s, f);
}

static enum err make_one(const struct run_args *a, struct stages *stages, struct fault *f)
{
    struct study *s;
    enum err err = study_from_words(&a->words, &s, f);
    *stages = (struct stages){ 0 };
    if (err)
        return err;
    stages->items = calloc(1, sizeof(struct study *));
    must(stages->items != NULL);
    stages->items[0] = s;
    stages->n = 1;
    return ERR_NONE;
}

enum err run_args_studies(const struct run_args *a, struct stages *stages, struct fault *f)
{
    enum err err =
        a->file ? stages_from_yaml(a->file, a->cwd, &a->words, stages, f) : make_one(a, stages, f);
    for (size_t i = 0; i < stages->n && !err; i++) {
        err = check_study(a, stages->items[i], f);
        if (err && stages->staged) {
            struct fault why = *f;
            fault_set(f, err, "stage %s: %.900s",
                      study_name(stages->items[i]) + strlen(stages->name) + 1, why.text);
        }
    }
    if (err)
        stages_free(stages);
    return err;
}

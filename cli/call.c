/* call - the verb `grange call`: one function call on engines of the farm, for people. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/must.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "cli/where.h"
#include "client/grange.h"

enum { OPT_ENGINE = 400, OPT_ALL, OPT_TIMEOUT, ENGINES_NAMED_MAX = 4096 };
enum { TIMEOUT_DEFAULT_MS = 60000, TIMEOUT_MAX_MS = 86400 * 1000, SILENT_MS = 1000 };
/* A wait that lasted longer had a scheduler in between: without one it lasts a second. */
enum { THERE_AGAIN_MS = 2000 };

struct call_args {
    struct where_args at;
    uint64_t engines[ENGINES_NAMED_MAX];
    size_t n_engines;
    bool all;
    ms_t timeout_ms;
    const char *function, *data;
};

static error_t parse_engine(struct call_args *a, const char *arg)
{
    uint64_t id;

    if (a->n_engines == ENGINES_NAMED_MAX)
        return cli_bad("more than %d engines; --all means all", ENGINES_NAMED_MAX);
    error_t err = cli_number("--engine", arg, 0, UINT32_MAX, &id);
    if (!err)
        a->engines[a->n_engines++] = id;
    return err;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct call_args *a = state->input;

    switch (key) {
    case OPT_ENGINE:
        return parse_engine(a, arg);
    case OPT_ALL:
        a->all = true;
        return 0;
    case OPT_TIMEOUT:
        return cli_duration("--timeout", arg, 1, TIMEOUT_MAX_MS, &a->timeout_ms);
    case ARGP_KEY_ARG:
        if (state->arg_num > 1)
            return cli_bad("what is '%s'? grange call takes a function and its bytes; quote them",
                           arg);
        *(state->arg_num ? &a->data : &a->function) = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->function)
            return cli_bad("which function? for example: grange call collatz @number");
        return a->all && a->n_engines ? cli_bad("either --engine or --all, not both") : 0;
    default:
        return where_option(key, arg, &a->at);
    }
}

static const struct argp_option options[] = {
    { "engine", OPT_ENGINE, "N", 0, "on engine N; again for further ones", 0 },
    { "all", OPT_ALL, 0, 0, "on each engine of the farm", 0 },
    { "timeout", OPT_TIMEOUT, "TIME", 0, "for the answer; then the call is given up (60s)", 0 },
    WHERE_ROWS(0),
    { 0 },
};

static const struct argp argp = {
    options,
    parse,
    "FUNCTION [BYTES|@FILE]",
    "Calls a function of the farm's engines with these bytes, or with those of FILE (@- is stdin), "
    "and "
    "prints what it gives back. Without --engine or --all the call waits in the farm's queue, is "
    "stored, and goes to whichever engine is free; otherwise it goes to those engines directly, "
    "and "
    "the answers are printed in the order of the engines, each after a line \"engine N: BYTES "
    "bytes\" "
    "when there are several. `grange workers` lists engines and functions.\n"
    "\v"
    "EXAMPLES\n"
    "  grange call echo hello\n"
    "  grange call --engine 3 echo hello\n"
    "  grange call --all noop\n",
    0,
    0,
    0
};

/* ---- the payload */

static enum err read_all(int fd, struct buf *out, struct fault *f)
{
    char block[65536];
    struct stat st;
    ssize_t n;

    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > BLOB_BYTES_MAX)
        return fault_set(f, ERR_LIMIT, "more than 1 GiB");

    while ((n = read(fd, block, sizeof block)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fault_set(f, ERR_IO, "%s", strerror(errno));
        if (out->n + (size_t)n > BLOB_BYTES_MAX)
            return fault_set(f, ERR_LIMIT, "more than 1 GiB");
        buf_add(out, block, (size_t)n);
    }
    return ERR_NONE;
}

static enum err read_payload(const struct call_args *a, struct buf *out, struct fault *f)
{
    struct fault why;

    if (!a->data)
        return ERR_NONE;
    if (a->data[0] != '@') {
        buf_add(out, a->data, strlen(a->data));
        return ERR_NONE;
    }
    bool is_stdin = strcmp(a->data, "@-") == 0;
    int fd = is_stdin ? 0 : open(a->data + 1, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fault_set(f, ERR_NOT_FOUND, "%s: %s", a->data + 1, strerror(errno));
    enum err err = read_all(fd, out, &why);
    if (!is_stdin)
        close(fd);
    return err ? fault_set(f, err, "%s: %s", is_stdin ? "stdin" : a->data + 1, why.text) : err;
}

/* ---- calling */

static int failed(struct grange *g, int code)
{
    struct fault f;

    fault_set(&f, (enum err)code, "%s", grange_message(g));
    return code == GRANGE_ERR_STATE ? (cli_fail(&f), CLI_SOME_FAILED) : cli_fail(&f);
}

static enum err find_all(struct grange *g, struct call_args *a)
{
    struct grange_engine *list;
    size_t n;
    int code = grange_engines(g, 0, a->timeout_ms, &list, &n);

    for (size_t i = 0; !code && i < n && i < ENGINES_NAMED_MAX; i++)
        a->engines[a->n_engines++] = list[i].id;
    free(list);
    return (enum err)code;
}

/* print - the answers that are there, and what went wrong with the others. */
static void print(struct grange_direct *d, size_t n)
{
    struct grange_answer a;

    for (size_t i = 0; i < n; i++) {
        if (grange_direct_answer(d, i, &a) != GRANGE_OK)
            continue;
        if (a.code) {
            cli_say("engine %" PRIu64 ": %s", a.engine, *a.error ? a.error : a.reason);
            continue;
        }
        if (n > 1)
            printf("engine %" PRIu64 ": %zu bytes\n", a.engine, a.bytes);
        fwrite(a.data, 1, a.bytes, stdout);
        if (n > 1 && a.bytes)
            putchar('\n');
    }
}

static int call_engines(struct grange *g, struct call_args *a, const struct buf *data)
{
    struct grange_direct *d;
    int code = a->all ? (int)find_all(g, a) : GRANGE_OK;

    if (code)
        return failed(g, code);
    if (!a->n_engines) {
        cli_say("there are no engines; start workers with --plugin or --engine");
        return CLI_ERROR;
    }
    code = grange_direct_call(g, a->engines, a->n_engines, a->function, data->data, data->n, &d);
    if (code)
        return failed(g, code);
    code = grange_direct_wait(d, a->timeout_ms);
    if (code == GRANGE_ERR_TIMEOUT && !grange_direct_ready(d)) {
        struct buf time = { 0 };
        progress_duration(a->timeout_ms, &time);
        cli_say("the engines did not answer within %s: the call is given up", buf_text(&time));
        buf_fini(&time);
    }
    print(d, a->n_engines);
    grange_direct_free(d);
    if (!code)
        return CLI_OK;
    return code == GRANGE_ERR_STATE                                   ? CLI_SOME_FAILED
           : code == GRANGE_ERR_TIMEOUT                               ? CLI_TIMED_OUT
           : code == GRANGE_ERR_NOT_FOUND || code == GRANGE_ERR_LIMIT ? CLI_USAGE
                                                                      : CLI_ERROR;
}

static bool has_function(const struct grange_engine *e, const char *name)
{
    size_t n = strlen(name);
    for (const char *line = e->functions; *line;
         line += strcspn(line, "\n") + (strchr(line, '\n') != NULL))
        if (strcspn(line, "\n") == n && strncmp(line, name, n) == 0)
            return true;
    return false;
}

/* The function of an engine whose name is nearest to `name`, or none is near: "". */
static void near_function(const struct grange_engine *list, size_t n, const char *name,
                          struct buf *out)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < n; i++) {
        char *names = strdup(list[i].functions), *rest = NULL;
        must(names);
        for (char *one = strtok_r(names, "\n", &rest); one; one = strtok_r(NULL, "\n", &rest)) {
            size_t far = cli_distance(name, one);
            if (far >= best || !cli_suggest(name, &(const char *){ one }, 1))
                continue;
            best = far;
            buf_clear(out);
            buf_adds(out, one);
        }
        free(names);
    }
}

/* A call that does not end may wait for a function that nobody has. True: that was said. */
static bool say_who_has(struct grange *g, const char *function)
{
    struct grange_engine *list;
    size_t n, with = 0;

    if (grange_engines(g, 0, 1000, &list, &n))
        return false;
    for (size_t i = 0; i < n; i++)
        with += has_function(&list[i], function);
    struct buf near = { 0 };
    if (!with)
        near_function(list, n, function, &near);
    if (near.n)
        cli_say("no engine of the farm has a function '%s'; did you mean '%s'?", function,
                buf_text(&near));
    else if (!with)
        cli_say("no engine of the farm has a function '%s' (%zu %s there); see: grange workers",
                function, n, n == 1 ? "is" : "are");
    buf_fini(&near);
    free(list);
    return !with;
}

/* wait_within - the call is stored: a scheduler that went away may come back to it. */
static int wait_within(struct grange *g, struct grange_future f, ms_t timeout_ms)
{
    ms_t now = clock_mono_ms(), until = now + timeout_ms, lost = 0;

    for (;;) {
        ms_t entered = now;
        int code = grange_wait(g, f, until - now);

        now = clock_mono_ms();
        if (code != GRANGE_ERR_LOST || grange_is_down(g))
            return code;
        if (!lost || now - entered > THERE_AGAIN_MS)
            lost = now;
        if (now >= until || now - lost >= clock_patience_ms(WHERE_LOST_MS))
            return code;
    }
}

/* Says after a moment what it waits for, so that a misspelt name is not waited for in silence. */
static int wait_for(struct grange *g, const struct call_args *a, struct grange_future f)
{
    bool patient = a->timeout_ms > SILENT_MS;
    int code = wait_within(g, f, patient ? SILENT_MS : a->timeout_ms);

    bool lost = code == GRANGE_ERR_LOST && !grange_is_down(g);
    if (!(code == GRANGE_ERR_TIMEOUT || lost) || !patient)
        return code;
    if (say_who_has(g, a->function))
        cli_say("waiting for one that has it");
    return wait_within(g, f, a->timeout_ms - SILENT_MS);
}

static int give_up(struct grange *g, const struct call_args *a, struct grange_future f)
{
    struct buf time = { 0 };
    progress_duration(a->timeout_ms, &time);
    cli_say("%s has not ended within %s (--timeout): it is cancelled", a->function,
            buf_text(&time));
    buf_fini(&time);
    grange_future_cancel(g, f, 1, 1000);
    if (a->timeout_ms <= SILENT_MS)
        say_who_has(g, a->function);
    return CLI_TIMED_OUT;
}

static int lost(struct grange *g, const struct where *w)
{
    struct fault f;

    where_lost(w, grange_is_down(g), "if it has the call, grange status will list it", &f);
    return cli_fail(&f);
}

static int call_any(struct grange *g, const struct call_args *a, const struct where *w,
                    const struct buf *data)
{
    struct grange_future f;
    struct grange_result r;
    int code = grange_call(g, a->function, data->data, data->n, NULL, &f);

    if (!code)
        code = wait_for(g, a, f);
    if (!code)
        code = grange_get(g, f, &r);
    if (code == GRANGE_ERR_LOST)
        return lost(g, w);
    if (code)
        return code == GRANGE_ERR_TIMEOUT ? give_up(g, a, f) : failed(g, code);
    if (r.outcome != GRANGE_DONE) {
        cli_say("%s: %s", a->function, *r.error ? r.error : r.reason);
        return CLI_SOME_FAILED;
    }
    fwrite(r.data, 1, r.bytes, stdout);
    return CLI_OK;
}

static int call_main(int argc, char **argv)
{
    static struct call_args a = { .timeout_ms = TIMEOUT_DEFAULT_MS };
    struct buf data = { 0 };
    struct grange *g = NULL;
    struct where where;
    struct fault f;
    int rc = cli_parse(&verb_call, argc, argv, &a);

    if (rc >= 0)
        return rc;
    enum err err = read_payload(&a, &data, &f);
    if (!err)
        err = where_up(&a.at, &where, &f);
    signals_early();
    if (!err)
        err = where_connect(&where, &g, &f);
    if (err) {
        buf_fini(&data);
        return cli_fail(&f);
    }
    signals_asked(a.all || a.n_engines ? SIGNALS_DIRECT : SIGNALS_CALL);
    rc = a.all || a.n_engines ? call_engines(g, &a, &data) : call_any(g, &a, &where, &data);
    grange_close(g);
    buf_fini(&data);
    return rc;
}

const struct verb verb_call = {
    .name = "call",
    .summary = "call a function of engines",
    .argp = &argp,
    .main = call_main,
};

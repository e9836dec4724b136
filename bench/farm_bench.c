/* farm_bench WHERE ENGINES - what a program that uses libgrange reaches, on request. Connects to
 * the farm, whose engines offer noop, echo and square of examples/plugin/collatz.c, prints "ready"
 * and answers each line of stdin with a line, until "end 0", as bench/peers.py does for other
 * farms:
 *
 *     noop N         calls a second of N calls that do nothing, in one batch and waited for
 *     echo N         the same with 100 bytes that come back
 *     each N         the same as noop, submitted one by one in a loop
 *     graph N        calls a second of N calls that each wait for two drawn from those before it
 *     chain N        microseconds a step of N calls that each wait for the one before it
 *     pair N         the same in pairs, one pair after the other
 *     one N          microseconds, the median of N: one call at a time, durable; and as a second
 *                    number that of a bare durable write after each of them: 4 KiB and fdatasync
 *     direct N       the same, directly to engine 0, without the second number
 *     scatter BYTES  seconds to scatter so many bytes of doubles over the engines, square them
 *                    there and gather them to where they were; and as a second number with the
 *                    result in new memory
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"
#include "base/rng.h"
#include "client/grange.h"

enum { ECHO_BYTES = 100, WAIT_MS = 120000, ENGINES_MOST = 64 };

static struct grange *g;
static uint64_t engines[ENGINES_MOST];
static size_t n_engines;
static int sync_fd;

static void check(int code, const char *what)
{
    if (code == GRANGE_OK)
        return;
    fprintf(stderr, "farm_bench: %s: %s\n", what, grange_message(g));
    exit(1);
}

static double seconds_since(uint64_t begin_us)
{
    return (double)(clock_mono_us() - begin_us) / 1e6;
}

/* finish - waits for n futures from first on and forgets them. */
static void finish(struct grange_future first, uint64_t n, size_t bytes)
{
    struct grange_result r;
    struct grange_set *set;

    check(grange_set_new(g, &set), "set");
    check(grange_set_add(set, first, n), "set");
    int code = grange_set_wait(set, WAIT_MS);
    while (code == GRANGE_ERR_LOST) /* bench/groups/graph.bash kills the scheduler */
        code = grange_set_wait(set, WAIT_MS);
    check(code, "wait");
    grange_set_free(set);
    for (uint64_t i = 0; i < n; i++) {
        check(grange_get(g, grange_nth(first, i), &r), "result");
        must(r.outcome == GRANGE_DONE && r.bytes == bytes);
        check(grange_forget(g, grange_nth(first, i)), "forget");
    }
}

static double batch(const char *function, uint64_t n, size_t bytes)
{
    static char data[ECHO_BYTES];
    struct grange_bytes *items = calloc(n, sizeof *items);
    struct grange_future first;

    must(items != NULL);
    for (uint64_t i = 0; i < n; i++)
        items[i] = (struct grange_bytes){ data, bytes };
    uint64_t begin = clock_mono_us();
    check(grange_batch(g, function, items, n, NULL, &first), "batch");
    finish(first, n, bytes);
    free(items);
    return (double)n / seconds_since(begin);
}

static double each(uint64_t n)
{
    struct grange_future first = { 0 }, f;
    uint64_t begin = clock_mono_us();

    for (uint64_t i = 0; i < n; i++) {
        check(grange_call(g, "noop", NULL, 0, NULL, &f), "call");
        if (!i)
            first = f;
    }
    must(f.id == first.id + n - 1);
    finish(first, n, 0);
    return (double)n / seconds_since(begin);
}

/* web - submits n calls of which each waits for `width` of those before it; the first future. */
static struct grange_future web(uint64_t n, size_t width)
{
    struct grange_future first = { 0 }, f, on[2];
    struct rng rng = { .state = 7 };

    for (uint64_t i = 0; i < n; i++) {
        struct grange_options o = { .after = on, .n_after = i ? width : 0 };
        for (size_t k = 0; i && k < width; k++)
            on[k] = grange_nth(first, width == 1 ? i - 1 : rng_below(&rng, i));
        check(grange_call(g, "noop", NULL, 0, &o, &f), "call");
        first = i ? first : f;
    }
    return first;
}

static double graph(uint64_t n)
{
    uint64_t begin = clock_mono_us();

    finish(web(n, 2), n, 0);
    return (double)n / seconds_since(begin);
}

/* chains - n steps in chains of that length, one chain after the other. */
static double chains(uint64_t n, uint64_t length)
{
    uint64_t begin = clock_mono_us();

    for (uint64_t done = 0; done < n; done += length)
        finish(web(length, 1), length, 0);
    return seconds_since(begin) * 1e6 / (double)n;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void durable_call(void)
{
    struct grange_future f;

    check(grange_call(g, "noop", NULL, 0, NULL, &f), "call");
    check(grange_wait(g, f, WAIT_MS), "wait");
    check(grange_forget(g, f), "forget");
}

static void direct_call(void)
{
    struct grange_direct *d;

    check(grange_direct_call(g, engines, 1, "echo", "x", 1, &d), "direct call");
    check(grange_direct_wait(d, WAIT_MS), "direct wait");
    grange_direct_free(d);
}

/* bare_sync - what a durable call does twice, and nothing else. */
static void bare_sync(void)
{
    static const char page[4096];

    must(write(sync_fd, page, sizeof page) == (ssize_t)sizeof page && fdatasync(sync_fd) == 0);
}

static double median(double *took, uint64_t n)
{
    qsort(took, n, sizeof *took, by_value);
    double m = took[n / 2];
    free(took);
    return m;
}

static double time_of(void (*call)(void))
{
    uint64_t begin = clock_mono_us();

    call();
    return (double)(clock_mono_us() - begin);
}

/* one - the median of n calls; beside: what is done after each of them, whose median it becomes. */
static double one(void (*call)(void), uint64_t n, void (*other)(void), double *beside)
{
    double *took = calloc(n, sizeof *took), *took_other = calloc(n, sizeof *took_other);

    must(took != NULL && took_other != NULL && n > 0);
    for (uint64_t i = 0; i < n / 10 + 10; i++)
        call();
    for (uint64_t i = 0; i < n; i++) {
        took[i] = time_of(call);
        took_other[i] = other ? time_of(other) : 0;
    }
    *beside = median(took_other, n);
    return median(took, n);
}

static bool are_squares(const double *x, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        if (x[i] != (double)i * (double)i)
            return false;
    }
    return true;
}

/* scatter - what a program does that works on its array in turn: the squares come to where the
 * numbers were. beside: the same with a result in new memory. */
static double scatter(uint64_t bytes, double *beside)
{
    uint64_t n = bytes / sizeof(double);
    double *x = calloc(n, sizeof *x);
    struct grange_direct *d;
    void *data;
    size_t got;

    must(x != NULL && n > 0);
    for (uint64_t i = 0; i < n; i++)
        x[i] = (double)i;
    uint64_t begin = clock_mono_us();
    check(grange_scatter(g, engines, n_engines, "x", x, n, sizeof *x, WAIT_MS), "scatter");
    double scattered = seconds_since(begin);
    check(grange_direct_call(g, engines, n_engines, "square", "x", 1, &d), "square");
    check(grange_direct_wait(d, WAIT_MS), "square");
    double squared = seconds_since(begin);
    check(grange_gather_into(g, engines, n_engines, "x^2", WAIT_MS, x, n * sizeof *x, &got),
          "gather");
    double took = seconds_since(begin);
    must(got == n * sizeof *x && are_squares(x, n));
    uint64_t again = clock_mono_us();
    check(grange_gather(g, engines, n_engines, "x^2", WAIT_MS, &data, &got), "gather");
    *beside = squared + seconds_since(again);
    must(got == n * sizeof *x && memcmp(data, x, got) == 0);
    if (getenv("FARM_BENCH_PHASES"))
        fprintf(stderr, "scatter %.4f square %.4f gather %.4f into new memory %.4f\n", scattered,
                squared - scattered, took - squared, *beside - squared);
    grange_direct_free(d);
    free(x);
    free(data);
    return took;
}

static double answer(const char *verb, uint64_t n, double *beside)
{
    if (strcmp(verb, "noop") == 0)
        return batch("noop", n, 0);
    if (strcmp(verb, "echo") == 0)
        return batch("echo", n, ECHO_BYTES);
    if (strcmp(verb, "each") == 0)
        return each(n);
    if (strcmp(verb, "graph") == 0)
        return graph(n);
    if (strcmp(verb, "chain") == 0)
        return chains(n, n);
    if (strcmp(verb, "pair") == 0)
        return chains(n, 2);
    if (strcmp(verb, "one") == 0)
        return one(durable_call, n, bare_sync, beside);
    if (strcmp(verb, "direct") == 0)
        return one(direct_call, n, NULL, beside);
    if (strcmp(verb, "scatter") == 0)
        return scatter(n, beside);
    fprintf(stderr, "farm_bench: no such request: %s\n", verb);
    exit(2);
}

static void find_engines(size_t at_least)
{
    struct grange_engine *list;

    check(grange_engines(g, at_least, WAIT_MS, &list, &n_engines), "engines");
    n_engines = n_engines < ENGINES_MOST ? n_engines : ENGINES_MOST;
    for (size_t i = 0; i < n_engines; i++)
        engines[i] = list[i].id;
    free(list);
    must(n_engines > 0);
}

/* open_sync - a file without a name, beside the socket that the farm was reached over. */
static void open_sync(const char *where)
{
    char dir[300];

    snprintf(dir, sizeof dir, "%s", strncmp(where, "ipc://", 6) == 0 ? where + 6 : "./x");
    *strrchr(dir, '/') = '\0';
    sync_fd = open(dir, O_TMPFILE | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
    must(sync_fd >= 0);
}

int main(int argc, char **argv)
{
    char why[300], verb[20];
    unsigned long long n;

    must(argc == 3);
    if (grange_connect(argv[1], 10000, &g, why, sizeof why) != GRANGE_OK) {
        fprintf(stderr, "farm_bench: %s\n", why);
        return 1;
    }
    find_engines(strtoull(argv[2], NULL, 10));
    open_sync(argv[1]);
    printf("ready\n");
    fflush(stdout);
    while (scanf("%19s %llu", verb, &n) == 2 && strcmp(verb, "end") != 0) {
        double beside = 0, value = answer(verb, n, &beside);
        printf(beside ? "%.6g %.6g\n" : "%.6g\n", value, beside);
        fflush(stdout);
    }
    grange_close(g);
    return 0;
}

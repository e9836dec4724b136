/* functions: calls of functions through the whole farm, library to engine and back: what the policy
 * makes of what engines do. */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "client/grange.h"

enum { LONG_MS = 100000 };

static struct grange *g;

static void begin(uint32_t slots)
{
    const char *plugins[] = { COLLATZ };
    struct grange_embed how = {
        .slots = slots, .plugins = plugins, .n_plugins = 1, .program = GRANGE_PROGRAM
    };
    char why[300];

    cr_assert_eq(grange_embed(&how, LONG_MS, &g, why, sizeof why), GRANGE_OK, "%s", why);
}

/* call - one, and its result. */
static struct grange_result call(const char *function, const void *data, size_t n,
                                 const struct grange_options *o)
{
    struct grange_future f;
    struct grange_result r;

    cr_assert_eq(grange_call(g, function, data, n, o, &f), GRANGE_OK, "%s", grange_message(g));
    cr_assert_eq(grange_wait(g, f, LONG_MS), GRANGE_OK, "%s: %s", function, grange_message(g));
    cr_assert_eq(grange_get(g, f, &r), GRANGE_OK);
    return r;
}

Test(functions, what_comes_back)
{
    uint64_t n = 97, steps = 0;

    begin(2);
    struct grange_result r = call("collatz", &n, sizeof n, NULL);
    cr_assert(r.outcome == GRANGE_DONE && r.bytes == sizeof steps);
    memcpy(&steps, r.data, sizeof steps);
    cr_expect_eq(steps, 118);
    cr_expect(r.started_ms > 0 && r.ended_ms >= r.started_ms && *r.worker);
    r = call("about", "it", 2, NULL);
    cr_expect_str_eq(r.err, "asked about it\n");
    r = call("fail", "9", 1, NULL);
    cr_expect(r.outcome == GRANGE_FAILED && r.exit_code == 9);
    cr_expect_str_eq(r.error, "failed as asked");
    grange_close(g);
}

struct heard {
    unsigned n;
    double share;
    char text[GRANGE_PROGRESS_BYTES];
};

static void hear(struct grange *from, struct grange_future f,
                 const struct grange_future_progress *p, void *context)
{
    struct heard *h = context;

    (void)from, (void)f;
    cr_assert(p->share >= h->share, "%f after %f", p->share, h->share);
    h->n++;
    h->share = p->share;
    memcpy(h->text, p->text, sizeof h->text);
}

/* The call says two thousand times how far it is; what that costs others depends on how long it
 * takes, not on how often it says it. */
Test(functions, how_far_a_call_is_is_told_a_few_times_a_second)
{
    struct heard h = { 0 };
    struct grange_future f;

    begin(1);
    ms_t from_ms = clock_mono_ms();
    cr_assert_eq(grange_call(g, "parts", "2000", 4, NULL, &f), GRANGE_OK);
    cr_assert_eq(grange_on_progress(g, f, 1, hear, &h), GRANGE_OK);
    cr_assert_eq(grange_wait(g, f, 60000), GRANGE_OK);
    ms_t took_ms = clock_mono_ms() - from_ms;
    cr_expect_gt(h.n, 0);
    cr_expect_leq(h.n, took_ms / SHARES_MS + 2, "%u in %lld ms", h.n, (long long)took_ms);
    cr_expect(strncmp(h.text, "part ", 5) == 0 && strstr(h.text, " of 2000"), "%s", h.text);
    grange_close(g);
}

Test(functions, a_crash_is_retried_as_the_policy_says)
{
    struct grange_options o = { .retries = 2, .policy = "{\"backoff\":[\"1ms\",\"2ms\"]}" };

    begin(2);
    struct grange_result r = call("misbehave", "crash", 5, &o);
    cr_expect(r.outcome == GRANGE_FAILED && r.signal == SIGABRT, "%s", r.reason);
    cr_expect_eq(r.attempts, 3);
    r = call("misbehave", "exit", 4, NULL);
    cr_expect(r.outcome == GRANGE_FAILED && r.exit_code == 7);
    r = call("misbehave", "result", 6, NULL);
    cr_expect(r.outcome == GRANGE_FAILED && r.exit_code == ENOMEM, "%s", r.reason);
    cr_expect(strstr(r.error, "no room for a result of 4611686018427387903 bytes: "), "%s",
              r.error);
    r = call("echo", "still there", 11, NULL);
    cr_expect_str_eq(r.data, "still there");
    grange_close(g);
}

Test(functions, a_loop_times_out)
{
    struct grange_options o = { .timeout_ms = 100 };

    begin(1);
    struct grange_result r = call("misbehave", "wait", 4, &o); /* it looks at grange_cancelled */
    cr_expect(r.outcome == GRANGE_FAILED, "%s", r.reason);
    cr_expect_not_null(strstr(r.reason, "timed out"), "%s", r.reason);
    grange_close(g);
}

Test(functions, cancelled_while_it_runs)
{
    struct grange_future f;

    begin(1);
    cr_assert_eq(grange_call(g, "misbehave", "wait", 4, NULL, &f), GRANGE_OK);
    cr_assert_eq(grange_flush(g, LONG_MS), GRANGE_OK);
    cr_assert_eq(grange_future_cancel(g, f, 1, LONG_MS), GRANGE_OK, "%s", grange_message(g));
    struct grange_result r;
    cr_assert_eq(grange_wait(g, f, LONG_MS), GRANGE_OK);
    cr_assert_eq(grange_get(g, f, &r), GRANGE_OK);
    cr_expect_eq(r.outcome, GRANGE_CANCELLED);
    r = call("echo", "x", 1, NULL);
    cr_expect_eq(r.outcome, GRANGE_DONE);
    grange_close(g);
}

Test(functions, payloads_of_every_size)
{
    const size_t sizes[] = {
        0, 1, 100, 65536, (256 << 10) - 1, 256 << 10, (256 << 10) + 1, 9 << 20
    };

    begin(2);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *data = malloc(sizes[i] + 1);
        for (size_t k = 0; k < sizes[i]; k++)
            data[k] = (char)(k * 2654435761u >> 23);
        struct grange_result r = call("echo", data, sizes[i], NULL);
        cr_expect(r.outcome == GRANGE_DONE && r.bytes == sizes[i] &&
                      memcmp(r.data, data, sizes[i]) == 0,
                  "%zu bytes: %s, %zu came back", sizes[i], r.reason, r.bytes);
        free(data);
    }
    grange_close(g);
}

Test(functions, many_at_once_all_come_back)
{
    enum { N = 20000 };
    struct grange_bytes *items = calloc(N, sizeof *items);
    uint64_t *numbers = calloc(N, sizeof *numbers);
    struct grange_future first, *all = calloc(N, sizeof *all);
    struct grange_result r;

    begin(2);
    for (size_t i = 0; i < N; i++) {
        numbers[i] = i;
        items[i] = (struct grange_bytes){ &numbers[i], sizeof *numbers };
    }
    cr_assert_eq(grange_batch(g, "echo", items, N, NULL, &first), GRANGE_OK);
    for (size_t i = 0; i < N; i++)
        all[i] = grange_nth(first, i);
    cr_assert_eq(grange_wait_all(g, all, N, LONG_MS), GRANGE_OK, "%s", grange_message(g));
    for (size_t i = 0; i < N; i++) {
        cr_assert_eq(grange_get(g, all[i], &r), GRANGE_OK);
        cr_assert(r.outcome == GRANGE_DONE && r.bytes == sizeof i &&
                  memcmp(r.data, &numbers[i], sizeof i) == 0);
    }
    free(items);
    free(numbers);
    free(all);
    grange_close(g);
}

/* ---- calls of one engine */

static uint64_t engines[8];

static size_t find_engines(size_t n)
{
    struct grange_engine *list;
    size_t got;

    cr_assert_eq(grange_engines(g, n, 60000, &list, &got), GRANGE_OK, "%s", grange_message(g));
    for (size_t i = 0; i < got && i < 8; i++)
        engines[i] = list[i].id;
    free(list);
    return got;
}

static uint32_t restarts(size_t i)
{
    struct grange_engine *list;
    size_t n;

    cr_assert_eq(grange_engines(g, 0, 60000, &list, &n), GRANGE_OK);
    uint32_t of = list[i].restarts;
    free(list);
    return of;
}

/* An endless loop ends with its limit as its error; the other engine and later calls go on. */
Test(functions, a_call_of_an_engine_has_a_limit)
{
    struct grange_direct *stuck, *polite, *d;
    struct grange_answer a;

    begin(2);
    cr_assert_eq(find_engines(2), 2);
    cr_assert_eq(grange_direct_call_within(g, engines, 1, "misbehave", "loop", 4, 20, &stuck),
                 GRANGE_OK);
    cr_assert_eq(grange_direct_call_within(g, engines + 1, 1, "misbehave", "wait", 4, 20, &polite),
                 GRANGE_OK);
    cr_assert_eq(grange_direct_wait(polite, 60000), GRANGE_ERR_TIMEOUT);
    cr_assert(grange_direct_ready(polite));
    cr_assert_eq(grange_direct_call(g, engines + 1, 1, "echo", "x", 1, &d), GRANGE_OK);
    cr_assert_eq(grange_direct_wait(d, 60000), GRANGE_OK, "%s", grange_message(g));
    grange_direct_free(d);
    cr_assert_eq(grange_direct_wait(stuck, 60000), GRANGE_ERR_TIMEOUT);
    cr_assert_eq(grange_direct_answer(stuck, 0, &a), GRANGE_OK);
    cr_assert_eq(a.code, GRANGE_ERR_TIMEOUT);
    cr_expect_not_null(strstr(a.reason, "timed out"), "%s", a.reason);
    cr_assert_eq(find_engines(2), 2); /* it is there again */
    while (restarts(0) == 0)
        sched_yield(); /* is told a moment later; the test's timeout */
    cr_expect(restarts(0) == 1 && restarts(1) == 0);
    cr_assert_eq(grange_direct_call_within(g, engines + 1, 1, "echo", "x", 1, 60000, &d),
                 GRANGE_OK);
    cr_assert_eq(grange_direct_wait(d, 60000), GRANGE_OK, "%s", grange_message(g));
    grange_direct_free(d);
    cr_expect_eq(grange_direct_call_within(g, engines, 1, "echo", "x", 1, 0, &d), GRANGE_ERR_USAGE);
    cr_expect_null(d);
    grange_direct_free(stuck);
    grange_direct_free(polite);
    grange_close(g);
}

static void count_end(struct grange *of, struct grange_direct *d, void *context)
{
    atomic_uint *n = context;
    struct grange_answer a;

    (void)of;
    cr_assert_eq(grange_direct_answer(d, 0, &a), GRANGE_OK);
    cr_assert_eq(a.code, GRANGE_OK, "%s", a.error);
    cr_assert_eq(grange_direct_wait(d, 60000), GRANGE_OK, "it has ended");
    grange_direct_free(d);
    ++*n;
}

static void never(struct grange *of, struct grange_direct *d, void *context)
{
    (void)of, (void)d, (void)context;
    cr_assert_fail("a callback of what was freed");
}

struct submitter {
    pthread_t thread;
    atomic_uint *n;
};

enum { THREADS = 4, CALLS_EACH = 100 };

static void *submit_some(void *arg)
{
    const struct submitter *s = arg;
    struct grange_direct *d;

    for (size_t i = 0; i < CALLS_EACH; i++) {
        cr_assert_eq(grange_direct_call(g, engines, 2, "echo", "x", 1, &d), GRANGE_OK);
        cr_assert_eq(grange_direct_on_end(d, count_end, s->n), GRANGE_OK);
    }
    return NULL;
}

/* Nobody waits: the library's thread calls back, whoever asked, each once. */
Test(functions, ends_of_calls_of_engines_are_told)
{
    atomic_uint n = 0, at_once = 0;
    struct submitter s[THREADS];
    struct grange_direct *d;

    begin(2);
    cr_assert_eq(find_engines(2), 2);
    for (size_t i = 0; i < THREADS; i++) {
        s[i].n = &n;
        cr_assert_eq(pthread_create(&s[i].thread, NULL, submit_some, &s[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(s[i].thread, NULL);
    while (n < THREADS * CALLS_EACH)
        sched_yield(); /* the test's timeout */
    cr_assert_eq(grange_direct_call(g, engines, 1, "misbehave", "wait", 4, &d), GRANGE_OK);
    cr_assert_eq(grange_direct_on_end(d, never, NULL), GRANGE_OK);
    grange_direct_free(d);
    cr_assert_eq(grange_direct_call(g, engines, 2, "echo", "x", 1, &d), GRANGE_OK);
    cr_assert_eq(grange_direct_wait(d, 60000), GRANGE_OK); /* the last in order at both */
    cr_assert_eq(grange_direct_on_end(d, count_end, &at_once), GRANGE_OK);
    while (at_once < 1)
        sched_yield();
    cr_expect(n == THREADS * CALLS_EACH && at_once == 1);
    grange_close(g);
}

static bool readable(int timeout_ms)
{
    struct pollfd fd = { .fd = grange_fd(g), .events = POLLIN };

    return poll(&fd, 1, timeout_ms) == 1;
}

/* A loop around the descriptor hears of each end. */
Test(functions, the_descriptor_covers_calls_of_engines)
{
    struct grange_direct *d;
    size_t i, n = 0;

    begin(2);
    cr_assert_eq(find_engines(2), 2);
    cr_assert_eq(grange_direct_call(g, engines, 2, "echo", "x", 1, &d), GRANGE_OK);
    while (n < 2) {
        cr_assert(readable(60000));
        while (grange_direct_next(d, 0, &i) == GRANGE_OK)
            n++;
    }
    grange_direct_free(d);
    cr_assert_eq(grange_direct_call(g, engines, 2, "echo", "x", 1, &d), GRANGE_OK);
    do
        cr_assert(readable(60000));
    while (!grange_direct_ready(d));
    grange_close(g); /* d goes with it */
}

/* Long values over the whole way: scattered, squared in the engines, gathered. */
Test(functions, long_sequences_are_scattered_and_gathered)
{
    enum { ITEMS = 1 << 20 };
    double *x = malloc(ITEMS * sizeof *x), *y;
    struct grange_direct *d;
    void *data;
    size_t bytes;

    cr_assert_not_null(x);
    begin(3);
    cr_assert_eq(find_engines(3), 3);
    for (int round = 1; round <= 3; round++) { /* the files of the one before are used again */
        for (size_t i = 0; i < ITEMS; i++)
            x[i] = (double)(i % 1000) + round;
        cr_assert_eq(grange_scatter(g, engines, 3, "x", x, ITEMS, sizeof *x, 60000), GRANGE_OK);
        cr_assert_eq(grange_direct_call(g, engines, 3, "square", "x", 1, &d), GRANGE_OK);
        cr_assert_eq(grange_direct_wait(d, 60000), GRANGE_OK, "%s", grange_message(g));
        grange_direct_free(d);
        cr_assert_eq(grange_gather(g, engines, 3, "x^2", 60000, &data, &bytes), GRANGE_OK, "%s",
                     grange_message(g));
        cr_assert_eq(bytes, ITEMS * sizeof *x);
        y = data;
        for (size_t i = 0; i < ITEMS; i++)
            cr_assert(y[i] == x[i] * x[i], "%zu: %f", i, y[i]);
        free(data);
    }
    cr_expect_eq(grange_gather(g, engines, 3, "none", 60000, &data, &bytes), GRANGE_ERR_STATE);
    cr_expect_null(data);
    free(x);
    grange_close(g);
}

/* client_engines_told - what a program hears of its operations on engines, and when: callbacks, the
 * descriptor, the order of the ends; and how much of them is on its way. */
#include <poll.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "client/session.h"
#include "client_engines_fake.h"

TestSuite(client_engines_told, .init = engines_setup, .fini = engines_teardown, .timeout = 120);

static struct grange_direct *call(const uint64_t *engines, size_t n, const char *function)
{
    struct grange_direct *d;

    cr_assert_eq(grange_direct_call(g, engines, n, function, "x", 1, &d), GRANGE_OK);
    return d;
}

static void wait_and_free(struct grange_direct *d)
{
    cr_assert_eq(grange_direct_wait(d, LONG_MS), GRANGE_OK, "%s", grange_message(g));
    grange_direct_free(d);
}

/* all_heard - what the scheduler had said before now has been taken, and it what we said. */
static void all_heard(void)
{
    wait_and_free(call(all, 1, "echo"));
}

/* ---- callbacks */

static sem_t called;
static atomic_uint n_called;

static void count(struct grange *of, struct grange_direct *d, void *context)
{
    cr_expect_eq(of, g);
    cr_expect(grange_direct_ready(d));
    cr_expect_eq(context, &called);
    n_called++;
    sem_post(&called);
}

static void reset(void)
{
    n_called = 0;
    must(sem_init(&called, 0, 0) == 0);
}

Test(client_engines_told, a_callback_comes_once_all_have_ended)
{
    const uint64_t engines[] = { 9, 0 }; /* the first one ends at once: there is none */

    reset();
    struct grange_direct *d = call(engines, 2, "hold");
    cr_assert_eq(grange_direct_on_end(d, count, &called), GRANGE_OK);
    all_heard();
    struct grange_answer a;
    cr_assert_eq(grange_direct_answer(d, 0, &a), GRANGE_OK);
    cr_expect(!grange_direct_ready(d));
    cr_expect_eq((unsigned)n_called, 0);
    engines_release();
    must(sem_wait(&called) == 0); /* nobody waits in the library: its thread takes it */
    all_heard();
    cr_expect_eq((unsigned)n_called, 1);
    grange_direct_free(d);
}

Test(client_engines_told, a_callback_for_what_has_ended_comes_at_once_and_a_second_one_too)
{
    reset();
    struct grange_direct *d = call(all, 2, "echo");
    cr_assert_eq(grange_direct_wait(d, LONG_MS), GRANGE_OK);
    for (unsigned i = 1; i < 3; i++) {
        cr_assert_eq(grange_direct_on_end(d, count, &called), GRANGE_OK);
        must(sem_wait(&called) == 0);
        cr_expect_eq((unsigned)n_called, i);
    }
    grange_direct_free(d);
}

static void end_other(struct grange *of, struct grange_direct *d, void *context)
{
    struct grange_direct *other = context;

    (void)of, (void)d;
    cr_assert_eq(grange_direct_on_end(other, count, &called), GRANGE_OK); /* after this one */
    cr_expect_eq((unsigned)n_called, 0);
    grange_direct_free(other);
    sem_post(&called);
}

Test(client_engines_told, who_was_freed_is_not_called)
{
    reset();
    struct grange_direct *d = call(all, 1, "echo"), *other = call(all, 1, "echo");
    cr_assert_eq(grange_direct_wait(other, LONG_MS), GRANGE_OK);
    cr_assert_eq(grange_direct_on_end(d, end_other, other), GRANGE_OK);
    must(sem_wait(&called) == 0);
    all_heard();
    cr_expect_eq((unsigned)n_called, 0);
    grange_direct_free(d);
    grange_direct_free(NULL);
}

/* ---- the descriptor */

static bool readable(int timeout_ms)
{
    struct pollfd fd = { .fd = grange_fd(g), .events = POLLIN };

    return poll(&fd, 1, timeout_ms) == 1;
}

Test(client_engines_told, the_descriptor_is_readable_until_the_ends_are_known)
{
    size_t i;

    struct grange_direct *d = call(all, 2, "echo");
    all_heard(); /* so it has ended, and its program does not know */
    cr_expect(readable(LONG_MS));
    cr_assert_eq(grange_direct_next(d, LONG_MS, &i), GRANGE_OK);
    cr_expect(readable(LONG_MS), "one of two was given out");
    cr_assert_eq(grange_direct_next(d, LONG_MS, &i), GRANGE_OK);
    while (readable(0)) /* but for what the connection itself has to do */
        cr_expect(grange_direct_ready(d));
    grange_direct_free(d);
    grange_direct_free(call(all, 1, "echo"));
    all_heard();
    d = call(all, 1, "echo");
    all_heard();
    grange_direct_free(d); /* nor does it tell of what nobody wants to know */
    while (readable(0))
        all_heard();
}

/* ---- answers */

Test(client_engines_told, they_are_given_out_in_the_order_of_their_ends)
{
    size_t i;

    fake.backwards = true;
    struct grange_direct *d = call(all, 3, "hold");
    all_heard();
    engines_release();
    for (size_t k = 0; k < 3; k++) {
        cr_assert_eq(grange_direct_next(d, LONG_MS, &i), GRANGE_OK);
        cr_expect_eq(i, 2 - k);
    }
    grange_direct_free(d);
}

Test(client_engines_told, each_gets_the_payload_and_each_answers)
{
    struct grange_direct *d = call(all, ENGINES, "echo");
    struct grange_answer a;

    cr_assert_eq(grange_direct_wait(d, LONG_MS), GRANGE_OK);
    for (size_t i = 0; i < ENGINES; i++) {
        cr_assert_eq(grange_direct_answer(d, i, &a), GRANGE_OK);
        cr_expect(a.bytes == 1 && *(const char *)a.data == 'x', "engine %zu", i);
    }
    grange_direct_free(d);
}

Test(client_engines_told, a_limit_goes_along_and_who_exceeds_it_timed_out)
{
    struct grange_direct *d;
    struct grange_answer a;

    cr_assert_eq(grange_direct_call_within(g, all, 1, "slow", NULL, 0, 1234, &d), GRANGE_OK);
    cr_expect_eq(grange_direct_wait(d, LONG_MS), GRANGE_ERR_TIMEOUT);
    cr_assert_eq(grange_direct_answer(d, 0, &a), GRANGE_OK);
    cr_expect_eq(a.code, GRANGE_ERR_TIMEOUT);
    cr_expect_eq(fake.limit_ms, 1234);
    grange_direct_free(d);
    cr_expect_eq(grange_direct_call_within(g, all, 1, "slow", NULL, 0, 0, &d), GRANGE_ERR_USAGE);
    cr_expect_eq(grange_direct_call_within(g, all, 1, "slow", NULL, 0, INT64_MAX, &d),
                 GRANGE_ERR_USAGE);
    wait_and_free(call(all, 1, "echo"));
    cr_expect_eq(fake.limit_ms, 0);
}

Test(client_engines_told, values_of_different_lengths_are_gathered_in_order)
{
    char to[10];
    size_t bytes = 0;
    void *block;
    struct grange_direct *d;

    cr_assert_eq(grange_scatter(g, all, ENGINES, "x", "0123456789", 10, 1, LONG_MS), GRANGE_OK);
    cr_assert_eq(grange_direct_get(g, all, ENGINES, "x", &d), GRANGE_OK);
    cr_expect_eq(grange_direct_wait(d, LONG_MS), GRANGE_OK, "%s", grange_message(g));
    cr_assert_eq(grange_direct_gather(d, NULL, &bytes), GRANGE_OK);
    cr_assert_eq(bytes, sizeof to);
    bytes = sizeof to - 1;
    cr_expect_eq(grange_direct_gather(d, to, &bytes), GRANGE_ERR_LIMIT);
    cr_expect_str_eq(grange_message(g), "the answers have 10 bytes, there is room for 9");
    bytes = sizeof to;
    cr_assert_eq(grange_direct_gather(d, to, &bytes), GRANGE_OK);
    cr_expect_eq(memcmp(to, "0123456789", sizeof to), 0);
    grange_direct_free(d);
    cr_assert_eq(grange_direct_drop(g, &all[1], 1, "x", &d), GRANGE_OK);
    wait_and_free(d);
    cr_expect_eq(grange_gather(g, all, ENGINES, "x", LONG_MS, &block, &bytes),
                 GRANGE_ERR_NOT_FOUND);
    cr_expect_null(block);
    cr_expect_eq(bytes, 0);
}

Test(client_engines_told, a_short_value_and_a_long_one_are_gathered)
{
    size_t n = 2 * INLINE_BYTES_MAX, bytes;
    char *data = pattern(n);
    struct grange_direct *d;
    void *got;

    cr_assert_eq(grange_direct_put(g, &all[0], 1, "x", data, 1, &d), GRANGE_OK);
    wait_and_free(d);
    cr_assert_eq(grange_direct_put(g, &all[1], 1, "x", data + 1, n - 1, &d), GRANGE_OK);
    wait_and_free(d);
    cr_assert_eq(grange_gather(g, all, 2, "x", LONG_MS, &got, &bytes), GRANGE_OK);
    cr_expect(bytes == n && memcmp(got, data, n) == 0);
    session_enter(g);
    cr_expect(g->directs.n_streams == 0 && !g->directs.stalled);
    session_leave(g, 0);
    free(got);
    free(data);
}

Test(client_engines_told, they_leave_in_the_order_in_which_they_were_asked_for)
{
    const uint64_t twice[] = { 0, 0 };
    struct grange_direct *d;
    struct grange_answer a;

    cr_assert_eq(grange_scatter(g, twice, 2, "x", "ab", 2, 1, LONG_MS), GRANGE_OK);
    cr_assert_eq(grange_direct_get(g, all, 1, "x", &d), GRANGE_OK);
    cr_assert_eq(grange_direct_wait(d, LONG_MS), GRANGE_OK);
    cr_assert_eq(grange_direct_answer(d, 0, &a), GRANGE_OK);
    cr_expect(a.bytes == 1 && *(const char *)a.data == 'b');
    grange_direct_free(d);
}

/* A result of which more comes than was said does not go beyond its place. */
Test(client_engines_told, a_result_is_not_longer_than_was_said)
{
    size_t n = 3 * BLOB_PART_BYTES, bytes;
    char *data = pattern(n);
    void *got;

    cr_assert_eq(grange_scatter(g, all, 2, "x", data, n, 1, LONG_MS), GRANGE_OK);
    fake.says_less = true;
    cr_assert_eq(grange_gather(g, all, 2, "x", LONG_MS, &got, &bytes), GRANGE_OK);
    cr_expect_leq(bytes, n / 2);
    free(got);
    free(data);
}

/* ---- how much is on its way */

Test(client_engines_told, a_payload_goes_as_far_as_its_window)
{
    size_t n = 3 * (size_t)DIRECT_WINDOW_BYTES;
    char *data = pattern(n);
    struct grange_direct *d;

    cr_assert_eq(grange_direct_call(g, all, 1, "stuck", data, n, &d), GRANGE_OK);
    while (fake.most_out < DIRECT_WINDOW_BYTES)
        engines_asked();
    engines_asked();
    cr_expect_eq(fake.most_out, DIRECT_WINDOW_BYTES);
    grange_direct_free(d);
    free(data);
}

/* However many engines there are: the scheduler refuses what is more. */
Test(client_engines_told, payloads_go_as_far_as_the_bytes_of_a_client)
{
    enum { N = DIRECT_BYTES_MAX / DIRECT_WINDOW_BYTES + 4 };
    uint64_t engines[N];
    size_t n = (size_t)DIRECT_WINDOW_BYTES + 2 * BLOB_PART_BYTES;
    char *data = pattern(n);
    struct grange_direct *d;

    for (size_t i = 0; i < N; i++)
        engines[i] = i % ENGINES;
    cr_assert_eq(grange_direct_call(g, engines, N, "stuck", data, n, &d), GRANGE_OK);
    while (fake.bytes_out <= DIRECT_BYTES_MAX - BLOB_PART_BYTES)
        engines_asked();
    engines_asked();
    cr_expect_leq(fake.bytes_out, (uint64_t)DIRECT_BYTES_MAX);
    engines_release();
    wait_and_free(d);
    cr_expect_eq(fake.bytes_out, 0);
    free(data);
}

/* Short ones go whole, and count until they have ended. */
Test(client_engines_told, short_payloads_go_as_far_as_the_bytes_of_a_client)
{
    enum { N = DIRECT_BYTES_MAX / INLINE_BYTES_MAX + 10 };
    uint64_t engines[N] = { 0 };
    char *data = pattern(INLINE_BYTES_MAX);
    struct grange_direct *d;

    cr_assert_eq(grange_direct_call(g, engines, N, "hold", data, INLINE_BYTES_MAX, &d), GRANGE_OK);
    engines_asked();
    cr_expect_eq((unsigned)fake.n_jobs, N - 10);
    grange_direct_free(d);
    free(data);
}

Test(client_engines_told, so_many_long_results_come_at_a_time)
{
    uint64_t engines[5 * STREAMS];
    size_t n = 2 * INLINE_BYTES_MAX;
    char *data = pattern(n);
    struct grange_direct *d;

    for (size_t i = 0; i < 5 * STREAMS; i++)
        engines[i] = i % ENGINES;
    fake.stuck_streams = true;
    cr_assert_eq(grange_direct_call(g, engines, 5 * STREAMS, "echo", data, n, &d), GRANGE_OK);
    while (fake.n_begun < STREAMS)
        engines_asked();
    engines_asked();
    cr_expect_eq((unsigned)fake.n_begun, STREAMS);
    grange_direct_free(d);
    free(data);
}

Test(client_engines_told, a_long_result_that_is_cancelled_gives_up_its_turn)
{
    uint64_t engines[STREAMS];
    char *data = pattern(2 * INLINE_BYTES_MAX);
    struct grange_direct *d, *next;

    for (size_t i = 0; i < STREAMS; i++)
        engines[i] = i % ENGINES;
    fake.stuck_streams = true;
    cr_assert_eq(grange_direct_call(g, engines, STREAMS, "echo", data, 2 * INLINE_BYTES_MAX, &d),
                 GRANGE_OK);
    cr_assert_eq(grange_direct_call(g, all, 1, "echo", data, 2 * INLINE_BYTES_MAX, &next),
                 GRANGE_OK);
    for (bool waits = false; !waits;) {
        engines_asked();
        session_enter(g);
        waits = g->directs.stalled != NULL;
        session_leave(g, 0);
    }
    grange_direct_free(next);
    engines_asked(); /* behind the end that answers it */
    session_enter(g);
    cr_expect_null(g->directs.stalled);
    session_leave(g, 0);
    grange_direct_free(d);
    free(data);
}

/* What has ended, was cancelled or lost takes no part of the bounds any more. */
Test(client_engines_told, nothing_is_left_of_what_has_ended)
{
    size_t n = 3 * BLOB_PART_BYTES;
    char *data = pattern(n);
    struct grange_direct *d;

    for (size_t i = 0; i < 3; i++) {
        const char *function = i == 0 ? "echo" : i == 1 ? "fail" : "stuck";
        cr_assert_eq(grange_direct_call(g, all, ENGINES, function, data, n, &d), GRANGE_OK);
        if (i < 2)
            grange_direct_wait(d, LONG_MS);
        grange_direct_free(d);
        all_heard();
        session_enter(g);
        cr_expect_eq(g->directs.bytes_out, 0, "%s", function);
        cr_expect_eq(g->directs.n_lingering, 0);
        cr_expect_eq(g->directs.n_streams, 0);
        session_leave(g, 0);
    }
    free(data);
}

/* ---- what waits for room */

enum { LONG_BYTES = 2 * DIRECT_WINDOW_BYTES, OTHERS = DIRECT_BYTES_MAX - INLINE_BYTES_MAX };
enum { HALF_PART = BLOB_PART_BYTES / 2 };

/* others_out - as if so many bytes more of others were on their way. */
static void others_out(int64_t bytes)
{
    session_enter(g);
    g->directs.bytes_out += (uint64_t)bytes;
    session_leave(g, 0);
}

static bool is_paused(void)
{
    session_enter(g);
    bool paused = g->directs.paused != NULL;
    session_leave(g, 0);
    return paused;
}

/* begun - a call on n engines of which the first parts have left; then so many bytes of others are
 * on their way. */
static struct grange_direct *begun(size_t n, const char *data, uint64_t others)
{
    session_enter(g);
    g->directs.machine = 0; /* no files */
    struct grange_direct *d = directs_make(g, DIRECT_CALL, all, n, "stuck");
    for (size_t i = 0; i < n; i++)
        directs_payload(d, i, data, LONG_BYTES);
    directs_begin(d);
    g->directs.bytes_out += others;
    session_leave(g, 0);
    return d;
}

/* paused - a call whose first part has been taken, and whose other parts have no room. */
static struct grange_direct *paused(const char *data)
{
    struct grange_direct *d = begun(1, data, OTHERS);

    while (!is_paused())
        engines_asked();
    return d;
}

/* goes_on - there is room again, and nothing is left of what waited for it. */
static void goes_on(void)
{
    others_out(-OTHERS);
    all_heard();
    cr_expect(!is_paused());
    session_enter(g);
    cr_expect_eq(g->directs.bytes_out, 0);
    session_leave(g, 0);
}

Test(client_engines_told, what_waits_for_room_goes_on_when_there_is_some)
{
    char *data = pattern(LONG_BYTES);
    struct grange_direct *d = paused(data);

    engines_release();
    others_out(-OTHERS);
    all_heard();
    wait_and_free(d);
    cr_expect(!is_paused());
    free(data);
}

/* There is room for one more part of the first of two; it is taken while others need that room. */
Test(client_engines_told, who_waits_for_room_again_leaves_others_their_turn)
{
    char *data = pattern(LONG_BYTES);
    int64_t others = DIRECT_BYTES_MAX - 3 * HALF_PART;
    struct grange_direct *d = begun(2, data, (uint64_t)others);

    while (fake.bytes_out < BLOB_PART_BYTES)
        engines_asked();
    engines_asked();
    session_enter(g);
    cr_expect(d->ops[0].paused && d->ops[1].paused);
    cr_expect(d->ops[1].sent == d->ops[1].acked);
    session_leave(g, 0);
    others_out(BLOB_PART_BYTES);
    engines_release();
    all_heard();
    all_heard();
    others_out(-others - BLOB_PART_BYTES);
    all_heard();
    wait_and_free(d);
    cr_expect(!is_paused());
    free(data);
}

Test(client_engines_told, what_ends_while_it_waits_for_room_is_forgotten)
{
    char *data = pattern(LONG_BYTES);
    struct grange_direct *d = paused(data);

    engines_crash();
    cr_expect_eq(grange_direct_wait(d, LONG_MS), GRANGE_ERR_LOST);
    cr_expect_str_eq(grange_message(g), "engine 0: killed by SIGKILL");
    grange_direct_free(d);
    goes_on();
    free(data);
}

Test(client_engines_told, what_is_cancelled_while_it_waits_for_room_is_forgotten)
{
    char *data = pattern(LONG_BYTES);
    struct grange_direct *d = paused(data);

    grange_direct_free(d);
    free(data);      /* which is its program's again */
    engines_asked(); /* behind the end that answers it */
    goes_on();
    cr_expect_eq((unsigned)fake.n_cancelled, 1);
}

Test(client_engines_told, what_is_lost_while_it_waits_for_room_is_forgotten)
{
    char *data = pattern(LONG_BYTES);
    struct grange_direct *d = paused(data);

    engines_stop();
    cr_expect_eq(grange_direct_wait(d, LONG_MS), GRANGE_ERR_LOST);
    cr_expect(!is_paused());
    grange_direct_free(d);
    free(data);
}

/* begin_result - its first word, before all of the payload was taken. */
static void begin_result(const struct grange_direct *d)
{
    struct message m = { .kind = MSG_DIRECT_END };

    session_enter(g);
    m.direct_end.ticket = d->ops[0].ticket;
    m.direct_end.text = "";
    m.direct_end.total = LONG_BYTES;
    m.direct_end.more = true;
    directs_on_message(g, &m);
    session_leave(g, 0);
}

/* Who answers early wants no more of the payload, and what comes of the result has its own turn. */
Test(client_engines_told, a_result_may_begin_while_its_payload_waits_for_room)
{
    char *data = pattern(LONG_BYTES);
    struct grange_direct *d = paused(data);

    begin_result(d);
    cr_expect(!is_paused());
    others_out(-OTHERS);
    grange_direct_free(d);
    free(data);
}

Test(client_engines_told, no_more_of_a_payload_leaves_once_its_result_begins)
{
    char *data = pattern(LONG_BYTES);
    struct grange_direct *d;

    fake.stuck_streams = true;
    cr_assert_eq(grange_direct_call(g, all, 1, "stuck", data, LONG_BYTES, &d), GRANGE_OK);
    while (fake.bytes_out < DIRECT_WINDOW_BYTES)
        engines_asked();
    begin_result(d);
    engines_release(); /* its window is free again */
    all_heard();
    all_heard();
    cr_expect_eq((unsigned)fake.n_jobs, 1, "not all of it was sent");
    grange_direct_free(d);
    free(data);
}

/* client_ends - futures, sets, maps and progress: what they hold and forget, and who is told. */
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/must.h"
#include "client/session.h"
#include "client_harness.h"

TestSuite(client_ends, .init = setup, .fini = teardown, .timeout = 120);

static void says(const char *part)
{
    cr_assert(strstr(grange_message(g), part), "'%s' lacks '%s'", grange_message(g), part);
}

static bool readable(int timeout_ms)
{
    struct pollfd fd = { .fd = grange_fd(g), .events = POLLIN };

    return poll(&fd, 1, timeout_ms) == 1;
}

/* ---- submitting */

Test(client_ends, a_call_needs_a_function_and_a_command_is_whole)
{
    struct grange_future f;

    begin();
    cr_expect_eq(grange_call(g, NULL, "x", 1, NULL, &f), GRANGE_ERR_USAGE);
    says("the name of a function has 1 to 100 bytes");
    cr_assert_eq(grange_command(g, "echo hello", NULL, &f), GRANGE_OK);
    struct grange_result r = result(f);
    cr_expect(r.bytes == 10 && memcmp(r.data, "echo hello", 10) == 0);
    cr_expect(strstr(s.arrays[0].spec, "\"commands\":true"), "%s", s.arrays[0].spec);
    finish();
}

Test(client_ends, functions_do_not_share_calls)
{
    struct grange_future f, other;

    begin();
    cr_assert_eq(grange_call(g, "echo", "x", 1, NULL, &f), GRANGE_OK);
    cr_assert_eq(grange_call(g, "other", "x", 1, NULL, &other), GRANGE_OK);
    result(f);
    result(other);
    cr_expect_eq(s.n_arrays, 2);
    cr_expect(strstr(s.arrays[0].spec, "\"echo\"") && strstr(s.arrays[1].spec, "\"other\""));
    finish();
}

Test(client_ends, arrays_without_a_key_are_closed_with_the_connection_and_others_not)
{
    begin();
    result(call("x", NULL));
    result(call("y", &(struct grange_options){ .key = "mine" }));
    finish();
    cr_expect(s.arrays[0].closed);
    cr_expect(!s.arrays[1].closed);
}

Test(client_ends, the_key_of_a_future_is_no_negative_number)
{
    struct grange_future f;

    begin();
    result(call("x", &(struct grange_options){ .key = "fit" }));
    const char *const wrong[] = { "fit:-0", "fit:", ":0", "fit:0x", "fit: 0", "fit:+0" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_expect_eq(grange_future_open(g, wrong[i], LONG_MS, &f), GRANGE_ERR_USAGE, "%s",
                     wrong[i]);
    cr_expect_eq(grange_future_open(g, "fit:0", LONG_MS, &f), GRANGE_OK);
    finish();
}

Test(client_ends, a_key_that_was_not_there_may_be_there_later)
{
    struct grange_future f;
    struct grange_result r;

    begin();
    struct grange *second = connected();
    cr_expect_eq(grange_future_open(second, "fit:0", LONG_MS, &f), GRANGE_ERR_NOT_FOUND);
    result(call("x", &(struct grange_options){ .key = "fit" }));
    cr_assert_eq(grange_future_open(second, "fit:0", LONG_MS, &f), GRANGE_OK);
    cr_assert_eq(grange_wait(second, f, LONG_MS), GRANGE_OK);
    cr_assert_eq(grange_get(second, f, &r), GRANGE_OK);
    cr_expect_eq(r.bytes, 1);
    /* and then it is appended to, under the same key: those that are there are not again */
    struct grange_options o = { .key = "fit" };
    struct grange_future again[2];
    for (int i = 0; i < 2; i++)
        cr_assert_eq(grange_call(second, "echo", "x", 1, &o, &again[i]), GRANGE_OK);
    cr_assert_eq(grange_wait_all(second, again, 2, LONG_MS), GRANGE_OK, "%s",
                 grange_message(second));
    cr_expect_eq((unsigned)s.n_appended_calls, 2);
    grange_close(second);
    finish();
}

/* ---- waiting */

static sem_t entered, leave;

static void stay(struct grange *of, struct grange_future f, void *context)
{
    (void)of, (void)f, (void)context;
    sem_post(&entered);
    must(sem_wait(&leave) == 0);
}

/* in_callback - from now on the thread of the library does nothing, until `leave`. */
static void in_callback(void)
{
    must(sem_init(&entered, 0, 0) == 0 && sem_init(&leave, 0, 0) == 0);
    struct grange_future f = call("hold", NULL);
    cr_assert_eq(grange_flush(g, LONG_MS), GRANGE_OK);
    cr_assert_eq(grange_on_end(g, f, stay, NULL), GRANGE_OK);
    fake_release(&s);
    must(sem_wait(&entered) == 0);
}

Test(client_ends, who_only_looks_takes_what_is_here)
{
    struct grange_future f[2], next;
    struct grange_set *set;

    begin();
    in_callback();
    for (int i = 0; i < 2; i++)
        f[i] = call("x", NULL);
    while (!grange_ready(g, f[0]))
        ;
    f[1] = call("y", NULL);
    cr_assert_eq(grange_set_new(g, &set), GRANGE_OK);
    cr_assert_eq(grange_set_add(set, f[1], 1), GRANGE_OK);
    while (grange_set_next(set, 0, &next) == GRANGE_ERR_TIMEOUT)
        ;
    cr_expect_eq(next.id, f[1].id);
    sem_post(&leave);
    finish();
}

Test(client_ends, a_call_leaves_after_those_that_it_waits_for)
{
    struct grange_options a = { .key = "a" }, b = { .key = "b" };

    begin();
    in_callback(); /* so none of them is opened */
    unsigned n = s.n_appends;
    call("x", &a);
    struct grange_future f = call("y", &b);
    a.after = &f;
    a.n_after = 1;
    struct grange_future last = call("z", &a);
    sem_post(&leave);
    cr_expect_eq(result(last).outcome, GRANGE_DONE);
    cr_expect_eq((unsigned)s.n_appends, n + 3, "the second of a does not leave with the first");
    finish();
}

static void nothing(struct grange *of, struct grange_future f, void *context)
{
    (void)of, (void)f;
    ++*(int *)context;
}

Test(client_ends, no_callback_begins_while_one_runs)
{
    int n = 0;

    begin();
    struct grange_future f = call("x", NULL);
    result(f);
    in_callback();
    cr_assert_eq(grange_on_end(g, f, nothing, &n), GRANGE_OK);
    cr_expect_eq(n, 0);
    sem_post(&leave);
    finish();
}

static void *wait_for_ever(void *arg)
{
    cr_expect_eq(grange_wait(g, *(struct grange_future *)arg, GRANGE_FOREVER), GRANGE_ERR_LOST);
    says("shut down");
    return NULL;
}

Test(client_ends, a_farm_that_is_up_again_at_once_was_down_for_who_waits)
{
    pthread_t thread;
    bool waits = false;

    begin();
    struct grange_future f = call("hold", NULL);
    cr_assert_eq(grange_flush(g, LONG_MS), GRANGE_OK);
    must(pthread_create(&thread, NULL, wait_for_ever, &f) == 0);
    while (!waits) {
        session_enter(g);
        waits = g->pump.n_waiting > 0 || (g->pump.lead && !g->pump.lead_is_ours);
        session_leave(g, 0);
    }
    fake_down(&s);
    fake_start(&s);
    pthread_join(thread, NULL);
    fake_release(&s);
    int code;
    while ((code = grange_wait(g, f, LONG_MS)) == GRANGE_ERR_LOST)
        ;
    cr_assert_eq(code, GRANGE_OK);
    finish();
}

Test(client_ends, a_range_that_is_not_of_one_batch_is_not_cancelled)
{
    begin();
    struct grange_future f = call("hold", NULL);
    cr_expect_eq(grange_future_cancel(g, f, 2, LONG_MS), GRANGE_ERR_NOT_FOUND);
    says("is no future of this connection");
    cr_expect_eq((unsigned)s.n_cancelled, 0);
    struct grange_future none = { 77 }, both[] = { f, none };
    size_t which;
    cr_expect_eq(grange_wait_any(g, both, 2, LONG_MS, &which), GRANGE_ERR_NOT_FOUND);
    finish();
}

/* ---- sets */

Test(client_ends, a_set_that_was_freed_is_told_nothing)
{
    struct grange_set *set, *other;
    struct grange_tally t;

    begin();
    struct grange_future f = call("hold", NULL), done = call("x", NULL);
    result(done);
    cr_assert_eq(grange_set_new(g, &set), GRANGE_OK);
    cr_assert_eq(grange_set_add(set, f, 1), GRANGE_OK);
    cr_assert_eq(grange_set_add(set, done, 1), GRANGE_OK);
    cr_expect(readable(LONG_MS), "one of it has ended");
    grange_set_free(set);
    while (readable(0)) /* but for what the connection itself has to do */
        grange_ready(g, f);
    cr_assert_eq(grange_set_new(g, &other), GRANGE_OK); /* where that one was */
    fake_release(&s);
    result(f);
    grange_set_tally(other, &t);
    cr_expect(t.n == 0 && t.ended == 0);
    cr_expect_eq(grange_set_next(other, 0, &f), GRANGE_ERR_NOT_FOUND);
    finish();
}

Test(client_ends, a_set_counts_what_has_ended)
{
    struct grange_set *set;
    struct grange_tally t;

    s.backwards = true; /* the last of an append ends first, and the latest is told last */
    begin();
    struct grange_bytes items[3] = { { "a", 1 }, { "b", 1 }, { "c", 1 } };
    struct grange_future first, next, held = call("hold", NULL);
    cr_assert_eq(grange_batch(g, "echo", items, 3, NULL, &first), GRANGE_OK);
    for (uint64_t i = 0; i < 3; i++)
        result(grange_nth(first, i));
    cr_assert_eq(grange_set_new(g, &set), GRANGE_OK);
    cr_assert_eq(grange_set_add(set, first, 3), GRANGE_OK);
    cr_assert_eq(grange_set_wait(set, LONG_MS), GRANGE_OK);
    for (int k = 0; k < 3; k++)
        cr_assert_eq(grange_set_next(set, LONG_MS, &next), GRANGE_OK);
    cr_assert_eq(grange_set_add(set, held, 1), GRANGE_OK);
    cr_expect_eq(grange_set_wait(set, 1), GRANGE_ERR_TIMEOUT);
    cr_expect_eq(grange_set_next(set, 1, &next), GRANGE_ERR_TIMEOUT);
    fake_release(&s);
    cr_assert_eq(grange_set_wait(set, LONG_MS), GRANGE_OK);
    cr_assert_eq(grange_set_next(set, LONG_MS, &next), GRANGE_OK);
    cr_expect_eq(next.id, held.id);
    grange_set_tally(set, &t);
    cr_expect(t.n == 4 && t.ended == 4 && t.by_outcome[GRANGE_DONE] == 4);
    cr_expect(t.wall_ms >= 20 && t.serial_us == 4 * 500 && t.cpu_us == 4 * 400);
    cr_assert_eq(grange_forget(g, next), GRANGE_OK);
    cr_expect_eq(grange_set_add(set, next, 1), GRANGE_ERR_NOT_FOUND);
    says("what was added to the set is no future of its connection");
    finish();
}

/* From the first submission to the last end, in whichever order they are told. */
Test(client_ends, the_wall_time_of_a_set_is_that_of_all_its_futures)
{
    struct grange_set *set;
    struct grange_tally t;

    s.backwards = s.spread = true; /* call i: submitted at 1000000 + 10 i, ended 1 s later */
    begin();
    struct grange_bytes items[3] = { { "a", 1 }, { "b", 1 }, { "c", 1 } };
    struct grange_future first;
    cr_assert_eq(grange_set_new(g, &set), GRANGE_OK);
    cr_assert_eq(grange_batch(g, "echo", items, 3, NULL, &first), GRANGE_OK);
    cr_assert_eq(grange_set_add(set, grange_nth(first, 1), 1), GRANGE_OK);
    cr_assert_eq(grange_set_wait(set, LONG_MS), GRANGE_OK);
    grange_set_tally(set, &t);
    cr_expect_eq(t.wall_ms, 1000);
    result(first);
    result(grange_nth(first, 2));
    cr_assert_eq(grange_set_add(set, grange_nth(first, 2), 1), GRANGE_OK);
    cr_assert_eq(grange_set_add(set, first, 1), GRANGE_OK);
    grange_set_tally(set, &t);
    cr_expect_eq(t.wall_ms, 1020);
    finish();
}

/* ---- maps */

struct seen {
    char text[24];
    uint64_t asked, taken, hold_from, stop_at;
    int stop_with;
    ms_t busy_until;
};

static struct grange_bytes item(void *context, uint64_t i)
{
    struct seen *seen = context;

    seen->asked = i + 1;
    cr_assert(seen->asked - seen->taken <= GRANGE_MAP_AHEAD);
    snprintf(seen->text, sizeof seen->text, i >= seen->hold_from ? "hold" : "%d", (int)i);
    return (struct grange_bytes){ seen->text, strlen(seen->text) };
}

static int take(void *context, uint64_t i, const struct grange_result *r)
{
    struct seen *seen = context;

    (void)r;
    seen->taken++;
    while (clock_mono_ms() < seen->busy_until)
        ;
    if (i != seen->stop_at)
        return 0;
    cr_assert_eq(grange_flush(g, LONG_MS), GRANGE_OK); /* so that they can be cancelled at once */
    return seen->stop_with;
}

Test(client_ends, a_map_submits_so_many_ahead_and_forgets_results)
{
    struct seen seen = { .hold_from = UINT64_MAX, .stop_at = UINT64_MAX };
    struct grange_future f;
    struct grange_result r;

    begin();
    cr_assert_eq(grange_map(g, "echo", 2 * GRANGE_MAP_AHEAD, item, take, &seen, 0,
                            &(struct grange_options){ .key = "m" }, LONG_MS),
                 GRANGE_OK, "%s", grange_message(g));
    cr_expect_eq(seen.taken, 2 * GRANGE_MAP_AHEAD);
    cr_assert_eq(grange_future_open(g, "m:7", LONG_MS, &f), GRANGE_OK);
    cr_expect_eq(grange_get(g, f, &r), GRANGE_ERR_NOT_FOUND, "it is still there");
    finish();
    cr_expect(!s.arrays[0].closed, "its key is its program's");
}

Test(client_ends, a_map_that_is_stopped_cancels_the_rest)
{
    for (int with = 1; with >= -1; with -= 2) {
        struct seen seen = { .hold_from = 3, .stop_at = 1, .stop_with = with };
        setup();
        begin();
        cr_expect_eq(grange_map(g, "echo", 5, item, take, &seen, 0, NULL, LONG_MS),
                     GRANGE_ERR_STATE);
        says("item 1: the map was stopped by its program");
        cr_expect_eq(seen.taken, 2);
        cr_assert_eq(grange_hold(g, "sweep", true, LONG_MS, NULL), GRANGE_OK); /* behind it */
        cr_expect(s.n_cancelled >= 2); /* those that are held */
        finish();
        cr_expect(s.arrays[0].closed, "its array is its own");
        cr_expect(strncmp(s.arrays[0].study, "calls-", 6) == 0, "%s", s.arrays[0].study);
        if (with == 1)
            teardown();
    }
}

Test(client_ends, a_map_of_which_one_is_left_cancels_that)
{
    struct seen seen = { .hold_from = 1, .stop_with = 1 };

    begin();
    cr_expect_eq(grange_map(g, "echo", 2, item, take, &seen, 0, NULL, LONG_MS), GRANGE_ERR_STATE);
    says("item 0: the map was stopped by its program");
    cr_assert_eq(grange_hold(g, "sweep", true, LONG_MS, NULL), GRANGE_OK);
    cr_expect_eq((unsigned)s.n_cancelled, 1);
    finish();
}

/* limit_told - "it has not ended within 25 ms": 25. */
static long long limit_told(void)
{
    long long ms = -1;

    says("it has not ended within ");
    sscanf(grange_message(g), "it has not ended within %lld ms", &ms);
    return ms;
}

/* Who takes the first result until half of the time is over leaves the other half for the second;
 * when there is little of it the first may not have come. */
Test(client_ends, the_time_of_a_map_is_for_all_of_it)
{
    struct seen seen = { 0 };

    begin();
    for (ms_t limit_ms = 200; seen.taken == 0; limit_ms *= 4) {
        seen = (struct seen){ .hold_from = 1,
                              .stop_at = UINT64_MAX,
                              .busy_until = clock_mono_ms() + limit_ms / 2 + 1 };
        cr_expect_eq(grange_map(g, "echo", 2, item, take, &seen, 0, NULL, limit_ms),
                     GRANGE_ERR_TIMEOUT);
        cr_expect_leq(limit_told(), seen.taken ? limit_ms / 2 : limit_ms);
    }
    cr_expect_eq(seen.taken, 1);
    finish();
}

Test(client_ends, why_a_map_stopped_is_told_also_when_the_rest_cannot_be_cancelled)
{
    struct seen seen = { .hold_from = 1, .stop_with = 1 };

    s.refuse_cancel = true;
    begin();
    cr_expect_eq(grange_map(g, "echo", 2, item, take, &seen, 0, NULL, LONG_MS), GRANGE_ERR_STATE);
    says("item 0: the map was stopped by its program");
    finish();
}

/* ---- progress */

static atomic_uint n_heard;
static _Atomic uint64_t heard_id;

static void hear(struct grange *of, struct grange_future f, const struct grange_future_progress *p,
                 void *context)
{
    (void)of, (void)context;
    cr_expect_eq(p->share, 0.5);
    heard_id += f.id;
    n_heard++;
}

static struct grange_future two_held(void)
{
    struct grange_bytes items[2] = { { "hold", 4 }, { "hold", 4 } };
    struct grange_future first;

    cr_assert_eq(grange_batch(g, "echo", items, 2, NULL, &first), GRANGE_OK);
    cr_assert_eq(grange_flush(g, LONG_MS), GRANGE_OK);
    return first;
}

/* collected - the scheduler knows who wants to know. */
static void collected(unsigned n)
{
    while (s.n_collects < n)
        grange_ready(g, (struct grange_future){ 0 });
}

Test(client_ends, who_asks_for_several_hears_of_each_and_of_what_was_said_before)
{
    begin();
    n_heard = 0;
    heard_id = 0;
    struct grange_future first = two_held();
    cr_assert_eq(grange_on_progress(g, first, 2, hear, NULL), GRANGE_OK);
    collected(2);
    fake_say(&s, 0.5, "");
    while (n_heard < 2)
        grange_ready(g, first);
    cr_expect_eq(heard_id, 2 * first.id + 1);
    cr_assert_eq(grange_on_progress(g, first, 1, hear, NULL), GRANGE_OK); /* at once */
    cr_expect(n_heard > 2);
    fake_release(&s);
    result(first);
    finish();
}

Test(client_ends, who_asks_before_the_scheduler_has_the_call_is_heard_with_it)
{
    begin();
    in_callback();
    struct grange_future f = call("x", &(struct grange_options){ .key = "mine" });
    cr_assert_eq(grange_on_progress(g, f, 1, hear, NULL), GRANGE_OK);
    sem_post(&leave);
    cr_expect_eq(result(f).outcome, GRANGE_DONE);
    cr_expect(s.arrays[1].shares);
    finish();
}

/* What is said of a call after its end, or after it was forgotten, takes no memory. */
Test(client_ends, what_has_ended_is_not_told_of)
{
    struct grange_future_progress p;

    s.says_all = true;
    begin();
    struct grange_future first = two_held();
    cr_assert_eq(grange_future_progress(g, first, &p), GRANGE_OK);
    collected(2);
    fake_release(&s);
    result(first);
    result(grange_nth(first, 1));
    cr_assert_eq(grange_forget(g, first), GRANGE_OK);
    fake_say(&s, 0.5, "");
    result(call("x", NULL)); /* behind it */
    fake_say(&s, 0.5, "");   /* which waits until the first was said */
    result(call("x", NULL));
    session_enter(g);
    cr_expect_null(g->calls.said);
    session_leave(g, 0);
    finish();
}

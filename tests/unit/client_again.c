/* client_again - what is sent and asked for, and what of it once more: under a key that is there,
 * on a new connection, in parts; and who is told of an end. */
#include <semaphore.h>

#include "base/limits.h"
#include "base/must.h"
#include "client/session.h"
#include "client_harness.h"

TestSuite(client_again, .init = setup, .fini = teardown, .timeout = 120);

static const struct grange_options fit = { .key = "fit" };

static char *long_payload(const char *begins, size_t n)
{
    char *data = calloc(1, n);

    must(data != NULL);
    strcpy(data, begins);
    for (size_t i = strlen(begins); i < n; i++)
        data[i] = (char)(i % 251);
    return data;
}

static struct grange_future call_long(const char *key, const char *data, size_t n)
{
    struct grange_options o = { .key = key };
    struct grange_future f;

    cr_assert_eq(grange_call(g, "echo", data, n, &o, &f), GRANGE_OK, "%s", grange_message(g));
    return f;
}

static void gives_back(struct grange_future f, const char *data, size_t n)
{
    struct grange_result r = result(f);

    cr_assert_eq(r.bytes, n);
    cr_assert(memcmp(r.data, data, n) == 0);
}

/* ---- under a key */

Test(client_again, a_closed_key_gives_the_calls_that_it_has)
{
    struct grange_future f;

    begin();
    result(call("x", &fit));
    result(call("y", &fit));
    cr_assert_eq(grange_key_close(g, "fit", LONG_MS), GRANGE_OK);
    unsigned n = s.n_appends;
    cr_assert_eq(grange_key_close(g, "fit", LONG_MS), GRANGE_OK);
    cr_expect_eq((unsigned)s.n_appends, n, "it is closed once");
    grange_close(g);
    g = connected();
    result(call("x", &fit));
    result(call("y", &fit));
    cr_assert_eq(grange_flush(g, LONG_MS), GRANGE_OK);
    cr_expect_eq((unsigned)s.n_appended_calls, 2);
    cr_expect_eq((unsigned)s.n_appends, n, "they were there");
    cr_expect_eq(grange_call(g, "echo", "z", 1, &fit, &f), GRANGE_ERR_STATE);
    finish();
}

Test(client_again, a_key_that_was_looked_at_is_appended_to)
{
    struct grange_future f;

    begin();
    result(call("x", &fit));
    result(call("y", &fit));
    grange_close(g);
    g = connected();
    cr_assert_eq(grange_future_open(g, "fit:0", LONG_MS, &f), GRANGE_OK);
    gives_back(f, "x", 1);
    unsigned n_opens = s.n_opens, n_collects = s.n_collects;
    struct grange_future all[3];
    const char *payloads[] = { "x", "y", "z" };
    for (int i = 0; i < 3; i++)
        all[i] = call(payloads[i], &fit);
    for (int i = 0; i < 3; i++)
        gives_back(all[i], payloads[i], 1);
    cr_expect_eq((unsigned)s.n_appended_calls, 3);
    cr_expect_eq((unsigned)s.n_opens, n_opens + 1, "with what its calls are");
    cr_expect_eq((unsigned)s.n_collects, n_collects + 1, "all of them");
    finish();
}

Test(client_again, a_point_of_an_array_that_was_not_there_may_be_there_later)
{
    struct grange_submitted r;
    struct grange_future f, first;

    begin();
    cr_expect_eq(grange_future_open(g, "#1@sweep:2", LONG_MS, &f), GRANGE_ERR_NOT_FOUND);
    cr_assert_eq(grange_submit(g, "{}", 2, 0, LONG_MS, &r), GRANGE_OK);
    cr_assert_eq(grange_future_open(g, "#1@sweep:2", LONG_MS, &f), GRANGE_OK);
    cr_expect_eq(result(f).outcome, GRANGE_DONE);
    session_enter(g);
    cr_expect_eq(g->calls.series[0]->n_ended, 1);
    session_leave(g, 0);
    cr_assert_eq(grange_sweep(g, "{}", 2, 0, LONG_MS, &r, &first), GRANGE_OK);
    cr_expect_eq(result(grange_nth(first, 2)).outcome, GRANGE_DONE);
    finish();
}

Test(client_again, one_appendix_has_a_thousand_calls_at_the_most)
{
    static struct grange_bytes items[5000];
    struct grange_future first;

    begin();
    cr_assert_eq(grange_batch(g, "echo", items, 5000, NULL, &first), GRANGE_OK);
    cr_assert_eq(grange_flush(g, LONG_MS), GRANGE_OK);
    cr_expect_eq((unsigned)s.most_calls, CHUNK_CALLS_MAX);
    session_enter(g);
    cr_expect_eq(g->calls.backlog, 0, "what is durable is not on its way");
    session_leave(g, 0);
    finish();
}

Test(client_again, a_call_is_cancelled_once_the_scheduler_has_it)
{
    begin();
    struct grange_future f = call("hold", NULL);
    cr_assert_eq(grange_future_cancel(g, f, 1, LONG_MS), GRANGE_OK);
    cr_expect_eq((unsigned)s.cancel_array, 1);
    cr_expect(s.cancel_home);
    cr_expect_eq((unsigned)s.n_appended_calls, 1);
    finish();
}

/* ---- on a new connection */

/* come_back - and what the new connection asks for has been heard. */
static void come_back(void)
{
    unsigned n = s.n_hellos;

    fake_start(&s);
    while (s.n_hellos == n)
        grange_ready(g, (struct grange_future){ 0 });
    while (grange_hold(g, "sweep", true, LONG_MS, NULL) == GRANGE_ERR_LOST)
        ;
}

static void reconnect(void)
{
    fake_stop(&s);
    come_back();
}

Test(client_again, a_scheduler_with_another_store_has_forgotten_the_calls)
{
    begin();
    struct grange_future f = call("hold", &fit);
    cr_assert_eq(grange_flush(g, LONG_MS), GRANGE_OK);
    fake_stop(&s);
    s.arrays[0].n = 0;
    fake_start(&s);
    struct grange_result r = result(f);
    cr_expect_eq(r.outcome, GRANGE_REFUSED);
    cr_expect_str_eq(r.error, "the scheduler has forgotten calls of 'fit': it had 1, now it has 0; "
                              "its store is another one");
    finish();
}

Test(client_again, what_was_taken_before_the_loss_is_not_sent_again)
{
    s.drop_append = 1;
    s.drop_after = true;
    begin();
    struct grange_future f = call("x", NULL);
    int code;
    while ((code = grange_wait(g, f, LONG_MS)) == GRANGE_ERR_LOST)
        ;
    cr_assert_eq(code, GRANGE_OK);
    cr_expect_eq((unsigned)s.n_appends, 1);
    finish();
}

Test(client_again, ends_are_asked_for_from_where_they_were)
{
    struct grange_future held;

    begin();
    for (int i = 0; i < 3; i++)
        result(call("x", NULL));
    held = call("hold", NULL);
    cr_assert_eq(grange_flush(g, LONG_MS), GRANGE_OK);
    unsigned n = s.n_collects;
    reconnect();
    while (s.n_collects == n)
        grange_ready(g, held);
    cr_expect_eq(s.cursor, 3);
    fake_release(&s);
    result(held);
    n = s.n_opens;
    reconnect();
    cr_expect_eq((unsigned)s.n_opens, n, "all have ended");
    finish();
}

Test(client_again, what_was_opened_by_its_key_is_asked_for_again)
{
    struct grange_future f;

    begin();
    call("x", &fit);
    call("hold", &fit);
    cr_assert_eq(grange_flush(g, LONG_MS), GRANGE_OK);
    grange_close(g);
    g = connected();
    cr_assert_eq(grange_future_open(g, "fit:1", LONG_MS, &f), GRANGE_OK); /* and not x */
    unsigned n = s.n_collects;
    reconnect();
    while (s.n_collects == n)
        grange_ready(g, f);
    fake_release(&s);
    gives_back(f, "hold", 4);
    finish();
}

Test(client_again, a_future_that_was_opened_twice_ends_once)
{
    struct grange_future f, same;

    begin();
    result(call("x", &fit));
    grange_close(g);
    g = connected();
    cr_assert_eq(grange_future_open(g, "fit:0", LONG_MS, &f), GRANGE_OK);
    cr_assert_eq(grange_future_open(g, "fit:0", LONG_MS, &same), GRANGE_OK);
    cr_expect_eq(f.id, same.id);
    gives_back(f, "x", 1);
    unsigned n = s.n_opens;
    reconnect();
    cr_expect_eq((unsigned)s.n_opens, n, "nothing is wanted any more");
    finish();
}

/* ---- opened by two threads at once */

struct opening {
    pthread_t thread;
    const char *key;
    int64_t timeout_ms;
    atomic_bool over;
    bool releases; /* the replies, when it is over */
    int code;
    struct grange_future f;
};

static void *open_key(void *context)
{
    struct opening *o = context;

    o->code = grange_future_open(g, o->key, o->timeout_ms, &o->f);
    o->over = true;
    if (o->releases)
        fake_reply_late(&s);
    return NULL;
}

/* opens - in a thread of its own. */
static void opens(struct opening *o)
{
    must(pthread_create(&o->thread, NULL, open_key, o) == 0);
}

/* two_held - calls that are there already, for a connection that knows nothing of them. */
static void two_held(void)
{
    s.late_replies = true;
    begin();
    call("hold", &fit);
    call("hold", &fit);
    cr_assert_eq(grange_flush(g, LONG_MS), GRANGE_OK);
    grange_close(g);
    g = connected();
    s.n_collects = 0;
}

/* n_opening - threads, just now. */
static unsigned n_opening(void)
{
    unsigned n = 0;

    session_enter(g);
    for (uint64_t i = 0; g->calls.n_series && i < g->calls.series[0]->n_slots; i++)
        n += g->calls.series[0]->slots[i].opening;
    session_leave(g, 0);
    return n;
}

Test(client_again, who_opens_a_key_keeps_it_when_another_thread_gives_up)
{
    struct opening first = { .key = "fit:0", .timeout_ms = 300, .releases = true };
    struct grange_future f;

    two_held();
    opens(&first);
    while (s.n_collects == 0 && !first.over)
        ;
    cr_assert_eq(grange_future_open(g, "fit:0", LONG_MS, &f), GRANGE_OK);
    must(pthread_join(first.thread, NULL) == 0);
    cr_expect_eq(first.code, GRANGE_ERR_TIMEOUT);
    fake_release(&s);
    gives_back(f, "hold", 4);
    finish();
}

Test(client_again, two_keys_that_are_opened_at_once_are_both_asked_for)
{
    struct opening two[2] = { { .key = "fit:0", .timeout_ms = LONG_MS },
                              { .key = "fit:1", .timeout_ms = LONG_MS } };

    two_held();
    opens(&two[0]);
    while (s.n_collects == 0)
        ;
    opens(&two[1]);
    while (n_opening() < 2)
        ;
    cr_expect_eq((unsigned)s.n_named, 1);
    fake_reply_late(&s);
    for (int i = 0; i < 2; i++) {
        must(pthread_join(two[i].thread, NULL) == 0);
        cr_assert_eq(two[i].code, GRANGE_OK);
    }
    cr_expect_eq((unsigned)s.n_collects, 2);
    cr_expect_eq((unsigned)s.n_named, 2, "the first one did not name it");
    fake_release(&s);
    for (int i = 0; i < 2; i++)
        gives_back(two[i].f, "hold", 4);
    finish();
}

/* ---- in parts */

Test(client_again, a_scheduler_that_forgot_the_parts_gets_them_all_again)
{
    size_t n = 2 * BLOB_WINDOW * BLOB_PART_BYTES + 5;
    char *data = long_payload("long", n);

    s.drop_part = BLOB_WINDOW + 3; /* so some were acknowledged */
    s.forgets = s.beats = true;
    begin();
    struct grange_future f = call_long(NULL, data, n);
    int code;
    while ((code = grange_wait(g, f, LONG_MS)) == GRANGE_ERR_LOST)
        ;
    cr_assert_eq(code, GRANGE_OK);
    gives_back(f, data, n);
    free(data);
    finish();
}

/* Once it is known how much is there the whole window is on its way again. */
Test(client_again, who_acknowledges_late_gets_the_whole_window_also_after_a_loss)
{
    size_t n = 20 * BLOB_PART_BYTES;
    char *data = long_payload("long", n);

    s.drop_part = BLOB_WINDOW + 3;
    s.late_acks = s.beats = true;
    begin();
    struct grange_future f = call_long(NULL, data, n);
    while (grange_wait(g, f, LONG_MS) == GRANGE_ERR_LOST)
        ;
    gives_back(f, data, n);
    free(data);
    finish();
}

Test(client_again, a_payload_for_which_there_is_no_room_is_refused)
{
    size_t n = INLINE_BYTES_MAX + 1;
    char *data = long_payload("long", n);

    s.refuse_parts = true;
    begin();
    struct grange_future held = call("hold", NULL);
    struct grange_result r = result(call_long(NULL, data, n));
    cr_expect_eq(r.outcome, GRANGE_REFUSED);
    cr_expect_str_eq(r.error, "there is no room for it");
    fake_release(&s);
    cr_expect_eq(result(held).outcome, GRANGE_DONE, "it was taken before");
    free(data);
    finish();
}

/* Also on a new connection. */
Test(client_again, what_was_taken_before_a_refusal_ends)
{
    s.refuse_calls = "bad";
    begin();
    struct grange_future held = call("hold", &fit);
    cr_assert_eq(grange_flush(g, LONG_MS), GRANGE_OK);
    cr_expect_eq(result(call("bad", &fit)).outcome, GRANGE_REFUSED);
    reconnect();
    fake_release(&s);
    cr_expect_eq(result(held).outcome, GRANGE_DONE);
    finish();
}

Test(client_again, what_is_durable_stays_so)
{
    char *data = long_payload("a", BLOB_PART_BYTES);
    s.takes_back = true;
    begin();
    gives_back(call_long(NULL, data, BLOB_PART_BYTES), data, BLOB_PART_BYTES);
    free(data);
    finish();
}

Test(client_again, one_appendix_has_one_long_payload_at_the_most)
{
    size_t n = 3 * BLOB_PART_BYTES + 1;
    char *data = long_payload("a", n), *other = long_payload("b", n + 1);

    begin();
    struct grange_future short_one = call("x", NULL);
    struct grange_future a = call_long(NULL, data, n), b = call_long(NULL, other, n + 1);
    struct grange_future next = call("y", NULL);
    gives_back(short_one, "x", 1);
    gives_back(a, data, n);
    gives_back(b, other, n + 1);
    gives_back(next, "y", 1);
    free(data);
    free(other);
    finish();
}

/* heard - twice: what we say because of what was said before now has been heard. */
static void heard(void)
{
    for (int i = 0; i < 2; i++)
        cr_assert_eq(grange_hold(g, "sweep", true, LONG_MS, NULL), GRANGE_OK);
}

/* Of 20 parts 8 are asked for, and 4 more whenever no more than 4 of them are still to come.
 * Another connection is told of the end once more, and asks for what it lacks. */
Test(client_again, parts_are_asked_for_as_they_come_and_each_once)
{
    size_t n = 20 * BLOB_PART_BYTES;
    char *data = long_payload("hold", n);
    struct grange_future f;

    s.one_part = true;
    begin();
    call_long("fit", data, n);
    cr_assert_eq(grange_flush(g, LONG_MS), GRANGE_OK);
    grange_close(g);
    g = connected();
    cr_assert_eq(grange_future_open(g, "fit:0", LONG_MS, &f), GRANGE_OK);
    unsigned asked = s.n_parts;
    fake_release(&s);
    while (s.n_parts == asked)
        grange_ready(g, f);
    heard();
    cr_expect_eq((unsigned)s.n_parts, asked + 1);
    fake_stop(&s);
    s.one_part = false;
    asked = s.n_parts;
    come_back();
    gives_back(f, data, n);
    heard();
    cr_expect_eq((unsigned)s.n_parts, asked + 4);
    free(data);
    finish();
}

Test(client_again, long_results_come_one_after_the_other)
{
    size_t n = 20 * BLOB_PART_BYTES + 3;
    char *data = long_payload("hold", n);

    begin();
    struct grange_future a = call_long("a", data, n), b = call_long("b", data, n);
    cr_assert_eq(grange_flush(g, LONG_MS), GRANGE_OK);
    fake_release(&s);
    gives_back(a, data, n);
    gives_back(b, data, n);
    free(data);
    finish();
}

/* ---- who is told */

static sem_t called, entered, leave;

static void count(struct grange *of, struct grange_future f, void *context)
{
    (void)of, (void)f;
    ++*(atomic_int *)context;
    sem_post(&called);
}

static void init_all(void)
{
    must(sem_init(&called, 0, 0) == 0 && sem_init(&entered, 0, 0) == 0 &&
         sem_init(&leave, 0, 0) == 0);
}

Test(client_again, each_who_asks_is_called_once_before_and_after_the_end)
{
    atomic_int before = 0, after = 0;

    init_all();
    begin();
    struct grange_future f = call("hold", NULL);
    cr_assert_eq(grange_on_end(g, f, count, &before), GRANGE_OK);
    fake_release(&s);
    must(sem_wait(&called) == 0);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(grange_on_end(g, f, count, &after), GRANGE_OK);
        must(sem_wait(&called) == 0);
    }
    cr_expect(before == 1 && after == 3);
    finish();
}

Test(client_again, points_of_a_sweep_are_told_of_while_nobody_waits)
{
    struct grange_submitted r;
    struct grange_future first;
    atomic_int n = 0;

    init_all();
    begin();
    cr_assert_eq(grange_sweep(g, "{}", 2, 0, LONG_MS, &r, &first), GRANGE_OK);
    cr_assert_eq(grange_on_end(g, grange_nth(first, 4), count, &n), GRANGE_OK);
    must(sem_wait(&called) == 0);
    finish();
}

Test(client_again, what_was_skipped_names_the_call_of_its_own_array)
{
    begin();
    struct grange_future a[2], b[2];
    struct grange_options other = { .key = "other" };
    a[0] = call("x", &fit), a[1] = call("skip", &fit);
    b[0] = call("x", &other), b[1] = call("skip", &other);
    cr_expect_eq(result(a[1]).because.id, a[0].id);
    cr_expect_eq(result(b[1]).because.id, b[0].id);
    finish();
}

static atomic_int n_heard;

static void hear(struct grange *of, struct grange_future f, const struct grange_future_progress *p,
                 void *context)
{
    (void)of, (void)f, (void)context;
    if (p->share < 0.1) {
        sem_post(&entered);
        must(sem_wait(&leave) == 0);
    } else {
        cr_expect_eq(p->share, 0.75, "the last that was said");
        n_heard++;
    }
}

/* While a callback runs the library's thread takes nothing: a call leaves in the thread that made
 * it, and what is said again and again is told once, as it is then. */
Test(client_again, a_callback_that_stays_holds_up_nobody_else)
{
    struct grange_future_progress p = { 0 };

    init_all();
    n_heard = 0;
    begin();
    struct grange_future held = call("hold", NULL);
    cr_assert_eq(grange_flush(g, LONG_MS), GRANGE_OK);
    cr_assert_eq(grange_on_progress(g, held, 1, hear, NULL), GRANGE_OK);
    while (s.n_collects < 2)
        grange_ready(g, held);
    fake_say(&s, 0.05, ""); /* nobody waits in the library: its thread takes it */
    must(sem_wait(&entered) == 0);
    unsigned n = s.n_appended_calls;
    call("z", NULL);
    while (s.n_appended_calls == n) /* without a word to the library */
        ;
    for (int i = 1; i <= 3; i++) {
        fake_say(&s, 0.25 * i, "");
        while (p.share != 0.25 * i)
            cr_assert_eq(grange_future_progress(g, held, &p), GRANGE_OK);
    }
    cr_expect_eq(n_heard, 0);
    sem_post(&leave);
    result(call("z", NULL)); /* and all callbacks before its end have been called */
    while (n_heard == 0)
        ;
    cr_expect_eq(n_heard, 1);
    fake_release(&s);
    result(held);
    finish();
}

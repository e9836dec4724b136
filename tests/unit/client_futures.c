/* client_futures - calls, futures and sets against a scheduler that the test plays. */
#include <poll.h>

#include "client_harness.h"

enum { MANY = 20000 };

TestSuite(client_futures, .init = setup, .fini = teardown, .timeout = 300);

Test(client_futures, a_call_comes_back_with_its_result_and_all_about_it)
{
    begin();
    struct grange_result r = result(call("hello", NULL));
    cr_assert_eq(r.outcome, GRANGE_DONE);
    cr_assert_eq(r.bytes, 5);
    cr_assert_str_eq(r.data, "hello");
    cr_assert(r.exit_code == 0 && r.signal == 0 && r.attempts == 1);
    cr_assert_str_eq(r.reason, "exit 0");
    cr_assert_str_eq(r.error, "");
    cr_assert_str_eq(r.worker, "w1");
    cr_assert_str_eq(r.host, "node17");
    cr_assert(r.submitted_ms == 1000000 && r.started_ms == 1000010 && r.ended_ms == 1000020);
    cr_assert(r.wall_us == 500 && r.user_us == 300 && r.system_us == 100 && r.max_rss_kib == 2048);
    cr_assert_str_eq(s.arrays[0].spec, "{\"calls\":{\"function\":\"echo\"}}");
    finish();
}

Test(client_futures, failures_say_why)
{
    begin();
    struct grange_result r = result(call("fail", NULL));
    cr_assert(r.outcome == GRANGE_FAILED && r.exit_code == 3 && r.signal == 0);
    cr_assert_str_eq(r.reason, "exit 3");
    cr_assert_str_eq(r.error, "it broke");
    cr_assert_str_eq(r.err, "it broke\n");
    cr_assert(r.err_bytes == 9 && r.err_total == 9 && r.out_bytes == 0);
    r = result(call("kill", NULL));
    cr_assert(r.outcome == GRANGE_FAILED && r.exit_code == -1 && r.signal == 9);
    cr_assert_str_eq(r.reason, "killed by SIGKILL");
    finish();
}

Test(client_futures, what_was_skipped_says_because_of_what)
{
    struct grange_options o = { .key = "k" };

    begin();
    struct grange_future fail = call("fail", &o), skip = call("skip", &o);
    struct grange_result r = result(skip);
    cr_assert(r.outcome == GRANGE_SKIPPED && r.because.id == fail.id);
    cr_assert_str_eq(r.error, "k:0 failed");
    cr_assert_eq(result(fail).because.id, 0);
    struct grange_future next = call("skip", &o);
    cr_assert_str_eq(result(next).error, "k:1 was skipped");
    finish();
}

Test(client_futures, options_become_words_of_a_study)
{
    begin();
    struct grange_options o = { .retries = 2,
                                .timeout_ms = 1500,
                                .priority = -3,
                                .cores = 4,
                                .memory_mib = 512,
                                .resources = "gpus=2,disk=1",
                                .require = "site=a,big",
                                .least_ms = 60000,
                                .policy = " {\"halt\": \"soon\"} ",
                                .cwd = "/x \"y",
                                .arrays =
                                    (struct grange_array[]){
                                        { "mesh", .each = true },
                                        { "all", .rule = GRANGE_ANY | GRANGE_ON_FAILURE },
                                        { "no", .rule = GRANGE_ON_FAILURE | GRANGE_NOT_SUCCESS } },
                                .n_arrays = 3,
                                .key = "fit",
                                .study = "lab" };
    struct grange_future f;
    cr_assert_eq(grange_command(g, "true", &o, &f), GRANGE_OK);
    result(f);
    cr_assert_str_eq(
        s.arrays[0].spec,
        "{\"calls\":{\"commands\":true,\"cwd\":\"/x \\\"y\"},\"retries\":2,\"timeout\":\"1500ms\","
        "\"priority\":-3,\"cores\":4,\"memory\":\"512M\",\"least\":\"60000ms\","
        "\"resources\":{\"gpus\":2,\"disk\":1},\"require\":[\"site=a\",\"big\"],"
        "\"after\":[{\"key\":\"mesh\",\"on\":\"success\",\"each\":true},"
        "{\"key\":\"all\",\"on\":\"either\",\"any\":true},"
        "{\"key\":\"no\",\"on\":\"failure\"}],"
        "\"halt\": \"soon\"}");
    cr_assert_str_eq(s.arrays[0].key, "fit");
    cr_assert_str_eq(s.arrays[0].study, "lab");
    finish();
}

Test(client_futures, wrong_options_are_told)
{
    begin();
    struct grange_future f;
    struct grange_options bad[] = {
        { .resources = "gpus" }, { .resources = "gpus=x" },
        { .require = ",a" },     { .policy = "retries" },
        { .timeout_ms = -1 },    { .rule = GRANGE_ANY },
        { .key = "" },           { .arrays = &(struct grange_array){ .key = "" }, .n_arrays = 1 }
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_eq(grange_call(g, "echo", "", 0, &bad[i], &f), GRANGE_ERR_USAGE, "%zu", i);
    cr_assert_eq(grange_call(g, "", "", 0, NULL, &f), GRANGE_ERR_USAGE);
    struct grange_future nobody = { 77 };
    struct grange_options after = { .after = &nobody, .n_after = 1 };
    cr_assert_eq(grange_call(g, "echo", "", 0, &after, &f), GRANGE_ERR_NOT_FOUND);
    cr_assert_eq(grange_wait(g, nobody, 0), GRANGE_ERR_NOT_FOUND);
    struct grange_options key = { .key = "k" }, other = { .key = "k", .retries = 1 };
    call("x", &key);
    cr_assert_eq(grange_call(g, "echo", "", 0, &other, &f), GRANGE_ERR_USAGE);
    cr_assert(strstr(grange_message(g), "'k'"), "%s", grange_message(g));
    finish();
}

Test(client_futures, many_calls_share_messages_and_one_array)
{
    static struct grange_future f[MANY];
    char text[16];

    begin();
    for (int i = 0; i < MANY; i++) {
        snprintf(text, sizeof text, "%d", i);
        f[i] = call(text, NULL);
    }
    cr_assert_eq(grange_wait_all(g, f, MANY, LONG_MS), GRANGE_OK);
    for (int i = 0; i < MANY; i++) {
        snprintf(text, sizeof text, "%d", i);
        cr_assert_str_eq(result(f[i]).data, text);
    }
    cr_assert_eq(s.n_arrays, 1);
    cr_assert_eq(s.arrays[0].n, MANY);
    cr_assert(s.n_appends < MANY / 10, "%u appends", s.n_appends);
    finish();
    cr_assert(s.arrays[0].closed, "nobody else knows its key");
}

Test(client_futures, a_batch_counts_upwards)
{
    struct grange_bytes items[] = { { "a", 1 }, { "bb", 2 }, { "ccc", 3 } };
    struct grange_future first;

    begin();
    cr_assert_eq(grange_batch(g, "echo", items, 3, NULL, &first), GRANGE_OK);
    for (unsigned i = 0; i < 3; i++)
        cr_assert_eq(result(grange_nth(first, i)).bytes, i + 1);
    cr_assert_eq(grange_wait(g, grange_nth(first, 3), 0), GRANGE_ERR_NOT_FOUND);
    finish();
}

Test(client_futures, a_future_that_is_not_ready_says_so)
{
    struct grange_result r;

    begin();
    struct grange_future f = call("hold", NULL);
    cr_assert_not(grange_ready(g, f));
    cr_assert_eq(grange_wait(g, f, 50), GRANGE_ERR_TIMEOUT);
    cr_assert_eq(grange_get(g, f, &r), GRANGE_ERR_STATE);
    cr_assert_str_eq(grange_message(g), "it has not ended yet");
    cr_assert_eq(grange_forget(g, f), GRANGE_ERR_STATE);
    cr_assert_eq(grange_flush(g, LONG_MS), GRANGE_OK);
    fake_release(&s);
    cr_assert_eq(grange_wait(g, f, LONG_MS), GRANGE_OK);
    cr_assert(grange_ready(g, f));
    cr_assert_eq(grange_forget(g, f), GRANGE_OK);
    cr_assert_eq(grange_get(g, f, &r), GRANGE_ERR_NOT_FOUND);
    finish();
}

Test(client_futures, the_first_of_several_is_told)
{
    size_t which = 9;

    begin();
    struct grange_future f[3] = { call("hold1", NULL), call("x", NULL), call("hold2", NULL) };
    cr_assert_eq(grange_wait_any(g, f, 3, LONG_MS, &which), GRANGE_OK);
    cr_assert_eq(which, 1);
    cr_assert_eq(grange_wait_any(g, f, 1, 20, &which), GRANGE_ERR_TIMEOUT);
    fake_release(&s);
    cr_assert_eq(grange_wait_all(g, f, 3, LONG_MS), GRANGE_OK);
    finish();
}

Test(client_futures, a_set_gives_them_in_the_order_of_their_ends)
{
    struct grange_bytes items[] = { { "a", 1 }, { "b", 1 }, { "c", 1 }, { "fail", 4 } };
    struct grange_future first, f;
    struct grange_set *set;
    struct grange_tally t;

    s.backwards = true;
    begin();
    cr_assert_eq(grange_batch(g, "echo", items, 4, NULL, &first), GRANGE_OK);
    cr_assert_eq(grange_set_new(g, &set), GRANGE_OK);
    cr_assert_eq(grange_set_add(set, first, 4), GRANGE_OK);
    cr_assert_eq(grange_set_wait(set, LONG_MS), GRANGE_OK);
    struct pollfd fd = { .fd = grange_fd(g), .events = POLLIN };
    cr_assert_eq(poll(&fd, 1, 0), 1);
    uint64_t sum = 0;
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(grange_set_next(set, LONG_MS, &f), GRANGE_OK);
        sum += f.id - first.id;
    }
    cr_assert_eq(sum, 6);
    cr_assert_eq(poll(&fd, 1, 0), 0);
    cr_assert_eq(grange_set_next(set, 0, &f), GRANGE_ERR_NOT_FOUND);
    grange_set_tally(set, &t);
    cr_assert(t.n == 4 && t.ended == 4 && t.by_outcome[GRANGE_DONE] == 3);
    cr_assert(t.by_outcome[GRANGE_FAILED] == 1 && t.serial_us == 2000 && t.cpu_us == 1600);
    cr_assert(t.wall_ms >= 20 && t.wall_ms <= 23, "%lld", (long long)t.wall_ms);
    grange_set_free(set);
    finish();
}

Test(client_futures, the_descriptor_tells_of_what_completes_later)
{
    struct grange_set *set;
    struct grange_future f;

    begin();
    struct grange_future held = call("hold", NULL);
    cr_assert_eq(grange_set_new(g, &set), GRANGE_OK);
    cr_assert_eq(grange_set_add(set, held, 1), GRANGE_OK);
    cr_assert_eq(grange_set_next(set, 0, &f), GRANGE_ERR_TIMEOUT);
    fake_release(&s);
    struct pollfd fd = { .fd = grange_fd(g), .events = POLLIN };
    while (grange_set_next(set, 0, &f) != GRANGE_OK)
        cr_assert_eq(poll(&fd, 1, LONG_MS), 1);
    cr_assert_eq(f.id, held.id);
    finish(); /* the set ends with its connection */
}

Test(client_futures, edges_and_rules_are_sent)
{
    begin();
    struct grange_future a = call("a", NULL), b = call("b", NULL);
    struct grange_future both[] = { a, b };
    struct grange_options o = { .after = both,
                                .n_after = 2,
                                .rule = GRANGE_ANY | GRANGE_ON_FAILURE };
    struct grange_future c = call("c", &o);
    o = (struct grange_options){ .after = &c, .n_after = 1, .retries = 1 };
    result(call("d", &o));
    const struct fake_array *first = &s.arrays[0], *second = &s.arrays[1];
    const struct edge *e = (const struct edge *)(const void *)first->edges.data;
    cr_assert_eq(first->edges.n, 2 * sizeof *e);
    cr_assert(e[0].call == 2 && e[0].on.n == 1000001 && e[1].call == 2 && e[1].on.n == 1000002);
    cr_assert_eq(first->rules.data[2], GRANGE_ANY | GRANGE_ON_FAILURE);
    e = (const struct edge *)(const void *)second->edges.data;
    cr_assert(second->edges.n == sizeof *e && e[0].call == 0 && e[0].on.n == 1000003);
    cr_assert_str_eq(first->study, second->study, "edges stay within one study");
    finish();
}

Test(client_futures, edges_to_and_fro_between_two_arrays_keep_their_order)
{
    struct grange_options a = { 0 }, b = { .retries = 1 };
    struct grange_future last = { 0 };

    begin();
    for (int i = 0; i < 100; i++) { /* the fake refuses none, but the client must know each first */
        struct grange_options *o = i % 2 ? &b : &a;
        o->after = &last;
        o->n_after = i > 0;
        last = call("x", o);
    }
    cr_assert_eq(result(last).outcome, GRANGE_DONE);
    cr_assert(s.arrays[0].n == 50 && s.arrays[1].n == 50);
    cr_assert(s.arrays[0].edges.n == 49 * sizeof(struct edge));
    cr_assert(s.arrays[1].edges.n == 50 * sizeof(struct edge));
    finish();
}

static void refused(struct grange_future f, const char *text)
{
    struct grange_result r = result(f);

    cr_assert_eq(r.outcome, GRANGE_REFUSED);
    cr_assert(strstr(r.error, text), "%s", r.error);
    cr_assert_str_eq(r.reason, "refused");
}

Test(client_futures, what_is_refused_ends_so)
{
    s.refuse_spec = "retries";
    s.refuse_calls = "bad";
    begin();
    struct grange_options o = { .retries = 1 };
    struct grange_future f, ok = call("ok", NULL);
    result(ok);
    refused(call("x", &o), "no such policy");
    cr_assert_eq(grange_call(g, "echo", "y", 1, &o, &f), GRANGE_ERR_USAGE);
    struct grange_future bad = call("bad", NULL);
    refused(bad, "cycle: 3 -> 7 -> 3");
    cr_assert_eq(result(ok).outcome, GRANGE_DONE);
    o = (struct grange_options){ .after = &bad, .n_after = 1, .cores = 2 };
    cr_assert_eq(grange_call(g, "echo", "y", 1, &o, &f), GRANGE_ERR_STATE);
    finish();
}

static void after_a_drop(bool taken)
{
    static struct grange_future f[3000];

    s.drop_append = 2;
    s.drop_after = taken;
    begin();
    for (int i = 0; i < 3000; i++)
        f[i] = call("x", NULL);
    cr_assert_eq(grange_wait_all(g, f, 3000, LONG_MS), GRANGE_OK);
    cr_assert_eq(s.n_appended_calls, 3000, "each once");
    finish();
}

Test(client_futures, an_append_that_was_lost_is_sent_again)
{
    after_a_drop(false);
}

Test(client_futures, an_append_whose_answer_was_lost_is_not_taken_twice)
{
    after_a_drop(true);
}

Test(client_futures, a_lost_scheduler_is_told_in_seconds_and_the_future_waits_again)
{
    begin();
    struct grange_future f = call("hold", NULL);
    cr_assert_eq(grange_flush(g, LONG_MS), GRANGE_OK);
    fake_stop(&s);
    cr_assert_eq(grange_wait(g, f, LONG_MS), GRANGE_ERR_LOST);
    cr_assert_eq(grange_wait(g, f, LONG_MS), GRANGE_ERR_LOST);
    struct grange_future g2 = call("later", NULL);
    s.released = true;
    fake_start(&s);
    cr_assert_eq(grange_wait(g, f, LONG_MS), GRANGE_OK, "%s", grange_message(g));
    cr_assert_str_eq(result(g2).data, "later");
    finish();
}

Test(client_futures, a_scheduler_without_memory_of_the_calls_is_told)
{
    begin();
    struct grange_future f = call("hold", NULL);
    cr_assert_eq(grange_flush(g, LONG_MS), GRANGE_OK);
    fake_stop(&s);
    fake_fini(&s);
    memset(s.arrays, 0, sizeof s.arrays);
    s.n_arrays = 0;
    fake_start(&s);
    refused(f, "another one");
    finish();
}

Test(client_futures, a_key_opens_the_same_future_again_elsewhere)
{
    struct grange_options o = { .key = "fit:eu" };
    struct grange_result r;
    struct grange_future f, again;
    char key[GRANGE_KEY_BYTES];

    begin();
    call("zero", &o);
    f = call("one", &o);
    struct grange_future held = call("hold", &o);
    cr_assert_eq(grange_future_key(g, f, key, sizeof key), GRANGE_OK);
    cr_assert_str_eq(key, "fit:eu:1");
    cr_assert_eq(grange_future_key(g, f, key, 3), GRANGE_ERR_LIMIT);
    cr_assert_str_eq(grange_message(g), "there is no room for the key; GRANGE_KEY_BYTES is enough");
    result(f);
    cr_assert_eq(grange_future_key(g, held, key, sizeof key), GRANGE_OK);
    grange_close(g);
    fake_stop(&s);
    fake_start(&s);
    g = connected();
    cr_assert_eq(grange_future_open(g, "fit:eu:1", LONG_MS, &again), GRANGE_OK, "%s",
                 grange_message(g));
    r = result(again);
    cr_assert_str_eq(r.data, "one");
    cr_assert_eq(grange_future_open(g, key, LONG_MS, &again), GRANGE_OK);
    cr_assert_eq(grange_wait(g, again, 20), GRANGE_ERR_TIMEOUT);
    cr_assert_eq(grange_future_open(g, "fit:eu:3", LONG_MS, &f), GRANGE_ERR_NOT_FOUND);
    cr_assert_eq(grange_future_open(g, "none:0", LONG_MS, &f), GRANGE_ERR_NOT_FOUND);
    cr_assert_eq(grange_future_open(g, "none:0", LONG_MS, &f), GRANGE_ERR_NOT_FOUND);
    cr_assert_eq(grange_future_open(g, "none", LONG_MS, &f), GRANGE_ERR_USAGE);
    cr_assert_eq(grange_future_open(g, "none:x", LONG_MS, &f), GRANGE_ERR_USAGE);
    fake_release(&s);
    cr_assert_eq(grange_wait(g, again, LONG_MS), GRANGE_OK);
    finish();
    cr_assert_not(s.arrays[0].closed, "its key is not ours");
}

Test(client_futures, the_same_calls_under_the_same_key_are_the_same_tasks)
{
    struct grange_options o = { .key = "k" };

    begin();
    for (int round = 0; round < 2; round++) {
        cr_assert_str_eq(result(call("a", &o)).data, "a");
        cr_assert_str_eq(result(call("b", &o)).data, "b");
        grange_close(g);
        g = connected();
    }
    cr_assert_str_eq(result(call("a", &o)).data, "a");
    call("b", &o);
    cr_assert_str_eq(result(call("c", &o)).data, "c");
    cr_assert_eq(s.n_appended_calls, 3);
    finish();
}

Test(client_futures, a_closed_key_takes_no_further_calls)
{
    struct grange_options o = { .key = "k" };
    struct grange_future f;

    begin();
    call("a", &o);
    cr_assert_eq(grange_key_close(g, "k", LONG_MS), GRANGE_OK, "%s", grange_message(g));
    cr_assert(s.arrays[0].closed && s.arrays[0].n == 1);
    cr_assert_eq(grange_key_close(g, "k", LONG_MS), GRANGE_OK);
    cr_assert_eq(grange_key_close(g, "none", LONG_MS), GRANGE_ERR_NOT_FOUND);
    cr_assert_eq(grange_call(g, "echo", "b", 1, &o, &f), GRANGE_ERR_STATE);
    grange_close(g);
    g = connected();
    cr_assert_str_eq(result(call("a", &o)).data, "a");
    cr_assert_eq(grange_call(g, "echo", "b", 1, &o, &f), GRANGE_ERR_STATE);
    finish();
}

Test(client_futures, cancelling_names_those_that_have_not_ended)
{
    struct grange_bytes items[] = { { "hold", 4 }, { "x", 1 }, { "hold", 4 } };
    struct grange_future first;

    begin();
    cr_assert_eq(grange_batch(g, "echo", items, 3, NULL, &first), GRANGE_OK);
    result(grange_nth(first, 1));
    cr_assert_eq(grange_future_cancel(g, first, 3, LONG_MS), GRANGE_OK, "%s", grange_message(g));
    cr_assert_eq(s.n_cancelled, 2);
    cr_assert_eq(grange_future_cancel(g, first, 4, LONG_MS), GRANGE_ERR_NOT_FOUND);
    finish();
}

static int n_called;
static struct grange_future chained;

static void when_called(struct grange *of, struct grange_future f, void *context)
{
    n_called++;
    cr_assert_eq(grange_wait(of, f, 0), GRANGE_OK, "it has ended");
    cr_assert_eq(grange_call(of, "echo", "hold", 4, NULL, &chained), GRANGE_OK);
    cr_assert_eq(grange_wait(of, chained, LONG_MS), GRANGE_ERR_STATE, "a callback cannot wait");
    *(bool *)context = true;
}

Test(client_futures, callbacks_run_once_and_may_submit)
{
    bool called = false, at_once = false;

    n_called = 0;
    chained = (struct grange_future){ 0 };
    begin();
    struct grange_future f = call("x", NULL);
    cr_assert_eq(grange_on_end(g, f, when_called, &called), GRANGE_OK);
    fake_release(&s);
    result(f);
    while (!chained.id)
        result(call("x", NULL)); /* the library's thread may be at it */
    result(chained);
    cr_assert(called && n_called == 1);
    cr_assert_eq(grange_on_end(g, f, when_called, &at_once), GRANGE_OK);
    cr_assert(at_once && n_called == 2);
    finish();
}

Test(client_futures, a_sweep_has_a_future_for_each_point)
{
    struct grange_submitted r;
    struct grange_future first;

    begin();
    cr_assert_eq(grange_sweep(g, "{}", 2, 0, LONG_MS, &r, &first), GRANGE_OK);
    cr_assert_eq(r.counts.n, 5);
    for (unsigned i = 0; i < 5; i++)
        cr_assert_eq(result(grange_nth(first, i)).outcome, GRANGE_DONE);
    char key[GRANGE_KEY_BYTES];
    cr_assert_eq(grange_future_key(g, grange_nth(first, 2), key, sizeof key), GRANGE_OK);
    cr_assert_str_eq(key, "#1@sweep:2");
    grange_close(g);
    g = connected();
    cr_assert_eq(grange_future_open(g, key, LONG_MS, &first), GRANGE_OK, "%s", grange_message(g));
    cr_assert_eq(result(first).outcome, GRANGE_DONE);
    cr_assert_eq(grange_future_open(g, "#99:0", LONG_MS, &first), GRANGE_ERR_NOT_FOUND);
    finish();
}

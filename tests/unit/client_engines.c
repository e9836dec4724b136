/* client_engines - operations on engines, against a scheduler that a thread plays. */
#include <stdlib.h>
#include <string.h>

#include "client_engines_fake.h"

TestSuite(client_engines, .init = engines_setup, .fini = engines_teardown, .timeout = 300);

Test(client_engines, are_listed_with_their_workers)
{
    struct grange_engine *list;
    size_t n;

    cr_assert_eq(grange_engines(g, ENGINES, LONG_MS, &list, &n), GRANGE_OK);
    cr_assert_eq(n, ENGINES);
    cr_expect_eq(list[3].id, 3);
    cr_expect_eq(list[3].restarts, 3);
    cr_expect_eq(list[3].state, GRANGE_ENGINE_BUSY);
    cr_expect_str_eq(list[3].worker, "node2");
    cr_expect_str_eq(list[2].host, "h1");
    cr_expect_str_eq(list[3].reason, "killed by SIGSEGV");
    cr_expect_str_eq(list[0].functions, "echo\nfail");
    free(list);
    do /* as long as the farm does not answer in time */
        cr_expect_eq(grange_engines(g, ENGINES + 1, 1000, &list, &n), GRANGE_ERR_TIMEOUT);
    while (strstr(grange_message(g), "did not answer"));
    cr_expect_str_eq(grange_message(g), "4 of 5 engines are ready");
    cr_expect_null(list);
}

Test(client_engines, a_call_gives_back_what_the_function_did)
{
    uint64_t engine = 2;
    struct grange_direct *d;
    struct grange_answer a;

    cr_assert_eq(grange_direct_call(g, &engine, 1, "echo", "hello", 5, &d), GRANGE_OK);
    cr_assert_eq(grange_direct_wait(d, LONG_MS), GRANGE_OK);
    cr_assert_eq(grange_direct_answer(d, 0, &a), GRANGE_OK);
    cr_expect_eq(a.engine, 2);
    cr_expect_eq(a.bytes, 5);
    cr_expect_eq(memcmp(a.data, "hello", 5), 0);
    cr_expect_eq(a.wall_us, 5);
    cr_expect(grange_direct_ready(d));
    grange_direct_free(d);
}

Test(client_engines, large_payloads_and_results_come_whole)
{
    size_t n = 20 * BLOB_PART_BYTES + 12345;
    char *data = pattern(n);
    uint64_t engine = 1;
    struct grange_direct *d;
    struct grange_answer a;

    cr_assert_eq(grange_direct_call(g, &engine, 1, "echo", data, n, &d), GRANGE_OK);
    cr_assert_eq(grange_direct_wait(d, LONG_MS), GRANGE_OK, "%s", grange_message(g));
    cr_assert_eq(grange_direct_answer(d, 0, &a), GRANGE_OK);
    cr_assert_eq(a.bytes, n);
    cr_expect_eq(memcmp(a.data, data, n), 0);
    grange_direct_free(d);
    free(data);
}

/* A worker that cannot reach our files says so once. */
Test(client_engines, who_declines_a_file_is_not_offered_another)
{
    size_t n = 3 << 20;
    char *data = pattern(n);
    struct grange_direct *d;

    for (unsigned i = 0; i < 4; i++) {
        cr_assert_eq(grange_direct_put(g, all + i / 2, 1, "x", data, n, &d), GRANGE_OK);
        cr_assert_eq(grange_direct_wait(d, LONG_MS), GRANGE_OK, "%s", grange_message(g));
        grange_direct_free(d);
        cr_expect_eq(fake.n_offered, i / 2 + 1);
        cr_expect(fake.values[i / 2].n == n && memcmp(fake.values[i / 2].data, data, n) == 0);
    }
    free(data);
}

Test(client_engines, scatter_gives_the_first_engines_one_more)
{
    double x[10];
    void *y;
    size_t bytes;

    for (int i = 0; i < 10; i++)
        x[i] = i;
    cr_assert_eq(grange_scatter(g, all, ENGINES, "x", x, 10, sizeof *x, LONG_MS), GRANGE_OK);
    for (size_t i = 0; i < ENGINES; i++)
        cr_expect_eq(fake.values[i].n, (i < 2 ? 3 : 2) * sizeof *x, "engine %zu", i);
    cr_assert_eq(grange_gather(g, all, ENGINES, "x", LONG_MS, &y, &bytes), GRANGE_OK);
    cr_assert_eq(bytes, sizeof x);
    cr_expect_eq(memcmp(x, y, sizeof x), 0);
    free(y);
}

Test(client_engines, scatter_of_less_than_there_are_engines)
{
    void *y;
    size_t bytes;

    cr_assert_eq(grange_scatter(g, all, ENGINES, "x", "ab", 2, 1, LONG_MS), GRANGE_OK);
    cr_expect_eq(fake.values[1].n, 1);
    cr_expect_eq(fake.values[2].n, 0);
    cr_assert_eq(grange_gather(g, all, ENGINES, "x", LONG_MS, &y, &bytes), GRANGE_OK);
    cr_assert_eq(bytes, 2);
    free(y);
    cr_assert_eq(grange_scatter(g, all, 0, "x", "ab", 2, 1, LONG_MS), GRANGE_OK);
}

Test(client_engines, a_value_that_was_dropped_is_not_found)
{
    struct grange_direct *d;
    struct grange_answer a;

    cr_assert_eq(grange_direct_put(g, all, ENGINES, "x", "v", 1, &d), GRANGE_OK);
    cr_assert_eq(grange_direct_wait(d, LONG_MS), GRANGE_OK);
    grange_direct_free(d);
    cr_assert_eq(grange_direct_drop(g, &all[2], 1, "x", &d), GRANGE_OK);
    cr_assert_eq(grange_direct_wait(d, LONG_MS), GRANGE_OK);
    grange_direct_free(d);
    cr_assert_eq(grange_direct_get(g, all, ENGINES, "x", &d), GRANGE_OK);
    cr_expect_eq(grange_direct_wait(d, LONG_MS), GRANGE_ERR_NOT_FOUND);
    cr_expect_str_eq(grange_message(g), "engine 2: there is no such value");
    cr_assert_eq(grange_direct_answer(d, 3, &a), GRANGE_OK);
    cr_expect_eq(a.code, GRANGE_OK);
    grange_direct_free(d);
}

Test(client_engines, failures_say_what_happened_to_whom)
{
    uint64_t engines[] = { 1, 9 };
    struct grange_direct *d;
    struct grange_answer a;

    cr_assert_eq(grange_direct_call(g, engines, 2, "fail", NULL, 0, &d), GRANGE_OK);
    cr_expect_eq(grange_direct_wait(d, LONG_MS), GRANGE_ERR_STATE);
    cr_expect_str_eq(grange_message(g), "engine 1: does not like it");
    cr_assert_eq(grange_direct_answer(d, 0, &a), GRANGE_OK);
    cr_expect_eq(a.exit_code, 3);
    cr_assert_eq(grange_direct_answer(d, 1, &a), GRANGE_OK);
    cr_expect_eq(a.code, GRANGE_ERR_NOT_FOUND);
    cr_expect_str_eq(a.error, "there is no such engine");
    cr_expect_str_eq(a.reason, "not done: not found");
    size_t bytes = 0, i;
    cr_expect_eq(grange_direct_gather(d, NULL, &bytes), GRANGE_ERR_STATE);
    while (grange_direct_next(d, LONG_MS, &i) == GRANGE_OK)
        cr_assert_lt(i, 2);
    cr_expect_str_eq(grange_message(g), "all were given out");
    grange_direct_free(d);
    cr_assert_eq(grange_direct_call(g, engines, 1, "crash", NULL, 0, &d), GRANGE_OK);
    cr_expect_eq(grange_direct_wait(d, LONG_MS), GRANGE_ERR_LOST);
    cr_assert_eq(grange_direct_answer(d, 0, &a), GRANGE_OK);
    cr_expect_eq(a.signal, 11);
    cr_expect_str_eq(a.reason, "killed by SIGSEGV");
    cr_expect_str_eq(grange_message(g), "engine 1: killed by SIGSEGV");
    grange_direct_free(d);
}

Test(client_engines, those_that_ended_come_in_their_order)
{
    uint64_t engines[] = { 0, 9, 1 };
    struct grange_direct *d, *held;
    size_t i, sum = 0;

    cr_assert_eq(grange_direct_call(g, engines, 3, "echo", NULL, 0, &d), GRANGE_OK);
    for (int k = 0; k < 3; k++) {
        cr_assert_eq(grange_direct_next(d, LONG_MS, &i), GRANGE_OK);
        sum += i;
    }
    cr_expect_eq(sum, 3);
    cr_expect_eq(grange_direct_next(d, LONG_MS, &i), GRANGE_ERR_NOT_FOUND);
    grange_direct_free(d);
    cr_assert_eq(grange_direct_call(g, engines, 1, "hold", NULL, 0, &held), GRANGE_OK);
    cr_expect_eq(grange_direct_next(held, 1, &i), GRANGE_ERR_TIMEOUT);
    cr_expect_eq(grange_direct_wait(held, 1), GRANGE_ERR_TIMEOUT);
    cr_expect(!grange_direct_ready(held));
    struct grange_answer a;
    cr_expect_eq(grange_direct_answer(held, 0, &a), GRANGE_ERR_STATE);
    cr_expect_str_eq(grange_message(g), "this engine has not answered yet");
    grange_direct_free(held);
}

Test(client_engines, who_frees_a_call_cancels_it)
{
    struct grange_direct *d;

    cr_assert_eq(grange_direct_call(g, all, 3, "hold", NULL, 0, &d), GRANGE_OK);
    cr_expect_eq(grange_direct_wait(d, 1), GRANGE_ERR_TIMEOUT);
    grange_direct_free(d);
    cr_assert_eq(grange_direct_call(g, all, 1, "echo", NULL, 0, &d), GRANGE_OK);
    cr_assert_eq(grange_direct_wait(d, LONG_MS), GRANGE_OK); /* comes after the others' ends */
    cr_expect_eq((unsigned)fake.n_cancelled, 3);
    grange_direct_free(d);
}

Test(client_engines, no_more_are_on_their_way_than_the_scheduler_takes)
{
    static uint64_t engines[3 * DIRECT_TICKETS_MAX];
    struct grange_direct *d;

    cr_assert_eq(grange_direct_call(g, engines, 3 * DIRECT_TICKETS_MAX, "echo", "x", 1, &d), 0);
    cr_assert_eq(grange_direct_wait(d, LONG_MS), GRANGE_OK, "%s", grange_message(g));
    cr_expect_leq((unsigned)fake.most_jobs, (unsigned)DIRECT_TICKETS_MAX);
    grange_direct_free(d);
    cr_assert_eq(grange_direct_call(g, engines, 3 * DIRECT_TICKETS_MAX, "hold", "x", 1, &d), 0);
    grange_direct_free(d); /* those that have left are cancelled, the others never leave */
    cr_assert_eq(grange_direct_call(g, engines, 1, "echo", "x", 1, &d), 0);
    cr_assert_eq(grange_direct_wait(d, LONG_MS), GRANGE_OK);
    cr_expect_eq((unsigned)fake.n_cancelled, (unsigned)DIRECT_TICKETS_MAX);
    grange_direct_free(d);
}

Test(client_engines, a_few_large_results_come_at_a_time)
{
    uint64_t engines[40];
    size_t n = 3 * BLOB_PART_BYTES, bytes;
    char *data = pattern(n);
    void *got;

    fake.gather_streams = true;
    for (size_t i = 0; i < 40; i++)
        engines[i] = i % ENGINES;
    cr_assert_eq(grange_scatter(g, all, ENGINES, "x", data, ENGINES * n / ENGINES, 1, LONG_MS), 0);
    cr_assert_eq(grange_gather(g, engines, 40, "x", LONG_MS, &got, &bytes), GRANGE_OK);
    cr_assert_eq(bytes, 10 * n);
    for (size_t i = 0; i < 10; i++)
        cr_expect_eq(memcmp((char *)got + i * n, data, n), 0);
    cr_expect_eq((unsigned)fake.most_begun, STREAMS);
    free(got);
    free(data);
}

Test(client_engines, a_lost_scheduler_ends_what_was_on_its_way)
{
    struct grange_direct *d, *late;
    struct grange_answer a;

    cr_assert_eq(grange_direct_call(g, all, 2, "hold", NULL, 0, &d), GRANGE_OK);
    cr_expect_eq(grange_direct_wait(d, 1), GRANGE_ERR_TIMEOUT);
    engines_stop();
    cr_expect_eq(grange_direct_wait(d, LONG_MS), GRANGE_ERR_LOST);
    cr_assert_eq(grange_direct_answer(d, 1, &a), GRANGE_OK);
    cr_expect_str_eq(a.error, "the scheduler was lost");
    cr_expect_str_eq(a.reason, "lost with its engine or the way to it");
    cr_assert_eq(grange_direct_call(g, all, 1, "echo", NULL, 0, &late), GRANGE_OK);
    cr_expect_eq(grange_direct_wait(late, LONG_MS), GRANGE_ERR_LOST);
    grange_direct_free(late);
    grange_direct_free(d);
}

Test(client_engines, what_makes_no_sense_is_refused_here)
{
    char name[NAME_BYTES_MAX + 2];
    struct grange_direct *d;

    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    cr_expect_eq(grange_direct_call(g, all, 1, "", NULL, 0, &d), GRANGE_ERR_USAGE);
    cr_expect_eq(grange_direct_get(g, all, 1, name, &d), GRANGE_ERR_USAGE);
    cr_expect_str_eq(grange_message(g), "the name of a value has 1 to 100 bytes");
    cr_expect_eq(grange_direct_call_within(g, all, 1, "f", NULL, 0, 0, &d), GRANGE_ERR_USAGE);
    cr_expect(strstr(grange_message(g), " are possible"), "%s", grange_message(g));
    cr_expect_eq(grange_direct_put(g, all, 1, "x", NULL, (size_t)BLOB_BYTES_MAX + 1, &d),
                 GRANGE_ERR_LIMIT);
    cr_expect_str_eq(grange_message(g),
                     "1073741825 bytes for one engine are more than the limit, 1 GiB");
    cr_expect_eq(grange_direct_scatter(g, all, 2, "x", NULL, UINT64_MAX / 2, 16, &d),
                 GRANGE_ERR_LIMIT);
    cr_expect_null(d);
}

Test(client_engines, a_connection_that_closes_frees_what_is_left)
{
    struct grange_direct *d;

    cr_assert_eq(grange_direct_call(g, all, 2, "hold", NULL, 0, &d), GRANGE_OK);
    cr_expect_eq(grange_direct_gather(d, NULL, &(size_t){ 0 }), GRANGE_ERR_STATE);
    cr_expect_str_eq(grange_message(g), "not all engines have answered yet");
    cr_assert_eq(grange_direct_call(g, all, 2, "echo", "x", 1, &d), GRANGE_OK);
    cr_assert_eq(grange_direct_wait(d, LONG_MS), GRANGE_OK);
}

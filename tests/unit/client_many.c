/* client_many - maps, threads and limits against a scheduler that the test plays. */
#include "client_harness.h"

TestSuite(client_many, .init = setup, .fini = teardown, .timeout = 300);

/* ---- map */

struct squares {
    char text[24];
    uint64_t n, sum, fail_at;
    bool ordered, in_order;
};

static struct grange_bytes item(void *context, uint64_t i)
{
    struct squares *q = context;

    snprintf(q->text, sizeof q->text, i == q->fail_at ? "fail%d" : "%d", (int)i);
    return (struct grange_bytes){ q->text, strlen(q->text) };
}

static int take(void *context, uint64_t i, const struct grange_result *r)
{
    struct squares *q = context;

    cr_assert(r->outcome == GRANGE_FAILED || (uint64_t)atoi(r->data) == i);
    q->in_order = q->in_order && i == q->n;
    q->n++;
    q->sum += i;
    return 0;
}

Test(client_many, map_hands_over_every_result)
{
    s.backwards = true;
    begin();
    for (unsigned flags = 0; flags <= GRANGE_UNORDERED; flags++) {
        struct squares q = { .fail_at = UINT64_MAX, .in_order = true };
        cr_assert_eq(grange_map(g, "echo", 50000, item, take, &q, flags, NULL, LONG_MS), GRANGE_OK,
                     "%s", grange_message(g));
        cr_assert(q.n == 50000 && q.sum == 50000ULL * 49999 / 2);
        cr_assert_eq(q.in_order, flags == 0);
    }
    finish();
}

Test(client_many, map_stops_at_a_failure_when_asked)
{
    struct squares q = { .fail_at = 7, .in_order = true };

    begin();
    cr_assert_eq(grange_map(g, "echo", 10, item, take, &q, GRANGE_STOP, NULL, LONG_MS),
                 GRANGE_ERR_STATE);
    cr_assert(strstr(grange_message(g), "item 7: it broke"), "%s", grange_message(g));
    cr_assert_eq(q.n, 8);
    q = (struct squares){ .fail_at = 7, .in_order = true };
    cr_assert_eq(grange_map(g, "echo", 10, item, take, &q, 0, NULL, LONG_MS), GRANGE_OK);
    cr_assert_eq(q.n, 10);
    finish();
}

/* ---- threads */

static void *ask_often(void *arg)
{
    char text[16];

    for (int i = 0; i < 2000; i++) {
        struct grange_result r;
        struct grange_future f;
        snprintf(text, sizeof text, "%d.%d", *(int *)arg, i);
        if (grange_call(g, "echo", text, strlen(text), NULL, &f) != GRANGE_OK ||
            grange_wait(g, f, LONG_MS) != GRANGE_OK || grange_get(g, f, &r) != GRANGE_OK ||
            strcmp(r.data, text) != 0)
            return arg;
        grange_forget(g, f);
    }
    return NULL;
}

Test(client_many, threads_share_a_connection)
{
    pthread_t t[4];
    int number[4];
    void *wrong;

    begin();
    for (int i = 0; i < 4; i++) {
        number[i] = i;
        cr_assert_eq(pthread_create(&t[i], NULL, ask_often, &number[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(t[i], &wrong);
        cr_assert_eq(wrong, NULL);
    }
    finish();
}

Test(client_many, submitting_waits_while_too_much_is_on_its_way)
{
    enum { BIG = 200 * 1024 };
    char *big = malloc(BIG);
    int code = GRANGE_OK, n = 0;
    struct grange_future f;

    memset(big, 'x', BIG);
    s.deaf = true;
    begin();
    f = call("x", NULL);
    fake_stop(&s);
    while (code == GRANGE_OK && n < 1000) {
        code = grange_call(g, "echo", big, BIG, NULL, &f);
        n++;
    }
    cr_assert_eq(code, GRANGE_ERR_LOST);
    cr_assert(n > 300 && n < 350, "%d payloads of 200 KiB are 64 MiB", n);
    s.deaf = false;
    fake_start(&s);
    for (int again = 0; again < 10 && code == GRANGE_ERR_LOST; again++)
        code = grange_flush(g, LONG_MS); /* it is dialled every half second */
    cr_assert_eq(code, GRANGE_OK, "%s", grange_message(g));
    finish();
    free(big);
}

/* ---- blobs */

enum { LONG_BYTES = 20 * (1 << 20) + 17 };

static void send_long(const char *begins, enum grange_outcome outcome, const char *error)
{
    struct grange_result r;
    struct grange_future f, next;
    char *data = malloc(LONG_BYTES);

    for (int i = 0; i < LONG_BYTES; i++)
        data[i] = (char)((unsigned)i * 2654435761u >> 24);
    memcpy(data, begins, strlen(begins));
    begin();
    cr_assert_eq(grange_call(g, "echo", data, LONG_BYTES, NULL, &f), GRANGE_OK);
    next = call("short", NULL);
    r = result(f);
    cr_assert_eq(r.outcome, outcome);
    cr_assert_str_eq(r.error, error);
    cr_assert(*error ? r.bytes == 0 : r.bytes == LONG_BYTES && !memcmp(r.data, data, LONG_BYTES));
    cr_assert_str_eq(result(next).data, "short");
    finish();
    free(data);
}

Test(client_many, long_payloads_and_results_go_in_parts)
{
    send_long("x", GRANGE_DONE, "");
    cr_assert(s.n_parts >= 21);
}

Test(client_many, a_part_that_is_lost_on_its_way_up_is_sent_again)
{
    s.drop_part = 7;
    send_long("x", GRANGE_DONE, "");
}

Test(client_many, a_result_whose_connection_is_lost_goes_on_where_it_was)
{
    s.drop_part = 21 + 2; /* the second time that parts are asked for */
    send_long("x", GRANGE_DONE, "");
}

Test(client_many, a_result_that_is_no_longer_there_is_told)
{
    send_long("gone", GRANGE_DONE, "it is no longer there");
}

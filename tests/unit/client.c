/* client - connections and studies, against a scheduler that a thread plays. */
#include <poll.h>

#include "base/clock.h"
#include "base/limits.h"
#include "client_harness.h"

TestSuite(client, .init = setup, .fini = teardown, .timeout = 300);

Test(client, connects_and_says_who_started_the_scheduler)
{
    begin();
    cr_assert_str_eq(grange_owner(g), "run 4711");
    finish();
    cr_assert_eq(s.n_byes, 1);
}

Test(client, nobody_there_is_a_timeout_in_time)
{
    char why[300];
    ms_t start_ms = clock_mono_ms();

    g = (struct grange *)1;
    cr_assert_eq(grange_connect(s.url, 300, &g, why, sizeof why), GRANGE_ERR_TIMEOUT);
    cr_assert_eq(g, NULL);
    cr_assert(strstr(why, s.url) && strstr(why, "within "), "%s", why);
    cr_assert(clock_mono_ms() - start_ms >= 300);
}

Test(client, a_scheduler_that_says_nothing_is_a_timeout)
{
    s.mute = true;
    fake_start(&s);
    cr_assert_eq(grange_connect(s.url, 300, &g, NULL, 0), GRANGE_ERR_TIMEOUT);
    fake_stop(&s);
}

Test(client, a_wrong_address_is_told)
{
    char why[300];

    cr_assert_eq(grange_connect("http://x", 300, &g, why, sizeof why), GRANGE_ERR_USAGE);
    cr_assert(strstr(why, "tcp://HOST:PORT"), "%s", why);
}

Test(client, another_version_is_refused_with_both_in_the_text)
{
    char why[400];

    s.version = 99;
    fake_start(&s);
    cr_assert_eq(grange_connect(s.url, LONG_MS, &g, why, sizeof why), GRANGE_ERR_VERSION);
    cr_assert(strstr(why, "grange 9.9") && strstr(why, "99") && strstr(why, GRANGE_VERSION), "%s",
              why);
    fake_stop(&s);
}

Test(client, a_refused_hello_is_told)
{
    char why[300];

    s.refuse_hello = true;
    fake_start(&s);
    cr_assert_eq(grange_connect(s.url, LONG_MS, &g, why, sizeof why), GRANGE_ERR_LIMIT);
    cr_assert(strstr(why, "1024 clients"), "%s", why);
    fake_stop(&s);
}

Test(client, submits)
{
    struct grange_submitted r;

    begin();
    cr_assert_eq(grange_submit(g, "{\"a\":1}", 7, GRANGE_FRESH, LONG_MS, &r), GRANGE_OK);
    cr_assert_str_eq(r.name, "sweep");
    cr_assert(r.study == 7 && r.array == 1 && r.first_task == 1000001 && r.template_changed);
    cr_assert(r.counts.n == 5 && r.counts.lost == 7);
    cr_assert_eq(grange_resume(g, "sweep", 0, LONG_MS, &r), GRANGE_OK);
    cr_assert_eq(grange_resume(g, "other", 0, LONG_MS, &r), GRANGE_ERR_NOT_FOUND);
    cr_assert_str_eq(grange_message(g), "no study is called so");
    cr_assert_eq(grange_resume(g, "", 0, LONG_MS, &r), GRANGE_ERR_USAGE);
    cr_assert_eq(grange_submit(g, "", 0, 0, LONG_MS, &r), GRANGE_ERR_USAGE);
    finish();
}

Test(client, holds_cancels_and_retries)
{
    uint64_t index[] = { 1, 5, 9 }, n = 0;

    begin();
    cr_assert_eq(grange_hold(g, "sweep", true, LONG_MS, &n), GRANGE_OK);
    cr_assert_eq(n, 3);
    cr_assert_eq(grange_cancel(g, "sweep", NULL, 0, LONG_MS, &n), GRANGE_OK);
    cr_assert_eq(n, 10);
    cr_assert_eq(grange_cancel(g, "sweep", index, 3, LONG_MS, &n), GRANGE_OK);
    cr_assert_eq(n, 3);
    cr_assert_eq(grange_retry(g, "sweep", NULL, 0, LONG_MS, &n), GRANGE_OK);
    cr_assert_eq(n, 20);
    cr_assert_eq(grange_retry(g, "sweep", index, 2, LONG_MS, NULL), GRANGE_OK);
    finish();
}

Test(client, a_request_whose_connection_is_lost_is_sent_again)
{
    struct grange_submitted r;

    s.drop_submit = 1;
    begin();
    cr_assert_eq(grange_submit(g, "{}", 2, 0, LONG_MS, &r), GRANGE_OK, "%s", grange_message(g));
    cr_assert_str_eq(r.name, "sweep");
    finish();
    cr_assert_eq(s.n_submits, 2);
    cr_assert_eq(s.n_hellos, 2);
    cr_assert_eq(s.submit_requests % 2, 0, "the same request number both times");
}

Test(client, a_request_to_a_scheduler_that_stays_away_is_lost_within_seconds)
{
    struct grange_submitted r;

    begin();
    fake_stop(&s);
    cr_assert_eq(grange_submit(g, "{}", 2, 0, LONG_MS, &r), GRANGE_ERR_LOST);
    fake_start(&s);
    cr_assert_eq(grange_submit(g, "{}", 2, 0, LONG_MS, &r), GRANGE_OK, "%s", grange_message(g));
    finish();
}

Test(client, follows)
{
    struct grange_progress p;

    begin();
    cr_assert_eq(grange_next(g, 0, &p), GRANGE_ERR_TIMEOUT);
    cr_assert_eq(grange_follow(g, "none", LONG_MS), GRANGE_ERR_NOT_FOUND);
    cr_assert_str_eq(grange_message(g), "no study is called 'none'");
    cr_assert_eq(grange_follow(g, "one", LONG_MS), GRANGE_OK);
    cr_assert_eq(grange_follow(g, "two", LONG_MS), GRANGE_OK);
    struct pollfd fd = { .fd = grange_fd(g), .events = POLLIN };
    cr_assert_eq(poll(&fd, 1, 0), 1, "what came while following is told too");
    cr_assert_eq(grange_next(g, LONG_MS, &p), GRANGE_OK);
    cr_assert_str_eq(p.name, "one");
    cr_assert(p.state == GRANGE_HELD && p.counts.n == 10 && p.slots == 4);
    cr_assert(p.n_running == 2 && p.running[0].index == 4 && p.running[0].elapsed_ms == 9000 &&
              p.running[0].share == 0.5);
    cr_assert_not(p.reconnected);
    cr_assert_eq(grange_next(g, LONG_MS, &p), GRANGE_OK);
    cr_assert_str_eq(p.name, "two");
    cr_assert_eq(grange_next(g, 0, &p), GRANGE_ERR_TIMEOUT);
    cr_assert_eq(poll(&fd, 1, 0), 0);
    finish();
}

Test(client, a_loss_is_told_once_and_the_return_too)
{
    struct grange_progress p;

    begin();
    cr_assert_eq(grange_follow(g, "one", LONG_MS), GRANGE_OK);
    cr_assert_eq(grange_next(g, LONG_MS, &p), GRANGE_OK);
    fake_stop(&s);
    cr_assert_eq(grange_next(g, LONG_MS, &p), GRANGE_ERR_LOST);
    cr_assert_eq(grange_next(g, 100, &p), GRANGE_ERR_TIMEOUT);
    fake_start(&s);
    cr_assert_eq(grange_next(g, LONG_MS, &p), GRANGE_OK);
    cr_assert_str_eq(p.name, "one");
    cr_assert(p.reconnected);
    cr_assert_eq(s.n_follows, 2);
    cr_assert_eq(grange_follow(g, "one", LONG_MS), GRANGE_OK);
    cr_assert_eq(grange_next(g, LONG_MS, &p), GRANGE_OK);
    cr_assert_not(p.reconnected);
    finish();
}

Test(client, silence_is_a_loss)
{
    struct grange_progress p;

    begin();
    ms_t start_ms = clock_mono_ms();
    cr_assert_eq(grange_next(g, LONG_MS, &p), GRANGE_ERR_LOST); /* the fake sends no heartbeats */
    ms_t took = clock_mono_ms() - start_ms;
    cr_assert(took >= LOST_AFTER_MS - BEAT_MS, "%d ms", (int)took);
    cr_assert(s.n_beats >= 1, "but got ours");
    finish();
}

/* wait_ms - waits as a program does that polls grange_fd between two calls. */
static void wait_ms(int ms)
{
    struct pollfd fd = { .fd = grange_fd(g), .events = POLLIN };

    poll(&fd, 1, ms);
}

Test(client, silence_is_a_loss_for_who_only_looks_too)
{
    struct grange_progress p;
    int code;

    begin();
    ms_t start_ms = clock_mono_ms();
    while ((code = grange_next(g, 0, &p)) == GRANGE_ERR_TIMEOUT &&
           clock_mono_ms() - start_ms < LONG_MS)
        wait_ms(100);
    cr_assert_eq(code, GRANGE_ERR_LOST);
    cr_assert(clock_mono_ms() - start_ms >= LOST_AFTER_MS - BEAT_MS);
    finish();
}

Test(client, silence_while_nobody_looked_is_no_loss)
{
    struct grange_progress p;

    begin();
    poll(NULL, 0, LOST_AFTER_MS + BEAT_MS);
    for (int i = 0; i < 10; i++) {
        cr_assert_eq(grange_next(g, 0, &p), GRANGE_ERR_TIMEOUT);
        wait_ms(10);
    }
    cr_assert_eq(s.n_hellos, 1);
    finish();
}

Test(client, shuts_the_scheduler_down)
{
    begin();
    cr_assert_eq(grange_shutdown(g, LONG_MS), GRANGE_OK);
    finish();
    cr_assert_eq(grange_connect(s.url, 0, &g, NULL, 0), GRANGE_ERR_TIMEOUT);
}

Test(client, has_words_for_every_code)
{
    cr_assert_str_eq(grange_strerror(GRANGE_OK), "success");
    cr_assert_str_eq(grange_strerror(GRANGE_ERR_LOST), "the connection was lost");
    cr_assert_str_eq(grange_version(), GRANGE_VERSION);
    cr_assert_str_eq(GRANGE_VERSION, GRANGE_PROGRAM_VERSION);
}

/* client_verbs - what a program asks of studies and of the farm, as the scheduler hears it; and
 * what it hears of them. */
#include <poll.h>

#include "base/limits.h"
#include "client/session.h"
#include "client_harness.h"
#include "farm/connection.h"

TestSuite(client_verbs, .init = setup, .fini = teardown, .timeout = 120);

static void says(const char *part)
{
    cr_assert(strstr(grange_message(g), part), "'%s' lacks '%s'", grange_message(g), part);
}

static void heard(int code, enum control_verb verb, int64_t number)
{
    cr_assert_eq(code, GRANGE_OK, "%s", grange_message(g));
    cr_expect_eq((int)s.verb, (int)verb);
    cr_expect_eq((int64_t)s.number, number);
}

Test(client_verbs, each_is_heard_with_its_number)
{
    uint64_t running = 0;

    begin();
    heard(grange_release(g, "sweep", LONG_MS), CONTROL_RELEASE, 0);
    heard(grange_priority(g, "sweep", -7, LONG_MS), CONTROL_PRIORITY, -7);
    heard(grange_weight(g, "sweep", 3, LONG_MS), CONTROL_WEIGHT, 3);
    heard(grange_running_max(g, "sweep", 12, LONG_MS), CONTROL_RUNNING_MAX, 12);
    heard(grange_drain(g, "w1", 5000, LONG_MS, &running), CONTROL_DRAIN, 5000);
    cr_expect_eq(running, 4);
    heard(grange_down(g, 6000, LONG_MS), CONTROL_DOWN, 6000);
    cr_assert_eq(grange_weight(g, "", 3, LONG_MS), GRANGE_ERR_USAGE);
    says("a name has 1 to 100 bytes");
    cr_assert_eq(grange_shutdown(g, LONG_MS), GRANGE_OK);
    cr_expect_eq((unsigned)s.n_shutdowns, 1);
    finish();
}

Test(client_verbs, a_look_at_the_farm_has_its_workers_and_studies)
{
    struct grange_farm *farm;

    begin();
    cr_assert_eq(grange_farm_look(g, LONG_MS, &farm), GRANGE_OK, "%s", grange_message(g));
    cr_assert(farm->n_workers == 1 && farm->n_studies == 1 && farm->n_engines == 0);
    cr_expect(farm->since_ms == 1000 && farm->n_clients == 2 && farm->n_ended == 17);
    const struct grange_farm_worker *w = farm->workers;
    cr_expect(w->id == 3 && w->n_ended == 17 && w->slots == 4 && w->end_ms == 99);
    cr_expect_str_eq(w->name, "w1");
    cr_expect_str_eq(w->host, "h1");
    cr_expect_str_eq(w->labels, "os=linux");
    cr_expect_str_eq(w->resources, "gpus=2");
    const struct grange_farm_study *study = farm->studies;
    cr_expect_str_eq(study->name, "sweep");
    cr_expect(study->priority == -5 && study->weight == 3 && study->running_max == 8);
    cr_expect(study->submitted_ms == 123456 && study->counts.done == 6);
    free(farm);
    finish();
}

Test(client_verbs, flags_of_a_submission_are_heard)
{
    struct grange_submitted r;

    begin();
    cr_assert_eq(grange_submit(g, "{}", 2, 0, LONG_MS, &r), GRANGE_OK);
    cr_expect(r.counts.failed == 0 && !r.template_changed);
    cr_assert_eq(grange_submit(g, "{}", 2, GRANGE_RETRY_FAILED, LONG_MS, &r), GRANGE_OK);
    cr_expect(r.counts.failed == 1 && !r.template_changed);
    finish();
}

/* ---- following */

Test(client_verbs, a_study_that_was_refused_is_not_followed)
{
    struct grange_progress p;

    begin();
    for (int i = 0; i <= FOLLOWS_MAX; i++)
        cr_assert_eq(grange_follow(g, "none", LONG_MS), GRANGE_ERR_NOT_FOUND, "%d", i);
    for (int i = 0; i < FOLLOWS_MAX; i++) {
        char name[20];
        snprintf(name, sizeof name, "s%d", i);
        cr_assert_eq(grange_follow(g, name, LONG_MS), GRANGE_OK, "%d", i);
    }
    cr_assert_eq(grange_follow(g, "more", LONG_MS), GRANGE_ERR_LIMIT);
    for (int i = 0; i < FOLLOWS_MAX; i++)
        cr_assert_eq(grange_next(g, 0, &p), GRANGE_OK);
    finish();
}

/* next - tells of `study` and nothing else. */
static void next(const char *study)
{
    struct pollfd fd = { .fd = grange_fd(g), .events = POLLIN };
    struct grange_progress p;
    int code;

    while (poll(&fd, 1, 0) == 1) /* what the connection itself has to do */
        cr_assert_eq(grange_next(g, 0, &p), GRANGE_ERR_TIMEOUT);
    fake_tell(&s, study);
    do /* as an event loop does */
        cr_assert_eq(poll(&fd, 1, LONG_MS), 1);
    while ((code = grange_next(g, 0, &p)) == GRANGE_ERR_TIMEOUT);
    cr_assert_eq(code, GRANGE_OK);
    cr_expect_str_eq(p.name, study);
}

Test(client_verbs, news_of_any_study_wakes_an_event_loop)
{
    struct grange_progress p;

    begin();
    cr_assert_eq(grange_follow(g, "one", LONG_MS), GRANGE_OK);
    cr_assert_eq(grange_follow(g, "two", LONG_MS), GRANGE_OK);
    cr_assert_eq(grange_next(g, LONG_MS, &p), GRANGE_OK);
    cr_assert_eq(grange_next(g, LONG_MS, &p), GRANGE_OK);
    next("two");
    next("two");
    next("one");
    finish();
}

Test(client_verbs, news_from_before_a_submission_is_not_told)
{
    struct grange_submitted r;
    struct grange_progress p;

    begin();
    cr_assert_eq(grange_follow(g, "sweep", LONG_MS), GRANGE_OK);
    cr_assert_eq(grange_submit(g, "{}", 2, 0, LONG_MS, &r), GRANGE_OK);
    cr_assert_eq(grange_next(g, 0, &p), GRANGE_ERR_TIMEOUT);
    next("sweep");
    finish();
}

Test(client_verbs, who_sends_what_is_no_message_is_left_and_dialled_again)
{
    struct grange_progress p;

    s.garbage = true;
    begin();
    cr_assert_eq(grange_follow(g, "one", LONG_MS), GRANGE_OK, "%s", grange_message(g));
    int code;
    while ((code = grange_next(g, LONG_MS, &p)) == GRANGE_ERR_LOST)
        ;
    cr_assert_eq(code, GRANGE_OK);
    cr_expect_eq((unsigned)s.n_hellos, 2);
    cr_expect_eq((unsigned)s.n_follows, 2);
    finish();
}

Test(client_verbs, a_scheduler_that_says_that_it_stops_was_stopped)
{
    struct grange_progress p;

    s.says_bye = true;
    begin();
    fake_stop(&s);
    cr_assert_eq(grange_next(g, LONG_MS, &p), GRANGE_ERR_LOST);
    says("the scheduler was stopped");
    cr_assert_not(grange_is_down(g));
    s.says_bye = false;
    fake_start(&s);
    cr_assert_eq(grange_follow(g, "one", LONG_MS), GRANGE_OK);
    fake_stop(&s);
    int code;
    while ((code = grange_next(g, LONG_MS, &p)) == GRANGE_OK)
        ;
    cr_assert_eq(code, GRANGE_ERR_LOST);
    says("the scheduler is not there");
    grange_close(g);
}

/* A beat every second, not one whenever something is done. */
Test(client_verbs, it_beats_once_in_a_while)
{
    struct grange_progress p;

    begin();
    while (s.n_beats == 0)
        grange_next(g, LONG_MS, &p);
    for (int i = 0; i < 200; i++)
        cr_assert_eq(grange_hold(g, "sweep", true, LONG_MS, NULL), GRANGE_OK);
    cr_expect_leq((unsigned)s.n_beats, 100);
    finish();
}

/* ---- which farm */

Test(client_verbs, the_environment_says_which)
{
    const char *names[] = { "GRANGE_PARENT", "GRANGE_FARM", "GRANGE_CONNECT" };
    char why[300] = "";

    fake_start(&s);
    setenv("XDG_STATE_HOME", dir, 1);
    for (size_t i = 0; i < 3; i++)
        unsetenv(names[i]);
    for (size_t i = 0; i < 3; i += 2) { /* what comes later in this list counts more */
        setenv(names[i], s.url, 1);
        cr_assert_eq(grange_connect(NULL, LONG_MS, &g, why, sizeof why), GRANGE_OK, "%s", why);
        grange_close(g);
        setenv(names[i], "ipc:///nobody/is/here.sock", 1);
    }
    setenv("GRANGE_CONNECT", "", 1);
    setenv("GRANGE_FARM", "nobodys-farm", 1);
    cr_assert_eq(grange_connect(NULL, 0, &g, why, sizeof why), GRANGE_ERR_NOT_FOUND, "%s", why);
    cr_expect(strstr(why, "nobodys-farm"), "%s", why);
    for (size_t i = 0; i < 3; i++)
        unsetenv(names[i]);
    fake_stop(&s);
}

Test(client_verbs, addresses_are_tried_in_turn)
{
    struct connection c = { 0 };
    struct fault f;
    char nobody[100];

    fake_start(&s);
    snprintf(nobody, sizeof nobody, "ipc://%s/nobody.sock", dir);
    cr_assert_eq(connection_add_url(&c, nobody, &f), ERR_NONE);
    cr_assert_eq(connection_add_url(&c, s.url, &f), ERR_NONE);
    struct wait w = wait_for(10000);
    cr_assert_eq(connect_to(&c, w, &g, &f), ERR_NONE, "%s", f.text);
    connection_fini(&c);
    cr_assert_eq(grange_hold(g, "sweep", true, LONG_MS, NULL), GRANGE_OK);
    finish();
}

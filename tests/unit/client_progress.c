/* client_progress - how far running calls are, from a scheduler that the test plays. */
#include <poll.h>
#include <stdatomic.h>

#include "client_harness.h"

TestSuite(client_progress, .init = setup, .fini = teardown, .timeout = 300);

/* asked - a call that is held, after the scheduler has heard that its progress is wanted. */
static struct grange_future asked(void)
{
    struct grange_future f = call("hold", NULL);
    struct grange_future_progress p;

    cr_assert_eq(grange_flush(g, LONG_MS), GRANGE_OK);
    cr_assert_eq(grange_future_progress(g, f, &p), GRANGE_OK);
    cr_assert(p.share == 0 && !*p.text);
    while (s.n_collects < 2) /* one when it was opened, one that asks for progress */
        grange_ready(g, f);
    return f;
}

Test(client_progress, what_was_said_last_is_there)
{
    struct grange_future_progress p = { 0 };

    begin();
    struct grange_future f = asked();
    fake_say(&s, 0.25, "meshing");
    while (p.share == 0)
        cr_assert_eq(grange_future_progress(g, f, &p), GRANGE_OK);
    cr_assert_eq(p.share, 0.25);
    cr_assert_str_eq(p.text, "meshing");
    fake_release(&s);
    result(f);
    cr_assert_eq(grange_future_progress(g, f, &p), GRANGE_OK);
    cr_assert(p.share == 1 && !*p.text);
    cr_assert_eq(grange_future_progress(g, (struct grange_future){ 99 }, &p), GRANGE_ERR_NOT_FOUND);
    finish();
}

Test(client_progress, nobody_is_asked_to_tell_unless_somebody_wants_to_know)
{
    begin();
    struct grange_future f = call("hold", NULL);
    cr_assert_eq(grange_flush(g, LONG_MS), GRANGE_OK);
    fake_say(&s, 0.5, ""); /* the fake aborts the test if it told who did not ask: nobody did */
    fake_release(&s);
    result(f);
    cr_assert_eq(s.n_collects, 1);
    cr_assert(!s.arrays[0].shares);
    finish();
}

struct heard {
    atomic_uint n; /* counted last: what it counted may be read */
    struct grange_future f;
    struct grange_future_progress p;
};

static void hear(struct grange *from, struct grange_future f,
                 const struct grange_future_progress *p, void *context)
{
    struct heard *h = context;

    cr_assert_eq(from, g);
    h->f = f;
    h->p = *p;
    h->n++;
}

Test(client_progress, a_callback_is_called_until_the_end)
{
    struct heard h = { 0 };

    begin();
    struct grange_future f = asked();
    cr_assert_eq(grange_on_progress(g, f, 1, hear, &h), GRANGE_OK);
    fake_say(&s, 0.5, "half");
    while (h.n == 0) /* this thread takes what arrives: it calls back */
        grange_wait(g, f, 1);
    cr_assert(h.f.id == f.id && h.p.share == 0.5);
    cr_assert_str_eq(h.p.text, "half");
    fake_say(&s, 0.75, "more");
    while (h.n < 2)
        grange_wait(g, f, 1);
    cr_assert_eq(h.p.share, 0.75);
    fake_release(&s);
    result(f);
    unsigned n = h.n;
    cr_assert_eq(grange_on_progress(g, f, 1, hear, &h), GRANGE_OK); /* it has ended: never */
    grange_ready(g, f);
    cr_assert_eq(h.n, n);
    finish();
}

Test(client_progress, an_event_loop_sees_it_at_the_descriptor)
{
    struct grange_future_progress p;
    struct grange_future of;

    begin();
    struct grange_future f = asked();
    struct pollfd fd = { .fd = grange_fd(g), .events = POLLIN };
    cr_assert_eq(grange_on_progress(g, f, 1, NULL, NULL), GRANGE_OK);
    cr_assert_eq(grange_progress_next(g, 0, &of, &p), GRANGE_ERR_TIMEOUT);
    for (int i = 1; i < 3; i++) {
        fake_say(&s, 0.25 * i, "");
        while (grange_progress_next(g, 0, &of, &p) == GRANGE_ERR_TIMEOUT)
            cr_assert_eq(poll(&fd, 1, LONG_MS), 1);
        cr_assert(of.id == f.id && p.share == 0.25 * i);
        cr_assert_eq(grange_progress_next(g, 0, &of, &p), GRANGE_ERR_TIMEOUT);
    }
    fake_say(&s, 0.75, "more"); /* what nobody took before the end is gone with it */
    while (grange_future_progress(g, f, &p) == GRANGE_OK && p.share != 0.75)
        ;
    fake_release(&s);
    result(f);
    cr_assert_eq(grange_progress_next(g, 0, &of, &p), GRANGE_ERR_TIMEOUT);
    finish();
}

Test(client_progress, only_the_last_is_kept_for_who_is_slow)
{
    struct grange_future_progress p = { 0 };
    struct grange_future of;

    begin();
    struct grange_future f = asked();
    cr_assert_eq(grange_on_progress(g, f, 1, NULL, NULL), GRANGE_OK);
    for (int i = 1; i <= 20; i++) {
        fake_say(&s, i / 20.0, "");
        while (grange_future_progress(g, f, &p) == GRANGE_OK && p.share != i / 20.0)
            ;
    }
    cr_assert_eq(grange_progress_next(g, LONG_MS, &of, &p), GRANGE_OK);
    cr_assert_eq(p.share, 1);
    cr_assert_eq(grange_progress_next(g, 0, &of, &p), GRANGE_ERR_TIMEOUT);
    fake_release(&s);
    result(f);
    finish();
}

Test(client_progress, it_is_asked_for_again_on_a_new_connection)
{
    struct grange_future_progress p = { 0 };

    begin();
    struct grange_future f = asked();
    fake_stop(&s);
    unsigned n = s.n_collects;
    fake_start(&s);
    while (s.n_collects == n) /* it came back, and collects again */
        grange_wait(g, f, 1);
    cr_assert(s.arrays[0].shares);
    fake_say(&s, 0.5, "");
    while (p.share != 0.5)
        cr_assert_eq(grange_future_progress(g, f, &p), GRANGE_OK);
    fake_release(&s);
    result(f);
    finish();
}

/* client: the public interface against a scheduler that the test plays, in a thread: a link, wire
 * and a few lines of script. */
#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "client/grange.h"
#include "proto/link.h"
#include "proto/wire.h"

enum { LONG_MS = 100000 };

static char dir[64];
static char url[100];

static void setup(void)
{
    strcpy(dir, "/tmp/grange-client-XXXXXX");
    cr_assert(mkdtemp(dir));
    snprintf(url, sizeof url, "ipc://%s/s.sock", dir);
}

static void teardown(void)
{
    rmdir(dir);
}

TestSuite(client, .init = setup, .fini = teardown, .timeout = 300);

/* fake - a scheduler as the tests need it. What it is to do differently is set before it starts. */
struct fake {
    pthread_t thread;
    struct link *link;
    int stop_fd;
    uint32_t version;
    bool refuse_hello;
    bool drop_first_submit; /* closes the connection instead of answering */
    bool mute;              /* takes connections and says nothing */
    atomic_int n_hellos, n_submits, n_follows, n_beats, n_byes;
    _Atomic uint64_t submit_requests; /* their numbers, added up */
};

static void answer(struct fake *s, peer_id to, const struct message *m)
{
    struct buf b = { 0 };

    wire_encode(m, &b);
    link_send(s->link, to, b.data, b.n);
    buf_fini(&b);
}

static void refuse(struct fake *s, peer_id to, uint64_t request, enum err code, const char *text)
{
    struct message m = { .kind = MSG_REFUSED };

    m.refused.request = request;
    m.refused.code = (uint32_t)code;
    m.refused.text = text;
    answer(s, to, &m);
}

static void on_hello(struct fake *s, peer_id from)
{
    struct message m = { .kind = MSG_WELCOME };

    s->n_hellos++;
    if (s->refuse_hello) {
        refuse(s, from, 0, ERR_LIMIT, "1024 clients are connected; that is the limit");
        link_close_peer(s->link, from);
        return;
    }
    m.welcome.version = s->version;
    m.welcome.program = "grange 9.9";
    m.welcome.epoch = 3;
    m.welcome.owner = "run 4711";
    answer(s, from, &m);
}

static void on_submit(struct fake *s, peer_id from, const struct message *asked)
{
    struct message m = { .kind = MSG_SUBMITTED };

    s->submit_requests += asked->submit.request;
    if (s->n_submits++ == 0 && s->drop_first_submit) {
        link_close_peer(s->link, from);
        return;
    }
    if (asked->submit.resume && strcmp(asked->submit.study, "sweep") != 0) {
        refuse(s, from, asked->submit.request, ERR_NOT_FOUND, "no study is called so");
        return;
    }
    m.submitted.request = asked->submit.request;
    m.submitted.study = "sweep";
    m.submitted.id.n = 7;
    m.submitted.array.n = 8;
    m.submitted.first.n = 1000;
    m.submitted.counts.n = asked->submit.spec_bytes;
    m.submitted.counts.lost = 5;
    m.submitted.template_changed = asked->submit.fresh;
    answer(s, from, &m);
}

static void on_follow(struct fake *s, peer_id from, const struct message *asked)
{
    struct running_point slow[2] = { { 4, 9000, 0.5 }, { 2, 10, 0.5 } };
    struct message m = { .kind = MSG_PROGRESS };

    s->n_follows++;
    if (strcmp(asked->follow.study, "none") == 0) {
        refuse(s, from, asked->follow.request, ERR_NOT_FOUND, "no study is called 'none'");
        return;
    }
    m.progress.study = asked->follow.study;
    m.progress.state = STUDY_HELD;
    m.progress.counts.n = 10;
    m.progress.counts.done = (uint64_t)s->n_follows;
    m.progress.slots = 4;
    m.progress.running = slow;
    m.progress.n_running = 2;
    answer(s, from, &m);
}

static void on_message(struct fake *s, peer_id from, const struct message *asked)
{
    struct message reply = { .kind = MSG_REPLY };

    switch (asked->kind) {
    case MSG_HELLO:
        on_hello(s, from);
        break;
    case MSG_SUBMIT:
        on_submit(s, from, asked);
        break;
    case MSG_FOLLOW:
        on_follow(s, from, asked);
        break;
    case MSG_BEAT:
        s->n_beats++;
        break;
    case MSG_BYE:
        s->n_byes++;
        break;
    case MSG_SHUTDOWN:
        answer(s, from, &(struct message){ .kind = MSG_BYE });
        break;
    case MSG_HOLD:
        reply.reply.request = asked->hold.request;
        reply.reply.n = asked->hold.now ? 3 : 0;
        answer(s, from, &reply);
        break;
    case MSG_CANCEL:
        reply.reply.request = asked->cancel.request;
        reply.reply.n = asked->cancel.all ? 10 : asked->cancel.n;
        answer(s, from, &reply);
        break;
    case MSG_RETRY:
        reply.reply.request = asked->retry.request;
        reply.reply.n = asked->retry.failed ? 20 : asked->retry.n;
        answer(s, from, &reply);
        break;
    default:
        break;
    }
}

static void take_all(struct fake *s)
{
    struct link_event ev;
    struct message m;
    struct fault f;

    while (link_take(s->link, &ev)) {
        if (ev.kind != LINK_FRAME || s->mute)
            continue;
        if (wire_decode(ev.data, ev.n, &m, &f) != ERR_NONE) {
            fprintf(stderr, "the client sent: %s\n", f.text);
            abort();
        }
        on_message(s, ev.peer, &m);
        message_fini(&m);
    }
    link_flush(s->link);
}

static void *play(void *arg)
{
    struct fake *s = arg;
    struct pollfd fds[2] = { { .fd = link_fd(s->link), .events = POLLIN },
                             { .fd = s->stop_fd, .events = POLLIN } };

    while (!fds[1].revents) {
        take_all(s);
        poll(fds, 2, -1);
    }
    take_all(s);
    link_free(s->link);
    return NULL;
}

static void start(struct fake *s)
{
    struct fault f;

    s->version = s->version ? s->version : WIRE_VERSION;
    s->link = link_new();
    s->stop_fd = eventfd(0, EFD_CLOEXEC);
    cr_assert_eq(link_listen(s->link, url, 3, NULL, &f), ERR_NONE, "%s", f.text);
    cr_assert_eq(pthread_create(&s->thread, NULL, play, s), 0);
}

static void stop(struct fake *s)
{
    uint64_t one = 1;

    cr_assert_eq(write(s->stop_fd, &one, sizeof one), (ssize_t)sizeof one);
    pthread_join(s->thread, NULL);
    close(s->stop_fd);
}

static struct grange *connected(void)
{
    struct grange *g;
    char why[300] = "";

    cr_assert_eq(grange_connect(url, LONG_MS, &g, why, sizeof why), GRANGE_OK, "%s", why);
    return g;
}

Test(client, connects_and_says_who_started_the_scheduler)
{
    struct fake s = { 0 };

    start(&s);
    struct grange *g = connected();
    cr_assert_str_eq(grange_owner(g), "run 4711");
    grange_close(g);
    stop(&s);
    cr_assert_eq(s.n_byes, 1);
}

Test(client, nobody_there_is_a_timeout_in_time)
{
    struct grange *g = (struct grange *)1;
    char why[300];
    ms_t start_ms = clock_mono_ms();

    cr_assert_eq(grange_connect(url, 300, &g, why, sizeof why), GRANGE_ERR_TIMEOUT);
    cr_assert_eq(g, NULL);
    cr_assert(strstr(why, url) && strstr(why, "within "), "%s", why);
    cr_assert(clock_mono_ms() - start_ms >= 300);
}

Test(client, a_scheduler_that_says_nothing_is_a_timeout)
{
    struct fake s = { .mute = true };
    struct grange *g;

    start(&s);
    cr_assert_eq(grange_connect(url, 300, &g, NULL, 0), GRANGE_ERR_TIMEOUT);
    stop(&s);
}

Test(client, a_wrong_address_is_told)
{
    struct grange *g;
    char why[300];

    cr_assert_eq(grange_connect("http://x", 300, &g, why, sizeof why), GRANGE_ERR_USAGE);
    cr_assert(strstr(why, "tcp://HOST:PORT"), "%s", why);
}

Test(client, another_version_is_refused_with_both_in_the_text)
{
    struct fake s = { .version = 99 };
    struct grange *g;
    char why[400];

    start(&s);
    cr_assert_eq(grange_connect(url, LONG_MS, &g, why, sizeof why), GRANGE_ERR_VERSION);
    cr_assert(strstr(why, "grange 9.9") && strstr(why, "99") && strstr(why, GRANGE_VERSION), "%s",
              why);
    stop(&s);
}

Test(client, a_refused_hello_is_told)
{
    struct fake s = { .refuse_hello = true };
    struct grange *g;
    char why[300];

    start(&s);
    cr_assert_eq(grange_connect(url, LONG_MS, &g, why, sizeof why), GRANGE_ERR_LIMIT);
    cr_assert(strstr(why, "1024 clients"), "%s", why);
    stop(&s);
}

Test(client, submits)
{
    struct fake s = { 0 };
    struct grange_submitted r;

    start(&s);
    struct grange *g = connected();
    cr_assert_eq(grange_submit(g, "{\"a\":1}", 7, GRANGE_FRESH, LONG_MS, &r), GRANGE_OK);
    cr_assert_str_eq(r.name, "sweep");
    cr_assert(r.study == 7 && r.array == 8 && r.first_task == 1000 && r.template_changed);
    cr_assert(r.counts.n == 7 && r.counts.lost == 5);
    cr_assert_eq(grange_resume(g, "sweep", 0, LONG_MS, &r), GRANGE_OK);
    cr_assert_eq(grange_resume(g, "other", 0, LONG_MS, &r), GRANGE_ERR_NOT_FOUND);
    cr_assert_str_eq(grange_message(g), "no study is called so");
    cr_assert_eq(grange_resume(g, "", 0, LONG_MS, &r), GRANGE_ERR_USAGE);
    cr_assert_eq(grange_submit(g, "", 0, 0, LONG_MS, &r), GRANGE_ERR_USAGE);
    grange_close(g);
    stop(&s);
}

Test(client, holds_cancels_and_retries)
{
    struct fake s = { 0 };
    uint64_t index[] = { 1, 5, 9 }, n = 0;

    start(&s);
    struct grange *g = connected();
    cr_assert_eq(grange_hold(g, "sweep", true, LONG_MS, &n), GRANGE_OK);
    cr_assert_eq(n, 3);
    cr_assert_eq(grange_cancel(g, "sweep", NULL, 0, LONG_MS, &n), GRANGE_OK);
    cr_assert_eq(n, 10);
    cr_assert_eq(grange_cancel(g, "sweep", index, 3, LONG_MS, &n), GRANGE_OK);
    cr_assert_eq(n, 3);
    cr_assert_eq(grange_retry(g, "sweep", NULL, 0, LONG_MS, &n), GRANGE_OK);
    cr_assert_eq(n, 20);
    cr_assert_eq(grange_retry(g, "sweep", index, 2, LONG_MS, NULL), GRANGE_OK);
    grange_close(g);
    stop(&s);
}

Test(client, a_request_whose_connection_is_lost_is_sent_again)
{
    struct fake s = { .drop_first_submit = true };
    struct grange_submitted r;

    start(&s);
    struct grange *g = connected();
    cr_assert_eq(grange_submit(g, "{}", 2, 0, LONG_MS, &r), GRANGE_OK, "%s", grange_message(g));
    cr_assert_str_eq(r.name, "sweep");
    grange_close(g);
    stop(&s);
    cr_assert_eq(s.n_submits, 2);
    cr_assert_eq(s.n_hellos, 2);
    cr_assert_eq(s.submit_requests % 2, 0, "the same request number both times");
}

Test(client, a_request_to_a_scheduler_that_stays_away_is_lost_within_seconds)
{
    struct fake s = { 0 };
    struct grange_submitted r;

    start(&s);
    struct grange *g = connected();
    stop(&s);
    cr_assert_eq(grange_submit(g, "{}", 2, 0, LONG_MS, &r), GRANGE_ERR_LOST);
    struct fake again = { 0 };
    start(&again);
    cr_assert_eq(grange_submit(g, "{}", 2, 0, LONG_MS, &r), GRANGE_OK, "%s", grange_message(g));
    grange_close(g);
    stop(&again);
}

Test(client, follows)
{
    struct fake s = { 0 };
    struct grange_progress p;

    start(&s);
    struct grange *g = connected();
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
    grange_close(g);
    stop(&s);
}

Test(client, a_loss_is_told_once_and_the_return_too)
{
    struct fake s = { 0 };
    struct grange_progress p;

    start(&s);
    struct grange *g = connected();
    cr_assert_eq(grange_follow(g, "one", LONG_MS), GRANGE_OK);
    cr_assert_eq(grange_next(g, LONG_MS, &p), GRANGE_OK);
    stop(&s);
    cr_assert_eq(grange_next(g, LONG_MS, &p), GRANGE_ERR_LOST);
    cr_assert_eq(grange_next(g, 100, &p), GRANGE_ERR_TIMEOUT);
    struct fake again = { 0 };
    start(&again);
    cr_assert_eq(grange_next(g, LONG_MS, &p), GRANGE_OK);
    cr_assert_str_eq(p.name, "one");
    cr_assert(p.reconnected);
    cr_assert_eq(again.n_follows, 1);
    cr_assert_eq(grange_follow(g, "one", LONG_MS), GRANGE_OK);
    cr_assert_eq(grange_next(g, LONG_MS, &p), GRANGE_OK);
    cr_assert_not(p.reconnected);
    grange_close(g);
    stop(&again);
}

Test(client, silence_is_a_loss)
{
    struct fake s = { 0 };
    struct grange_progress p;

    start(&s);
    struct grange *g = connected();
    ms_t start_ms = clock_mono_ms();
    cr_assert_eq(grange_next(g, LONG_MS, &p), GRANGE_ERR_LOST); /* the fake sends no heartbeats */
    ms_t took = clock_mono_ms() - start_ms;
    cr_assert(took >= LOST_AFTER_MS - BEAT_MS, "%d ms", (int)took);
    cr_assert(s.n_beats >= 1, "but got ours");
    grange_close(g);
    stop(&s);
}

/* wait_ms - waits as a program does that polls grange_fd between two calls. */
static void wait_ms(struct grange *g, int ms)
{
    struct pollfd fd = { .fd = grange_fd(g), .events = POLLIN };

    poll(&fd, 1, ms);
}

Test(client, silence_is_a_loss_for_who_only_looks_too)
{
    struct fake s = { 0 };
    struct grange_progress p;
    int code;

    start(&s);
    struct grange *g = connected();
    ms_t start_ms = clock_mono_ms();
    while ((code = grange_next(g, 0, &p)) == GRANGE_ERR_TIMEOUT &&
           clock_mono_ms() - start_ms < LONG_MS)
        wait_ms(g, 100);
    cr_assert_eq(code, GRANGE_ERR_LOST);
    cr_assert(clock_mono_ms() - start_ms >= LOST_AFTER_MS - BEAT_MS);
    grange_close(g);
    stop(&s);
}

Test(client, silence_while_nobody_looked_is_no_loss)
{
    struct fake s = { 0 };
    struct grange_progress p;

    start(&s);
    struct grange *g = connected();
    poll(NULL, 0, LOST_AFTER_MS + BEAT_MS);
    for (int i = 0; i < 10; i++) {
        cr_assert_eq(grange_next(g, 0, &p), GRANGE_ERR_TIMEOUT);
        wait_ms(g, 10);
    }
    cr_assert_eq(s.n_hellos, 1);
    grange_close(g);
    stop(&s);
}

Test(client, shuts_the_scheduler_down)
{
    struct fake s = { 0 };

    start(&s);
    struct grange *g = connected();
    cr_assert_eq(grange_shutdown(g, LONG_MS), GRANGE_OK);
    grange_close(g);
    stop(&s);
    cr_assert_eq(grange_connect(url, 0, &g, NULL, 0), GRANGE_ERR_TIMEOUT);
}

Test(client, has_words_for_every_code)
{
    cr_assert_str_eq(grange_strerror(GRANGE_OK), "success");
    cr_assert_str_eq(grange_strerror(GRANGE_ERR_LOST), "the connection was lost");
    cr_assert_str_eq(grange_version(), GRANGE_VERSION);
    cr_assert_str_eq(GRANGE_VERSION, GRANGE_PROGRAM_VERSION);
}

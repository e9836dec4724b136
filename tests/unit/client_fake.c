#include "client_fake_inner.h"

#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/must.h"
#include "proto/wire.h"

void fake_answer(struct fake *s, peer_id to, const struct message *m)
{
    struct buf b = { 0 };

    wire_encode(m, &b);
    link_send(s->link, to, b.data, b.n);
    buf_fini(&b);
}

void fake_refuse(struct fake *s, peer_id to, uint64_t request, enum err code, const char *text)
{
    struct message m = { .kind = MSG_REFUSED };

    m.refused.request = request;
    m.refused.code = (uint32_t)code;
    m.refused.text = text;
    fake_answer(s, to, &m);
}

void fake_reply(struct fake *s, peer_id to, uint64_t request, uint64_t n)
{
    struct message m = { .kind = MSG_REPLY };

    m.reply.request = request;
    m.reply.n = n;
    fake_answer(s, to, &m);
}

/* ---- connections */

static void on_hello(struct fake *s, peer_id from)
{
    struct message m = { .kind = MSG_WELCOME };

    s->n_hellos++;
    s->peers[s->n_peers++ % 4] = from;
    if (s->refuse_hello) {
        fake_refuse(s, from, 0, ERR_LIMIT, "1024 clients are connected; that is the limit");
        link_close_peer(s->link, from);
        return;
    }
    m.welcome.version = s->version ? s->version : WIRE_VERSION;
    m.welcome.program = "grange 9.9";
    m.welcome.epoch = 3;
    m.welcome.owner = "run 4711";
    fake_answer(s, from, &m);
}

/* ---- studies */

static void on_submit(struct fake *s, peer_id from, const struct message *asked)
{
    struct message m = { .kind = MSG_SUBMITTED };

    s->submit_requests += asked->submit.request;
    if (++s->n_submits == s->drop_submit) {
        link_close_peer(s->link, from);
        return;
    }
    if (asked->submit.resume && strcmp(asked->submit.study, "sweep") != 0) {
        fake_refuse(s, from, asked->submit.request, ERR_NOT_FOUND, "no study is called so");
        return;
    }
    const struct fake_array *a = fake_sweep(s);
    m.submitted.request = asked->submit.request;
    m.submitted.study = "sweep";
    m.submitted.id.n = 7;
    m.submitted.array.n = a->id;
    m.submitted.first.n = fake_first(a);
    m.submitted.counts.n = a->n;
    m.submitted.counts.lost = asked->submit.spec_bytes;
    m.submitted.counts.failed = asked->submit.retry_failed;
    m.submitted.template_changed = asked->submit.fresh;
    fake_answer(s, from, &m);
}

static void tell_of(struct fake *s, peer_id to, const char *study)
{
    struct running_point slow[2] = { { 4, 9000, 0.5 }, { 2, 10, 0.5 } };
    struct message m = { .kind = MSG_PROGRESS };

    m.progress.study = study;
    m.progress.state = STUDY_HELD;
    m.progress.counts.n = 10;
    m.progress.counts.done = (uint64_t)s->n_follows;
    m.progress.slots = 4;
    m.progress.running = slow;
    m.progress.n_running = 2;
    fake_answer(s, to, &m);
}

static void on_follow(struct fake *s, peer_id from, const struct message *asked)
{
    if (++s->n_follows == 1 && s->garbage)
        link_send(s->link, from, "\xff\xff\xff", 3);
    else if (strcmp(asked->follow.study, "none") == 0)
        fake_refuse(s, from, asked->follow.request, ERR_NOT_FOUND, "no study is called 'none'");
    else
        tell_of(s, from, asked->follow.study);
}

static void on_watch(struct fake *s, peer_id from, const struct message *asked)
{
    struct farm_worker worker = { .id = { 3 },
                                  .name = "w1",
                                  .host = "h1",
                                  .labels = "os=linux",
                                  .resources = "gpus=2",
                                  .why = "",
                                  .n_done = 17,
                                  .slots = 4,
                                  .end_ms = 99 };
    struct farm_study study = {
        .name = "sweep", .priority = -5, .weight = 3, .running_max = 8, .submitted_ms = 123456
    };
    struct message m = { .kind = MSG_FARM };

    study.counts.done = 6;
    m.farm.request = asked->watch.request;
    m.farm.since_ms = 1000;
    m.farm.n_clients = 2;
    m.farm.n_ended = 17;
    m.farm.workers = &worker;
    m.farm.n_workers = 1;
    m.farm.studies = &study;
    m.farm.n_studies = 1;
    fake_answer(s, from, &m);
}

static void on_control(struct fake *s, peer_id from, const struct message *asked)
{
    s->verb = asked->control.verb;
    s->number = asked->control.number;
    fake_reply(s, from, asked->control.request, 4);
}

static void on_message(struct fake *s, peer_id from, const struct message *asked)
{
    if (fake_calls(s, from, asked))
        return;
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
    case MSG_WATCH:
        on_watch(s, from, asked);
        break;
    case MSG_CONTROL:
        on_control(s, from, asked);
        break;
    case MSG_BEAT:
        s->n_beats++;
        if (s->beats)
            fake_answer(s, from, &(struct message){ .kind = MSG_BEAT });
        break;
    case MSG_BYE:
        s->n_byes++;
        break;
    case MSG_SHUTDOWN:
        s->n_shutdowns++;
        fake_answer(s, from, &(struct message){ .kind = MSG_BYE });
        break;
    case MSG_HOLD:
        fake_reply(s, from, asked->hold.request, asked->hold.now ? 3 : 0);
        break;
    case MSG_CANCEL:
        s->n_cancelled += (unsigned)asked->cancel.n;
        s->cancel_array = asked->cancel.array.n;
        s->cancel_home = strcmp(asked->cancel.study, "calls") == 0;
        if (s->refuse_cancel)
            fake_refuse(s, from, asked->cancel.request, ERR_NOT_FOUND, "no such study");
        else
            fake_reply(s, from, asked->cancel.request, asked->cancel.all ? 10 : asked->cancel.n);
        break;
    case MSG_RETRY:
        fake_reply(s, from, asked->retry.request, asked->retry.failed ? 20 : asked->retry.n);
        break;
    default:
        break;
    }
}

/* ---- the thread */

static void take_all(struct fake *s)
{
    struct link_event ev;
    struct message m;
    struct fault f;

    while (link_take(s->link, &ev)) {
        if (ev.kind != LINK_FRAME || s->mute || ev.peer.n == s->dropped.n)
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
                             { .fd = s->wake_fd, .events = POLLIN } };
    uint64_t count;

    while (!s->stopping) {
        take_all(s);
        fake_end_held(s);
        if (s->saying) {
            fake_say_held(s);
            s->saying = false;
        }
        const char *study = atomic_exchange(&s->telling, NULL);
        for (unsigned i = 0; study && i < s->n_peers && i < 4; i++)
            tell_of(s, s->peers[i], study);
        link_flush(s->link);
        poll(fds, 2, -1);
        if (fds[1].revents)
            must(read(s->wake_fd, &count, sizeof count) == sizeof count);
    }
    take_all(s);
    for (unsigned i = 0; (s->going_down || s->says_bye) && i < s->n_peers && i < 4; i++) {
        struct message m = { .kind = MSG_BYE };
        m.bye.down = s->going_down;
        fake_answer(s, s->peers[i], &m);
    }
    link_free(s->link);
    return NULL;
}

static void wake(struct fake *s)
{
    uint64_t one = 1;

    must(write(s->wake_fd, &one, sizeof one) == sizeof one);
}

void fake_start(struct fake *s)
{
    struct fault f;

    s->stopping = false;
    s->link = link_new();
    s->wake_fd = eventfd(0, EFD_CLOEXEC);
    for (unsigned i = 0; i < s->n_arrays; i++)
        s->arrays[i].collector.n = 0;
    must(link_listen(s->link, s->url, 3, NULL, &f) == ERR_NONE);
    must(pthread_create(&s->thread, NULL, play, s) == 0);
}

void fake_stop(struct fake *s)
{
    s->stopping = true;
    wake(s);
    pthread_join(s->thread, NULL);
    close(s->wake_fd);
}

void fake_down(struct fake *s)
{
    s->going_down = true;
    fake_stop(s);
    s->going_down = false;
}

void fake_release(struct fake *s)
{
    s->released = true;
    wake(s);
}

void fake_reply_late(struct fake *s)
{
    s->late_replies = false;
    wake(s);
}

void fake_say(struct fake *s, double share, const char *text)
{
    while (s->saying) /* the last one is still being said */
        sched_yield();
    s->said.share = share;
    s->said.text = text;
    s->saying = true;
    wake(s);
}

void fake_tell(struct fake *s, const char *study)
{
    s->telling = study;
    wake(s);
}

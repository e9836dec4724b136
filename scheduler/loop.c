#include "scheduler/calls.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "proto/wire.h"
#include "scheduler/direct.h"
#include "scheduler/look.h"
#include "study/study.h"

enum {
    FRAMES_TURN_MAX = 512, /* taken in one turn: bounds a transaction and the wait of the others */
    TURN_BYTES_MAX = 16 << 20, /* of frames taken in one turn, and the frame that reaches it */
    TIMEOUTS_TURN_MAX = 4,     /* steps of work given out in one turn, GRANTS_MAX each */
    HELLO_WITHIN_MS = 10000    /* a connection that says nothing is closed */
};

struct buf *loop_text(struct scheduler *s)
{
    if (s->n_texts == s->cap_texts) {
        size_t cap = s->cap_texts ? 2 * s->cap_texts : 4;
        struct buf **grown = realloc(s->texts, cap * sizeof *grown);
        must(grown != NULL);
        s->texts = grown;
        s->cap_texts = cap;
    }
    struct buf *b = calloc(1, sizeof *b);
    must(b != NULL);
    s->texts[s->n_texts++] = b;
    return b;
}

void loop_turn_end(struct scheduler *s)
{
    for (size_t i = 0; i < s->n_messages; i++)
        message_fini(&s->messages[i]);
    for (size_t i = 0; i < s->n_texts; i++) {
        buf_fini(s->texts[i]);
        free(s->texts[i]);
    }
    for (size_t i = 0; i < s->n_views; i++)
        study_free(s->views[i].spec);
    s->n_messages = s->n_texts = s->n_views = 0;
    outbox_clear(&s->out);
}

static struct peer *peer_find(struct scheduler *s, peer_id id)
{
    struct peer *p;

    HASH_FIND(hh, s->peers, &id.n, sizeof id.n, p);
    return p;
}

static void peer_gone(struct scheduler *s, peer_id id)
{
    struct peer *p = peer_find(s, id);

    if (!p)
        return;
    core_step(s->core, s->now, &(struct event){ .kind = EV_GONE, .from = id }, &s->out);
    direct_gone(s->direct, id, p->left, s->now);
    collect_gone(s, id);
    look_gone(s, id);
    HASH_DELETE(hh, s->peers, p);
    free(p->specs);
    free(p);
}

static void on_frame(struct scheduler *s, const struct link_event *ev)
{
    struct peer *p = peer_find(s, ev->peer);
    struct fault f;

    if (!p)
        return;
    if (s->n_messages == s->cap_messages) {
        s->cap_messages = s->cap_messages ? 2 * s->cap_messages : 64;
        s->messages = realloc(s->messages, s->cap_messages * sizeof *s->messages);
        must(s->messages != NULL);
    }
    struct message *m = &s->messages[s->n_messages];
    if (wire_decode(ev->data, ev->n, m, &f)) {
        log_error("event=bad_message peer=%llu text=\"%s\"", (unsigned long long)ev->peer.n,
                  f.text);
        request_refuse(s, ev->peer, 0, f.code, f.text);
        link_close_peer(s->link, ev->peer);
        return;
    }
    s->n_messages++;
    request_handle(s, p, m);
}

/* Takes what has arrived; false when there may be more. */
static bool take(struct scheduler *s)
{
    struct link_event ev;
    size_t bytes = 0;

    for (int i = 0; i < FRAMES_TURN_MAX && bytes < TURN_BYTES_MAX; i++) {
        if (!link_take(s->link, &ev))
            return true;
        if (ev.kind == LINK_UP) {
            struct peer *p = calloc(1, sizeof *p);
            must(p != NULL);
            p->id = ev.peer.n;
            p->since_ms = s->now;
            p->roles = ev.roles;
            HASH_ADD(hh, s->peers, id, sizeof p->id, p);
        } else if (ev.kind == LINK_GONE) {
            peer_gone(s, ev.peer);
        } else {
            bytes += ev.n;
            on_frame(s, &ev);
        }
    }
    return false;
}

int loop_exit_code(const struct fault *f)
{
    switch (f->code) {
    case ERR_DISK_FULL:
        return SCHEDULER_DISK_FULL;
    case ERR_DAMAGED:
        return SCHEDULER_DAMAGED;
    case ERR_VERSION:
        return SCHEDULER_VERSION;
    case ERR_BUSY:
        return SCHEDULER_BUSY;
    default:
        return SCHEDULER_IO;
    }
}

void loop_die(struct scheduler *s, const struct fault *f)
{
    (void)s;
    log_error("event=end reason=\"%s\"", f->text);
    fprintf(stderr, "grange: %s\n", f->text);
}

static void log_changes(const struct scheduler *s)
{
    for (size_t i = 0; i < s->out.n_changes; i++) {
        const struct change *ch = &s->out.changes[i];
        if (ch->kind == CHG_WORKER)
            log_info("event=%s worker=%u name=%s host=%s pid=%u slots=%u",
                     ch->worker.since_ms == s->now ? "worker_joined" : "worker_offers",
                     ch->worker.id.n, ch->worker.name, ch->worker.host, ch->worker.pid,
                     ch->worker.slots);
        else if (ch->kind == CHG_WORKER_GONE)
            log_info("event=worker_gone worker=%u", ch->worker.id.n);
        else if (ch->kind == CHG_ATTEMPT)
            log_info("event=attempt task=%llu lease=%llu reason=\"%s\" code=%d",
                     (unsigned long long)ch->end.task.n, (unsigned long long)ch->end.lease.n,
                     end_reason_name(ch->end.reason), ch->end.code);
    }
}

static void make_views(struct scheduler *s)
{
    for (size_t i = 0; i < s->n_views; i++) {
        struct study *spec = s->views[i].spec;
        struct view_column factors[FACTORS_MAX], metrics[METRICS_MAX];
        struct fault f;
        for (size_t k = 0; k < study_n_factors(spec); k++)
            factors[k] =
                (struct view_column){ study_factor_name(spec, k), study_factor_numeric(spec, k) };
        for (size_t k = 0; k < study_n_metrics(spec); k++)
            metrics[k] = (struct view_column){ study_metric_name(spec, k), false };
        if (store_views(s->store, s->views[i].study, study_name(spec), factors,
                        study_n_factors(spec), metrics, study_n_metrics(spec), study_reps(spec),
                        &f))
            log_error("event=no_views text=\"%s\"",
                      f.text); /* results are in the tables all the same */
    }
}

static int commit_and_send(struct scheduler *s)
{
    struct fault f;

    uint64_t end_n = store_end_n(s->store);
    if (store_commit(s->store, s->out.changes, s->out.n_changes, &f)) {
        loop_die(s, &f);
        return loop_exit_code(&f);
    }
    log_changes(s);
    make_views(s);
    send_all(s);
    collect_committed(s, end_n);
    blob_committed(s);
    sweep_committed(s);
    outbox_clear(&s->out);
    return s->failed;
}

int loop_commit_and_send(struct scheduler *s)
{
    int code = s->failed ? s->failed : commit_and_send(s);

    loop_turn_end(s);
    return code;
}

bool loop_flush(struct scheduler *s)
{
    if (!s->failed && s->out.n_changes)
        s->failed = commit_and_send(s);
    return !s->failed;
}

/* At most a line a second, however many there are. */
static void log_turned_away(struct scheduler *s)
{
    uint64_t n = link_turned_away(s->link);

    if (n != s->turned_away)
        log_info("event=turned_away connections=%llu", (unsigned long long)(n - s->turned_away));
    s->turned_away = n;
}

static void beat(struct scheduler *s)
{
    struct peer *p, *next;
    struct message m = { .kind = MSG_BEAT };

    s->next_beat_ms = s->now + BEAT_MS;
    log_turned_away(s);
    direct_forget(s->direct, s->now);
    look_idle(s);
    HASH_ITER(hh, s->peers, p, next)
    {
        peer_id id = { p->id };
        if (p->role)
            send_message(s, id, &m);
        else if (s->now - p->since_ms > HELLO_WITHIN_MS)
            link_close_peer(s->link, id);
    }
}

/* Clients hear that this is no loss. When one of them ended the farm its workers end too; after a
 * signal or a crash they wait for the next scheduler. */
static void say_bye(struct scheduler *s)
{
    struct message m = { .kind = MSG_BYE };
    struct peer *p, *next;

    HASH_ITER(hh, s->peers, p, next)
    {
        m.bye.down = p->role == ROLE_CLIENT && s->dismissing;
        if (p->role == ROLE_CLIENT || (p->role == ROLE_WORKER && s->dismissing))
            send_message(s, (peer_id){ p->id }, &m);
    }
    link_flush(s->link);
}

static void read_signals(struct scheduler *s)
{
    struct signalfd_siginfo info;

    while (read(s->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        log_info("event=signal signal=%u", info.ssi_signo);
        s->stopping = true;
    }
}

static void wait_for_news(struct scheduler *s, ms_t within_ms)
{
    ms_t at = core_deadline(s->core);
    struct pollfd fds[3 + LOOKS_MAX] = {
        { .fd = link_fd(s->link), .events = POLLIN },
        { .fd = s->signal_fd, .events = POLLIN },
        { .fd = s->opt->lifeline_fd, .events = POLLIN },
    };

    if (at > s->next_beat_ms)
        at = s->next_beat_ms;
    if (at > control_deadline(s))
        at = control_deadline(s);
    ms_t wait = at - clock_farm_ms();
    if (wait > within_ms)
        wait = within_ms;
    poll(fds, 3 + look_fds(s, fds + 3), wait <= 0 ? 0 : (int)wait);
    if (fds[1].revents)
        read_signals(s);
    if (fds[2].revents & (POLLHUP | POLLIN | POLLERR)) {
        log_info("event=lifeline_ended");
        s->stopping = true;
    }
}

int loop_run(struct scheduler *s)
{
    bool all = true;
    ms_t more_ms = MS_NEVER; /* until those who are behind get their next ends */

    s->now = clock_farm_ms();
    s->next_beat_ms = s->now + BEAT_MS;
    s->since_ms = s->now;
    while (!s->stopping) {
        wait_for_news(s, all ? more_ms : 0);
        s->now = clock_farm_ms();
        all = take(s);
        link_flush(s->link); /* what is queued by now waits for no commit: direct calls */
        if (!calls_places(s))
            return s->failed;
        for (int i = 0; i < TIMEOUTS_TURN_MAX && core_deadline(s->core) <= s->now; i++)
            core_step(s->core, s->now, &(struct event){ .kind = EV_TIMEOUT }, &s->out);
        look_turn(s);
        bool down = control_turn(s);
        int code = loop_commit_and_send(s);
        if (code)
            return code;
        more_ms = collect_step(s);
        if (s->failed)
            return s->failed;
        if (down)
            break;
        if (s->now >= s->next_beat_ms)
            beat(s);
        if (!s->swept)
            sweep_attempts(s);
        link_flush(s->link);
    }
    look_end_all(s);
    say_bye(s);
    return SCHEDULER_OK;
}

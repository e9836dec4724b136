#include "client/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"
#include "client/embed.h"
#include "client/near.h"
#include "farm/connection.h"
#include "proto/wire.h"

static const char program[] = "grange " GRANGE_VERSION;

/* ---- open and close */

enum err session_open(const struct connection *c, unsigned i, struct grange **g, struct fault *f)
{
    struct grange *s = calloc(1, sizeof *s);
    struct epoll_event in = { .events = EPOLLIN };

    must(s != NULL);
    s->link = link_new();
    struct link_credentials with = { c->credential.ca, c->credential.cert, c->credential.key };
    enum err err = link_dial(s->link, c->urls[i], &with, f);
    if (err) {
        link_free(s->link);
        free(s);
        return err;
    }
    near_open(&s->directs, c->urls[i]);
    s->file = c->file ? strdup(c->file) : NULL;
    s->file_mark = c->mark;
    must(getrandom(&s->instance, sizeof s->instance, 0) == sizeof s->instance);
    s->instance |= 1; /* never 0 */
    s->news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    must(s->news_fd >= 0 && s->epoll_fd >= 0);
    must(epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, link_fd(s->link), &in) == 0);
    must(epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->news_fd, &in) == 0);
    s->lost_ms = clock_mono_ms();
    must(pthread_mutex_init(&s->lock, NULL) == 0);
    pump_init(&s->pump);
    calls_init(&s->calls);
    snprintf(s->calls.own_study, sizeof s->calls.own_study, "calls-%016" PRIx64, s->instance);
    *g = s;
    return ERR_NONE;
}

void session_close(struct grange *g)
{
    pump_stop(g);
    calls_finish(g);
    if (g->welcomed)
        session_send(g, &(struct message){ .kind = MSG_BYE });
    link_free(g->link);
    close(g->epoll_fd);
    close(g->news_fd);
    free(g->file);
    for (size_t i = 0; i < g->n_follows; i++)
        free(g->follows[i]);
    calls_fini(&g->calls);
    directs_fini(&g->directs);
    pump_fini(&g->pump);
    pthread_mutex_destroy(&g->lock);
    free(g);
}

/* ---- follows */

struct follow *session_find_follow(const struct grange *g, const char *name)
{
    for (size_t i = 0; i < g->n_follows; i++) {
        if (strcmp(g->follows[i]->progress.name, name) == 0)
            return g->follows[i];
    }
    return NULL;
}

struct follow *session_add_follow(struct grange *g, const char *name)
{
    struct follow *f = session_find_follow(g, name);

    if (f || g->n_follows == FOLLOWS_MAX)
        return f;
    f = calloc(1, sizeof *f);
    must(f != NULL);
    snprintf(f->progress.name, sizeof f->progress.name, "%s", name);
    g->follows[g->n_follows++] = f;
    return f;
}

void session_drop_follow(struct grange *g, const char *name)
{
    for (size_t i = 0; i < g->n_follows; i++) {
        if (strcmp(g->follows[i]->progress.name, name) != 0)
            continue;
        free(g->follows[i]);
        g->n_follows--;
        memmove(&g->follows[i], &g->follows[i + 1], (g->n_follows - i) * sizeof *g->follows);
        return;
    }
}

void session_mark_news(struct grange *g)
{
    uint64_t count = 1;
    bool news = g->lost || g->refused || calls_have_news(&g->calls) || g->directs.n_news > 0;

    for (size_t i = 0; i < g->n_follows; i++)
        news = news || g->follows[i]->news || g->follows[i]->refused;
    if (news == g->news_marked)
        return;
    g->news_marked = news;
    ssize_t n =
        news ? write(g->news_fd, &count, sizeof count) : read(g->news_fd, &count, sizeof count);
    must(n == sizeof count);
}

/* ---- sending */

void session_put(struct grange *g, const struct message *m)
{
    struct buf *frame = link_begin(g->link, g->peer);

    if (!frame)
        return;
    wire_encode(m, frame);
    link_end(g->link);
}

void session_send(struct grange *g, const struct message *m)
{
    session_put(g, m);
    link_flush(g->link);
}

static void say_hello(struct grange *g)
{
    const char *user = getenv("USER");
    char host[NAME_BYTES_MAX + 1] = "", name[NAME_BYTES_MAX + 1];
    struct message m = { .kind = MSG_HELLO };

    if (gethostname(host, sizeof host - 1) != 0)
        host[0] = '\0';
    snprintf(name, sizeof name, "%s", user && *user ? user : "client");
    m.hello.role = ROLE_CLIENT;
    m.hello.version = WIRE_VERSION;
    m.hello.program = program;
    m.hello.instance = g->instance;
    m.hello.name = name;
    m.hello.host = host;
    m.hello.pid = (uint32_t)getpid();
    session_send(g, &m);
}

uint64_t session_number(struct grange *g)
{
    return ++g->number;
}

void session_beat(struct grange *g, ms_t now)
{
    embedded_tend(g->embedded, now);
    if (!g->welcomed || now < g->beat_ms)
        return;
    g->beat_ms = now + BEAT_MS;
    session_send(g, &(struct message){ .kind = MSG_BEAT });
}

/* ---- what arrives */

static struct request *find_request(const struct grange *g, uint64_t number)
{
    struct request *r = g->requests;

    while (r && r->number != number)
        r = r->next;
    return r;
}

static void leave(struct grange *g, ms_t now)
{
    g->lost = g->lost || g->welcomed;
    g->welcomed = false;
    g->peer = (peer_id){ 0 };
    g->lost_ms = now;
    calls_on_loss(g);
    directs_on_loss(g);
}

/* repeat - a new connection hears again what we want: idempotent, so it does not matter what the
 * old one had heard. */
static void repeat(struct grange *g)
{
    struct request *r;

    for (size_t i = 0; i < g->n_follows; i++) {
        struct follow *f = g->follows[i];
        struct message m = { .kind = MSG_FOLLOW };
        if (find_request(g, f->request)) /* grange_follow is waiting for it: sent below */
            continue;
        f->request = ++g->number;
        f->reconnected = g->was_welcomed;
        m.follow.request = f->request;
        m.follow.study = f->progress.name;
        session_send(g, &m);
    }
    for (r = g->requests; r; r = r->next) {
        if (!r->answered)
            link_send(g->link, g->peer, r->bytes.data, r->bytes.n);
    }
    calls_on_welcome(g);
    link_flush(g->link);
}

static void refuse(struct grange *g, enum err code, const char *text)
{
    g->refused = true;
    fault_set(&g->refusal, code, "%s", text);
}

static void on_welcome(struct grange *g, const struct message *m, ms_t now)
{
    if (m->welcome.version != WIRE_VERSION) {
        char text[400];
        snprintf(
            text, sizeof text,
            "the scheduler is %s and speaks version %u of the protocol, this is %s and speaks %d: "
            "use the same grange on both sides",
            *m->welcome.program ? m->welcome.program : "another program", m->welcome.version,
            program, WIRE_VERSION);
        refuse(g, ERR_VERSION, text);
        return;
    }
    g->welcomed = true;
    g->lost = g->bye = g->down = false;
    g->beat_ms = now + BEAT_MS;
    snprintf(g->owner, sizeof g->owner, "%s", m->welcome.owner);
    repeat(g);
    g->was_welcomed = true;
}

static void on_refused(struct grange *g, const struct message *m)
{
    uint64_t request = m->refused.request;
    enum err code = (enum err)m->refused.code;
    struct request *r = find_request(g, request);

    if (request == 0) {
        refuse(g, code, m->refused.text);
    } else if (r) {
        r->answered = true;
        fault_set(&r->fault, code, "%s", m->refused.text);
    } else if (!calls_on_refused(g, request, code, m->refused.text)) {
        for (size_t i = 0; i < g->n_follows; i++) {
            struct follow *f = g->follows[i];
            if (f->request == request) {
                f->refused = true;
                fault_set(&f->fault, code, "%s", m->refused.text);
            }
        }
    }
}

struct grange_counts session_counts(const struct counts *c)
{
    return (struct grange_counts){ .n = c->n,
                                   .ready = c->ready,
                                   .waiting = c->waiting,
                                   .running = c->running,
                                   .done = c->done,
                                   .failed = c->failed,
                                   .cancelled = c->cancelled,
                                   .skipped = c->skipped,
                                   .quarantined = c->quarantined,
                                   .reused = c->reused,
                                   .lost = c->lost,
                                   .blocked = c->blocked,
                                   .unmet = c->unmet,
                                   .warned = c->warned };
}

static void on_submitted(struct grange *g, const struct message *m)
{
    struct request *r = find_request(g, m->submitted.request);

    if (!r)
        return;
    struct grange_submitted *s = &r->submitted;
    r->answered = true;
    snprintf(s->name, sizeof s->name, "%s", m->submitted.study);
    s->study = m->submitted.id.n;
    s->array = m->submitted.array.n;
    s->first_task = m->submitted.first.n;
    s->counts = session_counts(&m->submitted.counts);
    s->template_changed = m->submitted.template_changed;
    struct follow *f = session_find_follow(g, m->submitted.study);
    if (f)
        f->news = false; /* from before this submission: it may say held, or ended */
}

static void on_progress(struct grange *g, const struct message *m)
{
    struct follow *f = session_find_follow(g, m->progress.study);

    if (!f)
        return;
    struct grange_progress *p = &f->progress;
    p->state = (enum grange_study_state)m->progress.state;
    p->counts = session_counts(&m->progress.counts);
    p->n_workers = m->progress.n_workers;
    p->slots = m->progress.slots;
    p->slots_busy = m->progress.slots_busy;
    p->limit_ms = m->progress.limit_ms;
    p->n_running = m->progress.n_running;
    for (size_t i = 0; i < p->n_running; i++)
        p->running[i] = (struct grange_running){ m->progress.running[i].index,
                                                 m->progress.running[i].elapsed_ms,
                                                 m->progress.running[i].share };
    f->news = true;
    struct request *r = find_request(g, f->request);
    if (r)
        r->answered = true;
}

static void on_reply(struct grange *g, const struct message *m)
{
    struct request *r = find_request(g, m->reply.request);

    if (r) {
        r->answered = true;
        r->touched = m->reply.n;
    } else {
        series_on_reply(g, m->reply.request);
    }
}

static void on_frame(struct grange *g, const struct link_event *ev, ms_t now)
{
    struct message m;
    struct fault fault;

    g->heard_ms = now;
    if (wire_decode(ev->data, ev->n, &m, &fault) != ERR_NONE) {
        link_close_peer(g->link, g->peer); /* what speaks there is no scheduler, or is damaged */
        leave(g, now);
        return;
    }
    switch (m.kind) {
    case MSG_WELCOME:
        on_welcome(g, &m, now);
        break;
    case MSG_REFUSED:
        on_refused(g, &m);
        break;
    case MSG_SUBMITTED:
        on_submitted(g, &m);
        break;
    case MSG_PROGRESS:
        on_progress(g, &m);
        break;
    case MSG_BYE:
        g->bye = true;
        g->down = m.bye.down;
        g->down_ms = g->down ? now : g->down_ms;
        break;
    case MSG_REPLY:
        on_reply(g, &m);
        break;
    case MSG_DIRECT_END:
    case MSG_DIRECT_ACK:
        directs_on_message(g, &m);
        break;
    case MSG_FARM:
        directs_on_message(g, &m);
        farm_on_message(g, &m);
        break;
    case MSG_LOOKED:
        look_on_message(g, &m);
        break;
    default:
        calls_on_message(g, &m); /* or a heartbeat, or nothing that is for us */
        break;
    }
    message_fini(&m);
}

/* A scheduler is not blamed for silence while nobody listened: we were stopped, or not called. */
static void excuse(struct grange *g, ms_t now)
{
    if (now - g->turn_ms > 2 * BEAT_MS)
        g->heard_ms = now;
    g->turn_ms = now;
}

/* not_accepted - the handshake failed; who was never welcome need not try again. */
static void not_accepted(struct grange *g)
{
    char why[200];

    link_trouble(g->link, why, sizeof why);
    g->not_accepted = true;
    refuse(g, ERR_PERMISSION, why);
}

bool session_take(struct grange *g, ms_t now)
{
    struct link_event ev;
    bool any = false;

    excuse(g, now);
    while (link_take(g->link, &ev)) {
        any = true;
        if (ev.kind == LINK_UP) {
            g->peer = ev.peer;
            g->heard_ms = now;
            say_hello(g);
        } else if (ev.peer.n != g->peer.n) {
            continue; /* the rest of a connection that we gave up */
        } else if (ev.kind == LINK_FRAME) {
            on_frame(g, &ev, now);
        } else {
            if (ev.reason == ERR_PERMISSION && !g->was_welcomed)
                not_accepted(g);
            leave(g, now);
        }
    }
    if (any)
        calls_flush(g);
    return any;
}

static struct link *link_to(const struct connection *c)
{
    struct link_credentials with = { c->credential.ca, c->credential.cert, c->credential.key };
    struct link *link = link_new();
    struct fault f;

    for (unsigned i = 0; i < c->n_urls; i++) {
        if (link_dial(link, c->urls[i], &with, &f)) {
            link_free(link);
            return NULL;
        }
    }
    return link;
}

void session_refresh(struct grange *g, ms_t now)
{
    struct epoll_event in = { .events = EPOLLIN };
    struct connection c;
    struct fault f;

    if (g->peer.n || !g->file || now < g->look_ms)
        return;
    g->look_ms = now + FILE_LOOK_MS;
    uint64_t mark = connection_mark(g->file);
    if (!mark || mark == g->file_mark)
        return;
    g->file_mark = mark;
    if (connection_read(g->file, CONNECTION_CLIENT, &c, &f))
        return; /* that one will not become better */
    struct link *link = link_to(&c);
    connection_fini(&c);
    if (!link)
        return;
    link_free(g->link);
    g->link = link;
    must(epoll_ctl(g->epoll_fd, EPOLL_CTL_ADD, link_fd(g->link), &in) == 0);
}

bool session_silent(struct grange *g, ms_t now)
{
    if (!g->peer.n || now < g->heard_ms + LOST_AFTER_MS)
        return false;
    link_close_peer(g->link, g->peer); /* and the link dials again */
    leave(g, now);
    g->lost_ms -= PATIENCE_MS; /* who waits has waited long enough */
    return true;
}

ms_t session_due(const struct grange *g, ms_t until)
{
    if (g->welcomed && g->beat_ms < until)
        until = g->beat_ms;
    if (g->embedded && !g->welcomed && g->turn_ms + EMBEDDED_LOOK_MS < until)
        until = g->turn_ms + EMBEDDED_LOOK_MS;
    if (g->file && !g->peer.n && g->look_ms < until)
        until = g->look_ms;
    if (g->peer.n && g->heard_ms + LOST_AFTER_MS < until)
        until = g->heard_ms + LOST_AFTER_MS;
    return until;
}

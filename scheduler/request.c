/* request - a message that came in, as events for the core. What a peer may not say is refused. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/needs.h"
#include "scheduler/calls.h"
#include "scheduler/direct.h"
#include "scheduler/look.h"

void request_refuse(struct scheduler *s, peer_id to, uint64_t request, enum err code,
                    const char *text)
{
    log_info("event=refused peer=%llu code=%d text=\"%s\"", (unsigned long long)to.n, code, text);
    send_message(s, to,
                 &(struct message){
                     .kind = MSG_REFUSED,
                     .refused = { .request = request, .code = (uint32_t)code, .text = text } });
}

static void step(struct scheduler *s, const struct event *ev)
{
    core_step(s->core, s->now, ev, &s->out);
}

void request_step(struct scheduler *s, const struct event *ev)
{
    step(s, ev);
}

/* Leases named by a worker, as the core wants them; valid until the next call. What ran since
 * before 1970 is no time that the store and clients take. */
static const struct event_held *held_events(const struct held_lease *held, size_t n, ms_t now)
{
    static struct event_held *events;
    static size_t cap;

    if (n > cap) {
        cap = 2 * n;
        events = realloc(events, cap * sizeof *events);
        must(events != NULL);
    }
    for (size_t i = 0; i < n; i++)
        events[i] = (struct event_held){ .lease = held[i].lease,
                                         .task = held[i].task,
                                         .finished = held[i].state == HOLD_FINISHED,
                                         .running = held[i].state == HOLD_RUNNING,
                                         .elapsed_ms =
                                             held[i].elapsed_ms < now ? held[i].elapsed_ms : now };
    return events;
}

static void on_worker_hello(struct scheduler *s, peer_id from, const struct message *m)
{
    struct worker_row row = { .instance = m->hello.instance,
                              .pid = m->hello.pid,
                              .slots = m->hello.slots,
                              .memory_mib = m->hello.memory_mib };

    struct buf labels = { 0 };

    snprintf(row.name, sizeof row.name, "%s", m->hello.name);
    snprintf(row.host, sizeof row.host, "%s", m->hello.host);
    row.end_ms = m->hello.end_ms;
    for (size_t i = 0; i < m->hello.n_resources; i++)
        worker_add_resource(&row, m->hello.resources[i].name, m->hello.resources[i].amount);
    for (size_t i = 0; i < m->hello.n_labels; i++)
        labels_add(&labels, m->hello.labels[i]);
    for (size_t i = 0; i < m->hello.n_functions; i++) {
        char label[NAME_BYTES_MAX + 4];
        snprintf(label, sizeof label, "fn:%s", m->hello.functions[i]);
        labels_add(&labels, label);
    }
    row.labels = labels.data;
    step(s, &(struct event){ .kind = EV_HELLO,
                             .from = from,
                             .worker = &row,
                             .held = held_events(m->hello.held, m->hello.n_held, s->now),
                             .n_held = m->hello.n_held });
    buf_fini(&labels);
}

/* Which listener took a connection says what it may be: see scheduler/listen.h. */
static void wrong_role(struct scheduler *s, peer_id from, enum role role)
{
    request_refuse(s, from, 0, ERR_PERMISSION,
                   role == ROLE_CLIENT
                       ? "these are the credentials of a worker: they cannot submit or steer; a "
                         "client needs client.json"
                       : "these are the credentials of a client: they cannot do a worker's part; a "
                         "worker needs worker.json");
    link_close_peer(s->link, from);
}

static void on_hello_message(struct scheduler *s, struct peer *p, const struct message *m)
{
    peer_id from = { p->id };

    if (m->hello.version != WIRE_VERSION) {
        char text[200];
        snprintf(text, sizeof text,
                 "%.60s speaks version %u of the protocol, this scheduler "
                 "(grange " GRANGE_PROGRAM_VERSION ") version %d: upgrade the %s one",
                 m->hello.program, m->hello.version, WIRE_VERSION,
                 m->hello.version < WIRE_VERSION ? "former" : "latter");
        request_refuse(s, from, 0, ERR_VERSION, text);
        link_close_peer(s->link, from);
        return;
    }
    if (!(p->roles & m->hello.role)) {
        wrong_role(s, from, m->hello.role);
        return;
    }
    p->role = m->hello.role;
    if (p->role == ROLE_WORKER) {
        direct_hello(s->direct, from, m->hello.instance, m->hello.name, m->hello.host);
        on_worker_hello(s, from, m);
        return;
    }
    send_message(s, from,
                 &(struct message){ .kind = MSG_WELCOME,
                                    .welcome = { .version = WIRE_VERSION,
                                                 .program = "grange " GRANGE_PROGRAM_VERSION,
                                                 .epoch = s->epoch,
                                                 .owner = s->opt->owner ? s->opt->owner : "" } });
}

static void from_worker(struct scheduler *s, peer_id from, const struct message *m)
{
    if (blob_request(s, from, m))
        return;
    switch (m->kind) {
    case MSG_BEAT:
        told_take(s, m->beat.shares, m->beat.n_shares);
        step(s, &(struct event){ .kind = EV_BEAT,
                                 .from = from,
                                 .held = held_events(m->beat.held, m->beat.n_held, s->now),
                                 .n_held = m->beat.n_held });
        break;
    case MSG_RESULTS:
        for (size_t i = 0; i < m->results.n; i++)
            step(s, &(struct event){ .kind = EV_RESULT, .from = from, .end = &m->results.rows[i] });
        break;
    case MSG_RETURNED: {
        struct event_held *held = calloc(m->returned.n + 1, sizeof *held);
        must(held != NULL);
        for (size_t i = 0; i < m->returned.n; i++)
            held[i].lease = m->returned.leases[i];
        step(s, &(struct event){
                    .kind = EV_RETURNED, .from = from, .held = held, .n_held = m->returned.n });
        free(held);
        break;
    }
    case MSG_ENGINES:
        direct_engines(s->direct, from, m->engines.engines, m->engines.n);
        break;
    case MSG_DIRECT_END:
    case MSG_DIRECT_ACK:
        direct_from_worker(s->direct, from, m);
        break;
    case MSG_DRAIN:
        step(s, &(struct event){ .kind = EV_LEAVING, .from = from });
        break;
    case MSG_BYE:
        step(s, &(struct event){ .kind = EV_BYE, .from = from });
        break;
    default:
        request_refuse(s, from, 0, ERR_MALFORMED, "a worker does not send this");
        link_close_peer(s->link, from);
        break;
    }
}

/* Requests about a study by name: it is loaded first when it is only in the store. */
bool request_load(struct scheduler *s, peer_id from, uint64_t request, const char *name,
                  study_id *id)
{
    struct fault f;

    if (!submit_load(s, name, id, &f))
        return true;
    request_refuse(s, from, request, f.code, f.text);
    return false;
}

static void on_points(struct scheduler *s, peer_id from, const struct message *m)
{
    struct event ev = { .from = from };
    const char *name = m->cancel.study;

    if (m->kind == MSG_CANCEL) {
        ev.kind = EV_CANCEL;
        ev.request = m->cancel.request;
        ev.array_id = m->cancel.array;
        ev.index = m->cancel.index;
        ev.n_index = m->cancel.all ? 0 : m->cancel.n;
        if (!m->cancel.all && !m->cancel.n) {
            request_refuse(s, from, ev.request, ERR_USAGE, "no points named");
            return;
        }
    } else {
        name = m->retry.study;
        ev.kind = EV_RETRY;
        ev.request = m->retry.request;
        ev.array_id = m->retry.array;
        ev.failed = m->retry.failed;
        ev.index = m->retry.index;
        ev.n_index = m->retry.failed ? 0 : m->retry.n;
    }
    if (request_load(s, from, ev.request, name, &ev.study))
        step(s, &ev);
}

static void from_client(struct scheduler *s, peer_id from, const struct message *m)
{
    struct event ev = { .from = from };
    struct fault f;

    if (m->kind == MSG_DIRECT || m->kind == MSG_DIRECT_ACK) {
        direct_from_client(s->direct, from, m);
        return;
    }
    if (calls_request(s, from, m) || blob_request(s, from, m))
        return;
    /* What clients ask reads the store, which must have seen what this turn decided so far. */
    if (m->kind != MSG_BEAT && m->kind != MSG_BYE && !loop_flush(s))
        return;
    switch (m->kind) {
    case MSG_SUBMIT:
        if (m->submit.resume ? submit_resume(s, from, m, &f) : submit_spec(s, from, m, &f))
            request_refuse(s, from, m->submit.request, f.code, f.text);
        break;
    case MSG_HOLD:
        ev.kind = EV_HOLD;
        ev.request = m->hold.request;
        ev.now = m->hold.now;
        if (request_load(s, from, m->hold.request, m->hold.study, &ev.study))
            step(s, &ev);
        break;
    case MSG_CANCEL:
    case MSG_RETRY:
        on_points(s, from, m);
        break;
    case MSG_FOLLOW:
        ev.kind = EV_FOLLOW;
        if (request_load(s, from, m->follow.request, m->follow.study, &ev.study)) {
            step(s, &ev);
            send_message(
                s, from,
                &(struct message){ .kind = MSG_REPLY, .reply = { .request = m->follow.request } });
        }
        break;
    case MSG_CONTROL:
        control_handle(s, from, m);
        break;
    case MSG_WATCH:
        farmstate_send(s, from, m->watch.request);
        break;
    case MSG_LOOK:
        look_request(s, from, m);
        break;
    case MSG_COLLECT:
        collect_request(s, from, m);
        break;
    case MSG_SHUTDOWN:
        log_info("event=shutdown");
        s->stopping = s->dismissing = true;
        break;
    case MSG_BEAT:
    case MSG_BYE:
        break;
    default:
        request_refuse(s, from, 0, ERR_MALFORMED, "a client does not send this");
        link_close_peer(s->link, from);
        break;
    }
}

/* Only peers that came over the socket of the grange directory may show each other files: others
 * could name what is not theirs. */
static void hide_files(const struct peer *p, struct message *m)
{
    if (p->roles & PEER_LOCAL)
        return;
    if (m->kind == MSG_DIRECT) {
        m->direct.machine = 0;
        m->direct.file.path = "";
    } else if (m->kind == MSG_DIRECT_ACK) {
        m->direct_ack.file.path = "";
    } else if (m->kind == MSG_DIRECT_END) {
        m->direct_end.file.path = "";
    }
}

void request_handle(struct scheduler *s, struct peer *p, struct message *m)
{
    peer_id from = { p->id };

    p->left = p->left || m->kind == MSG_BYE;
    hide_files(p, m);
    if (m->kind == MSG_HELLO && !p->role)
        on_hello_message(s, p, m);
    else if (p->role == ROLE_WORKER)
        from_worker(s, from, m);
    else if (p->role == ROLE_CLIENT)
        from_client(s, from, m);
    else {
        request_refuse(s, from, 0, ERR_STATE, "say hello first");
        link_close_peer(s->link, from);
    }
}

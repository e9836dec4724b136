#include "scheduler/direct.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "scheduler/engines.h"

enum { TEXT_MAX = 400 };

/* asker - a client that has tickets. */
struct asker {
    uint64_t peer;
    struct ticket *tickets;
    size_t n_tickets;
    uint64_t bytes; /* sent and neither acknowledged nor ended */
    UT_hash_handle hh;
};

/* ticket - one operation on its way. */
struct ticket {
    uint64_t n; /* ours: what the worker calls it */
    struct key {
        uint64_t client, ticket;
    } key;
    struct asker *asker;
    struct engine *engine;
    uint64_t sent, acked;                   /* of its payload */
    struct ticket *prev, *next;             /* of its engine */
    struct ticket *asker_prev, *asker_next; /* of its client */
    UT_hash_handle hh, hh_key;
};

struct direct {
    direct_send *send;
    void *context;
    struct engines table;
    struct asker *askers;
    struct ticket *tickets, *by_key;
    struct direct_counts counts;
    uint64_t next_ticket;
};

struct direct *direct_new(direct_send *send, void *context)
{
    struct direct *d = calloc(1, sizeof *d);

    must(d != NULL);
    d->send = send;
    d->context = context;
    d->next_ticket = 1;
    return d;
}

struct direct_counts direct_counts(const struct direct *d)
{
    struct direct_counts c = d->counts;

    c.tickets = HASH_COUNT(d->tickets);
    return c;
}

/* ---- tickets */

static struct ticket *ticket_of(const struct direct *d, peer_id client, uint64_t ticket)
{
    struct key key = { client.n, ticket };
    struct ticket *t;

    HASH_FIND(hh_key, d->by_key, &key, sizeof key, t);
    return t;
}

static struct asker *asker_of(struct direct *d, peer_id client)
{
    struct asker *a;

    HASH_FIND(hh, d->askers, &client.n, sizeof client.n, a);
    if (a)
        return a;
    a = calloc(1, sizeof *a);
    must(a != NULL);
    a->peer = client.n;
    HASH_ADD(hh, d->askers, peer, sizeof a->peer, a);
    return a;
}

static struct ticket *ticket_new(struct direct *d, struct asker *a, struct engine *e,
                                 uint64_t number)
{
    struct ticket *t = calloc(1, sizeof *t);

    must(t != NULL);
    t->n = d->next_ticket++;
    t->key = (struct key){ a->peer, number };
    t->asker = a;
    t->engine = e;
    HASH_ADD(hh, d->tickets, n, sizeof t->n, t);
    HASH_ADD(hh_key, d->by_key, key, sizeof t->key, t);
    DL_APPEND(e->tickets, t);
    DL_APPEND2(a->tickets, t, asker_prev, asker_next);
    a->n_tickets++;
    d->counts.started++;
    return t;
}

/* settle - n bytes are no longer on their way. */
static void settle(struct ticket *t, uint64_t n)
{
    t->acked += n;
    t->asker->bytes -= n;
    t->engine->bytes -= n;
}

static void ticket_free(struct direct *d, struct ticket *t)
{
    struct asker *a = t->asker;

    settle(t, t->sent - t->acked);
    HASH_DELETE(hh, d->tickets, t);
    HASH_DELETE(hh_key, d->by_key, t);
    DL_DELETE(t->engine->tickets, t);
    DL_DELETE2(a->tickets, t, asker_prev, asker_next);
    free(t);
    d->counts.ended++;
    if (--a->n_tickets == 0) {
        HASH_DELETE(hh, d->askers, a);
        free(a);
    }
}

/* ---- ends that are ours to say */

static void say_end(struct direct *d, peer_id client, uint64_t ticket, enum end_reason reason,
                    int32_t code, const char *text)
{
    struct message m = { .kind = MSG_DIRECT_END };

    m.direct_end.ticket = ticket;
    m.direct_end.reason = reason;
    m.direct_end.code = code;
    m.direct_end.text = text;
    d->send(d->context, client, &m);
}

__attribute__((format(printf, 5, 6))) static void
refuse(struct direct *d, peer_id client, uint64_t ticket, enum err code, const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    d->counts.refused++;
    say_end(d, client, ticket, END_NOT_STARTED, (int32_t)code, text);
}

/* lose - every ticket of the host's engines ends, in the order in which they came. */
static void lose(struct direct *d, const struct host *h, const char *what)
{
    char text[TEXT_MAX];

    for (size_t i = 0; i < h->n_engines; i++) {
        struct engine *e = h->engines[i];
        while (e && e->tickets) {
            struct ticket *t = e->tickets;
            snprintf(text, sizeof text, "its worker '%s' %s", h->name, what);
            d->counts.lost++;
            say_end(d, (peer_id){ t->key.client }, t->key.ticket, END_LOST, 0, text);
            ticket_free(d, t);
        }
    }
}

/* ---- workers */

static void drop_host(struct direct *d, struct host *h, const char *what)
{
    lose(d, h, what);
    engines_drop_host(&d->table, h);
}

void direct_hello(struct direct *d, peer_id worker, uint64_t instance, const char *name,
                  const char *host)
{
    struct host *h, *next;

    HASH_ITER(hh, d->table.hosts, h, next)
    {
        if (h->instance != instance && strcmp(h->name, name) == 0)
            drop_host(d, h, "was replaced by another process of its name");
    }
    h = engines_host_of(&d->table, instance);
    if (!h)
        h = engines_add_host(&d->table, instance, name, host);
    lose(d, h, "has connected anew"); /* before we saw the end of its old connection */
    engines_connect(&d->table, h, worker);
}

void direct_engines(struct direct *d, peer_id worker, const struct engine_info *engines, size_t n)
{
    struct host *h = engines_host(&d->table, worker);

    for (size_t i = 0; h && i < n; i++)
        engines_tell(&d->table, h, &engines[i]);
}

/* ---- what clients say */

static void pass_to_worker(struct direct *d, const struct ticket *t, const struct message *m)
{
    struct message out = *m;

    if (m->kind == MSG_DIRECT) {
        out.direct.ticket = t->n;
        out.direct.engine = t->engine->slot;
    } else {
        out.direct_ack.ticket = t->n;
    }
    out.arena = NULL;
    d->send(d->context, (peer_id){ t->engine->host->peer }, &out);
}

static bool over_limit(const struct asker *a, const struct engine *e, uint64_t more)
{
    return a->bytes + more > DIRECT_BYTES_MAX || e->bytes + more > DIRECT_ENGINE_BYTES_MAX;
}

static void count_sent(struct ticket *t, uint64_t n)
{
    t->sent += n;
    t->asker->bytes += n;
    t->engine->bytes += n;
}

static void refuse_engine(struct direct *d, peer_id client, const struct message *m)
{
    uint64_t ticket = m->direct.ticket, id = m->direct.engine;

    if (id < d->table.next_id)
        refuse(d, client, ticket, ERR_NOT_FOUND, "it is gone, and its worker with it");
    else
        refuse(d, client, ticket, ERR_NOT_FOUND,
               "there is no such engine; %zu are there: 'grange workers' lists them",
               (size_t)HASH_COUNT(d->table.by_id));
}

static void begin(struct direct *d, peer_id client, const struct message *m)
{
    uint64_t ticket = m->direct.ticket;
    struct engine *e = engines_find(&d->table, m->direct.engine);

    if (!e) {
        refuse_engine(d, client, m);
        return;
    }
    if (!e->host->peer) {
        refuse(d, client, ticket, ERR_LOST, "its worker '%s' is away", e->host->name);
        return;
    }
    if (m->direct.total > BLOB_BYTES_MAX) {
        refuse(d, client, ticket, ERR_LIMIT, "%llu bytes; the limit is 1 GiB",
               (unsigned long long)m->direct.total);
        return;
    }
    struct asker *a = asker_of(d, client);
    bool many = a->n_tickets >= DIRECT_TICKETS_MAX;
    if (many || over_limit(a, e, m->direct.data_bytes)) {
        refuse(d, client, ticket, ERR_LIMIT,
               many ? "%zu operations of this client are on their way; that is the limit"
                    : "too many bytes are on their way, of %zu operations: wait for some to end",
               a->n_tickets);
        if (!a->n_tickets) {
            HASH_DELETE(hh, d->askers, a);
            free(a);
        }
        return;
    }
    struct ticket *t = ticket_new(d, a, e, ticket);
    count_sent(t, m->direct.data_bytes);
    pass_to_worker(d, t, m);
}

static void cancel(struct direct *d, const struct ticket *t)
{
    struct message m = { .kind = MSG_DIRECT };

    m.direct.op = DIRECT_CANCEL;
    m.direct.name = "";
    pass_to_worker(d, t, &m);
}

/* go_on - a further part. Who sends more than its credit has a broken library: its call ends. */
static void go_on(struct direct *d, struct ticket *t, const struct message *m)
{
    uint64_t n = m->direct.data_bytes;

    if (t->sent - t->acked + n > DIRECT_WINDOW_BYTES + BLOB_PART_BYTES ||
        over_limit(t->asker, t->engine, n)) {
        cancel(d, t);
        refuse(d, (peer_id){ t->key.client }, t->key.ticket, ERR_LIMIT,
               "more bytes than were acknowledged room for");
        ticket_free(d, t);
        return;
    }
    count_sent(t, n);
    pass_to_worker(d, t, m);
}

void direct_from_client(struct direct *d, peer_id client, const struct message *m)
{
    bool ack = m->kind == MSG_DIRECT_ACK;
    struct ticket *t = ticket_of(d, client, ack ? m->direct_ack.ticket : m->direct.ticket);

    if (ack || m->direct.op == DIRECT_CANCEL) {
        if (t) /* else it has ended meanwhile */
            pass_to_worker(d, t, m);
    } else if (t && *m->direct.name) {
        refuse(d, client, m->direct.ticket, ERR_EXISTS, "this ticket is in use");
    } else if (t) {
        go_on(d, t, m);
    } else if (*m->direct.name) {
        begin(d, client, m);
    } /* else a part of one that has ended */
}

/* ---- what workers say */

void direct_from_worker(struct direct *d, peer_id worker, const struct message *m)
{
    bool ack = m->kind == MSG_DIRECT_ACK;
    uint64_t number = ack ? m->direct_ack.ticket : m->direct_end.ticket;
    struct message out = *m;
    struct ticket *t;

    HASH_FIND(hh, d->tickets, &number, sizeof number, t);
    if (!t || t->engine->host->peer != worker.n)
        return;
    out.arena = NULL;
    if (ack) {
        if (m->direct_ack.bytes > t->acked && m->direct_ack.bytes <= t->sent)
            settle(t, m->direct_ack.bytes - t->acked);
        out.direct_ack.ticket = t->key.ticket;
    } else {
        out.direct_end.ticket = t->key.ticket;
    }
    d->send(d->context, (peer_id){ t->key.client }, &out);
    if (!ack && !m->direct_end.more)
        ticket_free(d, t);
}

/* ---- ends of connections */

static void client_gone(struct direct *d, peer_id client)
{
    struct asker *a;

    HASH_FIND(hh, d->askers, &client.n, sizeof client.n, a);
    for (struct ticket *t = a ? a->tickets : NULL, *next; t; t = next) {
        next = t->asker_next; /* the last one takes its client along */
        cancel(d, t);
        ticket_free(d, t);
    }
}

void direct_gone(struct direct *d, peer_id peer, bool took_leave, ms_t now)
{
    struct host *h = engines_host(&d->table, peer);

    if (!h) {
        client_gone(d, peer);
    } else if (took_leave) {
        drop_host(d, h, "has left");
    } else {
        lose(d, h, "was lost");
        h->away_ms = now;
        engines_connect(&d->table, h, (peer_id){ 0 });
    }
}

void direct_forget(struct direct *d, ms_t now)
{
    struct host *h, *next;

    HASH_ITER(hh, d->table.hosts, h, next)
    {
        if (!h->peer && now - h->away_ms >= ORPHAN_AFTER_MS)
            drop_host(d, h, "was lost");
    }
}

/* ---- telling of engines */

static int by_id(const void *a, const void *b)
{
    const struct direct_engine *x = a, *y = b;

    return (x->info.engine > y->info.engine) - (x->info.engine < y->info.engine);
}

size_t direct_list(const struct direct *d, struct direct_engine *list, size_t cap)
{
    size_t n = 0;

    for (const struct engine *e = d->table.by_id; e; e = e->hh.next) {
        if (!e->host->peer)
            continue;
        if (n < cap)
            list[n] = (struct direct_engine){
                .info = { .slot = e->slot,
                          .pid = e->pid,
                          .restarts = e->restarts,
                          .state = e->state,
                          .reason = e->reason,
                          .functions = e->functions,
                          .engine = e->id },
                .worker = { e->host->peer },
                .worker_name = e->host->name,
                .host = e->host->host,
            };
        n++;
    }
    if (cap)
        qsort(list, n < cap ? n : cap, sizeof *list, by_id);
    return n;
}

void direct_free(struct direct *d)
{
    struct ticket *t, *next;

    if (!d)
        return;
    HASH_ITER(hh, d->tickets, t, next)
    {
        ticket_free(d, t);
    }
    engines_fini(&d->table);
    free(d);
}

/* deeds - does what the agent decided. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/must.h"
#include "proto/wire.h"
#include "worker/crew.h"

enum {
    RESULTS_BYTES = 4 << 20,       /* of one message of results, if there is more than one in it */
    RESULTS_TURN_BYTES = 32 << 20, /* sent in a turn: between them comes what arrived */
    RESULTS_OUT_BYTES = 64 << 20,  /* sent and not acknowledged; well below LINK_QUEUE_BYTES_MAX */
    HELD_SHOWN_MS = 500
};

void worker_send(struct worker *w, const struct message *m)
{
    struct buf *frame = w->peer.n ? link_begin(w->link, w->peer) : NULL;

    if (!frame)
        return;
    wire_encode(m, frame);
    link_end(w->link);
}

/* --- what it still has --- */

static enum hold_state hold_state(enum agent_lease_state state)
{
    return state == LEASE_QUEUED     ? HOLD_QUEUED
           : state == LEASE_FINISHED ? HOLD_FINISHED
                                     : HOLD_RUNNING;
}

/* held_leases - all of them, or only those that run for long; malloc'd. */
static struct held_lease *held_leases(struct worker *w, bool all, size_t *n)
{
    size_t have = agent_held(w->agent, w->now, w->held, w->held_cap);
    struct held_lease *to = malloc((have + 1) * sizeof *to);

    must(to != NULL && have <= w->held_cap);
    *n = 0;
    for (size_t i = 0; i < have; i++) {
        const struct agent_held *h = &w->held[i];
        bool runs_long = h->state != LEASE_FINISHED && h->elapsed_ms >= HELD_SHOWN_MS;
        if (all || runs_long)
            to[(*n)++] =
                (struct held_lease){ h->lease, h->task, hold_state(h->state), h->elapsed_ms };
    }
    return to;
}

static void send_hello(struct worker *w)
{
    struct message m = { .kind = MSG_HELLO };
    struct held_lease *held = held_leases(w, true, &m.hello.n_held);

    m.hello.role = ROLE_WORKER;
    m.hello.version = WIRE_VERSION;
    m.hello.program = WORKER_PROGRAM;
    m.hello.instance = w->instance;
    m.hello.name = w->name;
    m.hello.host = w->host;
    m.hello.pid = (uint32_t)getpid();
    m.hello.slots = w->n_slots;
    m.hello.memory_mib = w->memory_mib;
    m.hello.held = held;
    m.hello.labels = w->offer.labels;
    m.hello.n_labels = w->offer.n_labels;
    m.hello.resources = w->offer.resources;
    m.hello.n_resources = w->offer.n_resources;
    m.hello.end_ms = w->opt->end_ms;
    const char **functions = crew_functions(w, &m.hello.n_functions);
    m.hello.functions = functions;
    worker_send(w, &m);
    free(functions);
    free(held);
}

static void send_beat(struct worker *w)
{
    struct message m = { .kind = MSG_BEAT };
    struct held_lease *held = held_leases(w, false, &m.beat.n_held);

    m.beat.held = held;
    worker_send(w, &m);
    free(held);
}

/* --- results --- */

static size_t row_bytes(const struct attempt *a)
{
    return (size_t)a->body.out_bytes + a->body.err_bytes + a->text_bytes + RESULT_ROW_BYTES;
}

static void send_rows(struct worker *w, const struct end_row *rows, size_t n)
{
    if (n)
        worker_send(w, &(struct message){ .kind = MSG_RESULTS, .results = { rows, n } });
}

/* count_out - what is on its way counts until it is acknowledged or the connection ends. */
static void count_out(struct worker *w, struct sent *sent, size_t bytes)
{
    if (sent->to.n == w->peer.n)
        w->bytes_out -= sent->bytes;
    *sent = (struct sent){ w->peer, bytes };
    w->bytes_out += bytes;
}

struct batch { /* of results, for one message */
    struct end_row *rows;
    struct end_body *bodies;
    size_t n, bytes;
};

/* add_result - of an attempt or a call; what it takes, 0: it is not here any more. */
static size_t add_result(struct worker *w, struct batch *b, lease_id lease)
{
    struct call *c = crew_find(w, lease);
    struct attempt *a = c ? NULL : worker_attempt(w, lease);
    size_t bytes = 0;

    if (a) {
        attempt_conclude(a, &w->place);
        if (!streams_sent(w, a))
            return 0;
        bytes = row_bytes(a);
    } else if (c && !parcel_sent(w, c)) {
        return 0;
    } else if (c) {
        bytes = call_row_bytes(c);
    } else {
        return 0;
    }
    if (b->bytes + bytes > RESULTS_BYTES) {
        send_rows(w, b->rows, b->n);
        b->n = b->bytes = 0;
    }
    if (a)
        b->rows[b->n] = a->row;
    else
        call_row(c, &b->rows[b->n], &b->bodies[b->n]);
    b->n++;
    b->bytes += bytes;
    count_out(w, a ? &a->sent : &c->sent, bytes);
    return bytes;
}

/* send_results - as much as may be on its way; the rest stays in w->results for the turns to come.
 */
static void send_results(struct worker *w)
{
    struct leases *results = &w->results;
    struct batch b = { 0 };
    size_t turn = 0, i, all = results->n; /* more may come to it in between */

    if (!all)
        return;
    b.rows = malloc(all * sizeof *b.rows);
    b.bodies = malloc(all * sizeof *b.bodies);
    must(b.rows != NULL && b.bodies != NULL);
    for (i = 0; i < all && turn < RESULTS_TURN_BYTES && w->bytes_out < RESULTS_OUT_BYTES; i++)
        turn += add_result(w, &b, results->ids[i]);
    send_rows(w, b.rows, b.n);
    free(b.rows);
    free(b.bodies);
    memmove(results->ids, results->ids + i, (results->n - i) * sizeof *results->ids);
    results->n -= i;
}

bool deeds_more(const struct worker *w)
{
    return w->results.n && w->bytes_out < RESULTS_OUT_BYTES;
}

void deeds_send(struct worker *w)
{
    for (size_t i = 0; i < w->ended.n; i++) {
        struct attempt *a = worker_attempt(w, w->ended.ids[i]);
        if (a)
            attempt_conclude(a, &w->place);
    }
    w->ended.n = 0;
    if (w->returned.n)
        worker_send(w, &(struct message){ .kind = MSG_RETURNED,
                                          .returned = { w->returned.ids, w->returned.n } });
    w->returned.n = 0;
    send_results(w);
}

/* --- acts --- */

static struct slot *free_slot(struct worker *w)
{
    for (uint32_t i = 0; i < w->n_slots; i++)
        if (!w->slots[i].attempt)
            return &w->slots[i];
    must(!"a slot is free when the agent starts a lease");
    return NULL;
}

static uint64_t pipe_tag(const struct worker *w, const struct slot *slot, bool is_err)
{
    uint64_t index = (uint64_t)(slot - w->slots);

    return (uint64_t)SOURCE_PIPE << 56 | index << 33 | (uint64_t)is_err << 32 | slot->generation;
}

static void spawn(struct worker *w, const struct act *act)
{
    struct payload *p = payloads_find(w->payloads, act->array);
    must(p != NULL); /* assign checked it and payloads_trim spares it */
    struct attempt *a = attempt_new(act->lease, act->task, p, order_take(w, act->lease));
    a->again = act->again;
    struct known *k = calloc(1, sizeof *k);
    struct slot *slot = free_slot(w);

    must(k != NULL);
    k->attempt = a;
    k->lease = act->lease;
    HASH_ADD(hh, w->attempts, lease, sizeof k->lease, k);
    slot->generation++;
    if (attempt_start(a, &w->place, pipe_tag(w, slot, false), pipe_tag(w, slot, true))) {
        slot->attempt = a;
        a->slot = (uint32_t)(slot - w->slots);
        worker_feed(w, &(struct agent_event){ .kind = AGENT_STARTED, .lease = act->lease });
        return;
    }
    if (a->note)
        log_debug("event=not-started lease=%llx why=\"%s\"", (unsigned long long)act->lease.n,
                  a->note);
    leases_add(&w->ended, act->lease);
    worker_feed(w, &(struct agent_event){ .kind = AGENT_EXITED, .lease = act->lease });
}

static void settle(struct worker *w, lease_id lease, bool dropped)
{
    struct known *k;
    struct call *c = crew_find(w, lease);

    order_drop(w, lease);
    if (c) {
        count_out(w, &c->sent, 0);
        crew_forget(w, lease);
        return;
    }

    HASH_FIND(hh, w->attempts, &lease, sizeof lease, k);
    if (!k)
        return;
    attempt_conclude(k->attempt, &w->place);
    count_out(w, &k->attempt->sent, 0);
    streams_drop(w, k->attempt);
    attempt_settle(k->attempt, dropped);
    attempt_free(k->attempt);
    HASH_DEL(w->attempts, k);
    free(k);
}

static void end_connection(struct worker *w)
{
    log_error("event=silent peer=scheduler");
    link_close_peer(w->link, w->peer);
}

static void leave(struct worker *w)
{
    if (!w->draining)
        log_error("event=orphan at=\"%s\" text=\"no scheduler for %lld s; ending\"", w->opt->url,
                  (long long)clock_patience_ms(ORPHAN_AFTER_MS) / 1000);
    worker_end(w, w->draining ? WORKER_OK : WORKER_ORPHAN);
}

static void deed(struct worker *w, const struct act *act)
{
    struct attempt *a;

    if (act->call && (act->kind == ACT_TERM || act->kind == ACT_KILL)) {
        crew_do(w, act);
        return;
    }
    switch (act->kind) {
    case ACT_HELLO:
        send_hello(w);
        break;
    case ACT_BEAT:
        send_beat(w);
        break;
    case ACT_SPAWN:
        spawn(w, act);
        break;
    case ACT_TERM:
        a = worker_attempt(w, act->lease);
        if (a)
            attempt_stop(a, act->why, act->limit_ms);
        break;
    case ACT_KILL:
        a = worker_attempt(w, act->lease);
        if (a)
            run_signal(&a->run, SIGKILL);
        break;
    case ACT_RESULT:
        leases_add(&w->results, act->lease);
        break;
    case ACT_RETURN:
        crew_forget(w, act->lease);
        order_drop(w, act->lease);
        if (w->welcomed)
            leases_add(&w->returned, act->lease);
        break;
    case ACT_FORGET:
        settle(w, act->lease, false);
        break;
    case ACT_DROP:
        settle(w, act->lease, true);
        break;
    case ACT_DRAINING:
        worker_send(w,
                    &(struct message){ .kind = MSG_DRAIN, .drain = { .grace_ms = act->limit_ms } });
        break;
    case ACT_HANG_UP:
        end_connection(w);
        break;
    case ACT_BYE:
        deeds_send(w);
        worker_send(w, &(struct message){ .kind = MSG_BYE });
        break;
    case ACT_CALL:
    case ACT_WITHDRAW:
    case ACT_DIRECT_END:
        crew_do(w, act);
        break;
    case ACT_ENGINE_START:
        crew_start_engine(w, act->engine);
        break;
    case ACT_ENGINE_KILL:
        crew_kill_engine(w, act->engine);
        break;
    case ACT_EXIT:
        leave(w);
        break;
    }
}

void deeds_do(struct worker *w)
{
    /* What is done feeds the agent, which may answer with more: `acts` grows while we go. */
    for (size_t i = 0; i < w->acts.n; i++) {
        struct act act = w->acts.items[i];
        deed(w, &act);
    }
    w->acts.n = 0;
}

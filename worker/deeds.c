/* deeds - does what the agent decided. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/must.h"
#include "proto/wire.h"
#include "worker/loop.h"

enum {
    RESULTS_BYTES = 4 << 20,       /* of one message of results, if there is more than one in it */
    RESULTS_TURN_BYTES = 32 << 20, /* sent in a turn: between them comes what arrived */
    RESULTS_OUT_BYTES = 64 << 20,  /* sent and not acknowledged; well below LINK_QUEUE_BYTES_MAX */
    RESULT_ROW_BYTES = 512, /* of one result, besides its texts and output: more than it takes */
    HELD_SHOWN_MS = 500
};

static void send(struct worker *w, const struct message *m)
{
    if (!w->peer.n)
        return;
    buf_clear(&w->frame);
    wire_encode(m, &w->frame);
    link_send(w->link, w->peer, w->frame.data, w->frame.n);
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
    send(w, &m);
    free(held);
}

static void send_beat(struct worker *w)
{
    struct message m = { .kind = MSG_BEAT };
    struct held_lease *held = held_leases(w, false, &m.beat.n_held);

    m.beat.held = held;
    send(w, &m);
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
        send(w, &(struct message){ .kind = MSG_RESULTS, .results = { rows, n } });
}

/* count_out - what is on its way counts until it is acknowledged or the connection ends. */
static void count_out(struct worker *w, struct attempt *a, size_t bytes)
{
    if (a->sent_to.n == w->peer.n && a->sent_bytes)
        w->bytes_out -= a->sent_bytes;
    a->sent_to = w->peer;
    a->sent_bytes = bytes;
    w->bytes_out += bytes;
}

/* send_results - as much as may be on its way; the rest stays in w->results for the turns to come.
 */
static void send_results(struct worker *w)
{
    struct end_row *rows = w->results.n ? malloc(w->results.n * sizeof *rows) : NULL;
    size_t n = 0, bytes = 0, turn = 0, i;

    for (i = 0; i < w->results.n && turn < RESULTS_TURN_BYTES && w->bytes_out < RESULTS_OUT_BYTES;
         i++) {
        struct attempt *a = worker_attempt(w, w->results.ids[i]);
        if (!a)
            continue;
        attempt_conclude(a, &w->place);
        size_t next = row_bytes(a);
        if (bytes + next > RESULTS_BYTES) {
            send_rows(w, rows, n);
            n = bytes = 0;
        }
        rows[n++] = a->row;
        bytes += next;
        turn += next;
        count_out(w, a, next);
    }
    send_rows(w, rows, n);
    free(rows);
    if (i)
        memmove(w->results.ids, w->results.ids + i, (w->results.n - i) * sizeof *w->results.ids);
    w->results.n -= i;
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
        send(w, &(struct message){ .kind = MSG_RETURNED,
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
    struct attempt *a = attempt_new(act->lease, act->task, p);
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

    HASH_FIND(hh, w->attempts, &lease, sizeof lease, k);
    if (!k)
        return;
    attempt_conclude(k->attempt, &w->place);
    count_out(w, k->attempt, 0);
    attempt_settle(k->attempt, &w->place, dropped);
    attempt_free(k->attempt);
    HASH_DEL(w->attempts, k);
    free(k);
}

static void end_connection(struct worker *w)
{
    log_error("event=silent peer=scheduler");
    link_close_peer(w->link, w->peer);
}

static void deed(struct worker *w, const struct act *act)
{
    struct attempt *a = worker_attempt(w, act->lease);

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
        if (a)
            attempt_stop(a, act->why, act->limit_ms);
        break;
    case ACT_KILL:
        if (a)
            run_signal(&a->run, SIGKILL);
        break;
    case ACT_RESULT:
        leases_add(&w->results, act->lease);
        break;
    case ACT_RETURN:
        leases_add(&w->returned, act->lease);
        break;
    case ACT_FORGET:
        settle(w, act->lease, false);
        break;
    case ACT_DROP:
        settle(w, act->lease, true);
        break;
    case ACT_DRAINING:
        break;
    case ACT_HANG_UP:
        end_connection(w);
        break;
    case ACT_BYE:
        deeds_send(w);
        send(w, &(struct message){ .kind = MSG_BYE });
        break;
    case ACT_CALL:
    case ACT_WITHDRAW:
    case ACT_DIRECT_END:
    case ACT_ENGINE_START:
    case ACT_ENGINE_KILL:
        break;
    case ACT_EXIT:
        worker_end(w, w->draining ? WORKER_OK : WORKER_ORPHAN);
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

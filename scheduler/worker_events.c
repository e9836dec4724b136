/* worker_events - what workers say: hello, beats, work given back, bye. */

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/err.h"
#include "base/must.h"
#include "scheduler/state.h"

static struct worker *known_instance(const struct core *c, uint64_t instance)
{
    for (size_t i = 0; i < c->n_workers; i++)
        if (c->workers[i]->row.instance == instance)
            return c->workers[i];
    return NULL;
}

/* Another process under the name of one that is away has replaced it: what that one held is lost
 * now. */
static void lose_replaced(struct core *c, const struct worker_row *row, struct outbox *out)
{
    for (size_t i = 0; i < c->n_workers;) {
        struct worker *w = c->workers[i];
        if (w->link == WORKER_AWAY && w->row.instance != row->instance &&
            strcmp(w->row.name, row->name) == 0)
            pool_lose(c, w, !w->awaited, out);
        else
            i++;
    }
}

static void note_elapsed(struct core *c, struct lease *l, ms_t elapsed_ms, struct outbox *out)
{
    if (!l->started_ms || l->started_ms > c->now) /* by a clock that was set back since */
        l->started_ms = c->now - elapsed_ms;
    if ((uint64_t)elapsed_ms * 1000 > l->charged_us)
        share_measured(c, l, (uint64_t)elapsed_ms * 1000);
    if (elapsed_ms > c->cfg.prefetch_ms)
        room_mark_long(l);
    speculate_wake(c, l);
    if (elapsed_ms >= DURABLE_LEASE_MS)
        lease_make_durable(l, out);
    l->array->study->progress_dirty = true;
}

/* One lease that a worker says it holds: kept, adopted, or to be given up. Returns the lease when
 * it is kept. */
static struct lease *claim(struct core *c, struct worker *w, const struct event_held *h,
                           struct outbox *out)
{
    struct lease *l = lease_find(c, h->lease);

    if (l)
        return l->worker == w && l->task.n == h->task.n ? l : NULL;
    struct array *a = array_of_task(c, h->task);
    if (!a || h->lease.n >= lease_make(c->cfg.epoch, c->next_sequence).n)
        return NULL; /* one that was never given out: another store's */
    enum task_state state = array_state(a, h->task);
    struct trouble *t = trouble_find(c, h->task);
    if (state != TASK_READY && state != TASK_WAITING && state != TASK_BLOCKED) {
        bool won = !t || !t->last.n || t->last.n == h->lease.n; /* as far as is known */
        if (task_state_ended(state) && h->finished && won)
            out_grant(out, out_send(out, SEND_ACK, w->peer), h->lease, h->task);
        return NULL;
    }
    if (t && h->lease.n <= t->last.n)
        return NULL; /* its result has counted and only the ack was lost, or a later lease's has */
    l = lease_adopt(c, w, a, h->task, h->lease);
    l->claimed = true;
    /* reconcile says so to the worker */
    l->revoked = a->retired || (a->study->mode == MODE_HALTED &&
                                (a->row.policy.halt_when == HALT_NOW || !h->running));
    return l;
}

/* After hello the two agree: what the worker named is leased to it, what it did not name is ready.
 */
static void reconcile(struct core *c, struct worker *w, const struct event *ev, struct outbox *out)
{
    struct lease *l, *next;

    DL_FOREACH(w->leases, l)
    l->named = false;
    for (size_t i = 0; i < ev->n_held; i++) {
        const struct event_held *h = &ev->held[i];
        size_t acked = out->n_sends;
        l = claim(c, w, h, out);
        if (l) {
            l->named = true;
            if (h->finished)
                room_finished(c, l);
            else if (h->running)
                note_elapsed(c, l, h->elapsed_ms, out);
        } else if (out->n_sends == acked) {
            out_grant(out, out_send(out, SEND_REVOKE, w->peer), h->lease, h->task);
        }
    }
    DL_FOREACH_SAFE(w->leases, l, next)
    if (!l->named) { /* its assign was lost with the connection, or its return or result was */
        result_stopped(c, l, out);
        lease_end(c, l, out);
    }
    DL_FOREACH(w->leases, l)
    if (l->revoked) { /* it may not have heard */
        l->revoked = false;
        lease_revoke(c, l, out);
    }
}

static void tell_drain(struct core *c, struct worker *w, struct outbox *out)
{
    struct send *s = out_send(out, SEND_DRAIN, w->peer);

    s->limit_ms = w->leave_by == MS_NEVER ? MS_NEVER
                  : w->leave_by > c->now  ? w->leave_by - c->now
                                          : 0;
}

void on_hello(struct core *c, const struct event *ev, struct outbox *out)
{
    struct worker *w = known_instance(c, ev->worker->instance);

    if (pool_by_peer(c, ev->from)) {
        out_refuse(out, ev, ERR_STATE, "this connection has said hello already");
        return;
    }
    if (!w && c->n_workers >= WORKERS_MAX) {
        out_refuse(out, ev, ERR_LIMIT, "too many workers are connected (WORKERS_MAX)");
        return;
    }
    lose_replaced(c, ev->worker, out);
    w = known_instance(c, ev->worker->instance);
    if (w && w->link == WORKER_UP)
        out_send(out, SEND_CLOSE, w->peer); /* it came back before we noticed that it had gone */
    bool joins = !w;
    if (joins) {
        w = pool_add(c, ev->worker);
        w->row.id = (worker_id){ c->next_worker++ };
        w->row.since_ms = c->now;
        pool_recall_leaver(c, w);
    }
    if (room_offer(c, w, ev->worker) || joins)
        out_change(out, CHG_WORKER)->worker = w->row;
    pool_up(c, w, ev->from);
    w->awaited = false;
    w->heard_ms = c->now;
    w->recall_until = 0;
    out_send(out, SEND_WELCOME, ev->from)->worker = w->row.id;
    reconcile(c, w, ev, out);
    if (w->asked_to_leave)
        tell_drain(c, w, out);
    room_grew(c, w);
}

void on_beat(struct core *c, const struct event *ev, struct outbox *out)
{
    struct worker *w = pool_by_peer(c, ev->from);

    if (!w)
        return;
    w->heard_ms = c->now;
    for (size_t i = 0; i < ev->n_held; i++) {
        struct lease *l = lease_find(c, ev->held[i].lease);
        if (l && l->worker == w)
            note_elapsed(c, l, ev->held[i].elapsed_ms, out);
    }
}

void on_returned(struct core *c, const struct event *ev, struct outbox *out)
{
    struct worker *w = pool_by_peer(c, ev->from);

    if (!w)
        return;
    w->heard_ms = c->now;
    w->recall_until = 0;
    for (size_t i = 0; i < ev->n_held; i++) {
        struct lease *l = lease_find(c, ev->held[i].lease);
        if (!l || l->worker != w)
            continue;
        result_stopped(c, l, out);
        lease_end(c, l, out);
    }
}

void on_bye(struct core *c, const struct event *ev, struct outbox *out)
{
    struct worker *w = pool_by_peer(c, ev->from);

    if (!w)
        return;
    w->asked_to_leave = false; /* it has: nothing to remember */
    pool_lose(c, w, false, out);
}

/* A person wants it to go: the worker gives back what has not started, lets what runs finish within
 * the grace, stops the rest and says bye. One that is away hears it after its hello. */
static void drain(struct core *c, const struct event *ev, struct outbox *out)
{
    struct worker *w = pool_by_id(c, ev->worker_id);

    if (!w) {
        out_refuse(out, ev, ERR_NOT_FOUND, "no such worker is connected");
        return;
    }
    w->leaving = w->asked_to_leave = true;
    follow_release(c, w);
    w->leave_by = ev->grace_ms >= MS_NEVER - c->now ? MS_NEVER : c->now + ev->grace_ms;
    room_close(c, w);
    if (w->link == WORKER_UP)
        tell_drain(c, w, out);
    core_reply(out, ev->from, ev->request, w->n_leases);
}

void on_drain(struct core *c, const struct event *ev, struct outbox *out)
{
    if (ev->kind == EV_DRAIN) {
        drain(c, ev, out);
        return;
    }
    struct worker *w = pool_by_peer(c, ev->from);
    if (!w)
        return;
    w->heard_ms = c->now;
    w->leaving = true;
    room_close(c, w);
    follow_release(c, w);
}

void on_known_worker(struct core *c, const struct event *ev)
{
    if (known_instance(c, ev->worker->instance) || pool_by_id(c, ev->worker->id))
        return;
    struct worker *w = pool_add(c, ev->worker);
    w->link = WORKER_AWAY;
    w->awaited = true;
    w->deadline_ms = c->now + c->cfg.adopt_ms;
    pool_due(c, w->deadline_ms);
}

void on_running(struct core *c, const struct event *ev, struct outbox *out)
{
    struct worker *w = pool_by_id(c, ev->worker_id);
    struct array *a = array_of_task(c, ev->task);

    if (lease_find(c, ev->lease))
        return;
    enum task_state state = a ? array_state(a, ev->task) : TASK_DONE;
    if (!w || (state != TASK_READY && state != TASK_WAITING && state != TASK_BLOCKED)) {
        out_change(out, CHG_STOPPED)->end.lease = ev->lease;
        return;
    }
    struct lease *l = lease_adopt(c, w, a, ev->task, ev->lease);
    l->durable = l->claimed = true;
    l->started_ms = ev->started_ms;
    l->revoked = a->study->mode == MODE_HALTED && a->row.policy.halt_when == HALT_NOW;
}

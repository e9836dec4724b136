/* result - how a lease ends, and what becomes of its task. */

#include <string.h>

#include "base/must.h"
#include "scheduler/state.h"

static void end_task(struct core *c, struct lease *l, const struct end_row *from,
                     enum task_state state, enum end_reason reason, struct outbox *out)
{
    struct array *a = l->array;
    struct trouble *t = trouble_find(c, l->task);
    struct change *ch = out_change(out, CHG_END);

    if (from)
        ch->end = *from;
    ch->end.task = l->task;
    ch->end.lease = l->id;
    ch->end.worker = l->worker->row.id;
    ch->end.state = state;
    ch->end.reason = reason;
    ch->end.attempts = 1 + (t ? t->failures : 0);
    ch->end.counted = true;
    if (t)
        trouble_counted(t, l->id); /* a zombie's late result is told from a repeated one by this */
    array_end(c, a, l->task, state, l->worker->row.id, (task_id){ 0 });
    a->new_ended++;
}

/* keep_attempt - an end of a lease that is not the end of its task: durable, and with it that the
 * task was begun. */
static struct change *keep_attempt(struct core *c, struct lease *l, const struct end_row *from,
                                   enum task_state state, enum end_reason reason, bool counted,
                                   struct outbox *out)
{
    struct change *ch = out_change(out, CHG_ATTEMPT);

    if (from)
        ch->end = *from;
    else
        ch->end.started_ms = l->started_ms;
    ch->end.task = l->task;
    ch->end.lease = l->id;
    ch->end.worker = l->worker->row.id;
    ch->end.state = state;
    ch->end.reason = reason;
    ch->end.counted = counted;
    if (attempt_ran(&ch->end))
        trouble_get(c, l->task)->ran = true;
    return ch;
}

static void ready_again(struct core *c, struct lease *l)
{
    if (l->twin) /* the task is the twin's */
        twin_part(l);
    else if (!l->orphan)
        array_move(c, l->array, l->task, TASK_READY);
}

void result_stopped(struct core *c, struct lease *l, struct outbox *out)
{
    if (l->started_ms && !l->orphan)
        keep_attempt(c, l, NULL, l->twin ? TASK_LEASED : TASK_READY, END_REVOKED, false, out);
    ready_again(c, l);
}

void result_lost(struct core *c, struct lease *l, bool counted, struct outbox *out)
{
    struct array *a = l->array;

    if (l->orphan)
        return;
    a->lost++;
    a->study->lost += !a->retired;
    if (l->twin) {
        keep_attempt(c, l, NULL, TASK_LEASED, counted ? END_LOST : END_REVOKED, false, out);
        twin_part(l);
        return;
    }
    if (!counted) {
        keep_attempt(c, l, NULL, TASK_READY, END_REVOKED, false, out);
        array_move(c, a, l->task, TASK_READY);
        return;
    }
    struct trouble *t = trouble_get(c, l->task);
    t->losses++;
    if (t->losses >= QUARANTINE_LOSSES) {
        end_task(c, l, NULL, TASK_QUARANTINED, END_QUARANTINED, out);
        return;
    }
    keep_attempt(c, l, NULL, TASK_READY, END_LOST, false, out);
    array_move(c, a, l->task, TASK_READY);
}

/* Backoff doubles with each failure; half of it is drawn, so that a thousand retries do not come at
 * once. */
static ms_t backoff(struct core *c, const struct policy *p, uint32_t failures)
{
    ms_t ms = p->backoff_min_ms ? p->backoff_min_ms : BACKOFF_MIN_MS;
    ms_t most = p->backoff_max_ms ? p->backoff_max_ms : BACKOFF_MAX_MS;

    for (uint32_t i = 1; i < failures && ms < most; i++)
        ms *= 2;
    if (ms > most)
        ms = most;
    return ms / 2 + (ms_t)rng_below(&c->rng, (uint64_t)(ms / 2) + 1);
}

static void wait_until(struct core *c, struct lease *l, ms_t at)
{
    array_move(c, l->array, l->task, TASK_WAITING);
    trouble_get(c, l->task)->ready_at = at;
    heap_push(&c->delayed, at, l->task.n);
}

static void halt_if_ruled(struct core *c, struct array *a, struct outbox *out)
{
    const struct policy *p = &a->row.policy;
    bool halt = p->halt_fails && a->new_failed >= p->halt_fails;

    if (p->halt_percent && a->new_ended >= 20 &&
        100 * a->new_failed >= p->halt_percent * a->new_ended)
        halt = true;
    if (p->halt_when == HALT_NEVER || !halt || a->mode != MODE_ACTIVE)
        return;
    live_set_mode(c, a->study, MODE_HALTED, out);
    if (p->halt_when == HALT_NOW)
        lease_revoke_array(c, a, out);
    else
        lease_recall_array(c, a, out);
}

static void failed(struct core *c, struct lease *l, const struct end_row *end, struct outbox *out)
{
    const struct policy *p = &l->array->row.policy;
    uint32_t retries = p->retries;
    enum exit_action action = EXIT_DEFAULT;

    if (end->reason == END_EXIT)
        action = (enum exit_action)p->exit_action[end->code & 255];
    if (action == EXIT_RETRY && retries < EXIT_RETRY_TIMES)
        retries = EXIT_RETRY_TIMES;
    if (action == EXIT_FATAL)
        retries = 0;
    struct trouble *t = trouble_find(c, l->task);
    uint32_t failures = t ? t->failures : 0;
    bool aside = action == EXIT_QUARANTINE;
    if (failures < retries && !aside) {
        t = trouble_get(c, l->task);
        t->failures = failures + 1;
        t->losses = 0; /* "in a row": it came back from this worker */
        trouble_counted(t, l->id);
        keep_attempt(c, l, end, TASK_WAITING, end->reason, true, out)->end.attempts = failures + 1;
        wait_until(c, l, c->now + backoff(c, p, t->failures));
        return;
    }
    struct array *a = l->array;
    end_task(c, l, end, aside ? TASK_QUARANTINED : TASK_FAILED, end->reason, out);
    a->new_failed++;
    halt_if_ruled(c, a, out);
}

/* A black hole: a worker where the tasks of an array fail one after the other, at once, while they
 * do well elsewhere. What it has goes on; it gets nothing more for a while, because it may be the
 * only one that has what a task needs; then a single failure decides again. */
static void note_at_worker(struct core *c, struct lease *l, bool ok, const struct end_row *end,
                           struct outbox *out)
{
    struct worker *w = l->worker;
    struct array *a = l->array;

    a->n_good += ok;
    a->n_bad += !ok;
    if (ok || w->streak_of.n != a->row.id.n || end->wall_us > BLACK_HOLE_FAST_MS * 1000ULL)
        w->streak = 0;
    w->streak_of = a->row.id;
    if (ok || end->wall_us > BLACK_HOLE_FAST_MS * 1000ULL)
        return;
    w->streak++;
    uint64_t elsewhere = a->n_bad > w->streak ? a->n_bad - w->streak : 0;
    if (w->quarantined || w->streak < BLACK_HOLE_FAILS || a->n_good < BLACK_HOLE_FAILS ||
        a->n_good < BLACK_HOLE_GOOD * elsewhere)
        return;
    ms_t wait = (ms_t)BLACK_HOLE_WAIT_MS << (w->times_quarantined < 8 ? w->times_quarantined : 8);
    w->quarantined = true;
    w->times_quarantined++;
    w->tried_again_ms = c->now + wait;
    pool_due(c, w->tried_again_ms);
    w->streak = BLACK_HOLE_FAILS - 1;
    room_close(c, w);
    follow_release(c, w);
    if (w->link == WORKER_UP && w->n_leases > 1)
        out_send(out, SEND_RECALL, w->peer)->n = w->n_leases;
}

static enum exit_action action_of(const struct array *a, const struct end_row *end)
{
    return end->reason == END_EXIT ? (enum exit_action)a->row.policy.exit_action[end->code & 255]
                                   : EXIT_DEFAULT;
}

static bool succeeded(const struct array *a, const struct end_row *end)
{
    enum exit_action action = action_of(a, end);

    return action == EXIT_WARN || action == EXIT_OK ||
           (end->reason == END_EXIT && end->code == 0 && action == EXIT_DEFAULT);
}

static void ended_by_itself(struct core *c, struct lease *l, const struct end_row *end,
                            struct outbox *out)
{
    struct array *a = l->array;
    bool ok = succeeded(a, end), warned = action_of(a, end) == EXIT_WARN;

    array_note_duration(c, a, end->wall_us);
    note_at_worker(c, l, ok, end, out);
    if (!ok) {
        failed(c, l, end, out);
        return;
    }
    end_task(c, l, end, TASK_DONE, warned ? END_WARNED : end->reason, out);
    if (warned)
        array_warned(a, l->task);
    halt_if_ruled(c, a,
                  out); /* this may be the end that makes a share of failures mean something */
}

/* The worker could not run it (no memory, no disk): somebody else's fault, tried again after 1, 2,
 * 4 seconds and so on, but not for ever. */
static void infra(struct core *c, struct lease *l, const struct end_row *end, struct outbox *out)
{
    struct trouble *t = trouble_get(c, l->task);

    if (++t->infra >= INFRA_TRIES) {
        struct array *a = l->array;
        end_task(c, l, end, TASK_FAILED, END_INFRA, out);
        a->new_failed++;
        halt_if_ruled(c, a, out);
        return;
    }
    keep_attempt(c, l, end, TASK_WAITING, END_INFRA, false, out);
    wait_until(c, l, c->now + ((ms_t)1000 << (t->infra - 1)));
}

/* A result whose lease is no longer known: repeated after a reconnect, or that of a zombie. */
static void late_result(struct core *c, struct worker *w, const struct event *ev,
                        struct outbox *out)
{
    struct array *a = array_of_task(c, ev->end->task);

    if (!a)
        return;
    struct trouble *t = trouble_find(c, ev->end->task);
    enum task_state state = array_state(a, ev->end->task);
    if (state == TASK_SKIPPED || ev->end->reason == END_REVOKED)
        return;
    if (task_state_ended(state) && (!t || !t->last.n))
        return;
    if (t && t->last.n == ev->end->lease.n && !t->cancelled)
        return;
    struct change *ch = out_change(out, CHG_ATTEMPT);
    ch->end = *ev->end;
    ch->end.worker = w->row.id;
    ch->end.state = state;
    ch->end.reason = END_SUPERSEDED;
    ch->end.counted = false;
    /* Before the ack: what the worker keeps of it must not take the place of the winner's. */
    out_grant(out, out_send(out, SEND_REVOKE, w->peer), ev->end->lease, ev->end->task);
}

void on_result(struct core *c, const struct event *ev, struct outbox *out)
{
    struct worker *w = pool_by_peer(c, ev->from);

    if (!w)
        return; /* not a worker, or one that was given up: its connection is being closed */
    w->heard_ms = c->now;
    w->n_ended++;
    struct lease *l = lease_find(c, ev->end->lease);
    bool late = !l || l->worker != w || l->task.n != ev->end->task.n;
    if (late)
        late_result(c, w, ev, out);
    out_grant(out, out_send(out, SEND_ACK, w->peer), ev->end->lease, ev->end->task);
    if (late)
        return;
    share_measured(c, l, ev->end->wall_us);
    if (l->orphan) {
        keep_attempt(c, l, ev->end, array_state(l->array, l->task), END_SUPERSEDED, false, out);
    } else if (l->twin && !succeeded(l->array, ev->end)) {
        keep_attempt(c, l, ev->end, TASK_LEASED, ev->end->reason, false, out);
        twin_part(l);
    } else if (ev->end->reason == END_REVOKED || ev->end->reason == END_LOST) {
        keep_attempt(c, l, ev->end, TASK_READY, END_REVOKED, false, out);
        ready_again(c, l);
    } else if (ev->end->reason == END_INFRA) {
        infra(c, l, ev->end, out);
    } else {
        twin_beaten(c, l, out);
        ended_by_itself(c, l, ev->end, out);
    }
    lease_end(c, l, out);
}

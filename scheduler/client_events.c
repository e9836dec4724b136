/* client_events - what clients ask for: submit, hold, cancel, retry. */

#include <string.h>
#include <utlist.h>

#include "base/err.h"
#include "base/must.h"
#include "scheduler/state.h"

enum { CANCEL_STEP = 4096 }; /* ends in one step of a cancelled study: one commit's worth */

static void retire(struct core *c, struct array *a, struct outbox *out)
{
    live_leave(c, a);
    a->mode = MODE_HELD;
    a->retired = true;
    share_update(c, a);
    share_leased(c, a->study);
    a->study->n_retired++;
    array_touch(c, a);
    lease_revoke_array(c, a, out);
}

/* What has ended of it, had ended before this submission. */
static void note_reused(struct array *a)
{
    a->study->reused -= a->reused;
    a->reused = a->count[TASK_DONE] + a->count[TASK_FAILED] + a->count[TASK_CANCELLED] +
                a->count[TASK_QUARANTINED];
    a->study->reused += a->reused;
}

static struct array *load(struct core *c, const struct event *ev)
{
    struct array *a = array_add(c, ev->array, ev->states);

    if (ev->order && a->row.kind == ARRAY_POINTS)
        array_set_order(a, ev->order);

    note_reused(a);
    a->new_failed = ev->new_failed;
    a->new_ended = ev->new_ended;
    for (size_t i = 0; i < ev->n_durations; i++)
        array_note_duration(c, a, ev->durations_us[i]);
    a->mean_us = 0; /* how fast it is now is measured now */
    share_place(c, a);
    array_update_limit(a);
    graph_attach(c, a, ev->array);
    return a;
}

/* The same design again: it continues, under the policy of today. */
static void renew(struct core *c, struct array *a, const struct event *ev)
{
    uint64_t order_seed = a->row.policy.order_seed;

    a->row.policy = ev->array->policy;
    a->row.policy.order_seed = order_seed;
    shape_of_array(c, a);
    a->limit_ms = a->row.policy.timeout_ms;
    if (a->retired) {
        a->retired = false;
        a->study->n_retired--;
        live_enter(a->study, a);
        share_leased(c, a->study);
    }
    note_reused(a);
    graph_detach(c, a);
    graph_attach(c, a, ev->array);
}

static struct array *enter(struct core *c, const struct event *ev, struct outbox *out)
{
    struct array *a = array_by_id(c, ev->array->id);
    bool calls = ev->array->kind == ARRAY_CALLS;
    struct live *st = live_get(c, ev->array->study);
    bool fresh = !st->arrays;

    if (!calls && st->points && st->points != a)
        retire(c, st->points, out);
    bool ruled = a && a->row.policy.halt_when != HALT_NEVER;
    if (!a)
        a = load(c, ev);
    else if (!calls)
        renew(c, a, ev);
    a->template_changed = ev->template_changed;
    if (ev->kind == EV_SUBMIT && !ev->is_new && !ruled)
        array_count_anew(a, true, out);
    st->progress_dirty = true;
    if (fresh)
        st->told_halted = true; /* not known: the store hears it in any case */
    if (ev->kind == EV_ARRAY && fresh) {
        st->told_active = ev->active;
        st->told_halted = ev->halted;
        st->mode = ev->halted                       ? MODE_HALTED
                   : c->cfg.hold_all || !ev->active ? MODE_HELD
                                                    : MODE_ACTIVE;
    }
    live_mode_of(c, a);
    return a;
}

void on_submit(struct core *c, const struct event *ev, struct outbox *out)
{
    const char *why = ev->kind == EV_SUBMIT ? graph_refuses_after(c, ev->array) : NULL;

    if (why) {
        out_refuse(out, ev, ERR_NOT_FOUND, why);
        return;
    }
    if (c->restored)
        graph_finish(c, out); /* each end is told once: to those that are there by then */
    struct array *a = ev->again ? array_by_id(c, ev->array->id) : enter(c, ev, out);
    must(a != NULL);
    if (ev->kind == EV_ARRAY)
        return;
    if (ev->is_new || (a->row.kind == ARRAY_POINTS && !ev->again))
        out_change(out, ev->is_new ? CHG_ARRAY : CHG_CURRENT)->array = *ev->array;
    for (size_t i = 0; i < ev->n_adopts; i++)
        *out_change(out, CHG_ADOPT) = ev->adopts[i];
    if (!ev->again || a->study->told_active)
        live_set_mode(c, a->study, MODE_ACTIVE, out);
    struct send *s = out_send(out, SEND_SUBMITTED, ev->from);
    s->request = ev->request;
    s->array = a->row.id;
    s->study = a->row.study;
    s->flag = ev->template_changed;
    s->n = a->row.kind == ARRAY_CALLS ? a->row.n : 0;
}

void core_reply(struct outbox *out, peer_id to, uint64_t request, uint64_t n)
{
    struct send *s = out_send(out, SEND_REPLY, to);

    s->request = request;
    s->n = n;
}

struct live *live_asked_for(struct core *c, const struct event *ev, struct outbox *out)
{
    struct live *st = live_find(c, ev->study);

    if (!st || !st->arrays) {
        out_refuse(out, ev, ERR_NOT_FOUND, "this study is not loaded");
        return NULL;
    }
    return st;
}

/* The array that the indexes of a request are in; NULL: refused. */
static struct array *asked_array(struct core *c, const struct event *ev, struct outbox *out)
{
    struct live *st = live_asked_for(c, ev, out);

    if (!st || !ev->array_id.n)
        return st ? live_current(st) : NULL;
    struct array *a = array_by_id(c, ev->array_id);
    if (!a || a->retired || a->study != st) {
        out_refuse(out, ev, ERR_NOT_FOUND, "this array is not loaded");
        return NULL;
    }
    return a;
}

void on_hold(struct core *c, const struct event *ev, struct outbox *out)
{
    struct live *st = live_asked_for(c, ev, out);
    struct array *a;

    if (!st)
        return;
    if (st->mode != MODE_HALTED) /* which says more, and is as quiet */
        live_set_mode(c, st, MODE_HELD, out);
    DL_FOREACH(st->arrays, a)
    {
        if (!a->n_leases)
            continue;
        if (ev->now)
            lease_revoke_array(c, a, out);
        else
            lease_recall_array(c, a, out);
    }
    core_reply(out, ev->from, ev->request, lease_running(c, st));
}

static void cancel_open(struct core *c, struct array *a, task_id task, struct lease *l,
                        struct outbox *out)
{
    struct trouble *t = trouble_find(c, task);
    struct change *ch = out_change(out, CHG_END);

    ch->end.task = task;
    ch->end.state = TASK_CANCELLED;
    ch->end.reason = END_CANCELLED;
    ch->end.attempts = t ? t->failures : 0;
    if (l) {
        ch->end.lease = l->id;
        ch->end.worker = l->worker->row.id;
        ch->end.started_ms = l->started_ms;
    }
    array_end(c, a, task, TASK_CANCELLED, ch->end.worker, (task_id){ 0 });
    if (l) {
        trouble_get(c, task); /* that it ran matters when it is reopened */
        twin_beaten(c, l, out);
        l->orphan = true;
        lease_forget_durable(l, out); /* no start leaves the task alone for it */
        lease_revoke(c, l, out);
    }
}

static struct lease *lease_of_task(const struct core *c, task_id task)
{
    for (size_t i = 0; i < c->n_workers; i++) {
        struct lease *l;
        DL_FOREACH(c->workers[i]->leases, l)
        if (l->task.n == task.n && !l->orphan)
            return l;
    }
    return NULL;
}

static bool cancel_task(struct core *c, struct array *a, uint64_t index, struct outbox *out)
{
    task_id task = { a->row.first.n + index };
    enum task_state state = array_state(a, task);

    if (task_state_ended(state))
        return false;
    cancel_open(c, a, task, state == TASK_LEASED ? lease_of_task(c, task) : NULL, out);
    return true;
}

/* Goes through the arrays of a study that is being cancelled, a bounded number of ends a step. What
 * is open is closed: nobody fills it behind our back. */
static void cancel_step(struct core *c, struct live *st, struct outbox *out)
{
    uint64_t ends = 0, looked = 0;

    while (st->cancel_array && ends < CANCEL_STEP && looked < 64 * CANCEL_STEP) {
        struct array *a = st->cancel_array;
        if (!a->row.closed) {
            array_close(a);
            out_change(out, CHG_CLOSED)->append.array = a->row.id;
        }
        for (; st->cancel_at < a->row.n && ends < CANCEL_STEP; st->cancel_at++, looked++)
            ends += cancel_task(c, a, st->cancel_at, out);
        looked++;
        if (st->cancel_at < a->row.n)
            break;
        st->cancel_array = a->next;
        st->cancel_at = 0;
    }
    st->cancel_touched += ends;
    if (st->cancel_array)
        return;
    st->cancelling = false;
    c->n_cancelling--;
    live_set_mode(c, st, MODE_HELD, out);
    core_reply(out, st->cancel_for, st->cancel_request, st->cancel_touched);
}

void cancel_some(struct core *c, struct outbox *out)
{
    struct live *st, *next;

    if (!c->n_cancelling)
        return;
    HASH_ITER(hh, c->studies, st, next) /* in the order in which they were loaded */
    if (st->cancelling)
        cancel_step(c, st, out);
}

static void cancel_all(struct core *c, const struct event *ev, struct outbox *out)
{
    struct live *st = live_asked_for(c, ev, out);

    if (!st)
        return;
    live_set_mode(c, st, MODE_HELD, out);
    c->n_cancelling += !st->cancelling;
    st->cancelling = true;
    st->cancel_array = st->arrays;
    st->cancel_at = st->cancel_touched = 0;
    st->cancel_for = ev->from;
    st->cancel_request = ev->request;
}

void on_cancel(struct core *c, const struct event *ev, struct outbox *out)
{
    uint64_t touched = 0;

    if (!ev->n_index) {
        cancel_all(c, ev, out);
        return;
    }
    struct array *a = asked_array(c, ev, out);
    if (!a)
        return;
    for (size_t i = 0; i < ev->n_index; i++)
        if (ev->index[i] < a->row.n)
            touched += cancel_task(c, a, ev->index[i], out);
    live_set_mode(c, a->study, a->study->mode, out);
    core_reply(out, ev->from, ev->request, touched);
}

static uint64_t reopen_failed(struct core *c, struct array *a, struct outbox *out)
{
    uint64_t touched = 0;

    for (uint64_t i = 0; i < a->row.n; i++) {
        enum task_state s = (enum task_state)a->state[i];
        if (s != TASK_FAILED && s != TASK_CANCELLED && s != TASK_QUARANTINED)
            continue;
        array_reopen(c, a, (task_id){ a->row.first.n + i }, TASK_READY);
        touched++;
    }
    if (touched) {
        struct change *ch = out_change(out, CHG_REOPEN_FAILED);
        ch->task = a->row.first;
        ch->from = (task_id){ a->row.first.n + a->row.n - 1 };
    }
    return touched;
}

/* What is run again is not known from before, and failed in the past as far as halt rules go. */
static void forget_ends(struct array *a, uint64_t touched, struct outbox *out)
{
    uint64_t reused = a->reused > touched ? touched : a->reused;

    array_count_anew(a, false, out);
    a->reused -= reused;
    a->study->reused -= reused;
}

static uint64_t retry_indexes(struct core *c, struct array *a, const struct event *ev,
                              struct outbox *out)
{
    uint64_t touched = 0;

    for (size_t i = 0; i < ev->n_index; i++) {
        if (ev->index[i] >= a->row.n)
            continue;
        task_id task = { a->row.first.n + ev->index[i] };
        enum task_state state = array_state(a, task);
        if (!task_state_ended(state) || state == TASK_SKIPPED || state == TASK_UNMET)
            continue;
        out_change(out, CHG_REOPEN)->task = task;
        array_reopen(c, a, task, TASK_READY);
        touched++;
    }
    forget_ends(a, touched, out);
    return touched;
}

void on_retry(struct core *c, const struct event *ev, struct outbox *out)
{
    struct live *st = live_asked_for(c, ev, out);
    uint64_t touched = 0;
    struct array *a;

    if (!st)
        return;
    if (ev->failed) {
        DL_FOREACH(st->arrays, a)
        {
            uint64_t n = reopen_failed(c, a, out);
            forget_ends(a, n, out);
            touched += n;
        }
    } else {
        a = asked_array(c, ev, out);
        if (!a)
            return;
        touched = retry_indexes(c, a, ev, out);
    }
    live_set_mode(c, st, MODE_ACTIVE, out);
    core_reply(out, ev->from, ev->request, touched);
}

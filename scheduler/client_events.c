/* client_events - what clients ask for: submit, hold, cancel, retry, follow; and what they are
 * told. */

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/err.h"
#include "base/must.h"
#include "scheduler/state.h"

enum { CANCEL_STEP = 4096 }; /* ends in one step of a cancelled study: one commit's worth */

static struct array *array_by_id(const struct core *c, array_id id)
{
    for (size_t i = 0; i < c->n_arrays; i++)
        if (c->arrays[i]->row.id.n == id.n)
            return c->arrays[i];
    return NULL;
}

static void retire(struct core *c, struct array *a, struct outbox *out)
{
    a->mode = MODE_HELD;
    a->retired = true;
    lease_revoke_array(c, a, out);
}

static struct array *load(struct core *c, const struct event *ev)
{
    struct array *a = array_add(c, ev->array, ev->states);

    a->reused = a->count[TASK_DONE] + a->count[TASK_FAILED] + a->count[TASK_CANCELLED] +
                a->count[TASK_QUARANTINED];
    for (size_t i = 0; i < ev->n_durations; i++)
        array_note_duration(a, ev->durations_us[i]);
    a->mean_us = 0; /* how fast it is now is measured now */
    array_update_limit(a);
    return a;
}

/* The same design again: it continues, under the policy of today. */
static void renew(struct array *a, const struct event *ev)
{
    uint64_t order_seed = a->row.policy.order_seed;

    a->row.policy = ev->array->policy;
    a->row.policy.order_seed = order_seed;
    if (!a->row.policy.needs.cores)
        a->row.policy.needs.cores = 1;
    a->limit_ms = a->row.policy.timeout_ms;
    a->retired = false;
}

void on_submit(struct core *c, const struct event *ev, struct outbox *out)
{
    struct array *a = array_by_id(c, ev->array->id), *old = array_of_study(c, ev->array->study);

    if (old && old != a)
        retire(c, old, out);
    if (a)
        renew(a, ev);
    else
        a = load(c, ev);
    if (old) /* what the store knows of the study, whichever array is the current one */
        a->told_active = old->told_active;
    a->template_changed = ev->template_changed;
    a->new_failed = a->new_ended = 0;
    a->progress_dirty = true;
    if (ev->kind == EV_ARRAY) {
        a->told_active = ev->active;
        a->mode = c->cfg.hold_all || !ev->active ? MODE_HELD : MODE_ACTIVE;
        return;
    }
    out_change(out, ev->is_new ? CHG_ARRAY : CHG_CURRENT)->array = *ev->array;
    for (size_t i = 0; i < ev->n_adopts; i++)
        *out_change(out, CHG_ADOPT) = ev->adopts[i];
    array_set_mode(c, a, MODE_ACTIVE, out);
    struct send *s = out_send(out, SEND_SUBMITTED, ev->from);
    s->request = ev->request;
    s->array = a->row.id;
    s->study = a->row.study;
    s->flag = ev->template_changed;
}

void core_reply(struct outbox *out, peer_id to, uint64_t request, uint64_t n)
{
    struct send *s = out_send(out, SEND_REPLY, to);

    s->request = request;
    s->n = n;
}

struct array *array_asked_for(struct core *c, const struct event *ev, struct outbox *out)
{
    struct array *a = array_of_study(c, ev->study);

    if (!a)
        out_refuse(out, ev, ERR_NOT_FOUND, "this study is not loaded");
    return a;
}

void on_hold(struct core *c, const struct event *ev, struct outbox *out)
{
    struct array *a = array_asked_for(c, ev, out);

    if (!a)
        return;
    array_set_mode(c, a, MODE_HELD, out);
    if (ev->now)
        lease_revoke_array(c, a, out);
    else
        lease_recall_array(c, a, out);
    core_reply(out, ev->from, ev->request, a->count[TASK_LEASED]);
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
    array_move(c, a, task, TASK_CANCELLED);
    if (l) {
        trouble_get(c, task); /* that it ran matters when it is reopened */
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

/* Goes through an array that is being cancelled, a bounded number of ends a step. */
static void cancel_step(struct core *c, struct array *a, struct outbox *out)
{
    uint64_t ends = 0;

    for (; a->cancel_at < a->row.n && ends < CANCEL_STEP; a->cancel_at++) {
        task_id task = { a->row.first.n + a->cancel_at };
        enum task_state state = array_state(a, task);
        if (task_state_ended(state))
            continue;
        cancel_open(c, a, task, state == TASK_LEASED ? lease_of_task(c, task) : NULL, out);
        ends++;
    }
    a->cancel_touched += ends;
    if (a->cancel_at < a->row.n)
        return;
    a->cancelling = false;
    array_set_mode(c, a, MODE_HELD, out);
    core_reply(out, a->cancel_for, a->cancel_request, a->cancel_touched);
}

void cancel_some(struct core *c, struct outbox *out)
{
    for (size_t i = 0; i < c->n_arrays; i++)
        if (c->arrays[i]->cancelling)
            cancel_step(c, c->arrays[i], out);
}

void on_cancel(struct core *c, const struct event *ev, struct outbox *out)
{
    struct array *a = array_asked_for(c, ev, out);
    uint64_t touched = 0;

    if (!a)
        return;
    if (!ev->n_index) {
        array_set_mode(c, a, MODE_HELD, out);
        a->cancelling = true;
        a->cancel_at = a->cancel_touched = 0;
        a->cancel_for = ev->from;
        a->cancel_request = ev->request;
        return;
    }
    for (size_t i = 0; i < ev->n_index; i++) {
        if (ev->index[i] >= a->row.n)
            continue;
        task_id task = { a->row.first.n + ev->index[i] };
        enum task_state state = array_state(a, task);
        if (task_state_ended(state))
            continue;
        cancel_open(c, a, task, state == TASK_LEASED ? lease_of_task(c, task) : NULL, out);
        touched++;
    }
    array_set_mode(c, a, a->mode, out);
    core_reply(out, ev->from, ev->request, touched);
}

static void reopen(struct core *c, struct array *a, task_id task)
{
    bool ran = array_state(a, task) != TASK_CANCELLED || trouble_find(c, task);

    trouble_drop(c, task);
    if (ran) /* a result whose ack is still under way is no answer to this */
        trouble_get(c, task)->last = lease_make(c->cfg.epoch, c->next_sequence - 1);
    array_move(c, a, task, TASK_READY);
}

static uint64_t reopen_failed(struct core *c, struct array *a, struct outbox *out)
{
    uint64_t touched = 0;

    for (uint64_t i = 0; i < a->row.n; i++) {
        enum task_state s = (enum task_state)a->state[i];
        if (s != TASK_FAILED && s != TASK_CANCELLED && s != TASK_QUARANTINED)
            continue;
        reopen(c, a, (task_id){ a->row.first.n + i });
        touched++;
    }
    if (touched) {
        struct change *ch = out_change(out, CHG_REOPEN_FAILED);
        ch->task = a->row.first;
        ch->from = (task_id){ a->row.first.n + a->row.n - 1 };
    }
    return touched;
}

void on_retry(struct core *c, const struct event *ev, struct outbox *out)
{
    struct array *a = array_asked_for(c, ev, out);
    uint64_t touched = 0;

    if (!a)
        return;
    if (ev->failed)
        touched = reopen_failed(c, a, out);
    for (size_t i = 0; i < ev->n_index; i++) {
        if (ev->index[i] >= a->row.n)
            continue;
        task_id task = { a->row.first.n + ev->index[i] };
        enum task_state state = array_state(a, task);
        if (!task_state_ended(state) || state == TASK_SKIPPED)
            continue;
        out_change(out, CHG_REOPEN)->task = task;
        reopen(c, a, task);
        touched++;
    }
    a->new_failed = a->new_ended = 0;
    a->reused = a->reused > touched ? a->reused - touched : 0;
    array_set_mode(c, a, MODE_ACTIVE, out);
    core_reply(out, ev->from, ev->request, touched);
}

void on_follow(struct core *c, const struct event *ev)
{
    for (size_t i = 0; i < c->n_followers; i++)
        if (c->followers[i].peer.n == ev->from.n && c->followers[i].study.n == ev->study.n) {
            c->followers[i].due = true;
            return;
        }
    if (c->n_followers == c->cap_followers) {
        c->cap_followers = c->cap_followers ? 2 * c->cap_followers : 8;
        c->followers = realloc(c->followers, c->cap_followers * sizeof *c->followers);
        must(c->followers != NULL);
    }
    c->followers[c->n_followers++] =
        (struct follower){ .peer = ev->from, .study = ev->study, .due = true };
}

void followers_drop(struct core *c, peer_id peer)
{
    size_t kept = 0;

    for (size_t i = 0; i < c->n_followers; i++)
        if (c->followers[i].peer.n != peer.n)
            c->followers[kept++] = c->followers[i];
    c->n_followers = kept;
}

/* News that a waiting person wants at once: the study has come to rest. */
static bool at_rest(const struct array *a)
{
    return array_ended(a) || (a->mode != MODE_ACTIVE && !a->count[TASK_LEASED]);
}

static ms_t follower_due(const struct core *c, const struct follower *f)
{
    const struct array *a = array_of_study(c, f->study);

    if (!a || !(f->due || a->progress_dirty))
        return MS_NEVER;
    return !f->sent_ms || at_rest(a) ? c->now : f->sent_ms + PROGRESS_MS;
}

ms_t progress_deadline(const struct core *c)
{
    ms_t least = MS_NEVER;

    for (size_t i = 0; i < c->n_followers; i++) {
        ms_t at = follower_due(c, &c->followers[i]);
        if (at < least)
            least = at;
    }
    return least;
}

void progress_tell(struct core *c, struct outbox *out)
{
    for (size_t i = 0; i < c->n_followers; i++) {
        struct follower *f = &c->followers[i];
        const struct array *a = array_of_study(c, f->study);
        f->due = f->due || (a && a->progress_dirty);
        if (follower_due(c, f) > c->now)
            continue;
        out_send(out, SEND_PROGRESS, f->peer)->study = f->study;
        f->due = false;
        f->sent_ms = c->now;
    }
    for (size_t i = 0; i < c->n_arrays; i++)
        c->arrays[i]->progress_dirty = false;
}

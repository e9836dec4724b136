/* pool - the workers: who is up, who is away for a moment, who is lost. */

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "scheduler/state.h"

struct worker *pool_by_peer(const struct core *c, peer_id peer)
{
    struct worker *w;

    HASH_FIND(hh, c->by_peer, &peer.n, sizeof peer.n, w);
    return w;
}

void pool_away(struct core *c, struct worker *w)
{
    if (w->link == WORKER_UP) {
        HASH_DELETE(hh, c->by_peer, w);
        followers_due(c);
    }
    w->link = WORKER_AWAY;
    w->peer = (peer_id){ 0 };
    room_close(c, w);
}

void pool_up(struct core *c, struct worker *w, peer_id peer)
{
    pool_away(c, w);
    w->link = WORKER_UP;
    w->peer = peer;
    HASH_ADD(hh, c->by_peer, peer.n, sizeof w->peer.n, w);
    followers_due(c);
    pool_due(c, c->now + c->cfg.lost_after_ms);
}

struct worker *pool_by_id(const struct core *c, worker_id id)
{
    for (size_t i = 0; i < c->n_workers; i++)
        if (c->workers[i]->row.id.n == id.n)
            return c->workers[i];
    return NULL;
}

struct worker *pool_add(struct core *c, const struct worker_row *row)
{
    struct worker *w = calloc(1, sizeof *w);

    must(w != NULL);
    w->row = *row;
    w->row.labels = shape_intern(c, row->labels);
    w->link = WORKER_AWAY;
    if (c->n_workers == c->cap_workers) {
        c->cap_workers = c->cap_workers ? 2 * c->cap_workers : 8;
        c->workers = realloc(c->workers, c->cap_workers * sizeof *c->workers);
        must(c->workers != NULL);
    }
    c->workers[c->n_workers++] = w;
    return w;
}

void pool_remove(struct core *c, struct worker *w)
{
    size_t i = 0;

    must(!w->leases);
    pool_away(c, w);
    while (c->workers[i] != w)
        i++;
    memmove(&c->workers[i], &c->workers[i + 1], (c->n_workers - i - 1) * sizeof *c->workers);
    c->n_workers--;
    follow_release(c, w); /* it is not found any more */
    free(w->wanted);
    free(w);
}

static void forget_leaver(struct core *c, size_t i)
{
    c->n_leavers--;
    memmove(&c->leavers[i], &c->leavers[i + 1], (c->n_leavers - i) * sizeof *c->leavers);
}

static void remember_leaver(struct core *c, const struct worker *w)
{
    if (c->n_leavers == LEAVERS_MAX)
        forget_leaver(c, 0);
    c->leavers[c->n_leavers++] = (struct leaver){ w->row.instance, w->leave_by };
}

void pool_recall_leaver(struct core *c, struct worker *w)
{
    size_t i = 0;

    while (i < c->n_leavers && c->leavers[i].instance != w->row.instance)
        i++;
    if (i == c->n_leavers)
        return;
    w->leaving = w->asked_to_leave = true;
    w->leave_by = c->leavers[i].leave_by;
    forget_leaver(c, i);
}

/* A worker starts its leases in the order they were granted, so the ones that fill its slots ran
 * and the rest only waited: just the former count as lost under a task. */
void pool_lose(struct core *c, struct worker *w, bool counted, struct outbox *out)
{
    uint32_t cores = 0;

    while (w->leases) {
        struct lease *l = w->leases;
        cores += l->finished ? 0 : l->shape->needs.cores;
        if (cores <= w->row.slots || l->started_ms || l->finished)
            result_lost(c, l, counted, out);
        else
            result_stopped(c, l, out);
        trouble_get(c, l->task); /* a zombie may bring a result: remember whose won */
        lease_end(c, l, out);
    }
    struct change *ch = out_change(out, CHG_WORKER_GONE);
    ch->worker.id = w->row.id;
    if (w->asked_to_leave)
        remember_leaver(c, w);
    if (w->link == WORKER_UP)
        out_send(out, SEND_CLOSE, w->peer);
    pool_remove(c, w);
}

static ms_t due_of(const struct core *c, const struct worker *w)
{
    ms_t at = w->link == WORKER_UP ? w->heard_ms + c->cfg.lost_after_ms : w->deadline_ms;

    return w->quarantined && w->tried_again_ms < at ? w->tried_again_ms : at;
}

void pool_check_time(struct core *c, struct outbox *out)
{
    if (c->now < c->pool_due)
        return;
    for (size_t i = 0; i < c->n_workers;) {
        struct worker *w = c->workers[i];
        if (w->quarantined && c->now >= w->tried_again_ms) {
            w->quarantined = false;
            room_grew(c, w);
        }
        if (c->now >= due_of(c, w))
            /* One that was not seen since a start may have ended with the last scheduler: that says
             * nothing about its tasks. */
            pool_lose(c, w, !w->awaited, out);
        else
            i++;
    }
    c->pool_due = MS_NEVER;
    for (size_t i = 0; i < c->n_workers; i++)
        pool_due(c, due_of(c, c->workers[i]));
}

void pool_due(struct core *c, ms_t at)
{
    if (at < c->pool_due)
        c->pool_due = at;
}

ms_t pool_deadline(const struct core *c)
{
    return c->pool_due;
}

/* dispatch - which worker gets which ready task. First every slot of every worker, one task to each
 * in turn so that load spreads; then, for short tasks, about prefetch_ms of work beyond the slots;
 * then, when nothing is ready but a worker idles, unstarted work is asked back from the fullest
 * one. */

#include "scheduler/state.h"

enum { RECALL_WAIT_MS = 200, RECALL_WORTH_US = 500 };

static bool settling(const struct core *c)
{
    if (!c->restored)
        return true;
    if (c->now >= c->settle_until)
        return false;
    for (size_t i = 0; i < c->n_workers; i++)
        if (c->workers[i]->awaited)
            return true;
    return false;
}

void dispatch_delayed(struct core *c)
{
    struct heap_entry e;

    while (heap_peek(&c->delayed, &e) && e.at <= c->now) {
        heap_pop(&c->delayed, &e);
        task_id task = { e.value };
        struct array *a = array_of_task(c, task);
        struct trouble *t = trouble_find(c, task);
        if (a && t && t->ready_at == e.at && array_state(a, task) == TASK_WAITING)
            array_move(c, a, task, TASK_READY);
    }
}

/* How many tasks of an array a worker may hold beyond its slots. */
static uint64_t extra_tasks(const struct core *c, const struct array *a, const struct worker *w)
{
    uint64_t window_us = (uint64_t)c->cfg.prefetch_ms * 1000;

    if (!a->mean_us || a->mean_us > window_us)
        return 0;
    uint64_t extra = w->row.slots * window_us / a->mean_us;
    return extra < GRANTS_MAX ? extra : GRANTS_MAX;
}

static bool has_room(const struct core *c, const struct array *a, const struct worker *w,
                     bool prefetch)
{
    const struct policy *p = &a->row.policy;
    uint64_t extra = prefetch ? extra_tasks(c, a, w) : 0;
    uint64_t cores = w->cores_used + (uint64_t)(w->planned + 1) * p->needs.cores;
    uint64_t memory = w->memory_used + (uint64_t)(w->planned + 1) * p->needs.memory_mib;

    if (w->link != WORKER_UP || w->leaving || p->needs.cores > w->row.slots ||
        p->needs.memory_mib > w->row.memory_mib)
        return false;
    if (w->n_leases + w->planned >= GRANTS_MAX + w->row.slots)
        return false;
    return cores <= w->row.slots + extra * p->needs.cores &&
           (!p->needs.memory_mib || memory <= w->row.memory_mib + extra * p->needs.memory_mib);
}

/* Plans up to `budget` grants, one a worker and round; returns how many. */
static uint64_t plan(struct core *c, const struct array *a, bool prefetch, uint64_t budget)
{
    uint64_t planned = 0, before;

    do {
        before = planned;
        for (size_t i = 0; i < c->n_workers && planned < budget; i++) {
            struct worker *w = c->workers[(i + c->turn) % c->n_workers];
            if (has_room(c, a, w, prefetch)) {
                w->planned++;
                planned++;
            }
        }
    } while (planned > before && planned < budget);
    return planned;
}

static uint64_t grant_array(struct core *c, struct array *a, bool prefetch, uint64_t budget,
                            struct outbox *out)
{
    uint64_t granted = 0;

    if (budget > a->count[TASK_READY])
        budget = a->count[TASK_READY];
    if (a->mode != MODE_ACTIVE || !budget || !plan(c, a, prefetch, budget))
        return 0;
    for (size_t i = 0; i < c->n_workers; i++) {
        struct worker *w = c->workers[i];
        struct send *s = NULL;
        for (; w->planned; w->planned--) {
            task_id task;
            if (!array_next_ready(a, &task))
                continue;
            struct lease *l = lease_grant(c, w, a, task);
            if (!s) {
                s = out_send(out, SEND_ASSIGN, w->peer);
                s->array = a->row.id;
                s->limit_ms = a->limit_ms;
            }
            out_grant(out, s, l->id, task);
            granted++;
        }
    }
    return granted;
}

static bool grant_all(struct core *c, bool prefetch, struct outbox *out)
{
    uint64_t left = GRANTS_MAX, granted, free_cores = 1, active = 0;

    for (size_t i = 0; i < c->n_workers; i++)
        if (c->workers[i]->row.slots > c->workers[i]->cores_used)
            free_cores += c->workers[i]->row.slots - c->workers[i]->cores_used;
    for (size_t i = 0; i < c->n_arrays; i++)
        active += c->arrays[i]->mode == MODE_ACTIVE && c->arrays[i]->count[TASK_READY];
    if (!active)
        return true;
    /* Several studies share: each gets its part of what is free, round after round. */
    uint64_t share = active == 1 ? GRANTS_MAX : 1 + (prefetch ? 16 : free_cores / active);
    do {
        granted = 0;
        for (size_t i = 0; i < c->n_arrays && left; i++) {
            struct array *a = c->arrays[(i + c->turn) % c->n_arrays];
            uint64_t n = grant_array(c, a, prefetch, share < left ? share : left, out);
            granted += n;
            left -= n;
        }
    } while (granted && left);
    return left > 0;
}

static void recall_for_idle(struct core *c, struct outbox *out)
{
    bool idle = false;
    struct worker *fullest = NULL;
    uint32_t most = 0;

    for (size_t i = 0; i < c->n_arrays; i++)
        if (c->arrays[i]->mode == MODE_ACTIVE && c->arrays[i]->count[TASK_READY])
            return;
    for (size_t i = 0; i < c->n_workers; i++) {
        struct worker *w = c->workers[i];
        if (w->link != WORKER_UP)
            continue;
        idle = idle || w->cores_used < w->row.slots;
        if (w->cores_used > w->row.slots + most && c->now >= w->recall_until && w->leases &&
            w->leases->array->mean_us >= RECALL_WORTH_US) {
            most = w->cores_used - w->row.slots;
            fullest = w;
        }
    }
    if (!idle || !fullest)
        return;
    struct send *s = out_send(out, SEND_RECALL, fullest->peer);
    s->n = (most + 1) / 2;
    fullest->recall_until = c->now + RECALL_WAIT_MS;
}

void dispatch(struct core *c, struct outbox *out)
{
    dispatch_delayed(c);
    if (!c->want_dispatch || settling(c))
        return;
    c->want_dispatch = false;
    c->turn++;
    bool all = grant_all(c, false, out) && grant_all(c, true, out);
    if (!all)
        c->want_dispatch = true; /* the budget of a step is spent: go on in the next */
    else
        recall_for_idle(c, out);
}

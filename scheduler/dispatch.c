/* dispatch - which worker gets which ready task. First what has room in slots (room.c says where,
 * share.c whose turn it is); then, for short tasks, about prefetch_ms of work beyond the slots;
 * then, when nothing is ready but a worker idles, unstarted work is asked back from the fullest
 * one. */

#include <stdlib.h>
#include <utlist.h>

#include "base/must.h"
#include "base/needs.h"
#include "scheduler/state.h"

enum { RECALL_WAIT_MS = 200, RECALL_WORTH_US = 500 };

bool dispatch_settling(const struct core *c)
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

/* --- what is at hand beyond the slots --- */

/* How many tasks of an array a worker may hold beyond its slots: those that hold long tasks do not
 * count, and short tasks that would wait behind them go elsewhere. */
static uint64_t extra_tasks(const struct core *c, const struct array *a, const struct worker *w)
{
    uint64_t window_us = (uint64_t)c->cfg.prefetch_ms * 1000;
    uint32_t slots = w->row.slots > w->long_cores ? w->row.slots - w->long_cores : 0;
    uint64_t extra = slots * window_us / a->mean_us;

    return extra < GRANTS_MAX ? extra : GRANTS_MAX;
}

static bool takes_more(struct core *c, const struct array *a, const struct worker *w)
{
    const struct needs *n = &a->shape->needs;

    c->n_looks++;
    if (!worker_open(w) || (w->reserved && w->reserved != a->shape) ||
        w->n_leases >= GRANTS_MAX + w->row.slots || n->cores > w->row.slots ||
        n->memory_mib > w->row.memory_mib || !room_may_start(c, a->shape, w))
        return false;
    uint64_t extra = extra_tasks(c, a, w);
    return w->cores_used + n->cores <= w->row.slots + extra * n->cores &&
           (!n->memory_mib ||
            w->memory_used + n->memory_mib <= w->row.memory_mib + extra * n->memory_mib);
}

/* Round and round over the workers; over those where something became free, when the others were
 * looked at in the last pass. */
static struct worker *find_queue(struct core *c, struct array *a)
{
    struct lane *la = a->claim->lane;
    struct worker **among = la->full ? c->grown : c->workers;
    size_t n = la->full ? c->n_grown : c->n_workers;

    for (size_t i = 0; i < n; i++) {
        struct worker *w = among[c->turn++ % n];
        if (takes_more(c, a, w))
            return w;
    }
    la->full = true;
    return NULL;
}

/* --- giving out --- */

static void grant(struct core *c, struct worker *w, struct array *a, task_id task)
{
    struct lease *l = lease_grant(c, w, a, task);

    const struct trouble *t = trouble_find(c, task);

    share_charge(l);
    l->again = t && t->ran;
    l->unsent = true;
    if (w->assigned)
        return;
    w->assigned = true;
    if (c->n_assigned == c->cap_assigned) {
        c->cap_assigned = c->cap_assigned ? 2 * c->cap_assigned : 64;
        c->assigned = realloc(c->assigned, c->cap_assigned * sizeof(struct worker *));
        must(c->assigned != NULL);
    }
    c->assigned[c->n_assigned++] = w;
}

/* Everybody's turn, until nobody finds a worker; at most so many grants. */
static uint64_t give_out(struct core *c, bool beyond, uint64_t budget)
{
    uint32_t widest = share_widest(c);
    struct array *a;
    task_id task;

    share_begin(c);
    c->n_with_room = c->n_grown;
    while (budget && (a = share_first(c, beyond)) != NULL) {
        if (!beyond && !c->n_loose && !c->n_with_room)
            break; /* what became free is taken, and the rest had no room before */
        struct worker *w =
            beyond ? find_queue(c, a) : room_find(c, a, a->shape->needs.cores < widest);
        if (!w && !beyond)
            room_wait(c, a);
        if (!w || !array_next_ready(a, &task)) {
            share_pass(c, a, beyond);
            continue;
        }
        grant(c, w, a, task);
        budget--;
    }
    share_over(c);
    return budget;
}

/* One assign for each array that a worker got tasks of. */
static void send_assigns(struct worker *w, struct outbox *out)
{
    struct lease *first = w->leases->prev, *l; /* utlist: the last one */

    while (first != w->leases && first->prev->unsent)
        first = first->prev;
    for (; first; first = first->next) {
        if (!first->unsent)
            continue;
        struct array *a = first->array;
        bool again = first->again;
        struct send *s = out_send(out, SEND_ASSIGN, w->peer);
        s->array = a->row.id;
        s->limit_ms = a->limit_ms;
        s->flag = again;
        for (l = first; l; l = l->next) {
            if (l->array != a || l->again != again)
                continue;
            out_grant(out, s, l->id, l->task);
            l->unsent = false;
        }
    }
    w->assigned = false;
}

/* --- taking back --- */

static void recall_for_idle(struct core *c, struct outbox *out)
{
    struct worker *fullest = NULL;
    uint32_t most = 0;
    bool idle = false;

    if (!c->rooms_used || c->n_listed)
        return;
    for (size_t i = 0; i < c->n_workers; i++) {
        struct worker *w = c->workers[i];
        if (w->link == WORKER_UP && w->cores_used > w->row.slots + most &&
            c->now >= w->recall_until && w->leases &&
            w->leases->array->mean_us >= RECALL_WORTH_US) {
            most = w->cores_used - w->row.slots;
            fullest = w;
        }
    }
    for (size_t i = 0; fullest && i < c->n_workers && !idle; i++)
        idle =
            c->workers[i] != fullest && room_fits(c, fullest->leases->prev->shape, c->workers[i]);
    if (!idle)
        return;
    struct send *s = out_send(out, SEND_RECALL, fullest->peer);
    s->n = (most + 1) / 2;
    fullest->recall_until = c->now + RECALL_WAIT_MS;
}

/* Calls that run where another one ran come first: nobody else takes them. */
static void grant_followers(struct core *c, struct worker *w)
{
    size_t kept = 0, at = 0;
    struct array *a;

    for (; at < w->n_wanted && w->room; at++) {
        task_id task = w->wanted[at];
        if (!follow_is_for(c, w, task, &a))
            continue;
        if (a->mode == MODE_ACTIVE && share_allows(a) && room_fits(c, a->shape, w))
            grant(c, w, a, task);
        else if (!follow_give_up(c, w, a, task))
            w->wanted[kept++] = task;
    }
    while (at < w->n_wanted)
        w->wanted[kept++] = w->wanted[at++];
    w->n_wanted = kept;
}

void dispatch(struct core *c, struct outbox *out)
{
    dispatch_delayed(c);
    if (!c->want_dispatch || dispatch_settling(c))
        return;
    c->want_dispatch = false;
    for (size_t i = 0; i < c->n_workers; i++)
        grant_followers(c, c->workers[i]);
    uint64_t left = give_out(c, false, GRANTS_MAX);
    if (left)
        left = give_out(c, true, left);
    for (size_t i = 0; i < c->n_assigned; i++)
        send_assigns(c->assigned[i], out);
    c->n_assigned = 0;
    if (!left) {
        c->want_dispatch = true; /* the budget of a step is spent: go on in the next */
        return;
    }
    room_pass_over(c);
    speculate(c, out);
    recall_for_idle(c, out);
}

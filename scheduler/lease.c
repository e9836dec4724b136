/* lease - one task given to one worker. */

#include <stdlib.h>
#include <utlist.h>

#include "base/must.h"
#include "scheduler/state.h"

struct lease *lease_find(const struct core *c, lease_id id)
{
    struct lease *l;

    HASH_FIND(hh, c->leases, &id.n, sizeof id.n, l);
    return l;
}

static struct lease *make(struct core *c, struct worker *w, struct array *a, task_id task,
                          lease_id id)
{
    struct lease *l = calloc(1, sizeof *l);

    must(l != NULL && id.n && !lease_find(c, id));
    l->id = id;
    l->task = task;
    l->array = a;
    l->worker = w;
    HASH_ADD(hh, c->leases, id.n, sizeof l->id.n, l);
    DL_APPEND(w->leases, l);
    w->n_leases++;
    a->n_leases++;
    l->shape = shape_hold_again(a->shape);
    room_take(c, l);
    return l;
}

struct lease *lease_adopt(struct core *c, struct worker *w, struct array *a, task_id task,
                          lease_id id)
{
    struct lease *l = make(c, w, a, task, id);

    array_move(c, a, task, TASK_LEASED);
    return l;
}

static lease_id next_id(struct core *c)
{
    must(c->next_sequence < UINT32_MAX); /* 4 billion leases in one epoch: start again */
    return lease_make(c->cfg.epoch, c->next_sequence++);
}

struct lease *lease_twin(struct core *c, struct worker *w, struct lease *l)
{
    struct lease *backup = make(c, w, l->array, l->task, next_id(c));

    l->had_backup = backup->had_backup = true;
    backup->backup = true;
    backup->twin = l;
    l->twin = backup;
    return backup;
}

struct lease *lease_grant(struct core *c, struct worker *w, struct array *a, task_id task)
{
    return lease_adopt(c, w, a, task, next_id(c));
}

void lease_end(struct core *c, struct lease *l, struct outbox *out)
{
    struct worker *w = l->worker;

    lease_forget_durable(l, out);
    twin_part(l);
    must(w->n_leases > 0);
    if (!l->measured)
        share_measured(c, l, 0); /* it never ran */
    w->n_leases--;
    l->array->n_leases--;
    array_touch(c, l->array); /* a retired one goes with its last lease */
    room_give(c, l);
    shape_drop(c, l->shape);
    DL_DELETE(w->leases, l);
    HASH_DELETE(hh, c->leases, l);
    free(l);
    c->want_dispatch = true;
}

void lease_revoke(struct core *c, struct lease *l, struct outbox *out)
{
    (void)c;
    if (l->revoked)
        return;
    l->revoked = true; /* a worker that is away hears it after its hello */
    if (l->worker->link == WORKER_UP)
        out_grant(out, out_send(out, SEND_REVOKE, l->worker->peer), l->id, l->task);
}

void lease_revoke_array(struct core *c, struct array *a, struct outbox *out)
{
    for (size_t i = 0; i < c->n_workers; i++) {
        struct lease *l;
        DL_FOREACH(c->workers[i]->leases, l)
        if (l->array == a && array_state(a, l->task) == TASK_LEASED)
            lease_revoke(c, l, out);
    }
}

void lease_forget_durable(struct lease *l, struct outbox *out)
{
    if (l->durable)
        out_change(out, CHG_STOPPED)->end.lease = l->id;
    l->durable = false;
}

void lease_recall_array(struct core *c, struct array *a, struct outbox *out)
{
    for (size_t i = 0; i < c->n_workers; i++) {
        struct worker *w = c->workers[i];
        struct lease *l;
        bool holds = false;
        DL_FOREACH(w->leases, l)
        holds = holds || l->array == a;
        if (holds && w->link == WORKER_UP && w->cores_used > w->row.slots)
            out_send(out, SEND_RECALL, w->peer)->n = w->n_leases;
    }
}

uint64_t lease_running(const struct core *c, const struct live *st)
{
    uint64_t n = 0;

    for (size_t i = 0; i < c->n_workers; i++) {
        const struct worker *w = c->workers[i];
        uint32_t cores = 0;
        struct lease *l;
        DL_FOREACH(w->leases, l)
        {
            cores += l->shape->needs.cores;
            if (cores > w->row.slots)
                break; /* it and those behind it wait */
            n += l->array->study == st && !l->orphan && !l->backup;
        }
    }
    return n;
}

void lease_make_durable(struct lease *l, struct outbox *out)
{
    if (l->durable || l->orphan)
        return;
    l->durable = true;
    struct change *ch = out_change(out, CHG_RUNNING);
    ch->end.task = l->task;
    ch->end.lease = l->id;
    ch->end.worker = l->worker->row.id;
    ch->end.started_ms = l->started_ms;
}

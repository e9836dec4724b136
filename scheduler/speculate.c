/* speculate - backup attempts for stragglers. At the end of a study that asks for it, when nothing
 * else is ready and slots idle, a task that has run SPECULATE_TIMES longer than the median gets a
 * second lease, on another worker. The two are twins: one of them is the task's lease, the other
 * the backup; the task stays leased. The first success counts and the other lease is given up. A
 * twin that ends in any other way (fails, is lost, is stopped) is only kept as an attempt, which
 * costs nothing, and the other one is the task's lease from then on. */

#include <utlist.h>

#include "base/must.h"
#include "scheduler/state.h"

enum {
    SPECULATE_TIMES = 3,
    SPECULATE_MIN_MS = 1000, /* a backup for less is not worth its start */
    SPECULATE_STEP = 64,     /* backups in one step */
};

void twin_part(struct lease *l)
{
    if (!l->twin)
        return;
    l->twin->backup = l->backup = false;
    l->twin->twin = NULL;
    l->twin = NULL;
}

void twin_beaten(struct core *c, struct lease *l, struct outbox *out)
{
    struct lease *other = l->twin;

    if (!other)
        return;
    twin_part(l);
    trouble_get(c, l->task); /* the other may bring a result yet: remember whose won */
    other->orphan = true;
    lease_forget_durable(other, out);
    lease_revoke(c, other, out);
}

static bool at_its_end(const struct array *a)
{
    return a->row.policy.speculate && a->mode == MODE_ACTIVE && a->row.closed && a->median &&
           a->median->n >= MEDIAN_NEEDS && !a->count[TASK_READY] && !a->count[TASK_WAITING] &&
           !a->count[TASK_BLOCKED];
}

static bool straggles(const struct core *c, const struct lease *l)
{
    if (l->twin || l->had_backup || l->orphan || l->revoked || l->finished || !l->started_ms)
        return false;
    ms_t elapsed = c->now - l->started_ms;
    return elapsed >= SPECULATE_MIN_MS &&
           (uint64_t)elapsed * 1000 >= SPECULATE_TIMES * median_us(l->array->median);
}

/* The worker with the most room that is not the one where it runs. */
static struct worker *other_worker(struct core *c, const struct lease *l)
{
    struct worker *best = NULL;

    for (size_t i = 0; i < c->n_workers; i++) {
        struct worker *w = c->workers[i];
        if (w == l->worker || w->reserved || !room_fits(c, l->shape, w))
            continue;
        if (!best || room_free(w) > room_free(best))
            best = w;
    }
    return best;
}

void speculate_wake(struct core *c, const struct lease *l)
{
    if (!c->want_dispatch && at_its_end(l->array) && straggles(c, l))
        c->want_dispatch = true;
}

void speculate(struct core *c, struct outbox *out)
{
    uint32_t n = 0;

    if (!c->n_speculating || !c->rooms_used)
        return;
    for (size_t i = 0; i < c->n_workers && n < SPECULATE_STEP; i++) {
        struct lease *l, *next;
        DL_FOREACH_SAFE(c->workers[i]->leases, l, next)
        {
            if (!at_its_end(l->array) || !straggles(c, l))
                continue;
            struct worker *w = other_worker(c, l);
            if (!w)
                continue;
            struct lease *backup = lease_twin(c, w, l);
            share_charge(backup);
            struct send *s = out_send(out, SEND_ASSIGN, w->peer);
            s->array = l->array->row.id;
            s->limit_ms = l->array->limit_ms;
            out_grant(out, s, backup->id, backup->task);
            n++;
        }
    }
}

/* follow - calls that run on the worker where another one ran. */

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/needs.h"
#include "scheduler/state.h"

static bool can_run(const struct core *c, const struct worker *w, const struct array *a)
{
    return !w->leaving && !w->quarantined && room_in_time(c, a->shape, w) &&
           needs_fit(&a->shape->needs, &w->row);
}

/* Whether a call is free to run and waits only for the worker with this id. */
static bool waits_for(const struct array *a, uint64_t index, uint32_t worker)
{
    const struct graph_part *g = a->graph;

    return g && g->ran_on && worker && g->ran_on[index] == worker &&
           a->state[index] == TASK_BLOCKED && graph_wants(a, index) == TASK_READY;
}

bool follow_waits(const struct core *c, const struct array *a, uint64_t index)
{
    uint32_t worker = a->graph && a->graph->ran_on ? a->graph->ran_on[index] : 0;

    return waits_for(a, index, worker) && pool_by_id(c, (worker_id){ worker }) != NULL;
}

bool follow_wait(struct core *c, struct array *a, uint64_t index)
{
    struct graph_part *g = a->graph;

    if (!g || !g->ran_on || !g->ran_on[index])
        return false;
    struct worker *w = pool_by_id(c, (worker_id){ g->ran_on[index] });
    if (!w || !can_run(c, w, a)) {
        g->ran_on[index] = 0;
        return false;
    }
    if (w->n_wanted == w->cap_wanted) {
        w->cap_wanted = w->cap_wanted ? 2 * w->cap_wanted : 16;
        w->wanted = realloc(w->wanted, w->cap_wanted * sizeof *w->wanted);
        must(w->wanted != NULL);
    }
    w->wanted[w->n_wanted++] = (task_id){ a->row.first.n + index };
    c->want_dispatch = true;
    return true;
}

bool follow_is_for(const struct core *c, const struct worker *w, task_id task, struct array **a)
{
    *a = array_of_task(c, task);
    return *a && waits_for(*a, task.n - (*a)->row.first.n, w->row.id.n);
}

bool follow_give_up(struct core *c, struct worker *w, struct array *a, task_id task)
{
    if (can_run(c, w, a))
        return false;
    a->graph->ran_on[task.n - a->row.first.n] = 0;
    array_move(c, a, task, TASK_READY);
    return true;
}

void follow_release(struct core *c, struct worker *w)
{
    struct array *a;

    for (size_t i = 0; i < w->n_wanted; i++) {
        if (!follow_is_for(c, w, w->wanted[i], &a))
            continue;
        a->graph->ran_on[w->wanted[i].n - a->row.first.n] = 0;
        array_move(c, a, w->wanted[i], TASK_READY);
    }
    w->n_wanted = 0;
}

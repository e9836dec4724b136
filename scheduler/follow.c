/* follow - calls that run on the worker where another one ran. */

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/needs.h"
#include "scheduler/state.h"

/* Ends that come after an array's places were learned are noted by graph_moved. */
void follow_late(struct core *c, struct array *a, uint64_t index, struct array *on, uint64_t i)
{
    struct graph_part *g = graph_part(on);

    if (g->ended_on) {
        graph_u32(&a->graph->ran_on, a->graph->cap)[index] = g->ended_on[i];
        return;
    }
    c->graph.n_places_due += !g->places_due;
    g->places_due = true;
}

bool core_places_due(const struct core *c, array_id *array)
{
    for (size_t i = 0; c->graph.n_places_due && i < c->n_arrays; i++) {
        const struct graph_part *g = c->arrays[i]->graph;
        if (!g || !g->places_due)
            continue;
        *array = c->arrays[i]->row.id;
        return true;
    }
    return false;
}

/* Those that follow a task: what has not started yet goes where it ran. */
static void lead(struct core *c, uint32_t head, uint32_t worker)
{
    for (uint32_t at = head; at; at = c->graph.waiters[at - 1].next) {
        const struct waiter *w = &c->graph.waiters[at - 1];
        struct array *a = w->lead ? array_by_id(c, (array_id){ w->array }) : NULL;
        if (!a || !a->graph || graph_u32(&a->graph->ran_on, a->graph->cap)[w->index])
            continue;
        a->graph->ran_on[w->index] = worker;
        if (a->state[w->index] == TASK_READY && follow_wait(c, a, w->index))
            array_move(c, a, (task_id){ a->row.first.n + w->index }, TASK_BLOCKED);
    }
}

void on_places(struct core *c, const struct event *ev)
{
    struct array *a = array_by_id(c, ev->array_id);
    struct graph_part *g = a ? a->graph : NULL;

    if (!g || !g->places_due)
        return;
    g->places_due = false;
    c->graph.n_places_due--;
    graph_u32(&g->ended_on, graph_part(a)->cap);
    for (uint64_t i = 0; i < a->row.n && i < ev->n; i++) {
        if (!task_state_ended((enum task_state)a->state[i]) || !ev->places[i])
            continue;
        g->ended_on[i] = ev->places[i];
        if (g->heads)
            lead(c, g->heads[i], ev->places[i]);
    }
}

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

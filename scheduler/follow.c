/* follow - calls that run on the worker where another one ran. */

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/needs.h"
#include "scheduler/state.h"

/* A task that this one may follow ended there: of several it follows the one that ended first. Also
 * when that worker is gone, so that it does not depend on what was known first. */
static bool leads(struct array *a, uint64_t index, struct core_place at)
{
    struct core_place *now = &graph_places(&a->graph->follows, a->graph->cap)[index];

    if (!at.n || (now->n && now->n <= at.n))
        return false;
    *now = at;
    return true;
}

/* Ends that come after an array's places were learned are noted by graph_moved. */
void follow_late(struct core *c, struct array *a, uint64_t index, struct array *on, uint64_t i)
{
    struct graph_part *g = graph_part(on);

    if (g->ended) {
        leads(a, index, g->ended[i]);
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

/* Those that may follow a task: what has not started yet goes where it ran. */
static void lead(struct core *c, uint32_t head, struct core_place place, bool success)
{
    for (uint32_t at = head; at; at = c->graph.waiters[at - 1].next) {
        const struct waiter *w = &c->graph.waiters[at - 1];
        struct array *a = w->lead ? array_by_id(c, (array_id){ w->array }) : NULL;
        uint64_t index = w->index;
        if (!a || !a->graph || !graph_counts((uint8_t)a->graph->waits[index].rule, success) ||
            !leads(a, index, place))
            continue;
        task_id task = { a->row.first.n + index };
        if (a->state[index] == TASK_READY && follow_wait(c, a, index))
            array_move(c, a, task, TASK_BLOCKED);
        else if (a->state[index] == TASK_BLOCKED && graph_wants(a, index) == TASK_READY)
            array_move(c, a, task, TASK_READY); /* it waited for another worker */
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
    c->graph.n_ends = ev->at;
    graph_places(&g->ended, graph_part(a)->cap);
    for (uint64_t i = 0; i < a->row.n && i < ev->n; i++) {
        if (!task_state_ended((enum task_state)a->state[i]))
            continue;
        g->ended[i] = ev->places[i];
        if (g->heads)
            lead(c, g->heads[i], ev->places[i], a->state[i] == TASK_DONE);
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

    return g && g->follows && worker && g->follows[index].worker == worker &&
           a->state[index] == TASK_BLOCKED && graph_wants(a, index) == TASK_READY;
}

bool follow_waits(const struct core *c, const struct array *a, uint64_t index)
{
    uint32_t worker = a->graph && a->graph->follows ? a->graph->follows[index].worker : 0;

    return waits_for(a, index, worker) && pool_by_id(c, (worker_id){ worker }) != NULL;
}

bool follow_wait(struct core *c, struct array *a, uint64_t index)
{
    struct graph_part *g = a->graph;

    if (!g || !g->follows || !g->follows[index].worker)
        return false;
    struct worker *w = pool_by_id(c, (worker_id){ g->follows[index].worker });
    if (!w || !can_run(c, w, a)) {
        g->follows[index].worker = 0;
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
    a->graph->follows[task.n - a->row.first.n].worker = 0;
    array_move(c, a, task, TASK_READY);
    return true;
}

void follow_release(struct core *c, struct worker *w)
{
    struct array *a;

    for (size_t i = 0; i < w->n_wanted; i++) {
        if (!follow_is_for(c, w, w->wanted[i], &a))
            continue;
        a->graph->follows[w->wanted[i].n - a->row.first.n].worker = 0;
        array_move(c, a, w->wanted[i], TASK_READY);
    }
    w->n_wanted = 0;
}

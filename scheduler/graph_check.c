/* graph_check - that the counters of all waiters are what the edges and the ends say. For tests. */

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "scheduler/state.h"

/* Counts for every task anew what its counters should be; [a of c->arrays][index]. */
static void count_edges(const struct core *c, const struct array *on, struct wait **counted)
{
    const struct graph_part *g = on->graph;

    for (uint64_t i = 0; g->heads && i < on->row.n; i++) {
        enum task_state state = (enum task_state)on->state[i];
        for (uint32_t at = g->heads[i]; at; at = c->graph.waiters[at - 1].next) {
            const struct waiter *w = &c->graph.waiters[at - 1];
            const struct array *a = array_by_id(c, (array_id){ w->array });
            if (!a)
                continue;
            size_t k = 0;
            while (c->arrays[k] != a)
                k++;
            must(w->index < a->row.n && counted[k] != NULL);
            struct wait *n = &counted[k][w->index];
            uint8_t rule = (uint8_t)a->graph->waits[w->index].rule;
            if (!task_state_ended(state))
                n->open++;
            else if (graph_counts(rule, state == TASK_DONE) == ((rule & RULE_ANY) != 0))
                n->hits++;
        }
    }
}

static void count_elements(const struct array *a, struct wait *counted)
{
    for (const struct array_wait *aw = a->graph->in; aw; aw = aw->next_in)
        for (uint64_t i = 0; aw->element && aw->on && i < a->row.n; i++) {
            enum task_state state = (enum task_state)aw->on->state[i];
            if (!task_state_ended(state))
                counted[i].open++;
            else if (!graph_counts(aw->rule, state == TASK_DONE))
                counted[i].hits++;
        }
}

static void check_part(const struct core *c, const struct array *a, const struct wait *counted)
{
    uint32_t open = 0, bad = 0;

    for (const struct array_wait *aw = a->graph->in; aw; aw = aw->next_in) {
        open += !aw->element && aw->outcome == OUTCOME_PENDING;
        bad += !aw->element && aw->outcome == OUTCOME_BAD;
        if (!aw->on)
            return; /* waits for what was replaced */
    }
    must(open == a->graph->gate_open && bad == a->graph->gate_bad);
    for (uint64_t i = 0; i < a->row.n && !a->retired; i++) {
        enum task_state state = (enum task_state)a->state[i], want = graph_wants(a, i);
        if (counted) {
            must(counted[i].hits == a->graph->waits[i].hits);
            must(counted[i].open <= a->graph->waits[i].open); /* more: on what was replaced */
        }
        if (a->study->cancelling)
            continue;
        if (state == TASK_READY || state == TASK_UNMET)
            must(want == state);
        if (state == TASK_BLOCKED)
            must(want == TASK_BLOCKED || follow_waits(c, a, i));
    }
}

/* What is counted beside the lists is as long as they are. */
static void check_lists(const struct core *c)
{
    size_t due = 0, used = 0;
    const struct array_wait *aw;

    for (size_t i = 0; i < c->n_arrays; i++) {
        const struct graph_part *g = c->arrays[i]->graph;
        size_t in = 0, out = 0;
        if (!g)
            continue;
        for (aw = g->in; aw; aw = aw->next_in)
            in += aw->element;
        for (aw = g->out; aw; aw = aw->next_out)
            out += aw->element;
        must(in == g->n_elements_in && out == g->n_elements_out);
        due += g->places_due;
        for (uint64_t k = 0; g->heads && k < g->cap; k++)
            for (uint32_t at = g->heads[k]; at; at = c->graph.waiters[at - 1].next)
                used++;
    }
    for (uint32_t at = c->graph.free_waiter; at; at = c->graph.waiters[at - 1].next)
        used++;
    must(due == c->graph.n_places_due && used == c->graph.n_waiters);
}

void graph_check(const struct core *c)
{
    bool any = false;

    check_lists(c);
    for (size_t i = 0; i < c->n_arrays; i++)
        any |= c->arrays[i]->graph != NULL;
    if (!any || c->graph.n_jobs || !c->restored)
        return; /* what is queued is not counted yet */
    struct wait **counted = calloc(c->n_arrays, sizeof *counted);
    must(counted != NULL);
    for (size_t i = 0; i < c->n_arrays; i++) {
        const struct array *a = c->arrays[i];
        if (!a->graph || !a->graph->waits)
            continue;
        counted[i] = calloc(a->row.n + 1, sizeof **counted);
        must(counted[i] != NULL);
        count_elements(a, counted[i]);
    }
    for (size_t i = 0; i < c->n_arrays; i++)
        if (c->arrays[i]->graph)
            count_edges(c, c->arrays[i], counted);
    for (size_t i = 0; i < c->n_arrays; i++) {
        if (c->arrays[i]->graph)
            check_part(c, c->arrays[i], counted[i]);
        free(counted[i]);
    }
    free(counted);
}

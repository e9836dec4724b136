/* graph_arrays - arrays that wait for arrays: as a whole they are gated, element by element it is
 * an edge for each task. */

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "scheduler/state.h"

enum { SUM_ENDED = 1, SUM_SUCCESS = 2, SUM_FAILURE = 4, SUM_TOLD = 8 };

static unsigned summary_of(const struct array *a)
{
    bool failed = a->count[TASK_FAILED] || a->count[TASK_CANCELLED] || a->count[TASK_QUARANTINED] ||
                  a->count[TASK_UNMET];

    return SUM_TOLD | (array_ended(a) ? SUM_ENDED : 0) | (a->count[TASK_DONE] ? SUM_SUCCESS : 0) |
           (failed ? SUM_FAILURE : 0);
}

static enum outcome outcome_of(const struct array_wait *aw)
{
    if (!aw->on)
        return OUTCOME_PENDING; /* it was replaced: until the study is submitted again */
    unsigned sum = summary_of(aw->on);
    bool right = (sum & SUM_SUCCESS && graph_counts(aw->rule, true)) ||
                 (sum & SUM_FAILURE && graph_counts(aw->rule, false));
    bool wrong = (sum & SUM_SUCCESS && !graph_counts(aw->rule, true)) ||
                 (sum & SUM_FAILURE && !graph_counts(aw->rule, false));

    if (aw->rule & RULE_ANY)
        return right ? OUTCOME_GOOD : sum & SUM_ENDED ? OUTCOME_BAD : OUTCOME_PENDING;
    if (wrong)
        return OUTCOME_BAD;
    return sum & SUM_ENDED ? OUTCOME_GOOD : OUTCOME_PENDING;
}

/* The first task of it that did not end as it had to: what is shown as the reason. */
static task_id first_wrong(const struct array_wait *aw)
{
    const struct array *on = aw->on;

    for (uint64_t i = 0; on && i < on->row.n; i++) {
        enum task_state s = (enum task_state)on->state[i];
        if (task_state_ended(s) && s != TASK_SKIPPED && !graph_counts(aw->rule, s == TASK_DONE))
            return (task_id){ on->row.first.n + i };
    }
    return (task_id){ 0 };
}

static void weigh(struct core *c, struct array_wait *aw)
{
    struct graph_part *g = aw->of->graph;
    enum outcome now = outcome_of(aw);
    bool was_bad = g->gate_bad > 0;

    if (now == aw->outcome)
        return;
    g->gate_open += (uint32_t)(now == OUTCOME_PENDING) - (uint32_t)(aw->outcome == OUTCOME_PENDING);
    g->gate_bad += (uint32_t)(now == OUTCOME_BAD) - (uint32_t)(aw->outcome == OUTCOME_BAD);
    aw->outcome = now;
    live_mode_of(c, aw->of);
    if (now == OUTCOME_BAD)
        g->gate_because = first_wrong(aw);
    if (was_bad != (g->gate_bad > 0))
        graph_sweep(c, aw->of);
}

void graph_array_moved(struct core *c, struct array *a)
{
    struct graph_part *g = a->graph;

    if (!g || !g->out || !c->restored)
        return; /* within a start arrays are still filled: they are weighed at its end */
    unsigned sum = summary_of(a);
    if (sum == g->summary)
        return;
    g->summary = sum;
    for (struct array_wait *aw = g->out; aw; aw = aw->next_out)
        if (!aw->element)
            weigh(c, aw);
}

void graph_look_up(struct core *c, struct array *a)
{
    for (struct array_wait *aw = a->graph->in; aw; aw = aw->next_in)
        if (aw->on->touched)
            graph_array_moved(c, aw->on);
}

const char *graph_refuses_after(const struct core *c, const struct array_row *row)
{
    for (size_t i = 0; i < row->n_after; i++) {
        const struct array_edge *e = &row->after[i];
        const struct array *on = array_by_id(c, e->on);
        if (e->on.n == row->id.n)
            return "an array waits for itself";
        if (!on || on->retired)
            return "an array waits for one that is not known";
        if (e->rule & ~RULE_BITS)
            return "a rule that is not known";
        if (e->element && e->rule & RULE_ANY)
            return "element by element there is only one task to wait for";
        if (e->element && row->kind == ARRAY_POINTS && row->n > on->row.n)
            return "an array waits element by element for one that has fewer";
    }
    return NULL;
}

static void link_arrays(struct core *c, struct array *a, const struct array_edge *e)
{
    struct array_wait *aw = calloc(1, sizeof *aw);

    must(aw != NULL);
    aw->of = a;
    aw->on = array_by_id(c, e->on);
    aw->rule = e->rule;
    aw->element = e->element;
    struct graph_part *g = graph_part(a);
    aw->next_in = g->in;
    g->in = aw;
    if (aw->on) {
        struct graph_part *of = graph_part(aw->on);
        aw->next_out = of->out;
        of->out = aw;
        of->n_elements_out += e->element;
    }
    if (e->element) {
        g->n_elements_in++;
        return;
    }
    g->gate_open++;
    if (c->restored)
        weigh(c, aw);
}

void graph_attach(struct core *c, struct array *a, const struct array_row *row)
{
    for (size_t i = row->n_after; i-- > 0;)
        link_arrays(c, a, &row->after[i]);
    if (row->n_after && a->graph->n_elements_in)
        graph_append_elements(c, a, 0, a->row.n);
    else if (row->n_after && a->row.n)
        graph_sweep(c, a);
    live_mode_of(c, a);
}

static void unlink_out(struct array_wait *aw)
{
    struct graph_part *g = aw->on ? aw->on->graph : NULL;

    if (!g)
        return;
    struct array_wait **at = &g->out;
    while (*at != aw)
        at = &(*at)->next_out;
    *at = aw->next_out;
    g->n_elements_out -= aw->element;
}

void graph_detach(struct core *c, struct array *a)
{
    struct graph_part *g = a->graph;
    bool elements = g && g->n_elements_in > 0;

    while (g && g->in) {
        struct array_wait *aw = g->in;
        g->in = aw->next_in;
        unlink_out(aw);
        free(aw);
    }
    if (!g)
        return;
    g->gate_open = g->gate_bad = 0;
    g->n_elements_in = 0;
    if (elements)
        memset(g->waits, 0, g->cap * sizeof *g->waits);
    graph_sweep(c, a);
}

void graph_unlink(struct array *a)
{
    struct graph_part *g = a->graph;

    while (g->out) { /* what they were told of it stays */
        struct array_wait *aw = g->out;
        g->out = aw->next_out;
        aw->on = NULL;
    }
    while (g->in) {
        struct array_wait *aw = g->in;
        g->in = aw->next_in;
        unlink_out(aw);
        free(aw);
    }
}

void graph_restored(struct core *c)
{
    for (size_t i = 0; i < c->n_arrays; i++)
        if (c->arrays[i]->graph)
            graph_array_moved(c, c->arrays[i]);
}

/* calls - what is true of studies that are arrays of calls: which call waits for which, and how.
 * Functions of the seed, like the points of world.c. The oracle judges by them alone, so an edge
 * that the core or the disk forgets is seen. */

#include "base/must.h"
#include "tests/sim/sim.h"

static uint64_t drawn(const struct sim *s, const struct array_row *row, uint64_t index,
                      uint64_t what)
{
    return rng_mix(rng_mix(s->seed ^ rng_mix(row->study.n * 7919 + index)) + 100 + what);
}

bool world_calls(const struct sim *s, study_id study)
{
    return s->opt.study[study.n - 1].calls;
}

size_t world_edges(const struct sim *s, const struct array_row *row, uint64_t index,
                   uint64_t on[EDGES_MAX])
{
    uint64_t n = drawn(s, row, index, 0) % (EDGES_MAX + 2);
    uint64_t far = drawn(s, row, index, 1) % 3 ? 6 : 1000;

    if (!index || n > EDGES_MAX || s->opt.study[row->study.n - 1].element)
        return 0;
    if (far > index)
        far = index;
    for (uint64_t i = 0; i < n; i++)
        on[i] = index - 1 - drawn(s, row, index, 2 + i) % far;
    return n;
}

uint8_t world_rule(const struct sim *s, const struct array_row *row, uint64_t index)
{
    static const unsigned rules[] = { 0,
                                      0,
                                      0,
                                      RULE_ANY,
                                      RULE_ON_FAILURE,
                                      RULE_ON_FAILURE | RULE_ANY,
                                      RULE_NOT_SUCCESS | RULE_ON_FAILURE,
                                      RULE_NOT_SUCCESS | RULE_ON_FAILURE | RULE_ANY };
    unsigned rule = rules[drawn(s, row, index, 20) % (sizeof rules / sizeof *rules)];

    return (uint8_t)(drawn(s, row, index, 21) % 4 ? rule : rule | RULE_FOLLOW);
}

static enum verdict edges_verdict(const struct sim *s, const struct array_row *row, uint64_t index,
                                  world_state_fn state)
{
    uint64_t on[EDGES_MAX], right = 0, wrong = 0;

    if (!world_calls(s, row->study))
        return VERDICT_RUN;
    uint8_t rule = world_rule(s, row, index);
    size_t n = world_edges(s, row, index, on);
    for (size_t i = 0; i < n; i++) {
        enum task_state is = state(s, (task_id){ row->first.n + on[i] });
        if (is == N_TASK_STATES || !task_state_ended(is))
            continue;
        if (is == TASK_DONE ? !(rule & RULE_NOT_SUCCESS) : (rule & RULE_ON_FAILURE) != 0)
            right++;
        else
            wrong++;
    }
    if (!n)
        return VERDICT_RUN;
    if (rule & RULE_ANY)
        return right ? VERDICT_RUN : wrong == n ? VERDICT_NEVER : VERDICT_WAIT;
    return wrong ? VERDICT_NEVER : right == n ? VERDICT_RUN : VERDICT_WAIT;
}

enum verdict world_verdict(const struct sim *s, task_id task, world_state_fn state)
{
    const struct array_row *row = world_array_of(s, task);
    uint64_t index = task.n - row->first.n;
    enum verdict edges = edges_verdict(s, row, index, state);
    enum verdict stages = stages_verdict(s, row, index, state);

    return edges > stages ? edges : stages;
}

void world_append(const struct sim *s, const struct array_row *row, uint64_t at, uint64_t n,
                  struct world_append *w)
{
    uint64_t on[EDGES_MAX];

    must(n <= APPEND_MAX);
    w->n_edges = 0;
    for (uint64_t i = 0; i < n; i++) {
        size_t edges = world_edges(s, row, at + i, on);
        w->rules[i] = world_rule(s, row, at + i);
        for (size_t k = 0; k < edges; k++)
            w->edges[w->n_edges++] = (struct edge){ .call = i, .on = { row->first.n + on[k] } };
    }
}

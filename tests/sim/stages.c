/* stages - what is true of arrays that wait for arrays: a study may wait for the one before it, as
 * a whole or element by element. Drawn from the seed; the oracle judges by it alone. */

#include "base/must.h"
#include "tests/sim/sim.h"

static uint8_t draw_rule(struct rng *r, bool element)
{
    static const unsigned rules[] = { RULE_ALL, RULE_ON_FAILURE,
                                      RULE_ON_FAILURE | RULE_NOT_SUCCESS };
    unsigned rule = rules[rng_below(r, sizeof rules / sizeof *rules)];

    return (uint8_t)(!element && rng_below(r, 3) == 0 ? rule | RULE_ANY : rule);
}

/* Who waits and who is waited for is never halted: what is held for ever would wait for ever. What
 * is waited for is not edited: who waits for a design that was replaced waits until it is back. */
void stages_draw(struct options *o, uint64_t seed)
{
    struct rng r = { rng_mix(seed + 0x57a9e5) };

    for (uint32_t i = 1; i < SIM_STUDIES && !o->fault_free; i++) {
        struct study_options *st = &o->study[i], *on = &o->study[i - 1];
        if (rng_below(&r, 3))
            continue;
        st->after = on->fixed = true;
        st->element = !on->calls && rng_below(&r, 2);
        st->after_rule = draw_rule(&r, st->element);
        st->policy.halt_when = on->policy.halt_when = HALT_NEVER;
        st->fixed |= st->element;
        if (st->element && st->n > on->n)
            st->n = on->n;
    }
}

void stages_edge(struct sim *s, const struct array_row *on, struct array_row *row)
{
    const struct study_options *st = &s->opt.study[row->study.n - 1];
    struct array_edge *e = &s->after[row->study.n - 1];

    *e = (struct array_edge){ .on = on->id, .rule = st->after_rule, .element = st->element };
    row->after = e;
    row->n_after = 1;
}

static bool right(uint8_t rule, bool success)
{
    return success ? !(rule & RULE_NOT_SUCCESS) : (rule & RULE_ON_FAILURE) != 0;
}

static enum verdict of_element(const struct sim *s, const struct array_edge *e,
                               const struct core_array *on, uint64_t index, world_state_fn state)
{
    enum task_state is = index < on->n ? state(s, (task_id){ on->first.n + index }) : TASK_READY;

    if (!task_state_ended(is))
        return VERDICT_WAIT;
    return right(e->rule, is == TASK_DONE) ? VERDICT_RUN : VERDICT_NEVER;
}

/* Points that were left out are neither a success nor a failure. */
static enum verdict of_whole(const struct sim *s, const struct array_edge *e,
                             const struct core_array *on, world_state_fn state)
{
    bool open = !on->closed, good = false, bad = false;

    for (uint64_t i = 0; i < on->n; i++) {
        enum task_state is = state(s, (task_id){ on->first.n + i });
        open |= !task_state_ended(is);
        if (!task_state_ended(is) || is == TASK_SKIPPED)
            continue;
        good |= right(e->rule, is == TASK_DONE);
        bad |= !right(e->rule, is == TASK_DONE);
    }
    if (e->rule & RULE_ANY)
        return good ? VERDICT_RUN : open ? VERDICT_WAIT : VERDICT_NEVER;
    return bad ? VERDICT_NEVER : open ? VERDICT_WAIT : VERDICT_RUN;
}

enum verdict stages_verdict(const struct sim *s, const struct array_row *row, uint64_t index,
                            world_state_fn state)
{
    struct core_array on;

    if (!row->n_after)
        return VERDICT_RUN;
    if (!core_array(s->scheduler.core, row->after->on, &on))
        return VERDICT_WAIT;
    return row->after->element ? of_element(s, row->after, &on, index, state)
                               : of_whole(s, row->after, &on, state);
}

/* options - what kind of world a seed is. Swarm: each class of faults is off in half of the runs,
 * so that what one class would hide from another is seen too. */

#include <string.h>

#include "base/needs.h"
#include "tests/sim/sim.h"

static bool coin(struct rng *r)
{
    return rng_below(r, 2) == 0;
}

static ms_t between(struct rng *r, ms_t low, ms_t high)
{
    return low + (ms_t)rng_below(r, (uint64_t)(high - low) + 1);
}

static void draw_policy(struct policy *p, struct rng *r, bool fault_free)
{
    memset(p, 0, sizeof *p);
    p->needs.cores = 1;
    p->order_seed = rng_below(r, 3) ? 0 : rng_next(r);
    if (fault_free)
        return;
    p->retries = (uint32_t)rng_below(r, 4);
    p->timeout_ms = coin(r) ? between(r, 2000, 15000) : 0;
    p->timeout_percent = rng_below(r, 3) ? 0 : 300;
    p->grace_ms = coin(r) ? between(r, 50, 3000) : 0;
    p->needs.cores = 1 + (uint32_t)(rng_below(r, 4) == 0);
    p->needs.memory_mib = rng_below(r, 3) ? 0 : (uint32_t)between(r, 50, 700);
    p->priority = rng_below(r, 4) ? 0 : (int32_t)between(r, -2, 2);
    p->weight = (uint32_t)rng_below(r, 4);
    p->running_max = rng_below(r, 4) ? 0 : (uint32_t)between(r, 1, 6);
    p->speculate = coin(r);
    p->backoff_min_ms = coin(r) ? 0 : between(r, 10, 2000);
    p->backoff_max_ms = p->backoff_min_ms ? 2 * p->backoff_min_ms : 0;
    if (coin(r))
        needs_add_resource(&p->needs, "gpus", 1 + (uint32_t)rng_below(r, 2));
    if (rng_below(r, 4) == 0)
        needs_add_label(&p->needs, "big");
    if (rng_below(r, 12) == 0) {
        p->halt_when = coin(r) ? HALT_SOON : HALT_NOW;
        p->halt_fails = (uint32_t)between(r, 1, 5);
    }
    if (coin(r)) {
        p->exit_action[3] = EXIT_RETRY;
        p->exit_action[4] = EXIT_FATAL;
        p->exit_action[5] = p->retries & 1 ? EXIT_WARN : EXIT_OK;
    }
}

/* Few long points, many short ones, or a thousandfold range; some ten seconds of work each. */
static void draw_study(struct study_options *st, struct rng *r, bool fault_free)
{
    static const struct {
        ms_t fastest, slowest;
        uint64_t n;
    } scales[] = {
        { 1, 10, 300 }, { 10, 200, 120 }, { 200, 3000, 30 }, { 1500, 9000, 12 }, { 8, 8000, 40 },
    };
    size_t i = rng_below(r, sizeof scales / sizeof *scales);

    st->fastest = scales[i].fastest;
    st->slowest = scales[i].slowest;
    st->n = 1 + scales[i].n / 4 + rng_below(r, scales[i].n);
    st->skips = !fault_free && rng_below(r, 4) == 0;
    draw_policy(&st->policy, r, fault_free);
    st->policy.needs.least_ms = coin(r) ? st->fastest : 0;
}

/* Some studies are calls; drawn apart, so that the others of a seed stay what they were. */
static void draw_calls(struct options *o, uint64_t seed)
{
    struct rng r = { rng_mix(seed + 0xca115) };

    for (uint32_t i = 0; i < SIM_STUDIES && !o->fault_free; i++) {
        if (rng_below(&r, 3))
            continue;
        o->study[i].calls = true;
        o->study[i].skips = false;
        o->study[i].policy.order_seed = 0;
    }
}

/* Worker 0 does well: whatever is asked for can run somewhere. */
static void draw_farm(struct options *o, uint64_t seed)
{
    struct rng r = { rng_mix(seed + 0xfa53) };

    o->steers = coin(&r);
    for (uint32_t w = 1; w < SIM_WORKERS; w++)
        o->hole[w] = rng_below(&r, 12) == 0;
}

void options_draw(struct options *o, uint64_t seed)
{
    struct rng r = { rng_mix(seed) };

    memset(o, 0, sizeof *o);
    o->fault_free = rng_below(&r, 6) == 0;
    o->n_workers = 1 + (uint32_t)rng_below(&r, SIM_WORKERS - 1);
    for (uint32_t w = 0; w < SIM_WORKERS; w++)
        o->slots[w] = 2 + (uint32_t)rng_below(&r, coin(&r) ? 2 : 7);
    o->n_studies = o->fault_free ? 1 : 1 + (uint32_t)rng_below(&r, SIM_STUDIES);
    o->ends = coin(&r); /* worker 0 has all and stays: whatever is asked for can run somewhere */
    for (uint32_t w = 0; w < SIM_WORKERS; w++) {
        o->gpus[w] = w ? (uint32_t)rng_below(&r, 4) : 2;
        o->big[w] = !w || coin(&r);
    }
    for (uint32_t i = 0; i < SIM_STUDIES; i++)
        draw_study(&o->study[i], &r, o->fault_free);
    draw_calls(o, seed);
    o->delay_max = coin(&r) ? 2 : between(&r, 1, o->fault_free ? 10 : 150);
    o->commit_max = coin(&r) ? 2 : between(&r, 1, o->fault_free ? 10 : 60);
    o->dial_max = 490;
    o->safety_ms = between(&r, 5000, 30000);
    if (o->fault_free)
        return;
    o->fault_every_ms = between(&r, 200, 6000);
    o->request_every_ms = coin(&r) ? between(&r, 300, 5000) : 0;
    o->crash_scheduler = coin(&r);
    o->crash_after_commit = coin(&r);
    o->crash_worker = coin(&r);
    o->drain_worker = coin(&r);
    o->pause_worker = coin(&r);
    o->reset_link = coin(&r);
    o->clog_link = coin(&r);
    o->infra = coin(&r);
    o->tasks_fail = coin(&r);
    o->edits = coin(&r);
    draw_farm(o, seed);
    stages_draw(o, seed);
    if (rng_below(&r, 5) == 0) { /* only the scheduler dies: that alone must cost no long work */
        o->crash_scheduler = true;
        o->dial_max =
            1500; /* workers may take longer than SETTLE_MS to be back, not than ADOPT_MS */
        o->steers = false;
        o->crash_worker = o->drain_worker = o->pause_worker = o->reset_link = o->clog_link = false;
    }
}

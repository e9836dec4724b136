/* agent_calls: the agent with engines through long random lives. A model of two to four engines
 * does what the agent says and answers as engines do: in order, sometimes late, sometimes with a
 * crash, and what was withdrawn comes back only when it had not begun. Whatever happens, each lease
 * ends once, as a result or given back, each direct call ends once, and nothing runs on more cores
 * than there are. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/rng.h"
#include "worker/agent.h"

enum { ENGINES_MAX_HERE = 4, CALLS_MAX = 6000, STEPS = 5000, AT_MAX = 512 };

struct job {
    uint64_t id;
    bool direct;
};
struct model_engine {
    bool up, bundles;
    struct job at[AT_MAX]; /* given and not answered; the first may have begun */
    size_t n;
    bool begun;
    bool kill;
};
static struct agent *agent;
static struct acts acts;
static struct rng rng;
static uint32_t n_engines;
static struct model_engine engines[ENGINES_MAX_HERE];
static struct {
    int assigned, results, returned, direct, direct_ends;
} of[CALLS_MAX];
static uint64_t next_id;
static ms_t now;
static bool drained;

static void feed(struct agent_event ev);

static void take_out(struct model_engine *e, size_t i)
{
    memmove(&e->at[i], &e->at[i + 1], (e->n - i - 1) * sizeof *e->at);
    e->n--;
}

static size_t place(const struct model_engine *e, uint64_t id, bool direct)
{
    size_t i = 0;

    while (i < e->n && (e->at[i].id != id || e->at[i].direct != direct))
        i++;
    return i;
}

static void do_act(const struct act *a)
{
    struct model_engine *e = &engines[a->engine];
    uint64_t id = a->lease.n;

    switch (a->kind) {
    case ACT_ENGINE_START:
        cr_assert_not(e->up);
        e->up = true;
        e->n = 0;
        e->begun = e->kill = false;
        break;
    case ACT_CALL:
        cr_assert(e->n < AT_MAX && (e->bundles || e->n == 0));
        e->at[e->n++] = (struct job){ id, a->direct };
        break;
    case ACT_WITHDRAW: {
        size_t i = place(e, id, a->direct);
        if (i < e->n && (i > 0 || !e->begun) && rng_below(&rng, 4)) {
            take_out(e, i);
            feed((struct agent_event){
                .kind = AGENT_WITHDRAWN, .lease = { id }, .direct = a->direct });
        }
        break;
    }
    case ACT_TERM:
        cr_assert(a->call && place(e, id, a->direct) == 0);
        break;
    case ACT_KILL:
        e->kill = true;
        break;
    case ACT_RESULT:
        of[id].results++;
        feed((struct agent_event){ .kind = AGENT_ACK, .lease = { id } });
        break;
    case ACT_RETURN:
        of[id].returned++;
        break;
    case ACT_DIRECT_END:
        of[id].direct_ends++;
        break;
    case ACT_EXIT:
        drained = true;
        break;
    default:
        break;
    }
}

static void feed(struct agent_event ev)
{
    agent_step(agent, now, &ev, &acts);
    agent_check(agent);
}

/* settle - does what was said until nothing more is. */
static void settle(void)
{
    for (size_t i = 0; i < acts.n; i++) {
        struct act a = acts.items[i];
        do_act(&a);
    }
    acts.n = 0;
}

static void answer(uint32_t k)
{
    struct model_engine *e = &engines[k];
    struct job j = e->at[0];

    take_out(e, 0);
    e->begun = rng_below(&rng, 2);
    if (j.direct)
        of[j.id].direct_ends++;
    feed((struct agent_event){ .kind = AGENT_EXITED,
                               .lease = { j.id },
                               .direct = j.direct,
                               .wall_us = rng_below(&rng, 20) ? rng_below(&rng, 200) : 30000 });
}

static void die(uint32_t k)
{
    struct model_engine *e = &engines[k];
    struct agent_event ev = { .kind = AGENT_ENGINE_GONE, .engine = k };

    if (e->n && (e->begun || !e->bundles)) {
        ev.lease.n = e->at[0].id;
        ev.direct = e->at[0].direct;
    }
    e->up = e->kill = false;
    e->n = 0;
    feed(ev);
}

static void something(void)
{
    uint32_t k = (uint32_t)rng_below(&rng, n_engines);
    struct model_engine *e = &engines[k];
    uint64_t id = next_id;

    switch (rng_below(&rng, 12)) {
    case 0:
    case 1:
        if (next_id + 1 >= CALLS_MAX)
            break;
        next_id++;
        of[id].assigned++;
        feed((struct agent_event){ .kind = AGENT_ASSIGN,
                                   .lease = { id },
                                   .task = { id },
                                   .array = { 1 + (uint32_t)rng_below(&rng, 3) },
                                   .cores = 1 + (uint32_t)rng_below(&rng, 2),
                                   .limit_ms = rng_below(&rng, 8) ? 0 : 50,
                                   .call = true });
        break;
    case 2:
        if (next_id + 1 >= CALLS_MAX)
            break;
        next_id++;
        of[id].direct++;
        feed((struct agent_event){
            .kind = AGENT_DIRECT, .lease = { id }, .engine = k, .direct = true });
        break;
    case 3:
        id = rng_below(&rng, next_id);
        if (of[id].assigned && !of[id].results && !of[id].returned)
            feed((struct agent_event){ .kind = AGENT_REVOKE, .lease = { id } });
        break;
    case 4:
        id = rng_below(&rng, next_id);
        feed((struct agent_event){ .kind = AGENT_DIRECT_CANCEL, .lease = { id } });
        break;
    case 5:
        now += (ms_t)rng_below(&rng, 40);
        if (agent_deadline(agent) <= now)
            feed((struct agent_event){ .kind = AGENT_TIMEOUT });
        break;
    case 6:
        if (e->up && rng_below(&rng, 10) == 0)
            die(k);
        break;
    case 7:
        if (e->up && !e->begun)
            feed((struct agent_event){
                .kind = AGENT_ENGINE_READY, .engine = k, .bundles = e->bundles });
        break;
    default:
        if (e->up && e->kill)
            die(k);
        else if (e->up && e->n)
            answer(k);
        break;
    }
    settle();
}

/* live - one life: random, then everything is let finish. */
static void live(uint64_t seed)
{
    struct agent_config cfg;

    rng.state = seed;
    now = 1000;
    next_id = 1;
    drained = false;
    memset(of, 0, sizeof of);
    memset(engines, 0, sizeof engines);
    n_engines = 2 + (uint32_t)rng_below(&rng, 3);
    for (uint32_t i = 0; i < n_engines; i++)
        engines[i].bundles = rng_below(&rng, 3);
    agent_config_default(&cfg);
    cfg.slots = cfg.engines = n_engines;
    cfg.beat_ms = cfg.lost_after_ms = cfg.orphan_after_ms = 1 << 30;
    agent = agent_new(&cfg);
    acts_init(&acts);
    feed((struct agent_event){ .kind = AGENT_UP });
    feed((struct agent_event){ .kind = AGENT_WELCOME });
    settle();
    for (int i = 0; i < STEPS; i++)
        something();
    for (int i = 0; i < 20000 && !drained; i++) {
        if (i == 15000)
            feed((struct agent_event){ .kind = AGENT_DRAIN });
        uint32_t k = (uint32_t)i % n_engines;
        struct model_engine *e = &engines[k];
        if (e->up && e->kill)
            die(k);
        else if (e->up && e->n)
            answer(k);
        else if (e->up)
            feed((struct agent_event){
                .kind = AGENT_ENGINE_READY, .engine = k, .bundles = e->bundles });
        settle();
        now++;
        if (agent_deadline(agent) <= now)
            feed((struct agent_event){ .kind = AGENT_TIMEOUT });
        settle();
    }
    for (uint64_t id = 1; id < next_id; id++) {
        cr_assert(of[id].direct == of[id].direct_ends, "seed %d: direct %d ended %d times",
                  (int)seed, (int)id, of[id].direct_ends);
        cr_assert(!of[id].assigned || of[id].results + (of[id].returned > 0) == 1,
                  "seed %d: lease %d gave %d results and was returned %d times", (int)seed, (int)id,
                  of[id].results, of[id].returned);
    }
    agent_free(agent);
    acts_fini(&acts);
}

Test(agent_calls, every_call_ends_once)
{
    for (uint64_t seed = 1; seed <= 100; seed++)
        live(seed);
}

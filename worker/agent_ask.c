#include "worker/agent.h"

#include <stdlib.h>

#include "worker/agent_state.h"

static ms_t earlier(ms_t x, ms_t y)
{
    return x < y ? x : y;
}

ms_t agent_deadline(const struct agent *a)
{
    ms_t at = a->due;

    if (a->ended)
        return MS_NEVER;
    if (a->up && !a->hung_up)
        at = earlier(at, a->heard_at + a->cfg.lost_after_ms);
    if (a->welcome)
        at = earlier(at, a->beat_at);
    else if (a->began && !a->draining)
        at = earlier(at, a->alone_since + a->cfg.orphan_after_ms);
    if (a->welcome && a->outgoing.n)
        at = earlier(at, a->outgoing.head->finished + a->cfg.report_delay_ms);
    if (a->cfg.engines)
        at = earlier(at, earlier(a->engines_due, a->hello_by));
    if (a->draining)
        at = earlier(at, a->stopping ? a->drained_by : a->stop_all_at);
    return at;
}

size_t agent_held(const struct agent *a, ms_t now, struct agent_held *held, size_t most)
{
    size_t i = 0;

    for (const struct lease *l = a->by_id; l && i < most; l = l->hh.next, i++) {
        bool ran = l->state == LEASE_RUNNING || l->state == LEASE_STOPPING;
        held[i] = (struct agent_held){
            .lease = l->id,
            .task = l->task,
            .array = l->array,
            .state = l->state,
            .elapsed_ms = ran ? now - l->started : 0,
            .why = l->why,
            .limit_ms = l->limit_ms,
        };
    }
    return HASH_COUNT(a->by_id);
}

uint32_t agent_slots_busy(const struct agent *a)
{
    return a->cores_busy;
}

void agent_config_default(struct agent_config *cfg)
{
    *cfg = (struct agent_config){
        .slots = 1,
        .memory_mib = 1024,
        .beat_ms = BEAT_MS,
        .lost_after_ms = LOST_AFTER_MS,
        .orphan_after_ms = ORPHAN_AFTER_MS,
        .engine_hello_ms = ENGINE_HELLO_MS,
        .report_delay_ms = REPORT_DELAY_MS,
        .kill_grace_ms = KILL_GRACE_MS,
    };
}

struct agent *agent_new(const struct agent_config *cfg)
{
    struct agent *a = calloc(1, sizeof *a);

    must(a != NULL);
    must(cfg->slots >= 1 && cfg->slots <= SLOTS_MAX);
    must(cfg->engines == 0 || cfg->engines == cfg->slots);
    a->cfg = *cfg;
    a->engines_due = a->hello_by = MS_NEVER;
    a->engines = calloc(cfg->engines + 1, sizeof *a->engines);
    must(a->engines != NULL);
    a->due = MS_NEVER;
    return a;
}

void agent_free(struct agent *a)
{
    struct lease *l, *next;

    if (!a)
        return;
    HASH_ITER(hh, a->by_id, l, next)
    {
        HASH_DEL(a->by_id, l);
        free(l);
    }
    agent_calls_free(a);
    free(a);
}

static size_t check_list(const struct list *list)
{
    size_t n = 0;

    for (const struct lease *l = list->head; l; l = l->next, n++)
        must(l->in == list && (l->next ? l->next->prev == l : list->tail == l));
    must(n == list->n);
    return n;
}

static bool is_active(const struct lease *l)
{
    return l->state == LEASE_STARTING || l->state == LEASE_RUNNING || l->state == LEASE_STOPPING;
}

void agent_check(const struct agent *a)
{
    uint64_t cores = 0, memory = 0;
    size_t queued = 0, active = 0, finished = 0, at_engines = 0, on_engines = 0;

    for (const struct lease *l = a->by_id; l; l = l->hh.next) {
        must(!l->direct);
        queued += l->state == LEASE_QUEUED;
        at_engines += l->in && l->call && l->in != &a->queued && l->in != &a->outgoing;
        finished += l->state == LEASE_FINISHED;
        if (!is_active(l) || l->call)
            continue;
        active++;
        cores += l->cores;
        memory += l->memory_mib;
        must(l->stop_at >= a->due);
        must(l->state != LEASE_STOPPING || l->why != STOP_NOT);
        must(l->state != LEASE_RUNNING || l->why == STOP_NOT);
    }
    for (uint32_t i = 0; i < a->cfg.engines; i++) {
        const struct slot_engine *e = &a->engines[i];
        must(!e->at.head || e->at.head->stop_at >= a->due);
        cores += e->n_leases ? e->cores : 0;
        memory += e->n_leases ? e->memory_mib : 0;
        on_engines += e->n_leases;
        check_list(&e->at);
        check_list(&e->direct);
    }
    must(at_engines == on_engines);
    agent_calls_check(a);
    must(check_list(&a->queued) == queued);
    must(check_list(&a->active) == active);
    must(check_list(&a->outgoing) <= finished && finished == a->n_finished);
    must(cores == a->cores_busy && cores <= a->cfg.slots);
    must(memory == a->memory_busy && memory <= a->cfg.memory_mib);
    must(queued <= 2 * (GRANTS_MAX + (size_t)a->cfg.slots));
    must(queued + active + at_engines + finished == HASH_COUNT(a->by_id));
    must(!a->welcome || a->up);
    must(!a->draining || queued == 0);
    must(!a->stopping || a->draining);
}

void acts_init(struct acts *a)
{
    *a = (struct acts){ 0 };
}

void acts_fini(struct acts *a)
{
    free(a->items);
    *a = (struct acts){ 0 };
}

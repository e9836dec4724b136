/* worker - the loop around the agent: messages and the ends of processes in, its actions done.
 * Processes only take time. A worker may die (and come back as another instance of the same name),
 * be stopped for a while and go on as if nothing had been, or be told to leave. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/needs.h"
#include "tests/scenario/print.h"
#include "tests/sim/sim.h"

enum { SPINS_MAX = 100 };

static void do_acts(struct sim *s, uint32_t w);

static const char *name_of(uint32_t w)
{
    static const char *const names[SIM_WORKERS] = { "w0", "w1", "w2", "w3", "w4", "w5" };

    return names[w];
}

static void feed(struct sim *s, uint32_t w, const struct agent_event *ev)
{
    struct sim_worker *k = &s->workers[w];

    if (!k->agent)
        return;
    k->acts.n = 0;
    agent_step(k->agent, s->now, ev, &k->acts);
    agent_check(k->agent);
    do_acts(s, w);
    if (!k->agent)
        return;
    ms_t at = agent_deadline(k->agent);
    if (at <= s->now)
        at = s->now + 1;
    if (at != MS_NEVER && at != k->wake_at) {
        k->wake_at = at;
        sim_at(s, at, (struct thing){ .kind = T_WAKE, .a = w, .life = k->life });
    }
}

void worker_start(struct sim *s, uint32_t w)
{
    struct sim_worker *k = &s->workers[w];
    struct agent_config cfg;

    k->alive = true;
    k->leaving = false;
    k->life++;
    k->paused_until = k->wake_at = 0;
    k->spins = 0;
    k->row = (struct worker_row){ .instance = ((uint64_t)k->life << 8) + w + 1,
                                  .slots = s->opt.slots[w],
                                  .memory_mib = 1000,
                                  .pid = k->life };
    snprintf(k->row.name, sizeof k->row.name, "%s", name_of(w));
    if (s->opt.gpus[w])
        worker_add_resource(&k->row, "gpus", s->opt.gpus[w]);
    k->row.labels = s->opt.big[w] ? "big" : NULL;
    if (s->opt.ends && w && !s->healed && !s->opt.fault_free)
        k->row.end_ms = s->now + 1000 + (ms_t)sim_below(s, 15000);
    agent_config_default(&cfg);
    cfg.slots = k->row.slots;
    cfg.memory_mib = k->row.memory_mib;
    for (uint32_t i = 0; i < k->row.n_resources; i++)
        cfg.amount[i] = k->row.resources[i].amount;
    k->agent = agent_new(&cfg);
    acts_init(&k->acts);
    sim_note(s, name_of(w), "starts, %u slots, life %u", k->row.slots, k->life);
    sim_at(s, s->now, (struct thing){ .kind = T_DIAL, .a = w });
}

/* The process and all below it are gone. */
static void end(struct sim *s, uint32_t w, ms_t back_after)
{
    struct sim_worker *k = &s->workers[w];

    k->alive = false;
    k->life++;
    agent_free(k->agent);
    acts_fini(&k->acts);
    k->agent = NULL;
    k->n_processes = k->n_results = 0;
    k->connection = 0;
    k->paused_until = 0;
    sim_at(s, s->now + back_after, (struct thing){ .kind = T_START_WORKER, .a = w });
}

void worker_crash(struct sim *s, uint32_t w, ms_t notice_ms, ms_t back_after)
{
    if (!s->workers[w].alive)
        return;
    sim_note(s, name_of(w), "dies");
    if (s->workers[w].connection)
        net_drop(s, s->workers[w].connection - 1, 0, notice_ms);
    end(s, w, back_after);
}

void worker_pause(struct sim *s, uint32_t w, ms_t for_ms)
{
    if (!s->workers[w].alive)
        return;
    sim_note(s, name_of(w), "stands still for %lld ms", (long long)for_ms);
    s->workers[w].paused_until = s->now + for_ms;
}

void worker_drain(struct sim *s, uint32_t w, ms_t grace_ms)
{
    if (!s->workers[w].alive || s->workers[w].paused_until > s->now)
        return;
    sim_note(s, name_of(w), "is told to leave within %lld ms", (long long)grace_ms);
    s->workers[w].leaving = true;
    feed(s, w, &(struct agent_event){ .kind = AGENT_DRAIN, .grace_ms = grace_ms });
}

/* --- messages --- */

static void assigned(struct sim *s, uint32_t w, const struct packet *p)
{
    const struct array_row *row = world_array(s, p->array);
    must(row != NULL);
    uint32_t take[RESOURCES_MAX];
    needs_places(&row->policy.needs, s->workers[w].row.resources, s->workers[w].row.n_resources,
                 take);

    for (size_t i = 0; i < p->n_held; i++)
        feed(s, w,
             &(struct agent_event){ .kind = AGENT_ASSIGN,
                                    .lease = p->held[i].lease,
                                    .task = p->held[i].task,
                                    .array = p->array,
                                    .limit_ms = p->limit_ms,
                                    .grace_ms = row->policy.grace_ms,
                                    .cores = row->policy.needs.cores,
                                    .memory_mib = row->policy.needs.memory_mib,
                                    .take = take });
}

static void each_lease(struct sim *s, uint32_t w, enum agent_event_kind kind,
                       const struct packet *p)
{
    for (size_t i = 0; i < p->n_held; i++)
        feed(s, w,
             &(struct agent_event){
                 .kind = kind, .lease = p->held[i].lease, .task = p->held[i].task });
}

void worker_receive(struct sim *s, uint32_t w, struct packet *p)
{
    if (!s->workers[w].alive)
        return;
    switch (p->kind) {
    case P_UP:
        feed(s, w, &(struct agent_event){ .kind = AGENT_UP });
        return;
    case P_GONE:
        s->workers[w].connection = 0;
        feed(s, w, &(struct agent_event){ .kind = AGENT_GONE });
        sim_at(s, s->now + 1 + (ms_t)sim_below(s, 20), (struct thing){ .kind = T_DIAL, .a = w });
        return;
    case P_WELCOME:
        feed(s, w, &(struct agent_event){ .kind = AGENT_WELCOME });
        return;
    default:
        break;
    }
    feed(s, w, &(struct agent_event){ .kind = AGENT_HEARD });
    switch (p->kind) {
    case P_ASSIGN:
        assigned(s, w, p);
        break;
    case P_REVOKE:
        each_lease(s, w, AGENT_REVOKE, p);
        break;
    case P_ACK:
        each_lease(s, w, AGENT_ACK, p);
        break;
    case P_DRAIN:
        worker_drain(s, w, p->limit_ms);
        break;
    case P_RECALL:
        feed(s, w, &(struct agent_event){ .kind = AGENT_RECALL, .n = p->n });
        break;
    case P_LIMIT:
        feed(s, w,
             &(struct agent_event){
                 .kind = AGENT_LIMIT, .array = p->array, .limit_ms = p->limit_ms });
        break;
    default:
        break;
    }
}

void worker_wake(struct sim *s, uint32_t w)
{
    struct sim_worker *k = &s->workers[w];

    if (k->paused_until > s->now) {
        sim_at(s, k->paused_until, (struct thing){ .kind = T_WAKE, .a = w, .life = k->life });
        return;
    }
    k->wake_at = 0;
    if (agent_deadline(k->agent) > s->now)
        return;
    k->acts.n = 0;
    feed(s, w, &(struct agent_event){ .kind = AGENT_TIMEOUT });
    k->spins = !k->agent || k->acts.n ? 0 : k->spins + 1;
    if (k->spins > SPINS_MAX)
        sim_fail(s, "the agent's deadline is always due and nothing follows");
}

/* --- processes --- */

static struct process *process_of(struct sim_worker *k, lease_id lease)
{
    for (size_t i = 0; i < k->n_processes; i++)
        if (k->processes[i].lease.n == lease.n)
            return &k->processes[i];
    return NULL;
}

static void process_at(struct sim *s, uint32_t w, struct process *p, ms_t after)
{
    p->exit_ms = s->now + after;
    sim_at(s, p->exit_ms,
           (struct thing){
               .kind = T_PROCESS, .a = w, .lease = p->lease.n, .life = s->workers[w].life });
}

static void spawn(struct sim *s, uint32_t w, const struct act *a)
{
    struct sim_worker *k = &s->workers[w];

    if (process_of(k, a->lease))
        sim_fail(s, "%s was told to spawn a lease twice", name_of(w));
    if (k->n_processes == k->cap_processes) {
        k->cap_processes = k->cap_processes ? 2 * k->cap_processes : 16;
        k->processes = realloc(k->processes, k->cap_processes * sizeof *k->processes);
        must(k->processes != NULL);
    }
    struct process *p = &k->processes[k->n_processes++];
    *p = (struct process){ .lease = a->lease, .task = a->task, .array = a->array };
    world_outcome(s, p);
    if (s->opt.hole[w] && !s->healed && p->natural) {
        p->reason = END_EXIT;
        p->code = 1;
        p->fast = true;
        p->natural = false;
    }
    oracle_spawned(s, w, p);
    k->n_spawned++;
    process_at(s, w, p, (ms_t)sim_below(s, 3));
}

static void exited(struct sim *s, uint32_t w, struct process *p)
{
    struct sim_worker *k = &s->workers[w];
    lease_id lease = p->lease;
    struct end_row e = { .task = p->task, .lease = lease, .reason = p->reason, .code = p->code };

    if (p->started) {
        e.started_ms = p->started_ms;
        e.ended_ms = s->now;
        e.wall_us = (uint64_t)(s->now - p->started_ms) * 1000;
    }
    if (p->why != STOP_NOT) {
        e.reason = p->why == STOP_TIMEOUT ? END_TIMEOUT : END_REVOKED;
        e.code = p->why == STOP_TIMEOUT ? (int32_t)p->limit_ms : 0;
    } else if (p->natural && (e.reason != END_EXIT || e.code)) {
        s->fails_left[p->task.n]--;
    }
    if (k->n_results == k->cap_results) {
        k->cap_results = k->cap_results ? 2 * k->cap_results : 16;
        k->results = realloc(k->results, k->cap_results * sizeof *k->results);
        must(k->results != NULL);
    }
    k->results[k->n_results++] = e;
    *p = k->processes[--k->n_processes];
    feed(s, w, &(struct agent_event){ .kind = AGENT_EXITED, .lease = lease });
}

void worker_process(struct sim *s, uint32_t w, lease_id lease)
{
    struct sim_worker *k = &s->workers[w];
    struct process *p = process_of(k, lease);

    if (!p || p->exit_ms > s->now)
        return;
    if (k->paused_until > s->now) { /* it is seen when the worker goes on */
        process_at(s, w, p, k->paused_until - s->now);
        return;
    }
    if (p->started || p->reason == END_NOT_STARTED || p->reason == END_INFRA) {
        exited(s, w, p);
        return;
    }
    p->started = true;
    p->started_ms = s->now;
    process_at(s, w, p, p->fast ? 1 : world_duration(s, p->task));
    feed(s, w, &(struct agent_event){ .kind = AGENT_STARTED, .lease = lease });
}

static void stop(struct sim *s, uint32_t w, const struct act *a)
{
    struct process *p = process_of(&s->workers[w], a->lease);
    ms_t after = a->kind == ACT_KILL ? 1 : 1 + (ms_t)sim_below(s, 30);

    if (!p)
        sim_fail(s, "%s stops what does not run", name_of(w));
    if (a->kind == ACT_TERM) {
        p->why = a->why;
        p->limit_ms = s->now - p->started_ms;
        if (p->ignores_term)
            return;
    }
    if (p->exit_ms > s->now + after)
        process_at(s, w, p, after);
}

/* --- actions --- */

static void send_held(struct sim *s, uint32_t w, enum packet_kind kind)
{
    struct sim_worker *k = &s->workers[w];
    struct packet p = { .kind = kind, .worker = k->row };
    size_t n = agent_held(k->agent, s->now, NULL, 0);
    struct agent_held *held = calloc(n + 1, sizeof *held);

    must(held != NULL);
    agent_held(k->agent, s->now, held, n);
    for (size_t i = 0; i < n; i++) {
        bool runs = held[i].state == LEASE_RUNNING || held[i].state == LEASE_STOPPING;
        if (kind == P_BEAT && (!runs || held[i].elapsed_ms <= 500))
            continue;
        *packet_hold(&p) = (struct event_held){ .lease = held[i].lease,
                                                .task = held[i].task,
                                                .finished = held[i].state == LEASE_FINISHED,
                                                .running = runs,
                                                .elapsed_ms = held[i].elapsed_ms };
    }
    free(held);
    if (k->connection)
        net_send(s, k->connection - 1, 1, p);
    else
        packet_fini(&p);
}

static struct end_row *result_of(struct sim *s, uint32_t w, lease_id lease)
{
    struct sim_worker *k = &s->workers[w];

    for (size_t i = 0; i < k->n_results; i++)
        if (k->results[i].lease.n == lease.n)
            return &k->results[i];
    sim_fail(s, "%s speaks of a result that it does not have", name_of(w));
}

static void send_result(struct sim *s, uint32_t w, lease_id lease)
{
    struct sim_worker *k = &s->workers[w];
    struct packet p = { .kind = P_RESULT, .end = *result_of(s, w, lease) };

    if (k->connection)
        net_send(s, k->connection - 1, 1, p);
}

static void give_back(struct sim *s, uint32_t w, const struct act *a)
{
    struct sim_worker *k = &s->workers[w];
    struct packet p = { .kind = P_RETURNED };
    struct event_held *h = packet_hold(&p);

    h->lease = a->lease;
    h->task = a->task;
    if (k->connection)
        net_send(s, k->connection - 1, 1, p);
    else
        packet_fini(&p);
}

static void do_act(struct sim *s, uint32_t w, const struct act *a)
{
    struct sim_worker *k = &s->workers[w];

    switch (a->kind) {
    case ACT_HELLO:
        send_held(s, w, P_HELLO);
        break;
    case ACT_BEAT:
        send_held(s, w, P_BEAT);
        break;
    case ACT_SPAWN:
        spawn(s, w, a);
        break;
    case ACT_TERM:
    case ACT_KILL:
        stop(s, w, a);
        break;
    case ACT_RESULT:
        send_result(s, w, a->lease);
        break;
    case ACT_RETURN:
        give_back(s, w, a);
        break;
    case ACT_FORGET:
    case ACT_DROP:
        oracle_forgotten(s, result_of(s, w, a->lease), a->kind == ACT_FORGET);
        *result_of(s, w, a->lease) = k->results[k->n_results - 1];
        k->n_results--;
        break;
    case ACT_HANG_UP:
        if (k->connection)
            net_close(s, k->connection - 1, 0);
        break;
    case ACT_BYE:
        if (k->connection)
            net_send(s, k->connection - 1, 1, (struct packet){ .kind = P_BYE });
        break;
    case ACT_CALL: /* workers here have no engines */
    case ACT_WITHDRAW:
    case ACT_DIRECT_END:
    case ACT_ENGINE_START:
    case ACT_ENGINE_KILL:
    case ACT_EXIT:
        break;
    case ACT_DRAINING:
        if (k->connection)
            net_send(s, k->connection - 1, 1, (struct packet){ .kind = P_LEAVING });
        break;
    }
}

static void do_acts(struct sim *s, uint32_t w)
{
    struct sim_worker *k = &s->workers[w];
    bool leaves = false;

    for (size_t i = 0; i < k->acts.n; i++) {
        print_act(sim_line(s, name_of(w)), &k->acts.items[i]);
        sim_line_end(s);
        do_act(s, w, &k->acts.items[i]);
        leaves |= k->acts.items[i].kind == ACT_EXIT;
    }
    if (!leaves)
        return;
    if (k->connection) {
        net_close(s, k->connection - 1, 0);
        s->connections[k->connection - 1].to[0].open = false;
    }
    end(s, w, 100 + (ms_t)sim_below(s, 2000));
}

/* oracle - the leases: who was given what, who may still answer for it. What is wrong: oracle.h. */

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "tests/sim/oracle.h"

struct oracle *oracle_new(void)
{
    struct oracle *o = calloc(1, sizeof *o);

    must(o != NULL);
    return o;
}

void oracle_free(struct oracle *o)
{
    struct seen *e, *next;

    if (!o)
        return;
    HASH_ITER(hh, o->seen, e, next)
    {
        HASH_DEL(o->seen, e);
        free(e);
    }
    free(o);
}

struct seen *oracle_seen(struct oracle *o, lease_id lease)
{
    struct seen *e;

    HASH_FIND(hh, o->seen, &lease.n, sizeof lease.n, e);
    if (e)
        return e;
    e = calloc(1, sizeof *e);
    must(e != NULL);
    e->lease = lease.n;
    e->last_result = N_END_REASONS;
    HASH_ADD(hh, o->seen, lease, sizeof e->lease, e);
    return e;
}

static uint64_t instance_of_peer(const struct oracle *o, peer_id peer)
{
    for (size_t i = 0; i < 64; i++)
        if (o->said_hello[i].peer.n == peer.n)
            return o->said_hello[i].instance;
    return 0;
}

uint64_t oracle_instance(const struct sim *s, worker_id id)
{
    for (size_t i = 0; i < s->disk.n_workers; i++)
        if (s->disk.workers[i].id.n == id.n)
            return s->disk.workers[i].instance;
    return 0;
}

static void clear(struct oracle *o, uint64_t task)
{
    o->current[task] = o->backup[task]; /* a twin that is left is the task's lease */
    memset(&o->backup[task], 0, sizeof o->backup[task]);
}

/* Is the end of a task decided, on the disk or in the batch that waits for it? */
static bool ended(const struct sim *s, task_id task)
{
    return task_state_ended(core_task_state(s->scheduler.core, task)) &&
           core_task_state(s->scheduler.core, task) != N_TASK_STATES;
}

/* --- what the core was told --- */

static bool told(const struct outbox *out, size_t send, enum send_kind kind, lease_id lease)
{
    for (size_t i = send; i < out->n_sends; i++)
        for (size_t k = 0; out->sends[i].kind == kind && k < out->sends[i].n; k++)
            if (out->grants[out->sends[i].grants + k].lease.n == lease.n)
                return true;
    return false;
}

static void hello_of_backup(struct oracle *o, uint64_t t, const struct event *ev)
{
    bool named = false;

    if (!o->backup[t].lease.n || o->backup[t].instance != ev->worker->instance)
        return;
    for (size_t i = 0; i < ev->n_held; i++)
        named |= ev->held[i].lease.n == o->backup[t].lease.n;
    if (!named)
        memset(&o->backup[t], 0, sizeof o->backup[t]);
}

/* A worker says what it has: all else that it was given is free again. */
static void on_hello(struct sim *s, const struct event *ev, const struct outbox *out, size_t send)
{
    struct oracle *o = s->oracle;

    o->said_hello[o->n_hello % 64].at = s->now;
    o->said_hello[o->n_hello % 64].peer = ev->from;
    o->said_hello[o->n_hello++ % 64].instance = ev->worker->instance;
    for (uint64_t t = 1; t < SIM_TASKS; t++) {
        bool named = false;
        for (size_t i = 0; i < ev->n_held; i++)
            named |= ev->held[i].lease.n == o->current[t].lease.n;
        hello_of_backup(o, t, ev);
        if (!named && o->current[t].instance == ev->worker->instance)
            clear(o, t);
    }
    for (size_t i = 0; i < ev->n_held; i++) {
        const struct event_held *h = &ev->held[i];
        uint64_t t = h->task.n;
        bool revoked = told(out, send, SEND_REVOKE, h->lease);
        bool kept = !revoked && !told(out, send, SEND_ACK, h->lease);
        if (h->lease.n == o->backup[t].lease.n) {
            if (revoked) /* now, or it is told again what it was told before */
                o->backup[t].soft = true;
            else if (!kept)
                memset(&o->backup[t], 0, sizeof o->backup[t]);
            continue;
        }
        if (kept && o->doubted[t].lease.n == h->lease.n && !o->backup[t].lease.n &&
            o->current[t].lease.n != h->lease.n) {
            o->backup[t] = o->doubted[t];
            continue;
        }
        if (kept && ended(s, h->task))
            sim_fail(s, "lease of task %llu is kept though the task has ended",
                     (unsigned long long)t);
        if (kept && o->current[t].lease.n && o->current[t].lease.n != h->lease.n &&
            !o->current[t].soft)
            sim_fail(s, "task %llu has two live leases", (unsigned long long)t);
        if (kept && o->current[t].lease.n == h->lease.n)
            o->current[t].soft = false;
        if (o->current[t].lease.n == h->lease.n)
            o->current[t].finished = h->finished;
        if (o->current[t].lease.n == h->lease.n || ended(s, h->task) || (!kept && !revoked))
            continue;
        if (kept || !o->current[t].lease.n) {
            o->current[t].lease = h->lease;
            o->current[t].instance = ev->worker->instance;
            o->current[t].soft = revoked;
            o->current[t].finished = h->finished;
        }
    }
}

/* The lease has ended without an end of the task. */
static void give_up(struct oracle *o, uint64_t task, lease_id lease)
{
    if (o->current[task].lease.n == lease.n)
        clear(o, task);
    else if (o->backup[task].lease.n == lease.n)
        memset(&o->backup[task], 0, sizeof o->backup[task]);
}

static void on_event(struct sim *s, const struct event *ev, const struct outbox *out, size_t send)
{
    struct oracle *o = s->oracle;

    if (ev->kind == EV_HELLO)
        on_hello(s, ev, out, send);
    if (ev->kind == EV_DRAIN)
        oracle_leaves(s, oracle_instance(s, ev->worker_id), true);
    if (ev->kind == EV_LEAVING)
        oracle_leaves(s, instance_of_peer(o, ev->from), false);
    if (ev->kind == EV_RESULT)
        oracle_seen(o, ev->end->lease)->last_result = ev->end->reason;
    if (ev->kind == EV_RESULT)
        oracle_seen(o, ev->end->lease)->unknown =
            core_task_state(s->scheduler.core, ev->end->task) == N_TASK_STATES;
    for (size_t i = 0; ev->kind == EV_RETURNED && i < ev->n_held; i++)
        give_up(o, ev->held[i].task.n, ev->held[i].lease);
}

static enum task_state core_says(const struct sim *s, task_id task);

static void worker_gone(struct sim *s, worker_id id)
{
    uint64_t instance = oracle_instance(s, id);

    if (instance)
        oracle_not_judged(s, instance);
    for (size_t i = 0; i < 64; i++) /* what still comes over its connection is not heard */
        if (s->oracle->said_hello[i].instance == instance)
            s->oracle->said_hello[i].instance = 0;
    for (uint64_t t = 1; instance && t < SIM_TASKS; t++)
        if (s->oracle->backup[t].instance == instance)
            memset(&s->oracle->backup[t], 0, sizeof s->oracle->backup[t]);
        else if (s->oracle->current[t].instance == instance)
            clear(s->oracle, t);
}

/* A change as it is decided: leases end in the order in which the core says so. */
static void decided(struct sim *s, const struct change *c)
{
    struct oracle *o = s->oracle;
    uint64_t t = c->end.task.n;
    bool current;

    switch (c->kind) {
    case CHG_WORKER_GONE:
        worker_gone(s, c->worker.id);
        break;
    case CHG_END:
    case CHG_ATTEMPT:
        if (c->end.lease.n && o->backup[t].lease.n == c->end.lease.n) {
            struct held_by other = o->current[t];
            o->current[t] = o->backup[t];
            o->backup[t] = other;
        }
        if (c->end.lease.n && (c->kind == CHG_END || c->end.counted) &&
            (c->end.state == TASK_DONE || oracle_is_failure(c->end.reason)))
            oracle_attempt_ended(s, &c->end, c->end.state == TASK_DONE);
        current =
            o->current[t].lease.n == c->end.lease.n || (o->current[t].soft && !c->end.lease.n);
        if (c->kind == CHG_ATTEMPT && c->end.reason == END_SUPERSEDED) {
            if (current && !o->current[t].soft)
                sim_fail(s, "the result of task %llu under its current lease is thrown away",
                         (unsigned long long)t);
            break;
        }
        if (!current)
            sim_fail(s, "task %llu: lease %llx counts and is not the current one (%llx)",
                     (unsigned long long)t, (unsigned long long)c->end.lease.n,
                     (unsigned long long)o->current[t].lease.n);
        if (c->kind == CHG_END && c->end.state == TASK_UNMET &&
            world_verdict(s, c->end.task, core_says) != VERDICT_NEVER)
            sim_fail(s, "task %llu is skipped and could run", (unsigned long long)t);
        if (o->long_running[t].n == c->end.lease.n || c->kind == CHG_END)
            o->long_running[t].n = 0;
        if (c->kind == CHG_ATTEMPT && c->end.state == TASK_LEASED && !o->backup[t].lease.n)
            o->backup[t] = o->doubted[t]; /* one of two, of which the other goes on */
        clear(o, t);
        if (c->kind == CHG_END)
            clear(o, t);
        break;
    default:
        break;
    }
}

/* --- what it gives out --- */

/* What a worker holds of all that was granted, in cores; and the most it may. */
static void check_room(struct sim *s, uint64_t instance, peer_id peer)
{
    const struct oracle *o = s->oracle;
    uint64_t cores = 0, extra = 0, slots = 0;

    for (uint64_t t = 1; t < SIM_TASKS; t++)
        if (o->current[t].instance == instance && !o->current[t].soft && !o->current[t].finished)
            cores += world_array_of(s, (task_id){ t })->policy.needs.cores;
    bool holes = false;
    for (uint32_t w = 0; w < SIM_WORKERS; w++)
        holes |= s->opt.hole[w];
    slots = s->opt.slots[s->connections[peer.n - 1].actor];
    for (uint32_t i = 0; i < s->opt.n_studies; i++) {
        const struct study_options *st = &s->opt.study[i];
        uint64_t n = slots * PREFETCH_MS / (uint64_t)st->fastest * st->policy.needs.cores;
        if (holes || s->opt.tasks_fail || s->opt.infra || s->opt.request_every_ms)
            n = slots * GRANTS_MAX; /* what ends early looks short */
        extra = n > extra ? n : extra;
    }
    if (cores > slots + extra)
        sim_fail(s, "worker holds %llu cores' worth, has %llu slots and may prefetch %llu",
                 (unsigned long long)cores, (unsigned long long)slots, (unsigned long long)extra);
}

static enum task_state core_says(const struct sim *s, task_id task)
{
    return core_task_state(s->scheduler.core, task);
}

/* A second lease of a task, where that is allowed. */
static bool is_backup(const struct sim *s, uint64_t t, uint64_t instance)
{
    const struct held_by *held = &s->oracle->current[t];

    return held->lease.n && !held->soft && held->instance != instance &&
           !s->oracle->backup[t].lease.n && world_array_of(s, (task_id){ t })->policy.speculate;
}

static void granted(struct sim *s, const struct send *d, const struct outbox *out)
{
    struct oracle *o = s->oracle;
    uint64_t instance = instance_of_peer(o, d->to);

    for (size_t i = 0; i < d->n; i++) {
        const struct core_grant *g = &out->grants[d->grants + i];
        struct seen *e = oracle_seen(o, g->lease);
        uint64_t t = g->task.n;
        if (e->granted)
            sim_fail(s, "lease %llx is given out a second time", (unsigned long long)g->lease.n);
        if (g->lease.n >> 32 != s->disk.epoch)
            sim_fail(s, "lease %llx is not of epoch %u", (unsigned long long)g->lease.n,
                     s->disk.epoch);
        if (is_backup(s, t, instance)) {
            o->backup[t] = (struct held_by){ g->lease, instance, false, false };
            e->granted = true;
            continue;
        }
        if (o->current[t].lease.n && !o->current[t].soft)
            sim_fail(s, "task %llu is given out while it is leased", (unsigned long long)t);
        if (o->long_running[t].n)
            sim_fail(s, "task %llu runs again only because the scheduler died",
                     (unsigned long long)t);
        if (world_verdict(s, g->task, core_says) != VERDICT_RUN)
            sim_fail(s, "task %llu is given out and what it waits for does not allow it",
                     (unsigned long long)t);
        e->granted = true;
        oracle_may_begin(s, g->task);
        oracle_granted_in_time(s, instance, g->task);
        oracle_granted_there(s, d->to, g->task);
        if (o->current[t].soft && world_array_of(s, g->task)->policy.speculate)
            o->doubted[t] = (struct held_by){ .lease = o->current[t].lease,
                                              .instance = o->current[t].instance };
        o->current[t].lease = g->lease;
        o->current[t].instance = instance;
        o->current[t].soft = o->current[t].finished = false;
    }
    oracle_may_get(s, instance);
    check_room(s, instance, d->to);
}

void oracle_step(struct sim *s, const struct event *ev, const struct outbox *out, size_t change,
                 size_t send)
{
    if (ev->kind != EV_HELLO)
        on_event(s, ev, out, send);
    for (size_t i = change; i < out->n_changes; i++)
        decided(s, &out->changes[i]);
    if (ev->kind == EV_HELLO) /* what it replaces is lost first */
        on_event(s, ev, out, send);
    for (size_t i = send; i < out->n_sends; i++)
        if (out->sends[i].kind == SEND_ASSIGN)
            granted(s, &out->sends[i], out);
}

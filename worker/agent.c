#include "worker/agent.h"

#include <stdlib.h>

#include "worker/agent_state.h"

static void begin(struct agent *a, ms_t now);
static void take_event(struct agent *a, ms_t now, const struct agent_event *ev, struct acts *out);
static void check_connection(struct agent *a, ms_t now, struct acts *out);
static void stop_due(struct agent *a, ms_t now, struct acts *out);
static bool resources_free(const struct agent *a, const struct lease *l)
{
    for (size_t i = 0; i < RESOURCES_MAX; i++)
        if (l->take[i] > a->cfg.amount[i] - a->taken[i])
            return false;
    return true;
}

static void use(struct agent *a, const struct lease *l, int sign)
{
    a->cores_busy += (uint32_t)sign * l->cores;
    a->memory_busy += (uint64_t)(int64_t)sign * l->memory_mib;
    for (size_t i = 0; i < RESOURCES_MAX; i++)
        a->taken[i] += (uint32_t)sign * l->take[i];
}

static void start_queued(struct agent *a, ms_t now, struct acts *out);
static void report(struct agent *a, ms_t now, struct acts *out);
static void finish_drain(struct agent *a, ms_t now, struct acts *out);

void agent_step(struct agent *a, ms_t now, const struct agent_event *ev, struct acts *out)
{
    if (a->ended)
        return;
    if (!a->began)
        begin(a, now);
    take_event(a, now, ev, out);
    check_connection(a, now, out);
    stop_due(a, now, out);
    start_queued(a, now, out);
    agent_calls_step(a, now, out);
    report(a, now, out);
    finish_drain(a, now, out);
}

/* --- stopping --- */

/* bounded - a duration that a peer sent, so that sums with `now` stay in range. */
static ms_t bounded(ms_t ms)
{
    return ms < 0 ? 0 : ms > DURATION_MS_MAX ? DURATION_MS_MAX : ms;
}

static struct lease *find(struct agent *a, lease_id id)
{
    struct lease *l;

    HASH_FIND(hh, a->by_id, &id, sizeof id, l);
    return l;
}

static struct lease *find_ticket(struct agent *a, lease_id id)
{
    struct lease *l;

    HASH_FIND(hh, a->by_ticket, &id, sizeof id, l);
    return l;
}

/* revoke - an active lease; one whose process does not run yet is stopped once it does. */
static void revoke(struct agent *a, struct lease *l, ms_t now, struct acts *out)
{
    if (l->why != STOP_NOT)
        return;
    if (l->call)
        agent_calls_revoke(a, l, now, out);
    else if (l->state == LEASE_STARTING)
        l->why = STOP_REVOKED;
    else
        agent_terminate(a, l, STOP_REVOKED, now, out);
}

/* stop_all - the grace of a drain is over. */
static void stop_all(struct agent *a, ms_t now, struct acts *out)
{
    a->stopping = true;
    for (struct lease *l = a->active.head; l; l = l->next) {
        agent_hasten(a, l, now);
        revoke(a, l, now, out);
    }
    agent_calls_stop_all(a, now, out);
}

static void stop_due(struct agent *a, ms_t now, struct acts *out)
{
    struct lease *l;

    if (a->draining && !a->stopping && now >= a->stop_all_at)
        stop_all(a, now, out);
    if (now < a->due)
        return;
    a->due = MS_NEVER;
    for (l = a->active.head; l; l = l->next)
        agent_stop_one(a, l, now, out);
    agent_calls_stop_due(a, now, out);
}

/* say_draining - before anything is given back, or the scheduler would assign it here again. */
static void say_draining(const struct agent *a, ms_t now, struct acts *out)
{
    ms_t left = a->stop_all_at > now ? a->stop_all_at - now : 0;

    agent_act(out, &(struct act){ .kind = ACT_DRAINING, .limit_ms = left });
}

/* drain - for the first time, or once more with less patience. */
static void drain(struct agent *a, ms_t grace_ms, ms_t now, struct acts *out)
{
    ms_t at = now + bounded(grace_ms);

    if (a->draining && (a->stopping || at >= a->stop_all_at))
        return;
    a->stop_all_at = at;
    a->drained_by = at + DRAIN_MS;
    if (a->draining)
        return;
    a->draining = true;
    if (a->welcome)
        say_draining(a, now, out);
    while (a->queued.head)
        agent_give_back(a, a->queued.head, out);
    agent_calls_drain(a, out);
}

static void finish_drain(struct agent *a, ms_t now, struct acts *out)
{
    struct lease *l;

    if (!a->draining)
        return;
    /* Without a scheduler nobody takes the results: who is out of patience waits for none. */
    bool nobody = !a->welcome && a->stopping;
    bool nothing_left = a->active.n == 0 && agent_calls_idle(a) && (a->n_finished == 0 || nobody);
    if (!nothing_left && now < a->drained_by)
        return;
    for (l = a->active.head; l; l = l->next)
        agent_act_on(out, ACT_KILL, l);
    agent_calls_kill_all(a, out);
    if (a->welcome)
        agent_act_plain(out, ACT_BYE);
    agent_act_plain(out, ACT_EXIT);
    a->ended = true;
}

/* --- leases --- */

static void assign(struct agent *a, const struct agent_event *ev, struct acts *out)
{
    size_t queue_max = GRANTS_MAX + (size_t)a->cfg.slots;

    if (find(a, ev->lease))
        return;
    if (a->draining || a->queued.n >= queue_max ||
        HASH_COUNT(a->by_id) >= LEASES_PER_QUEUED * queue_max) {
        agent_send_back(a, ev->lease, ev->task, ev->array, out);
        return;
    }
    struct lease *l = calloc(1, sizeof *l);
    must(l != NULL);
    l->id = ev->lease;
    l->task = ev->task;
    l->array = ev->array;
    l->call = ev->call && a->cfg.engines > 0;
    l->again = ev->again;
    l->limit_ms = bounded(ev->limit_ms);
    l->grace_ms = bounded(ev->grace_ms);
    /* What asks for more than there is gets all of it: going back and forth helps nobody. */
    l->cores = ev->cores ? ev->cores : 1;
    if (l->cores > a->cfg.slots)
        l->cores = a->cfg.slots;
    l->memory_mib = ev->memory_mib;
    if (l->memory_mib > a->cfg.memory_mib)
        l->memory_mib = (uint32_t)a->cfg.memory_mib;
    for (size_t i = 0; ev->take && i < RESOURCES_MAX; i++)
        l->take[i] = ev->take[i] < a->cfg.amount[i] ? ev->take[i] : a->cfg.amount[i];
    l->stop_at = MS_NEVER;
    l->state = LEASE_QUEUED;
    HASH_ADD(hh, a->by_id, id, sizeof l->id, l);
    list_add(&a->queued, l);
}

static void start_queued(struct agent *a, ms_t now, struct acts *out)
{
    struct lease *l;

    while ((l = a->queued.head) != NULL) {
        if (l->call) {
            if (!agent_calls_start(a, l, now, out))
                return;
            continue;
        }
        if (l->cores > a->cfg.slots - a->cores_busy ||
            l->memory_mib > a->cfg.memory_mib - a->memory_busy || !resources_free(a, l))
            return;
        list_remove(l);
        list_add(&a->active, l);
        l->state = LEASE_STARTING;
        use(a, l, 1);
        agent_act_on(out, ACT_SPAWN, l);
    }
}

static void started(struct agent *a, struct lease *l, ms_t now, struct acts *out)
{
    must(l != NULL && l->state == LEASE_STARTING);
    l->state = LEASE_RUNNING;
    l->started = now;
    if (l->why == STOP_NOT)
        agent_arm(a, l);
    else
        agent_terminate(a, l, l->why, now, out);
}

static void exited(struct agent *a, const struct agent_event *ev, ms_t now, struct acts *out)
{
    struct lease *l = ev->direct ? find_ticket(a, ev->lease) : find(a, ev->lease);

    must(l != NULL);
    if (l->in != &a->active) {
        agent_calls_exited(a, ev, l, now, out);
        return;
    }
    if (l->state == LEASE_STARTING && l->why != STOP_NOT) {
        l->why = STOP_NOT; /* it ended before it could be told to */
        l->unwanted = true;
    }
    use(a, l, -1);
    agent_finish(a, l, now);
}

static void revoked(struct agent *a, const struct agent_event *ev, ms_t now, struct acts *out)
{
    struct lease *l = find(a, ev->lease);

    if (!l)
        agent_send_back(a, ev->lease, ev->task, ev->array, out);
    else if (l->state == LEASE_QUEUED)
        agent_give_back(a, l, out);
    else if (l->state == LEASE_FINISHED)
        l->unwanted = true;
    else
        revoke(a, l, now, out);
}

/* acknowledged - a result that is durable; acks of anything else mean nothing. */
static void acknowledged(struct agent *a, struct lease *l, struct acts *out)
{
    if (!l || l->state != LEASE_FINISHED)
        return;
    a->n_finished--;
    agent_act_on(out, l->unwanted || l->why == STOP_REVOKED ? ACT_DROP : ACT_FORGET, l);
    agent_forget(a, l);
}

static void recall(struct agent *a, uint32_t n, struct acts *out)
{
    for (; n > 0 && a->queued.head; n--)
        agent_give_back(a, a->queued.tail, out);
}

static void new_limit(struct agent *a, const struct agent_event *ev)
{
    struct lease *l, *next;

    HASH_ITER(hh, a->by_id, l, next)
    {
        if (l->array.n != ev->array.n || l->state == LEASE_FINISHED)
            continue;
        l->limit_ms = bounded(ev->limit_ms);
        if (l->state == LEASE_RUNNING)
            agent_arm(a, l);
    }
}

/* --- the connection --- */

static void begin(struct agent *a, ms_t now)
{
    a->began = true;
    a->alone_since = now;
    a->hello_by = a->cfg.engines ? now + HELLO_WAIT_MS : MS_NEVER;
    a->engines_due = a->cfg.engines ? now : MS_NEVER;
}

static void lose_welcome(struct agent *a, ms_t now)
{
    if (a->welcome)
        a->alone_since = now;
    a->welcome = false;
}

static void came_up(struct agent *a, ms_t now, struct acts *out)
{
    lose_welcome(a, now);
    a->up = true;
    a->hung_up = false;
    a->heard_at = now;
    a->hello_waits = a->hello_by != MS_NEVER;
    if (!a->hello_waits)
        agent_act_plain(out, ACT_HELLO);
}

static void gone(struct agent *a, ms_t now, struct acts *out)
{
    lose_welcome(a, now);
    a->up = a->hung_up = a->hello_waits = false;
    agent_calls_disconnected(a, now, out);
}

static void welcomed(struct agent *a, ms_t now, struct acts *out)
{
    struct lease *l, *next;

    if (!a->up || a->hung_up || a->welcome)
        return;
    a->welcome = true;
    a->beat_at = now + a->cfg.beat_ms;
    if (a->draining)
        say_draining(a, now, out);
    HASH_ITER(hh, a->by_id, l, next)
    {
        if (l->state != LEASE_FINISHED)
            continue;
        list_remove(l);
        l->finished = now - a->cfg.report_delay_ms; /* due at once */
        list_add(&a->outgoing, l);
    }
}

static void check_connection(struct agent *a, ms_t now, struct acts *out)
{
    if (a->up && !a->hung_up && now - a->heard_at >= a->cfg.lost_after_ms) {
        lose_welcome(a, now);
        a->hung_up = true;
        agent_act_plain(out, ACT_HANG_UP);
    }
    if (a->welcome && now >= a->beat_at) {
        a->beat_at = now + a->cfg.beat_ms;
        agent_act_plain(out, ACT_BEAT);
    }
    if (!a->welcome && !a->draining && now - a->alone_since >= a->cfg.orphan_after_ms)
        drain(a, 0, now, out);
}

static bool report_now(const struct agent *a, ms_t now)
{
    return (a->queued.n == 0 && a->n_handed == 0) || a->draining ||
           a->outgoing.n >= REPORT_TOGETHER ||
           now - a->outgoing.head->finished >= a->cfg.report_delay_ms;
}

static void report(struct agent *a, ms_t now, struct acts *out)
{
    if (!a->welcome || a->outgoing.n == 0 || !report_now(a, now))
        return;
    while (a->outgoing.head) {
        struct lease *l = a->outgoing.head;
        list_remove(l);
        agent_act_on(out, ACT_RESULT, l);
    }
}

static void take_event(struct agent *a, ms_t now, const struct agent_event *ev, struct acts *out)
{
    if (a->up && (ev->kind == AGENT_HEARD || ev->kind == AGENT_WELCOME))
        a->heard_at = now;
    switch (ev->kind) {
    case AGENT_UP:
        came_up(a, now, out);
        break;
    case AGENT_WELCOME:
        welcomed(a, now, out);
        break;
    case AGENT_GONE:
        gone(a, now, out);
        break;
    case AGENT_HEARD:
        break;
    case AGENT_ASSIGN:
        assign(a, ev, out);
        break;
    case AGENT_REVOKE:
        revoked(a, ev, now, out);
        break;
    case AGENT_ACK:
        acknowledged(a, find(a, ev->lease), out);
        break;
    case AGENT_RECALL:
        recall(a, ev->n, out);
        break;
    case AGENT_LIMIT:
        new_limit(a, ev);
        break;
    case AGENT_STARTED:
        started(a, find(a, ev->lease), now, out);
        break;
    case AGENT_EXITED:
        exited(a, ev, now, out);
        break;
    case AGENT_WITHDRAWN:
        agent_calls_withdrawn(a, ev->direct ? find_ticket(a, ev->lease) : find(a, ev->lease), out);
        break;
    case AGENT_DIRECT:
        if (!find_ticket(a, ev->lease))
            agent_calls_direct(a, ev, now, out);
        break;
    case AGENT_DIRECT_CANCEL:
        agent_calls_direct_cancel(a, find_ticket(a, ev->lease), now, out);
        break;
    case AGENT_ENGINE_READY:
        agent_calls_engine_ready(a, ev, now, out);
        break;
    case AGENT_ENGINE_GONE:
        agent_calls_engine_gone(a, ev, now, out);
        break;
    case AGENT_DRAIN:
        drain(a, ev->grace_ms, now, out);
        break;
    case AGENT_TIMEOUT:
        break;
    }
}

#include "worker/agent.h"

#include <stdlib.h>

#include "worker/agent_state.h"

static void begin(struct agent *a, ms_t now);
static void take_event(struct agent *a, ms_t now, const struct agent_event *ev, struct acts *out);
static void check_connection(struct agent *a, ms_t now, struct acts *out);
static void stop_due(struct agent *a, ms_t now, struct acts *out);
static void start_queued(struct agent *a, struct acts *out);
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
    start_queued(a, out);
    report(a, now, out);
    finish_drain(a, now, out);
}

/* --- acts --- */

static void act(struct acts *out, const struct act *item)
{
    if (out->n == out->cap) {
        size_t cap = out->cap ? out->cap * 2 : 64;
        struct act *items = realloc(out->items, cap * sizeof *items);
        must(items != NULL);
        out->items = items;
        out->cap = cap;
    }
    out->items[out->n++] = *item;
}

static void act_plain(struct acts *out, enum act_kind kind)
{
    act(out, &(struct act){ .kind = kind });
}

static void act_on(struct acts *out, enum act_kind kind, const struct lease *l)
{
    act(out, &(struct act){ kind, l->id, l->task, l->array, l->why, l->limit_ms });
}

/* --- lists --- */

static void list_add(struct list *list, struct lease *l)
{
    l->in = list;
    l->prev = list->tail;
    l->next = NULL;
    *(list->tail ? &list->tail->next : &list->head) = l;
    list->tail = l;
    list->n++;
}

static void list_remove(struct lease *l)
{
    struct list *list = l->in;

    if (!list)
        return;
    *(l->prev ? &l->prev->next : &list->head) = l->next;
    *(l->next ? &l->next->prev : &list->tail) = l->prev;
    l->prev = l->next = NULL;
    l->in = NULL;
    list->n--;
}

static struct lease *find(struct agent *a, lease_id id)
{
    struct lease *l;

    HASH_FIND(hh, a->by_id, &id, sizeof id, l);
    return l;
}

static void forget(struct agent *a, struct lease *l)
{
    list_remove(l);
    HASH_DEL(a->by_id, l);
    free(l);
}

/* send_back - a lease that we do not have, or not any more. */
static void send_back(const struct agent *a, lease_id id, task_id task, array_id array,
                      struct acts *out)
{
    if (a->welcome)
        act(out, &(struct act){ ACT_RETURN, id, task, array, STOP_NOT, 0 });
}

static void give_back(struct agent *a, struct lease *l, struct acts *out)
{
    send_back(a, l->id, l->task, l->array, out);
    forget(a, l);
}

/* --- stopping --- */

/* bounded - a duration that a peer sent, so that sums with `now` stay in range. */
static ms_t bounded(ms_t ms)
{
    return ms < 0 ? 0 : ms > DURATION_MS_MAX ? DURATION_MS_MAX : ms;
}

static void due_at(struct agent *a, ms_t at)
{
    if (at < a->due)
        a->due = at;
}

static void terminate(struct agent *a, struct lease *l, enum stop_why why, ms_t now,
                      struct acts *out)
{
    ms_t grace = l->grace_ms ? l->grace_ms : a->cfg.kill_grace_ms;

    if (a->stopping && grace > a->cfg.kill_grace_ms)
        grace = a->cfg.kill_grace_ms;
    l->why = why;
    l->state = LEASE_STOPPING;
    l->stop_at = now + grace;
    due_at(a, l->stop_at);
    act_on(out, ACT_TERM, l);
}

/* revoke - an active lease; one whose process does not run yet is stopped once it does. */
static void revoke(struct agent *a, struct lease *l, ms_t now, struct acts *out)
{
    if (l->why != STOP_NOT)
        return;
    if (l->state == LEASE_STARTING)
        l->why = STOP_REVOKED;
    else
        terminate(a, l, STOP_REVOKED, now, out);
}

/* stop_all - the grace of a drain is over. */
static void stop_all(struct agent *a, ms_t now, struct acts *out)
{
    a->stopping = true;
    for (struct lease *l = a->active.head; l; l = l->next) {
        /* what is being stopped already gets no more than our own grace from here on */
        if (l->state == LEASE_STOPPING && l->stop_at != MS_NEVER &&
            l->stop_at > now + a->cfg.kill_grace_ms) {
            l->stop_at = now + a->cfg.kill_grace_ms;
            due_at(a, l->stop_at);
        }
        revoke(a, l, now, out);
    }
}

static void stop_due(struct agent *a, ms_t now, struct acts *out)
{
    struct lease *l;

    if (a->draining && !a->stopping && now >= a->stop_all_at)
        stop_all(a, now, out);
    if (now < a->due)
        return;
    a->due = MS_NEVER;
    for (l = a->active.head; l; l = l->next) {
        if (l->stop_at <= now && l->state == LEASE_RUNNING) {
            terminate(a, l, STOP_TIMEOUT, now, out);
        } else if (l->stop_at <= now) {
            l->stop_at = MS_NEVER;
            act_on(out, ACT_KILL, l);
        }
        due_at(a, l->stop_at);
    }
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
    if (a->welcome && at > now)
        act(out, &(struct act){ .kind = ACT_DRAINING, .limit_ms = at - now });
    while (a->queued.head)
        give_back(a, a->queued.head, out);
}

static void finish_drain(struct agent *a, ms_t now, struct acts *out)
{
    struct lease *l;

    if (!a->draining)
        return;
    /* Without a scheduler nobody takes the results: who is out of patience waits for none. */
    bool nobody = !a->welcome && a->stopping;
    bool nothing_left = a->active.n == 0 && (a->n_finished == 0 || nobody);
    if (!nothing_left && now < a->drained_by)
        return;
    for (l = a->active.head; l; l = l->next)
        act_on(out, ACT_KILL, l);
    if (a->welcome)
        act_plain(out, ACT_BYE);
    act_plain(out, ACT_EXIT);
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
        send_back(a, ev->lease, ev->task, ev->array, out);
        return;
    }
    struct lease *l = calloc(1, sizeof *l);
    must(l != NULL);
    l->id = ev->lease;
    l->task = ev->task;
    l->array = ev->array;
    l->limit_ms = bounded(ev->limit_ms);
    l->grace_ms = bounded(ev->grace_ms);
    /* What asks for more than there is gets all of it: going back and forth helps nobody. */
    l->cores = ev->cores ? ev->cores : 1;
    if (l->cores > a->cfg.slots)
        l->cores = a->cfg.slots;
    l->memory_mib = ev->memory_mib;
    if (l->memory_mib > a->cfg.memory_mib)
        l->memory_mib = (uint32_t)a->cfg.memory_mib;
    l->stop_at = MS_NEVER;
    l->state = LEASE_QUEUED;
    HASH_ADD(hh, a->by_id, id, sizeof l->id, l);
    list_add(&a->queued, l);
}

static void start_queued(struct agent *a, struct acts *out)
{
    struct lease *l;

    while ((l = a->queued.head) != NULL) {
        if (l->cores > a->cfg.slots - a->cores_busy ||
            l->memory_mib > a->cfg.memory_mib - a->memory_busy)
            return;
        list_remove(l);
        list_add(&a->active, l);
        l->state = LEASE_STARTING;
        a->cores_busy += l->cores;
        a->memory_busy += l->memory_mib;
        act_on(out, ACT_SPAWN, l);
    }
}

static void arm(struct agent *a, struct lease *l)
{
    l->stop_at = l->limit_ms ? l->started + l->limit_ms : MS_NEVER;
    due_at(a, l->stop_at);
}

static void started(struct agent *a, struct lease *l, ms_t now, struct acts *out)
{
    must(l != NULL && l->state == LEASE_STARTING);
    l->state = LEASE_RUNNING;
    l->started = now;
    if (l->why == STOP_NOT)
        arm(a, l);
    else
        terminate(a, l, l->why, now, out);
}

static void exited(struct agent *a, struct lease *l, ms_t now)
{
    must(l != NULL && l->in == &a->active);
    if (l->state == LEASE_STARTING && l->why != STOP_NOT) {
        l->why = STOP_NOT; /* it ended before it could be told to */
        l->unwanted = true;
    }
    list_remove(l);
    a->cores_busy -= l->cores;
    a->memory_busy -= l->memory_mib;
    l->state = LEASE_FINISHED;
    l->finished = now;
    list_add(&a->outgoing, l);
    a->n_finished++;
}

static void revoked(struct agent *a, const struct agent_event *ev, ms_t now, struct acts *out)
{
    struct lease *l = find(a, ev->lease);

    if (!l)
        send_back(a, ev->lease, ev->task, ev->array, out);
    else if (l->state == LEASE_QUEUED)
        give_back(a, l, out);
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
    act_on(out, l->unwanted || l->why == STOP_REVOKED ? ACT_DROP : ACT_FORGET, l);
    forget(a, l);
}

static void recall(struct agent *a, uint32_t n, struct acts *out)
{
    for (; n > 0 && a->queued.head; n--)
        give_back(a, a->queued.tail, out);
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
            arm(a, l);
    }
}

/* --- the connection --- */

static void begin(struct agent *a, ms_t now)
{
    a->began = true;
    a->alone_since = now;
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
    act_plain(out, ACT_HELLO);
}

static void gone(struct agent *a, ms_t now)
{
    lose_welcome(a, now);
    a->up = a->hung_up = false;
}

static void welcomed(struct agent *a, ms_t now, struct acts *out)
{
    struct lease *l, *next;

    if (!a->up || a->hung_up || a->welcome)
        return;
    a->welcome = true;
    a->beat_at = now + a->cfg.beat_ms;
    if (a->draining && !a->stopping)
        act(out, &(struct act){ .kind = ACT_DRAINING, .limit_ms = a->stop_all_at - now });
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
        act_plain(out, ACT_HANG_UP);
    }
    if (a->welcome && now >= a->beat_at) {
        a->beat_at = now + a->cfg.beat_ms;
        act_plain(out, ACT_BEAT);
    }
    if (!a->welcome && !a->draining && now - a->alone_since >= a->cfg.orphan_after_ms)
        drain(a, 0, now, out);
}

static bool report_now(const struct agent *a, ms_t now)
{
    return a->queued.n == 0 || a->draining || a->outgoing.n >= REPORT_TOGETHER ||
           now - a->outgoing.head->finished >= a->cfg.report_delay_ms;
}

static void report(struct agent *a, ms_t now, struct acts *out)
{
    if (!a->welcome || a->outgoing.n == 0 || !report_now(a, now))
        return;
    while (a->outgoing.head) {
        struct lease *l = a->outgoing.head;
        list_remove(l);
        act_on(out, ACT_RESULT, l);
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
        gone(a, now);
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
        exited(a, find(a, ev->lease), now);
        break;
    case AGENT_DRAIN:
        drain(a, ev->grace_ms, now, out);
        break;
    case AGENT_TIMEOUT:
        break;
    }
}

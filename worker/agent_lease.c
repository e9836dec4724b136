/* agent_lease - what agent.c and agent_calls.c do with leases, lists of them and acts. */
#include <stdlib.h>

#include "worker/agent_state.h"

/* --- acts --- */

void agent_act(struct acts *out, const struct act *item)
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

void agent_act_plain(struct acts *out, enum act_kind kind)
{
    agent_act(out, &(struct act){ .kind = kind });
}

void agent_act_on(struct acts *out, enum act_kind kind, const struct lease *l)
{
    agent_act(out, &(struct act){ kind, l->id, l->task, l->array, l->why, l->limit_ms, l->engine,
                                  l->call, l->direct, l->again });
}

/* --- lists --- */

void list_add(struct list *list, struct lease *l)
{
    l->in = list;
    l->prev = list->tail;
    l->next = NULL;
    *(list->tail ? &list->tail->next : &list->head) = l;
    list->tail = l;
    list->n++;
}

void list_add_first(struct list *list, struct lease *l)
{
    l->in = list;
    l->prev = NULL;
    l->next = list->head;
    *(list->head ? &list->head->prev : &list->tail) = l;
    list->head = l;
    list->n++;
}

void list_remove(struct lease *l)
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

void agent_forget(struct agent *a, struct lease *l)
{
    list_remove(l);
    if (l->direct)
        HASH_DEL(a->by_ticket, l);
    else
        HASH_DEL(a->by_id, l);
    free(l);
}

void agent_send_back(const struct agent *a, lease_id id, task_id task, array_id array,
                     struct acts *out)
{
    if (a->welcome)
        agent_act(out,
                  &(struct act){ .kind = ACT_RETURN, .lease = id, .task = task, .array = array });
}

void agent_give_back(struct agent *a, struct lease *l, struct acts *out)
{
    if (l->call || a->welcome) /* of a call the loop forgets the payload, whoever listens */
        agent_act_on(out, ACT_RETURN, l);
    agent_forget(a, l);
}

/* --- the end of one --- */

void agent_due_at(struct agent *a, ms_t at)
{
    if (at < a->due)
        a->due = at;
}

void agent_terminate(struct agent *a, struct lease *l, enum stop_why why, ms_t now,
                     struct acts *out)
{
    ms_t grace = l->grace_ms ? l->grace_ms : a->cfg.kill_grace_ms;

    if (a->stopping && grace > a->cfg.kill_grace_ms)
        grace = a->cfg.kill_grace_ms;
    l->why = why;
    l->state = LEASE_STOPPING;
    l->stop_at = now + grace;
    agent_due_at(a, l->stop_at);
    agent_act_on(out, ACT_TERM, l);
}

void agent_hasten(struct agent *a, struct lease *l, ms_t now)
{
    ms_t by = now + a->cfg.kill_grace_ms;

    if (l->stop_at == MS_NEVER || l->stop_at <= by)
        return;
    l->stop_at = by;
    agent_due_at(a, by);
}

void agent_arm(struct agent *a, struct lease *l)
{
    l->stop_at = l->limit_ms ? l->started + l->limit_ms : MS_NEVER;
    agent_due_at(a, l->stop_at);
}

void agent_stop_one(struct agent *a, struct lease *l, ms_t now, struct acts *out)
{
    if (l->stop_at <= now && l->state == LEASE_RUNNING) {
        agent_terminate(a, l, STOP_TIMEOUT, now, out);
    } else if (l->stop_at <= now) {
        l->stop_at = MS_NEVER;
        agent_act_on(out, ACT_KILL, l);
    }
    agent_due_at(a, l->stop_at);
}

void agent_finish(struct agent *a, struct lease *l, ms_t now)
{
    list_remove(l);
    l->state = LEASE_FINISHED;
    l->finished = now;
    list_add(&a->outgoing, l);
    a->n_finished++;
}

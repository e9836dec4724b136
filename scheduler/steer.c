/* steer - the words of people that change priority and share of a study that is loaded, and send
 * workers away. */

#include <utlist.h>

#include "scheduler/state.h"

/* True: another policy than it was. */
static bool steer(struct policy *p, const struct event *ev)
{
    struct policy was = { .priority = p->priority, .weight = p->weight };

    was.running_max = p->running_max;
    if (ev->kind == EV_PRIORITY)
        p->priority = ev->number;
    if (ev->kind == EV_SHARE && ev->weight)
        p->weight = ev->weight;
    if (ev->kind == EV_SHARE)
        p->running_max = ev->running_max;
    return was.priority != p->priority || was.weight != p->weight ||
           was.running_max != p->running_max;
}

/* A release makes a study that is held or halted go on; the others change the policy of every
 * array of it that counts. */
void on_steer(struct core *c, const struct event *ev, struct outbox *out)
{
    if (ev->kind == EV_DRAIN || ev->kind == EV_LEAVING) {
        on_drain(c, ev, out);
        return;
    }
    struct live *st = live_asked_for(c, ev, out);
    struct array *a;
    if (!st)
        return;
    if (ev->kind == EV_RELEASE)
        live_set_mode(c, st, MODE_ACTIVE, out);
    DL_FOREACH(st->arrays, a)
    {
        if (ev->kind == EV_RELEASE || !steer(&a->row.policy, ev))
            continue;
        struct change *ch = out_change(out, CHG_POLICY);
        ch->array.id = a->row.id;
        ch->array.policy = a->row.policy;
        share_place(c, a);
        c->want_dispatch = true;
    }
    core_reply(out, ev->from, ev->request,
               st->count[TASK_READY] + st->count[TASK_WAITING] + st->count[TASK_LEASED]);
}

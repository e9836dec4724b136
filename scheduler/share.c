/* share - the order between studies: priority, weight, how many may run; and the words that change
 * them while a study is loaded. */

#include <utlist.h>

#include "base/must.h"
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
        c->want_dispatch = true;
    }
    core_reply(out, ev->from, ev->request,
               st->count[TASK_READY] + st->count[TASK_WAITING] + st->count[TASK_LEASED]);
}

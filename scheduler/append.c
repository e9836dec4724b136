/* append - arrays of calls: they grow while they run, and are forgotten when nobody needs them. */

#include <utlist.h>

#include "base/err.h"
#include "base/must.h"
#include "scheduler/state.h"

static void appended(const struct array *a, const struct event *ev, struct outbox *out)
{
    struct send *s = out_send(out, SEND_APPENDED, ev->from);

    s->request = ev->request;
    s->array = a->row.id;
    s->n = a->row.n;
}

/* Whether the calls of an append are there already; otherwise why they cannot be appended, or NULL.
 */
static bool there_already(const struct array *a, const struct event *ev, const char **why)
{
    *why = NULL;
    if (ev->at <= a->row.n && ev->n <= a->row.n - ev->at)
        return true;
    if (a->row.closed && !ev->stored)
        *why = "this array is closed: nothing can be appended to it";
    else if (ev->at > a->row.n)
        *why = "there is a gap: the calls before the first of these are not there";
    else if (ev->at < a->row.n)
        *why = "the first of these calls are there already, the last are not: append those alone";
    else if (ev->n > POINTS_MAX - ev->at)
        *why = "too many calls for one array (POINTS_MAX): open another one";
    return false;
}

static void take(struct core *c, struct array *a, const struct event *ev, struct outbox *out)
{
    array_grow(a, ev->n, ev->stored ? ev->states : NULL);
    graph_append(c, a, ev);
    share_update(c, a);
    c->want_dispatch = true;
    array_touch(c, a);
    if (ev->stored)
        return;
    struct change *ch = out_change(out, CHG_APPEND);
    ch->append.array = a->row.id;
    ch->append.at = ev->at;
    ch->append.n = ev->n;
    ch->append.chunk = ev->chunk;
}

void on_append(struct core *c, const struct event *ev, struct outbox *out)
{
    struct array *a = array_by_id(c, ev->array_id);
    const char *why;

    if (!a || a->row.kind != ARRAY_CALLS) {
        must(!ev->stored);
        out_refuse(out, ev, ERR_NOT_FOUND, "no such array of calls is open");
        return;
    }
    bool there = there_already(a, ev, &why);
    if (!there && !why) {
        if (c->restored && a->graph && a->graph->n_elements_in)
            graph_finish(c, out); /* each end is told once: to those that are there by then */
        why = ev->stored ? NULL : graph_refuses(c, a, ev);
    }
    if (why) {
        must(!ev->stored);
        out_refuse(out, ev, ERR_STATE, why);
        return;
    }
    if (!there)
        take(c, a, ev, out);
    if (ev->close && !a->row.closed) {
        array_close(a);
        array_touch(c, a);
        if (!ev->stored)
            out_change(out, CHG_CLOSED)->append.array = a->row.id;
    }
    if (ev->stored)
        return;
    live_set_mode(c, a->study, a->study->mode, out);
    appended(a, ev, out);
}

static bool may_unload(const struct array *a)
{
    return array_ended(a) && !a->n_leases && !a->touched;
}

/* Whether arrays of other studies wait for it, or it for them. */
static bool waits_elsewhere(const struct array *a)
{
    for (const struct array_wait *aw = a->graph ? a->graph->in : NULL; aw; aw = aw->next_in)
        if (aw->on && aw->on->study != a->study)
            return true;
    for (const struct array_wait *aw = a->graph ? a->graph->out : NULL; aw; aw = aw->next_out)
        if (aw->of->study != a->study)
            return true;
    return false;
}

static void unload_study(struct core *c, struct live *st)
{
    struct array *a, *next;

    if (st->n_retired || st->cancelling || c->graph.n_jobs || !live_ended(st) || st->told_active)
        return;
    DL_FOREACH(st->arrays, a)
    if (!may_unload(a) || waits_elsewhere(a))
        return;
    DL_FOREACH_SAFE(st->arrays, a, next)
    array_remove(c, a);
    live_free(c, st);
}

void on_unload(struct core *c, const struct event *ev)
{
    if (ev->study.n) {
        struct live *st = live_find(c, ev->study);
        if (st)
            unload_study(c, st);
        return;
    }
    struct array *a = array_by_id(c, ev->array_id);
    if (!a || a->retired || a->row.kind != ARRAY_CALLS || !may_unload(a))
        return;
    struct live *st = a->study;
    if (st->n_arrays == 1 && !st->n_retired) /* the last one: then the study is not loaded either */
        unload_study(c, st);
    else if (!a->graph)
        array_remove(c, a);
}

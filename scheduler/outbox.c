#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "scheduler/state.h"

void outbox_init(struct outbox *out)
{
    *out = (struct outbox){ 0 };
}

void outbox_fini(struct outbox *out)
{
    free(out->changes);
    free(out->sends);
    free(out->grants);
    *out = (struct outbox){ 0 };
}

void outbox_clear(struct outbox *out)
{
    out->n_changes = out->n_sends = out->n_grants = 0;
}

/* Makes room for one more of n items of this size. */
static void *grow(void *items, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return items;
    *cap = *cap ? 2 * *cap : 64;
    items = realloc(items, *cap * size);
    must(items != NULL);
    return items;
}

struct change *out_change(struct outbox *out, enum change_kind kind)
{
    out->changes = grow(out->changes, out->n_changes, &out->cap_changes, sizeof *out->changes);
    struct change *ch = &out->changes[out->n_changes++];
    /* Ends are many and small beside an array's policy or a worker's labels. */
    bool small =
        kind != CHG_ARRAY && kind != CHG_CURRENT && kind != CHG_POLICY && kind != CHG_WORKER;
    memset(ch, 0, small ? offsetof(struct change, end) + sizeof ch->end : sizeof *ch);
    ch->kind = kind;
    return ch;
}

struct send *out_send(struct outbox *out, enum send_kind kind, peer_id to)
{
    out->sends = grow(out->sends, out->n_sends, &out->cap_sends, sizeof *out->sends);
    struct send *s = &out->sends[out->n_sends++];
    *s = (struct send){ .kind = kind, .to = to, .grants = out->n_grants };
    return s;
}

void out_grant(struct outbox *out, struct send *s, lease_id lease, task_id task)
{
    must(s == &out->sends[out->n_sends - 1] && s->grants + s->n == out->n_grants);
    out->grants = grow(out->grants, out->n_grants, &out->cap_grants, sizeof *out->grants);
    out->grants[out->n_grants++] = (struct core_grant){ .lease = lease, .task = task };
    s->n++;
}

void out_refuse(struct outbox *out, const struct event *ev, int err, const char *text)
{
    struct send *s = out_send(out, SEND_REFUSED, ev->from);

    s->request = ev->request;
    s->err = err;
    s->text = text;
}

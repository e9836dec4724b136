/* order - the command lines of calls that have not started: given with their leases, needed when
 * the agent has a slot for them. */
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "worker/loop.h"

struct order {
    lease_id lease;
    char *text;
    UT_hash_handle hh;
};

static struct order *find(const struct worker *w, lease_id lease)
{
    struct order *o;

    HASH_FIND(hh, w->orders, &lease, sizeof lease, o);
    return o;
}

void order_put(struct worker *w, lease_id lease, const void *text, size_t n)
{
    struct order *o = calloc(1, sizeof *o);

    order_drop(w, lease);
    must(o != NULL);
    o->lease = lease;
    o->text = strndup(text, n);
    must(o->text != NULL);
    HASH_ADD(hh, w->orders, lease, sizeof o->lease, o);
}

char *order_take(struct worker *w, lease_id lease)
{
    struct order *o = find(w, lease);
    char *text = o ? o->text : NULL;

    if (o) {
        HASH_DEL(w->orders, o);
        free(o);
    }
    return text;
}

void order_drop(struct worker *w, lease_id lease)
{
    free(order_take(w, lease));
}

void order_drop_all(struct worker *w)
{
    struct order *o, *after;

    HASH_ITER(hh, w->orders, o, after)
    order_drop(w, o->lease);
}

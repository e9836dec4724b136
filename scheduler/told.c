/* told - how far running calls are, as their functions said: kept while they run, for clients that
 * want to see it. Nothing of it is durable, and nothing depends on it. */
#include <stdlib.h>
#include <string.h>

#include "scheduler/calls.h"

struct told {
    uint64_t index, number; /* number: of the news, within the array */
    lease_id lease;         /* of the attempt that said it */
    double share;
    UT_hash_handle hh;
    char text[SHARE_TEXT_MAX + 1];
};

static struct told *find(const struct calls *c, uint64_t index)
{
    struct told *t;

    HASH_FIND(hh, c->told, &index, sizeof index, t);
    return t;
}

static void take(struct scheduler *s, const struct call_share *from)
{
    lease_id lease = { from->id };
    task_id task = core_leased(s->core, lease);
    struct calls *c = task.n ? calls_by_task(s, task) : NULL;

    if (!c)
        return;
    uint64_t index = task.n - c->first.n;
    struct told *t = find(c, index);
    if (!t) {
        t = calloc(1, sizeof *t);
        must(t != NULL);
        t->index = index;
        HASH_ADD(hh, c->told, index, sizeof t->index, t);
    }
    if (t->lease.n == lease.n && t->share == from->share && strcmp(t->text, from->text) == 0)
        return;
    t->lease = lease;
    t->share = from->share;
    strcpy(t->text, from->text); /* wire_decode saw to its length */
    t->number = ++c->n_told;
}

void told_take(struct scheduler *s, const struct call_share *shares, size_t n)
{
    for (size_t i = 0; i < n; i++)
        take(s, &shares[i]);
}

void told_drop(struct calls *c, uint64_t index)
{
    struct told *t = c->told ? find(c, index) : NULL;

    if (!t)
        return;
    HASH_DELETE(hh, c->told, t);
    free(t);
}

void told_fini(struct calls *c)
{
    struct told *t, *next;

    HASH_ITER(hh, c->told, t, next)
    {
        HASH_DELETE(hh, c->told, t);
        free(t);
    }
}

double told_share(struct scheduler *s, task_id task)
{
    const struct calls *c = calls_by_task(s, task);
    const struct told *t = c && c->told ? find(c, task.n - c->first.n) : NULL;

    return t && core_leased(s->core, t->lease).n == task.n ? t->share : 0;
}

size_t told_since(struct scheduler *s, struct calls *c, uint64_t number, struct buf *shares)
{
    struct told *t, *next;

    buf_clear(shares);
    HASH_ITER(hh, c->told, t, next)
    {
        struct call_share share = { t->index, t->share, t->text };
        if (core_leased(s->core, t->lease).n != c->first.n + t->index)
            told_drop(c, t->index); /* that attempt is over, and the next has said nothing */
        else if (t->number > number)
            buf_add(shares, &share, sizeof share);
    }
    return shares->n / sizeof(struct call_share);
}

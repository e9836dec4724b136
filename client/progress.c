/* progress - how far calls are that run, as their functions say: for who asked. */
#include <string.h>
#include <utlist.h>

#include "base/must.h"
#include "client/session.h"

/* said - by one running call. */
struct said {
    uint64_t future; /* its id */
    struct grange_future_progress last;
    uint32_t n_called; /* callbacks that are to have it: they get what is last by then */
    bool is_listed;
    struct said *prev, *next; /* of those that are listed */
    UT_hash_handle hh;
};

static struct said *find(const struct calls *c, struct grange_future f)
{
    struct said *at;

    HASH_FIND(hh, c->said, &f.id, sizeof f.id, at);
    return at;
}

static struct said *find_or_add(struct calls *c, struct grange_future f)
{
    struct said *at = find(c, f);

    if (at)
        return at;
    at = calloc(1, sizeof *at);
    must(at != NULL);
    at->future = f.id;
    HASH_ADD(hh, c->said, future, sizeof at->future, at);
    return at;
}

static void unlist(struct calls *c, struct said *at)
{
    if (at->is_listed)
        DL_DELETE(c->listed, at);
    at->is_listed = false;
}

/* tell - who watches. One who has not taken the last news yet is not told twice. */
static void tell(struct calls *c, const struct slot *slot, struct said *at)
{
    bool busy = at->n_called > 0;

    for (uint32_t i = slot->watch; i; i = c->watches[i].next) {
        const struct watch *w = &c->watches[i];
        if (w->lists && !at->is_listed) {
            DL_APPEND(c->listed, at);
            at->is_listed = true;
        }
        if (!w->on_progress || busy)
            continue;
        at->n_called++;
        calls_add_callback(c, &(struct callback){ .future = { at->future },
                                                  .on_progress = w->on_progress,
                                                  .context = w->context });
    }
}

void progress_on_message(struct grange *g, struct series *s, const struct message *m)
{
    for (size_t i = 0; i < m->ends.n_shares; i++) {
        const struct call_share *from = &m->ends.shares[i];
        if (from->id >= s->n_slots || s->slots[from->id].end || s->slots[from->id].forgotten)
            continue;
        struct said *at = find_or_add(&g->calls, series_future(s, from->id));
        at->last.share = from->share;
        strcpy(at->last.text, from->text); /* wire_decode saw to its length */
        tell(&g->calls, &s->slots[from->id], at);
    }
}

void progress_drop(struct grange *g, struct grange_future f)
{
    struct calls *c = &g->calls;
    struct said *at = c->said ? find(c, f) : NULL;

    if (!at)
        return;
    unlist(c, at);
    HASH_DELETE(hh, c->said, at);
    free(at);
}

void progress_fini(struct calls *c)
{
    struct said *at, *next;

    HASH_ITER(hh, c->said, at, next)
    {
        HASH_DELETE(hh, c->said, at);
        free(at);
    }
}

bool progress_call(struct grange *g, struct grange_future f, struct grange_future_progress *p)
{
    struct said *at = find(&g->calls, f);

    if (!at)
        return false;
    at->n_called -= at->n_called > 0;
    *p = at->last;
    return true;
}

/* ---- the public functions */

/* ask - the farm, from now on, for the array that the future is in. */
static void ask(struct grange *g, struct series *s)
{
    if (s->shares)
        return;
    s->shares = true;
    if (s->opened)
        series_collect(g, s);
}

static struct slot *slot_of(struct grange *g, struct grange_future f)
{
    uint64_t index;
    struct series *s = future_find(g, f, &index);

    if (!s || s->slots[index].forgotten)
        return NULL;
    ask(g, s);
    return &s->slots[index];
}

static int no_future(struct grange *g)
{
    return session_wrong(g, ERR_NOT_FOUND, "that is no future of this connection");
}

int grange_future_progress(struct grange *g, struct grange_future f,
                           struct grange_future_progress *p)
{
    session_enter(g);
    pump_turn(g, 0); /* at least what is here */
    const struct slot *slot = slot_of(g, f);
    *p = (struct grange_future_progress){ 0 };
    if (!slot)
        return no_future(g);
    const struct said *at = find(&g->calls, f);
    if (slot->end)
        p->share = slot->end->outcome == GRANGE_DONE;
    else if (at)
        *p = at->last;
    return session_leave(g, GRANGE_OK);
}

int grange_on_progress(struct grange *g, struct grange_future first, uint64_t n,
                       grange_progress_callback *fn, void *context)
{
    session_enter(g);
    for (uint64_t i = 0; i < n; i++) {
        struct grange_future f = grange_nth(first, i);
        struct slot *slot = slot_of(g, f);
        if (!slot)
            return no_future(g);
        ends_watch(g, slot, f,
                   &(struct watch){ .on_progress = fn, .lists = !fn, .context = context });
        struct said *at = find(&g->calls, f);
        if (at)
            tell(&g->calls, slot, at);
    }
    pump_callbacks(g);
    return session_leave(g, GRANGE_OK);
}

int grange_progress_next(struct grange *g, int64_t timeout_ms, struct grange_future *f,
                         struct grange_future_progress *p)
{
    struct wait w = wait_for(timeout_ms);
    enum err err = ERR_NONE;

    session_enter(g);
    if (!g->calls.listed)
        pump_turn(g, 0); /* at least what is here */
    while (!g->calls.listed) {
        if (wait_end(g, &w, "no call said how far it is", &err))
            return session_leave(g, (int)err);
        pump_turn(g, wait_patience(g, &w));
    }
    struct said *at = g->calls.listed;
    unlist(&g->calls, at);
    f->id = at->future;
    *p = at->last;
    return session_leave(g, GRANGE_OK);
}

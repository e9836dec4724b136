/* set - many futures, as they complete. */
#include <stdlib.h>

#include "base/must.h"
#include "client/session.h"

struct grange_set {
    struct grange *g;
    struct grange_set *next;    /* of the connection */
    struct grange_future *done; /* in the order of their ends; those from `given` on are news */
    size_t n_done, given, cap;
    struct grange_tally tally;
    int64_t first_ms, last_ms; /* wall clock: of submissions, of ends */
};

static bool has_news(const struct grange_set *set)
{
    return set->given < set->n_done;
}

void set_on_end(struct grange_set *set, struct grange_future f, const struct end *e)
{
    struct grange_tally *t = &set->tally;

    set->g->calls.n_news += !has_news(set);
    if (set->n_done == set->cap) {
        set->cap = set->cap ? 2 * set->cap : 64;
        set->done = realloc(set->done, set->cap * sizeof *set->done);
        must(set->done != NULL);
    }
    set->done[set->n_done++] = f;
    t->ended++;
    t->by_outcome[e->outcome]++;
    t->serial_us += e->wall_us;
    t->cpu_us += e->user_us + e->sys_us;
    if (e->submitted_ms && (!set->first_ms || e->submitted_ms < set->first_ms))
        set->first_ms = e->submitted_ms;
    if (e->ended_ms > set->last_ms)
        set->last_ms = e->ended_ms;
}

static void free_set(struct grange_set *set)
{
    free(set->done);
    free(set);
}

void sets_fini(struct calls *c)
{
    while (c->sets) {
        struct grange_set *set = c->sets;
        c->sets = set->next;
        free_set(set);
    }
}

int grange_set_new(struct grange *g, struct grange_set **set)
{
    *set = calloc(1, sizeof **set);
    must(*set != NULL);
    session_enter(g);
    (*set)->g = g;
    (*set)->next = g->calls.sets;
    g->calls.sets = *set;
    return session_leave(g, GRANGE_OK);
}

void grange_set_free(struct grange_set *set)
{
    if (!set)
        return;
    struct grange *g = set->g;
    session_enter(g);
    struct grange_set **at = &g->calls.sets;
    while (*at != set)
        at = &(*at)->next;
    *at = set->next;
    g->calls.n_news -= has_news(set);
    for (uint32_t i = 1; i < g->calls.n_watches; i++) { /* those who wait for it no longer do */
        if (g->calls.watches[i].set == set)
            g->calls.watches[i].set = NULL;
    }
    free_set(set);
    session_leave(g, GRANGE_OK);
}

int grange_set_add(struct grange_set *set, struct grange_future first, uint64_t n)
{
    struct grange *g = set->g;
    uint64_t index;

    session_enter(g);
    for (uint64_t i = 0; i < n; i++) {
        struct grange_future f = grange_nth(first, i);
        struct series *s = future_find(g, f, &index);
        if (!s || s->slots[index].forgotten)
            return session_wrong(g, ERR_NOT_FOUND,
                                 "what was added to the set is no future of its "
                                 "connection");
        set->tally.n++;
        ends_watch(g, &s->slots[index], f, &(struct watch){ .set = set });
    }
    return session_leave(g, GRANGE_OK);
}

int grange_set_next(struct grange_set *set, int64_t timeout_ms, struct grange_future *f)
{
    struct grange *g = set->g;
    struct wait w = wait_for(timeout_ms);
    enum err err = ERR_NONE;

    session_enter(g);
    if (!has_news(set))
        pump_turn(g, 0); /* at least what is here */
    while (!has_news(set)) {
        if (set->tally.ended == set->tally.n)
            return session_wrong(g, ERR_NOT_FOUND, "all futures of the set were given out");
        if (wait_end(g, &w, "none has ended", &err))
            return session_leave(g, (int)err);
        pump_turn(g, wait_patience(g, &w));
    }
    *f = set->done[set->given++];
    g->calls.n_news -= !has_news(set);
    if (set->given == set->n_done)
        set->given = set->n_done = 0;
    return session_leave(g, GRANGE_OK);
}

int grange_set_wait(struct grange_set *set, int64_t timeout_ms)
{
    struct grange *g = set->g;
    struct wait w = wait_for(timeout_ms);
    enum err err = ERR_NONE;

    session_enter(g);
    while (set->tally.ended < set->tally.n && !wait_end(g, &w, "not all have ended", &err))
        pump_turn(g, wait_patience(g, &w));
    return session_leave(g, (int)err);
}

void grange_set_tally(struct grange_set *set, struct grange_tally *t)
{
    session_enter(set->g);
    *t = set->tally;
    t->wall_ms = set->last_ms > set->first_ms && set->first_ms ? set->last_ms - set->first_ms : 0;
    session_leave(set->g, GRANGE_OK);
}

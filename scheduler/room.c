/* room - what is free at workers, and which one a task gets.
 *
 * Workers that take new work are in lists by how many cores are free, so that the one with the most
 * (load spreads) or the least that is enough (wide tasks keep their room) is found at once. A shape
 * that found no room in one pass of dispatch is looked at in the next only for workers where
 * something became free meanwhile: what a pass costs is what changed, not shapes times workers.
 *
 * A shape whose tasks have waited for RESERVE_AFTER_MS while others went by gets a worker of its
 * own: nothing else starts there, unless it has a higher priority, until a task of it does. */

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/must.h"
#include "base/needs.h"
#include "scheduler/state.h"

enum { RESERVED_PART = 8 }; /* at most one worker, and one of 8 beyond, is kept for a shape */

uint32_t room_free(const struct worker *w)
{
    return w->cores_used < w->row.slots ? w->row.slots - w->cores_used : 0;
}

static uint32_t list_of(const struct worker *w)
{
    uint32_t n = room_free(w);

    return n < ROOMS ? n : ROOMS - 1;
}

static void leave(struct core *c, struct worker *w)
{
    if (!w->room)
        return;
    DL_DELETE2(c->rooms[w->room], w, room_prev, room_next);
    if (!c->rooms[w->room])
        c->rooms_used &= ~(1ULL << w->room);
    w->room = 0;
}

void room_close(struct core *c, struct worker *w)
{
    leave(c, w);
    if (w->reserved)
        room_unreserve(c, w->reserved);
    for (size_t i = 0; w->grown && i < c->n_grown; i++)
        if (c->grown[i] == w)
            c->grown[i] = c->grown[--c->n_grown];
    if (c->n_with_room > c->n_grown)
        c->n_with_room = c->n_grown;
    w->grown = false;
}

void room_update(struct core *c, struct worker *w)
{
    bool open = worker_open(w);
    uint32_t room = open ? list_of(w) : 0;

    if (room == w->room && room != ROOMS - 1)
        return;
    leave(c, w);
    if (!room)
        return;
    w->room = room;
    DL_APPEND2(c->rooms[room], w, room_prev, room_next);
    c->rooms_used |= 1ULL << room;
}

void room_grew(struct core *c, struct worker *w)
{
    room_update(c, w);
    c->want_dispatch = true;
    if (w->grown || !worker_open(w))
        return;
    w->grown = true;
    if (c->n_grown == c->cap_grown) {
        c->cap_grown = c->cap_grown ? 2 * c->cap_grown : 64;
        c->grown = realloc(c->grown, c->cap_grown * sizeof(struct worker *));
        must(c->grown != NULL);
    }
    c->grown[c->n_grown++] = c->grown[c->n_with_room];
    c->grown[c->n_with_room++] = w;
}

/* Where a worker keeps the resource; its place in row.resources. RESOURCES_MAX: it has none. */
static uint32_t place_of(const struct worker *w, const char *name)
{
    for (uint32_t i = 0; i < w->row.n_resources; i++)
        if (strcmp(w->row.resources[i].name, name) == 0)
            return i;
    return RESOURCES_MAX;
}

static void use_resources(struct worker *w, const struct needs *n, int sign)
{
    for (uint32_t i = 0; i < n->n_resources; i++) {
        uint32_t at = place_of(w, n->resources[i].name);
        if (at < RESOURCES_MAX) /* else it came back with less than it had */
            w->used[at] += (uint32_t)sign * n->resources[i].amount;
    }
}

static bool offers_same(const struct worker_row *a, const struct worker_row *b)
{
    if (a->slots != b->slots || a->memory_mib != b->memory_mib || a->end_ms != b->end_ms ||
        a->n_resources != b->n_resources)
        return false;
    for (uint32_t i = 0; i < a->n_resources; i++)
        if (strcmp(a->resources[i].name, b->resources[i].name) != 0 ||
            a->resources[i].amount != b->resources[i].amount)
            return false;
    return true;
}

bool room_offer(struct core *c, struct worker *w, const struct worker_row *row)
{
    const char *labels = shape_intern(c, row->labels);
    struct lease *l;
    bool another = w->row.labels != labels || !offers_same(&w->row, row);

    w->row.slots = row->slots;
    w->row.memory_mib = row->memory_mib;
    w->row.end_ms = row->end_ms;
    w->row.n_resources = row->n_resources;
    memcpy(w->row.resources, row->resources, sizeof w->row.resources);
    w->row.labels = labels;
    memset(w->used, 0, sizeof w->used);
    DL_FOREACH(w->leases, l)
    if (!l->finished)
        use_resources(w, &l->shape->needs, 1);
    return another;
}

void room_mark_long(struct lease *l)
{
    if (l->is_long || l->finished)
        return;
    l->is_long = true;
    l->worker->long_cores += l->shape->needs.cores;
}

/* A task began while those found no room. */
static void overtaken(struct core *c)
{
    for (size_t i = 0; i < c->n_failed; i++)
        if (!c->failed[i]->waits_since)
            c->failed[i]->waits_since = c->now;
    c->n_failed = 0;
}

void room_take(struct core *c, struct lease *l)
{
    struct worker *w = l->worker;
    const struct needs *n = &l->shape->needs;

    w->cores_used += n->cores;
    w->memory_used += n->memory_mib;
    use_resources(w, n, 1);
    if (l->array->mean_us > (uint64_t)c->cfg.prefetch_ms * 1000)
        room_mark_long(l);
    room_unreserve(c, l->shape);
    room_update(c, w);
    overtaken(c);
}

void room_give(struct core *c, struct lease *l)
{
    room_finished(c, l);
    room_grew(c, l->worker); /* one lease less is room too */
}

void room_finished(struct core *c, struct lease *l)
{
    struct worker *w = l->worker;
    const struct needs *n = &l->shape->needs;

    if (l->finished)
        return;
    l->finished = true;
    must(w->cores_used >= n->cores && w->memory_used >= n->memory_mib);
    w->cores_used -= n->cores;
    w->memory_used -= n->memory_mib;
    use_resources(w, n, -1);
    if (l->is_long)
        w->long_cores -= n->cores;
    room_grew(c, w);
}

bool room_in_time(const struct core *c, const struct shape *s, const struct worker *w)
{
    return !w->row.end_ms || c->now + s->needs.least_ms < w->row.end_ms;
}

/* In time, and whether what it takes is there besides cores and memory. */
bool room_may_start(const struct core *c, const struct shape *s, const struct worker *w)
{
    const struct needs *n = &s->needs;

    if (!room_in_time(c, s, w))
        return false;
    for (uint32_t i = 0; i < n->n_resources; i++) {
        uint32_t at = place_of(w, n->resources[i].name);
        if (at == RESOURCES_MAX ||
            w->used[at] + n->resources[i].amount > w->row.resources[at].amount)
            return false;
    }
    for (uint32_t i = 0; i < n->n_labels; i++)
        if (!labels_have(w->row.labels, n->labels[i]))
            return false;
    return true;
}

bool room_fits(struct core *c, const struct shape *s, const struct worker *w)
{
    const struct needs *n = &s->needs;

    c->n_looks++;
    return w->room && n->cores <= room_free(w) &&
           (!n->memory_mib || w->memory_used + n->memory_mib <= w->row.memory_mib) &&
           w->n_leases < GRANTS_MAX + w->row.slots && room_may_start(c, s, w);
}

static bool kept_for_another(const struct array *a, const struct worker *w)
{
    return w->reserved && w->reserved != a->shape && a->row.policy.priority <= w->reserved_priority;
}

static struct worker *find_grown(struct core *c, const struct array *a, bool tight)
{
    struct worker *best = NULL;

    for (size_t i = 0; i < c->n_with_room;) {
        struct worker *w = c->grown[i];
        if (!w->room) { /* full again: nobody needs to look at it */
            c->grown[i] = c->grown[--c->n_with_room];
            c->grown[c->n_with_room] = w;
            continue;
        }
        i++;
        if (kept_for_another(a, w) || !room_fits(c, a->shape, w))
            continue;
        if (!best || (tight ? room_free(w) < room_free(best) : room_free(w) > room_free(best)))
            best = w;
    }
    return best;
}

static struct worker *find_in_list(struct core *c, const struct array *a, uint32_t room)
{
    struct worker *w;

    DL_FOREACH2(c->rooms[room], w, room_next)
    if (!kept_for_another(a, w) && room_fits(c, a->shape, w))
        return w;
    return NULL;
}

static struct worker *find_any(struct core *c, const struct array *a, bool tight)
{
    uint32_t cores = a->shape->needs.cores;
    uint64_t lists = c->rooms_used & (~0ULL << (cores < ROOMS ? cores : ROOMS - 1));

    while (lists) {
        uint32_t room = (uint32_t)(tight ? __builtin_ctzll(lists) : 63 - __builtin_clzll(lists));
        struct worker *w = find_in_list(c, a, room);
        if (w)
            return w;
        lists &= ~(1ULL << room);
    }
    return NULL;
}

struct worker *room_find(struct core *c, struct array *a, bool tight)
{
    struct shape *s = a->shape;

    if (s->reserve && room_fits(c, s, s->reserve))
        return s->reserve;
    struct worker *w = s->stuck ? find_grown(c, a, tight) : find_any(c, a, tight);
    if (!w)
        share_stuck(c, s, true);
    return w;
}

void room_pass_over(struct core *c)
{
    for (size_t i = 0; i < c->n_grown; i++)
        c->grown[i]->grown = false;
    c->n_grown = c->n_with_room = c->n_failed = 0;
}

/* --- a worker of its own --- */

void room_unreserve(struct core *c, struct shape *s)
{
    struct worker *w = s->reserve;

    s->waits_since = 0;
    if (!w)
        return;
    s->reserve = NULL;
    w->reserved = NULL;
    c->n_reserved--;
    room_grew(c, w); /* for the others */
}

/* The worker that has the most free of those that could run it. */
static struct worker *choose(struct core *c, const struct shape *s)
{
    struct worker *best = NULL;

    for (size_t i = 0; i < c->n_workers; i++) {
        struct worker *w = c->workers[i];
        c->n_looks++;
        if (!worker_open(w) || w->reserved || !room_in_time(c, s, w) ||
            !needs_fit(&s->needs, &w->row))
            continue;
        if (!best || room_free(w) > room_free(best))
            best = w;
    }
    return best;
}

static void remember_failed(struct core *c, struct shape *s)
{
    if (c->n_failed == c->cap_failed) {
        c->cap_failed = c->cap_failed ? 2 * c->cap_failed : 64;
        c->failed = realloc(c->failed, c->cap_failed * sizeof(struct shape *));
        must(c->failed != NULL);
    }
    c->failed[c->n_failed++] = s;
}

void room_wait(struct core *c, struct array *a)
{
    struct shape *s = a->shape;

    if (s->reserve)
        return;
    if (!s->waits_since) {
        remember_failed(c, s);
        return;
    }
    if (c->n_reserved > c->n_workers / RESERVED_PART)
        return;
    if (c->now < s->waits_since + RESERVE_AFTER_MS)
        return;
    struct worker *w = choose(c, s);
    s->waits_since = c->now; /* without one it is looked for again, but not at once */
    if (!w)
        return;
    w->reserved = s;
    w->reserved_priority = a->row.policy.priority;
    s->reserve = w;
    c->n_reserved++;
}

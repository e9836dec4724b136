/* share_check - whether the order that share.c keeps is the one that it would make anew. For tests.
 */

#include <utlist.h>

#include "base/must.h"
#include "base/needs.h"
#include "scheduler/state.h"

static void check_heap(const struct turns *h)
{
    for (size_t i = 0; i < h->n; i++) {
        const struct turn *t = h->items[i], *above = h->items[i ? (i - 1) / 2 : 0];
        must(t->at == i + 1);
        must(above->priority >= t->priority);
        must(above->priority > t->priority || above->share <= t->share);
        must(above->priority > t->priority || above->share < t->share || above->age <= t->age);
    }
}

static void check_array(const struct array *a)
{
    const struct policy *p = &a->row.policy;
    const struct claim *cl = a->claim;
    bool wanted = a->mode == MODE_ACTIVE && a->count[TASK_READY] && !a->retired;

    must(needs_equal(&a->shape->needs, &p->needs));
    must(cl->study == a->study && cl->lane->shape == a->shape);
    must(cl->level->priority == p->priority && cl->running_max == p->running_max);
    must(cl->weight == (p->weight ? p->weight : 1));
    must(wanted == (a->turn.at != 0) && (!wanted || cl->arrays.items[a->turn.at - 1] == &a->turn));
    must(!cl->lane->length || (a->mean_us && !p->needs.n_resources));
}

static void check_claim(const struct core *c, const struct claim *cl)
{
    uint32_t most = cl->running_max;
    bool open = cl->arrays.n && (!most || cl->study->count[TASK_LEASED] < most);

    check_heap(&cl->arrays);
    must(open == (cl->turn.at != 0));
    must((open && !cl->study->joins) == (cl->measured.at != 0));
    must(!open || cl->turn.share == cl->study->shown_us / cl->weight);
    must(cl->study->fell || !open ||
         cl->study->shown_us <= cl->study->used_us + share_off_most(cl->study));
    must(!open || cl->turn.age == turns_first(&cl->arrays)->age);
    must(cl->lane->open || !open);
    size_t users = 0;
    for (size_t i = 0; i < c->n_arrays; i++)
        users += c->arrays[i]->claim == cl;
    must(users == cl->n_users);
}

/* The claims of a lane, or of a level. */
static size_t count_claims(const struct core *c, const struct lane *la, const struct level *l)
{
    const struct live *st, *next;
    const struct claim *cl;
    size_t n = 0;

    HASH_ITER(hh, c->studies, st, next)
    DL_FOREACH(st->claims, cl)
    n += cl->lane == la || cl->level == l;
    return n;
}

static void check_lane(const struct core *c, const struct lane *la)
{
    const struct turn *first = turns_first(&la->claims);

    check_heap(&la->claims);
    must(la->n_users == count_claims(c, la, NULL));
    must(!la->passed && la->open == (first != NULL) && la->open == (la->turn.at != 0));
    must(!first || (first->priority == la->turn.priority && first->share == la->turn.share &&
                    first->age == la->turn.age));
}

static size_t check_shape(const struct core *c, const struct shape *s)
{
    size_t open = 0, listed = 0, users = 0;
    const struct lease *l, *next;
    const struct lane *la;

    for (la = s->lanes; la; la = la->next) {
        must(la->shape == s);
        check_lane(c, la);
        open += la->open;
    }
    for (size_t i = 0; i < c->n_arrays; i++) {
        listed += c->arrays[i]->shape == s && c->arrays[i]->turn.at;
        users += c->arrays[i]->shape == s;
    }
    HASH_ITER(hh, c->leases, l, next)
    users += l->shape == s;
    must(users == s->n_users);
    must(open == s->n_open && listed == s->n_listed && !s->passed);
    return open && !s->stuck;
}

/* What a study is charged with and is no more than a guess. */
static void check_guesses(const struct core *c, const struct live *st)
{
    const struct lease *l, *next;
    uint64_t guessed = 0;

    HASH_ITER(hh, c->leases, l, next)
    {
        must(!l->backup || l->measured || l->charged_us);
        if (l->array->study == st && !l->measured)
            guessed += l->shape->needs.cores * l->charged_us;
    }
    must(guessed == st->guessed_us);
}

void share_check(const struct core *c)
{
    const struct shape *first, *next, *s;
    const struct live *st, *next_study;
    const struct claim *cl;
    size_t listed = 0, loose = 0;

    for (size_t i = 0; i < c->n_arrays; i++) {
        check_array(c->arrays[i]);
        listed += c->arrays[i]->turn.at != 0;
    }
    HASH_ITER(hh, c->studies, st, next_study)
    {
        check_guesses(c, st);
        DL_FOREACH(st->claims, cl)
        check_claim(c, cl);
    }
    HASH_ITER(hh, c->shapes, first, next)
    for (s = first; s; s = s->next)
        loose += check_shape(c, s);
    must(listed == c->n_listed && loose == c->n_loose && !c->passed);
    check_heap(&c->turns);
    for (const struct level *l = c->levels; l; l = l->next) {
        check_heap(&l->claims);
        must(l->n_users == count_claims(c, NULL, l));
    }
}

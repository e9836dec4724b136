/* shape - what tasks ask for, kept once for all that ask for the same; and the texts that many
 * workers have in common. */

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/needs.h"
#include "scheduler/state.h"

struct shape *shape_hold(struct core *c, const struct needs *n)
{
    uint64_t hash = needs_hash(n);
    struct shape *first, *s;

    HASH_FIND(hh, c->shapes, &hash, sizeof hash, first);
    for (s = first; s && !needs_equal(&s->needs, n);)
        s = s->next;
    if (s)
        return shape_hold_again(s);
    s = calloc(1, sizeof *s);
    must(s != NULL);
    s->needs = *n;
    s->hash = hash;
    s->n_users = 1;
    if (first) {
        s->next = first->next;
        first->next = s;
    } else {
        HASH_ADD(hh, c->shapes, hash, sizeof s->hash, s);
    }
    return s;
}

struct shape *shape_hold_again(struct shape *s)
{
    s->n_users++;
    return s;
}

void shape_drop(struct core *c, struct shape *s)
{
    struct shape *first, *at;

    must(s->n_users > 0);
    if (--s->n_users)
        return;
    room_unreserve(c, s);
    HASH_FIND(hh, c->shapes, &s->hash, sizeof s->hash, first);
    if (first == s) {
        HASH_DELETE(hh, c->shapes, s);
        if (s->next)
            HASH_ADD(hh, c->shapes, hash, sizeof s->next->hash, s->next);
    } else {
        for (at = first; at->next != s;)
            at = at->next;
        at->next = s->next;
    }
    free(s);
}

void shape_of_array(struct core *c, struct array *a)
{
    struct shape *old = a->shape;

    c->n_speculating += (size_t)a->row.policy.speculate - a->speculates;
    a->speculates = a->row.policy.speculate;
    if (!a->row.policy.needs.cores)
        a->row.policy.needs.cores = 1;
    share_forget(c, a);
    a->shape = shape_hold(c, &a->row.policy.needs);
    if (old)
        shape_drop(c, old);
    share_place(c, a);
    share_update(c, a);
}

const char *shape_intern(struct core *c, const char *text)
{
    struct interned *i;

    if (!text || !*text)
        return "";
    HASH_FIND_STR(c->texts, text, i);
    if (i)
        return i->text;
    i = calloc(1, sizeof *i);
    must(i != NULL);
    i->text = malloc(strlen(text) + 1);
    must(i->text != NULL);
    strcpy(i->text, text);
    HASH_ADD_KEYPTR(hh, c->texts, i->text, strlen(i->text), i);
    return i->text;
}

void shape_free(struct core *c)
{
    struct interned *i, *next;

    HASH_ITER(hh, c->texts, i, next)
    {
        HASH_DELETE(hh, c->texts, i);
        free(i->text);
        free(i);
    }
    free(c->grown);
    free(c->assigned);
    turns_fini(&c->turns);
    free(c->failed);
}

#include "scheduler/turns.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/must.h"

static bool before(const struct turn *x, const struct turn *y)
{
    if (x->priority != y->priority)
        return x->priority > y->priority;
    if (x->share != y->share)
        return x->share < y->share;
    return x->age < y->age;
}

static void set(struct turns *h, size_t i, struct turn *t)
{
    h->items[i] = t;
    t->at = i + 1;
}

static void sift(struct turns *h, size_t i)
{
    struct turn *t = h->items[i];

    for (; i && before(t, h->items[(i - 1) / 2]); i = (i - 1) / 2)
        set(h, i, h->items[(i - 1) / 2]);
    for (;;) {
        size_t best = 2 * i + 1;
        if (best + 1 < h->n && before(h->items[best + 1], h->items[best]))
            best++;
        if (best >= h->n || !before(h->items[best], t))
            break;
        set(h, i, h->items[best]);
        i = best;
    }
    set(h, i, t);
}

void turns_fini(struct turns *h)
{
    free(h->items);
    *h = (struct turns){ 0 };
}

struct turn *turns_first(const struct turns *h)
{
    return h->n ? h->items[0] : NULL;
}

void turns_put(struct turns *h, struct turn *t)
{
    if (!t->at) {
        if (h->n == h->cap) {
            h->cap = h->cap ? 2 * h->cap : 4;
            h->items = realloc(h->items, h->cap * sizeof(struct turn *));
            must(h->items != NULL);
        }
        set(h, h->n++, t);
    }
    sift(h, t->at - 1);
}

void turns_take(struct turns *h, struct turn *t)
{
    if (!t->at)
        return;
    size_t i = t->at - 1;
    struct turn *last = h->items[--h->n];
    t->at = 0;
    if (last == t)
        return;
    set(h, i, last);
    sift(h, i);
}

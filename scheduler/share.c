/* share - whose turn it is. Arrays that have ready tasks are in a heap: those of a higher priority
 * first, then those of the study that had the least core time for its weight, then the older ones.
 * A study is charged for a task when it is given out (with what its tasks took on average), and
 * what it took once that is known; one that comes back from having nothing to do starts where those
 * are that had. Also the words that change priority and share of a study that is loaded. */

#include <stdlib.h>
#include <utlist.h>

#include "base/must.h"
#include "scheduler/state.h"

enum { GUESS_US = 1000 }; /* what a task is charged with while nothing is known of its like */

void share_list(struct core *c, struct array *a)
{
    if (a->listed || a->retired)
        return;
    if (c->n_ready == c->cap_ready) {
        c->cap_ready = c->cap_ready ? 2 * c->cap_ready : 64;
        c->ready = realloc(c->ready, c->cap_ready * sizeof *c->ready);
        must(c->ready != NULL);
    }
    c->ready[c->n_ready++] = a;
    a->listed = c->n_ready;
    a->shape->stuck = a->full = false;
    a->shape->n_listed++;
    if (!a->study->n_listed++ && !a->study->count[TASK_LEASED])
        a->study->joins = true;
}

void share_unlist(struct core *c, struct array *a)
{
    if (!a->listed)
        return;
    struct array *last = c->ready[--c->n_ready];
    c->ready[a->listed - 1] = last;
    last->listed = a->listed;
    a->listed = 0;
    a->study->n_listed--;
    if (!--a->shape->n_listed)
        room_unreserve(c, a->shape);
}

static void charge(struct lease *l, uint64_t us)
{
    l->array->study->used_us +=
        l->shape->needs.cores * (us - l->charged_us); /* wraps as it should */
    l->charged_us = us;
}

void share_charge(struct lease *l)
{
    charge(l, l->array->mean_us ? l->array->mean_us : GUESS_US);
    l->array->study->guessed_us += l->shape->needs.cores * l->charged_us;
}

void share_measured(struct lease *l, uint64_t us)
{
    if (!l->measured)
        l->array->study->guessed_us -= l->shape->needs.cores * l->charged_us;
    l->measured = true;
    charge(l, us);
}

/* --- the heap --- */

static uint64_t share_of(const struct array *a)
{
    uint32_t weight = a->row.policy.weight;

    return a->study->used_us / (weight ? weight : 1);
}

static bool before(const struct turn *x, const struct turn *y)
{
    const struct policy *p = &x->array->row.policy, *q = &y->array->row.policy;

    if (p->priority != q->priority)
        return p->priority > q->priority;
    if (x->share != y->share)
        return x->share < y->share;
    return x->array->row.first.n < y->array->row.first.n;
}

static void sift_down(struct turn *t, size_t n, size_t i)
{
    for (;;) {
        size_t best = 2 * i + 1;
        if (best >= n)
            return;
        if (best + 1 < n && before(&t[best + 1], &t[best]))
            best++;
        if (!before(&t[best], &t[i]))
            return;
        struct turn moved = t[i];
        t[i] = t[best];
        t[best] = moved;
        i = best;
    }
}

/* The least share of those of a priority that did not just join; guesses may be far too high. */
static bool least_share(const struct core *c, size_t n, int32_t priority, uint64_t *least)
{
    bool found = false;

    for (size_t i = 0; i < n; i++) {
        const struct array *a = c->turns[i].array;
        if (a->study->joins || a->row.policy.priority != priority)
            continue;
        uint32_t weight = a->row.policy.weight ? a->row.policy.weight : 1;
        uint64_t share = (a->study->used_us - a->study->guessed_us) / weight;
        if (!found || share < *least)
            *least = share;
        found = true;
    }
    return found;
}

static void join(struct core *c, size_t n)
{
    int32_t priority = 0;
    uint64_t least = 0;
    bool known = false, found = false;

    for (size_t i = 0; i < n; i++) {
        struct array *a = c->turns[i].array;
        uint32_t weight = a->row.policy.weight ? a->row.policy.weight : 1;
        if (!a->study->joins)
            continue;
        if (!known || priority != a->row.policy.priority) {
            priority = a->row.policy.priority;
            found = least_share(c, n, priority, &least);
            known = true;
        }
        if (found && c->turns[i].share < least) {
            a->study->used_us = least * weight; /* nothing of it is out, so nothing is guessed */
            c->turns[i].share = least;
        }
    }
    for (size_t i = 0; i < n; i++)
        c->turns[i].array->study->joins = false;
}

static bool below_running_max(const struct array *a)
{
    uint32_t most = a->row.policy.running_max;

    return !most || a->study->count[TASK_LEASED] < most;
}

size_t share_order(struct core *c, bool (*wanted)(const struct core *c, const struct array *a),
                   uint32_t *widest)
{
    bool joins = false;
    size_t n = 0;

    if (c->n_ready > c->cap_turns) {
        c->cap_turns = 2 * c->n_ready;
        c->turns = realloc(c->turns, c->cap_turns * sizeof *c->turns);
        must(c->turns != NULL);
    }
    *widest = 0;
    c->n_loose = 0;
    for (size_t i = 0; i < c->n_ready;) {
        struct array *a = c->ready[i];
        if (a->mode != MODE_ACTIVE || !a->count[TASK_READY]) {
            share_unlist(c, a); /* the last one takes its place */
            continue;
        }
        i++;
        if (a->shape->needs.cores > *widest)
            *widest = a->shape->needs.cores;
        if (!below_running_max(a)) { /* what becomes free meanwhile is not looked at for it */
            a->shape->stuck = a->full = false;
            continue;
        }
        if (!wanted(c, a)) {
            a->full = false;
            continue;
        }
        c->n_loose += !a->shape->stuck;
        joins |= a->study->joins;
        c->turns[n++] = (struct turn){ a, share_of(a), !a->shape->stuck };
    }
    if (joins)
        join(c, n);
    for (size_t i = n / 2; i-- > 0;)
        sift_down(c->turns, n, i);
    return n;
}

struct array *share_first(struct core *c, size_t *n)
{
    while (*n) {
        struct turn *t = &c->turns[0];
        uint64_t share = share_of(t->array);
        if (!t->array->count[TASK_READY] || !below_running_max(t->array)) {
            share_pass(c, n);
        } else if (share > t->share) { /* its study was charged since */
            t->share = share;
            sift_down(c->turns, *n, 0);
        } else {
            return t->array;
        }
    }
    return NULL;
}

void share_pass(struct core *c, size_t *n)
{
    c->n_loose -= c->turns[0].loose;
    c->turns[0] = c->turns[--*n];
    sift_down(c->turns, *n, 0);
}

/* --- words --- */

/* True: another policy than it was. */
static bool steer(struct policy *p, const struct event *ev)
{
    struct policy was = { .priority = p->priority, .weight = p->weight };

    was.running_max = p->running_max;
    if (ev->kind == EV_PRIORITY)
        p->priority = ev->number;
    if (ev->kind == EV_SHARE && ev->weight)
        p->weight = ev->weight;
    if (ev->kind == EV_SHARE)
        p->running_max = ev->running_max;
    return was.priority != p->priority || was.weight != p->weight ||
           was.running_max != p->running_max;
}

/* A release makes a study that is held or halted go on; the others change the policy of every
 * array of it that counts. */
void on_steer(struct core *c, const struct event *ev, struct outbox *out)
{
    if (ev->kind == EV_DRAIN || ev->kind == EV_LEAVING) {
        on_drain(c, ev, out);
        return;
    }
    struct live *st = live_asked_for(c, ev, out);
    struct array *a;
    if (!st)
        return;
    if (ev->kind == EV_RELEASE)
        live_set_mode(c, st, MODE_ACTIVE, out);
    DL_FOREACH(st->arrays, a)
    {
        if (ev->kind == EV_RELEASE || !steer(&a->row.policy, ev))
            continue;
        struct change *ch = out_change(out, CHG_POLICY);
        ch->array.id = a->row.id;
        ch->array.policy = a->row.policy;
        c->want_dispatch = true;
    }
    core_reply(out, ev->from, ev->request,
               st->count[TASK_READY] + st->count[TASK_WAITING] + st->count[TASK_LEASED]);
}

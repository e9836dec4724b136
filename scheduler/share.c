#include "scheduler/share.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/must.h"
#include "scheduler/state.h"

enum {
    GUESS_US = 1000, /* what a task is charged with while nothing is known of its like */
    MOVE_US = 100    /* of core time: what it takes to be worth moving one claim */
};

/* --- what a study had --- */

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

/* A share that grew is seen when a claim of it comes first; one that fell has to be told. */
static void fell(struct core *c, struct live *st)
{
    if (st->fell)
        return;
    st->fell = true;
    st->next_fell = c->fell;
    c->fell = st;
}

void share_measured(struct core *c, struct lease *l, uint64_t us)
{
    struct live *st = l->array->study;

    if (!l->measured)
        st->guessed_us -= l->shape->needs.cores * l->charged_us;
    l->measured = true;
    if (us < l->charged_us)
        fell(c, st);
    charge(l, us);
}

uint64_t share_off_most(const struct live *st)
{
    return MOVE_US * (st->n_open_claims ? st->n_open_claims - 1 : 0);
}

static bool is_off(const struct live *st)
{
    uint64_t more = st->used_us - st->shown_us, less = st->shown_us - st->used_us;

    return (st->used_us > st->shown_us ? more : less) > share_off_most(st);
}

/* By what is shown: the claims of a study have one key all the time, so that they are in the order
 * of their age, and all of them are moved, or none. */
static uint64_t share_of(const struct claim *cl)
{
    return cl->study->shown_us / cl->weight;
}

/* Guesses may be far too high. */
static uint64_t measured_of(const struct claim *cl)
{
    return (cl->study->used_us - cl->study->guessed_us) / cl->weight;
}

/* --- the places of claims and lanes --- */

void share_stuck(struct core *c, struct shape *s, bool stuck)
{
    if (s->n_open)
        c->n_loose += (size_t)s->stuck - stuck;
    s->stuck = stuck;
}

static void lane_opens(struct core *c, struct lane *la)
{
    struct shape *s = la->shape;

    if (!s->n_open) /* it was not looked at for what became free meanwhile */
        s->stuck = false;
    if (!s->n_open++)
        c->n_loose += !s->stuck;
    la->open = true;
    la->full = false;
}

static void lane_closes(struct core *c, struct lane *la)
{
    struct shape *s = la->shape;

    if (!--s->n_open)
        c->n_loose -= !s->stuck;
    la->open = false;
}

static void lane_update(struct core *c, struct lane *la)
{
    const struct turn *first = turns_first(&la->claims);

    if (!first || la->passed) {
        turns_take(&c->turns, &la->turn);
    } else {
        la->turn.priority = first->priority;
        la->turn.share = first->share;
        la->turn.age = first->age;
        turns_put(&c->turns, &la->turn);
    }
    if (first && !la->open)
        lane_opens(c, la);
    else if (!first && la->open)
        lane_closes(c, la);
}

static bool below_most(const struct claim *cl)
{
    return !cl->running_max || cl->study->count[TASK_LEASED] < cl->running_max;
}

static bool may_give(const struct claim *cl)
{
    return cl->arrays.n && below_most(cl);
}

bool share_allows(const struct array *a)
{
    return below_most(a->claim);
}

static void claim_measure(struct claim *cl)
{
    cl->measured.share = measured_of(cl);
    turns_put(&cl->level->claims, &cl->measured);
}

static void claim_opens(struct core *c, struct claim *cl)
{
    struct live *st = cl->study;

    if (!st->n_open_claims++) {
        c->n_claiming++;
        st->shown_us = st->used_us;
    }
    if (c->n_reserved) /* its priority may go where that of others may not */
        share_stuck(c, cl->lane->shape, false);
}

static void claim_closes(struct core *c, struct claim *cl)
{
    if (!cl->turn.at)
        return;
    turns_take(&cl->lane->claims, &cl->turn);
    turns_take(&cl->level->claims, &cl->measured);
    lane_update(c, cl->lane);
    if (!--cl->study->n_open_claims)
        c->n_claiming--;
    if (cl->study->shown_us > cl->study->used_us) /* those that are left cost less to move */
        fell(c, cl->study);
}

static void claim_update(struct core *c, struct claim *cl)
{
    struct lane *la = cl->lane;

    c->n_turns++;
    if (!may_give(cl)) {
        claim_closes(c, cl);
        return;
    }
    if (!cl->turn.at)
        claim_opens(c, cl);
    cl->turn.share = share_of(cl);
    cl->turn.age = turns_first(&cl->arrays)->age;
    turns_put(&la->claims, &cl->turn);
    if (!cl->study->joins)
        claim_measure(cl);
    lane_update(c, la);
}

void share_leased(struct core *c, struct live *st)
{
    struct claim *cl;

    if (!st->n_limited)
        return;
    DL_FOREACH(st->claims, cl)
    if (cl->running_max && may_give(cl) != (cl->turn.at != 0))
        claim_update(c, cl);
}

/* --- which claim an array is in --- */

static uint32_t length_of(const struct core *c, const struct array *a)
{
    uint64_t us = a->mean_us;
    uint32_t was = a->claim ? a->claim->lane->length : 0;

    /* What takes a resource is given out only when that is free: its worker does not count it. */
    if (!us || us > (uint64_t)c->cfg.prefetch_ms * 1000 || a->row.policy.needs.n_resources)
        return 0;
    if (was && 4 * us >= 3ULL << (was - 1) && us < 3ULL << (was - 1))
        return was; /* a mean that moves about a power of 2 stays where it is */
    return 64 - (uint32_t)__builtin_clzll(us);
}

static struct level *level_hold(struct core *c, int32_t priority)
{
    struct level *l = c->levels;

    while (l && l->priority != priority)
        l = l->next;
    if (!l) {
        l = calloc(1, sizeof *l);
        must(l != NULL);
        l->priority = priority;
        l->next = c->levels;
        c->levels = l;
    }
    l->n_users++;
    return l;
}

static void level_drop(struct core *c, struct level *l)
{
    struct level **at = &c->levels;

    if (--l->n_users)
        return;
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    turns_fini(&l->claims);
    free(l);
}

static struct lane *lane_hold(struct shape *s, uint32_t length)
{
    struct lane *la = s->lanes;

    while (la && la->length != length)
        la = la->next;
    if (!la) {
        la = calloc(1, sizeof *la);
        must(la != NULL);
        la->shape = s;
        la->length = length;
        la->next = s->lanes;
        s->lanes = la;
    }
    la->n_users++;
    return la;
}

static void lane_drop(struct lane *la)
{
    struct lane **at = &la->shape->lanes;

    if (--la->n_users)
        return;
    while (*at != la)
        at = &(*at)->next;
    *at = la->next;
    turns_fini(&la->claims);
    free(la);
}

static uint32_t weight_of(const struct array *a)
{
    return a->row.policy.weight ? a->row.policy.weight : 1;
}

static bool belongs(const struct array *a, const struct claim *cl, uint32_t length)
{
    const struct policy *p = &a->row.policy;

    return cl->lane->shape == a->shape && cl->lane->length == length &&
           cl->level->priority == p->priority && cl->weight == weight_of(a) &&
           cl->running_max == p->running_max;
}

static struct claim *claim_hold(struct core *c, struct array *a, uint32_t length)
{
    struct live *st = a->study;
    struct claim *cl;

    DL_FOREACH(st->claims, cl)
    if (belongs(a, cl, length)) {
        cl->n_users++;
        return cl;
    }
    cl = calloc(1, sizeof *cl);
    must(cl != NULL);
    cl->study = st;
    cl->lane = lane_hold(a->shape, length);
    cl->level = level_hold(c, a->row.policy.priority);
    cl->turn.priority = a->row.policy.priority;
    cl->weight = weight_of(a);
    cl->running_max = a->row.policy.running_max;
    cl->n_users = 1;
    st->n_limited += cl->running_max != 0;
    DL_PREPEND(st->claims, cl);
    return cl;
}

static void claim_drop(struct core *c, struct claim *cl)
{
    struct live *st = cl->study;

    if (--cl->n_users)
        return;
    must(!cl->turn.at && !cl->measured.at);
    st->n_limited -= cl->running_max != 0;
    DL_DELETE(st->claims, cl);
    lane_drop(cl->lane);
    level_drop(c, cl->level);
    turns_fini(&cl->arrays);
    free(cl);
}

static void claim_enter(struct core *c, struct array *a)
{
    struct claim *cl = a->claim;

    a->turn.age = a->row.first.n;
    turns_put(&cl->arrays, &a->turn);
    if (turns_first(&cl->arrays) == &a->turn)
        claim_update(c, cl);
}

static void claim_leave(struct core *c, struct array *a)
{
    struct claim *cl = a->claim;
    bool first = turns_first(&cl->arrays) == &a->turn;

    turns_take(&cl->arrays, &a->turn);
    if (first)
        claim_update(c, cl);
}

void share_place(struct core *c, struct array *a)
{
    uint32_t length = length_of(c, a);
    struct claim *was = a->claim;
    bool listed = a->turn.at != 0;

    if (was && belongs(a, was, length))
        return;
    if (listed)
        claim_leave(c, a);
    a->claim = claim_hold(c, a, length);
    if (listed)
        claim_enter(c, a);
    if (was)
        claim_drop(c, was);
}

/* --- what is ready --- */

static uint32_t width_of(const struct shape *s)
{
    return s->needs.cores < ROOMS ? s->needs.cores : ROOMS - 1;
}

static void joins(struct core *c, struct live *st)
{
    if (st->joins)
        return;
    st->joins = true;
    st->next_joining = c->joining;
    c->joining = st;
}

static void list(struct core *c, struct array *a)
{
    struct live *st = a->study;
    uint32_t width = width_of(a->shape);

    if (!st->n_listed++ && !st->count[TASK_LEASED])
        joins(c, st);
    a->shape->n_listed++;
    c->n_listed++;
    if (!c->n_wide[width]++)
        c->widths |= 1ULL << width;
    claim_enter(c, a);
}

static void unlist(struct core *c, struct array *a)
{
    uint32_t width = width_of(a->shape);

    claim_leave(c, a);
    a->study->n_listed--;
    c->n_listed--;
    if (!--c->n_wide[width])
        c->widths &= ~(1ULL << width);
    if (!--a->shape->n_listed)
        room_unreserve(c, a->shape);
}

void share_update(struct core *c, struct array *a)
{
    bool wanted = a->mode == MODE_ACTIVE && a->count[TASK_READY] && !a->retired;

    if (wanted == (a->turn.at != 0))
        return;
    if (wanted)
        list(c, a);
    else
        unlist(c, a);
}

void share_forget(struct core *c, struct array *a)
{
    if (a->turn.at)
        unlist(c, a);
    if (a->claim)
        claim_drop(c, a->claim);
    a->claim = NULL;
}

void share_drop(struct core *c, struct live *st)
{
    struct live **at;

    must(!st->claims);
    if (st->joins) {
        for (at = &c->joining; *at != st;)
            at = &(*at)->next_joining;
        *at = st->next_joining;
    }
    if (st->fell) {
        for (at = &c->fell; *at != st;)
            at = &(*at)->next_fell;
        *at = st->next_fell;
    }
}

uint32_t share_widest(const struct core *c)
{
    return c->widths ? 63 - (uint32_t)__builtin_clzll(c->widths) : 0;
}

/* --- a pass --- */

/* The least share of those of a priority that did not just join. */
static bool least_share(struct core *c, struct level *l, uint64_t *least)
{
    for (;;) {
        struct turn *t = turns_first(&l->claims);
        if (!t)
            return false;
        uint64_t share = measured_of(turn_of(t, struct claim, measured));
        *least = t->share;
        if (share <= t->share)
            return true;
        t->share = share;
        turns_put(&l->claims, t);
        c->n_turns++;
    }
}

static void catch_up(struct core *c, struct live *st)
{
    struct claim *cl;
    uint64_t least;

    DL_FOREACH(st->claims, cl)
    if (cl->turn.at && least_share(c, cl->level, &least) && st->used_us / cl->weight < least)
        st->used_us = least * cl->weight; /* nothing of it is out, so nothing is guessed */
}

static void update_study(struct core *c, struct live *st)
{
    struct claim *cl;

    st->shown_us = st->used_us;
    DL_FOREACH(st->claims, cl)
    if (cl->turn.at)
        claim_update(c, cl);
}

void share_begin(struct core *c)
{
    for (struct live *st = c->joining; st; st = st->next_joining)
        catch_up(c, st);
    while (c->joining) {
        struct live *st = c->joining;
        c->joining = st->next_joining;
        st->joins = false;
        update_study(c, st);
    }
    while (c->fell && c->n_claiming > 1) { /* one alone has nobody to go before */
        struct live *st = c->fell;
        c->fell = st->next_fell;
        st->fell = false;
        if (is_off(st))
            update_study(c, st);
    }
}

static void pass(struct core *c, struct lane *la)
{
    la->passed = true;
    la->next_passed = c->passed;
    c->passed = la;
    turns_take(&c->turns, &la->turn);
}

struct array *share_first(struct core *c, bool beyond)
{
    struct turn *t;

    while ((t = turns_first(&c->turns)) != NULL) {
        struct lane *la = turn_of(t, struct lane, turn);
        struct claim *cl = turn_of(turns_first(&la->claims), struct claim, turn);
        c->n_turns++;
        if (beyond ? !la->length : la->shape->passed)
            pass(c, la);
        else if (c->n_claiming > 1 && cl->study->used_us > cl->study->shown_us && is_off(cl->study))
            update_study(c, cl->study); /* it was charged since */
        else
            return turn_of(turns_first(&cl->arrays), struct array, turn);
    }
    return NULL;
}

void share_pass(struct core *c, const struct array *a, bool beyond)
{
    a->shape->passed = !beyond;
    pass(c, a->claim->lane);
}

void share_over(struct core *c)
{
    while (c->passed) {
        struct lane *la = c->passed;
        c->passed = la->next_passed;
        la->passed = la->shape->passed = false;
        lane_update(c, la);
    }
}

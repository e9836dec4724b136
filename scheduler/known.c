/* known - which points of an array need not run: those that --where leaves out, those that have
 * ended, and those whose identity has ended in another array of the study. Looked up once, at
 * submit. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/loop.h"
#include "store/filter.h"
#include "study/study.h"

enum {
    DURATIONS_MAX = 100000
}; /* a sample of this size gives the median well within our buckets */

/* A point that ended elsewhere. Sorted by identity and searched: a hash table of a million of them
 * would take three times the memory. */
struct elsewhere {
    uint64_t id[2];
    task_id task;
    uint8_t not_done; /* 0: DONE, else its state; sorts the best end first */
    bool warned;      /* DONE with a warning */
};
enum { BUCKET_BITS = 16 };
struct elsewheres {
    struct elsewhere *items;
    size_t n, cap;
    size_t *bucket; /* [2^BUCKET_BITS + 1]: where those whose identity begins with these bits are */
};

void known_fini(struct known *k)
{
    free(k->states);
    free(k->adopts);
    free(k->durations_us);
    *k = (struct known){ 0 };
}

static uint8_t *states_of(struct known *k, const struct array_row *row)
{
    if (!k->states) {
        k->states = calloc(row->n, 1);
        must(k->states != NULL);
    }
    return k->states;
}

static enum err leave_out(const struct study *spec, const struct array_row *row, struct known *k,
                          struct fault *f)
{
    const char *names[FACTORS_MAX + 1], *values[FACTORS_MAX + 1];
    size_t n = study_n_factors(spec);
    struct filter *fl;
    char rep[16];

    for (size_t j = 0; j < n; j++)
        names[j] = study_factor_name(spec, j);
    names[n] = "rep";
    enum err err = filter_new(study_where(spec), names, n + 1, &fl, f);
    if (err)
        return err;
    uint8_t *states = states_of(k, row);
    struct point p;
    point_init(&p);
    for (uint64_t i = 0; i < row->n && !err; i++) {
        bool keep;
        study_point(spec, i, &p);
        memcpy(values, p.values, n * sizeof *values);
        snprintf(rep, sizeof rep, "%u", p.rep);
        values[n] = rep;
        err = filter_keep(fl, values, &keep, f);
        if (!err && !keep) {
            states[i] = TASK_SKIPPED;
            k->n_skipped++;
        }
    }
    point_fini(&p);
    filter_free(fl);
    return err;
}

/* The points of one other array that ended there themselves. */
static enum err collect(struct scheduler *s, array_id id, const uint64_t template_key[2],
                        struct elsewheres *all, struct known *k, struct fault *f)
{
    struct array_row row;
    struct buf text = { 0 };
    struct study *spec;
    bool found;
    enum err err = store_array(s->store, id, &found, &row, &text, f);

    if (!err && found)
        err = study_from_json(row.spec, row.spec_bytes, &spec, f);
    if (err || !found) {
        buf_fini(&text);
        return err;
    }
    uint8_t *states = calloc(row.n, 1), *adopted = calloc(row.n, 1);
    must(states != NULL && adopted != NULL);
    err = store_states(s->store, &row, states, adopted, f);
    struct point p;
    uint64_t other[2];
    size_t before = all->n;
    point_init(&p);
    for (uint64_t i = 0; i < row.n && !err; i++) {
        if (!states[i] || states[i] == TASK_CANCELLED || adopted[i])
            continue;
        if (all->n == all->cap) {
            all->cap = all->cap ? 2 * all->cap : 1024;
            all->items = realloc(all->items, all->cap * sizeof *all->items);
            must(all->items != NULL);
        }
        struct elsewhere *e = &all->items[all->n++];
        study_point(spec, i, &p);
        study_identity(spec, &p, e->id);
        e->task = (task_id){ row.first.n + i };
        e->warned = (states[i] & STATE_WARNED) != 0;
        e->not_done = states[i] == TASK_DONE || e->warned ? 0 : states[i];
    }
    study_template_key(spec, other);
    if (all->n > before && memcmp(other, template_key, sizeof other) != 0)
        k->template_changed = true;
    point_fini(&p);
    free(states);
    free(adopted);
    study_free(spec);
    buf_fini(&text);
    return err;
}

static int by_identity(const void *a, const void *b)
{
    const struct elsewhere *x = a, *y = b;

    for (int k = 0; k < 2; k++)
        if (x->id[k] != y->id[k])
            return x->id[k] < y->id[k] ? -1 : 1;
    if (x->not_done != y->not_done)
        return x->not_done < y->not_done ? -1 : 1;
    return x->task.n > y->task.n ? -1 : x->task.n < y->task.n; /* the newest of equals */
}

static size_t bucket_of(const uint64_t id[2])
{
    return (size_t)(id[0] >> (64 - BUCKET_BITS));
}

/* Identities are hashes, so a few of a million are in a bucket: beside each other in memory. */
static void sort_elsewheres(struct elsewheres *all)
{
    size_t i = 0;

    qsort(all->items, all->n, sizeof *all->items, by_identity);
    all->bucket = calloc(((size_t)1 << BUCKET_BITS) + 1, sizeof *all->bucket);
    must(all->bucket != NULL);
    for (size_t b = 0; b <= (size_t)1 << BUCKET_BITS; b++) {
        while (i < all->n && bucket_of(all->items[i].id) < b)
            i++;
        all->bucket[b] = i;
    }
}

/* The best end of an identity, or NULL. */
static const struct elsewhere *look_up(const struct elsewheres *all, const uint64_t id[2])
{
    size_t low = all->bucket[bucket_of(id)], high = all->bucket[bucket_of(id) + 1];

    while (low < high) {
        size_t mid = (low + high) / 2;
        const uint64_t *at = all->items[mid].id;
        if (at[0] < id[0] || (at[0] == id[0] && at[1] < id[1]))
            low = mid + 1;
        else
            high = mid;
    }
    if (low == all->n || memcmp(all->items[low].id, id, sizeof all->items[low].id) != 0)
        return NULL;
    return &all->items[low];
}

static void add_change(struct known *k, const struct change *ch)
{
    if (k->n_adopts == k->cap_adopts) {
        k->cap_adopts = k->cap_adopts ? 2 * k->cap_adopts : 16;
        k->adopts = realloc(k->adopts, k->cap_adopts * sizeof *k->adopts);
        must(k->adopts != NULL);
    }
    k->adopts[k->n_adopts++] = *ch;
}

/* The pairs live in `pairs` until the commit: they are what a million adopted points cost. */
static void adopt(const struct study *spec, const struct array_row *row,
                  const struct elsewheres *all, struct known *k, struct buf *pairs)
{
    uint8_t *states = states_of(k, row);
    struct point p;

    point_init(&p);
    for (uint64_t i = 0; i < row->n; i++) {
        uint64_t id[2];
        if (states[i] == TASK_DONE || states[i] & STATE_WARNED || states[i] == TASK_SKIPPED)
            continue;
        study_point(spec, i, &p);
        study_identity(spec, &p, id);
        const struct elsewhere *e = look_up(all, id);
        if (!e || (states[i] && e->not_done))
            continue;
        task_id task = { row->first.n + i };
        if (states[i]) /* its own end, which was no success, gives way */
            add_change(k, &(struct change){ .kind = CHG_REOPEN, .task = task });
        buf_add(pairs, &(struct adopt){ .task = task, .from = e->task }, sizeof(struct adopt));
        states[i] = e->not_done ? e->not_done : e->warned ? TASK_DONE | STATE_WARNED : TASK_DONE;
    }
    point_fini(&p);
    if (pairs->n)
        add_change(k, &(struct change){ .kind = CHG_ADOPT,
                                        .adopts = { (const struct adopt *)pairs->data,
                                                    pairs->n / sizeof(struct adopt) } });
}

static enum err find_elsewhere(struct scheduler *s, const struct study *spec,
                               const struct array_row *row, struct known *k, struct fault *f)
{
    struct buf ids = { 0 };
    struct elsewheres all = { 0 };
    uint64_t template_key[2];
    enum err err = store_other_arrays(s->store, row->study, row->id, &ids, f);

    study_template_key(spec, template_key);
    for (size_t i = 0; !err && i < ids.n / sizeof(array_id); i++) {
        array_id id;
        memcpy(&id, ids.data + i * sizeof id, sizeof id);
        err = collect(s, id, template_key, &all, k, f);
    }
    if (!err && all.n) {
        sort_elsewheres(&all);
        adopt(spec, row, &all, k, loop_text(s));
    }
    free(all.items);
    free(all.bucket);
    buf_fini(&ids);
    return err;
}

static void on_duration(void *ctx, uint64_t us)
{
    struct known *k = ctx;

    if (k->n_durations == DURATIONS_MAX)
        return;
    if (k->n_durations == k->cap_durations) {
        k->cap_durations = k->cap_durations ? 2 * k->cap_durations : 256;
        k->durations_us = realloc(k->durations_us, k->cap_durations * sizeof *k->durations_us);
        must(k->durations_us != NULL);
    }
    k->durations_us[k->n_durations++] = us;
}

enum err known_find(struct scheduler *s, const struct study *spec, const struct array_row *row,
                    bool is_new, bool adopt_ends, struct known *k, struct fault *f)
{
    enum err err = ERR_NONE;

    if (core_array_loaded(s->core, row->id))
        return ERR_NONE; /* the core knows better than the store */
    if (!is_new)
        err = store_states(s->store, row, states_of(k, row), NULL, f);
    if (!err && row->policy.timeout_percent && !is_new)
        err = store_durations(s->store, row, on_duration, k, f);
    if (!err && study_where(spec))
        err = leave_out(spec, row, k, f);
    if (!err && adopt_ends)
        err = find_elsewhere(s, spec, row, k, f);
    return err;
}

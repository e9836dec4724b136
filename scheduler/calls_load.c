/* calls_load - arrays of calls as the store has them: into the core, or only to be collected. */
#include <stdlib.h>

#include "scheduler/calls.h"
#include "study/calls.h"

/* loading - arrays of calls on their way into the core: those of a study, and of the studies that
 * they wait for, which may wait for that one in turn. So all of the arrays come first, and then
 * their calls, in the order in which they were appended: what a call waits for comes before it. */
struct loading {
    struct scheduler *s;
    struct buf studies; /* struct loaded_study */
    struct buf arrays;  /* struct loaded_calls, in the end by first task */
};
struct loaded_study {
    study_id id;
    bool active, halted;
};
/* Of one study: what store_calls gives. */
struct loading_study {
    struct loading *l;
    struct loaded_study study;
};
struct loaded_calls {
    struct calls *c;
    bool closed;
    uint64_t n, n_loaded; /* in chunks so far */
    uint8_t *states;      /* [n] */
    uint64_t first_end;
    struct policy policy;
};

enum err calls_after(struct scheduler *s, const struct calls_spec *spec, struct array_row *row,
                     struct fault *f)
{
    struct buf *kept = loop_text(s); /* until the end of the turn */

    for (size_t i = 0; i < spec->n_after; i++) {
        struct calls *on;
        enum err err = calls_find(s, spec->after[i].key, (array_id){ 0 }, &on, f);
        if (!err && !on)
            return fault_set(f, ERR_NOT_FOUND, "there is no array of calls '%s' to wait for",
                             spec->after[i].key);
        if (!err)
            err = calls_in_core(s, on, f);
        if (err)
            return err;
        struct array_edge edge = { .on = on->id,
                                   .rule = spec->after[i].rule,
                                   .element = spec->after[i].element };
        buf_add(kept, &edge, sizeof edge);
    }
    row->after = (const struct array_edge *)(const void *)kept->data;
    row->n_after = spec->n_after;
    return ERR_NONE;
}

static enum err load_array(void *ctx, const struct array_row *stored, uint64_t first_end,
                           struct fault *f)
{
    const struct loading_study *of = ctx;
    struct scheduler *s = of->l->s;
    struct array_row row = *stored;
    struct calls_spec spec;
    struct calls *c = calls_by_id(s, row.id);

    if (c && core_array_loaded(s->core, row.id))
        return ERR_NONE;
    enum err err = calls_spec_read(row.spec, row.spec_bytes, &spec, f);
    if (err)
        return err;
    uint64_t failed, ended;
    err = calls_after(s, &spec, &row, f);
    calls_spec_fini(&spec);
    if (!err)
        err = store_halt_counts(s->store, &row, &failed, &ended, f);
    if (err)
        return err;
    if (core_array_loaded(s->core, row.id)) /* by what waits for a later one of this study */
        return ERR_NONE;
    c = calls_by_id(s, row.id);
    if (!c)
        c = calls_add(s, &row, first_end);
    struct loaded_calls a = { .c = c, .closed = row.closed, .n = row.n, .first_end = first_end };
    a.policy = row.policy;
    a.states = calloc(row.n + 1, 1);
    must(a.states != NULL);
    buf_add(&of->l->arrays, &a, sizeof a);
    row.n = 0;
    row.closed = false;
    core_step(s->core, s->now,
              &(struct event){ .kind = EV_ARRAY,
                               .array = &row,
                               .active = of->study.active,
                               .halted = of->study.halted,
                               .new_failed = failed,
                               .new_ended = ended },
              &s->out);
    return ERR_NONE;
}

static struct loaded_calls *loading_of(const struct loading *l, task_id task)
{
    struct loaded_calls *a = (struct loaded_calls *)(void *)l->arrays.data;
    size_t low = 0, high = l->arrays.n / sizeof *a;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (a[middle].c->first.n <= task.n)
            low = middle + 1;
        else
            high = middle;
    }
    return low && task.n - a[low - 1].c->first.n < a[low - 1].n ? &a[low - 1] : NULL;
}

static void load_state(void *ctx, uint64_t n, task_id task, enum task_state state, worker_id worker)
{
    struct loaded_calls *a = loading_of(ctx, task);

    (void)n;
    (void)worker;
    if (a)
        a->states[task.n - a->c->first.n] = (uint8_t)state;
}

static enum err no_chunk(const struct loaded_calls *a, struct fault *f)
{
    return fault_set(f, ERR_DAMAGED, "call %llu of '%s' is in no chunk of the store",
                     (unsigned long long)a->n_loaded, a->c->key);
}

static enum err load_chunk(void *ctx, const struct chunk_row *row, struct fault *f)
{
    struct loading *l = ctx;
    struct scheduler *s = l->s;
    struct calls *c = calls_by_id(s, row->array);
    struct loaded_calls *a = c ? loading_of(l, c->first) : NULL;
    struct chunk_graph g = { 0 };

    if (!a || a->c != c)
        return ERR_NONE; /* it was here before */
    if (row->at > a->n_loaded)
        return no_chunk(a, f);
    if (row->at < a->n_loaded || row->n_calls > a->n - row->at ||
        (row->graph && !chunk_graph(row->data, row->bytes, &g)))
        return fault_set(f, ERR_DAMAGED, "chunk %llu of the store makes no sense",
                         (unsigned long long)row->n);
    a->n_loaded += row->n_calls;
    if (!chunk_of(c, row->at)) {
        struct chunk *k = chunk_stored(c, row);
        chunk_add(s, c, k);
        for (uint64_t i = 0; i < row->n_calls; i++)
            if (task_state_ended(a->states[row->at + i]))
                chunk_ended(s, k);
    }
    core_step(s->core, s->now,
              &(struct event){ .kind = EV_APPEND,
                               .array_id = row->array,
                               .at = row->at,
                               .n = row->n_calls,
                               .rules = g.rules,
                               .edges = g.edges,
                               .n_edges = g.n_edges,
                               .states = a->states + row->at,
                               .stored = true },
              &s->out);
    return ERR_NONE;
}

static void load_trouble(void *ctx, task_id task, uint32_t failures, uint32_t losses, lease_id last)
{
    struct scheduler *s = ctx;

    core_step(s->core, s->now,
              &(struct event){ .kind = EV_TROUBLE,
                               .task = task,
                               .lease = last,
                               .failures = failures,
                               .losses = losses },
              &s->out);
}

/* What there is of an array beside its calls, once they are there. */
static enum err load_rest(struct scheduler *s, const struct loaded_calls *a, struct fault *f)
{
    struct array_row row = { .first = a->c->first, .n = a->n };

    if (a->n_loaded < a->n)
        return no_chunk(a, f);
    if (a->closed)
        core_step(s->core, s->now,
                  &(struct event){ .kind = EV_APPEND,
                                   .array_id = a->c->id,
                                   .at = a->n,
                                   .close = true,
                                   .stored = true },
                  &s->out);
    return a->n ? store_troubles(s->store, &row, load_trouble, s, f) : ERR_NONE;
}

static int by_first_task(const void *a, const void *b)
{
    uint64_t x = ((const struct loaded_calls *)a)->c->first.n,
             y = ((const struct loaded_calls *)b)->c->first.n;

    return (x > y) - (x < y);
}

static enum err load_calls(struct loading *l, struct fault *f)
{
    struct loaded_calls *a = (struct loaded_calls *)(void *)l->arrays.data;
    const struct loaded_study *studies = (const struct loaded_study *)(void *)l->studies.data;
    size_t n = l->arrays.n / sizeof *a, n_studies = l->studies.n / sizeof *studies;
    uint64_t first_end = UINT64_MAX;
    struct buf ids = { 0 };

    if (!n)
        return ERR_NONE;
    qsort(a, n, sizeof *a, by_first_task);
    for (size_t i = 0; i < n; i++)
        if (a[i].first_end < first_end)
            first_end = a[i].first_end;
    for (size_t i = 0; i < n_studies; i++)
        buf_add(&ids, &studies[i].id, sizeof studies[i].id);
    enum err err = store_end_states(l->s->store, a[0].c->first,
                                    (task_id){ a[n - 1].c->first.n + POINTS_MAX - 1 }, first_end,
                                    load_state, l, f);
    if (!err)
        err = store_chunks(l->s->store, (const study_id *)(const void *)ids.data, n_studies,
                           (array_id){ 0 }, load_chunk, l, f);
    buf_fini(&ids);
    for (size_t i = 0; i < n && !err; i++)
        err = load_rest(l->s, &a[i], f);
    return err;
}

/* A study that is being loaded is active as it was, whoever else asks for it meanwhile. */
static struct loaded_study study_of(struct loading *l, study_id id, const struct study_row *was)
{
    const struct loaded_study *known = (const struct loaded_study *)(void *)l->studies.data;
    struct loaded_study st = { id, was && was->active, was && was->halted };

    for (size_t i = 0; i < l->studies.n / sizeof *known; i++)
        if (known[i].id.n == id.n)
            return known[i];
    buf_add(&l->studies, &st, sizeof st);
    return st;
}

enum err calls_load(struct scheduler *s, study_id study, const struct study_row *was,
                    struct fault *f)
{
    struct loading all = { .s = s }, *outer = s->calls->loading, *l = outer ? outer : &all;
    struct loading_study of = { l, study_of(l, study, was) };

    s->calls->loading = l;
    enum err err = store_calls(s->store, study, NULL, load_array, &of, f);
    s->calls->loading = outer;
    if (outer)
        return err; /* its calls come with those of the study that it was loaded for */
    if (!err)
        err = load_calls(l, f);
    for (size_t i = 0; i < l->arrays.n / sizeof(struct loaded_calls); i++)
        free(((struct loaded_calls *)(void *)l->arrays.data)[i].states);
    buf_fini(&l->arrays);
    buf_fini(&l->studies);
    return err;
}

/* places - where the tasks of an array ended. */
struct places {
    task_id first;
    struct core_place *on;
};

static void note_place(void *ctx, uint64_t n, task_id task, enum task_state state, worker_id worker)
{
    struct places *p = ctx;

    (void)state;
    p->on[task.n - p->first.n] = (struct core_place){ worker.n, core_place_n(n) };
}

static enum err places_of(struct scheduler *s, array_id array, struct fault *f)
{
    struct core_array a;
    struct calls *c = calls_by_id(s, array);

    must(core_array(s->core, array, &a) && a.n > 0);
    struct places p = { a.first, calloc(a.n, sizeof *p.on) };
    must(p.on != NULL);
    enum err err = store_end_states(s->store, a.first, (task_id){ a.first.n + a.n - 1 },
                                    c ? c->first_end : 0, note_place, &p, f);
    if (!err)
        core_step(s->core, s->now,
                  &(struct event){ .kind = EV_PLACES,
                                   .array_id = array,
                                   .at = store_end_n(s->store),
                                   .n = a.n,
                                   .places = p.on },
                  &s->out);
    free(p.on);
    return err;
}

bool calls_places(struct scheduler *s)
{
    array_id array;
    struct fault f;

    while (core_places_due(s->core, &array)) {
        if (!loop_flush(s)) /* the store must have seen what ended in this turn */
            return false;
        if (places_of(s, array, &f)) {
            loop_die(s, &f);
            s->failed = loop_exit_code(&f);
            return false;
        }
    }
    return true;
}

/* finding - an array that is only to be collected: not for the core. */
struct finding {
    struct scheduler *s;
    struct calls *c;
};

static enum err found_array(void *ctx, const struct array_row *row, uint64_t first_end,
                            struct fault *f)
{
    struct finding *found = ctx;

    (void)f;
    found->c = calls_by_id(found->s, row->id);
    if (!found->c)
        found->c = calls_add(found->s, row, first_end);
    return ERR_NONE;
}

static enum err found_chunk(void *ctx, const struct chunk_row *row, struct fault *f)
{
    struct finding *found = ctx;

    (void)f;
    if (!chunk_of(found->c, row->at))
        chunk_add(found->s, found->c, chunk_stored(found->c, row));
    return ERR_NONE;
}

enum err calls_find(struct scheduler *s, const char *key, array_id id, struct calls **c,
                    struct fault *f)
{
    struct finding found = { .s = s };
    enum err err;

    *c = *key ? calls_by_key(s, key) : calls_by_id(s, id);
    if (*c)
        return ERR_NONE;
    if (!*key) {
        struct array_row row;
        bool there;
        err = store_array(s->store, id, &there, &row, loop_text(s), f);
        if (err || !there || row.kind != ARRAY_CALLS)
            return err;
        err = store_calls(s->store, row.study, NULL, found_array, &found, f);
        *c = err ? NULL : calls_by_id(s, id);
    } else {
        err = store_calls(s->store, (study_id){ 0 }, key, found_array, &found, f);
        *c = found.c;
    }
    if (err || !*c || (*c)->n_chunks)
        return err;
    found.c = *c;
    return store_chunks(s->store, NULL, 0, (*c)->id, found_chunk, &found, f);
}

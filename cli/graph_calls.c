/* graph_calls - the calls of a study and what they wait for, as a graph: a box a call, or a box for
 * many. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "cli/dot.h"
#include "cli/graph.h"
#include "cli/keys.h"
#include "cli/progress.h"

enum { WHAT_BYTES_MAX = 40, PASSES_MAX = 64 };

struct graph {
    struct look *look;
    bool points; /* a box a call in any case */
    struct keys keys;
    uint8_t *state;  /* of all calls, key after key */
    uint32_t *level; /* how many steps lead to it */
    uint32_t top;    /* the largest level */
    uint64_t n_edges;
    /* where boxes are for many: */
    bool by_key;
    uint32_t width, bands; /* levels of a box; boxes a key */
    struct tally *tallies;
    uint64_t *edges; /* [from * boxes + to] */
    struct buf *out;
};

/* Where a task is among all calls; false: it is of none of these keys. */
static bool place(const struct graph *g, task_id task, uint64_t *at)
{
    const struct key *key = keys_of(&g->keys, task);

    if (key)
        *at = key->at + (task.n - key->first.n);
    return key != NULL;
}

/* ---- states and levels ---- */

static void note_end(void *ctx, uint64_t n, task_id task, enum task_state state, worker_id worker)
{
    struct graph *g = ctx;
    uint64_t at;

    (void)n;
    (void)worker;
    if (place(g, task, &at))
        g->state[at] = (uint8_t)state;
}

static void note_running(void *ctx, lease_id lease, task_id task, worker_id worker, ms_t started_ms)
{
    struct graph *g = ctx;
    uint64_t at;

    (void)lease;
    (void)worker;
    (void)started_ms;
    if (place(g, task, &at) && !task_state_ended((enum task_state)g->state[at]))
        g->state[at] = TASK_LEASED;
}

static int compare_id(const void *id, const void *key)
{
    uint32_t a = *(const uint32_t *)id, b = ((const struct key *)key)->id.n;

    return a < b ? -1 : a > b;
}

static const struct key *key_by_id(const struct graph *g, array_id id)
{
    return g->keys.n ? bsearch(&id.n, g->keys.items, g->keys.n, sizeof *g->keys.items, compare_id)
                     : NULL;
}

static bool raise_levels(struct graph *g, uint64_t from, const struct chunk_graph *c)
{
    bool raised = false;
    uint64_t on;

    for (size_t i = 0; i < c->n_edges; i++) {
        uint64_t at = from + c->edges[i].call;
        if (!place(g, c->edges[i].on, &on) || g->level[at] > g->level[on])
            continue;
        g->level[at] = g->level[on] + 1;
        g->top = g->level[at] > g->top ? g->level[at] : g->top;
        raised = true;
    }
    return raised;
}

/* Calls of an append come behind those that they wait for, unless a program that speaks the
 * protocol by itself has it otherwise: then it takes several passes, and after PASSES_MAX a box is
 * further left than it might be. */
static void note_levels(void *ctx, array_id array, uint64_t at, uint64_t n,
                        const struct chunk_graph *c)
{
    struct graph *g = ctx;
    const struct key *key = key_by_id(g, array);

    if (!key || at + n > key->n)
        return; /* appended since */
    g->n_edges += c->n_edges;
    for (int pass = 0; pass < PASSES_MAX && raise_levels(g, key->at + at, c); pass++)
        ;
}

static enum err gather(struct graph *g, struct fault *f)
{
    struct reader *r = g->look->reader;
    const struct reader_study *s = &g->look->row;
    enum err err = keys_read(g->look, &g->keys, f);

    if (!err && g->keys.n_calls > GRAPH_CALLS_MAX)
        return fault_set(f, ERR_LIMIT, "%" PRIu64 " calls are too many to draw, the limit is %d",
                         g->keys.n_calls, GRAPH_CALLS_MAX);
    g->state = calloc(g->keys.n_calls + 1, sizeof *g->state);
    g->level = calloc(g->keys.n_calls + 1, sizeof *g->level);
    must(g->state && g->level);
    if (!err)
        err = reader_call_states(r, s, note_end, g, f);
    if (!err)
        err = reader_running(r, s, note_running, g, f);
    if (!err)
        err = reader_edges(r, s, note_levels, g, f);
    return err;
}

/* ---- a box a call ---- */

static void call_id(const struct key *key, uint64_t index, struct buf *out)
{
    buf_clear(out);
    buf_addf(out, "%s:%" PRIu64, key->key, index);
}

static enum err add_calls_of(struct graph *g, const struct key *key, struct fault *f)
{
    struct calls_spec spec;
    struct buf id = { 0 }, label = { 0 };
    enum err err = calls_spec_read(key->spec, key->spec_bytes, &spec, f);

    if (err)
        return err;
    for (uint64_t i = 0; i < key->n && !err; i++) {
        struct tally t = { 0 };
        call_id(key, i, &id);
        buf_clear(&label);
        keys_name(&g->keys, key, i, &label);
        buf_addc(&label, '\n');
        err = keys_what(g->look, key, &spec, i, WHAT_BYTES_MAX, &label, f);
        tally_add(&t, (enum task_state)g->state[key->at + i]);
        dot_node(buf_text(&id), buf_text(&label), &t, g->out);
    }
    calls_spec_fini(&spec);
    buf_fini(&id);
    buf_fini(&label);
    return err;
}

static void add_call_edges(void *ctx, array_id array, uint64_t at, uint64_t n,
                           const struct chunk_graph *c)
{
    struct graph *g = ctx;
    const struct key *key = key_by_id(g, array);
    struct buf from = { 0 }, to = { 0 }, words = { 0 };

    (void)n;
    for (size_t i = 0; key && i < c->n_edges; i++) {
        const struct edge *e = &c->edges[i];
        const struct key *on = keys_of(&g->keys, e->on);
        if (!on)
            continue;
        call_id(on, e->on.n - on->first.n, &from);
        call_id(key, at + e->call, &to);
        buf_clear(&words);
        rule_words(c->rules ? c->rules[e->call] : RULE_ALL, false, &words);
        dot_edge(buf_text(&from), buf_text(&to), buf_text(&words), g->out);
    }
    buf_fini(&from);
    buf_fini(&to);
    buf_fini(&words);
}

/* ---- a box for many ---- */

static uint32_t n_boxes(const struct graph *g)
{
    return (g->by_key ? (uint32_t)g->keys.n : 1) * g->bands;
}

static uint32_t box_of(const struct graph *g, const struct key *key, uint64_t index)
{
    uint32_t k = g->by_key ? (uint32_t)(key - g->keys.items) : 0;

    return k * g->bands + g->level[key->at + index] / g->width;
}

static void divide(struct graph *g)
{
    g->by_key = g->keys.n <= GRAPH_KEYS_MAX;
    uint64_t levels = (uint64_t)g->top + 1, keys = g->by_key ? g->keys.n : 1;
    uint64_t bands_max = GRAPH_GROUPS_MAX / keys;
    g->width = (uint32_t)((levels + bands_max - 1) / bands_max);
    g->bands = (uint32_t)((levels + g->width - 1) / g->width);
    g->tallies = calloc(n_boxes(g), sizeof *g->tallies);
    g->edges = calloc((size_t)n_boxes(g) * n_boxes(g), sizeof *g->edges);
    must(g->tallies && g->edges);
    for (size_t k = 0; k < g->keys.n; k++)
        for (uint64_t i = 0; i < g->keys.items[k].n; i++)
            tally_add(&g->tallies[box_of(g, &g->keys.items[k], i)],
                      (enum task_state)g->state[g->keys.items[k].at + i]);
}

static void count_edges(void *ctx, array_id array, uint64_t at, uint64_t n,
                        const struct chunk_graph *c)
{
    struct graph *g = ctx;
    const struct key *key = key_by_id(g, array);

    for (size_t i = 0; key && at + n <= key->n && i < c->n_edges; i++) {
        const struct key *on = keys_of(&g->keys, c->edges[i].on);
        if (on)
            g->edges[(size_t)box_of(g, on, c->edges[i].on.n - on->first.n) * n_boxes(g) +
                     box_of(g, key, at + c->edges[i].call)]++;
    }
}

static uint64_t sum(const struct tally *t)
{
    return t->done + t->failed + t->running + t->cancelled + t->unmet + t->left;
}

static void box_id(uint32_t box, struct buf *out)
{
    buf_clear(out);
    buf_addf(out, "box %u", box);
}

static void add_box(struct graph *g, uint32_t box, struct buf *id, struct buf *label)
{
    uint32_t band = box % g->bands, from = band * g->width, to = from + g->width - 1;
    const struct tally *t = &g->tallies[box];

    box_id(box, id);
    buf_clear(label);
    if (g->by_key)
        buf_addf(label, "%s\n", g->keys.items[box / g->bands].key);
    else
        buf_addf(label, "%zu keys\n", g->keys.n);
    progress_count(sum(t), label);
    buf_adds(label, sum(t) == 1 ? " call" : " calls");
    if (g->width > 1 && g->top)
        buf_addf(label, ", steps %u to %u", from, to < g->top ? to : g->top);
    tally_lines(t, label);
    dot_node(buf_text(id), buf_text(label), t, g->out);
}

static void add_boxes(struct graph *g)
{
    struct buf id = { 0 }, to = { 0 }, label = { 0 };
    uint32_t n = n_boxes(g);

    for (uint32_t b = 0; b < n; b++)
        if (sum(&g->tallies[b]))
            add_box(g, b, &id, &label);
    for (uint32_t a = 0; a < n; a++) {
        for (uint32_t b = 0; b < n; b++) {
            uint64_t edges = g->edges[(size_t)a * n + b];
            if (!edges || a == b) /* within a box: steps after steps */
                continue;
            box_id(a, &id);
            box_id(b, &to);
            buf_clear(&label);
            progress_count(edges, &label);
            dot_edge(buf_text(&id), buf_text(&to), edges > 1 ? buf_text(&label) : NULL, g->out);
        }
    }
    buf_fini(&id);
    buf_fini(&to);
    buf_fini(&label);
}

static void say_divided(const struct graph *g, struct buf *label)
{
    progress_count(g->keys.n_calls, label);
    buf_adds(label, " calls, ");
    progress_count(g->n_edges, label);
    buf_adds(label, " edges: a box is all calls ");
    buf_adds(label, g->by_key && g->keys.n > 1 ? "of a key " : "");
    if (g->width > 1)
        buf_addf(label, "with as many steps before them, %u steps together", g->width);
    else
        buf_adds(label, "with as many steps before them");
}

/* ---- keys that wait for keys ---- */

static const struct key *key_of_name(const struct graph *g, const char *name)
{
    for (size_t i = 0; i < g->keys.n; i++)
        if (strcmp(g->keys.items[i].key, name) == 0)
            return &g->keys.items[i];
    return NULL;
}

/* The first or the last box of a key that is not empty. */
static void end_box(const struct graph *g, const struct key *key, bool last, struct buf *out)
{
    uint32_t from = (uint32_t)(key - g->keys.items) * g->bands, b = last ? g->bands : 0;

    if (last)
        while (b-- > 1 && !sum(&g->tallies[from + b]))
            ;
    else
        while (b + 1 < g->bands && !sum(&g->tallies[from + b]))
            b++;
    box_id(from + b, out);
}

/* Calls that wait for a whole key meet in a point between them. */
static void add_gate(struct graph *g, const struct key *on, const struct key *key, const char *gate,
                     const char *words)
{
    struct buf id = { 0 };

    dot_gate(gate, g->out);
    for (uint64_t i = 0; on && i < on->n; i++) {
        call_id(on, i, &id);
        dot_edge(buf_text(&id), gate, NULL, g->out);
    }
    for (uint64_t i = 0; i < key->n; i++) {
        call_id(key, i, &id);
        dot_edge(gate, buf_text(&id), i ? NULL : words, g->out);
    }
    buf_fini(&id);
}

static void add_each(struct graph *g, const struct key *on, const struct key *key,
                     const char *words)
{
    struct buf from = { 0 }, to = { 0 };

    for (uint64_t i = 0; i < key->n && i < on->n; i++) {
        call_id(on, i, &from);
        call_id(key, i, &to);
        dot_edge(buf_text(&from), buf_text(&to), words, g->out);
    }
    buf_fini(&from);
    buf_fini(&to);
}

static void add_after(struct graph *g, const struct key *key, const struct calls_after *a)
{
    const struct key *on = key_of_name(g, a->key);
    if (!key->n || (on && !on->n))
        return;
    struct buf from = { 0 }, to = { 0 }, words = { 0 };

    rule_words(a->rule, a->element, &words);
    buf_addf(&from, "all of %s", a->key);
    if (!on) /* of another study */
        dot_note(buf_text(&from), a->key, g->out);
    if (g->tallies && on)
        end_box(g, on, true, &from);
    if (g->tallies) {
        end_box(g, key, false, &to);
        dot_edge(buf_text(&from), buf_text(&to), buf_text(&words), g->out);
    } else if (on && a->element) {
        add_each(g, on, key, buf_text(&words));
    } else {
        buf_addf(&to, "%s -> %s", a->key, key->key);
        add_gate(g, on, key, buf_text(&to), buf_text(&words));
        if (!on)
            dot_edge(buf_text(&from), buf_text(&to), NULL, g->out);
    }
    buf_fini(&from);
    buf_fini(&to);
    buf_fini(&words);
}

static enum err add_key_edges(struct graph *g, struct fault *f)
{
    enum err err = ERR_NONE;

    for (size_t k = 0; k < g->keys.n && !err; k++) {
        struct calls_spec spec;
        err = calls_spec_read(g->keys.items[k].spec, g->keys.items[k].spec_bytes, &spec, f);
        for (size_t i = 0; !err && i < spec.n_after; i++)
            add_after(g, &g->keys.items[k], &spec.after[i]);
        if (!err)
            calls_spec_fini(&spec);
    }
    return err;
}

/* ---- all ---- */

static enum err draw(struct graph *g, struct fault *f)
{
    struct reader *r = g->look->reader;
    const struct reader_study *s = &g->look->row;
    struct buf label = { 0 };
    enum err err = ERR_NONE;

    if (g->points || (g->keys.n_calls <= GRAPH_NODES_MAX && g->n_edges <= GRAPH_EDGES_MAX)) {
        for (size_t k = 0; k < g->keys.n && !err; k++)
            err = add_calls_of(g, &g->keys.items[k], f);
        if (!err)
            err = reader_edges(r, s, add_call_edges, g, f);
    } else {
        divide(g);
        err = reader_edges(r, s, count_edges, g, f);
        add_boxes(g);
        say_divided(g, &label);
        dot_caption(buf_text(&label), g->out);
    }
    if (!err && (g->by_key || !g->tallies))
        err = add_key_edges(g, f);
    buf_fini(&label);
    return err;
}

static enum err check_size(const struct graph *g, struct fault *f)
{
    if (g->keys.n_calls <= GRAPH_POINTS_MAX && g->n_edges <= 10 * GRAPH_POINTS_MAX)
        return ERR_NONE;
    return fault_set(f, ERR_LIMIT,
                     "%" PRIu64 " calls and %" PRIu64 " edges are too many to draw one by one, the "
                     "limits are %d and %d; leave out --points to see them together",
                     g->keys.n_calls, g->n_edges, GRAPH_POINTS_MAX, 10 * GRAPH_POINTS_MAX);
}

enum err graph_calls(struct look *l, bool points, struct buf *out, struct fault *f)
{
    struct graph g = { .look = l, .points = points, .out = out };
    enum err err = gather(&g, f);

    if (!err && points)
        err = check_size(&g, f);
    dot_begin(l->row.name, out);
    if (!err)
        err = draw(&g, f);
    dot_end(out);
    keys_fini(&g.keys);
    free(g.state);
    free(g.level);
    free(g.tallies);
    free(g.edges);
    return err;
}

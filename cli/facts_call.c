/* facts_call - what a call is, and what it waits for. */
#include <inttypes.h>

#include "cli/facts.h"
#include "cli/keys.h"
#include "cli/progress.h"

enum { AFTER_SHOWN = 8 }; /* calls that it waits for, by name; of more the number */

struct after_search {
    const struct keys *keys;
    const struct key *key;
    uint64_t index, n;
    uint8_t rule;
    struct buf *out;
};

static void note_after(void *ctx, array_id array, uint64_t at, uint64_t n,
                       const struct chunk_graph *g)
{
    struct after_search *s = ctx;

    if (array.n != s->key->id.n || s->index < at || s->index - at >= n)
        return;
    s->rule = g->rules ? g->rules[s->index - at] : RULE_ALL;
    for (size_t i = 0; i < g->n_edges; i++) {
        const struct key *on = keys_of(s->keys, g->edges[i].on);
        if (g->edges[i].call != s->index - at || !on || s->n++ >= AFTER_SHOWN)
            continue;
        buf_adds(s->out, s->n > 1 ? ", " : "");
        keys_name(s->keys, on, g->edges[i].on.n - on->first.n, s->out);
    }
}

static enum err find_after(struct facts *x, const struct keys *keys, const struct key *key,
                           uint64_t index, const struct calls_spec *spec, struct fault *f)
{
    struct after_search s = { .keys = keys, .key = key, .index = index, .out = &x->after };
    struct buf words = { 0 };
    enum err err = reader_edges(x->look->reader, &x->look->row, note_after, &s, f);

    if (s.n > AFTER_SHOWN)
        buf_addf(&x->after, " and %" PRIu64 " more", s.n - AFTER_SHOWN);
    rule_words(s.rule, false, &words);
    for (size_t i = 0; i < spec->n_after; i++) {
        buf_addf(&x->after, "%s%s%s", x->after.n ? ", " : "",
                 spec->after[i].element ? "its call of " : "all of ", spec->after[i].key);
        if (spec->after[i].rule)
            buf_adds(&x->after, " (");
        rule_words(spec->after[i].rule, false, &x->after);
        buf_adds(&x->after, spec->after[i].rule ? ")" : "");
    }
    if (words.n)
        buf_addf(&x->after, " (%s)", words.data);
    buf_fini(&words);
    return err;
}

static enum err describe(struct facts *x, const struct key *key, uint64_t index,
                         const struct calls_spec *spec, struct fault *f)
{
    struct buf payload = { 0 };
    enum err err = reader_payload(x->look->reader, key->id, index, &payload, &x->payload_bytes, f);

    buf_addf(&x->call, "%s:%" PRIu64, key->key, index);
    x->function = spec->function != NULL;
    if (spec->function)
        buf_adds(&x->command, spec->function);
    else
        buf_add(&x->command, payload.data, payload.n);
    buf_adds(&x->cwd, spec->cwd ? spec->cwd : "");
    buf_fini(&payload);
    return err;
}

enum err facts_of_call(struct facts *x, const char *text, task_id *task, struct fault *f)
{
    struct keys keys;
    struct calls_spec spec;
    const struct key *key = NULL;
    enum err err = keys_read(x->look, &keys, f);

    if (!err)
        err = keys_find(&keys, x->look->row.name, text, &key, &x->point.index, f);
    if (!err)
        err = calls_spec_read(key->spec, key->spec_bytes, &spec, f);
    if (!err) {
        task->n = key->first.n + x->point.index;
        err = describe(x, key, x->point.index, &spec, f);
        if (!err)
            err = find_after(x, &keys, key, x->point.index, &spec, f);
        calls_spec_fini(&spec);
    }
    keys_fini(&keys);
    return err;
}

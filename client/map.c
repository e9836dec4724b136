/* map - one function over many items, on top of futures and a set. Its calls have an array of their
 * own, so that item i is call first + i. */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "client/session.h"

struct map {
    struct grange *g;
    const char *function;
    uint64_t n;
    grange_map_item *item;
    grange_map_result *result;
    void *context;
    unsigned flags;
    struct grange_options options;
    struct grange_set *set; /* unordered; else NULL */
    struct grange_future first;
    uint64_t submitted, taken;
    struct wait wait;
};

static int64_t left_ms(const struct map *m)
{
    ms_t now = clock_mono_ms();

    return m->wait.until > now ? m->wait.until - now : 0;
}

/* private_key - of a map whose caller gave none; the array is closed with the connection. */
static void private_key(struct map *m, char *key, size_t bytes)
{
    struct calls *c = &m->g->calls;

    session_enter(m->g);
    snprintf(key, bytes, "m%016" PRIx64 "-%u", m->g->instance, c->n_maps++);
    m->options.key = key;
    if (!m->options.study)
        m->options.study = c->own_study;
    session_leave(m->g, GRANGE_OK);
}

static void make_ours(struct grange *g, struct grange_future f)
{
    uint64_t index;

    session_enter(g);
    struct series *s = future_find(g, f, &index);
    if (s)
        s->ours = true;
    session_leave(g, GRANGE_OK);
}

static int submit_ahead(struct map *m)
{
    int code = GRANGE_OK;

    while (!code && m->submitted < m->n && m->submitted - m->taken < GRANGE_MAP_AHEAD) {
        struct grange_bytes b = m->item(m->context, m->submitted);
        struct grange_future f;
        code = grange_batch(m->g, m->function, &b, 1, &m->options, &f);
        if (!code && m->submitted == 0)
            m->first = f;
        if (!code && m->set)
            code = grange_set_add(m->set, f, 1);
        m->submitted += !code;
    }
    return code;
}

/* next - the future whose turn it is. */
static int next(struct map *m, struct grange_future *f)
{
    if (m->set)
        return grange_set_next(m->set, left_ms(m), f);
    *f = grange_nth(m->first, m->taken);
    return grange_wait(m->g, *f, left_ms(m));
}

static int stopped(uint64_t i, const char *why)
{
    return (int)fault_set(session_fault(), ERR_STATE, "item %" PRIu64 ": %s", i, why);
}

/* take - hands over the next result. */
static int take(struct map *m)
{
    struct grange_future f;
    struct grange_result r;
    int code = next(m, &f);

    if (!code)
        code = grange_get(m->g, f, &r);
    if (code)
        return code;
    m->taken++;
    uint64_t i = f.id - m->first.id;
    bool failed = (m->flags & GRANGE_STOP) && r.outcome != GRANGE_DONE;
    if (m->result(m->context, i, &r) != 0)
        code = stopped(i, "the map was stopped by its program");
    else if (failed)
        code = stopped(i, *r.error ? r.error : r.reason);
    grange_forget(m->g, f);
    return code;
}

int grange_map(struct grange *g, const char *function, uint64_t n, grange_map_item *item,
               grange_map_result *result, void *context, unsigned flags,
               const struct grange_options *o, int64_t timeout_ms)
{
    struct map m = { .g = g,
                     .function = function,
                     .n = n,
                     .item = item,
                     .result = result,
                     .context = context,
                     .flags = flags,
                     .options = o ? *o : (struct grange_options){ 0 },
                     .wait = wait_for(timeout_ms) };
    char key[64];
    bool is_private = !m.options.key;

    if (is_private)
        private_key(&m, key, sizeof key);
    if (flags & GRANGE_UNORDERED)
        grange_set_new(g, &m.set);
    int code = submit_ahead(&m);
    if (is_private)
        make_ours(g, m.first);
    while (!code && m.taken < n) {
        code = take(&m);
        if (!code)
            code = submit_ahead(&m);
    }
    if (code) {
        struct fault why = *session_fault();
        grange_future_cancel(g, m.first, m.submitted, PATIENCE_MS);
        *session_fault() = why;
    }
    grange_set_free(m.set);
    return code;
}

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "client/session.h"

/* ---- chunks */

static void free_chunk(struct chunk *k)
{
    buf_fini(&k->sizes);
    buf_fini(&k->payloads);
    buf_fini(&k->rules);
    buf_fini(&k->refs);
    uploads_free(k);
    free(k);
}

static struct chunk *new_chunk(struct grange *g, struct series *s)
{
    struct calls *c = &g->calls;
    struct chunk *k = calloc(1, sizeof *k);

    must(k != NULL);
    k->series = s;
    k->order = ++c->orders;
    k->at = s->n;
    *c->tail = k;
    c->tail = &k->next;
    if (!c->unsent)
        c->unsent = k;
    s->newest = k;
    return k;
}

/* comes_later - whether a future that the call waits for is in a chunk that leaves after k. */
static bool comes_later(const struct grange *g, const struct chunk *k,
                        const struct grange_options *o)
{
    for (size_t i = 0; o && i < o->n_after; i++) {
        uint64_t index;
        const struct series *of = future_find(g, o->after[i], &index);
        if (of && of->newest && of->newest->order > k->order)
            return true;
    }
    return false;
}

static bool is_full(const struct chunk *k, size_t n_after)
{
    return k->n >= CHUNK_CALLS_MAX || k->payloads.n >= CHUNK_BYTES_MAX ||
           k->refs.n / sizeof(struct ref) + n_after > CHUNK_REFS_MAX;
}

static void add_rule(struct chunk *k, unsigned rule)
{
    uint8_t byte = (uint8_t)rule;

    if (rule == 0 && k->rules.n == 0)
        return;
    while (k->rules.n < k->n)
        buf_addc(&k->rules, 0);
    buf_add(&k->rules, &byte, 1);
}

void append_call(struct grange *g, struct series *s, const void *data, size_t bytes,
                 const struct grange_options *o)
{
    struct chunk *k = s->newest;
    bool is_blob = bytes > INLINE_BYTES_MAX;
    uint32_t size = is_blob ? 0 : (uint32_t)bytes;
    size_t n_after = o ? o->n_after : 0;

    if (s->opened && s->n < s->known) { /* it is there already, from a run before */
        s->n++;
        series_room(s, s->n);
        return;
    }
    if (k && (k->payloads.n + bytes > CHUNK_BYTES_MAX || is_full(k, n_after))) {
        g->calls.urgent = true; /* it leaves */
        k = NULL;
    }
    if (!k || comes_later(g, k, o))
        k = new_chunk(g, s);
    buf_add(&k->sizes, &size, sizeof size);
    if (is_blob)
        upload_add(g, k, data, bytes);
    else
        buf_add(&k->payloads, data, bytes);
    add_rule(k, o ? o->rule : 0);
    for (size_t i = 0; i < n_after; i++) {
        struct ref r = { k->n, o->after[i].id };
        buf_add(&k->refs, &r, sizeof r);
    }
    k->n++;
    uint64_t counts = bytes + n_after * sizeof(struct ref) + BACKLOG_CALL_BYTES;
    k->bytes += counts;
    g->calls.backlog += counts;
    s->n++;
    series_room(s, s->n);
}

void append_close(struct grange *g, struct series *s)
{
    struct chunk *k = s->newest ? s->newest : new_chunk(g, s);

    k->close = true;
    s->closed = true;
}

/* ---- leaving */

/* edges - what the chunk's calls wait for, as tasks; NULL when one of them cannot be. */
static struct edge *edges(const struct grange *g, const struct chunk *k, size_t *n)
{
    const struct ref *refs = (const struct ref *)(const void *)k->refs.data;

    *n = k->refs.n / sizeof *refs;
    struct edge *e = malloc((*n + 1) * sizeof *e);
    must(e != NULL);
    for (size_t i = 0; i < *n; i++) {
        uint64_t index;
        const struct series *of = future_find(g, (struct grange_future){ refs[i].future }, &index);
        if (!of || of->refused || !of->first.n) {
            free(e);
            return NULL;
        }
        e[i] = (struct edge){ refs[i].call, { of->first.n + index } };
    }
    return e;
}

static void send_chunk(struct grange *g, struct chunk *k)
{
    struct message m = { .kind = MSG_APPEND };
    struct edge *e = edges(g, k, &m.append.n_edges);

    if (!e) {
        struct fault f;
        fault_set(&f, ERR_NOT_FOUND, "it waits for a call that was refused");
        series_refuse(g, k->series, k->at, &f);
        return;
    }
    struct blob_ref blobs[1]; /* a long payload begins a chunk: there is no second one */
    if (k->uploads) {
        blobs[0] = (struct blob_ref){ k->uploads->call, k->uploads->blob, k->uploads->bytes };
        m.append.blobs = blobs;
        m.append.n_blobs = 1;
    }
    k->request = m.append.request = session_number(g);
    m.append.array = k->series->array;
    m.append.at = k->at;
    m.append.n = k->n;
    m.append.close = k->close;
    m.append.sizes = (const uint32_t *)(const void *)k->sizes.data;
    m.append.payloads = k->payloads.data;
    m.append.payloads_bytes = k->payloads.n;
    m.append.rules = k->rules.n ? (const uint8_t *)k->rules.data : NULL;
    m.append.edges = e;
    session_put(g, &m);
    free(e);
    if (k->series->newest == k)
        k->series->newest = NULL;
    g->calls.unsent = k->next;
    g->calls.n_sent++;
}

void calls_flush(struct grange *g)
{
    struct calls *c = &g->calls;
    bool any = false;

    while (g->welcomed && c->unsent && c->unsent->series->opened && uploads_done(g, c->unsent)) {
        send_chunk(g, c->unsent);
        any = true;
    }
    if (any)
        link_flush(g->link);
    else if (c->unsent)
        series_open(g, c->unsent->series);
}

void append_begun(struct grange *g, const struct series *s)
{
    if (g->calls.n_sent == 0 || g->calls.urgent || (s->newest && is_full(s->newest, 0)))
        calls_flush(g);
    g->calls.urgent = false;
}

bool append_has(const struct calls *c, const struct series *s)
{
    const struct chunk *k = c->head;

    while (s && k && k->series != s)
        k = k->next;
    return k != NULL;
}

/* ---- arriving */

/* take_out - of the list; its memory goes. prev: the link to it. */
static void take_out(struct grange *g, struct chunk **prev)
{
    struct calls *c = &g->calls;
    struct chunk *k = *prev;

    *prev = k->next;
    if (!k->next)
        c->tail = prev;
    if (c->unsent == k)
        c->unsent = k->next;
    if (k->series->newest == k)
        k->series->newest = NULL;
    if (k->request)
        c->n_sent--;
    c->backlog -= k->bytes;
    free_chunk(k);
}

static struct chunk **find_request(struct grange *g, uint64_t request)
{
    struct chunk **prev = &g->calls.head;

    while (*prev && (*prev)->request != request)
        prev = &(*prev)->next;
    return *prev ? prev : NULL;
}

void append_on_appended(struct grange *g, const struct message *m)
{
    struct chunk **prev = find_request(g, m->appended.request);

    if (!prev)
        return;
    struct series *s = (*prev)->series;
    s->known = m->appended.n > s->known ? m->appended.n : s->known;
    take_out(g, prev);
}

bool append_on_refused(struct grange *g, uint64_t request, const struct fault *f)
{
    struct chunk **prev = find_request(g, request);

    if (!prev)
        return false;
    series_refuse(g, (*prev)->series, (*prev)->at, f);
    return true;
}

void append_drop(struct grange *g, const struct series *s, uint64_t upto)
{
    for (struct chunk **prev = &g->calls.head; *prev;) {
        struct chunk *k = *prev;
        if (k->series == s && (upto == UINT64_MAX || (k->at + k->n <= upto && !k->close)))
            take_out(g, prev);
        else
            prev = &k->next;
    }
}

void append_unsend(struct grange *g)
{
    struct calls *c = &g->calls;

    for (struct chunk *k = c->head; k; k = k->next) {
        k->request = 0;
        uploads_on_loss(k);
    }
    c->unsent = c->head;
    c->n_sent = 0;
}

void append_fini(struct calls *c)
{
    while (c->head) {
        struct chunk *k = c->head;
        c->head = k->next;
        free_chunk(k);
    }
    c->tail = &c->head;
}

#include "client/calls.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "client/session.h"

void calls_init(struct calls *c)
{
    *c = (struct calls){ .tail = &c->head };
}

static void free_series(struct series *s)
{
    for (uint64_t i = 0; i < s->n_slots; i++)
        end_free(s->slots[i].end);
    free(s->slots);
    free(s->refused);
    free(s->key);
    free(s->study);
    free(s->spec);
    free(s->home);
    free(s->shape);
    free(s->function);
    free(s);
}

void calls_fini(struct calls *c)
{
    append_fini(c);
    downloads_fini(c);
    sets_fini(c);
    progress_fini(c);
    HASH_CLEAR(by_key, c->by_key);
    HASH_CLEAR(by_array, c->by_array);
    HASH_CLEAR(by_shape, c->by_shape);
    HASH_CLEAR(by_request, c->by_request);
    HASH_CLEAR(hh, c->by_worker);
    for (size_t i = 0; i < c->n_series; i++)
        free_series(c->series[i]);
    for (uint32_t i = 0; i < c->n_workers; i++)
        free(c->workers[i]);
    free(c->series);
    free(c->workers);
    free(c->watches);
    free(c->callbacks);
    buf_fini(&c->spec);
    buf_fini(&c->shape);
}

bool calls_have_news(const struct calls *c)
{
    return c->n_news > 0 || c->listed;
}

/* ---- the connection comes and goes */

void calls_on_loss(struct grange *g)
{
    append_unsend(g);
    for (size_t i = 0; i < g->calls.n_series; i++)
        series_on_loss(g, g->calls.series[i]);
}

void calls_on_welcome(struct grange *g)
{
    for (size_t i = 0; i < g->calls.n_series; i++) {
        if (series_is_wanted(g->calls.series[i]))
            series_reopen(g, g->calls.series[i]);
    }
    downloads_on_welcome(g);
}

void calls_on_message(struct grange *g, const struct message *m)
{
    if (m->kind == MSG_ENDS)
        ends_on_message(g, m);
    else if (m->kind == MSG_APPENDED)
        append_on_appended(g, m);
    else if (m->kind == MSG_OPENED)
        series_on_opened(g, m);
    else if (m->kind == MSG_BLOB)
        blobs_on_blob(g, m);
    else if (m->kind == MSG_BLOB_ACK)
        blobs_on_ack(g, m);
}

bool calls_on_refused(struct grange *g, uint64_t request, enum err code, const char *text)
{
    struct fault f;

    fault_set(&f, code, "%s", text);
    return series_on_refused(g, request, &f) || append_on_refused(g, request, &f);
}

/* ---- callbacks */

void calls_add_callback(struct calls *c, const struct callback *cb)
{
    if (c->n_callbacks == c->cap_callbacks) {
        c->cap_callbacks = c->cap_callbacks ? 2 * c->cap_callbacks : 16;
        c->callbacks = realloc(c->callbacks, c->cap_callbacks * sizeof *c->callbacks);
        must(c->callbacks != NULL);
    }
    c->callbacks[c->n_callbacks++] = *cb;
}

bool calls_next_callback(struct grange *g, struct callback *cb)
{
    struct calls *c = &g->calls;

    if (c->next_callback == c->n_callbacks) {
        c->next_callback = c->n_callbacks = 0;
        return false;
    }
    *cb = c->callbacks[c->next_callback++];
    return true;
}

void calls_drop_callbacks(struct calls *c, const struct grange_direct *d)
{
    for (size_t i = c->next_callback; i < c->n_callbacks; i++)
        if (c->callbacks[i].direct == d)
            c->callbacks[i].on_direct = NULL;
}

/* ---- the end */

/* close_ours - keys that were made here are not known to anybody else: their arrays get no further
 * calls, so that their study can end. */
static void close_ours(struct grange *g)
{
    struct message m = { .kind = MSG_APPEND };

    for (size_t i = 0; i < g->calls.n_series && g->welcomed; i++) {
        const struct series *s = g->calls.series[i];
        if (!s->ours || !s->opened || s->closed || s->refused || s->newest)
            continue;
        m.append.request = session_number(g);
        m.append.array = s->array;
        m.append.at = s->n;
        m.append.close = true;
        session_put(g, &m);
    }
}

void calls_finish(struct grange *g)
{
    pthread_mutex_lock(&g->lock);
    calls_flush(g);
    close_ours(g);
    pthread_mutex_unlock(&g->lock);
}

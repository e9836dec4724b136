/* blob - payloads and results over INLINE_BYTES_MAX: they move in parts, a bounded number of which
 * is on its way. One goes up at a time, and one comes down. */
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/rng.h"
#include "client/session.h"

struct download {
    struct download *next;
    struct series *series;
    uint64_t index;
    struct end *end; /* that waits for it */
    uint64_t blob, bytes, got, asked;
};

/* ---- up */

void upload_add(struct grange *g, struct chunk *k, const void *data, size_t bytes)
{
    struct upload *u = calloc(1, sizeof *u), **last = &k->uploads;

    must(u != NULL);
    u->data = malloc(bytes);
    must(u->data != NULL);
    memcpy(u->data, data, bytes);
    u->bytes = bytes;
    u->call = k->n;
    u->blob = rng_mix(g->instance + ++g->calls.n_blobs) | 1;
    while (*last)
        last = &(*last)->next;
    *last = u;
}

void uploads_free(struct chunk *k)
{
    while (k->uploads) {
        struct upload *u = k->uploads;
        k->uploads = u->next;
        free(u->data);
        free(u);
    }
}

/* push - what the window allows. After a loss one part alone asks how much is there. */
static void push(struct grange *g, struct upload *u)
{
    struct message m = { .kind = MSG_BLOB };
    uint64_t window = u->unsure ? 1 : (uint64_t)BLOB_WINDOW * BLOB_PART_BYTES;

    while (u->sent < u->bytes && u->sent < u->there + window) {
        uint64_t left = u->bytes - u->sent;
        m.blob.blob = u->blob;
        m.blob.offset = u->sent;
        m.blob.total = u->bytes;
        m.blob.data = u->data + u->sent;
        m.blob.data_bytes = left < BLOB_PART_BYTES ? (size_t)left : BLOB_PART_BYTES;
        session_send(g, &m);
        u->sent += m.blob.data_bytes;
    }
}

bool uploads_done(struct grange *g, struct chunk *k)
{
    for (struct upload *u = k->uploads; u; u = u->next) {
        if (!u->done) {
            push(g, u);
            return false;
        }
    }
    return true;
}

void uploads_on_loss(struct chunk *k)
{
    for (struct upload *u = k->uploads; u; u = u->next) {
        u->unsure = true;
        u->sent = u->there;
    }
}

static struct upload *find_upload(const struct grange *g, uint64_t blob, struct chunk **k)
{
    for (*k = g->calls.unsent; *k; *k = (*k)->next) {
        for (struct upload *u = (*k)->uploads; u; u = u->next) {
            if (u->blob == blob)
                return u;
        }
    }
    return NULL;
}

static void on_upload_ack(struct grange *g, struct upload *u, struct chunk *k,
                          const struct message *m)
{
    if (m->blob_ack.code) {
        struct fault f;
        fault_set(&f, (enum err)m->blob_ack.code, "%s", m->blob_ack.text);
        series_refuse(g, k->series, k->at, &f);
        return;
    }
    if (u->done) /* its bytes are gone from here */
        return;
    u->there = m->blob_ack.offset < u->bytes ? m->blob_ack.offset : u->bytes;
    if (u->unsure)
        u->sent = u->there;
    u->unsure = false;
    u->done = m->blob_ack.done;
    if (u->done) {
        free(u->data);
        u->data = NULL;
    } else {
        push(g, u);
    }
}

/* ---- down */

/* ask - for what may be on its way beyond what is. */
static void ask(struct grange *g, struct download *d)
{
    const uint64_t half = (uint64_t)BLOB_PART_BYTES * BLOB_WINDOW / 2;
    struct message m = { .kind = MSG_BLOB_WANT };

    if (!g->welcomed || d->asked >= d->bytes || d->asked - d->got > half)
        return;
    m.blob_want.blob = d->blob;
    m.blob_want.offset = d->asked;
    m.blob_want.parts = d->asked == d->got ? BLOB_WINDOW : BLOB_WINDOW / 2;
    session_send(g, &m);
    d->asked += (uint64_t)m.blob_want.parts * BLOB_PART_BYTES;
}

static bool is_coming(const struct grange *g, const struct series *s, uint64_t index)
{
    for (const struct download *d = g->calls.downloads; d; d = d->next) {
        if (d->series == s && d->index == index)
            return true;
    }
    return false;
}

void download_add(struct grange *g, struct series *s, uint64_t index, struct end *e,
                  const struct call_extra *from)
{
    struct download **last = &g->calls.downloads;

    if (is_coming(g, s, index)) {
        end_free(e);
        return;
    }
    struct download *d = calloc(1, sizeof *d);
    must(d != NULL);
    d->series = s;
    d->index = index;
    d->end = e;
    d->blob = from->blob;
    d->bytes = from->blob_bytes;
    e->extra->blob = malloc(d->bytes + 1);
    must(e->extra->blob != NULL);
    ((char *)e->extra->blob)[d->bytes] = '\0';
    e->extra->blob_bytes = d->bytes;
    while (*last)
        last = &(*last)->next;
    *last = d;
    if (d == g->calls.downloads)
        ask(g, d);
}

static void finish(struct grange *g)
{
    struct download *d = g->calls.downloads;

    g->calls.downloads = d->next;
    ends_set(g, d->series, d->index, d->end);
    free(d);
    if (g->calls.downloads)
        ask(g, g->calls.downloads);
}

void blobs_on_blob(struct grange *g, const struct message *m)
{
    struct download *d = g->calls.downloads;

    if (!d || d->blob != m->blob.blob || d->got != m->blob.offset ||
        m->blob.data_bytes > d->bytes - d->got)
        return;
    memcpy((char *)d->end->extra->blob + d->got, m->blob.data, m->blob.data_bytes);
    d->got += m->blob.data_bytes;
    if (d->got == d->bytes)
        finish(g);
    else
        ask(g, d);
}

void blobs_on_ack(struct grange *g, const struct message *m)
{
    struct download *d = g->calls.downloads;
    struct chunk *k;
    struct upload *u = find_upload(g, m->blob_ack.blob, &k);

    if (u) {
        on_upload_ack(g, u, k, m);
    } else if (d && d->blob == m->blob_ack.blob && m->blob_ack.code) {
        end_lost_blob(d->end, m->blob_ack.text);
        finish(g);
    }
}

void downloads_on_welcome(struct grange *g)
{
    struct download *d = g->calls.downloads;

    if (d) {
        d->asked = d->got;
        ask(g, d);
    }
}

void downloads_fini(struct calls *c)
{
    while (c->downloads) {
        struct download *d = c->downloads;
        c->downloads = d->next;
        end_free(d->end);
        free(d);
    }
}

#include "worker/ahead.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <utlist.h>

#include "base/must.h"
#include "base/rng.h"
#include "worker/loop.h"

void ahead_fini(struct ahead *a)
{
    free(a->why);
    a->why = NULL;
}

uint64_t ahead_draw(struct worker *w)
{
    return rng_mix(w->instance + ++w->n_blobs) | 1;
}

static void push(struct worker *w);

/* leave - off the list: its result may be sent, and the next one may go. */
static void leave(struct worker *w, struct ahead *a)
{
    a->listed = false;
    DL_DELETE(w->ahead, a);
    leases_add(&w->results, a->lease);
}

static void fail(struct worker *w, struct ahead *a, enum err code, const char *text)
{
    a->failed = code;
    a->why = strdup(text);
    must(a->why != NULL);
    leave(w, a);
}

/* push_one - what the window allows. After a loss one part alone asks how much is there. */
static void push_one(struct worker *w, struct ahead *a, char *part)
{
    uint64_t window = a->unsure ? 1 : (uint64_t)BLOB_WINDOW * BLOB_PART_BYTES;

    while (w->welcomed && a->sent < a->bytes && a->sent - a->acked < window) {
        struct message m = { .kind = MSG_BLOB };
        uint64_t left = a->bytes - a->sent;
        ssize_t got = pread(a->fd, part, left < BLOB_PART_BYTES ? (size_t)left : BLOB_PART_BYTES,
                            (off_t)(a->offset + a->sent));
        if (got <= 0) {
            fail(w, a, ERR_IO, "the worker cannot read it");
            return;
        }
        m.blob.blob = a->blob;
        m.blob.offset = a->sent;
        m.blob.total = a->bytes;
        m.blob.data = part;
        m.blob.data_bytes = (size_t)got;
        worker_send(w, &m);
        a->sent += (uint64_t)got;
    }
}

/* push - the first one goes; when it cannot, the next one. */
static void push(struct worker *w)
{
    char *part = malloc(BLOB_PART_BYTES);
    struct ahead *first;

    must(part != NULL);
    do {
        first = w->ahead;
        if (first)
            push_one(w, first, part);
    } while (first != w->ahead);
    free(part);
}

bool ahead_done(struct worker *w, struct ahead *a)
{
    if (a->there || a->failed)
        return true;
    if (a->listed)
        return false;
    a->listed = true;
    if (!a->blob)
        a->blob = ahead_draw(w);
    DL_APPEND(w->ahead, a);
    if (w->ahead == a)
        push(w);
    return false;
}

void ahead_drop(struct worker *w, struct ahead *a)
{
    bool first = w->ahead == a;

    if (!a->listed)
        return;
    a->listed = false;
    DL_DELETE(w->ahead, a);
    if (first)
        push(w);
}

void ahead_acked(struct worker *w, const struct message *m)
{
    struct ahead *a = w->ahead;

    if (!a || a->blob != m->blob_ack.blob)
        return;
    if (m->blob_ack.code) {
        fail(w, a, (enum err)m->blob_ack.code, m->blob_ack.text);
    } else {
        a->acked = m->blob_ack.offset < a->bytes ? m->blob_ack.offset : a->bytes;
        if (a->unsure || a->sent < a->acked)
            a->sent = a->acked;
        a->unsure = false;
        a->there = m->blob_ack.done;
        if (a->there)
            leave(w, a);
    }
    push(w);
}

void ahead_lost(struct worker *w)
{
    struct ahead *a, *after;

    DL_FOREACH_SAFE(w->ahead, a, after)
    {
        a->listed = false;
        DL_DELETE(w->ahead, a);
    }
}

void ahead_again(struct ahead *a)
{
    a->unsure = a->sent > 0;
    a->sent = a->acked = 0;
    a->there = false;
}

/* parcel - payloads and results over INLINE_BYTES_MAX of calls of arrays: blobs, which move in
 * parts, a bounded number of which is on its way. One payload comes at a time and becomes a file
 * that its engine maps; a result goes ahead of its message, from the file that the engine made. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <utlist.h>

#include "base/err.h"
#include "base/log.h"
#include "base/must.h"
#include "worker/crew.h"
#include "worker/tree.h"

/* --- payloads --- */

/* ask - for what may be on its way beyond what is. */
static void ask(struct worker *w, struct call *c)
{
    const uint64_t half = (uint64_t)BLOB_PART_BYTES * BLOB_WINDOW / 2;
    struct message m = { .kind = MSG_BLOB_WANT };

    if (c->asked >= c->total || c->asked - c->in.bytes > half)
        return;
    m.blob_want.blob = c->blob;
    m.blob_want.offset = c->asked;
    m.blob_want.parts = c->asked == c->in.bytes ? BLOB_WINDOW : BLOB_WINDOW / 2;
    worker_send(w, &m);
    c->asked += (uint64_t)m.blob_want.parts * BLOB_PART_BYTES;
}

static struct call *coming(const struct worker *w)
{
    return w->crew->coming;
}

/* next - lets the first one come. */
static void next(struct worker *w)
{
    if (coming(w))
        ask(w, coming(w));
}

static void give_back(struct worker *w, struct call *c, const char *why)
{
    lease_id lease = c->id;

    log_error("event=payload lease=%llx error=\"%s\"", (unsigned long long)lease.n, why);
    crew_forget(w, lease);
    leases_add(&w->returned, lease);
}

bool parcel_fetch(struct worker *w, struct call *c, uint64_t blob, uint64_t bytes)
{
    must(asprintf(&c->in.path, "%s/lease-%llu", w->crew->dir, (unsigned long long)c->id.n) > 0);
    c->in.owned = true;
    c->blob = blob;
    c->total = bytes;
    if (bytes > BLOB_BYTES_MAX || tree_make_parent(c->in.path) != 0)
        return false;
    c->in.fd = open(c->in.path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (c->in.fd < 0)
        return false;
    DL_APPEND(w->crew->coming, c);
    if (coming(w) == c)
        ask(w, c);
    return true;
}

void parcel_drop(struct worker *w, struct call *c)
{
    ahead_drop(w, &c->ahead);
    if (c->in.fd < 0)
        return;
    bool first = coming(w) == c;
    DL_DELETE(w->crew->coming, c);
    if (first)
        next(w);
}

void parcel_part(struct worker *w, const struct message *m)
{
    struct call *c = coming(w);
    const char *data = m->blob.data;
    size_t n = m->blob.data_bytes;

    if (!c || c->blob != m->blob.blob || c->in.bytes != m->blob.offset ||
        n > c->total - c->in.bytes)
        return;
    for (size_t done = 0; done < n;) {
        ssize_t put = pwrite(c->in.fd, data + done, n - done, (off_t)(c->in.bytes + done));
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0) {
            give_back(w, c, strerror(errno));
            return;
        }
        done += (size_t)put;
    }
    c->in.bytes += n;
    if (c->in.bytes < c->total) {
        ask(w, c);
        return;
    }
    DL_DELETE(w->crew->coming, c);
    close(c->in.fd);
    c->in.fd = -1;
    c->blob = 0;
    crew_ready(w, c);
    next(w);
}

/* --- results --- */

bool parcel_sent(struct worker *w, struct call *c)
{
    struct ahead *a = &c->ahead;

    if (c->out.fd < 0)
        return true;
    a->lease = c->id;
    a->fd = c->out.fd;
    a->offset = c->out.offset;
    a->bytes = c->out.bytes;
    if (!ahead_done(w, a))
        return false;
    c->blob = a->failed ? 0 : a->blob;
    if (a->failed) {
        matter_fini(&c->out);
        c->reason = END_INFRA;
        c->code = (int32_t)a->failed;
        free(c->error);
        c->error = strdup(a->why);
        must(c->error != NULL);
    }
    return true;
}

void parcel_acked(struct worker *w, const struct message *m)
{
    if (coming(w) && coming(w)->blob == m->blob_ack.blob && m->blob_ack.code)
        give_back(w, coming(w), m->blob_ack.text);
}

/* parcel_gone - payloads are sent again with their leases; results when the agent says so, from
 * where the scheduler has them. */
void parcel_gone(struct worker *w)
{
    struct call *c, *after;

    DL_FOREACH_SAFE(w->crew->coming, c, after)
    crew_forget(w, c->id);
    HASH_ITER(hh, w->crew->by_lease, c, after)
    ahead_again(&c->ahead);
}

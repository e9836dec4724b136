#include "client/direct.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#include "client/session.h"

/* ---- leaving */

static bool room_for(const struct grange *g, size_t bytes)
{
    const struct directs *ds = &g->directs;

    return HASH_COUNT(ds->sent) < DIRECT_TICKETS_MAX && ds->bytes_out + bytes <= DIRECT_BYTES_MAX;
}

static void send_part(struct op *op, size_t n)
{
    struct grange *g = op->d->g;
    struct message m = { .kind = MSG_DIRECT };

    m.direct.ticket = op->ticket;
    m.direct.engine = op->engine;
    m.direct.op = op->d->op;
    m.direct.name = op->sent ? "" : op->d->name;
    m.direct.total = op->bytes;
    m.direct.data = op->data + op->sent;
    m.direct.data_bytes = n;
    m.direct.machine = op->sent ? 0 : g->directs.machine;
    op->sent += n;
    g->directs.bytes_out += n;
    m.direct.more = op->parts = op->sent < op->bytes;
    session_send(g, &m);
}

/* send_parts - as many as were made room for. */
static void send_parts(struct op *op)
{
    while (op->parts && op->acked > 0) {
        size_t n = op->bytes - op->sent;
        n = n < BLOB_PART_BYTES ? n : BLOB_PART_BYTES;
        if (op->sent + n - op->acked > DIRECT_WINDOW_BYTES)
            return;
        send_part(op, n);
    }
}

/* fill - puts all that is left into the file of its engine, when that is here. */
static bool fill(struct op *op, const struct shared_file *file)
{
    struct message m = { .kind = MSG_DIRECT };
    int fd = op->parts ? shared_open(file, true) : -1;

    if (fd < 0)
        return false;
    bool done = shared_write(fd, op->data + op->sent, op->bytes - op->sent, op->sent);
    close(fd);
    if (!done) /* no room there: the worker finds that out as well */
        return false;
    m.direct.ticket = op->ticket;
    m.direct.engine = op->engine;
    m.direct.op = op->d->op;
    m.direct.name = "";
    m.direct.filled = op->bytes;
    op->parts = false;
    session_send(op->d->g, &m);
    return true;
}

static void send_first(struct op *op)
{
    struct directs *ds = &op->d->g->directs;

    op->ticket = ++ds->last_ticket;
    HASH_ADD(hh, ds->sent, ticket, sizeof op->ticket, op);
    send_part(op, op->bytes < INLINE_BYTES_MAX ? op->bytes : INLINE_BYTES_MAX);
}

/* A window is set aside for each payload in parts, so that those that began can go on. */
static size_t at_most_out(const struct op *op)
{
    return op->bytes <= INLINE_BYTES_MAX ? op->bytes : DIRECT_WINDOW_BYTES;
}

static void send_waiting(struct grange *g)
{
    struct directs *ds = &g->directs;

    while (ds->waiting && room_for(g, at_most_out(ds->waiting))) {
        struct op *op = ds->waiting;
        DL_DELETE(ds->waiting, op);
        send_first(op);
    }
}

/* ---- ending */

static void free_all(struct grange_direct *d)
{
    DL_DELETE(d->g->directs.all, d);
    for (size_t i = 0; i < d->n; i++) {
        free(d->ops[i].result);
        free(d->ops[i].text);
        free(d->ops[i].words);
    }
    free(d->order);
    free(d->name);
    free(d);
}

static void acknowledge(const struct op *op)
{
    struct message m = { .kind = MSG_DIRECT_ACK };

    m.direct_ack.ticket = op->ticket;
    m.direct_ack.bytes = op->result_bytes;
    session_send(op->d->g, &m);
}

/* next_stream - another result may come in parts. */
static void next_stream(struct directs *ds)
{
    while (ds->stalled && ds->n_streams < STREAMS_MAX) {
        struct op *op = ds->stalled;
        DL_DELETE(ds->stalled, op);
        op->waits_for_acks = false;
        op->stream = true;
        ds->n_streams++;
        acknowledge(op);
    }
}

/* op_end - the last word on it; text is copied. Its handle goes with the last of its ops when its
 * owner has freed it. */
static void op_end(struct op *op, enum end_reason reason, int32_t code, const char *text)
{
    struct grange_direct *d = op->d;
    struct directs *ds = &d->g->directs;

    op->ended = true;
    op->reason = reason;
    op->code = code;
    op->text = strdup(text);
    must(op->text != NULL);
    if (op->ticket) {
        HASH_DELETE(hh, ds->sent, op);
        ds->bytes_out -= op->sent - op->acked;
    } else {
        DL_DELETE(ds->waiting, op);
    }
    if (op->waits_for_acks)
        DL_DELETE(ds->stalled, op);
    if (op->stream) {
        op->stream = false;
        ds->n_streams--;
        next_stream(ds);
    }
    d->order[d->n_ended++] = (size_t)(op - d->ops);
    if (d->freed && d->n_ended == d->n)
        free_all(d);
}

static void add_result(struct op *op, const struct message *m)
{
    size_t n = m->direct_end.data_bytes, need = op->result_bytes + n;

    if (need > op->result_room) {
        size_t total = m->direct_end.total <= BLOB_BYTES_MAX ? m->direct_end.total : 0;
        op->result_room = total > need ? total : need;
        op->result = realloc(op->result, op->result_room + 1);
        must(op->result != NULL);
    }
    if (n)
        memcpy(op->result + op->result_bytes, m->direct_end.data, n);
    op->result_bytes = need;
}

/* fetch - takes all of the result out of the file, when that is here. */
static bool fetch(struct op *op, const struct message *m)
{
    uint64_t total = m->direct_end.total, have = op->result_bytes;
    int fd = total <= BLOB_BYTES_MAX && total <= op->result_room
                 ? shared_open(&m->direct_end.file, false)
                 : -1;

    if (fd < 0)
        return false;
    bool done = shared_read(fd, op->result + have, total - have, m->direct_end.file.offset + have);
    close(fd);
    if (done) {
        op->result_bytes = total;
        acknowledge(op);
    }
    return done;
}

static void on_end(struct grange *g, const struct message *m)
{
    struct directs *ds = &g->directs;
    uint64_t ticket = m->direct_end.ticket;
    struct op *op;

    HASH_FIND(hh, ds->sent, &ticket, sizeof ticket, op);
    if (!op)
        return;
    if (!op->d->freed && m->direct_end.reason == END_EXIT &&
        op->result_bytes + m->direct_end.data_bytes <= BLOB_BYTES_MAX)
        add_result(op, m);
    if (!m->direct_end.more) {
        op->wall_us = m->direct_end.wall_us;
        op_end(op, m->direct_end.reason, m->direct_end.code, m->direct_end.text);
        send_waiting(g);
    } else if (op->stream) {
        acknowledge(op);
    } else if (!op->d->freed && fetch(op, m)) {
        return; /* the last word follows */
    } else if (!op->waits_for_acks) {
        op->waits_for_acks = true;
        DL_APPEND(ds->stalled, op);
        next_stream(ds);
    }
}

static void on_ack(struct grange *g, const struct message *m)
{
    struct directs *ds = &g->directs;
    uint64_t ticket = m->direct_ack.ticket;
    struct op *op;

    HASH_FIND(hh, ds->sent, &ticket, sizeof ticket, op);
    if (!op || m->direct_ack.bytes <= op->acked || m->direct_ack.bytes > op->sent)
        return;
    ds->bytes_out -= m->direct_ack.bytes - op->acked;
    op->acked = m->direct_ack.bytes;
    if (!fill(op, &m->direct_ack.file))
        send_parts(op);
    send_waiting(g);
}

void directs_on_message(struct grange *g, const struct message *m)
{
    if (m->kind == MSG_DIRECT_END)
        on_end(g, m);
    else if (m->kind == MSG_DIRECT_ACK)
        on_ack(g, m);
    else if (m->kind == MSG_FARM)
        directs_on_farm(g, m);
}

static const char lost[] = "the scheduler was lost";

void directs_on_loss(struct grange *g)
{
    struct op *op, *next;

    HASH_ITER(hh, g->directs.sent, op, next)
    {
        op_end(op, END_LOST, 0, lost);
    }
    while (g->directs.waiting)
        op_end(g->directs.waiting, END_LOST, 0, lost);
}

/* ---- beginning */

struct grange_direct *directs_make(struct grange *g, enum direct_op op, const uint64_t *engines,
                                   size_t n, const char *name)
{
    struct grange_direct *d = calloc(1, sizeof *d + n * sizeof(struct op));

    must(d != NULL);
    d->g = g;
    d->op = op;
    d->n = n;
    d->name = strdup(name);
    d->order = calloc(n + 1, sizeof *d->order);
    must(d->name != NULL && d->order != NULL);
    for (size_t i = 0; i < n; i++) {
        d->ops[i].d = d;
        d->ops[i].engine = engines[i];
    }
    return d;
}

void directs_payload(struct grange_direct *d, size_t i, const void *data, size_t bytes)
{
    d->ops[i].data = data;
    d->ops[i].bytes = bytes;
}

void directs_begin(struct grange_direct *d)
{
    struct directs *ds = &d->g->directs;

    DL_APPEND(ds->all, d);
    for (size_t i = 0; i < d->n; i++)
        DL_APPEND(ds->waiting, &d->ops[i]);
    if (d->g->welcomed)
        send_waiting(d->g);
    else
        directs_on_loss(d->g);
}

/* drop - nobody wants the op any more. True: that was the last of its handle, which is gone. */
static bool drop(struct op *op)
{
    struct grange_direct *d = op->d;
    struct message m = { .kind = MSG_DIRECT };

    if (op->ended)
        return false;
    if (!op->ticket) {
        bool last = d->n_ended + 1 == d->n;
        op_end(op, END_CANCELLED, 0, "");
        return last;
    }
    m.direct.ticket = op->ticket; /* its end is still to come */
    m.direct.op = DIRECT_CANCEL;
    m.direct.name = "";
    op->parts = false;
    op->data = NULL;
    session_send(d->g, &m);
    return false;
}

void directs_drop(struct grange_direct *d)
{
    d->freed = true;
    if (d->n_ended == d->n) {
        free_all(d);
        return;
    }
    for (size_t i = 0, n = d->n; i < n; i++) {
        if (drop(&d->ops[i]))
            return;
    }
}

void directs_fini(struct directs *ds)
{
    struct grange_direct *d, *next;

    HASH_CLEAR(hh, ds->sent);
    DL_FOREACH_SAFE(ds->all, d, next)
    {
        free_all(d);
    }
    free(ds->list);
}

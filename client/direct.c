#include "client/direct.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "client/near.h"
#include "client/session.h"

/* ---- leaving */

static bool room_for(const struct grange *g, size_t bytes)
{
    const struct directs *ds = &g->directs;

    return HASH_COUNT(ds->sent) + ds->n_lingering < DIRECT_TICKETS_MAX &&
           ds->bytes_out + bytes <= DIRECT_BYTES_MAX;
}

static void send_part(struct op *op, size_t n, const struct shared_file *file)
{
    struct grange *g = op->d->g;
    struct message m = { .kind = MSG_DIRECT };

    m.direct.ticket = op->ticket;
    m.direct.engine = op->engine;
    m.direct.op = op->d->op;
    m.direct.name = op->credit ? "" : op->d->name;
    m.direct.total = op->bytes;
    m.direct.limit_ms = op->d->limit_ms;
    m.direct.data = op->data + op->sent;
    m.direct.data_bytes = n;
    m.direct.machine = op->credit ? 0 : g->directs.machine;
    if (file)
        m.direct.file = *file;
    op->sent += n;
    g->directs.bytes_out += n;
    m.direct.more = op->parts = op->sent < op->bytes;
    session_send(g, &m);
}

static void unpause(struct op *op)
{
    if (op->paused)
        DL_DELETE(op->d->g->directs.paused, op);
    op->paused = false;
}

/* send_parts - as many as were made room for; it goes on when others made room. */
static void send_parts(struct op *op)
{
    struct directs *ds = &op->d->g->directs;

    while (op->parts && op->credit) {
        size_t n = op->bytes - op->sent;
        n = n < BLOB_PART_BYTES ? n : BLOB_PART_BYTES;
        if (op->sent + n - op->acked > DIRECT_WINDOW_BYTES)
            return;
        if (ds->bytes_out + n > DIRECT_BYTES_MAX) {
            DL_APPEND(ds->paused, op);
            op->paused = true;
            return;
        }
        send_part(op, n, NULL);
    }
}

static void send_first(struct op *op)
{
    struct directs *ds = &op->d->g->directs;
    struct shared_file file;
    char path[64];

    op->ticket = ++ds->last_ticket;
    HASH_ADD(hh, ds->sent, ticket, sizeof op->ticket, op);
    if (near_offer(op, path, sizeof path, &file))
        send_part(op, 0, &file);
    else
        send_part(op, op->bytes < INLINE_BYTES_MAX ? op->bytes : INLINE_BYTES_MAX, NULL);
}

/* A window is left free when a payload in parts begins, so that those that began can go on. */
static size_t at_most_out(const struct op *op)
{
    return op->bytes <= INLINE_BYTES_MAX ? op->bytes : DIRECT_WINDOW_BYTES;
}

/* send_waiting - those that have begun first. */
static void send_waiting(struct grange *g)
{
    struct directs *ds = &g->directs;

    while (ds->paused && ds->bytes_out + BLOB_PART_BYTES <= DIRECT_BYTES_MAX) {
        struct op *op = ds->paused;
        unpause(op);
        send_parts(op);
    }
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
    near_fini_offer(d);
    for (size_t i = 0; i < d->n; i++) {
        near_withdraw(&d->ops[i], false);
        if (!d->all)
            free(d->ops[i].result);
        free(d->ops[i].shown);
        free(d->ops[i].text);
        free(d->ops[i].words);
    }
    if (!d->into)
        free(d->all);
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

/* stall - it comes in parts, when it is its turn. */
static void stall(struct op *op)
{
    struct directs *ds = &op->d->g->directs;

    op->waits_for_acks = true;
    DL_APPEND(ds->stalled, op);
    next_stream(ds);
}

void directs_seen(struct grange_direct *d, size_t n)
{
    if (n <= d->n_seen)
        return;
    d->g->directs.n_news -= d->n_ended > d->n_seen && n >= d->n_ended;
    d->n_seen = n;
}

void directs_tell(struct grange_direct *d)
{
    if (!d->fn || d->n_ended < d->n)
        return;
    calls_add_callback(
        &d->g->calls, &(struct callback){ .direct = d, .on_direct = d->fn, .context = d->context });
    directs_seen(d, d->n);
}

/* is_over - its owner is done with it, and so are we. */
static bool is_over(const struct grange_direct *d)
{
    return d->freed && d->n_ended == d->n && d->n_reading == 0;
}

static void place_all(struct grange_direct *d);

/* known - the length of a result that is gathered, or that there is none. */
static void known(struct op *op, uint64_t total)
{
    if (op->known)
        return;
    op->known = true;
    op->total = total;
    op->d->n_known++;
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
    near_withdraw(op, false);
    unpause(op);
    if (op->waits_for_acks)
        DL_DELETE(ds->stalled, op);
    if (op->stream) {
        op->stream = false;
        ds->n_streams--;
        next_stream(ds);
    }
    ds->n_news += d->n_seen == d->n_ended;
    d->order[d->n_ended++] = (size_t)(op - d->ops);
    if (d->n_ended == d->n)
        near_fini_offer(d);
    directs_tell(d);
    if (is_over(d)) {
        free_all(d);
    } else if (d->gathers && !d->freed && !op->known) {
        known(op, op->result_bytes);
        place_all(d);
    }
}

/* reserve - room for a result of n bytes. */
static void reserve(struct op *op, size_t n)
{
    if (n <= op->result_room)
        return;
    char *room = near_room(n);
    if (op->result_bytes)
        memcpy(room, op->result, op->result_bytes);
    free(op->result);
    op->result = room;
    op->result_room = n;
}

static void add_result(struct op *op, const struct message *m)
{
    size_t n = m->direct_end.data_bytes, need = op->result_bytes + n;
    size_t total = op->d->gathers ? 0 : m->direct_end.total;

    if (n)
        reserve(op, total > need ? total : need);
    if (n)
        memcpy(op->result + op->result_bytes, m->direct_end.data, n);
    op->result_bytes = need;
}

/* ---- ends */

static struct shared_file *copy_file(const struct shared_file *file)
{
    size_t n = strlen(file->path) + 1;
    struct shared_file *copy = malloc(sizeof *copy + n);

    must(copy != NULL);
    *copy = *file;
    copy->path = memcpy(copy + 1, file->path, n);
    return copy;
}

/* place - where its result belongs; what is there already goes along. */
static void place(struct op *op, char *at)
{
    if (op->result_bytes)
        memcpy(at, op->result, op->result_bytes);
    free(op->result);
    op->result = at;
    op->result_room = op->total;
}

/* fetch - the result, for which there is a place: out of the file that was shown, or in parts. */
static void fetch(struct op *op)
{
    struct directs *ds = &op->d->g->directs;

    if (!op->shown) {
        stall(op);
        return;
    }
    op->reading = true;
    op->d->n_reading++;
    DL_APPEND(ds->to_read, op);
}

/* was_read - with all of the result it has ended, whenever the last word comes. It may have ended
 * in another way meanwhile. */
static void was_read(struct op *op, bool done)
{
    struct grange_direct *d = op->d;

    op->reading = false;
    d->n_reading--;
    if (is_over(d)) {
        free_all(d);
    } else if (!op->ended && !done) {
        stall(op);
    } else if (!op->ended) {
        op->result_bytes = op->total;
        acknowledge(op);
        d->g->directs.n_lingering++;
        op_end(op, END_EXIT, 0, "");
    }
}

void directs_read(struct grange *g)
{
    struct directs *ds = &g->directs;

    while (ds->to_read) {
        struct op *op = ds->to_read;
        DL_DELETE(ds->to_read, op);
        session_leave(g, 0);
        bool done = near_fetch(op->shown, op->result, op->total);
        session_enter(g);
        was_read(op, done);
    }
}

/* place_all - when it is known how long all results are. Those that have not ended come now. */
static void place_all(struct grange_direct *d)
{
    if (d->n_known < d->n)
        return;
    for (size_t i = 0; i < d->n; i++)
        d->all_bytes += d->ops[i].total;
    d->too_long = d->into && d->all_bytes > d->room;
    if (d->too_long)
        return;
    char *at = d->all = d->into ? d->to : near_room(d->all_bytes);
    for (size_t i = 0; i < d->n; at += d->ops[i++].total)
        place(&d->ops[i], at);
    for (size_t i = 0; i < d->n; i++) {
        if (!d->ops[i].ended)
            fetch(&d->ops[i]);
    }
}

/* begins - the first word of a long result. Of the payload nothing is wanted any more. */
static void begins(struct op *op, const struct message *m)
{
    const struct shared_file *file = &m->direct_end.file;

    op->parts = false;
    unpause(op);
    if (op->d->freed) {
        stall(op); /* until its end comes: it was cancelled */
        return;
    }
    if (op->known)
        return;
    op->total = m->direct_end.total;
    op->shown = file->path && *file->path ? copy_file(file) : NULL;
    if (op->d->gathers) {
        known(op, op->total);
        place_all(op->d);
    } else {
        reserve(op, op->total);
        fetch(op);
    }
}

/* fits - what came of a result is not longer than was said. */
static bool fits(const struct op *op, size_t n)
{
    return op->result_bytes + n <= (op->known ? op->total : BLOB_BYTES_MAX);
}

static void on_end(struct grange *g, const struct message *m)
{
    struct directs *ds = &g->directs;
    uint64_t ticket = m->direct_end.ticket;
    struct op *op;

    HASH_FIND(hh, ds->sent, &ticket, sizeof ticket, op);
    if (!op) {
        ds->n_lingering -= ds->n_lingering > 0;
        send_waiting(g);
        return;
    }
    if (!op->d->freed && m->direct_end.reason == END_EXIT && fits(op, m->direct_end.data_bytes))
        add_result(op, m);
    if (!op->wall_us)
        op->wall_us = m->direct_end.wall_us;
    if (!m->direct_end.more) {
        op_end(op, m->direct_end.reason, m->direct_end.code, m->direct_end.text);
        send_waiting(g);
    } else if (op->stream) {
        acknowledge(op);
    } else if (!op->waits_for_acks && !op->reading) {
        begins(op, m);
    }
}

static void on_ack(struct grange *g, const struct message *m)
{
    struct directs *ds = &g->directs;
    uint64_t ticket = m->direct_ack.ticket;
    struct op *op;

    HASH_FIND(hh, ds->sent, &ticket, sizeof ticket, op);
    if (!op || m->direct_ack.bytes > op->sent || (op->credit && m->direct_ack.bytes <= op->acked))
        return;
    op->credit = true;
    near_withdraw(op, true);
    ds->bytes_out -= m->direct_ack.bytes - op->acked;
    op->acked = m->direct_ack.bytes;
    unpause(op);
    if (!near_fill(op, &m->direct_ack.file))
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

    g->directs.n_lingering = 0;
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

/* More than there are tickets would wait for each other. */
void directs_gather(struct grange_direct *d)
{
    d->gathers = d->n > 0 && d->n <= DIRECT_TICKETS_MAX;
}

void directs_gather_into(struct grange_direct *d, void *to, size_t room)
{
    directs_gather(d);
    d->into = d->gathers;
    d->to = to;
    d->room = room;
}

char *directs_take(struct grange_direct *d)
{
    char *all = d->all;

    d->all = NULL;
    for (size_t i = 0; i < d->n; i++) {
        d->ops[i].result = NULL;
        d->ops[i].result_bytes = 0;
    }
    return all;
}

void directs_begin(struct grange_direct *d)
{
    struct directs *ds = &d->g->directs;

    if (d->g->welcomed)
        near_write(d);
    DL_APPEND(ds->all, d);
    for (size_t i = 0; i < d->n; i++)
        DL_APPEND(ds->waiting, &d->ops[i]);
    if (d->g->welcomed)
        send_waiting(d->g);
    else
        directs_on_loss(d->g);
}

/* drop - nobody wants the op any more. With the last one its handle may go. */
static void drop(struct op *op)
{
    struct grange_direct *d = op->d;
    struct message m = { .kind = MSG_DIRECT };

    if (op->ended)
        return;
    if (!op->ticket) {
        op_end(op, END_CANCELLED, 0, "");
        return;
    }
    m.direct.ticket = op->ticket; /* its end is still to come */
    m.direct.op = DIRECT_CANCEL;
    m.direct.name = "";
    op->parts = false;
    session_send(d->g, &m);
}

void directs_drop(struct grange_direct *d)
{
    bool ended = d->n_ended == d->n;

    d->freed = true;
    d->fn = NULL;
    calls_drop_callbacks(&d->g->calls, d);
    directs_seen(d, SIZE_MAX);
    if (is_over(d))
        free_all(d);
    if (ended)
        return;
    for (size_t i = 0, n = d->n; i < n; i++)
        drop(&d->ops[i]); /* those that have not left come last: what is after the last one is not
                             looked at */
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
    near_fini(ds);
}

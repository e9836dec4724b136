/* link_peer - one connection: what nng's callbacks do, and how it begins and ends. */
#include <nng/nng.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "proto/link_inner.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "frames have little-endian lengths");
enum { HEADER_BYTES = 4 };

static void received(void *arg);
static void sent(void *arg);
static void lingered(void *arg);
static void receive_more(struct peer *p);

static struct arrival *arrival_new(struct peer *p, enum link_event_kind kind, size_t cap)
{
    struct arrival *a = malloc(sizeof *a + cap);

    must(a != NULL);
    *a = (struct arrival){ .kind = kind, .peer = p, .cap = cap };
    return a;
}

/* ---- the beginning */

/* take_slot - lock held. A free place in the table, grown when there is none; false when it is
 * full. */
static bool take_slot(struct link *l, struct peer *p)
{
    uint32_t i = 0;

    while (i < l->n_slots && l->slots[i])
        i++;
    if (i == PEERS_MAX)
        return false;
    if (i == l->n_slots) {
        uint32_t n = l->n_slots ? 2 * l->n_slots : 8;
        l->slots = realloc(l->slots, n * sizeof *l->slots);
        must(l->slots != NULL);
        memset(l->slots + l->n_slots, 0, (n - l->n_slots) * sizeof *l->slots);
        l->n_slots = n;
    }
    p->id.n = (++l->serial * PEERS_MAX) | i;
    l->slots[i] = p;
    l->n_live++;
    return true;
}

static void release(struct peer *p)
{
    nng_aio_free(p->receive);
    nng_aio_free(p->send);
    nng_aio_free(p->linger);
    nng_stream_free(p->stream);
    buf_fini(&p->out);
    buf_fini(&p->inflight);
    free(p->block);
    free(p);
}

static struct peer *peer_alloc(struct link *l, nng_stream *stream, const struct listener *by,
                               bool tls)
{
    struct peer *p = calloc(1, sizeof *p);

    must(p != NULL);
    *p = (struct peer){ .link = l, .stream = stream, .tls = tls, .receiving = true, .starting = 1 };
    p->dialled = p->proven = by == NULL;
    p->roles = by ? by->roles : 0;
    must(nng_aio_alloc(&p->receive, received, p) == 0);
    must(nng_aio_alloc(&p->send, sent, p) == 0);
    must(nng_aio_alloc(&p->linger, lingered, p) == 0);
    p->block = arrival_new(p, LINK_FRAME, by ? FIRST_BLOCK_BYTES : BLOCK_BYTES);
    return p;
}

void peer_new(struct link *l, nng_stream *stream, const struct listener *by, bool tls)
{
    struct peer *p = peer_alloc(l, stream, by, tls), *victim = NULL;
    struct arrival *up = p->dialled ? arrival_new(p, LINK_UP, 0) : NULL;

    pthread_mutex_lock(&l->lock);
    bool taken = !l->stopping && take_slot(l, p);
    if (taken && up)
        link_push(l, up);
    else if (taken)
        victim = greet_begin(l, p);
    else
        l->turned_away++;
    pthread_mutex_unlock(&l->lock);
    greet_drop(victim);
    if (!taken) {
        free(up);
        nng_stream_close(stream);
        release(p);
        return;
    }
    receive_more(p);
}

/* ---- receiving */

/* started - the receive or send of aio is on its way; if the stream was closed before, only we
 * know. A cancel does not reach what TLS has queued above a dead socket; closing again does. */
static void started(struct peer *p, nng_aio *aio)
{
    struct link *l = p->link;

    pthread_mutex_lock(&l->lock);
    bool closed = p->closed;
    pthread_mutex_unlock(&l->lock);
    if (closed && p->tls)
        nng_stream_close(p->stream);
    else if (closed)
        nng_aio_cancel(aio);
    peer_unpin(p);
}

/* receive_more - `receiving` is set already, and `starting` counts us. */
static void receive_more(struct peer *p)
{
    struct arrival *b = p->block;
    nng_iov iov = { .iov_buf = b->data + b->n, .iov_len = b->cap - b->n };

    must(nng_aio_set_iov(p->receive, 1, &iov) == 0);
    nng_stream_recv(p->stream, p->receive);
    started(p, p->receive);
}

/* gone - no more will arrive. Once a peer, and the last thing that is queued for it. */
static void gone(struct peer *p, enum err reason)
{
    struct link *l = p->link;
    struct arrival *a = arrival_new(p, LINK_GONE, 0);

    a->reason = reason;
    pthread_mutex_lock(&l->lock);
    bool redial = p->dialled && !l->stopping, heard = p->heard;
    if (p->dialled && !heard)
        link_note_trouble(l, reason);
    p->ended = true;
    greet_end(l, p);
    link_push(l, a);
    if (--l->n_live == 0)
        pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
    if (redial)
        link_redial(l, heard);
}

static void stop_receiving(struct peer *p, enum err reason)
{
    pthread_mutex_lock(&p->link->lock);
    bool closed = p->closed;
    if (closed || p->ending)
        reason = p->reason;
    p->closed = true;
    p->receiving = false;
    pthread_mutex_unlock(&p->link->lock);
    if (!closed)
        nng_stream_close(p->stream);
    gone(p, reason);
}

struct split {
    size_t whole; /* bytes of complete frames at the start of the block */
    size_t need;  /* bytes of the frame after them, header included, as far as is known */
    bool done;    /* the other end has sent its last frame */
    bool too_large;
};

static struct split split_frames(const struct arrival *b, size_t max)
{
    struct split s = { .need = HEADER_BYTES };
    uint32_t n;

    while (b->n - s.whole >= HEADER_BYTES) {
        memcpy(&n, b->data + s.whole, sizeof n);
        s.done = n == 0;
        s.too_large = n > max;
        s.need = HEADER_BYTES + (size_t)n;
        if (s.done || s.too_large || b->n - s.whole < s.need)
            break;
        s.whole += s.need;
        s.need = HEADER_BYTES;
    }
    return s;
}

/* room_for - the capacity of a block that has n bytes of a frame of `need`: what is announced is
 * believed as it arrives. */
static size_t room_for(size_t n, size_t need)
{
    size_t cap = n < BLOCK_GROW_BYTES / 2 ? BLOCK_GROW_BYTES : 2 * n;

    if (need <= BLOCK_BYTES)
        return BLOCK_BYTES;
    return cap < need ? cap : need;
}

/* detach - the block's whole frames as an arrival of their own; the rest starts the next block.
 * What is small is copied, so that frames that wait do not each hold a whole block. */
static struct arrival *detach(struct peer *p, const struct split *s)
{
    struct arrival *b = p->block, *a;
    size_t rest = b->n - s->whole;

    if (s->whole <= BLOCK_BYTES / 4 && b->cap <= BLOCK_BYTES) {
        a = arrival_new(p, LINK_FRAME, s->whole);
        memcpy(a->data, b->data, s->whole);
        memmove(b->data, b->data + s->whole, rest);
        b->n = rest;
    } else {
        a = b;
        p->block = arrival_new(p, LINK_FRAME, room_for(rest, s->need));
        memcpy(p->block->data, b->data + s->whole, rest);
        p->block->n = rest;
    }
    a->n = s->whole;
    return a;
}

/* make_room - for the next read; a read that filled a small block gets a larger one. False when the
 * first frames of all connections take too much. */
static bool make_room(struct peer *p, const struct split *s, bool filled)
{
    struct arrival *b = p->block;

    if (b->n < b->cap && !(filled && b->cap < BLOCK_BYTES))
        return true;
    size_t cap = room_for(b->n, s->need);
    if (!greet_room(p, cap - b->cap))
        return false;
    b = realloc(b, sizeof *b + cap);
    must(b != NULL && cap > b->n);
    b->cap = cap;
    p->block = b;
    return true;
}

/* deliver - queues whole frames; a may be NULL. */
static void deliver(struct peer *p, struct arrival *a)
{
    if (!a)
        return;
    pthread_mutex_lock(&p->link->lock);
    bool wanted = !p->ending;
    if (wanted) {
        if (p->dialled && !p->heard)
            p->link->trouble[0] = '\0';
        p->heard = true;
        p->waiting += a->n;
        link_push(p->link, a);
    }
    pthread_mutex_unlock(&p->link->lock);
    if (!wanted)
        free(a);
}

/* may_go_on - false when enough is waiting: reading pauses until peer_resume. */
static bool may_go_on(struct peer *p)
{
    pthread_mutex_lock(&p->link->lock);
    bool pause = p->waiting > WAITING_BYTES_MAX && !p->ending;
    bool closed = p->closed; /* by us, while nothing was being received: nobody else will say so */
    enum err reason = p->reason;
    p->paused = pause;
    p->receiving = !pause;
    p->starting += pause ? 0 : 1;
    pthread_mutex_unlock(&p->link->lock);
    if (pause && closed)
        gone(p, reason);
    return !pause;
}

/* reason_of - why a receive or send failed. */
static enum err reason_of(const struct peer *p, int rv)
{
    return p->tls && (rv == NNG_ECRYPTO || rv == NNG_EPEERAUTH) ? ERR_PERMISSION : ERR_LOST;
}

static void received(void *arg)
{
    struct peer *p = arg;
    int rv = nng_aio_result(p->receive);

    if (rv != 0) {
        stop_receiving(p, reason_of(p, rv));
        return;
    }
    p->block->n += nng_aio_count(p->receive);
    bool filled = p->block->n == p->block->cap;
    struct split s =
        split_frames(p->block, p->proven || p->tls ? FRAME_BYTES_MAX : GREETING_FRAME_MAX);
    if (!p->proven && (p->tls || s.whole)) /* bytes come after the handshake only */
        greet_prove(p, arrival_new(p, LINK_UP, 0));
    struct arrival *a = s.whole ? detach(p, &s) : NULL;

    bool room = make_room(p, &s, filled);
    deliver(p, a);
    if (s.done || s.too_large)
        stop_receiving(p, s.done ? ERR_NONE : ERR_MALFORMED);
    else if (!room)
        stop_receiving(p, ERR_LIMIT);
    else if (may_go_on(p))
        receive_more(p);
}

void peer_resume(struct peer *p)
{
    pthread_mutex_lock(&p->link->lock);
    bool resume = p->paused && !p->closed && (p->ending || p->waiting <= WAITING_BYTES_LOW);
    if (resume) {
        p->paused = false;
        p->receiving = true;
        p->starting++;
    }
    pthread_mutex_unlock(&p->link->lock);
    if (resume)
        receive_more(p);
}

/* ---- sending */

/* take_out - lock held. True: what was queued is now in flight, and the caller calls send_more. */
static bool take_out(struct peer *p)
{
    if (p->sending || p->closed || p->out.n == 0)
        return false;
    struct buf empty = p->inflight;
    p->inflight = p->out;
    p->out = empty;
    p->sent = 0;
    p->sending = true;
    p->starting++;
    p->flushed = false;
    return true;
}

static void send_more(struct peer *p)
{
    nng_iov iov = { .iov_buf = p->inflight.data + p->sent, .iov_len = p->inflight.n - p->sent };

    must(nng_aio_set_iov(p->send, 1, &iov) == 0);
    nng_stream_send(p->stream, p->send);
    started(p, p->send);
}

static void sent(void *arg)
{
    struct peer *p = arg;
    int failed = nng_aio_result(p->send);

    pthread_mutex_lock(&p->link->lock);
    p->progress++;
    p->sent += failed ? 0 : nng_aio_count(p->send);
    bool more = !failed && p->sent < p->inflight.n;
    if (!more) {
        p->sending = false;
        p->sent = 0;
        if (p->inflight.cap > OUT_KEPT_BYTES)
            buf_fini(&p->inflight);
        buf_clear(&p->inflight);
        more = !failed && p->flushed && take_out(p);
    } else {
        p->starting++;
    }
    pthread_mutex_unlock(&p->link->lock);
    if (failed)
        peer_close(p, reason_of(p, failed));
    else if (more)
        send_more(p);
}

void peer_flush(struct peer *p)
{
    pthread_mutex_lock(&p->link->lock);
    p->flushed = true;
    bool more = take_out(p);
    pthread_mutex_unlock(&p->link->lock);
    if (more)
        send_more(p);
}

/* ---- the end */

void peer_close(struct peer *p, enum err reason)
{
    pthread_mutex_lock(&p->link->lock);
    bool closed = p->closed, idle = !p->receiving && !p->ended;
    if (!closed) {
        p->closed = true;
        if (!p->ending)
            p->reason = reason;
    }
    pthread_mutex_unlock(&p->link->lock);
    if (closed)
        return;
    nng_stream_close(p->stream);
    if (idle)
        gone(p, reason);
}

void peer_end(struct peer *p)
{
    static const uint32_t last = 0;

    pthread_mutex_lock(&p->link->lock);
    bool begin = !p->ending && !p->closed;
    if (begin) {
        p->ending = true;
        p->reason = ERR_NONE;
        buf_add(&p->out, &last, sizeof last);
    }
    pthread_mutex_unlock(&p->link->lock);
    if (!begin)
        return;
    peer_flush(p);
    peer_resume(p);
    nng_sleep_aio(LINGER_MS, p->linger);
}

/* lingered - the other end had its time; as long as it goes on reading it has more. */
static void lingered(void *arg)
{
    struct peer *p = arg;

    if (nng_aio_result(p->linger) != 0)
        return;
    pthread_mutex_lock(&p->link->lock);
    bool again = p->sending && p->progress != p->progress_seen;
    p->progress_seen = p->progress;
    pthread_mutex_unlock(&p->link->lock);
    if (again)
        nng_sleep_aio(LINGER_MS, p->linger);
    else
        peer_close(p, ERR_NONE);
}

void peer_free(struct peer *p)
{
    struct link *l = p->link;

    nng_stream_close(p->stream);
    nng_aio_stop(p->linger);
    nng_aio_stop(p->receive);
    nng_aio_stop(p->send);
    pthread_mutex_lock(&l->lock);
    while (p->starting > 0)
        pthread_cond_wait(&l->changed, &l->lock);
    l->slots[p->id.n & (PEERS_MAX - 1)] = NULL;
    pthread_mutex_unlock(&l->lock);
    release(p);
}

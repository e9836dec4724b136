#include "proto/link.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <nng/nng.h>

#include "base/clock.h"
#include "base/must.h"
#include "proto/link_inner.h"

enum { HEADER_BYTES = 4 };

/* start_threads - nng makes its threads with its first object; signals are the program's. */
static void start_threads(void)
{
    sigset_t all, before;
    nng_aio *first;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    must(nng_aio_alloc(&first, NULL, NULL) == 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    nng_aio_free(first);
}

struct link *link_new(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct link *l = calloc(1, sizeof *l);
    pthread_condattr_t attr;

    must(l != NULL);
    must(pthread_once(&once, start_threads) == 0);
    must(pthread_mutex_init(&l->lock, NULL) == 0);
    must(pthread_condattr_init(&attr) == 0);
    must(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    must(pthread_cond_init(&l->changed, &attr) == 0);
    pthread_condattr_destroy(&attr);
    l->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    must(l->fd >= 0);
    l->tail = &l->head;
    greet_init(l);
    return l;
}

int link_fd(const struct link *l)
{
    return l->fd;
}

void link_push(struct link *l, struct arrival *a)
{
    uint64_t one = 1;

    a->next = NULL;
    *l->tail = a;
    l->tail = &a->next;
    if (!l->signalled) {
        l->signalled = true;
        must(write(l->fd, &one, sizeof one) == sizeof one);
    }
}

struct peer *link_find(struct link *l, peer_id id)
{
    uint32_t slot = (uint32_t)(id.n & (PEERS_MAX - 1));
    struct peer *p = slot < l->n_slots ? l->slots[slot] : NULL;

    return p && p->id.n == id.n ? p : NULL;
}

/* ---- taking */

/* refill - moves all that arrived to the owner's list; clears the descriptor when that is nothing.
 */
static bool refill(struct link *l)
{
    uint64_t count;

    pthread_mutex_lock(&l->lock);
    l->taken = l->head;
    l->head = NULL;
    l->tail = &l->head;
    if (!l->taken && l->signalled) {
        l->signalled = false;
        must(read(l->fd, &count, sizeof count) == sizeof count);
    }
    pthread_mutex_unlock(&l->lock);
    return l->taken != NULL;
}

/* finish - the last frame of the current arrival was used; a peer that went is forgotten. */
static void finish(struct link *l)
{
    struct arrival *a = l->current;
    struct peer *p = a->peer;

    l->current = NULL;
    if (a->kind == LINK_GONE) {
        peer_free(p);
    } else if (a->kind == LINK_FRAME) {
        pthread_mutex_lock(&l->lock);
        p->waiting -= a->n;
        pthread_mutex_unlock(&l->lock);
        peer_resume(p);
    }
    free(a);
}

static void next_frame(struct link *l, struct link_event *ev)
{
    struct arrival *a = l->current;
    uint32_t n;

    memcpy(&n, a->data + l->current_at,
           sizeof n); /* little-endian, as we are: checked in link_peer.c */
    ev->data = a->data + l->current_at + HEADER_BYTES;
    ev->n = n;
    l->current_at += HEADER_BYTES + n;
}

bool link_take(struct link *l, struct link_event *ev)
{
    for (;;) {
        if (l->current) {
            struct arrival *a = l->current;
            if (a->kind == LINK_FRAME && l->current_at < a->n && !a->peer->ending &&
                a->peer->proven) {
                *ev = (struct link_event){ .kind = LINK_FRAME,
                                           .peer = a->peer->id,
                                           .dialled = a->peer->dialled };
                next_frame(l, ev);
                return true;
            }
            finish(l);
        }
        if (!l->taken && !refill(l))
            return false;
        l->current = l->taken;
        l->taken = l->current->next;
        l->current_at = 0;
        const struct arrival *a = l->current;
        if (a->kind != LINK_FRAME && a->peer->proven) {
            *ev = (struct link_event){ .kind = a->kind,
                                       .peer = a->peer->id,
                                       .dialled = a->peer->dialled,
                                       .roles = a->kind == LINK_UP ? a->peer->roles : 0,
                                       .reason = a->reason };
            return true;
        }
    }
}

/* ---- sending */

static void mark_dirty(struct link *l, struct peer *p)
{
    if (p->dirty)
        return;
    if (l->n_dirty == l->cap_dirty) {
        l->cap_dirty = l->cap_dirty ? 2 * l->cap_dirty : 16;
        l->dirty = realloc(l->dirty, l->cap_dirty * sizeof *l->dirty);
        must(l->dirty != NULL);
    }
    l->dirty[l->n_dirty++] = p->id;
    p->dirty = true;
}

struct buf *link_begin(struct link *l, peer_id peer)
{
    uint32_t header = 0;

    pthread_mutex_lock(&l->lock);
    struct peer *p = link_find(l, peer);
    if (!p || p->closed || p->ending) {
        pthread_mutex_unlock(&l->lock);
        return NULL;
    }
    l->framing = p;
    l->frame_at = p->out.n;
    buf_add(&p->out, &header, HEADER_BYTES);
    return &p->out;
}

void link_end(struct link *l)
{
    struct peer *p = l->framing;
    size_t n = p->out.n - l->frame_at - HEADER_BYTES;
    uint32_t header = (uint32_t)n;

    must(n > 0 && n <= FRAME_BYTES_MAX);
    memcpy(p->out.data + l->frame_at, &header, HEADER_BYTES);
    bool full = p->out.n + p->inflight.n - p->sent > LINK_QUEUE_BYTES_MAX;
    if (full)
        p->out.n = l->frame_at;
    else
        mark_dirty(l, p);
    pthread_mutex_unlock(&l->lock);
    if (full)
        peer_close(p, ERR_LIMIT);
}

void link_send(struct link *l, peer_id peer, const void *data, size_t n)
{
    struct buf *frame = link_begin(l, peer);

    if (!frame)
        return;
    buf_add(frame, data, n);
    link_end(l);
}

size_t link_queued(struct link *l, peer_id peer)
{
    pthread_mutex_lock(&l->lock);
    const struct peer *p = link_find(l, peer);
    size_t n = p ? p->out.n + p->inflight.n - p->sent : 0;
    pthread_mutex_unlock(&l->lock);
    return n;
}

void link_flush(struct link *l)
{
    for (size_t i = 0; i < l->n_dirty; i++) {
        pthread_mutex_lock(&l->lock);
        struct peer *p = link_find(l, l->dirty[i]);
        if (p)
            p->dirty = false;
        pthread_mutex_unlock(&l->lock);
        if (p)
            peer_flush(p);
    }
    l->n_dirty = 0;
}

void link_close_peer(struct link *l, peer_id peer)
{
    pthread_mutex_lock(&l->lock);
    struct peer *p = link_find(l, peer);
    pthread_mutex_unlock(&l->lock);
    if (p)
        peer_end(p);
}

/* ---- the end */

/* end_all - asks every peer to end in good order and waits for that, half a second at most. */
static void end_all(struct link *l)
{
    ms_t end_ms = clock_mono_ms() + LINGER_MS;
    struct timespec until = { .tv_sec = end_ms / 1000, .tv_nsec = end_ms % 1000 * 1000000 };

    for (uint32_t i = 0; i < l->n_slots; i++) {
        struct peer *p = l->slots[i];
        pthread_mutex_lock(&l->lock);
        bool proven = p && p->proven;
        pthread_mutex_unlock(&l->lock);
        if (proven)
            peer_end(p);
        else if (p)
            peer_close(p, ERR_NONE);
    }
    pthread_mutex_lock(&l->lock);
    while (l->n_live > 0) {
        if (pthread_cond_timedwait(&l->changed, &l->lock, &until) == ETIMEDOUT)
            break;
    }
    pthread_mutex_unlock(&l->lock);
}

static void free_arrivals(struct arrival *a)
{
    for (struct arrival *next; a; a = next) {
        next = a->next;
        free(a);
    }
}

void link_free(struct link *l)
{
    if (!l)
        return;
    link_stop_places(l);
    end_all(l);
    for (uint32_t i = 0; i < l->n_slots; i++) {
        if (l->slots[i]) {
            peer_close(l->slots[i], ERR_NONE);
            peer_free(l->slots[i]);
        }
    }
    link_free_places(l);
    free_arrivals(l->current ? (l->current->next = NULL, l->current) : NULL);
    free_arrivals(l->taken);
    free_arrivals(l->head);
    free(l->slots);
    free(l->dirty);
    close(l->fd);
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

/* link_greet - connections that have not proven themselves yet: how many, how long, how large; and
 * the look at all of them every SWEEP_MS. */
#include <nng/nng.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/must.h"
#include "proto/link_inner.h"

void greet_init(struct link *l)
{
    struct rlimit limit;
    size_t some = 1024;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        some = limit.rlim_cur;
    l->greeting_max = some / 4 < GREETING_MAX ? some / 4 : GREETING_MAX;
}

void peer_pin(struct peer *p)
{
    p->starting++;
}

void peer_unpin(struct peer *p)
{
    struct link *l = p->link;

    pthread_mutex_lock(&l->lock);
    if (--p->starting == 0)
        pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
}

/* leave - lock held. It is not among those who greet any more. */
static void leave(struct link *l, struct peer *p)
{
    DL_DELETE(l->greeting, p);
    l->n_greeting--;
    l->greeting_bytes -= p->greeting;
    p->greeting = 0;
    p->greets = false;
}

/* oldest - lock held. The one that has greeted for longest, pinned, and out of the list; NULL when
 * there is none. */
static struct peer *oldest(struct link *l)
{
    struct peer *p = l->greeting;

    if (!p)
        return NULL;
    leave(l, p);
    l->turned_away++;
    peer_pin(p);
    return p;
}

struct peer *greet_begin(struct link *l, struct peer *p)
{
    p->since_ms = clock_mono_ms();
    p->greets = true;
    DL_APPEND(l->greeting, p);
    l->n_greeting++;
    return l->n_greeting > l->greeting_max ? oldest(l) : NULL;
}

void greet_drop(struct peer *p)
{
    if (!p)
        return;
    peer_close(p, ERR_LIMIT);
    peer_unpin(p);
}

void greet_drop_oldest(struct link *l)
{
    pthread_mutex_lock(&l->lock);
    struct peer *p = oldest(l);
    pthread_mutex_unlock(&l->lock);
    greet_drop(p);
}

void greet_prove(struct peer *p, struct arrival *up)
{
    struct link *l = p->link;

    pthread_mutex_lock(&l->lock);
    bool late = p->closed; /* we gave it up already: it stays unknown */
    if (p->greets)
        leave(l, p);
    if (!late) {
        p->proven = true;
        link_push(l, up);
    }
    pthread_mutex_unlock(&l->lock);
    if (late)
        free(up);
}

void greet_end(struct link *l, struct peer *p)
{
    if (!p->greets)
        return;
    leave(l, p);
    l->turned_away++;
}

bool greet_room(struct peer *p, size_t more)
{
    struct link *l = p->link;

    pthread_mutex_lock(&l->lock);
    bool ok = !p->greets || l->greeting_bytes + more <= GREETING_BYTES_MAX;
    if (ok && p->greets) {
        l->greeting_bytes += more;
        p->greeting += more;
    }
    pthread_mutex_unlock(&l->lock);
    return ok;
}

/* is_dead - nng 1.5.2 does not tell of the end of a TLS connection when that came between two
 * receives; the socket below it has no other side any more then. */
static bool is_dead(struct peer *p)
{
    nng_sockaddr address;

    return p->tls && nng_stream_get_addr(p->stream, NNG_OPT_REMADDR, &address) != 0;
}

void peer_sweep(struct link *l)
{
    ms_t now = clock_mono_ms(), late_ms = clock_patience_ms(GREET_MS);

    for (uint32_t i = 0;; i++) {
        pthread_mutex_lock(&l->lock);
        bool end = i >= l->n_slots;
        struct peer *p = end ? NULL : l->slots[i];
        bool late = p && p->greets && now - p->since_ms > late_ms;
        if (p && !p->closed && (late || p->tls))
            peer_pin(p);
        else
            p = NULL;
        pthread_mutex_unlock(&l->lock);
        if (end)
            return;
        if (!p)
            continue;
        if (late || is_dead(p))
            peer_close(p, late ? ERR_TIMEOUT : ERR_LOST);
        peer_unpin(p);
    }
}

uint64_t link_turned_away(struct link *l)
{
    pthread_mutex_lock(&l->lock);
    uint64_t n = l->turned_away;
    pthread_mutex_unlock(&l->lock);
    return n;
}

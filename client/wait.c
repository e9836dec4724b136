/* wait - what the public functions have in common: the lock, deadlines, words for what went wrong.
 */
#include <stdio.h>

#include "base/clock.h"
#include "client/session.h"
#include "proto/wire.h"

static const char farm_down[] =
    "the farm was shut down; when it is up again the same call may be made again";

struct fault *session_fault(void)
{
    static _Thread_local struct fault fault;

    return &fault;
}

void session_enter(struct grange *g)
{
    pthread_mutex_lock(&g->lock);
}

int session_leave(struct grange *g, int code)
{
    session_mark_news(g);
    pthread_mutex_unlock(&g->lock);
    return code;
}

int session_wrong(struct grange *g, enum err code, const char *text)
{
    return session_leave(g, (int)fault_set(session_fault(), code, "%s", text));
}

/* ---- deadlines */

struct wait wait_for(int64_t timeout_ms)
{
    ms_t now = clock_mono_ms();
    ms_t most = MS_NEVER - now;

    timeout_ms = timeout_ms > 0 ? timeout_ms : 0;
    return (struct wait){ now, now + (timeout_ms < most ? timeout_ms : most) };
}

bool wait_over(const struct wait *w)
{
    return clock_mono_ms() >= w->until;
}

ms_t wait_patience(const struct grange *g, const struct wait *w)
{
    ms_t lost_ms = g->lost_ms > w->entered ? g->lost_ms : w->entered;
    ms_t until = lost_ms + PATIENCE_MS;

    return g->welcomed || until > w->until ? w->until : until;
}

enum err wait_lost(const struct grange *g)
{
    return fault_set(session_fault(), ERR_LOST, "%s",
                     g->down  ? farm_down
                     : g->bye ? "the scheduler was stopped"
                              : "the scheduler is not there");
}

bool wait_end(struct grange *g, const struct wait *w, const char *what, enum err *err)
{
    if (g->refused) {
        *session_fault() = g->refusal;
        *err = g->refusal.code;
    } else if (g->down_ms >= w->entered) { /* over it, even if it is up again by now */
        *err = fault_set(session_fault(), ERR_LOST, "%s", farm_down);
    } else if (pump_in_callback(g)) {
        *err = fault_set(session_fault(), ERR_STATE,
                         "a callback cannot wait: it would wait for "
                         "itself");
    } else if (clock_mono_ms() < wait_patience(g, w)) {
        return false;
    } else if (!g->welcomed) {
        *err = wait_lost(g);
    } else {
        *err = fault_set(session_fault(), ERR_TIMEOUT, "%s within %lld ms", what,
                         (long long)(w->until - w->entered));
    }
    return true;
}

/* ---- requests */

static void drop_request(struct grange *g, const struct request *r)
{
    struct request **at = &g->requests;

    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
}

int session_ask(struct grange *g, const struct message *m, struct request *r, struct wait w)
{
    enum err err = ERR_NONE;

    r->next = g->requests;
    g->requests = r;
    wire_encode(m, &r->bytes);
    if (g->welcomed) {
        link_send(g->link, g->peer, r->bytes.data, r->bytes.n);
        link_flush(g->link);
    }
    while (!r->answered && !wait_end(g, &w, "the scheduler did not answer", &err))
        pump_turn(g, wait_patience(g, &w));
    if (r->answered && r->fault.code) {
        *session_fault() = r->fault;
        err = r->fault.code;
    }
    drop_request(g, r);
    buf_fini(&r->bytes);
    return session_leave(g, (int)err);
}

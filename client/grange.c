#include "client/grange.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "client/inside.h"
#include "client/session.h"
#include "proto/wire.h"

const char *grange_strerror(int code)
{
    return err_text(code);
}

const char *grange_version(void)
{
    return GRANGE_VERSION;
}

const char *grange_message(const struct grange *g)
{
    (void)g;
    return session_fault()->text;
}

const char *grange_owner(const struct grange *g)
{
    return g->owner;
}

int grange_fd(const struct grange *g)
{
    return g->epoll_fd;
}

static const char *bad_name(const char *name)
{
    if (!name || !*name)
        return "the name of the study is empty";
    if (strlen(name) > NAME_BYTES_MAX)
        return "the name of the study is longer than 100 bytes";
    return NULL;
}

static int submit(struct grange *g, struct message *m, unsigned flags, int64_t timeout_ms,
                  struct grange_submitted *reply)
{
    struct request r = { .number = session_number(g) };

    m->kind = MSG_SUBMIT;
    m->submit.request = r.number;
    m->submit.retry_failed = (flags & GRANGE_RETRY_FAILED) != 0;
    m->submit.fresh = (flags & GRANGE_FRESH) != 0;
    m->submit.again = (flags & GRANGE_AGAIN) != 0;
    int code = session_ask(g, m, &r, wait_for(timeout_ms));
    if (code == GRANGE_OK)
        *reply = r.submitted;
    return code;
}

int grange_submit(struct grange *g, const char *json, size_t bytes, unsigned flags,
                  int64_t timeout_ms, struct grange_submitted *reply)
{
    struct message m = { .kind = MSG_SUBMIT };

    session_enter(g);
    if (bytes == 0 || memchr(json, 0, bytes))
        return session_wrong(g, ERR_USAGE,
                             "a study is JSON text; this is empty or has a zero byte");
    if (bytes > SPEC_BYTES_MAX)
        return session_wrong(g, ERR_LIMIT, "the study is larger than 64 MiB");
    m.submit.spec = json;
    m.submit.spec_bytes = bytes;
    return submit(g, &m, flags, timeout_ms, reply);
}

int grange_resume(struct grange *g, const char *name, unsigned flags, int64_t timeout_ms,
                  struct grange_submitted *reply)
{
    struct message m = { .kind = MSG_SUBMIT };

    session_enter(g);
    if (bad_name(name))
        return session_wrong(g, ERR_USAGE, bad_name(name));
    m.submit.study = name;
    m.submit.resume = true;
    return submit(g, &m, flags, timeout_ms, reply);
}

static int ask_touched(struct grange *g, const struct message *m, uint64_t number,
                       int64_t timeout_ms, uint64_t *touched)
{
    struct request r = { .number = number };
    int code = session_ask(g, m, &r, wait_for(timeout_ms));

    if (code == GRANGE_OK && touched)
        *touched = r.touched;
    return code;
}

int grange_hold(struct grange *g, const char *name, bool now, int64_t timeout_ms, uint64_t *touched)
{
    struct message m = { .kind = MSG_HOLD };

    session_enter(g);
    if (bad_name(name))
        return session_wrong(g, ERR_USAGE, bad_name(name));
    m.hold.request = session_number(g);
    m.hold.study = name;
    m.hold.now = now;
    return ask_touched(g, &m, m.hold.request, timeout_ms, touched);
}

static const char *bad_points(const char *name, const uint64_t *index, size_t n)
{
    if (n > POINTS_MAX)
        return "a study has at most 67108864 points";
    for (size_t i = 0; i < n; i++) {
        if (index[i] >= POINTS_MAX)
            return "the index of a point is below 67108864";
    }
    return bad_name(name);
}

int client_points(struct grange *g, bool retry, const char *name, uint32_t array,
                  const uint64_t *index, size_t n, int64_t timeout_ms, uint64_t *touched)
{
    struct message m = { .kind = retry ? MSG_RETRY : MSG_CANCEL };

    session_enter(g);
    if (bad_points(name, index, n))
        return session_wrong(g, ERR_USAGE, bad_points(name, index, n));
    uint64_t number = session_number(g);
    if (retry) {
        m.retry.request = number;
        m.retry.study = name;
        m.retry.array.n = array;
        m.retry.failed = n == 0;
        m.retry.index = index;
        m.retry.n = n;
    } else {
        m.cancel.request = number;
        m.cancel.study = name;
        m.cancel.array.n = array;
        m.cancel.all = n == 0;
        m.cancel.index = index;
        m.cancel.n = n;
    }
    return ask_touched(g, &m, number, timeout_ms, touched);
}

int grange_cancel(struct grange *g, const char *name, const uint64_t *index, size_t n,
                  int64_t timeout_ms, uint64_t *touched)
{
    return client_points(g, false, name, 0, index, n, timeout_ms, touched);
}

int grange_retry(struct grange *g, const char *name, const uint64_t *index, size_t n,
                 int64_t timeout_ms, uint64_t *touched)
{
    return client_points(g, true, name, 0, index, n, timeout_ms, touched);
}

int grange_shutdown(struct grange *g, int64_t timeout_ms)
{
    struct wait w = wait_for(timeout_ms);
    bool asked = false;

    session_enter(g);
    g->bye = false;
    for (;;) {
        if (g->bye || (asked && !g->welcomed)) {
            g->lost = false; /* as it was asked to */
            return session_leave(g, GRANGE_OK);
        }
        if (g->refused)
            return session_wrong(g, g->refusal.code, g->refusal.text);
        if (g->welcomed && !asked) {
            session_send(g, &(struct message){ .kind = MSG_SHUTDOWN });
            asked = true;
        }
        if (wait_over(&w))
            return session_wrong(g, g->welcomed ? ERR_TIMEOUT : ERR_LOST,
                                 g->welcomed ? "the scheduler did not end in time"
                                             : "the scheduler is not there");
        pump_turn(g, w.until);
    }
}

bool grange_is_down(struct grange *g)
{
    session_enter(g);
    bool down = g->down;
    session_leave(g, GRANGE_OK);
    return down;
}

/* ---- progress */

int grange_follow(struct grange *g, const char *name, int64_t timeout_ms)
{
    struct message m = { .kind = MSG_FOLLOW };

    session_enter(g);
    if (bad_name(name))
        return session_wrong(g, ERR_USAGE, bad_name(name));
    bool known = session_find_follow(g, name) != NULL;
    struct follow *f = session_add_follow(g, name);
    if (!f)
        return session_wrong(g, ERR_LIMIT, "a connection follows at most 64 studies");
    f->request = m.follow.request = session_number(g);
    m.follow.study = f->progress.name;
    struct request r = { .number = f->request };
    int code = session_ask(g, &m, &r, wait_for(timeout_ms));
    if (code != GRANGE_OK && !known)
        session_drop_follow(g, name);
    return code;
}

/* pick - news that is here; follows take turns, so that none is starved by another. */
static bool pick(struct grange *g, struct grange_progress *p, int *code)
{
    for (size_t i = 0; i < g->n_follows; i++) {
        struct follow *f = g->follows[i];
        if (!f->news && !f->refused)
            continue;
        *code = GRANGE_OK;
        if (f->refused) {
            *session_fault() = f->fault;
            *code = (int)f->fault.code;
            session_drop_follow(g, f->progress.name);
            return true;
        }
        *p = f->progress;
        p->reconnected = f->reconnected;
        f->news = f->reconnected = false;
        memmove(&g->follows[i], &g->follows[i + 1], (g->n_follows - 1 - i) * sizeof *g->follows);
        g->follows[g->n_follows - 1] = f;
        return true;
    }
    return false;
}

int grange_next(struct grange *g, int64_t timeout_ms, struct grange_progress *p)
{
    struct wait w = wait_for(timeout_ms);
    int code = GRANGE_OK;

    session_enter(g);
    pump_turn(g, w.entered); /* at least what is here */
    for (;;) {
        if (pick(g, p, &code))
            return session_leave(g, code);
        if (g->refused)
            return session_wrong(g, g->refusal.code, g->refusal.text);
        if (g->lost) {
            g->lost = false;
            return session_leave(g, (int)wait_lost(g));
        }
        if (wait_over(&w))
            return session_wrong(g, ERR_TIMEOUT, "no news in that time");
        pump_turn(g, w.until);
    }
}

#include "client/grange.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
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
    return g->fault.text;
}

const char *grange_owner(const struct grange *g)
{
    return g->owner;
}

int grange_fd(const struct grange *g)
{
    return g->epoll_fd;
}

/* ---- deadlines */

struct wait {
    ms_t entered, until;
};

static struct wait wait_for(int64_t timeout_ms)
{
    ms_t now = clock_mono_ms();
    ms_t most = MS_NEVER - now;

    timeout_ms = timeout_ms > 0 ? timeout_ms : 0;
    return (struct wait){ now, now + (timeout_ms < most ? timeout_ms : most) };
}

static bool over(const struct wait *w)
{
    return clock_mono_ms() >= w->until;
}

static int leave_with(struct grange *g, int code)
{
    session_mark_news(g);
    return code;
}

/* ---- connections */

int grange_connect(const char *url, int64_t timeout_ms, struct grange **g, char *why,
                   size_t why_bytes)
{
    struct wait w = wait_for(timeout_ms);
    struct fault f = { .code = ERR_NONE };
    struct grange *s = NULL;

    *g = NULL;
    enum err err = session_open(url, &s, &f);
    while (!err && !s->welcomed && !s->refused && !over(&w))
        session_turn(s, w.until);
    if (!err && s->refused)
        f = s->refusal, err = f.code;
    else if (!err && !s->welcomed)
        err = fault_set(&f, ERR_TIMEOUT, "no scheduler answered at %s within %lld ms", url,
                        (long long)timeout_ms);
    if (err) {
        if (s)
            session_close(s);
        snprintf(why, why_bytes, "%s", f.text);
        return (int)err;
    }
    *g = s;
    return leave_with(s, GRANGE_OK);
}

void grange_close(struct grange *g)
{
    if (g)
        session_close(g);
}

/* ---- requests */

static int wrong(struct grange *g, enum err code, const char *text)
{
    return leave_with(g, (int)fault_set(&g->fault, code, "%s", text));
}

/* patience - until when a request waits for a connection that was lost: it may come back at once.
 */
static ms_t patience(const struct grange *g, const struct wait *w)
{
    ms_t lost_ms = g->lost_ms > w->entered ? g->lost_ms : w->entered;
    ms_t until = lost_ms + PATIENCE_MS;

    return g->welcomed || until > w->until ? w->until : until;
}

/* ended - whether there is no use in waiting longer for the request; the reason in *err. */
static bool ended(struct grange *g, const struct wait *w, enum err *err)
{
    struct request *r = &g->request;
    ms_t now = clock_mono_ms();

    if (r->answered) {
        *err = r->code;
    } else if (g->refused) {
        g->fault = g->refusal;
        *err = g->fault.code;
    } else if (now < patience(g, w)) {
        return false;
    } else if (!g->welcomed) {
        *err = fault_set(&g->fault, ERR_LOST, "the scheduler is not there");
    } else {
        *err = fault_set(&g->fault, ERR_TIMEOUT, "the scheduler did not answer within %lld ms",
                         (long long)(w->until - w->entered));
    }
    return true;
}

static uint64_t next_number(struct grange *g)
{
    return ++g->number;
}

/* ask - sends m, whose request number is `number`, and waits for the answer. */
static int ask(struct grange *g, const struct message *m, uint64_t number, struct wait w)
{
    struct request *r = &g->request;
    enum err err = ERR_NONE;

    r->number = number;
    r->answered = false;
    r->code = ERR_NONE;
    r->touched = 0;
    buf_clear(&r->bytes);
    wire_encode(m, &r->bytes);
    if (g->welcomed) {
        link_send(g->link, g->peer, r->bytes.data, r->bytes.n);
        link_flush(g->link);
    }
    while (!ended(g, &w, &err))
        session_turn(g, patience(g, &w));
    r->number = 0;
    buf_fini(&r->bytes);
    return leave_with(g, (int)err);
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
    m->kind = MSG_SUBMIT;
    m->submit.request = next_number(g);
    m->submit.retry_failed = (flags & GRANGE_RETRY_FAILED) != 0;
    m->submit.fresh = (flags & GRANGE_FRESH) != 0;
    int code = ask(g, m, m->submit.request, wait_for(timeout_ms));
    if (code == GRANGE_OK)
        *reply = g->request.submitted;
    return code;
}

int grange_submit(struct grange *g, const char *json, size_t bytes, unsigned flags,
                  int64_t timeout_ms, struct grange_submitted *reply)
{
    struct message m = { .kind = MSG_SUBMIT };

    if (bytes == 0 || memchr(json, 0, bytes))
        return wrong(g, ERR_USAGE, "a study is JSON text; this is empty or has a zero byte");
    if (bytes > SPEC_BYTES_MAX)
        return wrong(g, ERR_LIMIT, "the study is larger than 64 MiB");
    m.submit.spec = json;
    m.submit.spec_bytes = bytes;
    return submit(g, &m, flags, timeout_ms, reply);
}

int grange_resume(struct grange *g, const char *name, unsigned flags, int64_t timeout_ms,
                  struct grange_submitted *reply)
{
    struct message m = { .kind = MSG_SUBMIT };

    if (bad_name(name))
        return wrong(g, ERR_USAGE, bad_name(name));
    m.submit.study = name;
    m.submit.resume = true;
    return submit(g, &m, flags, timeout_ms, reply);
}

static int ask_touched(struct grange *g, const struct message *m, uint64_t number,
                       int64_t timeout_ms, uint64_t *touched)
{
    int code = ask(g, m, number, wait_for(timeout_ms));

    if (code == GRANGE_OK && touched)
        *touched = g->request.touched;
    return code;
}

int grange_hold(struct grange *g, const char *name, bool now, int64_t timeout_ms, uint64_t *touched)
{
    struct message m = { .kind = MSG_HOLD };

    if (bad_name(name))
        return wrong(g, ERR_USAGE, bad_name(name));
    m.hold.request = next_number(g);
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

int grange_cancel(struct grange *g, const char *name, const uint64_t *index, size_t n,
                  int64_t timeout_ms, uint64_t *touched)
{
    struct message m = { .kind = MSG_CANCEL };

    if (bad_points(name, index, n))
        return wrong(g, ERR_USAGE, bad_points(name, index, n));
    m.cancel.request = next_number(g);
    m.cancel.study = name;
    m.cancel.all = n == 0;
    m.cancel.index = index;
    m.cancel.n = n;
    return ask_touched(g, &m, m.cancel.request, timeout_ms, touched);
}

int grange_retry(struct grange *g, const char *name, const uint64_t *index, size_t n,
                 int64_t timeout_ms, uint64_t *touched)
{
    struct message m = { .kind = MSG_RETRY };

    if (bad_points(name, index, n))
        return wrong(g, ERR_USAGE, bad_points(name, index, n));
    m.retry.request = next_number(g);
    m.retry.study = name;
    m.retry.failed = n == 0;
    m.retry.index = index;
    m.retry.n = n;
    return ask_touched(g, &m, m.retry.request, timeout_ms, touched);
}

int grange_shutdown(struct grange *g, int64_t timeout_ms)
{
    struct wait w = wait_for(timeout_ms);
    bool asked = false;

    g->bye = false;
    for (;;) {
        if (g->bye || (asked && !g->welcomed)) {
            g->lost = false; /* as it was asked to */
            return leave_with(g, GRANGE_OK);
        }
        if (g->refused)
            return wrong(g, g->refusal.code, g->refusal.text);
        if (g->welcomed && !asked) {
            session_send(g, &(struct message){ .kind = MSG_SHUTDOWN });
            asked = true;
        }
        if (over(&w))
            return wrong(g, g->welcomed ? ERR_TIMEOUT : ERR_LOST,
                         g->welcomed ? "the scheduler did not end in time"
                                     : "the scheduler is not there");
        session_turn(g, w.until);
    }
}

/* ---- progress */

int grange_follow(struct grange *g, const char *name, int64_t timeout_ms)
{
    struct message m = { .kind = MSG_FOLLOW };

    if (bad_name(name))
        return wrong(g, ERR_USAGE, bad_name(name));
    bool known = session_find_follow(g, name) != NULL;
    struct follow *f = session_add_follow(g, name);
    if (!f)
        return wrong(g, ERR_LIMIT, "a connection follows at most 64 studies");
    f->request = m.follow.request = next_number(g);
    m.follow.study = f->progress.name;
    int code = ask(g, &m, m.follow.request, wait_for(timeout_ms));
    if (code != GRANGE_OK && !known)
        session_drop_follow(g, name);
    session_mark_news(g);
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
            g->fault = f->fault;
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

    session_turn(g, w.entered); /* at least what is here */
    for (;;) {
        if (pick(g, p, &code))
            return leave_with(g, code);
        if (g->refused)
            return wrong(g, g->refusal.code, g->refusal.text);
        if (g->lost) {
            g->lost = false;
            return wrong(g, ERR_LOST, "the scheduler is not there");
        }
        if (over(&w))
            return wrong(g, ERR_TIMEOUT, "no news in that time");
        session_turn(g, w.until);
    }
}

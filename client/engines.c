/* engines - what grange.h says of engines: a list of them, and operations on those listed. */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/reason.h"
#include "client/direct.h"
#include "client/session.h"

/* ---- the list */

static size_t text_bytes(const struct engine_info *e, const struct farm_worker *w)
{
    return strlen(e->reason) + strlen(e->functions) + strlen(w->name) + strlen(w->host) + 4;
}

static const char *copy_text(char **at, const char *text)
{
    char *copy = *at;
    size_t n = strlen(text) + 1;

    memcpy(copy, text, n);
    *at += n;
    return copy;
}

void directs_on_farm(struct grange *g, const struct message *m)
{
    static const struct farm_worker nobody = { .name = "", .host = "" };
    struct directs *ds = &g->directs;
    size_t n = m->farm.n_engines, bytes = n * sizeof(struct grange_engine) + 1;

    if (!ds->list_request || m->farm.request != ds->list_request)
        return;
    ds->list_request = 0;
    for (size_t i = 0; i < n; i++) {
        const struct engine_info *e = &m->farm.engines[i];
        bytes +=
            text_bytes(e, e->worker < m->farm.n_workers ? &m->farm.workers[e->worker] : &nobody);
    }
    free(ds->list);
    ds->list = malloc(bytes);
    must(ds->list != NULL);
    ds->n_list = n;
    char *at = (char *)(ds->list + n);
    for (size_t i = 0; i < n; i++) {
        const struct engine_info *e = &m->farm.engines[i];
        const struct farm_worker *w =
            e->worker < m->farm.n_workers ? &m->farm.workers[e->worker] : &nobody;
        ds->list[i] = (struct grange_engine){
            .id = e->engine,
            .state = (enum grange_engine_state)e->state,
            .slot = e->slot,
            .pid = e->pid,
            .restarts = e->restarts,
            .worker = copy_text(&at, w->name),
            .host = copy_text(&at, w->host),
            .reason = copy_text(&at, e->reason),
            .functions = copy_text(&at, e->functions),
        };
    }
}

enum { ASK_AGAIN_MIN_MS = 5, ASK_AGAIN_MAX_MS = 200 };

/* ask - once, for a list into ds->list; one thread at a time asks. */
static enum err ask(struct grange *g, const struct wait *w)
{
    struct message m = { .kind = MSG_WATCH };
    struct directs *ds = &g->directs;
    enum err err = ERR_NONE;
    uint64_t sent = 0; /* over which connection it was asked */

    while (ds->list_request && !wait_end(g, w, "the scheduler did not answer", &err))
        pump_turn(g, wait_patience(g, w));
    if (err)
        return err;
    uint64_t request = m.watch.request = ds->list_request = session_number(g);
    while (ds->list_request == request && !wait_end(g, w, "the scheduler did not answer", &err)) {
        if (g->welcomed && sent != g->peer.n) {
            sent = g->peer.n;
            session_send(g, &m);
        }
        pump_turn(g, wait_patience(g, w));
    }
    if (ds->list_request == request)
        ds->list_request = 0;
    else
        err = ERR_NONE;
    return err;
}

static size_t n_ready(const struct directs *ds)
{
    size_t n = 0;

    for (size_t i = 0; i < ds->n_list; i++)
        n += ds->list[i].state == GRANGE_ENGINE_IDLE || ds->list[i].state == GRANGE_ENGINE_BUSY;
    return n;
}

/* nap - until `until`, while what arrives is taken. False: the deadline comes first. */
static bool nap(struct grange *g, const struct wait *w, ms_t until)
{
    while (clock_mono_ms() < until) {
        if (wait_over(w) || pump_in_callback(g))
            return false;
        pump_turn(g, until < w->until ? until : w->until);
    }
    return true;
}

int grange_engines(struct grange *g, size_t at_least, int64_t timeout_ms,
                   struct grange_engine **engines, size_t *n)
{
    struct wait w = wait_for(timeout_ms);
    struct directs *ds = &g->directs;
    ms_t pause = ASK_AGAIN_MIN_MS;

    *engines = NULL;
    *n = 0;
    session_enter(g);
    enum err err = ask(g, &w);
    while (!err && n_ready(ds) < at_least) {
        size_t there = n_ready(ds);
        if (!nap(g, &w, clock_mono_ms() + pause)) {
            err = fault_set(session_fault(), ERR_TIMEOUT, "%zu of %zu engines are ready", there,
                            at_least);
            break;
        }
        pause = pause < ASK_AGAIN_MAX_MS ? 2 * pause : pause;
        err = ask(g, &w);
    }
    if (!err) {
        *engines = ds->list;
        *n = ds->n_list;
        ds->list = NULL;
        ds->n_list = 0;
    }
    return session_leave(g, (int)err);
}

/* ---- operations */

#define LIMIT_MS_MAX ((ms_t)365 * 24 * 3600 * 1000)

int directs_check(struct grange *g, const char *name, uint64_t bytes, const char *what)
{
    if (!name || !*name || strlen(name) > NAME_BYTES_MAX) {
        fault_set(session_fault(), ERR_USAGE, "the name of a %s has 1 to %d bytes", what,
                  NAME_BYTES_MAX);
        return session_leave(g, ERR_USAGE);
    }
    if (bytes > BLOB_BYTES_MAX) {
        fault_set(session_fault(), ERR_LIMIT,
                  "%llu bytes for one engine are more than the limit, 1 GiB",
                  (unsigned long long)bytes);
        return session_leave(g, ERR_LIMIT);
    }
    return 0;
}

static int begin(struct grange *g, enum direct_op op, const uint64_t *engines, size_t n,
                 const char *name, const void *data, size_t bytes, ms_t limit_ms,
                 struct grange_direct **d)
{
    *d = NULL;
    session_enter(g);
    int code = directs_check(g, name, bytes, op == DIRECT_CALL ? "function" : "value");
    if (code)
        return code;
    *d = directs_make(g, op, engines, n, name);
    for (size_t i = 0; i < n; i++)
        directs_payload(*d, i, data, bytes);
    (*d)->limit_ms = limit_ms;
    directs_begin(*d);
    pump_start(g);
    return session_leave(g, 0);
}

int grange_direct_call(struct grange *g, const uint64_t *engines, size_t n, const char *function,
                       const void *data, size_t bytes, struct grange_direct **d)
{
    return begin(g, DIRECT_CALL, engines, n, function, data, bytes, 0, d);
}

int grange_direct_call_within(struct grange *g, const uint64_t *engines, size_t n,
                              const char *function, const void *data, size_t bytes,
                              int64_t limit_ms, struct grange_direct **d)
{
    *d = NULL;
    session_enter(g);
    if (limit_ms < 1 || limit_ms > LIMIT_MS_MAX) {
        fault_set(session_fault(), ERR_USAGE, "a limit of %lld ms; 1 to %lld are possible",
                  (long long)limit_ms, (long long)LIMIT_MS_MAX);
        return session_leave(g, ERR_USAGE);
    }
    session_leave(g, 0);
    return begin(g, DIRECT_CALL, engines, n, function, data, bytes, limit_ms, d);
}

int grange_direct_put(struct grange *g, const uint64_t *engines, size_t n, const char *name,
                      const void *data, size_t bytes, struct grange_direct **d)
{
    return begin(g, DIRECT_PUT, engines, n, name, data, bytes, 0, d);
}

int grange_direct_get(struct grange *g, const uint64_t *engines, size_t n, const char *name,
                      struct grange_direct **d)
{
    return begin(g, DIRECT_GET, engines, n, name, NULL, 0, 0, d);
}

int grange_direct_drop(struct grange *g, const uint64_t *engines, size_t n, const char *name,
                       struct grange_direct **d)
{
    return begin(g, DIRECT_DROP, engines, n, name, NULL, 0, 0, d);
}

int grange_direct_scatter(struct grange *g, const uint64_t *engines, size_t n, const char *name,
                          const void *items, uint64_t n_items, size_t item_bytes,
                          struct grange_direct **d)
{
    uint64_t each = n ? n_items / n : 0, more = n ? n_items % n : 0;
    const char *at = items;

    *d = NULL;
    session_enter(g);
    uint64_t largest = item_bytes && each + 1 > BLOB_BYTES_MAX / item_bytes + 1
                           ? UINT64_MAX
                           : (each + (more > 0)) * item_bytes;
    int code = directs_check(g, name, largest, "value");
    if (code)
        return code;
    *d = directs_make(g, DIRECT_PUT, engines, n, name);
    for (size_t i = 0; i < n; i++) {
        size_t bytes = (size_t)(each + (i < more)) * item_bytes;
        directs_payload(*d, i, at, bytes);
        at += bytes;
    }
    directs_begin(*d);
    pump_start(g);
    return session_leave(g, 0);
}

void grange_direct_free(struct grange_direct *d)
{
    if (!d)
        return;
    struct grange *g = d->g;
    session_enter(g);
    directs_drop(d);
    session_leave(g, 0);
}

/* ---- waiting and answers */

static int code_of(const struct op *op)
{
    switch (op->reason) {
    case END_EXIT:
        return op->code ? GRANGE_ERR_STATE : GRANGE_OK;
    case END_NOT_STARTED:
        return op->code > 0 && op->code <= ERR_STATE ? op->code : GRANGE_ERR_IO;
    case END_TIMEOUT:
    case END_REVOKED:
    case END_CANCELLED:
        return GRANGE_ERR_TIMEOUT;
    default:
        return GRANGE_ERR_LOST;
    }
}

/* add_reason - as of an attempt at a task, but for what has other causes here. */
static void add_reason(const struct op *op, struct buf *out)
{
    if (op->reason == END_LOST)
        buf_adds(out, "lost with its engine or the way to it");
    else if (op->reason == END_NOT_STARTED)
        buf_addf(out, "not done: %s", grange_strerror(code_of(op)));
    else
        reason_words(op->reason, op->code, out);
}

/* words_of - what happened to op, for a person: "engine 3: killed by SIGSEGV: ...". */
static void words_of(const struct op *op, struct fault *f)
{
    struct buf words = { 0 };

    add_reason(op, &words);
    if (op->reason == END_EXIT || op->reason == END_NOT_STARTED || op->reason == END_LOST)
        fault_set(f, (enum err)code_of(op), "engine %llu: %s", (unsigned long long)op->engine,
                  *op->text ? op->text : words.data);
    else
        fault_set(f, (enum err)code_of(op), "engine %llu: %s%s%s", (unsigned long long)op->engine,
                  words.data, *op->text ? ": " : "", op->text);
    buf_fini(&words);
}

int directs_failure(const struct grange_direct *d)
{
    for (size_t i = 0; i < d->n; i++) {
        int code = code_of(&d->ops[i]);
        if (code) {
            words_of(&d->ops[i], session_fault());
            return code;
        }
    }
    return GRANGE_OK;
}

static const char still[] = "the engines did not answer";

bool grange_direct_ready(struct grange_direct *d)
{
    struct grange *g = d->g;

    session_enter(g);
    if (d->n_ended < d->n)
        pump_turn(g, 0);
    bool ready = d->n_ended == d->n;
    directs_seen(d, d->n_ended);
    session_leave(g, 0);
    return ready;
}

int grange_direct_wait(struct grange_direct *d, int64_t timeout_ms)
{
    struct wait w = wait_for(timeout_ms);
    struct grange *g = d->g;
    enum err err = ERR_NONE;

    session_enter(g);
    while (d->n_ended < d->n && !wait_end(g, &w, still, &err))
        pump_turn(g, w.until);
    directs_seen(d, d->n_ended);
    return session_leave(g, d->n_ended < d->n ? (int)err : directs_failure(d));
}

int grange_direct_next(struct grange_direct *d, int64_t timeout_ms, size_t *i)
{
    struct wait w = wait_for(timeout_ms);
    struct grange *g = d->g;
    enum err err = ERR_NONE;

    session_enter(g);
    if (d->n_given == d->n)
        return session_wrong(g, ERR_NOT_FOUND, "all were given out");
    while (d->n_ended == d->n_given && !wait_end(g, &w, still, &err))
        pump_turn(g, w.until);
    if (d->n_ended == d->n_given)
        return session_leave(g, (int)err);
    *i = d->order[d->n_given++];
    directs_seen(d, d->n_given);
    return session_leave(g, 0);
}

int grange_direct_on_end(struct grange_direct *d, grange_direct_callback *fn, void *context)
{
    struct grange *g = d->g;

    session_enter(g);
    d->fn = fn;
    d->context = context;
    directs_tell(d);
    pump_callbacks(g); /* it may free d */
    return session_leave(g, 0);
}

int grange_direct_answer(struct grange_direct *d, size_t i, struct grange_answer *a)
{
    struct grange *g = d->g;

    session_enter(g);
    if (i >= d->n || !d->ops[i].ended)
        return session_wrong(g, ERR_STATE, "this engine has not answered yet");
    struct op *op = &d->ops[i];
    if (!op->words) {
        struct buf words = { 0 };
        add_reason(op, &words);
        op->words = words.data;
    }
    *a = (struct grange_answer){
        .engine = op->engine,
        .code = code_of(op),
        .data = op->result ? op->result : "",
        .bytes = op->result_bytes,
        .exit_code = op->reason == END_EXIT ? op->code : 0,
        .signal = op->reason == END_SIGNAL ? op->code : 0,
        .reason = op->words,
        .error = op->text,
        .wall_us = op->wall_us,
    };
    return session_leave(g, 0);
}

int grange_direct_gather(struct grange_direct *d, void *to, size_t *bytes)
{
    struct grange *g = d->g;
    size_t need = 0;

    session_enter(g);
    if (d->n_ended < d->n)
        return session_wrong(g, ERR_STATE, "not all engines have answered yet");
    int code = directs_failure(d);
    if (code)
        return session_leave(g, code);
    for (size_t i = 0; i < d->n; i++)
        need += d->ops[i].result_bytes;
    if (to && *bytes < need) {
        fault_set(session_fault(), ERR_LIMIT, "the answers have %zu bytes, there is room for %zu",
                  need, *bytes);
        return session_leave(g, ERR_LIMIT);
    }
    *bytes = need;
    for (size_t i = 0; to && i < d->n; i++) {
        if (d->ops[i].result_bytes)
            memcpy(to, d->ops[i].result, d->ops[i].result_bytes);
        to = (char *)to + d->ops[i].result_bytes;
    }
    return session_leave(g, 0);
}

int grange_scatter(struct grange *g, const uint64_t *engines, size_t n, const char *name,
                   const void *items, uint64_t n_items, size_t item_bytes, int64_t timeout_ms)
{
    struct grange_direct *d;
    int code = grange_direct_scatter(g, engines, n, name, items, n_items, item_bytes, &d);

    if (!code)
        code = grange_direct_wait(d, timeout_ms);
    grange_direct_free(d);
    return code;
}

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/must.h"
#include "base/reason.h"
#include "base/zip.h"
#include "client/session.h"

enum { NO_WORKER = UINT32_MAX };

/* ---- making ends */

static char *copy(const void *data, size_t n)
{
    char *to = malloc(n + 1);

    must(to != NULL);
    if (n)
        memcpy(to, data, n);
    to[n] = '\0';
    return to;
}

/* stream - what was printed, as it was. */
static char *stream(const void *data, size_t n, bool packed, size_t *bytes)
{
    struct buf b = { 0 };

    if (!packed || !zip_unpack(data, n, OUTPUT_STORE_MAX, &b)) {
        *bytes = packed ? 0 : n;
        return copy(data, *bytes);
    }
    *bytes = b.n;
    buf_reserve(&b, 1);
    b.data[b.n] = '\0';
    return b.data;
}

static struct end_extra *extra_new(const char *error)
{
    struct end_extra *x = calloc(1, sizeof *x);

    must(x != NULL);
    x->error = copy(error, strlen(error));
    return x;
}

static struct end_extra *extra_of(const struct call_extra *from)
{
    struct end_extra *x = extra_new(from->error);

    x->out = stream(from->out, from->out_bytes, from->out_packed, &x->out_bytes);
    x->err = stream(from->err, from->err_bytes, from->err_packed, &x->err_bytes);
    x->out_total = from->out_total;
    x->err_total = from->err_total;
    return x;
}

static uint8_t outcome_of(enum task_state state)
{
    switch (state) {
    case TASK_DONE:
        return GRANGE_DONE;
    case TASK_CANCELLED:
        return GRANGE_CANCELLED;
    case TASK_SKIPPED:
    case TASK_UNMET:
        return GRANGE_SKIPPED;
    case TASK_QUARANTINED:
        return GRANGE_QUARANTINED;
    default:
        return GRANGE_FAILED;
    }
}

static struct end *end_new(const struct call_end *from)
{
    struct end *e = malloc(sizeof *e + from->result_bytes + 1);

    must(e != NULL);
    *e = (struct end){ .submitted_ms = from->submitted_ms,
                       .started_ms = from->started_ms,
                       .ended_ms = from->ended_ms,
                       .wall_us = from->wall_us,
                       .user_us = from->user_us,
                       .sys_us = from->sys_us,
                       .maxrss_kib = (uint32_t)from->maxrss_kib,
                       .result_bytes = from->result_bytes,
                       .attempts = from->attempts,
                       .worker = NO_WORKER,
                       .code = from->code,
                       .outcome = outcome_of(from->state),
                       .reason = (uint8_t)from->reason };
    if (from->result_bytes)
        memcpy(e->data, from->result, from->result_bytes);
    e->data[from->result_bytes] = '\0';
    e->extra = from->extra ? extra_of(from->extra) : NULL;
    return e;
}

struct end *end_refused(const struct fault *f)
{
    struct end *e = end_new(&(struct call_end){ .reason = END_NOT_STARTED, .code = (int)f->code });

    e->outcome = GRANGE_REFUSED;
    e->extra = extra_new(f->text);
    e->extra->out = copy("", 0);
    e->extra->err = copy("", 0);
    return e;
}

static void extra_free(struct end_extra *x)
{
    if (!x)
        return;
    free(x->blob);
    free(x->error);
    free(x->out);
    free(x->err);
    free(x->reason);
    free(x);
}

void end_free(struct end *e)
{
    if (e)
        extra_free(e->extra);
    free(e);
}

void end_lost_blob(struct end *e, const char *text)
{
    free(e->extra->blob);
    free(e->extra->error);
    e->extra->blob = NULL;
    e->extra->blob_bytes = 0;
    e->extra->error = copy(text, strlen(text));
}

/* ---- workers, kept once */

static uint32_t worker_number(struct calls *c, const struct worker_name *w)
{
    size_t n_name = strlen(w->name) + 1, n_host = strlen(w->host) + 1;
    char both[2 * (NAME_BYTES_MAX + 1)];
    struct end_worker *at = NULL;

    must(n_name + n_host <= sizeof both); /* wire_decode saw to that */
    memcpy(both, w->name, n_name);
    memcpy(both + n_name, w->host, n_host);
    HASH_FIND(hh, c->by_worker, both, n_name + n_host, at);
    if (at)
        return at->number;
    if (c->n_workers == c->cap_workers) {
        c->cap_workers = c->cap_workers ? 2 * c->cap_workers : 16;
        c->workers = realloc(c->workers, c->cap_workers * sizeof(struct end_worker *));
        must(c->workers != NULL);
    }
    at = malloc(sizeof *at + n_name + n_host);
    must(at != NULL);
    memcpy(at->name, both, n_name + n_host);
    at->host = at->name + n_name;
    at->number = c->n_workers;
    c->workers[c->n_workers++] = at;
    HASH_ADD_KEYPTR(hh, c->by_worker, at->name, n_name + n_host, at);
    return at->number;
}

/* ---- arriving */

/* tell - those who wanted to know, each once. */
static void tell(struct grange *g, struct slot *slot, struct grange_future f)
{
    struct calls *c = &g->calls;

    for (uint32_t at = slot->watch, next; at; at = next) {
        struct watch *w = &c->watches[at];
        next = w->next;
        if (w->set) {
            set_on_end(w->set, f, slot->end);
        } else if (w->fn) {
            calls_add_callback(
                c, &(struct callback){ .future = f, .fn = w->fn, .context = w->context });
        }
        *w = (struct watch){ .next = c->free_watch };
        c->free_watch = at;
    }
    slot->watch = 0;
}

bool ends_set(struct grange *g, struct series *s, uint64_t index, struct end *e)
{
    struct slot *slot = &s->slots[index];

    if (slot->end || slot->forgotten) {
        end_free(e);
        return false;
    }
    slot->end = e;
    s->n_ended++;
    g->calls.n_ended++;
    progress_drop(g, series_future(s, index));
    tell(g, slot, series_future(s, index));
    return true;
}

/* add_because - which future did not end as the skipped one needed it, in words. */
static void add_because(struct grange *g, struct end *e, task_id because)
{
    struct series *s = series_find_task(g, because);
    struct buf b = { 0 };

    if (!s || *e->extra->error)
        return;
    uint64_t index = because.n - s->first.n;
    e->extra->because = series_future(s, index);
    if (s->points)
        buf_addf(&b, "point %" PRIu64 " of %s", index, s->home ? s->home : "the study");
    else
        buf_addf(&b, "%s:%" PRIu64, s->key, index);
    const struct end *of = index < s->n_slots ? s->slots[index].end : NULL;
    if (of)
        buf_addf(&b, " %s%s", of->outcome > GRANGE_FAILED ? "was " : "",
                 of->outcome == GRANGE_DONE
                     ? "succeeded"
                     : grange_outcome_name((enum grange_outcome)of->outcome));
    else
        buf_adds(&b, " did not end as it had to");
    free(e->extra->error);
    e->extra->error = b.data;
}

/* is_awaited - of a series that is picked the scheduler may tell more than was asked for. */
static bool is_awaited(const struct series *s, uint64_t index)
{
    return !s->picked || (index < s->n_slots && slot_wanted(&s->slots[index]));
}

void ends_on_message(struct grange *g, const struct message *m)
{
    struct series *s = series_find_array(g, m->ends.array);
    const struct worker_name *worker = NULL;
    uint32_t number = NO_WORKER;

    if (!s)
        return;
    for (size_t i = 0; i < m->ends.n; i++) {
        const struct call_end *from = &m->ends.ends[i];
        if (!is_awaited(s, from->index))
            continue;
        if (from->worker < m->ends.n_workers && worker != &m->ends.workers[from->worker]) {
            worker = &m->ends.workers[from->worker];
            number = worker_number(&g->calls, worker);
        }
        series_room(s, from->index + 1);
        struct end *e = end_new(from);
        e->worker = from->worker < m->ends.n_workers ? number : NO_WORKER;
        if (from->extra && from->extra->because.n)
            add_because(g, e, from->extra->because);
        if (from->extra && from->extra->blob_bytes)
            download_add(g, s, from->index, e, from->extra);
        else
            ends_set(g, s, from->index, e);
    }
    progress_on_message(g, s, m);
    if (!s->picked)
        s->cursor = m->ends.cursor;
}

/* ---- looking */

static uint32_t watch_new(struct calls *c)
{
    uint32_t at = c->free_watch;

    if (at) {
        c->free_watch = c->watches[at].next;
        return at;
    }
    if (c->n_watches == c->cap_watches) {
        c->cap_watches = c->cap_watches ? 2 * c->cap_watches : 64;
        c->watches = realloc(c->watches, c->cap_watches * sizeof *c->watches);
        must(c->watches != NULL);
        c->n_watches += c->n_watches == 0; /* 0 is none */
    }
    return c->n_watches++;
}

void ends_watch(struct grange *g, struct slot *slot, struct grange_future f, const struct watch *w)
{
    uint32_t at = watch_new(&g->calls);

    g->calls.watches[at] = *w;
    g->calls.watches[at].next = slot->watch;
    slot->watch = at;
    if (slot->end)
        tell(g, slot, f);
}

static const char *reason_of(struct end *e)
{
    struct buf b = { 0 };

    if (e->outcome == GRANGE_REFUSED)
        return "refused";
    if (e->outcome == GRANGE_SKIPPED && e->reason == END_CANCELLED)
        return "left out";
    if (e->reason == END_EXIT && e->code == 0)
        return "exit 0";
    if (!e->extra) {
        e->extra = extra_new("");
        e->extra->out = copy("", 0);
        e->extra->err = copy("", 0);
    }
    if (!e->extra->reason) {
        reason_words((enum end_reason)e->reason, e->code, &b);
        e->extra->reason = copy(buf_text(&b), b.n);
        buf_fini(&b);
    }
    return e->extra->reason;
}

void end_result(const struct grange *g, struct end *e, struct grange_result *r)
{
    const char *reason = reason_of(e);
    const struct end_extra *x = e->extra;
    const struct end_worker *w = e->worker == NO_WORKER ? NULL : g->calls.workers[e->worker];

    *r = (struct grange_result){ .outcome = (enum grange_outcome)e->outcome,
                                 .exit_code = e->reason == END_EXIT ? e->code : -1,
                                 .signal = e->reason == END_SIGNAL ? e->code : 0,
                                 .reason = reason,
                                 .error = x ? x->error : "",
                                 .because = x ? x->because : (struct grange_future){ 0 },
                                 .data = x && x->blob ? x->blob : e->data,
                                 .bytes = x && x->blob ? x->blob_bytes : e->result_bytes,
                                 .out = x ? x->out : "",
                                 .err = x ? x->err : "",
                                 .out_bytes = x ? x->out_bytes : 0,
                                 .err_bytes = x ? x->err_bytes : 0,
                                 .out_total = x ? x->out_total : 0,
                                 .err_total = x ? x->err_total : 0,
                                 .worker = w ? w->name : "",
                                 .host = w ? w->host : "",
                                 .attempts = e->attempts,
                                 .submitted_ms = e->submitted_ms,
                                 .started_ms = e->started_ms,
                                 .ended_ms = e->ended_ms,
                                 .wall_us = e->wall_us,
                                 .user_us = e->user_us,
                                 .system_us = e->sys_us,
                                 .max_rss_kib = e->maxrss_kib };
}

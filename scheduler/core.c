#include "scheduler/core.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/must.h"
#include "scheduler/state.h"

void core_config_default(struct core_config *cfg)
{
    *cfg = (struct core_config){
        .seed = 1,
        .epoch = 1,
        .next_worker = { 1 },
        .lost_after_ms = LOST_AFTER_MS,
        .adopt_ms = ADOPT_MS,
        .settle_ms = SETTLE_MS,
        .prefetch_ms = PREFETCH_MS,
    };
}

struct core *core_new(const struct core_config *cfg)
{
    struct core *c = calloc(1, sizeof *c);

    must(c != NULL && cfg->epoch > 0);
    c->cfg = *cfg;
    c->rng.state = cfg->seed;
    c->next_sequence = 1;
    c->next_worker = cfg->next_worker.n ? cfg->next_worker.n : 1;
    c->pool_due = MS_NEVER;
    heap_init(&c->delayed);
    return c;
}

/* Takes an array from the list of those that something happened to. */
static struct array *untouch(struct core *c)
{
    struct array *a = c->touched;

    c->touched = a->next_touched;
    a->touched = false;
    return a;
}

void core_free(struct core *c)
{
    struct lease *l, *next_lease;
    struct trouble *t, *next_trouble;
    struct live *st, *next_study;

    if (!c)
        return;
    HASH_ITER(hh, c->leases, l, next_lease)
    {
        HASH_DELETE(hh, c->leases, l);
        shape_drop(c, l->shape);
        free(l);
    }
    HASH_ITER(hh, c->troubles, t, next_trouble)
    {
        HASH_DELETE(hh, c->troubles, t);
        free(t);
    }
    HASH_CLEAR(hh, c->by_peer); /* its head is a worker */
    while (c->touched)
        untouch(c);
    while (c->n_arrays) { /* before the workers: one may be kept free for an array's shape */
        c->arrays[c->n_arrays - 1]->n_leases = 0;
        array_remove(c, c->arrays[c->n_arrays - 1]);
    }
    for (size_t i = 0; i < c->n_workers; i++)
        free(c->workers[i]->wanted), free(c->workers[i]);
    HASH_ITER(hh, c->studies, st, next_study)
    live_free(c, st);
    shape_free(c);
    graph_fini(c);
    heap_fini(&c->delayed);
    free(c->workers);
    free(c->arrays);
    free(c->followers);
    free(c);
}

static void on_gone(struct core *c, peer_id peer)
{
    struct worker *w = pool_by_peer(c, peer);

    followers_drop(c, peer);
    if (!w)
        return;
    pool_away(c, w);
    w->deadline_ms = c->now + c->cfg.adopt_ms;
    pool_due(c, w->deadline_ms);
}

static void on_trouble(struct core *c, const struct event *ev)
{
    struct trouble *t = trouble_get(c, ev->task);

    t->failures = ev->failures;
    t->losses = ev->losses;
    t->ran = true;
    if (ev->lease.n > t->last.n)
        trouble_counted(t, ev->lease);
}

static void on_restored(struct core *c)
{
    c->restored = true;
    graph_restored(c);
    for (size_t i = 0; i < c->n_arrays; i++)
        array_touch(c, c->arrays[i]); /* while it was filled nothing was said of it */
    c->settle_until = c->n_workers ? c->now + c->cfg.settle_ms : c->now;
    c->want_dispatch = true;
}

static void tell_limit(struct core *c, struct array *a, struct outbox *out)
{
    a->study->progress_dirty = true;
    for (size_t k = 0; k < c->n_workers; k++) {
        if (c->workers[k]->link != WORKER_UP || !c->workers[k]->leases)
            continue;
        struct send *s = out_send(out, SEND_LIMIT, c->workers[k]->peer);
        s->array = a->row.id;
        s->limit_ms = a->limit_ms;
    }
}

static void tell_limits(struct core *c, struct outbox *out)
{
    while (c->limits) {
        struct array *a = c->limits;
        c->limits = a->next_limit;
        a->limit_due = false;
        if (array_update_limit(a))
            tell_limit(c, a, out);
    }
}

static void on_timeout(struct core *c, struct outbox *out)
{
    pool_check_time(c, out);
    tell_limits(c, out);
    cancel_some(c, out);
    if (!dispatch_settling(c))
        graph_run(c, GRAPH_UNITS, out);
    if (c->graph.n_undo) /* what is taken back may not start meanwhile */
        dispatch_delayed(c);
    else
        dispatch(c, out);
    progress_tell(c, out);
}

/* What follows from any event for the arrays that it moved something in: a study that came to its
 * end, or goes on because what another one waited for is run again; a retired array whose last
 * lease is gone. */
static void settle_arrays(struct core *c, struct outbox *out)
{
    if (c->graph.n_jobs && !dispatch_settling(c))
        graph_run(c, GRAPH_EVENT_UNITS, out);
    while (c->touched) {
        struct array *a = untouch(c);
        struct live *st = a->study;
        graph_array_moved(c, a);
        if (a->retired && !a->n_leases)
            array_remove(c, a);
        else if (c->restored && st->mode == MODE_ACTIVE && st->told_active == live_ended(st))
            live_set_mode(c, st, MODE_ACTIVE, out);
    }
}

/* What a start reads back. */
static void on_start_up(struct core *c, const struct event *ev, struct outbox *out)
{
    if (ev->kind == EV_ARRAY)
        on_submit(c, ev, out);
    else if (ev->kind == EV_TROUBLE)
        on_trouble(c, ev);
    else if (ev->kind == EV_KNOWN_WORKER)
        on_known_worker(c, ev);
    else if (ev->kind == EV_RUNNING)
        on_running(c, ev, out);
    else
        on_restored(c);
}

void core_step(struct core *c, ms_t now, const struct event *ev, struct outbox *out)
{
    if (now > c->now)
        c->now = now;
    switch (ev->kind) {
    case EV_ARRAY:
    case EV_TROUBLE:
    case EV_KNOWN_WORKER:
    case EV_RUNNING:
    case EV_RESTORED:
        on_start_up(c, ev, out);
        break;
    case EV_SUBMIT:
        on_submit(c, ev, out);
        break;
    case EV_APPEND:
        on_append(c, ev, out);
        break;
    case EV_PLACES:
        on_places(c, ev);
        break;
    case EV_UNLOAD:
        on_unload(c, ev);
        break;
    case EV_HOLD:
        on_hold(c, ev, out);
        break;
    case EV_CANCEL:
        on_cancel(c, ev, out);
        break;
    case EV_RETRY:
        on_retry(c, ev, out);
        break;
    case EV_FOLLOW:
        on_follow(c, ev);
        break;
    case EV_RELEASE:
    case EV_PRIORITY:
    case EV_SHARE:
    case EV_DRAIN:
    case EV_LEAVING:
        on_steer(c, ev, out);
        break;
    case EV_HELLO:
        on_hello(c, ev, out);
        break;
    case EV_BEAT:
        on_beat(c, ev, out);
        break;
    case EV_RESULT:
        on_result(c, ev, out);
        break;
    case EV_RETURNED:
        on_returned(c, ev, out);
        break;
    case EV_BYE:
        on_bye(c, ev, out);
        break;
    case EV_GONE:
        on_gone(c, ev->from);
        break;
    case EV_TIMEOUT:
        on_timeout(c, out);
        break;
    }
    settle_arrays(c, out);
}

static ms_t sooner(ms_t a, ms_t b)
{
    return a < b ? a : b;
}

ms_t core_deadline(const struct core *c)
{
    struct heap_entry e;
    ms_t at = sooner(pool_deadline(c), progress_deadline(c));

    if (heap_peek(&c->delayed, &e))
        at = sooner(at, e.at);
    if (c->restored && (c->want_dispatch || c->graph.n_jobs))
        at = sooner(at, dispatch_settling(c) ? c->settle_until : c->now);
    if (c->n_cancelling)
        at = sooner(at, c->now);
    return at;
}

static struct core_counts counts_of(uint64_t n, const uint64_t count[N_TASK_STATES])
{
    return (struct core_counts){ .n = n,
                                 .ready = count[TASK_READY],
                                 .blocked = count[TASK_BLOCKED],
                                 .waiting = count[TASK_WAITING],
                                 .running = count[TASK_LEASED],
                                 .done = count[TASK_DONE],
                                 .failed = count[TASK_FAILED],
                                 .cancelled = count[TASK_CANCELLED],
                                 .skipped = count[TASK_SKIPPED] + count[TASK_UNMET],
                                 .unmet = count[TASK_UNMET],
                                 .quarantined = count[TASK_QUARANTINED] };
}

bool core_study(const struct core *c, study_id id, struct core_study *s)
{
    const struct live *st = live_find(c, id);
    const struct array *a = st ? live_current(st) : NULL;

    if (!a)
        return false;
    *s = (struct core_study){
        .study = id,
        .array = a->row.id,
        .first = a->row.first,
        .n_arrays = st->n_arrays,
        .mode = st->mode,
        .ended = live_ended(st),
        .limit_ms = a->row.policy.timeout_percent ? a->limit_ms : 0,
        .priority = a->row.policy.priority,
        .weight = a->row.policy.weight,
        .running_max = a->row.policy.running_max,
        .submitted_ms = a->row.submitted_ms,
        .counts = counts_of(st->n, st->count),
    };
    s->counts.reused = st->reused;
    s->counts.lost = st->lost;
    s->counts.warned = st->warned;
    DL_FOREACH(st->arrays, a)
    if (graph_gated(a)) {
        s->counts.blocked += a->count[TASK_READY];
        s->counts.ready -= a->count[TASK_READY];
    }
    return true;
}

bool core_array_loaded(const struct core *c, array_id id)
{
    return array_by_id(c, id) != NULL;
}

bool core_array(const struct core *c, array_id id, struct core_array *info)
{
    const struct array *a = array_by_id(c, id);

    if (!a)
        return false;
    *info = (struct core_array){ .id = id,
                                 .study = a->row.study,
                                 .kind = a->row.kind,
                                 .first = a->row.first,
                                 .n = a->row.n,
                                 .closed = a->row.closed,
                                 .ended = array_ended(a),
                                 .retired = a->retired,
                                 .counts = counts_of(a->row.n, a->count) };
    info->counts.reused = a->reused;
    info->counts.lost = a->lost;
    info->counts.warned = a->n_warned;
    info->gated = graph_gated(a);
    if (info->gated) {
        info->counts.blocked += info->counts.ready;
        info->counts.ready = 0;
    }
    return true;
}

/* since - how long it has run. It may have begun under a scheduler whose clock was ahead. */
static ms_t since(const struct lease *l, ms_t now)
{
    return now > l->started_ms ? now - l->started_ms : 0;
}

size_t core_slowest(const struct core *c, study_id id, ms_t now, struct core_running *running,
                    size_t most)
{
    const struct live *st = live_find(c, id);
    size_t n = 0;

    for (size_t k = 0; st && k < c->n_workers; k++) {
        struct lease *l;
        DL_FOREACH(c->workers[k]->leases, l)
        {
            if (l->array->study != st || l->array->retired || !l->started_ms || l->backup)
                continue;
            struct core_running r = { .array = l->array->row.id,
                                      .task = l->task,
                                      .elapsed_ms = since(l, now) };
            size_t at = n < most ? n++ : most;
            for (; at && running[at - 1].elapsed_ms < r.elapsed_ms; at--)
                if (at < most)
                    running[at] = running[at - 1];
            if (at < most)
                running[at] = r;
        }
    }
    return n;
}

void core_farm(const struct core *c, struct core_farm *f)
{
    *f = (struct core_farm){ .leases = HASH_COUNT(c->leases) };
    for (size_t i = 0; i < c->n_workers; i++) {
        const struct worker *w = c->workers[i];
        if (w->link != WORKER_UP) {
            f->n_away++;
            continue;
        }
        f->n_workers++;
        f->slots += w->row.slots;
        f->slots_busy += w->cores_used < w->row.slots ? w->cores_used : w->row.slots;
    }
}

size_t core_workers(const struct core *c, struct core_worker *list, size_t most)
{
    for (size_t i = 0; i < c->n_workers && i < most; i++) {
        const struct worker *w = c->workers[i];
        uint32_t slots = w->row.slots;
        list[i] = (struct core_worker){
            .row = &w->row,
            .peer = w->link == WORKER_UP ? w->peer : (peer_id){ 0 },
            .leaving = w->leaving,
            .quarantined = w->quarantined,
            .slots_busy = w->cores_used < slots ? w->cores_used : slots,
            .queued = w->n_leases > slots ? w->n_leases - slots : 0,
            .n_ended = w->n_ended,
        };
    }
    return c->n_workers;
}

uint64_t core_looks(const struct core *c)
{
    return c->n_looks;
}

uint64_t core_moves(const struct core *c, enum task_state from, enum task_state to)
{
    return c->moves[from][to];
}

uint64_t core_turns(const struct core *c)
{
    return c->n_turns;
}

task_id core_leased(const struct core *c, lease_id lease)
{
    const struct lease *l = lease_find(c, lease);

    return l ? l->task : (task_id){ 0 };
}

enum task_state core_task_state(const struct core *c, task_id task)
{
    const struct array *a = array_of_task(c, task);

    return a ? array_state(a, task) : N_TASK_STATES;
}

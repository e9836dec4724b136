#include "scheduler/graph.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "scheduler/state.h"

enum { JOB_ENDED, JOB_REOPENED, JOB_SETTLE, JOB_SWEEP };

/* --- memory --- */

static void *grown(void *items, size_t size, uint64_t from, uint64_t to)
{
    char *at = realloc(items, to * size);

    must(at != NULL);
    memset(at + from * size, 0, (to - from) * size);
    return at;
}

/* Everything that is there is as long as the states of the array. */
static void fit(struct array *a)
{
    struct graph_part *g = a->graph;

    if (g->cap == a->cap)
        return;
    if (g->heads)
        g->heads = grown(g->heads, sizeof *g->heads, g->cap, a->cap);
    if (g->waits)
        g->waits = grown(g->waits, sizeof *g->waits, g->cap, a->cap);
    if (g->follows)
        g->follows = grown(g->follows, sizeof *g->follows, g->cap, a->cap);
    if (g->ended)
        g->ended = grown(g->ended, sizeof *g->ended, g->cap, a->cap);
    g->cap = a->cap;
}

struct graph_part *graph_part(struct array *a)
{
    if (!a->graph) {
        a->graph = calloc(1, sizeof *a->graph);
        must(a->graph != NULL);
        a->graph->cap = a->cap;
    }
    fit(a);
    return a->graph;
}

uint32_t *graph_u32(uint32_t **items, uint64_t cap)
{
    if (!*items) {
        *items = calloc(cap, sizeof **items);
        must(*items != NULL);
    }
    return *items;
}

struct core_place *graph_places(struct core_place **items, uint64_t cap)
{
    if (!*items) {
        *items = calloc(cap, sizeof **items);
        must(*items != NULL);
    }
    return *items;
}

struct wait *graph_waits(struct array *a)
{
    struct graph_part *g = graph_part(a);

    if (!g->waits) {
        g->waits = calloc(g->cap, sizeof *g->waits);
        must(g->waits != NULL);
    }
    return g->waits;
}

static uint32_t waiter_new(struct graph *gr)
{
    uint32_t w = gr->free_waiter;

    if (w) {
        gr->free_waiter = gr->waiters[w - 1].next;
        return w;
    }
    if (gr->n_waiters == gr->cap_waiters) {
        gr->cap_waiters = gr->cap_waiters ? 2 * gr->cap_waiters : 256;
        must(gr->cap_waiters < UINT32_MAX);
        gr->waiters = realloc(gr->waiters, gr->cap_waiters * sizeof *gr->waiters);
        must(gr->waiters != NULL);
    }
    return (uint32_t)++gr->n_waiters;
}

static void waiter_free(struct graph *gr, uint32_t w)
{
    gr->waiters[w - 1].next = gr->free_waiter;
    gr->free_waiter = w;
}

static void free_list(struct graph *gr, uint32_t head)
{
    while (head) {
        uint32_t next = gr->waiters[head - 1].next;
        waiter_free(gr, head);
        head = next;
    }
}

void graph_fini(struct core *c)
{
    free(c->graph.waiters);
    free(c->graph.jobs);
}

static struct graph_job *job_push(struct graph *gr)
{
    if (gr->n_jobs == gr->cap_jobs) {
        size_t cap = gr->cap_jobs ? 2 * gr->cap_jobs : 64;
        struct graph_job *jobs = malloc(cap * sizeof *jobs);
        must(jobs != NULL);
        for (size_t i = 0; i < gr->n_jobs; i++)
            jobs[i] = gr->jobs[(gr->head + i) % gr->cap_jobs];
        free(gr->jobs);
        gr->jobs = jobs;
        gr->head = 0;
        gr->cap_jobs = cap;
    }
    struct graph_job *j = &gr->jobs[(gr->head + gr->n_jobs++) % gr->cap_jobs];
    *j = (struct graph_job){ 0 };
    return j;
}

static void job_done(struct graph *gr)
{
    gr->n_undo -= gr->jobs[gr->head].kind == JOB_REOPENED;
    gr->head = (gr->head + 1) % gr->cap_jobs;
    gr->n_jobs--;
}

/* --- what a task waits for --- */

bool graph_counts(uint8_t rule, bool success)
{
    return success ? !(rule & RULE_NOT_SUCCESS) : (rule & RULE_ON_FAILURE) != 0;
}

/* Whether an end of this kind is what the counter of hits counts. */
static bool is_hit(uint8_t rule, bool success)
{
    return graph_counts(rule, success) == ((rule & RULE_ANY) != 0);
}

static enum task_state wants(const struct wait *w)
{
    if (w->rule & RULE_ANY)
        return w->hits ? TASK_READY : w->open ? TASK_BLOCKED : TASK_UNMET;
    return w->hits ? TASK_UNMET : w->open ? TASK_BLOCKED : TASK_READY;
}

enum task_state graph_wants(const struct array *a, uint64_t index)
{
    const struct graph_part *g = a->graph;

    if (!g)
        return TASK_READY;
    if (g->gate_bad)
        return TASK_UNMET;
    return g->waits ? wants(&g->waits[index]) : TASK_READY;
}

bool graph_gated(const struct array *a)
{
    return a->graph && (a->graph->gate_open || a->graph->gate_bad);
}

void graph_settle_later(struct core *c, task_id task, task_id because)
{
    struct graph_job *j = job_push(&c->graph);

    j->kind = JOB_SETTLE;
    j->task = task.n;
    j->because = because.n;
}

void graph_sweep(struct core *c, struct array *a)
{
    struct graph_job *j = job_push(&c->graph);

    j->kind = JOB_SWEEP;
    j->worker = a->row.id.n;
}

static void skip(struct core *c, struct array *a, task_id task, task_id because, struct outbox *out)
{
    struct trouble *t = trouble_find(c, task);

    if (a->study->cancelling)
        return; /* it is cancelled with all that has not ended */
    struct change *ch = out_change(out, CHG_END);
    ch->end.task = task;
    ch->end.state = TASK_UNMET;
    ch->end.reason = END_UNMET;
    ch->end.because = because;
    ch->end.attempts = t ? t->failures : 0;
    array_end(c, a, task, TASK_UNMET, (worker_id){ 0 }, because);
}

/* Makes the state of a task what its counters say. Returns what it cost. */
static size_t settle(struct core *c, struct array *a, uint64_t index, task_id because,
                     struct outbox *out)
{
    task_id task = { a->row.first.n + index };
    enum task_state state = (enum task_state)a->state[index], want;

    if (state != TASK_READY && state != TASK_BLOCKED && state != TASK_UNMET)
        return 1;
    want = graph_wants(a, index);
    if (want == TASK_UNMET && state != want && a->graph->gate_bad) {
        graph_look_up(c, a);
        want = graph_wants(a, index);
    }
    if (want == state || a->retired)
        return 1;
    if (want == TASK_UNMET && c->graph.n_undo) { /* something else of it may be taken back yet */
        graph_settle_later(c, task, because);
        return 1;
    }
    if (want == TASK_UNMET) {
        if (!because.n && a->graph->gate_bad)
            because = a->graph->gate_because;
        skip(c, a, task, because, out);
        return GRAPH_END_UNITS;
    }
    if (state != TASK_UNMET) {
        array_move(c, a, task, want); /* which may keep it for a worker that it follows */
        return 1;
    }
    out_change(out, CHG_REOPEN)->task = task;
    array_reopen(c, a, task, want);
    return 4;
}

/* --- jobs --- */

static struct array *array_numbered(struct core *c, uint32_t id)
{
    return array_by_id(c, (array_id){ id });
}

static void count_end(struct wait *w, uint8_t rule, bool success, bool undo)
{
    bool hit = is_hit(rule, success);

    if (undo) {
        w->open++;
        w->hits -= hit;
    } else {
        must(w->open > 0);
        w->open--;
        w->hits += hit;
    }
}

static size_t tell_waiter(struct core *c, const struct graph_job *j, const struct waiter *w,
                          struct outbox *out)
{
    struct array *a = array_numbered(c, w->array);

    if (!a || !a->graph || !a->graph->waits)
        return 1; /* forgotten meanwhile */
    struct wait *wait = &a->graph->waits[w->index];
    count_end(wait, (uint8_t)wait->rule, j->success, j->kind == JOB_REOPENED);
    bool first =
        !(wait->rule & RULE_ANY) || (wait->hits == 1 && is_hit((uint8_t)wait->rule, j->success));
    if (w->lead && j->kind == JOB_ENDED && first)
        graph_places(&a->graph->follows, a->graph->cap)[w->index] =
            (struct core_place){ j->worker, j->n };
    return settle(c, a, w->index, (task_id){ j->because }, out);
}

/* Those that wait element by element. */
static size_t tell_elements(struct core *c, const struct graph_job *j, struct outbox *out)
{
    struct array *on = array_of_task(c, (task_id){ j->task });
    size_t units = 0;

    if (!on || !on->graph)
        return 0;
    uint64_t index = j->task - on->row.first.n;
    for (struct array_wait *aw = on->graph->out; aw; aw = aw->next_out) {
        if (!aw->element || index >= aw->of->row.n)
            continue;
        count_end(&graph_waits(aw->of)[index], aw->rule, j->success, j->kind == JOB_REOPENED);
        units += settle(c, aw->of, index, (task_id){ j->because }, out);
    }
    return units;
}

/* Goes on with a job; false: it is not done. Others may be queued behind it meanwhile. */
static bool run_ends(struct core *c, struct graph_job *j, size_t *units, size_t most,
                     struct outbox *out)
{
    while (j->at && *units < most) {
        uint32_t at = j->at;
        struct waiter w = c->graph.waiters[at - 1];
        j->at = w.next;
        *units += tell_waiter(c, j, &w, out);
    }
    if (j->at)
        return false;
    *units += tell_elements(c, j, out);
    return true;
}

static bool run_sweep(struct core *c, struct graph_job *j, size_t *units, size_t most,
                      struct outbox *out)
{
    struct array *a = array_numbered(c, j->worker);

    while (a && j->at < a->row.n && *units < most)
        *units += settle(c, a, j->at++, (task_id){ 0 }, out);
    return !a || j->at >= a->row.n;
}

static size_t run_settle(struct core *c, const struct graph_job *j, struct outbox *out)
{
    task_id task = { j->task };
    struct array *a = array_of_task(c, task);

    return a ? settle(c, a, task.n - a->row.first.n, (task_id){ j->because }, out) : 1;
}

void graph_run(struct core *c, size_t most, struct outbox *out)
{
    struct graph *gr = &c->graph;
    size_t units = 0;

    while (gr->n_jobs && units < most) {
        struct graph_job j = gr->jobs[gr->head]; /* a copy: the ring may grow */
        bool done = true;
        if (j.kind == JOB_SETTLE)
            units += run_settle(c, &j, out);
        else if (j.kind == JOB_SWEEP)
            done = run_sweep(c, &j, &units, most, out);
        else
            done = run_ends(c, &j, &units, most, out);
        if (done)
            job_done(gr);
        else
            gr->jobs[gr->head] = j;
    }
}

void graph_finish(struct core *c, struct outbox *out)
{
    while (c->graph.n_jobs)
        graph_run(c, SIZE_MAX, out);
}

void graph_moved(struct core *c, struct array *a, uint64_t index, enum task_state from,
                 enum task_state to, worker_id worker, task_id because)
{
    const struct graph_part *g = a->graph;
    task_id task = { a->row.first.n + index };
    uint32_t head = g->heads && index < g->cap ? g->heads[index] : 0;
    bool ended = task_state_ended(to);

    uint32_t n = core_place_n(c->graph.n_ends);

    if (g->ended && index < g->cap)
        g->ended[index] = ended ? (struct core_place){ worker.n, n } : (struct core_place){ 0 };
    if (ended == task_state_ended(from) || (!head && !g->n_elements_out))
        return;
    struct graph_job *j = job_push(&c->graph);
    j->kind = ended ? JOB_ENDED : JOB_REOPENED;
    j->task = task.n;
    j->because = because.n ? because.n : task.n;
    j->at = head;
    j->worker = worker.n;
    j->n = n;
    j->success = (ended ? to : from) == TASK_DONE;
    c->graph.n_undo += !ended;
}

/* --- edges --- */

static bool in_append(const struct array *a, const struct event *ev, task_id on)
{
    uint64_t first = a->row.first.n + ev->at;

    return on.n >= first && on.n - first < ev->n;
}

static const char *refuses_one(const struct core *c, const struct array *a, const struct event *ev,
                               const struct edge *e, const struct array **last)
{
    if (e->call >= ev->n)
        return "an edge belongs to a call that is not among these";
    if (e->on.n == a->row.first.n + ev->at + e->call)
        return "a call waits for itself";
    if (in_append(a, ev, e->on))
        return NULL;
    if (!*last || e->on.n < (*last)->row.first.n ||
        e->on.n - (*last)->row.first.n >= (*last)->row.n)
        *last = array_of_task(c, e->on);
    if (!*last || (*last)->retired)
        return "a call waits for a task that is not known";
    if ((*last)->study != a->study)
        return "a call waits for a task of another study";
    return NULL;
}

const char *graph_refuses(const struct core *c, const struct array *a, const struct event *ev)
{
    const struct array *last = NULL;
    uint64_t first = a->row.first.n + ev->at;
    bool forward = false;

    for (const struct array_wait *aw = a->graph ? a->graph->in : NULL; aw; aw = aw->next_in)
        if (aw->element && (!aw->on || ev->at + ev->n > aw->on->row.n))
            return "the array that this one follows element by element has not so many yet";
    if (ev->n_edges && a->graph && a->graph->n_elements_in)
        return "an array that waits element by element has no other edges";
    for (size_t i = 0; ev->rules && i < ev->n; i++)
        if (ev->rules[i] & ~RULE_BITS)
            return "a rule that is not known";
    for (size_t i = 0; i < ev->n_edges; i++) {
        const struct edge *e = &ev->edges[i];
        const char *why = refuses_one(c, a, ev, e, &last);
        if (why)
            return why;
        forward |= in_append(a, ev, e->on) && e->on.n > first + e->call;
    }
    if (forward && graph_check_cycle(ev->at, ev->n, a->row.first, ev->edges, ev->n_edges, NULL, 0))
        return "these calls wait for each other in a circle";
    return NULL;
}

/* One edge: counted at once when the other one has ended, else in its list. */
static void add_edge(struct core *c, struct array *a, const struct event *ev, const struct edge *e,
                     bool lead)
{
    uint64_t index = ev->at + e->call;
    struct wait *w = &a->graph->waits[index];
    struct array *on = array_of_task(c, e->on);

    w->open++;
    if (!on)
        return; /* the store has an edge on what was replaced: until that is submitted again */
    uint64_t i = e->on.n - on->row.first.n;
    enum task_state state = (enum task_state)on->state[i];
    if (task_state_ended(state))
        count_end(w, (uint8_t)w->rule, state == TASK_DONE, false);
    if (task_state_ended(state) && lead && graph_counts((uint8_t)w->rule, state == TASK_DONE))
        follow_late(c, a, index, on, i);
    struct graph_part *of = graph_part(on);
    uint32_t at = waiter_new(&c->graph), *head = &graph_u32(&of->heads, of->cap)[i];
    c->graph.waiters[at - 1] = (struct waiter){
        .next = *head, .array = a->row.id.n, .index = (uint32_t)index & INT32_MAX, .lead = lead
    };
    *head = at;
}

/* What a task is once its edges are known. Nothing was told of it yet, so becoming blocked needs no
 * change; an end does, and waits for the queue. */
static void first_state(struct core *c, struct array *a, uint64_t index, task_id because)
{
    task_id task = { a->row.first.n + index };
    enum task_state state = (enum task_state)a->state[index], want = graph_wants(a, index);

    if (state == TASK_READY &&
        (want == TASK_BLOCKED || (want == TASK_READY && follow_wait(c, a, index))))
        array_move(c, a, task, TASK_BLOCKED);
    else if (state != want && (state == TASK_UNMET || (state == TASK_READY && want == TASK_UNMET)))
        graph_settle_later(c, task, because);
}

/* Marks the first edge of each call whose rule says to follow, and with RULE_ANY all of them; NULL
 * when there is none. */
static bool *mark_leads(const struct array *a, const struct event *ev)
{
    struct wait *waits = a->graph->waits;
    bool any = false;

    for (size_t i = 0; ev->rules && i < ev->n && !any; i++)
        any = (ev->rules[i] & RULE_FOLLOW) != 0;
    if (!any)
        return NULL;
    bool *leads = calloc(ev->n_edges, sizeof *leads);
    must(leads != NULL);
    for (size_t i = 0; i < ev->n_edges; i++) {
        struct wait *w = &waits[ev->at + ev->edges[i].call];
        leads[i] = (w->rule & RULE_FOLLOW) && (!w->open || (w->rule & RULE_ANY));
        w->open = 1; /* seen */
    }
    for (size_t i = 0; i < ev->n_edges; i++)
        waits[ev->at + ev->edges[i].call].open = 0;
    return leads;
}

static void append_edges(struct core *c, struct array *a, const struct event *ev)
{
    struct wait *waits = graph_waits(a);

    for (size_t i = 0; i < ev->n_edges; i++) {
        uint64_t call = ev->edges[i].call;
        waits[ev->at + call].rule = ev->rules ? ev->rules[call] & 15u : 0;
    }
    bool *leads = mark_leads(a, ev);
    /* Backwards: a list is filled at its head, and those that wait are told in their order. */
    for (size_t i = ev->n_edges; i-- > 0;)
        add_edge(c, a, ev, &ev->edges[i], leads && leads[i]);
    free(leads);
    for (size_t i = 0; i < ev->n_edges; i++) {
        const struct edge *e = &ev->edges[i];
        uint64_t index = ev->at + e->call;
        enum task_state on = core_task_state(c, e->on);
        bool wrong = on != N_TASK_STATES && task_state_ended(on) &&
                     !graph_counts((uint8_t)waits[index].rule, on == TASK_DONE);
        if (wrong || graph_wants(a, index) != TASK_UNMET)
            first_state(c, a, index, e->on);
    }
}

/* One task of an array that goes element by element; the one there that ended the wrong way, or 0.
 */
static task_id add_elements(struct array *a, uint64_t i)
{
    struct wait *w = &graph_waits(a)[i];
    task_id wrong = { 0 };

    for (const struct array_wait *aw = a->graph->in; aw; aw = aw->next_in) {
        if (!aw->element)
            continue;
        bool there = aw->on && i < aw->on->row.n;
        enum task_state state = there ? (enum task_state)aw->on->state[i] : TASK_READY;
        w->open++;
        if (!task_state_ended(state))
            continue;
        count_end(w, aw->rule, state == TASK_DONE, false);
        if (!graph_counts(aw->rule, state == TASK_DONE))
            wrong.n = aw->on->row.first.n + i;
    }
    return wrong;
}

void graph_append_elements(struct core *c, struct array *a, uint64_t at, uint64_t n)
{
    for (uint64_t i = at; i < at + n; i++)
        first_state(c, a, i, add_elements(a, i));
}

void graph_append(struct core *c, struct array *a, const struct event *ev)
{
    if (ev->n_edges || a->graph)
        graph_part(a);
    if (ev->n_edges)
        append_edges(c, a, ev);
    else if (a->graph && a->graph->n_elements_in)
        graph_append_elements(c, a, ev->at, ev->n);
    for (uint64_t i = ev->at; a->graph && a->graph->gate_bad && i < ev->at + ev->n; i++)
        first_state(c, a, i, a->graph->gate_because);
}

void graph_remove(struct core *c, struct array *a)
{
    struct graph_part *g = a->graph;

    if (!g)
        return;
    for (uint64_t i = 0; g->heads && i < g->cap; i++)
        free_list(&c->graph, g->heads[i]);
    graph_unlink(a);
    free(g->heads);
    free(g->waits);
    free(g->follows);
    free(g->ended);
    c->graph.n_places_due -= g->places_due;
    free(g);
    a->graph = NULL;
}

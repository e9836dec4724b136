/* array - the tasks of one submission: a byte of state each, one function that moves them, and the
 * order in which the ready ones leave. */

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "scheduler/state.h"

#define TO(s) (1u << (s))
enum {
    ENDED = TO(TASK_DONE) | TO(TASK_FAILED) | TO(TASK_CANCELLED) | TO(TASK_QUARANTINED),
    AGAIN = TO(TASK_READY) | TO(TASK_BLOCKED)
};

/* Which states each state may move to: the table of docs/design.md. */
static const unsigned allowed[N_TASK_STATES] = {
    [TASK_READY] = TO(TASK_LEASED) | TO(TASK_CANCELLED) | TO(TASK_BLOCKED) | TO(TASK_UNMET),
    [TASK_BLOCKED] = TO(TASK_READY) | TO(TASK_LEASED) | TO(TASK_CANCELLED) | TO(TASK_UNMET),
    [TASK_WAITING] = AGAIN | TO(TASK_LEASED) | TO(TASK_CANCELLED),
    [TASK_LEASED] = AGAIN | TO(TASK_WAITING) | ENDED,
    [TASK_FAILED] = AGAIN,
    [TASK_CANCELLED] = AGAIN,
    [TASK_QUARANTINED] = AGAIN,
    [TASK_DONE] = AGAIN,
    [TASK_UNMET] = AGAIN,
};

struct array *array_of_task(const struct core *c, task_id task)
{
    size_t low = 0, high = c->n_arrays;

    while (low < high) {
        size_t mid = (low + high) / 2;
        struct array *a = c->arrays[mid];
        if (task.n < a->row.first.n)
            high = mid;
        else if (task.n - a->row.first.n >= a->row.n)
            low = mid + 1;
        else
            return a;
    }
    return NULL;
}

struct array *array_of_study(const struct core *c, study_id study)
{
    const struct live *st = live_find(c, study);

    return st ? live_current(st) : NULL;
}

struct array *array_by_id(const struct core *c, array_id id)
{
    struct array *a;

    HASH_FIND(hh, c->by_id, &id.n, sizeof id.n, a);
    return a;
}

/* Position of a task in the order of dispatch. */
static uint64_t position_of(const struct array *a, uint64_t index)
{
    uint64_t key = a->row.policy.order_seed;

    if (a->place)
        return a->place[index];
    return key ? perm_inverse(index, a->row.n, key) : index;
}

void array_set_order(struct array *a, const uint32_t *order)
{
    must(a->row.kind == ARRAY_POINTS && !a->order && !a->cursor);
    a->order = malloc(a->row.n * sizeof *a->order);
    a->place = malloc(a->row.n * sizeof *a->place);
    must(a->order != NULL && a->place != NULL);
    for (uint64_t k = 0; k < a->row.n; k++) {
        must(order[k] < a->row.n);
        a->order[k] = order[k];
        a->place[order[k]] = (uint32_t)k;
    }
}

static void median_prepare(struct array *a)
{
    if ((a->row.policy.timeout_percent || a->row.policy.speculate) && !a->median) {
        a->median = calloc(1, sizeof *a->median);
        must(a->median != NULL);
    }
}

/* Room for n tasks. What is beyond those that there are stays untouched: a byte a task is all that
 * an array costs, whatever it was given room for. */
static void reserve(struct array *a, uint64_t n)
{
    if (n <= a->cap)
        return;
    uint64_t cap = a->cap ? a->cap : 64;
    while (cap < n)
        cap *= 2;
    a->state = realloc(a->state, cap);
    must(a->state != NULL);
    a->cap = cap;
}

/* Counts tasks of a state in the array and, while it is one of its arrays, in its study. */
static void count(struct array *a, enum task_state state, uint64_t n)
{
    a->count[state] += n;
    if (!a->retired)
        a->study->count[state] += n;
}

bool array_has_warned(const struct array *a, uint64_t index)
{
    return index < a->warned_cap && (a->warned[index / 8] & 1u << index % 8);
}

static void note_warned(struct array *a, uint64_t index, bool known)
{
    if (index >= a->warned_cap) {
        uint64_t cap = (a->cap + 7) / 8;
        a->warned = realloc(a->warned, cap);
        must(a->warned != NULL && index < a->cap);
        memset(a->warned + a->warned_cap / 8, 0, cap - a->warned_cap / 8);
        a->warned_cap = 8 * cap;
    }
    a->warned[index / 8] |= (uint8_t)(1u << index % 8);
    a->n_warned++;
    a->study->warned += !a->retired && !known;
}

void array_warned(struct array *a, task_id task)
{
    note_warned(a, task.n - a->row.first.n, false);
}

static void forget_warned(struct array *a, uint64_t index)
{
    if (!array_has_warned(a, index))
        return;
    a->warned[index / 8] &= (uint8_t) ~(1u << index % 8);
    a->n_warned--;
    a->study->warned -= !a->retired;
}

static void count_states(struct array *a, uint64_t at, const uint8_t *states, uint64_t n)
{
    uint64_t of[N_TASK_STATES] = { 0 };

    for (uint64_t i = 0; i < n; i++) {
        enum task_state state = states[i] & ~(unsigned)STATE_WARNED;
        must(state == TASK_READY || task_state_ended(state));
        if (state)
            a->state[at + i] = (uint8_t)state; /* leaves zero pages of a mostly fresh array alone */
        of[state]++;
        if (states[i] & STATE_WARNED)
            note_warned(a, at + i, a->counted);
    }
    for (int s = 0; s < N_TASK_STATES; s++)
        if (a->counted)
            a->count[s] += of[s];
        else
            count(a, (enum task_state)s, of[s]);
}

static void insert(struct core *c, struct array *a)
{
    if (c->n_arrays == c->cap_arrays) {
        c->cap_arrays = c->cap_arrays ? 2 * c->cap_arrays : 8;
        c->arrays = realloc(c->arrays, c->cap_arrays * sizeof *c->arrays);
        must(c->arrays != NULL);
    }
    size_t at = c->n_arrays++;
    for (; at && c->arrays[at - 1]->row.first.n > a->row.first.n; at--)
        c->arrays[at] = c->arrays[at - 1];
    c->arrays[at] = a;
    HASH_ADD(hh, c->by_id, row.id.n, sizeof a->row.id.n, a);
}

struct array *array_add(struct core *c, const struct array_row *row, const uint8_t *states)
{
    bool calls = row->kind == ARRAY_CALLS;
    struct array *a = calloc(1, sizeof *a);

    must(a != NULL && row->n <= POINTS_MAX && row->first.n > 0);
    a->row = *row;
    a->row.name = NULL;
    a->row.spec = NULL;
    a->row.spec_bytes = 0;
    a->row.after = NULL;
    a->limit_ms = a->row.policy.timeout_ms;
    a->study = live_get(c, row->study);
    if (calls) {
        a->row.n = 0;
        a->row.policy.order_seed = 0; /* a permutation needs an end */
        a->counted = live_was_unloaded(a->study, row->id);
    } else {
        must(row->n > 0);
        a->row.closed = true;
        a->state = calloc(row->n, 1); /* zero pages: TASK_READY */
        must(a->state != NULL);
        a->cap = row->n;
        a->count[TASK_READY] = states ? 0 : row->n;
    }
    live_enter(a->study, a);
    if (states && !calls)
        count_states(a, 0, states, row->n);
    median_prepare(a);
    insert(c, a);
    shape_of_array(c, a);
    return a;
}

void array_grow(struct array *a, uint64_t n, const uint8_t *states)
{
    uint64_t at = a->row.n;

    must(a->row.kind == ARRAY_CALLS && n <= POINTS_MAX - at);
    reserve(a, at + n);
    memset(a->state + at, 0, n);
    a->row.n += n;
    if (!a->counted)
        a->study->n += n;
    if (states) /* an array that comes back has ended: its states are known */
        count_states(a, at, states, n);
    else
        count(a, TASK_READY, n);
    a->study->progress_dirty = true;
}

void array_close(struct array *a)
{
    must(!a->row.closed);
    a->row.closed = true;
    a->study->n_open--;
}

void array_touch(struct core *c, struct array *a)
{
    if (a->touched)
        return;
    a->touched = true;
    a->next_touched = c->touched;
    c->touched = a;
}

static void forget_limit(struct core *c, struct array *a)
{
    if (!a->limit_due)
        return;
    struct array **at = &c->limits;
    while (*at != a)
        at = &(*at)->next_limit;
    *at = a->next_limit;
}

void array_remove(struct core *c, struct array *a)
{
    size_t i = 0;

    must(!a->n_leases && !a->touched);
    while (c->arrays[i] != a)
        i++;
    memmove(&c->arrays[i], &c->arrays[i + 1], (c->n_arrays - i - 1) * sizeof *c->arrays);
    c->n_arrays--;
    HASH_DELETE(hh, c->by_id, a);
    share_forget(c, a);
    shape_drop(c, a->shape);
    c->n_speculating -= a->speculates;
    forget_limit(c, a);
    if (a->retired)
        a->study->n_retired--;
    else
        live_leave(c, a);
    graph_remove(c, a);
    free(a->state);
    free(a->warned);
    free(a->order);
    free(a->place);
    free(a->again);
    free(a->median);
    free(a);
}

enum task_state array_state(const struct array *a, task_id task)
{
    return (enum task_state)a->state[task.n - a->row.first.n];
}

static void again_push(struct array *a, uint64_t index)
{
    if (a->again_n == a->again_cap) {
        size_t cap = a->again_cap ? 2 * a->again_cap : 64;
        uint64_t *ring = malloc(cap * sizeof *ring);
        must(ring != NULL);
        for (size_t i = 0; i < a->again_n; i++)
            ring[i] = a->again[(a->again_head + i) % a->again_cap];
        free(a->again);
        a->again = ring;
        a->again_head = 0;
        a->again_cap = cap;
    }
    a->again[(a->again_head + a->again_n++) % a->again_cap] = index;
}

/* Whatever made a task ready: it starts only when what it waits for allows it. */
static enum task_state ready_or_blocked(struct core *c, struct array *a, uint64_t index)
{
    enum task_state want = a->graph ? graph_wants(a, index) : TASK_READY;

    if (want == TASK_UNMET) {
        graph_settle_later(c, (task_id){ a->row.first.n + index }, (task_id){ 0 });
        return TASK_BLOCKED;
    }
    return want == TASK_BLOCKED || follow_wait(c, a, index) ? TASK_BLOCKED : TASK_READY;
}

void array_end(struct core *c, struct array *a, task_id task, enum task_state to, worker_id worker,
               task_id because)
{
    uint64_t index = task.n - a->row.first.n;
    enum task_state from = (enum task_state)a->state[index];

    must(index < a->row.n && (allowed[from] & TO(to)));
    if (to == TASK_READY && a->graph)
        to = ready_or_blocked(c, a, index);
    array_touch(c, a);
    if (to == from)
        return; /* blocked as it was, but now for a worker that it follows */
    a->state[index] = (uint8_t)to;
    c->graph.n_ends += task_state_ended(to);
    c->moves[from][to]++;
    if (from == TASK_DONE)
        forget_warned(a, index);
    count(a, from, (uint64_t)-1);
    count(a, to, 1);
    a->study->progress_dirty = true;
    if (a->graph)
        graph_moved(c, a, index, from, to, worker, because);
    /* Ahead of the cursor a ready task will be met there; behind it, it queues. */
    if (to == TASK_READY && position_of(a, index) < a->cursor)
        again_push(a, index);
    if (to == TASK_READY || from == TASK_READY)
        share_update(c, a);
    if (to == TASK_LEASED || from == TASK_LEASED)
        share_leased(c, a->study);
    c->want_dispatch |= to == TASK_READY;
}

void array_move(struct core *c, struct array *a, task_id task, enum task_state to)
{
    array_end(c, a, task, to, (worker_id){ 0 }, (task_id){ 0 });
}

bool array_next_ready(struct array *a, task_id *task)
{
    if (a->mode != MODE_ACTIVE || !a->count[TASK_READY])
        return false;
    while (a->again_n) {
        uint64_t index = a->again[a->again_head];
        a->again_head = (a->again_head + 1) % a->again_cap;
        a->again_n--;
        if (a->state[index] == TASK_READY) { /* else stale: it was adopted or cancelled meanwhile */
            *task = (task_id){ a->row.first.n + index };
            return true;
        }
    }
    while (a->cursor < a->row.n) {
        uint64_t at = a->cursor++, key = a->row.policy.order_seed;
        uint64_t index = a->order ? a->order[at] : key ? perm_at(at, a->row.n, key) : at;
        if (a->state[index] == TASK_READY) {
            *task = (task_id){ a->row.first.n + index };
            return true;
        }
    }
    return false;
}

bool array_ended(const struct array *a)
{
    return a->row.closed && !a->count[TASK_READY] && !a->count[TASK_WAITING] &&
           !a->count[TASK_LEASED] && !a->count[TASK_BLOCKED];
}

void array_count_anew(struct array *a, bool unknown, struct outbox *out)
{
    if (a->row.policy.halt_when != HALT_NEVER && (a->new_ended || unknown))
        out_change(out, CHG_COUNT_ANEW)->array.id = a->row.id;
    a->new_failed = a->new_ended = 0;
}

void array_note_duration(struct core *c, struct array *a, uint64_t us)
{
    if (!us)
        us = 1;
    a->mean_us = a->mean_us ? (7 * a->mean_us + us + 7) / 8 : us;
    share_place(c, a);
    median_prepare(a);
    if (!a->median)
        return;
    median_add(a->median, us);
    if (a->limit_due)
        return;
    a->limit_due = true;
    a->next_limit = c->limits;
    c->limits = a;
}

bool array_update_limit(struct array *a)
{
    if (!a->row.policy.timeout_percent || !a->median || a->median->n < MEDIAN_NEEDS)
        return false;
    ms_t limit = (ms_t)(median_us(a->median) * a->row.policy.timeout_percent / 100 / 1000);
    if (limit < RELATIVE_TIMEOUT_MIN_MS)
        limit = RELATIVE_TIMEOUT_MIN_MS;
    if (a->row.policy.timeout_ms && limit > a->row.policy.timeout_ms)
        limit = a->row.policy.timeout_ms;
    ms_t change = limit > a->limit_ms ? limit - a->limit_ms : a->limit_ms - limit;
    if (a->limit_ms && 10 * change <= a->limit_ms) /* within a tenth: not worth a message */
        return false;
    a->limit_ms = limit;
    return true;
}

struct trouble *trouble_find(const struct core *c, task_id task)
{
    struct trouble *t;

    HASH_FIND(hh, c->troubles, &task.n, sizeof task.n, t);
    return t;
}

struct trouble *trouble_get(struct core *c, task_id task)
{
    struct trouble *t = trouble_find(c, task);

    if (t)
        return t;
    t = calloc(1, sizeof *t);
    must(t != NULL);
    t->task = task.n;
    HASH_ADD(hh, c->troubles, task, sizeof t->task, t);
    return t;
}

void trouble_counted(struct trouble *t, lease_id lease)
{
    t->last = lease;
    t->cancelled = false;
}

void trouble_drop(struct core *c, task_id task)
{
    struct trouble *t = trouble_find(c, task);

    if (!t)
        return;
    HASH_DELETE(hh, c->troubles, t);
    free(t);
}

void array_reopen(struct core *c, struct array *a, task_id task, enum task_state to)
{
    enum task_state state = array_state(a, task);
    bool ran = (state != TASK_CANCELLED && state != TASK_UNMET) || trouble_find(c, task);

    trouble_drop(c, task);
    if (ran) { /* a result whose ack is still under way is no answer to this */
        struct trouble *t = trouble_get(c, task);
        t->last = lease_make(c->cfg.epoch, c->next_sequence - 1);
        t->cancelled = state == TASK_CANCELLED;
    }
    array_move(c, a, task, to);
}

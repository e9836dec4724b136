/* array - the tasks of one submission: a byte of state each, one function that moves them, and the
 * order in which the ready ones leave. */

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "scheduler/state.h"

#define TO(s) (1u << (s))
enum { ENDED = TO(TASK_DONE) | TO(TASK_FAILED) | TO(TASK_CANCELLED) | TO(TASK_QUARANTINED) };

/* Which states each state may move to: the table of docs/design.md. */
static const unsigned allowed[N_TASK_STATES] = {
    [TASK_READY] = TO(TASK_LEASED) | TO(TASK_CANCELLED),
    [TASK_WAITING] = TO(TASK_READY) | TO(TASK_LEASED) | TO(TASK_CANCELLED),
    [TASK_LEASED] = TO(TASK_READY) | TO(TASK_WAITING) | ENDED,
    [TASK_FAILED] = TO(TASK_READY),
    [TASK_CANCELLED] = TO(TASK_READY),
    [TASK_QUARANTINED] = TO(TASK_READY),
    [TASK_DONE] = TO(TASK_READY),
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
    for (size_t i = 0; i < c->n_arrays; i++)
        if (c->arrays[i]->row.study.n == study.n && !c->arrays[i]->retired)
            return c->arrays[i];
    return NULL;
}

/* Position of a task in the order of dispatch. */
static uint64_t position_of(const struct array *a, uint64_t index)
{
    uint64_t key = a->row.policy.order_seed;

    return key ? perm_inverse(index, a->row.n, key) : index;
}

static void median_prepare(struct array *a)
{
    if (a->row.policy.timeout_percent && !a->median) {
        a->median = calloc(1, sizeof *a->median);
        must(a->median != NULL);
    }
}

struct array *array_add(struct core *c, const struct array_row *row, const uint8_t *states)
{
    struct array *a = calloc(1, sizeof *a);

    must(a != NULL && row->n > 0 && row->n <= POINTS_MAX && row->first.n > 0);
    a->row = *row;
    a->row.name = NULL;
    a->row.spec = NULL;
    a->row.spec_bytes = 0;
    if (!a->row.policy.needs.cores)
        a->row.policy.needs.cores = 1;
    a->limit_ms = a->row.policy.timeout_ms;
    a->state = calloc(row->n, 1); /* zero pages: TASK_READY */
    must(a->state != NULL);
    if (states) {
        for (uint64_t i = 0; i < row->n; i++) {
            must(states[i] == TASK_READY || task_state_ended(states[i]));
            if (states[i])
                a->state[i] = states[i]; /* leaves the zero pages of a mostly fresh array alone */
            a->count[states[i]]++;
        }
    } else {
        a->count[TASK_READY] = row->n;
    }
    median_prepare(a);

    if (c->n_arrays == c->cap_arrays) {
        c->cap_arrays = c->cap_arrays ? 2 * c->cap_arrays : 8;
        c->arrays = realloc(c->arrays, c->cap_arrays * sizeof *c->arrays);
        must(c->arrays != NULL);
    }
    size_t at = c->n_arrays++;
    for (; at && c->arrays[at - 1]->row.first.n > row->first.n; at--)
        c->arrays[at] = c->arrays[at - 1];
    c->arrays[at] = a;
    return a;
}

void array_remove(struct core *c, struct array *a)
{
    size_t i = 0;

    while (c->arrays[i] != a)
        i++;
    memmove(&c->arrays[i], &c->arrays[i + 1], (c->n_arrays - i - 1) * sizeof *c->arrays);
    c->n_arrays--;
    free(a->state);
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

void array_move(struct core *c, struct array *a, task_id task, enum task_state to)
{
    uint64_t index = task.n - a->row.first.n;
    enum task_state from = (enum task_state)a->state[index];

    must(index < a->row.n && (allowed[from] & TO(to)));
    a->state[index] = (uint8_t)to;
    a->count[from]--;
    a->count[to]++;
    a->progress_dirty = true;
    /* Ahead of the cursor a ready task will be met there; behind it, it queues. */
    if (to == TASK_READY && position_of(a, index) < a->cursor)
        again_push(a, index);
    if (to == TASK_READY)
        c->want_dispatch = true;
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
        uint64_t index = key ? perm_at(at, a->row.n, key) : at;
        if (a->state[index] == TASK_READY) {
            *task = (task_id){ a->row.first.n + index };
            return true;
        }
    }
    return false;
}

bool array_ended(const struct array *a)
{
    return !a->count[TASK_READY] && !a->count[TASK_WAITING] && !a->count[TASK_LEASED];
}

void array_set_mode(struct core *c, struct array *a, enum study_mode mode, struct outbox *out)
{
    bool active = mode == MODE_ACTIVE && !array_ended(a);

    if (a->mode != mode)
        a->progress_dirty = true;
    a->mode = mode;
    c->want_dispatch = true;
    if (a->told_active != active && !a->retired) {
        struct change *ch = out_change(out, CHG_STUDY_STATE);
        ch->study = a->row.study;
        ch->active = active;
        a->told_active = active;
    }
}

void array_note_duration(struct array *a, uint64_t us)
{
    if (!us)
        us = 1;
    a->mean_us = a->mean_us ? (7 * a->mean_us + us + 7) / 8 : us;
    median_prepare(a);
    if (a->median)
        median_add(a->median, us);
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

void trouble_drop(struct core *c, task_id task)
{
    struct trouble *t = trouble_find(c, task);

    if (!t)
        return;
    HASH_DELETE(hh, c->troubles, t);
    free(t);
}

/* live - a study of which something is loaded: its arrays, its mode, and what is counted over all
 * of them. */

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/must.h"
#include "scheduler/state.h"

struct live *live_find(const struct core *c, study_id study)
{
    struct live *st;

    HASH_FIND(hh, c->studies, &study.n, sizeof study.n, st);
    return st;
}

struct live *live_get(struct core *c, study_id study)
{
    struct live *st = live_find(c, study);

    if (st)
        return st;
    st = calloc(1, sizeof *st);
    must(st != NULL);
    st->id = study.n;
    HASH_ADD(hh, c->studies, id, sizeof st->id, st);
    return st;
}

void live_free(struct core *c, struct live *st)
{
    c->n_cancelling -= st->cancelling;
    share_drop(c, st);
    HASH_DELETE(hh, c->studies, st);
    free(st->unloaded);
    free(st);
}

bool live_ended(const struct live *st)
{
    return !st->n_open && !st->count[TASK_READY] && !st->count[TASK_WAITING] &&
           !st->count[TASK_LEASED] && !st->count[TASK_BLOCKED];
}

struct array *live_current(const struct live *st)
{
    if (st->points)
        return st->points;
    return st->arrays ? st->arrays->prev : NULL; /* utlist: the last one */
}

/* Where the id is in the sorted list, or would be. */
static size_t place_unloaded(const struct live *st, array_id id)
{
    size_t low = 0, high = st->n_unloaded;

    while (low < high) {
        size_t mid = (low + high) / 2;
        if (st->unloaded[mid] < id.n)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

bool live_was_unloaded(const struct live *st, array_id id)
{
    size_t at = place_unloaded(st, id);

    return at < st->n_unloaded && st->unloaded[at] == id.n;
}

void live_enter(struct live *st, struct array *a)
{
    DL_APPEND(st->arrays, a);
    st->n_arrays++;
    st->n_open += !a->row.closed;
    if (a->row.kind == ARRAY_POINTS)
        st->points = a;
    if (a->counted) {
        size_t at = place_unloaded(st, a->row.id);
        st->n_unloaded--;
        memmove(&st->unloaded[at], &st->unloaded[at + 1],
                (st->n_unloaded - at) * sizeof *st->unloaded);
    } else {
        st->n += a->row.n;
        st->reused += a->reused;
        st->lost += a->lost;
        st->warned += a->n_warned;
        for (int s = 0; s < N_TASK_STATES; s++)
            st->count[s] += a->count[s];
    }
    a->mode = graph_gated(a) ? MODE_HELD : st->mode;
    st->progress_dirty = true;
}

static void remember_unloaded(struct live *st, array_id id)
{
    if (st->n_unloaded == st->cap_unloaded) {
        st->cap_unloaded = st->cap_unloaded ? 2 * st->cap_unloaded : 16;
        st->unloaded = realloc(st->unloaded, st->cap_unloaded * sizeof *st->unloaded);
        must(st->unloaded != NULL);
    }
    size_t at = place_unloaded(st, id);
    memmove(&st->unloaded[at + 1], &st->unloaded[at], (st->n_unloaded - at) * sizeof *st->unloaded);
    st->unloaded[at] = id.n;
    st->n_unloaded++;
}

void live_leave(struct core *c, struct array *a)
{
    struct live *st = a->study;

    (void)c;
    if (st->cancel_array == a) {
        st->cancel_array = a->next;
        st->cancel_at = 0;
    }
    DL_DELETE(st->arrays, a);
    st->n_arrays--;
    st->n_open -= !a->row.closed;
    if (st->points == a)
        st->points = NULL;
    st->progress_dirty = true;
    if (a->row.kind == ARRAY_CALLS) {
        remember_unloaded(st, a->row.id);
        return;
    }
    st->n -= a->row.n;
    st->reused -= a->reused;
    st->lost -= a->lost;
    st->warned -= a->n_warned;
    for (int s = 0; s < N_TASK_STATES; s++)
        st->count[s] -= a->count[s];
}

void live_mode_of(struct core *c, struct array *a)
{
    a->mode = a->retired || graph_gated(a) ? MODE_HELD : a->study->mode;
    a->study->progress_dirty = true;
    c->want_dispatch = true;
    share_update(c, a);
}

void live_set_mode(struct core *c, struct live *st, enum study_mode mode, struct outbox *out)
{
    bool active = mode == MODE_ACTIVE && !live_ended(st), halted = mode == MODE_HALTED;
    bool another = st->mode != mode;
    struct array *a;

    if (st->mode == MODE_HALTED && mode == MODE_ACTIVE) { /* or the next end would halt it again */
        DL_FOREACH(st->arrays, a)
        array_count_anew(a, false, out);
    }
    st->mode = mode;
    if (another) { /* else an append to one array would cost something for each of the others */
        DL_FOREACH(st->arrays, a)
        live_mode_of(c, a);
    }
    if (st->told_active == active && st->told_halted == halted)
        return;
    struct change *ch = out_change(out, CHG_STUDY_STATE);
    ch->study.n = st->id;
    ch->active = active;
    ch->halted = halted;
    st->told_active = active;
    st->told_halted = halted;
}

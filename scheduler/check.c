/* check - the invariants of the core, and a digest of what a restart must bring back. For tests. */

#include <string.h>
#include <utlist.h>

#include "base/hash.h"
#include "base/must.h"
#include "base/needs.h"
#include "scheduler/state.h"

static void check_array(const struct core *c, const struct array *a)
{
    uint64_t count[N_TASK_STATES] = { 0 }, warned = 0;

    must(array_by_id(c, a->row.id) == a && !a->touched && a->row.n <= a->cap);
    must(a->mode == (a->retired || graph_gated(a) ? MODE_HELD : a->study->mode));

    for (uint64_t i = 0; i < a->row.n; i++) {
        must(a->state[i] < N_TASK_STATES);
        count[a->state[i]]++;
        warned += array_has_warned(a, i);
        must(!array_has_warned(a, i) || a->state[i] == TASK_DONE);
        if (a->state[i] == TASK_WAITING)
            must(trouble_find(c, (task_id){ a->row.first.n + i }) != NULL);
    }
    for (int s = 0; s < N_TASK_STATES; s++)
        must(count[s] == a->count[s]);
    must(warned == a->n_warned);
    must(a->cursor <= a->row.n && a->again_n <= a->again_cap);
}

/* What is counted over a study is what its arrays are. */
static void check_study(const struct live *st)
{
    uint64_t n = 0, count[N_TASK_STATES] = { 0 }, open = 0, arrays = 0, lost = 0, warned = 0;
    bool partly = st->n_unloaded > 0;
    const struct array *a;

    DL_FOREACH(st->arrays, a)
    {
        must(a->study == st && !a->retired);
        must((a->row.kind == ARRAY_POINTS) == (st->points == a));
        arrays++;
        partly |= a->counted; /* on its way back from the store */
        open += !a->row.closed;
        n += a->row.n;
        lost += a->lost;
        warned += a->n_warned;
        for (int s = 0; s < N_TASK_STATES; s++)
            count[s] += a->count[s];
    }
    must(arrays == st->n_arrays && open == st->n_open);
    must(st->cancelling || !st->cancel_array);
    for (int s = 0; s < N_TASK_STATES; s++)
        must(partly && task_state_ended((enum task_state)s) ? st->count[s] >= count[s]
                                                            : st->count[s] == count[s]);
    must(partly || (st->n == n && st->lost == lost && st->warned == warned));
}

/* What a lease takes of a resource at its worker. */
static uint32_t takes(const struct lease *l, const char *name)
{
    const struct needs *n = &l->shape->needs;

    for (uint32_t i = 0; i < n->n_resources && !l->finished; i++)
        if (strcmp(n->resources[i].name, name) == 0)
            return n->resources[i].amount;
    return 0;
}

/* What is used of a worker's resources is what its leases take; it is in the right list. */
static void check_room(const struct core *c, const struct worker *w)
{
    uint32_t room = w->row.slots > w->cores_used ? w->row.slots - w->cores_used : 0;
    bool open = worker_open(w);

    for (uint32_t i = 0; i < w->row.n_resources; i++) {
        const struct lease *l;
        uint32_t used = 0;
        bool claimed = false;
        DL_FOREACH(w->leases, l)
        {
            uint32_t amount = takes(l, w->row.resources[i].name);
            claimed |= amount && l->claimed;
            used += amount;
        }
        /* What was given up and still runs there may be adopted again beside what followed it. */
        must(used == w->used[i] && (used <= w->row.resources[i].amount || claimed));
    }
    must(w->room == (open ? room < ROOMS ? room : ROOMS - 1 : 0));
    must(!w->room || c->rooms_used & 1ULL << w->room);
    must(!w->reserved || (open && w->reserved->reserve == w));
    must(!w->assigned);
}

/* Every leased task has exactly one lease that was not cancelled under it. */
static void check_leases(const struct core *c)
{
    uint64_t live = 0, leased = 0, listed = 0;

    for (size_t i = 0; i < c->n_workers; i++) {
        const struct worker *w = c->workers[i];
        struct lease *l;
        uint64_t cores = 0, memory = 0;
        DL_FOREACH(w->leases, l)
        {
            must(l->worker == w && lease_find(c, l->id) == l);
            must(array_of_task(c, l->task) == l->array);
            must((l->id.n >> 32) <= c->cfg.epoch);
            must(l->orphan || array_state(l->array, l->task) == TASK_LEASED);
            live += !l->orphan && !l->backup;
            must(!l->twin || (l->twin->twin == l && l->twin->task.n == l->task.n && !l->orphan &&
                              l->backup != l->twin->backup && l->twin->worker != w));
            must(l->twin || !l->backup);
            cores += l->finished ? 0 : l->shape->needs.cores;
            memory += l->finished ? 0 : l->shape->needs.memory_mib;
            listed++;
        }
        must(cores == w->cores_used && memory == w->memory_used);
        check_room(c, w);
        must(w->n_leases <= GRANTS_MAX + w->row.slots);
        must((w->link == WORKER_UP) == (w->peer.n != 0));
        must(w->link != WORKER_UP || pool_by_peer(c, w->peer) == w);
    }
    for (size_t i = 0; i < c->n_arrays; i++)
        leased += c->arrays[i]->count[TASK_LEASED];
    must(live == leased && listed == HASH_COUNT(c->leases));
}

void core_check(const struct core *c)
{
    const struct live *st, *next;
    size_t speculating = 0;

    for (size_t i = 0; i < c->n_arrays; i++) {
        check_array(c, c->arrays[i]);
        must(!i ||
             c->arrays[i - 1]->row.first.n + c->arrays[i - 1]->row.n <= c->arrays[i]->row.first.n);
    }
    for (size_t i = 0; i < c->n_arrays; i++)
        speculating += c->arrays[i]->row.policy.speculate;
    must(speculating == c->n_speculating);
    HASH_ITER(hh, c->studies, st, next)
    check_study(st);
    graph_check(c);
    check_leases(c);
    share_check(c);
}

uint64_t core_digest(const struct core *c)
{
    uint64_t h = 0;

    for (size_t i = 0; i < c->n_arrays; i++) {
        const struct array *a = c->arrays[i];
        if (a->retired)
            continue;
        bool ruled = a->row.policy.halt_when != HALT_NEVER;
        uint64_t head[7] = { a->row.id.n,
                             a->row.first.n,
                             a->row.n,
                             a->row.closed,
                             a->study->mode == MODE_HALTED,
                             ruled ? a->new_failed : 0,
                             ruled ? a->new_ended : 0 };
        h = hash64(head, sizeof head, h);
        for (uint64_t k = 0; k < a->row.n; k++) {
            uint8_t state =
                task_state_ended((enum task_state)a->state[k]) ? a->state[k] : TASK_READY;
            const struct trouble *t = trouble_find(c, (task_id){ a->row.first.n + k });
            uint32_t known[3] = { state | (array_has_warned(a, k) ? STATE_WARNED : 0u), 0, 0 };
            if (t && state == TASK_READY) {
                known[1] = t->failures;
                known[2] = t->ran;
            }
            h = hash64(known, sizeof known, h);
        }
    }
    return h;
}

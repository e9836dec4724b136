/* disk - what the store keeps, as far as a restart reads it back: store/load.c in few words. A
 * commit is applied whole or not at all; the caller decides which when the scheduler dies with one
 * in flight. */

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "tests/sim/sim.h"

static struct disk_task *task_at(struct sim *s, task_id task)
{
    must(task.n > 0 && task.n < SIM_TASKS);
    return &s->disk.task[task.n];
}

static void reopen(struct disk_task *t)
{
    *t = (struct disk_task){ 0 };
}

static void reopen_failed(struct sim *s, const struct change *c)
{
    for (uint64_t i = c->task.n; i <= c->from.n; i++) {
        struct disk_task *t = task_at(s, (task_id){ i });
        if (t->ended && t->state != TASK_DONE && t->state != TASK_UNMET)
            reopen(t);
    }
}

static void attempt(struct sim *s, const struct end_row *e)
{
    struct disk_task *t = task_at(s, e->task);

    t->ran |= attempt_ran(e);
    if (e->counted) {
        t->failures++;
        t->losses = 0;
        t->last_failed = e->lease;
    } else if (e->reason == END_LOST) {
        t->losses++;
    }
}

static void end(struct sim *s, const struct end_row *e)
{
    struct disk_task *t = task_at(s, e->task);

    t->ended = true;
    t->state = (uint8_t)e->state;
    t->lease = e->lease;
    t->worker = e->worker;
    t->end_n = ++s->disk.n_ends;
    t->warned = e->reason == END_WARNED;
    uint32_t array = world_array_of(s, e->task)->id.n;
    bool counts = t->state != TASK_CANCELLED && t->state != TASK_UNMET;
    s->disk.counted[array].ended += counts;
    s->disk.counted[array].failed +=
        counts && t->state != TASK_DONE && e->reason != END_QUARANTINED;
}

static void array(struct sim *s, const struct change *c)
{
    struct disk *d = &s->disk;

    if (c->kind == CHG_ARRAY) {
        must(d->n_arrays < SIM_ARRAYS);
        d->arrays[d->n_arrays++] = c->array;
    }
    for (size_t i = 0; i < d->n_arrays; i++)
        if (d->arrays[i].id.n == c->array.id.n)
            d->arrays[i].policy = c->array.policy;
    d->study[c->array.study.n].current = c->array.id;
}

static struct array_row *disk_array(struct sim *s, array_id id)
{
    size_t i = 0;

    while (i < s->disk.n_arrays && s->disk.arrays[i].id.n != id.n)
        i++;
    must(i < s->disk.n_arrays);
    return &s->disk.arrays[i];
}

static void append(struct sim *s, const struct change *c)
{
    struct array_row *row = disk_array(s, c->append.array);

    must(row->n == c->append.at && s->disk.n_appends < SIM_APPENDS);
    row->n += c->append.n;
    s->disk.appends[s->disk.n_appends++] =
        (struct disk_append){ row->id, c->append.at, c->append.n };
}

bool disk_append(const struct sim *s, size_t k, study_id study, struct event *ev)
{
    static uint8_t states[SIM_TASKS];
    static struct world_append w;
    const struct disk_append *d = &s->disk.appends[k];
    const struct array_row *row = world_array(s, d->array);

    if (row->study.n != study.n)
        return false;
    disk_states(s, row, states);
    world_append(s, row, d->at, d->n, &w);
    *ev = (struct event){ .kind = EV_APPEND,
                          .array_id = d->array,
                          .at = d->at,
                          .n = d->n,
                          .states = states + d->at,
                          .rules = w.rules,
                          .edges = w.edges,
                          .n_edges = w.n_edges,
                          .stored = true };
    return true;
}

static void running(struct disk *d, const struct end_row *e)
{
    if (d->n_running == d->cap_running) {
        d->cap_running = d->cap_running ? 2 * d->cap_running : 32;
        d->running = realloc(d->running, d->cap_running * sizeof *d->running);
        must(d->running != NULL);
    }
    d->running[d->n_running++] =
        (struct disk_running){ e->lease, e->task, e->worker, e->started_ms };
}

static void stopped(struct disk *d, lease_id lease)
{
    size_t kept = 0;

    for (size_t i = 0; i < d->n_running; i++)
        if (d->running[i].lease.n != lease.n)
            d->running[kept++] = d->running[i];
    d->n_running = kept;
}

static void keep_worker(struct worker_row *kept, const struct worker_row *row)
{
    *kept = *row;
    kept->labels =
        row->labels && strcmp(row->labels, "big") == 0 ? "big" : NULL; /* outlives a core */
}

static void worker_joined(struct disk *d, const struct worker_row *row)
{
    for (size_t i = 0; i < d->n_workers; i++)
        if (d->workers[i].id.n == row->id.n) {
            keep_worker(&d->workers[i], row);
            return;
        }
    if (d->n_workers == d->cap_workers) {
        d->cap_workers = d->cap_workers ? 2 * d->cap_workers : 8;
        d->workers = realloc(d->workers, d->cap_workers * sizeof *d->workers);
        must(d->workers != NULL);
    }
    keep_worker(&d->workers[d->n_workers++], row);
    if (row->id.n >= d->next_worker.n)
        d->next_worker.n = row->id.n + 1;
}

static void worker_gone(struct disk *d, worker_id id)
{
    size_t kept = 0;

    for (size_t i = 0; i < d->n_workers; i++)
        if (d->workers[i].id.n != id.n)
            d->workers[kept++] = d->workers[i];
    d->n_workers = kept;
}

static void adopt(struct sim *s, const struct change *c)
{
    struct disk_task *t = task_at(s, c->task);

    t->ended = t->adopted = true;
    t->state = task_at(s, c->from)->state;
    t->warned = task_at(s, c->from)->warned;
    t->lease = (lease_id){ 0 };
    t->worker = (worker_id){ 0 };
}

static void policy(struct sim *s, const struct array_row *row)
{
    for (size_t i = 0; i < s->disk.n_arrays; i++)
        if (s->disk.arrays[i].id.n == row->id.n)
            s->disk.arrays[i].policy = row->policy;
}

static void apply(struct sim *s, const struct change *c)
{
    switch (c->kind) {
    case CHG_ARRAY:
    case CHG_CURRENT:
        array(s, c);
        break;
    case CHG_COUNT_ANEW:
        memset(&s->disk.counted[c->array.id.n], 0, sizeof s->disk.counted[0]);
        break;
    case CHG_POLICY:
        policy(s, &c->array);
        break;
    case CHG_STUDY_STATE:
        s->disk.study[c->study.n].active = c->active;
        s->disk.study[c->study.n].halted = c->halted;
        break;
    case CHG_ADOPT:
        adopt(s, c);
        break;
    case CHG_END:
        end(s, &c->end);
        break;
    case CHG_ATTEMPT:
        attempt(s, &c->end);
        break;
    case CHG_REOPEN:
        reopen(task_at(s, c->task));
        break;
    case CHG_REOPEN_FAILED:
        reopen_failed(s, c);
        break;
    case CHG_RUNNING:
        running(&s->disk, &c->end);
        break;
    case CHG_STOPPED:
        stopped(&s->disk, c->end.lease);
        break;
    case CHG_WORKER:
        worker_joined(&s->disk, &c->worker);
        break;
    case CHG_WORKER_GONE:
        worker_gone(&s->disk, c->worker.id);
        break;
    case CHG_APPEND:
        append(s, c);
        break;
    case CHG_CLOSED:
        disk_array(s, c->append.array)->closed = true;
        break;
    }
}

void disk_commit(struct sim *s, const struct change *changes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        oracle_change(s, &changes[i]);
        apply(s, &changes[i]);
    }
    s->disk.n_commits++;
    oracle_commit(s);
}

void disk_states(const struct sim *s, const struct array_row *row, uint8_t *states)
{
    for (uint64_t i = 0; i < row->n; i++) {
        const struct disk_task *t = &s->disk.task[row->first.n + i];
        states[i] = t->ended ? t->state : world_skips(s, row, i) ? TASK_SKIPPED : TASK_READY;
        if (t->ended && t->warned)
            states[i] |= STATE_WARNED;
    }
}

static void restore_array(const struct sim *s, struct core *core, const struct array_row *row,
                          ms_t now, struct outbox *out)
{
    uint8_t states[SIM_TASKS];

    disk_states(s, row, states);
    core_step(core, now,
              &(struct event){ .kind = EV_ARRAY,
                               .array = row,
                               .states = states,
                               .active = s->disk.study[row->study.n].active,
                               .halted = s->disk.study[row->study.n].halted,
                               .new_failed = s->disk.counted[row->id.n].failed,
                               .new_ended = s->disk.counted[row->id.n].ended },
              out);
    struct event ev;
    for (size_t k = 0; k < s->disk.n_appends; k++)
        if (row->kind == ARRAY_CALLS && disk_append(s, k, row->study, &ev))
            core_step(core, now, &ev, out);
    for (uint64_t i = 0; i < row->n; i++) {
        const struct disk_task *t = &s->disk.task[row->first.n + i];
        if (!t->ended && t->ran)
            core_step(core, now,
                      &(struct event){ .kind = EV_TROUBLE,
                                       .task = { row->first.n + i },
                                       .lease = t->last_failed,
                                       .failures = t->failures,
                                       .losses = t->losses },
                      out);
    }
}

/* A study that is held goes on being known while a point of it runs, and one that another waits
 * for comes before that. */
static bool restored(const struct sim *s, uint32_t study)
{
    const struct array_row *row = world_array(s, s->disk.study[study].current);
    bool runs = false;

    if (!row)
        return false;
    if (study < SIM_STUDIES && s->opt.study[study].after && restored(s, study + 1))
        return true;
    for (size_t i = 0; row && i < s->disk.n_running; i++)
        runs |= s->disk.running[i].task.n - row->first.n < row->n;
    return s->disk.study[study].active || runs;
}

struct core *disk_restore(const struct sim *s, uint32_t epoch, ms_t now, const struct core *loaded,
                          struct outbox *out)
{
    const struct disk *d = &s->disk;
    struct core_config cfg;
    struct core_study cs;

    core_config_default(&cfg);
    cfg.seed = rng_mix(s->seed + epoch);
    cfg.epoch = epoch;
    cfg.next_worker = d->next_worker;
    struct core *core = core_new(&cfg);
    for (uint32_t study = 1; study <= SIM_STUDIES; study++)
        if (world_array(s, d->study[study].current) &&
            (loaded ? core_study(loaded, (study_id){ study }, &cs) : restored(s, study)))
            restore_array(s, core, world_array(s, d->study[study].current), now, out);
    for (size_t i = 0; i < d->n_workers; i++)
        core_step(core, now, &(struct event){ .kind = EV_KNOWN_WORKER, .worker = &d->workers[i] },
                  out);
    for (size_t i = 0; i < d->n_running; i++)
        core_step(core, now,
                  &(struct event){ .kind = EV_RUNNING,
                                   .lease = d->running[i].lease,
                                   .task = d->running[i].task,
                                   .worker_id = d->running[i].worker,
                                   .started_ms = d->running[i].started_ms },
                  out);
    core_step(core, now, &(struct event){ .kind = EV_RESTORED }, out);
    return core;
}

struct event disk_places(const struct sim *s, array_id array)
{
    static struct core_place places[SIM_TASKS];
    const struct array_row *row = world_array(s, array);

    for (uint64_t i = 0; i < row->n; i++) {
        const struct disk_task *t = &s->disk.task[row->first.n + i];
        places[i] = (struct core_place){ t->worker.n, t->end_n };
    }
    return (struct event){
        .kind = EV_PLACES, .array_id = array, .at = s->disk.n_ends, .n = row->n, .places = places
    };
}

void disk_fini(struct disk *d)
{
    free(d->running);
    free(d->workers);
}

/* oracle - what may never happen, judged by what crosses the wire and what the disk holds.
 *
 *  a  An accepted task ends exactly once; its end changes only after it was reopened.
 *  b  Nothing is told that the disk does not hold: acks, submissions, counts.
 *  c  A task has at most one live lease, no lease id is given out twice, and a result counts only
 * under the task's current lease, once. d  No worker holds more than its slots and the prefetch
 * that its tasks allow. e  The death of the scheduler alone never makes long work run twice. f What
 * costs a retry is a failure that a worker reported; a task fails when its retries are spent,
 *     neither sooner nor later.
 *  g  After the world healed everything ends and no lease is left.
 *  h  A core that is built from the disk knows what this one knows.
 *  i  When nothing goes wrong no slot idles while a task is ready. */

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#define uthash_fatal(message) must_fail(__FILE__, __LINE__, message)
#include <uthash.h>

#include "tests/sim/sim.h"

/* All that was ever seen of a lease. */
struct seen {
    uint64_t lease;
    bool granted, recorded, counted;
    enum end_reason last_result;
    UT_hash_handle hh;
};

struct oracle {
    struct seen *seen;
    struct {
        lease_id lease;
        uint64_t instance;
        bool soft;
    } current[SIM_TASKS];
    lease_id long_running[SIM_TASKS]; /* ran long when the scheduler died */
    struct {
        peer_id peer;
        uint64_t instance;
    } said_hello[64]; /* the latest */
    size_t n_hello;
    ms_t idle_since[SIM_WORKERS];
    uint64_t n_spawned[SIM_WORKERS];
};

struct oracle *oracle_new(void)
{
    struct oracle *o = calloc(1, sizeof *o);

    must(o != NULL);
    return o;
}

void oracle_free(struct oracle *o)
{
    struct seen *e, *next;

    if (!o)
        return;
    HASH_ITER(hh, o->seen, e, next)
    {
        HASH_DEL(o->seen, e);
        free(e);
    }
    free(o);
}

static struct seen *seen_of(struct oracle *o, lease_id lease)
{
    struct seen *e;

    HASH_FIND(hh, o->seen, &lease.n, sizeof lease.n, e);
    if (e)
        return e;
    e = calloc(1, sizeof *e);
    must(e != NULL);
    e->lease = lease.n;
    e->last_result = N_END_REASONS;
    HASH_ADD(hh, o->seen, lease, sizeof e->lease, e);
    return e;
}

static uint64_t instance_of_peer(const struct oracle *o, peer_id peer)
{
    for (size_t i = 0; i < 64; i++)
        if (o->said_hello[i].peer.n == peer.n)
            return o->said_hello[i].instance;
    return 0;
}

static uint64_t instance_of_worker(const struct sim *s, worker_id id)
{
    for (size_t i = 0; i < s->disk.n_workers; i++)
        if (s->disk.workers[i].id.n == id.n)
            return s->disk.workers[i].instance;
    return 0;
}

static void clear(struct oracle *o, uint64_t task)
{
    memset(&o->current[task], 0, sizeof o->current[task]);
}

/* Is the end of a task decided, on the disk or in the batch that waits for it? */
static bool ended(const struct sim *s, task_id task)
{
    return task_state_ended(core_task_state(s->scheduler.core, task)) &&
           core_task_state(s->scheduler.core, task) != N_TASK_STATES;
}

/* --- what the core was told --- */

static bool told(const struct outbox *out, size_t send, enum send_kind kind, lease_id lease)
{
    for (size_t i = send; i < out->n_sends; i++)
        for (size_t k = 0; out->sends[i].kind == kind && k < out->sends[i].n; k++)
            if (out->grants[out->sends[i].grants + k].lease.n == lease.n)
                return true;
    return false;
}

/* A worker says what it has: all else that it was given is free again. */
static void on_hello(struct sim *s, const struct event *ev, const struct outbox *out, size_t send)
{
    struct oracle *o = s->oracle;

    o->said_hello[o->n_hello % 64].peer = ev->from;
    o->said_hello[o->n_hello++ % 64].instance = ev->worker->instance;
    for (uint64_t t = 1; t < SIM_TASKS; t++) {
        bool named = false;
        for (size_t i = 0; i < ev->n_held; i++)
            named |= ev->held[i].lease.n == o->current[t].lease.n;
        if (!named && o->current[t].instance == ev->worker->instance)
            clear(o, t);
    }
    for (size_t i = 0; i < ev->n_held; i++) {
        const struct event_held *h = &ev->held[i];
        uint64_t t = h->task.n;
        bool revoked = told(out, send, SEND_REVOKE, h->lease);
        bool kept = !revoked && !told(out, send, SEND_ACK, h->lease);
        if (kept && ended(s, h->task))
            sim_fail(s, "lease of task %llu is kept though the task has ended",
                     (unsigned long long)t);
        if (kept && o->current[t].lease.n && o->current[t].lease.n != h->lease.n &&
            !o->current[t].soft)
            sim_fail(s, "task %llu has two live leases", (unsigned long long)t);
        if (o->current[t].lease.n == h->lease.n || ended(s, h->task) || (!kept && !revoked))
            continue;
        if (kept || !o->current[t].lease.n) {
            o->current[t].lease = h->lease;
            o->current[t].instance = ev->worker->instance;
            o->current[t].soft = revoked;
        }
    }
}

static void on_event(struct sim *s, const struct event *ev, const struct outbox *out, size_t send)
{
    struct oracle *o = s->oracle;

    if (ev->kind == EV_HELLO)
        on_hello(s, ev, out, send);
    if (ev->kind == EV_RESULT)
        seen_of(o, ev->end->lease)->last_result = ev->end->reason;
    for (size_t i = 0; ev->kind == EV_RETURNED && i < ev->n_held; i++)
        if (o->current[ev->held[i].task.n].lease.n == ev->held[i].lease.n)
            clear(o, ev->held[i].task.n);
}

static void worker_gone(struct sim *s, worker_id id)
{
    uint64_t instance = instance_of_worker(s, id);

    for (uint64_t t = 1; instance && t < SIM_TASKS; t++)
        if (s->oracle->current[t].instance == instance)
            clear(s->oracle, t);
}

/* A change as it is decided: leases end in the order in which the core says so. */
static void decided(struct sim *s, const struct change *c)
{
    struct oracle *o = s->oracle;
    uint64_t t = c->end.task.n;
    bool current;

    switch (c->kind) {
    case CHG_WORKER_GONE:
        worker_gone(s, c->worker.id);
        break;
    case CHG_END:
    case CHG_ATTEMPT:
        current = o->current[t].lease.n == c->end.lease.n;
        if (c->kind == CHG_ATTEMPT && c->end.reason == END_SUPERSEDED) {
            if (current && !o->current[t].soft)
                sim_fail(s, "the result of task %llu under its current lease is thrown away",
                         (unsigned long long)t);
            break;
        }
        if (!current)
            sim_fail(s, "task %llu: lease %llx counts and is not the current one (%llx)",
                     (unsigned long long)t, (unsigned long long)c->end.lease.n,
                     (unsigned long long)o->current[t].lease.n);
        if (o->long_running[t].n == c->end.lease.n || c->kind == CHG_END)
            o->long_running[t].n = 0;
        clear(o, t);
        break;
    default:
        break;
    }
}

/* --- what it gives out --- */

/* What a worker holds of all that was granted, in cores; and the most it may. */
static void check_room(struct sim *s, uint64_t instance, peer_id peer)
{
    const struct oracle *o = s->oracle;
    uint64_t cores = 0, extra = 0, slots = 0;

    for (uint64_t t = 1; t < SIM_TASKS; t++)
        if (o->current[t].instance == instance && !o->current[t].soft)
            cores += world_array_of(s, (task_id){ t })->policy.cores;
    slots = s->opt.slots[s->connections[peer.n - 1].actor];
    for (uint32_t i = 0; i < s->opt.n_studies; i++) {
        const struct study_options *st = &s->opt.study[i];
        uint64_t n = slots * PREFETCH_MS / (uint64_t)st->fastest * st->policy.cores;
        if (s->opt.tasks_fail || s->opt.infra || s->opt.request_every_ms)
            n = slots * GRANTS_MAX; /* what ends early looks short */
        extra = n > extra ? n : extra;
    }
    if (cores > slots + extra)
        sim_fail(s, "worker holds %llu cores' worth, has %llu slots and may prefetch %llu",
                 (unsigned long long)cores, (unsigned long long)slots, (unsigned long long)extra);
}

static void granted(struct sim *s, const struct send *d, const struct outbox *out)
{
    struct oracle *o = s->oracle;
    uint64_t instance = instance_of_peer(o, d->to);

    for (size_t i = 0; i < d->n; i++) {
        const struct core_grant *g = &out->grants[d->grants + i];
        struct seen *e = seen_of(o, g->lease);
        uint64_t t = g->task.n;
        if (e->granted)
            sim_fail(s, "lease %llx is given out a second time", (unsigned long long)g->lease.n);
        if (g->lease.n >> 32 != s->disk.epoch)
            sim_fail(s, "lease %llx is not of epoch %u", (unsigned long long)g->lease.n,
                     s->disk.epoch);
        if (o->current[t].lease.n && !o->current[t].soft)
            sim_fail(s, "task %llu is given out while it is leased", (unsigned long long)t);
        if (o->long_running[t].n)
            sim_fail(s, "task %llu runs again only because the scheduler died",
                     (unsigned long long)t);
        e->granted = true;
        o->current[t].lease = g->lease;
        o->current[t].instance = instance;
        o->current[t].soft = false;
    }
    check_room(s, instance, d->to);
}

void oracle_step(struct sim *s, const struct event *ev, const struct outbox *out, size_t change,
                 size_t send)
{
    on_event(s, ev, out, send);
    for (size_t i = change; i < out->n_changes; i++)
        decided(s, &out->changes[i]);
    for (size_t i = send; i < out->n_sends; i++)
        if (out->sends[i].kind == SEND_ASSIGN)
            granted(s, &out->sends[i], out);
}

/* --- the disk --- */

static bool is_failure(enum end_reason r)
{
    return r == END_EXIT || r == END_SIGNAL || r == END_TIMEOUT || r == END_NOT_STARTED;
}

/* How many failures with this end are followed by another attempt. */
static uint32_t retries_of(const struct policy *p, const struct end_row *e)
{
    uint8_t action = e->reason == END_EXIT ? p->exit_action[e->code & 255] : EXIT_DEFAULT;

    if (action == EXIT_FATAL)
        return 0;
    return action == EXIT_RETRY && p->retries < EXIT_RETRY_TIMES ? EXIT_RETRY_TIMES : p->retries;
}

static void check_end(struct sim *s, const struct end_row *e)
{
    const struct disk_task *t = &s->disk.task[e->task.n];
    const struct policy *p = &world_array_of(s, e->task)->policy;
    unsigned long long n = e->task.n;

    if (t->ended)
        sim_fail(s, "task %llu ends a second time", n);
    if (e->state == TASK_FAILED && !is_failure(e->reason))
        sim_fail(s, "task %llu failed without a failure", n);
    if (e->state == TASK_FAILED && t->failures < retries_of(p, e))
        sim_fail(s, "task %llu failed with retries left", n);
    if ((e->state == TASK_FAILED || e->state == TASK_DONE) && e->attempts != t->failures + 1)
        sim_fail(s, "task %llu ended after %u attempts, the disk knows %u before", n, e->attempts,
                 t->failures);
    if (seen_of(s->oracle, e->lease)->counted)
        sim_fail(s, "task %llu: a lease counts twice", n);
}

static void check_attempt(struct sim *s, const struct end_row *e)
{
    const struct disk_task *t = &s->disk.task[e->task.n];
    const struct policy *p = &world_array_of(s, e->task)->policy;
    struct seen *seen = seen_of(s->oracle, e->lease);

    seen->recorded = true;
    if (!e->counted)
        return;
    if (!is_failure(e->reason))
        sim_fail(s, "task %llu: '%s' costs a retry", (unsigned long long)e->task.n,
                 end_reason_name(e->reason));
    if (t->failures >= retries_of(p, e))
        sim_fail(s, "task %llu is retried once too often", (unsigned long long)e->task.n);
    if (seen->counted)
        sim_fail(s, "task %llu: one failure costs two retries", (unsigned long long)e->task.n);
    seen->counted = true;
}

void oracle_change(struct sim *s, const struct change *c)
{
    const struct disk_task *task = s->disk.task;

    switch (c->kind) {
    case CHG_END:
        check_end(s, &c->end);
        seen_of(s->oracle, c->end.lease)->recorded = true;
        if (c->end.lease.n && is_failure(c->end.reason))
            seen_of(s->oracle, c->end.lease)->counted = true;
        break;
    case CHG_ATTEMPT:
        check_attempt(s, &c->end);
        break;
    case CHG_ADOPT:
        if (task[c->task.n].ended || !task[c->from.n].ended)
            sim_fail(s, "task %llu adopts the end of %llu", (unsigned long long)c->task.n,
                     (unsigned long long)c->from.n);
        break;
    case CHG_REOPEN:
        if (!task[c->task.n].ended)
            sim_fail(s, "task %llu is reopened and was open", (unsigned long long)c->task.n);
        break;
    default:
        break;
    }
}

static void count_disk(const struct sim *s, const struct core_study *cs,
                       uint64_t count[N_TASK_STATES])
{
    memset(count, 0, N_TASK_STATES * sizeof *count);
    for (uint64_t i = 0; i < cs->counts.n; i++)
        if (s->disk.task[cs->first.n + i].ended)
            count[s->disk.task[cs->first.n + i].state]++;
}

/* What the core says of a study is what the disk says. */
static void check_counts(struct sim *s, study_id study)
{
    struct core_study cs;
    uint64_t count[N_TASK_STATES];

    if (!core_study(s->scheduler.core, study, &cs))
        return;
    count_disk(s, &cs, count);
    if (cs.counts.done != count[TASK_DONE] || cs.counts.failed != count[TASK_FAILED] ||
        cs.counts.cancelled != count[TASK_CANCELLED] ||
        cs.counts.quarantined != count[TASK_QUARANTINED])
        sim_fail(s, "study %u: the counts that are told are not those on the disk", study.n);
    bool goes_on = cs.mode == MODE_ACTIVE && !cs.ended;
    if (s->disk.study[study.n].current.n != cs.array.n)
        sim_fail(s, "study %u: the disk knows another current array", study.n);
    if (goes_on != s->disk.study[study.n].active)
        sim_fail(s, "study %u: a restart would %s it", study.n, goes_on ? "forget" : "go on with");
}

static void check_restart(struct sim *s)
{
    struct outbox out;

    outbox_init(&out);
    struct core *again = disk_restore(s, s->disk.epoch + 1, s->now, s->scheduler.core, &out);
    core_check(again);
    if (core_digest(again) != core_digest(s->scheduler.core))
        sim_fail(s, "a core that starts from the disk would know something else");
    core_free(again);
    outbox_fini(&out);
}

void oracle_commit(struct sim *s)
{
    for (uint32_t i = 1; i <= SIM_STUDIES; i++)
        check_counts(s, (study_id){ i });
    if (rng_mix(s->seed + s->disk.n_commits) % 16 == 0)
        check_restart(s);
}

/* --- what leaves --- */

static void check_ack(struct sim *s, const struct core_grant *g)
{
    const struct seen *e = seen_of(s->oracle, g->lease);

    if (!e->recorded && !s->disk.task[g->task.n].ended && e->last_result != END_REVOKED)
        sim_fail(s, "the result of task %llu is acknowledged and not on the disk",
                 (unsigned long long)g->task.n);
}

void oracle_send(struct sim *s, const struct send *d, const struct outbox *out)
{
    bool on_disk = false;

    switch (d->kind) {
    case SEND_ACK:
        for (size_t i = 0; i < d->n; i++)
            check_ack(s, &out->grants[d->grants + i]);
        break;
    case SEND_SUBMITTED:
    case SEND_ASSIGN:
        for (size_t i = 0; i < s->disk.n_arrays; i++)
            on_disk |= s->disk.arrays[i].id.n == d->array.n;
        if (!on_disk)
            sim_fail(s, "array %u is told of and not on the disk", d->array.n);
        for (size_t i = 0; d->kind == SEND_ASSIGN && i < d->n; i++)
            if (s->disk.task[out->grants[d->grants + i].task.n].ended)
                sim_fail(s, "task %llu is given out and has ended",
                         (unsigned long long)out->grants[d->grants + i].task.n);
        break;
    case SEND_PROGRESS:
        check_counts(s, d->study);
        break;
    default:
        break;
    }
}

/* --- lives of the scheduler --- */

void oracle_scheduler_died(struct sim *s)
{
    struct oracle *o = s->oracle;
    const struct options *opt = &s->opt;
    ms_t known_after = DURABLE_LEASE_MS + BEAT_MS + 2 * opt->delay_max + 2 * opt->commit_max + 100;

    if (opt->crash_worker || opt->drain_worker || opt->pause_worker || opt->reset_link ||
        opt->clog_link)
        return; /* then others may cost work too */
    for (uint32_t w = 0; w < opt->n_workers; w++)
        for (size_t i = 0; i < s->workers[w].n_processes; i++) {
            const struct process *p = &s->workers[w].processes[i];
            uint64_t t = p->task.n;
            if (p->started && s->now - p->started_ms > known_after && p->why == STOP_NOT &&
                s->disk.study[world_array_of(s, p->task)->study.n].active &&
                o->current[t].lease.n == p->lease.n && !s->disk.task[t].ended)
                o->long_running[t] = p->lease;
        }
}

void oracle_scheduler_started(struct sim *s)
{
    struct oracle *o = s->oracle;

    memset(o->current, 0, sizeof o->current);
    memset(o->said_hello, 0, sizeof o->said_hello);
    for (size_t i = 0; i < s->disk.n_running; i++) {
        const struct disk_running *r = &s->disk.running[i];
        if (s->disk.task[r->task.n].ended)
            continue;
        o->current[r->task.n].lease = r->lease;
        o->current[r->task.n].instance = instance_of_worker(s, r->worker);
        o->current[r->task.n].soft = !s->disk.study[world_array_of(s, r->task)->study.n].active;
    }
}

/* --- how well it goes --- */

static uint64_t n_ready(const struct sim *s)
{
    struct core_study cs;
    uint64_t n = 0;

    for (uint32_t i = 1; i <= s->opt.n_studies; i++)
        if (s->scheduler.alive && core_study(s->scheduler.core, (study_id){ i }, &cs) &&
            cs.mode == MODE_ACTIVE)
            n += cs.counts.ready;
    return n;
}

/* A slot may be empty for as long as a result and a new lease are under way, both waiting for a
 * commit. */
void oracle_watch(struct sim *s)
{
    ms_t bound = 4 * s->opt.delay_max + 4 * s->opt.commit_max + 150;
    bool ready = n_ready(s) > 0;

    if (!s->opt.fault_free)
        return;
    for (uint32_t w = 0; w < s->opt.n_workers; w++) {
        bool moved = s->workers[w].n_spawned != s->oracle->n_spawned[w];
        s->oracle->n_spawned[w] = s->workers[w].n_spawned;
        if (!ready || moved || s->workers[w].n_processes >= s->opt.slots[w])
            s->oracle->idle_since[w] = s->now;
        if (s->now - s->oracle->idle_since[w] > bound)
            sim_fail(s, "worker %u has had a free slot for %lld ms while tasks were ready", w,
                     (long long)bound);
    }
}

static bool array_over(const struct sim *s, const struct array_row *row)
{
    for (uint64_t i = 0; i < row->n; i++)
        if (!s->disk.task[row->first.n + i].ended && !world_skips(s, row, i))
            return false;
    return true;
}

bool oracle_all_ended(struct sim *s)
{
    struct core_study cs;

    if (!s->scheduler.alive)
        return false;
    for (uint32_t i = 0; i < s->opt.n_studies; i++) {
        array_id current = s->disk.study[i + 1].current;
        if (!current.n)
            return false;
        const struct array_row *row = world_array(s, current);
        if (row->key[1] != s->client.variant[i] + 1)
            return false;
        bool halted =
            core_study(s->scheduler.core, (study_id){ i + 1 }, &cs) && cs.mode == MODE_HALTED;
        if (!halted && !array_over(s, row))
            return false;
    }
    return true;
}

static void check_makespan(struct sim *s)
{
    const struct array_row *row = world_array(s, s->disk.study[1].current);
    uint64_t work = 0, slots = 0, longest = 0;

    for (uint64_t i = 0; i < row->n; i++) {
        uint64_t ms = (uint64_t)world_duration(s, (task_id){ row->first.n + i });
        work += ms;
        longest = ms > longest ? ms : longest;
    }
    for (uint32_t w = 0; w < s->opt.n_workers; w++)
        slots += s->opt.slots[w];
    uint64_t ideal = work / slots, took = (uint64_t)(s->ended_ms - 1000);
    uint64_t round_trip = (uint64_t)(4 * s->opt.delay_max + 2 * s->opt.commit_max);
    uint64_t allowed = ideal + ideal / 2 + longest + round_trip * (2 + row->n / slots) + 100;
    if (took > allowed)
        sim_fail(s, "%llu points took %llu ms on %llu slots; %llu would be ideal, %llu is allowed",
                 (unsigned long long)row->n, (unsigned long long)took, (unsigned long long)slots,
                 (unsigned long long)ideal, (unsigned long long)allowed);
}

void oracle_end(struct sim *s)
{
    struct core_farm farm;

    core_farm(s->scheduler.core, &farm);
    if (farm.leases || farm.slots_busy)
        sim_fail(s, "all has ended and %llu leases are left", (unsigned long long)farm.leases);
    for (uint32_t w = 0; w < s->opt.n_workers; w++)
        if (s->workers[w].agent && (agent_held(s->workers[w].agent, s->now, NULL, 0) ||
                                    s->workers[w].n_results || s->workers[w].n_processes))
            sim_fail(s, "all has ended and worker %u holds something", w);
    for (uint64_t t = 1; t < SIM_TASKS; t++)
        if (s->oracle->current[t].lease.n && !s->oracle->current[t].soft)
            sim_fail(s, "all has ended and task %llu is leased", (unsigned long long)t);
    if (s->disk.n_running)
        sim_fail(s, "all has ended and %zu leases are on the disk as running", s->disk.n_running);
    if (s->opt.fault_free)
        check_makespan(s);
}

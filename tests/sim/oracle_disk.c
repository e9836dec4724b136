/* oracle_disk - what reaches the disk, and what may leave only then. What is wrong: oracle.h. */

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "tests/sim/oracle.h"

/* --- the disk --- */

bool oracle_is_failure(enum end_reason r)
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

/* A task that was reopened may be answered by a result from before a restart: nobody knows better.
 */
static bool counted_before(const struct sim *s, const struct end_row *e)
{
    uint32_t reopened = s->oracle->reopened[e->task.n];

    return oracle_seen(s->oracle, e->lease)->counted &&
           !(reopened && (reopened < s->disk.epoch || e->lease.n >> 32 < s->disk.epoch));
}

static void check_end(struct sim *s, const struct end_row *e)
{
    const struct disk_task *t = &s->disk.task[e->task.n];
    const struct policy *p = &world_array_of(s, e->task)->policy;
    unsigned long long n = e->task.n;

    if (t->ended)
        sim_fail(s, "task %llu ends a second time", n);
    if (e->state == TASK_FAILED && !oracle_is_failure(e->reason))
        sim_fail(s, "task %llu failed without a failure", n);
    if (e->state == TASK_FAILED && t->failures < retries_of(p, e))
        sim_fail(s, "task %llu failed with retries left", n);
    if ((e->state == TASK_FAILED || e->state == TASK_DONE) && e->attempts != t->failures + 1)
        sim_fail(s, "task %llu ended after %u attempts, the disk knows %u before", n, e->attempts,
                 t->failures);
    if (counted_before(s, e))
        sim_fail(s, "task %llu: a lease counts twice", n);
}

static void check_attempt(struct sim *s, const struct end_row *e)
{
    const struct disk_task *t = &s->disk.task[e->task.n];
    const struct policy *p = &world_array_of(s, e->task)->policy;
    struct seen *seen = oracle_seen(s->oracle, e->lease);

    seen->recorded = true;
    if (!e->counted)
        return;
    if (!oracle_is_failure(e->reason))
        sim_fail(s, "task %llu: '%s' costs a retry", (unsigned long long)e->task.n,
                 end_reason_name(e->reason));
    if (t->failures >= retries_of(p, e))
        sim_fail(s, "task %llu is retried once too often", (unsigned long long)e->task.n);
    if (counted_before(s, e))
        sim_fail(s, "task %llu: one failure costs two retries", (unsigned long long)e->task.n);
    seen->counted = true;
}

/* Work of a design that is given up may be stopped, and run again when the design comes back. */
static void another_design(struct sim *s, const struct array_row *current)
{
    for (uint64_t t = 1; t < SIM_TASKS; t++)
        if (s->oracle->long_running[t].n) {
            const struct array_row *row = world_array_of(s, (task_id){ t });
            if (row->study.n == current->study.n && row->id.n != current->id.n)
                s->oracle->long_running[t].n = 0;
        }
}

void oracle_change(struct sim *s, const struct change *c)
{
    const struct disk_task *task = s->disk.task;

    switch (c->kind) {
    case CHG_END:
        check_end(s, &c->end);
        oracle_seen(s->oracle, c->end.lease)->recorded = true;
        if (c->end.lease.n && oracle_is_failure(c->end.reason))
            oracle_seen(s->oracle, c->end.lease)->counted = true;
        break;
    case CHG_ARRAY:
    case CHG_CURRENT:
        another_design(s, &c->array);
        break;
    case CHG_ATTEMPT:
        check_attempt(s, &c->end);
        break;
    case CHG_ADOPT:
        if (task[c->task.n].ended || !task[c->from.n].ended)
            sim_fail(s, "task %llu adopts the end of %llu", (unsigned long long)c->task.n,
                     (unsigned long long)c->from.n);
        break;
    case CHG_REOPEN_FAILED:
        for (uint64_t t = c->task.n; t <= c->from.n; t++)
            s->oracle->reopened[t] = s->disk.epoch;
        break;
    case CHG_REOPEN:
        s->oracle->reopened[c->task.n] = s->disk.epoch;
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
        cs.counts.cancelled != count[TASK_CANCELLED] || cs.counts.unmet != count[TASK_UNMET] ||
        cs.counts.quarantined != count[TASK_QUARANTINED])
        sim_fail(s, "study %u: the counts that are told are not those on the disk", study.n);
    oracle_policy_on_disk(s, &cs);
    bool goes_on = cs.mode == MODE_ACTIVE && !cs.ended;
    if (s->disk.study[study.n].current.n != cs.array.n)
        sim_fail(s, "study %u: the disk knows another current array", study.n);
    if (goes_on != s->disk.study[study.n].active)
        sim_fail(s, "study %u: a restart would %s it", study.n, goes_on ? "forget" : "go on with");
}

/* A core with something left to do at once (tasks to skip because of an end just committed) may be
 * behind: a start does that with all the rest. */
static void check_restart(struct sim *s)
{
    struct outbox out;

    if (core_deadline(s->scheduler.core) <= s->now)
        return;
    outbox_init(&out);
    struct core *again = disk_restore(s, s->disk.epoch + 1, s->now, s->scheduler.core, &out);
    core_check(again);
    if (core_digest(again) != core_digest(s->scheduler.core)) {
        for (uint64_t t = 1; t < SIM_TASKS; t++) {
            enum task_state here = core_task_state(s->scheduler.core, (task_id){ t });
            enum task_state there = core_task_state(again, (task_id){ t });
            if (here != there && (task_state_ended(here) || task_state_ended(there)))
                sim_note(s, "oracle", "t%llu is %s, a restart says %s", (unsigned long long)t,
                         here < N_TASK_STATES ? task_state_name(here) : "unknown",
                         there < N_TASK_STATES ? task_state_name(there) : "unknown");
        }
        sim_fail(s, "a core that starts from the disk would know something else");
    }
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
    const struct seen *e = oracle_seen(s->oracle, g->lease);

    if (!e->recorded && !e->unknown && !s->disk.task[g->task.n].ended &&
        e->last_result != END_REVOKED)
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

/* A worker that is told that its result counts puts the directory of the attempt in its place. Of
 * short leases from before a restart the core cannot know; there the sweep of the loop looks into
 * the store. One that did count, whose ack was under way while a person had the task run again and
 * to its end elsewhere, still says so: nobody can call that back. */
void oracle_forgotten(struct sim *s, const struct end_row *e, bool counted)
{
    const struct disk_task *t = &s->disk.task[e->task.n];

    if (counted && e->reason == END_EXIT && !e->code && t->ended && t->state == TASK_DONE &&
        t->lease.n >> 32 == s->disk.epoch && e->lease.n >> 32 == s->disk.epoch &&
        t->lease.n != e->lease.n && !oracle_seen(s->oracle, e->lease)->recorded)
        sim_fail(s, "task %llu: a worker believes that its superseded result counts",
                 (unsigned long long)e->task.n);
}

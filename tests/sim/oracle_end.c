/* oracle_end - deaths of the scheduler, how well the slots are used, and what is left when all has
 * ended. What is wrong: oracle.h. */

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "tests/sim/oracle.h"

/* --- lives of the scheduler --- */

/* said_hello_since - a worker told the scheduler what it has only then, or later. */
static bool said_hello_since(const struct oracle *o, uint64_t instance, ms_t then)
{
    for (size_t i = 0; i < 64; i++)
        if (o->said_hello[i].instance == instance && o->said_hello[i].at >= then)
            return true;
    return false;
}

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
            const struct array_row *row = world_array_of(s, p->task);
            if (p->started && s->now - p->started_ms > known_after && p->why == STOP_NOT &&
                s->disk.study[row->study.n].active &&
                s->disk.study[row->study.n].current.n == row->id.n &&
                o->current[t].lease.n == p->lease.n && !o->current[t].soft &&
                !s->disk.task[t].ended &&
                !said_hello_since(o, o->current[t].instance, s->now - known_after))
                o->long_running[t] = p->lease;
        }
}

void oracle_scheduler_started(struct sim *s)
{
    struct oracle *o = s->oracle;

    memset(o->current, 0, sizeof o->current);
    memset(o->backup, 0, sizeof o->backup);
    memset(o->said_hello, 0, sizeof o->said_hello);
    memset(o->doubted, 0, sizeof o->doubted);
    memset(o->judged, 0, sizeof o->judged);
    memset(o->good, 0, sizeof o->good);
    memset(o->bad, 0, sizeof o->bad);
    for (size_t i = 0; i < s->disk.n_running; i++) {
        const struct disk_running *r = &s->disk.running[i];
        const struct array_row *row = world_array_of(s, r->task);
        if (s->disk.task[r->task.n].ended || o->current[r->task.n].lease.n)
            continue; /* the older one of two goes on being the task's */
        o->current[r->task.n].lease = r->lease;
        o->current[r->task.n].instance = oracle_instance(s, r->worker);
        o->current[r->task.n].soft = !s->disk.study[row->study.n].active ||
                                     s->disk.study[row->study.n].current.n != row->id.n;
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
    return row->kind == ARRAY_POINTS || row->closed;
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
        bool halted = core_study(s->scheduler.core, (study_id){ i + 1 }, &cs) &&
                      cs.mode == MODE_HALTED && !cs.counts.running;
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

static enum task_state disk_says(const struct sim *s, task_id task)
{
    const struct disk_task *t = &s->disk.task[task.n];

    const struct array_row *row = world_array_of(s, task);

    if (!t->ended && row && world_skips(s, row, task.n - row->first.n))
        return TASK_SKIPPED;
    return t->ended ? (enum task_state)t->state : TASK_READY;
}

/* could_run - a task of a study's present design that is skipped. One of a design that was replaced
 * stays as it was until that is back. */
static bool could_run(const struct sim *s, task_id task)
{
    const struct array_row *row = world_array_of(s, task);

    return s->disk.task[task.n].ended && s->disk.task[task.n].state == TASK_UNMET && row &&
           s->disk.study[row->study.n].current.n == row->id.n &&
           world_verdict(s, task, disk_says) != VERDICT_NEVER;
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
    for (uint64_t t = 1; t < SIM_TASKS; t++)
        if (could_run(s, (task_id){ t }))
            sim_fail(s, "all has ended and task %llu is skipped though it could run",
                     (unsigned long long)t);
    if (s->disk.n_running)
        sim_fail(s, "all has ended and %zu leases are on the disk as running", s->disk.n_running);
    if (s->opt.fault_free)
        check_makespan(s);
}

/* oracle_needs - what runs at a worker has what it asks for: never more cores, memory or of a
 * resource in use at once than there are, labels, and time enough before the worker's end. Seen at
 * the processes, not at the scheduler's books. And that what follows a call runs where that ran. */

#include <string.h>

#include "base/needs.h"
#include "tests/sim/oracle.h"

static uint32_t amount_of(const struct needs *n, const char *name)
{
    for (uint32_t i = 0; i < n->n_resources; i++)
        if (strcmp(n->resources[i].name, name) == 0)
            return n->resources[i].amount;
    return 0;
}

void oracle_spawned(struct sim *s, uint32_t w, const struct process *started)
{
    const struct sim_worker *k = &s->workers[w];
    uint64_t cores = 0, memory = 0, gpus = 0;

    for (size_t i = 0; i < k->n_processes; i++) {
        const struct needs *n = &world_array(s, k->processes[i].array)->policy.needs;
        cores += n->cores < k->row.slots ? n->cores : k->row.slots;
        memory += n->memory_mib;
        gpus += amount_of(n, "gpus");
    }
    const struct needs *n = &world_array(s, started->array)->policy.needs;
    if (!needs_fit(n, &k->row))
        sim_fail(s, "task %llu runs where it has not what it needs",
                 (unsigned long long)started->task.n);
    if (cores > k->row.slots || memory > k->row.memory_mib)
        sim_fail(s, "%llu cores and %llu MiB are in use at a worker that has %u and %llu",
                 (unsigned long long)cores, (unsigned long long)memory, k->row.slots,
                 (unsigned long long)k->row.memory_mib);
    if (gpus > worker_resource(&k->row, "gpus"))
        sim_fail(s, "%llu gpus are in use at a worker that has %u", (unsigned long long)gpus,
                 worker_resource(&k->row, "gpus"));
}

void oracle_granted_in_time(struct sim *s, uint64_t instance, task_id task)
{
    const struct needs *n = &world_array_of(s, task)->policy.needs;

    for (uint32_t w = 0; w < s->opt.n_workers; w++) {
        const struct worker_row *row = &s->workers[w].row;
        if (row->instance == instance && row->end_ms && s->now + n->least_ms >= row->end_ms)
            sim_fail(s, "task %llu is given to a worker that ends in %lld ms; it takes %lld",
                     (unsigned long long)task.n, (long long)(row->end_ms - s->now),
                     (long long)n->least_ms);
    }
}

/* The task that a call follows: that of its first edge, or with RULE_ANY the one that ended first
 * of those that count; NULL when it has not ended, or when what was first is not what the disk
 * says, because one of them was run again. */
static const struct disk_task *lead_of(const struct sim *s, const struct array_row *row,
                                       uint64_t index)
{
    uint8_t rule = world_rule(s, row, index);
    uint64_t on[EDGES_MAX];
    size_t n = world_edges(s, row, index, on);
    const struct disk_task *lead = NULL;

    for (size_t i = 0; i < n && (i == 0 || rule & RULE_ANY); i++) {
        const struct disk_task *t = &s->disk.task[row->first.n + on[i]];
        if (rule & RULE_ANY && s->oracle->reopened[row->first.n + on[i]])
            return NULL;
        bool counts = t->state == TASK_DONE ? !(rule & RULE_NOT_SUCCESS) : rule & RULE_ON_FAILURE;
        if (t->ended && (counts || !(rule & RULE_ANY)) && (!lead || t->end_n < lead->end_n))
            lead = t;
    }
    return lead;
}

/* A call that follows another one goes where that ended, as long as that worker is there and takes
 * new work. One that had to be given up for a while (quarantined, or about to end) is not judged,
 * and neither are backups, which run elsewhere, and those that need not wait for it. */
void oracle_granted_there(struct sim *s, peer_id to, task_id task)
{
    static struct core_worker workers[64];
    const struct array_row *row = world_array_of(s, task);
    uint64_t index = task.n - row->first.n;

    if (!world_calls(s, row->study) || row->policy.speculate ||
        !(world_rule(s, row, index) & RULE_FOLLOW))
        return;
    const struct disk_task *lead = lead_of(s, row, index);
    if (!lead || !lead->worker.n)
        return;
    size_t n = core_workers(s->scheduler.core, workers, 64);
    for (size_t i = 0; i < n && i < 64; i++) {
        const struct core_worker *w = &workers[i];
        if (w->row->id.n == lead->worker.n && !w->leaving && !w->quarantined && !w->row->end_ms &&
            needs_fit(&row->policy.needs, w->row) && w->peer.n != to.n)
            sim_fail(s, "task %llu does not follow task %llu to worker %u",
                     (unsigned long long)task.n, (unsigned long long)(lead - s->disk.task),
                     lead->worker.n);
    }
}

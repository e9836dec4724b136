/* restore - what a start reads back: studies that were active, workers that were connected, long
 * leases that were out. */

#include <string.h>

#include "base/log.h"
#include "scheduler/loop.h"

struct names {
    struct buf text;
};

static void on_name(void *ctx, const char *name)
{
    struct names *names = ctx;

    buf_adds(&names->text, name);
    buf_addc(&names->text, '\0');
}

static void on_worker(void *ctx, const struct worker_row *row)
{
    struct scheduler *s = ctx;

    core_step(s->core, s->now, &(struct event){ .kind = EV_KNOWN_WORKER, .worker = row }, &s->out);
}

static void on_running(void *ctx, lease_id lease, task_id task, worker_id worker, ms_t started_ms)
{
    struct scheduler *s = ctx;

    core_step(s->core, s->now,
              &(struct event){ .kind = EV_RUNNING,
                               .lease = lease,
                               .task = task,
                               .worker_id = worker,
                               .started_ms = started_ms },
              &s->out);
    log_info("event=restored_lease lease=%llu task=%llu", (unsigned long long)lease.n,
             (unsigned long long)task.n);
}

enum err restore(struct scheduler *s, struct fault *f)
{
    struct names names = { { 0 } };
    enum err err = store_active_studies(s->store, on_name, &names, f);

    for (const char *name = names.text.data; !err && name && name < names.text.data + names.text.n;
         name += strlen(name) + 1) {
        study_id id;
        err = submit_load(s, name, &id, f);
    }
    buf_fini(&names.text);
    if (!err)
        err = store_workers(s->store, on_worker, s, f);
    if (!err)
        err = store_running(s->store, on_running, s, f);
    if (!err)
        core_step(s->core, s->now, &(struct event){ .kind = EV_RESTORED }, &s->out);
    return err;
}

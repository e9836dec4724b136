#include "cli/facts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/must.h"
#include "base/reason.h"
#include "cli/cli.h"
#include "cli/local.h"
#include "cli/progress.h"
#include "cli/stream.h"

static void describe(struct facts *x);
static void describe_end(struct facts *x);
static enum err find_attempts(struct facts *x, task_id task, struct fault *f);
static enum err find_state(struct facts *x, task_id task, struct fault *f);

static enum err find_point(struct facts *x, const char *text, task_id *task, struct fault *f)
{
    uint64_t index = 0;
    enum err err = study_find(x->look->study, text, &index, f);
    if (err)
        return err;
    study_point(x->look->study, index, &x->point);
    task->n = x->look->row.array.first.n + index;
    return ERR_NONE;
}

enum err facts_gather(struct facts *x, struct look *l, const char *text, struct fault *f)
{
    task_id task = { 0 };
    bool call = look_of_calls(l);
    *x = (struct facts){ .look = l };
    point_init(&x->point);
    enum err err = call ? facts_of_call(x, text, &task, f) : find_point(x, text, &task, f);
    if (!err)
        err = reader_end(l->reader, task, &x->ended, &x->end, &x->body, &x->text, f);
    if (err)
        return err;
    if (!call)
        describe(x);
    describe_end(x);
    err = find_attempts(x, task, f);
    return err ? err : find_state(x, task, f);
}

void facts_fini(struct facts *x)
{
    point_fini(&x->point);
    buf_fini(&x->call);
    buf_fini(&x->after);
    buf_fini(&x->label);
    buf_fini(&x->command);
    buf_fini(&x->restart);
    buf_fini(&x->cwd);
    buf_fini(&x->dir);
    buf_fini(&x->text);
    buf_fini(&x->last_line);
    buf_fini(&x->why);
    free(x->attempts);
}

static void describe(struct facts *x)
{
    const struct study *s = x->look->study;
    struct buf out_dir = { 0 };
    bool kept = x->ended && x->body.dir && x->body.dir[0];
    x->seed = study_seed(s, &x->point);
    study_point_label(s, &x->point, &x->label);
    look_point_dir(x->look, &x->point, &out_dir);
    const char *at_worker = kept ? kept_at(x->body.dir) : NULL;
    struct dirs dirs = { at_worker ? at_worker : out_dir.data, x->look->dir };
    if (study_function(s))
        buf_adds(&x->command, study_function(s));
    else
        study_command_line(s, &x->point, &dirs, &x->command);
    study_restart_line(s, &x->point, &dirs, &x->restart);
    if (kept)
        (void)kept_path(x->body.dir, x->look->dir, &x->dir);
    else if (study_needs_dir(s))
        buf_adds(&x->dir, out_dir.data);
    buf_adds(&x->cwd, study_runs_in_dir(s) ? buf_text(&x->dir) : study_cwd(s));
    buf_fini(&out_dir);
}

static void describe_end(struct facts *x)
{
    if (x->ended && x->end.state != TASK_DONE) {
        struct stream err = stream_of(&x->body, true);
        stream_last_line(&err, x->look->dir, &x->last_line);
    }
}

/* ---- attempts ---- */

static void add_attempt(struct facts *x, const struct end_row *row, bool result)
{
    struct worker_row worker;
    struct fault unused;
    x->attempts = realloc(x->attempts, (x->n_attempts + 1) * sizeof *x->attempts);
    must(x->attempts);
    struct attempt *a = &x->attempts[x->n_attempts++];
    *a = (struct attempt){ .row = *row, .result = result };
    if (reader_worker(x->look->reader, row->worker, &worker, &unused) == ERR_NONE) {
        snprintf(a->worker, sizeof a->worker, "%s", worker.name);
        snprintf(a->host, sizeof a->host, "%s", worker.host);
    }
    if (row->body && row->body->error_line)
        snprintf(a->error_line, sizeof a->error_line, "%s", row->body->error_line);
    a->row.body = NULL;
}

static enum err on_attempt(void *ctx, const struct end_row *row, struct fault *f)
{
    (void)f;
    add_attempt(ctx, row, false);
    return ERR_NONE;
}

static enum err find_attempts(struct facts *x, task_id task, struct fault *f)
{
    enum err err = reader_attempts(x->look->reader, task, on_attempt, x, f);
    if (!err && x->ended)
        add_attempt(x, &x->end, true);
    return err;
}

/* ---- the state ---- */

struct lease {
    task_id task;
    bool found;
    worker_id worker;
    ms_t started_ms;
};

static void on_running(void *ctx, lease_id id, task_id task, worker_id worker, ms_t started_ms)
{
    struct lease *l = ctx;
    (void)id;
    if (task.n != l->task.n)
        return;
    l->found = true;
    l->worker = worker;
    l->started_ms = started_ms;
}

/* Whose end is the reason that a point never ran. */
static void say_unmet(struct facts *x)
{
    struct reader_because why;
    struct fault unused;
    bool found = false;
    if (reader_because(x->look->reader, x->end.task, &found, &why, &unused) || !found)
        return;
    if (*why.key)
        buf_addf(&x->why, " (call %s:%" PRIu64, why.key, why.index);
    else
        buf_addf(&x->why, " (point %" PRIu64 " of %s", why.index, why.study);
    if (task_state_ended(why.state))
        buf_addf(&x->why, ": %s", task_state_name(why.state));
    buf_adds(&x->why, ")");
}

static void say_ended(struct facts *x)
{
    const struct end_row *end = &x->end;
    buf_adds(&x->why, task_state_name(end->state));
    bool plain = end->state == TASK_DONE && end->reason == END_EXIT && end->code == 0;
    if (end->state == TASK_CANCELLED)
        buf_adds(&x->why, " (grange retry takes it back)");
    if (!plain && end->state != TASK_CANCELLED) {
        buf_adds(&x->why, ": ");
        reason_words(end->reason, end->code, &x->why);
        if (end->reason == END_UNMET)
            say_unmet(x);
    }
    if (end->state == TASK_DONE && !plain)
        buf_adds(&x->why, ", which counts as success");
    if (end->attempts > 1)
        buf_addf(&x->why, " after %u attempts", end->attempts);
}

static void say_running(struct facts *x, const struct lease *l)
{
    struct worker_row worker;
    struct fault unused;
    ms_t elapsed = clock_wall_ms() - l->started_ms;
    buf_adds(&x->why, "running for ");
    progress_duration(elapsed > 0 ? elapsed : 0, &x->why);
    if (reader_worker(x->look->reader, l->worker, &worker, &unused) == ERR_NONE)
        buf_addf(&x->why, " on worker %s, host %s", worker.name, worker.host);
}

static void say_to_do(struct facts *x, bool serves)
{
    const struct attempt *last = NULL;
    for (size_t i = 0; i < x->n_attempts; i++)
        if (x->attempts[i].row.reason != END_SUPERSEDED)
            last = &x->attempts[i];
    x->state = last && last->row.counted ? TASK_WAITING : TASK_READY;
    buf_addf(&x->why, "%s: ", task_state_name(x->state));
    if (last) {
        buf_adds(&x->why, "to be run again (");
        if (last->row.reason == END_REVOKED) /* whose words say the same once more */
            buf_adds(&x->why, "stopped");
        else
            reason_words(last->row.reason, last->row.code, &x->why);
        buf_adds(&x->why, ")");
    } else {
        buf_adds(&x->why, "not started yet");
    }
    if (serves && x->look->row.active) {
        buf_adds(&x->why, ", waiting for its turn");
        return;
    }
    const char *verb = !x->call.n ? "resume" : serves ? "release" : "up";
    buf_adds(&x->why, serves ? "; the study is on hold" : "; nothing runs this study now");
    buf_addf(&x->why, ", go on with: grange %s", verb);
    if (!x->call.n || serves)
        buf_addf(&x->why, " %s", x->look->row.name);
    cli_dir_flag(x->look->dir, &x->why);
}

static enum err find_state(struct facts *x, task_id task, struct fault *f)
{
    bool left_out = false, serves = local_serves(x->look->dir);
    struct lease lease = { .task = task };
    if (x->ended) {
        x->state = x->end.state;
        say_ended(x);
        return ERR_NONE;
    }
    enum err err = x->call.n ? ERR_NONE : look_left_out(x->look, &x->point, &left_out, f);
    if (!err && !left_out && serves)
        err = reader_running(x->look->reader, &x->look->row, on_running, &lease, f);
    if (err)
        return err;
    if (left_out) {
        x->state = TASK_SKIPPED;
        buf_addf(&x->why, "skipped: left out by --where '%s'", study_where(x->look->study));
    } else if (lease.found) {
        x->state = TASK_LEASED;
        say_running(x, &lease);
    } else {
        say_to_do(x, serves);
    }
    return ERR_NONE;
}

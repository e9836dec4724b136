/* store: one transaction a turn, and what a start reads back. */
#include <criterion/criterion.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/needs.h"
#include "store/store.h"
#include "store_help.h"

static char dir[64];
static struct store *st;
static struct fault f;

static void setup(void)
{
    make_dir(dir);
}
static void teardown(void)
{
    store_close(st);
    st = NULL;
    remove_dir(dir);
}
TestSuite(store, .init = setup, .fini = teardown);

static void db_file(char *path, size_t n)
{
    snprintf(path, n, "%s/grange.db", dir);
}

static void open_store(void)
{
    cr_assert_eq(store_open(dir, STORE_SYNC_FULL, &st, &f), ERR_NONE, "%s", f.text);
}

static void reopen_store(void)
{
    store_close(st);
    open_store();
}

static void commit(const struct change *changes, size_t n)
{
    cr_assert_eq(store_commit(st, changes, n, &f), ERR_NONE, "%s", f.text);
}

/* Array `id` of study 1 "s", n tasks from `first`. */
static void add_array(uint32_t id, uint64_t first, uint64_t n)
{
    struct change ch = change_array(id, 1, "s", first, n);

    commit(&ch, 1);
}

static void add_end(uint64_t task, enum task_state state)
{
    struct change ch = change_end(task, 1000 + task, state);

    commit(&ch, 1);
}

static struct array_row load_array(uint32_t id, struct buf *text)
{
    struct array_row row;
    bool found;

    cr_assert_eq(store_array(st, (array_id){ id }, &found, &row, text, &f), ERR_NONE, "%s", f.text);
    cr_assert(found);
    return row;
}

static void states_of(uint32_t id, uint8_t *state)
{
    struct buf text = { 0 };
    struct array_row row = load_array(id, &text);

    memset(state, 0, row.n);
    cr_assert_eq(store_states(st, &row, state, &f), ERR_NONE, "%s", f.text);
    buf_fini(&text);
}

/* The first column of what SQL gives, in a connection of its own. */
static int64_t ask(const char *sql)
{
    char path[100];
    sqlite3 *db;
    sqlite3_stmt *s;

    db_file(path, sizeof path);
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
    cr_assert_eq(sqlite3_step(s), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return value;
}

Test(store, the_epoch_grows_with_every_start)
{
    uint32_t epoch;

    for (uint32_t want = 1; want <= 3; want++) {
        open_store();
        cr_assert_eq(store_epoch_raise(st, &epoch, &f), ERR_NONE);
        cr_assert_eq(epoch, want);
        store_close(st);
    }
    st = NULL;
}

Test(store, numbers_continue_after_the_largest_used)
{
    struct store_next next;

    open_store();
    cr_assert_eq(store_next(st, &next, &f), ERR_NONE);
    cr_assert(next.study == 1 && next.array == 1 && next.worker == 1 && next.task == 1);
    add_array(4, 1, 10);
    add_array(5, 11, 7);
    struct change ch = { .kind = CHG_WORKER, .worker = { .id = { 9 }, .name = "w", .host = "h" } };
    commit(&ch, 1);
    reopen_store();
    cr_assert_eq(store_next(st, &next, &f), ERR_NONE);
    cr_assert(next.study == 2 && next.array == 6 && next.worker == 10 && next.task == 18);
}

Test(store, an_array_comes_back_as_it_was)
{
    char spec[5000];
    struct buf text = { 0 };
    struct study_row study;
    bool found;

    memset(spec, 'x', sizeof spec);
    open_store();
    struct change ch = change_array(3, 2, "my study", 100, 50);
    ch.array.spec = spec;
    ch.array.spec_bytes = sizeof spec;
    ch.array.policy = (struct policy){ .retries = 3,
                                       .timeout_ms = 1500,
                                       .needs.cores = 2,
                                       .halt_when = HALT_NOW,
                                       .order_seed = 0xfedcba9876543210u,
                                       .grace_ms = 7 };
    ch.array.policy.exit_action[75] = EXIT_RETRY;
    ch.array.policy.exit_action[0] = EXIT_FATAL;
    ch.array.policy.priority = -3;
    ch.array.policy.speculate = true;
    cr_assert(needs_add_resource(&ch.array.policy.needs, "gpus", 2));
    cr_assert(needs_add_label(&ch.array.policy.needs, "arch=arm"));
    commit(&ch, 1);
    reopen_store();
    struct array_row row = load_array(3, &text);
    cr_assert(row.id.n == 3 && row.study.n == 2 && row.first.n == 100 && row.n == 50);
    cr_assert_arr_eq(row.key, ch.array.key, sizeof row.key);
    cr_assert_eq(row.submitted_ms, ch.array.submitted_ms);
    cr_assert_arr_eq(&row.policy, &ch.array.policy, sizeof row.policy);
    cr_assert_str_eq(row.name, "my study");
    cr_assert_eq(row.spec_bytes, sizeof spec);
    cr_assert_arr_eq(row.spec, spec, sizeof spec);
    cr_assert_lt(ask("SELECT length(spec) FROM array"), 1000, "packed");

    cr_assert_eq(store_find_study(st, "my study", &found, &study, &f), ERR_NONE);
    cr_assert(found && study.id.n == 2 && study.current.n == 3 && !study.active);
    cr_assert_eq(store_find_study(st, "other", &found, &study, &f), ERR_NONE);
    cr_assert(!found && study.id.n == 0);
    cr_assert_eq(store_find_array(st, (study_id){ 2 }, ch.array.key, &found, &row, &text, &f),
                 ERR_NONE);
    cr_assert(found && row.id.n == 3);
    cr_assert_eq(store_find_array(st, (study_id){ 1 }, ch.array.key, &found, &row, &text, &f),
                 ERR_NONE);
    cr_assert_not(found);
    buf_fini(&text);
}

Test(store, a_policy_changes_and_nothing_else_of_its_array)
{
    struct buf text = { 0 };

    open_store();
    struct change ch = change_array(3, 2, "my study", 100, 50);
    commit(&ch, 1);
    struct change other = { .kind = CHG_POLICY, .array.id = { 3 } };
    other.array.policy = ch.array.policy;
    other.array.policy.priority = 7;
    commit(&other, 1);
    reopen_store();
    struct array_row row = load_array(3, &text);
    cr_assert(row.policy.priority == 7 && row.policy.retries == ch.array.policy.retries);
    cr_assert(row.n == 50 && row.study.n == 2);
    cr_assert_arr_eq(row.key, ch.array.key, sizeof row.key);
    buf_fini(&text);
}

static void count_name(void *ctx, const char *name)
{
    buf_addf(ctx, "%s,", name);
}

Test(store, an_older_array_becomes_current_again)
{
    struct buf text = { 0 }, ids = { 0 };
    struct study_row study;
    bool found;

    open_store();
    add_array(1, 1, 10);
    add_array(2, 11, 10);
    struct change ch[2] = { change_array(1, 1, "s", 1, 10),
                            { .kind = CHG_STUDY_STATE, .study = { 1 }, .active = true } };
    ch[0].kind = CHG_CURRENT;
    ch[0].array.policy.retries = 77;
    ch[0].array.spec = "[2]";
    ch[0].array.submitted_ms = 123;
    commit(ch, 2);
    cr_assert_eq(store_find_study(st, "s", &found, &study, &f), ERR_NONE);
    cr_assert(found && study.current.n == 1 && study.active);
    struct array_row row = load_array(1, &text);
    cr_assert(row.policy.retries == 77 && row.submitted_ms == 123);
    cr_assert_arr_eq(row.spec, "[2]", 3);
    cr_assert_eq(store_other_arrays(st, (study_id){ 1 }, (array_id){ 1 }, &ids, &f), ERR_NONE);
    cr_assert(ids.n == sizeof(array_id) && ((array_id *)ids.data)->n == 2);
    buf_clear(&text);
    cr_assert_eq(store_active_studies(st, count_name, &text, &f), ERR_NONE);
    cr_assert_str_eq(text.data, "s,");
    buf_fini(&text);
    buf_fini(&ids);
}

Test(store, states_are_own_ends_and_adopted_ones)
{
    uint8_t state[10];

    open_store();
    add_array(1, 1, 10);
    add_end(1, TASK_DONE);
    add_end(3, TASK_FAILED);
    add_array(2, 11, 5);
    struct change ch[] = {
        { .kind = CHG_ADOPT, .task = { 15 }, .from = { 1 } },
        { .kind = CHG_ADOPT, .task = { 11 }, .from = { 3 } },
        { .kind = CHG_ADOPT, .task = { 12 }, .from = { 9 } }, /* which has not ended */
    };
    commit(ch, 3);
    add_end(13, TASK_CANCELLED);
    add_array(3, 16, 2);
    struct change chain = { .kind = CHG_ADOPT,
                            .task = { 17 },
                            .from = { 15 } }; /* an adopted one */
    commit(&chain, 1);
    reopen_store();
    states_of(1, state);
    cr_assert_arr_eq(state, ((uint8_t[]){ TASK_DONE, 0, TASK_FAILED, 0, 0, 0, 0, 0, 0, 0 }), 10);
    states_of(2, state);
    cr_assert_arr_eq(state, ((uint8_t[]){ TASK_FAILED, 0, TASK_CANCELLED, 0, TASK_DONE }), 5);
    states_of(3, state);
    cr_assert_arr_eq(state, ((uint8_t[]){ 0, TASK_DONE }), 2);
}

static void sum_us(void *ctx, uint64_t us)
{
    *(uint64_t *)ctx += us;
}

Test(store, many_adoptions_are_one_change)
{
    enum { N = 250 }; /* whole statements and a rest */
    struct adopt pairs[N];
    uint8_t state[N + 1];

    open_store();
    add_array(1, 1, N);
    add_array(2, 1 + N, N + 1);
    for (uint64_t i = 0; i < N; i++) {
        add_end(1 + i, i % 2 ? TASK_DONE : TASK_FAILED);
        pairs[i] = (struct adopt){ .task = { 1 + N + i }, .from = { N - i } };
    }
    struct change many = { .kind = CHG_ADOPT, .adopts = { pairs, N } };
    commit(&many, 1);
    states_of(2, state);
    for (size_t i = 0; i < N; i++)
        cr_assert_eq(state[i], (N - i - 1) % 2 ? TASK_DONE : TASK_FAILED, "%d", (int)i);
    cr_assert_eq(state[N], 0);
    commit(&many, 1); /* again: what was there is replaced */
    cr_assert_eq(ask("SELECT count(*) FROM adopted"), N);
}

Test(store, durations_are_of_points_that_succeeded)
{
    struct buf text = { 0 };
    uint64_t sum = 0;

    open_store();
    add_array(1, 1, 10);
    add_end(1, TASK_DONE);
    add_end(2, TASK_FAILED);
    add_end(3, TASK_DONE);
    struct array_row row = load_array(1, &text);
    cr_assert_eq(store_durations(st, &row, sum_us, &sum, &f), ERR_NONE);
    cr_assert_eq(sum, 2 * END_WALL_US);
    buf_fini(&text);
}

static void note_took(void *ctx, task_id task, uint64_t us)
{
    cr_assert_eq(us, END_WALL_US);
    buf_addf(ctx, "%u ", (unsigned)task.n);
}

Test(store, took_is_of_the_last_ends_of_any_array)
{
    struct buf tasks = { 0 };

    open_store();
    cr_assert_eq(store_took(st, 10, note_took, &tasks, &f), ERR_NONE);
    cr_assert_eq(tasks.n, 0);
    add_array(1, 1, 10);
    add_array(2, 11, 10);
    add_end(1, TASK_DONE);
    add_end(2, TASK_DONE);
    add_end(3, TASK_FAILED);
    add_end(12, TASK_DONE);
    cr_assert_eq(store_took(st, 3, note_took, &tasks, &f), ERR_NONE);
    cr_assert_str_eq(tasks.data, "12 2 ");
    buf_fini(&tasks);
}

static void note_trouble(void *ctx, task_id task, uint32_t failures, uint32_t losses, lease_id last)
{
    cr_assert_eq(last.n != 0, failures != 0);
    buf_addf(ctx, "%u:%u/%u ", (unsigned)task.n, failures, losses);
}

static void add_attempt(uint64_t task, enum end_reason reason, bool counted)
{
    struct change ch = change_end(task, 1, TASK_READY);

    ch.kind = CHG_ATTEMPT;
    ch.end.reason = reason;
    ch.end.counted = counted;
    commit(&ch, 1);
}

static void add_stopped(uint64_t task, enum end_reason reason, bool began)
{
    struct change ch = change_end(task, 1, TASK_READY);

    ch.kind = CHG_ATTEMPT;
    ch.end.reason = reason;
    ch.end.counted = false;
    if (!began)
        ch.end.started_ms = ch.end.ended_ms = 0, ch.end.wall_us = 0;
    commit(&ch, 1);
}

static const char *troubles(struct buf *said)
{
    struct buf text = { 0 };
    struct array_row row = load_array(1, &text);

    buf_clear(said);
    cr_assert_eq(store_troubles(st, &row, note_trouble, said, &f), ERR_NONE);
    buf_fini(&text);
    return buf_text(said);
}

Test(store, troubles_count_failures_and_losses_in_a_row_of_open_tasks)
{
    struct buf said = { 0 };

    open_store();
    add_array(1, 1, 10);
    cr_assert_str_eq(troubles(&said), "");
    add_attempt(5, END_LOST, false);
    add_attempt(5, END_EXIT, true);
    add_attempt(5, END_LOST, false);
    add_attempt(5, END_LOST, false);
    add_attempt(2, END_TIMEOUT, true);
    add_attempt(3, END_EXIT, true);
    add_attempt(4, END_SUPERSEDED, false);
    add_attempt(50, END_EXIT, true);
    add_end(3, TASK_DONE);
    cr_assert_str_eq(troubles(&said), "5:1/2 2:1/0 ");
    add_end(5, TASK_FAILED);
    cr_assert_str_eq(troubles(&said), "2:1/0 ");
    struct change again = { .kind = CHG_REOPEN, .task = { 5 } };
    commit(&again, 1);
    cr_assert_str_eq(troubles(&said), "2:1/0 ", "what came before a retry does not count");
    add_attempt(5, END_EXIT, true);
    cr_assert_str_eq(troubles(&said), "2:1/0 5:1/0 ");
    add_stopped(7, END_REVOKED, false);
    add_stopped(8, END_REVOKED, true);
    add_stopped(9, END_INFRA, false);
    add_stopped(10, END_INFRA, true);
    add_stopped(2, END_REVOKED, true);
    cr_assert_str_eq(troubles(&said), "2:1/0 5:1/0 8:0/0 10:0/0 ", "begun, though only stopped");
    buf_fini(&said);
}

Test(store, a_reopened_end_becomes_an_attempt_that_does_not_count)
{
    uint8_t state[10];
    char err[100000];
    struct end_body body = { .values = "[\"1\"]",
                             .out = "o",
                             .out_bytes = 1,
                             .err = err,
                             .err_bytes = sizeof err,
                             .error_line = "why" };

    memset(err, 'e', sizeof err);
    open_store();
    add_array(1, 1, 4);
    struct change ch[4] = { change_end(1, 7, TASK_FAILED),
                            change_end(2, 8, TASK_DONE),
                            change_end(3, 9, TASK_QUARANTINED),
                            { .kind = CHG_REOPEN, .task = { 1 } } };
    ch[0].end.body = ch[1].end.body = &body;
    commit(ch, 3);
    add_array(2, 5, 2);
    struct change adopt = { .kind = CHG_ADOPT, .task = { 6 }, .from = { 3 } };
    commit(&adopt, 1);
    struct change more[3] = { ch[3],
                              { .kind = CHG_REOPEN, .task = { 6 } },
                              { .kind = CHG_REOPEN, .task = { 4 } } };
    commit(more, 3);
    states_of(1, state);
    cr_assert_arr_eq(state, ((uint8_t[]){ 0, TASK_DONE, TASK_QUARANTINED, 0 }), 4);
    states_of(2, state);
    cr_assert_arr_eq(state, ((uint8_t[]){ 0, 0 }), 2);
    cr_assert_eq(ask("SELECT count(*) FROM output"), 1, "the output of a reopened end goes");
    cr_assert_eq(ask("SELECT count(*) FROM attempt"), 2);
    cr_assert_eq(
        ask("SELECT count(*) FROM attempt WHERE task IN (1, 6) AND NOT counted AND reopened"), 2);
    cr_assert_eq(ask("SELECT length(err) FROM attempt WHERE task = 1"), 65536);
    cr_assert_eq(ask("SELECT lease FROM attempt WHERE task = 6"), 9);
    add_end(1, TASK_DONE);
    states_of(1, state);
    cr_assert_eq(state[0], TASK_DONE);
}

Test(store, all_that_failed_is_reopened_at_once)
{
    uint8_t state[4];

    open_store();
    add_array(1, 1, 4);
    add_end(1, TASK_FAILED);
    add_end(2, TASK_DONE);
    add_array(2, 5, 4);
    struct change ch[] = {
        { .kind = CHG_ADOPT, .task = { 5 }, .from = { 1 } },
        { .kind = CHG_ADOPT, .task = { 6 }, .from = { 2 } },
        change_end(7, 3, TASK_CANCELLED),
        { .kind = CHG_REOPEN_FAILED, .task = { 5 }, .from = { 8 } },
        change_end(8, 4, TASK_FAILED),
    };
    commit(ch, 5);
    states_of(1, state);
    cr_assert_arr_eq(state, ((uint8_t[]){ TASK_FAILED, TASK_DONE, 0, 0 }), 4);
    states_of(2, state);
    cr_assert_arr_eq(state, ((uint8_t[]){ 0, TASK_DONE, 0, TASK_FAILED }), 4,
                     "in the order of the changes");
    cr_assert_eq(ask("SELECT count(*) FROM attempt WHERE task IN (5, 7)"), 2);
}

static void note_running(void *ctx, lease_id lease, task_id task, worker_id worker, ms_t started_ms)
{
    buf_addf(ctx, "%u:%u:%u:%d ", (unsigned)lease.n, (unsigned)task.n, worker.n, (int)started_ms);
}

static void note_worker(void *ctx, const struct worker_row *row)
{
    buf_addf(ctx, "%u:%s@%s:%llx:%u:%u:%u ", row->id.n, row->name, row->host,
             (unsigned long long)row->instance, row->pid, row->slots, (unsigned)row->memory_mib);
    if (row->labels)
        buf_addf(ctx, "%s ", row->labels);
    for (uint32_t i = 0; i < row->n_resources; i++)
        buf_addf(ctx, "%s=%u ", row->resources[i].name, row->resources[i].amount);
    if (row->end_ms)
        buf_addf(ctx, "ends %d ", (int)row->end_ms);
}

Test(store, running_leases_and_workers_come_back)
{
    struct buf said = { 0 };
    bool found;
    task_id task;

    open_store();
    struct change ch[] = {
        { .kind = CHG_RUNNING,
          .end = { .task = { 1 }, .lease = { 11 }, .worker = { 1 }, .started_ms = 5 } },
        { .kind = CHG_RUNNING,
          .end = { .task = { 2 }, .lease = { 12 }, .worker = { 2 }, .started_ms = 6 } },
        { .kind = CHG_RUNNING,
          .end = { .task = { 1 }, .lease = { 11 }, .worker = { 1 }, .started_ms = 7 } },
        { .kind = CHG_STOPPED, .end = { .lease = { 12 } } },
        { .kind = CHG_STOPPED, .end = { .lease = { 99 } } },
        { .kind = CHG_WORKER,
          .worker = { .id = { 1 },
                      .instance = UINT64_MAX,
                      .name = "a",
                      .host = "h",
                      .pid = 4,
                      .slots = 2,
                      .memory_mib = 100 } },
        { .kind = CHG_WORKER, .worker = { .id = { 2 }, .name = "b", .host = "h" } },
        { .kind = CHG_WORKER_GONE, .worker = { .id = { 2 } } },
        { .kind = CHG_WORKER, .worker = { .id = { 3 }, .name = "c", .host = "h" } },
        { .kind = CHG_WORKER, /* it said hello again, with more to offer */
          .worker = { .id = { 3 },
                      .name = "c",
                      .host = "h",
                      .slots = 4,
                      .labels = "big\nfn:noop",
                      .n_resources = 2,
                      .resources = { { "gpus", 2 }, { "licences", 1 } },
                      .end_ms = 99 } },
        change_end(1, 11, TASK_DONE),
    };
    commit(ch, sizeof ch / sizeof *ch);
    reopen_store();
    cr_assert_eq(store_running(st, note_running, &said, &f), ERR_NONE);
    cr_assert_eq(store_workers(st, note_worker, &said, &f), ERR_NONE);
    cr_assert_str_eq(said.data, "11:1:1:7 1:a@h:ffffffffffffffff:4:2:100 "
                                "3:c@h:0:0:4:0 big\nfn:noop gpus=2 licences=1 ends 99 ");
    cr_assert_eq(store_lease_won(st, (lease_id){ 11 }, &found, &task, &f), ERR_NONE);
    cr_assert(found && task.n == 1);
    cr_assert_eq(store_lease_won(st, (lease_id){ 12 }, &found, &task, &f), ERR_NONE);
    cr_assert_not(found);
    buf_fini(&said);
}

Test(store, files_of_attempts_and_of_what_runs_again_are_named)
{
    struct end_body long_out = { .values = "[]", .out_file = "output/s/0-1.stdout" },
                    long_err = { .values = "[]", .err_file = "output/s/1-2.stderr" };
    size_t n;

    open_store();
    add_array(1, 1, 4);
    struct change ch[] = { change_end(1, 1, TASK_WAITING), change_end(2, 2, TASK_DONE) };
    ch[0].kind = CHG_ATTEMPT;
    ch[0].end.body = &long_out;
    ch[1].end.body = &long_err;
    commit(ch, 2);
    cr_assert_str_eq(store_files_gone(st, &n), "output/s/0-1.stdout");
    cr_assert_eq(n, 20, "not that of the result");
    struct change again = { .kind = CHG_REOPEN, .task = { 2 } };
    commit(&again, 1);
    cr_assert_str_eq(store_files_gone(st, &n), "output/s/1-2.stderr");
    commit(&(struct change){ .kind = CHG_STOPPED, .end = { .lease = { 9 } } }, 1);
    store_files_gone(st, &n);
    cr_assert_eq(n, 0);
}

Test(store, a_commit_is_all_or_nothing)
{
    uint8_t state[10];

    open_store();
    add_array(1, 1, 10);
    struct change ch[] = { change_end(1, 1, TASK_DONE),
                           { .kind = CHG_REOPEN, .task = { 1 } },
                           change_array(1, 1, "s", 1, 10) /* an id twice: refused by the file */ };
    cr_assert_neq(store_commit(st, ch, 3, &f), ERR_NONE);
    states_of(1, state);
    cr_assert_eq(state[0], 0);
    cr_assert_eq(ask("SELECT count(*) FROM attempt"), 0);
    uint64_t n = store_n_commits(st);
    commit(ch, 1);
    commit(ch, 0);
    cr_assert_eq(store_n_commits(st), n + 1);
    states_of(1, state);
    cr_assert_eq(state[0], TASK_DONE, "and the next one is not hindered by it");
    cr_assert_eq(ask("SELECT count(*) FROM attempt"), 0, "nor does it do what was left over");
}

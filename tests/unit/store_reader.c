/* reader and views: what people see of a store, with a scheduler or without. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/zip.h"
#include "store/reader.h"
#include "store/store.h"
#include "store_help.h"

static char dir[64];
static struct store *st;
static struct reader *rd;
static struct reader_study study;
static struct fault f;
static struct buf said;

static void setup(void)
{
    make_dir(dir);
    cr_assert_eq(store_open(dir, STORE_SYNC_FULL, &st, &f), ERR_NONE, "%s", f.text);
}
static void teardown(void)
{
    reader_study_fini(&study);
    reader_close(rd);
    store_close(st);
    buf_fini(&said);
    remove_dir(dir);
}
TestSuite(reader, .init = setup, .fini = teardown);

static void commit(const struct change *changes, size_t n)
{
    cr_assert_eq(store_commit(st, changes, n, &f), ERR_NONE, "%s", f.text);
}

static void look_at(const char *name)
{
    if (!rd)
        cr_assert_eq(reader_open(dir, &rd, &f), ERR_NONE, "%s", f.text);
    reader_study_fini(&study);
    cr_assert_eq(reader_study(rd, name, &study, &f), ERR_NONE, "%s", f.text);
}

/* Study 1 "a-b": an older array of three points, then the current one of eight, T numeric and mode
 * text, with points that ended in every way. Task 1 is adopted as index 3. */
static void make_study(void)
{
    static const struct end_body bodies[] = {
        { .values = "[\"1e-3\",\"no\"]",
          .metrics = "{\"energy\":0.30000000000000004,\"name\":\"x\"}",
          .out = "hi\0!",
          .out_bytes = 4,
          .out_total = 4 },
        { .values = "[\"280\",\"yes\"]",
          .metrics = "{\"energy\":7}",
          .err = "bad\nworse",
          .err_bytes = 9,
          .err_total = 9,
          .error_line = "bad",
          .err_file = "output/a/1.stderr",
          .dir = "points/a/1",
          .metrics_missing = 1 },
        { .values = "[\"290\",\"it's\"]", .metrics = "{}" },
    };
    static const struct view_column factors[] = { { "T", true }, { "mode", false } };
    static const struct view_column metrics[] = { { "energy", false }, { "name", false } };
    struct change ch[] = {
        { .kind = CHG_WORKER, .worker = { .id = { 1 }, .name = "w", .host = "node7" } },
        change_array(1, 1, "a-b", 1, 3),
        change_end(1, 101, TASK_DONE),
        change_end(3, 102, TASK_FAILED),
        change_array(2, 1, "a-b", 4, 8),
        { .kind = CHG_ADOPT, .task = { 7 }, .from = { 1 } },
        change_end(5, 103, TASK_FAILED),
        change_end(4, 104, TASK_FAILED),
        change_end(6, 105, TASK_DONE),
        { .kind = CHG_END,
          .end = { .task = { 9 }, .state = TASK_CANCELLED, .reason = END_CANCELLED } },
        { .kind = CHG_RUNNING,
          .end = { .task = { 10 }, .lease = { 106 }, .worker = { 1 }, .started_ms = 50 } },
    };
    ch[2].end.body = &bodies[0];
    ch[6].end.body = ch[7].end.body = &bodies[1];
    ch[7].end.reason = END_SIGNAL;
    ch[7].end.code = 11;
    ch[8].end.body = &bodies[2];
    commit(ch, sizeof ch / sizeof *ch);
    cr_assert_eq(store_views(st, (study_id){ 1 }, "a-b", factors, 2, metrics, 2, 2, &f), ERR_NONE,
                 "%s", f.text);
}

/* What `sqlite3 grange.db SQL` prints. */
static const char *shell(const char *sql)
{
    char command[700], line[1000];

    snprintf(command, sizeof command, "sqlite3 %s/grange.db \"%s\" 2>&1", dir, sql);
    FILE *p = popen(command, "r");
    cr_assert_not_null(p);
    buf_clear(&said);
    while (fgets(line, sizeof line, p))
        buf_adds(&said, line);
    pclose(p);
    return buf_text(&said);
}

Test(reader, the_views_work_in_the_sqlite3_shell)
{
    make_study();
    cr_assert_str_eq(shell("select T, energy from results where state = 'done' order by point"),
                     "290|\n0.001|0.3\n");
    cr_assert_str_eq(shell("select * from results_a_b where point = 3"),
                     "3|0.001|no|1|0.3|x|done||1.5|1|node7|2023-11-14T22:13:20.123Z\n");
    cr_assert_str_eq(
        shell("select point, rep, T, mode, energy, state, reason, seconds, host, started is null"
              " from results order by 1"),
        "0|0|280|yes|7|failed|killed by SIGSEGV|1.5|node7|0\n1|1|280|yes|7|failed|exit "
        "3|1.5|node7|0\n"
        "2|0|290|it's||done||1.5|node7|0\n3|1|0.001|no|0.3|done||1.5|node7|0\n"
        "5|1||||cancelled|cancelled|||1\n");
    cr_assert_str_eq(shell("select typeof(T), typeof(mode), typeof(energy), typeof(name) from "
                           "results where point = 3"),
                     "real|text|real|text\n");
    cr_assert_str_eq(shell("select count(*) from results where T < 285 and T = 280"), "2\n");
}

Test(reader, our_columns_yield_to_names_that_are_given)
{
    static const struct view_column factors[] = { { "State", false },
                                                  { "_state", false },
                                                  { "POINT", true } };
    static const struct view_column metrics[] = { { "a \"b\" 'c'", false }, { "state", false } };
    static const struct end_body body = { .values = "[\"up\",\"down\",\"5\"]",
                                          .metrics = "{\"a \\\"b\\\" 'c'\":4,\"state\":\"m\"}" };
    struct change ch[] = { change_array(1, 1, "s", 1, 3), change_end(2, 7, TASK_DONE) };

    ch[1].end.body = &body;
    commit(ch, 2);
    for (int i = 0; i < 2; i++) /* idempotent */
        cr_assert_eq(store_views(st, (study_id){ 1 }, "s", factors, 3, metrics, 2, 1, &f), ERR_NONE,
                     "%s", f.text);
    cr_assert_str_eq(shell("select State, _state, POINT, _point, \\\"a \\\"\\\"b\\\"\\\" 'c'\\\", "
                           "__state, ___state from results"),
                     "up|down|5|1|4|m|done\n");
    cr_assert_str_eq(shell("select count(*) from pragma_table_info('results') where name = 'rep'"),
                     "0\n");
    cr_assert_eq(store_views(st, (study_id){ 9 }, "x", NULL, 0, NULL, 0, 1, &f), ERR_NOT_FOUND);
}

Test(reader, two_studies_never_share_a_view_and_results_is_the_last)
{
    struct change ch[] = { change_array(1, 1, "a-b", 1, 3), change_array(2, 2, "a_b", 4, 3),
                           change_end(5, 1, TASK_DONE) };

    commit(ch, 3);
    cr_assert_eq(store_views(st, (study_id){ 1 }, "a-b", NULL, 0, NULL, 0, 1, &f), ERR_NONE);
    cr_assert_eq(store_views(st, (study_id){ 2 }, "a_b", NULL, 0, NULL, 0, 1, &f), ERR_NONE);
    cr_assert_str_eq(shell("select count(*) from results_a_b"), "0\n");
    cr_assert_str_eq(shell("select point from results_a_b_2"), "1\n");
    cr_assert_str_eq(shell("select point from results"), "1\n");
}

static enum err note_row(void *ctx, size_t n, const char *const *names, const char *const *cells,
                         const bool *is_number, struct fault *fault)
{
    size_t *most = ctx;

    (void)fault;
    for (size_t i = 0; i < n && i < *most; i++) {
        const char *text = !cells ? names[i] : cells[i] ? cells[i] : "NULL";
        buf_addf(&said, "%s%s%s", i ? "|" : "", text, cells && is_number[i] ? "#" : "");
    }
    buf_addc(&said, '\n');
    return ERR_NONE;
}

static enum err results(const char *where, const char *sort, size_t most)
{
    look_at(NULL);
    buf_clear(&said);
    return reader_results(rd, &study, where, sort, note_row, &most, &f);
}

Test(reader, results_keep_the_spelling_and_come_in_order_of_index)
{
    make_study();
    cr_assert_eq(results(NULL, NULL, 6), ERR_NONE, "%s", f.text);
    cr_assert_str_eq(said.data,
                     "point|T|mode|rep|energy|name\n"
                     "0#|280#|yes|0#|7#|NULL\n1#|280#|yes|1#|7#|NULL\n2#|290#|it's|0#|NULL|NULL\n"
                     "3#|1e-3#|no|1#|0.30000000000000004#|x\n5#|NULL|NULL|1#|NULL|NULL\n");
    cr_assert_eq(results("T < 285 and mode <> 'no' -- so", "-point", 2), ERR_NONE, "%s", f.text);
    cr_assert_str_eq(said.data, "point|T\n1#|280#\n0#|280#\n");
    cr_assert_eq(results("state = 'done'", "T", 2), ERR_NONE, "%s", f.text);
    cr_assert_str_eq(said.data, "point|T\n3#|1e-3#\n2#|290#\n");
    cr_assert_eq(results(NULL, "-ENERGY", 1), ERR_NONE, "%s", f.text);
    cr_assert_str_eq(said.data, "point\n0#\n1#\n3#\n2#\n5#\n", "what has no value comes last");
    cr_assert_eq(results("reason = 'exit 3'", "abs(T - 1)", 1), ERR_NONE, "%s", f.text);
    cr_assert_str_eq(said.data, "point\n1#\n");
    cr_assert_eq(results("T > 1e9", NULL, 1), ERR_NONE, "%s", f.text);
    cr_assert_str_eq(said.data, "point\n", "no rows have a heading too");
}

static void refused(const char *where, const char *sort, const char *part)
{
    cr_assert_eq(results(where, sort, 1), ERR_USAGE, "%s %s", where, sort);
    cr_assert_not_null(strstr(f.text, part), "%s", f.text);
}

Test(reader, a_wrong_expression_is_said_and_does_nothing)
{
    make_study();
    refused("TT > 3", NULL,
            "where 'TT > 3': no such column: TT at 'TT > 3'; columns: point, T, mode, rep, energy");
    refused(NULL, "-TT", "sort 'TT': no such column: TT");
    refused("T >", NULL, "where 'T >': ");
    refused("1); DROP TABLE ended; --", NULL, "");
    refused("1) FROM results; --", NULL, "");
    refused("1), (2", NULL, "one expression");
    refused("load_extension('x')", NULL, "not authorized");
    refused("count(*) > 1", NULL, "misuse of aggregate");
    refused("\"TT\" = 'TT'", NULL, "no such column: TT");
    refused("mode ->> 'a' = 1", NULL, "malformed JSON");
    size_t most = 10;
    cr_assert_eq(reader_results(rd, &study, "zeroblob(2000000000)", NULL, note_row, &most, &f),
                 ERR_LIMIT);
    cr_assert_not_null(strstr(f.text, "grange.db: string or blob too big"), "%s", f.text);
    cr_assert_eq(results("point IN (SELECT point FROM results_a_b WHERE T = 290)", NULL, 1),
                 ERR_NONE, "%s", f.text);
    cr_assert_str_eq(said.data, "point\n2#\n");
}

Test(reader, counts_and_states_are_of_the_current_array)
{
    struct reader_counts c;
    uint8_t state[8] = { 0 };

    make_study();
    look_at("a-b");
    cr_assert(study.id.n == 1 && study.array.id.n == 2 && !study.active &&
              study.submitted_ms == 1700000000002);
    cr_assert_str_eq(study.name, "a-b");
    cr_assert_arr_eq(study.array.spec, "[1]", 4);
    cr_assert_eq(reader_counts(rd, &study, &c, &f), ERR_NONE, "%s", f.text);
    cr_assert(c.n == 8 && c.done == 2 && c.failed == 2 && c.cancelled == 1 && c.left == 3 &&
              c.running == 1);
    cr_assert(c.n_wall == 2 && c.wall_us_sum == 2 * END_WALL_US);
    cr_assert(c.first_started_ms == 1700000000123 && c.last_ended_ms == 1700000001623);
    cr_assert_eq(reader_states(rd, &study, state, &f), ERR_NONE);
    cr_assert_arr_eq(
        state,
        ((uint8_t[]){ TASK_FAILED, TASK_FAILED, TASK_DONE, TASK_DONE, 0, TASK_CANCELLED, 0, 0 }),
        8);
}

Test(reader, what_ended_later_took_so_long)
{
    uint64_t n, us;

    make_study();
    look_at("a-b");
    cr_assert_eq(reader_last_end(rd, &n, &f), ERR_NONE, "%s", f.text);
    cr_assert_eq(n, 6);
    const uint64_t took[] = { 3, 3, 3, 2, 1, 0, 0 }; /* two ended in another array, one never ran */
    for (uint64_t after = 0; after <= n; after++) {
        cr_assert_eq(reader_took(rd, &study, after, &us, &f), ERR_NONE, "%s", f.text);
        cr_assert_eq(us, took[after] * END_WALL_US, "after %d", (int)after);
    }
}

static enum err note_study(void *ctx, const struct reader_study *s, struct fault *fault)
{
    (void)ctx;
    (void)fault;
    buf_addf(&said, "%s:%u ", s->name, s->array.id.n);
    return ERR_NONE;
}

Test(reader, studies_are_found_by_name_or_the_last_one_submitted)
{
    struct change other = change_array(3, 2, "other", 100, 5),
                  again = change_array(1, 1, "a-b", 1, 3);

    make_study();
    commit(&other, 1);
    look_at(NULL);
    cr_assert_str_eq(study.name, "other");
    again.kind = CHG_CURRENT;
    commit(&again, 1);
    look_at(NULL);
    cr_assert_str_eq(study.name, "a-b");
    cr_assert_eq(study.array.id.n, 1);
    cr_assert_eq(reader_studies(rd, note_study, NULL, &f), ERR_NONE);
    cr_assert_str_eq(said.data, "a-b:1 other:3 ");
    reader_study_fini(&study);
    cr_assert_eq(reader_study(rd, "nope", &study, &f), ERR_NOT_FOUND);
    cr_assert_not_null(strstr(f.text, "no study 'nope'"));
    cr_assert_not_null(strstr(f.text, "it has: a-b, other"), "%s", f.text);
    look_at("other");
    size_t most = 1;
    cr_assert_eq(reader_results(rd, &study, NULL, NULL, note_row, &most, &f), ERR_STATE);
}

static enum err note_array(void *ctx, const struct array_row *row, struct fault *fault)
{
    (void)ctx;
    (void)fault;
    buf_addf(&said, "[%u %.3s]", row->id.n, (const char *)row->spec);
    return ERR_NONE;
}

static void note_end(void *ctx, const struct array_row *row, uint64_t index, enum task_state state)
{
    (void)ctx;
    buf_addf(&said, " %u/%u:%s", row->id.n, (unsigned)index, task_state_name(state));
}

Test(reader, known_ends_come_array_by_array)
{
    make_study();
    look_at(NULL);
    cr_assert_eq(reader_known(rd, &study, note_array, note_end, NULL, &f), ERR_NONE);
    cr_assert_str_eq(
        said.data,
        "[1 [1]] 1/0:done 1/2:failed[2 [1]] 2/1:failed 2/0:failed 2/2:done 2/5:cancelled");
}

Test(reader, an_end_has_its_output_byte_for_byte)
{
    struct end_row row;
    struct end_body body;
    struct buf text = { 0 };
    bool found;

    make_study();
    look_at(NULL);
    cr_assert_eq(reader_end(rd, (task_id){ 7 }, &found, &row, &body, &text, &f), ERR_NONE);
    cr_assert(found && row.task.n == 7 && row.lease.n == 101 && row.state == TASK_DONE &&
              row.body == &body);
    cr_assert_str_eq(body.values, "[\"1e-3\",\"no\"]");
    cr_assert(body.out_bytes == 4 && memcmp(body.out, "hi\0!", 4) == 0 && body.err_bytes == 0 &&
              body.out_total == 4);
    cr_assert_eq(reader_end(rd, (task_id){ 5 }, &found, &row, &body, &text, &f), ERR_NONE);
    cr_assert(found && row.code == 3 && row.wall_us == END_WALL_US && row.maxrss_kib == 1024);
    cr_assert_str_eq(body.err_file, "output/a/1.stderr");
    cr_assert_str_eq(body.error_line, "bad");
    cr_assert_str_eq(body.dir, "points/a/1");
    cr_assert(body.err_bytes == 9 && memcmp(body.err, "bad\nworse", 9) == 0 &&
              body.metrics_missing == 1);
    cr_assert_eq(reader_end(rd, (task_id){ 9 }, &found, &row, &body, &text, &f), ERR_NONE);
    cr_assert(found && row.state == TASK_CANCELLED && *body.values == '\0');
    cr_assert_str_eq(body.metrics, "{}");
    cr_assert_eq(reader_end(rd, (task_id){ 11 }, &found, &row, &body, &text, &f), ERR_NONE);
    cr_assert_not(found);
    buf_fini(&text);
}

static enum err note_attempt(void *ctx, const struct end_row *row, struct fault *fault)
{
    (void)ctx;
    (void)fault;
    buf_addf(&said, "%u:%s %d%s '%.*s' %s; ", (unsigned)row->task.n, end_reason_name(row->reason),
             row->code, row->counted ? " counted" : "", (int)row->body->err_bytes,
             row->body->err ? (const char *)row->body->err : "", row->body->error_line);
    return ERR_NONE;
}

Test(reader, attempts_come_oldest_first_and_failures_in_order_of_index)
{
    static const struct end_body body = { .err = "no room",
                                          .err_bytes = 7,
                                          .error_line = "no room" };
    struct change ch[2] = { change_end(5, 1, TASK_WAITING), change_end(1, 2, TASK_READY) };

    make_study();
    ch[0].kind = ch[1].kind = CHG_ATTEMPT;
    ch[0].end.body = &body;
    ch[1].end.reason = END_LOST;
    ch[1].end.counted = false;
    commit(ch, 2);
    struct change reopen = { .kind = CHG_REOPEN, .task = { 5 } };
    look_at(NULL);
    cr_assert_eq(reader_attempts(rd, (task_id){ 5 }, note_attempt, NULL, &f), ERR_NONE);
    cr_assert_str_eq(said.data, "5:exit 3 counted 'no room' no room; ");
    buf_clear(&said);
    cr_assert_eq(reader_attempts(rd, (task_id){ 7 }, note_attempt, NULL, &f), ERR_NONE);
    cr_assert_str_eq(said.data, "1:worker lost 3 '' ; ", "of the task whose end was adopted");
    buf_clear(&said);
    cr_assert_eq(reader_failures(rd, &study, 2, note_attempt, NULL, &f), ERR_NONE);
    cr_assert_str_eq(said.data,
                     "4:signal 11 counted 'bad\nworse' bad; 5:exit 3 counted 'bad\nworse' bad; ");
    commit(&reopen, 1);
    buf_clear(&said);
    cr_assert_eq(reader_attempts(rd, (task_id){ 5 }, note_attempt, NULL, &f), ERR_NONE);
    cr_assert_str_eq(said.data, "5:exit 3 'no room' no room; 5:exit 3 'bad\nworse' bad; ");
}

Test(reader, a_long_packed_stderr_of_an_attempt_is_cut_to_its_head)
{
    char *text = malloc(300000);
    struct buf packed = { 0 };

    for (int i = 0; i < 300000; i++) /* packs badly, so that the frame is long too */
        text[i] = (char)(' ' + (rand() % 64));
    cr_assert(zip_pack(text, 300000, &packed) && packed.n > 65536);
    struct end_body body = { .err = packed.data,
                             .err_bytes = (uint32_t)packed.n,
                             .err_packed = true };
    struct change ch[] = { change_array(1, 1, "s", 1, 3), change_end(1, 1, TASK_WAITING) };
    ch[1].kind = CHG_ATTEMPT;
    ch[1].end.body = &body;
    commit(ch, 2);
    look_at(NULL);
    cr_assert_eq(reader_attempts(rd, (task_id){ 1 }, note_attempt, NULL, &f), ERR_NONE);
    cr_assert_not_null(strstr(said.data, "3 counted '"));
    cr_assert_eq(memcmp(strchr(said.data, '\'') + 1, text, 65536), 0);
    cr_assert_eq(said.n, strlen("1:exit 3 counted '' ; ") + 65536);
    buf_fini(&packed);
    free(text);
}

static void note_running(void *ctx, lease_id lease, task_id task, worker_id worker, ms_t started_ms)
{
    (void)ctx;
    buf_addf(&said, "%u:%u:%u:%d ", (unsigned)lease.n, (unsigned)task.n, worker.n, (int)started_ms);
}

Test(reader, running_leases_and_workers_are_seen)
{
    struct worker_row worker;

    make_study();
    look_at(NULL);
    cr_assert_eq(reader_running(rd, &study, note_running, NULL, &f), ERR_NONE);
    cr_assert_str_eq(said.data, "106:10:1:50 ");
    cr_assert_eq(reader_worker(rd, (worker_id){ 1 }, &worker, &f), ERR_NONE);
    cr_assert_str_eq(worker.host, "node7");
    cr_assert_eq(reader_worker(rd, (worker_id){ 2 }, &worker, &f), ERR_NOT_FOUND);
}

/* --- opening --- */

Test(reader, nothing_is_made_where_there_is_no_store)
{
    char none[100];
    struct stat s;

    snprintf(none, sizeof none, "%s/none", dir);
    cr_assert_eq(reader_open(none, &rd, &f), ERR_NOT_FOUND);
    cr_assert_eq(mkdir(none, 0700), 0);
    cr_assert_eq(reader_open(none, &rd, &f), ERR_NOT_FOUND);
    cr_assert_not_null(strstr(f.text, "no study in this directory"), "%s", f.text);
    cr_assert_eq(rmdir(none), 0, "and the directory is still empty");
    store_close(st); /* of which nobody has submitted anything */
    st = NULL;
    cr_assert_eq(reader_open(dir, &rd, &f), ERR_NONE);
    cr_assert_eq(reader_study(rd, NULL, &study, &f), ERR_NOT_FOUND);
    cr_assert_not_null(strstr(f.text, "grange.db: there is no study in it yet"), "%s", f.text);
    cr_assert_neq(stat(none, &s), 0);
}

static void shell_ok(const char *format, const char *to)
{
    char command[400];

    snprintf(command, sizeof command, format, dir, dir, to, to, dir);
    cr_assert_eq(system(command), 0, "%s", command);
}

/* A directory as kill -9 leaves it: the store is still open here, its files are copied. */
Test(reader, a_store_that_was_left_by_kill_9_is_read)
{
    char other[64];
    struct reader_counts c;

    make_study();
    make_dir(other);
    shell_ok("cp %s/grange.db %s/grange.db-wal %s/ && test -s %s/grange.db-wal", other);
    cr_assert_eq(reader_open(other, &rd, &f), ERR_NONE, "%s", f.text);
    look_at(NULL);
    cr_assert_eq(reader_counts(rd, &study, &c, &f), ERR_NONE);
    cr_assert_eq(c.done, 2);
    reader_close(rd);
    rd = NULL;
    remove_dir(other);
}

Test(reader, a_reader_does_not_write)
{
    make_study();
    look_at(NULL);
    char path[100];
    snprintf(path, sizeof path, "%s/grange.db", dir);
    size_t most = 1;
    cr_assert_neq(reader_results(rd, &study, "(SELECT 1 FROM (DELETE FROM ended))", NULL, note_row,
                                 &most, &f),
                  ERR_NONE);
    struct change end = change_end(11, 200, TASK_DONE);
    commit(&end, 1); /* and hinders no writer */
    struct reader_counts c;
    cr_assert_eq(reader_counts(rd, &study, &c, &f), ERR_NONE);
    cr_assert_eq(c.done, 3);
}

/* As another user in a directory that is not ours. 0 when all holds. */
static int read_as_nobody(void)
{
    struct reader_counts c;

    if (geteuid() == 0 && seteuid(65534) != 0)
        return 1;
    if (reader_open(dir, &rd, &f) != ERR_NONE || reader_study(rd, NULL, &study, &f) != ERR_NONE)
        return 2;
    return reader_counts(rd, &study, &c, &f) == ERR_NONE && c.done == 2 ? 0 : 3;
}

Test(reader, a_store_in_a_directory_that_may_not_be_written_is_read)
{
    char path[100];

    make_study();
    snprintf(path, sizeof path, "%s/grange.db", dir);
    store_close(st);
    st = NULL;
    cr_assert_eq(chmod(path, 0444) || chmod(dir, 0555), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(read_as_nobody());
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(chmod(dir, 0755), 0);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d", WEXITSTATUS(status));
}

static int open_as_nobody(void)
{
    if (geteuid() == 0 && seteuid(65534) != 0)
        return 1;
    bool told = reader_open(dir, &rd, &f) == ERR_PERMISSION &&
                strstr(f.text, "grange.db was not closed, and its directory may not be written, "
                               "so that what is in") &&
                strstr(f.text, "-wal cannot be folded in; copy both into a directory of your own");
    return told ? 0 : 2;
}

Test(reader, an_unfinished_log_that_cannot_be_folded_in_is_said)
{
    char path[100], other[64];

    make_study();
    make_dir(other);
    shell_ok("cp %s/grange.db %s/grange.db-wal %s/ && chmod 555 %s", other);
    snprintf(path, sizeof path, "%s", dir);
    strcpy(dir, other);
    pid_t child = fork();
    if (child == 0)
        _exit(open_as_nobody());
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    strcpy(dir, path);
    cr_assert_eq(chmod(other, 0755), 0);
    remove_dir(other);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d", WEXITSTATUS(status));
}

Test(reader, a_damaged_or_newer_store_is_said)
{
    char path[100];

    make_study();
    store_close(st);
    st = NULL;
    cr_assert_str_eq(shell("pragma user_version = 1"), "");
    cr_assert_eq(reader_open(dir, &rd, &f), ERR_VERSION);
    cr_assert_not_null(strstr(f.text, "made by an older Grange: `grange run` or"), "%s", f.text);
    cr_assert_str_eq(shell("pragma user_version = 9"), "");
    cr_assert_eq(reader_open(dir, &rd, &f), ERR_VERSION);
    cr_assert_not_null(strstr(f.text, "newer Grange"), "%s", f.text);
    snprintf(path, sizeof path, "%s/grange.db", dir);
    int fd = open(path, O_WRONLY);
    cr_assert_eq(pwrite(fd, "garbage garbage", 15, 0), 15);
    close(fd);
    cr_assert_eq(reader_open(dir, &rd, &f), ERR_DAMAGED);
    cr_assert_null(rd);
}

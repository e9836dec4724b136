/* store: arrays of calls, their chunks and ends; and a file of schema 1. */
#include <criterion/criterion.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "schema_1.sql.h"
#include "schema_2.sql.h"
#include "store/reader.h"
#include "store/store.h"
#include "store_help.h"

static char dir[64];
static struct store *st;
static struct fault f;

static void open_store(void)
{
    cr_assert_eq(store_open(dir, STORE_SYNC_FULL, &st, &f), ERR_NONE, "%s", f.text);
}
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
TestSuite(store_calls, .init = setup, .fini = teardown);

static void commit(const struct change *changes, size_t n)
{
    cr_assert_eq(store_commit(st, changes, n, &f), ERR_NONE, "%s", f.text);
}

/* Array `id` of calls with key "kID" in study 1. */
static void open_array(uint32_t id)
{
    struct change ch[2] = { change_array(id, 1, "s", 1 + (uint64_t)(id - 1) * POINTS_MAX, 0),
                            { .kind = CHG_STUDY_STATE, .active = true, .study = { 1 } } };
    char key[16];

    snprintf(key, sizeof key, "k%u", id);
    ch[0].array.kind = ARRAY_CALLS;
    ch[0].array.key_text = key;
    commit(ch, 2);
}

static void append(uint64_t n, uint32_t array, uint64_t at, uint64_t n_calls, const void *data,
                   size_t bytes, bool graph)
{
    struct chunk_row row = { .n = n,
                             .array = { array },
                             .at = at,
                             .n_calls = n_calls,
                             .appended_ms = 5,
                             .graph = graph,
                             .data = data,
                             .bytes = bytes };
    struct change ch = { .kind = CHG_APPEND,
                         .append = { { array }, .at = at, .n = n_calls, .chunk = &row } };

    commit(&ch, 1);
}

struct seen {
    size_t n;
    uint64_t last, calls[8], first_end[8];
    char key[8][16];
    bool closed;
    size_t bytes[8];
    struct end_row row;
    char text[64];
    size_t stop_at;
};

static enum err see_array(void *ctx, const struct array_row *row, uint64_t first_end,
                          struct fault *fault)
{
    struct seen *s = ctx;

    (void)fault;
    s->calls[s->n] = row->n;
    s->first_end[s->n] = first_end;
    s->closed = row->closed;
    cr_assert_eq(row->kind, ARRAY_CALLS);
    snprintf(s->key[s->n++], sizeof s->key[0], "%s", row->key_text);
    return ERR_NONE;
}

static enum err see_chunk(void *ctx, const struct chunk_row *row, struct fault *fault)
{
    struct seen *s = ctx;

    (void)fault;
    s->calls[s->n] = row->n_calls;
    s->bytes[s->n++] = row->bytes;
    s->last = row->n;
    return ERR_NONE;
}

static bool see_end(void *ctx, uint64_t n, const struct end_row *row)
{
    struct seen *s = ctx;

    s->n++;
    s->last = n;
    s->row = *row;
    snprintf(s->text, sizeof s->text, "%.*s", (int)row->body->result_bytes,
             row->body->result_bytes ? (const char *)row->body->result : "");
    return s->n != s->stop_at;
}

Test(store_calls, arrays_and_chunks_come_back_as_they_were_appended)
{
    struct seen seen = { 0 };
    char long_data[4000] = "1234";
    struct store_next next;
    struct buf data = { 0 };

    open_store();
    open_array(1);
    open_array(2);
    append(1, 1, 0, 3, "abc", 3, false);
    append(2, 2, 0, 5, long_data, sizeof long_data, true);
    append(3, 1, 3, 4, long_data, sizeof long_data, false);
    commit(&(struct change){ .kind = CHG_CLOSED, .append = { .array = { 2 } } }, 1);
    store_close(st);
    open_store();
    cr_assert_eq(store_calls(st, (study_id){ 1 }, NULL, see_array, &seen, &f), ERR_NONE);
    cr_assert(seen.n == 2 && seen.calls[0] == 7 && seen.calls[1] == 5 && seen.closed);
    cr_assert_str_eq(seen.key[1], "k2");
    seen = (struct seen){ 0 };
    cr_assert_eq(store_calls(st, (study_id){ 0 }, "k1", see_array, &seen, &f), ERR_NONE);
    cr_assert(seen.n == 1 && seen.calls[0] == 7 && !seen.closed);
    seen = (struct seen){ 0 };
    cr_assert_eq(store_calls(st, (study_id){ 0 }, "k3", see_array, &seen, &f), ERR_NONE);
    cr_assert_eq(seen.n, 0);
    cr_assert_eq(store_chunks(st, &(study_id){ 1 }, 1, (array_id){ 0 }, see_chunk, &seen, &f),
                 ERR_NONE);
    cr_assert(seen.n == 3 && seen.last == 3 && seen.calls[1] == 5);
    cr_assert(seen.bytes[0] == 0 && seen.bytes[1] == sizeof long_data && seen.bytes[2] == 0);
    seen = (struct seen){ 0 };
    cr_assert_eq(store_chunks(st, NULL, 0, (array_id){ 2 }, see_chunk, &seen, &f), ERR_NONE);
    cr_assert(seen.n == 1 && seen.last == 2);
    cr_assert_eq(store_chunk_data(st, 3, &data, &f), ERR_NONE);
    cr_assert(data.n == sizeof long_data && memcmp(data.data, long_data, data.n) == 0);
    cr_assert_eq(store_chunk_data(st, 9, &data, &f), ERR_DAMAGED);
    cr_assert_eq(store_next(st, &next, &f), ERR_NONE);
    cr_assert(next.chunk == 4 && next.task == 1 + 2ull * POINTS_MAX, "ids are reserved");
    buf_fini(&data);
}

Test(store_calls, a_key_is_given_once)
{
    open_store();
    open_array(1);
    struct change ch = change_array(2, 1, "s", 1 + POINTS_MAX, 0);
    ch.array.kind = ARRAY_CALLS;
    ch.array.key_text = "k1";
    cr_assert_eq(store_commit(st, &ch, 1, &f), ERR_STATE);
}

static struct change end_with(uint64_t task, const char *result, struct end_body *body)
{
    struct change ch = change_end(task, task, TASK_DONE);

    *body = (struct end_body){ .result = result, .result_bytes = strlen(result) };
    ch.end.body = body;
    return ch;
}

Test(store_calls, ends_are_read_from_a_cursor_in_bounded_steps)
{
    struct end_body body[5];
    struct seen seen = { 0 };
    uint64_t cursor = 0;
    task_id first = { 1 }, last = { POINTS_MAX };

    open_store();
    open_array(1);
    open_array(2);
    struct change ch[5] = { end_with(1, "one", &body[0]), end_with(1 + POINTS_MAX, "x", &body[1]),
                            end_with(3, "", &body[2]), end_with(2, "two", &body[3]),
                            change_end(4, 4, TASK_FAILED) };
    body[3].blob = UINT64_MAX;
    body[3].blob_bytes = 1 << 20;
    body[3].out = "out";
    body[3].out_bytes = 3;
    body[3].result_bytes = 0;
    ch[4].end.because.n = 3;
    commit(ch, 5);
    cr_assert_eq(store_end_n(st), 5);
    cr_assert_eq(store_ends(st, first, last, &cursor, 2, see_end, &seen, &f), ERR_NONE);
    cr_assert(seen.n == 1 && cursor == 2 && strcmp(seen.text, "one") == 0);
    cr_assert_eq(store_ends(st, first, last, &cursor, 2, see_end, &seen, &f), ERR_NONE);
    cr_assert(seen.n == 3 && cursor == 4 && seen.row.task.n == 2);
    cr_assert(seen.row.worker.n == 1 && seen.row.wall_us == END_WALL_US);
    cr_assert_eq(store_ends(st, first, last, &cursor, 2, see_end, &seen, &f), ERR_NONE);
    cr_assert(seen.n == 4 && cursor == 5 && seen.row.because.n == 3);
    cr_assert_eq(store_ends(st, first, last, &cursor, 2, see_end, &seen, &f), ERR_NONE);
    cr_assert(seen.n == 4 && cursor == 5, "nothing is new");
    cursor = 0;
    seen = (struct seen){ .stop_at = 2 };
    cr_assert_eq(store_ends(st, first, last, &cursor, 100, see_end, &seen, &f), ERR_NONE);
    cr_assert(seen.n == 2 && cursor == 3, "it goes on where it was stopped");
    bool found;
    cr_assert_eq(store_has_blob(st, UINT64_MAX, &found, &f), ERR_NONE);
    cr_assert(found);
}

Test(store_calls, all_arrays_of_a_study_count)
{
    struct reader *r;
    struct reader_study study = { 0 };
    struct reader_counts c;

    open_store();
    open_array(1);
    open_array(2);
    append(1, 1, 0, 3, "abc", 3, false);
    append(2, 2, 0, 2, "de", 2, false);
    struct change ch[2] = { change_end(2, 1, TASK_DONE),
                            change_end(1 + POINTS_MAX, 2, TASK_FAILED) };
    commit(ch, 2);
    cr_assert_eq(reader_open(dir, &r, &f), ERR_NONE, "%s", f.text);
    cr_assert_eq(reader_study(r, "s", &study, &f), ERR_NONE, "%s", f.text);
    cr_assert_eq(reader_counts(r, &study, &c, &f), ERR_NONE, "%s", f.text);
    cr_assert(c.n == 5 && c.done == 1 && c.failed == 1 && c.left == 3, "%llu %llu",
              (unsigned long long)c.n, (unsigned long long)c.left);
    reader_study_fini(&study);
    reader_close(r);
}

Test(store_calls, a_number_is_not_given_out_again_after_a_reopen)
{
    struct end_body body;
    uint64_t cursor = 1;
    struct seen seen = { 0 };

    open_store();
    open_array(1);
    struct change ch[2] = { end_with(1, "one", &body), change_end(2, 2, TASK_FAILED) };
    commit(ch, 2);
    cr_assert_eq(store_end_n(st), 2);
    commit(&(struct change){ .kind = CHG_REOPEN, .task = { 2 } }, 1);
    store_close(st);
    open_store();
    struct change again = change_end(2, 5, TASK_DONE);
    commit(&again, 1);
    cr_assert_eq(store_end_n(st), 3);
    cursor = 2;
    cr_assert_eq(
        store_ends(st, (task_id){ 1 }, (task_id){ POINTS_MAX }, &cursor, 99, see_end, &seen, &f),
        ERR_NONE);
    cr_assert(seen.n == 1 && seen.row.state == TASK_DONE);
}

/* --- older schemas --- */

static void columns(sqlite3 *db, char *text, size_t n)
{
    sqlite3_stmt *s;

    text[0] = '\0';
    cr_assert_eq(sqlite3_prepare_v2(db,
                                    "SELECT group_concat(t, '; ') FROM (SELECT m.name || ' ' ||"
                                    " p.cid || p.name || p.type || p.pk AS t FROM sqlite_master m,"
                                    " pragma_table_info(m.name) p WHERE m.type IN ('table','view')"
                                    " ORDER BY m.name, p.cid)",
                                    -1, &s, NULL),
                 SQLITE_OK, "%s", sqlite3_errmsg(db));
    cr_assert_eq(sqlite3_step(s), SQLITE_ROW);
    snprintf(text, n, "%s", (const char *)sqlite3_column_text(s, 0));
    sqlite3_finalize(s);
}

static void all_columns(char *text, size_t n)
{
    char path[100];
    sqlite3 *db;

    snprintf(path, sizeof path, "%s/grange.db", dir);
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    columns(db, text, n);
    sqlite3_close(db);
}

/* old_store - a file of an older schema with a study of two points, the first of which is done. */
static void old_store(const char *schema, int version, const char *array_more,
                      const char *ended_more)
{
    char path[100], sql[1024];
    sqlite3 *db;

    snprintf(path, sizeof path, "%s/grange.db", dir);
    unlink(path);
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, schema, 0, 0, 0), SQLITE_OK, "%s", sqlite3_errmsg(db));
    snprintf(sql, sizeof sql,
             "PRAGMA application_id = 1196576327; PRAGMA user_version = %d;"
             "INSERT INTO study VALUES(1,'s',1,1,1,5,NULL,NULL);"
             "INSERT INTO array VALUES(1,1,1,2,zeroblob(16),5,'{\"cores\":1}',0,'[1]'%s);"
             "INSERT INTO worker VALUES(1,77,'w','h',5,2,64,9,NULL);"
             "INSERT INTO ended VALUES(1,1,3,1,1,0,0,1,1,2,3,4,5,6,'[]',NULL,NULL,NULL,0,0,0%s)",
             version, array_more, ended_more);
    cr_assert_eq(sqlite3_exec(db, sql, 0, 0, 0), SQLITE_OK, "%s", sqlite3_errmsg(db));
    sqlite3_close(db);
}

static void old_worker(void *ctx, const struct worker_row *row)
{
    *(bool *)ctx = row->id.n == 1 && strcmp(row->name, "w") == 0 && row->slots == 2 &&
                   !row->labels && !row->n_resources && !row->end_ms;
}

static void is_brought_up_to_date(int version, const char *schema, const char *array_more,
                                  const char *ended_more)
{
    char path[100], made[8192], migrated[8192];
    bool worker = false;

    open_store();
    all_columns(made, sizeof made);
    store_close(st);
    st = NULL;
    old_store(schema, version, array_more, ended_more);
    open_store();
    all_columns(migrated, sizeof migrated);
    cr_assert_str_eq(migrated, made);
    uint8_t states[2] = { 0 };
    struct array_row row = { .first = { 1 }, .n = 2 };
    struct study_row study;
    bool found;
    cr_assert_eq(store_states(st, &row, states, &f), ERR_NONE);
    cr_assert(states[0] == TASK_DONE && states[1] == TASK_READY);
    cr_assert_eq(store_find_study(st, "s", &found, &study, &f), ERR_NONE);
    cr_assert(found && study.active && !study.halted);
    cr_assert_eq(store_workers(st, old_worker, &worker, &f), ERR_NONE);
    cr_assert(worker);
    cr_assert_eq(store_end_n(st), 1);
    struct change ch = change_end(2, 7, TASK_DONE);
    commit(&ch, 1);
    snprintf(path, sizeof path, "%s/grange.db.v%d", dir, version);
    cr_assert_eq(access(path, R_OK), 0, "the old file is kept");
}

Test(store_calls, a_store_of_schema_1_is_brought_up_to_date_and_kept)
{
    is_brought_up_to_date(1, schema_1_sql, "", "");
}

Test(store_calls, a_store_of_schema_2_is_brought_up_to_date_and_kept)
{
    is_brought_up_to_date(2, schema_2_sql, ",0,0,NULL,0,0", ",NULL,NULL");
}

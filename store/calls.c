/* calls - arrays of calls: their chunks, and their ends in the order in which they were recorded.
 */
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/zip.h"
#include "store/impl.h"

/* --- writing --- */

enum { CHUNK_DATA_MAX = 2 * APPEND_BYTES_MAX + 32 * APPEND_EDGES_MAX }; /* unpacked */

static int commit_blob(struct store *st, uint64_t id, task_id task, uint64_t bytes, bool result)
{
    sqlite3_stmt *s = st->stmt[ST_BLOB];

    sqlite3_bind_int64(s, 1, (sqlite3_int64)id); /* all 64 bits */
    sqlite3_bind_int64(s, 2, (sqlite3_int64)task.n);
    sqlite3_bind_int64(s, 3, (sqlite3_int64)bytes);
    sqlite3_bind_int(s, 4, result);
    st->n_blobs++;
    return commit_run(st, ST_BLOB);
}

int commit_blobs_gone(struct store *st, sqlite3_stmt *s)
{
    int rc;

    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        uint64_t id = (uint64_t)sqlite3_column_int64(s, 0);
        buf_add(&st->gone, &id, sizeof id);
    }
    int reset = sqlite3_reset(s);
    return rc == SQLITE_DONE ? reset : rc;
}

const uint64_t *store_blobs_gone(const struct store *st, size_t *n)
{
    *n = st->gone.n / sizeof(uint64_t);
    return (const uint64_t *)(const void *)st->gone.data;
}

const char *store_files_gone(const struct store *st, size_t *n)
{
    *n = st->files.n;
    return st->files.data;
}

/* What succeeded is never run again, so its payload is not needed any more. */
int commit_blobs_of(struct store *st, const struct end_row *row)
{
    int rc = SQLITE_OK;

    if (row->state == TASK_DONE) {
        sqlite3_stmt *s = st->stmt[ST_BLOB_GONE];
        sqlite3_bind_int64(s, 1, (sqlite3_int64)row->task.n);
        rc = commit_blobs_gone(st, s);
    }
    if (rc == SQLITE_OK && row->body && row->body->blob)
        rc = commit_blob(st, row->body->blob, row->task, row->body->blob_bytes, true);
    return rc;
}

int commit_streams_of(struct store *st, const struct end_row *row)
{
    const struct end_body *b = row->body;
    const char *names[] = { b->out_file, b->err_file };
    const uint64_t bytes[] = { b->out_total, b->err_total };
    int rc = SQLITE_OK;

    for (size_t i = 0; i < 2 && rc == SQLITE_OK; i++)
        if (names[i] && strncmp(names[i], "blobs/", 6) == 0)
            rc = commit_blob(st, strtoull(names[i] + 6, NULL, 16), row->task, bytes[i], true);
    return rc;
}

static int commit_chunk(struct store *st, const struct chunk_row *row)
{
    sqlite3_stmt *s = st->stmt[ST_CHUNK];
    int flags = row->graph ? FLAG_CHUNK_GRAPH : 0;

    buf_clear(&st->pack);
    sqlite3_bind_int64(s, 1, (sqlite3_int64)row->n);
    sqlite3_bind_int64(s, 2, row->array.n);
    sqlite3_bind_int64(s, 3, (sqlite3_int64)row->at);
    sqlite3_bind_int64(s, 4, (sqlite3_int64)row->n_calls);
    sqlite3_bind_int64(s, 5, row->appended_ms);
    if (zip_pack(row->data, row->bytes, &st->pack)) {
        flags |= FLAG_CHUNK_PACKED;
        sqlite3_bind_blob64(s, 7, st->pack.data, st->pack.n, SQLITE_STATIC);
    } else {
        sqlite3_bind_blob64(s, 7, row->data, row->bytes, SQLITE_STATIC);
    }
    sqlite3_bind_int(s, 6, flags);
    return commit_run(st, ST_CHUNK);
}

int commit_append(struct store *st, const struct change *ch)
{
    const struct chunk_row *row = ch->append.chunk;
    int rc = commit_chunk(st, row);

    for (size_t i = 0; i < row->n_blobs && rc == SQLITE_OK; i++)
        rc = commit_blob(st, row->blobs[i].id, row->blobs[i].task, row->blobs[i].bytes, false);
    if (rc != SQLITE_OK)
        return rc;
    sqlite3_stmt *s = st->stmt[ST_GROW];
    sqlite3_bind_int64(s, 1, row->array.n);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)(row->at + row->n_calls));
    return commit_run(st, ST_GROW);
}

/* Without this a number could be given out twice, and who collects from a cursor would miss the
 * second end: what is taken out may be the row with the largest. */
int store_end_n_save(struct store *st)
{
    char sql[128];

    sqlite3_snprintf(sizeof sql, sql, "INSERT OR REPLACE INTO meta(key, value) VALUES('end', %lld)",
                     (long long)st->end_n);
    return sqlite3_exec(st->db.sql, sql, NULL, NULL, NULL);
}

enum err store_calls_start(struct store *st, struct fault *f)
{
    int64_t n = 0;
    enum err e = db_int(&st->db,
                        "SELECT max((SELECT coalesce(max(n), 0) FROM ended), coalesce((SELECT "
                        "value FROM meta WHERE key = 'end'), 0))",
                        &n, f);

    st->end_n = (uint64_t)n;
    if (!e)
        e = db_int(&st->db, "SELECT count(*) FROM blob", &n, f);
    st->n_blobs = (uint64_t)n;
    return e;
}

/* --- arrays and chunks --- */

enum err calls_each(struct db *db, study_id study, const char *key, store_calls_fn fn, void *ctx,
                    struct fault *f)
{
    struct query q;
    struct buf text = { 0 }, key_text = { 0 };
    enum err e = ERR_NONE;

    query_open(
        &q, db,
        key ? "SELECT " ARRAY_COLUMNS ", a.first_end, a.key_text FROM array a"
              " JOIN study s ON s.id = a.study WHERE a.key_text = ?1"
            : "SELECT " ARRAY_COLUMNS ", a.first_end, a.key_text FROM array a"
              " JOIN study s ON s.id = a.study WHERE a.kind = 1 AND s.id = ?1 ORDER BY a.id");
    if (key)
        query_text(&q, 1, key);
    else
        query_int(&q, 1, study.n);
    while (!e && query_row(&q)) {
        struct array_row row;
        e = array_read(&q, &row, &text, f);
        if (e)
            break;
        buf_clear(&key_text);
        buf_adds(&key_text, (const char *)sqlite3_column_text(q.stmt, N_ARRAY_COLUMNS + 1));
        row.key_text = key_text.data;
        e = fn(ctx, &row, (uint64_t)sqlite3_column_int64(q.stmt, N_ARRAY_COLUMNS), f);
    }
    if (e)
        sqlite3_finalize(q.stmt);
    else
        e = query_close(&q, f);
    buf_fini(&text);
    buf_fini(&key_text);
    return e;
}

enum err chunk_data_read(struct db *db, sqlite3_stmt *s, int flags, int at, struct buf *out,
                         struct fault *f)
{
    const void *data = sqlite3_column_blob(s, at);
    size_t n = (size_t)sqlite3_column_bytes(s, at);

    if (!(flags & FLAG_CHUNK_PACKED))
        buf_add(out, data, n);
    else if (!zip_unpack(data, n, CHUNK_DATA_MAX, out))
        return db_damaged(db, "the calls of a chunk cannot be unpacked", f);
    return ERR_NONE;
}

enum err chunks_each(struct db *db, const study_id *studies, size_t n_studies, array_id array,
                     store_chunk_fn fn, void *ctx, struct fault *f)
{
    struct query q;
    struct buf data = { 0 }, list = { 0 };
    enum err e = ERR_NONE;

    for (size_t i = 0; i < n_studies; i++)
        buf_addf(&list, "%c%u", i ? ',' : '[', studies[i].n);
    buf_adds(&list, n_studies ? "]" : "[]");

    query_open(
        &q, db,
        "SELECT n, array, at, calls, appended_ms, flags, iif(flags & 2, data, NULL) FROM chunk"
        " WHERE n >= (SELECT min(first_chunk) FROM array WHERE kind = 1 AND"
        " iif(?2, id = ?2, study IN (SELECT value FROM json_each(?1)))) AND array IN (SELECT id "
        "FROM"
        " array WHERE kind = 1 AND iif(?2, id = ?2, study IN (SELECT value FROM json_each(?1))))"
        " ORDER BY n");
    query_text(&q, 1, list.data);
    query_int(&q, 2, array.n);
    while (!e && query_row(&q)) {
        int flags = sqlite3_column_int(q.stmt, 5);
        struct chunk_row row = {
            .n = (uint64_t)sqlite3_column_int64(q.stmt, 0),
            .array = { (uint32_t)sqlite3_column_int64(q.stmt, 1) },
            .at = (uint64_t)sqlite3_column_int64(q.stmt, 2),
            .n_calls = (uint64_t)sqlite3_column_int64(q.stmt, 3),
            .appended_ms = sqlite3_column_int64(q.stmt, 4),
            .graph = (flags & FLAG_CHUNK_GRAPH) != 0,
        };
        buf_clear(&data);
        if (row.graph)
            e = chunk_data_read(db, q.stmt, flags, 6, &data, f);
        row.data = data.data;
        row.bytes = data.n;
        if (!e)
            e = fn(ctx, &row, f);
    }
    if (e)
        sqlite3_finalize(q.stmt);
    else
        e = query_close(&q, f);
    buf_fini(&data);
    buf_fini(&list);
    return e;
}

enum err store_chunk_data(struct store *st, uint64_t n, struct buf *out, struct fault *f)
{
    sqlite3_stmt *s = st->stmt[ST_CHUNK_DATA];
    enum err e;

    sqlite3_bind_int64(s, 1, (sqlite3_int64)n);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW)
        e = chunk_data_read(&st->db, s, sqlite3_column_int(s, 0), 1, out, f);
    else
        e = rc == SQLITE_DONE ? db_damaged(&st->db, "a chunk of calls is gone", f)
                              : db_fault(&st->db, rc, f);
    sqlite3_reset(s);
    return e;
}

enum err store_calls(struct store *st, study_id study, const char *key, store_calls_fn fn,
                     void *ctx, struct fault *f)
{
    return calls_each(&st->db, study, key, fn, ctx, f);
}

enum err store_chunks(struct store *st, const study_id *studies, size_t n_studies, array_id array,
                      store_chunk_fn fn, void *ctx, struct fault *f)
{
    return chunks_each(&st->db, studies, n_studies, array, fn, ctx, f);
}

/* --- ends --- */

uint64_t store_end_n(const struct store *st)
{
    return st->end_n;
}

static const char *text_at(sqlite3_stmt *s, int i)
{
    const char *text = (const char *)sqlite3_column_text(s, i);

    return text ? text : "";
}

/* The columns of END_SELECT behind those of END_COLUMNS. */
enum {
    AT_N = 20,
    AT_BECAUSE,
    AT_RESULT,
    AT_FLAGS,
    AT_OUT_FILE,
    AT_ERR_FILE,
    AT_OUT,
    AT_ERR,
    AT_BLOB,
    AT_BLOB_BYTES
};

static void read_end(sqlite3_stmt *s, struct end_row *row, struct end_body *body)
{
    end_read(s, 0, row, body);
    row->because.n = (uint64_t)sqlite3_column_int64(s, AT_BECAUSE);
    body->result = sqlite3_column_blob(s, AT_RESULT);
    body->result_bytes = (size_t)sqlite3_column_bytes(s, AT_RESULT);
    if (sqlite3_column_type(s, AT_FLAGS) == SQLITE_NULL)
        return;
    int flags = sqlite3_column_int(s, AT_FLAGS);
    body->out_packed = flags & FLAG_OUT_PACKED;
    body->err_packed = flags & FLAG_ERR_PACKED;
    body->out_file = text_at(s, AT_OUT_FILE);
    body->err_file = text_at(s, AT_ERR_FILE);
    body->out = sqlite3_column_blob(s, AT_OUT);
    body->out_bytes = (uint32_t)sqlite3_column_bytes(s, AT_OUT);
    body->err = sqlite3_column_blob(s, AT_ERR);
    body->err_bytes = (uint32_t)sqlite3_column_bytes(s, AT_ERR);
    body->blob = (uint64_t)sqlite3_column_int64(s, AT_BLOB);
    body->blob_bytes = (uint64_t)sqlite3_column_int64(s, AT_BLOB_BYTES);
}

enum err store_ends(struct store *st, task_id first, task_id last, uint64_t *cursor, uint64_t most,
                    store_end_fn fn, void *ctx, struct fault *f)
{
    sqlite3_stmt *s = st->stmt[ST_ENDS];
    uint64_t to = st->end_n - *cursor > most ? *cursor + most : st->end_n;
    bool more = true;
    int rc;

    if (*cursor >= st->end_n)
        return ERR_NONE;
    sqlite3_bind_int64(s, 1, (sqlite3_int64)*cursor);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)to);
    sqlite3_bind_int64(s, 3, (sqlite3_int64)first.n);
    sqlite3_bind_int64(s, 4, (sqlite3_int64)last.n);
    while (more && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        struct end_row row;
        struct end_body body;
        read_end(s, &row, &body);
        *cursor = (uint64_t)sqlite3_column_int64(s, AT_N);
        more = fn(ctx, *cursor, &row);
    }
    if (more)
        *cursor = to;
    enum err e = !more || rc == SQLITE_DONE ? ERR_NONE : db_fault(&st->db, rc, f);
    sqlite3_reset(s);
    return e;
}

enum err store_adopted(struct store *st, task_id first, task_id last, store_adopted_fn fn,
                       void *ctx, struct fault *f)
{
    struct query q;

    query_open(&q, &st->db,
               "SELECT e.n, a.task FROM ended e CROSS JOIN adopted a ON a.from_task = e.task"
               " WHERE a.task BETWEEN ?1 AND ?2");
    query_int(&q, 1, (int64_t)first.n);
    query_int(&q, 2, (int64_t)last.n);
    while (query_row(&q))
        fn(ctx, (uint64_t)sqlite3_column_int64(q.stmt, 0),
           (task_id){ (uint64_t)sqlite3_column_int64(q.stmt, 1) });
    return query_close(&q, f);
}

enum err end_states_each(struct db *db, task_id first, task_id last, uint64_t first_end,
                         bool warned, store_state_fn fn, void *ctx, struct fault *f)
{
    struct query q;

    query_open(&q, db,
               "SELECT n, task, iif(reason = ?4, state + ?5, state), worker FROM ended"
               " WHERE n >= ?1 AND task BETWEEN ?2 AND ?3");
    query_int(&q, 1, (int64_t)first_end);
    query_int(&q, 2, (int64_t)first.n);
    query_int(&q, 3, (int64_t)last.n);
    query_int(&q, 4, END_WARNED);
    query_int(&q, 5, warned ? STATE_WARNED : 0);
    while (query_row(&q))
        fn(ctx, (uint64_t)sqlite3_column_int64(q.stmt, 0),
           (task_id){ (uint64_t)sqlite3_column_int64(q.stmt, 1) },
           (enum task_state)sqlite3_column_int(q.stmt, 2),
           (worker_id){ (uint32_t)sqlite3_column_int64(q.stmt, 3) });
    return query_close(&q, f);
}

enum err store_end_states(struct store *st, task_id first, task_id last, uint64_t first_end,
                          store_state_fn fn, void *ctx, struct fault *f)
{
    return end_states_each(&st->db, first, last, first_end, true, fn, ctx, f);
}

enum err store_worker(struct store *st, worker_id id, bool *found, struct worker_row *row,
                      struct fault *f)
{
    struct query q;

    query_open(&q, &st->db, "SELECT " WORKER_COLUMNS " FROM worker WHERE id = ?1");
    query_int(&q, 1, id.n);
    *found = query_row(&q);
    if (*found) {
        worker_read(q.stmt, row);
        row->labels = NULL;
    }
    return query_close(&q, f);
}

enum err store_has_blob(struct store *st, uint64_t id, bool *found, struct fault *f)
{
    struct query q;

    query_open(&q, &st->db, "SELECT 1 FROM blob WHERE id = ?1");
    query_int(&q, 1, (int64_t)id);
    *found = query_row(&q);
    return query_close(&q, f);
}

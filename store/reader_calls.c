/* reader_calls - studies of calls: their arrays, what waits for what, payloads, and rows of
 * results.
 */
#include <string.h>

#include "base/chunk.h"
#include "base/must.h"
#include "base/utf8.h"
#include "base/zip.h"
#include "store/reader_impl.h"

enum { TEXT_MAX = OUTPUT_STORE_MAX }; /* of a stream, unpacked */

/* --- arrays --- */

struct arrays {
    const struct reader_study *study;
    reader_array_fn fn;
    void *ctx;
};

static enum err give_array(void *ctx, const struct array_row *row, uint64_t first_end,
                           struct fault *f)
{
    struct arrays *a = ctx;

    (void)first_end;
    return row->study.n == a->study->id.n ? a->fn(a->ctx, row, f) : ERR_NONE;
}

enum err reader_calls(struct reader *r, const struct reader_study *s, const char *key,
                      reader_array_fn fn, void *ctx, struct fault *f)
{
    struct arrays a = { .study = s, .fn = fn, .ctx = ctx };

    return calls_each(&r->db, s->id, key, give_array, &a, f);
}

enum err reader_call_states(struct reader *r, const struct reader_study *s, reader_state_fn fn,
                            void *ctx, struct fault *f)
{
    struct query q;
    task_id first = { 0 }, last = { 0 };

    query_open(&q, &r->db,
               "SELECT min(first_task), max(first_task + n) - 1, min(first_end) FROM array"
               " WHERE study = ?1 AND kind = 1");
    query_int(&q, 1, s->id.n);
    uint64_t first_end = 0;
    if (query_row(&q)) {
        first.n = (uint64_t)sqlite3_column_int64(q.stmt, 0);
        last.n = (uint64_t)sqlite3_column_int64(q.stmt, 1);
        first_end = (uint64_t)sqlite3_column_int64(q.stmt, 2);
    }
    enum err e = query_close(&q, f);
    return e ? e : end_states_each(&r->db, first, last, first_end, false, fn, ctx, f);
}

/* --- what they wait for --- */

struct edges {
    struct reader *r;
    reader_edges_fn fn;
    void *ctx;
};

static enum err give_edges(void *ctx, const struct chunk_row *row, struct fault *f)
{
    struct edges *e = ctx;
    struct chunk_graph g;

    if (!row->graph)
        return ERR_NONE;
    if (!chunk_graph(row->data, row->bytes, &g))
        return db_damaged(&e->r->db, "the edges of a chunk make no sense", f);
    e->fn(e->ctx, row->array, row->at, row->n_calls, &g);
    return ERR_NONE;
}

enum err reader_edges(struct reader *r, const struct reader_study *s, reader_edges_fn fn, void *ctx,
                      struct fault *f)
{
    struct edges e = { .r = r, .fn = fn, .ctx = ctx };

    return chunks_each(&r->db, &s->id, 1, (array_id){ 0 }, give_edges, &e, f);
}

/* --- payloads --- */

/* Where the payload of call i is in a chunk; false: it makes no sense. */
static bool find_payload(const struct buf *chunk, uint64_t i, size_t *at, size_t *n,
                         uint64_t *blob_bytes)
{
    struct chunk_head h;
    struct chunk_layout l;

    if (!chunk_sound(chunk->data, chunk->n, &h, &l) || i >= h.n)
        return false;
    const uint32_t *sizes = (const uint32_t *)(const void *)(chunk->data + l.sizes);
    const struct blob_ref *blobs = (const struct blob_ref *)(const void *)(chunk->data + l.blobs);
    *at = l.payloads;
    for (uint64_t k = 0; k < i; k++)
        *at += sizes[k];
    *n = sizes[i];
    *blob_bytes = 0;
    for (uint32_t b = 0; b < h.n_blobs; b++)
        if (blobs[b].call == i)
            *blob_bytes = blobs[b].bytes;
    return *at <= chunk->n && *n <= chunk->n - *at;
}

enum err reader_payload(struct reader *r, array_id array, uint64_t index, struct buf *out,
                        uint64_t *bytes, struct fault *f)
{
    struct query q;
    struct buf chunk = { 0 };
    uint64_t at = 0, blob_bytes = 0;
    enum err e = ERR_NONE;
    size_t from = 0, n = 0;

    query_open(&q, &r->db,
               "SELECT flags, data, at FROM chunk WHERE array = ?1 AND ?2 >= at AND ?2 < at + calls"
               " AND n >= (SELECT first_chunk FROM array WHERE id = ?1) LIMIT 1");
    query_int(&q, 1, array.n);
    query_int(&q, 2, (int64_t)index);
    bool found = query_row(&q);
    if (found) {
        at = (uint64_t)sqlite3_column_int64(q.stmt, 2);
        e = chunk_data_read(&r->db, q.stmt, sqlite3_column_int(q.stmt, 0), 1, &chunk, f);
    }
    if (e)
        sqlite3_finalize(q.stmt);
    else
        e = query_close(&q, f);
    if (!e && (!found || !find_payload(&chunk, index - at, &from, &n, &blob_bytes)))
        e = db_damaged(&r->db, "a call has no payload", f);
    if (!e) {
        buf_add(out, chunk.data + from, n);
        *bytes = n ? n : blob_bytes;
    }
    buf_fini(&chunk);
    return e;
}

/* --- results --- */

/* grange_text(bytes, packed) - bytes as text without the last end of line; NULL where people
 * cannot read them. */
static void text_of(sqlite3_context *c, int n_args, sqlite3_value **args)
{
    struct buf unpacked = { 0 };
    const char *data = sqlite3_value_blob(args[0]);
    size_t n = (size_t)sqlite3_value_bytes(args[0]);

    (void)n_args;
    if (sqlite3_value_int(args[1])) {
        zip_unpack(data, n, TEXT_MAX, &unpacked);
        data = unpacked.data;
        n = unpacked.n;
    }
    n -= n && data[n - 1] == '\n';
    if (n && utf8_printable(data, n))
        sqlite3_result_text64(c, data, n, SQLITE_TRANSIENT, SQLITE_UTF8);
    buf_fini(&unpacked);
}

enum err calls_functions(struct reader *r, struct fault *f)
{
    int rc =
        sqlite3_create_function(r->db.sql, "grange_text", 2, SQLITE_UTF8, r, text_of, NULL, NULL);

    return rc == SQLITE_OK ? ERR_NONE : db_fault(&r->db, rc, f);
}

/* What a command gave back is what it printed; what a function printed is beside it. */
void calls_rows_sql(study_id study, struct buf *sql)
{
    buf_adds(sql, "SELECT key_text AS key, task - first_task AS point, ");
    views_end_columns(sql);
    buf_addf(sql,
             ", error, name AS worker, "
             "CASE WHEN state = %d THEN coalesce(blob_bytes, length(result), iif(f, 0, out_total))"
             " END AS bytes, "
             "grange_text(coalesce(result, iif(f, NULL, out)),"
             " result IS NULL AND flags & %d) AS result, task AS \" task\""
             " FROM (SELECT e.*, a.first_task, a.key_text, o.flags, o.out, o.blob_bytes,"
             " (SELECT name FROM worker WHERE id = e.worker) AS name,"
             " NOT a.spec_packed AND a.spec ->> '$.calls.function' IS NOT NULL AS f"
             " FROM ended e CROSS JOIN array a ON e.n >= a.first_end AND e.task BETWEEN"
             " a.first_task AND a.first_task + a.n - 1 LEFT JOIN output o ON o.n = e.n"
             " WHERE a.kind = 1 AND a.study = %u) AS point_end",
             TASK_DONE, FLAG_OUT_PACKED, study.n);
}

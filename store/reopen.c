/* reopen - ended tasks that will run again: their ends become attempts. */
#include "store/impl.h"

static int run_text(struct store *st, const char *sql)
{
    return sqlite3_exec(st->db.sql, sql, NULL, NULL, NULL);
}

/* temp.reopened: (source, task), where source is the task whose row in ended is the end of task.
 * One task is looked for only where an index finds it: whether it has an end is seen by the pass of
 * move. */
#define ADD_ONE                                                                                    \
    "INSERT OR IGNORE INTO temp.reopened SELECT ?1, ?1"                                            \
    " UNION ALL SELECT from_task, task FROM adopted WHERE task = ?1"
#define ADD_FAILED                                                                                 \
    "INSERT OR IGNORE INTO temp.reopened"                                                          \
    " SELECT task, task FROM ended WHERE task BETWEEN ?1 AND ?2 AND state NOT IN (?3, ?4)"         \
    " UNION ALL SELECT e.task, a.task FROM ended e CROSS JOIN adopted a ON a.from_task = e.task"   \
    " WHERE a.task BETWEEN ?1 AND ?2 AND e.state NOT IN (?3, ?4)"

static int fill(struct store *st)
{
    sqlite3_stmt *one = NULL, *failed = NULL;
    const struct reopen_range *r = (const struct reopen_range *)st->reopen.data;
    int rc = sqlite3_prepare_v2(st->db.sql, ADD_ONE, -1, &one, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(st->db.sql, ADD_FAILED, -1, &failed, NULL);
    for (size_t i = 0; i < st->reopen.n / sizeof *r && rc == SQLITE_OK; i++) {
        sqlite3_stmt *s = r[i].only_failed ? failed : one;
        sqlite3_bind_int64(s, 1, (sqlite3_int64)r[i].first.n);
        if (r[i].only_failed) {
            sqlite3_bind_int64(s, 2, (sqlite3_int64)r[i].last.n);
            sqlite3_bind_int(s, 3, TASK_DONE);
            sqlite3_bind_int(s, 4, TASK_UNMET); /* reopened one by one */
        }
        sqlite3_step(s);
        rc = sqlite3_reset(s);
    }
    sqlite3_finalize(one);
    sqlite3_finalize(failed);
    return rc;
}

/* One pass over ended: each end found is written as an attempt of its task; *gone gathers the rows
 * that leave ended (those of a task that adopted its end stay: they are another task's). */
static int move(struct store *st, struct buf *gone)
{
    sqlite3_stmt *s = NULL;
    int rc =
        sqlite3_prepare_v2(st->db.sql,
                           "SELECT r.task, e.n, o.err, o.flags, " END_COLUMNS(
                               "e.") ", o.out_file, o.err_file FROM ended e CROSS JOIN temp.reopened r ON r.source = e.task"
                                     " LEFT JOIN output o ON o.n = e.n",
                           -1, &s, NULL);

    while (rc == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW) {
        struct end_row row;
        struct end_body body;
        int64_t n = sqlite3_column_int64(s, 1);

        end_read(s, 4, &row, &body);
        body.err = sqlite3_column_blob(s, 2);
        body.err_bytes = (uint32_t)sqlite3_column_bytes(s, 2);
        body.err_packed = (sqlite3_column_int(s, 3) & FLAG_ERR_PACKED) != 0;
        if (row.task.n == (uint64_t)sqlite3_column_int64(s, 0)) {
            buf_add(gone, &n, sizeof n);
            body.out_file = (const char *)sqlite3_column_text(s, 4 + N_END_COLUMNS);
            body.err_file = (const char *)sqlite3_column_text(s, 5 + N_END_COLUMNS);
        }
        row.task.n = (uint64_t)sqlite3_column_int64(s, 0);
        row.counted = false;
        rc = commit_attempt(st, &row, true);
    }
    int end = sqlite3_finalize(s);
    return rc == SQLITE_OK ? end : rc;
}

static int delete_rows(struct store *st, const char *sql, const struct buf *gone)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(st->db.sql, sql, -1, &s, NULL);

    for (size_t i = 0; i < gone->n / sizeof(int64_t) && rc == SQLITE_OK; i++) {
        sqlite3_bind_int64(s, 1, ((const int64_t *)gone->data)[i]);
        sqlite3_step(s);
        rc = sqlite3_reset(s);
    }
    sqlite3_finalize(s);
    return rc;
}

/* The results of what runs again. */
static int blobs_gone(struct store *st)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(st->db.sql,
                                "DELETE FROM blob WHERE result AND task IN"
                                " (SELECT task FROM temp.reopened) RETURNING id",
                                -1, &s, NULL);

    if (rc == SQLITE_OK)
        rc = commit_blobs_gone(st, s);
    sqlite3_finalize(s);
    return rc;
}

int reopen_flush(struct store *st)
{
    struct buf gone = { 0 };
    int rc = fill(st);

    if (rc == SQLITE_OK)
        rc = run_text(st, "UPDATE attempt SET counted = 0, reopened = 1"
                          " WHERE NOT reopened AND task IN (SELECT task FROM temp.reopened)");
    if (rc == SQLITE_OK)
        rc = move(st, &gone);
    if (rc == SQLITE_OK && gone.n)
        rc = store_end_n_save(st);
    if (rc == SQLITE_OK && gone.n && st->n_blobs)
        rc = blobs_gone(st);
    if (rc == SQLITE_OK)
        rc = delete_rows(st, "DELETE FROM ended WHERE n = ?1", &gone);
    if (rc == SQLITE_OK)
        rc = delete_rows(st, "DELETE FROM output WHERE n = ?1", &gone);
    if (rc == SQLITE_OK)
        rc = run_text(st, "DELETE FROM adopted WHERE task IN (SELECT task FROM temp.reopened);"
                          "DELETE FROM temp.reopened");
    buf_fini(&gone);
    buf_clear(&st->reopen);
    return rc;
}

#ifndef GRANGE_STORE_IMPL_H
#define GRANGE_STORE_IMPL_H
/* impl - what the files of store/ share: a connection, cold queries, rows as they are in tables.
 *
 * A cold query is prepared, bound, stepped and finalised in one function; its errors are sticky, so
 * that only query_close is looked at. The hot statements of store_commit are kept prepared in
 * struct store. */

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/rows.h"
#include "store/migrate.h"
#include "store/store.h"

enum { STORE_APPLICATION_ID = 0x47524e47 }; /* "GRNG", at byte 68 of the file */

struct db {
    sqlite3 *sql;
    char *path; /* DIR/grange.db */
};

/* db_open - flags of sqlite3_open_v2. On an error *db is closed again. */
enum err db_open(struct db *db, const char *path, int flags, struct fault *f);
void db_close(struct db *db);
/* db_fault - what a result code of SQLite means to a person. */
enum err db_fault(struct db *db, int rc, struct fault *f);
enum err db_damaged(const struct db *db, const char *why, struct fault *f);
enum err db_exec(struct db *db, const char *sql, struct fault *f);
enum err db_int(struct db *db, const char *sql, int64_t *value,
                struct fault *f); /* one row, one column */
/* db_recognise - is this ours, and of which version; 0: nothing in it yet. ERR_DAMAGED,
 * ERR_VERSION. With `check` a file that is not large is read through as well. */
enum err db_recognise(struct db *db, int *version, bool check, struct fault *f);

struct query {
    struct db *db;
    sqlite3_stmt *stmt;
    int rc;
};
void query_open(struct query *q, struct db *db, const char *sql);
void query_int(struct query *q, int i, int64_t value);
void query_text(struct query *q, int i, const char *text); /* borrowed until query_close */
bool query_row(struct query *q);                           /* false at the end and on an error */
enum err query_close(struct query *q, struct fault *f);
/* query_done - for a statement that gives no rows. */
enum err query_done(struct query *q, struct fault *f);

/* Columns of ended and attempt that struct end_row holds, in this order. */
#define END_COLUMNS(t)                                                                             \
    t "task," t "state," t "lease," t "worker," t "reason," t "code," t "attempts," t              \
      "started_ms," t "ended_ms," t "wall_us," t "user_us," t "sys_us," t "maxrss_kib," t          \
      "vals," t "metrics," t "error," t "dir," t "out_total," t "err_total," t "metrics_missing"
enum { N_END_COLUMNS = 20 };
/* What collectors get of an end, from ended e and output o. */
#define END_SELECT                                                                                 \
    END_COLUMNS("e.")                                                                              \
    ", e.n, e.because, e.result, o.flags, o.out_file, o.err_file, o.out, o.err, o.blob,"           \
    " o.blob_bytes"
/* end_read - from END_COLUMNS starting at column `at`; text is borrowed until the next step. */
void end_read(sqlite3_stmt *s, int at, struct end_row *row, struct end_body *body);

/* Columns of an array with the name of its study; array_read copies name and spec to *text
 * (cleared). */
#define ARRAY_COLUMNS                                                                              \
    "a.id, a.study, a.first_task, a.n, a.key, a.submitted_ms, a.policy, s.name, a.spec_packed, "   \
    "a.spec, a.kind, a.closed"
enum { N_ARRAY_COLUMNS = 12 };
enum err array_read(struct query *q, struct array_row *row, struct buf *text, struct fault *f);

#define WORKER_COLUMNS                                                                             \
    "id, instance, name, host, pid, slots, memory_mib, since_ms, labels, resources, end_ms"
/* worker_read - labels are borrowed until the next step. */
void worker_read(sqlite3_stmt *s, struct worker_row *row);

/* ends_each - every end of a task of an array, own or adopted, in the order of ends: `columns` are
 * those of ended that fn wants, from column 1 of the statement on (0 is the task of the row). */
typedef void (*end_visit_fn)(void *ctx, uint64_t index, bool adopted, sqlite3_stmt *s);
enum err ends_each(struct db *db, const struct array_row *row, const char *columns, end_visit_fn fn,
                   void *ctx, struct fault *f);
enum err load_states(struct db *db, const struct array_row *row, uint8_t *state, bool warned,
                     struct fault *f);

/* views_end_columns - SQL of the columns state, reason, seconds, attempts, host, started, from a
 * table named point_end with columns of ended. */
void views_end_columns(struct buf *out);

/* policy_write, policy_read - the policy column. */
void policy_write(const struct policy *p, struct buf *out);
bool policy_read(const char *json, struct policy *p);
/* resources_write, resources_read - the resources column of worker; nothing where there are none.
 */
void resources_write(const struct worker_row *w, struct buf *out);
void resources_read(const char *json, struct worker_row *w);

enum { FLAG_OUT_PACKED = 1, FLAG_ERR_PACKED = 2 };    /* output.flags */
enum { FLAG_CHUNK_PACKED = 1, FLAG_CHUNK_GRAPH = 2 }; /* chunk.flags */

/* The statements of store_commit. */
#define STATEMENTS(X)                                                                              \
    X(ST_BEGIN, "BEGIN IMMEDIATE")                                                                 \
    X(ST_COMMIT, "COMMIT")                                                                         \
    X(ST_END,                                                                                      \
      "INSERT INTO ended(" END_COLUMNS("") ", n, because, result) VALUES"                          \
                                           "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)")      \
    X(ST_OUTPUT, "INSERT INTO output(n, flags, out_file, err_file, out, err, blob, blob_bytes)"    \
                 " VALUES(?,?,?,?,?,?,?,?)")                                                       \
    X(ST_CHUNK, "INSERT INTO chunk(n, array, at, calls, appended_ms, flags, data)"                 \
                " VALUES(?,?,?,?,?,?,?)")                                                          \
    X(ST_GROW, "UPDATE array SET n = ?2 WHERE id = ?1")                                            \
    X(ST_CLOSED, "UPDATE array SET closed = 1 WHERE id = ?1")                                      \
    X(ST_BLOB, "INSERT OR REPLACE INTO blob(id, task, bytes, result) VALUES(?,?,?,?)")             \
    X(ST_BLOB_GONE, "DELETE FROM blob WHERE task = ?1 AND NOT result RETURNING id")                \
    X(ST_ENDS, "SELECT " END_SELECT " FROM ended e LEFT JOIN output o ON o.n = e.n"                \
               " WHERE e.n > ?1 AND e.n <= ?2 AND e.task BETWEEN ?3 AND ?4")                       \
    X(ST_CHUNK_DATA, "SELECT flags, data FROM chunk WHERE n = ?1")                                 \
    X(ST_ATTEMPT,                                                                                  \
      "INSERT INTO attempt(" END_COLUMNS("") ",counted,reopened,err_packed,err) VALUES"            \
                                             "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)")  \
    X(ST_ADOPT, "INSERT OR REPLACE INTO adopted(task, from_task) VALUES"                           \
                "(?1, coalesce((SELECT from_task FROM adopted WHERE task = ?2), ?2))")             \
    X(ST_RUNNING,                                                                                  \
      "INSERT OR REPLACE INTO running(lease, task, worker, started_ms) VALUES(?,?,?,?)")           \
    X(ST_STOPPED, "DELETE FROM running WHERE lease = ?")                                           \
    X(ST_WORKER, "INSERT OR REPLACE INTO worker"                                                   \
                 "(" WORKER_COLUMNS ") VALUES(?,?,?,?,?,?,?,?,?,?,?)")                             \
    X(ST_WORKER_GONE, "UPDATE worker SET gone_ms = ?2 WHERE id = ?1")                              \
    X(ST_STUDY, "INSERT INTO study(id, name, current, active, submission, created_ms)"             \
                " VALUES(?1, ?2, ?3, 0, (SELECT coalesce(max(submission), 0) + 1 FROM study), ?4)" \
                " ON CONFLICT(id) DO UPDATE SET current = iif(?5, current, excluded.current),"     \
                " submission = excluded.submission")                                               \
    X(ST_ARRAY,                                                                                    \
      "INSERT INTO array(id, study, first_task, n, key, submitted_ms, policy, spec_packed, spec,"  \
      " kind, closed, key_text, first_end, first_chunk) VALUES"                                    \
      "(?,?,?,?,?,?,?,?,?,?,?,?,?,(SELECT coalesce(max(n), 0) + 1 FROM chunk))")                   \
    X(ST_CURRENT, "UPDATE study SET current = ?2, submission ="                                    \
                  " (SELECT max(submission) + 1 FROM study) WHERE id = ?1")                        \
    X(ST_ARRAY_AGAIN, "UPDATE array SET policy = ?2, submitted_ms = ?3,"                           \
                      " spec_packed = iif(?5 IS NULL, spec_packed, ?4), spec = coalesce(?5, spec)" \
                      " WHERE id = ?1")                                                            \
    X(ST_COUNT_ANEW, "INSERT OR REPLACE INTO meta(key, value) VALUES('halt ' || ?1, ?2)")          \
    X(ST_POLICY, "UPDATE array SET policy = ?2 WHERE id = ?1")                                     \
    X(ST_STUDY_STATE, "UPDATE study SET active = ?2, halted = ?3 WHERE id = ?1")
enum statement {
#define X(name, text) name,
    STATEMENTS(X)
#undef X
        N_STATEMENTS
};

/* All that ended in first .. last; with only_failed not those that succeeded. */
struct reopen_range {
    task_id first, last;
    bool only_failed;
};

struct store {
    struct db db;
    sqlite3_stmt *stmt[N_STATEMENTS];
    uint64_t n_commits;
    uint64_t end_n;    /* ended.n that was given out last */
    uint64_t n_blobs;  /* rows of blob, about: 0 is exact */
    struct buf reopen; /* struct reopen_range: CHG_REOPEN and CHG_REOPEN_FAILED not applied yet */
    struct buf gone;   /* uint64_t: blobs that the last commit took away */
    struct buf files;  /* names, each with a zero byte: long streams of ends that it took away */
    struct buf pack;   /* scratch of a commit; borrowed by statements until they are reset */
};

/* commit_attempt - appends to attempt; `pack` is scratch for a long stderr. A result code of
 * SQLite. */
int commit_attempt(struct store *st, const struct end_row *row, bool reopened);
int commit_run(struct store *st, enum statement which); /* step and reset */
/* reopen_flush - applies st->reopen in one pass over ended. */
int reopen_flush(struct store *st);

/* calls.c: what store_calls, store_chunks and store_end_states do, for a reader too. */
enum err calls_each(struct db *db, study_id study, const char *key, store_calls_fn fn, void *ctx,
                    struct fault *f);
enum err chunks_each(struct db *db, const study_id *studies, size_t n_studies, array_id array,
                     store_chunk_fn fn, void *ctx, struct fault *f);
enum err end_states_each(struct db *db, task_id first, task_id last, uint64_t first_end,
                         bool warned, store_state_fn fn, void *ctx, struct fault *f);
/* chunk_data_read - appends chunk.data of column `at`, unpacked. */
enum err chunk_data_read(struct db *db, sqlite3_stmt *s, int flags, int at, struct buf *out,
                         struct fault *f);
int commit_append(struct store *st, const struct change *ch);
int commit_blobs_gone(struct store *st, sqlite3_stmt *s); /* steps it, notes the ids, resets */
int commit_blobs_of(struct store *st, const struct end_row *row);   /* the rows of blob of a task */
int commit_streams_of(struct store *st, const struct end_row *row); /* of its streams that are */
enum err store_calls_start(struct store *st, struct fault *f);      /* end_n and n_blobs */
int store_end_n_save(struct store *st); /* before rows of ended are taken out */

#endif

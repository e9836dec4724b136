/* commit - all changes of a turn in one transaction. */
#include "store/impl.h"

#include <string.h>

#include "base/clock.h"
#include "base/must.h"
#include "base/zip.h"

enum {
    ATTEMPT_ERR_MAX = 64 * 1024, /* of its stderr: enough to see why, small enough to keep many */
    ADOPTS_AT_ONCE = 100
};

int commit_run(struct store *st, enum statement which)
{
    int rc = sqlite3_step(st->stmt[which]);
    int reset = sqlite3_reset(st->stmt[which]);

    return rc == SQLITE_DONE ? reset : rc == SQLITE_ROW ? SQLITE_INTERNAL : rc;
}

/* put - numbers that a worker measured are no better than the worker: one beyond SQLite's is cut.
 */
static void put(sqlite3_stmt *s, int i, uint64_t value)
{
    sqlite3_bind_int64(s, i, value <= INT64_MAX ? (sqlite3_int64)value : INT64_MAX);
}

/* put_text - NULL for nothing. Borrowed: what is bound outlives the step, and is bound again before
 * the next. */
static void put_text(sqlite3_stmt *s, int i, const char *text)
{
    if (text && *text)
        sqlite3_bind_text(s, i, text, -1, SQLITE_STATIC);
    else
        sqlite3_bind_null(s, i);
}

static void put_blob(sqlite3_stmt *s, int i, const void *data, size_t n)
{
    if (n)
        sqlite3_bind_blob64(s, i, data, n, SQLITE_STATIC);
    else
        sqlite3_bind_null(s, i);
}

static void put_or_null(sqlite3_stmt *s, int i, uint64_t value)
{
    if (value)
        sqlite3_bind_int64(s, i, (sqlite3_int64)value); /* all 64 bits, read back the same way */
    else
        sqlite3_bind_null(s, i);
}

static const struct end_body no_body;

/* put_end - the columns of END_COLUMNS, from parameter 1. */
static void put_end(sqlite3_stmt *s, const struct end_row *row)
{
    const struct end_body *b = row->body ? row->body : &no_body;
    bool no_metrics = !b->metrics || strcmp(b->metrics, "{}") == 0;

    put(s, 1, row->task.n);
    put(s, 2, row->state);
    put(s, 3, row->lease.n);
    put(s, 4, row->worker.n);
    put(s, 5, row->reason);
    sqlite3_bind_int64(s, 6, row->code);
    put(s, 7, row->attempts);
    sqlite3_bind_int64(s, 8, row->started_ms);
    sqlite3_bind_int64(s, 9, row->ended_ms);
    put(s, 10, row->wall_us);
    put(s, 11, row->user_us);
    put(s, 12, row->sys_us);
    put(s, 13, row->maxrss_kib);
    put_text(s, 14, b->values);
    put_text(s, 15, no_metrics ? NULL : b->metrics);
    put_text(s, 16, b->error_line);
    put_text(s, 17, b->dir);
    put(s, 18, b->out_total);
    put(s, 19, b->err_total);
    put(s, 20, b->metrics_missing);
}

static bool has_output(const struct end_body *b)
{
    return b && (b->out_bytes || b->blob || b->err_bytes || (b->out_file && *b->out_file) ||
                 (b->err_file && *b->err_file));
}

static int commit_end(struct store *st, const struct end_row *row)
{
    const struct end_body *b = row->body;

    must(task_state_ended(row->state));
    sqlite3_stmt *s = st->stmt[ST_END];
    put_end(s, row);
    put(s, 21, ++st->end_n);
    put_or_null(s, 22, row->because.n);
    put_blob(s, 23, b ? b->result : NULL, b ? b->result_bytes : 0);
    int rc = commit_run(st, ST_END);
    if (rc == SQLITE_OK && (st->n_blobs || (b && b->blob)))
        rc = commit_blobs_of(st, row);
    if (rc != SQLITE_OK || !has_output(b))
        return rc;
    s = st->stmt[ST_OUTPUT];
    put(s, 1, st->end_n);
    put(s, 2, (b->out_packed ? FLAG_OUT_PACKED : 0u) | (b->err_packed ? FLAG_ERR_PACKED : 0u));
    put_text(s, 3, b->out_file);
    put_text(s, 4, b->err_file);
    put_blob(s, 5, b->out, b->out_bytes);
    put_blob(s, 6, b->err, b->err_bytes);
    put_or_null(s, 7, b->blob);
    put_or_null(s, 8, b->blob_bytes);
    rc = commit_run(st, ST_OUTPUT);
    return rc == SQLITE_OK ? commit_streams_of(st, row) : rc;
}

/* put_head - the first ATTEMPT_ERR_MAX bytes of stderr, as parameters 23 (packed) and 24. */
static void put_head(struct store *st, sqlite3_stmt *s, const struct end_body *b)
{
    const void *data = b->err;
    size_t n = b->err_bytes;
    bool packed = b->err_packed;

    if (n > ATTEMPT_ERR_MAX && packed) {
        buf_clear(&st->pack);
        packed = !zip_unpack(data, n, OUTPUT_STORE_MAX, &st->pack); /* damaged: kept as it came */
        if (!packed) {
            data = st->pack.data;
            n = st->pack.n;
        }
    }
    if (n > ATTEMPT_ERR_MAX && !packed)
        n = ATTEMPT_ERR_MAX;
    put(s, 23, packed);
    put_blob(s, 24, data, n);
}

/* Of an attempt only the head of stderr is kept. */
static void files_gone(struct store *st, const struct end_body *b)
{
    const char *names[] = { b->out_file, b->err_file };

    for (size_t i = 0; i < 2; i++)
        if (names[i] && *names[i])
            buf_add(&st->files, names[i], strlen(names[i]) + 1);
}

int commit_attempt(struct store *st, const struct end_row *row, bool reopened)
{
    sqlite3_stmt *s = st->stmt[ST_ATTEMPT];

    put_end(s, row);
    put(s, 21, row->counted);
    put(s, 22, reopened);
    put_head(st, s, row->body ? row->body : &no_body);
    if (row->body)
        files_gone(st, row->body);
    return commit_run(st, ST_ATTEMPT);
}

/* put_spec - parameters i (packed) and i + 1; NULL where there is none. */
static void put_spec(struct store *st, sqlite3_stmt *s, int i, const struct array_row *row)
{
    buf_clear(&st->pack);
    if (!row->spec || !row->spec_bytes) {
        put(s, i, 0);
        sqlite3_bind_null(s, i + 1);
    } else if (zip_pack(row->spec, row->spec_bytes, &st->pack)) {
        put(s, i, 1);
        put_blob(s, i + 1, st->pack.data, st->pack.n);
    } else {
        put(s, i, 0);
        sqlite3_bind_text64(s, i + 1, row->spec, row->spec_bytes, SQLITE_STATIC, SQLITE_UTF8);
    }
}

static int commit_array(struct store *st, const struct array_row *row)
{
    struct buf policy = { 0 };
    sqlite3_stmt *s = st->stmt[ST_STUDY];

    put(s, 1, row->study.n);
    put_text(s, 2, row->name);
    put(s, 3, row->id.n);
    sqlite3_bind_int64(s, 4, row->submitted_ms);
    put(s, 5, row->kind == ARRAY_CALLS);
    int rc = commit_run(st, ST_STUDY);
    if (rc != SQLITE_OK)
        return rc;
    policy_write(&row->policy, &policy);
    s = st->stmt[ST_ARRAY];
    put(s, 1, row->id.n);
    put(s, 2, row->study.n);
    put(s, 3, row->first.n);
    put(s, 4, row->n);
    put_blob(s, 5, row->key, sizeof row->key);
    sqlite3_bind_int64(s, 6, row->submitted_ms);
    put_text(s, 7, policy.data);
    put_spec(st, s, 8, row);
    put(s, 10, row->kind);
    put(s, 11, row->closed);
    put_text(s, 12, row->key_text);
    put(s, 13, row->kind == ARRAY_CALLS ? st->end_n + 1 : 0);
    rc = commit_run(st, ST_ARRAY);
    buf_fini(&policy);
    return rc;
}

static int commit_current(struct store *st, const struct array_row *row)
{
    struct buf policy = { 0 };
    sqlite3_stmt *s = st->stmt[ST_CURRENT];

    put(s, 1, row->study.n);
    put(s, 2, row->id.n);
    int rc = commit_run(st, ST_CURRENT);
    if (rc != SQLITE_OK)
        return rc;
    policy_write(&row->policy, &policy);
    s = st->stmt[ST_ARRAY_AGAIN];
    put(s, 1, row->id.n);
    put_text(s, 2, policy.data);
    sqlite3_bind_int64(s, 3, row->submitted_ms);
    put_spec(st, s, 4, row);
    rc = commit_run(st, ST_ARRAY_AGAIN);
    buf_fini(&policy);
    return rc;
}

static int commit_policy(struct store *st, const struct array_row *row)
{
    struct buf policy = { 0 };
    sqlite3_stmt *s = st->stmt[ST_POLICY];

    policy_write(&row->policy, &policy);
    put(s, 1, row->id.n);
    put_text(s, 2, policy.data);
    int rc = commit_run(st, ST_POLICY);
    buf_fini(&policy);
    return rc;
}

static int commit_running(struct store *st, const struct end_row *row)
{
    sqlite3_stmt *s = st->stmt[ST_RUNNING];

    put(s, 1, row->lease.n);
    put(s, 2, row->task.n);
    put(s, 3, row->worker.n);
    sqlite3_bind_int64(s, 4, row->started_ms);
    return commit_run(st, ST_RUNNING);
}

static int commit_worker(struct store *st, const struct worker_row *row)
{
    struct buf resources = { 0 };
    sqlite3_stmt *s = st->stmt[ST_WORKER];

    resources_write(row, &resources);
    put(s, 1, row->id.n);
    sqlite3_bind_int64(
        s, 2, (sqlite3_int64)row->instance); /* all 64 bits; read back with the same cast */
    sqlite3_bind_text(s, 3, row->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 4, row->host, -1, SQLITE_STATIC);
    put(s, 5, row->pid);
    put(s, 6, row->slots);
    put(s, 7, row->memory_mib);
    sqlite3_bind_int64(s, 8, row->since_ms);
    put_text(s, 9, row->labels);
    put_text(s, 10, resources.data);
    put_or_null(s, 11, (uint64_t)row->end_ms);
    int rc = commit_run(st, ST_WORKER);
    buf_fini(&resources);
    return rc;
}

static int run_with(struct store *st, enum statement which, uint64_t a, uint64_t b, int n)
{
    put(st->stmt[which], 1, a);
    if (n == 2)
        put(st->stmt[which], 2, b);
    return commit_run(st, which);
}

static int put_off(struct store *st, task_id first, task_id last, bool only_failed)
{
    struct reopen_range range = { .first = first, .last = last, .only_failed = only_failed };

    buf_add(&st->reopen, &range, sizeof range);
    return SQLITE_OK;
}

/* Many adoptions: a statement for ADOPTS_AT_ONCE of them costs a third of as many for one each. */
static sqlite3_stmt *prepare_adopts(struct store *st)
{
    struct buf sql = { 0 };
    sqlite3_stmt *s = NULL;

    buf_adds(&sql, "INSERT OR REPLACE INTO adopted(task, from_task) VALUES(?,?)");
    for (size_t i = 1; i < ADOPTS_AT_ONCE; i++)
        buf_adds(&sql, ",(?,?)");
    sqlite3_prepare_v2(st->db.sql, sql.data, -1, &s, NULL);
    buf_fini(&sql);
    return s;
}

/* adopt_block - ADOPTS_AT_ONCE pairs, none of them from a task that has adopted itself. */
static int adopt_block(sqlite3_stmt *s, const struct adopt *pairs)
{
    for (int i = 0; i < ADOPTS_AT_ONCE; i++) {
        put(s, 2 * i + 1, pairs[i].task.n);
        put(s, 2 * i + 2, pairs[i].from.n);
    }
    sqlite3_step(s);
    return sqlite3_reset(s);
}

static int commit_adopts(struct store *st, const struct change *ch)
{
    const struct adopt *at = ch->adopts.pairs, *end = at + ch->adopts.n;
    int rc = SQLITE_OK;

    if (!at)
        return run_with(st, ST_ADOPT, ch->task.n, ch->from.n, 2);
    if (end - at >= ADOPTS_AT_ONCE) {
        sqlite3_stmt *s = prepare_adopts(st);
        for (; end - at >= ADOPTS_AT_ONCE && rc == SQLITE_OK; at += ADOPTS_AT_ONCE)
            rc = s ? adopt_block(s, at) : sqlite3_errcode(st->db.sql);
        sqlite3_finalize(s);
    }
    for (; at < end && rc == SQLITE_OK; at++)
        rc = run_with(st, ST_ADOPT, at->task.n, at->from.n, 2);
    return rc;
}

static int apply(struct store *st, const struct change *ch)
{
    switch (ch->kind) {
    case CHG_END:
        return commit_end(st, &ch->end);
    case CHG_ATTEMPT:
        return commit_attempt(st, &ch->end, false);
    case CHG_ARRAY:
        return commit_array(st, &ch->array);
    case CHG_CURRENT:
        return commit_current(st, &ch->array);
    case CHG_STUDY_STATE:
        put(st->stmt[ST_STUDY_STATE], 3, ch->halted);
        return run_with(st, ST_STUDY_STATE, ch->study.n, ch->active, 2);
    case CHG_ADOPT:
        return commit_adopts(st, ch);
    case CHG_REOPEN:
        return put_off(st, ch->task, ch->task, false);
    case CHG_REOPEN_FAILED:
        return put_off(st, ch->task, ch->from, true);
    case CHG_RUNNING:
        return commit_running(st, &ch->end);
    case CHG_STOPPED:
        return run_with(st, ST_STOPPED, ch->end.lease.n, 0, 1);
    case CHG_WORKER:
        return commit_worker(st, &ch->worker);
    case CHG_COUNT_ANEW:
        return run_with(st, ST_COUNT_ANEW, ch->array.id.n, st->end_n, 2);
    case CHG_POLICY:
        return commit_policy(st, &ch->array);
    case CHG_APPEND:
        return commit_append(st, ch);
    case CHG_CLOSED:
        return run_with(st, ST_CLOSED, ch->append.array.n, 0, 1);
    case CHG_WORKER_GONE:
        return run_with(st, ST_WORKER_GONE, ch->worker.id.n, (uint64_t)clock_wall_ms(), 2);
    }
    must_fail(__FILE__, __LINE__, "a known kind of change");
}

/* Reopens are gathered, so that a thousand of them are one pass over ended; what would see or
 * change an end of the same task waits for them. */
static bool needs_reopens_done(enum change_kind kind)
{
    return kind == CHG_END || kind == CHG_ADOPT || kind == CHG_ATTEMPT;
}

static int commit_all(struct store *st, const struct change *changes, size_t n)
{
    int rc = commit_run(st, ST_BEGIN);

    for (size_t i = 0; i < n && rc == SQLITE_OK; i++) {
        if (st->reopen.n && needs_reopens_done(changes[i].kind))
            rc = reopen_flush(st);
        if (rc == SQLITE_OK)
            rc = apply(st, &changes[i]);
    }
    if (rc == SQLITE_OK && st->reopen.n)
        rc = reopen_flush(st);
    return rc == SQLITE_OK ? commit_run(st, ST_COMMIT) : rc;
}

enum err store_commit(struct store *st, const struct change *changes, size_t n, struct fault *f)
{
    buf_clear(&st->gone);
    buf_clear(&st->files);
    if (!n)
        return ERR_NONE;
    uint64_t end_n = st->end_n;
    int rc = commit_all(st, changes, n);
    if (rc == SQLITE_OK) {
        st->n_commits++;
        return ERR_NONE;
    }
    enum err e = db_fault(&st->db, rc, f);
    st->end_n = end_n;
    buf_clear(&st->gone);
    buf_clear(&st->files);
    buf_clear(&st->reopen);
    if (!sqlite3_get_autocommit(st->db.sql))
        sqlite3_exec(st->db.sql, "ROLLBACK", NULL, NULL, NULL);
    return e;
}

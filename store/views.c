/* views - the SQL views of a study: what people, and `grange results`, see of it. */
#include "store/impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/must.h"
#include "base/reason.h"

/* A view in the making. Its columns are point, factors, rep, metrics, state and the rest of ours.
 */
struct view {
    const struct view_column *factors, *metrics;
    size_t n_factors, n_metrics;
    uint32_t reps;
    uint64_t first, last; /* tasks */
    char **names;         /* [n_columns], each given once: to SQLite a and A are the same */
    size_t n_columns;
    struct buf columns; /* SQL */
    struct buf spelled; /* SQL of columns that only `grange results` asks for: values as they were
                           written */
    size_t at;          /* the column that is written next */
};

static const char *const ours_last[] = {
    "state", "reason", "seconds", "attempts", "host", "started"
};
enum { N_OURS_LAST = 6 };

static void add_quoted(struct buf *b, char quote, const char *text)
{
    buf_addc(b, quote);
    for (; *text; text++) {
        if (*text == quote)
            buf_addc(b, quote);
        buf_addc(b, *text);
    }
    buf_addc(b, quote);
}

/* --- names --- */

static bool taken(const struct view *v, const char *name)
{
    for (size_t i = 0; i < v->n_columns; i++)
        if (v->names[i] && strcasecmp(v->names[i], name) == 0)
            return true;
    return false;
}

/* name_column - with as many underscores before it as it takes to be new. */
static void name_column(struct view *v, size_t i, const char *name)
{
    size_t n = strlen(name);
    char *unique = malloc(v->n_columns + n + 1);

    must(unique);
    memcpy(unique, name, n + 1);
    while (taken(v, unique)) {
        memmove(unique + 1, unique, ++n);
        unique[0] = '_';
    }
    v->names[i] = unique;
}

/* Factors and metrics are named first and keep their names; ours yield. */
static void name_columns(struct view *v)
{
    size_t rep = 1 + v->n_factors, metrics = rep + (v->reps > 1), ours = metrics + v->n_metrics;

    v->n_columns = ours + N_OURS_LAST;
    v->names = calloc(v->n_columns, sizeof *v->names);
    must(v->names);
    for (size_t j = 0; j < v->n_factors; j++)
        name_column(v, 1 + j, v->factors[j].name);
    for (size_t k = 0; k < v->n_metrics; k++)
        name_column(v, metrics + k, v->metrics[k].name);
    name_column(v, 0, "point");
    if (v->reps > 1)
        name_column(v, rep, "rep");
    for (size_t i = 0; i < N_OURS_LAST; i++)
        name_column(v, ours + i, ours_last[i]);
}

/* --- columns --- */

/* end_column - AS its name, after the expression has been added. */
static void end_column(struct view *v)
{
    buf_adds(&v->columns, " AS ");
    add_quoted(&v->columns, '"', v->names[v->at++]);
    if (v->at < v->n_columns)
        buf_adds(&v->columns, ", ");
}

static void add_factor(struct view *v, size_t j)
{
    buf_addf(&v->columns, v->factors[j].numeric ? "CAST(vals ->> %zu AS NUMERIC)" : "vals ->> %zu",
             j);
    buf_addf(&v->spelled, ", vals ->> %zu AS \" %zu\"", j, v->at);
    end_column(v);
}

/* A path like '$."name"' cannot hold a quote or a backslash; json_each can. */
static void add_metric(struct view *v, const char *name)
{
    struct buf path = { 0 };

    if (strpbrk(name, "\"\\")) {
        buf_adds(&v->columns, "(SELECT atom FROM json_each(metrics) WHERE key = ");
        add_quoted(&v->columns, '\'', name);
        buf_addc(&v->columns, ')');
    } else {
        buf_addf(&path, "$.\"%s\"", name);
        buf_adds(&v->columns, "metrics ->> ");
        add_quoted(&v->columns, '\'', path.data);
        buf_adds(&v->spelled, ", metrics -> ");
        add_quoted(&v->spelled, '\'', path.data);
        buf_addf(&v->spelled, " AS \" %zu\"", v->at);
    }
    end_column(v);
    buf_fini(&path);
}

/* --- why a point ended as it did, in the words of base/reason.h --- */

/* When a process cannot be started: execve(2), fork(2) and what a full machine says. */
static const int start_errors[] = { E2BIG,  EACCES, EAGAIN,  EBUSY,  EDQUOT, EFAULT,
                                    EINVAL, EIO,    EISDIR,  ELOOP,  EMFILE, ENAMETOOLONG,
                                    ENFILE, ENOENT, ENOEXEC, ENOMEM, ENOSPC, ENOTDIR,
                                    EPERM,  EROFS,  ELIBBAD, ESTALE, ETXTBSY };
static const int shell_statuses[] = { 126, 127 };
enum { N_SIGNALS = 64 };

static void add_words(struct buf *b, enum end_reason reason, int32_t code)
{
    struct buf words = { 0 };

    reason_words(reason, code, &words);
    add_quoted(b, '\'', words.data);
    buf_fini(&words);
}

static void add_code(struct buf *b, enum end_reason reason, int32_t code)
{
    buf_addf(b, " WHEN %d THEN ", code);
    add_words(b, reason, code);
}

static void add_reason(struct buf *b)
{
    buf_addf(b, "CASE reason WHEN %d THEN CASE code WHEN 0 THEN NULL", END_EXIT);
    for (size_t i = 0; i < sizeof shell_statuses / sizeof *shell_statuses; i++)
        add_code(b, END_EXIT, shell_statuses[i]);
    buf_addf(b, " ELSE 'exit ' || code END WHEN %d THEN CASE code", END_SIGNAL);
    for (int n = 1; n <= N_SIGNALS; n++)
        if (sigabbrev_np(n))
            add_code(b, END_SIGNAL, n);
    buf_addf(b,
             " ELSE 'killed by signal ' || code END WHEN %d THEN 'timed out' || CASE WHEN "
             "code > 0 THEN printf(' after %%.12g s', code / 1000.0) ELSE '' END",
             END_TIMEOUT);
    buf_addf(b, " WHEN %d THEN CASE code WHEN 0 THEN ", END_NOT_STARTED);
    add_words(b, END_NOT_STARTED, 0);
    for (size_t i = 0; i < sizeof start_errors / sizeof *start_errors; i++)
        add_code(b, END_NOT_STARTED, start_errors[i]);
    buf_adds(b, " ELSE 'could not start: error ' || code END");
    buf_addf(b, " WHEN %d THEN 'exit ' || code || ', which is a warning'", END_WARNED);
    for (unsigned r = END_NOT_STARTED + 1; r < N_END_REASONS; r++) {
        if (r == END_WARNED)
            continue;
        buf_addf(b, " WHEN %u THEN ", r);
        add_words(b, (enum end_reason)r, 0);
    }
    buf_adds(b, " END");
}

static void add_ours_last(struct view *v)
{
    struct buf *b = &v->columns;

    buf_adds(b, "CASE state");
    for (unsigned s = TASK_DONE; s < N_TASK_STATES; s++)
        buf_addf(b, " WHEN %u THEN '%s'", s, task_state_name((enum task_state)s));
    buf_adds(b, " END");
    end_column(v);
    add_reason(b);
    end_column(v);
    buf_adds(b, "CASE WHEN started_ms THEN wall_us / 1e6 END");
    end_column(v);
    buf_adds(b, "attempts");
    end_column(v);
    buf_adds(b, "(SELECT host FROM worker WHERE id = point_end.worker)");
    end_column(v);
    buf_adds(b, "CASE WHEN started_ms THEN strftime('%Y-%m-%dT%H:%M:%f', started_ms / 1000.0, "
                "'unixepoch') || 'Z' END");
    end_column(v);
}

void views_end_columns(struct buf *out)
{
    struct view v = { .n_columns = N_OURS_LAST };

    v.names = calloc(N_OURS_LAST, sizeof *v.names);
    must(v.names);
    for (size_t i = 0; i < N_OURS_LAST; i++)
        name_column(&v, i, ours_last[i]);
    add_ours_last(&v);
    buf_add(out, v.columns.data, v.columns.n);
    for (size_t i = 0; i < N_OURS_LAST; i++)
        free(v.names[i]);
    free(v.names);
    buf_fini(&v.columns);
}

static void add_columns(struct view *v)
{
    buf_addf(&v->columns, "task - %llu", (unsigned long long)v->first);
    end_column(v);
    for (size_t j = 0; j < v->n_factors; j++)
        add_factor(v, j);
    if (v->reps > 1) {
        buf_addf(&v->columns, "(task - %llu) %% %u", (unsigned long long)v->first, v->reps);
        end_column(v);
    }
    for (size_t k = 0; k < v->n_metrics; k++)
        add_metric(v, v->metrics[k].name);
    add_ours_last(v);
}

/* --- in the file --- */

static enum err find_tasks(struct db *db, study_id study, struct view *v, struct fault *f)
{
    struct query q;
    bool found = false;

    query_open(
        &q, db,
        "SELECT a.first_task, a.n FROM study s JOIN array a ON a.id = s.current WHERE s.id = ?1");
    query_int(&q, 1, study.n);
    if (query_row(&q)) {
        found = true;
        v->first = (uint64_t)sqlite3_column_int64(q.stmt, 0);
        v->last = v->first + (uint64_t)sqlite3_column_int64(q.stmt, 1) - 1;
    }
    enum err e = query_close(&q, f);
    return e || found ? e
                      : fault_set(f, ERR_NOT_FOUND, "%s: there is no study %u", db->path, study.n);
}

/* view_name - results_NAME in letters that need no quotes; a_b and a-b of two studies are told
 * apart by the id of the one that came later. */
static enum err view_name(struct db *db, study_id study, const char *name, struct buf *out,
                          struct fault *f)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    bool clash = true;
    enum err e = ERR_NONE;

    buf_adds(out, "results_");
    for (; *name; name++)
        buf_addc(out, strchr(plain, *name) ? *name : '_');
    while (!e && clash) {
        struct query q;
        query_open(&q, db, "SELECT 1 FROM study WHERE view = ?1 COLLATE NOCASE AND id <> ?2");
        query_text(&q, 1, out->data);
        query_int(&q, 2, study.n);
        clash = query_row(&q);
        e = query_close(&q, f);
        if (!e && clash)
            buf_addf(out, "_%u", study.n);
    }
    return e;
}

static enum err remember(struct db *db, study_id study, const char *name, const char *sql,
                         struct fault *f)
{
    struct query q;

    query_open(&q, db, "UPDATE study SET view = ?2, rows_sql = ?3 WHERE id = ?1");
    query_int(&q, 1, study.n);
    query_text(&q, 2, name);
    query_text(&q, 3, sql);
    return query_done(&q, f);
}

/* add_rows - as the view has them, but for metrics that were asked for late: grange_metrics
 * (reader_late.c) is known to `grange results` only. */
static void add_rows(const struct view *v, struct buf *sql)
{
    static const char columns[] = "state, e.worker, e.reason, e.code, e.attempts, e.started_ms, "
                                  "e.ended_ms, e.wall_us, e.vals, ";
    const char *metrics = v->n_metrics
                              ? "CASE WHEN e.out_total + e.err_total > 0 OR e.dir <> '' THEN "
                                "grange_metrics(e.n, e.metrics) ELSE e.metrics END AS metrics"
                              : "e.metrics AS metrics";

    buf_addf(sql, "SELECT %s%s FROM (SELECT e.task, e.%s%s FROM ended e UNION ALL ",
             v->columns.data, buf_text(&v->spelled), columns, metrics);
    buf_addf(sql,
             "SELECT a.task, e.%s%s FROM ended e CROSS JOIN adopted a ON a.from_task = e.task)",
             columns, metrics);
    buf_addf(sql, " AS point_end WHERE task BETWEEN %llu AND %llu", (unsigned long long)v->first,
             (unsigned long long)v->last);
}

static enum err write_views(struct db *db, study_id study, const char *name, const struct view *v,
                            struct fault *f)
{
    struct buf view = { 0 }, from = { 0 }, sql = { 0 }, rows = { 0 };
    enum err e = view_name(db, study, name, &view, f);

    if (!e) {
        buf_addf(&from, " FROM point_end WHERE task BETWEEN %llu AND %llu",
                 (unsigned long long)v->first, (unsigned long long)v->last);
        add_rows(v, &rows);
        buf_addf(&sql,
                 "DROP VIEW IF EXISTS %s; CREATE VIEW %s AS SELECT %s%s;"
                 "DROP VIEW IF EXISTS results; CREATE VIEW results AS SELECT * FROM %s",
                 view.data, view.data, v->columns.data, from.data, view.data);
        e = remember(db, study, view.data, rows.data, f);
    }
    if (!e)
        e = db_exec(db, sql.data, f);
    buf_fini(&view);
    buf_fini(&from);
    buf_fini(&sql);
    buf_fini(&rows);
    return e;
}

enum err store_views(struct store *st, study_id study, const char *name,
                     const struct view_column *factors, size_t n_factors,
                     const struct view_column *metrics, size_t n_metrics, uint32_t reps,
                     struct fault *f)
{
    struct view v = { .factors = factors,
                      .n_factors = n_factors,
                      .metrics = metrics,
                      .n_metrics = n_metrics,
                      .reps = reps };
    enum err e = db_exec(&st->db, "BEGIN IMMEDIATE", f);

    if (!e)
        e = find_tasks(&st->db, study, &v, f);
    if (!e) {
        name_columns(&v);
        add_columns(&v);
        e = write_views(&st->db, study, name, &v, f);
    }
    if (!e)
        e = db_exec(&st->db, "COMMIT", f);
    if (!sqlite3_get_autocommit(st->db.sql))
        sqlite3_exec(st->db.sql, "ROLLBACK", NULL, NULL, NULL);
    for (size_t i = 0; i < v.n_columns; i++)
        free(v.names[i]);
    free(v.names);
    buf_fini(&v.columns);
    buf_fini(&v.spelled);
    return e;
}

/* reader_results - rows of a study's results view, chosen and sorted by SQL that a person wrote.
 *
 * The query is the study's rows_sql (views.c): the view's columns, then hidden ones whose names
 * begin with a blank: " 3" is the original spelling of column 3. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/must.h"
#include "store/reader.h"
#include "store/reader_impl.h"

struct results {
    struct db *db;
    char *view, *rows_sql;
    const char *order; /* what ends every order, so that equal rows always come the same way */
    sqlite3_stmt *stmt;
    int n_columns, n_all;
    const char **names;
    int *spelled; /* [n_columns] the hidden column of each, or -1 */
};

int allow_reading(void *ctx, int action, const char *one, const char *two, const char *db,
                  const char *trigger)
{
    (void)ctx;
    (void)one;
    (void)db;
    (void)trigger;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
        return SQLITE_OK;
    case SQLITE_FUNCTION:
        return strcasecmp(two, "load_extension") == 0 ? SQLITE_DENY : SQLITE_OK;
    default:
        return SQLITE_DENY;
    }
}

static void calls_rows(struct results *rs, study_id study)
{
    struct buf sql = { 0 };

    calls_rows_sql(study, &sql);
    rs->view = strdup("calls");
    rs->rows_sql = strdup(buf_text(&sql));
    must(rs->view && rs->rows_sql);
    rs->order = "\" task\"";
    buf_fini(&sql);
}

static enum err find_rows(struct results *rs, study_id study, struct fault *f)
{
    struct query q;

    rs->order = "1"; /* the index */
    query_open(&q, rs->db,
               "SELECT view, rows_sql FROM study WHERE id = ?1 AND rows_sql IS NOT NULL");
    query_int(&q, 1, study.n);
    if (query_row(&q)) {
        rs->view = strdup((const char *)sqlite3_column_text(q.stmt, 0));
        rs->rows_sql = strdup((const char *)sqlite3_column_text(q.stmt, 1));
        must(rs->view && rs->rows_sql);
    }
    enum err e = query_close(&q, f);
    if (!e && !rs->view)
        return fault_set(f, ERR_STATE,
                         "%s: this study has no results view yet; `grange run` makes it",
                         rs->db->path);
    return e;
}

/* --- the columns --- */

static enum err find_columns(struct results *rs, struct fault *f)
{
    struct query q;

    query_open(&q, rs->db, rs->rows_sql);
    if (q.rc != SQLITE_OK)
        return query_close(&q, f);
    rs->n_all = sqlite3_column_count(q.stmt);
    while (rs->n_columns < rs->n_all && sqlite3_column_name(q.stmt, rs->n_columns)[0] != ' ')
        rs->n_columns++;
    rs->names = calloc((size_t)rs->n_columns + 1, sizeof *rs->names);
    rs->spelled = calloc((size_t)rs->n_columns + 1, sizeof *rs->spelled);
    must(rs->names && rs->spelled);
    for (int i = 0; i < rs->n_columns; i++) {
        rs->names[i] = strdup(sqlite3_column_name(q.stmt, i));
        must(rs->names[i]);
        rs->spelled[i] = -1;
    }
    for (int i = rs->n_columns; i < rs->n_all; i++) {
        int of = atoi(sqlite3_column_name(q.stmt, i));
        if (of > 0 && of < rs->n_columns)
            rs->spelled[of] = i;
    }
    return query_close(&q, f);
}

static bool is_column(const struct results *rs, const char *name)
{
    for (int i = 0; i < rs->n_columns; i++)
        if (strcasecmp(rs->names[i], name) == 0)
            return true;
    return false;
}

static void add_quoted(struct buf *b, const char *name)
{
    buf_addc(b, '"');
    for (; *name; name++)
        buf_addf(b, *name == '"' ? "\"%c" : "%c", *name);
    buf_addc(b, '"');
}

/* --- what a person wrote --- */

static enum err wrong_sql(struct results *rs, const char *what, const char *expression, int offset,
                          struct fault *f)
{
    struct buf known = { 0 };

    for (int i = 0; i < rs->n_columns; i++)
        buf_addf(&known, "%s%s", i ? ", " : "", rs->names[i]);
    char place[40] = "";
    if (offset >= 0 && (size_t)offset < strlen(expression))
        snprintf(place, sizeof place, " at '%.20s'", expression + offset);
    fault_set(f, ERR_USAGE, "%s '%.200s': %s%s; columns: %.500s", what, expression,
              sqlite3_errmsg(rs->db->sql), place, known.data);
    buf_fini(&known);
    return f->code;
}

/* check_expression - alone and in parentheses, so that it can only be one expression. The newline
 * ends a comment in it. */
static enum err check_expression(struct results *rs, const char *what, const char *expression,
                                 struct fault *f)
{
    struct buf sql = { 0 };
    sqlite3_stmt *s = NULL;
    const char *tail = "";

    buf_adds(&sql, "SELECT (");
    size_t before = sql.n;
    buf_addf(&sql, "%s\n) FROM (%s) AS %s", expression, rs->rows_sql, rs->view);
    int rc = sqlite3_prepare_v2(rs->db->sql, sql.data, -1, &s, &tail);
    enum err e = ERR_NONE;
    if (rc != SQLITE_OK)
        e = wrong_sql(rs, what, expression, sqlite3_error_offset(rs->db->sql) - (int)before, f);
    else if (!s || *tail || sqlite3_column_count(s) != 1)
        e = fault_set(f, ERR_USAGE, "%s '%.200s': one expression is wanted", what, expression);
    sqlite3_finalize(s);
    buf_fini(&sql);
    return e;
}

static enum err add_where(struct results *rs, const char *where, struct buf *sql, struct fault *f)
{
    enum err e = check_expression(rs, "where", where, f);

    if (!e)
        buf_addf(sql, " WHERE (%s\n)", where);
    return e;
}

static enum err add_order(struct results *rs, const char *sort, struct buf *sql, struct fault *f)
{
    struct buf by = { 0 };
    enum err e = ERR_NONE;

    if (sort) {
        bool down = *sort == '-' && !is_column(rs, sort);
        sort += down;
        if (is_column(rs, sort))
            add_quoted(&by, sort);
        else
            buf_addf(&by, "%s", sort);
        e = check_expression(rs, "sort", buf_text(&by), f);
        buf_addf(sql, " ORDER BY (%s\n)%s NULLS LAST, %s", buf_text(&by), down ? " DESC" : "",
                 rs->order);
    } else {
        buf_addf(sql, " ORDER BY %s", rs->order);
    }
    buf_fini(&by);
    return e;
}

static enum err prepare(struct results *rs, const char *where, const char *sort, struct fault *f)
{
    struct buf sql = { 0 };
    const char *tail = "";
    enum err e = ERR_NONE;

    buf_addf(&sql, "SELECT * FROM (%s) AS %s", rs->rows_sql, rs->view);
    if (where)
        e = add_where(rs, where, &sql, f);
    if (!e)
        e = add_order(rs, sort, &sql, f);
    if (!e) {
        int rc = sqlite3_prepare_v2(rs->db->sql, sql.data, -1, &rs->stmt, &tail);
        if (rc != SQLITE_OK)
            e = wrong_sql(rs, "where", where ? where : "", -1, f);
        else /* each of the two was looked at alone */
            must(!*tail && sqlite3_column_count(rs->stmt) == rs->n_all);
    }
    buf_fini(&sql);
    return e;
}

/* --- rows --- */

static void read_row(const struct results *rs, const char **cells, bool *is_number)
{
    for (int i = 0; i < rs->n_columns; i++) {
        int type = sqlite3_column_type(rs->stmt, i);
        is_number[i] = type == SQLITE_INTEGER || type == SQLITE_FLOAT;
        cells[i] = (const char *)sqlite3_column_text(rs->stmt, i);
        if (!is_number[i] || rs->spelled[i] < 0)
            continue;
        const char *spelled = (const char *)sqlite3_column_text(rs->stmt, rs->spelled[i]);
        if (spelled)
            cells[i] = spelled;
    }
}

static enum err give_rows(struct results *rs, const char *where, reader_row_fn fn, void *ctx,
                          struct fault *f)
{
    size_t n = (size_t)rs->n_columns;
    const char **cells = calloc(n + 1, sizeof *cells);
    bool *is_number = calloc(n + 1, sizeof *is_number);
    int rc = SQLITE_OK;

    must(cells && is_number);
    enum err e = fn(ctx, n, rs->names, NULL, NULL, f);
    while (!e && (rc = sqlite3_step(rs->stmt)) == SQLITE_ROW) {
        read_row(rs, cells, is_number);
        e = fn(ctx, n, rs->names, cells, is_number, f);
    }
    if (!e && (rc & 0xff) == SQLITE_ERROR) /* "integer overflow", "malformed JSON" */
        e = wrong_sql(rs, where ? "where" : "results", where ? where : "", -1, f);
    else if (!e && rc != SQLITE_DONE)
        e = db_fault(rs->db, rc, f);
    free(cells);
    free(is_number);
    return e;
}

enum err reader_results(struct reader *r, const struct reader_study *s, const char *where,
                        const char *sort, reader_row_fn fn, void *ctx, struct fault *f)
{
    struct results rs = { .db = &r->db };
    bool calls = s->array.kind == ARRAY_CALLS;
    enum err e = ERR_NONE;

    if (calls)
        calls_rows(&rs, s->id);
    else
        e = find_rows(&rs, s->id, f);
    if (!e)
        e = calls ? calls_functions(r, f) : late_functions(r, f);
    if (!e && !calls)
        e = values_show(r, s, f);
    sqlite3_set_authorizer(r->db.sql, allow_reading, NULL);
    if (!e)
        e = find_columns(&rs, f);
    if (!e)
        e = prepare(&rs, where, sort, f);
    if (!e)
        e = give_rows(&rs, where, fn, ctx, f);
    sqlite3_finalize(rs.stmt);
    sqlite3_set_authorizer(r->db.sql, NULL, NULL);
    values_hide(r);
    for (int i = 0; i < rs.n_columns; i++)
        free((char *)(uintptr_t)rs.names[i]);
    free(rs.names);
    free(rs.spelled);
    free(rs.view);
    free(rs.rows_sql);
    return e;
}

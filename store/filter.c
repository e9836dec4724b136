/* filter - SQLite's expressions over named values, with no database behind them.
 *
 * The names are the columns of a subquery of parameters: SELECT (expr) FROM (SELECT ?1 AS "T",
 * ...). SQLite flattens it, so that one evaluation is binding, one step and one reset. */
#include "store/filter.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/must.h"

struct filter {
    sqlite3 *sql;
    sqlite3_stmt *stmt;
    char *expression;
    size_t n;
};

static int authorize(void *ctx, int action, const char *one, const char *two, const char *db,
                     const char *trigger)
{
    (void)ctx;
    (void)one;
    (void)db;
    (void)trigger;
    if (action == SQLITE_SELECT)
        return SQLITE_OK;
    if (action == SQLITE_FUNCTION && strcasecmp(two, "load_extension") != 0)
        return SQLITE_OK;
    return SQLITE_DENY;
}

static enum err wrong_expression(const char *expression, const char *why, int offset,
                                 const char *const *names, size_t n, struct fault *f)
{
    struct buf known = { 0 };
    char place[60] = "";

    for (size_t j = 0; j < n; j++)
        buf_addf(&known, "%s%s", j ? ", " : "", names[j]);
    if (offset >= 0 && (size_t)offset < strlen(expression))
        snprintf(place, sizeof place, " at '%.20s'", expression + offset);
    fault_set(f, ERR_USAGE, "where '%.200s': %s%s; names: %.500s", expression, why, place,
              buf_text(&known));
    buf_fini(&known);
    return f->code;
}

static void open_empty(struct filter *fl)
{
    must(sqlite3_open_v2(":memory:", &fl->sql,
                         SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX,
                         NULL) == SQLITE_OK);
    sqlite3_db_config(fl->sql, SQLITE_DBCONFIG_DQS_DML, 0,
                      NULL); /* "x" is a name, never a string */
    sqlite3_limit(fl->sql, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_set_authorizer(fl->sql, authorize, NULL);
}

/* The newline ends a comment in the expression. *before: where the expression begins. */
static void write_sql(const char *expression, const char *const *names, size_t n, struct buf *sql,
                      size_t *before)
{
    buf_adds(sql, "SELECT (");
    *before = sql->n;
    buf_addf(sql, "%s\n) IS TRUE FROM (SELECT ", expression);
    for (size_t j = 0; j < n; j++) {
        buf_addf(sql, "%s?%zu AS \"", j ? ", " : "", j + 1);
        for (const char *p = names[j]; *p; p++)
            buf_addf(sql, *p == '"' ? "\"%c" : "%c", *p);
        buf_addc(sql, '"');
    }
    buf_adds(sql, n ? ")" : "1)");
}

enum err filter_new(const char *expression, const char *const *names, size_t n, struct filter **out,
                    struct fault *f)
{
    struct filter *fl = calloc(1, sizeof *fl);
    struct buf sql = { 0 };
    size_t before;
    const char *tail = "";
    enum err e = ERR_NONE;

    must(fl);
    *out = NULL;
    fl->n = n;
    fl->expression = strdup(expression);
    must(fl->expression);
    open_empty(fl);
    write_sql(expression, names, n, &sql, &before);
    int rc = sqlite3_prepare_v3(fl->sql, sql.data, -1, SQLITE_PREPARE_PERSISTENT, &fl->stmt, &tail);
    if (rc != SQLITE_OK)
        e = wrong_expression(expression, sqlite3_errmsg(fl->sql),
                             sqlite3_error_offset(fl->sql) - (int)before, names, n, f);
    else if (!fl->stmt || *tail || sqlite3_column_count(fl->stmt) != 1 ||
             sqlite3_bind_parameter_count(fl->stmt) != (int)n)
        e = wrong_expression(expression, "one expression over the names is wanted", -1, names, n,
                             f);
    buf_fini(&sql);
    if (e) {
        filter_free(fl);
        return e;
    }
    *out = fl;
    return ERR_NONE;
}

static const char *digits(const char *p)
{
    while (*p >= '0' && *p <= '9')
        p++;
    return p;
}

enum number { NOT_A_NUMBER, WHOLE, FRACTION };

/* number_kind - a decimal number: [+-]digits[.digits][e[+-]digits], with a digit before or after
 * the point. */
static enum number number_kind(const char *text)
{
    const char *p = text + (*text == '-' || *text == '+'), *start = p;
    enum number kind = WHOLE;

    p = digits(p);
    size_t n = (size_t)(p - start);
    if (*p == '.') {
        kind = FRACTION;
        const char *after = digits(p + 1);
        n += (size_t)(after - p - 1);
        p = after;
    }
    if (!n)
        return NOT_A_NUMBER;
    if (*p == 'e' || *p == 'E') {
        kind = FRACTION;
        const char *exponent = p + 1 + (p[1] == '-' || p[1] == '+');
        p = digits(exponent);
        if (p == exponent)
            return NOT_A_NUMBER;
    }
    if (*p)
        return NOT_A_NUMBER;
    return kind == WHOLE && n > 18 ? FRACTION : kind; /* 18 digits always fit 63 bits */
}

static void bind_value(sqlite3_stmt *s, int i, const char *text)
{
    switch (number_kind(text)) {
    case WHOLE:
        sqlite3_bind_int64(s, i, strtoll(text, NULL, 10));
        break;
    case FRACTION:
        sqlite3_bind_double(s, i, strtod(text, NULL));
        break;
    default:
        sqlite3_bind_text(s, i, text, -1, SQLITE_STATIC);
    }
}

enum err filter_keep(struct filter *fl, const char *const *values, bool *keep, struct fault *f)
{
    for (size_t j = 0; j < fl->n; j++)
        bind_value(fl->stmt, (int)j + 1, values[j]);
    int rc = sqlite3_step(fl->stmt);
    *keep = rc == SQLITE_ROW && sqlite3_column_int(fl->stmt, 0) != 0;
    sqlite3_reset(fl->stmt);
    if (rc == SQLITE_ROW)
        return ERR_NONE;
    must(rc != SQLITE_NOMEM);
    return fault_set(f, ERR_USAGE, "where '%.200s': %s", fl->expression, sqlite3_errmsg(fl->sql));
}

void filter_free(struct filter *fl)
{
    if (!fl)
        return;
    sqlite3_finalize(fl->stmt);
    sqlite3_close(fl->sql);
    free(fl->expression);
    free(fl);
}

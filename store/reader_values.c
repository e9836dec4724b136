/* reader_values - the factor values of points that ended without having begun: no worker told them,
 * so the store has none, but the study does. */
#include "store/reader.h"
#include "store/reader_impl.h"

void reader_values(struct reader *r, reader_values_fn fn, void *ctx)
{
    r->values.fn = fn;
    r->values.ctx = ctx;
}

/* grange_values(task) - as ended.vals has them; NULL for a task of another array. */
static void values_of(sqlite3_context *c, int n_args, sqlite3_value **args)
{
    struct values *v = sqlite3_user_data(c);
    uint64_t task = (uint64_t)sqlite3_value_int64(args[0]);

    (void)n_args;
    if (task < v->first || task - v->first >= v->n)
        return;
    if (v->task != task || !v->json.n) { /* a row asks once for each column */
        buf_clear(&v->json);
        v->fn(v->ctx, task - v->first, &v->json);
        v->task = task;
    }
    sqlite3_result_text64(c, buf_text(&v->json), v->json.n, SQLITE_TRANSIENT, SQLITE_UTF8);
}

enum err values_show(struct reader *r, const struct reader_study *s, struct fault *f)
{
    struct values *v = &r->values;

    if (!v->fn)
        return ERR_NONE;
    v->first = s->array.first.n;
    v->n = s->array.n;
    buf_clear(&v->json);
    int rc = sqlite3_create_function(r->db.sql, "grange_values", 1, SQLITE_UTF8, v, values_of, NULL,
                                     NULL);
    if (rc != SQLITE_OK)
        return db_fault(&r->db, rc, f);
    return db_exec(&r->db,
                   "PRAGMA query_only = 0;"
                   "CREATE TEMP VIEW ended AS SELECT n, task, state, lease, worker, reason, code, "
                   "attempts, started_ms, ended_ms, wall_us, user_us, sys_us, maxrss_kib, "
                   "coalesce(vals, grange_values(task)) AS vals, metrics, error, dir, out_total, "
                   "err_total, metrics_missing, because, result FROM main.ended;"
                   "PRAGMA query_only = 1",
                   f);
}

void values_hide(struct reader *r)
{
    if (r->values.fn)
        (void)sqlite3_exec(r->db.sql,
                           "PRAGMA query_only = 0;"
                           "DROP VIEW IF EXISTS temp.ended;"
                           "PRAGMA query_only = 1",
                           NULL, NULL, NULL);
}

/* reader_late - metrics that were asked for after a point had ended are read from what is kept of
 * it. */
#include <stdlib.h>
#include <string.h>

#include "store/reader.h"
#include "store/reader_impl.h"

void reader_late(struct reader *r, const char *const *names, size_t n, reader_late_fn fn, void *ctx)
{
    r->late.names = names;
    r->late.n_names = n;
    r->late.fn = fn;
    r->late.ctx = ctx;
    r->late.end = 0;
}

void late_fini(struct late *l)
{
    sqlite3_finalize(l->query.stmt);
    buf_fini(&l->json);
    *l = (struct late){ 0 };
}

/* A metric's name has no letter that JSON escapes, and a quote inside a value is escaped. */
static bool is_member(const char *json, const char *name)
{
    size_t n = strlen(name);

    for (const char *at = json; (at = strchr(at, '"')) != NULL; at++)
        if (strncmp(at + 1, name, n) == 0 && at[n + 1] == '"' && at[n + 2] == ':')
            return true;
    return false;
}

bool late_wanted(const struct late *l, const char *json)
{
    for (size_t k = 0; l->fn && k < l->n_names; k++)
        if (!is_member(json ? json : "", l->names[k]))
            return true;
    return false;
}

/* Of two members of one name readers take the first: what was recorded stays. */
void late_fill(struct late *l, const char *json, const struct end_body *body, struct buf *out)
{
    struct buf found = { 0 };
    size_t n = json ? strlen(json) : 0;

    l->fn(l->ctx, body, &found);
    if (n > 2) {
        buf_add(out, json, n - 1);
        buf_addf(out, "%s%s", found.n > 2 ? "," : "", buf_text(&found) + (found.n > 0));
    } else {
        buf_adds(out, found.n ? found.data : "{}");
    }
    buf_fini(&found);
}

/* grange_metrics(n, metrics) - those of the end n, the late ones added. */
static void metrics_of(sqlite3_context *c, int n_args, sqlite3_value **args)
{
    struct reader *r = sqlite3_user_data(c);
    int64_t n = sqlite3_value_int64(args[0]);
    const char *json = (const char *)sqlite3_value_text(args[1]);
    struct fault f;

    (void)n_args;
    if (!late_wanted(&r->late, json)) {
        sqlite3_result_value(c, args[1]);
        return;
    }
    if (r->late.end != n) { /* a row asks once for each column */
        buf_clear(&r->late.json);
        if (late_read(r, n, json, &r->late.json, &f)) {
            sqlite3_result_error(c, f.text, -1);
            return;
        }
        r->late.end = n;
    }
    sqlite3_result_text64(c, buf_text(&r->late.json), r->late.json.n, SQLITE_TRANSIENT,
                          SQLITE_UTF8);
}

enum err late_functions(struct reader *r, struct fault *f)
{
    int rc = sqlite3_create_function(r->db.sql, "grange_metrics", 2, SQLITE_UTF8, r, metrics_of,
                                     NULL, NULL);

    return rc == SQLITE_OK ? ERR_NONE : db_fault(&r->db, rc, f);
}

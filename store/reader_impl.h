#ifndef GRANGE_STORE_READER_IMPL_H
#define GRANGE_STORE_READER_IMPL_H
/* reader_impl - what the files of the reader share. */

#include "store/impl.h"
#include "store/reader.h"

/* late - reader_late's words, and the metrics of the end that was asked for last. */
struct late {
    const char *const *names;
    size_t n_names;
    reader_late_fn fn; /* NULL: metrics are as they were recorded */
    void *ctx;
    struct query query;
    int64_t end; /* ended.n; 0: none */
    struct buf json;
};

struct values {
    reader_values_fn fn; /* NULL: values are as they were recorded */
    void *ctx;
    uint64_t first, n; /* the tasks that it knows */
    uint64_t task;     /* whose values json has */
    struct buf json;
};

struct reader {
    struct db db;
    struct late late;
    struct values values;
};

/* values_show - from now on a view with the values of all points of s hides the table ended; it is
 * of this connection alone. values_hide: no longer. */
enum err values_show(struct reader *r, const struct reader_study *s, struct fault *f);
void values_hide(struct reader *r);

void late_fini(struct late *l);
/* late_wanted - whether a recorded object of metrics (NULL: none) lacks one of the names. late_fill
 * - that object with what reader_late's function finds. late_read - the same for the end n. */
bool late_wanted(const struct late *l, const char *json);
void late_fill(struct late *l, const char *json, const struct end_body *body, struct buf *out);
enum err late_read(struct reader *r, int64_t n, const char *json, struct buf *out, struct fault *f);
/* late_functions - the SQL function grange_metrics, which every rows_sql calls (views.c). */
enum err late_functions(struct reader *r, struct fault *f);

/* calls_rows_sql - the SELECT of reader_results for a study of calls; its order is that of the
 * hidden column " task". calls_functions - the SQL function grange_text that it calls. */
void calls_rows_sql(study_id study, struct buf *sql);
enum err calls_functions(struct reader *r, struct fault *f);

/* allow_reading - an authorizer that lets a person's expression read and compute, nothing else. ctx
 * is not used. */
int allow_reading(void *ctx, int action, const char *one, const char *two, const char *db,
                  const char *trigger);

#endif

/* reader_ends - single ends and attempts with what they printed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "store/reader.h"
#include "store/reader_impl.h"

#define OUTPUT_COLUMNS "o.flags, o.out_file, o.err_file, o.out, o.err"
#define END_WITH_OUTPUT                                                                            \
    "SELECT " END_COLUMNS("e.") ", " OUTPUT_COLUMNS " FROM ended e LEFT JOIN output o ON o.n = "   \
                                "e.n"

static void output_read(sqlite3_stmt *s, int at, struct end_body *b)
{
    int flags = sqlite3_column_int(s, at);
    const char *out_file = (const char *)sqlite3_column_text(s, at + 1);
    const char *err_file = (const char *)sqlite3_column_text(s, at + 2);

    b->out_packed = (flags & FLAG_OUT_PACKED) != 0;
    b->err_packed = (flags & FLAG_ERR_PACKED) != 0;
    b->out_file = out_file ? out_file : "";
    b->err_file = err_file ? err_file : "";
    b->out = sqlite3_column_blob(s, at + 3);
    b->out_bytes = (uint32_t)sqlite3_column_bytes(s, at + 3);
    b->err = sqlite3_column_blob(s, at + 4);
    b->err_bytes = (uint32_t)sqlite3_column_bytes(s, at + 4);
}

/* keep - moves what one pointer of a body means into *text; *text has the room already, so it stays
 * where it is. */
static const void *keep(struct buf *text, const void *data, size_t n)
{
    size_t at = text->n;

    buf_add(text, data, n);
    buf_addc(text, '\0');
    return text->data + at;
}

static void body_keep(struct end_body *b, struct buf *text)
{
    const char **strings[] = { &b->values,   &b->metrics,  &b->error_line,
                               &b->out_file, &b->err_file, &b->dir };
    size_t n = b->out_bytes + b->err_bytes + 2;

    for (size_t i = 0; i < 6; i++)
        n += strlen(*strings[i]) + 1;
    buf_clear(text);
    buf_reserve(text, n);
    for (size_t i = 0; i < 6; i++)
        *strings[i] = keep(text, *strings[i], strlen(*strings[i]));
    b->out = keep(text, b->out, b->out_bytes);
    b->err = keep(text, b->err, b->err_bytes);
}

/* body_add_late - into the reader's own buffer first: a body that is kept is one block of text. */
static void body_add_late(struct reader *r, struct end_body *b)
{
    if (!late_wanted(&r->late, b->metrics))
        return;
    r->late.end = 0;
    buf_clear(&r->late.json);
    late_fill(&r->late, b->metrics, b, &r->late.json);
    b->metrics = buf_text(&r->late.json);
}

enum err reader_end(struct reader *r, task_id task, bool *found, struct end_row *row,
                    struct end_body *body, struct buf *text, struct fault *f)
{
    struct query q;

    query_open(&q, &r->db,
               END_WITH_OUTPUT
               " WHERE e.task = coalesce((SELECT from_task FROM adopted WHERE task = ?1), ?1)"
               " ORDER BY e.n LIMIT 1");
    query_int(&q, 1, (int64_t)task.n);
    *found = query_row(&q);
    if (*found) {
        end_read(q.stmt, 0, row, body);
        output_read(q.stmt, N_END_COLUMNS, body);
        body_add_late(r, body);
        body_keep(body, text);
        row->task = task;
    }
    return query_close(&q, f);
}

enum err late_read(struct reader *r, int64_t n, const char *json, struct buf *out, struct fault *f)
{
    struct query *q = &r->late.query; /* kept open: it is asked for row after row */
    struct end_row row;
    struct end_body body;

    if (!q->stmt)
        query_open(q, &r->db, END_WITH_OUTPUT " WHERE e.n = ?1");
    query_int(q, 1, n);
    if (query_row(q)) {
        end_read(q->stmt, 0, &row, &body);
        output_read(q->stmt, N_END_COLUMNS, &body);
        late_fill(&r->late, json, &body, out);
    }
    if (q->rc != SQLITE_ROW && q->rc != SQLITE_DONE)
        return query_close(q, f);
    q->rc = sqlite3_reset(q->stmt);
    return ERR_NONE;
}

enum err reader_because(struct reader *r, task_id task, bool *found, struct reader_because *why,
                        struct fault *f)
{
    struct query q;

    query_open(&q, &r->db,
               "SELECT s.name, e.because - a.first_task, coalesce((SELECT state FROM ended WHERE "
               "task = coalesce((SELECT from_task FROM adopted WHERE task = e.because), e.because)"
               " ORDER BY n DESC LIMIT 1), 0), coalesce(a.key_text, '')"
               " FROM ended e JOIN array a ON a.first_task = (SELECT max(first_task) FROM array"
               " WHERE first_task <= e.because) JOIN study s ON s.id = a.study"
               " WHERE e.task = ?1 AND e.reason = ?2 AND e.because IS NOT NULL");
    query_int(&q, 1, (int64_t)task.n);
    query_int(&q, 2, END_UNMET);
    *found = query_row(&q);
    if (*found) {
        snprintf(why->study, sizeof why->study, "%s", (const char *)sqlite3_column_text(q.stmt, 0));
        why->index = (uint64_t)sqlite3_column_int64(q.stmt, 1);
        why->state = (enum task_state)sqlite3_column_int(q.stmt, 2);
        snprintf(why->key, sizeof why->key, "%s", (const char *)sqlite3_column_text(q.stmt, 3));
    }
    return query_close(&q, f);
}

static void attempt_read(sqlite3_stmt *s, struct end_row *row, struct end_body *body)
{
    end_read(s, 0, row, body);
    row->counted = sqlite3_column_int(s, N_END_COLUMNS) != 0;
    body->err_packed = sqlite3_column_int(s, N_END_COLUMNS + 1) != 0;
    body->err = sqlite3_column_blob(s, N_END_COLUMNS + 2);
    body->err_bytes = (uint32_t)sqlite3_column_bytes(s, N_END_COLUMNS + 2);
}

enum err reader_attempts(struct reader *r, task_id task, reader_attempt_fn fn, void *ctx,
                         struct fault *f)
{
    struct query q;
    struct end_row row;
    struct end_body body;
    enum err e = ERR_NONE;

    query_open(&q, &r->db,
               "SELECT " END_COLUMNS("") ", counted, err_packed, err FROM attempt"
                                         " WHERE task = ?1 OR task = (SELECT from_task FROM "
                                         "adopted WHERE task = ?1) ORDER BY n");
    query_int(&q, 1, (int64_t)task.n);
    while (!e && query_row(&q)) {
        attempt_read(q.stmt, &row, &body);
        e = fn(ctx, &row, f);
    }
    if (!e)
        return query_close(&q, f);
    sqlite3_finalize(q.stmt);
    return e;
}

/* --- failures of the current array --- */

struct failure {
    uint64_t index;
    int64_t n; /* ended.n */
};

static void note_failure(void *ctx, uint64_t index, bool adopted, sqlite3_stmt *s)
{
    struct failure failure = { .index = index, .n = sqlite3_column_int64(s, 2) };

    (void)adopted;
    if (sqlite3_column_int(s, 1) != TASK_DONE)
        buf_add(ctx, &failure, sizeof failure);
}

static int by_index(const void *a, const void *b)
{
    const struct failure *x = a, *y = b;

    return x->index < y->index ? -1 : x->index > y->index;
}

static enum err give_failure(struct reader *r, const struct failure *failure, task_id task,
                             reader_attempt_fn fn, void *ctx, struct fault *f)
{
    struct query q;
    struct end_row row;
    struct end_body body;
    enum err e = ERR_NONE;

    query_open(&q, &r->db, END_WITH_OUTPUT " WHERE e.n = ?1");
    query_int(&q, 1, failure->n);
    if (query_row(&q)) {
        end_read(q.stmt, 0, &row, &body);
        output_read(q.stmt, N_END_COLUMNS, &body);
        row.task = task;
        e = fn(ctx, &row, f);
    }
    if (!e)
        return query_close(&q, f);
    sqlite3_finalize(q.stmt);
    return e;
}

enum err reader_failures(struct reader *r, const struct reader_study *s, size_t most,
                         reader_attempt_fn fn, void *ctx, struct fault *f)
{
    struct buf list = { 0 };
    enum err e = ends_each(&r->db, &s->array, "state, n", note_failure, &list, f);
    struct failure *failures = (struct failure *)list.data;
    size_t n = list.n / sizeof *failures;

    if (n)
        qsort(failures, n, sizeof *failures, by_index);
    for (size_t i = 0; i < n && i < most && !e; i++)
        e = give_failure(r, &failures[i], (task_id){ s->array.first.n + failures[i].index }, fn,
                         ctx, f);
    buf_fini(&list);
    return e;
}

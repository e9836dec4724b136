/* load - what a scheduler that starts, or meets a study again, reads back. */
#include "store/impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/must.h"

/* --- finding studies and arrays --- */

enum err store_find_study(struct store *st, const char *name, bool *found, struct study_row *row,
                          struct fault *f)
{
    struct query q;

    *found = false;
    *row = (struct study_row){ 0 };
    query_open(&q, &st->db, "SELECT id, current, active, halted FROM study WHERE name = ?1");
    query_text(&q, 1, name);
    if (query_row(&q)) {
        *found = true;
        *row = (struct study_row){
            .id = { (uint32_t)sqlite3_column_int64(q.stmt, 0) },
            .current = { (uint32_t)sqlite3_column_int64(q.stmt, 1) },
            .active = sqlite3_column_int(q.stmt, 2) != 0,
            .halted = sqlite3_column_int(q.stmt, 3) != 0,
        };
    }
    return query_close(&q, f);
}

enum err store_active_studies(struct store *st, store_name_fn fn, void *ctx, struct fault *f)
{
    struct query q;

    query_open(
        &q, &st->db,
        "SELECT name FROM study s WHERE active OR EXISTS (SELECT 1 FROM running r JOIN array a"
        " ON r.task BETWEEN a.first_task AND a.first_task + a.n - 1 WHERE a.id = s.current)"
        " ORDER BY id");
    while (query_row(&q))
        fn(ctx, (const char *)sqlite3_column_text(q.stmt, 0));
    return query_close(&q, f);
}

static enum err one_array(struct query *q, bool *found, struct array_row *row, struct buf *text,
                          struct fault *f)
{
    enum err e = ERR_NONE;

    *found = query_row(q);
    if (*found)
        e = array_read(q, row, text, f);
    else
        *row = (struct array_row){ 0 };
    if (e) {
        sqlite3_finalize(q->stmt);
        return e;
    }
    return query_close(q, f);
}

/* The last one of several: a study that is run afresh has the same key again. */
enum err store_find_array(struct store *st, study_id study, const uint64_t key[2], bool *found,
                          struct array_row *row, struct buf *text, struct fault *f)
{
    struct query q;

    query_open(&q, &st->db,
               "SELECT " ARRAY_COLUMNS " FROM array a JOIN study s ON s.id = a.study"
               " WHERE a.study = ?1 AND a.key = ?2 ORDER BY a.id DESC LIMIT 1");
    query_int(&q, 1, study.n);
    if (q.rc == SQLITE_OK)
        q.rc = sqlite3_bind_blob(q.stmt, 2, key, 16, SQLITE_STATIC);
    return one_array(&q, found, row, text, f);
}

enum err store_array(struct store *st, array_id id, bool *found, struct array_row *row,
                     struct buf *text, struct fault *f)
{
    struct query q;

    query_open(&q, &st->db,
               "SELECT " ARRAY_COLUMNS
               " FROM array a JOIN study s ON s.id = a.study WHERE a.id = ?1");
    query_int(&q, 1, id.n);
    return one_array(&q, found, row, text, f);
}

enum err store_other_arrays(struct store *st, study_id study, array_id except, struct buf *ids,
                            struct fault *f)
{
    struct query q;

    query_open(&q, &st->db,
               "SELECT id FROM array WHERE study = ?1 AND id <> ?2 AND kind = 0 ORDER BY id");
    query_int(&q, 1, study.n);
    query_int(&q, 2, except.n);
    while (query_row(&q)) {
        array_id id = { (uint32_t)sqlite3_column_int64(q.stmt, 0) };
        buf_add(ids, &id, sizeof id);
    }
    return query_close(&q, f);
}

/* --- ends of an array --- */

struct adoption {
    uint64_t from, index;
};

static int adoption_compare(const void *a, const void *b)
{
    const struct adoption *x = a, *y = b;

    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* Adoptions of an array, sorted by whom they are from; as a rule they are in order already. */
static enum err adoptions_load(struct db *db, const struct array_row *row, struct buf *list,
                               struct fault *f)
{
    struct query q;
    bool sorted = true;
    uint64_t last = 0;

    query_open(&q, db,
               "SELECT task, from_task FROM adopted WHERE task >= ?1 AND task < ?2 ORDER BY task");
    query_int(&q, 1, (int64_t)row->first.n);
    query_int(&q, 2, (int64_t)(row->first.n + row->n));
    while (query_row(&q)) {
        struct adoption a = { .from = (uint64_t)sqlite3_column_int64(q.stmt, 1),
                              .index = (uint64_t)sqlite3_column_int64(q.stmt, 0) - row->first.n };
        sorted = sorted && a.from >= last;
        last = a.from;
        buf_add(list, &a, sizeof a);
    }
    if (!sorted)
        qsort(list->data, list->n / sizeof(struct adoption), sizeof(struct adoption),
              adoption_compare);
    return query_close(&q, f);
}

/* first_from - the first adoption from `task` or a later one. */
static size_t first_from(const struct adoption *list, size_t n, uint64_t task)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list[middle].from < task)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Where the adoptions from each task between low and high begin, when those are few enough beside
 * the adoptions; else NULL, and they are searched for. */
static uint32_t *starts_of(const struct adoption *list, size_t n, uint64_t low, uint64_t high)
{
    if (!n || n > UINT32_MAX || high - low >= 4 * (uint64_t)n)
        return NULL;
    uint32_t *starts = malloc((high - low + 1) * sizeof *starts);
    size_t i = 0;
    must(starts);
    for (uint64_t task = low; task <= high; task++) {
        while (i < n && list[i].from < task)
            i++;
        starts[task - low] = (uint32_t)i;
    }
    return starts;
}

enum err ends_each(struct db *db, const struct array_row *row, const char *columns, end_visit_fn fn,
                   void *ctx, struct fault *f)
{
    struct buf list = { 0 }, sql = { 0 };
    struct query q;
    uint64_t first = row->first.n, end = row->first.n + row->n, low = first, high = end - 1;
    enum err e = adoptions_load(db, row, &list, f);
    const struct adoption *a = (const struct adoption *)list.data;
    size_t n = list.n / sizeof *a;

    if (n && a[0].from < low)
        low = a[0].from;
    if (n && a[n - 1].from > high)
        high = a[n - 1].from;
    uint32_t *starts = starts_of(a, n, low, high);
    if (!e) {
        buf_addf(&sql, "SELECT task, %s FROM ended WHERE task BETWEEN ?1 AND ?2", columns);
        query_open(&q, db, sql.data);
        query_int(&q, 1, (int64_t)low);
        query_int(&q, 2, (int64_t)high);
        while (query_row(&q)) {
            uint64_t task = (uint64_t)sqlite3_column_int64(q.stmt, 0);
            if (task >= first && task < end)
                fn(ctx, task - first, false, q.stmt);
            size_t i = !n ? 0 : starts ? starts[task - low] : first_from(a, n, task);
            for (; i < n && a[i].from == task; i++)
                fn(ctx, a[i].index, true, q.stmt);
        }
        e = query_close(&q, f);
    }
    free(starts);
    buf_fini(&list);
    buf_fini(&sql);
    return e;
}

struct states {
    uint8_t *state;
    bool warned; /* with STATE_WARNED */
};

static void note_state(void *ctx, uint64_t index, bool adopted, sqlite3_stmt *s)
{
    struct states *st = ctx;

    (void)adopted;
    if (st->state[index])
        return; /* the first end of a task is its end */
    st->state[index] = (uint8_t)sqlite3_column_int(s, 1);
    if (st->warned && sqlite3_column_int(s, 2) == END_WARNED)
        st->state[index] |= STATE_WARNED;
}

enum err load_states(struct db *db, const struct array_row *row, uint8_t *state, bool warned,
                     struct fault *f)
{
    struct states st = { state, warned };

    return ends_each(db, row, "state, reason", note_state, &st, f);
}

enum err store_states(struct store *st, const struct array_row *row, uint8_t *state,
                      struct fault *f)
{
    return load_states(&st->db, row, state, true, f);
}

struct durations {
    store_us_fn fn;
    void *ctx;
};

static void give_duration(void *ctx, uint64_t index, bool adopted, sqlite3_stmt *s)
{
    struct durations *d = ctx;

    (void)index;
    (void)adopted;
    if (sqlite3_column_int(s, 1) == TASK_DONE)
        d->fn(d->ctx, (uint64_t)sqlite3_column_int64(s, 2));
}

enum err store_durations(struct store *st, const struct array_row *row, store_us_fn fn, void *ctx,
                         struct fault *f)
{
    struct durations d = { fn, ctx };

    return ends_each(&st->db, row, "state, wall_us", give_duration, &d, f);
}

enum err store_took(struct store *st, uint64_t most, store_took_fn fn, void *ctx, struct fault *f)
{
    struct query q;

    query_open(&q, &st->db,
               "SELECT task, wall_us FROM ended WHERE state = ?1"
               " AND n > (SELECT max(n) FROM ended) - ?2 ORDER BY n DESC");
    query_int(&q, 1, TASK_DONE);
    query_int(&q, 2, (int64_t)most);
    while (query_row(&q))
        fn(ctx, (task_id){ (uint64_t)sqlite3_column_int64(q.stmt, 0) },
           (uint64_t)sqlite3_column_int64(q.stmt, 1));
    return query_close(&q, f);
}

/* --- attempts that count --- */

struct trouble {
    uint64_t task, last;
    uint32_t failures, losses;
    UT_hash_handle hh;
};

static void note_ended(void *ctx, uint64_t index, bool adopted, sqlite3_stmt *s)
{
    (void)adopted;
    (void)s;
    ((uint8_t *)ctx)[index] = 1;
}

static void trouble_note(struct trouble **table, uint64_t task, uint64_t lease, bool counted,
                         bool lost)
{
    struct trouble *t;

    HASH_FIND(hh, *table, &task, sizeof task, t);
    if (!t) {
        t = calloc(1, sizeof *t);
        must(t);
        t->task = task;
        HASH_ADD(hh, *table, task, sizeof t->task, t);
    }
    if (lost) {
        t->losses++;
    } else if (counted) {
        t->failures++;
        t->last = lease;
        t->losses = 0; /* in a row: it came back from that worker */
    }
}

/* Those of which attempt_ran is true. */
#define BEGUN_ATTEMPTS                                                                             \
    " FROM attempt WHERE task >= ?1 AND task < ?2 AND NOT reopened AND (counted OR reason = ?3"    \
    " OR (reason IN (?4, ?5) AND started_ms + wall_us > 0))"

static void bind_range(struct query *q, const struct array_row *row)
{
    query_int(q, 1, (int64_t)row->first.n);
    query_int(q, 2, (int64_t)(row->first.n + row->n));
    query_int(q, 3, END_LOST);
    query_int(q, 4, END_REVOKED);
    query_int(q, 5, END_INFRA);
}

static enum err troubles_load(struct db *db, const struct array_row *row, const uint8_t *ended,
                              struct trouble **table, struct fault *f)
{
    struct query q;

    query_open(&q, db, "SELECT task, counted, lease, reason" BEGUN_ATTEMPTS " ORDER BY n");
    bind_range(&q, row);
    while (query_row(&q)) {
        uint64_t task = (uint64_t)sqlite3_column_int64(q.stmt, 0);
        if (!ended[task - row->first.n])
            trouble_note(table, task, (uint64_t)sqlite3_column_int64(q.stmt, 2),
                         sqlite3_column_int(q.stmt, 1) != 0,
                         sqlite3_column_int(q.stmt, 3) == END_LOST);
    }
    return query_close(&q, f);
}

/* Most arrays have no attempt at all; only then is the pass over ended saved. */
enum err store_troubles(struct store *st, const struct array_row *row, store_trouble_fn fn,
                        void *ctx, struct fault *f)
{
    struct query q;
    struct trouble *table = NULL, *t, *next;

    query_open(&q, &st->db, "SELECT 1" BEGUN_ATTEMPTS " LIMIT 1");
    bind_range(&q, row);
    bool any = query_row(&q);
    enum err e = query_close(&q, f);
    if (e || !any)
        return e;
    uint8_t *ended = calloc(row->n, 1);
    must(ended);
    e = ends_each(&st->db, row, "n", note_ended, ended, f);
    if (!e)
        e = troubles_load(&st->db, row, ended, &table, f);
    HASH_ITER(hh, table, t, next)
    { /* in the order of their first trouble */
        if (!e)
            fn(ctx, (task_id){ t->task }, t->failures, t->losses, (lease_id){ t->last });
        HASH_DEL(table, t);
        free(t);
    }
    free(ended);
    return e;
}

/* --- halt rules --- */

enum err store_halt_counts(struct store *st, const struct array_row *row, uint64_t *failed,
                           uint64_t *ended, struct fault *f)
{
    struct query q;
    uint64_t span = row->kind == ARRAY_CALLS ? POINTS_MAX : row->n;

    *failed = *ended = 0;
    if (row->policy.halt_when == HALT_NEVER)
        return ERR_NONE;
    query_open(&q, &st->db,
               "SELECT count(*), count(*) FILTER (WHERE state <> ?4 AND reason <> ?7) FROM ended"
               " WHERE n > coalesce((SELECT value FROM meta WHERE key = 'halt ' || ?1), 0)"
               " AND task BETWEEN ?2 AND ?3 AND state IN (?4, ?5, ?6)");
    query_int(&q, 1, row->id.n);
    query_int(&q, 2, (int64_t)row->first.n);
    query_int(&q, 3, (int64_t)(row->first.n + span - 1));
    query_int(&q, 4, TASK_DONE);
    query_int(&q, 5, TASK_FAILED);
    query_int(&q, 6, TASK_QUARANTINED);
    query_int(&q, 7, END_QUARANTINED);
    if (query_row(&q)) {
        *ended = (uint64_t)sqlite3_column_int64(q.stmt, 0);
        *failed = (uint64_t)sqlite3_column_int64(q.stmt, 1);
    }
    return query_close(&q, f);
}

/* --- leases and workers --- */

enum err store_running(struct store *st, store_running_fn fn, void *ctx, struct fault *f)
{
    struct query q;

    query_open(&q, &st->db, "SELECT lease, task, worker, started_ms FROM running ORDER BY lease");
    while (query_row(&q))
        fn(ctx, (lease_id){ (uint64_t)sqlite3_column_int64(q.stmt, 0) },
           (task_id){ (uint64_t)sqlite3_column_int64(q.stmt, 1) },
           (worker_id){ (uint32_t)sqlite3_column_int64(q.stmt, 2) },
           sqlite3_column_int64(q.stmt, 3));
    return query_close(&q, f);
}

void worker_read(sqlite3_stmt *s, struct worker_row *row)
{
    *row = (struct worker_row){
        .id = { (uint32_t)sqlite3_column_int64(s, 0) },
        .instance = (uint64_t)sqlite3_column_int64(s, 1),
        .pid = (uint32_t)sqlite3_column_int64(s, 4),
        .slots = (uint32_t)sqlite3_column_int64(s, 5),
        .memory_mib = (uint64_t)sqlite3_column_int64(s, 6),
        .since_ms = sqlite3_column_int64(s, 7),
        .labels = (const char *)sqlite3_column_text(s, 8),
        .end_ms = sqlite3_column_int64(s, 10),
    };
    resources_read((const char *)sqlite3_column_text(s, 9), row);
    snprintf(row->name, sizeof row->name, "%s", (const char *)sqlite3_column_text(s, 2));
    snprintf(row->host, sizeof row->host, "%s", (const char *)sqlite3_column_text(s, 3));
}

enum err store_workers(struct store *st, store_worker_fn fn, void *ctx, struct fault *f)
{
    struct query q;
    struct worker_row row;

    query_open(&q, &st->db,
               "SELECT " WORKER_COLUMNS " FROM worker WHERE gone_ms IS NULL ORDER BY id");
    while (query_row(&q)) {
        worker_read(q.stmt, &row);
        fn(ctx, &row);
    }
    return query_close(&q, f);
}

/* From the end: a lease that is asked for ended a moment ago, if it did. */
enum err store_lease_won(struct store *st, lease_id lease, bool *found, task_id *task,
                         struct fault *f)
{
    struct query q;

    query_open(&q, &st->db, "SELECT task FROM ended WHERE lease = ?1 ORDER BY n DESC LIMIT 1");
    query_int(&q, 1, (int64_t)lease.n);
    *found = query_row(&q);
    *task = (task_id){ *found ? (uint64_t)sqlite3_column_int64(q.stmt, 0) : 0 };
    return query_close(&q, f);
}

/* reader - looking into a store without being its scheduler. */
#include "store/reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/must.h"
#include "store/impl.h"
#include "store/reader_impl.h"

/* --- opening --- */

/* In a directory that may not be written there can be no shared memory beside the file: then it is
 * read as it is, which is whole when no WAL is left. */
static enum err open_immutable(struct db *db, const char *path, struct fault *f)
{
    struct buf uri = { 0 }, wal = { 0 };
    struct stat s;
    enum err e;

    buf_addf(&wal, "%s-wal", path);
    if (stat(wal.data, &s) == 0 && s.st_size > 0) {
        e = fault_set(f, ERR_PERMISSION,
                      "%s was not closed, and its directory may not be written, so that what is in "
                      "%s cannot be "
                      "folded in; copy both into a directory of your own and look there",
                      path, wal.data);
    } else {
        buf_adds(&uri, "file:");
        for (const char *p = path; *p; p++)
            buf_addf(&uri, strchr("?#% ", *p) ? "%%%02x" : "%c", (unsigned char)*p);
        buf_adds(&uri, "?immutable=1");
        e = db_open(db, uri.data, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, f);
    }
    buf_fini(&uri);
    buf_fini(&wal);
    return e;
}

static enum err open_path(struct db *db, const char *path, int *version, struct fault *f)
{
    enum err e = db_open(db, path, SQLITE_OPEN_READWRITE, f);

    if (!e) {
        e = db_recognise(db, version, false, f);
        if (e)
            db_close(db);
    }
    if (e != ERR_PERMISSION && e != ERR_NOT_FOUND && e != ERR_IO)
        return e;
    if (access(path, R_OK) != 0)
        return fault_set(f, ERR_PERMISSION, "%s: %s", path, strerror(errno));
    e = open_immutable(db, path, f);
    if (!e) {
        e = db_recognise(db, version, false, f);
        if (e)
            db_close(db);
    }
    return e;
}

enum err reader_open(const char *dir, struct reader **out, struct fault *f)
{
    struct buf path = { 0 };
    struct reader *r = calloc(1, sizeof *r);
    int version = 0;

    must(r);
    *out = NULL;
    buf_addf(&path, "%s/grange.db", dir);
    enum err e;
    if (access(path.data, F_OK) != 0)
        e = fault_set(f, errno == EACCES ? ERR_PERMISSION : ERR_NOT_FOUND, "%s: %s", path.data,
                      errno != ENOENT          ? strerror(errno)
                      : access(dir, F_OK) != 0 ? "there is no such directory, and no study yet"
                                               : "there is no study in this directory yet");
    else
        e = open_path(&r->db, path.data, &version, f);
    if (!e && version != STORE_SCHEMA_VERSION)
        e = fault_set(
            f, version ? ERR_VERSION : ERR_NOT_FOUND, "%s: %s", path.data,
            version
                ? "made by an older Grange: `grange run` or `grange scheduler` brings it up to date"
                : "there is no study in this directory yet");
    if (!e)
        e = db_exec(&r->db,
                    "PRAGMA query_only = 1; PRAGMA temp_store = FILE; PRAGMA cache_size = -2000",
                    f);
    buf_fini(&path);
    if (e) {
        reader_close(r);
        return e;
    }
    *out = r;
    return ERR_NONE;
}

void reader_close(struct reader *r)
{
    if (!r)
        return;
    late_fini(&r->late);
    buf_fini(&r->values.json);
    db_close(&r->db);
    free(r);
}

/* --- studies --- */

#define STUDIES "SELECT " ARRAY_COLUMNS ", s.active FROM study s JOIN array a ON a.id = s.current"

static enum err study_read(struct query *q, struct reader_study *s, struct fault *f)
{
    enum err e = array_read(q, &s->array, &s->text, f);

    if (e)
        return e;
    s->id = s->array.study;
    snprintf(s->name, sizeof s->name, "%s", s->array.name);
    s->active = sqlite3_column_int(q->stmt, N_ARRAY_COLUMNS) != 0;
    s->submitted_ms = s->array.submitted_ms;
    return ERR_NONE;
}

static enum err unknown_study(struct reader *r, const char *name, struct fault *f)
{
    struct query q;
    struct buf known = { 0 };
    unsigned more = 0;

    query_open(&q, &r->db, "SELECT name FROM study ORDER BY submission DESC");
    while (query_row(&q))
        if (known.n < NAMES_SHOWN_BYTES)
            buf_addf(&known, "%s%s", known.n ? ", " : "",
                     (const char *)sqlite3_column_text(q.stmt, 0));
        else
            more++;
    enum err e = query_close(&q, f);
    if (more)
        buf_addf(&known, " and %u more: `grange status` lists them", more);
    if (!e && !known.n)
        e = fault_set(f, ERR_NOT_FOUND, "%s: there is no study in it yet", r->db.path);
    else if (!e)
        e = fault_set(f, ERR_NOT_FOUND, "there is no study '%.100s' in %s; it has: %.500s",
                      name ? name : "", r->db.path, known.data);
    buf_fini(&known);
    return e;
}

enum err reader_study(struct reader *r, const char *name, struct reader_study *s, struct fault *f)
{
    struct query q;
    enum err e = ERR_NONE;

    *s = (struct reader_study){ 0 };
    query_open(&q, &r->db,
               name ? STUDIES " WHERE s.name = ?1" : STUDIES " ORDER BY s.submission DESC LIMIT 1");
    if (name)
        query_text(&q, 1, name);
    bool found = query_row(&q);
    if (found)
        e = study_read(&q, s, f);
    if (e)
        sqlite3_finalize(q.stmt);
    else
        e = query_close(&q, f);
    if (!e && !found)
        e = unknown_study(r, name, f);
    if (e)
        reader_study_fini(s);
    return e;
}

void reader_study_fini(struct reader_study *s)
{
    buf_fini(&s->text);
    *s = (struct reader_study){ 0 };
}

enum err reader_studies(struct reader *r, reader_study_fn fn, void *ctx, struct fault *f)
{
    struct query q;
    struct reader_study s = { 0 };
    enum err e = ERR_NONE;

    query_open(&q, &r->db, STUDIES " ORDER BY s.id");
    while (!e && query_row(&q)) {
        e = study_read(&q, &s, f);
        if (!e)
            e = fn(ctx, &s, f);
    }
    reader_study_fini(&s);
    if (!e)
        return query_close(&q, f);
    sqlite3_finalize(q.stmt);
    return e;
}

/* --- the current array --- */

static void count_end(void *ctx, uint64_t index, bool adopted, sqlite3_stmt *s)
{
    struct reader_counts *c = ctx;
    ms_t started = sqlite3_column_int64(s, 2), ended = sqlite3_column_int64(s, 3);
    uint64_t *const count[N_TASK_STATES] = {
        [TASK_DONE] = &c->done,           [TASK_FAILED] = &c->failed,
        [TASK_CANCELLED] = &c->cancelled, [TASK_QUARANTINED] = &c->quarantined,
        [TASK_SKIPPED] = &c->skipped,     [TASK_UNMET] = &c->unmet,
    };
    int state = sqlite3_column_int(s, 1);

    (void)index;
    (void)adopted;
    if (state < 0 || state >= N_TASK_STATES || !count[state])
        return;
    ++*count[state];
    --c->left;
    if (state == TASK_DONE) {
        c->wall_us_sum += (uint64_t)sqlite3_column_int64(s, 4);
        c->n_wall++;
        c->warned += sqlite3_column_int(s, 5) == END_WARNED;
    }
    if (started && (!c->first_started_ms || started < c->first_started_ms))
        c->first_started_ms = started;
    if (ended > c->last_ended_ms)
        c->last_ended_ms = ended;
}

/* A study of calls has many arrays, all of which count. */
#define OF_STUDY                                                                                   \
    " WHERE EXISTS (SELECT 1 FROM array a WHERE a.study = ?1 AND a.kind = 1 AND task >= "          \
    "a.first_task AND task < a.first_task + a.n)"

static enum err count_calls(struct reader *r, const struct reader_study *s, struct reader_counts *c,
                            struct fault *f)
{
    struct query q;

    query_open(&q, &r->db,
               "SELECT coalesce(sum(n), 0), (SELECT count(*) FROM running" OF_STUDY
               ") FROM array WHERE study = ?1 AND kind = 1");
    query_int(&q, 1, (int64_t)s->id.n);
    while (query_row(&q)) {
        c->n = c->left = (uint64_t)sqlite3_column_int64(q.stmt, 0);
        c->running = (uint64_t)sqlite3_column_int64(q.stmt, 1);
    }
    enum err e = query_close(&q, f);
    if (e)
        return e;
    query_open(&q, &r->db,
               "SELECT 0, state, started_ms, ended_ms, wall_us, reason FROM ended" OF_STUDY);
    query_int(&q, 1, (int64_t)s->id.n);
    while (query_row(&q))
        count_end(c, 0, false, q.stmt);
    return query_close(&q, f);
}

enum err reader_counts(struct reader *r, const struct reader_study *s, struct reader_counts *c,
                       struct fault *f)
{
    struct query q;

    *c = (struct reader_counts){ 0 };
    if (s->array.kind == ARRAY_CALLS)
        return count_calls(r, s, c, f);
    *c = (struct reader_counts){ .n = s->array.n, .left = s->array.n };
    enum err e = ends_each(&r->db, &s->array, "state, started_ms, ended_ms, wall_us, reason",
                           count_end, c, f);
    if (e)
        return e;
    query_open(&q, &r->db, "SELECT count(*) FROM running WHERE task >= ?1 AND task < ?2");
    query_int(&q, 1, (int64_t)s->array.first.n);
    query_int(&q, 2, (int64_t)(s->array.first.n + s->array.n));
    while (query_row(&q))
        c->running = (uint64_t)sqlite3_column_int64(q.stmt, 0);
    return query_close(&q, f);
}

enum err reader_last_end(struct reader *r, uint64_t *n, struct fault *f)
{
    int64_t value = 0;
    enum err e = db_int(&r->db, "SELECT coalesce(max(n), 0) FROM ended", &value, f);

    *n = (uint64_t)value;
    return e;
}

enum err reader_took(struct reader *r, const struct reader_study *s, uint64_t after, uint64_t *us,
                     struct fault *f)
{
    struct query q;

    *us = 0;
    query_open(&q, &r->db,
               "SELECT coalesce(sum(wall_us), 0) FROM ended WHERE n > ?1 AND task >= ?2 AND task < "
               "?3");
    query_int(&q, 1, (int64_t)after);
    query_int(&q, 2, (int64_t)s->array.first.n);
    query_int(&q, 3, (int64_t)(s->array.first.n + s->array.n));
    while (query_row(&q))
        *us = (uint64_t)sqlite3_column_int64(q.stmt, 0);
    return query_close(&q, f);
}

enum err reader_states(struct reader *r, const struct reader_study *s, uint8_t *state,
                       struct fault *f)
{
    return load_states(&r->db, &s->array, state, false, f);
}

static enum err known_ends(struct reader *r, const struct array_row *row, reader_ended_fn fn,
                           void *ctx, struct fault *f)
{
    struct query q;

    query_open(&q, &r->db, "SELECT task, state FROM ended WHERE task >= ?1 AND task < ?2");
    query_int(&q, 1, (int64_t)row->first.n);
    query_int(&q, 2, (int64_t)(row->first.n + row->n));
    while (query_row(&q))
        fn(ctx, row, (uint64_t)sqlite3_column_int64(q.stmt, 0) - row->first.n,
           (enum task_state)sqlite3_column_int(q.stmt, 1));
    return query_close(&q, f);
}

enum err reader_known(struct reader *r, const struct reader_study *s, reader_array_fn on_array,
                      reader_ended_fn on_end, void *ctx, struct fault *f)
{
    struct query q;
    struct array_row row;
    struct buf text = { 0 };
    enum err e = ERR_NONE;

    query_open(&q, &r->db,
               "SELECT " ARRAY_COLUMNS " FROM array a JOIN study s ON s.id = a.study WHERE a.study "
               "= ?1 AND a.kind = 0 ORDER BY a.id");
    query_int(&q, 1, s->id.n);
    while (!e && query_row(&q)) {
        e = array_read(&q, &row, &text, f);
        if (!e)
            e = on_array(ctx, &row, f);
        if (!e)
            e = known_ends(r, &row, on_end, ctx, f);
    }
    buf_fini(&text);
    if (!e)
        return query_close(&q, f);
    sqlite3_finalize(q.stmt);
    return e;
}

/* --- leases and workers --- */

enum err reader_worker(struct reader *r, worker_id id, struct worker_row *row, struct fault *f)
{
    struct query q;

    query_open(&q, &r->db, "SELECT " WORKER_COLUMNS " FROM worker WHERE id = ?1");
    query_int(&q, 1, id.n);
    bool found = query_row(&q);
    if (found) {
        worker_read(q.stmt, row);
        row->labels = NULL;
    }
    enum err e = query_close(&q, f);
    return e || found
               ? e
               : fault_set(f, ERR_NOT_FOUND, "there is no worker %u in %s", id.n, r->db.path);
}

enum err reader_running(struct reader *r, const struct reader_study *s, reader_running_fn fn,
                        void *ctx, struct fault *f)
{
    struct query q;

    query_open(&q, &r->db,
               "SELECT r.lease, r.task, r.worker, r.started_ms FROM running r"
               " JOIN array a ON r.task >= a.first_task AND r.task < a.first_task + a.n"
               " WHERE a.study = ?1 ORDER BY r.lease");
    query_int(&q, 1, s->id.n);
    while (query_row(&q))
        fn(ctx, (lease_id){ (uint64_t)sqlite3_column_int64(q.stmt, 0) },
           (task_id){ (uint64_t)sqlite3_column_int64(q.stmt, 1) },
           (worker_id){ (uint32_t)sqlite3_column_int64(q.stmt, 2) },
           sqlite3_column_int64(q.stmt, 3));
    return query_close(&q, f);
}

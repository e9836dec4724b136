/* store - opening, closing, the epoch, where numbers continue. */
#include "store/impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"
#include "store/schema.sql.h"

/* 4000 pages of 4 KiB (with 8 KiB small batches were slower): a checkpoint about every 16 MiB of
 * WAL, so that its two syncs are rare. Debian's SQLite overwrites deleted rows unless told
 * otherwise. */
#define SETTINGS                                                                                   \
    "PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864;"                      \
    "PRAGMA cache_size = -2000; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY;"                 \
    "PRAGMA secure_delete = OFF;"                                                                  \
    "CREATE TEMP TABLE reopened(source INTEGER, task INTEGER, PRIMARY KEY(source, task)) WITHOUT " \
    "ROWID;"

static const char *sync_pragma(enum store_sync sync)
{
    switch (sync) {
    case STORE_SYNC_OFF:
        return "PRAGMA synchronous = OFF";
    case STORE_SYNC_NORMAL:
        return "PRAGMA synchronous = NORMAL";
    default:
        return "PRAGMA synchronous = FULL";
    }
}

/* One transaction: a store that was cut off before it is an empty file, and is made again. */
static enum err create(struct db *db, struct fault *f)
{
    struct buf sql = { 0 };

    buf_addf(&sql,
             "BEGIN IMMEDIATE; %s; PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
             schema_sql, STORE_APPLICATION_ID, STORE_SCHEMA_VERSION);
    enum err e = db_exec(db, sql.data, f);
    if (e && !sqlite3_get_autocommit(db->sql))
        sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
    buf_fini(&sql);
    return e;
}

static enum err use_wal(struct db *db, struct fault *f)
{
    struct query q;
    bool wal = false;

    query_open(&q, db, "PRAGMA journal_mode = WAL");
    while (query_row(&q))
        wal = strcmp((const char *)sqlite3_column_text(q.stmt, 0), "wal") == 0;
    enum err e = query_close(&q, f);
    if (!e && !wal)
        return fault_set(f, ERR_IO,
                         "%s: this file system cannot hold a write-ahead log (shared memory is "
                         "needed); use another --dir",
                         db->path);
    return e;
}

static enum err prepare_all(struct store *st, struct fault *f)
{
    static const char *const text[] = {
#define X(name, sql) [name] = sql,
        STATEMENTS(X)
#undef X
    };

    for (int i = 0; i < N_STATEMENTS; i++) {
        int rc = sqlite3_prepare_v3(st->db.sql, text[i], -1, SQLITE_PREPARE_PERSISTENT,
                                    &st->stmt[i], NULL);
        if (rc != SQLITE_OK)
            return db_fault(&st->db, rc, f);
    }
    return ERR_NONE;
}

static enum err prepare_file(struct db *db, enum store_sync sync, struct fault *f)
{
    int version = 0;

    /* Until we know that it is ours and sound, closing must not fold a WAL into it. */
    sqlite3_db_config(db->sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    enum err e = db_recognise(db, &version, true, f);
    if (e)
        return e;
    sqlite3_db_config(db->sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    e = db_exec(db, sync_pragma(sync), f);
    if (!e)
        e = use_wal(db, f);
    if (!e)
        e = version ? db_migrate(db, store_migrations, store_n_migrations, STORE_SCHEMA_VERSION, f)
                    : create(db, f);
    return e ? e : db_exec(db, SETTINGS, f);
}

enum err store_open(const char *dir, enum store_sync sync, struct store **out, struct fault *f)
{
    struct buf path = { 0 };
    struct store *st = calloc(1, sizeof *st);

    must(st);
    *out = NULL;
    if (access(dir, W_OK | X_OK) != 0) {
        free(st);
        return fault_set(f, errno == ENOENT ? ERR_NOT_FOUND : ERR_PERMISSION, "%s: %s", dir,
                         strerror(errno));
    }
    buf_addf(&path, "%s/grange.db", dir);
    enum err e = db_open(&st->db, path.data, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, f);
    buf_fini(&path);
    if (!e)
        e = prepare_file(&st->db, sync, f);
    if (!e)
        e = prepare_all(st, f);
    if (!e)
        e = store_calls_start(st, f);
    if (e) {
        store_close(st);
        return e;
    }
    *out = st;
    return ERR_NONE;
}

void store_close(struct store *st)
{
    if (!st)
        return;
    for (int i = 0; i < N_STATEMENTS; i++)
        sqlite3_finalize(st->stmt[i]);
    db_close(&st->db);
    buf_fini(&st->reopen);
    buf_fini(&st->pack);
    buf_fini(&st->gone);
    buf_fini(&st->files);
    free(st);
}

enum err store_epoch_raise(struct store *st, uint32_t *epoch, struct fault *f)
{
    int64_t value;
    enum err e = db_int(&st->db,
                        "INSERT INTO meta(key, value) VALUES('epoch', 1)"
                        " ON CONFLICT(key) DO UPDATE SET value = value + 1 RETURNING value",
                        &value, f);

    if (e)
        return e;
    must(value > 0 &&
         value < INT32_MAX); /* a lease is an SQLite integer: epoch << 32 stays positive */
    *epoch = (uint32_t)value;
    return ERR_NONE;
}

uint64_t store_n_commits(const struct store *st)
{
    return st->n_commits;
}

enum err store_next(struct store *st, struct store_next *next, struct fault *f)
{
    struct query q;

    struct buf sql = { 0 };
    buf_addf(&sql,
             "SELECT (SELECT coalesce(max(id), 0) + 1 FROM study), (SELECT coalesce(max(id), 0) "
             "+ 1 FROM array),"
             " (SELECT coalesce(max(id), 0) + 1 FROM worker),"
             " (SELECT coalesce(max(first_task + iif(kind, %d, n)), 1) FROM array),"
             " (SELECT coalesce(max(n), 0) + 1 FROM chunk)",
             POINTS_MAX);
    query_open(&q, &st->db, sql.data);
    if (query_row(&q))
        *next = (struct store_next){
            .study = (uint32_t)sqlite3_column_int64(q.stmt, 0),
            .array = (uint32_t)sqlite3_column_int64(q.stmt, 1),
            .worker = (uint32_t)sqlite3_column_int64(q.stmt, 2),
            .task = (uint64_t)sqlite3_column_int64(q.stmt, 3),
            .chunk = (uint64_t)sqlite3_column_int64(q.stmt, 4),
        };
    buf_fini(&sql);
    return query_close(&q, f);
}

/* db - a connection: opening, what a file is, what an error means, cold queries. */
#include "store/impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/must.h"

/* A person's own sqlite3 session may hold the write lock for a moment; longer than this it is said.
 */
enum { BUSY_MS = 2000 };
/* Below this a whole quick_check costs less than a person notices (2 to 4 ms a MiB); in a larger
 * file damage is met when it is read. */
enum { QUICK_CHECK_BYTES = 8 << 20 };

enum err db_open(struct db *db, const char *path, int flags, struct fault *f)
{
    *db = (struct db){ .path = strdup(path) };
    must(db->path);
    int rc = sqlite3_open_v2(path, &db->sql, flags | SQLITE_OPEN_NOMUTEX, NULL);
    must(db->sql);
    if (rc != SQLITE_OK) {
        enum err e = db_fault(db, rc, f);
        db_close(db);
        return e;
    }
    sqlite3_extended_result_codes(db->sql, 1);
    sqlite3_busy_timeout(db->sql, BUSY_MS);
    /* "x" is a column and never a string, so that a misspelt name is an error. */
    sqlite3_db_config(db->sql, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    return ERR_NONE;
}

void db_close(struct db *db)
{
    if (db->sql)
        must(sqlite3_close(db->sql) == SQLITE_OK);
    free(db->path);
    *db = (struct db){ 0 };
}

static enum err disk_full(const struct db *db, struct fault *f)
{
    struct statvfs fs;
    unsigned long long kib = 0;

    if (statvfs(db->path, &fs) == 0)
        kib = (unsigned long long)fs.f_bavail * fs.f_frsize / 1024;
    return fault_set(
        f, ERR_DISK_FULL,
        "%s: no space left on the device (%llu KiB free, or a quota is reached); all that was "
        "recorded before is safe: make room, then run the same command again",
        db->path, kib);
}

/* Not .recover: Debian's sqlite3 has none. A .dump of a damaged file ends in ROLLBACK, and neither
 * keeps what marks a file as ours. */
enum err db_damaged(const struct db *db, const char *why, struct fault *f)
{
    struct buf path = { 0 }, saved = { 0 }, name = { 0 };

    buf_addf(&name, "%s.saved", db->path);
    buf_add_sh(&path, db->path);
    buf_add_sh(&saved, name.data);
    fault_set(
        f, ERR_DAMAGED,
        "%s is damaged (%s); nothing was changed\n"
        "to recover what can be read, run\n"
        "  { sqlite3 %s .dump | sed 's/^ROLLBACK;.*/COMMIT;/'; echo 'PRAGMA application_id = %d; "
        "PRAGMA user_version = %d;'; } | sqlite3 %s\n"
        "to go on, move grange.db, grange.db-wal and grange.db-shm away and grange.db.saved to "
        "grange.db;\n"
        "to start anew, only move them away",
        db->path, why, path.data, STORE_APPLICATION_ID, STORE_SCHEMA_VERSION, saved.data);
    buf_fini(&path);
    buf_fini(&saved);
    buf_fini(&name);
    return f->code;
}

static enum err input_output(struct db *db, int rc, struct fault *f)
{
    int number = sqlite3_system_errno(db->sql);

    must(rc != SQLITE_IOERR_NOMEM);
    if (number == ENOSPC || number == EDQUOT)
        return disk_full(db, f);
    return fault_set(f, ERR_IO, "%s: %s%s%s", db->path, sqlite3_errmsg(db->sql), number ? ": " : "",
                     number ? strerror(number) : "");
}

enum err db_fault(struct db *db, int rc, struct fault *f)
{
    int number = sqlite3_system_errno(db->sql);

    switch (rc & 0xff) {
    case SQLITE_OK:
        return ERR_NONE;
    case SQLITE_NOMEM:
        must_fail(__FILE__, __LINE__, "memory for SQLite");
    case SQLITE_FULL:
        return disk_full(db, f);
    case SQLITE_IOERR:
        return input_output(db, rc, f);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return db_damaged(db, sqlite3_errmsg(db->sql), f);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return fault_set(f, ERR_BUSY, "%s: another program holds its lock; close it and try again",
                         db->path);
    case SQLITE_CANTOPEN:
        if (number == ENOSPC || number == EDQUOT)
            return disk_full(db, f);
        if (number == EACCES || number == EPERM || number == EROFS)
            return fault_set(f, ERR_PERMISSION, "%s: %s", db->path, strerror(number));
        return fault_set(f, number == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: cannot be opened%s%s",
                         db->path, number ? ": " : "", number ? strerror(number) : "");
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return fault_set(f, ERR_PERMISSION, "%s: %s", db->path, sqlite3_errmsg(db->sql));
    case SQLITE_TOOBIG:
        return fault_set(f, ERR_LIMIT, "%s: %s", db->path, sqlite3_errmsg(db->sql));
    default:
        return fault_set(f, ERR_STATE, "%s: %s", db->path, sqlite3_errmsg(db->sql));
    }
}

enum err db_exec(struct db *db, const char *sql, struct fault *f)
{
    int rc = sqlite3_exec(db->sql, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? ERR_NONE : db_fault(db, rc, f);
}

enum err db_int(struct db *db, const char *sql, int64_t *value, struct fault *f)
{
    struct query q;

    *value = 0;
    query_open(&q, db, sql);
    while (query_row(&q))
        *value = sqlite3_column_int64(q.stmt, 0);
    return query_close(&q, f);
}

static enum err quick_check(struct db *db, struct fault *f)
{
    struct query q;
    struct stat st;
    char why[200] = "ok";

    if (stat(db->path, &st) != 0 || st.st_size >= QUICK_CHECK_BYTES)
        return ERR_NONE;
    query_open(&q, db, "PRAGMA quick_check(1)");
    if (query_row(&q))
        snprintf(why, sizeof why, "%s", (const char *)sqlite3_column_text(q.stmt, 0));
    enum err e = query_close(&q, f);
    if (!e && strcmp(why, "ok") != 0)
        return db_damaged(db, why, f);
    return e;
}

enum err db_recognise(struct db *db, int *version, bool check, struct fault *f)
{
    int64_t application, v, n_objects;
    enum err e = db_int(db, "PRAGMA application_id", &application, f);

    if (!e)
        e = db_int(db, "PRAGMA user_version", &v, f);
    if (!e)
        e = db_int(db, "SELECT count(*) FROM sqlite_master", &n_objects, f);
    if (e)
        return e;
    *version = 0;
    if (!application && !v && !n_objects)
        return ERR_NONE; /* new, or its first transaction never happened */
    if (application != STORE_APPLICATION_ID)
        return fault_set(
            f, ERR_DAMAGED,
            "%s is an SQLite database, but not one that Grange made; nothing was changed: use "
            "another --dir",
            db->path);
    if (v > STORE_SCHEMA_VERSION)
        return fault_set(
            f, ERR_VERSION,
            "%s was made by a newer Grange (schema %lld, this one knows %d): upgrade grange, or "
            "use another --dir",
            db->path, (long long)v, STORE_SCHEMA_VERSION);
    if (v < 1)
        return db_damaged(db, "its schema version is gone", f);
    *version = (int)v;
    return check ? quick_check(db, f) : ERR_NONE;
}

void query_open(struct query *q, struct db *db, const char *sql)
{
    *q = (struct query){ .db = db };
    q->rc = sqlite3_prepare_v2(db->sql, sql, -1, &q->stmt, NULL);
}

void query_int(struct query *q, int i, int64_t value)
{
    if (q->rc == SQLITE_OK)
        q->rc = sqlite3_bind_int64(q->stmt, i, value);
}

void query_text(struct query *q, int i, const char *text)
{
    if (q->rc == SQLITE_OK)
        q->rc = sqlite3_bind_text(q->stmt, i, text, -1, SQLITE_STATIC);
}

bool query_row(struct query *q)
{
    if (q->rc == SQLITE_OK || q->rc == SQLITE_ROW)
        q->rc = sqlite3_step(q->stmt);
    return q->rc == SQLITE_ROW;
}

enum err query_close(struct query *q, struct fault *f)
{
    enum err e = ERR_NONE;

    if (q->rc != SQLITE_OK && q->rc != SQLITE_ROW && q->rc != SQLITE_DONE)
        e = db_fault(q->db, q->rc, f);
    sqlite3_finalize(q->stmt);
    q->stmt = NULL;
    return e;
}

enum err query_done(struct query *q, struct fault *f)
{
    while (query_row(q))
        ;
    return query_close(q, f);
}

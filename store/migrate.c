/* migrate - from an older schema to ours, with the old file kept. */
#include "store/migrate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/impl.h"

/* What schema.sql says of these, in words that change an older file: a table made by ALTER has
 * the same columns in the same order. */
#define TO_2                                                                                       \
    "ALTER TABLE array ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;"                                \
    "ALTER TABLE array ADD COLUMN closed INTEGER NOT NULL DEFAULT 0;"                              \
    "ALTER TABLE array ADD COLUMN key_text TEXT;"                                                  \
    "ALTER TABLE array ADD COLUMN first_end INTEGER NOT NULL DEFAULT 0;"                           \
    "ALTER TABLE array ADD COLUMN first_chunk INTEGER NOT NULL DEFAULT 0;"                         \
    "CREATE UNIQUE INDEX array_key ON array(key_text) WHERE key_text IS NOT NULL;"                 \
    "CREATE TABLE chunk(n INTEGER PRIMARY KEY, array INTEGER NOT NULL, at INTEGER NOT NULL,"       \
    " calls INTEGER NOT NULL, appended_ms INTEGER NOT NULL, flags INTEGER NOT NULL, data BLOB);"   \
    "CREATE TABLE blob(id INTEGER PRIMARY KEY, task INTEGER NOT NULL, bytes INTEGER NOT NULL,"     \
    " result INTEGER NOT NULL);"                                                                   \
    "CREATE INDEX blob_task ON blob(task);"                                                        \
    "ALTER TABLE ended ADD COLUMN because INTEGER;"                                                \
    "ALTER TABLE ended ADD COLUMN result BLOB;"                                                    \
    "ALTER TABLE output ADD COLUMN blob INTEGER;"                                                  \
    "ALTER TABLE output ADD COLUMN blob_bytes INTEGER;"                                            \
    "CREATE VIEW calls AS "                                                                        \
    "SELECT a.key_text || ':' || (e.task - a.first_task) AS call, s.name AS study,"                \
    " CASE e.state WHEN 3 THEN 'done' WHEN 4 THEN 'failed' WHEN 5 THEN 'cancelled'"                \
    " WHEN 7 THEN 'quarantined' ELSE 'skipped' END AS state,"                                      \
    " e.code AS code, e.error AS error, e.wall_us / 1e6 AS seconds, e.attempts AS attempts,"       \
    " (SELECT host FROM worker WHERE id = e.worker) AS host, e.result AS result "                  \
    "FROM ended e CROSS JOIN array a"                                                              \
    " ON e.task BETWEEN a.first_task AND a.first_task + a.n - 1 AND a.kind = 1"                    \
    " JOIN study s ON s.id = a.study;"

#define TO_3                                                                                       \
    "ALTER TABLE study ADD COLUMN halted INTEGER NOT NULL DEFAULT 0;"                              \
    "ALTER TABLE worker ADD COLUMN labels TEXT;"                                                   \
    "ALTER TABLE worker ADD COLUMN resources TEXT;"                                                \
    "ALTER TABLE worker ADD COLUMN end_ms INTEGER;"

const struct migration store_migrations[] = { { 1, TO_2 }, { 2, TO_3 } };
const size_t store_n_migrations = sizeof store_migrations / sizeof *store_migrations;

static enum err copy_to(struct db *db, const char *path, struct fault *f)
{
    struct db copy;
    enum err e = db_open(&copy, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, f);

    if (e)
        return e;
    sqlite3_backup *backup = sqlite3_backup_init(copy.sql, "main", db->sql, "main");
    if (backup) {
        sqlite3_backup_step(backup, -1);
        sqlite3_backup_finish(backup);
    }
    int rc = sqlite3_errcode(copy.sql);
    if (rc != SQLITE_OK && rc != SQLITE_DONE)
        e = db_fault(&copy, rc, f);
    /* A file of its own, without a WAL beside it. */
    if (!e)
        e = db_exec(&copy, "PRAGMA journal_mode = DELETE", f);
    db_close(&copy);
    return e;
}

/* keep - PATH.vN appears whole or not at all; one that is there from a start that was cut off is
 * the same file, and is made again. */
static enum err keep(struct db *db, int version, struct fault *f)
{
    struct buf part = { 0 }, kept = { 0 };

    buf_addf(&kept, "%s.v%d", db->path, version);
    buf_addf(&part, "%s.part", kept.data);
    unlink(part.data);
    enum err e = copy_to(db, part.data, f);
    if (!e && rename(part.data, kept.data) != 0)
        e = fault_set(f, ERR_IO, "%s: %s", kept.data, strerror(errno));
    if (e)
        unlink(part.data);
    buf_fini(&part);
    buf_fini(&kept);
    return e;
}

static enum err run_steps(struct db *db, const struct migration *steps, size_t n, int from, int to,
                          struct fault *f)
{
    for (int v = from; v < to; v++) {
        const struct migration *step = NULL;
        for (size_t i = 0; i < n && !step; i++)
            if (steps[i].from == v)
                step = &steps[i];
        if (!step)
            return fault_set(f, ERR_VERSION,
                             "%s was made by an older Grange (schema %d) that this one cannot "
                             "read: finish it with "
                             "that version, or use another --dir",
                             db->path, from);
        enum err e = db_exec(db, step->sql, f);
        if (e)
            return e;
    }
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA user_version = %d", to);
    return db_exec(db, sql, f);
}

enum err db_migrate(struct db *db, const struct migration *steps, size_t n, int to, struct fault *f)
{
    int64_t from;
    enum err e = db_int(db, "PRAGMA user_version", &from, f);

    if (e || from == to)
        return e;
    e = keep(db, (int)from, f);
    if (!e)
        e = db_exec(db, "BEGIN IMMEDIATE", f);
    if (e)
        return e;
    e = run_steps(db, steps, n, (int)from, to, f);
    if (!e)
        e = db_exec(db, "COMMIT", f);
    if (!sqlite3_get_autocommit(db->sql))
        sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
    return e;
}

enum err store_migrate(struct store *st, const struct migration *steps, size_t n, int to,
                       struct fault *f)
{
    return db_migrate(&st->db, steps, n, to, f);
}

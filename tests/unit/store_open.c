/* store_open: files that are not what they should be, and files of another version. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/migrate.h"
#include "store/store.h"
#include "store_help.h"

static char dir[64];
static struct store *st;
static struct fault f;

static void setup(void)
{
    make_dir(dir);
}
static void teardown(void)
{
    store_close(st);
    st = NULL;
    remove_dir(dir);
}
TestSuite(store_open, .init = setup, .fini = teardown);

static void db_file(char *path, size_t n)
{
    snprintf(path, n, "%s/grange.db", dir);
}

static void open_store(void)
{
    cr_assert_eq(store_open(dir, STORE_SYNC_FULL, &st, &f), ERR_NONE, "%s", f.text);
}

static void commit(const struct change *changes, size_t n)
{
    cr_assert_eq(store_commit(st, changes, n, &f), ERR_NONE, "%s", f.text);
}

/* Array `id` of study 1 "s", n tasks from `first`. */
static void add_array(uint32_t id, uint64_t first, uint64_t n)
{
    struct change ch = change_array(id, 1, "s", first, n);

    commit(&ch, 1);
}

/* after - a connection of its own, once SQL was done in it. */
static sqlite3 *after(const char *sql)
{
    char path[100];
    sqlite3 *db;

    db_file(path, sizeof path);
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, sql, 0, 0, 0), SQLITE_OK);
    return db;
}

/* The first column of what SQL gives, in a connection of its own. */
static int64_t ask(const char *sql)
{
    char path[100];
    sqlite3 *db;
    sqlite3_stmt *s;

    db_file(path, sizeof path);
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
    cr_assert_eq(sqlite3_step(s), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return value;
}

/* --- files that are not what they should be --- */

static void write_at(const char *path, off_t at, const void *data, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0600);

    cr_assert_eq(pwrite(fd, data, n, at), (ssize_t)n);
    close(fd);
}

static void refused(enum err code, const char *part)
{
    char path[100];
    struct buf before = { 0 }, after = { 0 };

    db_file(path, sizeof path);
    cr_assert_eq(buf_read_file(&before, path, 1 << 26), 0);
    cr_assert_eq(store_open(dir, STORE_SYNC_FULL, &st, &f), code, "%s", f.text);
    cr_assert_null(st);
    cr_assert_not_null(strstr(f.text, part), "%s", f.text);
    cr_assert_eq(buf_read_file(&after, path, 1 << 26), 0);
    cr_assert(before.n == after.n && memcmp(before.data, after.data, before.n) == 0,
              "nothing was changed");
    buf_fini(&before);
    buf_fini(&after);
}

Test(store_open, a_file_that_is_no_database_is_left_alone)
{
    char path[100], junk[8192];

    db_file(path, sizeof path);
    memset(junk, 'j', sizeof junk);
    write_at(path, 0, junk, sizeof junk);
    refused(ERR_DAMAGED, "not a database");
    cr_assert_not_null(strstr(f.text, ".dump"));
}

static void fill(void)
{
    open_store();
    add_array(1, 1, 3000);
    struct change ch[3000];
    for (uint64_t i = 0; i < 3000; i++)
        ch[i] = change_end(i + 1, i + 1, TASK_DONE);
    commit(ch, 3000);
    store_close(st);
    st = NULL;
}

Test(store_open, a_damaged_page_and_a_cut_file_are_said)
{
    char path[100], junk[4000];
    struct stat s;

    fill();
    db_file(path, sizeof path);
    cr_assert_eq(stat(path, &s), 0);
    memset(junk, 0x5a, sizeof junk);
    write_at(path, s.st_size / 2 / 8192 * 8192, junk, sizeof junk);
    refused(ERR_DAMAGED, "nothing was changed");
    cr_assert_eq(truncate(path, s.st_size / 2), 0);
    refused(ERR_DAMAGED, ".dump");
}

Test(store_open, the_advice_for_a_damaged_file_works)
{
    char path[100], saved[110], junk[100], command[1200];

    fill();
    db_file(path, sizeof path);
    memset(junk, 0x5a, sizeof junk);
    write_at(path, 4096 * 20, junk, sizeof junk);
    refused(ERR_DAMAGED, "to recover what can be read, run\n  {");
    char *start = strstr(f.text, "\n  {") + 1;
    snprintf(command, sizeof command, "%.*s 2>/dev/null", (int)strcspn(start, "\n"), start);
    cr_assert_eq(system(command), 0, "%s", command);
    snprintf(saved, sizeof saved, "%s.saved", path);
    cr_assert_eq(rename(saved, path), 0);
    open_store();
    int64_t n = ask("SELECT count(*) FROM ended");
    cr_assert(n > 2000 && n < 3000, "%d", (int)n);
    cr_assert_eq(ask("SELECT n FROM array"), 3000);
}

Test(store_open, somebody_elses_database_is_left_alone)
{
    sqlite3_close(after("CREATE TABLE mine(x)"));
    refused(ERR_DAMAGED, "not one that Grange made");
}

Test(store_open, a_store_of_a_newer_grange_is_left_alone)
{
    fill();
    sqlite3_close(after("PRAGMA user_version = 7"));
    refused(ERR_VERSION, "newer Grange (schema 7, this one knows 3)");
}

Test(store_open, an_empty_file_is_a_store_that_was_never_made)
{
    char path[100];

    db_file(path, sizeof path);
    write_at(path, 0, "", 0);
    open_store();
    add_array(1, 1, 1);
}

Test(store_open, a_directory_that_is_not_there_is_said)
{
    cr_assert_eq(store_open("/nonexistent/x", STORE_SYNC_FULL, &st, &f), ERR_NOT_FOUND);
    cr_assert_not_null(strstr(f.text, "/nonexistent/x"));
}

Test(store_open, a_lock_that_another_program_keeps_is_said)
{
    fill();
    sqlite3 *db = after("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
    cr_assert_eq(store_open(dir, STORE_SYNC_FULL, &st, &f), ERR_BUSY, "%s", f.text);
    cr_assert_not_null(strstr(f.text, "another program holds its lock; close it and try again"));
    sqlite3_close(db);
    open_store();
}

Test(store_open, a_directory_of_its_name_is_said)
{
    char path[100];

    db_file(path, sizeof path);
    cr_assert_eq(mkdir(path, 0700), 0);
    cr_assert_eq(store_open(dir, STORE_SYNC_FULL, &st, &f), ERR_IO, "%s", f.text);
    cr_assert_not_null(strstr(f.text, "grange.db: cannot be opened"), "%s", f.text);
    cr_assert_eq(rmdir(path), 0);
}

/* Files that may be read or not at all: root may everything, so it is another user who tries. */
static enum err open_as_nobody(mode_t mode)
{
    char path[100];

    db_file(path, sizeof path);
    cr_assert_eq(chmod(path, mode) || chmod(dir, 0555), 0);
    uid_t me = geteuid();
    cr_assert(me != 0 || seteuid(65534) == 0);
    enum err err = store_open(dir, STORE_SYNC_FULL, &st, &f);
    cr_assert_eq(seteuid(me), 0);
    cr_assert_eq(chmod(dir, 0700), 0);
    return err;
}

Test(store_open, files_that_may_not_be_read_or_written_are_said)
{
    fill();
    cr_assert_eq(open_as_nobody(0000), ERR_PERMISSION, "%s", f.text);
    cr_assert_not_null(strstr(f.text, "grange.db: Permission denied"), "%s", f.text);
    cr_assert_neq(open_as_nobody(0444), ERR_NONE);
    cr_assert_not_null(strstr(f.text, "grange.db"), "%s", f.text);
}

/* A file system without shared memory, as some of the network are. */
static const sqlite3_vfs *real_vfs;
static sqlite3_io_methods without_memory;

static int open_plain(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    (void)vfs;
    int rc = real_vfs->xOpen((sqlite3_vfs *)(uintptr_t)real_vfs, name, file, flags, out);
    if (rc == SQLITE_OK) {
        without_memory = *file->pMethods;
        without_memory.iVersion = 1;
        file->pMethods = &without_memory;
    }
    return rc;
}

Test(store_open, a_file_system_without_shared_memory_is_said)
{
    sqlite3_vfs vfs;

    real_vfs = sqlite3_vfs_find(NULL);
    vfs = *real_vfs;
    vfs.zName = "plain";
    vfs.xOpen = open_plain;
    cr_assert_eq(sqlite3_vfs_register(&vfs, 1), SQLITE_OK);
    cr_assert_eq(store_open(dir, STORE_SYNC_FULL, &st, &f), ERR_IO);
    cr_assert_not_null(strstr(f.text, "this file system cannot hold a write-ahead log"), "%s",
                       f.text);
    sqlite3_vfs_unregister(&vfs);
}

/* --- migration, with steps made up for the test --- */

static const struct migration steps[] = {
    { 4, "INSERT INTO note VALUES('two')" },
    { 3, "CREATE TABLE note(x); INSERT INTO note VALUES('one')" },
    { 5, "INSERT INTO note VALUES('three'); INSERT INTO nowhere VALUES(1)" },
};

Test(store_open, migration_runs_the_steps_in_order_and_keeps_the_old_file)
{
    char path[100];

    fill();
    open_store();
    cr_assert_eq(store_migrate(st, steps, 3, 5, &f), ERR_NONE, "%s", f.text);
    cr_assert_eq(ask("PRAGMA user_version"), 5);
    cr_assert_eq(ask("SELECT group_concat(x) = 'one,two' FROM note"), 1);
    store_close(st);
    st = NULL;
    refused(ERR_VERSION, "schema 5");
    snprintf(path, sizeof path, "%s/grange.db", dir);
    unlink(path);
    char kept[110];
    snprintf(kept, sizeof kept, "%s.v3", path);
    cr_assert_eq(rename(kept, path), 0);
    open_store();
    cr_assert_eq(ask("SELECT count(*) FROM ended"), 3000, "the kept file is the old store");
}

Test(store_open, a_migration_that_fails_leaves_the_old_version)
{
    char kept[110];

    open_store();
    snprintf(kept, sizeof kept, "%s/grange.db.v3", dir);
    cr_assert_eq(mkdir(kept, 0700), 0);
    cr_assert_eq(store_migrate(st, steps, 3, 5, &f), ERR_IO);
    cr_assert_not_null(strstr(f.text, "grange.db.v3: Is a directory"), "%s", f.text);
    cr_assert_eq(rmdir(kept), 0);
    cr_assert_neq(store_migrate(st, steps, 3, 6, &f), ERR_NONE);
    cr_assert_not_null(strstr(f.text, "grange.db: no such table: nowhere"), "%s", f.text);
    cr_assert_eq(ask("PRAGMA user_version"), 3);
    cr_assert_eq(ask("SELECT count(*) FROM sqlite_master WHERE name = 'note'"), 0);
    cr_assert_eq(store_migrate(st, steps, 3, 10, &f), ERR_STATE);
    cr_assert_eq(store_migrate(st, steps, 1, 5, &f), ERR_VERSION, "no step from 3");
    cr_assert_eq(store_migrate(st, steps, 3, 5, &f), ERR_NONE, "%s", f.text);
}

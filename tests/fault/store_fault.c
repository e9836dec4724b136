/* The store when the disk fails: the Nth write, sync, truncate or delete of a run of commits fails,
 * N = 1, 2, ... until a run meets no fault; and images of the files at every such call, as a crash
 * would leave them. After each, a store that is opened again holds the commits 0 .. k, each of them
 * whole, and none that was said to have happened is missing.
 *
 * Run i of the commits ends tasks i * PER .. i * PER + PER - 1, prints something, reopens one task
 * of the run before and notes an attempt, so that every table takes part. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../unit/store_help.h"
#include "base/buf.h"
#include "fault_vfs.h"
#include "store/store.h"

enum { N_COMMITS = 12, PER = 5, N_TASKS = N_COMMITS * PER };

static char dir[64], image[64];
static struct fault f;

static void setup(void)
{
    make_dir(dir);
    make_dir(image);
    fault_vfs_install();
}
static void teardown(void)
{
    remove_dir(dir);
    remove_dir(image);
}
TestSuite(fault, .init = setup, .fini = teardown, .timeout = 120);

static void empty_dir(const char *path)
{
    remove_dir(path);
    must(mkdir(path, 0700) == 0);
}

static enum err commit_number(struct store *st, unsigned i)
{
    static char printed[3000];
    struct end_body body = { .values = "[\"1\"]",
                             .out = printed,
                             .out_bytes = sizeof printed,
                             .out_total = sizeof printed };
    struct change ch[PER + 3];
    size_t n = 0;

    if (i == 0)
        ch[n++] = change_array(1, 1, "s", 1, N_TASKS);
    for (unsigned k = 0; k < PER; k++) {
        ch[n] = change_end(1 + i * PER + k, 1 + i * PER + k, TASK_DONE);
        ch[n++].end.body = &body;
    }
    if (i > 0)
        ch[n++] = (struct change){ .kind = CHG_REOPEN, .task = { 1 + (i - 1) * PER } };
    ch[n] = change_end(N_TASKS, 500 + i, TASK_WAITING);
    ch[n++].kind = CHG_ATTEMPT;
    return store_commit(st, ch, n, &f);
}

/* commits_in - how many of the run a store holds; -1 when one of them is there in part. */
static int commits_in(struct store *st)
{
    struct buf text = { 0 };
    struct array_row row;
    uint8_t state[N_TASKS] = { 0 };
    bool found;
    int n = 0;

    cr_assert_eq(store_array(st, (array_id){ 1 }, &found, &row, &text, &f), ERR_NONE, "%s", f.text);
    if (found) {
        cr_assert_eq(store_states(st, &row, state, &f), ERR_NONE, "%s", f.text);
        while (n < N_COMMITS && state[n * PER + 1] == TASK_DONE)
            n++;
    }
    buf_fini(&text);
    if (found != (n > 0))
        return -1;
    for (int i = 0; i < N_TASKS; i++) {
        bool reopened = i % PER == 0 && i / PER < n - 1;
        if (state[i] != (i < n * PER && !reopened ? TASK_DONE : 0))
            return -1;
    }
    return n;
}

static int commits_after_opening(const char *where)
{
    struct store *st;

    cr_assert_eq(store_open(where, STORE_SYNC_FULL, &st, &f), ERR_NONE, "%s", f.text);
    int n = commits_in(st);
    cr_assert_neq(n, -1, "a commit is there in part");
    if (n < N_COMMITS)
        cr_assert_eq(commit_number(st, (unsigned)n), ERR_NONE, "it goes on from there: %s", f.text);
    store_close(st);
    return n;
}

/* One run that may meet a fault. *said: commits that were said to have happened; *tried: begun. */
static enum err run(int *said, int *tried)
{
    struct store *st;
    enum err e = store_open(dir, STORE_SYNC_FULL, &st, &f);

    *said = *tried = 0;
    for (unsigned i = 0; !e && i < N_COMMITS; i++) {
        *tried = (int)i + 1;
        e = commit_number(st, i);
        *said += !e;
    }
    if (st)
        store_close(st);
    return e;
}

static void fail_each(enum fault_kind kind, bool for_good, enum err expected)
{
    int said, tried, n_seen = 0;

    for (long nth = 1;; nth++) {
        empty_dir(dir);
        fault_vfs_arm(nth, kind, for_good);
        enum err e = run(&said, &tried);
        bool fired = fault_vfs_fired();
        fault_vfs_arm(0, kind, false);
        if (e) {
            cr_assert(e == expected || (kind == FAULT_FULL && e == ERR_IO) ||
                          (kind == FAULT_IO && e == ERR_DAMAGED),
                      "call %ld: %d %s", nth, e, f.text);
            n_seen++;
        }
        int n = commits_after_opening(dir);
        cr_assert(n == said || n == tried, "call %ld: %d said, %d begun, %d found", nth, said,
                  tried, n);
        if (!fired)
            break;
    }
    cr_assert_gt(n_seen, 2 * N_COMMITS, "only %d faults were met", n_seen);
}

Test(fault, a_disk_that_fills_up_loses_nothing_that_was_said)
{
    fail_each(FAULT_FULL, true, ERR_DISK_FULL);
}
Test(fault, a_write_that_fails_once_loses_nothing_that_was_said)
{
    fail_each(FAULT_IO, false, ERR_IO);
}
Test(fault, a_disk_that_breaks_loses_nothing_that_was_said)
{
    fail_each(FAULT_IO, true, ERR_IO);
}

Test(fault, after_a_full_disk_the_same_store_goes_on)
{
    struct store *st;

    cr_assert_eq(store_open(dir, STORE_SYNC_FULL, &st, &f), ERR_NONE);
    cr_assert_eq(commit_number(st, 0), ERR_NONE);
    fault_vfs_arm(1, FAULT_FULL, true);
    cr_assert_eq(commit_number(st, 1), ERR_DISK_FULL);
    cr_assert_not_null(strstr(f.text, "grange.db: no space left"), "%s", f.text);
    cr_assert_not_null(strstr(f.text, "KiB free"), "%s", f.text);
    cr_assert_eq(commit_number(st, 1), ERR_DISK_FULL);
    cr_assert_eq(commits_in(st), 1, "nothing of it is in the file");
    fault_vfs_arm(0, FAULT_FULL, false);
    cr_assert_eq(commit_number(st, 1), ERR_NONE);
    store_close(st);
    cr_assert_eq(commits_after_opening(dir), 2);
}

/* --- crash images --- */

struct images {
    int said; /* commits that had been said to have happened when the image is taken */
    long n;
};

static void copy_file(const char *name)
{
    struct buf data = { 0 };
    char path[100];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (buf_read_file(&data, path, 1 << 26) == 0) {
        snprintf(path, sizeof path, "%s/%s", image, name);
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        must(fd >= 0 && write(fd, buf_text(&data), data.n) == (ssize_t)data.n);
        close(fd);
    }
    buf_fini(&data);
}

static void check_image(void *ctx)
{
    struct images *im = ctx;

    fault_vfs_hook(NULL, NULL);
    empty_dir(image);
    copy_file("grange.db");
    copy_file("grange.db-wal");
    copy_file("grange.db-journal");
    int n = commits_after_opening(image);
    cr_assert(n == im->said || n == im->said + 1, "image %ld: %d said, %d found", im->n, im->said,
              n);
    im->n++;
    fault_vfs_hook(check_image, im);
}

Test(fault, every_moment_of_a_crash_leaves_whole_commits)
{
    struct images im = { 0 };
    struct store *st;

    fault_vfs_hook(check_image, &im);
    cr_assert_eq(store_open(dir, STORE_SYNC_FULL, &st, &f), ERR_NONE, "%s", f.text);
    for (unsigned i = 0; i < N_COMMITS; i++) {
        cr_assert_eq(commit_number(st, i), ERR_NONE, "%s", f.text);
        im.said++;
    }
    fault_vfs_hook(NULL, NULL);
    store_close(st);
    cr_assert_gt(im.n, 5 * N_COMMITS);
}

/* The log is cut anywhere: what is left of it is a prefix of the commits. */
Test(fault, a_log_without_its_tail_holds_the_first_commits)
{
    struct store *st;
    struct stat s;
    char wal[100];
    int last = 0;

    cr_assert_eq(store_open(dir, STORE_SYNC_FULL, &st, &f), ERR_NONE);
    for (unsigned i = 0; i < N_COMMITS; i++)
        cr_assert_eq(commit_number(st, i), ERR_NONE);
    snprintf(wal, sizeof wal, "%s/grange.db-wal", dir);
    cr_assert_eq(stat(wal, &s), 0);
    cr_assert_gt(s.st_size, 50000);
    for (off_t size = s.st_size; size > 0; size -= 1777) {
        empty_dir(image);
        copy_file("grange.db");
        copy_file("grange.db-wal");
        snprintf(wal, sizeof wal, "%s/grange.db-wal", image);
        cr_assert_eq(truncate(wal, size), 0);
        int n = commits_after_opening(image);
        cr_assert(size == s.st_size ? n == N_COMMITS : n <= last, "%d after %d", n, last);
        last = n;
    }
    cr_assert_leq(last, 1);
    store_close(st);
}

/* kept: what a worker that was killed leaves is removed as far as nobody was told of it, and
 * nothing else. A worker that lives is the lock that this process holds. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker/attempt.h"
#include "worker/kept.h"
#include "worker/tree.h"

static char base[] = "/tmp/grange-kept-XXXXXX";

static void begin(void)
{
    cr_assert(mkdtemp(base) != NULL);
}

static void finish(void)
{
    tree_delete(base);
}

static const char *in_base(const char *name)
{
    static char path[2][PATH_MAX];
    static int turn;

    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", base, name);
    return path[turn];
}

static bool there(const char *name)
{
    return access(in_base(name), F_OK) == 0;
}

static void make(const char *name)
{
    const char *path = in_base(name);

    cr_assert_eq(tree_make_parent(path), 0);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert(fd >= 0, "%s", path);
    close(fd);
}

/* worker - of `host`, at work: one point runs, another one has ended. */
static int worker(const char *host)
{
    make("grange-scratch/engines/page");
    int fd = kept_open(in_base("kept/w"), host, in_base("grange-scratch"));
    cr_assert(fd >= 0);
    make("kept/w/attempts/7/half");
    make("kept/w/attempts/output/s/0-7.stdout");
    make("kept/w/points/s/n=1/e.txt");
    make("kept/w/output/s/1-6.stdout");
    return fd;
}

TestSuite(kept, .init = begin, .fini = finish);

Test(kept, of_a_worker_that_died_what_nobody_was_told_of_goes)
{
    close(worker("here"));
    kept_sweep(in_base("kept"), "here");
    cr_assert_not(there("kept/w/attempts"));
    cr_assert_not(there("grange-scratch"));
    cr_assert(there("kept/w/points/s/n=1/e.txt"));
    cr_assert(there("kept/w/output/s/1-6.stdout"));
    cr_assert_not(there("kept/w/lock"), "and it is not looked at again");
}

Test(kept, of_a_worker_that_lives_everything_stays)
{
    int fd = worker("here");

    kept_sweep(in_base("kept"), "here");
    cr_assert(there("kept/w/attempts/7/half"));
    cr_assert(there("grange-scratch/engines/page"));
    close(fd);
}

Test(kept, what_is_of_another_host_stays)
{
    close(worker("there")); /* a home that hosts share, where locks do not cross */
    kept_sweep(in_base("kept"), "here");
    cr_assert(there("kept/w/attempts/7/half"));
    cr_assert(there("grange-scratch/engines/page"));
}

Test(kept, without_a_lock_or_with_half_of_one_everything_stays)
{
    make("kept/older/attempts/7/half");
    make("kept/half/attempts/7/half");
    make("kept/half/lock");
    kept_sweep(in_base("kept"), "here");
    cr_assert(there("kept/older/attempts/7/half"));
    cr_assert(there("kept/half/attempts/7/half"));
}

Test(kept, a_scratch_directory_that_no_worker_makes_stays)
{
    make("precious/file");
    close(kept_open(in_base("kept/w"), "here", in_base("precious")));
    kept_sweep(in_base("kept"), "here");
    cr_assert(there("precious/file"));
    cr_assert_not(there("kept/w"), "nothing was left in it");
}

Test(kept, who_leaves_in_good_order_leaves_what_ended_or_nothing)
{
    int fd = worker("here");

    cr_assert_not(kept_close(in_base("kept/w")));
    cr_assert_not(there("kept/w/attempts"));
    cr_assert_not(there("kept/w/lock"));
    cr_assert(there("kept/w/points/s/n=1/e.txt"));
    close(fd);
    fd = kept_open(in_base("kept/v"), "here", in_base("grange-scratch"));
    cr_assert(kept_close(in_base("kept/v")));
    cr_assert_not(there("kept/v"));
    close(fd);
}

Test(kept, where_nothing_can_be_written_there_is_no_lock)
{
    make("file");
    cr_assert_eq(kept_open(in_base("file/w"), "here", in_base("grange-scratch")), -1);
    kept_sweep(in_base("file"), "here");
}

static ino_t inode_of(const char *name)
{
    struct stat st;

    cr_assert_eq(stat(in_base(name), &st), 0);
    return st.st_ino;
}

/* The word that an attempt is no result may come when a later one has put its own in that place. */
Test(kept, a_useless_attempt_takes_away_what_is_its_own)
{
    char dir[PATH_MAX], place[PATH_MAX];

    make("points/s/n=1/e.txt");
    snprintf(dir, sizeof dir, "%s", in_base("attempts/1"));
    snprintf(place, sizeof place, "%s", in_base("points/s/n=1"));
    struct attempt a = { .dir = dir,
                         .place = place,
                         .placed = inode_of("points/s/n=1"),
                         .body.dir = "points/s/n=1",
                         .useless = true };
    cr_assert_eq(rename(in_base("points/s/n=1"), in_base("earlier")), 0);
    make("points/s/n=1/later.txt");
    attempt_settle(&a, false);
    cr_expect(there("points/s/n=1/later.txt"));
    a.placed = inode_of("points/s/n=1");
    attempt_settle(&a, false);
    cr_expect(!there("points/s/n=1"));
}

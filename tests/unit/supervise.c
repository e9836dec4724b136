/* supervise: nothing survives, whatever session it made for itself. Ends are seen through pidfds.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/supervise.h"

enum { DEADLINE_MS = 100000 };

static int pids_fd[2];     /* where processes below say who they are */
static int parent_pipe[2]; /* the supervisor sees its end of file */

static int pidfd(pid_t pid)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);

    cr_assert(fd >= 0, "pidfd_open(%d)", (int)pid);
    return fd;
}

static bool gone(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    return poll(&p, 1, DEADLINE_MS) == 1;
}

/* supervisor - runs `sh -c script` under supervise in a process of its own. In the script "$PIDS"
 * is the file to write process ids to, a line each. */
static pid_t supervisor(const char *script)
{
    char path[64];

    cr_assert(pipe2(pids_fd, O_CLOEXEC) == 0 && pipe2(parent_pipe, O_CLOEXEC) == 0);
    pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid > 0) {
        close(pids_fd[1]);
        close(parent_pipe[0]);
        return pid;
    }
    close(parent_pipe[1]);
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getpid(), pids_fd[1]);
    setenv("PIDS", path, 1);
    char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" },         strdup(script),
                     (char[]){ "sh" }, (char[]){ "{lifeline}" }, NULL };
    _exit(supervise("/bin/sh", argv, parent_pipe[0]));
}

static pid_t next_pid(void)
{
    char line[32];
    size_t n = 0;
    struct pollfd p = { .fd = pids_fd[0], .events = POLLIN };

    while (n + 1 < sizeof line) {
        cr_assert_eq(poll(&p, 1, DEADLINE_MS), 1, "no process said who it is");
        cr_assert_eq(read(pids_fd[0], line + n, 1), 1);
        if (line[n] == '\n')
            break;
        n++;
    }
    line[n] = '\0';
    return (pid_t)atoi(line);
}

static int status_of(pid_t pid)
{
    int status, fd = pidfd(pid);

    cr_assert(gone(fd), "the supervisor does not end");
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* A grandchild in a session of its own whose parent is gone. */
#define RUNAWAY "(setsid sh -c 'echo $$ > $PIDS; exec sleep 1000' &) ;"

Test(supervise, a_killed_worker_leaves_nothing_behind)
{
    pid_t top = supervisor("echo $$ > $PIDS; " RUNAWAY RUNAWAY "exec sleep 1000");
    pid_t worker = next_pid();
    int first = pidfd(next_pid()), second = pidfd(next_pid());

    kill(worker, SIGKILL);
    cr_expect(gone(first) && gone(second));
    cr_expect_eq(status_of(top), 128 + SIGKILL);
}

Test(supervise, the_end_of_whoever_started_it_ends_everything)
{
    pid_t top =
        supervisor(RUNAWAY "trap 'exit 3' HUP; echo ready > $PIDS; while :; do sleep 0.01; done");
    pid_t a = next_pid(), b = next_pid(); /* one of them is "ready" */
    int runaway = pidfd(a ? a : b);

    close(parent_pipe[1]);
    cr_expect(gone(runaway));
    cr_expect_eq(status_of(top), 3);
}

Test(supervise, signals_reach_the_worker_and_its_exit_status_comes_back)
{
    pid_t top = supervisor("trap 'exit 7' TERM; echo $$ > $PIDS; while :; do sleep 0.01; done");

    next_pid();
    kill(top, SIGTERM);
    cr_expect_eq(status_of(top), 7);
}

Test(supervise, a_worker_that_ends_by_itself_leaves_nothing_behind)
{
    pid_t top = supervisor("(setsid sh -c 'echo $$ > $PIDS; echo; exec sleep 1000 > /dev/null' &) |"
                           " read line; exit 5");
    int fd = (int)syscall(SYS_pidfd_open, next_pid(), 0); /* it may be gone already */

    cr_expect(fd < 0 || gone(fd));
    cr_expect_eq(status_of(top), 5);
}

Test(supervise, the_lifeline_is_an_open_pipe)
{
    pid_t top = supervisor("[ -p /proc/self/fd/$1 ] && exit 9");

    cr_expect_eq(status_of(top), 9);
}

Test(supervise, kill_all_finds_every_descendant_but_the_spared_one)
{
    cr_assert_eq(reaper_become(), 0);
    supervisor("echo $$ > $PIDS; trap '' TERM INT HUP;" RUNAWAY RUNAWAY RUNAWAY "exec sleep 1000");
    int all[4];
    for (int i = 0; i < 4; i++)
        all[i] = pidfd(next_pid());
    pid_t spared = fork();
    if (spared == 0)
        for (;;)
            pause();

    cr_expect_geq(reaper_kill_all(spared), 2); /* the worker may reap for its supervisor */
    for (int i = 0; i < 4; i++)
        cr_expect(gone(all[i]));
    cr_expect_eq(kill(spared, 0), 0);
    cr_expect_eq(waitpid(spared, NULL, WNOHANG), 0);
    cr_expect_geq(reaper_kill_all(0), 1);
    cr_expect_eq(waitpid(-1, NULL, WNOHANG), -1);
}

Test(supervise, a_fork_bomb_is_killed)
{
    cr_assert_eq(reaper_become(), 0);
    /* each starts its successor and ends: no scan ever shows the one that lives */
    supervisor("echo $$ > $PIDS; cat > $PIDS < /dev/null;"
               "f() { (f &) ; exit 0; }; (f &); exec sleep 1000");
    next_pid();
    reaper_kill_all(0);
    cr_expect_eq(waitpid(-1, NULL, WNOHANG), -1);
}

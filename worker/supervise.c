#include "worker/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/must.h"
#include "worker/descend.h"

enum {
    END_WAIT_MS = 4000,   /* the worker drains for at most 3 s; then all is killed */
    STOP_ROUNDS_MAX = 32, /* scans that only stop: enough for a fork bomb to run into its limit */
    KILL_ROUND_MS = 20,   /* between two rounds of SIGKILL when nothing died meanwhile */
    KILL_WAIT_MS = 10000, /* a process that a dead disk holds: given up on, it dies when it wakes */
};

int reaper_become(void)
{
    return prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 ? 0 : errno;
}

/* reap - all that ended; false when there is no child left. */
static bool reap(size_t *n, pid_t except)
{
    for (;;) {
        siginfo_t info = { 0 };
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
            if (errno == EINTR)
                continue;
            return false;
        }
        if (info.si_pid == 0 || info.si_pid == except)
            return true;
        if (waitpid(info.si_pid, NULL, 0) == info.si_pid)
            ++*n;
    }
}

static bool has_descendants(pid_t except)
{
    struct descend d = { 0 };
    bool any = descend_scan(&d, except);

    descend_fini(&d);
    return any;
}

/* stop_all - so that what is killed next does not fork meanwhile. */
static void stop_all(struct descend *d, pid_t except)
{
    for (int i = 0; i < STOP_ROUNDS_MAX; i++) {
        size_t stopped = 0;
        descend_scan(d, except);
        for (size_t k = 0; k < d->n; k++)
            if (d->procs[k].below && d->procs[k].state != 'T' && d->procs[k].state != 'Z')
                stopped += kill(d->procs[k].pid, SIGSTOP) == 0;
        if (stopped == 0)
            return;
    }
}

static void kill_round(pid_t except)
{
    struct descend d = { 0 };

    stop_all(&d, except);
    descend_scan(&d, except);
    for (size_t k = 0; k < d.n; k++)
        if (d.procs[k].below)
            kill(d.procs[k].pid, SIGKILL);
    descend_fini(&d);
}

size_t reaper_kill_all(pid_t except)
{
    size_t n = 0;
    ms_t give_up = clock_mono_ms() + KILL_WAIT_MS;
    struct timespec wait = { .tv_nsec = KILL_ROUND_MS * 1000000L };
    sigset_t child, before;

    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &child, &before);
    while (reap(&n, except) && clock_mono_ms() < give_up) {
        kill_round(except);
        if (!reap(&n, except) || (except && !has_descendants(except)))
            break;
        sigtimedwait(&child, NULL, &wait);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return n;
}

/* is_kept - climbs to the child of ours that p is or is below. */
static bool is_kept(const struct descend *d, const struct descend_proc *p, const pid_t *kept,
                    size_t n)
{
    for (size_t steps = 0; p && steps < d->n; steps++) {
        for (size_t k = 0; k < n; k++)
            if (p->pid == kept[k])
                return true;
        const struct descend_proc *parent = NULL;
        for (size_t i = 0; i < d->n && !parent; i++)
            if (d->procs[i].pid == p->ppid && d->procs[i].below)
                parent = &d->procs[i];
        p = parent;
    }
    return false;
}

void reaper_kill_strays(const pid_t *kept, size_t n)
{
    struct descend d = { 0 };

    for (int round = 0; round < STOP_ROUNDS_MAX; round++) {
        size_t killed = 0;
        descend_scan(&d, 0);
        for (size_t i = 0; i < d.n; i++)
            if (d.procs[i].below && d.procs[i].state != 'Z' && !is_kept(&d, &d.procs[i], kept, n))
                killed += kill(d.procs[i].pid, SIGKILL) == 0;
        if (killed == 0)
            break;
    }
    descend_fini(&d);
}

/* --- the supervisor --- */

struct supervisor {
    pid_t child;
    int signal_fd, parent_fd;
    ms_t end_by;
    bool ended;
    int status; /* of the child, once it ended */
};

/* fill_in - the number of the pipe end into the argument that asks for it. */
static void fill_in(char *const argv[], char **filled, char *number)
{
    size_t i = 0;

    for (; argv[i]; i++)
        filled[i] = strcmp(argv[i], "{lifeline}") == 0 ? number : argv[i];
    filled[i] = NULL;
}

static pid_t start(const char *path, char *const argv[], int lifeline, const sigset_t *mask)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    setpgid(0, 0); /* a terminal's Ctrl-C reaches us alone, and we pass it on once */
    fcntl(lifeline, F_SETFD, 0);
    sigprocmask(SIG_SETMASK, mask, NULL);
    execv(path, argv);
    _exit(127);
}

static void take_signals(struct supervisor *s)
{
    struct signalfd_siginfo info;

    while (read(s->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
        if (info.ssi_signo != SIGCHLD)
            kill(s->child, (int)info.ssi_signo);
    int status;
    for (pid_t pid; !s->ended && (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        s->ended = pid == s->child;
        s->status = status;
    }
}

static void parent_gone(struct supervisor *s)
{
    log_info("event=parent-gone");
    s->parent_fd = -1;
    kill(s->child, SIGHUP);
    s->end_by = clock_mono_ms() + END_WAIT_MS;
}

static int time_left(ms_t until)
{
    if (until == MS_NEVER)
        return -1;
    ms_t left = until - clock_mono_ms();
    return left < 0 ? 0 : (int)left;
}

static void watch(struct supervisor *s)
{
    while (!s->ended && clock_mono_ms() < s->end_by) {
        struct pollfd fds[] = { { .fd = s->signal_fd, .events = POLLIN },
                                { .fd = s->parent_fd, .events = POLLIN } };
        if (poll(fds, 2, time_left(s->end_by)) < 0 && errno != EINTR)
            break;
        char byte;
        if (fds[0].revents)
            take_signals(s);
        if (fds[1].revents && read(s->parent_fd, &byte, 1) <= 0)
            parent_gone(s);
    }
}

static int exit_status(const struct supervisor *s)
{
    if (!s->ended)
        return 128 + SIGKILL;
    return WIFSIGNALED(s->status) ? 128 + WTERMSIG(s->status) : WEXITSTATUS(s->status);
}

int supervise(const char *path, char *const argv[], int parent_fd)
{
    int lifeline[2];
    char number[16];
    size_t n = 0;
    sigset_t mask, before;
    struct supervisor s = { .parent_fd = parent_fd, .end_by = MS_NEVER };

    while (argv[n])
        n++;
    char **filled = calloc(n + 1, sizeof *filled);
    must(filled != NULL);
    if (reaper_become() != 0 || pipe2(lifeline, O_CLOEXEC) != 0)
        return 1;
    snprintf(number, sizeof number, "%d", lifeline[0]);
    fill_in(argv, filled, number);
    if (parent_fd >= 0)
        fcntl(parent_fd, F_SETFD, FD_CLOEXEC);

    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGHUP);
    sigprocmask(SIG_BLOCK, &mask, &before);
    s.signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    s.child = start(path, filled, lifeline[0], &before);
    close(lifeline[0]);
    free(filled);
    if (s.child < 0 || s.signal_fd < 0)
        return 1;
    watch(&s);
    reaper_kill_all(0);
    close(s.signal_fd);
    close(lifeline[1]);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return exit_status(&s);
}

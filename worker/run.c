#include "worker/run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"

/* What the child needs, all of it prepared before vfork; `failed` and `err` are its answer, which
 * reaches us because it shares our memory until it has exec'ed. */
struct child {
    const struct run_spec *spec;
    pid_t parent;
    int null_fd, out_fd, err_fd;
    uint64_t reset; /* bit n: signal n is ignored here */
    volatile enum run_step failed;
    volatile int err;
};

static int null_fd(void)
{
    static int fd = -1;

    if (fd < 0)
        fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return fd;
}

/* ignored_signals - read once: nothing in a worker changes them after its start. */
static uint64_t ignored_signals(void)
{
    static uint64_t ignored;
    static bool known;

    for (int sig = 1; !known && sig < NSIG && sig < 64; sig++) {
        struct sigaction sa;
        if (sigaction(sig, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN)
            ignored |= UINT64_C(1) << sig;
    }
    known = true;
    return ignored;
}

static void child_fail(struct child *c, enum run_step step)
{
    c->failed = step;
    c->err = errno ? errno : EINVAL;
    _exit(127);
}

/* child_exec - between vfork and exec: only system calls, nothing of ours is changed but *c. */
_Noreturn static void child_exec(struct child *c)
{
    const struct run_spec *spec = c->spec;
    sigset_t none;

    setsid();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != c->parent) /* it died before the line above */
        _exit(127);
    for (int sig = 1; c->reset >> sig; sig++)
        if (c->reset >> sig & 1)
            signal(sig, SIG_DFL);
    if (dup2(c->null_fd, 0) < 0 || dup2(c->out_fd, 1) < 0 || dup2(c->err_fd, 2) < 0)
        child_fail(c, RUN_PIPE);
    if (spec->in_fd && (dup2(spec->in_fd, 3) < 0 || dup2(spec->out_fd, 4) < 0))
        child_fail(c, RUN_PIPE);
    close_range(spec->in_fd ? 5 : 3, ~0U,
                0); /* all are close-on-exec anyway, but a library may forget one */
    if (spec->cwd && chdir(spec->cwd) != 0)
        child_fail(c, RUN_CHDIR);
    if (spec->memory_mib) {
        rlim_t bytes = (rlim_t)spec->memory_mib << 20;
        if (setrlimit(RLIMIT_DATA, &(struct rlimit){ bytes, bytes }) != 0)
            child_fail(c, RUN_LIMIT);
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(spec->path, spec->argv, spec->envp);
    child_fail(c, RUN_EXEC);
    _exit(127);
}

/* start_child - in a function of its own, so that the child, which runs on our stack, returns from
 * nothing that we still need. */
__attribute__((noinline)) static pid_t start_child(struct child *c)
{
    pid_t pid = vfork();

    if (pid == 0)
        child_exec(c);
    return pid;
}

static int spawn(struct run *r, struct child *c)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = start_child(c);
    int err = pid < 0 ? errno : 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err) {
        r->failed = RUN_FORK;
        return err;
    }
    if (c->err) {
        r->failed = c->failed;
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
        return c->err;
    }
    r->pid = pid;
    return 0;
}

int run_start(struct run *r, const struct run_spec *spec)
{
    int out[2], err[2];

    *r = (struct run){ 0 };
    capture_init(&r->out);
    capture_init(&r->err);
    r->started_ms = clock_wall_ms();
    r->started_us = r->ended_us = clock_mono_us();
    r->failed = RUN_PIPE;
    if (null_fd() < 0 || pipe2(out, O_CLOEXEC) != 0)
        return errno;
    if (pipe2(err, O_CLOEXEC) != 0) {
        int e = errno;
        close(out[0]);
        close(out[1]);
        return e;
    }
    must(out[0] > 2 && out[1] > 2); /* main sees to it that 0, 1 and 2 are open */
    struct child child = { .spec = spec,
                           .parent = getpid(),
                           .null_fd = null_fd(),
                           .out_fd = out[1],
                           .err_fd = err[1],
                           .reset = ignored_signals() };
    int e = spawn(r, &child);
    close(out[1]);
    close(err[1]);
    if (e) {
        close(out[0]);
        close(err[0]);
        return e;
    }
    capture_open(&r->out, out[0], spec->epoll_fd, spec->out_tag, spec->out_spill);
    capture_open(&r->err, err[0], spec->epoll_fd, spec->err_tag, spec->err_spill);
    return 0;
}

bool run_read(struct run *r, bool stderr_stream)
{
    size_t n;

    return capture_read(stderr_stream ? &r->err : &r->out, &n);
}

void run_signal(struct run *r, int sig)
{
    if (r->pid > 0)
        kill(-r->pid, sig);
}

void run_reap(struct run *r)
{
    if (r->pid <= 0)
        return;
    r->ended_us = clock_mono_us();
    run_signal(r, SIGKILL);
    while (wait4(r->pid, &r->status, 0, &r->usage) < 0 && errno == EINTR)
        ;
    r->pid = 0;
    capture_drain(&r->out);
    capture_drain(&r->err);
}

void run_fini(struct run *r)
{
    capture_fini(&r->out);
    capture_fini(&r->err);
}

/* --- which file a command is --- */

/* runnable - 0, or why exec would refuse this file. */
static int runnable(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return errno;
    if (S_ISDIR(st.st_mode) || access(path, X_OK) != 0)
        return EACCES;
    return 0;
}

/* join - malloc'd "cwd/dir/file", where dir and cwd may be missing. */
static char *join(const char *cwd, const char *dir, size_t dir_n, const char *file)
{
    char *path;
    bool relative = dir_n == 0 ? file[0] != '/' : dir[0] != '/';
    int n = asprintf(&path, "%s%s%.*s%s%s", relative && cwd ? cwd : "", relative && cwd ? "/" : "",
                     (int)dir_n, dir_n ? dir : "", dir_n ? "/" : "", file);

    must(n >= 0);
    return path;
}

char *run_resolve(const char *file, const char *cwd)
{
    int err = ENOENT;
    const char *dirs = getenv("PATH");

    if (strchr(file, '/') || !*file) {
        char *path = join(cwd, NULL, 0, file);
        int e = *file ? runnable(path) : ENOENT;
        if (!e)
            return path;
        free(path);
        errno = e;
        return NULL;
    }
    for (const char *dir = dirs ? dirs : "/usr/local/bin:/usr/bin:/bin"; dir;) {
        size_t n = strcspn(dir, ":");
        char *path = join(cwd, n ? dir : ".", n ? n : 1, file);
        int e = runnable(path);
        if (!e)
            return path;
        free(path);
        if (e == EACCES)
            err = EACCES;
        dir = dir[n] ? dir + n + 1 : NULL;
    }
    errno = err;
    return NULL;
}

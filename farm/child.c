#include "farm/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

extern char **environ;
enum { CHILD_ARGS_MAX = 128 };

static int spawn(struct child *c, char *const *argv, const int *keep, size_t n_keep);
static void put_fd(const char **arg, const char *word, int fd, char *text, size_t bytes);

void child_init(struct child *c)
{
    *c = (struct child){ .lifeline = -1, .ready = -1, .err_fd = -1 };
}

void child_fini(struct child *c)
{
    child_let_go(c);
    if (c->ready >= 0)
        close(c->ready);
    if (c->err_fd >= 0)
        close(c->err_fd);
    c->ready = c->err_fd = -1;
}

int child_start(struct child *c, const char *const *argv)
{
    const char *program = c->program;
    child_fini(c);
    child_init(c);
    c->program = program;
    int life[2], ready[2];
    if (pipe2(life, O_CLOEXEC) != 0)
        return errno;
    if (pipe2(ready, O_CLOEXEC) != 0) {
        int rc = errno;
        close(life[0]);
        close(life[1]);
        return rc;
    }
    c->err_fd = memfd_create("grange-stderr", MFD_CLOEXEC);
    const char *args[CHILD_ARGS_MAX];
    char life_text[12], ready_text[12];
    size_t n = 0;
    for (; argv[n] && n < CHILD_ARGS_MAX - 1; n++) {
        args[n] = argv[n];
        put_fd(&args[n], "{lifeline}", life[0], life_text, sizeof life_text);
        put_fd(&args[n], "{ready}", ready[1], ready_text, sizeof ready_text);
    }
    args[n] = NULL;
    int rc = spawn(c, (char *const *)args, (const int[]){ life[0], ready[1] }, 2);
    close(life[0]);
    close(ready[1]);
    c->lifeline = life[1];
    c->ready = ready[0];
    if (rc)
        child_fini(c);
    return rc;
}

static void put_fd(const char **arg, const char *word, int fd, char *text, size_t bytes)
{
    if (strcmp(*arg, word) != 0)
        return;
    snprintf(text, bytes, "%d", fd);
    *arg = text;
}

static int spawn(struct child *c, char *const *argv, const int *keep, size_t n_keep)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attr);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    if (c->err_fd >= 0)
        posix_spawn_file_actions_adddup2(&files, c->err_fd, 2);
    for (size_t i = 0; i < n_keep; i++) /* onto itself: only clears close-on-exec */
        posix_spawn_file_actions_adddup2(&files, keep[i], keep[i]);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawnattr_setflags(&attr,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
    int rc = posix_spawn(&c->pid, c->program ? c->program : "/proc/self/exe", &files, &attr, argv,
                         environ);
    if (rc)
        c->pid = 0;
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    return rc;
}

bool child_wait_ready(struct child *c, ms_t timeout_ms)
{
    ms_t until = clock_mono_ms() + timeout_ms;
    char text[16];
    for (;;) {
        ms_t left = until - clock_mono_ms();
        struct pollfd p = { .fd = c->ready, .events = POLLIN };
        int rc = left > 0 ? poll(&p, 1, (int)left) : 0;
        if (rc < 0 && errno == EINTR)
            continue;
        return rc > 0 && read(c->ready, text, sizeof text) > 0;
    }
}

bool child_reap(struct child *c, ms_t timeout_ms)
{
    ms_t until = clock_mono_ms() + timeout_ms;
    sigset_t wanted;
    sigemptyset(&wanted);
    const int signals[] = { SIGCHLD, SIGINT, SIGTERM, SIGHUP };
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaddset(&wanted, signals[i]);
    while (c->pid) {
        int status = 0;
        if (waitpid(c->pid, &status, WNOHANG) != 0) {
            child_gone(c, status);
            return true;
        }
        ms_t left = until - clock_mono_ms();
        if (left <= 0)
            return false;
        struct timespec wait = { left / 1000, left % 1000 * 1000000 };
        int sig = sigtimedwait(&wanted, NULL, &wait);
        if (sig > 0 && sig != SIGCHLD)
            return false;
    }
    return true;
}

bool child_wait(struct child *c, ms_t timeout_ms)
{
    struct pollfd p = { .fd = c->pid ? pidfd_open(c->pid, 0) : -1, .events = POLLIN };
    ms_t until = clock_mono_ms() + timeout_ms;
    int status = 0;

    for (ms_t left = timeout_ms; p.fd >= 0 && !p.revents && left >= 0;
         left = until - clock_mono_ms()) {
        if (poll(&p, 1, left < INT_MAX ? (int)left : INT_MAX) == 0)
            break;
    }
    bool gone = p.fd < 0 || p.revents; /* no descriptor: it is gone and reaped, or never was */
    if (p.fd >= 0)
        close(p.fd);
    if (gone && c->pid) {
        waitpid(c->pid, &status, 0);
        child_gone(c, status);
    }
    return gone;
}

void child_gone(struct child *c, int status)
{
    c->pid = 0;
    c->status = status;
}

void child_let_go(struct child *c)
{
    if (c->lifeline >= 0)
        close(c->lifeline);
    c->lifeline = -1;
}

void child_words(const struct child *c, char *words, size_t bytes)
{
    if (WIFSIGNALED(c->status))
        snprintf(words, bytes, "signal %d (%s)", WTERMSIG(c->status),
                 strsignal(WTERMSIG(c->status)));
    else
        snprintf(words, bytes, "exit code %d", WEXITSTATUS(c->status));
}

void child_stderr(const struct child *c, char *text, size_t bytes)
{
    text[0] = '\0';
    off_t end = c->err_fd >= 0 ? lseek(c->err_fd, 0, SEEK_CUR) : 0; /* shared with the child's */
    if (end <= 0)
        return;
    off_t from = end > (off_t)(bytes - 1) ? end - (off_t)(bytes - 1) : 0;
    ssize_t n = pread(c->err_fd, text, bytes - 1, from);
    while (n > 0 && text[n - 1] == '\n')
        n--;
    text[n > 0 ? n : 0] = '\0';
    static const char name[] = "grange: ";
    if (strncmp(text, name, sizeof name - 1) == 0)
        memmove(text, text + sizeof name - 1, strlen(text + sizeof name - 1) + 1);
}

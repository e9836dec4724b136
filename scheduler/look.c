#include "scheduler/look.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utlist.h>

#include "base/log.h"

struct look {
    uint64_t id, client;
    uint64_t request; /* that waits for a page; 0: none does */
    ms_t asked_ms;
    pid_t pid;
    int pid_fd, out, err; /* out: the pipe, -1 at its end; err: a file in memory */
    struct look *prev, *next;
};

/* ---- starting ---- */

/* What a client may have done here: nothing of it writes. */
static bool is_verb(const char *verb)
{
    static const char *const verbs[] = { "status", "results", "log", "explain", "graph", "tally" };

    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(verb, verbs[i]) == 0)
            return true;
    return false;
}

static bool is_option(const char *option)
{
    static const char *const plain[] = { "--json", "--stderr", "--points" };
    static const char *const valued[] = { "--format=", "--where=", "--sort=" };

    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (strcmp(option, plain[i]) == 0)
            return true;
    for (size_t i = 0; i < sizeof valued / sizeof *valued; i++)
        if (strncmp(option, valued[i], strlen(valued[i])) == 0)
            return true;
    return false;
}

static enum err check(const struct message *m, struct fault *f)
{
    if (!is_verb(m->look.verb))
        return fault_set(f, ERR_USAGE, "'%.60s' does not only look", m->look.verb);
    for (size_t i = 0; i < m->look.n_options; i++)
        if (!is_option(m->look.options[i]))
            return fault_set(f, ERR_USAGE, "'%.60s' is no option of a look from another machine",
                             m->look.options[i]);
    return ERR_NONE;
}

static int spawn(struct look *k, char *const *argv, int out)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, all;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attr);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, k->err, STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int rc = posix_spawn(&k->pid, "/proc/self/exe", &files, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    return rc;
}

static int start(struct look *k, const struct scheduler *s, const struct message *m)
{
    const char *argv[2 * LOOK_WORDS_MAX + 6] = { "grange", m->look.verb, "--dir", s->opt->dir };
    int ends[2];
    size_t n = 4;

    for (size_t i = 0; i < m->look.n_options; i++)
        argv[n++] = m->look.options[i];
    argv[n++] = "--";
    for (size_t i = 0; i < m->look.n_words; i++)
        argv[n++] = m->look.words[i];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return errno;
    k->out = ends[0];
    k->err = memfd_create("stderr", MFD_CLOEXEC);
    int rc = k->err < 0 ? errno : spawn(k, (char *const *)(uintptr_t)argv, ends[1]);
    close(ends[1]);
    if (rc)
        return rc;
    fcntl(k->out, F_SETFL, O_NONBLOCK);
    k->pid_fd = pidfd_open(k->pid, 0);
    return k->pid_fd < 0 ? errno : 0;
}

static void end(struct scheduler *s, struct look *k)
{
    if (k->pid > 0) {
        kill(k->pid, SIGKILL);
        waitpid(k->pid, NULL, 0);
    }
    if (k->pid_fd >= 0)
        close(k->pid_fd);
    if (k->out >= 0)
        close(k->out);
    if (k->err >= 0)
        close(k->err);
    DL_DELETE(s->looks, k);
    s->n_looks--;
    free(k);
}

static void begin(struct scheduler *s, peer_id from, const struct message *m)
{
    struct fault f;

    if (check(m, &f)) {
        request_refuse(s, from, m->look.request, f.code, f.text);
        return;
    }
    if (s->n_looks == LOOKS_MAX) {
        request_refuse(s, from, m->look.request, ERR_BUSY,
                       "too many look into the store of this farm at once; try again");
        return;
    }
    struct look *k = calloc(1, sizeof *k);
    must(k != NULL);
    *k = (struct look){ .id = ++s->look_id,
                        .client = from.n,
                        .request = m->look.request,
                        .asked_ms = s->now,
                        .pid_fd = -1,
                        .out = -1,
                        .err = -1 };
    DL_APPEND(s->looks, k);
    s->n_looks++;
    int rc = start(k, s, m);
    log_info("event=look peer=%llu verb=%s pid=%d", (unsigned long long)from.n, m->look.verb,
             (int)k->pid);
    if (rc) {
        request_refuse(s, from, m->look.request, ERR_IO, strerror(rc));
        end(s, k);
    }
}

void look_request(struct scheduler *s, peer_id from, const struct message *m)
{
    struct look *k;

    if (!m->look.look) {
        begin(s, from, m);
        return;
    }
    DL_FOREACH(s->looks, k)
    if (k->id == m->look.look && k->client == from.n)
        break;
    if (!k) {
        request_refuse(s, from, m->look.request, ERR_LOST,
                       "the connection was lost in the middle of it; do it again");
        return;
    }
    k->request = m->look.request;
    k->asked_ms = s->now;
}

/* ---- its output ---- */

size_t look_fds(const struct scheduler *s, struct pollfd *fds)
{
    size_t n = 0;
    const struct look *k;

    DL_FOREACH(s->looks, k)
    if (k->request)
        fds[n++] = (struct pollfd){ .fd = k->out >= 0 ? k->out : k->pid_fd, .events = POLLIN };
    return n;
}

static void answer(struct scheduler *s, struct look *k, struct message *m)
{
    m->kind = MSG_LOOKED;
    m->looked.request = k->request;
    m->looked.look = k->id;
    k->request = 0;
    send_message(s, (peer_id){ k->client }, m);
}

static void ended(struct scheduler *s, struct look *k, int status)
{
    static char err[LOOK_ERR_BYTES_MAX];
    ssize_t n = pread(k->err, err, sizeof err, 0);
    struct message m = { 0 };

    m.looked.ended = true;
    m.looked.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    m.looked.err = err;
    m.looked.err_bytes = n > 0 ? (size_t)n : 0;
    k->pid = 0;
    answer(s, k, &m);
    end(s, k);
}

/* A page, or at the end of them what became of it. */
static void move_on(struct scheduler *s, struct look *k)
{
    static char page[INLINE_BYTES_MAX];
    int status;

    if (k->out >= 0) {
        ssize_t n = read(k->out, page, sizeof page);
        if (n > 0) {
            struct message m = { .looked = { .out = page, .out_bytes = (size_t)n } };
            answer(s, k, &m);
            return;
        }
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        close(k->out);
        k->out = -1;
    }
    if (waitpid(k->pid, &status, WNOHANG) == k->pid)
        ended(s, k, status);
}

void look_turn(struct scheduler *s)
{
    struct look *k, *next;

    DL_FOREACH_SAFE(s->looks, k, next)
    if (k->request)
        move_on(s, k);
}

void look_idle(struct scheduler *s)
{
    struct look *k, *next;

    DL_FOREACH_SAFE(s->looks, k, next)
    if (!k->request && s->now - k->asked_ms > LOOK_IDLE_MS)
        end(s, k);
}

void look_gone(struct scheduler *s, peer_id peer)
{
    struct look *k, *next;

    DL_FOREACH_SAFE(s->looks, k, next)
    if (k->client == peer.n)
        end(s, k);
}

void look_end_all(struct scheduler *s)
{
    while (s->looks)
        end(s, s->looks);
}

#include "cli/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/must.h"

#include "cli/cli.h"
#include "cli/local.h"
#include "farm/child.h"
#include "farm/keepers.h"
#include "worker/supervise.h"

enum { PATH_ROOM = 4096, ARGV_MAX = 2 * KEEPER_LISTEN_MAX + KEEPER_WORKER_ARGS_MAX + 24 };

/* One child: the scheduler or a worker. */
struct kept {
    struct child child;
    uint32_t number; /* of a worker; 0: the scheduler */
    bool ready, done;
    ms_t started_ms, again_ms, wait_ms; /* again_ms: when it is started again; MS_NEVER */
};

struct keeper {
    const struct keeper_options *o;
    struct kept *kept; /* the scheduler, if any, first */
    size_t n;
    int signal_fd, lock_fd;
    int here_fd;   /* the directory that `grange up` was typed in; -1: it could not be had */
    int report_fd; /* to whoever started us, until all are ready */
    int stopping;  /* how often we were asked to */
};

static int keeper_run(struct keeper *k);
static void stop(struct keeper *k);
static enum err read_report(const struct keeper_options *o, int fd, pid_t pid, ms_t timeout_ms,
                            struct fault *f);

/* ---- starting it ---- */

static void become_daemon(const struct keeper_options *o)
{
    char path[PATH_ROOM];
    setsid();
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    snprintf(path, sizeof path, "%s/log/keeper.log", o->dir);
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    dup2(null, 0);
    dup2(null, 1);
    dup2(log >= 0 ? log : null, 2);
    if (chdir(o->dir) != 0)
        log_error("event=chdir error=\"%s\"", strerror(errno));
}

/* Who is interrupted before all is ready wants nothing of it. */
static volatile sig_atomic_t begun;

static void end_begun(int sig)
{
    (void)sig;
    static const char text[] = "\ngrange: interrupted; what was started ends again\n";
    kill((pid_t)begun, SIGTERM);
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    _exit(CLI_INTERRUPTED);
}

static void on_interrupt(void (*handler)(int))
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct sigaction old, act = { .sa_handler = handler };
        sigaction(signals[i], NULL, &old);
        if (old.sa_handler != SIG_IGN)
            sigaction(signals[i], &act, NULL);
    }
}

enum err keeper_start(const struct keeper_options *o, ms_t timeout_ms, struct fault *f)
{
    int report[2];
    char path[PATH_ROOM];
    snprintf(path, sizeof path, "%s/log", o->dir);
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return fault_set(f, ERR_IO, "cannot make the directory %s: %s", path, strerror(errno));
    if (pipe2(report, O_CLOEXEC) != 0)
        return fault_set(f, ERR_IO, "cannot make a pipe: %s", strerror(errno));
    pid_t pid = fork();
    if (pid < 0)
        return fault_set(f, ERR_IO, "cannot start a process: %s", strerror(errno));
    if (pid == 0) {
        struct keeper k = { .o = o, .report_fd = report[1] };
        k.here_fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
        close(report[0]);
        become_daemon(o);
        log_open("keeper", LOG_INFO, NULL);
        _exit(keeper_run(&k));
    }
    close(report[1]);
    begun = pid;
    on_interrupt(end_begun);
    enum err err = read_report(o, report[0], pid, timeout_ms, f);
    on_interrupt(SIG_DFL);
    close(report[0]);
    return err;
}

/* What the keeper says: "ready", or "CODE TEXT" and then it ends. */
static enum err read_report(const struct keeper_options *o, int fd, pid_t pid, ms_t timeout_ms,
                            struct fault *f)
{
    char text[FAULT_TEXT_MAX];
    size_t n = 0;
    ms_t until = clock_mono_ms() + timeout_ms;
    for (ssize_t got = 1; got > 0 && n < sizeof text - 1;) {
        ms_t left = until - clock_mono_ms();
        struct pollfd p = { .fd = fd, .events = POLLIN };
        int rc = left > 0 ? poll(&p, 1, (int)left) : 0;
        if (rc < 0 && errno == EINTR)
            continue;
        if (rc <= 0)
            return fault_set(f, ERR_TIMEOUT,
                             "not all were ready within %g s; they go on: see "
                             "%s/log, or end them with grange down",
                             (double)timeout_ms / 1000, o->dir);
        got = read(fd, text + n, sizeof text - 1 - n);
        n += got > 0 ? (size_t)got : 0;
    }
    text[n] = '\0';
    if (strcmp(text, "ready") == 0)
        return ERR_NONE;
    waitpid(pid, NULL, 0);
    char *rest = NULL;
    long code = strtol(text, &rest, 10);
    if (code <= 0)
        return fault_set(f, ERR_IO, "the keeper ended before all was ready");
    return fault_set(f, (enum err)code, "%s", rest + (*rest == ' '));
}

static void report(struct keeper *k, const char *text)
{
    if (k->report_fd < 0)
        return;
    ssize_t n = write(k->report_fd, text, strlen(text));
    (void)n; /* who does not read it has gone */
    close(k->report_fd);
    k->report_fd = -1;
}

/* ---- who is there ---- */

static uint32_t workers_left(const struct keeper *k)
{
    uint32_t n = 0;
    for (size_t i = 0; i < k->n; i++)
        n += k->kept[i].number && !k->kept[i].done;
    return n;
}

static struct keeper_entry entry_of(const struct keeper *k)
{
    return (struct keeper_entry){ .pid = getpid(),
                                  .first = k->o->first,
                                  .n_numbers = k->o->n_workers,
                                  .left = workers_left(k),
                                  .scheduler = k->o->scheduler && !k->stopping };
}

static void change_entry(const struct keeper *k)
{
    struct keeper_entry e = entry_of(k);
    keepers_change(k->lock_fd, &e);
}

/* ---- children ---- */

/* What a child that was killed left behind came to us. */
static void kill_strays(const struct keeper *k)
{
    pid_t kept[KEEPER_WORKERS_MAX + 1];
    size_t n = 0;
    for (size_t i = 0; i < k->n; i++)
        if (k->kept[i].child.pid)
            kept[n++] = k->kept[i].child.pid;
    reaper_kill_strays(kept, n);
}

static int start_scheduler(struct keeper *k, struct kept *c)
{
    const char *argv[ARGV_MAX];
    size_t n = 0;
    char log[PATH_ROOM];
    snprintf(log, sizeof log, "%s/log/scheduler.log", k->o->dir);
    const char *const plain[] = { "grange",     "scheduler",  "--dir",   k->o->dir, "--lifeline-fd",
                                  "{lifeline}", "--ready-fd", "{ready}", "--log",   log,
                                  "--sync",     k->o->sync,   "--farm",  k->o->farm };
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        argv[n++] = plain[i];
    for (size_t i = 0; i < k->o->n_listen; i++) {
        argv[n++] = "--listen";
        argv[n++] = k->o->listen[i];
    }
    argv[n] = NULL;
    return child_start(&c->child, argv);
}

static int start_worker(struct keeper *k, struct kept *c)
{
    const char *argv[ARGV_MAX];
    size_t n = 0;
    char log[PATH_ROOM], slots[16], host[NAME_BYTES_MAX + 1] = "", name[NAME_BYTES_MAX + 16];
    gethostname(host, sizeof host - 1);
    snprintf(name, sizeof name, "%.80s-w%u", host, c->number);
    snprintf(log, sizeof log, "%s/log/worker-%u.log", k->o->dir, c->number);
    snprintf(slots, sizeof slots, "%u", k->o->slots);
    const char *const plain[] = {
        "grange", "worker",        "--dir",      k->o->dir,    "-j",      slots,   "--name",
        name,     "--lifeline-fd", "{lifeline}", "--ready-fd", "{ready}", "--log", log
    };
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        argv[n++] = plain[i];
    for (size_t i = 0; i < k->o->n_worker_args; i++)
        argv[n++] = k->o->worker_args[i];
    argv[n] = NULL;
    /* As if it had been typed there: the command of an engine may name a file in that directory. */
    bool there = k->here_fd >= 0 && fchdir(k->here_fd) == 0;
    int err = child_start(&c->child, argv);
    if (there && chdir(k->o->dir) != 0)
        log_error("event=chdir error=\"%s\"", strerror(errno));
    return err;
}

static const char *words_of(const struct kept *c, char *text, size_t bytes)
{
    if (c->number)
        snprintf(text, bytes, "worker %u", c->number);
    else
        snprintf(text, bytes, "scheduler");
    return text;
}

static void again_later(struct kept *c, ms_t now)
{
    bool lived = now - c->started_ms >= KEEPER_LIVED_MS;
    c->again_ms = now + (lived ? 0 : c->wait_ms);
    ms_t next = lived ? 0 : 2 * c->wait_ms;
    c->wait_ms = next < KEEPER_WAIT_MIN_MS   ? KEEPER_WAIT_MIN_MS
                 : next > KEEPER_WAIT_MAX_MS ? KEEPER_WAIT_MAX_MS
                                             : next;
}

static void start(struct keeper *k, struct kept *c, ms_t now)
{
    char who[32];
    c->started_ms = now;
    c->again_ms = MS_NEVER;
    c->ready = false;
    int rc = c->number ? start_worker(k, c) : start_scheduler(k, c);
    if (rc) {
        log_error("event=not_started who=\"%s\" error=\"%s\"", words_of(c, who, sizeof who),
                  strerror(rc));
        again_later(c, now);
        return;
    }
    log_info("event=started who=\"%s\" pid=%d", words_of(c, who, sizeof who), (int)c->child.pid);
}

/* The first start has failed: who waits for us hears why, and all ends. */
static void give_up(struct keeper *k, const struct kept *c)
{
    char who[32], words[64], why[FAULT_TEXT_MAX - 256], text[FAULT_TEXT_MAX];
    child_words(&c->child, words, sizeof words);
    child_stderr(&c->child, why, sizeof why);
    enum err err = c->number ? ERR_IO : local_scheduler_err(c->child.status);
    if (why[0])
        snprintf(text, sizeof text, "%d %s", (int)err, why);
    else
        snprintf(text, sizeof text, "%d the %s ended with %s; see %.200s/log", (int)err,
                 words_of(c, who, sizeof who), words, k->o->dir);
    report(k, text);
    k->stopping = 1;
    stop(k); /* without patience */
}

static void ended(struct keeper *k, struct kept *c, int status, ms_t now)
{
    char who[32], words[64];
    child_gone(&c->child, status);
    child_words(&c->child, words, sizeof words);
    log_info("event=ended who=\"%s\" how=\"%s\"", words_of(c, who, sizeof who), words);
    c->done = k->stopping || (WIFEXITED(status) && WEXITSTATUS(status) == 0);
    if (k->report_fd >= 0) {
        c->done = true;
        give_up(k, c);
    } else if (!c->done) {
        again_later(c, now);
    } else if (c->number == 0 && !k->stopping) {
        stop(k); /* the farm is down: so are its workers */
    } else if (c->number) {
        change_entry(k);
    }
    kill_strays(k);
}

/* ---- the loop ---- */

static void reap(struct keeper *k, ms_t now)
{
    int status = 0;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        for (size_t i = 0; i < k->n; i++)
            if (k->kept[i].child.pid == pid)
                ended(k, &k->kept[i], status, now);
}

static void signal_workers(const struct keeper *k, int sig)
{
    for (size_t i = 0; i < k->n; i++)
        if (k->kept[i].number && k->kept[i].child.pid)
            kill(k->kept[i].child.pid, sig);
}

/* Workers first: what they report is still recorded. */
static void stop(struct keeper *k)
{
    k->stopping++;
    change_entry(k);
    log_info("event=stopping patience=%s", k->stopping > 1 ? "no" : "yes");
    for (size_t i = 0; i < k->n; i++)
        if (!k->kept[i].child.pid)
            k->kept[i].done = true; /* it was to be started again */
    signal_workers(k, k->stopping > 1 ? SIGHUP : SIGTERM);
}

static void read_signals(struct keeper *k, ms_t now)
{
    struct signalfd_siginfo info;
    while (read(k->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
        if (info.ssi_signo == SIGCHLD)
            reap(k, now);
        else
            stop(k);
}

static bool any_left(const struct keeper *k)
{
    for (size_t i = 0; i < k->n; i++)
        if (!k->kept[i].done)
            return true;
    return false;
}

static void look_after(struct keeper *k, ms_t now)
{
    bool all_ready = true;
    for (size_t i = 0; i < k->n; i++) {
        struct kept *c = &k->kept[i];
        if (!k->stopping && c->again_ms <= now)
            start(k, c, now);
        all_ready = all_ready && c->ready;
    }
    if (all_ready)
        report(k, "ready");
    struct kept *first = &k->kept[0];
    if (k->stopping && first->number == 0 && first->child.pid && !workers_left(k))
        kill(first->child.pid, SIGTERM);
}

static ms_t next_ms(const struct keeper *k)
{
    ms_t at = MS_NEVER;
    for (size_t i = 0; i < k->n && !k->stopping; i++)
        at = k->kept[i].again_ms < at ? k->kept[i].again_ms : at;
    return at;
}

/* Waits for signals and for children that say they are ready. */
static void wait_for_news(struct keeper *k, struct pollfd *fds)
{
    fds[0] = (struct pollfd){ .fd = k->signal_fd, .events = POLLIN };
    for (size_t i = 0; i < k->n; i++) {
        bool waits = k->kept[i].child.pid && !k->kept[i].ready;
        fds[i + 1] = (struct pollfd){ .fd = waits ? k->kept[i].child.ready : -1, .events = POLLIN };
    }
    ms_t at = next_ms(k), now = clock_mono_ms();
    poll(fds, k->n + 1, at == MS_NEVER ? -1 : at > now ? (int)(at - now) : 0);
    for (size_t i = 0; i < k->n; i++)
        if (fds[i + 1].revents) /* or it ended: then SIGCHLD says so */
            k->kept[i].ready = child_wait_ready(&k->kept[i].child, 1) || k->kept[i].ready;
    if (fds[0].revents)
        read_signals(k, clock_mono_ms());
}

/* ---- beginning and end ---- */

static int open_signals(void)
{
    sigset_t set;
    const int signals[] = { SIGCHLD, SIGTERM, SIGINT, SIGHUP };
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaddset(&set, signals[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void make_kept(struct keeper *k)
{
    const struct keeper_options *o = k->o;
    k->kept = calloc(o->n_workers + 1, sizeof *k->kept);
    must(k->kept);
    if (o->scheduler)
        k->n++;
    for (uint32_t i = 0; i < o->n_workers; i++)
        k->kept[k->n++].number = o->first + i;
    for (size_t i = 0; i < k->n; i++)
        child_init(&k->kept[i].child);
}

static int keeper_run(struct keeper *k)
{
    k->signal_fd = open_signals();
    (void)reaper_become();
    make_kept(k);
    struct keeper_entry e = entry_of(k);
    k->lock_fd = keepers_enter(k->o->dir, &e);
    struct pollfd *fds = calloc(k->n + 1, sizeof *fds);
    must(fds);
    log_info("event=start scheduler=%d workers=%u", k->o->scheduler, k->o->n_workers);
    while (any_left(k)) {
        look_after(k, clock_mono_ms());
        wait_for_news(k, fds);
    }
    log_info("event=end");
    kill_strays(k);
    keepers_leave(k->o->dir, k->lock_fd);
    free(fds);
    free(k->kept);
    return 0;
}

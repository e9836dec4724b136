#include "cli/local.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "farm/keepers.h"
#include "farm/secret.h"
#include "scheduler/scheduler.h"
#include "worker/supervise.h"

enum { PATH_ROOM = 4096, LOOK_AGAIN_MS = 20 };

static enum err start_scheduler(struct local *l, struct fault *f);
static enum err scheduler_fault(struct local *l, struct fault *f);
static bool run_is_alive(pid_t pid);

void local_init(struct local *l, const char *dir, const char *sync, uint32_t slots)
{
    *l = (struct local){ .dir = dir, .sync = sync, .slots = slots };
    child_init(&l->scheduler);
    child_init(&l->worker);
    (void)reaper_become(); /* without it leftovers go to init: no harm, only later */
}

void local_fini(struct local *l)
{
    child_fini(&l->worker);
    child_fini(&l->scheduler);
    buf_fini(&l->url);
}

/* ---- who has the directory ---- */

/* What its scheduler wrote into the lock of a directory; false when there is none. */
static bool read_lock(const char *dir, char *text, size_t bytes)
{
    char path[PATH_ROOM];
    snprintf(path, sizeof path, "%s/lock", dir);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool held = flock(fd, LOCK_SH | LOCK_NB) != 0;
    ssize_t n = held ? read(fd, text, bytes - 1) : 0;
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    return held;
}

enum holder local_holder(const char *dir, pid_t *pid)
{
    char text[128];
    if (!read_lock(dir, text, sizeof text))
        return HOLDER_NONE;
    char *rest = NULL;
    *pid = (pid_t)strtol(text, &rest, 10);
    int run = 0;
    if (sscanf(rest, " run %d", &run) != 1)
        return HOLDER_DAEMON;
    *pid = run;
    return HOLDER_RUN;
}

bool local_ending(const char *dir)
{
    char text[128];
    return read_lock(dir, text, sizeof text) && strstr(text, " ending") != NULL;
}

bool local_serves(const char *dir)
{
    pid_t pid = 0;
    enum holder holder = local_holder(dir, &pid);
    return holder == HOLDER_DAEMON || (holder == HOLDER_RUN && run_is_alive(pid));
}

static void nap(ms_t ms)
{
    nanosleep(&(struct timespec){ 0, (long)ms * 1000000 }, NULL);
}

enum err local_start(struct local *l, bool any, struct fault *f)
{
    enum err err = secret_home(l->dir, f);
    ms_t until = clock_mono_ms() + clock_patience_ms(OWNER_GONE_MS);
    bool started = false;
    while (!err && !started && !l->joined) {
        pid_t pid = 0;
        enum holder holder = local_holder(l->dir, &pid);
        if (holder == HOLDER_NONE && keepers_restart(l->dir)) {
            if (clock_mono_ms() > until)
                err = fault_set(f, ERR_LOST,
                                "the scheduler of the farm in %s ended and is started again later; "
                                "why is in %s/log, grange down gives it up",
                                l->dir, l->dir);
            else
                nap(LOOK_AGAIN_MS);
        } else if (holder == HOLDER_NONE) {
            err = start_scheduler(l, f);
            started = !err;
            if (err == ERR_BUSY &&
                clock_mono_ms() < until) /* another one was quicker: look again */
                err = ERR_NONE;
        } else if (holder == HOLDER_DAEMON || (any && run_is_alive(pid))) {
            l->joined = true;
        } else if (run_is_alive(pid)) {
            err = fault_set(f, ERR_BUSY,
                            "another `grange run` (process %d) is using %s; wait for it, or use "
                            "another directory with --dir",
                            (int)pid, l->dir);
        } else if (clock_mono_ms() > until) {
            err = fault_set(f, ERR_BUSY,
                            "the scheduler of a `grange run` that is gone (process %d) "
                            "still has %s; see %s/scheduler.log",
                            (int)pid, l->dir, l->dir);
        } else {
            nap(LOOK_AGAIN_MS); /* its scheduler is about to notice */
        }
    }
    if (!err)
        cli_url(l->dir, &l->url);
    return err;
}

/* One that has ended, and that nobody has waited for yet, does nothing any more. */
static bool run_is_alive(pid_t pid)
{
    char path[64], text[512];
    if (kill(pid, 0) != 0)
        return errno != ESRCH;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *state = strrchr(text, ')'); /* what is before it may be any text */
    return !state || !strchr("ZX", state[1] ? state[2] : ' ');
}

/* ---- start ---- */

static enum err start_scheduler(struct local *l, struct fault *f)
{
    char log[PATH_ROOM], owner[32];
    snprintf(log, sizeof log, "%s/scheduler.log", l->dir);
    snprintf(owner, sizeof owner, "run %d", (int)getpid());
    const char *argv[] = { "grange",        "scheduler",  "--dir",      l->dir,    "--owner", owner,
                           "--lifeline-fd", "{lifeline}", "--ready-fd", "{ready}", "--log",   log,
                           "--sync",        l->sync,      NULL };
    int rc = child_start(&l->scheduler, argv);
    if (rc)
        return fault_set(f, ERR_IO, "cannot start the scheduler: %s", strerror(rc));
    ms_t most_ms = clock_patience_ms(SCHEDULER_READY_MS);
    if (child_wait_ready(&l->scheduler, most_ms))
        return ERR_NONE;
    if (!child_reap(&l->scheduler, STOP_MS)) {
        kill(l->scheduler.pid, SIGKILL);
        child_reap(&l->scheduler, STOP_MS);
        return fault_set(f, ERR_TIMEOUT, "the scheduler was not ready after %g s; see %s",
                         (double)most_ms / 1000, log);
    }
    return scheduler_fault(l, f);
}

enum err local_scheduler_err(int status)
{
    static const struct {
        int code;
        enum err err;
    } meanings[] = {
        { SCHEDULER_BUSY, ERR_BUSY },
        { SCHEDULER_DAMAGED, ERR_DAMAGED },
        { SCHEDULER_VERSION, ERR_VERSION },
        { SCHEDULER_DISK_FULL, ERR_DISK_FULL },
    };
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
        if (WIFEXITED(status) && WEXITSTATUS(status) == meanings[i].code)
            return meanings[i].err;
    return ERR_IO;
}

static enum err scheduler_fault(struct local *l, struct fault *f)
{
    const struct child *c = &l->scheduler;
    enum err err = local_scheduler_err(c->status);
    char words[64], text[FAULT_TEXT_MAX - 256];
    child_words(c, words, sizeof words);
    child_stderr(c, text, sizeof text);
    if (text[0])
        return fault_set(f, err, "%s", text);
    return fault_set(f, err, "the scheduler ended with %s; see %s/scheduler.log", words, l->dir);
}

enum err local_start_worker(struct local *l, struct fault *f)
{
    char log[PATH_ROOM], slots[16], name[32];
    snprintf(name, sizeof name, "run-%d", (int)getpid()); /* that of the one it replaces */
    snprintf(log, sizeof log, "%s/worker.log", l->dir);
    snprintf(slots, sizeof slots, "%u", l->slots);
    const char *argv[] = {
        "grange",        "worker",     "--dir", l->dir, "-j",      slots, "--name", name,
        "--lifeline-fd", "{lifeline}", "--log", log,    "--grace", "0",   NULL
    };
    l->want_worker = true;
    int rc = child_start(&l->worker, argv);
    return rc ? fault_set(f, ERR_IO, "cannot start the worker: %s", strerror(rc)) : ERR_NONE;
}

/* ---- restart ---- */

/* Whether one more restart is within the limit: fewer than RESTARTS_MAX in the last RESTARTS_MS. */
static bool may_restart(struct restarts *r, ms_t now)
{
    ms_t *slot = &r->at[r->n % RESTARTS_MAX];
    if (r->n >= RESTARTS_MAX && now - *slot < RESTARTS_MS)
        return false;
    *slot = now;
    r->n++;
    return true;
}

static void say(struct local *l, const char *who, const struct child *c)
{
    char words[64], text[160];
    child_words(c, words, sizeof words);
    snprintf(text, sizeof text, "the %s ended (%s); starting it again", who, words);
    if (l->say)
        l->say(l->ctx, text);
}

static void reap_all(struct local *l)
{
    int status = 0;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        if (pid == l->scheduler.pid)
            child_gone(&l->scheduler, status);
        else if (pid == l->worker.pid)
            child_gone(&l->worker, status);
    }
}

static enum err again_scheduler(struct local *l, struct fault *f)
{
    enum err err = scheduler_fault(l, f);
    bool fixed = WIFEXITED(l->scheduler.status) && err != ERR_IO; /* it said why: again is no use */
    if (fixed)
        return err;
    if (!may_restart(&l->scheduler_restarts, clock_mono_ms())) {
        char last[512];
        snprintf(last, sizeof last, "%s", f->text);
        return fault_set(f, ERR_IO,
                         "the scheduler ended %d times within %d s; giving up. The last time: %s\n"
                         "its log: %s/scheduler.log",
                         RESTARTS_MAX + 1, RESTARTS_MS / 1000, last, l->dir);
    }
    say(l, "scheduler", &l->scheduler);
    return start_scheduler(l, f);
}

static enum err again_worker(struct local *l, struct fault *f)
{
    (void)reaper_kill_all(l->scheduler.pid);
    if (!may_restart(&l->worker_restarts, clock_mono_ms())) {
        char text[512];
        child_stderr(&l->worker, text, sizeof text);
        return fault_set(f, ERR_IO,
                         "the worker ended %d times within %d s; giving up%s%s\n"
                         "its log: %s/worker.log",
                         RESTARTS_MAX + 1, RESTARTS_MS / 1000, text[0] ? ". The last time: " : "",
                         text, l->dir);
    }
    say(l, "worker", &l->worker);
    return local_start_worker(l, f);
}

enum err local_tend(struct local *l, bool *again, struct fault *f)
{
    reap_all(l);
    enum err err = ERR_NONE;
    bool scheduler_died = !l->joined && !l->scheduler.pid;
    if (again)
        *again = scheduler_died;
    if (scheduler_died)
        err = again_scheduler(l, f);
    if (!err && l->want_worker && !l->worker.pid)
        err = again_worker(l, f);
    return err;
}

bool local_kill_scheduler(const struct local *l)
{
    return !l->joined && l->scheduler.pid && kill(l->scheduler.pid, SIGKILL) == 0;
}

/* ---- stop ---- */

void local_stop_worker(struct local *l, bool patience)
{
    l->want_worker = false;
    if (!l->worker.pid)
        return;
    if (patience)
        kill(l->worker.pid, SIGTERM); /* it ends once its results are acknowledged */
    else
        child_let_go(&l->worker);
    if (child_reap(&l->worker, patience ? STOP_MS : STOP_MS / 5))
        return;
    child_let_go(&l->worker);
    if (!child_reap(&l->worker, STOP_MS / 5)) {
        kill(l->worker.pid, SIGKILL);
        child_reap(&l->worker, STOP_MS);
    }
    (void)reaper_kill_all(l->scheduler.pid);
}

void local_stop(struct local *l, bool patience)
{
    local_stop_worker(l, patience);
    if (!l->scheduler.pid)
        return;
    child_let_go(&l->scheduler);
    if (child_reap(&l->scheduler, patience ? STOP_MS : STOP_MS / 5))
        return;
    kill(l->scheduler.pid, SIGKILL);
    child_reap(&l->scheduler, STOP_MS);
}

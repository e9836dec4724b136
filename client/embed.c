#include "client/embed.h"

#include <dlfcn.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"
#include "client/grange.h"
#include "client/session.h"
#include "farm/child.h"
#include "farm/connection.h"

enum {
    PATH_ROOM = 4096,
    READY_MS = 60000, /* replaying the log of a big store takes a while */
    STOP_MS = 2000,   /* to end in good order before SIGKILL */
    TEND_MS = 200,
    AGAIN_MAX = 10, /* starts of one child without AGAIN_CALM_MS in between; then it stays away */
    AGAIN_CALM_MS = 10000,
    PLUGINS_MAX = 8,
    WORKER_ARGS_MAX = 32,
};

struct member {
    struct child child;
    ms_t started_ms;
    int again;
};

struct embedded {
    char dir[PATH_ROOM], program[PATH_ROOM];
    char slots[16], owner[32], name[32];
    bool temporary;
    char *plugins[PLUGINS_MAX];
    size_t n_plugins;
    struct member scheduler, worker;
    ms_t tended_ms;
};

/* ---- the program */

static bool can_run(const char *path)
{
    return access(path, X_OK) == 0;
}

static bool beside(const char *dir, const char *rest, char *path, size_t bytes)
{
    int n = snprintf(path, bytes, "%s/%s", dir, rest);

    return n > 0 && (size_t)n < bytes && can_run(path);
}

static bool on_path(char *path, size_t bytes)
{
    const char *at = getenv("PATH");
    char dir[PATH_ROOM];

    while (at && *at) {
        size_t n = strcspn(at, ":");
        if (n > 0 && n < sizeof dir) {
            memcpy(dir, at, n);
            dir[n] = '\0';
            if (beside(dir, "grange", path, bytes))
                return true;
        }
        at += n + (at[n] == ':');
    }
    return false;
}

/* near_us - beside the file that this code is in, or in bin/ beside its folder. */
static bool near_us(char *path, size_t bytes)
{
    char dir[PATH_ROOM];
    Dl_info info;

    if (!dladdr((void *)(uintptr_t)&embedded_stop, &info) || !info.dli_fname)
        return false;
    char *real = realpath(info.dli_fname, NULL);
    if (!real)
        return false;
    char *slash = strrchr(real, '/');
    *(slash ? slash : real) = '\0';
    snprintf(dir, sizeof dir, "%s", real);
    free(real);
    return beside(dir, "grange", path, bytes) || beside(dir, "../bin/grange", path, bytes) ||
           beside(dir, "../../bin/grange", path, bytes); /* lib/x86_64-linux-gnu */
}

static enum err find_program(const struct grange_embed *how, struct embedded *e, struct fault *f)
{
    const char *named = how->program ? how->program : getenv("GRANGE_PROGRAM");

    if (named && *named) {
        snprintf(e->program, sizeof e->program, "%s", named);
        if (can_run(named))
            return ERR_NONE;
        return fault_set(f, ERR_NOT_FOUND, "cannot run '%s': %s", named, strerror(errno));
    }
    if (near_us(e->program, sizeof e->program) || on_path(e->program, sizeof e->program))
        return ERR_NONE;
    return fault_set(f, ERR_NOT_FOUND,
                     "the program grange is neither beside the library nor on the "
                     "PATH; name it in GRANGE_PROGRAM");
}

/* ---- the directory */

static enum err make_dir(const struct grange_embed *how, struct embedded *e, struct fault *f)
{
    const char *in = getenv("XDG_RUNTIME_DIR");

    e->temporary = how->dir == NULL;
    if (how->dir) {
        if ((mkdir(how->dir, 0700) != 0 && errno != EEXIST) || !realpath(how->dir, e->dir))
            return fault_set(f, errno == ENOSPC ? ERR_DISK_FULL : ERR_PERMISSION,
                             "cannot make the directory '%s': %s", how->dir, strerror(errno));
        return ERR_NONE;
    }
    if (!in || !*in)
        in = getenv("TMPDIR");
    snprintf(e->dir, sizeof e->dir, "%s/grange-XXXXXX", in && *in ? in : "/tmp");
    if (!mkdtemp(e->dir))
        return fault_set(f, ERR_PERMISSION, "cannot make a directory '%s': %s", e->dir,
                         strerror(errno));
    return ERR_NONE;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    remove(path);
    return 0;
}

/* ---- the children */

static int start_scheduler(struct embedded *e)
{
    char log[PATH_ROOM + 20];

    snprintf(log, sizeof log, "%s/scheduler.log", e->dir);
    const char *argv[] = { "grange",     "scheduler", "--dir",         e->dir,
                           "--owner",    e->owner,    "--lifeline-fd", "{lifeline}",
                           "--ready-fd", "{ready}",   "--log",         log,
                           NULL };
    e->scheduler.started_ms = clock_mono_ms();
    return child_start(&e->scheduler.child, argv);
}

static int start_worker(struct embedded *e)
{
    const char *argv[WORKER_ARGS_MAX] = { "grange", "worker",        "--dir",      e->dir, "--name",
                                          e->name,  "--lifeline-fd", "{lifeline}", "--log" };
    char log[PATH_ROOM + 20];
    size_t n = 9;

    snprintf(log, sizeof log, "%s/worker.log", e->dir);
    argv[n++] = log;
    if (e->slots[0]) {
        argv[n++] = "-j";
        argv[n++] = e->slots;
    }
    for (size_t i = 0; i < e->n_plugins; i++) {
        argv[n++] = "--plugin";
        argv[n++] = e->plugins[i];
    }
    e->worker.started_ms = clock_mono_ms();
    return child_start(&e->worker.child, argv);
}

static enum err not_ready(struct embedded *e, struct fault *f)
{
    struct child *c = &e->scheduler.child;
    char words[64], text[FAULT_TEXT_MAX - 128];

    if (!child_wait(c, STOP_MS)) {
        kill(c->pid, SIGKILL);
        child_wait(c, STOP_MS);
        return fault_set(f, ERR_TIMEOUT, "the scheduler in %s was not ready in time", e->dir);
    }
    child_words(c, words, sizeof words);
    child_stderr(c, text, sizeof text);
    return fault_set(f, ERR_IO, "the scheduler in %s ended with %s%s%s", e->dir, words,
                     text[0] ? ": " : "", text);
}

static enum err start(struct embedded *e, ms_t until, struct fault *f)
{
    int rc = start_scheduler(e);

    if (rc)
        return fault_set(f, ERR_IO, "cannot start '%s': %s", e->program, strerror(rc));
    ms_t left = until - clock_mono_ms();
    if (!child_wait_ready(&e->scheduler.child, left < READY_MS ? left : READY_MS))
        return not_ready(e, f);
    rc = start_worker(e);
    return rc ? fault_set(f, ERR_IO, "cannot start '%s': %s", e->program, strerror(rc)) : ERR_NONE;
}

static void tend(struct embedded *e, struct member *m, int (*again)(struct embedded *), ms_t now)
{
    if (m->child.pid && !child_wait(&m->child, 0))
        return;
    if (now - m->started_ms > AGAIN_CALM_MS)
        m->again = 0;
    if (m->again++ < AGAIN_MAX)
        again(e);
}

void embedded_tend(struct embedded *e, ms_t now)
{
    if (!e || now - e->tended_ms < TEND_MS)
        return;
    e->tended_ms = now;
    tend(e, &e->scheduler, start_scheduler, now);
    tend(e, &e->worker, start_worker, now);
}

static void stop(struct child *c)
{
    child_let_go(c);
    if (c->pid && !child_wait(c, STOP_MS)) {
        kill(c->pid, SIGKILL);
        child_wait(c, STOP_MS);
    }
    child_fini(c);
}

void embedded_stop(struct embedded *e)
{
    if (!e)
        return;
    stop(&e->worker.child);
    stop(&e->scheduler.child);
    if (e->temporary)
        nftw(e->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    for (size_t i = 0; i < e->n_plugins; i++)
        free(e->plugins[i]);
    free(e);
}

/* ---- the connection */

static enum err take_plugins(const struct grange_embed *how, struct embedded *e, struct fault *f)
{
    if (how->n_plugins > PLUGINS_MAX)
        return fault_set(f, ERR_LIMIT, "an embedded farm has at most %d plug-ins", PLUGINS_MAX);
    for (size_t i = 0; i < how->n_plugins; i++) {
        char *path = realpath(how->plugins[i], NULL);
        if (!path)
            return fault_set(f, ERR_NOT_FOUND, "plug-in '%s': %s", how->plugins[i],
                             strerror(errno));
        e->plugins[e->n_plugins++] = path;
    }
    return ERR_NONE;
}

static enum err open_embedded(const struct grange_embed *how, struct wait w, struct embedded *e,
                              struct grange **g, struct fault *f)
{
    struct connection c = { 0 };
    char url[PATH_ROOM + 30];

    snprintf(e->owner, sizeof e->owner, "program %d", (int)getpid());
    snprintf(e->name, sizeof e->name, "embedded-%d", (int)getpid());
    if (how->slots)
        snprintf(e->slots, sizeof e->slots, "%u", how->slots);
    enum err err = find_program(how, e, f);
    if (!err)
        err = take_plugins(how, e, f);
    if (!err)
        err = make_dir(how, e, f);
    if (!err)
        err = start(e, w.until, f);
    snprintf(url, sizeof url, "ipc://%s/scheduler.sock", e->dir);
    if (!err)
        err = connection_add_url(&c, url, f);
    if (!err)
        err = connect_to(&c, w, g, f);
    connection_fini(&c);
    return err;
}

int grange_embed(const struct grange_embed *how, int64_t timeout_ms, struct grange **g, char *why,
                 size_t why_bytes)
{
    struct embedded *e = calloc(1, sizeof *e);
    struct fault *f = session_fault();

    must(e != NULL);
    *g = NULL;
    child_init(&e->scheduler.child);
    child_init(&e->worker.child);
    e->scheduler.child.program = e->worker.child.program = e->program;
    enum err err =
        open_embedded(how ? how : &(struct grange_embed){ 0 }, wait_for(timeout_ms), e, g, f);
    if (err) {
        embedded_stop(e);
        snprintf(why, why_bytes, "%s", f->text);
        return (int)err;
    }
    session_enter(*g);
    (*g)->embedded = e;
    pump_start(*g);
    return session_leave(*g, GRANGE_OK);
}

/* crew_engines - the engine processes of a worker: started, listened to, buried. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utlist.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/must.h"
#include "base/reason.h"
#include "proto/wire.h"
#include "worker/crew.h"
#include "worker/tree.h"

enum {
    FRAMES_A_TURN = 4096, /* of one engine; between them comes what others have to say */
    LOOK_MS = 5,          /* between two looks into the pages of engines that have several calls */
    TELL_MS = 100,        /* between two messages about engines */
    TURNED_TELL_MS = 500, /* the same, when all that is new is who is busy */
    IDLE_DEATHS_MAX = 3,  /* in a row before a call that had not begun is blamed for them */
};

static void take_frames(struct worker *w, struct at_engine *e);

/* --- beginning and end --- */

static const char **engine_argv(const struct worker_options *opt)
{
    size_t n = 0;
    const char **argv = calloc(opt->n_plugins + 4, sizeof *argv);

    must(argv != NULL);
    if (opt->engine) {
        argv[n++] = "sh";
        argv[n++] = "-c";
        argv[n++] = opt->engine;
        return argv;
    }
    argv[n++] = "grange";
    argv[n++] = "engine-host";
    for (size_t i = 0; i < opt->n_plugins; i++)
        argv[n++] = opt->plugins[i];
    return argv;
}

void crew_open(struct worker *w)
{
    struct crew *all = calloc(1, sizeof *all);
    char *dir;

    must(all != NULL);
    w->crew = all;
    all->machine = machine_id();
    must(asprintf(&dir, "%s/engines", w->scratch) > 0);
    must(asprintf(&all->dir, "%s/%s-%d", dir, w->host, (int)getpid()) > 0);
    if (w->opt->n_plugins || w->opt->engine) {
        crew_sweep(w, dir);
        all->n = w->n_slots;
        all->argv = engine_argv(w->opt);
        all->engines = calloc(all->n, sizeof *all->engines);
        must(all->engines != NULL);
    }
    free(dir);
    for (uint32_t i = 0; i < all->n; i++)
        engine_init(&all->engines[i].engine, i);
}

static void free_calls(struct call **table)
{
    struct call *c, *next;

    HASH_ITER(hh, *table, c, next)
    {
        HASH_DEL(*table, c);
        call_free(c);
    }
}

void crew_close(struct worker *w)
{
    struct crew *all = w->crew;

    if (!all)
        return;
    for (uint32_t i = 0; i < all->n; i++) {
        run_signal(&all->engines[i].engine.run, SIGKILL);
        run_reap(&all->engines[i].engine.run);
        engine_end(&all->engines[i].engine);
        buf_fini(&all->engines[i].engine.functions);
    }
    free_calls(&all->by_lease);
    free_calls(&all->by_ticket);
    if (all->n) {
        tree_delete(all->dir);
        crew_delete_spares(w);
    }
    free(all->dir);
    free(all->engines);
    free(all->argv);
    free(all->functions);
    free(all);
    w->crew = NULL;
}

const char **crew_functions(const struct worker *w, size_t *n)
{
    const struct crew *all = w->crew;
    const char **names = calloc(all->n_functions + 1, sizeof *names);
    const char *at = all->functions;

    must(names != NULL);
    for (uint32_t i = 0; i < all->n_functions; i++, at += strlen(at) + 1)
        names[i] = at;
    *n = all->n_functions;
    return names;
}

bool crew_has(const struct worker *w, const char *function)
{
    const struct crew *all = w->crew;
    const char *at = all->functions;

    for (uint32_t i = 0; i < all->n_functions; i++, at += strlen(at) + 1)
        if (strcmp(at, function) == 0)
            return true;
    return false;
}

/* --- starting --- */

static uint64_t tag_of(enum source source, const struct at_engine *e, bool is_err)
{
    return (uint64_t)source << 56 | (uint64_t)e->engine.slot << 33 | (uint64_t)is_err << 32 |
           e->generation;
}

static void changed(struct worker *w)
{
    w->crew->changed = true;
}

void crew_start_engine(struct worker *w, uint32_t slot)
{
    struct at_engine *e = &w->crew->engines[slot];
    char *dir;

    must(asprintf(&dir, "%s/%u", w->crew->dir, slot) > 0);
    e->generation++;
    e->cached_array = (array_id){ 0 };
    e->next_number = e->killed_for = 0;
    e->dead = e->closed = false;
    struct engine_spec spec = { .argv = (char *const *)w->crew->argv,
                                .path = w->opt->engine ? "/bin/sh" : "/proc/self/exe",
                                .dir = dir,
                                .memory_mib = w->memory_mib / w->n_slots,
                                .epoll_fd = w->epoll_fd,
                                .frames_tag = tag_of(SOURCE_ENGINE, e, false),
                                .room_tag = tag_of(SOURCE_ENGINE_ROOM, e, false),
                                .out_tag = tag_of(SOURCE_ENGINE_PRINT, e, false),
                                .err_tag = tag_of(SOURCE_ENGINE_PRINT, e, true) };
    int err = engine_start(&e->engine, &spec);
    free(dir);
    changed(w);
    if (!err)
        return;
    snprintf(e->reason, sizeof e->reason, "could not start: %s", strerror(err));
    log_error("event=engine slot=%u error=\"%s\"", slot, e->reason);
    engine_end(&e->engine);
    e->dead = true;
    worker_feed(w, &(struct agent_event){ .kind = AGENT_ENGINE_GONE, .engine = slot });
}

void crew_kill_engine(struct worker *w, uint32_t slot)
{
    struct at_engine *e = &w->crew->engines[slot];

    e->engine.broken = "no hello within a minute";
    run_signal(&e->engine.run, SIGKILL);
}

/* --- frames --- */

static bool same_functions(struct crew *all, const struct engine *e)
{
    if (!all->functions) {
        all->functions_bytes = e->functions.n;
        all->functions = malloc(e->functions.n + 1);
        must(all->functions != NULL);
        memcpy(all->functions, buf_text(&e->functions), e->functions.n + 1);
        all->n_functions = e->n_functions;
    }
    return all->functions_bytes == e->functions.n &&
           memcmp(all->functions, buf_text(&e->functions), e->functions.n) == 0;
}

static void hello(struct worker *w, struct at_engine *e)
{
    if (!same_functions(w->crew, &e->engine)) {
        e->engine.broken = "other functions than the engines before it";
        return;
    }
    log_debug("event=engine slot=%u pid=%d functions=%u", e->engine.slot, (int)e->engine.run.pid,
              e->engine.n_functions);
    changed(w);
    worker_feed(w, &(struct agent_event){ .kind = AGENT_ENGINE_READY,
                                          .engine = e->engine.slot,
                                          .bundles = e->engine.bundles });
}

static bool within(const char *path, const char *dir, const char *start)
{
    size_t n = strlen(dir), m = strlen(start);

    return strncmp(path, dir, n) == 0 && strncmp(path + n, start, m) == 0 && path[n + m] != '.' &&
           !strchr(path + n + m, '/');
}

/* own_file - the file of a result: one that the engine made in its own directory, or, of a value
 * that it keeps, the one in which that came. */
static bool own_file(struct worker *w, struct at_engine *e, struct call *c,
                     const struct engine_frame *f, const char *at, size_t n)
{
    struct file_body body;
    struct stat st;
    bool keep = f->flags & FRAME_KEEP;

    if (n <= sizeof body)
        return false;
    memcpy(&body, at, sizeof body);
    char *path = strndup(at + sizeof body, n - sizeof body);
    must(path != NULL);
    if (within(path, e->engine.spool, "/") || within(path, w->crew->dir, "/in-"))
        c->out.fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (c->out.fd >= 0 && !keep)
        unlink(path);
    if (keep) {
        c->lent = c->number;
        c->lent_by = e->generation;
    }
    free(path);
    if (c->out.fd < 0 || fstat(c->out.fd, &st) != 0 || !S_ISREG(st.st_mode) ||
        body.bytes > BLOB_BYTES_MAX || body.offset > (uint64_t)st.st_size ||
        body.bytes > (uint64_t)st.st_size - body.offset) {
        matter_fini(&c->out);
        return false;
    }
    c->out.offset = body.offset;
    c->out.bytes = body.bytes;
    return body.bytes > INLINE_BYTES_MAX || matter_load(&c->out);
}

/* credible - what an engine says that a call took; 0, not known, where no scheduler would take the
 * result with it. */
static uint64_t credible(uint64_t said)
{
    return said <= WIRE_TIME_MAX ? said : 0;
}

/* take_output - what it gave back, or why it failed. False: it is no result. */
static bool take_output(struct worker *w, struct at_engine *e, struct call *c,
                        const struct engine_frame *f)
{
    struct result_body r;

    if (f->bytes < sizeof r) {
        e->engine.broken = "a result that is cut short";
        return false;
    }
    const char *at = f->body + sizeof r;
    size_t n = f->bytes - sizeof r;
    memcpy(&r, f->body, sizeof r);
    if (r.code == 0 && (f->flags & FRAME_FILE) && !own_file(w, e, c, f, at, n)) {
        e->engine.broken = "a result whose file is not there";
        return false;
    }
    c->wall_us = credible(r.wall_us);
    c->user_us = credible(r.user_us);
    c->sys_us = credible(r.sys_us);
    c->maxrss_kib = credible(r.maxrss_kib);
    if (r.code == 0 && !(f->flags & FRAME_FILE))
        matter_copy(&c->out, at, n);
    if (c->op == DIRECT_PUT && r.code == 0 && c->in.path) {
        c->in.owned = false; /* the engine's now */
        e->has_files = true;
    }
    char *text = r.code ? strndup(at, n) : NULL;
    if (c->why == STOP_TIMEOUT)
        call_end(c, END_TIMEOUT, c->limit_ms > INT32_MAX ? INT32_MAX : (int32_t)c->limit_ms, text);
    else if (c->why == STOP_REVOKED)
        call_end(c, END_REVOKED, 0, NULL);
    else
        call_end(c, END_EXIT, r.code, text);
    free(text);
    return true;
}

static void result(struct worker *w, struct at_engine *e, const struct engine_frame *f)
{
    struct call *c = e->first;

    if (!take_output(w, e, c, f)) {
        e->killed_for = c->number;
        return;
    }
    crew_unlist(w, e, c);
    e->idle_deaths = 0;
    crew_begin(e);
    crew_done(w, c);
}

static void add_log(struct at_engine *e, const struct engine_frame *f)
{
    struct call *c = e->first;

    if (c && c->number == f->call && c->log.n + f->bytes <= OUTPUT_STORE_MAX)
        buf_add(&c->log, f->body, f->bytes);
}

static void take_frames(struct worker *w, struct at_engine *e)
{
    struct engine_frame f;
    int n = 0;

    while (n < FRAMES_A_TURN && engine_next(&e->engine, e->first ? e->first->number : 0, &f)) {
        n++;
        if (f.kind == FRAME_RESULT)
            result(w, e, &f);
        else if (f.kind == FRAME_HELLO)
            hello(w, e);
        else if (f.kind == FRAME_LOG)
            add_log(e, &f);
        else if (f.kind == FRAME_PROGRESS && e->first && e->first->number == f.call)
            said_note(w, e->first, &f);
    }
    e->more = n == FRAMES_A_TURN;
    if (e->engine.broken)
        run_signal(&e->engine.run, SIGKILL);
}

void crew_event(struct worker *w, uint64_t tag)
{
    struct at_engine *e = &w->crew->engines[tag >> 33 & ((1u << SLOT_BITS) - 1)];

    if (e->generation != (uint32_t)tag || e->engine.run.pid == 0)
        return;
    switch ((enum source)(tag >> 56)) {
    case SOURCE_ENGINE_ROOM:
        engine_flush(&e->engine);
        break;
    case SOURCE_ENGINE_PRINT:
        engine_listen(&e->engine, tag >> 32 & 1);
        log_debug("event=printed slot=%u text=\"%s\"", e->engine.slot, e->engine.said);
        break;
    default:
        engine_read(&e->engine);
        take_frames(w, e);
        if (e->engine.from_fd < 0 && !e->engine.broken) {
            /* it ended, which the signal will tell, or closed the pipe and goes on */
            siginfo_t info = { 0 };
            if (waitid(P_PID, (id_t)e->engine.run.pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
                info.si_pid == 0) {
                e->closed = !e->killed_for;
                run_signal(&e->engine.run, SIGKILL);
            }
        }
    }
}

void crew_look(struct worker *w)
{
    for (uint32_t i = 0; i < w->crew->n; i++)
        if (w->crew->engines[i].more || engine_page_waits(&w->crew->engines[i].engine))
            take_frames(w, &w->crew->engines[i]);
}

void crew_flush(struct worker *w)
{
    for (uint32_t i = 0; i < w->crew->n; i++)
        if (w->crew->engines[i].engine.to.n && !w->crew->engines[i].engine.waits)
            engine_flush(&w->crew->engines[i].engine);
}

/* tell_at - when what is new about engines is told: who is busy less often than what became of
 * them. */
static ms_t tell_at(const struct crew *all)
{
    return all->told_at + (all->changed ? TELL_MS : TURNED_TELL_MS);
}

int crew_wait_ms(const struct worker *w)
{
    int wait = -1;

    for (uint32_t i = 0; i < w->crew->n && wait; i++)
        if (w->crew->engines[i].more)
            wait = 0;
        else if (w->crew->engines[i].n > 1 && w->crew->engines[i].engine.bundles)
            wait = LOOK_MS;
    int shares = said_wait_ms(w);
    if (shares >= 0 && (wait < 0 || shares < wait))
        wait = shares;
    if (!(w->crew->changed || w->crew->turned) || !w->welcomed)
        return wait;
    ms_t left = tell_at(w->crew) - w->now;
    return left <= 0 ? 0 : wait < 0 || left < wait ? (int)left : wait;
}

/* --- the end of one --- */

/* blamed - the call that an engine ended in: the one that it was killed for, or else the one that
 * it had begun. One that ended before the kill came, and another had begun: none. */
static struct call *blamed(struct at_engine *e)
{
    struct call *c = e->first;

    if (!c)
        return NULL;
    if (e->killed_for)
        return e->killed_for == c->number ? c : NULL;
    if (!e->engine.bundles || page_begun(e->engine.page, c->number))
        return c;
    return ++e->idle_deaths >= IDLE_DEATHS_MAX ? c : NULL;
}

static const char *name_of(const struct call *c)
{
    return c->direct ? c->name : payload_function(c->payload);
}

/* say_why - "killed by SIGSEGV in collatz: what it printed last". */
static void say_why(struct at_engine *e, const struct call *c, enum end_reason reason, int32_t code)
{
    struct buf text = { 0 };

    if (e->engine.broken)
        buf_addf(&text, "killed: it sent %s", e->engine.broken);
    else
        reason_words(reason, code, &text);
    if (e->closed && reason == END_SIGNAL && code == SIGKILL)
        buf_adds(&text, ", because it closed its pipe,");
    if (c)
        buf_addf(&text, " in %s", name_of(c));
    if (c && c->why == STOP_TIMEOUT)
        buf_addf(&text, ", which ran longer than %lld ms", (long long)c->limit_ms);
    if (*e->engine.said)
        buf_addf(&text, ": %s", e->engine.said);
    snprintf(e->reason, sizeof e->reason, "%s", buf_text(&text));
    buf_fini(&text);
}

static void end_call(struct at_engine *e, struct call *c, enum end_reason reason, int32_t code)
{
    if (c->why == STOP_TIMEOUT)
        call_end(c, END_TIMEOUT, c->limit_ms > INT32_MAX ? INT32_MAX : (int32_t)c->limit_ms, NULL);
    else if (c->why == STOP_REVOKED)
        call_end(c, END_REVOKED, 0, NULL);
    else if (reason == END_EXIT && code == 0)
        call_end(c, END_EXIT, UINT8_MAX, "the engine ended, with exit status 0, in this call");
    else
        call_end(c, reason, code, *e->engine.said ? e->engine.said : e->reason);
}

/* delete_values - the files of values that it kept, but not of those that come just now. */
static void delete_values(struct worker *w, struct at_engine *e)
{
    DIR *d = e->has_files ? opendir(w->crew->dir) : NULL;

    for (struct dirent *at; d && (at = readdir(d)) != NULL;) {
        unsigned slot;
        unsigned long long ticket;
        struct call *c;
        if (sscanf(at->d_name, "in-%u-%llu", &slot, &ticket) != 2 || slot != e->engine.slot)
            continue;
        lease_id id = { ticket };
        HASH_FIND(hh, w->crew->by_ticket, &id, sizeof id, c);
        if (!c)
            unlinkat(dirfd(d), at->d_name, 0);
    }
    if (d)
        closedir(d);
    e->has_files = false;
}

static void bury(struct worker *w, struct at_engine *e)
{
    struct call *c, *next;
    struct agent_event gone = { .kind = AGENT_ENGINE_GONE, .engine = e->engine.slot };

    engine_read(&e->engine);
    do
        take_frames(w, e);
    while (e->more);
    engine_listen(&e->engine, false);
    engine_listen(&e->engine, true);
    bool killed = WIFSIGNALED(e->engine.run.status);
    enum end_reason reason = killed ? END_SIGNAL : END_EXIT;
    int32_t code = killed ? WTERMSIG(e->engine.run.status) : WEXITSTATUS(e->engine.run.status);
    c = blamed(e);
    say_why(e, c, reason, code);
    if (c) {
        end_call(e, c, reason, code);
        gone.lease = c->id;
        gone.direct = c->direct;
    }
    DL_FOREACH_SAFE(e->first, c, next)
    {
        DL_DELETE(e->first, c);
        c->number = 0;
    }
    e->n = 0;
    e->restarts++;
    e->dead = true;
    log_info("event=engine-gone slot=%u reason=\"%s\"", e->engine.slot, e->reason);
    engine_end(&e->engine);
    changed(w);
    worker_feed(w, &gone);
    delete_values(w, e);
}

bool crew_reap(struct worker *w, pid_t pid)
{
    for (uint32_t i = 0; i < w->crew->n; i++) {
        struct at_engine *e = &w->crew->engines[i];
        if (e->engine.run.pid != pid)
            continue;
        engine_listen(&e->engine, false);
        engine_listen(&e->engine, true);
        run_reap(&e->engine.run);
        bury(w, e);
        return true;
    }
    return false;
}

/* --- telling --- */

static enum engine_state state_of(const struct at_engine *e)
{
    if (e->engine.run.pid == 0)
        return ENGINE_DOWN;
    return !e->engine.hello ? ENGINE_STARTING : e->n ? ENGINE_BUSY : ENGINE_IDLE;
}

static void list_functions(const struct crew *all, struct buf *to)
{
    const char *at = all->functions;

    for (uint32_t i = 0; i < all->n_functions; i++, at += strlen(at) + 1)
        buf_addf(to, "%s%s", i ? "\n" : "", at);
}

void crew_tell(struct worker *w)
{
    struct crew *all = w->crew;
    struct buf functions = { 0 };
    size_t n = 0;

    if (!(all->changed || all->turned) || !w->welcomed || w->now < tell_at(all))
        return;
    struct engine_info *info = calloc(all->n + 1, sizeof *info);
    must(info != NULL);
    list_functions(all, &functions);
    for (uint32_t i = 0; i < all->n; i++) {
        struct at_engine *e = &all->engines[i];
        enum engine_state state = state_of(e);
        if (!all->changed && state == e->told)
            continue;
        e->told = state;
        info[n++] = (struct engine_info){ .slot = i,
                                          .pid = (uint32_t)e->engine.run.pid,
                                          .restarts = e->restarts,
                                          .state = state,
                                          .reason = e->reason,
                                          .functions = buf_text(&functions) };
    }
    if (n || all->changed)
        worker_send(w, &(struct message){ .kind = MSG_ENGINES, .engines = { info, n } });
    all->changed = all->turned = false;
    all->told_at = w->now;
    free(info);
    buf_fini(&functions);
}

#include "worker/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/must.h"
#include "worker/tree.h"
#include "base/utf8.h"

enum {
    READ_BYTES = 256 << 10,
    READ_TURN_BYTES = 4 << 20, /* of one engine in one turn */
    CHILD_FD_MIN = 10,         /* what becomes 3 and 4 there is neither here */
    PIPE_BYTES = 256 << 10,
};

extern char **environ;

void engine_init(struct engine *e, uint32_t slot)
{
    *e = (struct engine){ .slot = slot, .to_fd = -1, .from_fd = -1, .page_fd = -1 };
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* --- start and end --- */

/* high_pipe - both ends above what a child's descriptors are. */
static int high_pipe(int fds[2])
{
    int low[2];

    if (pipe2(low, O_CLOEXEC) != 0)
        return errno;
    fds[0] = fcntl(low[0], F_DUPFD_CLOEXEC, CHILD_FD_MIN);
    int err = fds[0] < 0 ? errno : 0;
    fds[1] = fcntl(low[1], F_DUPFD_CLOEXEC, CHILD_FD_MIN);
    if (fds[1] < 0 && !err)
        err = errno;
    close(low[0]);
    close(low[1]);
    if (err) {
        close_fd(&fds[0]);
        close_fd(&fds[1]);
    } else {
        fcntl(fds[1], F_SETPIPE_SZ, PIPE_BYTES); /* less is fine, too */
    }
    return err;
}

static void add_welcome(struct engine *e)
{
    struct welcome_body w = { ENGINE_VERSION, e->slot };
    char page[64];

    snprintf(page, sizeof page, "/proc/%d/fd/%d", (int)getpid(), e->page_fd);
    engine_add(e, FRAME_WELCOME, 0, 0, &w, sizeof w, page, strlen(page) + 1, e->spool,
               strlen(e->spool) + 1);
}

static int start_process(struct engine *e, const struct engine_spec *spec)
{
    int to[2] = { -1, -1 }, from[2] = { -1, -1 };
    int err = high_pipe(to);

    if (!err)
        err = high_pipe(from);
    if (!err) {
        struct run_spec run = { .argv = spec->argv,
                                .path = spec->path,
                                .envp = environ,
                                .in_fd = to[0],
                                .out_fd = from[1],
                                .epoll_fd = spec->epoll_fd,
                                .out_tag = spec->out_tag,
                                .err_tag = spec->err_tag };
        err = run_start(&e->run, &run);
    }
    close_fd(&to[0]);
    close_fd(&from[1]);
    e->to_fd = to[1];
    e->from_fd = from[0];
    return err;
}

int engine_start(struct engine *e, const struct engine_spec *spec)
{
    must(e->run.pid == 0 && e->to_fd < 0);
    buf_clear(&e->to);
    buf_clear(&e->from);
    buf_clear(&e->functions);
    e->to_at = e->from_at = 0;
    e->hello = e->bundles = e->waits = false;
    e->broken = NULL;
    e->said[0] = '\0';
    e->memory_mib = 0;
    e->taken = 0;
    e->n_functions = 0;
    e->epoll_fd = spec->epoll_fd;
    e->room_tag = spec->room_tag;
    e->spool = strdup(spec->dir);
    must(e->spool != NULL);
    tree_delete(e->spool);
    int err = tree_make(e->spool);
    if (!err && !(e->page = page_make(&e->page_fd)))
        err = errno;
    if (!err)
        err = start_process(e, spec);
    if (err)
        return err;
    must(fcntl(e->to_fd, F_SETFL, O_NONBLOCK) == 0 && fcntl(e->from_fd, F_SETFL, O_NONBLOCK) == 0);
    struct epoll_event ev = { .events = EPOLLIN, .data.u64 = spec->frames_tag };
    must(epoll_ctl(e->epoll_fd, EPOLL_CTL_ADD, e->from_fd, &ev) == 0);
    if (spec->memory_mib)
        engine_allow(e, spec->memory_mib);
    add_welcome(e);
    engine_flush(e);
    return 0;
}

void engine_end(struct engine *e)
{
    run_fini(&e->run);
    e->run = (struct run){ 0 };
    capture_init(&e->run.out);
    capture_init(&e->run.err);
    close_fd(&e->to_fd);
    close_fd(&e->from_fd);
    page_close(e->page);
    e->page = NULL;
    close_fd(&e->page_fd);
    buf_fini(&e->to);
    buf_fini(&e->from);
    buf_fini(&e->body);
    if (e->spool)
        tree_delete(e->spool);
    free(e->spool);
    e->spool = NULL;
    e->hello = false;
}

void engine_allow(struct engine *e, uint64_t memory_mib)
{
#ifndef __SANITIZE_ADDRESS__ /* which maps more than any machine has */
    struct rlimit limit = { (rlim_t)memory_mib << 20, RLIM_INFINITY };

    if (memory_mib > e->memory_mib && e->run.pid > 0 &&
        prlimit(e->run.pid, RLIMIT_DATA, &limit, NULL) == 0)
        e->memory_mib = memory_mib;
#else
    e->memory_mib = memory_mib;
#endif
}

/* --- frames to it --- */

void engine_add(struct engine *e, enum frame_kind kind, uint16_t flags, uint64_t call,
                const void *head, size_t head_bytes, const void *name, size_t name_bytes,
                const void *body, size_t body_bytes)
{
    size_t bytes = head_bytes + name_bytes + body_bytes;
    struct frame f = { (uint32_t)bytes, (uint16_t)kind, flags, call };

    must(bytes <= ENGINE_FRAME_MAX);
    buf_reserve(&e->to, sizeof f + bytes);
    buf_add(&e->to, &f, sizeof f);
    if (head_bytes)
        buf_add(&e->to, head, head_bytes);
    if (name_bytes)
        buf_add(&e->to, name, name_bytes);
    if (body_bytes)
        buf_add(&e->to, body, body_bytes);
}

static void wait_for_room(struct engine *e, bool waits)
{
    struct epoll_event ev = { .events = EPOLLOUT, .data.u64 = e->room_tag };

    if (e->waits == waits)
        return;
    e->waits = waits;
    must(epoll_ctl(e->epoll_fd, waits ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, e->to_fd, &ev) == 0);
}

void engine_flush(struct engine *e)
{
    while (e->to_fd >= 0 && e->to_at < e->to.n) {
        ssize_t n = write(e->to_fd, e->to.data + e->to_at, e->to.n - e->to_at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            wait_for_room(e, true);
            return;
        }
        if (n <= 0)
            break; /* it has ended, which is told elsewhere */
        e->to_at += (size_t)n;
    }
    buf_clear(&e->to);
    e->to_at = 0;
    if (e->to_fd >= 0)
        wait_for_room(e, false);
}

/* --- what it says --- */

void engine_listen(struct engine *e, bool stderr_stream)
{
    struct capture *c = stderr_stream ? &e->run.err : &e->run.out;

    if (c->fd >= 0)
        run_read(&e->run, stderr_stream);
    while (c->head.n && c->head.data[c->head.n - 1] == '\n')
        c->head.n--;
    if (c->head.n) {
        const char *line = memrchr(c->head.data, '\n', c->head.n);
        line = line ? line + 1 : c->head.data;
        struct buf text = { 0 };
        utf8_first_line(line, (size_t)(c->head.data + c->head.n - line), ERROR_LINE_MAX, &text);
        snprintf(e->said, sizeof e->said, "%s", buf_text(&text));
        buf_fini(&text);
    }
    buf_clear(&c->head);
    c->total = 0;
}

void engine_read(struct engine *e)
{
    size_t turn = 0;

    if (e->from_at) {
        memmove(e->from.data, e->from.data + e->from_at, e->from.n - e->from_at);
        e->from.n -= e->from_at;
        e->from_at = 0;
    }
    while (e->from_fd >= 0 && turn < READ_TURN_BYTES) {
        buf_reserve(&e->from, READ_BYTES);
        ssize_t n = read(e->from_fd, e->from.data + e->from.n, READ_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            epoll_ctl(e->epoll_fd, EPOLL_CTL_DEL, e->from_fd, NULL);
            close_fd(&e->from_fd);
            return;
        }
        e->from.n += (size_t)n;
        turn += (size_t)n;
        if (n < READ_BYTES)
            return;
    }
}

bool engine_page_waits(const struct engine *e)
{
    return e->page && e->bundles && page_waiting(e->page, e->taken) >= sizeof(struct frame);
}

static bool wrong(struct engine *e, const char *what)
{
    if (!e->broken)
        e->broken = what;
    return false;
}

static void tell(struct engine_frame *to, const struct frame *f, const char *body)
{
    *to = (struct engine_frame){ (enum frame_kind)f->kind, f->flags, f->call, body, f->bytes };
}

/* never_comes - a RESULT of a call that the engine does not have: one may only be early, because
 * an earlier one is still in the pipe. */
static bool never_comes(const struct frame *f, uint64_t expected)
{
    return !expected || f->call < expected || f->call - expected >= PAGE_CALLS;
}

/* next_in_page - copied out before it is looked at: the engine may write there at any time. */
static bool next_in_page(struct engine *e, uint64_t expected, struct engine_frame *to)
{
    struct frame f;

    if (!engine_page_waits(e))
        return false;
    if (page_waiting(e->page, e->taken) > PAGE_RING_BYTES)
        return wrong(e, "a page that is spoiled");
    page_peek(e->page, e->taken, &f, sizeof f);
    if (f.bytes > PAGE_RING_FRAME_MAX || page_waiting(e->page, e->taken) < sizeof f + f.bytes)
        return wrong(e, "a frame in the page that is cut short or too long");
    if (f.kind == FRAME_RESULT && (!expected || f.call != expected))
        return never_comes(&f, expected) && wrong(e, "a result of no call");
    buf_clear(&e->body);
    buf_reserve(&e->body, sizeof f + f.bytes);
    /* Its header is the one that was looked at, whatever stands there by now. */
    page_peek(e->page, e->taken, e->body.data, sizeof f + f.bytes);
    page_skip(e->page, &e->taken, sizeof f + f.bytes);
    tell(to, &f, e->body.data + sizeof f);
    return true;
}

static bool next_in_pipe(struct engine *e, uint64_t expected, struct engine_frame *to)
{
    struct frame f;

    if (e->from.n - e->from_at < sizeof f)
        return false;
    memcpy(&f, e->from.data + e->from_at, sizeof f);
    if (f.bytes > ENGINE_FRAME_MAX)
        return wrong(e, "a frame that is too long");
    if (e->from.n - e->from_at < sizeof f + f.bytes)
        return false;
    if (f.kind == FRAME_RESULT && (!expected || f.call != expected)) {
        if (never_comes(&f, expected))
            return wrong(e, "a result of no call");
        return !engine_page_waits(e) && wrong(e, "a result out of turn");
    }
    tell(to, &f, e->from.data + e->from_at + sizeof f);
    e->from_at += sizeof f + f.bytes;
    return true;
}

/* take_hello - whether it is one. */
static bool take_hello(struct engine *e, const struct engine_frame *f)
{
    struct hello_body h;
    const char *end = f->body + f->bytes;

    if (e->hello)
        return wrong(e, "a second hello");
    if (f->bytes < sizeof h + 1 || end[-1] != '\0')
        return wrong(e, "a hello that is cut short");
    memcpy(&h, f->body, sizeof h);
    if (h.version != ENGINE_VERSION)
        return wrong(e, "another version of the protocol");
    const char *name = f->body + sizeof h + strlen(f->body + sizeof h) + 1;
    buf_add(&e->functions, name, (size_t)(end - name));
    for (; name < end; name += strlen(name) + 1) {
        size_t n = strlen(name);
        if (n == 0 || n > FUNCTION_NAME_MAX || e->n_functions == FUNCTIONS_MAX)
            return wrong(e, "a hello with wrong names of functions");
        e->n_functions++;
    }
    e->hello = true;
    e->bundles = h.flags & HELLO_PAGE;
    return true;
}

bool engine_next(struct engine *e, uint64_t expected, struct engine_frame *f)
{
    if (e->broken)
        return false;
    if (!next_in_page(e, expected, f) && !next_in_pipe(e, expected, f))
        return false;
    if (f->kind == FRAME_HELLO)
        return take_hello(e, f);
    return e->hello || wrong(e, "something before its hello");
}

int64_t engine_function(const struct engine *e, const char *name)
{
    const char *at = e->functions.data;

    for (uint32_t i = 0; i < e->n_functions; i++, at += strlen(at) + 1)
        if (strcmp(at, name) == 0)
            return i;
    return -1;
}

#include "engine/host.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"
#include "base/spare.h"
#include "engine/host_inner.h"

enum {
    READ_BYTES = 512 << 10, /* at a time: a bundle of short calls, or one of the longest */
    TELL_US = 1000,         /* results that are ready wait no longer than this for others */
    LONG_CALL_US = 1000,    /* from here on a call has CPU times, read from the kernel */
};

static void host_fini(struct host *h);
static void say_hello(struct host *h);
static bool take_frame(struct host *h, struct frame *f, const char **body);
static void do_frame(struct host *h, struct call *c, const struct frame *f, const char *body);

int engine_host(char *const *plugins, size_t n_plugins)
{
    struct host h = { 0 };
    struct call c = { 0 };
    struct frame f;
    const char *body;

    setvbuf(stdout, NULL, _IOLBF, 0); /* what a function printed is there when it crashes */
    if (plugins_load(plugins, n_plugins, &h.functions))
        return 1;
    say_hello(&h);
    while (take_frame(&h, &f, &body) && f.kind != FRAME_BYE)
        do_frame(&h, &c, &f, body);
    host_fini(&h);
    space_free(&c.result);
    buf_fini(&c.error);
    return 0;
}

static void host_fini(struct host *h)
{
    values_fini(&h->values);
    page_close(h->page);
    free(h->spool);
    free(h->functions.items);
    buf_fini(&h->in);
    buf_fini(&h->out);
    buf_fini(&h->aligned);
}

/* --- frames out --- */

static void write_all(const void *data, size_t n)
{
    const char *at = data;

    while (n > 0) {
        ssize_t put = write(ENGINE_OUT_FD, at, n);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            exit(0); /* the worker is gone */
        at += put;
        n -= (size_t)put;
    }
}

void host_tell(struct host *h)
{
    static const struct frame notify = { .kind = FRAME_NOTIFY };

    if (h->told_later)
        write_all(&notify, sizeof notify);
    h->told_later = false;
    h->told_us = clock_mono_us();
}

void host_send(struct host *h, enum frame_kind kind, uint16_t flags, uint64_t call,
               const void *head, size_t head_bytes, const void *body, size_t body_bytes)
{
    struct {
        struct frame frame;
        char head[sizeof(struct result_body)];
    } front = { .frame = { (uint32_t)(head_bytes + body_bytes), (uint16_t)kind, flags, call } };
    bool front_fits = head_bytes <= sizeof front.head;

    if (front_fits)
        memcpy(front.head, head, head_bytes);
    if (h->page && front_fits && head_bytes + body_bytes <= PAGE_RING_FRAME_MAX &&
        page_put(h->page, &front, sizeof front.frame + head_bytes, body, body_bytes)) {
        h->told_later = true;
        return;
    }
    host_tell(h); /* what was there first is taken first */
    buf_clear(&h->out);
    buf_add(&h->out, &front.frame, sizeof front.frame);
    buf_add(&h->out, head, head_bytes);
    if (body_bytes)
        buf_add(&h->out, body, body_bytes);
    write_all(h->out.data, h->out.n);
}

static void say_hello(struct host *h)
{
    struct hello_body hello = { ENGINE_VERSION, HELLO_PAGE };
    struct buf names = { 0 };

    buf_adds(&names, "grange engine-host");
    buf_addc(&names, '\0');
    for (size_t i = 0; i < h->functions.n; i++)
        buf_add(&names, h->functions.items[i].name, strlen(h->functions.items[i].name) + 1);
    host_send(h, FRAME_HELLO, 0, 0, &hello, sizeof hello, names.data, names.n);
    buf_fini(&names);
}

/* --- frames in --- */

/* fill - reads until n bytes are there behind `at`; false: the worker is gone. */
static bool fill(struct host *h, size_t n)
{
    while (h->in.n - h->at < n) {
        if (h->at) {
            memmove(h->in.data, h->in.data + h->at, h->in.n - h->at);
            h->in.n -= h->at;
            h->at = 0;
        }
        buf_reserve(&h->in, READ_BYTES);
        host_tell(h);
        spares_trim(&h->values.spares);
        ssize_t got = read(ENGINE_IN_FD, h->in.data + h->in.n, READ_BYTES);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        h->in.n += (size_t)got;
    }
    return true;
}

/* take_frame - the next one; its body is there until the one after it is asked for. */
static bool take_frame(struct host *h, struct frame *f, const char **body)
{
    if (!fill(h, sizeof *f))
        return false;
    memcpy(f, h->in.data + h->at, sizeof *f);
    if (f->bytes > ENGINE_FRAME_MAX || !fill(h, sizeof *f + f->bytes))
        return false;
    *body = h->in.data + h->at + sizeof *f;
    h->at += sizeof *f + f->bytes;
    return true;
}

/* broken - the worker says what cannot be: it is another program, or lost its mind. */
_Noreturn static void broken(const char *what)
{
    fprintf(stderr, "grange: engine: the worker sent %s\n", what);
    exit(1);
}

/* set_spares - the spool is GRANGE_DIR/engines/WORKER/SLOT. */
static void set_spares(struct host *h)
{
    char *up = strdup(h->spool), path[PATH_MAX], *end;

    must(up != NULL);
    for (int i = 0; i < 3; i++)
        if ((end = strrchr(up, '/')) != NULL)
            *end = '\0';
    spare_path(up, path, sizeof path);
    h->values.spares.dir = strdup(path);
    free(up);
}

static void welcome(struct host *h, const char *body, size_t n)
{
    struct welcome_body w;
    const char *path = body + sizeof w;

    if (n < sizeof w + 2 || body[n - 1] != '\0' || path + strlen(path) + 1 >= body + n)
        broken("a welcome that is cut short");
    memcpy(&w, body, sizeof w);
    h->slot = w.slot;
    h->page = page_open(path);
    h->spool = strdup(path + strlen(path) + 1);
    must(h->spool != NULL);
    h->values.dir = h->spool;
    set_spares(h);
    if (!h->page) {
        fprintf(stderr, "grange: engine: cannot map %s: %s\n", path, strerror(errno));
        exit(1);
    }
}

/* --- answers --- */

static void answer(struct host *h, uint64_t call, const struct result_body *r, const void *data,
                   size_t n)
{
    host_send(h, FRAME_RESULT, 0, call, r, sizeof *r, data, n);
}

static void answer_text(struct host *h, uint64_t call, struct result_body *r, int code,
                        const char *text)
{
    r->code = code;
    answer(h, call, r, text, strlen(text));
}

/* answer_space - a result, or where it is: the file of a large one, which is kept or given away. */
static void answer_space(struct host *h, uint64_t call, const struct result_body *r,
                         const struct space *s, bool keep)
{
    if (!space_is_file(s)) {
        answer(h, call, r, s->data, s->bytes);
        return;
    }
    struct file_body file = { s->map_offset, s->bytes };
    struct buf b = { 0 };
    buf_add(&b, &file, sizeof file);
    buf_adds(&b, s->path);
    host_send(h, FRAME_RESULT, (uint16_t)(FRAME_FILE | (keep ? FRAME_KEEP : 0)), call, r, sizeof *r,
              b.data, b.n);
    buf_fini(&b);
}

/* answer_result - a large one is the worker's from now on. */
static void answer_result(struct host *h, uint64_t call, const struct result_body *r,
                          struct space *s)
{
    answer_space(h, call, r, s, false);
    if (space_is_file(s))
        space_let_go(s);
}

/* payload - where the bytes of a call or value are; a file is mapped into *mapped. */
static bool payload(struct host *h, const struct frame *f, const char *body, size_t n,
                    struct space *mapped, bool owned, const void **data, size_t *bytes)
{
    if (!(f->flags & FRAME_FILE)) {
        *data = body;
        *bytes = n;
        if ((uintptr_t)body % _Alignof(max_align_t) != 0) {
            buf_clear(&h->aligned);
            buf_add(&h->aligned, body, n);
            *data = h->aligned.data;
        }
        return true;
    }
    struct file_body file;
    if (n <= sizeof file)
        broken("a file without its name");
    memcpy(&file, body, sizeof file);
    char *path = strndup(body + sizeof file, n - sizeof file);
    must(path != NULL);
    bool ok = space_map(mapped, path, file.offset, file.bytes, owned);
    free(path);
    *data = mapped->data;
    *bytes = mapped->bytes;
    return ok;
}

/* --- calls --- */

static uint64_t us(struct timeval t)
{
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_usec;
}

/* spent - wall time since `from`, and of a call that took long also what the kernel counted since
 * it was asked last: after a short call it is asked once a millisecond, so that a long one is not
 * charged for the short ones before it. */
static void spent(struct result_body *r, uint64_t from)
{
    static uint64_t user, sys, asked;
    struct rusage usage;
    uint64_t now = clock_mono_us();

    r->wall_us = now - from;
    if (now - asked < LONG_CALL_US || getrusage(RUSAGE_SELF, &usage) != 0)
        return;
    if (r->wall_us >= LONG_CALL_US) {
        r->user_us = us(usage.ru_utime) - user;
        r->sys_us = us(usage.ru_stime) - sys;
        r->maxrss_kib = (uint64_t)usage.ru_maxrss;
    }
    user = us(usage.ru_utime);
    sys = us(usage.ru_stime);
    asked = now;
}

static void run_call(struct host *h, struct call *c, const struct frame *f, const char *body)
{
    struct call_body head;
    struct result_body r = { 0 };
    struct space mapped = { 0 };
    const void *data;
    size_t n;

    if (f->bytes < sizeof head)
        broken("a call that is cut short");
    memcpy(&head, body, sizeof head);
    if (head.function >= h->functions.n)
        broken("a call of a function that there is not");
    uint64_t from = clock_mono_us();
    call_begin(c, h, f->call, &head);
    if (!payload(h, f, body + sizeof head, f->bytes - sizeof head, &mapped, false, &data, &n)) {
        answer_text(h, f->call, &r, errno & 255, "the payload cannot be mapped");
        return;
    }
    r.code = h->functions.items[head.function].run(&c->outside, data, n);
    spent(&r, from);
    if (r.code)
        answer_text(h, f->call, &r, r.code & 255 ? r.code & 255 : 1, buf_text(&c->error));
    else
        answer_result(h, f->call, &r, &c->result);
    space_let_go(&mapped);
}

/* --- named values --- */

/* name_of - the name that begins the body; *rest: what comes after it. */
static const char *name_of(const struct frame *f, const char *body, size_t *name_bytes,
                           const char **rest)
{
    struct name_body head;

    if (f->bytes < sizeof head)
        broken("a name that is cut short");
    memcpy(&head, body, sizeof head);
    if (head.bytes == 0 || head.bytes > ENGINE_NAME_MAX || head.bytes > f->bytes - sizeof head)
        broken("a name that is empty or too long");
    *name_bytes = head.bytes;
    *rest = body + sizeof head + head.bytes;
    return body + sizeof head;
}

static void put_value(struct host *h, const struct frame *f, const char *body)
{
    struct result_body r = { 0 };
    struct space mapped = { 0 };
    const char *rest;
    const void *data;
    size_t name_bytes, n;
    const char *name = name_of(f, body, &name_bytes, &rest);

    if (!payload(h, f, rest, f->bytes - (size_t)(rest - body), &mapped, true, &data, &n)) {
        answer_text(h, f->call, &r, errno & 255, "the value cannot be mapped");
        return;
    }
    if (space_is_file(&mapped)) {
        values_adopt(&h->values, name, name_bytes, &mapped);
    } else {
        struct space *s = values_make(&h->values, name, name_bytes, n);
        if (!s) {
            answer_text(h, f->call, &r, ENOMEM, "no room for the value");
            return;
        }
        if (n)
            memcpy(s->data, data, n);
    }
    answer(h, f->call, &r, NULL, 0);
}

static void no_value(struct host *h, uint64_t call, const char *name, size_t n)
{
    struct result_body r = { 0 };
    char text[ENGINE_NAME_MAX + 64];

    snprintf(text, sizeof text, "this engine has no value '%.*s'", (int)n, name);
    answer_text(h, call, &r, ENOENT, text);
}

static void get_value(struct host *h, const struct frame *f, const char *body)
{
    struct result_body r = { 0 };
    const char *rest;
    size_t n;
    const char *name = name_of(f, body, &n, &rest);
    const struct space *s = values_read(&h->values, name, n);

    if (!s) {
        no_value(h, f->call, name, n);
        return;
    }
    if (space_is_file(s))
        values_lend(&h->values, name, n, f->call);
    answer_space(h, f->call, &r, s, true);
}

static void delete_value(struct host *h, const struct frame *f, const char *body)
{
    struct result_body r = { 0 };
    const char *rest;
    size_t n;
    const char *name = name_of(f, body, &n, &rest);

    if (values_drop(&h->values, name, n))
        answer(h, f->call, &r, NULL, 0);
    else
        no_value(h, f->call, name, n);
}

static void do_call(struct host *h, struct call *c, const struct frame *f, const char *body)
{
    if (!h->page)
        broken("a call before its welcome");
    if (!page_take(h->page, f->call))
        return;
    if (f->kind == FRAME_CALL)
        run_call(h, c, f, body);
    else if (f->kind == FRAME_PUT)
        put_value(h, f, body);
    else if (f->kind == FRAME_GET)
        get_value(h, f, body);
    else
        delete_value(h, f, body);
    page_done(h->page, f->call);
    if (h->told_later && clock_mono_us() - h->told_us >= TELL_US)
        host_tell(h);
}

static void do_frame(struct host *h, struct call *c, const struct frame *f, const char *body)
{
    switch (f->kind) {
    case FRAME_WELCOME:
        welcome(h, body, f->bytes);
        break;
    case FRAME_CALL:
    case FRAME_PUT:
    case FRAME_GET:
    case FRAME_DELETE:
        do_call(h, c, f, body);
        break;
    case FRAME_RELEASE:
        values_release(&h->values, f->call);
        break;
    default: /* a cancel is in the page; what a later version says is not for us */
        break;
    }
}

/* call - what a function sees of its engine. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "engine/host_inner.h"

enum { PROGRESS_US = 100000, PROGRESS_AHEAD_US = 10 * PROGRESS_US, LOG_LINE_MAX = 4096 };

void call_begin(struct call *c, struct host *h, uint64_t number, const struct call_body *body)
{
    c->outside = (struct grange_call){ &call_ops, body->attempt, body->seed, h->slot };
    c->host = h;
    c->number = number;
    c->logged = 0;
    c->progress_us = 0;
    buf_clear(&c->error);
    if (space_is_file(&c->result))
        space_free(&c->result);
    c->result.bytes = 0;
}

static struct call *inside(struct grange_call *call)
{
    return (struct call *)call; /* its first member */
}

static int fail_with(struct grange_call *call, int code, const char *format, va_list args)
{
    struct call *c = inside(call);
    char line[ERROR_LINE_MAX + 1];

    vsnprintf(line, sizeof line, format, args);
    buf_clear(&c->error);
    buf_add(&c->error, line, strcspn(line, "\n"));
    return code >= 1 && code <= 255 ? code : 1;
}

__attribute__((format(printf, 2, 3))) static int no_room(struct grange_call *call,
                                                         const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int code = fail_with(call, ENOMEM, format, args);
    va_end(args);
    return code;
}

static void *make_result(struct grange_call *call, size_t n)
{
    struct call *c = inside(call);

    return space_make(&c->result, c->host->spool, n) ? c->result.data : NULL;
}

static int give(struct grange_call *call, const void *data, size_t n)
{
    void *to = make_result(call, n);

    if (!to)
        return no_room(call, "no room for a result of %zu bytes: %s", n, strerror(errno));
    if (n)
        memmove(to, data, n);
    return 0;
}

static void log_to(struct grange_call *call, const char *format, va_list args)
{
    struct call *c = inside(call);
    char line[LOG_LINE_MAX + 2];
    int n = vsnprintf(line, LOG_LINE_MAX + 1, format, args);

    if (n < 0)
        return;
    if (n > LOG_LINE_MAX)
        n = LOG_LINE_MAX;
    line[n++] = '\n';
    if (c->logged + (size_t)n > OUTPUT_STORE_MAX)
        return;
    c->logged += (size_t)n;
    host_send(c->host, FRAME_LOG, 0, c->number, line, (size_t)n, NULL, 0);
}

/* may_tell - one in PROGRESS_US, of which some may come at once: so what a call says on entering
 * its last part is not lost because it said something just before. */
static bool may_tell(struct call *c)
{
    uint64_t now = clock_mono_us();

    if (c->progress_us > now + PROGRESS_AHEAD_US)
        return false;
    c->progress_us = (c->progress_us > now ? c->progress_us : now) + PROGRESS_US;
    return true;
}

static void progress(struct grange_call *call, double share)
{
    struct call *c = inside(call);

    if (!may_tell(c))
        return;
    host_send(c->host, FRAME_PROGRESS, 0, c->number, &share, sizeof share, NULL, 0);
    host_tell(c->host);
}

static void progress_text(struct grange_call *call, double share, const char *format, va_list args)
{
    struct call *c = inside(call);
    char line[SHARE_TEXT_MAX + 1];

    if (!may_tell(c))
        return;
    vsnprintf(line, sizeof line, format, args);
    host_send(c->host, FRAME_PROGRESS, 0, c->number, &share, sizeof share, line, strlen(line));
    host_tell(c->host);
}

static bool cancelled(const struct grange_call *call)
{
    const struct call *c = (const struct call *)call;

    return c->host->page && page_cancelled(c->host->page, c->number);
}

static void *keep(struct grange_call *call, const char *name, const void *data, size_t n)
{
    struct space *s = values_make(&inside(call)->host->values, name, strlen(name), n);

    if (!s)
        return NULL;
    if (data && n)
        memmove(s->data, data, n);
    return s->data;
}

static void *value(struct grange_call *call, const char *name, size_t *n)
{
    struct space *s = values_write(&inside(call)->host->values, name, strlen(name));

    *n = s ? s->bytes : 0;
    return s ? s->data : NULL;
}

static bool drop(struct grange_call *call, const char *name)
{
    return values_drop(&inside(call)->host->values, name, strlen(name));
}

const struct grange_engine_ops call_ops = {
    .version = GRANGE_OPS_VERSION,
    .give = give,
    .result = make_result,
    .fail = fail_with,
    .log = log_to,
    .progress = progress,
    .cancelled = cancelled,
    .keep = keep,
    .value = value,
    .drop = drop,
    .progress_text = progress_text,
};

#include "worker/call.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"
#include "base/utf8.h"
#include "base/zip.h"

enum { PLAIN_ROW_BYTES = 96, BODY_ROW_BYTES = 400 };

/* --- matter --- */

void matter_init(struct matter *m)
{
    *m = (struct matter){ .fd = -1 };
}

void matter_fini(struct matter *m)
{
    if (m->fd >= 0)
        close(m->fd);
    if (m->path && m->owned)
        unlink(m->path);
    free(m->path);
    free(m->data);
    matter_init(m);
}

void matter_copy(struct matter *m, const void *data, size_t n)
{
    matter_fini(m);
    m->bytes = n;
    if (!n)
        return;
    m->data = malloc(n);
    must(m->data != NULL);
    memcpy(m->data, data, n);
}

bool matter_load(struct matter *m)
{
    char *data = malloc(m->bytes ? m->bytes : 1);
    int fd = m->fd;
    uint64_t bytes = m->bytes, done = 0;

    must(data != NULL);
    while (done < bytes) {
        ssize_t n = pread(fd, data + done, bytes - done, (off_t)(m->offset + done));
        if (n <= 0)
            break;
        done += (uint64_t)n;
    }
    matter_fini(m);
    m->data = data;
    m->bytes = bytes;
    return done == bytes;
}

/* --- call --- */

struct call *call_new(lease_id id, bool direct)
{
    struct call *c = calloc(1, sizeof *c);

    must(c != NULL);
    c->id = id;
    c->direct = direct;
    matter_init(&c->in);
    matter_init(&c->out);
    return c;
}

void call_free(struct call *c)
{
    payload_unref(c->payload);
    matter_fini(&c->in);
    matter_fini(&c->out);
    ahead_fini(&c->ahead);
    free(c->name);
    free(c->error);
    free(c->said);
    buf_fini(&c->log);
    free(c);
}

static void pack_log(struct call *c)
{
    struct buf packed = { 0 };

    c->log_total = c->log.n;
    c->log_packed = zip_pack(c->log.data, c->log.n, &packed);
    if (c->log_packed) {
        buf_fini(&c->log);
        c->log = packed;
    } else {
        buf_fini(&packed);
    }
}

void call_end(struct call *c, enum end_reason reason, int32_t code, const char *text)
{
    must(!c->ended);
    c->ended = true;
    c->reason = reason;
    c->code = code;
    if (!c->wall_us && c->started_us)
        c->wall_us = clock_mono_us() - c->started_us;
    matter_fini(&c->in);
    if (c->log.n)
        pack_log(c);
    if (!text || !*text)
        return;
    struct buf line = { 0 };
    utf8_first_line(text, strlen(text), ERROR_LINE_MAX, &line);
    c->error = strdup(buf_text(&line));
    must(c->error != NULL);
    buf_fini(&line);
}

static bool needs_body(const struct call *c)
{
    return c->out.bytes || c->error || c->log.n;
}

void call_row(const struct call *c, struct end_row *row, struct end_body *body)
{
    *row = (struct end_row){ .task = c->task,
                             .lease = c->id,
                             .reason = c->reason,
                             .code = c->code,
                             .started_ms = c->started_ms,
                             .ended_ms = c->started_ms + (ms_t)(c->wall_us / 1000),
                             .wall_us = c->wall_us,
                             .user_us = c->user_us,
                             .sys_us = c->sys_us,
                             .maxrss_kib = c->maxrss_kib };
    if (!needs_body(c))
        return;
    *body = (struct end_body){ .values = "",
                               .metrics = "",
                               .error_line = c->error ? c->error : "",
                               .out_file = "",
                               .err_file = "",
                               .dir = "",
                               .err = c->log.data,
                               .err_bytes = (uint32_t)c->log.n,
                               .err_packed = c->log_packed,
                               .err_total = c->log_total };
    if (c->blob) {
        body->blob = c->blob;
        body->blob_bytes = c->out.bytes;
    } else {
        body->result = c->out.data;
        body->result_bytes = c->out.bytes;
    }
    row->body = body;
}

size_t call_row_bytes(const struct call *c)
{
    if (!needs_body(c))
        return PLAIN_ROW_BYTES;
    return BODY_ROW_BYTES + c->log.n + (c->blob ? 0 : c->out.bytes);
}

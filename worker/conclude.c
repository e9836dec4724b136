/* conclude - what an attempt that ended says: its row and its body. */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/must.h"
#include "base/utf8.h"
#include "base/zip.h"
#include "study/metric.h"
#include "worker/attempt.h"
#include "worker/tree.h"

static void put_in_place(struct attempt *a);
static void make_row(struct attempt *a);
static void make_body(struct attempt *a, struct workplace *wp);
static void *take_output(struct capture *c, struct workplace *wp, uint32_t *bytes, bool *packed);

static char *long_path(const struct capture *c)
{
    char *path = c->spilled ? strdup(c->spill_path) : NULL;

    must(path != NULL || !c->spilled);
    return path;
}

void attempt_conclude(struct attempt *a, struct workplace *wp)
{
    must(a->ended);
    if (a->concluded)
        return;
    a->concluded = true;
    a->at_farm = wp->at_farm;
    a->long_out.path = long_path(&a->run.out);
    a->long_err.path = long_path(&a->run.err);
    make_row(a);
    make_body(a, wp);
    a->out = take_output(&a->run.out, wp, &a->body.out_bytes, &a->body.out_packed);
    a->err = take_output(&a->run.err, wp, &a->body.err_bytes, &a->body.err_packed);
    a->body.out = a->out;
    a->body.err = a->err;
    a->body.out_total = a->run.out.total;
    a->body.err_total = a->run.err.total;
    run_fini(&a->run);
    payload_unref(a->payload);
    a->payload = NULL;
    if (wp->own && *a->body.dir)
        put_in_place(a);
}

/* put_in_place - before the result says that it is there: who is killed from then on has kept its
 * word. What an earlier attempt left there is no result any more. */
static void put_in_place(struct attempt *a)
{
    struct stat st = { 0 };
    int err = tree_place(a->dir, a->place, true);

    if (!err && stat(a->place, &st) == 0)
        a->placed = st.st_ino;
    if (err)
        log_error("event=directory path=%s error=\"%s\"", a->dir, strerror(err));
}

/* No more than a scheduler takes: 71 years, which are 100 days of 256 cores. */
static uint64_t timeval_us(struct timeval t)
{
    uint64_t us = (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_usec;

    return us < WIRE_TIME_MAX ? us : WIRE_TIME_MAX;
}

static void make_row(struct attempt *a)
{
    struct end_row *row = &a->row;
    const struct run *r = &a->run;

    row->task = a->task;
    row->lease = a->lease;
    row->body = &a->body;
    if (!a->ran)
        return;
    row->started_ms = r->started_ms;
    row->wall_us = r->ended_us - r->started_us;
    row->ended_ms = r->started_ms + (ms_t)(row->wall_us / 1000);
    row->user_us = timeval_us(r->usage.ru_utime);
    row->sys_us = timeval_us(r->usage.ru_stime);
    row->maxrss_kib = (uint64_t)r->usage.ru_maxrss;
    if (a->why == STOP_TIMEOUT) {
        row->reason = END_TIMEOUT;
        row->code = a->limit_ms > INT32_MAX ? INT32_MAX : (int32_t)a->limit_ms;
    } else if (a->why == STOP_REVOKED) {
        row->reason = END_REVOKED;
    } else if (WIFSIGNALED(r->status)) {
        row->reason = END_SIGNAL;
        row->code = WTERMSIG(r->status);
    } else {
        row->reason = END_EXIT;
        row->code = WEXITSTATUS(r->status);
    }
}

/* --- the texts: one after the other in one block --- */

struct texts {
    struct buf *buf;
    size_t at[8];
    size_t n;
};
enum text { VALUES, METRICS, ERROR_LINE, OUT_FILE, ERR_FILE, DIR };

/* text_end - closes the text that was added to the buffer since the last one. */
static void text_end(struct texts *t)
{
    buf_addc(t->buf, '\0');
    t->at[++t->n] = t->buf->n;
}

/* add_name - as the result says where it is. */
static void add_name(const struct attempt *a, const char *path, const struct workplace *wp,
                     struct buf *text)
{
    if (a->at_farm) {
        buf_adds(text, path + strlen(wp->dir) + 1);
        return;
    }
    char *name = attempt_elsewhere(wp, path);
    buf_adds(text, name);
    free(name);
}

/* stream - all of it, as far as it was kept; *map is to be unmapped. */
static const void *stream(const struct capture *c, size_t *bytes, void **map)
{
    *bytes = c->head.n;
    *map = NULL;
    if (!c->spilled)
        return buf_text(&c->head);
    int fd = open(c->spill_path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return buf_text(&c->head);
    void *all = mmap(NULL, c->spilled, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (all == MAP_FAILED)
        return buf_text(&c->head);
    *bytes = c->spilled;
    return *map = all;
}

/* Whatever a program prints, its result fits into a frame: a byte takes up to six in JSON, and each
 * value, metric and stream has its own bound. */
enum {
    JSON_BYTES = 6,
    VALUES_BYTES_MAX = FACTORS_MAX * (JSON_BYTES * VALUE_BYTES_MAX + 4),
    METRICS_BYTES_MAX = METRICS_MAX * (JSON_BYTES * (METRIC_VALUE_MAX + NAME_BYTES_MAX) + 8),
    PATHS_BYTES_MAX = 3 * PATH_MAX, /* relative, or HOST:/PATH */
};
_Static_assert(VALUES_BYTES_MAX + METRICS_BYTES_MAX + PATHS_BYTES_MAX + 2 * OUTPUT_STORE_MAX +
                       ERROR_LINE_MAX + RESULT_ROW_BYTES <
                   FRAME_BYTES_MAX,
               "the largest result fits into a frame");

static uint32_t add_metrics(const struct attempt *a, struct buf *text)
{
    const struct study *s = payload_study(a->payload);
    struct streams streams;
    void *out_map, *err_map;

    if (!s) /* a call */
        return 0;
    if (!a->ran || a->why == STOP_REVOKED || study_n_metrics(s) == 0) {
        buf_adds(text, "{}");
        return 0;
    }
    streams.out = stream(&a->run.out, &streams.out_bytes, &out_map);
    streams.err = stream(&a->run.err, &streams.err_bytes, &err_map);
    uint32_t missing = study_metrics(s, a->dir, &streams, text);
    if (out_map)
        munmap(out_map, a->run.out.spilled);
    if (err_map)
        munmap(err_map, a->run.err.spilled);
    return missing;
}

static void add_error_line(const struct attempt *a, struct buf *text)
{
    if (a->note)
        utf8_first_line(a->note, strlen(a->note), ERROR_LINE_MAX, text);
    else if (a->ran && (a->row.reason != END_EXIT || a->row.code != 0))
        utf8_first_line(buf_text(&a->run.err.head), a->run.err.head.n, ERROR_LINE_MAX, text);
}

static void make_body(struct attempt *a, struct workplace *wp)
{
    const struct study *s = payload_study(a->payload);
    struct texts t = { .buf = &wp->text };
    bool keeps = a->dir && attempt_counts(a);

    buf_clear(t.buf);
    if (s) {
        study_point(s, payload_index(a->payload, a->task), &wp->point);
        point_values_json(&wp->point, t.buf);
    }
    text_end(&t);
    a->body.metrics_missing = add_metrics(a, t.buf);
    text_end(&t);
    add_error_line(a, t.buf);
    text_end(&t);
    if (a->at_farm && a->long_out.path)
        add_name(a, a->long_out.path, wp, t.buf);
    text_end(&t);
    if (a->at_farm && a->long_err.path)
        add_name(a, a->long_err.path, wp, t.buf);
    text_end(&t);
    if (keeps)
        add_name(a, a->place, wp, t.buf);
    text_end(&t);

    a->text_bytes = t.buf->n;
    a->text = malloc(t.buf->n);
    must(a->text != NULL);
    memcpy(a->text, t.buf->data, t.buf->n);
    a->body.values = a->text + t.at[VALUES];
    a->body.metrics = a->text + t.at[METRICS];
    a->body.error_line = a->text + t.at[ERROR_LINE];
    a->body.out_file = a->text + t.at[OUT_FILE];
    a->body.err_file = a->text + t.at[ERR_FILE];
    a->body.dir = a->text + t.at[DIR];
}

/* take_output - what the store will keep of a stream, malloc'd; NULL when nothing was printed. */
static void *take_output(struct capture *c, struct workplace *wp, uint32_t *bytes, bool *packed)
{
    const struct buf *from = &c->head;

    if (c->head.n == 0)
        return NULL;
    buf_clear(&wp->packed);
    *packed = zip_pack(c->head.data, c->head.n, &wp->packed);
    if (*packed)
        from = &wp->packed;
    void *data = malloc(from->n);
    must(data != NULL);
    memcpy(data, from->data, from->n);
    *bytes = (uint32_t)from->n;
    return data;
}

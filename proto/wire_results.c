/* wire_results - the ends of leases: the message of which there are most. */
#include <string.h>

#include "proto/wire_inner.h"

_Static_assert((int)TASK_QUARANTINED == WIRE__TASK_STATE__TASK_QUARANTINED, "");
_Static_assert(N_TASK_STATES == WIRE__TASK_STATE__TASK_UNMET + 1, "");
_Static_assert((int)END_SUPERSEDED == WIRE__REASON__END_SUPERSEDED, "");
_Static_assert(N_END_REASONS == WIRE__REASON__END_WARNED + 1, "");

struct reading {
    struct arena *arena;
    struct fault *fault;
    enum err err; /* of the first thing that was wrong */
};

static const char *text(struct reading *r, const ProtobufCBinaryData *b, size_t max,
                        const char *what)
{
    const char *t = "";

    if (!r->err)
        r->err = wire_text(b, max, what, &t, r->fault);
    return t;
}

static uint32_t stream(struct reading *r, const ProtobufCBinaryData *b, const char *what)
{
    if (!r->err && b->len > OUTPUT_STORE_MAX)
        r->err = fault_set(r->fault, ERR_LIMIT, "%s of %zu bytes; at most %d are allowed", what,
                           b->len, OUTPUT_STORE_MAX);
    return (uint32_t)(b->len & UINT32_MAX);
}

static const struct end_body *body_from_pb(struct reading *r, const Wire__Body *pb)
{
    struct end_body *b = arena_alloc(r->arena, sizeof *b);

    if (!b) {
        r->err = fault_set(r->fault, ERR_LIMIT, "a message that unpacks to too much");
        return NULL;
    }
    *b = (struct end_body){
        .values = text(r, &pb->values, WIRE_TEXT_BYTES_MAX, "the values of a point"),
        .metrics = text(r, &pb->metrics, WIRE_TEXT_BYTES_MAX, "the metrics of a point"),
        .error_line = text(r, &pb->error_line, ERROR_LINE_MAX, "the error line of a point"),
        .out_file = text(r, &pb->out_file, WIRE_PATH_BYTES_MAX, "the name of a file"),
        .err_file = text(r, &pb->err_file, WIRE_PATH_BYTES_MAX, "the name of a file"),
        .dir = text(r, &pb->dir, WIRE_PATH_BYTES_MAX, "the name of a directory"),
        .out = pb->out.data,
        .err = pb->err.data,
        .out_bytes = stream(r, &pb->out, "the output of a point"),
        .err_bytes = stream(r, &pb->err, "the error output of a point"),
        .out_packed = pb->out_packed,
        .err_packed = pb->err_packed,
        .out_total = pb->out_total,
        .err_total = pb->err_total,
        .metrics_missing = pb->metrics_missing,
        .result = pb->result.data,
        .result_bytes = pb->result.len,
        .blob = pb->blob,
        .blob_bytes = pb->blob_bytes,
    };
    if (!r->err && (b->result_bytes > INLINE_BYTES_MAX || b->blob_bytes > BLOB_BYTES_MAX))
        r->err = fault_set(r->fault, ERR_LIMIT, "a result that is too long");
    if (!r->err && (b->blob ? !b->blob_bytes || b->result_bytes : b->blob_bytes))
        r->err = fault_set(r->fault, ERR_MALFORMED, "a result that is a blob and is not");
    if (!r->err && b->metrics_missing > METRICS_MAX)
        r->err = fault_set(r->fault, ERR_LIMIT, "%u metrics are missing; a study has at most %d",
                           b->metrics_missing, METRICS_MAX);
    return b;
}

static void check_end(struct reading *r, const Wire__End *pb)
{
    if (!pb->task || !pb->lease)
        r->err = fault_set(r->fault, ERR_MALFORMED, "an end without its %s",
                           pb->task ? "lease" : "task");
    else if ((unsigned)pb->state >= N_TASK_STATES)
        r->err = fault_set(r->fault, ERR_MALFORMED, "a task in state %d", (int)pb->state);
    else if ((unsigned)pb->reason >= N_END_REASONS)
        r->err = fault_set(r->fault, ERR_MALFORMED, "an end for reason %d", (int)pb->reason);
    else if (pb->started_ms > WIRE_TIME_MAX || pb->ended_ms > WIRE_TIME_MAX ||
             pb->wall_us > WIRE_TIME_MAX || pb->user_us > WIRE_TIME_MAX ||
             pb->sys_us > WIRE_TIME_MAX || pb->maxrss_kib > WIRE_TIME_MAX)
        r->err = fault_set(r->fault, ERR_MALFORMED, "an end whose times are out of range");
}

static void end_from_pb(struct reading *r, const Wire__End *pb, struct end_row *to)
{
    check_end(r, pb);
    *to = (struct end_row){
        .task = { pb->task },
        .lease = { pb->lease },
        .worker = { pb->worker },
        .state = (enum task_state)pb->state,
        .reason = (enum end_reason)pb->reason,
        .code = pb->code,
        .attempts = pb->attempts,
        .counted = pb->counted,
        .started_ms = (ms_t)pb->started_ms,
        .ended_ms = (ms_t)pb->ended_ms,
        .wall_us = pb->wall_us,
        .user_us = pb->user_us,
        .sys_us = pb->sys_us,
        .maxrss_kib = pb->maxrss_kib,
        .body = pb->body ? body_from_pb(r, pb->body) : NULL,
    };
}

static enum err columns_from_pb(const Wire__Results *pb, size_t n, struct end_row *rows,
                                struct arena *arena, struct fault *f)
{
    const uint8_t *results = pb->columns->results.data;
    struct end_body *bodies = NULL;

    CHECK(wire_columns_check(pb->columns, n, f));
    if (pb->columns->n_result_bytes) {
        bodies = arena_alloc(arena, n * sizeof *bodies);
        if (!bodies)
            return wire_no_memory(f);
    }
    for (size_t i = 0; i < n; i++) {
        struct column_end end;
        wire_column_end(pb->columns, i, &results, &end);
        CHECK(wire_is_set(pb->leases[2 * i], "a lease", f));
        CHECK(wire_is_set(pb->leases[2 * i + 1], "a task", f));
        rows[i] = (struct end_row){
            .task = { pb->leases[2 * i + 1] },
            .lease = { pb->leases[2 * i] },
            .worker = { end.worker },
            .state = end.state,
            .reason = end.reason,
            .code = end.code,
            .attempts = end.attempts,
            .counted = end.counted,
            .started_ms = end.started_ms,
            .ended_ms = end.ended_ms,
            .wall_us = end.wall_us,
            .user_us = end.user_us,
            .sys_us = end.sys_us,
            .maxrss_kib = end.maxrss_kib,
        };
        if (end.result_bytes) {
            bodies[i] = (struct end_body){ .values = "",
                                           .metrics = "",
                                           .error_line = "",
                                           .out_file = "",
                                           .err_file = "",
                                           .dir = "",
                                           .result = end.result,
                                           .result_bytes = end.result_bytes };
            rows[i].body = &bodies[i];
        }
    }
    return ERR_NONE;
}

enum err wire_from_results(const Wire__Results *results, struct message *m, struct fault *f)
{
    struct reading r = { .arena = m->arena, .fault = f };
    size_t n_columns = results->n_leases / 2, n = n_columns + results->n_ends;

    if (results->n_leases % 2 || (n_columns && !results->columns))
        REFUSE(f, ERR_MALFORMED, "leases without their ends");
    if (n == 0)
        return ERR_NONE;
    struct end_row *rows = arena_alloc(m->arena, n * sizeof *rows);
    if (!rows)
        return wire_no_memory(f);
    if (n_columns)
        CHECK(columns_from_pb(results, n_columns, rows, m->arena, f));
    for (size_t i = n_columns; i < n && !r.err; i++)
        end_from_pb(&r, results->ends[i - n_columns], &rows[i]);
    m->results.rows = rows;
    m->results.n = n;
    return r.err;
}

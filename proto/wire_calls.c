/* wire_calls - opening, appending to and collecting arrays of calls. Sizes, edges and blobs are on
 * the wire as they lie in memory, so nothing is done for each call but checking it. */
#include "base/must.h"
#include "proto/wire_inner.h"

_Static_assert(sizeof(struct edge) == 16, "two numbers, as they are on the wire");

/* ---- to protobuf */

static void open_to_pb(const struct message *m, struct encoding *e)
{
    wire__open__init(&e->open);
    e->open.request = m->open.request;
    e->open.key = wire_chars(m->open.key);
    e->open.study = wire_chars(m->open.study);
    e->open.spec = wire_bytes(m->open.spec, m->open.spec_bytes);
    e->open.again = m->open.again;
}

static void opened_to_pb(const struct message *m, struct encoding *e)
{
    wire__opened__init(&e->opened);
    e->opened.request = m->opened.request;
    e->opened.study = wire_chars(m->opened.study);
    e->opened.id = m->opened.id.n;
    e->opened.array = m->opened.array.n;
    e->opened.first = m->opened.first.n;
    e->opened.n = m->opened.n;
    e->opened.closed = m->opened.closed;
}

static void append_to_pb(const struct message *m, struct encoding *e)
{
    wire__append__init(&e->append);
    e->append.request = m->append.request;
    e->append.array = m->append.array.n;
    e->append.at = m->append.at;
    e->append.n_sizes = m->append.n;
    e->append.sizes = (uint32_t *)(uintptr_t)m->append.sizes;
    e->append.payloads = wire_bytes(m->append.payloads, m->append.payloads_bytes);
    e->append.rules = wire_bytes(m->append.rules, m->append.rules ? m->append.n : 0);
    e->append.n_edges = 2 * m->append.n_edges;
    e->append.edges = (uint64_t *)(uintptr_t)m->append.edges;
    e->append.n_blobs = 3 * m->append.n_blobs;
    e->append.blobs = (uint64_t *)(uintptr_t)m->append.blobs;
    e->append.close = m->append.close;
}

static void appended_to_pb(const struct message *m, struct encoding *e)
{
    wire__appended__init(&e->appended);
    e->appended.request = m->appended.request;
    e->appended.array = m->appended.array.n;
    e->appended.n = m->appended.n;
    e->appended.closed = m->appended.closed;
}

static void collect_to_pb(const struct message *m, struct encoding *e)
{
    wire__collect__init(&e->collect);
    e->collect.request = m->collect.request;
    e->collect.array = m->collect.array.n;
    e->collect.key = wire_chars(m->collect.key);
    e->collect.cursor = m->collect.cursor;
    e->collect.n_index = m->collect.n;
    e->collect.index = (uint64_t *)(uintptr_t)m->collect.index;
    e->collect.stop = m->collect.stop;
    e->collect.shares = m->collect.shares;
}

static void call_column(const struct message *m, size_t i, struct column_end *end)
{
    const struct call_end *c = &m->ends.ends[i];

    *end = (struct column_end){
        .state = c->state,
        .reason = c->reason,
        .code = c->code,
        .attempts = c->attempts,
        .worker = c->worker + 1, /* none: UINT32_MAX becomes 0 */
        .submitted_ms = c->submitted_ms,
        .started_ms = c->started_ms,
        .ended_ms = c->ended_ms,
        .wall_us = c->wall_us,
        .user_us = c->user_us,
        .sys_us = c->sys_us,
        .maxrss_kib = c->maxrss_kib,
        .result = c->result,
        .result_bytes = c->result_bytes,
    };
}

static void extra_to_pb(const struct call_extra *x, size_t at, Wire__Extra *pb)
{
    wire__extra__init(pb);
    pb->at = (uint32_t)at;
    pb->error = wire_chars(x->error);
    pb->because = x->because.n;
    pb->blob = x->blob;
    pb->blob_bytes = x->blob_bytes;
    pb->out = wire_bytes(x->out, x->out_bytes);
    pb->err = wire_bytes(x->err, x->err_bytes);
    pb->out_packed = x->out_packed;
    pb->err_packed = x->err_packed;
    pb->out_total = x->out_total;
    pb->err_total = x->err_total;
    pb->out_file = wire_chars(x->out_file);
    pb->err_file = wire_chars(x->err_file);
}

static void extras_to_pb(const struct message *m, struct encoding *e)
{
    void **pointers = NULL;
    size_t n = 0, k = 0;

    for (size_t i = 0; i < m->ends.n; i++)
        n += m->ends.ends[i].extra != NULL;
    if (n == 0)
        return;
    Wire__Extra *pb = wire_elements(e, n, sizeof *pb, &pointers);
    for (size_t i = 0; i < m->ends.n; i++)
        if (m->ends.ends[i].extra)
            extra_to_pb(m->ends.ends[i].extra, i, &pb[k++]);
    e->ends.n_extras = n;
    e->ends.extras = (Wire__Extra **)pointers;
}

static void names_to_pb(const struct message *m, struct encoding *e)
{
    void **pointers = NULL;
    size_t n = m->ends.n_workers;

    if (n == 0)
        return;
    Wire__WorkerName *pb = wire_elements(e, n, sizeof *pb, &pointers);
    for (size_t i = 0; i < n; i++) {
        wire__worker_name__init(&pb[i]);
        pb[i].name = wire_chars(m->ends.workers[i].name);
        pb[i].host = wire_chars(m->ends.workers[i].host);
    }
    e->ends.n_workers = n;
    e->ends.workers = (Wire__WorkerName **)pointers;
}

static void ends_to_pb(const struct message *m, struct encoding *e)
{
    wire__ends__init(&e->ends);
    e->ends.array = m->ends.array.n;
    e->ends.cursor = m->ends.cursor;
    e->ends.caught_up = m->ends.caught_up;
    e->ends.n_shares = m->ends.n_shares;
    e->ends.shares = wire_shares_to_pb(m->ends.shares, m->ends.n_shares, e);
    if (m->ends.n) {
        uint64_t *index = wire_scratch(e, m->ends.n * sizeof *index);
        for (size_t i = 0; i < m->ends.n; i++)
            index[i] = m->ends.ends[i].index;
        e->ends.n_index = m->ends.n;
        e->ends.index = index;
        wire_columns_to_pb(m, m->ends.n, call_column, e);
        e->ends.columns = &e->columns;
    }
    names_to_pb(m, e);
    extras_to_pb(m, e);
}

bool wire_calls_to_pb(const struct message *m, struct encoding *e)
{
    switch (m->kind) {
    case MSG_OPEN:
        open_to_pb(m, e);
        return true;
    case MSG_OPENED:
        opened_to_pb(m, e);
        return true;
    case MSG_APPEND:
        append_to_pb(m, e);
        return true;
    case MSG_APPENDED:
        appended_to_pb(m, e);
        return true;
    case MSG_COLLECT:
        collect_to_pb(m, e);
        return true;
    case MSG_ENDS:
        ends_to_pb(m, e);
        return true;
    default:
        return false;
    }
}

/* ---- from protobuf */

static enum err open_from_pb(const Wire__Open *pb, struct message *m, struct fault *f)
{
    const char *spec;

    m->open.request = pb->request;
    CHECK(wire_is_set(pb->request, "a request", f));
    CHECK(wire_text(&pb->key, KEY_BYTES_MAX, "the key of an array", &m->open.key, f));
    CHECK(wire_text(&pb->study, NAME_BYTES_MAX, "the name of a study", &m->open.study, f));
    CHECK(wire_text(&pb->spec, SPEC_BYTES_MAX, "the spec of an array", &spec, f));
    m->open.spec = spec;
    m->open.spec_bytes = pb->spec.len;
    m->open.again = pb->again;
    return *m->open.key ? ERR_NONE : fault_set(f, ERR_MALFORMED, "an array without a key");
}

static enum err opened_from_pb(const Wire__Opened *pb, struct message *m, struct fault *f)
{
    m->opened.request = pb->request;
    m->opened.id.n = pb->id;
    m->opened.array.n = pb->array;
    m->opened.first.n = pb->first;
    m->opened.n = pb->n;
    m->opened.closed = pb->closed;
    CHECK(wire_is_set(pb->request, "a request", f));
    CHECK(wire_is_set(pb->id, "a study", f));
    CHECK(wire_is_set(pb->array, "an array", f));
    CHECK(wire_is_set(pb->first, "a task", f));
    CHECK(wire_at_most(pb->n, POINTS_MAX, "the number of calls", f));
    return wire_text(&pb->study, NAME_BYTES_MAX, "the name of a study", &m->opened.study, f);
}

static enum err edges_from_pb(const Wire__Append *pb, struct message *m, struct fault *f)
{
    const struct edge *edges = (const struct edge *)(const void *)pb->edges;
    size_t n = pb->n_edges / 2;

    if (pb->n_edges % 2)
        REFUSE(f, ERR_MALFORMED, "half an edge");
    CHECK(wire_at_most(n, APPEND_EDGES_MAX, "the number of edges", f));
    for (size_t i = 0; i < n; i++) {
        CHECK(wire_is_set(edges[i].on.n, "the task of an edge", f));
        if (edges[i].call >= m->append.n)
            REFUSE(f, ERR_MALFORMED, "an edge of call %llu; there are %llu",
                   (unsigned long long)edges[i].call, (unsigned long long)m->append.n);
        if (i && edges[i].call < edges[i - 1].call)
            REFUSE(f, ERR_MALFORMED, "edges that are not in the order of their calls");
    }
    m->append.edges = edges;
    m->append.n_edges = n;
    return ERR_NONE;
}

static enum err append_from_pb(const Wire__Append *pb, struct message *m, struct fault *f)
{
    size_t n = pb->n_sizes;

    m->append.request = pb->request;
    m->append.array.n = pb->array;
    m->append.at = pb->at;
    m->append.n = n;
    m->append.close = pb->close;
    CHECK(wire_is_set(pb->request, "a request", f));
    CHECK(wire_is_set(pb->array, "an array", f));
    CHECK(wire_at_most(n, APPEND_CALLS_MAX, "the number of calls in an append", f));
    CHECK(wire_at_most(pb->at, POINTS_MAX - n, "the index of a call", f));
    CHECK(wire_at_most(pb->payloads.len, APPEND_BYTES_MAX, "the payloads of an append", f));
    CHECK(wire_sizes_check(pb->sizes, n, pb->payloads.len, f));
    m->append.sizes = pb->sizes;
    m->append.payloads = pb->payloads.data;
    m->append.payloads_bytes = pb->payloads.len;
    if (pb->rules.len && pb->rules.len != n)
        REFUSE(f, ERR_MALFORMED, "%zu rules for %zu calls", pb->rules.len, n);
    for (size_t i = 0; i < pb->rules.len; i++)
        if (pb->rules.data[i] > RULE_BITS)
            REFUSE(f, ERR_MALFORMED, "rule %d is not known", pb->rules.data[i]);
    m->append.rules = pb->rules.len ? pb->rules.data : NULL;
    CHECK(edges_from_pb(pb, m, f));
    return wire_blobs_from_pb(pb->blobs, pb->n_blobs, pb->sizes, n, &m->append.blobs,
                              &m->append.n_blobs, f);
}

static enum err appended_from_pb(const Wire__Appended *pb, struct message *m, struct fault *f)
{
    m->appended.request = pb->request;
    m->appended.array.n = pb->array;
    m->appended.n = pb->n;
    m->appended.closed = pb->closed;
    CHECK(wire_is_set(pb->request, "a request", f));
    CHECK(wire_is_set(pb->array, "an array", f));
    return wire_at_most(pb->n, POINTS_MAX, "the number of calls", f);
}

static enum err collect_from_pb(const Wire__Collect *pb, struct message *m, struct fault *f)
{
    m->collect.request = pb->request;
    m->collect.array.n = pb->array;
    m->collect.cursor = pb->cursor;
    m->collect.stop = pb->stop;
    m->collect.shares = pb->shares;
    m->collect.index = pb->index;
    m->collect.n = pb->n_index;
    CHECK(wire_is_set(pb->request, "a request", f));
    CHECK(wire_text(&pb->key, KEY_BYTES_MAX, "the key of an array", &m->collect.key, f));
    if (!pb->array == !*m->collect.key)
        REFUSE(f, ERR_MALFORMED, "an array to collect by id or by key, not both");
    CHECK(wire_at_most(pb->cursor, INT64_MAX, "a cursor", f));
    CHECK(wire_at_most(pb->n_index, INDEXES_MAX, "the number of calls to collect", f));
    for (size_t i = 0; i < pb->n_index; i++)
        CHECK(wire_at_most(pb->index[i], POINTS_MAX - 1, "the index of a call", f));
    return ERR_NONE;
}

static enum err stream_check(const ProtobufCBinaryData *b, struct fault *f)
{
    return wire_at_most(b->len, OUTPUT_STORE_MAX, "the output of a call", f);
}

static enum err extra_from_pb(const Wire__Extra *pb, struct call_extra *x, struct fault *f)
{
    *x = (struct call_extra){ .because = { pb->because },
                              .blob = pb->blob,
                              .blob_bytes = pb->blob_bytes,
                              .out = pb->out.data,
                              .err = pb->err.data,
                              .out_bytes = (uint32_t)pb->out.len,
                              .err_bytes = (uint32_t)pb->err.len,
                              .out_packed = pb->out_packed,
                              .err_packed = pb->err_packed,
                              .out_total = pb->out_total,
                              .err_total = pb->err_total };
    CHECK(wire_text(&pb->error, WIRE_NOTICE_BYTES_MAX, "the error of a call", &x->error, f));
    CHECK(wire_text(&pb->out_file, WIRE_PATH_BYTES_MAX, "the name of a file", &x->out_file, f));
    CHECK(wire_text(&pb->err_file, WIRE_PATH_BYTES_MAX, "the name of a file", &x->err_file, f));
    CHECK(wire_at_most(pb->blob_bytes, BLOB_BYTES_MAX, "the length of a blob", f));
    CHECK(stream_check(&pb->out, f));
    return stream_check(&pb->err, f);
}

static enum err extras_from_pb(const Wire__Ends *pb, struct call_end *ends, struct arena *a,
                               struct fault *f)
{
    if (!pb->n_extras)
        return ERR_NONE;
    struct call_extra *extras = arena_alloc(a, pb->n_extras * sizeof *extras);
    if (!extras)
        return wire_no_memory(f);
    for (size_t i = 0; i < pb->n_extras; i++) {
        uint32_t at = pb->extras[i]->at;
        if (at >= pb->n_index || (i && at <= pb->extras[i - 1]->at))
            REFUSE(f, ERR_MALFORMED, "more of an end that is not there");
        CHECK(extra_from_pb(pb->extras[i], &extras[i], f));
        ends[at].extra = &extras[i];
    }
    return ERR_NONE;
}

static enum err names_from_pb(const Wire__Ends *pb, struct message *m, struct fault *f)
{
    struct worker_name *to = arena_alloc(m->arena, (pb->n_workers + 1) * sizeof *to);

    if (!to)
        return wire_no_memory(f);
    CHECK(wire_at_most(pb->n_workers, ENDS_MAX, "the number of workers", f));
    for (size_t i = 0; i < pb->n_workers; i++) {
        CHECK(wire_text(&pb->workers[i]->name, NAME_BYTES_MAX, "a name", &to[i].name, f));
        CHECK(
            wire_text(&pb->workers[i]->host, NAME_BYTES_MAX, "the name of a host", &to[i].host, f));
    }
    m->ends.workers = to;
    m->ends.n_workers = pb->n_workers;
    return ERR_NONE;
}

static enum err rows_from_pb(const Wire__Ends *pb, struct call_end *to, struct fault *f)
{
    const uint8_t *results = pb->columns->results.data;

    CHECK(wire_columns_check(pb->columns, pb->n_index, f));
    for (size_t i = 0; i < pb->n_index; i++) {
        struct column_end end;
        wire_column_end(pb->columns, i, &results, &end);
        CHECK(wire_at_most(pb->index[i], POINTS_MAX - 1, "the index of a call", f));
        CHECK(wire_at_most(end.worker, pb->n_workers, "the number of a worker", f));
        to[i] = (struct call_end){
            .index = pb->index[i],
            .state = end.state,
            .reason = end.reason,
            .code = end.code,
            .attempts = end.attempts,
            .worker = end.worker - 1,
            .submitted_ms = end.submitted_ms,
            .started_ms = end.started_ms,
            .ended_ms = end.ended_ms,
            .wall_us = end.wall_us,
            .user_us = end.user_us,
            .sys_us = end.sys_us,
            .maxrss_kib = end.maxrss_kib,
            .result = end.result,
            .result_bytes = (uint32_t)end.result_bytes,
        };
    }
    return ERR_NONE;
}

static enum err ends_from_pb(const Wire__Ends *pb, struct message *m, struct fault *f)
{
    m->ends.array.n = pb->array;
    m->ends.cursor = pb->cursor;
    m->ends.caught_up = pb->caught_up;
    CHECK(wire_is_set(pb->array, "an array", f));
    CHECK(wire_at_most(pb->n_index, ENDS_MAX, "the number of ends", f));
    CHECK(names_from_pb(pb, m, f));
    if (pb->n_index && !pb->columns)
        REFUSE(f, ERR_MALFORMED, "ends without their columns");
    struct call_end *to = arena_alloc(m->arena, (pb->n_index + 1) * sizeof *to);
    if (!to)
        return wire_no_memory(f);
    if (pb->n_index)
        CHECK(rows_from_pb(pb, to, f));
    m->ends.ends = to;
    m->ends.n = pb->n_index;
    m->ends.n_shares = pb->n_shares;
    CHECK(wire_shares_from_pb(pb->shares, pb->n_shares, m->arena, &m->ends.shares, f));
    for (size_t i = 0; i < pb->n_shares; i++)
        CHECK(wire_at_most(pb->shares[i]->id, POINTS_MAX - 1, "the index of a call", f));
    return extras_from_pb(pb, to, m->arena, f);
}

enum err wire_calls_from_pb(const Wire__Envelope *e, struct message *m, struct fault *f)
{
    switch (m->kind) {
    case MSG_OPEN:
        return open_from_pb(e->open, m, f);
    case MSG_OPENED:
        return opened_from_pb(e->opened, m, f);
    case MSG_APPEND:
        return append_from_pb(e->append, m, f);
    case MSG_APPENDED:
        return appended_from_pb(e->appended, m, f);
    case MSG_COLLECT:
        return collect_from_pb(e->collect, m, f);
    default:
        return ends_from_pb(e->ends, m, f);
    }
}

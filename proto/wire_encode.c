/* wire_encode - struct message -> protobuf objects that borrow from it. */
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "proto/wire_inner.h"

/* A grant goes over the wire as it lies in memory: two 64-bit numbers, little-endian. */
_Static_assert(sizeof(struct grant) == 16 && sizeof(lease_id) == 8, "packed without a copy");

void *wire_scratch(struct encoding *e, size_t n_bytes)
{
    must(e->n_scratch < WIRE_SCRATCH_MAX);
    void *piece = malloc(n_bytes ? n_bytes : 1);
    must(piece != NULL);
    e->scratch[e->n_scratch++] = piece;
    return piece;
}

void *wire_elements(struct encoding *e, size_t n, size_t bytes_each, void ***pointers)
{
    char *elements = wire_scratch(e, n * (bytes_each + sizeof(void *)));

    *pointers = (void **)(void *)(elements + n * bytes_each);
    for (size_t i = 0; i < n; i++)
        (*pointers)[i] = elements + i * bytes_each;
    return elements;
}

static Wire__Held **held_to_pb(const struct held_lease *held, size_t n, struct encoding *e)
{
    void **pointers;

    if (n == 0)
        return NULL;
    Wire__Held *pb = wire_elements(e, n, sizeof *pb, &pointers);
    for (size_t i = 0; i < n; i++) {
        wire__held__init(&pb[i]);
        pb[i].lease = held[i].lease.n;
        pb[i].task = held[i].task.n;
        pb[i].state = (Wire__HoldState)held[i].state;
        pb[i].elapsed_ms = wire_ms(held[i].elapsed_ms);
    }
    return (Wire__Held **)pointers;
}

ProtobufCBinaryData *wire_list_to_pb(const char *const *texts, size_t n, struct encoding *e)
{
    if (n == 0)
        return NULL;
    ProtobufCBinaryData *pb = wire_scratch(e, n * sizeof *pb);
    for (size_t i = 0; i < n; i++)
        pb[i] = wire_chars(texts[i]);
    return pb;
}

static void resources_to_pb(const struct message *m, struct encoding *e)
{
    size_t n = m->hello.n_resources;
    void **pointers = NULL;

    if (n > 0) {
        Wire__Resource *pb = wire_elements(e, n, sizeof *pb, &pointers);
        for (size_t i = 0; i < n; i++) {
            wire__resource__init(&pb[i]);
            pb[i].name = wire_chars(m->hello.resources[i].name);
            pb[i].amount = m->hello.resources[i].amount;
        }
    }
    e->hello.n_resources = n;
    e->hello.resources = (Wire__Resource **)pointers;
}

static void hello_to_pb(const struct message *m, struct encoding *e)
{
    wire__hello__init(&e->hello);
    e->hello.version = m->hello.version;
    e->hello.program = wire_chars(m->hello.program);
    e->hello.role = (Wire__Role)m->hello.role;
    e->hello.instance = m->hello.instance;
    e->hello.name = wire_chars(m->hello.name);
    e->hello.host = wire_chars(m->hello.host);
    e->hello.pid = m->hello.pid;
    e->hello.slots = m->hello.slots;
    e->hello.memory_mib = m->hello.memory_mib;
    e->hello.n_held = m->hello.n_held;
    e->hello.held = held_to_pb(m->hello.held, m->hello.n_held, e);
    e->hello.labels = wire_list_to_pb(m->hello.labels, m->hello.n_labels, e);
    e->hello.n_labels = m->hello.n_labels;
    e->hello.functions = wire_list_to_pb(m->hello.functions, m->hello.n_functions, e);
    e->hello.n_functions = m->hello.n_functions;
    e->hello.end_ms = wire_ms(m->hello.end_ms);
    resources_to_pb(m, e);
}

Wire__Share **wire_shares_to_pb(const struct call_share *shares, size_t n, struct encoding *e)
{
    void **pointers;

    if (n == 0)
        return NULL;
    Wire__Share *pb = wire_elements(e, n, sizeof *pb, &pointers);

    for (size_t i = 0; i < n; i++) {
        wire__share__init(&pb[i]);
        pb[i].id = shares[i].id;
        pb[i].share = shares[i].share;
        pb[i].text = wire_chars(shares[i].text);
    }
    return (Wire__Share **)pointers;
}

static void beat_to_pb(const struct message *m, struct encoding *e)
{
    wire__beat__init(&e->beat);
    e->beat.n_held = m->beat.n_held;
    e->beat.held = held_to_pb(m->beat.held, m->beat.n_held, e);
    e->beat.n_shares = m->beat.n_shares;
    e->beat.shares = wire_shares_to_pb(m->beat.shares, m->beat.n_shares, e);
}

static void bye_to_pb(const struct message *m, struct encoding *e)
{
    wire__bye__init(&e->bye);
    e->bye.down = m->bye.down;
}

static void welcome_to_pb(const struct message *m, struct encoding *e)
{
    wire__welcome__init(&e->welcome);
    e->welcome.version = m->welcome.version;
    e->welcome.program = wire_chars(m->welcome.program);
    e->welcome.epoch = m->welcome.epoch;
    e->welcome.worker = m->welcome.worker.n;
    e->welcome.owner = wire_chars(m->welcome.owner);
}

static void refused_to_pb(const struct message *m, struct encoding *e)
{
    wire__refused__init(&e->refused);
    e->refused.request = m->refused.request;
    e->refused.code = m->refused.code;
    e->refused.text = wire_chars(m->refused.text);
}

static void reply_to_pb(const struct message *m, struct encoding *e)
{
    wire__reply__init(&e->reply);
    e->reply.request = m->reply.request;
    e->reply.n = m->reply.n;
}

static void submit_to_pb(const struct message *m, struct encoding *e)
{
    wire__submit__init(&e->submit);
    e->submit.request = m->submit.request;
    e->submit.spec = wire_bytes(m->submit.spec, m->submit.spec_bytes);
    e->submit.study = wire_chars(m->submit.study);
    e->submit.resume = m->submit.resume;
    e->submit.retry_failed = m->submit.retry_failed;
    e->submit.fresh = m->submit.fresh;
    e->submit.again = m->submit.again;
}

static void hold_to_pb(const struct message *m, struct encoding *e)
{
    wire__hold__init(&e->hold);
    e->hold.request = m->hold.request;
    e->hold.study = wire_chars(m->hold.study);
    e->hold.now = m->hold.now;
}

static void cancel_to_pb(const struct message *m, struct encoding *e)
{
    wire__points__init(&e->points);
    e->points.request = m->cancel.request;
    e->points.study = wire_chars(m->cancel.study);
    e->points.all = m->cancel.all;
    e->points.array = m->cancel.array.n;
    e->points.n_index = m->cancel.n;
    e->points.index = (uint64_t *)(uintptr_t)m->cancel.index;
}

static void retry_to_pb(const struct message *m, struct encoding *e)
{
    wire__points__init(&e->points);
    e->points.request = m->retry.request;
    e->points.study = wire_chars(m->retry.study);
    e->points.all = m->retry.failed;
    e->points.array = m->retry.array.n;
    e->points.n_index = m->retry.n;
    e->points.index = (uint64_t *)(uintptr_t)m->retry.index;
}

static void follow_to_pb(const struct message *m, struct encoding *e)
{
    wire__follow__init(&e->follow);
    e->follow.request = m->follow.request;
    e->follow.study = wire_chars(m->follow.study);
}

static void shutdown_to_pb(const struct message *m, struct encoding *e)
{
    (void)m;
    wire__shutdown__init(&e->shutdown);
}

void wire_counts_to_pb(const struct counts *c, Wire__Counts *pb)
{
    wire__counts__init(pb);
    pb->n = c->n;
    pb->ready = c->ready;
    pb->waiting = c->waiting;
    pb->running = c->running;
    pb->done = c->done;
    pb->failed = c->failed;
    pb->cancelled = c->cancelled;
    pb->skipped = c->skipped;
    pb->quarantined = c->quarantined;
    pb->reused = c->reused;
    pb->lost = c->lost;
    pb->blocked = c->blocked;
    pb->unmet = c->unmet;
    pb->warned = c->warned;
}

static void submitted_to_pb(const struct message *m, struct encoding *e)
{
    wire__submitted__init(&e->submitted);
    e->submitted.request = m->submitted.request;
    e->submitted.study = wire_chars(m->submitted.study);
    e->submitted.id = m->submitted.id.n;
    e->submitted.array = m->submitted.array.n;
    e->submitted.first = m->submitted.first.n;
    wire_counts_to_pb(&m->submitted.counts, &e->counts);
    e->submitted.counts = &e->counts;
    e->submitted.template_changed = m->submitted.template_changed;
}

static void progress_to_pb(const struct message *m, struct encoding *e)
{
    size_t n = m->progress.n_running;
    void **pointers = NULL;

    wire__progress__init(&e->progress);
    e->progress.study = wire_chars(m->progress.study);
    e->progress.state = (Wire__StudyState)m->progress.state;
    wire_counts_to_pb(&m->progress.counts, &e->counts);
    e->progress.counts = &e->counts;
    e->progress.n_workers = m->progress.n_workers;
    e->progress.slots = m->progress.slots;
    e->progress.slots_busy = m->progress.slots_busy;
    e->progress.limit_ms = m->progress.limit_ms;
    if (n > 0) {
        Wire__RunningPoint *pb = wire_elements(e, n, sizeof *pb, &pointers);
        for (size_t i = 0; i < n; i++) {
            wire__running_point__init(&pb[i]);
            pb[i].index = m->progress.running[i].index;
            pb[i].elapsed_ms = wire_ms(m->progress.running[i].elapsed_ms);
            pb[i].share = m->progress.running[i].share;
        }
    }
    e->progress.n_running = n;
    e->progress.running = (Wire__RunningPoint **)pointers;
}

static void spec_to_pb(const struct message *m, struct encoding *e)
{
    wire__spec__init(&e->spec);
    e->spec.array = m->spec.array.n;
    e->spec.first = m->spec.first.n;
    e->spec.spec = wire_bytes(m->spec.spec, m->spec.spec_bytes);
}

static void assign_to_pb(const struct message *m, struct encoding *e)
{
    wire__assign__init(&e->assign);
    e->assign.array = m->assign.array.n;
    e->assign.again = m->assign.again;
    e->assign.limit_ms = wire_ms(m->assign.limit_ms);
    e->assign.n_grants = 2 * m->assign.n;
    e->assign.grants = (uint64_t *)(uintptr_t)m->assign.grants;
    e->assign.n_sizes = m->assign.sizes ? m->assign.n : 0;
    e->assign.sizes = (uint32_t *)(uintptr_t)m->assign.sizes;
    e->assign.payloads = wire_bytes(m->assign.payloads, m->assign.payloads_bytes);
    e->assign.n_blobs = 3 * m->assign.n_blobs;
    e->assign.blobs = (uint64_t *)(uintptr_t)m->assign.blobs;
}

static void leases_to_pb(const struct message *m, struct encoding *e)
{
    /* revoke, ack and returned are one struct in the union. */
    wire__leases__init(&e->leases);
    e->leases.n_lease = m->revoke.n;
    e->leases.lease = (uint64_t *)(uintptr_t)m->revoke.leases;
    e->leases.n_useless = m->revoke.n_useless;
    e->leases.useless = (uint64_t *)(uintptr_t)m->revoke.useless;
}

static void recall_to_pb(const struct message *m, struct encoding *e)
{
    wire__recall__init(&e->recall);
    e->recall.n = m->recall.n;
}

static void limit_to_pb(const struct message *m, struct encoding *e)
{
    wire__limit__init(&e->limit);
    e->limit.array = m->limit.array.n;
    e->limit.limit_ms = wire_ms(m->limit.limit_ms);
}

static void body_to_pb(const struct end_body *b, Wire__Body *pb)
{
    wire__body__init(pb);
    pb->values = wire_chars(b->values);
    pb->metrics = wire_chars(b->metrics);
    pb->error_line = wire_chars(b->error_line);
    pb->out_file = wire_chars(b->out_file);
    pb->err_file = wire_chars(b->err_file);
    pb->out = wire_bytes(b->out, b->out_bytes);
    pb->err = wire_bytes(b->err, b->err_bytes);
    pb->out_packed = b->out_packed;
    pb->err_packed = b->err_packed;
    pb->out_total = b->out_total;
    pb->err_total = b->err_total;
    pb->dir = wire_chars(b->dir);
    pb->metrics_missing = b->metrics_missing;
    pb->result = wire_bytes(b->result, b->result_bytes);
    pb->blob = b->blob;
    pb->blob_bytes = b->blob_bytes;
}

static void end_to_pb(const struct end_row *r, Wire__End *pb)
{
    wire__end__init(pb);
    pb->task = r->task.n;
    pb->lease = r->lease.n;
    pb->worker = r->worker.n;
    pb->state = (Wire__TaskState)r->state;
    pb->reason = (Wire__Reason)r->reason;
    pb->code = r->code;
    pb->attempts = r->attempts;
    pb->counted = r->counted;
    pb->started_ms = wire_ms(r->started_ms);
    pb->ended_ms = wire_ms(r->ended_ms);
    pb->wall_us = r->wall_us;
    pb->user_us = r->user_us;
    pb->sys_us = r->sys_us;
    pb->maxrss_kib = r->maxrss_kib;
}

struct end_and_body { /* beside each other for the cache */
    Wire__End end;
    Wire__Body body;
};

static bool no_text(const char *s)
{
    return !s || !*s;
}

/* plain - ends that need no body, or one with a result alone: they can go as columns. */
static bool plain(const struct end_body *b)
{
    return !b || (b->result_bytes && !b->blob && !b->out_bytes && !b->err_bytes && !b->out_total &&
                  !b->err_total && !b->metrics_missing && no_text(b->values) &&
                  no_text(b->metrics) && no_text(b->error_line) && no_text(b->dir) &&
                  no_text(b->out_file) && no_text(b->err_file) && !b->out_packed && !b->err_packed);
}

static void row_column(const struct message *m, size_t i, struct column_end *end)
{
    const struct end_row *r = &m->results.rows[i];

    *end = (struct column_end){
        .state = r->state,
        .reason = r->reason,
        .code = r->code,
        .attempts = r->attempts,
        .worker = r->worker.n,
        .counted = r->counted,
        .started_ms = r->started_ms,
        .ended_ms = r->ended_ms,
        .wall_us = r->wall_us,
        .user_us = r->user_us,
        .sys_us = r->sys_us,
        .maxrss_kib = r->maxrss_kib,
        .result = r->body ? r->body->result : NULL,
        .result_bytes = r->body ? r->body->result_bytes : 0,
    };
}

static bool results_as_columns(const struct message *m, struct encoding *e)
{
    size_t n = m->results.n;

    if (n == 0 || n > WIRE_COLUMNS_MAX)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!plain(m->results.rows[i].body))
            return false;
    uint64_t *ids = wire_scratch(e, n * 16);
    for (size_t i = 0; i < n; i++) {
        ids[2 * i] = m->results.rows[i].lease.n;
        ids[2 * i + 1] = m->results.rows[i].task.n;
    }
    e->results.leases = ids;
    e->results.n_leases = 2 * n;
    wire_columns_to_pb(m, n, row_column, e);
    e->results.columns = &e->columns;
    return true;
}

static void results_to_pb(const struct message *m, struct encoding *e)
{
    size_t n = m->results.n;
    void **pointers = NULL;

    wire__results__init(&e->results);
    if (results_as_columns(m, e))
        return;
    if (n > 0) {
        struct end_and_body *pb = wire_elements(e, n, sizeof *pb, &pointers);
        for (size_t i = 0; i < n; i++) {
            end_to_pb(&m->results.rows[i], &pb[i].end);
            if (m->results.rows[i].body) {
                body_to_pb(m->results.rows[i].body, &pb[i].body);
                pb[i].end.body = &pb[i].body;
            }
        }
    }
    e->results.n_ends = n;
    e->results.ends = (Wire__End **)pointers;
}

void wire_to_pb(const struct message *m, struct encoding *e)
{
    static void (*const to_pb[N_MESSAGE_KINDS])(const struct message *, struct encoding *) = {
        [MSG_HELLO] = hello_to_pb,
        [MSG_BEAT] = beat_to_pb,
        [MSG_BYE] = bye_to_pb,
        [MSG_WELCOME] = welcome_to_pb,
        [MSG_REFUSED] = refused_to_pb,
        [MSG_REPLY] = reply_to_pb,
        [MSG_SUBMIT] = submit_to_pb,
        [MSG_HOLD] = hold_to_pb,
        [MSG_CANCEL] = cancel_to_pb,
        [MSG_RETRY] = retry_to_pb,
        [MSG_FOLLOW] = follow_to_pb,
        [MSG_SHUTDOWN] = shutdown_to_pb,
        [MSG_SUBMITTED] = submitted_to_pb,
        [MSG_PROGRESS] = progress_to_pb,
        [MSG_SPEC] = spec_to_pb,
        [MSG_ASSIGN] = assign_to_pb,
        [MSG_REVOKE] = leases_to_pb,
        [MSG_RECALL] = recall_to_pb,
        [MSG_ACK] = leases_to_pb,
        [MSG_LIMIT] = limit_to_pb,
        [MSG_RESULTS] = results_to_pb,
        [MSG_RETURNED] = leases_to_pb,
    };

    must(m->kind > 0 && m->kind < N_MESSAGE_KINDS);
    if (to_pb[m->kind])
        to_pb[m->kind](m, e);
    else
        must(wire_calls_to_pb(m, e) || wire_farm_to_pb(m, e));
    e->envelope.message_case = (Wire__Envelope__MessageCase)m->kind;
    e->envelope.hello = &e->hello; /* the oneof: all of its pointers are this one */
}

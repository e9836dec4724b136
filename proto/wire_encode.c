/* wire_encode - struct message -> protobuf objects that borrow from it. */
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "proto/wire_inner.h"

/* A grant goes over the wire as it lies in memory: two 64-bit numbers, little-endian. */
_Static_assert(sizeof(struct grant) == 16 && sizeof(lease_id) == 8, "packed without a copy");

static ProtobufCBinaryData bytes(const void *data, size_t n)
{
    return (ProtobufCBinaryData){ n, (uint8_t *)(uintptr_t)data };
}

static ProtobufCBinaryData text(const char *s)
{
    return bytes(s, s ? strlen(s) : 0);
}

static uint64_t ms(ms_t t)
{
    return t > 0 ? (uint64_t)t : 0;
}

/* scratch - n elements, followed by n pointers to them as protobuf-c wants. */
static void *scratch(struct encoding *e, size_t n, size_t bytes_each, void ***pointers)
{
    char *elements = malloc(n * (bytes_each + sizeof(void *)));

    must(elements != NULL);
    e->scratch = elements;
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
    Wire__Held *pb = scratch(e, n, sizeof *pb, &pointers);
    for (size_t i = 0; i < n; i++) {
        wire__held__init(&pb[i]);
        pb[i].lease = held[i].lease.n;
        pb[i].task = held[i].task.n;
        pb[i].state = (Wire__HoldState)held[i].state;
        pb[i].elapsed_ms = ms(held[i].elapsed_ms);
    }
    return (Wire__Held **)pointers;
}

static void hello_to_pb(const struct message *m, struct encoding *e)
{
    wire__hello__init(&e->hello);
    e->hello.version = m->hello.version;
    e->hello.program = text(m->hello.program);
    e->hello.role = (Wire__Role)m->hello.role;
    e->hello.instance = m->hello.instance;
    e->hello.name = text(m->hello.name);
    e->hello.host = text(m->hello.host);
    e->hello.pid = m->hello.pid;
    e->hello.slots = m->hello.slots;
    e->hello.memory_mib = m->hello.memory_mib;
    e->hello.n_held = m->hello.n_held;
    e->hello.held = held_to_pb(m->hello.held, m->hello.n_held, e);
}

static void beat_to_pb(const struct message *m, struct encoding *e)
{
    wire__beat__init(&e->beat);
    e->beat.n_held = m->beat.n_held;
    e->beat.held = held_to_pb(m->beat.held, m->beat.n_held, e);
}

static void bye_to_pb(const struct message *m, struct encoding *e)
{
    (void)m;
    wire__bye__init(&e->bye);
}

static void welcome_to_pb(const struct message *m, struct encoding *e)
{
    wire__welcome__init(&e->welcome);
    e->welcome.version = m->welcome.version;
    e->welcome.program = text(m->welcome.program);
    e->welcome.epoch = m->welcome.epoch;
    e->welcome.worker = m->welcome.worker.n;
    e->welcome.owner = text(m->welcome.owner);
}

static void refused_to_pb(const struct message *m, struct encoding *e)
{
    wire__refused__init(&e->refused);
    e->refused.request = m->refused.request;
    e->refused.code = m->refused.code;
    e->refused.text = text(m->refused.text);
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
    e->submit.spec = bytes(m->submit.spec, m->submit.spec_bytes);
    e->submit.study = text(m->submit.study);
    e->submit.resume = m->submit.resume;
    e->submit.retry_failed = m->submit.retry_failed;
    e->submit.fresh = m->submit.fresh;
}

static void hold_to_pb(const struct message *m, struct encoding *e)
{
    wire__hold__init(&e->hold);
    e->hold.request = m->hold.request;
    e->hold.study = text(m->hold.study);
    e->hold.now = m->hold.now;
}

static void cancel_to_pb(const struct message *m, struct encoding *e)
{
    wire__points__init(&e->points);
    e->points.request = m->cancel.request;
    e->points.study = text(m->cancel.study);
    e->points.all = m->cancel.all;
    e->points.n_index = m->cancel.n;
    e->points.index = (uint64_t *)(uintptr_t)m->cancel.index;
}

static void retry_to_pb(const struct message *m, struct encoding *e)
{
    wire__points__init(&e->points);
    e->points.request = m->retry.request;
    e->points.study = text(m->retry.study);
    e->points.all = m->retry.failed;
    e->points.n_index = m->retry.n;
    e->points.index = (uint64_t *)(uintptr_t)m->retry.index;
}

static void follow_to_pb(const struct message *m, struct encoding *e)
{
    wire__follow__init(&e->follow);
    e->follow.request = m->follow.request;
    e->follow.study = text(m->follow.study);
}

static void shutdown_to_pb(const struct message *m, struct encoding *e)
{
    (void)m;
    wire__shutdown__init(&e->shutdown);
}

static Wire__Counts *counts_to_pb(const struct counts *c, struct encoding *e)
{
    wire__counts__init(&e->counts);
    e->counts.n = c->n;
    e->counts.ready = c->ready;
    e->counts.waiting = c->waiting;
    e->counts.running = c->running;
    e->counts.done = c->done;
    e->counts.failed = c->failed;
    e->counts.cancelled = c->cancelled;
    e->counts.skipped = c->skipped;
    e->counts.quarantined = c->quarantined;
    e->counts.reused = c->reused;
    e->counts.lost = c->lost;
    return &e->counts;
}

static void submitted_to_pb(const struct message *m, struct encoding *e)
{
    wire__submitted__init(&e->submitted);
    e->submitted.request = m->submitted.request;
    e->submitted.study = text(m->submitted.study);
    e->submitted.id = m->submitted.id.n;
    e->submitted.array = m->submitted.array.n;
    e->submitted.first = m->submitted.first.n;
    e->submitted.counts = counts_to_pb(&m->submitted.counts, e);
    e->submitted.template_changed = m->submitted.template_changed;
}

static void progress_to_pb(const struct message *m, struct encoding *e)
{
    size_t n = m->progress.n_running;
    void **pointers = NULL;

    wire__progress__init(&e->progress);
    e->progress.study = text(m->progress.study);
    e->progress.state = (Wire__StudyState)m->progress.state;
    e->progress.counts = counts_to_pb(&m->progress.counts, e);
    e->progress.n_workers = m->progress.n_workers;
    e->progress.slots = m->progress.slots;
    e->progress.slots_busy = m->progress.slots_busy;
    e->progress.limit_ms = m->progress.limit_ms;
    if (n > 0) {
        Wire__RunningPoint *pb = scratch(e, n, sizeof *pb, &pointers);
        for (size_t i = 0; i < n; i++) {
            wire__running_point__init(&pb[i]);
            pb[i].index = m->progress.running[i].index;
            pb[i].elapsed_ms = ms(m->progress.running[i].elapsed_ms);
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
    e->spec.spec = bytes(m->spec.spec, m->spec.spec_bytes);
}

static void assign_to_pb(const struct message *m, struct encoding *e)
{
    wire__assign__init(&e->assign);
    e->assign.array = m->assign.array.n;
    e->assign.limit_ms = ms(m->assign.limit_ms);
    e->assign.n_grants = 2 * m->assign.n;
    e->assign.grants = (uint64_t *)(uintptr_t)m->assign.grants;
}

static void leases_to_pb(const struct message *m, struct encoding *e)
{
    /* revoke, ack and returned are one struct in the union. */
    wire__leases__init(&e->leases);
    e->leases.n_lease = m->revoke.n;
    e->leases.lease = (uint64_t *)(uintptr_t)m->revoke.leases;
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
    e->limit.limit_ms = ms(m->limit.limit_ms);
}

static void body_to_pb(const struct end_body *b, Wire__Body *pb)
{
    wire__body__init(pb);
    pb->values = text(b->values);
    pb->metrics = text(b->metrics);
    pb->error_line = text(b->error_line);
    pb->out_file = text(b->out_file);
    pb->err_file = text(b->err_file);
    pb->out = bytes(b->out, b->out_bytes);
    pb->err = bytes(b->err, b->err_bytes);
    pb->out_packed = b->out_packed;
    pb->err_packed = b->err_packed;
    pb->out_total = b->out_total;
    pb->err_total = b->err_total;
    pb->dir = text(b->dir);
    pb->metrics_missing = b->metrics_missing;
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
    pb->started_ms = ms(r->started_ms);
    pb->ended_ms = ms(r->ended_ms);
    pb->wall_us = r->wall_us;
    pb->user_us = r->user_us;
    pb->sys_us = r->sys_us;
    pb->maxrss_kib = r->maxrss_kib;
}

struct end_and_body { /* beside each other for the cache */
    Wire__End end;
    Wire__Body body;
};

static void results_to_pb(const struct message *m, struct encoding *e)
{
    size_t n = m->results.n;
    void **pointers = NULL;

    wire__results__init(&e->results);
    if (n > 0) {
        struct end_and_body *pb = scratch(e, n, sizeof *pb, &pointers);
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
    to_pb[m->kind](m, e);
    e->envelope.message_case = (Wire__Envelope__MessageCase)m->kind;
    e->envelope.hello = &e->hello; /* the oneof: all of its pointers are this one */
}

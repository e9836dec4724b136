/* wire_farm - direct calls, blobs, and what the farm says of itself. */
#include <limits.h>

#include "base/must.h"
#include "proto/wire_inner.h"

_Static_assert((int)DIRECT_CANCEL == WIRE__DIRECT_OP__DIRECT_CANCEL, "");
_Static_assert((int)CONTROL_DOWN == WIRE__VERB__CONTROL_DOWN, "");
_Static_assert((int)ENGINE_DOWN == WIRE__ENGINE_STATE__ENGINE_DOWN, "");
_Static_assert((int)WORKER_DRAINING == WIRE__WORKER_STATE__WORKER_DRAINING, "");

/* ---- to protobuf */

static Wire__SharedFile *file_to_pb(const struct shared_file *file, Wire__SharedFile *pb)
{
    if (!file->path || !*file->path)
        return NULL;
    wire__shared_file__init(pb);
    pb->path = wire_chars(file->path);
    pb->offset = file->offset;
    pb->device = file->device;
    pb->inode = file->inode;
    return pb;
}

static void direct_to_pb(const struct message *m, struct encoding *e)
{
    wire__direct__init(&e->direct);
    e->direct.ticket = m->direct.ticket;
    e->direct.engine = m->direct.engine;
    e->direct.op = (Wire__DirectOp)m->direct.op;
    e->direct.name = wire_chars(m->direct.name);
    e->direct.total = m->direct.total;
    e->direct.data = wire_bytes(m->direct.data, m->direct.data_bytes);
    e->direct.more = m->direct.more;
    e->direct.machine = m->direct.machine;
    e->direct.filled = m->direct.filled;
    e->direct.file = file_to_pb(&m->direct.file, &e->shared_file);
    e->direct.limit_ms = (uint64_t)m->direct.limit_ms;
}

static void direct_end_to_pb(const struct message *m, struct encoding *e)
{
    wire__direct_end__init(&e->direct_end);
    e->direct_end.ticket = m->direct_end.ticket;
    e->direct_end.reason = (Wire__Reason)m->direct_end.reason;
    e->direct_end.code = m->direct_end.code;
    e->direct_end.text = wire_chars(m->direct_end.text);
    e->direct_end.total = m->direct_end.total;
    e->direct_end.data = wire_bytes(m->direct_end.data, m->direct_end.data_bytes);
    e->direct_end.more = m->direct_end.more;
    e->direct_end.wall_us = m->direct_end.wall_us;
    e->direct_end.file = file_to_pb(&m->direct_end.file, &e->shared_file);
}

static void direct_ack_to_pb(const struct message *m, struct encoding *e)
{
    wire__direct_ack__init(&e->direct_ack);
    e->direct_ack.ticket = m->direct_ack.ticket;
    e->direct_ack.bytes = m->direct_ack.bytes;
    e->direct_ack.file = file_to_pb(&m->direct_ack.file, &e->shared_file);
}

static void blob_to_pb(const struct message *m, struct encoding *e)
{
    wire__blob__init(&e->blob);
    e->blob.blob = m->blob.blob;
    e->blob.offset = m->blob.offset;
    e->blob.total = m->blob.total;
    e->blob.data = wire_bytes(m->blob.data, m->blob.data_bytes);
}

static void blob_want_to_pb(const struct message *m, struct encoding *e)
{
    wire__blob_want__init(&e->blob_want);
    e->blob_want.blob = m->blob_want.blob;
    e->blob_want.offset = m->blob_want.offset;
    e->blob_want.parts = m->blob_want.parts;
}

static void blob_ack_to_pb(const struct message *m, struct encoding *e)
{
    wire__blob_ack__init(&e->blob_ack);
    e->blob_ack.blob = m->blob_ack.blob;
    e->blob_ack.offset = m->blob_ack.offset;
    e->blob_ack.done = m->blob_ack.done;
    e->blob_ack.code = m->blob_ack.code;
    e->blob_ack.text = wire_chars(m->blob_ack.text);
}

static void control_to_pb(const struct message *m, struct encoding *e)
{
    wire__control__init(&e->control);
    e->control.request = m->control.request;
    e->control.verb = (Wire__Verb)m->control.verb;
    e->control.name = wire_chars(m->control.name);
    e->control.number = m->control.number;
    e->control.flag = m->control.flag;
}

static void watch_to_pb(const struct message *m, struct encoding *e)
{
    wire__watch__init(&e->watch);
    e->watch.request = m->watch.request;
}

static void drain_to_pb(const struct message *m, struct encoding *e)
{
    wire__drain__init(&e->drain);
    e->drain.grace_ms = wire_ms(m->drain.grace_ms);
}

static Wire__Engine **engines_of(const struct engine_info *engines, size_t n, struct encoding *e)
{
    void **pointers = NULL;

    if (n == 0)
        return NULL;
    Wire__Engine *pb = wire_elements(e, n, sizeof *pb, &pointers);
    for (size_t i = 0; i < n; i++) {
        wire__engine__init(&pb[i]);
        pb[i].slot = engines[i].slot;
        pb[i].pid = engines[i].pid;
        pb[i].restarts = engines[i].restarts;
        pb[i].state = (Wire__EngineState)engines[i].state;
        pb[i].reason = wire_chars(engines[i].reason);
        pb[i].functions = wire_chars(engines[i].functions);
        pb[i].engine = engines[i].engine;
        pb[i].worker = engines[i].worker;
    }
    return (Wire__Engine **)pointers;
}

static void engines_to_pb(const struct message *m, struct encoding *e)
{
    wire__engines__init(&e->engines);
    e->engines.n_engines = m->engines.n;
    e->engines.engines = engines_of(m->engines.engines, m->engines.n, e);
}

static void worker_to_pb(const struct farm_worker *w, Wire__FarmWorker *pb)
{
    wire__farm_worker__init(pb);
    pb->id = w->id.n;
    pb->name = wire_chars(w->name);
    pb->host = wire_chars(w->host);
    pb->state = (Wire__WorkerState)w->state;
    pb->pid = w->pid;
    pb->slots = w->slots;
    pb->slots_busy = w->slots_busy;
    pb->queued = w->queued;
    pb->memory_mib = w->memory_mib;
    pb->n_done = w->n_done;
    pb->since_ms = wire_ms(w->since_ms);
    pb->end_ms = wire_ms(w->end_ms);
    pb->labels = wire_chars(w->labels);
    pb->resources = wire_chars(w->resources);
    pb->why = wire_chars(w->why);
}

static Wire__FarmWorker **workers_of(const struct message *m, struct encoding *e)
{
    void **pointers = NULL;

    if (m->farm.n_workers == 0)
        return NULL;
    Wire__FarmWorker *pb = wire_elements(e, m->farm.n_workers, sizeof *pb, &pointers);
    for (size_t i = 0; i < m->farm.n_workers; i++)
        worker_to_pb(&m->farm.workers[i], &pb[i]);
    return (Wire__FarmWorker **)pointers;
}

struct study_and_counts {
    Wire__FarmStudy study;
    Wire__Counts counts;
};

static Wire__FarmStudy **studies_of(const struct message *m, struct encoding *e)
{
    void **pointers = NULL;

    if (m->farm.n_studies == 0)
        return NULL;
    struct study_and_counts *pb = wire_elements(e, m->farm.n_studies, sizeof *pb, &pointers);
    for (size_t i = 0; i < m->farm.n_studies; i++) {
        const struct farm_study *s = &m->farm.studies[i];
        wire__farm_study__init(&pb[i].study);
        pb[i].study.id = s->id.n;
        pb[i].study.name = wire_chars(s->name);
        pb[i].study.state = (Wire__StudyState)s->state;
        pb[i].study.priority = s->priority;
        pb[i].study.weight = s->weight;
        pb[i].study.running_max = s->running_max;
        pb[i].study.submitted_ms = wire_ms(s->submitted_ms);
        wire_counts_to_pb(&s->counts, &pb[i].counts);
        pb[i].study.counts = &pb[i].counts;
    }
    return (Wire__FarmStudy **)pointers;
}

static void farm_to_pb(const struct message *m, struct encoding *e)
{
    wire__farm__init(&e->farm);
    e->farm.request = m->farm.request;
    e->farm.n_workers = m->farm.n_workers;
    e->farm.workers = workers_of(m, e);
    e->farm.n_engines = m->farm.n_engines;
    e->farm.engines = engines_of(m->farm.engines, m->farm.n_engines, e);
    e->farm.n_studies = m->farm.n_studies;
    e->farm.studies = studies_of(m, e);
    e->farm.since_ms = wire_ms(m->farm.since_ms);
    e->farm.n_clients = m->farm.n_clients;
    e->farm.n_leases = m->farm.n_leases;
    e->farm.n_ended = m->farm.n_ended;
}

bool wire_farm_to_pb(const struct message *m, struct encoding *e)
{
    static void (*const to_pb[N_MESSAGE_KINDS])(const struct message *, struct encoding *) = {
        [MSG_DIRECT] = direct_to_pb,
        [MSG_DIRECT_END] = direct_end_to_pb,
        [MSG_DIRECT_ACK] = direct_ack_to_pb,
        [MSG_BLOB] = blob_to_pb,
        [MSG_BLOB_WANT] = blob_want_to_pb,
        [MSG_BLOB_ACK] = blob_ack_to_pb,
        [MSG_CONTROL] = control_to_pb,
        [MSG_WATCH] = watch_to_pb,
        [MSG_FARM] = farm_to_pb,
        [MSG_DRAIN] = drain_to_pb,
        [MSG_ENGINES] = engines_to_pb,
        [MSG_LOOK] = wire_look_to_pb,
        [MSG_LOOKED] = wire_looked_to_pb,
    };

    if (!to_pb[m->kind])
        return false;
    to_pb[m->kind](m, e);
    return true;
}

/* ---- from protobuf */

static enum err file_from_pb(const Wire__SharedFile *pb, struct shared_file *file, struct fault *f)
{
    *file = (struct shared_file){ .path = "" };
    if (!pb || !pb->path.len)
        return ERR_NONE;
    file->offset = pb->offset;
    file->device = pb->device;
    file->inode = pb->inode;
    return wire_text(&pb->path, PATH_MAX, "the path of a file", &file->path, f);
}

static enum err direct_from_pb(const Wire__Direct *pb, struct message *m, struct fault *f)
{
    m->direct.ticket = pb->ticket;
    m->direct.engine = pb->engine;
    m->direct.op = (enum direct_op)pb->op;
    m->direct.total = pb->total;
    m->direct.data = pb->data.data;
    m->direct.data_bytes = pb->data.len;
    m->direct.more = pb->more;
    m->direct.machine = pb->machine;
    m->direct.filled = pb->filled;
    CHECK(wire_at_most(pb->filled, BLOB_BYTES_MAX, "a payload", f));
    CHECK(file_from_pb(pb->file, &m->direct.file, f));
    CHECK(wire_at_most(pb->limit_ms, INT64_MAX / 4, "a time limit", f));
    m->direct.limit_ms = (ms_t)pb->limit_ms;
    CHECK(wire_is_set(pb->ticket, "a ticket", f));
    if ((unsigned)pb->op >= N_DIRECT_OPS)
        REFUSE(f, ERR_MALFORMED, "a direct call of kind %d", (int)pb->op);
    CHECK(wire_at_most(pb->total, BLOB_BYTES_MAX, "a payload", f));
    CHECK(wire_at_most(pb->data.len, BLOB_PART_BYTES, "a part", f));
    return wire_text(&pb->name, NAME_BYTES_MAX, "the name of a function", &m->direct.name, f);
}

static enum err direct_end_from_pb(const Wire__DirectEnd *pb, struct message *m, struct fault *f)
{
    m->direct_end.ticket = pb->ticket;
    m->direct_end.reason = (enum end_reason)pb->reason;
    m->direct_end.code = pb->code;
    m->direct_end.total = pb->total;
    m->direct_end.data = pb->data.data;
    m->direct_end.data_bytes = pb->data.len;
    m->direct_end.more = pb->more;
    m->direct_end.wall_us = pb->wall_us;
    CHECK(wire_is_set(pb->ticket, "a ticket", f));
    CHECK(file_from_pb(pb->file, &m->direct_end.file, f));
    if ((unsigned)pb->reason >= N_END_REASONS)
        REFUSE(f, ERR_MALFORMED, "an end for reason %d", (int)pb->reason);
    CHECK(wire_at_most(pb->total, BLOB_BYTES_MAX, "a result", f));
    CHECK(wire_at_most(pb->data.len, BLOB_PART_BYTES, "a part", f));
    return wire_text(&pb->text, WIRE_NOTICE_BYTES_MAX, "the error of a call", &m->direct_end.text,
                     f);
}

static enum err direct_ack_from_pb(const Wire__DirectAck *pb, struct message *m, struct fault *f)
{
    m->direct_ack.ticket = pb->ticket;
    m->direct_ack.bytes = pb->bytes;
    CHECK(wire_at_most(pb->bytes, BLOB_BYTES_MAX, "an offset", f));
    CHECK(file_from_pb(pb->file, &m->direct_ack.file, f));
    return wire_is_set(pb->ticket, "a ticket", f);
}

static enum err blob_from_pb(const Wire__Blob *pb, struct message *m, struct fault *f)
{
    m->blob.blob = pb->blob;
    m->blob.offset = pb->offset;
    m->blob.total = pb->total;
    m->blob.data = pb->data.data;
    m->blob.data_bytes = pb->data.len;
    CHECK(wire_is_set(pb->blob, "a blob", f));
    CHECK(wire_is_set(pb->total, "the length of a blob", f));
    CHECK(wire_at_most(pb->total, BLOB_BYTES_MAX, "the length of a blob", f));
    CHECK(wire_at_most(pb->data.len, BLOB_PART_BYTES, "a part", f));
    CHECK(wire_at_most(pb->offset, pb->total, "the offset of a part", f));
    return wire_at_most(pb->data.len, pb->total - pb->offset, "the part of a blob", f);
}

static enum err blob_want_from_pb(const Wire__BlobWant *pb, struct message *m, struct fault *f)
{
    m->blob_want.blob = pb->blob;
    m->blob_want.offset = pb->offset;
    m->blob_want.parts = pb->parts;
    CHECK(wire_is_set(pb->blob, "a blob", f));
    CHECK(wire_at_most(pb->offset, BLOB_BYTES_MAX, "an offset", f));
    CHECK(wire_is_set(pb->parts, "the number of parts", f));
    return wire_at_most(pb->parts, BLOB_WINDOW, "the number of parts", f);
}

static enum err blob_ack_from_pb(const Wire__BlobAck *pb, struct message *m, struct fault *f)
{
    m->blob_ack.blob = pb->blob;
    m->blob_ack.offset = pb->offset;
    m->blob_ack.done = pb->done;
    m->blob_ack.code = pb->code;
    CHECK(wire_is_set(pb->blob, "a blob", f));
    CHECK(wire_at_most(pb->offset, BLOB_BYTES_MAX, "an offset", f));
    return wire_text(&pb->text, WIRE_NOTICE_BYTES_MAX, "the text of a refusal", &m->blob_ack.text,
                     f);
}

static enum err control_from_pb(const Wire__Control *pb, struct message *m, struct fault *f)
{
    m->control.request = pb->request;
    m->control.verb = (enum control_verb)pb->verb;
    m->control.number = pb->number;
    m->control.flag = pb->flag;
    CHECK(wire_is_set(pb->request, "a request", f));
    if ((unsigned)pb->verb < CONTROL_DRAIN || (unsigned)pb->verb >= N_CONTROL_VERBS)
        REFUSE(f, ERR_MALFORMED, "a verb %d that is not known", (int)pb->verb);
    return wire_text(&pb->name, NAME_BYTES_MAX, "a name", &m->control.name, f);
}

static enum err engine_list(Wire__Engine *const *pb, size_t n, size_t n_workers,
                            struct arena *arena, const struct engine_info **engines,
                            struct fault *f)
{
    struct engine_info *to = arena_alloc(arena, (n + 1) * sizeof *to);

    if (!to)
        return wire_no_memory(f);
    for (size_t i = 0; i < n; i++) {
        CHECK(wire_at_most(pb[i]->slot, SLOTS_MAX - 1, "a slot", f));
        if ((unsigned)pb[i]->state >= N_ENGINE_STATES)
            REFUSE(f, ERR_MALFORMED, "an engine in state %d", (int)pb[i]->state);
        if (n_workers && pb[i]->worker >= n_workers)
            REFUSE(f, ERR_MALFORMED, "an engine of no worker");
        to[i] = (struct engine_info){ .slot = pb[i]->slot,
                                      .pid = pb[i]->pid,
                                      .restarts = pb[i]->restarts,
                                      .state = (enum engine_state)pb[i]->state,
                                      .engine = pb[i]->engine,
                                      .worker = pb[i]->worker };
        CHECK(wire_text(&pb[i]->reason, WIRE_NOTICE_BYTES_MAX, "a reason", &to[i].reason, f));
        CHECK(wire_text(&pb[i]->functions, WIRE_NOTICE_BYTES_MAX, "the names of functions",
                        &to[i].functions, f));
    }
    *engines = to;
    return ERR_NONE;
}

static enum err engines_from_pb(const Wire__Engines *pb, struct message *m, struct fault *f)
{
    CHECK(wire_at_most(pb->n_engines, SLOTS_MAX, "the number of engines", f));
    m->engines.n = pb->n_engines;
    return engine_list(pb->engines, pb->n_engines, 0, m->arena, &m->engines.engines, f);
}

static enum err worker_from_pb(const Wire__FarmWorker *pb, struct farm_worker *w, struct fault *f)
{
    *w = (struct farm_worker){ .id = { pb->id },
                               .state = (enum worker_state)pb->state,
                               .pid = pb->pid,
                               .slots = pb->slots,
                               .slots_busy = pb->slots_busy,
                               .queued = pb->queued,
                               .memory_mib = pb->memory_mib,
                               .n_done = pb->n_done,
                               .since_ms = (ms_t)pb->since_ms,
                               .end_ms = (ms_t)pb->end_ms };
    if ((unsigned)pb->state >= N_WORKER_STATES)
        REFUSE(f, ERR_MALFORMED, "a worker in state %d", (int)pb->state);
    CHECK(wire_at_most(pb->since_ms, WIRE_TIME_MAX, "a time", f));
    CHECK(wire_at_most(pb->end_ms, INT64_MAX, "a time", f));
    CHECK(wire_text(&pb->name, NAME_BYTES_MAX, "a name", &w->name, f));
    CHECK(wire_text(&pb->host, NAME_BYTES_MAX, "the name of a host", &w->host, f));
    CHECK(wire_text(&pb->labels, WIRE_NOTICE_BYTES_MAX, "labels", &w->labels, f));
    CHECK(wire_text(&pb->why, WIRE_NOTICE_BYTES_MAX, "a reason", &w->why, f));
    return wire_text(&pb->resources, WIRE_NOTICE_BYTES_MAX, "resources", &w->resources, f);
}

static enum err study_from_pb(const Wire__FarmStudy *pb, struct farm_study *s, struct fault *f)
{
    *s = (struct farm_study){ .id = { pb->id },
                              .state = (enum study_state)pb->state,
                              .priority = pb->priority,
                              .weight = pb->weight,
                              .running_max = pb->running_max,
                              .submitted_ms = (ms_t)pb->submitted_ms };
    if ((unsigned)pb->state > STUDY_ENDED)
        REFUSE(f, ERR_MALFORMED, "a study in state %d", (int)pb->state);
    CHECK(wire_at_most(pb->submitted_ms, WIRE_TIME_MAX, "a time", f));
    wire_counts_from_pb(pb->counts, &s->counts);
    return wire_text(&pb->name, NAME_BYTES_MAX, "the name of a study", &s->name, f);
}

static enum err farm_from_pb(const Wire__Farm *pb, struct message *m, struct fault *f)
{
    CHECK(wire_at_most(pb->n_workers, WORKERS_MAX, "the number of workers", f));
    CHECK(wire_at_most(pb->n_engines, ENGINES_MAX, "the number of engines", f));
    CHECK(wire_at_most(pb->n_studies, STUDIES_MESSAGE_MAX, "the number of studies", f));
    CHECK(wire_at_most(pb->since_ms, WIRE_TIME_MAX, "a time", f));
    if (pb->n_engines && !pb->n_workers)
        REFUSE(f, ERR_MALFORMED, "engines without a worker");
    struct farm_worker *workers = arena_alloc(m->arena, (pb->n_workers + 1) * sizeof *workers);
    struct farm_study *studies = arena_alloc(m->arena, (pb->n_studies + 1) * sizeof *studies);
    if (!workers || !studies)
        return wire_no_memory(f);
    for (size_t i = 0; i < pb->n_workers; i++)
        CHECK(worker_from_pb(pb->workers[i], &workers[i], f));
    for (size_t i = 0; i < pb->n_studies; i++)
        CHECK(study_from_pb(pb->studies[i], &studies[i], f));
    m->farm.request = pb->request;
    m->farm.workers = workers;
    m->farm.n_workers = pb->n_workers;
    m->farm.studies = studies;
    m->farm.n_studies = pb->n_studies;
    m->farm.n_engines = pb->n_engines;
    m->farm.since_ms = (ms_t)pb->since_ms;
    m->farm.n_clients = pb->n_clients;
    m->farm.n_leases = pb->n_leases;
    m->farm.n_ended = pb->n_ended;
    return engine_list(pb->engines, pb->n_engines, pb->n_workers, m->arena, &m->farm.engines, f);
}

enum err wire_farm_from_pb(const Wire__Envelope *e, struct message *m, struct fault *f)
{
    switch (m->kind) {
    case MSG_DIRECT:
        return direct_from_pb(e->direct, m, f);
    case MSG_DIRECT_END:
        return direct_end_from_pb(e->direct_end, m, f);
    case MSG_DIRECT_ACK:
        return direct_ack_from_pb(e->direct_ack, m, f);
    case MSG_BLOB:
        return blob_from_pb(e->blob, m, f);
    case MSG_BLOB_WANT:
        return blob_want_from_pb(e->blob_want, m, f);
    case MSG_BLOB_ACK:
        return blob_ack_from_pb(e->blob_ack, m, f);
    case MSG_CONTROL:
        return control_from_pb(e->control, m, f);
    case MSG_WATCH:
        m->watch.request = e->watch->request;
        return wire_is_set(e->watch->request, "a request", f);
    case MSG_FARM:
        return farm_from_pb(e->farm, m, f);
    case MSG_DRAIN:
        m->drain.grace_ms = (ms_t)e->drain->grace_ms;
        return wire_at_most(e->drain->grace_ms, INT64_MAX, "a duration", f);
    case MSG_ENGINES:
        return engines_from_pb(e->engines, m, f);
    case MSG_LOOK:
        return wire_look_from_pb(e->look, m, f);
    case MSG_LOOKED:
        return wire_looked_from_pb(e->looked, m, f);
    default:
        REFUSE(f, ERR_MALFORMED, "a message of a kind that this version does not know");
    }
}

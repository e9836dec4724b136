/* wire_decode - protobuf objects -> struct message, after checking all of it. Texts, bytes and
 * arrays of numbers stay where protobuf-c put them in the arena; arrays of objects become arrays of
 * our structs. */
#include <string.h>

#include "proto/wire.h"
#include "proto/wire_inner.h"

enum {
    HELD_MAX =
        1 << 16, /* leases that one worker names: SLOTS_MAX + GRANTS_MAX outstanding, generously */
    ASSIGN_MAX = SLOTS_MAX + GRANTS_MAX, /* leases in one message: all that a worker may have */
};

enum err wire_text(const ProtobufCBinaryData *b, size_t max, const char *what, const char **text,
                   struct fault *f)
{
    *text = "";
    if (b->len == 0)
        return ERR_NONE;
    if (b->len > max)
        REFUSE(f, ERR_LIMIT, "%s of %zu bytes; at most %zu are allowed", what, b->len, max);
    if (memchr(b->data, 0, b->len))
        REFUSE(f, ERR_MALFORMED, "%s with a zero byte", what);
    *text = (const char *)b->data; /* the arena put a zero byte behind it */
    return ERR_NONE;
}

enum err wire_is_set(uint64_t id, const char *what, struct fault *f)
{
    return id ? ERR_NONE : fault_set(f, ERR_MALFORMED, "%s is 0", what);
}

enum err wire_at_most(uint64_t n, uint64_t max, const char *what, struct fault *f)
{
    if (n <= max)
        return ERR_NONE;
    return fault_set(f, ERR_LIMIT, "%s is %llu; at most %llu is allowed", what,
                     (unsigned long long)n, (unsigned long long)max);
}

enum err wire_no_memory(struct fault *f)
{
    return fault_set(f, ERR_LIMIT, "a message that unpacks to too much");
}

enum err wire_list(const ProtobufCBinaryData *pb, size_t n, size_t max, const char *what,
                   struct arena *a, const char *const **texts, struct fault *f)
{
    *texts = NULL;
    if (n == 0)
        return ERR_NONE;
    const char **to = arena_alloc(a, n * sizeof *to);
    if (!to)
        return wire_no_memory(f);
    for (size_t i = 0; i < n; i++) {
        CHECK(wire_text(&pb[i], max, what, &to[i], f));
        if (!*to[i])
            REFUSE(f, ERR_MALFORMED, "%s that is empty", what);
    }
    *texts = to;
    return ERR_NONE;
}

static enum err study_name(const ProtobufCBinaryData *b, const char **name, struct fault *f)
{
    CHECK(wire_text(b, NAME_BYTES_MAX, "the name of a study", name, f));
    return **name ? ERR_NONE : fault_set(f, ERR_MALFORMED, "a study without a name");
}

static enum err held_from_pb(Wire__Held *const *pb, size_t n, struct arena *a,
                             const struct held_lease **held, struct fault *f)
{
    *held = NULL;
    if (n == 0)
        return ERR_NONE;
    CHECK(wire_at_most(n, HELD_MAX, "the number of leases of a worker", f));
    struct held_lease *to = arena_alloc(a, n * sizeof *to);
    if (!to)
        return wire_no_memory(f);
    for (size_t i = 0; i < n; i++) {
        CHECK(wire_is_set(pb[i]->lease, "a lease", f));
        CHECK(wire_is_set(pb[i]->task, "a task", f));
        if ((unsigned)pb[i]->state > HOLD_FINISHED)
            REFUSE(f, ERR_MALFORMED, "a lease in state %d", (int)pb[i]->state);
        CHECK(wire_at_most(pb[i]->elapsed_ms, WIRE_TIME_MAX, "a duration", f));
        to[i] = (struct held_lease){ .lease = { pb[i]->lease },
                                     .task = { pb[i]->task },
                                     .state = (enum hold_state)pb[i]->state,
                                     .elapsed_ms = (ms_t)pb[i]->elapsed_ms };
    }
    *held = to;
    return ERR_NONE;
}

/* offers - what a worker has beside slots. */
static enum err offers(const Wire__Hello *pb, struct message *m, struct fault *f)
{
    size_t n = pb->n_resources;

    CHECK(wire_at_most(pb->n_labels, LABELS_MAX, "the number of labels", f));
    CHECK(wire_at_most(pb->n_functions, WORKER_FUNCTIONS_MAX, "the number of functions", f));
    CHECK(wire_at_most(n, RESOURCES_MAX, "the number of resources", f));
    CHECK(wire_at_most(pb->end_ms, INT64_MAX, "a time", f));
    CHECK(wire_list(pb->labels, pb->n_labels, LABEL_BYTES_MAX, "a label", m->arena,
                    &m->hello.labels, f));
    CHECK(wire_list(pb->functions, pb->n_functions, NAME_BYTES_MAX, "the name of a function",
                    m->arena, &m->hello.functions, f));
    m->hello.n_labels = pb->n_labels;
    m->hello.n_functions = pb->n_functions;
    m->hello.end_ms = (ms_t)pb->end_ms;
    struct resource *to = arena_alloc(m->arena, (n + 1) * sizeof *to);
    if (!to)
        return wire_no_memory(f);
    for (size_t i = 0; i < n; i++) {
        const char *name;
        CHECK(wire_text(&pb->resources[i]->name, RESOURCE_NAME_MAX, "the name of a resource", &name,
                        f));
        if (!*name)
            REFUSE(f, ERR_MALFORMED, "a resource without a name");
        memset(&to[i], 0, sizeof to[i]);
        memcpy(to[i].name, name, strlen(name));
        to[i].amount = pb->resources[i]->amount;
    }
    m->hello.resources = to;
    m->hello.n_resources = n;
    return ERR_NONE;
}

/* Another version's hello is good for telling it so, and for nothing else: the rest is left empty.
 */
static enum err hello(const Wire__Hello *pb, struct message *m, struct fault *f)
{
    m->hello.version = pb->version;
    m->hello.role = ROLE_CLIENT;
    m->hello.name = m->hello.host = "";
    CHECK(wire_text(&pb->program, NAME_BYTES_MAX, "the name of a program", &m->hello.program, f));
    if (pb->version != WIRE_VERSION)
        return ERR_NONE;
    if (pb->role != WIRE__ROLE__CLIENT && pb->role != WIRE__ROLE__WORKER)
        REFUSE(f, ERR_MALFORMED, "a hello from role %d", (int)pb->role);
    m->hello.role = (enum role)pb->role;
    m->hello.instance = pb->instance;
    CHECK(wire_is_set(pb->instance, "the instance of a hello", f));
    CHECK(wire_text(&pb->name, NAME_BYTES_MAX, "a name", &m->hello.name, f));
    CHECK(wire_text(&pb->host, NAME_BYTES_MAX, "the name of a host", &m->hello.host, f));
    m->hello.pid = pb->pid;
    m->hello.slots = pb->slots;
    m->hello.memory_mib = pb->memory_mib;
    CHECK(wire_at_most(pb->slots, SLOTS_MAX, "the number of slots", f));
    if (pb->role == WIRE__ROLE__WORKER) {
        CHECK(wire_is_set(pb->slots, "the number of slots", f));
        if (!*m->hello.name)
            REFUSE(f, ERR_MALFORMED, "a worker without a name");
    }
    CHECK(offers(pb, m, f));
    m->hello.n_held = pb->n_held;
    return held_from_pb(pb->held, pb->n_held, m->arena, &m->hello.held, f);
}

static enum err welcome(const Wire__Welcome *pb, struct message *m, struct fault *f)
{
    m->welcome.version = pb->version;
    m->welcome.owner = "";
    CHECK(wire_text(&pb->program, NAME_BYTES_MAX, "the name of a program", &m->welcome.program, f));
    if (pb->version != WIRE_VERSION)
        return ERR_NONE;
    m->welcome.epoch = pb->epoch;
    m->welcome.worker.n = pb->worker;
    return wire_text(&pb->owner, NAME_BYTES_MAX, "the name of an owner", &m->welcome.owner, f);
}

static enum err refused(const Wire__Refused *pb, struct message *m, struct fault *f)
{
    m->refused.request = pb->request;
    m->refused.code = pb->code;
    CHECK(wire_is_set(pb->code, "the code of a refusal", f));
    return wire_text(&pb->text, WIRE_NOTICE_BYTES_MAX, "the text of a refusal", &m->refused.text,
                     f);
}

static enum err reply(const Wire__Reply *pb, struct message *m, struct fault *f)
{
    m->reply.request = pb->request;
    m->reply.n = pb->n;
    return wire_is_set(pb->request, "a request", f);
}

static enum err submit(const Wire__Submit *pb, struct message *m, struct fault *f)
{
    m->submit.request = pb->request;
    CHECK(wire_is_set(pb->request, "a request", f));
    CHECK(wire_text(&pb->study, NAME_BYTES_MAX, "the name of a study", &m->submit.study, f));
    const char *spec;
    CHECK(wire_text(&pb->spec, SPEC_BYTES_MAX, "a study", &spec, f));
    m->submit.spec = spec;
    m->submit.spec_bytes = pb->spec.len;
    m->submit.resume = pb->resume;
    m->submit.retry_failed = pb->retry_failed;
    m->submit.fresh = pb->fresh;
    m->submit.again = pb->again;
    if (pb->resume && !*m->submit.study)
        REFUSE(f, ERR_MALFORMED, "a study to resume without a name");
    if (pb->resume ? pb->spec.len != 0 : pb->spec.len == 0)
        REFUSE(f, ERR_MALFORMED, "%s",
               pb->resume ? "a study to resume that is handed over too"
                          : "a submission without a study");
    return ERR_NONE;
}

static enum err hold(const Wire__Hold *pb, struct message *m, struct fault *f)
{
    m->hold.request = pb->request;
    m->hold.now = pb->now;
    CHECK(wire_is_set(pb->request, "a request", f));
    return study_name(&pb->study, &m->hold.study, f);
}

/* points - of cancel and retry. */
static enum err points(const Wire__Points *pb, const char **study, struct fault *f)
{
    CHECK(wire_is_set(pb->request, "a request", f));
    CHECK(study_name(&pb->study, study, f));
    CHECK(wire_at_most(pb->n_index, POINTS_MAX, "the number of points", f));
    if (pb->all && pb->n_index)
        REFUSE(f, ERR_MALFORMED, "both all points and some");
    for (size_t i = 0; i < pb->n_index; i++)
        CHECK(wire_at_most(pb->index[i], POINTS_MAX - 1, "the index of a point", f));
    return ERR_NONE;
}

static enum err cancel(const Wire__Points *pb, struct message *m, struct fault *f)
{
    m->cancel.request = pb->request;
    m->cancel.all = pb->all;
    m->cancel.array.n = pb->array;
    m->cancel.index = pb->index;
    m->cancel.n = pb->n_index;
    return points(pb, &m->cancel.study, f);
}

static enum err retry(const Wire__Points *pb, struct message *m, struct fault *f)
{
    m->retry.request = pb->request;
    m->retry.failed = pb->all;
    m->retry.array.n = pb->array;
    m->retry.index = pb->index;
    m->retry.n = pb->n_index;
    return points(pb, &m->retry.study, f);
}

static enum err follow(const Wire__Follow *pb, struct message *m, struct fault *f)
{
    m->follow.request = pb->request;
    CHECK(wire_is_set(pb->request, "a request", f));
    return study_name(&pb->study, &m->follow.study, f);
}

void wire_counts_from_pb(const Wire__Counts *pb, struct counts *c)
{
    if (!pb)
        return; /* proto3: all zero */
    *c = (struct counts){ .n = pb->n,
                          .ready = pb->ready,
                          .waiting = pb->waiting,
                          .running = pb->running,
                          .done = pb->done,
                          .failed = pb->failed,
                          .cancelled = pb->cancelled,
                          .skipped = pb->skipped,
                          .quarantined = pb->quarantined,
                          .reused = pb->reused,
                          .lost = pb->lost,
                          .blocked = pb->blocked,
                          .unmet = pb->unmet,
                          .warned = pb->warned };
}

static enum err submitted(const Wire__Submitted *pb, struct message *m, struct fault *f)
{
    m->submitted.request = pb->request;
    m->submitted.id.n = pb->id;
    m->submitted.array.n = pb->array;
    m->submitted.first.n = pb->first;
    m->submitted.template_changed = pb->template_changed;
    wire_counts_from_pb(pb->counts, &m->submitted.counts);
    CHECK(wire_is_set(pb->request, "a request", f));
    CHECK(wire_is_set(pb->id, "a study", f));
    CHECK(wire_is_set(pb->array, "an array", f));
    CHECK(wire_is_set(pb->first, "a task", f));
    return study_name(&pb->study, &m->submitted.study, f);
}

enum err wire_share_check(double share, struct fault *f)
{
    if (share >= 0 && share <= 1)
        return ERR_NONE;
    REFUSE(f, ERR_MALFORMED, "a share of %g; it is 0 to 1", share);
}

enum err wire_shares_from_pb(Wire__Share *const *pb, size_t n, struct arena *a,
                             const struct call_share **shares, struct fault *f)
{
    *shares = NULL;
    CHECK(wire_at_most(n, HELD_MAX, "the number of shares", f));
    if (n == 0)
        return ERR_NONE;
    struct call_share *to = arena_alloc(a, n * sizeof *to);
    if (!to)
        return wire_no_memory(f);
    for (size_t i = 0; i < n; i++) {
        CHECK(wire_share_check(pb[i]->share, f));
        CHECK(wire_text(&pb[i]->text, SHARE_TEXT_MAX, "what a call says", &to[i].text, f));
        to[i].id = pb[i]->id;
        to[i].share = pb[i]->share;
    }
    *shares = to;
    return ERR_NONE;
}

static enum err progress(const Wire__Progress *pb, struct message *m, struct fault *f)
{
    size_t n = pb->n_running;

    CHECK(study_name(&pb->study, &m->progress.study, f));
    if ((unsigned)pb->state > STUDY_ENDED)
        REFUSE(f, ERR_MALFORMED, "a study in state %d", (int)pb->state);
    m->progress.state = (enum study_state)pb->state;
    wire_counts_from_pb(pb->counts, &m->progress.counts);
    m->progress.n_workers = pb->n_workers;
    m->progress.slots = pb->slots;
    m->progress.slots_busy = pb->slots_busy;
    m->progress.limit_ms = pb->limit_ms;
    m->progress.n_running = n;
    CHECK(wire_at_most(n, RUNNING_SHOWN_MAX, "the number of running points", f));
    struct running_point *to = arena_alloc(m->arena, RUNNING_SHOWN_MAX * sizeof *to);
    if (!to)
        return wire_no_memory(f);
    for (size_t i = 0; i < n; i++) {
        CHECK(wire_at_most(pb->running[i]->index, POINTS_MAX - 1, "the index of a point", f));
        CHECK(wire_at_most(pb->running[i]->elapsed_ms, WIRE_TIME_MAX, "a duration", f));
        CHECK(wire_share_check(pb->running[i]->share, f));
        to[i] = (struct running_point){ pb->running[i]->index, (ms_t)pb->running[i]->elapsed_ms,
                                        pb->running[i]->share };
    }
    m->progress.running = to;
    return ERR_NONE;
}

static enum err spec(const Wire__Spec *pb, struct message *m, struct fault *f)
{
    const char *text;

    m->spec.array.n = pb->array;
    m->spec.first.n = pb->first;
    CHECK(wire_is_set(pb->array, "an array", f));
    CHECK(wire_is_set(pb->first, "a task", f));
    CHECK(wire_text(&pb->spec, SPEC_BYTES_MAX, "a study", &text, f));
    m->spec.spec = text;
    m->spec.spec_bytes = pb->spec.len;
    return pb->spec.len ? ERR_NONE : fault_set(f, ERR_MALFORMED, "an array without its study");
}

static enum err ids(const uint64_t *id, size_t n, const char *what, struct fault *f)
{
    for (size_t i = 0; i < n; i++)
        CHECK(wire_is_set(id[i], what, f));
    return ERR_NONE;
}

static enum err assign(const Wire__Assign *pb, struct message *m, struct fault *f)
{
    m->assign.array.n = pb->array;
    m->assign.again = pb->again;
    CHECK(wire_is_set(pb->array, "an array", f));
    CHECK(wire_at_most(pb->limit_ms, INT64_MAX, "a limit", f));
    if (pb->n_grants % 2)
        REFUSE(f, ERR_MALFORMED, "a lease without its task");
    CHECK(wire_at_most(pb->n_grants / 2, ASSIGN_MAX, "the number of leases", f));
    CHECK(ids(pb->grants, pb->n_grants, "a lease or its task", f));
    m->assign.limit_ms = (ms_t)pb->limit_ms;
    m->assign.grants = (const struct grant *)(const void *)pb->grants;
    m->assign.n = pb->n_grants / 2;
    if (!pb->n_sizes) {
        if (pb->payloads.len || pb->n_blobs)
            REFUSE(f, ERR_MALFORMED, "payloads without their sizes");
        return ERR_NONE;
    }
    if (pb->n_sizes != m->assign.n)
        REFUSE(f, ERR_MALFORMED, "%zu payloads for %zu leases", pb->n_sizes, m->assign.n);
    CHECK(wire_sizes_check(pb->sizes, pb->n_sizes, pb->payloads.len, f));
    m->assign.sizes = pb->sizes;
    m->assign.payloads = pb->payloads.data;
    m->assign.payloads_bytes = pb->payloads.len;
    return wire_blobs_from_pb(pb->blobs, pb->n_blobs, pb->sizes, m->assign.n, &m->assign.blobs,
                              &m->assign.n_blobs, f);
}

static enum err leases(const Wire__Leases *pb, struct message *m, struct fault *f)
{
    m->revoke.leases = (const lease_id *)(const void *)pb->lease;
    m->revoke.n = pb->n_lease;
    m->revoke.useless = (const lease_id *)(const void *)pb->useless;
    m->revoke.n_useless = pb->n_useless;
    return ids(pb->lease, pb->n_lease, "a lease", f);
}

static enum err recall(const Wire__Recall *pb, struct message *m, struct fault *f)
{
    m->recall.n = pb->n;
    return wire_is_set(pb->n, "the number of leases to give back", f);
}

static enum err limit(const Wire__Limit *pb, struct message *m, struct fault *f)
{
    m->limit.array.n = pb->array;
    m->limit.limit_ms = (ms_t)pb->limit_ms;
    CHECK(wire_is_set(pb->array, "an array", f));
    return wire_at_most(pb->limit_ms, INT64_MAX, "a limit", f);
}

static enum err beat(const Wire__Beat *pb, struct message *m, struct fault *f)
{
    m->beat.n_held = pb->n_held;
    m->beat.n_shares = pb->n_shares;
    CHECK(held_from_pb(pb->held, pb->n_held, m->arena, &m->beat.held, f));
    for (size_t i = 0; i < pb->n_shares; i++)
        CHECK(wire_is_set(pb->shares[i]->id, "a lease", f));
    return wire_shares_from_pb(pb->shares, pb->n_shares, m->arena, &m->beat.shares, f);
}

static enum err from_workers(const Wire__Envelope *e, struct message *m, struct fault *f);

enum err wire_from_pb(const Wire__Envelope *e, struct message *m, struct fault *f)
{
    m->kind = (enum message_kind)e->message_case;
    switch (m->kind) {
    case MSG_HELLO:
        return hello(e->hello, m, f);
    case MSG_BEAT:
        return beat(e->beat, m, f);
    case MSG_BYE:
        m->bye.down = e->bye->down;
        return ERR_NONE;
    case MSG_SHUTDOWN:
        return ERR_NONE;
    case MSG_WELCOME:
        return welcome(e->welcome, m, f);
    case MSG_REFUSED:
        return refused(e->refused, m, f);
    case MSG_REPLY:
        return reply(e->reply, m, f);
    case MSG_SUBMIT:
        return submit(e->submit, m, f);
    case MSG_HOLD:
        return hold(e->hold, m, f);
    case MSG_CANCEL:
        return cancel(e->cancel, m, f);
    case MSG_RETRY:
        return retry(e->retry, m, f);
    case MSG_FOLLOW:
        return follow(e->follow, m, f);
    case MSG_SUBMITTED:
        return submitted(e->submitted, m, f);
    case MSG_PROGRESS:
        return progress(e->progress, m, f);
    default:
        return from_workers(e, m, f);
    }
}

/* from_workers - what passes between scheduler and workers. */
static enum err from_workers(const Wire__Envelope *e, struct message *m, struct fault *f)
{
    switch (m->kind) {
    case MSG_SPEC:
        return spec(e->spec, m, f);
    case MSG_ASSIGN:
        return assign(e->assign, m, f);
    case MSG_REVOKE:
    case MSG_ACK:
    case MSG_RETURNED:
        return leases(e->revoke, m, f);
    case MSG_RECALL:
        return recall(e->recall, m, f);
    case MSG_LIMIT:
        return limit(e->limit, m, f);
    case MSG_RESULTS:
        return wire_from_results(e->results, m, f);
    case MSG_OPEN:
    case MSG_OPENED:
    case MSG_APPEND:
    case MSG_APPENDED:
    case MSG_COLLECT:
    case MSG_ENDS:
        return wire_calls_from_pb(e, m, f);
    default:
        return wire_farm_from_pb(e, m, f);
    }
}

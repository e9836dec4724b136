#include "tests/unit/wire_samples.h"

#include <stdint.h>
#include <string.h>

static const struct held_lease held[] = {
    { { (7ull << 32) | 1 }, { 1 }, HOLD_QUEUED, 0 },
    { { (7ull << 32) | 2 }, { 1ull << 40 }, HOLD_RUNNING, 61234 },
    { { UINT64_MAX }, { UINT64_MAX }, HOLD_FINISHED, WIRE_TIME_MAX },
};
static const struct grant grants[] = { { { 5 }, { 6 } }, { { UINT64_MAX }, { 1 } } };
static const lease_id leases[] = { { 1 }, { 1ull << 63 }, { 77 } };
static const uint64_t points[] = { 0, 1, 300, POINTS_MAX - 1 };
static const struct running_point running[] = { { 9, 90000, 0.5 },
                                                { 0, 1, 0 },
                                                { POINTS_MAX - 1, WIRE_TIME_MAX, 1 } };
static const struct counts counts = { .n = 55,
                                      .ready = 1,
                                      .waiting = 2,
                                      .running = 3,
                                      .done = 4,
                                      .failed = 5,
                                      .cancelled = 6,
                                      .skipped = 7,
                                      .quarantined = 8,
                                      .reused = 9,
                                      .lost = UINT64_MAX,
                                      .blocked = 10,
                                      .unmet = 6,
                                      .warned = 2 };
static const char spec[] = "{\"command\": \"./sim -T {T}\", \"factors\": {\"T\": \"280:320:10\"}}";

static const struct end_body full_body = {
    .values = "[\"280\",\"1.5\"]",
    .metrics = "{\"energy\":-1.25}",
    .error_line = "sim: \xff\xfe is not UTF-8",
    .out_file = "output/s/3.stdout",
    .err_file = "output/s/3.stderr",
    .out = "a\0b",
    .err = "\x28\xb5\x2f\xfd",
    .out_bytes = 3,
    .err_bytes = 4,
    .out_packed = false,
    .err_packed = true,
    .out_total = 1ull << 33,
    .err_total = 900,
    .dir = "points/s/3",
    .metrics_missing = METRICS_MAX,
    .result = "r\0s",
    .result_bytes = 3,
};
static const struct end_body blob_body = { .blob = UINT64_MAX, .blob_bytes = BLOB_BYTES_MAX };
static const struct end_body call_body = { .result = "forty-two", .result_bytes = 9 };
static const struct end_body empty_body = {
    .values = "", .metrics = "", .error_line = "", .out_file = "", .err_file = "", .dir = ""
};
static const struct end_row rows[] = {
    { .task = { 1 }, .lease = { 2 }, .state = TASK_DONE },
    { .task = { UINT64_MAX },
      .lease = { UINT64_MAX },
      .worker = { UINT32_MAX },
      .state = TASK_QUARANTINED,
      .reason = END_INFRA,
      .code = INT32_MIN,
      .attempts = UINT32_MAX,
      .counted = true,
      .started_ms = 1700000000000,
      .ended_ms = WIRE_TIME_MAX,
      .wall_us = WIRE_TIME_MAX,
      .user_us = 123456,
      .sys_us = 234567,
      .maxrss_kib = 345678,
      .body = &full_body },
    { .task = { 3 }, .lease = { 4 }, .reason = END_SIGNAL, .code = 9, .body = &empty_body },
    { .task = { 4 }, .lease = { 5 }, .state = TASK_DONE, .body = &blob_body },
};
static const struct end_row call_rows[] = {
    { .task = { 9 }, .lease = { 7 }, .state = TASK_DONE, .started_ms = 1700000000000 },
    { .task = { UINT64_MAX },
      .lease = { UINT64_MAX },
      .worker = { UINT32_MAX },
      .state = TASK_FAILED,
      .reason = END_SIGNAL,
      .code = INT32_MIN,
      .attempts = UINT32_MAX,
      .counted = true,
      .started_ms = 1,
      .ended_ms = WIRE_TIME_MAX,
      .wall_us = WIRE_TIME_MAX,
      .user_us = 5,
      .sys_us = 6,
      .maxrss_kib = 7,
      .body = &call_body },
    { .task = { 8 }, .lease = { 1 }, .state = TASK_DONE, .code = -1, .body = &call_body },
};
static const char *const labels[] = { "cluster=a", "fast" };
static const char *const functions[] = { "collatz" };
static const struct resource resources[] = { { "gpus", 2 }, { "licence", UINT32_MAX } };

static struct message of(enum message_kind kind)
{
    struct message m;

    memset(&m, 0, sizeof m);
    m.kind = kind;
    return m;
}

static struct message hello_worker(void)
{
    struct message m = of(MSG_HELLO);

    m.hello.role = ROLE_WORKER;
    m.hello.version = WIRE_VERSION;
    m.hello.program = "grange 0.1.0";
    m.hello.instance = 0x8000000000000001;
    m.hello.name = "node17.1";
    m.hello.host = "node17";
    m.hello.pid = 4711;
    m.hello.slots = SLOTS_MAX;
    m.hello.memory_mib = 515000;
    m.hello.held = held;
    m.hello.n_held = 3;
    m.hello.labels = labels;
    m.hello.n_labels = 2;
    m.hello.functions = functions;
    m.hello.n_functions = 1;
    m.hello.resources = resources;
    m.hello.n_resources = 2;
    m.hello.end_ms = INT64_MAX;
    return m;
}

static struct message hello_client(void)
{
    struct message m = of(MSG_HELLO);

    m.hello.role = ROLE_CLIENT;
    m.hello.version = WIRE_VERSION;
    m.hello.program = "";
    m.hello.instance = 1;
    m.hello.name = m.hello.host = "";
    return m;
}

static struct message beat(void)
{
    struct message m = of(MSG_BEAT);

    m.beat.held = held;
    m.beat.n_held = 2;
    return m;
}

static const struct call_share shares[] = { { 1, 0, "" }, { 1ull << 40, 1, "meshing 7 of 7" } };

static struct message beat_shares(void)
{
    struct message m = of(MSG_BEAT);

    m.beat.shares = shares;
    m.beat.n_shares = 2;
    return m;
}

static struct message beat_empty(void)
{
    return of(MSG_BEAT);
}

static struct message bye(void)
{
    return of(MSG_BYE);
}

static struct message bye_down(void)
{
    struct message m = of(MSG_BYE);

    m.bye.down = true;
    return m;
}

static struct message welcome(void)
{
    struct message m = of(MSG_WELCOME);

    m.welcome.version = WIRE_VERSION;
    m.welcome.program = "grange 0.1.0";
    m.welcome.epoch = 7;
    m.welcome.worker.n = 12;
    m.welcome.owner = "run 4711";
    return m;
}

static struct message refused(void)
{
    struct message m = of(MSG_REFUSED);

    m.refused.request = 9;
    m.refused.code = 2;
    m.refused.text = "no study is called 'x'; there are: a, b";
    return m;
}

static struct message reply(void)
{
    struct message m = of(MSG_REPLY);

    m.reply.request = 10;
    m.reply.n = 1000000;
    return m;
}

static struct message submit(void)
{
    struct message m = of(MSG_SUBMIT);

    m.submit.request = 1;
    m.submit.spec = spec;
    m.submit.spec_bytes = sizeof spec - 1;
    m.submit.study = "";
    m.submit.retry_failed = true;
    return m;
}

static struct message submit_resume(void)
{
    struct message m = of(MSG_SUBMIT);

    m.submit.request = UINT64_MAX;
    m.submit.study = "sweep";
    m.submit.resume = true;
    m.submit.fresh = true;
    m.submit.again = true;
    return m;
}

static struct message hold(void)
{
    struct message m = of(MSG_HOLD);

    m.hold.request = 3;
    m.hold.study = "sweep";
    m.hold.now = true;
    return m;
}

static struct message cancel(void)
{
    struct message m = of(MSG_CANCEL);

    m.cancel.request = 4;
    m.cancel.study = "sweep";
    m.cancel.index = points;
    m.cancel.n = 4;
    return m;
}

static struct message cancel_all(void)
{
    struct message m = of(MSG_CANCEL);

    m.cancel.request = 4;
    m.cancel.study = "s";
    m.cancel.all = true;
    return m;
}

static struct message retry(void)
{
    struct message m = of(MSG_RETRY);

    m.retry.request = 5;
    m.retry.study = "sweep";
    m.retry.index = points;
    m.retry.n = 2;
    return m;
}

static struct message retry_failed(void)
{
    struct message m = of(MSG_RETRY);

    m.retry.request = 5;
    m.retry.study = "sweep";
    m.retry.failed = true;
    return m;
}

static struct message follow(void)
{
    struct message m = of(MSG_FOLLOW);

    m.follow.request = 6;
    m.follow.study = "sweep";
    return m;
}

static struct message shutdown_(void)
{
    return of(MSG_SHUTDOWN);
}

static struct message submitted(void)
{
    struct message m = of(MSG_SUBMITTED);

    m.submitted.request = 1;
    m.submitted.study = "sweep";
    m.submitted.id.n = 2;
    m.submitted.array.n = 3;
    m.submitted.first.n = 1ull << 33;
    m.submitted.counts = counts;
    m.submitted.template_changed = true;
    return m;
}

static struct message progress(void)
{
    struct message m = of(MSG_PROGRESS);

    m.progress.study = "sweep";
    m.progress.state = STUDY_ENDED;
    m.progress.counts = counts;
    m.progress.n_workers = 3;
    m.progress.slots = 48;
    m.progress.slots_busy = 47;
    m.progress.limit_ms = 3600000;
    m.progress.running = running;
    m.progress.n_running = 3;
    return m;
}

static struct message spec_(void)
{
    struct message m = of(MSG_SPEC);

    m.spec.array.n = 3;
    m.spec.first.n = 1000;
    m.spec.spec = spec;
    m.spec.spec_bytes = sizeof spec - 1;
    return m;
}

static struct message assign(void)
{
    struct message m = of(MSG_ASSIGN);

    m.assign.array.n = 3;
    m.assign.limit_ms = 5000;
    m.assign.grants = grants;
    m.assign.n = 2;
    return m;
}

static struct message lease_list(enum message_kind kind, size_t n)
{
    struct message m = of(kind);

    m.revoke.leases = leases;
    m.revoke.n = n;
    return m;
}

static struct message revoke(void)
{
    return lease_list(MSG_REVOKE, 3);
}

static struct message ack(void)
{
    struct message m = lease_list(MSG_ACK, 2);

    m.ack.useless = leases + 1;
    m.ack.n_useless = 1;
    return m;
}

static struct message returned(void)
{
    return lease_list(MSG_RETURNED, 1);
}

static struct message returned_none(void)
{
    return lease_list(MSG_RETURNED, 0);
}

static struct message recall(void)
{
    struct message m = of(MSG_RECALL);

    m.recall.n = 12;
    return m;
}

static struct message limit(void)
{
    struct message m = of(MSG_LIMIT);

    m.limit.array.n = 3;
    m.limit.limit_ms = INT64_MAX;
    return m;
}

static struct message results(void)
{
    struct message m = of(MSG_RESULTS);

    m.results.rows = rows;
    m.results.n = 4;
    return m;
}

static struct message results_calls(void)
{
    struct message m = of(MSG_RESULTS);

    m.results.rows = call_rows;
    m.results.n = 3;
    return m;
}

static struct message cancel_call(void)
{
    struct message m = cancel_all();

    m.cancel.array.n = 7;
    return m;
}

static const struct {
    const char *name;
    struct message (*make)(void);
} samples[] = {
    { "hello-worker", hello_worker },
    { "hello-client", hello_client },
    { "beat", beat },
    { "beat-shares", beat_shares },
    { "beat-empty", beat_empty },
    { "bye", bye },
    { "bye-down", bye_down },
    { "welcome", welcome },
    { "refused", refused },
    { "reply", reply },
    { "submit", submit },
    { "submit-resume", submit_resume },
    { "hold", hold },
    { "cancel", cancel },
    { "cancel-all", cancel_all },
    { "retry", retry },
    { "retry-failed", retry_failed },
    { "follow", follow },
    { "shutdown", shutdown_ },
    { "submitted", submitted },
    { "progress", progress },
    { "spec", spec_ },
    { "assign", assign },
    { "revoke", revoke },
    { "recall", recall },
    { "ack", ack },
    { "limit", limit },
    { "results", results },
    { "returned", returned },
    { "returned-none", returned_none },
    { "results-calls", results_calls },
    { "cancel-call", cancel_call },
};

enum { N_SAMPLES = sizeof samples / sizeof *samples };

size_t wire_sample_count(void)
{
    return N_SAMPLES + wire_farm_sample_count();
}

const char *wire_sample(size_t i, struct message *m)
{
    if (i >= N_SAMPLES)
        return wire_farm_sample(i - N_SAMPLES, m);
    *m = samples[i].make();
    return samples[i].name;
}

/* Samples of what came with the farm: arrays of calls, engines, blobs, control. */
#include <stdint.h>
#include <string.h>

#include "tests/unit/wire_samples.h"

static const char spec[] = "{\"calls\":{\"function\":\"collatz\"}}";
static const uint64_t points[] = { 0, 1, 300, POINTS_MAX - 1 };
static const uint32_t sizes[] = { 3, 0, 5 };
static const uint8_t rules[] = { RULE_ALL, RULE_BITS, RULE_ANY };
static const struct edge edges[] = { { 0, { 1 } }, { 2, { UINT64_MAX } }, { 2, { 7 } } };
static const struct blob_ref blobs[] = { { 1, UINT64_MAX, BLOB_BYTES_MAX } };
static const struct call_extra extras[] = {
    { .error = "call 7 failed",
      .because = { 8 },
      .out = "a\0b",
      .out_bytes = 3,
      .out_packed = true,
      .out_total = 1ull << 40,
      .err_file = "output/s/3.stderr" },
    { .error = "", .blob = 77, .blob_bytes = 1 << 20, .err = "e", .err_bytes = 1, .err_total = 1 },
};
static const struct call_end ends[] = {
    { .index = 5, .state = TASK_DONE, .attempts = 1, .worker = UINT32_MAX },
    { .index = POINTS_MAX - 1,
      .state = TASK_FAILED,
      .reason = END_INFRA,
      .code = -5,
      .attempts = 3,
      .worker = 1,
      .submitted_ms = 1,
      .started_ms = 1700000000000,
      .ended_ms = WIRE_TIME_MAX,
      .wall_us = WIRE_TIME_MAX,
      .user_us = 1,
      .sys_us = 2,
      .maxrss_kib = 3,
      .extra = &extras[0] },
    { .index = 0, .state = TASK_DONE, .result = "forty-two", .result_bytes = 9, .worker = 0 },
    { .index = 1, .state = TASK_DONE, .worker = 0, .extra = &extras[1] },
};
static const struct worker_name names[] = { { "node1.1", "node1" }, { "node2.1", "" } };
static const struct engine_info engines[] = {
    { .slot = 0, .pid = 10, .state = ENGINE_BUSY, .reason = "", .functions = "collatz\necho" },
    { .slot = SLOTS_MAX - 1,
      .pid = 11,
      .restarts = 3,
      .state = ENGINE_DOWN,
      .reason = "killed by SEGV",
      .functions = "",
      .engine = 5,
      .worker = 1 },
};
static const struct farm_worker farm_workers[] = {
    { .id = { 1 },
      .name = "node1.1",
      .host = "node1",
      .pid = 4,
      .slots = 8,
      .slots_busy = 7,
      .queued = 9,
      .memory_mib = 64000,
      .n_done = 1ull << 40,
      .since_ms = 5,
      .end_ms = INT64_MAX,
      .labels = "a=b\nc",
      .why = "",
      .resources = "gpus=2" },
    { .id = { 2 },
      .name = "w",
      .host = "",
      .state = WORKER_QUARANTINED,
      .why = "9 of 10 failed within a second",
      .labels = "",
      .resources = "" },
};
static const struct farm_study farm_studies[] = {
    { .id = { 3 },
      .name = "sweep",
      .state = STUDY_HELD,
      .priority = INT32_MIN,
      .weight = 1000,
      .running_max = 4,
      .submitted_ms = 6,
      .counts = { .n = 5, .blocked = 4, .unmet = 1 } },
};

static struct message of(enum message_kind kind)
{
    struct message m;

    memset(&m, 0, sizeof m);
    m.kind = kind;
    return m;
}

static struct message assign_calls(void)
{
    struct message m = of(MSG_ASSIGN);
    static const struct grant three[] = { { { 5 }, { 6 } }, { { 6 }, { 7 } }, { { 7 }, { 8 } } };

    m.assign.array.n = 3;
    m.assign.grants = three;
    m.assign.n = 3;
    m.assign.sizes = sizes;
    m.assign.payloads = "abc\0\1\2\3\4";
    m.assign.payloads_bytes = 8;
    m.assign.blobs = blobs;
    m.assign.n_blobs = 1;
    return m;
}

static struct message open_(void)
{
    struct message m = of(MSG_OPEN);

    m.open.request = 1;
    m.open.key = "ada/2026-11-21/7";
    m.open.study = "sweep";
    m.open.spec = spec;
    m.open.spec_bytes = sizeof spec - 1;
    m.open.again = true;
    return m;
}

static struct message opened(void)
{
    struct message m = of(MSG_OPENED);

    m.opened.request = 1;
    m.opened.study = "sweep";
    m.opened.id.n = 1;
    m.opened.array.n = 2;
    m.opened.first.n = 3;
    m.opened.n = POINTS_MAX;
    m.opened.closed = true;
    return m;
}

static struct message append(void)
{
    struct message m = of(MSG_APPEND);

    m.append.request = 2;
    m.append.array.n = 2;
    m.append.at = POINTS_MAX - 3;
    m.append.n = 3;
    m.append.sizes = sizes;
    m.append.payloads = "abc\0\1\2\3\4";
    m.append.payloads_bytes = 8;
    m.append.rules = rules;
    m.append.edges = edges;
    m.append.n_edges = 3;
    m.append.blobs = blobs;
    m.append.n_blobs = 1;
    m.append.close = true;
    return m;
}

static struct message append_close(void)
{
    struct message m = of(MSG_APPEND);

    m.append.request = 2;
    m.append.array.n = 2;
    m.append.close = true;
    return m;
}

static struct message appended(void)
{
    struct message m = of(MSG_APPENDED);

    m.appended.request = 2;
    m.appended.array.n = 2;
    m.appended.n = POINTS_MAX;
    m.appended.closed = true;
    return m;
}

static struct message collect(void)
{
    struct message m = of(MSG_COLLECT);

    m.collect.request = 3;
    m.collect.key = "ada/7";
    m.collect.cursor = INT64_MAX;
    m.collect.index = points;
    m.collect.n = 4;
    return m;
}

static struct message collect_stop(void)
{
    struct message m = of(MSG_COLLECT);

    m.collect.request = 3;
    m.collect.array.n = 5;
    m.collect.key = "";
    m.collect.stop = m.collect.shares = true;
    return m;
}

static struct message ends_(void)
{
    struct message m = of(MSG_ENDS);

    m.ends.array.n = 2;
    m.ends.cursor = 4711;
    m.ends.ends = ends;
    m.ends.n = 4;
    m.ends.workers = names;
    m.ends.n_workers = 2;
    return m;
}

static struct message ends_none(void)
{
    struct message m = of(MSG_ENDS);

    static const struct call_share shares[] = { { 0, 0.25, "" }, { POINTS_MAX - 1, 1, "nearly" } };

    m.ends.array.n = 2;
    m.ends.caught_up = true;
    m.ends.shares = shares;
    m.ends.n_shares = 2;
    return m;
}

static struct message direct(void)
{
    struct message m = of(MSG_DIRECT);

    m.direct.ticket = 9;
    m.direct.engine = 3;
    m.direct.op = DIRECT_PUT;
    m.direct.name = "x";
    m.direct.total = BLOB_BYTES_MAX;
    m.direct.data = "a\0b";
    m.direct.data_bytes = 3;
    m.direct.more = true;
    m.direct.machine = UINT64_MAX;
    m.direct.filled = 77;
    m.direct.file = (struct shared_file){ "/a/d", 0, 8, UINT64_MAX };
    m.direct.limit_ms = 1500;
    return m;
}

static struct message direct_end(void)
{
    struct message m = of(MSG_DIRECT_END);

    m.direct_end.ticket = 9;
    m.direct_end.reason = END_SIGNAL;
    m.direct_end.code = -11;
    m.direct_end.text = "killed by SEGV";
    m.direct_end.total = 3;
    m.direct_end.data = "a\0b";
    m.direct_end.data_bytes = 3;
    m.direct_end.more = true;
    m.direct_end.wall_us = 17;
    m.direct_end.file = (struct shared_file){ "/a/b", 4096, 5, 6 };
    return m;
}

static struct message direct_ack(void)
{
    struct message m = of(MSG_DIRECT_ACK);

    m.direct_ack.ticket = 9;
    m.direct_ack.bytes = BLOB_BYTES_MAX;
    m.direct_ack.file = (struct shared_file){ "/a/c", 0, 7, UINT64_MAX };
    return m;
}

static struct message blob(void)
{
    struct message m = of(MSG_BLOB);

    m.blob.blob = UINT64_MAX;
    m.blob.offset = BLOB_BYTES_MAX - 3;
    m.blob.total = BLOB_BYTES_MAX;
    m.blob.data = "a\0b";
    m.blob.data_bytes = 3;
    return m;
}

static struct message blob_want(void)
{
    struct message m = of(MSG_BLOB_WANT);

    m.blob_want.blob = 5;
    m.blob_want.offset = 1 << 20;
    m.blob_want.parts = BLOB_WINDOW;
    return m;
}

static struct message blob_ack(void)
{
    struct message m = of(MSG_BLOB_ACK);

    m.blob_ack.blob = 5;
    m.blob_ack.offset = 1 << 20;
    m.blob_ack.done = true;
    m.blob_ack.code = 8;
    m.blob_ack.text = "no space left";
    return m;
}

static struct message control(void)
{
    struct message m = of(MSG_CONTROL);

    m.control.request = 5;
    m.control.verb = CONTROL_DOWN;
    m.control.name = "node1.1";
    m.control.number = INT64_MIN;
    m.control.flag = true;
    return m;
}

static struct message watch(void)
{
    struct message m = of(MSG_WATCH);

    m.watch.request = 6;
    return m;
}

static struct message farm(void)
{
    struct message m = of(MSG_FARM);

    m.farm.request = 6;
    m.farm.workers = farm_workers;
    m.farm.n_workers = 2;
    m.farm.engines = engines;
    m.farm.n_engines = 2;
    m.farm.studies = farm_studies;
    m.farm.n_studies = 1;
    m.farm.since_ms = 8;
    m.farm.n_clients = 2;
    m.farm.n_leases = 3;
    m.farm.n_ended = 4;
    return m;
}

static struct message drain(void)
{
    struct message m = of(MSG_DRAIN);

    m.drain.grace_ms = INT64_MAX;
    return m;
}

static struct message engines_(void)
{
    struct message m = of(MSG_ENGINES);

    m.engines.engines = engines;
    m.engines.n = 2;
    return m;
}

static struct message look(void)
{
    static const char *const options[] = { "--format=csv", "--where=T > 3" };
    static const char *const words[] = { "sim" };
    struct message m = of(MSG_LOOK);

    m.look.request = 7;
    m.look.verb = "results";
    m.look.options = options;
    m.look.n_options = 2;
    m.look.words = words;
    m.look.n_words = 1;
    return m;
}

static struct message look_on(void)
{
    struct message m = of(MSG_LOOK);

    m.look.request = 8;
    m.look.look = 3;
    m.look.verb = "";
    return m;
}

static struct message looked(void)
{
    struct message m = of(MSG_LOOKED);

    m.looked.request = 8;
    m.looked.look = 3;
    m.looked.out = "a\0b";
    m.looked.out_bytes = 3;
    m.looked.ended = true;
    m.looked.code = -2;
    m.looked.err = "grange: no";
    m.looked.err_bytes = 10;
    return m;
}

static const struct {
    const char *name;
    struct message (*make)(void);
} samples[] = {
    { "assign-calls", assign_calls },
    { "open", open_ },
    { "opened", opened },
    { "append", append },
    { "append-close", append_close },
    { "appended", appended },
    { "collect", collect },
    { "collect-stop", collect_stop },
    { "ends", ends_ },
    { "ends-none", ends_none },
    { "direct", direct },
    { "direct-end", direct_end },
    { "direct-ack", direct_ack },
    { "blob", blob },
    { "blob-want", blob_want },
    { "blob-ack", blob_ack },
    { "control", control },
    { "watch", watch },
    { "farm", farm },
    { "drain", drain },
    { "engines", engines_ },
    { "look", look },
    { "look-on", look_on },
    { "looked", looked },
};

size_t wire_farm_sample_count(void)
{
    return sizeof samples / sizeof *samples;
}

const char *wire_farm_sample(size_t i, struct message *m)
{
    *m = samples[i].make();
    return samples[i].name;
}

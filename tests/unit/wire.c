/* wire: what is encoded comes back, what is too much is refused. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/rng.h"
#include "proto/wire.h"
#include "tests/unit/wire_same.h"
#include "tests/unit/wire_samples.h"

TestSuite(wire, .timeout = 300);

/* ---- the tests */

Test(wire, every_kind_comes_back_with_every_field)
{
    bool seen[N_MESSAGE_KINDS] = { false };

    for (size_t i = 0; i < wire_sample_count(); i++) {
        struct message m;
        struct buf b = { 0 };
        wire_sample(i, &m);
        seen[m.kind] = true;
        wire_encode(&m, &b);
        struct message back = wire_decoded(&b);
        wire_same(&m, &back);
        message_fini(&back);
        buf_fini(&b);
    }
    for (int k = 1; k < N_MESSAGE_KINDS; k++)
        cr_assert(seen[k], "no sample of %s", message_kind_name((enum message_kind)k));
}

Test(wire, encoding_appends)
{
    struct message m = { .kind = MSG_RECALL }, back;
    struct buf b = { 0 };
    struct fault f;

    m.recall.n = 3;
    buf_adds(&b, "1234");
    wire_encode(&m, &b);
    cr_assert(memcmp(b.data, "1234", 4) == 0);
    cr_assert_eq(wire_decode(b.data + 4, b.n - 4, &back, &f), ERR_NONE);
    cr_assert_eq(back.recall.n, 3);
    message_fini(&back);
    buf_fini(&b);
}

static void refused(const struct message *m, enum err want, const char *words)
{
    struct buf b = { 0 };
    struct message back;
    struct fault f = { .code = ERR_NONE };

    wire_encode(m, &b);
    cr_assert_eq(wire_decode(b.data, b.n, &back, &f), want, "%s: %s", message_kind_name(m->kind),
                 f.text);
    cr_assert(strstr(f.text, words), "'%s' lacks '%s'", f.text, words);
    buf_fini(&b);
}

static struct message sample(const char *name)
{
    struct message m = { 0 };

    for (size_t i = 0; i < wire_sample_count(); i++) {
        if (strcmp(wire_sample(i, &m), name) == 0)
            return m;
    }
    cr_assert(false, "no sample %s", name);
    return m;
}

static char *long_text(size_t n)
{
    char *text = malloc(n + 1);

    memset(text, 'x', n);
    text[n] = '\0';
    return text;
}

Test(wire, ids_are_not_zero)
{
    struct message m = sample("assign");
    struct grant grant = { { 1 }, { 0 } };

    m.assign.grants = &grant;
    m.assign.n = 1;
    refused(&m, ERR_MALFORMED, "is 0");
    m = sample("assign");
    m.assign.array.n = 0;
    refused(&m, ERR_MALFORMED, "an array is 0");
    m = sample("hello-worker");
    m.hello.instance = 0;
    refused(&m, ERR_MALFORMED, "instance");
    m = sample("ack");
    lease_id zero = { 0 };
    m.ack.leases = &zero;
    m.ack.n = 1;
    refused(&m, ERR_MALFORMED, "a lease is 0");
    m = sample("reply");
    m.reply.request = 0;
    refused(&m, ERR_MALFORMED, "a request is 0");
    m = sample("results");
    struct end_row row = { .task = { 1 } };
    m.results.rows = &row;
    m.results.n = 1;
    refused(&m, ERR_MALFORMED, "a lease is 0");
}

Test(wire, numbers_of_enums_are_known)
{
    struct message m = sample("hello-client");

    m.hello.role = (enum role)3;
    refused(&m, ERR_MALFORMED, "role 3");
    m = sample("progress");
    m.progress.state = (enum study_state)4;
    refused(&m, ERR_MALFORMED, "state 4");
    struct held_lease held = { { 1 }, { 1 }, (enum hold_state)3, 0 };
    m = sample("beat");
    m.beat.held = &held;
    m.beat.n_held = 1;
    refused(&m, ERR_MALFORMED, "state 3");
    struct end_row row = { .task = { 1 }, .lease = { 1 }, .state = (enum task_state)N_TASK_STATES };
    m = sample("results");
    m.results.rows = &row;
    m.results.n = 1;
    refused(&m, ERR_MALFORMED, "state 10");
    row.state = TASK_DONE;
    row.reason = (enum end_reason)N_END_REASONS;
    refused(&m, ERR_MALFORMED, "reason 12");
    row.body = &(struct end_body){ .error_line = "" }; /* goes another way */
    refused(&m, ERR_MALFORMED, "an end for reason 12");
    row.state = (enum task_state)N_TASK_STATES;
    refused(&m, ERR_MALFORMED, "a task in state 10");
    row.task.n = 0;
    refused(&m, ERR_MALFORMED, "an end without its task");
    row = (struct end_row){ .task = { 1 }, .body = row.body };
    refused(&m, ERR_MALFORMED, "an end without its lease");
}

Test(wire, limits_hold)
{
    char *text = long_text(NAME_BYTES_MAX + 1);
    struct message m = sample("hold");

    m.hold.study = text;
    refused(&m, ERR_LIMIT, "101 bytes; at most 100");
    m = sample("hello-worker");
    m.hello.name = text;
    refused(&m, ERR_LIMIT, "a name of 101");
    m = sample("hello-worker");
    m.hello.slots = SLOTS_MAX + 1;
    refused(&m, ERR_LIMIT, "slots");
    m = sample("cancel");
    uint64_t index = POINTS_MAX;
    m.cancel.index = &index;
    m.cancel.n = 1;
    refused(&m, ERR_LIMIT, "index of a point");
    struct running_point points[RUNNING_SHOWN_MAX + 1] = { { 0, 0, 0 } };
    m = sample("progress");
    m.progress.running = points;
    m.progress.n_running = RUNNING_SHOWN_MAX + 1;
    refused(&m, ERR_LIMIT, "running points");
    struct grant *grants = calloc(SLOTS_MAX + GRANTS_MAX + 1, sizeof *grants);
    for (size_t i = 0; i <= SLOTS_MAX + GRANTS_MAX; i++)
        grants[i] = (struct grant){ { 1 }, { 1 } };
    m = sample("assign");
    m.assign.grants = grants;
    m.assign.n = SLOTS_MAX + GRANTS_MAX + 1;
    refused(&m, ERR_LIMIT, "leases");
    free(grants);
    free(text);
}

/* times_out_of_range - each of them, in a message with this row. */
static void times_out_of_range(const struct message *m, struct end_row *row)
{
    const uint64_t beyond = WIRE_TIME_MAX + 1ull;
    struct end_row was = *row;
    uint64_t *us[] = { &row->wall_us, &row->user_us, &row->sys_us, &row->maxrss_kib };
    ms_t *ms[] = { &row->started_ms, &row->ended_ms };

    for (size_t i = 0; i < sizeof us / sizeof *us + sizeof ms / sizeof *ms; i++) {
        row->wall_us = 0;
        if (i < sizeof us / sizeof *us)
            *us[i] = beyond;
        else
            *ms[i - sizeof us / sizeof *us] = (ms_t)beyond;
        refused(m, ERR_MALFORMED, "an end whose times are out of range");
        *row = was;
    }
}

Test(wire, how_long_something_runs_has_a_limit)
{
    struct held_lease held = { { 1 }, { 1 }, HOLD_RUNNING, WIRE_TIME_MAX + 1ll };
    struct running_point point = { 0, WIRE_TIME_MAX + 1ll, 0 };

    for (int k = 0; k < 2; k++) {
        struct message m = sample(k ? "hello-worker" : "beat");
        *(k ? &m.hello.held : &m.beat.held) = &held;
        *(k ? &m.hello.n_held : &m.beat.n_held) = 1;
        refused(&m, ERR_LIMIT, "a duration");
    }
    struct message m = sample("progress");
    m.progress.running = &point;
    m.progress.n_running = 1;
    refused(&m, ERR_LIMIT, "a duration");
}

Test(wire, limits_of_a_result_hold)
{
    char *line = long_text(ERROR_LINE_MAX + 1), *output = long_text(OUTPUT_STORE_MAX + 1);
    struct end_body body = { .error_line = line };
    struct end_row row = { .task = { 1 }, .lease = { 1 }, .body = &body };
    struct message m = { .kind = MSG_RESULTS };

    m.results.rows = &row;
    m.results.n = 1;
    refused(&m, ERR_LIMIT, "error line");
    body = (struct end_body){ .out = output, .out_bytes = OUTPUT_STORE_MAX + 1 };
    refused(&m, ERR_LIMIT, "output");
    body = (struct end_body){ .metrics_missing = METRICS_MAX + 1 };
    refused(&m, ERR_LIMIT, "257 metrics are missing; a study has at most 256");
    body = (struct end_body){ .result = output, .result_bytes = INLINE_BYTES_MAX + 1 };
    refused(&m, ERR_LIMIT, "a payload of 262145 bytes; at most 262144 go without a blob");
    body = (struct end_body){ .blob = 1, .blob_bytes = BLOB_BYTES_MAX + 1ull };
    refused(&m, ERR_LIMIT, "a result that is too long");
    body = (struct end_body){ .blob = 1, .blob_bytes = 5, .result = "a", .result_bytes = 1 };
    refused(&m, ERR_MALFORMED, "a result that is a blob and is not");
    body = (struct end_body){ 0 };
    row.wall_us = UINT64_MAX;
    refused(&m, ERR_MALFORMED, "an end whose times are out of range");
    row.body = NULL;
    refused(&m, ERR_MALFORMED, "an end whose times are out of range");
    times_out_of_range(&m, &row);
    row.body = &body;
    times_out_of_range(&m, &row);
    free(line);
    free(output);
}

Test(wire, a_study_may_be_as_large_as_its_limit_and_no_larger)
{
    char *text = long_text(SPEC_BYTES_MAX + 1);
    struct message m = { .kind = MSG_SPEC };
    struct buf b = { 0 };

    m.spec.array.n = 1;
    m.spec.first.n = 1;
    m.spec.spec = text;
    m.spec.spec_bytes = SPEC_BYTES_MAX;
    wire_encode(&m, &b);
    cr_assert(b.n <= FRAME_BYTES_MAX);
    struct message back = wire_decoded(&b);
    cr_assert_eq(back.spec.spec_bytes, (size_t)SPEC_BYTES_MAX);
    message_fini(&back);
    buf_fini(&b);
    m.spec.spec_bytes++;
    refused(&m, ERR_LIMIT, "a study of");
    free(text);
}

Test(wire, of_no_bytes_or_too_many_is_refused)
{
    struct message m;
    struct fault f;
    char *frame = calloc(1, FRAME_BYTES_MAX + 1);

    cr_assert_eq(wire_decode(frame, 0, &m, &f), ERR_MALFORMED);
    cr_assert_str_eq(f.text, "an empty message");
    cr_assert_eq(wire_decode(frame, FRAME_BYTES_MAX + 1, &m, &f), ERR_LIMIT);
    cr_assert(strstr(f.text, "a message of "), "%s", f.text);
    free(frame);
}

Test(wire, contradictions_are_refused)
{
    struct message m = sample("submit");

    m.submit.spec_bytes = 0;
    refused(&m, ERR_MALFORMED, "a submission without a study");
    m = sample("submit-resume");
    m.submit.spec = "{}";
    m.submit.spec_bytes = 2;
    refused(&m, ERR_MALFORMED, "a study to resume that is handed over too");
    m = sample("cancel");
    m.cancel.all = true;
    refused(&m, ERR_MALFORMED, "both all points and some");
    m = sample("follow");
    m.follow.study = "";
    refused(&m, ERR_MALFORMED, "without a name");
    m = sample("hello-worker");
    m.hello.name = "";
    refused(&m, ERR_MALFORMED, "a worker without a name");
    m = sample("farm");
    m.farm.n_workers = 0;
    refused(&m, ERR_MALFORMED, "engines without a worker");
    static const char *const labels[] = { "" };
    m = sample("hello-worker");
    m.hello.labels = labels;
    m.hello.n_labels = 1;
    refused(&m, ERR_MALFORMED, "a label that is empty");
    m = sample("open");
    m.open.key = "";
    refused(&m, ERR_MALFORMED, "an array without a key");
    m = sample("spec");
    m.spec.spec_bytes = 0;
    refused(&m, ERR_MALFORMED, "an array without its study");
}

Test(wire, a_share_is_from_0_to_1_and_says_little)
{
    struct message m = sample("beat-shares");
    struct call_share share = { 1, -0.01, "" };
    char text[SHARE_TEXT_MAX + 2] = "";

    m.beat.shares = &share;
    m.beat.n_shares = 1;
    refused(&m, ERR_MALFORMED, "a share of -0.01");
    share.share = 0.0 / 0.0;
    refused(&m, ERR_MALFORMED, "a share of");
    share = (struct call_share){ 0, 0.5, "" };
    refused(&m, ERR_MALFORMED, "lease is 0");
    share = (struct call_share){ 1, 0.5, text };
    memset(text, 'x', SHARE_TEXT_MAX + 1);
    refused(&m, ERR_LIMIT, "what a call says of 101");
    m = sample("ends-none");
    share = (struct call_share){ POINTS_MAX, 0.5, "" };
    m.ends.shares = &share;
    m.ends.n_shares = 1;
    refused(&m, ERR_LIMIT, "index of a call");
}

Test(wire, an_append_is_within_its_bounds)
{
    struct message m = sample("append");
    uint32_t sizes[] = { 3, 0, 6 };
    struct edge edges[] = { { 1, { 1 } }, { 0, { 1 } }, { 2, { 1 } } };
    struct blob_ref refs[] = { { 0, 1, 1 } };
    uint8_t rules[] = { 0, RULE_BITS + 1, 0 };

    m.append.sizes = sizes;
    refused(&m, ERR_MALFORMED, "payloads of 8 bytes whose sizes add to 9");
    sizes[0] = INLINE_BYTES_MAX + 1;
    refused(&m, ERR_LIMIT, "go without a blob");
    m = sample("append");
    m.append.edges = edges;
    refused(&m, ERR_MALFORMED, "not in the order");
    edges[1] = (struct edge){ 3, { 1 } };
    refused(&m, ERR_MALFORMED, "an edge of call 3; there are 3");
    edges[1] = (struct edge){ 1, { 0 } };
    refused(&m, ERR_MALFORMED, "the task of an edge is 0");
    m = sample("append");
    m.append.blobs = refs;
    refused(&m, ERR_MALFORMED, "a payload and a blob");
    refs[0] = (struct blob_ref){ 3, 1, 1 };
    refused(&m, ERR_MALFORMED, "a call that is not there");
    refs[0] = (struct blob_ref){ 1, 1, BLOB_BYTES_MAX + 1ull };
    refused(&m, ERR_LIMIT, "length of a blob");
    m = sample("append");
    m.append.rules = rules;
    refused(&m, ERR_MALFORMED, "rule 16 is not known");
    m = sample("append");
    m.append.at++;
    refused(&m, ERR_LIMIT, "index of a call");
}

Test(wire, ends_name_workers_and_calls_that_are_there)
{
    struct message m = sample("ends");
    struct call_end end = { .index = POINTS_MAX, .worker = UINT32_MAX };

    m.ends.ends = &end;
    m.ends.n = 1;
    refused(&m, ERR_LIMIT, "index of a call");
    end = (struct call_end){ .worker = 2 };
    refused(&m, ERR_LIMIT, "number of a worker");
    end = (struct call_end){ .state = (enum task_state)N_TASK_STATES, .worker = 0 };
    refused(&m, ERR_MALFORMED, "in state");
    m = sample("collect");
    m.collect.array.n = 1;
    refused(&m, ERR_MALFORMED, "by id or by key");
    m = sample("assign-calls");
    m.assign.n = 2;
    refused(&m, ERR_MALFORMED, "payloads of 8 bytes");
}

Test(wire, results_of_calls_are_small)
{
    enum { N = 1000 };
    struct end_row rows[N];
    struct message m = { .kind = MSG_RESULTS };
    struct buf b = { 0 };

    for (size_t i = 0; i < N; i++)
        rows[i] = (struct end_row){ .task = { 1 + i },
                                    .lease = lease_make(1, (uint32_t)i),
                                    .state = TASK_DONE,
                                    .started_ms = 1700000000000 + (ms_t)i,
                                    .ended_ms = 1700000000001 + (ms_t)i,
                                    .wall_us = 100 };
    m.results.rows = rows;
    m.results.n = N;
    wire_encode(&m, &b);
    cr_assert_lt(b.n, (size_t)N * 24, "%zu bytes", b.n);
    struct message back = wire_decoded(&b);
    wire_same(&m, &back);
    message_fini(&back);
    buf_fini(&b);
}

Test(wire, a_hello_of_another_version_is_understood_so_far_as_to_refuse_it)
{
    struct message m = sample("hello-worker");
    struct buf b = { 0 };

    m.hello.version = WIRE_VERSION + 1;
    m.hello.role = (enum role)77;
    m.hello.slots = 0;
    wire_encode(&m, &b);
    struct message back = wire_decoded(&b);
    cr_assert_eq(back.hello.version, WIRE_VERSION + 1);
    cr_assert_str_eq(back.hello.program, "grange 0.1.0");
    message_fini(&back);
    buf_fini(&b);
}

Test(wire, the_largest_result_of_a_point_is_one_frame)
{
    enum { OUT = OUTPUT_STORE_MAX, VALUES = FACTORS_MAX * VALUE_BYTES_MAX * 6, METRICS = 7 << 20 };
    char *values = calloc(1, VALUES + 1), *metrics = calloc(1, METRICS + 1), *out = calloc(1, OUT);
    struct end_body body = { .out = out,
                             .err = out,
                             .out_bytes = OUT,
                             .err_bytes = OUT,
                             .error_line = "",
                             .out_file = "",
                             .err_file = "",
                             .dir = "" };
    struct end_row row = { .task = { 1 }, .lease = { 1 }, .state = TASK_DONE, .body = &body };
    struct message m = { .kind = MSG_RESULTS, .results = { &row, 1 } }, back;
    struct buf frame = { 0 };
    struct fault f;

    memset(values, 'v', VALUES);
    memset(metrics, 'm', METRICS);
    body.values = values;
    body.metrics = metrics;
    wire_encode(&m, &frame);
    cr_assert(frame.n > VALUES + METRICS && frame.n <= FRAME_BYTES_MAX, "%zu bytes", frame.n);
    cr_assert_eq(wire_decode(frame.data, frame.n, &back, &f), ERR_NONE, "%s", f.text);
    cr_assert_str_eq(back.results.rows[0].body->values, values);
    message_fini(&back);
    buf_fini(&frame);
    free(values);
    free(metrics);
    free(out);
}

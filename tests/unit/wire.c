/* wire: what is encoded comes back, what is damaged is refused, what is too much is refused. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/rng.h"
#include "proto/wire.h"
#include "tests/unit/wire_samples.h"

TestSuite(wire, .timeout = 100);

static struct message decoded(const struct buf *b)
{
    struct message m;
    struct fault f;

    cr_assert_eq(wire_decode(b->data, b->n, &m, &f), ERR_NONE, "%s", f.text);
    return m;
}

/* ---- equality, field by field: encoding both and comparing bytes would miss a forgotten field */

static void same_text(const char *a, const char *b)
{
    cr_assert_str_eq(a ? a : "", b ? b : "");
}

static void same_bytes(const void *a, size_t n, const void *b, size_t n_too)
{
    cr_assert_eq(n, n_too);
    cr_assert(n == 0 || memcmp(a, b, n) == 0);
}

static void same_held(const struct held_lease *a, size_t n, const struct held_lease *b,
                      size_t n_too)
{
    cr_assert_eq(n, n_too);
    for (size_t i = 0; i < n; i++) {
        cr_assert(a[i].lease.n == b[i].lease.n && a[i].task.n == b[i].task.n);
        cr_assert(a[i].state == b[i].state && a[i].elapsed_ms == b[i].elapsed_ms);
    }
}

static void same_hello(const struct message *a, const struct message *b)
{
    cr_assert(a->hello.role == b->hello.role && a->hello.version == b->hello.version);
    same_text(a->hello.program, b->hello.program);
    same_text(a->hello.name, b->hello.name);
    same_text(a->hello.host, b->hello.host);
    cr_assert(a->hello.instance == b->hello.instance && a->hello.pid == b->hello.pid);
    cr_assert(a->hello.slots == b->hello.slots && a->hello.memory_mib == b->hello.memory_mib);
    same_held(a->hello.held, a->hello.n_held, b->hello.held, b->hello.n_held);
}

static void same_submit(const struct message *a, const struct message *b)
{
    cr_assert_eq(a->submit.request, b->submit.request);
    same_text(a->submit.study, b->submit.study);
    same_bytes(a->submit.spec, a->submit.spec_bytes, b->submit.spec, b->submit.spec_bytes);
    cr_assert(a->submit.resume == b->submit.resume && a->submit.fresh == b->submit.fresh);
    cr_assert_eq(a->submit.retry_failed, b->submit.retry_failed);
}

static void same_submitted(const struct message *a, const struct message *b)
{
    cr_assert_eq(a->submitted.request, b->submitted.request);
    same_text(a->submitted.study, b->submitted.study);
    cr_assert(a->submitted.id.n == b->submitted.id.n &&
              a->submitted.array.n == b->submitted.array.n);
    cr_assert_eq(a->submitted.first.n, b->submitted.first.n);
    cr_assert(memcmp(&a->submitted.counts, &b->submitted.counts, sizeof(struct counts)) == 0);
    cr_assert_eq(a->submitted.template_changed, b->submitted.template_changed);
}

static void same_progress(const struct message *a, const struct message *b)
{
    same_text(a->progress.study, b->progress.study);
    cr_assert(memcmp(&a->progress.counts, &b->progress.counts, sizeof(struct counts)) == 0);
    cr_assert(a->progress.state == b->progress.state &&
              a->progress.n_workers == b->progress.n_workers);
    cr_assert(a->progress.slots == b->progress.slots &&
              a->progress.slots_busy == b->progress.slots_busy);
    cr_assert_eq(a->progress.limit_ms, b->progress.limit_ms);
    same_bytes(a->progress.running, a->progress.n_running * sizeof(struct running_point),
               b->progress.running, b->progress.n_running * sizeof(struct running_point));
}

static void same_body(const struct end_body *a, const struct end_body *b)
{
    cr_assert_eq(a == NULL, b == NULL);
    if (!a)
        return;
    same_text(a->values, b->values);
    same_text(a->metrics, b->metrics);
    same_text(a->error_line, b->error_line);
    same_text(a->out_file, b->out_file);
    same_text(a->err_file, b->err_file);
    same_text(a->dir, b->dir);
    same_bytes(a->out, a->out_bytes, b->out, b->out_bytes);
    same_bytes(a->err, a->err_bytes, b->err, b->err_bytes);
    cr_assert(a->out_packed == b->out_packed && a->err_packed == b->err_packed);
    cr_assert(a->out_total == b->out_total && a->err_total == b->err_total);
    cr_assert_eq(a->metrics_missing, b->metrics_missing);
}

static void same_results(const struct message *a, const struct message *b)
{
    cr_assert_eq(a->results.n, b->results.n);
    for (size_t i = 0; i < a->results.n; i++) {
        const struct end_row *x = &a->results.rows[i], *y = &b->results.rows[i];
        cr_assert(x->task.n == y->task.n && x->lease.n == y->lease.n && x->worker.n == y->worker.n);
        cr_assert(x->state == y->state && x->reason == y->reason && x->code == y->code);
        cr_assert(x->attempts == y->attempts && x->counted == y->counted);
        cr_assert(x->started_ms == y->started_ms && x->ended_ms == y->ended_ms);
        cr_assert(x->wall_us == y->wall_us && x->user_us == y->user_us && x->sys_us == y->sys_us);
        cr_assert_eq(x->maxrss_kib, y->maxrss_kib);
        same_body(x->body, y->body);
    }
}

static void same_points(const struct message *a, const struct message *b)
{
    if (a->kind == MSG_CANCEL) {
        cr_assert(a->cancel.request == b->cancel.request && a->cancel.all == b->cancel.all);
        same_text(a->cancel.study, b->cancel.study);
        same_bytes(a->cancel.index, a->cancel.n * 8, b->cancel.index, b->cancel.n * 8);
    } else {
        cr_assert(a->retry.request == b->retry.request && a->retry.failed == b->retry.failed);
        same_text(a->retry.study, b->retry.study);
        same_bytes(a->retry.index, a->retry.n * 8, b->retry.index, b->retry.n * 8);
    }
}

static void same_small(const struct message *a, const struct message *b)
{
    switch (a->kind) {
    case MSG_WELCOME:
        cr_assert(a->welcome.version == b->welcome.version && a->welcome.epoch == b->welcome.epoch);
        cr_assert_eq(a->welcome.worker.n, b->welcome.worker.n);
        same_text(a->welcome.program, b->welcome.program);
        same_text(a->welcome.owner, b->welcome.owner);
        break;
    case MSG_REFUSED:
        cr_assert(a->refused.request == b->refused.request && a->refused.code == b->refused.code);
        same_text(a->refused.text, b->refused.text);
        break;
    case MSG_REPLY:
        cr_assert(a->reply.request == b->reply.request && a->reply.n == b->reply.n);
        break;
    case MSG_HOLD:
        cr_assert(a->hold.request == b->hold.request && a->hold.now == b->hold.now);
        same_text(a->hold.study, b->hold.study);
        break;
    case MSG_FOLLOW:
        cr_assert_eq(a->follow.request, b->follow.request);
        same_text(a->follow.study, b->follow.study);
        break;
    case MSG_RECALL:
        cr_assert_eq(a->recall.n, b->recall.n);
        break;
    case MSG_LIMIT:
        cr_assert(a->limit.array.n == b->limit.array.n && a->limit.limit_ms == b->limit.limit_ms);
        break;
    default:
        cr_assert(a->kind == MSG_BYE || a->kind == MSG_SHUTDOWN);
        break;
    }
}

static void same(const struct message *a, const struct message *b)
{
    cr_assert_eq(a->kind, b->kind);
    switch (a->kind) {
    case MSG_HELLO:
        same_hello(a, b);
        break;
    case MSG_BEAT:
        same_held(a->beat.held, a->beat.n_held, b->beat.held, b->beat.n_held);
        break;
    case MSG_SUBMIT:
        same_submit(a, b);
        break;
    case MSG_CANCEL:
    case MSG_RETRY:
        same_points(a, b);
        break;
    case MSG_SUBMITTED:
        same_submitted(a, b);
        break;
    case MSG_PROGRESS:
        same_progress(a, b);
        break;
    case MSG_SPEC:
        cr_assert(a->spec.array.n == b->spec.array.n && a->spec.first.n == b->spec.first.n);
        same_bytes(a->spec.spec, a->spec.spec_bytes, b->spec.spec, b->spec.spec_bytes);
        break;
    case MSG_ASSIGN:
        cr_assert(a->assign.array.n == b->assign.array.n &&
                  a->assign.limit_ms == b->assign.limit_ms);
        same_bytes(a->assign.grants, a->assign.n * 16, b->assign.grants, b->assign.n * 16);
        break;
    case MSG_REVOKE:
    case MSG_ACK:
    case MSG_RETURNED:
        same_bytes(a->ack.leases, a->ack.n * 8, b->ack.leases, b->ack.n * 8);
        break;
    case MSG_RESULTS:
        same_results(a, b);
        break;
    default:
        same_small(a, b);
        break;
    }
}

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
        struct message back = decoded(&b);
        same(&m, &back);
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

/* survives - decoding must not crash; what it accepts must be encodable and mean the same again.
 * The bytes are in memory of exactly that size, so that a sanitizer sees a read beyond. */
static bool survives(const char *data, size_t n)
{
    char *copy = malloc(n ? n : 1);
    struct message m;
    struct fault f = { .code = ERR_NONE };

    memcpy(copy, data, n);
    enum err err = wire_decode(copy, n, &m, &f);
    free(copy);
    cr_assert(err == ERR_NONE || ((err == ERR_MALFORMED || err == ERR_LIMIT) && f.text[0]));
    if (err) {
        cr_assert_eq(m.arena, NULL);
        return false;
    }
    struct buf b = { 0 };
    wire_encode(&m, &b);
    struct message again = decoded(&b);
    same(&m, &again);
    message_fini(&again);
    message_fini(&m);
    buf_fini(&b);
    return true;
}

Test(wire, every_truncation_is_survived)
{
    for (size_t i = 0; i < wire_sample_count(); i++) {
        struct message m;
        struct buf b = { 0 };
        wire_sample(i, &m);
        wire_encode(&m, &b);
        for (size_t n = 0; n < b.n; n++)
            survives(b.data, n);
        cr_assert(survives(b.data, b.n));
        cr_assert_not(survives(b.data, 0));
        buf_fini(&b);
    }
}

Test(wire, random_damage_is_survived)
{
    struct rng r = { .state = 20261121 };
    int accepted = 0, refused = 0;

    for (int i = 0; i < 40000; i++) {
        struct message m;
        struct buf b = { 0 };
        wire_sample(rng_below(&r, wire_sample_count()), &m);
        wire_encode(&m, &b);
        for (uint64_t k = 1 + rng_below(&r, 4); b.n && k > 0; k--)
            b.data[rng_below(&r, b.n)] ^= (char)(1 << rng_below(&r, 8));
        if (survives(b.data, b.n))
            accepted++;
        else
            refused++;
        buf_fini(&b);
    }
    cr_assert(accepted > 1000 && refused > 1000, "%d accepted, %d refused", accepted, refused);
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
    refused(&m, ERR_MALFORMED, "without its lease");
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
    refused(&m, ERR_MALFORMED, "reason 11");
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
    struct running_point points[RUNNING_SHOWN_MAX + 1] = { { 0, 0 } };
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
    refused(&m, ERR_LIMIT, "metrics");
    row.body = NULL;
    row.wall_us = UINT64_MAX;
    refused(&m, ERR_MALFORMED, "times");
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
    struct message back = decoded(&b);
    cr_assert_eq(back.spec.spec_bytes, (size_t)SPEC_BYTES_MAX);
    message_fini(&back);
    buf_fini(&b);
    m.spec.spec_bytes++;
    refused(&m, ERR_LIMIT, "a study of");
    free(text);
}

Test(wire, contradictions_are_refused)
{
    struct message m = sample("submit");

    m.submit.spec_bytes = 0;
    refused(&m, ERR_MALFORMED, "without a study");
    m = sample("submit-resume");
    m.submit.spec = "{}";
    m.submit.spec_bytes = 2;
    refused(&m, ERR_MALFORMED, "handed over too");
    m = sample("cancel");
    m.cancel.all = true;
    refused(&m, ERR_MALFORMED, "both all points and some");
    m = sample("follow");
    m.follow.study = "";
    refused(&m, ERR_MALFORMED, "without a name");
    m = sample("hello-worker");
    m.hello.name = "";
    refused(&m, ERR_MALFORMED, "without a name");
}

Test(wire, texts_have_no_zero_byte)
{
    /* follow { request: 1, study: "a\0b" } */
    static const char bytes[] = "\x5a\x07\x08\x01\x12\x03"
                                "a\0b";
    struct message m;
    struct fault f;

    cr_assert_eq(wire_decode(bytes, sizeof bytes - 1, &m, &f), ERR_MALFORMED);
    cr_assert(strstr(f.text, "zero byte"), "%s", f.text);
}

Test(wire, a_hello_of_another_version_is_understood_so_far_as_to_refuse_it)
{
    struct message m = sample("hello-worker");
    struct buf b = { 0 };

    m.hello.version = 2;
    m.hello.role = (enum role)77;
    m.hello.slots = 0;
    wire_encode(&m, &b);
    struct message back = decoded(&b);
    cr_assert_eq(back.hello.version, 2);
    cr_assert_str_eq(back.hello.program, "grange 0.1.0");
    message_fini(&back);
    buf_fini(&b);
}

Test(wire, a_kind_that_is_not_known_is_refused)
{
    static const char bytes[] = "\xba\x01\x00"; /* field 23 of the envelope */
    struct message m;
    struct fault f;

    cr_assert_eq(wire_decode(bytes, sizeof bytes - 1, &m, &f), ERR_MALFORMED);
    cr_assert(strstr(f.text, "does not know"), "%s", f.text);
}

Test(wire, a_small_message_cannot_unpack_to_gigabytes)
{
    /* results { ends: {} {} {} .. }: two bytes each here, 200 in memory */
    enum { N = 16 << 20 };
    struct buf b = { 0 };
    struct message m;
    struct fault f;

    buf_add(&b, "\xaa\x01\x80\x80\x80\x10", 6); /* field 21, 32 MiB */
    buf_reserve(&b, 2 * N);
    for (int i = 0; i < N; i++) {
        b.data[b.n++] = '\x0a';
        b.data[b.n++] = '\0';
    }
    ms_t start = clock_mono_ms();
    cr_assert_neq(wire_decode(b.data, b.n, &m, &f), ERR_NONE);
    cr_assert(clock_mono_ms() - start < 20000);
    buf_fini(&b);
}

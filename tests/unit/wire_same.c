#include "tests/unit/wire_same.h"

#include <criterion/criterion.h>
#include <string.h>

#include "proto/wire.h"

struct message wire_decoded(const struct buf *b)
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
    cr_assert(a->hello.n_labels == b->hello.n_labels && a->hello.end_ms == b->hello.end_ms);
    cr_assert_eq(a->hello.n_functions, b->hello.n_functions);
    cr_assert_eq(a->hello.n_resources, b->hello.n_resources);
    for (size_t i = 0; i < a->hello.n_labels; i++)
        same_text(a->hello.labels[i], b->hello.labels[i]);
    for (size_t i = 0; i < a->hello.n_functions; i++)
        same_text(a->hello.functions[i], b->hello.functions[i]);
    for (size_t i = 0; i < a->hello.n_resources; i++) {
        same_text(a->hello.resources[i].name, b->hello.resources[i].name);
        cr_assert_eq(a->hello.resources[i].amount, b->hello.resources[i].amount);
    }
}

static void same_submit(const struct message *a, const struct message *b)
{
    cr_assert_eq(a->submit.request, b->submit.request);
    same_text(a->submit.study, b->submit.study);
    same_bytes(a->submit.spec, a->submit.spec_bytes, b->submit.spec, b->submit.spec_bytes);
    cr_assert(a->submit.resume == b->submit.resume && a->submit.fresh == b->submit.fresh);
    cr_assert_eq(a->submit.again, b->submit.again);
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
    same_bytes(a->result, a->result_bytes, b->result, b->result_bytes);
    cr_assert(a->blob == b->blob && a->blob_bytes == b->blob_bytes);
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
        cr_assert_eq(a->cancel.array.n, b->cancel.array.n);
        same_text(a->cancel.study, b->cancel.study);
        same_bytes(a->cancel.index, a->cancel.n * 8, b->cancel.index, b->cancel.n * 8);
    } else {
        cr_assert(a->retry.request == b->retry.request && a->retry.failed == b->retry.failed);
        cr_assert_eq(a->retry.array.n, b->retry.array.n);
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

static void same_extra(const struct call_extra *a, const struct call_extra *b)
{
    cr_assert_eq(a == NULL, b == NULL);
    if (!a)
        return;
    same_text(a->error, b->error);
    same_text(a->out_file, b->out_file);
    same_text(a->err_file, b->err_file);
    cr_assert(a->because.n == b->because.n && a->blob == b->blob);
    cr_assert(a->blob_bytes == b->blob_bytes && a->out_packed == b->out_packed);
    cr_assert(a->err_packed == b->err_packed && a->out_total == b->out_total);
    cr_assert_eq(a->err_total, b->err_total);
    same_bytes(a->out, a->out_bytes, b->out, b->out_bytes);
    same_bytes(a->err, a->err_bytes, b->err, b->err_bytes);
}

static void same_shares(const struct call_share *a, size_t n, const struct call_share *b, size_t m)
{
    cr_assert_eq(n, m);
    for (size_t i = 0; i < n; i++) {
        cr_assert(a[i].id == b[i].id && a[i].share == b[i].share);
        same_text(a[i].text, b[i].text);
    }
}

static void same_ends(const struct message *a, const struct message *b)
{
    cr_assert(a->ends.array.n == b->ends.array.n && a->ends.cursor == b->ends.cursor);
    cr_assert(a->ends.caught_up == b->ends.caught_up && a->ends.n == b->ends.n);
    cr_assert_eq(a->ends.n_workers, b->ends.n_workers);
    same_shares(a->ends.shares, a->ends.n_shares, b->ends.shares, b->ends.n_shares);
    for (size_t i = 0; i < a->ends.n_workers; i++) {
        same_text(a->ends.workers[i].name, b->ends.workers[i].name);
        same_text(a->ends.workers[i].host, b->ends.workers[i].host);
    }
    for (size_t i = 0; i < a->ends.n; i++) {
        const struct call_end *x = &a->ends.ends[i], *y = &b->ends.ends[i];
        cr_assert(x->index == y->index && x->state == y->state && x->reason == y->reason);
        cr_assert(x->code == y->code && x->attempts == y->attempts && x->worker == y->worker);
        cr_assert(x->submitted_ms == y->submitted_ms && x->started_ms == y->started_ms);
        cr_assert(x->ended_ms == y->ended_ms && x->wall_us == y->wall_us);
        cr_assert(x->user_us == y->user_us && x->sys_us == y->sys_us);
        cr_assert_eq(x->maxrss_kib, y->maxrss_kib);
        same_bytes(x->result, x->result_bytes, y->result, y->result_bytes);
        same_extra(x->extra, y->extra);
    }
}

static void same_append(const struct message *a, const struct message *b)
{
    cr_assert(a->append.request == b->append.request && a->append.array.n == b->append.array.n);
    cr_assert(a->append.at == b->append.at && a->append.close == b->append.close);
    same_bytes(a->append.sizes, a->append.n * 4, b->append.sizes, b->append.n * 4);
    same_bytes(a->append.payloads, a->append.payloads_bytes, b->append.payloads,
               b->append.payloads_bytes);
    cr_assert_eq(a->append.rules == NULL, b->append.rules == NULL);
    if (a->append.rules)
        same_bytes(a->append.rules, a->append.n, b->append.rules, b->append.n);
    same_bytes(a->append.edges, a->append.n_edges * 16, b->append.edges, b->append.n_edges * 16);
    same_bytes(a->append.blobs, a->append.n_blobs * 24, b->append.blobs, b->append.n_blobs * 24);
}

static void same_calls(const struct message *a, const struct message *b)
{
    switch (a->kind) {
    case MSG_OPEN:
        cr_assert_eq(a->open.request, b->open.request);
        same_text(a->open.key, b->open.key);
        same_text(a->open.study, b->open.study);
        same_bytes(a->open.spec, a->open.spec_bytes, b->open.spec, b->open.spec_bytes);
        cr_assert_eq(a->open.again, b->open.again);
        break;
    case MSG_OPENED:
        cr_assert(a->opened.request == b->opened.request && a->opened.id.n == b->opened.id.n);
        cr_assert(a->opened.array.n == b->opened.array.n && a->opened.n == b->opened.n);
        cr_assert(a->opened.first.n == b->opened.first.n && a->opened.closed == b->opened.closed);
        same_text(a->opened.study, b->opened.study);
        break;
    case MSG_APPEND:
        same_append(a, b);
        break;
    case MSG_APPENDED:
        cr_assert(a->appended.request == b->appended.request && a->appended.n == b->appended.n);
        cr_assert(a->appended.array.n == b->appended.array.n &&
                  a->appended.closed == b->appended.closed);
        break;
    case MSG_COLLECT:
        cr_assert(a->collect.request == b->collect.request &&
                  a->collect.array.n == b->collect.array.n);
        cr_assert(a->collect.cursor == b->collect.cursor && a->collect.stop == b->collect.stop);
        cr_assert_eq(a->collect.shares, b->collect.shares);
        same_text(a->collect.key, b->collect.key);
        same_bytes(a->collect.index, a->collect.n * 8, b->collect.index, b->collect.n * 8);
        break;
    default:
        same_ends(a, b);
        break;
    }
}

void wire_same(const struct message *a, const struct message *b)
{
    cr_assert_eq(a->kind, b->kind);
    switch (a->kind) {
    case MSG_HELLO:
        same_hello(a, b);
        break;
    case MSG_BEAT:
        same_held(a->beat.held, a->beat.n_held, b->beat.held, b->beat.n_held);
        same_shares(a->beat.shares, a->beat.n_shares, b->beat.shares, b->beat.n_shares);
        break;
    case MSG_BYE:
        cr_assert_eq(a->bye.down, b->bye.down);
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
        cr_assert_eq(a->assign.sizes == NULL, b->assign.sizes == NULL);
        if (a->assign.sizes)
            same_bytes(a->assign.sizes, a->assign.n * 4, b->assign.sizes, b->assign.n * 4);
        same_bytes(a->assign.payloads, a->assign.payloads_bytes, b->assign.payloads,
                   b->assign.payloads_bytes);
        same_bytes(a->assign.blobs, a->assign.n_blobs * 24, b->assign.blobs,
                   b->assign.n_blobs * 24);
        break;
    case MSG_REVOKE:
    case MSG_ACK:
    case MSG_RETURNED:
        same_bytes(a->ack.leases, a->ack.n * 8, b->ack.leases, b->ack.n * 8);
        same_bytes(a->ack.useless, a->ack.n_useless * 8, b->ack.useless, b->ack.n_useless * 8);
        break;
    case MSG_RESULTS:
        same_results(a, b);
        break;
    default:
        if (a->kind >= MSG_DIRECT)
            wire_same_farm(a, b);
        else if (a->kind >= MSG_OPEN)
            same_calls(a, b);
        else
            same_small(a, b);
        break;
    }
}

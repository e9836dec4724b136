#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/wire_same.h"

static void same_text(const char *a, const char *b)
{
    cr_assert_str_eq(a ? a : "", b ? b : "");
}

static void same_bytes(const void *a, size_t n, const void *b, size_t n_too)
{
    cr_assert_eq(n, n_too);
    cr_assert(n == 0 || memcmp(a, b, n) == 0);
}

static void same_engines(const struct engine_info *a, size_t n, const struct engine_info *b,
                         size_t n_too)
{
    cr_assert_eq(n, n_too);
    for (size_t i = 0; i < n; i++) {
        cr_assert(a[i].slot == b[i].slot && a[i].pid == b[i].pid && a[i].state == b[i].state);
        cr_assert(a[i].restarts == b[i].restarts && a[i].engine == b[i].engine);
        cr_assert_eq(a[i].worker, b[i].worker);
        same_text(a[i].reason, b[i].reason);
        same_text(a[i].functions, b[i].functions);
    }
}

static void same_worker(const struct farm_worker *a, const struct farm_worker *b)
{
    cr_assert(a->id.n == b->id.n && a->state == b->state && a->pid == b->pid);
    cr_assert(a->slots == b->slots && a->slots_busy == b->slots_busy && a->queued == b->queued);
    cr_assert(a->memory_mib == b->memory_mib && a->n_done == b->n_done);
    cr_assert(a->since_ms == b->since_ms && a->end_ms == b->end_ms);
    same_text(a->name, b->name);
    same_text(a->host, b->host);
    same_text(a->labels, b->labels);
    same_text(a->resources, b->resources);
    same_text(a->why, b->why);
}

static void same_study(const struct farm_study *a, const struct farm_study *b)
{
    cr_assert(a->id.n == b->id.n && a->state == b->state && a->priority == b->priority);
    cr_assert(a->weight == b->weight && a->running_max == b->running_max);
    cr_assert_eq(a->submitted_ms, b->submitted_ms);
    same_text(a->name, b->name);
    cr_assert(memcmp(&a->counts, &b->counts, sizeof a->counts) == 0);
}

static void same_farm(const struct message *a, const struct message *b)
{
    cr_assert(a->farm.request == b->farm.request && a->farm.since_ms == b->farm.since_ms);
    cr_assert(a->farm.n_clients == b->farm.n_clients && a->farm.n_leases == b->farm.n_leases);
    cr_assert(a->farm.n_ended == b->farm.n_ended && a->farm.n_workers == b->farm.n_workers);
    cr_assert_eq(a->farm.n_studies, b->farm.n_studies);
    for (size_t i = 0; i < a->farm.n_workers; i++)
        same_worker(&a->farm.workers[i], &b->farm.workers[i]);
    for (size_t i = 0; i < a->farm.n_studies; i++)
        same_study(&a->farm.studies[i], &b->farm.studies[i]);
    same_engines(a->farm.engines, a->farm.n_engines, b->farm.engines, b->farm.n_engines);
}

static void same_file(const struct shared_file *a, const struct shared_file *b)
{
    same_text(a->path, b->path);
    cr_assert(a->offset == b->offset && a->device == b->device && a->inode == b->inode);
}

static void same_direct(const struct message *a, const struct message *b)
{
    if (a->kind == MSG_DIRECT_ACK) {
        cr_assert(a->direct_ack.ticket == b->direct_ack.ticket);
        cr_assert(a->direct_ack.bytes == b->direct_ack.bytes);
        same_file(&a->direct_ack.file, &b->direct_ack.file);
    } else if (a->kind == MSG_DIRECT) {
        cr_assert(a->direct.ticket == b->direct.ticket && a->direct.engine == b->direct.engine);
        cr_assert(a->direct.op == b->direct.op && a->direct.total == b->direct.total);
        cr_assert_eq(a->direct.more, b->direct.more);
        cr_assert(a->direct.machine == b->direct.machine && a->direct.filled == b->direct.filled);
        same_file(&a->direct.file, &b->direct.file);
        cr_assert_eq(a->direct.limit_ms, b->direct.limit_ms);
        same_text(a->direct.name, b->direct.name);
        same_bytes(a->direct.data, a->direct.data_bytes, b->direct.data, b->direct.data_bytes);
    } else {
        cr_assert(a->direct_end.ticket == b->direct_end.ticket);
        cr_assert(a->direct_end.reason == b->direct_end.reason);
        cr_assert(a->direct_end.code == b->direct_end.code);
        cr_assert(a->direct_end.total == b->direct_end.total);
        cr_assert(a->direct_end.more == b->direct_end.more);
        cr_assert(a->direct_end.wall_us == b->direct_end.wall_us);
        same_file(&a->direct_end.file, &b->direct_end.file);
        same_text(a->direct_end.text, b->direct_end.text);
        same_bytes(a->direct_end.data, a->direct_end.data_bytes, b->direct_end.data,
                   b->direct_end.data_bytes);
    }
}

static void same_blob(const struct message *a, const struct message *b)
{
    if (a->kind == MSG_BLOB) {
        cr_assert(a->blob.blob == b->blob.blob && a->blob.offset == b->blob.offset);
        cr_assert_eq(a->blob.total, b->blob.total);
        same_bytes(a->blob.data, a->blob.data_bytes, b->blob.data, b->blob.data_bytes);
    } else if (a->kind == MSG_BLOB_WANT) {
        cr_assert(a->blob_want.blob == b->blob_want.blob);
        cr_assert(a->blob_want.offset == b->blob_want.offset);
        cr_assert(a->blob_want.parts == b->blob_want.parts);
    } else {
        cr_assert(a->blob_ack.blob == b->blob_ack.blob);
        cr_assert(a->blob_ack.offset == b->blob_ack.offset);
        cr_assert(a->blob_ack.done == b->blob_ack.done && a->blob_ack.code == b->blob_ack.code);
        same_text(a->blob_ack.text, b->blob_ack.text);
    }
}

static void same_look(const struct message *a, const struct message *b)
{
    if (a->kind == MSG_LOOK) {
        cr_assert(a->look.request == b->look.request && a->look.look == b->look.look);
        same_text(a->look.verb, b->look.verb);
        cr_assert(a->look.n_options == b->look.n_options && a->look.n_words == b->look.n_words);
        for (size_t i = 0; i < a->look.n_options; i++)
            same_text(a->look.options[i], b->look.options[i]);
        for (size_t i = 0; i < a->look.n_words; i++)
            same_text(a->look.words[i], b->look.words[i]);
        return;
    }
    cr_assert(a->looked.request == b->looked.request && a->looked.look == b->looked.look);
    cr_assert(a->looked.ended == b->looked.ended && a->looked.code == b->looked.code);
    same_bytes(a->looked.out, a->looked.out_bytes, b->looked.out, b->looked.out_bytes);
    same_bytes(a->looked.err, a->looked.err_bytes, b->looked.err, b->looked.err_bytes);
}

void wire_same_farm(const struct message *a, const struct message *b)
{
    switch (a->kind) {
    case MSG_DIRECT:
    case MSG_DIRECT_END:
    case MSG_DIRECT_ACK:
        same_direct(a, b);
        break;
    case MSG_BLOB:
    case MSG_BLOB_WANT:
    case MSG_BLOB_ACK:
        same_blob(a, b);
        break;
    case MSG_CONTROL:
        cr_assert(a->control.request == b->control.request && a->control.verb == b->control.verb);
        cr_assert(a->control.number == b->control.number && a->control.flag == b->control.flag);
        same_text(a->control.name, b->control.name);
        break;
    case MSG_WATCH:
        cr_assert(a->watch.request == b->watch.request);
        break;
    case MSG_FARM:
        same_farm(a, b);
        break;
    case MSG_DRAIN:
        cr_assert_eq(a->drain.grace_ms, b->drain.grace_ms);
        break;
    case MSG_LOOK:
    case MSG_LOOKED:
        same_look(a, b);
        break;
    default:
        cr_assert_eq(a->kind, MSG_ENGINES);
        same_engines(a->engines.engines, a->engines.n, b->engines.engines, b->engines.n);
        break;
    }
}

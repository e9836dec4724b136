/* The arrays of calls of client_fake.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "client_fake_inner.h"

/* ---- arrays */

static struct fake_array *by_id(struct fake *s, uint32_t id)
{
    return id >= 1 && id <= s->n_arrays ? &s->arrays[id - 1] : NULL;
}

uint64_t fake_first(const struct fake_array *a)
{
    return 1 + a->id * 1000000ULL;
}

static const char *payload(const struct fake_array *a, uint64_t i, size_t *n)
{
    const size_t *at = (const size_t *)(const void *)a->sizes.data;
    size_t end = i + 1 < a->n ? at[i + 1] : a->payloads.n;

    *n = end - at[i];
    return a->payloads.data + at[i];
}

static bool begins(const struct fake_array *a, uint64_t i, const char *with)
{
    size_t n;
    const char *data = payload(a, i, &n);

    return n >= strlen(with) && memcmp(data, with, strlen(with)) == 0;
}

static void end_call(struct fake *s, struct fake_array *a, uint64_t i)
{
    while (a->ended.n <= i)
        buf_addc(&a->ended, 0);
    if ((begins(a, i, "hold") && !s->released) || a->ended.data[i])
        return;
    a->ended.data[i] = 1;
    buf_add(&a->order, &i, sizeof i);
}

/* send_ends - those that the collector has not had. */
static void send_ends(struct fake *s, struct fake_array *a)
{
    const uint64_t *order = (const uint64_t *)(const void *)a->order.data;
    static const struct worker_name worker = { "w1", "node17" };
    static const struct call_extra broken = { .error = "it broke",
                                              .out = "",
                                              .err = "it broke\n",
                                              .err_bytes = 9,
                                              .err_total = 9,
                                              .out_file = "",
                                              .err_file = "" };
    size_t n = a->order.n / sizeof *order - a->sent;

    if (!a->collector.n || n == 0)
        return;
    struct call_end *ends = calloc(n, sizeof *ends);
    struct call_extra long_result = broken, unmet = { .error = "", .out_file = "", .err_file = "" };
    must(ends != NULL);
    for (size_t k = 0; k < n; k++) {
        struct call_end *e = &ends[k];
        size_t bytes;
        e->index = order[a->sent + k];
        bool fail = begins(a, e->index, "fail"), kill = begins(a, e->index, "kill");
        e->state = fail || kill ? TASK_FAILED : TASK_DONE;
        e->reason = kill ? END_SIGNAL : END_EXIT;
        if (begins(a, e->index, "skip")) {
            e->state = TASK_UNMET;
            e->reason = END_UNMET;
            unmet.because.n = fake_first(a) + e->index - 1;
        }
        e->code = fail ? 3 : kill ? 9 : 0;
        e->attempts = 1;
        e->submitted_ms = 1000000;
        e->started_ms = 1000010;
        e->ended_ms = 1000020 + (ms_t)k;
        if (s->spread) {
            e->submitted_ms += 10 * (ms_t)e->index;
            e->ended_ms = e->submitted_ms + 1000;
        }
        e->wall_us = 500;
        e->user_us = 300;
        e->sys_us = 100;
        e->maxrss_kib = 2048;
        e->extra = fail ? &broken : e->reason == END_UNMET ? &unmet : NULL;
        e->result = fail || kill ? "" : payload(a, e->index, &bytes);
        e->result_bytes = fail || kill ? 0 : (uint32_t)bytes;
        if (!fail && !kill && bytes > INLINE_BYTES_MAX) { /* one a message, in these tests */
            long_result.error = long_result.err = "";
            long_result.err_bytes = 0;
            long_result.blob = (uint64_t)a->id << 32 | e->index;
            long_result.blob_bytes = bytes;
            e->extra = &long_result;
            e->result_bytes = 0;
        }
    }
    struct message m = { .kind = MSG_ENDS };
    m.ends.array.n = a->id;
    m.ends.ends = ends;
    m.ends.n = n;
    m.ends.workers = &worker;
    m.ends.n_workers = 1;
    a->sent += n;
    m.ends.cursor = a->sent;
    m.ends.caught_up = true;
    fake_answer(s, a->collector, &m);
    free(ends);
}

/* ---- what a client asks */

static void on_open(struct fake *s, peer_id from, const struct message *asked)
{
    struct message m = { .kind = MSG_OPENED };
    struct fake_array *a = NULL;
    char spec[400];

    s->n_opens++;
    snprintf(spec, sizeof spec, "%.*s", (int)asked->open.spec_bytes,
             (const char *)asked->open.spec);
    for (unsigned i = 0; i < s->n_arrays; i++)
        if (strcmp(s->arrays[i].key, asked->open.key) == 0)
            a = &s->arrays[i];
    if (s->refuse_spec && strstr(spec, s->refuse_spec)) {
        fake_refuse(s, from, asked->open.request, ERR_USAGE, "no such policy");
        return;
    }
    if (!a && !*spec) {
        fake_refuse(s, from, asked->open.request, ERR_NOT_FOUND, "no calls have this key");
        return;
    }
    if (!a) {
        must(s->n_arrays < FAKE_ARRAYS_MAX);
        a = &s->arrays[s->n_arrays++];
        a->id = s->n_arrays;
        snprintf(a->key, sizeof a->key, "%s", asked->open.key);
        snprintf(a->study, sizeof a->study, "%s", asked->open.study);
        snprintf(a->spec, sizeof a->spec, "%s", spec);
    }
    m.opened.request = asked->open.request;
    m.opened.study = "calls";
    m.opened.id.n = 1;
    m.opened.array.n = a->id;
    m.opened.first.n = fake_first(a);
    m.opened.n = a->n;
    m.opened.closed = a->closed;
    fake_answer(s, from, &m);
}

static struct fake_blob *blob(struct fake *s, uint64_t id)
{
    struct fake_blob *b = s->blobs;

    while (b < s->blobs + s->n_blobs && b->id != id)
        b++;
    if (b == s->blobs + s->n_blobs) {
        must(s->n_blobs++ < FAKE_BLOBS_MAX);
        b->id = id;
    }
    return b;
}

static void on_blob(struct fake *s, peer_id from, const struct message *asked)
{
    struct fake_blob *b = blob(s, asked->blob.blob);
    struct message m = { .kind = MSG_BLOB_ACK };

    if (++s->n_parts == s->drop_part) {
        if (s->forgets)
            buf_clear(&b->data);
        s->dropped = from;
        link_close_peer(s->link, from);
        return;
    }
    if (s->refuse_parts) {
        m.blob_ack.blob = b->id;
        m.blob_ack.code = ERR_DISK_FULL;
        m.blob_ack.text = "there is no room for it";
        fake_answer(s, from, &m);
        return;
    }
    bool next = asked->blob.offset == b->data.n;
    if (next)
        buf_add(&b->data, asked->blob.data, asked->blob.data_bytes);
    if (s->late_acks && next && b->data.n < asked->blob.total &&
        b->data.n / BLOB_PART_BYTES % 4 != 1)
        return;
    m.blob_ack.blob = b->id;
    m.blob_ack.offset = b->data.n;
    m.blob_ack.done = b->data.n == asked->blob.total;
    m.blob_ack.text = "";
    fake_answer(s, from, &m);
    if (!s->takes_back || !m.blob_ack.done)
        return;
    m.blob_ack.offset = 0;
    m.blob_ack.done = false;
    fake_answer(s, from, &m);
}

static void on_want(struct fake *s, peer_id from, const struct message *asked)
{
    struct fake_array *a = by_id(s, (uint32_t)(asked->blob_want.blob >> 32));
    struct message m = { .kind = MSG_BLOB };
    size_t n, at = asked->blob_want.offset;
    const char *data = payload(a, asked->blob_want.blob & UINT32_MAX, &n);

    if (++s->n_parts == s->drop_part) {
        link_close_peer(s->link, from);
        return;
    }
    if (memcmp(data, "gone", 4) == 0) {
        m.kind = MSG_BLOB_ACK;
        m.blob_ack.blob = asked->blob_want.blob;
        m.blob_ack.code = ERR_NOT_FOUND;
        m.blob_ack.text = "it is no longer there";
        fake_answer(s, from, &m);
        return;
    }
    uint32_t parts = s->one_part ? 1 : asked->blob_want.parts;
    for (uint32_t i = 0; i < parts && at < n; i++) {
        m.blob.blob = asked->blob_want.blob;
        m.blob.offset = at;
        m.blob.total = n;
        m.blob.data = data + at;
        m.blob.data_bytes = n - at < BLOB_PART_BYTES ? n - at : BLOB_PART_BYTES;
        fake_answer(s, from, &m);
        at += m.blob.data_bytes;
    }
}

static void take_calls(struct fake *s, struct fake_array *a, const struct message *m)
{
    const char *data = m->append.payloads;
    const struct blob_ref *ref = m->append.blobs;

    for (uint64_t i = 0; i < m->append.n; i++) {
        uint8_t rule = m->append.rules ? m->append.rules[i] : 0;
        if (m->append.at + i >= a->n) {
            buf_add(&a->sizes, &a->payloads.n, sizeof a->payloads.n);
            if (ref < m->append.blobs + m->append.n_blobs && ref->call == i) {
                const struct buf *b = &blob(s, ref++->blob)->data;
                buf_add(&a->payloads, b->data, b->n);
            }
            buf_add(&a->payloads, data, m->append.sizes[i]);
            buf_add(&a->rules, &rule, 1);
            a->n++;
        }
        data += m->append.sizes[i];
    }
    for (size_t i = 0; i < m->append.n_edges; i++) {
        struct edge e = m->append.edges[i];
        e.call += m->append.at;
        buf_add(&a->edges, &e, sizeof e);
    }
    a->closed = a->closed || m->append.close;
}

static void on_append(struct fake *s, peer_id from, const struct message *asked)
{
    struct fake_array *a = by_id(s, asked->append.array.n);
    struct message m = { .kind = MSG_APPENDED };
    bool drop = ++s->n_appends == s->drop_append;

    if (asked->append.n > s->most_calls)
        s->most_calls = (unsigned)asked->append.n;
    must(a && asked->append.at <= a->n); /* a gap: the client is wrong */
    if (drop && !s->drop_after) {
        link_close_peer(s->link, from);
        return;
    }
    if (s->refuse_calls && asked->append.n &&
        strncmp(asked->append.payloads, s->refuse_calls, strlen(s->refuse_calls)) == 0) {
        fake_refuse(s, from, asked->append.request, ERR_USAGE, "cycle: 3 -> 7 -> 3");
        return;
    }
    uint64_t before = a->n;
    take_calls(s, a, asked);
    s->n_appended_calls += (unsigned)(a->n - before);
    for (uint64_t i = before; i < a->n; i++)
        end_call(s, a, s->backwards ? a->n - 1 - (i - before) : i);
    if (drop) {
        link_close_peer(s->link, from);
        return;
    }
    if (s->deaf)
        return;
    m.appended.request = asked->append.request;
    m.appended.array.n = a->id;
    m.appended.n = a->n;
    m.appended.closed = a->closed;
    fake_answer(s, from, &m);
    send_ends(s, a);
}

static void on_collect(struct fake *s, peer_id from, const struct message *asked)
{
    struct fake_array *a = by_id(s, asked->collect.array.n);

    if (!a) {
        s->n_collects++;
        fake_refuse(s, from, asked->collect.request, ERR_NOT_FOUND, "there is no such array");
        return;
    }
    a->collector = from;
    a->shares = asked->collect.shares;
    a->sent = s->cursor = asked->collect.cursor;
    s->n_named = (unsigned)asked->collect.n;
    if (s->late_replies) {
        must(s->n_late < sizeof s->late / sizeof *s->late);
        s->late[s->n_late++] = (struct fake_late){ from, asked->collect.request };
    } else {
        fake_reply(s, from, asked->collect.request, 0);
    }
    s->n_collects++; /* once all of it can be seen */
    send_ends(s, a);
}

struct fake_array *fake_sweep(struct fake *s)
{
    struct fake_array *a = &s->arrays[s->n_arrays++];
    size_t at = 0;

    must(s->n_arrays <= FAKE_ARRAYS_MAX);
    a->id = s->n_arrays;
    for (a->n = 0; a->n < FAKE_POINTS; a->n++) {
        buf_add(&a->sizes, &at, sizeof at);
        end_call(s, a, a->n);
    }
    return a;
}

bool fake_calls(struct fake *s, peer_id from, const struct message *asked)
{
    switch (asked->kind) {
    case MSG_OPEN:
        on_open(s, from, asked);
        return true;
    case MSG_APPEND:
        on_append(s, from, asked);
        return true;
    case MSG_COLLECT:
        on_collect(s, from, asked);
        return true;
    case MSG_BLOB:
        on_blob(s, from, asked);
        return true;
    case MSG_BLOB_WANT:
        on_want(s, from, asked);
        return true;
    default:
        return false;
    }
}

/* ---- what a test asks */

void fake_end_held(struct fake *s)
{
    for (; !s->late_replies && s->n_late; s->n_late--)
        fake_reply(s, s->late[s->n_late - 1].from, s->late[s->n_late - 1].request, 0);
    for (unsigned k = 0; s->released && k < s->n_arrays; k++) {
        for (uint64_t i = 0; i < s->arrays[k].n; i++)
            if (begins(&s->arrays[k], i, "hold"))
                end_call(s, &s->arrays[k], i);
        send_ends(s, &s->arrays[k]);
    }
    link_flush(s->link);
}

void fake_say_held(struct fake *s)
{
    for (unsigned k = 0; k < s->n_arrays; k++) {
        struct fake_array *a = &s->arrays[k];
        struct message m = { .kind = MSG_ENDS };
        m.ends.array.n = a->id;
        m.ends.cursor = a->sent;
        m.ends.shares = &s->said;
        m.ends.n_shares = 1;
        for (uint64_t i = 0; a->shares && a->collector.n && i < a->n; i++) {
            s->said.id = i;
            if (s->says_all || !a->ended.data[i])
                fake_answer(s, a->collector, &m);
        }
    }
    link_flush(s->link);
}

void fake_fini(struct fake *s)
{
    for (unsigned i = 0; i < s->n_blobs; i++)
        buf_fini(&s->blobs[i].data);
    for (unsigned i = 0; i < s->n_arrays; i++) {
        struct fake_array *a = &s->arrays[i];
        buf_fini(&a->payloads);
        buf_fini(&a->sizes);
        buf_fini(&a->ended);
        buf_fini(&a->order);
        buf_fini(&a->edges);
        buf_fini(&a->rules);
    }
}

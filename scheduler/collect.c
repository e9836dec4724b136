/* collect - the ends of an array of calls, to those who want them.
 *
 * A collector that has all that was recorded is live: it gets the ends of each commit right after
 * it. One that begins, or whose connection holds COLLECT_BEHIND_BYTES that it has not read, gets
 * them from the store, a bounded piece a turn, so that nobody waits for it and nothing is kept for
 * it. */
#include "scheduler/calls.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum {
    FILL_PART =
        4, /* the store is read for one who has less than this part of behind_bytes waiting */
    ROWS_STEP = 4096,          /* rows of ended that are looked at for one collector in a turn */
    ROWS_TURN = 4 * ROWS_STEP, /* for all of them */
    RETRY_MS = 5,              /* when all who are behind have enough to read */
    BATCH_KEPT_BYTES = 1 << 20
};

struct collector {
    peer_id peer;
    struct calls *calls;
    uint64_t cursor; /* ends up to this one were sent */
    uint64_t *index; /* [n] sorted; n 0: all */
    size_t n;
    uint64_t looked;    /* of points: whether those below were left out is told */
    struct buf adopted; /* of points: struct adoption, told from adopted_at on; then empty */
    size_t adopted_at;
    bool live;
    bool shares; /* also how far running calls are */
    uint64_t told;
    ms_t told_ms; /* news up to number `told` were sent, and when */
    /* what is gathered for the next message; pointers in it are offsets + 1 into bytes, those of
     * extras are index + 1 */
    struct buf ends, extras, bytes;
    struct collector *prev, *next;         /* of calls */
    struct collector *all_prev, *all_next; /* of all */
};

static void *offset_of(struct collector *k, const void *data, size_t n)
{
    if (!n)
        return NULL;
    uintptr_t at = k->bytes.n + 1;
    buf_add(&k->bytes, data, n);
    return (void *)at;
}

static const char *text_of(struct collector *k, const char *text)
{
    return text && *text ? offset_of(k, text, strlen(text) + 1) : NULL;
}

static void resolve(const struct collector *k, const void **p)
{
    if (*p)
        *p = k->bytes.data + (uintptr_t)*p - 1;
}

static void resolve_text(const struct collector *k, const char **p)
{
    *p = *p ? k->bytes.data + (uintptr_t)*p - 1 : "";
}

static bool has_extra(const struct end_row *row)
{
    const struct end_body *b = row->body;

    return row->because.n || (b && (b->blob || b->out_bytes || b->err_bytes || b->out_total ||
                                    b->err_total || (b->error_line && *b->error_line)));
}

static struct call_extra *gather_extra(struct collector *k, const struct end_row *row)
{
    static const struct end_body nothing;
    const struct end_body *b = row->body ? row->body : &nothing;
    struct call_extra x = {
        .error = text_of(k, b->error_line),
        .because = row->because,
        .blob = b->blob,
        .blob_bytes = b->blob_bytes,
        .out = offset_of(k, b->out, b->out_bytes),
        .err = offset_of(k, b->err, b->err_bytes),
        .out_bytes = b->out_bytes,
        .err_bytes = b->err_bytes,
        .out_packed = b->out_packed,
        .err_packed = b->err_packed,
        .out_total = b->out_total,
        .err_total = b->err_total,
        .out_file = text_of(k, b->out_file),
        .err_file = text_of(k, b->err_file),
    };

    buf_add(&k->extras, &x, sizeof x);
    return (struct call_extra *)(uintptr_t)(k->extras.n / sizeof x); /* index + 1 */
}

static void gather(struct collector *k, const struct end_row *row, ms_t submitted_ms)
{
    const struct end_body *b = row->body;
    struct call_end end = {
        .index = row->task.n - k->calls->first.n,
        .state = row->state,
        .reason = row->reason,
        .code = row->code,
        .attempts = row->attempts,
        .worker = row->worker.n, /* becomes its place in the message */
        .submitted_ms = submitted_ms,
        .started_ms = row->started_ms,
        .ended_ms = row->ended_ms,
        .wall_us = row->wall_us,
        .user_us = row->user_us,
        .sys_us = row->sys_us,
        .maxrss_kib = row->maxrss_kib,
        .result = b ? offset_of(k, b->result, b->result_bytes) : NULL,
        .result_bytes = b ? (uint32_t)b->result_bytes : 0,
        .extra = has_extra(row) ? gather_extra(k, row) : NULL,
    };

    buf_add(&k->ends, &end, sizeof end);
}

/* --- names of workers --- */

static struct worker_entry *worker_of(struct scheduler *s, uint32_t id)
{
    struct worker_entry *w;
    struct worker_row row = { 0 };
    struct fault f;
    bool found;

    HASH_FIND(hh, s->calls->workers, &id, sizeof id, w);
    if (w)
        return w;
    w = calloc(1, sizeof *w);
    must(w != NULL);
    w->id = id;
    if (!store_worker(s->store, (worker_id){ id }, &found, &row, &f) && found) {
        memcpy(w->name, row.name, sizeof w->name);
        memcpy(w->host, row.host, sizeof w->host);
    }
    HASH_ADD(hh, s->calls->workers, id, sizeof w->id, w);
    return w;
}

/* place_workers - ids become places in *names, which holds each that is named once. */
static void place_workers(struct scheduler *s, struct call_end *ends, size_t n, struct buf *names)
{
    struct worker_entry *last = NULL;
    uint64_t stamp = ++s->calls->stamp;

    for (size_t i = 0; i < n; i++) {
        if (!ends[i].worker) {
            ends[i].worker = UINT32_MAX;
            continue;
        }
        struct worker_entry *w =
            last && last->id == ends[i].worker ? last : worker_of(s, ends[i].worker);
        if (w->stamp != stamp) {
            struct worker_name name = { .name = w->name, .host = w->host };
            w->stamp = stamp;
            w->at = (uint32_t)(names->n / sizeof name);
            buf_add(names, &name, sizeof name);
        }
        ends[i].worker = w->at;
        last = w;
    }
}

/* --- sending --- */

static void empty(struct buf *b)
{
    if (b->cap > BATCH_KEPT_BYTES)
        buf_fini(b);
    else
        buf_clear(b);
}

static void send_batch(struct scheduler *s, struct collector *k, bool caught_up)
{
    struct call_end *ends = (struct call_end *)(void *)k->ends.data;
    struct call_extra *extras = (struct call_extra *)(void *)k->extras.data;
    size_t n = k->ends.n / sizeof *ends;
    struct buf names = { 0 };

    for (size_t i = 0; i < k->extras.n / sizeof *extras; i++) {
        resolve_text(k, &extras[i].error);
        resolve_text(k, &extras[i].out_file);
        resolve_text(k, &extras[i].err_file);
        resolve(k, &extras[i].out);
        resolve(k, &extras[i].err);
    }
    for (size_t i = 0; i < n; i++) {
        resolve(k, &ends[i].result);
        if (ends[i].extra)
            ends[i].extra = extras + (uintptr_t)ends[i].extra - 1;
    }
    place_workers(s, ends, n, &names);
    send_message(s, k->peer,
                 &(struct message){
                     .kind = MSG_ENDS,
                     .ends = { .array = k->calls->id,
                               .cursor = k->cursor,
                               .caught_up = caught_up,
                               .ends = ends,
                               .n = n,
                               .workers = (const struct worker_name *)(const void *)names.data,
                               .n_workers = names.n / sizeof(struct worker_name) } });
    buf_fini(&names);
    empty(&k->ends);
    empty(&k->extras);
    empty(&k->bytes);
}

static bool is_full(const struct collector *k)
{
    return k->ends.n >= ENDS_MAX * sizeof(struct call_end) || k->bytes.n >= ENDS_BYTES_MAX;
}

static bool wants(const struct collector *k, uint64_t index)
{
    size_t low = 0, high = k->n;

    if (!k->n)
        return true;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (k->index[middle] < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low < k->n && k->index[low] == index;
}

/* --- live --- */

static void committed(struct scheduler *s, const struct end_row *row, uint64_t n)
{
    struct calls *c = calls_by_task(s, row->task);
    struct collector *k;

    if (!c)
        return;
    uint64_t index = row->task.n - c->first.n;
    told_drop(c, index);
    struct chunk *chunk = chunk_of(c, index);
    ms_t submitted_ms = chunk ? chunk->appended_ms : c->submitted_ms;
    if (chunk)
        chunk_ended(s, chunk);
    DL_FOREACH(c->collectors, k)
    {
        if (!k->live || !wants(k, index))
            continue;
        if (!k->ends.n)
            buf_add(&s->calls->touched, &k, sizeof k);
        gather(k, row, submitted_ms);
        k->cursor = n;
        if (is_full(k))
            send_batch(s, k, true);
    }
}

void collect_committed(struct scheduler *s, uint64_t end_n)
{
    struct buf *touched = &s->calls->touched;

    for (size_t i = 0; i < s->out.n_changes; i++)
        if (s->out.changes[i].kind == CHG_END)
            committed(s, &s->out.changes[i].end, ++end_n);
    for (size_t i = 0; i < touched->n / sizeof(struct collector *); i++) {
        struct collector *k = ((struct collector **)(void *)touched->data)[i];
        k->cursor = end_n;
        if (k->ends.n)
            send_batch(s, k, true);
        k->live = link_queued(s->link, k->peer) < s->calls->behind_bytes;
    }
    buf_clear(touched);
    chunk_trim(s);
}

/* --- from the store --- */

static bool fill_one(void *ctx, uint64_t n, const struct end_row *row)
{
    struct collector *k = ctx;
    uint64_t index = row->task.n - k->calls->first.n;

    (void)n;
    if (!wants(k, index))
        return true;
    const struct chunk *chunk = chunk_of(k->calls, index);
    gather(k, row, chunk ? chunk->appended_ms : k->calls->submitted_ms);
    return !is_full(k);
}

/* Reads on; false: the store cannot be read. */
static bool fill(struct scheduler *s, struct collector *k)
{
    struct fault f;
    task_id first = k->calls->first, last = { first.n + k->calls->span - 1 };

    if (k->cursor + 1 < k->calls->first_end)
        k->cursor = k->calls->first_end - 1;
    if (store_ends(s->store, first, last, &k->cursor, ROWS_STEP, fill_one, k, &f)) {
        loop_die(s, &f);
        s->failed = loop_exit_code(&f);
        return false;
    }
    k->live = k->cursor >= store_end_n(s->store);
    if (k->ends.n || k->live)
        send_batch(s, k, k->live);
    return true;
}

/* --- points that had ended before, or never will --- */

/* adoption - the point `task` has the end number n of the store. */
struct adoption {
    uint64_t n;
    task_id task;
};

/* left_out - by --where: nothing is recorded of such a point, it is skipped from the beginning.
 * Those among the next ROWS_STEP points. */
static void left_out(struct scheduler *s, struct collector *k)
{
    static const struct end_body body = { .error_line = "left out by --where" };
    const struct calls *c = k->calls;
    struct core_array array;
    uint64_t to = c->span - k->looked < ROWS_STEP ? c->span : k->looked + ROWS_STEP;

    if (!core_array(s->core, c->id, &array) || !array.counts.skipped)
        to = k->looked = c->span;
    for (; k->looked < to; k->looked++) {
        struct end_row row = { .task = { c->first.n + k->looked },
                               .state = TASK_SKIPPED,
                               .reason = END_CANCELLED,
                               .body = &body };
        if (core_task_state(s->core, row.task) == TASK_SKIPPED)
            fill_one(k, 0, &row);
    }
}

struct adopting {
    struct collector *k;
    task_id task;
};

static bool fill_adopted(void *ctx, uint64_t n, const struct end_row *row)
{
    const struct adopting *a = ctx;
    struct end_row own = *row;

    own.task = a->task;
    return fill_one(a->k, n, &own);
}

/* adopt - a piece of what comes before all else: the ends of points that are those of points of
 * older arrays, and the points that were left out. False: the store cannot be read. */
static bool adopt(struct scheduler *s, struct collector *k)
{
    const struct adoption *all = (const struct adoption *)(const void *)k->adopted.data;
    size_t n = k->adopted.n / sizeof *all;
    struct fault f;

    if (k->looked < k->calls->span) {
        left_out(s, k);
    } else {
        for (int i = 0; i < ROWS_STEP && k->adopted_at < n && !is_full(k); i++, k->adopted_at++) {
            struct adopting a = { k, all[k->adopted_at].task };
            uint64_t cursor = all[k->adopted_at].n - 1;
            if (store_ends(s->store, (task_id){ 0 }, (task_id){ INT64_MAX }, &cursor, 1,
                           fill_adopted, &a, &f)) {
                loop_die(s, &f);
                s->failed = loop_exit_code(&f);
                return false;
            }
        }
    }
    if (k->adopted_at == n)
        buf_fini(&k->adopted);
    if (k->ends.n)
        send_batch(s, k, false);
    return true;
}

static void note_adopted(void *ctx, uint64_t n, task_id task)
{
    struct collector *k = ctx;
    struct adoption a = { n, task };

    if (wants(k, task.n - k->calls->first.n))
        buf_add(&k->adopted, &a, sizeof a);
}

/* adopt_begin - for who collects points from the beginning. */
static enum err adopt_begin(struct scheduler *s, struct collector *k, struct fault *f)
{
    const struct calls *c = k->calls;

    k->looked = c->span;
    if (!c->points || k->cursor)
        return ERR_NONE;
    k->looked = 0;
    return store_adopted(s->store, c->first, (task_id){ c->first.n + c->span - 1 }, note_adopted, k,
                         f);
}

/* send_shares - how far running calls are, at most every PROGRESS_MS; who is behind waits. Returns
 * in how many ms there is more. */
static ms_t send_shares(struct scheduler *s, struct collector *k)
{
    ms_t left = k->told_ms + PROGRESS_MS - s->now;
    struct buf shares = { 0 };
    size_t kept = 0;

    if (!k->shares || !k->live || k->told == k->calls->n_told)
        return MS_NEVER;
    if (k->told && left > 0)
        return left;
    size_t n = told_since(s, k->calls, k->told, &shares);
    struct call_share *all = (struct call_share *)(void *)shares.data;
    for (size_t i = 0; i < n; i++)
        if (wants(k, all[i].id))
            all[kept++] = all[i];
    if (kept)
        send_message(s, k->peer,
                     &(struct message){ .kind = MSG_ENDS,
                                        .ends = { .array = k->calls->id,
                                                  .cursor = k->cursor,
                                                  .caught_up = true,
                                                  .shares = all,
                                                  .n_shares = kept } });
    k->told = k->calls->n_told;
    k->told_ms = s->now;
    buf_fini(&shares);
    return MS_NEVER;
}

ms_t collect_step(struct scheduler *s)
{
    struct collector *k;
    ms_t again = MS_NEVER;
    int rows = 0;

    DL_FOREACH2(s->calls->collectors, k, all_next)
    {
        ms_t shares = send_shares(s, k);
        again = again < shares ? again : shares;
        if (k->live)
            continue;
        if (rows >= ROWS_TURN) {
            again = 0;
            break;
        }
        if (link_queued(s->link, k->peer) >= s->calls->behind_bytes / FILL_PART) {
            again = again < RETRY_MS ? again : RETRY_MS;
            continue;
        }
        rows += ROWS_STEP;
        bool first = k->looked < k->calls->span || k->adopted.n;
        if (!(first ? adopt(s, k) : fill(s, k)))
            return 0;
        if (!k->live)
            again = 0;
    }
    /* Who comes first changes from turn to turn, so that many of them take turns. */
    if (rows >= ROWS_TURN && s->calls->collectors->all_next) {
        k = s->calls->collectors;
        DL_DELETE2(s->calls->collectors, k, all_prev, all_next);
        DL_APPEND2(s->calls->collectors, k, all_prev, all_next);
    }
    return again;
}

/* --- who collects --- */

static void collector_free(struct scheduler *s, struct collector *k)
{
    DL_DELETE(k->calls->collectors, k);
    DL_DELETE2(s->calls->collectors, k, all_prev, all_next);
    buf_fini(&k->ends);
    buf_fini(&k->extras);
    buf_fini(&k->bytes);
    buf_fini(&k->adopted);
    free(k->index);
    free(k);
}

void collect_free(struct scheduler *s, struct calls *c)
{
    while (c->collectors)
        collector_free(s, c->collectors);
}

void collect_gone(struct scheduler *s, peer_id peer)
{
    struct collector *k, *next;

    DL_FOREACH_SAFE2(s->calls->collectors, k, next, all_next)
    {
        if (k->peer.n == peer.n)
            collector_free(s, k);
    }
}

static struct collector *collector_of(const struct calls *c, peer_id peer)
{
    struct collector *k;

    DL_FOREACH(c->collectors, k)
    if (k->peer.n == peer.n)
        return k;
    return NULL;
}

static int compare_index(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static void begin(struct scheduler *s, struct calls *c, peer_id from, const struct message *m)
{
    struct collector *k = calloc(1, sizeof *k);
    struct fault f;

    must(k != NULL);
    *k = (struct collector){
        .peer = from, .calls = c, .cursor = m->collect.cursor, .shares = m->collect.shares
    };
    if (m->collect.n) {
        k->n = m->collect.n;
        k->index = malloc(k->n * sizeof *k->index);
        must(k->index != NULL);
        memcpy(k->index, m->collect.index, k->n * sizeof *k->index);
        qsort(k->index, k->n, sizeof *k->index, compare_index);
    }
    if (k->cursor > store_end_n(s->store)) /* of another store */
        k->cursor = 0;
    DL_APPEND(c->collectors, k);
    DL_APPEND2(s->calls->collectors, k, all_prev, all_next);
    if (adopt_begin(s, k, &f)) {
        loop_die(s, &f);
        s->failed = loop_exit_code(&f);
    }
}

void collect_request(struct scheduler *s, peer_id from, const struct message *m)
{
    struct calls *c;
    struct fault f;
    enum err err = calls_find(s, m->collect.key, m->collect.array, &c, &f);

    if (!err && !c && !*m->collect.key)
        err = calls_points(s, m->collect.array, &c, &f);
    if (!err && !c)
        err = fault_set(&f, ERR_NOT_FOUND, "there is no array with this key or number");
    if (err) {
        request_refuse(s, from, m->collect.request, f.code, f.text);
        return;
    }
    struct collector *old = collector_of(c, from);
    if (old)
        collector_free(s, old);
    send_message(
        s, from,
        &(struct message){ .kind = MSG_REPLY, .reply = { .request = m->collect.request } });
    if (!m->collect.stop)
        begin(s, c, from, m);
}

/* wire_columns - ends as columns: of those without a body there are most, and a column costs a
 * third of what an object each does. A column that is all zero is left out. */
#include <stdlib.h>

#include "base/must.h"
#include "proto/wire_inner.h"

struct building {
    Wire__Columns *pb;
    size_t n;
    uint64_t base;
    uint8_t *states, *reasons;
    int32_t *code;
    uint32_t *attempts, *worker, *counted, *result_bytes;
    uint64_t *submitted, *started, *ended, *wall_us, *user_us, *sys_us, *maxrss_kib;
};

static uint64_t since(const struct building *b, ms_t t)
{
    return t > 0 ? (uint64_t)t - b->base + 1 : 0;
}

static void earliest(ms_t t, uint64_t *base)
{
    if (t > 0 && (uint64_t)t < *base)
        *base = (uint64_t)t;
}

static void carve(struct building *b, struct encoding *e)
{
    size_t n = b->n;
    uint64_t *wide = wire_scratch(e, n * (7 * 8 + 5 * 4 + 2));

    b->submitted = wide;
    b->started = wide + n;
    b->ended = wide + 2 * n;
    b->wall_us = wide + 3 * n;
    b->user_us = wide + 4 * n;
    b->sys_us = wide + 5 * n;
    b->maxrss_kib = wide + 6 * n;
    b->code = (int32_t *)(void *)(wide + 7 * n);
    b->attempts = (uint32_t *)(void *)(b->code + n);
    b->worker = b->attempts + n;
    b->counted = b->attempts + 2 * n;
    b->result_bytes = b->attempts + 3 * n;
    b->states = (uint8_t *)(b->attempts + 4 * n);
    b->reasons = b->states + n;
}

/* Which columns have anything in them; their sums overflow without harm but for one in 2^64, so
 * bits are gathered instead. */
struct any {
    uint64_t code, attempts, worker, counted, result_bytes, submitted, started, ended, wall_us,
        user_us, sys_us, maxrss_kib, reasons;
};

static void fill(struct building *b, size_t i, const struct column_end *end, struct any *any)
{
    any->code |= (uint32_t)(b->code[i] = end->code);
    any->attempts |= b->attempts[i] = end->attempts;
    any->worker |= b->worker[i] = end->worker;
    any->counted |= b->counted[i] = end->counted;
    any->result_bytes |= b->result_bytes[i] = (uint32_t)end->result_bytes;
    any->submitted |= b->submitted[i] = since(b, end->submitted_ms);
    any->started |= b->started[i] = since(b, end->started_ms);
    any->ended |= b->ended[i] = since(b, end->ended_ms);
    any->wall_us |= b->wall_us[i] = end->wall_us;
    any->user_us |= b->user_us[i] = end->user_us;
    any->sys_us |= b->sys_us[i] = end->sys_us;
    any->maxrss_kib |= b->maxrss_kib[i] = end->maxrss_kib;
    any->reasons |= b->reasons[i] = (uint8_t)end->reason;
    b->states[i] = (uint8_t)end->state;
}

static void publish(struct building *b, const struct any *any)
{
    Wire__Columns *pb = b->pb;

#define COLUMN(name)                                                                               \
    pb->n_##name = any->name ? b->n : 0;                                                           \
    pb->name = b->name
    COLUMN(code);
    COLUMN(attempts);
    COLUMN(worker);
    COLUMN(counted);
    COLUMN(result_bytes);
    COLUMN(submitted);
    COLUMN(started);
    COLUMN(ended);
    COLUMN(wall_us);
    COLUMN(user_us);
    COLUMN(sys_us);
    COLUMN(maxrss_kib);
#undef COLUMN
    pb->states = wire_bytes(b->states, b->n);
    pb->reasons = wire_bytes(b->reasons, any->reasons ? b->n : 0);
}

void wire_columns_to_pb(const struct message *m, size_t n, column_end_fn end_of, struct encoding *e)
{
    struct building b = { .pb = &e->columns, .n = n, .base = UINT64_MAX };
    struct any any = { 0 };
    struct column_end end;
    size_t total = 0;

    wire__columns__init(b.pb);
    b.pb->n = (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        end_of(m, i, &end);
        earliest(end.submitted_ms, &b.base);
        earliest(end.started_ms, &b.base);
        earliest(end.ended_ms, &b.base);
        total += end.result_bytes;
    }
    b.pb->base_ms = b.base == UINT64_MAX ? 0 : b.base;
    carve(&b, e);
    char *results = total ? wire_scratch(e, total) : NULL;
    b.pb->results = wire_bytes(results, total);
    for (size_t i = 0; i < n; i++) {
        end_of(m, i, &end);
        fill(&b, i, &end, &any);
        if (end.result_bytes) {
            memcpy(results, end.result, end.result_bytes);
            results += end.result_bytes;
        }
    }
    publish(&b, &any);
}

static enum err lengths(const Wire__Columns *pb, size_t n, struct fault *f)
{
    const size_t has[] = { pb->reasons.len, pb->n_code,         pb->n_attempts,  pb->n_worker,
                           pb->n_counted,   pb->n_result_bytes, pb->n_submitted, pb->n_started,
                           pb->n_ended,     pb->n_wall_us,      pb->n_user_us,   pb->n_sys_us,
                           pb->n_maxrss_kib };

    CHECK(wire_at_most(n, WIRE_COLUMNS_MAX, "the number of ends", f));
    if (pb->n != n || (pb->states.len != n && pb->states.len != 0))
        REFUSE(f, ERR_MALFORMED, "columns of another number of ends");
    for (size_t i = 0; i < sizeof has / sizeof *has; i++)
        if (has[i] != 0 && has[i] != n)
            REFUSE(f, ERR_MALFORMED, "a column of %zu for %zu ends", has[i], n);
    return ERR_NONE;
}

static enum err in_range(const uint64_t *column, size_t n, uint64_t max, struct fault *f)
{
    for (size_t i = 0; i < n; i++)
        if (column[i] > max)
            REFUSE(f, ERR_MALFORMED, "an end whose times are out of range");
    return ERR_NONE;
}

enum err wire_columns_check(const Wire__Columns *pb, size_t n, struct fault *f)
{
    CHECK(lengths(pb, n, f));
    for (size_t i = 0; i < pb->states.len; i++)
        if (pb->states.data[i] >= N_TASK_STATES)
            REFUSE(f, ERR_MALFORMED, "a task in state %d", pb->states.data[i]);
    for (size_t i = 0; i < pb->reasons.len; i++)
        if (pb->reasons.data[i] >= N_END_REASONS)
            REFUSE(f, ERR_MALFORMED, "an end for reason %d", pb->reasons.data[i]);
    if (pb->base_ms > WIRE_TIME_MAX)
        REFUSE(f, ERR_MALFORMED, "an end whose times are out of range");
    uint64_t latest = WIRE_TIME_MAX - pb->base_ms + 1; /* of t - base + 1 */
    CHECK(in_range(pb->submitted, pb->n_submitted, latest, f));
    CHECK(in_range(pb->started, pb->n_started, latest, f));
    CHECK(in_range(pb->ended, pb->n_ended, latest, f));
    CHECK(in_range(pb->wall_us, pb->n_wall_us, WIRE_TIME_MAX, f));
    CHECK(in_range(pb->user_us, pb->n_user_us, WIRE_TIME_MAX, f));
    CHECK(in_range(pb->sys_us, pb->n_sys_us, WIRE_TIME_MAX, f));
    CHECK(in_range(pb->maxrss_kib, pb->n_maxrss_kib, WIRE_TIME_MAX, f));
    if (!pb->n_result_bytes)
        return pb->results.len ? fault_set(f, ERR_MALFORMED, "results without their sizes")
                               : ERR_NONE;
    return wire_sizes_check(pb->result_bytes, n, pb->results.len, f);
}

void wire_column_end(const Wire__Columns *pb, size_t i, const uint8_t **results,
                     struct column_end *end)
{
#define AT(name)   (pb->n_##name ? pb->name[i] : 0)
#define TIME(name) (AT(name) ? (ms_t)(pb->base_ms + pb->name[i] - 1) : 0)
    *end = (struct column_end){
        .state = pb->states.len ? (enum task_state)pb->states.data[i] : TASK_READY,
        .reason = pb->reasons.len ? (enum end_reason)pb->reasons.data[i] : END_EXIT,
        .code = AT(code),
        .attempts = AT(attempts),
        .worker = AT(worker),
        .counted = AT(counted) != 0,
        .submitted_ms = TIME(submitted),
        .started_ms = TIME(started),
        .ended_ms = TIME(ended),
        .wall_us = AT(wall_us),
        .user_us = AT(user_us),
        .sys_us = AT(sys_us),
        .maxrss_kib = AT(maxrss_kib),
        .result_bytes = AT(result_bytes),
    };
#undef AT
#undef TIME
    if (end->result_bytes) {
        end->result = *results;
        *results += end->result_bytes;
    }
}

enum err wire_sizes_check(const uint32_t *sizes, size_t n, size_t payloads_bytes, struct fault *f)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++) {
        if (sizes[i] > INLINE_BYTES_MAX)
            REFUSE(f, ERR_LIMIT, "a payload of %u bytes; at most %d go without a blob", sizes[i],
                   INLINE_BYTES_MAX);
        sum += sizes[i];
    }
    if (sum != payloads_bytes)
        REFUSE(f, ERR_MALFORMED, "payloads of %zu bytes whose sizes add to %llu", payloads_bytes,
               (unsigned long long)sum);
    return ERR_NONE;
}

_Static_assert(sizeof(struct blob_ref) == 24, "three numbers, as they are on the wire");

enum err wire_blobs_from_pb(const uint64_t *pb, size_t n, const uint32_t *sizes, size_t n_calls,
                            const struct blob_ref **blobs, size_t *n_blobs, struct fault *f)
{
    const struct blob_ref *refs = (const struct blob_ref *)(const void *)pb;

    if (n % 3)
        REFUSE(f, ERR_MALFORMED, "half the name of a blob");
    n /= 3;
    CHECK(wire_at_most(n, BLOBS_MESSAGE_MAX, "the number of blobs", f));
    for (size_t i = 0; i < n; i++) {
        CHECK(wire_is_set(refs[i].blob, "a blob", f));
        CHECK(wire_is_set(refs[i].bytes, "the length of a blob", f));
        CHECK(wire_at_most(refs[i].bytes, BLOB_BYTES_MAX, "the length of a blob", f));
        if (refs[i].call >= n_calls || (i && refs[i].call <= refs[i - 1].call))
            REFUSE(f, ERR_MALFORMED, "a blob of a call that is not there");
        if (sizes[refs[i].call])
            REFUSE(f, ERR_MALFORMED, "a call with a payload and a blob");
    }
    *blobs = refs;
    *n_blobs = n;
    return ERR_NONE;
}

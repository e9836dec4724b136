/* calls: arrays of calls through a real scheduler, which is killed at any point. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"
#include "base/rng.h"
#include "tests/unit/calls_help.h"

static struct stage s;

static void setup(void)
{
    stage_open(&s);
}
static void teardown(void)
{
    stage_close(&s);
}
TestSuite(calls, .init = setup, .fini = teardown, .timeout = 300);

enum { N = 3000, BATCH = 40, WINDOW = 3 * BATCH, ROW = 25 };

static const char spec[] = "{\"calls\":{\"function\":\"echo\"}}";

/* client - appends N calls, call i with the payload "call i", and collects their ends. */
static struct {
    array_id array;
    task_id first;
    uint64_t n, sent, appended, cursor;
    uint32_t seen[N];
    uint64_t n_seen;
    bool closed, caught_up, in_rows; /* in_rows: call i waits for call i - ROW */
    char refused[300];
    enum err code;
} client;

static void append(uint64_t at, uint64_t n, bool close)
{
    uint32_t sizes[BATCH];
    struct edge edges[BATCH];
    size_t n_edges = 0;
    struct buf b = { 0 };
    struct message m = { .kind = MSG_APPEND };

    for (uint64_t i = 0; i < n; i++) {
        size_t before = b.n;
        buf_addf(&b, "call %llu", (unsigned long long)(at + i));
        sizes[i] = (uint32_t)(b.n - before);
        if (client.in_rows && at + i >= ROW)
            edges[n_edges++] = (struct edge){ i, { client.first.n + at + i - ROW } };
    }
    m.append.request = 10 + at;
    m.append.array = client.array;
    m.append.at = at;
    m.append.n = n;
    m.append.sizes = sizes;
    m.append.payloads = b.data;
    m.append.payloads_bytes = b.n;
    m.append.close = close;
    m.append.edges = edges;
    m.append.n_edges = n_edges;
    stage_say(&s.client, &m);
    buf_fini(&b);
}

static void append_more(void)
{
    while (client.array.n && client.sent < client.n && client.sent - client.appended < WINDOW) {
        uint64_t n = client.n - client.sent < BATCH ? client.n - client.sent : BATCH;
        append(client.sent, n, client.sent + n == client.n);
        client.sent += n;
    }
}

static void collect(uint64_t cursor, const uint64_t *index, size_t n)
{
    struct message m = { .kind = MSG_COLLECT };

    m.collect.request = 2;
    m.collect.array = client.array;
    m.collect.key = "";
    m.collect.cursor = cursor;
    m.collect.index = index;
    m.collect.n = n;
    stage_say(&s.client, &m);
}

static void see(const struct message *m)
{
    for (size_t i = 0; i < m->ends.n; i++) {
        const struct call_end *e = &m->ends.ends[i];
        char want[32];
        cr_assert_lt(e->index, (uint64_t)N);
        cr_assert(!client.in_rows || e->index < ROW || client.seen[e->index - ROW] == 1,
                  "call %llu ended before the one that it waits for", (unsigned long long)e->index);
        int n = snprintf(want, sizeof want, "call %llu", (unsigned long long)e->index);
        cr_assert_eq(++client.seen[e->index], 1, "call %llu ended twice",
                     (unsigned long long)e->index);
        cr_assert(e->result_bytes == (uint32_t)n && memcmp(e->result, want, (size_t)n) == 0);
        cr_assert(e->state == TASK_DONE && e->attempts == 1 && e->submitted_ms > 0);
        cr_assert_str_eq(m->ends.workers[e->worker].name, "test");
        client.n_seen++;
    }
    client.cursor = m->ends.cursor;
    client.caught_up = m->ends.caught_up;
}

static void on_client(struct stage *stage, const struct message *m)
{
    (void)stage;
    switch (m->kind) {
    case MSG_WELCOME:
        client.array.n = 0;
        stage_open_key(&s, "k", spec);
        break;
    case MSG_OPENED:
        client.array = m->opened.array;
        client.first = m->opened.first;
        client.sent = client.appended = m->opened.n;
        client.closed = m->opened.closed;
        collect(client.cursor, NULL, 0);
        break;
    case MSG_APPENDED:
        cr_assert_geq(m->appended.n, client.appended);
        client.appended = m->appended.n;
        client.closed = m->appended.closed;
        break;
    case MSG_ENDS:
        see(m);
        break;
    case MSG_REFUSED:
        client.code = (enum err)m->refused.code;
        snprintf(client.refused, sizeof client.refused, "%s", m->refused.text);
        break;
    default:
        break;
    }
    append_more();
}

static void start_client(uint64_t n)
{
    memset(&client, 0, sizeof client);
    client.n = n;
    s.on_client = on_client;
}

static int64_t stored(const char *sql)
{
    char command[300], line[64] = "";

    snprintf(command, sizeof command, "sqlite3 %s/grange.db \"%s\"", s.dir, sql);
    FILE *p = popen(command, "r");
    must(p != NULL);
    cr_assert(fgets(line, sizeof line, p));
    pclose(p);
    return strtoll(line, NULL, 10);
}

Test(calls, nothing_is_lost_and_nothing_ends_twice_when_the_scheduler_is_killed)
{
    struct rng r = { .state = 20261121 };
    uint64_t next = 5;

    start_client(N);
    for (int kills = 0; client.n_seen < N;) {
        stage_turn(&s);
        if (s.n_messages < next || kills == 12)
            continue;
        stage_kill(&s);
        stage_start(&s);
        kills++;
        next = s.n_messages + 1 + rng_below(&r, 60);
    }
    cr_assert(client.closed && client.appended == N);
    cr_assert_eq(stored("SELECT count(*) FROM ended"), N);
    cr_assert_eq(stored("SELECT count(DISTINCT task) FROM ended"), N);
    cr_assert_eq(stored("SELECT sum(calls) FROM chunk"), N);
    cr_assert_eq(stored("SELECT count(*) FROM calls WHERE call = 'k:2999' AND result = x'"
                        "63616c6c2032393939'"),
                 1);
}

/* Nothing runs until all are appended, so none of the payloads is in memory when it is wanted. */
Test(calls, payloads_that_left_memory_come_back_from_the_store)
{
    struct message hold = { .kind = MSG_HOLD }, release = { .kind = MSG_CONTROL };

    stage_kill(&s);
    setenv("GRANGE_CHUNK_CACHE_BYTES", "1", 1);
    stage_start(&s);
    unsetenv("GRANGE_CHUNK_CACHE_BYTES");
    start_client(N);
    while (!client.array.n)
        stage_turn(&s);
    hold.hold.request = 5;
    hold.hold.study = "s";
    stage_say(&s.client, &hold);
    while (client.appended < N)
        stage_turn(&s);
    cr_assert_lt(client.n_seen, (uint64_t)N / 2);
    release.control.request = 6;
    release.control.verb = CONTROL_RELEASE;
    release.control.name = "s";
    stage_say(&s.client, &release);
    while (client.n_seen < N)
        stage_turn(&s);
}

Test(calls, what_waits_goes_on_waiting_after_a_start)
{
    struct rng r = { .state = 7 };
    uint64_t next = 8;

    start_client(1000);
    client.in_rows = true;
    for (int kills = 0; client.n_seen < 1000;) {
        stage_turn(&s);
        if (s.n_messages < next || kills == 5)
            continue;
        stage_kill(&s);
        stage_start(&s);
        kills++;
        next = s.n_messages + 1 + rng_below(&r, 100);
    }
    cr_assert_eq(stored("SELECT count(DISTINCT task) FROM ended"), 1000);
}

static void turn_until_seen(uint64_t n)
{
    while (client.n_seen < n || !client.caught_up)
        stage_turn(&s);
}

Test(calls, who_comes_late_gets_all_ends_and_who_names_some_gets_those)
{
    static const uint64_t some[] = { 500, 3, 77 };

    start_client(1000);
    turn_until_seen(1000);
    memset(client.seen, 0, sizeof client.seen);
    client.n_seen = 0;
    client.caught_up = false;
    collect(0, NULL, 0);
    turn_until_seen(1000);
    memset(client.seen, 0, sizeof client.seen);
    client.n_seen = 0;
    client.caught_up = false;
    collect(0, some, 3);
    turn_until_seen(3);
    cr_assert(client.seen[500] == 1 && client.seen[3] == 1 && client.seen[77] == 1);
    cr_assert_eq(client.n_seen, 3);
}

static void turn_until_refused(void)
{
    client.code = ERR_NONE;
    while (client.code == ERR_NONE)
        stage_turn(&s);
}

Test(calls, an_append_is_done_once_and_a_gap_is_refused)
{
    start_client(100);
    turn_until_seen(100);
    append(0, 40, false); /* again */
    append(60, 40, true);
    client.appended = 0;
    while (client.appended < 100)
        stage_turn(&s);
    cr_assert_eq(stored("SELECT sum(calls) FROM chunk"), 100);
    append(100, 1, false);
    turn_until_refused();
    cr_assert(strstr(client.refused, "closed"), "%s", client.refused);
    stage_open_key(&s, "other", "");
    turn_until_refused();
    cr_assert(client.code == ERR_NOT_FOUND && strstr(client.refused, "'other'"));
    stage_open_key(&s, "other", "{\"calls\":{}}");
    turn_until_refused();
    cr_assert(client.code == ERR_USAGE && strstr(client.refused, "commands"));
    stage_open_key(&s, "other", "{\"calls\":{\"function\":\"echo\"},\"timeot\":\"3s\"}");
    turn_until_refused();
    cr_assert(strstr(client.refused, "did you mean 'timeout'?"), "%s", client.refused);
    client.n = 0;
    stage_open_key(&s, "other", spec);
    array_id old = client.array;
    while (client.array.n == old.n || client.sent)
        stage_turn(&s);
    append(5, 1, false);
    turn_until_refused();
    cr_assert(strstr(client.refused, "gap"), "%s", client.refused);
}

static void append_edges(const struct edge *edges, size_t n)
{
    uint32_t sizes[3] = { 0 };
    struct message m = { .kind = MSG_APPEND };

    m.append.request = 5;
    m.append.array = client.array;
    m.append.at = client.appended;
    m.append.n = 3;
    m.append.sizes = sizes;
    m.append.edges = edges;
    m.append.n_edges = n;
    stage_say(&s.client, &m);
}

Test(calls, a_cycle_is_refused_with_its_path)
{
    start_client(0);
    while (!client.array.n)
        stage_turn(&s);
    task_id a = client.first, b = { a.n + 1 }, c = { a.n + 2 };
    append_edges((struct edge[]){ { 0, c }, { 1, a }, { 2, b } }, 3);
    turn_until_refused();
    cr_assert(strstr(client.refused, "cycle: 0 -> 2 -> 1 -> 0"), "%s", client.refused);
    append_edges((struct edge[]){ { 1, b } }, 1);
    turn_until_refused();
    cr_assert(strstr(client.refused, "cycle: 1 -> 1"), "%s", client.refused);
    append_edges((struct edge[]){ { 0, c }, { 1, a } }, 2);
    while (client.appended < 3)
        stage_turn(&s);
}

/* --- blobs: the client sends one as a payload, the worker sends one as a result --- */

enum { LONG = 5 * BLOB_PART_BYTES + 12345 };
static char *sent_bytes, *got_bytes;
static struct {
    uint64_t up_acked, down, worker_got, worker_acked;
    bool up_done, result_sent, worker_done, ended;
    lease_id lease;
    task_id task;
    uint64_t result;
} long_one;

static void send_part(struct peer_of *p, uint64_t id, uint64_t offset)
{
    struct message m = { .kind = MSG_BLOB };
    uint64_t left = LONG - offset;

    m.blob.blob = id;
    m.blob.offset = offset;
    m.blob.total = LONG;
    m.blob.data = sent_bytes + offset;
    m.blob.data_bytes = left < BLOB_PART_BYTES ? left : BLOB_PART_BYTES;
    stage_say(p, &m);
}

static void want(struct peer_of *p, uint64_t id, uint64_t offset)
{
    struct message m = { .kind = MSG_BLOB_WANT };

    m.blob_want.blob = id;
    m.blob_want.offset = offset;
    m.blob_want.parts = 2;
    stage_say(p, &m);
}

static void worker_blob(struct stage *stage, const struct message *m)
{
    struct end_body body = { .blob = 22, .blob_bytes = LONG };
    struct end_row row = { .state = TASK_DONE, .body = &body };

    if (m->kind == MSG_ASSIGN && m->assign.n_blobs) {
        cr_assert(m->assign.blobs[0].blob == 11 && m->assign.blobs[0].bytes == LONG);
        long_one.lease = m->assign.grants[0].lease;
        long_one.task = m->assign.grants[0].task;
        want(&stage->worker, 11, 0);
    } else if (m->kind == MSG_BLOB) {
        cr_assert_eq(m->blob.offset, long_one.worker_got);
        cr_assert_eq(memcmp(m->blob.data, sent_bytes + m->blob.offset, m->blob.data_bytes), 0);
        long_one.worker_got += m->blob.data_bytes;
        if (long_one.worker_got == LONG)
            send_part(&stage->worker, 22, 0);
        else if (long_one.worker_got % (2 * BLOB_PART_BYTES) == 0)
            want(&stage->worker, 11, long_one.worker_got);
    } else if (m->kind == MSG_BLOB_ACK && m->blob_ack.done && !long_one.result_sent) {
        long_one.result_sent = true;
        row.lease = long_one.lease;
        row.task = long_one.task;
        stage_say(&stage->worker,
                  &(struct message){ .kind = MSG_RESULTS, .results = { .rows = &row, .n = 1 } });
    } else if (m->kind == MSG_BLOB_ACK) {
        send_part(&stage->worker, 22, m->blob_ack.offset);
    }
}

static void append_blob(void)
{
    uint32_t size = 0;
    struct blob_ref ref = { 0, 11, LONG };
    struct message m = { .kind = MSG_APPEND };

    m.append.request = 3;
    m.append.array = client.array;
    m.append.n = 1;
    m.append.sizes = &size;
    m.append.blobs = &ref;
    m.append.n_blobs = 1;
    stage_say(&s.client, &m);
}

static void client_blob(struct stage *stage, const struct message *m)
{
    switch (m->kind) {
    case MSG_WELCOME:
        stage_open_key(&s, "k", spec);
        break;
    case MSG_OPENED:
        client.array = m->opened.array;
        append_blob(); /* too early: refused */
        break;
    case MSG_REFUSED:
        cr_assert(strstr(m->refused.text, "before its append"), "%s", m->refused.text);
        collect(0, NULL, 0);
        send_part(&stage->client, 11, 2 * BLOB_PART_BYTES); /* a gap: it hears where to go on */
        break;
    case MSG_BLOB_ACK:
        cr_assert_eq(m->blob_ack.code, 0, "%s", m->blob_ack.text);
        long_one.up_done = m->blob_ack.done;
        if (m->blob_ack.done)
            append_blob();
        else
            send_part(&stage->client, 11, m->blob_ack.offset);
        break;
    case MSG_ENDS:
        for (size_t i = 0; i < m->ends.n; i++) {
            cr_assert(m->ends.ends[i].extra && m->ends.ends[i].extra->blob == 22);
            cr_assert_eq(m->ends.ends[i].extra->blob_bytes, (uint64_t)LONG);
            want(&stage->client, 22, 0);
        }
        break;
    case MSG_BLOB:
        cr_assert_eq(m->blob.offset, long_one.down);
        memcpy(got_bytes + m->blob.offset, m->blob.data, m->blob.data_bytes);
        long_one.down += m->blob.data_bytes;
        if (long_one.down % (2 * BLOB_PART_BYTES) == 0)
            want(&stage->client, 22, long_one.down);
        break;
    default:
        break;
    }
}

Test(calls, a_long_payload_and_a_long_result_pass_as_blobs)
{
    char path[128];

    sent_bytes = malloc(LONG);
    got_bytes = calloc(1, LONG);
    must(sent_bytes && got_bytes);
    for (size_t i = 0; i < LONG; i++)
        sent_bytes[i] = (char)(i * 2654435761u >> 13);
    s.on_client = client_blob;
    s.on_worker = worker_blob;
    while (long_one.down < LONG)
        stage_turn(&s);
    cr_assert_eq(memcmp(sent_bytes, got_bytes, LONG), 0);
    cr_assert_eq(stored("SELECT count(*) FROM blob WHERE NOT result"), 0);
    cr_assert_eq(stored("SELECT count(*) FROM blob WHERE result AND bytes = 5255225"), 1);
    snprintf(path, sizeof path, "%s/blobs/000000000000000b", s.dir);
    cr_assert_neq(access(path, F_OK), 0, "the payload of what succeeded is deleted");
    snprintf(path, sizeof path, "%s/blobs/0000000000000016", s.dir);
    cr_assert_eq(access(path, F_OK), 0);
    free(sent_bytes);
    free(got_bytes);
}

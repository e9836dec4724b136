/* client_engines: operations on engines, against a scheduler with engines that the test plays in a
 * thread. It keeps to the credit of docs/protocol.md as strictly as it may, so that a client that
 * sends too much fails the test and one that sends too little waits for ever. */
#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/must.h"
#include "client/grange.h"
#include "proto/link.h"
#include "proto/wire.h"

enum { LONG_MS = 100000, ENGINES = 4, TICKETS = 4096, STREAMS = 8 };

/* job - one operation that the fake has. */
struct job {
    uint64_t ticket, engine, total, in, acked_in; /* of the payload */
    enum direct_op op;
    char name[NAME_BYTES_MAX + 1];
    struct buf data; /* the payload, then the result */
    size_t out, acked_out;
    bool answering, begun; /* begun: the client has acknowledged the first part of the result */
};

struct fake {
    pthread_t thread;
    struct link *link;
    peer_id client;
    int stop_fd;
    struct job *jobs[TICKETS];
    struct buf values[ENGINES]; /* one each is enough */
    bool has_value[ENGINES];
    bool gather_streams; /* results in parts go on once STREAMS of them are wanted */
    atomic_uint n_jobs, most_jobs, n_cancelled, n_begun, most_begun, n_offered;
    atomic_bool wrong; /* the client went beyond its credit */
};

static char dir[64], url[100];
static struct fake fake;
static struct grange *g;
static const uint64_t all[ENGINES] = { 0, 1, 2, 3 };

/* ---- the scheduler */

static void tell(const struct message *m)
{
    struct buf b = { 0 };

    wire_encode(m, &b);
    link_send(fake.link, fake.client, b.data, b.n);
    buf_fini(&b);
}

static void drop_job(struct job *j)
{
    fake.jobs[j->ticket % TICKETS] = NULL;
    fake.n_jobs--;
    if (j->begun)
        fake.n_begun--;
    buf_fini(&j->data);
    free(j);
}

static void end_job(struct job *j, enum end_reason reason, int32_t code, const char *text)
{
    struct message m = { .kind = MSG_DIRECT_END };

    m.direct_end.ticket = j->ticket;
    m.direct_end.reason = reason;
    m.direct_end.code = code;
    m.direct_end.text = text;
    tell(&m);
    drop_job(j);
}

/* answer - sends of the result what there is credit for. */
static void answer(struct job *j)
{
    j->answering = true;
    for (;;) {
        struct message m = { .kind = MSG_DIRECT_END };
        size_t n = j->data.n - j->out, most = j->out ? BLOB_PART_BYTES : INLINE_BYTES_MAX;
        if (j->out &&
            (!j->acked_out || j->out - j->acked_out + BLOB_PART_BYTES > DIRECT_WINDOW_BYTES))
            return;
        n = n < most ? n : most;
        m.direct_end.ticket = j->ticket;
        m.direct_end.text = "";
        m.direct_end.total = j->data.n;
        m.direct_end.data = j->data.data + j->out;
        m.direct_end.data_bytes = n;
        m.direct_end.wall_us = 5;
        j->out += n;
        m.direct_end.more = j->out < j->data.n;
        tell(&m);
        if (!m.direct_end.more) {
            drop_job(j);
            return;
        }
    }
}

static void answer_begun(void)
{
    for (size_t i = 0; i < TICKETS; i++)
        if (fake.jobs[i] && fake.jobs[i]->begun)
            answer(fake.jobs[i]);
}

/* finish - all of the payload is here. */
static void finish(struct job *j)
{
    struct buf *value = &fake.values[j->engine];

    if (j->op == DIRECT_PUT) {
        buf_clear(value);
        buf_add(value, j->data.data, j->data.n);
        fake.has_value[j->engine] = true;
        end_job(j, END_EXIT, 0, "");
    } else if (j->op != DIRECT_CALL && !fake.has_value[j->engine]) {
        end_job(j, END_NOT_STARTED, ERR_NOT_FOUND, "there is no such value");
    } else if (j->op == DIRECT_DROP) {
        fake.has_value[j->engine] = false;
        end_job(j, END_EXIT, 0, "");
    } else if (j->op == DIRECT_GET) {
        buf_add(&j->data, value->data, value->n);
        answer(j);
    } else if (strcmp(j->name, "fail") == 0) {
        end_job(j, END_EXIT, 3, "does not like it");
    } else if (strcmp(j->name, "crash") == 0) {
        end_job(j, END_SIGNAL, 11, "");
    } else if (strcmp(j->name, "hold") != 0) {
        answer(j);
    }
}

static void on_part(struct job *j, const struct message *m)
{
    uint64_t out = j->in - j->acked_in + m->direct.data_bytes;

    if (out >
        (*m->direct.name ? INLINE_BYTES_MAX : DIRECT_WINDOW_BYTES)) /* the first one names it */
        fake.wrong = true;
    buf_add(&j->data, m->direct.data, m->direct.data_bytes);
    j->in += m->direct.data_bytes;
    if (!m->direct.more) {
        finish(j);
    } else if (j->acked_in == 0 || out == DIRECT_WINDOW_BYTES) { /* as late as possible */
        struct message ack = { .kind = MSG_DIRECT_ACK };
        ack.direct_ack.ticket = j->ticket;
        ack.direct_ack.bytes = j->acked_in = j->in;
        tell(&ack);
    }
}

static void on_direct(const struct message *m)
{
    struct job **at = &fake.jobs[m->direct.ticket % TICKETS], *j = *at;

    if (m->direct.op == DIRECT_CANCEL) {
        fake.n_cancelled++;
        if (j)
            end_job(j, END_REVOKED, 0, "");
        return;
    }
    fake.n_offered += *m->direct.file.path != '\0'; /* and is declined, by an acknowledgement */
    if (!j && *m->direct.name) {
        j = *at = calloc(1, sizeof *j);
        j->ticket = m->direct.ticket;
        j->engine = m->direct.engine;
        j->op = m->direct.op;
        snprintf(j->name, sizeof j->name, "%s", m->direct.name);
        if (++fake.n_jobs > fake.most_jobs)
            fake.most_jobs = (unsigned)fake.n_jobs;
        if (j->engine >= ENGINES) {
            end_job(j, END_NOT_STARTED, ERR_NOT_FOUND, "there is no such engine");
            return;
        }
    }
    if (j)
        on_part(j, m);
}

static void on_ack(const struct message *m)
{
    struct job *j = fake.jobs[m->direct_ack.ticket % TICKETS];

    if (!j || m->direct_ack.bytes > j->out)
        return;
    j->acked_out = m->direct_ack.bytes;
    if (!j->begun) {
        j->begun = true;
        if (++fake.n_begun > fake.most_begun)
            fake.most_begun = (unsigned)fake.n_begun;
    }
    if (!fake.gather_streams)
        answer(j);
    else if (fake.n_begun >= STREAMS || fake.n_begun == fake.n_jobs)
        answer_begun();
}

static void on_watch(const struct message *asked)
{
    struct message m = { .kind = MSG_FARM };
    struct farm_worker workers[2] = {
        { .id = { 1 }, .name = "node1", .host = "h1", .labels = "", .resources = "" },
        { .id = { 2 }, .name = "node2", .host = "h2", .labels = "", .resources = "" },
    };
    struct engine_info engines[ENGINES] = { 0 };

    for (uint32_t i = 0; i < ENGINES; i++)
        engines[i] = (struct engine_info){ .slot = i / 2,
                                           .pid = 100 + i,
                                           .restarts = i,
                                           .state = ENGINE_BUSY,
                                           .reason = i ? "killed by SIGSEGV" : "",
                                           .functions = "echo\nfail",
                                           .engine = i,
                                           .worker = i % 2 };
    m.farm.request = asked->watch.request;
    m.farm.workers = workers;
    m.farm.n_workers = 2;
    m.farm.engines = engines;
    m.farm.n_engines = ENGINES;
    tell(&m);
}

static void on_frame(const struct link_event *ev)
{
    struct message m, welcome = { .kind = MSG_WELCOME };
    struct fault f;

    cr_assert_eq(wire_decode(ev->data, ev->n, &m, &f), ERR_NONE, "%s", f.text);
    fake.client = ev->peer;
    welcome.welcome.version = WIRE_VERSION;
    welcome.welcome.program = "grange 9.9";
    welcome.welcome.owner = "";
    if (m.kind == MSG_HELLO)
        tell(&welcome);
    else if (m.kind == MSG_DIRECT)
        on_direct(&m);
    else if (m.kind == MSG_DIRECT_ACK)
        on_ack(&m);
    else if (m.kind == MSG_WATCH)
        on_watch(&m);
    message_fini(&m);
}

static void *serve(void *arg)
{
    struct pollfd fds[2] = { { .fd = link_fd(fake.link), .events = POLLIN },
                             { .fd = fake.stop_fd, .events = POLLIN } };
    struct link_event ev;

    (void)arg;
    while (poll(fds, 2, -1) >= 0 && !fds[1].revents) {
        while (link_take(fake.link, &ev))
            if (ev.kind == LINK_FRAME)
                on_frame(&ev);
        link_flush(fake.link);
    }
    return NULL;
}

static void stop(void)
{
    uint64_t one = 1;

    if (!fake.link)
        return;
    cr_assert_eq(write(fake.stop_fd, &one, sizeof one), (ssize_t)sizeof one);
    pthread_join(fake.thread, NULL);
    link_free(fake.link);
    fake.link = NULL;
    close(fake.stop_fd);
}

static void setup(void)
{
    char why[300];
    struct fault f;

    memset(&fake, 0, sizeof fake); /* tests may share a process */
    strcpy(dir, "/tmp/grange-client-XXXXXX");
    cr_assert(mkdtemp(dir));
    snprintf(url, sizeof url, "ipc://%s/s.sock", dir);
    fake.link = link_new();
    fake.stop_fd = eventfd(0, EFD_CLOEXEC);
    cr_assert_eq(link_listen(fake.link, url, 3, NULL, &f), ERR_NONE, "%s", f.text);
    cr_assert_eq(pthread_create(&fake.thread, NULL, serve, NULL), 0);
    cr_assert_eq(grange_connect(url, LONG_MS, &g, why, sizeof why), GRANGE_OK, "%s", why);
}

static void teardown(void)
{
    grange_close(g);
    stop();
    for (size_t i = 0; i < TICKETS; i++)
        if (fake.jobs[i])
            drop_job(fake.jobs[i]);
    for (size_t i = 0; i < ENGINES; i++)
        buf_fini(&fake.values[i]);
    rmdir(dir);
    must(!fake.wrong); /* more was sent than there was credit for: Criterion does not count what
                          fails here */
}

TestSuite(client_engines, .init = setup, .fini = teardown, .timeout = 300);

/* ---- the tests */

static char *pattern(size_t n)
{
    char *data = malloc(n + 1);

    cr_assert(data);
    for (size_t i = 0; i < n; i++)
        data[i] = (char)(i * 7 + i / 251);
    return data;
}

Test(client_engines, are_listed_with_their_workers)
{
    struct grange_engine *list;
    size_t n;

    cr_assert_eq(grange_engines(g, ENGINES, LONG_MS, &list, &n), GRANGE_OK);
    cr_assert_eq(n, ENGINES);
    cr_expect_eq(list[3].id, 3);
    cr_expect_eq(list[3].restarts, 3);
    cr_expect_eq(list[3].state, GRANGE_ENGINE_BUSY);
    cr_expect_str_eq(list[3].worker, "node2");
    cr_expect_str_eq(list[2].host, "h1");
    cr_expect_str_eq(list[3].reason, "killed by SIGSEGV");
    cr_expect_str_eq(list[0].functions, "echo\nfail");
    free(list);
    do /* as long as the farm does not answer in time */
        cr_expect_eq(grange_engines(g, ENGINES + 1, 1000, &list, &n), GRANGE_ERR_TIMEOUT);
    while (strstr(grange_message(g), "did not answer"));
    cr_expect_str_eq(grange_message(g), "4 of 5 engines are ready");
    cr_expect_null(list);
}

Test(client_engines, a_call_gives_back_what_the_function_did)
{
    uint64_t engine = 2;
    struct grange_direct *d;
    struct grange_answer a;

    cr_assert_eq(grange_direct_call(g, &engine, 1, "echo", "hello", 5, &d), GRANGE_OK);
    cr_assert_eq(grange_direct_wait(d, LONG_MS), GRANGE_OK);
    cr_assert_eq(grange_direct_answer(d, 0, &a), GRANGE_OK);
    cr_expect_eq(a.engine, 2);
    cr_expect_eq(a.bytes, 5);
    cr_expect_eq(memcmp(a.data, "hello", 5), 0);
    cr_expect_eq(a.wall_us, 5);
    cr_expect(grange_direct_ready(d));
    grange_direct_free(d);
}

Test(client_engines, large_payloads_and_results_come_whole)
{
    size_t n = 20 * BLOB_PART_BYTES + 12345;
    char *data = pattern(n);
    uint64_t engine = 1;
    struct grange_direct *d;
    struct grange_answer a;

    cr_assert_eq(grange_direct_call(g, &engine, 1, "echo", data, n, &d), GRANGE_OK);
    cr_assert_eq(grange_direct_wait(d, LONG_MS), GRANGE_OK, "%s", grange_message(g));
    cr_assert_eq(grange_direct_answer(d, 0, &a), GRANGE_OK);
    cr_assert_eq(a.bytes, n);
    cr_expect_eq(memcmp(a.data, data, n), 0);
    grange_direct_free(d);
    free(data);
}

/* A worker that cannot reach our files says so once. */
Test(client_engines, who_declines_a_file_is_not_offered_another)
{
    size_t n = 3 << 20;
    char *data = pattern(n);
    struct grange_direct *d;

    for (unsigned i = 0; i < 4; i++) {
        cr_assert_eq(grange_direct_put(g, all + i / 2, 1, "x", data, n, &d), GRANGE_OK);
        cr_assert_eq(grange_direct_wait(d, LONG_MS), GRANGE_OK, "%s", grange_message(g));
        grange_direct_free(d);
        cr_expect_eq(fake.n_offered, i / 2 + 1);
        cr_expect(fake.values[i / 2].n == n && memcmp(fake.values[i / 2].data, data, n) == 0);
    }
    free(data);
}

Test(client_engines, scatter_gives_the_first_engines_one_more)
{
    double x[10];
    void *y;
    size_t bytes;

    for (int i = 0; i < 10; i++)
        x[i] = i;
    cr_assert_eq(grange_scatter(g, all, ENGINES, "x", x, 10, sizeof *x, LONG_MS), GRANGE_OK);
    for (size_t i = 0; i < ENGINES; i++)
        cr_expect_eq(fake.values[i].n, (i < 2 ? 3 : 2) * sizeof *x, "engine %zu", i);
    cr_assert_eq(grange_gather(g, all, ENGINES, "x", LONG_MS, &y, &bytes), GRANGE_OK);
    cr_assert_eq(bytes, sizeof x);
    cr_expect_eq(memcmp(x, y, sizeof x), 0);
    free(y);
}

Test(client_engines, scatter_of_less_than_there_are_engines)
{
    void *y;
    size_t bytes;

    cr_assert_eq(grange_scatter(g, all, ENGINES, "x", "ab", 2, 1, LONG_MS), GRANGE_OK);
    cr_expect_eq(fake.values[1].n, 1);
    cr_expect_eq(fake.values[2].n, 0);
    cr_assert_eq(grange_gather(g, all, ENGINES, "x", LONG_MS, &y, &bytes), GRANGE_OK);
    cr_assert_eq(bytes, 2);
    free(y);
    cr_assert_eq(grange_scatter(g, all, 0, "x", "ab", 2, 1, LONG_MS), GRANGE_OK);
}

Test(client_engines, a_value_that_was_dropped_is_not_found)
{
    struct grange_direct *d;
    struct grange_answer a;

    cr_assert_eq(grange_direct_put(g, all, ENGINES, "x", "v", 1, &d), GRANGE_OK);
    cr_assert_eq(grange_direct_wait(d, LONG_MS), GRANGE_OK);
    grange_direct_free(d);
    cr_assert_eq(grange_direct_drop(g, &all[2], 1, "x", &d), GRANGE_OK);
    cr_assert_eq(grange_direct_wait(d, LONG_MS), GRANGE_OK);
    grange_direct_free(d);
    cr_assert_eq(grange_direct_get(g, all, ENGINES, "x", &d), GRANGE_OK);
    cr_expect_eq(grange_direct_wait(d, LONG_MS), GRANGE_ERR_NOT_FOUND);
    cr_expect_str_eq(grange_message(g), "engine 2: there is no such value");
    cr_assert_eq(grange_direct_answer(d, 3, &a), GRANGE_OK);
    cr_expect_eq(a.code, GRANGE_OK);
    grange_direct_free(d);
}

Test(client_engines, failures_say_what_happened_to_whom)
{
    uint64_t engines[] = { 1, 9 };
    struct grange_direct *d;
    struct grange_answer a;

    cr_assert_eq(grange_direct_call(g, engines, 2, "fail", NULL, 0, &d), GRANGE_OK);
    cr_expect_eq(grange_direct_wait(d, LONG_MS), GRANGE_ERR_STATE);
    cr_expect_str_eq(grange_message(g), "engine 1: does not like it");
    cr_assert_eq(grange_direct_answer(d, 0, &a), GRANGE_OK);
    cr_expect_eq(a.exit_code, 3);
    cr_assert_eq(grange_direct_answer(d, 1, &a), GRANGE_OK);
    cr_expect_eq(a.code, GRANGE_ERR_NOT_FOUND);
    cr_expect_str_eq(a.error, "there is no such engine");
    size_t bytes = 0, i;
    cr_expect_eq(grange_direct_gather(d, NULL, &bytes), GRANGE_ERR_STATE);
    while (grange_direct_next(d, LONG_MS, &i) == GRANGE_OK)
        cr_assert_lt(i, 2);
    cr_expect_str_eq(grange_message(g), "all were given out");
    grange_direct_free(d);
    cr_assert_eq(grange_direct_call(g, engines, 1, "crash", NULL, 0, &d), GRANGE_OK);
    cr_expect_eq(grange_direct_wait(d, LONG_MS), GRANGE_ERR_LOST);
    cr_assert_eq(grange_direct_answer(d, 0, &a), GRANGE_OK);
    cr_expect_eq(a.signal, 11);
    cr_expect_str_eq(a.reason, "killed by SIGSEGV");
    cr_expect_str_eq(grange_message(g), "engine 1: killed by SIGSEGV");
    grange_direct_free(d);
}

Test(client_engines, those_that_ended_come_in_their_order)
{
    uint64_t engines[] = { 0, 9, 1 };
    struct grange_direct *d, *held;
    size_t i, sum = 0;

    cr_assert_eq(grange_direct_call(g, engines, 3, "echo", NULL, 0, &d), GRANGE_OK);
    for (int k = 0; k < 3; k++) {
        cr_assert_eq(grange_direct_next(d, LONG_MS, &i), GRANGE_OK);
        sum += i;
    }
    cr_expect_eq(sum, 3);
    cr_expect_eq(grange_direct_next(d, LONG_MS, &i), GRANGE_ERR_NOT_FOUND);
    grange_direct_free(d);
    cr_assert_eq(grange_direct_call(g, engines, 1, "hold", NULL, 0, &held), GRANGE_OK);
    cr_expect_eq(grange_direct_next(held, 1, &i), GRANGE_ERR_TIMEOUT);
    cr_expect_eq(grange_direct_wait(held, 1), GRANGE_ERR_TIMEOUT);
    cr_expect(!grange_direct_ready(held));
    struct grange_answer a;
    cr_expect_eq(grange_direct_answer(held, 0, &a), GRANGE_ERR_STATE);
    grange_direct_free(held);
}

Test(client_engines, who_frees_a_call_cancels_it)
{
    struct grange_direct *d;

    cr_assert_eq(grange_direct_call(g, all, 3, "hold", NULL, 0, &d), GRANGE_OK);
    cr_expect_eq(grange_direct_wait(d, 1), GRANGE_ERR_TIMEOUT);
    grange_direct_free(d);
    cr_assert_eq(grange_direct_call(g, all, 1, "echo", NULL, 0, &d), GRANGE_OK);
    cr_assert_eq(grange_direct_wait(d, LONG_MS), GRANGE_OK); /* comes after the others' ends */
    cr_expect_eq((unsigned)fake.n_cancelled, 3);
    grange_direct_free(d);
}

Test(client_engines, no_more_are_on_their_way_than_the_scheduler_takes)
{
    static uint64_t engines[3 * DIRECT_TICKETS_MAX];
    struct grange_direct *d;

    cr_assert_eq(grange_direct_call(g, engines, 3 * DIRECT_TICKETS_MAX, "echo", "x", 1, &d), 0);
    cr_assert_eq(grange_direct_wait(d, LONG_MS), GRANGE_OK, "%s", grange_message(g));
    cr_expect_leq((unsigned)fake.most_jobs, (unsigned)DIRECT_TICKETS_MAX);
    grange_direct_free(d);
    cr_assert_eq(grange_direct_call(g, engines, 3 * DIRECT_TICKETS_MAX, "hold", "x", 1, &d), 0);
    grange_direct_free(d); /* those that have left are cancelled, the others never leave */
    cr_assert_eq(grange_direct_call(g, engines, 1, "echo", "x", 1, &d), 0);
    cr_assert_eq(grange_direct_wait(d, LONG_MS), GRANGE_OK);
    cr_expect_eq((unsigned)fake.n_cancelled, (unsigned)DIRECT_TICKETS_MAX);
    grange_direct_free(d);
}

Test(client_engines, a_few_large_results_come_at_a_time)
{
    uint64_t engines[40];
    size_t n = 3 * BLOB_PART_BYTES, bytes;
    char *data = pattern(n);
    void *got;

    fake.gather_streams = true;
    for (size_t i = 0; i < 40; i++)
        engines[i] = i % ENGINES;
    cr_assert_eq(grange_scatter(g, all, ENGINES, "x", data, ENGINES * n / ENGINES, 1, LONG_MS), 0);
    cr_assert_eq(grange_gather(g, engines, 40, "x", LONG_MS, &got, &bytes), GRANGE_OK);
    cr_assert_eq(bytes, 10 * n);
    for (size_t i = 0; i < 10; i++)
        cr_expect_eq(memcmp((char *)got + i * n, data, n), 0);
    cr_expect_eq((unsigned)fake.most_begun, STREAMS);
    free(got);
    free(data);
}

Test(client_engines, a_lost_scheduler_ends_what_was_on_its_way)
{
    struct grange_direct *d, *late;
    struct grange_answer a;

    cr_assert_eq(grange_direct_call(g, all, 2, "hold", NULL, 0, &d), GRANGE_OK);
    cr_expect_eq(grange_direct_wait(d, 1), GRANGE_ERR_TIMEOUT);
    stop();
    cr_expect_eq(grange_direct_wait(d, LONG_MS), GRANGE_ERR_LOST);
    cr_assert_eq(grange_direct_answer(d, 1, &a), GRANGE_OK);
    cr_expect_str_eq(a.error, "the scheduler was lost");
    cr_assert_eq(grange_direct_call(g, all, 1, "echo", NULL, 0, &late), GRANGE_OK);
    cr_expect_eq(grange_direct_wait(late, LONG_MS), GRANGE_ERR_LOST);
    grange_direct_free(late);
    grange_direct_free(d);
}

Test(client_engines, what_makes_no_sense_is_refused_here)
{
    char name[NAME_BYTES_MAX + 2];
    struct grange_direct *d;

    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    cr_expect_eq(grange_direct_call(g, all, 1, "", NULL, 0, &d), GRANGE_ERR_USAGE);
    cr_expect_eq(grange_direct_get(g, all, 1, name, &d), GRANGE_ERR_USAGE);
    cr_expect_str_eq(grange_message(g), "the name of a value has 1 to 100 bytes");
    cr_expect_eq(grange_direct_call_within(g, all, 1, "f", NULL, 0, 0, &d), GRANGE_ERR_USAGE);
    cr_expect(strstr(grange_message(g), " are possible"), "%s", grange_message(g));
    cr_expect_eq(grange_direct_put(g, all, 1, "x", NULL, (size_t)BLOB_BYTES_MAX + 1, &d),
                 GRANGE_ERR_LIMIT);
    cr_expect_eq(grange_direct_scatter(g, all, 2, "x", NULL, UINT64_MAX / 2, 16, &d),
                 GRANGE_ERR_LIMIT);
    cr_expect_null(d);
}

Test(client_engines, a_connection_that_closes_frees_what_is_left)
{
    struct grange_direct *d;

    cr_assert_eq(grange_direct_call(g, all, 2, "hold", NULL, 0, &d), GRANGE_OK);
    cr_expect_eq(grange_direct_gather(d, NULL, &(size_t){ 0 }), GRANGE_ERR_STATE);
    cr_expect_str_eq(grange_message(g), "not all engines have answered yet");
    cr_assert_eq(grange_direct_call(g, all, 2, "echo", "x", 1, &d), GRANGE_OK);
    cr_assert_eq(grange_direct_wait(d, LONG_MS), GRANGE_OK);
}

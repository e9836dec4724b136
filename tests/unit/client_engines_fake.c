#include "client_engines_fake.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/machine.h"
#include "base/must.h"
#include "proto/link.h"
#include "proto/wire.h"

enum { TICKETS = 4096 };

/* job - one operation that the fake has. */
struct job {
    uint64_t ticket, engine, total, in, acked_in; /* of the payload */
    enum direct_op op;
    char name[NAME_BYTES_MAX + 1];
    struct buf data; /* the payload, then the result */
    size_t out, acked_out;
    bool held;  /* until engines_release */
    bool shown; /* its result is a file, which the client has not read yet */
    bool begun; /* the client has acknowledged the first part of the result */
};

struct engines_fake fake;
struct grange *g;
const uint64_t all[ENGINES] = { 0, 1, 2, 3 };

static struct {
    pthread_t thread;
    struct link *link;
    peer_id client;
    int wake_fd;
    atomic_bool stopping, releasing, released, crashing;
    struct job *jobs[TICKETS];
} sched;

/* ---- the scheduler */

static void tell(const struct message *m)
{
    struct buf b = { 0 };

    wire_encode(m, &b);
    link_send(sched.link, sched.client, b.data, b.n);
    buf_fini(&b);
}

static void file_of(const struct job *j, const char *what, char *path, size_t n)
{
    snprintf(path, n, "%s/%s-%llu", fake.dir, what, (unsigned long long)j->ticket);
}

/* unshow - its result is no file any more. */
static void unshow(struct job *j)
{
    char path[100];

    file_of(j, "out", path, sizeof path);
    if (j->shown)
        unlink(path);
    j->shown = false;
}

static void drop_job(struct job *j)
{
    sched.jobs[j->ticket % TICKETS] = NULL;
    fake.n_jobs--;
    if (j->begun)
        fake.n_begun--;
    unshow(j);
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

/* show - the result is in a file. */
static void show(struct job *j)
{
    struct message m = { .kind = MSG_DIRECT_END };
    char path[100];

    file_of(j, "out", path, sizeof path);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    must(fd >= 0 && write(fd, j->data.data, j->data.n) == (ssize_t)j->data.n);
    must(shared_of(fd, path, &m.direct_end.file));
    close(fd);
    m.direct_end.ticket = j->ticket;
    m.direct_end.text = "";
    m.direct_end.total = j->data.n;
    m.direct_end.more = true;
    j->shown = true;
    if (fake.hides)
        unlink(path);
    tell(&m);
}

/* answer - sends of the result what there is credit for. */
static void answer(struct job *j)
{
    if (fake.files && !j->begun && j->data.n > INLINE_BYTES_MAX) {
        if (!j->shown)
            show(j);
        return;
    }
    for (;;) {
        struct message m = { .kind = MSG_DIRECT_END };
        size_t n = j->data.n - j->out, most = j->out ? BLOB_PART_BYTES : INLINE_BYTES_MAX;
        if (j->out &&
            (!j->acked_out || j->out - j->acked_out + BLOB_PART_BYTES > DIRECT_WINDOW_BYTES))
            return;
        n = n < most ? n : most;
        m.direct_end.ticket = j->ticket;
        m.direct_end.text = "";
        m.direct_end.total = fake.says_less ? j->data.n / 2 : j->data.n;
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
        if (sched.jobs[i] && sched.jobs[i]->begun)
            answer(sched.jobs[i]);
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
    } else if (strcmp(j->name, "stuck") == 0) {
        end_job(j, END_EXIT, 0, "");
    } else if (strcmp(j->name, "slow") == 0) {
        end_job(j, END_TIMEOUT, 0, "");
    } else if (strcmp(j->name, "hold") == 0 && !sched.released) {
        j->held = true;
    } else {
        answer(j);
    }
}

/* ---- payloads */

/* named - tells the client where it may put the rest. */
static void name_file(struct job *j)
{
    struct message m = { .kind = MSG_DIRECT_ACK };
    char path[100];

    file_of(j, "in", path, sizeof path);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    must(fd >= 0 && shared_of(fd, path, &m.direct_ack.file));
    close(fd);
    m.direct_ack.ticket = j->ticket;
    tell(&m);
}

static void read_all(struct job *j, int fd)
{
    buf_clear(&j->data);
    buf_reserve(&j->data, j->total);
    must(shared_read(fd, j->data.data, j->total, 0));
    j->data.n = j->total;
}

/* take_file - all of the payload is in there. */
static void take_file(struct job *j, const struct shared_file *file)
{
    int fd = shared_open(file, false);

    must(fd >= 0);
    if (fake.counts_only)
        must(lseek(fd, 0, SEEK_END) == (off_t)j->total);
    else
        read_all(j, fd);
    close(fd);
    finish(j);
}

static void take_filled(struct job *j, uint64_t filled)
{
    char path[100];

    file_of(j, "in", path, sizeof path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    must(fd >= 0);
    read_all(j, fd);
    close(fd);
    unlink(path);
    fake.n_filled += filled == j->total;
    finish(j);
}

static bool is_stuck(const struct job *j)
{
    return strcmp(j->name, "stuck") == 0 && j->acked_in && !sched.released;
}

static void taken(struct job *j)
{
    struct message ack = { .kind = MSG_DIRECT_ACK };

    ack.direct_ack.ticket = j->ticket;
    fake.bytes_out -= j->in - j->acked_in;
    ack.direct_ack.bytes = j->acked_in = j->in;
    tell(&ack);
}

static void on_part(struct job *j, const struct message *m)
{
    uint64_t out = j->in - j->acked_in + m->direct.data_bytes;

    if (out >
        (*m->direct.name ? INLINE_BYTES_MAX : DIRECT_WINDOW_BYTES)) /* the first one names it */
        fake.wrong = true;
    buf_add(&j->data, m->direct.data, m->direct.data_bytes);
    j->in += m->direct.data_bytes;
    if (out > fake.most_out)
        fake.most_out = out;
    fake.bytes_out += m->direct.data_bytes;
    if (!m->direct.more) {
        fake.bytes_out -= j->in - j->acked_in;
        finish(j);
    } else if (is_stuck(j)) {
        return;
    } else if (j->acked_in == 0 || out == DIRECT_WINDOW_BYTES) { /* as late as possible */
        taken(j);
    }
}

static void release(void)
{
    sched.released = true;
    for (size_t i = 0; i < TICKETS; i++) {
        struct job *j = sched.jobs[fake.backwards ? TICKETS - 1 - i : i];
        if (j && j->held)
            answer(j);
        else if (j && strcmp(j->name, "stuck") == 0)
            taken(j);
    }
}

static void crash(void)
{
    for (size_t i = 0; i < TICKETS; i++) {
        struct job *j = sched.jobs[i];
        if (j) {
            fake.bytes_out -= j->in - j->acked_in;
            end_job(j, END_SIGNAL, 9, "");
        }
    }
}

static struct job *new_job(const struct message *m)
{
    struct job *j = calloc(1, sizeof *j);

    must(j != NULL);
    sched.jobs[m->direct.ticket % TICKETS] = j;
    j->ticket = m->direct.ticket;
    j->engine = m->direct.engine;
    j->op = m->direct.op;
    j->total = m->direct.total;
    snprintf(j->name, sizeof j->name, "%s", m->direct.name);
    fake.limit_ms = m->direct.limit_ms;
    if (++fake.n_jobs > fake.most_jobs)
        fake.most_jobs = (unsigned)fake.n_jobs;
    return j;
}

static void on_direct(const struct message *m)
{
    struct job *j = sched.jobs[m->direct.ticket % TICKETS];
    bool offered = *m->direct.file.path != '\0', first = !j;

    if (m->direct.op == DIRECT_CANCEL) {
        fake.n_cancelled++;
        if (j)
            end_job(j, END_REVOKED, 0, "");
        return;
    }
    if (offered)
        fake.offers[fake.n_offered++ % OFFERS_MAX] = m->direct.file.inode;
    if (!j && *m->direct.name)
        j = new_job(m);
    if (!j)
        return;
    if (j->engine >= ENGINES)
        end_job(j, END_NOT_STARTED, ERR_NOT_FOUND, "there is no such engine");
    else if (m->direct.filled)
        take_filled(j, m->direct.filled);
    else if (offered && fake.files)
        take_file(j, &m->direct.file);
    else if (offered && first && fake.names)
        name_file(j);
    else
        on_part(j, m); /* an offer is declined, by an acknowledgement */
}

static void on_ack(const struct message *m)
{
    struct job *j = sched.jobs[m->direct_ack.ticket % TICKETS];

    if (j && j->shown) {
        if (m->direct_ack.bytes == j->data.n) {
            fake.n_read++;
            if (fake.keeps_last)
                return;
            end_job(j, END_EXIT, 0, "");
            return;
        }
        unshow(j);
    }
    if (!j || m->direct_ack.bytes > j->out)
        return;
    j->acked_out = m->direct_ack.bytes;
    if (!j->begun) {
        j->begun = true;
        if (++fake.n_begun > fake.most_begun)
            fake.most_begun = (unsigned)fake.n_begun;
    }
    if (fake.stuck_streams)
        return;
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
    sched.client = ev->peer;
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
    struct pollfd fds[2] = { { .fd = link_fd(sched.link), .events = POLLIN },
                             { .fd = sched.wake_fd, .events = POLLIN } };
    struct link_event ev;
    uint64_t n;

    (void)arg;
    while (!sched.stopping && poll(fds, 2, -1) >= 0) {
        if (fds[1].revents)
            must(read(sched.wake_fd, &n, sizeof n) == sizeof n);
        while (link_take(sched.link, &ev))
            if (ev.kind == LINK_FRAME)
                on_frame(&ev);
        if (atomic_exchange(&sched.releasing, false))
            release();
        if (atomic_exchange(&sched.crashing, false))
            crash();
        link_flush(sched.link);
    }
    return NULL;
}

pthread_t engines_thread(void)
{
    return sched.thread;
}

/* A thread may stop it while another has just released something. */
static pthread_mutex_t waking = PTHREAD_MUTEX_INITIALIZER;

static void wake(void)
{
    uint64_t one = 1;

    pthread_mutex_lock(&waking);
    must(sched.wake_fd < 0 || write(sched.wake_fd, &one, sizeof one) == sizeof one);
    pthread_mutex_unlock(&waking);
}

void engines_release(void)
{
    sched.releasing = true;
    wake();
}

void engines_crash(void)
{
    sched.crashing = true;
    wake();
}

void engines_stop(void)
{
    if (!sched.link)
        return;
    sched.stopping = true;
    wake();
    pthread_join(sched.thread, NULL);
    link_free(sched.link);
    sched.link = NULL;
    pthread_mutex_lock(&waking);
    close(sched.wake_fd);
    sched.wake_fd = -1;
    pthread_mutex_unlock(&waking);
}

void engines_setup(void)
{
    char why[300];
    struct fault f;

    memset(&fake, 0, sizeof fake); /* tests may share a process */
    memset(&sched, 0, sizeof sched);
    strcpy(fake.dir, "/tmp/grange-client-XXXXXX");
    cr_assert(mkdtemp(fake.dir));
    snprintf(fake.url, sizeof fake.url, "ipc://%s/s.sock", fake.dir);
    sched.link = link_new();
    sched.wake_fd = eventfd(0, EFD_CLOEXEC);
    cr_assert_eq(link_listen(sched.link, fake.url, 3, NULL, &f), ERR_NONE, "%s", f.text);
    cr_assert_eq(pthread_create(&sched.thread, NULL, serve, NULL), 0);
    cr_assert_eq(grange_connect(fake.url, LONG_MS, &g, why, sizeof why), GRANGE_OK, "%s", why);
}

void engines_teardown(void)
{
    grange_close(g);
    engines_stop();
    for (size_t i = 0; i < TICKETS; i++)
        if (sched.jobs[i])
            drop_job(sched.jobs[i]);
    for (size_t i = 0; i < ENGINES; i++)
        buf_fini(&fake.values[i]);
    rmdir(fake.dir);
    must(!fake.wrong); /* more was sent than there was credit for: Criterion does not count what
                          fails here */
}

char *pattern(size_t n)
{
    char *data = malloc(n + 1);

    cr_assert(data);
    for (size_t i = 0; i < n; i++)
        data[i] = (char)(i * 7 + i / 251);
    return data;
}

void engines_asked(void)
{
    struct grange_engine *list;
    size_t n;

    cr_assert_eq(grange_engines(g, 0, LONG_MS, &list, &n), GRANGE_OK);
    free(list);
}

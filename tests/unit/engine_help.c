#include "tests/unit/engine_help.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"
#include "proto/wire.h"

enum { ARGS_MAX_HERE = 32, TASKS_BITS = 26 };

static pid_t start(struct driver *d, const char *program, const char *const *args)
{
    int ends[2];
    char url[100], fd[16];
    const char *argv[ARGS_MAX_HERE] = { "grange", "worker", "--connect",     url,
                                        "--dir",  d->dir,   "--lifeline-fd", fd };
    size_t n = 8;

    must(pipe2(ends, O_CLOEXEC) == 0);
    snprintf(url, sizeof url, "ipc://%s/socket", d->dir);
    snprintf(fd, sizeof fd, "%d", ends[0]);
    while (*args && n + 1 < ARGS_MAX_HERE)
        argv[n++] = *args++;
    pid_t pid = fork();
    if (pid == 0) {
        fcntl(ends[0], F_SETFD, 0);
        execv(program, (char *const *)argv);
        _exit(127);
    }
    close(ends[0]);
    d->lifeline = ends[1];
    return pid;
}

struct driver *driver_open(const char *program, const char *const *args)
{
    struct driver *d = calloc(1, sizeof *d);
    struct fault f;
    char url[100];

    must(d != NULL);
    strcpy(d->dir, "/tmp/grange-test-XXXXXX");
    must(mkdtemp(d->dir) != NULL);
    d->link = link_new();
    snprintf(url, sizeof url, "ipc://%s/socket", d->dir);
    must(link_listen(d->link, url, 3, NULL, &f) == ERR_NONE);
    d->pid = start(d, program, args);
    if (driver_until(d, d->hello))
        return d;
    fprintf(stderr, "the worker did not say hello\n");
    driver_close(d);
    return NULL;
}

static void fini_end(struct driver_end *e)
{
    buf_fini(&e->result);
    buf_fini(&e->err);
}

int driver_close(struct driver *d)
{
    int status = -1;
    char command[100];

    kill(d->pid, SIGTERM);
    uint64_t until = clock_mono_us() + 100000000;
    while (waitpid(d->pid, &status, WNOHANG) == 0) {
        if (clock_mono_us() > until)
            kill(d->pid, SIGKILL);
        driver_pump(d, 10);
    }
    close(d->lifeline);
    link_free(d->link);
    buf_fini(&d->frame);
    buf_fini(&d->functions);
    buf_fini(&d->blob_data);
    for (size_t i = 0; i < DRIVER_ENDS_MAX; i++) {
        fini_end(&d->leases[i]);
        fini_end(&d->tickets[i]);
    }
    snprintf(command, sizeof command, "rm -rf %s", d->dir);
    must(system(command) == 0);
    free(d);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void driver_send(struct driver *d, const struct message *m)
{
    buf_clear(&d->frame);
    wire_encode(m, &d->frame);
    link_send(d->link, d->peer, d->frame.data, d->frame.n);
    link_flush(d->link);
}

void driver_array(struct driver *d, uint32_t array, const char *function, const char *more)
{
    struct buf spec = { 0 };
    struct message m = { .kind = MSG_SPEC };

    buf_addf(&spec, "{\"calls\":{\"function\":\"%s\"}%s}", function, more);
    m.spec.array.n = array;
    m.spec.first.n = (uint64_t)array << TASKS_BITS;
    m.spec.spec = spec.data;
    m.spec.spec_bytes = spec.n;
    driver_send(d, &m);
    buf_fini(&spec);
}

void driver_assign(struct driver *d, uint32_t array, uint64_t lease, size_t n, const void *payload,
                   size_t bytes)
{
    struct grant *grants = malloc(n * sizeof *grants);
    uint32_t *sizes = malloc(n * sizeof *sizes);
    struct buf payloads = { 0 };
    struct message m = { .kind = MSG_ASSIGN };

    must(grants != NULL && sizes != NULL);
    for (size_t i = 0; i < n; i++) {
        grants[i] =
            (struct grant){ { lease + i }, { ((uint64_t)array << TASKS_BITS) + lease + i } };
        sizes[i] = (uint32_t)bytes;
        buf_add(&payloads, payload, bytes);
    }
    m.assign.array.n = array;
    m.assign.grants = grants;
    m.assign.n = n;
    m.assign.sizes = sizes;
    m.assign.payloads = payloads.data;
    m.assign.payloads_bytes = payloads.n;
    driver_send(d, &m);
    free(grants);
    free(sizes);
    buf_fini(&payloads);
}

void driver_assign_long(struct driver *d, uint32_t array, uint64_t lease, const void *payload,
                        size_t bytes)
{
    struct grant g = { { lease }, { ((uint64_t)array << TASKS_BITS) + lease } };
    struct blob_ref blob = { 0, 77, bytes };
    struct message m = { .kind = MSG_ASSIGN };
    uint32_t size = 0;

    d->payload = payload;
    d->payload_bytes = bytes;
    m.assign.array.n = array;
    m.assign.grants = &g;
    m.assign.n = 1;
    m.assign.sizes = &size;
    m.assign.blobs = &blob;
    m.assign.n_blobs = 1;
    driver_send(d, &m);
}

void driver_revoke(struct driver *d, uint64_t lease)
{
    lease_id id = { lease };

    driver_send(d, &(struct message){ .kind = MSG_REVOKE, .revoke = { &id, 1 } });
}

void driver_direct(struct driver *d, uint64_t ticket, uint32_t engine, enum direct_op op,
                   const char *name, const void *data, size_t n)
{
    struct message m = { .kind = MSG_DIRECT };

    m.direct.ticket = ticket;
    m.direct.engine = engine;
    m.direct.op = op;
    m.direct.name = name;
    m.direct.total = m.direct.data_bytes = n;
    m.direct.data = data;
    driver_send(d, &m);
}

void driver_direct_long(struct driver *d, uint64_t ticket, uint32_t engine, enum direct_op op,
                        const char *name, const void *data, size_t n)
{
    size_t sent = 0;

    while (sent < n) {
        size_t most = sent ? BLOB_PART_BYTES : INLINE_BYTES_MAX;
        struct message m = { .kind = MSG_DIRECT };
        if (sent &&
            !driver_until(d, d->acked[ticket] && sent - d->acked[ticket] < DIRECT_WINDOW_BYTES))
            return;
        m.direct.ticket = ticket;
        m.direct.engine = engine;
        m.direct.op = op;
        m.direct.name = sent ? "" : name;
        m.direct.total = n;
        m.direct.data = (const char *)data + sent;
        m.direct.data_bytes = n - sent < most ? n - sent : most;
        sent += m.direct.data_bytes;
        m.direct.more = sent < n;
        driver_send(d, &m);
    }
}

/* --- what the worker says --- */

static void on_hello(struct driver *d, const struct message *m)
{
    struct message welcome = { .kind = MSG_WELCOME };

    d->n_hellos++;
    d->hello = true;
    buf_clear(&d->functions);
    for (size_t i = 0; i < m->hello.n_functions; i++)
        buf_addf(&d->functions, "%s\n", m->hello.functions[i]);
    welcome.welcome.version = WIRE_VERSION;
    welcome.welcome.program = "driver";
    welcome.welcome.epoch = 1;
    welcome.welcome.worker.n = 1;
    welcome.welcome.owner = "";
    driver_send(d, &welcome);
}

static void keep_end(struct driver *d, const struct end_row *row)
{
    const struct end_body *body = row->body;

    if (row->lease.n >= DRIVER_ENDS_MAX)
        return;
    struct driver_end *e = &d->leases[row->lease.n];
    e->ended = true;
    e->reason = row->reason;
    e->code = row->code;
    e->wall_us = row->wall_us;
    e->cpu_us = row->user_us + row->sys_us;
    e->maxrss_kib = row->maxrss_kib;
    e->order = (unsigned)d->n_ends;
    if (!body)
        return;
    snprintf(e->error, sizeof e->error, "%s", body->error_line);
    buf_add(&e->result, body->result, body->result_bytes);
    buf_add(&e->err, body->err, body->err_bytes);
}

static void on_results(struct driver *d, const struct message *m)
{
    lease_id *acks = malloc(m->results.n * sizeof *acks);

    must(acks != NULL);
    if (d->result_drop) {
        d->result_drop = false;
        link_close_peer(d->link, d->peer);
        free(acks);
        return;
    }
    for (size_t i = 0; i < m->results.n; i++) {
        acks[i] = m->results.rows[i].lease;
        d->n_ends++;
        if (!d->quiet)
            keep_end(d, &m->results.rows[i]);
        else if (m->results.rows[i].reason != END_EXIT || m->results.rows[i].code != 0)
            d->n_failed++;
        else
            d->bytes += m->results.rows[i].body ? m->results.rows[i].body->result_bytes : 0;
    }
    driver_send(d, &(struct message){ .kind = MSG_ACK, .ack = { acks, m->results.n } });
    free(acks);
}

static void on_direct_end(struct driver *d, const struct message *m)
{
    uint64_t ticket = m->direct_end.ticket;

    must(ticket < DRIVER_ENDS_MAX);
    struct driver_end *e = &d->tickets[ticket];
    e->reason = m->direct_end.reason;
    e->code = m->direct_end.code;
    snprintf(e->error, sizeof e->error, "%s", m->direct_end.text);
    buf_add(&e->result, m->direct_end.data, m->direct_end.data_bytes);
    e->ended = !m->direct_end.more;
    e->total = m->direct_end.total;
    if (*m->direct_end.file.path) {
        snprintf(e->file, sizeof e->file, "%s", m->direct_end.file.path);
        e->device = m->direct_end.file.device;
        e->inode = m->direct_end.file.inode;
    }
    if (e->ended)
        e->order = (unsigned)++d->n_ends;
    else if (!d->holds)
        driver_ack(d, ticket, e->result.n);
}

void driver_ack(struct driver *d, uint64_t ticket, uint64_t bytes)
{
    struct message m = { .kind = MSG_DIRECT_ACK };

    m.direct_ack.ticket = ticket;
    m.direct_ack.bytes = bytes;
    driver_send(d, &m);
}

static void on_engines(struct driver *d, const struct message *m)
{
    d->n_engines = m->engines.n < 64 ? m->engines.n : 64;
    for (size_t i = 0; i < d->n_engines; i++) {
        d->engines[i] = m->engines.engines[i];
        snprintf(d->reasons[i], sizeof d->reasons[i], "%s", m->engines.engines[i].reason);
        d->engines[i].reason = d->reasons[i];
        d->engines[i].functions = "";
    }
}

static void on_blob_want(struct driver *d, const struct message *want)
{
    struct message m = { .kind = MSG_BLOB };
    uint64_t at = want->blob_want.offset;

    for (uint32_t i = 0; i < want->blob_want.parts && at < d->payload_bytes; i++) {
        size_t left = d->payload_bytes - at;
        m.blob.blob = want->blob_want.blob;
        m.blob.offset = at;
        m.blob.total = d->payload_bytes;
        m.blob.data = d->payload + at;
        m.blob.data_bytes = left < BLOB_PART_BYTES ? left : BLOB_PART_BYTES;
        at += m.blob.data_bytes;
        driver_send(d, &m);
    }
}

static void on_blob(struct driver *d, const struct message *part)
{
    struct message m = { .kind = MSG_BLOB_ACK };

    if (part->blob.blob != d->blob)
        buf_clear(&d->blob_data);
    d->blob = part->blob.blob;
    if (part->blob.offset == d->blob_data.n)
        buf_add(&d->blob_data, part->blob.data, part->blob.data_bytes);
    if (d->blob_drop_at && d->blob_data.n >= d->blob_drop_at) {
        d->blob_drop_at = 0;
        link_close_peer(d->link, d->peer);
        return;
    }
    m.blob_ack.blob = part->blob.blob;
    m.blob_ack.offset = d->blob_data.n;
    m.blob_ack.done = d->blob_data.n == part->blob.total;
    m.blob_ack.text = "";
    driver_send(d, &m);
}

static void on_message(struct driver *d, const struct message *m)
{
    switch (m->kind) {
    case MSG_HELLO:
        on_hello(d, m);
        break;
    case MSG_BEAT:
        d->n_shares += m->beat.n_shares > 0;
        d->share = m->beat.n_shares ? m->beat.shares[0].share : d->share;
        driver_send(d, &(struct message){ .kind = MSG_BEAT });
        break;
    case MSG_RESULTS:
        on_results(d, m);
        break;
    case MSG_RETURNED:
        for (size_t i = 0; i < m->returned.n; i++)
            if (m->returned.leases[i].n < DRIVER_ENDS_MAX)
                d->leases[m->returned.leases[i].n].returned++;
        break;
    case MSG_DIRECT_END:
        on_direct_end(d, m);
        break;
    case MSG_DIRECT_ACK:
        must(m->direct_ack.ticket < DRIVER_ENDS_MAX);
        d->acked[m->direct_ack.ticket] = m->direct_ack.bytes;
        d->named[m->direct_ack.ticket] |= *m->direct_ack.file.path != '\0';
        break;
    case MSG_BLOB_WANT:
        on_blob_want(d, m);
        break;
    case MSG_BLOB:
        on_blob(d, m);
        break;
    case MSG_ENGINES:
        on_engines(d, m);
        break;
    default:
        break;
    }
}

void driver_pump(struct driver *d, int wait_ms)
{
    struct pollfd fd = { .fd = link_fd(d->link), .events = POLLIN };
    struct link_event ev;
    struct message m;
    struct fault f;

    poll(&fd, 1, wait_ms);
    while (link_take(d->link, &ev)) {
        if (ev.kind == LINK_UP)
            d->peer = ev.peer;
        if (ev.kind != LINK_FRAME)
            continue;
        must(wire_decode(ev.data, ev.n, &m, &f) == ERR_NONE);
        on_message(d, &m);
        message_fini(&m);
    }
}

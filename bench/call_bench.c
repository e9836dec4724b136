/* call_bench GRANGE DIR N BATCH [BYTES [WINDOW]] - calls a second through a scheduler alone: it is
 * started in DIR, durable; a client appends N calls of BYTES in batches of BATCH, WINDOW of them
 * unanswered, and collects their ends; a worker answers each call at once with its payload. Both
 * are this program, which speaks the wire and computes nothing. Prints calls a second, and on
 * stderr the processor time of the scheduler for each call. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"
#include "proto/link.h"
#include "proto/wire.h"

enum { SLOTS = 64, PATIENCE_MS = 60000 };

static struct buf frame;
static struct {
    struct link *link;
    peer_id peer;
} client, worker;
static uint64_t n_calls, batch, bytes, window;
static uint64_t n_appended, n_sent, n_ended;
static array_id array;
static uint32_t *sizes;
static char *payloads;

static void stop(const char *why)
{
    fprintf(stderr, "call_bench: %s\n", why);
    exit(1);
}

static void say(struct link *l, peer_id to, const struct message *m)
{
    buf_clear(&frame);
    wire_encode(m, &frame);
    link_send(l, to, frame.data, frame.n);
}

static void hello(struct link *l, peer_id to, enum role role)
{
    static const char *const functions[] = { "noop" };
    struct message m = { .kind = MSG_HELLO,
                         .hello = { .role = role,
                                    .version = WIRE_VERSION,
                                    .program = "call_bench",
                                    .instance = (uint64_t)role,
                                    .name = "bench",
                                    .host = "bench" } };

    if (role == ROLE_WORKER) {
        m.hello.slots = SLOTS;
        m.hello.functions = functions;
        m.hello.n_functions = 1;
    }
    say(l, to, &m);
}

static void append_some(void)
{
    while (array.n && n_sent < n_calls && n_sent - n_appended < window * batch) {
        uint64_t n = n_calls - n_sent < batch ? n_calls - n_sent : batch;
        say(client.link, client.peer,
            &(struct message){ .kind = MSG_APPEND,
                               .append = { .request = 10 + n_sent,
                                           .array = array,
                                           .at = n_sent,
                                           .n = n,
                                           .sizes = sizes,
                                           .payloads = payloads,
                                           .payloads_bytes = n * bytes,
                                           .close = n_sent + n == n_calls } });
        n_sent += n;
    }
}

static void on_client(const struct message *m)
{
    static const char spec[] = "{\"calls\":{\"function\":\"noop\"}}";

    if (m->kind == MSG_WELCOME) {
        say(client.link, client.peer,
            &(struct message){ .kind = MSG_OPEN,
                               .open = { .request = 1,
                                         .key = "bench",
                                         .study = "bench",
                                         .spec = spec,
                                         .spec_bytes = sizeof spec - 1 } });
    } else if (m->kind == MSG_OPENED) {
        array = m->opened.array;
        say(client.link, client.peer,
            &(struct message){ .kind = MSG_COLLECT,
                               .collect = { .request = 2, .array = array, .key = "" } });
    } else if (m->kind == MSG_APPENDED) {
        n_appended = m->appended.n;
    } else if (m->kind == MSG_ENDS) {
        n_ended += m->ends.n;
    } else if (m->kind == MSG_REFUSED) {
        stop(m->refused.text);
    }
}

/* Each call gives back what it was given. */
static void on_assign(const struct message *m)
{
    static struct end_row rows[SLOTS_MAX + GRANTS_MAX];
    static struct end_body bodies[SLOTS_MAX + GRANTS_MAX];
    const char *payload = m->assign.payloads;
    ms_t now = clock_wall_ms();

    for (size_t i = 0; i < m->assign.n; i++) {
        bodies[i] = (struct end_body){ .result = payload, .result_bytes = m->assign.sizes[i] };
        rows[i] = (struct end_row){ .task = m->assign.grants[i].task,
                                    .lease = m->assign.grants[i].lease,
                                    .state = TASK_DONE,
                                    .started_ms = now,
                                    .ended_ms = now,
                                    .wall_us = 1,
                                    .body = m->assign.sizes[i] ? &bodies[i] : NULL };
        payload += m->assign.sizes[i];
    }
    say(worker.link, worker.peer,
        &(struct message){ .kind = MSG_RESULTS, .results = { .rows = rows, .n = m->assign.n } });
}

static void take(struct link *l, peer_id *peer, enum role role)
{
    struct link_event ev;

    while (link_take(l, &ev)) {
        struct message m;
        struct fault f;
        if (ev.kind == LINK_UP) {
            *peer = ev.peer;
            hello(l, ev.peer, role);
        } else if (ev.kind == LINK_GONE) {
            stop("the scheduler has gone");
        } else {
            if (wire_decode(ev.data, ev.n, &m, &f))
                stop(f.text);
            if (role == ROLE_CLIENT)
                on_client(&m);
            else if (m.kind == MSG_ASSIGN)
                on_assign(&m);
            message_fini(&m);
        }
    }
}

static struct link *dial(const char *dir)
{
    char url[512];
    struct fault f;
    struct link *l = link_new();

    snprintf(url, sizeof url, "ipc://%s/scheduler.sock", dir);
    if (link_dial(l, url, NULL, &f))
        stop(f.text);
    return l;
}

static void turn(void)
{
    static ms_t beat_ms;
    struct pollfd fds[2] = { { .fd = link_fd(client.link), .events = POLLIN },
                             { .fd = link_fd(worker.link), .events = POLLIN } };

    if (poll(fds, 2, 1000) == 0 && clock_mono_ms() - beat_ms > PATIENCE_MS)
        stop("nothing has happened for a minute");
    if (clock_mono_ms() - beat_ms > 500) {
        beat_ms = clock_mono_ms();
        struct message m = { .kind = MSG_BEAT };
        if (worker.peer.n)
            say(worker.link, worker.peer, &m);
        if (client.peer.n)
            say(client.link, client.peer, &m);
    }
    take(worker.link, &worker.peer, ROLE_WORKER);
    take(client.link, &client.peer, ROLE_CLIENT);
    append_some();
    link_flush(worker.link);
    link_flush(client.link);
}

static pid_t start(const char *program, const char *dir)
{
    int fds[2];
    char c, ready[16];

    must(pipe(fds) == 0);
    pid_t pid = fork();
    must(pid >= 0);
    if (pid == 0) {
        close(fds[0]);
        snprintf(ready, sizeof ready, "%d", fds[1]);
        execl(program, program, "scheduler", "--dir", dir, "--ready-fd", ready, (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    if (read(fds[0], &c, 1) != 1)
        stop("the scheduler did not start");
    close(fds[0]);
    return pid;
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: call_bench GRANGE DIR N BATCH [BYTES [WINDOW]]\n");
        return 2;
    }
    n_calls = strtoull(argv[3], NULL, 10);
    batch = strtoull(argv[4], NULL, 10);
    bytes = argc > 5 ? strtoull(argv[5], NULL, 10) : 0;
    window = argc > 6 ? strtoull(argv[6], NULL, 10) : 16;
    must(batch > 0 && batch <= APPEND_CALLS_MAX && bytes <= INLINE_BYTES_MAX && window > 0);
    sizes = malloc(batch * sizeof *sizes);
    payloads = calloc(batch, bytes + 1);
    must(sizes && payloads);
    for (uint64_t i = 0; i < batch; i++)
        sizes[i] = (uint32_t)bytes;

    pid_t pid = start(argv[1], argv[2]);
    client.link = dial(argv[2]);
    worker.link = dial(argv[2]);
    while (!array.n)
        turn();
    uint64_t start_us = clock_mono_us();
    while (n_ended < n_calls)
        turn();
    printf("%.0f\n", (double)n_calls * 1e6 / (double)(clock_mono_us() - start_us));

    struct rusage used;
    say(client.link, client.peer, &(struct message){ .kind = MSG_SHUTDOWN });
    link_flush(client.link);
    wait4(pid, NULL, 0, &used);
    fprintf(stderr, "scheduler: %.2f us a call, of it %.2f in the system; %ld MiB\n",
            ((double)used.ru_utime.tv_sec + (double)used.ru_stime.tv_sec) * 1e6 / (double)n_calls +
                (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / (double)n_calls,
            ((double)used.ru_stime.tv_sec * 1e6 + (double)used.ru_stime.tv_usec) / (double)n_calls,
            used.ru_maxrss / 1024);
    link_free(client.link);
    link_free(worker.link);
    return 0;
}

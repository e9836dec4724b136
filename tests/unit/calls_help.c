#include "tests/unit/calls_help.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/must.h"

enum { SLOTS = 16, PATIENCE_MS = 100000 };

static struct link *dial(const char *dir)
{
    char url[128];
    struct fault f;
    struct link *l = link_new();

    snprintf(url, sizeof url, "ipc://%s/scheduler.sock", dir);
    cr_assert_eq(link_dial(l, url, NULL, &f), ERR_NONE, "%s", f.text);
    return l;
}

void stage_start(struct stage *s)
{
    int fds[2];
    char c;

    must(pipe(fds) == 0);
    s->scheduler = fork();
    must(s->scheduler >= 0);
    if (s->scheduler == 0) {
        char ready[16];
        close(fds[0]);
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nothing behind */
        snprintf(ready, sizeof ready, "%d", fds[1]);
        const char *argv[16] = { "grange", "scheduler", "--dir", s->dir, "--ready-fd", ready };
        size_t n = 6;
        if (s->of_run)
            argv[n++] = "--owner", argv[n++] = "run 1";
        if (s->listen)
            argv[n++] = "--listen", argv[n++] = s->listen;
        execv(GRANGE_PROGRAM, (char *const *)argv);
        _exit(127);
    }
    close(fds[1]);
    cr_assert_eq(read(fds[0], &c, 1), 1, "the scheduler did not start");
    close(fds[0]);
}

void stage_kill(struct stage *s)
{
    kill(s->scheduler, SIGKILL);
    waitpid(s->scheduler, NULL, 0);
}

void stage_dir(struct stage *s)
{
    memset(s, 0, sizeof *s);
    strcpy(s->dir, "/tmp/grange-calls-XXXXXX");
    cr_assert(mkdtemp(s->dir));
}

void stage_open(struct stage *s)
{
    stage_dir(s);
    stage_start(s);
    s->client = (struct peer_of){ .link = dial(s->dir), .instance = 7 };
    s->worker = (struct peer_of){ .link = dial(s->dir), .instance = 8, .is_worker = true };
}

void stage_close(struct stage *s)
{
    char command[128];

    link_free(s->client.link);
    link_free(s->worker.link);
    stage_kill(s);
    for (size_t i = 0; i < s->n_kept; i++)
        free(s->results[i]);
    snprintf(command, sizeof command, "rm -r %s", s->dir);
    cr_assert_eq(system(command), 0);
}

void stage_say(struct peer_of *p, const struct message *m)
{
    struct buf b = { 0 };

    wire_encode(m, &b);
    link_send(p->link, p->peer, b.data, b.n);
    buf_fini(&b);
}

static void hello(struct stage *s, struct peer_of *p)
{
    static const char *const functions[] = { "echo" };
    struct held_lease held[8192];
    struct message m = { .kind = MSG_HELLO };

    p->welcome = false;
    m.hello.role = p->is_worker ? ROLE_WORKER : ROLE_CLIENT;
    m.hello.version = WIRE_VERSION;
    m.hello.program = "test";
    m.hello.instance = p->instance;
    m.hello.name = "test";
    m.hello.host = "test";
    if (p->is_worker) {
        m.hello.slots = SLOTS;
        m.hello.functions = functions;
        m.hello.n_functions = 1;
        for (size_t i = 0; i < s->n_kept; i++)
            held[i] = (struct held_lease){ .lease = s->kept[i].lease,
                                           .task = s->kept[i].task,
                                           .state = HOLD_FINISHED };
        m.hello.held = held;
        m.hello.n_held = s->n_kept;
    }
    stage_say(p, &m);
}

static void send_kept(struct stage *s, size_t from)
{
    struct message m = { .kind = MSG_RESULTS };

    m.results.rows = s->kept + from;
    m.results.n = s->n_kept - from;
    if (m.results.n)
        stage_say(&s->worker, &m);
}

static void keep(struct stage *s, const struct grant *g, const void *payload, size_t n)
{
    size_t i = s->n_kept++;

    cr_assert_lt(i, sizeof s->kept / sizeof *s->kept);
    s->results[i] = malloc(n + 1);
    must(s->results[i] != NULL);
    if (n)
        memcpy(s->results[i], payload, n);
    s->bodies[i] = (struct end_body){ .result = s->results[i], .result_bytes = n };
    s->kept[i] = (struct end_row){ .task = g->task,
                                   .lease = g->lease,
                                   .state = TASK_DONE,
                                   .started_ms = 1700000000000,
                                   .ended_ms = 1700000000001,
                                   .body = n ? &s->bodies[i] : NULL };
    s->n_ran++;
}

static void forget(struct stage *s, lease_id lease)
{
    for (size_t i = 0; i < s->n_kept; i++) {
        if (s->kept[i].lease.n != lease.n)
            continue;
        size_t last = --s->n_kept;
        free(s->results[i]);
        s->kept[i] = s->kept[last];
        s->bodies[i] = s->bodies[last];
        s->results[i] = s->results[last];
        if (s->kept[i].body)
            s->kept[i].body = &s->bodies[i];
        return;
    }
}

static void on_worker(struct stage *s, const struct message *m)
{
    size_t from = s->n_kept;
    const char *payload;

    switch (m->kind) {
    case MSG_WELCOME:
        send_kept(s, 0);
        break;
    case MSG_ASSIGN:
        payload = m->assign.payloads;
        for (size_t i = 0; !s->hold_back && !m->assign.n_blobs && i < m->assign.n; i++) {
            keep(s, &m->assign.grants[i], payload, m->assign.sizes[i]);
            payload += m->assign.sizes[i];
        }
        send_kept(s, from);
        break;
    case MSG_ACK:
        for (size_t i = 0; i < m->ack.n; i++)
            forget(s, m->ack.leases[i]);
        break;
    default:
        break;
    }
    if (s->on_worker)
        s->on_worker(s, m);
}

static void take(struct stage *s, struct peer_of *p)
{
    struct link_event ev;

    while (link_take(p->link, &ev)) {
        struct message m;
        struct fault f;
        if (ev.kind == LINK_UP) {
            p->peer = ev.peer;
            hello(s, p);
        } else if (ev.kind == LINK_GONE) {
            p->peer.n = 0;
            p->welcome = false;
        } else {
            cr_assert_eq(wire_decode(ev.data, ev.n, &m, &f), ERR_NONE, "%s", f.text);
            s->n_messages++;
            p->welcome = p->welcome || m.kind == MSG_WELCOME;
            if (p->is_worker)
                on_worker(s, &m);
            else
                s->on_client(s, &m);
            message_fini(&m);
        }
    }
    link_flush(p->link);
}

void stage_turn(struct stage *s)
{
    struct pollfd fds[2] = { { .fd = link_fd(s->client.link), .events = POLLIN },
                             { .fd = link_fd(s->worker.link), .events = POLLIN } };

    /* The scheduler beats once a second, so a minute without a word is a failure. */
    cr_assert_gt(poll(fds, 2, PATIENCE_MS), 0, "nothing happens");
    take(s, &s->client);
    take(s, &s->worker);
    struct message beat = { .kind = MSG_BEAT };
    if (s->worker.welcome)
        stage_say(&s->worker, &beat);
    if (s->client.welcome)
        stage_say(&s->client, &beat);
    link_flush(s->client.link);
    link_flush(s->worker.link);
}

void stage_open_key(struct stage *s, const char *key, const char *spec)
{
    struct message m = { .kind = MSG_OPEN };

    m.open.request = 1;
    m.open.key = key;
    m.open.study = "s";
    m.open.spec = spec ? spec : "{\"calls\":{\"function\":\"echo\"}}";
    m.open.spec_bytes = strlen(m.open.spec);
    stage_say(&s->client, &m);
}

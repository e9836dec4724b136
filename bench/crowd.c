/* crowd URL WORKERS CLIENTS - so many connections to a scheduler that do nothing but beat: workers
 * of one slot and clients. Prints "ready" when all are welcome and stays until stdin ends. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/must.h"
#include "proto/link.h"
#include "proto/wire.h"

enum { EVENTS_MAX = 256, AT_ONCE = 100 };

struct one {
    struct link *link;
    peer_id peer;
    bool worker, welcome;
    ms_t beat_ms;
    uint32_t number;
};

static size_t n_welcome;

static void say(struct one *o, const struct message *m)
{
    static struct buf frame;

    buf_clear(&frame);
    wire_encode(m, &frame);
    link_send(o->link, o->peer, frame.data, frame.n);
    link_flush(o->link);
}

static void say_hello(struct one *o)
{
    struct message m = { .kind = MSG_HELLO };
    char name[40];

    snprintf(name, sizeof name, "%s%u", o->worker ? "worker" : "client", o->number);
    m.hello.role = o->worker ? ROLE_WORKER : ROLE_CLIENT;
    m.hello.version = WIRE_VERSION;
    m.hello.program = "crowd";
    m.hello.instance = 1000 + o->number;
    m.hello.name = name;
    m.hello.host = "bench";
    m.hello.pid = 1 + o->number;
    m.hello.slots = o->worker ? 1 : 0;
    say(o, &m);
}

static void take(struct one *o)
{
    struct link_event ev;
    struct message m;
    struct fault f;

    while (link_take(o->link, &ev)) {
        if (ev.kind == LINK_UP) {
            o->peer = ev.peer;
            say_hello(o);
        } else if (ev.kind == LINK_GONE) {
            fprintf(stderr, "crowd: %u was dropped\n", o->number);
            exit(1);
        } else {
            must(wire_decode(ev.data, ev.n, &m, &f) == ERR_NONE);
            if (m.kind == MSG_REFUSED) {
                fprintf(stderr, "crowd: %s\n", m.refused.text);
                exit(1);
            }
            if (m.kind == MSG_WELCOME) {
                o->welcome = true;
                o->beat_ms = clock_mono_ms() + BEAT_MS * (ms_t)(o->number % 97) / 97;
                n_welcome++;
            }
            message_fini(&m);
        }
    }
}

static void beat(struct one *all, size_t n)
{
    ms_t now = clock_mono_ms();

    for (size_t i = 0; i < n; i++) {
        if (!all[i].welcome || now < all[i].beat_ms)
            continue;
        all[i].beat_ms += BEAT_MS;
        say(&all[i], &(struct message){ .kind = MSG_BEAT });
    }
}

/* turn - waits at most 20 ms; false: stdin ended. */
static bool turn(int epoll_fd, struct one *all, size_t n)
{
    struct epoll_event events[EVENTS_MAX];
    int k = epoll_wait(epoll_fd, events, EVENTS_MAX, 20);

    for (int i = 0; i < k; i++) {
        if (!events[i].data.ptr)
            return false;
        take(events[i].data.ptr);
    }
    beat(all, n);
    return true;
}

static void watch(int epoll_fd, int fd, void *what)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = what };

    must(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) == 0);
}

int main(int argc, char **argv)
{
    must(argc == 4);
    size_t workers = strtoull(argv[2], NULL, 10), n = workers + strtoull(argv[3], NULL, 10);
    struct one *all = calloc(n, sizeof *all);
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    bool told = false;
    struct fault f;

    must(all != NULL && epoll_fd >= 0);
    watch(epoll_fd, 0, NULL);
    for (size_t i = 0; i < n; i++) {
        all[i] = (struct one){ .link = link_new(), .worker = i < workers, .number = (uint32_t)i };
        must(link_dial(all[i].link, argv[1], NULL, &f) == ERR_NONE);
        watch(epoll_fd, link_fd(all[i].link), &all[i]);
        if (i % AT_ONCE == AT_ONCE - 1) /* a thousand strangers at once would be an attack */
            turn(epoll_fd, all, i + 1);
    }
    while (turn(epoll_fd, all, n)) {
        if (!told && n_welcome == n) {
            told = true;
            printf("ready\n");
            fflush(stdout);
        }
    }
    return 0; /* their connections end with the process */
}

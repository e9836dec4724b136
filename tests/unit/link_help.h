#ifndef GRANGE_TESTS_LINK_HELP_H
#define GRANGE_TESTS_LINK_HELP_H
/* link_help - what the tests of link share. Nothing here sleeps: all waiting is poll on link_fd
 * with a deadline. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "proto/link.h"

#define HELPER __attribute__((unused)) static

enum { DEADLINE_MS = 100000 };

static char dir[64];
static char url[100];

HELPER void setup(void)
{
    strcpy(dir, "/tmp/grange-link-XXXXXX");
    cr_assert(mkdtemp(dir));
    snprintf(url, sizeof url, "ipc://%s/s.sock", dir);
}

HELPER void remove_all(const char *path)
{
    const char *const argv[] = { "rm", "-rf", path, NULL };
    pid_t pid;

    if (posix_spawnp(&pid, "rm", NULL, NULL, (char *const *)(uintptr_t)argv, NULL) == 0)
        waitpid(pid, NULL, 0);
}

HELPER void teardown(void)
{
    remove_all(dir);
}

/* next - the next event of l; fails the test when none comes. */
HELPER struct link_event next(struct link *l)
{
    struct link_event ev;
    ms_t until = clock_mono_ms() + DEADLINE_MS;

    while (!link_take(l, &ev)) {
        struct pollfd p = { .fd = link_fd(l), .events = POLLIN };
        ms_t left = until - clock_mono_ms();
        cr_assert(left > 0, "nothing arrived");
        poll(&p, 1, (int)left);
    }
    return ev;
}

HELPER struct link_event expect(struct link *l, enum link_event_kind kind)
{
    struct link_event ev = next(l);

    cr_assert_eq(ev.kind, kind, "kind %d instead of %d", (int)ev.kind, (int)kind);
    return ev;
}

HELPER bool quiet(struct link *l, int ms)
{
    struct link_event ev;
    struct pollfd p = { .fd = link_fd(l), .events = POLLIN };

    return poll(&p, 1, ms) == 0 || !link_take(l, &ev);
}

struct pair {
    struct link *server, *client;
    peer_id to_client, to_server;
};

HELPER struct link *listening(const char *at)
{
    struct link *l = link_new();
    struct fault f;

    cr_assert_eq(link_listen(l, at, 5, NULL, &f), ERR_NONE, "%s", f.text);
    return l;
}

HELPER struct link *dialling(const char *at)
{
    struct link *l = link_new();
    struct fault f;

    cr_assert_eq(link_dial(l, at, NULL, &f), ERR_NONE, "%s", f.text);
    return l;
}

HELPER void say(struct link *l, peer_id to, const char *text)
{
    link_send(l, to, text, strlen(text));
    link_flush(l);
}

HELPER struct link_event hear(struct link *l, const char *text)
{
    struct link_event ev = expect(l, LINK_FRAME);

    cr_assert(ev.n == strlen(text) && memcmp(ev.data, text, ev.n) == 0, "not '%s'", text);
    return ev;
}

/* greet - the client's LINK_UP, its first frame and the server's LINK_UP. */
HELPER void greet(struct pair *p)
{
    struct link_event up = expect(p->client, LINK_UP);

    cr_assert(up.dialled);
    p->to_server = up.peer;
    say(p->client, p->to_server, "hello");
    up = expect(p->server, LINK_UP);
    cr_assert_not(up.dialled);
    cr_assert_eq(up.roles, 5);
    p->to_client = up.peer;
    cr_assert_eq(hear(p->server, "hello").peer.n, p->to_client.n);
}

HELPER struct pair connected(const char *at)
{
    struct pair p = { .server = listening(at) };

    p.client = dialling(link_url(p.server, 0));
    greet(&p);
    return p;
}

HELPER void disconnect(struct pair *p)
{
    link_free(p->client);
    link_free(p->server);
}

HELPER int raw_socket(const char *path)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
    cr_assert(fd >= 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0, "%s", strerror(errno));
    return fd;
}

HELPER void raw_write(int fd, const void *data, size_t n)
{
    cr_assert_eq(send(fd, data, n, MSG_NOSIGNAL), (ssize_t)n);
}

/* nothing_but - l's owner hears nothing, and so many connections were turned away. */
HELPER void nothing_but(struct link *l, uint64_t turned_away)
{
    struct link_event ev;
    ms_t until = clock_mono_ms() + DEADLINE_MS;

    while (link_turned_away(l) < turned_away && clock_mono_ms() < until) {
        struct pollfd p = { .fd = link_fd(l), .events = POLLIN };
        poll(&p, 1, 10);
        cr_assert_not(link_take(l, &ev));
    }
    cr_assert_eq(link_turned_away(l), turned_away);
    cr_assert_not(link_take(l, &ev));
}

/* closed_by - the other end closes without a word, and its owner hears nothing of it. */
HELPER void closed_by(struct link *l, int fd, uint64_t turned_away)
{
    char byte;

    cr_assert(recv(fd, &byte, 1, 0) <= 0);
    close(fd);
    nothing_but(l, turned_away);
}

#endif

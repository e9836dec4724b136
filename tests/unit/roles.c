/* roles: who has the credentials of one role and says that it has the other is told so by a real
 * scheduler, over TLS, and its connection ends: it may ask for nothing more on it. */
#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "farm/connection.h"
#include "tests/unit/calls_help.h"

enum { PATIENCE_MS = 100000 };

static struct stage s;

static void say_hello(struct peer_of *p, enum role role)
{
    struct message m = { .kind = MSG_HELLO };

    m.hello.role = role;
    m.hello.version = WIRE_VERSION;
    m.hello.program = "test";
    m.hello.instance = 9;
    m.hello.name = m.hello.host = "test";
    m.hello.pid = 1;
    m.hello.slots = role == ROLE_WORKER;
    stage_say(p, &m);
}

/* take - what the scheduler said, until it has ended the connection. */
static bool take(struct peer_of *p, enum role said, char *why, size_t bytes)
{
    struct link_event ev;
    struct message m;
    struct fault f;

    while (link_take(p->link, &ev)) {
        if (ev.kind == LINK_GONE)
            return true;
        if (ev.kind == LINK_UP) {
            p->peer = ev.peer;
            say_hello(p, said);
            say_hello(p, said == ROLE_CLIENT ? ROLE_WORKER : ROLE_CLIENT); /* too late */
            continue;
        }
        cr_assert_eq(wire_decode(ev.data, ev.n, &m, &f), ERR_NONE, "%s", f.text);
        cr_assert_neq((int)m.kind, (int)MSG_WELCOME, "it was heard after it had been refused");
        if (m.kind == MSG_REFUSED)
            snprintf(why, bytes, "%s", m.refused.text);
        message_fini(&m);
    }
    link_flush(p->link);
    return false;
}

static void refused(const char *file, enum role said, const char *what)
{
    char path[200], why[300] = "";
    struct connection c;
    struct fault f;
    struct peer_of p = { .link = link_new() };

    snprintf(path, sizeof path, "%s/%s", s.dir, file);
    cr_assert_eq(connection_read(path, CONNECTION_ANY, &c, &f), ERR_NONE, "%s", f.text);
    struct link_credentials with = { c.credential.ca, c.credential.cert, c.credential.key };
    cr_assert_eq(link_dial(p.link, c.urls[0], &with, &f), ERR_NONE, "%s", f.text);
    struct pollfd fd = { .fd = link_fd(p.link), .events = POLLIN };
    do
        cr_assert_gt(poll(&fd, 1, PATIENCE_MS), 0, "the connection of %s stays", file);
    while (!take(&p, said, why, sizeof why));
    cr_expect(strstr(why, what), "%s", why);
    link_free(p.link);
    connection_fini(&c);
}

Test(roles, credentials_are_for_one_role, .timeout = 300)
{
    stage_dir(&s);
    s.listen = "tls+tcp://127.0.0.1:0";
    stage_start(&s);
    refused("worker.json", ROLE_CLIENT, "these are the credentials of a worker");
    refused("client.json", ROLE_WORKER, "these are the credentials of a client");
    stage_close(&s);
}

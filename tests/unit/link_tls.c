/* link_tls: who may connect over TLS, and what happens to the others. Addresses are loopback's,
 * ports the kernel's. */
#include "link_help.h"

#include "farm/certs.h"

static struct farm_keys keys, others;
static struct fault fault;

static void make_keys(void)
{
    setup();
    cr_assert_eq(certs_make(&keys, clock_wall_ms(), &fault), ERR_NONE, "%s", fault.text);
    cr_assert_eq(certs_make(&others, clock_wall_ms(), &fault), ERR_NONE, "%s", fault.text);
}

static void free_keys(void)
{
    farm_keys_fini(&keys);
    farm_keys_fini(&others);
    teardown();
}

TestSuite(link_tls, .init = make_keys, .fini = free_keys, .timeout = 300);

static struct link_credentials creds(const struct credential *c)
{
    return (struct link_credentials){ c->ca, c->cert, c->key };
}

static struct link *secure(const char *at, const struct credential *c, unsigned roles)
{
    struct link_credentials with = creds(c);
    struct link *l = link_new();

    cr_assert_eq(link_listen(l, at, roles, &with, &fault), ERR_NONE, "%s", fault.text);
    return l;
}

static struct link *dialling_with(const char *at, struct link_credentials with)
{
    struct link *l = link_new();

    cr_assert_eq(link_dial(l, at, &with, &fault), ERR_NONE, "%s", fault.text);
    return l;
}

static struct pair secure_pair(const char *at)
{
    struct pair p = { .server = secure(at, &keys.for_workers, 5) };

    p.client = dialling_with(link_url(p.server, 0), creds(&keys.worker));
    greet(&p);
    return p;
}

static void much_both_ways(struct pair *p)
{
    enum { N = 2000, BIG = 9 << 20 };
    static char frame[4096], got[BIG];
    char *big = malloc(BIG);

    for (size_t i = 0; i < BIG; i++)
        big[i] = (char)(i * 31 >> 8);
    for (int i = 0; i < N; i++) {
        memset(frame, i, sizeof frame);
        link_send(p->client, p->to_server, frame, 4 + (size_t)i * 2);
        link_send(p->server, p->to_client, frame, 4 + (size_t)i * 2);
    }
    link_send(p->client, p->to_server, big, BIG);
    link_send(p->server, p->to_client, big, BIG);
    link_flush(p->client);
    link_flush(p->server);
    for (int i = 0; i < N; i++) {
        struct link_event a = expect(p->server, LINK_FRAME), b;
        cr_assert(a.n == 4 + (size_t)i * 2 && *(const char *)a.data == (char)i);
        b = expect(p->client, LINK_FRAME);
        cr_assert(b.n == a.n && *(const char *)b.data == (char)i);
    }
    struct link_event ev = expect(p->server, LINK_FRAME);
    cr_assert(ev.n == BIG && memcmp(ev.data, big, BIG) == 0);
    ev = expect(p->client, LINK_FRAME);
    cr_assert_eq(ev.n, BIG);
    memcpy(got, ev.data, BIG);
    cr_assert(memcmp(got, big, BIG) == 0);
    free(big);
}

Test(link_tls, frames_arrive_whole_and_in_order)
{
    struct pair p = secure_pair("tls+tcp://127.0.0.1:0");

    much_both_ways(&p);
    disconnect(&p);
}

Test(link_tls, so_they_do_over_ipv6)
{
    struct link *probe = link_new();
    bool have = !link_listen(probe, "tcp://[::1]:0", 1, NULL, &fault);

    link_free(probe);
    if (!have)
        cr_skip_test("no IPv6 here");
    struct pair p = secure_pair("tls+tcp://[::1]:0");
    cr_assert(strncmp(link_url(p.server, 0), "tls+tcp://[::1]:", 16) == 0);
    much_both_ways(&p);
    disconnect(&p);
}

Test(link_tls, each_listener_tells_its_roles)
{
    struct link_credentials to_clients = creds(&keys.for_clients);
    struct link *l = secure("tls+tcp://127.0.0.1:0", &keys.for_workers, 2);
    struct link_event ev;

    cr_assert_eq(link_listen(l, "tls+tcp://127.0.0.1:0", 1, &to_clients, &fault), ERR_NONE);
    cr_assert_eq(link_listen(l, url, 3, NULL, &fault), ERR_NONE, "%s", fault.text);
    cr_assert_str_eq(link_url(l, 2), url);
    cr_assert_str_eq(link_url(l, 3), "");
    struct link *from[] = { dialling_with(link_url(l, 0), creds(&keys.worker)),
                            dialling_with(link_url(l, 1), creds(&keys.client)), dialling(url) };
    static const unsigned roles[] = { 2, 1, 3 };
    for (int i = 0; i < 3; i++) {
        say(from[i], expect(from[i], LINK_UP).peer, "hello");
        ev = expect(l, LINK_UP);
        cr_assert_eq(ev.roles, roles[i]);
        hear(l, "hello");
    }
    for (int i = 0; i < 3; i++)
        link_free(from[i]);
    link_free(l);
}

/* refused - whoever dials with these credentials gets nothing, is told why, and the other side
 * hears nothing of it. It goes on trying; not each time does the alert outrun the end. */
static void refused(struct link *server, struct link_credentials with)
{
    uint64_t before = link_turned_away(server);
    struct link *l = dialling_with(link_url(server, 0), with);
    struct link_event ev = { 0 };
    char why[200];

    while (ev.kind != LINK_GONE || ev.reason != ERR_PERMISSION) {
        ev = next(l);
        cr_assert_neq(ev.kind, LINK_FRAME);
        if (ev.kind == LINK_UP)
            say(l, ev.peer, "hello");
        link_trouble(l, why, sizeof why);
    }
    cr_assert(strstr(why, link_url(server, 0)), "%s", why);
    link_free(l);
    cr_assert(quiet(server, 50));
    cr_assert(link_turned_away(server) > before);
}

Test(link_tls, the_certificate_of_another_role_is_refused)
{
    struct link *l = secure("tls+tcp://127.0.0.1:0", &keys.for_workers, 2);

    refused(l, creds(&keys.client));
    link_free(l);
    l = secure("tls+tcp://127.0.0.1:0", &keys.for_clients, 1);
    refused(l, creds(&keys.worker));
    link_free(l);
}

Test(link_tls, the_certificate_of_another_farm_is_refused)
{
    struct link *l = secure("tls+tcp://127.0.0.1:0", &keys.for_workers, 2);

    refused(l, creds(&others.worker)); /* which does not trust this scheduler */
    refused(l, (struct link_credentials){ keys.worker.ca, others.worker.cert, others.worker.key });
    link_free(l);
}

Test(link_tls, the_schedulers_certificate_is_no_workers)
{
    struct link *l = secure("tls+tcp://127.0.0.1:0", &keys.for_workers, 2);

    refused(l, (struct link_credentials){ keys.worker.ca, keys.for_workers.cert,
                                          keys.for_workers.key });
    link_free(l);
}

Test(link_tls, a_worker_cannot_pose_as_the_scheduler)
{
    struct credential posing = { keys.for_workers.ca, keys.worker.cert, keys.worker.key };
    struct link *l = secure("tls+tcp://127.0.0.1:0", &posing, 2);

    refused(l, creds(&keys.worker));
    /* nor when the dialling side trusted the workers' authority: it is for another name and purpose
     */
    refused(l, (struct link_credentials){ keys.for_workers.ca, keys.worker.cert, keys.worker.key });
    link_free(l);
}

Test(link_tls, an_expired_certificate_is_refused)
{
    struct farm_keys old, young;
    ms_t year = 366LL * 86400 * 1000, now = clock_wall_ms();

    cr_assert_eq(certs_make(&old, now - 11 * year, &fault), ERR_NONE, "%s", fault.text);
    cr_assert_eq(certs_make(&young, now + year, &fault), ERR_NONE, "%s", fault.text);
    struct link *l = secure("tls+tcp://127.0.0.1:0", &old.for_workers, 2);
    refused(l, creds(&old.worker));
    link_free(l);
    l = secure("tls+tcp://127.0.0.1:0", &young.for_workers, 2);
    refused(l, creds(&young.worker));
    link_free(l);
    /* only the dialling side's is old: the listening one refuses */
    struct credential half = { old.for_workers.ca, keys.for_workers.cert, keys.for_workers.key };
    l = secure("tls+tcp://127.0.0.1:0", &half, 2);
    refused(l, (struct link_credentials){ keys.worker.ca, old.worker.cert, old.worker.key });
    link_free(l);
    farm_keys_fini(&old);
    farm_keys_fini(&young);
}

static int raw_tcp(const struct link *l)
{
    struct sockaddr_in to = { .sin_family = AF_INET };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_port = htons((uint16_t)atoi(strrchr(link_url(l, 0), ':') + 1));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    cr_assert(fd >= 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0, "%s", strerror(errno));
    return fd;
}

Test(link_tls, frames_without_tls_are_refused)
{
    struct link *l = secure("tls+tcp://127.0.0.1:0", &keys.for_workers, 2);
    int fd = raw_tcp(l);
    char reply[100];

    raw_write(fd, "\x02\0\0\0hi", 6);
    for (ssize_t n; (n = recv(fd, reply, sizeof reply, 0)) > 0;)
        cr_assert(n <= 7, "more than an alert came back");
    closed_by(l, fd, 1);
    fd = raw_tcp(l);
    raw_write(fd, "GET / HTTP/1.1\r\n\r\n", 18);
    while (recv(fd, reply, sizeof reply, 0) > 0)
        ;
    closed_by(l, fd, 2);
    struct link *plain = link_new();
    char address[100];
    snprintf(address, sizeof address, "tcp://127.0.0.1%s", strrchr(link_url(l, 0), ':'));
    cr_assert_eq(link_dial(plain, address, NULL, &fault), ERR_NONE);
    say(plain, expect(plain, LINK_UP).peer, "hello");
    struct link_event ev = expect(plain, LINK_GONE);
    cr_assert_neq(ev.reason, ERR_NONE);
    link_free(plain);
    link_free(l);
}

/* put_pem - into a file of the test's directory, named `at`. */
static void put_pem(const char *name, const char *text, char at[160])
{
    snprintf(at, 160, "%s/%s.pem", dir, name);
    FILE *to = fopen(at, "we");
    cr_assert(to);
    fputs(text, to);
    fclose(to);
}

/* other_peer - a peer by another implementation: what is written to *to_it goes to l. c->cert may
 * be NULL: it has none. */
static pid_t other_peer(const struct link *l, const struct credential *c, int *to_it)
{
    char ca[160], cert[160] = "", key[160] = "", address[100];
    const char *argv[16] = { "openssl", "s_client", "-quiet",   "-verify_return_error",
                             "-CAfile", ca,         "-connect", address };
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int in[2];

    snprintf(address, sizeof address, "127.0.0.1%s", strrchr(link_url(l, 0), ':'));
    put_pem("ca", c->ca, ca);
    if (c->cert) {
        const char *const more[] = { "-cert", cert, "-key", key };
        put_pem("cert", c->cert, cert);
        put_pem("key", c->key, key);
        memcpy(argv + 8, more, sizeof more);
    }
    cr_assert_eq(pipe2(in, O_CLOEXEC), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    cr_assert_eq(
        posix_spawnp(&pid, "openssl", &actions, NULL, (char *const *)(uintptr_t)argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    *to_it = in[1];
    return pid;
}

Test(link_tls, without_a_certificate_of_ones_own_there_is_no_connection)
{
    struct link *l = secure("tls+tcp://127.0.0.1:0", &keys.for_workers, 2);
    struct credential none = { .ca = keys.worker.ca };
    int to_it, status;
    pid_t pid = other_peer(l, &none, &to_it);

    cr_assert_eq(write(to_it, "\x02\0\0\0hi", 6), 6); /* and its input stays open */
    waitpid(pid, &status, 0);
    close(to_it);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) != 0);
    nothing_but(l, 1);
    link_free(l);
}

Test(link_tls, a_killed_peer_is_noticed)
{
    struct link *l = secure("tls+tcp://127.0.0.1:0", &keys.for_workers, 5);

    for (int i = 0; i < 20; i++) { /* its last words and its end come close together */
        int to_it;
        pid_t pid = other_peer(l, &keys.worker, &to_it);
        cr_assert_eq(write(to_it, "\x02\0\0\0hi", 6), 6);
        peer_id peer = expect(l, LINK_UP).peer;
        hear(l, "hi");
        for (int k = 0; k < i; k++)
            cr_assert_eq(write(to_it, "\x03\0\0\0bye", 7), 7);
        if (i % 2 && i > 0)
            hear(l, "bye");
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        close(to_it);
        struct link_event ev;
        do
            ev = next(l);
        while (ev.kind == LINK_FRAME);
        cr_assert_eq(ev.kind, LINK_GONE);
        cr_assert_eq(ev.peer.n, peer.n);
    }
    link_free(l);
}

Test(link_tls, idle_connections_keep_nobody_out)
{
    enum { N = GREETING_MAX + 200 };
    static int fds[N];
    struct link *l = secure("tls+tcp://127.0.0.1:0", &keys.for_workers, 5);

    for (int i = 0; i < N; i++) {
        fds[i] = raw_tcp(l);
        if (i % 2) /* half of them begin a handshake */
            (void)send(fds[i], "\x16\x03\x01\x02", 4, MSG_NOSIGNAL);
    }
    struct pair p = { .server = l, .client = dialling_with(link_url(l, 0), creds(&keys.worker)) };
    greet(&p);
    much_both_ways(&p);
    cr_assert(link_turned_away(l) >= N - GREETING_MAX);
    for (int i = 0; i < N; i++)
        close(fds[i]);
    disconnect(&p);
}

Test(link_tls, dialling_goes_on_until_the_listener_is_back)
{
    struct pair p = secure_pair("tls+tcp://127.0.0.1:0");
    char *bound = strdup(link_url(p.server, 0));

    for (int i = 0; i < 3; i++) {
        say(p.server, p.to_client, "hi");
        hear(p.client, "hi");
        link_free(p.server);
        expect(p.client, LINK_GONE);
        p.server = secure(bound, &keys.for_workers, 5);
        greet(&p);
    }
    disconnect(&p);
    free(bound);
}

Test(link_tls, nothing_that_was_sent_is_lost_at_the_end)
{
    enum { N = 3000 };
    struct pair p = secure_pair("tls+tcp://127.0.0.1:0");
    char frame[1000];

    for (int i = 0; i < N; i++) {
        memset(frame, i, sizeof frame);
        link_send(p.client, p.to_server, frame, sizeof frame);
    }
    link_free(p.client);
    for (int i = 0; i < N; i++) {
        struct link_event ev = expect(p.server, LINK_FRAME);
        cr_assert(ev.n == sizeof frame && *(const char *)ev.data == (char)i);
    }
    cr_assert_eq(expect(p.server, LINK_GONE).reason, ERR_NONE);
    link_free(p.server);
}

Test(link_tls, addresses_are_tried_in_turn)
{
    struct link *gone = secure("tls+tcp://127.0.0.1:0", &keys.for_workers, 5);
    struct link *wrong = secure("tls+tcp://127.0.0.1:0", &others.for_workers, 5);
    struct pair p = { .server = secure("tls+tcp://127.0.0.1:0", &keys.for_workers, 5) };
    struct link_credentials with = creds(&keys.worker);

    p.client = link_new();
    cr_assert_eq(link_dial(p.client, link_url(gone, 0), &with, &fault), ERR_NONE);
    link_free(gone);
    cr_assert_eq(link_dial(p.client, link_url(wrong, 0), &with, &fault), ERR_NONE);
    cr_assert_eq(link_dial(p.client, link_url(p.server, 0), &with, &fault), ERR_NONE);
    struct link_event ev;
    bool arrived = false;
    while (!arrived) { /* one of them is up for a moment before its certificate is seen */
        ev = next(p.client);
        if (ev.kind == LINK_UP)
            say(p.client, ev.peer, "hello");
        struct pollfd fd = { .fd = link_fd(p.server), .events = POLLIN };
        arrived = poll(&fd, 1, ev.kind == LINK_UP ? 1000 : 0) == 1;
    }
    expect(p.server, LINK_UP);
    hear(p.server, "hello");
    link_free(wrong);
    disconnect(&p);
}

Test(link_tls, credentials_that_are_none_are_refused)
{
    const struct link_credentials wrong[] = {
        { NULL, keys.worker.cert, keys.worker.key },
        { "x", keys.worker.cert, keys.worker.key },
        { keys.worker.ca, "x", keys.worker.key },
        { keys.worker.ca, keys.worker.cert, "x" },
    };
    static const char *const said[] = {
        "tls+tcp://127.0.0.1:0 needs a certificate, its key and an authority",
        "the credentials for tls+tcp://127.0.0.1:0: 'ca' is no certificate (",
        "the credentials for tls+tcp://127.0.0.1:0: 'cert' and 'key' are no certificate with its",
        "'cert' and 'key' are no certificate with its key (",
    };
    struct link *l = link_new();

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_assert_eq(link_dial(l, "tls+tcp://127.0.0.1:1", &wrong[i], &fault), ERR_USAGE);
        cr_assert_eq(link_listen(l, "tls+tcp://127.0.0.1:0", 1, &wrong[i], &fault), ERR_USAGE);
        cr_assert(strstr(fault.text, said[i]), "%s", fault.text);
    }
    cr_assert_eq(link_dial(l, "tls+tcp://127.0.0.1:1", NULL, &fault), ERR_USAGE);
    link_free(l);
}

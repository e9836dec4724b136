/* link: order, bounds, loss and return of connections. */
#include "link_help.h"

TestSuite(link, .init = setup, .fini = teardown, .timeout = 300);

/* Frame i has a length and bytes that follow from i. */
static size_t frame_bytes(unsigned i)
{
    return i % 97 == 0 ? 70000 : i % 300 + 4;
}

static void fill(char *frame, unsigned i)
{
    memset(frame, (int)(i & 0xff), frame_bytes(i));
    memcpy(frame, &i, sizeof i);
}

static void check_frame(const struct link_event *ev, unsigned i)
{
    static char want[80000];

    fill(want, i);
    cr_assert_eq(ev->n, frame_bytes(i), "frame %u has %zu bytes", i, ev->n);
    cr_assert(memcmp(ev->data, want, ev->n) == 0, "frame %u", i);
}

static void both_ways_in_order(const char *at)
{
    enum { N = 20000 };
    static char frame[80000];
    struct pair p = connected(at);

    for (unsigned i = 0; i < N; i++) {
        fill(frame, i);
        link_send(p.client, p.to_server, frame, frame_bytes(i));
        link_send(p.server, p.to_client, frame, frame_bytes(i));
        if (i % 50 == 49) {
            link_flush(p.client);
            link_flush(p.server);
        }
    }
    for (unsigned i = 0; i < N; i++) {
        struct link_event ev = expect(p.server, LINK_FRAME);
        cr_assert_eq(ev.peer.n, p.to_client.n);
        check_frame(&ev, i);
        ev = expect(p.client, LINK_FRAME);
        check_frame(&ev, i);
    }
    disconnect(&p);
}

Test(link, frames_arrive_whole_and_in_order_over_ipc)
{
    both_ways_in_order(url);
}

Test(link, frames_arrive_whole_and_in_order_over_tcp)
{
    both_ways_in_order("tcp://127.0.0.1:0");
}

Test(link, a_large_frame_arrives)
{
    enum { N = 10 << 20 };
    char *big = malloc(N);
    struct pair p = connected(url);

    for (size_t i = 0; i < N; i++)
        big[i] = (char)(i * 31 >> 8);
    link_send(p.client, p.to_server, "before", 6);
    link_send(p.client, p.to_server, big, N);
    link_send(p.client, p.to_server, "after", 5);
    link_flush(p.client);
    struct link_event ev = expect(p.server, LINK_FRAME);
    cr_assert_eq(ev.n, 6);
    ev = expect(p.server, LINK_FRAME);
    cr_assert_eq(ev.n, N);
    cr_assert(memcmp(ev.data, big, N) == 0);
    ev = expect(p.server, LINK_FRAME);
    cr_assert(ev.n == 5 && memcmp(ev.data, "after", 5) == 0);
    disconnect(&p);
    free(big);
}

/* What is written into the queue itself goes between what is copied there, and to nobody who is
 * gone.
 */
Test(link, a_frame_is_written_where_it_leaves)
{
    enum { N = 1 << 20 };
    struct pair p = connected(url);
    struct buf *frame;

    link_send(p.client, p.to_server, "before", 6);
    cr_assert(frame = link_begin(p.client, p.to_server));
    for (size_t i = 0; i < N; i++)
        buf_addc(frame, (char)(i * 31 >> 8));
    link_end(p.client);
    link_send(p.client, p.to_server, "after", 5);
    link_flush(p.client);
    struct link_event ev = expect(p.server, LINK_FRAME);
    cr_assert(ev.n == 6 && memcmp(ev.data, "before", 6) == 0);
    ev = expect(p.server, LINK_FRAME);
    cr_assert_eq(ev.n, N);
    for (size_t i = 0; i < N; i++)
        cr_assert_eq(((const char *)ev.data)[i], (char)(i * 31 >> 8));
    ev = expect(p.server, LINK_FRAME);
    cr_assert(ev.n == 5 && memcmp(ev.data, "after", 5) == 0);
    cr_assert(link_begin(p.client, (peer_id){ 12345 }) == NULL);
    link_send(p.client, (peer_id){ 12345 }, "nobody", 6);
    disconnect(&p);
}

Test(link, a_peer_that_announces_too_much_is_dropped)
{
    struct link *l = listening(url);
    int fd = raw_socket(url + 6);
    const unsigned char frames[] = { 2, 0, 0, 0, 'o', 'k', 1, 0, 0, 5 /* 80 MiB and 1 byte */ };
    char byte;

    raw_write(fd, frames, sizeof frames);
    expect(l, LINK_UP);
    struct link_event ev = expect(l, LINK_FRAME);
    cr_assert(ev.n == 2 && memcmp(ev.data, "ok", 2) == 0);
    ev = expect(l, LINK_GONE);
    cr_assert_eq(ev.reason, ERR_MALFORMED);
    cr_assert(recv(fd, &byte, 1, 0) <= 0);
    cr_assert(quiet(l, 50));
    close(fd);
    link_free(l);
}

Test(link, half_a_frame_is_never_delivered)
{
    struct link *l = listening(url);
    int fd = raw_socket(url + 6);

    raw_write(fd, "\x02\0\0\0hi\x64\0\0\0half", 14);
    close(fd);
    expect(l, LINK_UP);
    hear(l, "hi");
    struct link_event ev = expect(l, LINK_GONE);
    cr_assert_eq(ev.reason, ERR_LOST);
    cr_assert(quiet(l, 50));
    link_free(l);
}

Test(link, a_frame_may_come_byte_by_byte)
{
    struct link *l = listening(url);
    int fd = raw_socket(url + 6);
    static const char bytes[] = "\x03\0\0\0one\x03\0\0\0two";

    for (size_t i = 0; i < sizeof bytes - 1; i++)
        raw_write(fd, bytes + i, 1);
    expect(l, LINK_UP);
    struct link_event ev = expect(l, LINK_FRAME);
    cr_assert(ev.n == 3 && memcmp(ev.data, "one", 3) == 0);
    ev = expect(l, LINK_FRAME);
    cr_assert(ev.n == 3 && memcmp(ev.data, "two", 3) == 0);
    close(fd);
    link_free(l);
}

static void comes_back(const char *at)
{
    struct pair p = connected(at);
    char *bound = strdup(link_url(p.server, 0));

    link_send(p.server, p.to_client, "hi", 2);
    link_flush(p.server);
    expect(p.client, LINK_FRAME);
    for (int i = 0; i < 3; i++) {
        link_free(p.server);
        struct link_event ev = expect(p.client, LINK_GONE);
        cr_assert_eq(ev.peer.n, p.to_server.n);
        p.server = listening(bound);
        peer_id before = p.to_server;
        greet(&p);
        cr_assert_neq(before.n, p.to_server.n);
        say(p.server, p.to_client, "again"); /* what worked is dialled at once when it ends */
        hear(p.client, "again");
    }
    disconnect(&p);
    free(bound);
}

Test(link, dialling_goes_on_until_the_listener_is_back)
{
    comes_back(url);
}

Test(link, dialling_goes_on_until_the_listener_is_back_over_tcp)
{
    comes_back("tcp://127.0.0.1:0");
}

Test(link, dialling_may_begin_before_there_is_a_listener)
{
    char inner[160], at[180];
    snprintf(inner, sizeof inner, "%s/later", dir);
    snprintf(at, sizeof at, "ipc://%s/s.sock", inner);
    struct link *client = dialling(at);

    cr_assert(quiet(client, 50));
    cr_assert_eq(mkdir(inner, 0700), 0);
    struct pair p = { .client = client, .server = listening(at) };
    greet(&p);
    disconnect(&p);
}

Test(link, closing_a_peer_loses_nothing_that_was_sent)
{
    enum { N = 5000 };
    static char frame[80000];
    struct pair p = connected(url);

    for (unsigned i = 0; i < N; i++) {
        fill(frame, i);
        link_send(p.server, p.to_client, frame, frame_bytes(i));
    }
    link_close_peer(p.server, p.to_client);
    link_send(p.server, p.to_client, "too late", 8);
    link_flush(p.server);
    for (unsigned i = 0; i < N; i++) {
        struct link_event ev = expect(p.client, LINK_FRAME);
        check_frame(&ev, i);
    }
    struct link_event ev = expect(p.client, LINK_GONE);
    cr_assert_eq(ev.reason, ERR_NONE);
    do
        ev = next(p.server); /* a dialled link comes back at once: perhaps before this is noticed */
    while (ev.kind == LINK_UP);
    cr_assert_eq(ev.kind, LINK_GONE);
    cr_assert_eq(ev.reason, ERR_NONE);
    disconnect(&p);
}

Test(link, freeing_a_link_loses_nothing_that_was_sent)
{
    enum { N = 5000 };
    static char frame[80000];
    struct pair p = connected("tcp://127.0.0.1:0");

    for (unsigned i = 0; i < N; i++) {
        fill(frame, i);
        link_send(p.client, p.to_server, frame, frame_bytes(i));
    }
    link_free(p.client);
    for (unsigned i = 0; i < N; i++) {
        struct link_event ev = expect(p.server, LINK_FRAME);
        check_frame(&ev, i);
    }
    struct link_event ev = expect(p.server, LINK_GONE);
    cr_assert_eq(ev.reason, ERR_NONE);
    link_free(p.server);
}

Test(link, gone_comes_once_and_after_the_last_frame)
{
    struct link *l = listening(url);

    for (int i = 0; i < 50; i++) {
        int fd = raw_socket(url + 6);
        raw_write(fd, "\x01\0\0\0a\x01\0\0\0b", 10);
        peer_id peer = expect(l, LINK_UP).peer;
        expect(l, LINK_FRAME);
        expect(l, LINK_FRAME);
        close(fd);
        struct link_event ev = expect(l, LINK_GONE);
        cr_assert_eq(ev.peer.n, peer.n);
        link_send(l, peer, "to nobody", 9); /* ignored */
        link_flush(l);
        link_close_peer(l, peer);
    }
    cr_assert(quiet(l, 50));
    link_free(l);
}

Test(link, a_slow_reader_delays_its_sender_and_gets_all)
{
    enum {
        FRAME = 1 << 20,
        N = 200
    }; /* more than the receiver holds, less than the sender queues */
    char *frame = calloc(1, FRAME);
    struct pair p = connected(url);

    for (unsigned i = 0; i < N; i++) {
        memcpy(frame, &i, sizeof i);
        link_send(p.client, p.to_server, frame, FRAME);
        link_flush(p.client);
    }
    cr_assert(quiet(p.client, 200));
    for (unsigned i = 0; i < N; i++) {
        struct link_event ev = expect(p.server, LINK_FRAME);
        cr_assert_eq(ev.n, (size_t)FRAME);
        cr_assert(memcmp(ev.data, &i, sizeof i) == 0, "frame %u", i);
    }
    disconnect(&p);
    free(frame);
}

Test(link, a_peer_that_does_not_read_is_dropped_at_the_bound)
{
    enum { FRAME = 16 << 20 };
    char *frame = calloc(1, FRAME);
    struct pair p = connected(url);

    for (int i = 0; i < 24; i++) { /* 384 MiB: the sender's bound, the receiver's and a frame */
        link_send(p.client, p.to_server, frame, FRAME);
        link_flush(p.client);
    }
    struct link_event ev = expect(p.client, LINK_GONE);
    cr_assert_eq(ev.reason, ERR_LIMIT);
    disconnect(&p);
    free(frame);
}

Test(link, a_path_may_be_longer_than_a_socket_address)
{
    struct buf path = { 0 };

    buf_adds(&path, dir);
    for (int i = 0; i < 6; i++) {
        buf_adds(&path, "/a-directory-with-a-rather-long-name-indeed");
        cr_assert_eq(mkdir(path.data, 0700), 0);
    }
    struct buf at = { 0 };
    buf_addf(&at, "ipc://%s/s.sock", path.data);
    cr_assert(at.n > 250);
    both_ways_in_order(at.data);
    buf_adds(&path, "/s.sock");
    cr_assert_eq(access(path.data, F_OK), -1, "the socket file is left behind");
    comes_back(at.data);
    buf_fini(&path);
    buf_fini(&at);
}

Test(link, a_stale_socket_file_is_replaced)
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(at.sun_path, sizeof at.sun_path, "%s", url + 6);
    cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    close(fd);
    struct pair p = connected(url);
    disconnect(&p);
}

Test(link, a_second_listener_is_refused)
{
    struct pair p = connected(url);
    struct link *second = link_new();
    struct fault f;

    cr_assert_eq(link_listen(second, url, 1, NULL, &f), ERR_BUSY, "%s", f.text);
    char said[200];
    snprintf(said, sizeof said, "cannot listen at %s: ", url);
    cr_assert(strstr(f.text, said), "%s", f.text);
    link_free(second);
    link_send(p.client, p.to_server, "x", 1);
    link_flush(p.client);
    struct link_event
        ev; /* the probe of the second may have been seen as a peer that came and went */
    do
        ev = next(p.server);
    while (ev.kind != LINK_FRAME);
    cr_assert_eq(ev.peer.n, p.to_client.n);
    disconnect(&p);
}

Test(link, addresses_that_are_none_are_refused)
{
    static const char *const wrong[] = { "", "s.sock", "ipc://", "http://x/", "tcp://" };
    char said[100];
    struct fault f;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct link *l = link_new();
        cr_assert_eq(link_dial(l, wrong[i], NULL, &f), ERR_USAGE, "%s", wrong[i]);
        snprintf(
            said, sizeof said,
            i < 4 ? "'%s' is not an address; expected ipc://PATH" : "cannot dial %s: ", wrong[i]);
        cr_assert(strstr(f.text, said), "%s", f.text);
        link_free(l);
    }
}

Test(link, names_and_numbers_of_addresses_have_limits)
{
    enum { SUN_PATH_MAX = sizeof((struct sockaddr_un *)0)->sun_path - 1 };
    char name[SUN_PATH_MAX + 1] = "", at[300];
    struct fault f = { 0 };
    struct link *l = link_new();

    memset(name, 'n', SUN_PATH_MAX);
    snprintf(at, sizeof at, "ipc://%s/%s", dir, name);
    cr_assert_eq(link_listen(l, at, 1, NULL, &f), ERR_LIMIT);
    cr_assert(strstr(f.text, "the socket name 'nnn"), "%s", f.text);
    cr_assert(strstr(f.text, "nnn' is longer than"), "%s", f.text);
    for (int i = 0; i < LISTENERS_MAX; i++)
        cr_assert_eq(link_listen(l, "tcp://127.0.0.1:0", 1, NULL, &f), ERR_NONE);
    cr_assert_eq(link_listen(l, "tcp://127.0.0.1:0", 1, NULL, &f), ERR_LIMIT);
    cr_assert_str_eq(f.text, "more than 16 addresses to listen at");
    for (int i = 0; i < TARGETS_MAX; i++)
        cr_assert_eq(link_dial(l, url, NULL, &f), ERR_NONE);
    cr_assert_eq(link_dial(l, url, NULL, &f), ERR_LIMIT);
    cr_assert_str_eq(f.text, "more than 8 addresses of one scheduler");
    link_free(l);
}

Test(link, only_the_owner_may_connect)
{
    struct link *l = listening(url);
    struct stat st;

    cr_assert_eq(stat(url + 6, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0600);
    link_free(l);
}

Test(link, children_inherit_nothing)
{
    struct pair p = connected(url), q = connected("tcp://127.0.0.1:0");
    int out[2];
    pid_t pid;
    const char *const argv[] = { "ls", "-l", "/proc/self/fd", NULL };
    posix_spawn_file_actions_t actions;
    struct buf text = { 0 };
    char chunk[4096];
    ssize_t n;

    cr_assert_eq(pipe2(out, O_CLOEXEC), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    cr_assert_eq(posix_spawn(&pid, "/bin/ls", &actions, NULL, (char *const *)(uintptr_t)argv, NULL),
                 0);
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    while ((n = read(out[0], chunk, sizeof chunk)) > 0)
        buf_add(&text, chunk, (size_t)n);
    close(out[0]);
    waitpid(pid, NULL, 0);
    cr_assert(strstr(buf_text(&text), "-> "));
    cr_assert_not(strstr(buf_text(&text), "eventfd"), "%s", buf_text(&text));
    cr_assert_not(strstr(buf_text(&text), "eventpoll"), "%s", buf_text(&text));
    for (const char *s = buf_text(&text); (s = strstr(s, "socket:")); s++)
        cr_assert(s[-5] >= '0' && s[-5] <= '2' && s[-6] == ' ', "%s", buf_text(&text));
    buf_fini(&text);
    disconnect(&p);
    disconnect(&q);
}

Test(link, freeing_does_not_hang_whatever_is_in_flight)
{
    char *frame = calloc(1, 4 << 20);

    struct link *nobody = dialling(url);
    link_free(nobody);
    struct link *l = listening(url);
    int fd = raw_socket(url + 6); /* never reads */
    raw_write(fd, "\x01\0\0\0a", 5);
    peer_id peer = expect(l, LINK_UP).peer;
    link_send(l, peer, frame, 4 << 20);
    link_flush(l);
    link_send(l, peer, frame, 4 << 20);
    link_free(l);
    close(fd);
    free(frame);
}

Test(link, many_connections_come_and_go)
{
    enum { N = 200 };
    struct link *server = listening(url), *clients[N];
    int up = 0, gone = 0, frames = 0;

    for (int i = 0; i < N; i++)
        clients[i] = dialling(url);
    for (int i = 0; i < N; i++) {
        peer_id peer = expect(clients[i], LINK_UP).peer;
        link_send(clients[i], peer, &i, sizeof i);
        link_free(clients[i]); /* flushes */
    }
    while (gone < N) {
        struct link_event ev = next(server);
        up += ev.kind == LINK_UP;
        frames += ev.kind == LINK_FRAME;
        gone += ev.kind == LINK_GONE;
    }
    cr_assert_eq(up, N);
    cr_assert_eq(frames, N);
    cr_assert(quiet(server, 20));
    link_free(server);
}

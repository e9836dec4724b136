/* link_greet: connections that have not proven themselves cost little and not for long. */
#include "link_help.h"

TestSuite(link_greet, .init = setup, .fini = teardown, .timeout = 300);

Test(link_greet, garbage_is_dropped_and_others_go_on)
{
    struct pair p = connected(url);
    int fd = raw_socket(url + 6);
    char garbage[5000];

    memset(garbage, 0xa5, sizeof garbage);
    raw_write(fd, garbage, sizeof garbage);
    closed_by(p.server, fd, 1);
    say(p.client, p.to_server, "still here");
    cr_assert_eq(hear(p.server, "still here").peer.n, p.to_client.n);
    disconnect(&p);
}

Test(link_greet, a_first_frame_may_not_be_large)
{
    struct link *l = listening(url);
    int fd = raw_socket(url + 6);
    const unsigned char frame[] = { 1, 0, 0x20, 0 }; /* 2 MiB and a byte */

    raw_write(fd, frame, sizeof frame);
    closed_by(l, fd, 1);
    link_free(l);
}

Test(link_greet, first_frames_share_a_bound_of_memory)
{
    enum { N = GREETING_BYTES_MAX / GREETING_FRAME_MAX + 2, CHUNK = 256 << 10 };
    struct link *l = listening(url);
    char *chunk = calloc(1, CHUNK);
    int fds[N], closed = 0;
    const unsigned char head[] = { 0, 0, 0x20, 0 }; /* 2 MiB, of which the last byte never comes */

    for (int i = 0; i < N; i++) {
        fds[i] = raw_socket(url + 6);
        raw_write(fds[i], head, sizeof head);
        for (size_t at = 0; at < GREETING_FRAME_MAX - 1; at += CHUNK)
            if (send(fds[i], chunk, at + CHUNK < GREETING_FRAME_MAX ? CHUNK : CHUNK - 1,
                     MSG_NOSIGNAL) < 0)
                break;
    }
    for (ms_t until = clock_mono_ms() + DEADLINE_MS; !closed && clock_mono_ms() < until;)
        for (int i = 0; i < N; i++) {
            struct pollfd p = { .fd = fds[i], .events = POLLRDHUP };
            closed += poll(&p, 1, 1) == 1;
        }
    cr_assert(closed > 0, "all of them were believed");
    cr_assert(link_turned_away(l) > 0);
    struct pair p = { .server = l, .client = dialling(url) };
    greet(&p);
    disconnect(&p);
    for (int i = 0; i < N; i++)
        close(fds[i]);
    free(chunk);
}

Test(link_greet, the_oldest_that_has_not_spoken_makes_room)
{
    enum { N = GREETING_MAX + 300 };
    static int fds[N];
    struct pair p = connected(url);

    for (int i = 0; i < N; i++)
        fds[i] = raw_socket(url + 6);
    char byte;
    for (int i = 0; i < N - GREETING_MAX; i++)
        cr_assert(recv(fds[i], &byte, 1, 0) <= 0, "connection %d is still there", i);
    struct pair q = { .server = p.server, .client = dialling(url) };
    greet(&q);
    cr_assert(link_turned_away(p.server) >= N - GREETING_MAX);
    cr_assert(link_turned_away(p.server) <= N - GREETING_MAX + 1);
    raw_write(fds[N - 1], "\x02\0\0\0hi", 6);
    expect(p.server, LINK_UP);
    hear(p.server, "hi");
    link_free(q.client);
    disconnect(&p);
    for (int i = 0; i < N; i++)
        close(fds[i]);
}

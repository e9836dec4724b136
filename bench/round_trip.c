/* round_trip KIND URL N BYTES - microseconds of a bare round trip over nng, between two processes,
 * one after the other: the median of N. KIND: req (req0 and rep0), stream (nng_stream, a 4-byte
 * length and the bytes: what link.c carries). URL: "ipc://PATH" or "tcp://127.0.0.1:PORT". What a
 * direct call through a scheduler is compared with: it makes two round trips. */
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/must.h"

enum { BYTES_MAX = 1 << 20, WARM_UP = 200 };

extern char **environ;

static char bytes[4 + BYTES_MAX];

/* ---- req and rep */

static void serve_rep(const char *url)
{
    nng_socket s;
    void *data;
    size_t n;

    must(nng_rep0_open(&s) == 0);
    must(nng_listen(s, url, NULL, 0) == 0);
    while (nng_recv(s, &data, &n, NNG_FLAG_ALLOC) == 0)
        must(nng_send(s, data, n, NNG_FLAG_ALLOC) == 0);
}

static void ask_req(const nng_socket *s, size_t n)
{
    void *data;
    size_t got;

    must(nng_send(*s, bytes, n, 0) == 0);
    must(nng_recv(*s, &data, &got, NNG_FLAG_ALLOC) == 0);
    must(got == n);
    nng_free(data, got);
}

/* ---- byte stream */

static bool move_all(nng_stream *s, nng_aio *aio, char *data, size_t n, bool out)
{
    for (size_t done = 0; done < n;) {
        nng_iov iov = { .iov_buf = data + done, .iov_len = n - done };
        must(nng_aio_set_iov(aio, 1, &iov) == 0);
        if (out)
            nng_stream_send(s, aio);
        else
            nng_stream_recv(s, aio);
        nng_aio_wait(aio);
        if (nng_aio_result(aio) != 0)
            return false;
        done += nng_aio_count(aio);
    }
    return true;
}

static void serve_stream(const char *url)
{
    nng_stream_listener *listener;
    nng_aio *aio;
    uint32_t n;

    must(nng_aio_alloc(&aio, NULL, NULL) == 0);
    must(nng_stream_listener_alloc(&listener, url) == 0);
    must(nng_stream_listener_listen(listener) == 0);
    nng_stream_listener_accept(listener, aio);
    nng_aio_wait(aio);
    must(nng_aio_result(aio) == 0);
    nng_stream *s = nng_aio_get_output(aio, 0);
    while (move_all(s, aio, bytes, 4, false)) {
        memcpy(&n, bytes, 4);
        must(n <= BYTES_MAX);
        if (!move_all(s, aio, bytes + 4, n, false) || !move_all(s, aio, bytes, 4 + n, true))
            break;
    }
}

static nng_stream *dial(const char *url, nng_aio *aio)
{
    nng_stream_dialer *dialer;

    must(nng_stream_dialer_alloc(&dialer, url) == 0);
    for (int i = 0; i < 5000; i++) { /* until the other process listens */
        nng_stream_dialer_dial(dialer, aio);
        nng_aio_wait(aio);
        if (nng_aio_result(aio) == 0)
            return nng_aio_get_output(aio, 0);
        usleep(1000);
    }
    must(!"nobody listens");
    return NULL;
}

static void ask_stream(nng_stream *s, nng_aio *aio, size_t n)
{
    uint32_t header = (uint32_t)n;

    memcpy(bytes, &header, 4);
    must(move_all(s, aio, bytes, 4 + n, true) && move_all(s, aio, bytes, 4 + n, false));
}

/* ---- measuring */

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void measure(bool stream, const char *url, size_t n, size_t size)
{
    uint64_t *took = calloc(n, sizeof *took);
    nng_socket req;
    nng_stream *s = NULL;
    nng_aio *aio;

    must(took != NULL && nng_aio_alloc(&aio, NULL, NULL) == 0);
    if (stream) {
        s = dial(url, aio);
    } else {
        must(nng_req0_open(&req) == 0);
        must(nng_socket_set_ms(req, NNG_OPT_RECONNMINT, 1) == 0);
        must(nng_dial(req, url, NULL, NNG_FLAG_NONBLOCK) == 0);
    }
    for (size_t i = 0; i < WARM_UP + n; i++) {
        uint64_t begin = clock_mono_us();
        if (stream)
            ask_stream(s, aio, size);
        else
            ask_req(&req, size);
        if (i >= WARM_UP)
            took[i - WARM_UP] = clock_mono_us() - begin;
    }
    qsort(took, n, sizeof *took, by_value);
    printf("%llu\n", (unsigned long long)took[n / 2]);
    free(took);
}

/* The other end is a process of its own that runs this program with "serve" before its kind. */
int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "serve") == 0) {
        if (strcmp(argv[2], "stream") == 0)
            serve_stream(argv[3]);
        else
            serve_rep(argv[3]);
        return 0;
    }
    must(argc == 5 && (strcmp(argv[1], "req") == 0 || strcmp(argv[1], "stream") == 0));
    char serve[] = "serve";
    char *args[] = { argv[0], serve, argv[1], argv[2], NULL };
    size_t n = strtoull(argv[3], NULL, 10), size = strtoull(argv[4], NULL, 10);
    pid_t pid;

    must(n > 0 && size > 0 && size <= BYTES_MAX);
    must(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, args, environ) == 0);
    measure(strcmp(argv[1], "stream") == 0, argv[2], n, size);
    kill(pid, SIGTERM);
    must(waitpid(pid, NULL, 0) == pid);
    return 0;
}

/* hostile - a peer that does what no peer should, for tests/cli/hostile.bats.
 *
 *   hostile MODE WHERE [N]     WHERE: the path of a socket, or a port of 127.0.0.1
 *
 * It prints what comes back, a line each: "refused CODE: TEXT", "welcome", "message KIND", and
 * "closed" when the other end closed. `idle` prints "open N" and holds N connections until its
 * stdin ends. It gives up on an answer after ANSWER_MS. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/must.h"
#include "proto/message.h"
#include "proto/wire.h"

enum { ANSWER_MS = 200000 };

static int dial(const char *where)
{
    struct sockaddr_un path = { .sun_family = AF_UNIX };
    struct sockaddr_in port = { .sin_family = AF_INET };
    bool is_port = where[strspn(where, "0123456789")] == '\0';
    int fd = socket(is_port ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rv;

    must(fd >= 0);
    port.sin_port = htons((uint16_t)atoi(where));
    port.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    snprintf(path.sun_path, sizeof path.sun_path, "%s", where);
    do
        rv = is_port ? connect(fd, (struct sockaddr *)&port, sizeof port)
                     : connect(fd, (struct sockaddr *)&path, sizeof path);
    while (rv && (errno == EAGAIN || errno == EINTR)); /* a full backlog of a socket */
    if (rv) {
        fprintf(stderr, "hostile: %s: %s\n", where, strerror(errno));
        exit(1);
    }
    return fd;
}

static void put(int fd, const void *data, size_t n)
{
    (void)!send(fd, data, n, MSG_NOSIGNAL); /* who closed already says so when read from */
}

static void say(int fd, const struct message *m)
{
    struct buf b = { 0 };

    wire_encode(m, &b);
    uint32_t n = (uint32_t)b.n;
    put(fd, &n, sizeof n);
    put(fd, b.data, b.n);
    buf_fini(&b);
}

static void hello(int fd, enum role role, uint32_t version)
{
    say(fd, &(struct message){ .kind = MSG_HELLO,
                               .hello = { .role = role,
                                          .version = version,
                                          .program = "hostile",
                                          .instance = 7,
                                          .name = "hostile",
                                          .host = "nowhere",
                                          .pid = 1,
                                          .slots = role == ROLE_WORKER ? 1 : 0 } });
}

static void show(const void *data, size_t n)
{
    struct message m;
    struct fault f;

    if (wire_decode(data, n, &m, &f)) {
        printf("malformed: %s\n", f.text);
        return;
    }
    if (m.kind == MSG_REFUSED)
        printf("refused %u: %s\n", m.refused.code, m.refused.text);
    else if (m.kind == MSG_BLOB_ACK)
        printf("blob %u: %s\n", m.blob_ack.code, m.blob_ack.text);
    else if (m.kind == MSG_WELCOME)
        printf("welcome\n");
    else if (m.kind != MSG_BEAT)
        printf("message %d\n", (int)m.kind);
    message_fini(&m);
}

/* listen_to - shows what comes until the other end closes. */
static void listen_to(int fd)
{
    struct buf in = { 0 };
    char block[4096];
    uint32_t n;
    ms_t until = clock_mono_ms() + ANSWER_MS;

    for (;;) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        ms_t left = until - clock_mono_ms();
        if (left <= 0 || poll(&p, 1, (int)left) != 1) {
            printf("still open\n");
            break;
        }
        ssize_t got = recv(fd, block, sizeof block, 0);
        if (got > 0)
            buf_add(&in, block, (size_t)got);
        while (in.n >= sizeof n &&
               (memcpy(&n, in.data, sizeof n), n > 0 && in.n >= 4 + (size_t)n)) {
            show(in.data + 4, n);
            memmove(in.data, in.data + 4 + n, in.n - 4 - n);
            in.n -= 4 + (size_t)n;
        }
        if (got <= 0 || (in.n >= sizeof n && n == 0)) {
            printf("closed\n");
            break;
        }
    }
    buf_fini(&in);
}

static void results(int fd)
{
    struct end_body body = {
        .values = "[]", .metrics = "{}", .error_line = "", .out_file = "", .err_file = "", .dir = ""
    };
    struct end_row row = { .task = { 1 }, .lease = { 1 }, .state = TASK_DONE, .body = &body };

    say(fd, &(struct message){ .kind = MSG_RESULTS, .results = { &row, 1 } });
}

static void submit(int fd)
{
    static const char spec[] = "{\"name\":\"stolen\",\"command\":[\"true\"]}";

    say(fd, &(struct message){
                .kind = MSG_SUBMIT,
                .submit = { .request = 1, .spec = spec, .spec_bytes = sizeof spec - 1 } });
}

/* What would write, look at another directory, or is not the verb of a look; then an end. */
static void looks(int fd)
{
    static const char *const options[] = { "--output=/tmp/x", "--dir=/", "-o/tmp/x", "--json=1" };

    hello(fd, ROLE_CLIENT, WIRE_VERSION);
    say(fd, &(struct message){ .kind = MSG_LOOK, .look = { .request = 1, .verb = "cancel" } });
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        say(fd, &(struct message){ .kind = MSG_LOOK,
                                   .look = { .request = 2 + i,
                                             .verb = "results",
                                             .options = &options[i],
                                             .n_options = 1 } });
    say(fd,
        &(struct message){ .kind = MSG_LOOK, .look = { .request = 9, .look = 77, .verb = "" } });
    results(fd);
}

/* One look more than there may be at once. The first ones stay: their next page is not asked for.
 */
static void many_looks(int fd)
{
    hello(fd, ROLE_CLIENT, WIRE_VERSION);
    for (size_t i = 0; i <= LOOKS_MAX; i++)
        say(fd,
            &(struct message){ .kind = MSG_LOOK, .look = { .request = 1 + i, .verb = "status" } });
    results(fd);
}

/* What is well formed and asks for what is not there, or cannot be. */
static void asks(int fd)
{
    static const char spec[] = "{\"calls\":{\"commands\":true}}",
                      waits[] = "{\"calls\":{\"commands\":true},\"after\":[{\"key\":\"b\"}]}";
    char key[151] = "";

    memset(key, 'k', sizeof key - 1);
    hello(fd, ROLE_CLIENT, WIRE_VERSION);
    say(fd, &(struct message){ .kind = MSG_CANCEL, .cancel = { .request = 1, .study = "s" } });
    say(fd, &(struct message){ .kind = MSG_COLLECT, .collect = { .request = 2, .key = "c" } });
    say(fd, &(struct message){ .kind = MSG_OPEN,
                               .open = { .request = 3, .key = "o", .study = "", .spec = "" } });
    say(fd, &(struct message){
                .kind = MSG_OPEN,
                .open = { 4, .key = key, .study = "", spec, .spec_bytes = sizeof spec - 1 } });
    say(fd, &(struct message){
                .kind = MSG_OPEN,
                .open = { 5, .key = "a", .study = "", waits, .spec_bytes = sizeof waits - 1 } });
    say(fd, &(struct message){ .kind = MSG_APPEND, .append = { .request = 6, .array = { 77 } } });
    say(fd, &(struct message){ .kind = MSG_BLOB_WANT, .blob_want = { .blob = 1, .parts = 1 } });
    say(fd, &(struct message){ .kind = MSG_BLOB_WANT, .blob_want = { .blob = 2, .parts = 1 } });
    results(fd);
}

static void idle(const char *where, int n)
{
    struct rlimit limit;
    char byte;

    must(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    must(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    for (int i = 0; i < n; i++) {
        int fd = dial(where);
        if (i % 2) /* half of them begin a handshake */
            put(fd, "\x16\x03\x01\x02", 4);
    }
    printf("open %d\n", n);
    fflush(stdout);
    while (read(0, &byte, 1) > 0)
        ;
}

static void garbage(int fd)
{
    unsigned char bytes[70000];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 2654435761u >> 13);
    put(fd, bytes, sizeof bytes);
}

/* a frame that is well formed and no message */
static void nonsense(int fd)
{
    put(fd, "\x05\0\0\0\xff\xff\xff\xff\xff", 9);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 2 ? argv[1] : "";

    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (strcmp(mode, "idle") == 0) {
        idle(argv[2], argc > 3 ? atoi(argv[3]) : 1);
        return 0;
    }
    int fd = *mode ? dial(argv[2]) : -1;
    if (strcmp(mode, "garbage") == 0) {
        garbage(fd);
    } else if (strcmp(mode, "nonsense") == 0) {
        nonsense(fd);
    } else if (strcmp(mode, "oversized") == 0) {
        put(fd, "\0\0\0\x40", 4);
    } else if (strcmp(mode, "version") == 0) {
        hello(fd, ROLE_WORKER, 99);
    } else if (strcmp(mode, "role") == 0) {
        hello(fd, (enum role)3, WIRE_VERSION);
    } else if (strcmp(mode, "early") == 0) {
        submit(fd);
    } else if (strcmp(mode, "twice") == 0) {
        hello(fd, ROLE_CLIENT, WIRE_VERSION);
        hello(fd, ROLE_WORKER, WIRE_VERSION);
    } else if (strcmp(mode, "worker-submits") == 0) {
        hello(fd, ROLE_WORKER, WIRE_VERSION);
        submit(fd);
    } else if (strcmp(mode, "client-results") == 0) {
        hello(fd, ROLE_CLIENT, WIRE_VERSION);
        results(fd);
    } else if (strcmp(mode, "asks") == 0) {
        asks(fd);
    } else if (strcmp(mode, "looks") == 0) {
        looks(fd);
    } else if (strcmp(mode, "many-looks") == 0) {
        many_looks(fd);
    } else if (strcmp(mode, "worker-invents") == 0) {
        hello(fd, ROLE_WORKER, WIRE_VERSION);
        results(fd);
        say(fd, &(struct message){ .kind = MSG_SHUTDOWN });
    } else if (strcmp(mode, "large-after-hello") == 0) {
        hello(fd, ROLE_CLIENT, WIRE_VERSION);
        put(fd, "\0\0\0\x40", 4);
    } else if (strcmp(mode, "loris") == 0) {
        put(fd, "\x20\0", 2);
    } else {
        fprintf(stderr, "usage: hostile MODE WHERE [N]\n");
        return 2;
    }
    listen_to(fd);
    return 0;
}

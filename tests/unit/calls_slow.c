/* calls_slow: one who collects and does not read, while 100,000 results come: the scheduler keeps
 * little for it, and when it reads it gets all of them, each once. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/must.h"
#include "tests/unit/calls_help.h"

enum { N = 100000, BATCH = 2000, WINDOW = 4 * BATCH, PAYLOAD = 300, KEPT_KIB = 16 << 10 };

static struct stage s;

static struct {
    const char *key;
    array_id array;
    uint64_t sent, appended, seen;
} fast;

static struct {
    int fd;
    unsigned char seen[N];
    uint64_t n_seen, n_messages;
} slow;

static void setup(void)
{
    setenv("GRANGE_COLLECT_BEHIND_BYTES", "262144", 1);
    stage_open(&s);
    unsetenv("GRANGE_COLLECT_BEHIND_BYTES");
}
static void teardown(void)
{
    stage_close(&s);
}
TestSuite(calls_slow, .init = setup, .fini = teardown, .timeout = 300);

/* --- who submits, and reads */

static void collect(void)
{
    struct message m = { .kind = MSG_COLLECT };

    m.collect.request = 2;
    m.collect.array = fast.array;
    m.collect.key = "";
    stage_say(&s.client, &m);
}

static void append_more(void)
{
    static uint32_t sizes[BATCH];
    static char payloads[BATCH * PAYLOAD];
    struct message m = { .kind = MSG_APPEND };

    for (size_t i = 0; i < BATCH; i++)
        sizes[i] = PAYLOAD;
    for (; fast.sent < N && fast.sent - fast.seen < WINDOW; fast.sent += BATCH) {
        m.append.request = 10 + fast.sent;
        m.append.array = fast.array;
        m.append.at = fast.sent;
        m.append.n = BATCH;
        m.append.sizes = sizes;
        m.append.payloads = payloads;
        m.append.payloads_bytes = sizeof payloads;
        stage_say(&s.client, &m);
    }
}

static void on_client(struct stage *stage, const struct message *m)
{
    (void)stage;
    if (m->kind == MSG_WELCOME)
        stage_open_key(&s, fast.key, NULL);
    else if (m->kind == MSG_OPENED) {
        fast.array = m->opened.array;
        collect();
    } else if (m->kind == MSG_ENDS) {
        fast.seen += m->ends.n;
    }
    if (fast.array.n)
        append_more();
}

/* --- who does not read */

static void slow_say(const struct message *m)
{
    struct buf b = { 0 };

    wire_encode(m, &b);
    uint32_t n = (uint32_t)b.n;
    must(write(slow.fd, &n, sizeof n) == sizeof n && write(slow.fd, b.data, b.n) == (ssize_t)b.n);
    buf_fini(&b);
}

static void slow_open(void)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    struct message m = { .kind = MSG_HELLO };

    snprintf(to.sun_path, sizeof to.sun_path, "%s/scheduler.sock", s.dir);
    slow.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(slow.fd >= 0);
    cr_assert_eq(connect(slow.fd, (struct sockaddr *)&to, sizeof to), 0);
    m.hello.role = ROLE_CLIENT;
    m.hello.version = WIRE_VERSION;
    m.hello.program = "slow";
    m.hello.instance = 99;
    m.hello.name = m.hello.host = "slow";
    slow_say(&m);
    m = (struct message){ .kind = MSG_COLLECT };
    m.collect.request = 1;
    m.collect.key = fast.key;
    slow_say(&m);
}

static void read_all(void *to, size_t n)
{
    for (ssize_t k; n; n -= (size_t)k, to = (char *)to + k) {
        k = read(slow.fd, to, n);
        cr_assert_gt(k, 0, "the scheduler gave up who reads slowly");
    }
}

static void slow_read(void)
{
    uint32_t n;
    struct message m;
    struct fault f;

    read_all(&n, sizeof n);
    char *data = malloc(n + 1);
    must(data != NULL && n > 0);
    read_all(data, n);
    cr_assert_eq(wire_decode(data, n, &m, &f), ERR_NONE, "%s", f.text);
    slow.n_messages += m.kind == MSG_ENDS;
    for (size_t i = 0; m.kind == MSG_ENDS && i < m.ends.n; i++) {
        cr_assert_lt(m.ends.ends[i].index, (uint64_t)N);
        cr_assert_eq(slow.seen[m.ends.ends[i].index]++, 0, "an end came twice");
        cr_assert_eq(m.ends.ends[i].result_bytes, PAYLOAD);
        slow.n_seen++;
    }
    message_fini(&m);
    free(data);
}

/* --- */

/* peak_kib - the most memory that the scheduler has had. */
static long peak_kib(void)
{
    char path[40], line[200];
    long kib = 0;

    snprintf(path, sizeof path, "/proc/%d/status", (int)s.scheduler);
    FILE *f = fopen(path, "r");
    must(f != NULL);
    while (fgets(line, sizeof line, f))
        sscanf(line, "VmHWM: %ld", &kib);
    fclose(f);
    return kib;
}

static void run(const char *key)
{
    fast.key = key;
    fast.array.n = 0;
    fast.sent = fast.seen = 0;
    if (s.client.welcome)
        stage_open_key(&s, fast.key, NULL);
    while (fast.seen < N)
        stage_turn(&s);
}

Test(calls_slow, who_does_not_read_costs_little_and_misses_nothing)
{
    memset(&slow, 0, sizeof slow);
    s.on_client = on_client;
    run("alone");
    long alone_kib = peak_kib();
    run("first"); /* it is known by now what passes through */
    fast.key = "b";
    fast.array.n = 0;
    fast.sent = fast.seen = 0;
    stage_open_key(&s, fast.key, NULL);
    while (!fast.array.n)
        stage_turn(&s);
    slow_open();
    while (fast.seen < N)
        stage_turn(&s);
    long both_kib = peak_kib();
#ifndef __SANITIZE_ADDRESS__
    cr_assert_lt(both_kib - alone_kib, (long)KEPT_KIB, "%ld KiB, and %ld before", both_kib,
                 alone_kib);
#endif
    (void)both_kib, (void)alone_kib;
    while (slow.n_seen < N)
        slow_read();
    cr_assert_gt(slow.n_messages, 20);
    close(slow.fd);
}

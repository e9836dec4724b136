/* engine: a real worker with real engines, as docs/engine.md and worker/agent.h promise: calls come
 * back, and what a function does to its engine is nobody else's trouble. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/unit/engine_help.h"

static struct driver *d;

static void begin(const char *const *args)
{
    d = driver_open(GRANGE_PROGRAM, args);
    cr_assert_not_null(d);
}

#define PLUGIN(...)                                                                                \
    begin((const char *const[]){ "--plugin", COLLATZ, "--log-level", "error", "-j", __VA_ARGS__,   \
                                 NULL })
#define PYTHON()                                                                                   \
    begin((const char *const[]){ "--engine", PYTHON_ENGINE, "--log-level", "error", "-j", "1",     \
                                 NULL })

static void end(void)
{
    cr_assert_eq(driver_close(d), 0);
}

/* call - one, and waits for its end. */
static struct driver_end *call(uint32_t array, uint64_t lease, const void *payload, size_t n)
{
    driver_assign(d, array, lease, 1, payload, n);
    cr_assert(driver_until(d, d->leases[lease].ended), "lease %d did not end", (int)lease);
    return &d->leases[lease];
}

static struct driver_end *direct(uint64_t ticket, enum direct_op op, const char *name,
                                 const char *text)
{
    driver_direct(d, ticket, 0, op, name, text, strlen(text));
    cr_assert(driver_until(d, d->tickets[ticket].ended), "ticket %d did not end", (int)ticket);
    return &d->tickets[ticket];
}

#define EXPECT_END(e, reason_, code_)                                                              \
    cr_expect((e)->reason == (reason_) && (e)->code == (code_), "ended with %d %d: %s",            \
              (int)(e)->reason, (e)->code, (e)->error)
#define EXPECT_TEXT(b, text)                                                                       \
    cr_expect((b).n == strlen(text) && memcmp(buf_text(&(b)), (text), (b).n) == 0, "is '%.*s'",    \
              (int)(b).n, buf_text(&(b)))

static struct buf *unpacked(struct buf *b)
{
    return b;
}

Test(engine, hello_names_the_functions)
{
    PLUGIN("2");
    cr_expect_not_null(strstr(buf_text(&d->functions), "collatz\n"));
    cr_expect_not_null(strstr(buf_text(&d->functions), "echo\n"));
    cr_expect(driver_until(d, d->n_engines == 2 && d->engines[0].pid && d->engines[1].pid));
    cr_expect_eq(d->n_hellos, 1);
    end();
}

Test(engine, bytes_in_bytes_out)
{
    uint64_t n = 27, steps;

    PLUGIN("2");
    driver_array(d, 1, "collatz", "");
    driver_array(d, 2, "echo", "");
    struct driver_end *e = call(1, 1, &n, sizeof n);
    EXPECT_END(e, END_EXIT, 0);
    cr_assert_eq(e->result.n, sizeof steps);
    memcpy(&steps, e->result.data, sizeof steps);
    cr_expect_eq(steps, 111);
    e = call(2, 2, "hello", 5);
    EXPECT_TEXT(e->result, "hello");
    e = call(2, 3, "", 0);
    EXPECT_END(e, END_EXIT, 0);
    cr_expect_eq(e->result.n, 0);
    end();
}

Test(engine, failure_has_its_code_and_its_words)
{
    PLUGIN("1");
    driver_array(d, 1, "fail", "");
    struct driver_end *e = call(1, 1, "75", 2);
    EXPECT_END(e, END_EXIT, 75);
    cr_expect_str_eq(e->error, "failed as asked");
    end();
}

Test(engine, a_call_sees_its_seed_and_logs)
{
    char first[200];

    PLUGIN("1");
    driver_array(d, 1, "about", "");
    struct driver_end *e = call(1, 1, "x", 1);
    EXPECT_TEXT(*unpacked(&e->err), "asked about x\n");
    snprintf(first, sizeof first, "%.*s", (int)e->result.n, e->result.data);
    unsigned seed = 0, slot = 9;
    cr_expect_eq(sscanf(first, "seed %u slot %u", &seed, &slot), 2);
    cr_expect(seed >= 1 && slot == 0);
    end();
}

Test(engine, a_code_that_is_none_is_1)
{
    PLUGIN("1");
    EXPECT_END(direct(1, DIRECT_CALL, "misbehave", "code"), END_EXIT, 1);
    end();
}

Test(engine, bytes_in_are_aligned)
{
    PLUGIN("1");
    driver_array(d, 1, "aligned", "");
    for (uint64_t i = 1; i <= 64; i++)
        driver_assign(d, 1, i, 1,
                      "................................................................", i);
    cr_assert(driver_until(d, d->n_ends == 64));
    for (size_t i = 1; i <= 64; i++)
        cr_expect(d->leases[i].result.n == 1 && d->leases[i].result.data[0] == 1, "%zu bytes", i);
    end();
}

Test(engine, many_short_calls_all_come_back)
{
    PLUGIN("2");
    driver_array(d, 1, "echo", "");
    driver_assign(d, 1, 1, 4000, "0123456789", 10);
    cr_expect(driver_until(d, d->n_ends == 4000));
    for (size_t i = 1; i <= 4000; i++)
        cr_assert(d->leases[i].ended && d->leases[i].result.n == 10);
    end();
}

/* It is charged for itself: what the short ones took is nobody's, but for a millisecond. */
Test(engine, call_after_many_short_ones_has_its_own_times)
{
    static char payload[8192];

    PLUGIN("1");
    driver_array(d, 1, "echo", "");
    driver_array(d, 2, "parts", "");
    driver_assign(d, 1, 1, 2000, payload, sizeof payload);
    cr_expect(driver_until(d, d->n_ends == 2000));
    struct driver_end *e = call(2, 3000, "2", 1);
    cr_expect_geq(e->wall_us, 2000);
    cr_expect(e->cpu_us > 0 && e->cpu_us <= e->wall_us + 2000, "%d us in %d us", (int)e->cpu_us,
              (int)e->wall_us);
    cr_expect_gt(e->maxrss_kib, 0);
    end();
}

/* misbehaved - a call that takes its engine down, with short calls before and behind it. */
static struct driver_end *misbehaved(const char *how, const char *more)
{
    driver_array(d, 1, "echo", "");
    driver_array(d, 2, "misbehave", more);
    driver_assign(d, 1, 1, 100, "x", 1);
    driver_assign(d, 2, 200, 1, how, strlen(how));
    driver_assign(d, 2, 201, 20, "nothing", 7);
    driver_assign(d, 1, 300, 100, "x", 1);
    cr_expect(driver_until(d, d->n_ends == 221), "%zu of 221 ended", d->n_ends);
    for (size_t i = 1; i < 400; i++)
        if (d->leases[i].ended && i != 200)
            EXPECT_END(&d->leases[i], END_EXIT, 0);
    cr_expect(driver_until(d, d->engines[0].restarts == 1 && d->engines[0].pid));
    return &d->leases[200];
}

Test(engine, crash_ends_its_call_alone)
{
    PLUGIN("1");
    struct driver_end *e = misbehaved("crash", "");
    EXPECT_END(e, END_SIGNAL, SIGABRT);
    cr_expect_not_null(strstr(d->reasons[0], "killed by SIGABRT in misbehave"), "%s",
                       d->reasons[0]);
    end();
}

Test(engine, exit_ends_its_call_alone)
{
    PLUGIN("1");
    struct driver_end *e = misbehaved("exit", "");
    EXPECT_END(e, END_EXIT, 7);
    end();
}

Test(engine, endless_loop_times_out)
{
    PLUGIN("1");
    driver_array(d, 1, "misbehave", "");
    struct message m = { .kind = MSG_ASSIGN };
    struct grant g = { { 1 }, { (1 << 26) + 1 } };
    uint32_t size = 4;
    m.assign.array.n = 1;
    m.assign.limit_ms = 50;
    m.assign.grants = &g;
    m.assign.n = 1;
    m.assign.sizes = &size;
    m.assign.payloads = "loop";
    m.assign.payloads_bytes = 4;
    driver_send(d, &m);
    cr_assert(driver_until(d, d->leases[1].ended));
    EXPECT_END(&d->leases[1], END_TIMEOUT, 50);
    end();
}

#ifndef __SANITIZE_ADDRESS__ /* there the limit is not set */
Test(engine, memory_has_an_end)
{
    begin((const char *const[]){ "--plugin", COLLATZ, "--log-level", "error", "-j", "1",
                                 "--memory-mib", "64", NULL });
    struct driver_end *e = misbehaved("memory", "");
    EXPECT_END(e, END_SIGNAL, SIGABRT);
    end();
}

Test(engine, each_has_its_part_of_the_memory)
{
    struct rlimit limit;

    begin((const char *const[]){ "--plugin", COLLATZ, "--log-level", "error", "-j", "2",
                                 "--memory-mib", "128", NULL });
    cr_assert(driver_until(d, d->engines[0].pid && d->engines[1].pid));
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(prlimit((pid_t)d->engines[i].pid, RLIMIT_DATA, NULL, &limit), 0);
        cr_expect_eq(limit.rlim_cur, (rlim_t)64 << 20);
    }
    end();
}
#endif

Test(engine, revoked_call_is_asked_first)
{
    PLUGIN("1");
    driver_array(d, 1, "misbehave", "");
    driver_assign(d, 1, 1, 1, "wait", 4);
    driver_assign(d, 1, 2, 1, "nothing", 7);
    driver_revoke(d, 2);
    cr_expect(driver_until(d, d->leases[2].returned == 1));
    driver_revoke(d, 1);
    cr_expect(driver_until(d, d->leases[1].ended));
    EXPECT_END(&d->leases[1], END_REVOKED, 0);
    cr_expect_eq(d->engines[0].restarts, 0);
    end();
}

Test(engine, long_call_lets_go_of_those_behind_it)
{
    PLUGIN("2");
    driver_array(d, 1, "misbehave", "");
    call(1, 1, "nothing", 7); /* so it is known that these are short */
    driver_assign(d, 1, 2, 1, "wait", 4);
    driver_assign(d, 1, 3, 200, "nothing", 7);
    cr_expect(driver_until(d, d->n_ends == 201), "%zu of 201 ended", d->n_ends);
    driver_revoke(d, 2);
    cr_expect(driver_until(d, d->leases[2].ended));
    end();
}

Test(engine, named_values_stay)
{
    double x[3] = { 1, 2, 3 }, y[3];

    PLUGIN("2");
    driver_direct(d, 1, 0, DIRECT_PUT, "x", x, sizeof x);
    driver_direct(d, 2, 0, DIRECT_CALL, "square", "x", 1);
    driver_direct(d, 3, 0, DIRECT_GET, "x^2", NULL, 0);
    driver_direct(d, 4, 1, DIRECT_GET, "x", NULL, 0);
    cr_assert(driver_until(d, d->n_ends == 4));
    EXPECT_END(&d->tickets[1], END_EXIT, 0);
    EXPECT_END(&d->tickets[2], END_EXIT, 0);
    cr_assert_eq(d->tickets[3].result.n, sizeof y);
    memcpy(y, d->tickets[3].result.data, sizeof y);
    cr_expect(y[0] == 1 && y[1] == 4 && y[2] == 9);
    cr_expect_neq(d->tickets[4].code, 0); /* another engine */
    cr_expect_str_eq(d->tickets[4].error, "this engine has no value 'x'");
    EXPECT_END(direct(5, DIRECT_DROP, "x", ""), END_EXIT, 0);
    cr_expect_neq(direct(6, DIRECT_GET, "x", "")->code, 0);
    end();
}

Test(engine, direct_call_of_what_there_is_not)
{
    PLUGIN("1");
    EXPECT_END(direct(1, DIRECT_CALL, "nonsense", ""), END_NOT_STARTED, ERR_NOT_FOUND);
    cr_expect_str_eq(d->tickets[1].error, "the engine has no function 'nonsense'");
    driver_direct(d, 2, 7, DIRECT_CALL, "echo", "", 0);
    cr_expect(driver_until(d, d->tickets[2].ended));
    EXPECT_END(&d->tickets[2], END_NOT_STARTED, ERR_NOT_FOUND);
    end();
}

Test(engine, direct_calls_fail_with_the_fate_of_the_engine)
{
    PLUGIN("1");
    driver_direct(d, 1, 0, DIRECT_CALL, "misbehave", "crash", 5);
    driver_direct(d, 2, 0, DIRECT_CALL, "echo", "x", 1);
    driver_direct(d, 3, 0, DIRECT_CALL, "echo", "x", 1);
    cr_assert(driver_until(d, d->n_ends == 3));
    EXPECT_END(&d->tickets[1], END_SIGNAL, SIGABRT);
    EXPECT_END(&d->tickets[2], END_LOST, 0);
    cr_expect_not_null(strstr(d->tickets[3].error, "killed by SIGABRT"), "%s", d->tickets[3].error);
    cr_assert(driver_until(d, d->engines[0].restarts == 1 && d->engines[0].pid));
    EXPECT_TEXT(direct(4, DIRECT_CALL, "echo", "again")->result, "again");
    end();
}

Test(engine, direct_call_is_cancelled)
{
    PLUGIN("1");
    driver_direct(d, 1, 0, DIRECT_CALL, "misbehave", "wait", 4);
    driver_direct(d, 2, 0, DIRECT_CALL, "echo", "x", 1);
    driver_direct(d, 2, 0, DIRECT_CANCEL, "", NULL, 0);
    driver_direct(d, 1, 0, DIRECT_CANCEL, "", NULL, 0);
    cr_assert(driver_until(d, d->n_ends == 2));
    EXPECT_END(&d->tickets[1], END_REVOKED, 0);
    EXPECT_END(&d->tickets[2], END_REVOKED, 0);
    end();
}

Test(engine, long_payloads_pass)
{
    size_t n = 9 << 20;
    char *big = malloc(n);

    for (size_t i = 0; i < n; i++)
        big[i] = (char)(i * 2654435761u >> 24);
    PLUGIN("1");
    driver_direct_long(d, 1, 0, DIRECT_CALL, "echo", big, n);
    driver_direct_long(d, 2, 0, DIRECT_PUT, "big", big, n);
    driver_direct(d, 3, 0, DIRECT_GET, "big", NULL, 0);
    driver_direct(d, 4, 0, DIRECT_GET, "big", NULL, 0);
    cr_assert(driver_until(d, d->n_ends == 4));
    for (int i = 1; i <= 4; i++)
        EXPECT_END(&d->tickets[i], END_EXIT, 0);
    for (int i = 1; i <= 4; i += i == 1 ? 2 : 1)
        cr_expect(d->tickets[i].result.n == n && memcmp(d->tickets[i].result.data, big, n) == 0);
    free(big);
    end();
}

/* maps - files that the engine maps and that came with a call. */
static unsigned maps(int pid)
{
    char path[64], line[600];
    unsigned n = 0;

    snprintf(path, sizeof path, "/proc/%d/maps", pid);
    FILE *f = fopen(path, "r");
    cr_assert_not_null(f);
    while (fgets(line, sizeof line, f))
        n += strstr(line, "/engines/") && strstr(line, "/in-");
    fclose(f);
    return n;
}

/* The engine goes on with the next call before the worker has looked. */
Test(engine, long_results_of_a_bundle_arrive)
{
    PLUGIN("1");
    driver_array(d, 1, "zeros", "");
    call(1, 1, "100", 3); /* so it is known that these are short */
    driver_assign(d, 1, 2, 50, "300000", 6);
    cr_assert(driver_until(d, d->n_ends == 51), "%zu of 51 ended", d->n_ends);
    for (size_t i = 2; i <= 51; i++)
        EXPECT_END(&d->leases[i], END_EXIT, 0);
    cr_expect_eq(d->engines[0].restarts, 0);
    end();
}

Test(engine, a_long_payload_is_let_go)
{
    static char payload[1 << 20];

    PLUGIN("1");
    driver_direct(d, 100, 0, DIRECT_CALL, "misbehave", "wait", 4);
    for (uint64_t i = 1; i <= 8; i++)
        driver_direct_long(d, i, 0, DIRECT_CALL, "echo", payload, sizeof payload);
    driver_direct(d, 100, 0, DIRECT_CANCEL, "", NULL, 0); /* all of them are behind it */
    cr_assert(driver_until(d, d->n_ends == 9));
    for (uint64_t i = 1; i <= 8; i++)
        EXPECT_END(&d->tickets[i], END_EXIT, 0);
    direct(9, DIRECT_CALL, "turn", ""); /* it is done with those before */
    cr_expect_eq(maps((int)d->engines[0].pid), 0, "%u", maps((int)d->engines[0].pid));
    end();
}

Test(engine, long_payloads_of_queued_calls_pass)
{
    size_t n = 21 << 20;
    char *big = malloc(n);

    for (size_t i = 0; i < n; i++)
        big[i] = (char)(i * 2654435761u >> 24);
    PLUGIN("1");
    driver_array(d, 1, "echo", "");
    d->blob_drop_at = 5 << 20; /* in the middle of the result the connection is lost once */
    driver_assign_long(d, 1, 1, big, n);
    cr_assert(driver_until(d, d->leases[1].ended));
    EXPECT_END(&d->leases[1], END_EXIT, 0);
    cr_expect_eq(d->leases[1].result.n, 0);
    cr_expect(d->blob_data.n == n && memcmp(d->blob_data.data, big, n) == 0);
    cr_expect_eq(d->n_hellos, 2);
    /* All of the result was there, but not its acknowledgement: one part asks, and it goes again.
     */
    d->result_drop = true;
    driver_assign_long(d, 1, 3, big, n);
    cr_assert(driver_until(d, d->leases[3].ended));
    EXPECT_END(&d->leases[3], END_EXIT, 0);
    cr_expect(d->blob_data.n == n && memcmp(d->blob_data.data, big, n) == 0);
    cr_expect_eq(d->n_hellos, 3);
    /* A payload that is not wanted any more goes back. */
    driver_assign_long(d, 1, 2, big, n);
    driver_revoke(d, 2);
    cr_expect(driver_until(d, d->leases[2].returned || d->leases[2].ended));
    free(big);
    end();
}

Test(engine, results_outlive_the_connection)
{
    PLUGIN("1");
    driver_array(d, 1, "echo", "");
    driver_array(d, 2, "misbehave", "");
    driver_assign(d, 2, 1, 1, "wait", 4);
    driver_direct(d, 1, 0, DIRECT_CALL, "echo", "x", 1); /* nobody waits for it afterwards */
    driver_assign(d, 1, 2, 50, "x", 1);
    link_close_peer(d->link, d->peer);
    cr_assert(driver_until(d, d->n_hellos == 2));
    driver_revoke(d, 1);
    cr_expect(driver_until(d, d->n_ends == 51), "%zu of 51 ended", d->n_ends);
    for (size_t i = 2; i < 52; i++)
        EXPECT_END(&d->leases[i], END_EXIT, 0);
    cr_expect_not(d->tickets[1].ended);
    end();
}

Test(engine, another_language)
{
    PYTHON();
    cr_expect_not_null(strstr(buf_text(&d->functions), "upper\n"));
    driver_array(d, 1, "upper", "");
    driver_array(d, 2, "evaluate", "");
    driver_array(d, 3, "die", "");
    EXPECT_TEXT(call(1, 1, "hello", 5)->result, "HELLO");
    EXPECT_TEXT(call(2, 2, "{\"f\":\"pow\",\"args\":[2,10]}", 25)->result, "1024.0");
    EXPECT_TEXT(d->leases[2].err, "evaluating pow\n");
    EXPECT_END(call(2, 3, "nonsense", 8), END_EXIT, 1);
    cr_expect_not_null(strstr(d->leases[3].error, "JSONDecodeError"));
    EXPECT_END(call(3, 4, "", 0), END_EXIT, 3);
    EXPECT_TEXT(call(1, 5, "again", 5)->result, "AGAIN");
    double x[2] = { 1.5, 2.5 }, sum = 0;
    driver_direct(d, 1, 0, DIRECT_PUT, "x", x, sizeof x);
    EXPECT_END(direct(2, DIRECT_CALL, "total", "x"), END_EXIT, 0);
    cr_assert_eq(d->tickets[2].result.n, sizeof sum);
    memcpy(&sum, d->tickets[2].result.data, sizeof sum);
    cr_expect_eq(sum, 4);
    size_t n = 1 << 20;
    char *big = calloc(1, n);
    driver_direct_long(d, 3, 0, DIRECT_CALL, "echo", big, n);
    cr_assert(driver_until(d, d->tickets[3].ended));
    cr_expect_eq(d->tickets[3].result.n, n);
    free(big);
    end();
}

/* It does not read while it works: the grace passes, and it is killed. */
Test(engine, deaf_engine_is_killed_after_the_grace)
{
    PYTHON();
    driver_array(d, 1, "evaluate", "");
    const char *work = "{\"f\":\"factorial\",\"args\":[100000000]}";
    driver_assign(d, 1, 1, 1, work, strlen(work));
    driver_revoke(d, 1);
    cr_assert(driver_until(d, d->leases[1].ended));
    EXPECT_END(&d->leases[1], END_REVOKED, 0);
    cr_expect(driver_until(d, d->engines[0].restarts == 1));
    end();
}

static bool runs(pid_t pid)
{
    char path[64], state = 'X';

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    if (f && fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
        state = 'X';
    if (f)
        fclose(f);
    return state != 'X' && state != 'Z';
}

Test(engine, engines_die_with_their_worker)
{
    PLUGIN("2");
    driver_array(d, 1, "misbehave", "");
    driver_assign(d, 1, 1, 2, "loop", 4);
    cr_assert(driver_until(d, d->n_engines == 2 && d->engines[0].pid && d->engines[1].pid));
    kill(d->pid, SIGKILL);
    cr_expect(driver_until(d, !runs((pid_t)d->engines[0].pid) && !runs((pid_t)d->engines[1].pid)));
    driver_close(d);
}

/* One that takes its time: the worker says hello without its functions, and again with them. */
Test(engine, functions_that_are_known_later_are_told_then)
{
    char dir[] = "/tmp/grange-test-XXXXXX", fifo[64], engine[300];

    cr_assert_not_null(mkdtemp(dir));
    snprintf(fifo, sizeof fifo, "%s/go", dir);
    snprintf(engine, sizeof engine, "read go <%s; %s", fifo, PYTHON_ENGINE);
    cr_assert_eq(mkfifo(fifo, 0600), 0);
    begin((const char *const[]){ "--engine", engine, "--log-level", "quiet", "-j", "1", NULL });
    cr_expect_eq(d->functions.n, 0);
    FILE *go = fopen(fifo, "w");
    cr_assert_not_null(go);
    fputs("go\n", go);
    fclose(go);
    cr_expect(driver_until(d, d->n_hellos == 2));
    cr_expect_not_null(strstr(buf_text(&d->functions), "upper\n"));
    driver_array(d, 1, "upper", "");
    EXPECT_TEXT(call(1, 1, "late", 4)->result, "LATE");
    unlink(fifo);
    rmdir(dir);
    end();
}

/* An engine that says what no engine says is killed, and the reason is told. */
Test(engine, what_is_no_engine_is_killed)
{
    begin((const char *const[]){ "--engine", "echo this is not a protocol >&4; cat <&3 >/dev/null",
                                 "--log-level", "quiet", "-j", "1", NULL });
    cr_assert(driver_until(d, d->n_engines == 1 && d->engines[0].restarts > 0));
    cr_expect_not_null(strstr(d->reasons[0], "it sent"), "%s", d->reasons[0]);
    cr_expect_eq(d->functions.n, 0);
    end();
}

Test(engine, one_that_cannot_start_says_why)
{
    begin((const char *const[]){ "--engine", "echo no such interpreter >&2; exit 9", "--log-level",
                                 "quiet", "-j", "1", NULL });
    cr_assert(driver_until(d, d->n_engines == 1 && d->engines[0].restarts > 0));
    cr_expect_str_eq(d->reasons[0], "exit 9: no such interpreter");
    end();
}

Test(engine, a_call_of_commands_without_its_command_line_cannot_start)
{
    static const char spec[] = "{\"calls\":{\"commands\":true}}";
    struct message m = { .kind = MSG_SPEC };

    PLUGIN("1");
    m.spec.array.n = 1;
    m.spec.first.n = UINT64_C(1) << 26;
    m.spec.spec = spec;
    m.spec.spec_bytes = strlen(spec);
    driver_send(d, &m);
    struct driver_end *e = call(1, 1, NULL, 0);
    cr_expect_eq(e->reason, END_NOT_STARTED);
    cr_expect(strstr(e->error, "a call of an array of commands without one"), "%s", e->error);
    end();
}

Test(engine, a_call_of_a_function_that_no_engine_has_cannot_start)
{
    PLUGIN("1");
    driver_array(d, 1, "nosuch", "");
    struct driver_end *e = call(1, 1, NULL, 0);
    cr_expect_eq(e->reason, END_NOT_STARTED);
    cr_expect(strstr(e->error, "this worker has no function 'nosuch'"), "%s", e->error);
    end();
}

/* calls_halt: how studies of calls go on when another scheduler starts. A halt rule stops a study
 * of calls, and it stays stopped when another scheduler starts, until somebody who may append to it
 * opens it anew; so does one that somebody put on hold. Who only lost the connection does not undo
 * that. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/calls_help.h"

enum { N = 3 };

static struct stage s;
static struct {
    array_id array;
    size_t n_leases;
    lease_id leases[N];
    task_id tasks[N];
    bool looks; /* it opens the key without a spec, as who only wants to know */
    bool again; /* it had the key open before */
    bool more;  /* it appends to what is there */
    unsigned n_progress;
    uint64_t n_done;
    enum study_state state;
} seen;

static void open_key(void)
{
    static const char spec[] = "{\"calls\":{\"function\":\"echo\"},\"halt\":\"soon,fail=1\"}";
    struct message m = { .kind = MSG_OPEN };

    m.open.request = 1;
    m.open.key = "k";
    m.open.study = "s";
    m.open.spec = seen.looks ? "" : spec;
    m.open.spec_bytes = seen.looks ? 0 : strlen(spec);
    m.open.again = seen.again;
    stage_say(&s.client, &m);
}

static void append(uint64_t at)
{
    static const uint32_t sizes[N] = { 0 };
    struct message m = { .kind = MSG_APPEND };

    m.append.request = 2;
    m.append.array = seen.array;
    m.append.at = at;
    m.append.n = N;
    m.append.sizes = sizes;
    stage_say(&s.client, &m);
}

static void follow(void)
{
    struct message m = { .kind = MSG_FOLLOW };

    m.follow.request = 3;
    m.follow.study = "s";
    stage_say(&s.client, &m);
}

static void on_client(struct stage *stage, const struct message *m)
{
    (void)stage;
    if (m->kind == MSG_WELCOME) {
        open_key();
    } else if (m->kind == MSG_OPENED) {
        seen.array = m->opened.array;
        if (!m->opened.n || seen.more)
            append(m->opened.n);
        follow();
    } else if (m->kind == MSG_PROGRESS) {
        seen.n_progress++;
        seen.state = m->progress.state;
        seen.n_done = m->progress.counts.done;
    }
}

static void on_worker(struct stage *stage, const struct message *m)
{
    (void)stage;
    for (size_t i = 0; m->kind == MSG_ASSIGN && i < m->assign.n; i++) {
        cr_assert_lt(seen.n_leases, (size_t)N, "calls of a halted study were given out again");
        seen.leases[seen.n_leases] = m->assign.grants[i].lease;
        seen.tasks[seen.n_leases++] = m->assign.grants[i].task;
    }
}

static void first_one_fails(void)
{
    struct end_row row = { .task = seen.tasks[0],
                           .lease = seen.leases[0],
                           .state = TASK_FAILED,
                           .reason = END_EXIT,
                           .code = 1,
                           .started_ms = 1700000000000,
                           .ended_ms = 1700000000001 };

    stage_say(&s.worker, &(struct message){ .kind = MSG_RESULTS, .results = { &row, 1 } });
}

static void next_scheduler(void)
{
    stage_kill(&s);
    seen.n_progress = 0;
    stage_start(&s);
    while (!seen.n_progress)
        stage_turn(&s);
}

/* begin - all calls are given out, and do not end by themselves. */
static void begin(void)
{
    stage_open(&s);
    s.hold_back = true;
    s.on_client = on_client;
    s.on_worker = on_worker;
    while (seen.n_leases < N)
        stage_turn(&s);
}

Test(calls_halt, outlives_the_scheduler, .timeout = 300)
{
    begin();
    first_one_fails();
    while (seen.state != STUDY_HALTED)
        stage_turn(&s);
    seen.looks = true;
    next_scheduler();
    cr_expect_eq(seen.state, STUDY_HALTED, "it is %d", (int)seen.state);
    seen.looks = false;
    seen.again = true;
    next_scheduler();
    cr_expect_eq(seen.state, STUDY_HALTED, "it is %d", (int)seen.state);
    stage_close(&s);
}

Test(calls_halt, a_hold_outlives_the_connection, .timeout = 300)
{
    struct message hold = { .kind = MSG_HOLD, .hold = { .request = 4, .study = "s", .now = true } };

    begin();
    stage_say(&s.client, &hold);
    while (seen.state != STUDY_HELD)
        stage_turn(&s);
    seen.again = true;
    next_scheduler();
    cr_expect_eq(seen.state, STUDY_HELD, "it is %d", (int)seen.state);
    seen.again = false; /* a program that is started anew wants it to go on */
    seen.n_leases = 0;
    next_scheduler();
    cr_expect_eq(seen.state, STUDY_ACTIVE, "it is %d", (int)seen.state);
    while (seen.n_leases < N)
        stage_turn(&s);
    stage_close(&s);
}

/* What nobody held goes on for who had it open: also where a start holds all until it is asked for,
 * and where all has ended so far. */
Test(calls_halt, who_had_it_open_goes_on, .timeout = 300)
{
    begin();
    s.of_run = true;
    seen.again = true;
    seen.n_leases = 0;
    next_scheduler();
    cr_expect_eq(seen.state, STUDY_ACTIVE, "it is %d", (int)seen.state);
    stage_close(&s);
}

Test(calls_halt, more_of_what_has_ended, .timeout = 20)
{
    stage_open(&s);
    s.on_client = on_client;
    s.on_worker = on_worker;
    while (seen.n_done < N)
        stage_turn(&s);
    seen.again = seen.more = true;
    seen.n_leases = 0;
    next_scheduler();
    while (seen.n_leases < N)
        stage_turn(&s);
    stage_close(&s);
}

/* --- a study that goes on, of which an older one was loaded that waits for it --- */

static unsigned n_appended;

static void open_in(const char *study, const char *key, const char *spec)
{
    struct message m = { .kind = MSG_OPEN };

    m.open.request = 1;
    m.open.key = key;
    m.open.study = study;
    m.open.spec = spec;
    m.open.spec_bytes = strlen(spec);
    stage_say(&s.client, &m);
}

static void on_client_of_two(struct stage *stage, const struct message *m)
{
    static const char spec[] = "{\"calls\":{\"function\":\"echo\"}}",
                      waits_b[] = "{\"calls\":{\"function\":\"echo\"},\"after\":[{\"key\":\"b\"}]}",
                      waits_d[] = "{\"calls\":{\"function\":\"echo\"},\"after\":[{\"key\":\"d\"}]}";

    (void)stage;
    if (m->kind == MSG_WELCOME && seen.looks) {
        follow();
    } else if (m->kind == MSG_WELCOME) {
        open_in("older", "a", spec);
        open_in("s", "b", spec);
        open_in("older", "c", waits_b);
        open_in("older", "d", spec);
        open_in("s", "e", waits_d); /* so each of the two waits for the other */
    } else if (m->kind == MSG_OPENED) {
        seen.array = m->opened.array;
        append(0);
    } else if (m->kind == MSG_APPENDED) {
        n_appended++;
    } else if (m->kind == MSG_PROGRESS) {
        seen.n_progress++;
        seen.state = m->progress.state;
    }
}

Test(calls_halt, what_an_older_study_waits_for_goes_on, .timeout = 300)
{
    stage_open(&s);
    s.hold_back = true;
    s.on_client = on_client_of_two;
    while (n_appended < 5)
        stage_turn(&s);
    stage_kill(&s);
    seen.looks = true;
    stage_start(&s);
    while (!seen.n_progress)
        stage_turn(&s);
    cr_expect_eq(seen.state, STUDY_ACTIVE, "it is %d", (int)seen.state);
    stage_close(&s);
}

/* calls_shares: how far running calls are, through a real scheduler: from a worker that says it far
 * too often to clients that want to know. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/clock.h"
#include "base/must.h"
#include "tests/unit/calls_help.h"

static struct stage s;

static struct {
    array_id array;
    lease_id leases[4]; /* of calls 0 and 1, and those of another array */
    task_id tasks[4];
    size_t n_leases;
    bool shares; /* it asks for them */
    uint64_t only;
    size_t n_only;
    size_t n_messages; /* with shares */
    double share[2];   /* what it heard last; -1: nothing */
    char text[SHARE_TEXT_MAX + 1];
    size_t n_replies, n_ended;
    double running[4]; /* shares of what runs, as who follows the study hears */
    size_t n_running;
} seen;

static void setup(void)
{
    memset(&seen, 0, sizeof seen);
    seen.share[0] = seen.share[1] = -1;
    stage_open(&s);
}
static void teardown(void)
{
    stage_close(&s);
}
TestSuite(calls_shares, .init = setup, .fini = teardown, .timeout = 300);

static void collect(void)
{
    struct message m = { .kind = MSG_COLLECT };

    m.collect.request = 2;
    m.collect.array = seen.array;
    m.collect.key = "";
    m.collect.shares = seen.shares;
    m.collect.index = &seen.only;
    m.collect.n = seen.n_only;
    stage_say(&s.client, &m);
}

static void append_two(void)
{
    static const uint32_t sizes[2];
    struct message m = { .kind = MSG_APPEND };

    m.append.request = 3;
    m.append.array = seen.array;
    m.append.n = 2;
    m.append.sizes = sizes;
    stage_say(&s.client, &m);
}

static void on_client(struct stage *stage, const struct message *m)
{
    (void)stage;
    if (m->kind == MSG_WELCOME)
        stage_open_key(&s, "k", NULL);
    else if (m->kind == MSG_REPLY)
        seen.n_replies++;
    else if (m->kind == MSG_OPENED) {
        seen.array = m->opened.array;
        collect();
        append_two();
    } else if (m->kind == MSG_ENDS) {
        seen.n_ended += m->ends.n;
        seen.n_messages += m->ends.n_shares > 0;
        for (size_t i = 0; i < m->ends.n_shares; i++) {
            cr_assert_lt(m->ends.shares[i].id, 2u);
            seen.share[m->ends.shares[i].id] = m->ends.shares[i].share;
            strcpy(seen.text, m->ends.shares[i].text);
        }
    } else if (m->kind == MSG_PROGRESS) {
        seen.n_running = m->progress.n_running;
        for (size_t i = 0; i < seen.n_running; i++) {
            cr_assert_lt(m->progress.running[i].index, 2u);
            seen.running[i] = m->progress.running[i].share;
        }
    }
}

static void on_worker(struct stage *stage, const struct message *m)
{
    (void)stage;
    for (size_t i = 0; m->kind == MSG_ASSIGN && i < m->assign.n; i++) {
        seen.tasks[seen.n_leases] = m->assign.grants[i].task;
        seen.leases[seen.n_leases++] = m->assign.grants[i].lease;
    }
}

/* say - both calls are so far; NULL: of a lease that nobody has too. */
static void say(double first, double second, const char *text)
{
    struct call_share shares[] = { { seen.leases[0].n, first, text },
                                   { seen.leases[1].n, second, text },
                                   { UINT32_MAX, 0.5, "" } };
    struct message m = { .kind = MSG_BEAT };

    m.beat.shares = shares;
    m.beat.n_shares = 3;
    stage_say(&s.worker, &m);
    link_flush(s.worker.link);
}

static void both_run(void)
{
    s.on_client = on_client;
    s.on_worker = on_worker;
    s.hold_back = true;
    while (seen.n_leases < 2 || !seen.n_replies)
        stage_turn(&s);
}

Test(calls_shares, what_is_said_often_is_told_seldom_and_the_last_of_it_always)
{
    enum { TIMES = 3000 };

    seen.shares = true;
    both_run();
    ms_t from_ms = clock_mono_ms();
    for (int i = 1; i <= TIMES; i++)
        say((double)i / TIMES, 0.5, "part");
    while (seen.share[0] < 1)
        stage_turn(&s);
    ms_t took_ms = clock_mono_ms() - from_ms;
    cr_assert_eq(seen.share[1], 0.5);
    cr_assert_str_eq(seen.text, "part");
    cr_assert_leq(seen.n_messages, (size_t)(took_ms / PROGRESS_MS + 2), "%zu in %lld ms",
                  seen.n_messages, (long long)took_ms);
}

Test(calls_shares, who_did_not_ask_hears_nothing_and_who_asks_late_hears_the_last)
{
    both_run();
    say(0.25, 0.75, "late");
    seen.only = 1;
    seen.n_only = 1;
    seen.shares = true;
    collect();
    while (seen.share[1] < 0) {
        stage_turn(&s);
        say(0.25, 0.75, "late"); /* it may have been asked first */
    }
    cr_assert_eq(seen.share[1], 0.75);
    cr_assert_lt(seen.share[0], 0); /* it asked for call 1 alone */
    cr_assert_eq(seen.n_messages, 1);
}

/* A result ends what was said: who asks after it hears nothing of that call. */
Test(calls_shares, what_was_said_is_gone_with_the_end)
{
    struct end_row row = { .reason = END_EXIT };
    struct message m = { .kind = MSG_RESULTS };

    seen.shares = true;
    both_run();
    say(0.25, 0.5, "");
    while (seen.share[1] < 0)
        stage_turn(&s);
    row.lease = seen.leases[0];
    row.task = (task_id){ 0 };
    m.results.rows = &row;
    m.results.n = 1;
    row.task.n = 1; /* the lease says which */
    stage_say(&s.worker, &m);
    while (!seen.n_ended)
        stage_turn(&s);
    seen.share[0] = seen.share[1] = -1;
    collect();
    while (seen.share[1] < 0)
        stage_turn(&s);
    cr_assert_lt(seen.share[0], 0);
}

/* Two arrays of one study: what runs is told by its index in its own. */
Test(calls_shares, who_follows_the_study_sees_it_too)
{
    struct held_lease held[4];
    struct message m = { .kind = MSG_FOLLOW };

    both_run();
    stage_open_key(&s, "k2", NULL);
    while (seen.n_leases < 4)
        stage_turn(&s);
    m.follow.request = 9;
    m.follow.study = "s";
    stage_say(&s.client, &m);
    say(0.25, 0.5, "");
    for (size_t i = 0; i < 4; i++)
        held[i] = (struct held_lease){ seen.leases[i], seen.tasks[i], HOLD_RUNNING,
                                       4000 - 1000 * (ms_t)i };
    m = (struct message){ .kind = MSG_BEAT };
    m.beat.held = held;
    m.beat.n_held = 4;
    stage_say(&s.worker, &m);
    while (seen.n_running < 4 || seen.running[0] == 0)
        stage_turn(&s);
    cr_assert(seen.running[0] == 0.25 && seen.running[1] == 0.5);
    cr_assert(seen.running[2] == 0 && seen.running[3] == 0);
}

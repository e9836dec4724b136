/* agent: every rule of worker/agent.h, with events in and acts out as one readable line. */
#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "worker/agent.h"

static struct agent *agent;
static struct acts acts;
static struct agent_config cfg;
static char trace[65536];

static void make(uint32_t slots)
{
    agent_config_default(&cfg);
    cfg.slots = slots;
    agent = agent_new(&cfg);
    acts_init(&acts);
}

static void finish(void)
{
    agent_free(agent);
    acts_fini(&acts);
}

/* step - the acts as text: "spawn 1, result 2, hello". */
static const char *step(ms_t now, struct agent_event ev)
{
    static const char *const names[] = {
        [ACT_HELLO] = "hello",       [ACT_BEAT] = "beat",     [ACT_SPAWN] = "spawn",
        [ACT_TERM] = "term",         [ACT_KILL] = "kill",     [ACT_RESULT] = "result",
        [ACT_RETURN] = "return",     [ACT_FORGET] = "forget", [ACT_DROP] = "drop",
        [ACT_DRAINING] = "draining", [ACT_BYE] = "bye",       [ACT_HANG_UP] = "hang-up",
        [ACT_EXIT] = "exit",
    };
    static const char *const why[] = { "", " timeout", " revoked" };
    size_t n = 0;

    acts.n = 0;
    agent_step(agent, now, &ev, &acts);
    agent_check(agent);
    trace[0] = '\0';
    for (size_t i = 0; i < acts.n; i++) {
        const struct act *a = &acts.items[i];
        n += (size_t)snprintf(trace + n, sizeof trace - n, "%s%s", n ? ", " : "", names[a->kind]);
        if (a->lease.n)
            n += (size_t)snprintf(trace + n, sizeof trace - n, " %d%s", (int)a->lease.n,
                                  a->kind == ACT_TERM || a->kind == ACT_DROP ? why[a->why] : "");
    }
    return trace;
}

#define EXPECT(expected, now, ...)                                                                 \
    cr_expect_str_eq(step((now), (struct agent_event){ __VA_ARGS__ }), (expected), "%s: got '%s'", \
                     #__VA_ARGS__, trace)
#define ASSIGN(n, ...)                                                                             \
    .kind = AGENT_ASSIGN, .lease = { n }, .task = { 100 + n }, .array = { 7 }, __VA_ARGS__
#define ON(event, n) .kind = AGENT_##event, .lease = { n }

static void connect_at(ms_t now)
{
    EXPECT("hello", now, .kind = AGENT_UP);
    EXPECT("", now, .kind = AGENT_WELCOME);
}

/* run_one - assigned, started and ended at `now`; its result is sent. */
static void run_one(ms_t now, uint64_t n)
{
    step(now, (struct agent_event){ ASSIGN(n) });
    step(now, (struct agent_event){ ON(STARTED, n) });
    step(now, (struct agent_event){ ON(EXITED, n) });
}

static enum agent_lease_state state_of(uint64_t n, ms_t now)
{
    struct agent_held held[64];
    size_t have = agent_held(agent, now, held, 64);

    for (size_t i = 0; i < have; i++)
        if (held[i].lease.n == n)
            return held[i].state;
    return (enum agent_lease_state) - 1;
}

Test(agent, a_lease_runs_is_reported_and_forgotten_once_acknowledged, .fini = finish)
{
    make(2);
    connect_at(0);
    EXPECT("spawn 1", 1, ASSIGN(1));
    EXPECT("", 1, ON(STARTED, 1));
    EXPECT("result 1", 5, ON(EXITED, 1));
    cr_expect_eq(state_of(1, 5), LEASE_FINISHED);
    EXPECT("forget 1", 6, ON(ACK, 1));
    cr_expect_eq(agent_held(agent, 6, NULL, 0), 0);
}

Test(agent, queued_leases_start_in_order_as_cores_become_free, .fini = finish)
{
    make(2);
    connect_at(0);
    for (uint64_t n = 1; n <= 4; n++)
        step(0, (struct agent_event){ ASSIGN(n) });
    cr_expect_eq(state_of(2, 0), LEASE_STARTING);
    cr_expect_eq(state_of(3, 0), LEASE_QUEUED);
    cr_expect_eq(agent_slots_busy(agent), 2);
    step(0, (struct agent_event){ ON(STARTED, 1) });
    step(0, (struct agent_event){ ON(STARTED, 2) });
    EXPECT("spawn 3", 1, ON(EXITED, 2));
    EXPECT("spawn 4, result 2, result 1", 2, ON(EXITED, 1));
}

Test(agent, a_wide_lease_waits_at_the_head_and_is_not_overtaken, .fini = finish)
{
    make(4);
    connect_at(0);
    EXPECT("spawn 1", 0, ASSIGN(1, .cores = 2));
    EXPECT("", 0, ASSIGN(2, .cores = 4));
    EXPECT("", 0, ASSIGN(3, .cores = 1));
    EXPECT("", 0, ON(STARTED, 1));
    EXPECT("spawn 2", 1, ON(EXITED, 1));
    EXPECT("", 1, ON(STARTED, 2));
    EXPECT("spawn 3, result 1, result 2", 2, ON(EXITED, 2));
}

Test(agent, memory_is_counted_like_cores, .fini = finish)
{
    make(4);
    connect_at(0);
    EXPECT("spawn 1", 0, ASSIGN(1, .memory_mib = 600));
    EXPECT("", 0, ASSIGN(2, .memory_mib = 600));
    EXPECT("spawn 2, result 1", 1, ON(EXITED, 1));
}

Test(agent, what_asks_for_more_than_there_is_runs_alone, .fini = finish)
{
    make(2);
    connect_at(0);
    EXPECT("spawn 1", 0, ASSIGN(1, .cores = 99, .memory_mib = 1 << 30));
    EXPECT("", 0, ASSIGN(2));
    EXPECT("spawn 2, result 1", 1, ON(EXITED, 1));
}

Test(agent, a_lease_assigned_twice_runs_once, .fini = finish)
{
    make(2);
    connect_at(0);
    EXPECT("spawn 1", 0, ASSIGN(1));
    EXPECT("", 0, ASSIGN(1));
    EXPECT("result 1", 1, ON(EXITED, 1));
    EXPECT("", 1, ASSIGN(1));
}

Test(agent, revoking_a_queued_lease_gives_it_back, .fini = finish)
{
    make(1);
    connect_at(0);
    step(0, (struct agent_event){ ASSIGN(1) });
    step(0, (struct agent_event){ ASSIGN(2) });
    EXPECT("return 2", 1, ON(REVOKE, 2));
    EXPECT("return 9", 1, ON(REVOKE, 9)); /* one it never heard of */
}

Test(agent, revoking_a_running_lease_terminates_then_kills_it, .fini = finish)
{
    make(1);
    connect_at(0);
    step(0, (struct agent_event){ ASSIGN(1, .grace_ms = 300) });
    step(0, (struct agent_event){ ON(STARTED, 1) });
    EXPECT("term 1 revoked", 100, ON(REVOKE, 1));
    EXPECT("", 101, ON(REVOKE, 1));
    cr_expect_eq(agent_deadline(agent), 400);
    EXPECT("", 399, .kind = AGENT_TIMEOUT);
    EXPECT("kill 1", 400, .kind = AGENT_TIMEOUT);
    EXPECT("", 450, .kind = AGENT_TIMEOUT);
    EXPECT("result 1", 500, ON(EXITED, 1));
    EXPECT("drop 1 revoked", 501, ON(ACK, 1));
}

Test(agent, revoking_a_lease_whose_process_does_not_run_yet_waits_for_it, .fini = finish)
{
    make(2);
    connect_at(0);
    step(0, (struct agent_event){ ASSIGN(1) });
    EXPECT("", 0, ON(REVOKE, 1));
    EXPECT("term 1 revoked", 1, ON(STARTED, 1));
    step(1, (struct agent_event){ ASSIGN(2) });
    EXPECT("", 1, ON(REVOKE, 2));
    EXPECT("result 2", 2, ON(EXITED, 2));
    EXPECT("drop 2", 3, ON(ACK, 2)); /* ended by itself */
}

Test(agent, revoking_a_finished_lease_changes_nothing_but_its_directory, .fini = finish)
{
    make(1);
    connect_at(0);
    run_one(1, 1);
    EXPECT("", 2, ON(REVOKE, 1));
    EXPECT("drop 1", 3, ON(ACK, 1));
}

Test(agent, a_time_limit_counts_from_the_start_of_the_process, .fini = finish)
{
    make(1);
    connect_at(0);
    step(0, (struct agent_event){ ASSIGN(1, .limit_ms = 500, .grace_ms = 100) });
    EXPECT("", 200, ON(STARTED, 1));
    cr_expect_eq(agent_deadline(agent), 700);
    EXPECT("term 1 timeout", 700, .kind = AGENT_TIMEOUT);
    cr_expect_eq(acts.items[0].limit_ms, 500);
    EXPECT("", 750, ON(REVOKE, 1)); /* it stays a timeout */
    EXPECT("kill 1", 800, .kind = AGENT_TIMEOUT);
    EXPECT("result 1", 810, ON(EXITED, 1));
    EXPECT("forget 1", 820, ON(ACK, 1));
}

Test(agent, a_new_limit_counts_for_what_runs_and_what_waits, .fini = finish)
{
    make(1);
    connect_at(0);
    step(0, (struct agent_event){ ASSIGN(1, .limit_ms = 900) });
    step(0, (struct agent_event){ ASSIGN(2) });
    step(0, (struct agent_event){ ON(STARTED, 1) });
    EXPECT("", 10, .kind = AGENT_LIMIT, .array = { 8 }, .limit_ms = 1);
    EXPECT("", 10, .kind = AGENT_LIMIT, .array = { 7 }, .limit_ms = 50);
    EXPECT("term 1 timeout", 50, .kind = AGENT_TIMEOUT);
    EXPECT("spawn 2, result 1", 51, ON(EXITED, 1));
    step(60, (struct agent_event){ ON(STARTED, 2) });
    EXPECT("term 2 timeout", 110, .kind = AGENT_TIMEOUT);
    step(111, (struct agent_event){ ON(EXITED, 2) });
    step(112, (struct agent_event){ ASSIGN(3, .limit_ms = 20) });
    step(112, (struct agent_event){ ON(STARTED, 3) });
    EXPECT("", 113, .kind = AGENT_LIMIT, .array = { 7 }, .limit_ms = 0); /* none any more */
    EXPECT("", 400, .kind = AGENT_TIMEOUT);
}

Test(agent, absurd_limits_are_cut, .fini = finish)
{
    make(2);
    connect_at(0);
    step(0, (struct agent_event){ ASSIGN(1, .limit_ms = INT64_MAX, .grace_ms = INT64_MAX) });
    EXPECT("", 100, ON(STARTED, 1));
    EXPECT("term 1 revoked", 100, ON(REVOKE, 1));
    EXPECT("spawn 2", 100, ASSIGN(2, .limit_ms = -5));
    EXPECT("", 100, ON(STARTED, 2));
}

Test(agent, results_wait_for_company_while_there_is_work, .fini = finish)
{
    make(1);
    connect_at(0);
    for (uint64_t n = 1; n <= 200; n++)
        step(0, (struct agent_event){ ASSIGN(n) });
    EXPECT("spawn 2", 1, ON(EXITED, 1));
    EXPECT("spawn 3", 2, ON(EXITED, 2));
    cr_expect_eq(agent_deadline(agent), 21);
    EXPECT("result 1, result 2", 21, .kind = AGENT_TIMEOUT);
    for (uint64_t n = 3; n < 66; n++)
        step(21, (struct agent_event){ ON(EXITED, n) });
    cr_expect_eq(acts.n, 1);
    step(21, (struct agent_event){ ON(EXITED, 66) }); /* the 64th */
    cr_expect_eq(acts.n, 65);
}

Test(agent, nothing_but_hello_is_sent_before_the_welcome, .fini = finish)
{
    make(1);
    connect_at(0);
    run_one(1, 1);
    step(1, (struct agent_event){ ASSIGN(2) });
    EXPECT("", 2, .kind = AGENT_GONE);
    EXPECT("", 3, ON(EXITED, 2));
    EXPECT("hello", 4, .kind = AGENT_UP);
    EXPECT("", 2000, .kind = AGENT_TIMEOUT);
    EXPECT("result 1, result 2", 2001, .kind = AGENT_WELCOME);
    EXPECT("", 2002, .kind = AGENT_WELCOME);
    EXPECT("forget 1", 2003, ON(ACK, 1));
    EXPECT("", 2003, ON(ACK, 1));
    EXPECT("forget 2", 2003, ON(ACK, 2));
}

Test(agent, work_goes_on_without_a_connection, .fini = finish)
{
    make(1);
    connect_at(0);
    step(0, (struct agent_event){ ASSIGN(1) });
    step(0, (struct agent_event){ ASSIGN(2) });
    EXPECT("", 1, .kind = AGENT_GONE);
    EXPECT("spawn 2", 2, ON(EXITED, 1));
    cr_expect_eq(state_of(1, 2), LEASE_FINISHED);
    cr_expect_eq(state_of(2, 2), LEASE_STARTING);
}

Test(agent, beats_are_sent_and_a_silent_scheduler_is_left, .fini = finish)
{
    make(1);
    connect_at(0);
    EXPECT("beat", 1000, .kind = AGENT_TIMEOUT);
    EXPECT("", 1500, .kind = AGENT_HEARD);
    EXPECT("beat", 2000, .kind = AGENT_TIMEOUT);
    EXPECT("", 2001, .kind = AGENT_TIMEOUT);
    EXPECT("hang-up", 6500, .kind = AGENT_TIMEOUT);
    EXPECT("", 6600, .kind = AGENT_TIMEOUT);
    EXPECT("", 6700, .kind = AGENT_GONE);
    EXPECT("hello", 6800, .kind = AGENT_UP);
}

Test(agent, recall_gives_back_the_last_that_came, .fini = finish)
{
    make(1);
    connect_at(0);
    for (uint64_t n = 1; n <= 4; n++)
        step(0, (struct agent_event){ ASSIGN(n) });
    EXPECT("return 4, return 3", 1, .kind = AGENT_RECALL, .n = 2);
    EXPECT("return 2", 1, .kind = AGENT_RECALL, .n = 99);
    cr_expect_eq(state_of(1, 1), LEASE_STARTING);
}

Test(agent, drain_stops_what_runs_gives_back_the_queue_and_ends, .fini = finish)
{
    make(1);
    connect_at(0);
    step(0, (struct agent_event){ ASSIGN(1, .grace_ms = 60000) });
    step(0, (struct agent_event){ ASSIGN(2) });
    step(0, (struct agent_event){ ON(STARTED, 1) });
    EXPECT("draining, return 2, term 1 revoked", 10, .kind = AGENT_DRAIN);
    EXPECT("", 11, .kind = AGENT_DRAIN);
    EXPECT("return 3", 11, ASSIGN(3));
    EXPECT("beat, kill 1", 2010, .kind = AGENT_TIMEOUT); /* not after a minute */
    EXPECT("result 1", 2020, ON(EXITED, 1));
    EXPECT("drop 1 revoked, bye, exit", 2030, ON(ACK, 1));
    cr_expect_eq(agent_deadline(agent), MS_NEVER);
    EXPECT("", 9999, .kind = AGENT_TIMEOUT);
}

Test(agent, drain_ends_after_three_seconds_whatever_is_left, .fini = finish)
{
    make(1);
    connect_at(0);
    run_one(1, 1);
    EXPECT("draining", 10, .kind = AGENT_DRAIN);
    EXPECT("beat, bye, exit", 3010, .kind = AGENT_TIMEOUT);
}

Test(agent, drain_with_a_grace_lets_the_running_ones_finish, .fini = finish)
{
    make(2);
    connect_at(0);
    for (uint64_t n = 1; n <= 3; n++)
        step(0, (struct agent_event){ ASSIGN(n) });
    step(0, (struct agent_event){ ON(STARTED, 1) });
    step(0, (struct agent_event){ ON(STARTED, 2) });
    EXPECT("draining, return 3", 10, .kind = AGENT_DRAIN, .grace_ms = 500);
    cr_expect_eq(agent_deadline(agent), 510);
    EXPECT("return 4", 20, ASSIGN(4));
    EXPECT("result 1", 100, ON(EXITED, 1));
    EXPECT("forget 1", 110, ON(ACK, 1));
    EXPECT("term 2 revoked", 510, .kind = AGENT_TIMEOUT);
    EXPECT("result 2", 520, ON(EXITED, 2));
    EXPECT("drop 2 revoked, bye, exit", 530, ON(ACK, 2));
}

Test(agent, a_second_drain_may_only_be_shorter, .fini = finish)
{
    make(1);
    connect_at(0);
    step(0, (struct agent_event){ ASSIGN(1) });
    step(0, (struct agent_event){ ON(STARTED, 1) });
    EXPECT("draining", 10, .kind = AGENT_DRAIN, .grace_ms = 500);
    EXPECT("", 20, .kind = AGENT_DRAIN, .grace_ms = 60000);
    EXPECT("term 1 revoked", 30, .kind = AGENT_DRAIN);
    EXPECT("result 1", 40, ON(EXITED, 1));
    EXPECT("drop 1 revoked, bye, exit", 50, ON(ACK, 1));
}

Test(agent, a_draining_worker_waits_for_its_scheduler_within_the_grace, .fini = finish)
{
    make(1);
    connect_at(0);
    step(0, (struct agent_event){ ASSIGN(1) });
    step(0, (struct agent_event){ ON(STARTED, 1) });
    EXPECT("draining", 10, .kind = AGENT_DRAIN, .grace_ms = 900);
    EXPECT("", 20, .kind = AGENT_GONE);
    EXPECT("", 30, ON(EXITED, 1));
    EXPECT("hello", 40, .kind = AGENT_UP);
    EXPECT("draining, result 1", 50, .kind = AGENT_WELCOME);
    EXPECT("", 60, .kind = AGENT_GONE);
    EXPECT("exit", 910, .kind = AGENT_TIMEOUT);
}

Test(agent, an_idle_worker_drains_at_once, .fini = finish)
{
    make(1);
    connect_at(0);
    EXPECT("draining, bye, exit", 1, .kind = AGENT_DRAIN);
}

Test(agent, without_a_scheduler_for_too_long_it_stops_its_points_and_ends, .fini = finish)
{
    make(1);
    connect_at(0);
    step(0, (struct agent_event){ ASSIGN(1) });
    step(0, (struct agent_event){ ASSIGN(2) });
    step(0, (struct agent_event){ ON(STARTED, 1) });
    EXPECT("", 1000, .kind = AGENT_GONE);
    cr_expect_eq(agent_deadline(agent), 1000 + cfg.orphan_after_ms);
    EXPECT("hello", 2000, .kind = AGENT_UP); /* a connection without a welcome is none */
    EXPECT("", 2001, .kind = AGENT_GONE);
    EXPECT("term 1 revoked", 1000 + cfg.orphan_after_ms, .kind = AGENT_TIMEOUT);
    EXPECT("exit", 1100 + cfg.orphan_after_ms, ON(EXITED, 1));
}

Test(agent, more_than_the_queue_holds_is_given_back, .fini = finish)
{
    make(2);
    connect_at(0);
    for (uint64_t n = 1; n <= 2 + GRANTS_MAX + 2; n++)
        step(0, (struct agent_event){ ASSIGN(n) });
    cr_expect_eq(acts.n, 0);
    EXPECT("return 9999", 0, ASSIGN(9999));
    EXPECT("return 4100", 0, .kind = AGENT_RECALL, .n = 1);
    EXPECT("", 0, ASSIGN(9999));
}

Test(agent, held_leases_are_told_in_order_of_arrival, .fini = finish)
{
    struct agent_held held[3];

    make(1);
    connect_at(0);
    run_one(0, 5);
    step(10, (struct agent_event){ ASSIGN(3, .limit_ms = 70) });
    step(10, (struct agent_event){ ON(STARTED, 3) });
    step(10, (struct agent_event){ ASSIGN(4) });
    cr_assert_eq(agent_held(agent, 30, held, 3), 3);
    cr_expect(held[0].lease.n == 5 && held[0].state == LEASE_FINISHED);
    cr_expect(held[1].lease.n == 3 && held[1].state == LEASE_RUNNING && held[1].elapsed_ms == 20);
    cr_expect(held[1].task.n == 103 && held[1].array.n == 7 && held[1].limit_ms == 70);
    cr_expect(held[2].lease.n == 4 && held[2].state == LEASE_QUEUED);
    cr_expect_eq(agent_held(agent, 30, held, 1), 3);
}

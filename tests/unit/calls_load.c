/* calls_load: two studies of calls that wait for each other, call by call, and another scheduler
 * that starts, or reads them back later: whatever it reads first, all goes on where it was. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/calls_help.h"

enum { N = 3, N_ARRAYS = 3 };

/* in the order in which they are opened: each waits for the one before */
static const struct {
    const char *study, *key, *spec;
} arrays[N_ARRAYS] = {
    { "older", "a", "{\"calls\":{\"function\":\"echo\"}}" },
    { "younger", "b",
      "{\"calls\":{\"function\":\"echo\"},\"after\":[{\"key\":\"a\",\"each\":true}]}" },
    { "older", "c",
      "{\"calls\":{\"function\":\"echo\"},\"after\":[{\"key\":\"b\",\"each\":true}]}" },
};

static struct stage s;
static struct {
    array_id array[N_ARRAYS];
    task_id first[N_ARRAYS];
    size_t n_appended, n_ended, n_caught_up, n_held;
    enum task_state state[N_ARRAYS][N];
    uint64_t last;     /* number of the end that was recorded last */
    const char *study; /* that it follows from then on; NULL: the arrays are opened */
    const char *key;   /* that it opens first */
    bool first_fails;  /* the first call of a */
    bool only_a;       /* the worker gives nothing back but calls of a */
    enum study_state is;
    size_t n_progress;
} seen;

static void open_array(size_t i)
{
    struct message m = { .kind = MSG_OPEN };

    m.open.request = 1 + i;
    m.open.key = arrays[i].key;
    m.open.study = arrays[i].study;
    m.open.spec = arrays[i].spec;
    m.open.spec_bytes = strlen(arrays[i].spec);
    stage_say(&s.client, &m);
}

static void append(array_id array)
{
    static const uint32_t sizes[N] = { 0 };
    struct message m = { .kind = MSG_APPEND };

    m.append.request = 10;
    m.append.array = array;
    m.append.n = N;
    m.append.sizes = sizes;
    m.append.close = true;
    stage_say(&s.client, &m);
}

static void collect(void)
{
    memset(seen.state, 0, sizeof seen.state);
    seen.n_ended = seen.n_caught_up = 0;
    for (size_t i = 0; i < N_ARRAYS; i++) {
        struct message m = { .kind = MSG_COLLECT };
        m.collect.request = 11;
        m.collect.key = arrays[i].key;
        stage_say(&s.client, &m);
    }
}

static void begin(void)
{
    if (!seen.study) {
        for (size_t i = 0; i < N_ARRAYS; i++)
            open_array(i);
        return;
    }
    for (size_t i = 0; i < N_ARRAYS; i++)
        if (seen.key && strcmp(arrays[i].key, seen.key) == 0)
            open_array(i);
    stage_say(&s.client,
              &(struct message){ .kind = MSG_FOLLOW, .follow = { 12, .study = seen.study } });
    collect();
}

static size_t of_array(array_id id)
{
    for (size_t i = 0; i < N_ARRAYS; i++)
        if (seen.array[i].n == id.n)
            return i;
    cr_assert_fail("ends of array %u, which nobody asked for", id.n);
    return 0;
}

static void take_ends(const struct message *m)
{
    size_t a = of_array(m->ends.array);

    for (size_t i = 0; i < m->ends.n; i++) {
        cr_assert_lt(m->ends.ends[i].index, (uint64_t)N);
        seen.n_ended += seen.state[a][m->ends.ends[i].index] == TASK_READY;
        seen.state[a][m->ends.ends[i].index] = m->ends.ends[i].state;
        seen.last = m->ends.cursor > seen.last ? m->ends.cursor : seen.last;
    }
    seen.n_caught_up += m->ends.caught_up;
}

static void on_client(struct stage *stage, const struct message *m)
{
    (void)stage;
    if (m->kind == MSG_WELCOME) {
        begin();
    } else if (m->kind == MSG_OPENED && !seen.study) {
        seen.array[m->opened.request - 1] = m->opened.array;
        seen.first[m->opened.request - 1] = m->opened.first;
        append(m->opened.array);
    } else if (m->kind == MSG_APPENDED) {
        if (++seen.n_appended == N_ARRAYS)
            collect();
    } else if (m->kind == MSG_ENDS) {
        take_ends(m);
    } else if (m->kind == MSG_PROGRESS) {
        seen.is = m->progress.state;
        seen.n_progress++;
    } else {
        cr_assert_neq(m->kind, MSG_REFUSED, "%s", m->refused.text);
    }
}

static void on_worker(struct stage *stage, const struct message *m)
{
    (void)stage;
    for (size_t i = 0; m->kind == MSG_ASSIGN && i < m->assign.n; i++) {
        task_id task = m->assign.grants[i].task;
        bool fails = seen.first_fails && task.n == seen.first[0].n;
        struct end_row row = { .task = task,
                               .lease = m->assign.grants[i].lease,
                               .state = fails ? TASK_FAILED : TASK_DONE,
                               .reason = END_EXIT,
                               .code = fails,
                               .started_ms = 1700000000000,
                               .ended_ms = 1700000000001 };
        if (seen.only_a && task.n >= seen.first[0].n + N)
            seen.n_held++;
        else
            stage_say(&s.worker, &(struct message){ .kind = MSG_RESULTS, .results = { &row, 1 } });
    }
}

static void open_all(void)
{
    stage_open(&s);
    s.hold_back = true; /* on_worker does it */
    s.on_client = on_client;
    s.on_worker = on_worker;
}

static void next_scheduler(const char *study)
{
    stage_kill(&s);
    seen.study = study;
    seen.n_progress = 0;
    stage_start(&s);
}

static void all_done(void)
{
    while (seen.n_ended < (size_t)N_ARRAYS * N)
        stage_turn(&s);
    for (size_t a = 0; a < N_ARRAYS; a++)
        for (size_t i = 0; i < N; i++)
            cr_expect_eq(seen.state[a][i], TASK_DONE, "%s:%zu", arrays[a].key, i);
}

Test(calls_load, what_ended_before_is_known_to_those_that_wait, .timeout = 300)
{
    seen.only_a = true;
    open_all();
    while (seen.n_ended < N || seen.n_held < N)
        stage_turn(&s);
    seen.only_a = false;
    next_scheduler("older");
    all_done();
    stage_close(&s);
}

/* The older one is on hold, so it is read because the younger one waits for it; and it waits for
 * the younger one. */
Test(calls_load, a_study_beside_one_on_hold_goes_on, .timeout = 300)
{
    struct message hold = { .kind = MSG_HOLD, .hold = { .request = 4, .study = "older" } };

    seen.only_a = true;
    open_all();
    while (seen.n_ended < N || seen.n_held < N)
        stage_turn(&s);
    stage_say(&s.client, &hold);
    stage_say(&s.client,
              &(struct message){ .kind = MSG_FOLLOW, .follow = { 12, .study = "older" } });
    while (seen.is != STUDY_HELD)
        stage_turn(&s);
    next_scheduler("younger");
    while (!seen.n_progress)
        stage_turn(&s);
    cr_expect_eq(seen.is, STUDY_ACTIVE, "it is %d", (int)seen.is);
    stage_close(&s);
}

/* What was skipped is not taken back while what it waited for is only half read. */
Test(calls_load, what_was_skipped_stays_so, .timeout = 300)
{
    seen.first_fails = true;
    open_all();
    while (seen.n_ended < (size_t)N_ARRAYS * N)
        stage_turn(&s);
    cr_expect_eq(seen.state[0][0], TASK_FAILED);
    cr_expect_eq(seen.state[2][0], TASK_UNMET);
    cr_expect_eq(seen.last, (uint64_t)N_ARRAYS * N);
    seen.key = "b"; /* nothing of them was left to do, so nothing was read */
    next_scheduler("younger");
    while (!seen.n_progress || seen.n_caught_up < N_ARRAYS)
        stage_turn(&s);
    collect();
    while (seen.n_caught_up < N_ARRAYS)
        stage_turn(&s);
    cr_expect_eq(seen.n_ended, (size_t)N_ARRAYS * N, "%zu ends", seen.n_ended);
    cr_expect_eq(seen.last, (uint64_t)N_ARRAYS * N, "something ended again");
    stage_close(&s);
}

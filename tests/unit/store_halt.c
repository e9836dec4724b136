/* store: what a start counts towards halt rules. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "store/store.h"
#include "store_help.h"

static char dir[64];
static struct store *st;
static struct fault f;

static void setup(void)
{
    make_dir(dir);
    cr_assert_eq(store_open(dir, STORE_SYNC_FULL, &st, &f), ERR_NONE, "%s", f.text);
}
static void teardown(void)
{
    store_close(st);
    remove_dir(dir);
}
TestSuite(store_halt, .init = setup, .fini = teardown);

static void commit(const struct change *changes, size_t n)
{
    cr_assert_eq(store_commit(st, changes, n, &f), ERR_NONE, "%s", f.text);
}

static struct change ruled_array(uint32_t id, uint64_t first, uint64_t n)
{
    struct change ch = change_array(id, 1, "s", first, n);

    ch.array.policy.halt_when = HALT_SOON;
    ch.array.policy.halt_fails = 3;
    return ch;
}

static void add_end(uint64_t task, enum task_state state, enum end_reason reason)
{
    struct change ch = change_end(task, 1000 + task, state);

    ch.end.reason = reason;
    commit(&ch, 1);
}

static void expect(const struct change *array, uint64_t failed, uint64_t ended)
{
    uint64_t is_failed, is_ended;

    cr_assert_eq(store_halt_counts(st, &array->array, &is_failed, &is_ended, &f), ERR_NONE);
    cr_assert(is_failed == failed && is_ended == ended, "%d of %d, not %d of %d", (int)is_failed,
              (int)is_ended, (int)failed, (int)ended);
}

Test(store_halt, ends_that_the_tasks_came_to_by_themselves_count)
{
    struct change a = ruled_array(1, 1, 10), other = ruled_array(2, 11, 10);
    struct change adopt = { .kind = CHG_ADOPT, .task = { 11 }, .from = { 2 } };

    commit(&a, 1);
    expect(&a, 0, 0);
    add_end(1, TASK_DONE, END_EXIT);
    add_end(2, TASK_FAILED, END_EXIT);
    add_end(3, TASK_FAILED, END_INFRA);
    add_end(4, TASK_DONE, END_WARNED);
    add_end(5, TASK_QUARANTINED, END_EXIT);        /* its exit status says so: a failure */
    add_end(6, TASK_QUARANTINED, END_QUARANTINED); /* workers were lost: none of its own */
    add_end(7, TASK_CANCELLED, END_CANCELLED);
    add_end(8, TASK_UNMET, END_UNMET);
    expect(&a, 3, 6);
    commit(&other, 1);
    commit(&adopt, 1);
    expect(&other, 0, 0);
    add_end(12, TASK_FAILED, END_EXIT);
    expect(&other, 1, 1);
    expect(&a, 3, 6);
    a.array.policy.halt_when = HALT_NEVER;
    expect(&a, 0, 0);
}

Test(store_halt, ends_count_from_when_a_person_said_so)
{
    struct change a = ruled_array(1, 1, 10), b = ruled_array(2, 11, 10);
    struct change anew[2] = { change_end(3, 9, TASK_FAILED),
                              { .kind = CHG_COUNT_ANEW, .array.id = { 1 } } };

    commit(&a, 1);
    commit(&b, 1);
    add_end(1, TASK_FAILED, END_EXIT);
    add_end(11, TASK_FAILED, END_EXIT);
    commit(anew, 2); /* an end in the same turn is one from before */
    expect(&a, 0, 0);
    expect(&b, 1, 1);
    add_end(2, TASK_FAILED, END_EXIT);
    add_end(4, TASK_DONE, END_EXIT);
    expect(&a, 1, 2);
    struct change retry[2] = { { .kind = CHG_REOPEN_FAILED, .task = { 1 }, .from = { 10 } },
                               { .kind = CHG_COUNT_ANEW, .array.id = { 1 } } };
    commit(retry, 2);
    expect(&a, 0, 0);
    add_end(2, TASK_FAILED, END_EXIT);
    expect(&a, 1, 1);
    store_close(st);
    cr_assert_eq(store_open(dir, STORE_SYNC_FULL, &st, &f), ERR_NONE, "%s", f.text);
    expect(&a, 1, 1);
}

Test(store_halt, calls_that_were_appended_count)
{
    struct change a = ruled_array(1, 1, 0), b = ruled_array(2, 1 + POINTS_MAX, 0);

    a.array.kind = b.array.kind = ARRAY_CALLS;
    a.array.key_text = "a";
    b.array.key_text = "b";
    commit(&a, 1);
    commit(&b, 1);
    add_end(70000, TASK_FAILED, END_EXIT);
    add_end(1 + POINTS_MAX, TASK_FAILED, END_EXIT);
    add_end(2 + POINTS_MAX, TASK_DONE, END_EXIT);
    expect(&a, 1, 1);
    expect(&b, 1, 2);
}

/* expect_study - as whoever starts next reads it. */
static void expect_study(bool active, bool halted)
{
    struct study_row row;
    bool found;

    store_close(st);
    cr_assert_eq(store_open(dir, STORE_SYNC_FULL, &st, &f), ERR_NONE, "%s", f.text);
    cr_assert_eq(store_find_study(st, "s", &found, &row, &f), ERR_NONE, "%s", f.text);
    cr_assert(found);
    cr_expect(row.active == active && row.halted == halted, "active %d, halted %d", row.active,
              row.halted);
}

Test(store_halt, that_a_study_was_halted_is_kept)
{
    struct change a = ruled_array(1, 1, 10);
    struct change state = { .kind = CHG_STUDY_STATE, .study = { 1 } };

    commit(&a, 1);
    state.halted = true;
    commit(&state, 1);
    expect_study(false, true);
    state.halted = false; /* on hold */
    commit(&state, 1);
    expect_study(false, false);
    state.active = true;
    commit(&state, 1);
    expect_study(true, false);
}

/* ends - points that have ended, by identity. */
#include <criterion/criterion.h>

#include "base/rng.h"
#include "study/ends.h"

static const struct point_end *find(const struct ends *e, uint64_t a, uint64_t b)
{
    const uint64_t id[1][2] = { { a, b } };
    const struct point_end *found;

    ends_find(e, id, 1, &found);
    return found;
}

static void add(struct ends *e, uint64_t a, uint64_t b, uint64_t task, uint8_t state)
{
    ends_add(e, (uint64_t[]){ a, b }, (task_id){ task }, state);
}

Test(ends, of_none_nothing_is_found)
{
    struct ends e = { 0 };

    ends_seal(&e);
    cr_assert_null(find(&e, 0, 0));
    ends_fini(&e);
}

Test(ends, a_success_before_a_failure_and_the_newest_of_equals)
{
    struct ends e = { 0 };

    add(&e, 1, 1, 10, TASK_FAILED);
    add(&e, 1, 1, 20, TASK_DONE);
    add(&e, 1, 1, 30, TASK_FAILED);
    add(&e, 2, 1, 11, TASK_DONE);
    add(&e, 2, 1, 21, TASK_DONE | STATE_WARNED);
    add(&e, 3, 1, 22, TASK_FAILED);
    add(&e, 3, 1, 12, TASK_FAILED);
    add(&e, 3, 1, 32, TASK_QUARANTINED);
    ends_seal(&e);
    cr_assert_eq(e.n, 3);
    cr_assert_eq(find(&e, 1, 1)->task.n, 20);
    cr_assert_eq(find(&e, 2, 1)->task.n, 21);
    cr_assert_eq(find(&e, 2, 1)->state, TASK_DONE | STATE_WARNED);
    cr_assert_eq(find(&e, 3, 1)->task.n, 22);
    ends_fini(&e);
}

/* The second half alone tells them apart, and all of them want the same slot. */
Test(ends, identities_that_begin_alike_are_told_apart)
{
    struct ends e = { 0 };

    for (uint64_t i = 0; i < 500; i++)
        add(&e, 7, i, i, TASK_DONE);
    ends_seal(&e);
    for (uint64_t i = 0; i < 500; i++)
        cr_assert_eq(find(&e, 7, i)->task.n, i);
    cr_assert_null(find(&e, 7, 500));
    cr_assert_null(find(&e, 8, 1));
    ends_fini(&e);
}

Test(ends, of_many_each_is_found_and_no_other)
{
    enum { N = 5000 };
    struct ends e = { 0 };
    struct rng rng = { 42 };
    uint64_t ids[N][2];
    const struct point_end *found[ENDS_AT_ONCE];

    for (uint64_t i = 0; i < N; i++) {
        ids[i][0] = rng_next(&rng);
        ids[i][1] = rng_next(&rng);
        if (i % 3)
            add(&e, ids[i][0], ids[i][1], i, TASK_DONE);
    }
    ends_seal(&e);
    for (size_t at = 0; at < N; at += ENDS_AT_ONCE) {
        size_t n = N - at < ENDS_AT_ONCE ? N - at : ENDS_AT_ONCE;
        ends_find(&e, (const uint64_t(*)[2]) & ids[at], n, found);
        for (size_t j = 0; j < n; j++) {
            cr_assert_eq(found[j] != NULL, (at + j) % 3 != 0);
            cr_assert(!found[j] || found[j]->task.n == at + j);
        }
    }
    ends_fini(&e);
}

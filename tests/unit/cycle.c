/* Circles among the calls of one append, and how they are named. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/rng.h"
#include "scheduler/core.h"

static const task_id first = { 1000 };

static const char *cycle_of(uint64_t at, uint64_t n, const struct edge *edges, size_t n_edges)
{
    static char text[200];

    text[0] = '\0';
    return graph_check_cycle(at, n, first, edges, n_edges, text, sizeof text) ? text : "none";
}

/* Call a of the append waits for the call with index b in the array. */
#define EDGE(a, b)                                                                                 \
    {                                                                                              \
        .call = (a), .on = { 1000 + (b) }                                                          \
    }

Test(cycle, none_where_edges_go_back)
{
    const struct edge edges[] = { EDGE(1, 0), EDGE(2, 0), EDGE(2, 1), EDGE(3, 2) };

    cr_assert_str_eq(cycle_of(0, 4, edges, 4), "none");
    cr_assert_str_eq(cycle_of(0, 4, edges, 0), "none");
}

Test(cycle, forward_edges_are_no_cycle_by_themselves)
{
    const struct edge edges[] = { EDGE(0, 3), EDGE(1, 3), EDGE(2, 1) };

    cr_assert_str_eq(cycle_of(0, 4, edges, 3), "none");
}

Test(cycle, is_named_with_its_path)
{
    const struct edge edges[] = { EDGE(1, 0), EDGE(3, 7), EDGE(7, 3), EDGE(5, 3) };

    cr_assert_str_eq(cycle_of(0, 8, edges, 4), "cycle: 3 -> 7 -> 3");
}

Test(cycle, a_call_that_waits_for_itself)
{
    const struct edge edges[] = { EDGE(2, 2) };

    cr_assert_str_eq(cycle_of(0, 3, edges, 1), "cycle: 2 -> 2");
}

Test(cycle, indexes_are_those_of_the_array)
{
    const struct edge edges[] = { EDGE(0, 12), EDGE(2, 11), EDGE(1, 10), EDGE(1, 3) };

    cr_assert_str_eq(cycle_of(10, 3, edges, 4), "cycle: 10 -> 12 -> 11 -> 10");
}

Test(cycle, what_leads_to_it_is_no_part_of_it)
{
    const struct edge edges[] = { EDGE(0, 1), EDGE(1, 2), EDGE(2, 3), EDGE(3, 1) };

    cr_assert_str_eq(cycle_of(0, 4, edges, 4), "cycle: 1 -> 2 -> 3 -> 1");
}

/* Two ways at each of sixty steps: who walked each way would not come to an end. */
Test(cycle, a_call_that_many_ways_lead_to_is_walked_once)
{
    enum { STEPS = 60 };
    struct edge edges[4 * STEPS];
    size_t n = 0;

    for (uint64_t i = 0; i < STEPS; i++)
        for (uint64_t k = 0; k < 4; k++)
            edges[n++] = (struct edge)EDGE(2 * i + k / 2, 2 * (i + 1) + k % 2);
    cr_assert_str_eq(cycle_of(0, 2 * STEPS + 2, edges, n), "none");
}

Test(cycle, a_long_one_is_shortened)
{
    struct edge edges[1000];

    for (uint64_t i = 0; i < 1000; i++)
        edges[i] = (struct edge)EDGE(i, (i + 1) % 1000);
    cr_assert_str_eq(cycle_of(0, 1000, edges, 1000),
                     "cycle: 0 -> 1 -> 2 -> 3 -> 4 -> 5 -> .. 988 more -> 994 -> 995 -> 996 -> 997 "
                     "-> 998 -> 999 -> 0");
}

Test(cycle, edges_of_other_tasks_are_left_alone)
{
    const struct edge edges[] = { EDGE(0, 5),
                                  { .call = 1, .on = { 1 } },
                                  { .call = 9, .on = { 1000 } } };

    cr_assert_str_eq(cycle_of(0, 3, edges, 3), "none");
}

/* A chain of a million: the walk must not recurse. */
Test(cycle, deep_chains_are_walked)
{
    enum { N = 1000000 };
    struct edge *edges = calloc(N, sizeof *edges);

    must(edges != NULL);
    for (uint64_t i = 0; i + 1 < N; i++)
        edges[i] = (struct edge)EDGE(i, i + 1);
    cr_assert_str_eq(cycle_of(0, N, edges, N - 1), "none");
    edges[N - 1] = (struct edge)EDGE(N - 1, 0);
    cr_assert_eq(strncmp(cycle_of(0, N, edges, N), "cycle: 0 -> 1 -> ", 17), 0);
    free(edges);
}

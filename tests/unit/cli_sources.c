/* cli/sources: command, factors and lists from the arguments of `grange run`. */
#include <criterion/criterion.h>
#include <string.h>

#include "cli/sources.h"

static struct sources s;
static struct fault f;
static const char *words[16]; /* what s points into */

#define SPLIT(s, f, ...)                                                                           \
    (memcpy(words, (const char *[]){ __VA_ARGS__ }, sizeof((const char *[]){ __VA_ARGS__ })),      \
     sources_split(words, sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *), s, f))

Test(sources, a_command_alone)
{
    cr_assert_eq(SPLIT(&s, &f, "./sim", "-T", "3"), ERR_NONE);
    cr_assert_eq(s.n_command, 3);
    cr_assert_str_eq(s.command[1], "-T");
    cr_assert_eq(s.n_factors + s.n_lists, 0);
    sources_fini(&s);
}

Test(sources, factors_of_all_kinds_and_of_several_groups)
{
    cr_assert_eq(SPLIT(&s, &f, "./sim", ":::", "T=1:3", "@a.csv", ":::", "(a=1,2 + b=3,4)", "_x=1"),
                 ERR_NONE);
    cr_assert_eq(s.n_command, 1);
    cr_assert_eq(s.n_factors, 4);
    cr_assert_str_eq(s.factors[0], "T=1:3");
    cr_assert_str_eq(s.factors[2], "(a=1,2 + b=3,4)");
    cr_assert_eq(s.n_lists, 0);
    sources_fini(&s);
}

Test(sources, positional_lists_keep_their_order)
{
    cr_assert_eq(SPLIT(&s, &f, "echo", ":::", "1", "2", "3", ":::", "a", "", ":::", "z"), ERR_NONE);
    cr_assert_eq(s.n_lists, 3);
    cr_assert_str_eq(s.lists[0][2], "3");
    cr_assert_null(s.lists[0][3]);
    cr_assert_str_eq(s.lists[1][0], "a");
    cr_assert_str_eq(s.lists[1][1], "");
    cr_assert_null(s.lists[1][2]);
    cr_assert_str_eq(s.lists[2][0], "z");
    cr_assert_null(s.lists[2][1]);
    sources_fini(&s);
}

Test(sources, factors_and_lists_may_be_in_different_groups)
{
    cr_assert_eq(SPLIT(&s, &f, "echo", ":::", "1", "2", ":::", "T=1,2"), ERR_NONE);
    cr_assert_eq(s.n_lists, 1);
    cr_assert_eq(s.n_factors, 1);
    sources_fini(&s);
}

Test(sources, what_only_looks_a_little_like_a_factor_is_a_value)
{
    cr_assert_eq(SPLIT(&s, &f, "echo", ":::", "1=2", "a.b=c", "(", "@", "=", "a-b=1"), ERR_NONE);
    cr_assert_eq(s.n_factors, 0);
    cr_assert_eq(s.n_lists, 1);
    sources_fini(&s);
}

Test(sources, a_mixed_group_is_refused_and_says_which)
{
    cr_assert_eq(SPLIT(&s, &f, "echo", ":::", "T=1,2", "7"), ERR_USAGE);
    cr_assert(strstr(f.text, "'T=1,2' is a factor and '7' is a plain value"), "%s", f.text);
    sources_fini(&s);
    cr_assert_eq(SPLIT(&s, &f, "echo", ":::", "7", "T=1,2"), ERR_USAGE);
    cr_assert(strstr(f.text, "'7' is a plain value and 'T=1,2' is a factor"), "%s", f.text);
    sources_fini(&s);
}

Test(sources, an_empty_group_is_refused)
{
    cr_assert_eq(SPLIT(&s, &f, "echo", ":::"), ERR_USAGE);
    sources_fini(&s);
    cr_assert_eq(SPLIT(&s, &f, "echo", ":::", "1", ":::"), ERR_USAGE);
    sources_fini(&s);
}

Test(sources, other_separators_of_gnu_parallel_are_explained)
{
    cr_assert_eq(SPLIT(&s, &f, "echo", "::::", "file"), ERR_USAGE);
    cr_assert(strstr(f.text, "x=@FILE"), "%s", f.text);
    sources_fini(&s);
    cr_assert_eq(SPLIT(&s, &f, "echo", ":::", "1", ":::+", "2"), ERR_USAGE);
    sources_fini(&s);
}

/* cli/suggest: the nearest name. */
#include <criterion/criterion.h>
#include <string.h>

#include "cli/cli.h"

static const char *const names[] = { "timeout", "retries", "retry-failed", "dir", "dry-run", "n" };
static const char *near(const char *typed)
{
    return cli_suggest(typed, names, sizeof names / sizeof *names);
}

Test(suggest, distance_counts_changes_and_swaps)
{
    cr_assert_eq(cli_distance("", ""), 0);
    cr_assert_eq(cli_distance("", "abc"), 3);
    cr_assert_eq(cli_distance("abc", "abc"), 0);
    cr_assert_eq(cli_distance("abc", "acb"), 1);
    cr_assert_eq(cli_distance("kitten", "sitting"), 3);
    cr_assert_eq(cli_distance("tiemout", "timeout"), 1);
}

Test(suggest, finds_what_was_meant)
{
    cr_assert_str_eq(near("tiemout"), "timeout");
    cr_assert_str_eq(near("timout"), "timeout");
    cr_assert_str_eq(near("dryrun"), "dry-run");
    cr_assert_str_eq(near("retrys"), "retries");
    cr_assert_str_eq(near("retry"), "retry-failed");
}

Test(suggest, finds_nothing_far_away)
{
    cr_assert_null(near("frobnicate"));
    cr_assert_null(near("xyz"));
}

Test(suggest, survives_long_words)
{
    char word[200];
    memset(word, 'a', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    cr_assert_null(near(word));
}

/* filter: --where over the values of a point. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "store/filter.h"

static const char *const names[] = { "T", "n", "mode", "odd \"name\"" };
static struct fault f;

static bool keeps(const char *expression, const char *t, const char *n, const char *mode)
{
    struct filter *fl;
    bool keep;
    const char *const values[] = { t, n, mode, "9" };

    cr_assert_eq(filter_new(expression, names, 4, &fl, &f), ERR_NONE, "%s", f.text);
    cr_assert_eq(filter_keep(fl, values, &keep, &f), ERR_NONE, "%s", f.text);
    filter_free(fl);
    return keep;
}

Test(filter, numbers_compare_as_numbers_and_the_rest_as_text)
{
    cr_assert(keeps("n*T < 1200", "280", "4", "x"));
    cr_assert_not(keeps("n*T < 1200", "300", "4", "x"));
    cr_assert(keeps("T > 9", "10", "1", "x"), "not as text");
    cr_assert(keeps("T = 0.001", "1e-3", "1", "x"));
    cr_assert(keeps("T = 1", "1.0", "1", "x"));
    cr_assert(keeps("T > 1e18", "12345678901234567890", "1", "x"));
    cr_assert(keeps("typeof(T) = 'integer' AND T = -999999999999999999", "-999999999999999999", "1",
                    "x"));
    cr_assert(keeps("mode = 'no' AND typeof(mode) = 'text'", "1", "1", "no"));
    cr_assert(keeps("typeof(mode) = 'text'", "1", "1", "1e"));
    cr_assert(keeps("typeof(mode) = 'text'", "1", "1", "0x10"));
    cr_assert(keeps("typeof(mode) = 'text'", "1", "1", "nan"));
    cr_assert(keeps("typeof(mode) = 'text'", "1", "1", "."));
    cr_assert(keeps("typeof(mode) = 'text'", "1", "1", ""));
    cr_assert(keeps("mode IN ('a', 'b') AND \"odd \"\"name\"\"\" = 9", "1", "1", "b"));
}

Test(filter, only_what_is_true_is_kept)
{
    cr_assert_not(keeps("NULL", "1", "1", "x"));
    cr_assert_not(keeps("0", "1", "1", "x"));
    cr_assert_not(keeps("n / 0 > 1", "1", "1", "x"));
    cr_assert(keeps("0.5", "1", "1", "x"));
    cr_assert(keeps("T -- a comment", "1", "1", "x"));
}

static void refused(const char *expression, const char *part)
{
    struct filter *fl = (void *)1;

    cr_assert_eq(filter_new(expression, names, 4, &fl, &f), ERR_USAGE, "%s", expression);
    cr_assert_null(fl);
    cr_assert_not_null(strstr(f.text, part), "%s", f.text);
}

Test(filter, what_is_wrong_is_said_with_the_names_there_are)
{
    refused("TT < 3", "no such column: TT");
    refused("TT < 3", "; names: T, n, mode");
    refused("n < 3 AND TT < 3", "at 'TT < 3'");
    refused("\"x\" = 'x'", "no such column: x");
    refused("n <", "where 'n <': ");
    refused("", "syntax error");
    refused("nofunc(T)", "no such function: nofunc");
    refused("T = ?9", "one expression");
    refused("T, n", "row value misused");
}

Test(filter, an_expression_reaches_nothing_else)
{
    refused("(SELECT count(*) FROM sqlite_master)", "not authorized");
    refused("load_extension('x')", "");
    refused("1) FROM (SELECT 1); DROP TABLE x; --", "");
    refused("1); ATTACH 'x' AS y; SELECT (1", "");
    refused("(WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x FROM c) SELECT max(x) FROM c)",
            "");
}

Test(filter, what_fails_while_it_is_evaluated_is_said)
{
    struct filter *fl;
    bool keep;
    const char *const values[] = { "1", "1", "no json", "9" };

    cr_assert_eq(filter_new("mode ->> 'a'", names, 4, &fl, &f), ERR_NONE);
    cr_assert_eq(filter_keep(fl, values, &keep, &f), ERR_USAGE);
    cr_assert_not_null(strstr(f.text, "malformed JSON"), "%s", f.text);
    const char *const good[] = { "1", "1", "{\"a\":1}", "9" };
    cr_assert_eq(filter_keep(fl, good, &keep, &f), ERR_NONE, "and the next one is evaluated");
    cr_assert(keep);
    filter_free(fl);
}

/* predict: what durations of some points say about others. */

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

#include "scheduler/predict.h"

static struct predict *two(void)
{
    return predict_new(2, (bool[]){ true, false });
}

static void add(struct predict *p, const char *n, const char *how, double us)
{
    predict_add(p, (const char *[]){ n, how }, (uint64_t)us);
}

static double ask(const struct predict *p, const char *n, const char *how)
{
    return predict_log_us(p, (const char *[]){ n, how });
}

/* n = 1..8, how = fast or slow: n^2 seconds, slow ten times that. */
static struct predict *full(void)
{
    struct predict *p = two();

    for (int n = 1; n <= 8; n++) {
        char text[8];
        snprintf(text, sizeof text, "%d", n);
        add(p, text, "fast", 1e6 * n * n);
        add(p, text, "slow", 1e7 * n * n);
    }
    cr_assert(predict_fit(p));
    return p;
}

Test(predict, each_factor_has_its_part)
{
    struct predict *p = full();

    cr_assert_float_eq(ask(p, "5", "slow") - ask(p, "5", "fast"), log(10), 1e-9);
    cr_assert_float_eq(ask(p, "8", "fast") - ask(p, "2", "fast"), log(16), 1e-9);
    cr_assert_gt(ask(p, "1", "slow"), ask(p, "3", "fast"));
    predict_free(p);
}

Test(predict, numbers_between_and_beyond_those_that_are_known)
{
    struct predict *p = full();

    cr_assert_gt(ask(p, "2.5", "fast"), ask(p, "2", "fast"));
    cr_assert_lt(ask(p, "2.5", "fast"), ask(p, "3", "fast"));
    cr_assert_gt(ask(p, "10", "fast"), ask(p, "9", "fast"));
    cr_assert_gt(ask(p, "9", "fast"), ask(p, "8", "fast"));
    cr_assert_lt(ask(p, "-4", "fast"), ask(p, "1", "fast"));
    predict_free(p);
}

Test(predict, beyond_the_ends_the_whole_counts_not_the_last_two)
{
    static const double us[8] = { 1e3, 1.2e3, 1e3, 1e3, 2e5, 2.1e5, 2e5, 1.9e5 };
    struct predict *p = two();

    for (int n = 1; n <= 8; n++)
        add(p, (char[]){ (char)('0' + n), 0 }, NULL, us[n - 1]);
    cr_assert(predict_fit(p));
    cr_assert_gt(ask(p, "12", NULL), ask(p, "9", NULL));
    predict_free(p);
}

Test(predict, a_text_that_nobody_had_is_as_the_mean)
{
    struct predict *p = full();
    double unknown = ask(p, "4", "other");

    cr_assert_gt(unknown, ask(p, "4", "fast"));
    cr_assert_lt(unknown, ask(p, "4", "slow"));
    predict_free(p);
}

Test(predict, many_values_once_each)
{
    struct predict *p = two();

    for (int i = 0; i < 1000; i++) {
        char text[16];
        snprintf(text, sizeof text, "%.3f", i / 1000.0);
        add(p, text, NULL, 1e5 * exp(3.0 * i / 1000));
    }
    cr_assert(predict_fit(p));
    cr_assert_float_eq(ask(p, "0.9", NULL) - ask(p, "0.1", NULL), 2.4, 0.05);
    predict_free(p);
}

Test(predict, the_same_number_in_two_spellings)
{
    struct predict *p = two();

    for (int i = 0; i < 4; i++) {
        add(p, i % 2 ? "1" : "1.0", NULL, 1e6);
        add(p, i % 2 ? "2" : "2.0", NULL, 4e6);
    }
    cr_assert(predict_fit(p));
    cr_assert_float_eq(ask(p, "1", NULL), ask(p, "1.0", NULL), 1e-12);
    cr_assert_float_eq(ask(p, "2", NULL) - ask(p, "1.0", NULL), log(4), 1e-9);
    predict_free(p);
}

Test(predict, too_few_alike_or_without_a_pattern_say_nothing)
{
    struct predict *p = two();

    add(p, "1", "x", 1e6);
    add(p, "9", "y", 9e6);
    cr_assert_not(predict_fit(p), "two points");
    predict_free(p);
    p = two();
    for (int i = 0; i < 20; i++)
        add(p, i % 2 ? "1" : "2", i % 3 ? "x" : "y", 1e6);
    cr_assert_not(predict_fit(p), "all took the same");
    predict_free(p);
    p = two();
    for (int i = 0; i < 24; i++) /* what varies is in no factor */
        add(p, i % 2 ? "1" : "2", i % 3 ? "x" : "y", i / 6 % 2 ? 1e6 : 2e6);
    cr_assert_not(predict_fit(p), "no factor matters");
    predict_free(p);
    predict_free(NULL);
}

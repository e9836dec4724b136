/* study: the order of a grid, sampled designs, how many points there are. */
#include <math.h>

#include "study/sobol.h"
#include "study_help.h"

static double number(const struct study *s, uint64_t i, size_t j)
{
    struct point p;

    point_init(&p);
    study_point(s, i, &p);
    double v = strtod(p.values[j], NULL);
    point_fini(&p);
    return v;
}

Test(grid, first_factor_is_slowest_and_replicates_are_innermost)
{
    cr_assert_str_eq(LABELS(FACTORS("T=1,2", "n=a,b"), .reps = 2),
                     "T=1 n=a rep=0; T=1 n=a rep=1; T=1 n=b rep=0; T=1 n=b rep=1; "
                     "T=2 n=a rep=0; T=2 n=a rep=1; T=2 n=b rep=0; T=2 n=b rep=1");
}

Test(grid, without_factors_is_one_point)
{
    cr_assert_str_eq(LABELS(.n = 0), "point 0");
    cr_assert_str_eq(LABELS(.reps = 2), "rep=0; rep=1");
}

Test(grid, counts_points_without_overflow)
{
    struct study *s = STUDY(FACTORS("a=1:8192", "b=1:8192"));

    cr_assert_eq(study_n_points(s), 1 << 26);
    study_free(s);
    cr_assert_str_eq(
        MESSAGE(FACTORS("a=1:8192", "b=1:8193")),
        "the factors give more points than the limit of 67108864; use a sampled design "
        "(lhs or sobol) with n points");
    cr_assert(strstr(MESSAGE(FACTORS("a=1:4000000000000000000", "b=1:4000000000000000000")),
                     "more points than the limit"));
    cr_assert(strstr(MESSAGE(FACTORS("a=1:1000000"), .reps = 100),
                     "1000000 points with their replicates are more than the limit of 67108864"));
    cr_assert(strstr(MESSAGE(.reps = 4000000000U), "replicates are more than the limit"));
}

Test(design, that_is_wrong_says_what_would_be_right)
{
    cr_assert_str_eq(MESSAGE(FACTORS("T=1,2"), .design = "sobel", .n = 2),
                     "the design 'sobel' is unknown; did you mean sobol?; known are grid, random, "
                     "lhs, sobol");
    cr_assert_str_eq(MESSAGE(FACTORS("T=0..1"), .design = "lhs"),
                     "the design lhs needs the number of its points: n, for example 100");
    cr_assert(strstr(MESSAGE(FACTORS("T=1,2"), .n = 5), "n=5 is for sampled designs"));
    cr_assert_str_eq(MESSAGE(FACTORS("T=280..320")),
                     "factor 'T' is continuous, which a grid cannot visit; give it steps, "
                     "T=lin(280,320,5), or choose the design random, lhs or sobol");
    cr_assert(strstr(MESSAGE(FACTORS("n=1,2", "k=log:1..9")), "k=log(1,9,5)"));
    cr_assert(strstr(MESSAGE(FACTORS("a=1,2", "b=1,2,3"), .design = "random", .n = 7),
                     "the factors have only 6 different points"));
    cr_assert(
        strstr(MESSAGE(FACTORS("T=0..1"), .design = "sobol", .n = 1 << 27), "more than the limit"));
}

Test(sobol, agrees_with_published_points_before_the_shift)
{
    /* The first ten points in three dimensions as listed by Joe and Kuo, in their Gray code order.
     */
    static const double published[10][3] = {
        { 0, 0, 0 },
        { .5, .5, .5 },
        { .75, .25, .25 },
        { .25, .75, .75 },
        { .375, .375, .625 },
        { .875, .875, .125 },
        { .625, .125, .875 },
        { .125, .625, .375 },
        { .1875, .3125, .9375 },
        { .6875, .8125, .4375 },
    };

    for (size_t d = 0; d < 3; d++) {
        uint32_t directions[SOBOL_BITS];
        sobol_directions(d, directions);
        for (uint64_t i = 0; i < 10; i++)
            cr_assert_eq(sobol_at(directions, i ^ (i >> 1)) * 0x1p-32, published[i][d],
                         "point %d, dimension %zu", (int)i, d);
    }
}

Test(sobol, agrees_with_an_independent_program_in_high_dimensions)
{
    /* Points 777 and 1000 of scipy.stats.qmc.Sobol(64, scramble=False), times 1024. */
    static const struct {
        size_t dimension;
        uint64_t i;
        unsigned value;
    } known[] = {
        { 3, 1000, 693 },  { 3, 777, 281 },  { 9, 1000, 71 },   { 9, 777, 331 },
        { 20, 1000, 535 }, { 20, 777, 243 }, { 36, 1000, 869 }, { 36, 777, 473 },
        { 50, 1000, 361 }, { 50, 777, 85 },  { 52, 1000, 771 }, { 52, 777, 631 },
        { 61, 1000, 617 }, { 61, 777, 501 }, { 63, 1000, 457 }, { 63, 777, 437 },
    };

    for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
        uint32_t directions[SOBOL_BITS];
        uint64_t i = known[k].i;
        sobol_directions(known[k].dimension, directions);
        cr_assert_eq(sobol_at(directions, i ^ (i >> 1)) >> 22, known[k].value, "dimension %zu",
                     known[k].dimension);
    }
}

Test(sobol, each_dimension_is_stratified)
{
    for (size_t d = 0; d < SOBOL_DIMENSIONS; d++) {
        uint32_t directions[SOBOL_BITS];
        unsigned char seen[1024] = { 0 };
        sobol_directions(d, directions);
        for (uint64_t i = 0; i < 1024; i++)
            seen[sobol_at(directions, i) >> 22]++;
        for (int k = 0; k < 1024; k++)
            cr_assert_eq(seen[k], 1, "dimension %zu", d);
    }
}

Test(sobol, keeps_its_first_points_when_n_grows)
{
    const char *small = LABELS(FACTORS("T=280..320", "k=log:1e-3..1e-1", "n=a,b"),
                               .design = "sobol", .n = 7, .reps = 2);
    const char *large = LABELS(FACTORS("T=280..320", "k=log:1e-3..1e-1", "n=a,b"),
                               .design = "sobol", .n = 40, .reps = 2);

    cr_assert(strncmp(small, large, strlen(small)) == 0, "%s\n%s", small, large);
}

Test(sobol, two_factors_are_a_net)
{
    struct study *s = STUDY(FACTORS("x=0..16", "y=0..16"), .design = "sobol", .n = 256);
    unsigned char seen[256] = { 0 };

    for (uint64_t i = 0; i < 256; i++)
        seen[16 * (int)number(s, i, 0) + (int)number(s, i, 1)]++;
    for (int k = 0; k < 256; k++)
        cr_assert_eq(seen[k], 1); /* a (0,2)-net: one point in each square */
    study_free(s);
}

Test(sobol, another_seed_is_another_shift)
{
    cr_assert_str_neq(LABELS(FACTORS("x=0..1"), .design = "sobol", .n = 3),
                      LABELS(FACTORS("x=0..1"), .design = "sobol", .n = 3, .seed = 1));
}

Test(random, keeps_its_first_points_when_n_grows)
{
    const char *small = LABELS(FACTORS("T=280..320", "n=1:9"), .design = "random", .n = 7);
    const char *large = LABELS(FACTORS("T=280..320", "n=1:9"), .design = "random", .n = 50);

    cr_assert(strncmp(small, large, strlen(small)) == 0, "%s\n%s", small, large);
}

Test(random, values_of_a_factor_do_not_depend_on_the_others)
{
    struct study *one = STUDY(FACTORS("x=0..1"), .design = "random", .n = 20);
    struct study *two = STUDY(FACTORS("y=0..1", "x=0..1"), .design = "random", .n = 20);

    for (uint64_t i = 0; i < 20; i++) {
        cr_assert_eq(number(one, i, 0), number(two, i, 1));
        cr_assert_neq(number(two, i, 0), number(two, i, 1));
    }
    study_free(one);
    study_free(two);
}

Test(random, is_uniform_and_log_uniform)
{
    struct study *s =
        STUDY(FACTORS("x=10..20", "k=log:1e-3..1e1", "d=a,b,c"), .design = "random", .n = 20000);
    double sum = 0, log_sum = 0;

    for (uint64_t i = 0; i < 20000; i++) {
        double x = number(s, i, 0), k = number(s, i, 1);
        cr_assert(x >= 10 && x <= 20 && k >= 1e-3 && k <= 1e1);
        sum += x;
        log_sum += log10(k);
    }
    cr_assert_float_eq(sum / 20000, 15, 0.1); /* five standard errors: 5 * 10/sqrt(12*20000) */
    cr_assert_float_eq(log_sum / 20000, -1, 0.041); /* 5 * 4/sqrt(12*20000) */
    study_free(s);
}

Test(lhs, each_stratum_has_one_point)
{
    struct study *s =
        STUDY(FACTORS("x=0..100", "y=0..100", "n=1,2,4,8"), .design = "lhs", .n = 100);
    int seen[2][100] = { { 0 } }, picked[9] = { 0 };

    for (uint64_t i = 0; i < 100; i++) {
        for (size_t j = 0; j < 2; j++) {
            double v = number(s, i, j);
            cr_assert(v >= 0 && v < 100);
            seen[j][(int)v]++;
        }
        picked[(int)number(s, i, 2)]++;
    }
    for (int k = 0; k < 100; k++)
        cr_assert(seen[0][k] == 1 && seen[1][k] == 1, "stratum %d", k);
    cr_assert(picked[1] == 25 && picked[2] == 25 && picked[4] == 25 && picked[8] == 25);
    study_free(s);
}

Test(lhs, dimensions_are_not_the_same_permutation)
{
    struct study *s = STUDY(FACTORS("x=0..100", "y=0..100"), .design = "lhs", .n = 100);
    int same = 0;

    for (uint64_t i = 0; i < 100; i++)
        same += (int)number(s, i, 0) == (int)number(s, i, 1);
    cr_assert_lt(same, 10); /* one is expected */
    study_free(s);
}

Test(sampled, replicates_share_their_point)
{
    struct study *s = STUDY(FACTORS("x=0..1"), .design = "lhs", .n = 5, .reps = 3);

    cr_assert_eq(study_n_points(s), 15);
    for (uint64_t i = 0; i < 15; i++)
        cr_assert_eq(number(s, i, 0), number(s, i / 3 * 3, 0));
    cr_assert_neq(number(s, 2, 0), number(s, 3, 0));
    study_free(s);
}

Test(sampled, a_zip_is_one_dimension)
{
    struct study *s =
        STUDY(FACTORS("(a=1,2,3 + b=10,20,30)", "x=0..1"), .design = "sobol", .n = 30);

    for (uint64_t i = 0; i < 30; i++)
        cr_assert_eq(number(s, i, 1), 10 * number(s, i, 0));
    study_free(s);
}

Test(order, is_shuffled_when_asked_or_above_a_thousand_points)
{
    static const struct {
        const char *factor;
        int shuffle;
        bool shuffled;
    } cases[] = { { "x=1:1000", 0, false },
                  { "x=1:1001", 0, true },
                  { "x=1:10", 1, true },
                  { "x=1:1001", -1, false } };

    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct study *s = STUDY(FACTORS(cases[k].factor), .shuffle = cases[k].shuffle);
        cr_assert_eq(study_policy(s)->order_seed != 0, cases[k].shuffled, "case %zu", k);
        study_free(s);
    }
}

static void find(const struct study *s, const char *text, uint64_t expected)
{
    struct fault f;
    uint64_t i = 0;

    cr_assert_eq(study_find(s, text, &i, &f), ERR_NONE, "%s: %s", text, f.text);
    cr_assert_eq(i, expected, "%s: %d", text, (int)i);
}

static const char *find_message(const struct study *s, const char *text, enum err expected)
{
    static struct fault f;
    uint64_t i;

    cr_assert_eq(study_find(s, text, &i, &f), expected, "%s: %s", text, f.text);
    return f.text;
}

Test(find, by_index_or_by_values)
{
    struct study *s = STUDY(FACTORS("T=280:320:10", "n=1,2,x=3"), .reps = 2);

    find(s, "17", 17);
    find(s, "T=290,n=2,rep=1", 9);
    find(s, "n=x=3, T=280,rep=0", 4);
    find(s, "T=290.0,n=2e0,rep=0", 8);
    study_free(s);
    s = STUDY(LISTS(TEXTS("a", "b,c"), TEXTS("1", "1.0")));
    find(s, "1=b,c,2=1", 2);
    find(s, "2=1.0,1=a", 1);
    study_free(s);
    s = STUDY(FACTORS("x=0..1", "n=1,2"), .design = "sobol", .n = 10);
    struct point p;
    struct buf text = { 0 };
    point_init(&p);
    study_point(s, 7, &p);
    buf_addf(&text, "x=%s", p.values[0]);
    find(s, text.data, 7);
    point_fini(&p);
    buf_fini(&text);
    study_free(s);
    s = STUDY(FACTORS("x=1:60000000"));
    find(s, "59999999", 59999999);
    study_free(s);
}

Test(find, that_fails_says_why)
{
    struct study *s = STUDY(FACTORS("T=280:320:10", "n=1,2"), .reps = 2);

    cr_assert_str_eq(find_message(s, "20", ERR_NOT_FOUND),
                     "there is no point 20; study 'sim' has the points 0 to 19");
    cr_assert(strstr(find_message(s, "99999999999999999999", ERR_NOT_FOUND), "there is no point"));
    cr_assert_str_eq(find_message(s, "T=295", ERR_NOT_FOUND), "no point of study 'sim' has T=295");
    cr_assert_str_eq(find_message(s, "T=290,n=2,rep=2", ERR_NOT_FOUND),
                     "no point of study 'sim' has T=290,n=2,rep=2");
    cr_assert_str_eq(
        find_message(s, "T=290", ERR_USAGE),
        "4 points have T=290, for example 4 (T=290 n=1 rep=0) and 6 (T=290 n=2 rep=0); "
        "give also n, rep");
    cr_assert_str_eq(find_message(s, "n=2,T=290", ERR_USAGE),
                     "2 points have n=2,T=290, for example 6 (T=290 n=2 rep=0) and 7 (T=290 n=2 "
                     "rep=1); give also rep");
    cr_assert_str_eq(find_message(s, "n=2,rep=0", ERR_USAGE),
                     "5 points have n=2,rep=0, for example 2 (T=280 n=2 rep=0) and 6 (T=290 n=2 "
                     "rep=0); give also T");
    cr_assert_str_eq(find_message(s, "Tn=2", ERR_USAGE),
                     "study 'sim' has no factor 'Tn'; did you mean T?; it has T, n, rep");
    cr_assert(strstr(find_message(s, "n=2,n=1", ERR_USAGE), "'n' is given twice"));
    cr_assert(strstr(find_message(s, "rep=x", ERR_USAGE), "rep=x should be a number, from 0"));
    cr_assert(strstr(find_message(s, "hello", ERR_USAGE), "'hello' is no point"));
    cr_assert(strstr(find_message(s, "", ERR_USAGE), "'' is no point"));
    study_free(s);
}

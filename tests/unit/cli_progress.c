/* cli/progress and cli/pace: what a person sees, and the numbers in it. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "cli/pace.h"
#include "cli/progress.h"

static struct buf b;

static const char *duration(ms_t ms)
{
    buf_clear(&b);
    progress_duration(ms, &b);
    return buf_text(&b);
}

static const char *count(uint64_t n)
{
    buf_clear(&b);
    progress_count(n, &b);
    return buf_text(&b);
}

static const char *fit(const char *text, unsigned columns)
{
    buf_clear(&b);
    progress_fit(text, columns, &b);
    return buf_text(&b);
}

Test(progress, durations_in_words)
{
    cr_assert_str_eq(duration(0), "0 ms");
    cr_assert_str_eq(duration(999), "999 ms");
    cr_assert_str_eq(duration(12345), "12.3 s");
    cr_assert_str_eq(duration(30000), "30 s");
    cr_assert_str_eq(duration(59940), "59.9 s");
    cr_assert_str_eq(duration(59960), "1 min 0 s");
    cr_assert_str_eq(duration(250000), "4 min 10 s");
    cr_assert_str_eq(duration(7500000), "2 h 5 min");
    cr_assert_str_eq(duration(273600000), "3 d 4 h");
}

Test(progress, counts_with_commas)
{
    cr_assert_str_eq(count(0), "0");
    cr_assert_str_eq(count(999), "999");
    cr_assert_str_eq(count(1000), "1,000");
    cr_assert_str_eq(count(1234567), "1,234,567");
}

Test(progress, fit_cuts_at_characters_and_hides_controls)
{
    cr_assert_str_eq(fit("abc", 5), "abc");
    cr_assert_str_eq(fit("abcdef", 3), "abc");
    cr_assert_str_eq(fit("äöü", 2), "äö");
    cr_assert_str_eq(fit("a\033[2Jb\n", 9), "a?[2Jb?");
}

static struct progress_view view(void)
{
    struct progress_view v = { .name = "sim", .n = 200, .done = 120, .failed = 3, .running = 4 };
    v.left = 73;
    v.rate = 12.34;
    v.left_ms = 6000;
    v.slots = 4;
    v.busy = 4;
    v.use = 0.973;
    return v;
}

Test(progress, a_line_says_all)
{
    struct progress_view v = view();
    progress_line(&v, &b);
    cr_assert_str_eq(buf_text(&b), "sim: 123 of 200 ended, 120 done, 3 failed, 4 running, 73 left; "
                                   "12.3/s, time left 6 s, 4 of 4 cores busy (mean 97%)");
}

static size_t widest(const char *text)
{
    size_t most = 0;
    for (; *text; text += strcspn(text, "\n") + 1)
        most = strcspn(text, "\n") > most ? strcspn(text, "\n") : most;
    return most;
}

Test(progress, a_frame_fits_every_terminal)
{
    struct progress_view v = view();
    v.n_slow = 8;
    for (size_t i = 0; i < v.n_slow; i++) {
        memset(v.slow[i].label, 'x', sizeof v.slow[i].label - 1);
        v.slow[i].elapsed_ms = 5000;
    }
    v.name = "a-study-with-quite-a-long-name-that-fits-no-small-terminal-and-goes-on-and-on-and-on";
    for (unsigned width = 20; width < 300; width += 7) {
        for (unsigned height = 2; height < 40; height += 3) {
            buf_clear(&b);
            unsigned lines = progress_frame(&v, width, height, false, &b);
            cr_assert_lt(lines, height);
            cr_assert_lt(widest(buf_text(&b)), width, "%u: %s", width, buf_text(&b));
        }
    }
}

Test(progress, a_bar_is_full_only_at_the_end)
{
    struct progress_view v = view();
    v.n = 1000000;
    v.done = 999996;
    progress_frame(&v, 80, 24, false, &b);
    cr_assert(strstr(buf_text(&b), "99.9%"));
    buf_clear(&b);
    v.done = 999997;
    progress_frame(&v, 80, 24, false, &b);
    cr_assert(strstr(buf_text(&b), "100.0%"));
}

Test(progress, points_that_run_for_long_are_shown_slowest_first)
{
    struct progress_view v = view();
    v.n_slow = 3;
    strcpy(v.slow[0].label, "T=290 n=2");
    v.slow[0].elapsed_ms = 12300;
    strcpy(v.slow[1].label, "T=300 n=1");
    v.slow[1].elapsed_ms = 1000;
    strcpy(v.slow[2].label, "T=310 n=1");
    v.slow[2].elapsed_ms = 900;
    cr_assert_eq(progress_frame(&v, 80, 24, false, &b), 5);
    cr_assert(strstr(buf_text(&b), "12.3 s  T=290 n=2\n"));
    cr_assert_null(strstr(buf_text(&b), "T=310"));
}

Test(pace, rate_is_not_known_before_anything_ended)
{
    struct pace p;
    pace_init(&p);
    cr_assert_lt(pace_rate(&p, 0), 0);
    pace_add(&p, 0, 0, 4, 4);
    pace_add(&p, 1000, 0, 4, 4);
    cr_assert_lt(pace_rate(&p, 1000), 0);
    cr_assert_lt(pace_left_ms(&p, 1000, 5), 0);
}

Test(pace, follows_a_change_of_speed)
{
    struct pace p;
    pace_init(&p);
    for (ms_t t = 0; t <= 20000; t += 100)
        pace_add(&p, t, (uint64_t)(t / 10), 4, 4); /* 100 a second */
    for (ms_t t = 20100; t <= 40000; t += 100)
        pace_add(&p, t, 2000 + (uint64_t)((t - 20000) / 100), 4, 4); /* 10 a second */
    cr_assert_float_eq(pace_rate(&p, 40000), 10, 0.5);
    cr_assert_float_eq((double)pace_left_ms(&p, 40000, 100), 10000, 500);
}

Test(pace, looks_back_further_where_points_are_long)
{
    struct pace p;
    pace_init(&p);
    for (ms_t t = 0; t <= 3600000; t += 500)
        pace_add(&p, t, (uint64_t)(t / 60000), 1, 1); /* one a minute */
    cr_assert_float_eq(pace_rate(&p, 3600000), 1.0 / 60, 0.002);
}

Test(pace, use_is_the_mean_of_busy_slots)
{
    struct pace p;
    pace_init(&p);
    pace_add(&p, 0, 0, 4, 4);
    pace_add(&p, 1000, 0, 2, 4);
    pace_add(&p, 2000, 0, 0, 4);
    cr_assert_float_eq(pace_use(&p), 0.75, 1e-9);
}

Test(pace, begins_anew_where_points_were_given_a_new_attempt)
{
    struct pace p;
    pace_init(&p);
    for (ms_t t = 1000; t <= 5000; t += 100)
        pace_add(&p, t, 100 + (uint64_t)(t / 100), 1, 1);
    pace_add(&p, 5100, 20, 1, 1);
    cr_assert_lt(pace_rate(&p, 5200), 0);
    pace_add(&p, 6100, 30, 1, 1);
    cr_assert_float_eq(pace_rate(&p, 6100), 10, 0.1);
}

/* cli/display: which lines of progress a log gets. */
#include "cli/display.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct display d;
static struct progress_view v = {
    .name = "s", .n = 100, .left = 100, .rate = -1, .left_ms = -1, .slots = 2
};
static int log_fd, kept;

/* stderr is a file for as long as a display writes. */
static void begin(void)
{
    char path[] = "/tmp/grange-display-XXXXXX";
    log_fd = mkstemp(path);
    cr_assert_geq(log_fd, 0);
    unlink(path);
    display_open(&d, false, 1000);
    d.kind = DISPLAY_LINES; /* also where the tests have a terminal */
}

static unsigned lines(void)
{
    static char text[1 << 20];
    ssize_t n = pread(log_fd, text, sizeof text - 1, 0);
    unsigned count = 0;
    cr_assert_geq(n, 0);
    text[n] = '\0';
    for (const char *at = text; (at = strchr(at, '\n')); at++)
        count++;
    return count;
}

/* A view each second from `from` to `to`; `moves`: a point ends in each. */
static unsigned watch(ms_t from, ms_t to, bool moves)
{
    unsigned before = lines();
    fflush(stderr);
    kept = dup(STDERR_FILENO);
    dup2(log_fd, STDERR_FILENO);
    for (ms_t now = from; now < to; now += 1000) {
        v.done += moves;
        if (now >= display_due(&d))
            display_show(&d, &v, now);
    }
    dup2(kept, STDERR_FILENO);
    close(kept);
    return lines() - before;
}

Test(cli_display, a_log_gets_a_line_every_few_seconds_and_fewer_later)
{
    begin();
    cr_assert_eq(watch(3000, 102000, true), 20, "every five seconds at first");
    cr_assert_leq(watch(3601000, 7201000, true), 61, "at most one a minute after an hour");
    cr_assert_geq(watch(7201000, 10801000, true), 59, "but one a minute");
    display_close(&d);
}

Test(cli_display, a_line_that_says_the_same_comes_once_a_minute)
{
    begin();
    cr_assert_eq(watch(3000, 63000, false), 1);
    cr_assert_eq(watch(63000, 183000, false), 2);
    v.running++;
    cr_assert_eq(watch(183000, 193000, false), 1, "a change is said");
    display_close(&d);
}

Test(cli_display, nothing_when_quiet)
{
    begin();
    display_open(&d, true, 1000);
    cr_assert_eq(watch(3000, 63000, true), 0);
    display_close(&d);
}

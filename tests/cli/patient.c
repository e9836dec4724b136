/* patient URL COMMAND - waits for a command on a farm, whatever happens to that; patient URL --open
 * KEY for one that another program submitted. Prints "waiting", each time it is lost why, and after how many milliseconds it was told, and what came of it. */
#include <grange.h>
#include <stdio.h>
#include <time.h>

static long long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void say(const char *what)
{
    printf("%s\n", what);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct grange *g;
    struct grange_future f;
    struct grange_result r;
    struct grange_options o = { .key = "patient" };
    char why[300] = "patient URL COMMAND";
    int code;

    if (argc < 3 || grange_connect(argv[1], 60000, &g, why, sizeof why))
        return say(why), 1;
    if (argc > 3)
        code = grange_future_open(g, argv[3], 60000, &f);
    else
        code = grange_command(g, argv[2], &o, &f);
    if (code || grange_flush(g, 60000))
        return say(grange_message(g)), 1;
    say("waiting");
    for (long long last = 0; (code = grange_wait(g, f, GRANGE_FOREVER)) == GRANGE_ERR_LOST;) {
        if (now_ms() - last > 2000 || grange_is_down(g)) /* once, as long as it lasts */
            printf("lost%s: %s\n", grange_is_down(g) ? " (down)" : "", grange_message(g));
        fflush(stdout);
        last = now_ms();
    }
    if (code || grange_get(g, f, &r))
        return say(grange_message(g)), 1;
    say(grange_outcome_name(r.outcome));
    grange_close(g);
    return 0;
}

/* futures - commands, what came of them, and one that is cancelled. */
#include "example.h"

static void show(struct grange *g, const char *what, struct grange_future f)
{
    struct grange_result r;

    check(g, grange_wait(g, f, MINUTE));
    check(g, grange_get(g, f, &r));
    printf("%s: %s (%s)", what, grange_outcome_name(r.outcome), r.reason);
    if (r.out_bytes)
        printf(", printed %.*s", (int)strcspn(r.out, "\n"), r.out);
    if (*r.error)
        printf(", said %s", r.error);
    printf("\n");
    if (r.outcome == GRANGE_DONE)
        fprintf(stderr,
                "  by %s on %s, attempt %u, %.3f s, %.3f s processor time, %" PRIu64 " KiB\n",
                r.worker, r.host, r.attempts, (double)r.wall_us / 1e6,
                (double)(r.user_us + r.system_us) / 1e6, r.max_rss_kib);
}

int main(int argc, char **argv)
{
    struct grange *g = example_connect(argc, argv, NULL);
    struct grange_options twice = { .retries = 1, .timeout_ms = 30000 };
    struct grange_future sum, fails, crashes, sleeps;

    check(g, grange_command(g, "echo $((6 * 7))", NULL, &sum));
    check(g, grange_command(g, "echo no such file >&2; exit 3", &twice, &fails));
    check(g, grange_command(g, "kill -SEGV $$", NULL, &crashes));
    check(g, grange_command(g, "sleep 600", NULL, &sleeps));

    show(g, "a sum", sum);
    show(g, "a failure", fails);
    show(g, "a crash", crashes);
    if (grange_wait(g, sleeps, 10) == GRANGE_ERR_TIMEOUT)
        check(g, grange_future_cancel(g, sleeps, 1, MINUTE));
    show(g, "a sleeper", sleeps);
    grange_close(g);
    return 0;
}

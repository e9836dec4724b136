/* as_completed - many commands, each taken when it is ready; what it cost and what it gained. */
#include "example.h"

enum { N = 20 };

int main(int argc, char **argv)
{
    struct grange *g = example_connect(argc, argv, NULL);
    struct grange_future f[N], next;
    struct grange_result r;
    struct grange_tally t;
    struct grange_set *set;
    char command[100];
    int code, n = 0;
    double sum = 0;

    check(g, grange_set_new(g, &set));
    for (int i = 0; i < N; i++) {
        /* The later ones are the shorter ones. */
        snprintf(command, sizeof command, "sleep 0.0%d; echo %d", (N - i) / 3, i);
        check(g, grange_command(g, command, NULL, &f[i]));
        check(g, grange_set_add(set, f[i], 1));
    }
    while ((code = grange_set_next(set, MINUTE, &next)) == GRANGE_OK) {
        check(g, grange_get(g, next, &r));
        sum += atof(r.out);
        grange_set_tally(set, &t);
        fprintf(stderr, "%2d of %d: %.*s\n", ++n, N, (int)strcspn(r.out, "\n"), r.out);
    }
    if (code != GRANGE_ERR_NOT_FOUND) /* which says that all were given out */
        check(g, code);
    grange_set_tally(set, &t);
    printf("%" PRIu64 " of %" PRIu64 " done, the sum is %.0f\n", t.by_outcome[GRANGE_DONE], t.n,
           sum);
    fprintf(stderr, "%.2f s of work in %.2f s\n", (double)t.serial_us / 1e6,
            (double)t.wall_ms / 1e3);
    grange_set_free(set);
    grange_close(g);
    return 0;
}

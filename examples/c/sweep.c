/* sweep - a study from a program, with a future for each of its points; run again with one value
 * more, only that one runs. */
#include "example.h"

/* run - the study with T = 1 to `last`. Its words are those of a study file. */
static void run(struct grange *g, int last)
{
    struct grange_submitted s;
    struct grange_future first;
    struct grange_result r;
    char json[500];

    snprintf(json, sizeof json,
             "{\"version\": 1, \"name\": \"squares\", \"cwd\": \"/\","
             " \"command\": [\"sh\", \"-c\", \"echo $(({T} * {T})); test {T} != 4\"],"
             " \"factors\": [\"T=1:%d\"], \"where\": \"T != 2\"}",
             last);
    check(g, grange_sweep(g, json, strlen(json), 0, MINUTE, &s, &first));
    printf("%s: %" PRIu64 " points, %" PRIu64 " had ended before\n", s.name, s.counts.n,
           s.counts.reused);
    for (uint64_t i = 0; i < s.counts.n; i++) {
        check(g, grange_wait(g, grange_nth(first, i), MINUTE));
        check(g, grange_get(g, grange_nth(first, i), &r));
        printf("  point %" PRIu64 ": %s, %s%s%.*s\n", i, grange_outcome_name(r.outcome), r.reason,
               r.out_bytes ? ": " : "", (int)strcspn(r.out, "\n"), r.out);
    }
}

int main(int argc, char **argv)
{
    struct grange *g = example_connect(argc, argv, NULL);

    run(g, 4);
    run(g, 5);
    grange_close(g);
    return 0;
}
